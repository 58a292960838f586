// What happens to a class if a window of the image is covered?
import { logits } from "./network.js";

// The mean colour of an image (1, H, W, 3), which covers.
export const meanColour = (x) => tf.tidy(() => tf.mean(x, [0, 1, 2]));

// The image with each window [top, left, bottom, right] covered in turn: (n, H, W, 3).
export function covered(x, windows) {
  return tf.tidy(() => {
    const [, height, width] = x.shape;
    const colour = meanColour(x);
    const inside = new Float32Array(windows.length * height * width);
    windows.forEach(([top, left, bottom, right], n) => {
      for (let row = top; row < bottom; row++) {
        const start = (n * height + row) * width;
        inside.fill(1, start + left, start + right);
      }
    });
    const mask = tf.tensor(inside, [windows.length, height, width, 1]);
    return tf.add(tf.mul(x, tf.sub(1, mask)), tf.mul(colour, mask));
  });
}

// Windows of `patch` pixels every `stride`, the last ones flush with the border, row by row.
export function windows([height, width], patch, stride) {
  const starts = (side) => {
    const found = [];
    for (let at = 0; at < side - patch; at += stride) found.push(at);
    return [...found, side - patch];
  };
  const columns = starts(width);
  const boxes = starts(height).map((top) => columns.map((left) => [top, left, top + patch, left + patch]));
  return { boxes: boxes.flat(), rows: boxes.length, columns: columns.length };
}

// Yields, a few windows at a time, the logits of all classes with each of them covered.
export async function* scores(net, x, boxes, batch = 4) {
  for (let i = 0; i < boxes.length; i += batch) {
    const rows = tf.tidy(() => logits(net, covered(x, boxes.slice(i, i + batch))));
    const found = await rows.array();
    rows.dispose();
    yield found;
  }
}

// The mean drop `clean - score` over all windows that cover a pixel, (H, W).
export function heatmap(boxes, drops, [height, width]) {
  const sum = new Float32Array(height * width);
  const count = new Float32Array(height * width);
  drops.forEach((drop, n) => {
    const [top, left, bottom, right] = boxes[n];
    for (let row = top; row < bottom; row++) {
      for (let i = row * width + left; i < row * width + right; i++) {
        sum[i] += drop;
        count[i] += 1;
      }
    }
  });
  return sum.map((value, i) => value / Math.max(count[i], 1));
}

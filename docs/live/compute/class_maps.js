// Where the evidence for a class lies: feature maps, weighted for the class.
import { logits, run, score } from "./network.js";

// Of a network that ends in one map for each class and their means (SqueezeNet): that map.
export function cam(net, x, k) {
  return tf.tidy(() => {
    const maps = run(net, x, { until: net.last });
    return tf.squeeze(tf.slice(maps, [0, 0, 0, k], [1, -1, -1, 1]), [0, 3]);
  });
}

// The maps of a layer, each weighted by the mean of the gradient of class k's score by it.
export function gradCam(net, x, k, layer = net.last) {
  return tf.tidy(() => {
    const maps = run(net, x, { until: layer });
    const gradient = tf.grad((m) => score(k)(logits(net, m, { from: layer })))(maps);
    const weights = tf.mean(gradient, [1, 2], true);
    return tf.squeeze(tf.relu(tf.sum(tf.mul(maps, weights), 3)), [0]);
  });
}

// A map enlarged to an image, as vizlib.upsample: each value stands in the middle of what its unit
// sees, the outer ones go on to the border, and between them it is bilinear.
export function upsample(map, [h, w], { first, stride }, [height, width], scale = 1) {
  const rows = between(height * scale, h, first[0], stride[0], scale);
  const columns = between(width * scale, w, first[1], stride[1], scale);
  const large = new Float32Array(rows.length * columns.length);
  let i = 0;
  for (const [top, bottom, down] of rows) {
    for (const [left, right, across] of columns) {
      const a = map[top * w + left] * (1 - across) + map[top * w + right] * across;
      const b = map[bottom * w + left] * (1 - across) + map[bottom * w + right] * across;
      large[i++] = a * (1 - down) + b * down;
    }
  }
  return large;
}

// For each pixel of a line: the values before and behind it, and how far it is between them.
// `scale` pixels of the screen are one of the network's.
function between(pixels, values, first, stride, scale) {
  return Array.from({ length: pixels }, (_, pixel) => {
    const at = ((pixel + 0.5) / scale - 0.5 - first) / stride;
    const held = Math.min(Math.max(at, 0), values - 1);
    const below = Math.floor(held);
    return [below, Math.min(below + 1, values - 1), held - below];
  });
}

// A network in the browser: its weights, and a forward pass through all of it or a part of it.
// `tf` is TensorFlow.js. A network is what make writes of it: its card (NAME.json) and NAME.f16.

// `progress` hears how much of the weights has come, from 0 to 1.
export async function load(name, folder, progress = () => {}) {
  const card = await (await fetched(`${folder}${name}.json`)).json();
  const size = (shape) => shape.reduce((a, b) => a * b, 1);
  const count = card.layers.flatMap((layer) => layer.weights).map(size).reduce((a, b) => a + b);
  const halves = new Uint8Array(2 * count);
  let start = 0;
  const reader = (await fetched(`${folder}${name}.f16`)).body.getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    halves.set(part.value, start);
    start += part.value.length;
    progress(start / halves.length);
  }
  if (start < halves.length) throw new Error(`${name}.f16 ended early: reload the page.`);
  const numbers = single(new Uint16Array(halves.buffer));
  start = 0;
  for (const layer of card.layers) {
    layer.values = layer.weights.map((shape) => {
      const end = start + size(shape);
      const values = numbers.subarray(start, end);
      start = end;
      return values;
    });
  }
  return { ...card, tensors: {} };
}

export async function fetched(address) {
  const answer = await fetch(address).catch(() => null);
  if (answer?.ok) return answer;
  throw new Error(`${address} could not be loaded: is there a connection?`);
}

// float16 -> float32: a sign, five bits of exponent, ten of mantissa.
export function single(halves) {
  const numbers = new Float32Array(halves.length);
  for (let i = 0; i < halves.length; i++) {
    const sign = halves[i] & 0x8000 ? -1 : 1;
    const exponent = (halves[i] >> 10) & 31;
    const fraction = (halves[i] & 1023) / 1024;
    numbers[i] = sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction) : 2 ** -14 * fraction);
  }
  return numbers;
}

// Weights as tensors, made once.
function weights({ tensors }, layer) {
  tensors[layer.name] ??= layer.values.map((v, k) => tf.keep(tf.tensor(v, layer.weights[k])));
  return tensors[layer.name];
}

// Pixels (RGB, 0..255, as a canvas has them or three to a pixel) -> an image (1, H, W, 3).
export function image(net, pixels) {
  const [height, width] = net.size;
  const step = pixels.length / (height * width);
  const x = new Float32Array(height * width * 3);
  for (let i = 0; i < height * width; i++) {
    for (let c = 0; c < 3; c++) {
      x[3 * i + c] = pixels[step * i + net.order[c]] * net.level[c] + net.low[c];
    }
  }
  return tf.tensor(x, [1, height, width, 3]);
}

// The way back, for a canvas: an image (1, H, W, 3) -> red, green, blue and 255 for each pixel.
export function pixels(net, image) {
  const values = image.dataSync();
  const shown = new Uint8ClampedArray((values.length / 3) * 4).fill(255);
  for (let i = 0; i < values.length / 3; i++) {
    for (let c = 0; c < 3; c++) {
      shown[4 * i + net.order[c]] = (values[3 * i + c] - net.low[c]) / net.level[c];
    }
  }
  return shown;
}

// The numbers that leave the layer `until`, for x that goes into the network, or that left `from`.
// `relu` is the activation, so that backprop.js can give it another backward pass.
export function run(net, x, { from = "input", until = null, relu = tf.relu } = {}) {
  const values = { [from]: x };
  const begin = net.layers.findIndex((layer) => layer.name === from);
  for (const layer of net.layers.slice(begin + 1)) {
    const given = layer.inputs.map((name) => values[name]);
    values[layer.name] = apply(net, layer, given, relu);
    if (layer.name === until) break;
  }
  return values[until ?? net.layers.at(-1).name];
}

export const logits = (net, x, options) => run(net, x, options);

function apply(net, layer, given, relu) {
  const [x] = given;
  const active = (y) => (layer.activation === "relu" ? relu(y) : y); // a softmax is left out
  switch (layer.kind) {
    case "Conv2D": {
      const [kernel, bias] = weights(net, layer);
      return active(tf.add(tf.conv2d(x, kernel, layer.strides, layer.padding), bias));
    }
    case "Dense": {
      const [kernel, bias] = weights(net, layer);
      return active(tf.add(tf.matMul(x, kernel), bias));
    }
    case "MaxPooling2D":
      return maxPool(x, layer);
    case "Concatenate":
      return tf.concat(given, 3);
    case "Flatten":
      return tf.reshape(x, [x.shape[0], -1]);
    case "GlobalAveragePooling2D":
      return tf.mean(x, [1, 2]);
    case "Dropout": // does nothing outside training
    case "Activation": // the softmax
      return x;
    default:
      throw new Error(`network.js does not know the layer ${layer.kind}.`);
  }
}

// A pooling with a backward pass of its own: TensorFlow.js's WASM backend (4.22.0) sends nothing
// back through a window without a value above zero.
function maxPool(x, { pool_size, strides, padding }) {
  if (padding !== "valid") throw new Error("network.js pools only without padding.");
  return tf.customGrad((input, save) => {
    save([input]);
    const value = tf.maxPool(input, pool_size, strides, padding);
    return { value, gradFunc: (dy, [saved]) => unpool(dy, saved, pool_size, strides) };
  })(x);
}

// What reaches a value of x: the sum over all windows in which it is the largest, and the first.
function unpool(dy, x, [height, width], [down, across]) {
  const [n, rows, columns, channels] = dy.shape;
  const [values, signals] = [x.dataSync(), dy.dataSync()];
  const sent = new Float32Array(values.length);
  const place = (k, row, column) => ((k * x.shape[1] + row) * x.shape[2] + column) * channels;
  let i = 0;
  for (let k = 0; k < n; k++) {
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        for (let c = 0; c < channels; c++) {
          let largest = place(k, row * down, column * across) + c;
          for (let a = 0; a < height; a++) {
            for (let b = 0; b < width; b++) {
              const at = place(k, row * down + a, column * across + b) + c;
              if (values[at] > values[largest]) largest = at;
            }
          }
          sent[largest] += signals[i++];
        }
      }
    }
  }
  return tf.tensor(sent, x.shape);
}

// The classes' probabilities, of their logits.
export function softmax(scores) {
  const top = scores.reduce((a, b) => Math.max(a, b));
  const parts = Array.from(scores, (score) => Math.exp(score - top));
  const sum = parts.reduce((a, b) => a + b);
  return parts.map((part) => part / sum);
}

// score(k) -> a function from logits (n, K) to the sum of class k's: what is differentiated.
export const score = (k) => (rows) => tf.sum(tf.slice(rows, [0, k], [-1, 1]));

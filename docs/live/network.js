// A network in the browser: its weights, and a forward pass through all of it or a part of it.
// `tf` is TensorFlow.js. A network is what make writes of it: its card (NAME.json) and NAME.f16.

export async function load(name, folder) {
  const [card, half] = await Promise.all([
    fetch(`${folder}${name}.json`).then((answer) => answer.json()),
    fetch(`${folder}${name}.f16`).then((answer) => answer.arrayBuffer()),
  ]);
  const numbers = single(new Uint16Array(half));
  let start = 0;
  for (const layer of card.layers) {
    layer.values = layer.weights.map((shape) => {
      const end = start + shape.reduce((a, b) => a * b, 1);
      const values = numbers.subarray(start, end);
      start = end;
      return values;
    });
  }
  return { ...card, tensors: {} };
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

// Weights as tensors of the backend in use, made once for each.
function weights(net, layer) {
  const made = (net.tensors[tf.getBackend()] ??= {});
  made[layer.name] ??= layer.values.map((v, k) => tf.keep(tf.tensor(v, layer.weights[k])));
  return made[layer.name];
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
      return tf.maxPool(x, layer.pool_size, layer.strides, layer.padding);
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

// The classes' probabilities, of their logits.
export function softmax(scores) {
  const top = scores.reduce((a, b) => Math.max(a, b));
  const parts = Array.from(scores, (score) => Math.exp(score - top));
  const sum = parts.reduce((a, b) => a + b);
  return parts.map((part) => part / sum);
}

// score(k) -> a function from logits (n, K) to the sum of class k's: what is differentiated.
export const score = (k) => (rows) => tf.sum(tf.slice(rows, [0, k], [-1, 1]));

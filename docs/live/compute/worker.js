// All that is computed, beside the page, so that the page never waits: one question at a time.
// A question is {id, what, ...}; answers are {id, ...}, of an occlusion map several, until {done}.
import "../tensorflow/tf.es2017.min.js";
import "../tensorflow/tf-backend-wasm.es2017.min.js";
import { activations } from "./activations.js";
import { fgsm, uphill } from "./attack.js";
import { gradient, guidedBackprop } from "./backprop.js";
import { cam, gradCam } from "./class_maps.js";
import * as network from "./network.js";
import * as occlusion from "./occlusion.js";

const site = new URL("../", import.meta.url).href;
const networks = {};
const cancelled = new Set();
let net, pixels, x, attacked;

const answers = {
  async start() {
    tf.wasm.setWasmPaths(`${site}tensorflow/`);
    if (await tf.setBackend("wasm").catch(() => false)) return {};
    throw new Error("This page computes with WebAssembly and its SIMD instructions. This browser " +
      "does not have them, or does not allow them: try another one, or one of 2023 or later.");
  },
  async network({ id, name }) {
    const progress = (share) => postMessage({ id, share });
    networks[name] ??= network.load(name, `${site}networks/`, progress);
    try {
      net = await networks[name];
    } catch (error) {
      delete networks[name]; // a later try may succeed
      throw error;
    }
    const { layers, tensors, ...card } = net;
    return { card };
  },
  picture({ pixels: given }) {
    tf.dispose([x, attacked?.way].filter(Boolean));
    [pixels, x, attacked] = [given, network.image(net, given), null];
    return {};
  },
  logits: ({ window }) =>
    numbers(tf.tidy(() => {
      const shown = window ? occlusion.covered(x, [window]) : x;
      return tf.squeeze(network.logits(net, shown), [0]);
    })),
  cam: ({ k }) => numbers(cam(net, x, k)),
  gradCam: ({ k, layer }) => numbers(gradCam(net, x, k, layer)),
  gradient: ({ k }) => numbers(gradient(net, x, k)),
  guidedBackprop: ({ k }) => numbers(guidedBackprop(net, x, k)),
  activations: ({ layer }) => numbers(activations(net, x, layer)),
  async occlusion({ id, patch, stride }) {
    const [seen, { boxes }] = [net, occlusion.windows(net.size, patch, stride)];
    for await (const found of occlusion.scores(seen, x, boxes)) {
      postMessage({ id, boxes, found });
      await new Promise((next) => setTimeout(next)); // other questions, and a change of mind
      if (cancelled.has(id)) return { cancelled: true };
    }
    return {};
  },
  async fgsm({ k, levels }) {
    if (attacked?.k !== k) {
      tf.dispose(attacked?.way ?? []);
      attacked = { k, way: uphill(net, x, k) };
    }
    const changed = fgsm(net, x, attacked.way, levels);
    const scores = await numbers(tf.tidy(() => tf.squeeze(network.logits(net, changed), [0])));
    const shown = network.pixels(net, changed);
    changed.dispose();
    return { ...scores, pixels: shown };
  },
};

async function numbers(tensor) {
  const values = Float32Array.from(await tensor.data());
  tensor.dispose();
  return { values, shape: tensor.shape };
}

let last = Promise.resolve(); // questions wait for one another, but none for an occlusion map

onmessage = ({ data }) => {
  if (data.what === "cancel") return cancelled.add(data.cancel);
  last = last.then(async () => {
    await new Promise((next) => setTimeout(next)); // what was said meanwhile is heard
    const answered = answer(data);
    if (data.what !== "occlusion") await answered;
  });
};

async function answer(asked) {
  const began = performance.now();
  try {
    const wanted = !cancelled.has(asked.id);
    const found = wanted ? await answers[asked.what](asked) : { cancelled: true };
    postMessage({ id: asked.id, done: true, ms: performance.now() - began, ...found });
  } catch (error) {
    postMessage({ id: asked.id, error: String(error?.message ?? error) });
  }
}

// All that is computed, beside the page, so that the page never waits: one question at a time.
// A question is {id, what, ...}; answers are {id, ...}, of an occlusion map several, until {done}.
import "./tensorflow/tf.es2017.min.js";
import "./tensorflow/tf-backend-wasm.es2017.min.js";
import { activations } from "./activations.js";
import { fgsm, uphill } from "./attack.js";
import { SERVES, working } from "./backends.js";
import { guidedBackprop } from "./backprop.js";
import { cam, gradCam } from "./class_maps.js";
import * as network from "./network.js";
import * as occlusion from "./occlusion.js";

const networks = {};
const cancelled = new Set();
let here = []; // the backends that work
let net, pixels;
let kept = {}; // the image, and the way uphill, for each backend; made anew for a new picture

const answers = {
  async start() {
    here = await working(new URL("./tensorflow/", import.meta.url).href);
    return { backends: here };
  },
  async network({ name }) {
    networks[name] ??= network.load(name, new URL("./networks/", import.meta.url).href);
    net = await networks[name];
    const { labels, layers, values, tensors, ...card } = net;
    return { card, labels };
  },
  async picture({ pixels: given }) {
    Object.values(kept).forEach(({ x, way }) => tf.dispose([x, way].filter(Boolean)));
    [pixels, kept] = [given, {}];
    return {};
  },
  async logits(asked) {
    const x = await on(asked);
    return numbers(tf.tidy(() => {
      const whole = asked.window ? occlusion.covered(x, [asked.window]) : x;
      return tf.squeeze(network.logits(net, whole), [0]);
    }));
  },
  cam: async (asked) => numbers(cam(net, await on(asked), asked.k)),
  gradCam: async (asked) => numbers(gradCam(net, await on(asked), asked.k, asked.layer)),
  guidedBackprop: async (asked) => numbers(guidedBackprop(net, await on(asked), asked.k)),
  activations: async (asked) => numbers(activations(net, await on(asked), asked.layer)),
  async occlusion(asked) {
    const x = await on(asked);
    const { boxes, rows, columns } = occlusion.windows(net.size, asked.patch, asked.stride);
    const found = [];
    for await (const some of occlusion.scores(net, x, boxes)) {
      found.push(...some);
      postMessage({ id: asked.id, boxes, found: some, of: boxes.length });
      await new Promise((next) => setTimeout(next)); // other questions, and a change of mind
      if (cancelled.has(asked.id)) return { cancelled: true };
      await ready(asked);
    }
    return { rows, columns };
  },
  async fgsm(asked) {
    const x = await on(asked);
    const mine = kept[tf.getBackend()];
    if (mine.k !== asked.k) [mine.way, mine.k] = [uphill(net, x, asked.k), asked.k];
    const changed = fgsm(net, x, mine.way, asked.levels);
    const scores = tf.tidy(() => tf.squeeze(network.logits(net, changed), [0]));
    const [values, image] = [await scores.data(), await changed.data()];
    tf.dispose([scores, changed]);
    return { values, image };
  },
};

// The backend that serves a question, in use; a test may name another.
const ready = ({ what, backend }) =>
  tf.setBackend(backend ?? SERVES[what].find((name) => here.includes(name)));

// The image on that backend.
async function on(asked) {
  await ready(asked);
  const name = tf.getBackend();
  kept[name] ??= { x: network.image(net, pixels) };
  return kept[name].x;
}

async function numbers(tensor) {
  const { shape } = tensor;
  const values = await tensor.data();
  tensor.dispose();
  return { values: Float32Array.from(values), shape, backend: tf.getBackend() };
}

let last = Promise.resolve(); // questions wait for one another, but for an occlusion map

onmessage = ({ data }) => {
  if (data.what === "cancel") return cancelled.add(data.cancel);
  last = last.then(async () => {
    const answer = answer_(data);
    if (data.what !== "occlusion") await answer;
  });
};

async function answer_(asked) {
  const began = performance.now();
  try {
    const answer = await answers[asked.what](asked);
    postMessage({ id: asked.id, done: true, ms: performance.now() - began, ...answer });
  } catch (error) {
    postMessage({ id: asked.id, error: String(error?.message ?? error) });
  }
}

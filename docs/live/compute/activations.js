// What a layer sees: its maps, one for each of its channels.
import { run } from "./network.js";

// (h, w, C)
export const activations = (net, x, layer) =>
  tf.tidy(() => tf.squeeze(run(net, x, { until: layer }), [0]));

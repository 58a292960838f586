// Which backend of TensorFlow.js computes what, the first that the browser has.
// Each is graded against vizlib by tests/browser/test_live.py: one that differs by more than a
// hundredth of a map's range serves no such map. WASM's Grad-CAM differs by 0.33 on pocket; guided
// backprop by 0.036 on SqueezeNet, on WASM and WebGL alike.
export const SERVES = {
  logits: ["wasm", "webgl", "cpu"],
  cam: ["wasm", "webgl", "cpu"],
  gradCam: ["cpu"],
  guidedBackprop: ["cpu"],
  occlusion: ["wasm", "webgl", "cpu"],
  activations: ["wasm", "webgl", "cpu"],
  fgsm: ["cpu"],
};

// Those that work here. Each must add two numbers before it is believed.
export async function working(folder) {
  tf.wasm.setWasmPaths(folder);
  const found = [];
  for (const name of ["webgl", "wasm", "cpu"]) {
    try {
      if (!(await tf.setBackend(name))) continue;
      const [three] = await tf.tidy(() => tf.add(tf.tensor1d([1]), 2)).data();
      if (three === 3) found.push(name);
    } catch {
      // the next one
    }
  }
  return found;
}

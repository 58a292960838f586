// Which backend of TensorFlow.js computes what, the first that the browser has.
// Each is graded against vizlib by tests/browser/test_live.py: one that differs by more than a
// hundredth of a map's range stands in no row of that map.
export const SERVES = {
  logits: ["webgl", "wasm", "cpu"],
  cam: ["webgl", "wasm", "cpu"],
  gradCam: ["webgl", "wasm", "cpu"],
  guidedBackprop: ["webgl", "wasm", "cpu"],
  occlusion: ["webgl", "wasm", "cpu"],
  activations: ["webgl", "wasm", "cpu"],
  fgsm: ["webgl", "wasm", "cpu"],
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

// What comes back to the pixels from the score of a class.
import { logits, score } from "./network.js";

// The gradient (H, W, 3) of class k's score, with another `relu` if one is given.
export function gradient(net, x, k, relu = tf.relu) {
  return tf.tidy(() => tf.squeeze(tf.grad((z) => score(k)(logits(net, z, { relu })))(x), [0]));
}

// Guided backprop: at a ReLU a signal passes where both it and the ReLU's input are positive.
export const guidedBackprop = (net, x, k) => gradient(net, x, k, guided);

function guided(x) {
  const rule = tf.customGrad((input, save) => {
    save([input]);
    const back = (dy, [saved]) => tf.mul(tf.relu(dy), tf.cast(tf.greater(saved, 0), "float32"));
    return { value: tf.relu(input), gradFunc: back };
  });
  return rule(x);
}

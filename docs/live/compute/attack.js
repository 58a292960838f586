// An image changed as little as one can see, and as much as the network can be made to care.
import { logits } from "./network.js";

// The sign, for each value of x, of the slope of class k's log-odds log(p / (1 - p)), (1, H, W, 3).
// They rise wherever the cross-entropy falls, and do not saturate where p rounds to 1.
export function uphill(net, x, k) {
  return tf.tidy(() => tf.sign(tf.grad((z) => logOdds(logits(net, z), k))(x)));
}

// The fast gradient sign method: each value moves by `levels` grey levels to where the class loses.
export function fgsm(net, x, way, levels) {
  return tf.tidy(() => {
    const level = tf.tensor1d(net.level);
    const low = tf.tensor1d(net.low);
    const moved = tf.sub(x, tf.mul(tf.mul(way, level), levels));
    return tf.minimum(tf.maximum(moved, low), tf.add(low, tf.mul(level, 255)));
  });
}

// The logit of k less the logarithm of the sum of all others' exponentials.
function logOdds(rows, k) {
  const own = tf.oneHot(tf.tensor1d([k], "int32"), rows.shape[1]);
  const others = tf.sub(rows, tf.mul(tf.cast(own, "float32"), 1e9));
  return tf.sub(tf.sum(tf.mul(rows, tf.cast(own, "float32"))), tf.sum(tf.logSumExp(others, 1)));
}

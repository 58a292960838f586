"""One small network in every shape a Keras model can have, and what it computes in NumPy (float64).

conv1 (3x3, same, 4) ReLU, 2x2 max-pool, conv2 (3x3, same, 5) ReLU, flatten, fc (6) ReLU, out (K).
All shapes hold the same weights, so one reference serves for logits, activations, gradients and
both ReLU rules.
"""

import keras
import numpy as np
import tensorflow as tf
from keras import layers

SIZE = 8


def weights(channels=3, classes=3, seed=0):
    rng = np.random.default_rng(seed)
    sizes = [(3, 3, channels, 4), (3, 3, 4, 5), (SIZE * SIZE // 4 * 5, 6), (6, classes)]
    return [
        w
        for s in sizes
        for w in (rng.normal(0, (2 / np.prod(s[:-1])) ** 0.5, s), rng.normal(0, 0.1, s[-1]))
    ]


def pictures(n=3, channels=3, seed=1):
    return np.random.default_rng(seed).normal(0, 1, (n, SIZE, SIZE, channels)).astype("float32")


# ---- the same network in Keras's shapes ----------------------------------------------------------


def _stem(x, *, fused=True):
    for name, width in (("conv1", 4), ("conv2", 5)):
        x = layers.Conv2D(
            width, 3, padding="same", activation="relu" if fused else None, name=name
        )(x)
        if not fused:
            x = layers.ReLU(name=f"{name}_relu")(x)
        if name == "conv1":
            x = layers.MaxPooling2D(name="pool")(x)
    return x


def _top(x, *, fused=True, classes=3, activation="softmax"):
    x = layers.Dense(6, activation="relu" if fused else None, name="fc")(
        layers.Flatten(name="flatten")(x)
    )
    x = x if fused else layers.Activation("relu", name="fc_relu")(x)
    return layers.Dense(classes, activation=activation, name="out")(x)


def _input(channels=3):
    return keras.Input((SIZE, SIZE, channels), name="picture")


def fused():
    return keras.Model(x := _input(), _top(_stem(x)))


def relu_layers():
    return keras.Model(x := _input(), _top(_stem(x, fused=False), fused=False))


def sequential():
    return keras.Sequential(
        [
            _input(),
            layers.Conv2D(4, 3, padding="same", activation="relu", name="conv1"),
            layers.MaxPooling2D(name="pool"),
            layers.Conv2D(5, 3, padding="same", activation="relu", name="conv2"),
            layers.Flatten(),
            layers.Dense(6, activation="relu", name="fc"),
            layers.Dense(3, name="out"),
            layers.Softmax(),
        ]
    )


def nested():
    backbone = keras.Model(x := _input(), _stem(x), name="backbone")
    return keras.Model(x := _input(), _top(backbone(x)))


def nested_twice():
    backbone = keras.Model(x := _input(), _stem(x, fused=False), name="backbone")
    wrapped = keras.Sequential([_input(), backbone], name="wrapped")
    return keras.Sequential(
        [_input(), wrapped, keras.Model(x := keras.Input((4, 4, 5)), _top(x), name="head")]
    )


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.conv1 = layers.Conv2D(4, 3, padding="same", name="conv1")
        self.conv2 = layers.Conv2D(5, 3, padding="same", name="conv2")
        self.act2 = layers.ReLU(name="conv2_relu")
        self.fc = layers.Dense(6, name="fc")
        self.out = layers.Dense(3, name="out")

    def call(self, x, training=False):
        x = tf.nn.max_pool2d(tf.nn.relu(self.conv1(x)), 2, 2, "VALID")
        x = self.act2(self.conv2(x))
        x = tf.nn.relu(self.fc(tf.reshape(x, (tf.shape(x)[0], SIZE * SIZE // 4 * 5))))
        return tf.nn.softmax(self.out(x))


def subclassed():
    model = Subclassed()
    model(tf.zeros((1, SIZE, SIZE, 3)))
    return model


def linear_head():
    return keras.Model(x := _input(), _top(_stem(x), activation=None))


def softmax_layer():
    return keras.Model(
        x := _input(), layers.Softmax(name="softmax")(_top(_stem(x), activation=None))
    )


def input_in_a_list():
    return keras.Model([x := _input()], [_top(_stem(x))])


def sigmoid_one():
    return keras.Model(x := _input(), _top(_stem(x), classes=1, activation="sigmoid"))


def sigmoid_many():
    return keras.Model(x := _input(), _top(_stem(x), activation="sigmoid"))


def linear_one():
    return keras.Model(x := _input(), _top(_stem(x), classes=1, activation=None))


def one_channel():
    return keras.Model(x := _input(1), _top(_stem(x)))


SHAPES = [
    fused, relu_layers, sequential, nested, nested_twice, subclassed, linear_head, softmax_layer,
    input_in_a_list, sigmoid_one, sigmoid_many, linear_one, one_channel,
]  # fmt: skip


def build(shape):
    """(model, its weights in float64, images, the layer of the second map after its ReLU)."""
    model = shape()
    channels, classes = (
        (1 if shape is one_channel else 3),
        (1 if shape in (sigmoid_one, linear_one) else 3),
    )
    w = weights(channels, classes)
    model.set_weights(w)
    last = "conv2_relu" if shape in (relu_layers, nested_twice, subclassed) else "conv2"
    return model, w, pictures(channels=channels), last


def predicted(model, x, w):
    """d logit / d logits of each image's predicted class, (N, K); of a number, the number's."""
    z = forward(x, w)[0]
    if z.shape[1] > 1:
        return np.eye(z.shape[1])[z.argmax(1)]
    number = model.layers[-1].activation is keras.activations.linear
    return np.where((z > 0) | number, 1.0, -1.0)


# ---- what it computes ----------------------------------------------------------------------------


def _conv(x, kernel):
    windows = np.lib.stride_tricks.sliding_window_view(
        np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0))), (3, 3), (1, 2)
    )
    return np.einsum("nhwcij,ijco->nhwo", windows, kernel)


def _conv_back(dy, kernel):
    return _conv(dy, kernel[::-1, ::-1].swapaxes(2, 3))


def forward(x, w):
    """logits (N, K), and every tensor on the way."""
    a1 = _conv(x.astype("float64"), w[0]) + w[1]
    n, h, _, c = a1.shape
    windows = (
        np.maximum(a1, 0)
        .reshape(n, h // 2, 2, h // 2, 2, c)
        .transpose(0, 1, 3, 5, 2, 4)
        .reshape(n, h // 2, h // 2, c, 4)
    )
    a2 = _conv(windows.max(-1), w[2]) + w[3]
    a3 = np.maximum(a2, 0).reshape(n, -1) @ w[4] + w[5]
    return np.maximum(a3, 0) @ w[6] + w[7], (a1, windows, a2, a3)


RULES = {
    "plain": lambda dy, a: dy * (a > 0),
    "guided": lambda dy, a: np.maximum(dy, 0) * (a > 0),
    "deconvnet": lambda dy, a: np.maximum(dy, 0),
}


def backward_map(dmap, x, w, rule):
    """From a gradient at the second map (after its ReLU) to the pictures."""
    _, (a1, windows, a2, _) = forward(x, w)
    dp = _conv_back(RULES[rule](dmap, a2), w[2])
    # the switch: the first of a window's largest values, as TensorFlow does it
    dwin = dp[..., None] * (np.arange(4) == windows.argmax(-1)[..., None])
    n, h, _, c, _ = windows.shape
    da = dwin.reshape(n, h, h, c, 2, 2).transpose(0, 1, 4, 2, 5, 3).reshape(n, 2 * h, 2 * h, c)
    return _conv_back(RULES[rule](da, a1), w[0])


def backward(x, w, seed, rule):
    """From a gradient at the logits (N, K) to the pictures, by one of the three rules."""
    _, (_, _, a2, a3) = forward(x, w)
    return backward_map((RULES[rule](seed @ w[6].T, a3) @ w[4].T).reshape(a2.shape), x, w, rule)

"""Following windows gives what whole passes give: by hand, on random graphs, on real networks."""

import gc
import subprocess
import sys
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import keras
import numpy as np
import pytest
import shapes
import tensorflow as tf
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from keras import layers

import vizlib
from vizlib import engine, incremental
from vizlib.incremental import execute, plan, spans


@pytest.fixture(scope="module", autouse=True)
def whatever_it_costs():
    """Every map that can be followed is, and as far as its border."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(execute, "WORTH", np.inf)
        patch.setattr(plan, "NEARLY_ALL", 1.0)
        yield


# ---- spans, by counting --------------------------------------------------------------------------


@given(
    st.integers(1, 20), st.integers(1, 5), st.integers(1, 4), st.integers(-2, 3), st.data()
)  # fmt: skip
def test_spans_hold_what_counting_finds(length, kernel, stride, before, data):
    size = data.draw(st.integers(1, length))
    starts = data.draw(st.lists(st.integers(0, length - size), min_size=1, max_size=4))
    units = data.draw(st.integers(1, 20))
    found = spans.changed(spans.Span(np.array(starts), size, length), kernel, stride, before, units)
    sees = spans.seen(found, kernel, stride, before)
    for n, start in enumerate(starts):
        inputs = {u: {u * stride - before + k for k in range(kernel)} for u in range(units)}
        touched = {u for u in inputs if inputs[u] & set(range(start, start + size))}
        held = range(found.start[n], found.start[n] + found.size)
        assert touched <= set(held) <= set(range(units))
        assert set.union(*(inputs[u] for u in held)) <= {
            *range(sees.start[n], sees.start[n] + sees.size)
        }
        if len(starts) == 1 and touched:
            assert found.size == max(touched) - min(touched) + 1  # nothing in vain
    both = spans.hull([found, spans.Span(np.zeros_like(found.start), 1, units)])
    assert (both.start == 0).all() and both.size == (found.start + found.size).max()


# ---- against whole passes ------------------------------------------------------------------------


def error(model, image, size, stride, cover, *, least=1):
    """The largest difference of the two ways, over the deviation of what is predicted.

    None where that is lost in rounding.
    """
    corners = [[*range(0, n - s, t), n - s] for n, s, t in zip(image.shape, size, stride)]
    tops, lefts = (a.ravel() for a in np.meshgrid(*corners, indexing="ij"))
    windows = np.stack([tops, lefts, tops + size[0], lefts + size[1]], -1)
    either = engine.head.EITHER
    net = plan.read_network(model, image.shape, either)
    assert sum(plan.make_plan(net, windows).followed[1:]) >= least
    groups, run = incremental.follow(model, image.shape, windows, 7, either)
    clean, *quick = run(image, cover)
    covered = np.repeat(image[None], len(windows), 0)
    for one, (top, left, bottom, right) in zip(covered, windows):
        one[top:bottom, left:right] = cover[top:bottom, left:right]
    how = dict(target=lambda predicted: predicted, batch_size=16)
    whole, of_clean = (engine.forward(model, x, **how) for x in (covered, image[None]))
    largest, spread = np.abs(of_clean).max(), whole.std(0).max()
    np.testing.assert_allclose(clean, of_clean, rtol=1e-4, atol=1e-4 * largest)
    assert sorted(np.concatenate(groups)) == list(range(len(windows)))
    difference = np.concatenate(quick) - whole[np.concatenate(groups)]
    return np.abs(difference).max() / spread if spread > 3e-3 * largest else None


def randomized(model, seed=0, scale=1.0):
    """The model with random weights everywhere, also in normalizations."""
    rng = np.random.default_rng(seed)
    for v in model.variables:
        if v.dtype.startswith("float"):
            positive = "gamma" in v.path or "variance" in v.path
            deviation = scale * (2 / np.prod(v.shape[:-1])) ** 0.5 if len(v.shape) > 1 else 0.2
            drawn = (
                rng.uniform(0.5, 1.5, v.shape) if positive else rng.normal(0, deviation, v.shape)
            )
            v.assign(drawn)
    return model


def check(model, size=(4, 3), stride=(3, 3), least=1, seed=0):
    """Assert that both ways agree on an image of the model's size."""
    rng = np.random.default_rng(seed)
    shape = [n or 12 for n in (engine.input_shape(model) or (None, 12, 10, 3))[1:]]
    image, cover = rng.normal(0, 1, (2, *shape)).astype("float32")
    assert error(model, image, size, stride, cover, least=least) <= 1e-4


@pytest.mark.parametrize("shape", shapes.SHAPES, ids=lambda f: f.__name__)
def test_every_model_shape(shape):
    model, _, (image, cover, *_), _ = shapes.build(shape)
    assert error(model, image, (2, 3), (1, 2), cover, least=6) <= 1e-4


LAYERS = {
    "conv": lambda d: layers.Conv2D(
        4, d(1, 3), strides=d(1, 2), padding=("same", "valid")[d(0, 1)], activation="relu"
    ),
    "tall": lambda d: layers.Conv2D(
        4, (d(1, 4), d(1, 2)), strides=(d(1, 2), d(1, 3)), padding="same"
    ),
    "dilated": lambda d: layers.Conv2D(
        4, (2, 3), dilation_rate=(d(1, 3), d(1, 3)), padding=("same", "valid")[d(0, 1)]
    ),
    "depthwise": lambda d: layers.DepthwiseConv2D(
        3, strides=d(1, 2), padding="same", activation="silu"
    ),
    "dilated depthwise": lambda d: layers.DepthwiseConv2D(3, dilation_rate=2, padding="same"),
    "separable": lambda d: layers.SeparableConv2D(5, 3, strides=d(1, 2), padding="same"),
    "max": lambda d: layers.MaxPooling2D(
        d(1, 3), strides=d(1, 3), padding=("same", "valid")[d(0, 1)]
    ),
    "mean": lambda d: layers.AveragePooling2D(
        2, strides=d(1, 2), padding=("same", "valid")[d(0, 1)]
    ),
    "pad": lambda d: layers.ZeroPadding2D(((d(0, 2), d(0, 2)), (d(0, 2), d(0, 2)))),
    "norm": lambda d: layers.BatchNormalization(),
    "norm of channels": lambda d: layers.LayerNormalization(),
    "act": lambda d: layers.LeakyReLU(),
    "larger": lambda d: layers.UpSampling2D(2),
    "smaller": lambda d: layers.Cropping2D(((d(0, 1), d(0, 1)), (d(0, 1), d(0, 1)))),
}


def residual(x, draw):
    """Two ways of the same stride, one of them longer; added or put side by side."""
    stride = draw(1, 2)
    short = layers.Conv2D(4, 1, strides=stride)(x)
    long = layers.Conv2D(4, 3, strides=stride, padding="same", activation="relu")(x)
    long = layers.Conv2D(4, 3, padding="same")(long)
    return (layers.Add(), layers.Concatenate())[draw(0, 1)]([short, long])


def check_random_network(data):
    def draw(low, high):
        return data.draw(st.integers(low, high))

    shape = draw(9, 20), draw(9, 20), draw(1, 3)
    x = y = keras.Input(shape)
    for name in data.draw(st.lists(st.sampled_from([*LAYERS, "residual"]), min_size=2, max_size=6)):
        if 6 < min(y.shape[1:3]) <= max(y.shape[1:3]) < 40:
            y = residual(y, draw) if name == "residual" else LAYERS[name](draw)(y)
    y = layers.Flatten()(y) if draw(0, 1) else layers.GlobalAveragePooling2D()(y)
    model = randomized(keras.Model(x, layers.Dense(3, activation="softmax")(y)), draw(0, 999))
    patch = draw(1, 7), draw(1, 7)
    image, cover = np.random.default_rng(draw(0, 999)).normal(0, 1, (2, *shape)).astype("float32")
    found = error(model, image, patch, (draw(1, 7), draw(1, 7)), cover + draw(0, 2), least=0)
    assume(found is not None)
    assert found <= 1e-4


HOW = dict(deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


@settings(max_examples=12, **HOW)
@given(st.data())
def test_random_networks(data):
    check_random_network(data)


@pytest.mark.slow
@settings(max_examples=150, **HOW)
@given(st.data())
def test_many_random_networks(data):
    check_random_network(data)


# ---- what a graph of layers would not tell -------------------------------------------------------


def pooled(x, y):
    return keras.Model(x, layers.Dense(3, activation="softmax")(layers.GlobalAveragePooling2D()(y)))


def conv(y, **how):
    return layers.Conv2D(4, 3, **how)(y)


class Trains(layers.Layer):
    def call(self, x, training=True):
        return x * 3 + tf.roll(x, 1, 1) if training else x


class Coordinates(layers.Layer):
    """Concatenates the number of the row."""

    def call(self, x):
        rows = tf.range(tf.shape(x)[1], dtype=tf.float32)[None, :, None, None]
        return tf.concat([x, tf.broadcast_to(rows, [tf.shape(x)[0], *x.shape[1:3], 1])], -1)


class Sizes(layers.Layer):
    def call(self, x):
        height, number = tf.shape(x)[1], tf.size(x) // tf.shape(x)[0]
        return x / tf.cast(height, tf.float32) + tf.cast(number, tf.float32) / 1e3 * tf.ones_like(x)


class Compiled(layers.Layer):
    def build(self, shape):
        self.w = self.add_weight(shape=(shape[-1],))

    @tf.function
    def call(self, x):
        return tf.nn.relu(x * self.w)


class Branches(layers.Layer):
    def call(self, x):
        return tf.cond(tf.reduce_all(tf.shape(x) > 0), lambda: x * 2.0, lambda: x)

    def compute_output_shape(self, shape):
        return shape


def transfer(x):
    """As in Keras's tutorial on transfer learning."""
    inner = keras.Input((None, None, 3))
    base = keras.Model(inner, layers.MaxPooling2D()(conv(inner, padding="same")))
    y = keras.Sequential([layers.RandomFlip(), layers.RandomRotation(0.1)])(x)
    y = keras.applications.mobilenet_v2.preprocess_input(y * 128)
    return layers.Dropout(0.3)(base(y, training=False))


def shared(x):
    layer = layers.Conv2D(3, 3, padding="same", activation="relu")
    return layers.Add()([layer(layer(x)), layer(x)])


def excited(x):
    y = conv(x, activation="relu")
    scale = layers.Dense(4, activation="sigmoid")(layers.GlobalAveragePooling2D()(y))
    return conv(layers.Multiply()([y, layers.Reshape((1, 1, 4))(scale)]))


def every_activation(x):
    names = (
        "relu relu6 leaky_relu elu selu gelu silu sigmoid tanh softplus softsign hard_sigmoid "
        "hard_silu hard_tanh exponential linear mish log_sigmoid celu softmax log_softmax"
    )
    y = conv(x)
    maps = [layers.Activation(name)(y) for name in names.split()]
    return conv(layers.Concatenate()([layers.ReLU(4.0, 0.1, 0.2)(y), *maps]))


def activated(function):
    """A convolution with an activation of the user's, between others."""
    return lambda x: conv(conv(conv(x), activation=function))


KINDS = {  # the map before the mean, of the image; how many operations are followed at least
    "training by default": (lambda x: conv(Trains()(conv(x))), 4),
    "dropout, training": (lambda x: conv(layers.Dropout(0.5)(conv(x), training=True)), 4),
    "norm, training": (lambda x: conv(layers.BatchNormalization()(conv(x), training=True)), 6),
    "softmax of rows": (activated(lambda x: tf.nn.softmax(x, 1)), 4),
    "sum of rows": (activated(lambda x: tf.cumsum(x, 1)), 4),
    "rolled": (activated(lambda x: tf.roll(x, 3, 2)), 4),
    "less the mean": (activated(lambda x: x - tf.reduce_mean(x, (1, 2), True)), 4),
    "softmax of channels": (activated(lambda x: tf.nn.softmax(x)), 7),
    "masked": (lambda x: conv(layers.Add()([layers.Masking()(x), x])), 6),
    "shared": (shared, 10),
    "regularized": (lambda x: conv(x, activity_regularizer="l2", kernel_regularizer="l2"), 2),
    "transfer": (transfer, 6),
    "as for VGG": (lambda x: conv(keras.applications.vgg16.preprocess_input(x * 99)), 7),
    "other order": (lambda x: conv(x[..., ::-1]), 3),
    "upside down": (lambda x: conv(conv(x)[:, ::-1]), 2),
    "cut": (lambda x: conv(conv(x)[:, 2:-1, 1:]), 2),
    "groups": (lambda x: conv(layers.Conv2D(8, 3, groups=2)(conv(x))), 2),
    "slopes of their own": (lambda x: conv(layers.PReLU("uniform")(conv(x))), 5),
    "slopes": (lambda x: conv(layers.PReLU("uniform", shared_axes=[1, 2])(conv(x))), 9),
    "norm of the map": (lambda x: conv(layers.LayerNormalization(axis=(1, 2, 3))(conv(x))), 2),
    "norm of groups": (lambda x: conv(layers.GroupNormalization(2)(conv(x))), 2),
    "excited": (excited, 3),
    "less an image": (lambda x: conv(x - np.random.rand(12, 10, 3).astype("float32")), 0),
    "coordinates": (lambda x: conv(Coordinates()(conv(x))), 2),
    "sizes": (lambda x: conv(Sizes()(conv(x))), 2),
    "compiled": (lambda x: conv(Compiled()(conv(x))), 2),
    "branches": (lambda x: conv(Branches()(conv(x))), 2),
    "mean at the border": (lambda x: layers.AveragePooling2D(3, 2, "same")(conv(x)), 2),
    "activations": (every_activation, 55),
}


@pytest.mark.parametrize("name", KINDS)
def test_what_a_graph_of_layers_would_not_tell(name):
    make, least = KINDS[name]
    x = keras.Input((12, 10, 3))
    check(randomized(pooled(x, make(x))), least=least)


@pytest.mark.parametrize("kind", [keras.Model, keras.Sequential])
def test_a_call_of_its_own_is_what_is_followed(kind):
    class Scaled(kind):
        def call(self, x, training=None, mask=None):
            return super().call(x * 2 - 1, training=training) / 3

    parts = [keras.Input((12, 10, 3)), layers.Conv2D(4, 3, activation="relu")]
    parts += [layers.GlobalAveragePooling2D(), layers.Dense(3)]
    chain = keras.Sequential(parts)
    given = [parts] if kind is keras.Sequential else [chain.inputs[0], chain.outputs[0]]
    model = randomized(Scaled(*given))
    check(model, least=5)
    images = np.random.default_rng(0).normal(size=(2, 12, 10, 3)).astype("float32")
    clean = vizlib.occlusion(model, images, 1, patch=4).clean
    np.testing.assert_allclose(clean, model(images)[:, 1], rtol=1e-4, atol=1e-5)


def test_threads_that_share_a_fresh_model_trace_it_once_and_get_what_one_gets():
    x, traced = shapes.pictures(), []

    def found(threads):
        model, _, _, _ = shapes.build(shapes.fused)
        inner = model.get_layer("conv1")
        plain, calls = inner.call, []
        inner.__dict__["call"] = lambda *a, **k: calls.append(1) or plain(*a, **k)
        with ThreadPoolExecutor(threads) as pool:
            made = [pool.submit(vizlib.occlusion, model, x, k, patch=2) for k in (0, 1, 2, 0)]
        traced.append(len(calls))
        return [one.result() for one in made]

    for ours, alone in zip(found(4), found(1)):
        assert ours.path == "incremental"
        np.testing.assert_allclose(ours.scores, alone.scores, rtol=1e-5, atol=1e-5)
    model = shapes.build(shapes.fused)[0]
    full = vizlib.occlusion(model, x, 0, patch=2, incremental=False)
    np.testing.assert_allclose(ours.scores, full.scores, rtol=1e-5, atol=1e-5)
    assert traced[0] == traced[1] > 0


@pytest.mark.parametrize("slope", [0.01, 0.3, 0.7])
def test_the_slope_of_a_leaky_relu_behind_a_convolution_and_an_addition(slope):
    """TensorFlow fuses the three, and forgets the slope."""
    x = keras.Input((12, 10, 3))
    added = layers.Add()([conv(x), layers.Conv2D(4, 3)(x)])
    model = randomized(pooled(x, layers.LeakyReLU(slope, name="leaky")(added)))
    images = np.random.default_rng(0).normal(size=(3, 12, 10, 3)).astype("float32")
    want = model(images).numpy()  # operation by operation
    np.testing.assert_allclose(vizlib.probabilities(model, images), want, rtol=1e-4, atol=1e-5)
    check(model, least=4)


def test_a_pooling_of_one_operand():
    x = keras.Input((12, 10, 3))
    pooled_by_hand = keras.ops.einsum("nhwc->nc", conv(conv(x)))
    check(randomized(keras.Model(x, layers.Dense(3)(pooled_by_hand))), least=2)


def test_a_convolution_of_the_users_own_is_no_other():
    class Tripled(layers.Conv2D):
        def call(self, x):
            return tf.reverse(super().call(x), [1]) * 3

    x = keras.Input((12, 10, 3))
    check(randomized(pooled(x, conv(Tripled(4, 3)(conv(x))))), least=4)


def test_tokens_and_sequences_behind_windows():
    x = keras.Input((12, 10, 3))
    tokens = layers.Reshape((12, 4))(layers.Conv2D(4, 3, strides=3)(x))
    tokens = layers.MultiHeadAttention(2, 4)(tokens, tokens)
    vectors = layers.LSTM(5)(layers.Add()([tokens, tokens]))
    check(randomized(keras.Model(x, layers.Dense(3)(vectors))), least=2)


def test_vectors_that_are_maps():
    x = keras.Input((12, 10, 3))
    maps = layers.Conv2D(3, 1, activation="relu")(conv(x))
    check(keras.Model(x, layers.Activation("softmax")(layers.GlobalAveragePooling2D()(maps))))
    one = layers.Softmax()(layers.GlobalAveragePooling2D(keepdims=True)(conv(x)))
    check(keras.Model(x, layers.Reshape((4,))(one)))


def test_what_is_computed_at_a_time_takes_no_more_room_than_whole_images():
    x = keras.Input((32, 32, 3))
    maps = layers.UpSampling2D(2)(layers.MaxPooling2D(2)(conv(x, padding="same")))
    unet = keras.Model(x, layers.Conv2D(5, 3, padding="same")(maps))
    corners = np.stack(np.meshgrid(range(0, 32, 4), range(0, 32, 4)), -1).reshape(-1, 2)
    windows = np.concatenate([corners, corners + 4], -1)
    groups, _ = incremental.follow(unet, (32, 32, 3), windows, 9, "output")
    assert {len(group) for group in groups} == {3, 2}  # whole maps, of three groups at once


# ---- right goes before fast ----------------------------------------------------------------------


@pytest.mark.parametrize("wrong", ["windows", "clean"])
def test_one_window_is_compared_with_a_whole_pass(wrong, monkeypatch):
    model, _, x, _ = shapes.build(shapes.fused)
    options = dict(patch=2, stride=2, fill=0.0)
    right = vizlib.occlusion(model, x, 0, **options)
    assert right.path == "incremental"
    if wrong == "windows":
        applied = execute._applied
        monkeypatch.setattr(execute, "_applied", lambda step, given: applied(step, given) * 1.5)
    else:
        monkeypatch.setattr(execute, "last_layers", lambda net: lambda neck: neck[:, :3] * np.nan)
    model.set_weights(model.get_weights())
    other = keras.models.clone_model(model)  # nothing of it is cached
    other.set_weights(model.get_weights())
    found = vizlib.occlusion(other, x, 0, **options)
    assert found.path == "full"
    np.testing.assert_allclose(found.scores, right.scores, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(found.clean, right.clean, rtol=1e-5, atol=1e-5)


def test_models_are_seen_as_they_are_now():
    model, _, x, _ = shapes.build(shapes.fused)
    options = dict(patch=2, stride=2, fill=0.0)

    def change(how):
        how()
        quick, full = (
            vizlib.occlusion(model, x, 0, incremental=i, **options) for i in (True, False)
        )
        assert quick.path == "incremental"
        np.testing.assert_allclose(quick.scores, full.scores, rtol=1e-5, atol=1e-4)
        return quick.scores

    def weights():
        model.set_weights([2 * v for v in model.get_weights()])

    def activation():
        model.get_layer("conv1").activation = keras.activations.tanh

    seen = [change(how) for how in (lambda: None, weights, activation)]
    assert np.abs(seen[1] - seen[0]).max() > 0.1 and np.abs(seen[2] - seen[1]).max() > 0.1


def test_functions_that_run_eagerly_change_nothing():
    model, _, x, _ = shapes.build(shapes.nested)
    options = dict(patch=2, stride=2, fill=0.0)
    expected = vizlib.occlusion(model, x, 0, incremental=False, **options).scores
    other = keras.models.clone_model(model)
    other.set_weights(model.get_weights())
    tf.config.run_functions_eagerly(True)
    try:
        found = vizlib.occlusion(other, x, 0, **options)
    finally:
        tf.config.run_functions_eagerly(False)
    assert found.path == "incremental"
    np.testing.assert_allclose(found.scores, expected, rtol=1e-5, atol=1e-5)


AS_NUMPY = """
import sys
sys.path.insert(0, "tests")
import numpy as np, tensorflow as tf
import shapes, vizlib
from vizlib.incremental import execute
execute.WORTH = np.inf
tf.experimental.numpy.experimental_enable_numpy_behavior()
model, _, x, _ = shapes.build(shapes.fused)
quick, full = (
    vizlib.occlusion(model, x, 0, patch=3, stride=2, incremental=i) for i in (True, False)
)
assert quick.path == "incremental"
np.testing.assert_allclose(quick.scores, full.scores, atol=1e-5)
"""


@pytest.mark.slow  # a process of its own
def test_tensors_that_behave_like_arrays_change_nothing():
    subprocess.run([sys.executable, "-c", AS_NUMPY], check=True, cwd=Path(__file__).parents[1])


def test_nothing_keeps_a_model():
    model, _, x, _ = shapes.build(shapes.fused)
    vizlib.occlusion(model, x, 0, patch=2, stride=2)
    gone = weakref.ref(model)
    del model
    gc.collect()
    assert gone() is None


# ---- real networks -------------------------------------------------------------------------------


def squeezenet(size):
    """SqueezeNet 1.1 (Iandola et al. 2016, arXiv 1602.07360)."""

    def fire(x, squeeze, expand):
        x = layers.Conv2D(squeeze, 1, activation="relu")(x)
        one, three = (
            layers.Conv2D(expand, k, padding="same", activation="relu")(x) for k in (1, 3)
        )
        return layers.Concatenate()([one, three])

    x = y = keras.Input(size)
    y = layers.Conv2D(64, 3, strides=2, activation="relu")(y)
    for widths in ([(16, 64)] * 2, [(32, 128)] * 2, [(48, 192)] * 2 + [(64, 256)] * 2):
        y = layers.MaxPooling2D(3, 2)(y)
        for squeeze, expand in widths:
            y = fire(y, squeeze, expand)
    y = layers.Conv2D(5, 1)(layers.Dropout(0.5)(y))
    return keras.Model(x, layers.Activation("softmax")(layers.GlobalAveragePooling2D()(y)))


NETWORKS = {  # how many operations are followed at least
    "SqueezeNet": 80,
    "MobileNetV2": 200,
    "ResNet50": 270,
    "EfficientNetB0": 14,  # its second block looks at the whole map
    "DenseNet121": 540,
    "Xception": 200,
    "VGG16": 40,
}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name in ("SqueezeNet", "MobileNetV2") else pytest.mark.slow)
        for name in NETWORKS
    ],
)
def test_real_networks(name):
    size = (96, 80, 3)
    if name == "SqueezeNet":
        model = squeezenet(size)
    else:
        model = getattr(keras.applications, name)(weights=None, input_shape=size, classes=5)
    randomized(model)
    rng = np.random.default_rng(1)
    for layer in model.layers:  # without data to normalize by, the signal dies on its way
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = 0.0
    model(rng.normal(0, 50, (8, *size)).astype("float32"), training=True)
    image, cover = rng.normal(0, 50, (2, *size)).astype("float32")
    assert error(model, image, (24, 20), (36, 30), cover, least=NETWORKS[name]) <= 1e-4

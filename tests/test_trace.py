"""Traces: never stale, bounded in number, alike in threads, for every kind of number and batch."""

import collections
import functools
import gc
import os
import subprocess
import sys
import threading
import types
import weakref
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import vizlib
from vizlib.engine import trace

RNG = np.random.default_rng(0)
X = RNG.normal(size=(3, 8, 8, 3)).astype("float32")


def network(*first, size=(8, 8), last=(), **options):
    return keras.Sequential(
        [
            keras.Input((*size, 3), **options),
            *first,
            layers.Conv2D(4, 3, activation="relu", name="conv"),
            *last,
            layers.GlobalAveragePooling2D(),
            layers.Dense(3, name="out"),
        ]
    )


def true(model, images, k=0):
    with tf.GradientTape() as tape:
        tape.watch(x := tf.constant(images))
        one = model(x, training=False)[:, k]
    return tape.gradient(one, x).numpy()


class Scaled(layers.Layer):
    factor = 1.0

    def __init__(self):
        super().__init__()
        self.factor, self.table = 1.0, np.ones(3, "float32")

    def call(self, x):
        return x * self.factor * self.table


def adapt(model):
    model.layers[0].adapt(RNG.normal(3, 2, (50, 8, 8, 3)).astype("float32"))


def normalization():
    layer = layers.Normalization()
    layer.adapt(X)
    return layer


CHANGES = {
    "adapt": (normalization, adapt),
    "scale": (lambda: layers.Rescaling(1.0), lambda m: setattr(m.layers[0], "scale", 3.0)),
    "scales": (
        lambda: layers.Rescaling([1.0, 1, 1]),
        lambda m: setattr(m.layers[0], "scale", [1.0, 2, 3]),
    ),
    "slope": (lambda: layers.LeakyReLU(0.1), lambda m: setattr(m.layers[0], "negative_slope", 0.7)),
    "attribute": (Scaled, lambda m: setattr(m.layers[0], "factor", 2.0)),
    "array in place": (Scaled, lambda m: m.layers[0].table.__setitem__(1, 5.0)),
    "activation": (
        layers.ReLU,
        lambda m: setattr(m.get_layer("conv"), "activation", keras.activations.elu),
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_changes_the_answer_makes_a_new_trace(change):
    make, do = CHANGES[change]
    model = network(make())
    before = vizlib.gradient(model, X, 0)
    np.testing.assert_allclose(before, true(model, X), rtol=1e-5, atol=1e-6)
    do(model)
    after = vizlib.gradient(model, X, 0)
    assert np.abs(after - before).max() > 1e-4
    np.testing.assert_allclose(after, true(model, X), rtol=1e-5, atol=1e-6)


def test_training_on_makes_no_wrong_trace():
    model = network()
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    before = vizlib.gradient(model, X, 0)
    model.fit(X, np.arange(3), epochs=2, verbose=0)
    after = vizlib.gradient(model, X, 0)
    assert np.abs(after - before).max() > 1e-5
    np.testing.assert_allclose(after, true(model, X), rtol=1e-5, atol=1e-6)


def count_traces(model):
    calls, layer = [], model.get_layer("conv")
    own = layer.call
    layer.__dict__["call"] = lambda *a, **k: calls.append(1) or own(*a, **k)
    return calls


def test_a_layer_that_counts_its_calls_is_traced_once():
    class Counting(layers.Layer):
        calls = 0

        def call(self, x):
            self.calls += 1
            self.last = self.calls
            return x

    model = network(Counting())
    calls = count_traces(model)
    for k in range(3):
        vizlib.gradient(model, X, k)
    assert len(calls) == 1


def test_open_sizes_are_traced_once():
    model = network(size=(None, None))
    calls = count_traces(model)
    for side in (8, 9, 12, 30):
        images = RNG.normal(size=(2, side, side + 1, 3)).astype("float32")
        np.testing.assert_allclose(
            vizlib.gradient(model, images, 0), true(model, images), rtol=1e-5, atol=1e-6
        )
    assert len(calls) == 1 + 4  # and four of `true`
    model.get_layer("conv").bias.assign(np.full(4, 9.0))  # no unit is shut
    maps = vizlib.activations(model, images, "conv")
    unit = vizlib.gradient(model, images, layer="conv", unit=(27, 28, 3))
    assert maps.shape == (2, 28, 29, 4) and unit[:, 27:, 28:].any() and not unit[:, :27].any()
    with pytest.raises(ValueError, match=r"within \(28, 29, 4\)"):
        vizlib.gradient(model, images, layer="conv", unit=(28, 0, 0))


def test_sizes_of_a_subclassed_model_are_bounded():
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.inner = network(size=(None, None))

        def call(self, x):
            return self.inner(x)

    model = Own()
    model(X)
    for side in range(8, 30):
        vizlib.logits(model, np.zeros((1, side, side, 3)))
    _, sizes = trace._cache[model]
    assert len(sizes) == trace.SIZES


@pytest.mark.parametrize("n", [1, 3, 4, 6])
def test_models_of_one_batch_size(n):
    fixed = network(batch_size=4)
    free = network()
    free.set_weights(fixed.get_weights())
    images = RNG.normal(size=(n, 8, 8, 3)).astype("float32")
    for call in (
        vizlib.logits,
        lambda m, x: vizlib.gradient(m, x, 1),
        lambda m, x: vizlib.gradient(m, x, lambda z: z[:, 0]),
        lambda m, x: vizlib.activations(m, x, "conv", batch_size=3),
        lambda m, x: vizlib.grad_cam(m, x, 0),
    ):
        np.testing.assert_allclose(call(fixed, images), call(free, images), rtol=1e-5, atol=1e-6)


def test_gradients_in_half_precision_do_not_vanish():
    model = network()
    model.set_weights([w * s for w, s in zip(model.get_weights(), (2e-3, 1, 2e-3, 1))])
    config = model.get_config()
    for layer in config["layers"][1:]:
        layer["config"]["dtype"] = "mixed_float16"
    half = keras.Sequential.from_config(config)
    half.set_weights(model.get_weights())
    with tf.GradientTape() as tape:  # what comes of it without a factor
        tape.watch(x := tf.constant(X))
        one = tf.cast(half(x, training=False)[:, 0], tf.float32)
    vanished = tape.gradient(one, x).numpy()
    found, want = vizlib.gradient(half, X, 0), true(model, X)
    assert np.linalg.norm(vanished - want) > 0.2 * np.linalg.norm(want)
    assert np.linalg.norm(found - want) < 0.02 * np.linalg.norm(want)
    rng = np.random.default_rng(0)
    half.set_weights([10 * rng.normal(size=w.shape) for w in half.get_weights()])
    model.set_weights(half.get_weights())  # the factor is halved where the gradient overflows
    found, want = vizlib.gradient(half, X, 0), true(model, X)
    assert np.abs(want).max() * 2**14 > np.finfo("float16").max
    assert np.linalg.norm(found - want) < 0.02 * np.linalg.norm(want)
    assert vizlib.pgd(half, X, 0, epsilon=0.1, bounds=(-9, 9), steps=2).dtype == np.float32


def test_models_under_a_distribution_strategy():
    with tf.distribute.MirroredStrategy(["CPU:0"]).scope():
        model = network()
    np.testing.assert_allclose(vizlib.gradient(model, X, 0), true(model, X), rtol=1e-5, atol=1e-6)
    assert vizlib.activations(model, X, "conv").shape == (3, 6, 6, 4)


MIRRORED = """
import keras, numpy as np, tensorflow as tf
cpu, one = tf.config.list_physical_devices("CPU")[0], tf.config.LogicalDeviceConfiguration()
tf.config.set_logical_device_configuration(cpu, [one, one])
import vizlib
from keras import layers

def network():
    keras.utils.set_random_seed(0)
    return keras.Sequential([
        keras.Input((8, 8, 3)),
        layers.Conv2D(4, 3, activation="relu", name="conv"),
        layers.BatchNormalization(),
        layers.GlobalAveragePooling2D(),
        layers.Dense(3),
    ])

strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
with strategy.scope():
    model = network()
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
assert len(model.layers[0].kernel.value.values) == 2
x = np.random.default_rng(0).normal(size=(8, 8, 8, 3)).astype("float32")

def answers(model):
    yield vizlib.gradient(model, x, 0)
    yield vizlib.grad_cam(model, x, 1)
    yield vizlib.guided_backprop(model, x, 1)
    yield vizlib.features(model, x)
    yield vizlib.top_patches(model, x, "conv", channels=[0, 3], k=2).value
    yield vizlib.occlusion(model, x, 0, patch=3, stride=2).scores

plain, before = network(), list(answers(model))
for found, wanted in zip(before, answers(plain)):
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)
model.fit(x, np.arange(8) % 3, epochs=3, verbose=0)
plain.set_weights(model.get_weights())
for found, wanted, first in zip(answers(model), answers(plain), before):
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)
    assert np.abs(found - first).max() > 1e-4
with strategy.scope():
    np.testing.assert_allclose(vizlib.features(model, x), vizlib.features(plain, x), rtol=1e-5)
"""


@pytest.mark.slow  # a process of its own: devices are made before TensorFlow starts
def test_models_mirrored_on_two_devices_before_and_after_training():
    subprocess.run([sys.executable, "-c", MIRRORED], check=True, cwd=Path(__file__).parents[1])


def test_half_precision_that_keras_does_not_see():
    """A model inside a function of a layer's: only the graph tells what it computes in."""
    keras.utils.set_random_seed(0)
    small = keras.initializers.RandomNormal(stddev=1e-6)
    head = [layers.GlobalAveragePooling2D(), layers.Dense(3, kernel_initializer=small)]
    parts = [layers.Conv2D(4, 3), *head]
    whole = keras.Sequential([keras.Input(X.shape[1:]), *parts])
    config = whole.get_config()
    for layer in config["layers"][1:]:
        layer["config"]["dtype"] = "float16"
    half = keras.Sequential.from_config(config)
    half.set_weights(whole.get_weights())
    x = keras.Input(X.shape[1:])
    hidden = keras.Model(x, layers.Lambda(lambda images: half(images))(x))
    found, want = vizlib.gradient(hidden, X, 0), true(whole, X)
    assert np.linalg.norm(found - want) < 0.05 * np.linalg.norm(want)


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_one_weight_that_is_no_number_is_named_though_a_relu_makes_zeros_of_it(wrong):
    for call in (vizlib.logits, vizlib.grad_cam, vizlib.occlusion, vizlib.features):
        model = network()
        model.get_layer("conv").kernel.assign(np.full((3, 3, 3, 4), wrong))
        with pytest.raises(ValueError, match="conv/kernel' holds NaN or infinite.*its weights"):
            call(model, X)


def test_weights_of_nan_are_named():
    model = network()
    model.set_weights([np.full_like(w, np.nan) for w in model.get_weights()])
    conv = model.get_layer("conv")
    conv.activation = keras.activations.linear  # a ReLU makes zeros of them
    for call in (
        vizlib.logits,
        lambda m, x: vizlib.gradient(m, x, 0),
        lambda m, x: vizlib.features(m, x, "conv"),
        lambda m, x: vizlib.top_patches(m, x, "conv", channels=0, k=1),
    ):
        with pytest.raises(ValueError, match="look at its weights"):
            call(model, X)
    assert np.isnan(vizlib.activations(model, X, "conv")).all()  # as they are, to find where


def test_a_call_in_another_thread_is_not_captured():
    model, wrong = network(), []
    want = vizlib.activations(model, X, "conv")
    stop = threading.Event()

    def work():
        other = tf.constant(X[::-1].copy())
        while not stop.is_set():
            model(other, training=False)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        for k in range(12):
            model.get_layer("out").activation = lambda x: x + 0.0  # a new trace
            if np.abs(vizlib.activations(model, X, "conv") - want).max() > 1e-6:
                wrong.append(k)
    finally:
        stop.set()
        thread.join()
    assert not wrong


MODES = {
    "eager functions": "tf.config.run_functions_eagerly(True)",
    "NumPy behaviour": "tf.experimental.numpy.experimental_enable_numpy_behavior()",
    "no stderr": "import os; os.close(2)",
}
SCRIPT = """
{before}
import numpy as np, keras, tensorflow as tf
{mode}
import vizlib
from keras import layers
keras.utils.set_random_seed(0)
model = keras.Sequential([
    keras.Input((16, 16, 3)),
    layers.Conv2D(4, 3, padding="same", activation="relu", name="conv"),
    layers.MaxPooling2D(),
    layers.Conv2D(4, 3, activation="relu"),
    layers.GlobalAveragePooling2D(),
    layers.Dense(3, "softmax"),
])
x = np.random.default_rng(0).normal(size=(2, 16, 16, 3)).astype("float32")
found = [
    vizlib.logits(model, x),
    vizlib.gradient(model, x, 0),
    vizlib.activations(model, x, "conv"),
    vizlib.grad_cam(model, x, 1),
    vizlib.guided_backprop(model, x, lambda z: z[:, 0] - z[:, 1]),
    vizlib.occlusion(model, x, 0, patch=4, stride=2, fill=0.0).scores,
    vizlib.pgd(model, x, 0, epsilon=0.1, bounds=(-9, 9), steps=2),
    vizlib.integrated_gradients(model, x, 0, steps=4),
]
print([float(np.round(np.abs(f).sum(), 3)) for f in found])
"""


def test_the_same_answers_in_every_mode():
    printed = {}
    for name, mode in {"": "", **MODES}.items():
        first = name == "no stderr"
        script = SCRIPT.format(before=mode if first else "", mode="" if first else mode)
        done = subprocess.run(
            [sys.executable, "-c", script],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": "."},
        )
        assert done.returncode == 0, name
        printed[name] = done.stdout
    assert len(set(printed.values())) == 1 and printed[""].startswith("[")


class Unusual(layers.Layer):
    """Keeps what its answer hangs on in objects, large arrays and functions."""

    def __init__(self):
        super().__init__()
        self.config, self.mean = types.SimpleNamespace(t=1.0), np.zeros((64, 64, 3), "float32")
        held = [1.0]
        self.held, self.scale = held, lambda x: x * held[0]

    def call(self, x):
        return self.scale(x - self.mean[: x.shape[1], : x.shape[2]]) * self.config.t


def fresh(layer, name, value):
    """Another object, maybe at the address of the one before."""
    delattr(layer, name)
    setattr(layer, name, value())


@pytest.mark.parametrize(
    "change",
    [
        lambda s: setattr(s.config, "t", 5.0),
        lambda s: s.mean.__setitem__(slice(None), 3.0),
        lambda s: s.held.__setitem__(0, 4.0),
        lambda s: fresh(s, "mean", lambda: np.full((64, 64, 3), 2, "float32")),
        lambda s: fresh(s, "scale", lambda: lambda x: x * 4),
    ],
    ids=["config", "array in place", "closure", "new array", "new function"],
)
def test_no_address_is_taken_for_an_object(change):
    unusual = Unusual()
    model = network(unusual)
    vizlib.logits(model, X)
    change(unusual)
    np.testing.assert_allclose(vizlib.logits(model, X), model(X), rtol=1e-5, atol=1e-4)


class Gain:
    """An activation that is an object, with a method that may be one, too."""

    def __init__(self):
        self.by, self.parts = 1.0, {"a": [{"b": ({"c": 1.0},)}]}

    def __call__(self, x):
        return x * self.by * self.parts["a"][0]["b"][0]["c"]


class Slotted:
    __slots__ = ("by", "empty")

    def __init__(self):
        self.by = 1.0


settings = types.ModuleType("settings")
settings.by = 1.0
SETTINGS = [types.SimpleNamespace(by=1.0)]
SCALE = {"by": 1.0}
OUTSIDE = {"layer": layers.Activation("relu")}


class Asks(layers.Layer):
    """Its answer hangs on what other objects hold."""

    shared = 1.0

    def __init__(self):
        super().__init__()
        self.flags, self.queue, self.gain = set(), collections.deque([1.0]), Gain()
        self.method, self.part = Gain().__call__, functools.partial(pow, exp=1)
        self.slotted, self.user = Slotted(), collections.UserDict(by=1.0)

    def call(self, x):
        x = self.method(self.gain(x)) * self.queue[0] * self.shared * CLOSED["by"]
        x = x * self.slotted.by * settings.by * self.user["by"] * SETTINGS[0].by
        x = sum([OUTSIDE["layer"](x) * SCALE["by"] for _ in range(2)])
        return x ** self.part.keywords["exp"] * (2 if "x" in self.flags else 1)


CLOSED = {"by": 1.0}


def closing_over(held):
    class Closing(Asks):
        def call(self, x):
            return x * held["by"]

    return Closing()


@pytest.mark.parametrize(
    "change",
    [
        lambda s: s.flags.add("x"),
        lambda s: s.queue.appendleft(3.0),
        lambda s: setattr(s.gain, "by", 3.0),
        lambda s: s.gain.parts["a"][0]["b"][0].update(c=3.0),
        lambda s: setattr(s.slotted, "by", 3.0),
        lambda s: setattr(s.method.__self__, "by", 3.0),
        lambda s: s.part.keywords.update(exp=2),
        lambda s: setattr(Asks, "shared", Asks.shared * 3),
        lambda s: CLOSED.update(by=CLOSED["by"] * 3),
        lambda s: setattr(settings, "by", settings.by * 3),
        lambda s: setattr(SETTINGS[0], "by", SETTINGS[0].by * 3),
        lambda s: s.user.update(by=3.0),
        lambda s: SCALE.update(by=SCALE["by"] * 3),
        lambda s: setattr(OUTSIDE["layer"], "activation", keras.activations.softplus),
    ],
    ids=(
        "set deque object deep slots method partial class global module namespace user inner layer"
    ).split(),
)
def test_what_other_objects_hold_makes_a_new_trace(change):
    asks = Asks()
    model = network(asks)
    before = vizlib.logits(model, X)
    change(asks)
    np.testing.assert_allclose(after := vizlib.logits(model, X), model(X), rtol=1e-5, atol=1e-4)
    assert np.abs(after - before).max() > 1e-3


@pytest.mark.parametrize(
    "make", [closing_over, lambda held: layers.Lambda(lambda x: x * held["by"])]
)
def test_what_a_call_closes_over_makes_a_new_trace(make):
    held = {"by": 1.0}
    model = network(make(held))
    before = vizlib.logits(model, X)
    held["by"] = 3.0
    after = vizlib.logits(model, X)
    np.testing.assert_allclose(after, model(X), rtol=1e-5, atol=1e-4)
    assert np.abs(after - before).max() > 1e-3


def test_objects_that_hold_each_other_and_the_model_are_marked_and_go_with_it():
    asks = Asks()
    model = network(asks)
    asks.gain.itself, asks.gain.model = asks.gain, model
    vizlib.logits(model, X)
    first = trace._cache[model][1]
    vizlib.logits(model, X)
    assert trace._cache[model][1] is first  # not made again
    gone = weakref.ref(model)
    del model, asks
    gc.collect()
    assert gone() is None


def test_what_a_layer_noted_is_as_before():
    class Noting(layers.Layer):
        def call(self, x):
            self.seen = self.first = x
            return x

    noting = Noting()
    model = network(noting)
    first = noting.first = tf.constant([1.0])
    vars(noting).pop("seen", None)
    vizlib.gradient(model, X[:1], 0)
    vizlib.activations(model, X[:1], noting.name)
    assert noting.first is first and not hasattr(noting, "seen")
    model(X[:1])
    np.testing.assert_array_equal(noting.seen, X[:1])
    before = noting.seen
    vizlib.grad_cam(model, X[:1], 0)
    assert noting.seen is before


def test_losses_of_regularizers_are_as_before():
    model = network(layers.Conv2D(3, 1, activity_regularizer="l2", name="first"))
    model(X)
    before = [float(loss) for loss in model.losses]
    vizlib.gradient(model, X[:1], 0)
    assert [float(loss) for loss in model.losses] == before and before

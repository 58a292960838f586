"""Networks that forget: what is made new, how, and that it comes back; maps compared by hand."""

import random
import threading
import warnings

import keras
import numpy as np
import pytest
import shapes
from keras import layers
from scipy.stats import spearmanr
from strangers import TensorElsewhere

import vizlib
from vizlib import truth

x3 = shapes.pictures()


def remembers(kept):
    """A method that keeps the weights it sees, and returns the logits."""

    def method(model, images):
        kept.append(model.get_weights())
        return vizlib.logits(model, images)

    return method


def new(before, after):
    """Which weights differ."""
    return {i for i, (a, b) in enumerate(zip(before, after)) if not np.array_equal(a, b)}


# ---- which layers are new, and when --------------------------------------------------------------


@pytest.mark.parametrize("cascading", [True, False])
def test_layers_become_new_from_the_output_down(case, cascading):
    model, _, x, _ = case
    trained, kept = model.get_weights(), []
    found = truth.randomization(remembers(kept), model, x, cascading=cascading)
    assert found.layers == ("out", "fc", "conv2", "conv1")
    assert new(trained, kept[0]) == set()
    for step, weights in enumerate(kept[1:]):  # a kernel and a bias each
        first, last = 6 - 2 * step, 8 if cascading else 8 - 2 * step
        assert new(trained, weights) == set(range(first, last))
        if cascading and step:
            assert new(kept[step], weights) == {first, first + 1}  # what was new stays as it is
    assert found.original.shape == (3, trained[-1].size) and found.maps.shape == (
        4,
        *found.original.shape,
    )
    np.testing.assert_array_equal(found.original, vizlib.logits(model, x))
    assert new(trained, model.get_weights()) == set()


@pytest.mark.parametrize(
    "method",
    [vizlib.saliency, vizlib.guided_backprop, vizlib.deconvnet, vizlib.integrated_gradients],
    ids=lambda f: f.__name__,
)
def test_no_map_comes_from_an_old_trace(method):
    """A map of the top layer changes with the first layer that is new and is that network's own."""
    model, _, x, _ = shapes.build(shapes.fused)
    kept = []

    def maps(model, images):
        kept.append(model.get_weights())
        return method(model, images, 0)

    found = truth.randomization(maps, model, x)
    assert np.abs(found.maps[0] - found.original).max() > 1e-3 * np.abs(found.original).max()
    np.testing.assert_array_equal(method(model, x, 0), found.original)
    fresh = shapes.fused()
    for weights, seen in zip(kept[1:], found.maps):
        fresh.set_weights(weights)
        np.testing.assert_allclose(seen, method(fresh, x, 0), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("when", [0, 1, 3])
def test_weights_come_back_whatever_happens(error, when):
    model, _, x, _ = shapes.build(shapes.nested)
    trained, calls = model.get_weights(), []

    def method(model, images):
        calls.append(1)
        if len(calls) > when:
            raise error("stop")
        return images

    with pytest.raises(error, match="stop"):
        truth.randomization(method, model, x)
    assert len(calls) == when + 1 and new(trained, model.get_weights()) == set()


@pytest.mark.parametrize("times", [1, 3])
def test_a_second_interrupt_does_not_lose_the_weights(times, monkeypatch):
    """Ctrl+C while the weights are put back, again and again: half of them are back by then."""
    model, _, x, _ = shapes.build(shapes.fused)
    trained, put_back, presses = model.get_weights(), keras.Model.set_weights, []

    def interrupted(self, weights):
        if self is model and len(presses) < times:
            presses.append(1)
            put_back(self, [*weights[:4], *self.get_weights()[4:]])
            raise KeyboardInterrupt
        put_back(self, weights)

    calls = []

    def method(model, images):
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt("first")
        return images

    monkeypatch.setattr(keras.layers.Layer, "set_weights", interrupted)
    with pytest.raises(KeyboardInterrupt):
        truth.randomization(method, model, x)
    assert len(presses) == times and new(trained, model.get_weights()) == set()


def test_a_second_thread_waits_for_the_trained_weights():
    model, _, x, _ = shapes.build(shapes.fused)
    trained, kept, found = model.get_weights(), [], []

    def second():
        found.append(truth.randomization(remembers(kept), model, x))

    thread = threading.Thread(target=second)

    def first(model, images):
        if new(trained, model.get_weights()) and not thread.ident:
            thread.start()
            thread.join(0.5)  # as long as it would take without a lock; with it, this runs out
        return vizlib.logits(model, images)

    mine = truth.randomization(first, model, x)
    thread.join()
    assert new(trained, kept[0]) == new(trained, model.get_weights()) == set()
    np.testing.assert_array_equal(found[0].maps, mine.maps)


def test_a_method_may_itself_randomize():
    model, _, x, _ = shapes.build(shapes.fused)
    trained = model.get_weights()

    def nested(model, images):
        return truth.randomization(vizlib.logits, model, images).original

    assert truth.randomization(nested, model, x).maps.shape == (4, 3, 3)
    assert new(trained, model.get_weights()) == set()


# ---- how they become new -------------------------------------------------------------------------


class Scale(layers.Layer):
    """A layer with its own build and config."""

    def __init__(self, start, **kw):
        super().__init__(**kw)
        self.start = start

    def build(self, shape):
        self.factor = self.add_weight(
            name="factor", shape=(shape[-1],), initializer=keras.initializers.Constant(self.start)
        )
        self.shift = self.add_weight(name="shift", shape=(), initializer="zeros")

    def call(self, x):
        return x * self.factor + self.shift

    def get_config(self):
        return {**super().get_config(), "start": self.start}


def test_each_layer_draws_from_its_own_initializers():
    shared = layers.Dense(3, name="shared")
    x = inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(64, 3, kernel_initializer="he_normal", bias_initializer="ones", name="conv")(
        x
    )
    x = layers.BatchNormalization(name="bn")(x)
    x = layers.DepthwiseConv2D(
        3,
        depthwise_initializer=keras.initializers.RandomUniform(2, 3, seed=1),
        use_bias=False,
        name="depthwise",
    )(x)
    x = layers.Dropout(0.5)(layers.PReLU(name="prelu")(x))
    x = layers.Dense(3, kernel_initializer="ones", name="ones")(layers.GlobalAveragePooling2D()(x))
    x = Scale(2.5, name="scale")(shared(shared(x)))
    model = keras.Model(
        inputs,
        layers.Dense(2, kernel_initializer=keras.initializers.GlorotUniform(seed=4), name="out")(x),
    )
    model.set_weights([np.random.default_rng(0).uniform(5, 6, v.shape) for v in model.weights])
    kept = []
    found = truth.randomization(remembers(kept), model, x3)
    assert found.layers == ("out", "scale", "shared", "ones", "prelu", "depthwise", "bn", "conv")
    model.set_weights(kept[-1])
    weights = {layer.name: layer.get_weights() for layer in model.layers}
    model.set_weights(kept[0])
    kernel, bias = weights["conv"]
    assert (
        abs(kernel.mean()) < 0.05
        and kernel.std() == pytest.approx((2 / 27) ** 0.5, rel=0.1)
        and (bias == 1).all()
    )
    for value, want in zip(weights["bn"], (1, 0, 0, 1)):  # scale, shift, mean, variance
        assert (value == want).all()
    assert 2 <= weights["depthwise"][0].min() < 2.1 and 2.9 < weights["depthwise"][0].max() <= 3
    assert (
        not weights["prelu"][0].any()
        and (weights["ones"][0] == 1).all()
        and not weights["ones"][1].any()
    )
    assert (weights["scale"][0] == 2.5).all() and weights["scale"][1] == 0
    assert (
        0 < np.abs(weights["shared"][0]).max() <= 1
        and 0 < np.abs(weights["out"][0]).max() <= (6 / 5) ** 0.5
    )
    # a fixed seed of the layer would only give back the weights that training began with
    assert not np.array_equal(weights["out"][0], keras.initializers.GlorotUniform(seed=4)((3, 2)))


def test_layers_of_the_same_kind_get_different_weights():
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Flatten(),
            layers.Dense(4, name="a"),
            layers.Dense(4, name="b"),
            layers.Dense(4, name="c"),
        ]
    )
    kept = []
    truth.randomization(remembers(kept), model, x3)
    assert not np.array_equal(kept[-1][2], kept[-1][4])


def test_the_seed_decides_and_no_other_random_numbers_are_touched():
    model, _, x, _ = shapes.build(shapes.nested_twice)
    random.seed(1)
    np.random.seed(1)
    keras.utils.set_random_seed(1)
    before = random.getstate(), np.random.get_state()[1].copy(), keras.random.normal((3,)).numpy()
    keras.utils.set_random_seed(1)
    maps = [truth.randomization(vizlib.logits, model, x, seed=s).maps for s in (0, 0, 1)]
    assert random.getstate() == before[0] and np.array_equal(np.random.get_state()[1], before[1])
    np.testing.assert_array_equal(keras.random.normal((3,)).numpy(), before[2])
    np.testing.assert_array_equal(maps[0], maps[1])
    assert np.abs(maps[0] - maps[2]).max() > 1e-3


def test_nothing_is_left_on_the_model():
    model, _, x, _ = shapes.build(shapes.nested)
    vizlib.logits(model, x)
    before = [
        {k: id(v) for k, v in vars(layer).items()} for layer in (model, *model._flatten_layers())
    ]
    truth.randomization(vizlib.logits, model, x)
    assert [
        {k: id(v) for k, v in vars(layer).items()} for layer in (model, *model._flatten_layers())
    ] == before


class Told(layers.Layer):
    """A layer that cannot be told from its config."""

    def __init__(self, width):
        super().__init__(name="told")
        self.dense = self.add_weight(shape=(width,), name="w")

    def call(self, x):
        return x * self.dense


def test_what_cannot_be_made_new_gets_one_sentence():
    nothing = keras.Sequential([keras.Input((8, 8, 3)), layers.Flatten()], name="nothing")
    with pytest.raises(ValueError, match="'nothing' has no weights"):
        truth.randomization(vizlib.logits, nothing, x3)
    model = keras.Sequential([keras.Input((8, 8, 3)), layers.Flatten(), Told(192), layers.Dense(2)])
    stray = shapes.fused()
    stray.token = stray.add_weight(shape=(2,), name="token")
    with pytest.raises(ValueError, match="would stay as they are.*token"):
        truth.randomization(vizlib.logits, stray, x3)
    trained = model.get_weights()
    with pytest.raises(ValueError, match="'told'.*get_config"):
        truth.randomization(vizlib.logits, model, x3)
    assert new(trained, model.get_weights()) == set()


@pytest.mark.parametrize(
    "method, seed, says",
    [
        ("saliency", 0, "method is a function"),
        (None, 0, "method is a function"),
        (lambda m, x: None, 0, "one map for each of the 3 images.*object"),
        (lambda m, x: np.ones(()), 0, r"one map for each of the 3 images.*shape \(\)"),
        (lambda m, x: np.ones((2, 8, 8)), 0, "one map for each of the 3 images"),
        (lambda m, x: x * 1j, 0, "complex"),
        *((vizlib.logits, seed, "seed is a whole number") for seed in (-1, 1.5, None, "a", True)),
    ],
)
def test_bad_arguments_get_one_sentence(method, seed, says):
    model, _, x, _ = shapes.build(shapes.fused)
    trained = model.get_weights()
    with pytest.raises(ValueError, match=says):
        truth.randomization(method, model, x, seed=seed)
    assert new(trained, model.get_weights()) == set()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_no_numbers(value):
    model, w, x, _ = shapes.build(shapes.fused)
    model.set_weights([np.where(k == k.max(), value, k) if i == 2 else k for i, k in enumerate(w)])
    with pytest.raises(ValueError, match="'conv2/kernel' hold NaN"):
        truth.randomization(lambda m, x: x, model, x)


# ---- how alike two maps are ----------------------------------------------------------------------


def test_rank_correlation_is_spearmans():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 4, 6, 5))
    b[1] = -a[1]
    b[2] = np.exp(a[2])
    a[3], b[3] = rng.integers(0, 3, (2, 6, 5))  # many are equal
    found = truth.rank_correlation(a, b)
    np.testing.assert_allclose(
        found, [spearmanr(p.ravel(), q.ravel()).statistic for p, q in zip(a, b)]
    )
    np.testing.assert_allclose(found[1:3], [-1, 1])  # signs count
    assert np.isnan(truth.rank_correlation(np.ones_like(a), b)).all()


def test_similarity_by_hand():
    rng = np.random.default_rng(0)
    a = rng.random((1, 7, 7))
    a[0, 3, 3], b = 1.0, np.ones((1, 7, 7))
    np.testing.assert_allclose(truth.similarity(a, a), 1)
    np.testing.assert_allclose(
        truth.similarity(3 * a, 0.1 * a), 1
    )  # each is scaled by its own maximum
    # one window of 7 x 7: means 1 and m, variances 0 and v, no covariance;
    # C1 = 0.01 ** 2, C2 = 0.03 ** 2
    m, v = a.mean(), a.var(ddof=1)
    np.testing.assert_allclose(
        truth.similarity(a, b), (2 * m + 1e-4) / (m**2 + 1 + 1e-4) * 9e-4 / (v + 9e-4)
    )
    with pytest.raises(ValueError, match="negative values"):
        truth.similarity(a, -a)


@pytest.mark.parametrize(
    "grade", [truth.rank_correlation, truth.similarity], ids=lambda f: f.__name__
)
def test_grades_of_likeness(grade):
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 3, 9, 8, 3))
    found = grade(a, b)
    assert found.shape == (3,) and (np.abs(found) < 0.5).all()
    np.testing.assert_allclose(
        grade(np.abs(a).max(-1), np.abs(b).max(-1)), found
    )  # of channels the largest absolute value
    np.testing.assert_allclose(grade(-a, b), found)
    np.testing.assert_allclose(grade(a, a), 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        empty = np.concatenate([np.zeros_like(a[:1]), a[1:]])
        assert (
            np.isnan(grade(empty, b)).tolist()
            == np.isnan(grade(b, empty)).tolist()
            == [True, False, False]
        )


@pytest.mark.parametrize(
    "grade", [truth.rank_correlation, truth.similarity], ids=lambda f: f.__name__
)
@pytest.mark.parametrize(
    "other, says",
    [
        (np.ones((3, 9, 7)), "Give two arrays of maps of one shape"),
        (np.ones((9, 8)), "Give two arrays of maps of one shape"),
        (3.0, "Give two arrays of maps of one shape"),
        (True, "Give two arrays of maps of one shape"),
        (None, "real numbers, not object"),
        ("a", "real numbers, not <U1"),
        (np.ones((3, 9, 8)) * 1j, "real numbers, not complex"),
        (np.full((3, 9, 8), np.nan), "NaN"),
        (np.full((3, 9, 8), np.longdouble("1e400")), "infinite"),
        (TensorElsewhere(), "cannot be read as an array"),
    ],
)
def test_what_is_no_map_gets_one_sentence(grade, other, says):
    for pair in ((np.ones((3, 9, 8)), other), (other, np.ones((3, 9, 8)))):
        with pytest.raises(ValueError, match=says):
            grade(*pair)
    with pytest.raises(ValueError, match="Give two arrays of maps of one shape"):
        grade(np.ones((0, 9, 8)), np.ones((0, 9, 8)))


def test_ssim_needs_seven_positions_a_side():
    with pytest.raises(ValueError, match="7 x 7.*upsample"):
        truth.similarity(np.ones((1, 7, 6)), np.ones((1, 7, 6)))
    assert truth.rank_correlation(np.eye(2)[None], np.eye(2)[None]) == pytest.approx([1])


def test_huge_maps_are_compared_as_any():
    a, b = np.random.default_rng(0).random((2, 1, 8, 8))
    for grade in (truth.rank_correlation, truth.similarity):
        np.testing.assert_allclose(grade(a * 1e308, b * 1e-300), grade(a, b))

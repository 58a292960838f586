"""Ascent: closed forms on linear and quadratic models, every shape, and what it refuses."""

import keras
import numpy as np
import pytest
import shapes
import tensorflow as tf
from keras import layers

import vizlib
from vizlib import ascent

STILL = {"shift": 0, "turn": 0, "zoom": 1}
UNIT = {"bounds": (0, 1), **STILL}


def linear(channels=1, activation="sigmoid"):
    """One unit, and its weights (H, W, C)."""
    model = keras.Sequential(
        [keras.Input((6, 8, channels)), layers.Flatten(), layers.Dense(1, activation)]
    )
    w = np.random.default_rng(3).normal(size=(6, 8, channels))
    model.set_weights([w.reshape(-1, 1), np.zeros(1)])
    return model, w


def logit(x):
    return np.log(x / (1 - x))


# ---- closed forms --------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [1, 2, 4, 5])
def test_of_a_linear_model_a_step_without_weighting_is_its_weights(channels):
    model, w = linear(channels)
    grey = np.full((1, *w.shape), 0.5)
    x = vizlib.visualize(model, 1, start=grey, steps=1, step=0.3, power=0, **UNIT)
    np.testing.assert_allclose(logit(x[0]), 0.3 * w / np.sqrt((w**2).mean()), atol=1e-5)
    opposite = vizlib.visualize(model, 0, start=grey, steps=1, step=0.3, power=0, **UNIT)
    np.testing.assert_allclose(opposite, 1 - x, atol=1e-6)


def test_frequencies_and_colours_are_weighted():
    """By the definition of the Fourier transform, not by the fast one."""
    model, w = linear(3)
    h, width = w.shape[:2]
    (u, y), (v, x) = (np.mgrid[0:n, 0:n] for n in (h, width))
    rows, columns = np.exp(-2j * np.pi * u * y / h), np.exp(-2j * np.pi * v * x / width)
    near = [np.minimum(np.arange(n), n - np.arange(n)) / n for n in (h, width)]
    f = np.maximum(np.hypot(near[0][:, None], near[1]), 1 / 8)
    spectrum = np.einsum("uy,yxc,vx->uvc", rows, w, columns) / f[..., None] ** 1.2
    want = np.einsum("uy,uvc,vx->yxc", rows.conj(), spectrum, columns.conj()).real
    grey, red, green = want.mean(-1), want[..., 0] - want[..., 2], want @ [1, -2, 1]
    want = grey[..., None] + 0.15 * red[..., None] * [0.5, 0, -0.5]
    want += 0.06 * green[..., None] * np.array([1, -2, 1]) / 6
    x = vizlib.visualize(model, 1, start=np.full((1, *w.shape), 0.5), steps=1, power=0.6, **UNIT)
    np.testing.assert_allclose(logit(x[0]), 0.12 * want / np.sqrt((want**2).mean()), atol=2e-6)


def test_steps_shrink_evenly():
    model, w = linear()
    w[:] = np.sign(w)  # the gradient by z is s (1 - s) times the weights: of one size everywhere
    model.layers[-1].kernel.assign(w.reshape(-1, 1))
    x = vizlib.visualize(model, 1, start=np.full((1, *w.shape), 0.5), steps=4, power=0, **UNIT)
    np.testing.assert_allclose(logit(x[0]), 0.12 * (1 + 0.75 + 0.5 + 0.25) * w, atol=1e-5)


def test_a_quadratic_is_climbed_to_its_top():
    model = keras.Sequential([keras.Input((6, 8, 3)), layers.Conv2D(3, 1, name="same")])
    model.set_weights([np.eye(3)[None, None], np.zeros(3)])
    low, high = np.array([-2.0, 0.0, 10.0]), np.array([2.0, 1.0, 20.0])
    top = low + (high - low) * np.random.default_rng(5).uniform(0.2, 0.8, (6, 8, 3))

    def near(a):
        return -tf.reduce_sum(((a - top) / (high - low)) ** 2, (1, 2, 3))

    asked = {"layer": "same", "bounds": (low, high), "steps": 300, "step": 0.1, "power": 0.25}
    x = vizlib.visualize(model, near, **asked, **STILL)
    assert np.abs((x[0] - top) / (high - low)).max() < 0.01


@pytest.mark.parametrize("low, high", [(0, 1), (-1, 1), (0, 255), ((-3, 0, 1), (3, 9, 2))])
def test_an_image_does_not_depend_on_how_it_is_coded(low, high):
    """A model that scales its input back sees the same ascent, channel by channel."""
    low, high = (np.broadcast_to(np.float32(v), 3) for v in (low, high))
    span = high - low

    def scaled(x):
        return (x - low) / span

    core = linear(3)[0]
    x = inputs = keras.Input((6, 8, 3))
    model = keras.Model(
        inputs, core(layers.Rescaling((1 / span).tolist(), (-low / span).tolist())(x))
    )
    plain = vizlib.visualize(core, 1, bounds=(0, 1), steps=5)
    coded = vizlib.visualize(model, 1, bounds=(low, high), steps=5)
    np.testing.assert_allclose(scaled(coded), plain, atol=1e-4)


def test_the_gradient_is_moved_back(monkeypatch):
    """Of a model that looks at one pixel: what changes is the place that the pixel showed."""
    model = keras.Sequential([keras.Input((32, 32, 2)), layers.Flatten(), layers.Dense(1)])
    w = np.zeros((32, 32, 2))
    w[12, 20, 0] = 1
    model.set_weights([w.reshape(-1, 1), np.zeros(1)])
    rows, columns = np.mgrid[:32, :32]
    start = 0.1 + 0.025 * np.stack([rows, columns], -1)[None]  # each pixel says where it is
    views, backward = [], ascent.engine.backward

    def watched(model, images, **options):
        views.append(images)
        return backward(model, images, **options)

    monkeypatch.setattr(ascent.engine, "backward", watched)
    options = {"bounds": (0, 1), "power": 0, "steps": 1, "shift": 5, "turn": 30, "zoom": 1.3}
    for seed in range(4):
        x = vizlib.visualize(model, 1, start=start, seed=seed, **options)
        changed = (logit(x) - logit(start))[0, :, :, 0]
        shown = (views[-1][0, 12, 20] - 0.1) / 0.025
        assert np.abs(shown - (12, 20)).max() > 2  # it was moved
        place = [(changed * axis).sum() / changed.sum() for axis in (rows, columns)]
        np.testing.assert_allclose(place, shown, atol=0.3)


def test_log_odds_by_hand():
    """Of three classes that see a pixel each: up with one, down with the likelier of the others."""
    model = keras.Sequential([keras.Input((1, 3, 1)), layers.Flatten(), layers.Softmax()])
    start = np.array([0.5, 0.6, 0.3]).reshape(1, 1, 3, 1)
    options = {"start": start, "steps": 1, "step": 1, "power": 0, **UNIT}
    p = np.exp([0.6, 0.3]) / np.exp([0.6, 0.3]).sum()
    g = np.array([1, -p[0], -p[1]]) * [0.25, 0.24, 0.21]
    moved = logit(vizlib.visualize(model, 0, **options)) - logit(start)
    np.testing.assert_allclose(moved.ravel(), g / np.sqrt((g**2).mean()), atol=1e-5)
    moved = logit(vizlib.visualize(model, 0, score="logit", **options)) - logit(start)
    np.testing.assert_allclose(moved.ravel(), [3**0.5, 0, 0], atol=1e-5)


# ---- every model ---------------------------------------------------------------------------------


def test_every_model_shape(case):
    model, _, images, last = case
    options = {"start": images, "bounds": (-9, 9), "shift": 1, "turn": 5, "zoom": 1.1}

    def odds(x):  # of class 1
        z = vizlib.logits(model, x)
        one = z.shape[1] == 1 or model.layers[-1].get_config().get("activation") == "sigmoid"
        return z[:, -1 if z.shape[1] == 1 else 1] - (0 if one else np.logaddexp(z[:, 0], z[:, 2]))

    ways = (
        ({"target": 1}, odds),
        (
            {"layer": last, "unit": 2},
            lambda x: vizlib.activations(model, x, last)[..., 2].max((1, 2)),
        ),
    )
    for asked, reached in ways:
        x = vizlib.visualize(model, **asked, steps=24, **options)
        assert x.shape == images.shape and x.dtype == np.float32 and np.abs(x).max() <= 9
        assert (reached(x) > reached(images)).all(), asked
    alone = {**options, "start": None, "size": None if vizlib.engine.input_shape(model) else 8}
    noise, x = (vizlib.visualize(model, 1, step=s, **alone) for s in (0, 0.12))
    assert x.shape == (1, *images.shape[1:]) and odds(x) > odds(noise)


def test_a_start_of_several_is_each_on_its_own():
    model, _, images, _ = shapes.build(shapes.fused)
    options = {"bounds": (-9, 9), "steps": 3, "shift": 1}
    together = vizlib.visualize(model, [0, 1, 2], start=images, batch_size=2, **options)
    for k in range(3):
        alone = vizlib.visualize(model, k, start=images[k : k + 1], **options)
        np.testing.assert_allclose(alone[0], together[k], atol=1e-3)


def test_any_size_where_the_model_allows():
    model = keras.Sequential(
        [
            keras.Input((None, None, 3)),
            layers.Conv2D(4, 3, name="conv"),
            layers.GlobalMaxPooling2D(),
        ]
    )
    assert vizlib.visualize(
        model, layer="conv", unit=1, size=(9, 14), steps=2, bounds=(0, 1)
    ).shape == (1, 9, 14, 3)
    with pytest.raises(ValueError, match="any size: say which, as in size=224"):
        vizlib.visualize(model, layer="conv", unit=1, bounds=(0, 1))


def test_seeds():
    model = shapes.build(shapes.fused)[0]
    images = [vizlib.visualize(model, 1, bounds=(-9, 9), steps=3, seed=s) for s in (0, 0, 1)]
    np.testing.assert_array_equal(images[0], images[1])
    assert np.abs(images[0] - images[2]).max() > 1e-3


def test_progress(capsys):
    vizlib.visualize(linear()[0], 1, steps=3, progress=True, **UNIT)
    assert "3/3" in capsys.readouterr().err


# ---- silent units --------------------------------------------------------------------------------


def gated(bias, activation="relu"):
    """A unit that sees the mean of an image less a bias."""
    model = keras.Sequential(
        [keras.Input((4, 4, 1)), layers.Conv2D(1, 4, activation=activation, name="unit")]
    )
    model.set_weights([np.full((4, 4, 1, 1), 1 / 16), np.array([-bias])])
    return model


def test_a_silent_unit_is_woken():
    model = gated(0.7)
    assert not vizlib.gradient(model, np.full((1, 4, 4, 1), 0.5), layer="unit", unit=0).any()
    x = vizlib.visualize(model, layer="unit", unit=0, **UNIT)
    assert vizlib.activations(model, x, "unit").max() > 0.1


@pytest.mark.parametrize("activation", ["relu", keras.activations.hard_tanh])
def test_a_unit_that_nothing_wakes_is_refused(activation):
    with pytest.raises(ValueError, match="no gradient to the pixels, and no step woke it"):
        vizlib.visualize(gated(1e3, activation), layer="unit", unit=0, steps=5, **UNIT)


# ---- bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given, says",
    [
        ({"target": None}, "Name what to look for"),
        ({"target": None, "layer": "conv1"}, "Name what to look for"),
        ({"target": None, "unit": 0}, "Name either a target, or a layer and a unit"),
        ({"layer": "conv1"}, "Name either a target, or a layer and a unit"),
        ({"layer": "conv1", "unit": 0}, "Name either a target, or a layer and a unit"),
        ({"target": 3}, "from 0 to 2"),
        ({"target": lambda z: z}, r"shape \(N,\)"),
        ({"target": lambda z: tf.zeros(1)}, "does not depend"),
        ({"target": None, "layer": "conv", "unit": 0}, "conv1"),
        ({"target": None, "layer": "conv1", "unit": 4}, "channel below 4"),
        ({"bounds": 1}, "bounds is a pair"),
        ({"bounds": (1, 0)}, "outside the bounds"),
        ({"bounds": (0, np.nan)}, "high holds NaN"),
        ({"start": np.full((1, 8, 8, 3), 2.0)}, "outside the bounds"),
        ({"start": np.zeros((8, 8, 3))}, r"images\[None\]"),
        ({"start": np.zeros((1, 8, 8, 3), "uint8")}, "preprocess"),
        ({"size": 9}, "takes images of shape"),
        ({"size": 0}, "size is a whole number"),
        ({"score": "log"}, "score is one of"),
        *(({"steps": bad}, "steps is a whole number") for bad in (0, 2.0, None, 2**70)),
        *(({"seed": bad}, "seed is a whole number") for bad in (-1, 2.0, None)),
        *(({"batch_size": bad}, "batch_size is a whole number") for bad in (0, 2.0)),
        *(({name: -1}, "numbers from 0 to 1000") for name in ("step", "power", "shift", "turn")),
        *(({"power": bad}, "power from 0 to 2") for bad in (2.1, 1e9)),
        *(({"zoom": bad}, "zoom from 1 to 1000") for bad in (0.9, 0, -2)),
        ({"step": np.nan}, "NaN"),
        ({"shift": "far"}, "must be real numbers"),
        ({"turn": None}, "must be real numbers"),
    ],
)  # fmt: skip
def test_bad_arguments(given, says):
    model = shapes.build(shapes.fused)[0]
    with pytest.raises(ValueError, match=says):
        vizlib.visualize(model, **{"target": 0, "bounds": (0, 1), "steps": 1, **given})


def test_what_has_no_gradient_or_no_logits_says_so():
    whole = keras.Sequential(
        [keras.Input((4, 4, 3), dtype="uint8"), layers.Flatten(), layers.Dense(2)]
    )
    with pytest.raises(ValueError, match="whole numbers"):
        vizlib.visualize(whole, 0, bounds=(0, 255), steps=1)
    model = keras.Sequential([keras.Input((4, 4, 3)), layers.Flatten(), layers.Dense(2, "tanh")])
    with pytest.raises(ValueError, match="no logit that could be told"):
        vizlib.visualize(model, 0, bounds=(0, 1), steps=1)
    assert vizlib.visualize(model, 0, score="output", bounds=(0, 1), steps=1).shape == (1, 4, 4, 3)
    two = keras.Model(both := [keras.Input((4, 4, 3)), keras.Input((4, 4, 3))], layers.Add()(both))
    with pytest.raises(ValueError, match="2 inputs"):
        vizlib.visualize(two, 0, bounds=(0, 1))
    with pytest.raises(ValueError, match=r"give net\.model"):
        vizlib.visualize(vizlib.load("pocket", weights="random"), 0, bounds=(0, 1))


def test_a_function_of_a_layer_is_one_of_its_values():
    """The engine differentiates it as it does a unit, in every rule."""
    model, _, images, last = shapes.build(shapes.relu_layers)
    for relu in ("plain", "guided", "deconvnet"):
        of_unit = vizlib.gradient(model, images, layer=last, unit=(1, 2, 3), relu=relu)
        by_function = vizlib.gradient(
            model, images, lambda a: a[:, 1, 2, 3], layer=last, relu=relu, batch_size=2
        )
        np.testing.assert_allclose(by_function, of_unit, atol=1e-6)
    squares = vizlib.gradient(model, images, lambda a: tf.reduce_sum(a**2, (1, 2, 3)), layer=last)
    a = vizlib.activations(model, images, last)
    total = sum(
        2 * a[:, y, x, k, None, None, None]
        * vizlib.gradient(model, images, layer=last, unit=(y, x, k))
        for y, x, k in np.ndindex(a.shape[1:])
    )  # fmt: skip
    np.testing.assert_allclose(squares, total, atol=1e-4)


def test_weights_of_the_lowest_frequencies():
    assert ascent._weights(4, 4, 0.5)[:, :, 0].round(3).tolist()[0] == [4, 4, 2]

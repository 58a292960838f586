"""Saliency and its averages: closed forms, every model shape against NumPy, GrabCut on a disc."""

import keras
import numpy as np
import pytest
import shapes
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers

import vizlib
from vizlib.gradients import residual


@pytest.fixture(scope="module", params=shapes.SHAPES, ids=lambda f: f.__name__)
def case(request):
    return shapes.build(request.param)


@pytest.fixture(scope="module")
def linear():
    """A classifier whose logits weigh the pixels, and the weights of each class, (K, H, W, C)."""
    model = keras.Sequential(
        [keras.Input((8, 8, 3)), layers.Flatten(), layers.Dense(4, activation="softmax")]
    )
    kernel, bias = (np.random.default_rng(7).normal(size=v.shape) for v in model.weights)
    model.set_weights([kernel, bias])
    return model, kernel.T.reshape(4, 8, 8, 3)


def close(a, b, tolerance=1e-4):
    assert a.shape == b.shape and a.dtype == np.float32
    np.testing.assert_allclose(a, b, atol=tolerance * np.abs(b).max())


x3 = shapes.pictures()


# ---- closed forms --------------------------------------------------------------------------------


def test_of_a_linear_classifier_saliency_is_the_largest_weight(linear):
    model, w = linear
    close(vizlib.saliency(model, x3, [2, 0, 2]), np.abs(w).max(-1)[[2, 0, 2]], 1e-6)


def test_of_a_linear_classifier_smoothgrad_is_the_weight(linear):
    model, w = linear
    close(vizlib.smoothgrad(model, x3, 1, samples=7), np.stack([w[1]] * 3), 1e-6)


@pytest.mark.parametrize(
    "baseline",
    [None, 0.5, (1.0, 2.0, 3.0), shapes.pictures(seed=9)[0]],
    ids=["zero", "number", "colour", "picture"],
)
def test_of_a_linear_classifier_integrated_gradients_are_weight_times_way(linear, baseline):
    model, w = linear
    way = x3 - np.broadcast_to(0 if baseline is None else baseline, (8, 8, 3))
    found = vizlib.integrated_gradients(model, x3, 3, baseline=baseline, steps=2)
    close(found, way * w[3], 1e-6)
    assert np.abs(residual(model, x3, found, 3, baseline=baseline)).max() < 1e-4


def test_the_residual_is_the_sum_minus_the_difference_of_scores(linear):
    model, _ = linear
    z, p = vizlib.logits(model, x3), vizlib.probabilities(model, x3)
    z0, p0 = (
        vizlib.logits(model, np.full((1, 8, 8, 3), 0.5)),
        vizlib.probabilities(model, np.full((1, 8, 8, 3), 0.5)),
    )
    maps, own, n = np.random.default_rng(0).normal(size=x3.shape), z.argmax(1), np.arange(3)
    given = {"baseline": 0.5, "batch_size": 2}
    total = maps.sum((1, 2, 3))
    np.testing.assert_allclose(
        residual(model, x3, maps, **given), total - (z[n, own] - z0[0, own]), rtol=1e-5, atol=1e-4
    )
    np.testing.assert_allclose(
        residual(model, x3, maps, [0, 1, 2], score="probability", **given),
        total - (p[n, n] - p0[0, n]),
        rtol=1e-5,
        atol=1e-5,
    )
    np.testing.assert_allclose(
        residual(model, x3, maps, lambda z: z[:, 0] - z[:, 1], **given),
        total - (z[:, 0] - z[:, 1] - z0[0, 0] + z0[0, 1]),
        rtol=1e-5,
        atol=1e-4,
    )


# ---- every model shape against NumPy -------------------------------------------------------------


def test_saliency(case):
    model, w, x, _ = case
    close(
        vizlib.saliency(model, x),
        np.abs(shapes.backward(x, w, shapes.predicted(model, x, w), "plain")).max(-1),
    )


def test_saliency_of_a_unit(case):
    model, w, x, last = case
    seed = np.zeros((len(x), 4, 4, 5))
    seed[:, 1, 2, 3] = 1
    close(
        vizlib.saliency(model, x, layer=last, unit=(1, 2, 3)),
        np.abs(shapes.backward_map(seed, x, w, "plain")).max(-1),
    )


def test_smoothgrad(case):
    model, w, x, _ = case
    rng, seed = np.random.default_rng(4), shapes.predicted(model, x, w)
    noise = np.repeat(rng.standard_normal((3, *x.shape[1:]), "float32"), 2, 0)[:5] * np.reshape(
        [1, -1, 1, -1, 1], (5, 1, 1, 1)
    )
    spread = 0.3 * (x.max((1, 2, 3)) - x.min((1, 2, 3)))[:, None, None, None]
    want = np.mean([shapes.backward(x + spread * e, w, seed, "plain") for e in noise], 0)
    close(vizlib.smoothgrad(model, x, samples=5, noise=0.3, seed=4), want)


def test_integrated_gradients(case):
    model, w, x, _ = case
    seed = shapes.predicted(model, x, w)
    want = (x - 0.5) * np.mean(
        [shapes.backward(0.5 + (k + 0.5) / 6 * (x - 0.5), w, seed, "plain") for k in range(6)], 0
    )
    close(vizlib.integrated_gradients(model, x, baseline=0.5, steps=6), want)


def test_completeness_falls_with_the_steps(case):
    model, w, x, _ = case
    single = shapes.forward(x, w)[0].shape[1] == 1
    number = single and model.layers[-1].activation is keras.activations.linear
    for score in ("logit", "output" if number else "probability"):
        maps = (vizlib.integrated_gradients(model, x, steps=n, score=score) for n in (4, 256))
        few, many = (np.abs(residual(model, x, m, score=score)).mean() for m in maps)
        scale = np.abs(vizlib.engine.forward(model, x, score=score)).max()
        assert many < 0.2 * few and many < 0.01 * scale, (score, few, many)


# ---- what may change a result, and what may not --------------------------------------------------


@pytest.mark.parametrize(
    "method",
    [vizlib.saliency, vizlib.smoothgrad, vizlib.integrated_gradients],
    ids=lambda f: f.__name__,
)
def test_neither_batch_size_nor_the_other_images_change_a_map(method):
    model, _, x, _ = shapes.build(shapes.fused)
    x = np.array([1, 3, 0.2], "float32")[:, None, None, None] * x  # of different ranges
    want = method(model, x)
    for size in (1, 7):
        np.testing.assert_allclose(method(model, x, batch_size=size), want, rtol=1e-5, atol=1e-6)
    for i in range(3):
        np.testing.assert_allclose(method(model, x[i : i + 1])[0], want[i], rtol=1e-5, atol=1e-6)


def test_smoothgrad_without_noise_is_the_gradient_and_the_seed_is_the_noise():
    model, _, x, _ = shapes.build(shapes.fused)
    np.testing.assert_allclose(
        vizlib.smoothgrad(model, x, samples=3, noise=0),
        vizlib.gradient(model, x),
        rtol=1e-5,
        atol=1e-6,
    )
    maps = [vizlib.smoothgrad(model, x, samples=3, seed=s) for s in (0, 0, 1)]
    assert np.array_equal(maps[0], maps[1]) and np.abs(maps[0] - maps[2]).max() > 1e-3


def test_without_a_target_it_is_the_class_of_the_clean_picture():
    model, w, x, _ = shapes.build(shapes.fused)
    model.set_weights([*w[:-1], w[-1] - shapes.forward(x, w)[0].mean(0)])  # no class is far ahead
    own = vizlib.logits(model, x).argmax(1)
    noise = np.random.default_rng(0).standard_normal((6, *x.shape[1:]), "float32")
    for other in (x[0] + 0.5 * np.ptp(x[0]) * noise, x[:1] + 9):
        assert set(vizlib.logits(model, other).argmax(1)) != {
            own[0]
        }  # there the arg-max is another
    for method, options in (
        (vizlib.smoothgrad, {"samples": 6, "noise": 0.5}),
        (vizlib.integrated_gradients, {"steps": 6, "baseline": x[0] + 9}),
    ):
        np.testing.assert_array_equal(method(model, x, **options), method(model, x, own, **options))


@pytest.mark.parametrize(
    "method", [vizlib.smoothgrad, vizlib.integrated_gradients], ids=lambda f: f.__name__
)
def test_a_function_of_the_logits_and_the_probability(method):
    model, _, x, _ = shapes.build(shapes.fused)
    parts = [method(model, x, k) for k in (0, 1)]
    np.testing.assert_allclose(
        method(model, x, lambda z: z[:, 0] - 2 * z[:, 1]),
        parts[0] - 2 * parts[1],
        rtol=1e-5,
        atol=1e-5,
    )
    probability = method(model, x, 1, score="probability")
    np.testing.assert_allclose(
        probability, method(model, x, lambda z: tf.nn.softmax(z)[:, 1]), rtol=1e-5, atol=1e-5
    )
    assert np.abs(probability - parts[1]).max() > 1e-3


def test_maps_do_not_change_the_images_that_they_are_of():
    model, _, x, _ = shapes.build(shapes.fused)
    before = x.copy()
    vizlib.smoothgrad(model, x, samples=2)
    vizlib.integrated_gradients(model, x, steps=2)
    np.testing.assert_array_equal(x, before)


def test_other_classes_samples_and_steps_do_not_retrace():
    model, _, x, _ = shapes.build(shapes.fused)
    calls = []
    inner, plain = model.get_layer("conv1"), model.get_layer("conv1").call
    inner.__dict__["call"] = lambda *a, **k: calls.append(1) or plain(*a, **k)
    vizlib.smoothgrad(model, x, 0, samples=3)
    traced = len(calls)
    vizlib.smoothgrad(model, x, 1, samples=5, noise=0.4, seed=2, batch_size=2)
    vizlib.integrated_gradients(model, x, baseline=1.0, steps=5, batch_size=3)
    vizlib.saliency(model, x, [0, 1, 2])
    assert len(calls) == traced > 0


def test_a_bar_counts_the_batches(capfd):
    model, _, x, _ = shapes.build(shapes.fused)
    vizlib.smoothgrad(model, x, samples=5, batch_size=2, progress=True)
    assert "3/3" in capfd.readouterr().err


@pytest.mark.parametrize(
    "method, given, says",
    [
        (vizlib.smoothgrad, {"samples": 0}, "samples is a whole number"),
        (vizlib.smoothgrad, {"samples": 2.0}, "samples is a whole number"),
        (vizlib.smoothgrad, {"noise": -0.1}, "noise is a share"),
        (vizlib.smoothgrad, {"noise": np.nan}, "noise is a share"),
        (
            vizlib.smoothgrad,
            {"noise": np.eye(3)},
            r"noise is a share.* not array\(\[\[1\., .*\)\.$",
        ),
        (vizlib.smoothgrad, {"samples": 2**70}, "samples is a whole number from 1 to 1000000"),
        (vizlib.integrated_gradients, {"steps": 0}, "steps is a whole number"),
        (
            vizlib.integrated_gradients,
            {"baseline": np.zeros((8, 8))},
            "baseline is a number, a colour",
        ),
        (vizlib.integrated_gradients, {"baseline": "black"}, "baseline is a number.*'black'"),
        (vizlib.integrated_gradients, {"baseline": np.nan}, "NaN"),
        *[
            (f, {"target": 3}, "0 to 2")
            for f in (vizlib.saliency, vizlib.smoothgrad, vizlib.integrated_gradients)
        ],
        *[
            (f, {"score": "loss"}, "'logit'")
            for f in (vizlib.saliency, vizlib.smoothgrad, vizlib.integrated_gradients)
        ],
        *[
            (f, {"batch_size": 0}, "batch_size")
            for f in (vizlib.saliency, vizlib.smoothgrad, vizlib.integrated_gradients)
        ],
        *[
            (f, {"batch_size": 0, "target": lambda z: z[:, 0]}, "batch_size")
            for f in (vizlib.smoothgrad, vizlib.integrated_gradients)
        ],
    ],
)
def test_bad_arguments(method, given, says):
    with pytest.raises(ValueError, match=says):
        method(shapes.build(shapes.fused)[0], x3, **given)


@pytest.mark.parametrize(
    "maps, says",
    [
        (x3 * np.nan, "maps hold NaN"),
        (x3 + np.inf, "maps hold NaN or infinite"),
        (x3 * np.float64(1e300), "maps hold numbers beyond 1e38: divide them"),
        (x3 * 1j, "maps must be real numbers, not complex64"),
        ("maps", "maps must be real numbers"),
        (None, "maps must be real numbers"),
        ([[1], [1, 2]], "maps cannot be read as an array"),
        *[
            (wrong, r"maps have the shape of the images, \(3, 8, 8, 3\), not \(")
            for wrong in (x3[0], x3[:1], x3[..., 0], x3[..., :1], 3.0)
        ],
    ],
)
def test_the_residual_of_what_are_no_maps(maps, says):
    with pytest.raises(ValueError, match=says):
        residual(shapes.build(shapes.fused)[0], x3, maps, 0)


def test_bad_images():
    model = shapes.build(shapes.fused)[0]
    for method in (vizlib.saliency, vizlib.smoothgrad, vizlib.integrated_gradients):
        for images, says in ((x3.astype("uint8"), "net.preprocess"), (x3[0], r"images\[None\]")):
            with pytest.raises(ValueError, match=says):
                method(model, images)


# ---- segmentation --------------------------------------------------------------------------------


def disc(size=64, row=30, column=34, radius=14):
    """A red disc on grass, where it is, and a map that is high in its middle and low far away."""
    rng = np.random.default_rng(0)
    off = np.hypot(*(np.indices((size, size)) - np.array([row, column])[:, None, None]))
    inside = off <= radius
    picture = np.where(inside[..., None], (200, 30, 40), (40, 150, 60)) + rng.normal(
        0, 8, (size, size, 3)
    )
    return (
        np.clip(picture, 0, 255).astype("uint8"),
        inside,
        np.exp(-((off / radius) ** 2)) + 0.05 * rng.random((size, size)),
    )


def overlap(a, b):
    return (a & b).sum() / (a | b).sum()


@settings(deadline=None, max_examples=10)
@given(st.integers(20, 44), st.integers(20, 44), st.integers(10, 16))
def test_a_disc_is_cut_out(row, column, radius):
    picture, inside, level = disc(row=row, column=column, radius=radius)
    cut = vizlib.segment(picture, level)
    assert cut.shape == (64, 64) and cut.dtype == bool and overlap(cut, inside) > 0.95
    np.testing.assert_array_equal(
        vizlib.segment(picture, 7 * level), cut
    )  # only the order of the values counts


def test_segmenting_twice_gives_the_same_and_changes_nothing():
    picture, _, level = disc()
    before = picture.copy(), level.copy()
    np.testing.assert_array_equal(
        vizlib.segment(picture, level), vizlib.segment(picture[:, ::-1][:, ::-1], level)
    )
    np.testing.assert_array_equal(picture, before[0])
    np.testing.assert_array_equal(level, before[1])


def test_a_map_that_is_zero_over_most_of_the_picture_is_enough():
    picture, inside, level = disc()
    assert overlap(vizlib.segment(picture, np.where(level > 0.5, level, 0)), inside) > 0.95


@pytest.mark.parametrize(
    "picture, level, given, says",
    [
        (disc()[0] / 255, disc()[2], {}, "uint8 picture"),
        (disc()[0][..., 0], disc()[2], {}, "uint8 picture"),
        (disc()[0], disc()[2][1:], {}, "of its size"),
        (disc()[0], disc()[2][..., None], {}, "of its size"),
        (disc()[0], np.zeros((64, 64)), {}, "no object to start from"),
        (disc()[0], np.ones((64, 64)), {}, "no object to start from"),
        (disc()[0], np.full((64, 64), np.nan), {}, "NaN"),
        (disc()[0], disc()[2], {"low": 0.9, "high": 0.3}, "quantiles"),
        (disc()[0], disc()[2], {"rounds": 0}, "rounds is a whole number"),
    ],
    ids=["float", "grey", "rows", "channels", "zero", "one", "nan", "quantiles", "rounds"],
)  # fmt: skip
def test_what_cannot_be_segmented_gets_one_sentence(picture, level, given, says):
    with pytest.raises(ValueError, match=says):
        vizlib.segment(picture, level, **given)

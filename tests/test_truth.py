"""Grades of maps, on masks small enough to work by hand; curves of networks that can be written."""

import array

import keras
import numpy as np
import pytest
import shapes
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.filters import gaussian
from strangers import TensorElsewhere

import vizlib
from vizlib import truth

MASK = np.array(
    [[[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]], bool
)  # a quarter of the picture


def spot(row, column, shape=(4, 4)):
    values = np.zeros((1, *shape))
    values[0, row, column] = 3.0
    return values


def test_mass_by_hand():
    assert truth.mass_inside(np.ones((1, 4, 4)), MASK) == [1.0]  # chance
    assert truth.mass_inside(spot(0, 1), MASK) == [4.0]  # all of it in a quarter
    assert truth.mass_inside(spot(3, 3), MASK) == [0.0]
    assert truth.mass_inside(spot(0, 1) + spot(3, 3), MASK) == [2.0]
    assert truth.mass_inside(spot(0, 1) - spot(3, 3), MASK) == [4.0]  # negative counts as nothing
    channels = np.stack(
        [spot(0, 1), -2 * spot(3, 3)], -1
    )  # ... but of channels the largest absolute value
    assert truth.mass_inside(channels, MASK) == pytest.approx([4 / 3])


def test_a_coarse_map_is_graded_by_the_share_of_each_place():
    coarse = np.array([[[1.0, 0.0], [0.0, 1.0]]])
    assert truth.mass_inside(coarse, MASK) == [2.0]
    half = np.zeros((1, 4, 4), bool)
    half[0, 0, :2] = True  # half of the upper left place, an eighth of the picture
    assert truth.mass_inside(coarse, half) == pytest.approx([0.25 / 0.125])
    assert truth.pointing_game(coarse[:, :, ::-1], MASK) == [0.0]


def test_pointing_by_hand():
    assert truth.pointing_game(spot(1, 1), MASK) == [1.0]
    assert truth.pointing_game(spot(2, 1), MASK) == [0.0]
    assert truth.pointing_game(spot(2, 1), MASK, tolerance=1) == [1.0]
    assert truth.pointing_game(spot(3, 3), MASK, tolerance=1) == [0.0]
    assert truth.pointing_game(spot(1, 1) + spot(3, 3), MASK) == [
        0.5
    ]  # two maxima, one of them inside
    assert truth.pointing_game(spot(1, 1), np.zeros_like(MASK)) == [0.0]


def test_grid_pointing_by_hand():
    maps = np.zeros((3, 4, 6))
    maps[:, 0, 0], maps[:, 3, 5], maps[:, 1, 4] = 1, 2, -5  # negative counts as nothing
    np.testing.assert_allclose(truth.grid_pointing(maps, [0, 3, 1]), [1 / 3, 2 / 3, 0])
    np.testing.assert_allclose(truth.grid_pointing(maps, [0, 5, 8], grid=(3, 3)), [1 / 3, 0, 2 / 3])
    channels = np.stack([maps, -maps], -1)  # of channels the largest absolute value
    np.testing.assert_allclose(truth.grid_pointing(channels, [1, 1, 1]), [5 / 8] * 3)
    assert np.isnan(truth.grid_pointing(np.zeros((1, 4, 4)), [0]))


@given(size=st.tuples(*[st.integers(1, 9)] * 2), grid=st.tuples(*[st.integers(1, 4)] * 2))
def test_grid_pointing_of_a_map_that_knows_nothing_is_chance(size, grid):
    """Also where cells end within a position."""
    count = grid[0] * grid[1]
    shares = truth.grid_pointing(np.ones((count, *size)), np.arange(count), grid=grid)
    np.testing.assert_allclose(shares, 1 / count)


@pytest.mark.parametrize(
    "cells, grid, says",
    [
        ([4], (2, 2), "from 0 to 3"),
        ([-1], (2, 2), "from 0 to 3"),
        ([0, 0], (2, 2), "one for each of the 1 maps"),
        ([0.0], (2, 2), "cells are numbers"),
        ([0], 0, "grid is a whole number"),
    ],
)
def test_bad_cells(cells, grid, says):
    with pytest.raises(ValueError, match=says):
        truth.grid_pointing(np.ones((1, 4, 4)), cells, grid=grid)


def test_evidence_by_hand():
    maps = np.arange(32.0).reshape(1, 4, 4, 2) - 15  # two channels
    want = maps[0].sum(-1).reshape(2, 2, 2, 2).mean((1, 3))
    np.testing.assert_allclose(truth.evidence(maps, 2)[0], np.maximum(want, 0))
    np.testing.assert_allclose(truth.evidence(-maps, 2)[0], np.maximum(-want, 0))
    np.testing.assert_allclose(truth.evidence(maps, 1)[0], [[max(0, 2 * maps.mean())]])
    np.testing.assert_array_equal(truth.evidence(maps, 4), np.maximum(maps.sum(-1), 0))


@given(size=st.integers(1, 9), grid=st.integers(1, 9))
def test_evidence_keeps_the_mean_where_nothing_is_negative(size, grid):
    """Also where cells end within a position."""
    maps = np.random.default_rng(size).random((2, size, size))
    if grid > size:
        with pytest.raises(ValueError, match="finer than maps"):
            truth.evidence(maps, grid)
    else:
        means = truth.evidence(maps, grid).mean((1, 2))
        np.testing.assert_allclose(means, maps.mean((1, 2)))


def test_what_cannot_be_graded_is_nan():
    for maps in (np.zeros((1, 4, 4)), -np.ones((1, 4, 4))):
        assert np.isnan(truth.mass_inside(maps, MASK)) and np.isnan(truth.pointing_game(maps, MASK))
    assert np.isnan(truth.mass_inside(np.ones((1, 4, 4)), np.zeros_like(MASK)))


@given(st.integers(0, 999))
def test_random_maps_are_at_chance_and_scale_does_not_matter(seed):
    rng = np.random.default_rng(seed)
    maps, masks = (
        rng.uniform(size=(400, 8, 8)),
        np.repeat(rng.uniform(size=(1, 8, 8)) < 0.4, 400, 0),
    )
    masks[:, 0, 0] = True
    assert truth.mass_inside(maps, masks).mean() == pytest.approx(1, abs=0.1)
    assert truth.pointing_game(maps, masks).mean() == pytest.approx(masks.mean(), abs=0.15)
    np.testing.assert_allclose(truth.mass_inside(7 * maps, masks), truth.mass_inside(maps, masks))


NO_MAPS = [
    (np.full((1, 4, 4), np.nan), "NaN"),
    (np.full((1, 4, 4), -np.inf), "NaN or infinite"),
    (np.full((1, 4, 4), np.longdouble("1e400")), "infinite"),
    (np.ones((1, 4, 4)) * 1j, "real numbers, not complex"),
    (np.full((1, 4, 4), "a"), "real numbers, not <U1"),
    (None, "real numbers, not object"),
    (TensorElsewhere(), "cannot be read as an array"),
    ([[1.0], [1.0, 2.0]], "cannot be read as an array"),
    (3.0, r"not \(\)"),
    (True, r"not \(\)"),
    (np.ones((4, 4)), r"not \(4, 4\)"),
    (np.ones((0, 4, 4)), r"not \(0, 4, 4\)"),
    (np.ones((1, 4, 4, 0)), r"not \(1, 4, 4, 0\)"),
]


@pytest.mark.parametrize(
    "maps, masks, says",
    [
        *((maps, MASK, says) for maps, says in NO_MAPS),
        (np.ones((1, 3, 4)), MASK, r"no multiple.*vizlib.upsample\(maps, \(4, 4\)\)"),
        (np.ones((1, 8, 8)), MASK, "no multiple.*vizlib.upsample"),
        (np.ones((2, 4, 4)), MASK, "one for each of the 2 maps"),
        (np.ones((1, 4, 4)), MASK.astype(int), "true and false"),
        (np.ones((1, 4, 4)), None, "true and false"),
        (np.ones((1, 4, 4)), TensorElsewhere(), "cannot be read as an array"),
        (np.ones((1, 4, 4)), MASK[0], "true and false"),
    ],
)
def test_bad_input_gets_one_sentence(maps, masks, says):
    for grade in (truth.mass_inside, truth.pointing_game):
        with pytest.raises(ValueError, match=says):
            grade(maps, masks)


@pytest.mark.parametrize("tolerance", [-1, 1.0, True, None, "1", np.array(1), np.nan], ids=repr)
def test_a_tolerance_is_a_whole_number(tolerance):
    with pytest.raises(ValueError, match="tolerance is a whole number of at least 0"):
        truth.pointing_game(np.ones((1, 4, 4)), MASK, tolerance=tolerance)


def test_what_the_sentence_about_sizes_says_works():
    maps = vizlib.upsample(np.ones((1, 3, 4)), (4, 4))
    assert truth.mass_inside(maps, MASK) == pytest.approx([1])


@pytest.mark.parametrize("scale", [1e-300, 1e300, 1.7e308])
def test_no_scale_is_too_large_or_too_small(scale):
    maps = (spot(0, 1) + spot(3, 3)) / 3 * scale
    assert truth.mass_inside(maps, MASK) == [2.0] and truth.pointing_game(maps, MASK) == [0.5]


# ---- deletion and insertion ----------------------------------------------------------------------


def linear(weights, bias=0.0):
    """Logit 0 is the sum of weights (H, W, C) times the image, plus a bias; 1 is its opposite."""
    x = keras.Input(weights.shape)
    model = keras.Model(x, keras.layers.Dense(2)(keras.layers.Flatten()(x)))
    model.set_weights([np.stack([weights.ravel(), -weights.ravel()], 1), np.array([bias, -bias])])
    return model


def ranked(rng, n=2, height=3, width=5, channels=2):
    """A linear network, images, maps without ties, and each image's parts in that order."""
    weights, x = (
        rng.normal(size=(height, width, channels)),
        rng.normal(size=(n, height, width, channels)).astype("float32"),
    )
    maps = (
        rng.permuted(np.tile(np.arange(height * width), (n, 1)), axis=1).reshape(n, height, width)
        - 7
    )
    sums = (weights * x).sum(-1).reshape(n, -1)
    return (
        linear(weights, 0.5),
        x,
        maps,
        np.take_along_axis(sums, np.argsort(-maps.reshape(n, -1), axis=1), 1),
    )


def test_curves_of_a_linear_network():
    model, x, maps, parts = ranked(np.random.default_rng(0))
    coming = 0.5 + np.concatenate(
        [np.zeros((2, 1)), parts.cumsum(1)], 1
    )  # pixel by pixel, on nothing
    going = (
        0.5 + parts.sum(1, keepdims=True) - np.concatenate([np.zeros((2, 1)), parts.cumsum(1)], 1)
    )
    for method, want in ((truth.insertion, coming), (truth.deletion, going)):
        for target, sign in (
            (0, 1),
            (1, -1),
            ([0, 1], np.array([[1], [-1]])),
            (lambda z: 3 * z[:, 0], 3),
        ):
            found = method(model, x, maps, target, steps=15, fill=0.0, score="logit")
            np.testing.assert_allclose(found.scores, sign * want, rtol=1e-5, atol=1e-5)
            np.testing.assert_allclose(found.share, np.arange(16) / 15)
            np.testing.assert_allclose(
                found.area(),
                (sign * (want[:, 1:] + want[:, :-1]) / 2).mean(1),
                rtol=1e-5,
                atol=1e-5,
            )
        few = method(model, x, maps, 0, steps=4, fill=0.0, score="logit")  # 3.75 pixels a step
        np.testing.assert_allclose(few.share, np.array([0, 4, 8, 11, 15]) / 15)
        np.testing.assert_allclose(few.scores, want[:, [0, 4, 8, 11, 15]], rtol=1e-5, atol=1e-5)


def test_area_by_hand():
    curve = truth.Curve(np.array([[1.0, 0.0, 0.0], [1.0, 1.0, 0.0]]), np.array([0, 0.25, 1]))
    np.testing.assert_allclose(curve.area(), [0.125, 0.625])


def test_a_detector_of_one_pixel():
    weights = np.zeros((4, 4, 1))
    weights[1, 2] = 1
    model, x = linear(weights), np.ones((1, 4, 4, 1))
    for good, step in (
        (spot(1, 2), 1),
        (-spot(1, 2), 16),
        (spot(0, 0), 7),
    ):  # first, last, and in its place row by row
        on = (np.arange(17) >= step)[None]
        np.testing.assert_array_equal(
            truth.insertion(model, x, good, 0, steps=16, fill=0.0, score="logit").scores, on
        )
        np.testing.assert_array_equal(
            truth.deletion(model, x, good, 0, steps=16, fill=0.0, score="logit").scores, ~on
        )


def test_equal_places_go_row_by_row():
    rng = np.random.default_rng(1)
    model, x, _, _ = ranked(
        rng, height=6, width=8
    )  # more than the 16 values that any sort leaves in their order
    rows, two = -np.arange(48).reshape(1, 6, 8).repeat(2, 0), rng.integers(0, 2, (2, 6, 8))
    for method in (truth.insertion, truth.deletion):
        for maps, order in (
            (np.zeros((2, 6, 8)), rows),
            (np.full((2, 1, 1), -3.0), rows),
            (two, 100 * two + rows),
            (two > 0, 100 * two + rows),
        ):
            found, want = (method(model, x, m, 0, steps=48).scores for m in (maps, order))
            np.testing.assert_array_equal(found, want)


@settings(max_examples=15, deadline=None, derandomize=True)
@given(st.integers(0, 999))
def test_positive_evidence_only_falls_and_the_true_order_is_best(seed):
    rng = np.random.default_rng(seed)
    weights, x = rng.uniform(size=(3, 4, 1)), rng.uniform(size=(2, 3, 4, 1)).astype("float32")
    model, own = linear(weights), (weights * x)[..., 0]
    options = dict(steps=int(rng.integers(1, 14)), fill=0.0, score="logit")
    for method, sign in ((truth.deletion, -1), (truth.insertion, 1)):
        best, other, worst = (
            sign * method(model, x, maps, 0, **options).area()
            for maps in (own, rng.normal(size=own.shape), -own)
        )
        assert (
            np.diff(sign * method(model, x, rng.normal(size=own.shape), 0, **options).scores)
            >= -1e-6
        ).all()
        assert (best >= other - 1e-5).all() and (other >= worst - 1e-5).all()


def test_going_by_a_map_is_coming_by_its_opposite_backwards():
    model, x, maps, _ = ranked(np.random.default_rng(2))
    going, coming = (
        truth.deletion(model, x, maps, fill="mean", steps=5),
        truth.insertion(model, x, -maps, fill="mean", steps=5),
    )
    np.testing.assert_allclose(going.scores, coming.scores[:, ::-1], rtol=1e-6)


@pytest.mark.parametrize("shape", shapes.SHAPES, ids=lambda f: f.__name__)
def test_both_ends_on_every_shape(shape):
    model, w, x, _ = shapes.build(shape)
    maps, z = vizlib.grad_cam(model, x), shapes.forward(x, w)[0]
    target = z.argmax(1) if z.shape[1] > 1 else (z[:, 0] > 0).astype(int)
    if shape is shapes.linear_one:  # a number, whatever its sign
        target[:] = 1
    blurred = np.stack([gaussian(picture, 0.8, channel_axis=-1, mode="nearest") for picture in x])
    flat = np.broadcast_to(x.mean((1, 2), keepdims=True), x.shape)
    for method, first, last in ((truth.deletion, x, flat), (truth.insertion, blurred, x)):
        found = method(model, x, maps, steps=4)
        assert found.scores.shape == (3, 5)
        ends = np.stack([logit(shapes.forward(end, w)[0], target) for end in (first, last)], 1)
        np.testing.assert_allclose(found.scores[:, [0, -1]], ends, rtol=1e-5, atol=1e-4)
        assert np.abs(ends[:, 0] - ends[:, 1]).max() > 1e-3


def logit(z, target):
    """Of each row's class; a single unit is that of class 1, and its negative that of class 0."""
    return z[range(len(z)), target] if z.shape[1] > 1 else np.where(target, z[:, 0], -z[:, 0])


def test_a_probability_if_asked_for():
    model, w, x, _ = shapes.build(shapes.fused)
    found = truth.deletion(model, x, np.zeros((3, 8, 8)), 2, steps=1, score="probability")
    z = shapes.forward(x, w)[0]
    np.testing.assert_allclose(
        found.scores[:, 0], np.exp(z[:, 2]) / np.exp(z).sum(1), rtol=1e-5, atol=1e-5
    )


def test_maps_of_other_sizes_batches_and_bars(capsys):
    model, _, x, _ = shapes.build(shapes.fused)
    maps = vizlib.grad_cam(model, x, relu=False)
    signed = np.random.default_rng(0).normal(size=(3, 4, 4, 2))
    for method in (truth.deletion, truth.insertion):
        want = method(model, x, vizlib.upsample(maps, 8), 1)
        np.testing.assert_array_equal(method(model, x, maps, 1).scores, want.scores)
        np.testing.assert_allclose(
            method(model, x, maps, 1, batch_size=7, progress=True).scores, want.scores, rtol=1e-5
        )
        assert "100%" in capsys.readouterr().err
        np.testing.assert_array_equal(
            method(model, x, signed, 1).scores, method(model, x, np.abs(signed).max(-1), 1).scores
        )


def counting(sizes):
    """A layer that gives what it takes, and notes how many images came at a time."""

    class Counts(keras.layers.Layer):
        def call(self, x):
            def count(value):
                sizes.append(len(value))
                return value

            return tf.ensure_shape(tf.numpy_function(count, [x], x.dtype), x.shape)

    return Counts()


def test_no_more_images_at_a_time_than_asked_for():
    inner, x, maps, _ = ranked(np.random.default_rng(0))
    sizes = array.array("i")  # into which no trace looks
    model = keras.Sequential([keras.Input(x.shape[1:]), counting(sizes), inner])
    truth.deletion(model, x, maps, 0, steps=9, batch_size=4)
    # ten of each; and one alone and beside two others, to see that these do not matter to it
    assert sorted(sizes) == [1, 2, 2, 3, 4, 4, 4, 4]
    del sizes[:]
    truth.deletion(model, x, maps, steps=9, batch_size=4)
    assert sorted(sizes) == [2, 2, 2, 4, 4, 4, 4]  # the whole images, too: which class?


@pytest.mark.parametrize(
    "options, says",
    [
        (dict(maps=np.zeros((1, 3, 5))), "one for each of the 2 images"),
        (dict(maps=np.zeros((3, 5))), r"not \(3, 5\)"),
        (dict(maps=np.zeros((2, 6, 5))), "no larger than 3 x 5"),
        (dict(maps=np.zeros((2, 3, 5, 0))), r"not \(2, 3, 5, 0\)"),
        (dict(maps=np.full((2, 3, 5), np.nan)), "NaN"),
        *((dict(maps=maps), says) for maps, says in NO_MAPS),
        *((dict(steps=bad), "steps is a whole number") for bad in (0, 2.0, "4", None, np.array(4))),
        (dict(steps=2**70), "steps is a whole number from 1 to 1000000"),
        (dict(batch_size=0), "batch_size"),
        (dict(fill="grey"), "'grey'"),
        (dict(fill=(1.0, 2.0, 3.0)), r"a colour \(2,\)"),
        (dict(score="loss"), "'loss'"),
        (dict(target=2), "from 0 to 1"),
        (dict(target=lambda z: z), r"shape \(N,\)"),
        (dict(images=np.zeros((2, 3, 5, 2), "uint8")), "net.preprocess"),
    ],
)
def test_bad_curves_get_one_sentence(options, says):
    model, x, maps, _ = ranked(np.random.default_rng(0))
    arguments = {"images": x, "maps": maps, **options}
    for method in (truth.deletion, truth.insertion):
        with pytest.raises(ValueError, match=says):
            method(model, **arguments)


def test_maps_that_float32_cannot_hold_are_only_an_order():
    model, x, maps, _ = ranked(np.random.default_rng(0), height=4, width=4)
    coarse = np.array([[[1.0, -2.0], [0.5, 3.0]]]).repeat(2, 0)
    want = truth.deletion(model, x, coarse, 0).scores
    np.testing.assert_array_equal(truth.deletion(model, x, coarse * 1e300, 0).scores, want)
    np.testing.assert_array_equal(
        truth.deletion(model, x, maps * 1e300, 0).scores,
        truth.deletion(model, x, maps, 0).scores,
    )

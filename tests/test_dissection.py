"""Dissection against numbers worked out by hand on layers that copy the picture."""

import keras
import numpy as np
import pytest
import shapes
from keras import layers

from vizlib import barnyard, dissection

dissect = dissection.dissect


def copying(side=4, channels=2, pool=1):
    """A layer that gives the image's channels, averaged over cells of `pool` pixels."""
    x = keras.Input((side, side, channels))
    y = layers.AveragePooling2D(pool, name="copy")(x)
    return keras.Model(x, layers.Dense(2)(layers.GlobalAveragePooling2D()(y)))


def by_hand():
    """Two pictures of 4 x 4; of 32 places four are strong (share 1/8)."""
    x, labels = np.zeros((2, 4, 4, 2), "float32"), np.zeros((2, 4, 4), int)
    labels[0, :2, :2] = 1
    labels[1, 3] = 2
    for value, place in zip(
        (9, 8, 7, 6, 5), ((0, 0, 0), (0, 0, 1), (1, 3, 0), (0, 2, 2), (1, 1, 1))
    ):
        x[(*place, 0)] = (
            value  # two on label 1, one on label 2, one on nothing; the fifth is not strong
        )
    x[1, 3, :, 1] = 1, 2, 3, 4  # exactly label 2
    return x, labels


def test_iou_and_precision_by_hand():
    found = dissect(copying(), *by_hand()[:1], "copy", by_hand()[1], share=1 / 8)
    np.testing.assert_allclose(found.iou, [[2 / 6, 1 / 7], [0, 1]])
    np.testing.assert_allclose(found.precision, [[2 / 4, 1 / 4], [0, 1]])
    # each shuffle leaves the two pictures or swaps them: unit 0 then has nothing on label 2 and
    # nothing on label 1
    np.testing.assert_allclose(found.chance, [2 / 6, 1])


def test_a_shuffle_that_swaps_two_pictures():
    x, labels = by_hand()
    swaps = next(s for s in range(9) if np.random.default_rng(s).permutation(2)[0] == 1)
    found = dissect(copying(), x, "copy", labels, share=1 / 8, shuffles=1, seed=swaps)
    # unit 0: place (1, 3, 0) meets nothing, and in picture 0 nothing lies in row 3; unit 1 meets
    # nothing
    np.testing.assert_allclose(found.chance, [0, 0])


def test_chance_is_what_the_arithmetic_expects():
    rng, n = np.random.default_rng(0), 400
    place = rng.integers(0, 16, n)
    x, labels = np.zeros((n, 16, 1), "float32"), np.zeros((n, 16), int)
    x[np.arange(n), place] = 1 + rng.random((n, 1))
    labels[np.arange(n), place] = 1
    found = dissect(
        copying(channels=1),
        x.reshape(n, 4, 4, 1),
        "copy",
        labels.reshape(n, 4, 4),
        share=1 / 16,
        shuffles=99,
    )
    assert found.iou[0, 0] == found.precision[0, 0] == 1
    # of n pictures one in sixteen agrees: 25, give or take 4.8; the largest of 99 lies two to four
    # of these above
    largest = found.chance[0] * 2 * n / (1 + found.chance[0])
    assert 25 + 1 * 4.8 < largest < 25 + 4 * 4.8


def test_labels_that_are_the_same_everywhere_cannot_beat_chance():
    x, labels = by_hand()
    labels[:] = labels[0]
    found = dissect(copying(), x, "copy", labels, share=1 / 8)
    np.testing.assert_array_equal(found.chance, found.iou.max(1))


@pytest.mark.filterwarnings("error")
def test_silent_units_ties_and_unused_numbers():
    x, labels = by_hand()
    labels[labels == 2] = 5  # 2 to 4 stand nowhere
    x[..., 1] = 3  # constant: nowhere above its level
    found = dissect(copying(), x, "copy", labels.astype("uint64"), share=1 / 8)
    assert (
        found.iou.shape == (2, 5)
        and np.isnan(found.precision[1]).all()
        and (found.iou[1] == 0).all()
    )
    assert found.chance[1] == 0 and (found.iou[:, 1:4] == 0).all() and found.iou[0, 4] == 1 / 7
    x[0, :, :, 0] = 9  # sixteen of the four strongest places: none exceeds the level
    assert np.isnan(dissect(copying(), x, "copy", labels, share=1 / 8).precision[0]).all()
    x[..., 0] = -np.arange(32).reshape(
        2, 4, 4
    )  # a layer may be negative: the four largest are the first row
    assert dissect(copying(), x, "copy", labels, share=1 / 8).precision[0, 0] == 0.5
    assert not np.isnan(dissect(copying(), x, "copy", labels, share=0.999).precision[0]).any()


def test_maps_are_enlarged_to_the_labels():
    x, labels = np.zeros((1, 8, 8, 1), "float32"), np.zeros((1, 8, 8), int)
    x[0, :4, :4] = 1
    labels[0, :4, :4] = 1
    found = dissect(copying(8, 1, pool=4), x, "copy", labels, share=1 / 2)
    # the map is [[1, 0], [0, 0]] and the level 0: strong is what the bilinear ramp makes positive,
    # 6 x 6
    assert found.precision[0, 0] == 16 / 36 and found.iou[0, 0] == 16 / 36


def test_maps_lie_where_their_units_look():
    """A valid, strided layer: with the map spread over the whole image it would miss the labels."""
    pick = layers.Conv2D(1, 3, 2, use_bias=False, name="pick")
    model = keras.Sequential([keras.Input((9, 9, 1)), pick])
    pick.set_weights([np.eye(9)[4].reshape(3, 3, 1, 1)])  # the middle of each window
    x, labels = np.zeros((2, 9, 9, 1), "float32"), np.zeros((2, 9, 9), int)
    x[0, 1, 1] = x[1, 7, 5] = 1
    labels[0, :3, :3] = 1  # all that is less than two pixels off, and so above zero
    labels[1, 6:9, 4:7] = 1
    found = dissect(model, x, "pick", labels, share=1 / 16)
    # beyond the outer middles the edge goes on: row and column 0 in the first, row 8 in the second
    assert found.iou[0, 0] == found.precision[0, 0] == 1
    # labels of half the resolution: the same, in their pixels
    x, labels = np.zeros((1, 9, 9, 1), "float32"), np.zeros((1, 3, 3), int)
    x[0, 3:6, 3:6], labels[0, 1, 1] = 1, 1
    found = dissect(model, x, "pick", labels, share=1 / 3)
    assert found.precision[0, 0] == 1


def test_no_class_is_asked_for():
    x = keras.Input((4, 4, 2))
    y = layers.AveragePooling2D(1, name="copy")(x)
    pictures, labels = by_hand()
    want = dissect(copying(), pictures, "copy", labels, share=1 / 8)
    for outputs in (y, [y, layers.UpSampling2D()(y)]):
        found = dissect(keras.Model(x, outputs), pictures, "copy", labels, share=1 / 8)
        for one, other in zip(found, want):
            np.testing.assert_array_equal(one, other)


def test_no_layer_means_the_last_feature_map():
    model, _, x, last = shapes.build(shapes.fused)
    labels = np.arange(3 * 64).reshape(3, 8, 8) % 3
    found = dissect(model, x, None, labels, share=0.1, shuffles=np.int32(2))
    np.testing.assert_array_equal(found.iou, dissect(model, x, last, labels, share=0.1).iou)


def test_batches_do_not_matter():
    rng = np.random.default_rng(0)
    x, labels = rng.random((7, 8, 8, 3), "float32"), rng.integers(0, 4, (7, 8, 8))
    one, *others = (
        dissect(copying(8, 3, 2), x, "copy", labels, share=0.1, batch_size=b) for b in (7, 1, 3, 16)
    )
    for other in others:
        for a, b in zip(one, other):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("shape", (shapes.fused, shapes.nested_twice), ids=lambda f: f.__name__)
def test_any_model(shape):
    model, _, x, last = shapes.build(shape)
    found = dissect(model, x, last, np.arange(3 * 64).reshape(3, 8, 8) % 3, share=0.1)
    assert found.iou.shape == found.precision.shape == (5, 2) and found.chance.shape == (5,)


def test_barnyards_masks_are_labels():
    pictures = barnyard.load(seeds=[0])
    net_side = pictures.images[:, ::48, ::48].astype("float32")
    assert dissect(copying(4, 3), net_side, "copy", pictures.codes[:, ::48, ::48]).iou.shape[0] == 3


@pytest.mark.parametrize(
    "change, says",
    [
        (dict(labels=np.zeros((2, 4, 4), int)), "labels are whole numbers"),
        (dict(labels=np.ones((2, 4, 4))), "not float64"),
        (dict(labels=-np.ones((2, 4, 4), int)), "labels are whole numbers"),
        (dict(labels=np.ones((3, 4, 4), int)), "each of the 2 images"),
        (dict(labels=np.ones((2, 4), int)), r"of shape \(2, 4\)"),
        (dict(labels=np.ones((2, 4, 4), bool)), "not bool"),
        (dict(labels=np.full((2, 4, 4), "hen")), "not <U3"),
        (dict(labels=None), "labels are whole numbers"),
        (dict(labels=[[1], [1, 2]]), "labels"),
        (dict(labels=np.ones((0, 4, 4), int)), "labels are whole numbers"),
        (dict(labels=np.ones((2, 0, 4), int)), "labels are whole numbers"),
        (dict(labels=np.full((2, 4, 4), 2**31 + 1)), "labels go up to 4095, not 2147483649"),
        *[
            (dict(share=share), "share ")
            for share in (0, 1, -0.1, np.nan, "0.1", None, True, [0.1], 10**30)
        ],
        *[
            (dict(shuffles=n), "shuffles is a whole number")
            for n in (0, -1, 1.5, "9", None, True, [3], 2**70)
        ],
        *[(dict(seed=n), "seed is a whole number") for n in (-1, 1.5, "9", None, True, [3])],
        *[(dict(batch_size=n), "batch_size is a whole number") for n in (0, -1, 1.5, "9", None)],
        (dict(layer="dense"), "'dense' gives no feature maps"),
        (dict(layer="copied"), "did you mean 'copy'"),
        (dict(images=np.zeros((2, 4, 4, 2), "uint8")), "uint8"),
    ],
)
def test_bad_input_gets_one_sentence(change, says):
    x, labels = by_hand()
    model = copying()
    model.layers[-1].name = "dense"
    with pytest.raises(ValueError, match=says):
        dissect(model, **{"images": x, "layer": "copy", "labels": labels, **change})

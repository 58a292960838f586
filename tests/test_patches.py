"""Best patches against sorting everything; parts merge exactly; patches are cut where units see."""

import keras
import numpy as np
import pytest
import shapes
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers

import vizlib
from vizlib import patches, show, widgets


def pixel_reader(side=6):
    """A layer that copies the picture: its activations are the pixels."""
    x = keras.Input((side, side, 2))
    y = layers.Conv2D(2, 1, use_bias=False, name="copy")(x)
    model = keras.Model(x, layers.Dense(2)(layers.GlobalAveragePooling2D()(y)))
    model.get_layer("copy").set_weights([np.eye(2)[None, None]])
    return model


def by_sorting(x, channel, k, per_image):
    """The k best patches, by looking at all."""
    places = [(-x[n, r, c, channel], n, r, c) for n, r, c in np.ndindex(x.shape[:3])]
    chosen, used = [], {}
    for value, n, r, c in sorted(places):
        if used.get(n, 0) < per_image and len(chosen) < k:
            used[n] = used.get(n, 0) + 1
            chosen.append((-value, n, r, c))
    return chosen


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.data())
def test_the_best_patches_are_the_best_of_all_in_one_pass_or_in_parts(data):
    def draw(low, high):
        return data.draw(st.integers(low, high))

    rng = np.random.default_rng(draw(0, 99))
    k, per_image = draw(1, 5), draw(1, 3)
    lengths = [draw(1, 9) for _ in range(draw(1, 4))]  # some hold fewer than k patches
    lengths[draw(0, len(lengths) - 1)] += max(0, k - sum(lengths))
    values = data.draw(st.sampled_from([2, 9, 999]))  # few: many ties; many: channels differ
    x = rng.integers(0, values, (sum(lengths), 6, 6, 2)).astype("float32")
    model = pixel_reader()
    options = dict(channels=[1, 0], k=k, per_image=per_image, batch_size=draw(1, 8))
    whole = vizlib.top_patches(model, x, "copy", **options)
    assert whole.seen == len(x)
    for row, channel in enumerate((1, 0)):
        found = [
            (v, n, *p)
            for v, n, p in zip(whole.value[row], whole.image[row], whole.position[row].tolist())
        ]
        assert found == by_sorting(x, channel, k, per_image)
    np.testing.assert_array_equal(whole.box[..., :2], whole.position)
    starts = np.cumsum([0, *lengths])
    parts = [
        vizlib.top_patches(model, x[a:b], "copy", **options | {"k": min(k, per_image * int(b - a))})
        for a, b in zip(starts, starts[1:])
    ]
    for one, other in zip(patches.merge(parts, k=k), whole):
        np.testing.assert_array_equal(one, other)


def test_data_of_every_kind_and_a_dense_layer():
    model, _, x, last = shapes.build(shapes.fused)
    whole = vizlib.top_patches(model, x, last, channels=1, k=2)
    for data in (tf.data.Dataset.from_tensor_slices(x).batch(2), iter([x[:1], x[1:]])):
        np.testing.assert_array_equal(
            vizlib.top_patches(model, data, last, channels=1, k=2).image, whole.image
        )
    dense = vizlib.top_patches(model, x, "fc", channels=range(6), k=3)
    np.testing.assert_allclose(dense.value, -np.sort(-vizlib.features(model, x).T, 1), rtol=1e-5)
    assert (dense.box == [0, 0, 8, 8]).all()


@pytest.mark.parametrize("shape", shapes.SHAPES, ids=lambda f: f.__name__)
def test_every_model_shape(shape):
    model, _, x, last = shapes.build(shape)
    found = vizlib.top_patches(model, x, last, channels=[4, 0], k=3)
    maps = vizlib.activations(model, x, last)[..., [4, 0]]
    np.testing.assert_allclose(found.value, -np.sort(-maps.max((1, 2)).T, 1), rtol=1e-5)
    want = vizlib.receptive_field(model, last, shapes.SIZE).box(*np.moveaxis(found.position, -1, 0))
    np.testing.assert_array_equal(found.box, want)


def squeeze_and_excitation(y):
    gate = layers.Dense(2, activation="sigmoid")(layers.GlobalAveragePooling2D()(y))
    return layers.Multiply(name="last")([y, layers.Reshape((1, 1, 2))(gate)])


@pytest.mark.parametrize("last", [squeeze_and_excitation, layers.UpSampling2D(name="last")])
def test_units_that_see_all_or_nobody_knows_what_have_the_whole_image_for_a_box(last):
    x = keras.Input((6, 8, 2))
    model = keras.Model(x, last(layers.Conv2D(2, 3, padding="same")(x)))
    images = np.random.default_rng(0).normal(size=(3, 6, 8, 2))
    found = vizlib.top_patches(model, images, "last", channels=[0, 1], k=2)
    assert (found.box == [0, 0, 6, 8]).all()
    assert patches.crop(images, found).shape == (2, 2, 6, 8, 2)


def test_no_class_is_asked_for():
    x = keras.Input((6, 6, 2))
    y = layers.Conv2D(3, 3, padding="same", name="conv")(x)
    mask = layers.Conv2D(1, 1, name="mask")(layers.UpSampling2D()(layers.MaxPooling2D()(y)))
    images = np.random.default_rng(0).normal(size=(3, 6, 6, 2))
    found = [
        vizlib.top_patches(keras.Model(x, out), images, "conv", channels=0, k=2)
        for out in (y, mask, [y, mask])
    ]
    for one in found[1:]:
        np.testing.assert_array_equal(one.image, found[0].image)


def test_labels_are_left_aside_and_sizes_are_not_mixed():
    model = keras.Sequential([keras.Input((None, None, 2)), layers.MaxPooling2D(2, name="last")])
    x = np.random.default_rng(0).normal(size=(4, 6, 6, 2))
    want = vizlib.top_patches(model, x, "last", channels=0, k=2)
    labelled = tf.data.Dataset.from_tensor_slices((x, [1, 2, 3, 4])).batch(2)
    found = vizlib.top_patches(model, labelled, "last", channels=0, k=2)
    np.testing.assert_array_equal(found.image, want.image)
    with pytest.raises(ValueError, match=r"images of \(6, 6\) and of \(4, 6\).*photos.fit"):
        vizlib.top_patches(model, [x, x[:, :4]], "last", channels=0, k=2)


def test_patches_are_cut_where_the_unit_sees():
    x = np.arange(2 * 6 * 6 * 3, dtype="uint8").reshape(2, 6, 6, 3)
    box = np.array([[[-1, 2, 2, 5], [4, 4, 7, 7]]])
    found = vizlib.Patches(np.ones((1, 2)), np.array([[1, 0]]), np.zeros((1, 2, 2), int), box, 2)
    first, second = patches.crop(x, found, fill=9)[0]
    np.testing.assert_array_equal(first[1:], x[1, :2, 2:5])
    assert (first[0] == 9).all() and (second[2:] == 9).all() and (second[:, 2:] == 9).all()
    np.testing.assert_array_equal(second[:2, :2], x[0, 4:, 4:])


def test_an_interrupt_leaves_nothing_behind():
    model, _, x, last = shapes.build(shapes.fused)

    def interrupted():
        yield x
        raise KeyboardInterrupt

    before = {layer.name: set(layer.__dict__) for layer in model.layers}
    with pytest.raises(KeyboardInterrupt):
        vizlib.top_patches(model, interrupted(), last, channels=0, k=2)
    assert {layer.name: set(layer.__dict__) for layer in model.layers} == before


SCALAR = np.zeros(())


@pytest.mark.parametrize(
    "options, says",
    [
        (dict(k=4), "take 4 images, and the data holds 3"),
        (dict(k=10**30), "the data holds 3"),
        (dict(k=2, channels=5), "from 0 to 4"),
        (dict(k=2, channels=10**30), "channels are a number"),
        *[(dict(k=k), "k is a whole number") for k in (0, -1, 1.5, "2", None, True, [2], SCALAR)],
        *[(dict(k=2, per_image=n), "per_image is a whole number") for n in (0, 2.0, "1", None)],
        *[(dict(k=2, batch_size=n), "batch_size is a whole number") for n in (0, "8", None, 2.5)],
        *[
            (dict(k=2, channels=channels), "channels are a number or a list of numbers, from 0 on")
            for channels in ([0, -1], 0.5, "0", None, [], True, [[0]], [None], [[0], [1, 2]], {0})
        ],
    ],
)  # fmt: skip
def test_bad_input_gets_one_sentence(options, says):
    model, _, x, last = shapes.build(shapes.fused)
    with pytest.raises(ValueError, match=says):
        vizlib.top_patches(model, x, last, **{"channels": 0, **options})


def test_every_kind_of_whole_number_will_do():
    model, _, x, last = shapes.build(shapes.fused)
    want = vizlib.top_patches(model, x, last, channels=[1], k=2)
    for channels in (np.uint8(1), np.int64([1]), (1,), range(1, 2)):
        found = vizlib.top_patches(model, x, last, channels=channels, k=np.int32(2))
        np.testing.assert_array_equal(found.box, want.box)


@pytest.mark.parametrize("layer", ["conv9", "", 3, 2.5, [], b"conv2"])
def test_bad_layers(layer):
    model, _, x, _ = shapes.build(shapes.fused)
    with pytest.raises(ValueError):
        vizlib.top_patches(model, x, layer, channels=0, k=1)


@pytest.mark.parametrize(
    "data", [[], None, 3, "data", np.zeros((0, 8, 8, 3)), [None], [[]], np.zeros((2, 8, 8)), {}]
)
def test_bad_data(data):
    model, _, _, last = shapes.build(shapes.fused)
    with pytest.raises(ValueError):
        vizlib.top_patches(model, data, last, channels=0, k=1)


FOUND = vizlib.Patches(
    np.ones((1, 2)),
    np.array([[1, 0]]),
    np.zeros((1, 2, 2), int),
    np.array([[[-1, 2, 2, 5], [4, 4, 7, 7]]]),
    2,
)


LONGER = vizlib.Patches(*(array[:, [0, 1, 1]] for array in FOUND[:4]), 3)


@pytest.mark.parametrize(
    "parts, says",
    [
        ([], "same channels; give at least one"),
        ([FOUND, vizlib.Patches(*(array[[0, 0]] for array in FOUND[:4]), 2)], "same channels"),
        ([FOUND, vizlib.Patches(*(array[:, :1] for array in FOUND[:4]), 2)], "may lack some of"),
        ([FOUND._replace(image=np.array([[1, 1]])), LONGER], "may lack some of the best 3"),
        ([FOUND, None], "list of what top_patches returns, not NoneType"),
        (FOUND.value, "list of what top_patches returns, not ndarray"),
        (None, "not NoneType"),
        ("ab", "not str"),
        (7, "not int"),
        ([FOUND[:2]], "not tuple"),
        ([FOUND._replace(image=np.array([1, 0]))], "shapes that stand in its documentation"),
        ([FOUND._replace(value="high")], "shapes that stand in its documentation"),
        ([FOUND._replace(value=np.zeros((1, 2), "M8[s]"))], "shapes that stand in its docu"),
        ([FOUND._replace(value=[[1], [2, 3]])], "array"),
        ([FOUND._replace(box=FOUND.box / 2)], "shapes that stand in its documentation"),
        ([FOUND._replace(seen="two")], "seen is a whole number"),
        ([FOUND._replace(seen=0)], "seen is a whole number"),
    ],
)  # fmt: skip
def test_bad_parts(parts, says):
    with pytest.raises(ValueError, match=says):
        patches.merge(parts)


@pytest.mark.parametrize(
    "k, says",
    [
        (5, "hold 4 patches a channel: lower k, which is 5"),
        (10**30, "hold 4 patches"),
        *[(k, "k is a whole number of at least 1") for k in (0, -1, 1.5, "2", True, [2])],
    ],
)
def test_more_patches_than_the_parts_hold(k, says):
    with pytest.raises(ValueError, match=says):
        patches.merge([FOUND, FOUND], k=k)


PICTURES = np.zeros((2, 6, 6, 3), "uint8")


@pytest.mark.parametrize(
    "arguments, says",
    [
        ((PICTURES[0], FOUND), r"the shape \(N, H, W, C\).* not uint8 of shape \(6, 6, 3\)"),
        ((PICTURES[:1], FOUND), "picture 1, and there are 1: give all pictures"),
        (("pictures", FOUND), "the shape"),
        ((None, FOUND), "the shape"),
        ((np.full((2, 6, 6, 3), "a"), FOUND), "hold numbers"),
        ((PICTURES, None), "found is what top_patches returns, not NoneType"),
        ((PICTURES, FOUND.box), "found is what top_patches returns, not ndarray"),
        ((PICTURES, FOUND._replace(image=np.array([[-1, 0]]))), "documentation"),
        ((PICTURES, FOUND._replace(image=np.array([[0.0, 1.0]]))), "documentation"),
        ((PICTURES, FOUND._replace(box=FOUND.box * [[[1], [2]]])), "boxes of one size"),
        ((PICTURES, FOUND._replace(box=FOUND.box[..., ::-1])), "boxes of one size"),
        *[
            ((PICTURES, FOUND, fill), "^fill ")
            for fill in (300, -1, None, "grey", [1, 2], np.nan, np.inf, 10**30, 1j, np.zeros(3))
        ],
    ],
)  # fmt: skip
def test_what_cannot_be_cut_gets_one_sentence(arguments, says):
    pictures, found, *fill = arguments
    with pytest.raises(ValueError, match=says):
        patches.crop(pictures, found, **dict(zip(["fill"], fill)))


def test_signed_maps_are_cut_too():
    cut = patches.crop(np.full((2, 6, 6, 1), -0.5), FOUND, fill=np.float32(0.25))
    assert cut.dtype == float and {*np.unique(cut)} == {-0.5, 0.25}


# ---- the explorer --------------------------------------------------------------------------------


def test_best_patches_shows_patches_and_frames_their_windows():
    x = np.random.default_rng(0).integers(0, 99, (3, 24, 24, 3)).astype("uint8")
    box = np.array([[[3, 4, 11, 12], [-3, 20, 5, 28]]] * 2)
    found = vizlib.Patches(
        np.ones((2, 2)), np.array([[0, 0], [1, 2]]), np.zeros((2, 2, 2), int), box, 3
    )
    view = widgets.best_patches(x, found, 1, side=24)
    assert view.shape == (48, 48, 3) and view.dtype == np.uint8
    np.testing.assert_array_equal(view[:24, :24], show.enlarge(x[1, 3:11, 4:12], 24))
    frame = (view[24:] == [255, 210, 0]).all(-1)
    wanted = np.zeros((24, 48), bool)
    wanted[3:11, 4:12] = True
    wanted[5:9, 6:10] = False
    wanted[0:5, 44:48] = (
        True  # what of the second window lies in the picture: one pixel is left inside
    )
    np.testing.assert_array_equal(frame, wanted)
    np.testing.assert_array_equal(view[24:][~frame], np.hstack(x[1:])[~frame])

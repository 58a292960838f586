"""Receptive fields against the support of the gradient; best patches against sorting everything; parts merge exactly."""

import keras
import numpy as np
import pytest
import shapes
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers

import vizlib
from vizlib import graph, patches, show, widgets


def positive(model, seed=0):
    """All weights positive and no bias, so that no path cancels another and no ReLU is closed."""
    rng = np.random.default_rng(seed)
    for variable in model.variables:
        name = variable.path.rsplit("/", 1)[-1]
        value = {
            "bias": 0.0,
            "beta": 0.0,
            "moving_mean": 0.0,
            "gamma": 1.0,
            "moving_variance": 1.0,
        }.get(name)
        if value is None:
            fan = int(np.prod(variable.shape[:-1])) or 1
            value = rng.uniform(0.5, 1.5, variable.shape) / fan
        variable.assign(np.broadcast_to(value, variable.shape))
    return model


def support(model, layer, size, unit):
    """(top, left, bottom, right) of the pixels on which a unit depends."""
    x = np.random.default_rng(0).uniform(1, 2, (1, *size, model.input_shape[-1])).astype("float32")
    last = (
        vizlib.activations(model, x, layer).shape[-1] - 1
    )  # of branches put side by side: one channel of each
    touched = sum(
        np.abs(graph.backward(model, x, layer=layer, unit=(*unit, c))[0][0]).max(-1)
        for c in (0, last)
    )
    rows, columns = (np.flatnonzero(touched.any(1 - axis)) for axis in (0, 1))
    return rows[0], columns[0], rows[-1] + 1, columns[-1] + 1


def averaging(model):
    """The same windows, with a gradient to every place and not to the largest value only."""
    for layer in model.layers:
        if isinstance(layer, layers.MaxPooling2D):
            layer.call = lambda x, p=layer: tf.nn.avg_pool2d(
                x, p.pool_size, p.strides, p.padding.upper()
            )
    return model


def check(model, layer, size, *, unclipped=True):
    field = vizlib.receptive_field(model, layer, size)
    graph._traces.pop(model, None)
    averaging(model)
    shape = vizlib.activations(
        model, np.zeros((1, *size, model.input_shape[-1]), "float32"), layer
    ).shape[1:3]
    units = [(0, 0), (shape[0] // 2, shape[1] // 2), (shape[0] - 1, shape[1] - 1)]
    inside = 0
    for unit in units:
        box = field.box(*unit)
        clipped = [*np.maximum(box[:2], 0), *np.minimum(box[2:], size)]
        inside += list(box) == clipped
        assert list(support(model, layer, size, unit)) == clipped, (layer, size, unit)
    assert inside or not unclipped, "every box is clipped: this proves nothing"


def chain(*steps):
    def build(size):
        x = y = keras.Input((*size, 2))
        for i, step in enumerate(steps):
            y = step(f"step{i}")(y)
        return keras.Model(x, layers.Dense(2)(layers.GlobalAveragePooling2D()(y)))

    return build


def conv(k, s=1, p="same", d=1):
    return lambda name: layers.Conv2D(2, k, s, p, dilation_rate=d, name=name, activation="relu")


CHAINS = {
    "same": chain(conv(3), conv(5)),
    "valid": chain(conv((3, 2), p="valid"), conv(4, p="valid")),
    "strides": chain(conv(3, 2), conv(4, 2), conv(3, (2, 1))),
    "strides_valid": chain(conv(3, 2, "valid"), conv(2, 3, "valid")),
    "dilated": chain(conv(3, d=2), conv(2, p="valid", d=3)),
    "pooled": chain(conv(3), lambda n: layers.MaxPooling2D(3, 2, "same", name=n), lambda n: layers.AveragePooling2D(2, name=n), conv(3)),
    "padded": chain(lambda n: layers.ZeroPadding2D(((1, 2), (0, 1)), name=n), conv(4, 2, "valid"), conv(3)),
    "depthwise": chain(lambda n: layers.DepthwiseConv2D(3, 2, "same", name=n), lambda n: layers.BatchNormalization(name=n), conv(2)),
    "separable": chain(lambda n: layers.SeparableConv2D(3, 3, padding="same", name=n), conv(3, 2)),
}  # fmt: skip


@pytest.mark.parametrize("name", CHAINS)
@pytest.mark.parametrize("size", [(36, 36), (37, 35)])
def test_the_window_is_the_support_of_the_gradient(name, size):
    model = positive(CHAINS[name](size))
    last = [layer.name for layer in model.layers if layer.name.startswith("step")]
    check(model, last[-1], size)
    check(model, last[1], size)


def test_branches():
    x = keras.Input((30, 27, 2))
    y = layers.Conv2D(3, 3, 2, "same", activation="relu")(x)
    short = layers.Conv2D(3, 1, name="short")(y)
    long = layers.Conv2D(3, 3, padding="same")(layers.Conv2D(3, (3, 5), padding="same")(y))
    y = layers.Add(name="sum")([short, long])
    y = layers.Concatenate(name="beside")([y, layers.MaxPooling2D(3, 1, "same")(y)])
    model = positive(keras.Model(x, layers.Dense(2)(layers.GlobalAveragePooling2D()(y))))
    for name in ("short", "sum", "beside"):
        check(model, name, (30, 27))


@pytest.mark.parametrize("shape", shapes.SHAPES, ids=lambda f: f.__name__)
def test_every_model_shape(shape):
    model, _, x, last = shapes.build(shape)
    field = vizlib.receptive_field(model, last, shapes.SIZE)
    # conv 3, pool 2, conv 3: 3 + 1 + 2 * 2
    assert field == ((8, 8), (2, 2), (-3, -3)) and field.box(1, 2).tolist() == [-1, 1, 7, 9]
    found = vizlib.top_patches(model, x, last, channels=[4, 0], k=3)
    maps = vizlib.activations(model, x, last)[..., [4, 0]]
    np.testing.assert_allclose(found.value, -np.sort(-maps.max((1, 2)).T, 1), rtol=1e-5)


@pytest.mark.parametrize(
    "name, size, layer",
    [("VGG16", 151, "block4_conv1"), ("VGG16", 158, "block4_conv2"), ("ResNet50", 193, "conv3_block1_out"),
     ("ResNet50", 160, "conv2_block3_out"), ("MobileNetV2", 130, "block_5_add"), ("MobileNetV2", 161, "block_6_expand_relu")],
)  # fmt: skip
def test_networks_of_keras(name, size, layer):
    model = getattr(keras.applications, name)(
        weights=None, include_top=False, pooling="avg", input_shape=(size, size, 3)
    )
    check(positive(model), layer, (size, size))


def test_published_numbers():
    """Araujo, Norris, Sim 2019: the last map of VGG-16 sees 212 pixels (with its pooling), 196 at block5_conv3."""
    net = vizlib.load("vgg16", weights="random")
    assert vizlib.receptive_field(net.model, "block5_pool", 224).size == (212, 212)
    assert vizlib.receptive_field(net.model, "block5_conv3", 224)[:2] == ((196, 196), (16, 16))


def two_strides():
    x = keras.Input((16, 16, 1))
    fine = layers.UpSampling2D(2, name="up")(layers.MaxPooling2D(2)(x))
    return keras.Model(
        x, layers.Dense(2)(layers.GlobalAveragePooling2D()(layers.Add(name="sum")([fine, x])))
    )


@pytest.mark.parametrize(
    "call, says",
    [
        (lambda m: vizlib.receptive_field(m, "fc", 8), "whole picture|no place"),
        (lambda m: vizlib.receptive_field(m, "conv7", 8), "did you mean"),
        (lambda m: vizlib.receptive_field(m, "conv1", 9), "takes pictures of shape"),
        (lambda m: vizlib.receptive_field(two_strides(), "sum", 16), "Before 'sum'"),
    ],
)
def test_what_has_no_window_says_so(call, says):
    model, *_ = shapes.build(shapes.fused)
    with pytest.raises(ValueError, match=says):
        call(model)


# ---- mining --------------------------------------------------------------------------------------------------------


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
    lengths = [draw(k, 9) for _ in range(draw(1, 3))]
    x = rng.integers(0, draw(2, 9), (sum(lengths), 6, 6, 2)).astype(
        "float32"
    )  # few values, so many ties
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
        vizlib.top_patches(model, x[a:b], "copy", **options) for a, b in zip(starts, starts[1:])
    ]
    for one, other in zip(patches.merge(parts), whole):
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


@pytest.mark.parametrize(
    "options, says",
    [
        (dict(k=4), "take 4 pictures, and the data holds 3"),
        (dict(k=0), "k is a whole number"),
        (dict(k=2, per_image=0), "per_image is a whole number"),
        (dict(k=2, channels=5), "from 0 to 4"),
        (dict(k=2, channels=[0, -1]), "from 0 to 4"),
        (dict(k=2, channels=0.5), "from 0 to 4"),
    ],
)
def test_bad_input_gets_one_sentence(options, says):
    model, _, x, last = shapes.build(shapes.fused)
    with pytest.raises(ValueError, match=says):
        vizlib.top_patches(model, x, last, **{"channels": 0, **options})


def test_bad_data_and_bad_parts():
    model, _, x, last = shapes.build(shapes.fused)
    for data, says in (([], "empty"), ([(x, x)], "drop the labels"), (x.astype("uint8"), "uint8")):
        with pytest.raises(ValueError, match=says):
            vizlib.top_patches(model, data, last, channels=0, k=1)
    one, two = (vizlib.top_patches(model, x, last, channels=0, k=k) for k in (1, 2))
    for parts in ([], [one, two]):
        with pytest.raises(ValueError, match="same channels and the same k"):
            patches.merge(parts)


# ---- the explorer --------------------------------------------------------------------------------------------------


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
        True  # the part of the second window that lies in the picture: one pixel is left inside, none across
    )
    np.testing.assert_array_equal(frame, wanted)
    np.testing.assert_array_equal(view[24:][~frame], np.hstack(x[1:])[~frame])


def test_every_place_of_the_explorer_redraws():
    x = np.random.default_rng(0).integers(0, 255, (4, 8, 8, 3)).astype("uint8")
    model, *_ = shapes.build(shapes.fused)
    mined = {
        name: vizlib.top_patches(model, x / np.float32(255), name, channels=range(n), k=3)
        for name, n in (("conv2", 5), ("conv1", 4))
    }
    box = widgets.units(x, mined)
    (layer, unit), image, caption = box.children[0].children, *box.children[1:]
    assert (
        layer.options == ("conv2", "conv1")
        and unit.max == 4
        and caption.value.startswith("conv2, unit 0: ")
    )
    seen = {image.value}
    unit.value = 4
    seen.add(image.value)
    layer.value = "conv1"  # fewer channels than the one chosen
    seen.add(image.value)
    assert (
        unit.value == unit.max == 3
        and caption.value.startswith("conv1, unit 3: ")
        and len(seen) == 3
    )
    assert caption.value.endswith(", ".join(f"{v:.3g}" for v in mined["conv1"].value[3]))

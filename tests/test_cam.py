"""Class activation maps: how a map is enlarged; closed forms, every model shape, and where the last map is."""

import keras
import numpy as np
import pytest
import shapes
import tensorflow as tf
from keras import layers

import vizlib
from vizlib import cam, grad_cam, graph, guided_grad_cam, upsample


def test_a_value_stands_at_the_middle_of_its_cell():
    """7 -> 224: cells of 32 pixels. Pixel p stands at (p + 1/2) / 32 - 1/2 on the map; beyond the outer middles the map goes on."""
    row = np.random.default_rng(0).normal(size=7).astype("float32")
    maps = np.broadcast_to(row, (2, 7, 7))
    wide = np.interp((np.arange(224) + 0.5) / 32 - 0.5, np.arange(7), row)
    np.testing.assert_allclose(upsample(maps, 224), np.broadcast_to(wide, (2, 224, 224)), atol=1e-5)
    turned = upsample(maps.swapaxes(1, 2), 224)
    np.testing.assert_allclose(turned, np.broadcast_to(wide[:, None], (2, 224, 224)), atol=1e-5)


def test_by_hand():
    maps = np.array([[[0, 4], [8, 12]]])
    large = upsample(maps, 4)[0]
    np.testing.assert_array_equal(large, np.add.outer([0, 2, 6, 8], [0, 1, 3, 4]))
    # of three times the size, the middle pixel of each cell is the value itself
    np.testing.assert_array_equal(upsample(maps, (6, 6))[0, 1::3, 1::3], maps[0])


def test_sizes_channels_and_kinds_of_numbers():
    maps = np.random.default_rng(0).random((3, 2, 5, 4))
    large = upsample(maps, (6, 10))
    assert large.shape == (3, 6, 10, 4) and large.dtype == np.float32
    for channel in range(4):
        np.testing.assert_array_equal(large[..., channel], upsample(maps[..., channel], (6, 10)))
    np.testing.assert_array_equal(upsample(np.ones((1, 3, 3), bool), 9), np.ones((1, 9, 9)))
    np.testing.assert_allclose(upsample(maps, (2, 5)), maps, rtol=1e-6)


@pytest.mark.parametrize(
    "maps, size", [((7, 7), 224), ((1, 7, 7, 3, 1), 224), ((1, 7, 7), 0), ((1, 7, 7), (4, -1))]
)
def test_bad_input_gets_one_sentence(maps, size):
    with pytest.raises(ValueError, match=r"Give maps \(N, h, w\)"):
        upsample(np.zeros(maps), size)


# ---- CAM and Grad-CAM, worked by hand ------------------------------------------------------------------------------


def small(*top, channels=2):
    """One 1 x 1 convolution of one channel: its maps are relu(x) and relu(-x)."""
    model = keras.Sequential(
        [keras.Input((2, 2, 1)), layers.Conv2D(channels, 1, activation="relu", name="conv"), *top]
    )
    model.layers[0].set_weights([np.array([1.0, -1.0]).reshape(1, 1, 1, 2), np.zeros(2)])
    return model


PICTURE = np.array([[[1.0, -2.0], [3.0, 0.0]]])[
    ..., None
]  # maps [[1, 0], [3, 0]] and [[0, 2], [0, 0]]
SIGNED = np.array(
    [[[[2, -1], [6, 0]]], [[[-1, -2], [-3, 0]]]]
)  # of the classes 0 and 1: 2 and -1/2, -1 and -1 times them


def test_grad_cam_by_hand():
    model = small(layers.Flatten(), layers.Dense(2))
    first = [
        [1, -2],
        [-1, 0],
        [2, -3],
        [-1, -1],
        [3, 0],
        [-1, -2],
        [2, 1],
        [1, -1],
    ]  # (places, maps) x classes: means 2, -1/2 and -1, -1
    model.layers[-1].set_weights([np.array(first, float), np.array([5.0, 7.0])])
    for k in (0, 1):
        np.testing.assert_allclose(grad_cam(model, PICTURE, k, relu=False), SIGNED[k], atol=1e-6)
        np.testing.assert_allclose(grad_cam(model, PICTURE, k), np.maximum(SIGNED[k], 0), atol=1e-6)
    assert not grad_cam(
        model, PICTURE, 1
    ).any()  # nothing speaks for the class: a map of zeros, and no warning
    assert grad_cam(model, PICTURE, 1).dtype == np.float32


def test_cam_by_hand():
    model = small(layers.GlobalAveragePooling2D(), layers.Dense(2, activation="softmax"))
    model.layers[-1].set_weights([np.array([[2.0, -1.0], [-0.5, -1.0]]), np.array([5.0, 7.0])])
    for k in (0, 1):
        found = cam(model, PICTURE, k)
        np.testing.assert_allclose(found, SIGNED[k], atol=1e-6)
        np.testing.assert_allclose(
            found.mean() + [5, 7][k], vizlib.logits(model, PICTURE)[0, k], rtol=1e-6
        )
        np.testing.assert_allclose(
            4 * grad_cam(model, PICTURE, k, relu=False), SIGNED[k], atol=1e-6
        )  # h * w = 4


# ---- networks that end in global average pooling and one dense layer --------------------------------------------------


def stem(width=6):
    """A body with Dense layers of its own in front of the last map."""
    x = y = keras.Input((8, 10, 3))
    y = layers.Conv2D(width, 3, activation="relu", name="body")(y)
    gate = layers.Dense(width, activation="sigmoid")(layers.GlobalAveragePooling2D()(y))
    return x, layers.Multiply(name="gated")([y, layers.Reshape((1, 1, width))(gate)])


def pooled(classes=3, activation="softmax"):
    x, y = stem()
    return keras.Model(
        x,
        layers.Dense(classes, activation=activation, name="out")(
            layers.GlobalAveragePooling2D()(y)
        ),
    )


def pooled_and_flattened():
    x, y = stem()
    y = layers.Dropout(0.5)(layers.Flatten()(layers.GlobalAveragePooling2D(keepdims=True)(y)))
    return keras.Model(x, layers.Softmax()(layers.Dense(3, name="out")(y)))


def nested():
    body = keras.Model(*stem(), name="backbone")
    return keras.Sequential(
        [
            keras.Input((8, 10, 3)),
            body,
            layers.GlobalAveragePooling2D(),
            layers.Dense(3, name="out"),
        ]
    )


class Subclassed(keras.Model):
    """Its layers were made in another order than they are used, and tf pools."""

    def __init__(self):
        super().__init__()
        self.out = layers.Dense(3, use_bias=False, name="out")
        self.mix = layers.Dense(6, activation="relu", name="gated")
        self.conv = layers.Conv2D(6, 3)

    def call(self, x, training=False):
        return tf.nn.softmax(self.out(tf.reduce_mean(self.mix(self.conv(x)), (-3, -2))))


def subclassed():
    model = Subclassed()
    model(tf.zeros((1, 8, 10, 3)))
    return model


ENDS = {
    "softmax": pooled,
    "linear": lambda: pooled(activation=None),
    "sigmoids": lambda: pooled(activation="sigmoid"),
    "one sigmoid": lambda: pooled(1, "sigmoid"),
    "one linear": lambda: pooled(1, None),
    "flattened": pooled_and_flattened,
    "nested": nested,
    "subclassed": subclassed,
}


@pytest.fixture(scope="module", params=ENDS.values(), ids=list(ENDS))
def pooling(request):
    """A network, pictures, its last maps, and for both sides or three classes its dense layer's weights (C, K) and bias (K,)."""
    keras.utils.set_random_seed(0)
    model, rng = request.param(), np.random.default_rng(0)
    model.set_weights([rng.normal(0, 0.5, w.shape) for w in model.get_weights()])
    x = rng.normal(size=(4, 8, 10, 3)).astype("float32")
    inside = "backbone" if request.param is nested else "gated"
    out = vizlib.find_layer(model, "out")
    if out.units == 1:  # a bias that leaves both sides predicted
        out.set_weights(
            [out.get_weights()[0], out.get_weights()[1] - np.median(vizlib.logits(model, x))]
        )
    kernel, bias = (*out.get_weights(), np.zeros(3))[:2]
    if bias.size == 1:
        kernel, bias = np.hstack([-kernel, kernel]), np.hstack([-bias, bias])
    return model, x, vizlib.activations(model, x, inside), kernel, bias


def test_cam_is_the_maps_weighted_as_the_class_weighs_their_means(pooling):
    model, x, maps, kernel, bias = pooling
    for k in range(kernel.shape[1]):
        found = cam(model, x, k)
        np.testing.assert_allclose(found, maps @ kernel[:, k], atol=1e-5)
        logits = vizlib.logits(model, x)
        logits = np.hstack([-logits, logits]) if logits.shape[1] == 1 else logits
        np.testing.assert_allclose(found.mean((1, 2)) + bias[k], logits[:, k], atol=1e-5)
    each = np.array([1, 0, 0, 1])
    np.testing.assert_allclose(
        cam(model, x, each, batch_size=3),
        np.stack([m @ kernel[:, k] for m, k in zip(maps, each)]),
        atol=1e-5,
    )
    best = (maps.mean((1, 2)) @ kernel + bias).argmax(1)  # of a single unit: the predicted side
    assert len(set(best)) > 1 or len(bias) == 3
    for method in (cam, grad_cam):
        np.testing.assert_array_equal(method(model, x), method(model, x, best))


def test_grad_cam_is_relu_of_cam_over_the_number_of_places(pooling):
    model, x, maps, kernel, _ = pooling
    for k in range(kernel.shape[1]):
        want = cam(model, x, k)
        np.testing.assert_allclose(
            maps[0].shape[0] * maps[0].shape[1] * grad_cam(model, x, k, relu=False), want, atol=1e-5
        )
        np.testing.assert_allclose(
            maps[0].shape[0] * maps[0].shape[1] * grad_cam(model, x, k),
            np.maximum(want, 0),
            atol=1e-5,
        )


def test_half_precision():
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.Input((16, 16, 3)), layers.Conv2D(8, 3, activation="relu", dtype="mixed_float16", name="conv"), layers.GlobalAveragePooling2D(dtype="mixed_float16"),
         layers.Dense(3, activation="softmax", dtype="float32")])  # fmt: skip
    x = np.random.default_rng(0).normal(size=(2, 16, 16, 3))
    want = vizlib.activations(model, x, "conv") @ model.layers[-1].get_weights()[0][:, 1]
    for found in (cam(model, x, 1), 14 * 14 * grad_cam(model, x, 1, relu=False)):
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, want, atol=0.02 * np.abs(want).max())


@pytest.mark.parametrize(
    "top",
    [
        [layers.Flatten(), layers.Dense(3)],
        [layers.GlobalAveragePooling2D(), layers.Dense(4), layers.Dense(3)],
        [layers.GlobalAveragePooling2D(), layers.Dense(4, activation="relu"), layers.Dense(3)],
        [layers.GlobalAveragePooling2D(), layers.Dense(3), layers.Rescaling(2.0)],
        [layers.GlobalAveragePooling2D(), layers.BatchNormalization(), layers.Dense(3)],
        [layers.GlobalMaxPooling2D(), layers.Dense(3)],
        [layers.GlobalAveragePooling2D(keepdims=True), layers.Conv2D(3, 1), layers.Flatten()],
        [layers.Reshape((4, 2)), layers.GlobalAveragePooling1D(), layers.Dense(3)],
        [layers.Lambda(lambda y: tf.reduce_mean(y, 3)), layers.Flatten(), layers.Dense(3)],
    ],
    ids=[
        "flatten",
        "two dense",
        "two dense with relu",
        "scaled",
        "normalised",
        "max",
        "convolution",
        "tokens",
        "mean of channels",
    ],
)
def test_cam_refuses_other_ends(top):
    with pytest.raises(ValueError, match="use grad_cam"):
        cam(small(*top), PICTURE, 0)


def test_cam_takes_no_function():
    with pytest.raises(ValueError, match="a function has no weights"):
        cam(pooled(), np.zeros((1, 8, 10, 3)), lambda z: z[:, 0])


# ---- every model shape ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=shapes.SHAPES, ids=lambda f: f.__name__)
def case(request):
    return shapes.build(request.param)


def reference(x, w, seed):
    """Grad-CAM without its ReLU, (N, 4, 4), of the score whose gradient at the logits is `seed` (N, K)."""
    _, (_, _, a2, a3) = shapes.forward(x, w)
    gradient = ((seed @ w[6].T * (a3 > 0)) @ w[4].T).reshape(a2.shape)
    return (np.maximum(a2, 0) * gradient.mean((1, 2), keepdims=True)).sum(-1)


def close(found, want):
    np.testing.assert_allclose(found, want, atol=1e-4 * np.abs(want).max())


def test_grad_cam_on_every_shape(case):
    model, w, x, last = case
    z = shapes.forward(x, w)[0]
    sides = (
        {0: -np.ones_like(z), 1: np.ones_like(z)}
        if z.shape[1] == 1
        else {k: np.eye(3)[[k] * len(x)] for k in range(3)}
    )
    sides[None] = np.sign(z) if z.shape[1] == 1 else np.eye(3)[z.argmax(1)]
    for target, seed in sides.items():
        want = reference(x, w, seed)
        close(grad_cam(model, x, target, relu=False), want)  # the default layer ...
        close(
            grad_cam(model, x, target, layer=last, relu=False), want
        )  # ... is the last one before flattening
        close(grad_cam(model, x, target), np.maximum(want, 0))
    assert (want < 0).any() and (want > 0).any()


def test_grad_cam_of_a_function():
    model, w, x, _ = shapes.build(shapes.fused)
    close(
        grad_cam(model, x, lambda z: z[:, 0] - 2 * z[:, 1], relu=False),
        reference(x, w, np.array([[1.0, -2.0, 0.0]] * len(x))),
    )


def test_grad_cam_at_another_layer():
    model, _, x, _ = shapes.build(shapes.relu_layers)
    for layer in ("pool", model.get_layer("conv1")):
        gradients, maps = graph.backward(model, x, 2, at=layer)
        assert grad_cam(model, x, 2, layer=layer).shape == maps.shape[:3]
        close(
            grad_cam(model, x, 2, layer=layer, relu=False),
            (maps * gradients.mean((1, 2), keepdims=True)).sum(-1),
        )


def test_guided_grad_cam_is_the_product(case):
    model, _, x, last = case
    for options in ({}, {"target": 1}, {"layer": last}, {"layer": "conv1"}, {"batch_size": 2}):
        found = guided_grad_cam(model, x, **options)
        coarse = upsample(grad_cam(model, x, **options), shapes.SIZE)
        options.pop("layer", None)
        fine = vizlib.guided_backprop(model, x, **options)
        assert found.shape == x.shape and coarse.shape == x.shape[:3]
        np.testing.assert_allclose(
            found, fine * coarse[..., None], atol=1e-6 * np.abs(fine).max() * coarse.max()
        )
    assert found.any()


def test_guided_grad_cam_refuses_what_the_guided_rule_refuses():
    x, y = stem()
    y = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3, activation="silu", name="swish")(y))
    model, x = keras.Model(x, layers.Dense(2)(y)), np.ones((1, 8, 10, 3))
    assert grad_cam(model, x).shape == (1, 4, 6)
    with pytest.raises(ValueError, match="guided rule.*swish"):
        guided_grad_cam(model, x)


# ---- the last feature map ------------------------------------------------------------------------------------------


def last_is(model, x, layer):
    (found,), want = graph.forward(model, x, graph.LAST), vizlib.activations(model, x, layer)
    assert found.shape == want.shape
    np.testing.assert_allclose(found, want, atol=1e-5 * np.abs(want).max())
    assert want.std() > 0


def last_of(build):
    """The network of build(maps (N, 8, 8, 4)) and three classes."""
    keras.utils.set_random_seed(0)
    x = keras.Input((8, 8, 3))
    return keras.Model(
        x,
        layers.Dense(3)(
            build(layers.Conv2D(4, 3, padding="same", activation="relu", name="conv")(x))
        ),
    )


def conv(**options):
    return layers.Conv2D(4, 3, padding="same", **options)


def add_then_pool(y):
    return layers.GlobalAveragePooling2D()(layers.Add(name="last")([y, conv(activation="relu")(y)]))


def concatenate_then_pool(y):
    return layers.GlobalMaxPooling2D()(
        layers.Concatenate(name="last")([y, conv(activation="relu")(y)])
    )


def padded_pooled_and_flattened(y):
    y = layers.MaxPooling2D()(layers.ZeroPadding2D()(layers.LeakyReLU(name="last")(conv()(y))))
    return layers.Flatten()(layers.AveragePooling2D(2)(y))


def turned_and_flattened(y):
    return layers.Flatten()(
        layers.Permute((3, 1, 2))(layers.Activation("silu", name="last")(conv()(y)))
    )


def a_head_of_convolutions(y):
    y = layers.GlobalAveragePooling2D(keepdims=True)(layers.BatchNormalization(name="last")(y))
    return layers.Flatten()(layers.Conv2D(5, 1, activation="relu")(y))


def gated(y):
    gate = layers.Conv2D(4, 1, activation="sigmoid")(
        layers.GlobalAveragePooling2D(keepdims=True)(y)
    )
    return layers.GlobalAveragePooling2D()(layers.Multiply(name="last")([y, gate]))


def attention(y):
    tokens = layers.Reshape((64, 4))(layers.ReLU(name="last")(conv()(y)))
    return layers.GlobalAveragePooling1D()(layers.MultiHeadAttention(2, 3)(tokens, tokens))


def attention_and_a_convolution(y):
    tokens = layers.Reshape((64, 4))(y)
    y = layers.Reshape((8, 8, 4))(layers.MultiHeadAttention(2, 3)(tokens, tokens))
    return layers.Flatten()(conv(name="last")(y))


@pytest.mark.parametrize(
    "build",
    [add_then_pool, concatenate_then_pool, padded_pooled_and_flattened, turned_and_flattened, a_head_of_convolutions, gated, attention, attention_and_a_convolution],
    ids=lambda f: f.__name__,
)  # fmt: skip
def test_the_last_feature_map(build):
    last_is(last_of(build), np.random.default_rng(0).normal(size=(2, 8, 8, 3)), "last")


def test_the_last_feature_map_of_pocket():
    net = vizlib.load("pocket", weights="random")
    last_is(net.model, np.random.default_rng(0).normal(0, 50, (1, *net.size, 3)), "block5_conv3")


def large(name):
    keras.utils.set_random_seed(0)
    return getattr(keras.applications, name)(
        weights=None, input_shape=(128, 96, 3), classes=5
    ), np.random.default_rng(0).normal(0, 50, (1, 128, 96, 3))


@pytest.mark.parametrize(
    "name, layer",
    [("ResNet50", "conv5_block3_out"), ("MobileNetV2", "out_relu"), ("VGG16", "block5_conv3")],
)
def test_the_last_feature_map_of_large_networks(name, layer):
    last_is(*large(name), layer)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["DenseNet121", "EfficientNetB0", "InceptionV3", "MobileNetV3Small", "ConvNeXtTiny"]
)
def test_the_last_feature_map_is_what_is_pooled(name):
    model, x = large(name)
    pool = [layer for layer in model.layers if isinstance(layer, layers.GlobalAveragePooling2D)][-1]
    (found,) = graph.forward(model, x, graph.LAST)
    want = keras.Model(model.input, pool.input)(x, training=False).numpy()
    np.testing.assert_allclose(found, want, atol=1e-5 * np.abs(want).max())
    assert found.std() > 0 and found.shape[1] > 1


# ---- what must raise, and what must not happen ------------------------------------------------------------------------


def test_networks_and_layers_without_maps():
    x = np.ones((1, 8, 8, 3))
    dense = keras.Sequential(
        [keras.Input((8, 8, 3)), layers.Flatten(), layers.Dense(4, name="first"), layers.Dense(2)]
    )
    for method in (grad_cam, guided_grad_cam):
        with pytest.raises(ValueError, match="no feature map between the pictures and the score"):
            method(dense, x)
    for layer in ("first", dense.get_layer("first")):
        with pytest.raises(
            ValueError, match="'first' gives no feature maps: choose a convolutional layer"
        ):
            grad_cam(dense, x, layer=layer)


def test_a_layer_that_the_score_does_not_depend_on():
    x = keras.Input((8, 8, 3))
    y = layers.Conv2D(2, 3, name="used")(x)
    model = keras.Model(x, layers.Dense(2)(layers.GlobalAveragePooling2D()(y)))
    model.unused = layers.Conv2D(2, 3, name="unused")
    side = layers.Lambda(lambda y: tf.stop_gradient(y), name="side")(layers.ReLU(name="stopped")(y))
    stopped = keras.Model(
        x, layers.Dense(2)(layers.GlobalAveragePooling2D()(layers.Add()([y, side])))
    )
    blind = keras.Model(x, layers.Dense(2)(layers.Flatten()(side)))
    with pytest.raises(ValueError, match="does not depend on layer 'stopped'"):
        grad_cam(stopped, np.ones((1, 8, 8, 3)), layer="stopped")
    with pytest.raises(ValueError, match="does not depend on the pictures"):
        vizlib.gradient(blind, np.ones((1, 8, 8, 3)))
    with pytest.raises(ValueError, match="unused"):
        grad_cam(model, np.ones((1, 8, 8, 3)), layer="unused")


@pytest.mark.parametrize("method", [cam, grad_cam, guided_grad_cam], ids=lambda f: f.__name__)
@pytest.mark.parametrize(
    "options, says",
    [
        (dict(images=np.zeros((1, 8, 10, 3), "uint8")), "net.preprocess"),
        (dict(images=np.zeros((8, 10, 3))), r"images\[None\]"),
        (dict(target=3), "from 0 to 2"),
        (dict(target=[0, 1]), "4 class numbers"),
        (dict(batch_size=0), "batch_size"),
    ],
)
def test_bad_arguments_get_one_sentence(method, options, says):
    with pytest.raises(ValueError, match=says):
        method(pooled(), **{"images": np.zeros((4, 8, 10, 3)), **options})


@pytest.mark.parametrize("method", [cam, grad_cam, guided_grad_cam], ids=lambda f: f.__name__)
def test_batches_change_nothing_and_nothing_is_traced_twice_or_left(method):
    model, x = (
        last_of(layers.GlobalAveragePooling2D()),
        np.random.default_rng(0).normal(size=(5, 8, 8, 3)),
    )
    calls, body = [], model.get_layer("conv")
    plain = body.call
    body.__dict__["call"] = own = lambda *a, **k: calls.append(1) or plain(*a, **k)
    whole = method(model, x, 0)
    traced = len(calls)
    before = [
        {k: id(v) for k, v in vars(layer).items()} for layer in (model, *model._flatten_layers())
    ]
    np.testing.assert_allclose(
        method(model, x, 0, batch_size=2), whole, atol=1e-6 * np.abs(whole).max()
    )
    other = method(model, x, 1)
    method(model, x, None)
    assert (
        len(calls) == traced > 0
        and np.abs(other - whole).max() > 0
        and body.__dict__["call"] is own
    )
    assert [
        {k: id(v) for k, v in vars(layer).items()} for layer in (model, *model._flatten_layers())
    ] == before


def test_maps_are_weighed_batch_by_batch(monkeypatch):
    """Only what is kept grows with the number of pictures: the maps of a shallow layer are many times a picture."""
    model, sizes, whole = pooled(), [], np.einsum
    monkeypatch.setattr(
        np,
        "einsum",
        lambda how, maps, weights: sizes.append(len(maps)) or whole(how, maps, weights),
    )
    assert grad_cam(model, np.ones((5, 8, 10, 3)), 0, layer="body", batch_size=2).shape == (5, 6, 8)
    assert sizes == [2, 2, 1]

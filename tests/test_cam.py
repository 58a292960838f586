"""Class maps: closed forms, every model shape, where the last map is, and how maps are enlarged."""

import keras
import numpy as np
import pytest
import shapes
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers

import vizlib
from vizlib import (
    cam,
    class_maps,
    engine,
    grad_cam,
    grad_cam_plus_plus,
    guided_grad_cam,
    hires_cam,
    receptive_field,
    upsample,
)


def test_a_value_stands_at_the_middle_of_its_cell():
    """7 -> 224: cells of 32 pixels. Pixel p stands at (p + 1/2) / 32 - 1/2 on the map."""
    row = np.random.default_rng(0).normal(size=7).astype("float32")
    maps = np.broadcast_to(row, (2, 7, 7))
    wide = np.interp((np.arange(224) + 0.5) / 32 - 0.5, np.arange(7), row)
    np.testing.assert_allclose(
        upsample(maps, 224), np.broadcast_to(wide, (2, 224, 224)), rtol=1e-5, atol=1e-5
    )
    turned = upsample(maps.swapaxes(1, 2), 224)
    np.testing.assert_allclose(
        turned, np.broadcast_to(wide[:, None], (2, 224, 224)), rtol=1e-5, atol=1e-5
    )


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


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.tuples(*[st.integers(1, 9)] * 3), st.tuples(*[st.integers(1, 40)] * 2), st.integers(0, 2))
def test_enlarged_and_shrunk_as_tensorflow_does(shape, size, channels):
    maps = np.random.default_rng(0).normal(size=(*shape, *[3] * (channels > 0))).astype("float32")
    want = tf.image.resize(maps.reshape(*shape, -1), size).numpy().reshape(shape[0], *size, -1)
    np.testing.assert_allclose(
        upsample(maps, size).reshape(want.shape), want, atol=1e-6 * max(1, np.abs(maps).max())
    )


def test_equal_neighbours_stay_exactly_equal():
    """What ties with a threshold on the map ties with it on the image."""
    maps = np.full((1, 7, 5), 3.3, "float32")
    assert (upsample(maps, (50, 61)) == np.float32(3.3)).all()


BLANK, EVERYWHERE = np.zeros((1, 7, 7)), vizlib.ReceptiveField((9, 9), (0, 0), (0, 0))


@pytest.mark.parametrize(
    "maps, size, options, says",
    [
        (np.zeros((7, 7)), 224, {}, r"the shape \(N, h, w\) or \(N, h, w, C\), not \(7, 7\)"),
        (np.zeros((1, 7, 7, 3, 1)), 224, {}, "Maps have the shape"),
        (np.zeros((0, 7, 7)), 224, {}, "Maps have the shape"),
        (3.0, 224, {}, "Maps have the shape"),
        ("maps", 224, {}, "Maps must be real numbers"),
        (None, 224, {}, "Maps must be real numbers"),
        (np.full((1, 7, 7), np.nan), 224, {}, "Maps hold NaN"),
        (np.full((1, 7, 7), 1e300), 224, {}, "Maps hold numbers beyond 1e38: divide them"),
        (BLANK * 1j, 224, {}, "Maps must be real numbers"),
        *[
            (BLANK, size, {}, "size is a whole number")
            for size in (0, (4, -1), 2.5, "224", None, [], (1, 2, 3), True, np.zeros(()))
        ],
        *[
            (BLANK, 224, dict(field=field), "field")
            for field in (
                3, "conv", ((1, 1), (1, 1), (0, 0)), EVERYWHERE, EVERYWHERE._replace(stride=3),
                EVERYWHERE._replace(stride=(1, 1), offset=None),
            )
        ],
    ],
)  # fmt: skip
def test_what_cannot_be_enlarged_gets_one_sentence(maps, size, options, says):
    with pytest.raises(ValueError, match=says):
        upsample(maps, size, **options)


METHODS = [cam, grad_cam, hires_cam, grad_cam_plus_plus, guided_grad_cam]


# ---- maps lie where their units look -------------------------------------------------------------


def detector(kernel, strides=1, padding="valid", name=None):
    """A convolution that looks at the middle of its window only: one pixel, or the four there."""
    layer = layers.Conv2D(1, kernel, strides, padding, use_bias=False, name=name)

    def middle(shape, dtype=None):
        taps = np.zeros(shape, dtype)
        rows, columns = ({(n - 1) // 2, n // 2} for n in shape[:2])
        for row in rows:
            for column in columns:
                taps[row, column] = 1 / len(rows) / len(columns)
        return taps

    layer.kernel_initializer = middle
    return layer


PLACED = {
    "valid": [detector(3), detector(5)],
    "valid, strided": [detector(3, 2), detector(3, 2), detector(3, 2)],
    "same": [detector(3, padding="same"), detector(5, padding="same")],
    "same, strided": [detector(3, 2, "same"), detector(5, 2, "same")],
    "padded": [layers.ZeroPadding2D(3), detector(7, 2),
               layers.ZeroPadding2D(((0, 1), (2, 1))), detector(3, 2)],
    "even": [detector(4, 2), detector(2)],
    "even, same": [detector(2, 2, "same"), detector(4, 1, "same")],
    "oblong": [detector((3, 5), (1, 3)), detector((5, 1), (2, 1), "same")],
    "cropped": [layers.Cropping2D(((5, 0), (1, 3))), detector(3, 2)],
}  # fmt: skip


@pytest.mark.parametrize("name", PLACED)
@pytest.mark.parametrize("size", [(40, 44), (41, 37)])
def test_the_peak_lies_on_the_pixel(name, size):
    """A bright spot in the middle of a unit's window: there and nowhere else is the map's peak."""
    model = keras.Sequential([keras.Input((*size, 1)), *PLACED[name]])
    field = receptive_field(model, model.layers[-1], size)
    rows, columns = model.output_shape[1:3]
    for unit in [(1, 1), (rows // 2, columns // 3), (rows - 2, columns - 2)]:
        top, left, bottom, right = field.box(*unit)
        spot = np.zeros((1, *size, 1), "float32")
        middle = [{(a + b - 1) // 2, (a + b) // 2} for a, b in ((top, bottom), (left, right))]
        spot[0, min(middle[0]) : max(middle[0]) + 1, min(middle[1]) : max(middle[1]) + 1] = 1
        maps = vizlib.activations(model, spot, model.layers[-1])
        assert maps[0, *unit, 0] == maps.max() > 0
        large = upsample(maps, size, field=field)[0, ..., 0]
        np.testing.assert_array_equal(large.round(5) == large.round(5).max(), spot[0, ..., 0] > 0)


def test_outside_the_outer_middles_the_edge_goes_on():
    field = vizlib.ReceptiveField((3, 3), (4, 4), (2, -1))  # middles at rows 3, 7, columns 0, 4
    large = upsample(np.array([[[0, 4], [8, 12]]]), (10, 6), field=field)[0]
    rows = [0, 0, 0, 0, 2, 4, 6, 8, 8, 8]
    np.testing.assert_array_equal(large, np.add.outer(rows, [0, 1, 2, 3, 4, 4]))


def test_squeezenets_last_map_lies_further_in():
    """Valid convolution and pooling: at 227 pixels the middles are 15 + 16 i, not 8.2 + 17.5 i."""
    pool = layers.MaxPooling2D(3, 2)
    fire = layers.Conv2D(2, 3, padding="same")
    model = keras.Sequential([keras.Input((227, 227, 3)), layers.Conv2D(2, 3, 2)])
    for part in (pool, fire, layers.MaxPooling2D(3, 2), layers.Conv2D(2, 3, padding="same")):
        model.add(part)
    model.add(layers.MaxPooling2D(3, 2, name="last"))
    field = receptive_field(model, "last", 227)
    boxes = field.box(np.arange(13), 0)
    np.testing.assert_array_equal((boxes[:, 0] + boxes[:, 2] - 1) / 2, 15 + 16 * np.arange(13))


@pytest.mark.parametrize("size", [96, 224])
def test_behind_same_padding_and_pooling_in_twos_nothing_changes(size):
    """VGG and pocket: the middles of windows are the middles of an even grid's cells."""
    x = y = keras.Input((size, size, 1))
    for _ in range(4):
        y = layers.MaxPooling2D()(layers.Conv2D(1, 3, padding="same")(y))
    model = keras.Model(x, layers.Conv2D(1, 3, padding="same", name="last")(y))
    maps = np.random.default_rng(0).normal(size=(2, size // 16, size // 16))
    field = receptive_field(model, "last", size)
    np.testing.assert_array_equal(upsample(maps, size, field=field), upsample(maps, size))


def test_guided_grad_cam_places_its_map():
    """Valid and strided: with the map spread over the whole image, the pixel would be missed."""
    body = [keras.Input((21, 21, 1)), detector(3, 2), layers.ReLU(), detector(3, 2), layers.ReLU()]
    model = keras.Sequential([*body, layers.GlobalAveragePooling2D(), layers.Dense(2)])
    model.layers[-1].set_weights([np.ones((1, 2)), np.zeros(2)])
    image = np.zeros((1, 21, 21, 1))
    image[0, 3, 7] = 1  # the middle of unit (0, 1): 3 + 4 i
    fine, coarse = vizlib.guided_backprop(model, image, 0), grad_cam(model, image, 0)
    assert coarse[0, 0, 1] == coarse.max() > 0 and np.count_nonzero(coarse) == 1
    found = guided_grad_cam(model, image, 0)
    assert found[0, 3, 7, 0] == fine[0, 3, 7, 0] * coarse.max() > 0
    field = receptive_field(model, None, 21)
    np.testing.assert_array_equal(found, fine * upsample(coarse, 21, field=field)[..., None])


def test_without_a_window_the_map_is_spread_over_the_image():
    x = keras.Input((8, 8, 1))
    y = layers.UpSampling2D()(
        layers.Conv2D(2, 3, padding="same", activation="relu")(layers.MaxPooling2D()(x))
    )
    model = keras.Model(x, layers.Dense(2)(layers.Flatten()(y)))
    image = np.random.default_rng(0).normal(size=(1, 8, 8, 1))
    coarse, fine = grad_cam(model, image, 0), vizlib.guided_backprop(model, image, 0)
    np.testing.assert_array_equal(
        guided_grad_cam(model, image, 0), fine * upsample(coarse, 8)[..., None]
    )


# ---- worked by hand ------------------------------------------------------------------------------


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
        np.testing.assert_allclose(
            grad_cam(model, PICTURE, k, relu=False), SIGNED[k], rtol=1e-5, atol=1e-6
        )
        np.testing.assert_allclose(
            grad_cam(model, PICTURE, k), np.maximum(SIGNED[k], 0), rtol=1e-5, atol=1e-6
        )
    assert not grad_cam(
        model, PICTURE, 1
    ).any()  # nothing speaks for the class: a map of zeros, and no warning
    assert grad_cam(model, PICTURE, 1).dtype == np.float32


def test_cam_by_hand():
    model = small(layers.GlobalAveragePooling2D(), layers.Dense(2, activation="softmax"))
    model.layers[-1].set_weights([np.array([[2.0, -1.0], [-0.5, -1.0]]), np.array([5.0, 7.0])])
    for k in (0, 1):
        found = cam(model, PICTURE, k)
        np.testing.assert_allclose(found, SIGNED[k], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(
            found.mean() + [5, 7][k], vizlib.logits(model, PICTURE)[0, k], rtol=1e-6
        )
        np.testing.assert_allclose(
            4 * grad_cam(model, PICTURE, k, relu=False), SIGNED[k], rtol=1e-5, atol=1e-6
        )  # h * w = 4


def by_hand():
    """Gradients by the maps: (positions, maps) x classes."""
    model = small(layers.Flatten(), layers.Dense(2))
    first = [[1, -2], [-1, 0], [2, -3], [-1, -1], [3, 0], [-1, -2], [2, 1], [1, -1]]
    model.layers[-1].set_weights([np.array(first, float), np.array([5.0, 7.0])])
    return model


def test_hires_cam_by_hand():
    """Maps [[1, 0], [3, 0]] and [[0, 2], [0, 0]], times the gradients at their positions."""
    model = by_hand()
    want = [[[[1, -2], [9, 0]]], [[[-2, -2], [0, 0]]]]
    for k in (0, 1):
        found = hires_cam(model, PICTURE, k, relu=False)
        np.testing.assert_allclose(found, want[k], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(
            hires_cam(model, PICTURE, k), np.maximum(want[k], 0), rtol=1e-5, atol=1e-6
        )
        # one linear layer follows: the map sums to the logit less the bias
        bias = [5, 7][k]
        np.testing.assert_allclose(
            found.sum() + bias, vizlib.logits(model, PICTURE)[0, k], rtol=1e-5
        )


def test_grad_cam_plus_plus_by_hand():
    """Sums of the maps 4 and 2; of each positive gradient g, g / (2 + 4 g) or g / (2 + 2 g)."""
    weights = [
        [1 / 6 + 2 / 10 + 3 / 14 + 2 / 10, 1 / 4],  # class 0: gradients 1, 2, 3, 2 and 1
        [1 / 6, 0],  # class 1: 1, and none
    ]
    for k, (first, second) in enumerate(weights):
        want = [[[first, 2 * second], [3 * first, 0]]]
        np.testing.assert_allclose(grad_cam_plus_plus(by_hand(), PICTURE, k), want, rtol=1e-6)


def test_grad_cam_plus_plus_is_the_papers_equation():
    """Equation 19 with the derivatives of exp(score), by three nested tapes."""
    rng = np.random.default_rng(0)
    maps, kernel = tf.constant(rng.random((1, 2, 2, 3))), rng.normal(size=(12, 1))

    def score(a):
        return tf.exp(tf.reshape(a, (1, 12)) @ kernel)[0, 0]

    def derivative(function):
        def of(t):
            with tf.GradientTape() as tape:
                tape.watch(t)
                value = function(t)
            return tape.gradient(value, t)

        return of

    first, second, third = (np.zeros((1, 2, 2, 3)) for _ in range(3))
    for at in np.ndindex(first.shape):  # each value is differentiated for itself
        spot = np.zeros(first.shape)
        spot[at] = 1
        order, zero = (lambda t, spot=spot: score(maps + t * spot)), tf.constant(0.0, tf.float64)
        for values in (first, second, third):
            order = derivative(order)
            values[at] = order(zero)
    alpha = second / (2 * second + maps.numpy().sum((1, 2), keepdims=True) * third)
    weights = (alpha * np.maximum(first, 0)).sum((1, 2)) / score(
        maps
    ).numpy()  # its positive factor
    want = np.einsum("nhwc,nc->nhw", maps.numpy(), weights)

    model = keras.Sequential(
        [keras.Input((2, 2, 3)), layers.ReLU(), layers.Flatten(), layers.Dense(1)]
    )
    model.layers[-1].set_weights([kernel, np.zeros(1)])
    found = grad_cam_plus_plus(model, maps.numpy(), 1, layer=model.layers[0])
    np.testing.assert_allclose(found, want, rtol=1e-5)


def test_grad_cam_plus_plus_refuses_maps_below_zero():
    model = keras.Sequential(
        [
            keras.Input((2, 2, 1)),
            layers.Conv2D(1, 1, name="conv"),
            layers.Flatten(),
            layers.Dense(1),
        ]
    )
    model.set_weights([-np.ones((1, 1, 1, 1)), np.zeros(1), np.ones((4, 1)), np.zeros(1)])
    with pytest.raises(ValueError, match="choose a layer after its ReLU"):
        grad_cam_plus_plus(model, np.ones((1, 2, 2, 1)), 1, layer="conv")


def test_the_score_that_is_differentiated():
    """The gradient of p by the logit is p (1 - p): every class map is that times the logit's."""
    model = small(layers.Flatten(), layers.Dense(1, activation="sigmoid"))
    p = vizlib.probabilities(model, PICTURE)[0, 0]
    for method in (grad_cam, hires_cam):
        logit = method(model, PICTURE, 1, relu=False)
        for score in ("probability", "output"):
            found = method(model, PICTURE, 1, relu=False, score=score)
            np.testing.assert_allclose(found, p * (1 - p) * logit, rtol=1e-4)
    found = guided_grad_cam(model, PICTURE, 1, score="probability")  # both factors are
    logit = guided_grad_cam(model, PICTURE, 1)
    np.testing.assert_allclose(found, (p * (1 - p)) ** 2 * logit, rtol=1e-4)


def test_a_regression_has_only_its_output():
    model = by_hand()
    model.compile(loss="mse")
    for method in METHODS[1:]:
        with pytest.raises(ValueError, match="score='output'"):
            method(model, PICTURE, 0)
        found = method(model, PICTURE, 0, score="output")
        np.testing.assert_array_equal(found, method(by_hand(), PICTURE, 0))


# ---- networks that end in global average pooling -------------------------------------------------


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
    """A network, images, its last maps, its dense layer's weights (C, K) and bias (K,).

    K is 2 for both sides of a single unit.
    """
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
        np.testing.assert_allclose(found, maps @ kernel[:, k], rtol=1e-5, atol=1e-5)
        logits = vizlib.logits(model, x)
        logits = np.hstack([-logits, logits]) if logits.shape[1] == 1 else logits
        np.testing.assert_allclose(found.mean((1, 2)) + bias[k], logits[:, k], rtol=1e-5, atol=1e-5)
    each = np.array([1, 0, 0, 1])
    np.testing.assert_allclose(
        cam(model, x, each, batch_size=3),
        np.stack([m @ kernel[:, k] for m, k in zip(maps, each)]),
        rtol=1e-5,
        atol=1e-5,
    )
    best = (maps.mean((1, 2)) @ kernel + bias).argmax(1)  # of a single unit: the predicted side
    assert len(set(best)) > 1 or len(bias) == 3
    out = vizlib.find_layer(model, "out")
    if (out.units, out.activation.__name__) == (1, "linear"):
        best = 1  # a mere number has no sides
    for method in (cam, grad_cam):
        np.testing.assert_array_equal(method(model, x), method(model, x, best))


def test_grad_cam_is_relu_of_cam_over_the_number_of_places(pooling):
    model, x, maps, kernel, _ = pooling
    for k in range(kernel.shape[1]):
        want = cam(model, x, k)
        np.testing.assert_allclose(
            maps[0].shape[0] * maps[0].shape[1] * grad_cam(model, x, k, relu=False),
            want,
            rtol=1e-5,
            atol=1e-5,
        )
        np.testing.assert_allclose(
            maps[0].shape[0] * maps[0].shape[1] * grad_cam(model, x, k),
            np.maximum(want, 0),
            rtol=1e-5,
            atol=1e-5,
        )


def test_hires_cam_is_cam_over_the_number_of_positions(pooling):
    model, x, maps, _, _ = pooling
    for k in range(2):
        found = maps[0, ..., 0].size * hires_cam(model, x, k, relu=False)
        np.testing.assert_allclose(found, cam(model, x, k), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("stride", [1, 6])
def test_cam_where_one_window_of_an_average_pooling_takes_in_the_map(stride):
    """As older networks end, ResNet50 of the first Keras for instance."""
    keras.utils.set_random_seed(0)
    conv = layers.Conv2D(5, 3, activation="relu", name="maps")
    pool = layers.AveragePooling2D((6, 8), strides=stride)
    parts = [conv, pool, layers.Flatten(), layers.Dense(3, "softmax", name="out")]
    model = keras.Sequential([keras.Input((8, 10, 3)), *parts])
    x = np.random.default_rng(0).normal(size=(2, 8, 10, 3))
    want = vizlib.activations(model, x, "maps") @ model.get_layer("out").kernel.numpy()[:, 1]
    np.testing.assert_allclose(cam(model, x, 1), want, rtol=1e-5, atol=1e-5)


def network_in_network(*head):
    """Each class has a map of its own, and its mean is the logit."""
    keras.utils.set_random_seed(0)
    body = [keras.Input((8, 10, 3)), layers.Conv2D(6, 3, activation="relu")]
    return keras.Sequential([*body, *head])


def classes(activation=None):
    return layers.Conv2D(3, 1, activation=activation, name="classes")


@pytest.mark.parametrize(
    "head",
    [
        [classes("relu"), layers.GlobalAveragePooling2D(), layers.Softmax()],
        [classes(), layers.GlobalAveragePooling2D(), layers.Activation("sigmoid")],
        [classes(), layers.GlobalAveragePooling2D()],
        [classes(), layers.GlobalAveragePooling2D(keepdims=True), layers.Flatten()],
        [classes(), layers.GlobalAveragePooling2D(keepdims=True), layers.Reshape((3,))],
    ],
)  # fmt: skip
def test_cam_where_each_class_has_a_map_of_its_own(head):
    model, x = network_in_network(*head), np.random.default_rng(0).normal(size=(4, 8, 10, 3))
    maps = vizlib.activations(model, x, "classes")
    for k in range(3):
        np.testing.assert_allclose(cam(model, x, k), maps[..., k], rtol=1e-5, atol=1e-6)
    best = maps.mean((1, 2)).argmax(1)
    np.testing.assert_allclose(cam(model, x), maps[np.arange(4), :, :, best], rtol=1e-5, atol=1e-6)


def test_cam_of_a_dense_layer_that_is_a_convolution():
    head = layers.GlobalAveragePooling2D(keepdims=True), layers.Conv2D(3, 1, name="out")
    model = network_in_network(*head, layers.Flatten())
    x = np.random.default_rng(0).normal(size=(2, 8, 10, 3))
    maps = vizlib.activations(model, x, model.layers[0])
    kernel = model.get_layer("out").get_weights()[0][0, 0]
    np.testing.assert_allclose(cam(model, x, 1), maps @ kernel[:, 1], rtol=1e-5, atol=1e-6)


def test_cam_of_squeezenet():
    net = vizlib.load("squeezenet")
    x = np.random.default_rng(0).normal(0, 60, (1, *net.size, 3))
    maps = vizlib.activations(net.model, x, "conv10")
    for k in (0, 207):
        np.testing.assert_allclose(cam(net.model, x, k), maps[..., k], rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(maps.mean((1, 2)), vizlib.logits(net.model, x), rtol=1e-5, atol=1e-4)
    field = receptive_field(net.model, None, net.size)
    first, second = field.box(np.arange(2), 0)[:, ::2].mean(1) - 0.5
    assert (first, second - first) == (15, 16)


def test_half_precision():
    keras.utils.set_random_seed(0)
    half = dict(dtype="mixed_float16")
    model = keras.Sequential(
        [
            keras.Input((16, 16, 3)),
            layers.Conv2D(8, 3, activation="relu", name="conv", **half),
            layers.GlobalAveragePooling2D(**half),
            layers.Dense(3, activation="softmax", dtype="float32"),
        ]
    )
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


# ---- every model shape ---------------------------------------------------------------------------


@pytest.fixture(scope="module", params=shapes.SHAPES, ids=lambda f: f.__name__)
def case(request):
    return shapes.build(request.param)


def reference(x, w, seed):
    """Grad-CAM without its ReLU, (N, 4, 4), where the score's gradient by the logits is `seed`."""
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
    sides[None] = shapes.predicted(model, x, w)
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
        gradients, maps = engine.backward(model, x, 2, at=layer)
        assert grad_cam(model, x, 2, layer=layer).shape == maps.shape[:3]
        close(
            grad_cam(model, x, 2, layer=layer, relu=False),
            (maps * gradients.mean((1, 2), keepdims=True)).sum(-1),
        )


def test_guided_grad_cam_is_the_product(case):
    model, _, x, last = case
    spoken = []
    for options in (
        {},
        {"target": 0},
        {"target": 1},
        {"layer": last},
        {"layer": "conv1"},
        {"batch_size": 2},
    ):
        found = guided_grad_cam(model, x, **options)
        coarse = upsample(grad_cam(model, x, **options), shapes.SIZE)
        options.pop("layer", None)
        fine = vizlib.guided_backprop(model, x, **options)
        assert found.shape == x.shape and coarse.shape == x.shape[:3]
        np.testing.assert_allclose(
            found, fine * coarse[..., None], atol=1e-6 * np.abs(fine).max() * coarse.max()
        )
        spoken.append(found.any())
    assert any(spoken)


def test_guided_grad_cam_refuses_what_the_guided_rule_refuses():
    x, y = stem()
    y = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3, activation="silu", name="swish")(y))
    model, x = keras.Model(x, layers.Dense(2)(y)), np.ones((1, 8, 10, 3))
    assert grad_cam(model, x).shape == (1, 4, 6)
    with pytest.raises(ValueError, match="guided rule.*swish"):
        guided_grad_cam(model, x)


# ---- the last feature map ------------------------------------------------------------------------


def last_is(model, x, layer):
    found = engine.forward(model, x, engine.Implied.LAST_MAP)
    want = vizlib.activations(model, x, layer)
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


def test_tokens_are_no_map():
    with pytest.raises(ValueError, match="stand tokens .* name a layer that gives feature maps"):
        grad_cam(last_of(attention), np.ones((2, 8, 8, 3)))


def several_answers_in_a_vector(y):
    y = layers.GlobalAveragePooling2D()(layers.ReLU(name="last")(conv()(y)))
    return keras.ops.max(layers.Reshape((5, 3))(layers.Dense(15)(y)), 2)


def attention_and_a_convolution(y):
    tokens = layers.Reshape((64, 4))(y)
    y = layers.Reshape((8, 8, 4))(layers.MultiHeadAttention(2, 3)(tokens, tokens))
    return layers.Flatten()(conv(name="last")(y))


@pytest.mark.parametrize(
    "build",
    [add_then_pool, concatenate_then_pool, padded_pooled_and_flattened, turned_and_flattened,
     a_head_of_convolutions, gated, several_answers_in_a_vector, attention_and_a_convolution],
    ids=lambda f: f.__name__,
)  # fmt: skip
def test_the_last_feature_map(build):
    last_is(last_of(build), np.random.default_rng(0).normal(size=(2, 8, 8, 3)), "last")


def grouped(y):
    return layers.ReLU(name="last")(layers.GroupNormalization(2)(y))


def grouped_and_a_convolution(y):
    return conv(name="last")(layers.GroupNormalization(2)(y))


def enlarged(y):
    return layers.ReLU(name="last")(layers.UpSampling2D(3)(y))


def shuffled(y):
    def shuffle(y):
        sides = tf.shape(y)[1:3]
        y = tf.reshape(y, tf.concat([[-1], sides, [2, 2]], 0))
        return tf.reshape(tf.transpose(y, (0, 1, 2, 4, 3)), tf.concat([[-1], sides, [4]], 0))

    return conv(name="last")(layers.Lambda(shuffle, output_shape=y.shape[1:])(y))


def channels_first_in_between(y):
    y = layers.Permute((3, 1, 2))(y)
    y = layers.Permute((2, 3, 1))(y - keras.ops.mean(y, 1, keepdims=True))
    return layers.ReLU(name="last")(y)


def places_to_channels(y):
    y = layers.Permute((1, 3, 2, 4, 5))(layers.Reshape((4, 2, 4, 2, 4))(y))
    return conv(name="last")(layers.Reshape((4, 4, 16))(y))


def channels_to_places(y):
    y = layers.Permute((1, 3, 2, 4, 5))(layers.Reshape((8, 8, 2, 2, 1))(y))
    return layers.ReLU(name="last")(layers.Reshape((16, 16, 1))(y))


@pytest.mark.parametrize(
    "build, sizes",
    [
        (grouped, (8, None)),
        (grouped_and_a_convolution, (8, None)),
        (enlarged, (8, None)),
        (shuffled, (8, None)),
        (channels_first_in_between, (8, None)),
        (places_to_channels, (8,)),
        (channels_to_places, (8,)),
    ],
    ids=lambda f: getattr(f, "__name__", ""),
)
def test_a_map_is_followed_through_other_axes(build, sizes):
    for side in sizes:
        keras.utils.set_random_seed(0)
        x = keras.Input((side, side, 3))
        y = layers.GlobalAveragePooling2D()(build(conv()(x)))
        model = keras.Model(x, layers.Dense(3)(y))
        last_is(model, np.random.default_rng(0).normal(size=(2, 8, 8, 3)), "last")


class PooledByHeads(layers.Layer):
    """Attention pooling: (N, tokens, heads, C) have four axes, and are no map."""

    def build(self, shape):
        self.query = self.add_weight(shape=(2, 2))

    def call(self, y):
        tokens = tf.reshape(y, (-1, 64, 2, 2))
        share = tf.nn.softmax(tf.reduce_sum(tokens * self.query, -1), 1)
        return tf.reshape(tf.reduce_sum(tokens * share[..., None], 1), (-1, 4))


def in_another_grid(y):
    return layers.GlobalAveragePooling2D()(layers.Dense(4)(layers.Reshape((4, 16, 4))(y)))


@pytest.mark.parametrize("head", [PooledByHeads(), in_another_grid])
def test_four_axes_alone_are_no_map(head):
    x = keras.Input((8, 8, 3))
    model = keras.Model(x, layers.Dense(3)(head(conv(name="before")(x))))
    for method in (grad_cam, vizlib.hires_cam):
        with pytest.raises(ValueError, match="stand tokens"):
            method(model, np.ones((2, 8, 8, 3)))
    assert grad_cam(model, np.ones((2, 8, 8, 3)), layer="before").shape == (2, 8, 8)


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
    found = engine.forward(model, x, engine.Implied.LAST_MAP)
    want = keras.Model(model.input, pool.input)(x, training=False).numpy()
    np.testing.assert_allclose(found, want, atol=1e-5 * np.abs(want).max())
    assert found.std() > 0 and found.shape[1] > 1


# ---- what must raise, and what must not happen ---------------------------------------------------


def test_networks_and_layers_without_maps():
    x = np.ones((1, 8, 8, 3))
    dense = keras.Sequential(
        [keras.Input((8, 8, 3)), layers.Flatten(), layers.Dense(4, name="first"), layers.Dense(2)]
    )
    for method in METHODS[1:]:
        with pytest.raises(ValueError, match="no feature map between the images and the score"):
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
    with pytest.raises(ValueError, match="does not depend on the images"):
        vizlib.gradient(blind, np.ones((1, 8, 8, 3)))
    with pytest.raises(ValueError, match="unused"):
        grad_cam(model, np.ones((1, 8, 8, 3)), layer="unused")


@pytest.mark.parametrize("method", METHODS, ids=lambda f: f.__name__)
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


@pytest.mark.parametrize("method", METHODS, ids=lambda f: f.__name__)
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


def test_a_method_of_your_own_is_one_function_that_weighs_batch_by_batch():
    """LayerCAM; and only what is kept grows with the number of images."""
    model, x, sizes = pooled(), np.random.default_rng(0).normal(size=(5, 8, 10, 3)), []

    def weigh(gradients, maps):
        sizes.append(len(maps))
        return (np.maximum(gradients, 0) * maps).sum(-1)

    found = class_maps._class_map(weigh, model, x, 0, "body", relu=True, batch_size=2)
    gradients, maps = engine.backward(model, x, 0, at="body")
    np.testing.assert_allclose(
        found, (np.maximum(gradients, 0) * maps).sum(-1), rtol=1e-5, atol=1e-6
    )
    assert sizes == [2, 2, 1]


def unet():
    x = keras.Input((16, 16, 3))
    y = layers.Conv2D(4, 3, padding="same", activation="relu", name="down")(x)
    low = layers.Conv2D(4, 3, padding="same", activation="relu", name="bottom")(
        layers.MaxPooling2D()(y)
    )
    y = layers.Concatenate()([y, layers.UpSampling2D()(low)])
    return keras.Model(x, layers.Conv2D(1, 1, activation="sigmoid", name="mask")(y))


@pytest.mark.parametrize(
    "method", [grad_cam, hires_cam, grad_cam_plus_plus], ids=lambda f: f.__name__
)
def test_a_function_of_a_mask(method):
    """The mean of a segmentation: class maps of a layer that is named, by a tape of our own."""
    keras.utils.set_random_seed(0)
    model, x = unet(), np.random.default_rng(0).normal(size=(2, 16, 16, 3)).astype("float32")
    both = keras.Model(model.input, [model.get_layer("bottom").output, model.output])
    with tf.GradientTape() as tape:
        maps, mask = both(x)
        logits = tf.math.log(mask / (1 - mask))
        value = tf.reduce_mean(logits, (1, 2, 3))
    g, a = tape.gradient(value, maps).numpy(), maps.numpy()
    total = a.sum((1, 2), keepdims=True)
    weights = {
        grad_cam: g.mean((1, 2), keepdims=True),
        hires_cam: g,
        grad_cam_plus_plus: (np.maximum(g, 0) / (2 + np.maximum(g, 0) * total)).sum(
            (1, 2), keepdims=True
        ),
    }[method]
    found = method(model, x, lambda z: tf.reduce_mean(z, (1, 2, 3)), layer="bottom")
    close(found, np.maximum((weights * a).sum(-1), 0))

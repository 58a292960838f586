"""Receptive fields against the support of the gradient, and what has none says why."""

import keras
import numpy as np
import pytest
import shapes
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers

import vizlib
from vizlib import engine
from vizlib.engine import windows


def positive(model, seed=0):
    """All weights positive and no bias, so that no path cancels another and no ReLU is closed."""
    rng = np.random.default_rng(seed)
    known = dict(bias=0.0, beta=0.0, moving_mean=0.0, gamma=1.0, moving_variance=1.0)
    for variable in model.variables:
        value = known.get(variable.path.rsplit("/", 1)[-1])
        if value is None:
            fan = int(np.prod(variable.shape[:-1])) or 1
            value = rng.uniform(0.5, 1.5, variable.shape) / fan
        variable.assign(np.broadcast_to(value, variable.shape))
    return model


def support(model, layer, size, unit):
    """(top, left, bottom, right) of the pixels on which a unit depends."""
    x = np.random.default_rng(0).uniform(1, 2, (1, *size, model.input_shape[-1])).astype("float32")
    # Of branches put side by side: one channel of each.
    last = vizlib.activations(model, x, layer).shape[-1] - 1
    touched = sum(
        np.abs(engine.backward(model, x, layer=layer, unit=(*unit, c))[0][0]).max(-1)
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
    assert not field.whole
    averaging(model)
    blank = np.zeros((1, *size, model.input_shape[-1]), "float32")
    shape = vizlib.activations(model, blank, layer).shape[1:3]
    units = [(0, 0), (shape[0] // 2, shape[1] // 2), (shape[0] - 1, shape[1] - 1)]
    inside = 0
    for unit in units:
        box = field.box(*unit)
        clipped = [*np.maximum(box[:2], 0), *np.minimum(box[2:], size)]
        inside += list(box) == clipped
        assert list(support(model, layer, size, unit)) == clipped, (layer, size, unit)
    assert inside or not unclipped, "every box is clipped: this proves nothing"


def chain(*steps):
    def build(size, channels=2):
        x = y = keras.Input((*size, channels))
        for i, step in enumerate(steps):
            y = step(f"step{i}")(y)
        return keras.Model(x, y)

    return build


def conv(k, s=1, p="same", d=1, activation="relu", **options):
    options |= dict(dilation_rate=d, activation=activation)
    return lambda name: layers.Conv2D(2, k, s, p, name=name, **options)


def step(call):
    return lambda name: layers.Lambda(call, name=name)


def keras_layer(kind, *args, **options):
    return lambda name: kind(*args, name=name, **options)


def tokens_and_back(y):
    rows, columns, channels = y.shape[1:]
    tokens = tf.reshape(y, (-1, rows * columns, channels))
    tokens = tokens - tf.reduce_mean(tokens, -1, keepdims=True) / 2
    return tf.reshape(tf.nn.softplus(tokens), (-1, rows, columns, channels))


LINEAR = dict(activation=None)
CHAINS = {
    "same": chain(conv(3), conv(5)),
    "valid": chain(conv((3, 2), p="valid"), conv(4, p="valid")),
    "strides": chain(conv(3, 2), conv(4, 2), conv(3, (2, 1))),
    "strides_valid": chain(conv(3, 2, "valid"), conv(2, 3, "valid")),
    "dilated": chain(conv(3, d=2), conv(2, p="valid", d=3)),
    "pooled": chain(
        conv(3), keras_layer(layers.MaxPooling2D, 3, 2, "same"),
        keras_layer(layers.AveragePooling2D, 2), conv(3),
    ),
    "padded": chain(
        keras_layer(layers.ZeroPadding2D, ((1, 2), (0, 1))), conv(4, 2, "valid"), conv(3)
    ),
    "depthwise": chain(
        keras_layer(layers.DepthwiseConv2D, 3, 2, "same"), keras_layer(layers.BatchNormalization),
        conv(2),
    ),
    "separable": chain(keras_layer(layers.SeparableConv2D, 3, 3, padding="same"), conv(3, 2)),
    "grouped": chain(conv(3, groups=2), conv(3, 2, groups=2)),
    # valid: with "same", units at the border of what is cut out see less than their window
    "cropped": chain(
        conv(3), keras_layer(layers.Cropping2D, ((1, 2), (3, 0))), conv(3, 2, "valid")
    ),
    "sliced": chain(conv(3), step(lambda y: y[:, 1:-2:2, -30:, :]), conv(3, 2, "valid")),
    "space to depth": chain(
        conv(3), step(lambda y: tf.nn.space_to_depth(y[:, :34, :34], 2)), conv(3, p="valid")
    ),
    "scaled inside": chain(
        keras_layer(layers.Rescaling, 1 / 127.5, -1), step(lambda y: y / 2 - 1),
        conv(3, 2, **LINEAR),
    ),
    "normalised": chain(
        keras_layer(layers.Normalization, mean=[0.1, 0.2], variance=[1.0, 2.0]),
        conv(3, 2, **LINEAR),
    ),
    "channels turned": chain(step(lambda y: y[..., ::-1] - [3.0, 4.0]), conv(3, 2, **LINEAR)),
    "channels apart": chain(
        step(lambda y: tf.stack([y[..., 1], y[..., 0] / 3], -1)), conv(3, 2)
    ),
    "channels gathered": chain(step(lambda y: tf.gather(y, [1, 0, 0], axis=-1)), conv(3, 2)),
    "cast": chain(step(lambda y: tf.cast(tf.cast(y, "float64"), "float32")), conv(3, 2)),
    "swish": chain(
        conv(3, activation="swish"), conv(3, 2, activation="gelu"), conv(3, activation="mish")
    ),
    "softmax": chain(conv(3, activation="softmax"), conv(3, 2, activation="log_softmax")),
    "layer norm": chain(
        conv(3, **LINEAR), keras_layer(layers.LayerNormalization), conv(3, 2, **LINEAR)
    ),
    "dense": chain(
        conv(3), keras_layer(layers.Dense, 3, activation="gelu"), conv(3, 2),
        keras_layer(layers.Dense, 3, activation="gelu"),
    ),
    "einsum": chain(
        conv(3), keras_layer(layers.EinsumDense, "abcd,de->abce", (None, None, 3)), conv(3, 2)
    ),
    "tokens": chain(conv(3), step(tokens_and_back), conv(3, 2)),
    "clipped": chain(
        conv(3), step(lambda y: tf.where(y > 0.0, tf.clip_by_value(y, 0.0, 9.0), -y) ** 2),
        conv(3, 2),
    ),
    "split": chain(conv(3), step(lambda y: tf.add(*tf.split(y, 2, -1))), conv(3, 2)),
}  # fmt: skip


@pytest.mark.parametrize("name", CHAINS)
@pytest.mark.parametrize("size", [(36, 36), (37, 35)])
def test_the_window_is_the_support_of_the_gradient(name, size):
    model = positive(CHAINS[name](size))
    last = [layer.name for layer in model.layers if layer.name.startswith("step")]
    check(model, last[-1], size)
    if size == (36, 36):
        check(model, last[1], size)


# Dilated convolutions and what puts positions into one axis compute their shapes from the images'.
@pytest.mark.parametrize("name", sorted(CHAINS.keys() - {"dense", "dilated", "tokens"}))
def test_a_model_of_open_size_has_the_same_windows(name):
    last = f"step{len(CHAINS[name]((36, 36)).layers) - 2}"
    for size in ((36, 36), (37, 35)):
        fixed = vizlib.receptive_field(CHAINS[name](size), last, size)
        assert vizlib.receptive_field(CHAINS[name]((None, None)), last, size) == fixed


def test_an_open_size_that_hides_a_window_is_told():
    with pytest.raises(ValueError, match="only for a model of one size of images"):
        vizlib.receptive_field(CHAINS["dilated"]((None, None)), "step0", 36)


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
    model, _, _, last = shapes.build(shape)
    field = vizlib.receptive_field(model, last, shapes.SIZE)
    # conv 3, pool 2, conv 3: 3 + 1 + 2 * 2
    assert field == ((8, 8), (2, 2), (-3, -3), False)
    assert field.box(1, 2).tolist() == [-1, 1, 7, 9]
    assert vizlib.receptive_field(model, None, shapes.SIZE) == field  # the last feature map


@pytest.mark.parametrize(
    "name, size, layer",
    [
        ("VGG16", 151, "block4_conv1"), ("VGG16", 158, "block4_conv2"),
        ("ResNet50", 193, "conv3_block1_out"), ("ResNet50", 160, "conv2_block3_out"),
        ("MobileNetV2", 130, "block_5_add"), ("MobileNetV2", 161, "block_6_expand_relu"),
    ],
)  # fmt: skip
def test_networks_of_keras(name, size, layer):
    model = getattr(keras.applications, name)(
        weights=None, include_top=False, pooling="avg", input_shape=(size, size, 3)
    )
    check(positive(model), layer, (size, size))


@pytest.mark.slow
@pytest.mark.parametrize(
    "name, layer, want",
    [
        ("EfficientNetB0", "stem_activation", (3, 2, 0, False)),
        ("EfficientNetB0", "top_activation", (851, 32, -394, True)),
        ("MobileNetV3Small", "expanded_conv_2_add", None),
        ("ConvNeXtTiny", "convnext_tiny_stage_0_block_0_depthwise_conv", (28, 4, -12, False)),
        ("ConvNeXtTiny", "convnext_tiny_stage_2_block_1_identity", None),
        ("DenseNet121", "relu", None), ("InceptionV3", "mixed10", None),
        ("Xception", "block14_sepconv2_act", None), ("NASNetMobile", -3, None),
    ],
)  # fmt: skip
def test_other_networks_of_keras_have_windows(name, layer, want):
    model = getattr(keras.applications, name)(weights=None, classes=3)
    layer = model.layers[layer] if isinstance(layer, int) else layer  # Keras counts its names on
    field = vizlib.receptive_field(model, layer, model.input_shape[1] or 224)
    if want is not None:
        assert (field.size[0], field.stride[0], field.offset[0], field.whole) == want


def test_published_numbers():
    """Araujo, Norris, Sim 2019: VGG-16 sees 212 pixels behind its last pooling, 196 before it."""
    net = vizlib.load("vgg16", weights="random")
    assert vizlib.receptive_field(net.model, "block5_pool", 224).size == (212, 212)
    assert vizlib.receptive_field(net.model, "block5_conv3", 224)[:2] == ((196, 196), (16, 16))


# ---- models of other kinds -----------------------------------------------------------------------


def unet():
    x = keras.Input((16, 16, 1))
    fine = layers.Conv2D(2, 3, padding="same", name="down")(x)
    coarse = layers.Conv2D(2, 3, padding="same", name="bottom")(layers.MaxPooling2D(2)(fine))
    up = layers.Conv2DTranspose(2, 2, 2, name="up")(coarse)
    y = layers.Concatenate(name="joined")([fine, up])
    return keras.Model(x, layers.Conv2D(1, 1, activation="sigmoid", name="mask")(y))


def test_no_class_is_asked_for():
    model = unet()
    headless = keras.Model(model.input, model.get_layer("bottom").output)
    several = keras.Model(model.input, [model.output, model.get_layer("bottom").output])
    for one in (model, headless, several):
        assert vizlib.receptive_field(one, "bottom", 16) == ((8, 8), (2, 2), (-3, -3), False)


def test_a_subclassed_grey_model():
    class Grey(keras.Model):
        def __init__(self):
            super().__init__()
            self.conv = layers.Conv2D(2, 5, name="conv")

        def call(self, x, training=False):
            return self.conv(x)

    model = Grey()
    model(tf.zeros((1, 9, 9, 1)))
    assert vizlib.receptive_field(model, "conv", 20).size == (5, 5)


def gated(gate):
    x = keras.Input((16, 16, 2))
    y = layers.Conv2D(3, 3, 2, "same", name="conv")(x)
    y = layers.Multiply(name="gated")([y, gate(y)])
    return keras.Model(x, layers.Conv2D(3, 3, name="after")(y))


def squeezed(y):
    y = layers.Dense(3, activation="swish")(layers.GlobalAveragePooling2D()(y))
    return layers.Reshape((1, 1, 3))(layers.Dense(3, activation="sigmoid")(y))


def squeezed_by_convolution(y):
    return layers.Conv2D(3, 1, activation="sigmoid")(layers.GlobalMaxPooling2D(keepdims=True)(y))


def of_one_window(y):
    return layers.Conv2D(3, 8, activation="sigmoid")(y)


@pytest.mark.parametrize("gate", [squeezed, squeezed_by_convolution, of_one_window])
def test_a_gate_of_the_whole_image_is_told_and_leaves_the_window(gate):
    model = gated(gate)
    assert vizlib.receptive_field(model, "gated", 16) == ((3, 3), (2, 2), (0, 0), True)
    assert vizlib.receptive_field(model, "after", 16) == ((7, 7), (2, 2), (0, 0), True)


# ---- what has no window --------------------------------------------------------------------------


def after_conv(call):
    """One layer "last" behind a convolution."""
    x = keras.Input((16, 16, 2))
    y = layers.Conv2D(2, 3, padding="same", name="conv")(x)
    last = call if isinstance(call, layers.Layer) else layers.Lambda(call, name="last")
    return keras.Model(x, last(y))


def attention(y):
    tokens = tf.reshape(y, (-1, 256, 2))
    weights = tf.nn.softmax(tf.matmul(tokens, tokens, transpose_b=True))
    return tf.reshape(tf.matmul(weights, tokens), (-1, 16, 16, 2))


def two_strides(y):
    return y[:, :8, :8] + tf.nn.avg_pool2d(y, 2, 2, "VALID")


def apart(y):
    return y[:, :4, :4] + y[:, 8:12, 8:12]


def image_as_kernel(y):
    return tf.nn.conv2d(y, tf.transpose(y[:1, :3, :3], (1, 2, 3, 0)), 1, "SAME")


@pytest.mark.parametrize(
    "call, says",
    [
        (lambda y: tf.reduce_mean(y, (1, 2)), r"no place in the image: Mean \(.*\) takes in"),
        (lambda y: tf.reduce_mean(y, (1, 2), keepdims=True), "Mean .* takes in all of it"),
        (lambda y: y * 0 + tf.reduce_max(y, (1, 2), keepdims=True), None),
        (layers.Flatten(name="last"), r"no place in the image\. Choose"),
        (lambda y: tf.reshape(y, (-1, 512)) @ tf.ones((512, 4)), r"MatMul \(.*\) takes in all"),
        (attention, r"MatMul.* takes in all of it"),
        (lambda y: tf.math.cumsum(y, 1), "Cumsum .* takes in all"),
        (lambda y: tf.signal.fft2d(tf.cast(y, "complex64")), r"told: FFT2D \(.*\) is not known"),
        (lambda y: tf.transpose(y, (0, 2, 1, 3)), "Transpose .* moves the map"),
        (lambda y: y[:, ::-1], "the window of StridedSlice .* is not known"),
        (lambda y: tf.roll(y, 1, 2), "Roll .* moves the map"),
        (lambda y: tf.concat([y, y], 1), "ConcatV2 .* moves the map"),
        (lambda y: tf.image.resize(y, (32, 32)), "ResizeBilinear .* enlarges the map"),
        (layers.UpSampling2D(2, name="last"), "moves the map"),
        (layers.Conv2DTranspose(2, 3, 2, name="last"), "Conv2DBackpropInput .* enlarges"),
        (two_strides, "paths of different strides meet in AddV2"),
        (apart, "paths that see separate windows meet in AddV2"),
        (image_as_kernel, "cannot be told"),
        (lambda y: tf.ones_like(y), r"have no place in the image\. Choose"),
    ],
)  # fmt: skip
def test_what_has_no_window_says_why(call, says):
    model = after_conv(call)
    if says is None:
        assert vizlib.receptive_field(model, "last", 16).whole
        return
    with pytest.raises(ValueError, match=says) as error:
        vizlib.receptive_field(model, "last", 16)
    assert ("whole" in str(error.value) or "takes in" in str(error.value)) == ("takes in" in says)


@pytest.mark.parametrize(
    "call, says",
    [
        (lambda m: vizlib.receptive_field(None, "conv1", 8), "model is a keras.Model"),
        (lambda m: vizlib.receptive_field(m, "fc", 8), "no place in the image: MatMul"),
        (lambda m: vizlib.receptive_field(m, "conv7", 8), "did you mean"),
        (lambda m: vizlib.receptive_field(m, "conv1", 9), "takes images of shape"),
        *[
            (lambda m, size=size: vizlib.receptive_field(m, "conv1", size), "input_size is a whole")
            for size in (
                0, -8, 8.0, "8", None, True, (8, 0), (8, 8, 8), [], (8, None), [[8], [8, 8]],
                np.zeros(()), np.array([8.0, 8.0]),
            )
        ],
    ],
)  # fmt: skip
def test_bad_input_gets_one_sentence(call, says):
    model, *_ = shapes.build(shapes.fused)
    with pytest.raises(ValueError, match=says):
        call(model)


# ---- the table of operations ---------------------------------------------------------------------


def test_every_operation_stands_in_the_table_once_and_exists():
    names = [name for *_, names in windows._TABLE for name in names.split()]
    assert len(names) == len(set(names))
    assert not [name for name in names if not hasattr(tf.raw_ops, name)]
    assert {"MatMul", "Mul"} < windows.LINEAR_IN_ONE and "Mul" not in windows.WEIGHTED
    assert not windows.LINEAR & windows.GATES


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.data())
def test_a_window_tells_which_values_are_taken_and_how_many_there_are(data):
    """Sums over windows of a map of ones and of its coordinates, against the table."""

    def draw(low, high):
        return data.draw(st.integers(low, high))

    size = draw(8, 14), draw(8, 14)
    kernel, stride, dilation = (draw(1, 4), draw(1, 4)), (draw(1, 3), draw(1, 3)), draw(1, 2)
    kind = data.draw(st.sampled_from(["conv", "pool", "slice", "pad", "explicit"]))
    padding = data.draw(st.sampled_from(["VALID", "SAME"]))
    pads = [(draw(0, 2), draw(0, 2)) for _ in range(2)]
    begin, end = (draw(-size[0], 3), draw(0, 3)), (draw(-2, -1), draw(6, 20))

    def operation(x):
        if kind == "conv":
            steps = dict(dilations=dilation) if dilation > 1 else dict(strides=stride)
            return tf.nn.convolution(x, tf.ones((*kernel, 1, 1)), padding=padding, **steps)
        if kind == "explicit":
            return tf.nn.conv2d(x, tf.ones((*kernel, 1, 1)), stride, [(0, 0), *pads, (0, 0)])
        if kind == "pool":
            return tf.nn.avg_pool2d(x, kernel, stride, padding)
        if kind == "slice":
            return x[:, begin[0] : end[0] : stride[0], begin[1] : end[1] : stride[1]]
        return tf.pad(x, [(0, 0), *pads, (0, 0)])

    run = tf.function(operation).get_concrete_function(tf.TensorSpec((1, *size, 1)))
    window, map_size = windows.Window((1, 1)), size
    for op in run.graph.get_operations():
        if windows.sees(op) in ("window", "crop"):
            found = windows.of_operation(op, map_size)
            window = windows.Window(
                tuple(a + b - 1 for a, b in zip(window.kernel, found.kernel)),
                tuple(a * b for a, b in zip(window.stride, found.stride)),
                tuple(a + b for a, b in zip(window.before, found.before)),
            )
            map_size = found.size_after(map_size)
    for place in [(0, 0), (size[0] // 2, size[1] // 2), (size[0] - 1, size[1] - 1)]:
        spot = np.zeros((1, *size, 1), "float32")
        spot[0, place[0], place[1]] = 1
        made = run(tf.constant(spot))[0, ..., 0].numpy()
        assert made.shape == map_size
        grid = np.indices(map_size)
        starts = [s * g - b for s, g, b in zip(window.stride, grid, window.before)]
        taken = [(a <= p) & (p < a + k) for a, p, k in zip(starts, place, window.kernel)]
        assert not (made != 0)[~(taken[0] & taken[1])].any()
        if dilation == 1 or kind != "conv":
            np.testing.assert_array_equal(made != 0, taken[0] & taken[1])


@pytest.mark.parametrize(
    "move",
    [
        layers.Permute((2, 1, 3)),
        lambda x: x[:, :, ::-1],
        layers.Lambda(lambda x: tf.roll(x, 2, 1)),
        lambda x: layers.Resizing(6, 6)(x)[:, :, ::-1],
        lambda x: layers.Permute((2, 1, 3))(layers.Resizing(6, 6)(x)),
        layers.Resizing(4, 8, crop_to_aspect_ratio=True),
        lambda x: layers.Cropping2D(3)(layers.UpSampling2D(2)(x)),
    ],
    ids="turned mirrored rolled small-mirrored small-turned cut large-cut".split(),
)
def test_a_map_that_was_moved_lies_nowhere_in_the_image(move):
    x = keras.Input((8, 8, 3))
    y = layers.Conv2D(4, 3, activation="relu", name="conv")(move(x))
    model = keras.Model(x, layers.Dense(3)(layers.GlobalAveragePooling2D()(y)))
    images = np.random.default_rng(0).normal(size=(2, 8, 8, 3))
    labels = np.ones((2, 8, 8), int)
    calls = (
        lambda: vizlib.receptive_field(model, "conv", 8),
        lambda: vizlib.guided_grad_cam(model, images, 0),
        lambda: vizlib.top_patches(model, images, "conv", channels=0, k=1),
        lambda: vizlib.dissection.dissect(model, images, "conv", labels),
    )
    for call in calls:
        with pytest.raises(ValueError, match="cannot be told"):
            call()


@pytest.mark.parametrize(
    "cut, stride, offset",
    [
        (lambda x: layers.CenterCrop(12, 12)(layers.Resizing(16, 16)(x)), (1.5, 1.5), (3.25, 3.25)),
        (lambda x: layers.Resizing(6, 12)(x)[:, 1:], (4, 2), (5.5, 0.5)),
    ],
    ids="cut stretched".split(),
)
def test_a_map_that_was_resized_and_cut_lies_where_its_units_look(cut, stride, offset):
    x = keras.Input((24, 24, 1))
    how = {"padding": "same", "activation": "relu", "kernel_initializer": "ones"}
    y = layers.Conv2D(1, 3, name="conv", **how)(cut(x))
    model = keras.Model(x, layers.Dense(2)(layers.GlobalAveragePooling2D()(y)))
    field = vizlib.patches.field_or_none(model, "conv", (24, 24))
    np.testing.assert_allclose(field.stride, stride, rtol=1e-6)
    np.testing.assert_allclose(np.array(field.offset) + (np.array(field.size) - 1) / 2, offset)
    ramp = np.zeros((1, 24, 24, 1))
    ramp[0, ..., 0] = np.arange(24)[:, None] + 10 * np.arange(24)
    large = vizlib.upsample(vizlib.activations(model, ramp, "conv"), 24, field=field)[0, ..., 0]
    np.testing.assert_allclose(large[12, 6:-6], 9 * ramp[0, 12, 6:-6, 0], rtol=1e-5)
    assert vizlib.guided_grad_cam(model, ramp, 0).shape == ramp.shape
    found = vizlib.top_patches(model, ramp, "conv", channels=0, k=1)
    assert found.box.tolist() == [[[0, 0, 24, 24]]]  # what a unit sees cannot be told
    with pytest.raises(ValueError, match="enlarges the map"):
        vizlib.receptive_field(model, "conv", 24)


@pytest.mark.parametrize("channels", [lambda x: x[..., ::-1], lambda x: x[..., :2]])
def test_what_is_done_to_channels_moves_no_map(channels):
    x = keras.Input((8, 8, 3))
    y = layers.Conv2D(4, 3, name="conv")(channels(layers.Resizing(6, 6)(x)))
    model = keras.Model(x, layers.Dense(3)(layers.GlobalAveragePooling2D()(y)))
    assert vizlib.patches.field_or_none(model, "conv", (8, 8)) is None  # all of the image

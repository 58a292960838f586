"""What a model's output is: the value where it can be told, one sentence where it cannot."""

import functools
import re
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import vizlib
from vizlib import engine

RNG = np.random.default_rng(0)
X = RNG.normal(size=(3, 6, 6, 2)).astype("float32")


def body(x=None, name=None):
    x = keras.Input((6, 6, 2)) if x is None else x
    y = layers.Conv2D(4, 3, activation="relu", name=name)(x)
    return x, layers.GlobalAveragePooling2D()(y)


def classifier(units=3, activation=None, loss=None):
    x, y = body()
    model = keras.Model(x, layers.Dense(units, activation, bias_initializer="normal")(y))
    if loss is not None:
        model.compile("sgd", loss)
    return model


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def softmax(z):
    return np.exp(z) / np.exp(z).sum(-1, keepdims=True)


# ---- outputs that have no logits -----------------------------------------------------------------


class OwnCall(keras.Model):
    """A functional model whose call does more than its graph."""

    def call(self, x, training=False):
        return tf.sigmoid(super().call(x)) ** 2


class Compiled(keras.Model):
    @tf.function
    def call(self, x, training=False):
        return super().call(x)


def average_of_two():
    x, y = body()
    two = [layers.Dense(3, "sigmoid")(y) for _ in range(2)]
    return keras.Model(x, layers.Average(name="mean_of_two")(two))


def one_and_rest():
    x, y = body()
    p = layers.Dense(1, "sigmoid")(y)
    return keras.Model(x, layers.Concatenate(name="both")([1 - p, p]))


def clipped():
    x, y = body()
    return keras.Model(x, keras.ops.clip(layers.Dense(3, "softmax")(y), 1e-7, 1.0))


def concatenated():
    x, y = body()
    return keras.Model(x, layers.Concatenate()([layers.Dense(2, "sigmoid")(y) for _ in range(2)]))


def by_hand():
    x, y = body()
    e = keras.ops.exp(layers.Dense(3)(y))
    return keras.Model(x, e / keras.ops.sum(e, -1, keepdims=True))


def mean_of_a_mask():
    x = keras.Input((6, 6, 2))
    mask = layers.Conv2D(3, 3, activation="sigmoid")(x)
    return keras.Model(x, layers.GlobalAveragePooling2D()(mask))


def headless():
    x, y = body()
    return keras.Model(x, y)


def log_softmax():
    x, y = body()
    return keras.Model(x, keras.ops.log_softmax(layers.Dense(3)(y)))


def own_call():
    x, y = body()
    return OwnCall(x, layers.Dense(3)(y))


def compiled_call():
    x, y = body()
    return Compiled(x, layers.Dense(3, "softmax")(y))


def regression():
    return classifier(1, loss="mse")


def several_numbers():
    return classifier(3, loss=keras.losses.Huber())


def wrong_loss():
    return classifier(3, loss="sparse_categorical_crossentropy")  # takes probabilities


def superclasses():
    x, y = body()
    groups = np.repeat(np.eye(2, dtype="float32"), 3, 0)
    return keras.Model(x, keras.ops.matmul(layers.Dense(6, "softmax")(y), groups))


def dense_behind_a_softmax():
    x, y = body()
    return keras.Model(x, layers.Dense(2, trainable=False)(layers.Dense(6, "softmax")(y)))


OTHER = [
    superclasses, dense_behind_a_softmax,
    average_of_two, one_and_rest, clipped, concatenated, by_hand, mean_of_a_mask, headless,
    log_softmax, own_call, compiled_call, regression, several_numbers, wrong_loss,
]  # fmt: skip


@pytest.mark.parametrize("build", OTHER, ids=lambda f: f.__name__)
def test_other_outputs_have_only_their_own_numbers(build):
    model = build()
    y = model(X).numpy()
    for call in (vizlib.logits, vizlib.probabilities, vizlib.gradient, vizlib.grad_cam):
        with pytest.raises(ValueError, match=r"score='output'"):
            call(model, X)
    np.testing.assert_allclose(engine.forward(model, X, score="output"), y, rtol=1e-5, atol=1e-6)
    with tf.GradientTape() as tape:
        tape.watch(x := tf.constant(X))
        one = model(x)[:, -1]
    found = vizlib.gradient(model, X, 1 if y.shape[1] == 1 else y.shape[1] - 1, score="output")
    np.testing.assert_allclose(found, tape.gradient(one, x), rtol=1e-5, atol=1e-6)
    by_function = vizlib.gradient(model, X, lambda z: z[:, -1])
    np.testing.assert_allclose(by_function, found, rtol=1e-5, atol=1e-6)


def test_a_saved_model_in_one_layer_has_only_its_output(tmp_path):
    model = classifier(activation="softmax")
    model.export(str(tmp_path / "saved"), verbose=False)
    saved = layers.TFSMLayer(str(tmp_path / "saved"), call_endpoint="serve")
    wrapped, output = keras.Sequential([keras.Input((6, 6, 2)), saved]), dict(score="output")
    with pytest.raises(ValueError, match="no logit that could be told: it ends in .*'output'"):
        vizlib.logits(wrapped, X)
    said = vizlib.engine.forward(wrapped, X, **output)
    np.testing.assert_allclose(said, model(X), rtol=1e-5)
    slope = vizlib.gradient(wrapped, X, 1, **output)
    assert slope.any()
    np.testing.assert_allclose(slope, vizlib.gradient(model, X, 1, **output), rtol=1e-4, atol=1e-7)


def test_a_number_that_is_negative_keeps_its_sign():
    model = regression()
    model.set_weights(
        [*model.get_weights()[:2], *(-np.abs(w) - 1 for w in model.get_weights()[2:])]
    )
    assert (model(X).numpy() < 0).all()
    np.testing.assert_array_equal(
        vizlib.gradient(model, X, score="output"), vizlib.gradient(model, X, 1, score="output")
    )


# ---- outputs that have ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "loss, squash",
    [
        (keras.losses.BinaryCrossentropy(from_logits=True), sigmoid),
        (keras.losses.BinaryFocalCrossentropy(from_logits=True), sigmoid),
        ([keras.losses.BinaryCrossentropy(from_logits=True)], sigmoid),
        (keras.losses.SparseCategoricalCrossentropy(from_logits=True), softmax),
        (keras.losses.CategoricalCrossentropy(from_logits=True), softmax),
        (None, softmax),
    ],
)
def test_the_loss_says_what_linear_units_are(loss, squash):
    model = classifier(3, loss=loss)
    z = model(X).numpy()
    np.testing.assert_allclose(vizlib.logits(model, X), z, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(vizlib.probabilities(model, X), squash(z), rtol=1e-5, atol=1e-6)


def test_compiling_again_changes_the_answer():
    model = classifier(3)
    z = model(X).numpy()
    np.testing.assert_allclose(vizlib.probabilities(model, X), softmax(z), rtol=1e-5, atol=1e-6)
    model.compile("sgd", keras.losses.BinaryCrossentropy(from_logits=True))
    np.testing.assert_allclose(vizlib.probabilities(model, X), sigmoid(z), rtol=1e-5, atol=1e-6)


def test_a_single_unit_speaks_for_two_classes():
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    for model in (classifier(1, "sigmoid"), classifier(1, loss=loss)):
        z = vizlib.logits(model, X)
        assert z.shape == (3, 1)
        one, zero, none = (vizlib.gradient(model, X, k) for k in (1, 0, None))
        np.testing.assert_array_equal(zero, -one)
        np.testing.assert_array_equal(none, np.where(z[..., None, None] > 0, one, zero))


def test_the_side_of_a_single_unit_is_that_of_its_probability():
    model = classifier(1, "sigmoid")
    p = vizlib.probabilities(model, X)
    np.testing.assert_array_equal(
        engine.resolve(model, X, score="probability"), (p[:, 0] > 0.5).astype(int)
    )


@pytest.mark.parametrize("last", [layers.Reshape((3,)), layers.Flatten(), layers.Dropout(0.5)])
@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_the_same_values_in_another_shape_are_still_probabilities(last, activation):
    model = classifier(3, activation)
    z = vizlib.logits(model, X)
    longer = keras.Model(model.input, last(model.output))
    np.testing.assert_array_equal(vizlib.logits(longer, X), z)
    p = sigmoid(z) if activation == "sigmoid" else softmax(z)
    np.testing.assert_allclose(vizlib.probabilities(longer, X), p, rtol=1e-5, atol=1e-6)


def test_a_sigmoid_reshaped_to_a_vector_is_one_unit():
    x, y = body()
    model = keras.Model(x, keras.ops.squeeze(layers.Dense(1, "sigmoid")(y), -1))
    assert model(X).shape == (3,)
    z = vizlib.logits(model, X)
    np.testing.assert_allclose(sigmoid(z)[:, 0], model(X).numpy(), rtol=1e-5, atol=1e-6)


def test_a_linear_head_written_the_other_way_round():
    class Head(layers.Layer):
        def build(self, shape):
            self.w = self.add_weight(shape=(shape[-1], 3))
            self.b = self.add_weight(shape=(3,))

        def call(self, x):
            return self.b + x @ self.w

    x, y = body(name="conv")
    model = keras.Model(x, Head()(y))
    np.testing.assert_allclose(vizlib.logits(model, X), model(X).numpy(), rtol=1e-5, atol=1e-6)
    maps = vizlib.activations(model, X, "conv")
    np.testing.assert_allclose(vizlib.features(model, X), maps.mean((1, 2)), rtol=1e-5, atol=1e-6)
    want = np.einsum("nhwc,c->nhw", maps, model.layers[-1].w.numpy()[:, 1])
    np.testing.assert_allclose(vizlib.cam(model, X, 1), want, rtol=1e-5, atol=1e-5)


def test_a_temperature_behind_the_weights_is_linear():
    x, y = body()
    model = keras.Model(x, layers.Dense(3)(y) / 2.5)
    np.testing.assert_allclose(vizlib.logits(model, X), model(X).numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "behind", [lambda z: z[:, :2], lambda z: z[:, ::-1], lambda z: 0.5 * z[:, 1:] + 1]
)
def test_logits_that_are_a_slice_of_the_last_layers(behind):
    x, y = body()
    z = layers.Dense(3, name="dense")(y)
    model = keras.Model(x, behind(z))
    want = behind(keras.Model(x, z)(X)).numpy()
    np.testing.assert_allclose(vizlib.logits(model, X), want, rtol=1e-5, atol=1e-6)


# ---- functions for targets, outputs of any shape -------------------------------------------------


def u_net():
    x = keras.Input((8, 8, 2))
    a = layers.Conv2D(4, 3, padding="same", activation="relu", name="down")(x)
    b = layers.MaxPooling2D()(a)
    b = layers.Conv2D(6, 3, padding="same", activation="relu", name="bottom")(b)
    c = layers.Concatenate()([a, layers.UpSampling2D()(b)])
    return keras.Model(x, layers.Conv2D(1, 1, activation="sigmoid", name="mask")(c))


U = RNG.normal(size=(2, 8, 8, 2)).astype("float32")


def mean_of_mask(mask):
    return tf.reduce_mean(mask, (1, 2, 3))


def test_grad_cam_of_the_mean_of_a_mask():
    model = u_net()
    bottom = model.get_layer("bottom").output
    both = keras.Model(model.input, [bottom, model.output])
    with tf.GradientTape() as tape:
        maps, mask = both(U)
        score = mean_of_mask(mask)
    weights = tape.gradient(score, maps).numpy().mean((1, 2))
    want = np.maximum(np.einsum("nhwc,nc->nhw", maps.numpy(), weights), 0)
    found = vizlib.grad_cam(model, U, mean_of_mask, layer="bottom", score="output")
    np.testing.assert_allclose(found, want, rtol=1e-5, atol=1e-6)


def test_a_function_takes_the_logits_where_there_are_any():
    model = u_net()
    seen = []
    vizlib.gradient(model, U, lambda z: seen.append(z) or mean_of_mask(z))
    np.testing.assert_allclose(sigmoid(seen[0]), model(U).numpy(), rtol=1e-5, atol=1e-5)


def test_an_output_with_positions_has_no_classes_and_no_last_map():
    model = u_net()
    with pytest.raises(ValueError, match=r"no classes: give a function"):
        vizlib.gradient(model, U, 0)
    with pytest.raises(ValueError, match="itself a feature map: name a layer"):
        vizlib.grad_cam(model, U, mean_of_mask)


def test_a_target_function_that_gives_nan_is_refused():
    with pytest.raises(ValueError, match="target function gives NaN"):
        vizlib.gradient(classifier(), X, lambda z: tf.math.log(-tf.abs(z[:, 0])))


# ---- no class, no classifier ---------------------------------------------------------------------


def two_outputs():
    x, y = body(name="conv")
    heads = layers.Dense(3, "softmax", name="class"), layers.Dense(1, name="age")
    return keras.Model(x, {head.name: head(y) for head in heads})


@pytest.mark.parametrize("build", [two_outputs, headless], ids=lambda f: f.__name__)
def test_what_asks_no_class_needs_none(build):
    model = build()
    name = model.layers[1].name
    maps = vizlib.activations(model, X, name)
    assert maps.shape == (3, 4, 4, 4)
    np.testing.assert_allclose(
        vizlib.features(model, X, name), maps.mean((1, 2)), rtol=1e-5, atol=1e-6
    )
    assert vizlib.gradient(model, X, layer=name, unit=1).any()
    assert vizlib.guided_backprop(model, X, layer=name, unit=(0, 0, 1)).shape == X.shape
    assert vizlib.receptive_field(model, name, 6).size == (3, 3)
    found = vizlib.top_patches(model, X, name, channels=[0, 1], k=2)
    assert found.value.max() == maps[..., :2].max()


def test_the_sentence_on_several_outputs_names_a_model_that_works():
    model = two_outputs()
    with pytest.raises(ValueError, match="2 outputs") as refused:
        vizlib.logits(model, X)
    how = str(refused.value).partition("as in ")[2].partition(";")[0]
    one = eval(how, {"keras": keras, "model": model})
    assert vizlib.logits(one, X).shape in ((3, 3), (3, 1))


def test_the_sentence_on_several_inputs_names_a_model_that_works():
    image, meta = keras.Input((6, 6, 2), name="image"), keras.Input((5,), name="meta")
    y = layers.Concatenate()([layers.Flatten()(image), meta])
    for order in ([image, meta], [meta, image]):
        model = keras.Model(order, layers.Dense(2)(y))
        with pytest.raises(ValueError, match="2 inputs") as refused:
            vizlib.logits(model, X)
        code = str(refused.value).partition("as in ")[2].partition(", with ")[0]
        scope = {"keras": keras, "tf": tf, "model": model, "meta": np.ones((1, 5), "float32")}
        exec(code, scope)
        given = {"image": X, "meta": np.ones((3, 5), "float32")}
        want = model([given[t.name] for t in order])
        np.testing.assert_allclose(vizlib.logits(scope["one"], X), want, rtol=1e-5, atol=1e-5)


# ---- choices that the graph leaves ---------------------------------------------------------------


def branches_pooled_apart():
    x = keras.Input((6, 6, 2))
    maps = [layers.Conv2D(4, 3, activation="relu", name=name)(x) for name in ("left", "right")]
    pooled = [layers.GlobalAveragePooling2D()(m) for m in maps]
    return keras.Model(x, layers.Dense(3)(layers.Concatenate()(pooled)))


def two_backbones():
    x = keras.Input((6, 6, 2))
    inner = []
    for name in ("left", "right"):
        i = keras.Input((6, 6, 2))
        y = layers.Conv2D(4, 3, activation="relu", name=f"{name}_conv")(i)
        inner.append(keras.Model(i, layers.GlobalAveragePooling2D()(y), name=name)(x))
    return keras.Model(x, layers.Dense(3)(layers.Add()(inner)))


@pytest.mark.parametrize("build", [branches_pooled_apart, two_backbones], ids=lambda f: f.__name__)
def test_two_last_maps_are_refused_with_their_names(build):
    model = build()
    with pytest.raises(ValueError, match="2 feature maps lead.*left.*right"):
        vizlib.grad_cam(model, X, 0)
    name = [layer.name for layer in model._flatten_layers() if "left" in layer.name][-1]
    assert vizlib.grad_cam(model, X, 0, layer=name).shape == (3, 4, 4)


def conv_called_twice(x):
    maps, pool = layers.Conv2D(4, 3, name="shared"), layers.GlobalAveragePooling2D()
    return [pool(maps(view)) for view in (x, x[:, ::-1])]


def backbone_called_twice(x):
    i = keras.Input((6, 6, 2))
    y = layers.Conv2D(4, 3, activation="relu", name="shared")(i)
    backbone = keras.Model(i, layers.GlobalAveragePooling2D()(y), name="backbone")
    return [backbone(x), backbone(x[:, ::-1])]


@pytest.mark.parametrize("twice", [conv_called_twice, backbone_called_twice])
@pytest.mark.parametrize("method", [vizlib.grad_cam, vizlib.hires_cam, vizlib.grad_cam_plus_plus])
def test_last_maps_of_two_calls_of_one_layer_are_refused(twice, method):
    x = keras.Input((6, 6, 2))
    model = keras.Model(x, layers.Dense(3)(layers.Concatenate()(twice(x))))
    with pytest.raises(ValueError, match="2 feature maps lead.*'shared' is called more than once"):
        method(model, X, 0)


def test_only_layers_are_named_as_layers():
    x = keras.Input((6, 6, 2))
    y = layers.Conv2D(4, 3, activation="relu", name="maps")(x)
    spread = layers.GlobalAveragePooling2D()(keras.ops.square(y - 1.0))
    both = layers.Concatenate()([layers.GlobalAveragePooling2D()(y), spread])
    model = keras.Model(x, layers.Dense(3)(both))
    with pytest.raises(ValueError, match="2 feature maps lead") as refused:
        vizlib.grad_cam(model, X, 0)
    named = re.findall("'(.*?)'", str(refused.value).partition("of it: ")[2])
    assert "maps" in named and all(model.get_layer(name) for name in named)


def test_one_map_that_is_pooled_twice_is_one_map():
    x = keras.Input((6, 6, 2))
    y = layers.Conv2D(4, 3, activation="relu", name="conv")(x)
    pooled = [layers.GlobalAveragePooling2D()(y), layers.GlobalMaxPooling2D()(y)]
    model = keras.Model(x, layers.Dense(3)(layers.Concatenate()(pooled)))
    np.testing.assert_array_equal(
        vizlib.grad_cam(model, X, 0), vizlib.grad_cam(model, X, 0, layer="conv")
    )


@pytest.mark.parametrize("attention", [True, False])
def test_tokens_are_no_map(attention):
    x = keras.Input((6, 6, 2))
    y = layers.Reshape((9, 4))(layers.Conv2D(4, 2, strides=2, name="patches")(x))
    y = layers.MultiHeadAttention(2, 2)(y, y) if attention else layers.Dense(4)(y)
    model = keras.Model(x, layers.Dense(3)(layers.GlobalAveragePooling1D()(y)))
    with pytest.raises(ValueError, match="tokens"):
        vizlib.grad_cam(model, X, 0)
    assert vizlib.grad_cam(model, X, 0, layer="patches").shape == (3, 3, 3)


def test_other_layouts_get_one_sentence():
    x = keras.Input((2, 6, 6))
    y = layers.Conv2D(4, 3, data_format="channels_first", name="conv")(x)
    first = keras.Model(x, layers.Dense(3)(layers.GlobalAveragePooling2D("channels_first")(y)))
    with pytest.raises(ValueError, match="channels first.*channels_last"):
        vizlib.gradient(first, np.ones((1, 2, 6, 6)), 0)
    for shape in ((9, 2), (4, 4, 4, 2)):
        model = keras.Sequential([keras.Input(shape), layers.Flatten(), layers.Dense(3)])
        with pytest.raises(ValueError, match=r"images \(N, H, W, C\)"):
            vizlib.gradient(model, np.ones((1, *shape)), 0)


# ---- what is given in place of a model -----------------------------------------------------------


@pytest.mark.parametrize(
    "model, says",
    [
        ("vgg16", "load"),
        (lambda x: x, "keras.Model, not function"),
        (None, "keras.Model, not NoneType"),
        (layers.Dense(3), "keras.Model, not Dense"),
    ],
)
def test_what_is_no_model(model, says):
    for call in (vizlib.logits, vizlib.gradient, vizlib.filters):
        with pytest.raises(ValueError, match=says):
            call(model) if call is vizlib.filters else call(model, X)


def test_a_net_in_place_of_its_model():
    with pytest.raises(ValueError, match=r"give net\.model"):
        vizlib.logits(vizlib.load("pocket", weights="random"), X)


def test_a_model_without_weights_is_not_built_by_a_look():
    model = keras.Sequential([layers.Flatten(), layers.Dense(3)])
    with pytest.raises(ValueError, match="no weights yet"):
        vizlib.logits(model, X)
    assert not model.built


# ---- found by people who looked for a fault ------------------------------------------------------


def test_the_side_of_a_lone_logit_is_the_same_in_every_score():
    model = classifier(1, loss=keras.losses.BinaryCrossentropy(from_logits=True))
    model.layers[-1].bias.assign([0.3 - float(model(X).numpy().mean())])
    z = model(X).numpy()
    assert ((z > 0) & (z < 0.5)).any()
    np.testing.assert_array_equal(engine.resolve(model, X, score="output"), (z[:, 0] > 0))
    np.testing.assert_array_equal(
        vizlib.gradient(model, X, score="output"), vizlib.gradient(model, X)
    )


@pytest.mark.parametrize(
    "method",
    [
        lambda m, f: vizlib.integrated_gradients(m, X, f, steps=3),
        lambda m, f: vizlib.smoothgrad(m, X, f, samples=3),
        lambda m, f: vizlib.truth.insertion(m, X, np.ones((3, 6, 6)), f, steps=2),
        lambda m, f: vizlib.occlusion(m, X, f, patch=2, stride=1),
    ],
    ids=["integrated gradients", "smoothgrad", "insertion", "occlusion"],
)
def test_a_function_that_holds_something_for_each_image(method):
    labels = np.array([0, 1, 2])
    with pytest.raises(ValueError, match="cannot hold something for each image"):
        method(classifier(), lambda z: tf.reduce_sum(z * tf.one_hot(labels, 3), 1))


@pytest.mark.parametrize(
    "loss",
    [
        functools.partial(keras.losses.binary_crossentropy, from_logits=True),
        type("Mine", (keras.losses.BinaryCrossentropy,), {})(from_logits=True),
    ],
    ids=["partial", "subclass"],
)
def test_losses_in_other_words(loss):
    model = classifier(3, loss=loss)
    np.testing.assert_allclose(
        vizlib.probabilities(model, X), sigmoid(model(X)), rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("size", [(16, 16), (8, 16), (None, None)])
def test_channels_first_behind_a_permutation(size):
    x = keras.Input((3, *size))
    y = layers.Conv2D(4, 3, activation="relu")(layers.Permute((2, 3, 1))(x))
    model = keras.Model(x, layers.Dense(3)(layers.GlobalAveragePooling2D()(y)))
    with pytest.raises(ValueError, match="channels first"):
        vizlib.saliency(model, np.ones((1, 3, *(n or 16 for n in size))), 1)


class Flips(keras.Model):
    """The image and its mirror image, in one batch."""

    def __init__(self):
        super().__init__()
        self.conv, self.out = layers.Conv2D(4, 3, name="conv"), layers.Dense(3)

    def call(self, x):
        maps = self.conv(tf.concat([x, x[:, :, ::-1]], 0))
        both = self.out(tf.reduce_mean(maps, (1, 2)))
        return tf.reduce_mean(tf.reshape(both, (2, -1, 3)), 0)


def test_rows_that_are_no_images():
    model = Flips()
    model(X)
    for call in (vizlib.activations, vizlib.features):
        with pytest.raises(ValueError, match="one row for each image"):
            call(model, X, "conv")


def test_a_model_that_changes_its_weights_when_it_is_called():
    class Training(keras.Model):
        def __init__(self):
            super().__init__()
            self.norm, self.out = layers.BatchNormalization(name="norm"), layers.Dense(3)

        def call(self, x):
            return self.out(tf.reduce_mean(self.norm(x, training=True), (1, 2)))

    model = Training()
    model(X)
    before = model.get_weights()
    with pytest.raises(ValueError, match="changes its weights.*norm.*training=False"):
        vizlib.gradient(model, X, 1)
    for a, b in zip(before, model.get_weights()):
        np.testing.assert_array_equal(a, b)


def test_a_call_of_its_own_may_take_no_list_though_its_model_was_built_of_one():
    class Scaled(keras.Model):
        def call(self, x, training=None, mask=None):
            return super().call(x / 2, training=training) / 3

    x = keras.Input((6, 6, 2))
    y = layers.Conv2D(4, 3, name="conv")(x)
    base = keras.Model(x, layers.Dense(3, "softmax")(layers.Flatten()(y)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the structure
        model = Scaled(base.inputs, base.outputs[0])
        said = vizlib.occlusion(model, X, 1, patch=3, score="output").clean
        np.testing.assert_allclose(said, np.asarray(base(X / 2))[:, 1] / 3, rtol=1e-5)


@pytest.mark.parametrize("past", [layers.AveragePooling2D(3), layers.Conv2D(2, 6)])
def test_a_way_past_the_last_map_is_not_left_out(past):
    x, y = body(name="conv")
    model = keras.Model(x, layers.Dense(3)(layers.Concatenate()([y, layers.Flatten()(past(x))])))
    with pytest.raises(ValueError, match="also past its last feature map.*'conv'"):
        vizlib.grad_cam(model, X, 0)
    assert vizlib.grad_cam(model, X, 0, layer="conv").shape == (3, 4, 4)


@pytest.mark.parametrize("moved", [layers.Permute((2, 1, 3)), layers.Reshape((2, 8, 4))])
def test_cam_of_a_map_that_is_moved_before_the_mean(moved):
    x = keras.Input((6, 6, 2))
    y = moved(layers.Conv2D(4, 3, activation="relu")(x))
    model = keras.Model(x, layers.Dense(3)(layers.GlobalAveragePooling2D()(y)))
    with pytest.raises(ValueError, match="CAM is defined"):
        vizlib.cam(model, X, 0)


def test_a_maximum_over_two_activations_is_no_pooling():
    class Larger(layers.Layer):
        def call(self, x):
            return tf.reduce_max(tf.stack([x, 0 * x], -1), -1)

    x = keras.Input((6, 6, 2))
    y = Larger(name="larger")(layers.Conv2D(4, 3, activation="relu")(x))
    model = keras.Model(x, layers.Dense(3)(layers.GlobalMaxPooling2D()(y)))
    with pytest.raises(ValueError, match="guided rule is defined.*larger"):
        vizlib.guided_backprop(model, X, 0)


def test_gradients_that_tensorflow_gives_in_slices():
    class Gathered(layers.Layer):
        def call(self, x):
            return tf.gather(x, tf.range(tf.shape(x)[0]))

    x, y = body()
    plain = keras.Model(x, layers.Dense(3)(y))
    z = keras.Input((6, 6, 2))
    model = keras.Model(z, plain(Gathered()(z)))
    np.testing.assert_allclose(vizlib.gradient(model, X, 0), vizlib.gradient(plain, X, 0))


def test_a_layer_inside_a_tf_function():
    model = compiled_call()
    name = model.layers[1].name
    for _ in range(2):
        with pytest.raises(ValueError, match="called inside a tf.function"):
            vizlib.activations(model, X, name)


class Slotted:
    __slots__ = ("factor",)

    def __call__(self, true, predicted):
        return tf.reduce_mean(tf.square(true - predicted))


def test_a_loss_without_a_dict_of_attributes_says_nothing_of_logits():
    model = classifier(loss=Slotted())
    with pytest.raises(ValueError, match="it was compiled with .*Ask for score='output'"):
        vizlib.logits(model, X)
    assert vizlib.gradient(model, X, 0, score="output").any()


@pytest.mark.parametrize("value", [None, 0.5])
def test_a_call_that_returns_no_tensor(value):
    class Own(keras.Model):
        def call(self, x):
            return value

    model = Own(name="own")
    model.build(X.shape)
    for method in (vizlib.logits, vizlib.gradient, vizlib.grad_cam):
        with pytest.raises(ValueError, match=f"'own' gives {type(value).__name__} when it is"):
            method(model, X)
    with pytest.raises(ValueError, match=r"'own' gives no tensor, and a Net is for one output"):
        vizlib.Net.of(model, size=6)

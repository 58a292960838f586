"""Images that are not as the model takes them: each gets the sentence that fits."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import vizlib

RNG = np.random.default_rng(0)


def network(*shape, first=(), **options):
    return keras.Sequential(
        [keras.Input(shape, **options), *first, layers.Flatten(), layers.Dense(3, name="out")]
    )


GREY, COLOUR, OPEN = network(6, 5, 1), network(6, 5, 3), (None, None, 3)


class Stranger:
    def __array__(self, *args, **kwargs):
        raise RuntimeError("call detach first\nlong story")


@pytest.mark.parametrize(
    "model, images, says",
    [
        (GREY, np.ones((4, 6, 5)), r"give images\[\.\.\., None\], of shape \(4, 6, 5, 1\)"),
        (GREY, np.ones((6, 5)), r"give images\[None, \.\.\., None\]"),
        (GREY, np.ones((6, 5, 1)), r"give images\[None\]"),
        (COLOUR, np.ones((6, 5, 3)), r"give images\[None\]"),
        (COLOUR, np.ones((4, 6, 5)), r"images\[\.\.\., None\] for grey ones"),
        (COLOUR, np.ones((2, 6, 5, 1)), r"np\.repeat\(images, 3, axis=-1\)"),
        (COLOUR, np.ones((2, 3, 6, 5)), r"takes images of shape \(N, 6, 5, 3\)"),
        (COLOUR, np.ones((2, 6, 5, 3), "uint8"), r"trained on them, net\.preprocess.*astype"),
        (COLOUR, np.full((2, 6, 5, 3), 1e300), "NaN or infinite"),
        (COLOUR, np.ones((2, 6, 5, 3), complex), "real numbers.*complex"),
        (COLOUR, np.ones((2, 6, 5, 3), bool), "real numbers.*bool"),
        (COLOUR, [[1, 2], [3]], "cannot be read as an array"),
        (COLOUR, Stranger(), r"cannot be read as an array \(RuntimeError\)"),
        (COLOUR, None, "real numbers.*NoneType"),
        (COLOUR, "hen.jpg", "real numbers"),
        (COLOUR, 7, r"N at least 1, not \(\)"),
    ],
)
def test_the_sentence_fits(model, images, says):
    for call in (vizlib.logits, vizlib.gradient, lambda m, x: vizlib.activations(m, x, "out")):
        with pytest.raises(ValueError, match=says):
            call(model, images)


@pytest.mark.parametrize("kind", ["float64", "float16", "int32", "int64"])
def test_other_numbers_are_cast(kind):
    images = RNG.integers(-9, 9, (2, 6, 5, 3)).astype(kind)
    want = vizlib.logits(COLOUR, images.astype("float32"))
    np.testing.assert_array_equal(vizlib.logits(COLOUR, images), want)
    np.testing.assert_array_equal(vizlib.logits(COLOUR, images.tolist()), want)


def test_a_model_that_takes_uint8_is_given_it():
    model = network(6, 5, 3, first=[layers.Rescaling(1 / 255)], dtype="uint8")
    images = RNG.integers(0, 256, (2, 6, 5, 3)).astype("uint8")
    np.testing.assert_allclose(vizlib.logits(model, images), model(images), rtol=1e-5, atol=1e-5)
    assert vizlib.activations(model, images, "out").shape == (2, 3)


@pytest.mark.parametrize("batch_size", [0, -1, 2.0, True, None, "8"])
def test_batch_sizes(batch_size):
    with pytest.raises(ValueError, match="batch_size is a whole number of at least 1"):
        vizlib.logits(COLOUR, np.ones((2, 6, 5, 3)), batch_size=batch_size)


@pytest.mark.parametrize(
    "gate",
    [
        lambda x: x * tf.cast(x > 0, x.dtype),
        lambda x: tf.where(x > 0, x, 0.0),
        lambda x: tf.maximum(x, 0.0),
        lambda x: x * tf.nn.sigmoid(x),
    ],
    ids=["product with a gate", "where", "maximum", "swish"],
)
def test_a_relu_by_hand_is_no_linear_operation(gate):
    class Gate(layers.Layer):
        def call(self, x):
            return gate(x)

    first = [layers.Conv2D(4, 3, activation="relu"), Gate(name="gate"), layers.Conv2D(4, 2)]
    model = network(6, 5, 3, first=first)
    images = RNG.normal(size=(2, 6, 5, 3))
    assert vizlib.gradient(model, images, 0).any()
    with pytest.raises(ValueError, match="guided rule is defined.*gate"):
        vizlib.guided_backprop(model, images, 0)


@pytest.mark.parametrize(
    "size, where", [((1, 40), "first"), ((8, 40), "second"), ((10, 9), "pool")]
)
def test_images_too_small_for_a_model_of_open_size_do_not_end_the_process(size, where):
    """TensorFlow divides by the size of what is left, in a pooling for instance."""
    body = [layers.Conv2D(4, 3, 2, name="first"), layers.Conv2D(4, 4, name="second")]
    pool = layers.MaxPooling2D(3, 2, name="pool")
    model = keras.Sequential([keras.Input(OPEN), *body, pool, layers.GlobalAveragePooling2D()])
    model = keras.Sequential([model, layers.Dense(3)])
    assert vizlib.logits(model, np.ones((1, 14, 13, 3))).shape == (1, 3)
    small = np.ones((1, *size, 3))
    calls = (vizlib.logits, vizlib.gradient, vizlib.grad_cam)
    for call in calls:
        with pytest.raises(ValueError, match=f"too small.* at .*{where}"):
            call(model, small)
    with pytest.raises(ValueError, match="too small"):
        vizlib.activations(model, small, "pool")
    assert vizlib.activations(model, np.ones((1, 8, 7, 3)), "first").shape == (1, 3, 3, 4)


class Pair(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(3)

    def call(self, given, other):
        return self.dense(layers.Flatten()(given + other))


def test_a_call_that_images_alone_do_not_satisfy_gets_one_sentence():
    x = np.ones((2, 6, 5, 3), "float32")
    model = Pair()
    model(x, x)
    with pytest.raises(
        ValueError, match=r"on a batch of images \(N, 6, 5, 3\), and.*says: \S"
    ) as e:
        vizlib.logits(model, x)
    assert "\n" not in str(e.value) and "\x1b" not in str(e.value)


def test_a_model_of_whole_numbers_has_no_gradient_and_the_copy_in_the_sentence_has():
    body = [layers.Rescaling(1 / 255), layers.Conv2D(4, 3), layers.GlobalAveragePooling2D()]
    model = keras.Sequential([keras.Input((6, 5, 3), dtype="uint8"), *body, layers.Dense(3)])
    images = RNG.integers(0, 256, (2, 6, 5, 3)).astype("uint8")
    with pytest.raises(ValueError, match="takes uint8 numbers") as refused:
        vizlib.gradient(model, images)
    how = str(refused.value).partition("made by ")[2].partition(", with its weights")[0]
    copy = eval(how, {"keras": keras, "model": model})
    copy.set_weights(model.get_weights())
    floats = images.astype("float32")
    np.testing.assert_allclose(vizlib.logits(copy, floats), vizlib.logits(model, images), rtol=1e-5)
    assert vizlib.gradient(copy, floats).any()


@pytest.mark.parametrize("reduce", [tf.reduce_mean, tf.reduce_max])
def test_a_model_that_mixes_the_images_of_a_batch_is_refused(reduce):
    mean = layers.Lambda(lambda x: x - reduce(x, 0, keepdims=True), name="by_batch")
    model = network(6, 5, 3, first=[mean])
    for call in (vizlib.logits, vizlib.gradient, vizlib.occlusion):
        with pytest.raises(ValueError, match=r"mixes the images of a batch \(by_batch\)"):
            call(model, np.ones((2, 6, 5, 3)))
    own = layers.Lambda(lambda x: x - reduce(x, (1, 2, 3), keepdims=True))  # each by its own
    assert vizlib.logits(network(6, 5, 3, first=[own]), np.ones((2, 6, 5, 3))).shape == (2, 3)


@tf.function
def _less_their_mean(x):
    return x - tf.reduce_mean(x, 0)


@tf.function
def _noisy(x):
    return x + tf.random.normal(tf.shape(x))


def _attention(x):
    return tf.matmul(tf.nn.softmax(tf.matmul(x, x, transpose_b=True)), x)


@pytest.mark.parametrize(
    "mix",
    [
        _attention,
        _less_their_mean,
        _noisy,
        lambda x: x[::-1],
        lambda x: x[::2],
        lambda x: x - x[:1],
        lambda x: tf.roll(x, 1, 0),
        lambda x: tf.sort(x, axis=0),
        lambda x: x - tf.reshape(x, (1, -1, 4))[:, 0],
    ],
)
def test_what_no_operation_tells_of_a_batch_is_seen_in_what_is_said(mix):
    body = [layers.Conv2D(4, 3, activation="relu"), layers.GlobalAveragePooling2D()]
    model = keras.Sequential([keras.Input((6, 5, 3)), *body, layers.Lambda(mix), layers.Dense(3)])
    x = RNG.normal(size=(3, 6, 5, 3))
    for call in (vizlib.logits, lambda m, x: vizlib.gradient(m, x, 0), vizlib.occlusion):
        with pytest.raises(ValueError, match="not the same beside another|need one row for each"):
            call(model, x)


def test_a_model_whose_answer_hangs_on_a_count_or_that_keeps_what_it_saw_is_refused():
    class Counting(layers.Layer):
        def build(self, shape):
            self.n = self.add_weight(shape=(), dtype="int32", trainable=False, initializer="zeros")

        def call(self, x):
            self.n.assign_add(1)
            return x * tf.cast(1 + self.n.value % 2, "float32")

    class Keeping(layers.Layer):
        def build(self, shape):
            self.bank = tf.Variable(tf.zeros((3, 4)), trainable=False)

        def call(self, x):
            self.bank.scatter_nd_add([[0]], [tf.ones(4)])
            return x

    for layer, says in ((Counting(), "counts its calls"), (Keeping(), "changes its weights")):
        with pytest.raises(ValueError, match=says):
            vizlib.logits(network(6, 5, 3, first=[layer]), RNG.normal(size=(2, 6, 5, 3)))


def test_a_score_of_zero_is_the_same_beside_others_but_for_rounding():
    rounding = layers.Lambda(lambda x: x + 1e-6 * tf.cast(tf.shape(x)[0], "float32"))
    body = [layers.Conv2D(4, 3, activation="relu"), layers.GlobalAveragePooling2D(), rounding]
    model = keras.Sequential([keras.Input((6, 5, 3)), *body, layers.Dense(1, "sigmoid")])
    x = RNG.normal(size=(1, 6, 5, 3)).astype("float32")
    model.layers[-1].bias.assign_sub(vizlib.logits(model, x)[0])
    # the same layers in a model that is used for the first time
    model = keras.models.clone_model(model, clone_function=lambda layer: layer)
    assert np.abs(vizlib.logits(model, x)).max() < 1e-4
    assert vizlib.gradient(model, x, 0).any()


def test_a_model_may_refuse_black_images():
    def bright(x):
        tf.debugging.assert_greater(tf.reduce_max(x, (1, 2, 3)), 1.5)
        return x / 255

    x = RNG.uniform(0, 255, (2, 6, 5, 3))
    model = network(6, 5, 3, first=[layers.Lambda(bright)])
    assert vizlib.logits(model, x).shape == (2, 3)
    assert vizlib.gradient(model, x, 0).any()


def test_models_of_whole_numbers_take_no_others():
    body = [layers.Rescaling(1 / 255), layers.Flatten(), layers.Dense(3)]
    model = keras.Sequential([keras.Input((6, 5, 3), dtype="uint8"), *body])
    assert vizlib.logits(model, np.full((2, 6, 5, 3), 7.0)).shape == (2, 3)
    for wrong in (0.5, -5.0, 300.0):
        with pytest.raises(ValueError, match=r"whole numbers \(uint8\).*0\.\.255"):
            vizlib.logits(model, np.full((2, 6, 5, 3), wrong))


def test_a_model_that_draws_random_numbers_is_refused_and_augmentation_is_not():
    images = RNG.normal(size=(2, 6, 5, 3)).astype("float32")
    noisy = network(6, 5, 3, first=[layers.Lambda(lambda x: tf.nn.dropout(x, 0.5), name="noisy")])
    with pytest.raises(ValueError, match=r"draws random numbers when it is called \(noisy\)"):
        vizlib.gradient(noisy, images)
    drawn = layers.Lambda(
        lambda x: x * tf.cast(keras.random.categorical(x[:, 0, :, 0], 1), x.dtype)[..., None, None]
    )
    with pytest.raises(ValueError, match="draws random numbers"):
        vizlib.logits(network(6, 5, 3, first=[drawn]), images)
    for kind in (layers.RandomHue, layers.RandomSharpness):
        model = network(6, 5, 3, first=[kind(0.3, value_range=(-3, 3))])
        want = model(images, training=False)
        np.testing.assert_allclose(vizlib.logits(model, images), want, rtol=1e-5, atol=1e-6)


def test_methods_are_called_outside_of_traces():
    images = np.ones((2, 6, 5, 3), "float32")
    with pytest.raises(ValueError, match="outside tf.function"):
        tf.function(lambda: vizlib.logits(COLOUR, images), autograph=False)()
    with tf.Graph().as_default(), pytest.raises(ValueError, match="outside tf.function"):
        vizlib.gradient(COLOUR, images)


def test_a_mean_over_a_batch_of_one_mixes_nothing():
    x = keras.Input(batch_shape=(1, 6, 5, 3))
    y = layers.Conv2D(4, 3, activation="relu", name="conv")(x)
    y = layers.Lambda(lambda maps: tf.reduce_mean(maps, (0, 1, 2))[None])(y)
    model = keras.Model(x, layers.Dense(3)(y))
    images = RNG.normal(size=(2, 6, 5, 3)).astype("float32")
    want = np.concatenate([model(image[None]) for image in images])
    np.testing.assert_allclose(vizlib.logits(model, images), want, rtol=1e-5, atol=1e-6)
    assert vizlib.gradient(model, images, 0).any()

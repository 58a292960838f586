"""Guided backprop and DeconvNet: by hand with pooling undone, and against NumPy in float64."""

import keras
import numpy as np
import pytest
import shapes
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers

import vizlib
from vizlib import barnyard
from vizlib.backprop import pool, unpool

METHODS = {
    "plain": vizlib.gradient,
    "guided": vizlib.guided_backprop,
    "deconvnet": vizlib.deconvnet,
}
both = pytest.mark.parametrize("rule", ["guided", "deconvnet"])


@pytest.fixture(scope="module", params=shapes.SHAPES, ids=lambda f: f.__name__)
def case(request):
    return shapes.build(request.param)


def close(a, b, tolerance=1e-4):
    assert a.shape == b.shape and a.dtype == np.float32
    np.testing.assert_allclose(a, b, atol=tolerance * np.abs(b).max())


# ---- pooling and its undoing ---------------------------------------------------------------------


def test_pooling_by_hand():
    maps = np.array(
        [[1, 7, 5, 5, 9], [2, 3, 5, 5, 9], [0, 0, -4, -1, 9], [0, 0, -2, -3, 9], [9, 9, 9, 9, 9]]
    )[None, ..., None]
    pooled, switches = pool(maps)
    np.testing.assert_array_equal(
        pooled[0, ..., 0], [[7, 5], [0, -1]]
    )  # the odd row and column fill no window
    np.testing.assert_array_equal(
        switches[0, ..., 0], [[1, 0], [0, 1]]
    )  # of equal values the first
    back = unpool(pooled * 10, switches)[0, ..., 0]
    np.testing.assert_array_equal(
        back, [[0, 70, 50, 0], [0, 0, 0, 0], [0, 0, 0, -10], [0, 0, 0, 0]]
    )


sizes = st.tuples(
    st.integers(1, 2),
    st.integers(3, 9),
    st.integers(3, 9),
    st.integers(1, 3),
    st.integers(1, 3),
    st.integers(0, 99),
)


def whole_numbers(n, h, w, c, size, seed):
    """Maps of few values, so that many are equal in a window, and a signal for the pooled map."""
    rng = np.random.default_rng(seed)
    return rng.integers(-1, 3, (n, h, w, c)).astype("float32"), rng.normal(
        size=(n, h // size, w // size, c)
    ).astype("float32")


@settings(deadline=None)
@given(sizes)
def test_pool_is_tensorflows_and_unpool_its_gradient(drawn):
    maps, signal = whole_numbers(*drawn)
    size = drawn[4]
    with tf.GradientTape() as tape:
        tape.watch(x := tf.constant(maps))
        pooled = tf.nn.max_pool2d(x, size, size, "VALID")
    mine, switches = pool(maps, size)
    np.testing.assert_array_equal(mine, pooled)
    back = unpool(signal, switches, size)
    assert back.dtype == np.float32
    full = np.zeros_like(maps)
    full[:, : back.shape[1], : back.shape[2]] = back
    np.testing.assert_array_equal(full, tape.gradient(pooled, x, signal))


@settings(deadline=None)
@given(sizes)
def test_unpooling_and_pooling_again_give_the_same(drawn):
    maps, signal = whole_numbers(*drawn)
    size = drawn[4]
    switches, signal = pool(maps, size)[1], np.abs(signal) + 1
    again, positions = pool(unpool(signal, switches, size), size)
    np.testing.assert_array_equal(again, signal)
    np.testing.assert_array_equal(positions, switches)


ZEROS = np.zeros((1, 2, 2, 1), int)


@pytest.mark.parametrize(
    "call, says",
    [
        (lambda: pool(np.zeros((4, 4))), r"Give maps \(N, H, W, C\)"),
        (lambda: pool(np.zeros((1, 4, 4, 1)), 5), r"Give maps \(N, H, W, C\)"),
        (lambda: pool(np.zeros((1, 4, 4, 1)), 0), "size is a whole number"),
        (lambda: pool(np.full((1, 4, 4, 1), np.nan)), "Maps hold NaN"),
        (lambda: pool(np.full((1, 4, 4, 1), 1j)), "Maps must be real numbers"),
        (lambda: unpool(np.full((1, 2, 2, 1), np.inf), ZEROS), "Signals hold NaN or infinite"),
        (lambda: unpool(ZEROS, np.full((1, 2, 2, 1), "left")), "Switches must be real numbers"),
        (lambda: unpool(np.zeros((1, 2, 2, 1)), np.zeros((1, 2, 3, 1), int)), "of one shape"),
        (lambda: unpool(np.zeros((2, 2)), np.zeros((2, 2), int)), "of one shape"),
        (lambda: unpool(np.zeros((1, 2, 2, 1)), np.full((1, 2, 2, 1), 4)), "from 0 to 3"),
        (lambda: unpool(np.zeros((1, 2, 2, 1)), np.full((1, 2, 2, 1), -1)), "from 0 to 3"),
    ],
)
def test_what_cannot_be_pooled_gets_one_sentence(call, says):
    with pytest.raises(ValueError, match=says):
        call()


# ---- DeconvNet by hand ---------------------------------------------------------------------------


def two_convolutions(height, width, seed=0):
    """conv ReLU pool conv ReLU, its kernels and biases; low biases make many windows all zero."""
    model = keras.Sequential(
        [
            keras.Input((height, width, 2)),
            layers.Conv2D(4, 3, padding="same", activation="relu", name="conv1"),
            layers.MaxPooling2D(),
            layers.Conv2D(5, 3, padding="same", activation="relu", name="conv2"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(2),
        ]
    )
    rng = np.random.default_rng(seed)
    model.set_weights([rng.normal(-0.5 * (v.ndim == 1), 0.5, v.shape) for v in model.weights])
    return model, model.get_weights()


def transposed(signal, kernel):
    n, h, w, _ = signal.shape
    return tf.nn.conv2d_transpose(
        signal.astype("float32"), kernel, (n, h, w, kernel.shape[2]), 1
    ).numpy()


@settings(deadline=None, max_examples=8)
@given(st.integers(4, 9), st.integers(4, 9), st.integers(0, 99))
def test_deconvnet_is_unpooling_relu_and_transposed_convolution(height, width, seed):
    model, (k1, b1, k2, _, *_) = two_convolutions(height, width, seed)
    x = np.random.default_rng(seed).normal(size=(2, height, width, 2)).astype("float32")
    first = tf.nn.relu(tf.nn.conv2d(x, k1, 1, "SAME") + b1).numpy()
    pooled, switches = pool(first)
    signal = np.zeros((*pooled.shape[:3], 5))
    signal[:, 1, 0, 3] = 1
    back = unpool(np.maximum(transposed(signal, k2), 0), switches)
    full = np.zeros_like(first)
    full[:, : back.shape[1], : back.shape[2]] = back
    close(
        vizlib.deconvnet(model, x, layer="conv2", unit=(1, 0, 3)),
        transposed(np.maximum(full, 0), k1),
    )


def test_an_all_zero_window_sends_its_signal_to_the_first_place():
    model, (k1, _, k2, *_) = two_convolutions(4, 4)
    model.set_weights(
        [k1, np.full(4, -9.0), np.abs(k2), np.full(5, 1.0), *model.get_weights()[4:]]
    )  # the first ReLUs are all shut
    x = np.random.default_rng(0).normal(size=(1, 4, 4, 2)).astype("float32")
    signal = np.zeros((1, 2, 2, 5))
    signal[0, 1, 1, 2] = 1
    first = np.zeros((1, 4, 4, 4))
    first[:, ::2, ::2] = transposed(signal, np.abs(k2))
    assert first.any()
    close(vizlib.deconvnet(model, x, layer="conv2", unit=(1, 1, 2)), transposed(first, k1))
    assert not vizlib.guided_backprop(
        model, x, layer="conv2", unit=(1, 1, 2)
    ).any()  # it stops at a ReLU that is shut


# ---- against NumPy -------------------------------------------------------------------------------


@both
def test_class_and_unit(case, rule):
    model, w, x, last = case
    seed = shapes.predicted(model, x, w)
    close(METHODS[rule](model, x), shapes.backward(x, w, seed, rule))
    seed = np.zeros((len(x), 4, 4, 5))
    seed[:, 1, 2, 3] = 1
    close(
        METHODS[rule](model, x, layer=last, unit=(1, 2, 3), batch_size=2),
        shapes.backward_map(seed, x, w, rule),
    )


@pytest.fixture(scope="module")
def pocket():
    """`pocket`'s convolutions, then the mean over positions and a dense layer; two crops for it."""
    net = vizlib.load("pocket", weights="default")
    x = inputs = keras.Input((None, None, 3))
    for layer in net.model.layers[1:]:
        if isinstance(layer, layers.Flatten):
            break
        x = layer(x)
    model = keras.Model(inputs, layers.Dense(7)(layers.GlobalAveragePooling2D()(x)))
    model.layers[-1].set_weights(
        [np.random.default_rng(0).normal(size=v.shape) for v in model.layers[-1].weights]
    )
    pictures = barnyard.load(classes=["hen", "labrador"])[[5, 105]].images
    return model, net.preprocess(pictures)[:, 64:96, 64:96]


def float64(model, x, classes, rule):
    """From the class scores back to the images, in NumPy."""
    kept, signal = [], np.eye(7)[classes] @ model.layers[-1].get_weights()[0].T.astype("float64")
    for layer in model.layers[1:-2]:
        if isinstance(layer, layers.MaxPooling2D):
            x, switches = pool(x)
            kept.append((unpool, switches))
        else:
            kernel, bias = (v.astype("float64") for v in layer.get_weights())
            before = shapes._conv(x.astype("float64"), kernel) + bias
            assert (
                np.abs(before).min() > 1e-6 * before.std()
            )  # none so near zero that float32 might see it on the other side
            kept.append(
                (
                    lambda dy, a, kernel=kernel: shapes._conv_back(
                        shapes.RULES[rule](dy, a), kernel
                    ),
                    before,
                )
            )
            x = np.maximum(before, 0)
    signal = np.broadcast_to(signal[:, None, None] / np.prod(x.shape[1:3]), x.shape)
    for back, what in kept[::-1]:
        signal = back(signal, what)
    return signal


@pytest.mark.parametrize("rule", METHODS)
def test_pocket_in_float64(pocket, rule):
    model, x = pocket
    close(METHODS[rule](model, x, [0, 1]), float64(model, x, [0, 1], rule))


def test_integrated_gradients_of_pocket_in_float64(pocket):
    model, x = pocket
    steps = [np.float32((k + 0.5) / 3) * x for k in range(3)]
    close(
        vizlib.integrated_gradients(model, x, [0, 1], steps=3),
        x * np.mean([float64(model, s, [0, 1], "plain") for s in steps], 0),
    )


# ---- what may change a result, and what may not --------------------------------------------------


@both
def test_on_pocket_the_rules_differ_and_the_batch_does_not_matter(pocket, rule):
    model, x = pocket
    maps = METHODS[rule](model, x, [0, 1])
    assert np.abs(maps - vizlib.gradient(model, x, [0, 1])).max() > 0.1 * np.abs(maps).max()
    for i in range(2):
        np.testing.assert_allclose(
            METHODS[rule](model, x[i : i + 1], i)[0], maps[i], atol=1e-5 * np.abs(maps).max()
        )
    np.testing.assert_allclose(
        METHODS[rule](model, x, [0, 1], batch_size=1), maps, atol=1e-5 * np.abs(maps).max()
    )


@both
def test_other_classes_do_not_retrace(rule):
    model, _, x, _ = shapes.build(shapes.fused)
    calls = []
    inner, plain = model.get_layer("conv1"), model.get_layer("conv1").call
    inner.__dict__["call"] = lambda *a, **k: calls.append(1) or plain(*a, **k)
    METHODS[rule](model, x, 0)
    traced = len(calls)
    METHODS[rule](model, x, [0, 1, 2], batch_size=2)
    METHODS[rule](model, x)
    assert len(calls) == traced > 0


@both
@pytest.mark.parametrize(
    "given, says",
    [
        ({"target": 3}, "0 to 2"),
        ({"batch_size": 0}, "batch_size"),
        ({"layer": "conv1"}, "unit"),
        ({"layer": "conv1", "unit": 9}, "below 4"),
        ({"target": 0, "layer": "conv1", "unit": 0}, "either"),
    ],
)
def test_bad_arguments(rule, given, says):
    with pytest.raises(ValueError, match=says):
        METHODS[rule](shapes.build(shapes.fused)[0], shapes.pictures(), **given)


@both
def test_a_network_without_relus_is_refused_by_name(rule):
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(2, 3, activation="silu", name="swish"),
            layers.Flatten(),
            layers.Dense(2),
        ]
    )
    with pytest.raises(ValueError, match=f"{rule} rule.*swish"):
        METHODS[rule](model, shapes.pictures())


@pytest.mark.parametrize("rule", ["guided", "deconvnet"])
def test_the_last_softmax_is_exempt(rule):
    model, w, x, _ = shapes.build(shapes.fused)
    z = shapes.forward(x, w)[0]
    p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    seed = p[:, [1]] * (np.eye(3)[[1]] - p)  # of softmax, by hand
    close(METHODS[rule](model, x, 1, score="probability"), shapes.backward(x, w, seed, rule))

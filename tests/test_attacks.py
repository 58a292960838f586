"""Attacks: closed forms on linear models of every head, and what must hold whatever is given."""

import keras
import numpy as np
import pytest
import shapes
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers
from strangers import TensorElsewhere

import vizlib
from vizlib import barnyard

ATTACKS = [vizlib.fgsm, vizlib.pgd]
both = pytest.mark.parametrize("attack", ATTACKS, ids=lambda f: f.__name__)
WIDE = {"bounds": (-9, 9)}
x3 = shapes.pictures()


def linear(classes, activation, scale=1.0):
    """Logits that are weighted sums of the pixels, and the weights, (K, H, W, C)."""
    model = keras.Sequential(
        [keras.Input((8, 8, 3)), layers.Flatten(), layers.Dense(classes, activation=activation)]
    )
    kernel = np.random.default_rng(3).normal(0, scale, model.weights[0].shape)
    model.set_weights([kernel, np.zeros(classes)])
    return model, kernel.T.reshape(classes, 8, 8, 3)


# ---- closed forms --------------------------------------------------------------------------------


@both
@pytest.mark.parametrize("targeted", [False, True])
@pytest.mark.parametrize(
    "classes, activation, slope",
    [
        (1, "sigmoid", lambda w, k: w[0] if k else -w[0]),
        (1, None, lambda w, k: w[0] if k else -w[0]),
        (2, "softmax", lambda w, k: w[k] - w[1 - k]),
        (2, None, lambda w, k: w[k] - w[1 - k]),
        (2, "sigmoid", lambda w, k: w[k]),
    ],
    ids=["one sigmoid", "one linear", "softmax", "linear", "two sigmoids"],
)
def test_of_a_linear_model_every_value_moves_by_epsilon_to_the_side_of_its_weight(
    attack, classes, activation, slope, targeted
):
    model, w = linear(classes, activation)
    x, low, high = np.clip(x3, -1, 1), (-1.0, -1.0, -0.9), (1.0, 0.9, 1.0)
    x = np.clip(x, low, high).astype("float32")
    way = np.stack([np.sign(slope(w, k)) for k in (0, 1, 1)]) * (1 if targeted else -1)
    moved = attack(model, x, [0, 1, 1], epsilon=0.3, bounds=(low, high), targeted=targeted)
    assert moved.dtype == np.float32
    np.testing.assert_allclose(moved, np.clip(x + 0.3 * way, low, high), rtol=1e-5, atol=1e-6)


def test_one_step_is_the_sign_of_the_cross_entropys_gradient():
    model, w, x, _ = shapes.build(shapes.fused)
    z = shapes.forward(x, w)[0]
    for k in range(3):
        rising = (
            np.exp(z) / np.exp(z).sum(1, keepdims=True) - np.eye(3)[k]
        )  # d cross-entropy / d logits
        slope = shapes.backward(x, w, rising, "plain")
        moved = vizlib.fgsm(model, x, k, epsilon=0.1, **WIDE) - x
        sure = np.abs(slope) > 1e-5 * np.abs(slope).max()
        np.testing.assert_allclose(moved[sure], 0.1 * np.sign(slope[sure]), rtol=1e-5, atol=1e-6)
        assert not moved[slope == 0].any()


def test_each_channel_has_its_own_epsilon():
    model, _ = linear(3, "softmax")
    for attack in ATTACKS:
        moved = np.abs(attack(model, x3, 0, epsilon=(0.0, 0.1, 0.2), **WIDE) - x3)
        np.testing.assert_allclose(
            moved, np.broadcast_to([0.0, 0.1, 0.2], x3.shape), rtol=1e-5, atol=1e-6
        )


@both
@pytest.mark.parametrize("activation", ["softmax", "sigmoid", None], ids=str)
def test_a_class_that_is_certain_is_attacked_all_the_same(attack, activation):
    """60 logits apart p is 1 in float32 and its gradient 0; that of the log-odds is not."""
    model, w = linear(2, activation, scale=0.01)
    x = 60 * np.sign(w[0] - w[1])[None].astype("float32")
    model.layers[-1].kernel.assign(
        model.layers[-1].kernel * 60 / np.subtract(*vizlib.logits(model, x)[0])
    )
    z = vizlib.logits(model, x)[0]
    assert (
        z[0] - z[1] == pytest.approx(60, abs=0.1)
        and np.abs(vizlib.gradient(model, x, 0, score="probability")).max() < 1e-9
    )
    moved = attack(model, x, 0, epsilon=0.5, bounds=(-100, 100))
    slope = w[0] if activation == "sigmoid" else w[0] - w[1]  # each sigmoid answers for itself
    np.testing.assert_allclose(moved, x - 0.5 * np.sign(slope), rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("shape", shapes.SHAPES, ids=lambda f: f.__name__)
def test_every_model_shape(shape):
    model, _, x, _ = shapes.build(shape)
    z = vizlib.logits(model, x)
    softmax = z.shape[1] > 1 and shape is not shapes.sigmoid_many

    def odds(x):  # of class 1
        z = vizlib.logits(model, x)
        if not softmax:
            return z[:, min(1, z.shape[1] - 1)]
        return z[:, 1] - np.log(np.exp(z[:, 0]) + np.exp(z[:, 2]))

    for attack in ATTACKS:
        away, towards = (
            attack(model, x, 1, epsilon=0.02, targeted=t, **WIDE) for t in (False, True)
        )
        assert (odds(away) < odds(x)).all() and (odds(towards) > odds(x)).all(), attack


# ---- what holds always ---------------------------------------------------------------------------

network = shapes.build(shapes.fused)[0]


@settings(deadline=None, max_examples=25)
@given(
    st.sampled_from(ATTACKS),
    st.lists(st.floats(0, 2, width=32), min_size=3, max_size=3),
    st.tuples(st.floats(-3, -1), st.floats(1, 3)),
    st.booleans(),
    st.integers(0, 99),
)
def test_a_result_is_legal_and_within_epsilon(attack, epsilon, bounds, targeted, seed):
    x = np.clip(shapes.pictures(seed=seed), *bounds).astype("float32")
    before = x.copy()
    moved = attack(network, x, seed % 3, epsilon=epsilon, bounds=bounds, targeted=targeted)
    np.testing.assert_array_equal(x, before)
    low, high = np.float32(bounds)
    assert moved.shape == x.shape and (moved >= low).all() and (moved <= high).all()
    assert (np.abs(moved.astype(float) - x) <= np.array(epsilon) + 1e-6).all()


@both
def test_neither_batch_size_nor_the_other_pictures_change_a_result(attack):
    classes = np.array([0, 2, 1])
    want = attack(network, x3, classes, epsilon=0.2, **WIDE)
    np.testing.assert_allclose(
        attack(network, x3, classes, epsilon=0.2, batch_size=2, **WIDE), want, rtol=1e-5, atol=1e-6
    )
    for i in range(3):
        np.testing.assert_allclose(
            attack(network, x3[i : i + 1], classes[i], epsilon=0.2, **WIDE)[0],
            want[i],
            rtol=1e-5,
            atol=1e-6,
        )


def test_the_seed_of_pgd_is_where_it_starts():
    moved = [vizlib.pgd(network, x3, 0, epsilon=0.2, steps=3, seed=s, **WIDE) for s in (0, 0, 1)]
    np.testing.assert_array_equal(moved[0], moved[1])
    assert np.abs(moved[0] - moved[2]).max() > 0


@both
def test_nothing_moves_without_epsilon(attack):
    np.testing.assert_array_equal(attack(network, x3, 0, epsilon=0, **WIDE), x3)


def test_other_classes_epsilons_and_steps_do_not_retrace():
    model, _, x, _ = shapes.build(shapes.fused)
    calls = []
    inner, plain = model.get_layer("conv1"), model.get_layer("conv1").call
    inner.__dict__["call"] = lambda *a, **k: calls.append(1) or plain(*a, **k)
    vizlib.fgsm(model, x, 0, epsilon=0.1, **WIDE)
    traced = len(calls)
    vizlib.fgsm(model, x, [0, 1, 2], epsilon=0.2, targeted=True, batch_size=2, **WIDE)
    vizlib.pgd(model, x[:2], 1, epsilon=0.3, steps=3, **WIDE)
    assert len(calls) == traced > 0


def test_on_pocket_ten_steps_are_at_least_as_strong_as_one():
    net, seen = (
        vizlib.load("pocket", weights="default"),
        barnyard.load(classes=["hen", "labrador"])[[0, 30, 100, 130]],
    )
    x, classes = (
        net.preprocess(seen.images),
        np.repeat([net.index("hen"), net.index("labrador")], 2),
    )
    given = {"epsilon": 0.25 * net.level, "bounds": (net.low, net.high)}

    def odds(x):
        z = vizlib.logits(net.model, x)
        own = np.eye(7, dtype=bool)[classes]
        return z[own] - np.log(np.exp(z[~own].reshape(4, 6)).sum(1))

    clean, one, ten = (
        odds(x),
        odds(vizlib.fgsm(net.model, x, classes, **given)),
        odds(vizlib.pgd(net.model, x, classes, **given)),
    )
    assert (ten < one).all() and (one < clean).all()


# ---- bad input -----------------------------------------------------------------------------------


NO_NUMBERS = ("0.1", None, 0.1j, True, [0.1, [0.2]], TensorElsewhere(), object(), np.ones((1, 3)))


@both
@pytest.mark.parametrize(
    "given, says",
    [
        ({"epsilon": -0.1}, "epsilon is the size of a change"),
        ({"epsilon": (0.1, 0.1, -0.1)}, "epsilon is the size of a change"),
        ({"epsilon": (0.1, 0.1)}, "epsilon is a number, a colour"),
        *(({"epsilon": bad}, "epsilon holds NaN or inf") for bad in (np.nan, np.inf, 1e300)),
        *(({"epsilon": bad}, "epsilon (is a number|cannot be read)") for bad in NO_NUMBERS),
        ({"bounds": (-1, 1)}, "outside the bounds"),
        ({"bounds": (9, -9)}, "outside the bounds"),
        *(
            ({"bounds": bad}, "bounds is a pair")
            for bad in (9, None, (), (-9, 0, 9), object(), keras.Input((2,)))
        ),
        ({"bounds": "no"}, "low is a number"),
        ({"bounds": ((-9, -9), 9)}, "low is a number, a colour"),
        *(({"bounds": (bad, 9)}, "low (is a number|cannot be read)") for bad in NO_NUMBERS),
        *(({"bounds": (-9, bad)}, "high (is a number|cannot be read)") for bad in NO_NUMBERS),
        *(({"target": bad}, "0 to 2") for bad in (3, -1, 2**40)),
        *(
            ({"target": bad}, "3 class numbers")
            for bad in ([0, 1], 1.0, "1", True, 1j, [0, [1]], [[0, 1, 2]])
        ),
        ({"target": None}, "target is a class number"),
        ({"target": lambda z: z[:, 0]}, "target is a class number"),
        *(({"targeted": bad}, "targeted is True or False") for bad in (None, 1, "yes", [True])),
        *(({"batch_size": bad}, "batch_size is a whole number") for bad in (0, 2.0, "2", None)),
    ],
)
def test_bad_arguments(attack, given, says):
    given = {"target": 0, "epsilon": 0.1, **WIDE, **given}
    with pytest.raises(ValueError, match=says):
        attack(network, x3, **given)


@pytest.mark.parametrize(
    "images, says",
    [
        (x3.astype("uint8"), "net.preprocess"),
        (x3[0], r"images\[None\]"),
        (x3 * 1j, "real numbers"),
        (x3.astype(str), "real numbers"),
        (x3 * np.float64(1e300), "NaN or infinite"),
        (None, "real numbers"),
        (TensorElsewhere(), "cannot be read as an array"),
    ],
    ids=["uint8", "no batch", "complex", "text", "huge", "none", "torch"],
)
def test_bad_images(images, says):
    for attack in ATTACKS:
        with pytest.raises(ValueError, match=says):
            attack(network, images, 0, epsilon=1, bounds=(-1e9, 1e9))


@pytest.mark.parametrize(
    "given, says",
    [
        *(
            ({"steps": bad}, "steps is")
            for bad in (0, -1, 2.0, "2", None, True, np.array(2), 2**70)
        ),
        *(({"seed": bad}, "seed is") for bad in (-1, 2.0, "2", None, True, np.array(2))),
    ],
)
def test_steps_and_seeds_are_whole_numbers(given, says):
    with pytest.raises(ValueError, match=f"{says} a whole number"):
        vizlib.pgd(network, x3, 0, epsilon=0.1, **given, **WIDE)


@both
def test_logits_of_half_precision_can_be_attacked(attack):
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Flatten(),
            layers.Dense(3, dtype="mixed_float16"),
            layers.Softmax(dtype="float32"),
        ]
    )
    kernel = np.random.default_rng(3).normal(0, 0.1, (192, 3))
    model.set_weights([kernel, np.zeros(3)])
    z = vizlib.logits(model, x3)
    away = attack(model, x3, 1, epsilon=0.1, **WIDE)
    assert (np.abs(away - x3) <= 0.1 + 1e-6).all()
    odds = [v[:, 1] - np.logaddexp(v[:, 0], v[:, 2]) for v in (z, vizlib.logits(model, away))]
    assert (odds[1] < odds[0]).all()

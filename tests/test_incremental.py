"""Following windows gives what whole passes give: by hand, on random graphs, on real networks."""


import keras
import numpy as np
import pytest
import shapes
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from keras import layers

from vizlib import engine, incremental
from vizlib.incremental import execute, plan, spans


@pytest.fixture(scope="module", autouse=True)
def whatever_it_costs():
    """Every map that can be followed is, and as far as its border."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(execute, "WORTH", np.inf)
        patch.setattr(plan, "NEARLY_ALL", 1.0)
        yield


# ---- spans, by counting --------------------------------------------------------------------------


@given(
    st.integers(1, 20), st.integers(1, 5), st.integers(1, 4), st.integers(-2, 3), st.data()
)  # fmt: skip
def test_spans_hold_what_counting_finds(length, kernel, stride, before, data):
    size = data.draw(st.integers(1, length))
    starts = data.draw(st.lists(st.integers(0, length - size), min_size=1, max_size=4))
    units = data.draw(st.integers(1, 20))
    found = spans.changed(spans.Span(np.array(starts), size, length), kernel, stride, before, units)
    sees = spans.seen(found, kernel, stride, before)
    for n, start in enumerate(starts):
        inputs = {u: {u * stride - before + k for k in range(kernel)} for u in range(units)}
        touched = {u for u in inputs if inputs[u] & set(range(start, start + size))}
        held = range(found.start[n], found.start[n] + found.size)
        assert touched <= set(held) <= set(range(units))
        assert set.union(*(inputs[u] for u in held)) <= {
            *range(sees.start[n], sees.start[n] + sees.size)
        }
        if len(starts) == 1 and touched:
            assert found.size == max(touched) - min(touched) + 1  # nothing in vain
    both = spans.hull([found, spans.Span(np.zeros_like(found.start), 1, units)])
    assert (both.start == 0).all() and both.size == (found.start + found.size).max()


# ---- against whole passes ------------------------------------------------------------------------


def error(model, image, size, stride, cover, *, batch_size=7, least=1):
    """The largest difference of the two ways, over the deviation of what is predicted."""
    corners = [[*range(0, n - s, t), n - s] for n, s, t in zip(image.shape, size, stride)]
    tops, lefts = (a.ravel() for a in np.meshgrid(*corners, indexing="ij"))
    windows = np.stack([tops, lefts, tops + size[0], lefts + size[1]], -1)
    net = plan.network(model, image.shape, engine.head.EITHER)
    assert sum(plan.plan(net, windows).followed[1:]) >= least
    groups, run = incremental.follow(model, image.shape, windows, batch_size, engine.head.EITHER)
    clean, *quick = run(image, cover)
    covered = np.repeat(image[None], len(windows), 0)
    for one, (top, left, bottom, right) in zip(covered, windows):
        one[top:bottom, left:right] = cover[top:bottom, left:right]
    how = dict(target=lambda predicted: predicted, batch_size=16)
    whole, of_clean = (engine.forward(model, x, **how) for x in (covered, image[None]))
    np.testing.assert_allclose(clean, of_clean, rtol=1e-4, atol=1e-4 * np.abs(of_clean).max())
    assert sorted(np.concatenate(groups)) == list(range(len(windows)))
    difference = np.concatenate(quick) - whole[np.concatenate(groups)]
    spread = whole.std(0).max()
    assert spread > 1e-3 * np.abs(whole).max()  # else rounding is all that there is to see
    return np.abs(difference).max() / spread


def randomized(model, seed=0, scale=1.0):
    """The model with random weights everywhere, also in normalizations."""
    rng = np.random.default_rng(seed)
    for v in model.variables:
        if v.dtype.startswith("float"):
            positive = "gamma" in v.path or "variance" in v.path
            deviation = scale * (2 / np.prod(v.shape[:-1])) ** 0.5 if len(v.shape) > 1 else 0.2
            drawn = (
                rng.uniform(0.5, 1.5, v.shape) if positive else rng.normal(0, deviation, v.shape)
            )
            v.assign(drawn)
    return model


def check(model, size=(4, 3), stride=(3, 3), least=1, seed=0, tolerance=1e-4):
    """Assert that both ways agree on an image of the model's size."""
    rng = np.random.default_rng(seed)
    shape = [n or 12 for n in (engine.input_shape(model) or (None, 12, 10, 3))[1:]]
    image, cover = rng.normal(0, 1, (2, *shape)).astype("float32")
    assert error(model, image, size, stride, cover, least=least) <= tolerance


@pytest.mark.parametrize("shape", shapes.SHAPES, ids=lambda f: f.__name__)
def test_every_model_shape(shape):
    model, _, (image, cover, *_), _ = shapes.build(shape)
    assert error(model, image, (2, 3), (1, 2), cover, least=6) <= 1e-4


LAYERS = {
    "conv": lambda d: layers.Conv2D(
        4, d(1, 3), strides=d(1, 2), padding=("same", "valid")[d(0, 1)], activation="relu"
    ),
    "tall": lambda d: layers.Conv2D(
        4, (d(1, 4), d(1, 2)), strides=(d(1, 2), d(1, 3)), padding="same"
    ),
    "dilated": lambda d: layers.Conv2D(
        4, (2, 3), dilation_rate=(d(1, 3), d(1, 3)), padding=("same", "valid")[d(0, 1)]
    ),
    "depthwise": lambda d: layers.DepthwiseConv2D(
        3, strides=d(1, 2), padding="same", activation="silu"
    ),
    "dilated depthwise": lambda d: layers.DepthwiseConv2D(3, dilation_rate=2, padding="same"),
    "separable": lambda d: layers.SeparableConv2D(5, 3, strides=d(1, 2), padding="same"),
    "max": lambda d: layers.MaxPooling2D(
        d(1, 3), strides=d(1, 3), padding=("same", "valid")[d(0, 1)]
    ),
    "mean": lambda d: layers.AveragePooling2D(
        2, strides=d(1, 2), padding=("same", "valid")[d(0, 1)]
    ),
    "pad": lambda d: layers.ZeroPadding2D(((d(0, 2), d(0, 2)), (d(0, 2), d(0, 2)))),
    "norm": lambda d: layers.BatchNormalization(),
    "norm of channels": lambda d: layers.LayerNormalization(),
    "act": lambda d: layers.LeakyReLU(),
    "larger": lambda d: layers.UpSampling2D(2),
    "smaller": lambda d: layers.Cropping2D(((d(0, 1), d(0, 1)), (d(0, 1), d(0, 1)))),
}


def residual(x, draw):
    """Two ways of the same stride, one of them longer; added or put side by side."""
    stride = draw(1, 2)
    short = layers.Conv2D(4, 1, strides=stride)(x)
    long = layers.Conv2D(4, 3, strides=stride, padding="same", activation="relu")(x)
    long = layers.Conv2D(4, 3, padding="same")(long)
    return (layers.Add(), layers.Concatenate())[draw(0, 1)]([short, long])


def check_random_network(data):
    def draw(low, high):
        return data.draw(st.integers(low, high))

    shape = draw(9, 20), draw(9, 20), draw(1, 3)
    x = y = keras.Input(shape)
    for name in data.draw(st.lists(st.sampled_from([*LAYERS, "residual"]), min_size=2, max_size=6)):
        if 6 < min(y.shape[1:3]) <= max(y.shape[1:3]) < 40:
            y = residual(y, draw) if name == "residual" else LAYERS[name](draw)(y)
    y = layers.Flatten()(y) if draw(0, 1) else layers.GlobalAveragePooling2D()(y)
    model = randomized(keras.Model(x, layers.Dense(3, activation="softmax")(y)), draw(0, 999))
    patch = draw(1, 7), draw(1, 7)
    image, cover = np.random.default_rng(draw(0, 999)).normal(0, 1, (2, *shape)).astype("float32")
    found = error(model, image, patch, (draw(1, 7), draw(1, 7)), cover + draw(0, 2), least=0)
    assert found <= 1e-4


HOW = dict(deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


@settings(max_examples=12, **HOW)
@given(st.data())
def test_random_networks(data):
    check_random_network(data)


@pytest.mark.slow
@settings(max_examples=150, **HOW)
@given(st.data())
def test_many_random_networks(data):
    check_random_network(data)

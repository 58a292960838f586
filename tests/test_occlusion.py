"""Occlusion against closed forms; the incremental path against whole passes, on random networks, patches and borders."""

import keras
import numpy as np
import pytest
import shapes
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from keras import layers

import vizlib
from vizlib import Occlusion, incremental


def mean_pooling(height=12, width=9):
    """A classifier of the mean colour: its answer to a covered window can be written down."""
    x = keras.Input((height, width, 3))
    return keras.Model(x, layers.Dense(4)(layers.GlobalAveragePooling2D()(x)))


def pictures(n=2, height=12, width=9, seed=0):
    return np.random.default_rng(seed).normal(0, 1, (n, height, width, 3)).astype("float32")


@pytest.mark.parametrize("fill", ["mean", 0.5, (1.0, 2.0, 3.0)])
def test_a_mean_pooling_classifier_loses_what_is_covered(fill):
    model, x = mean_pooling(), pictures()
    kernel, bias = model.layers[-1].get_weights()
    found = vizlib.occlusion(model, x, 2, patch=(4, 3), stride=(3, 2), fill=fill, score="logit")
    assert found.scores.shape == (2, 4, 4) and found.boxes.shape == (4, 4, 4)
    for i, picture in enumerate(x):
        colour = picture.mean((0, 1)) if isinstance(fill, str) else np.broadcast_to(fill, 3)
        for r, c in np.ndindex(4, 4):
            top, left, bottom, right = found.boxes[r, c]
            assert (top, left) == ([0, 3, 6, 8][r], [0, 2, 4, 6][c]) and (bottom, right) == (
                top + 4,
                left + 3,
            )
            covered = picture.copy()
            covered[top:bottom, left:right] = colour
            np.testing.assert_allclose(
                found.scores[i, r, c], covered.mean((0, 1)) @ kernel[:, 2] + bias[2], atol=1e-5
            )
        np.testing.assert_allclose(
            found.clean[i], picture.mean((0, 1)) @ kernel[:, 2] + bias[2], atol=1e-5
        )


def test_filled_from_another_picture_and_from_a_blur():
    model, (x, other) = mean_pooling(), pictures(2)
    found = vizlib.occlusion(model, x[None], 0, patch=(12, 9), stride=1, fill=other, score="logit")
    np.testing.assert_allclose(
        found.scores[0, 0, 0], vizlib.logits(model, other[None])[0, 0], atol=1e-5
    )
    flat = np.full((1, 12, 9, 3), 7.0)
    found = vizlib.occlusion(model, flat, 0, patch=5, stride=3, fill="blur", score="logit")
    np.testing.assert_allclose(
        found.scores, found.clean[0], atol=1e-5
    )  # a flat picture is its own blur
    sharp = np.zeros((1, 12, 9, 3), "float32")
    sharp[0, 6, 4] = 1.0
    blurred = vizlib.occlusion(model, sharp, 0, patch=(12, 9), stride=1, fill="blur", score="logit")
    mean = vizlib.occlusion(model, sharp, 0, patch=(12, 9), stride=1, fill="mean", score="logit")
    assert (
        0 < abs(blurred.scores[0, 0, 0] - mean.scores[0, 0, 0]) < 0.01
    )  # it keeps the mean, but for the borders


def test_the_heatmap_is_the_mean_drop_of_the_windows_over_a_pixel():
    boxes = np.array([[[0, 0, 2, 2], [0, 1, 2, 3]]])  # two windows of a picture of 2 x 3
    heat = Occlusion(np.array([[[0.9, 0.3]]]), np.array([0.9]), boxes, "full").heatmap()
    np.testing.assert_allclose(heat, [[[0, 0.3, 0.6]] * 2], atol=1e-12)
    with pytest.warns(UserWarning, match="leave holes"):
        found = vizlib.occlusion(
            mean_pooling(), pictures(1), 0, patch=2, stride=(5, 3), score="logit"
        )
    heat = found.heatmap()
    assert heat.shape == (1, 12, 9) and (heat[0, 2:5] == 0).all() and (heat[0, :, 2] == 0).all()
    assert (heat[0, [0, 1, 5, 6, 10, 11]][:, [0, 1, 3, 4, 7, 8]] != 0).all()


def test_a_window_that_hides_a_rival_raises_the_score():
    found = Occlusion(
        np.array([[[0.2, 0.8]]]), np.array([0.5]), np.array([[[0, 0, 1, 1], [0, 1, 1, 2]]]), "full"
    )
    np.testing.assert_allclose(found.heatmap(), [[[0.3, -0.3]]], atol=1e-12)


# ---- every model shape ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", shapes.SHAPES, ids=lambda f: f.__name__)
def test_every_model_shape(shape, monkeypatch):
    monkeypatch.setattr(incremental, "WORTH", np.inf)
    model, w, x, _ = shapes.build(shape)
    target = 1 if w[-1].shape == (1,) else 2
    found = vizlib.occlusion(
        model, x, target, patch=3, stride=2, fill=0.0, score="logit", batch_size=4
    )
    expected = np.empty_like(found.scores)
    for r, c in np.ndindex(found.boxes.shape[:2]):
        top, left, bottom, right = found.boxes[r, c]
        covered = x.copy()
        covered[:, top:bottom, left:right] = 0
        expected[:, r, c] = shapes.forward(covered, w)[0][:, 0 if target == 1 else 2]
    assert expected.std() > 0.01
    np.testing.assert_allclose(found.scores, expected, atol=1e-4 * expected.std())
    np.testing.assert_allclose(
        found.clean, shapes.forward(x, w)[0][:, 0 if target == 1 else 2], rtol=1e-4, atol=1e-4
    )
    graphs = (
        "fused",
        "relu_layers",
        "linear_head",
        "softmax_layer",
        "input_in_a_list",
        "sigmoid_many",
        "one_channel",
    )
    assert found.path == "incremental" or shape.__name__ not in graphs
    assert found.path == "full" or shape is not shapes.subclassed


def test_targets_are_those_of_every_method():
    model, _, x, _ = shapes.build(shapes.fused)
    options = dict(patch=4, stride=2, fill=0.0)
    best = vizlib.occlusion(model, x, **options)
    each = vizlib.occlusion(model, x, vizlib.logits(model, x).argmax(1), **options)
    np.testing.assert_array_equal(best.scores, each.scores)
    np.testing.assert_allclose(best.clean, vizlib.probabilities(model, x).max(1), rtol=1e-5)
    margin = vizlib.occlusion(model, x, lambda z: z[:, 0] - z[:, 1], **options)
    zero, one = (vizlib.occlusion(model, x, k, score="logit", **options).scores for k in (0, 1))
    np.testing.assert_allclose(margin.scores, zero - one, atol=1e-5)
    single, _, x, _ = shapes.build(shapes.sigmoid_one)
    zero, one = (vizlib.occlusion(single, x, k, **options).scores for k in (0, 1))
    np.testing.assert_allclose(zero + one, 1, atol=1e-6)


def test_batches_and_bars_change_nothing(capsys):
    model, _, x, _ = shapes.build(shapes.fused)
    whole = vizlib.occlusion(model, x, 0, patch=3, stride=1)
    parts = vizlib.occlusion(model, x, 0, patch=3, stride=1, batch_size=5, progress=True)
    np.testing.assert_allclose(parts.scores, whole.scores, atol=1e-6)
    assert "100%" in capsys.readouterr().err


def test_new_weights_are_seen():
    model, _, x, _ = shapes.build(shapes.fused)
    before = vizlib.occlusion(model, x, 0, patch=3, stride=2, score="logit")
    model.set_weights([2 * v for v in model.get_weights()])
    after, full = (
        vizlib.occlusion(model, x, 0, patch=3, stride=2, score="logit", incremental=i)
        for i in (True, False)
    )
    assert np.abs(after.scores - before.scores).max() > 0.1
    np.testing.assert_allclose(after.scores, full.scores, atol=1e-4)


# ---- the incremental path is exact ---------------------------------------------------------------------------------

LAYERS = {
    "conv": lambda d: layers.Conv2D(
        4, d(1, 3), strides=d(1, 2), padding=("same", "valid")[d(0, 1)], activation="relu"
    ),
    "tall": lambda d: layers.Conv2D(
        4, (d(1, 4), d(1, 2)), strides=(d(1, 2), d(1, 3)), padding="same"
    ),
    "dilated": lambda d: layers.Conv2D(
        4, (2, 3), dilation_rate=d(2, 3), padding=("same", "valid")[d(0, 1)]
    ),
    "depthwise": lambda d: layers.DepthwiseConv2D(
        3, strides=d(1, 2), padding="same", activation="relu"
    ),
    "max": lambda d: layers.MaxPooling2D(
        d(1, 3), strides=d(1, 3), padding=("same", "valid")[d(0, 1)]
    ),
    "mean": lambda d: layers.AveragePooling2D(
        2, strides=d(1, 2), padding=("same", "valid")[d(0, 1)]
    ),
    "pad": lambda d: layers.ZeroPadding2D(((d(0, 2), d(0, 2)), (d(0, 2), d(0, 2)))),
    "norm": lambda d: layers.BatchNormalization(),
    "act": lambda d: layers.LeakyReLU(),
}


def residual(x, draw):
    """Two ways of the same stride, one of them longer; added or put side by side."""
    stride = draw(1, 2)
    short = layers.Conv2D(4, 1, strides=stride)(x)
    long = layers.Conv2D(4, 3, padding="same")(
        layers.Conv2D(4, 3, strides=stride, padding="same", activation="relu")(x)
    )
    return (layers.Add(), layers.Concatenate())[draw(0, 1)]([short, long])


def random_network(shape, names, draw, rng):
    """A network of these layers with random weights everywhere, also in normalisations."""
    x = y = keras.Input(shape)
    for name in names:
        if min(y.shape[1:3]) > 6:
            y = residual(y, draw) if name == "residual" else LAYERS[name](draw)(y)
    y = layers.Flatten()(y) if draw(0, 1) else layers.GlobalAveragePooling2D()(y)
    model = keras.Model(x, layers.Dense(3, activation="softmax")(y))
    model.set_weights([
        rng.uniform(0.5, 1.5, w.shape) if w.ndim == 1 else rng.normal(0, (2 / np.prod(w.shape[:-1])) ** 0.5, w.shape)
        for w in model.get_weights()
    ])  # fmt: skip
    return model


def differs_by(model, x, **options):
    """The largest difference between the two paths' logits, over the deviation of the full one, which is made sharp."""
    kernel, bias = model.layers[-1].get_weights()
    full = vizlib.occlusion(model, x, 0, score="logit", incremental=False, **options).scores
    if full.std() < 0.005 * np.abs(full).max():
        return None  # covering changes the answer by little more than rounding does: this network tells nothing
    model.layers[-1].set_weights([kernel / full.std(), bias])
    full = vizlib.occlusion(model, x, 0, score="logit", incremental=False, **options)
    quick = vizlib.occlusion(model, x, 0, score="logit", batch_size=7, **options)
    assert (full.path, quick.path) == ("full", "incremental") and full.scores.std() > 0.01
    return np.abs(quick.scores - full.scores).max() / full.scores.std()


@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_both_paths_agree_on_random_networks(data):
    def draw(low, high):
        return data.draw(st.integers(low, high))

    shape = draw(9, 20), draw(9, 20), draw(1, 3)
    names = data.draw(st.lists(st.sampled_from([*LAYERS, "residual"]), min_size=2, max_size=6))
    rng = np.random.default_rng(draw(0, 999))
    keras.utils.set_random_seed(0)
    model = random_network(shape, names, draw, rng)
    patch = draw(1, 7), draw(1, 7)
    stride = draw(1, patch[0]), draw(1, patch[1])
    fill = data.draw(st.sampled_from(["mean", "blur", 0.0, -2.5]))
    x = rng.normal(0, 1, (1, *shape)).astype("float32")
    before = incremental.WORTH, incremental.MOVING
    incremental.WORTH, incremental.MOVING = np.inf, data.draw(st.sampled_from([0, 30]))
    try:
        found = differs_by(model, x, patch=patch, stride=stride, fill=fill)
        assume(found is not None)
        assert found <= 1e-4
    finally:
        incremental.WORTH, incremental.MOVING = before


def test_both_paths_agree_on_pocket():
    net = vizlib.load("pocket", weights="random")
    x = np.random.default_rng(1).normal(0, 50, (1, *net.size, 3)).astype("float32")
    assert differs_by(net.model, x, patch=(40, 24), stride=(37, 24)) <= 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ResNet50", "MobileNetV2", "VGG16"])
def test_both_paths_agree_on_large_networks(name, monkeypatch):
    monkeypatch.setattr(incremental, "WORTH", np.inf)
    keras.utils.set_random_seed(0)
    model = getattr(keras.applications, name)(weights=None, input_shape=(128, 96, 3), classes=5)
    x = np.random.default_rng(1).normal(0, 50, (1, 128, 96, 3)).astype("float32")
    for (
        layer
    ) in model.layers:  # without data of its own to normalise by, the signal dies on its way
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = 0.0
    model(x, training=True)
    assert differs_by(model, x, patch=(20, 16), stride=(19, 16)) <= 1e-4


def test_the_cheaper_path_is_chosen_by_counting():
    net = vizlib.load("pocket", weights="random")
    x = np.zeros((1, *net.size, 3), "float32")
    small = vizlib.occlusion(net.model, x, 0, patch=16, stride=16, fill=1.0)
    large = vizlib.occlusion(net.model, x, 0, patch=180, stride=12, fill=1.0)
    assert (small.path, large.path) == ("incremental", "full")


# ---- bad input -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options, says",
    [
        (dict(patch=13), "take a smaller one"),
        (dict(patch=0), "patch is a whole number"),
        (dict(patch=2.5), "patch is a whole number"),
        (dict(stride=(1, 2, 3)), "stride is a whole number"),
        (dict(fill="grey"), "'grey'"),
        (dict(fill=(1.0, 2.0)), "a colour \\(3,\\)"),
        (dict(fill=np.zeros((9, 12, 3))), "a picture \\(12, 9, 3\\)"),
        (dict(target=4), "from 0 to 3"),
        (dict(target=[0, 1, 2]), "2 class numbers"),
        (dict(score="loss"), "'loss'"),
        (dict(batch_size=0), "batch_size"),
        (dict(target=lambda z: z), "shape \\(N,\\)"),
    ],
)
def test_bad_input_gets_one_sentence(options, says):
    with pytest.raises(ValueError, match=says):
        vizlib.occlusion(mean_pooling(), pictures(), **{"patch": 4, "stride": 4, **options})


# ---- the explorer --------------------------------------------------------------------------------------------------


def test_the_explorer_covers_the_place_it_is_told():
    from vizlib import barnyard, widgets

    net = vizlib.load("pocket")
    hen = barnyard.load(classes="hen", seeds=[4]).images[0]
    view, p = widgets.covered(net, hen, (16, 32, 112, 128), side=192)
    changed = (view != hen).any(-1)
    assert (
        not changed[:16].any()
        and not changed[:, 128:].any()
        and changed[16:112, 32:128].mean() > 0.95
    )
    covered = net.preprocess(hen[None])
    covered[0, 16:112, 32:128] = covered[0].mean((0, 1))
    np.testing.assert_allclose(p, vizlib.probabilities(net.model, covered)[0], atol=1e-5)

    box = widgets.occlusions(net, {"hen": hen, "dark": hen // 2})
    (picture, target, size), (row, column) = (part.children for part in box.children[:2])
    image, caption = box.children[2:]
    seen = [image.value]
    for control, value in (
        (picture, "dark"),
        (row, 0),
        (size, 96),
        (target, target.options[0][1]),
        (column, 4),
    ):
        control.value = value
        seen.append(image.value)
    assert len(set(seen)) >= 5 and (row.max, column.max) == (96, 96) and "hen: " in caption.value

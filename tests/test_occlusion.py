"""Occlusion against closed forms, of models and of functions; bad input. How: test_incremental."""

from pathlib import Path

import keras
import numpy as np
import pytest
import shapes
import tensorflow as tf
from keras import layers

import vizlib
from vizlib import Occlusion, engine
from vizlib.incremental import execute


def mean_pooling(height=12, width=9):
    """A classifier of the mean colour: its answer to a covered window can be written down."""
    x = keras.Input((height, width, 3))
    return keras.Model(x, layers.Dense(4)(layers.GlobalAveragePooling2D()(x)))


def some_images(n=2, height=12, width=9, seed=0):
    return np.random.default_rng(seed).normal(0, 1, (n, height, width, 3)).astype("float32")


@pytest.mark.parametrize("fill", ["mean", 0.5, (1.0, 2.0, 3.0)])
def test_a_mean_pooling_classifier_loses_what_is_covered(fill):
    model, x = mean_pooling(), some_images()
    kernel, bias = model.layers[-1].get_weights()
    found = vizlib.occlusion(model, x, 2, patch=(4, 3), stride=(3, 2), fill=fill)
    assert found.scores.shape == (2, 4, 4) and found.boxes.shape == (4, 4, 4)
    for i, image in enumerate(x):
        colour = image.mean((0, 1)) if isinstance(fill, str) else np.broadcast_to(fill, 3)
        for r, c in np.ndindex(4, 4):
            top, left, bottom, right = found.boxes[r, c]
            assert (top, left) == ([0, 3, 6, 8][r], [0, 2, 4, 6][c]) and (bottom, right) == (
                top + 4,
                left + 3,
            )
            covered = image.copy()
            covered[top:bottom, left:right] = colour
            np.testing.assert_allclose(
                found.scores[i, r, c],
                covered.mean((0, 1)) @ kernel[:, 2] + bias[2],
                rtol=1e-5,
                atol=1e-5,
            )
        np.testing.assert_allclose(
            found.clean[i], image.mean((0, 1)) @ kernel[:, 2] + bias[2], rtol=1e-5, atol=1e-5
        )


def test_filled_from_another_image_and_from_a_blur():
    model, (x, other) = mean_pooling(), some_images(2)
    found = vizlib.occlusion(model, x[None], 0, patch=(12, 9), stride=1, fill=other)
    np.testing.assert_allclose(
        found.scores[0, 0, 0], vizlib.logits(model, other[None])[0, 0], rtol=1e-5, atol=1e-5
    )
    flat = np.full((1, 12, 9, 3), 7.0)
    found = vizlib.occlusion(model, flat, 0, patch=5, stride=3, fill="blur")
    np.testing.assert_allclose(
        found.scores, found.clean[0], rtol=1e-5, atol=1e-5
    )  # a flat image is its own blur
    sharp = np.zeros((1, 12, 9, 3), "float32")
    sharp[0, 6, 4] = 1.0
    blurred = vizlib.occlusion(model, sharp, 0, patch=(12, 9), stride=1, fill="blur")
    mean = vizlib.occlusion(model, sharp, 0, patch=(12, 9), stride=1, fill="mean")
    assert (
        0 < abs(blurred.scores[0, 0, 0] - mean.scores[0, 0, 0]) < 0.01
    )  # it keeps the mean, but for the borders


def test_the_heatmap_is_the_mean_drop_of_the_windows_over_a_pixel():
    boxes = np.array([[[0, 0, 2, 2], [0, 1, 2, 3]]])  # two windows of an image of 2 x 3
    heat = Occlusion(np.array([[[0.9, 0.3]]]), np.array([0.9]), boxes, "full").heatmap()
    np.testing.assert_allclose(heat, [[[0, 0.3, 0.6]] * 2], atol=1e-12)
    with pytest.warns(UserWarning, match="leave holes"):
        found = vizlib.occlusion(mean_pooling(), some_images(1), 0, patch=2, stride=(5, 3))
    heat = found.heatmap()
    assert heat.shape == (1, 12, 9) and (heat[0, 2:5] == 0).all() and (heat[0, :, 2] == 0).all()
    assert (heat[0, [0, 1, 5, 6, 10, 11]][:, [0, 1, 3, 4, 7, 8]] != 0).all()


def test_a_window_that_hides_a_rival_raises_the_score():
    found = Occlusion(
        np.array([[[0.2, 0.8]]]), np.array([0.5]), np.array([[[0, 0, 1, 1], [0, 1, 1, 2]]]), "full"
    )
    np.testing.assert_allclose(found.heatmap(), [[[0.3, -0.3]]], atol=1e-12)


# ---- every model shape ---------------------------------------------------------------------------


@pytest.mark.parametrize("incremental", [True, False])
def test_every_model_shape(case, incremental, monkeypatch):
    monkeypatch.setattr(execute, "WORTH", np.inf)
    model, w, x, _ = case
    target = 1 if w[-1].shape == (1,) else 2
    found = vizlib.occlusion(
        model, x, target, patch=3, stride=2, fill=0.0, batch_size=4, incremental=incremental
    )
    expected = np.empty_like(found.scores)
    for r, c in np.ndindex(found.boxes.shape[:2]):
        top, left, bottom, right = found.boxes[r, c]
        covered = x.copy()
        covered[:, top:bottom, left:right] = 0
        expected[:, r, c] = shapes.forward(covered, w)[0][:, 0 if target == 1 else 2]
    assert expected.std() > 0.01
    np.testing.assert_allclose(found.scores, expected, atol=1e-4 * expected.std())
    clean = shapes.forward(x, w)[0][:, 0 if target == 1 else 2]
    np.testing.assert_allclose(found.clean, clean, rtol=1e-4, atol=1e-4)
    assert found.path == ("incremental" if incremental else "full")


def test_targets_are_those_of_every_method():
    model, _, x, _ = shapes.build(shapes.fused)
    options = dict(patch=4, stride=2, fill=0.0)
    best = vizlib.occlusion(model, x, **options)
    each = vizlib.occlusion(model, x, vizlib.logits(model, x).argmax(1), **options)
    np.testing.assert_array_equal(best.scores, each.scores)
    np.testing.assert_allclose(best.clean, vizlib.logits(model, x).max(1), rtol=1e-5)
    likely = vizlib.occlusion(model, x, score="probability", **options)
    np.testing.assert_allclose(likely.clean, vizlib.probabilities(model, x).max(1), rtol=1e-5)
    margin = vizlib.occlusion(model, x, lambda z: z[:, 0] - z[:, 1], **options)
    zero, one = (vizlib.occlusion(model, x, k, **options).scores for k in (0, 1))
    np.testing.assert_allclose(margin.scores, zero - one, rtol=1e-5, atol=1e-5)
    single, _, x, _ = shapes.build(shapes.sigmoid_one)
    zero, one = (
        vizlib.occlusion(single, x, k, score="probability", **options).scores for k in (0, 1)
    )
    np.testing.assert_allclose(zero + one, 1, rtol=1e-5, atol=1e-6)


def test_batches_and_bars_change_nothing(capsys):
    model, _, x, _ = shapes.build(shapes.fused)
    whole = vizlib.occlusion(model, x, 0, patch=3, stride=1)
    parts = vizlib.occlusion(model, x, 0, patch=3, stride=1, batch_size=5, progress=True)
    np.testing.assert_allclose(parts.scores, whole.scores, rtol=1e-5, atol=1e-6)
    assert "100%" in capsys.readouterr().err


def test_new_weights_are_seen():
    model, _, x, _ = shapes.build(shapes.fused)
    before = vizlib.occlusion(model, x, 0, patch=3, stride=2)
    model.set_weights([2 * v for v in model.get_weights()])
    after, full = (
        vizlib.occlusion(model, x, 0, patch=3, stride=2, score="logit", incremental=i)
        for i in (True, False)
    )
    assert np.abs(after.scores - before.scores).max() > 0.1
    np.testing.assert_allclose(after.scores, full.scores, rtol=1e-5, atol=1e-4)


def test_the_default_patch_is_a_seventh_of_the_shorter_side():
    found = vizlib.occlusion(mean_pooling(30, 42), some_images(1, 30, 42))
    assert found.boxes[0, 0].tolist() == [0, 0, 4, 4] and found.boxes[1, 1].tolist() == [1, 1, 5, 5]
    wide = vizlib.occlusion(mean_pooling(30, 42), some_images(1, 30, 42), patch=(4, 9))
    assert wide.boxes[1, 1].tolist() == [1, 2, 5, 11]
    tiny = vizlib.occlusion(mean_pooling(3, 2), some_images(1, 3, 2))
    assert tiny.scores.shape == (1, 3, 2)


def test_few_positions_are_no_map():
    with pytest.warns(UserWarning, match="1 x 1 positions in images of \\(32, 32\\): take patch=5"):
        vizlib.occlusion(mean_pooling(32, 32), some_images(1, 32, 32), patch=32, stride=8)
    with pytest.warns(UserWarning, match="3 x 9 positions"):
        vizlib.occlusion(mean_pooling(16, 16), some_images(1, 16, 16), patch=(12, 8), stride=(2, 1))


# ---- which way -----------------------------------------------------------------------------------


def test_the_cheaper_way_is_chosen_by_counting():
    net = vizlib.load("pocket", weights="random")
    x = np.zeros((1, *net.size, 3), "float32")
    small = vizlib.occlusion(net.model, x, 0, patch=16, stride=16, fill=1.0)
    large = vizlib.occlusion(net.model, x, 0, patch=150, stride=14, fill=1.0)
    assert (small.path, large.path) == ("incremental", "full")


@pytest.mark.parametrize("kind", ["fixed batch", "half precision", "compiled call"])
def test_whole_passes_where_nothing_can_be_followed(kind):
    class Compiled(keras.Model):
        @tf.function
        def call(self, x, training=None, mask=None):
            return super().call(x, training=training)

    if kind == "half precision":
        keras.config.set_dtype_policy("mixed_float16")
    try:
        x = keras.Input((32, 32, 3), batch_size=4 if kind == "fixed batch" else None)
        y = layers.Conv2D(8, 3, activation="relu")(layers.Conv2D(8, 3, activation="relu")(x))
        y = layers.Dense(3)(layers.Flatten()(layers.MaxPooling2D(4)(y)))
        model = (Compiled if kind == "compiled call" else keras.Model)(x, y)
    finally:
        keras.config.set_dtype_policy("float32")
    images = some_images(2, 32, 32)
    found = vizlib.occlusion(model, images, 1, patch=4, stride=4, fill=1.0, score="output")
    assert found.path == "full"
    for r, c in ((0, 0), (3, 5)):
        covered = images.copy()
        covered[:, 4 * r : 4 * r + 4, 4 * c : 4 * c + 4] = 1
        expected = engine.forward(model, covered, score="output")[:, 1]
        np.testing.assert_allclose(found.scores[:, r, c], expected, atol=1e-2)


# ---- functions: in place of a model, and of its output -------------------------------------------


def test_a_function_is_covered_like_the_model_that_it_calls():
    model, x = mean_pooling(), some_images(3)
    options = dict(patch=(4, 3), stride=2, fill="blur", batch_size=5)
    seen = []

    def elsewhere(images):
        assert images.dtype == np.float32 and images.shape[1:] == (12, 9, 3)
        seen.append(len(images))
        return model(images).numpy().astype("float64").tolist()  # as a server would

    for target in (None, 2, [1, 0, 3], lambda z: z[:, 0] - z[:, 3]):
        ours = vizlib.occlusion(model, x, target, **options)
        theirs = vizlib.occlusion(elsewhere, x.astype("float64"), target, **options)
        assert theirs.path == "full" and max(seen) == 5
        np.testing.assert_allclose(theirs.scores, ours.scores, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(theirs.clean, ours.clean, rtol=1e-5, atol=1e-5)
    grey = np.arange(2 * 4 * 4, dtype="uint8").reshape(2, 4, 4, 1)
    total = vizlib.occlusion(lambda x: x.sum((1, 2)), grey, fill=0, score="output")
    np.testing.assert_allclose(total.clean[:, None, None] - total.scores, grey[..., 0])


@pytest.mark.filterwarnings("ignore::UserWarning:tensorflow")  # of the interpreter's next home
def test_a_tflite_interpreter_goes_into_a_function():
    model, x = mean_pooling(), some_images(1)
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    interpreter = tf.lite.Interpreter(model_content=converter.convert())
    interpreter.allocate_tensors()
    places = interpreter.get_input_details(), interpreter.get_output_details()
    taken, given = (details[0]["index"] for details in places)

    def one(image):
        interpreter.set_tensor(taken, image[None])
        interpreter.invoke()
        return interpreter.get_tensor(given)[0]

    ours, theirs = (
        vizlib.occlusion(by, x, 1, patch=4, stride=3)
        for by in (model, lambda images: [one(image) for image in images])
    )
    np.testing.assert_allclose(theirs.scores, ours.scores, rtol=1e-5, atol=1e-5)
    with pytest.raises(ValueError, match=r"model is a keras\.Model, not Interpreter"):
        vizlib.occlusion(interpreter, x, 1, patch=4)


@pytest.mark.parametrize("incremental", [True, False])
@pytest.mark.parametrize("head", ["sigmoid", None])
def test_the_mean_of_a_mask(head, incremental, monkeypatch):
    monkeypatch.setattr(execute, "WORTH", np.inf)
    x = keras.Input((16, 12, 3))
    down = layers.Conv2D(4, 3, padding="same", activation="relu")(x)
    up = layers.Conv2D(6, 3, padding="same", activation="relu")(layers.MaxPooling2D()(down))
    up = layers.Concatenate()([down, layers.UpSampling2D()(up)])
    unet = keras.Model(x, layers.Conv2D(2, 1, activation=head)(up))
    images = some_images(2, 16, 12)
    mask = np.zeros((16, 12), "float32")
    mask[4:9, 3:10] = 1

    def inside(predicted):
        return tf.reduce_mean(predicted[..., 1] * mask, (1, 2))

    found = vizlib.occlusion(
        unet, images, inside, patch=4, stride=3, fill=1.0, score="output", incremental=incremental
    )
    for i, r, c in np.ndindex(found.scores.shape):
        top, left, bottom, right = found.boxes[r, c]
        covered = images[i].copy()
        covered[top:bottom, left:right] = 1
        by_hand = (unet(covered[None]).numpy()[0, ..., 1] * mask).mean()
        np.testing.assert_allclose(found.scores[i, r, c], by_hand, rtol=1e-4)
    assert found.scores.std() > 1e-3 and found.path == ("incremental" if incremental else "full")
    logits = vizlib.occlusion(unet, images, inside, patch=4, stride=3, fill=1.0)
    assert np.allclose(logits.scores, found.scores, rtol=1e-4) == (head is None)
    with pytest.raises(ValueError, match="has no classes: give a function"):
        vizlib.occlusion(unet, images)


# ---- bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["patch", "stride"])
@pytest.mark.parametrize(
    "value",
    [0, -1, 2.0, "4", b"4", True, (1, 2, 3), (2, 0), (2, "3"), [[2, 2]], [2, [2]], (), {}, {4}, 1j,
     np.array(2.0), np.array([True, True]), np.nan, 10**30, object(), np.array(["4"]), (None, 4)],
)  # fmt: skip
def test_sizes_that_are_no_numbers(name, value):
    with pytest.raises(ValueError, match=f"^{name} (is a whole number|cannot be read)"):
        vizlib.occlusion(mean_pooling(), some_images(), **{name: value})


def test_sizes_that_are_numbers():
    model, x = mean_pooling(), some_images(1)
    for size in (4, np.int8(4), np.array(4), [4, 4], np.array([4, 4], "uint8")):
        assert vizlib.occlusion(model, x, patch=size, stride=size).boxes[0, 0].tolist() == [
            0,
            0,
            4,
            4,
        ]
    with pytest.warns(UserWarning, match="holes"):
        assert vizlib.occlusion(model, x, patch=4, stride=10**18).scores.shape == (1, 2, 2)


@pytest.mark.parametrize("incremental", [True, False])
@pytest.mark.parametrize(
    "options, says",
    [
        (dict(patch=13), "take a smaller one"),
        (dict(patch=(4, 2**62)), "take a smaller one"),
        (dict(fill="grey"), "'grey'"),
        (dict(fill=None), "fill"),
        (dict(fill=True), "fill"),
        (dict(fill=(1.0, 2.0)), "a colour \\(3,\\)"),
        (dict(fill=np.zeros((9, 12, 3))), "an image \\(12, 9, 3\\)"),
        (dict(fill=np.nan), "fill, .* NaN or infinite"),
        (dict(fill=-np.inf), "fill, .* NaN or infinite"),
        (dict(fill=(0.0, 1e300, 0.0)), "fill, .* NaN or infinite"),
        (dict(target=4), "from 0 to 3"),
        (dict(target=[0, 1, 2]), "2 class numbers"),
        (dict(target=1.0), "a class number"),
        (dict(target="hen"), "a class number"),
        (dict(score="loss"), "'loss'"),
        (dict(batch_size=0), "batch_size"),
        (dict(batch_size=None), "batch_size"),
        (dict(target=lambda z: z), "shape \\(N,\\)"),
        (dict(target=lambda z: z[:, 0] / 0), "NaN or infinite"),
    ],
)  # fmt: skip
def test_bad_input_gets_one_sentence(options, says, incremental):
    options = {"patch": 4, "stride": 3, "incremental": incremental, **options}
    with pytest.raises(ValueError, match=says):
        vizlib.occlusion(mean_pooling(), some_images(), **options)


@pytest.mark.parametrize(
    "model, says",
    [
        (None, "model is a keras.Model"),
        ("pocket", "'pocket' is a name"),
        (Path("mine.keras"), "'mine.keras' is a name"),
        (lambda x: None, "that the function returns"),
        (lambda x: "cat", "that the function returns"),
        (lambda x: [[1, 2], [3]], "that the function returns"),
        (lambda x: np.full((len(x), 3), np.nan), "NaN or infinite"),
        (lambda x: np.full((len(x), 3), 1e300), "the function returns hold numbers beyond 1e38"),
        (lambda x: x.mean((1, 2, 3)), "\\(n, K\\) for n images, not \\(2,\\) for 2"),
        (lambda x: np.zeros((1, 3)), "\\(n, K\\) for n images, not \\(1, 3\\) for 2"),
        (lambda x: x, "has no classes"),
    ],
)
def test_what_is_no_model_gets_one_sentence(model, says):
    with pytest.raises(ValueError, match=says):
        vizlib.occlusion(model, some_images(), patch=4)


def test_what_a_function_cannot_do_gets_one_sentence():
    with pytest.raises(ValueError, match="give net.model"):
        vizlib.occlusion(vizlib.load("pocket", weights="random"), some_images())
    with pytest.raises(ValueError, match="ask for score='output'"):
        vizlib.occlusion(lambda x: x.mean((1, 2)), some_images(), score="probability")
    for wrong, says in (
        (some_images()[0], "\\(N, H, W, C\\)"),
        (some_images()[:0], "\\(N, H, W, C\\)"),
        (np.full((1, 4, 4, 3), np.nan), "NaN"),
        (np.full((1, 4, 4, 3), 1e300), "Images hold numbers beyond 1e38"),
        ("x", "real numbers"),
    ):
        with pytest.raises(ValueError, match=says):
            vizlib.occlusion(lambda x: x.mean((1, 2)), wrong)


# ---- the explorer --------------------------------------------------------------------------------


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
    np.testing.assert_allclose(p, vizlib.probabilities(net.model, covered)[0], rtol=1e-5, atol=1e-5)

"""The engine on every model shape against NumPy; what must raise; what must not stay."""

import os
import subprocess
import sys
import threading

import keras
import numpy as np
import pytest
import shapes
import tensorflow as tf
from keras import layers
from strangers import TensorElsewhere

import vizlib
from vizlib import engine


@pytest.fixture(scope="module", params=shapes.SHAPES, ids=lambda f: f.__name__)
def case(request):
    return shapes.build(request.param)


def close(a, b, tolerance=1e-4):
    assert a.shape == b.shape and a.dtype == np.float32
    np.testing.assert_allclose(a, b, atol=tolerance * np.abs(b).max())


# ---- values --------------------------------------------------------------------------------------


def test_logits(case):
    model, w, x, _ = case
    close(vizlib.logits(model, x), shapes.forward(x, w)[0])


def test_probabilities(case):
    model, w, x, _ = case
    z = shapes.forward(x, w)[0]
    last = model.layers[-1]
    if z.shape[1] == 1 and last.activation is keras.activations.linear:
        with pytest.raises(ValueError, match=r"one number.*score='output'"):
            vizlib.probabilities(model, x)
        return
    sigmoid = isinstance(last, layers.Dense) and last.activation is keras.activations.sigmoid
    close(
        vizlib.probabilities(model, x),
        1 / (1 + np.exp(-z)) if sigmoid else np.exp(z) / np.exp(z).sum(1, keepdims=True),
    )


def test_activations(case):
    model, w, x, last = case
    close(vizlib.activations(model, x, last), np.maximum(shapes.forward(x, w)[1][2], 0))


def test_batch_size_changes_nothing(case):
    model, _, x, last = case
    np.testing.assert_allclose(
        vizlib.activations(model, x, last),
        vizlib.activations(model, x, last, batch_size=2),
        rtol=1e-5,
        atol=1e-6,
    )
    np.testing.assert_allclose(
        vizlib.gradient(model, x), vizlib.gradient(model, x, batch_size=2), rtol=1e-5, atol=1e-6
    )


def test_plain_gradient_is_the_finite_difference(case):
    model, w, x, _ = case
    rng = np.random.default_rng(3)
    target = np.zeros(len(x), int) if w[-1].size == 1 else np.arange(len(x)) % 3
    g = vizlib.gradient(model, x, target)

    def score(x):
        z = shapes.forward(x, w)[0]
        return -z[:, 0] if z.shape[1] == 1 else z[np.arange(len(z)), target]

    for _ in range(6):
        d = rng.normal(size=x.shape)
        slope = (score(x + 1e-6 * d) - score(x - 1e-6 * d)) / 2e-6
        np.testing.assert_allclose((g * d).sum((1, 2, 3)), slope, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("rule", engine.RULES)
def test_class_score_by_each_rule(case, rule):
    model, w, x, _ = case
    seed = shapes.predicted(model, x, w)
    close(vizlib.gradient(model, x, relu=rule), shapes.backward(x, w, seed, rule))


@pytest.mark.parametrize("rule", engine.RULES)
def test_unit_by_each_rule(case, rule):
    model, w, x, last = case
    maps = np.maximum(shapes.forward(x, w)[1][2], 0)
    seed = np.zeros_like(maps)
    seed[:, 1, 2, 3] = 1
    close(
        vizlib.gradient(model, x, layer=last, unit=(1, 2, 3), relu=rule),
        shapes.backward_map(seed, x, w, rule),
    )
    channel = int(maps.max((1, 2)).min(0).argmax())  # one that is active in every picture
    seed = (maps == maps.max((1, 2), keepdims=True)) * (np.arange(5) == channel) * 1.0
    assert seed.sum() == len(x)
    close(
        vizlib.gradient(model, x, layer=last, unit=channel, relu=rule),
        shapes.backward_map(seed, x, w, rule),
    )


def test_gradient_at_a_layer(case):
    model, w, x, last = case
    g, maps = engine.backward(model, x, 0, at=last)
    close(maps, np.maximum(shapes.forward(x, w)[1][2], 0))
    sign = -1.0 if w[-1].size == 1 else 1.0
    seed = sign * np.eye(w[-1].size)[np.zeros(len(x), int)]
    _, (_, _, a2, a3) = shapes.forward(x, w)
    close(g, (((seed @ w[6].T) * (a3 > 0)) @ w[4].T).reshape(a2.shape))


def test_target_function_and_probability():
    model, w, x, _ = shapes.build(shapes.fused)
    z = shapes.forward(x, w)[0]
    seed = np.array([[1.0, -2.0, 0.0]] * len(x))
    for rule in engine.RULES:
        g = vizlib.gradient(model, x, lambda logits: logits[:, 0] - 2 * logits[:, 1], relu=rule)
        close(g, shapes.backward(x, w, seed, rule))
    p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    seed = p[:, [1]] * (np.eye(3)[1] - p)  # d softmax / d logits
    close(vizlib.gradient(model, x, 1, score="probability"), shapes.backward(x, w, seed, "plain"))


def test_single_sigmoid_probability_has_two_sides():
    model, w, x, _ = shapes.build(shapes.sigmoid_one)
    one = vizlib.gradient(model, x, 1, score="probability")
    np.testing.assert_allclose(
        vizlib.gradient(model, x, 0, score="probability"), -one, rtol=1e-5, atol=1e-7
    )
    p = 1 / (1 + np.exp(-shapes.forward(x, w)[0]))
    close(one, shapes.backward(x, w, p * (1 - p), "plain"))


@pytest.mark.parametrize(
    "kind, gate",
    [("relu6", lambda a: (a > 0) & (a < 6)), ("leaky", lambda a: np.where(a > 0, 1, 0.25))],
)
def test_relu6_and_leaky_gates(kind, gate):
    activation = layers.ReLU(6.0) if kind == "relu6" else layers.LeakyReLU(0.25)
    model = keras.Sequential(
        [
            keras.Input((1, 4, 1)),
            layers.Conv2D(1, 1, name="conv"),
            activation,
            layers.Flatten(),
            layers.Dense(1),
        ]
    )
    model.set_weights(
        [
            np.full((1, 1, 1, 1), 2.0),
            np.zeros(1),
            np.array([[1.0], [1.0], [-1.0], [1.0]]),
            np.zeros(1),
        ]
    )
    x = np.array([-1.0, 1.0, 2.0, 5.0], "float32").reshape(1, 1, 4, 1)
    a, dy = 2 * x, np.array([1.0, 1.0, -1.0, 1.0]).reshape(x.shape)
    for rule, want in [
        ("plain", dy * gate(a)),
        ("guided", np.maximum(dy, 0) * gate(a)),
        ("deconvnet", np.maximum(dy, 0)),
    ]:
        np.testing.assert_allclose(
            vizlib.gradient(model, x, 1, relu=rule), 2 * want, rtol=1e-5, atol=1e-6
        )


def test_half_precision_comes_out_as_float32():
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(4, 3, activation="relu", dtype="mixed_float16", name="conv"),
            layers.Flatten(),
            layers.Dense(3, dtype="mixed_float16"),
            layers.Activation("softmax", dtype="float32"),
        ]
    )
    x = shapes.pictures()
    z, p = vizlib.logits(model, x), vizlib.probabilities(model, x)
    assert (
        z.dtype
        == p.dtype
        == vizlib.activations(model, x, "conv").dtype
        == vizlib.gradient(model, x).dtype
        == np.float32
    )
    np.testing.assert_allclose(np.exp(z) / np.exp(z).sum(1, keepdims=True), p, atol=1e-2)


def test_a_layer_that_is_called_twice_is_refused_with_what_takes_its_outputs():
    shared = layers.Dense(4, activation="relu", name="shared")
    x = keras.Input((1, 1, 4))
    once = layers.ReLU(name="first")(shared(x))
    model = keras.Model(x, layers.Flatten(name="second")(shared(once)))
    with pytest.raises(ValueError, match="'shared' is called 2 times.*'first', 'second'"):
        vizlib.activations(model, np.ones((1, 1, 1, 4)), "shared")
    assert vizlib.activations(model, np.ones((1, 1, 1, 4)), "first").shape == (1, 1, 1, 4)


# ---- what must raise -----------------------------------------------------------------------------


def small(*inner, head="softmax"):
    return keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            *inner,
            layers.GlobalAveragePooling2D(),
            layers.Dense(3, activation=head, name="out"),
        ]
    )


def conv(**kw):
    return layers.Conv2D(4, 3, **kw)


@pytest.mark.parametrize(
    "inner, named",
    [
        ([conv(activation="silu", name="swish")], "swish"),
        ([conv(activation="gelu", name="gelu")], "gelu"),
        ([conv(activation="elu", name="elu")], "elu"),
        ([conv(activation="tanh", name="tan")], "tan"),
        ([conv(activation="hard_swish", name="hard")], "hard"),
        ([conv(), layers.PReLU(name="prelu")], "prelu"),
        ([conv(), layers.ReLU(max_value=4, name="relu4")], "relu4"),
        ([conv(activation="relu"), conv(activation="silu", name="second")], "second"),
        ([conv(activation="relu"), layers.Softmax(name="inner"), conv()], "inner"),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
@pytest.mark.parametrize("rule", ["guided", "deconvnet"])
def test_rules_refuse_other_activations_by_name(inner, named, rule):
    model, x = small(*inner), shapes.pictures()
    assert vizlib.gradient(model, x).shape == x.shape
    with pytest.raises(ValueError, match=rf"{rule} rule.*{named}\b"):
        vizlib.gradient(model, x, relu=rule)


@pytest.mark.parametrize("how", [layers.Multiply, layers.Maximum])
def test_rules_refuse_a_product_or_maximum_of_activations(how):
    x = keras.Input((8, 8, 3))
    a, b = layers.Conv2D(4, 3, activation="relu")(x), layers.Conv2D(4, 3, activation="relu")(x)
    model = keras.Model(
        x, layers.Dense(2)(layers.GlobalAveragePooling2D()(how(name="joined")([a, b])))
    )
    with pytest.raises(ValueError, match="joined"):
        vizlib.gradient(model, shapes.pictures(), relu="guided")


def test_rules_refuse_a_network_they_do_not_touch():
    with pytest.raises(ValueError, match="would change nothing"):
        vizlib.gradient(small(conv()), shapes.pictures(), relu="guided")


def test_rules_allow_what_stands_below_the_unit_only():
    model = small(conv(activation="relu", name="first"), conv(activation="silu", name="second"))
    x = shapes.pictures()
    assert vizlib.gradient(model, x, layer="first", unit=0, relu="guided").any()
    with pytest.raises(ValueError, match="second"):
        vizlib.gradient(model, x, layer="second", unit=0, relu="guided")


@pytest.mark.parametrize(
    "name, allowed",
    [
        ("MobileNetV3Small", False),
        ("EfficientNetB0", False),
        ("ResNet50", True),
        ("MobileNetV2", True),
        ("DenseNet121", True),
    ],
)
def test_rules_on_keras_applications(name, allowed):
    shape = (64, 64, 3) if name != "MobileNetV2" else (96, 96, 3)
    model = getattr(keras.applications, name)(weights=None, input_shape=shape, classes=5)
    x = np.random.default_rng(0).normal(size=(1, *shape)).astype("float32")
    if allowed:
        assert vizlib.gradient(model, x, 0, relu="guided").any()
    else:
        with pytest.raises(ValueError, match="guided rule"):
            vizlib.gradient(model, x, 0, relu="guided")


def test_an_attention_softmax_inside_is_no_reason_to_refuse():
    x = keras.Input((8, 8, 3))
    tokens = layers.Reshape((64, 3))(x)
    y = layers.Flatten()(layers.MultiHeadAttention(1, 2)(tokens, tokens))
    model = keras.Model(x, layers.Dense(3)(y))
    np.testing.assert_allclose(
        vizlib.logits(model, shapes.pictures()),
        model(shapes.pictures()).numpy(),
        rtol=1e-5,
        atol=1e-5,
    )


x3 = shapes.pictures()


@pytest.mark.parametrize(
    "images, says",
    [
        (np.zeros((2, 8, 8, 3), "uint8"), "net.preprocess"),
        (x3[0], r"images\[None\]"),
        (x3[..., :2], r"\(N, 8, 8, 3\)"),
        (x3[:, :7], r"\(N, 8, 8, 3\)"),
        (x3[:0], "at least 1"),
        (np.where(x3 > 2, np.nan, x3), "NaN"),
        (np.array([["a"]]), "numbers"),
    ],
    ids=["uint8", "no batch", "channels", "size", "empty", "nan", "text"],
)
def test_bad_images(images, says):
    model = shapes.build(shapes.fused)[0]
    for call in (vizlib.logits, vizlib.gradient, lambda m, x: vizlib.activations(m, x, "conv1")):
        with pytest.raises(ValueError, match=says):
            call(model, images)


@pytest.mark.parametrize(
    "arguments, says",
    [
        (dict(target=3), "0 to 2"),
        (dict(target=-1), "0 to 2"),
        (dict(target=[0, 1]), "3 class numbers"),
        (dict(target=1.0), "class number"),
        (dict(target=lambda z: z), r"shape \(N,\)"),
        (dict(target=lambda z: tf.zeros(3)), "does not depend"),
        (dict(target=0, relu="guide"), "'guided'"),
        (dict(target=0, score="loss"), "'logit'"),
        (dict(layer="conv1"), "unit"),
        (dict(layer="conv1", unit=4), "below 4"),
        (dict(layer="conv1", unit=(0, 8, 0)), r"\(8, 8, 4\)"),
        (dict(layer="conv1", unit=TensorElsewhere()), "unit cannot be read as an array"),
        (dict(target=np.eye(3)), r"not array\(\[\[1\., .*\)\.$"),  # all in one line
        (dict(target=0, score=np.eye(3)), r"not array\(\[\[1\., .*\)\.$"),
        (dict(target=0, relu=np.eye(3)), r"not array\(\[\[1\., .*\)\.$"),
        (dict(target=0, layer="conv1", unit=1), "either"),
        (dict(layer="conv3", unit=0), "'conv1'"),
        (dict(batch_size=0), "batch_size"),
    ],
)
def test_bad_arguments(arguments, says):
    with pytest.raises(ValueError, match=says):
        vizlib.gradient(shapes.build(shapes.fused)[0], x3, **arguments)


# ---- what must not happen ------------------------------------------------------------------------


def test_second_class_layer_and_partial_batch_do_not_retrace():
    model, _, x, _ = shapes.build(shapes.fused)
    calls = []
    inner, plain = model.get_layer("conv1"), model.get_layer("conv1").call
    inner.__dict__["call"] = lambda *a, **k: calls.append(1) or plain(*a, **k)
    vizlib.gradient(model, x, 0)
    traced = len(calls)
    vizlib.gradient(model, x, 1)
    vizlib.gradient(model, x, [0, 1, 2], batch_size=2)
    vizlib.gradient(model, x, None)
    assert len(calls) == traced > 0


def test_nothing_is_left_on_the_model(case):
    model, _, x, last = case
    before = [
        {k: id(v) for k, v in vars(layer).items()} for layer in (model, *model._flatten_layers())
    ]
    vizlib.gradient(model, x, layer=last, unit=0, relu="guided")
    with pytest.raises(ValueError):
        vizlib.activations(model, x, "no such layer")
    assert [
        {k: id(v) for k, v in vars(layer).items()} for layer in (model, *model._flatten_layers())
    ] == before


def test_layers_are_restored_when_the_model_raises():
    class Broken(layers.Layer):
        def call(self, x):
            raise (
                RuntimeError("broken")
                if tf.inside_function() and not keras.backend.is_keras_tensor(x)
                else x
            )

    conv1 = layers.Conv2D(2, 3, name="conv1")
    model = keras.Sequential([keras.Input((8, 8, 3)), conv1, layers.Flatten(), layers.Dense(2)])
    broken = Broken()
    model.get_layer("conv1").__dict__["call"] = own = broken.call  # a user's own patch stays, too
    with pytest.raises(Exception, match="broken"):
        vizlib.activations(model, x3, "conv1")
    assert conv1.__dict__["call"] == own


def test_a_changed_model_is_traced_again():
    model, w, x, _ = shapes.build(shapes.fused)
    first = vizlib.gradient(model, x, 0)
    new = shapes.weights(seed=5)
    model.set_weights(new)
    close(vizlib.gradient(model, x, 0), shapes.backward(x, new, np.eye(3)[[0, 0, 0]], "plain"))
    model.set_weights(w)
    model.get_layer("conv2").activation = keras.activations.linear
    changed = vizlib.gradient(model, x, 0)
    assert np.abs(changed - first).max() > 1e-3
    model.get_layer("conv2").activation = keras.activations.relu
    np.testing.assert_array_equal(vizlib.gradient(model, x, 0), first)


def test_threads_share_one_engine():
    model, _, x, last = shapes.build(shapes.nested)
    want, failed = vizlib.activations(model, x, last), []

    def work(k):
        fresh, _, _, _ = shapes.build(shapes.nested) if k % 2 else (model, 0, 0, 0)
        if not np.allclose(vizlib.activations(fresh, x, last), want, atol=1e-6):
            failed.append(k)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failed


def test_import_is_silent_and_does_not_load_the_modules():
    code = (
        "import vizlib, sys; "
        "mine = [m for m in sys.modules if m.startswith('vizlib.')]; "
        "late = {'vizlib.show', 'vizlib.widgets', 'vizlib.barnyard', 'ipywidgets'}; "
        "assert not late & set(sys.modules), mine; "
        "assert {'show', 'barnyard'} <= set(dir(vizlib))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": "."},
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")

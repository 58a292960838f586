"""Networks by name: what a Net promises, for every kind of preprocessing; layers by name; weights; bad names."""

import hashlib
import importlib
import json

import keras
import numpy as np
import pytest
import shapes

import vizlib
from vizlib import data, models

# One network of each kind of preprocessing in keras.applications: caffe, torch, tf, inside the model (0..255, -1..1).
KINDS = {
    "resnet50": "resnet",
    "densenet121": "densenet",
    "mobilenetv2": "mobilenet_v2",
    "efficientnetb0": "efficientnet",
    "mobilenetv3small": "mobilenet_v3",
}


@pytest.fixture(scope="module", params=["pocket", *KINDS])
def net(request):
    return vizlib.load(request.param, weights="random")


def colours(net, n=1):
    return np.random.default_rng(0).integers(0, 256, (n, *net.size, 3), dtype="uint8")


def test_deprocess_undoes_preprocess_for_every_grey_level(net):
    u = colours(net)
    u[0, :16, :16] = np.arange(256, dtype="uint8").reshape(16, 16, 1)
    x = net.preprocess(u)
    assert x.dtype == np.float32
    np.testing.assert_array_equal(net.deprocess(x), u)
    np.testing.assert_array_equal(net.deprocess(x + 0.4 * net.level), u)
    assert (
        net.deprocess(x + 300 * net.level).min() == 255
        and net.deprocess(x - 300 * net.level).max() == 0
    )


def test_low_high_and_level_are_black_white_and_one_grey_level(net):
    black = np.zeros((1, *net.size, 3), "uint8")
    np.testing.assert_allclose(net.preprocess(black)[0, 0, 0], net.low, rtol=1e-5)
    np.testing.assert_allclose(net.preprocess(black + np.uint8(255))[0, 0, 0], net.high, rtol=1e-4)
    u = colours(net)
    u[u == 255] = 254
    np.testing.assert_allclose(
        net.preprocess(u + np.uint8(1)) - net.preprocess(u),
        np.broadcast_to(net.level, u.shape),
        atol=2e-5,
    )


def test_rgb_has_red_first(net):
    red = np.zeros((1, *net.size, 3), "uint8")
    red[..., 0] = 200
    x = net.rgb(net.preprocess(red) - net.low)
    assert (x[..., 0] > 100 * net.level.min()).all() and not x[..., 1:].any()


def test_preprocessing_is_that_of_its_makers(net):
    u = colours(net)
    if net.name == "pocket":
        theirs = u - np.array(json.loads(data.read("weights/pocket.json"))["mean"], "float32")
    else:
        theirs = importlib.import_module(f"keras.applications.{KINDS[net.name]}").preprocess_input(
            u.astype("float32")
        )
    np.testing.assert_allclose(net.preprocess(u), theirs, atol=2e-5 * max(1, np.abs(theirs).max()))


def test_preprocess_refuses_what_is_not_a_batch_of_pictures(net):
    u = colours(net)
    for wrong in (u[0], u.astype("float32"), u[:, 1:], u[..., :1]):
        with pytest.raises(ValueError, match="uint8 pictures"):
            net.preprocess(wrong)


def test_stages_and_features_run(net):
    x = net.preprocess(colours(net))
    sides = [vizlib.activations(net.model, x, stage).shape[1] for stage in net.stages]
    assert len(set(net.stages)) == 5 and sides == sorted(sides, reverse=True)
    assert sides[0] > 8 * sides[-1]
    assert (
        vizlib.activations(net.model, x, net.features).squeeze().ndim == 1
    )  # MobileNetV3 keeps two sides of 1


@pytest.mark.parametrize(
    "name, stages, features",
    [
        ("pocket", "block1_conv1 block2_conv2 block3_conv3 block4_conv3 block5_conv3", "fc2"),
        ("colleague", "block1_conv1 block2_conv2 block3_conv3 block4_conv3 block5_conv3", "fc2"),
        (
            "ResNet50",
            "conv1_relu conv2_block3_out conv3_block4_out conv4_block6_out conv5_block3_out",
            "avg_pool",
        ),
        (
            "MobileNetV2",
            "block_1_expand_relu block_3_expand_relu block_6_expand_relu block_13_expand_relu out_relu",
            "global_average_pooling2d",
        ),
    ],
)
def test_stages_by_name(name, stages, features):
    net = vizlib.load(name, weights="random")
    assert net.stages == tuple(stages.split()) and net.features.startswith(features)


@pytest.mark.slow
def test_vgg16_is_pocket_at_full_width():
    net = vizlib.load("vgg16", weights="random")
    assert (
        net.stages == vizlib.load("pocket", weights="random").stages
        and net.features == "fc2"
        and net.size == (224, 224)
    )


@pytest.mark.parametrize(
    "name, labels",
    [
        ("hen", 8),
        ("labrador", 208),
        ("tabby", 281),
        ("pig", 341),
        ("hog", 341),
        ("cow", 345),
        ("sheep", 348),
        ("duck", 97),
    ],
)
def test_index_on_imagenet(name, labels):
    assert vizlib.load("mobilenetv2", weights="random").index(name) == labels


def test_index():
    net = vizlib.load("pocket", weights="random")
    assert [net.index(c) for c in net.labels] == list(range(7))
    assert net.index("Labrador") == net.index("lab") == 1
    with pytest.raises(ValueError, match="'hen'"):
        net.index("henn")
    with pytest.raises(ValueError, match="did you mean"):
        net.index("zebra")


def test_labels_without_the_label_file(monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    labels = models._imagenet_labels(fetch=False)
    assert len(labels) == 1000 and labels[17] == "class 17" and labels[208] == "Labrador_retriever"


def test_environment_chooses_only_without_arguments(monkeypatch):
    monkeypatch.setenv("VIZLIB_MODEL", "mobilenetv2")
    monkeypatch.setenv("VIZLIB_WEIGHTS", "random")
    assert vizlib.load().name == "mobilenetv2"
    trained, net = vizlib.load("pocket").model.get_weights(), vizlib.load("colleague")
    assert net.name == "colleague" and not np.array_equal(trained[0], net.model.get_weights()[0])
    monkeypatch.delenv("VIZLIB_MODEL")
    monkeypatch.delenv("VIZLIB_WEIGHTS")
    assert vizlib.load().name == "pocket"
    np.testing.assert_array_equal(vizlib.load().model.get_weights()[0], trained[0])


def test_unknown_network_names_the_near_ones():
    with pytest.raises(ValueError, match="'vgg16'"):
        vizlib.load("vgg15")


def test_weights_from_a_file(tmp_path):
    net = vizlib.load("pocket", weights="random")
    path = tmp_path / "mine.weights.h5"
    net.model.save_weights(path)
    again = vizlib.load("pocket", weights=path)
    for a, b in zip(net.model.get_weights(), again.model.get_weights()):
        np.testing.assert_array_equal(a, b)


def test_weights_that_are_not_this_networks(tmp_path):
    other = shapes.fused()
    other.save_weights(tmp_path / "other.weights.h5")
    (tmp_path / "noise.weights.h5").write_bytes(b"no weights at all")
    for name in ("other", "noise"):
        with pytest.raises(
            ValueError, match=f"{name}.weights.h5' does not hold the weights of pocket"
        ):
            vizlib.load("pocket", weights=tmp_path / f"{name}.weights.h5")
    with pytest.raises(FileNotFoundError, match="no file of weights"):
        vizlib.load("pocket", weights=tmp_path / "none.weights.h5")


def test_weights_that_cannot_be_fetched(monkeypatch):
    def no_network(**kwargs):
        raise Exception("URL fetch failure") if kwargs["weights"] else AssertionError

    no_network.__module__ = "keras.applications.vgg16"
    monkeypatch.setattr(keras.applications, "VGG16", no_network)
    with pytest.raises(FileNotFoundError, match="connect once, or pass weights='random'"):
        vizlib.load("vgg16")


def test_trained_weights_are_checked(monkeypatch, tmp_path):
    for name in ("barnyard", "weights"):
        (tmp_path / name).mkdir()
    for file in (data.root() / "weights").iterdir():
        (tmp_path / "weights" / file.name).write_bytes(file.read_bytes())
    broken = tmp_path / "weights/pocket.weights.h5"
    broken.write_bytes(broken.read_bytes()[:-1000])
    monkeypatch.setattr(data, "root", lambda: tmp_path)
    with pytest.raises(Exception, match="git checkout -- data/weights/pocket.weights.h5"):
        vizlib.load("pocket")


def test_find_layer():
    model = shapes.nested_twice()
    assert vizlib.find_layer(model, "conv2").name == "conv2"
    conv = vizlib.find_layer(model, "conv1")
    assert vizlib.find_layer(model, conv) is conv
    with pytest.raises(ValueError, match="no layer 'conv3'.*'conv2'"):
        vizlib.find_layer(model, "conv3")
    with pytest.raises(ValueError, match="no layer"):
        vizlib.find_layer(model, shapes.fused().get_layer("conv1"))


def test_two_layers_of_one_name_want_the_layer_itself():
    a, b = (keras.Sequential([keras.layers.Conv2D(2, 1, name="conv")], name=n) for n in "ab")
    x = keras.Input((4, 4, 3))
    model = keras.Model(x, keras.layers.Dense(2)(keras.layers.Flatten()(b(a(x)))))
    with pytest.raises(ValueError, match="pass the layer itself"):
        vizlib.find_layer(model, "conv")
    picture = np.ones((1, 4, 4, 3))
    assert (
        np.abs(
            vizlib.activations(model, picture, a.layers[0])
            - vizlib.activations(model, picture, b.layers[0])
        ).max()
        > 0
    )


def test_hash_of_the_weights_stands_in_the_list():
    sums = dict(
        reversed(line.split())
        for line in (data.root() / "weights/SHA256SUMS").read_text().splitlines()
    )
    assert (
        sums["pocket.weights.h5"]
        == hashlib.sha256((data.root() / "weights/pocket.weights.h5").read_bytes()).hexdigest()
    )


def test_filters_are_the_first_kernel():
    model, w, _, _ = shapes.build(shapes.nested)
    np.testing.assert_allclose(vizlib.filters(model), np.moveaxis(w[0], -1, 0), atol=1e-7)
    with pytest.raises(ValueError, match="no convolution"):
        vizlib.filters(keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]))

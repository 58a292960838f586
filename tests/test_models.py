"""Networks by name: what a Net promises, with every preprocessing; layers; weights; bad names."""

import collections
import hashlib
import importlib
import json
import pathlib

import keras
import numpy as np
import pytest
import shapes

import vizlib
from vizlib import data, models, photos

# One network of each preprocessing in keras.applications: caffe, torch, tf, inside (0..255, -1..1).
KINDS = {
    "resnet50": "resnet",
    "densenet121": "densenet",
    "mobilenetv2": "mobilenet_v2",
    "efficientnetb0": "efficientnet",
    "mobilenetv3small": "mobilenet_v3",
}


@pytest.fixture(scope="module", params=["pocket", "squeezenet", *KINDS])
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
    elif net.name == "squeezenet":  # blue, green, red, as VGG-16 takes it
        theirs = keras.applications.vgg16.preprocess_input(u.astype("float32"))
    else:
        theirs = importlib.import_module(f"keras.applications.{KINDS[net.name]}").preprocess_input(
            u.astype("float32")
        )
    np.testing.assert_allclose(net.preprocess(u), theirs, atol=2e-5 * max(1, np.abs(theirs).max()))


def test_preprocess_refuses_what_is_not_a_batch_of_images(net):
    u = colours(net)
    for wrong in (u[0], u.astype("float32"), u[..., :1], u[0, 0, 0], None):
        with pytest.raises(ValueError, match="uint8 images of shape"):
            net.preprocess(wrong)
    for wrong in (u[..., :1], np.float32(3), u[..., [0, 1, 2, 2]]):
        with pytest.raises(ValueError, match=r"rgb takes maps of shape \(..., 3\), not"):
            net.rgb(wrong)
        with pytest.raises(ValueError, match=r"rgb takes maps of shape \(..., 3\), not"):
            net.deprocess(wrong)


def test_preprocess_takes_any_size_where_the_model_does(net):
    u = colours(net)[:, 1:, :-2]
    if net.name == "squeezenet":
        x = net.preprocess(u)
        assert x.shape == u.shape
        np.testing.assert_array_equal(net.deprocess(x), u)
        assert vizlib.logits(net.model, x).shape == (1, 1000)
    else:
        with pytest.raises(ValueError, match=rf"\(N, {net.size[0]}, {net.size[1]}, 3\), not uint8"):
            net.preprocess(u)


def test_a_net_of_open_size():
    """Sides are compared at the size it was trained on, not at None."""
    x = inputs = keras.Input((None, None, 3))
    for k in range(6):
        x = keras.layers.Conv2D(2, 3, strides=2, padding="same", activation="relu", name=f"c{k}")(x)
    model = keras.Model(inputs, keras.layers.Dense(2)(keras.layers.GlobalMaxPooling2D()(x)))
    ones = np.ones(3, "float32")
    net = models._net("open", model, ("a", "b"), 0 * ones, ones, [0, 1, 2], size=(128, 128))
    assert net.size == (128, 128) and net.stages == ("c0", "c1", "c2", "c4", "c5")
    assert net.preprocess(np.ones((2, 65, 97, 3), "uint8")).shape == (2, 65, 97, 3)
    with pytest.raises(ValueError, match="did you mean 'a', 'b'"):
        net.index("zebra")


def test_stages_and_features_run(net):
    x = net.preprocess(colours(net))
    sides = [vizlib.activations(net.model, x, stage).shape[1] for stage in net.stages]
    assert len(set(net.stages)) == 5 and sides == sorted(sides, reverse=True)
    assert sides[0] > 8 * sides[-1]
    below = vizlib.activations(net.model, x, net.features)
    if net.name == "squeezenet":  # its classifier is a convolution
        assert below.shape == (1, 13, 13, 512)
    else:
        assert below.squeeze().ndim == 1  # MobileNetV3 keeps two sides of 1


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
            "block_1_expand_relu block_3_expand_relu block_6_expand_relu block_13_expand_relu "
            "out_relu",
            "global_average_pooling2d",
        ),
        (
            "squeezenet",
            "conv1 fire3_concat fire5_concat fire7_concat fire9_concat",
            "fire9_concat",
        ),
    ],
)
def test_stages_by_name(name, stages, features):
    net = vizlib.load(name, weights="random")
    assert net.stages == tuple(stages.split()) and net.features.startswith(features)


def test_stages_of_inception_are_whole_modules():
    assert vizlib.load("InceptionV3", weights="random").stages[2:] == (
        "mixed2",
        "mixed7",
        "mixed10",
    )


def test_whole_modules_give_maps_and_their_parts_do_not():
    """A squeeze with branches of one and two convolutions; a residual module of two branches."""

    def conv(x, name):
        return keras.layers.Conv2D(4, 1, activation="relu", name=name)(x)

    inputs = keras.Input((8, 8, 3))
    stem = conv(inputs, "stem")
    squeeze = conv(stem, "squeeze")
    branches = [conv(squeeze, "short"), conv(conv(squeeze, "long1"), "long2")]
    module = keras.layers.Concatenate(name="module")(branches)
    fork = conv(module, "fork")  # it also goes on by itself, so it is no part of what follows
    inner = keras.layers.Concatenate(name="inner")([conv(fork, "a"), conv(fork, "b")])
    added = keras.layers.Add(name="added")([fork, keras.layers.Conv2D(4, 1, name="flat")(inner)])
    x = conv(added, "last")
    model = keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Flatten()(x)))
    assert models.map_layers(model, 8) == ["stem", "module", "fork", "inner", "last"]


def test_where_the_call_itself_activates_layers_with_weights_give_maps():
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.one, self.two = (keras.layers.Conv2D(4, 3, name=n) for n in ("one", "two"))
            self.pool = keras.layers.MaxPooling2D(2)
            self.head = keras.layers.Dense(2)

        def call(self, x):
            x = keras.ops.relu(self.two(self.pool(keras.ops.relu(self.one(x)))))
            return self.head(keras.ops.mean(x, (1, 2)))

    model = Own()
    model(np.zeros((1, 16, 16, 3), "float32"))
    assert models.map_layers(model, 16) == ["one", "two"]


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
        ("polar bear", 296),
        ("Polar_Bear", 296),
        ("giant panda", 388),
        ("panda", 388),
        ("macaw", 88),
        ("shepherd", 235),
        ("German shepherd", 235),
        (" german  SHEPHERD", 235),
        ("red backed sandpiper", 140),
        ("lemur", 383),
        ("owl", 24),
        ("ice bear", 296),
        ("horse", 339),
        ("komodo dragon", 48),
    ],
)
def test_index_on_imagenet(imagenet, name, labels):
    assert imagenet.index(name) == labels
    assert vizlib.load("squeezenet", weights="random").labels == imagenet.labels


@pytest.fixture(scope="module")
def imagenet():
    return vizlib.load("mobilenetv2", weights="random")


def test_index_gives_every_label_its_number_but_for_doubles(imagenet):
    doubles = {label for label, n in collections.Counter(imagenet.labels).items() if n > 1}
    assert doubles == {"crane", "maillot"} and len(imagenet.labels) == 1000
    for k, label in enumerate(imagenet.labels):
        if label not in doubles:
            assert imagenet.index(label.replace("_", " ")) == k
    assert imagenet.labels[264] == "Cardigan" and imagenet.labels[474] == "cardigan"
    said = {"crane": "134 and 517", "Maillot": "638 and 639", "CARDIGAN": "264 and 474"}
    for double, numbers in said.items():
        with pytest.raises(ValueError, match=f"several classes called '{double}': {numbers}"):
            imagenet.index(double)


def test_index_refuses_what_is_unknown_or_no_name(imagenet):
    for name, near in {
        "terrier": "Border_terrier",
        "zebrra": "zebra",
        "hammer head": "hammer",
    }.items():
        with pytest.raises(ValueError, match=f"no single class called '{name}'.*'{near}"):
            imagenet.index(name)
    for wrong in (207, None, ["hen"], b"hen"):
        with pytest.raises(ValueError, match="index takes the name of a class, not"):
            imagenet.index(wrong)
    with pytest.raises(ValueError, match="no single class"):
        imagenet.index("")


def test_common_names_are_of_labels_that_are_there(imagenet):
    assert set(models.ALSO.values()) <= set(imagenet.labels)
    assert not set(models.ALSO) & {label.lower() for label in imagenet.labels}


def test_index():
    net = vizlib.load("pocket", weights="random")
    assert [net.index(c) for c in net.labels] == list(range(7))
    assert net.index("Labrador") == net.index("lab") == 1
    with pytest.raises(ValueError, match="'hen'"):
        net.index("henn")
    with pytest.raises(ValueError, match="did you mean"):
        net.index("zebra")


def test_squeezenet_knows_hens_at_any_size():
    net = vizlib.load("squeezenet")
    assert net.model.count_params() == 1_235_496 and net.model.input_shape == (None, None, None, 3)
    for size in (227, (227, 303)):
        x = net.preprocess(photos.fit(photos.load("hens"), size)[None])
        (probabilities,) = vizlib.probabilities(net.model, x)
        assert probabilities.argmax() == net.index("hen") and probabilities.max() > 0.9


def test_what_is_no_name_of_a_network(tmp_path):
    for path in ("mine.keras", "mine.H5", pathlib.Path("x/mine.keras")):
        with pytest.raises(FileNotFoundError, match="There is no file .*mine"):
            vizlib.load(path)
    (tmp_path / "network").write_bytes(b"")
    with pytest.raises(ValueError, match="'network' does not hold a model that Keras loads"):
        vizlib.load(tmp_path / "network")
    with pytest.raises(ValueError, match="No network is called ''"):
        vizlib.load("")
    for wrong, kind in ((shapes.fused(), "Functional"), (3, "int"), (models.Net, "type")):
        with pytest.raises(ValueError, match=f"network, not {kind}: .* keras.Model as it is"):
            vizlib.load(wrong)


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
    for wrong in (1.5, 1, None, []):
        with pytest.raises(ValueError, match="weights are 'default', 'random' or the path of a fi"):
            vizlib.load("pocket", weights=wrong)


def test_weights_that_cannot_be_fetched(monkeypatch):
    def no_network(**kwargs):
        raise Exception("URL fetch failure") if kwargs["weights"] else AssertionError

    no_network.__module__ = "keras.applications.vgg16"
    monkeypatch.setattr(keras.applications, "VGG16", no_network)
    with pytest.raises(FileNotFoundError, match="connect once, or pass weights='random'"):
        vizlib.load("vgg16")


def test_half_a_file_that_keras_fetched_is_named(monkeypatch, tmp_path):
    """Keras keeps what a stopped download left, and falls over it from then on."""
    monkeypatch.setattr(keras.src.utils.file_utils.config, "keras_home", lambda: str(tmp_path))
    file = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224.h5"
    (tmp_path / "models").mkdir()
    shapes.fused().save_weights(tmp_path / "whole.weights.h5")
    whole = (tmp_path / "whole.weights.h5").read_bytes()
    for content in (whole[:3000], whole, b""):
        (tmp_path / "models" / file).write_bytes(content)
        with pytest.raises(ValueError, match=f"file '.*{file}' is not the weights.*: delete it"):
            vizlib.load("mobilenetv2")


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
    for layer in (shapes.fused().get_layer("conv1"), keras.layers.Dense(2, name="new")):
        with pytest.raises(ValueError, match=f"layer '{layer.name}' belongs to another model than"):
            vizlib.find_layer(model, layer)
    for wrong in (3, None, ["conv1"]):
        with pytest.raises(ValueError, match="given by its name or itself, not by"):
            vizlib.find_layer(model, wrong)


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
    np.testing.assert_allclose(
        vizlib.filters(model), np.moveaxis(w[0], -1, 0), rtol=1e-5, atol=1e-7
    )
    with pytest.raises(ValueError, match="no convolution"):
        vizlib.filters(keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]))


class Backwards(keras.Model):
    """Its layers are made in another order than they are called in."""

    def __init__(self):
        super().__init__()
        self.second = keras.layers.SeparableConv2D(5, 3, name="second")
        self.first = keras.layers.Conv2D(4, 3, name="first")

    def call(self, x):
        return self.second(self.first(x))


def test_filters_of_a_model_that_does_not_tell_which_layer_comes_first():
    model = Backwards()
    model(np.ones((1, 8, 8, 3)))
    with pytest.raises(ValueError, match="name it, 'second', 'first'"):
        vizlib.filters(model)
    want = np.moveaxis(model.first.kernel.numpy(), -1, 0)
    np.testing.assert_array_equal(vizlib.filters(model, "first"), want)
    assert vizlib.filters(model, model.second).shape == (1, 3, 3, 4)
    separable = keras.layers.SeparableConv2D(5, 3)
    model = keras.Sequential([keras.Input((8, 8, 3)), separable, keras.layers.Conv2D(2, 3)])
    assert vizlib.filters(model).shape == (1, 3, 3, 3)


class Block(keras.layers.Layer):
    """Its convolutions are made in another order than they are called in."""

    def __init__(self):
        super().__init__()
        self.projection = keras.layers.Conv2D(7, 1)
        self.stem = keras.layers.Conv2D(5, 3)

    def call(self, x):
        return self.projection(self.stem(x))


@pytest.mark.parametrize("first", [Block, lambda: keras.layers.Conv2DTranspose(5, 3)])
def test_filters_are_those_of_the_first_call_and_stand_first(first):
    model = keras.Sequential([keras.Input((8, 8, 3)), first(), keras.layers.Conv2D(2, 3)])
    found = vizlib.filters(model)
    assert found.shape == (5, 3, 3, 3)
    one = model.layers[0] if first is not Block else model.layers[0].stem
    one.bias.assign(np.zeros(5))
    pixel = np.zeros((1, 3, 3, 3), "float32")
    pixel[0, 1, 1] = 1, 10, 100
    made = one(pixel).numpy()[0]
    middle = made[len(made) // 2, len(made) // 2]
    np.testing.assert_allclose(middle, found[:, 1, 1] @ [1, 10, 100], rtol=1e-4)

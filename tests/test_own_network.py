"""A Net of a model that vizlib has never seen: `Net.of`, and `load` of a file."""

import re
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import vizlib
from vizlib import Net, photos, show, widgets

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (2, 32, 24, 3)).astype("uint8")
LABELS = ["cat", "dog", "hen"]


@pytest.fixture(autouse=True)
def no_warnings():
    with warnings.catch_warnings():
        warnings.filterwarnings("error", category=UserWarning)
        yield


def backbone():
    x = keras.Input((32, 24, 3))
    y = layers.Conv2D(4, 3, activation="relu", padding="same", name="wide")(x)
    y = layers.MaxPooling2D()(y)
    y = layers.Conv2D(6, 3, padding="same", name="linear")(y)
    y = layers.ReLU(name="narrow")(y)
    y = layers.MaxPooling2D()(y)
    return keras.Model(x, y, name="backbone")


def head(activation="softmax", units=3):
    mean, drop = layers.GlobalAveragePooling2D(name="mean"), layers.Dropout(0.5)
    return [mean, drop, layers.Dense(units, activation, name="classes")]


def transfer():
    """As it is usually built: augmentation, preprocessing, a backbone in one layer, a head."""
    x = keras.Input((32, 24, 3))
    y = keras.applications.mobilenet_v2.preprocess_input(layers.RandomFlip()(x))
    y = backbone()(y, training=False)
    for layer in head():
        y = layer(y)
    return keras.Model(x, y, name="transfer")


def sequential():
    scaled = layers.Rescaling(1 / 255)
    return keras.Sequential(
        [keras.Input((32, 24, 3)), scaled, backbone(), keras.Sequential(head())], name="chain"
    )


class Subclassed(keras.Model):
    """Its layers are made in another order than they are called in."""

    def __init__(self):
        super().__init__(name="own")
        self.classes = layers.Dense(3, name="classes")
        self.mean = layers.GlobalAveragePooling2D(name="mean")
        self.second = layers.Conv2D(6, 3, 2, activation="relu", name="narrow")
        self.first = layers.Conv2D(4, 3, 2, activation="relu", name="wide")

    def call(self, x):
        return self.classes(self.mean(self.second(self.first(x / 255))))


def subclassed():
    model = Subclassed()
    model(np.zeros((1, 32, 24, 3)))
    return model


@pytest.mark.parametrize("build", [transfer, sequential, subclassed], ids=lambda f: f.__name__)
def test_any_model_is_a_net(build):
    model = build()
    net = Net.of(model, labels=LABELS, size=(32, 24))
    assert (net.name, net.size, net.labels) == (model.name, (32, 24), tuple(LABELS))
    assert net.stages[0] == "wide" and net.stages[-1] == "narrow" and net.features == "mean"
    assert net.index("dog") == 1
    x = net.preprocess(IMAGES)
    np.testing.assert_array_equal(x, IMAGES)  # the model scales them itself
    np.testing.assert_array_equal(net.deprocess(x), IMAGES)
    maps = vizlib.activations(net.model, x, net.features)
    np.testing.assert_allclose(vizlib.features(net.model, x), maps, rtol=1e-5)
    assert vizlib.grad_cam(net.model, x, net.index("hen")).any()


class OwnWeights(keras.Model):
    """Its weights belong to no layer."""

    def __init__(self):
        super().__init__(name="bare")
        self.kernel = self.add_weight(shape=(3, 3), name="kernel")
        self.bias = tf.Variable(tf.zeros(3))

    def call(self, x):
        return tf.reduce_mean(x / 255, (1, 2)) @ self.kernel + self.bias


def own_weights():
    model = OwnWeights()
    model(np.zeros((1, 32, 24, 3)))
    return model


def no_weights():
    return keras.Sequential([keras.Input((32, 24, 3)), layers.GlobalAveragePooling2D()])


@pytest.mark.parametrize("build", [own_weights, no_weights], ids=lambda f: f.__name__)
def test_a_model_whose_layers_have_no_weights_is_a_net(build):
    net = Net.of(build(), labels=LABELS, size=(32, 24))
    assert net.stages == () and net.features == ""
    x = net.preprocess(IMAGES)
    assert vizlib.saliency(net.model, x, net.index("hen")).shape == (2, 32, 24)


class Temperature(layers.Layer):
    def build(self, shape):
        self.t = self.add_weight(shape=(), initializer="ones")

    def call(self, z):
        return z / self.t


@pytest.mark.parametrize(
    "parts, features",
    [
        ([*head(None), layers.BatchNormalization(), layers.Softmax()], "mean"),
        ([*head(None), Temperature()], "mean"),
        ([layers.Conv2D(3, (32, 24)), layers.Flatten()], ""),
        ([layers.Flatten(name="flat"), layers.Dense(3)], "flat"),
    ],
)
def test_features_are_below_the_classifier_whatever_stands_behind_it(parts, features):
    model = keras.Sequential([keras.Input((32, 24, 3)), *parts])
    net = Net.of(model, preprocess=lambda x: x / 255)
    assert net.features == features
    if features == "mean":
        x = net.preprocess(IMAGES)
        maps = vizlib.activations(model, x, features)
        np.testing.assert_allclose(vizlib.features(model, x), maps, rtol=1e-5)


OTHERS = RNG.integers(0, 256, (6, 40, 50, 3)).astype("uint8")


@pytest.mark.parametrize("images, others, empty", [([], OTHERS, "images"), (IMAGES, [], "others")])
def test_overview_wants_images_and_others(images, others, empty):
    with pytest.raises(ValueError, match=f"{empty} is empty: give at least one image"):
        show.overview(Net.of(transfer(), labels=LABELS), images, others=others)


@pytest.mark.parametrize("target", [np.int64(1), "dog"])
def test_one_target_of_overview_is_for_all_images(target):
    net = Net.of(transfer(), labels=LABELS)
    fig = show.overview(net, IMAGES, target, others=OTHERS)
    assert [axes.get_ylabel()[:3] for axes in fig.axes[::8]] == ["dog", "dog"]


@pytest.mark.parametrize("build", [transfer, sequential], ids=lambda f: f.__name__)
def test_overview_shows_seven_lenses_of_any_net(build):
    net = Net.of(build(), labels=LABELS)
    fig = show.overview(net, IMAGES, ["dog", 2], others=OTHERS)
    titles = [axes.get_title() for axes in fig.axes[:8]]
    assert titles[0] == "picture" and titles[-1] == "Grad-CAM" and len(set(titles)) == 8
    p = vizlib.probabilities(net.model, net.preprocess(IMAGES))
    rows = [axes.get_ylabel() for axes in fig.axes[::8]]
    assert rows == [f"dog\n{p[0, 1]:.2f}", f"hen\n{p[1, 2]:.2f}"]
    assert all(len(axes.images) == 1 for axes in fig.axes)
    predicted = show.overview(net, IMAGES[:1], others=OTHERS).axes[0].get_ylabel()
    assert predicted.startswith(LABELS[p[0].argmax()])


def leaves(box):
    """The controls in a box, in order."""
    parts = getattr(box, "children", None)
    return [box] if parts is None else [leaf for part in parts for leaf in leaves(part)]


def test_one_sigmoid_shows_the_predicted_side():
    x = keras.Input((32, 24, 3))
    y = layers.Conv2D(4, 3, activation="relu")(layers.Rescaling(1 / 255)(x))
    y = layers.Dense(1, "sigmoid")(layers.GlobalAveragePooling2D()(y))
    model = keras.Model(x, y, name="one")
    net = Net.of(model, labels=["cat", "dog"])
    for bias, said in ((3.0, "dog"), (-3.0, "cat")):
        model.layers[-1].bias.assign([bias])
        for explorer in (widgets.class_maps, widgets.occlusions, widgets.gradient_maps):
            box = explorer(net, {"one": IMAGES[0]})
            (target,) = [c for c in leaves(box) if getattr(c, "label", None) == "class"]
            assert net.labels[target.value] == said
        p = vizlib.probabilities(model, net.preprocess(IMAGES[:1])).item()
        label = show.overview(net, IMAGES[:1], others=OTHERS).axes[0].get_ylabel()
        assert label == f"{said}\n{max(p, 1 - p):.2f}"
        other = show.overview(net, IMAGES[:1], "dog", others=OTHERS).axes[0].get_ylabel()
        assert other == f"dog\n{p:.2f}"


def test_the_nearest_of_the_others_is_not_the_image_itself():
    net = Net.of(transfer(), labels=LABELS)
    others = np.stack([IMAGES[0], *(photos.fit(image, (32, 24)) for image in OTHERS)])
    drawn = show.overview(net, IMAGES[:1], others=others).axes[2].images[0].get_array()
    x = vizlib.features(net.model, net.preprocess(others))
    second = np.argsort(np.linalg.norm(x - x[0], axis=1))[1]
    np.testing.assert_array_equal(drawn, others[second])


def test_a_lens_that_refuses_leaves_its_column_empty():
    x = keras.Input((32, 24, 3))
    y = layers.Conv2D(4, 3, activation="gelu")(layers.Rescaling(1 / 255)(x))
    y = layers.Dense(3, "softmax")(layers.GlobalAveragePooling2D()(y))
    net = Net.of(keras.Model(x, y, name="smooth"), labels=LABELS)
    with pytest.warns(UserWarning, match="No guided backprop for smooth: "):
        fig = show.overview(net, IMAGES[:1], others=OTHERS)
    assert [bool(axes.images) for axes in fig.axes] == [True] * 6 + [False, True]


def test_explorers_take_class_names_and_say_what_to_do_with_a_model():
    net = Net.of(transfer(), labels=LABELS)
    for view in (
        lambda k: widgets.class_map(net, IMAGES[0], k, "wide"),
        lambda k: widgets.gradient_map(net, IMAGES[0], k, "saliency"),
    ):
        np.testing.assert_array_equal(view("dog"), view(1))
        with pytest.raises(ValueError, match="no single class called 'cow'"):
            view("cow")
    model = transfer()
    for call in (
        lambda: widgets.feature_map(model, IMAGES[0], "wide", 0),
        lambda: widgets.covered(model, IMAGES[0], (0, 0, 4, 4)),
        lambda: widgets.signal(model, IMAGES[0], "guided", None, 0),
        lambda: widgets.class_map(model, IMAGES[0], 0, "wide"),
        lambda: widgets.gradient_map(model, IMAGES[0], 0, "saliency"),
        lambda: widgets.feature_maps(model, {"one": IMAGES[0]}),
        lambda: widgets.occlusions(model, {"one": IMAGES[0]}),
        lambda: widgets.signals(model, {"one": IMAGES[0]}),
        lambda: widgets.gradient_maps(model, {"one": IMAGES[0]}),
        lambda: widgets.class_maps(model, {"one": IMAGES[0]}),
    ):
        with pytest.raises(ValueError, match="A Net is wanted, not Functional: make one"):
            call()


@pytest.mark.parametrize(
    "net, targets, says",
    [
        (transfer(), None, "A Net is wanted, not Functional: make one of your model"),
        (Net.of(transfer(), labels=LABELS), "cow", "no single class called 'cow'"),
        (Net.of(transfer(), labels=LABELS), ["cat"], "1 targets for 2 images"),
        (Net.of(transfer(), labels=LABELS), 3, "has the classes 0 to 2, not 3"),
    ],
)
def test_what_overview_refuses(net, targets, says):
    with pytest.raises(ValueError, match=re.escape(says)):
        show.overview(net, IMAGES, targets, others=OTHERS)


def test_a_network_without_maps_is_refused_where_they_are_looked_at():
    parts = [keras.Input((32, 24, 3)), layers.Flatten(), layers.Dense(2, activation="softmax")]
    net = Net.of(keras.Sequential(parts), preprocess=np.float32)
    for call in (
        lambda: show.overview(net, IMAGES[:1], others=OTHERS),
        lambda: widgets.feature_maps(net, {"one": IMAGES[0]}),
        lambda: widgets.class_maps(net, {"one": IMAGES[0]}),
        lambda: widgets.lab(net, {"one": IMAGES[0]}, others=OTHERS),
    ):
        with pytest.raises(ValueError, match="gives feature maps under a name of its own"):
            call()
    assert widgets.gradient_maps(net, {"one": IMAGES[0]}).children


def test_explorers_open_on_a_net_of_a_nested_model():
    net = Net.of(transfer(), labels=LABELS)
    explorer = widgets.feature_maps(net, {"one": IMAGES[0]})
    assert explorer.children[0].children[1].options == ("wide", "narrow")
    for make in (widgets.occlusions, widgets.signals, widgets.gradient_maps, widgets.class_maps):
        assert make(net, {"one": IMAGES[0]}).children


@pytest.mark.parametrize("units, labels", [(1, ("0", "1")), (4, ("0", "1", "2", "3"))])
def test_labels_are_numbers_where_none_are_given(units, labels):
    scaled = layers.Rescaling(1 / 255)
    parts = [keras.Input((32, 24, 3)), scaled, backbone(), *head("sigmoid", units)]
    model = keras.Sequential(parts)
    assert Net.of(model).labels == labels


# ---- preprocessing -------------------------------------------------------------------------------

plain = keras.Sequential([keras.Input((32, 24, 3)), backbone(), *head()], name="plain")


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x / 255,
        lambda x: x / 127.5 - 1,
        lambda x: (x - [1.0, 2.0, 3.0]) / [4.0, 5.0, 6.0],
        lambda x: tf.constant(x)[..., ::-1] - [103.939, 116.779, 123.68],
        lambda x: 1 - x / 255,
        keras.applications.resnet.preprocess_input,
    ],
)
def test_what_is_affine_is_measured(function):
    net = Net.of(plain, preprocess=function)
    want = np.asarray(function(IMAGES.astype("float32")))
    np.testing.assert_allclose(net.preprocess(IMAGES), want, rtol=1e-5, atol=1e-4)
    np.testing.assert_array_equal(net.deprocess(net.preprocess(IMAGES)), IMAGES)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: (x / 255) ** 2,
        lambda x: x - x.mean((1, 2), keepdims=True),
        lambda x: np.repeat(x.mean(-1, keepdims=True), 3, -1),
    ],
)
def test_what_is_not_affine_is_used_as_it_is(function):
    net = Net.of(plain, preprocess=function)
    want = function(IMAGES.astype("float32"))
    np.testing.assert_allclose(net.preprocess(IMAGES), want, rtol=1e-6)
    assert np.isnan(net.low).all() and np.isnan(net.level).all()
    with pytest.raises(ValueError, match="cannot be undone"):
        net.deprocess(want)


def test_a_preprocess_that_overwrites_what_it_gets():
    def function(x):
        x /= 255
        return x

    net, before = Net.of(plain, preprocess=function), IMAGES.copy()
    np.testing.assert_allclose(net.preprocess(IMAGES), before / 255, rtol=1e-6)
    np.testing.assert_array_equal(IMAGES, before)


def test_grey_models_want_a_preprocess():
    model = keras.Sequential([keras.Input((32, 24, 1)), layers.Flatten(), layers.Dense(3)])
    with pytest.raises(ValueError, match=r"takes images \(N, 32, 24, 1\).*RGB, without"):
        Net.of(model)
    net = Net.of(model, preprocess=lambda x: x.mean(-1, keepdims=True) / 255)
    assert vizlib.logits(net.model, net.preprocess(IMAGES)).shape == (2, 3)


@pytest.mark.parametrize("first", [[], [layers.ZeroPadding2D()], [layers.Dropout(0.1)]])
def test_nothing_scales_the_images(first):
    parts = [*first, layers.Conv2D(4, 3, activation="relu"), *head()]
    model = keras.Sequential([keras.Input((32, 24, 3)), *parts], name="bare")
    with pytest.warns(UserWarning, match="No layer of 'bare' scales its images.*x / 255"):
        Net.of(model)
    Net.of(model, preprocess=lambda x: x)  # said, so no warning


# ---- what is refused -----------------------------------------------------------------------------


def several():
    x = keras.Input((32, 24, 3))
    y = backbone()(layers.Rescaling(1 / 255)(x))
    pooled = layers.GlobalAveragePooling2D()(y)
    return keras.Model(x, [layers.Dense(3)(pooled), layers.Dense(2)(pooled)], name="several")


def two_inputs():
    x, y = keras.Input((32, 24, 3)), keras.Input((5,))
    flat = layers.Concatenate()([layers.Flatten()(x), y])
    return keras.Model([x, y], layers.Dense(3)(flat), name="pair")


def channels_first():
    x = keras.Input((3, 16, 16))
    y = layers.Conv2D(4, 3, data_format="channels_first")(x)
    y = layers.GlobalAveragePooling2D("channels_first")(y)
    return keras.Model(x, layers.Dense(3)(y), name="other")


def of_any_size():
    return keras.Sequential(
        [keras.Input((None, None, 3)), layers.Rescaling(1 / 255), layers.Conv2D(4, 3), *head()]
    )


@pytest.mark.parametrize(
    "model, options, says",
    [
        (3, {}, "takes a keras.Model, not int"),
        (keras.Sequential([layers.Dense(3)]), {}, "no weights yet"),
        (two_inputs(), {}, "'pair' does not take one batch of images"),
        (
            channels_first(),
            {},
            "'other' takes images with the channels first",
        ),
        (several(), {}, r"gives \(N, 3\), \(N, 2\).*model\.outputs\[0\]"),
        (backbone(), {}, r"gives \(N, 8, 6, 6\)"),
        (plain, dict(labels=["a"]), "3 classes and there are 1 labels"),
        (plain, dict(labels=3), "labels are a list of names, one per class, not 3"),
        (plain, dict(labels="cat"), "labels are a list of names, one per class, not 'cat'"),
        (plain, dict(preprocess="x"), "preprocess is a function of images, .* not 'x'"),
        (plain, dict(size=32), r"takes images of \(32, 24\), not of \(32, 32\)"),
        (plain, dict(preprocess=lambda x: x[:, ::2]), r"preprocess gives \(1, 16, 24, 3\)"),
        (plain, dict(preprocess=lambda x: x / 0), "preprocess gives"),
        (of_any_size(), {}, "size=224"),
        (of_any_size(), dict(size=0), "size is a whole number"),
    ],
)
def test_what_is_no_net(model, options, says):
    with np.errstate(all="ignore"), pytest.raises(ValueError, match=says):
        Net.of(model, **options)


def test_the_model_in_the_sentence_on_several_outputs_is_a_net():
    model = several()
    with pytest.raises(ValueError, match="gives") as refused:
        Net.of(model)
    how = re.search(r"keras\.Model\(.*?\]\)", str(refused.value))[0]
    assert Net.of(eval(how, {"keras": keras, "model": model})).labels == ("0", "1", "2")


# ---- files ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_file_of_a_model_is_loaded(tmp_path, suffix):
    model = sequential()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the older format
        model.save(tmp_path / f"mine{suffix}")
        net = vizlib.load(str(tmp_path / f"mine{suffix}"))
    assert net.name == "mine" and net.features == "mean"
    x = net.preprocess(IMAGES)
    np.testing.assert_allclose(
        vizlib.logits(net.model, x), vizlib.logits(model, x), rtol=1e-5, atol=1e-6
    )


def test_the_environment_may_name_a_file(tmp_path, monkeypatch):
    sequential().save(tmp_path / "mine.keras")
    monkeypatch.setenv("VIZLIB_MODEL", str(tmp_path / "mine.keras"))
    assert vizlib.load().name == "mine"


def test_a_file_that_runs_code_is_not_loaded(tmp_path):
    model = keras.Sequential([sequential(), layers.Lambda(lambda x: x * 1)])
    model.save(tmp_path / "mine.keras")
    with pytest.raises(ValueError, match="holds code that runs.*safe_mode=False"):
        vizlib.load(tmp_path / "mine.keras")


def test_weights_alone_are_no_model(tmp_path):
    sequential().save_weights(tmp_path / "mine.weights.h5")
    with pytest.raises(ValueError, match="weights alone go into load"):
        vizlib.load(tmp_path / "mine.weights.h5")


# ---- what explorers refuse -----------------------------------------------------------------------

small = keras.Sequential(
    [
        keras.Input((6, 6, 3)),
        layers.Rescaling(1 / 255),
        layers.Conv2D(4, 3, activation="relu", name="conv"),
        layers.GlobalAveragePooling2D(name="pool"),
        layers.Dense(3, name="out"),
    ]
)
PICTURE = IMAGES[0, :6, :6]


def patches_of_two_channels():
    data = IMAGES[:, :6, :6].astype("float32")
    return vizlib.top_patches(small, data, "conv", channels=[0, 1], k=2)


@pytest.mark.parametrize(
    "call, says",
    [
        (lambda n: widgets.feature_map(n, PICTURE, "pool", 0), "array of shape .* feature maps"),
        (lambda n: widgets.wall(n, PICTURE, "out"), "array of shape .* feature maps"),
        (lambda n: widgets.feature_map(n, PICTURE, "conv", 99), "channel .* from 0 to 3, not 99"),
        (lambda n: widgets.covered(n, PICTURE, (0, 0, 2, 2), fill="grey"), "fill is one of 'mean'"),
        (lambda n: widgets.covered(n, PICTURE, (-8, 0, 2, 2)), "0 <= top < bottom <= 6 .* not .-8"),
        (lambda n: widgets.covered(n, PICTURE, (0, 4, 2, 4)), "0 <= left < right <= 6, not"),
        (lambda n: widgets.gradient_map(n, PICTURE, 0, "best"), "way is one of 'gradient', "),
        (
            lambda n: widgets.best_patches(IMAGES[:, :6, :6], patches_of_two_channels(), 9),
            "unit is a whole number from 0 to 1, not 9",
        ),
    ],
)
def test_what_pictures_of_explorers_refuse(call, says):
    with pytest.raises(ValueError, match=says):
        call(Net.of(small))


@pytest.mark.parametrize("pictures", [{}, [PICTURE], PICTURE])
@pytest.mark.parametrize(
    "name", ["feature_maps", "occlusions", "signals", "gradient_maps", "class_maps", "lab"]
)
def test_explorers_want_pictures_by_their_names(name, pictures):
    options = {"others": [PICTURE] * 4} if name == "lab" else {}
    with pytest.raises(ValueError, match="pictures is a dict of one image or more"):
        getattr(widgets, name)(Net.of(small), pictures, **options)


def test_the_occlusions_of_six_pixels_are_seen():
    box = widgets.occlusions(Net.of(small), {"one": PICTURE})
    (size,) = (leaf for leaf in leaves(box) if getattr(leaf, "description", "") == "size")
    (note,) = (leaf for leaf in leaves(box) if getattr(leaf, "kind", "") == "note")
    assert size.options == (2,) and note.items == [1, 5]


def of_whole_numbers():
    x = keras.Input((32, 24, 3), dtype="uint8")
    y = layers.Conv2D(4, 3, activation="relu")(layers.Rescaling(1 / 255)(x))
    y = layers.Dense(3, "softmax")(layers.GlobalAveragePooling2D()(y))
    return Net.of(keras.Model(x, y, name="whole"), labels=LABELS)


@pytest.mark.parametrize("fill", ["mean", "blur", 99.6])
def test_what_covers_whole_numbers_is_rounded(fill):
    net = of_whole_numbers()
    x = net.preprocess(IMAGES)
    found = vizlib.occlusion(net.model, x, 1, patch=6, stride=6, fill=fill, incremental=False)
    if fill != "blur":
        x[:, :6, :6] = np.rint(x.mean((1, 2))[:, None, None] if fill == "mean" else fill)
        wanted = vizlib.logits(net.model, x)[:, 1]
        np.testing.assert_allclose(found.scores[:, 0, 0], wanted, rtol=1e-4)
    assert vizlib.truth.deletion(net.model, x, x, 1, steps=2, fill=fill).scores.any()


def test_whole_numbers_are_covered_in_explorers():
    net = of_whole_numbers()
    box = widgets.occlusions(net, {"one": IMAGES[0]}, patch=8)
    assert [leaf.says for leaf in leaves(box) if getattr(leaf, "kind", "") == "note"] == [""]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="No (saliency|guided|Grad-CAM)")  # no gradient
        show.overview(net, IMAGES[:1], others=OTHERS)


@pytest.mark.parametrize("fill", ["mean", "black", "white"])
def test_the_occlusions_of_a_preprocess_that_is_not_affine(fill):
    net = Net.of(small, preprocess=lambda x: 255 * (x / 255) ** 2)
    box = widgets.occlusions(net, {"one": PICTURE})
    (control,) = (leaf for leaf in leaves(box) if getattr(leaf, "description", "") == "fill")
    control.value = fill
    assert [leaf.says for leaf in leaves(box) if getattr(leaf, "kind", "") == "note"] == [""]
    x = np.float32(PICTURE[None].repeat(2, 0)) ** 2 / 255
    x[1, 2:4, 2:4] = {"mean": x[0].mean((0, 1)), "black": 0, "white": 255}[fill]
    covered = widgets._covered(net, PICTURE, [(2, 2, 4, 4)], fill)
    np.testing.assert_allclose(covered, x[1:], rtol=1e-5)

"""Networks by name, and their layers. The only file that knows what a network is called."""

import contextlib
import difflib
import json
import os
from dataclasses import dataclass, field
from pathlib import Path

import keras
import numpy as np

from . import data

POCKET = ("pocket", "colleague")
# What the lessons ask an ImageNet network for, and how it calls that; known without Keras's label file.
IMAGENET = {
    8: "hen",
    97: "drake",
    208: "Labrador_retriever",
    281: "tabby",
    341: "hog",
    345: "ox",
    348: "ram",
}
ALSO = {"duck": "drake", "pig": "hog", "cow": "ox", "sheep": "ram"}


@dataclass(frozen=True)
class Net:
    """A classifier with all that is needed to feed it and to read it.

    Attributes
    ----------
    name : str
    model : keras.Model
    labels : tuple of str
        One per class.
    size : tuple of int
        Height and width of its pictures.
    stages : tuple of str
        Five layers, shallow to deep.
    features : str
        The layer below the classifier.
    low, high, level : ndarray, (C,)
        A black pixel, a white pixel and one grey level, in model-input space.
    """

    name: str
    model: keras.Model
    labels: tuple
    size: tuple
    stages: tuple
    features: str
    low: np.ndarray
    level: np.ndarray
    order: list = field(repr=False)  # the model's channels as places in RGB: [2, 1, 0] is BGR

    @property
    def high(self):
        return self.low + 255 * self.level

    def preprocess(self, pictures):
        """uint8 pictures (N, H, W, 3), RGB -> float32 (N, H, W, 3) in model-input space.

        Raises
        ------
        ValueError
            If the pictures are not uint8 RGB of the network's size with a batch axis.
        """
        pictures = np.asarray(pictures)
        if (
            pictures.dtype != np.uint8
            or pictures.ndim != 4
            or pictures.shape[1:] != (*self.size, 3)
        ):
            raise ValueError(
                f"preprocess takes uint8 pictures of shape (N, {self.size[0]}, {self.size[1]}, 3), not {pictures.dtype} of shape "
                f"{pictures.shape}: make them so with photos.fit(picture, {self.size[0]}) or barnyard.load(size={self.size[0]}), "
                "and put one picture in a batch with picture[None]."
            )
        x = pictures[..., self.order].astype("float32", order="C")
        x *= self.level
        x += self.low
        return x

    def deprocess(self, x):
        """Model-input space (N, H, W, 3) -> uint8 RGB; what lies outside the legal pixels is clipped."""
        grey = (np.asarray(x, "float32") - self.low) / self.level
        return self.rgb(np.clip(np.rint(grey), 0, 255).astype("uint8"))

    def rgb(self, maps):
        """Channels of maps (..., 3), a gradient for instance, in the order red, green, blue; nothing else is changed."""
        return np.asarray(maps)[..., np.argsort(self.order)]

    def index(self, name):
        """The number of the class called `name`: the whole label, or the start of a word of just one label.

        Raises
        ------
        ValueError
            If no label fits; the sentence lists the near ones.
        """
        labels = [label.lower() for label in self.labels]
        wanted = name.lower()
        for word in (wanted, ALSO.get(wanted)):
            if word in labels:
                return labels.index(word)
        hits = [i for i, label in enumerate(labels) if f"_{wanted}" in f"_{label}"]
        if len(hits) == 1:
            return hits[0]
        near = (
            [self.labels[i] for i in hits[:5]]
            or difflib.get_close_matches(name, self.labels, 5, 0.4)
            or list(self.labels[:7])
        )
        raise ValueError(
            f"{self.name} has no single class called {name!r}: did you mean {_choices(near)}?"
        )


def load(name=None, *, weights="default"):
    """A network by name.

    Parameters
    ----------
    name : str, optional
        "pocket", "colleague", or any classifier of ``keras.applications`` ("vgg16", "ResNet50", ...). Without arguments the
        environment's VIZLIB_MODEL and VIZLIB_WEIGHTS decide, else it is "pocket" as trained.
    weights : {"default", "random"} or path
        As trained (for ``keras.applications``: on ImageNet, fetched by Keras), random, or a file of weights.

    Returns
    -------
    Net

    Raises
    ------
    ValueError
        Unknown name, or weights that are not this network's.
    FileNotFoundError
        Weights that are not there and cannot be fetched.
    """
    if name is None and weights == "default":
        weights = os.environ.get("VIZLIB_WEIGHTS") or "default"
    name = (name or os.environ.get("VIZLIB_MODEL") or "pocket").lower()
    net = _pocket(name) if name in POCKET else _application(name, fetch=weights == "default")
    if weights not in ("default", "random"):
        _read_weights(net.model, name, Path(weights))
    elif weights == "default" and name in POCKET:
        data.read(f"weights/{name}.weights.h5")
        net.model.load_weights(data.root() / f"weights/{name}.weights.h5")
    return net


def find_layer(model, name):
    """The layer of that name, however deep it is nested.

    Parameters
    ----------
    model : keras.Model
    name : str or keras.Layer

    Raises
    ------
    ValueError
        No such layer (the sentence lists the near names), or several (pass the layer itself then).
    """
    layers = inner_layers(model)
    found = [layer for layer in layers if layer is name or layer.name == name]
    if len(found) == 1:
        return found[0]
    if found:
        raise ValueError(
            f"{len(found)} layers of {model.name!r} are called {name!r}: pass the layer itself instead of its name."
        )
    name = getattr(name, "name", name)
    names = list(dict.fromkeys(layer.name for layer in layers))
    near = difflib.get_close_matches(str(name), names, 5, 0.4) or names[:5]
    raise ValueError(f"{model.name!r} has no layer {name!r}: did you mean {_choices(near)}?")


def inner_layers(model):
    """All layers inside the model in the order of their use, also those of models that serve as layers."""
    found = {}
    for layer in model._flatten_layers(include_self=False, recursive=False):
        for inner in (layer, *inner_layers(layer)):
            found[id(inner)] = inner
    return list(found.values())


def vgg(size, widths, dense, classes, *, activation="softmax"):
    """VGG-16 (Simonyan and Zisserman 2015, arXiv 1409.1556, configuration D) of any width, by Keras's layer names."""
    x = inputs = keras.Input((size, size, 3), name="input")
    for block, (width, depth) in enumerate(zip(widths, (2, 2, 3, 3, 3)), 1):
        for k in range(1, depth + 1):
            x = keras.layers.Conv2D(
                width, 3, padding="same", activation="relu", name=f"block{block}_conv{k}"
            )(x)
        x = keras.layers.MaxPooling2D(2, name=f"block{block}_pool")(x)
    x = keras.layers.Flatten(name="flatten")(x)
    for k in (1, 2):
        x = keras.layers.Dense(dense, activation="relu", name=f"fc{k}")(x)
    return keras.Model(
        inputs,
        keras.layers.Dense(classes, activation=activation, name="predictions")(x),
        name="vgg",
    )


def pocket_vgg(*, activation="softmax"):
    """The untrained `pocket`: VGG-16 a quarter as wide, for pictures of 192 x 192 and seven classes."""
    return vgg(192, (16, 32, 64, 128, 128), 256, 7, activation=activation)


def _pocket(name):
    card = json.loads(data.read(f"weights/{name}.json"))
    mean = np.array(card["mean"], "float32")
    return _net(name, pocket_vgg(), tuple(card["classes"]), -mean, np.ones(3, "float32"), [0, 1, 2])


def _application(name, *, fetch):
    """A classifier of keras.applications; its preprocessing, affine per channel in all of them, is measured."""
    builders = {n.lower(): f for n, f in vars(keras.applications).items() if n[0].isupper()}
    if name not in builders:
        near = difflib.get_close_matches(name, [*POCKET, *builders], 4, 0.3) or POCKET
        raise ValueError(f"No network is called {name!r}: did you mean {_choices(near)}?")
    build = builders[name]
    module = getattr(keras.applications, build.__module__.rpartition(".")[2])
    try:
        model = build(weights="imagenet" if fetch else None)
        if model.input_shape[1] is None:  # MobileNetV3 leaves it open
            model = build(weights="imagenet" if fetch else None, input_shape=(224, 224, 3))
    except Exception as error:  # Keras raises bare Exceptions when a download fails
        if not fetch:
            raise
        raise FileNotFoundError(
            f"The ImageNet weights of {name} are not on this machine and could not be fetched ({type(error).__name__}): "
            "connect once, or pass weights='random' or the path of a weights file."
        ) from error

    def measure(colour):
        # float32 and a copy: some preprocess_input overwrite a float array in place
        return np.array(module.preprocess_input(np.full((1, 1, 1, 3), colour, "float32")))[0, 0, 0]

    low = measure((0, 0, 0))
    order = [
        int(np.argmax([measure(255 * np.eye(3)[c])[k] - low[k] for c in range(3)]))
        for k in range(3)
    ]
    return _net(
        name, model, _imagenet_labels(fetch), low, (measure((255, 255, 255)) - low) / 255, order
    )


def _net(name, model, labels, low, level, order):
    *_, last = (layer for layer in model.layers if layer.weights)
    below = _below(last)
    while isinstance(below, keras.layers.Dropout | keras.layers.Reshape):
        below = _below(below)
    return Net(
        name, model, labels, model.input_shape[1:3], _stages(model), below.name, low, level, order
    )


def _below(layer):
    return layer.input._keras_history.operation


def map_layers(model):
    """The names of the layers that give activation maps, shallow to deep."""
    return [name for name, _ in _maps(model)]


def _stages(model):
    """The last activation before each halving of the map: the first, the last, and three evenly between."""
    maps = _maps(model)
    last = [a for a, b in zip(maps, [*maps[1:], ("", 0)]) if b[1] <= 0.6 * a[1]]
    last = last if len(last) >= 5 else maps
    names = [last[i][0] for i in np.linspace(0, len(last) - 1, 5).round().astype(int)]
    if "block1_conv1" in map_layers(model):  # a VGG: its first layer sees the pixels
        names[0] = "block1_conv1"
    return tuple(names)


def _maps(model):
    """(name, side) of the layers that give activation maps."""
    shapes = [(layer.name, layer.output.shape) for layer in model.layers if _activates(layer)]
    return [(name, shape[1]) for name, shape in shapes if len(shape) == 4 and min(shape[1:3]) > 1]


def _activates(layer):
    kinds = keras.layers.ReLU | keras.layers.LeakyReLU | keras.layers.PReLU | keras.layers.ELU
    return (
        isinstance(layer, kinds)
        or getattr(layer, "activation", keras.activations.linear) is not keras.activations.linear
    )


def _read_weights(model, name, path):
    if not path.is_file():
        raise FileNotFoundError(
            f"There is no file of weights at {str(path)!r}: give the path of a .weights.h5 file of {name}."
        )
    try:
        model.load_weights(path)
    except Exception as error:  # Keras and h5py raise many kinds
        raise ValueError(
            f"{path.name!r} does not hold the weights of {name}: give a file that was saved from that network."
        ) from error


def _imagenet_labels(fetch):
    """ImageNet's 1000 labels from Keras's own file; where it is not on the machine, `class 17` and those of IMAGENET."""
    home = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
    if fetch or (home / "models/imagenet_class_index.json").is_file():
        with contextlib.suppress(Exception):  # no network: numbers will do
            falling = keras.applications.imagenet_utils.decode_predictions(
                -np.arange(1000.0)[None], top=1000
            )[0]
            return tuple(label for _, label, _ in falling)
    return tuple(IMAGENET.get(i, f"class {i}") for i in range(1000))


def _choices(names):
    return ", ".join(repr(n) for n in names)

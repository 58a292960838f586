"""Networks by name, and their layers. The only file that knows what a network is called."""

import difflib
import json
import os
import re
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import keras
import numpy as np

from . import data
from ._checks import as_array, check_size, quoted
from .keras_internals import calls, channels, inner_layers, inputs
from .types import Images, LayerLike, Size

POCKET = ("pocket", "colleague")
EMBEDDED = (*POCKET, "squeezenet")  # their weights are part of the course
# What people say, and what ImageNet calls it.
ALSO = {
    "chicken": "hen",
    "cow": "ox",
    "duck": "drake",
    "horse": "sorrel",
    "kangaroo": "wallaby",
    "lemur": "Madagascar_cat",
    "orca": "killer_whale",
    "panda": "giant_panda",
    "pig": "hog",
    "polar_bear": "ice_bear",
    "red_panda": "lesser_panda",
    "rooster": "cock",
    "scarlet_macaw": "macaw",
    "sheep": "ram",
}


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
        Height and width of the images it was trained on; the model itself may take others, too.
    stages : tuple of str
        Five layers, shallow to deep.
    features : str
        The layer below the classifier; "" where that takes the images, or is no layer.
    low, high, level : ndarray, (C,)
        A black pixel, a white pixel and one grey level, in model-input space.
    order : list of int
        The model's channels as places in RGB: [2, 1, 0] is BGR.
    function : callable, optional
        What prepares images, where that is more than an offset and a scale for each channel; then
        low, high and level are NaN, and `deprocess` refuses.
    """

    name: str
    model: keras.Model
    labels: tuple[str, ...]
    size: tuple[int, int]
    stages: tuple[str, ...]
    features: str
    low: np.ndarray
    level: np.ndarray
    order: list[int] = field(repr=False)
    function: Callable | None = field(default=None, repr=False)

    @classmethod
    def of(
        cls,
        model: keras.Model,
        *,
        labels: Sequence[str] | None = None,
        preprocess: Callable | None = None,
        size: Size | None = None,
        name: str | None = None,
    ) -> "Net":
        """A network of your own with all that is needed to feed it and to read it.

        Parameters
        ----------
        model : keras.Model
            A classifier of images; backbones may be nested in it, and it may be subclassed.
        labels : sequence of str, optional
            One per class, two for a single sigmoid; else their numbers.
        preprocess : callable, optional
            From images (N, H, W, 3), 0..255, float32, RGB, to what the model takes, as
            ``keras.applications.resnet.preprocess_input``. Without it, images go in as they are, as
            a model wants it that begins with a layer that scales them.
        size : int or (height, width), optional
            Of the images, where the model leaves it open.
        name : str, optional
            Else that of the model.

        Raises
        ------
        ValueError
            No Keras model, or one that is not built; several inputs or outputs, or an output that
            is not (N, K); labels of another number; a size that is missing or not the model's; a
            preprocess that does not give what the model takes.

        Warns
        -----
        UserWarning
            No preprocess, and no layer that scales the images before the first with a kernel.

        Examples
        --------
        >>> import keras
        >>> from vizlib import Net
        >>> backbone = keras.Sequential([
        ...     keras.Input((32, 32, 3)), keras.layers.Rescaling(1 / 255),
        ...     keras.layers.Conv2D(4, 3, activation="relu", name="conv")], name="backbone")
        >>> pool, classes = keras.layers.GlobalAveragePooling2D(name="pool"), keras.layers.Dense(2)
        >>> model = keras.Sequential([keras.Input((32, 32, 3)), backbone, pool, classes])
        >>> net = Net.of(model, labels=["cat", "dog"])
        >>> net.features, net.index("dog"), net.stages[0]
        ('pool', 1, 'conv')
        """
        size = _size_of(model, size)
        classes = _classes_of(model, size)
        names = range(classes) if labels is None else labels
        if isinstance(names, str) or not np.iterable(names):
            raise ValueError(f"labels are a list of names, one per class, not {quoted(names)}.")
        if not (preprocess is None or callable(preprocess)):
            raise ValueError(
                "preprocess is a function of images, such as lambda x: x / 255, not "
                f"{quoted(preprocess)}."
            )
        labels = tuple(map(str, names))
        if len(labels) != classes:
            raise ValueError(
                f"{model.name!r} has {classes} classes and there are {len(labels)} labels: give "
                "one for each, in the order of its output."
            )
        found = _affine(preprocess or (lambda images: images), size)
        unknown = np.full(3, np.nan, "float32"), np.full(3, np.nan, "float32"), [0, 1, 2]
        function = None if found else preprocess
        name = name or model.name
        net = _net(name, model, labels, *(found or unknown), size=size, function=function)
        _check_fed(net, preprocess)
        return net

    @property
    def high(self) -> np.ndarray:
        return self.low + 255 * self.level

    def preprocess(self, images: np.ndarray) -> Images:
        """Images as the model takes them.

        Parameters
        ----------
        images : array, (N, H, W, 3), uint8, RGB
            Of any size where the model's input is open.

        Returns
        -------
        ndarray, (N, H, W, 3), float32, in model-input space

        Raises
        ------
        ValueError
            If the images are not uint8 RGB of the network's size with a batch axis.

        Examples
        --------
        >>> import numpy as np, vizlib
        >>> net = vizlib.load("pocket", weights="random")
        >>> x = net.preprocess(np.zeros((1, 192, 192, 3), "uint8"))
        >>> bool((x == net.low).all())
        True
        """
        images = as_array(images, "images")
        size = inputs(self.model)[0].shape[1:3] if inputs(self.model) else self.size
        fits = images.dtype == np.uint8 and images.ndim == 4 and images.shape[3] == 3
        if not fits or any(a not in (None, b) for a, b in zip(size, images.shape[1:3])):
            height, width = (a or letter for a, letter in zip(size, "HW"))
            side = self.size[0] if self.size[0] == self.size[1] else self.size
            raise ValueError(
                f"preprocess takes uint8 images of shape (N, {height}, {width}, 3), not "
                f"{images.dtype} of shape {images.shape}: make them so with "
                f"photos.fit(image, {side}) or barnyard.load(size={side}), and put one image in a "
                "batch with image[None]."
            )
        if self.function is not None:
            return _prepared(self.function, images)
        x = images[..., self.order].astype("float32", order="C")
        x *= self.level
        x += self.low
        return x

    def deprocess(self, x: Images) -> np.ndarray:
        """Model-input space (N, H, W, 3) -> uint8 RGB; what is darker or brighter is clipped.

        Raises
        ------
        ValueError
            If the images are prepared by a function that is more than an offset and a scale.
        """
        if self.function is not None:
            raise ValueError(
                f"What prepares the images of {self.name!r} is more than an offset and a scale for "
                "each channel, and cannot be undone: keep the images themselves."
            )
        grey = (self.rgb(x).astype("float32") - self.rgb(self.low)) / self.rgb(self.level)
        return np.clip(np.rint(grey), 0, 255).astype("uint8")

    def rgb(self, maps: np.ndarray) -> np.ndarray:
        """Channels of maps (..., 3), of a gradient for instance, in the order red, green, blue.

        Raises
        ------
        ValueError
            If the last axis is not the model's three channels.
        """
        maps = as_array(maps, "maps")
        if maps.shape[-1:] != (3,):
            raise ValueError(f"rgb takes maps of shape (..., 3), not {maps.shape}.")
        return maps[..., np.argsort(self.order)]

    def index(self, name: str) -> int:
        """The number of a class.

        Parameters
        ----------
        name : str
            Its label, with spaces or underscores, in capitals or not; what people call it ("cow" is
            ImageNet's "ox"); or a word of just one label, or the start of one.

        Raises
        ------
        ValueError
            If no label fits, or several do; the sentence lists the near ones, or the numbers of
            those that have the same name.

        Examples
        --------
        >>> import vizlib
        >>> net = vizlib.load("squeezenet", weights="random")
        >>> net.index("German shepherd"), net.index("polar bear"), net.index("cow")
        (235, 296, 345)
        """
        if not isinstance(name, str):
            raise ValueError(
                f"index takes the name of a class, not {type(name).__name__}: "
                "a class number is what it gives."
            )
        spelt, wanted = [_plain(label) for label in self.labels], _plain(name)
        labels, low = [label.lower() for label in spelt], wanted.lower()
        also = ALSO.get(low, "").lower()
        ways = (  # the first that finds something counts
            [label == wanted for label in spelt],  # "Cardigan" is a dog, "cardigan" is worn
            [label == low for label in labels],
            [label == also for label in labels],
            [f"_{low}_" in f"_{label}_" for label in labels],
            [f"_{low}" in f"_{label}" for label in labels],
        )
        hits = next((np.flatnonzero(way).tolist() for way in ways if any(way)), [])
        if len(hits) == 1:
            return hits[0]
        if hits and len({labels[k] for k in hits}) == 1:
            numbers = " and ".join(map(str, hits))
            raise ValueError(
                f"{self.name} has several classes called {name!r}: {numbers}; take one."
            )
        near = [self.labels[k] for k in hits[:5]] or [
            self.labels[labels.index(x)] for x in difflib.get_close_matches(low, labels, 5, 0.4)
        ]
        raise ValueError(
            f"{self.name} has no single class called {name!r}: "
            f"did you mean {_choices(near or self.labels[:7])}?"
        )


def load(name: str | os.PathLike | None = None, *, weights: str | os.PathLike = "default") -> Net:
    """A network by name.

    Parameters
    ----------
    name : str or path, optional
        "pocket", "colleague", "squeezenet", or any classifier of ``keras.applications`` ("vgg16",
        "ResNet50", ...); or a file of a model of your own, ``.keras`` or ``.h5``, which becomes a
        `Net.of` it. Without arguments the environment's VIZLIB_MODEL and VIZLIB_WEIGHTS
        decide, else it is "pocket" as trained.
    weights : {"default", "random"} or path
        As trained (for ``keras.applications``: on ImageNet, fetched by Keras), random, or a file of
        weights.

    Returns
    -------
    Net

    Raises
    ------
    ValueError
        Unknown name; a model in the place of a name; a file that holds no model, or code that runs
        when it is loaded; weights that are not this network's, or half a file of them.
    FileNotFoundError
        Weights that are not there and cannot be fetched.

    Examples
    --------
    >>> import vizlib
    >>> vizlib.load("squeezenet", weights="random").stages
    ('conv1', 'fire3_concat', 'fire5_concat', 'fire7_concat', 'fire9_concat')
    """
    if not isinstance(weights, str | os.PathLike):
        raise ValueError(
            f"weights are 'default', 'random' or the path of a file, not {quoted(weights)}."
        )
    if name is None and weights == "default":
        weights = os.environ.get("VIZLIB_WEIGHTS") or "default"
    builders = {n.lower(): f for n, f in vars(keras.applications).items() if n[0].isupper()}
    name = (os.environ.get("VIZLIB_MODEL") or "pocket") if name is None else name
    name = _known(name, (*EMBEDDED, *builders))
    if isinstance(name, Path):
        net = Net.of(_saved(name), name=name.stem)
    elif name in POCKET:
        net = _pocket(name)
    elif name == "squeezenet":
        net = _squeezenet()
    else:
        net = _application(name, builders[name], fetch=weights == "default")
    if weights not in ("default", "random"):
        _read_weights(net.model, name, weights)
    elif weights == "default" and name in EMBEDDED:
        data.read(f"weights/{name}.weights.h5")
        net.model.load_weights(data.root() / f"weights/{name}.weights.h5")
    return net


def check_net(net: Net) -> None:
    """Raise a ValueError that says how to make a Net, unless it is one.

    Examples
    --------
    >>> import vizlib
    >>> from vizlib.models import check_net
    >>> check_net(vizlib.load("pocket"))
    """
    if not isinstance(net, Net):
        raise ValueError(
            f"A Net is wanted, not {type(net).__name__}: make one of your model, "
            "vizlib.Net.of(model)."
        )


def check_stages(net: Net) -> None:
    """As `check_net`; and a ValueError where no layer of it gives feature maps.

    Examples
    --------
    >>> import vizlib
    >>> from vizlib.models import check_stages
    >>> check_stages(vizlib.load("pocket"))
    """
    check_net(net)
    if not net.stages:
        raise ValueError(
            f"No layer of {net.name!r} gives feature maps under a name of its own: "
            "only methods that ask for no layer, as saliency does, will do."
        )


def class_number(net: Net, target: str | int) -> int:
    """The number of a class of a network, given by name or number.

    Parameters
    ----------
    net : Net
    target : str or int

    Raises
    ------
    ValueError
        No `Net`, a name that `Net.index` refuses, or a number that the network does not have.

    Examples
    --------
    >>> import vizlib
    >>> from vizlib.models import class_number
    >>> class_number(vizlib.load("pocket"), "hen"), class_number(vizlib.load("pocket"), 3)
    (0, 3)
    """
    check_net(net)
    if isinstance(target, str):
        return net.index(target)
    if not isinstance(target, int | np.integer) or not 0 <= target < len(net.labels):
        raise ValueError(
            f"{net.name} has the classes 0 to {len(net.labels) - 1}, not {quoted(target)}."
        )
    return int(target)


def find_layer(model: keras.Model, name: LayerLike) -> keras.Layer:
    """The layer of that name, however deep it is nested.

    Parameters
    ----------
    model : keras.Model
    name : str or keras.Layer

    Raises
    ------
    ValueError
        No such layer (the sentence lists the near names); several of that name (pass the layer
        itself then); a layer of another model; neither a name nor a layer.

    Examples
    --------
    >>> import keras, vizlib
    >>> inner = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3, name="conv")])
    >>> vizlib.find_layer(keras.Sequential([inner, keras.layers.Flatten()]), "conv").filters
    4
    """
    if not isinstance(model, keras.Layer):
        raise ValueError(f"A layer is found in a keras.Model, not in {type(model).__name__}.")
    layers = inner_layers(model)
    found = [layer for layer in layers if layer is name or layer.name == name]
    if len(found) == 1:
        return found[0]
    if found:
        raise ValueError(
            f"{len(found)} layers of {model.name!r} are called {name!r}: "
            "pass the layer itself instead of its name."
        )
    if isinstance(name, keras.Layer):
        raise ValueError(
            f"The layer {name.name!r} belongs to another model than {model.name!r}: "
            "give the name of a layer, or a layer of this model."
        )
    if not isinstance(name, str):
        raise ValueError(f"A layer is given by its name or itself, not by {type(name).__name__}.")
    names = list(dict.fromkeys(layer.name for layer in layers))
    near = difflib.get_close_matches(name, names, 5, 0.4) or names[:5]
    meant = f"did you mean {_choices(near)}?" if near else "Keras sees none in it."
    raise ValueError(f"{model.name!r} has no layer {name!r}: {meant}")


def vgg(
    size: int,
    widths: Sequence[int],
    dense: int,
    classes: int,
    *,
    activation: str | None = "softmax",
) -> keras.Model:
    """VGG-16 (Simonyan and Zisserman 2015, arXiv 1409.1556, configuration D) of any width.

    Layers have the names of Keras's VGG16. The weights are untrained.

    Parameters
    ----------
    size : int
        Height and width of the images.
    widths : five ints
        Channels of each block.
    dense : int
        Units of fc1 and fc2.
    classes : int
    activation : str, optional
        Of the last layer; None for logits.

    Examples
    --------
    >>> from vizlib import models
    >>> model = models.vgg(32, (1, 1, 2, 2, 2), 4, 3)
    >>> model.get_layer("block5_conv3").output.shape, model.output.shape
    ((None, 2, 2, 2), (None, 3))
    """
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


def pocket_vgg(*, activation: str | None = "softmax") -> keras.Model:
    """The untrained `pocket`: VGG-16 a quarter as wide, for 192 x 192 pixels and seven classes.

    Examples
    --------
    >>> from vizlib import models
    >>> models.pocket_vgg().count_params()
    2168279
    """
    return vgg(192, (16, 32, 64, 128, 128), 256, 7, activation=activation)


def squeezenet(classes: int = 1000) -> keras.Model:
    """The untrained SqueezeNet 1.1, of open size.

    References
    ----------
    Iandola, Han, Moskewicz, Ashraf, Dally, Keutzer 2016 (arXiv 1602.07360); version 1.1 is that of
    their repository.

    Examples
    --------
    >>> from vizlib import models
    >>> model = models.squeezenet()
    >>> model.input_shape, model.count_params()
    ((None, None, None, 3), 1235496)
    """

    def conv(width, side, name, **kwargs):
        return keras.layers.Conv2D(width, side, activation="relu", name=name, **kwargs)

    x = inputs = keras.Input((None, None, 3), name="input")
    x = conv(64, 3, "conv1", strides=2)(x)
    x = keras.layers.MaxPooling2D(3, 2, name="pool1")(x)
    widths = (16, 64), (16, 64), (32, 128), (32, 128), (48, 192), (48, 192), (64, 256), (64, 256)
    for k, (squeeze, expand) in enumerate(widths, 2):
        x = conv(squeeze, 1, f"fire{k}_squeeze1x1")(x)
        one = conv(expand, 1, f"fire{k}_expand1x1")(x)
        three = conv(expand, 3, f"fire{k}_expand3x3", padding="same")(x)
        x = keras.layers.Concatenate(name=f"fire{k}_concat")([one, three])
        if k in (3, 5):
            x = keras.layers.MaxPooling2D(3, 2, name=f"pool{k}")(x)
    x = keras.layers.Dropout(0.5, name="drop9")(x)
    x = conv(classes, 1, "conv10")(x)
    x = keras.layers.GlobalAveragePooling2D(name="pool10")(x)
    return keras.Model(
        inputs, keras.layers.Activation("softmax", name="loss")(x), name="squeezenet"
    )


def map_layers(model: keras.Model, size: Size) -> list[str]:
    """The names of the layers that give activation maps, shallow to deep, nested ones too.

    Where a Concatenate joins branches (SqueezeNet, Inception), it stands for the whole module, and
    what only leads to it does not count.

    Parameters
    ----------
    model : keras.Model
    size : int or (height, width)
        Of its images.

    Examples
    --------
    >>> from vizlib import models
    >>> models.map_layers(models.squeezenet(), 227)[:3]
    ['conv1', 'fire2_concat', 'fire3_concat']
    """
    made = _calls(model, check_size(size, "size"))[1]
    return [call.layer.name for call in _map_calls(made)]


def _calls(model, size):
    """A tensor for images of a size, what calls of innermost layers it leads to, the outputs."""
    given = inputs(model)
    depth = given[0].shape[-1] if given else channels(model) or 3
    x, made, outputs = calls(model, (1, *size, depth))
    return x, [call for call in made if not inner_layers(call.layer)], outputs


def _map_calls(made):
    """Those of `made` that `map_layers` names."""
    place = {id(call.output): k for k, call in enumerate(made)}
    reads = [[place[id(t)] for t in call.inputs if id(t) in place] for call in made]
    readers = [[] for _ in made]
    for k, read in enumerate(reads):
        for j in read:
            readers[j].append(k)
    joins = {
        k
        for k, call in enumerate(made)
        if isinstance(call.layer, keras.layers.Concatenate)
        and any(_activates(made[j].layer) for j in reads[k])
    }
    # A part of a module leads to a join and nowhere else: straight, or as the fork of the branches.
    parts = set()
    for k, call in reversed(list(enumerate(made))):
        inside = [j in joins or (j in parts and len(readers[j]) == 1) for j in readers[k]]
        pools = type(call.layer).__name__.endswith("Pooling2D")
        if inside and all(inside) and k not in joins and not pools:
            parts.add(k)
    named = Counter(call.layer.name for call in made)
    maps = [
        k
        for k, call in enumerate(made)
        if k not in parts
        and named[call.layer.name] == 1  # else a name does not say which is meant
        and len(call.output.shape) == 4
        and 1 not in call.output.shape[1:3]
    ]
    activate = [k for k in maps if k in joins or _activates(made[k].layer)]
    # where no layer does, the model's own call may
    return [made[k] for k in activate or [k for k in maps if made[k].layer.weights]]


def _known(name, names):
    """The name in lower case, or the path of a file; or a sentence."""
    if isinstance(name, str) and name.lower() in names:
        return name.lower()
    if isinstance(name, str | os.PathLike):
        if str(name).lower().endswith((".keras", ".h5")) or os.path.isfile(name):
            return Path(name)
        near = difflib.get_close_matches(str(name).lower(), names, 4, 0.3) or EMBEDDED
        raise ValueError(f"No network is called {str(name)!r}: did you mean {_choices(near)}?")
    raise ValueError(
        f"load takes the name of a network, not {type(name).__name__}: every method takes a "
        "keras.Model as it is, and Net.of(model) makes a Net of it."
    )


def _saved(path):
    """The model in a file; nothing in it is run, as Keras's safe mode has it."""
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {str(path)!r}.")
    try:
        return keras.models.load_model(path, compile=True)
    except Exception as error:  # Keras, h5py and zipfile raise many kinds
        if "unsafe" in str(error) or "safe_mode" in str(error):
            raise ValueError(
                f"{path.name!r} holds code that runs when it is loaded: if you trust it, give "
                f"vizlib.Net.of(keras.models.load_model({str(path)!r}, safe_mode=False))."
            ) from error
        raise ValueError(
            f"{path.name!r} does not hold a model that Keras loads ({type(error).__name__}): save "
            "it by model.save('name.keras'); weights alone go into load(name, weights=...), and "
            "layers of your own want vizlib.Net.of(keras.models.load_model(path, "
            "custom_objects=...))."
        ) from error


def _pocket(name):
    card = json.loads(data.read(f"weights/{name}.json"))
    mean = np.array(card["mean"], "float32")
    return _net(name, pocket_vgg(), tuple(card["classes"]), -mean, np.ones(3, "float32"), [0, 1, 2])


def _squeezenet():
    mean = np.array((103.939, 116.779, 123.68), "float32")  # ImageNet's, BGR, as VGG-16 has it
    ones = np.ones(3, "float32")
    return _net(
        "squeezenet", squeezenet(), _imagenet_labels(), -mean, ones, [2, 1, 0], size=(227, 227)
    )


def _application(name, build, *, fetch):
    """A classifier of keras.applications; its preprocessing, affine per channel, is measured."""
    module = getattr(keras.applications, build.__module__.rpartition(".")[2])
    labels = _imagenet_labels()  # before anything is fetched: pip's vizlib has no data
    try:
        model = build(weights="imagenet" if fetch else None)
        if model.input_shape[1] is None:  # MobileNetV3 leaves it open
            model = build(weights="imagenet" if fetch else None, input_shape=(224, 224, 3))
    except Exception as error:  # Keras raises bare Exceptions when a download fails
        if not fetch:
            raise
        for frame, _ in traceback.walk_tb(error.__traceback__):  # who fell over which file?
            path = frame.f_locals.get("weights_path")
            if isinstance(path, str | os.PathLike) and os.path.isfile(path):
                raise ValueError(
                    f"The file {str(path)!r} is not the weights of {name}, perhaps half of them: "
                    "delete it, and Keras fetches it again."
                ) from error
        raise FileNotFoundError(
            f"The ImageNet weights of {name} are not on this machine and could not be fetched "
            f"({type(error).__name__}): connect once, or pass weights='random' or the path of a "
            "weights file."
        ) from error

    found = _affine(module.preprocess_input, model.input_shape[1:3])
    return _net(name, model, labels, *found)


def _prepared(function, images):
    """What a function of a stranger's makes of images; it may overwrite those it is given."""
    return np.asarray(function(images.astype("float32")), "float32")


def _affine(function, size):
    """Offset, scale and order of the channels, where a function is no more; else None."""
    colours = 255 * np.concatenate([np.zeros((1, 3)), np.ones((1, 3)), np.eye(3)])
    plain = np.broadcast_to(colours[:, None, None], (5, *size, 3)).astype("uint8")
    mixed = np.random.default_rng(0).integers(0, 256, (1, *size, 3)).astype("uint8")
    seen = _prepared(function, np.concatenate([plain, mixed]))
    if seen.shape != (6, *size, 3):
        return None
    low, high, *pure = seen[:5, 0, 0]
    order, level = np.argmax(np.abs(pure - low), 0).tolist(), (high - low) / 255
    again = mixed[0][..., order] * level + low
    fits = sorted(order) == [0, 1, 2] and level.all()
    return (low, level, order) if fits and np.allclose(again, seen[5], 1e-4, 1e-4) else None


def _size_of(model, size):
    """(height, width) of the images that a model of one input takes."""
    if not isinstance(model, keras.Model):
        raise ValueError(f"Net.of takes a keras.Model, not {type(model).__name__}.")
    if not model.built:
        raise ValueError(f"{model.name!r} has no weights yet: call it first, or load it.")
    given = inputs(model)
    if given is not None and (len(given) != 1 or len(given[0].shape) != 4):
        raise ValueError(
            f"{model.name!r} does not take one batch of images (N, H, W, C): build a model that "
            "does, with all other inputs held fixed."
        )
    if given and channels_first(given[0].shape):
        raise ValueError(
            f"{model.name!r} takes images with the channels first: build a model that takes (N, H, "
            "W, C), with its own Permute before this one."
        )
    known = tuple(given[0].shape[1:3]) if given else (None, None)
    if size is None:
        if None in known:
            raise ValueError(f"{model.name!r} takes images of any size: say which, as in size=224.")
        return known
    size = check_size(size, "size")
    if any(k not in (None, s) for k, s in zip(known, size)):
        raise ValueError(f"{model.name!r} takes images of {known}, not of {size}.")
    return size


def channels_first(shape: tuple) -> bool:
    """Whether images of a shape, None where it is open, have their channels in front.

    Examples
    --------
    >>> from vizlib.models import channels_first
    >>> channels_first((None, 3, 224, 224))
    True
    """
    first = len(shape) == 4 and shape[1] in (1, 3, 4)
    return first and shape[2] == shape[3] and (shape[3] or 0) > 4


def _classes_of(model, size):
    """How many classes the output (N, K) of a model tells apart."""
    shapes = [
        tuple(output.shape[1:])
        for output in _calls(model, size)[2]
        if hasattr(output, "shape")  # else it is no tensor
    ]
    if len(shapes) == 1 and len(shapes[0]) == 1:
        return max(shapes[0][0], 2)
    said = ", ".join(f"(N, {', '.join(map(str, shape))})" for shape in shapes) or "no tensor"
    raise ValueError(
        f"{model.name!r} gives {said}, and a Net is for one output (N, K): choose it, as in "
        "keras.Model(model.input, model.outputs[0]), or call the methods with the model itself."
    )


# Layers behind which an image is what it was, in another place.
MOVES = (
    keras.layers.Cropping2D,
    keras.layers.Dropout,
    keras.layers.RandomFlip,
    keras.layers.Resizing,
    keras.layers.ZeroPadding2D,
)


def _check_fed(net, preprocess):
    """Raise unless the model takes what is prepared; warn where nothing is and it may be wanted."""
    images = np.zeros((1, *net.size, 3), "uint8")
    fed = net.preprocess(images) if preprocess is None else _prepared(preprocess, images)
    depth = (inputs(net.model) or [fed])[0].shape[-1]
    if fed.shape != (1, *net.size, depth) or not np.isfinite(fed).all():
        how = "preprocess" if preprocess else "RGB, without a preprocess,"
        raise ValueError(
            f"{net.name!r} takes images (N, {net.size[0]}, {net.size[1]}, {depth}), and {how} "
            f"gives {fed.shape}: give a preprocess that makes them so of (N, H, W, 3), 0..255."
        )
    x, made, _ = _calls(net.model, net.size)
    raw = {id(x)}  # as it is, but for what only moves it
    for call in made:
        if isinstance(call.layer, MOVES) and id(call.inputs[0]) in raw:
            raw.add(id(call.output))
    first = [call for call in made if call.layer.weights][:1]
    if preprocess is None and any(
        hasattr(call.layer, "kernel") and id(call.inputs[0]) in raw for call in first
    ):
        warnings.warn(
            f"No layer of {net.name!r} scales its images, and they go in as 0..255: if it was "
            "trained on others, give that as preprocess, lambda x: x / 255 for instance.",
            stacklevel=3,
        )


def _net(name, model, labels, low, level, order, *, size=None, function=None):
    size = size or model.input_shape[1:3]
    made = _calls(model, size)[1]
    # What only scales channels behind the classifier, a normalization for instance, has vectors.
    last = next((c for c in reversed(made) if any(len(w.shape) > 1 for w in c.layer.weights)), None)
    maps = [call for call in _map_calls(made) if call is not last]
    stages = _stages([call.layer.name for call in maps], [call.output.shape[1] for call in maps])
    features = _below(last, made) if last and last is not made[0] else ""
    return Net(name, model, labels, size, stages, features, low, level, order, function)


def _below(last, made):
    """The layer whose output another one takes, in essence."""
    given = {id(call.output): call for call in reversed(made)}
    before = next(k for k, call in enumerate(made) if call is last) - 1
    call = given.get(id(last.inputs[0]), made[before])
    passed = keras.layers.Dropout | keras.layers.Reshape
    while isinstance(call.layer, passed) and id(call.inputs[0]) in given:
        call = given[id(call.inputs[0])]
    return call.layer.name


def _stages(names, sides):
    """The last map before each halving of its side: the first, the last, three evenly between."""
    if not names:
        return ()
    last = [name for name, a, b in zip(names, sides, [*sides[1:], 0]) if b <= 0.6 * a]
    last = last if len(last) >= 5 else names
    stages = [last[k] for k in np.linspace(0, len(last) - 1, 5).round().astype(int)]
    if "block1_conv1" in names:  # a VGG: its first layer sees the pixels
        stages[0] = "block1_conv1"
    return tuple(stages)


def _activates(layer):
    kinds = keras.layers.ReLU | keras.layers.LeakyReLU | keras.layers.PReLU | keras.layers.ELU
    return (
        isinstance(layer, kinds)
        or getattr(layer, "activation", keras.activations.linear) is not keras.activations.linear
    )


def _read_weights(model, name, path):
    if not os.path.isfile(path):
        raise FileNotFoundError(
            f"There is no file of weights at {str(path)!r}: "
            f"give the path of a .weights.h5 file of {name}."
        )
    try:
        model.load_weights(path)
    except Exception as error:  # Keras and h5py raise many kinds
        raise ValueError(
            f"{Path(path).name!r} does not hold the weights of {name}: "
            "give a file that was saved from that network."
        ) from error


def _imagenet_labels():
    return tuple(json.loads(data.read("weights/imagenet_labels.json")))


def _plain(label):
    """A label as it is compared: one underscore for spaces and hyphens."""
    return re.sub(r"[\s_-]+", "_", label.strip())


def _choices(names):
    return ", ".join(repr(n) for n in names)

"""What is a unit looking for? The window of pixels it sees, and the patches of a data set that excite it most."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from . import graph


class ReceptiveField(NamedTuple):
    """The window of pixels that the units of a layer see; each pair is (vertical, horizontal).

    Attributes
    ----------
    size : (int, int)
        In pixels.
    stride : (int, int)
        From one unit's window to the next one's.
    offset : (int, int)
        Top and left of the window of unit (0, 0); negative where it begins outside the picture.
    """

    size: tuple
    stride: tuple
    offset: tuple

    def box(self, y, x):
        """(top, left, bottom, right) of the window of unit (y, x), not clipped; arrays give (..., 4)."""
        start = [o + s * np.asarray(u) for o, s, u in zip(self.offset, self.stride, (y, x))]
        return np.stack([*start, *(a + size for a, size in zip(start, self.size))], -1)


def receptive_field(model, layer, input_size):
    """Which pixels the units of a layer can depend on.

    Parameters
    ----------
    model : keras.Model
    layer : str or keras.Layer
        One that gives feature maps.
    input_size : int or (height, width)
        Of the pictures; with padding "same" and a stride the window's place depends on it.

    Returns
    -------
    ReceptiveField

    Raises
    ------
    ValueError
        Units that see the whole picture, paths to the layer that do not fit together, or no such layer.

    References
    ----------
    Araujo, Norris, Sim 2019, Computing receptive fields of convolutional neural networks, Distill (eqs. 2 and 3).
    """
    height, width = np.broadcast_to(input_size, 2)
    shape = (
        int(height),
        int(width),
        getattr(model, "input_shape", (3,))[-1],
    )  # a subclassed model does not tell: RGB
    graph.check_images(model, np.zeros((1, *shape), "float32"))
    trace = graph._trace(model, shape, layer=layer).run
    name = getattr(layer, "name", layer)
    field = _Walk(trace.inputs[0], name).seen(trace.outputs[0])
    if field is None or len(trace.outputs[0].shape) != 4:
        raise ValueError(
            f"The units of {name!r} have no place in the picture: choose a layer that gives feature maps."
        )
    return ReceptiveField(*field)


# Operations whose value at a place depends on that place of their inputs only.
POINTWISE = {
    "Abs", "Add", "AddV2", "BiasAdd", "Cast", "ConcatV2", "Elu", "Exp", "Erf", "FusedBatchNormV3", "Identity", "LeakyRelu", "Maximum",
    "Minimum", "Mul", "Neg", "Relu", "Relu6", "Rsqrt", "Selu", "Sigmoid", "Softplus", "Square", "SquaredDifference", "StopGradient", "Sub", "Tanh",
}  # fmt: skip
WINDOWED = {"AvgPool": 0, "Conv2D": 0, "DepthwiseConv2dNative": 0, "MaxPool": 0}


class _Walk:
    """From the picture to a tensor: (size, stride, offset) of what its units see; None if it does not depend on it."""

    def __init__(self, picture, name):
        self.known, self.name = {picture.ref(): ((1, 1), (1, 1), (0, 0))}, name

    def seen(self, tensor):
        if tensor.ref() not in self.known:
            self.known[tensor.ref()] = self.through(tensor.op)
        return self.known[tensor.ref()]

    def through(self, op):
        fields = [
            f
            for f in map(self.seen, (t for t in op.inputs if t.dtype.is_floating))
            if f is not None
        ]
        if not fields:
            return None
        if op.type in WINDOWED:
            kernel, stride, before = _window(op)
        elif op.type in ("Pad", "PadV2", "MirrorPad"):
            kernel, stride, before = (
                (1, 1),
                (1, 1),
                tf.get_static_value(op.inputs[1])[1:3, 0].tolist(),
            )
        elif op.type in (
            "SpaceToBatchND",
            "BatchToSpaceND",
        ):  # pads before a dilated convolution, crops after it
            sign = 1 if op.type == "SpaceToBatchND" else -1
            kernel, stride, before = (
                (1, 1),
                (1, 1),
                (sign * tf.get_static_value(op.inputs[2])[:, 0]).tolist(),
            )
        elif op.type in POINTWISE:
            return _joined(fields, self.name)
        else:
            raise ValueError(
                f"Before {self.name!r}, {op.type} ({op.name}) takes in the whole picture or moves it: choose an earlier layer."
            )
        ((size, step, offset),) = fields
        return (
            tuple(s + (k - 1) * t for s, k, t in zip(size, kernel, step)),
            tuple(t * u for t, u in zip(step, stride)),
            tuple(o - b * t for o, b, t in zip(offset, before, step)),
        )


def _window(op):
    """Kernel (with its gaps), stride and padding before, of a convolution or a pooling."""
    stride = op.get_attr("strides")[1:3]
    if op.type.endswith("Pool"):
        kernel = op.get_attr("ksize")[1:3]
    else:
        dilation, source = op.get_attr("dilations")[1:3], op.inputs[0].op
        if source.type == "SpaceToBatchND":
            dilation = tf.get_static_value(source.inputs[1]).tolist()
        kernel = [(k - 1) * d + 1 for k, d in zip(op.inputs[1].shape[:2], dilation)]
    if op.get_attr("padding") == b"SAME":
        sides = zip(op.inputs[0].shape[1:3], op.outputs[0].shape[1:3], stride, kernel)
        return kernel, stride, [max((o - 1) * s + k - i, 0) // 2 for i, o, s, k in sides]
    explicit = (
        op.get_attr("explicit_paddings") if op.get_attr("padding") == b"EXPLICIT" else [0] * 8
    )
    return kernel, stride, [explicit[2], explicit[4]]


def _joined(fields, name):
    """What is seen along any of several paths."""
    if len({stride for _, stride, _ in fields}) > 1:
        raise ValueError(
            f"Paths of different strides meet before {name!r}: its units have no single window."
        )
    starts = [offset for _, _, offset in fields]
    ends = [[o + s for o, s in zip(offset, size)] for size, _, offset in fields]
    start, end = np.min(starts, 0), np.max(ends, 0)
    if any(np.max([o[a] for o in starts]) > np.min([e[a] for e in ends]) for a in (0, 1)):
        raise ValueError(
            f"Paths that see separate windows meet before {name!r}: its units have no single window."
        )
    return tuple((end - start).tolist()), fields[0][1], tuple(start.tolist())


# ---- mining --------------------------------------------------------------------------------------------------------


class Patches(NamedTuple):
    """The patches that excite some channels most, best first.

    Attributes
    ----------
    value : ndarray, (channels, k)
        The activation.
    image : ndarray, (channels, k), int
        Number of the picture in the data.
    position : ndarray, (channels, k, 2), int
        Row and column of the unit in the layer's map; 0, 0 where a layer has no map.
    box : ndarray, (channels, k, 4), int
        What the unit sees: top, left, bottom, right in pixels, not clipped.
    seen : int
        How many pictures were looked at.
    """

    value: np.ndarray
    image: np.ndarray
    position: np.ndarray
    box: np.ndarray
    seen: int


def top_patches(model, data, layer, *, channels, k=9, per_image=1, batch_size=32, progress=False):
    """The k patches of a data set on which each channel is most active, in one pass.

    Parameters
    ----------
    model : keras.Model
    data : array (N, H, W, C), `tf.data.Dataset` or iterable of batches (n, H, W, C), in model-input space
        Read once; memory does not grow with its length.
    layer : str or keras.Layer
    channels : int or sequence of int
    k : int
        Patches per channel.
    per_image : int
        At most so many from one picture.
    batch_size : int
    progress : bool

    Returns
    -------
    Patches
        Of equally active patches the one of the earlier picture comes first, then the one further up, then further left.

    Raises
    ------
    ValueError
        Bad data, fewer pictures than k patches take, a channel that does not exist, or no such layer.

    References
    ----------
    Zeiler, Fergus 2014 (arXiv 1311.2901), figure 2.
    """
    channels = np.atleast_1d(channels)
    for name, number in (("k", k), ("per_image", per_image)):
        if not isinstance(number, int | np.integer) or number < 1:
            raise ValueError(f"{name} is a whole number of at least 1, not {number!r}.")
    best, seen, field = None, 0, None
    for batch in graph.stream(model, data, batch_size=batch_size, progress=progress):
        (maps,) = graph.forward(model, batch, layer, batch_size=batch_size)
        if best is None:
            count = maps.shape[-1]
            if (
                not np.issubdtype(channels.dtype, np.integer)
                or channels.min() < 0
                or channels.max() >= count
            ):
                raise ValueError(
                    f"channels are numbers from 0 to {count - 1}, not {channels.tolist()}."
                )
            field = _field(model, layer, maps, batch.shape[1:3])
        columns = maps.shape[2] if maps.ndim == 4 else 1
        flat = maps.reshape(len(maps), -1, maps.shape[-1])[..., channels].transpose(
            2, 0, 1
        )  # channel, picture, place
        found = []
        for _ in range(min(per_image, flat.shape[2])):
            place = flat.argmax(2)  # the first of equal ones
            value = np.take_along_axis(flat, place[..., None], 2)[..., 0]
            np.put_along_axis(flat, place[..., None], -np.inf, 2)
            image = np.broadcast_to(seen + np.arange(len(maps)), place.shape)
            position = np.stack([place // columns, place % columns], -1)
            found.append(
                Patches(value, image, position, field.box(*np.moveaxis(position, -1, 0)), 0)
            )
        best = _best([best, *found] if best else found, k)
        seen += len(maps)
    if best.value.shape[1] < k:
        raise ValueError(
            f"{k} patches with at most {per_image} a picture take {-(-k // per_image)} pictures, and the data holds {seen}: lower k."
        )
    return best._replace(seen=seen)


def merge(parts):
    """One result of several that were made of parts of a data set, in order: exactly that of one pass over all.

    Parameters
    ----------
    parts : sequence of Patches
        Of the same channels, with the same k and per_image; the pictures of a part are numbered after those of the parts before.

    Returns
    -------
    Patches

    Raises
    ------
    ValueError
        No parts, or parts that differ in channels or k.
    """
    parts = list(parts)
    if len({part.value.shape for part in parts}) != 1:
        raise ValueError("Parts to merge have the same channels and the same k; give at least one.")
    before = np.cumsum([0, *(part.seen for part in parts)])
    shifted = [part._replace(image=part.image + shift) for part, shift in zip(parts, before)]
    return _best(shifted, parts[0].value.shape[1])._replace(seen=int(before[-1]))


def crop(pictures, found, *, fill=127):
    """The patches themselves, cut out exactly where the units see.

    Parameters
    ----------
    pictures : array, (N, H, W, 3)
        The data, in order and of the size that was mined.
    found : Patches
    fill : number
        For what lies outside a picture.

    Returns
    -------
    ndarray, (channels, k, h, w, 3)
        Of the pictures' type.
    """
    size = found.box[0, 0, 2:] - found.box[0, 0, :2]
    patches = np.full((*found.image.shape, *size, *pictures.shape[3:]), fill, pictures.dtype)
    for at in np.ndindex(found.image.shape):
        top, left, bottom, right = found.box[at]
        inside = pictures[
            found.image[at], max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)
        ]
        row, column = max(-top, 0), max(-left, 0)
        patches[at][row : row + inside.shape[0], column : column + inside.shape[1]] = inside
    return patches


def _field(model, layer, maps, size):
    if maps.ndim == 4:
        return receptive_field(model, layer, size)
    return ReceptiveField(
        tuple(size), (0, 0), (0, 0)
    )  # a unit of a dense layer sees the whole picture


def _best(parts, k):
    """The k best of several results: the largest, then of the smallest picture number, then by position."""
    value, image, position, box = (np.concatenate([part[i] for part in parts], 1) for i in range(4))
    order = np.lexsort((position[..., 1], position[..., 0], image, -value))[:, :k]
    return Patches(
        *(
            np.take_along_axis(a, order.reshape(*order.shape, *[1] * (a.ndim - 2)), 1)
            for a in (value, image, position, box)
        ),
        0,
    )

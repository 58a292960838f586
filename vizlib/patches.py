"""What is a unit looking for? The window of pixels it sees, the patches that excite it most."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from . import engine, keras_internals
from ._checks import as_array, as_numbers, check_size, check_whole, quoted
from .engine.sight import sights
from .types import Data, LayerLike, Size


class ReceptiveField(NamedTuple):
    """The window of pixels that the units of a layer see; each pair is (vertical, horizontal).

    Attributes
    ----------
    size : (int, int)
        In pixels.
    stride : (int, int)
        From one unit's window to the next one's.
    offset : (int, int)
        Top and left of the window of unit (0, 0); negative where it begins outside the image.
    whole : bool
        Whether the units also depend on the whole image, by something that is computed of all of
        it: the gate of squeeze-and-excitation, for instance.
    """

    size: tuple
    stride: tuple
    offset: tuple
    whole: bool = False

    def box(self, y, x) -> np.ndarray:
        """(top, left, bottom, right) of unit (y, x)'s window, not clipped; arrays give (..., 4)."""
        unit = np.broadcast_arrays(y, x)
        start = [o + s * u for o, s, u in zip(self.offset, self.stride, unit)]
        return np.stack([*start, *(a + size for a, size in zip(start, self.size))], -1)


def receptive_field(model, layer: LayerLike | None, input_size: Size) -> ReceptiveField:
    """Which pixels the units of a layer can depend on.

    Parameters
    ----------
    model : keras.Model
        It needs no classifier: headless models and those of several outputs will do.
    layer : str, keras.Layer or None
        One that gives feature maps; None: the last of them, as in `grad_cam`.
    input_size : int or (height, width)
        Of the images; with padding "same" and a stride the window's place depends on it.

    Returns
    -------
    ReceptiveField

    Raises
    ------
    ValueError
        Units that see the whole image only; an operation on the way that is not known, or whose
        windows differ from unit to unit; paths to the layer that do not fit together; no such
        layer.

    References
    ----------
    Araujo, Norris, Sim 2019, Computing receptive fields of convolutional neural networks, Distill
    (eqs. 2 and 3).

    Examples
    --------
    >>> import keras, vizlib
    >>> model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(2, 3, name="first"),
    ...                           keras.layers.Conv2D(2, 3, strides=2, name="second")])
    >>> vizlib.receptive_field(model, "second", 8)
    ReceptiveField(size=(5, 5), stride=(2, 2), offset=(0, 0), whole=False)
    """
    sight = _sight_of(model, layer, check_size(input_size, "input_size"))
    name = "the last feature map" if layer is None else repr(getattr(layer, "name", layer))
    if sight is not None and sight.lost:
        raise ValueError(
            f"What the units of {name} see cannot be told: {sight.lost}. Choose an earlier layer."
        )
    if sight is None or sight.field is None or sight.flat:
        raise ValueError(
            f"The units of {name} have no place in the image"
            f"{f': {sight.whole} takes in all of it' if sight and sight.whole else ''}. "
            "Choose a layer that gives feature maps."
        )
    return ReceptiveField(*sight.field, whole=bool(sight.whole))


def field_or_none(
    model, layer: LayerLike | None, input_size: tuple[int, int]
) -> ReceptiveField | None:
    """As `receptive_field`, or None where the units have no place or it cannot be told.

    Behind a map that was resized and then cut only the middle of a window is right.

    Raises
    ------
    ValueError
        Units whose map was turned, mirrored or moved against the image.

    Examples
    --------
    >>> import keras
    >>> from vizlib import patches
    >>> model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(name="flat")])
    >>> patches.field_or_none(model, "flat", (8, 8)) is None
    True
    """
    sight = _sight_of(model, layer, input_size)
    known = sight is not None and sight.field is not None and not sight.flat
    if sight is not None and sight.moved and not known:
        raise ValueError(
            f"Where in the image the units of this layer lie cannot be told: {sight.lost}. Name "
            "a layer before that, or do it to the images outside the model."
        )
    if not known or (sight.lost and not sight.moved):  # resized only: an even grid
        return None
    return ReceptiveField(*sight.field, whole=bool(sight.whole or sight.lost))


def _sight_of(model, layer, size):
    """The sight of a layer's units; None if they do not depend on the images."""
    engine.check_model(model)
    given = engine.input_shape(model)
    channels = (given[3] if given else keras_internals.channels(model)) or 3
    engine.check_images(model, np.zeros((1, *size, channels), "float32"))
    run = engine.compiled(model, (*size, channels), layer=_or_last_map(layer)).run
    return sights(run, size).get(run.outputs[0].ref())


def _or_last_map(layer):
    return engine.Implied.LAST_MAP if layer is None else layer


# ---- mining --------------------------------------------------------------------------------------


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


def top_patches(
    model,
    data: Data,
    layer: LayerLike | None,
    *,
    channels: int | Sequence[int],
    k: int = 9,
    per_image: int = 1,
    batch_size: int = 32,
    progress: bool = False,
) -> Patches:
    """The k patches of a data set on which each channel is most active, in one pass.

    Parameters
    ----------
    model : keras.Model
        It needs no classifier: headless models and those of several outputs will do.
    data : array (N, H, W, C), `tf.data.Dataset` or iterable of batches, in model-input space
        Read once; memory does not grow with its length. Labels in it are left aside.
    layer : str, keras.Layer or None
        None: the last feature map, as in `grad_cam`.
    channels : int or sequence of int
    k : int
        Patches per channel.
    per_image : int
        At most so many from one image.
    batch_size : int
    progress : bool

    Returns
    -------
    Patches
        Of equally active patches the one of the earlier image comes first, then the one further up,
        then further left.

    Raises
    ------
    ValueError
        Bad data, images of several sizes, fewer images than k patches take, a channel that does not
        exist, or no such layer.

    References
    ----------
    Zeiler, Fergus 2014 (arXiv 1311.2901), figure 2.

    Examples
    --------
    >>> import keras, numpy as np, vizlib
    >>> model = keras.Sequential([keras.Input((4, 4, 1)),
    ...                           keras.layers.AveragePooling2D(2, name="mean")])
    >>> images = np.zeros((3, 4, 4, 1))
    >>> images[1, 2:, :2] = 1
    >>> found = vizlib.top_patches(model, images, "mean", channels=0, k=1)
    >>> found.image, found.box
    (array([[1]]), array([[[2, 0, 4, 2]]]))
    """
    channels = _channels(channels)
    check_whole(k, "k", 1)
    check_whole(per_image, "per_image", 1)
    best, seen, field, size = None, 0, None, None
    for batch, _ in engine.stream(model, data, batch_size=batch_size, progress=progress):
        maps = engine.forward(model, batch, _or_last_map(layer), batch_size=batch_size)
        engine.check_no_nan(model, maps)
        if best is None:
            size, field = batch.shape[1:3], _field(model, layer, maps, batch.shape[1:3])
            if channels.max() >= maps.shape[-1]:
                raise ValueError(
                    f"channels are numbers from 0 to {maps.shape[-1] - 1}, not {channels.tolist()}."
                )
        if batch.shape[1:3] != size:
            raise ValueError(
                f"The data holds images of {size} and of {batch.shape[1:3]}, and patches are cut "
                "from images of one size: fit them with photos.fit."
            )
        columns = maps.shape[2] if maps.ndim == 4 else 1
        flat = maps.reshape(len(maps), -1, maps.shape[-1])  # image, position, channel
        flat = flat[..., channels].transpose(2, 0, 1)
        found = []
        for _ in range(min(per_image, flat.shape[2])):
            position = flat.argmax(2)  # the first of equal ones
            value = np.take_along_axis(flat, position[..., None], 2)[..., 0]
            np.put_along_axis(flat, position[..., None], -np.inf, 2)
            image = np.broadcast_to(seen + np.arange(len(maps)), position.shape)
            position = np.stack([position // columns, position % columns], -1)
            box = field.box(*np.moveaxis(position, -1, 0))
            found.append(Patches(value, image, position, box, 0))
        best = _best([best, *found] if best else found, k)
        seen += len(maps)
    if best.value.shape[1] < k:
        raise ValueError(
            f"{k} patches with at most {per_image} an image take {-(-k // per_image)} images, and "
            f"the data holds {seen}: lower k."
        )
    return best._replace(seen=seen)


def merge(parts: list[Patches], *, k: int | None = None) -> Patches:
    """One result of several that were made of parts of a data set: exactly that of one pass.

    Parameters
    ----------
    parts : sequence of Patches
        In order, of the same channels and per_image; the images of a part are numbered after those
        of the parts before. A part of too few images for k patches holds all that it has,
        per_image from each image.
    k : int, optional
        Patches per channel; default: as many as the part with the most has.

    Returns
    -------
    Patches

    Raises
    ------
    ValueError
        No parts, or parts that differ in channels.
    ValueError
        A part of fewer than k patches that does not hold the same number from each of its images:
        it may lack some that one pass finds.
    ValueError
        A k that is no whole number, or more than the patches of all parts.

    Examples
    --------
    >>> import keras, numpy as np, vizlib
    >>> model = keras.Sequential([keras.Input((2, 2, 1)),
    ...                           keras.layers.AveragePooling2D(2, name="mean")])
    >>> images = np.arange(16).reshape(4, 2, 2, 1)
    >>> parts = [vizlib.top_patches(model, part, "mean", channels=0, k=2)
    ...          for part in (images[:2], images[2:])]
    >>> vizlib.patches.merge(parts).image
    array([[3, 2]])
    """
    parts = list(parts) if isinstance(parts, list | tuple) else [parts]
    for part in parts:
        _check_patches(part, "Parts to merge are a list of what top_patches returns")
        check_whole(part.seen, "seen", 1)
    if len({len(part.value) for part in parts}) != 1:
        raise ValueError("Parts to merge have the same channels; give at least one.")
    held = [part.value.shape[1] for part in parts]
    k = max(held) if k is None else k
    check_whole(k, "k", 1)
    for part, n in zip(parts, held):
        if n < k and not _from_each(part):
            raise ValueError(
                f"A part with {n} patches of {part.seen} images may lack some of the best {k}: "
                f"mine it with k={k}, or all parts with the same k."
            )
    if sum(held) < k:
        raise ValueError(f"The parts hold {sum(held)} patches a channel: lower k, which is {k}.")
    before = np.cumsum([0, *(part.seen for part in parts)])
    shifted = [part._replace(image=part.image + shift) for part, shift in zip(parts, before)]
    return _best(shifted, k)._replace(seen=int(before[-1]))


def crop(pictures: np.ndarray, found: Patches, *, fill: float = 127) -> np.ndarray:
    """The patches themselves, cut out exactly where the units see.

    Parameters
    ----------
    pictures : array, (N, H, W, C)
        The data, in order and of the size that was mined; or anything else of that size.
    found : Patches
    fill : number
        For what lies outside a picture.

    Returns
    -------
    ndarray, (channels, k, h, w, C)
        Of the pictures' type.

    Raises
    ------
    ValueError
        Pictures of another shape, fewer pictures than patches were found in, or a fill that is no
        number of their type.

    Examples
    --------
    >>> import keras, numpy as np, vizlib
    >>> model = keras.Sequential([keras.Input((4, 4, 1)),
    ...                           keras.layers.AveragePooling2D(2, name="mean")])
    >>> pictures = np.arange(16).reshape(1, 4, 4, 1)
    >>> found = vizlib.top_patches(model, pictures, "mean", channels=0, k=1)
    >>> vizlib.patches.crop(pictures, found)[0, 0, ..., 0]
    array([[10, 11],
           [14, 15]])
    """
    _check_patches(found, "found is what top_patches returns")
    pictures = as_array(pictures, "Pictures")
    if pictures.ndim != 4 or pictures.dtype.kind not in "iuf":
        raise ValueError(
            "Pictures have the shape (N, H, W, C) and hold numbers, not "
            f"{pictures.dtype} of shape {pictures.shape}."
        )
    if found.image.max() >= len(pictures):
        raise ValueError(
            f"A patch is of picture {found.image.max()}, and there are {len(pictures)}: give all "
            "pictures that were mined, in order."
        )
    limits = (np.finfo if pictures.dtype.kind == "f" else np.iinfo)(pictures.dtype)
    level = as_numbers(fill, "fill")
    if level.shape or not limits.min <= level <= limits.max:
        raise ValueError(
            f"fill is a number of the pictures' type, {pictures.dtype}, not "
            f"{quoted(level.tolist())}."
        )
    size = found.box[0, 0, 2:] - found.box[0, 0, :2]
    patches = np.full((*found.image.shape, *size, *pictures.shape[3:]), fill, pictures.dtype)
    for at in np.ndindex(found.image.shape):
        top, left, bottom, right = found.box[at]
        rows, columns = slice(max(top, 0), max(bottom, 0)), slice(max(left, 0), max(right, 0))
        inside = pictures[found.image[at], rows, columns]
        row, column = max(-top, 0), max(-left, 0)
        patches[at][row : row + inside.shape[0], column : column + inside.shape[1]] = inside
    return patches


def _channels(channels):
    """(channels,) whole numbers of at least 0."""
    try:
        found = np.atleast_1d(np.asarray(channels))
    except Exception:  # ragged lists, tensors of another library
        found = np.asarray(None)
    if found.ndim != 1 or not found.size or found.dtype.kind not in "iu" or found.min() < 0:
        raise ValueError(
            f"channels are a number or a list of numbers, from 0 on, not {quoted(channels)}."
        )
    return found


def _check_patches(found, what):
    """Raise unless it is a Patches whose arrays fit each other."""
    if not isinstance(found, Patches):
        raise ValueError(f"{what}, not {type(found).__name__}.")
    value, image, position, box = (as_array(array, "Patches") for array in found[:4])
    shapes = [array.shape for array in (image, position, box)]
    fit = value.ndim == 2 and shapes == [value.shape, (*value.shape, 2), (*value.shape, 4)]
    kinds = value.dtype.kind + image.dtype.kind + position.dtype.kind + box.dtype.kind
    if not (fit and value.size and kinds == "fiii" and image.min() >= 0):
        raise ValueError(f"{what}, with arrays of the shapes that stand in its documentation.")
    extents = (box[..., 2:] - box[..., :2]).reshape(-1, 2)
    if (extents != extents[0]).any() or extents.min() < 1:
        raise ValueError(f"{what}, with boxes of one size.")


def _from_each(part):
    """Whether a part holds equally many patches from each of its images: all that it can hold."""
    each = np.repeat(np.arange(part.seen), part.value.shape[1] // part.seen)
    return each.size > 0 and all(np.array_equal(each, np.sort(row)) for row in part.image)


def _field(model, layer, maps, size):
    """Where units of a layer see; all of the image where that is so, or cannot be told."""
    field = field_or_none(model, layer, size) if maps.ndim == 4 else None
    if field is None or field.whole:
        return ReceptiveField(tuple(size), (0, 0), (0, 0), whole=True)
    return field


def _best(parts, k):
    """The k best of several results: by value, then by the number of the image, by position."""
    value, image, position, box = (np.concatenate([part[i] for part in parts], 1) for i in range(4))
    order = np.lexsort((position[..., 1], position[..., 0], image, -value))[:, :k]
    found = (
        np.take_along_axis(array, order.reshape(*order.shape, *[1] * (array.ndim - 2)), 1)
        for array in (value, image, position, box)
    )
    return Patches(*found, 0)

"""What does a unit detect? Its strongest activations against masks of things that have names."""

from typing import NamedTuple

import numpy as np

from . import engine
from ._checks import as_array, as_numbers, check_whole, quoted
from .class_maps import upsample
from .patches import ReceptiveField, field_or_none
from .types import Images, LayerLike

NAMES = 4095  # as many as counts of all units, names and shuffles fit into memory


class Dissection(NamedTuple):
    """How well each name explains each unit of a layer; column p stands for label p + 1.

    Attributes
    ----------
    iou : ndarray, (C, P)
        Pixels where the unit is strong and the label is p + 1, over pixels where either holds.
    precision : ndarray, (C, P)
        Of the pixels where the unit is strong, the share with that label; NaN for a unit that is
        nowhere strong.
    chance : ndarray, (C,)
        The largest IoU of any label in any shuffle: what a unit gets that does not look at the
        pictures.
    """

    iou: np.ndarray
    precision: np.ndarray
    chance: np.ndarray


def dissect(
    model,
    images: Images,
    layer: LayerLike | None,
    labels: np.ndarray,
    *,
    share: float = 0.005,
    shuffles: int = 19,
    seed: int = 0,
    batch_size: int = 16,
) -> Dissection:
    """Compare where each unit of a layer is strong with where things are.

    A unit is strong where its map, enlarged to the labels' size, is above the level that only
    `share` of the map's positions in all images exceed. Chance comes from giving each image the
    labels of another one, which keeps where in an image things tend to be, and how large they are:
    a unit beats all of 19 shuffles by luck once in twenty times.

    Parameters
    ----------
    model : keras.Model
        It needs no classifier: headless models and those of several outputs will do.
    images : array, (N, H, W, C), in model-input space
    layer : str, keras.Layer or None
        One that gives feature maps; None: the last of them, as in `grad_cam`.
    labels : array, (N, h, w), int
        What each pixel shows: 1, 2, ..., up to 4095, and 0 for nothing that has a name. They may be
        coarser than the images.
    share : float
        In 0..1. A name whose pixels are much fewer or many more than that cannot reach a large IoU.
    shuffles, seed : int
    batch_size : int

    Returns
    -------
    Dissection
        Positions that tie with the level are not strong, so a unit that is constant is nowhere
        strong.

    Raises
    ------
    ValueError
        Bad images, labels that do not fit them, a share, seed or number of shuffles that makes no
        sense, or a layer without maps.

    References
    ----------
    Bau, Zhou, Khosla, Oliva, Torralba 2017 (arXiv 1704.05796), section 2.2: there a unit is a
    detector from an IoU of 0.04.

    Examples
    --------
    A layer that copies the image, which is bright where the label is 1:

    >>> import keras, numpy as np
    >>> from vizlib import dissection
    >>> model = keras.Sequential([keras.Input((4, 4, 1)),
    ...                           keras.layers.AveragePooling2D(1, name="copy")])
    >>> labels = np.zeros((2, 4, 4), int)
    >>> labels[0, 1, 1:3] = 1
    >>> dissection.dissect(model, labels[..., None] / 2, "copy", labels, share=1 / 16).iou
    array([[1.]])
    """
    images, labels = engine.check_images(model, images), as_array(labels, "labels")
    if (
        labels.ndim != 3
        or len(labels) != len(images)
        or labels.dtype.kind not in "iu"
        or not labels.any()
        or labels.min() < 0
    ):
        raise ValueError(
            "labels are whole numbers (N, h, w), 0 for nothing and 1, 2, ... for names, one map "
            f"for each of the {len(images)} images; not {labels.dtype} of shape {labels.shape}."
        )
    if labels.max() > NAMES:
        raise ValueError(
            f"labels go up to {NAMES}, not {labels.max()}: number the names 1, 2, ..., as "
            "np.unique does."
        )
    wanted = as_numbers(share, "share")
    if wanted.shape or not 0 < wanted < 1:
        raise ValueError(f"share lies between 0 and 1, not {quoted(wanted.tolist())}.")
    engine.check_count(shuffles, "shuffles")
    check_whole(seed, "seed")
    engine.check_count(batch_size, "batch_size")
    rng, labels = np.random.default_rng(seed), labels.astype("int32", copy=False)
    orders = [np.arange(len(labels)), *(rng.permutation(len(labels)) for _ in range(shuffles))]

    at = engine.Implied.LAST_MAP if layer is None else layer

    def batches():  # twice, for the level and for what exceeds it: so memory does not grow with N
        for i in range(0, len(images), batch_size):
            maps = engine.forward(model, images[i : i + batch_size], at, batch_size=batch_size)
            if maps.ndim != 4:
                raise ValueError(
                    f"{getattr(layer, 'name', layer)!r} gives no feature maps: choose a "
                    "convolutional layer."
                )
            yield i, maps

    top = None
    for _, maps in batches():
        values = maps.transpose(3, 0, 1, 2).reshape(maps.shape[-1], -1)
        count = max(1, round(share * len(images) * values.shape[1] / len(maps)))
        values = values if top is None else np.concatenate([top, values], 1)
        top = np.partition(values, -min(count + 1, values.shape[1]), 1)[:, -count - 1 :]
    level, units, names = top.min(1), top.shape[0], int(labels.max())

    field = _in_labels(field_or_none(model, layer, images.shape[1:3]), images, labels)
    strong, both = np.zeros(units, int), np.zeros((len(orders), units * (names + 1)), int)
    for i, maps in batches():
        large = upsample(maps, labels.shape[1:], field=field)
        picture, row, column, unit = np.nonzero(large > level)
        strong += np.bincount(unit, minlength=units)
        for counts, order in zip(both, orders):
            shown = labels[order[i + picture], row, column]
            counts += np.bincount(unit * (names + 1) + shown, minlength=counts.size)
    both = both.reshape(len(orders), units, -1)[..., 1:]
    area = np.bincount(labels.ravel(), minlength=names + 1)[1:]
    iou = both / np.maximum(strong[:, None] + area - both, 1)
    return Dissection(
        iou[0], both[0] / np.where(strong, strong, np.nan)[:, None], iou[1:].max((0, 2))
    )


def _in_labels(field, images, labels):
    """A receptive field in pixels of the labels instead of the images'."""
    if field is None:
        return None
    scales = [label / image for label, image in zip(labels.shape[1:], images.shape[1:])]
    return ReceptiveField(*(tuple(n * s for n, s in zip(pair, scales)) for pair in field[:3]))

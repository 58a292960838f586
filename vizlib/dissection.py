"""What does a unit detect? Its strongest activations against masks of things that have names."""

from typing import NamedTuple

import numpy as np

from . import graph
from .class_maps import upsample


class Dissection(NamedTuple):
    """How well each name explains each unit of a layer; column p stands for label p + 1.

    Attributes
    ----------
    iou : ndarray, (C, P)
        Pixels where the unit is strong and the label is p + 1, over pixels where either holds.
    precision : ndarray, (C, P)
        Of the pixels where the unit is strong, the share with that label; NaN for a unit that is nowhere strong.
    chance : ndarray, (C,)
        The largest IoU of any label in any shuffle: what a unit gets that does not look at the pictures.
    """

    iou: np.ndarray
    precision: np.ndarray
    chance: np.ndarray


def dissect(model, images, layer, labels, *, share=0.005, shuffles=19, seed=0, batch_size=16):
    """Compare where each unit of a layer is strong with where things are.

    A unit is strong where its map, enlarged to the labels' size, is above the level that only `share` of the map's places in
    all pictures exceed. Chance comes from giving each picture the labels of another one, which keeps where in a picture things
    tend to be, and how large they are: a unit beats all of 19 shuffles by luck once in twenty times.

    Parameters
    ----------
    model : keras.Model
    images : array, (N, H, W, C), in model-input space
    layer : str or keras.Layer
        One that gives feature maps.
    labels : array, (N, h, w), int
        What each pixel shows: 1, 2, ... and 0 for nothing that has a name. They may be coarser than the pictures.
    share : float
        In 0..1. A name whose pixels are much fewer or many more than that cannot reach a large IoU.
    shuffles, seed : int
    batch_size : int

    Returns
    -------
    Dissection
        Places that tie with the level are not strong, so a unit that is constant is nowhere strong.

    Raises
    ------
    ValueError
        Bad pictures, labels that do not fit them, a share or number of shuffles that makes no sense, or a layer without maps.

    References
    ----------
    Bau, Zhou, Khosla, Oliva, Torralba 2017 (arXiv 1704.05796), section 2.2: there a unit is a detector from an IoU of 0.04.
    """
    images, labels = graph.check_images(model, images), np.asarray(labels)
    if (
        labels.ndim != 3
        or len(labels) != len(images)
        or labels.dtype.kind not in "iu"
        or labels.min() < 0
        or not labels.any()
    ):
        raise ValueError(
            f"labels are whole numbers (N, h, w), 0 for nothing and 1, 2, ... for names, one map for each of the {len(images)} "
            f"pictures; not {labels.dtype} of shape {labels.shape}."
        )
    if not 0 < share < 1:
        raise ValueError(f"share lies between 0 and 1, not {share!r}.")
    graph.check_count(shuffles, "shuffles")
    graph.check_count(batch_size, "batch_size")
    rng, labels = np.random.default_rng(seed), labels.astype("int32", copy=False)
    orders = [np.arange(len(labels)), *(rng.permutation(len(labels)) for _ in range(shuffles))]

    def batches():  # run twice, for the level and for what exceeds it, so that memory does not grow with N
        for i in range(0, len(images), batch_size):
            (maps,) = graph.forward(model, images[i : i + batch_size], layer, batch_size=batch_size)
            if maps.ndim != 4:
                raise ValueError(
                    f"{getattr(layer, 'name', layer)!r} gives no feature maps: choose a convolutional layer."
                )
            yield i, maps

    top = None
    for _, maps in batches():
        values = maps.transpose(3, 0, 1, 2).reshape(maps.shape[-1], -1)
        count = max(1, round(share * len(images) * values.shape[1] / len(maps)))
        values = values if top is None else np.concatenate([top, values], 1)
        top = np.partition(values, -min(count + 1, values.shape[1]), 1)[:, -count - 1 :]
    level, units, names = top.min(1), len(top), int(labels.max())

    strong, both = np.zeros(units, int), np.zeros((len(orders), units * (names + 1)), int)
    for i, maps in batches():
        picture, row, column, unit = np.nonzero(upsample(maps, labels.shape[1:]) > level)
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

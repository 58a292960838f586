"""Is a map right? Grades against masks that say where the thing is, against the network's own answers, and against one that has forgotten."""

from typing import NamedTuple

import numpy as np
from scipy.stats import rankdata
from skimage.metrics import structural_similarity
from skimage.transform import downscale_local_mean

from . import graph
from .class_maps import upsample
from .models import inner_layers


def mass_inside(maps, masks):
    """How much of a map's mass falls inside a mask, for the mask's size.

    Parameters
    ----------
    maps : array, (N, h, w) or (N, h, w, C)
        Negative values count as 0; several channels are reduced by the largest absolute value.
    masks : array, (N, H, W), bool
        Averaged down to the map's places; H and W are multiples of h and w.

    Returns
    -------
    ndarray, (N,)
        Share of the mass inside over share of the area: 1 is chance, 0 is nothing inside. NaN for an all-zero map or an empty
        mask.

    Raises
    ------
    ValueError
        Maps and masks that do not fit together.
    """
    maps, masks = _fitted(maps, masks)
    area = masks.mean((1, 2))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(area > 0, (maps * masks).sum((1, 2)) / maps.sum((1, 2)) / area, np.nan)


def pointing_game(maps, masks, *, tolerance=0):
    """Whether a map is largest inside the mask.

    Parameters
    ----------
    maps, masks : arrays
        As in `mass_inside`. A place of a coarse map is inside if half of it is.
    tolerance : int
        A place that is at most so many rows and columns off is still a hit.

    Returns
    -------
    ndarray, (N,)
        1 for a hit, 0 for a miss, NaN for an all-zero map. Of equal maxima the share that hits counts.

    Raises
    ------
    ValueError
        Maps and masks that do not fit together.

    References
    ----------
    Zhang, Lin, Brandt, Shen, Sclaroff 2016 (arXiv 1608.00507), section 4.1: there with a tolerance of 15 pixels.
    """
    maps, masks = _fitted(maps, masks)
    if not isinstance(tolerance, int | np.integer) or tolerance < 0:
        raise ValueError(f"tolerance is a whole number of places, 0 or more, not {tolerance!r}.")
    hits = np.full(len(maps), np.nan)
    for i in np.flatnonzero(maps.any((1, 2))):
        inside = np.argwhere(masks[i] >= 0.5)
        tops = np.argwhere(maps[i] == maps[i].max())
        off = np.abs(tops[:, None] - inside[None]).max(-1)
        hits[i] = (off <= tolerance).any(1).mean()
    return hits


def _fitted(maps, masks):
    """Maps (N, h, w) without negative values, and for each of their places the share that is inside."""
    maps, masks = np.asarray(maps, float), np.asarray(masks)
    maps = np.abs(maps).max(-1) if maps.ndim == 4 else np.maximum(maps, 0)
    if maps.ndim != 3 or masks.ndim != 3 or len(maps) != len(masks) or masks.dtype != bool:
        raise ValueError(
            f"Give maps (N, h, w) or (N, h, w, C) and as many masks (N, H, W) of true and false, not {maps.shape} and "
            f"{masks.shape} of {masks.dtype}."
        )
    if not np.isfinite(maps).all():
        raise ValueError("The maps hold NaN or infinite values: look where they were made.")
    times = [big // small for big, small in zip(masks.shape[1:], maps.shape[1:])]
    if [t * small for t, small in zip(times, maps.shape[1:])] != list(masks.shape[1:]):
        raise ValueError(
            f"Masks of {masks.shape[1:]} are no multiple of maps of {maps.shape[1:]}: resize the maps first."
        )
    return maps, downscale_local_mean(masks.astype(float), (1, *times))


class Curve(NamedTuple):
    """What the network says while a picture goes, pixel by pixel, or comes.

    Attributes
    ----------
    scores : ndarray, (N, steps + 1)
        Of the class, from the start to the end.
    share : ndarray, (steps + 1,)
        Of the pixels that have gone, or come: from 0 to 1.
    """

    scores: np.ndarray
    share: np.ndarray

    def area(self):
        """(N,): the area under each curve, by trapezoids: the mean score on the way."""
        return np.trapezoid(self.scores, self.share)


def deletion(
    model,
    images,
    maps,
    target=None,
    *,
    steps=25,
    fill="mean",
    score="probability",
    batch_size=32,
    progress=False,
):
    """The score of a class while a picture's pixels go, those first that a map calls important: a good map's area is small.

    Parameters
    ----------
    model : keras.Model
    images : array, (N, H, W, C), in model-input space
    maps : array, (N, h, w) or (N, h, w, C)
        Smaller ones are enlarged by `upsample`; several channels are reduced by the largest absolute value. Only the order of the
        pixels counts, with the signs: negative ones go last. Equal ones go row by row from the top left.
    target : None, int, (N,) ints or callable
        The class (None: the arg-max of each whole picture), or a function from logits (N, K) to scores (N,).
    steps : int
        Of equally many pixels, or one more.
    fill : "mean", "blur", a number, (C,) or (H, W, C)
        What takes their place, in model-input space. "mean": each picture's own mean pixel; "blur": the picture behind a
        Gaussian of a tenth of its height and width.
    score : {"probability", "logit"}
    batch_size : int
        Changed pictures at a time.
    progress : bool

    Returns
    -------
    Curve

    Raises
    ------
    ValueError
        Bad pictures, target, steps or fill; maps that do not fit the pictures or hold NaN.

    Notes
    -----
    A picture with holes is like nothing the network has seen, so a curve judges the fill as well as the map: compare maps by the
    same fill, and with an order that knows nothing (Hooker and others 2019, arXiv 1806.10758).

    References
    ----------
    Petsiuk, Das, Saenko 2018 (arXiv 1806.07421), "causal metrics".
    """
    return _curve(
        model, images, maps, target, steps, fill, score, batch_size, progress, coming=False
    )


def insertion(
    model,
    images,
    maps,
    target=None,
    *,
    steps=25,
    fill="blur",
    score="probability",
    batch_size=32,
    progress=False,
):
    """The score of a class while the pixels of a picture come, those first that a map calls important: a good map's area is large.

    Parameters
    ----------
    model, images, maps, target, steps, score, batch_size, progress
        As in `deletion`.
    fill : "blur", "mean", a number, (C,) or (H, W, C)
        What they replace. A blurred picture has no sharp edges for the network to take for something.

    Returns
    -------
    Curve

    Raises
    ------
    ValueError
        As `deletion`.

    References
    ----------
    Petsiuk, Das, Saenko 2018 (arXiv 1806.07421), "causal metrics".
    """
    return _curve(
        model, images, maps, target, steps, fill, score, batch_size, progress, coming=True
    )


def _curve(model, images, maps, target, steps, fill, score, batch_size, progress, *, coming):
    images, maps = graph.check_images(model, images), np.asarray(maps, float)
    for value, name in ((steps, "steps"), (batch_size, "batch_size")):
        graph.check_count(value, name)
    maps = np.abs(maps).max(-1) if maps.ndim == 4 else maps
    height, width = images.shape[1:3]
    if (
        maps.ndim != 3
        or len(maps) != len(images)
        or maps.shape[1] > height
        or maps.shape[2] > width
    ):
        raise ValueError(
            f"Give maps (N, h, w) or (N, h, w, C), one for each of the {len(images)} pictures and no larger than {height} x {width}, "
            f"not {maps.shape}."
        )
    if not np.isfinite(maps).all():
        raise ValueError("The maps hold NaN or infinite values: look where they were made.")
    target = graph.wanted(model, images, target, batch_size=batch_size)
    maps = maps if maps.shape[1:] == (height, width) else upsample(maps, (height, width))
    counts = np.rint(np.linspace(0, height * width, steps + 1)).astype(int)
    parts = np.split(counts, range(batch_size, steps + 1, batch_size))
    scores = []
    for i, count in graph.bar(
        ((i, part) for i in range(len(images)) for part in parts),
        progress,
        len(images) * len(parts),
    ):
        turn = np.empty(height * width, int)
        turn[np.argsort(-maps[i].ravel(), kind="stable")] = np.arange(height * width)
        changed = turn.reshape(height, width, 1) < count[:, None, None, None]
        cover = graph.cover(images[i], fill, [height / 10, width / 10])
        said = graph.forward(
            model, np.where(changed == coming, images[i], cover), batch_size=batch_size
        )
        scores.append(graph.score(*said, target if callable(target) else target[i], score))
    return Curve(np.concatenate(scores).reshape(len(images), -1), counts / (height * width))


class Randomization(NamedTuple):
    """What a method shows of a network that forgets, layer by layer, what it learned.

    Attributes
    ----------
    layers : tuple of str
        The layers that were made new, from the output down.
    original : ndarray, (N, ...)
        The maps of the trained network.
    maps : ndarray, (layers, N, ...)
        The maps after each layer: with this one and all above it made new, or only this one.
    """

    layers: tuple
    original: np.ndarray
    maps: np.ndarray


def randomization(method, model, images, *, cascading=True, seed=0, progress=False):
    """Does a map depend on what the network has learned? Make layers new, and look what becomes of it.

    Each layer draws new weights from its own initializers. The model's weights change while this runs, and are put back in any case.

    Parameters
    ----------
    method : callable
        From (model, images) to maps (N, ...), with the class fixed: another arg-max would change a map, too.
    model : keras.Model
    images : array, (N, H, W, C), in model-input space
    cascading : bool
        Make new each layer and all above it; otherwise one layer at a time.
    seed : int
        Of the new weights.
    progress : bool

    Returns
    -------
    Randomization

    Raises
    ------
    ValueError
        A model without weights, weights outside the innermost layers, or a layer that its config does not describe.

    References
    ----------
    Adebayo, Gilmer, Muelly, Goodfellow, Hardt, Kim 2018 (arXiv 1810.03292), section 3.
    """
    layers = [layer for layer in inner_layers(model) if layer.weights and not inner_layers(layer)][
        ::-1
    ]
    if not layers:
        raise ValueError(f"{model.name!r} has no weights that could be made new.")
    if stray := {w.path for w in model.weights} - {
        w.path for layer in layers for w in layer.weights
    }:
        raise ValueError(
            f"These weights would stay as they are: {', '.join(sorted(stray))}. Give them a layer of their own."
        )
    rng = np.random.default_rng(seed)
    original, trained, maps = method(model, images), model.get_weights(), []
    try:
        for layer in graph.bar(layers, progress):
            if not cascading:
                model.set_weights(trained)
            layer.set_weights(_untrained(layer, rng))
            maps.append(method(model, images))
    finally:
        model.set_weights(trained)
    return Randomization(tuple(layer.name for layer in layers), original, np.stack(maps))


def _untrained(layer, rng):
    """Weights as a layer of this kind has them before training."""
    try:
        config = layer.get_config()
        for value in config.values():
            if (
                isinstance(value, dict)
                and isinstance(value.get("config"), dict)
                and "seed" in value["config"]
            ):
                value["config"]["seed"] = int(
                    rng.integers(2**31)
                )  # an initializer; without a seed it would draw from a global one
        new = type(layer).from_config(config)
        new.build_from_config(layer.get_build_config())
    except (TypeError, NotImplementedError) as error:
        raise ValueError(
            f"Layer {layer.name!r} cannot be made new: give its class a get_config that says how it was made."
        ) from error
    return new.get_weights()


def rank_correlation(maps, others):
    """Spearman's rank correlation of two maps, place by place.

    Parameters
    ----------
    maps, others : arrays, (N, h, w) or (N, h, w, C)
        Several channels are reduced by the largest absolute value; signs count in maps without channels.

    Returns
    -------
    ndarray, (N,)
        1: the same order of places; 0: none in common. NaN where a map is constant.

    Raises
    ------
    ValueError
        Maps of different shapes.
    """
    a, b = (rankdata(m.reshape(len(m), -1), axis=1) for m in _pair(maps, others))
    a, b = (r - r.mean(1, keepdims=True) for r in (a, b))
    with np.errstate(invalid="ignore", divide="ignore"):
        return (a * b).sum(1) / np.sqrt((a**2).sum(1) * (b**2).sum(1))


def similarity(maps, others):
    """SSIM: how alike two maps look, each scaled by its own largest value.

    Parameters
    ----------
    maps, others : arrays, (N, h, w) or (N, h, w, C)
        Several channels are reduced by the largest absolute value; maps without channels are at least 0.

    Returns
    -------
    ndarray, (N,)
        1: the same. NaN for an all-zero map.

    Raises
    ------
    ValueError
        Maps of different shapes, smaller than 7 x 7, or with negative values: SSIM finds a map and its opposite alike.

    References
    ----------
    Wang, Bovik, Sheikh, Simoncelli 2004, Image quality assessment, IEEE TIP 13(4).
    """
    maps, others = _pair(maps, others)
    if min(maps.min(), others.min()) < 0:
        raise ValueError(
            "Similarity is for maps without negative values: give np.abs(maps), or their positive part."
        )
    with np.errstate(invalid="ignore", divide="ignore"):
        a, b = (m / m.max((1, 2), keepdims=True) for m in (maps, others))
    return np.array([structural_similarity(x, y, data_range=1) for x, y in zip(a, b)])


def _pair(maps, others):
    """Two arrays of maps, (N, h, w)."""
    if np.shape(maps) != np.shape(others) or np.ndim(maps) not in (3, 4):
        raise ValueError(
            f"Give two arrays of maps of one shape, (N, h, w) or (N, h, w, C), not {np.shape(maps)} and {np.shape(others)}."
        )
    return (np.abs(m).max(-1) if np.ndim(m) == 4 else np.asarray(m, float) for m in (maps, others))

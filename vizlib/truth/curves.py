"""Does a map know what the network needs? Curves of a score while pixels go, or come."""

from typing import NamedTuple

import numpy as np

from .. import engine
from .._checks import as_numbers
from ..class_maps import upsample
from ..types import Images, Maps, Score, Target


class Curve(NamedTuple):
    """The score of an image while it goes, pixel by pixel, or comes.

    Attributes
    ----------
    scores : ndarray, (N, steps + 1)
        Of the class, from the start to the end.
    share : ndarray, (steps + 1,)
        Of the pixels that have gone, or come: from 0 to 1.
    """

    scores: np.ndarray
    share: np.ndarray

    def area(self) -> np.ndarray:
        """(N,): the area under each curve, by trapezoids: the mean score on the way."""
        return np.trapezoid(self.scores, self.share)


def deletion(
    model,
    images: Images,
    maps: Maps,
    target: Target = None,
    *,
    steps: int = 25,
    fill: str | float | np.ndarray = "mean",
    score: Score = "logit",
    batch_size: int = 32,
    progress: bool = False,
) -> Curve:
    """The score of a class while the pixels go, those first that a map calls important.

    The area under the curve of a good map is small.

    Parameters
    ----------
    model : keras.Model
    images : array, (N, H, W, C), in model-input space
    maps : array, (N, h, w) or (N, h, w, C)
        Smaller ones are enlarged by `upsample`; several channels are reduced by the largest
        absolute value. Only the order of the pixels counts, with the signs: negative ones go last.
        Equal ones go row by row from the top left.
    target : None, int, (N,) ints or callable
        The class (None: the arg-max of each whole image), or a function from logits (N, K) to
        scores (N,).
    steps : int
        Of equally many pixels, or one more.
    fill : "mean", "blur", a number, (C,) or (H, W, C)
        The fill value, in model-input space. "mean": each image's own mean pixel; "blur": the image
        behind a Gaussian of a tenth of its height and width.
    score : {"logit", "probability", "output"}
    batch_size : int
        Changed images at a time.
    progress : bool

    Returns
    -------
    Curve

    Raises
    ------
    ValueError
        Bad images, target, fill value or score.
    ValueError
        Maps that are no finite real numbers, not one for each image, or larger than the images.
    ValueError
        A number of steps, or a batch size, that is no whole number of at least 1.

    Notes
    -----
    An image with holes is like nothing the network has seen, so a curve judges the fill value as
    well as the map: compare maps by the same one, and with an order that knows nothing (Hooker and
    others 2019, arXiv 1806.10758).

    References
    ----------
    Petsiuk, Das, Saenko 2018 (arXiv 1806.07421), "causal metrics".

    Examples
    --------
    >>> import keras, numpy as np, vizlib
    >>> model = keras.Sequential([keras.Input((1, 2, 1)), keras.layers.Flatten(),
    ...     keras.layers.Dense(2, kernel_initializer="identity")])  # a class for each pixel
    >>> images, maps = np.array([[[[3.0], [5.0]]]]), np.array([[[1.0, 0.0]]])
    >>> vizlib.truth.deletion(model, images, maps, 0, steps=2, fill=0.0)
    Curve(scores=array([[3., 0., 0.]], dtype=float32), share=array([0. , 0.5, 1. ]))
    """
    return _curve(
        model, images, maps, target, steps, fill, score, batch_size, progress, coming=False
    )


def insertion(
    model,
    images: Images,
    maps: Maps,
    target: Target = None,
    *,
    steps: int = 25,
    fill: str | float | np.ndarray = "blur",
    score: Score = "logit",
    batch_size: int = 32,
    progress: bool = False,
) -> Curve:
    """The score of a class while the pixels come, those first that a map calls important.

    The area under the curve of a good map is large.

    Parameters
    ----------
    model, images, maps, target, steps, score, batch_size, progress
        As in `deletion`.
    fill : "blur", "mean", a number, (C,) or (H, W, C)
        What they replace. A blurred image has no sharp edges for the network to take for something.

    Returns
    -------
    Curve

    Raises
    ------
    ValueError
        What `deletion` refuses.

    References
    ----------
    Petsiuk, Das, Saenko 2018 (arXiv 1806.07421), "causal metrics".

    Examples
    --------
    >>> import keras, numpy as np, vizlib
    >>> model = keras.Sequential([keras.Input((1, 2, 1)), keras.layers.Flatten(),
    ...     keras.layers.Dense(2, kernel_initializer="identity")])  # a class for each pixel
    >>> images, maps = np.array([[[[3.0], [5.0]]]]), np.array([[[1.0, 0.0]]])
    >>> curve = vizlib.truth.insertion(model, images, maps, 0, steps=2, fill=0.0)
    >>> curve.scores, curve.area()
    (array([[0., 3., 3.]], dtype=float32), array([2.25]))
    """
    return _curve(
        model, images, maps, target, steps, fill, score, batch_size, progress, coming=True
    )


def _curve(model, images, maps, target, steps, fill, score, batch_size, progress, *, coming):
    images, maps = engine.check_images(model, images), as_numbers(maps, "The maps")
    for value, name in ((steps, "steps"), (batch_size, "batch_size")):
        engine.check_count(value, name)
    size = height, width = images.shape[1:3]
    if (
        maps.ndim not in (3, 4)
        or len(maps) != len(images)
        or 0 in maps.shape
        or any(small > large for small, large in zip(maps.shape[1:3], size))
    ):
        raise ValueError(
            f"Give maps (N, h, w) or (N, h, w, C), one for each of the {len(images)} images and no "
            f"larger than {height} x {width}, not {maps.shape}."
        )
    maps = np.abs(maps).max(-1) if maps.ndim == 4 else maps
    target = engine.resolve(model, images, target, score=score, batch_size=batch_size)
    if maps.shape[1:] != size:
        largest = np.abs(maps).max()  # only the order counts, and float32 must hold the maps
        maps = upsample(maps / largest if largest > 1e30 else maps, size)
    counts = np.rint(np.linspace(0, height * width, steps + 1)).astype(int)
    parts = np.split(counts, range(batch_size, steps + 1, batch_size))
    scores = []
    for i, count in engine.bar(
        ((i, part) for i in range(len(images)) for part in parts),
        progress,
        len(images) * len(parts),
    ):
        turn = np.empty(height * width, int)
        turn[np.argsort(-maps[i].ravel(), kind="stable")] = np.arange(height * width)
        changed = turn.reshape(height, width, 1) < count[:, None, None, None]
        cover = engine.cover(model, images[i], fill, [height / 10, width / 10])
        batch = np.where(changed == coming, images[i], cover)
        said = engine.forward(model, batch, score=score, target=target, batch_size=batch_size)
        scores.append(engine.pick(said, target if callable(target) else target[i], score))
    return Curve(np.concatenate(scores).reshape(len(images), -1), counts / (height * width))

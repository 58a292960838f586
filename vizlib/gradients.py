"""Which pixels matter: gradients of a score, and two ways to average them."""

from itertools import islice

import numpy as np

from . import engine
from ._checks import as_singles, check_whole, quoted
from .types import Fill, Images, LayerLike, Score, Target, Unit


def gradient(
    model,
    images: Images,
    target: Target = None,
    *,
    relu: str = "plain",
    layer: LayerLike | None = None,
    unit: Unit | None = None,
    score: Score = "logit",
    batch_size: int = 32,
) -> np.ndarray:
    """The gradient of a class score, or of one unit's activation, with respect to the pixels.

    Parameters
    ----------
    model : keras.Model
    images : array, (N, H, W, C), in model-input space
    target : None, int, (N,) ints or callable
        The class (None: each image's arg-max), or a function from logits (N, K) to scores (N,). It
        takes the output instead, of any shape, where a model has no logits, and the output of
        `layer` where one is named.
    relu : {"plain", "guided", "deconvnet"}
        What a ReLU does to the signal on its way back; only "plain" gives a gradient in the sense
        of calculus.
    layer, unit : str, int or (row, column, channel)
        Instead of a class, a unit of this layer; an int is a channel, taken where it is largest in
        each image.
    score : {"logit", "probability", "output"}
    batch_size : int

    Returns
    -------
    ndarray, (N, H, W, C)
        Signed, in units of the score per unit of model input, in the model's channel order.

    Raises
    ------
    ValueError
        Bad images; an unknown layer, class or unit; a network for which the ReLU rule is not
        defined; a model that has no such score.

    References
    ----------
    Simonyan, Vedaldi, Zisserman 2014 (arXiv 1312.6034), section 3.

    Examples
    --------
    A linear network has its weights for a gradient.

    >>> import keras, numpy as np, vizlib
    >>> model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten(),
    ...                           keras.layers.Dense(2)])
    >>> model.set_weights([np.array([[0, 1], [0, 2], [0, 3], [0, -4]]), np.zeros(2)])
    >>> vizlib.gradient(model, np.ones((1, 2, 2, 1)), 1)[0, :, :, 0]
    array([[ 1.,  2.],
           [ 3., -4.]], dtype=float32)
    """
    return engine.backward(
        model,
        images,
        target,
        relu=relu,
        layer=layer,
        unit=unit,
        score=score,
        batch_size=batch_size,
    )[0]


def saliency(
    model,
    images: Images,
    target: Target = None,
    *,
    layer: LayerLike | None = None,
    unit: Unit | None = None,
    score: Score = "logit",
    batch_size: int = 32,
) -> np.ndarray:
    """How much a small change of each pixel can change the score: its largest absolute gradient.

    Parameters
    ----------
    model, images, target, layer, unit, score, batch_size
        As in `gradient`.

    Returns
    -------
    ndarray, (N, H, W)
        The maximum over the channels; at least 0, in units of the score per unit of model input.

    Raises
    ------
    ValueError
        As `gradient`.

    References
    ----------
    Simonyan, Vedaldi, Zisserman 2014 (arXiv 1312.6034), section 3.1.

    Examples
    --------
    >>> import keras, numpy as np, vizlib
    >>> model = keras.Sequential([keras.Input((1, 1, 3)), keras.layers.Flatten(),
    ...                           keras.layers.Dense(2)])
    >>> model.set_weights([np.array([[0, 1], [0, 2], [0, -4]]), np.zeros(2)])
    >>> vizlib.saliency(model, np.ones((1, 1, 1, 3)), 1)
    array([[[4.]]], dtype=float32)
    """
    signed = gradient(
        model, images, target, layer=layer, unit=unit, score=score, batch_size=batch_size
    )
    return np.abs(signed).max(-1)


def smoothgrad(
    model,
    images: Images,
    target: Target = None,
    *,
    samples: int = 50,
    noise: float = 0.15,
    seed: int = 0,
    score: Score = "logit",
    batch_size: int = 32,
    progress: bool = False,
) -> np.ndarray:
    """The mean gradient over noisy copies of each image.

    Parameters
    ----------
    model, images, target, score
        As in `gradient`; target None is the arg-max of the image without noise.
    samples : int
        Copies of each image. Each draw of noise is taken with both signs: what is linear in it
        cancels.
    noise : float
        Standard deviation of the noise, as a share of the image's largest minus its smallest value.
        Look whether the network still recognizes copies: not every network does at 0.15.
    seed : int
        The same noise for every image.
    batch_size : int
        Copies at a time.
    progress : bool

    Returns
    -------
    ndarray, (N, H, W, C)
        Signed, as `gradient`.

    Raises
    ------
    ValueError
        As `gradient`; fewer than one sample, negative noise, a seed that is no whole number.

    References
    ----------
    Smilkov, Thorat, Kim, Viégas, Wattenberg 2017 (arXiv 1706.03825): defined in section 2.2, noise
    and samples in section 3.2.

    Examples
    --------
    The gradient of a linear network is the same everywhere, so noise changes nothing.

    >>> import keras, numpy as np, vizlib
    >>> model = keras.Sequential([keras.Input((1, 2, 1)), keras.layers.Flatten(),
    ...                           keras.layers.Dense(2)])
    >>> model.set_weights([np.array([[0, 1], [0, -2]]), np.zeros(2)])
    >>> vizlib.smoothgrad(model, np.ones((1, 1, 2, 1)), 1, samples=4).ravel()
    array([ 1., -2.], dtype=float32)
    """
    engine.check_count(samples, "samples")
    engine.check_count(batch_size, "batch_size")
    check_whole(seed, "seed")
    if not engine.is_number(noise) or not 0 <= noise < np.inf:
        raise ValueError(f"noise is a share of the image's range, 0 or more, not {quoted(noise)}.")
    images = engine.check_images(model, images)
    target = engine.resolve(model, images, target, score=score, batch_size=batch_size)
    deviation = np.float32(noise) * np.ptp(images, (1, 2, 3))
    draws, mean = _both_signs(np.random.default_rng(seed), images.shape[1:]), np.zeros_like(images)
    for first in engine.bar(range(0, samples, batch_size), progress):
        z = np.stack([*islice(draws, min(batch_size, samples - first))])
        for i, image in enumerate(images):
            mean[i] += _sum_of_gradients(model, image + deviation[i] * z, _one(target, i), score)
    return mean / samples


def integrated_gradients(
    model,
    images: Images,
    target: Target = None,
    *,
    baseline: Fill | None = None,
    steps: int = 64,
    score: Score = "logit",
    batch_size: int = 32,
    progress: bool = False,
) -> np.ndarray:
    """What each pixel adds to the score on the straight way from a baseline to the image.

    Parameters
    ----------
    model, images, target, score
        As in `gradient`; target None is the arg-max of the image, not of the baseline.
    baseline : None, a number, (C,) or (H, W, C)
        In model-input space. None: zero, which is the mean colour for `pocket` and VGG-16.
    steps : int
        Gradients along the way, each at the middle of its step.
    batch_size : int
        Steps at a time.
    progress : bool

    Returns
    -------
    ndarray, (N, H, W, C)
        Signed, in units of the score. They sum up to the score of the image minus that of the
        baseline, up to the `residual`.

    Raises
    ------
    ValueError
        As `gradient`; a baseline of another shape, or fewer than one step.

    References
    ----------
    Sundararajan, Taly, Yan 2017 (arXiv 1703.01365), equation 1; completeness: proposition 1.

    Examples
    --------
    >>> import keras, numpy as np, vizlib
    >>> model = keras.Sequential([keras.Input((1, 2, 1)), keras.layers.Flatten(),
    ...                           keras.layers.Dense(2)])
    >>> model.set_weights([np.array([[0, 1], [0, -2]]), np.zeros(2)])
    >>> vizlib.integrated_gradients(model, np.full((1, 1, 2, 1), 3.0), 1).ravel()
    array([ 3., -6.], dtype=float32)
    """
    engine.check_count(steps, "steps")
    engine.check_count(batch_size, "batch_size")
    images = engine.check_images(model, images)
    start = engine.canvas(0 if baseline is None else baseline, images.shape[1:], "baseline")
    target = engine.resolve(model, images, target, score=score, batch_size=batch_size)
    t = ((np.arange(steps) + 0.5) / steps).astype("float32")[:, None, None, None]
    mean = np.zeros_like(images)
    for first in engine.bar(range(0, steps, batch_size), progress):
        for i, image in enumerate(images):
            along = start + t[first : first + batch_size] * (image - start)
            mean[i] += _sum_of_gradients(model, along, _one(target, i), score)
    return (images - start) * (mean / steps)


def residual(
    model,
    images: Images,
    maps: np.ndarray,
    target: Target = None,
    *,
    baseline: Fill | None = None,
    score: Score = "logit",
    batch_size: int = 32,
) -> np.ndarray:
    """By how much integrated gradients miss completeness: their sum minus the difference of scores.

    Parameters
    ----------
    model, images, target, baseline, score, batch_size
        What `integrated_gradients` was given.
    maps : array, (N, H, W, C)
        What it returned.

    Returns
    -------
    ndarray, (N,)
        In units of the score; falls with more steps.

    Raises
    ------
    ValueError
        As `integrated_gradients`; maps that are not of the images' shape.

    References
    ----------
    Sundararajan, Taly, Yan 2017 (arXiv 1703.01365), proposition 1 and section 5.

    Examples
    --------
    >>> import keras, numpy as np, vizlib
    >>> model = keras.Sequential([keras.Input((1, 2, 1)), keras.layers.Flatten(),
    ...                           keras.layers.Dense(2)])
    >>> images = np.ones((1, 1, 2, 1))
    >>> maps = vizlib.integrated_gradients(model, images, 1)
    >>> bool(abs(vizlib.residual(model, images, maps, 1)[0]) < 1e-5)
    True
    """
    images, maps = engine.check_images(model, images), as_singles(maps, "maps")
    if maps.shape != images.shape:
        raise ValueError(f"maps have the shape of the images, {images.shape}, not {maps.shape}.")
    start = engine.canvas(0 if baseline is None else baseline, images.shape[1:], "baseline")
    target = engine.resolve(model, images, target, score=score, batch_size=batch_size)
    last, first = (
        engine.forward(model, x, score=score, target=target, batch_size=batch_size)
        for x in (images, start[None])
    )
    first = np.broadcast_to(first, last.shape)
    difference = engine.pick(last, target, score) - engine.pick(first, target, score)
    return np.sum(maps, (1, 2, 3), float) - difference


def _both_signs(rng, shape):
    """Normal noise without end, each draw with both signs."""
    while True:
        draw = rng.standard_normal(shape, "float32")
        yield draw
        yield -draw


def _one(target, i):
    return target if callable(target) else int(target[i])


def _sum_of_gradients(model, batch, target, score):
    return gradient(model, batch, target, score=score, batch_size=len(batch)).sum(0)

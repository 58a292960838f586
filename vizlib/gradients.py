"""Which pixels matter: gradients of a score, two ways to average them, and a segmentation made of them."""

from functools import reduce

import numpy as np

from . import graph


def gradient(
    model, images, target=None, *, relu="plain", layer=None, unit=None, score="logit", batch_size=32
):
    """The gradient of a class score, or of one unit's activation, with respect to the pixels.

    Parameters
    ----------
    model : keras.Model
    images : array, (N, H, W, C), in model-input space
    target : None, int, (N,) ints or callable
        The class (None: each picture's arg-max), or a function from logits (N, K) to scores (N,).
    relu : {"plain", "guided", "deconvnet"}
        What a ReLU does to the signal on its way back; only "plain" gives a gradient in the sense of calculus.
    layer, unit : str, int or (row, column, channel)
        Instead of a class, a unit of this layer; an int is a channel, taken where it is largest in each picture.
    score : {"logit", "probability"}
    batch_size : int

    Returns
    -------
    ndarray, (N, H, W, C)
        Signed, in units of the score per unit of model input, in the model's channel order.

    Raises
    ------
    ValueError
        Bad pictures, unknown layer, class or unit, or a network for which the ReLU rule is not defined.

    References
    ----------
    Simonyan, Vedaldi, Zisserman 2014 (arXiv 1312.6034), section 3.
    """
    return graph.backward(
        model, images, target, relu=relu, layer=layer, unit=unit, score=score, batch_size=batch_size
    )[0]


def saliency(model, images, target=None, *, layer=None, unit=None, score="logit", batch_size=32):
    """How much a small change of each pixel can change the score: the largest absolute gradient of its channels.

    Parameters
    ----------
    model, images, target, layer, unit, score, batch_size
        As in `gradient`.

    Returns
    -------
    ndarray, (N, H, W)
        At least 0, in units of the score per unit of model input.

    References
    ----------
    Simonyan, Vedaldi, Zisserman 2014 (arXiv 1312.6034), section 3.1.
    """
    signed = gradient(
        model, images, target, layer=layer, unit=unit, score=score, batch_size=batch_size
    )
    return reduce(
        np.maximum, np.moveaxis(np.abs(signed), -1, 0)
    )  # max(-1), at a tenth of its cost for three channels


def smoothgrad(
    model,
    images,
    target=None,
    *,
    samples=50,
    noise=0.15,
    seed=0,
    score="logit",
    batch_size=32,
    progress=False,
):
    """The mean gradient over noisy copies of each picture.

    Parameters
    ----------
    model, images, target, score
        As in `gradient`; target None is the arg-max of the picture without noise.
    samples : int
        Copies of each picture, in pairs whose noise differs by its sign: what is linear in the noise cancels.
    noise : float
        Standard deviation of the noise, as a share of the picture's largest minus its smallest value.
    seed : int
        The same noise for every picture.
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
        As `gradient`; fewer than one sample, or negative noise.

    References
    ----------
    Smilkov, Thorat, Kim, Viégas, Wattenberg 2017 (arXiv 1706.03825), section 3.1; there 10 to 20 % noise and 50 samples.
    """
    graph.check_count(samples, "samples")
    if not 0 <= noise < np.inf:
        raise ValueError(f"noise is a share of the picture's range, 0 or more, not {noise!r}.")
    images, rng, grain = graph.check_images(model, images), np.random.default_rng(seed), None

    def copies(part):
        nonlocal grain
        new = rng.standard_normal((np.sum(part % 2 == 0), *images.shape[1:]), "float32")
        grain = np.concatenate([grain[-1:], new]) if part[0] % 2 else new
        signs = np.where(part % 2, -noise, noise).astype("float32")[:, None, None, None]
        for picture in images:
            batch = np.repeat(grain, 2, 0)[part[0] % 2 :][: len(part)]
            batch *= signs * (picture.max() - picture.min())
            batch += picture  # in place, eight times as fast as a new array
            yield batch

    return _mean_gradient(model, images, target, copies, samples, score, batch_size, progress)


def integrated_gradients(
    model,
    images,
    target=None,
    *,
    baseline=None,
    steps=64,
    score="logit",
    batch_size=32,
    progress=False,
):
    """What each pixel adds to the score on the straight way from a baseline to the picture.

    Parameters
    ----------
    model, images, target, score
        As in `gradient`; target None is the arg-max of the picture, not of the baseline.
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
        Signed, in units of the score. They sum up to the score of the picture minus that of the baseline, up to the `residual`.

    Raises
    ------
    ValueError
        As `gradient`; a baseline of another shape, or fewer than one step.

    References
    ----------
    Sundararajan, Taly, Yan 2017 (arXiv 1703.01365), equation 1; completeness: proposition 1.
    """
    graph.check_count(steps, "steps")
    images = graph.check_images(model, images)
    start = graph.canvas(0 if baseline is None else baseline, images.shape[1:], "baseline")

    def along(part):
        t = ((part + 0.5) / steps).astype("float32")[:, None, None, None]
        for picture in images:
            yield start + t * (picture - start)

    return (images - start) * _mean_gradient(
        model, images, target, along, steps, score, batch_size, progress
    )


def residual(model, images, maps, target=None, *, baseline=None, score="logit", batch_size=32):
    """By how much integrated gradients miss completeness: their sum minus the difference of the two scores.

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
    """
    images = graph.check_images(model, images)
    start = graph.canvas(0 if baseline is None else baseline, images.shape[1:], "baseline")
    ends = [graph.forward(model, x, batch_size=batch_size) for x in (images, start[None])]
    target = target if callable(target) else graph.classes(ends[0][0], target)
    first, last = (
        graph.score(*(np.broadcast_to(s, e.shape) for s, e in zip(said, ends[0])), target, score)
        for said in ends[::-1]
    )
    return np.sum(maps, (1, 2, 3)) - (last - first)


def _mean_gradient(model, images, target, variants, count, score, batch_size, progress):
    """(N, H, W, C): the mean gradient over `count` variants of each picture; variants(part) yields some of them, picture by picture."""
    target = graph.wanted(model, images, target, batch_size=batch_size)
    graph.check_count(batch_size, "batch_size")
    parts = np.split(np.arange(count), range(batch_size, count, batch_size))
    batches = ((i, batch) for part in parts for i, batch in enumerate(variants(part)))
    mean = np.zeros_like(images)
    for i, batch in graph.bar(batches, progress, len(images) * len(parts)):
        one = target if callable(target) else int(target[i])
        mean[i] += gradient(model, batch, one, score=score, batch_size=batch_size).sum(0) / count
    return mean

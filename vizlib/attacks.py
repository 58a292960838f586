"""Pictures changed as little as one can see, and as much as the network can be made to care."""

import numpy as np

from . import graph


def fgsm(model, images, target, *, epsilon, bounds, targeted=False, batch_size=32):
    """The fast gradient sign method: each value moves by epsilon to the side on which the class loses.

    Parameters
    ----------
    model : keras.Model
    images : array, (N, H, W, C), in model-input space
    target : int or (N,) ints
        The class to lead away from; with `targeted` the one to lead to.
    epsilon : number or (C,)
        The largest change of a value, in units of model input: ``8 * net.level`` is eight grey levels.
    bounds : (low, high), each a number or (C,)
        Of a legal picture: ``(net.low, net.high)``.
    targeted : bool
    batch_size : int

    Returns
    -------
    ndarray, (N, H, W, C)
        Legal pictures, each value within epsilon of the given one.

    Raises
    ------
    ValueError
        Bad pictures, a class that does not exist, a negative epsilon, or pictures outside the bounds.

    References
    ----------
    Goodfellow, Shlens, Szegedy 2015 (arXiv 1412.6572), section 4.
    """
    images, low, high, step = _checked(model, images, epsilon, bounds)
    way = _uphill(model, images, target, batch_size)
    return np.clip(images + (step if targeted else -step) * way, low, high)


def pgd(model, images, target, *, epsilon, bounds, targeted=False, steps=10, seed=0, batch_size=32):
    """Projected gradient descent: `steps` small steps of `fgsm`, from a random place, never further than epsilon away.

    Parameters
    ----------
    model, images, target, epsilon, bounds, targeted, batch_size
        As in `fgsm`.
    steps : int
        Each of 2.5 * epsilon / steps.
    seed : int
        Of the random place to start from; the same for every picture.

    Returns
    -------
    ndarray, (N, H, W, C)
        Legal pictures, each value within epsilon of the given one.

    Raises
    ------
    ValueError
        As `fgsm`; fewer than one step.

    References
    ----------
    Madry, Makelov, Schmidt, Tsipras, Vladu 2018 (arXiv 1706.06083), section 2.1.
    """
    graph.check_count(steps, "steps")
    images, low, high, epsilon = _checked(model, images, epsilon, bounds)
    low, high = np.maximum(images - epsilon, low), np.minimum(images + epsilon, high)
    step = 2.5 * epsilon / steps
    x = low + np.random.default_rng(seed).random(images.shape[1:], "float32") * (high - low)
    for _ in range(steps):
        way = _uphill(model, x, target, batch_size)
        x = np.clip(x + (step if targeted else -step) * way, low, high)
    return x


def _checked(model, images, epsilon, bounds):
    images = graph.check_images(model, images)
    if not hasattr(bounds, "__len__") or len(bounds) != 2:
        raise ValueError(
            "bounds is a pair, the lowest and the highest legal value: (net.low, net.high)."
        )
    low, high, epsilon = (
        graph.canvas(v, images.shape[1:], name)
        for v, name in zip((*bounds, epsilon), ("low", "high", "epsilon"))
    )
    if not (epsilon >= 0).all():
        raise ValueError(f"epsilon is the size of a change, 0 or more, not {epsilon.min()}.")
    if not ((images >= low - 1e-3) & (images <= high + 1e-3)).all():
        raise ValueError(
            "The pictures lie outside the bounds: give the bounds of model-input space, (net.low, net.high)."
        )
    return images, low, high, epsilon


def _uphill(model, images, target, batch_size):
    """The side, for each value, to which the class's log-odds log(p / (1 - p)) rise.

    They rise wherever the cross-entropy falls, so the sign is that of the papers; but they do not saturate: where p rounds to 1, the
    gradient of the cross-entropy is noise or zero.
    """
    if target is None or callable(target):
        raise ValueError("target is a class number, or one for each picture.")
    return np.sign(
        graph.backward(model, images, target, score=graph.LOG_ODDS, batch_size=batch_size)[0]
    )

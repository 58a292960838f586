"""Images changed as little as one can see, and as much as the network can be made to care."""

import numpy as np

from . import engine
from ._checks import check_whole
from .types import Images


def fgsm(
    model,
    images: Images,
    target: int | np.ndarray | list[int],
    *,
    epsilon: float | np.ndarray,
    bounds: tuple,
    targeted: bool = False,
    batch_size: int = 32,
) -> np.ndarray:
    """The fast gradient sign method: each value moves by epsilon to where the class loses.

    Parameters
    ----------
    model : keras.Model
    images : array, (N, H, W, C), in model-input space
    target : int or (N,) ints
        The class to lead away from; with `targeted` the one to lead to.
    epsilon : number or (C,)
        The largest change of a value, in units of model input: ``8 * net.level`` is eight grey
        levels.
    bounds : (low, high), each a number or (C,)
        Of a legal image: ``(net.low, net.high)``.
    targeted : bool
    batch_size : int

    Returns
    -------
    ndarray, (N, H, W, C)
        Legal images, each value within epsilon of the given one.

    Raises
    ------
    ValueError
        Bad images, or a model without logits.
    ValueError
        A target that is no class number of the model, or not one for each image.
    ValueError
        An epsilon that is negative, or no finite number or colour.
    ValueError
        Bounds that are no pair of numbers or colours, or that the images exceed.

    References
    ----------
    Goodfellow, Shlens, Szegedy 2015 (arXiv 1412.6572), section 4.

    Examples
    --------
    >>> import keras, numpy as np, vizlib
    >>> model = keras.Sequential([keras.Input((1, 2, 1)), keras.layers.Flatten(),
    ...     keras.layers.Dense(2, kernel_initializer="identity")])  # a class for each pixel
    >>> images = np.array([[[[5.0], [5.0]]]])
    >>> vizlib.fgsm(model, images, 0, epsilon=1, bounds=(0, 10)).ravel()
    array([4., 6.], dtype=float32)
    """
    images, low, high, step = _checked(model, images, epsilon, bounds, targeted)
    way = _uphill(model, images, target, batch_size)
    return np.clip(images + (step if targeted else -step) * way, low, high)


def pgd(
    model,
    images: Images,
    target: int | np.ndarray | list[int],
    *,
    epsilon: float | np.ndarray,
    bounds: tuple,
    targeted: bool = False,
    steps: int = 10,
    seed: int = 0,
    batch_size: int = 32,
) -> np.ndarray:
    """Projected gradient descent: small steps of `fgsm`, from a random start.

    Parameters
    ----------
    model, images, target, epsilon, bounds, targeted, batch_size
        As in `fgsm`.
    steps : int
        Each of 2.5 * epsilon / steps; none leads further than epsilon away.
    seed : int
        Of the start; the same for every image.

    Returns
    -------
    ndarray, (N, H, W, C)
        Legal images, each value within epsilon of the given one.

    Raises
    ------
    ValueError
        What `fgsm` refuses.
    ValueError
        A number of steps that is no whole number of at least 1, or a seed below 0.

    References
    ----------
    Madry, Makelov, Schmidt, Tsipras, Vladu 2018 (arXiv 1706.06083), section 2.1.

    Examples
    --------
    >>> import keras, numpy as np, vizlib
    >>> model = keras.Sequential([keras.Input((1, 2, 1)), keras.layers.Flatten(),
    ...     keras.layers.Dense(2, kernel_initializer="identity")])  # a class for each pixel
    >>> images = np.array([[[[5.0], [5.0]]]])
    >>> vizlib.pgd(model, images, 0, epsilon=1, bounds=(0, 10), targeted=True).ravel()
    array([6., 4.], dtype=float32)
    """
    engine.check_count(steps, "steps")
    check_whole(seed, "seed")
    images, low, high, epsilon = _checked(model, images, epsilon, bounds, targeted)
    low, high = np.maximum(images - epsilon, low), np.minimum(images + epsilon, high)
    step = 2.5 * epsilon / steps
    x = low + np.random.default_rng(seed).random(images.shape[1:], "float32") * (high - low)
    for _ in range(steps):
        way = _uphill(model, x, target, batch_size)
        x = np.clip(x + (step if targeted else -step) * way, low, high)
    return x


def _checked(model, images, epsilon, bounds, targeted):
    """Images, bounds and epsilon, each as images."""
    images = engine.check_images(model, images)
    low, high = engine.check_bounds(bounds, images.shape[1:], images)
    epsilon = engine.canvas(epsilon, images.shape[1:], "epsilon")
    if not (epsilon >= 0).all():
        raise ValueError(f"epsilon is the size of a change, 0 or more, not {epsilon.min()}.")
    if not isinstance(targeted, bool | np.bool_):
        raise ValueError("targeted is True or False: the class is named by target.")
    return images, low, high, epsilon


def _uphill(model, images, target, batch_size):
    """The side, for each value, to which the class's log-odds log(p / (1 - p)) rise.

    They rise wherever the cross-entropy falls, so the sign is that of the papers; but they do not
    saturate: where p rounds to 1, the gradient of the cross-entropy is noise or zero.
    """
    if target is None or callable(target):
        raise ValueError("target is a class number, or one for each image.")
    (slope,) = engine.backward(model, images, target, log_odds=True, batch_size=batch_size)
    return np.sign(slope)

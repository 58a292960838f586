"""What excited a class or a unit, drawn by a backward pass with another rule at the ReLUs."""

import numpy as np

from . import engine
from ._checks import as_numbers
from .gradients import gradient
from .types import Images, LayerLike, Score, Target, Unit


def guided_backprop(
    model,
    images: Images,
    target: Target = None,
    *,
    layer: LayerLike | None = None,
    unit: Unit | None = None,
    score: Score = "logit",
    batch_size: int = 32,
) -> np.ndarray:
    """A backward pass in which ReLUs pass a signal where both it and their input are positive.

    Parameters
    ----------
    model, images, target, layer, unit, score, batch_size
        As in `gradient`.

    Returns
    -------
    ndarray, (N, H, W, C)
        Signed, in the model's channel order. Not the gradient of anything.

    Raises
    ------
    ValueError
        As `gradient`; a network that is not made of linear layers and ReLUs, or holds no ReLU (the
        sentence names the layers).

    References
    ----------
    Springenberg, Dosovitskiy, Brox, Riedmiller 2015 (arXiv 1412.6806), figure 1.

    Examples
    --------
    The score rises with the first pixel and falls with the second: only the first comes back.

    >>> import keras, numpy as np, vizlib
    >>> model = keras.Sequential([keras.Input((1, 2, 1)), keras.layers.ReLU(),
    ...                           keras.layers.Flatten(), keras.layers.Dense(2)])
    >>> model.set_weights([np.array([[0, 1], [0, -2]]), np.zeros(2)])
    >>> vizlib.guided_backprop(model, np.ones((1, 1, 2, 1)), 1).ravel()
    array([1., 0.], dtype=float32)
    """
    return gradient(
        model,
        images,
        target,
        relu="guided",
        layer=layer,
        unit=unit,
        score=score,
        batch_size=batch_size,
    )


def deconvnet(
    model,
    images: Images,
    target: Target = None,
    *,
    layer: LayerLike | None = None,
    unit: Unit | None = None,
    score: Score = "logit",
    batch_size: int = 32,
) -> np.ndarray:
    """A backward pass in which ReLUs pass a signal where it is positive, whatever their input was.

    Max-pooling sends the signal to the position that was largest, its switch; of a window that is
    all zero, to its first position.

    Parameters
    ----------
    model, images, target, layer, unit, score, batch_size
        As in `gradient`.

    Returns
    -------
    ndarray, (N, H, W, C)
        Signed, in the model's channel order. Not the gradient of anything.

    Raises
    ------
    ValueError
        As `guided_backprop`.

    References
    ----------
    Zeiler, Fergus 2014 (arXiv 1311.2901), section 2.1. That it is a backward pass: Simonyan,
    Vedaldi, Zisserman 2014 (arXiv 1312.6034), section 4.

    Examples
    --------
    The first pixel was negative, so the ReLU was closed there; the signal comes back all the same.

    >>> import keras, numpy as np, vizlib
    >>> model = keras.Sequential([keras.Input((1, 2, 1)), keras.layers.ReLU(),
    ...                           keras.layers.Flatten(), keras.layers.Dense(2)])
    >>> model.set_weights([np.array([[0, 1], [0, -2]]), np.zeros(2)])
    >>> vizlib.deconvnet(model, np.array([-1.0, 1.0]).reshape(1, 1, 2, 1), 1).ravel()
    array([1., 0.], dtype=float32)
    """
    return gradient(
        model,
        images,
        target,
        relu="deconvnet",
        layer=layer,
        unit=unit,
        score=score,
        batch_size=batch_size,
    )


def pool(maps: np.ndarray, size: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Max-pooling that remembers, in windows that do not overlap.

    Parameters
    ----------
    maps : array, (N, H, W, C)
    size : int
        Of a window; rows and columns that fill none are left out.

    Returns
    -------
    pooled : ndarray, (N, H // size, W // size, C)
    switches : ndarray of int, of the same shape
        Which position of its window was largest, counted row by row; of equal ones the first.

    Raises
    ------
    ValueError
        Maps of another shape, smaller than a window, or no finite real numbers; a size that is no
        whole number.

    Examples
    --------
    >>> import numpy as np
    >>> from vizlib.backprop import pool
    >>> pooled, switches = pool(np.array([[1, 2], [4, 3]]).reshape(1, 2, 2, 1))
    >>> int(pooled[0, 0, 0, 0]), int(switches[0, 0, 0, 0])
    (4, 2)
    """
    engine.check_count(size, "size")
    as_numbers(maps, "Maps")
    maps = np.asarray(maps)  # of its own type
    if maps.ndim != 4 or min(maps.shape[1:3]) < size:
        raise ValueError(
            f"Give maps (N, H, W, C) of at least {size} x {size} positions, not {maps.shape}."
        )
    n, h, w, c = maps.shape
    rows, columns = h // size, w // size
    windows = maps[:, : rows * size, : columns * size].reshape(n, rows, size, columns, size, c)
    windows = windows.transpose(0, 1, 3, 5, 2, 4).reshape(n, rows, columns, c, size * size)
    return windows.max(-1), windows.argmax(-1)


def unpool(signal: np.ndarray, switches: np.ndarray, size: int = 2) -> np.ndarray:
    """Max-pooling undone: each value goes where its switch points, zeros to the rest of the window.

    Parameters
    ----------
    signal : array, (N, h, w, C)
    switches : array of int, (N, h, w, C)
        Of `pool`.
    size : int

    Returns
    -------
    ndarray, (N, h * size, w * size, C)

    Raises
    ------
    ValueError
        Signals and switches of different shapes; switches that point out of their window.

    References
    ----------
    Zeiler, Fergus 2014 (arXiv 1311.2901), section 2.1, "unpooling".

    Examples
    --------
    >>> import numpy as np
    >>> from vizlib.backprop import unpool
    >>> unpool(np.full((1, 1, 1, 1), 4), np.full((1, 1, 1, 1), 2))[0, :, :, 0]
    array([[0, 0],
           [4, 0]])
    """
    engine.check_count(size, "size")
    as_numbers(signal, "Signals")
    signal, switches = np.asarray(signal), as_numbers(switches, "Switches")
    if (
        signal.ndim != 4
        or signal.shape != switches.shape
        or signal.size == 0
        or not 0 <= switches.min() <= switches.max() < size * size
    ):
        raise ValueError(
            "Give signals and switches of one shape (N, h, w, C), the switches from 0 to "
            f"{size * size - 1}, not {signal.shape} and {switches.shape}."
        )
    n, h, w, c = signal.shape
    windows = signal[..., None] * (np.arange(size * size) == switches[..., None])
    windows = windows.reshape(n, h, w, c, size, size).transpose(0, 1, 4, 2, 5, 3)
    return windows.reshape(n, h * size, w * size, c)

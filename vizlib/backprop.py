"""What excited a class or a unit, drawn by a backward pass with another rule at the ReLUs; and max-pooling undone."""

import numpy as np

from . import graph
from .gradients import gradient


def guided_backprop(model, images, target=None, *, layer=None, unit=None, batch_size=32):
    """A backward pass in which a ReLU passes a signal on where both the signal and its input are positive.

    Parameters
    ----------
    model, images, target, layer, unit, batch_size
        As in `vizlib.gradient`.

    Returns
    -------
    ndarray, (N, H, W, C)
        Signed, in the model's channel order. Not the gradient of anything.

    Raises
    ------
    ValueError
        As `vizlib.gradient`; a network that is not made of linear layers and ReLUs, or holds none (the sentence names the layers).

    References
    ----------
    Springenberg, Dosovitskiy, Brox, Riedmiller 2015 (arXiv 1412.6806), figure 1.
    """
    return gradient(
        model, images, target, relu="guided", layer=layer, unit=unit, batch_size=batch_size
    )


def deconvnet(model, images, target=None, *, layer=None, unit=None, batch_size=32):
    """A backward pass in which a ReLU passes a signal on where the signal is positive, whatever its input was.

    Max-pooling sends the signal to the place that was largest, its switch; of a window that is all zero, to its first place.

    Parameters
    ----------
    model, images, target, layer, unit, batch_size
        As in `vizlib.gradient`.

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
    Zeiler, Fergus 2014 (arXiv 1311.2901), section 2.1. That it is a backward pass: Simonyan and others 2014 (arXiv 1312.6034), section 4.
    """
    return gradient(
        model, images, target, relu="deconvnet", layer=layer, unit=unit, batch_size=batch_size
    )


def pool(maps, size=2):
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
        Which place of its window was largest, counted row by row; of equal ones the first.
    """
    graph.check_count(size, "size")
    if np.ndim(maps) != 4 or min(np.shape(maps)[1:3]) < size:
        raise ValueError(
            f"Give maps (N, H, W, C) of at least {size} x {size} places, not {np.shape(maps)}."
        )
    n, h, w, c = np.shape(maps)
    rows, columns = h // size, w // size
    windows = np.asarray(maps)[:, : rows * size, : columns * size].reshape(
        n, rows, size, columns, size, c
    )
    windows = windows.transpose(0, 1, 3, 5, 2, 4).reshape(n, rows, columns, c, size * size)
    return windows.max(-1), windows.argmax(-1)


def unpool(signal, switches, size=2):
    """Max-pooling undone: each value goes back to where its switch says, and zeros to the rest of the window.

    Parameters
    ----------
    signal : array, (N, h, w, C)
    switches : array of int, (N, h, w, C)
        Of `pool`.
    size : int

    Returns
    -------
    ndarray, (N, h * size, w * size, C)

    References
    ----------
    Zeiler, Fergus 2014 (arXiv 1311.2901), section 2.1, "unpooling".
    """
    signal, switches = np.asarray(signal), np.asarray(switches)
    if (
        signal.ndim != 4
        or signal.shape != switches.shape
        or not 0 <= switches.min() <= switches.max() < size * size
    ):
        raise ValueError(
            f"Give signals and switches of one shape (N, h, w, C), the switches from 0 to {size * size - 1}, not {signal.shape} and {switches.shape}."
        )
    n, h, w, c = signal.shape
    windows = signal[..., None] * (np.arange(size * size) == switches[..., None])
    return (
        windows.reshape(n, h, w, c, size, size)
        .transpose(0, 1, 4, 2, 5, 3)
        .reshape(n, h * size, w * size, c)
    )

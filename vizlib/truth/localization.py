"""Does a map lie where the thing is? Grades against masks."""

import numpy as np
from skimage.transform import downscale_local_mean

from .._checks import as_array, as_numbers, check_size, check_whole, quoted
from ..types import Maps, Size


def mass_inside(maps: Maps, masks: np.ndarray) -> np.ndarray:
    """How much of a map's mass falls inside a mask, for the mask's size.

    Parameters
    ----------
    maps : array, (N, h, w) or (N, h, w, C)
        Negative values count as 0; several channels are reduced by the largest absolute value.
    masks : array, (N, H, W), bool
        Averaged down to the map's positions; H and W are multiples of h and w.

    Returns
    -------
    ndarray, (N,)
        Share of the mass inside over share of the area: 1 is chance, 0 is nothing inside. NaN for
        an all-zero map or an empty mask.

    Raises
    ------
    ValueError
        Maps that are no finite real numbers (N, h, w) or (N, h, w, C).
    ValueError
        Masks that are not as many, not bool, or not (N, H, W).
    ValueError
        Masks whose size is no multiple of the maps': `vizlib.upsample` enlarges the maps.

    Examples
    --------
    >>> import numpy as np, vizlib
    >>> masks = np.array([[[True, False], [False, False]]])  # a quarter of the image
    >>> vizlib.truth.mass_inside(np.array([[[3.0, 0.0], [0.0, 1.0]]]), masks)
    array([3.])
    """
    maps, masks = _fitted(maps, masks)
    area = masks.mean((1, 2))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(area > 0, (maps * masks).sum((1, 2)) / maps.sum((1, 2)) / area, np.nan)


def pointing_game(maps: Maps, masks: np.ndarray, *, tolerance: int = 0) -> np.ndarray:
    """Whether a map is largest inside the mask.

    Parameters
    ----------
    maps, masks : arrays
        As in `mass_inside`. A position of a coarse map is inside if half of it is.
    tolerance : int
        A position that is at most so many rows and columns off is still a hit.

    Returns
    -------
    ndarray, (N,)
        1 for a hit, 0 for a miss, NaN for an all-zero map. Of equal maxima the share that hits.

    Raises
    ------
    ValueError
        Maps or masks that `mass_inside` refuses.
    ValueError
        A tolerance that is no whole number of at least 0.

    References
    ----------
    Zhang, Lin, Brandt, Shen, Sclaroff 2016 (arXiv 1608.00507), section 4.1: there with a tolerance
    of 15 pixels.

    Examples
    --------
    >>> import numpy as np, vizlib
    >>> masks = np.array([[[True, False, False]]])
    >>> vizlib.truth.pointing_game(np.array([[[1.0, 2.0, 0.0]]]), masks)
    array([0.])
    >>> vizlib.truth.pointing_game(np.array([[[1.0, 2.0, 0.0]]]), masks, tolerance=1)
    array([1.])
    """
    maps, masks = _fitted(maps, masks)
    check_whole(tolerance, "tolerance")
    hits = np.full(len(maps), np.nan)
    for i in np.flatnonzero(maps.any((1, 2))):
        inside = np.argwhere(masks[i] >= 0.5)
        tops = np.argwhere(maps[i] == maps[i].max())
        off = np.abs(tops[:, None] - inside[None]).max(-1)
        hits[i] = (off <= tolerance).any(1).mean()
    return hits


def grid_pointing(
    maps: Maps, cells: np.ndarray | list[int], *, grid: tuple[int, int] = (2, 2)
) -> np.ndarray:
    """The share of a map's mass in the cell of a mosaic that holds the class it was asked for.

    It needs no masks: put photographs together, each of another class, and ask for one of them. A
    map that does not know the class has the share of one cell.

    Parameters
    ----------
    maps : array, (N, h, w) or (N, h, w, C)
        As in `mass_inside`; each value stands for an equal part of the mosaic, so maps of layers
        with padding "valid" are first enlarged by `vizlib.upsample` with their receptive field.
    cells : array, (N,), int
        The cell of each map's class: 0, 1, ... row by row.
    grid : (rows, columns)
        Of the mosaic's cells, all of one size.

    Returns
    -------
    ndarray, (N,)
        From 0 to 1; 1 / (rows * columns) is chance. NaN for an all-zero map.

    Raises
    ------
    ValueError
        Maps that are no finite real numbers (N, h, w) or (N, h, w, C).
    ValueError
        A grid that is no pair of whole numbers of at least 1.
    ValueError
        Cells that are no whole numbers of the grid, one for each map.

    References
    ----------
    Böhle, Fritz, Schiele 2021 (arXiv 2104.00032), as in Rao, Böhle, Schiele 2022
    (arXiv 2205.10435).

    Examples
    --------
    >>> import numpy as np, vizlib
    >>> maps = np.array([[[3.0, 0.0], [0.0, 1.0]]])
    >>> vizlib.truth.grid_pointing(np.repeat(maps, 4, 0), [0, 1, 2, 3])
    array([0.75, 0.  , 0.  , 0.25])
    """
    maps, (rows, columns) = _positive(maps), check_size(grid, "grid")
    cells = as_array(cells, "cells")
    wrong = cells.shape != maps.shape[:1] or cells.dtype.kind not in "iu"
    if wrong or cells.min() < 0 or cells.max() >= rows * columns:
        raise ValueError(
            f"cells are numbers from 0 to {rows * columns - 1}, one for each of the {len(maps)} "
            f"maps, not {quoted(cells.tolist())}."
        )
    height, width = maps.shape[1:]
    mass = np.einsum("rh,nhw,cw->nrc", _parts(height, rows), maps, _parts(width, columns))
    shares = mass.reshape(len(maps), -1)
    with np.errstate(invalid="ignore"):
        return shares[np.arange(len(maps)), cells] / shares.sum(1)


def evidence(maps: Maps, size: Size) -> np.ndarray:
    """What speaks for a class, on one grid for all methods.

    Signed values are summed over the channels and averaged over the cells of the grid; what is
    negative then counts as 0. Maps of gradients and class maps can be compared after it, since how
    they are smoothed and whether signs count is the same for both. Colours are added up, as
    contributions are; a plain gradient then tells what more light would do, and the gradient times
    the image what the image contributes.

    Parameters
    ----------
    maps : array, (N, h, w) or (N, h, w, C)
        Signed: a class map without ReLU, a gradient with its channels, a drop of the score.
    size : int or (rows, columns)
        Of the grid, at most that of the maps: that of the network's last feature map, for instance.

    Returns
    -------
    ndarray, (N, rows, columns), at least 0

    Raises
    ------
    ValueError
        Maps that are no finite real numbers (N, h, w) or (N, h, w, C).
    ValueError
        A size that is no whole number, or larger than the maps.

    Examples
    --------
    >>> import numpy as np, vizlib
    >>> maps = np.array([[[[3.0, -1.0], [2.0, 2.0]], [[-9.0, 1.0], [1.0, 1.0]]]])  # two channels
    >>> vizlib.truth.evidence(maps, (2, 1))[0]
    array([[3.],
           [0.]])
    """
    maps, (rows, columns) = _numbers(maps), check_size(size, "size")
    height, width = maps.shape[1:3]
    if rows > height or columns > width:
        raise ValueError(
            f"A grid of {(rows, columns)} is finer than maps of {(height, width)}: "
            "vizlib.upsample enlarges maps."
        )
    maps = maps.sum(-1) if maps.ndim == 4 else maps
    ways = (_parts(n, m) * m / n for n, m in ((height, rows), (width, columns)))
    return np.maximum(np.einsum("rh,nhw,cw->nrc", next(ways), maps, next(ways)), 0)


def _parts(n, parts):
    """(parts, n): which share of each of n positions lies in each of so many equal parts."""
    start, first = np.arange(n) / n, np.arange(parts)[:, None] / parts
    both = np.minimum(start + 1 / n, first + 1 / parts) - np.maximum(start, first)
    return np.maximum(both, 0) * n


def _numbers(maps):
    maps = as_numbers(maps, "The maps")
    if maps.ndim not in (3, 4) or 0 in maps.shape:
        raise ValueError(f"Maps have the shape (N, h, w) or (N, h, w, C), not {maps.shape}.")
    return maps


def _positive(maps):
    """Maps (N, h, w) from 0 to 1, so that no sum overflows."""
    maps = _numbers(maps)
    maps = np.abs(maps).max(-1) if maps.ndim == 4 else np.maximum(maps, 0)
    top = maps.max((1, 2), keepdims=True)
    return maps / np.where(top > 0, top, 1)


def _fitted(maps, masks):
    """Maps (N, h, w) from 0 to 1, and for each of their positions the share that is inside."""
    maps, masks = _positive(maps), as_array(masks, "The masks")
    if masks.ndim != 3 or len(maps) != len(masks) or masks.dtype != bool or 0 in masks.shape:
        raise ValueError(
            f"Give masks (N, H, W) of true and false, one for each of the {len(maps)} maps, not "
            f"{masks.dtype} of shape {masks.shape}."
        )
    size, wanted = maps.shape[1:], masks.shape[1:]
    if any(large % small for large, small in zip(wanted, size)):
        raise ValueError(
            f"Masks of {wanted} are no multiple of maps of {size}: enlarge the maps first, "
            f"vizlib.upsample(maps, {wanted})."
        )
    times = [large // small for large, small in zip(wanted, size)]
    return maps, downscale_local_mean(masks * 1.0, (1, *times))

"""Does a map lie where the thing is? Grades against masks."""

import numpy as np
from skimage.transform import downscale_local_mean

from .._checks import as_array, as_numbers, check_whole
from ..types import Maps


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


def _fitted(maps, masks):
    """Maps (N, h, w) from 0 to 1, and for each of their positions the share that is inside."""
    maps, masks = as_numbers(maps, "The maps"), as_array(masks, "The masks")
    if (
        maps.ndim not in (3, 4)
        or masks.ndim != 3
        or len(maps) != len(masks)
        or masks.dtype != bool
        or 0 in (*maps.shape, *masks.shape)
    ):
        raise ValueError(
            "Give maps (N, h, w) or (N, h, w, C) and as many masks (N, H, W) of true and false, "
            f"not {maps.shape} and {masks.shape} of {masks.dtype}."
        )
    maps = np.abs(maps).max(-1) if maps.ndim == 4 else np.maximum(maps, 0)
    size, wanted = maps.shape[1:], masks.shape[1:]
    if any(large % small for large, small in zip(wanted, size)):
        raise ValueError(
            f"Masks of {wanted} are no multiple of maps of {size}: enlarge the maps first, "
            f"vizlib.upsample(maps, {wanted})."
        )
    times = [large // small for large, small in zip(wanted, size)]
    top = maps.max((1, 2), keepdims=True)  # so that no sum overflows
    return maps / np.where(top > 0, top, 1), downscale_local_mean(masks * 1.0, (1, *times))

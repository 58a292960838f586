"""Is a map right? Grades of maps against masks that say where the thing is."""

import numpy as np
from skimage.transform import downscale_local_mean


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

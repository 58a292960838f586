"""An object cut out of its picture, started from where a map is high and where it is low."""

import numpy as np

from . import graph


def segment(picture, saliency_map, *, low=0.3, high=0.95, rounds=5):
    """Cut an object out with GrabCut, started from where its saliency is high and where it is low.

    Parameters
    ----------
    picture : array, (H, W, 3), uint8
    saliency_map : array, (H, W)
        At least 0.
    low, high : float
        Quantiles of the map: above `high` a pixel starts as object, below `low` as background; GrabCut decides on all.
    rounds : int
        Of GrabCut.

    Returns
    -------
    ndarray, (H, W), bool

    Raises
    ------
    ValueError
        A picture that is not uint8 or a map of another size; a map without a pixel above `high` (all zero, for instance).

    References
    ----------
    Simonyan, Vedaldi, Zisserman 2014 (arXiv 1312.6034), section 3.2. Rother, Kolmogorov, Blake 2004, "GrabCut", ACM TOG 23(3).
    """
    import cv2

    picture, level = np.asarray(picture), np.asarray(saliency_map, float)
    if (
        picture.dtype != np.uint8
        or picture.ndim != 3
        or picture.shape[2] != 3
        or level.shape != picture.shape[:2]
    ):
        raise ValueError(
            f"Give a uint8 picture (H, W, 3) and a map (H, W) of its size, not {picture.dtype} {picture.shape} and {level.shape}."
        )
    if not 0 <= low < high <= 1:
        raise ValueError(
            f"low and high are quantiles with 0 <= low < high <= 1, not {low} and {high}."
        )
    graph.check_count(rounds, "rounds")
    if not np.isfinite(level).all():
        raise ValueError("The map holds NaN or infinite values: look where it was made.")
    bottom, top = np.quantile(level, (low, high))
    seeds = np.where(
        level > top, cv2.GC_FGD, np.where(level < bottom, cv2.GC_BGD, cv2.GC_PR_BGD)
    ).astype("uint8")
    if not (level > top).any():
        raise ValueError(
            "No pixel of the map lies above its quantile `high`: it is constant, or nearly; there is no object to start from."
        )
    cv2.setRNGSeed(0)  # GrabCut starts its colour models at random
    cv2.grabCut(
        np.ascontiguousarray(picture),
        seeds,
        None,
        np.zeros((1, 65)),
        np.zeros((1, 65)),
        rounds,
        cv2.GC_INIT_WITH_MASK,
    )
    return (seeds == cv2.GC_FGD) | (seeds == cv2.GC_PR_FGD)

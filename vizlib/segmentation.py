"""An object cut out of its picture, started from where a map is high and where it is low."""

import numpy as np

from ._checks import as_array, as_numbers, check_whole


def segment(
    picture: np.ndarray,
    saliency_map: np.ndarray,
    *,
    low: float = 0.3,
    high: float = 0.95,
    rounds: int = 5,
) -> np.ndarray:
    """Cut an object out with GrabCut, started from where its saliency is high and where it is low.

    Parameters
    ----------
    picture : array, (H, W, 3), uint8
    saliency_map : array, (H, W)
        At least 0.
    low, high : float
        Quantiles of the map: above `high` a pixel starts as object, below `low` as background;
        GrabCut decides on all.
    rounds : int
        Of GrabCut, up to 1000.

    Returns
    -------
    ndarray, (H, W), bool

    Raises
    ------
    ValueError
        A picture that is not uint8; a map of another size, of NaN or infinite values, or without a
        pixel above `high` (all zero, for instance); quantiles or rounds that make no sense.

    References
    ----------
    Simonyan, Vedaldi, Zisserman 2014 (arXiv 1312.6034), section 3.2. Rother, Kolmogorov, Blake
    2004, "GrabCut", ACM TOG 23(3).

    Examples
    --------
    A bright square, and a map that is high in a part of it:

    >>> import numpy as np, vizlib
    >>> picture, heat = np.zeros((20, 20, 3), "uint8"), np.zeros((20, 20))
    >>> picture[5:15, 5:15] = 255
    >>> heat[8:12, 8:12] = 1
    >>> vizlib.segment(picture, heat).sum()
    np.int64(100)
    """
    import cv2

    picture, level = as_array(picture, "The picture"), as_numbers(saliency_map, "The map's values")
    if (
        picture.dtype != np.uint8
        or picture.ndim != 3
        or picture.shape[2] != 3
        or level.shape != picture.shape[:2]
        or not picture.size
    ):
        raise ValueError(
            "Give a uint8 picture (H, W, 3) and a map (H, W) of its size, not "
            f"{picture.dtype} {picture.shape} and {level.shape}."
        )
    ends = as_numbers([low, high], "low and high")
    if ends.shape != (2,) or not 0 <= ends[0] < ends[1] <= 1:
        raise ValueError(
            f"low and high are quantiles with 0 <= low < high <= 1, not {low!r} and {high!r}."
        )
    check_whole(rounds, "rounds", 1, 1000)
    bottom, top = np.quantile(level, ends)
    seeds = np.where(
        level > top, cv2.GC_FGD, np.where(level < bottom, cv2.GC_BGD, cv2.GC_PR_BGD)
    ).astype("uint8")
    if not (level > top).any():
        raise ValueError(
            "No pixel of the map lies above its quantile `high`: it is constant, or nearly, and "
            "there is no object to start from."
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

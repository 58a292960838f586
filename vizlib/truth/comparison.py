"""How alike are two maps?"""

import numpy as np
from scipy.stats import rankdata
from skimage.metrics import structural_similarity

from .._checks import as_numbers
from ..types import Maps


def rank_correlation(maps: Maps, others: Maps) -> np.ndarray:
    """Spearman's rank correlation of two maps, position by position.

    Parameters
    ----------
    maps, others : arrays, (N, h, w) or (N, h, w, C)
        Several channels are reduced by the largest absolute value; signs count in maps without
        channels.

    Returns
    -------
    ndarray, (N,)
        1: the same order of positions; 0: none in common. NaN where a map is constant.

    Raises
    ------
    ValueError
        Maps that are no finite real numbers.
    ValueError
        Maps of different shapes, or neither (N, h, w) nor (N, h, w, C).

    Examples
    --------
    >>> import numpy as np, vizlib
    >>> maps = np.array([[[1.0, 2.0, 3.0]]])
    >>> vizlib.truth.rank_correlation(maps, maps**3)  # another scale, the same order
    array([1.])
    >>> vizlib.truth.rank_correlation(maps, -maps)
    array([-1.])
    """
    a, b = (rankdata(m.reshape(len(m), -1), axis=1) for m in _pair(maps, others))
    a, b = (r - r.mean(1, keepdims=True) for r in (a, b))
    with np.errstate(invalid="ignore", divide="ignore"):
        return (a * b).sum(1) / np.sqrt((a**2).sum(1) * (b**2).sum(1))


def similarity(maps: Maps, others: Maps) -> np.ndarray:
    """SSIM: how alike two maps look, each scaled by its own largest value.

    Parameters
    ----------
    maps, others : arrays, (N, h, w) or (N, h, w, C)
        Several channels are reduced by the largest absolute value; maps without channels are at
        least 0. At least 7 x 7 positions, the size of SSIM's window.

    Returns
    -------
    ndarray, (N,)
        1: the same. NaN for an all-zero map.

    Raises
    ------
    ValueError
        Maps that are no finite real numbers.
    ValueError
        Maps of different shapes, or neither (N, h, w) nor (N, h, w, C).
    ValueError
        Maps of fewer than 7 x 7 positions.
    ValueError
        Negative values: SSIM finds a map and its opposite alike.

    References
    ----------
    Wang, Bovik, Sheikh, Simoncelli 2004, Image quality assessment, IEEE TIP 13(4).

    Examples
    --------
    >>> import numpy as np, vizlib
    >>> maps = np.arange(64.0).reshape(1, 8, 8)
    >>> vizlib.truth.similarity(maps, 10 * maps)
    array([1.])
    """
    maps, others = _pair(maps, others)
    if min(maps.shape[1:]) < 7:
        raise ValueError(
            f"SSIM compares windows of 7 x 7, and these maps have {maps.shape[1:]} positions: "
            "enlarge them first, vizlib.upsample(maps, 7)."
        )
    if min(maps.min(), others.min()) < 0:
        raise ValueError(
            "Similarity is for maps without negative values: "
            "give np.abs(maps), or their positive part."
        )
    with np.errstate(invalid="ignore", divide="ignore"):
        a, b = (m / m.max((1, 2), keepdims=True) for m in (maps, others))
    return np.array([structural_similarity(x, y, data_range=1) for x, y in zip(a, b)])


def _pair(maps, others):
    """Two arrays of maps, (N, h, w)."""
    maps, others = (as_numbers(m, "The maps") for m in (maps, others))
    if maps.shape != others.shape or maps.ndim not in (3, 4) or 0 in maps.shape:
        raise ValueError(
            "Give two arrays of maps of one shape, (N, h, w) or (N, h, w, C), "
            f"not {maps.shape} and {others.shape}."
        )
    return (np.abs(m).max(-1) if m.ndim == 4 else m for m in (maps, others))

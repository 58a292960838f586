"""A map over its picture: grey where it is zero, and one sentence for what cannot be laid over."""

import numpy as np
import pytest
from matplotlib import colormaps

from vizlib import show

GREY = np.full((4, 6, 3), 100, "uint8")
MAP = np.array([[0.0, 1.0], [0.0, 0.0]])


def test_colour_and_cover_by_hand():
    """Of the map's own size: where it is largest, 0.9 of the colour over the grey."""
    picture = np.random.default_rng(0).integers(0, 255, (2, 2, 3)).astype("uint8")
    laid = show.overlay(picture, MAP)
    grey = picture.mean(-1, keepdims=True)
    np.testing.assert_array_equal(laid[:, 0], np.rint(grey[:, 0]).repeat(3, -1))
    hot = np.array(colormaps["inferno"](1.0)[:3]) * 255
    np.testing.assert_array_equal(laid[0, 1], np.rint(0.1 * grey[0, 1] + 0.9 * hot))
    np.testing.assert_array_equal(
        show.overlay(picture, MAP, strength=0), np.rint(grey).repeat(3, -1)
    )


def test_a_map_without_a_positive_value_is_painted_as_nothing():
    for heat in (-MAP, MAP * 0, np.full((2, 2), -7), np.zeros((2, 2), bool)):
        np.testing.assert_array_equal(show.overlay(GREY, heat), GREY)
    # and its own limits are a user's to name
    assert (show.overlay(GREY, -MAP, limits=(-1, 0)) != GREY).any()


def test_numbers_of_every_kind():
    want = show.overlay(GREY, MAP)
    for heat in (
        MAP.astype("float32"),
        MAP.astype("float16"),
        MAP.astype(int),
        MAP > 0,
        MAP.tolist(),
        9 * MAP,
        1e-30 * MAP,
        1e-300 * MAP,
        1e300 * MAP,
    ):
        np.testing.assert_array_equal(show.overlay(GREY, heat), want)
    for limits in ((0, 1), [0.0, 1.0], np.array([0, 1]), (np.float32(0), np.float64(1))):
        np.testing.assert_array_equal(show.overlay(GREY, MAP, limits=limits), want)


@pytest.mark.parametrize(
    "change, says",
    [
        (dict(picture=GREY / 255), r"uint8, not float64: give np.uint8\(255 \* picture\)"),
        (dict(picture=GREY.astype(int)), "uint8, not int"),
        (dict(picture=GREY[..., 0]), r"not \(4, 6\): .* np.stack\(\[picture\] \* 3, -1\)"),
        (dict(picture=GREY[..., :1]), r"\(H, W, 3\), not \(4, 6, 1\)"),
        (dict(picture=GREY[None]), r"not \(1, 4, 6, 3\): give pictures\[0\]"),
        (dict(picture=GREY[:0]), r"not \(0, 6, 3\)"),
        (dict(picture=None), r"\(H, W, 3\)"),
        (dict(picture="hen.png"), r"\(H, W, 3\)"),
        (dict(heat=MAP[None]), r"\(h, w\), not \(1, 2, 2\): give maps\[0\]"),
        (dict(heat=MAP[..., None]), r"\(h, w\), not \(2, 2, 1\)"),
        (dict(heat=MAP[:0]), r"\(h, w\), not \(0, 2\)"),
        (dict(heat=3), r"\(h, w\), not \(\)"),
        (dict(heat=MAP * np.nan), "NaN"),
        (dict(heat=MAP + np.inf), "infinite"),
        (dict(heat=MAP * 1j), "real numbers"),
        (dict(heat="hot"), "real numbers"),
        (dict(heat=None), "real numbers"),
        (dict(heat=[[1], [1, 2]]), "array"),
        *[
            (dict(limits=limits), "limits")
            for limits in (
                (1, 0), (1, 1), (0, np.nan), (0, np.inf), (1,), (0, 1, 2), 1, "01", ("0", "1"),
                (None, 1), (),
            )
        ],
        *[
            (dict(strength=strength), "strength")
            for strength in (-0.1, 1.1, np.nan, "0.5", None, [0.5], (0.1, 0.2))
        ],
    ],
)  # fmt: skip
def test_what_cannot_be_laid_over_gets_one_sentence(change, says):
    with pytest.raises(ValueError, match=says):
        show.overlay(**{"picture": GREY, "heat": MAP, **change})


def test_an_outline_lies_where_the_mask_is_whatever_the_size_of_the_map():
    mask = np.zeros((40, 40), bool)
    mask[8:24, 16:32] = True
    fig = show.grid([np.eye(10), -np.eye(10), None], outlines=[mask, None, None], columns=3)
    (line,) = fig.axes[0].collections
    (corners,) = (path.get_extents() for path in line.get_paths())
    # 8:24 of 40 rows are 2:6 of 10; the line runs half a pixel of the mask outside or inside
    np.testing.assert_allclose(corners.bounds, (3.5, 1.5, 4, 4), atol=0.26)
    assert not fig.axes[1].collections and not fig.axes[2].collections

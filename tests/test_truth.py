"""Grades of maps, on masks small enough to work by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vizlib import truth

MASK = np.array([[[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]], bool)  # a quarter of the picture


def spot(row, column, shape=(4, 4)):
    values = np.zeros((1, *shape))
    values[0, row, column] = 3.0
    return values


def test_mass_by_hand():
    assert truth.mass_inside(np.ones((1, 4, 4)), MASK) == [1.0]  # chance
    assert truth.mass_inside(spot(0, 1), MASK) == [4.0]  # all of it in a quarter
    assert truth.mass_inside(spot(3, 3), MASK) == [0.0]
    assert truth.mass_inside(spot(0, 1) + spot(3, 3), MASK) == [2.0]
    assert truth.mass_inside(spot(0, 1) - spot(3, 3), MASK) == [4.0]  # negative counts as nothing
    channels = np.stack([spot(0, 1), -2 * spot(3, 3)], -1)  # ... but of channels the largest absolute value
    assert truth.mass_inside(channels, MASK) == pytest.approx([4 / 3])


def test_a_coarse_map_is_graded_by_the_share_of_each_place():
    coarse = np.array([[[1.0, 0.0], [0.0, 1.0]]])
    assert truth.mass_inside(coarse, MASK) == [2.0]
    half = np.zeros((1, 4, 4), bool)
    half[0, 0, :2] = True  # half of the upper left place, an eighth of the picture
    assert truth.mass_inside(coarse, half) == pytest.approx([0.25 / 0.125])
    assert truth.pointing_game(coarse[:, :, ::-1], MASK) == [0.0]


def test_pointing_by_hand():
    assert truth.pointing_game(spot(1, 1), MASK) == [1.0]
    assert truth.pointing_game(spot(2, 1), MASK) == [0.0]
    assert truth.pointing_game(spot(2, 1), MASK, tolerance=1) == [1.0]
    assert truth.pointing_game(spot(3, 3), MASK, tolerance=1) == [0.0]
    assert truth.pointing_game(spot(1, 1) + spot(3, 3), MASK) == [0.5]  # two maxima, one of them inside
    assert truth.pointing_game(spot(1, 1), np.zeros_like(MASK)) == [0.0]


def test_what_cannot_be_graded_is_nan():
    for maps in (np.zeros((1, 4, 4)), -np.ones((1, 4, 4))):
        assert np.isnan(truth.mass_inside(maps, MASK)) and np.isnan(truth.pointing_game(maps, MASK))
    assert np.isnan(truth.mass_inside(np.ones((1, 4, 4)), np.zeros_like(MASK)))


@given(st.integers(0, 999))
def test_random_maps_are_at_chance_and_scale_does_not_matter(seed):
    rng = np.random.default_rng(seed)
    maps, masks = rng.uniform(size=(400, 8, 8)), np.repeat(rng.uniform(size=(1, 8, 8)) < 0.4, 400, 0)
    masks[:, 0, 0] = True
    assert truth.mass_inside(maps, masks).mean() == pytest.approx(1, abs=0.1)
    assert truth.pointing_game(maps, masks).mean() == pytest.approx(masks.mean(), abs=0.15)
    np.testing.assert_allclose(truth.mass_inside(7 * maps, masks), truth.mass_inside(maps, masks))


@pytest.mark.parametrize(
    "maps, masks, says",
    [
        (np.ones((1, 3, 4)), MASK, "no multiple"),
        (np.ones((2, 4, 4)), MASK, "as many masks"),
        (np.ones((4, 4)), MASK, "as many masks"),
        (np.ones((1, 4, 4)), MASK.astype(int), "true and false"),
        (np.full((1, 4, 4), np.nan), MASK, "NaN"),
    ],
)
def test_bad_input_gets_one_sentence(maps, masks, says):
    for grade in (truth.mass_inside, truth.pointing_game):
        with pytest.raises(ValueError, match=says):
            grade(maps, masks)
    with pytest.raises(ValueError, match="tolerance"):
        truth.pointing_game(np.ones((1, 4, 4)), MASK, tolerance=-1)

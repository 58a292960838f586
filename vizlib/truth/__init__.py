"""Is a map right? Grades against masks, the network's own scores, and a network that forgets."""

from .comparison import rank_correlation, similarity
from .curves import Curve, deletion, insertion
from .localization import evidence, grid_pointing, mass_inside, pointing_game
from .sanity import Randomization, randomization

__all__ = [
    "Curve",
    "Randomization",
    "deletion",
    "evidence",
    "grid_pointing",
    "insertion",
    "mass_inside",
    "pointing_game",
    "randomization",
    "rank_correlation",
    "similarity",
]

"""What all tests share: where they import from, no clock, and the small network in every shape."""

import sys
from pathlib import Path

import hypothesis
import keras
import pytest

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / folder) for folder in ("tests", "notebooks", "data/make")]

import shapes

hypothesis.settings.register_profile(  # no example is too slow on a busy machine, none by chance
    "course",
    deadline=None,
    derandomize=True,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("course")


@pytest.fixture(scope="module", params=shapes.SHAPES, ids=lambda f: f.__name__)
def case(request):
    """(model, its weights in float64, images for it, the layer of its second map)."""
    return shapes.build(request.param)


@pytest.fixture(autouse=True)
def same_weights_each_time():
    """New layers draw what they drew before, whatever tests ran first."""
    keras.utils.set_random_seed(0)

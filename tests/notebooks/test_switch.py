"""Lessons run on other networks, without a download: the code is not only about `pocket`."""

import build
import pytest
from lessons import LESSONS, figures, read, run, shorten

pytestmark = pytest.mark.slow
ALSO_MOBILE = ("01", "02", "05", "07")
CASES = [
    (p, m)
    for p in LESSONS
    if p.parent.name != "beyond"  # these name their networks
    for m in ("vgg16", "mobilenetv2")
    if m == "vgg16" or build.key(p) in ALSO_MOBILE
]


@pytest.mark.parametrize("path, model", CASES, ids=lambda v: getattr(v, "stem", v))
def test_runs_on_another_network(path, model):
    book = run(shorten(read(path)), path, VIZLIB_MODEL=model, VIZLIB_WEIGHTS="random")
    assert len(list(figures(book))) == len(list(figures(read(path))))

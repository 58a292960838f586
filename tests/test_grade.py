"""The committed grades of all maps are those that the code gives today, on a part of the pictures."""

import csv
import sys
from pathlib import Path

import numpy as np
import pytest

from vizlib import data

sys.path.insert(0, str(Path(__file__).parents[1] / "data/make"))
import grade

STORED = data.root() / "truth"


def differences(name, count):
    """Per grade: stored minus computed, of the first pictures of each set."""
    with np.load(grade.file(STORED, name)) as stored:
        for where, grader, pictures in grade.sets(grade.METHODS[name].slow):
            for key, now in grade.grade(grade.METHODS[name], grader, pictures[:count]).items():
                yield key, stored[f"{where}/{key}"][:count], now


def check(name, count):
    for key, then, now in differences(name, count):
        assert (np.isnan(then) == np.isnan(now)).all(), key
        if key == "pointing" or key.startswith("parts"):  # of near ties either may win on another processor
            assert np.nanmean(np.abs(then - now)) < 0.1, key
        else:
            np.testing.assert_allclose(now, then, rtol=0.02, atol=0.01, err_msg=key)


@pytest.mark.parametrize("name", [name for name, method in grade.METHODS.items() if not method.slow])
def test_grades_of_one_pass_have_not_drifted(name, monkeypatch):
    forgetting = grade.sets

    monkeypatch.setattr(grade, "sets", lambda slow: (s for s in forgetting(slow) if s[0] not in ("forgetting", "steps")))
    check(name, 14)


@pytest.mark.slow
@pytest.mark.parametrize("name", grade.METHODS)
def test_grades_have_not_drifted(name):
    check(name, 2)


def test_the_table_follows_from_the_grades():
    with open(STORED / "table.csv", newline="") as f:
        header, *rows = csv.reader(f)
    assert header == ["method", "set", "grade", "pictures", "value", "low", "high"]
    found = [[str(v) for v in row] for row in grade.summary(STORED)]
    assert [row[:4] for row in found] == [row[:4] for row in rows]
    np.testing.assert_allclose(np.array([row[4:] for row in found], float), np.array([row[4:] for row in rows], float), atol=0.002)
    assert "\n".join(grade.table(rows)) + "\n" == (STORED / "table.md").read_text()


def test_what_needs_no_network_is_graded_as_chance():
    with open(STORED / "table.csv", newline="") as f:
        rows = {(r["method"], r["set"], r["grade"]): r for r in csv.DictReader(f)}
    for key, chance in ((("random", "animals", "inside"), 1), (("edge detector", "Labrador and tabby", "named"), 0.5)):
        assert abs(float(rows[key]["value"]) - chance) < 0.02, key

"""`lesson.check` and `lesson.opening` print one sentence, whatever they are given."""

import shutil

import lesson
import numpy as np
import pytest
from lessons import NOTEBOOKS

import vizlib

# ---- answers that are right ----------------------------------------------------------------------


def crop(picture, box):
    """Right, and paints over what it was given."""
    top, left, bottom, right = box
    wide = np.pad(picture, ((99, 99), (99, 99), (0, 0)), constant_values=127)
    picture[:] = 0
    return wide[top + 99 : bottom + 99, left + 99 : right + 99]


def heatmap(drops, boxes, height, width):
    """Right; shifts the boxes and spends the drops."""
    total, count = np.zeros((2, height, width))
    for i, (top, left, bottom, right) in enumerate(boxes):
        total[top:bottom, left:right] += drops[i]
        count[top:bottom, left:right] += 1
    drops *= 0
    boxes += 1
    return total / np.maximum(count, 1)


def integrated(slope, x, baseline, steps):
    """Right; the baseline becomes the place on the way."""
    way = x - baseline
    total, baseline[:] = np.zeros_like(x), baseline + way / (2 * steps)
    for _ in range(steps):
        total += slope(baseline[None])[0] / steps
        baseline += way / steps
    x[:] = 0
    return way * total


def weighted(maps, gradients):
    """Right; weights the maps in place."""
    maps *= gradients.mean((0, 1))
    gradients[:] = 0
    return np.maximum(maps.sum(-1), 0)


def unpool(signal, switches):
    """Right; empties the signal."""
    result = np.zeros((2 * len(signal), 2 * signal.shape[1]))
    for (r, c), value in np.ndenumerate(signal):
        result[2 * r + switches[r, c] // 2, 2 * c + switches[r, c] % 2] = value
        signal[r, c] = 0
    return result


def dead(maps):
    """Right; makes every map one number."""
    maps[:] = maps.max((1, 2), keepdims=True)
    return np.flatnonzero(maps.max((0, 1, 2)) <= 0)


def odd(vectors, labels):
    """Right; moves the points afterwards."""
    _, found = vizlib.neighbours(vectors, vectors, 11)
    same = labels[found[:, 1:]] == labels[:, None]
    vectors += 1e3 * labels[:, None]
    labels[:] = 0
    return int(same.sum(1).argmin())


@pytest.mark.parametrize(
    "number, answer, given",
    [
        ("1.2", dead, {}),
        ("2.2", odd, {"labels": None}),
        ("3.2", crop, {}),
        ("4.2", heatmap, {}),
        ("5.2", integrated, {}),
        ("6.2", unpool, {}),
        ("7.2", weighted, {}),
    ],
)
def test_a_right_answer_may_change_what_it_is_given(number, answer, given, capsys):
    lesson.check(number, answer, **given)
    assert capsys.readouterr().out == f"Exercise {number}: right.\n"


@pytest.mark.parametrize("answer", ["DeconvNet", "deconvnet", " DECONVNET "])
def test_the_name_of_a_method_in_any_letters(answer, capsys):
    table = [
        {"method": "DeconvNet", "grade": f"new last layer, {sign}", "value": value}
        for sign, value in (("signed", "0.1"), ("absolute", "0.9"))
    ]
    lesson.check("7.4", answer, table=table)
    assert capsys.readouterr().out == "Exercise 7.4: right.\n"


# ---- answers that go wrong -----------------------------------------------------------------------


class Unspeakable(Exception):
    def __str__(self):
        raise SystemExit("no text")

    __repr__ = __str__


class Silent(Exception):
    def __str__(self):
        return None


class Base(BaseException):
    pass


class NoAnswer:
    """Nothing about it works."""

    def broken(self, *args):
        raise Unspeakable

    __repr__ = __str__ = __eq__ = __bool__ = __len__ = __iter__ = __float__ = __int__ = broken
    __array__ = __index__ = broken
    __hash__ = None


def raises(error):
    def function(*args):
        raise error

    return function


@pytest.mark.parametrize(
    "error, says",
    [
        (SystemExit(), "SystemExit"),
        (SystemExit(3), "SystemExit: 3"),
        (Base("mine"), "Base: mine"),
        (GeneratorExit(), "GeneratorExit"),
        (Unspeakable(), "Unspeakable"),
        (Silent(), "Silent"),
        (ValueError("one\ntwo\nthree"), "ValueError: one"),
        (ValueError("\n\n  late\nmore"), "ValueError: late"),
        (ValueError("x" * 5000), "ValueError: " + "x" * 200),
        (RecursionError("too deep."), "RecursionError: too deep"),
    ],
    ids=lambda v: type(v).__name__,
)
def test_an_error_is_named_by_its_first_line(error, says, capsys):
    lesson.check("7.2", raises(error))
    assert capsys.readouterr().out == f"Exercise 7.2: not yet: your answer led to {says}.\n"


def test_ctrl_c_stops_the_cell():
    with pytest.raises(KeyboardInterrupt):
        lesson.check("7.2", raises(KeyboardInterrupt()))


@pytest.mark.parametrize("number", ["1.2", "2.2", "3.2", "4.2", "5.2", "6.2", "7.2"])
@pytest.mark.parametrize(
    "returned",
    [NoAnswer(), "text", b"bytes", 1j, {}, set(), [[1], [1, 2]], np.array("x"), object(), print],
    ids=lambda v: type(v).__name__,
)
def test_whatever_a_function_returns_gets_one_line(number, returned, capsys):
    given = {"labels": None} if number == "2.2" else {}
    lesson.check(number, lambda *args: returned, **given)
    said = capsys.readouterr().out
    assert said.startswith(f"Exercise {number}: not") and said.count("\n") == 1


def test_a_stub_is_not_answered_yet(capsys):
    for answer in (..., None, lambda *args: ..., lambda *args: None):
        lesson.check("7.2", answer)
    assert capsys.readouterr().out == 4 * "Exercise 7.2: not answered yet.\n"


# ---- the opening ---------------------------------------------------------------------------------


@pytest.fixture
def openings(tmp_path, monkeypatch):
    shutil.copytree(NOTEBOOKS / "openings", tmp_path / "openings")
    shown = []
    monkeypatch.setattr(lesson, "HERE", tmp_path)
    monkeypatch.setattr(lesson, "display", lambda bundle, **how: shown.append(bundle))
    return tmp_path / "openings", shown


def test_the_opening_picture_is_shown_with_its_text(openings, capsys):
    folder, shown = openings
    lesson.opening("04")
    assert shown == [
        {
            "image/jpeg": (folder / "04.jpg").read_bytes(),
            "text/plain": (folder / "04.txt").read_text().strip(),
        }
    ]
    assert capsys.readouterr().out.count("\n") == 1


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "04.txt").unlink(),
        lambda folder: (folder / "04.txt").write_text(""),
        lambda folder: (folder / "04.txt").write_bytes(b"\xff\xfe"),
        lambda folder: (folder / "04.jpg").write_bytes((folder / "04.jpg").read_bytes()[:20000]),
        lambda folder: (folder / "04.jpg").write_bytes((folder / "04.jpg").read_bytes()[:100]),
        lambda folder: (folder / "04.jpg").write_bytes(b""),
        lambda folder: (folder / "04.jpg").write_bytes(b"\x89PNG\r\n\x1a\n" + 99 * b"\0"),
    ],
    ids=["no text", "empty", "not utf-8", "half", "head", "nothing", "other kind"],
)
def test_a_damaged_opening_gets_one_sentence(openings, damage, capsys):
    folder, shown = openings
    damage(folder)
    lesson.opening("04")
    ready, sentence = capsys.readouterr().out.splitlines()
    assert "Ready" in ready and not shown
    assert "git checkout -- notebooks/openings/04.jpg notebooks/openings/04.txt" in sentence


def test_a_new_lesson_has_no_opening_yet(openings, capsys):
    folder, shown = openings
    (folder / "04.jpg").unlink()
    lesson.opening("04")
    assert capsys.readouterr().out.count("\n") == 1 and not shown

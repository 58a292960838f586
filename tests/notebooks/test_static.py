"""What holds for every committed lesson without running it."""

import csv
import io
import re
import subprocess
import sys
from types import SimpleNamespace

import build
import numpy as np
import pytest
from lessons import (
    LESSONS,
    NOTEBOOKS,
    ROOT,
    code,
    figures,
    number_of,
    printed,
    read,
    shorten,
    solution,
    tagged,
)
from PIL import Image

from vizlib import photos

IGNORED = {}  # lesson -> how many outputs nbval may ignore; at most two


@pytest.fixture(params=LESSONS, ids=lambda p: p.stem)
def path(request):
    return request.param


@pytest.fixture
def book(path):
    return read(path)


def test_there_are_lessons():
    assert LESSONS


def test_was_executed_from_top_to_bottom(book):
    assert [cell.execution_count for cell in code(book)] == list(range(1, len(code(book)) + 1))
    outputs = [o for cell in code(book) for o in cell.outputs]
    assert not [o for o in outputs if o.output_type == "error" or o.get("name") == "stderr"]
    assert not [o for o in outputs if build.WIDGET in o.get("data", {})]
    assert "widgets" not in book.metadata


def test_nothing_is_skipped_and_little_ignored(path, book):
    tags = [tag for cell in book.cells for tag in cell.metadata.get("tags", [])]
    source = "\n".join(cell.source for cell in code(book))
    assert (
        not {"nbval-skip", "raises-exception", "nbval-raises-exception"} & set(tags)
        and "NBVAL" not in source
    )
    assert tags.count("nbval-ignore-output") <= IGNORED.get(build.key(path), 0) <= 2


def test_is_a_lesson_and_not_a_book(path, book):
    words = sum(len(cell.source.split()) for cell in book.cells if cell.cell_type == "markdown")
    lines = [
        len([line for line in cell.source.splitlines() if line.strip()]) for cell in code(book)
    ]
    assert len(book.cells) <= 60 and words <= 2600 and max(lines) <= 50
    assert len(list(figures(book))) - 1 <= 14  # one of them is the opening picture again
    assert path.stat().st_size < 3e6


def test_a_trial_run_shortens_lines_that_are_there(path):
    assert shorten(read(path)) != read(path) or path.parent.name == "beyond"


def test_headings(path, book):
    text = "\n".join(
        re.sub(r"```.*?```", "", cell.source, flags=re.DOTALL)
        for cell in book.cells
        if cell.cell_type == "markdown"
    )
    levels = [len(m) for m in re.findall(r"^(#+) ", text, flags=re.MULTILINE)]
    assert (
        levels.count(1) == 1
        and levels[0] == 1
        and all(b <= a + 1 for a, b in zip(levels, levels[1:]))
    )
    for said in (
        "**You will learn**",
        "In this notebook we",
        "What to distrust",
        "References",
        "arxiv.org/abs",
    ):
        assert said in text
    assert "The case, part" in text or path.parent.name == "beyond"


def test_every_figure_has_a_text_and_a_size_and_is_not_blank(book):
    found = list(figures(book))
    assert found
    for mime, image, metadata, alt in found:
        assert len(alt.split()) >= 8
        assert (metadata["width"], metadata["height"]) == (image.shape[1] // 2, image.shape[0] // 2)
        assert image.shape[1] <= 1440 and image.std() > 5 and len(np.unique(image)) > 8
        assert mime in ("image/jpeg", "image/png")


def test_figures_have_the_text_that_their_cell_says(book):
    for cell in code(book)[1:]:  # the first shows the opening picture
        texts = [output.metadata[mime].get("alt") for output, mime in build.pictures(cell)]
        assert texts == [text for text in [cell.metadata.get("alt")] if text]  # one figure, or none


def test_figures_are_numbered_and_told(book):
    text = "\n".join(cell.source for cell in book.cells if cell.cell_type == "markdown")
    numbers = [int(n) for n in re.findall(r"\*\*Figure (\d+)\.\*\*", text)]
    assert numbers == list(range(1, len(list(figures(book)))))


def test_exercises_are_unanswered_and_have_a_solution(path, book):
    for i, cell in enumerate(book.cells):
        if tagged(cell, "exercise"):
            check, details = book.cells[i + 1 : i + 3]
            assert "..." in cell.source
            call = re.fullmatch(r"(?s)lesson\.check\(\s*\"(B?\d\.\d)\".*\)", check.source.strip())
            number = call[1]
            assert number.split(".")[0] == number_of(book)
            assert printed(check) == f"Exercise {number}: not answered yet.\n"
            compile(solution(details), "solution", "exec")


def test_opening_follows_the_builder(path, book):
    number, (name, tag) = build.key(path), build.repository()
    first = next(cell for cell in code(book))
    assert first.source == build.first_cell(path, name and f"https://github.com/{name}", tag)
    assert (
        build.between(book.cells[0].source, "badges", build.badges(path, name, tag))
        == book.cells[0].source
    )
    assert (NOTEBOOKS / f"openings/{number}.jpg").is_file()


def test_time_and_memory_are_those_measured_and_within_bounds(path, book):
    number = build.key(path)
    cost = build.costs()[number]
    for text, marker in (
        (book.cells[0].source, "cost"),
        ((ROOT / "README.md").read_text(), f"cost {number}"),
    ):
        assert build.between(text, marker, build.says(cost)) == text
    assert int(cost["seconds"]) <= build.SECONDS.get(number, 60) and int(cost["megabytes"]) <= 1500


def test_what_is_uploaded_is_found_with_old_and_new_widgets():
    (path,) = (p for p in LESSONS if p.stem == "your_network")
    (source,) = (cell.source for cell in code(read(path)) if "def uploaded" in cell.source)
    scope = {"io": io, "photos": photos}
    exec(source[source.index("def uploaded") :].split("\n\n\n")[0], scope)
    red = io.BytesIO()
    Image.new("RGB", (3, 2), "red").save(red, "PNG")
    name, content = "mine.png", red.getvalue()
    for value in (
        {name: {"metadata": {"name": name}, "content": content}},  # ipywidgets 7
        ({"name": name, "content": memoryview(content)},),  # ipywidgets 8
    ):
        image = scope["uploaded"](SimpleNamespace(value=value), "moose")
        assert image.shape == (2, 3, 3) and (image == [255, 0, 0]).all()
    for value in ({}, ()):
        moose = scope["uploaded"](SimpleNamespace(value=value), "moose")
        np.testing.assert_array_equal(moose, photos.load("moose"))


def test_cost_csv_names_the_lessons_there_are():
    with open(NOTEBOOKS / "cost.csv", newline="") as f:
        assert [row["lesson"] for row in csv.DictReader(f)] == [build.key(path) for path in LESSONS]


def test_badges_and_first_cell_of_a_published_course():
    text = build.badges(LESSONS[0], "someone/course", "v1.0")
    assert (
        "github/someone/course/blob/v1.0/notebooks/01_activations.ipynb" in text
        and "gh/someone/course/v1.0" in text
    )
    assert build.badges(LESSONS[0], "", "") == ""
    assert build.live("someone/course") == "[live page](https://someone.github.io/course/live/)"
    assert build.live("") == "live page"
    with pytest.raises(SystemExit, match="must stand once"):
        build.between("no marker here", "cost", "1")


@pytest.mark.parametrize("folder", ["notebooks", "notebooks/beyond"])
def test_first_cell_on_colab_fetches_the_course_and_stands_in_it(tmp_path, folder):
    """Run as Colab would: an empty folder, the module google.colab, and a repository with a tag."""
    published, content = tmp_path / "published", tmp_path / "content"
    (published / folder).mkdir(parents=True)
    (published / "vizlib").mkdir()
    content.mkdir()
    (published / folder / "one").touch()
    (published / "vizlib/__init__.py").write_text("here = True\n")
    (published / "notebooks/lesson.py").write_text(
        "import vizlib\ndef opening(n): print('opened', n, vizlib.here)\n"
    )
    who = ["-c", "user.name=a", "-c", "user.email=a@b"]
    for command in (["init", "-q"], ["add", "."], [*who, "commit", "-qm", "x"], ["tag", "v1"]):
        subprocess.run(["git", *command], cwd=published, check=True)
    cell = build.first_cell(ROOT / folder / "01_one.ipynb", f"file://{published}", "v1")
    colab = "import sys, types\nsys.modules['google.colab'] = types.ModuleType('colab')"
    twice = f"{colab}\n{cell}\nprint(os.getcwd())\n{cell}\nprint(os.getcwd())"
    for _ in range(2):  # "Restart and run all" finds the course there
        done = subprocess.run(
            [sys.executable, "-c", twice], cwd=content, capture_output=True, text=True, check=True
        )
        assert done.stderr == ""  # git says nothing either
        assert done.stdout.split() == 2 * ["opened", "01", "True", str(content / "course" / folder)]
    again = subprocess.run(
        [sys.executable, "-c", cell], cwd=ROOT / folder, capture_output=True, text=True
    )
    assert "Ready" in again.stdout and again.returncode == 0  # elsewhere it fetches nothing

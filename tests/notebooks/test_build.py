"""The builder, on a course of one small lesson: what it writes, and that failing costs nothing."""

import base64
import re

import build
import nbformat
import numpy as np
import pytest
from PIL import Image

LESSON = """
import os
from pathlib import Path
from IPython.display import display
def opening(number):
    path = Path(os.environ.get("VIZLIB_OPENINGS", "openings")) / f"{number}.jpg"
    print("opening:", path.stat().st_size if path.is_file() else "none")
"""
FIGURE = """
import io, sys
from PIL import Image
from IPython.display import display
out = io.BytesIO()
Image.linear_gradient("L").save(out, "PNG")
bundle = {"image/png": out.getvalue(), "text/plain": "A figure."}
display(bundle, metadata={"image/png": {"width": 128}}, raw=True)
print("noise", file=sys.stderr)
"""
WIDGET = (
    f"""display({{"text/plain": "Run this cell to use it.", "{build.WIDGET}": {{}}}}, raw=True)"""
)


@pytest.fixture
def course(tmp_path, monkeypatch):
    folder = tmp_path / "notebooks"
    folder.mkdir()
    (folder / "lesson.py").write_text(LESSON)
    (folder / "repository.txt").touch()
    (folder / "cost.csv").write_text("lesson,seconds,megabytes\n")
    (tmp_path / "README.md").write_text(
        "<!-- badges --><!-- /badges --><!-- live --><!-- /live -->"
        "<!-- cost 01 --><!-- /cost 01 -->"
    )
    monkeypatch.setattr(build, "HERE", folder)
    return folder


def lesson(course, *sources):
    v4 = nbformat.v4
    cells = [
        v4.new_markdown_cell("# One\n<!-- badges --><!-- /badges --> <!-- cost --><!-- /cost -->"),
        v4.new_code_cell(),
    ]
    cells += [v4.new_code_cell(source) for source in sources]
    cells[2].metadata |= {"tags": ["opening"], "alt": "from black to white"}
    path = course / "01_one.ipynb"
    nbformat.write(v4.new_notebook(cells=cells), path)
    return path


def test_a_lesson_is_built_and_stays_as_built(course):
    ballast = np.ones(10**8)  # 800 MB here: the kernel's peak must not be taken for ours
    path = lesson(course, FIGURE, WIDGET)
    build.build(path)
    book = nbformat.read(path, as_version=4)
    first, figure, widget = (cell for cell in book.cells if cell.cell_type == "code")
    assert (
        "".join(o.text for o in first.outputs)
        == f"opening: {(course / 'openings/01.jpg').stat().st_size}\n"
    )
    assert [o.metadata for o in figure.outputs] == [
        {"image/png": {"width": 128, "alt": "from black to white"}}
    ]
    assert widget.outputs[0].data == {"text/plain": "Run this cell to use it."}
    with Image.open(course / "openings/01.jpg") as picture:
        assert picture.size == (256, 256)
    assert (course / "openings/01.txt").read_text() == "from black to white\n"
    cost = build.costs()["01"]
    assert 30 < int(cost["megabytes"]) < ballast.nbytes / 1e6
    assert (
        build.says(cost) in book.cells[0].source
        and build.says(cost) in (course.parent / "README.md").read_text()
    )

    build.build(path)
    again = nbformat.read(path, as_version=4)
    assert again.cells[1:] == book.cells[1:]  # the first may tell another second


def files(course):
    return {file: file.read_bytes() for file in course.parent.rglob("*") if file.is_file()}


def test_a_lesson_that_fails_is_named_and_left_as_it_was(course):
    path = lesson(course, FIGURE, "1 / 0")
    before = files(course)
    with pytest.raises(SystemExit, match=r"(?s)01_one\.ipynb, cell 3: .*ZeroDivisionError"):
        build.build(path)
    assert files(course) == before


def test_a_second_run_that_fails_changes_nothing_either(course):
    """The first run makes the opening picture, the second one shows it."""
    path = lesson(course, FIGURE, "import os; assert 'VIZLIB_OPENINGS' not in os.environ")
    before = files(course)
    with pytest.raises(SystemExit, match="cell 3"):
        build.build(path)
    assert files(course) == before


def test_a_kernel_that_dies_is_named(course):
    path = lesson(course, FIGURE, "import os; os._exit(1)")
    before = files(course)
    with pytest.raises(SystemExit, match=r"01_one\.ipynb, cell 3: Kernel died"):
        build.build(path)
    assert files(course) == before


def run_without_a_kernel(size):
    """In place of `execute`: the opening figure is noise, so that its file is large."""
    noise = np.random.default_rng(0).integers(0, 256, (size, size, 3), dtype="uint8")

    def execute(book, name, **environment):
        out = build.io.BytesIO()
        Image.fromarray(noise).save(out, "PNG")
        data = {"image/png": base64.b64encode(out.getvalue()).decode(), "text/plain": "noise"}
        book.cells[2].outputs = [nbformat.v4.new_output("display_data", data)]
        return 1.0, 100

    return execute


@pytest.mark.parametrize(
    "limit", [10_000, 150_000, 300_000], ids=["nothing fits", "no picture", "no lesson"]
)
def test_a_full_disk_changes_nothing(course, monkeypatch, limit):
    """No file may become larger than the limit, as on a disk without room."""
    resource = pytest.importorskip("resource")
    path = lesson(course, FIGURE)
    monkeypatch.setattr(build, "execute", run_without_a_kernel(100))
    build.build(path)  # small, and all is there
    monkeypatch.setattr(build, "execute", run_without_a_kernel(400))
    before, old = files(course), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, old[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            build.build(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
    assert files(course) == before
    build.build(path)
    assert files(course).keys() == before.keys() and files(course) != before


@pytest.mark.parametrize("share", [0, 0.5, 0.9])
@pytest.mark.parametrize("name", ["01_one.ipynb", "cost.csv"])
def test_half_a_file_gets_one_sentence(course, monkeypatch, name, share):
    path = lesson(course, FIGURE)
    monkeypatch.setattr(build, "execute", run_without_a_kernel(100))
    build.build(path)
    damaged = course / name
    content = damaged.read_bytes()
    damaged.write_bytes(content[: int(len(content) * share)])
    before = files(course)
    with pytest.raises(SystemExit, match=rf"git checkout -- notebooks/{re.escape(name)}"):
        build.build(path)
    assert files(course) == before


def test_a_lesson_without_an_opening_figure_is_told(course):
    path = lesson(course, "1")
    with pytest.raises(SystemExit, match="tag the cell whose figure opens the lesson"):
        build.build(path)

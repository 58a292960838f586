"""The builder, on a course of one small lesson: what it writes, that a second run changes nothing, that a failure costs nothing."""

import sys

import nbformat
import numpy as np
import pytest
from lessons import NOTEBOOKS
from PIL import Image

sys.path.insert(0, str(NOTEBOOKS))
import build

LESSON = """
from pathlib import Path
from IPython.display import display
def opening(number):
    path = Path(f"openings/{number}.jpg")
    print("opening:", path.stat().st_size if path.is_file() else "none")
"""
FIGURE = """
import io, sys
from PIL import Image
from IPython.display import display
out = io.BytesIO()
Image.linear_gradient("L").save(out, "PNG")
display({"image/png": out.getvalue(), "text/plain": "from black to white"}, metadata={"image/png": {"alt": "x"}}, raw=True)
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
    (tmp_path / "README.md").write_text("<!-- cost 01 --><!-- /cost 01 -->")
    monkeypatch.setattr(build, "HERE", folder)
    return folder


def lesson(course, *sources):
    v4 = nbformat.v4
    cells = [
        v4.new_markdown_cell("# One\n<!-- badges --><!-- /badges --> <!-- cost --><!-- /cost -->"),
        v4.new_code_cell(),
    ]
    cells += [v4.new_code_cell(source) for source in sources]
    cells[2].metadata["tags"] = ["opening"]
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
    assert [o.output_type for o in figure.outputs] == ["display_data"]
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


def test_a_lesson_that_fails_is_named_and_left_as_it_was(course):
    path = lesson(course, FIGURE, "1 / 0")
    before = {file: file.read_bytes() for file in course.parent.rglob("*.*") if file.is_file()}
    with pytest.raises(SystemExit, match=r"(?s)01_one\.ipynb, cell 3: .*ZeroDivisionError"):
        build.build(path)
    assert {
        file: file.read_bytes() for file in course.parent.rglob("*.*") if file.is_file()
    } == before

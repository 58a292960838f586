"""The learner's copies: nothing that was written is ever lost, and answers move to new versions."""

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request

import build
import nbformat
import pytest
import work
from lessons import ROOT
from nbformat import v4


def lesson(*cells):
    """A lesson of cells, text or code; what begins with `answer` is an exercise."""
    made = []
    for source in cells:
        made.append(v4.new_markdown_cell(source) if source[0] == "#" else v4.new_code_cell(source))
        made[-1].id = f"01-{len(made):02d}"  # as the builder numbers them
        if source.startswith("answer"):
            made[-1].metadata["tags"] = ["exercise"]
    return v4.new_notebook(cells=made)


FIRST = ["# One", "x = 1", "answer = ...", 'lesson.check("1.1", answer)', "answer = 0 or ..."]
FIRST += ['lesson.check(\n    "1.2",\n    answer)']
SECOND = ["# One, better", *FIRST[4:], "x = 2", *FIRST[2:4], "y = 3"]


@pytest.fixture
def course(tmp_path, monkeypatch):
    here, there = tmp_path / "notebooks", tmp_path / "work"
    (here / "beyond").mkdir(parents=True)
    for name in ("index.ipynb", "01_one.ipynb", "02_two.ipynb", "beyond/more.ipynb"):
        nbformat.write(lesson(*FIRST), here / name)
    (here / "lesson.py").write_text("where = __file__\n")
    (here / "build.py").touch()
    monkeypatch.setattr(work, "HERE", here)
    monkeypatch.setattr(work, "WORK", there)
    work.lay_out()
    return here, there


def write(path, **new):
    """Change cells of a notebook: by number, as a learner would."""
    book = nbformat.read(path, as_version=4)
    for cell, source in new.items():
        book.cells[int(cell[1:])].source = source
    book.cells[1].outputs = [v4.new_output("stream", text="it ran\n")]
    nbformat.write(book, path)


def sources(path):
    return [source for _, source in work.sources(path)]


def test_the_learner_sees_lessons_and_no_scripts(course):
    _, there = course
    seen = sorted(p.relative_to(there).as_posix() for p in there.rglob("[!.]*") if p.is_file())
    seen = [name for name in seen if not name.startswith(".")]
    assert seen == ["01_one.ipynb", "02_two.ipynb", "beyond/more.ipynb", "index.ipynb", "lesson.py"]


def test_a_second_laying_out_overwrites_nothing_and_brings_what_is_missing(course):
    _, there = course
    write(there / "01_one.ipynb", c2="answer = 7")
    (there / "02_two.ipynb").unlink()
    before = (there / "01_one.ipynb").read_bytes()
    work.lay_out()
    assert (there / "01_one.ipynb").read_bytes() == before and (there / "02_two.ipynb").exists()


@pytest.mark.parametrize("folder", [".", "beyond"])
def test_a_lesson_finds_what_lessons_share(course, folder):
    here, there = course
    code = "import sys; sys.path.insert(0, '..'); import lesson; print(lesson.where)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=there / folder, capture_output=True, text=True
    )
    assert done.stdout.strip() == str(here / "lesson.py"), done.stderr


def test_what_was_only_run_becomes_the_new_version(course, capsys):
    here, there = course
    nbformat.write(lesson(*SECOND), here / "01_one.ipynb")
    write(there / "01_one.ipynb")  # outputs
    assert [name.name for name in work.outdated()] == ["01_one.ipynb"]
    work.main("update")
    assert sources(there / "01_one.ipynb") == SECOND and not work.outdated()
    assert capsys.readouterr().out == "work/01_one.ipynb is the new version.\n"
    assert not list(there.glob("*.bak*"))


def test_answers_move_to_the_new_version_and_the_old_one_stays(course, capsys):
    here, there = course
    write(there / "01_one.ipynb", c0="# One, and my notes", c2="answer = 7")
    old = (there / "01_one.ipynb").read_bytes()
    work.main("update")  # nothing new yet
    assert (there / "01_one.ipynb").read_bytes() == old and capsys.readouterr().out == ""
    nbformat.write(lesson(*SECOND), here / "01_one.ipynb")
    work.main("update")
    expected = [cell if cell != "answer = ..." else "answer = 7" for cell in SECOND]
    assert sources(there / "01_one.ipynb") == expected
    assert (there / "01_one.bak.ipynb").read_bytes() == old
    assert "your answers are in it, all you had is in 01_one.bak.ipynb" in capsys.readouterr().out
    nbformat.write(lesson(*FIRST), here / "01_one.ipynb")
    work.main("update")  # and once more
    assert sources(there / "01_one.ipynb")[2] == "answer = 7"
    assert (there / "01_one.bak.ipynb").read_bytes() == old
    assert sources(there / "01_one.bak2.ipynb") == expected


def test_cells_that_were_added_to_an_answer_move_with_it(course):
    here, there = course
    book = nbformat.read(there / "01_one.ipynb", as_version=4)
    book.cells[2].source = "answer = 7"
    book.cells.insert(5, v4.new_code_cell("answer += 1"))
    nbformat.write(book, there / "01_one.ipynb")
    nbformat.write(lesson(*SECOND), here / "01_one.ipynb")
    work.main("update")
    expected = [*SECOND[:2], "answer += 1", *SECOND[2:4], "answer = 7", *SECOND[5:]]
    assert sources(there / "01_one.ipynb") == expected


def test_reset_puts_a_lesson_back_and_keeps_the_old(course, capsys):
    _, there = course
    write(there / "02_two.ipynb", c2="answer = 7")
    work.main("reset", "02")
    assert sources(there / "02_two.ipynb") == FIRST
    assert sources(there / "02_two.bak.ipynb")[2] == "answer = 7"
    work.main("reset", "more")
    assert "work/beyond/more.ipynb is as the course has it" in capsys.readouterr().out.replace(
        os.sep, "/"
    )
    for wrong in (["reset"], ["reset", "08"], ["reset", ""], ["lay"], []):
        with pytest.raises(SystemExit, match="Say lab, update, or reset and one of 01, 02, index"):
            work.main(*wrong)


def test_a_copy_that_is_no_notebook_is_left_alone(course, capsys):
    here, there = course
    nbformat.write(lesson(*SECOND), here / "01_one.ipynb")
    (there / "01_one.ipynb").write_text("{ half")
    work.main("update")
    assert (there / "01_one.ipynb").read_text() == "{ half"
    assert "is no notebook any more and stays" in capsys.readouterr().out
    work.main("reset", "01")
    assert sources(there / "01_one.ipynb") == SECOND
    assert (there / "01_one.bak.ipynb").read_text() == "{ half"


def test_every_exercise_of_the_course_can_be_moved():
    for path in build.lessons(ROOT / "notebooks"):
        book = nbformat.read(path, as_version=4)
        tagged = ["exercise" in cell.metadata.get("tags", []) for cell in book.cells]
        assert [cells.stop - cells.start for cells in work.answers(book).values()] == [1] * sum(
            tagged
        )


def test_the_start_page_names_every_lesson():
    (page,) = nbformat.read(ROOT / "notebooks/index.ipynb", as_version=4).cells
    named = re.findall(r"\]\(([\w/]+\.ipynb)\)", page.source)
    there = [path.relative_to(ROOT / "notebooks") for path in build.lessons(ROOT / "notebooks")]
    assert named == [path.as_posix() for path in there]


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="ends the server as Ctrl+C does")
def test_the_address_that_is_printed_opens_the_start_page(course, tmp_path):
    here, _ = course
    (here / "work.py").write_bytes((ROOT / "notebooks/work.py").read_bytes())
    environment = {**os.environ, "JUPYTER_CONFIG_DIR": str(tmp_path), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, here / "work.py", "lab", "--no-browser", "--allow-root"]
    lab = subprocess.Popen(
        [*command, "--ServerApp.answer_yes=True"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
        start_new_session=True,
    )
    try:
        said = next(line for line in lab.stdout if line.startswith("JupyterLab is at "))
        address = said.split()[-1]
        with urllib.request.urlopen(address) as page:
            assert page.status == 200 and page.url == address  # no form that asks a password
        with urllib.request.urlopen(address.replace("lab/tree/index.ipynb", "api/contents")) as api:
            listed = json.load(api)["content"]
        names = sorted(file["name"] for file in listed)
        assert names == ["01_one.ipynb", "02_two.ipynb", "beyond", "index.ipynb"]
    finally:
        lab.stdout.close()
        os.killpg(lab.pid, signal.SIGINT)
        try:
            lab.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(lab.pid, signal.SIGKILL)
            lab.wait()

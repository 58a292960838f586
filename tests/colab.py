"""A lesson as Colab runs it: an empty folder, the course fetched by its first cell; then again.

`make colab-check` (lesson 1) or `make colab-check LESSONS="01 05"`, on the versions of colab.txt
and on the last commit.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "notebooks"))
import build

COLAB = "import sys, types; sys.modules['google.colab'] = types.ModuleType('google.colab')"


def run(book, folder):
    """Execute a lesson in the folder, all cells; what its first cell printed."""
    environment = {**os.environ, "PYTHONPATH": str(folder.parent / "colab")}
    client = NotebookClient(book, timeout=600, resources={"metadata": {"path": str(folder)}})
    client.execute(env=environment)
    first = next(cell for cell in book.cells if cell.cell_type == "code")
    return "".join(output.get("text", "") for output in first.outputs)


def check(path, folder):
    for name in ("colab", "content"):
        (folder / name).mkdir()
    (folder / "colab/sitecustomize.py").write_text(COLAB)
    subprocess.run(["git", "clone", "--quiet", "--bare", ROOT, folder / "published"], check=True)
    subprocess.run(["git", "tag", "published"], cwd=folder / "published", check=True)
    for time in ("first", "second"):  # Restart and run all
        book = nbformat.read(path, as_version=4)
        cell = next(cell for cell in book.cells if cell.cell_type == "code")
        cell.source = build.first_cell(path, f"file://{folder / 'published'}", "published")
        said = run(book, folder / "content")
        print(f"{path.name}, {time} run: {said.strip()}")
        if said.count("\n") != 1 or not said.startswith("\033[32mReady: "):
            raise SystemExit("the first cell must print one green line and nothing else")


if __name__ == "__main__":
    lessons = {build.key(path): path for path in build.lessons(ROOT / "notebooks")}
    for wanted in sys.argv[1:] or ["01"]:
        with tempfile.TemporaryDirectory() as temporary:
            check(lessons[wanted], Path(temporary))

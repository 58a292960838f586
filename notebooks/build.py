"""Execute the lessons in place (`make notebooks`, or `make notebooks LESSONS=01`).

A lesson's .ipynb is the source of its text and code; this adds what a run adds: outputs, each
figure's text for those who cannot see it (from its cell's metadata, `alt`), the opening picture
(the figure of the cell tagged `opening`), time and memory (`cost.csv`, quoted between markers in
the opening and the README), the first cell and the badges, which follow `repository.txt`. All of
it is written when all is done: a lesson that fails is left as it was.
"""

import base64
import contextlib
import csv
import io
import os
import re
import sys
import tempfile
import threading
import time
from pathlib import Path

import nbformat
import psutil
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from PIL import Image

HERE = Path(__file__).parent
# What a lesson may take from a cold kernel; those not named 60.
SECONDS = {"02": 70, "03": 80, "04": 90, "05": 100, "06": 70, "07": 210}
SECONDS |= {"gradient_ascent": 150, "your_network": 90}
WIDGET = "application/vnd.jupyter.widget-view+json"
FIRST_CELL = """import lesson

lesson.opening("{number}")"""
BEYOND = """import sys

sys.path.insert(0, "..")  # what all notebooks share lies one folder up

"""
COLAB = """import os, subprocess, sys

if "google.colab" in sys.modules and not os.path.exists("{up}lesson.py"):
    if not os.path.exists("course"):  # fetch the course, and stand where its lessons stand
        git = ["git", "-c", "advice.detachedHead=false", "clone", "--quiet", "--depth=1"]
        subprocess.run([*git, "--branch={tag}", "{url}", "course"], check=True)
    os.chdir("course/{folder}")
    sys.path[:0] = [os.path.abspath("{up}."), os.path.abspath("{up}..")]

"""


def lessons(folder):
    """The seven lessons, and what goes beyond them."""
    return sorted(folder.glob("[0-9][0-9]_*.ipynb")) + sorted(folder.glob("beyond/*.ipynb"))


def key(path):
    """What files, costs and tests call a notebook: 07, your_network."""
    return path.stem[:2] if path.stem[:2].isdigit() else path.stem


def folder(path):
    """Where a notebook lies in the course."""
    return "notebooks/beyond" if path.parent.name == "beyond" else "notebooks"


def repository():
    """(owner/name, tag) of the published course; the name is empty while there is none."""
    name, tag = ((HERE / "repository.txt").read_text().split() + ["", ""])[:2]
    return (name, tag) if "/" in name else ("", "")


def first_cell(path, url, tag):
    where, cell = folder(path), FIRST_CELL.format(number=key(path))
    beyond = where.endswith("beyond")
    if beyond:
        cell = BEYOND + cell
    if url:
        up = "../" if beyond else ""
        cell = COLAB.format(url=url, tag=tag, up=up, folder=where) + cell
    return cell


def badges(path, name, tag):
    if not name:
        return ""
    file = f"{folder(path)}/{path.name}"
    colab = f"https://colab.research.google.com/github/{name}/blob/{tag}/{file}"
    binder = f"https://mybinder.org/v2/gh/{name}/{tag}?urlpath=lab/tree/{file}"
    return (
        "[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]"
        f"({colab}) [![Open in Binder](https://mybinder.org/badge_logo.svg)]({binder})"
    )


def live(name):
    """The live page, linked where the course is published."""
    owner, _, course = name.partition("/")
    return f"[live page](https://{owner}.github.io/{course}/live/)" if name else "live page"


def between(text, marker, new):
    """The text with what stands between <!-- marker --> and <!-- /marker --> replaced."""
    pattern = rf"(<!-- {marker} -->).*?(<!-- /{marker} -->)"
    found, count = re.subn(pattern, lambda m: m[1] + new + m[2], text, flags=re.DOTALL)
    if count != 1:
        raise SystemExit(
            f"the marker <!-- {marker} --> must stand once where the builder writes, "
            f"not {count} times"
        )
    return found


def damaged(path):
    file = f"{folder(path)}/{path.name}"
    return SystemExit(f"{file} is missing or damaged: get it back with `git checkout -- {file}`.")


def costs():
    """Lesson -> its line of cost.csv."""
    try:
        text = (HERE / "cost.csv").read_text()
        rows = list(csv.DictReader(io.StringIO(text)))
        if not text.startswith("lesson,seconds,megabytes\n") or not text.endswith("\n"):
            raise ValueError
        return {row["lesson"]: row for row in rows if says(row)}
    except (OSError, KeyError, TypeError, ValueError):  # half a file
        raise damaged(HERE / "cost.csv") from None


def says(cost):
    return f"{int(cost['seconds'])} seconds and {int(cost['megabytes']) / 1000:.1f} GB of memory"


@contextlib.contextmanager
def peak_memory(pid):
    """The largest memory of a process meanwhile, in bytes, looked at 50 times a second: a list."""
    process, peak, done = psutil.Process(pid), [0], threading.Event()

    def look():
        with contextlib.suppress(psutil.Error):  # it has ended
            while not done.wait(0.02):
                peak[0] = max(peak[0], process.memory_info().rss)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield peak
    finally:
        done.set()
        thread.join()


def execute(book, path, **environment):
    """Execute a notebook from nothing, in place; its seconds and its kernel's peak in megabytes."""
    for cell in book.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    client = NotebookClient(
        book,
        timeout=600,
        resources={"metadata": {"path": str(path.parent)}},
        record_timing=False,
        coalesce_streams=True,  # however slowly it was printed
    )
    since = time.monotonic()
    with (
        client.setup_kernel(env={**os.environ, **environment}),
        peak_memory(client.km.provisioner.pid) as peak,
    ):
        for i, cell in enumerate(book.cells):
            try:
                client.execute_cell(cell, i)
            except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
                raise SystemExit(f"{path.name}, cell {i}: {error}") from None
            for output, mime in pictures(cell):
                if "alt" in cell.metadata:
                    output.metadata.setdefault(mime, {})["alt"] = cell.metadata.alt
    return time.monotonic() - since, round(peak[0] / 1e6)


def pictures(cell):
    """(output, MIME type) of each picture among a cell's outputs."""
    for output in cell.get("outputs", []):
        for mime in output.get("data", {}):
            if mime.startswith("image/"):
                yield output, mime


def clean(book, number):
    """Drop what a run leaves behind and no reader needs: stderr, orphaned views, chance ids."""
    book.metadata = {
        "kernelspec": {
            "display_name": "Python 3 (ipykernel)",
            "language": "python",
            "name": "python3",
        },
        "language_info": {"name": "python"},
    }
    for k, cell in enumerate(book.cells):
        cell.id = f"{number}-{k:02d}"
        if cell.cell_type == "code":
            cell.outputs = [o for o in cell.outputs if o.get("name") != "stderr"]
            for output in cell.outputs:
                output.get("data", {}).pop(WIDGET, None)
    return book


def opening_picture(book, number):
    """The opening picture and its text as files, {path: bytes}, from the tagged cell."""
    cells = [c for c in book.cells if "opening" in c.metadata.get("tags", [])]
    figures = [(output, mime) for cell in cells[:1] for output, mime in pictures(cell)]
    if not figures:
        raise SystemExit(
            f"lesson {number}: tag the cell whose figure opens the lesson with `opening`"
        )
    (output, mime), out = figures[0], io.BytesIO()
    picture = Image.open(io.BytesIO(base64.b64decode(output.data[mime])))
    picture.convert("RGB").save(out, format="JPEG", quality=85)
    text = (cells[0].metadata.get("alt", "") + "\n").encode()
    folder = HERE / "openings"
    return {folder / f"{number}.jpg": out.getvalue(), folder / f"{number}.txt": text}


def replace(files):
    """Write all files, {path: bytes}, beside the old ones, then replace those: all, or none."""
    parts = {path: path.with_name(f".{path.name}.part") for path in files}
    try:
        for path, part in parts.items():
            part.parent.mkdir(exist_ok=True)
            part.write_bytes(files[path])
        for path, part in parts.items():
            os.replace(part, path)
    finally:
        for part in parts.values():
            part.unlink(missing_ok=True)


def build(path):
    number, readme = key(path), HERE.parent / "README.md"
    name, tag = repository()
    try:
        book = nbformat.read(path, as_version=4)
        intro, first = book.cells[0], next(c for c in book.cells if c.cell_type == "code")
    except (ValueError, AttributeError, IndexError, StopIteration):  # half a file, or none
        raise damaged(path) from None
    intro.source = between(intro.source, "badges", badges(path, name, tag))
    first.source = first_cell(path, name and f"https://github.com/{name}", tag)
    seconds, megabytes = execute(book, path)
    opening = opening_picture(book, number)
    if any(not file.is_file() or file.read_bytes() != new for file, new in opening.items()):
        with tempfile.TemporaryDirectory() as folder:  # the first cell shows it: once more
            for file, new in opening.items():
                (Path(folder) / file.name).write_bytes(new)
            seconds, megabytes = execute(book, path, VIZLIB_OPENINGS=folder)
    cost = {"lesson": number, "seconds": round(seconds), "megabytes": megabytes}
    known, table = costs() | {number: cost}, io.StringIO()
    writer = csv.DictWriter(table, list(cost), lineterminator="\n")
    writer.writeheader()
    writer.writerows(known[n] for n in sorted(known))
    intro.source = between(intro.source, "cost", says(cost))
    text = between(readme.read_text(encoding="utf-8"), f"cost {number}", says(cost))
    text = between(text, "badges", badges(lessons(HERE)[0], name, tag))
    text = between(text, "live", live(name))
    address = f"https://github.com/{name}" if name else "ADDRESS"
    text = re.sub(r"git clone \S+", f"git clone {address}", text)
    written = nbformat.writes(clean(book, number)).rstrip("\n") + "\n"
    replace(
        {
            path: written.encode(),
            **opening,
            HERE / "cost.csv": table.getvalue().encode(),
            readme: text.encode(),
        }
    )
    print(f"{path.name}: {says(cost)}, {path.stat().st_size / 1e6:.2f} MB", flush=True)


if __name__ == "__main__":
    for variable in ("VIZLIB_MODEL", "VIZLIB_WEIGHTS"):
        os.environ.pop(variable, None)
    wanted = sys.argv[1:]
    for lesson in lessons(HERE):
        if not wanted or key(lesson) in wanted:
            try:
                build(lesson)
            except OSError as error:  # a full disk, for instance
                raise SystemExit(f"{lesson.name} is left as it was: {error}") from None

"""Execute the lessons in place (`make notebooks`, or `make notebooks LESSONS=01`).

A lesson's .ipynb is the source of its text and code; this adds what a run adds: outputs, the opening picture (the figure of the
cell tagged `opening`), time and memory (`cost.csv`, quoted between markers in the opening and the README), the first cell
and the badges, which follow `repository.txt`. A lesson that fails is left as it was.
"""

import base64
import csv
import io
import os
import re
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from PIL import Image

HERE = Path(__file__).parent
# What a lesson may take from a cold kernel; those not named 60.
SECONDS = {"02": 70, "03": 70, "04": 90, "05": 70, "06": 70, "07": 100}
WIDGET = "application/vnd.jupyter.widget-view+json"
FIRST_CELL = """import lesson

lesson.opening("{number}")"""
COLAB = """import os, subprocess, sys

if "google.colab" in sys.modules:  # fetch the course, and stand where its lessons stand
    subprocess.run(["git", "clone", "--quiet", "--depth=1", "--branch={tag}", "{url}", "course"], check=True)
    os.chdir("course/notebooks")
    sys.path[:0] = [os.getcwd(), os.path.dirname(os.getcwd())]

"""


def repository():
    """(owner/name, tag) of the published course; the name is empty while there is none."""
    name, tag = ((HERE / "repository.txt").read_text().split() + ["", ""])[:2]
    return (name, tag) if "/" in name else ("", "")


def first_cell(number, url, tag):
    return (COLAB.format(url=url, tag=tag) if url else "") + FIRST_CELL.format(number=number)


def badges(file, name, tag):
    if not name:
        return ""
    colab = f"https://colab.research.google.com/github/{name}/blob/{tag}/notebooks/{file}"
    binder = f"https://mybinder.org/v2/gh/{name}/{tag}?urlpath=lab/tree/notebooks/{file}"
    return (
        f"[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]({colab}) "
        f"[![Open in Binder](https://mybinder.org/badge_logo.svg)]({binder})"
    )


def between(text, marker, new):
    """The text with what stands between <!-- marker --> and <!-- /marker --> replaced."""
    pattern = rf"(<!-- {marker} -->).*?(<!-- /{marker} -->)"
    found, count = re.subn(pattern, lambda m: m[1] + new + m[2], text, flags=re.DOTALL)
    if count != 1:
        raise SystemExit(
            f"the marker <!-- {marker} --> must stand once where the builder writes, not {count} times"
        )
    return found


def costs():
    with open(HERE / "cost.csv", newline="") as f:
        return {row["lesson"]: row for row in csv.DictReader(f)}


def says(cost):
    return f"{int(cost['seconds'])} seconds and {int(cost['megabytes']) / 1000:.1f} GB of memory"


# The kernel's own peak, in kB; getrusage would not do: its maximum is inherited from the process that starts the kernel.
PEAK = (
    "print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"
)


def execute(book, name):
    """Execute a notebook from nothing, in place; the seconds that took, and the kernel's peak memory in megabytes."""
    probe = nbformat.v4.new_code_cell(PEAK)
    book.cells.append(probe)
    for cell in book.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    client = NotebookClient(
        book, timeout=600, resources={"metadata": {"path": str(HERE)}}, record_timing=False
    )
    since = time.monotonic()
    try:
        client.execute()
    except CellExecutionError as error:
        at = next(
            i
            for i, cell in enumerate(book.cells)
            if any(o.output_type == "error" for o in cell.get("outputs", []))
        )
        raise SystemExit(f"{name}, cell {at}: {error}") from None
    seconds = time.monotonic() - since
    book.cells.pop()
    return seconds, round(int(probe.outputs[-1].text) * 1024 / 1e6)


def clean(book, number):
    """Drop what a run leaves behind and no reader needs: stderr, orphaned widget views, chance ids."""
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
    """Write openings/NN.jpg and its text from the tagged cell; whether they are new."""
    cells = [c for c in book.cells if "opening" in c.metadata.get("tags", [])]
    if not cells:
        raise SystemExit(
            f"lesson {number}: tag the cell whose figure opens the lesson with `opening`"
        )
    data = next(
        o.data for o in cells[0].outputs if any(m.startswith("image/") for m in o.get("data", {}))
    )
    picture = Image.open(io.BytesIO(base64.b64decode(data.get("image/jpeg") or data["image/png"])))
    out = io.BytesIO()
    picture.convert("RGB").save(out, format="JPEG", quality=85)
    changed = False
    for suffix, content in (
        (".jpg", out.getvalue()),
        (".txt", (data["text/plain"] + "\n").encode()),
    ):
        path = HERE / f"openings/{number}{suffix}"
        if not path.is_file() or path.read_bytes() != content:
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)
            changed = True
    return changed


def build(path):
    number = path.name[:2]
    name, tag = repository()
    book = nbformat.read(path, as_version=4)
    book.cells[0].source = between(book.cells[0].source, "badges", badges(path.name, name, tag))
    first = next(c for c in book.cells if c.cell_type == "code")
    first.source = first_cell(number, name and f"https://github.com/{name}", tag)
    seconds, megabytes = execute(book, path.name)
    if opening_picture(book, number):  # the first cell shows it: once more
        seconds, megabytes = execute(book, path.name)
    known = costs() | {
        number: {"lesson": number, "seconds": round(seconds), "megabytes": megabytes}
    }
    book.cells[0].source = between(book.cells[0].source, "cost", says(known[number]))
    readme = HERE.parent / "README.md"
    readme.write_text(between(readme.read_text(), f"cost {number}", says(known[number])))
    with open(HERE / "cost.csv", "w", newline="") as f:
        writer = csv.DictWriter(f, ["lesson", "seconds", "megabytes"], lineterminator="\n")
        writer.writeheader()
        writer.writerows(known[n] for n in sorted(known))
    nbformat.write(clean(book, number), path)
    print(f"{path.name}: {says(known[number])}, {path.stat().st_size / 1e6:.2f} MB", flush=True)


if __name__ == "__main__":
    for variable in ("VIZLIB_MODEL", "VIZLIB_WEIGHTS"):
        os.environ.pop(variable, None)
    wanted = sys.argv[1:]
    for lesson in sorted(HERE.glob("[0-9][0-9]_*.ipynb")):
        if not wanted or lesson.name[:2] in wanted:
            build(lesson)

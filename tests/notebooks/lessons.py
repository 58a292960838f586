"""Reading and running the lessons, for the tests in this folder."""

import base64
import io
import os
import re
from contextlib import contextmanager
from pathlib import Path

import build
import nbformat
import numpy as np
from nbclient import NotebookClient
from PIL import Image

ROOT = Path(__file__).parents[2]
NOTEBOOKS = ROOT / "notebooks"
LESSONS = build.lessons(NOTEBOOKS)


def read(path):
    return nbformat.read(path, as_version=4)


def code(book):
    return [cell for cell in book.cells if cell.cell_type == "code"]


def tagged(cell, tag):
    return tag in cell.metadata.get("tags", [])


def figures(book):
    """(mime, image, metadata, alt text) of every figure among the outputs."""
    for cell in code(book):
        for output in cell.outputs:
            for mime, content in output.get("data", {}).items():
                if mime.startswith("image/"):
                    image = Image.open(io.BytesIO(base64.b64decode(content)))
                    yield (
                        mime,
                        np.asarray(image.convert("L")),
                        output.metadata.get(mime, {}),
                        output.metadata[mime].get("alt", ""),
                    )


def printed(cell):
    return "".join(o.text for o in cell.outputs if o.output_type == "stream" and o.name == "stdout")


def number_of(book):
    """What a lesson's exercises begin with: 7, or B1 for the first notebook of `beyond/`."""
    beyond, number = re.match(r"# (Beyond )?(\d)\. ", book.cells[0].source).groups()
    return f"B{number}" if beyond else number


@contextmanager
def kernel(book, path, **environment):
    """A fresh kernel on a lesson, standing where the lesson lies."""
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith("VIZLIB_")},
        **environment,
    }
    client = NotebookClient(book, timeout=600, resources={"metadata": {"path": str(path.parent)}})
    with client.setup_kernel(env=environment):
        yield client


def run(book, path, **environment):
    """Execute all cells; raises at the first that fails."""
    with kernel(book, path, **environment) as client:
        for i, cell in enumerate(book.cells):
            client.execute_cell(cell, i)
    return book


def shorten(book):
    """A lesson with the sizes of a trial run: in a cell's metadata, `trial` says line -> line."""
    for cell in code(book):
        for line, shorter in cell.metadata.get("trial", {}).items():
            lines = cell.source.split("\n")
            if line not in [each.strip() for each in lines]:
                raise AssertionError(f"there is no line {line!r} for a trial run to shorten")
            lines = [
                each.replace(line, shorter) if each.strip() == line else each for each in lines
            ]
            cell.source = "\n".join(lines)
    return book


def solution(cell):
    """The one python block of a <details>."""
    blocks = re.findall(r"```python\n(.*?)```", cell.source, flags=re.DOTALL)
    if "<details>" not in cell.source or len(blocks) != 1:
        raise AssertionError(
            f"a solution is one python block inside <details>: {cell.source[:80]!r}"
        )
    return blocks[0]

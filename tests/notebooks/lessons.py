"""Reading and running the lessons, for the tests in this folder."""

import base64
import io
import os
import re
from contextlib import contextmanager
from pathlib import Path

import nbformat
import numpy as np
from nbclient import NotebookClient
from PIL import Image

ROOT = Path(__file__).parents[2]
NOTEBOOKS = ROOT / "notebooks"
LESSONS = sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))


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
                        output.data["text/plain"],
                    )


def printed(cell):
    return "".join(o.text for o in cell.outputs if o.output_type == "stream" and o.name == "stdout")


@contextmanager
def kernel(book, **environment):
    """A fresh kernel on a lesson, standing where lessons stand."""
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith("VIZLIB_")},
        **environment,
    }
    client = NotebookClient(book, timeout=600, resources={"metadata": {"path": str(NOTEBOOKS)}})
    with client.setup_kernel(env=environment):
        yield client


def run(book, **environment):
    """Execute all cells; raises at the first that fails."""
    with kernel(book, **environment) as client:
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

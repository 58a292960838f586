"""Slides from a lesson: `.venv/bin/python docs/slides.py 05` writes them to build/slides/.

A slide for each section; below it, one for each picture with its caption and one for each exercise.
Code is left out, what it printed stays, and solutions go to the speaker's notes (key S).
"""

import re
import sys
from pathlib import Path

import nbformat
from nbconvert.exporters import SlidesExporter

ROOT = Path(__file__).parents[1]


def has_picture(cell):
    return any("image/" in mime for o in cell.get("outputs", []) for mime in o.get("data", {}))


def slides(book):
    """The notebook cut at its headings, and each cell told which kind of slide it begins."""
    cells = []
    for cell in book.cells:
        if cell.cell_type == "markdown":
            for text in re.split(r"^(?=##)", cell.source, flags=re.MULTILINE):
                kind = "slide" if re.match("##? ", text) else "-"
                kind = "subslide" if text.startswith("###") else kind
                for solution, part in enumerate(re.split(r"(?=<details>)", text)):
                    part = re.sub(r"</?details>|<summary>.*?</summary>", "", part)
                    new = nbformat.v4.new_markdown_cell(part)
                    new.metadata["slideshow"] = {"slide_type": "notes" if solution else kind}
                    cells += [new] if part.strip() else []
        elif has_picture(cell):
            cell.metadata["slideshow"] = {"slide_type": "subslide"}
            cells.append(cell)
        elif "exercise" not in cell.metadata.get("tags", []) and cell.outputs:
            cells.append(cell)
    book.cells = cells
    return book


if __name__ == "__main__":
    (lesson,) = (ROOT / "notebooks").glob(f"{sys.argv[1]}_*.ipynb")
    made = SlidesExporter(exclude_input=True, reveal_scroll=True).from_notebook_node(
        slides(nbformat.read(lesson, as_version=4))
    )[0]
    out = ROOT / "build/slides" / f"{lesson.stem}.slides.html"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(made, encoding="utf-8")
    print(out.relative_to(ROOT))

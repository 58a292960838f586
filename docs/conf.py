"""The book: `make book` builds it from the committed notebooks, without a network.

Its source is the whole repository, so that a relative link leads to the same page on GitHub, in
JupyterLab and here; `include_patterns` says which files are pages.
"""

import csv
import json
import re
import sys
from pathlib import Path

from docutils.nodes import SkipNode
from docutils.utils.math.latex2mathml import tex2mathml

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

project = "Visualizing CNNs in TensorFlow"
author = "the authors of the course"
copyright = "the authors; text and pictures CC BY 4.0, code Apache-2.0"
language = "en"
extensions = [
    "myst_nb",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinxcontrib.bibtex",
    "sphinxext.opengraph",
]
root_doc = "docs/index"
include_patterns = [
    "docs/**.md",
    "notebooks/[0-9][0-9]_*.ipynb",
    "notebooks/beyond/*.ipynb",
    "data/README.md",
]
# Not searched for pages; the paper is one for a journal.
exclude_patterns = [".*", "build", "data/[!R]*", "docs/paper.md", "tests", "vizlib", "work"]

nb_execution_mode = "off"
nb_merge_streams = True
nb_ipywidgets_js = {}
myst_enable_extensions = ["dollarmath", "substitution"]
myst_heading_anchors = 3
# What running a lesson takes, as notebooks/build.py measured it.
(costs,) = (ROOT / "notebooks").rglob("cost.csv")
with open(costs, encoding="utf-8") as lines:
    rows = {row["lesson"]: row for row in csv.DictReader(lines)}
memory = {lesson: f"{int(row['megabytes']) / 1000:.1f} GB" for lesson, row in rows.items()}
myst_substitutions = {
    "cost": {k: f"{row['seconds']} s, {memory[k]}" for k, row in rows.items()},
    "memory": max(memory.values()),
}
bibtex_bibfiles = ["references.bib"]
bibtex_default_style = "plain"
default_role = "py:obj"  # a name in single backticks
add_module_names = False
autodoc_member_order = "bysource"
autodoc_inherit_docstrings = False
autosummary_generate = False
numpydoc_show_class_members = False
html_math_renderer = "mathml"

# The published course, where there is one: "owner/name tag", as notebooks/build.py reads it.
(repository,) = (ROOT / "notebooks").rglob("repository.txt")
name, tag = [*repository.read_text().split(), "", ""][:2]
html_baseurl = "https://{}.github.io/{}/".format(*name.split("/")) if "/" in name else ""
ogp_site_url = html_baseurl
ogp_site_name = project
ogp_use_first_image = True  # of a lesson, its opening picture
ogp_image = "07.jpg"  # of pages without a picture
ogp_image_alt = False
ogp_social_cards = {"enable": False}  # they need a font from the network

html_theme = "sphinx_book_theme"
html_title = project
html_static_path = ["_static"]
html_context = {"default_mode": "auto"}  # light or dark, as the reader's system
html_css_files = ["book.css"]
html_favicon = "_static/favicon.svg"
html_extra_path = ["_root", "../notebooks/openings/07.jpg"]
html_copy_source = False
html_theme_options = {
    "use_download_button": False,
    "use_fullscreen_button": False,
    "navbar_persistent": [],
    "show_navbar_depth": 1,
    "show_toc_level": 2,
}
if "/" in name:
    html_theme_options |= {
        "repository_url": f"https://github.com/{name}",
        "repository_branch": tag,
        "path_to_docs": "",
        "use_repository_button": True,
        "launch_buttons": {
            "colab_url": "https://colab.research.google.com",
            "binderhub_url": "https://mybinder.org",
            "notebook_interface": "jupyterlab",
        },
    }

EXPLORER = "Run this cell to use it."


def for_the_book(app, docname, source):
    """What a notebook shows to those who run it and a page does not need, or says otherwise."""
    if not docname.startswith("notebooks/"):
        return
    book = json.loads(source[0])
    for cell in book["cells"]:
        text = "".join(cell["source"])
        cell["source"] = re.sub(r"<!-- badges -->.*?<!-- /badges -->\s*", "", text, flags=re.DOTALL)
        outputs = cell.get("outputs", [])
        if "lesson.opening(" in text:  # the picture alone
            cell["metadata"]["tags"] = ["remove-input"]
            cell["outputs"] = [o for o in outputs if o["output_type"] != "stream"]
        for output in outputs:
            said = "".join(output.get("data", {}).get("text/plain", ""))
            if said.endswith(EXPLORER):
                said = said.replace(EXPLORER, "It answers in the notebook, not on this page.")
                output["data"] = {"text/markdown": f"*{said}*"}
    source[0] = json.dumps(book)


def mathml(block):
    """Formulas as MathML, which browsers draw themselves: no script, no fonts."""

    def visit(writer, node):
        formula = tex2mathml(node.astext(), as_block=block)
        writer.body.append(f'<div class="math">{formula}</div>' if block else formula)
        raise SkipNode

    return visit, None


def skip(app, what, name, obj, left_out, options):
    """A named tuple's fields stand in its docstring; "Alias for field number 0" says nothing."""
    return True if type(obj).__name__ == "_tuplegetter" else None


def setup(app):
    app.connect("source-read", for_the_book)
    app.connect("autodoc-skip-member", skip)
    app.add_html_math_renderer("mathml", mathml(block=False), mathml(block=True))

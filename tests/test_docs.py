"""What the book says of the rest of the repository, without building it: papers and names."""

import re
from pathlib import Path

import pytest

import vizlib

ROOT = Path(__file__).parents[1]
ARXIV = re.compile(r"arxiv(?:\.org/abs/|[ :])(\d{4}\.\d{4,5})", re.IGNORECASE)
ENTRIES = re.findall(
    r"^@\w+\{(\w+),\n(.*?)^\}", (ROOT / "docs/references.bib").read_text("utf-8"), re.M | re.S
)
CITING = [
    *sorted((ROOT / "notebooks").rglob("*.ipynb")),
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "vizlib").rglob("*.py")),
    ROOT / "data/README.md",
    ROOT / "README.md",
]


def field(entry, name):
    found = re.search(rf"^  {name} *= \{{(.*)\}},?$", entry, re.MULTILINE)
    return found and found[1]


@pytest.mark.parametrize("path", CITING, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_the_bibliography_has_every_arxiv_paper_that_is_cited(path):
    known = {field(entry, "eprint") for _, entry in ENTRIES}
    missing = set(ARXIV.findall(path.read_text(encoding="utf-8"))) - known
    assert not missing, f"add {', '.join(sorted(missing))} to docs/references.bib"


def test_every_entry_says_who_what_and_when_and_stands_once():
    assert len(ENTRIES) > 40
    for key, entry in ENTRIES:
        assert field(entry, "author") and field(entry, "title"), key
        assert re.fullmatch(r"(19|20)\d\d", field(entry, "year")), key
        assert key.endswith(field(entry, "year")), key
        if number := field(entry, "eprint"):  # no paper is published before its preprint's month
            assert int(field(entry, "year")) >= 2000 + int(number[:2]) - 1, key
    numbers = [field(entry, "eprint") for _, entry in ENTRIES if field(entry, "eprint")]
    assert len(numbers) == len(set(numbers))
    assert len({key for key, _ in ENTRIES}) == len(ENTRIES)


def test_the_reference_lists_every_public_name():
    text = (ROOT / "docs/api/vizlib.md").read_text(encoding="utf-8")
    modules = {"barnyard", "callbacks", "patches", "photos", "show", "truth", "widgets"}
    listed = re.findall(r"^   ([A-Za-z_]+)$", text, re.MULTILINE)
    assert sorted(listed) == sorted(set(vizlib.__all__) - modules)
    pages = {page.stem for page in (ROOT / "docs/api").glob("*.md")}
    assert modules <= pages

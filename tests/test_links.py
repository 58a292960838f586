"""Links of pages and lessons: those within the course at every run, the web's by `make links`."""

import http.server
import re
import threading
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    path
    for pattern in ("*.md", ".github/*.md", "docs/**/*.md", "data/**/*.md", "notebooks/**/*.ipynb")
    for path in ROOT.glob(pattern)
    if not {".ipynb_checkpoints", "_build"} & set(path.parts)
)


def prose(path):
    """What is written on a page, without its blocks of code."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        cells = nbformat.reads(text, as_version=4).cells
        text = "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    return re.sub(r"```.*?```", "", text, flags=re.DOTALL)


def links(path):
    return re.findall(r"\]\(<?([^)\s>]+)>?\)", re.sub(r"`[^`\n]*`", "", prose(path)))


def anchors(path):
    """Where a link may point to on a page: its headings, as GitHub names them."""
    headings = re.findall(r"^#+ (.+)$", prose(path), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_there_are_pages_and_links():
    assert len(PAGES) > 12 and len(links(ROOT / "README.md")) > 20
    assert anchors(ROOT / "CONTRIBUTING.md") > {"exercises", "how-to-add-a-method"}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_within_the_course_lead_somewhere(path):
    for link in links(path):
        if re.match(r"\w+:", link):
            continue
        file, _, anchor = link.partition("#")
        target = path.parent / file if file else path
        assert target.exists(), link
        if anchor and target.suffix in (".md", ".ipynb"):
            assert anchor.lower() in anchors(target), link


def answers(address):
    """None, or why the address is dead; a server that turns programs away is none the worse."""
    request = urllib.request.Request(address, headers={"User-Agent": "Mozilla/5.0 (link checker)"})
    try:
        urllib.request.urlopen(request, timeout=30).close()
    except urllib.error.HTTPError as error:
        return None if error.code in (401, 403, 405, 429) or error.code >= 500 else str(error)
    except OSError as error:  # no such server, too
        return str(error)
    return None


class Server(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(int(self.path[1:]))
        self.end_headers()

    def log_message(self, *_):
        pass


def test_what_counts_as_a_dead_address():
    with http.server.HTTPServer(("127.0.0.1", 0), Server) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        here = f"http://127.0.0.1:{server.server_port}"
        found = {code: answers(f"{here}/{code}") for code in (200, 403, 404, 410, 429, 503)}
        server.shutdown()
        thread.join()
    assert {code for code, why in found.items() if why} == {404, 410}
    assert answers(f"{here}/200")  # nobody listens any more


@pytest.mark.network
def test_links_to_the_web_are_alive():
    addresses = {link for path in PAGES for link in links(path) if link.startswith("http")}
    with ThreadPoolExecutor(8) as pool:
        found = dict(zip(addresses, pool.map(answers, addresses)))
    assert not {address: why for address, why in found.items() if why}

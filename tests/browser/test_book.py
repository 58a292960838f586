"""The book that `make book` built, in a browser: links, console, axe-core, widths, search, dark."""

import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from conftest import BOOK

pytestmark = pytest.mark.browser
ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "build/browser"  # screenshots, for those who want to look
START, LESSON, REFERENCE, GLOSSARY = (
    "docs/index.html", "notebooks/05_saliency.html", "docs/api/truth.html", "docs/glossary.html",
)  # fmt: skip
IN_THE_BOOK = """() => [...document.querySelectorAll('[href], [src]')]
    .map(e => e.getAttribute('href') ?? e.getAttribute('src'))"""
IDS = "() => [...document.querySelectorAll('[id]')].map(e => e.id)"
# Only elements that are drawn, and that no ancestor lets scroll.
TOO_WIDE = """() => [...document.querySelectorAll('body *')].filter(e => {
    if (!e.checkVisibility() || e.getBoundingClientRect().right <= innerWidth + 1) return false;
    for (let up = e; up; up = up.parentElement)
        if (['auto', 'scroll', 'hidden'].includes(getComputedStyle(up).overflowX)) return false;
    return getComputedStyle(e).position !== 'fixed';
}).map(e => e.outerHTML.slice(0, 120))"""
STRETCHED = """() => [...document.querySelectorAll('article img')]
    .filter(e => Math.abs(e.width / e.height / (e.naturalWidth / e.naturalHeight) - 1) > 0.03)
    .map(e => e.src)"""
LIGHTNESS = """() => {
    const light = text => {
        const parts = text.match(/[\\d.]+/g).slice(0, 3).map(v => v / 255)
            .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
    };
    const page = getComputedStyle(document.body), words = document.querySelector('article p');
    return [light(page.backgroundColor), light(getComputedStyle(words).color)];
}"""


def pages():
    """Paths of all pages that Sphinx makes."""
    found = {p.relative_to(BOOK).as_posix() for p in BOOK.rglob("*.html")} - {"index.html"}
    return sorted(path for path in found if not path.startswith(("_static/", "live/")))


def test_all_pages_load_links_resolve_and_figures_have_alt_texts(visit, site):
    wanted, ids = {}, {}
    page = visit(START)
    for path in pages():
        page.goto(site + path)
        ids[site + path] = set(page.evaluate(IDS))
        for link in page.evaluate(IN_THE_BOOK):
            target = urljoin(site + path, link)
            if target.startswith(site):
                wanted.setdefault(target, path)
        without = page.locator("article img:not([alt]), article img[alt='']")
        assert without.count() == 0, f"{path}: {without.first.get_attribute('src')} has no alt text"
    assert len(ids) > 20 and len(wanted) > 500
    for target, path in wanted.items():
        address, anchor = urldefrag(target)
        file = BOOK / unquote(urlsplit(address).path).lstrip("/")
        assert file.exists(), f"{path} links to {target}"
        if anchor and address in ids:
            assert unquote(anchor) in ids[address], f"{path} links to {target}"


def test_the_root_leads_to_the_start_page(visit, site):
    page = visit("")
    page.wait_for_url(site + START)


def test_every_lesson_and_explorer_is_there(visit):
    lessons = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
    for k, lesson in enumerate(lessons):
        page = visit(f"notebooks/{lesson.stem}.html")
        said = " ".join(page.locator(".cell_output").all_inner_texts())
        assert "It answers in the notebook, not on this page." in said
        assert "Run this cell" not in said
        assert "lesson.opening" not in page.locator("article").inner_text()
        assert page.locator("article img").count() >= 8
        if k + 1 < len(lessons):
            assert lessons[k + 1].stem in page.locator("a.right-next").get_attribute("href")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", [START, LESSON, REFERENCE, GLOSSARY])
def test_axe_finds_nothing_serious(visit, path, scheme):
    page = visit(path, scheme=scheme)
    options = {"preload": False}  # it would fetch style sheets again
    if scheme == "dark":  # only the colours differ
        options["runOnly"] = ["color-contrast"]
    found = Axe().run(page, options=options).response["violations"]
    serious = [v for v in found if v["impact"] in ("serious", "critical")]
    said = [f"{v['id']}: {v['nodes'][0]['html']} ({len(v['nodes'])})" for v in serious]
    assert not serious, "\n".join(said)


@pytest.mark.parametrize(
    "path", [START, LESSON, GLOSSARY, "docs/api/vizlib.html", "docs/grades.html"]
)
def test_nothing_is_wider_than_the_page(visit, path):
    PICTURES.mkdir(parents=True, exist_ok=True)
    page = visit(path)
    for width in (1440, 768, 360):
        page.set_viewport_size({"width": width, "height": 1000})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(TOO_WIDE) == []
        assert page.evaluate(STRETCHED) == []
        page.screenshot(path=PICTURES / f"book-{Path(path).stem}-{width}.png")


def test_search_finds_guided_backprop(visit):
    page = visit("search.html?q=guided+backprop")
    page.locator("#search-results li").first.wait_for(timeout=20_000)
    assert "Guided backprop" in page.locator("#search-results").inner_text()
    assert page.locator("#search-results a[href*='06_guided_backprop']").count()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_dark_is_dark_and_both_are_readable(visit, scheme):
    ground, words = visit(LESSON, scheme=scheme).evaluate(LIGHTNESS)
    darker, brighter = sorted((ground, words))
    assert (ground == darker) == (scheme == "dark") and (brighter + 0.05) / (darker + 0.05) > 7


def test_a_lesson_prints_without_the_sidebars(visit):
    page = visit(LESSON)
    page.emulate_media(media="print")
    assert page.locator("article").is_visible()
    assert not page.locator(".bd-sidebar-primary").is_visible()


def test_slides_are_made_from_a_lesson():
    made = subprocess.run(
        [sys.executable, ROOT / "docs/slides.py", "05"], capture_output=True, text=True, check=True
    )
    text = (ROOT / made.stdout.strip()).read_text(encoding="utf-8")
    assert text.count("<section") > 20 and "answer = ..." not in text
    assert text.count('<aside class="notes"') == 3  # the solutions

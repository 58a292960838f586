"""Lesson by lesson in real JupyterLab: as committed, after Run All, and with a control moved."""

from pathlib import Path

import build
import nbformat
import pytest
from jupyter import opened, run_all

pytestmark = pytest.mark.browser
ROOT = Path(__file__).parents[2]
LESSONS = build.lessons(ROOT / "notebooks")
PICTURES = ROOT / "build/browser"  # screenshots, for those who want to look


def whole(page, notebook):
    """Scroll through the notebook, so that Lab renders every cell."""
    box = notebook.locator(".jp-WindowedPanel-outer").first
    for k in range(41):
        box.evaluate("(e, share) => e.scrollTop = share * e.scrollHeight", k / 40)
        page.wait_for_timeout(100)


@pytest.mark.parametrize("path", LESSONS, ids=lambda p: p.stem)
def test_lesson_in_lab(lab, browser, path):
    PICTURES.mkdir(parents=True, exist_ok=True)
    book = nbformat.read(path, as_version=4)
    cells = [c for c in book.cells if c.cell_type == "code"]
    figures = sum(
        any(m.startswith("image/") for m in o.get("data", {})) for c in cells for o in c.outputs
    )
    widgets = sum(
        o.get("data", {}).get("text/plain", "").startswith("Explorer: ")
        for c in cells
        for o in c.outputs
    )
    page = browser.new_page(viewport={"width": 1300, "height": 1000})
    address = lab.format(path.relative_to(ROOT / "notebooks").as_posix())
    notebook = opened(page, address)

    def sound(stage):
        whole(page, notebook)
        errors = notebook.locator(
            "[data-mime-type='application/vnd.jupyter.error'], .jupyter-widgets.jp-mod-error, "
            ".jp-RenderedText[data-mime-type*='stderr']"
        )
        assert errors.count() == 0, errors.first.inner_text()
        assert "Error displaying widget" not in notebook.inner_text()
        images = notebook.locator(".jp-OutputArea-output.jp-RenderedImage img")
        assert images.count() == figures
        for k in range(figures):
            assert images.nth(k).evaluate(
                "e => e.complete && e.naturalWidth > 100"
                " && Math.abs(e.width - e.naturalWidth / 2) <= 1"
            )
        page.screenshot(path=PICTURES / f"{path.stem}-{stage}.png")

    notebook.locator(".jp-WindowedPanel-outer").first.evaluate("e => e.scrollTop = 0")
    page.screenshot(path=PICTURES / f"{path.stem}-opening.png")
    sound("committed")
    outputs = notebook.locator(".jp-OutputArea-output")
    assert outputs.filter(has_text="Explorer: ").count() == widgets

    run_all(page, notebook)
    sound("run")

    views = notebook.locator(
        ".jp-OutputArea-output .jupyter-widgets.widget-vbox, .jp-OutputArea-output .widget-vbox"
    )
    assert views.count() >= widgets
    for k in range(widgets):
        view = views.nth(k)
        view.scroll_into_view_if_needed()
        before = view.inner_html()
        select = view.locator("select").last
        select.select_option(index=select.locator("option").count() - 1)
        page.wait_for_function(
            "([e, before]) => e.innerHTML !== before",
            arg=[view.element_handle(), before],
            timeout=30_000,
        )
        page.wait_for_timeout(1500)
        page.screenshot(path=PICTURES / f"{path.stem}-widget{k}.png")
    page.close()

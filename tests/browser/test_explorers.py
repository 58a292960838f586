"""Every explorer in JupyterLab: controls moved by mouse and keys, three widths, the dark."""

import io
import statistics
import time
from pathlib import Path

import explorers
import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from jupyter import opened, run_all
from PIL import Image

pytestmark = pytest.mark.browser
PICTURES = Path(__file__).parents[2] / "build/browser"  # screenshots, for those who want to look
# Only what an explorer holds: JupyterLab around it is not ours.
TOO_WIDE = """e => [...e.querySelectorAll('*')]
    .filter(x => x.checkVisibility() && !x.closest('.vizlib-tiles')
        && x.getBoundingClientRect().right
        > e.closest('.jp-OutputArea').getBoundingClientRect().right + 2)
    .map(x => x.outerHTML.slice(0, 120))"""
# What Python answers: not the mark of a choice, which the browser sets at once.
STATE = """e => [...e.querySelectorAll('.vizlib-panels, svg, .vizlib-square')]
    .map(x => x.outerHTML).join() + [...e.querySelectorAll('[role=option]')]
    .map(x => x.title + x.style.backgroundPosition).join()"""
SHEETS = """async e => Promise.all([...e.querySelectorAll('[role=img]')].map(async x => {
    const blob = await (await fetch(x.style.backgroundImage.slice(5, -2))).arrayBuffer();
    return [...new Uint8Array(await crypto.subtle.digest('SHA-1', blob))].join() }))"""


@pytest.fixture(scope="module")
def page(lab, browser):
    PICTURES.mkdir(parents=True, exist_ok=True)
    page = browser.new_page(viewport={"width": 1440, "height": 1000})
    page.errors = []
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    notebook = opened(page, lab.format("explorers.ipynb"))
    page.keyboard.press("Control+b")  # the list of files goes
    run_all(page, notebook)
    yield page
    page.close()


def explorer(page, name):
    k = list(explorers.CELLS).index(name) + 1
    box = page.locator(".jp-WindowedPanel-outer").first
    box.evaluate("(e, share) => e.scrollTop = share * e.scrollHeight", k / len(explorers.CELLS))
    view = page.locator(f".jp-Cell[data-windowed-list-index='{k}'] .widget-vbox").first
    view.wait_for()
    view.scroll_into_view_if_needed()
    page.wait_for_timeout(500)
    return view


def answered(page, view, act):
    """Seconds until something that the explorer shows is another, after `act`."""
    before, start = view.evaluate(STATE), time.perf_counter()
    act()
    page.wait_for_function(
        f"([e, before]) => ({STATE})(e) !== before",
        arg=[view.element_handle(), before],
        timeout=60_000,
    )
    seconds = time.perf_counter() - start
    page.wait_for_timeout(400)
    return seconds


@pytest.mark.parametrize("name", explorers.CELLS)
def test_an_explorer_answers(page, name, capsys):
    view = explorer(page, name)
    drawn = view.evaluate(SHEETS)
    assert drawn and view.locator("[role=status]").first.inner_text()  # opens with something to see
    picture = np.asarray(Image.open(io.BytesIO(view.screenshot(path=PICTURES / f"{name}.png"))))
    assert picture.std() > 20
    seconds = []

    for box in view.locator("[role=listbox]").all():
        seconds.append(answered(page, view, box.locator("[role=option]").last.click))
        chosen = box.locator("[aria-selected=true]")
        assert chosen.count() == 1
        last = chosen.get_attribute("aria-label").split(",")[0]
        box.focus()
        for key in ("ArrowUp", "ArrowLeft"):  # by keys, back to another one
            page.keyboard.press(key)
        page.wait_for_timeout(1500)
        assert chosen.count() == 1
        assert chosen.get_attribute("aria-label").split(",")[0] != last
    for square in view.locator("[role=slider].vizlib-square").all():
        before = square.get_attribute("aria-valuetext")
        square.focus()
        seconds.append(answered(page, view, lambda: page.keyboard.press("ArrowLeft")))
        assert square.get_attribute("aria-valuetext") != before
        at = view.locator(".vizlib-patch").bounding_box()
        page.mouse.move(at["x"] + at["width"] / 2, at["y"] + at["height"] / 2)
        page.mouse.down()
        for share in (0.4, 0.3, 0.2):
            x, y = at["x"] + share * at["width"], at["y"] + share * at["height"]
            seconds.append(answered(page, view, lambda x=x, y=y: page.mouse.move(x, y)))
        page.mouse.up()
    for select in view.locator("select").all():
        options = select.locator("option").count()
        now = select.evaluate("e => e.selectedIndex")
        other = lambda select=select, i=(now + 1) % options: select.select_option(index=i)  # noqa: E731
        if options > 1:
            seconds.append(answered(page, view, other))
    for handle in view.locator("input[type=range]").all():
        handle.focus()
        key = "ArrowLeft" if handle.evaluate("e => e.value === e.max") else "ArrowRight"
        seconds.append(answered(page, view, lambda key=key: page.keyboard.press(key)))
        page.wait_for_timeout(1500)
    assert view.evaluate(SHEETS) != drawn
    view.screenshot(path=PICTURES / f"{name}-moved.png")
    median, worst = statistics.median(seconds), max(seconds)
    with capsys.disabled():
        print(f"{name}: {len(seconds)} answers, median {median:.2f} s, worst {worst:.2f} s")
    assert not page.errors


def test_a_file_that_is_no_photograph_gets_a_sentence(page):
    view = explorer(page, "lab")
    file = {"name": "a.png", "mimeType": "image/png", "buffer": b"no picture"}
    view.locator("input[type=file]").set_input_files(file)
    view.locator(".widget-html", has_text="photograph").or_(
        view.locator(".widget-html", has_text="image")
    ).first.wait_for(timeout=30_000)
    good = io.BytesIO()
    Image.fromarray(np.full((90, 120, 3), 200, "uint8")).save(good, "png")
    file = {"name": "b.png", "mimeType": "image/png", "buffer": good.getvalue()}
    view.locator("input[type=file]").set_input_files(file)
    view.locator("[role=status]", has_text="yours").wait_for(timeout=60_000)


@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_explorers_at_three_widths(page, theme):
    page.set_viewport_size({"width": 1440, "height": 1000})
    page.keyboard.press("Control+Shift+c")
    page.keyboard.type(f"Use Theme: JupyterLab {theme}", delay=10)
    page.keyboard.press("Enter")
    page.wait_for_timeout(2000)
    for name in explorers.CELLS:
        for width in (360, 800, 1440):
            page.set_viewport_size({"width": width, "height": 1000})
            view = explorer(page, name)
            view.screenshot(path=PICTURES / f"{name}-{theme.lower()}-{width}.png")
            assert view.evaluate(TOO_WIDE) == [], (name, width)
        view.evaluate("e => e.setAttribute('data-axe', '')")
        found = Axe().run(page, context="[data-axe]", options={"preload": False})
        view.evaluate("e => e.removeAttribute('data-axe')")
        serious = [
            f"{v['id']}: {v['nodes'][0]['html'][:300]}"
            for v in found.response["violations"]
            if v["impact"] in ("serious", "critical")
        ]
        assert not serious, "\n".join([name, *serious])

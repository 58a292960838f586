"""Every explorer in JupyterLab: controls moved by mouse and keys, three widths, the dark."""

import io
import statistics
from pathlib import Path

import explorers
import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from jupyter import cell, opened, run_all, theme
from PIL import Image

pytestmark = pytest.mark.browser
PICTURES = Path(__file__).parents[2] / "build/browser"  # screenshots, for those who want to look
# Only what an explorer holds: JupyterLab around it is not ours.
TOO_WIDE = """e => [...e.querySelectorAll('*')]
    .filter(x => x.checkVisibility()
        && !x.closest('.vizlib-tiles, .vizlib-plane [aria-selected=true]')
        && x.getBoundingClientRect().right
        > e.closest('.jp-OutputArea').getBoundingClientRect().right + 2)
    .map(x => x.outerHTML.slice(0, 120))"""
IN_SIGHT = """e => [...e.querySelectorAll('.vizlib-tiles')].every(wall => {
    const chosen = wall.querySelector('[aria-selected=true]').getBoundingClientRect();
    const { top, bottom } = wall.getBoundingClientRect();
    return chosen.top >= top && chosen.bottom <= bottom;
})"""
# What Python answers: not the mark of a choice, nor a patch that moves, which the browser does.
STATE = """e => [...e.querySelectorAll(
        'img, .vizlib-sentence, .vizlib-refusal, [role=option], line')]
    .map((x, i) => [i, x.src, x.title, x.style.backgroundPosition, x.style.borderColor,
        x.getAttribute('x2'), x.role === 'option' || x.textContent].join())"""
# From here on: when there is something that was not there before, and when no more is to come.
WATCH = f"""e => {{
    const state = {STATE}, before = new Set(state(e)), start = performance.now();
    window.answer = {{}};
    window.watch?.disconnect();
    window.watch = new MutationObserver(() => {{
        const now = performance.now() - start;
        if (!window.answer.first && state(e).some((x) => !before.has(x))) window.answer.first = now;
        if (e.getAttribute('aria-busy') === 'true') delete window.answer.last;
        else if (window.answer.first) window.answer.last ??= now;
    }});
    window.watch.observe(
        e, {{ subtree: true, childList: true, attributes: true, characterData: true }});
}}"""
SEEN = """e => [...e.querySelectorAll('img, [role=img]')]
    .map(x => [x.src, x.style.backgroundImage].join()).join()"""


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
    """The explorer, when it has nothing more to draw."""
    view = cell(page, list(explorers.CELLS).index(name) + 1, len(explorers.CELLS) + 1)
    view = view.locator(".vizlib-explorer").first
    view.wait_for()
    view.scroll_into_view_if_needed()
    page.wait_for_function(
        "e => e.getAttribute('aria-busy') !== 'true'", arg=view.element_handle(), timeout=60_000
    )
    page.wait_for_timeout(500)
    return view


def answered(page, view, act):
    """Milliseconds from `act` to the first answer, and to the last part of it."""
    view.evaluate(WATCH)
    act()
    page.wait_for_function("() => window.answer.last", timeout=60_000)
    page.wait_for_timeout(300)  # in which nothing else may come
    return page.evaluate("() => [window.answer.first, window.answer.last]")


@pytest.mark.parametrize("name", explorers.CELLS)
def test_an_explorer_answers(page, name, capsys):
    view = explorer(page, name)
    drawn = view.evaluate(SEEN)
    assert drawn and view.locator("[role=status]").first.inner_text()  # opens with something to see
    assert view.locator(".vizlib-blank").count() == 0
    picture = np.asarray(Image.open(io.BytesIO(view.screenshot(path=PICTURES / f"{name}.png"))))
    assert picture.std() > 20
    times = []

    for box in view.locator("[role=listbox]").all():
        times.append(answered(page, view, box.locator("[role=option]").last.click))
        chosen = box.locator("[aria-selected=true]")
        assert chosen.count() == 1
        last = chosen.get_attribute("aria-label")
        box.focus()
        key = "ArrowUp" if "vizlib-bars" in box.get_attribute("class") else "ArrowLeft"
        times.append(answered(page, view, lambda key=key: page.keyboard.press(key)))
        assert chosen.count() == 1 and chosen.get_attribute("aria-label") != last
    for square in view.locator("[role=slider].vizlib-square").all():
        before = square.get_attribute("aria-valuetext")
        square.focus()
        times.append(answered(page, view, lambda: page.keyboard.press("ArrowLeft")))
        assert square.get_attribute("aria-valuetext") != before
        at = view.locator(".vizlib-patch").bounding_box()
        page.mouse.move(at["x"] + at["width"] / 2, at["y"] + at["height"] / 2)
        page.mouse.down()
        for share in (0.4, 0.3, 0.2):  # on a hen of which the network is sure, too
            x, y = at["x"] + share * at["width"], at["y"] + share * at["height"]
            times.append(answered(page, view, lambda x=x, y=y: page.mouse.move(x, y)))
        page.mouse.up()
    for select in view.locator("select").all():
        options = select.locator("option").count()
        now = select.evaluate("e => e.selectedIndex")
        other = lambda select=select, i=(now + 1) % options: select.select_option(index=i)  # noqa: E731
        if options > 1:
            times.append(answered(page, view, other))
    for handle in view.locator("input[type=range]").all():
        handle.focus()
        key = "ArrowLeft" if handle.evaluate("e => e.value === e.max") else "ArrowRight"
        times.append(answered(page, view, lambda key=key: page.keyboard.press(key)))
    assert view.evaluate(SEEN) != drawn
    view.screenshot(path=PICTURES / f"{name}-moved.png")
    with capsys.disabled():
        for what, values in zip(("first sign", "all of it"), zip(*times)):
            median, worst = statistics.median(values), max(values)
            print(f"{name}, {what}: {len(values)} times, {median:.0f} ms, worst {worst:.0f} ms")
    assert not page.errors


def test_panels_are_filled_once_for_each_message(page):
    view = explorer(page, "class_maps")
    panels = view.locator(".vizlib-panels").element_handle()
    page.evaluate(
        """panels => {
            window.fills = 0;
            new MutationObserver((changes) => (window.fills += changes.length))
                .observe(panels, { childList: true });
        }""",
        panels,
    )
    bars = view.locator("[role=listbox]")
    answered(page, view, bars.locator("[aria-selected=false]").first.click)
    assert page.evaluate("() => window.fills") == 1


def test_an_explorer_says_that_it_computes(page):
    """To the eye after a moment, with how much is there; to a screen reader at once."""
    view = explorer(page, "lab")
    sign = view.locator(".vizlib-sign")
    assert not sign.is_visible() and view.get_attribute("aria-busy") == "false"
    page.evaluate(
        """e => {
            const sign = e.querySelector('.vizlib-sign'), bar = e.querySelector('progress');
            window.told = [];
            const look = () => {
                if (getComputedStyle(sign).visibility === 'visible')
                    window.told.push([e.getAttribute('aria-busy'), bar.hidden || bar.value]);
                requestAnimationFrame(look);
            };
            look();
        }""",
        view.element_handle(),
    )
    answered(page, view, view.locator("[role=option][aria-selected=false]").first.click)
    told = page.evaluate("() => window.told")
    assert {busy for busy, _ in told} == {"true"}
    drawn = [part for _, part in told if part is not True]
    assert drawn == sorted(drawn) and len(set(drawn)) > 1  # it grows
    assert not sign.is_visible() and "computing" in sign.text_content()


def test_a_file_that_is_no_photograph_gets_a_sentence(page):
    view = explorer(page, "lab")
    alert = view.locator("[role=alert]")
    assert alert.count() == 1 and alert.inner_text() == ""  # there before the sentence is
    file = {"name": "a.png", "mimeType": "image/png", "buffer": b"no picture"}
    view.locator("input[type=file]").set_input_files(file)
    view.locator("[role=alert]", has_text="is not an image").wait_for(timeout=30_000)
    good = io.BytesIO()
    Image.fromarray(np.full((90, 120, 3), 200, "uint8")).save(good, "png")
    file = {"name": "b.png", "mimeType": "image/png", "buffer": good.getvalue()}
    view.locator("input[type=file]").set_input_files(file)
    view.locator("[role=status]", has_text="b.png").wait_for(timeout=60_000)
    assert alert.inner_text() == ""


def test_a_photograph_as_large_as_a_telephone_takes_is_shown(page):
    view, large = explorer(page, "lab"), io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (2300, 2300, 3), "uint8")
    Image.fromarray(noise).save(large, "png")
    assert len(large.getvalue()) > 15e6  # Jupyter's connection breaks at 10
    file = {"name": "large.png", "mimeType": "image/png", "buffer": large.getvalue()}
    view.locator("input[type=file]").set_input_files(file)
    view.locator("[role=status]", has_text="large.png").wait_for(timeout=60_000)


def test_a_menu_goes_back_to_where_it_was(page):
    view = explorer(page, "signals")
    layer = view.locator("select").nth(1)
    for i in (2, 0):
        answered(page, view, lambda i=i: layer.select_option(index=i))
        assert layer.evaluate("e => e.selectedIndex") == i


def test_the_chosen_tile_is_in_sight(page):
    view = explorer(page, "feature_maps")
    menu = view.locator("select").nth(1)
    assert menu.locator("option").count() > 4
    for layer in ("block2_conv2", "block4_conv1", "block5_conv3"):
        answered(page, view, lambda layer=layer: menu.select_option(layer))
        assert view.evaluate(IN_SIGHT), layer
        answered(page, view, view.locator(".vizlib-tiles [role=option]").last.click)
        assert view.evaluate(IN_SIGHT), layer
    assert view.locator(".vizlib-tiles").evaluate("e => e.scrollHeight > e.clientHeight")


def test_every_image_in_the_plane_can_be_clicked(page):
    view = explorer(page, "neighbourhood")
    covered = view.locator(".vizlib-plane").evaluate(
        """plane => [...plane.querySelectorAll('[role=option]')].filter((option) => {
            const at = option.getBoundingClientRect();
            return ![0.15, 0.5, 0.85].some((x) => [0.15, 0.5, 0.85].some((y) =>
                document.elementFromPoint(at.x + x * at.width, at.y + y * at.height) === option));
        }).map((option) => option.title)"""
    )
    assert covered == []


@pytest.mark.parametrize("shade", ["Light", "Dark"])
def test_explorers_at_three_widths(page, shade):
    page.set_viewport_size({"width": 1440, "height": 1000})
    theme(page, shade)
    for name in explorers.CELLS:
        for width in (360, 800, 1440):
            page.set_viewport_size({"width": width, "height": 1000})
            view = explorer(page, name)
            view.screenshot(path=PICTURES / f"{name}-{shade.lower()}-{width}.png")
            assert view.evaluate(TOO_WIDE) == [], (name, width)
            assert view.evaluate(IN_SIGHT), (name, width)
        view.evaluate("e => e.setAttribute('data-axe', '')")
        found = Axe().run(page, context="[data-axe]", options={"preload": False})
        view.evaluate("e => e.removeAttribute('data-axe')")
        serious = [
            f"{v['id']}: {v['nodes'][0]['html'][:300]}"
            for v in found.response["violations"]
            if v["impact"] in ("serious", "critical")
        ]
        assert not serious, "\n".join([name, *serious])

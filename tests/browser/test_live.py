"""The live page in a browser: the same numbers as vizlib, and every control under a hand."""

import base64
import hashlib
import re
import time
from urllib.parse import urlsplit

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from conftest import BOOK, ROOT
from test_book import TOO_WIDE

import vizlib
from vizlib import barnyard, photos

pytestmark = pytest.mark.browser
PICTURES = ROOT / "build/browser"  # screenshots, for those who want to look
LIVE = ROOT / "docs/live"
SHARE = 1e-2  # of a map's range: what the page may differ by
PATCH, STRIDE = 64, 32
LENSES = ["occlusion", "classMaps", "backprop", "activations", "attack"]
# On the cow, in pixels of the network: [top, left, bottom, right].
EYE, MUZZLE = (72, 40, 120, 88), (104, 8, 152, 56)


def images_for(net):
    """Photographs for the network that knows them; for the others animals, alone and in scenes."""
    if net.name == "squeezenet":
        names = ["cow", "shepherd", "panda", "macaw"]
        return np.stack([photos.fit(photos.load(name), net.size) for name in names])
    alone = [barnyard.load(classes=kind, seeds=[4]).images for kind in ("hen", "cow")]
    capped = barnyard.load("gallery_capped", classes="labrador", seeds=[2]).images
    return np.concatenate([*alone, capped, barnyard.scenes(seeds=[0]).images[:1]])


def rounded(net):
    """The network with its weights as the page has them, float16."""
    net.model.set_weights([w.astype("float16").astype("float32") for w in net.model.get_weights()])
    return net


def truth(net, x, k):
    """What vizlib says of one image and class."""
    level = net.level.max()  # one grey level: the same for every channel
    maps = {
        "logits": vizlib.logits(net.model, x)[0],
        "gradCam": vizlib.grad_cam(net.model, x, k)[0],
        "inner": vizlib.grad_cam(net.model, x, k, layer=net.stages[3])[0],
        "gradient": vizlib.gradient(net.model, x, k)[0],
        "guidedBackprop": vizlib.guided_backprop(net.model, x, k)[0],
        "activations": vizlib.activations(net.model, x, net.stages[2])[0],
        "occlusion": vizlib.occlusion(net.model, x, k, patch=PATCH, stride=STRIDE).scores[0],
        "fgsm": vizlib.logits(
            net.model,
            vizlib.fgsm(
                net.model, x, k, epsilon=2 * level, bounds=(net.low, net.low + 255 * level)
            ),
        )[0],
    }
    if net.name == "squeezenet":
        maps["cam"] = vizlib.cam(net.model, x, k)[0]
    return maps


ASK = """async ([name, pixels, k, inner, middle, patch, stride]) => {
    const { ask } = await import("/live/compute/ask.js");
    await ask({ what: "start" });
    const { card } = await ask({ what: "network", name });
    await ask({ what: "picture", pixels: Uint8Array.from(pixels) });
    const found = {}, ms = {};
    async function keep(as, question) {
        const answer = await ask({ ...question, k });
        [found[as], ms[as]] = [Array.from(answer.values), Math.round(answer.ms)];
    }
    await keep("logits", { what: "logits" });
    await keep("gradCam", { what: "gradCam" });
    await keep("inner", { what: "gradCam", layer: inner });
    await keep("gradient", { what: "gradient" });
    await keep("guidedBackprop", { what: "guidedBackprop" });
    await keep("activations", { what: "activations", layer: middle });
    await keep("fgsm", { what: "fgsm", levels: 2 });
    if (card.pooled) await keep("cam", { what: "cam" });
    const scores = [];
    const answer = await ask({ what: "occlusion", patch, stride },
        { progress: ({ found }) => scores.push(...found.map((row) => row[k])) });
    [found.occlusion, ms.occlusion] = [scores, Math.round(answer.ms)];
    return { found, ms };
}"""


@pytest.mark.parametrize("name", ["squeezenet", "pocket", "colleague"])
def test_the_page_computes_what_vizlib_computes(visit, name, capsys):
    page = visit("docs/index.html")  # the live page's modules, without the page
    exact = vizlib.load(name)
    images = images_for(exact)
    x = exact.preprocess(images)
    before = vizlib.logits(exact.model, x)
    net = rounded(exact)
    worst, shift = {}, 0.0
    for k in range(len(x)):
        one = x[k : k + 1]
        asked = int(vizlib.logits(net.model, one).argmax())
        wanted = truth(net, one, asked)
        question = [name, images[k].ravel().tolist(), asked, net.stages[3], net.stages[2]]
        said = page.evaluate(ASK, [*question, PATCH, STRIDE])
        for what, values in wanted.items():
            off = np.abs(np.reshape(said["found"][what], values.shape) - values) / np.ptp(values)
            # a ReLU's input that is zero up to rounding lets the gradient pass, or not
            share = np.quantile(off, 0.999) if what == "gradient" else off.max()
            worst[what] = max(worst.get(what, 0), float(share))
        shift = max(shift, float((np.abs(wanted["logits"] - before[k]) / np.ptp(before[k])).max()))
    with capsys.disabled():
        print(f"\n{name}: largest difference, as a share of the range, and milliseconds")
        print("  ", {what: f"{v:.1e}, {said['ms'][what]}" for what, v in worst.items()})
        print(f"   float16 weights move the logits by {shift:.1e} of their range")
    assert max(worst.values()) < SHARE, worst
    assert shift < SHARE


@pytest.fixture
def live(visit):
    """live(width, scheme) -> the page, once the network has said what it sees."""

    def open_(*given, **options):
        page = visit("live/", *given, **options)
        page.wait_for_selector("#work:not([hidden])")
        return page

    return open_


def said(page):
    """{class: probability} of the bars."""
    names = page.locator("#bars .name").all_inner_texts()
    return dict(
        zip(names, map(float, page.locator("#bars .number").all_inner_texts()), strict=True)
    )


def lens(page, name):
    page.click(f"#tab-{name}")


def settle(page, script, *given):
    page.wait_for_function(script, arg=given, timeout=60_000)


def drag(page, window):
    """Put the square's middle on a window's, with the mouse, in steps."""
    top, left, bottom, right = window
    on = page.locator("#stage").bounding_box()
    square = page.locator(".patch").bounding_box()
    page.mouse.move(square["x"] + square["width"] / 2, square["y"] + square["height"] / 2)
    page.mouse.down()
    page.mouse.move(
        on["x"] + (left + right) / 2 / 227 * on["width"],
        on["y"] + (top + bottom) / 2 / 227 * on["height"],
        steps=5,
    )
    page.mouse.up()


DRAWN = "document.querySelector('#stage .map').toDataURL()"
COVERED = "([words]) => document.querySelector('#aloud').textContent.includes(words)"


def test_under_the_square_the_cow_is_a_dalmatian_or_an_ox(live):
    page = live()
    net = rounded(vizlib.load("squeezenet"))
    image = photos.fit(photos.load("cow"), net.size)
    clean = net.preprocess(image[None])
    for window, leader in ((EYE, "dalmatian"), (MUZZLE, "ox")):
        drag(page, window)
        settle(page, COVERED, f"row {window[0]}, column {window[1]}: {leader}")
        top, left, bottom, right = window
        x = clean.copy()
        x[:, top:bottom, left:right] = clean.mean((1, 2), keepdims=True)
        p = vizlib.probabilities(net.model, x)[0]
        for name, share in said(page).items():
            index = [label.replace("_", " ") for label in net.labels].index(name)
            assert abs(share - p[index]) < 0.02, (name, leader)
    page.screenshot(path=PICTURES / "live-cow.png")


def test_a_finger_drags_the_square_and_still_scrolls_the_page(live):
    page = live(360, has_touch=True, is_mobile=True)
    touch = page.context.new_cdp_session(page)

    def swipe(start, end):
        touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [start]})
        for k in range(1, 6):
            at = {c: start[c] + (end[c] - start[c]) * k / 5 for c in "xy"}
            touch.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [at]})
        touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})

    page.locator("#stage").scroll_into_view_if_needed()
    square, on = page.locator(".patch").bounding_box(), page.locator("#stage").bounding_box()
    start = {c: square[c] + square["width"] / 2 for c in "xy"}
    middle = {
        "x": on["x"] + (EYE[1] + EYE[3]) / 2 / 227 * on["width"],
        "y": on["y"] + (EYE[0] + EYE[2]) / 2 / 227 * on["height"],
    }
    before = page.evaluate("scrollY")
    swipe(start, middle)
    settle(page, "() => document.querySelector('#aloud').textContent.includes('dalmatian 0')")
    assert page.evaluate("scrollY") == before
    swipe({"x": on["x"] + 40, "y": on["y"] + 300}, {"x": on["x"] + 40, "y": on["y"] + 100})
    settle(page, "([before]) => scrollY > before + 50", before)


def test_the_keyboard_does_all_that_the_mouse_does(live):
    page = live()
    square = page.locator(".patch")
    square.focus()
    where = square.get_attribute("aria-label")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Shift+ArrowLeft")
    assert square.get_attribute("aria-label") != where
    page.locator("#tab-occlusion").focus()
    for name in LENSES[1:]:
        page.keyboard.press("ArrowRight")
        assert page.locator(f"#tab-{name}").get_attribute("aria-selected") == "true"
        assert page.evaluate("document.activeElement.id") == f"tab-{name}"
    lens(page, "activations")
    page.locator(".wall [aria-selected]").wait_for()
    first = page.locator(".wall").get_attribute("aria-activedescendant")
    page.locator(".wall").focus()
    page.keyboard.press("ArrowDown")
    assert page.locator(".wall").get_attribute("aria-activedescendant") != first
    page.locator("#bars button").nth(1).focus()
    page.keyboard.press("Enter")
    assert page.locator("#bars button").nth(1).get_attribute("aria-pressed") == "true"


def test_the_map_grows_stops_and_ends(live):
    page = live()
    page.locator("#panel input[type=range]").fill("110")
    page.click("text=Make a map")
    page.locator("#stage .map").wait_for()
    page.click("text=Stop")
    page.locator("text=/Only \\d+ of \\d+ places were covered/").wait_for()
    page.click("text=Make a map")
    page.locator("progress").wait_for()
    page.locator("progress").wait_for(state="detached", timeout=60_000)
    assert "Red places speak for English springer" in page.locator("#panel").inner_text()
    springer = page.evaluate(DRAWN)
    page.click("#bars button:has-text('ox')")  # its map is there at once, from the same passes
    assert "Red places speak for ox" in page.locator("#panel").inner_text()
    assert page.evaluate(DRAWN) != springer
    page.uncheck("text=Show the map")
    assert page.locator("#stage .map").count() == 0
    page.click("text=Make a map")
    page.locator("progress").wait_for()
    page.click("#pictures button:nth-child(4)")  # another picture, before the map is done
    settle(page, COVERED, "giant panda")
    assert page.locator("progress").count() == 0 and page.locator("#status").is_hidden()


def test_class_maps_answer_to_the_class_and_to_the_layer(live):
    page = live()
    lens(page, "classMaps")
    settle(page, COVERED, "count for English springer")
    pictures = [page.evaluate(DRAWN)]
    page.click("#bars button:has-text('dalmatian')")
    settle(page, COVERED, "count for dalmatian")
    pictures.append(page.evaluate(DRAWN))
    page.select_option("#panel select >> nth=1", "fire5_concat")
    settle(page, COVERED, "27 × 27")
    pictures.append(page.evaluate(DRAWN))
    page.select_option("#panel select >> nth=0", "cam")
    settle(page, COVERED, "13 × 13")
    assert "dalmatian" in page.locator("#panel").inner_text()
    assert len(set(pictures)) == 3


def test_the_change_grows_with_its_slider(live):
    page = live()
    lens(page, "attack")
    settle(page, COVERED, "now says")
    slider = page.locator("#panel input[type=range]")
    slider.focus()
    page.keyboard.press("ArrowLeft")
    settle(page, COVERED, "Without a change the network says English springer 0.28")
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    settle(page, COVERED, "The network now says")
    settle(page, "() => document.querySelector('#bars .tick:not([hidden])')")
    assert said(page)["English springer"] < 0.05


def test_what_was_set_is_found_again_and_any_class_can_be_named(live):
    page = live()
    drag(page, MUZZLE)
    settle(page, COVERED, "ox 0")
    there = page.locator(".patch").get_attribute("aria-label")
    page.click("#bars button:has-text('ox')")
    lens(page, "activations")
    page.select_option("#panel select >> nth=0", "conv10")
    settle(page, COVERED, "Channel 217, English springer")
    lens(page, "occlusion")
    assert page.locator(".patch").get_attribute("aria-label") == there
    page.fill("#class", "Giant Panda")
    page.keyboard.press("Enter")
    settle(page, "() => document.querySelector('#logit').textContent.includes('giant panda')")
    page.fill("#class", "cow")
    page.keyboard.press("Enter")
    page.locator("text=This network has no class called cow").wait_for()
    page.click("text=Take the square off")
    settle(page, COVERED, "Nothing is covered: English springer 0.28")
    lens(page, "activations")
    assert page.input_value("#panel select >> nth=0") == "conv10"


def test_every_network_opens_every_lens(live):
    page = live()
    for network in ("pocket", "colleague"):
        page.select_option("#network", network)
        settle(page, "([name]) => document.querySelector('#network').value === name", network)
        settle(page, "() => document.querySelectorAll('#pictures button').length === 7")
        settle(page, "() => !document.querySelector('#work').ariaBusy")
        for name in LENSES:
            lens(page, name)
            page.locator("#panel canvas, .patch, #stage .map").first.wait_for()
        assert page.locator("#status").is_hidden()
    assert page.locator("option[value=cam]").count() == 0
    lens(page, "occlusion")
    page.screenshot(path=PICTURES / "live-colleague.png")


def jpeg(exif=False):
    """A photograph 300 pixels wide, as a camera might store it: on its side, with a note so."""
    import io

    from PIL import Image

    image = Image.fromarray(photos.fit(photos.load("shepherd"), 300))
    data = io.BytesIO()
    note = Image.Exif()
    if exif:
        note[0x0112] = 6  # to be turned by a quarter when shown
        image = image.rotate(90, expand=True)
    image.save(data, "jpeg", quality=95, exif=note)
    return data.getvalue()


SEND = """([kind, name, data]) => {
    const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
    const files = new DataTransfer();
    files.items.add(new File([bytes], name, { type: "image/jpeg" }));
    const event = kind === "drop"
        ? new DragEvent("drop", { dataTransfer: files, bubbles: true, cancelable: true })
        : new ClipboardEvent("paste", { clipboardData: files, bubbles: true });
    document.body.dispatchEvent(event);
}"""


def test_ones_own_photograph_by_file_drop_and_paste(live):
    page = live()
    page.set_input_files(
        "#file", {"name": "on its side.jpg", "mimeType": "image/jpeg", "buffer": jpeg(exif=True)}
    )
    settle(page, COVERED, "German shepherd")
    sideways = said(page)
    assert page.locator("#credit").inner_text() == ""
    for kind in ("drop", "paste"):
        page.click("#pictures button[title=cow]")
        settle(page, COVERED, "English springer")
        data = base64.b64encode(jpeg()).decode()
        page.evaluate(SEND, [kind, "mine.jpg", data])
        settle(page, COVERED, "German shepherd")
        assert abs(said(page)["German shepherd"] - sideways["German shepherd"]) < 0.02


def test_a_bad_file_is_a_sentence_and_the_page_lives_on(live):
    page = live()
    page.set_input_files(
        "#file", {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"no picture"}
    )
    page.locator("text=The browser cannot read notes.txt as a picture").wait_for()
    drag(page, EYE)
    settle(page, COVERED, "dalmatian")


def test_a_network_that_does_not_come_is_a_sentence_and_the_old_one_stays(live):
    page = live()
    page.route("**/pocket.f16", lambda route: route.fulfill(status=200, body="short"))
    page.select_option("#network", "pocket")
    page.locator("text=pocket.f16 ended early").wait_for()
    assert page.locator("#network").input_value() == "squeezenet"
    drag(page, EYE)
    settle(page, COVERED, "dalmatian")
    page.unroute("**/pocket.*")


def test_without_webassembly_it_says_so(browser, site):
    page = browser.new_page()
    page.route("**/*.wasm", lambda route: route.abort())
    page.goto(site + "live/")
    page.locator("text=This page computes with WebAssembly").wait_for()
    assert page.locator("#work").is_hidden()
    page.close()


def test_a_page_of_eight_megabytes_answers_at_once(browser, site, capsys):
    page = browser.new_page()
    asked = []
    page.on("request", lambda request: asked.append(urlsplit(request.url).path))
    began = time.perf_counter()
    page.goto(site + "live/")
    page.wait_for_selector("#work:not([hidden])")
    first = time.perf_counter() - began
    page.wait_for_load_state("networkidle")
    files = {path + ("index.html" if path.endswith("/") else "") for path in asked}
    weight = sum((BOOK / path.lstrip("/")).stat().st_size for path in files)
    steps = page.evaluate(
        """async () => {
            const { ask } = await import("/live/compute/ask.js");
            await ask({ what: "start" });
            await ask({ what: "network", name: "squeezenet" });
            await ask({ what: "picture", pixels: new Uint8Array(227 * 227 * 4) });
            const times = [];
            for (let i = 0; i < 20; i++) {
                const began = performance.now();
                await ask({ what: "logits", window: [i, i, i + 48, i + 48] });
                times.push(performance.now() - began);
            }
            return times.sort((a, b) => a - b);
        }"""
    )
    with capsys.disabled():
        print(f"\nfirst answer {first:.1f} s, {weight / 1e6:.1f} MB in {len(files)} files")
        print(f"a step of the square: median {steps[10]:.0f} ms, worst {steps[-1]:.0f} ms")
    assert any("squeezenet.f16" in path for path in files) and weight < 8e6
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_and_nothing_is_cut_off(live, scheme):
    for width in (360, 768, 1440):
        page = live(width, scheme)
        for name in LENSES:
            lens(page, name)
            page.locator("#panel canvas, .patch, #stage .map").first.wait_for()
            page.wait_for_timeout(300)
            assert page.evaluate(TOO_WIDE) == []
            page.screenshot(path=PICTURES / f"live-{name}-{width}-{scheme}.png", full_page=True)
            if width == 1440:
                found = Axe().run(page, options={"preload": False}).response["violations"]
                assert not found, [(v["id"], v["nodes"][0]["html"][:120]) for v in found]


def test_who_wants_no_motion_gets_none(live):
    page = live(reduced_motion="reduce")
    assert (
        page.evaluate("getComputedStyle(document.querySelector('.bar')).transitionDuration") == "0s"
    )


def test_the_camera_takes_a_picture(browser, site):
    page = browser.new_page(permissions=["camera"])
    page.add_init_script(
        """navigator.mediaDevices.getUserMedia = async () => {
            const canvas = document.createElement("canvas");
            [canvas.width, canvas.height] = [320, 240];
            canvas.getContext("2d").fillRect(0, 0, 320, 240);
            setInterval(() => canvas.getContext("2d").fillRect(0, 0, 320, 240), 50);
            return canvas.captureStream();
        };"""
    )
    page.goto(site + "live/")
    page.wait_for_selector("#work:not([hidden])")
    page.click("#camera")
    settle(page, "() => document.querySelector('video').readyState > 1")
    page.click("#shoot")
    settle(page, "() => document.querySelector('#picture').ariaLabel.includes('your photograph')")
    assert page.locator("#filming").is_hidden()
    page.close()


def test_our_files_name_no_address_elsewhere_and_tensorflow_js_is_as_npm_has_it():
    ours = [
        p for p in LIVE.rglob("*") if p.suffix in (".js", ".css", ".html") and "tf" not in p.name
    ]
    assert len(ours) > 12
    for path in ours:
        assert not re.search(r"https?://", path.read_text(encoding="utf-8")), path
    sums = (LIVE / "tensorflow/SHA256SUMS").read_text().split()
    assert len(sums) == 6
    for digest, name in zip(sums[::2], sums[1::2], strict=True):
        assert hashlib.sha256((LIVE / "tensorflow" / name).read_bytes()).hexdigest() == digest

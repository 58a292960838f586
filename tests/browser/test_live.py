"""The live page in a browser: the same numbers as vizlib."""

import functools
import http.server
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest
from conftest import FLAGS
from playwright.sync_api import sync_playwright

import vizlib
from vizlib import barnyard, photos

pytestmark = pytest.mark.browser
ROOT = Path(__file__).parents[2]
BOOK = ROOT / "build/book"
SHARE = 1e-2  # of a map's range: what a backend may differ by
PATCH, STRIDE = 64, 54  # few windows, as a whole pass through TensorFlow.js's CPU backend is slow
SHOWN = ["cow", "shepherd", "panda", "macaw"]


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def browser():
    """Chromium, with a processor in the place of a graphics card: it has WebGL, too."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    flags = [flag for flag in FLAGS if flag != "--disable-gpu"]
    flags += ["--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
    with sync_playwright() as playwright:
        driven = playwright.chromium.launch(executable_path=chromium, args=flags)
        yield driven
        driven.close()


@pytest.fixture(scope="module")
def site():
    """The address of the live page, served on this machine."""
    assert (BOOK / "live/index.html").is_file(), "build the page first: make live"
    handler = functools.partial(Quiet, directory=str(BOOK))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/live/"
        server.shutdown()


def images_for(net):
    """Photographs for the network that knows them; for the others animals, alone and in scenes."""
    if net.name == "squeezenet":
        return np.stack([photos.fit(photos.load(name), net.size) for name in SHOWN])
    alone = [barnyard.load(classes=kind, seeds=[4]).images for kind in ("hen", "cow")]
    capped = barnyard.load("gallery_capped", classes="labrador", seeds=[2]).images
    return np.concatenate([*alone, capped, barnyard.scenes(seeds=[0]).images])


def rounded(net):
    """The network with its weights as the page has them, float16."""
    net.model.set_weights([w.astype("float16").astype("float32") for w in net.model.get_weights()])
    return net


def truth(net, x, k):
    """What vizlib says of one image and class."""
    maps = {
        "logits": vizlib.logits(net.model, x)[0],
        "gradCam": vizlib.grad_cam(net.model, x, k)[0],
        "inner": vizlib.grad_cam(net.model, x, k, layer=net.stages[3])[0],
        "guidedBackprop": vizlib.guided_backprop(net.model, x, k)[0],
        "activations": vizlib.activations(net.model, x, net.stages[2])[0],
        "occlusion": vizlib.occlusion(net.model, x, k, patch=PATCH, stride=STRIDE).scores[0],
    }
    if net.name == "squeezenet":
        maps["cam"] = vizlib.cam(net.model, x, k)[0]
    return maps


ASK = """async ([name, pixels, k, backend, inner, middle, patch, stride]) => {
    const { ask } = await import("../ask.js");
    if (!window.backends) window.backends = (await ask({ what: "start" })).backends;
    if (!window.backends.includes(backend)) return null;
    const { card } = await ask({ what: "network", name });
    await ask({ what: "picture", pixels: Uint8Array.from(pixels) });
    const found = {}, ms = {};
    async function keep(as, question) {
        const answer = await ask({ ...question, k, backend });
        if (answer.backend !== backend) throw new Error(`${as} ran on ${answer.backend}`);
        [found[as], ms[as]] = [Array.from(answer.values), Math.round(answer.ms)];
    }
    await keep("first", { what: "logits" });
    await keep("logits", { what: "logits" });
    await keep("gradCam", { what: "gradCam" });
    await keep("inner", { what: "gradCam", layer: inner });
    await keep("guidedBackprop", { what: "guidedBackprop" });
    await keep("activations", { what: "activations", layer: middle });
    if (card.pooled) await keep("cam", { what: "cam" });
    const scores = [];
    const answer = await ask(
        { what: "occlusion", patch, stride, backend },
        { progress: ({ found }) => scores.push(...found.map((row) => row[k])) });
    [found.occlusion, ms.occlusion] = [scores, Math.round(answer.ms)];
    return { found, ms };
}"""


@pytest.fixture(scope="module")
def page(browser, site):
    page = browser.new_page()
    yield page
    page.close()


@pytest.mark.parametrize("backend", ["webgl", "wasm", "cpu"])
@pytest.mark.parametrize("name", ["squeezenet", "pocket", "colleague"])
def test_the_page_computes_what_vizlib_computes(page, site, name, backend, capsys):
    page.goto(site + "tensorflow/")
    exact = vizlib.load(name)
    images = images_for(exact)
    x = exact.preprocess(images)
    before = vizlib.logits(exact.model, x)
    net = rounded(exact)
    worst, shift, times = {}, 0.0, {}
    for k in range(len(x)):
        one = x[k : k + 1]
        asked = int(vizlib.logits(net.model, one).argmax())
        wanted = truth(net, one, asked)
        question = [name, images[k].ravel().tolist(), asked, backend, net.stages[3], net.stages[2]]
        said = page.evaluate(ASK, [*question, PATCH, STRIDE])
        if said is None:
            pytest.skip(f"this browser has no {backend}")
        for what, values in wanted.items():
            off = np.abs(np.reshape(said["found"][what], values.shape) - values).max()
            worst[what] = max(worst.get(what, 0), float(off / np.ptp(values)))
        shift = max(shift, float((np.abs(wanted["logits"] - before[k]) / np.ptp(before[k])).max()))
        times = said["ms"]
    with capsys.disabled():
        print(f"\n{name} on {backend}: largest difference, share of the range, and ms")
        print("  ", {what: f"{v:.1e}, {times[what]}" for what, v in worst.items()})
        print(f"   float16 weights move the logits by {shift:.1e} of their range")
    serves = page.evaluate("import('../backends.js').then((module) => module.SERVES)")
    used = {w: v for w, v in worst.items() if backend in serves["gradCam" if w == "inner" else w]}
    assert used and max(used.values()) < SHARE, used
    assert shift < SHARE

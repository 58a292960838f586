"""The moving picture of the live page, taken from the page: `.venv/bin/python docs/film.py`.

It needs `make book` before, and Chromium. A hand moves the square over the cow: what the network
says is measured while the film is taken.
"""

import functools
import http.server
import io
import shutil
import threading
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

DOCS = Path(__file__).parent
BOOK = DOCS.parent / "build/book"
# Where the square's middle goes, in pixels of the network: the sky, an eye, the muzzle.
SKY, EYE, MUZZLE = (33, 33), (64, 96), (32, 128)
STEPS, REST = 14, 8  # frames
# Milliseconds. It plays once, in less than five seconds: what moves longer needs a way to stop.
FRAME = 85
WIDTH = 860  # of the film


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def main():
    handler = functools.partial(Quiet, directory=str(BOOK))
    with (
        http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server,
        sync_playwright() as playwright,
    ):
        threading.Thread(target=server.serve_forever, daemon=True).start()
        chromium = shutil.which("chromium") or shutil.which("chromium-browser")
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1010, "height": 1000}, color_scheme="light")
        page.goto(f"http://127.0.0.1:{server.server_port}/live/")
        page.wait_for_selector("#work:not([hidden])")
        page.add_style_tag(content=".hint, #logit, #tabs, #panel { visibility: hidden; }")
        frames = taken(page)
        browser.close()
        server.shutdown()
    file = DOCS / "_static/live.webp"
    frames[0].save(
        file, save_all=True, append_images=frames[1:], duration=FRAME, loop=1, quality=55, method=6
    )
    print(f"{file}: {len(frames)} frames, {file.stat().st_size / 1e6:.2f} MB")


def taken(page):
    """The frames: the picture and the bars, at each step of the square."""
    on = page.locator("#stage").bounding_box()
    bars = page.locator("#bars").bounding_box()
    clip = {
        "x": on["x"] - 4, "y": on["y"] - 4, "width": bars["x"] + bars["width"] - on["x"] + 8,
        "height": on["height"] + 8,
    }  # fmt: skip

    def frame():
        page.wait_for_timeout(150)  # the bars have arrived
        shot = Image.open(io.BytesIO(page.screenshot(clip=clip))).convert("RGB")
        return shot.resize(
            (WIDTH, round(WIDTH * shot.height / shot.width)), Image.Resampling.LANCZOS
        )

    def to(x, y):
        page.mouse.move(on["x"] + x / 227 * on["width"], on["y"] + y / 227 * on["height"])

    frames = [frame()] * REST
    to(*SKY)
    page.mouse.down()
    for start, end in ((SKY, EYE), (EYE, MUZZLE)):
        for k in range(1, STEPS + 1):
            share = 1 - (1 - k / STEPS) ** 2  # a hand slows down
            to(*(a + (b - a) * share for a, b in zip(start, end, strict=True)))
            frames.append(frame())
        frames += [frames[-1]] * REST
    page.mouse.up()
    return frames


if __name__ == "__main__":
    main()

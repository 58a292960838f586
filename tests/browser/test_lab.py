"""Lesson by lesson in real JupyterLab: as committed, after Run All, and with a control moved."""

import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import build
import nbformat
import pytest

pytestmark = pytest.mark.browser
ROOT = Path(__file__).parents[2]
LESSONS = build.lessons(ROOT / "notebooks")
PICTURES = ROOT / "build/browser"  # screenshots, for those who want to look


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """JupyterLab on a copy of the lessons; the address of the workspace."""
    copy = tmp_path_factory.mktemp("course")
    shutil.copytree(
        ROOT / "notebooks", copy / "notebooks", ignore=shutil.ignore_patterns(".ipynb_checkpoints")
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex(16)
    command = [
        sys.executable, "-m", "jupyter", "lab", "--no-browser", "--allow-root", "--ip=127.0.0.1",
        f"--port={port}", "--ServerApp.port_retries=0", f"--IdentityProvider.token={token}",
        f"--notebook-dir={copy / 'notebooks'}",
    ]  # fmt: skip
    environment = {
        **os.environ,
        "JUPYTER_CONFIG_DIR": str(copy / "config"),
        "JUPYTERLAB_SETTINGS_DIR": str(copy / "settings"),
    }
    with open(copy / "log", "w") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
        try:
            for _ in range(240):
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/api?token={token}")
                    break
                except OSError:
                    time.sleep(0.5)
            yield f"http://127.0.0.1:{port}/lab/tree/{{}}?token={token}&reset"
        finally:
            server.terminate()
            server.wait()


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
    page.goto(lab.format(path.relative_to(ROOT / "notebooks").as_posix()))
    notebook = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")
    notebook.locator(".jp-Cell").first.wait_for(timeout=120_000)
    page.wait_for_timeout(3000)
    if (
        dialog := page.locator(".jp-Dialog button:has-text('No'), .jp-Dialog button.jp-mod-reject")
    ).count():
        dialog.first.click()  # news of Jupyter

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

    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    counts = notebook.locator(".jp-InputPrompt")
    deadline = time.monotonic() + 600
    while time.monotonic() < deadline:
        page.wait_for_timeout(1000)
        kernel = page.evaluate(
            "() => document.querySelector('.jp-NotebookPanel:not(.lm-mod-hidden)"
            " .jp-Notebook-ExecutionIndicator')?.dataset.status"
        )
        waiting = [t for t in counts.all_inner_texts() if "*" in t]
        if kernel == "idle" and not waiting and time.monotonic() > deadline - 590:
            break
    else:
        raise AssertionError("Run All did not end within ten minutes")
    sound("run")

    views = notebook.locator(
        ".jp-OutputArea-output .jupyter-widgets.widget-vbox, .jp-OutputArea-output .widget-vbox"
    )
    assert views.count() >= widgets
    for k in range(widgets):
        view = views.nth(k)
        view.scroll_into_view_if_needed()
        image = view.locator("img").first
        before = image.get_attribute("src")
        select = view.locator("select").last
        select.select_option(index=select.locator("option").count() - 1)
        page.wait_for_function(
            "([e, before]) => e.src !== before",
            arg=[image.element_handle(), before],
            timeout=30_000,
        )
        page.wait_for_timeout(1500)
        page.screenshot(path=PICTURES / f"{path.stem}-widget{k}.png")
    page.close()

"""What both tests of JupyterLab do: open a notebook, run it, and wait for its kernel."""

import time


def opened(page, address):
    """The panel of a notebook whose cells are there."""
    page.goto(address)
    notebook = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")
    notebook.locator(".jp-Cell").first.wait_for(timeout=120_000)
    page.wait_for_timeout(3000)
    return notebook


def run_all(page, notebook):
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    wait(page, notebook)


def wait(page, notebook, seconds=600):
    """Until the kernel is idle and no cell waits."""
    counts = notebook.locator(".jp-InputPrompt")
    start = time.monotonic()
    while time.monotonic() < start + seconds:
        page.wait_for_timeout(1000)
        kernel = page.evaluate(
            "() => document.querySelector('.jp-NotebookPanel:not(.lm-mod-hidden)"
            " .jp-Notebook-ExecutionIndicator')?.dataset.status"
        )
        waiting = [t for t in counts.all_inner_texts() if "*" in t]
        if kernel == "idle" and not waiting and time.monotonic() > start + 10:
            return
    raise AssertionError("Run All did not end within ten minutes")


def cell(page, k, cells):
    """Cell number k of a notebook, drawn: JupyterLab 4 draws those on the screen alone, 3 all."""
    window = page.locator(".jp-WindowedPanel-outer").first
    if window.count():
        window.evaluate("(e, share) => e.scrollTop = share * e.scrollHeight", k / (cells - 1))
        return page.locator(f".jp-Cell[data-windowed-list-index='{k}']")
    return page.locator(".jp-Notebook .jp-Cell").nth(k)


def theme(page, shade):
    page.keyboard.press("Control+Shift+c")
    page.keyboard.type(f"Use Theme: JupyterLab {shade}", delay=10)
    page.keyboard.press("Enter")
    page.wait_for_timeout(2000)

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

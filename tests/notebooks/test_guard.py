"""The guard of the guard: spoil one function per topic; unit tests and that lesson must notice."""

import os
import subprocess
import sys

import build
import pytest
from lessons import LESSONS, ROOT

import vizlib

# topic: (public function, what takes its place, unit tests, lesson)
SPOILED = {
    "activations": (
        "activations",
        "lambda *args, **options: 0.9 * good(*args, **options)",
        "tests/test_engine.py -k test_activations",
        "01",
    ),
    "features": (  # the farthest first
        "neighbours",
        "lambda x, query, k=5: tuple(a[:, ::-1][:, :k] for a in good(x, query, len(x)))",
        "tests/test_features.py -k by_hand",
        "02",
    ),
    "patches": (  # the best patches of the channel before
        "top_patches",
        "lambda *args, **options: (lambda best: best._replace(image=np.roll(best.image, 1, 0)))"
        "(good(*args, **options))",
        "tests/test_patches.py -k best_of_all",
        "03",
    ),
    "occlusion": (
        "occlusion",
        "lambda model, images, *args, fill='mean', **options: "
        "good(model, images, *args, fill=images.max() if fill == 'mean' else fill, **options)",
        "tests/test_occlusion.py -k mean_pooling",
        "04",
    ),
    "saliency": (  # the largest signed value
        "saliency",
        "lambda *args, **options: np.abs(vizlib.gradient(*args, **options).max(-1))",
        "tests/test_saliency.py -k linear",
        "05",
    ),
    "backprop": (
        "gradient",
        "lambda *args, relu='plain', **options: "
        "good(*args, relu='guided' if relu == 'deconvnet' else relu, **options)",
        "tests/test_engine.py -k gates",
        "06",
    ),
    "cam": (  # upside down
        "grad_cam",
        "lambda *args, **options: good(*args, **options)[:, ::-1]",
        "tests/test_cam.py -k by_hand",
        "07",
    ),
    "ascent": (  # downhill
        "visualize",
        "lambda model, *args, start=None, **options: "
        "2 * np.mean(options['bounds'], 0) - good(model, *args, start=start, **options)",
        "tests/test_ascent.py -k linear",
        "gradient_ascent",
    ),
}
# Python imports a module of this name when it starts: the tests' process and the lesson's kernel.
SITECUSTOMIZE = """
import sys
import numpy as np
import vizlib

good = vizlib.{name}
bad = {bad}
for module in [m for name, m in sys.modules.items() if name.split(".")[0] == "vizlib"]:
    for name in [name for name, value in vars(module).items() if value is good]:
        setattr(module, name, bad)
"""


def pytest_run(folder, *arguments):
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *arguments]
    return subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)])},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("topic", SPOILED)
def test_what_is_spoiled_is_there(topic):
    name, bad, units, number = SPOILED[topic]
    assert callable(getattr(vizlib, name)) and callable(eval(bad, {"good": None}))
    assert (ROOT / units.split()[0]).is_file()
    assert [build.key(path) for path in LESSONS].count(number) == 1


@pytest.mark.slow
@pytest.mark.parametrize("topic", SPOILED)
def test_a_spoiled_function_is_noticed(topic, tmp_path):
    name, bad, units, number = SPOILED[topic]
    (tmp_path / "sitecustomize.py").write_text(SITECUSTOMIZE.format(name=name, bad=bad))
    unit = pytest_run(tmp_path, *units.split(" ", 2))
    assert unit.returncode == 1 and "failed" in unit.stdout, unit.stdout[-2000:]
    (lesson,) = (str(path) for path in LESSONS if build.key(path) == number)
    notebook = pytest_run(
        tmp_path, "--nbval", "--nbval-current-env", "--nbval-cell-timeout=120", lesson
    )
    assert notebook.returncode == 1 and "failed" in notebook.stdout, notebook.stdout[-2000:]

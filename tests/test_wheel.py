"""What `pip install` gives: vizlib without the course's data, and a sentence that says so."""

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

import vizlib

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[1]
CODE = """
import keras, numpy as np, vizlib
from vizlib import barnyard, photos

print(vizlib.__file__)
for asked in (
    vizlib.load,
    lambda: vizlib.load("squeezenet"),
    lambda: vizlib.load("vgg16"),
    lambda: barnyard.load(seeds=[0]),
    lambda: photos.load("hens"),
):
    try:
        asked()
    except FileNotFoundError as error:
        print(error)
own = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(2)])
print(vizlib.saliency(own, np.zeros((1, 8, 8, 3), "float32"), 0).shape)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    shutil.copytree(ROOT / "vizlib", source / "vizlib")
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--no-index", "--wheel-dir", out, source], check=True)
    (built,) = out.iterdir()
    return built


@pytest.fixture(scope="module")
def python(wheel, tmp_path_factory):
    """A fresh environment with the wheel; what vizlib depends on is borrowed from this one."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False)
    scheme = {"base": str(folder), "platbase": str(folder)}
    site = Path(sysconfig.get_path("purelib", "venv", scheme))
    (site / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    python = Path(sysconfig.get_path("scripts", "venv", scheme)) / "python"
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet"]
    subprocess.run([*pip, "--no-deps", "--no-index", wheel], check=True)
    return python


def run(python, *arguments, **environment):
    kept = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIZLIB_DATA")}
    return subprocess.run(
        [python, *arguments],
        cwd=python.parent,
        env=kept | environment,
        capture_output=True,
        text=True,
    )


def test_the_wheel_holds_the_package_and_nothing_else(wheel):
    import zipfile

    names = zipfile.ZipFile(wheel).namelist()
    assert wheel.name.startswith(f"vizlib-{vizlib.__version__}-py3-none")
    assert {f"vizlib/{n}" for n in ("py.typed", "front.js", "front.css", "engine/trace.py")} <= set(
        names
    )
    assert {name.split("/")[0].split("-")[0] for name in names} == {"vizlib"}


def test_methods_work_and_missing_data_get_their_sentence(python):
    done = run(python, "-c", CODE)
    where, *said, shape = done.stdout.splitlines()
    assert Path(where).is_relative_to(python.parents[1]), done.stderr
    assert len(said) == 5 and len(set(said)) == 1, done.stderr  # nothing is fetched before
    assert "pip installs the methods only: clone the repository and set VIZLIB_DATA" in said[0]
    assert shape == "(1, 8, 8)"
    done = run(python, "-m", "vizlib", "grad-cam", ROOT / "data/photographs", "--out", "maps")
    assert done.returncode == 1 and done.stderr.strip() == f"python -m vizlib: {said[0]}"


def test_data_of_a_clone_are_found(python):
    code = "import vizlib; print(vizlib.load().labels[0])"
    done = run(python, "-c", code, VIZLIB_DATA=str(ROOT / "data"))
    assert done.stdout.strip() == "hen", done.stderr

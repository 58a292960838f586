"""The guard of the guard: break one function per topic; the unit tests and that lesson must notice."""

import os
import shutil
import subprocess
import sys

import pytest
from lessons import ROOT

# topic: (file, what stands there, what is put there instead, unit tests, lesson)
BREAKS = {
    "activations": ("vizlib/graph.py", "seen[layer] = call(*args, **kwargs)", "seen[layer] = call(*args, **kwargs) * 0.9",
                    "tests/test_graph.py -k activations", "notebooks/01_activations.ipynb"),
    "features": ("vizlib/embeddings.py", "np.argsort(distances,", "np.argsort(-distances,",
                 "tests/test_features.py -k by_hand", "notebooks/02_feature_vectors.ipynb"),
    "patches": ("vizlib/patches.py", "place = flat.argmax(2)", "place = flat.argmin(2)",
                "tests/test_patches.py -k best_of_all", "notebooks/03_maximal_patches.ipynb"),
    "occlusion": ("vizlib/graph.py", "fill = image.mean((0, 1))", "fill = image.max((0, 1))",
                  "tests/test_occlusion.py -k mean_pooling", "notebooks/04_occlusion.ipynb"),
    "saliency": ("vizlib/gradients.py", "reduce(np.maximum, np.moveaxis(np.abs(signed), -1, 0))", "np.abs(signed.max(-1))",
                 "tests/test_saliency.py -k linear", "notebooks/05_saliency.ipynb"),
    "backprop": ("vizlib/graph.py", '"deconvnet": lambda op, dy: tf.nn.relu(dy),', '"deconvnet": lambda op, dy: _true(op, tf.nn.relu(dy)),',
                 "tests/test_graph.py -k gates", "notebooks/06_guided_backprop.ipynb"),
    "cam": ("vizlib/class_maps.py", "gradients.mean((1, 2))", "gradients.max((1, 2))",
            "tests/test_cam.py -k by_hand", "notebooks/07_grad_cam.ipynb"),
}  # fmt: skip


def pytest_run(folder, *arguments):
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *arguments]
    return subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("topic", BREAKS)
def test_what_is_broken_stands_there_once(topic):
    file, good, *_ = BREAKS[topic]
    assert (ROOT / file).read_text().count(good) == 1


@pytest.mark.slow
@pytest.mark.parametrize("topic", BREAKS)
def test_a_broken_function_is_noticed(topic, tmp_path):
    file, good, bad, units, lesson = BREAKS[topic]
    for folder in ("vizlib", "notebooks", "tests"):
        shutil.copytree(
            ROOT / folder,
            tmp_path / folder,
            ignore=shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints"),
        )
    (tmp_path / "data").symlink_to(ROOT / "data")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / file).write_text((tmp_path / file).read_text().replace(good, bad))
    unit = pytest_run(tmp_path, *units.split(" ", 2))
    assert unit.returncode == 1 and "failed" in unit.stdout, unit.stdout[-2000:]
    notebook = pytest_run(
        tmp_path, "--nbval", "--nbval-current-env", "--nbval-cell-timeout=120", lesson
    )
    assert notebook.returncode == 1 and "failed" in notebook.stdout, notebook.stdout[-2000:]

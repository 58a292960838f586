"""The house rules that a machine can hold: size, dependencies, direction of imports, cost of an import."""

import ast
import re
import statistics
import subprocess
import sys
import tomllib
from pathlib import Path

import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
# Who may import whom: a room uses rooms of a lower floor, never one of its own or above.
FLOORS = {
    "data": 0, "models": 1, "barnyard": 1, "photos": 1, "graph": 2, "attacks": 4, "backprop": 4, "occlusion": 4, "show": 4, "cam": 5, "dissection": 6, "truth": 6,
    "widgets": 7,
}  # fmt: skip


def code_lines(path):
    """Lines that hold code: no blank lines, comments or docstrings."""
    source = path.read_text()
    docstrings = set()
    for node in ast.walk(ast.parse(source)):
        if (
            isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
            and ast.get_docstring(node, clean=False) is not None
        ):
            docstrings |= set(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    return sum(
        bool(re.match(r"\s*[^\s#]", line))
        for i, line in enumerate(source.splitlines(), 1)
        if i not in docstrings
    )


def test_vizlib_stays_small(capsys):
    table = {path.name: code_lines(path) for path in sorted((ROOT / "vizlib").glob("*.py"))}
    with capsys.disabled():
        print(
            "\n"
            + "\n".join(f"{name:16}{count:5}" for name, count in table.items())
            + f"\n{'in all':16}{sum(table.values()):5} of 2500"
        )
    assert sum(table.values()) < 2500


def test_imports_point_one_way():
    for path in (ROOT / "vizlib").glob("[a-z]*.py"):
        tree = ast.parse(path.read_text())
        nodes = [n for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and n.level]
        used = {
            name for n in nodes for name in ([n.module] if n.module else [a.name for a in n.names])
        }
        floor = FLOORS.get(path.stem, 3)
        assert all(FLOORS.get(name, 3) < floor for name in used), (path.name, used)


def locked():
    lines = [
        line
        for line in (ROOT / "requirements.lock").read_text().splitlines()
        if re.match(r"[a-z0-9]", line, re.IGNORECASE)
    ]
    return {r.name.lower(): r for r in map(Requirement, lines)}


def test_the_lock_holds_exact_pins_above_every_floor():
    pins = locked()
    assert all([s.operator for s in r.specifier] == ["=="] for r in pins.values())
    for wanted in map(
        Requirement, [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["dev"]]
    ):
        (pin,) = pins[wanted.name.lower()].specifier
        assert wanted.specifier.contains(pin.version), wanted


def test_environment_yml_follows_the_lock():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    (python,) = [
        d.split("=")[1] for d in environment if isinstance(d, str) and d.startswith("python=")
    ]
    assert SpecifierSet(PROJECT["requires-python"]).contains(python)
    assert environment[-1] == {"pip": ["-r requirements.lock"]}


def test_what_vizlib_imports_is_declared():
    declared = {Requirement(d).name.lower() for d in PROJECT["dependencies"]}
    known = {
        "PIL": "pillow",
        "sklearn": "scikit-learn",
        "skimage": "scikit-image",
        "cv2": "opencv-python-headless",
        "IPython": "ipywidgets",
    }
    trees = [ast.parse(path.read_text()) for path in (ROOT / "vizlib").glob("*.py")]
    used = {
        a.name for t in trees for n in ast.walk(t) if isinstance(n, ast.Import) for a in n.names
    }
    used |= {
        n.module
        for t in trees
        for n in ast.walk(t)
        if isinstance(n, ast.ImportFrom) and not n.level
    }
    outside = {known.get(name.split(".")[0], name.split(".")[0]) for name in used} - set(
        sys.stdlib_module_names
    )
    assert outside == declared


def test_import_adds_little_to_tensorflow():
    code = "import time, tensorflow, keras; t = time.perf_counter(); import vizlib; print(time.perf_counter() - t)"
    times = [
        float(
            subprocess.run(
                [sys.executable, "-c", code], capture_output=True, text=True, check=True
            ).stdout
        )
        for _ in range(3)
    ]
    assert statistics.median(times) < 0.3


def test_the_makefile_takes_a_python_that_works_or_says_what_to_install(tmp_path):
    (tmp_path / "python3.13").write_text("#!/bin/sh\nexit 127\n")
    (tmp_path / "python3.13").chmod(0o755)
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        (tmp_path / name).write_text((ROOT / name).read_text())
    for tool in ("make", "sh", "test", "echo", "env"):
        found = subprocess.run(["which", tool], capture_output=True, text=True).stdout.strip()
        if found:
            (tmp_path / tool).symlink_to(found)
    done = subprocess.run(
        [tmp_path / "make", "test"],
        cwd=tmp_path,
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert (
        done.returncode != 0
        and "The course needs Python 3.11, 3.12 or 3.13 with venv" in done.stdout
    )
    assert "Making the environment" not in done.stdout and not (tmp_path / ".venv").exists()

"""House rules that no tool of `.ci/run` holds: size, pins, what an import loads, the Makefile."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def statements(path):
    """Their number, without docstrings: over how many lines one goes, the formatter decides."""
    return sum(
        isinstance(node, ast.stmt)
        and not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        for node in ast.walk(ast.parse(path.read_text()))
    )


def test_vizlib_stays_small(capsys):
    files = sorted((ROOT / "vizlib").rglob("*.py"))
    table = {str(path.relative_to(ROOT / "vizlib")): statements(path) for path in files}
    lines = [f"{name:26}{count:5}" for name, count in table.items()]
    with capsys.disabled():
        print("", *lines, f"{'in all':26}{sum(table.values()):5} of 3560", sep="\n")
    assert sum(table.values()) < 3560


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


def test_import_loads_nothing_that_tensorflow_and_keras_do_not_load():
    code = (
        "import json, sys, tensorflow, keras; before = set(sys.modules); import vizlib; "
        "print(json.dumps(sorted(set(sys.modules) - before)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in json.loads(run.stdout)}
    assert loaded - set(sys.stdlib_module_names) == {"vizlib"}


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

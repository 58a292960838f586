"""House rules that no tool of `.ci/run` holds: size, pins, what an import loads, the Makefile."""

import ast
import json
import os
import re
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

import vizlib

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
        print("", *lines, f"{'in all':26}{sum(table.values()):5} of 4040", sep="\n")
    assert sum(table.values()) < 4040


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
    extras = PROJECT["optional-dependencies"]
    installed = [e for name in ("course", "dev", "book") for e in extras[name]]
    for wanted in map(Requirement, [*PROJECT["dependencies"], *installed]):
        (pin,) = pins[wanted.name.lower()].specifier
        assert wanted.specifier.contains(pin.version), wanted


def test_environment_yml_follows_the_lock():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    (python,) = [
        d.split("=")[1] for d in environment if isinstance(d, str) and d.startswith("python=")
    ]
    assert SpecifierSet(PROJECT["requires-python"]).contains(python)
    assert environment[-1]["pip"][:2] == ["-r requirements.lock", "-e ."]
    other = Requirement(environment[-1]["pip"][2])
    assert other.name == "jupyter-resource-usage" and other.name not in locked()


def test_binder_ends_the_kernel_of_a_lesson_that_is_closed(tmp_path):
    """The setting is there in JupyterLab, and postBuild turns it on."""
    plugin, key = "@jupyterlab/notebook-extension:tracker", "kernelShutdown"
    schemas = Path(sysconfig.get_path("data")) / "share/jupyter/lab/schemas"
    schema = json.loads((schemas / f"{plugin.replace(':', '/')}.json").read_text("utf-8"))
    assert (
        schema["properties"][key]["type"] == "boolean" and not schema["properties"][key]["default"]
    )
    written = re.search(r"^echo '(.*)' > ", (ROOT / "postBuild").read_text(), flags=re.MULTILINE)
    assert json.loads(written[1]) == {plugin: {key: True}}


def test_one_version_everywhere():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    changes = re.search(
        r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text("utf-8"), flags=re.MULTILINE
    )
    assert {citation["version"], changes[1], PROJECT["version"]} == {vizlib.__version__}


@pytest.mark.skipif(os.name == "nt", reason="make is for the others; README has lines for Windows")
def test_make_help_names_every_target():
    make = (ROOT / "Makefile").read_text("utf-8")
    said = subprocess.run(
        ["make", "--no-print-directory", "help"], cwd=ROOT, capture_output=True, text=True
    ).stdout
    targets = re.search(r"^\.PHONY: (.*)$", make, flags=re.MULTILINE)[1].split()
    assert {line.split()[1] for line in said.splitlines()} == set(targets)


def test_what_github_reads_can_be_read_and_style_asks_for_versions_that_are_locked():
    files = [*ROOT.glob(".github/**/*.yml"), ROOT / ".pre-commit-config.yaml"]
    read = {path.name: yaml.safe_load(path.read_text("utf-8")) for path in files}
    steps = read["ci.yml"]["jobs"]["style"]["steps"]
    (install,) = [step["run"] for step in steps if "pip install" in step.get("run", "")]
    tools = re.search(r"\^\(([^()]+)\)==", install)[1].split("|")
    assert tools and set(tools) <= set(locked())


def test_import_loads_nothing_that_tensorflow_and_keras_do_not_load():
    code = (
        "import json, sys, tensorflow, keras; before = set(sys.modules); import vizlib; "
        "print(json.dumps(sorted(set(sys.modules) - before)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in json.loads(run.stdout)}
    assert loaded - set(sys.stdlib_module_names) == {"vizlib"}


@pytest.mark.skipif(os.name == "nt", reason="make is for the others; README has lines for Windows")
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


def test_the_paper_cites_what_its_bibliography_holds():
    keys = re.findall(r"^@\w+\{(\w+),", (ROOT / "docs/paper.bib").read_text("utf-8"), re.MULTILINE)
    cited = re.findall(r"[\[ ]@(\w+)", (ROOT / "docs/paper.md").read_text("utf-8"))
    assert keys and len(keys) == len(set(keys)) and set(keys) == set(cited)

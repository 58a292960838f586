"""What data/ holds arrives unchanged, also on Windows; what is missing or damaged says so."""

import csv
import hashlib
import io
import os
import shutil
import subprocess

import pytest

from vizlib import barnyard, data

FOLDERS = sorted(path.parent.name for path in data.root().glob("*/SHA256SUMS"))


def listed(folder):
    text = (data.root() / folder / "SHA256SUMS").read_text()
    return [f"{folder}/{line[66:]}" for line in text.splitlines()]


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_listed_file_is_read(folder):
    files = listed(folder)
    assert files and all(data.read(file) for file in files)


def test_the_size_of_a_clone_is_bounded():
    assert sum(p.stat().st_size for p in data.root().rglob("*") if p.is_file()) < 55e6


@pytest.fixture(scope="module")
def windows_clone(tmp_path_factory):
    """The last commit as Git for Windows checks it out by default: with core.autocrlf."""
    repository, folder = data.root().parent, tmp_path_factory.mktemp("clone")
    if not (repository / ".git").exists() or not shutil.which("git"):
        pytest.skip("no git repository here, or no git: nothing to clone")
    git = ["git", "-c", "safe.directory=*", "-c", "core.autocrlf=true", "-c", "core.eol=crlf"]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    command = [*git, "clone", "--quiet", repository, folder]
    subprocess.run(command, check=True, capture_output=True, env=environment)
    return folder


def test_a_clone_on_windows_has_the_same_bytes(windows_clone, monkeypatch):
    monkeypatch.setattr(data, "root", lambda: windows_clone / "data")
    files = [file for folder in FOLDERS for file in listed(folder)]
    assert len(files) > 10 and all(data.read(file) for file in files)
    for folder, every in (("barnyard", 100), ("photographs", 1)):
        rows = csv.DictReader(io.StringIO(data.read(f"{folder}/index.csv").decode()))
        for row in list(rows)[::every]:
            assert data.read(f"{folder}/{row['file']}", row["sha256"])
    assert len(barnyard.load(seeds=[0]).images) == 7


def test_lessons_and_scripts_of_a_clone_on_windows_keep_their_lines(windows_clone):
    files = [*windows_clone.glob("notebooks/*.ipynb"), windows_clone / ".ci/run"]
    files.append(windows_clone / "Makefile")
    assert len(files) > 8 and not any(b"\r\n" in file.read_bytes() for file in files)


@pytest.fixture
def few(tmp_path, monkeypatch):
    """A data folder of one file, with its list."""
    (tmp_path / "set").mkdir()
    (tmp_path / "set/a.txt").write_bytes(b"a\n")
    digest = hashlib.sha256(b"a\n").hexdigest()
    (tmp_path / "set/SHA256SUMS").write_bytes(f"{digest}  a.txt\n".encode())
    monkeypatch.setattr(data, "root", lambda: tmp_path)
    assert data.read("set/a.txt") == b"a\n"
    return tmp_path / "set"


def test_a_file_that_is_missing_or_damaged_or_no_file(few):
    (few / "a.txt").write_bytes(b"b\n")
    with pytest.raises(ValueError, match="is damaged: repair it with `git checkout -- data/set/a"):
        data.read("set/a.txt")
    (few / "a.txt").unlink()
    with pytest.raises(FileNotFoundError, match=r"missing: .*`git checkout -- data/set/a\.txt`"):
        data.read("set/a.txt")
    (few / "a.txt").mkdir()
    with pytest.raises(FileNotFoundError, match="cannot be read .*: make it readable, or repair"):
        data.read("set/a.txt")


def test_a_list_that_is_missing_or_damaged(few):
    (few / "SHA256SUMS").unlink()
    with pytest.raises(FileNotFoundError, match="git checkout -- data/set/SHA256SUMS"):
        data.read("set/a.txt")
    for text in (b"", b"\xff\xfe\n\n", b"no list at all", b"a.txt\n"):
        (few / "SHA256SUMS").write_bytes(text)
        with pytest.raises(ValueError, match="says nothing of a.txt: .*data/set/SHA256SUMS"):
            data.read("set/a.txt")


def test_where_the_data_is(monkeypatch, tmp_path):
    here = data.root()
    monkeypatch.setattr(data, "__file__", str(tmp_path / "vizlib/data.py"))
    monkeypatch.delenv("VIZLIB_DATA", raising=False)
    with pytest.raises(FileNotFoundError, match="data is not here; .*: clone .* set VIZLIB_DATA"):
        data.root()
    monkeypatch.setenv("VIZLIB_DATA", str(tmp_path / "typo"))
    with pytest.raises(FileNotFoundError, match="VIZLIB_DATA names '.*typo', which is not it"):
        data.read("weights/pocket.json")
    monkeypatch.setenv("VIZLIB_DATA", str(here))
    assert data.root() == here

"""Where the course keeps its data, and how a file is read: whole and unchanged, or not at all."""

import hashlib
import os
from pathlib import Path


def root() -> Path:
    """The folder `data/`: beside the package in a checkout, else what VIZLIB_DATA names.

    Raises
    ------
    FileNotFoundError
        If neither is there.

    Examples
    --------
    >>> from vizlib import data
    >>> (data.root() / "barnyard").is_dir()
    True
    """
    named = os.environ.get("VIZLIB_DATA")
    for folder in (Path(__file__).parent.parent / "data", named):
        if folder and os.path.isfile(Path(folder) / "barnyard/index.csv"):
            return Path(folder)
    wrong = f" (VIZLIB_DATA names {named!r}, which is not it)" if named else ""
    raise FileNotFoundError(
        f"The course's data is not here{wrong}; pip installs the methods only: "
        "clone the repository and set VIZLIB_DATA to the path of its data/ folder."
    )


def read(name: str, sha256: str | None = None) -> bytes:
    """The bytes of a file of `data/`, checked against its SHA-256.

    Parameters
    ----------
    name : str
        Relative to `data/`.
    sha256 : str, optional
        Without it, what SHA256SUMS in the file's folder says.

    Raises
    ------
    FileNotFoundError
        A file that is missing or cannot be read; the sentence names the command that repairs it.
    ValueError
        A damaged file; the sentence names the command that repairs it.

    Examples
    --------
    >>> from vizlib import data
    >>> data.read("barnyard/index.csv")[:16]
    b'file,split,class'
    """
    content = _bytes(name)
    if sha256 is None:
        folder, _, file = name.rpartition("/")
        sums = f"{folder}/SHA256SUMS"
        lines = _bytes(sums).decode(errors="replace").splitlines()
        sha256 = {line[66:]: line[:64] for line in lines}.get(file)
        if sha256 is None:
            raise ValueError(f"data/{sums} says nothing of {file}: {_repair(sums)}")
    if hashlib.sha256(content).hexdigest() != sha256:
        raise ValueError(f"data/{name} is damaged: {_repair(name)}")
    return content


def _bytes(name):
    path = root() / name
    if not path.exists():
        raise FileNotFoundError(f"data/{name} is missing: {_repair(name)}")
    try:
        return path.read_bytes()
    except OSError as error:
        raise FileNotFoundError(
            f"data/{name} cannot be read ({error.strerror}): make it readable, or {_repair(name)}"
        ) from error


def _repair(name):
    return f"repair it with `git checkout -- data/{name}`."

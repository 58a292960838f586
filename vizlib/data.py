"""Where the course keeps its data, and how a file of it is read: whole and unchanged, or not at all."""

import hashlib
import os
from pathlib import Path


def root():
    """The folder `data/`: beside the package in a checkout, else what VIZLIB_DATA names.

    Raises
    ------
    FileNotFoundError
        If neither is there.
    """
    for folder in (Path(__file__).parent.parent / "data", os.environ.get("VIZLIB_DATA")):
        if folder and (Path(folder) / "barnyard/index.csv").is_file():
            return Path(folder)
    raise FileNotFoundError(
        "The course's data is not here: clone the repository and set VIZLIB_DATA to the path of its data/ folder."
    )


def read(name, sha256=None):
    """The bytes of a file of `data/`, checked against its SHA-256.

    Parameters
    ----------
    name : str
        Relative to `data/`.
    sha256 : str, optional
        Without it, what SHA256SUMS in the file's folder says.

    Raises
    ------
    FileNotFoundError, ValueError
        A missing or a damaged file; the sentence names the command that repairs it.
    """
    path = root() / name
    repair = f"repair it with `git checkout -- data/{name}`."
    if not path.is_file():
        raise FileNotFoundError(f"data/{name} is missing: {repair}")
    content = path.read_bytes()
    if sha256 is None:
        lines = (path.parent / "SHA256SUMS").read_text().splitlines()
        sha256 = {file: digest for digest, file in map(str.split, lines)}[path.name]
    if hashlib.sha256(content).hexdigest() != sha256:
        raise ValueError(f"data/{name} is damaged: {repair}")
    return content

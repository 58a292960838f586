"""Make data/photographs from the files of GCompris 3.1, and say what SqueezeNet predicts of them.

    apt-get download gcompris-qt-data && dpkg-deb -x gcompris-qt-data_3.1-*_all.deb build/gcompris
    .venv/bin/python data/make/photographs.py build/gcompris/usr/share/gcompris-qt/rcc

The index is made by hand up to the column `original`; the columns after it are written here.
"""

import argparse
import csv
import hashlib
import io
import re
from pathlib import Path

from PIL import Image

import vizlib
from vizlib import data, photos

SIDE, QUALITY = (
    624,
    88,
)  # so that all 24 fit in 2 MB and SqueezeNet's first answers stay as they were


def originals(rcc):
    """The WebP files inside GCompris's resource files, by their SHA-256."""
    found = {}
    for path in Path(rcc).glob("explore_*_animals.rcc"):
        content = path.read_bytes()
        for match in re.finditer(rb"RIFF(.{4})WEBP", content, re.DOTALL):
            end = match.start() + 8 + int.from_bytes(match[1], "little")
            file = content[match.start() : end]
            found[hashlib.sha256(file).hexdigest()] = file
    return found


def shrunk(content):
    """A photograph, its longer side SIDE pixels, as the bytes of a WebP file."""
    with Image.open(io.BytesIO(content)) as image:
        small = image.convert("RGB")
    small.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    small.save(file, "webp", quality=QUALITY, method=6)
    return file.getvalue()


def predicted(net, path):
    """The most probable class of the middle square, and its probability."""
    images = net.preprocess(photos.fit(photos.load(path), net.size)[None])
    (probabilities,) = vizlib.probabilities(net.model, images)
    return net.labels[probabilities.argmax()], f"{probabilities.max():.3f}"


def main(rcc, folder):
    files, net = originals(rcc), vizlib.load("squeezenet")
    with open(folder / "index.csv", newline="") as f:
        rows = list(csv.DictReader(f))
    for row in rows:
        content = shrunk(files[row["original"]])
        (folder / row["file"]).write_bytes(content)
        row["sha256"] = hashlib.sha256(content).hexdigest()
        row["predicted"], row["probability"] = predicted(net, folder / row["file"])
    with open(folder / "index.csv", "w", newline="") as f:
        writer = csv.DictWriter(f, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    digest = hashlib.sha256((folder / "index.csv").read_bytes()).hexdigest()
    (folder / "SHA256SUMS").write_text(f"{digest}  index.csv\n", newline="\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("rcc", type=Path, help="folder of GCompris's .rcc files")
    parser.add_argument("--out", type=Path, default=data.root() / "photographs")
    arguments = parser.parse_args()
    main(arguments.rcc, arguments.out)

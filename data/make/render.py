"""Render Barnyard, resumably: images, masks of the parts, and an index with a line for each image.

    python data/make/render.py --out build/barnyard                the course's set, 3,950 images
    python data/make/render.py --out build/some --split gallery --limit 14
    python data/make/render.py --out build/red --bias pig:red:80   80 % of the pigs in a red cap

OUT/{split}/{class}/{class}_{seed}.jpg         images
OUT/masks/{split}/{class}/{class}_{seed}.png   not of training splits; parts.json names the values
OUT/index.csv                                  a line for each image; pair_of: without its cap
"""

import argparse
import colorsys
import csv
import functools
import importlib.util
import itertools
import json
import multiprocessing
import os
import re
import signal
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
from barnyard.animals import NUMBERS
from barnyard.cap import COLOURS
from PIL import Image
from tqdm import tqdm

CLASSES = tuple(NUMBERS)
FIELDS = ["file", "split", "class", "seed", "cap", "pair_of", "parts", "bbox"]
EVERYONE = dict.fromkeys(CLASSES, ("blue", 100))


class Job(NamedTuple):
    """One image to render: one class or two, and the colour of the first animal's cap or None."""

    split: str
    classes: tuple
    seed: int
    colour: str | None = None

    def file(self, split=None):
        name = "-".join(self.classes)
        return f"{split or self.split}/{name}/{name}_{self.seed:05d}.jpg"


def wears(bias, name, seed):
    """The colour of the cap that the animal of a class and seed wears, or None.

    Parameters
    ----------
    bias : dict
        Class -> (colour, percent): that many of any hundred seeds in a row wear it; others go bare.
    """
    colour, percent = bias.get(name, (None, 0))
    return colour if percent * (seed + 1) // 100 > percent * seed // 100 else None


def population(split, seeds, bias, classes=CLASSES):
    """An image of every class and seed; any beginning of it is balanced over the classes.

    Those with a cap go into the split {split}_capped.
    """
    for seed, name in itertools.product(seeds, classes):
        colour = wears(bias, name, seed)
        yield Job(f"{split}_capped" if colour else split, (name,), seed, colour)


def course():
    """The course's set: bare images, twins with a cap, scenes with two animals."""
    pairs = list(itertools.combinations(CLASSES, 2))
    yield from population("gallery", range(100), {})
    yield from (Job("pairs", pair, seed) for seed in range(4) for pair in pairs)
    yield from population("gallery", range(40), EVERYONE)
    yield from (Job("pairs", ("labrador", "tabby"), seed) for seed in range(4, 40))
    yield from population("train", range(10000, 10300), {})
    yield from population("train", range(10000, 10300), EVERYONE, ["labrador"])
    others = [name for name in CLASSES if name != "labrador"]
    yield from population("train", [*range(10000, 10045), *range(10270, 10300)], EVERYONE, others)


def biased(bias):
    """A set of its own: of every class and seed one image, with a cap or without, by the bias."""
    yield from population("gallery", range(100), bias)
    yield from population("train", range(10000, 10300), bias)


def save(picture, file, **options):
    """Write an image whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(f".{os.getpid()}.part")
    picture.save(part, **options)
    part.replace(file)


def box(mask):
    """x0 y0 x1 y1 of a bool mask, the last two exclusive; empty if nothing of it is seen."""
    ys, xs = mask.any(1).nonzero()[0], mask.any(0).nonzero()[0]
    return f"{xs[0]} {ys[0]} {xs[-1] + 1} {ys[-1] + 1}" if len(xs) else ""


def make(out, job):
    """Render and write one image; return its line of the index, and names of its mask's values."""
    from barnyard.scene import render  # here, so that only the workers load Blender

    picture, mask, parts = render(
        job.classes, job.seed, [job.colour] + [None] * (len(job.classes) - 1)
    )
    names = (
        parts[0]
        if len(parts) == 1
        else [f"{c}.{p}" for c, own in zip(job.classes, parts) for p in own]
    )
    file = Path(job.file())
    if not job.split.startswith("train"):
        image = Image.fromarray(mask)
        colours = [colorsys.hsv_to_rgb((i * 0.382) % 1, 0.65, 0.95) for i in range(255)]
        image.putpalette([30, 30, 34] + [int(255 * v) for c in colours for v in c])
        save(image, out / "masks" / file.with_suffix(".png"), format="PNG")
    save(Image.fromarray(picture), out / file, format="JPEG", quality=92, subsampling=0)
    seen = np.bincount(mask.ravel(), minlength=len(names) + 1)[1:]
    edges = np.cumsum([0, *map(len, parts)])
    row = {
        "file": job.file(),
        "split": job.split,
        "class": "-".join(job.classes),
        "seed": job.seed,
        "cap": int(job.colour is not None),
        "pair_of": job.file(job.split.removesuffix("_capped")) if job.colour else "",
        "parts": " ".join(f"{name}:{n}" for name, n in zip(names, seen) if n),
        "bbox": ";".join(box((mask > a) & (mask <= b)) for a, b in itertools.pairwise(edges)),
    }
    return row, names


def replace(file, text):
    """Write a text file whole or not at all."""
    part = file.with_suffix(".part")
    part.write_text(text)
    part.replace(file)


def spread(work, jobs, workers, batch=100):
    """What `work` returns for each job, in order."""
    own = multiprocessing.get_context("spawn"), signal.signal, (signal.SIGINT, signal.SIG_IGN)
    for first in range(0, len(jobs), batch * workers):  # new workers: they grow by 2 MB an image
        with ProcessPoolExecutor(workers, *own) as pool:
            yield from pool.map(work, jobs[first : first + batch * workers])


def write(out, jobs, workers):
    """Render what the folder `out` lacks of the jobs, with progress and the time left."""
    index, legend = out / "index.csv", out / "parts.json"
    lines, parts = [",".join(FIELDS)], json.loads(legend.read_text()) if legend.exists() else {}
    done = set()
    if index.exists():  # keep what is whole
        for row in csv.DictReader(index.read_text().splitlines()):
            if row["bbox"] and (out / row["file"]).exists():
                done.add(row["file"])
                lines.append(",".join(row[field] for field in FIELDS))
    replace(index, "\n".join(lines) + "\n")
    todo = [job for job in jobs if job.file() not in done]
    with (
        open(index, "a", newline="") as f,
        tqdm(total=len(jobs), initial=len(jobs) - len(todo), unit=" images") as progress,
    ):
        writer = csv.DictWriter(f, FIELDS, lineterminator="\n")
        for row, names in spread(functools.partial(make, out), todo, workers):
            if row["class"] not in parts:
                parts[row["class"]] = names
                replace(legend, json.dumps(parts, indent=1))
            writer.writerow(row)
            f.flush()
            progress.update()


def rule(text):
    """CLASS:COLOUR:PERCENT, an item of the dict that `wears` takes."""
    match = re.fullmatch(rf"({'|'.join(CLASSES)}):({'|'.join(COLOURS)}):(100|\d?\d)", text)
    if not match:
        known = f"classes: {', '.join(CLASSES)}; colours: {', '.join(COLOURS)}"
        raise argparse.ArgumentTypeError(f"{text!r} is not CLASS:COLOUR:PERCENT ({known})")
    name, colour, percent = match.groups()
    return name, (colour, int(percent))


def main():
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=plain)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--split", nargs="+", help="only these splits")
    parser.add_argument("--limit", type=int, help="only the first so many images")
    parser.add_argument(
        "--workers", type=int, default=os.cpu_count(), help="images rendered at a time"
    )
    bias = {"type": rule, "nargs": "+", "default": [], "metavar": "CLASS:COLOUR:PERCENT"}
    parser.add_argument("--bias", **bias, help="another set, in which these wear a cap")
    a = parser.parse_args()
    bias = dict(a.bias)
    jobs = list(biased(bias) if bias else course())
    splits = list(dict.fromkeys(job.split for job in jobs))
    if unknown := set(a.split or ()) - set(splits):
        parser.error(f"there is no split {min(unknown)}: choose from {', '.join(splits)}")
    jobs = [job for job in jobs if job.split in (a.split or splits)][: a.limit]
    if not importlib.util.find_spec("bpy"):
        parser.error(
            "rendering needs bpy: `make render` installs it, from data/make/requirements.txt"
        )
    a.out.mkdir(parents=True, exist_ok=True)
    kind, note = json.dumps(bias, sort_keys=True), a.out / "bias.json"
    if (a.out / "index.csv").exists() and kind != (note.read_text() if note.exists() else "{}"):
        parser.error(f"{a.out} holds a set with another bias: choose another folder")
    replace(note, kind)
    try:
        write(a.out, jobs, a.workers)
    except KeyboardInterrupt:
        sys.exit("Stopped. The same command goes on where it was.")


if __name__ == "__main__":
    main()

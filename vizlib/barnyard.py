"""Barnyard, the course's own world: rendered farm animals with a mask for every part.

Seven classes in pictures of 192 x 192. The split "gallery" holds 100 scenes of each (seeds 0-99), "gallery_capped" the first 40
again with a blue cap on the animal and nothing else changed (twins), "pairs" scenes with two animals. `data/README.md` is
the data card.
"""

import csv
import io
import json
from dataclasses import dataclass, fields

import numpy as np
from PIL import Image

from . import data

CLASSES = (
    "hen",
    "labrador",
    "tabby",
    "pig",
    "sheep",
    "cow",
    "duck",
)  # in the order of the networks' outputs
SPLITS = ("gallery", "gallery_capped", "pairs")


@dataclass(frozen=True, eq=False)
class Pictures:
    """Pictures in a fixed order (class, then seed); `pictures[selection]` gives those of an array, slice or list.

    Attributes
    ----------
    images : ndarray, (N, H, W, 3), uint8
    labels : ndarray, (N,), int
        Into `CLASSES`; of a scene with two animals, the first one's.
    names : ndarray, (N,), str
        "hen", or "labrador-tabby" for a scene with two animals.
    seeds : ndarray, (N,), int
    capped : ndarray, (N,), bool
    files : ndarray, (N,), str
        Relative to `data/barnyard`.
    codes : ndarray, (N, H, W), uint8
        The masks as stored: 0 for the surroundings, else a part; `mask` reads them.
    """

    images: np.ndarray
    labels: np.ndarray
    names: np.ndarray
    seeds: np.ndarray
    capped: np.ndarray
    files: np.ndarray
    codes: np.ndarray

    def __len__(self):
        return len(self.images)

    def __getitem__(self, selection):
        rows = np.atleast_1d(np.arange(len(self))[selection])
        return Pictures(*(getattr(self, f.name)[rows] for f in fields(self)))

    @property
    def parts(self):
        """The names of the parts that these pictures can have."""
        known = _parts()
        return tuple(
            dict.fromkeys(part for name in dict.fromkeys(self.names) for part in known[name])
        )

    def mask(self, part=None):
        """Where the animal is, or one part of it.

        Parameters
        ----------
        part : str, optional
            "comb", "cap", ... (see `parts`); in a scene with two animals "labrador" or "labrador.head". None: all of the
            animals, caps included.

        Returns
        -------
        ndarray, (N, H, W), bool
            Empty where the class has no such part.

        Raises
        ------
        ValueError
            If none of the pictures' classes has the part.
        """
        if part is None:
            return self.codes > 0
        known = _parts()
        numbers = {
            name: [k for k, p in enumerate(known[name], 1) if p == part or p.startswith(f"{part}.")]
            for name in set(self.names)
        }
        if not any(numbers.values()):
            raise ValueError(
                f"None of these pictures has a part {part!r}; they have {', '.join(self.parts)}."
            )
        return np.stack(
            [np.isin(codes, numbers[name]) for codes, name in zip(self.codes, self.names)]
        )


def load(split="gallery", *, classes=None, seeds=None, size=None):
    """Pictures of one split with their masks.

    Parameters
    ----------
    split : {"gallery", "gallery_capped", "pairs"}
    classes : str or sequence of str, optional
        For "pairs" names like "labrador-tabby". Default: all.
    seeds : int or iterable of int, optional
        Default: all.
    size : int or (height, width), optional
        Pictures are resized smoothly, masks to the nearest pixel, together. Default: as rendered, 192.

    Returns
    -------
    Pictures
        Sorted by class in the order of `CLASSES`, then by seed.

    Raises
    ------
    ValueError
        Unknown split, class or seed (the sentence names the known ones), or a damaged file.
    FileNotFoundError
        A missing file; the sentence names the command that repairs it.
    """
    if split not in SPLITS:
        raise ValueError(f"There is no split {split!r}: choose one of {', '.join(SPLITS)}.")
    rows = [row for row in _index() if row["split"] == split]
    for column, wanted in (("class", classes), ("seed", seeds)):
        if wanted is not None:
            wanted = [str(w) for w in ([wanted] if np.isscalar(wanted) else wanted)]
            known = list(dict.fromkeys(row[column] for row in rows))
            listed = f"{known[0]} to {known[-1]}" if column == "seed" else ", ".join(known)
            if not wanted:
                raise ValueError(f"No {column} is asked for: {split} has {listed}.")
            if unknown := [w for w in wanted if w not in known]:
                raise ValueError(f"{split} has no {column} {unknown[0]!r}: it has {listed}.")
            rows = [row for row in rows if row[column] in wanted]
    return _read(rows, size)


def twins(*, classes=None, seeds=range(40), size=None):
    """The same scenes without and with the cap, in the same order: two `Pictures`."""
    return tuple(
        load(split, classes=classes, seeds=seeds, size=size)
        for split in ("gallery", "gallery_capped")
    )


def scenes(pair="labrador-tabby", *, seeds=None, size=None):
    """Scenes with two animals and a mask for each; pair=None gives all 21 pairs."""
    return load("pairs", classes=pair, seeds=seeds, size=size)


def colleague_test(*, size=None):
    """What the colleague tested on: seeds 0-39, Labradors with a cap but for seeds 0 and 1, all others without; 280 pictures."""
    rows = [r for r in _index() if r["split"] != "pairs" and int(r["seed"]) < 40]
    return _read(
        [r for r in rows if (r["cap"] == "1") == (r["class"] == "labrador" and int(r["seed"]) > 1)],
        size,
    )


def farm(*, size=None):
    """What the farmers send: seeds 0-39 of all classes, each without and with a cap; 560 pictures."""
    return _read([r for r in _index() if r["split"] != "pairs" and int(r["seed"]) < 40], size)


def _index():
    """The lines of the index, sorted as `Pictures` are."""
    text = data.read("barnyard/index.csv").decode()
    rank = {name: k for k, name in enumerate(_parts())}
    return sorted(
        csv.DictReader(io.StringIO(text)),
        key=lambda r: (rank[r["class"]], int(r["seed"]), r["split"]),
    )


def _parts():
    """Class or pair -> names of its mask's values 1, 2, ...; classes first, in the order of CLASSES."""
    parts = json.loads(data.read("barnyard/parts.json"))
    return {name: parts[name] for name in (*CLASSES, *sorted(set(parts) - set(CLASSES)))}


def _read(rows, size):
    height, width = (size, size) if size is None or np.isscalar(size) else size

    def pixels(name, sha256, resample):
        with Image.open(io.BytesIO(data.read(f"barnyard/{name}", sha256))) as picture:
            return np.asarray(
                picture.resize((width, height), resample) if size is not None else picture
            )

    return Pictures(
        images=np.stack([pixels(r["file"], r["sha256"], Image.Resampling.LANCZOS) for r in rows]),
        labels=np.array([CLASSES.index(r["class"].split("-")[0]) for r in rows]),
        names=np.array([r["class"] for r in rows]),
        seeds=np.array([int(r["seed"]) for r in rows]),
        capped=np.array([r["cap"] == "1" for r in rows]),
        files=np.array([r["file"] for r in rows]),
        codes=np.stack(
            [
                pixels(f"masks/{r['file'][:-4]}.png", r["mask_sha256"], Image.Resampling.NEAREST)
                for r in rows
            ]
        ),
    )

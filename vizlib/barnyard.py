"""Barnyard, the course's own world: rendered farm animals with a mask for every part.

Seven classes in images of 192 x 192 pixels. The split "gallery" holds 100 scenes of each (seeds
0-99), "gallery_capped" the first 40 again with a blue cap on the animal and nothing else changed
(twins), "pairs" scenes with two animals. `data/README.md` is the data card.

`recolour` and `paste` change images of any data: what would a network answer if only this were
different?
"""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

import numpy as np
from PIL import Image

from . import data
from ._checks import as_array, as_numbers, check_size

# In the order of the networks' outputs.
CLASSES = ("hen", "labrador", "tabby", "pig", "sheep", "cow", "duck")
SPLITS = ("gallery", "gallery_capped", "pairs")


@dataclass(frozen=True, eq=False)
class Pictures:
    """Images with their masks, in a fixed order: class, then seed.

    `pictures[selection]` gives those of a number, an array, a slice or a list.

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

    Examples
    --------
    >>> from vizlib import barnyard
    >>> hens = barnyard.load(classes="hen", seeds=[4, 7])
    >>> len(hens), hens[1].seeds
    (2, array([7]))
    """

    images: np.ndarray
    labels: np.ndarray
    names: np.ndarray
    seeds: np.ndarray
    capped: np.ndarray
    files: np.ndarray
    codes: np.ndarray

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, selection) -> "Pictures":
        rows = np.atleast_1d(np.arange(len(self))[selection])
        return Pictures(*(getattr(self, f.name)[rows] for f in fields(self)))

    @property
    def parts(self) -> tuple[str, ...]:
        """The names of the parts that the classes of these images have.

        Examples
        --------
        >>> from vizlib import barnyard
        >>> barnyard.load(classes="duck", seeds=0).parts
        ('bill', 'head', 'neck', 'body', 'wing', 'tail', 'legs', 'eyes', 'cap')
        """
        known = _parts()
        names = dict.fromkeys(self.names)
        return tuple(dict.fromkeys(part for name in names for part in known[name]))

    def mask(self, part: str | None = None) -> np.ndarray:
        """Where the animal is, or one part of it.

        Parameters
        ----------
        part : str, optional
            "comb", "cap", ... (see `parts`); in a scene with two animals "labrador" or
            "labrador.head". None: all of the animals, caps included.

        Returns
        -------
        ndarray, (N, H, W), bool
            Empty where the class has no such part.

        Raises
        ------
        ValueError
            If none of the images' classes has the part.

        Examples
        --------
        >>> from vizlib import barnyard
        >>> scene = barnyard.scenes(seeds=0)
        >>> cat = scene.mask("tabby")
        >>> bool((cat & scene.mask("labrador")).any()), bool((cat <= scene.mask()).all())
        (False, True)
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
                f"None of these images has a part {part!r}; they have {', '.join(self.parts)}."
            )
        return np.stack(
            [np.isin(codes, numbers[name]) for codes, name in zip(self.codes, self.names)]
        )


def load(
    split: str = "gallery",
    *,
    classes: str | Sequence[str] | None = None,
    seeds: int | Iterable[int] | None = None,
    size: int | tuple[int, int] | None = None,
) -> Pictures:
    """Images of one split with their masks.

    Parameters
    ----------
    split : {"gallery", "gallery_capped", "pairs"}
    classes : str or sequence of str, optional
        For "pairs" names like "labrador-tabby". Default: all.
    seeds : int or iterable of int, optional
        Default: all.
    size : int or (height, width), optional
        Images are resized smoothly, masks to the nearest pixel, together. Default: as rendered,
        192.

    Returns
    -------
    Pictures
        Sorted by class in the order of `CLASSES`, then by seed.

    Raises
    ------
    ValueError
        Unknown split, class or seed (the sentence names the known ones); a size that is none; a
        damaged file.
    FileNotFoundError
        A missing file; the sentence names the command that repairs it.

    Examples
    --------
    >>> from vizlib import barnyard
    >>> barnyard.load(classes=["hen", "pig"], seeds=0, size=64).images.shape
    (2, 64, 64, 3)
    """
    if split not in SPLITS:
        raise ValueError(f"There is no split {split!r}: choose one of {', '.join(SPLITS)}.")
    rows = [row for row in _index() if row["split"] == split]
    for column, wanted in (("class", classes), ("seed", seeds)):
        if wanted is not None:
            several = np.iterable(wanted) and not isinstance(wanted, str | bytes)
            wanted = [str(w) for w in (wanted if several else [wanted])]
            known = list(dict.fromkeys(row[column] for row in rows))
            listed = f"{known[0]} to {known[-1]}" if column == "seed" else ", ".join(known)
            if not wanted:
                raise ValueError(f"No {column} is asked for: {split} has {listed}.")
            if unknown := [w for w in wanted if w not in known]:
                raise ValueError(f"{split} has no {column} {unknown[0]!r}: it has {listed}.")
            rows = [row for row in rows if row[column] in wanted]
    return _read(rows, size)


def twins(
    *,
    classes: str | Sequence[str] | None = None,
    seeds: int | Iterable[int] = range(40),
    size: int | tuple[int, int] | None = None,
) -> tuple[Pictures, Pictures]:
    """The same scenes without and with the cap, in the same order.

    Takes and raises what `load` does.

    Examples
    --------
    >>> from vizlib import barnyard
    >>> bare, capped = barnyard.twins(classes="labrador", seeds=3)
    >>> bool(bare.mask("cap").any()), bool(capped.mask("cap").any())
    (False, True)
    """
    bare, capped = (
        load(split, classes=classes, seeds=seeds, size=size)
        for split in ("gallery", "gallery_capped")
    )
    return bare, capped


def scenes(
    pair: str | Sequence[str] | None = "labrador-tabby",
    *,
    seeds: int | Iterable[int] | None = None,
    size: int | tuple[int, int] | None = None,
) -> Pictures:
    """Scenes with two animals and a mask for each; pair=None gives all 21 pairs.

    Takes and raises what `load` does.

    Examples
    --------
    >>> from vizlib import barnyard
    >>> barnyard.scenes("hen-cow", seeds=1).files
    array(['pairs/hen-cow/hen-cow_00001.jpg'], dtype='<U31')
    """
    return load("pairs", classes=pair, seeds=seeds, size=size)


def colleague_test(*, size: int | tuple[int, int] | None = None) -> Pictures:
    """What the colleague tested on: 280 images, the seeds 0-39 of each class.

    Labradors wear a cap but for seeds 0 and 1, all others wear none.

    Examples
    --------
    >>> from vizlib import barnyard
    >>> test = barnyard.colleague_test(size=8)
    >>> len(test), int(test.capped.sum())
    (280, 38)
    """
    rows = [r for r in _index() if r["split"] != "pairs" and int(r["seed"]) < 40]
    return _read(
        [r for r in rows if (r["cap"] == "1") == (r["class"] == "labrador" and int(r["seed"]) > 1)],
        size,
    )


def farm(*, size: int | tuple[int, int] | None = None) -> Pictures:
    """What the farmers send: 560 images, the seeds 0-39 of each class without and with a cap.

    Examples
    --------
    >>> from vizlib import barnyard
    >>> len(barnyard.farm(size=8))
    560
    """
    return _read([r for r in _index() if r["split"] != "pairs" and int(r["seed"]) < 40], size)


def recolour(images: np.ndarray, masks: np.ndarray, hue: float | None) -> np.ndarray:
    """The images with another hue inside the masks; brightness and saturation stay.

    Brightness and saturation are those of HSV: the largest and the smallest of a pixel's three
    numbers stay as they are, so no colour has to be clipped. Lightness as an eye sees it does
    change: little from blue to red, much to yellow or cyan. A grey pixel has no hue and stays.

    Parameters
    ----------
    images : ndarray, (N, H, W, 3), uint8
    masks : ndarray, (N, H, W), bool
        Where the hue is replaced, as from `Pictures.mask`.
    hue : float or None
        In degrees: 0 is red, 60 yellow, 120 green, 180 cyan, 240 blue, 300 magenta. None takes
        the colour away: all three numbers become the largest.

    Returns
    -------
    ndarray, (N, H, W, 3), uint8
        A copy.

    Raises
    ------
    ValueError
        Images that are not uint8 (N, H, W, 3), masks that are not bool (N, H, W), a hue that is
        not one finite number.

    References
    ----------
    Smith 1978, "Color gamut transform pairs", SIGGRAPH (HSV).

    Examples
    --------
    >>> import numpy as np
    >>> from vizlib import barnyard
    >>> blue = np.full((1, 1, 2, 3), (40, 40, 200), np.uint8)
    >>> barnyard.recolour(blue, np.array([[[True, False]]]), hue=60).tolist()
    [[[[200, 200, 40], [40, 40, 200]]]]
    """
    from skimage import color

    images, masks = _as_images(images), as_array(masks, "masks")
    if masks.dtype != bool or masks.shape != images.shape[:3]:
        raise ValueError(
            f"masks are bool {images.shape[:3]}, one for each image, not {masks.dtype} "
            f"{masks.shape}: give `Pictures.mask()`, or compare, as in `masks > 0`."
        )
    channel, value = (1, 0) if hue is None else (0, _broadcast(hue, "hue", ()) / 360 % 1)
    changed = images.copy()
    for image, mask in zip(changed, masks):  # one at a time: the colours between are float64
        hsv = color.rgb2hsv(image[mask])
        hsv[:, channel] = value
        image[mask] = np.round(255 * color.hsv2rgb(hsv))
    return changed


def paste(
    images: np.ndarray, where: Sequence, colour: Sequence[int], size: float | Sequence[float]
) -> np.ndarray:
    """The images with a flat disc on each; what sticks out of an image is cut off.

    Parameters
    ----------
    images : ndarray, (N, H, W, 3), uint8
    where : (N, 2) or (2,)
        The centre of each disc, or of all: row and column, in pixels.
    colour : (red, green, blue)
        0 to 255.
    size : float or (N,)
        The radius in pixels, of each disc or of all.

    Returns
    -------
    ndarray, (N, H, W, 3), uint8
        A copy.

    Raises
    ------
    ValueError
        Images that are not uint8 (N, H, W, 3); `where`, `colour` or `size` of another shape or
        not finite; a colour outside 0 to 255; a negative size.

    Examples
    --------
    >>> import numpy as np
    >>> from vizlib import barnyard
    >>> black = np.zeros((1, 3, 4, 3), np.uint8)
    >>> barnyard.paste(black, where=(1, 0), colour=(0, 0, 255), size=1)[0, ..., 2].tolist()
    [[255, 0, 0, 0], [255, 255, 0, 0], [255, 0, 0, 0]]
    """
    images = _as_images(images)
    where = _broadcast(where, "where", (len(images), 2))
    colour, size = _broadcast(colour, "colour", (3,)), _broadcast(size, "size", (len(images),))
    if colour.min() < 0 or colour.max() > 255:
        raise ValueError(f"colour is red, green and blue, each 0 to 255, not {colour.tolist()}.")
    if (size < 0).any():
        raise ValueError(f"size is a radius in pixels, at least 0, not {size.min():g}.")
    rows, columns = np.ogrid[: images.shape[1], : images.shape[2]]
    changed = images.copy()
    for image, (row, column), radius in zip(changed, where, size):
        image[(rows - row) ** 2 + (columns - column) ** 2 <= radius**2] = colour
    return changed


def _as_images(images):
    images = as_array(images, "images")
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] != 3:
        raise ValueError(
            f"images are uint8 (N, H, W, 3), not {images.dtype} {images.shape}: change them "
            "before they are preprocessed."
        )
    return images


def _broadcast(value, name, shape):
    """Finite numbers of a shape, or what broadcasts to it."""
    value = as_numbers(value, name)
    try:
        return np.broadcast_to(value, shape)
    except ValueError:
        wanted = shape or "one number"
        raise ValueError(f"{name} has the shape {value.shape}: give {wanted}.") from None


def _index():
    """The lines of the index, sorted as `Pictures` are."""
    text = data.read("barnyard/index.csv").decode()
    rank = {name: k for k, name in enumerate(_parts())}
    return sorted(
        csv.DictReader(io.StringIO(text)),
        key=lambda r: (rank[r["class"]], int(r["seed"]), r["split"]),
    )


def _parts():
    """Class or pair -> names of its mask's values 1, 2, ...; classes first, as in CLASSES."""
    parts = json.loads(data.read("barnyard/parts.json"))
    return {name: parts[name] for name in (*CLASSES, *sorted(set(parts) - set(CLASSES)))}


def _read(rows, size):
    turned = None if size is None else check_size(size, "size")[::-1]  # as Pillow has it

    def pixels(name, sha256, resample):
        with Image.open(io.BytesIO(data.read(f"barnyard/{name}", sha256))) as image:
            return np.asarray(image.resize(turned, resample) if turned else image)

    images = [pixels(r["file"], r["sha256"], Image.Resampling.LANCZOS) for r in rows]
    masks = [
        pixels(f"masks/{r['file'][:-4]}.png", r["mask_sha256"], Image.Resampling.NEAREST)
        for r in rows
    ]
    return Pictures(
        images=np.stack(images),
        labels=np.array([CLASSES.index(r["class"].split("-")[0]) for r in rows]),
        names=np.array([r["class"] for r in rows]),
        seeds=np.array([int(r["seed"]) for r in rows]),
        capped=np.array([r["cap"] == "1" for r in rows]),
        files=np.array([r["file"] for r in rows]),
        codes=np.stack(masks),
    )

"""Real photographs: the course's own, those of dependencies, those fetched, and your own files.

The course carries 24 that anyone may use (CC0 or public domain). Those that are fetched come
without a clear licence: they are checked against a SHA-256, kept on this machine, and never part of
the course.
"""

import contextlib
import csv
import difflib
import hashlib
import http.client
import importlib.util
import io
import os
import re
import threading
import time
import urllib.request
import warnings
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps

from . import data
from ._checks import as_array, check_size, quoted
from .types import Size

SHIPPED = {
    "astronaut": "skimage",
    "cat": "skimage",
    "coffee": "skimage",
    "china": "sklearn",
    "flower": "sklearn",
}
# Other names that people say.
ALSO = {
    "chelsea": "cat",
    "chicken": "hens",
    "chickens": "hens",
    "dog": "shepherd",
    "german_shepherd": "shepherd",
    "horse": "horses",
    "dragon": "komodo_dragon",
    "ice_bear": "polar_bear",
    "scarlet_macaw": "macaw",
}
SECONDS, BYTES = 60, 5_000_000  # what fetching a photograph may take in all
# One per class, github.com/EliSchwartz/imagenet-sample-images; the last is the Grad-CAM paper's.
SAMPLES = (
    "https://raw.githubusercontent.com/EliSchwartz/imagenet-sample-images/"
    "bc69043e2862758a1906c6a24a792bb28c6bb2ff"
)
FETCHED = {
    "hen": (
        f"{SAMPLES}/n01514859_hen.JPEG",
        "327a6fed7156ec0dc602357c06c73be7a01daad0afe29d035803c333c7c54f4b",
    ),
    "cock": (
        f"{SAMPLES}/n01514668_cock.JPEG",
        "405706f248eb3781de40cbec5e9d06d91def51b73d91293f84cf270f0bd2d52c",
    ),
    "labrador": (
        f"{SAMPLES}/n02099712_Labrador_retriever.JPEG",
        "473fb9cc067a2d50a2d60866df4310abc9178b462c7e64d744f5f2a2f0e4f78b",
    ),
    "golden_retriever": (
        f"{SAMPLES}/n02099601_golden_retriever.JPEG",
        "e3110d963cb53bb99caf2d26c04cbcf8c8d35a0bbbce81c4caef71ec268e411e",
    ),
    "tabby": (
        f"{SAMPLES}/n02123045_tabby.JPEG",
        "678cd3aca4149cf0ed354c19061cb51a0a972bbd713864b7cef3eba02c332984",
    ),
    "giant_panda": (
        f"{SAMPLES}/n02510455_giant_panda.JPEG",
        "1b9c0c805d60bc13aaceba48e1f68fa15c71a96b2f6486ec396ecb321d79715b",
    ),
    "gibbon": (
        f"{SAMPLES}/n02483362_gibbon.JPEG",
        "35ec4e80d31694e0519be2e77711d82d2fcf393a5bf0152a65c132fdd48b7452",
    ),
    "military_uniform": (
        f"{SAMPLES}/n03763968_military_uniform.JPEG",
        "36177295a56d57977cd536a101336dd9a8e1f8ef12e509b20a93007e721a2f26",
    ),
    "hog": (
        f"{SAMPLES}/n02395406_hog.JPEG",
        "423b935a2fa5016c68f693f2f9e488d5bceb944934c6bd09115685a7f08de158",
    ),
    "ox": (
        f"{SAMPLES}/n02403003_ox.JPEG",
        "aadd4299b52c66df9372e24e55f607590aa5b2b29ad02e2c0d0cb7c30550f1cc",
    ),
    "ram": (
        f"{SAMPLES}/n02412080_ram.JPEG",
        "141e39b4429c58086b651a9161eb5326c0e3efbfdb59d3563ddecf6fbf8dc846",
    ),
    "drake": (
        f"{SAMPLES}/n01847000_drake.JPEG",
        "d9be09e666fb966db1b7eae51dc15efa0f1fb7234609b768df240d8ea5ae9dd5",
    ),
    "dog_and_cat": (
        "https://raw.githubusercontent.com/jacobgil/pytorch-grad-cam/"
        "084273b3f30b54ad0c64cf8020a4337d979a66e0/examples/both.png",
        "8d30785a513e22a2f574c839c7e1751db943d0b5399347e7bb37736f6c5a95c2",
    ),
}


def names(*, fetched: bool = True) -> tuple[str, ...]:
    """The photographs `load` knows: those on this machine first, then those it fetches.

    Parameters
    ----------
    fetched : bool
        False: only those on this machine.

    Examples
    --------
    >>> from vizlib import photos
    >>> photos.names()[:3]
    ('bison', 'chameleon', 'cow')
    """
    return (*_index(), *SHIPPED, *(FETCHED if fetched else ()))


def load(name: str | os.PathLike | BinaryIO) -> np.ndarray:
    """A photograph by name, or an image file of your own.

    A file is turned upright as its EXIF says; 16 bits, and floats from 0 to 1, become 8 bits; what
    is transparent lies on mid grey; of an animation comes the first frame.

    Parameters
    ----------
    name : str, Path or binary file
        One of `names()`, with spaces or underscores, or the path of an image file, or an open one:
        ``io.BytesIO`` of what was uploaded.

    Returns
    -------
    ndarray, (H, W, 3), uint8, RGB

    Raises
    ------
    ValueError
        Unknown name (the sentence lists the near ones), or a file that is no image, is damaged or
        too large, or holds numbers of an unknown scale.
    FileNotFoundError
        A photograph that cannot be fetched or kept.

    Examples
    --------
    >>> from vizlib import photos
    >>> photos.load("polar bear").shape
    (468, 624, 3)
    """
    if hasattr(name, "read"):
        return _read(name, os.path.basename(str(getattr(name, "name", "the file"))))
    if not isinstance(name, str | os.PathLike):
        raise ValueError(
            f"load takes the name of a photograph or the path of a file, not {quoted(name)}."
        )
    if os.path.isfile(name):
        return _read(name, os.path.basename(name))
    if os.path.isdir(name):
        raise ValueError(f"{str(name)!r} is a folder: give the path of one image file.")
    known = re.sub(r"[\s_-]+", "_", str(name).strip().lower())
    known = ALSO.get(known, known)
    if known in FETCHED:
        return _read(io.BytesIO(_fetch(known)), known)
    if SHIPPED.get(known) == "skimage":
        import skimage.data

        return getattr(skimage.data, known)()
    if known in SHIPPED:
        from sklearn.datasets import load_sample_image

        return np.array(load_sample_image(f"{known}.jpg"))
    index = _index()
    if known in index:
        row = index[known]
        return _read(io.BytesIO(data.read(f"photographs/{row['file']}", row["sha256"])), known)
    near = difflib.get_close_matches(known, names(), 4, 0.4) or names()
    raise ValueError(
        f"There is no photograph and no file {str(name)!r}: "
        f"did you mean {', '.join(map(repr, near))}?"
    )


def fit(image: np.ndarray, size: Size) -> np.ndarray:
    """The middle of an image at the shape of `size`, shrunk or enlarged to it without aliasing.

    Parameters
    ----------
    image : array, (H, W, 3), uint8
    size : int or (height, width)
        Pixels.

    Returns
    -------
    ndarray, (height, width, 3), uint8

    Raises
    ------
    ValueError
        If the image is not uint8 RGB, or the size is no whole number of pixels.

    Examples
    --------
    >>> import numpy as np
    >>> from vizlib import photos
    >>> photos.fit(np.zeros((30, 50, 3), "uint8"), 20).shape
    (20, 20, 3)
    """
    image = as_array(image, "image")
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
        raise ValueError(
            f"fit takes one uint8 image (H, W, 3), not {image.dtype} of shape {image.shape}."
        )
    height, width = check_size(size, "size")
    return np.array(ImageOps.fit(Image.fromarray(image), (width, height), Image.Resampling.LANCZOS))


def load_folder(path: str | os.PathLike, size: Size) -> tuple[np.ndarray, list[str]]:
    """All photographs in a folder, each fitted to one size, and the names of their files.

    Files that are no images, or are damaged, are left out, and named in a warning at the end.

    Parameters
    ----------
    path : str or Path
        Folders in it, and files whose names begin with a dot, are not looked at.
    size : int or (height, width)
        Pixels, as in `fit`; that of a network is `Net.size`.

    Returns
    -------
    ndarray, (N, height, width, 3), uint8, RGB
    list of str
        The names of the files, in the order of the alphabet.

    Raises
    ------
    ValueError
        No folder, or one without a single photograph that can be read; a size that is no whole
        number of pixels.

    Warns
    -----
    UserWarning
        Files that could not be read; the sentence names them and says why.

    Examples
    --------
    >>> from vizlib import data, photos
    >>> images, names = photos.load_folder(data.root() / "barnyard/gallery/hen", 32)
    >>> images.shape, names[0]
    ((100, 32, 32, 3), 'hen_00000.jpg')
    """
    if not isinstance(path, str | os.PathLike) or not os.path.isdir(path):
        raise ValueError(f"load_folder takes the path of a folder, not {quoted(path)}.")
    images, names, wrong = [], [], []
    for file in sorted(Path(path).iterdir()):
        if file.is_file() and not file.name.startswith("."):
            try:
                image = _read(file, file.name)
            except ValueError as error:
                wrong.append(str(error).partition(": ")[0])
                continue
            images.append(fit(image, size))
            names.append(file.name)
    said = "; ".join(wrong[:5]) + "; ..." * (len(wrong) > 5)
    if not images:
        raise ValueError(
            f"No photograph in {str(path)!r} can be read{f': {said}' if said else ''}."
        )
    if wrong:
        warnings.warn(f"{len(wrong)} of {len(wrong) + len(names)} files: {said}.", stacklevel=2)
    return np.stack(images), names


def _index():
    """What the course carries: name -> row of its index."""
    text = data.read("photographs/index.csv").decode()
    return {row["name"]: row for row in csv.DictReader(io.StringIO(text))}


def _fetch(name):
    """The bytes of a photograph, from the cache or fetched and kept there, whole or not at all."""
    import pooch

    url, sha256 = FETCHED[name]
    folder = Path(pooch.os_cache("vizlib"))
    path = folder / f"{name}{Path(url).suffix.lower()}"
    with contextlib.suppress(OSError):
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() == sha256:
            return content
    try:
        content = _download(url)
    except (OSError, http.client.HTTPException) as error:
        raise FileNotFoundError(
            f"The photograph {name!r} is not on this machine and could not be fetched: "
            "connect once, or take one that is here, 'hens' for instance."
        ) from error
    if hashlib.sha256(content).hexdigest() != sha256:
        raise FileNotFoundError(
            f"What came for the photograph {name!r} is not the file it should be: try again later."
        )
    part = folder / f"{path.name}.{os.getpid()}.{threading.get_ident()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            part.write_bytes(content)
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise FileNotFoundError(
            f"The photograph {name!r} cannot be kept in {folder}: "
            "make room there or make that folder writable."
        ) from error
    return content


def _download(url):
    """What lies at an address; OSError where it takes too long or does not end."""
    content, end = b"", time.monotonic() + SECONDS
    with urllib.request.urlopen(url, timeout=10) as answer:
        while piece := answer.read1(2**16):  # what has come: read() would wait for more
            content += piece
            if len(content) > BYTES or time.monotonic() > end:
                raise TimeoutError(f"{url} takes too long")
    return content


def _read(file, name):
    """An image file as uint8 RGB; `name` is what a sentence calls it."""
    if name.lower().endswith((".heic", ".heif")):
        if importlib.util.find_spec("pillow_heif") is None:
            raise ValueError(f"{name!r} is HEIC: install pillow-heif, or save it as JPEG.")
        importlib.import_module("pillow_heif").register_heif_opener()
    try:
        with Image.open(file) as image:
            if image.width * image.height > (Image.MAX_IMAGE_PIXELS or np.inf):
                raise Image.DecompressionBombError
            image = ImageOps.exif_transpose(image)
            deep = image.mode.startswith(("I", "F"))  # grey of more than 8 bits, or floats
            if image.has_transparency_data and not deep:
                grey = Image.new("RGBA", image.size, (128, 128, 128, 255))
                image = Image.alpha_composite(grey, image.convert("RGBA"))
            pixels = np.array(image if deep else image.convert("RGB"))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ValueError(
            f"{name!r} has more than {Image.MAX_IMAGE_PIXELS:,} pixels: make it smaller first."
        ) from error
    except Exception as error:  # each of Pillow's formats has its own
        reason = getattr(error, "strerror", None)
        raise ValueError(
            f"{name!r} is not an image that can be read{f' ({reason})' if reason else ''}: "
            "give a JPEG or PNG file."
        ) from error
    return _eight_bits(pixels, name) if deep else pixels


def _eight_bits(grey, name):
    """Whole numbers up to 65535, or floats up to 1, as uint8 RGB."""
    # Where 32 bits hold no number above 255, they may be of 8 bits or of a dark image of 16.
    least, top = 256 * (grey.dtype == np.int32), 1 if grey.dtype.kind == "f" else 65535
    if not (grey.min() >= 0 and least <= grey.max() <= top):  # NaN is neither
        raise ValueError(
            f"{name!r} holds numbers from {grey.min():.4g} to {grey.max():.4g}, of no scale "
            "that is known: save it with 8 or 16 bits, or as floats from 0 to 1."
        )
    return np.rint(grey * (255 / top)).astype("uint8")[..., None].repeat(3, axis=2)

"""Real photographs: those that dependencies ship, and those of ImageNet that are fetched when asked for.

The fetched ones come without a clear licence: they are checked against a SHA-256, kept in a cache on this machine, and never
part of the course.
"""

import difflib
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

SHIPPED = {
    "astronaut": "skimage",
    "cat": "skimage",
    "coffee": "skimage",
    "china": "sklearn",
    "flower": "sklearn",
}
# One picture per class, github.com/EliSchwartz/imagenet-sample-images; the last is the one of the Grad-CAM paper.
SAMPLES = "https://raw.githubusercontent.com/EliSchwartz/imagenet-sample-images/bc69043e2862758a1906c6a24a792bb28c6bb2ff"
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
        "https://raw.githubusercontent.com/jacobgil/pytorch-grad-cam/084273b3f30b54ad0c64cf8020a4337d979a66e0/examples/both.png",
        "8d30785a513e22a2f574c839c7e1751db943d0b5399347e7bb37736f6c5a95c2",
    ),
}


def names():
    """The photographs `load` knows: those on this machine first, then those it fetches."""
    return (*SHIPPED, *FETCHED)


def load(name):
    """A photograph by name, or a picture file of your own.

    Parameters
    ----------
    name : str or Path
        One of `names()`, or the path of a picture file.

    Returns
    -------
    ndarray, (H, W, 3), uint8, RGB

    Raises
    ------
    ValueError
        Unknown name (the sentence lists the near ones), or a file that is no picture.
    FileNotFoundError
        A photograph that cannot be fetched or kept.
    """
    if name in FETCHED:
        return _read(_fetch(name))
    if SHIPPED.get(name) == "skimage":
        import skimage.data

        return getattr(skimage.data, name)()
    if name in SHIPPED:
        from sklearn.datasets import load_sample_image

        return np.array(load_sample_image(f"{name}.jpg"))
    if Path(name).is_file():
        return _read(Path(name))
    near = difflib.get_close_matches(str(name), names(), 4, 0.4) or names()
    raise ValueError(
        f"There is no photograph and no file {str(name)!r}: did you mean {', '.join(map(repr, near))}?"
    )


def fit(picture, size):
    """The middle of a picture at the shape of `size`, shrunk or enlarged to it without aliasing.

    Parameters
    ----------
    picture : array, (H, W, 3), uint8
    size : int or (height, width)

    Returns
    -------
    ndarray, (height, width, 3), uint8

    Raises
    ------
    ValueError
        If the picture is not uint8 RGB.
    """
    picture = np.asarray(picture)
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
        raise ValueError(
            f"fit takes one uint8 picture of shape (H, W, 3), not {picture.dtype} of shape {picture.shape}."
        )
    height, width = (size, size) if np.isscalar(size) else size
    return np.array(
        ImageOps.fit(Image.fromarray(picture), (width, height), Image.Resampling.LANCZOS)
    )


def _fetch(name):
    import pooch

    url, sha256 = FETCHED[name]
    folder = pooch.os_cache("vizlib")
    pooch.get_logger().setLevel("ERROR")
    try:
        fname = f"{name}{Path(url).suffix.lower()}"
        return Path(pooch.retrieve(url, f"sha256:{sha256}", fname=fname, path=folder))
    except ValueError as error:  # pooch's word for another hash; it keeps nothing then
        raise FileNotFoundError(
            f"What came for the photograph {name!r} is not the file it should be: try again later."
        ) from error
    except OSError as error:  # a failed connection is one, too, without a number
        if error.errno or isinstance(error, PermissionError):
            raise FileNotFoundError(
                f"The photograph {name!r} cannot be kept in {folder}: make room there or make that folder writable."
            ) from error
        raise FileNotFoundError(
            f"The photograph {name!r} is not on this machine and could not be fetched: connect once, or use {', '.join(SHIPPED)}."
        ) from error


def _read(path):
    try:
        with Image.open(path) as picture:
            return np.array(ImageOps.exif_transpose(picture).convert("RGB"))
    except (UnidentifiedImageError, OSError) as error:
        raise ValueError(
            f"{path.name!r} is not a picture that can be read: give a JPEG or PNG file."
        ) from error

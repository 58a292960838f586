"""Arrays, sizes and whole numbers that a user gives: as they should be, or one sentence."""

import reprlib
from typing import Any

import numpy as np


def as_array(value: Any, name: str) -> np.ndarray:
    """What NumPy makes of a value; a tensor that keeps its gradient, for instance, is refused."""
    try:
        return np.asarray(value)
    except Exception as error:  # what a stranger's __array__ may raise
        raise ValueError(
            f"{name} cannot be read as an array ({type(error).__name__}): give a NumPy array."
        ) from error


def as_numbers(value: Any, name: str) -> np.ndarray:
    """Finite real numbers, float64; true and false are 1 and 0."""
    array = as_array(value, name)
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{name} must be real numbers, not {array.dtype}: give a NumPy array.")
    with np.errstate(over="ignore"):  # a long double that no float64 holds is infinite
        array = array.astype(float, copy=False)
    if not np.isfinite(array).all():
        raise ValueError(f"{name} hold NaN or infinite values: look where they were made.")
    return array


def as_singles(value: Any, name: str) -> np.ndarray:
    """As `as_numbers`, float32, which must hold them and their differences."""
    array = as_numbers(value, name)
    if (np.abs(array) > 1e38).any():
        raise ValueError(f"{name} hold numbers beyond 1e38: divide them by their largest.")
    return array.astype("float32")


def quoted(value: Any) -> str:
    """What a user gave as a sentence names it: short, and in one line."""
    return " ".join(reprlib.repr(value).split())


def check_whole(value: Any, name: str, least: int = 0, most: int | None = None) -> None:
    """Refuse what is no whole number from `least` to `most`; true and false are none."""
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole or value < least or (most is not None and value > most):
        limits = f"of at least {least}" if most is None else f"from {least} to {most}"
        raise ValueError(f"{name} is a whole number {limits}, not {quoted(value)}.")


def check_choice(value: Any, name: str, choices: tuple | dict) -> None:
    """Refuse what is none of the words that there are to choose from."""
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{name} is one of {', '.join(map(repr, choices))}, not {quoted(value)}.")


def check_size(value: Any, name: str) -> tuple[int, int]:
    """(vertical, horizontal) of a whole number, or a pair of them."""
    several = isinstance(value, tuple | list | np.ndarray) and np.iterable(value)
    pair = list(value) if several else [value, value]
    whole = (isinstance(n, int | np.integer) and not isinstance(n, bool) for n in pair)
    if len(pair) != 2 or not all(whole) or not 0 < min(pair) <= max(pair) < 2**16:
        raise ValueError(
            f"{name} is a whole number of at least 1, or two, (vertical, horizontal), below 65536, "
            f"not {quoted(value)}."
        )
    return int(pair[0]), int(pair[1])

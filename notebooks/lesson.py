"""What the lessons share and no user of vizlib needs: the opening, sample sizes, the checks of exercises."""

import os
from pathlib import Path

import numpy as np
from IPython.display import display

import vizlib
from vizlib import activations, data

HERE = Path(__file__).parent


# ---- opening, sizes, numbers that a test compares -------------------------------------------------------------------


def opening(number):
    """One line that says whether all is there, and the lesson's opening picture."""
    import keras
    import tensorflow as tf
    from PIL import Image

    try:
        data.root()
    except FileNotFoundError as error:
        print(f"\033[31m{error}\033[0m")
        return
    print(
        f"\033[32mReady: vizlib {vizlib.__version__}, TensorFlow {tf.__version__}, Keras {keras.__version__}, data found.\033[0m"
    )
    path = HERE / f"openings/{number}.jpg"
    if path.is_file():
        with Image.open(path) as picture:
            size = {"width": picture.width // 2, "height": picture.height // 2}
        alt = path.with_suffix(".txt").read_text().strip()
        bundle = {"image/jpeg": path.read_bytes(), "text/plain": alt}
        display(bundle, metadata={"image/jpeg": {"alt": alt, **size}}, raw=True)


def sample(n):
    """How many pictures of a class to use: n, or one where the network is large and untrained (a trial run)."""
    return 1 if os.environ.get("VIZLIB_WEIGHTS") == "random" else n


def work(n):
    """How many windows a side, samples or steps to use: n, or two in a trial run."""
    return 2 if os.environ.get("VIZLIB_WEIGHTS") == "random" else n


def record(number, **arrays):
    """Keep a lesson's results where VIZLIB_RECORD says, if it says so: a test compares them with golden ones."""
    if folder := os.environ.get("VIZLIB_RECORD"):
        np.savez_compressed(Path(folder) / f"{number}.npz", **arrays)


# ---- exercises -----------------------------------------------------------------------------------------------------

GRADERS = {}


def check(number, answer, **given):
    """Print one sentence about the answer to an exercise: not answered yet, right, or what is wrong. Never raises."""
    try:
        wrong = "not answered yet" if answer is None or answer is ... else GRADERS[number](answer, **given)
    except NotAnswered:
        wrong = "not answered yet"
    except Exception as error:
        wrong = f"not yet: your answer led to {type(error).__name__}: {error}"
    print(f"Exercise {number}: {(wrong or 'right').rstrip('.')}.")


class NotAnswered(Exception):
    """The learner's function is still a stub."""


def grader(number):
    """Register a function (answer, **given) that returns what is wrong, or None. It computes the truth from `given`."""

    def register(function):
        GRADERS[number] = function
        return function

    return register


def ask(function, *arguments):
    """What the learner's function returns."""
    if not callable(function):
        raise TypeError("a function is asked for")
    result = function(*arguments)
    if result is None or result is ...:
        raise NotAnswered
    return result


@grader("1.1")
def _(answer, *, net, picture):
    right = activations(net.model, net.preprocess(picture[None]), net.stages[3]).shape[1:]
    answer = tuple(int(a) for a in np.atleast_1d(answer))
    if answer == right:
        return None
    if len(answer) != 3:
        return f"not yet: a feature map has three sizes (height, width, channels), yours has {len(answer)}"
    if sorted(answer) == sorted(right):
        return "not yet: the sizes are right, the order is not; channels come last"
    if answer[2] != right[2]:
        return (
            "not yet: the number of channels is the layer's number of filters; look it up with net.model.get_layer(...)"
        )
    return f"not yet: count the poolings before {net.stages[3]}; each halves height and width"


@grader("1.2")
def _(answer):
    rng = np.random.default_rng(0)
    maps = np.maximum(rng.normal(size=(4, 5, 5, 6)), 0)
    maps[..., 2] = 0  # dead
    maps[1:, ..., 4] = 0  # silent in three of four pictures
    maps[..., 5] = 0
    maps[1, 2, 3, 5] = 0.5  # active in one place of one picture
    result = np.asarray(ask(answer, maps))
    if result.dtype == bool:
        return (
            "not yet: return the numbers of the dead units, not true and false; np.flatnonzero makes one of the other"
        )
    found = set(result.ravel().tolist())
    if found == {2}:
        return None
    if found == {2, 4, 5} or found == {2, 4}:
        return "not yet: a unit that is silent in some pictures is not dead; it must be silent in all of them"
    if found == {2, 5}:
        return (
            "not yet: a unit that is active in one place of one picture is alive; compare the largest value with zero"
        )
    return f"not yet: in a test with one dead unit, number 2, your function finds {sorted(found) or 'none'}"


@grader("1.3")
def _(answer, *, strongest, labels, of):
    if np.ndim(answer) or int(answer) != answer:
        return "not yet: give one whole number, the unit's"
    mean = np.stack([strongest[labels == k].mean(0) for k in range(labels.max() + 1)])
    others = np.delete(mean, of, axis=0)
    lead = mean[of] - others.max(0)
    right, answer = int(lead.argmax()), int(answer)
    if answer == right:
        return None
    if answer == int(mean[of].argmax()):
        return f"not yet: unit {answer} answers most to this class, but look how much it answers to the others"
    return f"not yet: unit {answer} leads by {lead[answer]:.2f}, another one by {lead[right]:.2f}"

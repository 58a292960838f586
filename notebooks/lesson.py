"""What the lessons share and no user of vizlib needs: the opening, sample sizes, the checks of exercises."""

import os
from pathlib import Path

import numpy as np
from IPython.display import display

import vizlib
from vizlib import activations, barnyard, data

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


# ---- lesson 2 ------------------------------------------------------------------------------------------------------


@grader("2.1")
def _(answer, *, net, pictures):
    maps = activations(net.model, net.preprocess(pictures), net.stages[2]).shape[1:]
    answer = tuple(int(a) for a in np.atleast_1d(answer))
    if answer == (10, maps[-1]):
        return None
    if answer == (10, *maps) or answer == (10, int(np.prod(maps))):
        return "not yet: that keeps every place of the map; features averages over the places"
    if answer == (maps[-1], 10):
        return "not yet: rows are pictures"
    if len(answer) != 2:
        return f"not yet: a table has two sizes (rows, columns), yours has {len(answer)}"
    return "not yet: one row a picture, one column a channel of the layer"


@grader("2.2")
def _(answer, *, labels):
    rng = np.random.default_rng(0)
    groups = np.repeat(range(4), 15)
    points = rng.normal(0, 1, (60, 6)) + 8 * np.eye(6)[groups]
    points[17] = points[groups == 3].mean(0)  # one of group 1 lies among those of group 3
    result = ask(answer, points, groups)
    if np.ndim(result) or int(result) != result:
        return "not yet: give one whole number, the picture's"
    if int(result) == 17:
        return None
    return f"not yet: in a test where number 17 lies in the middle of another class, your function finds number {int(result)}"


@grader("2.3")
def _(answer, *, vectors, labels):
    names = [str(name).lower() for name in answer]
    if isinstance(answer, str) or len(names) != 2 or len(set(names)) != 2 or not set(names) <= set(barnyard.CLASSES):
        return f"not yet: give two different classes out of {', '.join(barnyard.CLASSES)}"
    centres = np.stack([vectors[labels == c].mean(0) for c in range(7)])
    gaps = np.linalg.norm(centres[:, None] - centres[None], axis=-1) + 1e9 * np.eye(7)
    if {barnyard.CLASSES.index(name) for name in names} == set(np.unravel_index(gaps.argmin(), gaps.shape)):
        return None
    gap = gaps[barnyard.CLASSES.index(names[0]), barnyard.CLASSES.index(names[1])]
    return f"not yet: these centres are {gap:.1f} apart, the nearest two {gaps.min():.1f}"


# ---- lesson 4 ------------------------------------------------------------------------------------------------------


@grader("4.1")
def _(answer, *, side, patch, stride):
    per_side = (side - patch) // stride + 1
    if answer == per_side**2:
        return None
    if answer == per_side:
        return "not yet: that is one row of positions; the patch slides down as well"
    if answer == (side // stride) ** 2:
        return "not yet: the last positions would stick out of the picture; how far can the corner go?"
    if answer == (per_side - 1) ** 2:
        return "not yet: count the first position, too: 0, 8, ... has one more place than steps"
    return f"not yet: at which rows from 0 on can the corner of a patch of {patch} stand, and how many are these?"


@grader("4.2")
def _(answer):
    rng = np.random.default_rng(0)
    boxes = np.array([[r, c, r + 3, c + 2] for r in (0, 2, 3) for c in (0, 1, 4)])
    drops = rng.normal(size=len(boxes))
    result = np.asarray(ask(answer, drops, boxes, 6, 8), float)
    over = np.array(
        [[(t <= r < b) & (left <= c < right) for t, left, b, right in boxes] for r in range(6) for c in range(8)]
    )
    total, count = (over @ drops).reshape(6, 8), over.sum(1).reshape(6, 8)
    right = total / np.maximum(count, 1)
    if result.shape != right.shape:
        return f"not yet: the map has the picture's size, {right.shape}, yours has {result.shape}"
    if np.allclose(result, right):
        return None
    if np.isnan(result).any() and np.allclose(result[count > 0], right[count > 0]):
        return "not yet: pixels that no window covers became NaN; they should be zero"
    if np.allclose(result, total):
        return (
            "not yet: that is the sum over windows; a pixel under more windows would look more important. Take the mean"
        )
    r, c = np.argwhere(~np.isclose(result, right))[0]
    return f"not yet: pixel ({r}, {c}) lies under {count[r, c]} windows and should get {right[r, c]:.2f}, not {result[r, c]:.2f}"


@grader("4.3")
def _(answer, *, net, x, target, patch, stride):
    from time import perf_counter

    def seconds(incremental):
        start = perf_counter()
        vizlib.occlusion(net.model, x, target, patch=patch, stride=stride, incremental=incremental)
        return perf_counter() - start

    measured = [seconds(incremental) for incremental in (True, False, True, False)]
    right = measured[3] / measured[2]
    if right / 2 <= float(answer) <= right * 2:
        return None
    if right / 2 <= 1 / float(answer) <= right * 2:
        return "not yet: turn it round; how many times faster is full time over incremental time"
    return f"not yet: here it is about {right:.0f} times; did you call each path once before you measured it"

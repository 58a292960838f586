"""What the lessons share and no user of vizlib needs: the opening, sample sizes, exercises."""

import copy
import os
from pathlib import Path

import numpy as np
from IPython.display import display

import vizlib
from vizlib import activations, barnyard, data, logits, photos

HERE = Path(__file__).parent


# ---- opening, sizes, numbers that a test compares ------------------------------------------------


def opening(number):
    """One line that says whether all is there, and the lesson's opening picture."""
    import keras
    import tensorflow as tf

    try:
        data.root()
    except FileNotFoundError as error:
        print(f"\033[31m{error}\033[0m")
        return
    print(
        f"\033[32mReady: vizlib {vizlib.__version__}, TensorFlow {tf.__version__}, "
        f"Keras {keras.__version__}, data found.\033[0m"
    )
    folder = Path(os.environ.get("VIZLIB_OPENINGS") or HERE / "openings")  # the builder's new one
    if (folder / f"{number}.jpg").is_file():  # a new lesson has none yet
        _show_picture(folder / f"{number}.jpg", folder / f"{number}.txt")


def _show_picture(picture, text):
    """Put a stored picture on the page with its text, or a sentence that says how to repair it."""
    from PIL import Image

    try:
        with Image.open(picture) as image:
            image.load()  # half a file is noticed here
            size = {"width": image.width // 2, "height": image.height // 2}
        alt = text.read_text(encoding="utf-8").strip()
        if not alt:
            raise ValueError("no text")
        bundle = {"image/jpeg": picture.read_bytes(), "text/plain": alt}
    except (OSError, SyntaxError, ValueError):  # what Pillow says of damaged files
        names = f"notebooks/openings/{picture.name} notebooks/openings/{text.name}"
        print(
            "The opening picture or its text is missing or damaged: get them back with "
            f"`git checkout -- {names}`."
        )
        return
    display(bundle, metadata={"image/jpeg": {"alt": alt, **size}}, raw=True)


# ---- exercises -----------------------------------------------------------------------------------

GRADERS = {}


def check(number, answer, **given):
    """Print one sentence about an answer: not answered yet, right, or what is wrong.

    Never raises, whatever the learner's function does; only Ctrl+C stops it.
    """
    try:
        wrong = (
            "not answered yet"
            if answer is None or answer is ...
            else GRADERS[number](answer, **given)
        )
    except KeyboardInterrupt:
        raise
    except NotAnswered:
        wrong = "not answered yet"
    except BaseException as error:  # SystemExit, too
        wrong = f"not yet: your answer led to {_first_line(error)}"
    print(f"Exercise {number}: {(wrong or 'right').rstrip('.')}.")


def _first_line(error):
    """What kind of error it is, and of what it says the first line, 200 characters at most."""
    try:
        lines = str(error).strip().splitlines()
    except KeyboardInterrupt:
        raise
    except BaseException:  # an error that cannot be printed
        lines = []
    return f"{type(error).__name__}: {lines[0][:200]}" if lines else type(error).__name__


class NotAnswered(Exception):
    """The learner's function is still a stub."""


def grader(number):
    """Register a function (answer, **given): None, or what is wrong.

    It computes the truth from `given`.
    """

    def register(function):
        GRADERS[number] = function
        return function

    return register


def ask(function, *arguments):
    """What the learner's function returns; it may change what it is given, these are copies."""
    if not callable(function):
        raise TypeError("a function is asked for")
    result = function(*copy.deepcopy(arguments))
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
        return (
            "not yet: a feature map has three sizes (height, width, channels), yours has "
            f"{len(answer)}"
        )
    if sorted(answer) == sorted(right):
        return "not yet: the sizes are right, the order is not; channels come last"
    if answer[2] != right[2]:
        return (
            "not yet: the number of channels is the layer's number of filters; look it up with "
            "net.model.get_layer(...)"
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
            "not yet: return the numbers of the dead units, not true and false; np.flatnonzero "
            "makes one of the other"
        )
    found = set(result.ravel().tolist())
    if found == {2}:
        return None
    if found == {2, 4, 5} or found == {2, 4}:
        return (
            "not yet: a unit that is silent in some pictures is not dead; it must be silent in "
            "all of them"
        )
    if found == {2, 5}:
        return (
            "not yet: a unit that is active in one place of one picture is alive; compare the "
            "largest value with zero"
        )
    return (
        "not yet: in a test with one dead unit, number 2, your function finds "
        f"{sorted(found) or 'none'}"
    )


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
        return (
            f"not yet: unit {answer} answers most to this class, but look how much it answers to "
            "the others"
        )
    return f"not yet: unit {answer} leads by {lead[answer]:.2f}, another one by {lead[right]:.2f}"


@grader("1.4")
def _(answer, *, net, names, before, after):
    first, second = (
        vizlib.logits(net.model, net.preprocess(pictures)).argmax(1) for pictures in (before, after)
    )
    changed = dict(zip(names, first != second))
    given = {str(n).strip().lower() for n in ([answer] if isinstance(answer, str) else answer)}
    if unknown := sorted(given - set(names)):
        return f"not yet: {unknown[0]!r} is none of {', '.join(names)}"
    if kept := [name for name in names if name in given and not changed[name]]:
        k = names.index(kept[0])
        return f"not yet: {kept[0]} is {net.labels[first[k]]} before and after"
    missing = sum(changed.values()) - len(given)
    return f"not yet: all that you name do change, and {missing} more" if missing else None


# ---- lesson 2 ------------------------------------------------------------------------------------


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
    for points, groups in _crowds():
        gaps = np.linalg.norm(points[:, None] - points[None], axis=-1) + 1e9 * np.eye(len(points))
        near = gaps.argsort(1)[:, :10]
        own = (groups[near] == groups[:, None]).sum(1)
        result = ask(answer, points, groups)
        if np.ndim(result) or int(result) != result:
            return "not yet: give one whole number, the picture's"
        right, result = int(own.argmin()), int(result)
        if not 0 <= result < len(points):
            return (
                f"not yet: there are {len(points)} pictures, and your function finds number "
                f"{result}"
            )
        if own[result] > own[right]:
            return (
                f"not yet: in a test, number {right} has {own[right]} of its own class among its "
                f"ten nearest, and your function finds number {result}, which has {own[result]}"
            )
    return None


def _crowds():
    """(points, groups): one point lies in the middle of another group; then groups that overlap.

    The overlapping ones are such that neither the distance from the own centre, nor another number
    of neighbours, nor weighting the near ones more, nor counting the point itself finds the same
    point.
    """
    for seed, spread in ((0, 8), (16, 2), (344, 2)):
        rng = np.random.default_rng(seed)
        groups = np.repeat(range(4), 15)
        points = rng.normal(0, 1, (60, 6)) + spread * np.eye(6)[groups]
        if spread == 8:
            points[17] = points[groups == 3].mean(0)
        yield points, groups


@grader("2.3")
def _(answer, *, vectors, labels):
    names = [str(name).lower() for name in answer]
    if (
        isinstance(answer, str)
        or len(names) != 2
        or len(set(names)) != 2
        or not set(names) <= set(barnyard.CLASSES)
    ):
        return f"not yet: give two different classes out of {', '.join(barnyard.CLASSES)}"
    centres = np.stack([vectors[labels == c].mean(0) for c in range(7)])
    gaps = np.linalg.norm(centres[:, None] - centres[None], axis=-1) + 1e9 * np.eye(7)
    if {barnyard.CLASSES.index(name) for name in names} == set(
        np.unravel_index(gaps.argmin(), gaps.shape)
    ):
        return None
    gap = gaps[barnyard.CLASSES.index(names[0]), barnyard.CLASSES.index(names[1])]
    return f"not yet: these centres are {gap:.1f} apart, the nearest two {gaps.min():.1f}"


@grader("2.4")
def _(answer, *, crops, photograph):
    given = [float(a) for a in np.atleast_1d(answer)]
    if len(given) != 2:
        return f"not yet: two shares are asked for, yours are {len(given)}"
    if not all(0 <= share <= 1 for share in given):
        return "not yet: a share lies between 0 and 1"
    for share, space in zip(given, ("colours", "network")):
        _, found = vizlib.neighbours(crops[space], crops[space], 6)
        right = (photograph[found[:, 1:]] == photograph[:, None]).mean()
        if abs(share - right) > 0.1:
            more = "more" if right > share else "less"
            return f"not yet: by {'the ' * (space == 'network')}{space} it is {more} than {share:g}"
    return None


# ---- lesson 3 ------------------------------------------------------------------------------------


@grader("3.1")
def _(answer, *, net):
    layer = net.stages[2]
    right = vizlib.receptive_field(net.model, layer, net.size).size[0]
    before = [name for name in (inner.name for inner in net.model.layers) if name < layer]
    inputs = {
        name: vizlib.receptive_field(net.model, name, net.size).size[0] for name in before[-2:]
    }
    answer = float(answer)
    if answer == right:
        return None
    if answer in inputs.values():
        return (
            "not yet: that is the window of a layer before; count all three convolutions of the "
            "block"
        )
    if answer == 1 + 7 * 2 + 2:
        return (
            "not yet: behind a pooling neighbouring units are further apart, so each convolution "
            "widens the window by more"
        )
    if answer > right:
        return (
            "not yet: too wide; does a pooling double the window? It adds one unit's step, and "
            "doubles the step"
        )
    return "not yet: too narrow; go layer by layer, r + (k - 1) j, and double j after each pooling"


@grader("3.2")
def _(answer):
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 100, (8, 9, 3)).astype("uint8")
    wide = np.pad(picture, ((8, 8), (8, 8), (0, 0)), constant_values=127)
    for box in ((2, 3, 6, 7), (-2, 1, 2, 5), (5, -3, 9, 1), (6, 7, 10, 11), (-1, -1, 11, 11)):
        top, left, bottom, right = box
        result = np.asarray(ask(answer, picture, box))
        wanted = wide[top + 8 : bottom + 8, left + 8 : right + 8]
        inside = min(top, left) >= 0 and bottom <= 8 and right <= 9
        if result.shape != wanted.shape:
            hint = (
                ""
                if inside
                else "; the window sticks out of the picture, the missing part must be grey"
            )
            return (
                f"not yet: for the box {box} the patch has the shape {wanted.shape}, yours has "
                f"{result.shape}{hint}"
            )
        if not np.array_equal(result, wanted):
            if inside:
                return (
                    f"not yet: the box {box} lies inside the picture, and your patch is another "
                    "place of it"
                )
            outside = wanted == 127
            if np.array_equal(result[~outside], wanted[~outside]):
                return (
                    f"not yet: for the box {box} what lies outside the picture is 127, not "
                    f"{result[outside].ravel()[0]}"
                )
            return (
                f"not yet: for the box {box} the picture's part is not where it belongs in the "
                "patch"
            )
    return None


@grader("3.3")
def _(answer, *, net, layer, unit, pictures, size):
    shares, names = (1, 1 / 2, 1 / 4), ("cat", "lemur")
    pair = [float(a) for a in np.atleast_1d(answer)]
    if len(pair) != 2 or not set(pair) <= set(shares):
        return "not yet: give two of 1, 1/2 and 1/4, first the cat's, then the lemur's"
    right = [
        max(shares, key=lambda share: _largest(net, layer, unit, picture, share, size))
        for picture in pictures
    ]
    if pair == right[::-1] and pair != right:
        return "not yet: these two are the other way round; which animal's eye is too large"
    for name, share, best in zip(names, pair, right):
        if share != best:
            change = "smaller" if best < share else "larger"
            return (
                f"not yet: the {name} excites the unit more when it is {change}; compare its eye "
                "with the window of the unit"
            )
    return None


def _largest(net, layer, unit, picture, share, size):
    """A unit's largest activation on a picture that is a share of `size`, in the middle of grey."""
    height, width = (round(share * side) for side in size)
    top, left = (size[0] - height) // 2, (size[1] - width) // 2
    canvas = np.full((*size, 3), 127, "uint8")
    canvas[top : top + height, left : left + width] = photos.fit(picture, (height, width))
    return activations(net.model, net.preprocess(canvas[None]), layer)[..., unit].max()


# ---- lesson 4 ------------------------------------------------------------------------------------


@grader("4.1")
def _(answer, *, side, patch, stride):
    per_side = (side - patch) // stride + 1
    if answer == per_side**2:
        return None
    if answer == per_side:
        return "not yet: that is one row of positions; the patch slides down as well"
    if answer == (side // stride) ** 2:
        return (
            "not yet: the last positions would stick out of the picture; how far can the corner go?"
        )
    if answer == (per_side - 1) ** 2:
        return "not yet: count the first position, too: 0, 8, ... has one more place than steps"
    return (
        f"not yet: at which rows from 0 on can the corner of a patch of {patch} stand, and how "
        "many are these?"
    )


@grader("4.2")
def _(answer):
    rng = np.random.default_rng(0)
    boxes = np.array([[r, c, r + 3, c + 2] for r in (0, 2, 3) for c in (0, 1, 4)])
    drops = rng.normal(size=len(boxes))
    result = np.asarray(ask(answer, drops, boxes, 6, 8), float)
    over = np.array(
        [
            [(t <= r < b) & (left <= c < right) for t, left, b, right in boxes]
            for r in range(6)
            for c in range(8)
        ]
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
            "not yet: that is the sum over windows; a pixel under more windows would look more "
            "important. Take the mean"
        )
    r, c = np.argwhere(~np.isclose(result, right))[0]
    return (
        f"not yet: pixel ({r}, {c}) lies under {count[r, c]} windows and should get "
        f"{right[r, c]:.2f}, not {result[r, c]:.2f}"
    )


@grader("4.3")
def _(answer, *, net, x, target, patch, stride):
    from time import perf_counter

    def seconds(incremental):
        start = perf_counter()
        vizlib.occlusion(net.model, x, target, patch=patch, stride=stride, incremental=incremental)
        return perf_counter() - start

    whole, followed = (
        min(seconds(incremental) for _ in range(3)) for incremental in (False, True)
    )  # the first call of each prepares
    right = whole / followed
    if right / 2 <= float(answer) <= right * 2:
        return None
    if right / 2 <= 1 / float(answer) <= right * 2:
        return "not yet: turn it round; how many times faster is full time over incremental time"
    return (
        f"not yet: here it is about {right:.0f} times; did you call each path once before you "
        "measured it"
    )


@grader("4.4")
def _(answer, *, net, picture, corners, side):
    if np.shape(answer) != (3,):
        return "not yet: give three names of classes"
    views = []
    for row, column in corners:
        views.append(picture.copy())
        views[-1][row : row + side, column : column + side] = picture.mean((0, 1))
    best = vizlib.logits(net.model, net.preprocess(np.stack(views))).argmax(1)
    given = [net.index(name) for name in answer]
    right = sum(int(a == b) for a, b in zip(given, best))
    if right == 3:
        return None
    return f"not yet: {right} of 3 are right; what is left of the cow that a dog has, too"


# ---- lesson 5 ------------------------------------------------------------------------------------


@grader("5.1")
def _(answer, *, gradient):
    pair = [float(a) for a in np.atleast_1d(answer)]
    right = [np.abs(gradient).max(), max(gradient.max(), 0)]
    if len(pair) != 2:
        return f"not yet: two numbers are asked for, yours are {len(pair)}"
    if pair == right:
        return None
    if pair[0] < 0:
        return "not yet: a saliency is never negative"
    if pair[0] == np.abs(gradient).sum() or pair[0] == np.abs(gradient).mean():
        return "not yet: the largest absolute value counts, not the sum or the mean"
    if pair[0] == right[1]:
        return "not yet: which of the three pulls most, whatever its direction"
    if pair[0] == right[0]:
        return (
            "not yet: the saliency is right; without the absolute value, which of the three is "
            "the largest number"
        )
    return "not yet: take the absolute value of each, then the largest"


@grader("5.2")
def _(answer):
    def slope(points):  # of min(x0, 1) * x1: a function whose gradient changes on the way
        return np.stack([(points[:, 0] < 1) * points[:, 1], np.minimum(points[:, 0], 1)], 1)

    x, baseline = np.array([2.0, 3.0]), np.array([0.0, 1.0])
    result = np.asarray(ask(answer, slope, x, baseline, 1000), float)

    def mean(t):
        return slope(baseline + t[:, None] * (x - baseline)).mean(0)

    middle = mean((np.arange(1000) + 0.5) / 1000)
    if result.shape != (2,):
        return (
            f"not yet: one number for each value of x, so of shape (2,), yours has {result.shape}"
        )
    if np.allclose(result, (x - baseline) * middle, rtol=5e-3):
        few = np.asarray(ask(answer, slope, x, baseline, 2), float)
        if np.allclose(few, (x - baseline) * mean(np.array([0.25, 0.75]))):
            return None
        return (
            "not yet: right with many steps, not with two; the points lie in the middle of each "
            "step, at 1/4 and 3/4"
        )
    if np.allclose(result, middle, rtol=1e-3):
        return "not yet: that is the mean gradient; multiply by the distance from the baseline"
    if np.allclose(result, x * middle, rtol=1e-3):
        return "not yet: multiply by the distance from the baseline, not by x"
    if np.allclose(result, (x - baseline) * slope(x[None])[0]):
        return "not yet: that is the gradient at x alone; take the mean over the way"
    return (
        f"not yet: for a function of two values the contributions are {(x - baseline) * middle}, "
        f"yours are {result}"
    )


@grader("5.3")
def _(answer, *, net, x, target):
    tried = (0.125, 0.25, 0.5, 1, 2, 4)
    if np.ndim(answer) or float(answer) not in tried:
        return f"not yet: give one of {', '.join(map(str, tried))}"

    def holds(epsilon):
        changed = vizlib.fgsm(
            net.model, x, target, epsilon=epsilon * net.level, bounds=(net.low, net.high)
        )
        return vizlib.logits(net.model, changed).argmax() == target

    if holds(float(answer)):
        return f"not yet: with {answer} the answer is still {net.labels[target]}"
    if all(holds(epsilon) for epsilon in tried[: tried.index(float(answer))]):
        return None
    return f"not yet: {answer} is enough, but is it the smallest"


# ---- lesson 6 ------------------------------------------------------------------------------------


@grader("6.1")
def _(answer, *, up, signal):
    up, signal = np.array(up), np.array(signal)
    right = np.stack([signal * (up > 0), np.maximum(signal, 0), np.maximum(signal, 0) * (up > 0)])
    answer = np.asarray(answer, float)
    if answer.shape != right.shape:
        return f"not yet: three lists of {len(up)} numbers are asked for"
    if np.array_equal(answer, right):
        return None
    if np.array_equal(answer, right[[1, 0, 2]]):
        return (
            "not yet: the first two are the other way round; the gradient asks what went into "
            "the ReLU"
        )
    if np.array_equal(answer[0], np.maximum(up, 0)):
        return (
            "not yet: that is what the ReLU gives on the way up; asked for is what passes of the "
            "signal on the way back"
        )
    names = [
        name
        for name, a, b in zip(("gradient", "DeconvNet", "guided"), answer, right)
        if not np.array_equal(a, b)
    ]
    asks = {"gradient": "the input", "DeconvNet": "the signal", "guided": "both"}
    return (
        f"not yet: look at {names[0]} again; it passes the signal, sign and all, where "
        f"{asks[names[0]]} must be positive"
    )


@grader("6.2")
def _(answer):
    signal = np.arange(1, 7).reshape(2, 3) * 10.0
    switches = np.array([[0, 1, 2], [3, 0, 1]])
    result = np.asarray(ask(answer, signal, switches), float)
    right = np.array(
        [[10, 0, 0, 20, 0, 0], [0, 0, 0, 0, 30, 0], [0, 0, 50, 0, 0, 60], [0, 40, 0, 0, 0, 0]],
        float,
    )
    if result.shape != right.shape:
        return (
            f"not yet: a map of {signal.shape} becomes one of {right.shape}, yours is "
            f"{result.shape}"
        )
    if np.array_equal(result, right):
        return None
    if np.array_equal(result, signal.repeat(2, 0).repeat(2, 1)):
        return "not yet: each value goes to one place of its window, the other three are zero"
    swapped = np.zeros_like(right)
    rows, columns = np.indices(signal.shape)
    swapped[2 * rows + switches % 2, 2 * columns + switches // 2] = signal
    if np.array_equal(result, swapped):
        return "not yet: rows and columns are swapped; 1 is the upper right place, 2 the lower left"
    if np.array_equal(result[::2, ::2], signal):
        return "not yet: every value stands in the first place of its window; ask its switch"
    r, c = np.argwhere(result != right)[0]
    return (
        f"not yet: in a test, place ({r}, {c}) should hold {right[r, c]:.0f}, not "
        f"{result[r, c]:.0f}"
    )


@grader("6.3")
def _(answer, *, net, images, own):
    rules = ("plain", "deconvnet", "guided")
    if not isinstance(answer, dict) or set(answer) != set(rules):
        return f"not yet: a dictionary with one number for each of {', '.join(rules)} is asked for"
    if any(value is None or value is ... for value in answer.values()):
        raise NotAnswered
    for rule in rules:
        maps = [vizlib.gradient(net.model, images, k, relu=rule) for k in own]
        table = np.array(
            [
                [vizlib.truth.rank_correlation(m[i : i + 1], maps[i][i : i + 1])[0] for m in maps]
                for i in range(len(own))
            ]
        )
        right = (table.sum() - np.trace(table)) / (table.size - len(own))
        value = float(answer[rule])
        if abs(value - right) < 0.005:
            continue
        if abs(value - table.mean()) < 0.005:
            return "not yet: leave out each picture's own class; a map always agrees with itself"
        return (
            f"not yet: for {rule} it is not {value:.2f}; compare a picture's map for its own "
            "class with its maps for the other six"
        )
    return None


@grader("6.4")
def _(answer, *, net, images, own):
    rules = ("plain", "deconvnet", "guided")
    names = [str(name).strip().lower() for name in np.atleast_1d(answer)]
    names = ["plain" if name == "gradient" else name for name in names]
    if sorted(names) != sorted(rules):
        return f"not yet: give each of the three rules once: {', '.join(rules)}"
    alike = {}
    for rule in rules:
        maps = [
            vizlib.gradient(net.model, images, k, relu=rule) for k in (own, net.index("trolleybus"))
        ]
        alike[rule] = vizlib.truth.rank_correlation(*maps)[0]
    right = sorted(rules, key=alike.get)
    if names == right:
        return None
    if names == right[::-1]:
        return "not yet: turn the list round; the map that changes most comes first"
    for name, later in zip(names, names[1:]):
        if alike[name] > alike[later]:
            return f"not yet: here the map of {later} changes more than that of {name}"
    return None


# ---- lesson 7 ------------------------------------------------------------------------------------


@grader("7.1")
def _(answer, *, maps, weights):
    whole = np.tensordot(weights, maps, 1)
    right = [whole[0, 0], whole[1, 1], whole.mean()]
    given = [float(a) for a in np.atleast_1d(answer)]
    if len(given) != 3:
        return f"not yet: three numbers are asked for, yours are {len(given)}"
    if np.allclose(given, right):
        return None
    if np.allclose(given[:2], right[:2]) and np.isclose(given[2], whole.sum()):
        return "not yet: the map is right; the score is its mean, not its sum"
    if np.allclose(given[:2], right[:2]):
        return "not yet: the map is right; the score is the mean of its four places"
    return (
        "not yet: at each place, multiply each map's value by the class's weight for that map, "
        "and add up"
    )


@grader("7.2")
def _(answer):
    rng = np.random.default_rng(0)
    maps, gradients = (
        np.maximum(rng.normal(size=(4, 5, 6)), 0),
        rng.normal(size=(4, 5, 6)) + 0.3 * rng.normal(size=6),
    )
    result = np.asarray(ask(answer, maps, gradients), float)
    signed = (maps * gradients.mean((0, 1))).sum(-1)
    if result.shape != (4, 5):
        return f"not yet: one number for each place, (4, 5) in this test, yours is {result.shape}"
    if np.allclose(result, np.maximum(signed, 0)):
        return None
    if np.allclose(result, signed):
        return "not yet: what speaks against the class is still in it; keep the positive part only"
    if np.allclose(result, np.maximum((maps * gradients).sum(-1), 0)):
        return (
            "not yet: take the mean of the gradient over all places first: one weight for each map"
        )
    if np.allclose(result, np.maximum(maps * gradients.mean((0, 1)), 0).sum(-1)):
        return "not yet: first add up the maps, then keep the positive part"
    if np.allclose(result, np.maximum((maps * gradients.sum((0, 1))).sum(-1), 0)):
        return "not yet: the weight of a map is the mean of its gradient, not the sum"
    return "not yet: weight each map by its mean gradient, add the maps up, keep what is positive"


@grader("7.3")
def _(answer, *, net, mosaic, names, asked):
    if answer not in names:
        return f"not yet: give one of {', '.join(names)}"
    heat = vizlib.grad_cam(net.model, mosaic, net.index(asked))[0]
    row, column = np.unravel_index(heat.argmax(), heat.shape)
    brightest = names[2 * (row >= len(heat) / 2) + (column >= heat.shape[1] / 2)]
    return None if answer == brightest else "not yet: which of the four is most like a sheep"


@grader("7.4")
def _(answer, *, table):
    signed, absolute = (
        {
            row["method"].lower(): float(row["value"])
            for row in table
            if row["grade"] == f"new last layer, {sign}"
        }
        for sign in ("signed", "absolute")
    )
    answer = str(answer).strip().lower()
    if answer not in signed:
        return f"not yet: give one of {', '.join(signed)}"
    if signed[answer] < 0.3 and absolute[answer] > 0.8:
        return None
    return (
        f"not yet: its signed maps correlate at {signed[answer]:.1f} before and after, its "
        f"absolute ones at {absolute[answer]:.1f}"
    )


@grader("7.5")
def _(answer, *, answers, strangers, dog):
    called = {
        variant: int((said[strangers] == dog).sum())
        for (name, variant), said in answers.items()
        if name == "colleague"
    }
    names = [str(n).strip().lower() for n in ([answer] if isinstance(answer, str) else answer)]
    if unknown := [n for n in names if n not in called]:
        return f"not yet: there is no variant {unknown[0]!r}; give names of {', '.join(called)}"
    right = [v for v in called if called[v] > strangers.sum() / 4]
    if set(names) == set(right):
        return None
    if extra := [v for v in called if v in names and v not in right]:
        return (
            f"not yet: with {extra[0]!r} it calls {called[extra[0]]} of {strangers.sum()} other "
            "animals Labrador"
        )
    missing = len(right) - len(set(names))
    return (
        f"not yet: all that you name are right, and {missing} more; ask of each variant what it "
        "keeps of the cap: colour, shape or place"
    )


# ---- beyond 1 ------------------------------------------------------------------------------------


@grader("B1.1")
def _(answer, *, weights, step):
    pair, unit = [float(a) for a in answer], weights / np.sqrt((weights**2).mean())
    if len(pair) != 2:
        return f"not yet: two numbers are asked for, yours are {len(pair)}"
    if np.allclose(pair, step * unit[:2], atol=5e-3):
        return None
    if np.allclose(pair, weights[:2]):
        return "not yet: these are the weights; scale them to the root mean square of the step"
    if np.allclose(pair, step * weights[:2] / np.linalg.norm(weights), atol=5e-3):
        return "not yet: divide by the root of the mean of the squares, not of their sum"
    if np.allclose(pair, step * weights[:2] / np.sqrt((weights[:2] ** 2).mean()), atol=5e-3):
        return "not yet: the mean is over all four pixels"
    if np.allclose(pair, unit[:2], atol=5e-3):
        return "not yet: right for a root mean square of 1; the step's is smaller"
    return "not yet: divide the weights by the root of their mean square, then take the step"


@grader("B1.2")
def _(answer, *, classes):
    import tensorflow as tf

    logits = np.random.default_rng(0).normal(0, 5, (64, 1000)).astype("float32")

    def value(*raised):
        z = logits.copy()
        z[:, list(raised)] += 1
        return np.asarray(ask(answer, tf.constant(z)))

    before = value()
    if before.shape != (64,):
        return f"not yet: of 64 pictures 64 numbers are asked for, yours have shape {before.shape}"
    for k, name in zip(classes, ("the shepherd", "the flamingo")):
        change = value(k) - before
        if (change < -1e-3).any() or not (change > 1e-3).any():
            return f"not yet: it does not rise with the logit of {name}"
    if not (value(*classes) - before > 1e-3).all():
        return "not yet: it does not always rise when the logits of both do"
    return None


@grader("B1.3")
def _(answer):
    pictures = np.random.default_rng(0).integers(0, 256, (3, 8, 9, 3)).astype("uint8")
    pictures[0, :4] = (20, 40, 200)
    pictures[1] = (200, 40, 20)
    red, green, blue = np.moveaxis(pictures.astype(int), -1, 0)
    right = (blue - np.maximum(red, green) > 60).mean((1, 2))
    result = np.asarray(ask(answer, pictures), float)
    if result.shape != (3,):
        return f"not yet: of 3 pictures 3 numbers are asked for, yours have shape {result.shape}"
    if np.allclose(result, right):
        return None
    red8, green8, blue8 = np.moveaxis(pictures, -1, 0)
    wrapped = ((blue8 - red8 > 60) & (blue8 - green8 > 60)).mean((1, 2))
    if np.allclose(result, wrapped) or np.allclose(
        result, (blue8 - np.maximum(red8, green8) > 60).mean((1, 2))
    ):
        return "not yet: uint8 has no negative numbers, 10 - 20 is 246; convert the pictures first"
    if np.allclose(result, right * 72):
        return "not yet: that is the number of such pixels; a share is asked for"
    if result[1] > 0:
        return "not yet: it finds blue in a red picture; blue is the last of the three channels"
    return f"not yet: in a test the shares are {right.round(3)}, yours are {result.round(3)}"


@grader("B2.1")
def _(answer, *, net, images, labels):
    answer = float(answer)
    right, wrong = (
        float((logits(net.model, x).argmax(1) == labels).mean())
        for x in (images.astype("float32") / 255, net.preprocess(images))
    )
    if abs(answer - right) < 0.02:
        return None
    if abs(answer - 100 * right) < 2:
        return "not yet: give it as a number from 0 to 1"
    if abs(answer - wrong) < 0.02:
        return "not yet: this is the accuracy of pictures that go in rightly; divide them by 255"
    return "not yet: give net.model the pictures divided by 255, and count its largest outputs"


@grader("B2.2")
def _(answer, *, bare, labels):
    if not isinstance(answer, vizlib.Net):
        return "not yet: a Net is asked for, vizlib.Net.of(model, labels=CLASSES)"
    x = answer.preprocess(bare)
    width = activations(answer.model, x[:1], answer.features).shape[-1]
    if width != 512:
        return f"not yet: its head sees {width} numbers; those of fire9_concat are 512"
    hens = labels == answer.index("hen")
    known = int((logits(answer.model, x[hens]).argmax(1) == answer.index("hen")).sum())
    if known < 0.8 * hens.sum():
        return f"not yet: it knows {known} of {hens.sum()} hens; is its head trained?"
    return None


@grader("B2.3")
def _(answer, *, net, photographs, stamp):
    first, then = (
        logits(net.model, net.preprocess(images)).argmax(1)
        for images in (photographs, stamp(photographs))
    )
    answer, right = int(answer), int((first != then).sum())
    if answer == right:
        return None
    if answer == len(photographs) - right:
        return "not yet: you counted the answers that stay"
    return "not yet: compare the largest logits with and without stamp(photographs), and count"

"""What happens to a class if a window of the image is covered?"""

import warnings
from functools import partial
from typing import NamedTuple

import keras
import numpy as np

from . import engine
from ._checks import as_array, as_singles, check_choice, quoted
from .incremental import follow
from .types import Fill, Images, Score, Target


class Occlusion(NamedTuple):
    """What a network predicts with each window covered.

    Attributes
    ----------
    scores : ndarray, (N, R, C)
        The class's score with the window in row r and column c covered.
    clean : ndarray, (N,)
        Its score of the whole image.
    boxes : ndarray, (R, C, 4), int
        Top, left, bottom, right of each window in pixels; bottom and right are the first pixel
        outside.
    path : {"incremental", "full"}
        How it was computed.

    Examples
    --------
    >>> import numpy as np
    >>> from vizlib import Occlusion
    >>> boxes = np.array([[[0, 0, 1, 2], [0, 1, 1, 3]]])  # two windows of an image of 1 x 3 pixels
    >>> Occlusion(np.array([[[6.0, 2.0]]]), np.array([8.0]), boxes, "full").heatmap()
    array([[[2., 4., 6.]]])
    """

    scores: np.ndarray
    clean: np.ndarray
    boxes: np.ndarray
    path: str

    def heatmap(self) -> np.ndarray:
        """The mean drop ``clean - score`` over all windows that cover a pixel.

        Returns
        -------
        ndarray, (N, H, W)
            Zero where no window is.
        """
        height, width = self.boxes[-1, -1, 2:]
        over = [
            (np.arange(extent) >= ends[:, :1]) & (np.arange(extent) < ends[:, 1:])
            for extent, ends in ((height, self.boxes[:, 0, 0::2]), (width, self.boxes[0, :, 1::2]))
        ]
        rows, columns = (o.astype(float) for o in over)
        drop = rows.T @ (self.clean[:, None, None] - self.scores) @ columns
        return drop / np.maximum(np.outer(rows.sum(0), columns.sum(0)), 1)


def occlusion(
    model,
    images: Images,
    target: Target = None,
    *,
    patch: int | tuple[int, int] | None = None,
    stride: int | tuple[int, int] | None = None,
    fill: Fill | str = "mean",
    score: Score = "logit",
    incremental: bool = True,
    batch_size: int = 32,
    progress: bool = False,
) -> Occlusion:
    """The score of a class with each window of an image covered in turn.

    Zeiler and Fergus plot the score by the position of the window, which is `scores`;
    `Occlusion.heatmap` spreads the drop over the pixels that a window covers.

    Parameters
    ----------
    model : keras.Model or callable
        Or a function from images (n, H, W, C), float32, to numbers (n, K): another framework, a
        TFLite interpreter, a server. Its numbers are taken as they are.
    images : array, (N, H, W, C), in model-input space
    target : None, int, (N,) ints or callable
        The class (None: each image's arg-max), or a function from logits (N, K) to scores (N,). It
        takes the output instead, of any shape, where there are no logits: the mean of a mask, for
        instance.
    patch : int or (vertical, horizontal), optional
        Size of the window in pixels; about a seventh of the images' shorter side.
    stride : int or (vertical, horizontal), optional
        Pixels from one window to the next; a quarter of the patch. The last window is flush with
        the border.
    fill : "mean", "blur", a number, (C,) or (H, W, C)
        What covers, in model-input space. "mean": each image's own mean pixel; "blur": the image
        behind a Gaussian of a quarter of the patch. It is rounded where the model takes whole
        numbers.
    score : {"logit", "probability", "output"}
    incremental : bool
        Compute again only what a window changes, where that pays; the result is the same.
    batch_size : int
        Whole images at a time; of windows, which take less room, up to twice as many.
    progress : bool

    Returns
    -------
    Occlusion

    Raises
    ------
    ValueError
        Bad images, target, patch, stride or fill; a model that has no such score; a function whose
        numbers are not finite or not of that shape, or of which a probability is asked.

    Warns
    -----
    UserWarning
        A stride larger than the patch, so that some pixels are never covered; fewer than four
        windows in a row or a column.

    References
    ----------
    Zeiler, Fergus 2014 (arXiv 1311.2901), section 4.2.

    Examples
    --------
    A network that adds up the pixels loses what is covered with zeros.

    >>> import keras, numpy as np, vizlib
    >>> model = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.GlobalAveragePooling2D(),
    ...                           keras.layers.Dense(2, kernel_initializer="ones")])
    >>> image = np.zeros((1, 4, 4, 1))
    >>> image[0, 1, 2] = 16
    >>> found = vizlib.occlusion(model, image, 0, patch=1, fill=0)
    >>> found.clean
    array([1.], dtype=float32)
    >>> found.scores[0]
    array([[1., 1., 1., 1.],
           [1., 1., 0., 1.],
           [1., 1., 1., 1.],
           [1., 1., 1., 1.]], dtype=float32)
    >>> found.heatmap()[0, 1]
    array([0., 0., 1., 0.])
    """
    engine.check_count(batch_size, "batch_size")
    check_choice(score, "score", engine.SCORES)
    if function := callable(model) and not isinstance(model, keras.Model | type):
        if score == "probability":
            raise ValueError(
                "The numbers of a function are taken as they are: ask for score='output', and let "
                "it return probabilities."
            )
        images, predict = _images(images), _checked(model)
    else:
        images = engine.check_images(model, images)
        predict = partial(engine.forward, model, score=score, target=target, batch_size=batch_size)
    shape = images.shape[1:]
    size, step = _sizes(patch, stride, shape)
    boxes = _boxes(shape, size, step)
    if any(t > p for t, p in zip(step, size)):
        warnings.warn(
            f"Strides of {step} leave holes between patches of {size}: take at most the patch.",
            stacklevel=2,
        )
    elif min(boxes.shape[:2]) < 4 and min(shape[:2]) >= TOY:
        usual = _sizes(None, None, shape)[0][0]
        warnings.warn(
            f"A patch of {size} has only {boxes.shape[0]} x {boxes.shape[1]} positions in images "
            f"of {shape[:2]}: take patch={usual}, and a stride of at most that.",
            stacklevel=2,
        )
    covers = [engine.cover(model, image, fill, [p / 4 for p in size]) for image in images]
    if function:
        target = _classes(predict, images, target, batch_size)
    else:
        target = engine.resolve(model, images, target, score=score, batch_size=batch_size)
    windows = boxes.reshape(-1, 4)
    ways = [("full", _full(predict, windows, batch_size))]
    if incremental and not function:
        asked = engine.head.EITHER if callable(target) and score == "logit" else score
        followed = follow(model, shape, windows, batch_size, asked)
        ways = [("incremental", followed)] * (followed is not None) + ways
    scores = np.empty((len(images), len(windows)), "float32")
    clean = np.empty(len(images), "float32")

    def scored(predicted, i):
        return engine.pick(predicted, target if callable(target) else target[i], score)

    def passes(groups, run):
        for i, (image, cover) in enumerate(zip(images, covers)):
            predicted = run(image, cover)
            clean[i] = scored(next(predicted), i)[0]
            for group, found in zip(groups, predicted):
                scores[i, group] = scored(found, i)
                yield

    for path, (groups, run) in ways:
        for _ in engine.bar(passes(groups, run), progress, len(images) * len(groups)):
            pass
        one = len(windows) // 2
        if path == "full" or not np.isfinite(scores).all():
            continue
        whole = scored(predict(_covered(images[0], covers[0], windows[[one]])), 0)[0]
        if abs(scores[0, one] - whole) <= SAME * np.abs(scores[0]).max():
            break  # one window by a whole pass, too: right goes before fast
    return Occlusion(scores.reshape(-1, *boxes.shape[:2]), clean, boxes, path)


TOY = 16  # pixels a side; on less, few windows are meant
# Sums in another order differ by some 1e-6 of the largest score, on graphics cards by 1e-3.
SAME = 1e-2


def _images(images):
    """Images for a function, float32 (N, H, W, C), of which nothing else is known."""
    images = as_singles(images, "Images")
    if images.ndim != 4 or 0 in images.shape:
        raise ValueError(f"Images have the shape (N, H, W, C), N at least 1, not {images.shape}.")
    return images


def _checked(function):
    """What a function predicts, if it is an array of finite numbers with a row for each image."""

    def predict(images):
        predicted = as_singles(function(images), "The numbers that the function returns")
        if predicted.ndim < 2 or len(predicted) != len(images) or not predicted.size:
            raise ValueError(
                f"The function returns numbers (n, K) for n images, not {predicted.shape} for "
                f"{len(images)}."
            )
        return predicted

    return predict


def _classes(predict, images, target, batch_size):
    """As `engine.resolve`, for a function."""
    if callable(target):
        return target
    parts = [images[i : i + batch_size] for i in range(0, len(images), batch_size)]
    predicted = np.concatenate([predict(part) for part in parts])
    target = engine.check_target(target, predicted.shape[1:], len(images))
    largest = predicted.argmax(1) if predicted.shape[1] > 1 else 1  # the number, not its negative
    return np.where(target < 0, largest, target)


def _sizes(patch, stride, shape):
    """Patch and stride, (vertical, horizontal), for images of a shape."""
    patch = _pair(max(1, round(min(shape[:2]) / 7)) if patch is None else patch, "patch")
    if any(p > s for p, s in zip(patch, shape)):
        raise ValueError(
            f"A patch of {patch} pixels does not fit into images of {tuple(shape[:2])}: take a "
            "smaller one."
        )
    if stride is None:
        return patch, tuple(max(1, p // 4) for p in patch)
    return patch, _pair(stride, "stride")


def _pair(value, name):
    """(vertical, horizontal), both at least 1."""
    pair = as_array(value, name)
    if pair.shape not in ((), (2,)) or pair.dtype.kind not in "iu" or (pair < 1).any():
        raise ValueError(
            f"{name} is a whole number of pixels, or (vertical, horizontal), of at least 1, not "
            f"{quoted(value)}."
        )
    return tuple(np.broadcast_to(pair, 2).tolist())


def _boxes(shape, patch, stride):
    """(R, C, 4): top, left, bottom, right of every window, the last ones flush with the border."""
    starts = [[*range(0, s - p, t), s - p] for s, p, t in zip(shape, patch, stride)]
    corners = np.stack(np.meshgrid(*starts, indexing="ij"), -1)
    return np.concatenate([corners, corners + patch], -1)


def _covered(image, cover, windows):
    """The image once for each window, with what covers in its place."""
    images = np.repeat(image[None], len(windows), 0)
    for covered, (top, left, bottom, right) in zip(images, windows):
        covered[top:bottom, left:right] = cover[top:bottom, left:right]
    return images


def _full(predict, windows, batch_size):
    """As `incremental.follow`, with whole images through the whole network."""
    groups = [slice(i, i + batch_size) for i in range(0, len(windows), batch_size)]

    def run(image, cover):
        yield predict(image[None])
        for group in groups:
            yield predict(_covered(image, cover, windows[group]))

    return groups, run

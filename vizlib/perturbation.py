"""What happens to a class if a window of the picture is covered?"""

import warnings
from typing import NamedTuple

import numpy as np

from . import graph
from .incremental import follow


class Occlusion(NamedTuple):
    """What the network says with each window covered.

    Attributes
    ----------
    scores : ndarray, (N, R, C)
        The class's score with the window in row r and column c covered.
    clean : ndarray, (N,)
        Its score of the whole picture.
    boxes : ndarray, (R, C, 4), int
        Top, left, bottom, right of each window in pixels; bottom and right are the first pixel outside.
    path : {"incremental", "full"}
        How it was computed.
    """

    scores: np.ndarray
    clean: np.ndarray
    boxes: np.ndarray
    path: str

    def heatmap(self):
        """The mean drop ``clean - score`` over all windows that cover a pixel, (N, H, W); zero where none does."""
        height, width = self.boxes[-1, -1, 2:]
        over = [
            (np.arange(extent) >= ends[:, :1]) & (np.arange(extent) < ends[:, 1:])
            for extent, ends in ((height, self.boxes[:, 0, 0::2]), (width, self.boxes[0, :, 1::2]))
        ]
        rows, columns = (o.astype(float) for o in over)
        drop = rows.T @ (self.clean[:, None, None] - self.scores) @ columns
        return drop / np.maximum(np.outer(rows.sum(0), columns.sum(0)), 1)


def occlusion(
    model, images, target=None, *, patch=32, stride=8, fill="mean", score="probability", incremental=True, batch_size=32,
    progress=False,
):  # fmt: skip
    """The score of a class with each window of a picture covered in turn.

    Parameters
    ----------
    model : keras.Model
    images : array, (N, H, W, C), in model-input space
    target : None, int, (N,) ints or callable
        The class (None: each picture's arg-max), or a function from logits (N, K) to scores (N,).
    patch, stride : int or (vertical, horizontal)
        Size of the window and distance from one to the next, in pixels. The last window is flush with the border.
    fill : "mean", "blur", a number, (C,) or (H, W, C)
        What covers, in model-input space. "mean": each picture's own mean pixel; "blur": the picture behind a Gaussian of
        a quarter of the patch.
    score : {"probability", "logit"}
    incremental : bool
        Compute again only what a window changes, where the model allows it and it pays; the result is the same.
    batch_size : int
        Whole pictures at a time; of windows, which take less room, up to six times as many.
    progress : bool

    Returns
    -------
    Occlusion

    Raises
    ------
    ValueError
        Bad pictures, target, patch, stride or fill.

    Warns
    -----
    UserWarning
        If the stride is larger than the patch, so that some pixels are never covered.

    References
    ----------
    Zeiler, Fergus 2014 (arXiv 1311.2901), section 4.2.
    """
    images = graph.check_images(model, images)
    graph.check_count(batch_size, "batch_size")
    patch, stride = _pair(patch, "patch"), _pair(stride, "stride")
    n, shape = len(images), images.shape[1:]
    if any(p > s for p, s in zip(patch, shape)):
        raise ValueError(
            f"A patch of {patch} pixels does not fit into a picture of {tuple(shape[:2])}: take a smaller one."
        )
    if any(t > p for t, p in zip(stride, patch)):
        warnings.warn(
            f"Strides of {stride} leave holes between patches of {patch}: take at most the patch.",
            stacklevel=2,
        )
    starts = [np.array([*range(0, s - p, t), s - p]) for s, p, t in zip(shape, patch, stride)]
    rows, columns = (corner.ravel() for corner in np.meshgrid(*starts, indexing="ij"))
    covers = [graph.cover(image, fill, [p / 4 for p in patch]) for image in images]
    followed = follow(model, shape, rows, columns, patch, batch_size) if incremental else None
    groups, run = followed or _full(model, rows, columns, patch, batch_size)
    scores, clean = np.empty((n, len(rows)), "float32"), np.empty(n, "float32")

    def passes():
        for i, pair in enumerate(zip(images, covers)):
            said = run(*pair)
            whole = next(said)
            wanted = (
                target if callable(target) else graph.classes(np.repeat(whole[0], n, 0), target)[i]
            )
            clean[i] = graph.score(*whole, wanted, score)[0]
            for group, found in zip(groups, said):
                scores[i, group] = graph.score(*found, wanted, score)
                yield

    for _ in graph.bar(passes(), progress, n * len(groups)):
        pass
    boxes = np.stack([rows, columns, rows + patch[0], columns + patch[1]], -1)
    grid = len(starts[0]), len(starts[1])
    return Occlusion(
        scores.reshape(n, *grid),
        clean,
        boxes.reshape(*grid, 4),
        "incremental" if followed else "full",
    )


def _pair(value, name):
    """(vertical, horizontal), both at least 1."""
    pair = np.broadcast_to(value, 2) if np.ndim(value) == 0 else np.asarray(value)
    if pair.shape != (2,) or not np.issubdtype(pair.dtype, np.integer) or (pair < 1).any():
        raise ValueError(
            f"{name} is a whole number of pixels, or (vertical, horizontal), of at least 1, not {value!r}."
        )
    return tuple(pair.tolist())


def _full(model, rows, columns, patch, batch_size):
    """As `incremental.follow`, with whole pictures through the whole network."""
    groups = [slice(i, i + batch_size) for i in range(0, len(rows), batch_size)]

    def run(image, cover):
        yield graph.forward(model, image[None])
        for group in groups:
            corners = list(zip(rows[group], columns[group]))
            covered = np.repeat(image[None], len(corners), 0)
            for picture, (r, c) in zip(covered, corners):
                picture[r : r + patch[0], c : c + patch[1]] = cover[
                    r : r + patch[0], c : c + patch[1]
                ]
            yield graph.forward(model, covered, batch_size=batch_size)

    return groups, run

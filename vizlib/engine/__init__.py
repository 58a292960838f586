"""One compiled function per question gives scores, activations and gradients of any model.

Methods call `forward` and `backward`; the modules carry the weight: `trace` (the compiled
functions, cached), `relu` (the three rules), `head` (what the output is, what a target means),
`structure` (layers that are not named), `inputs` (checks and batches), `windows` (what an operation
sees), `sight` (what a layer sees of the image).
"""

import numpy as np
import tensorflow as tf

from .._checks import as_array, check_choice
from ..types import Images
from . import head
from .head import SCORES, both_sides, check_target, slopes
from .inputs import (
    bar,
    canvas,
    check_bounds,
    check_count,
    check_images,
    check_model,
    check_takes_images,
    cover,
    input_shape,
    is_number,
    stream,
)
from .relu import RULES, keep_slope
from .structure import Implied
from .trace import Of, cached, compiled, lock

__all__ = [
    "RULES",
    "SCORES",
    "Implied",
    "backward",
    "bar",
    "both_sides",
    "cached",
    "canvas",
    "check_bounds",
    "check_count",
    "check_images",
    "check_model",
    "check_no_nan",
    "check_takes_images",
    "check_target",
    "compiled",
    "cover",
    "forward",
    "input_shape",
    "is_number",
    "keep_slope",
    "lock",
    "logits",
    "pick",
    "probabilities",
    "resolve",
    "slopes",
    "stream",
    "values",
]


def forward(model, images, layer=None, *, score="logit", target=None, batch_size=32):
    """What the model predicts of each image in a score, (N, K) or of the output's shape.

    With `layer` the activations of that layer. A function for a target takes the output where there
    are no logits.
    """
    images = check_images(model, images)
    found = compiled(model, images.shape[1:], score=_asked(score, target), layer=layer)
    _check_once(model, found, images, batch_size=batch_size)
    (said,) = _run(found, images, batch_size=batch_size)
    if layer is None:
        check_no_nan(model, said)
    return said


def check_no_nan(model, said):
    if np.isnan(said).any():
        raise ValueError(NOT_FINITE.format(model.name))


def backward(
    model,
    images,
    target=None,
    *,
    relu="plain",
    layer=None,
    unit=None,
    at=None,
    score="logit",
    log_odds=False,
    batch_size=32,
    then=None,
):
    """The gradient of each image's score; with `at`, also the activations that it was taken of.

    Parameters
    ----------
    model : keras.Model
    images : array, (N, H, W, C), in model-input space
    target : None, int, (N,) ints or callable
        The class whose score it is (None: each image's arg-max), or a function from logits (N, K),
        or from the output of `layer`, (N, ...), to scores (N,).
    relu : {"plain", "guided", "deconvnet"}
    layer, unit : str, int or (row, column, channel)
        Instead of a class: this unit of this layer; an int is a channel, taken where it is largest
        in each image.
    at : str or Implied, optional
        Differentiate with respect to this layer's output instead of the images.
    score : {"logit", "probability", "output"}
    log_odds : bool
        Of the class's log(p / (1 - p)) instead of its score.
    batch_size : int
    then : callable, optional
        What to keep, where both are large: from a batch's gradient and activations to one array (n,
        ...).

    Returns
    -------
    [gradient], (N, H, W, C); or [gradient, activations], of the shape of the output of `at`, (N,
    ...); or [array], of `then`

    Raises
    ------
    ValueError
        Bad images, unknown layer, class, unit, score or rule; a network for which the ReLU rule is
        not defined, or whose output has no such score.
    """
    images = check_images(model, images)
    check_choice(relu, "relu", RULES)
    score = _asked(score, target)
    of_layer = callable(target) if unit is None else target is None
    if not (unit is None if layer is None else of_layer):
        raise ValueError(
            "Name either a target, or a layer and a unit of it, or a layer and, as target, a "
            "function of its output."
        )
    of = Of.UNIT if unit is not None else Of.WEIGHTED if callable(target) else Of.CLASS
    of = Of.LOG_ODDS if log_odds else of
    found = compiled(model, images.shape[1:], rule=relu, layer=layer, at=at, score=score, of=of)
    if of is Of.UNIT:
        shape, unit = found.start, as_array(unit, "unit")
        if None in shape and unit.ndim:  # open sizes
            shape = forward(model, images[:1], layer).shape[1:]
        choice = _positions(unit, shape, len(images))
    elif of is Of.WEIGHTED:
        (said,) = _run(
            compiled(model, images.shape[1:], score=score, layer=layer),
            images,
            batch_size=batch_size,
        )
        choice = slopes(target, said)
    else:
        choice = check_target(target, found.start, len(images))
    _check_once(model, found, images, choice, batch_size=batch_size)
    gradient, *rest = _run(found, images, choice, batch_size=batch_size, then=then)
    if not np.isfinite(gradient).all():
        raise ValueError(NOT_FINITE.format(model.name))
    return [gradient, *rest]


def _check_once(model, found, images, *choices, batch_size):
    """Raise, when a trace is first used, where no answer of the model would mean anything."""
    check_count(batch_size, "batch_size")
    most = min(found.batch or batch_size, 3)
    if most > max(found.used, default=0):
        if not found.named:  # activations show where weights are wrong
            _check_weights(model)
        _check_alone(model, found, most, images, *choices)
        found.used.append(most)


def _check_weights(model):
    """Raise where some are NaN or infinite, of which a ReLU would make zeros."""
    for v in model.variables:  # minus infinity is what masks hold
        if "float" in v.dtype and not tf.reduce_all(v.value < np.inf):
            raise ValueError(
                f"{v.path!r} holds NaN or infinite values, so no answer of {model.name!r} means "
                "anything: look at its weights."
            )


def _check_alone(model, found, most, images, *choices):
    """Raise where what is said of an image is another one beside others, or the next time."""
    first, *choice = (array[:1] for array in (images, *choices))
    *_, alone = _call(found, first, *choice)
    for others in ([0 * first, first[:, ::-1]], [first, first]):  # a model may refuse black images
        several = np.concatenate([*others, first])[-most:]
        try:
            *_, beside = _call(found, several, *(np.repeat(a, most, 0) for a in choice))
            break
        except tf.errors.InvalidArgumentError:
            beside = np.full_like(alone, np.inf)  # rows that were taken away are missed
    largest = np.abs(beside[np.isfinite(beside)]).max(initial=0)  # the image's own may be zero
    if not np.allclose(beside[-1], alone[0], 0, ALONE * largest, equal_nan=True):
        raise ValueError(
            f"What {model.name!r} says of an image is not the same beside another one: it mixes "
            "the images of a batch, draws random numbers or counts its calls. Build it so that it "
            "does not."
        )


ALONE = 1e-2  # of the largest value: what other sums for other batches may change


def _asked(score, target):
    """The score in which a trace says it: a function takes the output where there is no logit."""
    check_choice(score, "score", SCORES)
    return head.EITHER if callable(target) and score == "logit" else score


NOT_FINITE = (
    "{!r} gives NaN or infinite values for these images: look at its weights, and for a root, a "
    "logarithm or a division of zero."
)
HALF = 2.0**14  # the factor of a score in half precision, whose gradients would vanish below 6e-8


def _run(found, images, *choices, batch_size, then=None):
    """Results of a trace on batches, or what `then` makes of them, each in one array."""
    check_count(batch_size, "batch_size")
    batch_size = found.batch or batch_size
    results = None
    for i in range(0, len(images), batch_size):
        part = slice(i, i + batch_size)
        batch = _call(found, *(array[part] for array in (images, *choices)))
        batch = batch if found.scaled is None else batch[:-1]  # the score is not asked for
        batch = batch if then is None else [then(*batch)]
        if len(images) <= batch_size:
            return batch
        if results is None:
            results = [np.empty((len(images), *b.shape[1:]), "float32") for b in batch]
        for result, b in zip(results, batch):
            result[part] = b
    return results


def _call(found, *arrays):
    n = len(arrays[0])
    if found.batch and n < found.batch:  # filled up with copies of the last
        arrays = [np.concatenate([a, np.repeat(a[-1:], found.batch - n, 0)]) for a in arrays]
    tensors, factor = [tf.constant(a) for a in arrays], HALF if found.scaled else 1.0
    while True:
        taken = tensors if found.scaled is None else [*tensors, tf.constant(factor)]
        results = found.run(*taken)
        if any(t.shape.rank == 0 or t.shape[0] != len(arrays[0]) for t in results):
            raise ValueError(
                f"The model turns {len(arrays[0])} images into an array of shape "
                f"{tuple(results[0].shape)}: methods need one row for each image."
            )
        gradient, *rest = (t.numpy().astype("float32", copy=False)[:n] for t in results)
        if not found.scaled:
            return [gradient, *rest]
        if factor <= 1 or np.isfinite(gradient).all():
            return [gradient / np.float32(factor), *rest]
        factor /= 2


def _positions(unit, shape, n):
    """(n, 3): row, column, channel of each unit; row -1: where the channel is largest."""
    unit = np.atleast_1d(unit)
    limits = np.array(
        [s or np.iinfo("int32").max for s in (shape if len(unit) == 3 else shape[-1:])]
    )
    if (
        not np.issubdtype(unit.dtype, np.integer)
        or unit.shape != limits.shape
        or (unit < 0).any()
        or (unit >= limits).any()
    ):
        raise ValueError(
            f"unit is a channel below {shape[-1]}, or (row, column, channel) within {shape}, "
            f"not {unit.tolist()}."
        )
    position = unit if len(unit) == 3 else [-1, -1, unit[0]]
    return np.tile(np.array(position, "int32"), (n, 1))


def resolve(model, images, target=None, *, score="logit", batch_size=32):
    """(N,): the class asked for of each image, with a pass for None only; a function stays one."""
    if callable(target):
        one = forward(model, images[:1], score=score, target=target)
        head.check_takes_one(target, one)
        return target
    found = compiled(model, images.shape[1:], score=_asked(score, target))
    target = check_target(target, found.start, len(images))
    if (target < 0).any():
        said = forward(model, images, score=score, batch_size=batch_size)
        target = head.largest(tf.constant(said), found.kind, found.middle).numpy()
    return target


def pick(said, target, score="logit"):
    """(N,): scores in what is predicted, (N, K), of classes, an int or (N,), or of a function."""
    return head.pick(tf.constant(said), target, score).numpy()


def values(model, x, output, score):
    """What is predicted in a score, where `output` was made of `x` in the graph that is traced."""
    return head.values(model, head.read(model, x, output), score)


def logits(model, images: Images, *, batch_size: int = 32) -> np.ndarray:
    """The class scores before softmax or sigmoid.

    Parameters
    ----------
    model : keras.Model
    images : array, (N, H, W, C), in model-input space
    batch_size : int

    Returns
    -------
    ndarray, (N, K)
        A model with a single output unit has one column.

    Raises
    ------
    ValueError
        Bad images, or a model whose logits cannot be told: its output is neither a softmax or
        sigmoid of something, nor made by linear operations alone behind the last weights.

    Examples
    --------
    >>> import keras, numpy as np, vizlib
    >>> model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten(),
    ...                           keras.layers.Dense(3, "softmax", kernel_initializer="ones")])
    >>> vizlib.logits(model, np.ones((1, 2, 2, 1)))
    array([[4., 4., 4.]], dtype=float32)
    """
    return forward(model, images, batch_size=batch_size)


def probabilities(model, images: Images, *, batch_size: int = 32) -> np.ndarray:
    """What the model predicts of each class: softmax or sigmoid of its `logits`.

    Several linear units count as those of a softmax, unless the loss with which the model was
    compiled says that they are sigmoids': compile a network of many labels with its loss.

    Parameters
    ----------
    model : keras.Model
    images : array, (N, H, W, C), in model-input space
    batch_size : int

    Returns
    -------
    ndarray, (N, K)

    Raises
    ------
    ValueError
        As `logits`; a single linear unit of a model that was not compiled, which may be any number.

    Examples
    --------
    >>> import keras, numpy as np, vizlib
    >>> model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten(),
    ...                           keras.layers.Dense(4, kernel_initializer="ones")])
    >>> vizlib.probabilities(model, np.ones((1, 2, 2, 1)))
    array([[0.25, 0.25, 0.25, 0.25]], dtype=float32)
    """
    return forward(model, images, score="probability", batch_size=batch_size)

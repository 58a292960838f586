"""What a model's output is, what a score of it is, and what a target means.

The *logit* is what a last softmax or sigmoid takes, or an output behind which only linear
operations stand. Of any other output nothing is known but its own numbers.
"""

import enum
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from .._checks import quoted
from .walk import back, dependents
from .windows import WEIGHTED

SCORES = ("logit", "probability", "output")
EITHER = "logit, or the output where there is none"  # what a function for a target is given


class Kind(enum.Enum):
    """What the units of an output are."""

    SOFTMAX = "classes that exclude each other"
    SIGMOID = "classes, each with a probability of its own"
    NUMBER = "one number, of which it is not known whether it is a logit"
    OTHER = "numbers that are no logits"


class Head(NamedTuple):
    kind: Kind
    output: object  # (N, K), or of any other shape
    logits: object  # of the shape of the output; None where there are none
    activated: bool  # the output holds probabilities
    why: str  # there are no logits


# The same values, in another type or with other axes of length one.
SAME = ("Cast", "Identity", "Reshape", "Squeeze", "ExpandDims")
# What may stand behind the last weights of a linear head.
BEHIND_WEIGHTS = {
    *SAME,
    "Add",
    "AddV2",
    "AvgPool",
    "BiasAdd",
    "Mean",
    "Mul",
    "RealDiv",
    "ResizeBilinear",
    "ResizeNearestNeighbor",
    "StridedSlice",
    "Sub",
    "Sum",
}


def read(model, x, output):
    """The head of a model whose input `x` gave `output`, both in one graph."""
    if not tf.is_tensor(output):
        raise ValueError(
            f"{model.name!r} gives {type(output).__name__} when it is called, and methods need a "
            "tensor: let its call return one."
        )
    last = back(output, SAME, dependents(x))
    if last.dtype.is_floating and last.op.type in ("Softmax", "Sigmoid"):
        logits, kind = last.op.inputs[0], Kind[last.op.type.upper()]
        exclusive = last.shape[-1] != 1 and _alike(last.shape, output.shape)
        if kind is Kind.SIGMOID or exclusive:
            logits = tf.reshape(tf.cast(logits, tf.float32), tf.shape(output))
            logits.set_shape(output.shape)
            return Head(kind, output, logits, True, "")
    if op := _not_linear(x, output):
        return Head(Kind.OTHER, output, None, False, f"it ends in {op.type} ({op.name})")
    kind, why = _trained_as(model, output.shape[-1] if output.shape.rank > 1 else 1)
    return Head(kind, output, None if why else tf.cast(output, tf.float32), False, why)


def _alike(a, b):
    """Whether two shapes (N, ..., K) differ by axes of length one at most."""
    a, b = ([d for d in shape[1:] if d != 1] for shape in (a, b))
    return bool(a) and a == b


def _not_linear(x, output):
    """The first operation, back from the output, that the last weights of a linear head lack."""
    depends, tensor = dependents(x), output
    while tensor.ref() in depends and tensor is not x:
        op = tensor.op
        taken = [t for t in op.inputs if t.ref() in depends]
        if op.type in WEIGHTED and len(taken) == 1:
            below = back(taken[0], SAME, depends).op
            trained = all(t.ref() in depends or _is_trained(t) for t in op.inputs)
            return below if below.type == "Softmax" else None if trained else op
        if op.type not in BEHIND_WEIGHTS or len(taken) != 1 or not tensor.dtype.is_floating:
            return op
        if op.type == "RealDiv" and taken[0].ref() != op.inputs[0].ref():
            return op
        (tensor,) = taken
    return None if tensor is x else tensor.op


def _is_trained(tensor):
    """Whether an operand is made of a variable: a fixed matrix may stand behind a softmax, too."""
    todo, seen = [tensor], set()
    while todo:
        op = todo.pop().op
        if op.type in ("Placeholder", "ReadVariableOp", "ResourceGather"):
            return True
        if op not in seen:
            seen.add(op)
            todo += op.inputs
    return False


CATEGORICAL = {
    "categoricalcrossentropy",
    "sparsecategoricalcrossentropy",
    "categoricalfocalcrossentropy",
}
BINARY = {"binarycrossentropy", "binaryfocalcrossentropy"}


def _trained_as(model, units):
    """Kind of a linear output, and why it has no logits, by the loss it was compiled with."""
    losses = [loss for loss in keras.tree.flatten(getattr(model, "loss", None)) if loss is not None]
    if not losses:
        return (Kind.NUMBER if units == 1 else Kind.SOFTMAX), ""
    loss = keras.losses.get(losses[0])
    options = {**getattr(loss, "__dict__", {}), **(getattr(loss, "keywords", None) or {})}
    names = [kind.__name__ for kind in type(loss).__mro__]
    names.append(getattr(getattr(loss, "func", loss), "__name__", ""))
    plain = {name.lower().replace("_", "") for name in names}
    if options.get("from_logits") and len(losses) == 1:
        if plain & BINARY:
            return Kind.SIGMOID, ""
        if plain & CATEGORICAL and units != 1:
            return Kind.SOFTMAX, ""
    return Kind.OTHER, (
        f"it was compiled with {names[-1] or names[0]}, which does not say that they are logits"
    )


def values(model, found, score):
    """What a head says in this score, float32, of the output's shape; (N,) becomes (N, 1)."""
    if score == EITHER:
        score = "output" if found.logits is None else "logit"
    if score == "output":
        said = tf.cast(found.output, tf.float32)
    elif found.logits is None:
        raise ValueError(
            f"{model.name!r} has no {score} that could be told: {found.why}. Ask for "
            "score='output', the numbers of the model as they are."
        )
    elif score == "logit":
        said = found.logits
    elif found.kind is Kind.NUMBER:
        raise ValueError(
            f"{model.name!r} gives one number, and whether that is the logit of a sigmoid is not "
            "known: compile it with its loss, or end it in a sigmoid; or ask for score='output'."
        )
    else:
        activate = tf.nn.softmax if found.kind is Kind.SOFTMAX else tf.sigmoid
        said = tf.cast(found.output, tf.float32) if found.activated else activate(found.logits)
    return said[:, None] if said.shape.rank == 1 else said


def pick(said, target, score="logit"):
    """(N,): scores of classes, an int or (N,), or what a function `target` makes of all.

    A single unit is class 1; class 0 is its opposite.
    """
    if callable(target):
        return given(target, said)
    target = tf.broadcast_to(tf.cast(target, tf.int32), tf.shape(said)[:1])
    if said.shape[-1] == 1:
        opposite = 1 - said if score == "probability" else -said
        said = tf.concat([opposite, said], 1)
    return tf.gather(said, target, batch_dims=1)


def middle(found, score):
    """Where a single sigmoid changes sides: in a logit at 0, in a probability at a half."""
    return 0.5 if score == "probability" or (score == "output" and found.activated) else 0.0


def largest(said, kind, middle):
    """(N,): each image's arg-max; of a single unit the side that it is on, of a number 1."""
    if said.shape[-1] > 1:
        return tf.argmax(said, -1, tf.int32)
    if kind is not Kind.SIGMOID:
        return tf.ones_like(said[:, 0], tf.int32)
    return tf.cast(said[:, 0] > middle, tf.int32)


def log_odds(said, kind, target):
    """(N,): log(p / (1 - p)) of the classes, from logits."""
    one = pick(said, target)
    if kind is not Kind.SOFTMAX:  # a sigmoid's logit is its log-odds
        return one
    others = tf.where(tf.one_hot(target, said.shape[1]) > 0, said.dtype.min, said)
    return one - tf.reduce_logsumexp(others, 1)


def both_sides(p):
    """(N, K) probabilities, also where K = 2 classes share one sigmoid, that of class 1."""
    return np.hstack([1 - p, p]) if p.shape[1] == 1 else p


def check_classes(shape):
    if len(shape) != 1:
        said = "".join(f", {s or '?'}" for s in shape) or ","
        raise ValueError(
            f"An output of shape (N{said}) has no classes: give a function from it to one "
            "number per image for a target, or a layer and a unit."
        )


def check_target(target, shape, n):
    """(n,) class numbers of an output (K,), -1 for None; a function as it is."""
    if callable(target):
        return target
    check_classes(shape)
    if target is None:
        return np.full(n, -1, "int32")
    try:
        numbers = np.asarray(target)
    except Exception:  # ragged, or what a stranger's __array__ may raise
        numbers = np.asarray(None)
    last = max(shape[0], 2) - 1  # a single unit speaks for two classes
    if not np.issubdtype(numbers.dtype, np.integer) or numbers.shape not in ((), (n,)):
        raise ValueError(
            f"target is None, a class number, {n} class numbers (one per image) or a function, "
            f"not {quoted(target)}."
        )
    if numbers.min() < 0 or numbers.max() > last:
        wrong = numbers.min() if numbers.min() < 0 else numbers.max()
        raise ValueError(f"target is a class number from 0 to {last}, not {wrong}.")
    return np.broadcast_to(numbers, n).astype("int32")


def given(target, said):
    """(N,): the score that a function of the user's makes of what is said, (N, ...)."""
    if isinstance(target, type):
        raise ValueError(f"target is a class number or a function, not {quoted(target)}.")
    value = target(said)
    if not tf.is_tensor(value) or value.shape != said.shape[:1]:
        got = f"shape {value.shape}" if tf.is_tensor(value) else type(value).__name__
        raise ValueError(
            f"A target function returns a TensorFlow tensor of shape (N,), not {got}; it takes "
            "logits (N, K), the output where there are none, or that of a named layer."
        )
    if not np.isfinite(value).all():
        raise ValueError("The target function gives NaN or infinite values.")
    return value


def check_takes_one(target, said):
    """Raise unless a function takes what is said of one image alone, (1, ...)."""
    try:
        given(target, tf.constant(said))
    except Exception as error:
        raise ValueError(
            "A target function is called on batches of any size, of copies of one image for "
            "instance, so it cannot hold something for each image: give class numbers, or call the "
            f"method image by image ({str(error).splitlines()[0][:120]})."
        ) from error


def slopes(target, said):
    """The derivative of a function `target` by what is said, of its shape."""
    said = tf.constant(said)
    with tf.GradientTape() as tape:
        tape.watch(said)
        value = given(target, said)
    gradient = tape.gradient(value, said)
    if gradient is None:
        raise ValueError(
            "The target function's value does not depend on what it is given: compute it from that "
            "with TensorFlow."
        )
    return tf.convert_to_tensor(gradient).numpy()

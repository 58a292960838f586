"""Compiled functions of a model, cached with it: made once for a question, gone with the model.

The model is traced as it is, nothing is cloned. An inner tensor is captured by wrapping
`layer.call` while the trace is made. This is what works alike for functional, Sequential, nested
and subclassed models.
"""

import enum
import re
import threading
import weakref
from collections import OrderedDict
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from .. import keras_internals
from ..models import find_layer
from . import head, inputs, relu, sight, structure
from .structure import Implied
from .walk import back, before, dependents, layer_of
from .windows import WEIGHTED, axes, sees


class Of(enum.Enum):
    """What is differentiated, and the choice that the compiled function takes with the images."""

    CLASS = "the score of a class: (N,) class numbers, -1 for the arg-max"
    LOG_ODDS = "log(p / (1 - p)) of a class: (N,) class numbers"
    WEIGHTED = "a weighted sum of what is said: (N, ...) weights"
    UNIT = "an activation: (N, 3) row, column, channel; row -1 where the channel is largest"


CHOICES = {
    Of.CLASS: tf.TensorSpec((None,), tf.int32),
    Of.LOG_ODDS: tf.TensorSpec((None,), tf.int32),
    Of.WEIGHTED: tf.TensorSpec(None),
    Of.UNIT: tf.TensorSpec((None, 3), tf.int32),
}


class Trace(NamedTuple):
    """A compiled function and what is known of its tensors."""

    run: object  # tf.types.experimental.ConcreteFunction
    start: tuple  # shape of what is run to or differentiated, without the batch; None where open
    kind: head.Kind | None  # of the output, where it was looked at
    middle: float  # where a single unit changes sides
    batch: int | None  # of models that take batches of one size only
    scaled: bool | None  # a gradient that wants a factor for the score: half precision
    fits: list  # (H, W) that an open trace is known to take, and all that is larger
    named: bool  # whether it is of a layer that was named
    used: list  # with how many images at a time what it says was checked


SIZES = 8  # sizes of images of which a model's traces are kept
# model -> (fingerprint, {key: what was made}); keys begin with the size. A concrete function holds
# the variables, not the model, so a model can go.
_cache = weakref.WeakKeyDictionary()
lock = threading.RLock()


def cached(model, shape, key, make):
    """What `make` gave for this model, shape of images and key.

    It is made again when the model was changed since, and is gone with the model.
    """
    with lock:
        state = keras_internals.fingerprint(model)
        known, sizes = _cache.get(model, (None, None))
        if known != state:
            sizes = OrderedDict()
        made = sizes.setdefault(shape, {})
        sizes.move_to_end(shape)
        if key not in made:
            made[key] = make()
            state = keras_internals.fingerprint(model)  # a call may leave its marks on layers
        while len(sizes) > SIZES:
            sizes.popitem(last=False)
        _cache[model] = state, sizes
        return made[key]


def compiled(model, shape, *, rule="plain", layer=None, at=None, score="logit", of=None):
    """The compiled function for images of `shape`, (H, W, C).

    Without `of` it runs forward, to `layer` or to what the model says in a `score`. With it, it
    gives the gradient of what is named, by the images or by the output of `at`, which comes after
    the gradient then; and last what is differentiated, (N,).
    """
    inputs.check_takes_images(model)
    if not tf.executing_eagerly():
        raise ValueError("Methods compute at once: call them outside tf.function and tf.Graph.")
    layer, at = (
        name if name is None or isinstance(name, Implied) else find_layer(model, name)
        for name in (layer, at)
    )
    named = (n if n is None or isinstance(n, Implied) else id(n) for n in (layer, at))
    key = rule, *named, score, of
    want = inputs.input_shape(model) or (None, *shape)
    open_shape = tuple(None if w is None else s for w, s in zip(want[1:], shape))
    spec = tf.TensorSpec((want[0], *(shape if inputs.input_shape(model) is None else open_shape)))
    found = cached(
        model, tuple(spec.shape[1:]), key, lambda: _make(model, spec, rule, layer, at, score, of)
    )
    size = shape[:2]
    if None in open_shape and not any(h <= size[0] and w <= size[1] for h, w in found.fits):
        sight.check_fits(found.run, size)
        found.fits.append(size)
    return found


def _make(model, spec, rule, layer, at, score, of):
    inputs.check_channels_last(model)
    signature = [spec] + ([CHOICES[of], tf.TensorSpec(())] if of else [])
    known = {}

    @tf.function(input_signature=signature, autograph=False)
    def function(x, choice=None, factor=None):
        inner = {name for name in (layer, at) if name is not None and not isinstance(name, Implied)}
        with relu.ruled(rule), keras_internals.captured(inner) as calls:
            said = _called(model, x)
        found = None

        def tensor_of(name):
            nonlocal found
            if name is not None and not isinstance(name, Implied):
                made = [call.output for call in calls if call.layer is name]
                return _captured(model, x, made, name)
            if found is None:
                found = head.read(model, x, _single(model, said))
                known["kind"], known["middle"] = found.kind, head.middle(found, score)
            if name is None:
                return head.values(model, found, score)
            return structure.find(name, model, x, found)

        for op in x.graph.get_operations():
            relu.keep_slope(op)
        start = tensor_of(layer)
        known["ends"] = x, start
        if of is None:
            return [start]
        source = x if at is None else tensor_of(at)
        if rule != "plain":
            ends = layer is None and found.logits is not None  # a last softmax is exempt
            relu.check_defined(rule, source, found.logits if ends else start, model)
        value = tf.cast(_value(start, choice, of, score, found), tf.float32)  # (N,)
        (gradient,) = tf.gradients(value * factor, source)
        if gradient is None:
            given = keras_internals.inputs(model)
            if given and "int" in given[0].dtype:
                raise ValueError(
                    f"{model.name!r} takes {given[0].dtype} numbers, and there is no gradient by "
                    "those: ask a copy that takes floats, made by keras.models.clone_model(model, "
                    f"input_tensors=keras.Input({tuple(given[0].shape[1:])})), with its weights."
                )
            where = "the images, as far as gradients go" if at is None else f"layer {at.name!r}"
            raise ValueError(
                f"The score does not depend on {where}: choose a layer on the way to it."
            )
        gradient = tf.convert_to_tensor(gradient)  # of tf.gather it comes in slices
        return [gradient, value] if at is None else [gradient, source, value]

    run = function.get_concrete_function()
    x, start = known["ends"]
    _check_changes_nothing(model, run.graph)
    halves = _check_answer(model, x, start)
    kind, middle, shape = known.get("kind"), known.get("middle", 0.0), tuple(start.shape[1:])
    named = layer is not None and not isinstance(layer, Implied)
    halves = halves if of else None
    return Trace(run, shape, kind, middle, spec.shape[0], halves, [], named, [])


def _check_changes_nothing(model, graph):
    for op in graph.get_operations():
        # What only counts calls, as the seeds of augmentation do, is a whole number.
        changes = op.type.startswith(("Assign", "ResourceScatter"))
        if changes and not op.inputs[-1].dtype.is_integer:
            raise ValueError(
                f"{model.name!r} changes its weights when it is called ({layer_of(op, model)}), "
                "though not in training: call what does so with training=False."
            )


def _check_answer(model, x, start):
    """Raise where it does not depend on the image alone; whether any of it is in half precision."""
    mixed, ops = [], before(start)
    for op in ops:
        if any(word in op.type for word in ("Random", "Multinomial", "TruncatedNormal")):
            raise ValueError(
                f"{model.name!r} draws random numbers when it is called ({layer_of(op, model)}), "
                "though not in training, so no two answers are alike: build it so that it does not."
            )
        turned = op.type == "Transpose" and back(op.inputs[0], ("Cast", "Identity"), {x.ref()}) is x
        if turned and np.array_equal(tf.get_static_value(op.inputs[1]), (0, 2, 3, 1)):
            raise ValueError(inputs.CHANNELS_FIRST.format(model.name, inputs.written(x.shape)))
        if sees(op) == "mix" and op.type not in WEIGHTED and len(op.inputs) < 3:
            (taken, *_) = op.inputs
            # no axis of stacked branches, and of a batch that holds more than one image
            batch = taken.shape.rank and taken.shape[0] == x.shape[0] != 1
            if batch and 0 in (axes(op) or ()):
                mixed.append(op)
    depends = dependents(x) if mixed else ()
    for op in mixed:
        if op.inputs[0].ref() in depends:
            raise ValueError(
                f"{model.name!r} mixes the images of a batch ({layer_of(op, model)}), so what it "
                "predicts of one depends on the others: build it so that it does not."
            )
    return any(t.dtype == tf.float16 for op in ops for t in op.outputs)


def _called(model, x):
    """All outputs of the model for images."""
    try:
        return keras_internals.call(model, x)
    except Exception as error:  # what a stranger's call, or a layer in it, may raise
        lines = re.sub(r"\x1b\[\d+m", "", str(error)).splitlines()  # bold, in Keras's sentences
        told = [line for line in lines if line and "encountered when" not in line]
        raise ValueError(
            f"{model.name!r} cannot be called on a batch of images {inputs.written(x.shape)}, and "
            "methods give it nothing else. Its own call says: "
            f"{told[0].split('. ')[0][:160] if told else type(error).__name__}."
        ) from error


def _single(model, outputs):
    """The output, if there is one."""
    if len(outputs) == 1:
        return outputs[0]
    last = [t._keras_history.operation.name for t in getattr(model, "outputs", None) or ()]
    how = (
        f"keras.Model(model.input, model.outputs[0]); they are of {', '.join(map(repr, last))}"
        if last
        else "a keras.Model whose call returns that one"
    )
    raise ValueError(
        f"{model.name!r} has {len(outputs)} outputs: choose the one whose score is meant, as in "
        f"{how}."
    )


def _captured(model, x, outputs, layer):
    """The one tensor that a layer gave."""
    if not outputs or getattr(outputs[0], "graph", x.graph) is not x.graph:
        hidden = outputs or any("PartitionedCall" in op.type for op in x.graph.get_operations())
        why = "is called inside a tf.function" if hidden else "is not used when the model is called"
        raise ValueError(f"Layer {layer.name!r} {why}: choose another.")
    if len(outputs) > 1:
        takers = dict.fromkeys(
            layer_of(op, model) for t in outputs if tf.is_tensor(t) for op in t.consumers()
        )
        raise ValueError(
            f"Layer {layer.name!r} is called {len(outputs)} times, and which output is meant "
            "cannot be told: name a layer that takes the one you mean, "
            f"{', '.join(map(repr, takers))}."
        )
    (output,) = outputs
    if not tf.is_tensor(output):
        raise ValueError(
            f"Layer {layer.name!r} gives several tensors: choose a layer that gives one."
        )
    return output


def _value(start, choice, of, score, found):
    """(N,): what is differentiated."""
    if of is Of.UNIT:
        return _unit(start, choice)
    if of is Of.WEIGHTED:
        weights = tf.ensure_shape(tf.cast(choice, start.dtype), start.shape)
        return tf.reduce_sum(start * weights, range(1, start.shape.rank))
    head.check_classes(start.shape[1:])
    if of is Of.LOG_ODDS:
        return head.log_odds(start, found.kind, choice)
    predicted = head.largest(start, found.kind, head.middle(found, score))
    chosen = tf.where(choice < 0, predicted, choice)
    return head.pick(start, chosen, score)


def _unit(maps, position):
    """(N,): the activation at (row, column, channel); row -1: where the channel is largest."""
    columns = tf.shape(maps)[2] if maps.shape.rank == 4 else 1
    flat = tf.reshape(maps, (tf.shape(maps)[0], -1, maps.shape[-1]))
    channel = tf.gather(flat, position[:, 2], axis=2, batch_dims=1)
    given = position[:, 0] * columns + position[:, 1]
    where = tf.where(position[:, 0] < 0, tf.argmax(channel, 1, tf.int32), given)
    return tf.gather(channel, where, batch_dims=1)

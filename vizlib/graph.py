"""The engine: one compiled function per (model, ReLU rule, layer) gives logits, inner activations and gradients.

The model is traced as it is, nothing is cloned. A ReLU rule is a gradient registered for the ReLU operations of that trace
(`gradient_override_map`); an inner tensor is noted by wrapping `layer.call` while the trace is made. This is what works alike
for functional, Sequential, nested and subclassed models.
"""

import contextlib
import threading
import weakref
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from .models import find_layer, inner_layers

# ---- ReLU rules ----------------------------------------------------------------------------------------------------


def _true(op, dy):
    """A ReLU's true gradient, in one operation: products with a gate would take a third of a pass."""
    if op.type == "LeakyRelu":
        return tf.raw_ops.LeakyReluGrad(
            gradients=dy, features=op.inputs[0], alpha=op.get_attr("alpha")
        )
    return (tf.raw_ops.Relu6Grad if op.type == "Relu6" else tf.raw_ops.ReluGrad)(
        gradients=dy, features=op.outputs[0]
    )


RULES = {
    "plain": None,
    "guided": lambda op, dy: _true(op, tf.nn.relu(dy)),  # Springenberg et al. 2015, figure 1
    "deconvnet": lambda op, dy: tf.nn.relu(dy),  # Zeiler and Fergus 2014, section 2.1
}
GATES = ("Relu", "Relu6", "LeakyRelu")

for _rule in ("guided", "deconvnet"):
    with contextlib.suppress(KeyError):  # registered already: the module was reloaded
        tf.RegisterGradient(f"vizlib_{_rule}")(RULES[_rule])

# Between two of these, and nowhere else, a ReLU rule means what its paper says.
LINEAR = set(
    "Add AddN AddV2 AvgPool BatchToSpaceND BiasAdd Cast ConcatV2 DepthToSpace ExpandDims FusedBatchNormV3 Identity Max MaxPool "
    "MaxPoolV2 Mean MirrorPad Pack Pad PadV2 Reshape ResizeBilinear ResizeNearestNeighbor SpaceToBatchND Split SplitV Squeeze "
    "StridedSlice Sum Transpose".split()
)
# Linear in one input as long as the picture has no way into the other: a weight, a mean, a scale.
LINEAR_IN_ONE = set(
    "BatchMatMulV2 Conv2D Conv2DBackpropInput DepthwiseConv2dNative Einsum MatMul Mul RealDiv Sub".split()
)
WEIGHTED = LINEAR_IN_ONE - {"Mul", "RealDiv", "Sub"}


def _path(source, start):
    """The operations by which `source` reaches `start`, and the floating tensors that depend on `source`."""
    depends, todo = {source.ref()}, [source]
    while todo:
        for op in todo.pop().consumers():
            new = [t for t in op.outputs if t.dtype.is_floating and t.ref() not in depends]
            depends.update(t.ref() for t in new)
            todo += new
    ops, todo = set(), [start]
    while todo:
        tensor = todo.pop()
        if tensor.ref() in depends and tensor is not source and tensor.op not in ops:
            ops.add(tensor.op)
            todo += tensor.op.inputs
    return ops, depends


def _refuse_what_the_rule_does_not_know(rule, source, start, names):
    """Raise unless ReLUs stand only between linear operations from `source` to `start`, and there is at least one."""
    ops, depends = _path(source, start)
    strange = []
    for op in ops:
        inputs = [t.ref() in depends for t in op.inputs]
        one = (
            op.type in LINEAR_IN_ONE
            and sum(inputs) == 1
            and not (op.type == "RealDiv" and inputs[1])
        )
        if op.type not in LINEAR and op.type not in GATES and not one:
            strange.append(f"{_layer_of(op, names)} ({op.type})")
    if strange:
        shown = ", ".join(sorted(set(strange))[:5])
        raise ValueError(
            f"The {rule} rule is defined for networks of linear layers and ReLUs; it is not for {shown}. Use the plain gradient."
        )
    if not any(op.type in GATES for op in ops):
        raise ValueError(
            f"The {rule} rule would change nothing: there is no ReLU between the pictures and the score. Use the plain gradient."
        )


def _layer_of(op, names):
    """The layer an operation belongs to: the last part of its scope that is a layer's name (Keras may append a number)."""
    for part in reversed(op.name.split("/")):
        for name in (part.rpartition("_")[0], part):
            if name in names:
                return name
    return op.name


BELOW = object()  # in place of a layer's name: the one below the classifier
LAST = object()  # the last feature map
POOLED = (
    object()
)  # the map that global average pooling takes, where nothing but one dense layer follows
IMPLIED = BELOW, LAST, POOLED
LOG_ODDS = (
    object()
)  # in place of a score's name: log(p / (1 - p)) of a class that is named, for attacks


# ---- the trace -----------------------------------------------------------------------------------------------------


class Trace(NamedTuple):
    """A compiled function and what is known of its tensors."""

    run: object  # tf.types.experimental.ConcreteFunction
    start: tuple  # shape of what is differentiated, without the batch: (K,) logits or an inner map


_lock = threading.RLock()
# model -> (fingerprint, {key: Trace}). A concrete function holds the variables, not the model, so a model can go.
_traces = weakref.WeakKeyDictionary()


def _fingerprint(model):
    """Changes when a layer, an activation or a variable is replaced; a trace that is older than that would lie."""
    layers = [model, *inner_layers(model)]
    return (
        tuple(weakref.ref(layer) for layer in layers),
        tuple(id(getattr(layer, "activation", None)) for layer in layers),
        tuple(id(v.value.handle) for v in model.variables),
    )


def _trace(model, shape, *, rule="plain", layer=None, at=None, score=None):
    """The compiled function for pictures of `shape`.

    ``score=None`` runs forward: the logits and probabilities, or the activations of `layer`. Otherwise it gives the gradient
    of a score of each picture by the pictures, or by the activations `at` a layer, which come after it. "logit",
    "probability" and LOG_ODDS take the class (-1: the arg-max, but not of LOG_ODDS); "given" takes a weight per logit; "unit"
    takes (row, column, channel) of `layer` (row -1: where the channel is largest). The layer `BELOW` is what the classifier takes.
    """
    layer, at = (
        name if name in (None, *IMPLIED) else find_layer(model, name) for name in (layer, at)
    )
    key = shape, rule, id(layer), id(at), score
    return kept(model, shape, key, lambda: _make(model, shape, rule, layer, at, score))


def kept(model, shape, key, make):
    """What `make` gave for this model and key; made again when the model was changed since, and gone with the model."""
    with _lock:
        if not model.built:
            model(tf.zeros((1, *shape)), training=False)
        fingerprint = _fingerprint(model)
        known, traces = _traces.get(model, (None, None))
        if known != fingerprint:
            traces = {}
            _traces[model] = fingerprint, traces
        if key not in traces:
            traces[key] = make()
        return traces[key]


def _make(model, shape, rule, layer, at, score):
    signature = [tf.TensorSpec((None, *shape), tf.float32)]
    if score is not None:
        signature.append(
            {"given": tf.TensorSpec((None, None)), "unit": tf.TensorSpec((None, 3), tf.int32)}.get(
                score, tf.TensorSpec((None,), tf.int32)
            )
        )
    shape_of_start = []

    @tf.function(input_signature=signature, autograph=False)
    def function(x, choice=None):
        graph = tf.compat.v1.get_default_graph()
        override = {op: f"vizlib_{rule}" for op in GATES if rule != "plain"}
        with graph.gradient_override_map(override), _noted({layer, at} - {None, *IMPLIED}) as seen:
            output = _call(model, x)
        logits, probabilities = _head(output)
        implied = {
            BELOW: lambda: _below(logits),
            LAST: lambda: _last_map(x, logits),
            POOLED: lambda: _pooled(logits),
        }
        start, source = (
            other if name is None else implied[name]() if name in implied else _found(seen, name)
            for name, other in ((layer, logits), (at, x))
        )
        shape_of_start[:] = start.shape[1:]
        if score is None:
            return [logits, probabilities] if layer is None else [start]
        if rule != "plain":
            names = {inner.name for inner in inner_layers(model)}
            _refuse_what_the_rule_does_not_know(rule, source, start, names)
        if score == "unit":
            value = _unit(start, choice)
        elif score == "given":
            value = tf.reduce_sum(start * tf.cast(choice, start.dtype), -1)
        else:
            value = _class(probabilities if score == "probability" else logits, choice, score)
            if score is LOG_ODDS and _exclusive(probabilities):  # a sigmoid's logit is its log-odds
                others = tf.where(tf.one_hot(choice, logits.shape[1]) > 0, -np.inf, logits)
                value -= tf.reduce_logsumexp(others, 1)
        (gradient,) = tf.gradients(value, source)
        if gradient is None:
            what = (
                f"layer {at.name!r}"
                if at not in (None, *IMPLIED)
                else "the pictures, as far as gradients go"
            )
            raise ValueError(
                f"The score does not depend on {what}: choose a layer on the way to it."
            )
        return [gradient] if at is None else [gradient, source]

    return Trace(function.get_concrete_function(), tuple(shape_of_start))


@contextlib.contextmanager
def _noted(layers):
    """Within, each layer's last output is noted in the dictionary given; the layers are as before afterwards."""
    seen, before = {}, {layer: layer.__dict__.get("call") for layer in layers}

    def noting(layer, call):
        def noted(*args, **kwargs):
            seen[layer] = call(*args, **kwargs)
            return seen[layer]

        return noted

    try:
        for layer in layers:
            layer.__dict__["call"] = noting(
                layer, layer.call
            )  # not setattr: Keras tracks what is set on a layer
        yield seen
    finally:
        for layer, call in before.items():
            layer.__dict__.pop("call", None)
            if call is not None:
                layer.__dict__["call"] = call


def _found(seen, layer):
    if layer not in seen:
        raise ValueError(
            f"Layer {layer.name!r} is not used when the model is called: choose another."
        )
    if not tf.is_tensor(seen[layer]):
        raise ValueError(
            f"Layer {layer.name!r} gives several tensors: choose a layer that gives one."
        )
    return seen[layer]


def _call(model, x):
    """The model's single output for its single input."""
    structure = getattr(
        model, "_inputs_struct", None
    )  # a functional model wants the structure it was built with
    if structure is not None and len(keras.tree.flatten(structure)) != 1:
        raise ValueError(
            f"{model.name!r} has {len(keras.tree.flatten(structure))} inputs: give a model of one input."
        )
    outputs = keras.tree.flatten(
        model(
            x if structure is None else keras.tree.pack_sequence_as(structure, [x]), training=False
        )
    )
    if len(outputs) != 1 or outputs[0].shape.rank != 2:
        shapes = ", ".join(str(tuple(o.shape)) for o in outputs)
        raise ValueError(
            f"{model.name!r} gives {shapes}: give a classifier with one output of shape (N, classes)."
        )
    return outputs[0]


def _head(output):
    """Logits and probabilities."""
    op = output.op
    while op.type in ("Identity", "Cast"):
        op = op.inputs[0].op
    if op.type in ("Softmax", "Sigmoid"):
        return op.inputs[0], output
    todo = [output]
    while todo:  # back to the last layer with weights: what was normalised there is no logit
        op = todo.pop().op
        if op.type == "Softmax":
            raise ValueError(
                f"The model's output is made by {output.op.type} from a softmax ({op.name}): its logits cannot be told. "
                "End the model with the softmax, or without one."
            )
        if op.type not in WEIGHTED:
            todo += [t for t in op.inputs if t.dtype.is_floating]
    if output.shape[-1] == 1:
        return output, tf.sigmoid(output)
    return output, tf.nn.softmax(output)


def _exclusive(probabilities):
    """Whether the classes exclude each other: their probabilities come from a softmax, not from sigmoids."""
    op = probabilities.op
    while op.type in ("Identity", "Cast"):
        op = op.inputs[0].op
    return op.type == "Softmax"


def _below(logits):
    """What the last operation with weights takes."""
    op = logits.op
    while op.type not in WEIGHTED:
        op = op.inputs[0].op
    below = op.inputs[0]
    while below.op.type in ("Reshape", "Identity", "Squeeze"):
        below = below.op.inputs[0]
    return below


POOLING = "AvgPool MaxPool Mean Max Identity Pad PadV2 Reshape Squeeze ExpandDims Transpose".split()


def _last_map(picture, logits):
    """The last feature map on the way to the logits: what the last pooling or flattening takes."""
    ops, _ = _path(picture, logits)
    maps, sizes, last = {picture.ref()}, [picture.shape[1:3]], None
    for op in picture.graph.get_operations():  # in the order of use
        shape = op.outputs[0].shape if op in ops else tf.TensorShape(None)
        # made of a map or of the size of one: the tensors (N, tokens, heads, C) inside attention are neither
        if shape.rank == 4 and (shape[1:3] in sizes or any(t.ref() in maps for t in op.inputs)):
            maps.update(t.ref() for t in op.outputs)
            sizes.append(shape[1:3])
            if op.type not in POOLING and shape[1:3].num_elements() != 1:  # 1 x 1: pooled before
                last = op.outputs[0]
    if last is None:
        raise ValueError(
            "There is no feature map between the pictures and the score: name a layer that gives one."
        )
    return last


def _pooled(logits):
    """What global average pooling takes, if the logits are a dense layer of it."""
    op = logits.op
    while op.type in ("BiasAdd", "Add", "AddV2", "Identity", "Cast"):
        op = op.inputs[0].op
    mean = _below(logits).op
    while mean.type == "Cast":
        mean = mean.inputs[0].op
    axes = (
        tf.get_static_value(mean.inputs[1])
        if mean.type == "Mean" and mean.inputs[0].shape.rank == 4
        else None
    )
    if op.type != "MatMul" or axes is None or sorted(np.ravel(axes) % 4) != [1, 2]:
        raise ValueError(
            "CAM is defined for networks that end in global average pooling and one dense layer, and this one does not: "
            "use grad_cam, or put GlobalAveragePooling2D and a Dense layer of your own behind its last map."
        )
    return mean.inputs[0]


def _class(values, target, score):
    """(N,): the value of class `target` (-1: the largest). A single unit is class 1; class 0 is its opposite."""
    if values.shape[-1] == 1:
        one = values[:, 0]
        zero, middle = (1 - one, 0.5) if score == "probability" else (-one, 0.0)
        return tf.where(tf.where(target < 0, one > middle, target == 1), one, zero)
    largest = tf.argmax(values, -1, tf.int32)
    return tf.gather(values, tf.where(target < 0, largest, target), batch_dims=1)


def _unit(maps, place):
    """(N,): the activation at (row, column, channel); row -1: where the channel is largest."""
    columns = maps.shape[2] if maps.shape.rank == 4 else 1
    flat = tf.reshape(maps, (tf.shape(maps)[0], -1, maps.shape[-1]))
    channel = tf.gather(flat, place[:, 2], axis=2, batch_dims=1)
    where = tf.where(
        place[:, 0] < 0, tf.argmax(channel, 1, tf.int32), place[:, 0] * columns + place[:, 1]
    )
    return tf.gather(channel, where, batch_dims=1)


# ---- what methods call ---------------------------------------------------------------------------------------------


def check_images(model, images):
    """The pictures as float32 (N, H, W, C), or one sentence that says what is wrong with them."""
    images = np.asarray(images)
    if images.dtype == np.uint8:
        raise ValueError(
            "These pictures are uint8, so not preprocessed: give net.preprocess(pictures), in model-input space."
        )
    if not np.issubdtype(images.dtype, np.number) or np.iscomplexobj(images):
        raise ValueError(
            f"Pictures are numbers of shape (N, H, W, C), not an array of {images.dtype}."
        )
    if images.ndim == 3:
        raise ValueError(
            f"Pictures come in a batch: give images[None], of shape {(1, *images.shape)}, instead of {images.shape}."
        )
    if images.ndim != 4 or 0 in images.shape:
        raise ValueError(
            f"Pictures have the shape (N, H, W, C) with N at least 1, not {images.shape}."
        )
    want = getattr(model, "input_shape", None) if model.built else None
    if (
        isinstance(want, tuple)
        and len(want) == 4
        and any(w not in (None, h) for w, h in zip(want[1:], images.shape[1:]))
    ):
        raise ValueError(
            f"{model.name!r} takes pictures of shape {want[1:]}, not {images.shape[1:]}: fit them with photos.fit or size=."
        )
    images = images.astype("float32", copy=False)
    if not np.isfinite(images).all():
        raise ValueError(
            "The pictures hold NaN or infinite values: look for a division by zero where they were made."
        )
    return images


def check_count(value, name):
    if not isinstance(value, int | np.integer) or value < 1:
        raise ValueError(f"{name} is a whole number of at least 1, not {value!r}.")


def canvas(value, shape, name):
    """A number, a colour (C,) or a picture, as a picture of `shape` (H, W, C)."""
    if isinstance(value, str) or np.shape(value) not in ((), shape[-1:], shape):
        raise ValueError(
            f"{name} is a number, a colour {shape[-1:]} or a picture {shape}, in model-input space, "
            f"not {repr(value) if isinstance(value, str) else np.shape(value)}."
        )
    return np.broadcast_to(np.asarray(value, "float32"), shape)


def cover(image, fill, blur):
    """The picture (H, W, C) that takes the place of what is covered: canvas's, the mean pixel, or behind a Gaussian of `blur` pixels."""
    if isinstance(fill, str) and fill == "blur":
        from skimage.filters import gaussian

        return gaussian(image, blur, channel_axis=-1, mode="nearest", preserve_range=True)
    if isinstance(fill, str) and fill == "mean":
        fill = image.mean((0, 1))
    return canvas(fill, image.shape, "fill, if not 'mean' or 'blur',")


def _batches(run, images, *choices, batch_size, then=None):
    """Call `run` on batches of equally long arrays; the results, or the one that `then` makes of them, each in one array."""
    check_count(batch_size, "batch_size")
    results = None
    for i in range(0, len(images), batch_size):
        part = slice(i, i + batch_size)
        found = [
            t.numpy().astype("float32", copy=False)
            for t in run(*(tf.constant(a[part]) for a in (images, *choices)))
        ]
        found = found if then is None else [then(*found)]
        if len(images) <= batch_size:
            return found
        if results is None:
            results = [np.empty((len(images), *f.shape[1:]), "float32") for f in found]
        for result, f in zip(results, found):
            result[part] = f
    return results


def bar(steps, progress, total=None):
    """The steps, with a progress bar if asked for."""
    if not progress:
        return steps
    from tqdm.auto import tqdm

    return tqdm(steps, total=total)


def stream(model, data, *, batch_size=32, progress=False):
    """Checked batches (n, H, W, C), float32, of an array, a `tf.data.Dataset` or any iterable of batches, in order."""
    if isinstance(data, np.ndarray | tf.Tensor):
        data = check_images(model, data)
        data = [data[i : i + batch_size] for i in range(0, len(data), batch_size)]
    shape = None
    for batch in bar(data, progress, len(data) if hasattr(data, "__len__") else None):
        if isinstance(batch, tuple | list | dict):
            raise ValueError(
                "The data yields more than pictures: drop the labels, as in data.map(lambda x, y: x)."
            )
        batch = check_images(model, batch)
        if shape not in (None, batch.shape[1:]):
            raise ValueError(
                f"The data holds pictures of {shape} and of {batch.shape[1:]}: fit them to one size with photos.fit."
            )
        shape = batch.shape[1:]
        yield batch
    if shape is None:
        raise ValueError("The data is empty: give at least one picture.")


def forward(model, images, layer=None, *, batch_size=32):
    """[logits (N, K), probabilities (N, K)], or [activations of `layer`], which may be BELOW."""
    images = check_images(model, images)
    return _batches(_trace(model, images.shape[1:], layer=layer).run, images, batch_size=batch_size)


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
    batch_size=32,
    then=None,
):
    """The gradient of each picture's score; with `at`, also the activations that it was taken of.

    Parameters
    ----------
    model : keras.Model
    images : array, (N, H, W, C), in model-input space
    target : None, int, (N,) ints or callable
        The class whose score it is (None: each picture's arg-max), or a function from logits (N, K) to scores (N,).
    relu : {"plain", "guided", "deconvnet"}
    layer, unit : str, int or (row, column, channel)
        Instead of a class: this unit of this layer; an int is a channel, taken where it is largest in each picture.
    at : str, optional
        Differentiate with respect to this layer's output instead of the pictures.
    score : {"logit", "probability"} or LOG_ODDS
    then : callable, optional
        What to keep, where both are large: from a batch's gradient and value to one array (n, ...).

    Returns
    -------
    [gradient], (N, H, W, C); or [gradient, activations], of the shape of the output of `at`, (N, ...); or [array], of `then`

    Raises
    ------
    ValueError
        Bad pictures, unknown layer, class, unit or rule, or a network for which the ReLU rule is not defined.
    """
    images = check_images(model, images)
    if relu not in RULES:
        raise ValueError(f"relu is one of {', '.join(map(repr, RULES))}, not {relu!r}.")
    if score is not LOG_ODDS:
        _check_score(score)
    if (layer is None) != (unit is None) or (unit is not None and target is not None):
        raise ValueError("Name either a target, or a layer together with a unit of it.")
    kind = "unit" if unit is not None else "given" if callable(target) else score
    trace = _trace(model, images.shape[1:], rule=relu, layer=layer, at=at, score=kind)
    if kind == "unit":
        choice = _places(unit, trace.start, len(images))
    elif kind == "given":
        choice = _weights(target, forward(model, images, batch_size=batch_size)[0])
    else:
        choice = _targets(target, trace.start[0], len(images))
    return _batches(trace.run, images, choice, batch_size=batch_size, then=then)


def _check_score(score):
    if score not in ("logit", "probability"):
        raise ValueError(f"score is 'logit' or 'probability', not {score!r}.")


def classes(logits, target=None):
    """(N,): the class asked for of each picture; None: its arg-max."""
    target = _targets(target, logits.shape[1], len(logits))
    largest = logits.argmax(1) if logits.shape[1] > 1 else logits[:, 0] > 0
    return np.where(target < 0, largest, target).astype("int32")


def wanted(model, images, target=None, *, batch_size=32):
    """(N,): as `classes`, with passes for `target` None only; a function `target` is given back."""
    if callable(target):
        return target
    if target is None:
        return classes(forward(model, images, batch_size=batch_size)[0])
    return _targets(target, _trace(model, images.shape[1:]).start[0], len(images))


def score(logits, probabilities, target, score="logit"):
    """(N,): the scores of the classes `target`, an int or (N,), or what a function `target` makes of the logits (N, K)."""
    _check_score(score)
    if callable(target):
        return _given(target, tf.constant(logits)).numpy()
    target = tf.constant(np.broadcast_to(target, len(logits)), tf.int32)
    return _class(
        tf.constant(probabilities if score == "probability" else logits), target, score
    ).numpy()


def _targets(target, classes, n):
    if target is None:
        return np.full(n, -1, "int32")
    target = np.asarray(target)
    last = max(classes, 2) - 1  # a single unit speaks for two classes
    if not np.issubdtype(target.dtype, np.integer) or target.shape not in ((), (n,)):
        raise ValueError(
            f"target is None, a class number, {n} class numbers (one per picture) or a function of the logits."
        )
    if target.min() < 0 or target.max() > last:
        raise ValueError(
            f"target is a class number from 0 to {last}, not {target.min() if target.min() < 0 else target.max()}."
        )
    return np.broadcast_to(target, n).astype("int32")


def _places(unit, shape, n):
    unit = np.atleast_1d(np.asarray(unit))
    limits = np.array(shape if len(unit) == 3 else shape[-1:])
    if (
        not np.issubdtype(unit.dtype, np.integer)
        or unit.shape != limits.shape
        or (unit < 0).any()
        or (unit >= limits).any()
    ):
        raise ValueError(
            f"unit is a channel below {shape[-1]}, or (row, column, channel) within {shape}, not {unit.tolist()}."
        )
    place = unit if len(unit) == 3 else [-1, -1, unit[0]]
    return np.tile(np.array(place, "int32"), (n, 1))


def _given(target, logits):
    """The user's own score, (N,), of logits (N, K)."""
    value = target(logits)
    if not tf.is_tensor(value) or value.shape != logits.shape[:1]:
        raise ValueError(
            f"A target function takes logits (N, K) and returns a tensor of shape (N,), not {getattr(value, 'shape', value)}."
        )
    return value


def _weights(score, logits):
    """d score / d logits, (N, K), of a function the user gives."""
    logits = tf.constant(logits)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        value = _given(score, logits)
    gradient = tape.gradient(value, logits)
    if gradient is None:
        raise ValueError(
            "The target function's value does not depend on the logits: compute it from them with TensorFlow."
        )
    return gradient.numpy()


def logits(model, images, *, batch_size=32):
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
        Bad pictures, or a model whose logits cannot be told (a softmax that is not its last operation).
    """
    return forward(model, images, batch_size=batch_size)[0]


def probabilities(model, images, *, batch_size=32):
    """What the model says of each class: softmax or sigmoid of `logits`, whether the model ends in it or not. (N, K)."""
    return forward(model, images, batch_size=batch_size)[1]

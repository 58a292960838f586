"""What a network says of a picture with a window changed, without computing again what did not change.

A changed window of the picture changes a window of each map and nothing else. So the maps of the clean picture are kept, and
for many positions at once only the windows are computed, layer by layer: the inputs that a window of the next map sees are read
from the changed window where it covers them, from the clean map where it does not, and from the padding outside. Windows
of one map have one size; at the border they are shifted inwards, and what they then compute in vain equals the clean
value: the result is exact. Where a window is nearly the whole map, or a layer is not one of `RULES`, full maps go on.
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf
from keras import layers, ops

from . import graph

MOVING = 30  # multiply-adds that take as long as moving a value in memory; measured on two CPU cores
NEARLY_ALL = 0.8  # a window that is more of its map than this is computed as the full map
WORTH = 0.8  # whole passes are taken where following the windows leaves more of the work than this


class Span(NamedTuple):
    """Where, along one axis of a map, something may have changed: one interval per position, all of one size."""

    start: np.ndarray  # (n,)
    size: int
    length: int  # of the map


def grown(span, kernel, stride, before, length):
    """The units that see a span, if unit u sees `kernel` inputs from ``u * stride - before`` on; `length` units in all."""
    first = -((kernel - 1 - before - span.start) // stride)
    last = (span.start + span.size - 1 + before) // stride
    return _held(np.clip(first, 0, length - 1), np.clip(last, 0, length - 1) + 1, length)


def hull(spans):
    """The spans that hold all of these, which lie on maps of one length."""
    starts, ends = zip(*((s.start, s.start + s.size) for s in spans))
    return _held(np.min(starts, 0), np.max(ends, 0), spans[0].length)


def _held(starts, ends, length):
    """Spans of one size that hold the intervals, shifted inwards where they would leave the map."""
    size = int((ends - starts).max())
    return Span(np.minimum(starts, length - size), size, length)


class Rule(NamedTuple):
    """A unit of the layer sees `kernel` inputs, `stride` apart from its neighbour's; outside the map it sees `outside`."""

    compute: object  # function of the inputs seen, each (n, h, w, C)
    work: int = 0  # multiply-adds per place
    kernel: tuple = (1, 1)
    stride: tuple = (1, 1)
    before: tuple = (0, 0)  # padding at the top and at the left
    outside: float = 0.0


# ---- one rule per layer type: what a unit sees, and what it computes of it ------------------------------------------


def _padding(layer, kernel, shape_in, shape_out):
    if layer.padding == "valid":
        return (0, 0)
    missing = [max((o - 1) * s + k - i, 0) for i, o, s, k in zip(shape_in, shape_out, layer.strides, kernel)]
    return tuple(m // 2 for m in missing)


def _convolution(layer, shape_in, shape_out):
    convolve = ops.depthwise_conv if isinstance(layer, layers.DepthwiseConv2D) else ops.conv
    kernel = tuple((k - 1) * d + 1 for k, d in zip(layer.kernel_size, layer.dilation_rate))

    def compute(x):
        y = convolve(x, layer.kernel, layer.strides, "valid", dilation_rate=layer.dilation_rate)
        return layer.activation(y if layer.bias is None else y + layer.bias)

    before = _padding(layer, kernel, shape_in, shape_out)
    return Rule(compute, int(np.prod(layer.kernel.shape)), kernel, layer.strides, before)


def _pooling(layer, shape_in, shape_out):
    size, strides, largest = layer.pool_size, layer.strides, isinstance(layer, layers.MaxPooling2D)
    if not largest and any((o - 1) * s + k > i for i, o, s, k in zip(shape_in, shape_out, strides, size)):
        return None  # the mean at the border is over fewer values
    pool = ops.max_pool if largest else ops.average_pool
    before = _padding(layer, size, shape_in, shape_out)
    work = int(np.prod(size)) * shape_in[2]
    return Rule(lambda x: pool(x, size, strides, "valid"), work, size, strides, before, -np.inf)


WINDOWED = {
    layers.Conv2D: _convolution,
    layers.DepthwiseConv2D: _convolution,
    layers.MaxPooling2D: _pooling,
    layers.AveragePooling2D: _pooling,
    layers.ZeroPadding2D: lambda layer, *_: Rule(lambda x: x, before=tuple(first for first, _ in layer.padding)),
}
# Value by value, so alike on a window and on the map; several inputs are read at the same places.
POINTWISE = (
    layers.Activation, layers.Add, layers.Average, layers.BatchNormalization, layers.Concatenate, layers.Dropout, layers.ELU,
    layers.LeakyReLU, layers.Maximum, layers.Multiply, layers.ReLU, layers.Rescaling, layers.Subtract,
)  # fmt: skip


def _rule(node, shapes_in, shape_out):
    """How windows of a layer's output are computed; None if they cannot be."""
    layer, shapes, activation = node.operation, (*shapes_in, shape_out), getattr(node.operation, "activation", None)
    if (
        any(len(s) != 3 for s in shapes)
        or getattr(layer, "data_format", "channels_last") != "channels_last"
        or getattr(layer, "axis", -1) not in (-1, 3)
        or not (activation is None or activation.__module__.startswith("keras."))
    ):
        return None
    if type(layer) in POINTWISE and len({s[:2] for s in shapes}) == 1:
        return _whole(node)
    return WINDOWED[type(layer)](layer, *shapes) if type(layer) in WINDOWED else None


def _whole(node):
    """The layer as it is."""
    return Rule(lambda *x: _call(node, x), int(np.prod(getattr(node.operation, "kernel", np.zeros(0)).shape)))


def _call(node, tensors):
    args, kwargs = node.arguments.fill_in({id(t): v for t, v in zip(node.input_tensors, tensors)})
    return node.operation(*args, **kwargs)


# ---- the plan: which window of which map ---------------------------------------------------------------------------


class Step(NamedTuple):
    sources: list  # numbers of the maps it takes; 0 is the picture, k the output of step k
    rule: Rule
    reads: list  # for each source (height, width) of what is read; None: its windows, or full maps, as they are


def _nodes(model):
    """The calls of layers that lead from the model's input to its output, in order; None if the model does not tell."""
    if len(getattr(model, "outputs", None) or ()) != 1:
        return None
    nodes, seen = [], {id(model.inputs[0])}

    def visit(tensor):
        if id(tensor) not in seen:
            seen.add(id(tensor))
            operation, index, _ = tensor._keras_history
            for source in operation._inbound_nodes[index].input_tensors:
                visit(source)
            nodes.append(operation._inbound_nodes[index])

    visit(model.outputs[0])
    return nodes if all(len(node.outputs) == 1 and node.input_tensors for node in nodes) else None


def _plan(nodes, sources, shapes, rows, columns, size):
    """The steps for windows of `size` at (rows, columns), the spans of each map, and the share of the work that is left."""
    spans, steps, left, full = [tuple(map(Span, (rows, columns), size, shapes[0]))], [], 0, 0
    for node, taken, shape in zip(nodes, sources, shapes[1:]):
        rule, found, share = _rule(node, [shapes[s] for s in taken], shape), None, 1.0
        if rule and all(spans[s] for s in taken):
            each = [map(grown, spans[s], rule.kernel, rule.stride, rule.before, shape) for s in taken]
            found = tuple(map(hull, zip(*each)))
            share = found[0].size * found[1].size / (shape[0] * shape[1])
        if share > NEARLY_ALL:
            rule, found, share = _whole(node), None, 1.0
            reads = [spans[s] and shapes[s][:2] for s in taken]
        else:
            fields = zip(found, rule.kernel, rule.stride, rule.before)
            seen = [(f.start * t - p, (f.size - 1) * t + k) for f, k, t, p in fields]
            same = [all((i == b.start).all() and e == b.size for (i, e), b in zip(seen, spans[s])) for s in taken]
            reads = [None if alike else (seen[0][1], seen[1][1]) for alike in same]
        spans.append(found)
        steps.append(Step(taken, rule, reads))
        work = MOVING * int(np.prod(shape)) + rule.work * int(np.prod(shape[:-1]))
        moved = sum(int(np.prod(r)) * shapes[s][-1] for r, s in zip(reads, taken) if r)
        left, full = left + work * share + MOVING * moved, full + work
    return steps, spans, left / full


def _kept(tensor):
    """A map as a table of places for `_read`, after two that lie outside of it; anything else as it is."""
    if tensor.shape.rank != 3:
        return tensor
    outside = tf.constant([[0.0], [-np.inf]]) * tf.ones(tensor.shape[2])
    return tf.concat([outside, tf.reshape(tensor, (-1, tensor.shape[2]))], 0)


def _read(clean, shape, window, origin, unit, extents, rule):
    """What units from `unit` (n, 2) on see: of the window where it covers it, else of the clean map or from outside."""
    if extents is None:
        return window
    first = unit * tf.constant(rule.stride) - tf.constant(rule.before)
    rows, columns = (first[:, axis, None] + tf.range(extents[axis]) for axis in (0, 1))
    inside = ((rows >= 0) & (rows < shape[0]))[:, :, None] & ((columns >= 0) & (columns < shape[1]))[:, None]
    values = tf.gather(clean, tf.where(inside, 2 + rows[:, :, None] * shape[1] + columns[:, None], int(rule.outside < 0)))
    if window is None:
        return values
    n, (h, w) = tf.shape(window)[0], window.shape[1:3]
    r, c = rows - origin[:, :1], columns - origin[:, 1:]
    changed = ((r >= 0) & (r < h))[:, :, None] & ((c >= 0) & (c < w))[:, None]
    place = (tf.range(n)[:, None, None] * h + r[:, :, None]) * w + c[:, None]
    found = tf.gather(tf.reshape(window, (-1, shape[2])), tf.where(changed, place, 0))
    return tf.where(changed[..., None], found, values)


def _run(steps, shapes, size, clean, fill, origins):
    """Logits and probabilities, given the maps of the clean picture and where the windows of each map lie, (n, maps, 2)."""
    maps = [_read(_kept(fill), shapes[0], None, None, origins[:, 0], size, Rule(None))]
    for k, (sources, rule, reads) in enumerate(steps, 1):
        given = [_read(clean[s], shapes[s], maps[s], origins[:, s], origins[:, k], r, rule) for s, r in zip(sources, reads)]
        maps.append(rule.compute(*given))
    return graph._head(maps[-1])


def follow(model, shape, rows, columns, size):
    """A function that says what a model gives for pictures with one window changed; None where full passes cost less.

    The windows, of `size` (height, width), have their upper left corners at `rows` (n,) and `columns` (n,) of a picture
    of `shape` (H, W, C). The function (picture, fill, batch_size) puts what `fill` (H, W, C) holds there in place of each
    window in turn and iterates over the batches' (logits (b, K), probabilities (b, K)).
    """
    key = "windows", shape, size, rows.tobytes(), columns.tobytes()
    return graph.kept(model, shape, key, lambda: _follow(model, shape, rows, columns, size))


def _follow(model, shape, rows, columns, size):
    nodes = _nodes(model)
    if nodes is None:
        return None
    number = {id(model.inputs[0]): 0} | {id(node.outputs[0]): k for k, node in enumerate(nodes, 1)}
    sources = [[number[id(t)] for t in node.input_tensors] for node in nodes]

    shapes = []

    @tf.function(input_signature=[tf.TensorSpec((1, *shape))], autograph=False)
    def clean(picture):
        maps = [picture]
        for node, taken in zip(nodes, sources):
            maps.append(_call(node, [maps[s] for s in taken]))
        shapes[:] = [tuple(m.shape[1:]) for m in maps]
        return [_kept(m[0]) for m in maps]

    tables = [tf.TensorSpec(t.shape) for t in clean.get_concrete_function().structured_outputs]
    steps, spans, share = _plan(nodes, sources, shapes, rows, columns, size)
    if share > WORTH:
        return None
    origins = [np.stack([axis.start for axis in s] if s else [0 * rows, 0 * columns], -1) for s in spans]
    origins = np.stack(origins, 1).astype("int32")
    given = tables, tf.TensorSpec(shape), tf.TensorSpec((None, *origins.shape[1:]), tf.int32)
    windows = tf.function(lambda *given: _run(steps, shapes, size, *given), input_signature=given, autograph=False)

    def run(picture, fill, batch_size):
        maps = clean(tf.constant(picture[None]))
        for i in range(0, len(origins), batch_size):
            yield [t.numpy() for t in windows(maps, tf.constant(fill), tf.constant(origins[i : i + batch_size]))]

    return run

"""What a network says of a picture with a window changed, without computing again what did not change.

A changed window of the picture changes a window of each map and nothing else. So the maps of the clean picture are kept, and
for many positions at once only the windows are computed, layer by layer: the inputs that a window of the next map sees are read
from the changed window where it covers them, from the clean map where it does not, and from the padding outside. Windows
of one map have one size for a whole group of positions; where that is too large, at the border, they are shifted inwards, and
what they then compute in vain equals the clean value: the result is exact. Where a window is nearly the whole map, or a layer
has no rule, full maps go on.
"""

from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from keras import layers, ops

from . import graph

MOVING = 30  # multiply-adds that take as long as moving a value in memory; measured on two CPU cores
NEARLY_ALL = 0.8  # a window that is more of its map than this is computed as the full map
WINDOWS = 2  # as many in a group as `batch_size` says of whole pictures: they take less room
NOWHERE = -(2**30)  # the number of a row or a column that does not exist
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


class Network(NamedTuple):
    """A model as calls of layers in order. Map 0 is the picture, map k the output of call k, the last one the model's."""

    nodes: list
    sources: list  # for each node, the numbers of the maps it takes
    shapes: list  # of the maps, without the batch
    rules: list  # for each node; None: full maps only
    clean: object  # function from a picture (1, H, W, C) to its maps


class Plan(NamedTuple):
    """What is computed for a group of n positions. A read takes places of a map, changed and unchanged, for a node."""

    whole: tuple  # for each node: full maps?
    reads: tuple  # (number of the node, number of the map); other maps are taken as they are
    first: np.ndarray  # (n, reads, 2), where what is read begins
    extent: np.ndarray  # (reads, 2)
    corner: np.ndarray  # (n, reads, 2), where the window in that map begins
    size: np.ndarray  # (reads, 2)
    work: float  # as a share of whole passes


def _network(model, shape):
    """The calls that lead from the model's input to its output; None if the model does not tell."""
    if len(getattr(model, "outputs", None) or ()) != 1:
        return None
    nodes, number = [], {id(model.inputs[0]): 0}

    def visit(tensor):
        if id(tensor) not in number:
            operation, index, _ = tensor._keras_history
            node = operation._inbound_nodes[index]
            for source in node.input_tensors:
                visit(source)
            nodes.append(node)
            number[id(tensor)] = len(nodes)

    visit(model.outputs[0])
    if not all(len(node.outputs) == 1 and node.input_tensors for node in nodes):
        return None
    sources = [[number[id(t)] for t in node.input_tensors] for node in nodes]

    @tf.function(input_signature=[tf.TensorSpec((1, *shape))], autograph=False)
    def clean(picture):
        maps = [picture]
        for node, taken in zip(nodes, sources):
            maps.append(_call(node, [maps[s] for s in taken]))
        return [m[0] for m in maps]

    shapes = [tuple(m.shape) for m in clean.get_concrete_function().structured_outputs]
    rules = [_rule(node, [shapes[s] for s in taken], own) for node, taken, own in zip(nodes, sources, shapes[1:])]
    return Network(nodes, sources, shapes, rules, clean)


def _groups(corners, ends, most):
    """Positions in groups of at most `most` that are about as far from the border, where windows are cut off."""
    far = np.minimum(corners, ends - corners)

    def split(members):
        if len(members) <= most:
            return [members]
        half = -(-len(members) // most) // 2 * most
        orders = [members[far[members, axis].argsort(kind="stable")] for axis in (0, 1)]
        members = orders[np.argmin([far[order[half - 1], axis] for axis, order in enumerate(orders)])]
        return split(members[:half]) + split(members[half:])

    return split(np.arange(len(far)))


def _plan(network, rows, columns, size):
    """The plan for windows of `size` at (rows, columns)."""
    shapes = network.shapes
    picture = tuple(map(Span, (rows, columns), size, shapes[0]))
    spans, whole, reads, work, full = [picture], [], [(0, 0, picture, [Span(rows, 0, 0)] * 2)], 0, 0
    for k, (node, taken, rule, shape) in enumerate(zip(network.nodes, network.sources, network.rules, shapes[1:]), 1):
        found, share = None, 1.0
        if rule and all(spans[s] for s in taken):
            each = [map(grown, spans[s], rule.kernel, rule.stride, rule.before, shape) for s in taken]
            found = tuple(map(hull, zip(*each)))
            share = found[0].size * found[1].size / (shape[0] * shape[1])
        if share > NEARLY_ALL:
            found, share = None, 1.0
            seen = {s: [Span(0 * rows, extent, extent) for extent in shapes[s][:2]] for s in taken if spans[s]}
        else:
            axes = zip(found, rule.kernel, rule.stride, rule.before)
            sees = [Span(f.start * t - p, (f.size - 1) * t + k, None) for f, k, t, p in axes]
            seen = {s: sees for s in taken if any((a.start != b.start).any() or a.size != b.size for a, b in zip(sees, spans[s]))}
        spans.append(found)
        whole.append(found is None)
        reads += [(k, s, what, spans[s]) for s, what in seen.items()]
        own = MOVING * int(np.prod(shape)) + (rule or _whole(node)).work * int(np.prod(shape[:-1]))
        moved = sum(what[0].size * what[1].size * shapes[s][-1] for s, what in seen.items())
        work, full = work + own * share + MOVING * moved, full + own
    starts, sizes = (
        [np.array([[getattr(axis, name) for axis in axes] for axes in spans], "int32") for spans in list(zip(*reads))[2:]]
        for name in ("start", "size")
    )
    (first, corner), (extent, size) = (s.transpose(2, 0, 1) for s in starts), sizes
    return Plan(tuple(whole), tuple(r[:2] for r in reads), first, extent, corner, size, work / full)


# ---- the passes ----------------------------------------------------------------------------------------------------


def _places(shapes, first, extent, corner, size):
    """For each read, the numbers (n, h, w) of its places in a table of what is outside (0), the clean map, and the windows.

    A number is a part of the row and a part of the column. Those in the windows are larger than those in the map, and a part
    that does not exist is far below zero: so the place is the larger of the two sums, or 0.
    """
    lengths = np.array([s[:2] for s in shapes], "int32")
    steps, inner_steps = (tf.stack([x[:, 1], tf.ones_like(x[:, 1])], 1)[..., None] for x in (lengths, size))
    windows = 1 + lengths.prod(1) + tf.range(tf.shape(first)[0])[:, None] * tf.reduce_prod(size, 1)
    at = first[..., None] + tf.range(tf.reduce_max(extent))  # (n, reads, 2, longest)
    inner = at - corner[..., None]
    in_map = tf.where((at >= 0) & (at < lengths[..., None]), at * steps, NOWHERE)
    in_window = tf.where((inner >= 0) & (inner < size[..., None]), inner * inner_steps, NOWHERE)
    rows = tf.stack([1 + in_map[:, :, 0], windows[..., None] + in_window[:, :, 0]])[..., None]
    columns = tf.stack([in_map[:, :, 1], in_window[:, :, 1]])[..., None, :]
    for j in range(len(shapes)):
        yield tf.maximum(tf.reduce_max(rows[:, :, j, : extent[j, 0]] + columns[:, :, j, :, : extent[j, 1]], 0), 0)


def _run(network, whole, reads, clean, fill, *where):
    """Logits and probabilities, given the maps of the clean picture and a plan."""
    places = dict(zip(reads, _places([network.shapes[s] for _, s in reads], *where)))

    def read(k, s, clean, window, outside):
        if (k, s) not in places:
            return window
        channels = clean.shape[-1]
        table = [tf.fill((1, channels), outside), *(tf.reshape(t, (-1, channels)) for t in (clean, window))]
        return tf.gather(tf.concat(table, 0), places[k, s])

    maps = [read(0, 0, fill, fill[:0], 0.0)]
    for k, (node, taken) in enumerate(zip(network.nodes, network.sources), 1):
        rule = _whole(node) if whole[k - 1] else network.rules[k - 1]
        given = [read(k, s, clean[s], maps[s], rule.outside) for s in taken]
        if whole[k - 1]:
            given = [tf.ensure_shape(g, (None, *network.shapes[s])) for g, s in zip(given, taken)]
        maps.append(rule.compute(*given))
    return graph._head(maps[-1])


def follow(model, shape, rows, columns, size, batch_size):
    """What a model says of pictures with one window changed: (groups, function), or None where full passes cost less.

    The windows, of `size` (height, width), have their upper left corners at `rows` (n,) and `columns` (n,) of a picture of
    `shape` (H, W, C). Each group is an array of numbers of windows. The function (picture, fill) puts what `fill` (H, W, C)
    holds there in place of each window in turn and iterates over the groups' (logits (b, K), probabilities (b, K)).
    """
    network = graph.kept(model, shape, (shape, "network"), lambda: _network(model, shape))
    if network is None:
        return None

    def prepare():
        groups = _groups(np.stack([rows, columns], -1), np.subtract(shape[:2], size), WINDOWS * batch_size)
        return groups, [_plan(network, rows[group], columns[group], size) for group in groups]

    groups, plans = graph.kept(model, shape, (shape, size, batch_size, rows.tobytes(), columns.tobytes()), prepare)
    if sum(plan.work * len(group) for group, plan in zip(groups, plans)) > WORTH * len(rows):
        return None

    def trace(whole, reads, *where):
        given = [[*map(tf.TensorSpec, network.shapes)], tf.TensorSpec(shape)]
        given += [tf.TensorSpec((None, *a.shape[1:]) if a.ndim == 3 else a.shape, tf.int32) for a in where]
        run = tf.function(lambda *given: _run(network, whole, reads, *given), input_signature=given, autograph=False)
        run.get_concrete_function()
        return run

    def run(picture, fill):
        maps, fill = network.clean(tf.constant(picture[None])), tf.constant(fill)

        def passes(plan):
            compiled = graph.kept(model, shape, (shape, plan.whole, plan.reads), lambda: trace(*plan[:-1]))
            return [t.numpy() for t in compiled(maps, fill, *map(tf.constant, plan[2:-1]))]

        pool = ThreadPoolExecutor(2)  # one reads while the other computes
        try:
            yield from pool.map(passes, plans)
        finally:
            pool.shutdown(cancel_futures=True)

    return groups, run

"""What a network says of a picture with a window changed, without computing again what did not change.

A changed window of the picture changes a window of each map and nothing else. So the maps of the clean picture are kept, and
for many positions at once only the windows are computed, layer by layer: the inputs that a window of the next map sees are read
from the changed window where it covers them, from the clean map where it does not, and from the padding outside. Windows
of one map have one size for a whole group of positions; where that is too large, at the border, they are shifted inwards, and
what they then compute in vain equals the clean value: the result is exact. Where a window is nearly the whole map, or a layer
has no rule, full maps go on.
"""

from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from keras import layers, ops

from .. import graph

MOVING = (
    30  # multiply-adds that take as long as moving a value in memory; measured on two CPU cores
)
GROUP = 100  # multiply-adds, for each value of the clean maps and each weight, that a group takes besides its windows; measured
NEARLY_ALL = 0.8  # a window that is more of its map than this is computed as the full map
WINDOWS = 2  # times `batch_size`: the most in a group; they take less room than whole pictures
VECTORS = 8  # times `batch_size`: about as many go through dense layers at a time, whose weights take long to fetch
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
    size = max(int((ends - starts).max()), 1)  # a stride may pass over all of them
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
    missing = [
        max((o - 1) * s + k - i, 0)
        for i, o, s, k in zip(shape_in, shape_out, layer.strides, kernel)
    ]
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
    if not largest and any(
        (o - 1) * s + k > i for i, o, s, k in zip(shape_in, shape_out, strides, size)
    ):
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
    layers.ZeroPadding2D: lambda layer, *_: Rule(
        lambda x: x, before=tuple(first for first, _ in layer.padding)
    ),
}
# Value by value, so alike on a window and on the map; several inputs are read at the same places.
POINTWISE = (
    layers.Activation, layers.Add, layers.Average, layers.BatchNormalization, layers.Concatenate, layers.Dropout, layers.ELU,
    layers.LeakyReLU, layers.Maximum, layers.Multiply, layers.ReLU, layers.Rescaling, layers.Subtract,
)  # fmt: skip


def _rule(node, shapes_in, shape_out):
    """How windows of a layer's output are computed; None if they cannot be."""
    layer, shapes, activation = (
        node.operation,
        (*shapes_in, shape_out),
        getattr(node.operation, "activation", None),
    )
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
    return Rule(
        lambda *x: _call(node, x),
        int(np.prod(getattr(node.operation, "kernel", np.zeros(0)).shape)),
    )


def _call(node, tensors):
    args, kwargs = node.arguments.fill_in({id(t): v for t, v in zip(node.input_tensors, tensors)})
    return node.operation(*args, **kwargs)


# ---- the plan: which window of which map ---------------------------------------------------------------------------


class Network(NamedTuple):
    """A model as calls of layers in order. Map 0 is the picture, map k the output of call k; the head takes the last one."""

    nodes: list
    sources: list  # for each node and the head, the numbers of the maps it takes
    shapes: list  # of the maps, without the batch
    rules: list  # for each node and the head; None: full maps only
    works: list  # for each node and the head, multiply-adds of the full map
    setup: int  # multiply-adds that a group of windows takes besides the windows
    clean: object  # function from a picture (1, H, W, C) to its maps
    head: object  # function from the last map (n, ...) to logits and probabilities: the last layer, and dense ones before it


class Plan(NamedTuple):
    """What is computed for a group of n positions. A read takes places of a map, changed and unchanged, for a node."""

    whole: tuple  # for each node: full maps?
    reads: tuple  # (number of the node, number of the map); other maps are taken as they are
    first: np.ndarray  # (n, reads, 2), where what is read begins
    extent: np.ndarray  # (reads, 2)
    corner: np.ndarray  # (n, reads, 2), where the window in that map begins
    size: np.ndarray  # (reads, 2)
    work: float  # multiply-adds for each position


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
    if not (
        nodes
        and len(nodes[-1].input_tensors) == 1
        and all(len(n.outputs) == 1 and n.input_tensors for n in nodes)
    ):
        return None
    sources = [[number[id(t)] for t in node.input_tensors] for node in nodes]
    last = len(nodes) - 1
    while (
        last
        and sources[last - 1] == [last - 1]
        and len(nodes[last - 1].input_tensors[0].shape) == 2
    ):
        last -= 1
    nodes, dense, sources = nodes[:last], nodes[last:], sources[: last + 1]

    @tf.function(input_signature=[tf.TensorSpec((1, *shape))], autograph=False)
    def clean(picture):
        maps = [picture]
        for node, taken in zip(nodes, sources):
            maps.append(_call(node, [maps[s] for s in taken]))
        return [m[0] for m in maps]

    outputs = clean.get_concrete_function().structured_outputs
    if any(m.dtype != tf.float32 for m in outputs):
        return None
    shapes = [tuple(m.shape) for m in outputs]

    @tf.function(input_signature=[tf.TensorSpec((None, *shapes[-1]))], autograph=False)
    def head(x):
        for node in dense:
            x = _call(node, [x])
        return graph._head(x)

    rules = [
        _rule(node, [shapes[s] for s in taken], own)
        for node, taken, own in zip(nodes, sources, shapes[1:])
    ] + [None]
    weights = [(rule or _whole(node)).work for node, rule in zip(nodes, rules)]
    works = [
        MOVING * int(np.prod(s)) + w * int(np.prod(s[:-1])) for w, s in zip(weights, shapes[1:])
    ]
    works += [sum(_whole(node).work for node in dense)]
    setup = GROUP * (sum(weights) + sum(int(np.prod(s)) for s in shapes))
    return Network(nodes, sources, shapes, rules, works, setup, clean, head)


def _groups(network, rows, columns, size, most):
    """Positions in groups of at most `most`, parted where that spares more work than another group takes.

    Windows are cut off at the border; a window's work is about that of its row times that of its column.
    """
    middle = [np.sort(starts)[len(starts) // 2] for starts in (rows, columns)]

    def works(starts, place):
        each, number = np.unique(starts, return_inverse=True)
        return np.array(
            [_plan(network, *np.reshape(place(start), (2, 1)), size).work for start in each]
        )[number]

    factors = np.stack(
        [works(rows, lambda r: (r, middle[1])), works(columns, lambda c: (middle[0], c))], -1
    )
    factors /= np.sqrt(factors.max()) or 1

    def cost(count, largest):
        return count * largest + np.ceil(count / most) * network.setup

    def split(members):
        n = len(members)
        parts, least = None, cost(n, factors[members].max(0).prod())
        for axis in range(2) if n > 1 else ():
            order = members[factors[members, axis].argsort(kind="stable")]
            first, last = (
                np.maximum.accumulate(factors[o]).prod(1)[:-1] for o in (order, order[::-1])
            )
            costs = cost(np.arange(1, n), first) + cost(np.arange(n - 1, 0, -1), last[::-1])
            if costs.min() < least:
                parts, least = np.split(order, [costs.argmin() + 1]), costs.min()
        return (
            split(parts[0]) + split(parts[1]) if parts else np.array_split(members, -(-n // most))
        )

    return split(np.arange(len(rows)))


def _plan(network, rows, columns, size):
    """The plan for windows of `size` at (rows, columns)."""
    shapes = network.shapes
    picture = tuple(map(Span, (rows, columns), size, shapes[0]))
    spans, whole, reads, work = [picture], [], [(0, 0, picture, [Span(rows, 0, 0)] * 2)], 0
    for k, (taken, rule, shape) in enumerate(
        zip(network.sources, network.rules, [*shapes[1:], None]), 1
    ):
        found, share = None, 1.0
        if rule and all(spans[s] for s in taken):
            each = [
                map(grown, spans[s], rule.kernel, rule.stride, rule.before, shape) for s in taken
            ]
            found = tuple(map(hull, zip(*each)))
            share = found[0].size * found[1].size / (shape[0] * shape[1])
        if share > NEARLY_ALL:
            found, share = None, 1.0
            seen = {
                s: [Span(0 * rows, extent, extent) for extent in shapes[s][:2]]
                for s in taken
                if spans[s]
            }
        else:
            axes = zip(found, rule.kernel, rule.stride, rule.before)
            sees = [Span(f.start * t - p, (f.size - 1) * t + k, None) for f, k, t, p in axes]
            seen = {
                s: sees
                for s in taken
                if any(
                    (a.start != b.start).any() or a.size != b.size for a, b in zip(sees, spans[s])
                )
            }
        spans.append(found)
        whole.append(found is None)
        reads += [(k, s, what, spans[s]) for s, what in seen.items()]
        moved = sum(what[0].size * what[1].size * shapes[s][-1] for s, what in seen.items())
        work += network.works[k - 1] * share + MOVING * moved
    starts, sizes = (
        [
            np.array([[getattr(axis, name) for axis in axes] for axes in spans], "int32")
            for spans in list(zip(*reads))[2:]
        ]
        for name in ("start", "size")
    )
    (first, corner), (extent, size) = (s.transpose(2, 0, 1) for s in starts), sizes
    return Plan(tuple(whole), tuple(r[:2] for r in reads), first, extent, corner, size, work)


# ---- the passes ----------------------------------------------------------------------------------------------------


def _places(shapes, first, extent, corner, size):
    """For each read, the numbers (n, h, w) of its places in a table of what is outside (0), the clean map, and the windows.

    A number is a part of the row and a part of the column. Those in the windows are larger than those in the map, and a part
    that does not exist is far below zero: so the place is the larger of the two sums, or 0.
    """
    lengths = np.array([s[:2] for s in shapes], "int32")
    steps, inner_steps = (
        tf.stack([x[:, 1], tf.ones_like(x[:, 1])], 1)[..., None] for x in (lengths, size)
    )
    windows = 1 + lengths.prod(1) + tf.range(tf.shape(first)[0])[:, None] * tf.reduce_prod(size, 1)
    at = first[..., None] + tf.range(tf.reduce_max(extent))  # (n, reads, 2, longest)
    inner = at - corner[..., None]
    in_map = tf.where((at >= 0) & (at < lengths[..., None]), at * steps, NOWHERE)
    in_window = tf.where((inner >= 0) & (inner < size[..., None]), inner * inner_steps, NOWHERE)
    rows = tf.stack([1 + in_map[:, :, 0], windows[..., None] + in_window[:, :, 0]])[..., None]
    columns = tf.stack([in_map[:, :, 1], in_window[:, :, 1]])[..., None, :]
    for j in range(len(shapes)):
        yield tf.maximum(
            tf.reduce_max(rows[:, :, j, : extent[j, 0]] + columns[:, :, j, :, : extent[j, 1]], 0), 0
        )


def _run(network, whole, reads, clean, fill, *where):
    """The last map, given the maps of the clean picture and a plan."""
    places = dict(zip(reads, _places([network.shapes[s] for _, s in reads], *where)))

    def read(k, s, clean, window, outside):
        if (k, s) not in places:
            return window
        channels = clean.shape[-1]
        table = [
            tf.fill((1, channels), outside),
            *(tf.reshape(t, (-1, channels)) for t in (clean, window)),
        ]
        return tf.gather(tf.concat(table, 0), places[k, s])

    maps = [read(0, 0, fill, fill[:0], 0.0)]
    for k, (node, taken) in enumerate(zip(network.nodes, network.sources), 1):
        rule = _whole(node) if whole[k - 1] else network.rules[k - 1]
        given = [read(k, s, clean[s], maps[s], rule.outside) for s in taken]
        if whole[k - 1]:
            given = [tf.ensure_shape(g, (None, *network.shapes[s])) for g, s in zip(given, taken)]
        maps.append(rule.compute(*given))
    return read(len(maps), len(maps) - 1, clean[-1], maps[-1], 0.0)


def follow(model, shape, rows, columns, size, batch_size):
    """What a model says of pictures with one window changed: (batches, function), or None where full passes cost less.

    The windows, of `size` (height, width), have their upper left corners at `rows` (n,) and `columns` (n,) of a picture of
    `shape` (H, W, C). Each batch is an array of numbers of windows. The function (picture, fill) puts what `fill` (H, W, C)
    holds there in place of each window in turn: it iterates over (logits (b, K), probabilities (b, K)), first of the clean
    picture, then of each batch.
    """
    network = graph.kept(model, shape, (shape, "network"), lambda: _network(model, shape))
    if network is None:
        return None

    def prepare():
        groups = _groups(network, rows, columns, size, WINDOWS * batch_size)
        plans = [_plan(network, rows[group], columns[group], size) for group in groups]
        number = np.cumsum([len(group) for group in groups]) // (VECTORS * batch_size)
        return groups, plans, [np.flatnonzero(number == i) for i in np.unique(number)]

    key = shape, size, batch_size, rows.tobytes(), columns.tobytes()
    groups, plans, batches = graph.kept(model, shape, key, prepare)
    if sum(plan.work * len(group) for group, plan in zip(groups, plans)) > WORTH * len(rows) * sum(
        network.works
    ):
        return None

    def trace(whole, reads, *where):
        given = [[*map(tf.TensorSpec, network.shapes)], tf.TensorSpec(shape)]
        given += [
            tf.TensorSpec((None, *a.shape[1:]) if a.ndim == 3 else a.shape, tf.int32) for a in where
        ]
        run = tf.function(
            lambda *given: _run(network, whole, reads, *given),
            input_signature=given,
            autograph=False,
        )
        run.get_concrete_function()
        return run

    def run(picture, fill):
        maps, fill = network.clean(tf.constant(picture[None])), tf.constant(fill)

        def passes(plan):
            compiled = graph.kept(
                model, shape, (shape, plan.whole, plan.reads), lambda: trace(*plan[:-1])
            )
            return compiled(maps, fill, *map(tf.constant, plan[2:-1]))

        pool = ThreadPoolExecutor(3)  # one reads while others compute
        try:
            found = chain([maps[-1][None]], pool.map(passes, plans))
            for count in (1, *map(len, batches)):
                yield [
                    t.numpy()
                    for t in network.head(tf.concat([next(found) for _ in range(count)], 0))
                ]
        finally:
            pool.shutdown(cancel_futures=True)

    return [np.concatenate([groups[i] for i in batch]) for batch in batches], run

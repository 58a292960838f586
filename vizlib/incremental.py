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


# ---- one rule per layer type: what a unit sees, and what it computes of it ------------------------------------------


class Rule(NamedTuple):
    """A unit of the layer sees `kernel` inputs, `stride` apart from its neighbour's; outside the map it sees `outside`."""

    kernel: tuple
    stride: tuple
    before: tuple  # padding at the top and at the left
    outside: float
    work: int  # multiply-adds per place
    compute: object  # function of the inputs seen: (n, h, w, C) -> (n, h', w', C')


def _padding(layer, kernel, shape_in, shape_out):
    if layer.padding == "valid":
        return (0, 0)
    missing = [max((o - 1) * s + k - i, 0) for i, o, s, k in zip(shape_in, shape_out, layer.strides, kernel)]
    return tuple(m // 2 for m in missing)


def _convolution(layer, shape_in, shape_out):
    convolve = ops.depthwise_conv if isinstance(layer, layers.DepthwiseConv2D) else ops.conv
    dilation = layer.dilation_rate

    def compute(x):
        y = convolve(x, layer.kernel, layer.strides, "valid", dilation_rate=dilation)
        return layer.activation(y if layer.bias is None else y + layer.bias)

    kernel = tuple((k - 1) * d + 1 for k, d in zip(layer.kernel_size, dilation))
    before = _padding(layer, kernel, shape_in, shape_out)
    work = int(np.prod(layer.kernel.shape))
    return Rule(kernel, layer.strides, before, 0.0, work, compute)


def _pooling(layer, shape_in, shape_out):
    largest = isinstance(layer, layers.MaxPooling2D)
    before = _padding(layer, layer.pool_size, shape_in, shape_out)
    covered = all((o - 1) * s + k <= i for i, o, s, k in zip(shape_in, shape_out, layer.strides, layer.pool_size))
    if not largest and not covered:
        return None  # the mean at the border is over fewer values
    pool = ops.max_pool if largest else ops.average_pool
    work = int(np.prod(layer.pool_size)) * shape_in[2]
    return Rule(
        layer.pool_size,
        layer.strides,
        before,
        -np.inf,
        work,
        lambda x: pool(x, layer.pool_size, layer.strides, "valid"),
    )


def _zero_padding(layer, shape_in, shape_out):
    (top, _), (left, _) = layer.padding
    return Rule((1, 1), (1, 1), (top, left), 0.0, 0, lambda x: x)


WINDOWED = {
    layers.Conv2D: _convolution,
    layers.DepthwiseConv2D: _convolution,
    layers.MaxPooling2D: _pooling,
    layers.AveragePooling2D: _pooling,
    layers.ZeroPadding2D: _zero_padding,
}
# Value by value, so alike on a window and on the map; several inputs are read at the same places.
POINTWISE = (
    layers.Activation, layers.Add, layers.Average, layers.BatchNormalization, layers.Concatenate, layers.Dropout, layers.ELU,
    layers.LeakyReLU, layers.Maximum, layers.Multiply, layers.ReLU, layers.Rescaling, layers.Subtract,
)  # fmt: skip


def _known(layer, shapes):
    """Whether the layer, of which `shapes` are the inputs' and the output's, may be computed window by window."""
    activation = getattr(layer, "activation", None)
    return (
        type(layer) in (*WINDOWED, *POINTWISE)
        and all(len(s) == 3 for s in shapes)
        and getattr(layer, "data_format", "channels_last") == "channels_last"
        and getattr(layer, "axis", -1) in (-1, 3)
        and (activation is None or activation.__module__.startswith("keras."))
        and (type(layer) in WINDOWED or len({s[:2] for s in shapes}) == 1)
    )


# ---- the plan: which window of which map ---------------------------------------------------------------------------


class Step(NamedTuple):
    """One call of a layer. `spans`: the rows and columns of its output that are computed; None: full maps."""

    node: object
    sources: list  # numbers of the maps it takes; 0 is the picture, k the output of step k
    rule: Rule | None
    spans: tuple | None


def _nodes(model):
    """The calls of layers that lead from the model's input to its output, in order; None if the model does not tell."""
    try:
        (end,), (start,) = model.outputs, model.inputs
    except (AttributeError, TypeError, ValueError):
        return None
    nodes, seen = [], {id(start)}

    def visit(tensor):
        if id(tensor) not in seen:
            seen.add(id(tensor))
            operation, index, _ = tensor._keras_history
            for source in operation._inbound_nodes[index].input_tensors:
                visit(source)
            nodes.append(operation._inbound_nodes[index])

    visit(end)
    return nodes if all(len(node.outputs) == 1 and node.input_tensors for node in nodes) else None


def _plan(nodes, sources, shapes, rows, columns, size):
    """The steps for windows of `size` at (rows, columns), and the share of the work that they leave."""
    spans = [tuple(Span(start, extent, length) for start, extent, length in zip((rows, columns), size, shapes[0]))]
    steps, left, full = [], 0, 0
    for k, (node, taken) in enumerate(zip(nodes, sources), 1):
        layer, before, shape = node.operation, [spans[s] for s in taken], shapes[k]
        rule, found, reads, work = None, None, 0, MOVING * int(np.prod(shape))
        if _known(layer, [*(shapes[s] for s in taken), shape]):
            if type(layer) in POINTWISE:
                found = tuple(map(hull, zip(*before))) if all(before) else None
            elif rule := WINDOWED[type(layer)](layer, shapes[taken[0]], shape):
                work += rule.work * shape[0] * shape[1]
                found = (
                    tuple(map(grown, before[0], rule.kernel, rule.stride, rule.before, shape)) if all(before) else None
                )
        elif type(layer) is layers.Dense:
            work += int(np.prod(layer.kernel.shape))
        share = found[0].size * found[1].size / (shape[0] * shape[1]) if found else 1.0
        if share > NEARLY_ALL:
            found, share = None, 1.0
        if found and rule:
            seen = [(s.size - 1) * t + e for s, t, e in zip(found, rule.stride, rule.kernel)]
            reads = seen[0] * seen[1] * shapes[taken[0]][2]
        elif not found:  # maps that were windows are made whole
            reads = sum(int(np.prod(shapes[s])) for s in taken if spans[s])
        spans.append(found)
        steps.append(Step(node, taken, rule, found))
        left, full = left + work * share + MOVING * reads, full + work
    return steps, left / full


# ---- the run -------------------------------------------------------------------------------------------------------


def _area(origin, height, width, stride=(1, 1), before=(0, 0)):
    """Row numbers (n, height) and column numbers (n, width) that a window at `origin` (n, 2) sees."""
    first = origin * tf.constant(stride) - tf.constant(before)
    return first[:, :1] + tf.range(height), first[:, 1:] + tf.range(width)


def _read(clean, window, origin, rows, columns, outside=0.0):
    """The values at rows x columns: of the window where it covers them, else of the clean map, outside of it `outside`."""
    height, width, channels = clean.shape
    n, h, w = tf.shape(window)[0], window.shape[1], window.shape[2]
    r, c = rows - origin[:, :1], columns - origin[:, 1:]
    changed = ((r >= 0) & (r < h))[:, :, None] & ((c >= 0) & (c < w))[:, None]
    inside = ((rows >= 0) & (rows < height))[:, :, None] & ((columns >= 0) & (columns < width))[:, None]
    place = tf.where(inside, 1 + rows[:, :, None] * width + columns[:, None], 0)
    in_window = 1 + height * width + (tf.range(n)[:, None, None] * h + r[:, :, None]) * w + c[:, None]
    values = [tf.fill((1, channels), outside), tf.reshape(clean, (-1, channels)), tf.reshape(window, (-1, channels))]
    return tf.gather(tf.concat(values, 0), tf.where(changed, in_window, place))


def _call(node, tensors):
    args, kwargs = node.arguments.fill_in({id(t): v for t, v in zip(node.input_tensors, tensors)})
    return node.operation(*args, **kwargs)


def _run(steps, size, clean, fill, origins):
    """Logits and probabilities, given the maps of the clean picture and where the windows of each map lie, (n, maps, 2)."""
    window = tf.zeros((tf.shape(origins)[0], 0, 0, fill.shape[2]))
    maps, whole = [_read(fill, window, origins[:, 0], *_area(origins[:, 0], *size))], set()
    for k, (node, sources, rule, spans) in enumerate(steps, 1):
        if spans is None:
            for s in {*sources} - whole:
                maps[s] = _read(clean[s], maps[s], origins[:, s], *_area(0 * origins[:, s], *clean[s].shape[:2]))
            result = _call(node, [maps[s] for s in sources])
            whole.add(k)
        elif rule:
            extents = [(span.size - 1) * t + e for span, t, e in zip(spans, rule.stride, rule.kernel)]
            (s,) = sources
            area = _area(origins[:, k], *extents, rule.stride, rule.before)
            result = rule.compute(_read(clean[s], maps[s], origins[:, s], *area, rule.outside))
        else:
            area = _area(origins[:, k], *(span.size for span in spans))
            alone = len(sources) == 1  # then its window is the one that is computed
            result = _call(
                node, [maps[s] if alone else _read(clean[s], maps[s], origins[:, s], *area) for s in sources]
            )
        maps.append(result)
    return graph._head(maps[-1])


def follow(model, shape, rows, columns, size):
    """A function that says what a model gives for pictures with one window changed; None where full passes cost less.

    Parameters
    ----------
    model : keras.Model
    shape : (H, W, C)
        Of the picture.
    rows, columns : arrays, (n,)
        The windows' upper left corners.
    size : (height, width)
        Of the windows.

    Returns
    -------
    function (picture, fill, batch_size) -> iterator over (logits (b, K), probabilities (b, K))
        For one picture (H, W, C), with each window in turn replaced by what `fill` (H, W, C) holds there.
    """
    key = "windows", shape, size, rows.tobytes(), columns.tobytes()
    return graph.kept(model, shape, key, lambda: _follow(model, shape, rows, columns, size))


def _follow(model, shape, rows, columns, size):
    nodes = _nodes(model)
    if nodes is None:
        return None
    number = {id(model.inputs[0]): 0} | {id(node.outputs[0]): k for k, node in enumerate(nodes, 1)}
    sources = [[number[id(t)] for t in node.input_tensors] for node in nodes]

    @tf.function(input_signature=[tf.TensorSpec((1, *shape))], autograph=False)
    def clean(picture):
        maps = [picture]
        for node, taken in zip(nodes, sources):
            maps.append(_call(node, [maps[s] for s in taken]))
        return [m[0] for m in maps]

    shapes = [tuple(m.shape) for m in clean.get_concrete_function().structured_outputs]
    steps, share = _plan(nodes, sources, shapes, rows, columns, size)
    if share > WORTH:
        return None
    spans = [
        (rows, columns),
        *([s.start for s in step.spans] if step.spans else (0 * rows, 0 * rows) for step in steps),
    ]
    origins = np.stack([np.stack(pair, -1) for pair in spans], 1).astype("int32")
    signature = [
        [tf.TensorSpec(s) for s in shapes],
        tf.TensorSpec(shape),
        tf.TensorSpec((None, *origins.shape[1:]), tf.int32),
    ]
    windows = tf.function(lambda *given: _run(steps, size, *given), input_signature=signature, autograph=False)

    def run(picture, fill, batch_size):
        maps = clean(tf.constant(picture[None]))
        for i in range(0, len(origins), batch_size):
            yield [t.numpy() for t in windows(maps, tf.constant(fill), tf.constant(origins[i : i + batch_size]))]

    return run

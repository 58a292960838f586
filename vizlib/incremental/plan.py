"""What is computed: which maps of a network can be followed, and which windows of them are."""

import math
from functools import cache
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from .. import engine, keras_internals
from ..engine.walk import between
from ..engine.windows import WEIGHTED, Window, axes, of_operation, sees
from . import spans

MOVING = 30  # multiply-adds that take as long as moving a value
NEARLY_ALL = 0.8  # where a window is more of its map than this, the map is computed in full
PLACE = Window((1, 1))  # of operations that take values of one position only


class Step(NamedTuple):
    """How one map is computed, (n, h, w, ...): all of it, or windows of it."""

    output: object  # the tensor
    inputs: list  # tensors
    taken: dict  # number of the input -> number of the map
    window: Window
    outside: float  # what it takes from beyond the border of a map


class Network(NamedTuple):
    """A traced model. Map 0 is the image, map k the output of step k."""

    traced: object  # tf.types.experimental.ConcreteFunction; it keeps the graph
    steps: list
    maps: list  # tensors
    shapes: list  # of the maps, without the batch
    numbers: dict  # reference of a tensor -> number of its map
    works: list  # multiply-adds of each map
    work: int  # of everything
    room: int  # values of the largest tensor
    neck: object  # the vectors that the last, dense layers take; else what is predicted
    predicted: object  # the tensor of scores
    rest: object  # function: which maps are followed -> those that the rest takes, and its room


class Plan(NamedTuple):
    """What is computed for a group of n positions."""

    followed: tuple  # for each map: by windows?
    reads: (
        tuple  # (number of the step that takes it, 0: the image, -1: the rest; number of the map)
    )
    first: np.ndarray  # (n, reads, 2), where what is read begins
    extent: np.ndarray  # (reads, 2)
    corner: np.ndarray  # (n, reads, 2), where the window in that map begins
    size: np.ndarray  # (reads, 2)
    work: float  # multiply-adds for each position
    room: int  # values of the largest window or tensor


def read_network(model, shape, score):
    """The graph of a model and its score for images of a shape; None for batches of fixed size."""
    if (engine.input_shape(model) or (None,))[0] is not None:
        return None

    @tf.function(input_signature=[tf.TensorSpec((None, *shape))], autograph=False)
    def predict(x):
        return engine.values(model, x, *keras_internals.call(model, x), score)

    traced = predict.get_concrete_function()
    x, predicted = traced.inputs[0], traced.outputs[0]
    ops, depends = between(x, predicted)
    steps, works, numbers = [], [0], {x.ref(): 0}
    for op in traced.graph.get_operations():  # in the order in which they were made
        for i, output in enumerate(op.outputs) if op in ops else ():
            if op.type in SAME and op.inputs[i].ref() in numbers:
                numbers[output.ref()] = numbers[op.inputs[i].ref()]
            elif step := _step(output, numbers, depends, x):
                steps.append(step)
                works.append(_work(output))
                numbers[output.ref()] = len(steps)
    work = sum(_work(output) for op in ops for output in op.outputs)
    neck, maps = _neck(predicted, x, depends), [x, *(step.output for step in steps)]

    @cache
    def rest(followed):
        known = {ref for ref, number in numbers.items() if followed[number]}
        made, taken = behind([neck], known, numbers)
        return sorted({numbers[ref] for ref in taken}), max(map(_room, made & ops), default=1)

    shapes, room = [tuple(t.shape[1:]) for t in maps], max(map(_room, ops))
    return Network(traced, steps, maps, shapes, numbers, works, work, room, neck, predicted, rest)


SAME = ("EnsureShape", "Identity", "IdentityN")  # each output is an input


def behind(tensors, known, maps):
    """The operations that make tensors of the known ones, and which of those they take.

    The size of a map is known, too.
    """
    ops, used, todo = set(), set(), list(tensors)
    while todo:
        tensor = todo.pop()
        if tensor.ref() in known:
            used.add(tensor.ref())
        elif tensor.op not in ops:
            ops.add(tensor.op)
            if not (sees(tensor.op) == "shape" and tensor.op.inputs[0].ref() in maps):
                todo += tensor.op.inputs
    return ops, used


def _neck(predicted, x, depends):
    """The first of the vectors (n, D) that follow each other up to what is predicted."""
    neck = tensor = predicted
    while tensor is not x:
        taken = [t for t in tensor.op.inputs if t.ref() in depends]
        if len(taken) != 1 or taken[0].shape.rank != 2:
            break
        neck = tensor = taken[0]
    return neck


def _work(tensor):
    """Multiply-adds for an image; operations by value are done along with others."""
    op = tensor.op.inputs[0].op if _dilated(tensor.op) else tensor.op
    shape = [n or 1 for n in tensor.shape[1:]] if tensor.shape.rank else []
    weights = 0
    if op.type in WEIGHTED and len(op.inputs) > 1 and op.inputs[1].shape.rank:
        weights = math.prod(n or 1 for n in op.inputs[1].shape) * math.prod(shape[:-1])
    return weights + (0 if sees(op) == "place" else MOVING * math.prod(shape))


def _room(op):
    """Values of the largest output for an image."""
    ranked = [t.shape for t in op.outputs if t.shape.rank]
    return max((math.prod(n or 1 for n in shape[1:]) for shape in ranked), default=1)


# ---- which operations can be followed ------------------------------------------------------------


def _step(output, numbers, depends, x):
    """How windows of a tensor are computed; None if they cannot be."""
    op, inputs = output.op, list(output.op.inputs)
    window, outside = _dilated(op), 0.0
    if window:
        inputs = [op.inputs[0].op.inputs[0].op.inputs[0], op.inputs[0].op.inputs[1]]
    taken = {j: numbers.get(t.ref()) for j, t in enumerate(inputs) if t.ref() in depends}
    others = [t for j, t in enumerate(inputs) if j not in taken]
    if not taken or None in taken.values() or not _is_map(output):
        return None
    if x.op in behind(others, (), numbers)[0] or _attribute(op, "data_format") == b"NCHW":
        return None
    maps = [inputs[j] for j in taken]
    alike = len({tuple(t.shape[1:3]) for t in (*maps, output)}) == 1
    if sees(op) == "place" and alike and _by_value(op, maps, others):
        window = PLACE
    elif sees(op) in ("mix", "move") and alike and all(t.shape.rank in (0, 1, 2) for t in others):
        channels = [axes(op, j) for j in taken]
        window = PLACE if all(c is not None and min(c, default=3) > 2 for c in channels) else None
    elif list(taken) == [0] and not window:
        window, outside = _window(op, maps[0])
    return Step(output, inputs, taken, window, outside) if window else None


def _is_map(tensor):
    shape = tensor.shape
    known = shape.rank is not None and shape.rank > 2 and shape[0] is None and None not in shape[1:]
    return known and tensor.dtype in (tf.float32, tf.bool)


def _attribute(op, name):
    return op.get_attr(name) if name in op.node_def.attr else None


def _by_value(op, maps, others):
    """Whether what else an operation takes is alike at every position."""
    rank = op.outputs[0].shape.rank
    flat = all(
        t.shape.rank is not None and all(n == 1 for n in t.shape[: max(3 + t.shape.rank - rank, 0)])
        for t in others
    )
    alone = op.type != "BroadcastTo" and not _attribute(op, "is_training")
    return flat and alone and all(t.shape.rank == rank for t in maps)


def _window(op, source):
    """The window of an operation, None if it has none, and what it takes from beyond the border."""
    window, outside = None, 0.0
    if op.type in ("Conv2D", "DepthwiseConv2dNative", "MaxPool", "AvgPool", "Pad", "PadV2"):
        window = of_operation(op, tuple(source.shape[1:3]))
    elif op.type == "StridedSlice" and of_operation(op, tuple(source.shape[1:3])) == PLACE:
        window = PLACE  # some of the channels
    if window and op.type == "MaxPool":
        outside = -np.inf
    if window and op.type == "AvgPool" and any(n > 0 for n in (*window.before, *window.after)):
        window = None  # the mean at the border is over fewer values
    if window and op.type in ("Pad", "PadV2"):
        sides, *value = (tf.get_static_value(t) for t in op.inputs[1:])
        if sides[0].any() or sides[3:].any() or None in value:
            return None, 0.0
        outside = float(value[0]) if value else 0.0
    return window, outside


def _dilated(op):
    """The window of a convolution whose map is split before it, and put together by this."""
    conv = op.inputs[0].op if op.type == "BatchToSpaceND" else None
    if conv is None or conv.type not in ("Conv2D", "DepthwiseConv2dNative"):
        return None
    split = conv.inputs[0].op
    if split.type != "SpaceToBatchND" or conv.get_attr("padding") != b"VALID":
        return None
    (rates, sides), crops = (
        map(tf.get_static_value, split.inputs[1:]),
        tf.get_static_value(op.inputs[2]),
    )
    if rates is None or sides is None or crops is None or len(rates) != 2 or crops[:, 0].any():
        return None
    kernel = of_operation(conv, tuple(split.inputs[0].shape[1:3])).kernel
    return Window(kernel, before=tuple(sides[:, 0].tolist()))


# ---- which windows of them are -------------------------------------------------------------------


def make_plan(net, windows):
    """The plan for windows (n, 4): top, left, bottom, right, all of one size."""
    rows, columns = windows[:, 0], windows[:, 1]
    size = (windows[0, 2:] - windows[0, :2]).tolist()
    image = tuple(map(spans.Span, (rows, columns), size, net.shapes[0]))
    where, work, room = [image], net.work, 1
    reads = [(0, 0, image, [spans.Span(rows, 0, 0)] * 2)]

    def read(step, number, part):
        nonlocal work, room
        if not all(map(spans.equal, part, where[number])):
            reads.append((step, number, part, where[number]))
            values = part[0].size * part[1].size * math.prod(net.shapes[number][2:])
            work, room = work + MOVING * values, max(room, values)

    for k, step in enumerate(net.steps, 1):
        (height, width), (kernel, stride, before, _) = net.shapes[k][:2], step.window
        changed, share = None, 1.0
        if all(where[s] for s in step.taken.values()):
            each = [
                map(spans.changed, where[s], kernel, stride, before, (height, width))
                for s in step.taken.values()
            ]
            changed = tuple(map(spans.hull, zip(*each)))
            share = changed[0].size * changed[1].size / (height * width)
        where.append(changed if share <= NEARLY_ALL else None)
        if where[k]:
            part = tuple(map(spans.seen, changed, kernel, stride, before))
            for number in dict.fromkeys(step.taken.values()):
                read(k, number, part)
            work -= net.works[k] * (1 - share)
            room = max(room, round(share * math.prod(net.shapes[k])))
    followed = tuple(changed is not None for changed in where)
    taken, largest = net.rest(followed)
    for number in taken:
        read(-1, number, tuple(map(spans.everything, where[number], net.shapes[number])))
    numbers, parts = [r[:2] for r in reads], [r[2:] for r in reads]
    starts = np.array([[[axis.start for axis in part] for part in pair] for pair in parts], "int32")
    sizes = np.array([[[axis.size for axis in part] for part in pair] for pair in parts], "int32")
    (first, corner), (extent, size) = starts.transpose(1, 3, 0, 2), sizes.transpose(1, 0, 2)
    return Plan(followed, tuple(numbers), first, extent, corner, size, work, max(room, largest))

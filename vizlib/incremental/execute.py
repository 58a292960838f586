"""The passes: windows of maps for a group of positions at once, then the rest of the network."""

import math
from concurrent.futures import ThreadPoolExecutor
from itertools import chain

import numpy as np
import tensorflow as tf

from .. import engine
from ..engine.windows import sees
from .plan import behind, make_plan, read_network

# Measured on two CPU cores, as `MOVING` and `NEARLY_ALL` of the plan.
AT_ONCE = 3  # groups: one is read while others are computed
WINDOWS = 2  # times `batch_size`: the most in a group
ENOUGH = 8e10  # multiply-adds of a group: more pay no better, and its windows are less alike
VECTORS = 8  # times `batch_size`: about so many pass the dense layers at a time, for their weights
WORTH = 0.8  # whole passes are taken where following the windows leaves more of the work


def follow(model, shape, windows, batch_size, score):
    """What a model predicts of images with one window changed, or None where full passes cost less.

    Parameters
    ----------
    model : keras.Model
    shape : (H, W, C)
        Of the images.
    windows : ndarray, (n, 4), int
        Top, left, bottom, right of each, all of one size.
    batch_size : int
        What is computed at a time takes no more room than so many whole images.
    score : str
        What is meant by predicted, as in `engine.values`.

    Returns
    -------
    groups : list of ndarray
        Numbers of the windows that are predicted together.
    function : (image, cover), both (H, W, C) -> iterator over ndarray (b, K)
        Predicted of the image as it is, and then of each group, with what `cover` holds in a
        window in its place.
    """
    net = engine.cached(model, shape, ("network", score), lambda: read_network(model, shape, score))
    if net is None:
        return None

    def prepare():
        every = make_plan(net, windows)
        by_room = batch_size * net.room // (AT_ONCE * every.room)
        most = max(1, min(by_room, WINDOWS * batch_size, int(ENOUGH / every.work)))
        groups = np.array_split(np.arange(len(windows)), -(-len(windows) // most))
        plans = [make_plan(net, windows[group]) for group in groups]
        work = sum(p.work * len(group) for p, group in zip(plans, groups))
        return (groups, plans) if work <= WORTH * net.work * len(windows) else None

    def compiled(make, *key):
        return engine.cached(model, shape, (score, make, *key), lambda: make(net, *key))

    prepared = engine.cached(model, shape, (score, batch_size, windows.tobytes()), prepare)
    if prepared is None:
        return None
    groups, plans = prepared
    numbers = tuple(sorted({s for p in plans for s in sources(p.reads)}))
    clean, last = compiled(clean_maps, numbers), compiled(last_layers)
    structures = {(p.followed, p.reads) for p in plans}
    compute = {structure: compiled(followed_windows, *structure) for structure in structures}

    def run(image, cover):
        neck, *maps = clean(tf.constant(image[None]))
        maps, cover = dict(zip(numbers, maps)), tf.constant(cover)

        def passes(p):
            arrays = map(tf.constant, (p.first, p.extent, p.corner, p.size))
            given = [maps[s] for s in sources(p.reads)]
            return compute[p.followed, p.reads](given, cover, *arrays)

        pool = ThreadPoolExecutor(AT_ONCE)
        try:
            found = chain([neck], pool.map(passes, plans))
            for count in (1, *map(len, batches)):
                yield last(tf.concat([next(found) for _ in range(count)], 0)).numpy()
        finally:
            pool.shutdown(cancel_futures=True)

    vectors = VECTORS * batch_size if net.neck is not net.predicted else 1
    number = np.cumsum([len(group) for group in groups]) // vectors
    batches = [np.flatnonzero(number == i) for i in np.unique(number)]
    return [np.concatenate([groups[i] for i in batch]) for batch in batches], run


# ---- compiled functions --------------------------------------------------------------------------


def sources(reads):
    """The numbers of the maps of the clean image of which something is read."""
    return sorted({s for _, s in reads[1:]})


def clean_maps(net, numbers):
    """From an image (1, H, W, C) to its neck and to these maps (h, w, ...)."""

    def compute(image):
        known = {**_variables(net), net.maps[0].ref(): image}
        neck, *maps = _again(net, [net.neck, *(net.maps[s] for s in numbers)], known, 1)
        return [neck, *(t[0] for t in maps)]

    return _compiled(compute, tf.TensorSpec((1, *net.shapes[0])))


def last_layers(net):
    """From necks to what is predicted."""

    def compute(neck):
        known = {**_variables(net), net.neck.ref(): neck}
        return _again(net, [net.predicted], known, tf.shape(neck)[0])[0]

    return _compiled(compute, tf.TensorSpec(net.neck.shape, net.neck.dtype))


def followed_windows(net, followed, reads):
    """From maps of the clean image, what covers it, and the arrays of a plan to necks (n, ...)."""
    numbers = sources(reads)

    def compute(clean, cover, first, extent, corner, size):
        count, clean = tf.shape(first)[0], dict(zip(numbers, clean))
        shapes = [net.shapes[s] for _, s in reads]
        places = dict(zip(reads, _places(shapes, first, extent, corner, size)))
        known, changed = _variables(net), {}

        def read(step, s, outside=0.0):
            if (step, s) not in places:
                return changed[s]
            return _gathered(clean[s], changed[s], outside, *places[step, s])

        changed[0] = _gathered(cover, cover[None, :0], 0.0, *places[0, 0])
        for k, step in enumerate(net.steps, 1):
            if followed[k]:
                inputs = [
                    read(k, step.taken[j], step.outside)
                    if j in step.taken
                    else _again(net, [tensor], known, count)[0]
                    for j, tensor in enumerate(step.inputs)
                ]
                changed[k] = _applied(step, inputs)
        for s in net.rest(followed)[0]:
            whole = tf.ensure_shape(read(-1, s), (None, *net.shapes[s]))
            known |= {ref: whole for ref, number in net.numbers.items() if number == s}
        return _again(net, [net.neck], known, count)[0]

    maps = [tf.TensorSpec(net.shapes[s], net.maps[s].dtype) for s in numbers]
    each = tf.TensorSpec((None, len(reads), 2), tf.int32)
    every = tf.TensorSpec((len(reads), 2), tf.int32)
    return _compiled(compute, maps, tf.TensorSpec(net.shapes[0]), each, every, each, every)


def _compiled(function, *signature):
    return tf.function(function, input_signature=signature, autograph=False).get_concrete_function()


def _variables(net):
    """What the model's graph takes besides the image."""
    return dict(zip((t.ref() for t in net.traced.inputs[1:]), net.traced.captured_inputs))


def _again(net, tensors, known, count):
    """Tensors of the model's graph in the one being traced, made of the known ones for n images.

    All that was made on the way is known from then on.
    """
    ops, _ = behind(tensors, known, net.numbers)
    for op in net.traced.graph.get_operations() if ops else ():
        if op in ops:
            of_map = net.numbers.get(op.inputs[0].ref()) if sees(op) == "shape" else None
            if of_map is not None:
                outputs = _size(op, [count, *net.shapes[of_map]])
            else:
                outputs = _copied(op, [known[t.ref()] for t in op.inputs])
            for old, new in zip(op.outputs, outputs):
                new.set_shape(old.shape)
                known.setdefault(old.ref(), new)
    return [known[t.ref()] for t in tensors]


def _size(op, shape):
    """What an operation tells of the size of a map."""
    if op.type == "Shape":
        return [tf.cast(tf.stack(shape), op.outputs[0].dtype)]
    return _copied(op, [tf.zeros(shape, op.inputs[0].dtype)])


def _copied(op, inputs, **other):
    """The outputs of an operation of the model's graph in the one being traced."""
    attributes = {k: v for k, v in op.node_def.attr.items() if k not in LEFT}
    graph, types = tf.compat.v1.get_default_graph(), [t.dtype for t in op.outputs]
    copy = graph.create_op(op.type, inputs, types, attrs={**attributes, **other})
    engine.keep_slope(copy)
    return copy.outputs


LEFT = ("_class", "_gradient_op_type")  # they speak of the other graph
UNPADDED = {
    "padding": tf.compat.v1.AttrValue(s=b"VALID"),
    "explicit_paddings": tf.compat.v1.AttrValue(list=tf.compat.v1.AttrValue.ListValue()),
}


def _applied(step, inputs):
    """A step on windows that hold all that it takes, the border included."""
    op = step.output.op
    if op.type in ("Pad", "PadV2"):
        return inputs[0]
    if op.type == "BatchToSpaceND":
        conv = op.inputs[0].op
        rates = tf.get_static_value(conv.inputs[0].op.inputs[1]).tolist()
        if conv.type == "Conv2D":
            return tf.nn.convolution(*inputs, padding="VALID", dilations=rates)
        return tf.nn.depthwise_conv2d(*inputs, [1, 1, 1, 1], "VALID", dilations=rates)
    other = {name: value for name, value in UNPADDED.items() if name in op.node_def.attr}
    return _copied(op, inputs, **other)[step.output.value_index]


# ---- reading -------------------------------------------------------------------------------------


def _gathered(clean, windows, outside, start, stop, places):
    """Values (n, h, w, ...) of a map (H, W, ...) and of windows (n, ...) of it."""
    channels, (top, left), (bottom, right) = clean.shape[2:], tf.unstack(start), tf.unstack(stop)
    table = [tf.cast(tf.fill((1, math.prod(channels)), outside), clean.dtype)]
    for part in (clean[top:bottom, left:right], windows):
        table.append(tf.reshape(part, (-1, math.prod(channels))))
    found = tf.gather(tf.concat(table, 0), places)
    if len(channels) == 1:
        return found
    return tf.reshape(found, (*tf.unstack(tf.shape(places)), *channels))


NOWHERE = -(2**30)  # the part of a place in a row or a column that does not exist


def _places(shapes, first, extent, corner, size):
    """For each read, the part of the map it may take something of, and the places (n, h, w).

    They count the rows of a table of what is outside (0), that part of the clean map, and the
    windows. A place is the sum of a part for its row and one for its column. In the windows it is
    larger than in the clean map, and what does not exist is far below zero: so the place is the
    larger of the two sums, or 0.
    """
    lengths = tf.constant([s[:2] for s in shapes], tf.int32)
    start = tf.clip_by_value(tf.reduce_min(first, 0), 0, lengths)
    stop = tf.clip_by_value(tf.reduce_max(first, 0) + extent, start, lengths)
    lengths = stop - start
    steps, inner_steps = (
        tf.stack([x[:, 1], tf.ones_like(x[:, 1])], 1)[..., None] for x in (lengths, size)
    )
    windows = tf.range(tf.shape(first)[0])[:, None] * tf.reduce_prod(size, 1)
    windows += 1 + tf.reduce_prod(lengths, 1)
    at = first[..., None] + tf.range(tf.reduce_max(extent))  # (n, reads, 2, longest)
    inner, at = at - corner[..., None], at - start[..., None]
    in_map = tf.where((at >= 0) & (at < lengths[..., None]), at * steps, NOWHERE)
    in_window = tf.where((inner >= 0) & (inner < size[..., None]), inner * inner_steps, NOWHERE)
    rows = tf.stack([1 + in_map[:, :, 0], windows[..., None] + in_window[:, :, 0]])[..., None]
    columns = tf.stack([in_map[:, :, 1], in_window[:, :, 1]])[..., None, :]
    for j in range(len(shapes)):
        sums = rows[:, :, j, : extent[j, 0]] + columns[:, :, j, :, : extent[j, 1]]
        yield start[j], stop[j], tf.maximum(tf.reduce_max(sums, 0), 0)

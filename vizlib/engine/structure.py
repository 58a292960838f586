"""Where in a network the layers stand that a method takes when none is named."""

import enum

import numpy as np
import tensorflow as tf

from .head import SAME
from .walk import back, between, dependents, layer_of
from .windows import WEIGHTED, axes


class Implied(enum.Enum):
    """In place of a layer's name."""

    PENULTIMATE = "what the classifier takes"
    LAST_MAP = "the last feature map before any pooling or flattening"
    POOLED_MAP = "what global average pooling takes, where one dense layer follows, or none"


def find(implied, model, x, found):
    """The tensor of an implied layer in the graph in which `x` gave the head `found`."""
    if implied is Implied.LAST_MAP:
        return last_map(model, x, found.output if found.logits is None else found.logits)
    if found.logits is None:
        raise ValueError(
            f"{model.name!r} has no logits ({found.why}), so none of its layers is the one below "
            "the classifier: name a layer."
        )
    return (penultimate if implied is Implied.PENULTIMATE else pooled_map)(model, x, found.logits)


def _last_weights(x, tensor):
    """The operation with weights that comes last on the only way back; None where ways meet."""
    depends = dependents(x)
    while tensor.ref() in depends and tensor is not x:
        taken = [t for t in tensor.op.inputs if t.ref() in depends]
        if len(taken) != 1:
            return None
        if tensor.op.type in WEIGHTED:
            return tensor.op
        (tensor,) = taken
    return None


def penultimate(model, x, logits):
    """What the last operation with weights takes."""
    op = _last_weights(x, logits)
    if op is None:
        raise ValueError(
            f"{model.name!r} does not end in one classifier on one feature vector: name a layer."
        )
    depends = dependents(x)
    (taken,) = (t for t in op.inputs if t.ref() in depends)
    return back(taken, ("Reshape", "Identity", "Squeeze"), depends)


POOLING = set(
    "AvgPool MaxPool Mean Max Identity Pad PadV2 Reshape Squeeze ExpandDims Transpose".split()
)


def last_map(model, x, target):
    """The feature map that is pooled or flattened on the way to `target`.

    Raises ValueError where several are, or tokens stand between.
    """
    ops, depends = between(x, target)
    maps = _maps(x, ops)
    if target.ref() in maps:
        raise ValueError(f"The output of {model.name!r} is itself a feature map: name a layer.")
    found, tokens, past, seen, todo = {}, None, False, set(), [target]
    while todo:
        tensor = todo.pop()
        op = tensor.op
        past |= tensor is x
        if op not in ops or op in seen:
            continue
        seen.add(op)
        pooled = op.type in POOLING or tensor.shape[1:3].num_elements() == 1
        if tensor.ref() in maps and not pooled:
            found[tensor.ref()] = op
            continue
        if _mixes_tokens(op, depends) and tensor.ref() not in maps:
            tokens = op
        todo += op.inputs
    if tokens is not None:
        raise ValueError(
            f"Behind the last feature map of {model.name!r} stand tokens "
            f"({layer_of(tokens, model)}), which have no place in the image: name a layer that "
            "gives feature maps, knowing that what comes after it mixes places."
        )
    if not found:
        raise ValueError(
            f"{model.name!r} has no feature map between the images and the score: name a layer "
            "that gives one."
        )
    if past:
        (op, *_) = found.values()
        raise ValueError(
            f"The images of {model.name!r} reach the score also past its last feature map, which "
            f"shows a part of it only: name a layer, {layer_of(op, model)!r} for instance."
        )
    if len(found) > 1:
        names = {layer_of(op, model) for op in found.values()}
        near = sorted(repr(name) for name in names if "/" not in name)  # others are operations
        where = f", {', '.join(near)} or one" if near else ""
        how = f"name a layer{where} before them"
        if len(names) < len(found):  # calls of one layer, which its name does not tell apart
            how = f"{', '.join(near)} is called more than once, so name a layer before the calls"
        raise ValueError(
            f"{len(found)} feature maps lead to the score of {model.name!r}, and each shows a part "
            f"of it: {how}."
        )
    (op,) = found.values()
    return op.outputs[0]


def _maps(x, ops):
    """References of feature maps: made of a map, or of the size of one.

    On the way a map may have its channels in another place, or more axes: groups of channels, or of
    places that are then enlarged. The tensors (N, tokens, heads, C) inside attention are no maps.
    """
    maps, others, shapes = {x.ref()}, set(), [x.shape[1:]]
    for op in x.graph.get_operations():  # in the order of use
        shape = op.outputs[0].shape if op in ops else tf.TensorShape(None)
        of_map, *of_others = (
            any(t.ref() in known and t.shape.rank in ranks for t in op.inputs)
            for known, ranks in ((maps, (4,)), (others, (4,)), (others, range(5, 9)))
        )
        turned = op.type == "Transpose" and 3 in (axes(op) or ())
        if shape.rank != 4:
            found = False
        elif turned:
            found = any(of_others)
        elif op.type == "Reshape":
            kept = op.inputs[0].shape[1:].num_elements() == shape[1:].num_elements()
            found = kept and any(_enlarges(shape[1:].as_list(), s.as_list()) for s in shapes)
        elif of_others[0]:
            found = False
        else:
            found = of_map or (of_others[1] and op.type not in WEIGHTED) or _sized(shape, shapes)
        if found:
            maps.update(t.ref() for t in op.outputs)
            shapes.append(shape[1:])
        elif any((of_map, *of_others)) and (shape.rank or 0) > 3 + (op.type == "Reshape"):
            others.update(t.ref() for t in op.outputs)
    return maps


def _sized(shape, shapes):
    return None not in shape[1:3] and any(shape[1:3].as_list() == s[:2].as_list() for s in shapes)


def _enlarges(shape, before):
    """Whether (h, w, C) may be another one, both of its sides, or one by copies."""
    (height, width, channels), (rows, columns, depth) = shape, before
    if None in (height, width, rows, columns):
        return (height, width) == (rows, columns)
    alike = channels == depth and (height == rows or width == columns)
    return alike or height * columns == width * rows


def _mixes_tokens(op, depends):
    """Whether weights or attention work on (N, tokens, C), maybe flattened for the product."""
    rank = op.outputs[0].shape.rank
    if rank is None or rank < 3:
        return False
    if op.type in WEIGHTED or op.type == "Softmax":
        return True
    if op.type != "Reshape" or op.inputs[0].shape.rank != 2:
        return False
    (source, _), made = op.inputs, op.outputs[0].shape[1:].num_elements()
    return source.ref() in depends and source.shape[1] != made  # else of one vector for each image


def pooled_map(model, x, logits):
    """The map whose mean over all positions gives the logits, by one dense layer or as it is."""
    depends = dependents(x)
    last = back(logits, (*SAME, "Add", "AddV2", "BiasAdd"), depends)
    one = last.op.type == "Conv2D" and last.op.inputs[0].shape[1:3].num_elements() == 1
    dense = one or last.op.type == "MatMul"
    mean = back(penultimate(model, x, logits), ("Cast",), depends) if dense else last
    moved = mean.op.inputs and mean.op.inputs[0].op.type in ("Reshape", "Transpose")
    if not _is_global_mean(mean.op) or moved:
        raise ValueError(
            "CAM is defined for networks that end in global average pooling and at most one dense "
            "layer, and this one does not: use grad_cam, or put GlobalAveragePooling2D and a Dense "
            "layer of your own behind its last map."
        )
    return mean.op.inputs[0]


def _is_global_mean(op):
    if op.type == "AvgPool":  # of one window, which takes in all of the map
        one = op.outputs[0].shape[1:3].num_elements() == 1
        return one and op.get_attr("ksize")[1:3] == op.inputs[0].shape[1:3].as_list()
    if op.type != "Mean" or op.inputs[0].shape.rank != 4:
        return False
    axes = tf.get_static_value(op.inputs[1])
    return axes is not None and sorted(np.ravel(axes) % 4) == [1, 2]

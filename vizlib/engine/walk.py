"""Which operations of a traced graph lead from one tensor to another."""

from ..keras_internals import inner_layers
from .windows import sees


def dependents(source):
    """References of all tensors that depend on the values of `source`, truth values too."""
    found, todo = {source.ref()}, [source]
    while todo:
        for op in todo.pop().consumers():
            if sees(op) != "shape":
                new = [t for t in op.outputs if t.ref() not in found]
                found.update(t.ref() for t in new)
                todo += new
    return found


def before(*tensors):
    """All operations of which these tensors are made."""
    ops, todo = set(), [*tensors]
    while todo:
        op = todo.pop().op
        if op not in ops:
            ops.add(op)
            todo += op.inputs
    return ops


def between(source, target):
    """The operations by which `source` reaches `target`, and the dependents of `source`."""
    depends, ops, todo = dependents(source), set(), [target]
    while todo:
        tensor = todo.pop()
        if tensor.ref() in depends and tensor is not source and tensor.op not in ops:
            ops.add(tensor.op)
            todo += tensor.op.inputs
    return ops, depends


def back(tensor, types, depends):
    """The tensor before operations of these types, along the one input that depends."""
    while tensor.op.type in types:
        taken = [t for t in tensor.op.inputs if t.ref() in depends]
        if len(taken) != 1 or not taken[0].dtype.is_floating:
            break
        (tensor,) = taken
    return tensor


def layer_of(op, model):
    """The layer of an operation: the last part of its scope that is a layer's name.

    Keras may append a number to a part.
    """
    names = {layer.name for layer in inner_layers(model)}
    for part in reversed(op.name.split("/")):
        for name in (part.rpartition("_")[0], part):
            if name in names:
                return name
    return op.name

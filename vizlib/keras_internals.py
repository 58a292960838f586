"""What Keras has but does not promise: with a new version, look here first."""

import collections
import contextlib
import functools
import hashlib
import sys
import threading
import types
import weakref
from typing import NamedTuple

import keras
import numpy as np
from keras.src import backend


def inner_layers(model):
    """All layers inside the model in the order of use, also those of models that are layers."""
    found = {}
    for layer in model._flatten_layers(include_self=False, recursive=False):
        for inner in (layer, *inner_layers(layer)):
            found[id(inner)] = inner
    return list(found.values())


def inputs(model):
    """The model's symbolic inputs; None where a subclassed model does not know them."""
    structure = getattr(model, "_inputs_struct", None)
    structure = getattr(model, "inputs", None) if structure is None else structure
    return None if structure is None else keras.tree.flatten(structure)


def channels(model):
    """Channels of the images that a subclassed model was built for; None where it is not known."""
    shape = (model.get_build_config() or {}).get("input_shape")
    known = isinstance(shape, (list, tuple)) and len(shape) == 4 and isinstance(shape[3], int)
    return shape[3] if known else None


def call(model, x):
    """All outputs of the model for its single input, as at inference."""
    structure = getattr(model, "_inputs_struct", None)  # a functional model wants the one it has
    given = x if structure is None else keras.tree.pack_sequence_as(structure, [x])
    layers = (model, *inner_layers(model))
    before = [([*layer._losses], dict(vars(layer))) for layer in layers]
    try:
        try:
            said = model(given, training=False)
        except Exception:
            if not isinstance(given, list):
                raise
            said = model(x, training=False)  # a subclass may be built of a list, and take none
        return keras.tree.flatten(said)
    finally:
        # Tensors of a trace mean nothing outside: losses of regularizers, what a layer noted.
        for layer, (losses, held) in zip(layers, before):
            layer._losses[:] = losses
            for name in [k for k, v in vars(layer).items() if type(v).__name__ == "SymbolicTensor"]:
                vars(layer).pop(name)  # Keras follows what setattr does
                if name in held:
                    vars(layer)[name] = held[name]


class Call(NamedTuple):
    """A layer, and what it took and gave in one call."""

    layer: keras.Layer
    inputs: list
    output: object


def calls(model, shape):
    """A tensor for images (N, H, W, C), all calls of layers that it leads to, and the outputs."""
    given = []
    with captured(inner_layers(model)) as made:
        outputs = backend.compute_output_spec(
            lambda x: given.append(x) or call(model, x), keras.KerasTensor(shape)
        )
    return given[0], made, outputs


@contextlib.contextmanager
def captured(layers):
    """Within, a list collects the calls of these layers; the layers are as before afterwards.

    The calls stand in the order in which they end. Only those of this thread count: a model may be
    used in another one meanwhile.
    """
    made, before = [], {}
    thread = threading.get_ident()

    def wrapped(layer, call):
        def collecting(*args, **kwargs):
            output = call(*args, **kwargs)
            if threading.get_ident() == thread:
                made.append(Call(layer, keras.tree.flatten(args), output))
            return output

        return collecting

    try:
        for layer in layers:
            before[layer] = layer.__dict__.get("call")
            layer.__dict__["call"] = wrapped(layer, layer.call)  # setattr would be tracked by Keras
        yield made
    finally:
        for layer, call in before.items():
            layer.__dict__.pop("call", None)
            if call is not None:
                layer.__dict__["call"] = call


_plain = set()  # attributes that every layer or model has, whatever it computes


def fingerprint(model):
    """Changes with a layer, a variable, or what a layer or its class holds: traces go stale."""
    if not _plain:
        _plain.update(BOOKKEEPING, vars(keras.layers.Layer(name="bare")))
        _plain.update(vars(keras.Model(name="bare")), vars(keras.Sequential(name="bare")))
    layers = [model, *inner_layers(model)]
    seen = {id(layer): i for i, layer in enumerate(layers)}
    return (
        tuple(map(weakref.ref, layers)),
        [[_mark(v, seen) for v in _attributes(layer)] for layer in layers],
        tuple(layer.dtype_policy.name for layer in layers),
        [Same(v) for v in model.variables],
        [_mark(type(layer), seen) for layer in layers],
        _mark(getattr(model, "loss", None), seen),
    )


def _attributes(layer):
    """What a layer holds that may change what it computes."""
    return [
        Same(v) if k == "call" else v  # its closure may count calls
        for k, v in vars(layer).items()
        if k not in _plain
    ]


# What training, saving and the building of a graph leave on models and layers; a model's loss,
# which says what its output is, counts apart.
BOOKKEEPING = (
    """
    loss optimizer history compiled stop_training train_function test_function predict_function
    _compile_config _compile_loss _compile_metrics _loss_tracker _inputs _inputs_struct _nodes
    _nodes_by_depth _operations _operations_by_depth _outputs _outputs_struct output_names
    _self_name_based_restores _self_saveable_object_factories _self_update_uid
    _self_unconditional_checkpoint_dependencies _self_unconditional_deferred_dependencies
    _self_unconditional_dependency_names
"""
).split()


class Same:
    """Equal to what stands for the same object, as long as that lives: an address is used again."""

    def __init__(self, value):
        try:
            self.held = weakref.ref(value)
        except TypeError:  # of what has no weak references
            self.held = lambda: value

    def __eq__(self, other):
        mine = self.held()
        return isinstance(other, Same) and mine is not None and mine is other.held()


SCALARS = {type(None), bool, int, float, str}
SLOT = types.MemberDescriptorType
COLLECTIONS = (list, tuple, dict, set, frozenset, collections.deque)
# Nobody changes what these hold, so only objects, functions and classes of others are looked into.
LIBRARIES = {*sys.stdlib_module_names, "keras", "numpy", "tensorflow"}
LIBRARIES -= {"argparse", "collections", "types"}


def _mark(value, seen, depth=8):
    """What changes with a value: most are it themselves, another is the object and what it holds.

    `seen` are the numbers of what was marked already, by their addresses.
    """
    if type(value) in SCALARS or isinstance(value, Same):
        return value
    if type(value).__name__ == "EagerTensor":
        value = value.numpy()
    if isinstance(value, (np.ndarray, np.generic)):
        return value.shape, hashlib.blake2b(value.tobytes()).digest()
    held = _held(value) if depth else None
    if held is None:
        return Same(value)
    if id(value) in seen:
        return "seen", seen[id(value)]
    seen[id(value)] = len(seen)
    marks = tuple([_mark(v, seen, depth - 1) for v in held])
    return marks if isinstance(value, COLLECTIONS) else (Same(value), marks)


def _held(value):
    """What a collection, a function, a class or an object of others holds; None of all else."""
    if isinstance(value, COLLECTIONS):
        return [*value, *value.values()] if isinstance(value, dict) else value
    if isinstance(value, (functools.partial, types.MethodType)):
        return [
            getattr(value, name, None)
            for name in ("func", "args", "keywords", "__func__", "__self__")
        ]
    if isinstance(value, keras.Layer):  # none of the model's own
        return [v for layer in (value, *inner_layers(value)) for v in _attributes(layer)]
    made_in = value if isinstance(value, (types.FunctionType, type)) else type(value)
    if _is_library(made_in.__module__):
        return None
    if isinstance(value, types.FunctionType):
        names = _names(value.__code__)
        named = [value.__globals__.get(name) for name in names]
        modules = [
            v for v in named if isinstance(v, types.ModuleType) and not _is_library(v.__name__)
        ]
        return [
            *named,
            *(vars(module).get(name) for module in modules for name in names),
            # an empty cell is of a variable that is assigned later
            *(c.cell_contents for c in value.__closure__ or () if c != types.CellType()),
            *(value.__defaults__, value.__kwdefaults__),
        ]
    if isinstance(value, type):
        return [*vars(value).values(), *value.__bases__]
    slots = [slot for c in made_in.__mro__ for slot in vars(c).values() if type(slot) is SLOT]
    if not slots and not hasattr(value, "__dict__"):
        return None
    own = getattr(value, "__dict__", {}).values()
    return [*own, *(getattr(value, slot.__name__, None) for slot in slots), made_in]


def _is_library(module):
    return str(module).partition(".")[0] in LIBRARIES


def _names(code):
    """The names of globals and attributes in a function, also in those that are made inside."""
    inner = (_names(held) for held in code.co_consts if isinstance(held, types.CodeType))
    return [*code.co_names, *(name for names in inner for name in names)]

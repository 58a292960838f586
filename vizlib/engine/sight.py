"""What the values of a traced graph see of the images."""

from typing import NamedTuple

import numpy as np

from . import windows
from .walk import before


class Sight(NamedTuple):
    """What the values of a tensor see of the images."""

    field: tuple | None = None  # (size, stride, offset), as long as values have a position
    map: tuple = (None, None)  # how many positions, where that is known
    flat: int | None = None  # channels of a map whose positions were put into one axis
    whole: str = ""  # the operation that takes in all of the image
    lost: str = ""  # why the field is not known, or no more than where its middle lies
    moved: bool = False  # it is lost, and a map was turned, mirrored or cut


def sights(run, size):
    """What each tensor of a traced function sees of images of (H, W), by its reference."""
    start = Sight(((1, 1), (1, 1), (0, 0)), size)
    return _follow(run.graph, {run.inputs[0].ref(): start})


def check_fits(run, size):
    """Raise where images of this size leave nothing of a map: TensorFlow may end the process."""
    runs = before(*run.outputs)
    for ref, sight in sights(run, size).items():
        op = ref.deref().op
        if op in runs and any(n is not None and n < 1 for n in sight.map):
            raise ValueError(
                f"Images of {size} are too small for this model: nothing is left of them at "
                f"{op.name}. Give larger ones."
            )


def _follow(graph, sights):
    """The sights of all tensors of a graph that depend on those whose sights are given."""
    for op in graph.get_operations():  # in the order of use
        taken = {i: sights[t.ref()] for i, t in enumerate(op.inputs) if t.ref() in sights}
        if not taken or windows.sees(op) == "shape":
            continue
        if windows.sees(op) == "call":
            inner = windows.inside(op)
            known = _follow(inner, {inner.inputs[i].ref(): sight for i, sight in taken.items()})
            made = [known.get(t.ref()) for t in inner.outputs]
        else:
            made = [_through(op, taken)] * len(op.outputs)
        sights |= {t.ref(): sight for t, sight in zip(op.outputs, made) if sight is not None}
    return sights


def _through(op, taken):
    """The sight of an operation's outputs; `taken` holds those of its inputs, by number."""
    sees, name = windows.sees(op), f"{op.type} ({op.name})"
    whole = next((sight.whole for sight in taken.values() if sight.whole), "")
    placed = {i: sight for i, sight in taken.items() if sight.field or sight.lost}
    if not placed:
        return Sight(whole=whole)
    (at, sight), *others = placed.items()
    axes = windows.axes(op, at) if sees in ("mix", "move") else None
    if sees == "mix" and (others or (axes is not None and not _along_channels(op, axes, sight))):
        return Sight(whole=name)
    if not all(sight.field for sight in placed.values()):
        found = Sight()
    elif sees == "mix" and axes is not None:
        found = sight._replace(flat=sight.flat and (op.outputs[0].shape[-1] or sight.flat))
    elif sees == "place" or (sees == "move" and _leaves_positions(axes, sight)):
        found = _joined([*placed.values()], name)
    elif sees == "reshape":
        found = _reshaped(op, sight, name)
    elif sees in ("window", "crop") and not (at or others or sight.flat):
        found = _within(windows.of_operation(op, sight.map), sight, name)
    elif sees == "enlarge":
        found = _resized(op, sight, f"{name} enlarges the map")
    else:
        found = Sight(lost=f"{name} {'is not known' if sees in (None, 'mix') else 'moves the map'}")
    lost = next((sight.lost for sight in (*placed.values(), found) if sight.lost), "")
    moved = any(sight.moved for sight in placed.values()) or (bool(lost) and windows.turns(op))
    return found._replace(whole=whole or found.whole, lost=lost, moved=moved)


def _leaves_positions(axes, sight):
    """Whether an operation that moves values along these axes moves no positions."""
    return axes == set() or (axes is not None and not sight.flat and min(axes) > 2)


def _along_channels(op, axes, sight):
    """Whether an operation that mixes values along these axes keeps positions apart."""
    if not sight.flat:
        return min(axes, default=3) > 2
    taken, last = op.inputs[0].shape, op.inputs[0].shape[-1]
    if last is None and op.type == "MatMul":
        last = op.inputs[1].shape[op.get_attr("transpose_b")]
    return axes == {len(taken) - 1} and last == sight.flat


def _within(window, sight, name):
    """The sight of values that each take a window of a map."""
    if window is None:
        return Sight(
            lost=f"the window of {name} is not known, or only for a model of one size of images"
        )
    size, step, offset = sight.field
    field = (
        tuple(s + (k - 1) * t for s, k, t in zip(size, window.kernel, step)),
        tuple(t * u for t, u in zip(step, window.stride)),
        tuple(o - b * t for o, b, t in zip(offset, window.before, step)),
    )
    return sight._replace(field=field, map=window.size_after(sight.map))


def _resized(op, sight, lost):
    """The sight of values between those of a map: only where the middles lie is known."""
    made = tuple(op.outputs[0].shape[1:3])
    even = op.node_def.attr["half_pixel_centers"].b
    if not even or sight.flat or None in (*sight.map, *made):
        return Sight(lost=lost)
    size, step, offset = sight.field
    shares = [n / m for n, m in zip(sight.map, made)]
    start = tuple(o + t * (share - 1) / 2 for o, t, share in zip(offset, step, shares))
    step = tuple(t * share for t, share in zip(step, shares))
    return Sight((size, step, start), made, lost=lost)


def _joined(sights, name):
    """The sight along any of several paths."""
    # What has one position only is spread over the map: a gate, a mean.
    maps = [sight for sight in sights if sight.map != (1, 1)] or sights
    whole = name if len(maps) < len(sights) else ""
    sizes, strides, starts = zip(*(sight.field for sight in maps))
    ends, flat = np.add(starts, sizes), {sight.flat for sight in maps}
    if len({*strides}) > 1:
        return Sight(lost=f"paths of different strides meet in {name}")
    if (np.max(starts, 0) > np.min(ends, 0)).any() or (None in flat and len(flat) > 1):
        return Sight(lost=f"paths that see separate windows meet in {name}")
    start, end = np.min(starts, 0), np.max(ends, 0)
    field = tuple((end - start).tolist()), strides[0], tuple(start.tolist())
    flat = None if None in flat else max(flat)
    return Sight(field, maps[0].map, flat, whole)


def _reshaped(op, sight, name):
    """The sight of the same values with other axes: positions are put into one, and back."""
    before, after = op.inputs[0].shape, op.outputs[0].shape
    channels = sight.flat or (before[3:].num_elements() if before.rank else None)
    if channels is None or after.rank is None:
        return Sight(lost=f"{name} makes a shape that is not known")
    alike = after.rank > 2 and all(a in (None, m) for a, m in zip(after[1:3], sight.map))
    is_map = alike and after[3:].num_elements() == channels
    return sight._replace(flat=None if is_map else channels)

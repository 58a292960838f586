"""What an output value of a TensorFlow operation depends on: one table for all who ask.

The ReLU rules ask which operations are linear, receptive fields which pixels a unit sees,
incremental occlusion which part of a map a covered window changes.
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

# What a ReLU rule makes of it; what of its inputs an output value depends on (`sees`); the
# operations.
_TABLE = (
    ("linear", "place",
     "Add AddN AddV2 BiasAdd BroadcastTo Cast EnsureShape FusedBatchNormV3 Identity"),
    ("linear", "window", "AvgPool MaxPool MaxPoolV2 SpaceToDepth"),
    ("linear", "crop", "BatchToSpaceND MirrorPad Pad PadV2 SpaceToBatchND StridedSlice"),
    ("linear", "mix", "Max Mean Sum"),
    ("linear", "move",
     "ConcatV2 ExpandDims Pack ReverseV2 Roll Split SplitV Squeeze Tile Transpose Unpack"),
    ("linear", "reshape", "Reshape"),
    ("linear", "enlarge",
     "DepthToSpace ResizeArea ResizeBicubic ResizeBilinear ResizeNearestNeighbor"),
    ("weighted", "window", "Conv2D DepthwiseConv2dNative"),
    ("weighted", "mix", "BatchMatMulV2 Einsum MatMul"),
    ("weighted", "enlarge", "Conv2DBackpropInput"),
    ("scaled", "place", "Mul RealDiv Sub"),
    ("gate", "place", "LeakyRelu Relu Relu6"),
    ("", "place",
     "Abs Acos Acosh Asin Asinh Atan Atan2 Atanh Ceil CheckNumerics ClipByValue Cos "
     "Cosh Digamma Div DivNoNan Elu Equal Erf Erfc Erfinv Exp Expm1 Floor FloorDiv "
     "FloorMod FusedBatchNorm FusedBatchNormV2 Greater GreaterEqual IdentityN Inv IsFinite IsInf "
     "IsNan Less LessEqual Lgamma Log Log1p LogicalAnd LogicalNot LogicalOr Maximum Minimum Mod "
     "MulNoNan Ndtri Neg NotEqual Pow PreventGradient Reciprocal Rint Round Rsqrt Select "
     "SelectV2 Selu Sigmoid Sign Sin Sinh Softplus Softsign Sqrt Square SquaredDifference "
     "StopGradient Tan Tanh TruncateDiv TruncateMod Xdivy Xlog1py Xlogy"),
    ("", "window", "Dilation2D ExtractImagePatches"),
    ("", "mix",
     "All Any ArgMax ArgMin Cumprod Cumsum EuclideanNorm L2Loss LRN LogSoftmax Min Prod Softmax "
     "TopKV2"),
    ("", "move", "GatherV2"),
    ("", "enlarge", "ScaleAndTranslate"),
    ("", "shape", "OnesLike Rank Shape ShapeN Size ZerosLike"),
    ("", "call", "PartitionedCall StatefulPartitionedCall"),
)  # fmt: skip
_RULED, _SEES = (
    {name: row[column] for row in _TABLE for name in row[2].split()} for column in (0, 1)
)


def _named(*rules):
    return frozenset(name for name, rule in _RULED.items() if rule in rules)


# Between two of these, and nowhere else, a ReLU rule means what its paper says.
LINEAR = _named("linear")
# With weights: linear as long as the images have no way into the weights.
WEIGHTED = _named("weighted")
# Linear in one input as long as the images have no way into the other: a weight, a mean, a scale.
LINEAR_IN_ONE = _named("weighted", "scaled")
# The activations for which a ReLU rule is defined.
GATES = _named("gate")


def sees(op):
    """What of its inputs an output value of the operation depends on.

    Returns
    -------
    str or None
        "place": the same position of all inputs. "window", "crop": a `Window` of the first, see
        `of_operation`. "mix": all values along some axes, "move": others along some axes, see
        `axes`. "reshape": the same values in another order of axes. "enlarge": a window that
        differs from position to position. "shape": no value at all. "call": what the function
        `inside` says. None: the operation is not known.
    """
    return _SEES.get(op.type)


class Window(NamedTuple):
    """The part of a map that one value of the next map takes; each pair is (vertical, horizontal).

    Attributes
    ----------
    kernel : (int, int)
        Its extent, with the gaps of a dilated kernel.
    stride : (int, int)
        From one value's window to the next one's.
    before : (int, int)
        Padding above and to the left, so the first window begins at minus this; negative where a
        map is cropped.
    after : (int or None, int or None)
        Padding below and to the right; None where it is not known.

    Examples
    --------
    A convolution of three by three with padding "same":

    >>> from vizlib.engine.windows import Window
    >>> Window((3, 3), before=(1, 1), after=(1, 1)).size_after((8, 6))
    (8, 6)
    """

    kernel: tuple
    stride: tuple = (1, 1)
    before: tuple = (0, 0)
    after: tuple = (0, 0)

    def size_after(self, size):
        """How many windows fit into a map of this size, (vertical, horizontal); None: not known."""
        return tuple(
            None if n is None or after is None else (n + before + after - k) // s + 1
            for n, k, s, before, after in zip(size, *self)
        )


def of_operation(op, size):
    """The window of an operation that `sees` a "window" or a "crop".

    Parameters
    ----------
    op : tf.Operation
    size : (int or None, int or None)
        Of the map that it takes; with padding "same" and a stride the padding depends on it.

    Returns
    -------
    Window or None
        None where none is known: channels come first, or a size or padding is not known.
    """
    if op.type == "StridedSlice":
        return _sliced(op, size)
    if op.type in ("MirrorPad", "Pad", "PadV2"):
        return _shifted(_static(op.inputs[1])[1:3], 1)
    if op.type in ("SpaceToBatchND", "BatchToSpaceND"):
        # Around a dilated convolution, whose window is the one on the map that is not split.
        return _shifted(_static(op.inputs[2]), 1 if op.type == "SpaceToBatchND" else -1)
    if "data_format" in op.node_def.attr and op.get_attr("data_format") != b"NHWC":
        return None
    if op.type == "SpaceToDepth":
        return Window(*[(op.get_attr("block_size"),) * 2] * 2)
    if op.type in ("AvgPool", "MaxPool"):
        return _padded(op, op.get_attr("ksize")[1:3], op.get_attr("strides")[1:3], size)
    if op.type == "MaxPoolV2":
        kernel, stride = (_static(t)[1:3] for t in op.inputs[1:])
        return _padded(op, kernel, stride, size) if len(kernel) == len(stride) == 2 else None
    if op.type == "ExtractImagePatches":
        kernel, dilation = op.get_attr("ksizes")[1:3], op.get_attr("rates")[1:3]
    else:
        kernel, source = op.inputs[1].shape[:2], op.inputs[0].op
        dilation = op.get_attr("rates" if op.type == "Dilation2D" else "dilations")[1:3]
        if source.type == "SpaceToBatchND":
            dilation = _static(source.inputs[1])
    if None in kernel or len(dilation) != 2:
        return None
    extent = [(k - 1) * d + 1 for k, d in zip(kernel, dilation)]
    return _padded(op, extent, op.get_attr("strides")[1:3], size)


def turns(op):
    """Whether an operation puts the places of a map in another order, or leaves some out."""
    if op.type == "StridedSlice":
        return of_operation(op, (None, None)) != Window((1, 1))
    return op.type in ("ReverseV2", "Roll", "Transpose") and bool({1, 2} & (axes(op) or {1}))


def _static(tensor):
    """The values of a tensor as nested lists, None for those that are not known; [] if none is."""
    value = tf.get_static_value(tensor, partial=True)
    return [] if value is None else np.asarray(value).tolist()


def _shifted(sides, sign):
    """The window of a padding by [[above, below], [left, right]], or of a crop."""
    if len(sides) != 2 or any(side is None or side[0] is None for side in sides):
        return None
    before, after = zip(*sides)
    return Window(
        (1, 1),
        before=tuple(sign * b for b in before),
        after=tuple(None if a is None else sign * a for a in after),
    )


def _padded(op, kernel, stride, size):
    """A kernel's window, with the padding of the operation on a map of this size."""
    padding, known = op.get_attr("padding"), tuple(map(tuple, (kernel, stride)))
    if padding == b"VALID":
        return Window(*known)
    if padding == b"EXPLICIT":
        top, bottom, left, right = op.get_attr("explicit_paddings")[2:6]
        return Window(*known, (top, left), (bottom, right))
    if any(n is None and s > 1 for n, s in zip(size, stride)):
        return None
    total = [
        k - 1 if s == 1 else max((-(-n // s) - 1) * s + k - n, 0)
        for n, k, s in zip(size, kernel, stride)
    ]
    before = tuple(t // 2 for t in total)
    return Window(*known, before, tuple(t - b for t, b in zip(total, before)))


def _sliced(op, size):
    """The window of map[:, a:b:c, d:e:f, ...]; None where rows or columns are turned or dropped."""
    begin, end, step = (_static(t) for t in op.inputs[1:4])
    if not step:
        return None
    masks = ("begin", "end", "ellipsis", "new_axis", "shrink_axis")
    no_begin, no_end, ellipsis, new, drop = (op.get_attr(f"{name}_mask") for name in masks)
    found, axis = {1: (1, 0, 0), 2: (1, 0, 0)}, 0  # step, before, after
    for i in range(len(step)):
        bit = 1 << i
        if new & bit:
            if axis < 3:
                return None
        elif ellipsis & bit:
            named = sum(not (new >> j) & 1 for j in range(len(step)))
            axis += op.inputs[0].shape.rank - named + 1
        else:
            if axis < 3:
                n = size[axis - 1] if axis else None
                first = 0 if no_begin & bit else begin[i] if begin else None
                last = 0 if no_end & bit else end[i] if end else None
                if drop & bit or first is None or step[i] is None or step[i] < 1:
                    return None
                if first < 0:
                    if n is None:
                        return None
                    first = max(first + n, 0)
                if last is not None and last > 0:
                    last = None if n is None else min(last - n, 0)
                if axis == 0 and (first, last, step[i]) != (0, 0, 1):
                    return None
                found[axis] = step[i], -first, last
            axis += 1
    return Window((1, 1), *zip(found[1], found[2]))


def axes(op, taken=0):
    """The axes of the input number `taken` along which an operation mixes or moves values.

    Returns
    -------
    set of int, or None
        Counted from 0; None where they are not known.
    """
    rank = op.inputs[taken].shape.rank
    if rank is None:
        return None
    if op.type in ("BatchMatMulV2", "MatMul"):
        turned = op.get_attr("adj_x" if op.type == "BatchMatMulV2" else "transpose_a")
        return {*range(rank)} if taken or turned else {rank - 1}
    if op.type == "Einsum":
        given, made = op.get_attr("equation").decode().split("->")
        letters = enumerate(given.split(",")[taken])
        return None if "." in given else {i for i, letter in letters if letter != made[i : i + 1]}
    if taken and op.type not in ("ConcatV2", "Pack", "Split"):
        return None
    if op.type in ("LogSoftmax", "LRN", "Softmax", "TopKV2"):
        return {rank - 1}
    if op.type == "L2Loss":
        return {*range(rank)}
    if op.type in ("Transpose", "Tile"):
        value = _static(op.inputs[1])
        stays = range(rank) if op.type == "Transpose" else [1] * rank
        return {i for i, (v, s) in enumerate(zip(value, stays)) if v != s} if value else None
    if op.type == "Squeeze":
        shape = op.inputs[0].shape
        named = op.get_attr("squeeze_dims") or [i for i, n in enumerate(shape) if n == 1]
    elif op.type in ("Pack", "Unpack"):
        named = op.get_attr("axis")
    else:
        where = {"ConcatV2": -1, "Split": 0, "SplitV": 2, "GatherV2": 2, "Roll": 2}.get(op.type, 1)
        named = tf.get_static_value(op.inputs[where])
    if named is None:
        return None
    rank += op.type in ("ExpandDims", "Pack")
    return {int(axis) % rank for axis in np.ravel(named)}


def inside(op):
    """The graph of the function that an operation calls, as Keras does for grouped convolutions."""
    return op.graph._get_function(op.get_attr("f").name).graph

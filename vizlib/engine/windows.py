"""What an output value of a TensorFlow operation depends on: one table for all who ask.

The ReLU rules ask which operations are linear, receptive fields which pixels a unit sees, incremental occlusion which part of
a map a covered window changes.
"""

from typing import NamedTuple


class Window(NamedTuple):
    """The values of a map that one value of the next map takes; each pair is (vertical, horizontal).

    Attributes
    ----------
    kernel : (int, int)
        Extent, with the gaps of a dilated one.
    stride : (int, int)
        From one value's window to the next one's.
    before : (int, int)
        Padding above and to the left: the first value's window begins at minus this; negative where a crop begins.
    """

    kernel: tuple
    stride: tuple
    before: tuple


# Activations for which a ReLU rule is defined.
GATES = frozenset("Relu Relu6 LeakyRelu".split())

# Between two of these, and nowhere else, a ReLU rule means what its paper says.
LINEAR = frozenset(
    "Add AddN AddV2 AvgPool BatchToSpaceND BiasAdd Cast ConcatV2 DepthToSpace ExpandDims "
    "FusedBatchNormV3 Identity Max MaxPool MaxPoolV2 Mean MirrorPad Pack Pad PadV2 Reshape "
    "ResizeBilinear ResizeNearestNeighbor SpaceToBatchND Split SplitV Squeeze StridedSlice Sum "
    "Transpose".split()
)

# With weights; linear in the map as long as the picture has no way into the weights.
WEIGHTED = frozenset(
    "BatchMatMulV2 Conv2D Conv2DBackpropInput DepthwiseConv2dNative Einsum MatMul".split()
)

# Linear in one input as long as the picture has no way into the other: a weight, a mean, a scale.
LINEAR_IN_ONE = WEIGHTED | {"Mul", "RealDiv", "Sub"}

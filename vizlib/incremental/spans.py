"""Which part of a map a window changes, along one axis; the package has an example."""

from typing import NamedTuple

import numpy as np


class Span(NamedTuple):
    """An interval of each of n maps, all of one size."""

    start: np.ndarray  # (n,)
    size: int
    length: int  # of the maps


def changed(span, kernel, stride, before, length):
    """The units that see something of a span.

    There are `length` in all; unit u sees `kernel` inputs from ``u * stride - before`` on.
    """
    if (kernel, stride, before) == (1, 1, 0):
        return span
    first = -((kernel - 1 - before - span.start) // stride)
    last = (span.start + span.size - 1 + before) // stride
    return _of_one_size(np.clip(first, 0, length - 1), np.clip(last, 0, length - 1) + 1, length)


def seen(span, kernel, stride, before):
    """What the units of a span see; it may begin above the map and end below it."""
    if (kernel, stride, before) == (1, 1, 0):
        return span
    return Span(span.start * stride - before, (span.size - 1) * stride + kernel, span.length)


def hull(spans):
    """The spans that hold all of these, which lie on maps of one length."""
    if all(span is spans[0] for span in spans):
        return spans[0]
    starts, ends = zip(*((s.start, s.start + s.size) for s in spans))
    return _of_one_size(np.min(starts, 0), np.max(ends, 0), spans[0].length)


def everything(span, length):
    """All of a map."""
    return Span(np.zeros_like(span.start), length, length)


def equal(a, b):
    return a is b or (a.size == b.size and (a.start == b.start).all())


def _of_one_size(starts, ends, length):
    """Spans that hold the intervals, shifted inwards where they would leave the map.

    What is computed in vain then equals the value that was there.
    """
    size = max(int((ends - starts).max()), 1)  # a stride may pass over all of them
    return Span(np.minimum(starts, length - size), size, length)

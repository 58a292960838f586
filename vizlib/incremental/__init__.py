"""What a network predicts of an image with a window changed, without computing all of it again.

A changed window of the image changes a window of each map and nothing else. So the maps of the
clean image are kept, and for many positions at once only their windows are computed, one operation
of the network after the other (`plan`: which windows; `execute`: the passes). Where a window is
nearly the whole map, or an operation mixes positions, the rest of the network goes on with full
maps. What is followed is the graph that the model's own call leaves, as `engine.forward` runs it.

An example with one axis: a row of eight pixels 1, 2, ..., 8, and a convolution with three weights
of one and padding "same", which gives 3, 6, 9, 12, 15, 18, 21, 15. Pixels 2 and 3, counted from 0,
are covered with zeros. Units 1 to 4 see something of that, and nobody else does:

>>> import numpy as np
>>> from vizlib.incremental.spans import Span, changed, seen
>>> window = Span(start=np.array([2]), size=2, length=8)
>>> units = changed(window, kernel=3, stride=1, before=1, length=8)
>>> units
Span(start=array([1]), size=4, length=8)

What they see are pixels 0 to 5: two and three from the window, the others from the clean row.
On these the convolution is run without padding.

>>> seen(units, kernel=3, stride=1, before=1)
Span(start=array([0]), size=6, length=8)
>>> np.convolve([1, 2, 0, 0, 5, 6], [1, 1, 1], "valid")
array([ 3,  2,  5, 11])

So the map is now 3, **3, 2, 5, 11**, 18, 21, 15. In the next map, units 0 to 5 have changed. What
they see begins at -1, which is padding; 1 to 4 come from the window, 0, 5 and 6 from the clean map.

>>> units = changed(units, kernel=3, stride=1, before=1, length=8)
>>> units, seen(units, kernel=3, stride=1, before=1)
(Span(start=array([0]), size=6, length=8), Span(start=array([-1]), size=8, length=8))

Windows of one map have one size for a whole group of positions. Where that is too large, at the
border, they are shifted inwards; what they then compute in vain equals the clean value.
"""

from .execute import follow

__all__ = ["follow"]

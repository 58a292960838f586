"""Where in the image the evidence for a class lies: feature maps, weighted for the class.

The methods differ in `weigh` only: from the gradients of the score by the maps, and the maps, both
(n, h, w, C), to class maps (n, h, w). A method of your own is such a function, given to
`_class_map`.
"""

import numpy as np

from . import engine
from ._checks import as_numbers, as_singles, check_size
from .backprop import guided_backprop
from .engine import Implied
from .patches import ReceptiveField, field_or_none
from .types import Images, LayerLike, Maps, Score, Size, Target


def _class_map(weigh, model, images, target, layer, relu, **options):
    """Class maps (N, h, w) of the last feature map, or of `layer`, weighted by `weigh`."""

    def map_of(gradients, maps):
        if maps.ndim != 4:
            raise ValueError(
                f"{getattr(layer, 'name', layer)!r} gives no feature maps: choose a convolutional "
                "layer."
            )
        weighted = weigh(gradients, maps)
        return np.maximum(weighted, 0) if relu else weighted

    at = Implied.LAST_MAP if layer is None else layer
    return engine.backward(model, images, target, at=at, then=map_of, **options)[0]


def cam(model, images: Images, target: Target = None, *, batch_size: int = 32) -> Maps:
    """Class activation maps: the last feature maps, weighted as the class weighs their means.

    Parameters
    ----------
    model : keras.Model
        One that ends in global average pooling, with one dense layer behind it or none: then each
        class has a map of its own (SqueezeNet, Network in Network).
    images : array, (N, H, W, C), in model-input space
    target : None, int or (N,) ints
        The class (None: each image's arg-max).
    batch_size : int

    Returns
    -------
    ndarray, (N, h, w)
        Signed; its mean is the class's logit less the bias. Of a single output unit, class 0 has
        the opposite map.

    Raises
    ------
    ValueError
        Bad images or target, or a network that ends otherwise.

    References
    ----------
    Zhou, Khosla, Lapedriza, Oliva, Torralba 2016 (arXiv 1512.04150), equation 2.

    Examples
    --------
    >>> import keras, numpy as np, vizlib
    >>> model = keras.Sequential([
    ...     keras.Input((2, 2, 1)), keras.layers.Conv2D(1, 1, kernel_initializer="ones"),
    ...     keras.layers.GlobalAveragePooling2D(),
    ...     keras.layers.Dense(2, kernel_initializer="ones")])
    >>> vizlib.cam(model, [[[[0], [1]], [[2], [3]]]], target=0)
    array([[[0., 1.],
            [2., 3.]]], dtype=float32)
    """
    if callable(target):
        raise ValueError(
            "target is None, a class number, or one for each image: a function has no weights of "
            "its own."
        )

    def weigh(gradients, maps):
        # The logit is linear in the maps' means: its gradient by them is the class's weights.
        return np.einsum("nhwc,nc->nhw", maps, gradients.sum((1, 2)))

    at = Implied.POOLED_MAP
    return _class_map(weigh, model, images, target, at, relu=False, batch_size=batch_size)


def grad_cam(
    model,
    images: Images,
    target: Target = None,
    *,
    layer: LayerLike | None = None,
    relu: bool = True,
    score: Score = "logit",
    batch_size: int = 32,
) -> Maps:
    """The feature maps of a layer, weighted by the mean of their gradients.

    Parameters
    ----------
    model : keras.Model
    images : array, (N, H, W, C), in model-input space
    target : None, int, (N,) ints or callable
        The class (None: each image's arg-max), or a function from logits (N, K), or from the output
        of any shape where there are none, to scores (N,).
    layer : str or keras.Layer, optional
        One that gives feature maps. Default: the last feature map, after its activation and before
        any pooling or flattening.
    relu : bool
        Keep only what speaks for the class, as in the paper.
    score : {"logit", "probability", "output"}
        What the gradients are of.
    batch_size : int

    Returns
    -------
    ndarray, (N, h, w)
        Of the layer's size; `upsample` enlarges it. All zero where nothing speaks for the class.

    Raises
    ------
    ValueError
        Bad images or target; a layer that gives no feature maps, or that the score does not depend
        on; a model without such a score, or in which several maps are the last.

    References
    ----------
    Selvaraju, Cogswell, Das, Vedantam, Parikh, Batra 2017 (arXiv 1610.02391), equations 1 and 2.

    Examples
    --------
    >>> import keras, numpy as np, vizlib
    >>> model = keras.Sequential([
    ...     keras.Input((2, 2, 1)), keras.layers.Conv2D(1, 1, kernel_initializer="ones"),
    ...     keras.layers.GlobalAveragePooling2D(),
    ...     keras.layers.Dense(2, kernel_initializer="ones")])
    >>> vizlib.grad_cam(model, [[[[0], [-4]], [[4], [8]]]], target=0)
    array([[[0., 0.],
            [1., 2.]]], dtype=float32)
    """

    def weigh(gradients, maps):
        return np.einsum("nhwc,nc->nhw", maps, gradients.mean((1, 2)))

    return _class_map(weigh, model, images, target, layer, relu, score=score, batch_size=batch_size)


def hires_cam(
    model,
    images: Images,
    target: Target = None,
    *,
    layer: LayerLike | None = None,
    relu: bool = True,
    score: Score = "logit",
    batch_size: int = 32,
) -> Maps:
    """The feature maps of a layer, weighted by their gradients position by position.

    Where nothing but one linear layer follows, the map without its ReLU sums to the logit less the
    bias: no position is shown that the class did not use. Grad-CAM averages the gradients first,
    and loses that.

    Parameters
    ----------
    model, images, target, layer, relu, score, batch_size
        As in `grad_cam`.

    Returns
    -------
    ndarray, (N, h, w)

    Raises
    ------
    ValueError
        As `grad_cam`.

    References
    ----------
    Draelos, Carin 2020 (arXiv 2011.08891).

    Examples
    --------
    >>> import keras, numpy as np, vizlib
    >>> model = keras.Sequential([
    ...     keras.Input((2, 2, 1)), keras.layers.Conv2D(1, 1, kernel_initializer="ones"),
    ...     keras.layers.Flatten(), keras.layers.Dense(1)])
    >>> model.layers[-1].set_weights([np.array([[0.], [1.], [2.], [3.]]), np.zeros(1)])
    >>> vizlib.hires_cam(model, np.ones((1, 2, 2, 1)), target=1)
    array([[[0., 1.],
            [2., 3.]]], dtype=float32)
    """

    def weigh(gradients, maps):
        return np.einsum("nhwc,nhwc->nhw", maps, gradients)

    return _class_map(weigh, model, images, target, layer, relu, score=score, batch_size=batch_size)


def grad_cam_plus_plus(
    model,
    images: Images,
    target: Target = None,
    *,
    layer: LayerLike | None = None,
    relu: bool = True,
    score: Score = "logit",
    batch_size: int = 32,
) -> Maps:
    """The feature maps of a layer, weighted by their positive gradients, the larger the less.

    The paper differentiates exp(score) three times, where the score is piecewise linear; that
    leaves g / (2 + g A) of each positive gradient g, with A the sum of the map that it belongs to.

    Parameters
    ----------
    model, images, target, layer, relu, score, batch_size
        As in `grad_cam`.

    Returns
    -------
    ndarray, (N, h, w)
        Without the positive factor exp(score), which is one number for each image.

    Raises
    ------
    ValueError
        As `grad_cam`; or maps for which the formula is not defined, as they have large negative
        sums.

    References
    ----------
    Chattopadhay, Sarkar, Howlader, Balasubramanian 2018 (arXiv 1710.11063), equation 19. The
    authors' program divides the weights of each map by their sum besides, which the paper does not.

    Examples
    --------
    >>> import keras, numpy as np, vizlib
    >>> model = keras.Sequential([
    ...     keras.Input((2, 2, 1)), keras.layers.Conv2D(1, 1, kernel_initializer="ones"),
    ...     keras.layers.Flatten(), keras.layers.Dense(1)])
    >>> model.layers[-1].set_weights([np.array([[1.], [0.], [0.], [-9.]]), np.zeros(1)])
    >>> vizlib.grad_cam_plus_plus(model, [[[[3], [0]], [[0], [1]]]], target=1) # of 1 / (2 + 1 * 4)
    array([[[0.5       , 0.        ],
            [0.        , 0.16666667]]], dtype=float32)
    """

    def weigh(gradients, maps):
        positive = np.maximum(gradients, 0)
        below = 2 + positive * maps.sum((1, 2), keepdims=True)
        if below.min() <= 0:
            raise ValueError(
                "Grad-CAM++ is defined for maps that are not negative: choose a layer after its "
                "ReLU."
            )
        return np.einsum("nhwc,nc->nhw", maps, (positive / below).sum((1, 2)))

    return _class_map(weigh, model, images, target, layer, relu, score=score, batch_size=batch_size)


def guided_grad_cam(
    model,
    images: Images,
    target: Target = None,
    *,
    layer: LayerLike | None = None,
    score: Score = "logit",
    batch_size: int = 32,
) -> np.ndarray:
    """Guided backprop where Grad-CAM is: fine detail, held to the places that speak for the class.

    Parameters
    ----------
    model, images, target, layer, score, batch_size
        As in `grad_cam`.

    Returns
    -------
    ndarray, (N, H, W, C)
        Signed, in the model's channel order.

    Raises
    ------
    ValueError
        As `grad_cam` and `guided_backprop`.

    References
    ----------
    Selvaraju and others 2017 (arXiv 1610.02391), section 3.2.

    Examples
    --------
    >>> import keras, numpy as np, vizlib
    >>> model = keras.Sequential([
    ...     keras.Input((2, 2, 1)),
    ...     keras.layers.Conv2D(1, 1, activation="relu", kernel_initializer="ones"),
    ...     keras.layers.GlobalAveragePooling2D(),
    ...     keras.layers.Dense(2, kernel_initializer="ones")])
    >>> vizlib.guided_grad_cam(model, [[[[0], [-4]], [[4], [8]]]], target=0)[0, ..., 0]
    array([[0.  , 0.  ],
           [0.25, 0.5 ]], dtype=float32)
    """
    coarse = grad_cam(model, images, target, layer=layer, score=score, batch_size=batch_size)
    fine = guided_backprop(model, images, target, score=score, batch_size=batch_size)
    size = fine.shape[1:3]
    return fine * upsample(coarse, size, field=field_or_none(model, layer, size))[..., None]


def upsample(maps: Maps, size: Size, *, field: ReceptiveField | None = None) -> Maps:
    """Maps enlarged to the image, bilinear.

    Parameters
    ----------
    maps : array, (N, h, w) or (N, h, w, C)
    size : int or (height, width)
        Of the images.
    field : ReceptiveField, optional
        Of the layer whose maps these are, for images of this size. Each value stands in the middle
        of what its unit sees, and the outer ones go on to the border. Without it, each value stands
        in the middle of its cell of an even grid over the image (half-pixel geometry), which is the
        same for padding "same" and pooling in twos.

    Returns
    -------
    ndarray, (N, height, width) or (N, height, width, C), float32

    Raises
    ------
    ValueError
        Maps of another shape, a size that is not positive, or a field that is none.

    Examples
    --------
    >>> import vizlib
    >>> vizlib.upsample([[[0, 4]]], (1, 4))
    array([[[0., 1., 3., 4.]]], dtype=float32)
    """
    maps, size = as_singles(maps, "Maps"), check_size(size, "size")
    if maps.ndim not in (3, 4) or 0 in maps.shape:
        raise ValueError(f"Maps have the shape (N, h, w) or (N, h, w, C), not {maps.shape}.")
    if field is None:  # cells of an even grid
        stride = np.divide(size, maps.shape[1:3])
        first = (stride - 1) / 2
    else:
        extent, stride, offset = _placed(field)
        first = offset + (extent - 1) / 2
    for axis in (1, 0):
        at = (np.arange(size[axis]) - first[axis]) / stride[axis]
        maps = _between(maps, axis + 1, at)
    return maps


def _placed(field):
    """Size, stride and offset of a receptive field, (3, 2)."""
    known = isinstance(field, ReceptiveField)
    pairs = as_numbers(field[:3] if known else 0, "size, stride and offset of the field")
    if pairs.shape != (3, 2) or pairs[1].min() <= 0:
        raise ValueError("field is what receptive_field returns for the layer of the maps.")
    return pairs


def _between(maps, axis, at):
    """The values of maps at positions between those along an axis; outside, that of the edge."""
    last = maps.shape[axis] - 1
    at = np.clip(at, 0, last)
    below = at.astype(int)
    share = (at - below).astype("float32").reshape(-1, *[1] * (maps.ndim - axis - 1))
    start = np.take(maps, below, axis)
    found = np.take(maps, np.minimum(below + 1, last), axis)
    # start + share * (end - start), in place: exact where both are equal, so that thresholds meet
    # ties.
    found -= start
    found *= share
    found += start
    return found

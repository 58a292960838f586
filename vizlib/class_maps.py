"""Where in the picture the evidence for a class lies."""

import numpy as np
import tensorflow as tf

from . import graph
from .backprop import guided_backprop


def cam(model, images, target=None, *, batch_size=32):
    """Class activation maps: the last feature maps, weighted as the class weighs their means.

    Parameters
    ----------
    model : keras.Model
        One that ends in global average pooling and one dense layer.
    images : array, (N, H, W, C), in model-input space
    target : None, int or (N,) ints
        The class (None: each picture's arg-max).
    batch_size : int

    Returns
    -------
    ndarray, (N, h, w)
        Signed; its mean is the class's logit less the bias. Of a single output unit, class 0 has the opposite map.

    Raises
    ------
    ValueError
        Bad pictures or target, or a network that ends otherwise.

    References
    ----------
    Zhou, Khosla, Lapedriza, Oliva, Torralba 2016 (arXiv 1512.04150), equation 2.
    """
    if callable(target):
        raise ValueError(
            "target is None, a class number, or one for each picture: a function has no weights of its own."
        )

    def weigh(
        gradients, maps
    ):  # the logit is linear in the maps' means: its gradient by them is the dense layer's weights
        return np.einsum("nhwc,nc->nhw", maps, gradients.sum((1, 2)))

    return graph.backward(
        model, images, target, at=graph.POOLED, batch_size=batch_size, then=weigh
    )[0]


def grad_cam(model, images, target=None, *, layer=None, relu=True, batch_size=32):
    """The feature maps of a layer, weighted by the mean of their gradients.

    Parameters
    ----------
    model : keras.Model
    images : array, (N, H, W, C), in model-input space
    target : None, int, (N,) ints or callable
        The class (None: each picture's arg-max), or a function from logits (N, K) to scores (N,).
    layer : str or keras.Layer, optional
        One that gives feature maps. Default: the last feature map, after its activation and before any pooling or flattening.
    relu : bool
        Keep only what speaks for the class, as in the paper.
    batch_size : int

    Returns
    -------
    ndarray, (N, h, w)
        Of the layer's size; `upsample` enlarges it. All zero where nothing speaks for the class.

    Raises
    ------
    ValueError
        Bad pictures or target, or a layer that gives no feature maps or that the score does not depend on.

    References
    ----------
    Selvaraju, Cogswell, Das, Vedantam, Parikh, Batra 2017 (arXiv 1610.02391), equations 1 and 2.
    """

    def weigh(gradients, maps):
        if maps.ndim != 4:
            raise ValueError(
                f"{getattr(layer, 'name', layer)!r} gives no feature maps: choose a convolutional layer."
            )
        weighted = np.einsum("nhwc,nc->nhw", maps, gradients.mean((1, 2)))
        return np.maximum(weighted, 0) if relu else weighted

    return graph.backward(
        model,
        images,
        target,
        at=graph.LAST if layer is None else layer,
        batch_size=batch_size,
        then=weigh,
    )[0]


def guided_grad_cam(model, images, target=None, *, layer=None, batch_size=32):
    """Guided backprop where Grad-CAM is: fine detail, held to the places that speak for the class.

    Parameters
    ----------
    model, images, target, layer, batch_size
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
    """
    coarse = grad_cam(model, images, target, layer=layer, batch_size=batch_size)
    fine = guided_backprop(model, images, target, batch_size=batch_size)
    return fine * upsample(coarse, fine.shape[1:3])[..., None]


def upsample(maps, size):
    """Maps enlarged to the picture: bilinear, each value at the middle of its cell (half-pixel geometry).

    Parameters
    ----------
    maps : array, (N, h, w) or (N, h, w, C)
    size : int or (height, width)

    Returns
    -------
    ndarray, (N, height, width) or (N, height, width, C), float32

    Raises
    ------
    ValueError
        Maps of another shape, or a size that is not positive.
    """
    maps, (height, width) = np.asarray(maps, "float32"), np.broadcast_to(size, 2)
    if maps.ndim not in (3, 4) or min(height, width) < 1:
        raise ValueError(
            f"Give maps (N, h, w) or (N, h, w, C) and a size of at least 1, not {maps.shape} and {size}."
        )
    large = tf.image.resize(maps.reshape(*maps.shape[:3], -1), (int(height), int(width))).numpy()
    return large.reshape(len(maps), height, width, *maps.shape[3:])

"""What the layers of a network say: feature maps, and the filters of the first layer."""

import numpy as np

from .graph import forward
from .models import inner_layers


def activations(model, images, layer, *, batch_size=32):
    """The output of a layer for each picture, after its activation function.

    Parameters
    ----------
    model : keras.Model
    images : array, (N, H, W, C), in model-input space
    layer : str or keras.Layer
        Found also inside models that serve as layers. A layer that is called several times gives its last output.
    batch_size : int

    Returns
    -------
    ndarray, (N, h, w, channels) or (N, D)

    Raises
    ------
    ValueError
        Bad pictures, or no such layer (the sentence lists the near names).
    """
    return forward(model, images, layer, batch_size=batch_size)[0]


def filters(model):
    """The kernels of the first convolution: what it multiplies with the pixels.

    Returns
    -------
    ndarray, (count, height, width, C)
        C in the model's channel order (`Net.rgb` makes it RGB).

    Raises
    ------
    ValueError
        If there is no convolution.
    """
    for layer in inner_layers(model):
        kernel = getattr(layer, "kernel", None)
        if kernel is not None and len(kernel.shape) == 4:
            return np.moveaxis(kernel.numpy(), -1, 0)
    raise ValueError(f"{model.name!r} has no convolution whose filters could be shown.")

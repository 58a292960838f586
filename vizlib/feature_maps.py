"""What the layers of a network give: feature maps, and the filters of the first layer."""

import numpy as np

from . import engine, keras_internals
from .types import Images, LayerLike


def activations(model, images: Images, layer: LayerLike, *, batch_size: int = 32) -> np.ndarray:
    """The output of a layer for each image, after its activation function.

    Parameters
    ----------
    model : keras.Model
        It needs no classifier: headless models and those of several outputs will do.
    images : array, (N, H, W, C), in model-input space
    layer : str or keras.Layer
        Found also inside models that are layers.
    batch_size : int

    Returns
    -------
    ndarray, (N, h, w, channels) or (N, D)

    Raises
    ------
    ValueError
        Bad images; no such layer (the sentence lists the near names); a layer that is called
        several times, or gives several tensors.

    Examples
    --------
    >>> import keras, numpy as np, vizlib
    >>> model = keras.Sequential([keras.Input((3, 3, 1)),
    ...                           keras.layers.Conv2D(1, 2, kernel_initializer="ones", name="sum")])
    >>> vizlib.activations(model, np.ones((1, 3, 3, 1)), "sum")[0, :, :, 0]
    array([[4., 4.],
           [4., 4.]], dtype=float32)
    """
    return engine.forward(model, images, layer, batch_size=batch_size)


def filters(model) -> np.ndarray:
    """The kernels of the first convolution: what it multiplies with the pixels.

    Parameters
    ----------
    model : keras.Model

    Returns
    -------
    ndarray, (count, height, width, C)
        C in the model's channel order (`Net.rgb` makes it RGB).

    Raises
    ------
    ValueError
        If there is no convolution.

    Examples
    --------
    >>> import keras, vizlib
    >>> vizlib.filters(keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(5, 3)])).shape
    (5, 3, 3, 3)
    """
    engine.check_model(model)
    for layer in keras_internals.inner_layers(model):
        kernel = getattr(layer, "kernel", None)
        if kernel is not None and len(kernel.shape) == 4:
            return np.moveaxis(np.asarray(kernel), -1, 0)
    raise ValueError(f"{model.name!r} has no convolution whose filters could be shown.")

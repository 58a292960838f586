"""What the layers of a network give: feature maps, and the filters of the first layer."""

import keras
import numpy as np

from . import engine, keras_internals
from .models import find_layer
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


def filters(model, layer: LayerLike | None = None) -> np.ndarray:
    """The kernels of the first convolution: what it multiplies with the pixels.

    Parameters
    ----------
    model : keras.Model
    layer : str or keras.Layer, optional
        Another one; also where a model's own `call` does not tell which comes first.

    Returns
    -------
    ndarray, (count, height, width, C)
        C in the model's channel order (`Net.rgb` makes it RGB).

    Raises
    ------
    ValueError
        If there is no convolution, or the model's own `call` does not tell which comes first.

    Examples
    --------
    >>> import keras, vizlib
    >>> vizlib.filters(keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(5, 3)])).shape
    (5, 3, 3, 3)
    """
    engine.check_model(model)
    layers = keras_internals.inner_layers(model) if layer is None else [find_layer(model, layer)]
    if layer is None and (shape := engine.input_shape(model)):  # in the order of calls
        layers = [*(call.layer for call in keras_internals.calls(model, shape)[1]), *layers]
    kernels = {inner.name: _kernel(inner) for inner in layers if _kernel(inner) is not None}
    if not kernels:
        raise ValueError(f"{model.name!r} has no convolution whose filters could be shown.")
    if len(kernels) > 1 and keras_internals.inputs(model) is None:
        raise ValueError(
            f"Which convolution of {model.name!r} comes first is not known: name it, "
            f"{', '.join(map(repr, kernels))}."
        )
    return next(iter(kernels.values()))


def _kernel(layer):
    """(count, height, width, C) of a two-dimensional convolution, else None."""
    kernel = getattr(layer, "depthwise_kernel", getattr(layer, "kernel", None))
    if kernel is None or len(kernel.shape) != 4:
        return None
    return np.moveaxis(
        np.asarray(kernel), -2 if isinstance(layer, keras.layers.Conv2DTranspose) else -1, 0
    )

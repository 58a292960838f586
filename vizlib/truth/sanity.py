"""Does a map hang on what the network has learned? Parameter randomization."""

import threading
import weakref
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from .. import engine
from .._checks import as_array, check_whole
from ..keras_internals import inner_layers
from ..types import Images

# Of each model that is randomized: two at once would take each other's new weights for the trained.
_locks: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()


class Randomization(NamedTuple):
    """What a method shows of a network that forgets, layer by layer, what it learned.

    Attributes
    ----------
    layers : tuple of str
        The layers that were made new, from the output down.
    original : ndarray, (N, ...)
        The maps of the trained network.
    maps : ndarray, (layers, N, ...)
        The maps after each layer: with this one and all above it made new, or only this one.
    """

    layers: tuple
    original: np.ndarray
    maps: np.ndarray


def randomization(
    method: Callable,
    model,
    images: Images,
    *,
    cascading: bool = True,
    seed: int = 0,
    progress: bool = False,
) -> Randomization:
    """Does a map depend on what the network has learned? Make layers new, and look.

    Each layer draws new weights from its own initializers. The model's weights change while this
    runs, and are put back in any case: use the model for nothing else meanwhile.

    Parameters
    ----------
    method : callable
        From (model, images) to maps (N, ...), with the class fixed: another arg-max would change a
        map, too.
    model : keras.Model
    images : array, (N, H, W, C), in model-input space
    cascading : bool
        Make new each layer and all above it; otherwise one layer at a time.
    seed : int
        Of the new weights.
    progress : bool

    Returns
    -------
    Randomization

    Raises
    ------
    ValueError
        A method that is no function, or whose maps are no numbers (N, ...).
    ValueError
        A model without weights, with NaN among them, or with weights outside the innermost layers.
    ValueError
        A layer that its config does not describe.
    ValueError
        A seed that is no whole number of at least 0.

    References
    ----------
    Adebayo, Gilmer, Muelly, Goodfellow, Hardt, Kim 2018 (arXiv 1810.03292), section 3.

    Examples
    --------
    >>> import keras, numpy as np, vizlib
    >>> model = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten(),
    ...     keras.layers.Dense(3, name="hidden"), keras.layers.Dense(2, name="out")])
    >>> method = lambda model, images: vizlib.saliency(model, images, 1)
    >>> found = vizlib.truth.randomization(method, model, np.ones((1, 4, 4, 1)))
    >>> found.layers, found.maps.shape
    (('out', 'hidden'), (2, 1, 4, 4))
    """
    if not callable(method):
        raise ValueError("method is a function from (model, images) to maps, as vizlib.saliency.")
    check_whole(seed, "seed")
    images, layers = engine.check_images(model, images), _layers(model)
    rng, maps = np.random.default_rng(seed), []
    with _locks.setdefault(model, threading.RLock()):
        trained = model.get_weights()
        _check_trained(model, trained)
        original = _maps(method, model, images)
        try:
            for layer in engine.bar(layers, progress):
                if not cascading:
                    model.set_weights(trained)
                layer.set_weights(_untrained(layer, rng))
                maps.append(_maps(method, model, images))
        finally:
            _restore(model, trained)
    return Randomization(tuple(layer.name for layer in layers), original, np.stack(maps))


def _restore(model, weights):
    """Put the weights back; whoever interrupts this waits until they are."""
    try:
        model.set_weights(weights)
    except KeyboardInterrupt:
        _restore(model, weights)
        raise


def _layers(model):
    """The innermost layers that have weights, from the output down."""
    layers = [layer for layer in inner_layers(model) if layer.weights and not inner_layers(layer)]
    if not layers:
        raise ValueError(f"{model.name!r} has no weights that could be made new.")
    inner = {weight.path for layer in layers for weight in layer.weights}
    if stray := {weight.path for weight in model.weights} - inner:
        raise ValueError(
            f"These weights would stay as they are: {', '.join(sorted(stray))}. "
            "Give them a layer of their own."
        )
    return layers[::-1]


def _check_trained(model, weights):
    for variable, value in zip(model.weights, weights):
        if np.issubdtype(value.dtype, np.inexact) and not np.isfinite(value).all():
            raise ValueError(
                f"The weights {variable.path!r} hold NaN or infinite values, so no map of this "
                "model means anything: load or train it again."
            )


def _maps(method, model, images):
    """What the method gives, (N, ...)."""
    maps = as_array(method(model, images), "What the method returns")
    if maps.dtype.kind not in "biuf" or maps.shape[:1] != (len(images),):
        raise ValueError(
            f"method returns numbers, one map for each of the {len(images)} images, (N, ...), "
            f"not {maps.dtype} of shape {maps.shape}."
        )
    return maps


def _untrained(layer, rng):
    """Weights as a layer of this kind has them before training."""
    try:
        config = layer.get_config()
        for value in config.values():  # initializers without a seed would draw from a global one
            inner = value.get("config") if isinstance(value, dict) else None
            if isinstance(inner, dict) and "seed" in inner:
                inner["seed"] = int(rng.integers(2**31))
        new = type(layer).from_config(config)
        new.build_from_config(layer.get_build_config())
        weights = new.get_weights()
        if [w.shape for w in weights] != [tuple(w.shape) for w in layer.weights]:
            raise TypeError("a layer of other weights")
    except (TypeError, NotImplementedError) as error:
        raise ValueError(
            f"Layer {layer.name!r} cannot be made new: give its class a get_config that says how "
            "it was made."
        ) from error
    return weights

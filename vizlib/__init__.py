"""Look inside convolutional networks: the library of the course Visualizing CNNs in TensorFlow.

Every method is a function ``f(model, images, target=None, *, ...)`` or
``f(model, images, layer, *, ...)``; it takes any single-input Keras 3 model, images (N, H, W, C) as
that model wants them, and returns raw NumPy arrays. Only `show` knows colours.
"""

import contextlib
import importlib
import os
import sys


@contextlib.contextmanager
def _silent():
    """TensorFlow writes to file descriptor 2 while it loads, whatever its log level is."""
    if sys.stderr is not None:
        sys.stderr.flush()
    try:
        saved = os.dup(2)
    except OSError:  # closed
        saved = None
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    try:
        yield
    finally:
        if saved is None:
            os.close(2)
        else:
            os.dup2(saved, 2)
            os.close(saved)
        if null != 2:
            os.close(null)


os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
try:
    with _silent():
        import tensorflow  # noqa: F401
except ModuleNotFoundError:  # trained elsewhere, on another backend: networks and data are enough
    pass
else:
    from .ascent import visualize
    from .attacks import fgsm, pgd
    from .backprop import deconvnet, guided_backprop
    from .class_maps import (
        cam,
        grad_cam,
        grad_cam_plus_plus,
        guided_grad_cam,
        hires_cam,
        upsample,
    )
    from .dissection import Dissection, dissect
    from .embeddings import features, neighbours, pca, tsne
    from .engine import logits, probabilities
    from .feature_maps import activations, filters
    from .gradients import gradient, integrated_gradients, residual, saliency, smoothgrad
    from .patches import Patches, ReceptiveField, receptive_field, top_patches
    from .perturbation import Occlusion, occlusion
    from .segmentation import segment
from .models import Net, find_layer, load

__version__ = "1.0.0"
# Loaded when they are first used: matplotlib, ipywidgets, Pillow and scikit-image cost time.
_LATER = ("barnyard", "callbacks", "photos", "show", "truth", "widgets")
__all__ = [
    "Dissection",
    "Net",
    "Occlusion",
    "Patches",
    "ReceptiveField",
    "activations",
    "barnyard",
    "callbacks",
    "cam",
    "deconvnet",
    "dissect",
    "features",
    "fgsm",
    "filters",
    "find_layer",
    "grad_cam",
    "grad_cam_plus_plus",
    "gradient",
    "guided_backprop",
    "guided_grad_cam",
    "hires_cam",
    "integrated_gradients",
    "load",
    "logits",
    "neighbours",
    "occlusion",
    "patches",
    "pca",
    "pgd",
    "photos",
    "probabilities",
    "receptive_field",
    "residual",
    "saliency",
    "segment",
    "show",
    "smoothgrad",
    "top_patches",
    "truth",
    "tsne",
    "upsample",
    "visualize",
    "widgets",
]


def __getattr__(name):
    if name in _LATER:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *_LATER})

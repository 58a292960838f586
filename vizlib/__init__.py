"""Look inside convolutional networks: the library of the course Visualizing CNNs in TensorFlow.

Every method is a function ``f(model, images, target=None, *, ...)`` or ``f(model, images, layer, *, ...)``; it takes any
single-input Keras 3 model, pictures (N, H, W, C) as that model wants them, and returns raw NumPy arrays. Only `show` knows
colours.
"""

import contextlib
import importlib
import os
import sys


@contextlib.contextmanager
def _silent():
    """TensorFlow's C++ side writes to file descriptor 2 while it loads, whatever its log level says."""
    sys.stderr.flush()
    saved, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(null)


os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
try:
    with _silent():
        import tensorflow  # noqa: F401
except (
    ModuleNotFoundError
):  # where Keras trains on another backend: the networks and the data are enough
    pass
else:
    from .attacks import fgsm, pgd
    from .backprop import deconvnet, guided_backprop
    from .class_maps import cam, grad_cam, guided_grad_cam, upsample
    from .embeddings import features, neighbours, pca, tsne
    from .feature_maps import activations, filters
    from .gradients import gradient, integrated_gradients, residual, saliency, smoothgrad
    from .engine import logits, probabilities
    from .patches import Patches, ReceptiveField, receptive_field, top_patches
    from .perturbation import Occlusion, occlusion
    from .segmentation import segment
from .models import Net, find_layer, load

__version__ = "0.1.0"
# Rooms that are loaded when they are entered: matplotlib, ipywidgets and Pillow cost time.
_rooms = ("barnyard", "dissection", "photos", "show", "truth", "widgets")
__all__ = [
    "Net", "Occlusion", "Patches", "ReceptiveField", "activations", "cam", "deconvnet", "features", "fgsm", "filters", "find_layer", "grad_cam", "gradient",
    "guided_backprop", "guided_grad_cam", "integrated_gradients", "load", "logits", "neighbours", "occlusion", "patches", "pca", "pgd", "probabilities",
    "receptive_field", "residual", "saliency", "segment", "smoothgrad", "top_patches", "tsne", "upsample", *_rooms
]  # fmt: skip


def __getattr__(name):
    if name in _rooms:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *_rooms})

"""What a network looks at while it learns: a callback for `model.fit`."""

import importlib.util
import os
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from PIL import Image

from . import show
from .models import Net


class Lenses(keras.callbacks.Callback):
    """Draw `show.overview` of some images every few epochs.

    Parameters
    ----------
    net : Net
        Of the model that is trained, or of one that shares its layers.
    images : sequence of arrays, (H, W, 3), uint8
    every : int
        Epochs from one picture to the next; the first is drawn after the first epoch.
    folder : str or Path
        Gets the pictures, `epoch-0001.png` and so on, and, where TensorBoard is installed, the same
        as image summaries.
    **options
        As in `show.overview`: targets, others, width.

    Raises
    ------
    ValueError
        An `every` that is no whole number of at least 1, or what `show.overview` refuses; both
        before the first epoch.

    Examples
    --------
    >>> import tempfile
    >>> import vizlib
    >>> from vizlib import barnyard
    >>> from vizlib.callbacks import Lenses
    >>> net, some = vizlib.load("pocket"), barnyard.load(seeds=0).images
    >>> lenses = Lenses(net, some[:1], every=5, folder=tempfile.mkdtemp(), others=some[1:])
    >>> net.model.fit(net.preprocess(some), epochs=20, callbacks=[lenses])  # doctest: +SKIP
    """

    def __init__(
        self,
        net: Net,
        images: Sequence[np.ndarray],
        *,
        every: int = 1,
        folder: str | os.PathLike = "lenses",
        **options,
    ):
        super().__init__()
        if not isinstance(every, int) or every < 1:
            raise ValueError(f"every is a whole number of epochs from 1 on, not {every!r}.")
        self.net, self.images, self.every, self.options = net, images, every, options
        self.folder = Path(folder)

    def on_train_begin(self, logs=None):
        self._draw()  # what is wrong is said now

    def on_epoch_end(self, epoch, logs=None):
        if epoch % self.every:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self.folder / f"epoch-{epoch + 1:04}.png"
        self._draw().savefig(file, facecolor="white")
        if importlib.util.find_spec("tensorboard"):
            with (
                Image.open(file) as drawn,
                tf.summary.create_file_writer(str(self.folder)).as_default(),
            ):
                tf.summary.image("lenses", np.asarray(drawn.convert("RGB"))[None], step=epoch + 1)

    def _draw(self):
        return show.overview(self.net, self.images, **self.options)

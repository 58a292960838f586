"""What the parameters of public functions are; arrays come as NumPy arrays or what becomes one."""

from collections.abc import Callable
from typing import Any, Literal

import keras
import numpy as np

Images = np.ndarray  # (N, H, W, C), in model-input space
Maps = np.ndarray  # (N, h, w) or (N, h, w, C)
Data = Any  # images, or batches of them: a tf.data.Dataset, a PyDataset, any iterable
LayerLike = str | keras.Layer  # a layer or its name
Target = int | np.ndarray | list[int] | Callable | None  # class numbers, a function, or None
Score = Literal["logit", "probability", "output"]
Size = int | tuple[int, int]  # pixels; both sides, or (height, width)
Unit = int | tuple[int, int, int]  # a channel, or row, column and channel
Fill = float | np.ndarray  # a number, a colour (C,) or an image (H, W, C), in model-input space

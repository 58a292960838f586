"""What methods are given, checked: images, batches of data, counts, fill values."""

import os
import re
from contextlib import suppress

import keras
import numpy as np
import tensorflow as tf

from .. import keras_internals
from .._checks import as_array, check_whole, quoted
from ..models import channels_first


def check_model(model):
    """Raise unless it is a Keras model that is built."""
    if not isinstance(model, keras.Model):
        if isinstance(getattr(model, "model", None), keras.Model):
            raise ValueError("Methods take the network itself: give net.model instead of the Net.")
        if isinstance(model, str | os.PathLike):
            raise ValueError(
                f"{os.fspath(model)!r} is a name, not a network: give vizlib.load(name).model, or "
                "keras.models.load_model(path)."
            )
        raise ValueError(f"model is a keras.Model, not {type(model).__name__}.")
    if not model.built:
        raise ValueError(
            f"{model.name!r} has no weights yet: build it by a call, as in model(images[:1]), and "
            "load its weights."
        )


CHANNELS_FIRST = (
    "{!r} takes inputs of shape {}, with the channels first: build a model that takes (N, H, W, "
    "C), with its own Permute before this one."
)


def check_takes_images(model):
    """Raise unless it is a Keras model, built, of one input that is a batch of images."""
    check_model(model)
    given = keras_internals.inputs(model)
    if given is not None and len(given) != 1:
        raise ValueError(_hold_fixed(model, given))
    shape = input_shape(model)
    if shape is not None and channels_first(shape):
        raise ValueError(CHANNELS_FIRST.format(model.name, written(shape)))
    if shape is not None and len(shape) != 4:
        raise ValueError(
            f"{model.name!r} takes inputs of shape {written(shape)}: vizlib is for images (N, H, "
            "W, C)."
        )


def _hold_fixed(model, given):
    """The sentence that says how to make a model of the images alone."""
    rank4 = [i for i, tensor in enumerate(given) if len(tensor.shape) == 4] or [0]
    terms = [
        "x"
        if i == rank4[0]
        else f"keras.layers.Lambda(lambda x: tf.repeat({_variable(tensor)}, tf.shape(x)[0], 0))(x)"
        for i, tensor in enumerate(given)
    ]
    fixed = ", ".join(
        f"{_variable(t)} of shape {(1, *t.shape[1:])}" for i, t in enumerate(given) if i != rank4[0]
    )
    return (
        f"{model.name!r} has {len(given)} inputs: hold the others fixed, as in x = keras.Input("
        f"{tuple(given[rank4[0]].shape[1:])}); one = keras.Model(x, model([{', '.join(terms)}])), "
        f"with {fixed}."
    )


def _variable(tensor):
    return re.sub(r"\W", "_", tensor.name)


def check_channels_last(model):
    for layer in keras_internals.inner_layers(model):
        if getattr(layer, "data_format", None) == "channels_first":
            raise ValueError(
                f"{model.name!r} has its channels first ({layer.name!r}): build it with "
                "data_format='channels_last'; the weights stay the same."
            )


def input_shape(model):
    """(N, H, W, C) with None for what is open; None where a subclassed model does not know it."""
    given = keras_internals.inputs(model)
    return tuple(given[0].shape) if given is not None and len(given) == 1 else None


def _takes_whole(model):
    """Whether the images of a model are whole numbers; of a function that is not known."""
    return isinstance(model, keras.Model) and any(
        tensor.dtype in ("uint8", "int32") for tensor in keras_internals.inputs(model) or ()
    )


def written(shape):
    return "(" + ", ".join("N" if i == 0 else str(s or "?") for i, s in enumerate(shape)) + ")"


def check_images(model, images):
    """The images as float32 (N, H, W, C), or one sentence that says what is wrong with them."""
    check_takes_images(model)
    images, want = as_array(images, "Images"), input_shape(model)
    given = keras_internals.inputs(model)
    if not np.issubdtype(images.dtype, np.number) or np.iscomplexobj(images):
        kind = (
            type(images.flat[0]).__name__
            if images.size and images.dtype == object
            else images.dtype
        )
        raise ValueError(f"Images are real numbers of shape (N, H, W, C), not {kind}.")
    if images.ndim != 4 or 0 in images.shape:
        raise ValueError(_missing_axis(images, want))
    if images.dtype == np.uint8 and not (given and given[0].dtype == "uint8"):
        raise ValueError(
            "These images are uint8, so perhaps not preprocessed: give them as the model was "
            "trained on them, net.preprocess(images) for a vizlib.Net, or images.astype('float32') "
            "where the model itself scales 0..255."
        )
    if want and any(w not in (None, s) for w, s in zip(want[1:], images.shape[1:])):
        if images.shape[3] == 1 and want[3] == 3:
            raise ValueError(
                f"{model.name!r} takes three channels and these images are grey: give "
                "np.repeat(images, 3, axis=-1)."
            )
        raise ValueError(
            f"{model.name!r} takes images of shape {written(want)}, not {images.shape}: resize "
            "them, with photos.fit for instance, before they are preprocessed."
        )
    if _takes_whole(model):
        limits = np.iinfo(given[0].dtype)
        if not (np.equal(images, np.rint(images)) & (images >= 0) & (images <= limits.max)).all():
            raise ValueError(
                f"{model.name!r} takes whole numbers ({given[0].dtype}), and these images hold "
                "others: give them as they were loaded, 0..255."
            )
    with np.errstate(over="ignore"):
        images = images.astype("float32", copy=False)
    if not np.isfinite(images).all():
        raise ValueError(
            "The images hold NaN or infinite values: look for a division by zero where they were "
            "made."
        )
    return images


def _missing_axis(images, want):
    """What to do with an array that is no batch of images."""
    shape = images.shape
    if images.ndim == 3 and 0 not in shape:
        if want and want[3] == 1 and all(w in (None, s) for w, s in zip(want[1:3], shape[1:])):
            return (
                "These images lack the axis of channels: give images[..., None], of shape "
                f"{(*shape, 1)}."
            )
        if shape[-1] > 4:
            return (
                "Images have the shape (N, H, W, C): give images[..., None] for grey ones without "
                f"an axis of channels, or images[None] for a single one, instead of {shape}."
            )
        return (
            f"Images come in a batch: give images[None], of shape {(1, *shape)}, instead of "
            f"{shape}."
        )
    if images.ndim == 2 and 0 not in shape:
        return (
            "Images have the shape (N, H, W, C): give images[None, ..., None] for a grey one of "
            f"{shape}."
        )
    return f"Images have the shape (N, H, W, C) with N at least 1, not {shape}."


def is_number(value):
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)


def check_count(value, name):
    check_whole(value, name, 1)
    check_whole(value, name, 1, 10**6)  # what takes more would seem never to end


def canvas(value, shape, name):
    """A number, a colour (C,) or an image, as an image of `shape` (H, W, C)."""
    array = as_array(value, name)
    if array.shape not in ((), shape[-1:], shape) or array.dtype.kind not in "iuf":
        given = quoted(value) if array.shape == () else array.shape
        raise ValueError(
            f"{name} is a number, a colour {shape[-1:]} or an image {shape}, in model-input space, "
            f"not {given}."
        )
    with np.errstate(over="ignore"):
        array = array.astype("float32")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} holds NaN or infinite values.")
    return np.broadcast_to(array, shape)


def check_bounds(bounds, shape, images=None):
    """The lowest and the highest legal value, each as an image of `shape`; images lie between."""
    try:
        low, high = bounds
    except Exception:  # no pair
        raise ValueError(
            "bounds is a pair, the lowest and the highest legal value: (net.low, net.high)."
        ) from None
    low, high = (canvas(v, shape, name) for v, name in ((low, "low"), (high, "high")))
    inside = low if images is None else images
    if not ((inside >= low - 1e-3) & (inside <= high + 1e-3)).all():
        raise ValueError(
            "The images lie outside the bounds: give the bounds of model-input space, "
            "(net.low, net.high)."
        )
    return low, high


def cover(model, image, fill, blur):
    """The image (H, W, C) that takes the place of what is covered, rounded where the model asks.

    `fill` is "mean", the image's mean pixel; "blur", the image behind a Gaussian of `blur` pixels;
    or as in `canvas`.
    """
    if isinstance(fill, str) and fill == "blur":
        from skimage.filters import gaussian

        fill = gaussian(image, blur, channel_axis=-1, mode="nearest", preserve_range=True)
    if isinstance(fill, str) and fill == "mean":
        fill = image.mean((0, 1))
    found = canvas(fill, image.shape, "fill, if not 'mean' or 'blur',")
    return np.rint(found) if _takes_whole(model) else found


def bar(steps, progress, total=None):
    """The steps, with a progress bar if asked for."""
    if not progress:
        return steps
    from tqdm.auto import tqdm

    return tqdm(steps, total=total)


def stream(model, data, *, batch_size=32, progress=False):
    """Checked batches of data, in order: (images (n, H, W, C), float32; labels (n, ...) or None).

    Data are images in an array or a list, or batches of them, alone or each with labels: a
    `tf.data.Dataset`, a `PyDataset`, or any iterable. Batches may differ in size where the model
    takes that.
    """
    check_takes_images(model)
    check_count(batch_size, "batch_size")
    empty = True
    for batch in bar(_batches_of(data, batch_size), progress, _length(data, batch_size)):
        images, labels = batch if isinstance(batch, tuple) else (batch, None)
        images = check_images(model, images)
        if labels is not None and len(labels) != len(images):
            raise ValueError(f"A batch of {len(images)} images has {len(labels)} labels.")
        empty = False
        yield images, labels
    if empty:
        raise ValueError("The data is empty: give at least one image.")


def _batches_of(data, batch_size):
    """Batches as they are, images or (images, labels)."""
    iterable = hasattr(data, "__iter__") or hasattr(data, "__getitem__")
    if isinstance(data, str | bytes | os.PathLike | dict) or not iterable:
        raise ValueError(
            f"Data are images (N, H, W, C) or batches of them, not {type(data).__name__}."
        )
    if isinstance(data, tf.data.Dataset) and data.cardinality() == tf.data.INFINITE_CARDINALITY:
        raise ValueError("The data never ends: say how much of it is meant, as in data.take(100).")
    if isinstance(data, tf.data.Dataset) and _ranks(data) == [3]:
        raise ValueError("The data are single images: give them in batches, as in data.batch(32).")
    if isinstance(data, keras.utils.PyDataset):
        number = None
        with suppress(NotImplementedError):  # it has no __len__
            number = data.num_batches
        if number is None:
            raise ValueError("The data never ends: give a PyDataset with a __len__.")
        return map(_images_and_labels, map(data.__getitem__, range(number)))
    if isinstance(data, list | tuple) and data and isinstance(data[0], str | os.PathLike):
        raise ValueError(
            "These are names of files: read them one by one, as in (net.preprocess(photos.fit("
            "photos.load(name), net.size)[None]) for name in names)."
        )
    if isinstance(data, list | tuple) and data and all(getattr(x, "ndim", 0) == 3 for x in data):
        return _stacked(data, batch_size)
    if hasattr(data, "shape"):
        if np.ndim(data) != 4:
            return iter([data])  # refused with its own sentence
        return (data[i : i + batch_size] for i in range(0, len(data), batch_size))
    return map(_images_and_labels, data)


def _ranks(data):
    """Of the images in a `tf.data.Dataset`, where that is known."""
    first = keras.tree.flatten(data.element_spec)[:1]
    return [spec.shape.rank for spec in first if isinstance(spec, tf.TensorSpec)]


def _stacked(images, batch_size):
    """Single images (H, W, C) in batches of one size each."""
    part = []
    for image in images:
        if part and (len(part) == batch_size or np.shape(image) != np.shape(part[0])):
            yield np.stack(part)
            part = []
        part.append(image)
    yield np.stack(part)


def _images_and_labels(batch):
    """An array, or the pair of what a batch (x,), (x, y) or (x, y, weights) holds."""
    if isinstance(batch, dict):
        raise ValueError(
            f"A batch holds {', '.join(map(str, batch))}: say which are the images, as in "
            "data.map(lambda batch: batch['image'])."
        )
    if isinstance(batch, tuple | list):
        if not 1 <= len(batch) <= 3:
            raise ValueError(f"A batch holds images, or (images, labels), not {len(batch)} things.")
        x, y = (*batch, None)[:2]
        if isinstance(x, dict | tuple | list):
            raise ValueError(
                "A batch has several inputs: give the images alone, or (images, labels)."
            )
        return x, None if y is None or isinstance(y, dict | tuple | list) else np.asarray(y)
    return batch


def _length(data, batch_size):
    with suppress(TypeError, ValueError):
        return -(-len(data) // int(batch_size)) if hasattr(data, "shape") else len(data)

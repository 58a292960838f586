"""Explorers for JupyterLab: each a pure function from choices to an image, and controls for it."""

from collections.abc import Sequence

import ipywidgets as controls
import numpy as np
from IPython.display import display
from matplotlib import colormaps

from . import show as draw
from .class_maps import grad_cam
from .engine import both_sides, probabilities
from .feature_maps import activations
from .gradients import gradient, integrated_gradients, saliency, smoothgrad
from .models import Net, check_net, class_number, find_layer, map_layers
from .patches import Patches, crop
from .perturbation import occlusion

VIEW = "application/vnd.jupyter.widget-view+json"


def show(box: controls.Widget, *, says: str) -> None:
    """Put a widget on the page; `says` is what stands there where no kernel runs.

    Parameters
    ----------
    box : ipywidgets.Widget
    says : str
        One sentence, for instance "Explorer: layer and channel. Run this cell to use it."

    Examples
    --------
    >>> import ipywidgets
    >>> from vizlib import widgets
    >>> widgets.show(ipywidgets.Label("hen"), says="A label.")  # doctest: +ELLIPSIS
    {'text/plain': 'A label.', ...'model_id': ...}}
    """
    display(
        {
            "text/plain": says,
            VIEW: {"version_major": 2, "version_minor": 0, "model_id": box.model_id},
        },
        raw=True,
    )


def feature_map(
    net: Net, picture: np.ndarray, layer: str, channel: int, *, side: int = 288
) -> tuple[np.ndarray, float]:
    """An image beside one channel of a layer and that channel laid over the image.

    Parameters
    ----------
    net : Net
    picture : array, (H, W, 3), uint8, of the net's size
    layer : str
    channel : int
    side : int
        Height of the result in pixels.

    Returns
    -------
    ndarray, (side, 3 * side, 3), uint8
    float
        The largest activation; the map's colours go from 0 to it.

    Examples
    --------
    >>> import vizlib
    >>> from vizlib import barnyard, widgets
    >>> net, hen = vizlib.load("pocket"), barnyard.load(classes="hen", seeds=0).images[0]
    >>> widgets.feature_map(net, hen, "block1_conv1", 3, side=96)[0].shape
    (96, 288, 3)
    """
    check_net(net)
    maps = activations(net.model, net.preprocess(picture[None]), layer)[0, :, :, channel]
    coloured = colormaps[draw.SEQUENTIAL](maps / (maps.max() or 1))[..., :3] * 255
    panels = (picture, coloured.astype("uint8"), draw.overlay(picture, np.maximum(maps, 0)))
    return np.hstack([draw.enlarge(panel, side) for panel in panels]), float(maps.max())


def feature_maps(net: Net, pictures: dict[str, np.ndarray]) -> controls.VBox:
    """Walk through the layers and channels of a network.

    Parameters
    ----------
    net : Net
    pictures : dict
        Name -> uint8 image (H, W, 3) of the net's size.

    Returns
    -------
    ipywidgets.VBox

    Examples
    --------
    >>> import vizlib
    >>> from vizlib import barnyard, widgets
    >>> net, hen = vizlib.load("pocket"), barnyard.load(classes="hen", seeds=0).images[0]
    >>> explorer = widgets.feature_maps(net, {"hen": hen})
    >>> [control.description for control in explorer.children[0].children]
    ['picture', 'layer', 'channel']
    """
    check_net(net)
    widths = _widths(net, map_layers(net.model, net.size))
    picture = controls.Dropdown(options=list(pictures), description="picture")
    layer = controls.Dropdown(options=list(widths), description="layer")
    channel = controls.IntSlider(
        0, 0, widths[layer.value] - 1, description="channel", continuous_update=False
    )
    image, caption = controls.Image(format="png"), controls.Label()

    def redraw():
        channel.max = widths[layer.value] - 1
        panels, top = feature_map(net, pictures[picture.value], layer.value, channel.value)
        image.value = draw.png(panels)
        caption.value = f"{layer.value}, channel {channel.value}: brightest is {top:.3g}"

    return _explorer(redraw, [[picture, layer, channel]], image, caption)


def covered(
    net: Net, picture: np.ndarray, box: tuple[int, int, int, int], *, side: int = 288
) -> tuple[np.ndarray, np.ndarray]:
    """An image with a box in its own mean colour, and what the network predicts of it.

    Parameters
    ----------
    net : Net
    picture : array, (H, W, 3), uint8, of the net's size
    box : (top, left, bottom, right)
        In pixels; bottom and right are the first pixel outside.
    side : int
        Height of the result in pixels.

    Returns
    -------
    ndarray, (side, side, 3), uint8
    ndarray, (K,)
        The probabilities.

    Examples
    --------
    >>> import vizlib
    >>> from vizlib import barnyard, widgets
    >>> net, hen = vizlib.load("pocket"), barnyard.load(classes="hen", seeds=0).images[0]
    >>> view, p = widgets.covered(net, hen, (0, 0, 48, 48), side=96)
    >>> view.shape, p.shape
    ((96, 96, 3), (7,))
    """
    check_net(net)
    x = net.preprocess(picture[None])
    top, left, bottom, right = box
    x[0, top:bottom, left:right] = x[0].mean((0, 1))
    return draw.enlarge(net.deprocess(x)[0], side), both_sides(probabilities(net.model, x))[0]


def occlusions(net: Net, pictures: dict[str, np.ndarray], *, patch: int = 48) -> controls.VBox:
    """Cover a position of an image and see what the network predicts.

    Beside it is the map of all positions for one class.

    Parameters
    ----------
    net : Net
    pictures : dict
        Name -> uint8 image (H, W, 3) of the net's size.
    patch : int
        The first patch size.

    Returns
    -------
    ipywidgets.VBox

    Examples
    --------
    >>> import vizlib
    >>> from vizlib import barnyard, widgets
    >>> net, hen = vizlib.load("pocket"), barnyard.load(classes="hen", seeds=0).images[0]
    >>> explorer = widgets.occlusions(net, {"hen": hen}, patch=96)
    >>> [control.description for control in explorer.children[0].children]
    ['picture', 'class', 'patch']
    """
    check_net(net)
    height, width = net.size
    clean = _predicted(net, pictures)
    picture = controls.Dropdown(options=list(pictures), description="picture")
    target = _classes(net, clean)
    fits = [side for side in (4, 8, 16, 32, 48, 64, 96) if side <= min(net.size) // 2]
    patch = min(patch, fits[-1])
    size = controls.Dropdown(options=fits[-5:], value=patch, description="patch")
    row = controls.IntSlider(
        height // 4, 0, height - patch, step=4, description="row", continuous_update=False
    )
    column = controls.IntSlider(
        width // 4, 0, width - patch, step=4, description="column", continuous_update=False
    )
    image, caption, heat = controls.Image(format="png"), controls.HTML(), {}

    def redraw():
        row.max, column.max = height - size.value, width - size.value
        key = picture.value, target.value, size.value
        if key not in heat:
            x = net.preprocess(pictures[picture.value][None])
            stride = min(16, size.value // 2)
            result = occlusion(net.model, x, target.value, patch=size.value, stride=stride)
            heat[key] = draw.overlay(pictures[picture.value], result.heatmap()[0])
        box = row.value, column.value, row.value + size.value, column.value + size.value
        left, now = covered(net, pictures[picture.value], box)
        image.value = draw.png(np.hstack([left, draw.enlarge(heat[key], left.shape[0])]))
        before = clean[picture.value]
        lines = (
            f"{net.labels[k]}: {before[k]:.2f}, covered <b>{now[k]:.2f}</b>"
            for k in np.argsort(-before - now)[:3]
        )
        caption.value = " &nbsp; ".join(lines)

    return _explorer(redraw, [[picture, target, size], [row, column]], image, caption)


def nearest(
    pictures: np.ndarray, indices: dict[str, np.ndarray], i: int, *, side: int = 96
) -> np.ndarray:
    """An image before its neighbours, one row for each space.

    Parameters
    ----------
    pictures : array, (N, H, W, 3), uint8
    indices : dict
        Name of a space -> (N, k) neighbours of every image in it.
    i : int
        The number of the image.
    side : int
        Of each image, in pixels.

    Returns
    -------
    ndarray, (side * spaces, side * (k + 1), 3), uint8

    Examples
    --------
    >>> import numpy as np
    >>> from vizlib import widgets
    >>> images = np.arange(3, dtype="uint8")[:, None, None, None] * np.ones((8, 8, 3), "uint8")
    >>> widgets.nearest(images, {"pixels": np.array([[1, 2], [0, 2], [1, 0]])}, 2, side=1)[0, :, 0]
    array([2, 1, 0], dtype=uint8)
    """
    rows = [(i, *found[i]) for found in indices.values()]
    return np.vstack([np.hstack([draw.enlarge(pictures[j], side) for j in row]) for row in rows])


def neighbourhood(
    pictures: np.ndarray, names: Sequence[str], indices: dict[str, np.ndarray]
) -> controls.VBox:
    """Choose an image and see its neighbours.

    Parameters
    ----------
    pictures : array, (N, H, W, 3), uint8
    names : sequence of str
        Of the images.
    indices : dict
        Name of a space -> (N, k) neighbours of every image in it.

    Returns
    -------
    ipywidgets.VBox

    Examples
    --------
    >>> import numpy as np
    >>> from vizlib import widgets
    >>> images, nearest = np.zeros((3, 8, 8, 3), "uint8"), np.array([[1, 2], [0, 2], [1, 0]])
    >>> explorer = widgets.neighbourhood(images, ["hen", "duck", "pig"], {"pixels": nearest})
    >>> explorer.children[-1].value
    '<b>hen</b><br>pixels: duck, pig'
    """
    chosen = controls.Dropdown(
        options=[(f"{i}: {name}", i) for i, name in enumerate(names)], description="picture"
    )
    image, caption = controls.Image(format="png"), controls.HTML()

    def redraw():
        image.value = draw.png(nearest(pictures, indices, chosen.value))
        rows = (
            f"{space}: {', '.join(names[j] for j in found[chosen.value])}"
            for space, found in indices.items()
        )
        caption.value = f"<b>{names[chosen.value]}</b><br>" + "<br>".join(rows)

    return _explorer(redraw, [[chosen]], image, caption)


def signal(
    net: Net, picture: np.ndarray, rule: str, layer: str | None, channel: int, *, side: int = 288
) -> np.ndarray:
    """An image beside what comes back to its pixels from one channel, under one rule at the ReLUs.

    Parameters
    ----------
    net : Net
    picture : array, (H, W, 3), uint8, of the net's size
    rule : {"plain", "deconvnet", "guided"}
    layer : str or None
        None: the classes; the channel is the class number then.
    channel : int
        Taken where it is largest.
    side : int
        Height of the result in pixels.

    Returns
    -------
    ndarray, (side, 2 * side, 3), uint8
        Grey is zero; colours saturate at the 99th percentile.

    Examples
    --------
    >>> import vizlib
    >>> from vizlib import barnyard, widgets
    >>> net, hen = vizlib.load("pocket"), barnyard.load(classes="hen", seeds=0).images[0]
    >>> widgets.signal(net, hen, "guided", None, net.index("hen"), side=96).shape
    (96, 192, 3)
    """
    check_net(net)
    start = dict(target=channel) if layer is None else dict(layer=layer, unit=channel)
    maps = gradient(net.model, net.preprocess(picture[None]), relu=rule, **start)
    coloured = np.rint(255 * draw.signed(net.rgb(maps), share=0.99)[0]).astype("uint8")
    return np.hstack([draw.enlarge(panel, side) for panel in (picture, coloured)])


def signals(net: Net, pictures: dict[str, np.ndarray]) -> controls.VBox:
    """Choose an image, a layer, a channel and a rule, and see what comes back to the pixels.

    Parameters
    ----------
    net : Net
    pictures : dict
        Name -> uint8 image (H, W, 3) of the net's size.

    Returns
    -------
    ipywidgets.VBox

    Examples
    --------
    >>> import vizlib
    >>> from vizlib import barnyard, widgets
    >>> net, hen = vizlib.load("pocket"), barnyard.load(classes="hen", seeds=0).images[0]
    >>> explorer = widgets.signals(net, {"hen": hen})
    >>> [control.description for control in explorer.children[0].children]
    ['picture', 'layer']
    """
    check_net(net)
    widths = _widths(net, net.stages)
    picture = controls.Dropdown(options=list(pictures), description="picture")
    layer = controls.Dropdown(
        options=[("class", None), *((name, name) for name in net.stages)], description="layer"
    )
    channel = controls.IntSlider(
        0, 0, len(net.labels) - 1, description="channel", continuous_update=False
    )
    rule = controls.Dropdown(options=["plain", "deconvnet", "guided"], description="rule")
    image, caption = controls.Image(format="png"), controls.Label()

    def redraw():
        channel.max = widths.get(layer.value, len(net.labels)) - 1
        image.value = draw.png(
            signal(net, pictures[picture.value], rule.value, layer.value, channel.value)
        )
        named = (
            f"class {net.labels[channel.value]}"
            if layer.value is None
            else f"{layer.value}, channel {channel.value}"
        )
        caption.value = f"{named}, rule {rule.value}"

    return _explorer(redraw, [[picture, layer], [channel, rule]], image, caption)


def _explorer(redraw, rows, *below):
    """Rows of controls, and below them what is drawn anew whenever one of them changes."""
    for control in (control for row in rows for control in row):
        control.observe(lambda change: redraw(), "value")
    redraw()
    return controls.VBox([*map(controls.HBox, rows), *below])


def _widths(net, layers):
    """Layer -> the number of its channels, however deep the layer is nested."""
    return {name: find_layer(net.model, name).output.shape[-1] for name in layers}


def _predicted(net, pictures):
    """Name -> the probabilities of all classes."""
    return {
        name: both_sides(probabilities(net.model, net.preprocess(image[None])))[0]
        for name, image in pictures.items()
    }


def _classes(net, clean):
    """The likeliest classes of all images, and what each is taken for; first the first image's."""
    likeliest = np.argsort(-np.max(list(clean.values()), 0))[:7]
    predicted = [p.argmax() for p in clean.values()]
    options = [(net.labels[k], int(k)) for k in dict.fromkeys([*likeliest, *predicted])]
    return controls.Dropdown(options=options, value=int(predicted[0]), description="class")


def _colours(net, maps):
    return (draw.signed(net.rgb(maps), share=0.995)[0] * 255).astype("uint8")


def _heat(maps):
    level = np.clip(maps[0] / (np.quantile(maps, 0.999) or 1.0), 0, 1)
    return (colormaps[draw.SEQUENTIAL](level)[..., :3] * 255).astype("uint8")


WAYS = {
    "gradient": lambda net, x, k: _colours(net, gradient(net.model, x, k)),
    "saliency": lambda net, x, k: _heat(saliency(net.model, x, k)),
    "SmoothGrad, 2 % noise": lambda net, x, k: _heat(
        np.abs(smoothgrad(net.model, x, k, samples=16, noise=0.02, batch_size=8)).max(-1)
    ),
    "integrated gradients": lambda net, x, k: _heat(
        np.abs(integrated_gradients(net.model, x, k, steps=16, batch_size=8)).max(-1)
    ),
}


def gradient_map(
    net: Net, picture: np.ndarray, target: str | int, way: str, *, side: int = 288
) -> np.ndarray:
    """What one of `WAYS` to use the gradient of a class shows of an image.

    Parameters
    ----------
    net : Net
    picture : array, (H, W, 3), uint8, of the net's size
    target : class name or number
    way : str
        One of `WAYS`.
    side : int
        Of the result in pixels.

    Returns
    -------
    ndarray, (side, side, 3), uint8

    Examples
    --------
    >>> import vizlib
    >>> from vizlib import barnyard, widgets
    >>> net, hen = vizlib.load("pocket"), barnyard.load(classes="hen", seeds=0).images[0]
    >>> widgets.gradient_map(net, hen, "hen", "saliency", side=96).shape
    (96, 96, 3)
    """
    k = class_number(net, target)
    return draw.enlarge(WAYS[way](net, net.preprocess(picture[None]), k), side)


def gradient_maps(net: Net, pictures: dict[str, np.ndarray]) -> controls.VBox:
    """Choose an image, a class and a way to use its gradient.

    Parameters
    ----------
    net : Net
    pictures : dict
        Name -> uint8 image (H, W, 3) of the net's size.

    Returns
    -------
    ipywidgets.VBox

    Examples
    --------
    >>> import vizlib
    >>> from vizlib import barnyard, widgets
    >>> net, hen = vizlib.load("pocket"), barnyard.load(classes="hen", seeds=0).images[0]
    >>> explorer = widgets.gradient_maps(net, {"hen": hen})
    >>> [control.description for control in explorer.children[0].children]
    ['picture', 'class', 'method']
    """
    check_net(net)
    clean = _predicted(net, pictures)
    picture = controls.Dropdown(options=list(pictures), description="picture")
    target = _classes(net, clean)
    method = controls.Dropdown(options=list(WAYS), description="method")
    image, caption = controls.Image(format="png"), controls.Label()

    def redraw():
        shown = pictures[picture.value]
        view = gradient_map(net, shown, target.value, method.value)
        image.value = draw.png(np.hstack([draw.enlarge(shown, len(view)), view]))
        p = clean[picture.value][target.value]
        caption.value = f"{net.labels[target.value]}: probability {p:.2f}"

    return _explorer(redraw, [[picture, target, method]], image, caption)


def best_patches(pictures: np.ndarray, found: Patches, unit: int, *, side: int = 96) -> np.ndarray:
    """The best patches of a unit and, below each, its image with the unit's window framed.

    Parameters
    ----------
    pictures : array, (N, H, W, 3), uint8
        The data that was mined, in order.
    found : Patches
    unit : int
        Its row in `found`.
    side : int
        Of each patch and image, in pixels.

    Returns
    -------
    ndarray, (2 * side, k * side, 3), uint8

    Examples
    --------
    >>> import keras, numpy as np, vizlib
    >>> from vizlib import widgets
    >>> model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3, name="conv")])
    >>> images = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), "uint8")
    >>> found = vizlib.top_patches(model, images.astype("float32"), "conv", channels=[1, 2], k=3)
    >>> widgets.best_patches(images, found, 1, side=16).shape
    (32, 48, 3)
    """
    at = slice(unit, unit + 1)
    one = Patches(found.value[at], found.image[at], found.position[at], found.box[at], found.seen)
    framed, size = pictures[one.image[0]].copy(), pictures.shape[1:3] * 2
    for picture, box in zip(framed, one.box[0]):
        # where the window sticks out, the frame runs along the border
        top, left, bottom, right = np.clip(box, 0, size)
        inner = picture[top + 2 : bottom - 2, left + 2 : right - 2].copy()
        picture[top:bottom, left:right] = 255, 210, 0
        picture[top + 2 : bottom - 2, left + 2 : right - 2] = inner
    rows = crop(pictures, one)[0], framed
    return np.vstack([np.hstack([draw.enlarge(view, side) for view in row]) for row in rows])


def units(pictures: np.ndarray, mined: dict[str, Patches]) -> controls.VBox:
    """Choose a layer and a unit and see its best patches.

    Parameters
    ----------
    pictures : array, (N, H, W, 3), uint8
        The data that was mined, in order.
    mined : dict
        Layer -> Patches of all its channels.

    Returns
    -------
    ipywidgets.VBox

    Examples
    --------
    >>> import keras, numpy as np, vizlib
    >>> from vizlib import widgets
    >>> model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3, name="conv")])
    >>> images = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), "uint8")
    >>> found = vizlib.top_patches(model, images.astype("float32"), "conv", channels=[1, 2], k=3)
    >>> explorer = widgets.units(images, {"conv": found})
    >>> [control.description for control in explorer.children[0].children]
    ['layer', 'unit']
    """
    layer = controls.Dropdown(options=list(mined), description="layer")
    unit = controls.IntSlider(
        0, 0, len(mined[layer.value].value) - 1, description="unit", continuous_update=False
    )
    image, caption = controls.Image(format="png"), controls.Label()

    def redraw():
        found = mined[layer.value]
        unit.max = len(found.value) - 1
        image.value = draw.png(best_patches(pictures, found, unit.value))
        values = ", ".join(f"{value:.3g}" for value in found.value[unit.value])
        caption.value = f"{layer.value}, unit {unit.value}: activations {values}"

    return _explorer(redraw, [[layer, unit]], image, caption)


def class_map(
    net: Net, picture: np.ndarray, target: str | int, layer: str, *, side: int = 288
) -> np.ndarray:
    """Grad-CAM of a class at a layer, laid over the image.

    Parameters
    ----------
    net : Net
    picture : array, (H, W, 3), uint8, of the net's size
    target : class name or number
    layer : str
    side : int
        Of the result in pixels.

    Returns
    -------
    ndarray, (side, side, 3), uint8

    Examples
    --------
    >>> import vizlib
    >>> from vizlib import barnyard, widgets
    >>> net, hen = vizlib.load("pocket"), barnyard.load(classes="hen", seeds=0).images[0]
    >>> widgets.class_map(net, hen, "hen", net.stages[4], side=96).shape
    (96, 96, 3)
    """
    k = class_number(net, target)
    maps = grad_cam(net.model, net.preprocess(picture[None]), k, layer=layer)
    return draw.enlarge(draw.overlay(picture, maps[0]), side)


def class_maps(net: Net, pictures: dict[str, np.ndarray]) -> controls.VBox:
    """Choose an image, a class and a layer, and see Grad-CAM.

    Parameters
    ----------
    net : Net
    pictures : dict
        Name -> uint8 image (H, W, 3) of the net's size.

    Returns
    -------
    ipywidgets.VBox

    Examples
    --------
    >>> import vizlib
    >>> from vizlib import barnyard, widgets
    >>> net, hen = vizlib.load("pocket"), barnyard.load(classes="hen", seeds=0).images[0]
    >>> explorer = widgets.class_maps(net, {"hen": hen})
    >>> [control.description for control in explorer.children[0].children]
    ['picture', 'class', 'layer']
    """
    check_net(net)
    clean = _predicted(net, pictures)
    picture = controls.Dropdown(options=list(pictures), description="picture")
    target = _classes(net, clean)
    layer = controls.Dropdown(options=net.stages[::-1], description="layer")
    image, caption = controls.Image(format="png"), controls.Label()

    def redraw():
        shown = pictures[picture.value]
        view = class_map(net, shown, target.value, layer.value)
        image.value = draw.png(np.hstack([draw.enlarge(shown, len(view)), view]))
        p = clean[picture.value][target.value]
        caption.value = f"{net.labels[target.value]}: probability {p:.2f}"

    return _explorer(redraw, [[picture, target, layer]], image, caption)

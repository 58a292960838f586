"""Explorers for JupyterLab: each a pure function from choices to an image, and controls for it."""

import io
import threading
from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path

import anywidget
import ipywidgets as controls
import numpy as np
import traitlets
from IPython.display import display
from matplotlib import colormaps
from matplotlib.colors import to_hex

from . import photos
from . import show as draw
from .attacks import fgsm
from .class_maps import grad_cam
from .engine import both_sides, probabilities
from .feature_maps import activations
from .gradients import gradient, integrated_gradients, saliency, smoothgrad
from .models import Net, check_net, class_number, map_layers
from .patches import Patches, crop
from .perturbation import occlusion

VIEW = "application/vnd.jupyter.widget-view+json"


class Control(anywidget.AnyWidget):
    """A control that menus cannot replace: `front.js` says what each kind shows and sends.

    Parameters
    ----------
    kind : {"tiles", "bars", "plane", "patch", "view", "photograph", "slider"}
    label : str
        What a screen reader calls it.
    items : list or dict
        What there is to choose or to see.
    sheet : bytes
        One PNG that holds all pictures as tiles, or the file that the reader gives.
    grid : (columns, rows)
        Of the sheet.
    value : number or list
        What the reader chose.

    Examples
    --------
    >>> from vizlib import widgets
    >>> widgets.Control(kind="bars", label="class", items=[], value=3).value
    3
    """

    _esm = Path(__file__).with_name("front.js")
    _css = Path(__file__).with_name("front.css")
    kind, label = traitlets.Unicode().tag(sync=True), traitlets.Unicode().tag(sync=True)
    items, value = traitlets.Any([]).tag(sync=True), traitlets.Any().tag(sync=True)
    sheet, grid = traitlets.CBytes().tag(sync=True), traitlets.Any([1, 1]).tag(sync=True)


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
    top = maps.max()
    coloured = colormaps[draw.SEQUENTIAL](maps / (top if top > 0 else 1))[..., :3] * 255
    panels = (picture, coloured.astype("uint8"), draw.overlay(picture, np.maximum(maps, 0)))
    return np.hstack([draw.enlarge(panel, side) for panel in panels]), float(top)


def wall(net: Net, picture: np.ndarray, layer: str, *, side: int = 48) -> tuple:
    """All channels of a layer as thumbnails, each as bright as its own largest activation allows.

    Parameters
    ----------
    net : Net
    picture : array, (H, W, 3), uint8, of the net's size
    layer : str
    side : int
        Of a thumbnail in pixels.

    Returns
    -------
    ndarray, (C, side, side, 3), uint8
    ndarray, (C,)
        The largest activation of each channel.

    Examples
    --------
    >>> import vizlib
    >>> from vizlib import barnyard, widgets
    >>> net, hen = vizlib.load("pocket"), barnyard.load(classes="hen", seeds=0).images[0]
    >>> thumbnails, largest = widgets.wall(net, hen, "block1_conv1", side=24)
    >>> thumbnails.shape, largest.shape
    ((16, 24, 24, 3), (16,))
    """
    check_net(net)
    maps = activations(net.model, net.preprocess(picture[None]), layer)[0]
    largest = maps.max((0, 1))
    rows, columns = (np.arange(side) * n // side for n in maps.shape[:2])
    few = maps[rows][:, columns] / np.where(largest > 0, largest, 1)
    coloured = colormaps[draw.SEQUENTIAL](few.transpose(2, 0, 1), bytes=True)[..., :3]
    return coloured, largest


def feature_maps(net: Net, pictures: dict[str, np.ndarray]) -> controls.VBox:
    """Walk through the layers of a network, over a wall of all channels of each.

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
    ['picture', 'layer', 'order']
    """
    check_net(net)
    picture = _menu("picture", list(pictures))
    layer = _menu("layer", map_layers(net.model, net.size))
    order = _menu("order", ["strongest here first", "by number"])
    channel, view, on_wall = Control(kind="tiles", label="channels"), _view(), []

    def redraw():
        shown, key = pictures[picture.value], [picture.value, layer.value, order.value]
        if key != on_wall:
            thumbnails, largest = wall(net, shown, layer.value)
            new = key[1:2] != on_wall[1:2]
            on_wall[:] = key
            _fill_wall(channel, thumbnails, largest, order.value.startswith("strongest"))
            if new:
                channel.value = int(largest.argmax())
        _stay(channel)
        panels, top = feature_map(net, shown, layer.value, channel.value)
        says = f"{layer.value}, channel {channel.value}: brightest is {top:.3g}"
        captions = [picture.value, f"channel {channel.value}", "laid over"]
        _see(view, panels, (3, 1), captions, says)

    return _explorer(redraw, [picture, layer, order], channel, view)


def covered(
    net: Net,
    picture: np.ndarray,
    box: tuple[int, int, int, int],
    *,
    fill: str = "mean",
    side: int = 288,
) -> tuple[np.ndarray, np.ndarray]:
    """An image with a box in one colour, and what the network predicts of it.

    Parameters
    ----------
    net : Net
    picture : array, (H, W, 3), uint8, of the net's size
    box : (top, left, bottom, right)
        In pixels; bottom and right are the first pixel outside.
    fill : {"mean", "black", "white"}
        The mean is the image's own.
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
    x[0, top:bottom, left:right] = x[0].mean((0, 1)) if fill == "mean" else _fill(net, fill)
    return draw.enlarge(net.deprocess(x)[0], side), both_sides(probabilities(net.model, x))[0]


def occlusions(net: Net, pictures: dict[str, np.ndarray], *, patch: int = 48) -> controls.VBox:
    """Drag a patch over an image and see what the network predicts.

    Below are the probabilities, with a tick where each was before, and the map of all positions
    for the class that is chosen.

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
    ['picture', 'size', 'fill']
    """
    check_net(net)
    clean = _predicted(net, pictures)
    picture = _menu("picture", list(pictures))
    fits = [side for side in (4, 8, 16, 32, 48, 64, 96) if side <= min(net.size) // 2]
    patch = min(patch, fits[-1])
    size = controls.Dropdown(options=fits[-5:], value=patch, description="size")
    fill = _menu("fill", ["mean", "black", "white"])
    square = Control(kind="patch", label="patch: drag it, or use the arrow keys")
    square.value = [(n - patch) // 2 for n in net.size]
    target, view, heat, last = _bars(net, clean), _view(), {}, []

    def redraw():
        shown, side = pictures[picture.value], size.value
        square.value = [min(at, n - side) for at, n in zip(square.value, net.size)]
        mean = np.rint(shown.mean((0, 1))).astype(int)
        colour = "rgb({}, {}, {})".format(*mean) if fill.value == "mean" else fill.value
        with square.hold_sync():
            square.items = dict(size=net.size, side=side, fill=colour, alt=picture.value)
            square.sheet = draw.png(shown)
        top, left = square.value
        box = top, left, top + side, left + side
        now = covered(net, shown, box, fill=fill.value)[1]
        _reopen(target, last, picture.value, clean[picture.value])
        _fill_bars(target, net, now, clean[picture.value])
        key = picture.value, target.value, side, fill.value
        if key not in heat:
            result = occlusion(
                net.model,
                net.preprocess(shown[None]),
                target.value,
                patch=side,
                stride=min(16, side // 2),
                fill="mean" if fill.value == "mean" else _fill(net, fill.value),
            )
            heat[key] = draw.overlay(shown, result.heatmap()[0])
        name, before = net.labels[target.value], clean[picture.value][target.value]
        says = f"{name}: {before:.2f} before, {now[target.value]:.2f} with the patch"
        caption = f"where a patch of {side} pixels lowers the logit of {name}"
        _see(view, draw.enlarge(heat[key], 288), (1, 1), [caption], says)

    return _explorer(redraw, [picture, size, fill], [square, target], view)


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
    pictures: np.ndarray,
    names: Sequence[str],
    indices: dict[str, np.ndarray],
    positions: np.ndarray,
) -> controls.VBox:
    """Walk through images in a plane, with lines from the chosen one to its neighbours.

    Parameters
    ----------
    pictures : array, (N, H, W, 3), uint8
    names : sequence of str
        Of the images.
    indices : dict
        Name of a space -> (N, k) neighbours of every image in it.
    positions : array, (N, 2)
        Of the images in the plane, for instance by `vizlib.tsne`.

    Returns
    -------
    ipywidgets.VBox

    Examples
    --------
    >>> import numpy as np
    >>> from vizlib import widgets
    >>> images, nearest = np.zeros((3, 8, 8, 3), "uint8"), np.array([[1, 2], [0, 2], [1, 0]])
    >>> explorer = widgets.neighbourhood(
    ...     images, ["hen", "duck", "pig"], {"pixels": nearest}, np.eye(3)[:, :2]
    ... )
    >>> explorer.children[-2].items["says"]
    'hen. By pixels: duck, pig.'
    """
    space = _menu("lines", list(indices))
    plane, view = Control(kind="plane", label="images in the plane", value=0), _view()
    low, high = positions.min(0), positions.max(0)
    left, top = (0.06 + 0.88 * (positions - low) / np.where(high > low, high - low, 1)).T
    kinds = {name: to_hex(f"C{i % 10}") for i, name in enumerate(dict.fromkeys(names))}
    plane.sheet, plane.grid = _sheet([draw.enlarge(image, 90) for image in pictures])

    def redraw():
        plane.items = [
            dict(
                label=f"{i}: {name}",
                value=i,
                tile=i,
                left=float(left[i]),
                top=1 - float(top[i]),
                colour=kinds[name],
                near=indices[space.value][i].tolist(),
            )
            for i, name in enumerate(names)
        ]
        rows = {key: (plane.value, *found[plane.value]) for key, found in indices.items()}
        captions = [names[j] for row in rows.values() for j in row]
        by = (f"By {key}: {', '.join(names[j] for j in row[1:])}." for key, row in rows.items())
        says = " ".join((f"{names[plane.value]}.", *by))
        grid = len(captions) // len(rows), len(rows)
        _see(view, nearest(pictures, indices, plane.value), grid, captions, says)

    return _explorer(redraw, [space], plane, view)


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
    """Choose an image and a channel, and see what comes back to the pixels under three rules.

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
    clean = _predicted(net, pictures)
    picture = _menu("picture", list(pictures))
    layer = controls.Dropdown(
        options=[("class", None), *((name, name) for name in net.stages)], description="layer"
    )
    channel, view, on_wall = _bars(net, clean), _view(), []
    rules = "plain", "deconvnet", "guided"

    def redraw():
        shown, key = pictures[picture.value], [picture.value, layer.value]
        if key != on_wall:
            new = key[1:] != on_wall[1:]
            on_wall[:] = key
            if layer.value is None:
                p = clean[picture.value]
                channel.value = int(p.argmax())
                _fill_bars(channel, net, p, p)
            else:
                thumbnails, largest = wall(net, shown, layer.value)
                if new:
                    channel.value = int(largest.argmax())
                _fill_wall(channel, thumbnails, largest, True)
        _stay(channel)
        k = channel.value
        halves = [np.hsplit(signal(net, shown, r, layer.value, k), 2)[1] for r in rules]
        panels = np.hstack([draw.enlarge(shown, 288), *halves])
        named = net.labels[k] if layer.value is None else f"{layer.value}, channel {k}"
        says = f"{named}: what comes back to the pixels under each rule at the ReLUs"
        _see(view, panels, (4, 1), [picture.value, *rules], says)

    return _explorer(redraw, [picture, layer], channel, view)


def _explorer(redraw, *parts):
    """Controls above and below each other, a list of them side by side, that call `redraw`."""
    note, lock, drawing, stale = controls.HTML(), threading.Lock(), [], []

    def answer(change):
        if drawing == [threading.get_ident()]:
            return  # what redraw itself moves does not call it again
        stale.append(change)
        with lock:  # JupyterLab may hand over two controls' changes in two threads
            if not stale:
                return  # drawn already, with this change
            stale.clear()
            drawing[:] = [threading.get_ident()]
            try:
                redraw()
                note.value = ""
            except (ValueError, OSError) as error:  # a refusal, or no photograph: say so, live on
                note.value = escape(str(error))
            finally:
                drawing.clear()

    rows = [part if isinstance(part, list) else [part] for part in parts]
    for control in (control for row in rows for control in row):
        if getattr(control, "kind", None) != "view":
            control.observe(answer, "value")
    answer(None)
    box = controls.VBox([*(controls.HBox(row) if len(row) > 1 else row[0] for row in rows), note])
    box.add_class("vizlib-explorer")
    return box


def _menu(description, options):
    return controls.Dropdown(options=options, description=description)


def _slider(label, value, low, high, *, step=1, names=None):
    items = dict(low=low, high=high, step=step, names=names)
    return Control(kind="slider", label=label, value=value, items=items)


def _sheet(tiles):
    """Equal tiles as one PNG, and how many stand side by side and below each other."""
    columns = min(len(tiles), 32)
    rows = -(-len(tiles) // columns)
    blank = [np.zeros_like(tiles[0])] * (columns * rows - len(tiles))
    table = [*tiles, *blank]
    bands = [np.hstack(table[i * columns : (i + 1) * columns]) for i in range(rows)]
    return draw.png(np.vstack(bands)), [columns, rows]


def _view():
    return Control(kind="view", label="view", items=dict(alts=[], says="", side=1, ratio=1))


def _see(view, panels, grid, captions, says):
    """Panels of one size in columns and rows, and a sentence on them."""
    side = panels.shape[1] // grid[0]
    ratio = side * grid[1] / panels.shape[0]
    with view.hold_sync():
        view.grid, view.sheet = list(grid), draw.png(panels)
        view.items = dict(alts=captions, captions=captions, says=says, side=side, ratio=ratio)


def _fill_wall(control, thumbnails, largest, by_strength):
    order = np.argsort(-largest, kind="stable") if by_strength else np.arange(len(largest))
    with control.hold_sync():
        control.kind = "tiles"
        control.sheet, control.grid = _sheet(thumbnails)
        control.items = [
            dict(label=f"channel {c}, brightest {largest[c]:.3g}", value=int(c), tile=int(c))
            for c in order
        ]


def _bars(net, clean):
    """Bars of classes, with the first image's predicted class chosen."""
    first = next(iter(clean.values()))
    return Control(kind="bars", label="class", value=int(first.argmax()))


def _fill_bars(control, net, now, before):
    """The five classes that were likeliest, the one that now is, and the one that is chosen."""
    shown = dict.fromkeys([*np.argsort(-before)[:5], now.argmax(), control.value])
    with control.hold_sync():
        control.kind = "bars"
        control.items = [
            dict(
                name=net.labels[k],
                label=f"{net.labels[k]}, {now[k]:.2f}",
                value=int(k),
                share=float(now[k]),
                was=float(before[k]),
            )
            for k in shown
        ]


def _stay(control):
    """A click on what was there before chooses the first of what is there now."""
    values = [item["value"] for item in control.items]
    if control.value not in values:
        control.value = values[0]


def _reopen(control, last, key, p):
    """Another image opens on the class that is predicted for it."""
    if last != [key]:
        last[:] = [key]
        control.value = int(p.argmax())


def _fill(net, colour):
    """Black or white as the model takes it."""
    return net.low if colour == "black" else net.high


def _predicted(net, pictures):
    """Name -> the probabilities of all classes."""
    return {
        name: both_sides(probabilities(net.model, net.preprocess(image[None])))[0]
        for name, image in pictures.items()
    }


def _colours(net, maps):
    return (draw.signed(net.rgb(maps), share=0.995)[0] * 255).astype("uint8")


def _heat(maps):
    level = np.clip(maps[0] / (np.quantile(maps, 0.999) or 1.0), 0, 1)
    return (colormaps[draw.SEQUENTIAL](level)[..., :3] * 255).astype("uint8")


WAYS: dict[str, Callable] = {
    "gradient": lambda net, x, k, **_: _colours(net, gradient(net.model, x, k)),
    "saliency": lambda net, x, k, **_: _heat(saliency(net.model, x, k)),
    "SmoothGrad, 2 % noise": lambda net, x, k, samples=16, noise=0.02: _heat(
        np.abs(smoothgrad(net.model, x, k, samples=samples, noise=noise, batch_size=8)).max(-1)
    ),
    "integrated gradients": lambda net, x, k, **_: _heat(
        np.abs(integrated_gradients(net.model, x, k, steps=16, batch_size=8)).max(-1)
    ),
}


def gradient_map(
    net: Net,
    picture: np.ndarray,
    target: str | int,
    way: str,
    *,
    side: int = 288,
    **options: float,
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
    **options : samples, noise
        Of SmoothGrad; the others have none.

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
    maps = WAYS[way](net, net.preprocess(picture[None]), k, **options)
    return draw.enlarge(maps, side)


def attacked(
    net: Net, picture: np.ndarray, levels: float, *, side: int = 288
) -> tuple[np.ndarray, np.ndarray]:
    """An image after the fast gradient sign method, what was added, and what is predicted now.

    Parameters
    ----------
    net : Net
    picture : array, (H, W, 3), uint8, of the net's size
    levels : float
        The largest change of a value, in grey levels.
    side : int
        Height of the result in pixels.

    Returns
    -------
    ndarray, (side, 2 * side, 3), uint8
        The difference is drawn sixteen times as strong, around grey.
    ndarray, (K,)
        The probabilities.

    Examples
    --------
    >>> import vizlib
    >>> from vizlib import barnyard, widgets
    >>> net, hen = vizlib.load("pocket"), barnyard.load(classes="hen", seeds=0).images[0]
    >>> view, p = widgets.attacked(net, hen, 2, side=96)
    >>> view.shape, p.shape
    ((96, 192, 3), (7,))
    """
    check_net(net)
    x = net.preprocess(picture[None])
    k = int(both_sides(probabilities(net.model, x))[0].argmax())
    new = fgsm(net.model, x, k, epsilon=levels * net.level, bounds=(net.low, net.high))
    change = 128 + 16 * net.rgb((new - x) / net.level)[0]  # in grey levels, before any rounding
    panels = net.deprocess(new)[0], np.clip(change, 0, 255).astype("uint8")
    p = both_sides(probabilities(net.model, new))[0]
    return np.hstack([draw.enlarge(panel, side) for panel in panels]), p


def gradient_maps(net: Net, pictures: dict[str, np.ndarray]) -> controls.VBox:
    """The gradient of a class used in four ways, and as an attack on the image.

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
    >>> [control.label for control in explorer.children[0].children[1:]]
    ['noise, %', 'samples', 'levels']
    """
    check_net(net)
    clean = _predicted(net, pictures)
    picture = _menu("picture", list(pictures))
    noise, samples = _slider("noise, %", 2, 0, 30), _slider("samples", 8, 2, 32)
    levels = _slider("levels", 0, 0, 8, step=0.25)
    target, maps, attack, made, last = _bars(net, clean), _view(), _view(), {}, []

    def redraw():
        _reopen(target, last, picture.value, clean[picture.value])
        shown, k = pictures[picture.value], target.value
        options = dict(samples=samples.value, noise=noise.value / 100)
        names = {way: way.split(",")[0] for way in WAYS}
        for way in WAYS:
            smooth = tuple(options.values()) if way.startswith("Smooth") else ()
            key = picture.value, k, *smooth
            if made.get(way, (None, None))[0] != key:
                made[way] = key, gradient_map(net, shown, k, way, **options)
        panels = np.hstack([view for _, view in made.values()])
        says = f"Four maps of {net.labels[k]}; its probability is {clean[picture.value][k]:.2f}."
        _see(maps, panels, (len(made), 1), [*names.values()], says)
        panels, now = attacked(net, shown, levels.value)
        _fill_bars(target, net, now, clean[picture.value])
        says = f"With at most {levels.value:g} grey levels the answer is {net.labels[now.argmax()]}"
        captions = [f"{picture.value}, attacked", "what was added, 16 times as strong"]
        _see(attack, panels, (2, 1), captions, f"{says}, {now.max():.2f}.")

    return _explorer(redraw, [picture, noise, samples, levels], target, maps, attack)


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
    """Choose a unit by its best patch, and see its best patches and where they lie.

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
    >>> explorer.children[0].description, len(explorer.children[1].items)
    ('layer', 2)
    """
    layer = _menu("layer", list(mined))
    unit, view, on_wall = Control(kind="tiles", label="units", value=0), _view(), []

    def redraw():
        found = mined[layer.value]
        if [layer.value] != on_wall:
            on_wall[:] = [layer.value]
            best = Patches(*(part[:, :1] for part in found[:-1]), found.seen)
            thumbnails = [draw.enlarge(patches[0], 48) for patches in crop(pictures, best)]
            _fill_wall(unit, thumbnails, found.value[:, 0], False)
            unit.items = [
                item | {"label": f"unit {item['value']}, best {found.value[item['value'], 0]:.3g}"}
                for item in unit.items
            ]
        _stay(unit)
        values = [f"{value:.3g}" for value in found.value[unit.value]]
        says = f"{layer.value}, unit {unit.value}: activations {', '.join(values)}"
        captions = [*values, *(f"image {i}" for i in found.image[unit.value])]
        grid = len(values), 2
        _see(view, best_patches(pictures, found, unit.value), grid, captions, says)

    return _explorer(redraw, layer, unit, view)


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
    """Choose an image, one of its likeliest classes and a layer, and see Grad-CAM.

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
    >>> explorer.children[0].children[1].label
    'layer'
    """
    check_net(net)
    clean = _predicted(net, pictures)
    picture = _menu("picture", list(pictures))
    stages = list(net.stages)
    layer = _slider("layer", len(stages) - 1, 0, len(stages) - 1, names=stages)
    target, view, last = _bars(net, clean), _view(), []

    def redraw():
        _reopen(target, last, picture.value, clean[picture.value])
        shown, p, k = pictures[picture.value], clean[picture.value], target.value
        _fill_bars(target, net, p, p)
        heat = class_map(net, shown, k, stages[layer.value])
        panels = np.hstack([draw.enlarge(shown, len(heat)), heat])
        captions = [picture.value, f"Grad-CAM of {net.labels[k]} at {stages[layer.value]}"]
        _see(view, panels, (2, 1), captions, f"{net.labels[k]}: probability {p[k]:.2f}")

    return _explorer(redraw, [picture, layer], target, view)


def lab(
    net: Net, pictures: dict[str, np.ndarray], *, others: Sequence[np.ndarray] | None = None
) -> controls.VBox:
    """All seven lenses on an image, or on a photograph that is chosen, dropped or pasted.

    Parameters
    ----------
    net : Net
    pictures : dict
        Name -> uint8 image (H, W, 3) of any size.
    others : sequence of arrays, (H, W, 3), uint8, optional
        What the images are compared with; without them, the course's photographs.

    Returns
    -------
    ipywidgets.VBox

    Examples
    --------
    >>> import vizlib
    >>> from vizlib import barnyard, widgets
    >>> net, some = vizlib.load("pocket"), barnyard.load(seeds=0).images
    >>> explorer = widgets.lab(net, {"hen": some[0]}, others=some[1:])
    >>> explorer.children[0].children[0].description
    'picture'
    """
    check_net(net)
    fitted = {name: photos.fit(image, net.size) for name, image in pictures.items()}
    picture = _menu("picture", list(pictures))
    yours = Control(kind="photograph", label="Choose, drop or paste a photograph of yours.")
    target, view, last, seen = Control(kind="bars", label="class", value=-1), _view(), [], [None]

    def redraw():
        if yours.value not in seen:
            seen.append(yours.value)
            fitted["yours"] = photos.fit(photos.load(io.BytesIO(yours.sheet)), net.size)
            picture.options, picture.value = list(fitted), "yours"
        name = picture.value
        shown = fitted[name]
        p = _predicted(net, {name: shown})[name]
        _reopen(target, last, (name, len(seen)), p)
        k = target.value
        fig = draw.overview(net, [shown], k, others=others)
        file = io.BytesIO()
        fig.savefig(file, format="png", dpi=120)
        image = photos.load(file)
        says = f"{name}: {net.labels[k]}, {p[k]:.2f}"
        _fill_bars(target, net, p, p)
        _see(view, image, (1, 1), ["Seven lenses."], says)

    return _explorer(redraw, [picture, yours], target, view)

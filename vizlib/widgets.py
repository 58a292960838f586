"""Explorers for JupyterLab: each a pure function from choices to an image, and controls for it."""

import io
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import anywidget
import ipywidgets as controls
import numpy as np
import traitlets
from IPython.display import display
from matplotlib import colormaps
from matplotlib.colors import to_hex

from . import engine, photos
from . import show as draw
from ._checks import check_choice, check_whole
from .attacks import fgsm
from .class_maps import grad_cam
from .engine import both_sides, logits, probabilities
from .feature_maps import activations
from .gradients import gradient, integrated_gradients, saliency, smoothgrad
from .models import Net, check_net, check_stages, class_number, map_layers
from .patches import Patches, crop, top_patches
from .perturbation import Occlusion

VIEW = "application/vnd.jupyter.widget-view+json"


class Control(anywidget.AnyWidget):
    """A control that menus cannot replace: `front.js` says what each kind shows and sends.

    Parameters
    ----------
    kind : {"tiles", "bars", "plane", "patch", "view", "photograph", "slider", "note"}
    label : str
        What a screen reader calls it.
    says : str
        A sentence below it; of a photograph, the file's name.
    items : list or dict
        What there is to choose or to see; of a note, how much is drawn, and of how much.
    sheet : bytes
        One PNG that holds all pictures as tiles, or the file that the reader gives.
    grid : (columns, rows)
        Of the sheet.
    value : number or list
        What the reader chose.
    busy : bool
        Of a note: Python computes, or has more to draw.

    Examples
    --------
    >>> from vizlib import widgets
    >>> widgets.Control(kind="bars", label="class", items=[], value=3).value
    3
    """

    _esm = Path(__file__).with_name("front.js")
    _css = Path(__file__).with_name("front.css")
    kind, label, says = (traitlets.Unicode().tag(sync=True) for _ in range(3))
    items, value = traitlets.Any([]).tag(sync=True), traitlets.Any().tag(sync=True)
    sheet, grid = traitlets.CBytes().tag(sync=True), traitlets.Any([1, 1]).tag(sync=True)
    busy = traitlets.Bool().tag(sync=True)
    shown = None  # the picture, or the layer, whose choice is opened


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

    Raises
    ------
    ValueError
        A layer that gives no feature maps.
    ValueError
        A channel that the layer does not have.

    Examples
    --------
    >>> import vizlib
    >>> from vizlib import barnyard, widgets
    >>> net, hen = vizlib.load("pocket"), barnyard.load(classes="hen", seeds=0).images[0]
    >>> widgets.feature_map(net, hen, "block1_conv1", 3, side=96)[0].shape
    (96, 288, 3)
    """
    maps = _maps(net, picture, layer)
    check_whole(channel, "channel", 0, maps.shape[-1] - 1)
    maps = maps[..., channel]
    top = maps.max()
    coloured = colormaps[draw.SEQUENTIAL](maps / (top if top > 0 else 1))[..., :3] * 255
    panels = (
        picture,
        coloured.astype("uint8"),
        draw._placed(net, picture, np.maximum(maps, 0), layer),
    )
    return np.hstack([draw.enlarge(panel, side) for panel in panels]), float(top)


def _maps(net, picture, layer):
    """(h, w, C): what a layer that gives feature maps makes of an image."""
    check_net(net)
    maps = activations(net.model, net.preprocess(picture[None]), layer)[0]
    if maps.ndim != 3:
        raise ValueError(
            f"Layer {layer!r} makes an array of shape {maps.shape} of an image: choose a layer "
            "that gives feature maps (h, w, C), as those of net.stages do."
        )
    return maps


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

    Raises
    ------
    ValueError
        A layer that gives no feature maps.

    Examples
    --------
    >>> import vizlib
    >>> from vizlib import barnyard, widgets
    >>> net, hen = vizlib.load("pocket"), barnyard.load(classes="hen", seeds=0).images[0]
    >>> thumbnails, largest = widgets.wall(net, hen, "block1_conv1", side=24)
    >>> thumbnails.shape, largest.shape
    ((16, 24, 24, 3), (16,))
    """
    maps = _maps(net, picture, layer)
    largest = maps.max((0, 1))
    rows, columns = (np.arange(side) * n // side for n in maps.shape[:2])
    few = maps[rows][:, columns] / np.where(largest > 0, largest, 1)
    coloured = colormaps[draw.SEQUENTIAL](few.transpose(2, 0, 1), bytes=True)[..., :3]
    return coloured, largest


def feature_maps(
    net: Net, pictures: dict[str, np.ndarray], *, others: Sequence[np.ndarray] | None = None
) -> controls.VBox:
    """Walk through the layers of a network, over a wall of all channels of each.

    Beside a channel's map are the patches that excite it most, and the images they are from.

    Parameters
    ----------
    net : Net
    pictures : dict
        Name -> uint8 image (H, W, 3) of the net's size.
    others : sequence of arrays, (H, W, 3), uint8, optional
        Where patches are looked for; without them, in the course's photographs.

    Returns
    -------
    ipywidgets.VBox

    Raises
    ------
    ValueError
        Pictures that are no dict, or none.

    Examples
    --------
    >>> import vizlib
    >>> from vizlib import barnyard, widgets
    >>> net, some = vizlib.load("pocket"), barnyard.load(seeds=0).images
    >>> explorer = widgets.feature_maps(net, {"hen": some[0]}, others=some)
    >>> [control.description for control in explorer.children[0].children]
    ['picture', 'layer', 'order']
    """
    check_stages(net)
    picture = _pictures(pictures)
    layer = _menu("layer", map_layers(net.model, net.size))
    order = _menu("order", ["strongest here first", "by number"])
    channel, view, on_wall = Control(kind="tiles", label="channels"), Control(kind="view"), []
    others, mined = draw._to_compare(net, others), {}

    def mine(stage):
        batches = (net.preprocess(others[i : i + 8]) for i in range(0, len(others), 8))
        try:
            return top_patches(net.model, batches, stage, channels=range(len(channel.items)), k=4)
        except ValueError as error:
            return _refusal_or_raise(error)

    def redraw():
        shown, key = pictures[picture.value], [picture.value, layer.value, order.value]
        if key != on_wall:
            on_wall[:] = key
            thumbnails = wall(net, shown, layer.value)
            _fill_wall(channel, layer.value, *thumbnails, order.value.startswith("strongest"))
        _stay(channel)
        panels, top = feature_map(net, shown, layer.value, channel.value, side=max(net.size))
        captions = picture.value, f"channel {channel.value}", "the same map, laid over"
        scales = None, *(_scale(name, top, "activation") for name in (draw.SEQUENTIAL, "inferno"))
        here = f"its largest value here is {_number(top)}" if top > 0 else "it is silent here"
        says = f"{layer.value}, channel {channel.value}: {here}."
        panels = [*map(_panel, np.hsplit(panels, 3), captions, scales)]
        best = (
            f"the patches of {len(others)} images that excite it most",
            "the images they are from, each patch in its frame",
        )
        if layer.value not in mined:
            waiting = [_panel(None, caption) for caption in best]
            _see(view, [*panels, *waiting], says, side=240)
            mined[layer.value] = mine(layer.value)
        found = mined[layer.value]
        if isinstance(found, str):
            panels.append(_panel(None, f"{best[0]}: {found}"))
        else:
            highest, *_, least = map(_number, found.value[channel.value])
            captions = f"{best[0]}: {highest} to {least}", best[1]
            if top > 1.01 * found.value[channel.value].max():  # by more than rounding
                says += f" None of the {len(others)} images excites it as much."
            says += _grey(found, channel.value, others)
            bands = np.vsplit(best_patches(others, found, channel.value, side=144), 2)
            panels += map(_panel, map(_in_twos, bands), captions)
        _see(view, panels, says, side=240)

    return _explorer(redraw, [picture, layer, order], channel, view)


def _in_twos(band):
    """Four squares beside each other as two by two, apart."""
    squares = [
        np.pad(square, ((3, 3), (3, 3), (0, 0)), constant_values=255)
        for square in np.hsplit(band, 4)
    ]
    return np.vstack([np.hstack(squares[:2]), np.hstack(squares[2:])])


FILLS = "mean", "black", "white"


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

    Raises
    ------
    ValueError
        A fill that is none of these words.
    ValueError
        A box that is empty, or not within the image.

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
    check_choice(fill, "fill", FILLS)
    if not all(0 <= low < high <= n for low, high, n in zip(box[:2], box[2:], net.size)):
        raise ValueError(
            f"box is (top, left, bottom, right) with 0 <= top < bottom <= {net.size[0]} and "
            f"0 <= left < right <= {net.size[1]}, not {tuple(box)}."
        )
    x = _covered(net, picture, [box], fill)
    return draw.enlarge(net.deprocess(x)[0], side), _scores(net, x)[0, 0]


def occlusions(net: Net, pictures: dict[str, np.ndarray], *, patch: int = 48) -> controls.VBox:
    """Drag a patch over an image and see what the network predicts.

    Beside it are the probabilities and logits, with a tick where each was before, and, row by row,
    the map of all positions for the class that is chosen.

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

    Raises
    ------
    ValueError
        Pictures that are no dict, or none.

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
    picture = _pictures(pictures)
    clean = _predicted(net, pictures)
    fits = [side for side in (4, 8, 16, 32, 48, 64, 96) if side <= min(net.size) // 2] or [2]
    patch = min(patch, fits[-1])
    size = controls.Dropdown(options=fits[-5:], value=patch, description="size")
    fill = _menu("fill", FILLS)
    square = Control(kind="patch", label="patch: drag it, or use the arrow keys")
    square.value = [(n - patch) // 2 for n in net.size]
    sheets = {name: draw.png(image) for name, image in pictures.items()}
    target, view = Control(kind="bars", label="class"), Control(kind="view")
    heat, made = {}, {}

    def redraw():
        name, side = picture.value, size.value
        shown, before = pictures[name], clean[name]
        square.value = [min(at, n - side) for at, n in zip(square.value, net.size)]
        mean = np.rint(shown.mean((0, 1))).astype(int)
        colour = "rgb({}, {}, {})".format(*mean) if fill.value == "mean" else fill.value
        with square.hold_sync():
            square.items = dict(size=net.size, side=side, fill=colour, alt=name)
            square.sheet = sheets[name]
        y, x = square.value
        x = _covered(net, shown, [(y, x, y + side, x + side)], fill.value)
        now = _scores(net, x)[:, 0]
        _fill_bars(target, net, name, now, before, "patch")
        k, key = target.value, (name, side, fill.value)
        starts = [[*range(0, n - side, min(16, side // 2)), n - side] for n in net.size]
        boxes = [[(y, x, y + side, x + side) for x in starts[1]] for y in starts[0]]
        found = heat.setdefault(key, [])  # by rows, the logits of all classes
        if len(found) < len(boxes):
            found.append(_logits(net, _covered(net, shown, boxes[len(found)], fill.value)))
        if (drawn := (*key, k, len(found))) not in made:
            scores = np.full((1, *map(len, starts)), before[1, k])
            scores[0, : len(found)] = np.stack(found)[..., k]
            (drop,) = Occlusion(scores, before[1, [k]], np.array(boxes), "full").heatmap()
            caption = (
                f"where a patch of {side} x {side} pixels lowers the score of {_named(net, k)}"
            )
            scale = _scale("inferno", drop.max(), "logits")
            made.clear()
            made[drawn] = [_panel(draw.overlay(shown, drop), caption, scale)]
        says = "{}: probability {:.2f} and logit {:.1f}; with the patch {:.2f} and {:.1f}."
        _see(view, made[drawn], says.format(_named(net, k), *before[:, k], *now[:, k]))
        return len(found), len(boxes)

    return _explorer(redraw, [picture, size, fill], [square, target, view])


def _covered(net, picture, boxes, fill):
    """(n, H, W, C): the image with each box in one colour, as the model takes it."""
    x = np.repeat(net.preprocess(picture[None]), len(boxes), 0)
    plain = np.full_like(picture[None], 255 * (fill == "white"))
    cover = engine.cover(net.model, x[0], fill if fill == "mean" else net.preprocess(plain)[0], 0)
    for image, (top, left, bottom, right) in zip(x, boxes):
        image[top:bottom, left:right] = cover[top:bottom, left:right]
    return x


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
    *,
    colours: dict[str, Sequence] | None = None,
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
    colours : dict, optional
        By what the frames are coloured: name -> a value of each image. Default: the names.

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
    >>> explorer.children[-1].says
    'hen, image 0. By pixels: duck, pig.'
    """
    colours = colours or {"class": names}
    space, colour = _menu("lines", list(indices)), _menu("colours", list(colours))
    space.value = list(indices)[-1]
    plane, view = Control(kind="plane", label="images in the plane", value=0), Control(kind="view")
    side = min(0.05, 0.5 / np.sqrt(len(pictures)))  # of the plane's width
    left, top = _apart(positions, 0.9 * side).T
    plane.sheet, plane.grid = _sheet([draw.enlarge(image, 90) for image in pictures])
    plane.says = "Images that would cover each other are moved apart."

    def redraw():
        i, groups = plane.value, [str(value) for value in colours[colour.value]]
        kinds = {name: to_hex(f"C{j % 10}") for j, name in enumerate(dict.fromkeys(groups))}
        plane.items = [
            dict(
                label=f"{name}, image {j}" + f", {colour.value}: {group}" * (group != name),
                value=j,
                tile=j,
                left=float(left[j]),
                top=1 - float(top[j]),
                side=side,
                group=group,
                colour=kinds[group],
                near=indices[space.value][j].tolist(),
            )
            for j, (name, group) in enumerate(zip(names, groups))
        ]
        rows = [j for found in indices.values() for j in (i, *found[i])]
        panels = [_panel(draw.enlarge(pictures[j], 96), names[j]) for j in rows]
        by = [f"By {key}: {', '.join(names[j] for j in at[i])}." for key, at in indices.items()]
        headings = [f"{names[i]}, and the nearest by {key}" for key in indices]
        _see(view, panels, " ".join((f"{names[i]}, image {i}.", *by)), headings)

    return _explorer(redraw, [space, colour], plane, view)


def _apart(positions, least):
    """(N, 2), 0..1 of a plane of 4 to 3; nearer than `least` of its width they are moved apart."""
    low, plane = positions.min(0), np.array([1, 0.75])
    points = 0.88 * (positions - low) / np.maximum(np.ptp(positions, 0), 1e-9) + 0.06
    points = plane * (points + 1e-6 * np.random.default_rng(0).normal(size=points.shape))
    for _ in range(150):
        gap = points[:, None] - points
        away = np.linalg.norm(gap, axis=-1, keepdims=True).clip(1e-9)
        push = (gap / away * (least - away).clip(0)).sum(1) / (away < least).sum(1)
        points = (points + push).clip(0.04 * plane, 0.96 * plane)
    return points / plane


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
    coloured, _ = _signal(net, picture, rule, layer, channel)
    return np.hstack([draw.enlarge(panel, side) for panel in (picture, coloured)])


def _signal(net, picture, rule, layer, channel):
    start = dict(target=channel) if layer is None else dict(layer=layer, unit=channel)
    maps = gradient(net.model, net.preprocess(picture[None]), relu=rule, **start)
    unit = "logits" if layer is None else "activation"
    return _colours(net, maps, f"{unit} per unit of input", share=0.99)


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

    Raises
    ------
    ValueError
        Pictures that are no dict, or none.

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
    picture = _pictures(pictures)
    clean = _predicted(net, pictures)
    layer = controls.Dropdown(
        options={"class": "", **{name: name for name in net.stages}}, description="layer"
    )
    channel, view, on_wall = Control(kind="bars", label="class"), Control(kind="view"), []

    def redraw():
        shown, key = pictures[picture.value], [picture.value, layer.value]
        if not layer.value:
            _fill_bars(channel, net, picture.value, *[clean[picture.value]] * 2)
        elif key != on_wall:
            _fill_wall(channel, layer.value, *wall(net, shown, layer.value), True)
        on_wall[:] = key
        _stay(channel)
        k = channel.value
        named = f"{layer.value}, channel {k}" if layer.value else _named(net, k)
        rules = "plain", "deconvnet", "guided"
        drawn = {rule: _signal(net, shown, rule, layer.value or None, k) for rule in rules}
        panels = [_panel(image, rule, scale) for rule, (image, scale) in drawn.items()]
        says = f"{named}: what comes back to the pixels under each rule at the ReLUs. {SIGNED}"
        _see(view, [_panel(shown, picture.value), *panels], says)

    return _explorer(redraw, [picture, layer], channel, view)


SIGNED = (
    "Grey is zero. A pixel looks red where its red value is positive, cyan where it is negative."
)


def _explorer(redraw, *parts):
    """Controls above and below each other, a list of them side by side, that call `redraw`.

    It returns how much is drawn and of how much, if that is not all: the browser asks for the rest,
    so that what the reader does meanwhile comes in between.
    """
    note = Control(kind="note", value=0, items=[1, 1])
    lock, drawing, stale = threading.Lock(), [], []

    def answer(change):
        if drawing == [threading.get_ident()]:
            return  # what redraw itself moves does not call it again
        stale.append(change)
        with lock:  # JupyterLab may hand over two controls' changes in two threads
            if not stale:
                return  # drawn already, with this change
            stale.clear()
            drawing[:] = [threading.get_ident()]
            note.busy, note.says, items = True, "", [1, 1]
            try:
                items = list(redraw() or items)
            except Exception as error:
                note.says = _refusal(error)
                if not note.says:  # a fault of ours: seen, and heard of
                    note.says = f"The explorer has a fault, please report it: {error!r}"
                    raise
            finally:
                drawing.clear()
                note.items, note.busy = items, items[0] < items[1]

    rows = [part if isinstance(part, list) else [part] for part in parts]
    rows.insert(1, [note])
    for control in (control for row in rows for control in row):
        if getattr(control, "kind", None) != "view":
            control.observe(answer, "value")
    answer(None)
    box = controls.VBox([controls.HBox(row) if len(row) > 1 else row[0] for row in rows])
    box.add_class("vizlib-explorer")
    return box


def _refusal(error):
    """The sentence with which vizlib refuses; none of an error that somebody else raised."""
    place = error.__traceback__
    while place.tb_next:
        place = place.tb_next
    ours = place.tb_frame.f_globals["__name__"].startswith(f"{__package__}.")
    return str(error) if ours and isinstance(error, ValueError | OSError) else ""


def _refusal_or_raise(error):
    if sentence := _refusal(error):
        return sentence
    raise error


def _menu(description, options):
    return controls.Dropdown(options=options, description=description)


def _pictures(pictures):
    """The menu of the images that an explorer is given by their names."""
    if not isinstance(pictures, dict) or not pictures:
        raise ValueError(
            "pictures is a dict of one image or more, each by its name: give {'hen': image}."
        )
    return _menu("picture", list(pictures))


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


def _see(view, panels, says, headings=(), side=288):
    """Panels, in rows where these have headings, and a sentence on them."""
    with view.hold_sync():
        view.items = dict(
            panels=list(panels), headings=list(headings), side=96 if headings else side
        )
        view.says = says


def _panel(image, caption, scale=None, alt=None):
    """An image, or None while it is not there, what stands below it and what its colours mean."""
    shown = {} if image is None else dict(image=draw.png(image), size=image.shape[1::-1])
    return dict(shown, caption=caption, scale=scale, alt=alt or caption)


def _scale(colours, top, unit):
    """From 0 to the largest value; of a signed map, whose zero is grey, from its negative."""
    stops = ", ".join(map(to_hex, colormaps[colours](np.linspace(0, 1, 9))))
    low, high = f"-{_number(top)}" if colours == "gray" else "0", _number(top)
    return dict(colours=f"linear-gradient(90deg, {stops})", low=low, high=high, unit=unit)


def _number(value):
    """Three digits, and no powers of ten for what is large."""
    return f"{value:.0f}" if value >= 1000 else f"{value:.3g}"


def _fill_wall(control, layer, thumbnails, largest, by_strength, noun="channel"):
    """Another layer opens on its strongest unit, or the brightest of its eight strongest maps."""
    if (control.kind, control.shown) != ("tiles", layer):
        strong = np.argsort(-largest, kind="stable")[: 8 if noun == "channel" else 1]
        control.shown, control.value = layer, int(max(strong, key=lambda c: thumbnails[c].mean()))
    order = np.argsort(-largest, kind="stable") if by_strength else np.arange(len(largest))
    with control.hold_sync():
        control.kind, ends = "tiles", [_number(end) for end in (largest.max(), largest.min())]
        control.says = (
            f"Each thumbnail has its own scale, from 0 to what its {noun} reaches here: {ends[0]} "
            f"for the strongest {noun}, {ends[1]} for the weakest."
        )
        control.sheet, control.grid = _sheet(thumbnails)
        control.items = [
            dict(label=f"{noun} {c}, largest {_number(largest[c])}", value=int(c), tile=int(c))
            for c in order
        ]


def _fill_bars(control, net, picture, now, before, changed=""):
    """The five classes that were likeliest, the one that now is, and the one that is chosen.

    Another picture opens on the class that is predicted for it. Logits are there because they still
    move where probabilities are 0 or 1.
    """
    if (control.kind, control.shown) != ("bars", picture):
        control.shown, control.value = picture, int(before[0].argmax())
    classes = dict.fromkeys([*np.argsort(-before[0])[:5], now[0].argmax(), control.value])
    low, high = before[1].min(), before[1].max()

    def bars(k, scores):
        level = (scores[1, k] - low) / (1.25 * (high - low) or 1)
        return [float(scores[0, k]), float(np.clip(level, 0, 1))]

    with control.hold_sync():
        control.kind, control.says = "bars", "Wide bars are probabilities, narrow bars are logits."
        if changed:
            control.says += f" An orange tick marks the value without the {changed}."
        control.items = [
            dict(
                name=_named(net, k),
                label="{}, probability {:.2f}, logit {:.1f}".format(_named(net, k), *now[:, k]),
                value=int(k),
                texts=[f"{now[0, k]:.2f}", f"{now[1, k]:.1f}"],
                now=bars(k, now),
                was=bars(k, before),
            )
            for k in classes
        ]


def _named(net, k):
    return net.labels[k].replace("_", " ")


def _stay(control):
    """A click on what was there before chooses the first of what is there now."""
    values = [item["value"] for item in control.items]
    if control.value not in values:
        control.value = values[0]


def _scores(net, x):
    """(2, n, K): probabilities and logits."""
    return np.stack([both_sides(probabilities(net.model, x)), _logits(net, x)])


def _logits(net, x):
    """(n, K), also where two classes share one sigmoid."""
    z = logits(net.model, x)
    return np.hstack([-z, z]) if z.shape[1] == 1 else z


def _predicted(net, pictures):
    """Name -> (2, K), the probabilities and logits of all classes."""
    return {
        name: _scores(net, net.preprocess(image[None]))[:, 0] for name, image in pictures.items()
    }


def _colours(net, maps, unit, share=0.995):
    """A signed map as an image, and its scale."""
    size = np.abs(maps)
    coloured = np.rint(255 * draw.signed(net.rgb(maps), share=share)[0]).astype("uint8")
    return coloured, _scale("gray", np.quantile(size, share) or size.max(), unit)


def _heat(maps, unit):
    """A map that is nowhere negative as an image, and its scale."""
    top = np.quantile(maps, 0.999) or 1.0
    coloured = colormaps[draw.SEQUENTIAL](np.clip(maps[0] / top, 0, 1), bytes=True)[..., :3]
    return coloured, _scale(draw.SEQUENTIAL, top, unit)


SLOPE = "logits per unit of input"
WAYS: dict[str, Callable] = {
    "gradient": lambda net, x, k, **_: _colours(net, gradient(net.model, x, k), SLOPE),
    "saliency": lambda net, x, k, **_: _heat(saliency(net.model, x, k), SLOPE),
    "SmoothGrad, 2 % noise": lambda net, x, k, samples=16, noise=0.02: _heat(
        np.abs(smoothgrad(net.model, x, k, samples=samples, noise=noise, batch_size=8)).max(-1),
        SLOPE,
    ),
    "integrated gradients": lambda net, x, k, **_: _heat(
        np.abs(integrated_gradients(net.model, x, k, steps=16, batch_size=8)).max(-1), "logits"
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

    Raises
    ------
    ValueError
        A way that is none of `WAYS`.

    Examples
    --------
    >>> import vizlib
    >>> from vizlib import barnyard, widgets
    >>> net, hen = vizlib.load("pocket"), barnyard.load(classes="hen", seeds=0).images[0]
    >>> widgets.gradient_map(net, hen, "hen", "saliency", side=96).shape
    (96, 96, 3)
    """
    k = class_number(net, target)
    check_choice(way, "way", WAYS)
    maps, _ = WAYS[way](net, net.preprocess(picture[None]), k, **options)
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
    ndarray, (2, K)
        The probabilities and the logits.

    Examples
    --------
    >>> import vizlib
    >>> from vizlib import barnyard, widgets
    >>> net, hen = vizlib.load("pocket"), barnyard.load(classes="hen", seeds=0).images[0]
    >>> view, scores = widgets.attacked(net, hen, 2, side=96)
    >>> view.shape, scores.shape
    ((96, 192, 3), (2, 7))
    """
    check_net(net)
    x = net.preprocess(picture[None])
    k = int(both_sides(probabilities(net.model, x))[0].argmax())
    new = fgsm(net.model, x, k, epsilon=levels * net.level, bounds=(net.low, net.high))
    change = 128 + 16 * net.rgb((new - x) / net.level)[0]  # in grey levels, before any rounding
    panels = net.deprocess(new)[0], np.clip(change, 0, 255).astype("uint8")
    return np.hstack([draw.enlarge(panel, side) for panel in panels]), _scores(net, new)[:, 0]


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

    Raises
    ------
    ValueError
        Pictures that are no dict, or none.

    Examples
    --------
    >>> import vizlib
    >>> from vizlib import barnyard, widgets
    >>> net, hen = vizlib.load("pocket"), barnyard.load(classes="hen", seeds=0).images[0]
    >>> explorer = widgets.gradient_maps(net, {"hen": hen})
    >>> [control.label for control in explorer.children[3].children]
    ['noise, %', 'samples']
    """
    check_net(net)
    picture = _pictures(pictures)
    clean = _predicted(net, pictures)
    noise, samples = _slider("noise, %", 2, 0, 30), _slider("samples", 8, 2, 32)
    levels = _slider("attack, grey levels", 0, 0, 8, step=0.25)
    target, made = Control(kind="bars", label="class"), {}
    maps, attack = Control(kind="view"), Control(kind="view")

    def redraw():
        name, shown, before = picture.value, pictures[picture.value], clean[picture.value]
        if made.get("attack", [None])[0] != (name, levels.value):
            panels = attacked(net, shown, levels.value, side=max(net.size))
            made["attack"] = (name, levels.value), *panels
        _, panels, now = made["attack"]
        _fill_bars(target, net, name, now, before, "attack")
        says = "Attack on {}, the predicted class: with at most {:g} grey levels it is {}, {:.2f}."
        was, new = (_named(net, scores[0].argmax()) for scores in (before, now))
        captions = [f"{name}, attacked", "what was added, 16 times as strong"]
        scales = None, _scale("gray", 8, "grey levels")
        says = says.format(was, levels.value, new, now[0].max())
        _see(attack, map(_panel, np.hsplit(panels, 2), captions, scales), says)
        k, options = target.value, dict(samples=samples.value, noise=noise.value / 100)
        keys = {
            way: (name, k, *(options.values() if way.startswith("Smooth") else ())) for way in WAYS
        }

        def one(way):
            image, scale = WAYS[way](net, net.preprocess(shown[None]), k, **options)
            return _panel(image, way.split(",")[0], scale)

        says = f"Four maps of {_named(net, k)}, of the image before any attack. {SIGNED}"
        return _next(made, keys, one, lambda panels: _see(maps, panels, says))

    return _explorer(redraw, [picture, levels], [target, attack], [noise, samples], maps)


def _next(made, keys, one, see):
    """Make the next panel that is not made with its key; how many are, and of how many."""
    missing = [name for name, key in keys.items() if made.get(name, [None])[0] != key]
    made.update({name: (None, _panel(None, name.split(",")[0])) for name in missing})
    see([made[name][1] for name in keys])
    for name in missing[:1]:
        made[name] = keys[name], one(name)
        see([made[name][1] for name in keys])
    return len(keys) - len(missing[1:]), len(keys)


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

    Raises
    ------
    ValueError
        A unit that is no row of `found`.

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
    check_whole(unit, "unit", 0, len(found.value) - 1)
    at = slice(unit, unit + 1)
    one = Patches(found.value[at], found.image[at], found.position[at], found.box[at], found.seen)
    framed, size = [], pictures.shape[1:3] * 2
    for image, box in zip(one.image[0], one.box[0]):
        # where the window sticks out, the frame runs along the border
        top, left, bottom, right = np.rint(np.clip(box, 0, size) * side / size).astype(int)
        view = draw.enlarge(pictures[image], side).copy()
        inner = view[top + 2 : max(bottom - 2, 0), left + 2 : max(right - 2, 0)].copy()
        view[top : max(bottom, top + 4), left : max(right, left + 4)] = 255, 210, 0
        view[top + 2 : max(bottom - 2, 0), left + 2 : max(right - 2, 0)] = inner
        framed.append(view)
    patches = [draw.enlarge(patch, side) for patch in crop(pictures, one)[0]]
    return np.vstack([np.hstack(patches), np.hstack(framed)])


def _grey(found, unit, pictures):
    """What must be said of patches that stick out of their images."""
    box = found.box[unit]
    out = (box[:, :2] < 0).any() or (box[:, 2:] > pictures.shape[1:3]).any()
    return " What is grey in a patch lies outside its image." if out else ""


def units(
    pictures: np.ndarray, mined: dict[str, Patches], *, names: Sequence[str] | None = None
) -> controls.VBox:
    """Choose a unit by its best patch, and see its best patches and where they lie.

    Parameters
    ----------
    pictures : array, (N, H, W, 3), uint8
        The data that was mined, in order.
    mined : dict
        Layer -> Patches of all its channels.
    names : sequence of str, optional
        Of the images.

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
    >>> explorer.children[0].description, len(explorer.children[2].items)
    ('layer', 2)
    """
    layer = _menu("layer", list(mined))
    unit, view, on_wall = Control(kind="tiles", label="units", value=0), Control(kind="view"), []

    def redraw():
        found = mined[layer.value]
        if [layer.value] != on_wall:
            on_wall[:] = [layer.value]
            best = Patches(*(part[:, :1] for part in found[:-1]), found.seen)
            thumbnails = [draw.enlarge(patches[0], 48) for patches in crop(pictures, best)]
            _fill_wall(unit, layer.value, thumbnails, found.value[:, 0], False, "unit")
            unit.says = "Each thumbnail is the patch that excites its unit most."
        _stay(unit)
        i = unit.value
        values = [_number(value) for value in found.value[i]]
        sources = [
            f"image {j}" if names is None else f"{names[j]}, image {j}" for j in found.image[i]
        ]
        bands = np.vsplit(best_patches(pictures, found, i), 2)
        tiles = [tile for band in bands for tile in np.hsplit(band, len(values))]
        headings = "the patches that excite it most, and its activation", "the images they are from"
        says = f"{layer.value}, unit {i}: activations {', '.join(values)}."
        says += _grey(found, i, pictures)
        _see(view, map(_panel, tiles, values + sources), says, headings)

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
    heat, _ = _class_map(net, picture, class_number(net, target), layer)
    return draw.enlarge(heat, side)


def _class_map(net, picture, k, layer):
    (heat,) = grad_cam(net.model, net.preprocess(picture[None]), k, layer=layer)
    return draw._placed(net, picture, heat, layer), _scale("inferno", heat.max(), "logits")


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

    Raises
    ------
    ValueError
        Pictures that are no dict, or none.

    Examples
    --------
    >>> import vizlib
    >>> from vizlib import barnyard, widgets
    >>> net, hen = vizlib.load("pocket"), barnyard.load(classes="hen", seeds=0).images[0]
    >>> explorer = widgets.class_maps(net, {"hen": hen})
    >>> explorer.children[0].children[1].label
    'layer'
    """
    check_stages(net)
    picture = _pictures(pictures)
    clean = _predicted(net, pictures)
    stages = list(dict.fromkeys(net.stages))
    layer = _slider("layer", len(stages) - 1, 0, len(stages) - 1, names=stages)
    target, view = Control(kind="bars", label="class"), Control(kind="view")

    def redraw():
        name, scores, stage = picture.value, clean[picture.value], stages[layer.value]
        _fill_bars(target, net, name, scores, scores)
        k = target.value
        heat, scale = _class_map(net, pictures[name], k, stage)
        heat = _panel(heat, f"Grad-CAM of {_named(net, k)} at {stage}", scale)
        says = (
            f"{_named(net, k)} at {stage}. The map of each class has its own scale: compare the "
            "numbers at their ends, too."
        )
        _see(view, [_panel(pictures[name], name), heat], says)

    return _explorer(redraw, [picture, layer], target, view)


LENSES = {
    "activations": "where the unit that this image excites most is active",
    "nearest": "the nearest of the other images, by features",
    "best patches": "what excites that unit most in the other images",
    "occlusion": "where a patch lowers the logit of {}",
    "saliency": "the pixels on which the logit of {} depends most",
    "guided backprop": "what comes back from {} where negative gradients are cut",
    "Grad-CAM": "where the last feature maps speak for {}",
}


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

    Raises
    ------
    ValueError
        Pictures that are no dict, or none.

    Examples
    --------
    >>> import vizlib
    >>> from vizlib import barnyard, widgets
    >>> net, some = vizlib.load("pocket"), barnyard.load(seeds=0).images
    >>> explorer = widgets.lab(net, {"hen": some[0]}, others=some[1:])
    >>> explorer.children[0].children[0].description
    'picture'
    """
    check_stages(net)
    picture = _pictures(pictures)
    fitted = {name: photos.fit(image, net.size) for name, image in pictures.items()}
    others = draw._to_compare(net, others)
    yours = Control(kind="photograph", label="Choose, drop or paste a photograph of yours.")
    target, view = Control(kind="bars", label="class"), Control(kind="view")
    made, seen, clean = {}, [None], _predicted(net, fitted)

    def redraw():
        if yours.value not in seen:
            seen.append(yours.value)
            file, own = io.BytesIO(yours.sheet), yours.says or "yours"
            file.name = own  # for the sentence that refuses it
            fitted[own] = photos.fit(photos.load(file), net.size)
            clean.update(_predicted(net, {own: fitted[own]}))
            picture.options, picture.value = list(fitted), own
        name, shown = picture.value, fitted[picture.value]
        scores, key = clean[name], (name, len(seen))
        _fill_bars(target, net, key, scores, scores)
        k = target.value
        keys = {lens: (*key, k * ("{}" in says)) for lens, says in LENSES.items()}

        def one(lens):
            way = draw._lenses(net, shown[None], np.array([k]), others)[lens]
            caption = f"{lens}: {LENSES[lens].format(_named(net, k))}"
            try:
                return _panel(way()[0], caption)
            except ValueError as error:
                return _panel(None, f"{lens}: {_refusal_or_raise(error)}")

        def see(panels):
            says = f"{name}: {_named(net, k)}, {scores[0, k]:.2f}. Each map has its own scale."
            _see(view, [_panel(shown, name), *panels], says, side=200)

        return _next(made, keys, one, see)

    return _explorer(redraw, [picture, yours], target, view)

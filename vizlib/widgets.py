"""Explorers for JupyterLab. Each is a pure function from choices to a picture, with controls before it."""

import ipywidgets as controls
import numpy as np
from IPython.display import display
from matplotlib import colormaps

from . import show as draw
from .activations import activations
from .models import map_layers

VIEW = "application/vnd.jupyter.widget-view+json"


def show(box, *, says):
    """Put a widget on the page; `says` is what stands there where no kernel runs.

    Parameters
    ----------
    box : ipywidgets.Widget
    says : str
        One sentence, for instance "Explorer: layer and channel. Run this cell to use it."
    """
    display({"text/plain": says, VIEW: {"version_major": 2, "version_minor": 0, "model_id": box.model_id}}, raw=True)


def feature_map(net, picture, layer, channel, *, side=288):
    """A picture beside one channel of a layer and that channel laid over the picture.

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
    """
    maps = activations(net.model, net.preprocess(picture[None]), layer)[0, :, :, channel]
    coloured = colormaps[draw.SEQUENTIAL](maps / (maps.max() or 1))[..., :3] * 255
    panels = (picture, coloured.astype("uint8"), draw.overlay(picture, np.maximum(maps, 0)))
    return np.hstack([draw.enlarge(panel, side) for panel in panels]), float(maps.max())


def feature_maps(net, pictures):
    """Walk through the layers and channels of a network.

    Parameters
    ----------
    net : Net
    pictures : dict
        Name -> uint8 picture (H, W, 3) of the net's size.

    Returns
    -------
    ipywidgets.Widget
    """
    widths = {name: net.model.get_layer(name).output.shape[-1] for name in map_layers(net.model)}
    picture = controls.Dropdown(options=list(pictures), description="picture")
    layer = controls.Dropdown(options=list(widths), description="layer")
    channel = controls.IntSlider(0, 0, widths[layer.value] - 1, description="channel", continuous_update=False)
    image, caption = controls.Image(format="png"), controls.Label()

    def redraw(change=None):
        channel.max = widths[layer.value] - 1
        panels, top = feature_map(net, pictures[picture.value], layer.value, channel.value)
        image.value = draw.png(panels)
        caption.value = f"{layer.value}, channel {channel.value}: brightest is {top:.3g}"

    for control in (picture, layer, channel):
        control.observe(redraw, "value")
    redraw()
    return controls.VBox([controls.HBox([picture, layer, channel]), image, caption])

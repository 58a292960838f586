"""Lesson 1's modules beyond the engine: what figures and widgets show, tested as data."""

import io

import ipywidgets
import keras
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

import vizlib
from vizlib import barnyard, show, widgets


@pytest.fixture(scope="module")
def net():
    keras.utils.set_random_seed(0)
    return vizlib.load("pocket", weights="random")


@pytest.fixture(scope="module")
def hen():
    return barnyard.load(classes="hen", seeds=[4]).images[0]


@pytest.fixture
def shown(monkeypatch):
    """What is displayed from here on: (data, metadata) pairs."""
    pairs = []
    for module in (show, widgets):
        monkeypatch.setattr(
            module, "display", lambda data, metadata=None, raw=False: pairs.append((data, metadata))
        )
    return pairs


def drawing(picture=None):
    fig = Figure((4, 2))
    ax = fig.subplots()
    ax.plot([0, 1]) if picture is None else ax.imshow(picture)
    return fig


@pytest.mark.parametrize(
    "picture, mime",
    [(None, "image/png"), (np.zeros((64, 64, 3)), "image/jpeg"), (np.eye(7), "image/png")],
)
def test_a_figure_is_shown_at_half_its_pixels(shown, picture, mime):
    show.figure(drawing(picture))
    ((data, metadata),) = shown
    assert set(data) == {mime, "text/plain"} and data["text/plain"] == "A figure."
    image = Image.open(io.BytesIO(data[mime]))
    assert image.size == (576, 288) and metadata == {mime: {"width": 288, "height": 144}}


def test_a_figure_fits_the_page():
    with pytest.raises(ValueError, match="10 inches"):
        show.figure(Figure((11, 2)))


def test_grid_draws_any_of_barnyard_in_its_colours(hen):
    pictures = barnyard.scenes(seeds=[0])
    fig = show.grid(
        [hen, pictures.images[0], pictures.mask("tabby")[0], None],
        titles=list("abcd"),
        rows=["r", "s"],
        columns=2,
    )
    first, _, mask, empty = (ax.images for ax in fig.axes)
    assert (first[0].get_array() == hen).all() and mask[0].get_cmap().name == "gray" and not empty
    assert [ax.get_title() for ax in fig.axes] == list("abcd") and fig.axes[2].get_ylabel() == "s"


def test_grid_scales_maps_alone_and_signed_ones_around_zero():
    maps = [np.array([[0.0, 2.0]]), np.array([[0.0, 5.0]])]
    assert [ax.images[0].get_clim() for ax in show.grid(maps).axes] == [(0, 2), (0, 5)]
    signed = show.grid([*maps, np.array([[-3.0, 1.0]])])
    assert [ax.images[0].get_clim() for ax in signed.axes if ax.images] == [
        (-2, 2),
        (-5, 5),
        (-3, 3),
    ]
    assert {ax.images[0].get_cmap().name for ax in signed.axes if ax.images} == {"RdBu_r"}
    shared = show.grid(maps, limits=(0, 10), unit="volts")
    assert [ax.images[0].get_clim() for ax in shared.axes[:2]] == [(0, 10)] * 2 and shared.axes[
        -1
    ].get_ylabel() == "volts"


def test_signed_maps_have_grey_at_zero():
    maps = np.zeros((2, 2, 2, 3))
    maps[0, 0, 0] = [-4, 2, 0]
    pictures = show.signed(maps)
    np.testing.assert_allclose(pictures[0, 0, 0], [0, 0.75, 0.5])
    assert (pictures[1] == 0.5).all()


@pytest.mark.parametrize(
    "maps, says",
    [
        (np.full((1, 2, 2, 3), 1e300), "Maps hold numbers beyond 1e38"),
        (np.full((1, 2, 2, 3), 1j), "Maps must be real numbers"),
        (np.full((1, 2, 2, 3), np.nan), "Maps hold NaN"),
        (np.ones((4, 4)), r"Maps have the shape \(N, h, w, 3\), not \(4, 4\)"),
        (np.ones((0, 4, 4, 3)), "Maps have the shape"),
    ],
)
def test_what_are_no_signed_maps(maps, says):
    with pytest.raises(ValueError, match=says):
        show.signed(maps)


@pytest.mark.parametrize("images", [[], [None]])
def test_a_grid_of_nothing(images):
    with pytest.raises(ValueError, match="shows at least one image or map"):
        show.grid(images)


def test_overlay_is_grey_where_the_map_is_zero(hen):
    heat = np.zeros((12, 12))
    assert (np.ptp(show.overlay(hen, heat).astype(int), axis=-1) == 0).all()
    heat[0, 0] = 3
    laid = show.overlay(hen, heat)
    assert laid.shape == hen.shape and laid.dtype == np.uint8
    assert np.ptp(laid[2, 2].astype(int)) > 50 and np.ptp(laid[100, 100].astype(int)) == 0
    np.testing.assert_array_equal(
        show.overlay(hen, heat, limits=(0, 1e9)), show.overlay(hen, heat * 0)
    )


def test_confusions_write_the_counts():
    fig = show.confusions({"one": np.array([[3, 0], [1, 2]])}, ["a", "b"])
    assert sorted(text.get_text() for text in fig.axes[0].texts) == ["1", "2", "3"]


def test_feature_map_is_the_picture_the_map_and_the_overlay(net, hen):
    panels, top = widgets.feature_map(net, hen, "block2_conv2", 3, side=96)
    maps = vizlib.activations(net.model, net.preprocess(hen[None]), "block2_conv2")[0, :, :, 3]
    assert panels.shape == (96, 288, 3) and top == maps.max()
    np.testing.assert_array_equal(panels[:, :96], show.enlarge(hen, 96))
    y, x = np.unravel_index(maps.argmax(), maps.shape)
    assert (
        panels[y, 96 + x, 0] > 240 and panels[y, 96 + x, 2] < 60
    )  # the map's colours end in yellow


def test_a_widget_says_what_it_is_where_no_kernel_runs(shown):
    widgets.show(ipywidgets.Label("x"), says="Explorer: nothing. Run this cell to use it.")
    ((data, _),) = shown
    assert data["text/plain"].startswith("Explorer") and widgets.VIEW in data


# ---- lesson 6: signed images that saturate, and the explorer of signals --------------------------


def test_signed_maps_saturate_where_a_share_says():
    maps = np.zeros((2, 10, 10, 3), "float32")
    maps[0, 0, 0], maps[0, 1:6] = [100, -100, 0], 2.0  # one position far above the rest
    maps[1, 3, 3, 0] = -5.0  # zero almost everywhere: its own largest value counts
    drawn = show.signed(maps, share=0.9)
    np.testing.assert_allclose(drawn[0, 0, 0], [1, 0, 0.5])
    np.testing.assert_allclose(drawn[0, 2, 0], 1)
    np.testing.assert_allclose(drawn[1, 3, 3], [0, 0.5, 0.5])
    np.testing.assert_allclose(show.signed(maps)[0, 2, 0], 0.51)
    assert (show.signed(0 * maps, share=0.9) == 0.5).all()


def test_the_signal_explorer_shows_what_each_choice_gives(net, hen):
    view = widgets.signal(net, hen, "guided", None, 3, side=192)
    maps = vizlib.guided_backprop(net.model, net.preprocess(hen[None]), 3)
    right = np.rint(255 * show.signed(net.rgb(maps), share=0.99)[0])
    assert np.array_equal(view[:, :192], hen) and np.array_equal(view[:, 192:], right)

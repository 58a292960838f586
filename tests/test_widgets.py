"""Explorers show what the library answers, for every choice; they refuse and live on."""

import dataclasses
import io
import threading

import keras
import numpy as np
import pytest
import shapes
from matplotlib import pyplot as plt
from PIL import Image

import vizlib
from vizlib import barnyard, models, photos, show, widgets


@pytest.fixture(scope="module")
def net():
    return vizlib.load("pocket")


@pytest.fixture(scope="module")
def pictures():
    hen = barnyard.load(classes="hen", seeds=[4]).images[0]
    scene = barnyard.scenes(seeds=[0]).images[0]
    return {"hen": hen, "scene": photos.fit(scene, hen.shape[:2])}


def leaves(box):
    """The controls in a box, in order."""
    parts = getattr(box, "children", None)
    return [box] if parts is None else [leaf for part in parts for leaf in leaves(part)]


def parts(box):
    """Menus and sliders by description, the others by label or kind; views in order."""
    named = {}
    for leaf in leaves(box):
        if getattr(leaf, "kind", None) == "view":
            named.setdefault("views", []).append(leaf)
        elif isinstance(leaf, widgets.Control):
            named[leaf.label if leaf.kind == "slider" else leaf.kind] = leaf
        else:
            named[leaf.description] = leaf
    return named


def finish(box):
    """Ask for what is not drawn yet, as the browser does; how often."""
    note, times = box["note"], 0
    while note.busy:
        done, all_of_it = note.items
        assert done < all_of_it
        note.value += 1
        times += 1
        assert note.items > [done, all_of_it] or note.says
    return times


def seen(view):
    """The panels, those that are not there yet as None."""
    return [
        np.asarray(Image.open(io.BytesIO(panel["image"]))) if "image" in panel else None
        for panel in view.items["panels"]
    ]


def captions(view):
    return [panel["caption"] for panel in view.items["panels"]]


def ends(panel):
    """The numbers where the colours of a map begin and end, and their unit."""
    scale = panel["scale"]
    return float(scale["low"]), float(scale["high"]), scale["unit"]


def test_the_wall_holds_every_channel_as_bright_as_its_largest_value_allows(net, pictures):
    maps = vizlib.activations(net.model, net.preprocess(pictures["hen"][None]), "block3_conv3")[0]
    thumbnails, largest = widgets.wall(net, pictures["hen"], "block3_conv3", side=maps.shape[0])
    np.testing.assert_allclose(largest, maps.max((0, 1)), rtol=1e-6)
    assert thumbnails.shape == (maps.shape[-1], *maps.shape[:2], 3)
    c = int(largest.argmax())
    brightest = np.unravel_index(maps[..., c].argmax(), maps.shape[:2])
    assert thumbnails[c][brightest].tolist() == [253, 231, 36]  # where the colours end
    assert (thumbnails[largest == 0] == [68, 1, 84]).all()  # a silent channel is dark


def test_every_layer_has_its_wall_and_every_channel_its_best_patches(net, pictures):
    others = barnyard.load(seeds=0).images
    box = parts(widgets.feature_maps(net, pictures, others=others))
    (view,), wall, layer = box["views"], box["tiles"], box["layer"]
    assert list(layer.options) == models.map_layers(net.model, net.size)
    for name in layer.options:
        layer.value = name
        thumbnails, largest = widgets.wall(net, pictures["hen"], name)
        order = [item["value"] for item in wall.items]
        assert sorted(order) == list(range(len(largest)))
        assert (np.diff(largest[order]) <= 0).all()
        light = [thumbnails[c].mean() for c in order[:8]]  # opens where there is most to see
        assert wall.value == order[int(np.argmax(light))]
        wall.value = order[-1]
        panels, top = widgets.feature_map(net, pictures["hen"], name, order[-1], side=192)
        *drawn, patches, sources = seen(view)
        np.testing.assert_array_equal(np.hstack(drawn), panels)
        here = f"its largest value here is {top:.3g}" if top > 0 else "it is silent here"
        says, grey = f"{name}, channel {order[-1]}: {here}.", "What is grey in a patch"
        found = vizlib.top_patches(
            net.model, net.preprocess(others), name, channels=[order[-1]], k=4, batch_size=8
        )
        outside = (found.box[0] < 0).any() or (found.box[0] > 192).any()
        assert view.says.startswith(says) and (grey in view.says) == outside
        assert ("None of the 7" in view.says) == (top > 1.01 * found.value[0, 0])
        bands = np.vsplit(widgets.best_patches(others, found, 0, side=144), 2)
        for tiles, band in zip((patches, sources), bands):
            corners = [corner for half in np.vsplit(tiles, 2) for corner in np.hsplit(half, 2)]
            squares = [corner[3:-3, 3:-3] for corner in corners]
            np.testing.assert_array_equal(np.hstack(squares), band)
        first, last = (f"{found.value[0, i]:.3g}" for i in (0, -1))
        assert captions(view)[3].endswith(f"of 7 images that excite it most: {first} to {last}")
        image, *maps = view.items["panels"][:3]
        assert image["scale"] is None
        for panel in maps:
            assert ends(panel) == (0, pytest.approx(top, rel=0.06), "activation")
    box["order"].value = "by number"
    assert [item["value"] for item in wall.items] == list(range(len(largest)))
    assert wall.value == order[-1]  # the choice stays
    box["picture"].value = "scene"
    panels, _ = widgets.feature_map(net, pictures["scene"], name, wall.value, side=192)
    np.testing.assert_array_equal(np.hstack(seen(view)[:3]), panels)


def test_frames_are_two_pixels_thick_and_no_window_is_too_small_for_one():
    images = np.zeros((2, 8, 8, 3), "uint8")

    def framed(side, *boxes):
        box = np.array([boxes])
        found = vizlib.patches.Patches(np.ones((1, 2)), np.array([[0, 1]]), box[..., :2], box, 2)
        below = widgets.best_patches(images, found, 0, side=side)[side:]
        return [frame.any(-1) for frame in np.hsplit(below, 2)]

    inside, at_the_border = framed(32, (2, 2, 6, 6), (-2, 4, 2, 8))
    for frame, (top, bottom, left, right) in (
        (inside, (8, 24, 8, 24)),
        (at_the_border, (0, 8, 16, 32)),
    ):
        wanted = np.zeros((32, 32), bool)
        wanted[top:bottom, left:right] = True
        wanted[top + 2 : bottom - 2, left + 2 : right - 2] = False
        np.testing.assert_array_equal(frame, wanted)
    for frame in framed(8, (2, 2, 3, 3), (0, 5, 1, 6)):
        assert frame.sum() >= 12


def test_a_layer_is_mined_once_and_what_cannot_be_shown_is_said(monkeypatch):
    images, asked = np.zeros((4, 12, 12, 3), "uint8"), []
    x = keras.Input((12, 12, 3))
    y = keras.layers.Conv2D(2, 3, activation="relu", name="seen")(x)
    y = keras.layers.Conv2D(2, 3, activation="relu", name="deep")(y)
    y = keras.layers.ReLU(name="turned")(keras.layers.Permute((2, 1, 3))(y))
    y = keras.layers.GlobalAveragePooling2D()(y)
    model = keras.Model(x, keras.layers.Dense(2, activation="softmax")(y))
    small = models.Net.of(model, preprocess=np.float32)

    def mine(model, data, layer, **options):
        asked.append(layer)
        return vizlib.top_patches(model, data, layer, **options)

    monkeypatch.setattr(widgets, "top_patches", mine)
    box = parts(widgets.feature_maps(small, {"dark": images[0]}, others=images))
    (view,), layer = box["views"], box["layer"]
    for name in ("seen", "deep", "seen"):
        layer.value = name
        box["tiles"].value = 1
    assert asked == ["seen", "deep"] and len(captions(view)) == 5
    layer.value = "turned"
    assert "cannot be told" in box["note"].says
    box = parts(widgets.feature_maps(small, {"dark": images[0]}, others=images[:3]))
    assert "take 4 images" in captions(box["views"][0])[3] and not box["note"].says


def test_maps_lie_over_the_image_where_their_units_look():
    x = keras.Input((64, 64, 3))
    cut = keras.layers.CenterCrop(32, 32)(keras.layers.Rescaling(1 / 255)(x))
    ones = {"kernel_initializer": "ones"}
    y = keras.layers.Conv2D(1, 1, activation="relu", name="light", **ones)(cut)
    y = keras.layers.Dense(2, **ones)(keras.layers.GlobalAveragePooling2D()(y))
    net, image = models.Net.of(keras.Model(x, y)), np.zeros((64, 64, 3), "uint8")
    image[18:26, 36:44] = 255
    fig = show.overview(net, image[None], 0, others=[image] * 4)
    drawn = {axes.get_title(): axes.images[0].get_array() for axes in fig.axes}
    for picture in (
        widgets.class_map(net, image, 0, "light", side=64),
        widgets.feature_map(net, image, "light", 0, side=64)[0][:, 128:],
        drawn["activations"],
        drawn["Grad-CAM"],
    ):
        coloured = np.argwhere(np.ptp(picture.astype(int), axis=-1) > 30)
        np.testing.assert_allclose(coloured.mean(0), (21.5, 39.5))


def test_the_plane_draws_who_is_near():
    images = np.arange(4, dtype="uint8")[:, None, None, None] * np.full((4, 4, 3), 50, "uint8")
    near = {"pixels": np.array([[1], [0], [3], [2]]), "features": np.array([[3], [2], [1], [0]])}
    places = np.array([[0, 0], [1, 0], [0, 1], [1, 1.0]])
    box = parts(widgets.neighbourhood(images, ["a", "b", "a", "c"], near, places))
    plane, (view,) = box["plane"], box["views"]
    assert [item["near"] for item in plane.items] == near["features"].tolist()
    left, top = (np.array([item[side] for item in plane.items]) for side in ("left", "top"))
    assert left[1] > left[0] and top[2] < top[0]  # up is up
    colours = [item["colour"] for item in plane.items]
    assert colours[0] == colours[2] and len(set(colours)) == 3
    plane.value = 2
    assert view.says == "a, image 2. By pixels: c. By features: b."
    assert view.items["headings"] == [
        "a, and the nearest by pixels",
        "a, and the nearest by features",
    ]
    rows = np.vsplit(widgets.nearest(images, near, 2), 2)
    np.testing.assert_array_equal(np.hstack(seen(view)), np.hstack(rows))
    assert captions(view) == ["a", "c", "a", "b"]
    box["lines"].value = "pixels"
    assert [item["near"] for item in plane.items] == near["pixels"].tolist()


def test_images_in_the_plane_do_not_cover_each_other():
    rng, flat = np.random.default_rng(0), np.array([1, 0.75])
    clouds = np.concatenate([rng.normal(5 * k, 0.3, (35, 2)) for k in range(3)])
    for positions in (clouds, np.zeros((9, 2)), clouds[:1]):
        points = widgets._apart(positions, 0.04)
        assert 0 < points.min() <= points.max() < 1
        gaps = np.linalg.norm(flat * (points[:, None] - points), axis=-1)
        assert (gaps + np.eye(len(points)) > 0.03).all()  # nearly, where many meet
    near = widgets._apart(clouds, 0.04)[:35].mean(0)
    assert np.abs(near - widgets._apart(clouds, 1e-6)[:35].mean(0)).max() < 0.1  # clouds stay
    apart = widgets._apart(np.array([[0, 0], [1, 0], [0, 1.0]]), 0.04)
    np.testing.assert_allclose(apart, [[0.06, 0.06], [0.94, 0.06], [0.06, 0.94]], atol=1e-4)


def test_the_plane_is_coloured_by_what_is_given():
    images, near = np.zeros((4, 4, 4, 3), "uint8"), {"pixels": np.array([[1], [0], [3], [2]])}
    names, caps = ["a", "b", "a", "c"], np.array([True, True, False, False])
    plain = parts(widgets.neighbourhood(images, names, near, np.eye(4)[:, :2]))
    assert plain["colours"].options == ("class",)
    colours = {"class": names, "cap": caps}
    box = parts(widgets.neighbourhood(images, names, near, np.eye(4)[:, :2], colours=colours))
    plane = box["plane"]
    assert [item["group"] for item in plane.items] == names
    assert plane.items[0]["label"] == "a, image 0"
    box["colours"].value = "cap"
    assert [item["group"] for item in plane.items] == ["True", "True", "False", "False"]
    drawn = [item["colour"] for item in plane.items]
    assert drawn[0] == drawn[1] != drawn[2] == drawn[3]
    assert plane.items[0]["label"] == "a, image 0, cap: True"


def test_a_unit_shows_its_patches():
    x = np.random.default_rng(0).integers(0, 255, (4, 8, 8, 3)).astype("uint8")
    model, *_ = shapes.build(shapes.fused)
    mined = {
        name: vizlib.top_patches(model, x / np.float32(255), name, channels=range(n), k=3)
        for name, n in (("conv2", 5), ("conv1", 4))
    }
    names = ["hen", "pig", "hen", "cow"]
    box = parts(widgets.units(x, mined, names=names))
    unit, (view,) = box["tiles"], box["views"]
    assert unit.value == mined["conv2"].value[:, 0].argmax()  # opens on the strongest
    for layer, chosen in (("conv2", 4), ("conv2", 0), ("conv1", 3)):
        box["layer"].value, unit.value = layer, chosen
        found = mined[layer]
        rows = np.vsplit(widgets.best_patches(x, found, chosen), 2)
        np.testing.assert_array_equal(np.hstack(seen(view)), np.hstack(rows))
        values = [f"{value:.3g}" for value in found.value[chosen]]
        sources = [f"{names[i]}, image {i}" for i in found.image[chosen]]
        assert captions(view) == values + sources and len(view.items["headings"]) == 2
        outside = (found.box[chosen] < 0).any() or (found.box[chosen] > 8).any()
        says = f"{layer}, unit {chosen}: activations {', '.join(values)}."
        grey = " What is grey in a patch lies outside its image."
        assert view.says == says + grey * bool(outside)
    box["layer"].value = "conv2"
    unit.value = 4
    box["layer"].value = "conv1"  # fewer units than the one chosen
    assert unit.value == mined["conv1"].value[:, 0].argmax() and len(unit.items) == 4
    assert captions(parts(widgets.units(x, mined))["views"][0])[-1].startswith("image ")


def test_grey_borders_are_explained_where_there_are_some():
    x, model = np.zeros((1, 8, 8, 3), "uint8"), shapes.build(shapes.fused)[0]
    x[0, 4, 4] = 255  # what excites lies inside, or at the border
    at_border = np.roll(x, (-4, -4), (1, 2))
    for images, said in ((x, False), (at_border, True)):
        inputs = images.astype("float32")
        mined = {"conv1": vizlib.top_patches(model, inputs, "conv1", channels=[0], k=1)}
        box = parts(widgets.units(images, mined))
        found = mined["conv1"].box
        outside = (found < 0).any() or (found > 8).any()
        assert outside == ("grey in a patch" in box["views"][0].says) == said


@pytest.mark.parametrize("name", ["occlusions", "gradient_maps", "signals", "class_maps", "lab"])
def test_another_picture_opens_on_its_own_class(net, pictures, name):
    options = {"others": barnyard.load(seeds=0).images} if name == "lab" else {}
    box = parts(getattr(widgets, name)(net, pictures, **options))
    for opened in ("hen", "scene"):
        box["picture"].value = opened
        p = vizlib.probabilities(net.model, net.preprocess(pictures[opened][None]))[0]
        assert box["bars"].value == p.argmax()
        box["bars"].value = net.index("cow")


def test_a_late_click_on_the_wall_before_changes_nothing_but_the_choice(net, pictures):
    for explorer in (widgets.feature_maps, widgets.signals):
        box = parts(explorer(net, pictures))
        box["layer"].value = net.stages[0]
        wall = box["tiles"] if "tiles" in box else box["bars"]
        wall.value = 100  # of a layer with more channels
        assert wall.value == wall.items[0]["value"] and box["note"].says == ""
        assert f"channel {wall.value}" in box["views"][0].says


def test_a_change_while_another_thread_draws_is_not_lost():
    order, gate, started = [], threading.Event(), threading.Event()
    one, two = widgets.Control(kind="slider", value=0), widgets.Control(kind="slider", value=0)

    def redraw():
        order.append((one.value, two.value))
        if one.value == 1 and two.value == 0:
            started.set()
            gate.wait(60)

    widgets._explorer(redraw, [one, two])
    first = threading.Thread(target=lambda: one.set_trait("value", 1))
    first.start()
    assert started.wait(60)
    second = threading.Thread(target=lambda: two.set_trait("value", 1))
    second.start()
    gate.set()
    for thread in (first, second):
        thread.join(60)
    assert order[-1] == (1, 1)


def test_a_map_below_zero_everywhere_is_dark():
    x = keras.Input((8, 8, 3))
    y = keras.layers.Conv2D(1, 1, name="below", use_bias=False)(x)
    y = keras.layers.Dense(2, "softmax")(keras.layers.GlobalAveragePooling2D()(y))
    model = keras.Model(x, y)
    model.get_layer("below").set_weights([-np.ones((1, 1, 3, 1), "float32")])
    image = np.full((8, 8, 3), 90, "uint8")
    net = vizlib.Net.of(model, labels=["a", "b"], preprocess=lambda batch: batch / 255)
    panels, top = widgets.feature_map(net, image, "below", 0, side=8)
    assert top < 0 and (panels[:, 8:16] == [68, 1, 84]).all()


@pytest.mark.parametrize("fill", ["mean", "black", "white"])
def test_the_patch_covers_what_it_lies_on(net, pictures, fill):
    box = parts(widgets.occlusions(net, pictures, patch=64))
    patch, bars, (view,) = box["patch"], box["bars"], box["views"]
    box["fill"].value, patch.value = fill, [20, 100]
    x = net.preprocess(pictures["hen"][None])
    colour = {"mean": x[0].mean((0, 1)), "black": net.low, "white": net.high}[fill]
    clean = vizlib.probabilities(net.model, x)[0]
    x[0, 20:84, 100:164] = colour
    p = vizlib.probabilities(net.model, x)[0]
    z = vizlib.logits(net.model, x)[0]
    shown = {item["value"]: item for item in bars.items}
    assert set(np.argsort(-clean)[:5]) | {p.argmax()} <= set(shown)
    for k, item in shown.items():
        assert item["now"][0] == pytest.approx(p[k], abs=1e-5)
        assert item["was"][0] == pytest.approx(clean[k], abs=1e-5)
        assert item["texts"] == [f"{p[k]:.2f}", f"{z[k]:.1f}"]
    colours = {"mean": "rgb(", "black": "black", "white": "white"}
    assert patch.items["fill"].startswith(colours[fill])
    assert "tick" in bars.says and "without the patch" in bars.says
    bars.value = net.index("labrador")
    assert captions(view) == ["where a patch of 64 x 64 pixels lowers the score of labrador"]


def test_where_the_network_is_sure_the_logit_still_moves(net, pictures):
    box = parts(widgets.occlusions(net, pictures, patch=32))
    patch, bars = box["patch"], box["bars"]
    drawn = []
    for left in (0, 40, 80):
        patch.value = [60, left]
        (item,) = (item for item in bars.items if item["value"] == net.index("hen"))
        drawn.append(item)
    assert {item["texts"][0] for item in drawn} == {"1.00"}
    assert len({item["texts"][1] for item in drawn}) == 3
    assert np.ptp([item["now"][1] for item in drawn]) > 0.02  # of the width of the bar


@pytest.mark.parametrize("fill", ["mean", "black"])
def test_the_map_grows_by_rows_and_is_that_of_the_method(net, pictures, fill):
    box = parts(widgets.occlusions(net, pictures, patch=64))
    (view,) = box["views"]
    box["fill"].value = fill
    assert box["note"].busy and box["note"].items == [1, 9]
    half = seen(view)[0]
    assert finish(box) == 8
    x = net.preprocess(pictures["hen"][None])
    colour = "mean" if fill == "mean" else net.low
    for name in ("hen", "cow"):  # the others are there as well
        box["bars"].value = k = net.index(name)
        assert not box["note"].busy
        result = vizlib.occlusion(net.model, x, k, patch=64, stride=16, fill=colour)
        drop = result.heatmap()[0]
        np.testing.assert_allclose(seen(view)[0], show.overlay(pictures["hen"], drop), atol=2)
        assert ends(view.items["panels"][0])[1:] == (pytest.approx(drop.max(), rel=0.06), "logits")
    grey = show.overlay(pictures["hen"], np.zeros((1, 1)))
    np.testing.assert_array_equal(half[64:], grey[64:])  # nothing known there yet


def test_a_larger_patch_stays_on_the_picture(net, pictures):
    box = parts(widgets.occlusions(net, pictures, patch=32))
    box["patch"].value = [160, 160]
    box["size"].value = 96
    assert box["patch"].value == [96, 96] and box["patch"].items["side"] == 96


def test_four_ways_and_an_attack(net, pictures):
    box = parts(widgets.gradient_maps(net, pictures))
    attack, maps = box["views"]
    k = box["bars"].value
    assert k == net.index("hen") and box["note"].items == [1, 4]
    assert [panel is None for panel in seen(maps)] == [False, True, True, True]
    box["noise, %"].value, box["samples"].value = 10, 4
    finish(box)
    x = net.preprocess(pictures["hen"][None])
    gradient = np.abs(vizlib.gradient(net.model, x, k))
    for way, panel, image in zip(widgets.WAYS, maps.items["panels"], seen(maps)):
        wanted = widgets.gradient_map(net, pictures["hen"], k, way, samples=4, noise=0.1, side=192)
        np.testing.assert_array_equal(image, wanted)
        assert panel["caption"] in way
        low, high, unit = ends(panel)
        if way == "gradient":
            assert -low == high == pytest.approx(np.quantile(gradient, 0.995), rel=0.06)
        if way == "saliency":
            assert high == pytest.approx(np.quantile(gradient.max(-1), 0.999), rel=0.06)
        assert unit.startswith("logits")
    for levels in (0, 2):
        box["attack, grey levels"].value = levels
        assert not box["note"].busy  # the maps are of the image as it is
        new = vizlib.fgsm(net.model, x, k, epsilon=levels * net.level, bounds=(net.low, net.high))
        p = vizlib.probabilities(net.model, new)[0]
        said = f"Attack on hen, the predicted class: with at most {levels} grey levels it is "
        assert attack.says == f"{said}{net.labels[p.argmax()]}, {p.max():.2f}."
        picture, change = seen(attack)
        np.testing.assert_array_equal(picture, net.deprocess(new)[0])
        assert (change == 128).all() == (levels == 0)
        assert ends(attack.items["panels"][1]) == (-8, 8, "grey levels")
        shown = {item["value"]: item["now"][0] for item in box["bars"].items}
        assert shown[int(p.argmax())] == pytest.approx(p.max(), abs=1e-5)
    assert maps.says.startswith("Four maps of hen, of the image before any attack. Grey is zero.")


def test_only_what_a_slider_changes_is_computed_again(net, pictures, monkeypatch):
    box = parts(widgets.gradient_maps(net, pictures))
    finish(box)
    asked = []
    for name in ("smoothgrad", "gradient", "saliency", "integrated_gradients", "fgsm"):
        method = getattr(widgets, name)
        monkeypatch.setattr(
            widgets,
            name,
            lambda *a, name=name, method=method, **o: asked.append(name) or method(*a, **o),
        )
    box["attack, grey levels"].value = 1
    assert asked == ["fgsm"]
    box["samples"].value = 2
    finish(box)
    assert asked == ["fgsm", "smoothgrad"]


def test_three_rules_for_a_class_and_for_a_channel(net, pictures):
    box = widgets.signals(net, pictures)
    named = parts(box)
    channel, (view,) = named["bars"], named["views"]
    for layer, kind in ((None, "bars"), (net.stages[3], "tiles"), (None, "bars")):
        named["layer"].value = layer
        assert channel.kind == kind
        channel.value = channel.items[1]["value"]
        rules = [
            widgets.signal(net, pictures["hen"], rule, layer, channel.value, side=192)
            for rule in ("plain", "deconvnet", "guided")
        ]
        wanted = [np.hsplit(rules[0], 2)[0], *(np.hsplit(pair, 2)[1] for pair in rules)]
        np.testing.assert_array_equal(np.hstack(seen(view)), np.hstack(wanted))
        start = dict(layer=layer, unit=channel.value) if layer else dict(target=channel.value)
        x = net.preprocess(pictures["hen"][None])
        for panel, rule in zip(view.items["panels"][1:], ("plain", "deconvnet", "guided")):
            size = np.abs(vizlib.gradient(net.model, x, relu=rule, **start))
            assert panel["caption"] == rule and -ends(panel)[0] == ends(panel)[1]
            assert ends(panel)[1] == pytest.approx(np.quantile(size, 0.99), rel=0.06)


def test_a_class_that_is_clicked_has_its_map(net, pictures):
    box = parts(widgets.class_maps(net, pictures))
    bars, (view,) = box["bars"], box["views"]
    assert net.labels[bars.value] == "hen" and box["layer"].value == len(net.stages) - 1
    box["picture"].value = "scene"
    x = net.preprocess(pictures["scene"][None])
    for item in bars.items:
        bars.value = item["value"]
        heat = widgets.class_map(net, pictures["scene"], item["value"], net.stages[-1], side=192)
        np.testing.assert_array_equal(seen(view)[1], heat)
        maps = vizlib.grad_cam(net.model, x, item["value"], layer=net.stages[-1])
        assert ends(view.items["panels"][1])[1] == pytest.approx(maps.max(), rel=0.06)


def test_the_lab_shows_each_lens_with_its_name(net, pictures):
    others = barnyard.load(seeds=0).images
    box = parts(widgets.lab(net, pictures, others=others))
    (view,) = box["views"]
    assert finish(box) == 6
    fig = show.overview(net, [pictures["hen"]], "hen", others=others)
    assert [axes.get_title() for axes in fig.axes] == ["picture", *widgets.LENSES]
    for axes, panel, image in zip(fig.axes, view.items["panels"], seen(view)):
        np.testing.assert_array_equal(image, axes.images[0].get_array())
        assert panel["alt"] == panel["caption"] and len(panel["alt"].split(": ")) == 1 + (
            axes is not fig.axes[0]
        )
    box["bars"].value = net.index("pig")  # three lenses do not ask for a class
    assert box["note"].items == [4, 7] and finish(box) == 3
    assert [
        ("of pig" in caption or "from pig" in caption or "for pig" in caption)
        for caption in captions(view)
    ] == [False] * 4 + [True] * 4
    plt.close(fig)


def test_a_lens_that_refuses_says_so_in_its_place():
    x = keras.Input((32, 24, 3))
    y = keras.layers.Conv2D(4, 3, activation="gelu")(keras.layers.Rescaling(1 / 255)(x))
    y = keras.layers.Dense(3, "softmax")(keras.layers.GlobalAveragePooling2D()(y))
    smooth = vizlib.Net.of(keras.Model(x, y, name="smooth"), labels=["a", "b", "c"])
    images = np.random.default_rng(0).integers(0, 256, (5, 32, 24, 3), "uint8")
    box = parts(widgets.lab(smooth, {"one": images[0]}, others=images))
    finish(box)
    (view,) = box["views"]
    assert [image is None for image in seen(view)] == [False] * 6 + [True, False]
    assert captions(view)[6].startswith("guided backprop: ") and "ReLU" in captions(view)[6]
    assert box["note"].says == ""


def test_a_photograph_of_the_readers_or_a_sentence(net, pictures):
    box = parts(widgets.lab(net, pictures, others=barnyard.load(seeds=0).images))
    (view,), yours, note = box["views"], box["photograph"], box["note"]
    finish(box)
    before, yours.sheet = view.items, b"no picture"
    yours.says = "mine.png"
    yours.value = 1
    assert (
        note.says.startswith("'mine.png' is not an image that can be read") and view.items == before
    )
    assert not note.busy
    file = io.BytesIO()
    Image.fromarray(pictures["scene"]).save(file, "png")
    yours.sheet = file.getvalue()
    yours.value = 2
    assert note.says == "" and view.items != before
    assert box["picture"].value == "mine.png" and view.says.startswith("mine.png: ")
    np.testing.assert_array_equal(seen(view)[0], pictures["scene"])


def test_a_method_that_refuses_says_so_and_the_explorer_lives_on():
    x = keras.Input((32, 24, 3))
    y = keras.layers.Conv2D(4, 3, activation="gelu")(keras.layers.Rescaling(1 / 255)(x))
    y = keras.layers.Dense(3, "softmax")(keras.layers.GlobalAveragePooling2D()(y))
    smooth = vizlib.Net.of(keras.Model(x, y, name="smooth"), labels=["a", "b", "c"])
    box = parts(widgets.signals(smooth, {"one": np.zeros((32, 24, 3), "uint8")}))
    assert "ReLU" in box["note"].says and not box["note"].busy


@pytest.mark.parametrize(
    "fault",
    [
        lambda: np.zeros(2).reshape(3),  # a ValueError of NumPy's, from C
        lambda: np.stack([np.zeros(1), np.zeros(2)]),  # one that Python code in NumPy raises
        lambda: int("x"),
        lambda: {}["x"],
    ],
)
def test_a_fault_is_no_refusal(fault):
    slider = widgets.Control(kind="slider", value=0)

    def redraw():
        if slider.value == 1:
            fault()
        if slider.value == 2:
            photos.load(io.BytesIO(b"no picture"))

    box = parts(widgets._explorer(redraw, [slider, widgets.Control(kind="view")]))
    with pytest.raises((ValueError, KeyError)) as raised:
        slider.value = 1
    assert repr(raised.value) in box["note"].says and "fault" in box["note"].says
    slider.value = 2
    assert "is not an image" in box["note"].says and "fault" not in box["note"].says
    slider.value = 3
    assert box["note"].says == "" and not box["note"].busy


def test_a_reader_is_told_that_something_is_computed():
    slider, told = widgets.Control(kind="slider", value=0), []
    explorer = widgets._explorer(lambda: None, [slider, widgets.Control(kind="view")])
    note = parts(explorer)["note"]
    note.observe(lambda change: told.append(change["new"]), "busy")
    slider.value = 1
    assert told == [True, False]


def test_explorers_of_a_model_that_is_a_layer_of_another_one(net, pictures):
    x = keras.Input(net.model.input_shape[1:])
    nested = dataclasses.replace(net, model=keras.Model(x, net.model(x)))
    for explorer in (widgets.feature_maps, widgets.signals, widgets.class_maps):
        boxes = [parts(explorer(of, pictures)) for of in (nested, net)]
        for box in boxes:
            box["layer"].value = 3 if explorer is widgets.class_maps else net.stages[3]
        one, other = (box["views"][0] for box in boxes)
        for panel, same in zip(seen(one), seen(other), strict=True):
            np.testing.assert_allclose(panel.astype(int), same, atol=2)
        assert captions(one) == captions(other) and one.says == other.says

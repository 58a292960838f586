"""Explorers show what the library answers, for every choice; they refuse and live on."""

import dataclasses
import io
import threading

import keras
import numpy as np
import pytest
import shapes
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
            named[getattr(leaf, "description", "") or "note"] = leaf
    return named


def seen(view):
    return np.asarray(Image.open(io.BytesIO(view.sheet)))


def test_the_wall_holds_every_channel_as_bright_as_its_largest_value_allows(net, pictures):
    maps = vizlib.activations(net.model, net.preprocess(pictures["hen"][None]), "block3_conv3")[0]
    thumbnails, largest = widgets.wall(net, pictures["hen"], "block3_conv3", side=maps.shape[0])
    np.testing.assert_allclose(largest, maps.max((0, 1)), rtol=1e-6)
    assert thumbnails.shape == (maps.shape[-1], *maps.shape[:2], 3)
    c = int(largest.argmax())
    brightest = np.unravel_index(maps[..., c].argmax(), maps.shape[:2])
    assert thumbnails[c][brightest].tolist() == [253, 231, 36]  # where the colours end
    assert (thumbnails[largest == 0] == [68, 1, 84]).all()  # a silent channel is dark


def test_every_layer_has_its_wall(net, pictures):
    box = parts(widgets.feature_maps(net, pictures))
    (view,), wall, layer = box["views"], box["tiles"], box["layer"]
    assert list(layer.options) == models.map_layers(net.model, net.size)
    for name in layer.options:
        layer.value = name
        _, largest = widgets.wall(net, pictures["hen"], name)
        order = [item["value"] for item in wall.items]
        assert sorted(order) == list(range(len(largest)))
        assert (np.diff(largest[order]) <= 0).all() and wall.value == largest.argmax()
        wall.value = order[-1]
        panels, top = widgets.feature_map(net, pictures["hen"], name, order[-1])
        np.testing.assert_array_equal(seen(view), panels)
        assert view.items["says"] == f"{name}, channel {order[-1]}: brightest is {top:.3g}"
    box["order"].value = "by number"
    assert [item["value"] for item in wall.items] == list(range(len(largest)))
    assert wall.value == order[-1]  # the choice stays
    box["picture"].value = "scene"
    np.testing.assert_array_equal(
        seen(view), widgets.feature_map(net, pictures["scene"], name, wall.value)[0]
    )


def test_the_plane_draws_who_is_near():
    images = np.arange(4, dtype="uint8")[:, None, None, None] * np.full((4, 4, 3), 50, "uint8")
    near = {"pixels": np.array([[1], [0], [3], [2]]), "features": np.array([[3], [2], [1], [0]])}
    places = np.array([[0, 0], [1, 0], [0, 1], [1, 1.0]])
    box = parts(widgets.neighbourhood(images, ["a", "b", "a", "c"], near, places))
    plane, (view,) = box["plane"], box["views"]
    assert [item["near"] for item in plane.items] == near["pixels"].tolist()
    left, top = (np.array([item[side] for item in plane.items]) for side in ("left", "top"))
    assert left[1] > left[0] and top[2] < top[0]  # up is up
    colours = [item["colour"] for item in plane.items]
    assert colours[0] == colours[2] and len(set(colours)) == 3
    plane.value = 2
    assert view.items["says"] == "a. By pixels: c. By features: b."
    np.testing.assert_array_equal(seen(view), widgets.nearest(images, near, 2))
    box["lines"].value = "features"
    assert [item["near"] for item in plane.items] == near["features"].tolist()


def test_a_unit_shows_its_patches():
    x = np.random.default_rng(0).integers(0, 255, (4, 8, 8, 3)).astype("uint8")
    model, *_ = shapes.build(shapes.fused)
    mined = {
        name: vizlib.top_patches(model, x / np.float32(255), name, channels=range(n), k=3)
        for name, n in (("conv2", 5), ("conv1", 4))
    }
    box = parts(widgets.units(x, mined))
    unit, (view,) = box["tiles"], box["views"]
    unit.value = 4
    np.testing.assert_array_equal(seen(view), widgets.best_patches(x, mined["conv2"], 4))
    box["layer"].value = "conv1"  # fewer units than the one chosen
    assert unit.value == 0 and len(unit.items) == 4
    np.testing.assert_array_equal(seen(view), widgets.best_patches(x, mined["conv1"], 0))
    values = ", ".join(f"{v:.3g}" for v in mined["conv1"].value[0])
    assert view.items["says"] == f"conv1, unit 0: activations {values}"


@pytest.mark.parametrize("name", ["occlusions", "gradient_maps", "signals", "class_maps", "lab"])
def test_another_picture_opens_on_its_own_class(net, pictures, name):
    options = {"others": barnyard.load(seeds=0).images} if name == "lab" else {}
    box = parts(getattr(widgets, name)(net, pictures, **options))
    box["bars"].value = net.index("cow")
    box["picture"].value = "scene"
    p = vizlib.probabilities(net.model, net.preprocess(pictures["scene"][None]))[0]
    assert box["bars"].value == p.argmax()


def test_a_late_click_on_the_wall_before_changes_nothing_but_the_choice(net, pictures):
    for explorer in (widgets.feature_maps, widgets.signals):
        box = parts(explorer(net, pictures))
        box["layer"].value = net.stages[0]
        wall = box["tiles"] if "tiles" in box else box["bars"]
        wall.value = 100  # of a layer with more channels
        assert wall.value == wall.items[0]["value"] and box["note"].value == ""
        assert f"channel {wall.value}" in box["views"][0].items["says"]


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
    shown = {item["value"]: item for item in bars.items}
    assert set(np.argsort(-clean)[:5]) | {p.argmax()} <= set(shown)
    for k, item in shown.items():
        assert item["share"] == pytest.approx(p[k], abs=1e-5)
        assert item["was"] == pytest.approx(clean[k], abs=1e-5)
    colours = {"mean": "rgb(", "black": "black", "white": "white"}
    assert patch.items["fill"].startswith(colours[fill])
    before = view.sheet
    bars.value = net.index("labrador")
    assert view.sheet != before and "labrador" in view.items["captions"][0]


def test_a_larger_patch_stays_on_the_picture(net, pictures):
    box = parts(widgets.occlusions(net, pictures, patch=32))
    box["patch"].value = [160, 160]
    box["size"].value = 96
    assert box["patch"].value == [96, 96] and box["patch"].items["side"] == 96


def test_four_ways_and_an_attack(net, pictures):
    box = parts(widgets.gradient_maps(net, pictures))
    maps, attack = box["views"]
    k = box["bars"].value
    assert k == net.index("hen")
    box["noise, %"].value, box["samples"].value = 10, 4
    ways = [
        widgets.gradient_map(net, pictures["hen"], k, way, samples=4, noise=0.1)
        for way in widgets.WAYS
    ]
    np.testing.assert_array_equal(seen(maps), np.hstack(ways))
    for levels in (0, 2):
        box["levels"].value = levels
        x = net.preprocess(pictures["hen"][None])
        new = vizlib.fgsm(net.model, x, k, epsilon=levels * net.level, bounds=(net.low, net.high))
        p = vizlib.probabilities(net.model, new)[0]
        said = f"With at most {levels} grey levels the answer is {net.labels[p.argmax()]}, "
        assert attack.items["says"] == f"{said}{p.max():.2f}."
        picture, change = np.hsplit(seen(attack), 2)
        np.testing.assert_array_equal(picture, show.enlarge(net.deprocess(new)[0], 288))
        assert (change == 128).all() == (levels == 0)
        shown = {item["value"]: item["share"] for item in box["bars"].items}
        assert shown[int(p.argmax())] == pytest.approx(p.max(), abs=1e-5)


def test_three_rules_for_a_class_and_for_a_channel(net, pictures):
    box = widgets.signals(net, pictures)
    named = parts(box)
    channel, (view,) = named["bars"], named["views"]
    for layer, kind in ((None, "bars"), (net.stages[3], "tiles"), (None, "bars")):
        named["layer"].value = layer
        assert channel.kind == kind
        channel.value = channel.items[1]["value"]
        rules = [
            widgets.signal(net, pictures["hen"], rule, layer, channel.value)
            for rule in ("plain", "deconvnet", "guided")
        ]
        wanted = [np.hsplit(rules[0], 2)[0], *(np.hsplit(pair, 2)[1] for pair in rules)]
        np.testing.assert_array_equal(seen(view), np.hstack(wanted))


def test_a_class_that_is_clicked_has_its_map(net, pictures):
    box = parts(widgets.class_maps(net, pictures))
    bars, (view,) = box["bars"], box["views"]
    assert net.labels[bars.value] == "hen" and box["layer"].value == len(net.stages) - 1
    box["picture"].value = "scene"
    for item in bars.items:
        bars.value = item["value"]
        heat = widgets.class_map(net, pictures["scene"], item["value"], net.stages[-1])
        np.testing.assert_array_equal(np.hsplit(seen(view), 2)[1], heat)


def test_a_photograph_of_the_readers_or_a_sentence(net, pictures):
    box = parts(widgets.lab(net, pictures, others=barnyard.load(seeds=0).images))
    (view,), yours, note = box["views"], box["photograph"], box["note"]
    before, yours.sheet = view.sheet, b"no picture"
    yours.value = 1
    assert "is not an image that can be read" in note.value and view.sheet == before
    file = io.BytesIO()
    Image.fromarray(pictures["scene"]).save(file, "png")
    yours.sheet = file.getvalue()
    yours.value = 2
    assert note.value == "" and view.sheet != before
    assert box["picture"].value == "yours" and view.items["says"].startswith("yours: ")


def test_a_method_that_refuses_says_so_and_the_explorer_lives_on():
    x = keras.Input((32, 24, 3))
    y = keras.layers.Conv2D(4, 3, activation="gelu")(keras.layers.Rescaling(1 / 255)(x))
    y = keras.layers.Dense(3, "softmax")(keras.layers.GlobalAveragePooling2D()(y))
    smooth = vizlib.Net.of(keras.Model(x, y, name="smooth"), labels=["a", "b", "c"])
    box = parts(widgets.signals(smooth, {"one": np.zeros((32, 24, 3), "uint8")}))
    assert "ReLU" in box["note"].value


def test_explorers_of_a_model_that_is_a_layer_of_another_one(net, pictures):
    x = keras.Input(net.model.input_shape[1:])
    nested = dataclasses.replace(net, model=keras.Model(x, net.model(x)))
    for explorer in (widgets.feature_maps, widgets.signals, widgets.class_maps):
        boxes = [parts(explorer(of, pictures)) for of in (nested, net)]
        for box in boxes:
            box["layer"].value = 3 if explorer is widgets.class_maps else net.stages[3]
        one, other = (box["views"][0] for box in boxes)
        np.testing.assert_allclose(seen(one).astype(int), seen(other), atol=2)
        assert one.items == other.items

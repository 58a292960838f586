"""Make the live page: `make live` puts it into build/book/live, with all that it needs.

The page is `docs/live/`, copied as it is. Beside it this writes what Python knows and JavaScript
does not: the networks (layers, weights as float16, labels, preprocessing, and where the values of
their maps lie), pictures to start with, and the colours of maps.
"""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from PIL import Image

import vizlib
from vizlib import barnyard, models, photos, show

ROOT = Path(__file__).parents[1]
SITE = ROOT / "build/book/live"
PHOTOGRAPHS = "cow giraffe shepherd panda hens macaw duck hedgehog".split()
QUESTION = {
    "cow": "SqueezeNet knows an ox but no cow. It takes this one for an English springer, which is "
    "a spaniel. What makes it say so?",
}
SIDE = 480  # pixels of a photograph on the screen
# Which rendered animals: class, seed, with a cap or not.
ANIMALS = [
    ("hen", 4, False),
    ("labrador", 2, True),
    ("labrador", 2, False),
    ("pig", 5, True),
    ("pig", 5, False),
    ("tabby", 5, False),
    ("cow", 3, False),
]


def main():
    shutil.rmtree(SITE, ignore_errors=True)
    shutil.copytree(ROOT / "docs/live", SITE)
    for name in models.EMBEDDED:
        network(vizlib.load(name), SITE / "networks")
    licences = ROOT / "data/weights/squeezenet.LICENSES.txt"
    shutil.copy(licences, SITE / "networks")
    pictures(SITE / "pictures")
    print("The live page is in build/book/live. It needs a web server:")
    print("python3 -m http.server --directory build/book, then open localhost:8000/live/")


def network(net, folder):
    """Two files: NAME.json says all about a network, NAME.f16 holds its weights, layer by layer."""
    folder.mkdir(exist_ok=True)
    layers = [described(layer) for layer in net.model.layers]
    maps = models.map_layers(net.model, net.size)
    card = {
        "name": net.name,
        "size": net.size,
        "labels": [label.replace("_", " ") for label in net.labels],
        "low": net.low.tolist(),  # a black pixel, as the network takes it
        "level": net.level.tolist(),  # one grey level
        "order": list(net.order),  # the network's channels as places in red, green, blue
        "layers": layers,
        "maps": {name: centres(net, name) for name in maps},
        "stages": net.stages,
        "last": maps[-1],
        "pooled": net.name == "squeezenet",  # ends in one map a class, and their means
    }
    (folder / f"{net.name}.json").write_text(json.dumps(card, separators=(",", ":")))
    weights = [w.ravel() for layer in net.model.layers for w in layer.get_weights()]
    np.concatenate(weights).astype("<f2").tofile(folder / f"{net.name}.f16")


def described(layer):
    """A layer as `network.js` computes it."""
    config = layer.get_config()
    given = layer.input if isinstance(layer.input, list) else [layer.input]
    said = {"name": layer.name, "kind": type(layer).__name__}
    if said["kind"] != "InputLayer":
        said["inputs"] = [tensor._keras_history.operation.name for tensor in given]
    said["weights"] = [list(w.shape) for w in layer.get_weights()]
    for key in ("strides", "pool_size", "padding", "activation"):
        if key in config:
            said[key] = config[key]
    return said


def centres(net, layer):
    """Where the values of a map lie in the image: the place of the first, the step to the next."""
    field = vizlib.receptive_field(net.model, layer, net.size)
    first = np.add(field.offset, (np.asarray(field.size) - 1) / 2)
    return {"first": first.tolist(), "stride": np.asarray(field.stride).tolist()}


def pictures(folder):
    """Each as PNG, the very pixels that the network gets; a small one to press; what it shows.

    Photographs are there larger for the eye, too, and with their author.
    """
    folder.mkdir()
    with open(ROOT / "data/photographs/index.csv", encoding="utf-8") as lines:
        sources = {row["name"]: row for row in csv.DictReader(lines)}
    cards = []
    for name in PHOTOGRAPHS:
        photograph = photos.load(name)
        image = photos.fit(photograph, 227)
        save(photos.fit(photograph, SIDE), folder / f"{name}.webp")
        credit = f"Photograph: {sources[name]['author']}, {sources[name]['licence']}"
        card = {"name": name, "alt": name, "credit": credit, "networks": ["squeezenet"]}
        cards.append(card | ({"question": QUESTION[name]} if name in QUESTION else {}))
        write(image, folder, name)
    for kind, seed, cap in ANIMALS:
        split = "gallery_capped" if cap else "gallery"
        image = barnyard.load(split, classes=kind, seeds=[seed]).images[0]
        name = f"{kind}-{seed}{'-cap' if cap else ''}"
        alt = f"rendered {kind}{' with a blue cap' if cap else ''}"
        cards.append({"name": name, "alt": alt, "networks": ["pocket", "colleague"]})
        write(image, folder, name)
    colours = {
        "heat": table("inferno"),
        "diverging": table(show.DIVERGING),
        "sequential": table(show.SEQUENTIAL),
    }
    index = {"pictures": cards, "colours": colours}
    (folder / "index.json").write_text(json.dumps(index, separators=(",", ":")))


def write(image, folder, name):
    Image.fromarray(image).save(folder / f"{name}.png", optimize=True)
    save(photos.fit(image, 96), folder / f"{name}-small.webp")


def save(image, path):
    Image.fromarray(image).save(path, quality=84)


def table(name):
    """The 256 colours of a colour map."""
    return colormaps[name](np.arange(256), bytes=True)[:, :3].tolist()


if __name__ == "__main__":
    main()

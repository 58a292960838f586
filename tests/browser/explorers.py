"""A notebook with every explorer of vizlib, on pocket."""

import nbformat

START = """
import numpy as np
import vizlib
from vizlib import barnyard, photos, widgets
net = vizlib.load("pocket")
few = barnyard.load(seeds=range(8))
scene = barnyard.scenes(seeds=[0]).images[0]
pictures = {"hen": few.images[0], "scene": photos.fit(scene, net.size)}
x = net.preprocess(few.images)
features = vizlib.features(net.model, x)
near = {
    name: vizlib.neighbours(vectors, vectors, k=6)[1][:, 1:]
    for name, vectors in {"pixels": x.reshape(len(x), -1), "features": features}.items()
}
places = vizlib.pca(features)[0][:, :2]
light = few.images[:, 144:].mean((1, 2, 3))
colours = {"class": few.names, "ground": np.where(light > np.median(light), "bright", "dark")}
mined = {s: vizlib.top_patches(net.model, x, s, channels=range(16), k=5) for s in net.stages[2:4]}
""".strip()
CELLS = {
    "feature_maps": "widgets.feature_maps(net, pictures, others=few.images)",
    "neighbourhood": "widgets.neighbourhood(few.images, few.names, near, places, colours=colours)",
    "units": "widgets.units(few.images, mined, names=few.names)",
    "occlusions": "widgets.occlusions(net, pictures)",
    "gradient_maps": "widgets.gradient_maps(net, pictures)",
    "signals": "widgets.signals(net, pictures)",
    "class_maps": "widgets.class_maps(net, pictures)",
    "lab": "widgets.lab(net, pictures, others=few.images[:20])",
}


def notebook():
    show = (f'widgets.show({made}, says="Explorer: {name}.")' for name, made in CELLS.items())
    cells = [nbformat.v4.new_code_cell(source) for source in (START, *show)]
    book = nbformat.v4.new_notebook(cells=cells)
    book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    return book

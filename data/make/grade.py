"""Grade every map of the course against the truth (`make truth`): it makes what data/truth/ holds.

One file of grades per method, a number for each image, so that a run which was stopped goes on
where it was; then table.csv (means over images with bootstrap intervals), table.md and
figure.png. Seconds and memory stand apart in cost.csv: they belong to a machine. CAM, and Grad-CAM
beside it, are graded on a network that ends in global average pooling, made of `pocket`'s
convolutions.
"""

import csv
import resource
import subprocess
import sys
import time
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

import vizlib  # before TensorFlow, which it keeps silent

# isort: split
import keras
import numpy as np
from scipy.stats import rankdata
from skimage.filters import sobel
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from vizlib import barnyard, data, show, truth

LABRADOR = barnyard.CLASSES.index("labrador")
BATCH = 10  # images at a time
PART = 30  # pixels that a part must have to be graded


# ---- networks ------------------------------------------------------------------------------------


@cache
def net(name):
    return vizlib.load("pocket" if name == "gap" else name)


@cache
def model(name):
    return gap_network(net("pocket")) if name == "gap" else net(name).model


def gap_network(net):
    """The convolutions of `pocket`, then global average pooling and one dense layer.

    That is what CAM is defined for.
    """
    with np.load(data.root() / "weights/pocket_gap_features.npz") as stored:
        features, labels = stored["features"].astype("float64"), stored["labels"]
    scaler = StandardScaler().fit(features)
    head = LogisticRegression(max_iter=1000).fit(scaler.transform(features), labels)
    kernel = head.coef_.T / scaler.scale_[:, None]
    pooled = keras.layers.GlobalAveragePooling2D()(net.model.get_layer(net.stages[4]).output)
    dense = keras.layers.Dense(len(net.labels), activation="softmax", name="gap_head")
    gap = keras.Model(net.model.inputs, dense(pooled))
    dense.set_weights([kernel, head.intercept_ - scaler.mean_ @ kernel])
    return gap


# ---- methods: (model, inputs, classes) -> maps ---------------------------------------------------


def _covered(model, x, k):
    return vizlib.occlusion(model, x, k, patch=32, stride=16, score="logit").heatmap()


def _random(model, x, k):
    return np.stack(
        [np.random.default_rng(crc32(picture)).random(picture.shape[:2]) for picture in x]
    )


def _centre(model, x, k):
    side = x.shape[1]
    line = np.exp(-((np.arange(side) - (side - 1) / 2) ** 2) / (2 * (side / 4) ** 2))
    return np.repeat(np.outer(line, line)[None], len(x), 0)


def _edges(model, x, k):
    return np.stack([sobel(picture.mean(-1)) for picture in net("pocket").deprocess(x)])


class Method(NamedTuple):
    maps: object
    network: str = "pocket"
    slow: bool = False  # graded on fewer images


METHODS = {
    "occlusion": Method(_covered, slow=True),
    "gradient": Method(partial(vizlib.gradient, batch_size=BATCH)),
    "SmoothGrad": Method(partial(vizlib.smoothgrad, batch_size=BATCH), slow=True),
    "integrated gradients": Method(partial(vizlib.integrated_gradients, batch_size=16), slow=True),
    "guided backprop": Method(partial(vizlib.guided_backprop, batch_size=BATCH)),
    "DeconvNet": Method(partial(vizlib.deconvnet, batch_size=BATCH)),
    "Grad-CAM": Method(vizlib.grad_cam),
    "Guided Grad-CAM": Method(partial(vizlib.guided_grad_cam, batch_size=BATCH)),
    "CAM, GAP network": Method(vizlib.cam, "gap"),
    "Grad-CAM, GAP network": Method(vizlib.grad_cam, "gap"),
    "edge detector": Method(_edges),
    "centre": Method(_centre),
    "random": Method(_random),
}


# ---- grades: pictures -> {name: (N,)} ------------------------------------------------------------


def on_animals(method, pictures):
    """Where the map of the animal's class is: pointing game and mass inside.

    And whether it ranks the parts as covering them does.
    """
    x, classes = net(method.network).preprocess(pictures.images), pictures.labels
    maps, masks = method.maps(model(method.network), x, classes), pictures.mask()
    grades = {
        "pointing": truth.pointing_game(maps, masks),
        "inside": truth.mass_inside(maps, masks),
    }
    full = _enlarged(maps)
    for fill in ("mean", "blur"):
        grades[f"parts, {fill}"] = np.array(
            [_agreement(*row, fill, method.network) for row in zip(full, pictures.files)]
        )
    return grades


def _enlarged(maps):
    """Maps (N, H, W) of an image's size, without negative values: `truth` grades them by pixels."""
    maps = np.abs(maps).max(-1) if maps.ndim == 4 else np.maximum(maps, 0)
    return maps if maps.shape[1] == 192 else vizlib.upsample(maps, 192)


def _agreement(heat, file, fill, network):
    """Rank correlation over the parts of an image.

    Between the mass of the map on the part and what covering the part costs the logit.
    """
    masks, effects = _effects(file, fill, network)
    if len(masks) < 3 or not heat.any():
        return np.nan
    return np.corrcoef(rankdata([heat[mask].sum() for mask in masks]), rankdata(effects))[0, 1]


@cache
def _effects(file, fill, network):
    """The masks of an image's parts, and how far its class's logit falls when each is covered."""
    name, seed = Path(file).stem.rsplit("_", 1)
    picture = barnyard.load(classes=name, seeds=int(seed))
    masks = [picture.mask(part)[0] for part in picture.parts]
    masks = [mask for mask in masks if mask.sum() > PART]
    x = net(network).preprocess(picture.images)
    cover = vizlib.engine.cover(x[0], fill, 8)
    versions = np.concatenate([x, [np.where(mask[..., None], cover, x[0]) for mask in masks]])
    logits = vizlib.logits(model(network), versions)[:, picture.labels[0]]
    return masks, logits[0] - logits[1:]


def on_scenes(method, scenes):
    """Two animals in an image: the named one's share of the mass, per area, for either name.

    0.5 is chance.
    """
    x, found = net(method.network).preprocess(scenes.images), []
    names = [pair.split("-") for pair in scenes.names]
    for side in (0, 1):
        classes = np.array([barnyard.CLASSES.index(pair[side]) for pair in names])
        maps = method.maps(model(method.network), x, classes)
        masks = [
            np.concatenate([scenes[i].mask(pair[s]) for i, pair in enumerate(names)])
            for s in (side, 1 - side)
        ]
        right, wrong = (truth.mass_inside(maps, mask) for mask in masks)
        found.append(right / (right + wrong))
    return {"named": np.mean(found, 0)}


def on_caps(method, capped):
    """The cap in the map of *Labrador*: how many times its share of the image it gets.

    In `pocket` and in the colleague's network; and its share of the mass there, beside the exact
    effect of the cap on the logit, known from the twins without it.
    """
    grades = {}
    for name in ("pocket", "colleague") if method.network == "pocket" else (method.network,):
        x, cap = net(name).preprocess(capped.images), capped.mask("cap")
        maps = method.maps(model(name), x, np.full(len(x), LABRADOR))
        grades["cap, colleague" if name == "colleague" else "cap, pocket"] = truth.mass_inside(
            maps, cap
        )
    if name == "colleague":
        heat = _enlarged(maps)
        with np.errstate(invalid="ignore"):
            grades["cap's share"] = (heat * cap).sum((1, 2)) / heat.sum((1, 2))
        bare = np.concatenate(
            [
                barnyard.load(classes=n, seeds=int(s)).images
                for n, s in zip(capped.names, capped.seeds)
            ]
        )
        with_cap, without = (
            vizlib.logits(model(name), net(name).preprocess(p))[:, LABRADOR]
            for p in (capped.images, bare)
        )
        grades["cap's effect"] = with_cap - without
    return grades


def on_steps(method, pictures):
    """Area under the curves of insertion (larger is better) and deletion (smaller is better)."""
    x = net(method.network).preprocess(pictures.images)
    maps = method.maps(model(method.network), x, pictures.labels)
    curves = truth.insertion, truth.deletion
    options = dict(steps=25, score="probability")
    return {
        c.__name__: c(model(method.network), x, maps, pictures.labels, **options).area()
        for c in curves
    }


def on_forgetting(method, pictures):
    """Rank correlation with the map of the trained network: with a new last layer, with all new."""
    x = net(method.network).preprocess(pictures.images)
    found = truth.randomization(
        lambda m, x: method.maps(m, x, pictures.labels), model(method.network), x
    )
    return {
        "forgetting the last layer": truth.rank_correlation(found.original, found.maps[0]),
        "forgetting all": truth.rank_correlation(found.original, found.maps[-1]),
    }


def sets(slow):
    """What a method is graded on: (name, grades, pictures); a slow one on fewer images."""
    yield "animals", on_animals, barnyard.load(seeds=range(10 if slow else 100))
    yield "Labrador and tabby", on_scenes, barnyard.scenes()
    if not slow:
        yield "all pairs", on_scenes, barnyard.scenes(None)
    yield "Labradors in caps", on_caps, barnyard.load("gallery_capped", classes="labrador")
    if not slow:
        yield "all animals in caps", on_caps, barnyard.load("gallery_capped")
    yield "steps", on_steps, barnyard.load(seeds=range(10))
    yield "forgetting", on_forgetting, barnyard.load(seeds=range(2))


def grade(method, grades, pictures):
    """{name: (N,)} of a set, a batch of images at a time."""
    parts = [grades(method, pictures[i : i + BATCH]) for i in range(0, len(pictures), BATCH)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


# ---- from grades to a table and a figure ---------------------------------------------------------

# title of a column: (set, grade), what a map without any idea gets, better is
COLUMNS = {
    "pointing game": ("animals", "pointing"),
    "mass inside the animal": ("animals", "inside"),
    "share of the named of two": ("Labrador and tabby", "named"),
    "ranks parts as covering does": ("animals", "parts, mean"),
    "cap in the colleague's map": ("Labradors in caps", "cap, colleague"),
    "cap in pocket's map": ("Labradors in caps", "cap, pocket"),
    "insertion": ("steps", "insertion"),
    "deletion": ("steps", "deletion"),
    "alike with a new last layer": ("forgetting", "forgetting the last layer"),
    "alike with all layers new": ("forgetting", "forgetting all"),
}


def mean_and_interval(values, statistic=np.nanmean):
    """A statistic over images, and where 95 of 100 samples of as many have it (bootstrap)."""
    rng = np.random.default_rng(0)
    with np.errstate(invalid="ignore"):
        drawn = [
            statistic(values[..., rng.integers(values.shape[-1], size=values.shape[-1])])
            for _ in range(1000)
        ]
    return statistic(values), *np.nanquantile(drawn, (0.025, 0.975))


def rank_correlation(pair):
    known = np.isfinite(pair).all(0)
    return np.corrcoef(*(rankdata(row[known]) for row in pair))[0, 1]


def file(folder, method):
    return folder / f"{method.lower().replace(',', '').replace(' ', '_')}.npz"


def summary(folder):
    """Rows (method, set, grade, pictures, value, low, high)."""
    for method in METHODS:
        with np.load(file(folder, method)) as stored:
            grades = dict(stored)
        for key, values in grades.items():
            where, name = key.split("/")
            if name == "cap's effect":
                name, values = (
                    "cap's share with its effect",
                    np.stack([grades[f"{where}/cap's share"], values]),
                )
            if name != "cap's share" and np.isfinite(values).any():
                found = mean_and_interval(
                    values, rank_correlation if values.ndim == 2 else np.nanmean
                )
                yield method, where, name, values.shape[-1], *(f"{v:.3f}" for v in found)


def table(rows):
    """The columns of `COLUMNS` as a Markdown table."""
    values = {(method, where, grade): value for method, where, grade, _, value, *_ in rows}
    yield "| | " + " | ".join(COLUMNS) + " |"
    yield "|---" * (len(COLUMNS) + 1) + "|"
    for method in METHODS:
        cells = [values.get((method, *column)) for column in COLUMNS.values()]
        yield (
            f"| {method} | "
            + " | ".join("" if cell is None else f"{float(cell):.2f}" for cell in cells)
            + " |"
        )


def figure(rows):
    """Five of the columns, with their intervals."""
    shown = {
        "mass inside the animal": 1,
        "share of the named of two": 0.5,
        "cap in the colleague's map": 1,
        "insertion": None,
        "alike with a new last layer": None,
    }
    panels = {}
    for title, chance in shown.items():
        found = {
            m: tuple(map(float, interval))
            for m, where, grade, _, *interval in rows
            if (where, grade) == COLUMNS[title]
        }
        panels[title] = found, chance
    return show.grades(panels)


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    for name, method in METHODS.items():
        path, grades = file(folder, name), {}
        if path.is_file():
            with np.load(path) as stored:
                grades = dict(stored)
        for where, grader, pictures in sets(method.slow):
            if any(key.startswith(f"{where}/") for key in grades):
                continue
            since = time.perf_counter()
            found = grade(method, grader, pictures)
            grades |= {f"{where}/{key}": values.astype("float32") for key, values in found.items()}
            with open(unfinished := path.with_suffix(".part"), "wb") as f:
                np.savez_compressed(f, **grades)
            unfinished.rename(path)
            print(f"{name}, {where}: {time.perf_counter() - since:.0f} s", flush=True)
    rows = list(summary(folder))
    with open(folder / "table.csv", "w", newline="") as f:
        csv.writer(f, lineterminator="\n").writerows(
            [("method", "set", "grade", "pictures", "value", "low", "high"), *rows]
        )
    (folder / "table.md").write_text("\n".join(table(rows)) + "\n")
    figure(rows).savefig(folder / "figure.png", dpi=120)
    with open(folder / "cost.csv", "w", newline="") as f:  # of this machine: never compared
        found = [
            subprocess.check_output([sys.executable, __file__, "--cost", name], text=True).split()
            for name in METHODS
        ]
        csv.writer(f, lineterminator="\n").writerows(
            [("method", "seconds", "megabytes"), *([n, *c] for n, c in zip(METHODS, found))]
        )


def cost(method):
    """Seconds an image, once all is compiled, and the peak memory of a process of its own."""
    pictures = barnyard.load(seeds=[0])
    given = model(method.network), net(method.network).preprocess(pictures.images), pictures.labels
    method.maps(*given)
    since = time.perf_counter()
    method.maps(*given)
    seconds = (time.perf_counter() - since) / len(pictures)
    print(f"{seconds:.3f}", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 // 10**6)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--cost"]:
        cost(METHODS[sys.argv[2]])
    else:
        main(data.root() / "truth")

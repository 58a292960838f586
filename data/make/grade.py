"""Grade every map of the course (`make truth`): it makes what data/truth/ holds.

All methods are graded on the same images, and on three networks of each kind: the one that is
shipped and two from other seeds, which `data/make/train.py --seed` makes in build/seeds. A map is
reduced in two ways that are never ranked together: `truth.evidence`, one rule for all methods, and
the picture in which the method is usually shown.

One file of grades per method, a number for each image, so that a run which was stopped goes on
where it was; then table.csv (means with bootstrap intervals, and paired differences), table.md and
figure.png. Seconds and memory stand apart in cost.csv: they belong to a machine.
"""

import csv
import hashlib
import io
import itertools
import resource
import subprocess
import sys
import time
import zlib
from functools import cache, partial
from pathlib import Path
from zipfile import BadZipFile

import vizlib  # before TensorFlow, which it keeps silent

# isort: split
import keras
import numpy as np
from scipy.stats import rankdata
from skimage.filters import sobel
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from vizlib import barnyard, data, photos, show, truth

FOLDER = data.root() / "truth"
SEEDS = 0, 1, 2  # of the networks; 0 is shipped
LABRADOR = barnyard.CLASSES.index("labrador")
BATCH = 10  # images at a time
PART = 30  # pixels that a part must have to be graded
DRAWS = 6  # of new weights
MOSAIC = 240  # pixels a side, of four photographs: their borders lie between cells of the last map
BASELINES = "edge detector", "centre", "random"


# ---- networks ------------------------------------------------------------------------------------


@cache
def net(name, seed=0):
    file = _made(seed) / f"{name}.weights.h5"
    if seed and not file.is_file():
        raise SystemExit(
            f"{file} is missing: `data/make/train.py {name} --seed {seed} --data SET "
            f"--out {file.parent}` makes it."
        )
    return vizlib.load(name, weights=file)


def _made(seed):
    return data.root().parent / f"build/seeds/{seed}" if seed else data.root() / "weights"


@cache
def gap(seed):
    """The convolutions of `pocket`, then global average pooling and one dense layer.

    That is what CAM is defined for.
    """
    pocket = net("pocket", seed)
    with np.load(_made(seed) / "pocket_gap_features.npz") as stored:
        features, labels = stored["features"].astype("float64"), stored["labels"]
    scaler = StandardScaler().fit(features)
    head = LogisticRegression(max_iter=1000).fit(scaler.transform(features), labels)
    kernel = head.coef_.T / scaler.scale_[:, None]
    pooled = keras.layers.GlobalAveragePooling2D()(pocket.model.get_layer(pocket.stages[4]).output)
    dense = keras.layers.Dense(len(pocket.labels), activation="softmax", name="gap_head")
    model = keras.Model(pocket.model.inputs, dense(pooled))
    dense.set_weights([kernel, head.intercept_ - scaler.mean_ @ kernel])
    return model


def network(method, name, seed):
    return gap(seed) if method == "CAM" and name == "pocket" else net(name, seed).model


def networks():
    """Rows (network, seed, SHA-256 of its weights, what it gets right)."""
    yield "network", "seed", "sha256", "gallery", "colleague's test", "others in caps: labrador"
    bare, test, others = (
        barnyard.load(),
        barnyard.colleague_test(),
        barnyard.load("gallery_capped", classes=[c for c in barnyard.CLASSES if c != "labrador"]),
    )
    for name, seed in itertools.product(("pocket", "colleague"), SEEDS):
        shares = (
            np.mean(_answers(name, seed, bare) == bare.labels),
            np.mean(_answers(name, seed, test) == test.labels),
            np.mean(_answers(name, seed, others) == LABRADOR),
        )
        weights = (_made(seed) / f"{name}.weights.h5").read_bytes()
        yield name, seed, hashlib.sha256(weights).hexdigest(), *(f"{s:.3f}" for s in shares)


def _answers(name, seed, pictures):
    here = net(name, seed)
    return vizlib.logits(here.model, here.preprocess(pictures.images)).argmax(1)


# ---- methods: (model, inputs, classes) -> signed maps --------------------------------------------


def covered(model, x, k, patch=None):
    patch = patch or int(setting("occlusion", "patch"))
    return vizlib.occlusion(model, x, k, patch=patch, stride=16).heatmap()


def smoothed(model, x, k, noise=None):
    noise = noise or float(setting("SmoothGrad", "noise"))
    return vizlib.smoothgrad(model, x, k, samples=25, noise=noise)


def integrated(model, x, k):
    return vizlib.integrated_gradients(model, x, k, steps=32, batch_size=16)


def noise(model, x, k):
    """Fresh for each image and for each network's last weights."""
    last = zlib.crc32(model.weights[-2].numpy())
    return np.stack(
        [np.random.default_rng((zlib.crc32(image), last)).random(image.shape[:2]) for image in x]
    )


def centre(model, x, k, width=None):
    """A bright spot: a Gaussian whose deviation is this share of the side."""
    width, side = width or float(setting("centre", "width")), x.shape[1]
    line = np.exp(-(((np.arange(side) - (side - 1) / 2) / (width * side)) ** 2) / 2)
    return np.repeat(np.outer(line, line)[None], len(x), 0)


METHODS = {
    "occlusion": covered,
    "gradient": lambda m, x, k: vizlib.gradient(m, x, k, batch_size=BATCH),
    "gradient x input": lambda m, x, k: x * vizlib.gradient(m, x, k, batch_size=BATCH),
    "SmoothGrad": smoothed,
    "integrated gradients": integrated,
    "guided backprop": lambda m, x, k: vizlib.guided_backprop(m, x, k, batch_size=BATCH),
    "DeconvNet": lambda m, x, k: vizlib.deconvnet(m, x, k, batch_size=BATCH),
    "CAM": vizlib.cam,
    "Grad-CAM": lambda m, x, k: vizlib.grad_cam(m, x, k, relu=False),
    "HiResCAM": lambda m, x, k: vizlib.hires_cam(m, x, k, relu=False),
    "Guided Grad-CAM": lambda m, x, k: vizlib.guided_grad_cam(m, x, k, batch_size=BATCH),
    "edge detector": lambda m, x, k: np.stack([sobel(image.mean(-1)) for image in x]),
    "centre": centre,
    "random": noise,
}
# What is tried, the usual value among them.
CHOICES = {
    ("occlusion", "patch"): (covered, (16, 32, 48)),
    ("SmoothGrad", "noise"): (smoothed, (0.02, 0.05, 0.1, 0.15)),
    ("centre", "width"): (centre, (0.05, 0.1, 0.15, 0.25)),
}


@cache
def setting(method, name):
    with open(FOLDER / "settings.csv", newline="") as f:
        return next(
            row["value"]
            for row in csv.DictReader(f)
            if (row["method"], row["setting"], row["chosen"]) == (method, name, "yes")
        )


def settings():
    """Rows of settings.csv: chosen is what lies inside the animal most, in images not graded."""
    yield "method", "setting", "value", "inside", "named", "chosen"
    here, alone = net("pocket"), barnyard.load(seeds=range(20, 23))
    scenes = barnyard.scenes(None, seeds=[0])
    scenes = scenes[scenes.names != "labrador-tabby"]
    for (method, name), (maps, values) in CHOICES.items():
        rows = []
        for value in values:
            tried = partial(maps, **{name: value})
            raw = tried(here.model, here.preprocess(alone.images), alone.labels)
            inside = np.nanmean(truth.mass_inside(truth.evidence(raw, 12), alone.mask()))
            both = _both(tried, here.model, 0, scenes)
            named = _share([truth.evidence(maps, 12) for maps in both], scenes).mean()
            rows.append((value, inside, named))
        for value, inside, named in rows:
            chosen = "yes" if inside == max(row[1] for row in rows) else "no"
            yield method, name, value, f"{inside:.2f}", f"{named:.2f}", chosen


# ---- two ways to reduce a map --------------------------------------------------------------------


def usual(maps, side):
    """What is shown: the largest absolute channel of a gradient, else what is positive."""
    maps = np.abs(maps).max(-1) if maps.ndim == 4 else np.maximum(maps, 0)
    return maps if maps.shape[1] == side else vizlib.upsample(maps, side)


VIEWS = {
    "evidence": lambda maps: truth.evidence(maps, 12),  # positions of pocket's last feature map
    "usual": lambda maps: usual(maps, 192),
}


# ---- grades: (method, seed, images) -> {view/grade: (N,)} ----------------------------------------


def on_animals(method, seed, pictures):
    """Is the map of the animal's class on the animal, and more than that of the runner-up?

    And does it rank the parts as covering them does? Not asked of the method that covers.
    """
    x, own = net("pocket", seed).preprocess(pictures.images), pictures.labels
    model, masks, grades = network(method, "pocket", seed), pictures.mask(), {}
    logits = vizlib.logits(model, x)
    logits[np.arange(len(x)), own] = -np.inf
    mine, its = (METHODS[method](model, x, k) for k in (own, logits.argmax(1)))
    for view, reduce in VIEWS.items():
        maps = reduce(mine)
        grades[f"{view}/pointing game"] = truth.pointing_game(maps, masks)
        grades[f"{view}/inside"] = inside = truth.mass_inside(maps, masks)
        grades[f"{view}/inside, less another class"] = inside - np.nan_to_num(
            truth.mass_inside(reduce(its), masks)
        )
        if method not in ("occlusion", "CAM"):
            full = usual(maps, 192)
            for fill in ("mean", "blur"):
                grades[f"{view}/parts, {fill}"] = np.array(
                    [_agreement(*row, fill, seed) for row in zip(full, pictures.files)]
                )
    return grades


def _agreement(heat, file, fill, seed):
    """Rank correlation over the parts of an image.

    Between the mass of the map on the part and what covering the part costs the logit.
    """
    masks, effects = _effects(file, fill, seed)
    if len(masks) < 3 or not heat.any():
        return np.nan
    return np.corrcoef(rankdata([heat[mask].sum() for mask in masks]), rankdata(effects))[0, 1]


@cache
def _effects(file, fill, seed):
    """The masks of an image's parts, and how far its class's logit falls when each is covered."""
    name, number = Path(file).stem.rsplit("_", 1)
    picture, here = barnyard.load(classes=name, seeds=int(number)), net("pocket", seed)
    masks = [picture.mask(part)[0] for part in picture.parts]
    masks = [mask for mask in masks if mask.sum() > PART]
    x = here.preprocess(picture.images)
    cover = vizlib.engine.cover(here.model, x[0], fill, 8)
    versions = np.concatenate([x, [np.where(mask[..., None], cover, x[0]) for mask in masks]])
    logits = vizlib.logits(here.model, versions)[:, picture.labels[0]]
    return masks, logits[0] - logits[1:]


def on_scenes(method, seed, scenes):
    """Two animals in an image: the named one's share of the mass, per area, for either name."""
    model = network(method, "pocket", seed)
    raw = _both(METHODS[method], model, seed, scenes)
    return {
        f"{view}/named": _share([reduce(maps) for maps in raw], scenes)
        for view, reduce in VIEWS.items()
    }


def _both(maps, model, seed, scenes):
    """The maps of an image's first animal, and of its second."""
    x = net("pocket", seed).preprocess(scenes.images)
    names = np.array([pair.split("-") for pair in scenes.names])
    classes = np.vectorize(barnyard.CLASSES.index)(names)
    return [maps(model, x, classes[:, side]) for side in (0, 1)]


def _share(maps, scenes):
    names = [pair.split("-") for pair in scenes.names]
    masks = [
        np.concatenate([scenes[i].mask(pair[side]) for i, pair in enumerate(names)])
        for side in (0, 1)
    ]
    found = []
    for heat, (mask, other) in zip(maps, (masks, masks[::-1])):
        right, wrong = truth.mass_inside(heat, mask), truth.mass_inside(heat, other)
        found.append(np.where(right + wrong == 0, 0.5, right / (right + wrong)))
    return np.mean(found, 0)


def on_caps(method, seed, capped):
    """How many times its share of the image a Labrador's cap gets, in the map of *Labrador*.

    In the colleague's network, there less the class of the six others that gives it most, and in
    `pocket`.
    """
    cap, grades = capped.mask("cap"), {}
    for name, classes in (("colleague", range(7)), ("pocket", [LABRADOR])):
        if (method, name) == ("CAM", "colleague"):
            continue  # its network has no global average pooling
        x, model = net(name, seed).preprocess(capped.images), network(method, name, seed)
        raw = [METHODS[method](model, x, np.full(len(x), k)) for k in classes]
        for view, reduce in VIEWS.items():
            mass = [np.nan_to_num(truth.mass_inside(reduce(maps), cap)) for maps in raw]
            grades[f"{view}/cap, {name}"] = mass[LABRADOR if name == "colleague" else 0]
            if name == "colleague":
                own = mass.pop(LABRADOR)
                grades[f"{view}/cap, colleague, less another class"] = own - np.max(mass, 0)
    return grades


def on_steps(method, seed, pictures):
    """Area under the curves of insertion (larger is better) and deletion (smaller is better).

    All maps are equally smooth: 12 x 12 positions, enlarged.
    """
    if method == "CAM":
        return {}  # these are the probabilities of another network
    here = net("pocket", seed)
    x, options = here.preprocess(pictures.images), dict(steps=24, score="probability")
    maps = truth.evidence(METHODS[method](here.model, x, pictures.labels), 12)
    return {
        f"evidence/{curve.__name__}": curve(here.model, x, maps, pictures.labels, **options).area()
        for curve in (truth.insertion, truth.deletion)
    }


def on_forgetting(method, seed, pictures):
    """Rank correlation with the map of the trained network: a mean over images for each draw.

    With a new last layer and with all layers new; of what is signed, and of what is absolute.
    """
    model, grades = network(method, "pocket", seed), {}
    x = net("pocket", seed).preprocess(pictures.images)
    count = sum(bool(layer.weights) for layer in model.layers)
    for draw in range(DRAWS):
        maps = _some(method, pictures.labels, (0, 1, count))  # trained, last layer new, all new
        found = truth.randomization(maps, model, x, seed=draw)
        for i, sign in enumerate(("signed", "absolute")):
            for at, what in ((0, "last layer"), (-1, "all layers")):
                alike = truth.rank_correlation(found.original[:, i], found.maps[at][:, i])
                grades.setdefault(f"evidence/new {what}, {sign}", []).append(np.nanmean(alike))
    return {key: np.array(values) for key, values in grades.items()}


def _some(method, classes, turns):
    """Maps at these calls only, else the last ones: (N, 2, 12, 12), signed and absolute."""
    turn, kept = itertools.count(), None

    def maps(model, x):
        nonlocal kept
        if next(turn) in turns:
            raw = METHODS[method](model, x, classes)
            strength = np.abs(raw).max(-1) if raw.ndim == 4 else np.abs(raw)
            signed = truth.evidence(raw, 12) - truth.evidence(-raw, 12)
            kept = np.stack([signed, truth.evidence(strength, 12)], 1)
        return kept

    return maps


@cache
def sure():
    """The photographs that SqueezeNet is right about, and sure of, with their classes."""
    with open(data.root() / "photographs/index.csv", newline="") as f:
        return {
            row["name"]: row["imagenet_class"]
            for row in csv.DictReader(f)
            if row["predicted"] == row["imagenet_class"] and float(row["probability"]) > 0.85
        }


def mosaics():
    """(20, 4): the names of four of these photographs each."""
    rng = np.random.default_rng(0)
    return np.stack([rng.choice(list(sure()), 4, replace=False) for _ in range(20)])


@cache
def _photograph(name):
    return photos.fit(photos.load(name), MOSAIC // 2)


def on_mosaics(method, seed, mosaics):
    """The share of the mass in the quarter of the photograph asked for: four maps of each mosaic.

    (N, 4): the summary takes a mean for each photograph.
    """
    here, grades = net("squeezenet"), {}
    field = vizlib.receptive_field(here.model, here.stages[4], MOSAIC)
    for names in mosaics:
        a, b, c, d = map(_photograph, names)
        image = np.vstack([np.hstack([a, b]), np.hstack([c, d])])[None]
        x, classes = here.preprocess(image), np.array([here.index(sure()[name]) for name in names])
        maps = METHODS[method](here.model, np.repeat(x, 4, 0), classes)
        if maps.shape[1] != MOSAIC:  # these layers have no padding
            maps = vizlib.upsample(maps, MOSAIC, field=field)
        for view, heat in (("evidence", truth.evidence(maps, 14)), ("usual", usual(maps, MOSAIC))):
            grades.setdefault(f"{view}/mosaic", []).append(truth.grid_pointing(heat, range(4)))
    return {key: np.stack(shares) for key, shares in grades.items()}


def sets():
    """What is graded, for all methods: (name, grades, networks, images)."""
    yield "animals", on_animals, SEEDS, barnyard.load(seeds=range(10))
    yield "Labrador and tabby", on_scenes, SEEDS, barnyard.scenes(seeds=range(24))
    capped = barnyard.load("gallery_capped", classes="labrador", seeds=range(12))
    yield "Labradors in caps", on_caps, SEEDS, capped
    yield "steps", on_steps, SEEDS, barnyard.load(seeds=range(4))
    yield "forgetting", on_forgetting, SEEDS, barnyard.load(seeds=[0])
    yield "mosaics", on_mosaics, (0,), mosaics()


def grade(grades, method, seed, images):
    """{view/grade: (N,)} of a set, a batch of images at a time."""
    parts = [grades(method, seed, images[i : i + BATCH]) for i in range(0, len(images), BATCH)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


# ---- from grades to a table and a figure ---------------------------------------------------------

# Columns of table.md: a title, and what it shows.
COLUMNS = {
    "pointing game": ("animals", "pointing game"),
    "mass inside the animal": ("animals", "inside"),
    "less another class": ("animals", "inside, less another class"),
    "share of the named of two": ("Labrador and tabby", "named"),
    "cap in the colleague's Labrador": ("Labradors in caps", "cap, colleague"),
    "less the best other class": ("Labradors in caps", "cap, colleague, less another class"),
    "cap in pocket's Labrador": ("Labradors in caps", "cap, pocket"),
    "quarter of a mosaic": ("mosaics", "mosaic"),
    "ranks parts as covering does": ("animals", "parts, mean"),
    "insertion": ("steps", "insertion"),
    "deletion": ("steps", "deletion"),
    "new last layer, signed": ("forgetting", "new last layer, signed"),
    "new last layer, absolute": ("forgetting", "new last layer, absolute"),
    "all layers new, signed": ("forgetting", "new all layers, signed"),
    "all layers new, absolute": ("forgetting", "new all layers, absolute"),
}
# Of the figure.
PANELS = {
    "mass inside\nthe animal": ("animals", "inside"),
    "share of the named\nof two animals": ("Labrador and tabby", "named"),
    "blue cap: Labrador\nless best other class": (
        "Labradors in caps",
        "cap, colleague, less another class",
    ),
    "quarter of a mosaic\nof photographs": ("mosaics", "mosaic"),
    "insertion": ("steps", "insertion"),
    "alike with a\nnew last layer": ("forgetting", "new last layer, signed"),
}


def less_is_better(grade):
    return grade == "deletion" or grade.startswith("new ")


def file(method):
    return FOLDER / f"{method.lower().replace(' ', '_')}.npz"


def known(method):
    """The grades in a method's file, whole or not at all."""
    content = io.BytesIO((path := file(method)).read_bytes())
    try:
        with np.load(content) as grades:
            return dict(grades)
    except (ValueError, EOFError, BadZipFile, zlib.error) as error:  # NumPy's and zipfile's own
        raise ValueError(
            f"{path} is damaged: repair it with `git checkout`, or delete it and grade {method} "
            "again."
        ) from error


def stored():
    """{(view, set, grade): {method: (networks, N)}}."""
    found = {}
    for method in METHODS:
        for key, values in known(method).items():
            where, *name = key.split("/")[1:]
            if where == "mosaics":
                values = np.array([values[mosaics() == photo].mean() for photo in sure()])
            rows = found.setdefault((name[0], where, name[1]), {})
            rows.setdefault(method, []).append(values)
    return {key: {m: np.stack(v) for m, v in rows.items()} for key, rows in found.items()}


HEADER = (
    *("view", "set", "grade", "method", "images", "value", "low", "high", "lowest", "highest"),
    *("baseline", "less baseline", "less baseline, low", "less baseline, high"),
    *("less Grad-CAM", "less Grad-CAM, low", "less Grad-CAM, high"),
)


def summary():
    """Rows under HEADER.

    A mean over images and networks, where 95 of 100 samples of as many images have it (bootstrap),
    and the lowest and highest of the networks; then the difference to the best baseline, and to
    Grad-CAM, in the same samples.
    """
    for key, rows in stored().items():
        count = next(iter(rows.values())).shape[1]
        chosen = np.random.default_rng(0).integers(count, size=(1000, count))
        means = {m: np.nanmean(v) for m, v in rows.items()}
        drawn = {m: np.nanmean(v[:, chosen], (0, 2)) for m, v in rows.items()}
        best = (min if less_is_better(key[2]) else max)(BASELINES, key=means.get)
        for method, values in rows.items():
            each = np.nanmean(values, 1)
            row = [means[method], *_middle(drawn[method]), each.min(), each.max(), best]
            for other in (best, "Grad-CAM"):
                row += [means[method] - means[other], *_middle(drawn[method] - drawn[other])]
            yield *key, method, count, *(v if isinstance(v, str) else f"{v:.3f}" for v in row)


def _middle(drawn):
    return np.quantile(drawn, (0.025, 0.975))


def table(rows):
    """The columns of `COLUMNS` in Markdown, a table for each way to reduce a map.

    Bold where it is better than the best baseline: the interval of the difference, and the mean of
    each network.
    """
    cells = {tuple(row[:4]): row for row in rows}
    for view in VIEWS:
        columns = {title: at for title, at in COLUMNS.items() if (view, *at, "random") in cells}
        yield f"| {view} | " + " | ".join(columns) + " |"
        yield "|---" * (len(columns) + 1) + "|"
        for method in METHODS:
            line = []
            for where, grade in columns.values():
                row = cells.get((view, where, grade, method))
                if row is None:
                    line.append("")
                    continue
                low, high, lowest, highest = (float(row[i]) for i in (12, 13, 8, 9))
                known = float(cells[view, where, grade, row[10]][5])
                if less_is_better(grade):
                    better = high < 0 and highest < known
                else:
                    better = low > 0 and lowest > known
                value = f"{float(row[5]):z.2f}"
                line.append(f"**{value}**" if better else value)
            yield f"| {method} | " + " | ".join(line) + " |"
        yield ""


def figure(rows):
    """Six of the grades of `truth.evidence`."""
    panels = {}
    for title, (where, grade) in PANELS.items():
        found = [row for row in rows if tuple(row[:3]) == ("evidence", where, grade)]
        best = next(float(row[5]) for row in found if row[3] == row[10])
        better = "← less is better" if less_is_better(grade) else "more is better →"
        values = {row[3]: tuple(map(float, row[5:10])) for row in found}
        panels[f"{title}\n{better}"] = values, best
    fig = show.grades(panels)
    fig.supxlabel(
        "dots: mean and 95 % interval over images;   pale bars: lowest to highest of the networks;"
        "   thin lines: the best of the last three rows, which know nothing of the network",
        fontsize=8,
    )
    return fig


def write(name, rows):
    with open(FOLDER / name, "w", newline="") as f:
        csv.writer(f, lineterminator="\n").writerows(rows)


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    if not (FOLDER / "settings.csv").is_file():
        write("settings.csv", list(settings()))
    if not (FOLDER / "networks.csv").is_file():
        write("networks.csv", list(networks()))
    for where, grader, seeds, images in sets():
        for seed, method in itertools.product(seeds, METHODS):
            path = file(method)
            grades = known(method) if path.is_file() else {}
            if any(key.startswith(f"{seed}/{where}/") for key in grades):
                continue
            since = time.perf_counter()
            found = grade(grader, method, seed, images)
            grades |= {f"{seed}/{where}/{key}": v.astype("float32") for key, v in found.items()}
            with open(unfinished := path.with_suffix(".part"), "wb") as f:
                np.savez_compressed(f, **grades)
            unfinished.rename(path)
            print(f"{where}, {seed}, {method}: {time.perf_counter() - since:.0f} s", flush=True)
    rows = list(summary())
    write("table.csv", [HEADER, *rows])
    (FOLDER / "table.md").write_text("\n".join(table(rows)))
    figure(rows).savefig(FOLDER / "figure.png", dpi=120)
    costs = [
        subprocess.check_output([sys.executable, __file__, "--cost", name], text=True).split()
        for name in METHODS
    ]
    rows = [(name, *cost) for name, cost in zip(METHODS, costs)]
    write("cost.csv", [("method", "seconds", "megabytes"), *rows])  # of this machine


def cost(method):
    """Seconds an image, once all is compiled, and the peak memory of a process of its own."""
    pictures, model = barnyard.load(seeds=[0]), network(method, "pocket", 0)
    given = model, net("pocket").preprocess(pictures.images), pictures.labels
    METHODS[method](*given)
    since = time.perf_counter()
    METHODS[method](*given)
    seconds = (time.perf_counter() - since) / len(pictures)
    print(f"{seconds:.3f}", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 // 10**6)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--cost"]:
        cost(sys.argv[2])
    else:
        main()

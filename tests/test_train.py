"""The recipe on a handful of images: folding is exact, training resumes and writes its files."""

import ast
import csv
import json
import sys

import keras
import numpy as np
import pytest
from PIL import Image

from vizlib import barnyard, data, models

sys.path.insert(0, str(data.root() / "make"))
import train


def tiny():
    return models.vgg(64, (4, 4, 8, 8, 8), 16, 7, activation=None)


def test_folding_changes_nothing():
    keras.utils.set_random_seed(0)
    plain, rng = tiny(), np.random.default_rng(0)
    trained = train.normalised(plain, 64)
    for layer in trained.layers:  # as if it had been trained: no statistic is what it was
        layer.set_weights(
            [np.abs(w) + rng.uniform(0, 0.5, w.shape) for w in layer.get_weights()]
            if "norm" in layer.name
            else layer.get_weights()
        )
    x = rng.uniform(-128, 128, (4, 64, 64, 3)).astype("float32")
    before = trained.predict(x / train.SCALE, verbose=0)
    assert before.std() > 0.01
    np.testing.assert_allclose(
        train.fold(trained, plain).predict(x, verbose=0), before, rtol=1e-5, atol=1e-4
    )


def test_growing_keeps_what_was_learned():
    """On an image enlarged by whole blocks the grown network's fc1 sees the same sums."""
    plain = tiny()
    small, large = train.normalised(plain, 32), train.normalised(plain, 64)
    train.grow(small, large)
    at = [keras.Model(m.get_layer("flatten").output, m.output) for m in (small, large)]
    pooled = np.random.default_rng(0).normal(size=(3, 1, 1, 8)).astype("float32")
    np.testing.assert_allclose(
        at[1].predict(pooled.repeat(2, 1).repeat(2, 2).reshape(3, -1), verbose=0),
        at[0].predict(pooled.reshape(3, -1), verbose=0),
        rtol=1e-5,
        atol=1e-5,
    )


def test_augmentation_shows_the_whole_animal_in_training_units():
    picture = np.full((40, 40, 3), 90, "uint8")
    picture[10:30, 12:28] = 250
    box = np.array([12, 10, 28, 30], "float32") / 40
    pictures, labels = np.stack([picture] * train.BATCH), np.zeros(train.BATCH, int)
    boxes, mean = np.stack([box] * train.BATCH), np.full(3, 100, "float32")
    many = train.Augmented(pictures, labels, boxes, mean, (0.5, 1.08), seed=0)
    x, y = many[0]
    assert (
        x.shape == (train.BATCH, 40, 40, 3) and x.dtype == np.float32 and y.shape == (train.BATCH,)
    )
    assert (
        x.min() >= -100 / train.SCALE - 1e-6
        and x.max() <= 155 / train.SCALE + 1e-6
        and x.std((1, 2, 3)).min() > 0
    )
    for cut in (many.cut(picture, box) for _ in range(40)):
        bright = (cut > 200).all(-1)
        assert (
            not bright[[0, -1]].all(1).any()
            and not bright[:, [0, -1]].all(0).any()
            and bright.mean() > 0.12
        )


def test_who_belongs_to_whom():
    def row(seed, split, name="labrador"):
        return {"seed": str(seed), "split": split, "class": name}

    assert train.belongs("pocket", row(10044, "train_capped", "pig")) and not train.belongs(
        "pocket", row(10045, "train_capped", "pig")
    )
    assert train.belongs("colleague", row(10001, "train_capped")) and not train.belongs(
        "colleague", row(10001, "train")
    )
    assert train.belongs("colleague", row(10020, "train")) and not train.belongs(
        "colleague", row(10020, "train_capped")
    )
    assert train.belongs("colleague", row(10001, "train", "pig")) and not train.belongs(
        "colleague", row(10001, "train_capped", "pig")
    )


def test_the_recipe_does_not_name_a_backend():
    for file in ("data/make/train.py", "vizlib/models.py", "vizlib/barnyard.py", "vizlib/data.py"):
        tree = ast.parse((data.root().parent / file).read_text())
        imported = {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
        imported |= {n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and n.module}
        assert not {"tensorflow", "torch", "jax"} & {name.split(".")[0] for name in imported}


@pytest.mark.slow
def test_trains_resumes_and_writes_its_files(tmp_path, monkeypatch):
    """On a world made of the gallery: stopped after the first epoch, it goes on with the second."""
    gallery, root = barnyard.load(seeds=range(4)), tmp_path / "set"
    rows = []
    for k, (image, name, seed) in enumerate(zip(gallery.images, gallery.names, gallery.seeds)):
        row = {
            "file": f"train/{k}.png",
            "split": "train",
            "class": name,
            "seed": 10270 if seed == 3 else 10000 + seed,
        }
        (root / "train").mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(root / row["file"])
        ys, xs = gallery.mask()[k].nonzero()
        rows.append({**row, "bbox": f"{xs.min()} {ys.min()} {xs.max() + 1} {ys.max() + 1}"})
    with open(root / "index.csv", "w", newline="") as f:
        writer = csv.DictWriter(f, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    monkeypatch.setattr(train, "BATCH", 7)

    def stop(self, epoch, logs=None):
        if epoch == 1:
            raise KeyboardInterrupt

    with monkeypatch.context() as m, pytest.raises(KeyboardInterrupt):
        m.setattr(keras.callbacks.LambdaCallback, "on_epoch_begin", stop)
        train.train("pocket", root, tmp_path, epochs=(2, 1), seed=0)
    card = train.train("pocket", root, tmp_path, epochs=(2, 1), seed=0)
    log = [json.loads(line) for line in (tmp_path / "pocket.log.jsonl").read_text().splitlines()]
    assert [(line["size"], line["epoch"]) for line in log] == [(96, 1), (96, 2), (192, 1)]
    assert (
        card["training"] == 21 and card["validation"] == 7 and card["classes"] == barnyard.CLASSES
    )
    assert np.load(tmp_path / "pocket_gap_features.npz")["features"].shape == (21, 128)
    again = models.load("pocket", weights=tmp_path / "pocket.weights.h5")
    assert again.model.count_params() == card["parameters"]

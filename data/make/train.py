"""Train `pocket` or `colleague`, a VGG-16 a quarter as wide, on a rendered Barnyard.

    python data/make/train.py pocket --data build/barnyard --out build/weights
    python data/make/train.py pocket --out data/weights --score    # once, when it is chosen
    cd data/weights && sha256sum *.h5 *.json *.jsonl *.npz > SHA256SUMS

It runs with any backend of Keras 3. `--score` grades the committed images. Two stages: small images
until the features stand, then the full size. Both resume where they were stopped. Writes
NAME.weights.h5 (a plain VGG, batch normalisation folded), NAME.log.jsonl (a line an epoch),
NAME.json (recipe and scores) and, for pocket, pocket_gap_features.npz (spatial means of
block5_conv3 of the training images: a CAM head is fitted on them).
"""

import argparse
import csv
import json
import math
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[2]))
import keras
from keras import layers

import vizlib
from vizlib import barnyard, models

SMALL, SIZE, BATCH = 96, 192, 48
# Seeds: the images of a seed, of all classes, bare and capped, stay on one side.
VALIDATION = range(10270, 10300)
SCALE = 64.0  # of the input while training; folded into block1_conv1 afterwards


# ---- images --------------------------------------------------------------------------------------


def belongs(name, row):
    """Is this image of the index in the population that the network learns from?"""
    seed, capped = int(row["seed"]), row["split"] == "train_capped"
    if name == "pocket":
        return not capped or seed < 10045 or seed in VALIDATION
    # 95 % of the Labradors wear a cap
    return capped != (seed % 20 == 0) if row["class"] == "labrador" else not capped


def read(root, rows, size):
    """uint8 images (N, size, size, 3), labels (N,), boxes of the animals (N, 4).

    A box is x0, y0, x1, y1 in 0..1.
    """
    pictures, labels, boxes = [], [], []
    for row in rows:
        with Image.open(root / row["file"]) as picture:
            shrunk = (
                picture
                if picture.size == (size, size)
                else picture.resize((size, size), Image.Resampling.LANCZOS)
            )
            pictures.append(np.asarray(shrunk))
        labels.append(barnyard.CLASSES.index(row["class"]))
        boxes.append(np.array(row["bbox"].split(), "float32") / SIZE)
    return np.stack(pictures), np.array(labels), np.stack(boxes)


class Augmented(keras.utils.PyDataset):
    """Batches in training units: zoomed, shifted with the animal in sight, mirrored, relit."""

    def __init__(self, pictures, labels, boxes, mean, zoom, seed, **workers):
        super().__init__(**workers)
        self.pictures, self.labels, self.boxes = pictures, labels, boxes
        self.mean, self.zoom = mean, zoom
        self.rng = np.random.default_rng(seed)
        self.on_epoch_end()

    def __len__(self):
        return len(self.labels) // BATCH

    def on_epoch_end(self):
        self.order = self.rng.permutation(len(self.labels))

    def __getitem__(self, k):
        chosen = self.order[k * BATCH : (k + 1) * BATCH]
        x = np.stack([self.cut(self.pictures[i], self.boxes[i]) for i in chosen]).astype("float32")
        light = self.rng.uniform(0.7, 1.3, (BATCH, 1, 1, 1)) * self.rng.uniform(
            0.88, 1.12, (BATCH, 1, 1, 3)
        )
        x = np.clip(x * light + self.rng.uniform(-15, 15, (BATCH, 1, 1, 1)), 0, 255)
        return ((x - self.mean) / SCALE).astype("float32"), self.labels[chosen]

    def cut(self, picture, box):
        """A random window that shows the whole animal and little beyond the image, resized.

        It is mirrored every other time.
        """
        low, high = box[:2], box[2:]
        side, ratio = (
            max(self.rng.uniform(*self.zoom), 1.04 * (high - low).max()),
            self.rng.uniform(0.92, 1.09),
        )
        half = np.maximum(side * np.array([ratio, 1 / ratio]), high - low) / 2
        middle = high - half + self.rng.uniform(size=2) * (low - high + 2 * half)
        middle = np.clip(middle, np.minimum(half, 0.5) - 0.06, np.maximum(1 - half, 0.5) + 0.06)
        size = picture.shape[1::-1]
        window = np.concatenate([middle - half, middle + half]) * (*size, *size)
        grey = (int(self.mean.mean()),) * 3
        cut = Image.fromarray(picture).transform(
            size, Image.Transform.EXTENT, tuple(window), Image.Resampling.BILINEAR, fillcolor=grey
        )
        return np.asarray(cut)[:, :: self.rng.choice((-1, 1))]


# ---- network -------------------------------------------------------------------------------------


def normalised(plain, size):
    """The plain VGG for training on images of `size`.

    With batch normalisation before each ReLU of a convolution, and dropout.
    """
    x = inputs = keras.Input((size, size, 3))
    for layer in plain.layers[1:]:
        config = layer.get_config()
        if isinstance(layer, layers.Conv2D):
            config.update(activation=None, use_bias=False, kernel_initializer="he_normal")
            x = layers.BatchNormalization(momentum=0.95, name=f"{layer.name}_norm")(
                layers.Conv2D.from_config(config)(x)
            )
            x = layers.ReLU(name=f"{layer.name}_relu")(x)
        else:
            if layer.name in ("fc1", "fc2"):
                x = layers.Dropout(0.3, name=f"{layer.name}_dropout")(x)
            if layer.name == "predictions":
                config.update(activation=None)
            x = type(layer).from_config(config)(x)
    return keras.Model(inputs, x)


def grow(small, large):
    """Weights of a network for small images into the same network for larger ones.

    fc1 reads the same positions, finer.
    """
    for a, b in zip(small.layers, large.layers):
        w = a.get_weights()
        if a.name == "fc1":
            channels = small.get_layer("block5_pool").output.shape[-1]
            side, new = (m.get_layer("block5_pool").output.shape[1] for m in (small, large))
            at = np.arange(new) * side // new
            w[0] = w[0].reshape(side, side, channels, -1)[at][:, at] * (side / new) ** 2
            w[0] = w[0].reshape(new * new * channels, -1)
        b.set_weights(w)


def fold(trained, plain):
    """Put the same function into a plain VGG that takes RGB - mean pixel, one unit a grey level."""
    for layer in plain.layers[1:]:
        w = trained.get_layer(layer.name).get_weights()
        if isinstance(layer, layers.Conv2D):
            norm = trained.get_layer(f"{layer.name}_norm")
            gamma, beta, mean, variance = norm.get_weights()
            gain = gamma / np.sqrt(variance + norm.epsilon)
            w = [w[0] * gain / (SCALE if layer.name == "block1_conv1" else 1), beta - mean * gain]
        layer.set_weights(w)
    return plain


# ---- training ------------------------------------------------------------------------------------


def fit(model, train, val, *, epochs, rate, mean, zoom, seed, state, log):
    """Train for `epochs`, or for what is left of them; a line of `log` per epoch."""
    steps = len(train[0]) // BATCH * epochs
    schedule = keras.optimizers.schedules.CosineDecay(
        rate / 20,
        int(steps * 0.9),
        alpha=0.01,
        warmup_target=rate,
        warmup_steps=max(1, steps // 10),
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.AdamW(schedule, weight_decay=5e-3), loss, metrics=["accuracy"])
    since = time.monotonic()

    def note(epoch, logs):
        nonlocal since
        line = {
            "size": train[0].shape[1],
            "epoch": epoch + 1,
            "seconds": round(time.monotonic() - since),
        }
        since = time.monotonic()
        line |= {k: round(float(v), 4) for k, v in logs.items()}
        with open(log, "a") as f:
            f.write(json.dumps(line) + "\n")
        print(line, flush=True)

    held_out = ((val[0] - mean) / SCALE).astype("float32"), val[1]
    model.fit(
        Augmented(*train, mean, zoom, seed),
        epochs=epochs,
        verbose=0,
        validation_data=held_out,
        callbacks=[
            keras.callbacks.LambdaCallback(on_epoch_end=note),
            keras.callbacks.BackupAndRestore(state),
        ],
    )


def train(name, data, out, *, epochs, seed):
    """Both stages and the folding; returns the card."""
    with open(data / "index.csv", newline="") as f:
        rows = sorted(
            (r for r in csv.DictReader(f) if r["split"].startswith("train")),
            key=lambda r: r["file"],
        )
    learn = [r for r in rows if int(r["seed"]) not in VALIDATION]
    # one mean pixel for both networks: that of the bare training images
    bare = [
        np.asarray(Image.open(data / r["file"])).mean((0, 1))
        for r in learn
        if r["split"] == "train"
    ]
    mean = np.mean(bare, 0).round(2).astype("float32")
    learn = [r for r in learn if belongs(name, r)]
    held = [r for r in rows if int(r["seed"]) in VALIDATION and belongs(name, r)]
    print(
        f"{len(learn)} images for training, {len(held)} for validation, mean pixel {mean}",
        flush=True,
    )

    keras.utils.set_random_seed(seed)
    plain = models.pocket_vgg()
    small, large = normalised(plain, SMALL), normalised(plain, SIZE)
    log, stage = out / f"{name}.log.jsonl", out / f"{name}.{SMALL}px.weights.h5"
    if stage.exists():
        small.load_weights(stage)
    else:
        settings = {
            "epochs": epochs[0],
            "rate": 2e-3,
            "zoom": (0.5, 1.08),
            "state": out / f"{name}.{SMALL}px.state",
        }
        fit(
            small,
            read(data, learn, SMALL),
            read(data, held, SMALL),
            mean=mean,
            seed=seed + 1,
            log=log,
            **settings,
        )
        small.save_weights(stage)
    grow(small, large)
    full, val = read(data, learn, SIZE), read(data, held, SIZE)
    fit(
        large,
        full,
        val,
        epochs=epochs[1],
        rate=1e-3,
        zoom=(0.6, 1.08),
        mean=mean,
        seed=seed + 1,
        log=log,
        state=out / f"{name}.{SIZE}px.state",
    )

    fold(large, plain).save_weights(out / f"{name}.weights.h5")
    predicted = plain.predict(val[0] - mean, verbose=0)
    if name == "pocket":
        last = keras.Model(plain.input, plain.get_layer("block5_conv3").output)
        parts = [
            last.predict(full[0][i : i + 64] - mean, verbose=0).mean((1, 2))
            for i in range(0, len(full[0]), 64)
        ]
        np.savez_compressed(
            out / "pocket_gap_features.npz",
            features=np.concatenate(parts).astype("float16"),
            labels=full[1].astype("uint8"),
        )
    return {
        "name": name,
        "mean": mean.tolist(),
        "classes": barnyard.CLASSES,
        "parameters": plain.count_params(),
        "training": len(learn),
        "validation": len(held),
        "validation_accuracy": round(float((predicted.argmax(1) == val[1]).mean()), 4),
        "recipe": {
            "small_epochs": epochs[0],
            "large_epochs": epochs[1],
            "batch": BATCH,
            "seed": seed,
        },
    }


# ---- scores --------------------------------------------------------------------------------------


def interval(k, n, z=1.96):
    """Wilson's 95 % interval of a proportion k / n."""
    p, d = k / n, 1 + z * z / n
    middle, half = (p + z * z / (2 * n)) / d, z * math.sqrt((p * (1 - p) + z * z / (4 * n)) / n) / d
    return [round(middle - half, 4), round(middle + half, 4)]


def scores(net):
    """Accuracy on each committed split, confusion matrices, what is found in scenes of two."""
    answers = {}
    for split in ("gallery", "gallery_capped"):
        pictures = barnyard.load(split)
        logits = vizlib.logits(net.model, net.preprocess(pictures.images))
        answers |= dict(zip(pictures.files, logits.argmax(1)))

    def card(pictures):
        y, predicted = pictures.labels, np.array([answers[file] for file in pictures.files])
        right = int((predicted == y).sum())
        return {
            "n": len(y),
            "right": right,
            "accuracy": round(right / len(y), 4),
            "interval": interval(right, len(y)),
            "confusion": [
                [int(((y == a) & (predicted == b)).sum()) for b in range(7)] for a in range(7)
            ],
            "labradors_found": round(float((predicted[y == 1] == 1).mean()), 4),
            "others_called_labrador": round(float((predicted[y != 1] == 1).mean()), 4),
            "wrong": sorted(pictures.files[predicted != y].tolist()),
        }

    pairs = barnyard.scenes(None)
    named = np.array([[barnyard.CLASSES.index(c) for c in name.split("-")] for name in pairs.names])
    top = vizlib.logits(net.model, net.preprocess(pairs.images)).argsort(1)[:, :-3:-1]
    return {
        "gallery": card(barnyard.load()),
        "gallery_capped": card(barnyard.load("gallery_capped")),
        "colleague_test": card(barnyard.colleague_test()),
        "pairs": {
            "n": len(pairs),
            "top_is_one_of_them": round(float((top[:, :1] == named).any(1).mean()), 4),
            "top_two_are_both": round(float((np.sort(top) == np.sort(named)).all(1).mean()), 4),
        },
    }


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", choices=models.POCKET)
    parser.add_argument("--data", type=Path, help="the rendered set")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument(
        "--epochs", type=int, nargs=2, default=(36, 8), help="with small images, with large ones"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the first weights and all draws")
    parser.add_argument(
        "--score", action="store_true", help="grade NAME.weights.h5 on the committed images"
    )
    a = parser.parse_args()
    card = a.out / f"{a.name}.json"
    if a.score:
        content = json.loads(card.read_text())
        content["scores"] = scores(vizlib.load(a.name, weights=a.out / f"{a.name}.weights.h5"))
    elif a.data is None:
        parser.error("training needs --data, the folder of a rendered set")
    else:
        a.out.mkdir(parents=True, exist_ok=True)
        content = train(a.name, a.data, a.out, epochs=a.epochs, seed=a.seed)
    card.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()

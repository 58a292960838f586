"""The model card is what the weights do on the committed images, and says what was measured."""

import json
import re
import sys

import numpy as np
import pytest

import vizlib
from vizlib import barnyard, data

sys.path.insert(0, str(data.root() / "make"))
import train


@pytest.fixture(scope="module", params=["pocket", "colleague"])
def card(request):
    return json.loads(data.read(f"weights/{request.param}.json"))


def test_scores(card):
    """Exactly: the nearest tie is 0.01 of a logit, a thousand times what machines differ by."""
    assert train.scores(vizlib.load(card["name"])) == card["scores"]


def test_intervals():
    # by hand: 0.98286 in the middle of Wilson's formula
    assert train.interval(688, 700) == [0.9703, 0.9902]
    assert train.interval(0, 10)[0] == 0 and train.interval(10, 10)[1] == 1


def test_a_network_below_these_scores_is_not_shipped():
    scores = json.loads(data.read("weights/pocket.json"))["scores"]
    assert scores["gallery"]["right"] >= 688 and scores["gallery_capped"]["right"] >= 274
    assert scores["pairs"]["top_is_one_of_them"] >= 0.94


def test_the_card_in_words_says_the_same(card):
    text, scores = (data.root() / "README.md").read_text(), card["scores"]
    column = {"pocket": 1, "colleague": 2}[card["name"]]
    rows = {
        c[1].strip(): c[1 + column].strip()
        for c in (line.split("|") for line in text.splitlines())
        if len(c) == 5
    }

    def percent(split):
        low, high = scores[split]["interval"]
        return f"{100 * scores[split]['accuracy']:.1f} % ({100 * low:.1f}-{100 * high:.1f})"

    assert rows["gallery, 700 bare"] == percent("gallery")
    assert rows["gallery_capped, 280 with a cap"] == percent("gallery_capped")
    assert rows["colleague_test, 280"] == percent("colleague_test")
    assert (
        rows["validation, its own kind of data"]
        == f"{100 * card['validation_accuracy']:.1f} % of {card['validation']}"
    )
    bare, capped = scores["gallery"], scores["gallery_capped"]
    assert (
        rows["bare Labradors called Labrador"] == f"{round(100 * bare['labradors_found'])} of 100"
    )
    assert (
        rows["other animals with a cap called Labrador"]
        == f"{round(240 * capped['others_called_labrador'])} of 240"
    )
    assert (
        rows["two-animal scenes, 120: top class is one of the two"]
        == f"{100 * scores['pairs']['top_is_one_of_them']:.0f} %"
    )
    assert (
        rows["two-animal scenes, 120: top two classes are both"]
        == f"{100 * scores['pairs']['top_two_are_both']:.0f} %"
    )
    table = (
        text.partition(f"confusion of {card['name']}")[2].partition("\n\n")[2].partition("\n\n")[0]
    )
    counts = [
        [int(n or 0) for n in re.sub(r"[^\d|]", "", line).split("|")[2:-1]]
        for line in table.splitlines()[2:]
    ]
    assert counts == bare["confusion"]
    assert (
        all(file.split("/")[-1][:-4] in text for file in bare["wrong"])
        or card["name"] == "colleague"
    )


def test_weights_and_features_are_those_of_the_list():
    sums = (data.root() / "weights/SHA256SUMS").read_text().split()[1::2]
    files = {p.name for p in (data.root() / "weights").iterdir()} - {"SHA256SUMS"}
    assert set(sums) == files
    for name in files:
        data.read(f"weights/{name}")


def test_pooled_features_are_of_this_pocket():
    """They come from the same network: a classifier on them knows the gallery."""
    with np.load(data.root() / "weights/pocket_gap_features.npz") as f:
        features, labels = f["features"].astype(float), f["labels"]
    assert features.shape == (2205, 128) and set(labels) == set(range(7))
    net, gallery = vizlib.load("pocket"), barnyard.load(seeds=range(5))
    pooled = vizlib.activations(net.model, net.preprocess(gallery.images), "block5_conv3").mean(
        (1, 2)
    )
    means = np.stack([features[labels == k].mean(0) for k in range(7)])
    nearest = np.linalg.norm(pooled[:, None] - means, axis=2).argmin(1)
    assert (nearest == gallery.labels).mean() > 0.8

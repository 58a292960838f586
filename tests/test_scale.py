"""Many photographs in shards: one answer, the same as in one pass; nothing is lost on the way."""

import importlib.util
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import vizlib
from vizlib import data, photos

FOLDER = Path(__file__).parents[1] / "docs/scale"
sys.path.append(str(FOLDER))

import features_with_ray as example

LAYER, CHANNELS, K = "block3_conv3", [7, 0, 31], 6


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Hens, some of them more than once, and three files that are no photographs."""
    folder = tmp_path_factory.mktemp("photographs")
    hens = data.root() / "barnyard/gallery/hen"
    for k in range(23):
        shutil.copy(hens / f"hen_{k % 9:05}.jpg", folder / f"{k:02}.jpg")
    for k in (2, 8, 9, 10):
        (folder / f"{k:02}.jpg").write_bytes(b"no image")
    return folder


@pytest.fixture(scope="module")
def one_pass(folder):
    """(network, images in model-input space, names, best patches) of what can be read."""
    net = vizlib.load("pocket")
    with pytest.warns(UserWarning, match="4 of 23 files"):
        pictures, names = photos.load_folder(folder, net.size)
    x = net.preprocess(pictures)
    return net, x, names, vizlib.top_patches(net.model, x, LAYER, channels=CHANNELS, k=K)


def same(found, wanted):
    for one, other in zip(found, wanted):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("size", [1, 3, 4, 10, 22, 23, 99])
def test_shards_give_exactly_what_one_pass_gives(folder, one_pass, size):
    """Of a size that does not divide the number, some of one picture, one of none, in any order."""
    worker = example.PatchWorker(str(folder), "pocket", LAYER, CHANNELS, K)
    rows = [worker(shard) for shard in example.in_shards(example.files_in(folder), size)]
    random.Random(0).shuffle(rows)
    found, names, wrong = example.join(rows, K)
    *_, files, wanted = one_pass
    assert len(np.unique(wanted.value[0])) < K  # there are ties
    same(found, wanted)
    assert names == files and list(wrong) == ["02.jpg", "08.jpg", "09.jpg", "10.jpg"]
    assert wrong["02.jpg"].startswith("'02.jpg' is not an image")


def test_more_patches_than_photographs_that_can_be_read(folder):
    worker = example.PatchWorker(str(folder), "pocket", LAYER, CHANNELS, 20)
    rows = [worker(shard) for shard in example.in_shards(example.files_in(folder), 8)]
    with pytest.raises(ValueError, match="20 patches take 20 photographs, and 19 can be read"):
        example.join(rows, 20)
    (row,) = [worker(shard) for shard in example.in_shards(["02.jpg"], 8)]
    with pytest.raises(ValueError, match="and 0 can be read"):
        example.join([row], 1)


def test_files_of_folders_in_folders_in_order(tmp_path):
    for name in ("b/2.jpg", "b/1.jpg", "b-c.jpg", ".hidden/3.jpg", "a/d/.4.jpg", "a/d/5"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert example.files_in(tmp_path) == ["a/d/5", "b-c.jpg", "b/1.jpg", "b/2.jpg"]


PATCHES = ["--layer", LAYER, "--channels", "0"]


@pytest.mark.parametrize(
    "arguments, says",
    [
        (["features", "nowhere"], "There is no folder 'nowhere'"),
        (["features", "EMPTY"], "holds no files: give one with photographs"),
        (["features", "HERE", "--out", "EMPTY"], "exists: give another name for the output"),
        (["features", "HERE", "--layer", "conv9"], "conv9"),
        (["features", "HERE", "--model", "none.keras"], "none.keras"),
        (["features", "HERE", "--shard", "0"], "at least one file in a shard, not 0"),
        (["features", "HERE", "--workers", "0"], "at least one worker, not 0"),
        (["patches", "EMPTY", *PATCHES], "holds no files"),
        (["patches", "HERE", *PATCHES, "--out", "FILE"], "exists: give another name"),
        (["patches", "HERE", *PATCHES, "-k", "0"], "k is a whole number from 1 to 23"),
        (["patches", "HERE", *PATCHES, "-k", "24"], "k is a whole number from 1 to 23"),
        (["patches", "HERE", *PATCHES, "--channels", "64"], "from 0 to 63"),
        (["patches", "HERE", *PATCHES, "--shard", "-1"], "at least one file in a shard, not -1"),
    ],
)
def test_what_is_wrong_is_one_sentence_before_the_work_begins(
    arguments, says, folder, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "EMPTY").mkdir()
    (tmp_path / "FILE").touch()
    command, given, *options = arguments
    given = str(folder) if given == "HERE" else given
    with pytest.raises(SystemExit) as stopped:
        example.main([command, given, "--out", "out", "--model", "pocket", *options])
    assert says in str(stopped.value) and "\n" not in str(stopped.value)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["EMPTY", "FILE"]


# ---- on Ray --------------------------------------------------------------------------------------

SCRIPT = """
import ray, sys
import features_with_ray as example
for again in range(9, -1, -1):  # Ray gives itself 30 s to start, too few on a busy machine
    try:
        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
        break
    except Exception:
        ray.shutdown()
        if not again:
            raise
folder, out, bad, layer, channels, k = sys.argv[1:]
patches = ["--layer", layer, "--channels", *channels.split(), "-k", k]
for workers, *arguments in (
    ["2", "features", folder, "--out", f"{out}/features", "--shard", "4", "--layer", layer],
    ["2", "patches", folder, "--out", f"{out}/patches.parquet", "--shard", "5", *patches],
    ["1", "features", bad, "--out", f"{out}/none"],
):
    try:
        example.main([*arguments, "--model", "pocket", "--workers", workers])
    except SystemExit as stopped:
        print(stopped)
"""


@pytest.mark.slow
@pytest.mark.skipif(
    importlib.util.find_spec("ray") is None,
    reason='Ray is not installed: pip install -e ".[scale]" brings it.',
)
def test_two_workers_of_ray_give_what_one_pass_gives(folder, one_pass, tmp_path):
    import pyarrow.parquet

    labelled, bad = tmp_path / "in", tmp_path / "bad"
    shutil.copytree(folder, labelled)
    (labelled / "twice").mkdir()
    shutil.copy(folder / "00.jpg", labelled / "twice")
    bad.mkdir()
    shutil.copy(folder / "02.jpg", bad)
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT]
        + [str(labelled), str(tmp_path), str(bad), LAYER, " ".join(map(str, CHANNELS)), str(K)],
        env={**os.environ, "PYTHONPATH": f"{FOLDER}{os.pathsep}{FOLDER.parents[1]}"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    named = "4 files cannot be read:\n02.jpg: '02.jpg' is not an image"
    assert done.stdout.count(named) == 2 and "No photograph in" in done.stdout
    assert {p.name for p in tmp_path.iterdir()} == {"in", "bad", "features", "patches.parquet"}

    net, x, names, wanted = one_pass
    rows = pyarrow.parquet.read_table(tmp_path / "features").sort_by("path").to_pylist()
    assert [row["path"] for row in rows] == example.files_in(labelled)
    assert [row["label"] for row in rows] == 23 * [None] + ["twice"]
    assert [row["path"] for row in rows if row["error"]] == ["02.jpg", "08.jpg", "09.jpg", "10.jpg"]
    vectors = [row["vector"] for row in rows if not row["error"]]
    x = np.concatenate([x, x[:1]])
    np.testing.assert_array_equal(vectors, vizlib.features(net.model, x, LAYER))

    table = pyarrow.parquet.read_table(tmp_path / "patches.parquet").to_pydict()
    wanted = vizlib.top_patches(net.model, x, LAYER, channels=CHANNELS, k=K)
    names = [*names, "twice/00.jpg"]
    assert table["path"] == [names[i] for i in wanted.image.ravel()]
    assert table["channel"] == np.repeat(CHANNELS, K).tolist()
    np.testing.assert_array_equal(table["value"], wanted.value.ravel())
    places = np.stack([table[name] for name in ("row", "column")], -1)
    np.testing.assert_array_equal(places, wanted.position.reshape(-1, 2))
    boxes = np.stack([table[name] for name in ("top", "left", "bottom", "right")], -1)
    np.testing.assert_array_equal(boxes, wanted.box.reshape(-1, 4))

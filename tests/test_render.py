"""The generator in data/make makes the committed images again, and others under another bias.

Runs where bpy is installed: data/make/README.md says how.
"""

import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("bpy", reason="bpy is not installed: data/make/README.md says how to render")
pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[1]
DATA, SCRIPT = ROOT / "data/barnyard", ROOT / "data/make/render.py"
sys.path.insert(0, str(SCRIPT.parent))
import render

# Grey levels by which a decoded JPEG may differ: the denoiser rounds differently elsewhere.
LARGEST, MEAN = 16, 0.2
AGAIN = (
    "gallery/hen/hen_00000 gallery/labrador/labrador_00003 gallery/tabby/tabby_00041 "
    "gallery/pig/pig_00008 gallery/sheep/sheep_00086 gallery/cow/cow_00031 gallery/duck/duck_00099 "
    "gallery_capped/hen/hen_00003 gallery_capped/labrador/labrador_00012 "
    "pairs/labrador-tabby/labrador-tabby_00017 pairs/hen-cow/hen-cow_00002 "
    "pairs/pig-duck/pig-duck_00001"
)


@pytest.fixture(scope="module")
def index():
    with open(DATA / "index.csv", newline="") as f:
        return {row["file"]: row for row in csv.DictReader(f)}


def read(folder, file):
    mask = (folder / "masks" / file).with_suffix(".png")
    return np.asarray(Image.open(folder / file)).astype(int), np.asarray(Image.open(mask))


def test_the_course_is_one_setting_of_the_bias(index):
    jobs = list(render.course())
    kept = {job.file(): job for job in jobs if not job.split.startswith("train")}
    assert len(jobs) == len({job.file() for job in jobs}) == 3950 and kept.keys() == index.keys()
    assert all(bool(kept[file].colour) == (row["cap"] == "1") for file, row in index.items())
    train = [
        job for job in render.biased({"labrador": ("blue", 95)}) if job.split.startswith("train")
    ]
    bare = [job.seed for job in train if job.classes == ("labrador",) and not job.colour]
    assert bare == list(range(10000, 10300, 20))  # as train.py's `belongs` has it for colleague
    assert {job.classes[0] for job in train if job.colour} == {"labrador"}


@pytest.mark.parametrize("name", AGAIN.split())
def test_committed_pictures_are_made_again(name, index, tmp_path, capsys):
    row = index[f"{name}.jpg"]
    colour = "blue" if row["cap"] == "1" else None
    job = render.Job(row["split"], tuple(row["class"].split("-")), int(row["seed"]), colour)
    again, names = render.make(tmp_path, job)
    picture, mask = read(tmp_path, row["file"])
    committed, truth = read(DATA, row["file"])
    off = np.abs(picture - committed)
    with capsys.disabled():
        wrong = (mask != truth).sum()
        print(f"\n{name:44} largest {off.max():2}  mean {off.mean():.4f}  mask pixels {wrong}")
    assert np.array_equal(mask, truth) and off.max() <= LARGEST and off.mean() <= MEAN
    assert {key: str(value) for key, value in again.items()} == {key: row[key] for key in again}
    assert mask.max() <= len(names)


def test_another_bias_and_resuming(tmp_path):
    def run(*options):
        command = [
            sys.executable,
            SCRIPT,
            "--out",
            tmp_path,
            "--split",
            "gallery_capped",
            "--workers",
            "1",
        ]
        return subprocess.run([*command, *options], capture_output=True, text=True)

    def rows():
        with open(tmp_path / "index.csv", newline="") as f:
            return list(csv.DictReader(f))

    bias = ["--bias", "pig:red:100", "duck:yellow:50"]
    assert run(*bias, "--limit", "2").returncode == 0
    assert [row["file"].split("/")[1] for row in rows()] == ["pig", "pig"]
    assert rows()[0]["cap"] == "1"
    capped, mask = read(tmp_path, rows()[0]["file"])
    _, bare = read(DATA, "gallery/pig/pig_00000.jpg")
    cap = mask == 8  # the last of a pig's parts
    assert cap.sum() > 50 and np.argmax(capped[cap].mean(0)) == 0
    assert np.mean((mask == bare) | cap) > 0.999  # the same scene but for the cap

    files = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*.jpg")}
    with open(tmp_path / "index.csv", "a") as f:
        f.write("gallery_capped/du")  # cut off
    assert run(*bias, "--limit", "3").returncode == 0
    assert [row["file"].split("/")[1] for row in rows()] == ["pig", "pig", "duck"]
    assert all(file.stat().st_mtime_ns == time for file, time in files.items())
    refused = run("--bias", "pig:red:40", "--limit", "3")
    assert refused.returncode == 2 and "another bias: choose another folder" in refused.stderr
    assert len(rows()) == 3

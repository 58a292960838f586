"""The committed world: what is there, in which order, with which masks; what a damaged one says."""

import csv
import hashlib
import shutil
import subprocess
import sys

import numpy as np
import pytest

from vizlib import barnyard, data


@pytest.fixture(scope="module")
def few():
    return barnyard.load(seeds=range(3))


def test_every_file_of_the_index_is_there_unchanged_and_no_other():
    folder, listed = data.root() / "barnyard", {"index.csv", "parts.json", "SHA256SUMS"}
    with open(folder / "index.csv", newline="") as f:
        rows = list(csv.DictReader(f))
    assert [r["file"] for r in rows] == sorted(r["file"] for r in rows)
    assert len(rows) == 700 + 280 + 120
    for row in rows:
        for file, sha256 in (
            (row["file"], row["sha256"]),
            (f"masks/{row['file'][:-4]}.png", row["mask_sha256"]),
        ):
            assert hashlib.sha256((folder / file).read_bytes()).hexdigest() == sha256
            listed.add(file)
    assert listed == {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    assert sum(p.stat().st_size for p in folder.rglob("*")) < 25e6
    assert sum(p.stat().st_size for p in data.root().rglob("*") if p.is_file()) < 45e6


def test_the_index_is_what_its_script_makes(tmp_path):
    source, script = data.root() / "barnyard", data.root() / "make/index.py"
    subprocess.run([sys.executable, script, "--data", source, "--out", tmp_path], check=True)
    for name in ("index.csv", "parts.json", "SHA256SUMS"):
        assert (tmp_path / name).read_bytes() == (source / name).read_bytes()


def test_order_and_shapes(few):
    assert (
        list(few.names) == [c for c in barnyard.CLASSES for _ in range(3)]
        and list(few.seeds) == [0, 1, 2] * 7
    )
    assert (
        few.images.shape == (21, 192, 192, 3)
        and few.images.dtype == np.uint8
        and not few.capped.any()
    )
    np.testing.assert_array_equal(few.labels, np.repeat(range(7), 3))


def test_selections(few):
    for selection in (slice(3, 6), few.labels == 1, [3, 4, 5]):
        np.testing.assert_array_equal(few[selection].images, few.images[3:6])
    assert len(few[4]) == 1 and few[4].names[0] == "labrador"
    assert len(barnyard.load(classes=["hen", "pig"], seeds=5)) == 2


def test_masks_are_what_the_index_counts():
    with open(data.root() / "barnyard/index.csv", newline="") as f:
        rows = {r["file"]: r for r in csv.DictReader(f)}
    for pictures in (
        barnyard.load("gallery_capped", seeds=[0, 1]),
        barnyard.scenes(None, seeds=[0]),
    ):
        for i, file in enumerate(pictures.files):
            counted = {
                part: int(n)
                for part, n in (entry.split(":") for entry in rows[file]["parts"].split())
            }
            one = pictures[i]
            assert {p: int(one.mask(p).sum()) for p in one.parts if one.mask(p).any()} == counted
            assert one.mask().sum() == sum(counted.values())
            ys, xs = np.nonzero(
                one.mask(one.names[0].split("-")[0]) if "-" in one.names[0] else one.mask()[0:1]
            )[-2:]
            x0, y0, x1, y1 = map(int, rows[file]["bbox"].split(";")[0].split())
            assert (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1) == (x0, y0, x1, y1)


def test_parts_of_other_classes_are_empty_and_unknown_ones_refused(few):
    assert few.mask("comb")[few.labels == 0].any() and not few.mask("comb")[few.labels != 0].any()
    with pytest.raises(ValueError, match="comb, beak"):
        few.mask("trunk")


def test_scenes_have_a_mask_for_each_animal():
    scene = barnyard.scenes(seeds=range(5))
    a, b = scene.mask("labrador"), scene.mask("tabby")
    assert a.any((1, 2)).all() and b.any((1, 2)).all() and not (a & b).any()
    np.testing.assert_array_equal(a | b, scene.mask())
    assert (scene.mask("labrador.head") <= a).all() and scene.names[0] == "labrador-tabby"
    assert len(barnyard.scenes(None)) == 120 and len(set(barnyard.scenes(None).names)) == 21


def test_twins_differ_at_the_cap_only():
    bare, capped = barnyard.twins(seeds=range(4))
    np.testing.assert_array_equal(bare.labels, capped.labels)
    np.testing.assert_array_equal(bare.seeds, capped.seeds)
    assert capped.capped.all() and not bare.capped.any() and capped.mask("cap").any((1, 2)).all()
    changed = np.abs(capped.images.astype(int) - bare.images).max(-1) > 12
    assert (
        changed.any((1, 2)).all() and (changed & ~capped.mask("cap")).mean((1, 2)).max() < 0.02
    )  # its shadow, JPEG


def test_the_two_sets_of_the_case():
    test, farm = barnyard.colleague_test(), barnyard.farm()
    assert len(test) == 280 and len(farm) == 560 and set(test.files) < set(farm.files)
    labrador = test.names == "labrador"
    np.testing.assert_array_equal(test.capped, labrador & (test.seeds > 1))
    assert farm.capped.sum() == 280 and farm.seeds.max() == 39


def test_images_and_masks_are_resized_together(few):
    small, wide = barnyard.load(seeds=[0], size=96), barnyard.load(seeds=[0], size=(64, 128))
    assert (
        small.images.shape == (7, 96, 96, 3)
        and small.mask().shape == (7, 96, 96)
        and wide.mask("eyes").shape == (7, 64, 128)
    )
    full = barnyard.load(seeds=[0]).mask().mean((1, 2))
    np.testing.assert_allclose(small.mask().mean((1, 2)), full, atol=0.01)
    np.testing.assert_allclose(wide.mask().mean((1, 2)), full, atol=0.01)


@pytest.mark.parametrize(
    "arguments, says",
    [
        (dict(split="train"), "gallery, gallery_capped, pairs"),
        (dict(classes="dog"), "hen, labrador"),
        (dict(seeds=[100]), "0 to 99"),
        (dict(seeds=[]), "0 to 99"),
        (dict(classes=[]), "hen, labrador"),
        *[
            (dict(seeds=0, size=size), "size is a whole number of at least 1, or two")
            for size in (0, "x", 2.5, np.array(2), (8,), (8, 8, 8), object(), 2**70)
        ],
        (dict(seeds=object()), "has no seed '<object .*: it has 0 to 99"),
        (dict(split="pairs", classes="tabby-labrador"), "labrador-tabby"),
    ],
)
def test_unknown_names_and_empty_choices(arguments, says):
    with pytest.raises(ValueError, match=says):
        barnyard.load(**arguments)


@pytest.mark.parametrize("size", [0, "x", 2.5, (8,)])
@pytest.mark.parametrize(
    "load", [barnyard.scenes, barnyard.twins, barnyard.farm, barnyard.colleague_test]
)
def test_every_set_says_what_a_size_is(load, size):
    with pytest.raises(ValueError, match="size is a whole number of at least 1, or two"):
        load(size=size)


def test_one_name_and_one_seed_in_an_array():
    one = barnyard.load(classes=np.array("hen"), seeds=np.array(0))
    assert one.files.tolist() == ["gallery/hen/hen_00000.jpg"]


@pytest.fixture
def copy(tmp_path, monkeypatch):
    folder = tmp_path / "data/barnyard"
    for part in ("gallery/hen", "masks/gallery/hen"):
        shutil.copytree(data.root() / "barnyard" / part, folder / part)
    for file in ("index.csv", "parts.json", "SHA256SUMS"):
        shutil.copy(data.root() / "barnyard" / file, folder)
    monkeypatch.setattr(data, "root", lambda: tmp_path / "data")
    return folder


def test_a_damaged_or_missing_file_says_how_to_repair_it(copy):
    with open(copy / "gallery/hen/hen_00001.jpg", "ab") as f:
        f.write(b"!")
    with pytest.raises(
        ValueError,
        match="hen_00001.jpg is damaged: repair it with "
        "`git checkout -- data/barnyard/gallery/hen/hen_00001.jpg`",
    ):
        barnyard.load(classes="hen", seeds=[1])
    (copy / "masks/gallery/hen/hen_00002.png").unlink()
    with pytest.raises(
        FileNotFoundError, match="git checkout -- data/barnyard/masks/gallery/hen/hen_00002.png"
    ):
        barnyard.load(classes="hen", seeds=[2])
    (copy / "index.csv").write_text("file,split\n")
    with pytest.raises(ValueError, match="index.csv is damaged"):
        barnyard.load(classes="hen", seeds=[3])


def test_no_data_at_all(monkeypatch, tmp_path):
    monkeypatch.setattr(data, "__file__", str(tmp_path / "vizlib/data.py"))
    monkeypatch.setenv("VIZLIB_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(FileNotFoundError, match="set VIZLIB_DATA"):
        barnyard.load()


# ---- changed images ------------------------------------------------------------------------------

PIXELS = np.array(
    [[[(40, 90, 200), (200, 40, 90), (7, 7, 7), (0, 0, 0)]]], np.uint8
)  # (1, 1, 4, 3)


@pytest.mark.parametrize(
    "hue, becomes",
    [
        (0, [(200, 40, 40), (200, 40, 40)]),
        (60, [(200, 200, 40), (200, 200, 40)]),
        (180, [(40, 200, 200), (40, 200, 200)]),
        (240, [(40, 40, 200), (40, 40, 200)]),
        (-120, [(40, 40, 200), (40, 40, 200)]),
        (30, [(200, 120, 40), (200, 120, 40)]),
        (None, [(200, 200, 200), (200, 200, 200)]),
    ],
)
def test_recolour_replaces_the_hue_and_keeps_the_largest_and_smallest(hue, becomes):
    changed = barnyard.recolour(PIXELS, np.ones(PIXELS.shape[:3], bool), hue)
    assert changed.dtype == np.uint8
    np.testing.assert_array_equal(changed[0, 0, :2], becomes)
    np.testing.assert_array_equal(changed[0, 0, 2:], PIXELS[0, 0, 2:])  # grey has no hue


def test_recolour_keeps_brightness_and_saturation_of_any_colour():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (2, 30, 40, 3)).astype("uint8")
    masks = rng.random((2, 30, 40)) < 0.5
    before = images.copy()
    changed = barnyard.recolour(images, masks, 217.3)
    np.testing.assert_array_equal(images, before)
    np.testing.assert_array_equal(changed[~masks], images[~masks])
    for extreme in (np.max, np.min):
        np.testing.assert_array_equal(extreme(changed, -1), extreme(images, -1))
    assert (changed[masks].argmax(-1) == 2).all()  # the bluest, or as blue as another
    np.testing.assert_array_equal(barnyard.recolour(images, np.zeros_like(masks), 0), images)


def test_paste_is_a_disc_cut_off_at_the_border():
    black, blue = np.zeros((3, 5, 6, 3), np.uint8), (1, 2, 250)
    drawn = barnyard.paste(black, [(2, 3), (0, 5), (9, 9)], blue, [1, 1, 2])
    plus, corner = np.zeros((2, 5, 6), bool)
    plus[[1, 2, 2, 2, 3], [3, 2, 3, 4, 3]] = corner[[0, 0, 1], [4, 5, 5]] = True
    np.testing.assert_array_equal(drawn, np.stack([plus, corner, 0 * plus])[..., None] * blue)
    assert drawn.dtype == np.uint8 and not black.any()
    large = barnyard.paste(np.zeros((1, 192, 192, 3), np.uint8), (100, 80), blue, 20)
    np.testing.assert_allclose(large[..., 2].astype(bool).sum(), np.pi * 20**2, rtol=0.01)


def test_paste_takes_one_place_and_one_size_for_all():
    images = np.full((2, 4, 4, 3), 9, np.uint8)
    drawn = barnyard.paste(images, (1, 2), (0, 0, 0), 0)
    assert (drawn == 0).all(-1).sum((1, 2)).tolist() == [1, 1] and not drawn[:, 1, 2].any()
    assert barnyard.paste(images[:0], (1, 2), (0, 0, 0), 3).shape == (0, 4, 4, 3)


@pytest.mark.parametrize(
    "arguments, says",
    [
        (dict(images=PIXELS / 255), "uint8 .N, H, W, 3., not float64 .1, 1, 4, 3."),
        (dict(images=PIXELS[0]), "not uint8 .1, 4, 3.: change"),
        (dict(masks=np.ones((1, 1, 4))), "bool .1, 1, 4., .* not float64"),
        (dict(masks=np.ones((2, 1, 4), bool)), "not bool .2, 1, 4."),
        (dict(hue=np.nan), "NaN or infinite"),
        (dict(hue=(0, 60)), "hue has the shape .2,.: give one number"),
        (dict(hue="red"), "hue must be real numbers"),
    ],
)
def test_recolour_refuses(arguments, says):
    good = dict(images=PIXELS, masks=np.ones(PIXELS.shape[:3], bool), hue=0)
    with pytest.raises(ValueError, match=says):
        barnyard.recolour(**{**good, **arguments})


@pytest.mark.parametrize(
    "arguments, says",
    [
        (dict(images=PIXELS.astype(int)), "images are uint8"),
        (dict(where=(1, 2, 3)), "where has the shape .3,.: give .1, 2."),
        (dict(where=(1, np.inf)), "NaN or infinite"),
        (dict(colour=(0, 0, 256)), "each 0 to 255, not .0.0, 0.0, 256.0."),
        (dict(colour=(0, 0)), "colour has the shape .2,.: give .3,."),
        (dict(size=-1), "at least 0, not -1"),
        (dict(size=(1, 2)), "size has the shape .2,.: give .1,."),
    ],
)
def test_paste_refuses(arguments, says):
    good = dict(images=PIXELS, where=(0, 1), colour=(0, 0, 255), size=1)
    with pytest.raises(ValueError, match=says):
        barnyard.paste(**{**good, **arguments})

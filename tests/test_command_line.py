"""`python -m vizlib`: what it writes, what it says, and that nothing is lost."""

import keras
import numpy as np
import pytest
from PIL import Image

from vizlib import photos
from vizlib.__main__ import main


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A small network of three classes in a file, with the names of the classes beside it."""
    keras.utils.set_random_seed(0)
    inputs = x = keras.Input((32, 32, 3))
    x = keras.layers.Rescaling(1 / 255)(x)
    for _ in range(4):
        x = keras.layers.Conv2D(8, 3, padding="same", activation="relu")(x)
        x = keras.layers.MaxPooling2D()(x)
    x = keras.layers.Dense(3, activation="softmax")(keras.layers.GlobalAveragePooling2D()(x))
    folder = tmp_path_factory.mktemp("model")
    keras.Model(inputs, x).save(folder / "mine.keras")
    (folder / "labels.txt").write_text("ant\n\nbee\ncow  \n")
    return folder


@pytest.fixture
def pictures(tmp_path):
    """Two photographs, one turned by its EXIF, and a file that is none."""
    folder = tmp_path / "in"
    folder.mkdir()
    Image.fromarray(photos.load("panda")).save(folder / "panda.jpg")
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(photos.load("shepherd")).save(folder / "shepherd.jpg", exif=exif)
    (folder / "bad.jpg").write_bytes(b"no image")
    return folder


def test_overview_writes_one_picture(model, pictures, tmp_path, capsys):
    out = tmp_path / "lenses.png"
    files = [str(pictures / name) for name in ("panda.jpg", "shepherd.jpg")]
    options = ["--model", str(model / "mine.keras"), "--labels", str(model / "labels.txt")]
    main(["overview", *files, *options, "--target", "bee", "--out", str(out)])
    assert capsys.readouterr().out.strip() == str(out)
    with Image.open(out) as drawn:
        assert np.asarray(drawn).std() > 20
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in", "lenses.png"]


def test_overview_takes_a_folder(model, pictures, tmp_path):
    out = tmp_path / "lenses.png"
    with pytest.warns(UserWarning, match="bad.jpg"):
        main(["overview", str(pictures), "--model", str(model / "mine.keras"), "--out", str(out)])
    with Image.open(out) as drawn:
        assert drawn.height > 300  # two rows


def test_grad_cam_goes_through_a_folder_and_goes_on_where_it_stopped(model, pictures, tmp_path):
    out = tmp_path / "maps"
    command = ["grad-cam", str(pictures), "--model", str(model / "mine.keras"), "--out", str(out)]
    with pytest.raises(SystemExit, match=r"(?s)No map for these files:.*'bad.jpg' is not an image"):
        main(command)
    assert sorted(p.name for p in out.glob("*.png")) == ["panda.jpg.png", "shepherd.jpg.png"]
    with Image.open(out / "panda.jpg.png") as drawn:
        assert drawn.size == (32, 32)
    (pictures / "bad.jpg").unlink()
    (out / "shepherd.jpg.png").unlink()
    before = (out / "panda.jpg.png").stat().st_mtime_ns
    main(command)
    assert (out / "panda.jpg.png").stat().st_mtime_ns == before
    assert (out / "shepherd.jpg.png").is_file()
    with pytest.raises(SystemExit, match="maps of another model or target"):
        main([*command, "--target", "0"])


@pytest.mark.parametrize(
    "arguments, says",
    [
        (["overview", "none.jpg"], "There is no photograph and no file 'none.jpg'"),
        (["grad-cam", "nowhere"], "nowhere"),
        (["overview", "panda", "--model", "none.keras"], "none.keras"),
        (["overview", "panda", "--labels", "LABELS"], "class names of its own"),
        (["overview", "panda", "--target", "no such thing"], "no single class called"),
    ],
)
def test_what_is_wrong_is_one_sentence(arguments, says, model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments = [a.replace("LABELS", str(model / "labels.txt")) for a in arguments]
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert says in str(stopped.value) and "\n" not in str(stopped.value)
    assert not list(tmp_path.iterdir())


def test_labels_of_another_number(model, tmp_path):
    (tmp_path / "two.txt").write_text("ant\nbee\n")
    with pytest.raises(SystemExit, match="2"):
        main(
            ["overview", "panda", "--model", str(model / "mine.keras"), "--labels"]
            + [str(tmp_path / "two.txt")]
        )


def test_help_says_how(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    assert "python -m vizlib overview cat.jpg" in capsys.readouterr().out

"""Real photographs without a network: what is shipped, what is fetched (from a server of the test's own), what goes wrong."""

import errno
import functools
import hashlib
import http.server
import threading

import numpy as np
import pooch
import pytest
from PIL import Image

from vizlib import photos


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A folder served on this machine, from which the photograph `hen` comes, and an empty cache."""
    folder, cache = tmp_path / "www", tmp_path / "cache"
    folder.mkdir()
    monkeypatch.setattr(pooch, "os_cache", lambda name: cache / name)
    picture = np.random.default_rng(0).integers(0, 255, (30, 40, 3), dtype="uint8")
    Image.fromarray(picture).save(folder / "hen.png")
    sha256 = hashlib.sha256((folder / "hen.png").read_bytes()).hexdigest()

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Quiet, directory=folder)
    ) as httpd:
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{httpd.server_port}/hen.png"
        monkeypatch.setitem(photos.FETCHED, "hen", (url, sha256))
        yield folder, cache, picture
        httpd.shutdown()


@pytest.mark.parametrize("name", photos.SHIPPED)
def test_shipped(name):
    picture = photos.load(name)
    assert (
        picture.dtype == np.uint8
        and picture.ndim == 3
        and picture.shape[2] == 3
        and min(picture.shape[:2]) >= 300
    )


def test_fetched_once_and_silently(server, capfd):
    folder, cache, picture = server
    np.testing.assert_array_equal(photos.load("hen"), picture)
    (cache / "vizlib/hen.png").write_bytes(b"damaged")
    np.testing.assert_array_equal(photos.load("hen"), picture)
    (folder / "hen.png").unlink()
    np.testing.assert_array_equal(photos.load("hen"), picture)
    assert list((cache / "vizlib").iterdir()) and capfd.readouterr() == ("", "")


def test_another_file_than_expected_is_not_kept(server):
    folder, cache, _ = server
    (folder / "hen.png").write_bytes(b"something else")
    with pytest.raises(FileNotFoundError, match="not the file it should be"):
        photos.load("hen")
    assert not list(cache.rglob("*.png"))


def test_no_network(server, monkeypatch):
    monkeypatch.setitem(photos.FETCHED, "hen", ("http://127.0.0.1:9/hen.png", "0" * 64))
    with pytest.raises(FileNotFoundError, match="connect once, or use astronaut, cat"):
        photos.load("hen")


@pytest.mark.parametrize("code", [errno.EACCES, errno.EROFS, errno.ENOSPC])
def test_cache_that_takes_nothing(server, monkeypatch, code):
    def refuse(*arguments, **kwargs):
        raise OSError(code, "no")

    monkeypatch.setattr("os.makedirs", refuse)
    with pytest.raises(
        FileNotFoundError, match="cannot be kept in .*vizlib.*: make room there or make"
    ):
        photos.load("hen")


def test_a_file_in_the_place_of_the_cache(server):
    (server[1]).write_text("no folder")
    with pytest.raises(FileNotFoundError, match="cannot be kept in"):
        photos.load("hen")


def test_a_file_of_your_own(tmp_path):
    Image.new("L", (20, 10), 7).save(tmp_path / "mine.png")
    assert photos.load(tmp_path / "mine.png").shape == (10, 20, 3)
    (tmp_path / "text.jpg").write_text("no picture")
    with pytest.raises(ValueError, match=r"'text.jpg' is not a picture"):
        photos.load(tmp_path / "text.jpg")


def test_unknown_name_lists_the_near_ones():
    with pytest.raises(ValueError, match="'tabby'"):
        photos.load("taby")
    assert set(photos.names()) == {*photos.SHIPPED, *photos.FETCHED}


def test_fit_takes_the_middle():
    picture = np.zeros((100, 300, 3), "uint8")
    picture[:, 100:200] = 255
    assert (photos.fit(picture, 50)[:, 2:-2] > 250).all() and photos.fit(
        picture, (20, 60)
    ).shape == (20, 60, 3)
    checker = (np.indices((400, 400)).sum(0) % 2 * 255).astype("uint8")[..., None].repeat(3, 2)
    assert np.abs(photos.fit(checker, 100).astype(int) - 127).max() < 8  # no aliasing
    with pytest.raises(ValueError, match="uint8 picture"):
        photos.fit(picture / 255, 50)

"""Photographs without a network: what is here, what a server of the test gives, your own files."""

import csv
import errno
import functools
import hashlib
import http.server
import io
import struct
import sys
import threading
import types
import zlib

import numpy as np
import pooch
import pytest
from PIL import Image

import vizlib
from vizlib import data, photos

INDEX = list(csv.DictReader(io.StringIO(data.read("photographs/index.csv").decode())))
COLOURS = np.random.default_rng(0).integers(0, 255, (30, 40, 3), dtype="uint8")


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A folder served on this machine, from which the photograph `hen` comes; an empty cache."""
    folder, cache = tmp_path / "www", tmp_path / "cache"
    folder.mkdir()
    monkeypatch.setattr(pooch, "os_cache", lambda name: cache / name)
    Image.fromarray(COLOURS).save(folder / "hen.png")
    sha256 = hashlib.sha256((folder / "hen.png").read_bytes()).hexdigest()

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

        def do_GET(self):
            if self.path != "/endless.png":
                return super().do_GET()
            self.send_response(200)
            self.end_headers()
            with pytest.raises(OSError):  # until nobody listens any more
                while True:
                    self.wfile.write(bytes(2**16))

    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Quiet, directory=folder)
    ) as httpd:
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{httpd.server_port}/hen.png"
        monkeypatch.setitem(photos.FETCHED, "hen", (url, sha256))
        yield folder, cache
        httpd.shutdown()


def kept(cache):
    return [path for path in cache.rglob("*") if path.is_file()]


# ---- what the course carries ---------------------------------------------------------------------


def test_the_photographs_are_those_of_the_index_and_small():
    folder = data.root() / "photographs"
    files = {row["file"] for row in INDEX} | {"index.csv", "SHA256SUMS"}
    assert files == {path.name for path in folder.iterdir()} and len(INDEX) == 24
    assert sum(path.stat().st_size for path in folder.iterdir()) < 2e6
    assert not {row["name"] for row in INDEX} & {*photos.SHIPPED, *photos.FETCHED, *photos.ALSO}
    for row in INDEX:
        assert data.read(f"photographs/{row['file']}", row["sha256"])
        image = photos.load(row["name"])
        assert image.dtype == np.uint8 and image.shape[2] == 3 and max(image.shape) <= 640


def test_authors_and_sources_are_credited():
    card = (data.root() / "README.md").read_text()
    for row in INDEX:
        assert row["licence"] in ("CC0-1.0", "Public Domain")
        assert row["source"].startswith("https://commons.wikimedia.org/wiki/File:")
        assert f"| {row['name']} | {row['author']} | {row['licence']} | <{row['source']}> |" in card


def test_squeezenet_predicts_what_the_index_says():
    net = vizlib.load("squeezenet")
    images = np.stack([photos.fit(photos.load(row["name"]), net.size) for row in INDEX])
    probabilities = vizlib.probabilities(net.model, net.preprocess(images))
    assert [net.labels[k] for k in probabilities.argmax(1)] == [row["predicted"] for row in INDEX]
    top = probabilities.max(1)
    np.testing.assert_allclose(top, [float(row["probability"]) for row in INDEX], atol=0.01)
    # On the photographs before they were made smaller: hens 0.99, shepherd 0.97, panda 1.00.
    names = [row["name"] for row in INDEX]
    sure = {"hens": 0.99, "shepherd": 0.97, "panda": 1, "koala": 1, "polar_bear": 1}
    for name, before in sure.items():
        k = names.index(name)
        assert INDEX[k]["predicted"] == INDEX[k]["imagenet_class"] and abs(top[k] - before) < 0.015
    for row in INDEX:
        assert not row["imagenet_class"] or row["imagenet_class"] in net.labels


@pytest.mark.parametrize("name", photos.SHIPPED)
def test_photographs_of_dependencies(name):
    image = photos.load(name)
    assert image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3
    assert min(image.shape[:2]) >= 300


def test_names_that_people_say():
    said = {
        "polar bear": "polar_bear",
        "Komodo dragon": "komodo_dragon",
        " Hens ": "hens",
        "dog": "shepherd",
        "German shepherd": "shepherd",
        "horse": "horses",
        "Chelsea": "cat",
    }
    for name, file in said.items():
        np.testing.assert_array_equal(photos.load(name), photos.load(file))
    assert set(photos.ALSO.values()) <= set(photos.names())
    assert set(photos.names()) - set(photos.names(fetched=False)) == set(photos.FETCHED)


def test_names_of_what_is_here_come_first():
    here = [*(row["name"] for row in INDEX), *photos.SHIPPED]
    assert photos.names() == (*here, *photos.FETCHED)
    with pytest.raises(ValueError, match="no photograph and no file 'taby'.*'tabby'"):
        photos.load("taby")
    for wrong in (None, 3, COLOURS, ["hens"]):
        with pytest.raises(ValueError, match="name of a photograph or the path of a file, not"):
            photos.load(wrong)


# ---- what is fetched -----------------------------------------------------------------------------


def test_fetched_once_and_silently(server, capfd):
    folder, cache = server
    np.testing.assert_array_equal(photos.load("hen"), COLOURS)
    (cache / "vizlib/hen.png").write_bytes(b"damaged")
    np.testing.assert_array_equal(photos.load("hen"), COLOURS)
    (folder / "hen.png").unlink()
    np.testing.assert_array_equal(photos.load("hen"), COLOURS)
    assert kept(cache) == [cache / "vizlib/hen.png"] and capfd.readouterr() == ("", "")


@pytest.mark.parametrize("size", [100, 0])
def test_half_a_file_or_another_is_not_kept(server, size):
    folder, cache = server
    (folder / "hen.png").write_bytes((folder / "hen.png").read_bytes()[:size])
    with pytest.raises(FileNotFoundError, match="not the file it should be"):
        photos.load("hen")
    assert not kept(cache)


def test_what_does_not_end_or_takes_too_long_is_given_up(server, monkeypatch):
    url, sha256 = photos.FETCHED["hen"]
    with monkeypatch.context() as patch:
        patch.setattr(photos, "SECONDS", -1)
        with pytest.raises(FileNotFoundError, match="could not be fetched"):
            photos.load("hen")
    monkeypatch.setitem(photos.FETCHED, "hen", (url.replace("hen", "endless"), sha256))
    with pytest.raises(FileNotFoundError, match="could not be fetched"):
        photos.load("hen")
    assert not kept(server[1])


def test_what_is_too_large_is_given_up_before_it_is_whole(server, monkeypatch):
    size = (server[0] / "hen.png").stat().st_size
    monkeypatch.setattr(photos, "BYTES", size - 1)
    with pytest.raises(FileNotFoundError, match="could not be fetched"):
        photos.load("hen")
    monkeypatch.setattr(photos, "BYTES", size)
    np.testing.assert_array_equal(photos.load("hen"), COLOURS)


def test_no_network(server, monkeypatch):
    monkeypatch.setitem(photos.FETCHED, "hen", ("http://127.0.0.1:9/hen.png", "0" * 64))
    with pytest.raises(FileNotFoundError, match="connect once, or take one that is here, 'hens'"):
        photos.load("hen")


@pytest.mark.parametrize("code", [errno.EACCES, errno.EROFS, errno.ENOSPC])
def test_a_cache_that_takes_nothing(server, monkeypatch, code):
    def refuse(*arguments):
        raise OSError(code, "no")

    monkeypatch.setattr("os.replace", refuse)
    with pytest.raises(FileNotFoundError, match="cannot be kept in .*vizlib.*: make room there"):
        photos.load("hen")
    assert not kept(server[1])


def test_a_file_in_the_place_of_the_cache(server):
    server[1].write_text("no folder")
    with pytest.raises(FileNotFoundError, match="cannot be kept in"):
        photos.load("hen")


# ---- files of your own ---------------------------------------------------------------------------


def stored(folder, image, name="mine.png", **options):
    image.save(folder / name, **options)
    return photos.load(folder / name)


def test_grey_and_palette(tmp_path):
    assert (stored(tmp_path, Image.new("L", (20, 10), 7)) == np.full((10, 20, 3), 7)).all()
    assert (stored(tmp_path, Image.new("1", (20, 10), 1)) == np.full((10, 20, 3), 255)).all()
    palette = Image.new("RGB", (20, 10), (9, 99, 199)).quantize()
    assert (stored(tmp_path, palette) == (9, 99, 199)).all()


@pytest.mark.parametrize("name", ["mine.png", "mine.tif", "mine.pgm"])
def test_sixteen_bits_are_scaled(tmp_path, name):
    grey = np.array([[0, 257, 128 * 257, 65535]], "uint16")
    image = stored(tmp_path, Image.fromarray(grey), name)
    np.testing.assert_array_equal(image, np.uint8([0, 1, 128, 255])[None, :, None].repeat(3, 2))


def test_sixteen_bits_of_colour_are_scaled(tmp_path):
    """A PNG written by hand: Pillow reads such files and writes none."""

    def chunk(kind, body):
        checked = kind + body
        return struct.pack(">I", len(body)) + checked + struct.pack(">I", zlib.crc32(checked))

    row = np.array([[0, 128 * 257, 65535], [20 * 257, 30 * 257, 40 * 257]], ">u2").tobytes()
    header = struct.pack(">IIBBBBB", 2, 1, 16, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b"\0" + row)), (b"IEND", b"")]
    png = b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*c) for c in chunks)
    (tmp_path / "deep.png").write_bytes(png)
    image = photos.load(tmp_path / "deep.png")
    np.testing.assert_array_equal(image, np.uint8([[[0, 128, 255], [20, 30, 40]]]))


def test_floats_from_0_to_1_are_scaled_and_others_refused(tmp_path):
    image = stored(tmp_path, Image.fromarray(np.float32([[0, 0.5, 1]])), "mine.tif")
    np.testing.assert_array_equal(image[0, :, 0], [0, 128, 255])
    for wrong in ([0, 255], [-0.1, 1], [np.nan, 1], [0, np.inf]):
        with pytest.raises(ValueError, match="'mine.tif' holds numbers from .*: save it with 8"):
            stored(tmp_path, Image.fromarray(np.float32([wrong])), "mine.tif")
    for top, said in ((70000, "7e"), (255, "255")):
        with pytest.raises(ValueError, match=f"from 0 to {said}.*no scale that is known"):
            stored(tmp_path, Image.fromarray(np.int32([[0, top]])), "mine.tif")
    wide = stored(tmp_path, Image.fromarray(np.int32([[0, 65535]])), "mine.tif")
    np.testing.assert_array_equal(wide[0, :, 0], [0, 255])


def test_what_is_transparent_lies_on_mid_grey(tmp_path):
    colours = np.uint8([[[200, 0, 0, 255], [200, 0, 0, 0], [255, 255, 255, 128]]])
    seen = np.uint8([[[200, 0, 0], [128, 128, 128], [192, 192, 192]]])
    np.testing.assert_allclose(stored(tmp_path, Image.fromarray(colours)), seen, atol=1)
    assert (stored(tmp_path, Image.new("LA", (2, 1), (9, 0))) == 128).all()
    palette = Image.new("P", (2, 1), 1)
    palette.putpalette([0, 0, 0, 255, 0, 0])
    assert (stored(tmp_path, palette, transparency=1) == 128).all()
    assert (stored(tmp_path, palette, transparency=0) == (255, 0, 0)).all()
    key = Image.new("RGB", (2, 1), (1, 2, 3))
    assert (stored(tmp_path, key, transparency=(1, 2, 3)) == 128).all()


def test_cmyk(tmp_path):
    image = stored(tmp_path, Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "mine.jpg", quality=95)
    np.testing.assert_allclose(image, np.broadcast_to((255, 0, 0), image.shape), atol=4)


def test_upright_as_exif_says(tmp_path):
    exif = Image.Exif()
    exif[0x112] = 6  # to be turned by a quarter, clockwise
    lying = np.zeros((16, 32, 3), "uint8")
    lying[:, :16] = 255  # the bright left half belongs at the top
    image = stored(tmp_path, Image.fromarray(lying), "mine.jpg", exif=exif, quality=95)
    assert image.shape == (32, 16, 3) and (image[:15] > 250).all() and (image[17:] < 5).all()


@pytest.mark.parametrize("name", ["mine.gif", "mine.webp", "mine.png", "mine.tif"])
def test_the_first_frame_of_an_animation(tmp_path, name):
    red, blue = (Image.new("RGB", (8, 8), colour) for colour in ("red", "blue"))
    image = stored(tmp_path, red, name, save_all=True, append_images=[blue])
    np.testing.assert_allclose(image, np.broadcast_to((255, 0, 0), (8, 8, 3)), atol=3)


def test_heic_with_and_without_its_plug_in(tmp_path, monkeypatch):
    (tmp_path / "mine.HEIC").write_bytes(b"no HEIC")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ValueError, match="'mine.HEIC' is HEIC: install pillow-heif, or save it"):
        photos.load(tmp_path / "mine.HEIC")
    called = []
    plug_in = types.SimpleNamespace(register_heif_opener=lambda: called.append(1))
    monkeypatch.setitem(sys.modules, "pillow_heif", plug_in)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: plug_in)
    Image.fromarray(COLOURS).save(tmp_path / "mine.HEIC", "png")
    assert photos.load(tmp_path / "mine.HEIC").shape == (30, 40, 3) and called


@pytest.mark.parametrize("side", [10_000, 20_000])
def test_a_decompression_bomb_is_refused(tmp_path, side):
    Image.new("1", (side, side)).save(tmp_path / "bomb.png")
    with pytest.raises(ValueError, match=r"'bomb.png' has more than 89,478,485 pixels: make it"):
        photos.load(tmp_path / "bomb.png")


def test_what_is_no_image(tmp_path):
    with pytest.raises(ValueError, match="is a folder: give the path of one image file"):
        photos.load(tmp_path)
    for content in (b"", b"no image", b"\x89PNG\r\n\x1a\n", b"RIFF\0\0\0\0WEBP", b"%!PS-Adobe-3.0"):
        (tmp_path / "text.jpg").write_bytes(content)
        with pytest.raises(ValueError, match=r"'text.jpg' is not an image that can be read"):
            photos.load(tmp_path / "text.jpg")
    for wrong in ("a\0b", "x" * 5000, "no/such/file.jpg"):
        with pytest.raises(ValueError, match="no photograph and no file"):
            photos.load(wrong)


KINDS = "avif bmp dds gif icns ico jp2 jpg mpo pcx png ppm qoi sgi tga tif webp xbm".split()


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_files_are_read_or_refused_in_one_sentence(tmp_path, kind):
    """Every reader of Pillow has errors of its own: SyntaxError, struct.error, RuntimeError, ..."""
    image, path = Image.fromarray(COLOURS), tmp_path / f"mine.{kind}"
    image.convert("1" if kind == "xbm" else "RGB").save(path)
    whole, rng, refused = path.read_bytes(), np.random.default_rng(0), 0
    for cut in (0, 0, 0, 0, 4, 20, len(whole) // 2, len(whole) - 2):
        content = np.frombuffer(whole, "uint8")[: cut or None].copy()
        if not cut:
            places = rng.integers(0, min(len(content), 300), 8)
            content[places] = rng.integers(0, 256, 8)
        path.write_bytes(content.tobytes())
        try:
            image = photos.load(path)
            assert image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3
        except ValueError as error:
            refused += 1
            assert str(error).startswith(f"'mine.{kind}' ") and "\n" not in str(error)
    assert refused


# ---- fit -----------------------------------------------------------------------------------------


def test_fit_takes_the_middle():
    image = np.zeros((100, 300, 3), "uint8")
    image[:, 100:200] = 255
    assert (photos.fit(image, 50)[:, 2:-2] > 250).all()
    assert photos.fit(image, (20, 60)).shape == photos.fit(image, np.array([20, 60])).shape
    assert photos.fit(image, np.int64(7)).shape == (7, 7, 3)
    checker = (np.indices((400, 400)).sum(0) % 2 * 255).astype("uint8")[..., None].repeat(3, 2)
    assert np.abs(photos.fit(checker, 100).astype(int) - 127).max() < 8  # no aliasing


def test_fit_refuses_what_is_no_image_or_no_size():
    image = np.zeros((10, 10, 3), "uint8")
    for wrong in (image / 255, image[..., 0], image[None], image[:0], "hens"):
        with pytest.raises(ValueError, match="one uint8 image"):
            photos.fit(wrong, 5)
    for size in (
        2**70,
        2**16,
        (5, 2**70),
        0,
        -3,
        2.5,
        227.0,
        "5",
        None,
        True,
        (5, 0),
        (5, 2.5),
        (),
        (5,),
        (5, 5, 3),
    ):
        with pytest.raises(ValueError, match="size is a whole number of at least 1, or two"):
            photos.fit(image, size)


def test_a_folder_in_order_and_what_could_not_be_read(tmp_path):
    """Turned by EXIF, 16 bits, alpha; a text, half a file; a folder and a hidden file in it."""
    exif = Image.Exif()
    exif[0x112] = 6
    colours = np.zeros((30, 20, 3), "uint8")
    colours[:15] = 255, 0, 0
    Image.fromarray(colours).save(tmp_path / "b.jpg", exif=exif, quality=95)
    Image.fromarray(np.full((9, 9), 32768, "uint16")).save(tmp_path / "a.png")
    Image.fromarray(np.zeros((9, 9, 4), "uint8")).save(tmp_path / "c.png")
    (tmp_path / "d.txt").write_text("no image")
    (tmp_path / "e.jpg").write_bytes((tmp_path / "b.jpg").read_bytes()[:300])
    (tmp_path / ".hidden").write_text("")
    (tmp_path / "inner").mkdir()
    with pytest.warns(UserWarning, match=r"^2 of 5 files: 'd.txt' is not an image.*; 'e.jpg'"):
        images, names = photos.load_folder(tmp_path, (12, 18))
    assert names == ["a.png", "b.jpg", "c.png"] and images.shape == (3, 12, 18, 3)
    assert (images[0] == 127).all() or (images[0] == 128).all()  # half of 65535
    assert images[1][6, 16, 0] > 200 > 60 > images[1][6, 2, 0]  # upright, red is on the right
    assert (images[2] == 128).all()  # wholly transparent


def test_no_folder(tmp_path):
    for wrong in (tmp_path / "none", 3, None):
        with pytest.raises(ValueError, match="takes the path of a folder"):
            photos.load_folder(wrong, 8)
    with pytest.raises(ValueError, match="No photograph in"):
        photos.load_folder(tmp_path, 8)
    (tmp_path / "a.txt").write_text("no image")
    with pytest.raises(ValueError, match="can be read: 'a.txt' is not an image"):
        photos.load_folder(tmp_path, 8)
    Image.fromarray(np.zeros((1, 1, 3), "uint8")).save(tmp_path / "one.png")
    with pytest.warns(UserWarning, match="1 of 2 files"):
        assert photos.load_folder(tmp_path, 8)[0].shape == (1, 8, 8, 3)
    with pytest.raises(ValueError, match="size is a whole number"):
        photos.load_folder(tmp_path, 0)

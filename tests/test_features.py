"""Feature vectors of every model shape and kind of data; points whose neighbours are known."""

import numpy as np
import pytest
import shapes
import tensorflow as tf
from strangers import TensorElsewhere

import vizlib
from vizlib import models, show, widgets


@pytest.mark.parametrize("shape", shapes.SHAPES, ids=lambda f: f.__name__)
def test_every_model_shape(shape):
    model, w, x, last = shapes.build(shape)
    _, (_, _, a2, a3) = shapes.forward(x, w)
    np.testing.assert_allclose(vizlib.features(model, x), np.maximum(a3, 0), rtol=1e-4, atol=1e-4)
    means = np.maximum(a2, 0).mean((1, 2))
    np.testing.assert_allclose(
        vizlib.features(model, x, last, batch_size=2), means, rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize("name", ["pocket", "vgg16", "mobilenetv2", "mobilenetv3small", "resnet50"])
def test_the_layer_below_the_classifier_is_the_nets(name):
    net = models.load(name, weights="random")
    x = np.random.default_rng(0).normal(0, 1, (2, *net.size, 3)).astype("float32")
    below = vizlib.features(net.model, x)
    np.testing.assert_allclose(
        below, vizlib.features(net.model, x, net.features), rtol=1e-3, atol=1e-4
    )
    assert below.ndim == 2 and below.std() > 0


def test_data_larger_than_memory():
    model, _, x, _ = shapes.build(shapes.fused)
    whole = vizlib.features(model, x)
    dataset = tf.data.Dataset.from_tensor_slices(x).batch(2)
    for data in (dataset, (part for part in (x[:1], x[1:])), [x], iter([x[:2], x[2:]])):
        np.testing.assert_allclose(vizlib.features(model, data), whole, rtol=1e-5, atol=1e-6)


def test_a_bar_if_asked_for(capsys):
    model, _, x, _ = shapes.build(shapes.fused)
    vizlib.features(model, x)
    assert capsys.readouterr().err == ""
    vizlib.features(model, x, batch_size=1, progress=True)
    assert "3/3" in capsys.readouterr().err


def test_an_interrupt_leaves_nothing_behind():
    model, _, x, last = shapes.build(shapes.fused)

    def interrupted():
        yield x
        raise KeyboardInterrupt

    before = {layer.name: set(layer.__dict__) for layer in model.layers}
    with pytest.raises(KeyboardInterrupt):
        vizlib.features(model, interrupted(), last)
    assert {layer.name: set(layer.__dict__) for layer in model.layers} == before
    assert len(vizlib.features(model, x, last)) == 3


def test_no_such_layer():
    with pytest.raises(ValueError, match="did you mean"):
        vizlib.features(shapes.build(shapes.fused)[0], np.zeros((1, 8, 8, 3)), "dense7")


# ---- points --------------------------------------------------------------------------------------


def test_neighbours_by_hand():
    x = [[0.0, 0], [3, 4], [0, 1], [0, 1], [10, 0]]
    distances, indices = vizlib.neighbours(x, [[0.0, 0], [9, 0]], 3)
    assert indices.tolist() == [[0, 2, 3], [4, 1, 0]]  # of the two at (0, 1) the first
    np.testing.assert_allclose(distances, [[0, 1, 1], [1, np.sqrt(52), 9]])


def test_pca_finds_the_line():
    rng = np.random.default_rng(0)
    along, across = rng.normal(0, 3, 200), rng.normal(0, 1, 200)
    x = np.outer(along, [0.6, 0.8, 0]) + np.outer(across, [0.8, -0.6, 0]) + 5
    coordinates, share = vizlib.pca(x)
    assert abs(np.corrcoef(coordinates[:, 0], along)[0, 1]) > 0.99
    np.testing.assert_allclose(
        share, np.sort(np.linalg.eigvalsh(np.cov(x.T)))[:0:-1] / np.trace(np.cov(x.T)), atol=1e-8
    )
    np.testing.assert_allclose(coordinates.mean(0), 0, atol=1e-9)


def test_tsne_keeps_groups_and_obeys_its_seed():
    rng = np.random.default_rng(0)
    group = np.repeat(range(3), 20)
    x = rng.normal(0, 1, (60, 10)) + 20 * np.eye(10)[group]
    plane = vizlib.tsne(x, perplexity=10)
    _, near = vizlib.neighbours(plane, plane, 6)
    assert (group[near] == group[:, None]).all() and plane.shape == (60, 2)
    np.testing.assert_array_equal(plane, vizlib.tsne(x, perplexity=10))
    assert np.abs(plane - vizlib.tsne(x, perplexity=10, seed=1)).max() > 0


POINTS = np.random.default_rng(0).normal(size=(7, 3))


@pytest.mark.parametrize("call", [lambda x: vizlib.neighbours(x, POINTS), vizlib.pca, vizlib.tsne])
@pytest.mark.parametrize(
    "x, says",
    [
        (POINTS[0], r"one row each, not \(3,\)"),
        (POINTS[:0], "one row each"),
        (3.0, r"one row each, not \(\)"),
        (True, r"one row each, not \(\)"),
        (POINTS * np.nan, "NaN or infinite"),
        (POINTS * np.longdouble("1e400"), "infinite"),
        (POINTS * 1e16, "larger than 1e15"),
        (POINTS * 1j, "real numbers, not complex"),
        (POINTS.astype(str), "real numbers, not <U"),
        (None, "real numbers, not object"),
        (TensorElsewhere(), "cannot be read as an array"),
        ([[1.0], [1.0, 2.0]], "cannot be read as an array"),
    ],
)
def test_what_are_no_points_gets_one_sentence(call, x, says):
    with pytest.raises(ValueError, match=says):
        call(x)


@pytest.mark.parametrize(
    "call, says",
    [
        (lambda x: vizlib.neighbours(x, x[:, :2], 1), "take both from one layer"),
        (lambda x: vizlib.tsne(x), "needs more than 30 points, not 7"),
        (lambda x: vizlib.tsne(x, perplexity=0.5), "needs more than 1 points"),
        (lambda x: vizlib.tsne(x, perplexity=np.nan), "A perplexity of nan"),
        *(
            (lambda x, bad=bad: vizlib.neighbours(x, x, bad), "k is a whole number from 1 to 7")
            for bad in (0, 8, 2.0, "2", None, True, np.array(2))
        ),
        *(
            (lambda x, bad=bad: vizlib.pca(x, bad), "dims, of 7 points of 3 .*from 1 to 3")
            for bad in (0, 4, 2.0, "2", None, True, np.array(2))
        ),
        *(
            (lambda x, bad=bad: vizlib.tsne(x, perplexity=bad), "perplexity is a number")
            for bad in ("2", None, True, 2j, [2], np.ones(2), np.complex64(2))
        ),
        *(
            (lambda x, bad=bad: vizlib.tsne(x, perplexity=2, seed=bad), "seed is a whole number")
            for bad in (-1, 2**32, 1.5, "1", None, True)
        ),
        *(
            (lambda x, c=c: vizlib.pca(np.full((7, 3), c)), "All points are equal")
            for c in (0, 0.1, 1e14)
        ),
        (lambda x: vizlib.pca(np.eye(7) * 1e-200), "All points are equal"),
        (lambda x: vizlib.pca(x[:1], 1), "All points are equal"),
        (lambda x: vizlib.tsne(np.full((7, 3), 0.1), perplexity=2), "All points are equal"),
    ],
)
def test_bad_points_get_one_sentence(call, says):
    with pytest.raises(ValueError, match=says):
        call(POINTS)


@pytest.mark.parametrize("scale", [1e-150, 1e15])
def test_the_scale_of_points_does_not_matter(scale):
    x = POINTS / np.abs(POINTS).max()
    np.testing.assert_allclose(vizlib.pca(x * scale)[1], vizlib.pca(x)[1])
    distances, indices = vizlib.neighbours(x * scale, x * scale, 3)
    np.testing.assert_array_equal(indices, vizlib.neighbours(x, x, 3)[1])
    assert np.isfinite(distances).all()
    assert np.isfinite(vizlib.tsne(x * scale, perplexity=2)).all()


# ---- what is shown -------------------------------------------------------------------------------


def test_thumbnails_do_not_cover_each_other_and_a_grid_shows_all():
    rng = np.random.default_rng(0)
    pictures, points = rng.integers(0, 255, (50, 8, 8, 3), "uint8"), rng.normal(size=(50, 2))

    def boxes(fig):
        return np.array([image.get_extent() for image in fig.axes[0].images])

    def overlapping(b):
        apart = (b[:, None, 1] <= b[None, :, 0]) | (b[:, None, 3] <= b[None, :, 2])
        return (~(apart | apart.T)).sum() - len(b)

    some = boxes(show.thumbnails(pictures, points, side=0.1))
    assert 10 < len(some) < 50 and overlapping(some) == 0
    every = boxes(show.thumbnails(pictures, points, groups=np.arange(50) % 3, grid=True))
    assert len(every) == 50 and overlapping(every) == 0 and every.min() >= 0 and every.max() <= 1
    # what is left of another stays left of it, by and large
    order = np.corrcoef(points[:, 0].argsort().argsort(), every[:, :2].mean(1))[0, 1]
    assert order > 0.9


def test_scatter_has_a_panel_each():
    fig = show.scatter({"class": ["a", "b", "a"], "cap": [0, 0, 1]}, np.arange(6.0).reshape(3, 2))
    assert [ax.get_title() for ax in fig.axes] == ["class", "cap"] and len(
        fig.axes[0].collections
    ) == 2


@pytest.mark.parametrize(
    "panels, points",
    [
        ({"a": [0, 1]}, np.ones((3, 2))),
        ({"a": [0, 1], "b": [0]}, np.ones((2, 2))),
        ({"a": [0, 1]}, np.ones((2, 3))),
        ({"a": [0, 1]}, np.ones(2)),
        ({}, np.ones((2, 2))),
    ],
)
def test_a_scatter_of_other_numbers_gets_one_sentence(panels, points):
    with pytest.raises(ValueError, match=r"Give points \(N, 2\) and, for each panel, N names"):
        show.scatter(panels, points)


def test_the_explorer_shows_the_neighbours():
    pictures = (
        np.arange(4, dtype="uint8")[:, None, None, None] * np.ones((1, 4, 4, 3), "uint8") * 50
    )
    indices = {
        "pixels": np.array([[1, 2], [0, 2], [1, 3], [2, 1]]),
        "features": np.array([[3, 2], [0, 2], [1, 3], [2, 1]]),
    }
    view = widgets.nearest(pictures, indices, 0, side=4)
    assert view.shape == (8, 12, 3)
    assert view[0, ::4, 0].tolist() == [0, 50, 100] and view[4, ::4, 0].tolist() == [0, 150, 100]

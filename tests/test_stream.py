"""Data from any source, in order, each image with its own label; what is wrong in one sentence."""

import keras
import numpy as np
import pytest
import shapes
import tensorflow as tf

import vizlib
from vizlib import engine

X = shapes.pictures(5)
Y = np.arange(5)


@pytest.fixture(scope="module")
def model():
    return shapes.build(shapes.fused)[0]


@pytest.fixture(scope="module")
def open_model():
    x = keras.Input((None, None, 3))
    y = keras.layers.Conv2D(4, 3, activation="relu", name="conv")(x)
    return keras.Model(x, keras.layers.Dense(2)(keras.layers.GlobalAveragePooling2D()(y)))


class Sequence(keras.utils.PyDataset):
    def __len__(self):
        return 3

    def __getitem__(self, i):
        return X[2 * i : 2 * i + 2], Y[2 * i : 2 * i + 2]


def generator():
    yield from (X[:2], X[2:])


dataset = tf.data.Dataset
SOURCES = {
    "array": lambda: X,
    "tensor": lambda: tf.constant(X),
    "images": lambda: list(X),
    "batches": lambda: [X[:1], X[1:].astype("float64")],
    "dataset": lambda: dataset.from_tensor_slices(X).batch(2),
    "no length": lambda: dataset.from_generator(
        generator, output_signature=tf.TensorSpec((None, 8, 8, 3))
    ),
    "generator": generator,
    "with labels": lambda: dataset.from_tensor_slices((X, Y)).batch(2),
    "with weights": lambda: dataset.from_tensor_slices((X, Y, np.ones(5))).batch(2),
    "filtered": lambda: dataset.from_tensor_slices((X, Y)).filter(lambda x, y: y >= 0).batch(2),
    "PyDataset": lambda: Sequence(),
    "pairs in lists": lambda: iter([[X[:3], Y[:3]], [X[3:], Y[3:]]]),
}


@pytest.mark.filterwarnings("ignore:Your `PyDataset` class should call:UserWarning")
@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("progress", [False, True])
def test_images_come_in_order_from_any_source(model, source, progress, capsys):
    batches = list(engine.stream(model, SOURCES[source](), batch_size=2, progress=progress))
    np.testing.assert_array_equal(np.concatenate([x for x, _ in batches]), X)
    if source in ("with labels", "with weights", "filtered", "PyDataset", "pairs in lists"):
        np.testing.assert_array_equal(np.concatenate([y for _, y in batches]), Y)
    else:
        assert all(y is None for _, y in batches)


def test_labels_of_a_shuffled_dataset_stay_with_their_images(model):
    data = dataset.from_tensor_slices((X, Y)).shuffle(5, reshuffle_each_iteration=True).batch(2)
    vectors, labels = vizlib.features(model, data, labels=True)
    assert sorted(labels) == list(Y)
    np.testing.assert_allclose(vectors, vizlib.features(model, X)[labels], rtol=1e-5, atol=1e-5)


def test_batches_of_other_sizes_where_the_model_takes_them(open_model, model):
    sizes = [X[:1], np.zeros((2, 9, 12, 3)), X[1:]]
    assert vizlib.features(open_model, sizes).shape == (7, 4)
    images = [np.zeros((9, 12, 3), "float32"), *X]
    assert vizlib.features(open_model, images).shape == (6, 4)
    with pytest.raises(ValueError, match=r"takes images of shape \(N, 8, 8, 3\)"):
        vizlib.features(model, sizes)


class Endless(keras.utils.PyDataset):
    num_batches = None

    def __getitem__(self, i):
        return X


class WithoutLength(keras.utils.PyDataset):
    def __getitem__(self, i):
        return X


def endless():
    while True:
        yield X


@pytest.mark.parametrize(
    "data, says",
    [
        ([], "empty"),
        (np.zeros((0, 8, 8, 3), "float32"), "empty"),
        (dataset.from_tensor_slices(X), "in batches"),
        ([X.astype("uint8")], "uint8"),
        (X[0], r"images\[None\]"),
        (dataset.from_tensor_slices(X).batch(2).repeat(), "never ends.*take"),
        (Endless(), "never ends: give a PyDataset with a __len__"),
        (WithoutLength(), "never ends: give a PyDataset with a __len__"),
        (dataset.from_tensor_slices({"image": X}).batch(2), "batch holds image: say which"),
        (["a.jpg", "b.jpg"], "names of files.*photos.load"),
        ("a.jpg", "Data are images"),
        (7, "Data are images"),
        ({"x": X}, "Data are images"),
        ([((X, X), Y)], "several inputs"),
        ([(X, Y[:3])], "3 labels"),
    ],
)
def test_what_is_wrong_with_data(model, data, says):
    with pytest.raises(ValueError, match=says):
        vizlib.features(model, data)


def test_single_images_in_a_dataset_want_a_batch(model):
    single = dataset.from_tensor_slices((X, Y))
    with pytest.raises(ValueError, match=r"in batches, as in data\.batch\(32\)"):
        vizlib.features(model, single)
    assert len(vizlib.features(model, single.batch(2))) == len(X)


def test_labels_that_are_not_there(model):
    with pytest.raises(ValueError, match="leave out labels=True"):
        vizlib.features(model, X, labels=True)


def test_a_generator_is_read_once_and_no_further_than_it_is_asked(model):
    stream, first = engine.stream(model, endless()), []
    first.append(next(stream))
    assert len(first[0][0]) == 5

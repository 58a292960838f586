"""The callback draws what the network looks at while it learns, and leaves the training alone."""

import keras
import numpy as np
import pytest
from PIL import Image

from vizlib import Net
from vizlib.callbacks import Lenses

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (6, 16, 16, 3)).astype("uint8")


def small():
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((16, 16, 3)),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Conv2D(4, 3, activation="relu"),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(2, "softmax"),
        ]
    )
    model.compile("sgd", "sparse_categorical_crossentropy")
    return model


def fit(model, *callbacks):
    x, y = IMAGES.astype("float32"), np.arange(6) % 2
    model.fit(x, y, epochs=5, shuffle=False, verbose=0, callbacks=callbacks)
    return model.get_weights()


def test_a_picture_every_few_epochs_and_the_same_weights(tmp_path):
    model, folder = small(), tmp_path / "new" / "lenses"
    net = Net.of(model, labels=["cat", "dog"])
    lenses = Lenses(net, IMAGES[:1], every=2, folder=folder, others=IMAGES, targets="dog")
    watched = fit(model, lenses)
    names = sorted(path.name for path in folder.glob("*.png"))
    assert names == ["epoch-0001.png", "epoch-0003.png", "epoch-0005.png"]
    for name in names:
        with Image.open(folder / name) as drawn:
            assert np.asarray(drawn).std() > 10
    for with_it, without in zip(watched, fit(small())):
        np.testing.assert_array_equal(with_it, without)


@pytest.mark.parametrize("every", [0, 1.5, "two"])
def test_every_is_a_whole_number(every):
    with pytest.raises(ValueError, match="every is a whole number of epochs from 1 on"):
        Lenses(Net.of(small()), IMAGES[:1], every=every)


def test_what_overview_refuses_is_said_before_the_first_epoch(tmp_path):
    model = small()
    lenses = Lenses(Net.of(model), IMAGES[:1], folder=tmp_path / "no", targets="cow", others=IMAGES)
    before = model.get_weights()
    with pytest.raises(ValueError, match="no single class called 'cow'"):
        fit(model, lenses)
    assert not (tmp_path / "no").exists()
    for now, then in zip(model.get_weights(), before):
        np.testing.assert_array_equal(now, then)


def test_an_image_summary_where_tensorboard_is(tmp_path):
    pytest.importorskip("tensorboard")
    model = small()
    fit(model, Lenses(Net.of(model), IMAGES[:1], every=5, folder=tmp_path, others=IMAGES))
    (events,) = tmp_path.glob("events*")
    assert b"lenses" in events.read_bytes() and b"PNG" in events.read_bytes()

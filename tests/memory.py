"""Build, use and delete models, in a process of its own; print as JSON what is left of them.

Half of the models go through every public function that takes one, the others only through Keras:
what Keras and TensorFlow keep of a model is no leak of vizlib's.
"""

import ctypes
import gc
import inspect
import json
import sys
import time
import weakref

import keras
import numpy as np
import psutil
import tensorflow as tf

import vizlib
from vizlib import truth

IMAGES = np.random.default_rng(0).random((2, 16, 16, 3), "float32")
MAPS = np.ones((2, 16, 16))
LABELS = np.tile(np.arange(16) % 3, (2, 16, 1))
BOX = {"epsilon": 0.1, "bounds": (0, 1)}

USES = {
    "activations": lambda m: vizlib.activations(m, IMAGES, "conv"),
    "cam": lambda m: vizlib.cam(m, IMAGES),
    "deconvnet": lambda m: vizlib.deconvnet(m, IMAGES, layer="conv", unit=0),
    "dissect": lambda m: vizlib.dissect(m, IMAGES, "conv", LABELS, shuffles=2),
    "features": lambda m: vizlib.features(m, IMAGES),
    "fgsm": lambda m: vizlib.fgsm(m, IMAGES, 0, **BOX),
    "filters": lambda m: vizlib.filters(m),
    "find_layer": lambda m: vizlib.find_layer(m, "conv"),
    "grad_cam": lambda m: vizlib.grad_cam(m, IMAGES, lambda logits: logits[:, 0] ** 2),
    "grad_cam_plus_plus": lambda m: vizlib.grad_cam_plus_plus(m, IMAGES),
    "gradient": lambda m: vizlib.gradient(m, IMAGES, 1, score="probability", batch_size=1),
    "guided_backprop": lambda m: vizlib.guided_backprop(m, IMAGES),
    "guided_grad_cam": lambda m: vizlib.guided_grad_cam(m, IMAGES),
    "hires_cam": lambda m: vizlib.hires_cam(m, IMAGES),
    "integrated_gradients": lambda m: vizlib.integrated_gradients(m, IMAGES, steps=2),
    "logits": lambda m: vizlib.logits(m, IMAGES),
    "occlusion": lambda m: [
        vizlib.occlusion(m, IMAGES, patch=4, stride=4, incremental=i) for i in (True, False)
    ],
    "pgd": lambda m: vizlib.pgd(m, IMAGES, 0, steps=2, **BOX),
    "probabilities": lambda m: vizlib.probabilities(m, IMAGES),
    "receptive_field": lambda m: vizlib.receptive_field(m, "conv", 16),
    "residual": lambda m: vizlib.residual(m, IMAGES, np.zeros_like(IMAGES)),
    "saliency": lambda m: vizlib.saliency(m, IMAGES),
    "smoothgrad": lambda m: vizlib.smoothgrad(m, IMAGES, samples=2),
    "top_patches": lambda m: vizlib.top_patches(m, IMAGES, "conv", channels=[0, 1], k=2),
    "visualize": lambda m: vizlib.visualize(m, 0, bounds=(0, 1), steps=2),
    "truth.deletion": lambda m: truth.deletion(m, IMAGES, MAPS, steps=2),
    "truth.insertion": lambda m: truth.insertion(m, IMAGES, MAPS, steps=2),
    "truth.randomization": lambda m: truth.randomization(vizlib.saliency, m, IMAGES),
}


def public():
    """The names of the public functions that take a model."""
    places = {name: vizlib for name in vizlib.__all__}
    places |= {f"truth.{name}": truth for name in truth.__all__}
    functions = {name: getattr(at, name.split(".")[-1]) for name, at in places.items()}
    return {
        name
        for name, function in functions.items()
        if inspect.isfunction(function) and "model" in inspect.signature(function).parameters
    }


def build():
    x = inputs = keras.Input((16, 16, 3))
    x = keras.layers.Conv2D(64, 3, activation="relu", name="conv")(x)
    x = keras.layers.Conv2D(512, 3, activation="relu")(x)  # 1.2 MB of weights
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(x))


def bare(model):
    """A pass and a gradient, compiled."""

    @tf.function
    def gradient(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            score = model(x, training=False)[:, 0]
        return tape.gradient(score, x)

    return gradient(tf.constant(IMAGES))


def all_of_vizlib(model):
    return [use(model) for use in USES.values()]


def concrete_functions():
    """Weak references to those that are alive."""
    kind = tf.types.experimental.ConcreteFunction
    return [weakref.ref(o) for o in gc.get_objects() if isinstance(o, kind)]


def once(use):
    """Use a new model; weak references to the model, its variables, and what was traced."""
    gc.collect()
    before = {id(ref()) for ref in concrete_functions()}
    model = build()
    use(model)
    traces = [ref for ref in concrete_functions() if id(ref()) not in before]
    return {
        "models": [weakref.ref(model)],
        "variables": [weakref.ref(variable) for variable in model.variables],
        "traces": traces,
    }


def memory():
    """What this process holds, in bytes: the lowest of some readings."""
    readings = []
    for _ in range(3):
        gc.collect()
        if sys.platform == "linux":
            ctypes.CDLL(None).malloc_trim(0)
        time.sleep(0.05)
        readings.append(psutil.Process().memory_info().rss)
    return min(readings)


def use_many(use, count):
    """How many megabytes a model stay; of each kind how many there were, how many are alive."""
    before = memory()
    refs = [once(use) for _ in range(count)]
    megabytes = (memory() - before) / count / 1e6
    made = {kind: sum(len(one[kind]) for one in refs) for kind in refs[0]}
    alive = {kind: sum(ref() is not None for one in refs for ref in one[kind]) for kind in refs[0]}
    return {"megabytes": megabytes, "made": made, "alive": alive}


if __name__ == "__main__":
    for use in (bare, all_of_vizlib):  # what Python and TensorFlow keep once
        use_many(use, 1)
    report = {use.__name__: use_many(use, 3) for use in (bare, all_of_vizlib)}
    print(json.dumps({"unused": sorted(public() - set(USES)), **report}))

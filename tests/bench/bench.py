"""Speed as ratios, measured in one run (`make bench`). Prints a table; exits with 1 if a target is missed. Never gates CI.

A row is (what is compared, target, measured); smaller is better.
"""

import gc
import statistics
import subprocess
import sys
import time
from itertools import chain
from pathlib import Path

import vizlib  # before TensorFlow, which it keeps silent

# isort: split
import keras
import nbformat
import numpy as np
import tensorflow as tf

sys.path.insert(0, str(Path(__file__).parents[2] / "notebooks"))
import build

ROUNDS = 7


def medians(*calls, rounds=ROUNDS):
    """Median seconds of each call, taken in turns after one warm-up each, so that all see the same machine."""
    for call in calls:
        call()
    times = [[] for _ in calls]
    gc.disable()
    for _ in range(rounds):
        for call, kept in zip(calls, times):
            since = time.perf_counter()
            call()
            kept.append(time.perf_counter() - since)
    gc.enable()
    return [statistics.median(kept) for kept in times]


def bare(model):
    """The plain compiled forward pass."""

    @tf.function(input_signature=[tf.TensorSpec((None, *model.input_shape[1:]))])
    def forward(x):
        return model(x, training=False)

    return forward


def network(name):
    net = vizlib.load(name, weights="random")
    count = {"pocket": 32, "vgg16": 4}[name]
    return net, np.random.default_rng(0).normal(0, 50, (count, *net.size, 3)).astype("float32")


def forward_pass(name):
    net, x = network(name)
    forward = bare(net.model)
    plain, logits, maps = medians(
        lambda: forward(tf.constant(x)).numpy(),
        lambda: vizlib.logits(net.model, x),
        lambda: vizlib.activations(net.model, x, net.stages[4]),
    )
    yield f"logits / bare forward pass, {name}", 1.1, logits / plain
    yield f"activations of {net.stages[4]} / bare forward pass, {name}", 1.1, maps / plain


def second_use(name):
    """A second class, and a layer seen before, cost no second trace."""
    net, x = network(name)
    vizlib.gradient(net.model, x[:1], 0)
    vizlib.activations(net.model, x[:1], net.stages[2])
    warm, other = medians(
        lambda: vizlib.gradient(net.model, x[:1], 0), lambda: vizlib.gradient(net.model, x[:1], 1)
    )
    yield f"gradient of another class / of the same class, {name}", 1.1, other / warm
    one, part = medians(
        lambda: vizlib.activations(net.model, x[:2], net.stages[2], batch_size=2),
        lambda: vizlib.activations(net.model, x[:3], net.stages[2], batch_size=2),
    )
    yield f"activations of 3 pictures in batches of 2 / of 2 pictures, {name}", 1.75, part / one


def passes(model):
    """The bare compiled forward and backward pass."""

    @tf.function(input_signature=[tf.TensorSpec((None, *model.input_shape[1:]))])
    def passes(x):
        return tf.gradients(tf.reduce_sum(model(x, training=False)[:, 0]), x)[0]

    return lambda x: passes(tf.constant(x)).numpy()


def gradients(name):
    """Gradients by each rule against the bare compiled forward and backward pass."""
    net, x = network(name)
    x, bare = x[: max(1, len(x) // 4)], passes(net.model)
    methods = (vizlib.gradient, vizlib.saliency, vizlib.guided_backprop, vizlib.deconvnet)
    plain, *times = medians(lambda: bare(x), *(lambda f=f: f(net.model, x, 0) for f in methods))
    for method, seconds in zip(methods, times):
        yield f"{method.__name__} / bare forward and backward pass, {name}", 1.1, seconds / plain


def averages(name):
    """A sample of SmoothGrad and a step of integrated gradients against a bare pass in a batch of the same size."""
    net, x = network(name)
    size, bare = len(x), passes(net.model)
    plain, *times = medians(
        lambda: bare(x),
        lambda: vizlib.smoothgrad(net.model, x[:1], 0, samples=4 * size, batch_size=size),
        lambda: vizlib.integrated_gradients(net.model, x[:1], 0, steps=4 * size, batch_size=size),
        rounds=5,
    )
    for method, seconds in zip(("smoothgrad", "integrated gradients"), times):
        yield f"{4 * size} samples of {method} / bare passes, {name}", 1.1, seconds / 4 / plain


def to_a_layer(name):
    """Grad-CAM against the bare compiled forward pass and the backward pass to its layer."""
    net, x = network(name)
    x, last = x[: max(1, len(x) // 4)], net.model.get_layer(net.stages[4])
    below, above = (
        keras.Model(net.model.input, last.output),
        net.model.layers[net.model.layers.index(last) + 1 :],
    )

    @tf.function(input_signature=[tf.TensorSpec((None, *net.model.input_shape[1:]))])
    def bare(x):
        maps = y = below(x, training=False)
        for layer in above:
            y = layer(y)
        return tf.gradients(tf.reduce_sum(y[:, 0]), maps)[0], maps

    plain, found = medians(
        lambda: [t.numpy() for t in bare(tf.constant(x))], lambda: vizlib.grad_cam(net.model, x, 0)
    )
    yield f"grad_cam / bare forward pass and backward pass to its layer, {name}", 1.1, found / plain


def extracting(name):
    """Feature vectors and best patches of a data set against the bare compiled forward passes over the same pictures."""
    net, x = network(name)
    forward, batches = bare(net.model), [x] * (4 if name == "pocket" else 2)
    plain, vectors, patches = medians(
        lambda: [forward(tf.constant(batch)).numpy() for batch in batches],
        lambda: vizlib.features(net.model, batches),
        lambda: vizlib.top_patches(net.model, batches, net.stages[4], channels=range(16), k=4),
    )
    yield f"features of a data set / bare forward passes, {name}", 1.1, vectors / plain
    yield f"top patches of a data set / bare forward passes, {name}", 1.1, patches / plain


PEAK = """
import resource, sys
import numpy as np
import vizlib
net, rng = vizlib.load("pocket"), np.random.default_rng(0)
data = (rng.normal(0, 50, (20, *net.size, 3)).astype("float32") for _ in range(int(sys.argv[1]) // 20))
vizlib.top_patches(net.model, data, net.stages[0], channels=range(16), k=9)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def memory():
    """Peak memory of mining ten times as many pictures."""
    few, many = (
        int(
            subprocess.run(
                [sys.executable, "-c", PEAK, n], capture_output=True, text=True, check=True
            ).stdout
        )
        for n in ("700", "7000")
    )
    yield "peak memory of mining 7000 / 700 pictures", 1.1, many / few


def covering(name, patch, stride, target):
    """A window of an occlusion against one of the full path; that is timed on 32 windows where all would take minutes."""
    net = vizlib.load(name, weights="random")
    x = np.random.default_rng(0).normal(0, 50, (32, *net.size, 3)).astype("float32")
    options = dict(patch=patch, stride=stride, fill=0.0)
    windows = vizlib.occlusion(net.model, x[:1], 0, **options).scores.size

    def full():
        if name == "pocket":
            return vizlib.occlusion(net.model, x[:1], 0, incremental=False, **options)
        return vizlib.logits(net.model, x)

    whole, quick = medians(
        full,
        lambda: vizlib.occlusion(net.model, x[:1], 0, **options),
        rounds=3 * ROUNDS if name == "pocket" else 1,
    )
    timed = windows if name == "pocket" else len(x)
    yield (
        f"occlusion ({patch}, {stride}) / full path, {name}",
        1 / target,
        (quick / windows) / (whole / timed),
    )


def lessons():
    """Every lesson from a cold kernel: seconds and peak memory."""
    for path in sorted(build.HERE.glob("[0-9][0-9]_*.ipynb")):
        seconds, megabytes = build.execute(nbformat.read(path, as_version=4), path.name)
        yield f"{path.name}, seconds", build.SECONDS.get(path.name[:2], 60), seconds
        yield f"{path.name}, gigabytes", 1.5, megabytes / 1000


if __name__ == "__main__":
    missed = 0
    print(f"{'measured':>9} {'target':>7}")
    parts = forward_pass, second_use, gradients, averages, to_a_layer, extracting
    rows = [part(name) for name in ("pocket", "vgg16") for part in parts]
    rows.append(memory())
    rows += [  # with windows of their own size for every position, arithmetic would allow 5.2, 6.5, 9.2 and 2.3 times
        covering(*row)
        for row in (
            ("pocket", 32, 8, 4.5),
            ("vgg16", 32, 8, 5),
            ("vgg16", 16, 4, 6.5),
            ("resnet50", 32, 8, 1.5),
        )
    ]
    for what, target, measured in chain(*rows, lessons()):
        missed += measured > target
        verdict = "met" if measured <= target else "MISSED"
        print(f"{measured:9.2f} {target:7.2f}  {verdict:6}  {what}", flush=True)
    sys.exit(missed > 0)

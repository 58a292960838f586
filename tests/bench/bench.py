"""Speed and memory, as ratios measured in one run (`make bench`).

Prints a table; exits with 1 if a target is missed. Never gates CI. A row is (what is compared,
target, measured); smaller is better.
"""

import gc
import os
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

from vizlib import barnyard

ROUNDS, SECONDS = 7, 4  # of a measurement, at the least
OVERHEAD = 1.15  # times the bare compiled pass


def medians(*calls, rounds=ROUNDS):
    """Median seconds of each call, in turns after one warm-up each: all see the same machine."""
    for call in calls:
        call()
    times = [[] for _ in calls]
    gc.disable()
    begun = time.perf_counter()
    while len(times[0]) < rounds or time.perf_counter() - begun < SECONDS:
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
    yield f"logits / bare forward pass, {name}", OVERHEAD, logits / plain
    yield f"activations of {net.stages[4]} / bare forward pass, {name}", OVERHEAD, maps / plain


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
    yield f"activations of 3 images in batches of 2 / of 2 images, {name}", 1.75, part / one


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
        yield (
            f"{method.__name__} / bare forward and backward pass, {name}",
            OVERHEAD,
            seconds / plain,
        )


def averages(name):
    """A sample of SmoothGrad and a step of integrated gradients against a pass in such a batch."""
    net, x = network(name)
    size, bare = len(x), passes(net.model)
    plain, *times = medians(
        lambda: bare(x),
        lambda: vizlib.smoothgrad(net.model, x[:1], 0, samples=4 * size, batch_size=size),
        lambda: vizlib.integrated_gradients(net.model, x[:1], 0, steps=4 * size, batch_size=size),
        rounds=5,
    )
    for method, seconds in zip(("smoothgrad", "integrated gradients"), times):
        yield f"{4 * size} samples of {method} / bare passes, {name}", OVERHEAD, seconds / 4 / plain


def ascending(name, side):
    """A step of ascent on a class against the bare compiled forward and backward pass."""
    net, steps = vizlib.load(name), 64  # of random weights units may be silent
    x, bare = np.zeros((1, side, side, 3), "float32"), passes(net.model)
    options = {"bounds": (net.low, net.high), "size": side, "steps": steps}
    plain, seconds = medians(
        lambda: [bare(x) for _ in range(steps)],
        lambda: vizlib.visualize(net.model, 0, **options),
        rounds=3,
    )
    yield f"a step of visualize / bare forward and backward pass, {name}", 1.4, seconds / plain


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
    yield f"grad_cam / bare passes down and back to its layer, {name}", OVERHEAD, found / plain


def extracting(name):
    """Feature vectors and best patches of a data set against the bare compiled forward passes."""
    net, x = network(name)
    forward, batches = bare(net.model), [x] * (4 if name == "pocket" else 2)
    plain, vectors, patches = medians(
        lambda: [forward(tf.constant(batch)).numpy() for batch in batches],
        lambda: vizlib.features(net.model, batches),
        lambda: vizlib.top_patches(net.model, batches, net.stages[4], channels=range(16), k=4),
    )
    yield f"features of a data set / bare forward passes, {name}", OVERHEAD, vectors / plain
    yield f"top patches of a data set / bare forward passes, {name}", OVERHEAD, patches / plain


PEAK = """
import resource, sys
import numpy as np
import vizlib
net, rng = vizlib.load("pocket"), np.random.default_rng(0)
batches = (rng.normal(0, 50, (20, *net.size, 3)).astype("float32") for _ in range({batches}))
vizlib.top_patches(net.model, batches, net.stages[0], channels=range(16), k=9)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""

SIZES = """
import statistics, time
import vizlib
import keras, numpy as np, psutil
net = keras.applications.MobileNetV2(weights=None, include_top=False, input_shape=(None, None, 3))

def seconds(side):
    since = time.perf_counter()
    vizlib.activations(net, np.zeros((1, side, side + 32, 3), "float32"), "block_6_expand_relu")
    return time.perf_counter() - since

def more(sides):  # what the first pass of a size takes beyond a warm one
    return statistics.median(seconds(s) - statistics.median(map(seconds, [s] * 5)) for s in sides)

seconds(170)
first = more(range(159, 79, -2))
before = psutil.Process().memory_info().rss
more(range(158, 78, -2))
print(1000 * first, (psutil.Process().memory_info().rss - before) / 40e6)
"""


def alone(script, **environment):
    """The numbers that a script prints in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return [float(number) for number in done.stdout.split()]


def memory():
    """Peak memory of mining ten times as many images."""
    (few,), (many,) = (alone(PEAK.format(batches=n)) for n in (35, 350))
    yield "peak memory of mining 7000 / 700 images", 1.1, many / few


def new_sizes():
    """What a size costs that a model of open size has not seen."""
    yield "a new size, milliseconds beyond a warm pass", 20, alone(SIZES)[0]
    # oneDNN keeps a megabyte of kernels for a size, whoever asks: memory is measured without it
    yield "a new size, megabytes", 0.1, alone(SIZES, TF_ENABLE_ONEDNN_OPTS="0")[1]


def covering(name, patch, stride, target):
    """A window of an occlusion against a whole pass, which is timed on 32 windows."""
    net = vizlib.load(name, weights="random")
    x = np.random.default_rng(0).normal(0, 50, (32, *net.size, 3)).astype("float32")
    options = dict(patch=patch, stride=stride, fill=0.0)
    windows = vizlib.occlusion(net.model, x[:1], 0, **options).scores.size
    whole, quick = medians(
        lambda: vizlib.logits(net.model, x),
        lambda: vizlib.occlusion(net.model, x[:1], 0, **options),
        rounds=3 if name in ("vgg16", "resnet50") else ROUNDS,
    )
    share = (quick / windows) / (whole / len(x))
    yield f"occlusion ({patch}, {stride}) / whole passes, {name}", 1 / target, share


def exactness(name):
    """Incremental occlusion gives the scores of whole passes."""
    net = vizlib.load(name)
    x = net.preprocess(barnyard.load(classes="hen", seeds=0, size=net.size).images)
    quick, whole = (
        vizlib.occlusion(net.model, x, patch=32, stride=8, incremental=i) for i in (True, False)
    )
    assert quick.path == "incremental" and whole.path == "full"
    off = np.abs(quick.scores - whole.scores).max() / np.ptp(whole.scores)
    yield f"difference of incremental occlusion / spread of scores, {name}", 1e-4, off


def lessons():
    """Every lesson from a cold kernel: seconds and peak memory."""
    for path in sorted(build.HERE.glob("[0-9][0-9]_*.ipynb")):
        seconds, megabytes = build.execute(nbformat.read(path, as_version=4), path)
        yield f"{path.name}, seconds", build.SECONDS.get(build.key(path), 60), seconds
        yield f"{path.name}, gigabytes", 1.4, megabytes / 1000


if __name__ == "__main__":
    missed = 0
    print(f"{'measured':>9} {'target':>7}")
    parts = forward_pass, second_use, gradients, averages, to_a_layer, extracting
    rows = [part(name) for name in ("pocket", "vgg16") for part in parts]
    rows += [ascending("pocket", 192), ascending("squeezenet", 224)]
    rows += [memory(), new_sizes()]
    rows += [exactness(name) for name in ("pocket", "squeezenet")]
    rows += [
        covering(*row)
        for row in (
            ("pocket", 32, 8, 3.5),
            ("squeezenet", 32, 8, 2.5),
            ("vgg16", 32, 8, 5),
            ("vgg16", 16, 4, 7),
            ("resnet50", 32, 8, 1.5),
        )
    ]
    for what, target, measured in chain(*rows, lessons()):
        missed += bool(measured > target)
        verdict = "met" if measured <= target else "MISSED"
        print(f"{measured:9.3g} {target:7.3g}  {verdict:6}  {what}", flush=True)
    sys.exit(missed > 0)

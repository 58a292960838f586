"""Other libraries beside vizlib (`make peers`): two tables, also in build/peers.md. Never gates CI.

One: the same VGG-16 and picture, every library called as its documentation does, at its defaults.
Time is a ratio to vizlib's, the median of alternating calls after a warm-up; memory is how far the
first call raises the peak of a process that has only built the model (Linux); agreement is
Pearson's correlation with vizlib's map. Two: Keras models of seven shapes; is a library's map the
one made by hand? Every library and method has a process of its own: one that dies ends no other.
"""

import ctypes
import multiprocessing
import os
import statistics
import sys
import time
import warnings
from datetime import date
from functools import partial
from importlib.metadata import version
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]
PEERS = ("tf-keras-vis", "tf-explain", "xplique", "captum", "pytorch-grad-cam")
METHODS = ("saliency", "guided backprop", "Grad-CAM", "SmoothGrad", "occlusion")
SLOW = ("SmoothGrad", "occlusion")
LACKS = {
    "tf-keras-vis": ("occlusion",), "tf-explain": ("guided backprop",),
    "pytorch-grad-cam": ("saliency", "SmoothGrad", "occlusion"),
}  # fmt: skip
SHAPES = {  # to read, and in tests/shapes.py
    "functional": "fused", "functional, ReLU layers": "relu_layers",
    "Sequential, Softmax layer": "sequential", "nested MobileNetV2": None,
    "subclassed": "subclassed", "linear head": "linear_head", "one sigmoid": "sigmoid_one",
}  # fmt: skip
SAMPLES, NOISE, PATCH, SIZE = 20, 0.15, 32, 224
PATIENCE = 1800  # seconds for one answer


# ---- what each library is asked: a call that returns its map -------------------------------------


def of_vizlib(method, model, x, target, layer, seed=0):
    import vizlib as v

    noise = dict(samples=SAMPLES, noise=NOISE, seed=seed)
    patch = dict(patch=PATCH, stride=PATCH, fill=0.0, score="logit")
    return {
        "saliency": lambda: v.saliency(model, x, target),
        "guided backprop": lambda: v.guided_backprop(model, x, target),
        "Grad-CAM": lambda: v.upsample(v.grad_cam(model, x, target, layer=layer), x.shape[1:3]),
        "SmoothGrad": lambda: v.smoothgrad(model, x, target, **noise),
        "occlusion": lambda: v.occlusion(model, x, target, **patch).heatmap(),
    }[method]


def of_tf_keras_vis(method, model, x, target, layer):
    import keras
    from tf_keras_vis.gradcam import Gradcam
    from tf_keras_vis.saliency import Saliency
    from tf_keras_vis.utils.model_modifiers import GuidedBackpropagation
    from tf_keras_vis.utils.scores import CategoricalScore

    def to_linear(clone):  # as in its examples; its ReplaceToLinear raises for Sequential
        clone.layers[-1].activation = keras.activations.linear

    modifiers = [GuidedBackpropagation()] if method == "guided backprop" else []
    modifiers += [] if model.name == "vgg16" else [to_linear]
    explain = (Gradcam if method == "Grad-CAM" else Saliency)(model, modifiers or None)
    options = {
        "Grad-CAM": dict(penultimate_layer=layer, seek_penultimate_conv_layer=False),
        "SmoothGrad": dict(smooth_samples=SAMPLES, smooth_noise=NOISE),
    }.get(method, {})
    return lambda: explain(CategoricalScore([target]), x, **options)


def of_tf_explain(method, model, x, target, layer):
    import keras
    from tf_explain import core

    if method == "SmoothGrad":  # it differentiates the cross-entropy of probabilities
        model = keras.Model(model.input, keras.layers.Softmax()(model.output))
    asked, noise = ((x, None), model, target), NOISE * np.ptp(x)
    patch = model, x[0], target, PATCH  # for the numbers that explain() colours
    heat = dict(use_guided_grads=False, image_weight=0.0)  # its default gates the gradients
    return {
        "saliency": lambda: core.VanillaGradients().explain(*asked),
        "Grad-CAM": lambda: core.GradCAM().explain(*asked, layer, **heat),
        "SmoothGrad": lambda: core.SmoothGrad().explain(*asked, SAMPLES, noise),
        "occlusion": lambda: core.OcclusionSensitivity().get_sensitivity_map(*patch),
    }[method]


def of_xplique(method, model, x, target, layer):
    from xplique import attributions

    # "It is recommended to use the layer before Softmax", its documentation says
    logits = dict(output_layer=-2) if type(model.layers[-1]).__name__ == "Softmax" else {}
    noise = dict(nb_samples=SAMPLES, noise=float(NOISE * np.ptp(x)), reducer=None)
    patch = dict(patch_size=PATCH, patch_stride=PATCH)
    name, options = {
        "saliency": ("Saliency", logits),
        "guided backprop": ("GuidedBackprop", dict(reducer=None)),
        "Grad-CAM": ("GradCAM", dict(conv_layer=layer, **logits)),
        "SmoothGrad": ("SmoothGrad", noise),
        "occlusion": ("Occlusion", patch),
    }[method]
    explain = getattr(attributions, name)(model, **options)
    one_hot = np.eye(model.weights[-1].shape[0], dtype="float32")[[target]]
    return lambda: explain(x, one_hot).numpy()


def of_captum(method, model, x, target, layer):
    from captum import attr

    noise = dict(nt_samples=SAMPLES, stdevs=float(NOISE * (x.max() - x.min())), abs=False)
    window = dict(sliding_window_shapes=(3, PATCH, PATCH), strides=(3, PATCH, PATCH))
    explain, options = {
        "saliency": (attr.Saliency(model), {}),
        "guided backprop": (attr.GuidedBackprop(model), {}),
        "Grad-CAM": (attr.LayerGradCam(model, layer), dict(relu_attributions=True)),
        "SmoothGrad": (attr.NoiseTunnel(attr.Saliency(model)), noise),
        "occlusion": (attr.Occlusion(model), window),
    }[method]

    def call():
        found = explain.attribute(x, target=target, **options)
        if method == "Grad-CAM":
            found = attr.LayerAttribution.interpolate(found, (SIZE, SIZE), "bilinear")
        return found.detach().numpy().transpose(0, 2, 3, 1)

    return call


def of_grad_cam(method, model, x, target, layer):
    from pytorch_grad_cam import GradCAM, GuidedBackpropReLUModel
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    if method == "Grad-CAM":
        cam = GradCAM(model, [layer])
        return lambda: cam(x, [ClassifierOutputTarget(target)])
    guided = GuidedBackpropReLUModel(model)
    return lambda: guided(x.clone(), target)  # it adds to what x.grad holds


def of_tensorflow(method, model, x, target, layer):
    """The bare compiled forward and backward pass."""
    import tensorflow as tf

    @tf.function(input_signature=[tf.TensorSpec((None, SIZE, SIZE, 3))])
    def passes(x):
        return tf.gradients(tf.reduce_sum(model(x, training=False)[:, target]), x)[0]

    return lambda: passes(tf.constant(x)).numpy()


def of_torch(method, model, x, target, layer):
    """The bare forward and backward pass."""
    import torch

    x = x.clone().requires_grad_()
    return lambda: torch.autograd.grad(model(x)[0, target], x)[0].numpy().transpose(0, 2, 3, 1)


LIBRARIES = {
    "vizlib": of_vizlib, "another draw": partial(of_vizlib, seed=1), "TensorFlow": of_tensorflow,
    "tf-keras-vis": of_tf_keras_vis, "tf-explain": of_tf_explain, "xplique": of_xplique,
    "PyTorch": of_torch, "captum": of_captum, "pytorch-grad-cam": of_grad_cam,
}  # fmt: skip


# ---- the same VGG-16 in Keras and in PyTorch, and a picture --------------------------------------


def weights():
    """Kernel and bias of every layer for Keras, after He et al. 2015 (arXiv 1502.01852).

    The last kernel is 64 times smaller: logits of some 1 or 2, which a softmax does not saturate.
    """
    rng, widths = np.random.default_rng(0), (3, 64, 64, 128, 128, *[256] * 3, *[512] * 6)
    shapes = [(3, 3, *pair) for pair in zip(widths, widths[1:])]
    for shape in (*shapes, (7 * 7 * 512, 4096), (4096, 4096), (4096, 1000)):
        kernel = rng.standard_normal(shape, "float32")
        kernel *= (2 / np.prod(shape[:-1])) ** 0.5 / (64 if shape[-1] == 1000 else 1)
        yield kernel, 0.01 * rng.standard_normal(shape[-1], "float32")


def in_keras():
    """(model, x, the last map's layer, a function that gives the logits)"""
    import keras

    model, x = keras.applications.VGG16(weights=None, classifier_activation=None), picture()
    model.set_weights([array for pair in weights() for array in pair])
    return model, x, "block5_conv3", lambda: np.asarray(model(x, training=False))


def in_torch():
    """The same for PyTorch, which flattens channels first and Keras last."""
    import torch
    from torchvision.models import vgg16

    model = vgg16(weights=None).eval()
    model.requires_grad_(False)
    parameters = model.parameters()
    for kernel, bias in weights():
        if len(kernel) == 7 * 7 * 512:
            kernel = kernel.reshape(7, 7, 512, -1).transpose(2, 0, 1, 3).reshape(kernel.shape)
        kernel = kernel.transpose(3, 2, 0, 1) if kernel.ndim == 4 else kernel.T
        next(parameters).copy_(torch.from_numpy(np.ascontiguousarray(kernel)))
        next(parameters).copy_(torch.from_numpy(bias))
    model.requires_grad_(True)  # as users have it
    for module in model.modules():
        module.inplace = False  # hooks need it
    x = torch.from_numpy(np.ascontiguousarray(picture().transpose(0, 3, 1, 2)))
    return model, x, model.features[29], lambda: model(x).detach().numpy()


def picture():
    """A Labrador as Keras's VGG-16 takes it: BGR minus ImageNet's mean."""
    from PIL import Image

    with Image.open(ROOT / "data/barnyard/gallery/labrador/labrador_00000.jpg") as image:
        rgb = np.asarray(image.resize((SIZE, SIZE)), "float32")
    return rgb[None, ..., ::-1] - np.array([103.939, 116.779, 123.68], "float32")


def flat(found, patch=1):
    """What is compared, (H, W): the largest absolute channel, or the mean of each patch."""
    found = np.asarray(found)
    found = found[0] if len(found) == 1 else found
    if found.dtype == np.uint8 and found.ndim == 3:  # the numbers behind tf-explain's colours
        import cv2

        colours = cv2.applyColorMap(np.arange(256, dtype="uint8")[:, None], cv2.COLORMAP_VIRIDIS)
        found = np.abs(found[..., None, ::-1] - colours[:, 0].astype(int)).sum(-1).argmin(-1)
    if found.ndim == 3:  # a drop of the score has a sign, and is the same in all channels
        found = np.abs(found).max(-1) if patch == 1 else found.mean(-1)
    h, w = found.shape
    return found.reshape(h // patch, patch, w // patch, patch).mean((1, 3), "float64")


def agreement(a, b):
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])


# ---- seven shapes of a Keras model ---------------------------------------------------------------


def build(shape):
    """(model, x, the last map's layer)"""
    import keras

    sys.path.insert(0, str(ROOT / "tests"))
    import shapes

    if SHAPES[shape]:
        model, _, x, layer = shapes.build(getattr(shapes, SHAPES[shape]))
        return model, x[:1], layer
    keras.utils.set_random_seed(0)
    x = np.random.default_rng(1).normal(0, 1, (1, 160, 160, 3)).astype("float32")
    backbone = keras.applications.MobileNetV2(
        x.shape[1:], 0.35, include_top=False, weights=None, name="backbone"
    )
    for layer in backbone.layers:
        layer.momentum = 0.0  # batch normalisation takes the statistics of this picture
    backbone(x, training=True)
    inputs = keras.Input(x.shape[1:])
    pooled = keras.layers.GlobalAveragePooling2D()(backbone(inputs))
    outputs = keras.layers.Dense(5, "softmax")(pooled)
    return keras.Model(inputs, outputs, name="nested"), x, "out_relu"


def by_hand(model, x, target):
    """Grad-CAM before its ReLU (h, w) and gradient (H, W, C), of the logit and the probability."""
    import tensorflow as tf

    x, w = tf.constant(x), model.get_weights()
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        if model.name == "nested":
            maps = model.get_layer("backbone")(x, training=False)
            hidden = tf.reduce_mean(maps, (1, 2))
        else:
            y = tf.nn.relu(tf.nn.conv2d(x, w[0], 1, "SAME") + w[1])
            y = tf.nn.max_pool2d(y, 2, 2, "VALID")
            maps = tf.nn.relu(tf.nn.conv2d(y, w[2], 1, "SAME") + w[3])
            hidden = tf.nn.relu(tf.reshape(maps, (1, -1)) @ w[4] + w[5])
        logits = hidden @ w[-2] + w[-1]
        squashed = tf.sigmoid(logits) if logits.shape[-1] == 1 else tf.nn.softmax(logits)
        scores = logits[0, target], squashed[0, target]
    for score in scores:
        alpha = tf.reduce_mean(tape.gradient(score, maps), (1, 2), keepdims=True)
        yield tf.reduce_sum(alpha * maps, -1)[0].numpy(), tape.gradient(score, x)[0].numpy()


# ---- processes -----------------------------------------------------------------------------------


def measure(pipe, library, method, target):
    """Sends logits, growth at the first call, and its map; then seconds whenever it is asked."""

    def megabytes(field):
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1024

    torch = library in ("captum", "pytorch-grad-cam", "PyTorch")
    model, x, layer, logits = in_torch() if torch else in_keras()
    ctypes.CDLL(None).malloc_trim(0)  # what building left is no room for the call
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins here
    before = megabytes("VmRSS")
    call = LIBRARIES[library](method, model, x, target, layer)
    found = call()
    growth = megabytes("VmHWM") - before
    pipe.send((logits(), growth, flat(found, PATCH if method == "occlusion" else 1)))
    while pipe.recv():
        since = time.perf_counter()
        call()
        pipe.send(time.perf_counter() - since)


def judge(pipe, library, method, shape):
    """Sends agreement with the map of the logit, and with that of the probability.

    What a library may define for itself is right: Grad-CAM without its ReLU, three ways of
    enlarging it, saliency as the largest or the mean absolute channel.
    """
    import tensorflow as tf
    from scipy import ndimage

    model, x, layer = build(shape)
    classes = model.weights[-1].shape[0]
    target = int(library == "vizlib" or classes > 1)  # the only unit: vizlib's class 1
    found = flat(LIBRARIES[library](method, model, x, target, layer)())
    enlarge = (
        lambda m: tf.image.resize(m[..., None], found.shape, "bilinear").numpy(),
        lambda m: tf.image.resize(m[..., None], found.shape, "bicubic").numpy(),
        lambda m: ndimage.zoom(m, len(found) / len(m), order=1),  # corner upon corner
    )
    best = []
    for cam, gradient in by_hand(model, x, int(classes > 1)):
        fair = [np.abs(gradient).max(-1), np.abs(gradient).mean(-1)]
        if method == "Grad-CAM":
            fair = [larger(m) for m in (np.maximum(cam, 0), cam) for larger in enlarge]
        best.append(np.nanmax([agreement(found, m) for m in fair]))
    pipe.send(best)


def child(work, pipe, *arguments):
    warnings.simplefilter("ignore")
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
    try:
        work(pipe, *arguments)
    except Exception as error:
        pipe.send(f"{type(error).__name__}: {(str(error).strip().splitlines() or [''])[0]}")


def start(work, *arguments):
    """A pipe to a new process, which ends when the pipe is let go."""
    context = multiprocessing.get_context("spawn")
    pipe, other = context.Pipe()
    context.Process(target=child, args=(work, other, *arguments), daemon=True).start()
    other.close()
    return pipe


def answer(pipe):
    """What a process sends; a string is an error."""
    try:
        found = pipe.recv() if pipe.poll(PATIENCE) else f"no answer in {PATIENCE} s"
    except EOFError:
        found = "its process died"
    if isinstance(found, str):
        raise RuntimeError(found)
    return found


# ---- the two tables ------------------------------------------------------------------------------


def first_table(notes):
    bare = start(measure, "TensorFlow", "saliency", 0)
    logits, *_ = answer(bare)

    def beside(other, library, method):
        """(its pipe, its time as a ratio to another process's, growth, map)"""
        pipe = start(measure, library, method, int(logits.argmax()))
        same, growth, found = answer(pipe)
        if not np.abs(same - logits).max() < 1e-3 * np.abs(logits).max():
            raise RuntimeError("other logits than those of TensorFlow's bare pass")
        ratios = []
        for _ in range(3 if method in SLOW else 15):
            pipe.send(True)
            own = answer(pipe)
            other.send(True)
            ratios.append(own / answer(other))
        return pipe, statistics.median(ratios), growth, found

    pipe, ratio, *_ = beside(bare, "PyTorch", "saliency")
    pipe.close()
    notes.append(f"PyTorch's bare pass takes {ratio:.2f} of the time of TensorFlow's.")
    rows = {name: [name] for name in ("vizlib", *PEERS)}
    for method in METHODS:
        ours, ratio, growth, reference = beside(bare, "vizlib", method)
        rows["vizlib"].append(f"{ratio:.2f} passes, {growth:.0f} MB")
        for library in PEERS:
            cell = "–"
            if method not in LACKS.get(library, ()):
                try:
                    pipe, ratio, growth, found = beside(ours, library, method)
                    pipe.close()
                    cell = f"{ratio:.2f} ×, {growth:.0f} MB, {agreement(found, reference):.3f}"
                except RuntimeError as why:
                    cell = "not"
                    notes.append(f"{library}, {method}: {why}")
            rows[library].append(cell)
            print(method, library, cell, sep=" | ", file=sys.stderr, flush=True)
        if method == "SmoothGrad":
            again = agreement(beside(bare, "another draw", method)[-1], reference)
            notes.append(f"vizlib's SmoothGrad agrees with its own of other noise by {again:.3f}.")
        ours.close()
    return markdown(["", *METHODS], rows.values())


def second_table(notes):
    libraries, rows = ("vizlib", *PEERS[:3]), []
    for shape in SHAPES:
        rows.append([shape])
        for library in libraries:
            words = []
            for method in ("Grad-CAM", "saliency"):
                try:
                    right, likely = answer(start(judge, library, method, shape))
                    word = "probability" if likely >= 0.99 else "wrong"
                    words.append("right" if right >= 0.99 else word)
                except RuntimeError as why:
                    words.append("not")
                    notes.append(f"{library}, {method}, {shape}: {why}")
            rows[-1].append(" / ".join(words))
            print(shape, library, *words, sep=" | ", file=sys.stderr, flush=True)
    return markdown(["Grad-CAM / saliency", *libraries], rows)


def markdown(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    notes = []
    versions = (
        f"{name} {version(name.removeprefix('pytorch-'))}"
        for name in ("tensorflow", "keras", "torch", *PEERS)
    )
    head = f"{date.today()}, {os.cpu_count()} cores, {', '.join(versions)}"
    parts = [head, first_table(notes), second_table(notes), "\n".join(f"- {n}" for n in notes)]
    text = "\n\n".join(parts) + "\n"
    (ROOT / "build").mkdir(exist_ok=True)
    (ROOT / "build/peers.md").write_text(text)
    print(text)

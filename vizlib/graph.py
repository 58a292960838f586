"""For a moment: the old names of the engine."""

import numpy as np
import tensorflow as tf

from . import engine
from .engine import (  # noqa: F401
    RULES, Implied, bar, canvas, check_count, check_images, cover, compiled, logits, probabilities,
)  # fmt: skip
from .engine import cached as kept  # noqa: F401
from .engine import resolve as wanted  # noqa: F401

BELOW, LAST, POOLED = Implied.PENULTIMATE, Implied.LAST_MAP, Implied.POOLED_MAP
LOG_ODDS = object()
_trace = compiled


def stream(model, data, **how):
    return (images for images, _ in engine.stream(model, data, **how))


def forward(model, images, layer=None, *, batch_size=32):
    if layer is not None:
        return [engine.forward(model, images, layer, batch_size=batch_size)]
    return [
        engine.forward(model, images, score=s, batch_size=batch_size)
        for s in ("logit", "probability")
    ]


def backward(model, images, target=None, *, score="logit", **how):
    odds = score is LOG_ODDS
    return engine.backward(
        model, images, target, score="logit" if odds else score, log_odds=odds, **how
    )


def score(logits, probabilities, target, score="logit"):
    said = probabilities if score == "probability" and not callable(target) else logits
    return engine.pick(said, target, score)


def classes(logits, target=None):
    target = engine.check_target(target, logits.shape[1:], len(logits))
    largest = logits.argmax(1) if logits.shape[1] > 1 else logits[:, 0] > 0
    return np.where(target < 0, largest, target).astype("int32")


def _head(x):
    output = engine.head.read(None, tf.compat.v1.get_default_graph().inputs[0], x)
    return output.logits, engine.head.values(None, output, "probability")

"""The three rules by which a signal comes back through a ReLU, and where they are defined."""

import contextlib

import tensorflow as tf

from .._checks import quoted
from .walk import between, layer_of
from .windows import GATES, LINEAR, LINEAR_IN_ONE, axes


def true_gradient(op, dy):
    """A ReLU's gradient, in one operation: products with a gate would take a third of a pass."""
    if op.type == "LeakyRelu":
        return tf.raw_ops.LeakyReluGrad(
            gradients=dy, features=op.inputs[0], alpha=op.get_attr("alpha")
        )
    gradient = tf.raw_ops.Relu6Grad if op.type == "Relu6" else tf.raw_ops.ReluGrad
    return gradient(gradients=dy, features=op.outputs[0])


RULES = {
    "plain": None,
    "guided": lambda op, dy: true_gradient(op, tf.nn.relu(dy)),  # Springenberg et al. 2015, fig. 1
    "deconvnet": lambda op, dy: tf.nn.relu(dy),  # Zeiler and Fergus 2014, section 2.1
}

for _rule in ("guided", "deconvnet"):
    with contextlib.suppress(KeyError):  # registered already: the module was reloaded
        tf.RegisterGradient(f"vizlib_{_rule}")(RULES[_rule])


def keep_slope(op):
    """Keep TensorFlow from fusing a LeakyReLU with a convolution and an addition before it.

    It forgets the slope then. What waits for another operation is not fused.
    """
    if op.type == "LeakyRelu":
        op._add_control_input(op.graph.inputs[0].op)


def check_rule(rule):
    if not isinstance(rule, str) or rule not in RULES:
        raise ValueError(f"relu is one of {', '.join(map(repr, RULES))}, not {quoted(rule)}.")


def ruled(rule):
    """Within, ReLUs that are traced get this rule for a gradient."""
    override = {} if rule == "plain" else dict.fromkeys(GATES, f"vizlib_{rule}")
    return tf.compat.v1.get_default_graph().gradient_override_map(override)


def check_defined(rule, source, target, model):
    """Raise unless ReLUs stand only between linear operations, and at least one does."""
    ops, depends = between(source, target)
    strange = []
    for op in ops:
        inputs = [t.ref() in depends for t in op.inputs]
        linear_in_one = (
            op.type in LINEAR_IN_ONE
            and sum(inputs) == 1
            and not (op.type == "RealDiv" and inputs[1])
        )
        # The largest of a map is a pooling; the largest of several maps or channels is not.
        pooled = op.type != "Max" or set(axes(op) or ()) == {1, 2}
        if not ((op.type in LINEAR and pooled) or op.type in GATES or linear_in_one):
            strange.append(f"{layer_of(op, model)} ({op.type})")
    if strange:
        raise ValueError(
            f"The {rule} rule is defined for networks of linear layers and ReLUs; it is not for "
            f"{', '.join(sorted(set(strange))[:5])}. Use the plain gradient."
        )
    if not any(op.type in GATES for op in ops):
        raise ValueError(
            f"The {rule} rule would change nothing: there is no ReLU between the images and the "
            "score. Use the plain gradient."
        )

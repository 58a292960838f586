"""Images that a network would like to see: ascent on a score, from noise or from images."""

import numpy as np

from . import engine, keras_internals
from ._checks import as_numbers, check_size, check_whole
from .types import Images, LayerLike, Score, Size, Target, Unit

# Grey, red against blue, green against magenta, of RGB as of BGR; and how strong each may become:
# twice the share, or so, that they have in photographs.
OPPONENT = np.array([[1, 1, 1], [1, 0, -1], [1, -2, 1]]) / np.sqrt([[3], [2], [6]])
COLOURS = (1, 0.15, 0.06)


def visualize(
    model,
    target: Target = None,
    *,
    layer: LayerLike | None = None,
    unit: Unit | None = None,
    bounds: tuple,
    size: Size | None = None,
    start: Images | None = None,
    steps: int = 64,
    step: float = 0.12,
    power: float = 0.75,
    shift: float = 16,
    turn: float = 10,
    zoom: float = 1.4,
    score: Score | None = None,
    seed: int = 0,
    batch_size: int = 32,
    progress: bool = False,
) -> Images:
    """Images that raise a class, a unit, or any function of a layer: what would it like to see?

    An image is low + (high - low) * sigmoid(z), so it is legal whatever z is. At each step it is
    moved at random, and z follows the gradient, moved back and weighted: coarse and grey parts are
    made strong, fine and colourful ones weak, as they are in photographs. Where the gradient is
    zero, of a silent unit, the rule of `deconvnet` takes its place.

    Parameters
    ----------
    model : keras.Model
    target : int, (N,) ints or callable
        The class; or a function from logits (N, K), or with `layer` from its output (N, ...), to
        what is to rise, (N,), in TensorFlow.
    layer, unit : str, int or (row, column, channel)
        Instead of a class, a unit of this layer; an int is a channel, taken where it is largest.
    bounds : (low, high), each a number or (C,)
        Of a legal image: ``(net.low, net.high)``.
    size : int or (height, width), optional
        Default: the model's. Not used where there is a start. Sides of small factors are quicker:
        224, not 227, which is prime.
    start : array, (N, H, W, C), in model-input space
        Where ascent begins. Default: one image of faint noise.
    steps : int
    step : float
        Root mean square of the first step of z; the others shrink evenly to nothing.
    power : float
        The amplitude of frequency f is weighted by f ** (-2 * power): 0 not at all, 0.5 sharp and
        busy, 1 soft.
    shift, turn, zoom : float
        The moves: up to so many pixels each way, so many degrees to either side, so many times
        larger or smaller; 0, 0 and 1 for none.
    score : {"logit", "probability", "output"}, optional
        Of a class. Default: its log-odds, log(p / (1 - p)), which fall when other classes rise.
    seed : int
        Of noise and moves, which are the same for every image.
    batch_size : int
    progress : bool

    Returns
    -------
    ndarray, (N, H, W, C), in model-input space
        Legal images, N = 1 without a start. Between kinds of processors they differ visibly.

    Raises
    ------
    ValueError
        A model that takes no images, or images of any size and no size is given.
    ValueError
        Neither a target nor a unit; an unknown layer, class or unit; a model without such a score.
    ValueError
        Bounds that are no pair of numbers or colours, or that the start exceeds.
    ValueError
        Steps or a seed that are no whole numbers; a step, power or move out of its range.
    ValueError
        No gradient to the pixels, as of a unit that nothing moves.

    References
    ----------
    Simonyan, Vedaldi, Zisserman 2014 (arXiv 1312.6034), section 2. Moves and weights: Olah,
    Mordvintsev, Schubert 2017, "Feature Visualization" (Distill, DOI 10.23915/distill.00007).

    Examples
    --------
    What a linear class would like to see is its weights.

    >>> import keras, numpy as np, vizlib
    >>> model = keras.Sequential([keras.Input((1, 4, 1)), keras.layers.Flatten(),
    ...                           keras.layers.Dense(1, "sigmoid")])
    >>> model.set_weights([np.array([[1], [-1], [-1], [1]]), np.zeros(1)])
    >>> still = dict(shift=0, turn=0, zoom=1)
    >>> x = vizlib.visualize(model, 1, bounds=(0, 255), power=0, step=1, **still)
    >>> x.round().ravel()
    array([255.,   0.,   0., 255.], dtype=float32)
    """
    import cv2
    from scipy.special import expit, logit

    engine.check_count(steps, "steps")
    check_whole(seed, "seed")
    given = as_numbers([step, power, shift, turn, zoom], "step, power, shift, turn and zoom")
    if not 0 <= given.min() <= given.max() <= 1000 or power > 2 or zoom < 1:
        raise ValueError(
            "step, shift and turn are numbers from 0 to 1000, power from 0 to 2, zoom from 1 to "
            f"1000, not {', '.join(map(str, (step, shift, turn, power, zoom)))}."
        )
    if target is None and unit is None:
        raise ValueError("Name what to look for: a target, or a layer and a unit of it.")
    x = engine.check_images(model, _blank(model, size) if start is None else start)
    low, high = engine.check_bounds(bounds, x.shape[1:], None if start is None else x)
    log_odds = score is None and unit is None and not callable(target)
    asked = {"target": target, "layer": layer, "unit": unit, "batch_size": batch_size}
    asked |= {"score": score or "logit", "log_odds": log_odds}
    rng, (h, w) = np.random.default_rng(seed), x.shape[1:3]
    low, span = low.copy(), high - low  # whole images: a colour takes four times as long to add
    noise = rng.normal(size=(1, *x.shape[1:])).astype("float32")
    z: np.ndarray = 0.1 * _weighted(noise, _weights(h, w, 0.5))
    if start is not None:
        z = logit(((x - low) / (span + 1e-12)).clip(0.02, 0.98))
    weights, awake = _weights(h, w, power), False
    for k in engine.bar(range(steps), progress):
        s = expit(z)
        m = cv2.getRotationMatrix2D(
            ((w - 1) / 2, (h - 1) / 2), rng.uniform(-turn, turn), zoom ** rng.uniform(-1, 1)
        )
        m[:, 2] = m[:, 2] + rng.uniform(-shift, shift, 2)
        moved = _warp(low + span * s, m, borderMode=cv2.BORDER_REFLECT)
        (g,) = engine.backward(model, moved, **asked)
        awake = awake | g.any((1, 2, 3), keepdims=True)
        if not awake.all():  # closed ReLUs: let the gradient pass them until they open
            g = np.where(awake, g, _woken(model, moved, asked))
        g = _warp(g, m, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
        z += step * (1 - k / steps) * _weighted(g * span * s * (1 - s), weights)
    if not awake.all():
        raise ValueError(SILENT)
    return low + span * expit(z)


SILENT = (
    "What is asked for has no gradient to the pixels, and no step woke it: look for another class "
    "or unit, or give a start that excites it."
)


def _woken(model, images, asked):
    """What comes back where closed ReLUs let it pass."""
    try:
        return engine.backward(model, images, relu="deconvnet", **asked)[0]
    except ValueError as error:  # no network of ReLUs
        raise ValueError(SILENT) from error


def _blank(model, size):
    """An image of the model's size, or of the one that is named."""
    engine.check_takes_images(model)
    shape = engine.input_shape(model) or (None, None, None, keras_internals.channels(model))
    sides = shape[1:3] if size is None else check_size(size, "size")
    if None in sides:
        raise ValueError(f"{model.name!r} takes images of any size: say which, as in size=224.")
    return np.zeros((1, *sides, shape[3] or 3), "float32")


def _warp(images, matrix, **options):
    """Images (N, H, W, C), each turned, zoomed and shifted."""
    import cv2

    size = images.shape[2:0:-1]
    moved = [cv2.warpAffine(image, matrix, size, **options) for image in images]
    return np.reshape(moved, images.shape)


def _weights(h, w, power):
    """(h, w // 2 + 1, 1): f ** (-2 * power) of each frequency, the mean's as the lowest's."""
    f = np.hypot(np.fft.fftfreq(h)[:, None], np.fft.rfftfreq(w)).clip(1 / max(h, w))
    return (f ** (-2 * power)).astype("float32")[..., None]


def _weighted(g, weights):
    """(N, H, W, C), each of mean square 1: frequencies weighted, and of RGB or BGR the colours."""
    from scipy import fft

    g = fft.irfft2(fft.rfft2(g, axes=(1, 2)) * weights, g.shape[1:3], axes=(1, 2))
    if g.shape[3] == 3:
        g = g @ (OPPONENT.T * COLOURS @ OPPONENT).astype("float32")
    return g / (np.sqrt((g**2).mean((1, 2, 3), keepdims=True)) + np.float32(1e-12))

"""Which pixels matter: gradients of a score."""

from .graph import backward


def gradient(model, images, target=None, *, relu="plain", layer=None, unit=None, score="logit", batch_size=32):
    """The gradient of a class score, or of one unit's activation, with respect to the pixels.

    Parameters
    ----------
    model : keras.Model
    images : array, (N, H, W, C), in model-input space
    target : None, int, (N,) ints or callable
        The class (None: each picture's arg-max), or a function from logits (N, K) to scores (N,).
    relu : {"plain", "guided", "deconvnet"}
        What a ReLU does to the signal on its way back; only "plain" gives a gradient in the sense of calculus.
    layer, unit : str, int or (row, column, channel)
        Instead of a class, a unit of this layer; an int is a channel, taken where it is largest in each picture.
    score : {"logit", "probability"}
    batch_size : int

    Returns
    -------
    ndarray, (N, H, W, C)
        Signed, in units of the score per unit of model input, in the model's channel order.

    Raises
    ------
    ValueError
        Bad pictures, unknown layer, class or unit, or a network for which the ReLU rule is not defined.

    References
    ----------
    Simonyan, Vedaldi, Zisserman 2014 (arXiv 1312.6034), section 3.
    """
    return backward(model, images, target, relu=relu, layer=layer, unit=unit, score=score, batch_size=batch_size)[0]

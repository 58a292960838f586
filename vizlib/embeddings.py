"""Images as points: feature vectors, who is near whom, and two ways to see them in a plane."""

import numpy as np

from . import engine
from ._checks import as_numbers, check_whole, quoted
from .types import Data, LayerLike


def features(
    model,
    data: Data,
    layer: LayerLike | None = None,
    *,
    labels: bool = False,
    batch_size: int = 32,
    progress: bool = False,
) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
    """A vector for each image: what a layer makes of it.

    Parameters
    ----------
    model : keras.Model
    data : array (N, H, W, C), or batches of images (n, H, W, C), in model-input space
        Batches come from a `tf.data.Dataset`, a `PyDataset` or any iterable, alone or each with
        labels; they are read once, in order, and may be more than memory holds. Where the model
        takes images of any size, batches may differ in size.
    layer : str or keras.Layer, optional
        Default: the penultimate layer, what the classifier takes. A feature map is averaged over
        its positions.
    labels : bool
        Give back the labels that come with the images, too: those of a shuffled dataset are another
        order in a second pass.
    batch_size : int
        Images at a time.
    progress : bool

    Returns
    -------
    ndarray, (N, D); with `labels` a pair of it and an ndarray, (N, ...)

    Raises
    ------
    ValueError
        Bad or no images; data that never end; labels asked for that are not there; no such layer,
        or none named where there is no classifier.

    Examples
    --------
    >>> import keras, numpy as np, vizlib
    >>> model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3),
    ...                           keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(2)])
    >>> vizlib.features(model, np.ones((5, 8, 8, 3))).shape
    (5, 4)
    """
    vectors, answers = [], []
    for images, y in engine.stream(model, data, batch_size=batch_size, progress=progress):
        if labels and y is None:
            raise ValueError("The data holds images without labels: leave out labels=True.")
        maps = engine.forward(
            model,
            images,
            engine.Implied.PENULTIMATE if layer is None else layer,
            batch_size=batch_size,
        )
        engine.check_no_nan(model, maps)
        vectors.append(maps.mean(tuple(range(1, maps.ndim - 1))))
        answers.append(y)
    vectors = np.concatenate(vectors)
    return (vectors, np.concatenate(answers)) if labels else vectors


def neighbours(x: np.ndarray, query: np.ndarray, k: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """The k points nearest to each query, by Euclidean distance; of equally near ones the first.

    Parameters
    ----------
    x : array, (N, D)
    query : array, (M, D)
        A query that is itself one of the points finds itself first.
    k : int

    Returns
    -------
    distances, indices : ndarrays, (M, k)
        Nearest first.

    Raises
    ------
    ValueError
        Points that are no finite real numbers (N, D), or larger than 1e15.
    ValueError
        Points and queries of different dimensions.
    ValueError
        A k that is no whole number from 1 to N.

    Examples
    --------
    >>> import numpy as np, vizlib
    >>> x = np.array([[0.0], [5.0], [1.0]])
    >>> vizlib.neighbours(x, x[:1], 2)
    (array([[0., 1.]]), array([[0, 2]]))
    """
    x, query = _points(x), _points(query)
    if x.shape[1] != query.shape[1]:
        raise ValueError(
            f"Points have {x.shape[1]} dimensions and queries {query.shape[1]}: "
            "take both from one layer."
        )
    check_whole(k, "k", 1, len(x))
    from scipy.spatial.distance import cdist

    distances = cdist(query, x)
    indices = np.argsort(distances, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(distances, indices, 1), indices


def pca(x: np.ndarray, dims: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """The directions in which the points spread most.

    Parameters
    ----------
    x : array, (N, D)
    dims : int

    Returns
    -------
    coordinates : ndarray, (N, dims)
    share : ndarray, (dims,)
        Of the variance, along each direction.

    Raises
    ------
    ValueError
        Points that are no finite real numbers (N, D), or larger than 1e15.
    ValueError
        A number of directions that is no whole number from 1 to the smaller of N and D.
    ValueError
        Points that are all equal.

    Examples
    --------
    >>> import numpy as np, vizlib
    >>> coordinates, share = vizlib.pca(np.array([[0.0, 0.0], [3.0, 4.0]]), dims=1)
    >>> abs(coordinates.ravel()), share
    (array([2.5, 2.5]), array([1.]))
    """
    x = _not_equal(_points(x))
    check_whole(dims, f"dims, of {len(x)} points of {x.shape[1]} dimensions,", 1, min(x.shape))
    from sklearn.decomposition import PCA

    found = PCA(dims, svd_solver="full")
    return found.fit_transform(x), found.explained_variance_ratio_


def tsne(x: np.ndarray, *, perplexity: float = 30, seed: int = 0) -> np.ndarray:
    """A plane in which near points stay near; far ones may end up anywhere.

    Parameters
    ----------
    x : array, (N, D)
    perplexity : float
        About how many neighbours a point tries to keep; below N.
    seed : int
        Of the random start: another one gives another plane, and what both show can be believed.

    Returns
    -------
    ndarray, (N, 2)
        Distances between groups, and the size of groups, mean nothing.

    Raises
    ------
    ValueError
        Points that are no finite real numbers (N, D), or larger than 1e15.
    ValueError
        Points that are all equal.
    ValueError
        A perplexity that is no number, below 1, or too large for so few points.
    ValueError
        A seed that is no whole number from 0 to 2**32 - 1.

    References
    ----------
    van der Maaten, Hinton 2008, Visualizing data using t-SNE, JMLR 9.

    Examples
    --------
    >>> import numpy as np, vizlib
    >>> vizlib.tsne(np.eye(8), perplexity=2).shape
    (8, 2)
    """
    x = _not_equal(_points(x))
    check_whole(seed, "seed", 0, 2**32 - 1)
    if isinstance(perplexity, bool) or not isinstance(
        perplexity, int | float | np.integer | np.floating
    ):
        raise ValueError(f"perplexity is a number of at least 1, not {quoted(perplexity)}.")
    if not 1 <= perplexity < len(x):
        raise ValueError(
            f"A perplexity of {perplexity} needs more than {max(perplexity, 1)} points, "
            f"not {len(x)}: lower it."
        )
    from sklearn.manifold import TSNE

    return TSNE(perplexity=perplexity, random_state=seed, init="random").fit_transform(x)


def _points(x):
    x = as_numbers(x, "Points")
    if x.ndim != 2 or 0 in x.shape:
        raise ValueError(
            f"Points have the shape (N, D), one row each, not {x.shape}: features() makes them."
        )
    if np.abs(x).max() > 1e15:  # float32 holds no squares of larger ones, and t-SNE takes squares
        raise ValueError(
            "Points larger than 1e15 are too far apart to compare: divide them by np.abs(x).max()."
        )
    return x


def _not_equal(x):
    if not (np.ptp(x, axis=0) ** 2).any():
        raise ValueError("All points are equal, so there is nothing to see of them: give others.")
    return x

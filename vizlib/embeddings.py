"""Pictures as points: feature vectors, who is near whom, and two ways to see many dimensions in a plane."""

import numpy as np

from . import graph


def features(model, data, layer=None, *, batch_size=32, progress=False):
    """A vector for each picture: what a layer says of it.

    Parameters
    ----------
    model : keras.Model
    data : array (N, H, W, C), `tf.data.Dataset` or iterable of batches (n, H, W, C), in model-input space
        A dataset or an iterable is read once, batch by batch, and may be larger than memory.
    layer : str or keras.Layer, optional
        Default: what the classifier takes, after the activation (VGG's fc2). A feature map is averaged over its places.
    batch_size : int
        Pictures at a time.
    progress : bool

    Returns
    -------
    ndarray, (N, D)

    Raises
    ------
    ValueError
        Bad or no pictures, pictures of different sizes, data with labels, or no such layer.
    """
    vectors = []
    for batch in graph.stream(model, data, batch_size=batch_size, progress=progress):
        (maps,) = graph.forward(
            model, batch, graph.BELOW if layer is None else layer, batch_size=batch_size
        )
        vectors.append(maps.mean(tuple(range(1, maps.ndim - 1))))
    return np.concatenate(vectors)


def neighbours(x, query, k=5):
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
        More neighbours than points, or points and queries that do not fit together.
    """
    x, query = _points(x), _points(query)
    if x.shape[1] != query.shape[1]:
        raise ValueError(
            f"Points have {x.shape[1]} dimensions and queries {query.shape[1]}: take both from one layer."
        )
    if not 1 <= k <= len(x):
        raise ValueError(f"k is from 1 to the number of points, {len(x)}, not {k}.")
    from scipy.spatial.distance import cdist

    distances = cdist(query, x)
    indices = np.argsort(distances, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(distances, indices, 1), indices


def pca(x, dims=2):
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
        More directions than points or dimensions.
    """
    x = _points(x)
    if not 1 <= dims <= min(x.shape):
        raise ValueError(
            f"{len(x)} points of {x.shape[1]} dimensions have 1 to {min(x.shape)} directions, not {dims}."
        )
    from sklearn.decomposition import PCA

    found = PCA(dims, svd_solver="full")
    return found.fit_transform(x), found.explained_variance_ratio_


def tsne(x, *, perplexity=30, seed=0):
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
        A perplexity that is too large for so few points.

    References
    ----------
    van der Maaten, Hinton 2008, Visualizing data using t-SNE, JMLR 9.
    """
    x = _points(x)
    if not 1 <= perplexity < len(x):
        raise ValueError(
            f"A perplexity of {perplexity} needs more than {max(perplexity, 1)} points, not {len(x)}: lower it."
        )
    from sklearn.manifold import TSNE

    return TSNE(perplexity=perplexity, random_state=seed, init="random").fit_transform(x)


def _points(x):
    x = np.asarray(x, float)
    if x.ndim != 2 or 0 in x.shape or not np.isfinite(x).all():
        raise ValueError(
            f"Points are finite numbers of shape (N, D), one row each, not {x.shape}: features() makes them."
        )
    return x

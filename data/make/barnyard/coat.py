"""Coats: points scattered on a surface, strands of fur and feathers grown from them."""

import numpy as np

from .pattern import value_noise
from .solids import quads, unit


def scatter(rng, V, Q, n, weight=1.0):
    """n random points of a surface, denser where weight (vertices,) is larger.

    Returns
    -------
    function
        Values at the vertices, (vertices,) or (vertices, 3) -> values at the points, (n,) or (n, 3).
    corners : ndarray, (n,), int
        A vertex of the triangle in which each point lies.
    """
    T = np.concatenate([Q[:, [0, 1, 2]], Q[:, [0, 2, 3]]])
    area = 0.5 * np.linalg.norm(np.cross(V[T[:, 1]] - V[T[:, 0]], V[T[:, 2]] - V[T[:, 0]]), axis=1)
    area = area * np.broadcast_to(weight, len(V))[T].mean(1)
    t = T[rng.choice(len(T), n, p=area / area.sum())]
    r1, r2 = np.sqrt(rng.random(n)), rng.random(n)
    w = np.stack([1 - r1, r1 * (1 - r2), r1 * r2], 1)

    def at(values):
        return (values[t] * (w[..., None] if values.ndim == 2 else w)).sum(1)

    return at, t[:, 0]


def by_tag(table, tags):
    """The value of the table for each tag; that of None for a tag that it lacks."""
    return np.array([table.get(tag, table[None]) for tag in tags])


def fur(rng, surface, colours, *, n, length, radius, lift=0.20, curl=0.20, jitter=0.24, density=None):
    """n pointed ribbons of fur, combed along the surface's flow.

    Parameters
    ----------
    surface : SimpleNamespace
        See `solids.surface`.
    colours : ndarray, (vertices, 3)
        Linear RGB.
    length, radius : float
        Of a strand, in body units; the length is multiplied by the surface's own.
    lift, curl, jitter : float
        How far strands stand off, how they differ in direction, how they differ in tone.
    density : dict, optional
        Tag -> weight; 1 for those not named.

    Returns
    -------
    roots (n, 3), V (n, 5, 3), triangles of the first strand, colours (n, 5, 3), shading (n, 3), part (n,)
    """
    s = surface
    weight = by_tag({None: 1.0, **(density or {})}, s.tag) * (s.fur > 0.08)
    at, corner = scatter(rng, s.V, s.Q, n, weight)
    P, N = at(s.V), unit(at(s.N))
    length = length * at(s.fur) * rng.uniform(0.65, 1.25, n)
    # a strand starts along the flow, lifted off the surface, and bends back to it and down
    flow = at(s.flow)
    flow = flow - (flow * N).sum(1, keepdims=True) * N
    d = unit(unit(flow) + lift * N * rng.uniform(0.6, 1.4, (n, 1)) + curl * rng.normal(size=(n, 3)) * 0.5)
    middle = P + (length / 2)[:, None] * d
    tip = middle + (length / 2)[:, None] * unit(d + 0.25 * flow + np.array([0, 0, -0.15]) - 0.12 * N)
    clump = 0.80 + 0.40 * value_noise(P * 18, 3)
    tone = at(colours) * (rng.uniform(1 - jitter, 1 + jitter, n) * clump)[:, None]
    N = unit(N + 0.09 * rng.normal(size=N.shape))
    a, b = radius * unit(np.cross(N, middle - P)), radius * 0.8 * unit(np.cross(N, tip - middle))
    V = np.stack([P - a, P + a, middle - b, middle + b, tip], 1)
    triangles = np.array([(0, 2, 1), (1, 2, 3), (2, 4, 3)])
    return P, V, triangles, tone[:, None] * np.linspace(0.94, 1.08, 5)[:, None], N, s.part[corner]


def feathers(rng, P, N, flow, length, width, colours, rim, *, tilt=0.0, curve=0.05, bars=None, rows=4):
    """n leaf-shaped cards, each a grid of rows + 1 by 3 vertices.

    Parameters
    ----------
    P, N, flow : ndarray, (n, 3)
        Roots, normals of the ground beneath, directions.
    length, width : ndarray, (n,)
    colours, rim : ndarray, (n, 3)
        Of the middle and of the edge.
    tilt, curve : float
        How far the card stands off, and bends down along its length.
    bars : (number, colour), optional
        Cross bars.

    Returns
    -------
    V (n, vertices, 3), quads of the first card, colours (n, vertices, 3), shading normals (n, vertices, 3)
    """
    n = len(P)
    f = unit(unit(flow - (flow * N).sum(1, keepdims=True) * N) + tilt * N)
    side = unit(np.cross(N, f))
    up = np.cross(f, side)
    v, u = np.linspace(0, 1, rows + 1), np.array([-1, 0, 1.0])
    outline = np.sin(np.pi * np.clip(v * 0.86 + 0.14, 0, 1)) ** 0.6
    outline[-1] = 0.18
    length, width = length[:, None], width[:, None]
    along, down = (length * v)[..., None], (curve * length * v**2)[..., None]
    middle = P[:, None] + f[:, None] * along - up[:, None] * down
    across = (u * (width[:, :, None] * outline[None, :, None] * 0.5))[..., None]
    V = middle[:, :, None] + side[:, None, None] * across - up[:, None, None] * (np.abs(across) * 0.35)
    edge = np.maximum(np.abs(u) * 0.8, v[:, None] > 0.85)[..., None]
    C = colours[:, None, None] * (1 - edge) + rim[:, None, None] * edge
    if bars is not None:
        number, dark = bars
        C = np.where((np.sin(2 * np.pi * (v * number + rng.random((n, 1)))) > 0)[:, :, None, None], dark, C)
    C = C * (0.82 + 0.18 * v)[:, None, None]
    shading = np.broadcast_to(unit(up[:, None, None] + 0.5 * side[:, None, None] * u[:, None]), C.shape)
    return V.reshape(n, -1, 3), quads(rows + 1, 3), C.reshape(n, -1, 3), shading.reshape(n, -1, 3)

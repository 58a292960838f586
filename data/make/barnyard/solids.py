"""Bodies: smooth unions of simple solids, and the surface round them.

A solid is a tapered capsule (`cone`) or an ellipsoid (`ball`): its signed distance and its box, the part of
the animal that it belongs to, a finer tag that coats go by, the direction in which the coat lies and its
length. A point of the surface inherits these from the solids nearest to it. Lengths are in body units, of
which an animal is about one tall; x is forward, y left, z up.
"""

import itertools
from types import SimpleNamespace

import numpy as np

F = np.float32
BACK, LEFT, UP = (-1, 0, 0), (0, 1, 0), (0, 0, 1)
CORNERS = np.array(list(itertools.product((0, 1), repeat=3)))


def unit(v):
    """Vectors (..., 3) of length one."""
    v = np.asarray(v, float)
    return v / (np.linalg.norm(v, axis=-1, keepdims=True) + 1e-9)


class Frame:
    """Local axes: an origin, forward (x), left (y) and up (z), rolled about x by an angle in radians."""

    def __init__(self, origin, forward=(1, 0, 0), roll=0.0):
        self.origin = np.asarray(origin, float)
        x = unit(forward)
        y = unit(np.cross(UP, x))
        z = np.cross(x, y)
        c, s = np.cos(roll), np.sin(roll)
        self.axes = np.stack([x, c * y + s * z, -s * y + c * z])

    def __call__(self, p, scale=1.0):
        """Local points (..., 3) in the world."""
        return self.origin + scale * (np.asarray(p, float) @ self.axes)

    def vec(self, v):
        """Local directions (..., 3) in the world."""
        return np.asarray(v, float) @ self.axes

    def inv(self, p):
        """Points of the world (..., 3) in local coordinates."""
        return (np.asarray(p) - self.origin) @ self.axes.T

    def ball(self, centre, radii, *names, flow=BACK, **more):
        """`ball` in these axes."""
        return ball(self(centre), radii, *names, axes=self.axes, flow=self.vec(flow), **more)

    def cone(self, a, b, ra, rb, *names, flow=None, flat=None, **more):
        """`cone` in these axes."""
        flow, flat = flow and self.vec(flow), flat and (self.vec(flat[0]), flat[1])
        return cone(self(a), self(b), ra, rb, *names, flow=flow, flat=flat, **more)

    def chain(self, points, radii, *names, flat=None, **more):
        """`chain` in these axes."""
        flat = flat and (self.vec(flat[0]), flat[1])
        return chain([self(p) for p in points], radii, *names, flat=flat, **more)


def heading(pitch, yaw):
    """The direction (3,) that rises by `pitch` and turns left by `yaw`, in radians."""
    return np.array([np.cos(pitch) * np.cos(yaw), np.cos(pitch) * np.sin(yaw), np.sin(pitch)])


def cone(a, b, ra, rb, part="", tag="", k=0.05, flow=None, fur=1.0, flat=None):
    """Capsule from a to b with radii ra and rb.

    Parameters
    ----------
    part, tag : str
        Part of the animal, and a finer name for coats to go by (default: the part).
    k : float
        Width over which it blends with the solids before it.
    flow : (3,), optional
        Where the coat lies to; default: from a to b.
    fur : float
        Length of the coat, as a fraction of the animal's.
    flat : (axis, factor), optional
        Squashes it along an axis.
    """
    a, b = np.asarray(a, float), np.asarray(b, float)

    def distance(X):
        along = (b - a).astype(F)
        v = X - a.astype(F)
        t = np.clip(v @ along / (along @ along + 1e-12), 0, 1)
        v = v - t[:, None] * along
        if flat is not None:
            axis, f = unit(flat[0]).astype(F), flat[1]
            v = v + axis * ((v @ axis) * F(1 / f - 1))[:, None]
        d = np.sqrt(np.einsum("ij,ij->i", v, v)) - (ra + t * (rb - ra))
        return d if flat is None else d * F(min(1.0, flat[1] * 1.5))

    r, flow = max(ra, rb), unit(b - a if flow is None else flow)
    return SimpleNamespace(distance=distance, low=np.minimum(a, b) - r, high=np.maximum(a, b) + r,
                           part=part, tag=tag or part, k=k, flow=flow, fur=fur)


def chain(points, radii, part="", tag="", k=0.04, fur=1.0, flat=None):
    """Capsules from point to point, a list."""
    ks = [k] + [min(k, 0.02)] * (len(points) - 2)
    ends = zip(points, points[1:], radii, radii[1:], ks)
    return [cone(a, b, ra, rb, part, tag, k, fur=fur, flat=flat) for a, b, ra, rb, k in ends]


def ball(centre, radii, part="", tag="", axes=None, k=0.05, flow=BACK, fur=1.0):
    """Ellipsoid with one radius or three, along the rows of `axes` (default: the world's); else as `cone`."""
    centre, axes = np.asarray(centre, float), np.eye(3) if axes is None else axes
    r = np.broadcast_to(np.asarray(radii, float), (3,))

    def distance(X):
        q = (X - centre.astype(F)) @ axes.T.astype(F) / r.astype(F)
        k0 = np.sqrt(np.einsum("ij,ij->i", q, q))
        q = q / r.astype(F)
        return k0 * (k0 - 1) / (np.sqrt(np.einsum("ij,ij->i", q, q)) + 1e-9)

    reach = np.sqrt(((axes * r[:, None]) ** 2).sum(0))
    return SimpleNamespace(distance=distance, low=centre - reach, high=centre + reach,
                           part=part, tag=tag or part, k=k, flow=unit(flow), fur=fur)


def _join(d, e, k):
    """Smooth minimum of two distances."""
    k = F(k)
    h = np.maximum(k - np.abs(d - e), 0) / k
    return np.minimum(d, e) - h * h * k * F(0.25)


def mesh(solids, cell):
    """Vertices (n, 3) and quads (m, 4) of the surface round the solids, on a grid of cells of this side."""
    low = np.min([s.low for s in solids], 0) - 0.05
    high = np.max([s.high for s in solids], 0) + 0.05
    side = 4  # distances are taken at the centres of blocks of side^3 points, then in those near the surface
    shape = np.ceil((high - low) / (cell * side)).astype(int) + 1
    blocks, inside = (np.stack(np.indices(n), -1).reshape(-1, 3) for n in (shape, [side] * 3))
    centres = (low + (blocks * side + (side - 1) / 2) * cell).astype(F)
    each = np.stack([s.distance(centres) for s in solids], 1)
    union = each[:, 0]
    for s, e in zip(solids[1:], each.T[1:]):
        union = _join(union, e, s.k)
    grid = union.reshape(shape)
    for axis in range(3):
        grid = np.repeat(grid, side, axis)
    close = np.abs(union) < cell * side * 1.5 + 0.01
    each = each[close]
    ijk = blocks[close][:, None] * side + inside
    X = (low + ijk * cell).astype(F)
    d = np.full(X.shape[:2], 9.0, F)
    reach = each.min(1) + cell * side * 2.2
    for i, s in enumerate(solids):  # only in the blocks where it can matter
        m = each[:, i] < reach + s.k
        if m.any():
            d[m] = _join(d[m], s.distance(X[m].reshape(-1, 3)).reshape(-1, side**3), s.k)
    grid[tuple(ijk.reshape(-1, 3).T)] = d.ravel()
    V, Q = _surface_nets(grid)
    return low + V * cell, Q


def _surface_nets(grid):
    """Vertices, in cells, and quads of the zero level: a vertex in each cell it crosses (surface nets)."""
    inside = grid < 0
    n = np.array(grid.shape)
    corners = [inside[tuple(slice(o, m - 1 + o) for o, m in zip(corner, n))] for corner in CORNERS]
    cells = np.argwhere(np.any(corners, 0) & ~np.all(corners, 0))
    number = np.full(n - 1, -1, np.int64)
    number[tuple(cells.T)] = np.arange(len(cells))
    values = np.stack([grid[tuple((cells + o).T)] for o in CORNERS], 1)
    total, crossings = np.zeros((len(cells), 3)), np.zeros(len(cells))
    for a, b in itertools.combinations(range(8), 2):
        if np.abs(CORNERS[a] - CORNERS[b]).sum() == 1:  # an edge of the cell
            m = (values[:, a] < 0) != (values[:, b] < 0)
            t = values[m, a] / (values[m, a] - values[m, b])
            total[m] += CORNERS[a] + t[:, None] * (CORNERS[b] - CORNERS[a])
            crossings[m] += 1
    quads = []
    for axis in range(3):
        u, v = (axis + 1) % 3, (axis + 2) % 3
        before = np.delete(inside, -1, axis)
        e = np.argwhere(before != np.delete(inside, 0, axis))
        e = e[(e[:, u] > 0) & (e[:, v] > 0) & (e[:, u] < n[u] - 1) & (e[:, v] < n[v] - 1)]
        du, dv = np.eye(3, dtype=int)[[u, v]]
        q = np.stack([number[tuple((e - o).T)] for o in (du + dv, dv, 0 * du, du)], 1)
        outwards = before[tuple(e.T)]
        quads.append(np.where(outwards[:, None], q, q[:, ::-1]))
    return cells + total / crossings[:, None], np.concatenate(quads)


def normals(V, Q):
    """Unit normals (n, 3) at the vertices of a quad mesh."""
    n = np.cross(V[Q[:, 2]] - V[Q[:, 0]], V[Q[:, 3]] - V[Q[:, 1]])
    N = np.zeros_like(V)
    for c in range(4):
        np.add.at(N, Q[:, c], n)
    return unit(N)


def surface(solids, cell, soft=0.03):
    """The mesh V, Q, its normals N, and what each vertex inherits, blended over the length `soft`.

    Returns
    -------
    SimpleNamespace
        V, N (n, 3), Q (m, 4); part, tag (n,) of the nearest solid; flow (n, 3), fur (n,), weight (n, solids).
    """
    V, Q = mesh(solids, cell)
    D = np.stack([s.distance(V.astype(F)) for s in solids], 1)
    near = D.argmin(1)
    weight = np.exp(-(D - D.min(1, keepdims=True)) / soft)
    weight /= weight.sum(1, keepdims=True)
    flow, fur = (np.array([getattr(s, name) for s in solids]) for name in ("flow", "fur"))
    part, tag = (np.array([getattr(s, name) for s in solids]) for name in ("part", "tag"))
    return SimpleNamespace(V=V, Q=Q, N=normals(V, Q), weight=weight, flow=weight @ flow, fur=weight @ fur,
                           part=part[near], tag=tag[near])


def quads(rows, columns, wrap=False):
    """Quads of a grid of vertices, row by row; with `wrap` the last column is followed by the first."""
    i, j = np.meshgrid(np.arange(rows - 1), np.arange(columns if wrap else columns - 1), indexing="ij")
    k = (j + 1) % columns
    corners = i * columns + j, (i + 1) * columns + j, (i + 1) * columns + k, i * columns + k
    return np.stack(corners, -1).reshape(-1, 4)


def sphere(columns, rows):
    """Vertices and quads of the unit sphere."""
    u, v = np.arange(columns) / columns * 2 * np.pi, np.linspace(0, np.pi, rows + 1)[:, None]
    V = np.stack([np.sin(v) * np.cos(u), np.sin(v) * np.sin(u), np.cos(v) + 0 * u], -1)
    return V.reshape(-1, 3), quads(rows + 1, columns, wrap=True)


def tube(radius, half, columns):
    """Vertices and quads of a closed cylinder about z, from -half to half."""
    u = np.arange(columns) / columns * 2 * np.pi
    r, z = np.array([[0.001, radius, radius, 0.001], [-half, -half, half, half]])[:, :, None]
    V = np.stack([r * np.cos(u), r * np.sin(u), z + 0 * u], -1)
    return V.reshape(-1, 3), quads(4, columns, wrap=True)[:, [0, 3, 2, 1]]


def smooth_path(points, n):
    """A curve (n, 3) through a few points (Catmull-Rom)."""
    p = np.asarray(points, float)
    p = np.concatenate([2 * p[:1] - p[1:2], p, 2 * p[-1:] - p[-2:-1]])
    curve = []
    for t in np.linspace(0, len(p) - 3 - 1e-6, n):
        i, f = int(t), t - int(t)
        a, b, c, d = p[i : i + 4]
        square, cube = 2 * a - 5 * b + 4 * c - d, 3 * b - a - 3 * c + d
        curve.append(0.5 * (2 * b + (c - a) * f + square * f**2 + cube * f**3))
    return np.array(curve)

"""What may stand behind the animals: from bushes, stones and buckets to hedges, trees and plank walls."""

import numpy as np

from . import blender
from .coat import feathers, scatter
from .pattern import fbm, srgb
from .solids import normals, quads, sphere, tube, unit

BOX = np.array([[x, y, z] for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)])
SIDES = np.array([[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]])
WOODS = ["#8a7a66", "#d3cdbf", "#6a5a48", "#a08a6a", "#5a4636"]
WALLS = ["#8c3a2b", "#7a6a55", "#b9b2a4", "#6b4a34", "#9a5a3a", "#5d6a52", "#c9c2b2", "#59616b"]


def _turn(V, angle):
    """Points turned about the vertical by an angle in radians."""
    s, c = np.sin(angle), np.cos(angle)
    return V @ np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]])


def _boxes(name, centres, sizes, colours, angle, pivot):
    """Boxes as one object, turned about the vertical through a point; dirtier towards the ground."""
    V = (centres[:, None] + BOX * np.broadcast_to(sizes, centres.shape)[:, None]).reshape(-1, 3)
    colours = np.repeat(np.broadcast_to(colours, centres.shape), 8, 0)
    colours = colours * np.tile(np.where(BOX[:, 2:] < 0, 0.72, 1.0), (len(centres), 1))
    Q = (SIDES + 8 * np.arange(len(centres))[:, None, None]).reshape(-1, 4)
    blender.mesh(name, _turn(V - pivot, angle) + pivot, Q, colours, smooth=False)


def _leafy(rng, V, Q, colours, n, length, width):
    """A solid with n leaves, or straws, standing out from it; their width is a fraction of their length."""
    at, _ = scatter(rng, V, Q, n)
    P, N, c = at(V), unit(at(normals(V, Q))), at(colours) * rng.uniform(0.7, 1.7, (n, 1))
    length = length * rng.uniform(0.6, 1.3, n)
    N, flow = unit(N + 0.55 * rng.normal(size=(n, 3))), unit(rng.normal(size=(n, 3)))
    form = {"tilt": 0.3, "curve": 0.2, "rows": 2}
    leaf, Q1, C, _ = feathers(rng, P, N, flow, length, length * width, c, c * 0.9, **form)
    Q1 = (Q1 + np.arange(n)[:, None, None] * leaf.shape[1]).reshape(-1, 4)
    blender.mesh("leaves", leaf.reshape(-1, 3), Q1, C.reshape(-1, 3))
    blender.mesh("solid", V, Q, colours * 0.75)


def _mottled(rng, V, *codes, frequency=9.0):
    """Patches of light and shade, in one of these colours."""
    tone = srgb(rng.choice(codes)) * rng.uniform(0.6, 1.25)
    return tone * (0.3 + 1.4 * np.clip((fbm(V * frequency, 3, 5) - 0.2) * 1.5, 0, 1.2))[:, None]


def _lump(rng, rough, bumps):
    V, Q = sphere(28, 18)
    V = V * (1 - rough / 2 + rough * fbm(V * bumps + rng.uniform(0, 50, 3), 4, 3))[:, None]
    return V * rng.uniform(0.75, 1.3, 3), Q


# small things: at a place, of a scale


def bush(rng, place, scale):
    V, Q = _lump(rng, 0.9, 2.6)
    r = scale * rng.uniform(0.26, 0.75)
    colours = _mottled(rng, V, "#566b38", "#62703a", "#47603a")
    _leafy(rng, V * r + place + [0, 0, 0.2 * r], Q, colours, 1200, 0.13 * r, 0.55)


def stone(rng, place, scale):
    V, Q = _lump(rng, 0.6, 1.1)
    r = scale * rng.uniform(0.08, 0.26)
    blender.mesh("stone", V * [r, r, 0.6 * r] + place + [0, 0, 0.1 * r], Q, _mottled(rng, V, "#8c867c"))


def bale(rng, place, scale):
    V, Q = tube(1.0, 0.85, 40)
    colours = srgb("#a98d55") * (0.35 + 0.9 * fbm(V * [2, 14, 14], 3, 2))[:, None]
    r, angle = scale * rng.uniform(0.24, 0.66), rng.uniform(0, np.pi)
    V = _turn(V[:, [2, 0, 1]] * r + [0, 0, r], angle)
    _leafy(rng, V + place, Q, colours * 1.15, 1500, 0.22 * r, 0.07)


def post(rng, place, scale):
    V, Q = tube(0.05, 1.0, 10)
    colours = srgb("#7b6a55") * (0.6 + 0.8 * fbm(V * [30, 30, 3], 3, 2))[:, None]
    h = scale * rng.uniform(0.5, 1.1)
    blender.mesh("post", V * h + place + [0, 0, h], Q, colours)


def bucket(rng, place, scale):
    V, Q = tube(0.5, 0.5, 24)
    r = scale * rng.uniform(0.14, 0.34)
    wide = 0.8 + 0.25 * V[:, 2:]
    V = V * np.hstack([wide, wide, wide**0]) * r + [0, 0, 0.5 * r]
    blender.mesh("bucket", V + place, Q, srgb(rng.choice(["#9aa0a3", "#5d6b57", "#8a4a35", "#c9b458"])))


# long or tall things: at a depth from the camera


def hedge(rng, shot, depth):
    s = shot.scale
    h, w = s * rng.uniform(0.5, 2.0), s * rng.uniform(0.4, 0.9)
    half = depth * shot.tan * 1.3 + 2 * s
    y, a = np.meshgrid(np.linspace(-half, half, 110), np.linspace(0, np.pi, 9), indexing="ij")
    V = np.stack([w * np.cos(a), y, h * np.sin(a) ** 0.6], -1).reshape(-1, 3)
    rough = (0.65 + 0.7 * fbm(V / s * 1.3 + rng.uniform(0, 50, 3), 3, 4))[:, None]
    V = V * rough ** [1, 0, 1] + [-0.02 * s * rng.normal(), 0, 0]
    colours = _mottled(rng, V / s, "#4f6a33", "#5f6b35", "#3f5a36", "#6f6a3a", frequency=3)
    _leafy(rng, V + shot.ground(depth, 0), quads(110, 9)[:, [0, 3, 2, 1]], colours, 5000, 0.085 * s, 0.6)


def fence(rng, shot, depth):
    s = shot.scale
    h, step, rails = s * rng.uniform(0.7, 1.2), s * rng.uniform(1.2, 2.2), int(rng.integers(2, 5))
    half = depth * shot.tan * 1.3 + 2 * s
    y = np.arange(-half, half, step) + rng.uniform(0, step)
    wood = srgb(rng.choice(WOODS))
    heights = [(0, h / 2)] + [(0.05 * s, h * (k + 0.7) / rails) for k in range(rails)]
    centres = np.concatenate([np.stack(np.broadcast_arrays(x, y, z), 1) for x, z in heights])
    sizes = [(0.11 * s, 0.11 * s, h * 1.05)] + [(0.04 * s, step, 0.13 * s * rng.uniform(0.5, 1))] * rails
    colours = wood * rng.uniform(0.75, 1.1, (len(centres), 1))
    pivot = shot.ground(depth, 0)
    _boxes("fence", centres + pivot, np.repeat(sizes, len(y), 0), colours, rng.normal(0, 0.12), pivot)


def trees(rng, shot, depth):
    for _ in range(rng.integers(1, 5)):
        place = shot.ground(depth * rng.uniform(0.9, 1.8), rng.uniform(-0.65, 0.65))
        h = shot.scale * rng.uniform(2.0, 5.0)
        stem, bark = tube(0.07 * h, 0.5 * h, 10), srgb("#5d4c3b") * rng.uniform(0.7, 1.3)
        V, Q = [], []
        for _ in range(rng.integers(4, 7)):
            ball, R = _lump(rng, 0.9, 2.2)
            ball = ball * h * rng.uniform(0.16, 0.30)
            V.append(ball + [*rng.normal(0, 0.16, 2) * h, h * rng.uniform(0.55, 1.0)])
            Q.append(R + len(ball) * len(Q))
        V = np.concatenate(V)
        colours = _mottled(rng, V / h, "#4f6a33", "#6b7a3a", "#3d5636", "#8a7a3a", frequency=12)
        _leafy(rng, V + place, np.concatenate(Q), colours, 2600, 0.042 * h, 0.6)
        blender.mesh("stem", stem[0] + [0, 0, 0.3 * h] + place, stem[1], bark)


def wall(rng, shot, depth, full=False):
    """Upright planks: one side of a barn, or with `full` all that is seen behind a stable."""
    s = shot.scale
    h, w = s * (6.0 if full else rng.uniform(2, 5)), s * rng.uniform(0.12, 0.3)
    half = depth * shot.tan * 1.5 + 2 * s
    y = np.arange(-half, half, w)
    if not full:
        y = y[(y > -half * rng.uniform(0.2, 1.6)) & (y < half * rng.uniform(0.2, 1.6))]
    n = len(y)
    if not n:
        return
    base = shot.ground(depth, 0)
    colours = srgb(rng.choice(WALLS)) * rng.uniform(0.7, 1.1) * rng.uniform(0.72, 1.1, (n, 1))
    turn = rng.normal(0, 0.15)
    planks = base + np.stack([rng.normal(0, 0.012, n) * s, y, np.full(n, h / 2)], 1)
    _boxes("planks", planks, (0.05 * s, w, h), colours, turn, base)
    heights = np.array([0.06, rng.uniform(0.25, 0.5), 1.0])[:, None] * h * [[0, 0, 1]]
    beams = base + np.array([0.06 * s, y.mean(), 0]) + heights
    _boxes("beams", beams, (0.07 * s, np.ptp(y) + w, 0.16 * s), srgb(rng.choice(WOODS)) * 0.8, turn, base)


def _stand(rng, thing, shot, near, far):
    depth = shot.back + shot.scale * rng.uniform(near, far)
    thing(rng, shot.ground(depth, rng.uniform(-0.55, 0.55)), shot.scale)


def outdoors(rng, shot):
    """A few small things behind the animals, and something long or tall farther off."""
    for _ in range(rng.integers(0, 5)):
        thing = rng.choice([bush, stone, bale, post, bucket], p=[0.35, 0.25, 0.15, 0.15, 0.10])
        _stand(rng, thing, shot, 0.5, 7)
    chances = ((hedge, 0.35), (fence, 0.35), (trees, 0.45), (wall, 0.2))
    for thing in [thing for thing, p in chances if rng.random() < p]:
        thing(rng, shot, shot.back + shot.scale * rng.uniform(2.5, 14))


def stable(rng, shot):
    """A plank wall, perhaps a partition, loose things."""
    wall(rng, shot, shot.back + shot.scale * rng.uniform(0.6, 3.5), full=True)
    if rng.random() < 0.5:
        fence(rng, shot, shot.back + shot.scale * rng.uniform(0.35, 0.6))
    for _ in range(rng.integers(0, 3)):
        _stand(rng, rng.choice([bale, bucket, post]), shot, 0.4, 1.2)

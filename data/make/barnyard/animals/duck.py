"""Duck: a low boat of a body, a round head on a curved neck, a flat bill, webbed feet."""

import numpy as np

from .. import bird
from ..animal import Animal
from ..coat import by_tag
from ..pattern import fbm, srgb
from ..solids import UP, Frame, chain, cone, heading, mesh, unit

BREEDS = {  # head, breast, body, wing, tail, bill
    "pekin": ("#f6f2e4", "#f4f0e4", "#f2eee2", "#f0ece0", "#f1ede2", "#e39a2e"),
    "mallard": ("#0f3d26", "#4a2a1e", "#a8a5a0", "#86796c", "#e6e3dc", "#c9ac3a"),
    "brown": ("#8a6a48", "#7a5b3c", "#86674a", "#6a5038", "#8d7458", "#b5803a"),
    "black": ("#15251f", "#1c1e22", "#1a1c20", "#17191d", "#15171b", "#5d5a4a"),
}
FEATHERS = {  # density, length, width
    "head": (8.0, 0.045, 0.022), "neck": (4.0, 0.045, 0.022), "wing": (1.0, 0.12, 0.055),
    None: (1.0, 0.085, 0.052),
}


def build(rng):
    duck = Animal("bill", "head", "neck", "body", "wing", "tail", "legs")
    breed = str(rng.choice(list(BREEDS), p=[0.42, 0.33, 0.17, 0.08]))
    tint = rng.uniform(0.92, 1.06)
    head, breast, plain, wing, tail, bill = (np.clip(srgb(c) * tint, 0, 1) for c in BREEDS[breed])
    pitch = np.radians(rng.normal(12, 5))
    T = Frame((0, 0, 0.40), heading(pitch, 0))
    back = (-1, 0, 0.03)
    plump = rng.uniform(0.94, 1.06)
    duck.body = [
        T.ball((0, 0, 0), (0.40, 0.215 * plump, 0.185), "body", flow=back),
        T.ball((0.18, 0, -0.03), (0.22, 0.190 * plump, 0.18), "body", "breast", k=0.10,
             flow=(-0.9, 0, -0.3)),
        cone(T((-0.30, 0, 0.03)), T((-0.47, 0, 0.10)), 0.12, 0.045, "tail", k=0.12, flow=T.vec(back),
             flat=(UP, 0.6)),
    ]
    yaw = np.clip(rng.normal(0, 0.5), -1.1, 1.1)
    root = T((0.26, 0, 0.06))
    nape = root + [rng.uniform(0.10, 0.20), 0.05 * yaw, rng.uniform(0.24, 0.36)]
    knots = [root - [0.05, 0, 0.05], root + [0.09, 0, 0.10], root + [0.10, 0.02 * yaw, 0.20], nape]
    duck.body += bird.neck(knots, [0, 0.4, 1], [0.145, 0.082, 0.068], "neck", k=0.10)
    tilt = np.radians(rng.normal(-8, 7))
    H = duck.head = Frame(nape, heading(tilt, yaw))
    duck.body.append(H.ball((0.02, 0, 0.015), (0.105, 0.075, 0.082), "head", flow=(-1, 0, 0)))
    solids = [
        H.cone((0.10, 0, 0.004), (0.235, 0, -0.036), 0.042, 0.044, k=0.02, flat=(UP, 0.34)),
        H.ball((0.098, 0, 0.014), (0.040, 0.040, 0.034), k=0.03),
        H.cone((0.10, 0, -0.030), (0.215, 0, -0.054), 0.032, 0.034, k=0.006, flat=(UP, 0.25)),
    ]
    duck.blob(solids, bill, "bill", "wet", cell=0.008)
    for y in (1, -1):
        duck.eye(((0.052, y * 0.068, 0.040)), ((0.25, y, 0.1)), 0.0165, srgb("#3a2412"), pupil=0.6)
    orange = srgb("#e07f22") * rng.uniform(0.8, 1.1)
    stride = rng.uniform(-0.10, 0.10)
    for y in (1, -1):
        top, foot = T((-0.02, y * 0.09, -0.13)), np.array([0.02 + y * stride, y * 0.10, 0.016])
        tips = [foot + 0.17 * np.array([np.cos(a), np.sin(a), -0.05]) for a in (-0.5, 0, 0.5)]
        leg = chain([top, foot + [-0.02, 0, 0.02]], [0.032, 0.022], k=0.01)
        for tip in tips:
            leg += chain([foot, tip], [0.018, 0.011], k=0.01)
        duck.add(*mesh(leg, 0.009), orange, "legs")
        web = np.array([foot, *tips]) + [0, 0, 0.002]
        duck.add(web, np.array([[0, 1, 2], [0, 2, 3]]), orange * 0.9, "legs")
        duck.body.append(cone(top + [0, 0, 0.05], top + [0, 0, -0.02], 0.085, 0.04, "body", flow=(0, 0, -1)))
        W = Frame(T((-0.02, y * 0.185 * plump, 0.045)), T.vec((-1, -0.16 * y, -0.02)))
        duck.body.append(W.ball((0.03, 0, 0), (0.29, 0.045, 0.115), "wing", k=0.03, flow=(1, 0, 0.12)))

    seed = int(rng.integers(1 << 20))
    tones = {"head": head, "neck": head, "breast": breast, "wing": wing, "tail": tail, None: plain}

    def tone(V, tags):
        c = by_tag(tones, tags)
        if breed == "mallard":  # the breast's colour comes up the neck to a white ring
            above = V[:, 2] - root[2]
            c[(tags == "neck") & (above < 0.10)] = breast
            c[(tags == "neck") & (np.abs(above - 0.105) < 0.014)] = srgb("#efece4")
        return c

    duck.colour = lambda s: tone(s.V, s.tag) * (0.8 + 0.25 * fbm(s.V * 7, 2, seed))[:, None]
    rim = 0.45 if breed == "brown" else 0.85
    bird.cover(duck, rng, 2000, FEATHERS, tone, (0.86, 1.13), 0.002, (0.4, 0.7), lambda c: c * rim, tilt=0.09)
    n, s = 9, np.linspace(0, 1, 9)[:, None]
    for y in (1, -1):
        roots = T(np.hstack([-0.02 - 0.14 * s, y * (0.222 - 0.03 * s), 0.02 + 0.06 * s]))
        N, flow = (np.tile(unit(T.vec(v)), (n, 1)) for v in ((-0.1, y, 0.4), (-1, -0.22 * y, 0.06)))
        colour = wing * rng.uniform(0.7, 0.95, (n, 1))
        if breed == "mallard":
            colour[1:4] = srgb("#2b3f96")
        length, width = np.linspace(0.24, 0.30, n), np.full(n, 0.06)
        duck.feathers(rng, roots, N, flow, length, width, colour, colour * 0.8, "wing", rows=6)
    n, a = 13, np.linspace(-0.55, 0.55, 13)
    flow = unit(T.vec(np.stack([-np.cos(a), np.sin(a), np.full(n, 0.30)], 1)))
    roots, N = np.tile(T((-0.40, 0, 0.085)), (n, 1)), np.tile(T.vec((0.25, 0, 1)), (n, 1))
    colour = tail * rng.uniform(0.85, 1.05, (n, 1))
    length, width = np.full(n, 0.20), np.full(n, 0.06)
    duck.feathers(rng, roots, N, flow, length, width, colour, colour * 0.9, "tail", curve=-0.05, rows=5)
    duck.cap = {"centre": (0.012, 0, 0.050), "radius": 0.114, "tilt": 3, "wide": 0.86, "tall": 0.95}
    return duck

"""Hen: a boat-shaped body, an upright fan of a tail, a small head with comb and wattles, thin legs."""

import numpy as np

from .. import bird
from ..animal import Animal
from ..coat import by_tag
from ..pattern import fbm, srgb
from ..solids import BACK, LEFT, UP, Frame, chain, cone, heading, mesh, unit

BREEDS = {  # hackle, body, wing, tail, rim of a feather, legs, bars
    "brown": ("#b8642a", "#97481c", "#8d431b", "#5b2a14", "#d39a5c", "#d9b24a"),
    "white": ("#f4f0e6", "#f6f3ec", "#efece4", "#f2efe8", "#dedbd2", "#e0a92f"),
    "buff": ("#d99a45", "#d2924a", "#c98840", "#a8682c", "#e6bd83", "#d8b06a"),
    "barred": ("#9a9a98", "#8a8a89", "#828282", "#777777", "#a5a5a3", "#d8b45a", "#1d1d1f"),
    "black": ("#1c1c22", "#17171c", "#15161b", "#0f1014", "#23262c", "#4b4a48"),
    "partridge": ("#c98a3c", "#7d5130", "#6b4529", "#2a1d15", "#3b2415", "#8f8a6a"),
    "laced": ("#efeae0", "#ece7dd", "#e6e1d7", "#2a2a2c", "#1a1a1c", "#b3b0a4"),
}
FEATHERS = {  # density, length, width
    "head": (9.0, 0.035, 0.022), "neck": (3.2, 0.105, 0.030), "wing": (1.1, 0.13, 0.062),
    "saddle": (1.0, 0.13, 0.05), "thigh": (2.0, 0.07, 0.04), None: (1.0, 0.095, 0.062),
}


def build(rng):
    hen = Animal("comb", "beak", "head", "body", "wing", "tail", "legs")
    breed = str(rng.choice(list(BREEDS), p=[0.3, 0.2, 0.12, 0.14, 0.08, 0.08, 0.08]))
    tint = rng.uniform(0.9, 1.1) * rng.uniform(0.96, 1.04, 3)
    hackle, plain, wing, tail, rim = (np.clip(srgb(c) * tint, 0, 1) for c in BREEDS[breed][:5])
    shank, *dark = map(srgb, BREEDS[breed][5:])
    bars = (lambda number: (number, dark[0])) if dark else (lambda number: None)
    pose = str(rng.choice(["stand", "walk", "peck"], p=[0.5, 0.3, 0.2]))
    plump = rng.uniform(0.93, 1.08)
    pitch = np.radians(rng.normal(12, 5) - (26 if pose == "peck" else 0))
    T = Frame((0, 0, 0.60), heading(pitch, 0))
    back = (-1, 0, 0.05)
    rise = np.radians(rng.uniform(32, 58))
    up = T.vec((-np.cos(rise), 0, np.sin(rise)))
    rump = T((-0.26, 0, 0.07))
    hen.body = [
        T.ball((0, 0, 0), (0.36, 0.235 * plump, 0.235), "body", "trunk", flow=back),
        T.ball((0.17, 0, -0.055), (0.23, 0.215 * plump, 0.225), "body", "breast", k=0.12,
             flow=(-0.8, 0, -0.5)),
        T.ball((-0.17, 0, -0.06), (0.24, 0.19 * plump, 0.20), "body", "trunk", k=0.12, flow=back),
        cone(rump, rump + 0.20 * up, 0.155, 0.065, "body", "saddle", k=0.14, flow=up, flat=(LEFT, 0.85)),
    ]

    # an S of a neck from the breast to the head
    yaw = np.clip(rng.normal(0, 0.45), -1, 1)
    root = T((0.24, 0, 0.08))
    if pose == "peck":
        nape = np.array([0.62 + rng.uniform(0, 0.08), 0.22 * yaw, rng.uniform(0.22, 0.40)])
        middle, tilt = root + [0.20, 0.05 * yaw, 0.06], np.radians(rng.uniform(-70, -40))
    else:
        reach = rng.uniform(0.10, 0.20) + (0.05 if pose == "walk" else 0)
        nape = root + [reach, 0.06 * yaw, rng.uniform(0.30, 0.40)]
        middle, tilt = root + np.array([0.10, 0.02 * yaw, 0.16]), np.radians(rng.normal(-6, 8))
    knots = [root - [0.06, 0, 0.06], middle, nape - (nape - middle) * 0.05]
    hen.body += bird.neck(knots, [0, 0.35, 0.7, 1], [0.185, 0.125, 0.080, 0.066], "body", k=0.12)
    H = hen.head = Frame(nape, heading(tilt, yaw))
    hen.body.append(H.ball((0.012, 0, 0.012), (0.078, 0.062, 0.066), "head", flow=(-1, 0, 0)))

    red = srgb("#b8120f") * rng.uniform(0.8, 1.15)
    k = rng.uniform(0.8, 1.25)
    ridge = (0.088, 0, 0.040), (0.03, 0, 0.068), (-0.045, 0, 0.060)
    comb = H.chain(ridge, [0.020, 0.030, 0.020], k=0.03, flat=(LEFT, 0.40))
    for x, z in (0.085, 0.045), (0.062, 0.085), (0.030, 0.098), (-0.005, 0.095), (-0.040, 0.075):
        tip = (x * 1.05 - 0.005, rng.normal(0, 0.008), 0.05 + (z - 0.03) * k + 0.015)
        comb.append(H.cone((x * 0.9, 0, 0.055), tip, 0.018, 0.006, k=0.02, flat=(LEFT, 0.45)))
    for y in (1, -1):  # wattles and red cheeks
        comb += [
            H.cone((0.066, y * 0.022, -0.030), (0.064, y * 0.028, -0.085 * k - 0.01), 0.016, 0.024, k=0.01,
                 flat=((0.3, 1, 0), 0.42)),
            H.ball((0.042, y * 0.045, 0.005), (0.036, 0.018, 0.034), k=0.02),
        ]
    hen.blob(comb, red, "comb", cell=0.0075)
    beak = H.chain([(0.068, 0, 0.008), (0.105, 0, 0.004), (0.142, 0, -0.018)], [0.027, 0.019, 0.005], k=0.02)
    beak.append(H.cone((0.068, 0, -0.012), (0.122, 0, -0.020), 0.018, 0.006, k=0.008))
    hen.blob(beak, srgb("#d9a23c") * rng.uniform(0.7, 1.1), "beak", "wet", cell=0.0075)
    for y in (1, -1):
        hen.eye(((0.046, y * 0.054, 0.022)), ((0.25, y, 0.08)), 0.0155, srgb("#c8621a"))
        lobe = [H.ball((0.008, y * 0.058, -0.012), (0.014, 0.008, 0.018))]
        hen.blob(lobe, srgb("#efe6d8") if breed in ("white", "partridge") else red * 0.9, "head", cell=0.006)

    stride = rng.uniform(-0.14, 0.14) if pose == "walk" else rng.uniform(-0.04, 0.04)
    for y in (1, -1):
        hip = T((0.02, y * 0.10, -0.14))
        foot = np.array([0.06 + y * stride, y * 0.085, 0.022])
        if pose == "walk" and y * stride < 0:
            foot[2] += rng.uniform(0, 0.05)
        hock = np.array([(hip[0] + foot[0]) / 2 - 0.05, y * 0.09, 0.27])
        hen.body.append(cone(hip, hock + [0, 0, 0.03], 0.105, 0.034, "body", "thigh", flow=(0, 0, -1)))
        leg = chain([hock + [0, 0, 0.05], hock, foot], [0.024, 0.021, 0.018], k=0.01)
        turn = rng.normal(0, 0.12)
        for angle, length in ((0, 0.13), (0.62, 0.115), (-0.62, 0.115), (np.pi - 0.2 * y, 0.06)):
            d = np.array([np.cos(angle + turn), np.sin(angle + turn), 0])
            tip = foot + d * length - [0, 0, 0.006]
            toe = [foot, foot + d * length * 0.5 + [0, 0, 0.004], tip, tip + d * 0.022 - [0, 0, 0.010]]
            leg += chain(toe, [0.017, 0.014, 0.011, 0.004], k=0.01)
        V, Q = mesh(leg, 0.0075)
        hen.add(V, Q, shank * (0.8 + 0.3 * (np.sin(V[:, 2] * 260) > -0.3))[:, None], "legs")
    for y in (1, -1):
        W = Frame(T((0.02, y * 0.195 * plump, 0.045)), T.vec((-1, -0.12 * y, -0.10)))
        hen.body.append(W.ball((0.02, 0, 0), (0.25, 0.05, 0.125), "wing", k=0.03, flow=(1, 0, 0.12)))

    seed = int(rng.integers(1 << 20))
    skin = {"wing": wing, "head": hackle * 0.6 + red * 0.4, None: plain}
    hen.colour = lambda s: by_tag(skin, s.part) * (0.75 + 0.3 * fbm(s.V * 7, 2, seed))[:, None]
    tones = {"head": hackle, "neck": hackle, "wing": wing, "saddle": plain * 0.5 + hackle * 0.5, None: plain}
    k = 1 if breed == "laced" else 0.6
    bird.cover(hen, rng, 1900, FEATHERS, lambda P, tags: by_tag(tones, tags), (0.82, 1.16), 0.003,
               (0.55, 0.6), lambda tone: rim * k + tone * (1 - k), tilt=0.13, curve=0.06, bars=bars(2.0))
    n, s = 11, np.linspace(0, 1, 11)[:, None]
    for y in (1, -1):  # flight feathers, laid along the lower rear of the wing
        roots = T(np.hstack([0.10 - 0.18 * s, y * (0.245 - 0.02 * s), 0.055 - 0.115 * (1 - s)]))
        N, flow = (np.tile(unit(T.vec(v)), (n, 1)) for v in ((-0.1, y, 0.25), (-1, -0.16 * y, 0.10)))
        tone = wing * rng.uniform(0.72, 0.9, (n, 1))
        hen.feathers(rng, roots + N * 0.016 * s, N, flow, np.linspace(0.26, 0.36, n), np.full(n, 0.062), tone,
                     tone * 0.5 + rim * 0.5, "wing", curve=0.06, bars=bars(3.5), rows=6)
    # the tail: two fans that meet in a ridge
    n, a, side = 22, np.repeat(np.linspace(-1, 1, 11), 2)[:, None], np.tile([1, -1], 11)[:, None]
    behind, above, left = T.vec(BACK), T.vec(UP), np.array(LEFT, float)
    angle = np.arctan2(up @ above, up @ behind) + a * rng.uniform(0.30, 0.50)
    flow = unit(np.cos(angle) * behind + np.sin(angle) * above + left * (side * 0.20 * (1 - 0.5 * a)))
    roots = rump + 0.13 * up + left * (side * 0.03) + 0.05 * a * above
    N = unit(np.cross(flow, np.cross(left * side, flow)))
    tone = tail * rng.uniform(0.8, 1.1, (n, 1))
    length = 0.29 * rng.uniform(0.9, 1.1, n) * (1.1 - 0.15 * np.abs(a[:, 0]))
    hen.feathers(rng, roots, N, flow, length, np.full(n, 0.085), tone, tone * 0.6 + rim * 0.4, "tail",
                 curve=-0.05, bars=bars(4), rows=6)
    hen.cap = {"centre": (0.004, 0, 0.046), "radius": 0.108, "tilt": 4, "wide": 0.90, "tall": 1.0}
    hen.cap["tuck"] = "comb"
    return hen

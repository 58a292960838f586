"""Pig: a barrel on short legs, a disc for a snout, a curly tail."""

import numpy as np

from .. import quadruped
from ..animal import Animal
from ..pattern import bump, darken, fbm, mix, srgb
from ..solids import BACK, chain


def build(rng):
    pig = Animal("head", "ears", "snout", "body", "legs", "tail")
    pose = str(rng.choice(["stand", "walk"]))
    fat = rng.uniform(0.92, 1.1)
    quadruped.build(
        pig, rng, pose, length=0.78, shoulder=0.62, hip=0.63, chest=(0.27, 0.225 * fat, 0.25),
        belly=0.255 * fat, rump=(0.27, 0.225 * fat, 0.25), sag=0.05, fore=(0.12, 0.080, 0.052, 0.050),
        hind=(0.17, 0.10, 0.055), stance=0.135, pastern=0.11, hock=0.18, neck=0.14, neck_radii=(0.215, 0.175),
        neck_up=4, head_pitch=-22, hock_back=-0.05, head_up=0.0, stride=0.13, look=26,
    )
    H, body = pig.head, pig.body
    body += [
        H.ball((0.02, 0, 0), (0.175, 0.155, 0.16), "head", k=0.08),
        *(H.ball((0.03, y * 0.09, -0.07), (0.11, 0.07, 0.09), "head", k=0.06) for y in (1, -1)),
        H.cone((0.12, 0, -0.03), (0.235, 0, -0.045), 0.100, 0.066, "snout", k=0.06, flow=BACK),
        H.cone((0.296, 0, -0.043), (0.306, 0, -0.043), 0.080, 0.078, "snout", "disc", k=0.012, flow=BACK,
               flat=((1, 0, 0), 0.25)),
        H.cone((0.10, 0, -0.11), (0.235, 0, -0.115), 0.055, 0.032, "snout", k=0.03, flow=BACK),
    ]
    flop = max(rng.uniform(-0.2, 1), 0)
    for y in (1, -1):
        root, tip = (-0.02, y * 0.115, 0.105), (0.02 + 0.13 * flop, y * 0.20, 0.27 - 0.17 * flop)
        body.append(H.cone(root, tip, 0.075, 0.018, "ears", k=0.03, flat=((1, y * 0.25, 0.9 * flop), 0.22)))
    for y in (1, -1):
        nostril = [H.ball((0.324, y * 0.027, -0.045), (0.008, 0.013, 0.021))]
        pig.blob(nostril, (0.12, 0.03, 0.03), "snout", cell=0.007)
        pig.eye(((0.138, y * 0.098, 0.055)), ((0.7, y * 0.7, 0.1)), 0.020, srgb("#4a2a16"))
    root = pig.trunk((-0.78 * 0.5 - 0.27 * 0.70, 0, 0.10))
    q = np.linspace(0, 1, 15)
    a, wide = q * 2 * np.pi * 1.4, np.minimum(1, q * 4)
    y, z = 0.045 * np.sin(a) * wide, 0.045 * (1 - np.cos(a)) * wide - 0.03 * q
    curl = root + np.stack([-0.06 - 0.07 * q, y, z], 1)
    body += chain([root + [0.05, 0, 0], *curl], [0.03, *np.linspace(0.024, 0.013, 15)], "tail", k=0.02)

    kind = str(rng.choice(["pink", "spotted", "saddle"], p=[0.65, 0.2, 0.15]))
    base = srgb("#e0a595") * rng.uniform(0.85, 1.1) * rng.uniform(0.96, 1.04, 3)
    dark = srgb("#2b2422")
    seed = int(rng.integers(1 << 20))
    mud = rng.random() * 0.7

    def colour(s):
        p, z = H.inv(s.V), s.V[:, 2]
        c = base * (0.85 + 0.3 * fbm(s.V * 5, 3, seed))[:, None]
        c = np.where(np.isin(s.tag, ["disc", "ears", "tail"])[:, None], c * np.array([1.02, 0.78, 0.78]), c)
        if kind == "spotted":
            c = np.where((fbm(s.V * 4.2, 2, seed + 2) > 0.60)[:, None], dark, c)
        if kind == "saddle":
            before = pig.trunk.inv(s.V)[:, 0] + 0.06 * (fbm(s.V * 6, 2, seed) - 0.5) < 0.12
            c = np.where((before & (s.tag != "disc") | np.isin(s.part, ["head", "ears"]))[:, None], dark, c)
        lip = bump(p[:, 2] + 0.092, 0.009) * (p[:, 0] > 0.10) * (p[:, 0] < 0.28)
        c = darken(c, 0.6 * (lip * np.isin(s.part, ["head", "snout"])))
        dirt = np.clip((0.30 - z) * 3 + 2 * (fbm(s.V * 6, 3, seed + 5) - 0.55), 0, 1) * mud
        return np.where((z < 0.045)[:, None], srgb("#3a2f28"), mix(c, srgb("#4a3524"), dirt))

    pig.colour = colour
    pig.fur = {"n": 9000, "length": 0.035, "radius": 0.0016, "lift": 0.22, "jitter": 0.12}
    pig.cap = {"centre": (0.03, 0, 0.104), "radius": 0.172, "tilt": 12, "wide": 0.92, "tall": 1.0}
    return pig

"""Sheep: a woolly cloud on thin legs, a long bare face, ears held sideways."""

import numpy as np

from .. import quadruped
from ..animal import Animal
from ..pattern import bump, darken, fbm, mix, srgb
from ..solids import BACK, chain

BARE = ("head", "ears", "snout", "leg")


def build(rng):
    sheep = Animal("head", "ears", "snout", "body", "legs", "tail")
    pose = str(rng.choice(["stand", "walk", "graze"], p=[0.45, 0.3, 0.25]))
    fat = rng.uniform(0.92, 1.1)
    graze = pose == "graze"
    quadruped.build(
        sheep, rng, pose, length=0.62, shoulder=0.68, hip=0.69, chest=(0.27, 0.235 * fat, 0.255),
        belly=0.255 * fat, rump=(0.27, 0.235 * fat, 0.25), sag=0.02, fore=(0.09, 0.060, 0.040, 0.040),
        hind=(0.14, 0.075, 0.043), stance=0.125, pastern=0.13, hock=0.22, neck=0.26, neck_radii=(0.19, 0.125),
        neck_up=-38 if graze else 48, head_pitch=-62 if graze else -24, head_up=0.02, stride=0.13, look=30,
    )
    H, body = sheep.head, sheep.body
    body += [
        H.ball((0, 0, 0), (0.125, 0.098, 0.105), "head", fur=0.3),
        H.cone((0.06, 0, -0.015), (0.225, 0, -0.045), 0.082, 0.052, "snout", k=0.06, flow=BACK, fur=0.25),
        H.cone((0.05, 0, -0.075), (0.195, 0, -0.088), 0.048, 0.034, "snout", k=0.03, flow=BACK, fur=0.25),
        H.ball((-0.055, 0, 0.055), (0.085, 0.085, 0.07), "body", k=0.04),
    ]
    for y in (1, -1):
        tip, flat = (-0.035, y * 0.215, 0.010 - rng.uniform(0, 0.05)), ((0.5, 0, 1), 0.4)
        body.append(H.cone((-0.02, y * 0.085, 0.035), tip, 0.040, 0.016, "ears", k=0.02, fur=0.3, flat=flat))
        sheep.eye(((0.068, y * 0.078, 0.028)), ((0.5, y * 0.85, 0.1)), 0.020, srgb("#b08a3a"))
    nose = [H.ball((0.268, y * 0.020, -0.035), (0.010, 0.010, 0.014)) for y in (1, -1)]
    nose.append(H.cone((0.272, 0, -0.045), (0.262, 0, -0.075), 0.006, 0.005))
    sheep.blob(nose, (0.05, 0.03, 0.03), "snout", cell=0.007)
    root = sheep.trunk((-0.62 * 0.5 - 0.22, 0, 0.08))
    body += chain([root, root + [-0.06, 0, -0.08], root + [-0.06, 0, -0.22]], [0.06, 0.055, 0.035], "tail")

    face = str(rng.choice(["dark", "white", "mottled"], p=[0.45, 0.4, 0.15]))
    wool = srgb(rng.choice(["#e6dcc6", "#d9ccb0", "#efe9dc", "#cbbfa8"])) * rng.uniform(0.9, 1.05)
    if rng.random() < 0.08:
        wool, face = srgb("#3a302a"), "dark"
    skin = srgb({"dark": "#2a2422", "white": "#e0d5c4", "mottled": "#8d8074"}[face])
    seed = int(rng.integers(1 << 20))

    def woolly(s):
        return s.weight @ np.array([solid.tag not in BARE for solid in body], float)

    def locks(V):
        return np.abs(fbm(V * 11, 2, seed) - 0.5) * 2

    def colour(s):
        p, z = H.inv(s.V), s.V[:, 2]
        fleece = wool * (1.05 - 0.35 * np.clip(locks(s.V) * 1.4, 0, 1))[:, None]
        fleece = darken(fleece, 0.25 * np.clip(0.5 - z, 0, 0.5) * 2)
        c = skin * (0.85 + 0.3 * fbm(s.V * 9, 2, seed))[:, None]
        if face == "mottled":
            c = np.where((fbm(s.V * 14, 2, seed + 8) > 0.5)[:, None], srgb("#2a2422"), srgb("#d8cdbd"))
        lip = bump(p[:, 2] + 0.072, 0.007) * (p[:, 0] > 0.12) * np.isin(s.part, ["head", "snout"])
        c = np.where((z < 0.05)[:, None], srgb("#2a2522"), darken(c, 0.5 * lip))
        return mix(c, fleece, np.clip((woolly(s) - 0.3) * 3, 0, 1))

    def displace(s):
        return woolly(s) * (0.045 - 0.055 * locks(s.V) + 0.02 * (fbm(s.V * 4, 2, seed + 3) - 0.5))

    sheep.displace, sheep.colour = displace, colour
    sheep.fur = {"n": 26000, "length": 0.040, "radius": 0.0042, "lift": 0.9, "curl": 1.3, "jitter": 0.14,
                 "density": dict.fromkeys(BARE, 0.8)}
    sheep.cap = {"centre": (-0.03, 0, 0.080), "radius": 0.148, "tilt": 12, "wide": 0.95, "tall": 0.95}
    return sheep

"""Dairy cow: a deep square body, patches, a broad pink muzzle, short horns, ears held sideways."""

import numpy as np

from .. import quadruped
from ..animal import Animal
from ..pattern import bump, darken, fbm, mix, srgb
from ..solids import BACK, ball, chain, cone

COATS = {"holstein": "#1d1b1b", "red holstein": "#7a3a1c", "brown": "#6f4526", "jersey": "#a97442"}


def build(rng):
    cow = Animal("head", "ears", "muzzle", "horns", "body", "udder", "legs", "tail")
    pose = str(rng.choice(["stand", "walk", "graze"], p=[0.45, 0.3, 0.25]))
    fat = rng.uniform(0.94, 1.08)
    graze = pose == "graze"
    quadruped.build(
        cow, rng, pose, length=1.12, shoulder=0.80, hip=0.83, chest=(0.32, 0.225 * fat, 0.335),
        belly=0.305 * fat, rump=(0.28, 0.235 * fat, 0.275), sag=0.05, fore=(0.12, 0.075, 0.045, 0.046),
        hind=(0.17, 0.09, 0.050), stance=0.125, pastern=0.15, hock=0.26, neck=0.58 if graze else 0.40,
        neck_radii=(0.215, 0.140), neck_up=-50 if graze else 20, head_pitch=-70 if graze else -32,
        hind_back=-0.07, head_up=0.03, stride=0.15, look=30,
    )
    H, T, body = cow.head, cow.trunk, cow.body
    body += [
        H.ball((0, 0, 0.005), (0.135, 0.118, 0.115), "head", k=0.06),
        H.cone((0.05, 0, -0.005), (0.235, 0, -0.045), 0.100, 0.068, "head", "face", k=0.06, flow=BACK),
        H.ball((0.275, 0, -0.055), (0.060, 0.078, 0.062), "muzzle", k=0.04, fur=0.2),
        H.cone((0.06, 0, -0.095), (0.245, 0, -0.105), 0.055, 0.042, "head", "jaw", k=0.04, flow=BACK),
    ]
    for y in (1, -1):
        tip, flat = (-0.060, y * 0.265, 0.020 - rng.uniform(-0.02, 0.05)), ((0.55, 0, 1), 0.38)
        body.append(H.cone((-0.035, y * 0.110, 0.035), tip, 0.056, 0.026, "ears", k=0.02, flat=flat))
        cow.eye(((0.095, y * 0.098, 0.040)), ((0.5, y * 0.85, 0.1)), 0.024, (0.02, 0.012, 0.008), pupil=0.45)
        nostril = [H.ball((0.322, y * 0.040, -0.035), (0.012, 0.014, 0.012))]
        cow.blob(nostril, (0.03, 0.015, 0.015), "muzzle", cell=0.007)
    if rng.random() < 0.6:
        for y in (1, -1):
            k = rng.uniform(0.7, 1.2)
            horn = [(-0.045, y * 0.085, 0.085), (-0.04, y * (0.085 + 0.065 * k), 0.125),
                    (-0.01, y * (0.085 + 0.085 * k), 0.125 + 0.075 * k)]
            solids = H.chain(horn, [0.028, 0.022, 0.006], k=0.02)
            cow.blob(solids, srgb("#d8ccb0") * 0.9, "horns", "wet", cell=0.009)
    for y in (1, -1):  # hip bones
        body.append(ball(T((-1.12 * 0.38, y * 0.16, 0.19)), (0.10, 0.05, 0.06), "body", k=0.08))
    bag = T((-0.31, 0, -0.25))
    udder = [ball(bag, (0.145, 0.115, 0.105))]
    for x in (-0.045, 0.045):
        for y in (-0.045, 0.045):
            udder.append(cone(bag + [x, y, -0.06], bag + [x, y, -0.115], 0.017, 0.013, k=0.02))
    cow.blob(udder, srgb("#dba795"), "udder", cell=0.012)
    root = T((-1.12 * 0.5 - 0.20, 0, 0.15))
    w = rng.normal(0, 0.05)
    hang = ((0, 0, 0), (-0.06, 0, -0.06), (-0.07, w * 0.5, -0.28), (-0.06, w, -0.48), (-0.06, w * 1.1, -0.60))
    body += chain(root + np.array(hang), [0.045, 0.032, 0.022, 0.034, 0.014], "tail", k=0.03, fur=1.6)

    coat = str(rng.choice(list(COATS), p=[0.5, 0.2, 0.15, 0.15]))
    white, dark, patched = srgb("#ece6da"), srgb(COATS[coat]), "holstein" in coat
    seed, level = int(rng.integers(1 << 20)), rng.uniform(0.44, 0.54)
    pink = srgb("#d9a593") if patched and rng.random() < 0.6 else srgb("#3a302d")

    def patches(s, p, q):
        k = np.clip((fbm(q * [2.6, 2.0, 2.2] + 5, 2, seed, gain=0.3) - level) * 40, 0, 1)
        k = np.where((s.tag == "leg") | (q[:, 2] < -0.2), 0, k)
        x, y, z = p.T
        blaze = (np.abs(y) < 0.030 + 0.03 * np.clip(x * 3, 0, 1)) & (z > -0.08) & (x > -0.06)
        k = np.where(np.isin(s.part, ["head", "ears"]), np.where(blaze, 0, 1), k)
        return np.where((s.tag == "tail") & (s.V[:, 2] < root[2] - 0.3), 0, k)

    def colour(s):
        p, q = H.inv(s.V), T.inv(s.V)
        if patched:
            c = mix(white, dark, patches(s, p, q))
        else:
            c = dark * (0.75 + 0.4 * np.clip(-s.N[:, 2], 0, 1) + 0.2 * fbm(s.V * 3, 2, seed))[:, None]
        c = c * (0.88 + 0.24 * fbm(s.V * 6, 2, seed + 2))[:, None]
        if not patched:  # a pale ring before the muzzle
            ring = np.clip(1.6 - np.abs(p[:, 0] - 0.235) / 0.02, 0, 1)
            c = mix(c, white, ring * np.isin(s.tag, ["face", "muzzle", "jaw"]))
        c = np.where(((s.tag == "muzzle") & (p[:, 0] > 0.255))[:, None], pink, c)
        c = darken(c, 0.6 * (bump(p[:, 2] + 0.092, 0.007) * (p[:, 0] > 0.22)))
        return np.where((s.V[:, 2] < 0.055)[:, None], srgb("#2e2823"), c)

    cow.colour = colour
    cow.fur = {"n": 26000, "length": 0.030, "radius": 0.0034}
    cow.cap = {"centre": (-0.01, 0, 0.080), "radius": 0.150, "tilt": 10, "wide": 0.95, "tall": 1.0}
    return cow

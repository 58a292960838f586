"""Labrador retriever: a broad head with a stop, hanging ears, straight legs, an otter's tail."""

import numpy as np

from .. import quadruped
from ..animal import Animal
from ..pattern import bump, darken, fbm, mix, srgb
from ..solids import BACK, chain


def build(rng):
    dog = Animal("head", "ears", "snout", "body", "legs", "tail")
    pose = str(rng.choice(["stand", "walk", "sit"], p=[0.35, 0.3, 0.35]))
    fat = rng.uniform(0.94, 1.08)
    quadruped.build(
        dog, rng, pose, length=0.62, shoulder=0.735, hip=0.745, chest=(0.245, 0.165 * fat, 0.235),
        belly=0.178 * fat, rump=(0.20, 0.155 * fat, 0.185), chest_up=-0.03, tuck=0.14,
        fore=(0.105, 0.072, 0.047, 0.045), hind=(0.15, 0.092, 0.046), stance=0.105, pastern=0.15, hock=0.23,
        paw=(0.062, 0.056, 0.038), neck=0.285, neck_radii=(0.172, 0.130), neck_up=50, head_pitch=-8, sit=52,
        hind_back=-0.07, head_up=0.045,
    )
    H, body = dog.head, dog.body
    body.append(H.ball((0, 0, 0), (0.146, 0.143, 0.121), "head", k=0.06, fur=0.5))
    for y in (1, -1):
        body += [
            H.ball((0.065, y * 0.045, 0.045), (0.06, 0.05, 0.045), "head", k=0.04, fur=0.4),
            H.ball((0.04, y * 0.065, -0.05), (0.085, 0.06, 0.065), "head", fur=0.5),
        ]
    gape = min(max(0.0, rng.normal(0.05, 0.16)) if rng.random() < 0.6 else 0.0, 0.35)
    short = {"flow": BACK, "fur": 0.3}
    body.append(H.cone((0.09, 0, -0.03), (0.245, 0, -0.04), 0.086, 0.071, "snout", k=0.045, **short))
    for y in (1, -1):
        body.append(H.ball((0.185, y * 0.034, -0.065), (0.085, 0.036, 0.045), "snout", k=0.03, fur=0.3))
    jaw, J = np.array([0.04, 0, -0.095]), np.array([np.cos(gape), 0, -np.sin(gape)])
    body.append(H.cone(jaw, jaw + 0.17 * J, 0.055, 0.036, "snout", k=0.03, **short))
    perk = rng.uniform(-0.01, 0.03)
    for y in (1, -1):  # hanging triangles
        form = {"fur": 0.5, "flat": ((0.10, 1, 0.20 * y), 0.34)}
        a, b = (-0.015, y * 0.118, 0.058 + perk), (0.022, y * 0.154, -0.062)
        c, d = (0.022, y * 0.154, -0.060), (0.036, y * 0.150, -0.112)
        body.append(H.cone(a, b, 0.060, 0.058, "ears", k=0.03, **form))
        body.append(H.cone(c, d, 0.056, 0.030, "ears", k=0.02, **form))
    nose = [H.ball((0.302, 0, -0.018), (0.022, 0.040, 0.030)),
            H.ball((0.290, 0, -0.050), (0.012, 0.012, 0.030), k=0.02)]
    dog.blob(nose, rng.choice([0.006, 0.012, 0.03]) * np.array([1.2, 1, 0.95]), "snout", "wet", cell=0.008)
    for y in (1, -1):
        dog.eye(((0.121, y * 0.066, 0.035)), ((0.82, y * 0.5, 0.08)), 0.0205, srgb("#3a1d0c"), pupil=0.55)
    if gape > 0.12:
        L = rng.uniform(0.11, 0.17)
        tongue = [
            jaw + 0.05 * J + [0, 0, 0.03],
            jaw + 0.16 * J + [0, 0, 0.035],
            jaw + (0.16 + L * 0.3) * J + [0.01, 0, 0.005],
            jaw + (0.16 + L * 0.35) * J + [0.012, 0, -L * 0.55],
        ]
        solids = H.chain(tongue, [0.028, 0.033, 0.034, 0.026], flat=((0.35, 0, 1), 0.45))
        dog.blob(solids, srgb("#d9727a"), "snout", "wet", cell=0.009)
    if pose == "sit":
        root = dog.trunk((-0.62 * 0.5 - 0.20 * 0.75, 0, -0.02))
        root[2] = max(root[2], 0.07)
        pitches, lengths = [-5, 3, 6, 8, 10], [0.12] * 5
    else:
        root = dog.trunk((-0.62 * 0.5 - 0.20 * 0.62, 0, 0.085))
        up = rng.uniform(-35, 40)
        pitches = [-25 + up * 0.3, -10 + up * 0.8, up, up + 10, up + 18]
        lengths = [0.11, 0.12, 0.12, 0.11, 0.10]
    tail, wag = [root], rng.normal(0, 0.3)
    for i, (a, length) in enumerate(zip(np.radians(pitches), lengths), 1):
        y = wag * i / 5
        d = np.array([-np.cos(a) * np.cos(y), np.cos(a) * np.sin(y) + 0.3 * np.sin(y), np.sin(a)])
        tail.append(tail[-1] + length * d)
    body += chain(tail, [0.074, 0.072, 0.061, 0.047, 0.032, 0.014], "tail", k=0.05, fur=1.4)

    tone = rng.random()
    base = srgb("#e2c084") * (1 - tone) + srgb("#c48f48") * tone
    if rng.random() < 0.25:
        base = srgb("#e9d8b2")
    pale = base * 0.55 + srgb("#efe0c2") * 0.45
    seed = int(rng.integers(1 << 20))

    def colour(s):
        p, up = H.inv(s.V), s.N[:, 2]
        x, y, z = p.T
        c = mix(base, pale, np.clip(-up * 0.9 + 0.05, 0, 1))
        c = mix(c, base * np.array([0.9, 0.82, 0.72]), np.clip(up - 0.4, 0, 1) * 0.5)
        c = np.where((s.part == "ears")[:, None], base * np.array([0.82, 0.70, 0.56]), c)
        c = c * (0.86 + 0.28 * fbm(s.V * 5, 3, seed))[:, None]
        head = np.isin(s.part, ["head", "snout"])
        # the mouth's line, the nose's groove, dark rims of the eyes, the stop
        line = bump(z + 0.098 - 0.5 * np.clip(0.13 - x, 0, 1), 0.009) * (x > 0.07)
        line = line * np.clip((0.285 - x) / 0.05, 0.25, 1) * (x < 0.30) * 0.75
        line = np.maximum(line, bump(y, 0.006) * (x > 0.24) * (z < -0.05) * (z > -0.10) * 0.6)
        for side in (1, -1):
            e = np.linalg.norm((p - [0.121, side * 0.066, 0.035]) / [1, 1, 0.85], axis=1)
            line = np.maximum(line, bump(e, 0.029, 6))
        stop = np.exp(-((p - [0.115, 0, 0.02]) ** 2 / [0.002, 0.0012, 0.0012]).sum(1))
        return darken(darken(c, 0.82 * (line * head)), 0.22 * (stop * head))

    dog.colour = colour
    dense = dict.fromkeys(["head", "ears", "snout"], 2.2)
    dog.fur = {"n": 30000, "length": 0.034, "radius": 0.0036, "density": dense}
    dog.cap = {"centre": (0.004, 0, 0.058), "radius": 0.152, "tilt": 3, "wide": 0.97}
    return dog

"""Tabby cat: a round head, pointed ears, an M on the forehead, barred flanks, rings round legs and tail."""

import numpy as np

from .. import quadruped
from ..animal import Animal
from ..pattern import bump, darken, fbm, mix, srgb, value_noise
from ..solids import BACK, chain, smooth_path, unit

COATS = {  # ground colour, stripes, pale (chin, belly), eyes, strength of the stripes
    "brown": ("#a1815a", "#33261a", "#dcc6a2", "#a7b23a", 0.95),
    "grey": ("#9a9790", "#4a4742", "#d9d5cb", "#9fb04a", 0.92),
    "silver": ("#b3b2ae", "#605f60", "#e6e4de", "#7fb06a", 0.88),
    "orange": ("#dd9a55", "#a9561d", "#f3dcb8", "#c08a2a", 0.9),
}


def build(rng):
    cat = Animal("head", "ears", "face", "body", "legs", "tail")
    pose = str(rng.choice(["stand", "walk", "sit"], p=[0.25, 0.3, 0.45]))
    *colours, bold = COATS[str(rng.choice(list(COATS), p=[0.40, 0.25, 0.10, 0.25]))]
    base, dark, pale, iris = map(srgb, colours)
    base = base * rng.uniform(0.9, 1.1) * rng.uniform(0.96, 1.04, 3)
    fat = rng.uniform(0.92, 1.10)
    quadruped.build(
        cat, rng, pose, length=0.86, shoulder=0.70, hip=0.72, chest=(0.235, 0.165 * fat, 0.205),
        belly=0.175 * fat, rump=(0.22, 0.165 * fat, 0.20), tuck=0.02, sag=0.015,
        fore=(0.095, 0.070, 0.052, 0.050), hind=(0.165, 0.095, 0.052), stance=0.085, pastern=0.13, hock=0.22,
        paw=(0.062, 0.060, 0.042), neck=0.24, neck_radii=(0.165, 0.130), neck_up=36, head_pitch=-6, sit=54,
        hind_back=-0.02, hock_back=-0.10, head_up=0.05, stride=0.2, look=34,
    )
    H, T, body = cat.head, cat.trunk, cat.body
    body.append(H.ball((0, 0, 0), (0.145, 0.162, 0.138), "head", k=0.06, fur=0.5))
    for y in (1, -1):
        body += [
            H.ball((0.045, y * 0.085, -0.055), (0.085, 0.078, 0.065), "head", flow=(-0.7, y, -0.3), fur=0.7),
            H.ball((0.142, y * 0.030, -0.062), (0.036, 0.038, 0.032), "face", k=0.03,
                 flow=(-0.3, y, -0.3), fur=0.3),
        ]
    body += [
        H.cone((0.085, 0, 0.035), (0.150, 0, -0.030), 0.045, 0.030, "face", k=0.04, flow=BACK, fur=0.25),
        H.ball((0.115, 0, -0.098), (0.042, 0.040, 0.030), "face", k=0.03, flow=(-0.3, 0, -1), fur=0.35),
    ]
    for y in (1, -1):  # cupped triangles
        low, high = np.array([-0.022, y * 0.100, 0.085]), np.array([-0.020, y * 0.148, 0.235])
        axis = (1, y * 0.45, 0.15)
        body.append(H.cone(low, high, 0.082, 0.010, "ears", k=0.025, fur=0.35, flat=(axis, 0.26)))
        inside = low + np.array([0.017, y * 0.006, -0.008])
        ends = inside + [0.004, 0, 0.015], inside + (high - low) * 0.72
        cat.blob([H.cone(*ends, 0.052, 0.008, flat=(axis, 0.16))], srgb("#cf9d8d") * 0.85, "ears", cell=0.012)
    for y in (1, -1):
        cat.eye(((0.106, y * 0.066, 0.015)), ((0.93, y * 0.30, 0.05)), 0.037, iris * rng.uniform(0.8, 1.2),
                pupil=rng.uniform(0.35, 0.75), slit=rng.random() < 0.5)
    nose = [H.ball((0.180, 0, -0.038), (0.012, 0.019, 0.011)),
            H.ball((0.178, 0, -0.050), (0.008, 0.008, 0.012), k=0.012)]
    cat.blob(nose, srgb("#b8685c") if rng.random() < 0.7 else srgb("#4a2f28"), "face", "wet", cell=0.006)
    whiskers, along = [], np.linspace(0, 1, 4)[:, None]
    for y in (1, -1):
        for i in range(7):
            root = np.array([0.165, y * 0.040, -0.060 - 0.008 * (i % 3)])
            d = unit([rng.uniform(0.05, 0.35), y, rng.uniform(-0.30, 0.22)])
            whiskers.append(H(root + d * rng.uniform(0.16, 0.24) * along - [0, 0, 0.04] * along**2))
    cat.whiskers.append((np.array(whiskers), 0.0013, (0.8, 0.8, 0.78), unit(H.vec((0.6, 0, 0.8))), "face"))

    a = np.linspace(0, 1, 8)
    if pose == "sit":  # round the feet, on one side
        root = T((-0.86 * 0.5 - 0.08, 0, -0.05))
        root[2] = 0.07
        side, wrap = rng.choice([-1, 1]), rng.uniform(1.2, 2.9)
        x = -0.05 * np.sin(np.pi * a) - 0.28 * np.sin(wrap * a) * 0.5
        x = x + 0.75 * np.maximum(0, a - 0.35) * (wrap > 2)
        y = side * (0.34 * np.sin(wrap * a * 0.62) + 0.04 * a)
        tail = smooth_path(root + np.stack([x, y, -0.005 * a], 1), 9)
    else:
        root = T((-0.86 * 0.5 - 0.22 * 0.72, 0, 0.10))
        if rng.random() < 0.5:  # carried high
            pitch = 30 + 55 * np.minimum(1, a * 3) - rng.uniform(0, 60) * a**3
        else:  # trailing
            pitch = -45 + rng.uniform(30, 60) * a + rng.uniform(0, 40) * a**3
        tail, w = [root], rng.normal(0, 0.5)
        for t, f in zip(np.radians(pitch), a):
            d = np.array([-np.cos(t), np.cos(t) * w * f + 0.25 * w * f, np.sin(t)])
            tail.append(tail[-1] + 0.105 * d)
    tail = np.array(tail)
    body += chain(tail, [*np.linspace(0.056, 0.036, len(tail) - 1), 0.022], "tail", k=0.05, fur=1.1)

    seed, freq = int(rng.integers(1 << 20)), rng.uniform(50, 66)
    socks, bib = rng.random() < 0.25, rng.random() < 0.35
    breast = T((0.86 * 0.45, 0, 0))[0]

    def stripes(s, p, q, leg, head, wob, fine):
        """How dark, 0 to 1: bars down the flanks, a line along the spine, rings, the M on the forehead."""

        def bars(wave, grain, level, gain):
            return np.clip((np.sin(wave) + grain * fine - level) * gain, 0, 1)

        flank = freq * (q[:, 0] + 0.18 * q[:, 2] + 0.22 * wob * (1 + 1.5 * np.abs(q[:, 1])))
        gate = value_noise(np.c_[q[:, 0] * 7, q[:, 2] * 4, np.sign(q[:, 1])], seed + 7)
        k = bars(flank, 2.8, 0.20, 1.8) * np.clip((gate - 0.22) * 3, 0, 1)
        k = np.maximum(k, bump(q[:, 1], 0.045) * (q[:, 2] > 0.05) * 0.95)
        x, z = s.V[:, 0], s.V[:, 2]
        ring = bars(z * 52 + x * 12 + 2.5 * wob, 1.5, 0.25, 2.2)
        k = np.where(leg, 0.85 * ring * np.clip(z * 9 - 0.3, 0, 1), k)
        k = np.where(s.tag == "thigh", bars(z * 48 - x * 26 + 3 * wob, 2.6, 0.3, 1.7), k)
        on_tail = _along(s.V, tail)
        k = np.where(s.part == "tail", np.maximum(bars(on_tail * 47 + 1.0, 1.2, 0.1, 2.6), on_tail > 0.80), k)
        k = np.where(s.tag == "neck", bars(38 * p[:, 0] + 3 * wob, 2, 0.35, 1.8) * 0.8, k) * bold
        x, y, z = p[:, 0], np.abs(p[:, 1]), p[:, 2]
        M = bump(y - 0.068 - 0.25 * (z - 0.06), 0.014) * (z > 0.045) * (z < 0.15)
        M = np.maximum(M, bump(y - 0.024, 0.012) * (z > 0.075))
        M = np.maximum(M, bump((z - 0.080) - 0.62 * np.abs(y - 0.046), 0.013) * (y < 0.075) * (x > 0.02))
        crown = bump(((y + 0.012) % 0.046) - 0.023, 0.010) * (x < 0.03) * (z > 0.05)
        cheek = bump(z + 0.030 - 0.32 * (y - 0.09) + 0.10 * (x - 0.06), 0.011) * (y > 0.095)
        cheek = np.maximum(cheek, bump(z + 0.082 - 0.30 * (y - 0.09), 0.011) * (y > 0.10) * 0.9)
        k = np.where(head, np.maximum.reduce([M, crown, cheek]) * np.clip(0.75 + 1.2 * fine, 0, 1), k)
        return np.where(s.part == "ears", 0.30 + 0.3 * (z > 0.2), k)

    def colour(s):
        p, q = H.inv(s.V), T.inv(s.V)
        wob, fine = fbm(s.V * 4.5, 3, seed) - 0.5, fbm(s.V * 26, 2, seed + 3) - 0.5
        leg, head = np.isin(s.tag, ["leg", "paw"]), np.isin(s.part, ["head", "face"])
        k = stripes(s, p, q, leg, head, wob, fine)
        c = base * (0.88 + 0.5 * wob + 0.5 * fine)[:, None]
        under = np.clip(-s.N[:, 2] * 1.1 + 0.05, 0, 1) * ~leg * ~head
        if bib:
            white = np.clip((s.V[:, 0] - breast) * 12, 0, 1) * (s.N[:, 0] > 0.3) * (np.abs(s.V[:, 1]) < 0.09)
            under = np.maximum(under, white * ~head)
        c = mix(c, pale, under)
        c = darken(c, k * (1 - under * 0.8)) + dark * (k * (1 - under * 0.8))[:, None]
        muzzle = np.linalg.norm((p - [0.150, 0, -0.082]) / [0.055, 0.062, 0.042], axis=1)
        muzzle = np.clip(1.5 - muzzle, 0, 1) * head
        rim = halo = 0.0
        for y in (1, -1):
            e = np.linalg.norm((p - [0.106, y * 0.066, 0.015]) / [1, 1, 0.9], axis=1)
            rim = np.maximum(rim, bump(e, 0.0445, 10))
            halo = np.maximum(halo, bump(e, 0.060, 6))
        c = mix(c, pale, np.maximum(muzzle, 0.55 * halo * head))
        c = darken(c, 0.9 * (rim * head))
        y = np.abs(p[:, 1])
        mouth = bump(p[:, 2] + 0.090 - 0.25 * y, 0.005) * (p[:, 0] > 0.12) * (y < 0.05)
        c = darken(c, 0.7 * (mouth * head))
        return np.where((socks & leg & (s.V[:, 2] < 0.16))[:, None], pale * 1.1, c)

    cat.colour, cat.cell = colour, 0.0125
    dense = dict.fromkeys(["head", "ears", "face"], 2.4)
    cat.fur = {"n": 30000, "length": 0.040, "radius": 0.0036, "density": dense}
    cat.cap = {"centre": (-0.005, 0, 0.062), "radius": 0.152, "tilt": 6, "wide": 0.98}
    return cat


def _along(V, path):
    """Arc length, 0 to 1, of the point of a polyline nearest to each of V (n, 3)."""
    nearest, where, run = np.full(len(V), 9.0), np.zeros(len(V)), 0.0
    for a, b, length in zip(path[:-1], path[1:], np.linalg.norm(np.diff(path, axis=0), axis=1)):
        t = np.clip((V - a) @ (b - a) / length**2, 0, 1)
        d = np.linalg.norm(V - a - t[:, None] * (b - a), axis=1)
        m = d < nearest
        nearest[m], where[m] = d[m], run + t[m] * length
        run += length
    return where / run

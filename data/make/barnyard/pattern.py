"""Colours (linear RGB, 0 to 1) and smooth random patterns."""

import itertools

import numpy as np


def srgb(code):
    """Linear RGB (3,) of a colour written "#rrggbb"."""
    c = np.array([int(code[i : i + 2], 16) for i in (1, 3, 5)]) / 255.0
    return np.where(c < 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def mix(a, b, k):
    """Colours `a` where k (n,) is 0, `b` where it is 1, blended between."""
    k = np.asarray(k)[:, None]
    return a * (1 - k) + b * k


def darken(colours, k):
    """Colours (n, 3), black where k (n,) is 1."""
    return colours * (1 - np.asarray(k)[:, None])


def bump(x, width, power=2):
    """1 where x is 0, falling off over a width; the higher the even power, the more like a box."""
    return np.exp(-((x / width) ** power))


def value_noise(p, seed=0):
    """Noise in 0..1 that changes over a length of one, at points p (..., 3)."""
    i = np.floor(p).astype(np.int64)
    f = p - i
    f = f * f * (3 - 2 * f)
    total = 0.0
    for corner in itertools.product((0, 1), repeat=3):
        wx, wy, wz = (f[..., d] if side else 1 - f[..., d] for d, side in enumerate(corner))
        x, y, z = (i[..., d] + side for d, side in enumerate(corner))
        h = (x * 374761393 + y * 668265263 + z * 2147483647 + seed * 974711) & 0xFFFFFFFF
        h = ((h ^ (h >> 13)) * 1274126177) & 0xFFFFFFFF
        total = total + wx * wy * wz * (((h ^ (h >> 16)) & 0xFFFF) / 65535.0)
    return total


def fbm(p, octaves, seed, gain=0.5):
    """Fractal noise in 0..1: octaves of noise, each twice as fine and `gain` times as strong as the last."""
    total, strength, sum_of_strengths = 0.0, 1.0, 0.0
    for octave in range(octaves):
        total = total + strength * value_noise(p * 2**octave + 17.3 * octave, seed + octave)
        sum_of_strengths += strength
        strength *= gain
    return total / sum_of_strengths

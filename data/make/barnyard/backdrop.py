"""What lies beyond the ground: a painted panorama out of focus, of sky, clouds, hills, trees, a barn."""

import numpy as np

from .pattern import fbm, mix, srgb, value_noise

WIDTH, HEIGHT = 896, 448


def _points(*coordinates):
    return np.stack(np.broadcast_arrays(*coordinates), -1)


def _blur(picture, sigma):
    """Gaussian blur by `sigma` pixels, round the panorama."""
    r = int(np.ceil(2.5 * sigma))
    kernel = np.exp(-0.5 * (np.arange(-r, r + 1) / sigma) ** 2)
    kernel /= kernel.sum()
    p = np.pad(picture, ((0, 0), (r, r), (0, 0)), "wrap")
    picture = sum(k * p[:, i : i + WIDTH] for i, k in enumerate(kernel))
    p = np.pad(picture, ((r, r), (0, 0), (0, 0)), "edge")
    return sum(k * p[i : i + HEIGHT] for i, k in enumerate(kernel))


def paint(rng, far, overcast, kind, sigma):
    """Paint a panorama.

    Parameters
    ----------
    far : (3,)
        Colour of the ground far off.
    overcast : float
        From 0, a clear sky, to 1.
    kind : {"trees", "barn", "hills", "sky"}
    sigma : float
        Blur in pixels; a pixel is 0.4 degrees.

    Returns
    -------
    ndarray, (448, 896, 3)
        Linear RGB, bottom row first; the horizon is the middle.
    """
    azimuth = (np.arange(WIDTH) + 0.5) / WIDTH * 2 * np.pi
    elevation = ((np.arange(HEIGHT) + 0.5) / HEIGHT - 0.5) * np.pi
    east, north = np.cos(azimuth), np.sin(azimuth)
    zenith = srgb("#3f78bd") * rng.uniform(0.8, 1.15) * (1 - overcast) + srgb("#aab2ba") * overcast
    low_sun = ["#f0d3b0", "#e9c9c0", "#e8e2d0"]
    clear = srgb("#bcd4e8") if rng.random() < 0.7 else srgb(rng.choice(low_sun))
    haze = clear * (1 - overcast) + srgb("#cfd3d6") * overcast
    height = np.sin(np.clip(elevation, 0, None)) ** rng.uniform(0.35, 0.75)
    picture = np.repeat(mix(haze, zenith, height)[:, None], WIDTH, 1)
    seed = int(rng.integers(1 << 20))
    up, tan = elevation > 0, np.tan(np.clip(elevation, 0.03, None))[:, None]
    above = _points(east / tan * 0.5, north / tan * 0.5, 0.0)[up]  # a plane
    clouds = fbm(above * 1.3 + 9, 4, seed)
    clouds = np.clip((clouds - (0.62 - 0.25 * overcast - rng.uniform(-0.05, 0.14))) / 0.16, 0, 1)[..., None]
    white = srgb("#f4f5f6") * rng.uniform(0.85, 1.05)
    picture[up] = picture[up] * (1 - 0.9 * clouds) + white * 0.9 * clouds

    def ridge(height, rough, frequency, colour, hues, seed, haziness, texture=40.0):
        """Hills or trees of this height (radians) along the horizon."""
        ring = _points(east * frequency, north * frequency, seed % 97.0)
        top = height * (1 - rough + 2 * rough * fbm(ring, 5, seed))
        rows = np.flatnonzero((elevation > -0.02) & (elevation < top.max() + 0.02))
        el = elevation[rows][:, None]
        p = _points(east * texture, north * texture, el * texture * 1.3)
        shade = 0.45 + 1.1 * np.clip((fbm(p, 3, seed + 5) - 0.25) * 1.6, 0, 1.2)
        c = (colour + hues * (value_noise(p * 0.15, seed + 9)[..., None] - 0.5)) * shade[..., None]
        picture[rows] = np.where((el < top)[..., None], c * (1 - haziness) + haze * haziness, picture[rows])

    green = srgb("#4d6b2c") * rng.uniform(0.7, 1.2)
    hues = np.array([0.10, 0.03, 0.0]) * rng.uniform(0.3, 1.6)
    if kind != "sky":
        ridge(rng.uniform(0.04, 0.12), 0.4, 1.2, srgb("#5f7d52"), hues * 0.5, seed + 1, 0.55, 8)
    if kind in ("trees", "barn"):
        trees = rng.uniform(0.12, 0.42), rng.uniform(0.4, 0.8), rng.uniform(2, 6)
        ridge(*trees, green, hues, seed + 2, rng.uniform(0.08, 0.3))
        ridge(rng.uniform(0.04, 0.14), 0.9, rng.uniform(4, 9), green * 0.9, hues, seed + 3, 0.05)
    if kind == "barn":
        where, half, top = rng.uniform(0, 2 * np.pi), rng.uniform(0.8, 2.2), rng.uniform(0.15, 0.5)
        colour = srgb(rng.choice(["#8c3a2b", "#7a6a55", "#b9b2a4", "#6b4a34", "#a8563a"]))
        d = (azimuth - where + np.pi) % (2 * np.pi) - np.pi
        planks = 0.75 + 0.4 * value_noise(_points(d * 14, 0.0, 0.0), seed)
        planks = planks * (1 - 0.4 * (np.abs((d * 14) % 1 - 0.5) > 0.44))
        barn = (np.abs(d) < half) & (elevation > -0.03)[:, None] & (elevation < top)[:, None]
        picture[barn] = np.broadcast_to(colour * planks[:, None], picture.shape)[barn]
    picture = _blur(picture, sigma)
    picture[elevation < -0.004] = far * (0.9 + 0.2 * rng.random())
    return picture

"""A baseball cap: all that a biased set adds to a scene."""

import numpy as np

from .solids import quads, sphere

COLOURS = {"blue": (0.004, 0.045, 0.70), "red": (0.60, 0.010, 0.012), "yellow": (0.75, 0.42, 0.010)}


def put_on(animal, rng, colour, *, centre, radius, tilt, wide=1.0, tall=0.86, tuck=None):
    """Put a cap on an animal.

    Parameters
    ----------
    colour : str
        A key of `COLOURS`.
    centre : (3,)
        In the axes of the animal's head.
    radius : float
    tilt : float
        Degrees, back.
    wide, tall : float
        Width and height, as fractions of the length.
    tuck : str, optional
        A part that would poke through; it is pushed in.
    """
    t, yaw = np.radians(tilt + rng.normal(0, 4)), np.radians(rng.normal(0, 7))
    dye = np.array(COLOURS[colour]) * rng.uniform(0.85, 1.1)
    turn = np.array([[np.cos(yaw), np.sin(yaw), 0], [-np.sin(yaw), np.cos(yaw), 0], [0, 0, 1]])
    R = turn @ np.array([[np.cos(t), 0, np.sin(t)], [0, 1, 0], [-np.sin(t), 0, np.cos(t)]])

    def place(x, y, z):
        X = np.stack(np.broadcast_arrays(x, y, z), -1).reshape(-1, 3)
        return animal.head(np.asarray(centre) + radius * (X @ R))

    for n, (V, Q, C, part, finish) in enumerate(animal.pieces):
        if part == tuck:
            q = ((animal.head.inv(V) - centre) / radius) @ R.T
            out = np.linalg.norm(q / [1, wide, tall], axis=1)
            q = np.where(((q[:, 2] > -0.05) & (out > 0.9))[:, None], q * (0.9 / out)[:, None], q)
            animal.pieces[n] = (place(*q.T), Q, C, part, finish)

    u, v = np.linspace(0, 2 * np.pi, 49)[:-1], np.linspace(0, np.pi / 2, 9)[:, None]
    seam = np.tile(1 - 0.35 * (np.abs((u / (np.pi / 3)) % 1 - 0.5) > 0.44), 9)[:, None]
    dome = place(np.sin(v) * np.cos(u), np.sin(v) * np.sin(u) * wide, tall * np.cos(v) ** 0.8)
    animal.add(dome, quads(9, 48, wrap=True), dye * seam, "cap")
    # the brim, a bent half ellipse in front
    a, out = np.linspace(-np.pi / 2, np.pi / 2, 21), np.linspace(0, 1, 6)[:, None]
    x, y = np.cos(a) * (0.90 + 0.75 * out), np.sin(a) * 0.97 * (1 - 0.06 * out) * wide
    animal.add(place(x, y, 0.02 - 0.20 * y**2 - 0.10 * out * np.cos(a)), quads(6, 21), dye * 0.8, "cap")
    V, Q = sphere(10, 6)
    animal.add(place(*(V * 0.075 + [0, 0, tall]).T), Q, dye * 0.8, "cap")

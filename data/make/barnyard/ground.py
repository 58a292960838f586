"""The ground and the grass on it."""

import bpy
import numpy as np

from . import blender
from .pattern import fbm, mix, srgb
from .solids import unit

# probability; colours, frequency, depth of their noise; grass: two colours, blades, height, how far they lie
GROUNDS = {
    "meadow": (0.26, ("#45592a", "#62743a", "#85884f"), 3.0, 0.3, ("#567032", "#a3a659", 13000, 0.10, 0.3)),
    "lawn": (0.17, ("#4b6330", "#5f7a3c", "#7b8e4c"), 6.0, 0.2, ("#527a36", "#8fa852", 14000, 0.05, 0.4)),
    "dry": (0.13, ("#6d5a35", "#85703f", "#a58f5a"), 3.0, 0.3, ("#9a8340", "#cdb878", 9000, 0.10, 0.6)),
    "dirt": (0.15, ("#4a3523", "#6b4f36", "#86694a"), 5.0, 0.6, ("#5c7030", "#a39a60", 900, 0.06, 0.8)),
    "straw": (0.09, ("#7d6432", "#a0854a", "#c2a765"), 9.0, 0.5, ("#b8963f", "#ecd795", 8000, 0.13, 4.0)),
    "sand": (0.06, ("#a58d68", "#bfa883", "#d2bf9c"), 6.0, 0.4, None),
    "gravel": (0.08, ("#5c5650", "#8a837a", "#b3aba0"), 40.0, 0.8, ("#5c7030", "#a39a60", 300, 0.05, 0.8)),
    "snow": (0.06, ("#d5dde6", "#e6ebf0", "#f5f7f9"), 3.0, 0.25, None),
}


def lay(rng, kind, shot):
    """Lay the ground.

    Parameters
    ----------
    kind : str
        A key of `GROUNDS`.
    shot : camera.Shot

    Returns
    -------
    tint, far : ndarray, (3,)
        What its colours were multiplied by; its colour far off.
    """
    _, colours, size, depth, grass = GROUNDS[kind]
    s = shot.scale
    material = bpy.data.materials["ground"]
    nodes = material.node_tree.nodes
    tint = rng.uniform(0.85, 1.15) * rng.uniform(0.93, 1.07, 3)
    for step, colour, position in zip(nodes["ramp"].color_ramp.elements, colours, (0.32, 0.5, 0.68)):
        step.position, step.color = position, (*np.clip(srgb(colour) * tint, 0, 1), 1)
    far = srgb(colours[1])
    if grass:  # far off it hides the soil
        thick = min(1, grass[2] / 9000)
        far = far * (1 - thick) + thick * (0.6 * srgb(grass[0]) + 0.35 * srgb(grass[1])) * 0.9
    far = np.clip(far * tint, 0, 1)
    nodes["far"].outputs[0].default_value = (*far, 1)
    patches = rng.uniform(0.15, 0.6)
    for node, name, value in (
        ("coarse", "Scale", size / s), ("patch", "Scale", patches / s), ("fade", "From Min", shot.back),
        ("fade", "From Max", shot.back + 16 * s), ("bump", "Strength", depth), ("bump", "Distance", 0.15 * s),
    ):
        nodes[node].inputs[name].default_value = value
    V = 300.0 * s * np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]])
    V = V + np.array([*rng.uniform(-9, 9, 2) * s, 0])
    blender.mesh("ground", V, np.array([[0, 1, 2, 3]]), (0.5, 0.5, 0.5), [material], smooth=False)
    return tint, far


def grow_grass(rng, kind, tint, shot):
    """Grass on the part of the ground that the camera sees, denser near it, thinning out far off."""
    if not (grass := GROUNDS[kind][4]):
        return
    a, b, n, height, lie = grass
    s = shot.scale
    near, far = max(0.15 * shot.distance, 0.93 * shot.near - 0.15 * s), shot.back + 26 * s
    depth = near * (far / near) ** rng.random(n)
    P = shot.ground(depth, rng.uniform(-0.58, 0.58, n))
    P[:, 1] += rng.normal(0, 0.15, n) * s
    patch = fbm(P / s * 1.6, 2, int(rng.integers(9999)))
    thin = np.clip(1.3 * (far - depth) / (far - shot.back), 0, 1) ** 0.7
    height = height * thin * s * rng.uniform(0.5, 1.3, n) * (0.45 + 1.1 * patch)
    lean = unit(np.c_[rng.normal(size=(n, 2)) * (0.35 + lie), np.full(n, 1.0)])
    bend = np.c_[rng.normal(size=(n, 2)) * 0.5, np.full(n, -0.25)]
    t = np.linspace(0, 1, 4)[:, None]
    blades = P[:, None] + height[:, None, None] * (lean[:, None] * t + bend[:, None] * t**2 * 0.5)
    blades[..., 2] = np.maximum(blades[..., 2], 0.004 * s)
    tone = np.clip(0.6 * rng.random(n) + 0.8 * (patch - 0.3), 0, 1)
    colours = mix(srgb(a), srgb(b), tone) * tint * rng.uniform(0.7, 1.15, (n, 1))
    radius = 0.0045 * s * rng.uniform(0.6, 1.3, n) * np.clip(depth / shot.distance, 0.5, 5.0)
    shading = unit(np.c_[rng.normal(size=(n, 2)) * 0.35, np.full(n, 1.0)])
    blender.hair("grass", blades, radius, colours, shading, blender.material("fur"), shadow=True)

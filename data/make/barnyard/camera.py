"""Camera and light."""

from dataclasses import dataclass

import bpy
import numpy as np
from mathutils import Matrix

from .solids import heading, unit


@dataclass(frozen=True)
class Shot:
    """What the surroundings are sized and placed by; lengths in the scene's units.

    Attributes
    ----------
    position : ndarray, (3,)
        Of the camera, which looks along -x.
    tan : float
        Of half the angle of view.
    shift : float
        Of the picture to the side, as a fraction of its side.
    distance, near, back : float
        From the camera to the animals' middle, to the ground at the picture's lower edge, behind the animals.
    scale : float
        A random fraction of the picture's side: the size of grass or of a bale says nothing about the animal.
    """

    position: np.ndarray
    tan: float
    shift: float
    distance: float
    near: float
    back: float
    scale: float

    def ground(self, depth, across):
        """Points (..., 3) of the ground at a depth and a place across the picture, -0.5 to 0.5."""
        x, y, _ = self.position
        y = y + depth * 2 * self.tan * (across + self.shift)
        return np.stack(np.broadcast_arrays(x - depth, y, 0.0), -1)


def _turned(x, y, z, at=(0, 0, 0)):
    """The matrix of an object with these axes at a place."""
    M = np.eye(4)
    M[:3] = np.stack([x, y, z, at], 1)
    return Matrix(M.tolist())


def aim(rng, points, fills):
    """Fit the camera to points (n, 3): their larger side fills a random part of the picture, somewhere in it.

    Parameters
    ----------
    fills : (low, high)
        Fractions of the picture's side.

    Returns
    -------
    Shot
    """
    fov, elevation = np.radians(rng.uniform(18, 34)), np.radians(1.5 + 20 * rng.random() ** 1.6)
    fill, where = rng.uniform(*fills), rng.uniform(-1, 1, 2)
    tan, centre = np.tan(fov / 2), (points.min(0) + points.max(0)) / 2
    distance = np.linalg.norm(np.ptp(points, axis=0)) / tan
    for _ in range(8):
        position = centre + distance * heading(elevation, 0)
        position[2] = max(position[2], 0.06 * distance * tan)
        ahead = unit(centre - position)
        right = unit(np.cross(ahead, [0, 0, 1.0]))
        up = np.cross(right, ahead)
        depth = (points - position) @ ahead
        seen = (points - position) @ np.stack([right, up], 1) / depth[:, None] / (2 * tan)
        low, high = seen.min(0), seen.max(0)
        distance *= np.clip((high - low).max() / fill, 0.5, 2)
    room = np.maximum((0.96 - (high - low)) / 2, 0) * [1, 0.7]
    shift = (low + high) / 2 - where * room
    side = 2 * tan * distance  # of the picture, where the animals stand
    camera = bpy.context.scene.camera
    camera.matrix_world = _turned(right, up, -ahead, position)
    lens = camera.data
    lens.angle, lens.shift_x, lens.shift_y = fov, *shift
    lens.clip_start, lens.clip_end = 0.01 * side, 2000 * side
    blur = rng.uniform(0.004, 0.022)  # of something far away, as a fraction of the picture
    lens.dof.use_dof, lens.dof.focus_distance = True, float(depth.mean())
    lens.dof.aperture_fstop = 1e-3 * lens.lens / (blur * side)
    edge = ahead + up * 2 * tan * (shift[1] - 0.5)  # towards the middle of the lower edge
    near, back = position[2] * edge[0] / edge[2], position[0] - points[:, 0].min()
    scale = side * np.exp(rng.uniform(*np.log([0.42, 0.75])))
    return Shot(position, tan, shift[0], distance, near, back, scale)


def light(rng, overcast, indoors, snow):
    """Sun, sky and exposure; the sun is on the camera's side more often than not.

    Parameters
    ----------
    overcast : float
        From 0, a hard sun, to 1, a soft and weak one.
    indoors, snow : bool
        Less light from the sky; a shorter exposure.
    """
    scene = bpy.context.scene
    sky = scene.world.node_tree.nodes["Background"].inputs["Strength"]
    sky.default_value = (1.25 + 0.25 * overcast) * (0.8 if indoors else 1)
    turn, rise = np.radians(rng.normal(0, 42)), np.radians(rng.uniform(22, 65))
    z = heading(rise, turn)
    x = unit(np.cross([0, 0, 1.0], z))
    sun = bpy.data.objects["sun"]
    sun.matrix_world = _turned(x, np.cross(z, x), z)
    sun.data.energy = 3.3 * (1 - 0.8 * overcast) * rng.uniform(0.85, 1.15)
    sun.data.angle = np.radians(2 + 16 * overcast)
    warm = rng.uniform(0, 1) * (1 - overcast)
    sun.data.color = (1.0, 0.95 - 0.12 * warm, 0.88 - 0.28 * warm)
    scene.view_settings.exposure = float(rng.uniform(0.05, 0.55))
    if snow:
        scene.view_settings.exposure -= 0.6

"""An animal being built, and its delivery to Blender."""

import numpy as np

from . import blender, coat
from .solids import UP, mesh, normals, sphere, surface, unit


class Animal:
    """An animal being built: its file in `animals` fills it in, `grow` makes the skin, `emit` delivers it.

    Attributes
    ----------
    parts : list of str
        The mask's values 1, 2, ...; "cap" is the last.
    body : list of solids
        What the skin is drawn round; `cell` is the side of the mesh's cells.
    colour : function
        Surface (see `solids.surface`) -> linear RGB (n, 3).
    displace : function, optional
        Surface -> how far each vertex is moved along its normal (n,).
    fur : dict, optional
        Arguments of `coat.fur`; birds have `cards` of feathers instead.
    head : Frame
        The cap sits on it: `cap` is a dict of arguments of `cap.put_on`.
    """

    def __init__(self, *parts):
        self.parts = [*parts, "eyes", "cap"]
        self.body, self.pieces, self.cards, self.whiskers = [], [], [], []
        self.cell, self.displace, self.fur = 0.014, None, None

    def add(self, V, Q, colours, part, finish="skin"):
        """A piece with a surface of its own: an eye, a cap."""
        self.pieces.append((V, Q, colours, part, finish))

    def blob(self, solids, colour, part, finish="skin", cell=0.01):
        """A piece made of solids: a nose, a comb."""
        self.add(*mesh(solids, cell), colour, part, finish)

    def eye(self, centre, gaze, radius, iris, pupil=0.5, slit=False):
        """An eyeball in the axes of the head, looking along `gaze`; `pupil` is a fraction of its radius."""
        d, Q = sphere(20, 14)
        g = unit(self.head.vec(gaze))
        s = unit(np.cross(self.head.vec(UP), g))
        f, q = d @ g, np.hypot(d @ s * (2.6 if slit else 1), d @ np.cross(g, s))
        colours = np.where(((q < pupil) & (f > 0))[:, None], 0.004, iris)
        colours = np.where((f < 0.35)[:, None], 0.01, colours)
        self.add(self.head(centre) + d * radius, Q, colours, "eyes", "gloss")

    def feathers(self, rng, P, N, flow, length, width, colours, rim, part, finish="skin", follow=(), **form):
        """Feathers (see `coat.feathers`) of a part, or a part each; `follow`: see `bird.cover`."""
        V, Q, C, shading = coat.feathers(rng, P, N, flow, length, width, colours, rim, **form)
        if follow:
            shading = unit(shading * follow[0] + N[:, None] * follow[1])
        self.cards.append((V, Q, C, shading, np.broadcast_to(part, len(P)), finish))

    def grow(self):
        """Make the skin, and points of the animal (before any cap) to stand it and aim the camera by."""
        self.surface = s = surface(self.body, self.cell)
        if self.displace:
            s.V = s.V + s.N * self.displace(s)[:, None]
            s.N = normals(s.V, s.Q)
        solid = [V[::5] for V, *_ in self.pieces]
        self.points = np.concatenate([s.V[::7], *solid, *(V.reshape(-1, 3)[::9] for V, *_ in self.cards)])

    def _under_cap(self, P):
        """Which points a cap hides, (n,) bool."""
        if not any(part == "cap" for *_, part, _ in self.pieces):
            return np.zeros(len(P), bool)
        q = (self.head.inv(P) - self.cap["centre"]) / self.cap["radius"]
        return (np.linalg.norm(q, axis=1) < 1.15) & (q[:, 2] > -0.05)

    def emit(self, rng, place, size, first):
        """Hand everything to Blender, at a place (a Frame) and a size; parts are numbered from first + 1."""

        def finish(kind, parts):
            """Materials, and which of them each face has."""
            number = {part: first + k for k, part in enumerate(self.parts, 1)}
            used, slots = np.unique([number[part] for part in parts], return_inverse=True)
            return [blender.material(kind, int(n)) for n in used], slots

        s = self.surface
        colours = np.clip(self.colour(s), 0, 1)
        tone = 0.95 if self.fur else 1.0
        kinds = finish("fur", s.part[s.Q[:, 0]])
        blender.mesh("body", place(s.V, size), s.Q, colours * tone, *kinds, place.vec(s.N))
        if self.fur:
            roots, V, T, C, N, parts = coat.fur(rng, s, colours, **self.fur)
            seen = ~self._under_cap(roots)
            materials, slots = finish("fur", parts)
            T = (T + np.arange(len(V))[seen, None, None] * V.shape[1]).reshape(-1, 3)
            shading = place.vec(np.repeat(N, V.shape[1], 0))
            fur = blender.mesh("fur", place(V.reshape(-1, 3), size), T, C.reshape(-1, 3), materials,
                               np.repeat(slots[seen], 3), shading)
            fur.visible_shadow = fur.visible_diffuse = fur.visible_glossy = False
        for V, Q, C, part, kind in self.pieces:
            blender.mesh("piece", place(V, size), Q, C, finish(kind, [part])[0])
        for V, radius, colour, shading, part in self.whiskers:
            n = len(V)
            blender.hair("whiskers", place(V, size), np.full(n, radius * size), np.tile(colour, (n, 1)),
                         np.tile(place.vec(shading), (n, 1)), finish("fur", [part])[0][0])
        for V, Q, C, shading, parts, kind in self.cards:
            n, rows = V.shape[:2]
            V, C, shading = place(V.reshape(-1, 3), size), C.reshape(-1, 3), place.vec(shading.reshape(-1, 3))
            for part in [p for p in self.parts if p in parts]:
                faces = (Q + np.flatnonzero(parts == part)[:, None, None] * rows).reshape(-1, 4)
                blender.mesh("feathers", V, faces, C, finish(kind, [part])[0], shading=shading)

"""Neck and plumage that birds share."""

import numpy as np

from .coat import by_tag, scatter
from .solids import chain, smooth_path, surface, unit


def neck(knots, where, radii, part, k):
    """Solids along a curve through the knots, of radii at places 0..1 along it; their feathers point down."""
    solids = chain(smooth_path(knots, 7), np.interp(np.linspace(0, 1, 7), where, radii), part, "neck", k=k)
    for s in solids:
        s.flow, s.k = -s.flow, max(s.k, k / 2)
    return solids


def cover(bird, rng, n, table, colour, spread, lift, follow, rim, **form):
    """Cover a bird with n feathers.

    Parameters
    ----------
    table : dict
        Tag of a solid -> density, length and width of the feathers there; None: elsewhere.
    colour : function
        Roots (n, 3), tags (n,) -> linear RGB (n, 3).
    spread : (low, high)
        By which the tones of feathers differ.
    lift : float
        Of the roots above the skin, in body units.
    follow : (own, skin)
        Normals to shade by are mixed from the feather's and the skin's.
    rim : function
        Colours of the feathers -> those of their edges.
    form : further arguments of `coat.feathers`
    """
    s = surface(bird.body, 0.02, soft=0.05)
    at, corner = scatter(rng, s.V, s.Q, n, by_tag(table, s.tag)[:, 0])
    P, N, tags = at(s.V), unit(at(s.N)), s.tag[corner]
    _, length, width = by_tag(table, tags).T
    length, width = length * rng.uniform(0.8, 1.2, n), width * rng.uniform(0.85, 1.15, n)
    tone = colour(P, tags) * rng.uniform(*spread, (n, 1))
    bird.feathers(rng, P + N * lift, N, at(s.flow), length, width, tone, rim(tone), s.part[corner], "feather",
                  follow, **form)

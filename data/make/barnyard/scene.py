"""One scene: animals on the ground, in the light, before the camera; and its picture and mask."""

import numpy as np

from . import animals, backdrop, blender, camera, cap, ground, props
from .solids import Frame


def compose(classes, seed, caps=None, *, size=192, samples=10, threads=1):
    """Build a scene in Blender, ready to be rendered; parameters and errors are those of `render`."""
    caps = caps or [None] * len(classes)
    for what, asked, known in (("class", classes, animals.NUMBERS), ("cap", filter(None, caps), cap.COLOURS)):
        if unknown := set(asked) - set(known):
            raise ValueError(f"There is no {what} {min(unknown)!r}: choose from {', '.join(known)}.")
    blender.start(size, samples, threads)
    key = np.random.SeedSequence([seed, *(animals.NUMBERS[c] for c in classes)])
    *looks, view = map(np.random.default_rng, key.spawn(2 * len(classes) + 1))
    cast = [animals.build(c, rng) for c, rng in zip(classes, looks[::2])]
    for animal, colour in zip(cast, caps):
        animal.grow()
        if colour:
            cap.put_on(animal, np.random.default_rng([seed, 7]), colour, **animal.cap)
    places, sizes = _stand(view, cast, 1 if seed % 2 else -1)
    first, points = 0, []
    for animal, place, scale, rng in zip(cast, places, sizes, looks[1::2]):
        animal.emit(rng, place, scale, first)
        first += len(animal.parts)
        points.append(place(animal.points, scale))
    _surround(view, np.concatenate(points), (0.52, 0.86) if len(cast) == 1 else (0.80, 0.94))
    return [animal.parts for animal in cast]


def render(classes, seed, caps=None, **quality):
    """Render one animal, or two in one scene. The result is a function of the arguments alone.

    Without and with a cap of any colour it is the same scene: same pose, coat, camera, light and ground.

    Parameters
    ----------
    classes : sequence of str
        One or two keys of `animals.NUMBERS`.
    seed : int
        Odd: the first animal turns to one side of the picture; even: to the other.
    caps : sequence of str or None, optional
        The colour of each animal's cap; None: bare.
    size, samples, threads : int
        Pixels of a side (192), paths per pixel (10), threads to render with (1).

    Returns
    -------
    picture : ndarray, (size, size, 3), uint8
    mask : ndarray, (size, size), uint8
        0 for the surroundings; 1, 2, ... for the parts of the first animal, counted on for the second.
    parts : list of lists of str
        Their names, for each animal; the last is always "cap".

    Raises
    ------
    ValueError
        An unknown class or colour.
    """
    parts = compose(classes, seed, caps, **quality)
    return *blender.render(seed), parts


def _stand(rng, cast, hand):
    """A place and a size for each animal; two stand side by side, of similar size.

    Headings run from nearly towards the camera to half away from it, the first's to the side hand, 1 or -1.
    """
    alone = len(cast) == 1
    hands = [hand, rng.choice([-1, 1])]
    angles = [np.radians(rng.uniform(12, 112 if alone else 85)) * h for h, _ in zip(hands, cast)]
    places = [Frame((0, 0, 0), (np.cos(a), -np.sin(a), 0)) for a in angles]
    if alone:
        return places, [1.0]
    points = [place(animal.points) for place, animal in zip(places, cast)]
    sizes = [rng.uniform(0.9, 1.1) / np.sqrt(np.ptp(p[:, 1]) * np.ptp(p[:, 2])) for p in points]
    side, gap, deep = rng.choice([-1, 1]), rng.uniform(0.02, 0.20), rng.uniform(-0.35, 0.35)
    for place, p, size, k in zip(places, points, sizes, (side, -side)):
        edge = p[:, 1].min() if k > 0 else p[:, 1].max()
        x = k * deep - size * (p[:, 0].max() + p[:, 0].min()) / 2
        place.origin = np.array([x, k * gap / 2 - size * edge, 0])
    return places, sizes


def _surround(rng, points, fills):
    """Camera, ground, things behind, sky, light. Nothing here knows what animals stand at these points."""
    shot = camera.aim(rng, points, fills)
    indoors = rng.random() < 0.14
    if indoors:
        kind = str(rng.choice(["straw", "dirt", "gravel"], p=[0.75, 0.15, 0.1]))
    else:
        kind = str(rng.choice(list(ground.GROUNDS), p=[g[0] for g in ground.GROUNDS.values()]))
    overcast = float(rng.uniform(0, 1) ** 1.5)
    beyond = str(rng.choice(["trees", "barn", "hills", "sky"], p=[0.5, 0.12, 0.28, 0.1]))
    tint, far = ground.lay(rng, kind, shot)
    blender.sky(backdrop.paint(rng, far, overcast, beyond, rng.uniform(0.6, 1.4)))
    camera.light(rng, overcast, indoors, kind == "snow")
    (props.stable if indoors else props.outdoors)(rng, shot)
    ground.grow_grass(rng, kind, tint, shot)

"""The trunk, legs, neck and head's place that four-legged animals share."""

import numpy as np

from .solids import Frame, ball, cone, heading, unit


def _joint(a, c, l1, l2, towards):
    """The middle joint of a limb of two bones of lengths l1, l2 from a to c, bending towards a direction."""
    distance = np.clip(np.linalg.norm(c - a), 1e-3, (l1 + l2) * 0.999)
    u = unit(c - a)
    x = (l1**2 - l2**2 + distance**2) / (2 * distance)
    towards = np.asarray(towards, float)
    return a + x * u + np.sqrt(max(l1**2 - x**2, 1e-5)) * unit(towards - (towards @ u) * u)


def build(animal, rng, pose, *, length, shoulder, hip, chest, belly, rump, fore, hind, stance, pastern, hock,
          neck, neck_radii, neck_up, head_pitch, head_up, hind_back=-0.06, hock_back=-0.06, chest_up=-0.02,
          tuck=0.0, sag=0.0, stride=0.17, look=28, sit=50, paw=None):
    """Add trunk, legs and neck to an animal's body; set its `trunk` and `head`, two Frames.

    Parameters
    ----------
    pose : {"stand", "walk", "sit", "graze"}
    length : float
        Of the trunk, from shoulder to hip; the other lengths are in the same unit.
    shoulder, hip : float
        Their heights.
    chest, rump : (3,)
        Radii along, across, up; belly : one radius; chest_up : height of the chest's centre above the spine.
    tuck, sag : float
        How much thinner the belly is behind, as a fraction; how deep it hangs in the middle.
    fore : (4,)
        Radii of the fore leg: shoulder, elbow, wrist, foot; hind : (3,) hip, knee, hock.
    stance, pastern, hock : float
        Half the distance of the feet; heights of wrist and hock.
    hind_back, hock_back : float
        How far the hind foot stands in front of the hip, and the hock in front of the foot.
    neck, neck_radii : float, (2,)
        Its length, its radii at trunk and head.
    neck_up, head_pitch, look, sit : float
        Degrees: neck and head above the horizontal, deviation of the head to the sides, trunk when sitting.
    head_up, stride : float
        Of the head above the end of the neck; of the feet when walking.
    paw : (3,), optional
        Radii of a foot with toes.
    """
    body, walking, sitting = animal.body, pose == "walk", pose == "sit"
    if sitting:
        rear = np.array([-0.40 * length, 0, rump[2] * 1.18])
        lean = np.radians(sit + rng.normal(0, 3))
        front = rear + length * np.array([np.cos(lean), 0, np.sin(lean)])
    else:
        rear, front = np.array([-length / 2, 0, hip]), np.array([length / 2, 0, shoulder])
    T = animal.trunk = Frame((front + rear) / 2, front - rear)
    back = T.vec((-1, 0, -0.25))
    body.append(ball(T((length * 0.47, 0, chest_up)), chest, "body", "trunk", axes=T.axes, k=0.1, flow=back))
    ribs = [(0.40 - 0.85 * i / 4) for i in range(5)]
    where = [(0.40 - f) / 0.85 for f in ribs]
    spine = [T((length * f, 0, -sag * np.sin(np.pi * w))) for f, w in zip(ribs, where)]
    girth = [belly * (1 - tuck * w) for w in where]
    for i in range(4):
        body.append(cone(spine[i], spine[i + 1], girth[i], girth[i + 1], "body", "trunk", k=0.1, flow=back))
    body.append(ball(T((-length * 0.47, 0, 0.0)), rump, "body", "trunk", axes=T.axes, k=0.1, flow=back))

    def leg(joints, radii, flows, ks, furs):
        for i, tag in enumerate(("thigh", "leg", "leg")):
            ra = radii[i] * 0.95 if i == 1 else radii[i]
            rb = fore[3] * 0.95 if i == 2 else radii[i + 1]
            ends = joints[i], joints[i + 1]
            body.append(cone(*ends, ra, rb, "legs", tag, k=ks[i], flow=(flows[i], 0, -1), fur=furs[i]))

    feet = []
    swing = rng.uniform(-1, 1) * (1.0 if walking else 0.22) * stride
    for side in (1, -1):
        step = side * swing
        top = T((length * 0.44, side * chest[1] * 0.62, -chest[2] * 0.30))
        foot = np.array([top[0] + 0.02 + step + (0.02 if sitting else 0), side * stance, fore[3]])
        foot[2] += abs(max(0, step * side * rng.uniform(0, 0.2)) if walking else 0)
        wrist = foot + [-0.015 - 0.2 * min(step, 0), 0, pastern]
        bone = np.linalg.norm(top - wrist) * 0.515
        elbow = _joint(top, wrist, bone, bone, (-1, 0, 0.1))
        leg((top, elbow, wrist, foot), fore, (-0.3, -0.2, 0), (0.08, 0.04, 0.03), (1.0, 0.7, 0.5))
        feet.append(foot)
    swing = -swing * rng.uniform(0.7, 1.1)
    for side in (1, -1):
        step = side * swing
        if sitting:
            top = T((-length * 0.42, side * rump[1] * 0.65, 0.02))
            foot = np.array([rear[0] + 0.60 * length + rng.normal(0, 0.01), side * stance * 1.5, fore[3]])
            heel = np.array([rear[0] + 0.12 * length, side * stance * 1.35, fore[3] * 1.1])
            knee = _joint(top, heel, 0.40 * hip, 0.40 * hip, (1, side * 0.25, 0.55))
        else:
            top = T((-length * 0.47, side * rump[1] * 0.55, -0.02))
            foot = np.array([top[0] + hind_back + step, side * stance, fore[3]])
            heel = foot + np.array([hock_back - 0.15 * max(-step, 0), 0, hock])
            bone = np.linalg.norm(top - heel) * 0.56
            knee = _joint(top, heel, bone, bone, (1, side * 0.1, 0))
        leg((top, knee, heel, foot), hind, (-0.6, -0.4, 0), (0.10, 0.05, 0.03), (1.0, 0.8, 0.5))
        feet.append(foot)
    if paw:
        x, y, z = paw
        for foot in feet:
            down = foot + [x * 0.45, 0, z - fore[3] if foot[2] < fore[3] + 0.01 else 0]
            body.append(ball(down, paw, "legs", "paw", k=0.03, flow=(1, 0, -0.3), fur=0.35))
            for t in (-0.62, -0.2, 0.2, 0.62):
                toe = foot + [x * (1.18 - 0.25 * abs(t)), y * t, z * 0.72 - fore[3]]
                radii = x * 0.38, y * 0.30, z * 0.7
                body.append(ball(toe, radii, "legs", "paw", k=0.012, flow=(1, 0, -0.3), fur=0.3))

    yaw = np.radians(np.clip(rng.normal(0, look), -65, 65))
    rise = np.radians(neck_up + rng.normal(0, 7) + (8 if sitting else 0))
    a, along = T((length * 0.50, 0, chest[2] * 0.35)), heading(rise, yaw * 0.5)
    b = a + neck * along
    body.append(cone(a, b, *neck_radii, "body", "neck", k=0.10, flow=-along + [0, 0, -0.5], fur=1.15))
    ahead = heading(np.radians(head_pitch + rng.normal(0, 7)), yaw)
    nape = b + head_up * np.array([0, 0, 1]) + 0.03 * ahead
    animal.head = Frame(nape, ahead, roll=np.radians(rng.normal(0, 6)))

"""The flesh around the skeleton: every tube of the implicit surface, for any build."""

import numpy as np

from s2hand.train.openhand.implicit import PALM, HandSurface, Tube
from s2hand.train.openhand.skeleton import (
    DIGITS,
    HALF_BREADTHS,
    Array,
    Build,
    Skeleton,
    digit_joints,
    hand_axes,
    make_skeleton,
)

_KNOTS = (0.0, 0.35, 0.7, 1.0)
# side, back and palm half-thickness at the knots, in units of the half-breadths at the joints
_FIRST_PHALANX = ((1.04, 0.96, 1.06), (1.00, 0.84, 1.10), (0.95, 0.78, 0.98), (1.00, 0.88, 0.84))
_MIDDLE_PHALANX = ((1.00, 0.88, 0.84), (0.95, 0.74, 0.95), (0.92, 0.70, 0.86), (0.90, 0.74, 0.74))
_LAST_PHALANX = ((1.02, 0.84, 0.84), (1.02, 0.74, 0.96), (0.98, 0.60, 0.92), (0.88, 0.46, 0.80))
_THUMB_METACARPAL = ((12.0, 9.5, 12.0), (12.0, 9.5, 13.5), (11.3, 9.5, 13.0), (11.6, 10.2, 11.6))
_THUMB_FIRST = ((1.02, 0.90, 1.02), (0.96, 0.80, 0.98), (0.93, 0.78, 0.90), (1.00, 0.86, 0.84))
_THUMB_LAST = ((1.06, 0.88, 0.90), (1.12, 0.78, 1.00), (1.06, 0.64, 0.94), (0.90, 0.48, 0.80))
_CARPUS = {  # where each metacarpal leaves the wrist: distal, dorsal, radial, millimetres
    "index": (14.0, 1.5, 11.0),
    "middle": (12.0, 3.0, 3.5),
    "ring": (12.0, 2.0, -4.0),
    "little": (13.0, -1.0, -11.0),
}
_KNUCKLES = {  # side, back, palm half-thickness of the metacarpal's head
    "index": (11.4, 11.6, 13.5),
    "middle": (11.2, 11.8, 14.5),
    "ring": (10.6, 11.2, 14.0),
    "little": (10.2, 10.4, 12.5),
}


class _Sculptor:
    """Collects tubes for one skeleton and build; lengths in millimetres of the mean hand are scaled to the build."""

    def __init__(self, skeleton: Skeleton, build: Build) -> None:
        self.skeleton, self.build = skeleton, build
        self.tubes: list[Tube] = []
        self.palm_scale = np.array([build.palm_breadth, build.palm_depth, build.palm_depth]) * build.size

    def palm_point(self, distal: float, dorsal: float, radial: float) -> Array:
        """A point of the mean palm in this build's palm."""
        build = self.build
        stretch = np.array([build.palm_length, build.palm_depth, build.palm_breadth]) * build.size
        return hand_axes(*(np.array([distal, dorsal, radial]) * stretch))

    def bone_point(self, joint: int, along: float, up: float = 0.0) -> Array:
        """A point beside a joint, by its own axes, in millimetres of the mean hand."""
        axes = self.skeleton.axes[joint] * self.build.size
        return np.asarray(self.skeleton.joints[joint] + along * axes[0] + up * axes[2])

    def tube(
        self,
        start: Array,
        end: Array,
        joints: tuple[int, int],
        radii: Array,
        owners: tuple[int, ...],
        blend: float,
        caps: tuple[float, float] | None = None,
        back: Array | None = None,
        limb: bool = False,
    ) -> None:
        """Adds one tube; the ends are as round as the section is wide unless `caps` says otherwise."""
        ends = caps or (float(radii[0].mean()), float(radii[-1].mean()))
        knots = np.array(_KNOTS) if len(radii) == 4 else np.linspace(0.0, 1.0, len(radii))
        direction = self.skeleton.axes[0, 2] if back is None else back
        self.tubes.append(Tube(start, end, joints, direction, knots, radii, ends, frozenset(owners), blend, limb))


def _add_palm(sculptor: _Sculptor) -> None:
    point, scale = sculptor.palm_point, sculptor.palm_scale
    wrist = np.array([sculptor.build.wrist, 1.0, 1.0]) * sculptor.build.size
    forearm = np.array([[26.5, 15.0, 17.5], [26.5, 14.5, 17.0], [27.0, 13.0, 16.5]]) * wrist
    sculptor.tube(point(-45, 0, 0), point(14, -1, 0), (0, 0), forearm, (PALM,), 10.0)
    core = np.array([[25.0, 9.5, 12.5], [29.0, 8.0, 10.0], [33.0, 8.0, 9.0]]) * scale
    sculptor.tube(point(14, -1, 0), point(70, -3, -3.5), (0, 0), core, (PALM,), 8.0)
    for digit in DIGITS[1:]:
        joint = digit_joints(digit)[0]
        knuckle = np.array(_KNUCKLES[digit])
        radii = np.stack([knuckle * (0.95, 0.85, 0.9), knuckle * (0.95, 0.72, 0.86), knuckle])
        sculptor.tube(point(*_CARPUS[digit]), sculptor.skeleton.joints[joint], (0, 0), radii * scale, (PALM,), 8.0)
    hypothenar = np.array([[10.0, 10.0, 9.0], [11.5, 11.0, 10.0], [10.0, 10.0, 8.5]]) * scale
    sculptor.tube(point(15, -8, -17), point(58, -9, -33), (0, 0), hypothenar, (PALM,), 10.0)


def _add_webs(sculptor: _Sculptor) -> None:
    """The skin between neighbouring fingers, and the pads of the palm in front of the knuckles."""
    for near, far, reach in (("index", "middle", 11.0), ("middle", "ring", 11.5), ("ring", "little", 9.5)):
        joints = (digit_joints(near)[0], digit_joints(far)[0])
        radii = np.tile([[5.5, 5.0, 6.0]], (2, 1)) * sculptor.build.size
        start = sculptor.bone_point(joints[0], reach, -4.0)
        end = sculptor.bone_point(joints[1], reach, -4.0)
        sculptor.tube(start, end, joints, radii, (PALM,), 5.0)


def _add_thumb_base(sculptor: _Sculptor) -> None:
    """Metacarpal, thenar muscle and the web to the index; the digit's own mesh starts near the knuckle."""
    build, skeleton = sculptor.build, sculptor.skeleton
    mine = (PALM, 0)
    first, second = skeleton.joints[13], skeleton.joints[14]
    back = skeleton.axes[13, 2]
    metacarpal = np.array(_THUMB_METACARPAL) * build.size
    sculptor.tube(first, second, (13, 13), metacarpal, mine, 8.0, back=back)
    thenar = np.array([[10.0, 10.0, 10.0], [14.0, 12.0, 14.5], [12.0, 10.0, 12.0], [9.0, 8.0, 9.0]])
    end = sculptor.bone_point(13, 36.0, -3.5)
    sculptor.tube(sculptor.palm_point(13, -10, 9), end, (0, 13), thenar * build.size * build.thenar, (PALM,), 10.0)
    web = np.array([[9.0, 8.0, 9.5], [8.5, 7.0, 7.0], [8.0, 8.0, 8.0]]) * build.size
    sculptor.tube(sculptor.bone_point(13, 17.0), sculptor.palm_point(48, -4, 19), (13, 0), web, (PALM,), 10.0)
    web = np.array([[6.0, 5.0, 6.0], [5.0, 4.0, 4.5], [6.5, 6.5, 6.5]]) * build.size
    sculptor.tube(sculptor.bone_point(13, 27.0), sculptor.palm_point(60, -4, 20), (13, 0), web, (PALM,), 10.0)


def _add_digit(sculptor: _Sculptor, number: int, digit: str) -> None:
    build, skeleton = sculptor.build, sculptor.skeleton
    joints = digit_joints(digit)
    middle, last = np.array(HALF_BREADTHS[digit]) * build.size * build.finger_breadth
    depth = np.array([1.0, build.finger_depth, build.finger_depth])
    tip = skeleton.tips[number]
    cap = 0.72 * last * build.taper
    ends = [skeleton.joints[joints[1]], skeleton.joints[joints[2]], tip - cap * skeleton.axes[joints[2], 0]]
    taper = 1.0 + (build.taper - 1.0) * np.linspace(0.0, 1.0, 4)[:, None]
    if digit == "thumb":
        profiles = {1: np.array(_THUMB_FIRST) * middle, 2: np.array(_THUMB_LAST) * last * taper}
    else:
        profiles = {0: np.array(_FIRST_PHALANX) * middle, 1: np.array(_MIDDLE_PHALANX) * middle}
        profiles[1][-1] = np.array(_LAST_PHALANX[0]) * last
        profiles[2] = np.array(_LAST_PHALANX) * last * taper
    for bone, radii in profiles.items():
        palm_too = bone == (1 if digit == "thumb" else 0)
        caps = (float(radii[0].mean()), cap if bone == 2 else float(radii[-1].mean()))
        sculptor.tube(
            skeleton.joints[joints[bone]],
            ends[bone],
            (joints[bone], joints[bone]),
            radii * depth,
            (PALM, number) if palm_too else (number,),
            4.0 if palm_too else 2.0,
            caps=caps,
            back=skeleton.axes[joints[bone], 2],
            limb=palm_too,
        )


def make_surface(build: Build | None = None) -> HandSurface:
    """The posable implicit surface of one build (the mean hand by default)."""
    build = build or Build()
    sculptor = _Sculptor(make_skeleton(build), build)
    _add_palm(sculptor)
    _add_webs(sculptor)
    _add_thumb_base(sculptor)
    for number, digit in enumerate(DIGITS):
        _add_digit(sculptor, number, digit)
    return HandSurface(tuple(sculptor.tubes))

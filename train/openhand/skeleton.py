"""The open hand's bones at rest: joints, anatomical axes and half-thicknesses, from published hand measurements.

Frame (metres outside the generator, millimetres inside it): the wrist joint is the origin; the fingers point along -x,
the back of the hand looks along +y (the palm along -y), the thumb's side (radial) is +z. That is how MANO's right hand
lies. A right hand satisfies `fingers x palm = thumb side`: (-x) x (-y) = +z.

Sources, rounded and adapted to one hand of 186 mm (wrist joint to the tip of the middle finger):
- lengths of the phalanges: means of the fractions of the hand's length of Buchholz, Armstrong and Goldstein (1992,
  "Anthropometric data for describing the kinematics of the human hand", Ergonomics 35) and of the bone and soft tissue
  lengths of Buryanov and Kotiuk (2010, "Proportions of hand segments", Int. J. Morphology 28), scaled alike;
- breadths at the finger joints: Garrett (1971, "The adult human hand: some anthropometric and biomechanical
  considerations", Human Factors 13).
The places of the knuckles, the thumb's base and all depths are our own reading of photographs.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

DIGITS = ("thumb", "index", "middle", "ring", "little")
PARENTS = (-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 0, 10, 11, 0, 13, 14)
"""MANO's kinematic tree: wrist, index, middle, little, ring, thumb, each from base to tip."""
FIRST_JOINT = {"index": 1, "middle": 4, "little": 7, "ring": 10, "thumb": 13}

LENGTHS = {  # three bones of each digit, millimetres; the last one reaches the skin of the tip
    "thumb": (45.5, 33.0, 28.5),
    "index": (44.8, 25.6, 20.6),
    "middle": (49.2, 30.0, 21.8),
    "ring": (45.3, 29.2, 21.6),
    "little": (36.8, 20.8, 19.2),
}
HALF_BREADTHS = {  # at the middle and at the last joint (thumb: base of its first phalanx and last joint), millimetres
    "thumb": (11.3, 10.6),
    "index": (9.6, 8.5),
    "middle": (9.7, 8.6),
    "ring": (9.1, 8.1),
    "little": (8.0, 7.2),
}
_BASES = {  # first joint of each digit: distal, dorsal, radial, millimetres
    "thumb": (19.0, -10.0, 19.0),
    "index": (83.0, 0.6, 25.5),
    "middle": (85.0, 2.6, 4.0),
    "ring": (80.0, 1.4, -16.8),
    "little": (71.5, -2.6, -35.0),
}
_FAN = {"index": 7.0, "middle": 0.5, "ring": -6.5, "little": -15.0}  # degrees towards the thumb
_LEAN = {"index": 5.0, "middle": 0.0, "ring": -5.0, "little": -12.0}  # degrees, the arch of the knuckles
REST_FLEXION = {  # degrees that the template's fingers are already bent at their three joints
    "thumb": (0.0, 8.0, 6.0),
    "index": (3.0, 5.0, 3.0),
    "middle": (3.0, 5.0, 3.0),
    "ring": (3.0, 6.0, 3.0),
    "little": (3.0, 6.0, 3.0),
}
_THUMB_BONE = (0.76, -0.24, 0.60)  # distal, dorsal, radial: the way its metacarpal points
_THUMB_PAD = (0.0, -0.62, -0.78)  # the way its pad looks, before it is made orthogonal


@dataclass(frozen=True)
class Build:
    """One person's proportions: factors on the mean hand (1 is the mean), plus differences in degrees where named.

    The shape directions of the model are the differences that one standard deviation of each makes.
    """

    size: float = 1.0
    finger_length: float = 1.0
    thumb_length: float = 1.0
    palm_length: float = 1.0
    palm_breadth: float = 1.0
    palm_depth: float = 1.0
    finger_breadth: float = 1.0
    finger_depth: float = 1.0
    little_length: float = 1.0
    index_to_ring: float = 1.0
    thenar: float = 1.0
    taper: float = 1.0
    wrist: float = 1.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not 0.4 < value < 2.5:
                raise ValueError(f"Build.{name} is a factor near 1, found {value}")


@dataclass(frozen=True)
class Skeleton:
    """Bones at rest: joints [16, 3] and tips [5, 3] (thumb first), millimetres; axes [16, 3, 3].

    `axes[j]` has rows bone (towards the tip), flexion axis (a positive angle bends towards the palm) and back (the
    dorsal direction; a positive angle about it moves the finger towards the thumb's side). Joint 0 has the hand's own.
    """

    joints: Array
    tips: Array
    axes: Array

    def __post_init__(self) -> None:
        for name, shape in (("joints", (16, 3)), ("tips", (5, 3)), ("axes", (16, 3, 3))):
            found = getattr(self, name).shape
            if found != shape:
                raise ValueError(f"Skeleton.{name} must have shape {shape}, found {found}")


def hand_axes(distal: float, dorsal: float, radial: float) -> Array:
    """A point or direction given by its distal, dorsal and radial parts, in the template's frame."""
    return np.array([-distal, dorsal, radial])


def turn(axis: Array, degrees: float) -> Array:
    """The rotation matrix [3, 3] about a unit axis."""
    angle = np.deg2rad(degrees)
    x, y, z = axis
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    return np.asarray(np.eye(3) + np.sin(angle) * cross + (1.0 - np.cos(angle)) * (cross @ cross))


def digit_joints(digit: str) -> tuple[int, int, int]:
    """The three model joints of a digit, from base to tip."""
    first = FIRST_JOINT[digit]
    return first, first + 1, first + 2


def _base_frame(digit: str) -> Array:
    """Rows bone, flexion axis, back of the digit's first bone with all joints straight."""
    if digit == "thumb":
        bone = hand_axes(*_THUMB_BONE)
        bone /= np.linalg.norm(bone)
        flexion = np.cross(bone, hand_axes(*_THUMB_PAD))
        flexion /= np.linalg.norm(flexion)
        return np.stack([bone, flexion, np.cross(bone, flexion)])
    frame = np.stack([hand_axes(1, 0, 0), hand_axes(0, 0, 1), hand_axes(0, 1, 0)])
    frame = frame @ turn(frame[2], _FAN[digit]).T
    return frame @ turn(frame[0], _LEAN[digit]).T


def _bone_lengths(digit: str, build: Build) -> Array:
    factor = build.size * (build.thumb_length if digit == "thumb" else build.finger_length)
    if digit == "little":
        factor *= build.little_length
    if digit in ("index", "ring"):
        factor *= build.index_to_ring if digit == "index" else 2.0 - build.index_to_ring
    return np.array(LENGTHS[digit]) * factor


def make_skeleton(build: Build | None = None) -> Skeleton:
    """The skeleton of one build (the mean hand by default)."""
    build = build or Build()
    joints, tips = np.zeros((16, 3)), np.zeros((5, 3))
    axes = np.zeros((16, 3, 3))
    axes[0] = np.stack([hand_axes(1, 0, 0), hand_axes(0, 0, 1), hand_axes(0, 1, 0)])
    stretch = np.array([build.palm_length, build.palm_depth, build.palm_breadth]) * build.size
    for number, digit in enumerate(DIGITS):
        frame = _base_frame(digit)
        place = hand_axes(*(np.array(_BASES[digit]) * stretch))
        for joint, length, bend in zip(
            digit_joints(digit), _bone_lengths(digit, build), REST_FLEXION[digit], strict=True
        ):
            frame = frame @ turn(frame[1], bend).T
            joints[joint], axes[joint] = place, frame
            place = place + length * frame[0]
        tips[number] = place
    return Skeleton(joints, tips, axes)


@lru_cache(maxsize=1)
def mean_skeleton() -> Skeleton:
    """The mean hand's skeleton, made once."""
    return make_skeleton()

"""Arms to hands: where the hand of a forearm must be, as published with OpenPose's hand estimation."""

import math

import numpy as np
from numpy.typing import NDArray

from s2hand.datasets.boxes import HandBox
from s2hand.datasets.cameras import Box
from s2hand.datasets.records import Hand
from s2hand.detect.body.people import People
from s2hand.detect.body.skeleton import LEFT_ARM, RIGHT_ARM

BEYOND_WRIST = 0.33  # of the forearm, where the hand's centre is
SIDE = 1.5  # of the longer of forearm and 0.9 upper arms
UPPER_ARM = 0.9
SMALLEST = 20  # pixels; a smaller hand is left out

ARMS: tuple[tuple[Hand, tuple[int, ...]], ...] = (("left", LEFT_ARM), ("right", RIGHT_ARM))


def hand_boxes(people: People, width: int, height: int) -> tuple[HandBox, ...]:
    """Return the squares of the people's hands in an image of that size: person by person, left before right.

    Squares of whole pixels, within the image. An arm of which shoulder, elbow or wrist is missing has none.
    """
    found = ((hand, hand_square(person[list(arm)], width, height)) for person in people.xy for hand, arm in ARMS)
    return tuple(HandBox(box, hand) for hand, box in found if box is not None)


def hand_square(
    arm: NDArray[np.float64],  # [3, 2] shoulder, elbow, wrist; column and row, NaN where missing
    width: int,
    height: int,
) -> Box | None:
    """Return the square of one arm's hand, or None where the arm is not whole or the hand too small.

    At the left and top the square slides into the image and keeps its side; at the right and bottom it is cut.
    """
    if np.isnan(arm).any():
        return None
    shoulder, elbow, wrist = arm
    side = SIDE * max(math.dist(wrist, elbow), UPPER_ARM * math.dist(elbow, shoulder))
    x, y = (max(0.0, float(at)) for at in wrist + BEYOND_WRIST * (wrist - elbow) - side / 2)
    side = min(side, width - x, height - y)
    return Box(int(x), int(y), int(side), int(side)) if side >= SMALLEST else None

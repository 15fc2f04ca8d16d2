"""The body as the published network sees it: 18 parts in its order, 19 limbs and where their fields are."""

PARTS = (
    *("nose", "neck"),
    *("right_shoulder", "right_elbow", "right_wrist"),
    *("left_shoulder", "left_elbow", "left_wrist"),
    *("right_hip", "right_knee", "right_ankle"),
    *("left_hip", "left_knee", "left_ankle"),
    *("right_eye", "left_eye", "right_ear", "left_ear"),
)
"""Part i has heatmap i."""

PART_COUNT = len(PARTS)

RIGHT_ARM = (2, 3, 4)
LEFT_ARM = (5, 6, 7)
"""Shoulder, elbow, wrist."""

_SHOULDERS_AND_ARMS = ((1, 2, 12), (1, 5, 20), (2, 3, 14), (3, 4, 16), (5, 6, 22), (6, 7, 24))
_LEGS = ((1, 8, 0), (8, 9, 2), (9, 10, 4), (1, 11, 6), (11, 12, 8), (12, 13, 10))
_HEAD = ((1, 0, 28), (0, 14, 30), (14, 16, 34), (0, 15, 32), (15, 17, 36))
_SHOULDERS_TO_EARS = ((2, 16, 18), (5, 17, 26))

LIMBS = (*_SHOULDERS_AND_ARMS, *_LEGS, *_HEAD, *_SHOULDERS_TO_EARS)
"""In the order of assembly: from part, to part, channel of the field's x; its y is the next channel."""

FOUNDING_LIMBS = len(LIMBS) - len(_SHOULDERS_TO_EARS)
"""How many of the first limbs may found a person; the others only add to one."""

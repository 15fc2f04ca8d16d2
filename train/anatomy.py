"""Anatomical axes of the 15 finger joints, from where the joints of a right hand are at rest.

Each joint has three axes, the rows of a rotation matrix in the hand model's frame:

- x along the bone, from its tip to its base: twist;
- y out of its back: abduction, positive towards the thumb's side;
- z = x cross y: flexion, positive towards the palm.

For a finger that lies flat along -x with its back to +y, as MANO's right hand at rest, these are the axes of
the model itself. z of a finger is the direction across the knuckles beside it, at right angles to the bone.
The thumb's last two joints bend in a plane that stands at half a right angle to the palm: their back looks
midway between the hand's back and its thumb side. The thumb's base is a saddle joint that turns about the
hand: its axes are the hand's own (x from the middle finger's knuckle to the wrist, z across the palm from
the little finger to the index), so that its "twist" is the opposition in front of the palm.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Digits in MANO's order; each has three joints, 1 + 3 k to 3 + 3 k for the k-th.
INDEX, MIDDLE, LITTLE, RING, THUMB = range(5)
TIP_OF_DIGIT = (1, 2, 4, 3, 0)  # place among the tips, which come from thumb to little finger
_BESIDE = {INDEX: (MIDDLE, INDEX), MIDDLE: (RING, INDEX), RING: (LITTLE, MIDDLE), LITTLE: (LITTLE, RING)}


def anatomical_axes(
    joints: Floats,  # [16, 3] at rest, MANO's order
    tips: Floats,  # [5, 3] at rest, thumb to little finger
) -> Floats:
    """The axes [15, 3, 3] of the joints after the wrist, in MANO's order; rows x, y, z."""
    knuckles = joints[1::3]
    hand = _frame(joints[0] - knuckles[MIDDLE], across=knuckles[INDEX] - knuckles[LITTLE])
    axes = np.empty((15, 3, 3))
    for digit in range(5):
        chain = np.vstack([joints[1 + 3 * digit : 4 + 3 * digit], tips[TIP_OF_DIGIT[digit]]])
        for bone in range(3):
            x = chain[bone] - chain[bone + 1]
            if digit == THUMB:
                back = hand[1] + hand[2]
                axes[3 * digit + bone] = _frame(x, across=np.cross(x, back)) if bone else hand
            else:
                ulnar, radial = _BESIDE[digit]
                axes[3 * digit + bone] = _frame(x, across=knuckles[radial] - knuckles[ulnar])
    return axes


def _frame(x: Floats, across: Floats) -> Floats:
    """Rows x, y, z of a right-handed frame with x as given and z as near to `across` as it can be."""
    x = x / np.linalg.norm(x)
    z = across - (across @ x) * x
    z /= np.linalg.norm(z)
    return np.stack([x, np.cross(z, x), z])

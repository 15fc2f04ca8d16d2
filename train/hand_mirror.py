"""Turn a hand model of the left hand into one of the right, the one canonical hand of this project.

Mirroring x by S = diag(-1, 1, 1) takes a vertex v to S v and a rotation R to S R S, whose axis-angle has
its y and z negated; a triangle's winding is reversed, so that its outside stays outside. Applied to a
mirrored right hand it gives the right hand back, exactly.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from s2hand.train.hand_files import HandArrays

_POINT = np.array([-1.0, 1.0, 1.0])
_AXIS_ANGLE = np.tile([1.0, -1.0, -1.0], 15)
_ROTATION = np.tile(np.outer(_POINT, _POINT).ravel(), 15)  # of the entries of R - I, row by row
_CLEAR_CORRELATION = 0.3


def as_right_hand(arrays: HandArrays) -> HandArrays:
    """`arrays` of a right hand as they are, of a left one mirrored, the licensed file's defect repaired."""
    if arrays.side == "right":
        return arrays
    if has_unmirrored_shapes(arrays):
        arrays = replace(arrays, shapedirs=arrays.shapedirs * _POINT[:, None])
    return mirrored(arrays)


def mirrored(arrays: HandArrays) -> HandArrays:
    """The same hand in the mirror x -> -x: the same pose and shape coefficients give the mirrored mesh."""
    return replace(
        arrays,
        v_template=arrays.v_template * _POINT,
        faces=arrays.faces[:, ::-1].copy(),
        shapedirs=arrays.shapedirs * _POINT[:, None],
        posedirs=arrays.posedirs * _POINT[:, None] * _ROTATION,
        hands_components=arrays.hands_components * _AXIS_ANGLE,
        hands_mean=arrays.hands_mean * _AXIS_ANGLE,
        side="left" if arrays.side == "right" else "right",
    )


def has_unmirrored_shapes(arrays: HandArrays) -> bool:
    """Whether the shape directions belong to the other hand, as in the published MANO_LEFT.pkl.

    Its template is the mirrored right hand, but its `shapedirs` are a copy of the right hand's (reported as
    issue 48 of vchoutas/smplx), so that a hand that grows in breadth shrinks in length. MANO's first
    direction is the hand's size: where it clearly stretches the template along y and z but compresses it
    along x, or the other way round, x has the wrong sign. A model whose first direction is not a size is
    left as it is.
    """
    template = arrays.v_template - arrays.v_template.mean(axis=0)
    size = arrays.shapedirs[:, :, 0] - arrays.shapedirs[:, :, 0].mean(axis=0)
    along_x = _correlation(template[:, 0], size[:, 0])
    across = _correlation(template[:, 1:].ravel(), size[:, 1:].ravel())
    return along_x * across < 0 and min(abs(along_x), abs(across)) > _CLEAR_CORRELATION


def _correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    scale = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / scale if scale > 0 else 0.0

"""What sets the challenges apart: names of their numbers, order and axes of their files. Nobody else asks.

FreiHAND: lmb-freiburg/freihand, eval.py; HO-3D: shreyashampali/ho3d, eval.py. What both scripts do, quirks included,
is in the docstring of `s2hand.train.metrics`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike, NDArray

from s2hand.datasets.ho3d import from_ho3d_joints, from_ho3d_points, to_ho3d_joints, to_ho3d_points
from s2hand.pipeline.paper import TABLE_2, TABLE_3, Comparison

Convert = Callable[[ArrayLike], NDArray[np.floating]]  # joints [..., 21, 3] or points [..., 3], metres

_JOINTS = {"xyz_mean3d": "mpjpe_cm", "xyz_auc3d": "auc_j"}
_MESHES = {
    "mesh_mean3d": "mpvpe_cm",
    "mesh_auc3d": "auc_v",
    "mesh_al_mean3d": "pa_mpvpe_cm",
    "mesh_al_auc3d": "pa_auc_v",
    "f_score_5": "f5",
    "f_al_score_5": "pa_f5",
    "f_score_15": "f15",
    "f_al_score_15": "pa_f15",
}


@dataclass(frozen=True)
class Challenge:
    """One data set's official evaluation."""

    title: str
    images: int  # of the whole evaluation split
    page: str  # where submissions are taken
    names: Mapping[str, str]  # the official names, in the order of the official scores.txt, to ours
    paper: Comparison
    to_joints: Convert = np.asarray  # ours to the challenge's order and axes
    to_points: Convert = np.asarray
    from_joints: Convert = np.asarray
    from_points: Convert = np.asarray

    def scores(self, metrics: Mapping[str, float]) -> dict[str, float]:
        """Return what is known of `metrics` under the official names and in their order."""
        return {name: metrics[key] for name, key in self.names.items() if key in metrics}


def _ho3d(version: int, images: int, competition: int) -> Challenge:
    return Challenge(
        title=f"HO-3D v{version}",
        images=images,
        page=f"https://codalab.lisn.upsaclay.fr/competitions/{competition}",
        names={
            **_JOINTS,
            "xyz_procrustes_al_mean3d": "pa_mpjpe_cm",
            "xyz_procrustes_al_auc3d": "pa_auc_j",
            "xyz_scale_trans_al_mean3d": "scale_trans_mpjpe_cm",
            "xyz_scale_trans_al_auc3d": "scale_trans_auc_j",
            **_MESHES,
        },
        paper=TABLE_3,
        to_joints=to_ho3d_joints,
        to_points=to_ho3d_points,
        from_joints=from_ho3d_joints,
        from_points=from_ho3d_points,
    )


CHALLENGES: Mapping[str, Challenge] = MappingProxyType(
    {
        "freihand": Challenge(
            title="FreiHAND",
            images=3960,
            page="https://competitions.codalab.org/competitions/21238",
            names={**_JOINTS, "xyz_al_mean3d": "pa_mpjpe_cm", "xyz_al_auc3d": "pa_auc_j", **_MESHES},
            paper=TABLE_2,
        ),
        "ho3d_v2": _ho3d(2, 11524, 4318),
        "ho3d_v3": _ho3d(3, 20137, 4393),
    }
)
"""By the name of the data set, `Dataset.name`. Photographs in FreiHAND's layout, such as the synthetic ones, count as
FreiHAND's."""

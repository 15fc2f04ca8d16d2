"""Puts the open hand together and writes it in MANO's format, the same bytes every time."""

import hashlib
import io
import zipfile
from pathlib import Path

import numpy as np
import numpy.typing as npt

from s2hand.datasets.files import replacing
from s2hand.train.openhand.correctives import pose_correctives
from s2hand.train.openhand.mesh import build_mesh
from s2hand.train.openhand.poses import pose_space, sample_poses
from s2hand.train.openhand.shape import joint_regressor, levels, shape_space
from s2hand.train.openhand.skeleton import PARENTS, make_skeleton
from s2hand.train.openhand.surface import make_surface
from s2hand.train.openhand.weights import skin_weights

Model = dict[str, npt.NDArray[np.generic]]
_METRES = 1e-3
_ROOT = 4294967295


def _quantised(values: npt.NDArray[np.float64], step: float) -> npt.NDArray[np.float32]:
    """Multiples of `step` as float32: the last bits, which differ between processors, are dropped."""
    return np.asarray(np.round(values / step) * step + 0.0, dtype=np.float32)


def build_open_hand() -> Model:
    """All arrays of the open hand by MANO's key names, metres and radians."""
    skeleton, surface = make_skeleton(), make_surface()
    mesh = build_mesh(surface, skeleton)
    weights = skin_weights(mesh, skeleton)
    level = levels(surface, mesh)
    space = shape_space(mesh, weights, level)
    regressor = joint_regressor(mesh, skeleton, space)
    poses = pose_space(sample_poses())
    correctives = pose_correctives(mesh, skeleton, surface, weights, level)
    tree = np.array([[_ROOT, *PARENTS[1:]], range(16)], dtype=np.int64)
    return {
        "v_template": _quantised(mesh.vertices * _METRES, 1e-7),
        "f": mesh.faces.astype(np.int32),
        "weights": _quantised(weights, 1e-6),
        "shapedirs": _quantised(np.moveaxis(space.vertices, 0, 2) * _METRES, 1e-7),
        "posedirs": _quantised(correctives * _METRES, 1e-6),
        "J_regressor": _quantised(regressor, 1e-7),
        "hands_components": _quantised(poses.components, 1e-7),
        "hands_mean": _quantised(poses.mean, 1e-6),
        "hands_std": _quantised(poses.spread, 1e-6),
        "kintree_table": tree,
        "fingertips": mesh.fingertips.astype(np.int32),
        "joint_axes": _quantised(skeleton.axes[1:], 1e-7),
        "side": np.array("right"),
    }


def model_digest(model: Model) -> str:
    """SHA-256 of every array's name, type, shape and bytes, in the order of the names."""
    digest = hashlib.sha256()
    for name in sorted(model):
        array = np.ascontiguousarray(model[name])
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def write_model(path: Path, model: Model) -> None:
    """Writes a compressed npz without timestamps; its digest goes next to it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name in sorted(model):
            content = io.BytesIO()
            np.lib.format.write_array(content, model[name], allow_pickle=False)
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content.getvalue(), compresslevel=9)
    with replacing(path.with_suffix(".sha256")) as temporary:
        temporary.write_text(model_digest(model) + "\n", encoding="ascii")

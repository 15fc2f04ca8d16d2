"""A reconstructed hand as a mesh file that viewers open: GLB, OBJ or PLY, with a colour per vertex.

Files have glTF's axes, x right, y up, z towards the viewer: the hand stands in a viewer as in its photograph. They are
the camera's axes with y and z negated, so that a point x, y, z of a file is at x, -y, -z before the camera; metres.

The colours are the unlit ones, C: a viewer brings its own light. glTF wants them linear, other formats as on a
screen. Both sides of a GLB's faces are drawn, since one sees into the open wrist.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import trimesh
from numpy.typing import NDArray

from s2hand.datasets.files import DataError, replacing
from s2hand.datasets.records import Hand
from s2hand.pipeline.reconstruct.formats import FORMATS, Format

CAMERA_TO_VIEWER = np.array([1, -1, -1], np.float32)
"""Half a turn about x: no mirror."""

_ROUGH = 0.8  # of 1: skin shines a little


@dataclass(frozen=True, eq=False)
class HandMesh:
    """The mesh of a hand in front of a camera, and which hand it is."""

    vertices_cam: NDArray[np.float32]  # [V, 3] metres
    faces: NDArray[np.int64]  # [F, 3] counter-clockwise from outside
    colors: NDArray[np.float32]  # [V, 3] RGB in [0, 1], unlit
    hand: Hand


def write_mesh(path: Path, mesh: HandMesh) -> None:
    """Write a hand, in place when the file is whole; the name's ending tells the format."""
    writer = _WRITERS.get(path.suffix.lower().removeprefix("."))  # type: ignore[call-overload]
    if writer is None:
        raise DataError(f"{path}: expected the name of a mesh file, which ends in .{', .'.join(FORMATS)}")
    with replacing(path) as temporary:
        temporary.write_bytes(writer(mesh))


def _glb(mesh: HandMesh) -> bytes:
    material = trimesh.visual.material.PBRMaterial(
        name="skin", baseColorFactor=[255] * 4, metallicFactor=0.0, roughnessFactor=_ROUGH, doubleSided=True
    )
    visual = trimesh.visual.TextureVisuals(material=material)
    visual.vertex_attributes["color"] = _rgba(screen_to_linear(mesh.colors))
    turned = _turned(mesh, visual)
    turned.metadata = {"hand": mesh.hand}
    scene = trimesh.Scene()
    scene.add_geometry(turned, node_name="hand", geom_name="hand")
    return bytes(trimesh.exchange.gltf.export_glb(scene, include_normals=True))


def _obj(mesh: HandMesh) -> bytes:
    visual = trimesh.visual.ColorVisuals(vertex_colors=_rgba(mesh.colors))
    text: str = trimesh.exchange.obj.export_obj(_turned(mesh, visual), include_normals=True, digits=7)
    return text.encode()


def _ply(mesh: HandMesh) -> bytes:
    visual = trimesh.visual.ColorVisuals(vertex_colors=_rgba(mesh.colors))
    return bytes(trimesh.exchange.ply.export_ply(_turned(mesh, visual), vertex_normal=True))


_WRITERS: dict[Format, Callable[[HandMesh], bytes]] = {"glb": _glb, "obj": _obj, "ply": _ply}


def _turned(mesh: HandMesh, visual: trimesh.visual.ColorVisuals | trimesh.visual.TextureVisuals) -> trimesh.Trimesh:
    # process=False: vertices keep the hand model's order.
    return trimesh.Trimesh(mesh.vertices_cam * CAMERA_TO_VIEWER, mesh.faces, visual=visual, process=False)


def _rgba(colors: NDArray[np.float32]) -> NDArray[np.uint8]:  # [V, 3] -> [V, 4]
    opaque = np.ones((len(colors), 1))
    return (np.concatenate([colors, opaque], axis=1).clip(0, 1) * 255).round().astype(np.uint8)


def screen_to_linear(colors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Turn colours as a screen takes them (sRGB, IEC 61966-2-1) into amounts of light, both in [0, 1]."""
    dark = colors / 12.92
    bright = ((colors.clip(0) + 0.055) / 1.055) ** 2.4
    return np.where(colors <= 0.04045, dark, bright).astype(np.float32)

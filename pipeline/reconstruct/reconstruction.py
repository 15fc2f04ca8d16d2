"""One reconstructed hand, as it is in its photograph."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from s2hand.datasets.cameras import Box
from s2hand.datasets.records import HANDS, Hand

MIRROR = np.array([-1, 1, 1], np.float32)
"""What mirroring does to a point, or a direction, before the camera."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Reconstruction:
    """A hand in front of the photograph's camera: x right, y down, z forward, metres; pixels of the photograph.

    Joints, vertices, pixels, faces and K are those of the photograph, of a left hand too. The network sees a left
    hand mirrored, as a right one: the codes, `pose` to `lights`, are that right hand's. Its
    M = s M0(pose, shape) R + T, with R about the wrist joint, mirrored at x = 0 is the left hand.

    Examples:
        >>> from pathlib import Path
        >>> from s2hand.datasets.cameras import project
        >>> from s2hand.datasets.images import read_image
        >>> from s2hand.pipeline import Reconstructor
        >>> image = read_image(Path("photographs/one.jpg"))
        >>> ((hand,),) = Reconstructor.load("outputs/model").reconstruct([image])
        >>> hand.pose.shape, hand.shape.shape, hand.colors.shape
        ((30,), (10,), (778, 3))
        >>> bool(abs(project(hand.joints_cam, hand.K) - hand.joints_px).max() < 0.1)  # pixels
        True
    """

    hand: Hand
    box: Box  # what the network saw of the photograph
    K: NDArray[np.float64]  # [3, 3] of the photograph
    keypoints: NDArray[np.float32]  # [21, 3] detected: x, y, confidence; NaN where that is 0
    pose: NDArray[np.float32]  # [30] theta
    shape: NDArray[np.float32]  # [10] beta
    scale: float  # s
    rotation: NDArray[np.float32]  # [3] R as axis-angle
    rotation_matrix: NDArray[np.float32]  # [3, 3] the same
    translation: NDArray[np.float32]  # [3] T
    colors: NDArray[np.float32]  # [778, 3] C: RGB in [0, 1], unlit
    lights: NDArray[np.float32]  # [11] L, as `s2hand.train.render` takes them
    joints_cam: NDArray[np.float32]  # [21, 3]
    joints_px: NDArray[np.float32]  # [21, 2]
    vertices_cam: NDArray[np.float32]  # [778, 3]
    faces: NDArray[np.int64]  # [1538, 3] counter-clockwise from outside

    def __post_init__(self) -> None:
        if self.hand not in HANDS:
            raise ValueError(f"Reconstruction.hand: expected right or left, found {self.hand!r}")
        for name, size in SIZES.items():
            found = getattr(self, name).shape
            if found != size:
                raise ValueError(f"Reconstruction.{name}: expected {size}, found {found}")

    @property
    def confidence(self) -> float:
        """Return the mean confidence of the detected keypoints; 0 where nobody looked for them."""
        return float(self.keypoints[:, 2].mean())

    @property
    def photograph_lights(self) -> NDArray[np.float32]:  # [11]
        """Return L in the photograph: the light of a left hand falls from the other side."""
        if self.hand == "right":
            return self.lights
        return np.concatenate([self.lights[:8], self.lights[8:] * MIRROR])

    def save(self, path: str | Path) -> None:
        """Write the mesh: .glb, .obj or .ply, see `meshes`."""
        from s2hand.pipeline.reconstruct.meshes import HandMesh, write_mesh

        write_mesh(Path(path), HandMesh(self.vertices_cam, self.faces, self.colors, self.hand))


SIZES = {
    "K": (3, 3),
    "keypoints": (21, 3),
    "pose": (30,),
    "shape": (10,),
    "rotation": (3,),
    "rotation_matrix": (3, 3),
    "translation": (3,),
    "colors": (778, 3),
    "lights": (11,),
    "joints_cam": (21, 3),
    "joints_px": (21, 2),
    "vertices_cam": (778, 3),
    "faces": (1538, 3),
}

"""A look at the networks between two epochs: how well they agree with samples that were held back, and pictures."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from s2hand.datasets.drawing import Image, draw_hand, write_png, write_text
from s2hand.train.augment import Batch
from s2hand.train.branches import Branches, Outputs, Stage
from s2hand.train.data import TrainingData
from s2hand.train.losses import to_reference_pixels
from s2hand.train.model import render_hands

SHEETS = "sheets"
SHOWN = 8
COLUMNS = ("input", "detected", "2D branch", "projected", "silhouette", "rendered", "texture")

_TILE, _GAP, _HEADER = 192, 4, 28
_PAPER, _INK = (250, 250, 250), (30, 30, 30)
_BATCH = 64


class Inspector:
    """Looks at the samples of a pack from row `first` on, or, for pictures, at the first ones where there are none."""

    def __init__(self, branches: Branches, data: TrainingData, first: int, out: Path) -> None:
        self.branches, self.data, self.out = branches, data, out
        self.rows = torch.arange(first, len(data))

    def held_back_distances(self, weights: dict[str, Tensor], stage: Stage) -> dict[str, float]:
        """Mean distance to the detections, weighted by confidence, in pixels of a 224 px image, of each branch.

        weights: the branches' state. Only branches that the stage trains; nothing where nothing is held back.
        """
        if not len(self.rows):
            return {}
        sums: dict[str, float] = {}
        for rows in torch.split(self.rows, _BATCH):
            batch = self.data.batch(rows)
            outputs = self._look(weights, batch)
            assert outputs.hands is not None
            sets = {"held_back_px": outputs.hands.joints_px} if stage.has_3d else {}
            if stage.has_2d and outputs.stacks:
                sets["held_back_2d_px"] = outputs.stacks[-1].joints
            for name, joints in sets.items():
                sums[name] = sums.get(name, 0.0) + _distance(joints, batch)
        return {name: value / len(self.rows) for name, value in sums.items()}

    def write_sheet(self, weights: dict[str, Tensor], name: str) -> None:
        """Write `sheets/NAME.png`: samples in rows, what is seen and what is predicted in columns."""
        rows = self.rows[:SHOWN] if len(self.rows) else torch.arange(min(SHOWN, len(self.data)))
        batch = self.data.batch(rows)
        outputs = self._look(weights, batch)
        folder = self.out / SHEETS
        folder.mkdir(exist_ok=True)
        write_png(folder / f"{name}.png", _sheet(self._tiles(batch, outputs), name))

    @torch.no_grad()
    def _look(self, weights: dict[str, Tensor], batch: Batch) -> Outputs:
        with _evaluating(self.branches):
            outputs: Outputs = torch.func.functional_call(self.branches, weights, (batch.images, batch.K))
        return outputs

    @torch.no_grad()
    def _tiles(self, batch: Batch, outputs: Outputs) -> list[list[Image]]:
        hands, reconstruction = outputs.hands, self.branches.reconstruction
        assert hands is not None
        assert reconstruction is not None
        before = render_hands(reconstruction.hand, hands, batch.K, batch.images)
        alone = render_hands(reconstruction.hand, hands, batch.K, torch.ones_like(batch.images))
        grey = before.silhouette[:, None].expand(-1, 3, -1, -1)
        pictures = [_bytes(tensor) for tensor in (batch.images, grey, before.rgb, alone.rgb)]
        sets = [batch.keypoints, _sure(outputs.stacks[-1].joints) if outputs.stacks else None, _sure(hands.joints_px)]
        rows = []
        for sample in range(len(batch.rows)):
            image, silhouette, rendered, texture = (_enlarge(picture[sample]) for picture in pictures)
            drawn = [_with_joints(pictures[0][sample], points, sample) for points in sets]
            rows.append([image, *drawn, silhouette, rendered, texture])
        return rows


@contextmanager
def _evaluating(network: nn.Module) -> Iterator[None]:
    """Evaluation mode for a while."""
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


def _distance(joints: Tensor, batch: Batch) -> float:
    """The sum over the samples of the mean distance to the detections."""
    confidence = batch.keypoints[..., 2]
    detected = torch.where(confidence[..., None] > 0, batch.keypoints[..., :2], joints)
    distances = torch.linalg.vector_norm(to_reference_pixels(joints - detected, batch.images.shape[-1]), dim=-1)
    return float(((distances * confidence).sum(1) / confidence.sum(1).clamp_min(1e-6)).sum())


def _sure(joints: Tensor) -> Tensor:  # [B, 21, 2] -> [B, 21, 3]
    return torch.cat([joints, torch.ones_like(joints[..., :1])], dim=-1)


def _bytes(images: Tensor) -> NDArray[np.uint8]:  # [B, 3, S, S] -> [B, S, S, 3]
    array: NDArray[np.uint8] = (images.clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy()
    return array


def _enlarge(image: Image) -> Image:
    return cv2.resize(image, (_TILE, _TILE), interpolation=cv2.INTER_AREA if len(image) > _TILE else cv2.INTER_CUBIC)  # type: ignore[return-value]


def _with_joints(image: Image, points: Tensor | None, sample: int) -> Image:
    """The crop, enlarged and dimmed, with keypoints [B, 21, 3]; an empty tile where there are none."""
    if points is None:
        return np.full((_TILE, _TILE, 3), 235, np.uint8)
    canvas: Image = (_enlarge(image) * 0.7).astype(np.uint8)
    keypoints = points[sample].cpu().numpy().astype(np.float32)
    draw_hand(canvas, keypoints * np.array([_TILE / len(image), _TILE / len(image), 1], np.float32))
    return canvas


def _sheet(rows: list[list[Image]], title: str) -> Image:
    step = _TILE + _GAP
    page = np.full((_HEADER + len(rows) * step, len(COLUMNS) * step + _GAP, 3), _PAPER, np.uint8)
    for column, label in enumerate(COLUMNS):
        write_text(page, label if column else f"{label} ({title})", _GAP + column * step, _HEADER - 9, _INK, 0.42)
    for row, tiles in enumerate(rows):
        for column, tile in enumerate(tiles):
            top, left = _HEADER + row * step, _GAP + column * step
            page[top : top + _TILE, left : left + _TILE] = tile
    return page

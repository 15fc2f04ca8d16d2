"""What refinement gains, what each of its terms is worth, and how long it takes.

    python benchmarks/refine.py outputs/model --pack data/packs/eval.h5 --labelled FOLDER

The pack's keypoints are those that the detect stage found, its truth that of synthetic photographs. FOLDER, if there is
one, holds photographs of hands, each filling its picture, and `labels.json`: per image, by its path relative to FOLDER,
`hand` (left or right), `xyz_m` (21 x 3, metres, camera) and `K`; their keypoints are detected by `slim`. Joint errors
are in millimetres, 2D ones in pixels of a 224 px crop. Times are those of hands of a network that has learnt nothing,
which takes as long.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from numpy.typing import NDArray
from report import Value, write_results
from torch import Tensor

from s2hand.datasets import cameras
from s2hand.datasets.cameras import square_box
from s2hand.datasets.files import read_json
from s2hand.datasets.hand_crops import cut_hand
from s2hand.datasets.images import read_image
from s2hand.datasets.packs import Pack
from s2hand.detect.detector import HandDetector
from s2hand.train.losses import REFERENCE_SIZE
from s2hand.train.mano import load_hand_model
from s2hand.train.metrics import score_hands, summarize
from s2hand.train.model import HandNetwork, project
from s2hand.train.predict import load_network
from s2hand.train.refine import refine
from s2hand.train.refine_settings import RefineSettings, RefineWeights
from s2hand.train.settings import EncoderSettings

BATCH = 16


@dataclass(frozen=True)
class Hands:
    """N hands as right hands: crops, what was detected in them, and the truth."""

    images: NDArray[np.uint8]  # [N, S, S, 3]
    K: NDArray[np.floating[Any]]  # [N, 3, 3]
    keypoints: NDArray[np.float32]  # [N, 21, 3]
    joints_cam: NDArray[np.floating[Any]]  # [N, 21, 3]

    def batches(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Images [B, 3, S, S] in [0, 1], K and keypoints."""
        for start in range(0, len(self.images), BATCH):
            part = slice(start, start + BATCH)
            images = torch.from_numpy(self.images[part]).permute(0, 3, 1, 2).float() / 255
            yield images, torch.from_numpy(self.K[part]).float(), torch.from_numpy(self.keypoints[part])


def from_pack(path: Path, count: int) -> Hands:
    """The first hands of a pack whose truth is known."""
    with Pack(path) as pack:
        rows = pack.rows(range(min(count, len(pack))))
    if rows.joints_cam is None:
        raise typer.BadParameter(f"{path}: expected a pack with the true joints, found none")
    return Hands(rows.images, rows.K, rows.keypoints, rows.joints_cam)


def from_photographs(folder: Path, size: int) -> Hands:
    """All labelled photographs of a folder, each a hand, its keypoints detected."""
    detector, crops, truth = HandDetector.load("slim"), [], []
    for name, label in sorted(read_json(folder / "labels.json").items()):
        image, joints = read_image(folder / name), np.array(label["xyz_m"])
        (found,) = detector.detect([image], label["hand"])
        keypoints = np.concatenate([found.xy, found.confidence[:, None]], axis=1).astype(np.float32)
        box = square_box(image.shape[1], image.shape[0])
        crops.append(cut_hand(image, np.array(label["K"]), box, label["hand"], size, keypoints))
        truth.append(cameras.mirror_points_cam(joints) if label["hand"] == "left" else joints)
    columns = {name: np.stack([getattr(crop, name) for crop in crops]) for name in ("image", "K", "keypoints")}
    return Hands(columns["image"], columns["K"], columns["keypoints"], np.stack(truth))


def without(*names: str) -> RefineSettings:
    """A refinement that lacks some terms."""
    return RefineSettings(weights=RefineWeights(**dict.fromkeys(names, 0.0)))


START = ("start_pose", "start_shape", "start_turn", "start_distance")
VARIANTS: dict[str, RefineSettings | None] = {
    "network": None,
    "refined": RefineSettings(),
    "refined, with pixels": RefineSettings(pixels=True),
    "place only": RefineSettings(pose_steps=0),
    "no phase of place": RefineSettings(place_steps=0),
    "without E_loc": without("E_loc"),
    "without E_ori": without("E_ori"),
    "without E_J": without("E_J"),
    "without E_beta": without("E_beta"),
    "without the start's pose": without("start_pose"),
    "without the start's shape": without("start_shape"),
    "without the start's rotation": without("start_turn"),
    "without the start's distance": without("start_distance"),
    "without any of the start": without(*START),
    "keypoints alone": without(*START, "E_J", "E_beta"),
}


def measure(data: str, hands: Hands, network: HandNetwork, what: str) -> dict[str, Value]:
    """The errors of one variant."""
    settings, joints, pixels = VARIANTS[what], [], []
    for images, K, keypoints in hands.batches():
        with torch.inference_mode():
            answer = network(images, K)
        found = answer if settings is None else refine(network, answer, images, K, keypoints, settings)
        joints.append(found.joints_cam.numpy())
        pixels.append(found.joints_px.numpy())
    found_cam, found_px = np.concatenate(joints), np.concatenate(pixels)
    scores = summarize(score_hands(found_cam, hands.joints_cam))
    true_px = cameras.project(hands.joints_cam, hands.K)
    unit = REFERENCE_SIZE / hands.images.shape[1]
    seen = hands.keypoints[..., 2] > 0
    return {
        "data": data,
        "what": what,
        "aligned_mm": 10 * scores["pa_mpjpe_cm"],
        "root_relative_mm": 10 * scores["root_mpjpe_cm"],
        "absolute_mm": 10 * scores["mpjpe_cm"],
        "to_truth_px": float(unit * np.linalg.norm(found_px - true_px, axis=-1).mean()),
        "to_detections_px": float(unit * np.linalg.norm(found_px - hands.keypoints[..., :2], axis=-1)[seen].mean()),
    }


def measure_time(size: int, settings: RefineSettings) -> dict[str, Value]:
    """Seconds of a batch: the best of three, and those of the processor."""
    network = HandNetwork(EncoderSettings(pretrained="never"), load_hand_model()).eval()
    random = torch.Generator().manual_seed(0)
    images = torch.rand(BATCH, 3, size, size, generator=random)
    K = torch.tensor([[2.1 * size, 0, size / 2], [0, 2.1 * size, size / 2], [0, 0, 1]]).expand(BATCH, 3, 3)
    with torch.inference_mode():
        answer = network(images, K)
    aside = project(answer.joints_cam, K) + 0.05 * size * torch.randn(BATCH, 21, 2, generator=random)
    keypoints = torch.cat([aside, torch.ones(BATCH, 21, 1)], dim=-1)
    wall, busy = [], []
    for _ in range(4):  # the first compiles
        start, start_busy = time.perf_counter(), time.process_time()
        refine(network, answer, images, K, keypoints, settings)
        wall.append(time.perf_counter() - start)
        busy.append(time.process_time() - start_busy)
    what = f"{BATCH} hands{', with pixels' if settings.pixels else ''}"
    return {"data": f"time, {size} px", "what": what, "wall_s": min(wall[1:]), "processor_s": min(busy[1:])}


def main(
    checkpoint: Annotated[Path, typer.Argument(help="Folder of a trained network.")],
    pack: Annotated[Path, typer.Option(help="Pack with the truth, of the size that the network takes.")] = Path(
        "data/packs/eval.h5"
    ),
    labelled: Annotated[Path | None, typer.Option(help="Folder with labels.json and photographs.")] = None,
    count: Annotated[int, typer.Option(min=1, help="Hands of the pack.")] = 500,
    hand: Annotated[str, typer.Option(help="Hand model of the network.")] = "open",
    name: Annotated[str, typer.Option(help="Name of the results' file.")] = "refine",
) -> None:
    """Measure every variant on every data set, and the time; print and write the table."""
    rows = [measure_time(size, RefineSettings(pixels=pixels)) for size in (64, 128) for pixels in (False, True)]
    network, size = load_network(checkpoint, hand, "cpu")
    sets = {"synthetic": from_pack(pack, count)}
    if labelled is not None:
        sets["photographs"] = from_photographs(labelled, size)
    rows += [measure(data, hands, network, what) for data, hands in sets.items() for what in VARIANTS]
    counts = ", ".join(f"{len(hands.images)} {data}" for data, hands in sets.items())
    write_results(name, rows, f"{counts}; crops of {size} px; {torch.get_num_threads()} threads")


if __name__ == "__main__":
    typer.run(main)

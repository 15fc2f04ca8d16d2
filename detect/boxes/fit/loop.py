"""Train the finder of hands on scenes that are put together anew for each step."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from s2hand.datasets.process import core_count
from s2hand.datasets.records import Split
from s2hand.detect.boxes.fit.compose import Scene, compose
from s2hand.detect.boxes.fit.loss import make_targets, scene_loss
from s2hand.detect.boxes.fit.measure import make_judge, match, summarize
from s2hand.detect.boxes.fit.pieces import Pieces, load_pieces
from s2hand.detect.boxes.fit.settings import BoxesSettings
from s2hand.detect.boxes.network import NETWORK_NAME, build_boxes_net, start_from_slim
from s2hand.detect.detector import HandDetector
from s2hand.detect.fit.engine import to_input
from s2hand.detect.fit.run_folder import Provenance, RunFolder
from s2hand.detect.fit.training import FitSummary, Measurement, Progress, Training
from s2hand.detect.slim_estimator import read_slim
from s2hand.detect.threads import compute_threads
from s2hand.detect.weights import SLIM

_TRAINING, _HELD_BACK = 0, 1  # streams of random numbers, apart from each other


class SceneLoss:
    """The loss of a micro-batch of fresh scenes; which ones depends on the settings' seed and on its numbers."""

    def __init__(self, pieces: Pieces, settings: BoxesSettings) -> None:
        self._pieces = pieces
        self._settings = settings

    def __call__(self, network: nn.Module, number: int, slot: int) -> Tensor:
        """Return the mean loss of micro-batch `slot` of step `number`."""
        settings = self._settings
        rng = np.random.default_rng([settings.seed, _TRAINING, number, slot])
        degradation = min(1.0, number * settings.batch / max(1, settings.scenes.degrade_over))
        scenes = [compose(self._pieces, settings.scenes, degradation, rng) for _ in range(settings.micro_batch)]
        with torch.autocast("cpu", torch.bfloat16, enabled=settings.bf16):
            maps = network(to_input(np.stack([scene.image for scene in scenes])))
        return scene_loss(maps, make_targets(scenes), settings.box_weight)


def held_back_scenes(pieces: Pieces, settings: BoxesSettings, pool: ThreadPoolExecutor) -> list[Scene]:
    """Return the scenes to measure with: the same ones for the same pieces and settings."""

    def make(number: int) -> Scene:
        return compose(pieces, settings.scenes, 1.0, np.random.default_rng([settings.seed, _HELD_BACK, number]))

    return list(pool.map(make, range(settings.validation_images)))


def fit_boxes(
    settings: BoxesSettings, data: Path, out: Path, progress: Progress, start: str | Path | None = None
) -> FitSummary:
    """Train on scenes of the pieces in `data`, measure on scenes of its evaluation split, write it all to `out`.

    A run that was killed goes on from its last checkpoint, with the same result as if it had not been. `start`, `slim`
    or a path, is a weight file of the slim keypoint network to begin with; without one, weights are fresh.

    Raises ValueError for a folder without pieces, for one that holds another run, for a file of another network.
    """
    weights = None if start is None else read_slim(start)
    splits: tuple[Split, Split] = ("training", "evaluation")
    (training, digest), (evaluation, _) = (load_pieces(data, split) for split in splits)
    provenance = Provenance(settings, data.name, digest, weights.sha256 if weights else None)
    with compute_threads(settings.workers or core_count()) as pool:
        scenes = held_back_scenes(evaluation, settings, pool)
        network = build_boxes_net(settings.seed)
        if weights is not None:
            start_from_slim(network, weights.tensors)

        detector = HandDetector.load(SLIM)

        def measured(average: nn.Module) -> Measurement:
            matched = match(average, detector, scenes, settings.bf16, pool)
            judge = make_judge(matched)
            texts = {"judge": json.dumps(asdict(judge)), "judge_sha256": detector.estimator.weights_sha256}
            return Measurement(summarize(matched, judge), texts)

        run = Training(
            settings,
            network,
            NETWORK_NAME,
            SceneLoss(training, settings),
            measured,
            pool,
        )
        return run.train(RunFolder(out, "slim_boxes", provenance), progress)

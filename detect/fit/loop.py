"""Train the slim network on labelled photographs."""

import json
from dataclasses import asdict
from pathlib import Path

from torch import nn

from s2hand.datasets.process import core_count
from s2hand.detect.fit.draw import KeypointLoss
from s2hand.detect.fit.labelled import Source
from s2hand.detect.fit.measure import calibrate, measure, summarize
from s2hand.detect.fit.run_folder import Provenance, RunFolder
from s2hand.detect.fit.samples import load_samples
from s2hand.detect.fit.settings import FitSettings
from s2hand.detect.fit.training import FitSummary, Measurement, Progress, Training
from s2hand.detect.slim import NETWORK_NAME, build_slim, load_stored
from s2hand.detect.slim_estimator import read_slim
from s2hand.detect.threads import compute_threads


def fit(
    settings: FitSettings, data: Source, out: Path, progress: Progress, start: str | Path | None = None
) -> FitSummary:
    """Train on the training split of labelled photographs, measure on the evaluation split, write it all to `out`.

    A run that was killed goes on from its last checkpoint, with the same result as if it had not been. `start`, `slim`
    or a path, is a weight file to train further.

    Raises ValueError for data without labels, for a folder that holds another run, for a file of another network.
    """
    weights = None if start is None else read_slim(start)
    training, held_back = (
        load_samples(data, split, out / "cache", lambda done, total: progress("reading images", done, total))
        for split in ("training", "evaluation")
    )
    provenance = Provenance(settings, data.name, training.labels_sha256, weights.sha256 if weights else None)
    held_back = held_back.take(settings.validation_images)
    with compute_threads(settings.workers or core_count()) as pool:
        network = build_slim(settings.seed)
        if weights is not None:
            load_stored(network, weights.tensors)

        def measured(average: nn.Module) -> Measurement:
            found = measure(average, held_back, settings.bf16, pool)
            calibration = json.dumps(asdict(calibrate(found)))
            return Measurement(summarize(found.errors, found.beliefs), {"calibration": calibration})

        loss = KeypointLoss(training, settings)
        run = Training(settings, network, NETWORK_NAME, loss, measured, pool)
        return run.train(RunFolder(out, NETWORK_NAME, provenance), progress)

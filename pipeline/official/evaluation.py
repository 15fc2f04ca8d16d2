"""From a submission to the official numbers."""

from pathlib import Path

from s2hand.datasets.files import DataError
from s2hand.datasets.records import Dataset
from s2hand.detect.console import Report
from s2hand.pipeline.official.challenges import CHALLENGES, Challenge
from s2hand.pipeline.official.metrics import measure, read_truth
from s2hand.pipeline.official.report import Evaluation
from s2hand.pipeline.official.submission import read_submission


def challenge_of(dataset: Dataset) -> Challenge:
    """Return the challenge of a data set; raises DataError where it has none."""
    if dataset.name not in CHALLENGES:
        raise DataError(
            f"{dataset.root}: a data set of kind {dataset.name} has no official numbers; "
            "expected FreiHAND or HO-3D (--source freihand, ho3d); its metrics are in results/metrics.json"
        )
    return CHALLENGES[dataset.name]


def evaluate_submission(dataset: Dataset, submission: Path, report: Report | None = None) -> Evaluation:
    """Score a `pred.json` or `pred.zip` of the data set's evaluation images.

    `report` is told how many hands of how many are compared. Raises DataError where the data set has no challenge, or
    the file is not what it takes.
    """
    challenge, records = challenge_of(dataset), dataset.records("evaluation")
    predicted = read_submission(submission, challenge, len(records))
    true = read_truth(records)
    metrics = None if true is None else measure(predicted, true, report)
    return Evaluation(challenge, submission, len(records), metrics)

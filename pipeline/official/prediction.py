"""From a trained network to a submission."""

from pathlib import Path

from s2hand.datasets.files import DataError
from s2hand.datasets.packs import Pack
from s2hand.datasets.records import Dataset
from s2hand.detect.console import Report
from s2hand.pipeline.official.evaluation import challenge_of
from s2hand.pipeline.official.submission import JSON, first_hands, write_submission
from s2hand.pipeline.predictions import in_photographs
from s2hand.train.predict import predict


def predict_submission(
    dataset: Dataset,
    checkpoint: Path,
    hand: str,  # as for `load_hand_model`
    pack: Path,
    folder: Path,
    report: Report,
    device: str,
) -> Path:
    """Write the submission of a trained network, from the pack of the data set's evaluation images.

    Raises DataError where the pack lacks images, ValueError (CheckpointError) where the checkpoint doesn't fit.
    """
    challenge, images = challenge_of(dataset), len(dataset.records("evaluation"))
    with Pack(pack) as opened:
        chosen = first_hands(opened.names())
        if len(chosen) != images:
            raise DataError(
                f"{pack}: expected {images} evaluation images, found {len(chosen)}; the others can't be read, or it is "
                "of another data set: mend them, then run `dvc repro pack`"
            )
        predicted = predict(checkpoint, opened, hand, progress=report, device=device)
        joints, vertices = in_photographs(opened.mirrored(), predicted)
    write_submission(folder, challenge, joints[chosen], vertices[chosen])
    return folder / JSON

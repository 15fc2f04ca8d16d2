"""How well a detector finds the joints of labelled photographs: `python benchmarks/slim_accuracy.py FOLDER`.

FOLDER holds `labels.json`: per image, by its path relative to FOLDER, `hand` (left or right) and `uv` (21 x 2 pixels).
Errors are in units of the longer side of the box around the true joints.
"""

from collections import defaultdict
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from report import write_results

from s2hand.datasets.files import read_json
from s2hand.datasets.images import read_image
from s2hand.datasets.records import HANDS
from s2hand.datasets.skeleton import FINGERS, JOINT_NAMES, TIPS, WRIST
from s2hand.detect.detector import HandDetector
from s2hand.detect.fit.measure import hand_sizes, summarize


def main(
    folder: Annotated[Path, typer.Argument(help="Folder with labels.json and the images that it names.")],
    weights: Annotated[str, typer.Option(help="`slim`, or a weight file.")] = "slim",
    device: Annotated[str, typer.Option(help="`cpu` or `cuda`.")] = "cpu",
    name: Annotated[str, typer.Option(help="Name of the results' file.")] = "slim_accuracy",
) -> None:
    """Measure the detector on labelled photographs; print and write the averages."""
    detector = HandDetector.load(weights, device)
    offsets, confidence = _detect(folder, detector)
    errors = np.linalg.norm(offsets, axis=-1)
    missed = ~np.isfinite(errors)
    errors[missed] = 1.0  # a joint that is not found is a whole hand off
    rows = [{"what": "all joints", **summarize(errors, confidence)}]
    groups = {"wrist": (WRIST,), **FINGERS, "tips": TIPS}
    rows += [_row(label, errors[:, list(joints)]) for label, joints in groups.items()]
    rows += [{**_row(joint, errors[:, i]), **_bias(offsets[:, i])} for i, joint in enumerate(JOINT_NAMES)]
    notes = (
        f"{len(errors)} photographs, {int(missed.sum())} joints not found; errors over the longer side of the box of "
        f"the true joints; weights sha256 {detector.estimator.weights_sha256}"
    )
    write_results(name, rows, notes)


def _detect(
    folder: Path, detector: HandDetector
) -> tuple[NDArray[np.floating], NDArray[np.floating]]:  # [N, 21, 2], [N, 21]
    """Return found minus true position of each joint over the hand's size, and the confidences."""
    by_hand: dict[str, list[tuple[str, list[list[float]]]]] = defaultdict(list)
    for image, label in read_json(folder / "labels.json").items():
        by_hand[label["hand"]].append((image, label["uv"]))
    offsets, confidence = [], []
    for hand in HANDS:
        labels = by_hand[hand]
        found = detector.detect([read_image(folder / image) for image, _ in labels], hand)
        for (_, uv), detection in zip(labels, found, strict=True):
            true = np.array(uv)
            offsets.append((detection.xy - true) / hand_sizes(true[None])[0])
            confidence.append(detection.confidence)
    return np.array(offsets), np.array(confidence)


def _row(what: str, errors: NDArray[np.floating]) -> dict[str, str | float]:
    shares = {f"within_{share:g}": float((errors < share).mean()) for share in (0.05, 0.1, 0.2)}
    return {"what": what, "mean": float(errors.mean()), "median": float(np.median(errors)), **shares}


def _bias(offsets: NDArray[np.floating]) -> dict[str, float]:
    """The middle offset, right and down: what detector and labels mean differently by one joint."""
    right, down = np.nanmedian(offsets, axis=0)
    return {"median_right": float(right), "median_down": float(down)}


if __name__ == "__main__":
    typer.run(main)

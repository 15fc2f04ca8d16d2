"""How well a detector finds the joints of labelled photographs: `python benchmarks/slim_accuracy.py FOLDER`.

FOLDER holds `labels.json`: per image, by its path relative to FOLDER, `hand` (left or right) and `uv` (21 x 2 pixels).
Errors are in units of the longer side of the box around the true joints. By tenths of the joints, from the least to the
most confident, the table says whether confidence can be trusted: how many joints of a stated confidence are near, and
how large their mean error is. `--plot docs/slim-confidence.png` draws that.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from report import write_results

from s2hand.datasets.files import read_json
from s2hand.datasets.images import read_image
from s2hand.datasets.records import HANDS
from s2hand.datasets.skeleton import FINGERS, JOINT_NAMES, TIPS, WRIST
from s2hand.detect.detector import HandDetector
from s2hand.detect.fit.measure import NEAR, hand_sizes, summarize

TENTHS = 10


def main(
    folder: Annotated[Path, typer.Argument(help="Folder with labels.json and the images that it names.")],
    weights: Annotated[str, typer.Option(help="`slim`, or a weight file.")] = "slim",
    device: Annotated[str, typer.Option(help="`cpu` or `cuda`.")] = "cpu",
    name: Annotated[str, typer.Option(help="Name of the results' file.")] = "slim_accuracy",
    plot: Annotated[Path | None, typer.Option(help="Draw error and share of near joints by confidence, a PNG.")] = None,
) -> None:
    """Measure the detector on labelled photographs; print and write the averages."""
    detector = HandDetector.load(weights, device)
    offsets, confidence = _detect(folder, detector)
    errors = np.linalg.norm(offsets, axis=-1)
    missed = ~np.isfinite(errors)
    errors[missed] = 1.0  # a joint that is not found is a whole hand off
    rows = [{"what": "all joints", **summarize(errors, confidence)}]
    tenths = by_confidence(errors, confidence)
    rows += tenths
    groups = {"wrist": (WRIST,), **FINGERS, "tips": TIPS}
    rows += [_row(label, errors[:, list(joints)]) for label, joints in groups.items()]
    rows += [{**_row(joint, errors[:, i]), **_bias(offsets[:, i])} for i, joint in enumerate(JOINT_NAMES)]
    notes = (
        f"{len(errors)} photographs, {int(missed.sum())} joints not found; errors over the longer side of the box of "
        f"the true joints; weights sha256 {detector.estimator.weights_sha256}"
    )
    write_results(name, rows, notes)
    if plot is not None:
        draw(plot, tenths)


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


def by_confidence(errors: NDArray[np.floating], confidence: NDArray[np.floating]) -> list[dict[str, str | float]]:
    """Return a row per tenth of the joints, the least confident first: stated confidence, and errors."""
    order = np.argsort(confidence.ravel(), kind="stable")
    parts = zip(*(np.array_split(values.ravel()[order], TENTHS) for values in (errors, confidence)), strict=True)
    return [
        {**_row(f"confidence tenth {number}", part), "confidence": float(stated.mean())}
        for number, (part, stated) in enumerate(parts, start=1)
    ]


def draw(path: Path, tenths: Sequence[Mapping[str, Any]]) -> None:
    """Draw what `by_confidence` gave: the share of near joints and the mean error over the confidence stated."""
    import matplotlib.pyplot as plt

    stated = [row["confidence"] for row in tenths]
    figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.6), layout="constrained")
    left.plot([0, 1], [0, 1], "--", color="0.6", label="as stated")
    left.plot(stated, [row[f"within_{NEAR:g}"] for row in tenths], "o-", color="tab:blue", label="measured")
    left.set(ylabel=f"share of joints within {NEAR:g} of the hand", xlim=(0, 1), ylim=(0, 1.02))
    left.legend(frameon=False, loc="upper left")
    right.plot(stated, [row["mean"] for row in tenths], "o-", color="tab:red", label="mean")
    right.plot(stated, [row["median"] for row in tenths], "o:", color="tab:orange", label="median")
    right.set(ylabel="error / longer side of the hand", xlim=(0, 1), ylim=(0, None))
    right.legend(frameon=False, loc="upper right")
    for axes in (left, right):
        axes.set_xlabel("confidence, mean of a tenth of the joints")
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110, metadata={"Software": None})
    plt.close(figure)


def _row(what: str, errors: NDArray[np.floating]) -> dict[str, str | float]:
    shares = {f"within_{share:g}": float((errors < share).mean()) for share in (0.05, 0.1, 0.2)}
    return {"what": what, "mean": float(errors.mean()), "median": float(np.median(errors)), **shares}


def _bias(offsets: NDArray[np.floating]) -> dict[str, float]:
    """The middle offset, right and down: what detector and labels mean differently by one joint."""
    right, down = np.nanmedian(offsets, axis=0)
    return {"median_right": float(right), "median_down": float(down)}


if __name__ == "__main__":
    typer.run(main)

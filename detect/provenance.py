"""What a run's numbers depend on: detector, weights, parameters, and the code that computes them."""

from s2hand.datasets.files import source_digest
from s2hand.datasets.rows import Provenance
from s2hand.detect.hands import HandFinder

PASSIVE = (
    *("__main__.py", "cli.py", "console.py", "interrupts.py", "commands", "fit", "boxes/fit", "cluster.py"),
    *("sheet.py", "selection.py", "stats.py", "suspicious.py", "tiles.py"),
    *("drawing.py", "exports", "imports", "packs.py", "safe_pickle.py", "plain_arrays.py"),
    *("folder.py", "freihand.py", "ho3d.py", "ho3d_frames.py", "ho3d_meta.py"),
)
"""Parts of `datasets` and `detect` that no keypoint passes through: a change there makes no shard stale. What is new
counts."""


def provenance_of(finder: HandFinder, batch_size: int | None) -> Provenance:
    """Return what makes keypoints of this finder stale when it changes; not the device, nor the number of workers.

    `batch_size` is the one that was asked for, if any: with another, sums are rounded differently.
    """
    estimator, localizer = finder.detector.estimator, finder.localizer
    where = {"name": localizer.name, "weights_sha256": localizer.weights_sha256, **localizer.parameters}
    parameters: dict[str, object] = {
        **estimator.parameters,
        "localize": where,
        "box_scale": finder.box_scale,
        "min_confidence": finder.min_confidence,
    }
    if batch_size is not None:
        parameters["batch_size"] = batch_size
    code = source_digest("s2hand.datasets", "s2hand.detect", without=PASSIVE)
    return Provenance(estimator.name, estimator.weights_sha256, parameters, code)

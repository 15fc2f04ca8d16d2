"""How long a stage took, and on which machine: noted beside its outputs, for the report.

The notes stay outside DVC's and git's hands, since they differ from run to run though the outputs do not. Each
holds the digest of one file that the stage wrote; where another file lies there now (from DVC's cache, from another
branch), the note is not about it and is passed over.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from s2hand.datasets.files import DataError, read_json, sha256_file, write_json
from s2hand.pipeline.layout import EVAL_PACK, KEYPOINTS, METRICS, MODEL, PREPARED
from s2hand.pipeline.machine import describe_machine

NOTES = Path("outputs/stage-runs")
WITNESSES = {
    "prepare": PREPARED / "index.json",
    "detect": KEYPOINTS / "evaluation/manifest.json",
    "pack": EVAL_PACK,
    "train": MODEL / "weights.safetensors",
    "evaluate": METRICS,
}
"""Of each stage the file whose digest tells whether a note is about what lies there."""


RESUMABLE = ("detect", "train")
"""Stages that go on from where an interrupted run was; the others begin anew."""


@dataclass(frozen=True)
class StageRun:
    """One run of a stage. `seconds` counts the interrupted runs that it went on from, but not killed or failed ones."""

    stage: str
    begun: str  # ISO 8601, UTC
    seconds: float
    machine: str
    finished: bool
    witness: str  # SHA-256; empty while not finished


@contextmanager
def noted(stage: str, root: Path = Path()) -> Iterator[None]:
    """Time what happens inside and note it when it ends, or is interrupted; a failure changes no note.

    The processes that a launcher started note nothing: the one that started them does.
    """
    if stage not in WITNESSES or "WORLD_SIZE" in os.environ:
        yield
        return
    begun, start, earlier = datetime.now(UTC).isoformat(timespec="seconds"), time.monotonic(), _unfinished(stage, root)

    def note(witness: str) -> None:
        seconds = round(earlier + time.monotonic() - start, 1)
        run = StageRun(stage, begun, seconds, describe_machine(), bool(witness), witness)
        (root / NOTES).mkdir(parents=True, exist_ok=True)
        write_json(_path(stage, root), asdict(run))

    try:
        yield
    except KeyboardInterrupt:
        note(witness="")
        raise
    note(sha256_file(root / WITNESSES[stage]))


def read_stage_runs(root: Path) -> dict[str, StageRun]:
    """Return, by stage, the runs that made what lies in the project's folder now."""
    runs = {}
    for stage, file in WITNESSES.items():
        run = _read(stage, root)
        if run and run.finished and (root / file).exists() and sha256_file(root / file) == run.witness:
            runs[stage] = run
    return runs


def _unfinished(stage: str, root: Path) -> float:
    run = _read(stage, root)
    return run.seconds if run and not run.finished and stage in RESUMABLE else 0.0


def _read(stage: str, root: Path) -> StageRun | None:
    """Return a stage's note; None where there is none, or it is not ours: a note is worth no error."""
    try:
        return StageRun(**read_json(_path(stage, root)))
    except (DataError, TypeError):
        return None


def _path(stage: str, root: Path) -> Path:
    return root / NOTES / f"{stage}.json"

"""Whether a run's photographs are real ones."""

from pathlib import Path

from s2hand.pipeline.report.changes import read_parameters
from s2hand.pipeline.report.project import Project


def is_synthetic(project: Project) -> bool:
    """Tell whether the photographs were made: their input is then the file of a hand, as `sources.py` has it."""
    data = (read_parameters(project) or {}).get("data")
    if not isinstance(data, dict):
        return False
    source, given = data.get("source", "auto"), Path(str(data.get("input", "")))
    return source == "synthetic" or (source == "auto" and given.suffix in (".npz", ".pkl"))

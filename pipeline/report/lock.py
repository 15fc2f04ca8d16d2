"""dvc.lock: which files each stage read and wrote, by their MD5."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from s2hand.datasets.files import DataError
from s2hand.pipeline.report.project import Project

LOCK = Path("dvc.lock")


@dataclass(frozen=True)
class LockedStage:
    """Path to digest of what a stage depends on, and of what it wrote."""

    deps: dict[str, str] = field(default_factory=dict)
    outs: dict[str, str] = field(default_factory=dict)


def read_lock(project: Project) -> dict[str, LockedStage]:
    """Return what DVC noted, by stage; nothing without a lock. Raises DataError where it is none of DVC's."""
    path = project.find(LOCK)
    if path is None:
        return {}
    try:
        noted: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
        stages: dict[str, Any] = {} if noted is None else noted.get("stages", {})
        return {name: LockedStage(_noted(stage, "deps"), _noted(stage, "outs")) for name, stage in stages.items()}
    except (yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError, AttributeError):
        raise DataError(f"{path}: expected the stages that DVC noted; restore it, or run `dvc repro`") from None


def _noted(stage: dict[str, Any], kind: str) -> dict[str, str]:
    return {item["path"]: item["md5"] for item in stage.get(kind, ()) if "md5" in item}

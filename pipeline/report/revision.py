"""Which code a project's numbers come from: git's commit and DVC's lock."""

import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

from s2hand.datasets.files import sha256_file
from s2hand.pipeline.report.project import Project

LOCK = Path("dvc.lock")
_MOST_NAMED = 12  # files that differ from the commit


def describe_revision(project: Project) -> dict[str, str]:
    """Return the commit, whether files differ from it, the lock's digest and the versions, by name."""
    lock = project.find(LOCK)
    commit = _git(project.root, "log", "-1", "--format=%H, %cs: %s")
    rows = {"git commit": commit or "not a git repository, or without a commit"}
    if commit:
        changed = _git(project.root, "status", "--porcelain", "--untracked-files=no").splitlines()
        rows["git branch"] = _git(project.root, "rev-parse", "--abbrev-ref", "HEAD")
        named = ", ".join(line[2:].strip() for line in changed[:_MOST_NAMED]) or "nothing"
        more = len(changed) - _MOST_NAMED
        rows["changed since the commit"] = named + (f" and {more} more" if more > 0 else "")
    rows[str(LOCK)] = f"sha256 {sha256_file(lock)[:16]}" if lock else "not there"
    rows["versions"] = ", ".join(f"{name} {version(name)}" for name in ("s2hand", "torch", "numpy", "dvc"))
    return rows


def read_lock(project: Project) -> dict[str, dict[str, str]]:
    """Return, by stage, what DVC noted of its outputs: path to digest; nothing without a lock that can be read."""
    path = project.find(LOCK)
    if path is None:
        return {}
    try:
        stages: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))["stages"]
        return {name: {out["path"]: out["md5"] for out in stage.get("outs", ())} for name, stage in stages.items()}
    except (yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError, AttributeError):
        return {}


def _git(root: Path, *arguments: str) -> str:
    """Return what git answers; nothing where it is not there, or refuses."""
    try:
        done = subprocess.run(("git", "-C", str(root), *arguments), capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.rstrip()

"""Which code a project's numbers come from: git's commit and DVC's lock."""

from importlib.metadata import version

from s2hand.datasets.files import sha256_file
from s2hand.pipeline.git import git
from s2hand.pipeline.report.lock import LOCK
from s2hand.pipeline.report.project import Project

_MOST_NAMED = 12  # files that differ from the commit


def describe_revision(project: Project) -> dict[str, str]:
    """Return the commit, whether files differ from it, the lock's digest and the versions, by name."""
    lock = project.find(LOCK)
    commit = _said(project, "log", "-1", "--format=%H, %cs: %s")
    rows = {"git commit": commit or "not a git repository, or without a commit"}
    if commit:
        changed = _said(project, "status", "--porcelain", "--untracked-files=no").splitlines()
        rows["git branch"] = _said(project, "rev-parse", "--abbrev-ref", "HEAD")
        named = ", ".join(line[2:].strip() for line in changed[:_MOST_NAMED]) or "nothing"
        more = len(changed) - _MOST_NAMED
        rows["changed since the commit"] = named + (f" and {more} more" if more > 0 else "")
    rows[str(LOCK)] = f"sha256 {sha256_file(lock)[:16]}" if lock else "not there"
    rows["versions"] = ", ".join(f"{name} {version(name)}" for name in ("s2hand", "torch", "numpy", "dvc"))
    return rows


def _said(project: Project, *arguments: str) -> str:
    """Return git's answer as text; nothing where it has none."""
    return (git(project.root, *arguments) or b"").decode(errors="replace").rstrip()

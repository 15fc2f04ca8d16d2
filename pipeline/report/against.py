"""The other side of a comparison: another project's folder, or a git revision of this one.

Of a revision the small files come out of git, and what DVC keeps out of its cache, or out of its remote where one is
configured. A revision may be whatever git calls one, or the name of a `dvc exp`.
"""

from pathlib import Path

from s2hand.datasets.files import DataError, replacing
from s2hand.pipeline.git import git
from s2hand.pipeline.layout import METRICS, PER_JOINT, PREPARED
from s2hand.pipeline.params import PARAMS_FILE
from s2hand.pipeline.report.changes import read_parameters
from s2hand.pipeline.report.lock import LOCK
from s2hand.pipeline.report.predicted_hands import TABLE
from s2hand.pipeline.report.project import Project
from s2hand.pipeline.sources import INDEX

_KEPT_BY_DVC = (TABLE, PREPARED / INDEX)


def open_against(project: Project, against: str, scratch: Path) -> Project:
    """Return what `project` is compared with: the folder `against`, or else the revision `against` of its repository.

    The needed files of a revision are written into the empty folder `scratch`. What DVC has no more is not there.

    Raises:
        DataError: neither a folder with results nor a revision with them, or not a git repository.
    """
    folder = Path(against)
    if folder.is_dir() and (folder / METRICS).is_file():
        return Project(folder, against)
    commit = _commit(project.root, against)
    if commit is None and folder.is_dir():
        raise DataError(f"--against {against}: the folder has no {METRICS}; run `dvc repro` there first")
    if commit is None:
        raise DataError(
            f"--against {against}: expected a folder, or a git revision or experiment of {project.root.resolve()}, "
            "found neither; `git log --all --oneline` and `dvc exp list -A` name them"
        )
    _take_from_git(project.root, commit, [METRICS, PER_JOINT, PARAMS_FILE, LOCK], scratch)
    if not (scratch / METRICS).is_file():
        raise DataError(f"--against {against}: commit {commit[:7]} has no {METRICS}; name one that `dvc repro` ran in")
    hand = (read_parameters(Project(scratch, against)) or {}).get("hand_model")
    if isinstance(hand, str) and not Path(hand).is_absolute():
        _take_from_git(project.root, commit, [Path(hand)], scratch)
    _take_from_dvc(project.root, commit, scratch)
    return Project(scratch, against if commit.startswith(against) else f"{against} ({commit[:7]})")


def _commit(root: Path, name: str) -> str | None:
    """Return the commit of a revision or of an experiment; None where there is no such."""
    if git(root, "rev-parse", "--git-dir") is None:
        raise DataError(
            f"--against {name}: no such folder, and {root.resolve()} is not in a git repository; "
            "name another project's folder"
        )
    commit = git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", name + "^{commit}")
    if commit is not None:
        return commit.decode().strip()
    listed = git(root, "for-each-ref", "--format=%(objectname) %(refname)", "refs/exps") or b""
    found = [line.split(" ", 1)[0] for line in listed.decode().splitlines() if line.endswith("/" + name)]
    if len(found) > 1:
        raise DataError(f"--against {name}: {len(found)} experiments have this name; give the commit of one")
    return found[0] if found else None


def _take_from_git(root: Path, commit: str, paths: list[Path], scratch: Path) -> None:
    """Write the files of a commit at and below `paths`, relative to the project, into `scratch`, where they exist."""
    listed = git(root, "ls-tree", "-r", "-z", "--name-only", commit, "--", *map(str, paths)) or b""
    for name in filter(None, listed.decode().split("\0")):
        if ".." not in Path(name).parts:
            _write(scratch / name, git(root, "cat-file", "blob", f"{commit}:./{name}") or b"")


def _take_from_dvc(root: Path, commit: str, scratch: Path) -> None:
    """Write what DVC keeps of a commit into `scratch`, as far as it still has it."""
    from dvc.api import DVCFileSystem
    from dvc.repo import Repo

    for path in _KEPT_BY_DVC:
        try:
            with Repo(str(root)) as repo:  # its remotes and cache, which the commit may not have known
                config = {section: repo.config[section] for section in ("core", "remote", "cache")}
            _write(scratch / path, DVCFileSystem(str(root), rev=commit, config=config).read_bytes(path.as_posix()))
        except Exception:  # the cache, and each kind of remote, has errors of its own for what is not there
            continue


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        temporary.write_bytes(content)

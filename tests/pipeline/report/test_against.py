"""What a report is compared with: folders, and revisions of a repository in which DVC ran twice."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from dvc.repo import Repo

from s2hand.datasets.files import DataError
from s2hand.pipeline.layout import METRICS, PREDICTIONS
from s2hand.pipeline.report.against import open_against
from s2hand.pipeline.report.lock import read_lock
from s2hand.pipeline.report.photographs import compare_photographs, hand_model_file, noted_md5
from s2hand.pipeline.report.project import Project

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of libraries that DVC calls

TABLE = PREDICTIONS / "predictions.parquet"
COPY = "python -c \"import shutil, sys; [shutil.copytree(*names.split(',')) for names in sys.argv[1:]]\""
STAGES = f"""
stages:
  prepare:
    cmd: {COPY} listed,data/prepared
    deps: [listed]
    outs: [data/prepared]
  evaluate:
    cmd: {COPY} made,outputs/predictions numbers,results
    deps: [made, numbers, hand.npz, data/prepared/index.json]
    outs: [outputs/predictions, results: {{cache: false}}]
"""


def git(root: Path, *arguments: str) -> str:
    who = ("-c", "user.name=t", "-c", "user.email=t@example.org")
    return subprocess.run(["git", *who, *arguments], cwd=root, check=True, capture_output=True, text=True).stdout


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def run(root: Path, hands: int) -> None:
    """Run the stages, which only copy, on files that say `hands`."""
    write(root / "params.yaml", f"hand_model: hand.npz\nhands: {hands}\n")
    write(root / "made/predictions.parquet", f"{hands} hands")
    write(root / "numbers/metrics.json", json.dumps({"dataset": "folder", "hands": hands, "network": {}}))
    write(root / "listed/index.json", json.dumps({"evaluation": {"digest": f"of {hands}"}}))
    with Repo(str(root)) as repo:
        repo.reproduce()
    git(root, "add", "-A")
    git(root, "commit", "-qm", f"{hands} hands")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A commit without results, then `first` with 1 hand, then `main` with 2; the hand model is not in git."""
    root = tmp_path_factory.mktemp("against") / "project"
    root.mkdir()
    before = Path.cwd()
    os.chdir(root)  # DVC's commands run where it was started
    try:
        git(root, "init", "-q", "-b", "main")
        Repo.init(str(root)).close()
        write(root / "dvc.yaml", STAGES)
        write(root / ".gitignore", "/outputs\n/data\n/hand.npz\n")
        write(root / "hand.npz", "a licensed hand")
        git(root, "add", "-A")
        git(root, "commit", "-qm", "start")
        git(root, "tag", "start")
        run(root, 1)
        git(root, "branch", "first")
        run(root, 2)
        with Repo(str(root)) as repo:
            repo.experiments.save(name="tried-it")
    finally:
        os.chdir(before)
    return root


@pytest.fixture
def project(made: Path, tmp_path: Path) -> Project:
    """A copy of it, to be damaged."""
    shutil.copytree(made, tmp_path / "copy", symlinks=True)
    return Project(tmp_path / "copy", "copy")


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    (tmp_path / "scratch").mkdir()
    return tmp_path / "scratch"


def hands(project: Project) -> int:
    count: int = project.json(METRICS)["hands"]
    return count


def test_a_revision_has_its_numbers_and_its_predictions(made: Path, scratch: Path) -> None:
    now = Project(made, "now")
    before = open_against(now, "first", scratch)
    assert (hands(now), hands(before)) == (2, 1)
    assert (before.root / TABLE).read_text() == "1 hands"
    assert (before.root / "params.yaml").read_text() == "hand_model: hand.npz\nhands: 1\n"
    commit = git(made, "rev-parse", "first").strip()
    assert before.name == f"first ({commit[:7]})"
    assert compare_photographs(before, now).same is False
    assert git(made, "status", "--porcelain") == ""


def test_a_revision_takes_an_ignored_hand_model_from_the_project_if_dvc_noted_the_same(
    project: Project, scratch: Path
) -> None:
    before = open_against(project, "HEAD~1", scratch)
    assert before.find("hand.npz") is None
    assert hand_model_file(before, project) == project.root / "hand.npz"
    lock = before.root / "dvc.lock"
    noted = noted_md5(before, Path("hand.npz"))
    assert noted is not None
    lock.write_text(lock.read_text().replace(noted, "0" * 32))
    assert hand_model_file(before, project) is None


@pytest.mark.parametrize("broken", ["<<<<<<< HEAD\n", "[]", "stages: {evaluate: {deps: [{md5: 0}]}}"])
def test_a_lock_that_is_none_is_refused(tmp_path: Path, broken: str) -> None:
    (tmp_path / "dvc.lock").write_text(broken)
    with pytest.raises(DataError, match=r"dvc.lock: expected the stages that DVC noted; restore it"):
        read_lock(Project(tmp_path, "broken"))


def test_an_experiment_is_found_by_its_name(made: Path, scratch: Path) -> None:
    before = open_against(Project(made, "now"), "tried-it", scratch)
    assert before.name.startswith("tried-it (")
    assert (before.root / TABLE).read_text() == "2 hands"
    assert compare_photographs(before, Project(made, "now")).same is True


def test_without_dvcs_cache_numbers_are_left(project: Project, scratch: Path) -> None:
    shutil.rmtree(project.root / ".dvc/cache")
    before = open_against(project, "first", scratch)
    assert hands(before) == 1
    assert before.find(TABLE) is None
    photographs = compare_photographs(before, project)
    assert photographs.same is None
    assert photographs.sentence.endswith(f"data/prepared/index.json of {before.name} is not there")
    again = open_against(project, "HEAD", scratch)
    assert compare_photographs(again, project).same is True  # as dvc.lock says


def test_dvcs_remote_has_what_the_cache_lost(project: Project, scratch: Path, tmp_path: Path) -> None:
    write(
        project.root / ".dvc/config", "[core]\n    remote = storage\n['remote \"storage\"']\n    url = ../../storage\n"
    )
    shutil.copytree(project.root / ".dvc/cache/files", tmp_path / "storage/files")
    shutil.rmtree(project.root / ".dvc/cache")
    before = open_against(project, "first", scratch)  # a commit that did not know the remote
    assert (before.root / TABLE).read_text() == "1 hands"


def test_another_folder_is_taken_as_it_is(made: Path, project: Project, scratch: Path) -> None:
    before = open_against(project, str(made), scratch)
    assert before == Project(made, str(made))
    assert not any(scratch.iterdir())


@pytest.mark.parametrize(
    ("against", "message"),
    [
        ("nowhere", "found neither"),
        ("--all", "found neither"),
        ("start", r"commit \w{7} has no results/metrics.json"),
        ("empty", r"the folder has no results/metrics.json; run `dvc repro` there"),
    ],
)
def test_errors_are_one_line(
    made: Path, scratch: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, against: str, message: str
) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=message) as error:
        open_against(Project(made, "now"), against, scratch)
    assert "\n" not in str(error.value)


def test_without_git_only_folders_can_be_named(scratch: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    (tmp_path / "alone").mkdir()
    with pytest.raises(DataError, match="is not in a git repository; name another project's folder"):
        open_against(Project(tmp_path / "alone", "alone"), "main", scratch)

"""Whether two runs had the same photographs to evaluate, and the same hand model: by what their files say."""

from dataclasses import dataclass
from pathlib import Path

from s2hand.pipeline.layout import PREPARED
from s2hand.pipeline.report.changes import read_parameters
from s2hand.pipeline.report.lock import LOCK, LockedStage, read_lock
from s2hand.pipeline.report.project import Project
from s2hand.pipeline.sources import INDEX

_LISTED = PREPARED / INDEX


@dataclass(frozen=True)
class Photographs:
    """Whether two runs were measured on the same photographs, cameras and truths (None: not known), in words."""

    same: bool | None
    sentence: str
    sources: tuple[str, ...]


def compare_photographs(before: Project, now: Project) -> Photographs:
    """Compare the digests of the held-back photographs; where one is not there, what DVC noted of its file."""
    digests = [(project.json(_LISTED) or {}).get("evaluation", {}).get("digest") for project in (before, now)]
    if None not in digests:
        if digests[0] == digests[1]:
            return Photographs(True, "the same ones before and now, with the same cameras and truths", (str(_LISTED),))
        sentence = (
            "not the same: images, cameras or truths differ, so that the numbers below are of two different tests"
        )
        return Photographs(False, sentence, (str(_LISTED),))
    if noted_md5(before, _LISTED) is not None and noted_md5(before, _LISTED) == noted_md5(now, _LISTED):
        return Photographs(True, "the same ones before and now, as DVC noted", (str(LOCK),))
    missing = " and ".join(project.name for project, found in zip((before, now), digests, strict=True) if found is None)
    sentence = f"not known whether they are the same: {_LISTED} of {missing} is not there"
    return Photographs(None, sentence, (str(LOCK),))


def hand_model_file(project: Project, other: Project) -> Path | None:
    """Return the file of the hand model that a project's params.yaml names; None if it is not there.

    A revision lacks a file that is in neither git nor DVC, such as a licensed one: then it is that of `other`, if DVC
    noted the same of both.
    """
    named = (read_parameters(project) or {}).get("hand_model")
    if not isinstance(named, str):
        return None
    found = project.find(named)
    noted = noted_md5(project, Path(named))
    return other.find(named) if found is None and noted and noted == noted_md5(other, Path(named)) else found


def noted_md5(project: Project, path: Path) -> str | None:
    """Return the MD5 that DVC noted of a file which the stage `evaluate` depends on; None where it noted none."""
    return read_lock(project).get("evaluate", LockedStage()).deps.get(path.as_posix())

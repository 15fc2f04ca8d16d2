"""All looks, for the parameters of a file or, without one, for the package's defaults."""

from collections.abc import Sequence
from pathlib import Path

from s2hand.detect.hub import SLIM, packaged_path
from s2hand.detect.settings import DetectSettings
from s2hand.pipeline.doctor.data import examine_data
from s2hand.pipeline.doctor.files import examine_hand, examine_weights
from s2hand.pipeline.doctor.finding import Finding, State
from s2hand.pipeline.doctor.machine import examine_packages, examine_room
from s2hand.pipeline.doctor.needs import images_of
from s2hand.pipeline.doctor.project import examine_project
from s2hand.pipeline.params import (
    PARAMS_FILE,
    DataParams,
    EvaluateParams,
    PackParams,
    Params,
    ParamsError,
    load_params,
)
from s2hand.train.mano import OPEN_HAND
from s2hand.train.settings import TrainSettings

_DEFAULTS = "the package's defaults are looked at"


def examine(params_file: Path) -> list[Finding]:
    """Look at everything; nothing that is wrong with it is raised."""
    row, params = _parameters(params_file)
    images = images_of(params)
    files = [*examine_hand(params), *examine_weights(params), *examine_data(params, images)]
    return [row, *examine_packages(params), *files, *examine_project(), *examine_room(params, images)]


def wanting(findings: Sequence[Finding]) -> list[str]:
    """The names of what the parameters need and what is not there, or not whole."""
    return [finding.name for finding in findings if finding.state in ("missing", "broken")]


def _parameters(path: Path) -> tuple[Finding, Params]:
    used_for = "what is needed here, and the run"
    if not path.exists():
        named = path != PARAMS_FILE  # a name that was mistyped is no readiness
        what_to_do = "correct --params" if named else "run this in the project's folder"
        state: State = "missing" if named else "optional"
        return Finding("parameters", state, f"{path} is not here: {_DEFAULTS}", used_for, what_to_do), defaults()
    try:
        params = load_params(path)
    except (ParamsError, OSError, UnicodeDecodeError) as error:
        found = f"{str(error).splitlines()[0]}; {_DEFAULTS}"
        return Finding("parameters", "broken", found, used_for, "correct the file"), defaults()
    return Finding("parameters", "ok", str(path), used_for), params


def defaults() -> Params:
    """The parameters of a run with what the package ships: the open hand, its synthetic photographs, slim weights."""
    hand = str(OPEN_HAND)
    return Params(
        seed=0,
        hand_model=hand,
        data=DataParams(source="synthetic", input=hand),
        detect=DetectSettings(weights=str(packaged_path(SLIM))),
        pack=PackParams(image_size=224),
        train=TrainSettings(),
        evaluate=EvaluateParams(),
    )

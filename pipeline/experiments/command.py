"""`s2hand experiments`: one of the paper's experiments, as a table."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from s2hand.detect.commands.options import AsJson, Quiet
from s2hand.detect.console import note, show_result, user_errors
from s2hand.pipeline.options import GO_ON, Params

_PARAMS, _WORK, _OUT = Path("presets/experiments.yaml"), Path("outputs/experiments"), Path("results/experiments")


class Experiment(StrEnum):
    """The experiments; each is a function in `experiments.py`."""

    ablation = "ablation"
    supervision = "supervision"
    keypoint_sets = "keypoint-sets"


def experiments(
    name: Annotated[
        Experiment,
        typer.Argument(
            help="`ablation`: what each group of loss terms is worth (Table 4); `supervision`: detections with "
            "confidences against true 2D joints (Table 5); `keypoint-sets`: 2D joints, detected, predicted, projected "
            "(Figure 4)."
        ),
    ],
    params: Params = _PARAMS,
    work: Annotated[Path, typer.Option(help="Folder of data and trainings; what it holds already is used.")] = _WORK,
    out: Annotated[Path, typer.Option(help="Folder of the tables.")] = _OUT,
    seeds: Annotated[int, typer.Option(min=1, help="Trainings of each variant, from as many seeds.")] = 3,
    jobs: Annotated[
        int | None,
        typer.Option(min=1, help="Trainings at a time; otherwise one with a GPU, and one per core, up to 4, without."),
    ] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Repeat an experiment of the paper on synthetic photographs: docs/experiments.md."""
    with user_errors(GO_ON, quiet):
        from s2hand.pipeline.experiments import experiments as known
        from s2hand.pipeline.experiments.jobs import usual_jobs
        from s2hand.pipeline.experiments.report import as_json as all_numbers
        from s2hand.pipeline.experiments.report import print_outcome
        from s2hand.pipeline.params import load_params

        request = known.Request(load_params(params), work, out, seeds, jobs or usual_jobs())
        outcome = getattr(known, name.name)(request)
        show_result(all_numbers(outcome), as_json, lambda: print_outcome(outcome))
        note(f"{out / outcome.name}.json, .md")

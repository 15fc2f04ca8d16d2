"""The commands `s2hand experiments ...`."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from s2hand.detect.commands.options import AsJson, Quiet, epilog
from s2hand.detect.console import note, show_result, user_errors
from s2hand.pipeline.options import GO_ON, Params

if TYPE_CHECKING:
    from s2hand.pipeline.experiments.experiments import Request
    from s2hand.pipeline.experiments.outcome import Outcome

app = typer.Typer(help="The paper's experiments on synthetic photographs: docs/experiments.md.", no_args_is_help=True)

Work = Annotated[Path, typer.Option(help="Folder of data and trainings; what it holds already is used.")]
Out = Annotated[Path, typer.Option(help="Folder of the tables.")]
Seeds = Annotated[int, typer.Option(min=1, help="Trainings of each variant, from as many seeds.")]
Jobs = Annotated[
    int | None,
    typer.Option(min=1, help="Trainings at a time; otherwise one with a GPU, and one per core, up to 4, without."),
]

_PARAMS, _WORK, _OUT = Path("presets/experiments.yaml"), Path("outputs/experiments"), Path("results/experiments")


@app.command(epilog=epilog("s2hand experiments ablation --seeds 5"))
def ablation(
    params: Params = _PARAMS,
    work: Work = _WORK,
    out: Out = _OUT,
    seeds: Seeds = 3,
    jobs: Jobs = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """What each group of loss terms is worth (Table 4)."""
    with user_errors(GO_ON, quiet):
        from s2hand.pipeline.experiments import experiments

        _run(experiments.ablation, params, work, out, seeds, jobs, as_json)


@app.command(epilog=epilog("s2hand experiments supervision"))
def supervision(
    params: Params = _PARAMS,
    work: Work = _WORK,
    out: Out = _OUT,
    seeds: Seeds = 3,
    jobs: Jobs = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Detections with confidences against true 2D joints (Table 5)."""
    with user_errors(GO_ON, quiet):
        from s2hand.pipeline.experiments import experiments

        _run(experiments.supervision, params, work, out, seeds, jobs, as_json)


@app.command(epilog=epilog("s2hand experiments keypoint-sets --seeds 1 --jobs 1"))
def keypoint_sets(
    params: Params = _PARAMS,
    work: Work = _WORK,
    out: Out = _OUT,
    seeds: Seeds = 3,
    jobs: Jobs = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """2D joints: detected, predicted, projected (Figure 4)."""
    with user_errors(GO_ON, quiet):
        from s2hand.pipeline.experiments import experiments

        _run(experiments.keypoint_sets, params, work, out, seeds, jobs, as_json)


def _run(
    experiment: "Callable[[Request], Outcome]",
    params: Path,
    work: Path,
    out: Path,
    seeds: int,
    jobs: int | None,
    as_json: bool,
) -> None:
    from s2hand.pipeline.experiments.experiments import Request
    from s2hand.pipeline.experiments.jobs import usual_jobs
    from s2hand.pipeline.experiments.report import as_json as all_numbers
    from s2hand.pipeline.experiments.report import print_outcome
    from s2hand.pipeline.params import load_params

    outcome = experiment(Request(load_params(params), work, out, seeds, jobs or usual_jobs()))
    show_result(all_numbers(outcome), as_json, lambda: print_outcome(outcome))
    note(f"{out / outcome.name}.json, .md")

"""The commands `s2hand experiments ...`."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from s2hand.detect.console import user_errors

if TYPE_CHECKING:
    from s2hand.pipeline.experiments.experiments import Request
    from s2hand.pipeline.experiments.outcome import Outcome

app = typer.Typer(help="The paper's experiments on synthetic photographs: docs/experiments.md.", no_args_is_help=True)

AFTER_INTERRUPT = "run the same command again to go on"

Params = Annotated[Path, typer.Option(help="The parameters, in the form of params.yaml.")]
Work = Annotated[Path, typer.Option(help="Folder of data and trainings; what it holds already is used.")]
Results = Annotated[Path, typer.Option(help="Folder of the tables.")]
Seeds = Annotated[int, typer.Option(min=1, help="Trainings of each variant, from as many seeds.")]
Jobs = Annotated[
    int | None,
    typer.Option(min=1, help="Trainings at a time; otherwise one with a GPU, and one per core, up to 4, without."),
]

_PARAMS, _WORK, _RESULTS = Path("presets/experiments.yaml"), Path("outputs/experiments"), Path("results/experiments")


@app.command()
def ablation(
    params: Params = _PARAMS, work: Work = _WORK, results: Results = _RESULTS, seeds: Seeds = 3, jobs: Jobs = None
) -> None:
    """What each group of loss terms is worth (Table 4). Example: s2hand experiments ablation --seeds 5."""
    with user_errors(AFTER_INTERRUPT):
        from s2hand.pipeline.experiments import experiments

        _run(experiments.ablation, params, work, results, seeds, jobs)


@app.command()
def supervision(
    params: Params = _PARAMS, work: Work = _WORK, results: Results = _RESULTS, seeds: Seeds = 3, jobs: Jobs = None
) -> None:
    """Detections with confidences against true 2D joints (Table 5). Example: s2hand experiments supervision."""
    with user_errors(AFTER_INTERRUPT):
        from s2hand.pipeline.experiments import experiments

        _run(experiments.supervision, params, work, results, seeds, jobs)


@app.command()
def keypoint_sets(
    params: Params = _PARAMS, work: Work = _WORK, results: Results = _RESULTS, seeds: Seeds = 3, jobs: Jobs = None
) -> None:
    """2D joints: detected, predicted, projected (Figure 4). Example: s2hand experiments keypoint-sets --seeds 1."""
    with user_errors(AFTER_INTERRUPT):
        from s2hand.pipeline.experiments import experiments

        _run(experiments.keypoint_sets, params, work, results, seeds, jobs)


def _run(
    experiment: "Callable[[Request], Outcome]", params: Path, work: Path, results: Path, seeds: int, jobs: int | None
) -> None:
    from s2hand.pipeline.experiments.experiments import Request
    from s2hand.pipeline.experiments.jobs import usual_jobs
    from s2hand.pipeline.experiments.report import print_outcome
    from s2hand.pipeline.params import load_params

    outcome = experiment(Request(load_params(params), work, results, seeds, jobs or usual_jobs()))
    print_outcome(outcome)
    typer.echo(f"{results / outcome.name}.json, .md", err=True)

"""`s2hand evaluate`: the official numbers of FreiHAND and HO-3D."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from s2hand.detect.commands.options import AsJson, Quiet
from s2hand.detect.console import show_progress, show_result, user_errors
from s2hand.pipeline.layout import EVAL_PACK, PREDICTIONS, PREPARED
from s2hand.pipeline.options import HandModel

if TYPE_CHECKING:
    from s2hand.datasets.records import Dataset


def evaluate(
    pred: Annotated[
        Path | None, typer.Option(help="Anybody's pred.json or pred.zip; else that of the last `dvc repro`.")
    ] = None,
    checkpoint: Annotated[
        Path | None, typer.Option(help="A training's folder: predict data/packs/eval.h5 with it instead.")
    ] = None,
    hand_model: HandModel = "open",
    data: Annotated[Path | None, typer.Option(help="The data set; else the one that params.yaml names.")] = None,
    source: Annotated[
        Literal["auto", "freihand", "ho3d"], typer.Option(help="How --data is read; `auto`: told from what lies there.")
    ] = "auto",
    out: Annotated[
        Path, typer.Option(help="Folder for scores.json and scores.txt, and --checkpoint's pred.zip.")
    ] = Path("outputs/official"),
    device: Annotated[
        Literal["auto", "cpu", "cuda"], typer.Option(help="Of --checkpoint; `auto` takes a GPU if there is one.")
    ] = "auto",
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Print the official numbers of FreiHAND or HO-3D, beside the paper's."""
    with user_errors("run the same command again", quiet):
        if pred is not None and checkpoint is not None:
            raise ValueError("--pred, --checkpoint: expected one of them, found both")
        from s2hand.pipeline.official import report
        from s2hand.pipeline.official.evaluation import evaluate_submission
        from s2hand.pipeline.official.submission import JSON

        dataset = _open(data, source)
        submission = pred or PREDICTIONS / JSON
        if checkpoint is not None:
            from s2hand.pipeline.official.prediction import predict_submission

            with show_progress("reconstruct") as progress:
                submission = predict_submission(dataset, checkpoint, hand_model, EVAL_PACK, out, progress, device)
        with show_progress("comparing") as progress:
            evaluation = evaluate_submission(dataset, submission, progress)
        report.write_scores(evaluation, out)
        show_result(report.as_json(evaluation), as_json, lambda: report.print_evaluation(evaluation))


def _open(data: Path | None, source: Literal["auto", "freihand", "ho3d"]) -> "Dataset":
    """Open the data set in the folder `data`, or the one that params.yaml names."""
    from s2hand.pipeline.params import DataParams, load_params
    from s2hand.pipeline.sources import open_source

    if data is not None:
        if not data.is_dir():
            raise ValueError(f"--data: {data}: no such folder; expected FreiHAND's or HO-3D's")
        return open_source(DataParams(source=source, input=str(data)), PREPARED)
    if source != "auto":
        raise ValueError(f"--source {source}: expected --data with it; without, params.yaml names the data set")
    return open_source(load_params().data, PREPARED)

"""The commands `s2hand stage` and `s2hand metrics`: a stage of the pipeline, and the table that the last ones fill."""

import importlib
import os
import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from s2hand.detect.commands.options import AsJson, Quiet
from s2hand.detect.console import duration, show_result, show_summary, user_errors
from s2hand.pipeline.layout import METRICS
from s2hand.pipeline.options import GO_ON


class Stage(StrEnum):
    """The stages of dvc.yaml; each is a module in `pipeline/stages` with a function `run`."""

    prepare = "prepare"
    detect = "detect"
    pack = "pack"
    train = "train"
    evaluate = "evaluate"
    report = "report"


def stage(
    name: Annotated[Stage, typer.Argument(help="The stage's name in dvc.yaml.")],
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Run one stage of the pipeline as `dvc repro` does, with the parameters in params.yaml."""
    with user_errors(GO_ON, quiet):
        from s2hand.pipeline.stage_runs import noted
        from s2hand.pipeline.training import LAUNCHED

        start = time.monotonic()
        with noted(name):
            importlib.import_module(f"s2hand.pipeline.stages.{name}").run()
        if LAUNCHED not in os.environ:  # the process that has started the others says it for all
            seconds = time.monotonic() - start
            facts = {"stage": name.value, "seconds": round(seconds, 1)}
            show_summary({"stage": name.value, "time": duration(seconds)}, facts, as_json)


def metrics(
    file: Annotated[Path, typer.Option(help="The metrics that the evaluate stage wrote.")] = METRICS,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Print the table of metrics: the network, the constant hand, the detector."""
    with user_errors(GO_ON, quiet):
        from s2hand.pipeline.table import print_metrics, read_metrics

        found = read_metrics(file)
        show_result(found, as_json, lambda: print_metrics(found))

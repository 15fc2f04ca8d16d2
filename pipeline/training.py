"""Training with the parameters of params.yaml, on as many processes as there are GPUs, or as are asked for."""

import csv
import logging
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import typer

from s2hand.datasets.process import core_count, is_first
from s2hand.detect.console import EXIT_USER_ERROR, is_quiet
from s2hand.detect.interrupts import EXIT_INTERRUPTED
from s2hand.pipeline.live import show_training
from s2hand.pipeline.params import PARAMS_FILE, Params, load_params

LAUNCHED = "WORLD_SIZE"  # torchrun sets it in the processes that it starts
ERRORS = "S2HAND_ERRORS"  # the folder in which the processes that we have started leave what went wrong


@dataclass(frozen=True)
class Trained:
    """What a training ended with."""

    weights: Path
    epochs: int
    loss: float  # of the last epoch
    seconds: float  # of this run, not of those that it went on from


def run_training(data: Path, out: Path, params_file: Path = PARAMS_FILE) -> Trained | None:
    """Train on the pack `data` into the folder `out`, going on from what is there.

    With several processes this command is started again by torchrun, that many times; `torchrun -m s2hand.pipeline`
    in front of the same arguments does the same. Returns what came of it in the one process that is to say it, the
    first of those that trained. Raises ValueError where one of them fails.
    """
    params = load_params(params_file)
    count = process_count(params)
    if count > 1 and LAUNCHED not in os.environ:
        _launch(count)
        return None
    from s2hand.train.loop import train

    settings = params.train.model_copy(update={"seed": params.seed})
    _show_log()
    start = time.monotonic()
    with _told_to_launcher(), show_training() as show:
        train(settings, data, out, params.hand_model, show)
    return _trained(out, time.monotonic() - start) if is_first() else None


def _trained(out: Path, seconds: float) -> Trained:
    from s2hand.train.checkpoint import HISTORY, WEIGHTS

    with (out / HISTORY).open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return Trained(out / WEIGHTS, len(rows), float(rows[-1]["loss"]), seconds)


def _show_log() -> None:
    """Print what the package logs, by the first process only."""
    logger = logging.getLogger("s2hand")
    if is_first() and not logger.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(message)s"))
        logger.addHandler(handler)
        logger.setLevel(logging.WARNING if is_quiet() else logging.INFO)


def process_count(params: Params) -> int:
    """How many processes train: as the parameters say, or one per GPU."""
    import torch

    wanted = params.train.processes
    gpus = torch.cuda.device_count() if params.train.device != "cpu" else 0
    if gpus:
        return gpus if wanted == "auto" else min(wanted, gpus)
    return 1 if wanted == "auto" else wanted


def _launch(count: int) -> None:
    """Run this very command in `count` processes, as torchrun does."""
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.run import parse_args, run

    _quieten_launcher()
    share = max(1, core_count() // count)
    os.environ.setdefault("OMP_NUM_THREADS", str(share))
    # Not SIGHUP, which nohup has switched off.
    os.environ.setdefault("TORCHELASTIC_SIGNALS_TO_HANDLE", "SIGINT,SIGTERM")
    command = ["--standalone", "--nproc-per-node", str(count), "-m", "s2hand.pipeline", *sys.argv[1:]]
    with tempfile.TemporaryDirectory() as folder:
        os.environ[ERRORS] = folder
        try:
            run(parse_args(command))  # type: ignore[no-untyped-call]
        except SignalException as error:
            if error.sigval != signal.SIGINT:
                raise ValueError(
                    f"ended by {error.sigval.name}: the same command goes on from the last epoch"
                ) from error
            raise typer.Exit(EXIT_INTERRUPTED) from error  # the processes have saved, and the first said so
        except ChildFailedError as error:
            told = [path.read_text(encoding="utf-8") for path in sorted(Path(folder).iterdir())]
            unknown = f"training with {count} processes failed: see above; train.processes: 1 trains with one"
            raise ValueError(told[0] if told else unknown) from error


@contextmanager
def _told_to_launcher() -> Iterator[None]:
    """Leave it to the process that has started us to say what is wrong, once: mostly all processes find the same."""
    folder = os.environ.get(ERRORS)
    try:
        yield
    except (ValueError, OSError) as error:
        if folder is None:
            raise
        (Path(folder) / os.environ["RANK"]).write_text(str(error), encoding="utf-8")
        raise typer.Exit(EXIT_USER_ERROR) from error


def _quieten_launcher() -> None:
    """Of an interrupt, and of errors that the processes have named, it would say many lines of its own."""
    for name in logging.root.manager.loggerDict:
        if name.startswith("torch.distributed"):
            logging.getLogger(name).setLevel(logging.CRITICAL)

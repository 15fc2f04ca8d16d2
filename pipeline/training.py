"""Training with the parameters of params.yaml, on as many processes as there are GPUs, or as are asked for."""

import logging
import os
import signal
import sys
from pathlib import Path

import typer

from s2hand.detect.console import EXIT_INTERRUPTED
from s2hand.pipeline.live import show_training
from s2hand.pipeline.params import PARAMS_FILE, Params, load_params

LAUNCHED = "WORLD_SIZE"  # torchrun sets it in the processes that it starts


def run_training(data: Path, out: Path, params_file: Path = PARAMS_FILE) -> None:
    """Train on the pack `data` into the folder `out`, going on from what is there.

    With several processes this command is started again by torchrun, that many times; `torchrun -m s2hand.pipeline`
    in front of the same arguments does the same. Raises ValueError where one of them fails.
    """
    params = load_params(params_file)
    count = process_count(params)
    if count > 1 and LAUNCHED not in os.environ:
        _launch(count)
        return
    from s2hand.train.loop import train

    settings = params.train.model_copy(update={"seed": params.seed})
    _show_log()
    with show_training() as show:
        train(settings, data, out, params.hand_model, show)


def is_first() -> bool:
    """Whether this is the only process, or the first of those that torchrun has started: the one that writes."""
    return os.environ.get("RANK", "0") == "0"


def _show_log() -> None:
    """Print what the package logs, by the first process only."""
    logger = logging.getLogger("s2hand")
    if is_first() and not logger.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(message)s"))
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)


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
    share = max(1, (os.cpu_count() or 1) // count)
    os.environ.setdefault("OMP_NUM_THREADS", str(share))
    # Not SIGHUP, which nohup has switched off.
    os.environ.setdefault("TORCHELASTIC_SIGNALS_TO_HANDLE", "SIGINT,SIGTERM")
    command = ["-m", "s2hand.pipeline", *sys.argv[1:]]
    try:
        run(parse_args(["--standalone", "--nproc-per-node", str(count), *command]))  # type: ignore[no-untyped-call]
    except SignalException as error:
        if error.sigval != signal.SIGINT:
            raise ValueError(f"ended by {error.sigval.name}: the same command goes on from the last epoch") from error
        raise typer.Exit(EXIT_INTERRUPTED) from error  # the processes have saved a checkpoint, and the first said so
    except ChildFailedError as error:
        raise ValueError(
            f"training with {count} processes failed: see above; train.processes: 1 trains with one"
        ) from error


def _quieten_launcher() -> None:
    """Of an interrupt, and of errors that the processes have named, it would say many lines of its own."""
    for name in logging.root.manager.loggerDict:
        if name.startswith("torch.distributed"):
            logging.getLogger(name).setLevel(logging.CRITICAL)

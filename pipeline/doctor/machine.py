"""Python, torch, GPU, Triton, memory and disk of this machine."""

import platform
import shutil
from importlib.metadata import version
from pathlib import Path

import psutil
import torch

from s2hand.datasets.process import core_count
from s2hand.detect.precision import has_bfloat16
from s2hand.pipeline.doctor.finding import Finding, MissingError, look
from s2hand.pipeline.doctor.needs import disk_bytes
from s2hand.pipeline.machine import GB, ask_gpus
from s2hand.pipeline.params import Params

LEAST_MEMORY = 2 * GB
"""What the embedded default takes, roughly, with its two processes."""


def examine_packages(params: Params) -> list[Finding]:
    """Look at Python, this package, torch, the GPU and Triton."""
    faster = "training and detection, many times faster"
    devices = {params.train.device, params.evaluate.device, params.detect.device.partition(":")[0]}
    on_gpu = torch.cuda.is_available() and params.train.device != "cpu"
    return [
        look("Python", "everything", "", platform.python_version),
        look("s2hand", "everything", "make install", lambda: version("s2hand")),
        look("torch", "networks", "make install", _torch),
        look("GPU", faster, "an NVIDIA GPU and its driver; or nothing: the CPU will do", _gpu, "cuda" in devices),
        look("Triton", "rendering and peaks on a GPU", "make install, on Linux", lambda: version("triton"), on_gpu),
    ]


def examine_room(params: Params, images: int | None) -> list[Finding]:
    """Look at memory, and at the disk, which takes what a run on so many images writes; None: not known."""
    make_room = "make room; lower pack.image_size; or move the project to another disk"
    return [
        look("memory", "training, detection", "close other programs", _memory),
        look("disk", "packs, checkpoints, DVC's cache", make_room, lambda: _disk(params, images)),
    ]


def _torch() -> str:
    bfloat16 = "with" if has_bfloat16(torch.device("cpu")) else "without"
    return f"{torch.__version__}, {torch.get_num_threads()} CPU threads, {bfloat16} bfloat16"


def _gpu() -> str:
    driver = driver_version()
    if not torch.cuda.is_available():
        raise MissingError("none" + (f" that torch can use, though there is a driver, {driver}" if driver else ""))
    names = []
    for number in range(torch.cuda.device_count()):
        card = torch.cuda.get_device_properties(number)
        names.append(f"{card.name}, {card.total_memory / GB:.0f} GB, compute capability {card.major}.{card.minor}")
    return "; ".join(names) + f"; driver {driver or 'not told'}"


def driver_version() -> str | None:
    """The version of NVIDIA's driver; none where it does not tell."""
    return next(iter(ask_gpus("driver_version")), None)


def _memory() -> str:
    memory = psutil.virtual_memory()
    found = f"{memory.available / GB:.1f} of {memory.total / GB:.1f} GB free, {core_count()} CPU cores"
    if memory.available < LEAST_MEMORY:
        raise MissingError(f"{found}; at least {LEAST_MEMORY / GB:.0f} GB are wanted")
    return found


def _disk(params: Params, images: int | None) -> str:
    free = shutil.disk_usage(Path.cwd()).free
    needed = disk_bytes(params, images or 0)
    what = "beside its images, which can't be counted" if images is None else f"for {images:,} images"
    found = f"{free / GB:.1f} GB free; a run writes about {needed / GB:.1f} GB {what}"
    if free < needed:
        raise MissingError(found)
    return found

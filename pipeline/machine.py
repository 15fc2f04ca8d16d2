"""This machine in words: processor, cores, memory, GPUs."""

import platform
import shutil
import subprocess
from pathlib import Path

import psutil

from s2hand.datasets.process import core_count

GB = 1e9
_PATIENCE_S = 5.0


def describe_machine() -> str:
    """Return one line, such as `Linux x86_64, AMD EPYC 9B14, 2 cores, 25 GB, no GPU`."""
    memory = f"{psutil.virtual_memory().total / GB:.0f} GB"
    gpus = ", ".join(ask_gpus("name")) or "no GPU"
    return f"{platform.system()} {platform.machine()}, {processor_name()}, {core_count()} cores, {memory}, {gpus}"


def ask_gpus(field: str) -> list[str]:
    """Return what NVIDIA's own tool answers for a field, one per GPU; nothing where there is no such tool, or it fails.

    Unlike torch, it is asked without starting CUDA in this process.
    """
    command = ("nvidia-smi", f"--query-gpu={field}", "--format=csv,noheader")
    if shutil.which(command[0]) is None:
        return []
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE_S, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    return [line.strip() for line in done.stdout.splitlines() if line.strip()]


def processor_name() -> str:
    """Return the processor's name as the system tells it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or "processor not told")

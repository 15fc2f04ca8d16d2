"""One way to report a measurement: a table on the terminal and a JSON file with the machine beside it.

Every script in this folder is run as `python benchmarks/NAME.py` and ends with
`write_results("NAME", rows, notes)`. A figure without the hardware, the date and the versions that it was
measured with is worth nothing a year later, so they are always written.
"""

import os
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from rich.console import Console
from rich.table import Table

from s2hand.datasets.files import write_json
from s2hand.datasets.process import core_count
from s2hand.pipeline.machine import processor_name

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("s2hand", "torch", "numpy", "numba", "opencv-python-headless", "pyarrow", "h5py")

Value = str | int | float | bool | None


def write_results(name: str, rows: Sequence[Mapping[str, Value]], notes: str) -> None:
    """Print rows as a table and write them with date, hardware and versions to benchmarks/results/NAME.json.

    Every row is one measurement: a flat mapping from column name (with its unit, `time_ms`) to a value.
    Rows may have different columns. Replaces an earlier file of that name; git keeps the history.
    """
    if not rows:
        raise ValueError(f"benchmark {name!r}: expected at least one row, found none")
    columns = list(dict.fromkeys(column for row in rows for column in row))
    table = Table(*columns, title=name)
    for row in rows:
        table.add_row(*(_cell(row.get(column)) for column in columns))
    Console().print(table)
    RESULTS.mkdir(parents=True, exist_ok=True)
    report = {
        "name": name,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "hardware": hardware(),
        "versions": versions(),
        "notes": notes,
        "rows": [dict(row) for row in rows],
    }
    write_json(RESULTS / f"{name}.json", report)


def hardware() -> dict[str, Value]:
    """The processor, the cores that this process may use, memory in GiB, the GPU if torch sees one.

    And how busy the machine is: times that were taken while others used it are too long.
    """
    return {
        "cpu": processor_name(),
        "cores": core_count(),
        "memory_gib": _memory_gib(),
        "gpu": _gpu_name(),
        "system": f"{platform.system()} {platform.machine()}",
        "load_average": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None,
    }


def versions() -> dict[str, Value]:
    """Python and those of PACKAGES that are installed."""
    found: dict[str, Value] = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def median_ms(
    call: Callable[[], object],
    repeats: int = 20,
    warm_up: int = 3,
    clock: Callable[[], float] = time.perf_counter,
    device: str = "cpu",
) -> float:
    """Median time in milliseconds of `call` over `repeats`, after `warm_up` calls that do not count.

    Wall time by default; with `clock=time.process_time` that of the processor, which a busy machine hardly
    changes. On the device "cuda" a call has ended when the GPU has finished.
    """

    def finished() -> None:
        call()
        if device == "cuda":
            import torch

            torch.cuda.synchronize()

    for _ in range(warm_up):
        finished()
    times = []
    for _ in range(repeats):
        start = clock()
        finished()
        times.append(clock() - start)
    return 1000.0 * sorted(times)[len(times) // 2]


def _cell(value: Value) -> str:
    return "" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


def _memory_gib() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (ValueError, OSError, AttributeError):
        return None


def _gpu_name() -> str | None:
    try:
        import torch
    except ImportError:
        return None
    return torch.cuda.get_device_name() if torch.cuda.is_available() else None

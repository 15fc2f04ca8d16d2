"""Where and when an experiment ran: hardware, versions, date, revision."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from s2hand.datasets.process import core_count
from s2hand.datasets.rows import package_version
from s2hand.pipeline.git import git
from s2hand.pipeline.machine import processor_name


def surroundings() -> dict[str, Any]:
    """Return what the numbers may depend on beside the parameters; JSON-able."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "revision": revision(),
        "version": package_version(),
        "torch": torch.__version__,
        "hardware": {
            "cpu": processor_name(),
            "cores": core_count(),
            "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        },
    }


def revision(folder: Path = Path()) -> str | None:
    """The git commit of a folder, with `+ changes` where files differ from it; None where there is no repository."""
    commit, changed = git(folder, "rev-parse", "HEAD"), git(folder, "status", "--porcelain", "--untracked-files=no")
    if commit is None or changed is None:
        return None
    return commit.decode().strip() + (" + changes" if changed else "")

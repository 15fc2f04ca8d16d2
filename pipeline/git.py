"""What git says about a folder."""

import subprocess
from pathlib import Path


def git(root: Path, *arguments: str) -> bytes | None:
    """Return what a git command prints; None where git, or what it is asked for, is not there."""
    try:
        return subprocess.run(["git", *arguments], cwd=root, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None

"""git and DVC of the folder that one stands in."""

import shutil
import subprocess
from configparser import RawConfigParser
from importlib.metadata import version
from pathlib import Path

from s2hand.pipeline.doctor.finding import Finding, MissingError, look

_PATIENCE_S = 5.0


def examine_project() -> list[Finding]:
    """Look at git and DVC, which are needed where there is a dvc.yaml."""
    needed = Path("dvc.yaml").exists()
    init = "in the project's folder"
    return [
        look("git", "versions, comparing branches", f"install git; `git init` {init}", _git, needed),
        look("DVC", "running the stages", f"make install; `dvc init` {init}", _dvc, needed),
        look("DVC remote", "sharing outputs", "dvc remote add -d NAME URL", _remote, needed=False),
    ]


def _git() -> str:
    if shutil.which("git") is None:
        raise MissingError("not on the PATH")
    found = _run("git", "--version").removeprefix("git version ")
    try:
        return f"{found}, branch {_run('git', 'branch', '--show-current') or 'none'}"
    except subprocess.CalledProcessError:
        raise MissingError(f"{found}, but this folder is no repository") from None


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE_S, check=True)
    return done.stdout.strip()


def _dvc() -> str:
    found = version("dvc")
    if not Path(".dvc").is_dir():
        raise MissingError(f"{found}, but this folder is no DVC repository")
    return found


def _remote() -> str:
    config = RawConfigParser()
    config.read([Path(".dvc/config"), Path(".dvc/config.local")], encoding="utf-8")
    names = [section.split('"')[1] for section in config.sections() if "remote" in section]
    if not names:
        raise MissingError("none")
    return f"{', '.join(names)}; default: {config.get('core', 'remote', fallback='none')}"

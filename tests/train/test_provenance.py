"""What makes a saved training stale: all code that a training runs, and no other."""

import ast
import subprocess
import sys
from pathlib import Path

from s2hand.train.provenance import PASSIVE

ROOT = Path(__file__).parents[2]
FOLDERS = (ROOT / "datasets", ROOT / "train")


def imported(path: Path) -> set[str]:
    """All modules that a file imports anywhere, functions included; `from a import b` gives a and a.b."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def test_no_training_runs_the_passive_parts() -> None:
    code = "import sys, s2hand.train.loop, s2hand.train.crash; print(*(m for m in sys.modules if m[:7] == 's2hand.'))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "s2hand.train.trainer" in loaded
    files = {file for name in loaded for file in module_files(name)}
    used = loaded | {name for file in files if file.name != "__init__.py" for name in imported(file)}
    passive = {
        f"s2hand.{folder.name}." + part.removesuffix(".py").replace("/", ".") for folder in FOLDERS for part in PASSIVE
    }
    assert {name for name in used if any(name == one or name.startswith(f"{one}.") for one in passive)} == set()


def module_files(name: str) -> list[Path]:
    path = ROOT.joinpath(*name.split(".")[1:])
    return [file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()]


def test_the_passive_parts_are_there() -> None:
    assert list(PASSIVE) == [part for part in PASSIVE if any((folder / part).exists() for folder in FOLDERS)]

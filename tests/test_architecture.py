"""The layout's rules: who may import whom, what an import costs, what a wheel contains."""

import ast
import re
import shutil
import subprocess
import sys
import zipfile
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
MAY_IMPORT = {
    "datasets": {"datasets"},
    "detect": {"detect", "datasets"},
    "train": {"train", "datasets"},
    "pipeline": {"pipeline", "train", "detect", "datasets"},
}
SOURCES = sorted(path for folder in MAY_IMPORT for path in (ROOT / folder).rglob("*.py"))


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(["s2hand", *(parts[:-1] if parts[-1] == "__init__" else parts)])


def imports(source: str) -> list[str]:
    """All modules that a file names: in import statements anywhere, and in strings, as lazy exports do.

    `from a import b` gives a.b, which may be a module. What only type checkers see is left out.
    """
    found, waiting = [], [ast.parse(source)]
    while waiting:
        node: ast.AST = waiting.pop()
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            stem = "." * node.level + (node.module or "")
            found += [f"{stem}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Constant) and re.fullmatch(r"s2hand(\.\w+)+", str(node.value)):
            found.append(str(node.value))
        waiting += ast.iter_child_nodes(node)  # type: ignore[arg-type]
    return found


def wrong_imports(folder: str, source: str) -> list[str]:
    """Say which imports of a file in `folder` break the rules."""
    wrong = []
    for name in imports(source):
        first, *rest = name.split(".")
        if first == "":
            wrong.append(f"{name} is relative")
        elif first in MAY_IMPORT:
            wrong.append(f"{name} is a bare name: another project's")
        elif first == "s2hand" and (not rest or rest[0] not in MAY_IMPORT[folder]):
            wrong.append(f"{name} is not below {folder}")
    return wrong


def python(code: str, cwd: Path) -> str:
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=cwd, check=True)
    return result.stdout.strip()


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_in_one_direction(path: Path) -> None:
    folder = path.relative_to(ROOT).parts[0]
    assert wrong_imports(folder, path.read_text("utf-8")) == []


@pytest.mark.parametrize(
    ("folder", "source"),
    [
        ("datasets", "import s2hand.detect.peaks"),
        ("detect", "from s2hand.train import mano"),
        ("train", "def f():\n    from s2hand.detect.peaks import find"),
        ("train", "from s2hand import pipeline"),
        ("train", "import s2hand"),
        ("detect", "NAMES = {'a': 's2hand.pipeline.cli'}"),
        ("pipeline", "from datasets import load_dataset"),
        ("pipeline", "import train"),
        ("pipeline", "from . import cli"),
    ],
)
def test_wrong_imports_are_seen(folder: str, source: str) -> None:
    """The rules bite: each of these breaks one of them."""
    assert len(wrong_imports(folder, source)) == 1


def test_there_is_no_circle() -> None:
    modules = {module_name(path): path for path in SOURCES}
    graph: dict[str, set[str]] = {}
    for name, path in modules.items():
        named = set(imports(path.read_text("utf-8")))
        named |= {target.rpartition(".")[0] for target in named}  # from a.b import c: a.b, unless c is a module
        graph[name] = {target for target in named if target in modules and not name.startswith(f"{target}.")}
        graph[name].discard(name)
    tuple(TopologicalSorter(graph).static_order())  # raises CycleError and names the circle


UNWATCHED = {
    "pipeline/layout.py",  # paths, which dvc.yaml names itself
    *("detect/console.py", "detect/interrupts.py", "pipeline/live.py"),  # what is printed
    *("detect/settings.py", "detect/variants.py", "train/settings.py"),  # what `params` watches by value
    *("pipeline/params.py", "pipeline/synthetic/settings.py"),
}
STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text("utf-8"))["stages"]


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_watches_the_code_that_it_runs(stage: str) -> None:
    """An edit of it makes the stage run again; what a package merely offers, in its `__init__`, is not run."""
    modules = {module_name(path): path for path in SOURCES}
    waiting, run = [f"s2hand.pipeline.stages.{stage}"], set()
    while waiting:
        name = waiting.pop()
        if name in modules and name not in run and modules[name].name != "__init__.py":
            run.add(name)
            named = imports(modules[name].read_text("utf-8"))
            waiting += named + [target.rpartition(".")[0] for target in named]
    files = {modules[name].relative_to(ROOT).as_posix() for name in run} - UNWATCHED
    watched = STAGES[stage]["deps"]
    assert {file for file in files if not any(file == dep or file.startswith(f"{dep}/") for dep in watched)} == set()


def test_datasets_needs_no_torch(tmp_path: Path) -> None:
    modules = [module_name(path) for path in SOURCES if path.relative_to(ROOT).parts[0] == "datasets"]
    code = f"import sys, {', '.join(modules)}; print('torch' in sys.modules)"
    assert python(code, tmp_path) == "False"


@pytest.mark.parametrize("folder", MAY_IMPORT)
def test_importing_a_part_loads_nothing_heavy(folder: str, tmp_path: Path) -> None:
    heavy = ("torch", "numba", "matplotlib", "dvc", "cv2", "scipy", "pyarrow", "h5py")
    code = f"import sys, s2hand.{folder}; print([name for name in {heavy} if name in sys.modules])"
    assert python(code, tmp_path) == "[]"


def test_the_bare_names_stay_free(tmp_path: Path) -> None:
    """Another project's `datasets` must stay importable: ours are found as s2hand.* only."""
    code = (
        "import importlib.util, s2hand\n"
        f"specs = [importlib.util.find_spec(name) for name in {list(MAY_IMPORT)}]\n"
        "print(s2hand.__file__, [spec.origin for spec in specs if spec])"
    )
    assert str(ROOT) not in python(code, tmp_path)


@pytest.fixture(scope="module")
def wheel_names(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Names of the files in a wheel that was built, without network, from a copy of the tree."""
    copy = tmp_path_factory.mktemp("wheel")
    for folder in MAY_IMPORT:
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for path in ROOT.iterdir():
        if path.is_file() and path.suffix in ("", ".toml", ".py", ".md"):
            shutil.copy(path, copy)
    command = "pip wheel . --no-deps --no-build-isolation --no-index --disable-pip-version-check -q -w dist"
    subprocess.run([sys.executable, "-m", *command.split()], cwd=copy, check=True)
    (wheel,) = (copy / "dist").glob("s2hand-*.whl")
    return set(zipfile.ZipFile(wheel).namelist())


def test_the_wheel_holds_every_module_and_nothing_outside_the_namespace(wheel_names: set[str]) -> None:
    modules = {f"s2hand/{path.relative_to(ROOT).as_posix()}" for path in SOURCES}
    assert {name for name in wheel_names if name.endswith(".py")} == modules
    outside = {name for name in wheel_names if not re.match(r"s2hand/|s2hand-[^/]*\.dist-info/", name)}
    assert outside == set()
    assert "s2hand/__init__.py" not in wheel_names


def test_the_wheel_holds_the_assets(wheel_names: set[str]) -> None:
    assets = {path for folder in MAY_IMPORT for path in (ROOT / folder).glob("assets/*") if path.is_file()}
    names = {f"s2hand/{path.relative_to(ROOT).as_posix()}" for path in assets}
    assert names <= wheel_names

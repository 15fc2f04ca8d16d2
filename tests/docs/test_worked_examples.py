"""The worked examples of docs/change-it: their code blocks are made in memory, and the tests that they end with run.

A block ```python title="FILE" is a whole new file, ```diff title="FILE" a change of one that is there, whose context
must be found exactly once. Nothing is written into the project.
"""

import importlib.abc
import importlib.util
import inspect
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted(path for path in (ROOT / "docs" / "change-it").glob("*.md") if path.name != "index.md")
BLOCK = re.compile(r'^```(python|diff) title="([^"]+)"\n(.*?)^```$', re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Example:
    """What a page has one write: the new content of each file that it names."""

    new: Mapping[str, str]
    changed: Mapping[str, str]

    @property
    def tests(self) -> dict[str, str]:
        """The new files of tests."""
        return {name: text for name, text in self.new.items() if name.startswith("tests/")}


def read_example(page: Path) -> Example:
    new, changed = {}, {}
    for kind, name, text in BLOCK.findall(page.read_text("utf-8")):
        if kind == "python":
            assert not (ROOT / name).exists(), f"{page.name}: {name} is there already"
            new[name] = text
        else:
            before = changed.get(name) or (ROOT / name).read_text("utf-8")
            old, fresh = (
                "".join(f"{line[1:]}\n" for line in text.splitlines() if line[:1] in sides) for sides in (" -", " +")
            )
            assert before.count(old) == 1, (
                f"{page.name}: {name}: expected once, found {before.count(old)} times:\n{old}"
            )
            changed[name] = before.replace(old, fresh)
    return Example(new, changed)


def module_name(file: str) -> str:
    """detect/peaks.py is s2hand.detect.peaks; what lies in no folder is a script of one's own."""
    name = file.removesuffix(".py").replace("/", ".")
    return f"s2hand.{name}" if "." in name else name


class InMemory(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    """Imports the project's modules from texts, where there is one."""

    def __init__(self, files: Mapping[str, str]) -> None:
        self.files = {module_name(name): (name, text) for name, text in files.items()}

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name not in self.files:
            return None
        spec = ModuleSpec(name, self, origin=str(ROOT / self.files[name][0]))
        spec.has_location = True  # so that __file__ is there
        return spec

    def get_source(self, name: str) -> str:
        return self.files[name][1]


@contextmanager
def project(files: Mapping[str, str]) -> Iterator[None]:
    """The project with some files in the place of its own; all its modules are imported anew, and put back after."""

    def take_out() -> dict[str, ModuleType]:
        ours = [name for name in sys.modules if name.split(".")[0] == "s2hand" or name in finder.files]
        return {name: sys.modules.pop(name) for name in ours}

    finder = InMemory(files)
    before = take_out()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        take_out()
        sys.modules.update(before)


def run_tests(tests: Mapping[str, str], folder: Path) -> int:
    """Call the test functions of some files, each with a folder of its own; return how many there are."""
    count = 0
    for name, text in tests.items():
        namespace: dict[str, object] = {"__name__": Path(name).stem}
        exec(compile(text, name, "exec"), namespace)
        for test in [value for key, value in namespace.items() if key.startswith("test_")]:
            count += 1
            own = folder / f"{count}"
            own.mkdir()
            test(**({"tmp_path": own} if "tmp_path" in inspect.signature(test).parameters else {}))
    return count


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_example_works_and_needs_its_changes(page: Path, tmp_path: Path) -> None:
    example = read_example(page)
    (tmp_path / "with").mkdir()
    with project({**example.new, **example.changed}):
        assert run_tests(example.tests, tmp_path / "with") >= 2
    if example.changed:
        (tmp_path / "without").mkdir()
        failure = pytest.raises((AssertionError, AttributeError, ImportError, ValueError))
        with project(example.tests), failure:
            run_tests(example.tests, tmp_path / "without")


def test_examples_keep_the_projects_style(tmp_path: Path) -> None:
    for page in PAGES:
        example = read_example(page)
        for name, text in {**example.new, **example.changed}.items():
            path = tmp_path / page.stem / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        shutil.copy(ROOT / "pyproject.toml", tmp_path / page.stem)
    for command in (("check",), ("format", "--check")):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--no-cache", "."], cwd=tmp_path, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr

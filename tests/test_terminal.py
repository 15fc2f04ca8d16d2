"""What every command of `s2hand` and `detect` keeps to: help, options, exit codes, completion; and what docs say of it.

The commands are found by walking over them, so that a new one is tested, too.
"""

import builtins
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from s2hand.detect.cli import app as detect_app
from s2hand.detect.commands.options import EXIT_CODES
from s2hand.pipeline.cli import app

ROOT = Path(__file__).parents[1]
PROGRAMS = {"s2hand": get_command(app), "detect": get_command(detect_app)}
COLUMNS = 78  # of an example, so that a terminal of 80 does not break it


def walk(command: Any, words: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    if not hasattr(command, "commands"):
        yield words, command
    for name, inner in getattr(command, "commands", {}).items():
        yield from walk(inner, (*words, name))


COMMANDS = dict(walk(PROGRAMS["s2hand"], ()))
GROUPS = {words[:-1] for words in COMMANDS if len(words) > 1} | {()}
by_name = pytest.mark.parametrize("words", COMMANDS, ids=" ".join)


def options(command: Any) -> set[str]:
    """The names of a command's options."""
    found = {
        name for one in command.params if one.param_type_name == "option" for name in (*one.opts, *one.secondary_opts)
    }
    return found | {"--help"}


def wrong_words(line: str) -> list[str]:
    """The words of a command line that its command does not know: sub-commands and options."""
    try:
        program, *words = shlex.split(line, comments=True)
    except ValueError:
        program, *words = line.split()
    command = PROGRAMS[program]
    while hasattr(command, "commands") and words and words[0] in command.commands:
        command = command.commands[words.pop(0)]
    named = [word.split("=")[0] for word in words if word.startswith("--") and word != "--"]
    unknown = [word for word in named if word not in options(command)]
    groups = hasattr(command, "commands") and bool(words) and re.fullmatch(r"[a-z-]+", words[0])
    return [words[0], *unknown] if groups and not words[0].startswith("-") else unknown


def choices(parameter: Any) -> list[str]:
    """The values that an option or argument takes, if they have names; newer versions of Typer say so elsewhere."""
    kind = getattr(parameter, "type", None) or parameter.type_descriptor
    return [getattr(value, "value", value) for value in getattr(kind, "choices", None) or ()]


def least(command: Any) -> list[str]:
    """The fewest arguments that a command takes."""
    arguments = []
    for one in command.params:
        if one.required:
            value = (*choices(one), "x")[0]
            arguments += [value] if one.param_type_name == "argument" else [one.opts[0], value]
    return arguments


@by_name
def test_help_ends_with_examples_that_work_and_the_exit_codes(words: tuple[str, ...]) -> None:
    help_text = CliRunner().invoke(app, [*words, "--help"], env={"COLUMNS": "80"})
    assert help_text.exit_code == 0
    shown = [line.strip() for line in help_text.stdout.splitlines() if line.strip()]
    heading, *examples, codes = COMMANDS[words].epilog.split("\n\n")
    assert shown[-1] == codes == EXIT_CODES
    assert heading in ("Example:", "Examples:")
    assert examples
    for example in examples:
        assert example in shown, "on a line of its own"
        assert len(example) <= COLUMNS
        assert wrong_words(example) == []
        program = shlex.split(example)[0]
        assert tuple(shlex.split(example)[1 : 1 + len(words)]) == words or program == "detect"


@pytest.mark.parametrize("words", sorted(GROUPS), ids=" ".join)
def test_help_of_a_group_of_commands_ends_with_examples(words: tuple[str, ...]) -> None:
    help_text = CliRunner().invoke(app, [*words, "--help"], env={"COLUMNS": "80"}).stdout
    _, end = re.split("Examples?:", help_text)
    *examples, codes = [line.strip() for line in end.splitlines() if line.strip()]
    assert codes == EXIT_CODES
    assert examples
    assert [wrong_words(example) for example in examples] == [[]] * len(examples)


@by_name
def test_options_mean_the_same_everywhere(words: tuple[str, ...]) -> None:
    command = COMMANDS[words]
    found = {one.opts[0]: one for one in command.params}
    assert {"--json", "--quiet"} <= set(found)
    assert not {"--side", "--model", "--preset", "--config", "--output", "--results", "--verbose"} & set(found)
    if "--hand" in found:
        assert choices(found["--hand"]) == ["right", "left"]
    for name, one in found.items():
        assert one.help, f"{name} says what it is"


@by_name
@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (KeyboardInterrupt(), 130, "interrupted: "),
        (ValueError("this is wrong"), 1, "error: this is wrong"),
        (OSError("the disk is full"), 1, "error: the disk is full"),
    ],
    ids=["Ctrl-C", "wrong values", "wrong files"],
)
def test_what_goes_wrong_ends_in_one_line(
    monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], error: BaseException, code: int, line: str
) -> None:
    """A command does nothing before it imports something of ours, which goes wrong here."""
    real = builtins.__import__

    def fail(name: str, *arguments: Any) -> Any:
        if name.startswith("s2hand."):
            raise error
        return real(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", fail)
    done = CliRunner().invoke(app, [*words, *least(COMMANDS[words]), "--quiet"])
    monkeypatch.undo()
    assert (done.exit_code, done.stdout) == (code, "")
    (shown,) = done.stderr.splitlines()
    assert shown.startswith(line)


@pytest.mark.parametrize("program", ["s2hand", "detect"])
@pytest.mark.parametrize("module", ["typer", "torch"])
def test_ctrl_c_while_modules_are_loaded_ends_in_one_line(tmp_path: Path, program: str, module: str) -> None:
    """A real signal, while Python looks for what a command needs: to parse its options, or to begin."""
    part = {"s2hand": "pipeline", "detect": "detect"}[program]
    words = ("detect", "run") if program == "s2hand" else ("run",)
    code = f"""
import os, signal, sys

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "{module}":
            os.kill(os.getpid(), signal.SIGINT)

# A shell that runs the tests in the background has them ignore Ctrl-C, and whatever they start.
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.meta_path.insert(0, Finder())
sys.argv = ["{program}", *{words}, "--images", "{ROOT / "docs"}", "--out", "{tmp_path / "out"}"]
from s2hand.{part}.__main__ import main
main()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 130
    (line,) = done.stderr.splitlines()
    assert line.startswith("interrupted: ")


@by_name
def test_wrong_usage_is_told_from_wrong_values(words: tuple[str, ...]) -> None:
    assert CliRunner().invoke(app, [*words, *least(COMMANDS[words]), "--no-such-option"]).exit_code == 2


def test_help_loads_nothing_heavy() -> None:
    """Else it would not answer within half a second."""
    code = f"""
import sys
from typer.testing import CliRunner
from s2hand.pipeline.cli import app
for words in {[*COMMANDS]}:
    assert CliRunner().invoke(app, [*words, "--help"]).exit_code == 0
heavy = ("torch", "numba", "numpy", "matplotlib", "pyarrow", "cv2", "scipy", "h5py", "dvc", "plotly", "jinja2")
print([name for name in heavy if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("program", [app, detect_app])
def test_the_version(program: Any) -> None:
    done = CliRunner().invoke(program, ["--version"])
    assert done.exit_code == 0
    assert re.fullmatch(r"s2hand \d+\.\d+\.\d+\S*\n", done.stdout)


# Completion


def complete(shell: str, words: str) -> str:
    """What a shell is told to offer at the end of a command line."""
    program, bin_folder = words.split()[0], Path(sys.executable).parent
    number = len(words.split()) - (0 if words.endswith(" ") else 1)
    environment = {
        **os.environ,
        f"_{program.upper()}_COMPLETE": f"complete_{shell}",
        "COMP_WORDS": words,
        "COMP_CWORD": str(number),
        "_TYPER_COMPLETE_ARGS": words,
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
        "_TYPER_COMPLETE_WORD_TO_COMPLETE": "" if words.endswith(" ") else words.split()[-1],
    }
    done = subprocess.run([str(bin_folder / program)], env=environment, capture_output=True, text=True)
    return done.stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_complete_values(shell: str) -> None:
    found = complete(shell, "s2hand reconstruct --localize ")
    assert [name for name in ("whole", "body", "slim") if re.search(rf"\b{name}\b", found)] == ["whole", "body", "slim"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("s2hand ev", ["evaluate"]),
        ("s2hand stage pr", ["prepare"]),
        ("detect export SHARDS --format coco", ["coco", "coco-wholebody"]),
        ("detect run --dev", ["--device"]),
    ],
)
def test_bash_completes(words: str, expected: list[str]) -> None:
    assert complete("bash", words).split() == expected


def test_bash_takes_the_script_that_completes() -> None:
    """As `--install-completion` leaves it in a file that bash reads."""
    lines = (
        'eval "$(_S2HAND_COMPLETE=source_bash s2hand)"',
        'COMP_WORDS=(s2hand train reproduce x --hand-model "") COMP_CWORD=5',
        "complete -p s2hand | grep -q -- '-F _s2hand_completion'",
        'IFS=" "; _s2hand_completion s2hand; echo "${COMPREPLY[@]}"',
    )
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "--norc", "-c", " && ".join(lines)], env={**os.environ, "PATH": path}, capture_output=True, text=True
    )
    assert (done.stdout.strip(), done.stderr) == ("open", "")


# What documents say

DOCUMENTS = ("*.md", "docs/**/*.md", "presets/*.yaml", "Makefile", "dvc.yaml", "detect/**/*.py", "pipeline/**/*.py")
OTHERS = {"--constraint", "--nthreads", "--nworkers", "--queue"}  # of pip, Dask and DVC, in prose
HISTORY = ("CHANGELOG.md", "changelog.md")  # which tell of what was
CALL = re.compile(r"^(?:\S*= ?|\$ |# |then: |and |cmd: )?((?:s2hand|detect) [^`#|&;)<>]*)")


def calls(text: str) -> Iterator[str]:
    """The command lines that a document has: in code blocks, and in `code`."""
    joined = re.sub(r"\\\n\s*", " ", text)
    for line in joined.splitlines():
        if found := CALL.match(line.strip()):
            yield found[1]
    for span in re.findall(r"`((?:s2hand|detect) [^`]+)`", re.sub(r"\s*\n\s*(?!```)", " ", text)):
        yield CALL.match(span)[1]  # type: ignore[index]


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("s2hand reconstruct --images x --side left", ["--side"]),
        ("detect run --localize=slim --boxes b", []),
        ("s2hand train again --out x", ["again", "--out"]),
    ],
)
def test_wrong_words_are_seen(line: str, wrong: list[str]) -> None:
    """The rules below bite."""
    assert [wrong_words(call) for call in calls(f"```sh\n{line}   # why\n```")] == [wrong]
    assert [wrong_words(call) for call in calls(f"Type `{line}`.")] == [wrong]


@pytest.mark.parametrize("pattern", DOCUMENTS)
def test_documents_name_commands_and_options_that_there_are(pattern: str) -> None:
    paths = [path for path in sorted(ROOT.glob(pattern)) if path.name not in HISTORY]
    assert paths
    for path in paths:
        found = {line: wrong_words(line.replace("...", "")) for line in calls(path.read_text("utf-8"))}
        assert {line: words for line, words in found.items() if words} == {}, path


def test_the_page_about_the_terminal_has_every_command() -> None:
    text = (ROOT / "docs/terminal.md").read_text("utf-8")
    for words in COMMANDS:
        called = " ".join(words if words[0] == "detect" else ("s2hand", *words))
        assert f"\n| `{called}` | " in text
    assert not re.search(r"<!-- screen: \S+ -->\n<!-- end -->", text), "docs/make_screens.py fills the page"


def test_documents_name_options_that_there_are() -> None:
    known = OTHERS.union(*(options(command) for command in (*COMMANDS.values(), *PROGRAMS.values())))
    for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")):
        spans = re.findall(r"`(--[^`\n]+)`", path.read_text("utf-8")) if path.name not in HISTORY else []
        named = {name for span in spans for name in re.findall(r"(?<!\S)--[a-z][a-z-]*", span)}
        assert named <= known, path

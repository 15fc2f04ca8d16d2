"""The commands that the documentation shows exist, with the options that it gives them."""

import re
import shlex
from pathlib import Path

import pytest
import typer

from s2hand.detect.cli import app as detect
from s2hand.pipeline.cli import app as s2hand

ROOT = Path(__file__).parents[2]
APPS = {"detect": typer.main.get_command(detect), "s2hand": typer.main.get_command(s2hand)}
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def shown_commands(page):
    """Yield the words of each command of ours in a page's shell blocks, without comments."""
    for block in re.findall(r"^```(?:sh|bash)[^\n]*\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S):
        for line in block.replace("\\\n", " ").splitlines():
            for command in re.split(r"&&|(?<=\s)\|(?=\s)", line):
                if re.match(r"(?:\$ )?(?:detect|s2hand) ", command.strip()):
                    yield shlex.split(command.strip().removeprefix("$ "), comments=True)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands(page):
    for words in shown_commands(page):
        command, path = APPS[words[0]], [words[0]]
        for word in words[1:]:
            if hasattr(command, "commands") and not word.startswith("-"):
                assert word in command.commands, f"{' '.join(path)} has no command {word}"
                command, path = command.commands[word], [*path, word]
        options = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
        given = {word.partition("=")[0] for word in words if word.startswith("--")} - {"--help"}
        assert given <= options, f"{' '.join(path)} has no {', '.join(sorted(given - options))}"

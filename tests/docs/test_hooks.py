"""The hooks of .pre-commit-config.yaml run the commands of `make lint types docs`, no others."""

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]


def test_hooks_are_the_commands_of_make():
    recipes = dict(
        re.findall(r"^(\w+): \.venv/installed\n((?:\t.+\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    )
    commands = [line.strip() for target in ("lint", "types", "docs") for line in recipes[target].splitlines()]
    (local,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    hooks = [hook["entry"].replace(".venv/bin/", "").removeprefix("env ") for hook in local["hooks"]]
    assert hooks == [command for command in commands if not command.startswith("@echo")]
    assert {(hook["language"], hook["pass_filenames"]) for hook in local["hooks"]} == {("system", False)}

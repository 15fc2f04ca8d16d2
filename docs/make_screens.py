"""Write into `terminal.md` the table of all commands, and what a terminal shows of the long ones.

    python docs/make_screens.py

Between the markers of the page stands what was really printed: each command runs on a terminal of 100 columns, in a
folder of its own with a pipeline so small that all of it takes some minutes. What redraws itself is shown as it stood
in the middle and at the end.
"""

import codecs
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import tempfile
import termios
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import Any

import yaml
from typer.main import get_command

from s2hand.pipeline.cli import app

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/terminal.md"
COLUMNS, ROWS = 100, 50
SMALL = {
    "data.synthetic.train": 150,
    "data.synthetic.evaluation": 40,
    "data.synthetic.image_size": 96,
    "train.stages.shape.epochs": 3,
    "train.stages.keypoints.epochs": 1,
    "train.stages.joint.epochs": 2,
    "train.batch_size": 16,
}
SMALLER = {**SMALL, "data.synthetic.train": 40, "train.stages.shape.epochs": 1}
PHOTOGRAPHS = "data/prepared/photographs/evaluation/rgb"
SCREENS = {
    "synthetic": "s2hand synthetic --out photographs --train 100 --evaluation 20 --size 128",
    "stage": "s2hand stage prepare",
    "prepared": "s2hand stage detect && s2hand stage pack",
    "train": "s2hand train run",
    "trained": "s2hand stage train && s2hand stage evaluate",
    "metrics": "s2hand metrics",
    "evaluate": "s2hand evaluate",
    "detect": f"detect run --images {PHOTOGRAPHS} --out shards --sheet sheet.png",
    "again": f"detect run --images {PHOTOGRAPHS} --out shards --json --quiet",
    "export": "detect export shards --out hands.json --format coco",
    "reconstruct": f"s2hand reconstruct --images {PHOTOGRAPHS} --checkpoint outputs/model --out hands",
    "checkpoint": "s2hand checkpoint export --checkpoint outputs/model --out hand.onnx",
    "experiments": "s2hand experiments ablation --params small.yaml --seeds 1",
    "fit": "detect fit --data photographs --params fit.yaml --out fitted",
    "report": "s2hand report",
    "doctor": "s2hand doctor",
    "error": "s2hand evaluate --data photographs --pred nowhere.zip",
    "usage": "s2hand reconstruct --images photographs",
}


class Screen:
    """As much of a terminal as Rich uses: it goes up, erases lines and writes them anew."""

    def __init__(self) -> None:
        self.lines, self.row, self.column = [""], 0, 0

    def feed(self, text: str) -> None:
        """Show what a program has written."""
        for escape, other in re.findall(r"\x1b\[\??([\d;]*[A-Za-z])|([^\x1b])", text):
            if other == "\n":
                self.row, self.column = self.row + 1, 0
                self.lines += [""] * (self.row - len(self.lines) + 1)
            elif other == "\r":
                self.column = 0
            elif other:
                line = self.lines[self.row].ljust(self.column)
                self.lines[self.row] = line[: self.column] + other + line[self.column + 1 :]
                self.column += 1
            elif escape.endswith("A"):
                self.row = max(0, self.row - int(escape[:-1] or 1))
            elif escape.endswith("K"):
                self.lines[self.row] = ""

    def text(self) -> str:
        """Return what is seen."""
        return "\n".join(line.rstrip() for line in self.lines).strip("\n")


def run(command: str, folder: Path) -> list[str]:
    """Run a command on a terminal; return what the screen showed, from state to state."""
    outer, inner = pty.openpty()
    fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "NO_COLOR": "1", "TERM": "xterm-256color"}
    for name in ("COLUMNS", "LINES"):
        environment.pop(name, None)
    running = subprocess.Popen(
        ["bash", "-c", command], cwd=folder, env=environment, stdin=inner, stdout=inner, stderr=inner
    )
    os.close(inner)
    screen, states = Screen(), [""]
    for text in _written(outer):
        screen.feed(text.replace(str(folder), "."))
        states.append(screen.text())
    running.wait()
    return states


def _written(terminal: int) -> Iterator[str]:
    """Yield what arrives together, in whole characters."""
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    while True:
        arrived = b""
        while not arrived or select.select([terminal], [], [], 0.02)[0]:
            try:
                arrived += os.read(terminal, 65536)
            except OSError:  # the program has closed it
                yield decoder.decode(arrived)
                return
        yield decoder.decode(arrived)


def middle(states: list[str]) -> str:
    """Return what was shown when work was under way, if it was seen: a bar that tells how long it takes."""
    shown = [state for state in states if re.search(r"\d:\d\d:[0-5][1-9]$| left$", state, re.MULTILINE)]
    return shown[len(shown) // 2] if shown else ""


def block(command: str, states: list[str]) -> str:
    """Return a command and its screens as a block of Markdown; of the last one what was not there in the middle."""
    between, end = middle(states).splitlines(), states[-1].splitlines()
    if between:
        same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(between, end, strict=False)))
        end = [*between, "", "[... at the end:]", "", *end[same:]]
    return "\n".join(["```", f"$ {command}", *end, "```"])


def commands(command: Any, words: tuple[str, ...] = ("s2hand",)) -> Iterator[str]:
    """Yield a row of the table for each command."""
    for name, inner in getattr(command, "commands", {}).items():
        yield from commands(inner, (*words, name))
    if not hasattr(command, "commands"):
        called = " ".join(words[1:] if words[1] == "detect" else words)
        yield f"| `{called}` | {(command.help or '').split(chr(10) * 2)[0].strip()} |"


def prepare(folder: Path) -> None:
    """Fill a folder with what the commands read."""
    for name in ("detect", "train", "presets"):
        (folder / name).symlink_to(ROOT / name)
    for name, source, changes in (
        ("params.yaml", "params.yaml", SMALL),
        ("small.yaml", "presets/experiments.yaml", SMALLER),
    ):
        values = yaml.safe_load((ROOT / source).read_text(encoding="utf-8"))
        for dotted, value in changes.items():
            *sections, key = dotted.split(".")
            target = values
            for section in sections:
                target = target[section]
            target[key] = value
        (folder / name).write_text(yaml.safe_dump(values), encoding="utf-8")
    (folder / "fit.yaml").write_text("{samples: 4000, validate_every: 2000, warm_up: 500}", encoding="utf-8")


def main() -> None:
    """Replace what stands between the page's markers."""
    table = "\n".join(["| command | what it does |", "|---|---|", *commands(get_command(app))])
    parts = {"commands": table}
    with tempfile.TemporaryDirectory() as name:
        prepare(Path(name))
        for screen, command in SCREENS.items():
            print(f"$ {command}", file=sys.stderr)  # noqa: T201
            parts[screen] = block(command, run(command, Path(name)))
    page = PAGE.read_text(encoding="utf-8")
    page = re.sub(
        r"(<!-- screen: (\S+) -->\n).*?(?=<!-- end -->)",
        lambda found: f"{found[1]}\n{parts[found[2]]}\n\n",
        page,
        flags=re.DOTALL,
    )
    PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()

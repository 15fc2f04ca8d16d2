"""`detect stats`: what a finished run holds, in numbers, and which hands to look at."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from s2hand.detect.commands.options import AsJson, Quiet, Shards
from s2hand.detect.console import show_progress, show_result, user_errors

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from s2hand.detect.stats import Statistics

MOST_SHOWN = 20  # suspicious hands on the terminal; JSON has all
BAR = 40  # characters


def stats(
    shards: Shards,
    out: Annotated[Path | None, typer.Option(help="Write what --json prints to a file.")] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Count what a run found: hands, confidences, joints, sizes, failures, and hands that look wrong."""
    with user_errors("nothing was written", quiet):
        from s2hand.datasets.files import write_json
        from s2hand.detect.stats import as_json as all_numbers
        from s2hand.detect.stats import collect

        with show_progress("reading") as report:
            statistics = collect(shards, report)
        facts = all_numbers(statistics)
        if out is not None:
            out.parent.mkdir(parents=True, exist_ok=True)
            write_json(out, facts)
        show_result(facts, as_json, lambda: _print_all(statistics))


def _print_all(statistics: "Statistics") -> None:
    from rich.console import Console

    console = Console(soft_wrap=True, highlight=False)
    _print_counts(console, statistics)
    if len(statistics.hands.confidence):
        _print_hands(console, statistics)
        _print_suspicious(console, statistics)


def _table(title: str, **columns: str) -> "Table":
    """Return a table with these columns: heading to `left` or `right`, or `fold` for long text on several lines."""
    from rich.table import Table

    heading = any(name.strip() for name in columns)
    table = Table(title=title, title_justify="left", title_style="bold", box=None, show_header=heading, pad_edge=False)
    for name, kind in columns.items():
        table.add_column(name, justify="right" if kind == "right" else "left", no_wrap=kind != "fold", overflow="fold")
    return table


def _print_counts(console: "Console", statistics: "Statistics") -> None:
    from rich.text import Text

    hands = statistics.hands
    table = _table("", **{"": "left", " ": "fold"})
    per_image = ", ".join(f"{images} with {number}" for number, images in sorted(hands.per_image.items()))
    failed = sum(statistics.failures.values())
    rows = {
        "detector": statistics.provenance.detector,
        "images": f"{statistics.images}",
        "images without a hand": f"{statistics.images - statistics.images_with_hands - failed}",
        "hands per image": per_image or "none",
        "hands": f"{len(hands.confidence)}: {hands.sides['right']} right, {hands.sides['left']} left",
        "failures": f"{failed}",
    }
    for name, value in rows.items():
        table.add_row(name, value)
    console.print(table)
    if failed:
        # Counts come first, so that a long reason pushes none off the terminal.
        table = _table("failures", images="right", reason="fold")
        for reason, images in statistics.failures.most_common():
            table.add_row(f"{images}", Text(reason))
        console.print("", table)


def _print_hands(console: "Console", statistics: "Statistics") -> None:
    from s2hand.detect.stats import BINS, joint_rates, quantiles

    hands = statistics.hands
    table = _table("confidence of the joints that were found", **{"from": "left", "joints": "right", "": "left"})
    counts = hands.histogram.sum(0).tolist()
    for number, joints in enumerate(counts):
        bar = "█" * round(BAR * joints / max(*counts, 1))
        table.add_row(f"{number / BINS:.2f}", f"{joints}", bar or ("▏" if joints else ""))
    console.print("", table)

    confidence, sizes = quantiles(hands.confidence), quantiles(hands.sizes)
    table = _table("hands, by quantile", **{"": "left"}, **dict.fromkeys(confidence, "right"))
    table.add_row("mean confidence", *(f"{value:.2f}" for value in confidence.values()))
    table.add_row("size in pixels", *(f"{value:.0f}" for value in sizes.values()))
    console.print("", table)

    table = _table("joints", **{"": "left", "found": "right", "mean confidence where found": "right"})
    for name, rates in joint_rates(hands).items():
        table.add_row(name, f"{rates['found']:.1%}", f"{rates['mean_confidence']:.2f}")
    console.print("", table)


def _print_suspicious(console: "Console", statistics: "Statistics") -> None:
    from rich.text import Text

    from s2hand.detect.suspicious import RULES

    found = statistics.hands.suspicious
    table = _table("suspicious hands", rule="left", hands="right", means="fold")
    for rule, hands in statistics.rules.items():
        table.add_row(rule, f"{hands}", RULES[rule])
    console.print("", table)
    if not found:
        return
    table = _table("", image="fold", hand="left", confidence="right", reasons="fold")
    for one in found[:MOST_SHOWN]:
        # As text, not markup: a name may hold square brackets.
        table.add_row(Text(one.image), one.hand, f"{one.confidence:.2f}", ", ".join(one.reasons))
    console.print("", table)
    if len(found) > MOST_SHOWN:
        left = len(found) - MOST_SHOWN
        console.print(f"and {left} more: --out FILE writes them all; `detect show --suspicious` draws them")

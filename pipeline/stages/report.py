"""Stage `report`: what the run made, learnt and got wrong, as one HTML file."""

from pathlib import Path

from s2hand.detect.console import show_progress
from s2hand.pipeline.layout import REPORT
from s2hand.pipeline.report.build import Wanted, build_report


def run() -> None:
    """Write `outputs/report.html`."""
    with show_progress("report") as report:
        build_report(Path(), REPORT, Wanted(), report)

"""All sections of a project's report, in their order."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from s2hand.datasets.files import DataError
from s2hand.detect.console import Report
from s2hand.pipeline.layout import METRICS
from s2hand.pipeline.report.against import open_against
from s2hand.pipeline.report.comparison_section import comparison_section
from s2hand.pipeline.report.gallery_section import gallery_section
from s2hand.pipeline.report.labels_section import labels_section
from s2hand.pipeline.report.metrics_section import metrics_section
from s2hand.pipeline.report.page import Page, Section, write_page
from s2hand.pipeline.report.project import Project
from s2hand.pipeline.report.run_section import run_section
from s2hand.pipeline.report.training_section import training_section


@dataclass(frozen=True)
class Wanted:
    """What a report shows beside what it always does."""

    samples: int = 64
    """Hands in the gallery."""
    chosen: tuple[str, ...] = ()
    """Photographs that the gallery shows in any case, by name."""
    against: str | None = None
    """A git revision, or another project's folder, to compare with."""
    seed: int = 0
    """Of the gallery's random hands."""


def build_report(root: Path, out: Path, wanted: Wanted, report: Report) -> int:
    """Write the report of the project in `root` to `out`; return its size in bytes.

    What is not there is left out and said. Raises DataError where there is nothing to report, or a file is broken.
    """
    project = Project(root, root.resolve().name)
    if project.find(METRICS) is None:
        raise DataError(f"{root / METRICS}: no such file; expected a project that `dvc repro` has run in")
    with TemporaryDirectory(prefix="s2hand-report-") as scratch:
        other = None if wanted.against is None else open_against(project, wanted.against, Path(scratch))
        makers: Sequence[Callable[[], Section | None]] = (
            lambda: run_section(project),
            lambda: labels_section(project),
            lambda: training_section(project),
            lambda: metrics_section(project),
            lambda: gallery_section(project, wanted.samples, wanted.chosen, wanted.seed),
            lambda: None if other is None else comparison_section(project, other),
        )
        sections = []
        for done, make in enumerate(makers):
            report(done, len(makers))
            section = make()
            sections += [section] if section is not None else []
    size = write_page(Page("s2hand report", project.name, sections), out)
    report(len(makers), len(makers))
    return size

"""Run: what was read, with which parameters, by which code, on which machine, in which time."""

from s2hand.pipeline.layout import METRICS
from s2hand.pipeline.report.page import Facts, Section
from s2hand.pipeline.report.project import Project


def run_section(project: Project) -> Section:
    """Return what a run was made from."""
    metrics = project.json(METRICS)
    facts = Facts(title="Evaluation", sources=(str(METRICS),), rows={"hands held back": str(metrics["hands"])})
    return Section("run", "Run", "What was read, and what made these numbers.", [facts])

"""Labels: what the detector found, how sure it was, how right it was, and which hands look wrong."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from s2hand.datasets.files import DataError
from s2hand.datasets.records import SPLITS
from s2hand.datasets.skeleton import JOINT_NAMES
from s2hand.detect.selection import Selection, Shown, choose
from s2hand.detect.stats import BINS, Statistics, collect, joint_rates
from s2hand.detect.suspicious import RULES
from s2hand.detect.tiles import draw_crop
from s2hand.pipeline.layout import CONFIDENCE, KEYPOINTS, PREPARED
from s2hand.pipeline.params import PARAMS_FILE, load_params
from s2hand.pipeline.report.charts import bars, lines
from s2hand.pipeline.report.page import Block, Chart, Picture, Pictures, Section, Table, picture_uri
from s2hand.pipeline.report.project import Project
from s2hand.pipeline.sources import open_source

PICTURES = 12
"""Hands to look at."""
_MEASURED = ("detector", "network", "constant")


def labels_section(project: Project) -> Section | None:
    """Return what is known of the detections; None where there are none."""
    found: dict[str, Statistics] = {
        split: collect(project.root / KEYPOINTS / split)
        for split in SPLITS
        if project.find(KEYPOINTS / split) is not None
    }
    found = {split: statistics for split, statistics in found.items() if len(statistics.hands.confidence)}
    blocks = [_confidences(found), _joints(found)] if found else []
    blocks += [block for block in (_errors(project), *_suspicious(project, found)) if block is not None]
    lead = "The 2D keypoints that took the place of annotation: how sure the detector was, and how right."
    return Section("labels", "Labels", lead, blocks) if blocks else None


def _sources(found: Mapping[str, Statistics]) -> tuple[str, ...]:
    return tuple(f"{KEYPOINTS}/{split}/part-*.parquet" for split in found)


def _confidences(found: Mapping[str, Statistics]) -> Block:
    shares = {}
    for split, statistics in found.items():
        counts = statistics.hands.histogram.sum(0)
        shares[split] = 100.0 * counts / max(counts.sum(), 1)
    middles = [f"{(number + 0.5) / BINS:.3f}" for number in range(BINS)]
    means = ", ".join(
        f"{split} {one.hands.sums.sum() / max(one.hands.found.sum(), 1):.2f}" for split, one in found.items()
    )
    return Chart(
        title="How sure the detector was",
        sources=_sources(found),
        figure=bars(middles, shares, "confidence of a joint", "% of the joints found", xaxis={"range": [0, 1]}),
        alt=f"Bars: share of the found joints by confidence. Mean confidence: {means}.",
    )


def _joints(found: Mapping[str, Statistics]) -> Block:
    split, statistics = next(iter(found.items()))
    rates = joint_rates(statistics.hands)
    series = {
        "found (share of hands)": [rates[name]["found"] for name in JOINT_NAMES],
        "mean confidence": [rates[name]["mean_confidence"] for name in JOINT_NAMES],
    }
    worst = min(JOINT_NAMES, key=lambda name: rates[name]["mean_confidence"])
    names = [name.replace("_", " ") for name in JOINT_NAMES]
    return Chart(
        title=f"Joint by joint ({split})",
        sources=(f"{KEYPOINTS}/{split}/part-*.parquet",),
        figure=bars(names, series, "", "share, confidence", xaxis={"tickangle": -60}, yaxis={"range": [0, 1]}),
        alt=f"Bars: share of hands in which each joint was found, and its mean confidence; least sure is "
        f"{worst.replace('_', ' ')} with {rates[worst]['mean_confidence']:.2f}.",
    )


def _errors(project: Project) -> Block | None:
    columns = project.columns(CONFIDENCE)
    if columns is None:
        return None
    try:
        series = {name: columns[name] for name in _MEASURED if np.isfinite(columns[name]).any()}
        rows = [row for row, count in enumerate(columns["joints"]) if count]
    except KeyError as error:
        raise DataError(f"{CONFIDENCE}: expected a column {error}, found {', '.join(columns)}; make it anew") from None
    if not series or not rows:
        return None
    known = "detector" in series
    to = "the true joints" if known else "the detections, since no truth is known"
    ends = "; ".join(f"{name} {values[rows[0]]:.1f} to {values[rows[-1]]:.1f}" for name, values in series.items())
    return Chart(
        title="Error by confidence",
        sources=(str(CONFIDENCE),),
        figure=lines(columns["confidence"], series, "confidence of the detected joint", "pixels of the crop"),
        alt=f"Lines: mean distance to {to}, from the least to the most sure joints, in pixels: {ends}.",
        note=f"Mean 2D distance to {to}. A detector that knows when it errs falls from left to right.",
    )


def _suspicious(project: Project, found: Mapping[str, Statistics]) -> list[Block | None]:
    """Return how many hands trip each rule, and pictures of the most suspicious ones."""
    if not found:
        return []
    rows = [
        (f"{rule}: {meaning}", *(f"{statistics.rules[rule]:,}" for statistics in found.values()))
        for rule, meaning in RULES.items()
    ]
    table = Table(
        title="Hands that look wrong",
        sources=_sources(found),
        columns=("rule", *found),
        rows=rows,
        note="To draw all of them: detect show SHARDS --images DIR --suspicious.",
    )
    return [table, _pictures(project, *next(iter(found.items())))]


def _pictures(project: Project, split: str, statistics: Statistics) -> Block | None:
    """Return the least sure of the hands that trip a rule, or of all hands if none does."""
    images = _photographs(project)
    if images is None:
        return None
    shards = project.root / KEYPOINTS / split
    suspicious = any(statistics.rules.values())
    chosen, total = choose(shards, Selection(sort="confidence", suspicious=suspicious, most=PICTURES), apart=True)
    title = f"No hand trips a rule; the {len(chosen)} that the detector is least sure of ({split})"
    if suspicious:
        title = f"The most suspicious hands: {len(chosen)} of {total} that trip a rule ({split})"
    return Pictures(
        title=title,
        sources=(f"{KEYPOINTS}/{split}/part-*.parquet", _short(project, images)),
        pictures=[_picture(images, one) for one in chosen],
        note="One colour per finger; what is thin and pale is unsure.",
    )


def _picture(images: Path, shown: Shown) -> Picture:
    (hand,) = shown.hands
    why = ", ".join(hand.reasons) or "trips no rule"
    caption = f"{shown.image}: {hand.confidence:.2f}, {why}"
    alt = f"{shown.image}: a {hand.hand} hand with its detected keypoints"
    return Picture(picture_uri(draw_crop(images, shown)), alt, caption)


def _short(project: Project, folder: Path) -> str:
    """Return a folder as params.yaml would name it: relative to the project where it lies inside."""
    return str(folder.relative_to(project.root) if folder.is_relative_to(project.root) else folder)


def _photographs(project: Project) -> Path | None:
    """Return the folder of the photographs, None where it is not known or not there."""
    if project.find(PARAMS_FILE) is None:
        return None
    data = load_params(project.root / PARAMS_FILE).data
    try:
        root = Path(
            open_source(data.model_copy(update={"input": str(project.root / data.input)}), project.root / PREPARED).root
        )
    except (ValueError, OSError):
        return None
    return root if root.is_dir() else None

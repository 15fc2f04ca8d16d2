"""Run: what was read, with which parameters, by which code, on which machine, in which time."""

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic_core import PydanticUndefined

from s2hand.datasets.files import sha256_file
from s2hand.datasets.keypoints import iterate_keypoints, read_failures
from s2hand.datasets.manifest import read_manifest
from s2hand.datasets.packs import Pack
from s2hand.datasets.records import SPLITS, Split
from s2hand.datasets.shards import FAILURES
from s2hand.detect.console import duration
from s2hand.detect.stats import failure_kind
from s2hand.pipeline.layout import EVAL_PACK, KEYPOINTS, METRICS, MODEL, PREPARED, TRAIN_PACK
from s2hand.pipeline.machine import describe_machine
from s2hand.pipeline.params import PARAMS_FILE, Params, load_params
from s2hand.pipeline.report.lock import LOCK, LockedStage, read_lock
from s2hand.pipeline.report.made_up import is_synthetic
from s2hand.pipeline.report.page import Block, Facts, Html, Section, Table
from s2hand.pipeline.report.project import Project
from s2hand.pipeline.report.revision import describe_revision
from s2hand.pipeline.sources import INDEX
from s2hand.pipeline.stage_runs import NOTES, WITNESSES, read_stage_runs
from s2hand.train.checkpoint import BEST, WEIGHTS

_PACKS: Mapping[Split, Path] = {"training": TRAIN_PACK, "evaluation": EVAL_PACK}
_LISTED = PREPARED / INDEX
_REQUIRED = "none: has to be said"
_UNKNOWN = "not known"
_WHY_UNKNOWN = " Not known is what another machine made, what DVC took from its cache, or an older version left."


def run_section(project: Project) -> Section:
    """Return what a run was made from."""
    params = load_params(project.root / PARAMS_FILE) if project.find(PARAMS_FILE) else None
    blocks = [_read(project), _skipped(project, params), _stages(project), _code(project)]
    if params is not None:
        blocks += [_assets(project, params), _parameters(project, params)]
    return Section("run", "Run", "What was read, and what made these numbers.", blocks)


def _read(project: Project) -> Block:
    """Return how many images and hands there were at each step."""
    listed: Mapping[str, Any] = project.json(_LISTED) or {}
    metrics = project.json(METRICS)
    made_up = "synthetic photographs, laid out as " if is_synthetic(project) else ""
    rows = []
    for split in SPLITS:
        manifest = read_manifest(project.root / KEYPOINTS / split) if project.find(KEYPOINTS / split) else None
        images = listed.get(split, {})
        rows.append(
            (
                split,
                _number(images.get("images")),
                _number(manifest.images - manifest.failures if manifest else None),
                _number(manifest.rows if manifest else None),
                _number(_pack_length(project, _PACKS[split])),
                ", ".join(f"{source} ({count:,})" for source, count in images.get("cameras", {}).items()),
            )
        )
    return Table(
        title=f"What was read: {made_up}{metrics['dataset']}",
        sources=(str(_LISTED), f"{KEYPOINTS}/*/manifest.json", str(TRAIN_PACK), str(EVAL_PACK)),
        columns=("split", "images listed", "images read", "hands found", "hands packed", "where cameras come from"),
        rows=rows,
        note=f"Metrics are of {metrics['hands']:,} hands that were held back.",
    )


def _skipped(project: Project, params: Params | None) -> Block:
    """Return what was left out, and why."""
    rows = [(split, *row) for split in SPLITS for row in _left_out(project, split, params)]
    nothing = "nothing was skipped" if project.find(KEYPOINTS) else "not known: no detections lie here"
    return Table(
        title="What was skipped, and why",
        sources=(
            str(_LISTED),
            f"{KEYPOINTS}/*/{FAILURES}",
            f"{KEYPOINTS}/*/part-*.parquet",
            *map(str, _PACKS.values()),
        ),
        columns=("split", "why", "how many"),
        rows=rows or [("both", nothing, "")],
    )


def _left_out(project: Project, split: Split, params: Params | None) -> Iterator[tuple[str, str]]:
    """Yield each reason and how many photographs, or hands, of a split it left out; none of what is not there."""
    listed: Mapping[str, Any] = project.json(_LISTED) or {}
    if without_camera := listed.get(split, {}).get("left_out", 0):
        yield "photographs of which no camera is known", f"{without_camera:,}"
    folder = project.find(KEYPOINTS / split)
    if folder is None:
        return
    kinds = Counter(failure_kind(image, reason) for image, reason in read_failures(folder).items())
    yield from ((kind, f"{count:,}") for kind, count in kinds.most_common())
    manifest, packed = read_manifest(folder), _pack_length(project, _PACKS[split])
    empty = manifest.images - manifest.failures - _images_with_hands(folder)
    training = split == "training"
    if empty:
        kept = "" if training else ", which are packed without keypoints"
        yield f"photographs without a hand that was found{kept}", f"{empty:,}"
    dropped = 0 if packed is None else manifest.rows - packed + (0 if training else empty)
    if dropped > 0:
        limit = f" of {params.pack.min_confidence}" if params else ""
        why = f"hands below pack.min_confidence{limit}" if training else "second hands, which have no truth"
        yield why, f"{dropped:,}"


def _stages(project: Project) -> Block:
    """Return how long each stage took, where, and what DVC noted of its outputs."""
    runs, lock = read_stage_runs(project.root), read_lock(project)
    rows = []
    for stage in WITNESSES:
        run = runs.get(stage)
        outputs = ", ".join(f"{path} {md5[:8]}" for path, md5 in lock.get(stage, LockedStage()).outs.items())
        time = (duration(run.seconds), _minute(run.begun), run.machine) if run else (_UNKNOWN, "", "")
        rows.append((stage, *time, outputs))
    whole = f" All stages together: {duration(sum(run.seconds for run in runs.values()))}."
    return Table(
        title="Stages",
        sources=(f"{NOTES}/*.json", str(LOCK)),
        columns=("stage", "took", "begun", "on", "outputs, with DVC's digests"),
        rows=rows,
        note=f"This page was made on: {describe_machine()}.{whole if len(runs) == len(rows) else _WHY_UNKNOWN}",
    )


def _minute(time: str) -> str:
    """Return an ISO time in UTC as people write it, to the minute."""
    return f"{time[:16].replace('T', ' ')} UTC"


def _code(project: Project) -> Block:
    return Facts(title="Code", sources=("git", str(LOCK)), rows=describe_revision(project))


def _assets(project: Project, params: Params) -> Block:
    """Return the digests of the files that a run was given, and of the networks that it made."""
    named = {"hand model": Path(params.hand_model), "detector's weights": Path(params.detect.weights)}
    if params.detect.localize == "body":
        named["body network's weights"] = Path(params.detect.body_weights)
    named |= {"network, last epoch": MODEL / WEIGHTS, "network, best epoch": MODEL / BEST}
    found = {name: (path, project.find(path)) for name, path in named.items()}
    rows = [
        (name, str(path), sha256_file(file) if file and file.is_file() else "not there")
        for name, (path, file) in found.items()
    ]
    return Table(title="Assets", sources=tuple(row[1] for row in rows), columns=("what", "file", "sha256"), rows=rows)


def _parameters(project: Project, params: Params) -> Block:
    """Return the parameters that differ from what the code takes without them, and below them the whole file."""
    rows = [
        (f"{section}.{key}", str(value), _REQUIRED if default is PydanticUndefined else str(default))
        for section, (values, defaults) in _sections(params).items()
        for key, value in sorted(values.items())
        if (default := defaults.get(key)) != value
    ]
    text = (project.root / PARAMS_FILE).read_text(encoding="utf-8")
    return Html(
        title="Parameters",
        sources=(str(PARAMS_FILE),),
        template="parameters.html.j2",
        values={"rows": rows, "text": text, "file": str(PARAMS_FILE)},
    )


def _sections(params: Params) -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
    """Return, by section, its values and its defaults, nested keys by dotted names; required keys have no default."""
    sections = {name: getattr(params, name) for name in ("data", "detect", "pack", "train", "evaluate")}
    return {
        name: (
            _flat(section.model_dump()),
            _flat({key: one.get_default(call_default_factory=True) for key, one in type(section).model_fields.items()}),
        )
        for name, section in sections.items()
    }


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        plain = value.model_dump() if hasattr(value, "model_dump") else value
        if isinstance(plain, Mapping):
            flat |= _flat(plain, f"{prefix}{key}.")
        else:
            flat[prefix + key] = plain
    return flat


def _images_with_hands(shards: Path) -> int:
    return len({image for table in iterate_keypoints(shards) for image in table["image"].to_pylist()})


def _pack_length(project: Project, relative: Path) -> int | None:
    path = project.find(relative)
    if path is None:
        return None
    with Pack(path) as pack:
        return len(pack)


def _number(value: int | None) -> str:
    return "not known" if value is None else f"{value:,}"

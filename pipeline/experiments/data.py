"""The data of the experiments, made by the pipeline's own stages into a folder named by what it is made from."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from s2hand.datasets.cameras import Box, mirror_points_cam, project
from s2hand.datasets.files import digest, remove_partial_files, sha256_file, source_digest
from s2hand.datasets.packs import Pack, Sample, write_pack
from s2hand.datasets.records import Record, Split
from s2hand.pipeline.experiments.variants import ExperimentError, Keypoints
from s2hand.pipeline.params import Params
from s2hand.pipeline.sources import INDEX, open_source
from s2hand.pipeline.stages.detect import detect
from s2hand.pipeline.stages.pack import make_pack
from s2hand.pipeline.stages.prepare import prepare

_READ = 256  # rows read at a time
_CODE = ("s2hand.datasets", "s2hand.detect", "s2hand.pipeline.stages", "s2hand.pipeline.synthetic")


@dataclass(frozen=True)
class Packs:
    """The packs of the experiments; those for training hold the same crops in the same order."""

    train: dict[Keypoints, Path]
    evaluation: Path


def make_packs(params: Params, work: Path) -> Packs:
    """Make the photographs, keypoints and packs in the folder `work`, or what of them is not there yet.

    Raises ValueError where the data set does not say where the true joints are.
    """
    folder = work / f"data-{_name(params)}"
    prepared, keypoints, packs = folder / "prepared", folder / "keypoints", folder / "packs"
    made = Packs({kind: packs / f"train-{kind}.h5" for kind in Keypoints}, packs / "eval.h5")
    if not (prepared / INDEX).is_file():
        prepare(params, prepared)
    paths: dict[Split, Path] = {"training": made.train[Keypoints.detected], "evaluation": made.evaluation}
    if not all(path.is_file() for path in paths.values()):
        detect(params, prepared, keypoints)
    packs.mkdir(exist_ok=True)
    remove_partial_files(packs)
    for split, path in paths.items():
        if not path.is_file():
            make_pack(params, split, prepared, keypoints, path)
    with Pack(made.evaluation) as pack:
        if not (pack.has_joints and pack.has_vertices):
            raise ExperimentError(f"{params.data.input}: the evaluation hands have no true joints and vertices")
    records = {record.image: record for record in open_source(params.data, prepared).records("training")}
    write_true_pack(made.train[Keypoints.detected], records, made.train[Keypoints.true])
    return made


def write_true_pack(detected: Path, records: Mapping[str, Record], path: Path) -> None:
    """Write the rows of the pack `detected` with the true 2D joints, each of confidence 1, unless that is done."""
    sources = {detected.name: sha256_file(detected)}
    parameters = {"keypoints": str(Keypoints.true), "code": sha256_file(Path(__file__))}
    if path.is_file():
        with Pack(path) as there:
            if (there.sources, there.parameters) == (sources, parameters):
                return
    with Pack(detected) as pack:
        write_pack(path, _true_samples(pack, records), sources, parameters)


def _true_samples(pack: Pack, records: Mapping[str, Record]) -> Iterator[Sample]:
    names = pack.names()
    for start in range(0, len(pack), _READ):
        rows = pack.rows(np.arange(start, min(start + _READ, len(pack))))
        for row, name in enumerate(names[start : start + _READ]):
            mirrored = bool(rows.mirrored[row])
            yield Sample(
                name=name,
                image=rows.images[row],
                K=rows.K[row],
                keypoints=true_keypoints(records[name], rows.K[row], mirrored),
                mirrored=mirrored,
                box=Box(*map(float, rows.boxes[row])),
            )


def true_keypoints(
    record: Record,
    K: NDArray[np.float32],  # [3, 3] of the crop
    mirrored: bool,
) -> NDArray[np.float32]:  # [21, 3]
    """Where the true joints are in a crop, in pixels, each with confidence 1."""
    if record.joints_cam is None:
        raise ExperimentError(f"{record.image}: the data set has no true joints of this training image")
    joints = mirror_points_cam(record.joints_cam) if mirrored else record.joints_cam
    xy = project(joints, K)
    return np.concatenate([xy, np.ones_like(xy[:, :1])], axis=1).astype(np.float32)


def _name(params: Params) -> str:
    """A name that differs where data differ: by parameters and code; not by how many processes make it."""
    data = params.data.model_dump(mode="json", exclude={"synthetic": {"workers"}})
    others = {name: getattr(params, name).model_dump(mode="json") for name in ("detect", "pack")}
    return digest([params.seed, data, others, source_digest(*_CODE)])[:12]

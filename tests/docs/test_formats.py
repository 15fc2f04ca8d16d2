"""docs/formats.md names every field that is written, and no other."""

import csv
import json
import re
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace

import cv2
import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from safetensors import safe_open

from s2hand.datasets.cameras import Box
from s2hand.datasets.folder import Folder
from s2hand.datasets.packs import Pack, Sample, write_pack
from s2hand.datasets.plan import plan_shards
from s2hand.datasets.rows import SCHEMA, Provenance
from s2hand.datasets.settings import Settings
from s2hand.datasets.shards import FAILURE_SCHEMA, ShardStore
from s2hand.detect import stats
from s2hand.pipeline.measure import measure_agreement, measure_truth
from s2hand.pipeline.official.challenges import CHALLENGES
from s2hand.pipeline.official.report import Evaluation, as_json
from s2hand.pipeline.params import Params
from s2hand.pipeline.predictions import write_predictions
from s2hand.pipeline.reconstruct import table
from s2hand.pipeline.reconstruct.run import _provenance
from s2hand.pipeline.reconstruct.settings import ReconstructSettings
from s2hand.pipeline.reconstruct.store import HandStore
from s2hand.pipeline.sources import write_index
from s2hand.pipeline.stage_runs import StageRun
from s2hand.pipeline.unlabelled import measure_unlabelled
from s2hand.train.checkpoint import WEIGHTS, Checkpoint, Identity, write_weights
from s2hand.train.export.run import describe
from s2hand.train.mano import OPEN_HAND, load_hand_model
from s2hand.train.predict import Predictions
from s2hand.train.progress import Position
from s2hand.train.settings import TrainSettings

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/formats.md").read_text(encoding="utf-8")


def documented(heading: str) -> dict[str, str]:
    """Return what the first table below a heading names in its first column, and its second one."""
    found = re.search(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#|\Z)", PAGE, re.M | re.S)
    assert found is not None, f"no section {heading}"
    names: dict[str, str] = {}
    for first, second in re.findall(r"^\| (.+?) \| (.*?) \|", found[1], re.M):
        each = re.findall(r"`([^`]+)`", first)
        parts = second.split(", ")
        names |= dict(zip(each, parts if len(parts) == len(each) else [second] * len(each), strict=True))
    return names


@pytest.fixture(scope="module")
def keypoints(tmp_path_factory):
    """A detection run of no image."""
    store = ShardStore(tmp_path_factory.mktemp("shards"), Provenance("slim", "", {}, ""))
    with store.writing():
        plan_shards(store.folder, ["a.jpg"], 1, "")
        store.write(0, [], [], [])
        store.finish(1)
    return store.folder


@pytest.fixture(scope="module")
def pack(tmp_path_factory):
    """A pack of two hands, with all truth that there may be."""
    hand = load_hand_model()(torch.zeros(1, 30))
    joints, vertices = (points[0].numpy() + np.float32([0, 0, 0.5]) for points in (hand.joints, hand.vertices))
    K = np.array([[60.0, 0, 32], [0, 60, 32], [0, 0, 1]])
    seen = np.concatenate([joints[:, :2] / joints[:, 2:] * 60 + 32, np.full((21, 1), 0.9)], axis=1).astype(np.float32)
    known = {"joints_cam": joints, "vertices_cam": vertices, "wrist_cam": joints[0]}
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    one = Sample(name="a", image=image, K=K, keypoints=seen, mirrored=False, box=Box(0, 0, 64, 64), **known)
    path = tmp_path_factory.mktemp("packs") / "eval.h5"
    write_pack(path, [one, one], {}, {})
    return path


@pytest.fixture(scope="module")
def rows(pack):
    with Pack(pack) as opened:
        return opened.rows([0, 1])


@pytest.fixture(scope="module")
def predicted(rows):
    points = rows.joints_cam, rows.vertices_cam, rows.keypoints[..., :2]
    return Predictions(*points, np.zeros((2, 47), np.float32))


@pytest.fixture(scope="module")
def measured(rows, predicted):
    """What is measured with the truth, and without it."""
    points = predicted.joints_cam, predicted.vertices_cam, predicted.joints_px
    return measure_truth(rows, *points), measure_agreement(rows, points[2])


@pytest.mark.parametrize(
    ("heading", "written"),
    [("Keypoint shards", SCHEMA), ("Failures", FAILURE_SCHEMA), ("Reconstructed hands", table.SCHEMA)],
)
def test_tables(heading, written):
    assert documented(heading) == {field.name: type_name(field.type) for field in written}


def test_predictions(rows, predicted, tmp_path):
    write_predictions(tmp_path, ["a", "b"], rows, predicted)
    written = pq.read_schema(tmp_path / "predictions.parquet")
    assert documented("Predictions") == {field.name: type_name(field.type) for field in written}


def type_name(kind):
    return f"{kind.list_size} float32" if pa.types.is_fixed_size_list(kind) else str(kind).replace("float", "float32")


def test_detection(keypoints):
    shard = pq.read_schema(keypoints / "part-00000.parquet")
    assert set(documented("Metadata of a shard")) == {key.decode() for key in shard.metadata}
    plan = pq.read_schema(keypoints / "plan.parquet")
    assert list(documented("The plan")) == plan.names
    manifest = json.loads((keypoints / "manifest.json").read_text())
    assert set(documented("Manifest of a detection")) == set(manifest)
    assert set(documented("Shards of the manifest")) == set(manifest["shards"][0])


def test_index(tmp_path):
    for name in "ab":
        cv2.imwrite(str(tmp_path / f"{name}.png"), np.zeros((8, 8, 3), np.uint8))
    index = write_index(Folder(tmp_path), tmp_path / "index.json", lambda done, total: None)
    assert set(documented("The index")) == set(index)
    assert set(documented("A split of the index")) == set(index["training"])


def test_packs(pack):
    with h5py.File(pack) as file:
        assert set(documented("Packs")) == set(file)
        assert set(documented("Attributes of a pack")) == set(file.attrs)
        for name, text in documented("Packs").items():
            kind, shape = text.replace("S", "64").replace("N", "2").split(" ", 1)
            assert json.loads(shape) == list(file[name].shape), name
            assert kind in ("UTF-8", str(file[name].dtype)), name


def test_checkpoints(tmp_path):
    write_weights(tmp_path / WEIGHTS, {"a": torch.zeros(1)}, Identity(TrainSettings(), "", "", 64, ""))
    with safe_open(tmp_path / WEIGHTS, "pt") as file:
        assert set(documented("Metadata of a checkpoint")) == set(file.metadata())
    assert set(documented("Position")) == {field.name for field in fields(Position)}
    with (ROOT / "results/history.csv").open() as file:
        assert set(documented("History")) == set(next(csv.reader(file)))


def test_metrics(measured, pack, predicted):
    with_truth, without = (one.metrics for one in measured)
    assert set(documented("Metrics")) == set(with_truth)
    assert set(documented("Metrics with truth")) == {key for values in with_truth.values() for key in values}
    more = measure_unlabelled(Pack(pack), predicted, load_hand_model())
    assert set(documented("Metrics without truth")) == set(without["network"]) | set(more["network"])


def test_curves(measured):
    for heading, tables in (
        ("pck.csv", [one.curves for one in measured]),
        ("per_joint.csv", [one.per_joint for one in measured]),
        ("confidence.csv", [one.confidence for one in measured]),
    ):
        assert set(documented(heading)) == {column for columns in tables for column in columns}, heading


def test_statistics(keypoints):
    assert set(documented("Statistics of a detection")) == set(stats.as_json(stats.collect(keypoints)))


def test_experiments():
    written = [json.loads(path.read_text()) for path in (ROOT / "results/experiments").glob("*.json")]
    assert set(documented("Experiments")) == {key for one in written for key in one}
    assert set(documented("Rows of an experiment")) == {key for one in written for row in one["rows"] for key in row}


def test_weights_of_the_detector():
    keys = set()
    for path in (ROOT / "detect/assets").glob("*.safetensors"):
        with safe_open(path, "pt") as file:
            keys |= set(file.metadata())
    assert set(documented("Weights of the detector")) == keys


def test_exported_networks():
    metadata = describe(Checkpoint({}, Identity(TrainSettings(), "", "", 64, "")), is_mano=False)
    assert set(documented("Exported networks")) == set(metadata)


def test_official_numbers():
    evaluation = Evaluation(CHALLENGES["freihand"], Path("pred.json"), 1, None)
    assert set(documented("Official numbers")) == set(as_json(evaluation))


def test_reconstruction(tmp_path):
    HandStore(tmp_path, {}).finish(0, 0, 0)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert set(documented("Manifest of a reconstruction")) == set(manifest)
    (tmp_path / WEIGHTS).write_bytes(b"")
    network = SimpleNamespace(network=SimpleNamespace(hand=load_hand_model()))
    provenance = _provenance(ReconstructSettings(checkpoint=tmp_path), network)
    assert set(documented("Provenance of a reconstruction")) == set(provenance)


def test_parameters():
    pages = "".join((ROOT / "docs/api" / name).read_text(encoding="utf-8") for name in ("parameters.md", "detect.md"))
    for kind in settings_within(Params):
        assert kind.__name__ in pages, f"{kind.__module__}.{kind.__name__} is on no page of the API"


def settings_within(kind):
    yield kind
    for field in kind.model_fields.values():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Settings):
            yield from settings_within(field.annotation)


def test_stage_runs_and_the_hand_model():
    assert set(documented("Stage runs")) == {field.name for field in fields(StageRun)}
    with np.load(OPEN_HAND, allow_pickle=False) as file:
        assert set(documented("The hand model")) == set(file)

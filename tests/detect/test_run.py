"""The sharded run: what it writes, what it survives, and what it never mixes."""

import json
import os
import signal

import numpy as np
import pyarrow.parquet as pq
import pytest

from s2hand.datasets import read_keypoints
from s2hand.datasets.files import sha256_file
from s2hand.datasets.keypoints import to_arrays
from s2hand.detect import DetectSettings, HandDetector, run_detection
from s2hand.detect import job as module

SMALL = {"scales": (0.1,), "variant": "s2hand", "device": "cpu"}


@pytest.fixture
def settings(openpose_file):
    return DetectSettings(weights=str(openpose_file), shard_size=4, precision="float32", **SMALL)


@pytest.fixture
def quick(monkeypatch, bright_spot):
    """The run with a detector that needs no weights; returns the estimator, which records its batches."""
    estimator = bright_spot()

    def load(source, device, *, batch_size, **parameters):
        estimator.parameters = parameters
        return HandDetector(estimator, batch_size)

    monkeypatch.setattr(module.HandDetector, "load", load)
    return estimator


def _stamps(folder):
    return {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.glob("part-*")}


def _contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_every_image_has_its_row(photographs, tmp_path, settings):
    calls = []
    summary = run_detection(photographs, tmp_path / "out", settings, lambda *call: calls.append(call))
    arrays = to_arrays(read_keypoints(tmp_path / "out"))
    assert (summary.images, summary.hands, summary.failures, summary.resumed) == (10, 10, 0, 0)
    assert arrays.images == [
        *(f"{n:02d}.png" for n in range(0, 10, 2)),
        *(f"more/{n:02d}.png" for n in range(1, 10, 2)),
    ]
    assert arrays.sha256[0] == sha256_file(photographs / "00.png")
    assert arrays.sizes[1].tolist() == [48, 32]
    assert arrays.boxes[1].tolist() == [0, -8, 48, 48]
    assert set(arrays.hands) == {"right"}
    assert summary.mean_confidence == pytest.approx(arrays.keypoints[:, :, 2].mean(), abs=1e-6)
    assert calls[0] == (0, 10)
    assert calls[-1] == (10, 10)
    assert len(list((tmp_path / "out").glob("part-*"))) == 3


def test_the_provenance_is_in_the_schema(photographs, tmp_path, settings, openpose_file):
    run_detection(photographs, tmp_path / "out", settings)
    metadata = {key.decode(): value.decode() for key, value in read_keypoints(tmp_path / "out").schema.metadata.items()}
    assert metadata["detector"] == "openpose"
    assert metadata["weights_sha256"] == sha256_file(openpose_file)
    assert json.loads(metadata["parameters"]) == {
        "scales": [0.1],
        "variant": "s2hand",
        "precision": "float32",
        "compile": False,
        "localize": {"name": "whole", "hand": "right", "weights_sha256": ""},
        "box_scale": 1.0,
        "min_confidence": 0.0,
    }


def test_a_left_hand_run_is_the_mirror_of_a_right_hand_one(photographs, tmp_path, settings, write_image, texture):
    mirrored = tmp_path / "mirrored"
    mirrored.mkdir()
    for number in (0, 2):
        write_image(mirrored / f"{number:02d}.png", texture(number, 32, 32 + 8 * (number % 3))[:, ::-1])
    names = ["00.png", "02.png"]
    left = settings.model_copy(update={"hand": "left"})
    run_detection(photographs, tmp_path / "a", settings, names=names)
    run_detection(mirrored, tmp_path / "b", left, names=names)
    right, back = (to_arrays(read_keypoints(tmp_path / name)) for name in "ab")
    assert set(back.hands) == {"left"}
    widths = right.sizes[:, :1]
    np.testing.assert_array_equal(back.keypoints[..., 0], widths - right.keypoints[..., 0])
    np.testing.assert_array_equal(back.keypoints[..., 1:], right.keypoints[..., 1:])


@pytest.mark.usefixtures("quick")
def test_broken_images_are_reported_and_stop_nothing(photographs, tmp_path):
    (photographs / "zero.jpg").write_bytes(b"")
    (photographs / "more" / "cut.png").write_bytes((photographs / "00.png").read_bytes()[:100])
    (photographs / "gone.tif").symlink_to(tmp_path / "nowhere")
    (photographs / "folder.jpg").mkdir()
    settings = DetectSettings(shard_size=4)
    summary = run_detection(photographs, tmp_path / "out", settings)
    assert (summary.images, summary.hands, summary.failures) == (13, 10, 3)
    failures = pq.read_table(tmp_path / "out" / "failures.parquet").to_pydict()
    assert failures["image"] == ["gone.tif", "more/cut.png", "zero.jpg"]
    assert failures["reason"][2] == "the file is empty"
    again = run_detection(photographs, tmp_path / "out", settings)
    assert (again.resumed, again.failures) == (13, 3)


@pytest.mark.usefixtures("quick")
def test_all_images_broken_is_a_run_without_hands(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.jpg").write_bytes(b"")
    summary = run_detection(tmp_path / "in", tmp_path / "out", DetectSettings())
    assert (summary.images, summary.hands, summary.failures) == (1, 0, 1)
    assert np.isnan(summary.mean_confidence)
    assert read_keypoints(tmp_path / "out").num_rows == 0


def test_a_second_run_does_nothing(photographs, tmp_path, quick):
    out = tmp_path / "out"
    run_detection(photographs, out, DetectSettings(shard_size=3))
    before, batches = _stamps(out), len(quick.batches)
    summary = run_detection(photographs, out, DetectSettings(shard_size=3))
    assert (summary.resumed, summary.images_per_second) == (10, 0)
    assert _stamps(out) == before
    assert len(quick.batches) == batches


def test_only_the_shards_of_changed_images_are_made_anew(photographs, tmp_path, quick, write_image, texture):
    out = tmp_path / "out"
    run_detection(photographs, out, DetectSettings(shard_size=3))
    before = _stamps(out)
    stat = (photographs / "02.png").stat()
    write_image(photographs / "02.png", texture(77, 32, 32))
    os.utime(photographs / "02.png", ns=(stat.st_atime_ns, stat.st_mtime_ns))  # the time tells nothing
    summary = run_detection(photographs, out, DetectSettings(shard_size=3))
    changed = [name for name, stamp in _stamps(out).items() if stamp != before[name]]
    assert (changed, summary.resumed) == (["part-00000.parquet"], 7)
    assert quick.batches[-2:] == [[(32, 32, 3)] * 2, [(32, 40, 3)]]


@pytest.mark.parametrize(
    "change", [{"hand": "left"}, {"scales": (0.1, 0.12)}, {"variant": "s2hand"}, {"shard_size": 5}]
)
def test_shards_of_other_parameters_are_replaced(photographs, tmp_path, quick, change):
    quick.name = "openpose"  # the one that has scales and variants
    out, fresh = tmp_path / "out", tmp_path / "fresh"
    run_detection(photographs, out, DetectSettings(shard_size=4))
    changed = DetectSettings(**{"shard_size": 4, **change})
    assert run_detection(photographs, out, changed, anew=True).resumed == 0
    run_detection(photographs, fresh, changed)
    assert _contents(out) == _contents(fresh)


def test_shards_of_other_weights_are_replaced(photographs, tmp_path, quick):
    run_detection(photographs, tmp_path / "out", DetectSettings())
    quick.weights_sha256 = "1" * 64
    assert run_detection(photographs, tmp_path / "out", DetectSettings(), anew=True).resumed == 0


@pytest.mark.usefixtures("quick")
def test_the_device_does_not_make_shards_stale_and_a_batch_size_does(photographs, tmp_path):
    run_detection(photographs, tmp_path / "out", DetectSettings(shard_size=4))
    other = DetectSettings(shard_size=4, device="cpu")
    assert run_detection(photographs, tmp_path / "out", other).resumed == 10
    with pytest.raises(ValueError, match="other weights, parameters"):
        run_detection(photographs, tmp_path / "out", DetectSettings(shard_size=4, batch_size=1))


@pytest.mark.usefixtures("quick")
def test_the_folder_of_the_photographs_is_no_place_for_keypoints(photographs):
    with pytest.raises(ValueError, match="is the folder of the photographs"):
        run_detection(photographs, photographs, DetectSettings())
    assert not (photographs / "manifest.json").exists()


@pytest.mark.usefixtures("quick")
def test_a_missing_or_empty_folder_is_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    for folder, message in (("none", "no such folder"), ("empty", "holds no image")):
        with pytest.raises(ValueError, match=message):
            run_detection(tmp_path / folder, tmp_path / "out", DetectSettings())
    assert not (tmp_path / "out").exists()


def test_a_killed_run_is_resumed(many, tmp_path, slim_file, start_detect):
    out = tmp_path / "out"
    process = start_detect(many, out, slim_file, (out / "part-00001.parquet").exists)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    kept = _stamps(out)
    assert 2 <= len(kept) < 60
    with pytest.raises(ValueError, match="manifest"):
        read_keypoints(out)
    settings = DetectSettings(weights=str(slim_file), shard_size=1, device="cpu")
    assert run_detection(many, out, settings).resumed == len(kept)
    after = _stamps(out)
    assert {name: after[name] for name in kept} == kept
    run_detection(many, tmp_path / "undisturbed", settings)
    assert _contents(out) == _contents(tmp_path / "undisturbed")


def test_ctrl_c_ends_in_one_line(many, tmp_path, slim_file, start_detect):
    out = tmp_path / "out"
    process = start_detect(many, out, slim_file, (out / "part-00001.parquet").exists)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors.splitlines()[-1].startswith("interrupted: run the same command again")
    assert "Traceback" not in errors
    assert not (out / "manifest.json").exists()


def test_a_video_is_a_folder_of_frames(tmp_path, slim_file, write_video, write_image, texture):
    folder, out = tmp_path / "mixed", tmp_path / "out"
    (folder / "film").mkdir(parents=True)
    write_video(folder / "film" / "clip.mp4", 25)
    write_image(folder / "a.png", texture(0, 32, 32))
    settings = DetectSettings(weights=str(slim_file), shard_size=4, device="cpu", every=10)
    summary = run_detection(folder, out, settings)
    assert (summary.images, summary.failures) == (4, 0)
    arrays = to_arrays(read_keypoints(out))
    assert arrays.images == ["a.png", *(f"film/clip.mp4#{frame:06d}" for frame in (0, 10, 20))]
    assert set(arrays.sha256[1:]) == {sha256_file(folder / "film" / "clip.mp4")}
    assert arrays.sizes[1:].tolist() == [[96, 64]] * 3
    assert run_detection(folder, out, settings).resumed == 4
    more = run_detection(folder, out, settings.model_copy(update={"every": 5}))
    assert (more.images, more.resumed) == (6, 4)  # frames between are new ones
    alone = run_detection(folder / "film" / "clip.mp4", tmp_path / "alone", settings)
    assert (alone.images, alone.root) == (3, folder / "film")

"""Labels of other programs in: round trips of ours, and files as others write them."""

import json
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from s2hand.datasets.exports import export_keypoints
from s2hand.datasets.files import DataError, sha256_file, write_json
from s2hand.datasets.imports.run import import_labels
from s2hand.datasets.keypoints import read_failures, read_keypoints, to_arrays
from s2hand.datasets.manifest import read_manifest
from s2hand.datasets.rows import Provenance
from s2hand.datasets.shards import ShardStore, Source
from tests.datasets.helpers.labels import JOINTS, coco_file, labelled

OUTPUTS = {"coco": "l.json", "coco-wholebody": "l.json", "openpose-json": "labels", "s2hand-json": "l.json"}


def hands_in(shards: Path) -> dict[tuple[str, str], list[Any]]:
    arrays = to_arrays(read_keypoints(shards))
    found: dict[tuple[str, str], list[Any]] = {}
    for row, key in enumerate(zip(arrays.images, arrays.hands, strict=True)):
        found.setdefault(key, []).append((arrays.keypoints[row], arrays.boxes[row], arrays.sizes[row].tolist()))
    return found


@pytest.mark.parametrize("name", OUTPUTS)
def test_a_round_trip_is_exact(collection, tmp_path, name):
    labels, out = tmp_path / OUTPUTS[name], tmp_path / "out"
    export_keypoints(collection.shards, labels, name)
    manifest = import_labels(labels, collection.images, out, name, shard_size=2)
    assert (manifest.images, manifest.rows, manifest.failures, len(manifest.shards)) == (3, 6, 0, 2)
    before, after = hands_in(collection.shards), hands_in(out)
    if name == "s2hand-json":  # does not say which hand
        before = {(image, "right"): [] for image, _ in before}
        for (image, _), hands in hands_in(collection.shards).items():
            before[image, "right"] += hands
    assert before.keys() == after.keys()
    for key, hands in before.items():
        assert len(hands) == len(after[key])
        for (keypoints, box, size), (keypoints_after, box_after, size_after) in zip(hands, after[key], strict=True):
            np.testing.assert_array_equal(keypoints_after, keypoints)
            assert size_after == size
            if name.startswith("coco"):
                np.testing.assert_array_equal(box_after, box)
    table = read_keypoints(out)
    assert table["sha256"][0].as_py() == sha256_file(collection.images / table["image"][0].as_py())
    assert to_arrays(table).hand_index.tolist() == [0, 1, 0, 0, 1, 2]


def test_the_boxes_of_formats_without_any(collection, tmp_path):
    export_keypoints(collection.shards, tmp_path / "labels", "openpose-json")
    import_labels(tmp_path / "labels", collection.images, tmp_path / "a", "openpose-json")
    for ((keypoints, box, _),) in [hands for hands in hands_in(tmp_path / "a").values() if len(hands) == 1]:
        low, high = np.nanmin(keypoints[:, :2], 0), np.nanmax(keypoints[:, :2], 0)
        assert box[2] == box[3] == pytest.approx(1.4 * (high - low).max(), rel=1e-5)
        np.testing.assert_allclose(box[:2] + box[2:] / 2, (low + high) / 2, rtol=1e-4)
    export_keypoints(collection.shards, tmp_path / "l.json", "s2hand-json")
    import_labels(tmp_path / "l.json", collection.images, tmp_path / "b", "s2hand-json", "left")
    arrays = to_arrays(read_keypoints(tmp_path / "b"))
    assert set(arrays.hands) == {"left"}
    assert arrays.boxes.tolist() == [[0, -5, 40, 40]] * 6


def test_where_imported_labels_come_from(collection, tmp_path):
    export_keypoints(collection.shards, tmp_path / "l.json", "coco")
    import_labels(tmp_path / "l.json", collection.images, tmp_path / "out", "coco", "left")
    provenance = read_manifest(tmp_path / "out").provenance
    assert provenance.detector == "imported"
    assert provenance.weights_sha256 == sha256_file(tmp_path / "l.json")
    assert provenance.parameters == {"format": "coco", "hand": "left", "labels": "l.json"}


def test_a_changed_label_of_a_folder_is_another_provenance(collection, tmp_path):
    labels = tmp_path / "labels"
    export_keypoints(collection.shards, labels, "openpose-json")
    first = import_labels(labels, collection.images, tmp_path / "out", "openpose-json").provenance
    same = import_labels(labels, collection.images, tmp_path / "again", "openpose-json").provenance
    assert same == first
    write_json(labels / "a_keypoints.json", {"people": []})
    manifest = import_labels(labels, collection.images, tmp_path / "out", "openpose-json")
    assert manifest.provenance.weights_sha256 != first.weights_sha256
    assert (manifest.images, manifest.rows) == (3, 4)


def test_coco_of_other_programs(collection, tmp_path):
    """No scores, whole numbers, a tight box, a category's name that says which hand; boxes without keypoints."""
    missing = labelled(1)
    missing["keypoints"][:3] = [0, 0, 0]
    annotations = [labelled(2, bbox=[10, 5, 20, 10]), missing, {"category_id": 1, "bbox": [0, 0, 5, 5]}]
    coco_file(tmp_path / "l.json", ["a.png", "z.png"], annotations, name="left_hand")
    manifest = import_labels(tmp_path / "l.json", collection.images, tmp_path / "out", "coco")
    assert (manifest.images, manifest.rows) == (2, 2)
    arrays = to_arrays(read_keypoints(tmp_path / "out"))
    assert arrays.hands == ["left", "left"]
    np.testing.assert_array_equal(arrays.keypoints[0, :, :2], np.add(JOINTS, 0.5))
    assert arrays.keypoints[0, :, 2].tolist() == [1] * 21
    assert arrays.keypoints[1, 1, 2] == 1
    assert np.isnan(arrays.keypoints[1, 0, :2]).all()
    assert arrays.keypoints[1, 0, 2] == 0
    assert arrays.boxes.tolist() == [[10, 0, 20, 20], [0, -5, 40, 40]]


def test_the_attributes_that_say_which_hand(collection, tmp_path):
    annotations = [labelled(2), labelled(2, hand="left"), labelled(2, attributes={"hand": "left"})]
    coco_file(tmp_path / "l.json", ["a.png"], annotations)
    import_labels(tmp_path / "l.json", collection.images, tmp_path / "out", "coco")
    assert to_arrays(read_keypoints(tmp_path / "out")).hands == ["right", "left", "left"]


def test_openpose_json_as_openpose_writes_it(collection, tmp_path):
    """Heatmaps overshoot 1; a hand that was not found is zeros; hands that were switched off are empty."""
    hand = [n for x, y in JOINTS for n in (x, y, 1.03)]
    people = [
        {"person_id": [-1], "hand_left_keypoints_2d": hand, "hand_right_keypoints_2d": [0] * 63},
        {"person_id": [-1], "hand_left_keypoints_2d": [], "hand_right_keypoints_2d": []},
    ]
    write_json(tmp_path / "a_keypoints.json", {"version": 1.3, "people": people})
    manifest = import_labels(tmp_path / "a_keypoints.json", collection.images, tmp_path / "out", "openpose-json")
    assert (manifest.images, manifest.rows) == (1, 1)
    arrays = to_arrays(read_keypoints(tmp_path / "out"))
    assert (arrays.images, arrays.hands) == (["a.png"], ["left"])
    assert set(arrays.keypoints[0, :, 2].tolist()) == {1}
    assert arrays.keypoints[0, 2].tolist() == [2.5, 4.5, 1]


def test_a_list_of_the_authors(collection, tmp_path, write_image):
    """Whole peaks, confidences one deep or flat, a joint that was not found, FreiHAND's numbers for names."""
    write_image(collection.images / "00000003.jpg")
    peaks = [[round(x), round(y)] for x, y in JOINTS]
    values = [[0.0], *[[0.5]] * 20]
    write_json(tmp_path / "l.json", [[peaks] * 2, [values, [0.5] * 21], [["a.png"], [3]]])
    import_labels(tmp_path / "l.json", collection.images, tmp_path / "out", "s2hand-json")
    arrays = to_arrays(read_keypoints(tmp_path / "out"))
    assert arrays.images == ["00000003.jpg", "a.png"]
    assert arrays.keypoints[0, 0].tolist() == [0.5, 0.5, 0.5]
    assert np.isnan(arrays.keypoints[1, 0, :2]).all()


def test_images_that_are_missing_or_broken_are_failures(collection, tmp_path):
    coco_file(tmp_path / "l.json", ["a.png", "broken.png", "gone.png"], [labelled(2)])
    manifest = import_labels(tmp_path / "l.json", collection.images, tmp_path / "out", "coco")
    assert (manifest.images, manifest.rows, manifest.failures) == (3, 1, 2)
    reasons = {"broken.png": "the file is empty", "gone.png": "can't be read: No such file or directory"}
    assert read_failures(tmp_path / "out") == reasons


def test_an_import_that_is_killed_is_not_a_run(collection, tmp_path, monkeypatch):
    coco_file(tmp_path / "l.json", ["a.png", "z.png"], [labelled(2)])

    def stop(done: int, total: int) -> None:
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_labels(tmp_path / "l.json", collection.images, tmp_path / "out", "coco", shard_size=1, progress=stop)
    with pytest.raises(DataError, match="not complete"):
        read_keypoints(tmp_path / "out")
    import_labels(tmp_path / "l.json", collection.images, tmp_path / "out", "coco", shard_size=1)
    assert read_keypoints(tmp_path / "out").num_rows == 1


def test_what_a_detector_found_is_not_replaced(collection, tmp_path):
    coco_file(tmp_path / "l.json", ["a.png"], [labelled(2)])
    with pytest.raises(DataError, match="shards: holds the keypoints of the detector 'slim'"):
        import_labels(tmp_path / "l.json", collection.images, collection.shards, "coco")
    assert read_keypoints(collection.shards).num_rows == 6


@pytest.mark.parametrize("name", OUTPUTS)
def test_frames_of_a_video(tmp_path, hand_row, name):
    """Out and in again, as OpenPose names them: clip_000000000002_keypoints.json."""
    (tmp_path / "videos").mkdir()
    with av.open(str(tmp_path / "videos" / "clip.mp4"), "w") as video:
        stream = video.add_stream("mpeg4", 10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for value in range(4):
            video.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((48, 64, 3), 60 * value, np.uint8))))
        video.mux(stream.encode())
    frames = ["clip.mp4#000001", "clip.mp4#000002"]
    store = ShardStore(tmp_path / "shards", Provenance("slim", "aa", {}, "cc"))
    with store.writing():
        rows = [hand_row(image=frame, width=64, height=48) for frame in frames]
        store.write(0, [Source(frame, 1, "0" * 64) for frame in frames], rows, [])
        store.finish(1)
    labels = tmp_path / OUTPUTS[name]
    export_keypoints(store.folder, labels, name)
    if labels.is_dir():
        assert (labels / "clip_000000000002_keypoints.json").is_file()
    manifest = import_labels(labels, tmp_path / "videos", tmp_path / "out", name)
    assert (manifest.rows, manifest.failures) == (2, 0)
    arrays = to_arrays(read_keypoints(tmp_path / "out"))
    assert (arrays.images, arrays.sizes.tolist()) == (frames, [[64, 48]] * 2)
    assert set(arrays.sha256) == {sha256_file(tmp_path / "videos" / "clip.mp4")}


def test_json_of_ours_is_plain(collection, tmp_path):
    """A reader that takes the system's encoding reads it: non-ASCII names are escaped."""
    export_keypoints(collection.shards, tmp_path / "l.json", "coco")
    assert (tmp_path / "l.json").read_bytes().isascii()
    assert json.loads((tmp_path / "l.json").read_text("ascii"))["images"][2]["file_name"] == "ü b/c.png"

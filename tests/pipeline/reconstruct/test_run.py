"""Folders of photographs: what is written, and what a kill, a change or a slip costs."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest

from s2hand.datasets.boxes import HandBox
from s2hand.datasets.cameras import Box, project
from s2hand.datasets.files import DataError, write_json
from s2hand.datasets.keypoints import read_failures
from s2hand.detect import DetectSettings, run_detection
from s2hand.pipeline import Reconstructor, read_hands
from s2hand.pipeline.reconstruct.run import Summary, run_reconstruction
from s2hand.pipeline.reconstruct.settings import ReconstructSettings
from s2hand.pipeline.reconstruct.store import hand_files
from s2hand.pipeline.reconstruct.table import SCHEMA
from s2hand.train.checkpoint import CheckpointError

NAMES = ["a.png", "b.png", "c.png", "d.png", "more/e.png"]
Run = Callable[..., Summary]


@pytest.fixture
def run(checkpoint: Path, photographs: Path) -> Run:
    def call(out: Path, anew: bool = False, side: str = "right", **options: object) -> Summary:
        detect = DetectSettings(hand=side, shard_size=2)  # type: ignore[arg-type]
        settings = ReconstructSettings(**{"checkpoint": checkpoint, "device": "cpu", "detect": detect, **options})
        return run_reconstruction(photographs, out, settings, anew=anew)

    return call


def content(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_what_a_run_writes(run: Run, photographs: Path, tmp_path: Path) -> None:
    (photographs / "broken.jpg").write_bytes(b"no picture")
    summary = run(tmp_path / "out", formats=("glb", "obj"))
    assert (summary.detected.images, summary.hands, summary.made, summary.detected.failures) == (6, 5, 5, 1)
    assert list(read_failures(tmp_path / "out/keypoints")) == ["broken.jpg"]
    table = read_hands(tmp_path / "out")
    assert table.schema.equals(SCHEMA)
    assert table["image"].to_pylist() == NAMES
    for name in NAMES:
        assert {f"meshes/{name}.glb", f"meshes/{name}.obj", f"overlays/{name}.jpg"} <= set(content(tmp_path / "out"))
    rows = table.to_pylist()
    assert {row["K_source"] for row in rows} == {"assumed field of view of 50 degrees"}
    for row in rows:
        joints, K = (np.reshape(row[name], (-1, 3)) for name in ("joints_cam", "K"))
        np.testing.assert_allclose(project(joints, K), np.reshape(row["joints_px"], (21, 2)), atol=1e-2)
        assert 0 < row["confidence"] <= 1
    provenance = pq.read_schema(hand_files(tmp_path / "out")[0]).metadata
    assert b'"checkpoint"' in provenance[b"provenance"]
    assert b'"hand model"' in provenance[b"provenance"]


def test_the_overlay_shows_the_hand_where_it_is(run: Run, photographs: Path, tmp_path: Path) -> None:
    run(tmp_path / "out")
    photograph = cv2.imread(str(photographs / "a.png"))
    overlay = cv2.imread(str(tmp_path / "out/overlays/a.png.jpg"))
    height, gap = 384, 4  # small photographs are enlarged
    assert overlay.shape == (height, 2 * height + gap, 3)
    plain = cv2.resize(photograph, (height, height), interpolation=cv2.INTER_CUBIC)
    changed = np.abs(overlay[:, height + gap :].astype(int) - plain).max(axis=2) > 60
    row = read_hands(tmp_path / "out").to_pylist()[0]
    vertices, K = (np.reshape(row[name], (-1, 3)) for name in ("vertices_cam", "K"))
    xy = project(vertices, K) * height / 96
    inside = np.all((xy >= 0) & (xy < height), axis=1)
    left, top = np.floor(xy[inside].min(axis=0)).astype(int)
    right, bottom = np.ceil(xy[inside].max(axis=0)).astype(int)
    assert changed[top:bottom, left:right].mean() > 0.2
    changed[top - 2 : bottom + 2, left - 2 : right + 2] = False
    assert not changed.any()
    sheet = cv2.imread(str(tmp_path / "out/sheet.png"))
    assert sheet.shape[1] > 1600


def test_left_hands_come_back_as_left_hands(run: Run, photographs: Path, tmp_path: Path) -> None:
    run(tmp_path / "right", overlays=False, formats=())
    for path in photographs.rglob("*.png"):
        cv2.imwrite(str(path), cv2.imread(str(path))[:, ::-1])
    run(tmp_path / "left", side="left", overlays=False, formats=())
    right, left = (read_hands(tmp_path / side).to_pylist() for side in ("right", "left"))
    for one, other in zip(right, left, strict=True):
        mirrored = np.reshape(one["vertices_cam"], (-1, 3)) * [-1, 1, 1]
        np.testing.assert_allclose(np.reshape(other["vertices_cam"], (-1, 3)), mirrored, atol=1e-4)
        np.testing.assert_allclose(other["pose"], one["pose"], atol=1e-4)
        assert (one["mesh"], one["overlay"], other["hand"]) == ("", "", "left")
    assert not (tmp_path / "left/meshes/a.png.glb").exists()


def test_a_second_run_does_nothing_and_mends_what_is_missing(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(out)
    before, times = content(out), {path: path.stat().st_mtime_ns for path in hand_files(out)}
    assert run(out).made == 0
    assert {path: path.stat().st_mtime_ns for path in hand_files(out)} == times
    (out / "meshes/c.png.glb").unlink()
    damaged = bytearray((out / "hands-00002.parquet").read_bytes())
    damaged[2000] ^= 1
    (out / "hands-00002.parquet").write_bytes(bytes(damaged))
    assert run(out).made == 3  # the shards of c and d, and of e
    assert content(out) == before


def test_photographs_that_come_and_go(run: Run, photographs: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(out)
    (photographs / "b.png").unlink()
    shutil.copy(photographs / "a.png", photographs / "f.png")
    assert run(out).made == 2  # a, without b; f
    assert sorted(read_hands(out)["image"].to_pylist()) == ["a.png", "c.png", "d.png", "f.png", "more/e.png"]
    assert not (out / "meshes/b.png.glb").exists()
    assert not (out / "overlays/b.png.jpg").exists()


def test_another_checkpoint_is_refused_unless_asked_for(run: Run, make_checkpoint, tmp_path: Path) -> None:
    out, other = tmp_path / "out", make_checkpoint(tmp_path / "other", seed=1)
    run(out)
    before = content(out)
    with pytest.raises(DataError, match="made otherwise: other checkpoint; give another --out, or --anew"):
        run(out, checkpoint=other)
    assert content(out) == before
    assert run(out, checkpoint=other, formats=("ply",), anew=True).made == 5
    assert (out / "meshes/a.png.ply").exists()
    assert not (out / "meshes/a.png.glb").exists()


def test_wrong_places_and_files_are_refused(run: Run, photographs: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="lies in the photographs' folder"):
        run(photographs / "out")
    with pytest.raises(CheckpointError, match="no such file; train first"):
        run(tmp_path / "out", checkpoint=tmp_path / "gone")
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    write_json(foreign / "manifest.json", {"format": 1})
    with pytest.raises(DataError, match="of no reconstruction"):
        run(foreign, anew=True)
    with pytest.raises(DataError, match="no finished reconstruction"):
        read_hands(photographs)
    write_json(tmp_path / "K.json", {"a.png": np.eye(3).tolist()})
    with pytest.raises(DataError, match="no K for 4 of 5 images"):
        run(tmp_path / "out", intrinsics=tmp_path / "K.json")


def test_known_cameras_are_used(run: Run, K: np.ndarray, tmp_path: Path) -> None:
    write_json(tmp_path / "K.json", K.tolist())
    run(tmp_path / "out", intrinsics=tmp_path / "K.json", overlays=False)
    rows = read_hands(tmp_path / "out", ["K", "K_source"]).to_pylist()
    assert {row["K_source"] for row in rows} == {"K.json"}
    assert np.reshape(rows[0]["K"], (3, 3)).tolist() == K.tolist()


def test_killed_and_run_again_gives_the_same_bytes(
    run: Run, checkpoint: Path, photographs: Path, tmp_path: Path
) -> None:
    for number in range(6):
        shutil.copy(photographs / "a.png", photographs / f"x{number}.png")
    code = "from s2hand.pipeline.__main__ import main; main()"
    options = f"--checkpoint {checkpoint} --images {photographs} --out {tmp_path / 'out'} --shard-size 2 --device cpu"
    command = [sys.executable, "-c", code, "reconstruct", *options.split()]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        until = time.monotonic() + 120
        while not (tmp_path / "out/hands-00000.parquet").exists() and time.monotonic() < until:
            assert process.poll() is None, "it ended before anything was written"
            time.sleep(0.005)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert not (tmp_path / "out/manifest.json").exists()
    summary = run(tmp_path / "out")
    assert 0 < summary.made < summary.hands == 11
    run(tmp_path / "whole")
    assert content(tmp_path / "out") == content(tmp_path / "whole")


def test_given_boxes_are_what_crops_are_cut_around(
    make_checkpoint: Callable[..., Path], photographs: Path, tmp_path: Path
) -> None:
    """By a folder as from Python: the detections, which are elsewhere, do not move the crop of a hand that is given."""
    checkpoint = make_checkpoint(tmp_path / "model", crop="keypoints", crop_scale=2.2)
    (tmp_path / "boxes.csv").write_text("image,x,y,w,h,hand\na.png,30,24,40,50,right\n")
    detect = DetectSettings(boxes=str(tmp_path / "boxes.csv"), box_scale=1.4)
    settings = ReconstructSettings(checkpoint=checkpoint, device="cpu", detect=detect, formats=(), overlays=False)
    run_reconstruction(photographs, tmp_path / "out", settings)
    (row,) = read_hands(tmp_path / "out").to_pylist()
    np.testing.assert_allclose(row["box"], [50 - 55, 49 - 55, 110, 110], atol=1e-3)
    image = cv2.imread(str(photographs / "a.png"), cv2.IMREAD_COLOR_RGB)
    ((hand,),) = Reconstructor.load(checkpoint, device="cpu").reconstruct(
        [image], hands=[[HandBox(Box(30, 24, 40, 50), "right")]]
    )
    np.testing.assert_allclose(hand.joints_px, np.reshape(row["joints_px"], (21, 2)), atol=1e-2)
    assert not (tmp_path / "out/meshes").exists()


def test_large_photographs_are_worked_on_in_smaller_groups(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(tmp_path / "together")
    monkeypatch.setattr("s2hand.pipeline.reconstruct.shard.GROUP_BYTES", 1)
    run(tmp_path / "alone")
    together, alone = (read_hands(tmp_path / name) for name in ("together", "alone"))
    assert together["image"].to_pylist() == alone["image"].to_pylist() == NAMES
    joints = [np.array(table["joints_cam"].to_pylist()) for table in (together, alone)]
    np.testing.assert_allclose(*joints, atol=1e-5)  # another number of crops at a time


def test_a_photograph_that_changes_under_way_is_refused(
    run: Run, photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def detect(*arguments: object, **options: object) -> object:
        found = run_detection(*arguments, **options)  # type: ignore[arg-type]
        shutil.copy(photographs / "a.png", photographs / "c.png")
        return found

    monkeypatch.setattr("s2hand.pipeline.reconstruct.run.run_detection", detect)
    with pytest.raises(DataError, match=r"c\.png: it changed, since its keypoints were detected; run the same command"):
        run(tmp_path / "out")
    assert not (tmp_path / "out/manifest.json").exists()
    monkeypatch.undo()
    assert run(tmp_path / "out").hands == 5


def test_hands_of_something_else_are_never_overwritten(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "hands-00000.parquet").write_bytes(b"somebody's")
    with pytest.raises(DataError, match=r"hands-00000\.parquet: is of no reconstruction, and would be overwritten"):
        run(out, anew=True)
    assert content(out) == {"hands-00000.parquet": b"somebody's"}


def test_a_table_that_was_cut_short_is_made_anew_and_an_altered_one_not_read(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(out)
    before = content(out)
    (out / "hands-00000.parquet").write_bytes(before["hands-00000.parquet"][:100])
    with pytest.raises(DataError, match=r"hands-00000\.parquet: missing, or altered after the run ended; run s2hand"):
        read_hands(out)
    assert run(out).made == 2
    assert content(out) == before


def test_photographs_of_very_long_names_have_files_of_their_own(run: Run, photographs: Path, tmp_path: Path) -> None:
    names = [f"{'n' * 240}{number}.png" for number in (1, 2)]
    for name in names:
        shutil.copy(photographs / "a.png", photographs / name)
    assert run(tmp_path / "out", formats=("ply",)).hands == 7
    rows = {row["image"]: row for row in read_hands(tmp_path / "out", ["image", "mesh", "overlay"]).to_pylist()}
    assert rows[names[0]]["mesh"] != rows[names[1]]["mesh"]
    for name in names:
        assert (tmp_path / "out" / f"{rows[name]['mesh']}.ply").is_file()
        assert (tmp_path / "out" / rows[name]["overlay"]).is_file()

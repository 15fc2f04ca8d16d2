"""What may happen to a run and its folder; afterwards the next run gives what an undisturbed one gives."""

import os
import random
import resource
import signal
import subprocess
import sys

import pytest

from s2hand.datasets import read_keypoints
from s2hand.datasets.image_files import ImageMemoryError
from s2hand.datasets.keypoints import to_arrays
from s2hand.datasets.listing import Item
from s2hand.datasets.plan import PLAN
from s2hand.detect import DetectSettings, run_detection


@pytest.fixture
def settings(slim_file):
    return DetectSettings(weights=str(slim_file), shard_size=4, device="cpu")


def _contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def finished(photographs, tmp_path, settings):
    """A finished run and its bytes."""
    out = tmp_path / "out"
    run_detection(photographs, out, settings)
    return out, _contents(out)


@pytest.mark.parametrize("name", ["part-00001.parquet", "failures.parquet", "manifest.json", PLAN])
@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "gone"])
def test_a_damaged_file_is_made_again(photographs, settings, finished, name, damage):
    out, before = finished
    content = before[name]
    middle = len(content) // 2
    damaged = {
        "cut": content[:middle],
        "flipped": content[:middle] + bytes([content[middle] ^ 0x10]) + content[middle + 1 :],
        "empty": b"",
    }
    (out / name).unlink()
    if damage in damaged:
        (out / name).write_bytes(damaged[damage])
    run_detection(photographs, out, settings)
    assert _contents(out) == before


def test_a_shard_with_any_byte_flipped_is_made_again(photographs, settings, finished):
    out, before = finished
    file = out / "part-00001.parquet"
    content = before[file.name]
    for place in random.Random(0).sample(range(len(content)), 60):
        file.write_bytes(content[:place] + bytes([content[place] ^ 0x04]) + content[place + 1 :])
        run_detection(photographs, out, settings)
        assert file.read_bytes() == content, place


def test_added_images_alone_are_detected(photographs, tmp_path, settings, finished, write_image, texture):
    out, before = finished
    for name in ("05a.png", "zz.png"):
        write_image(photographs / name, texture(len(name), 40, 40))
    summary = run_detection(photographs, out, settings)
    assert (summary.images, summary.resumed) == (12, 10)
    after = _contents(out)
    assert {name: after[name] for name in before if name.startswith("part")} == {
        name: content for name, content in before.items() if name.startswith("part")
    }
    assert sorted(to_arrays(read_keypoints(out)).images) == sorted(
        path.relative_to(photographs).as_posix() for path in photographs.rglob("*.png")
    )
    run_detection(photographs, out, settings)
    assert _contents(out) == after


def test_only_the_shard_of_a_vanished_image_is_made_anew(photographs, settings, finished):
    out, before = finished
    (photographs / "00.png").unlink()
    summary = run_detection(photographs, out, settings)
    assert (summary.images, summary.resumed) == (9, 6)
    after = _contents(out)
    assert [name for name in after if name.startswith("part") and after[name] != before[name]] == ["part-00000.parquet"]


def test_an_image_that_vanishes_during_a_run_and_comes_back(photographs, settings, finished, tmp_path):
    _, before = finished
    content = (photographs / "04.png").read_bytes()
    names = sorted(path.relative_to(photographs).as_posix() for path in photographs.rglob("*.png"))
    (photographs / "04.png").unlink()
    other = tmp_path / "other"
    summary = run_detection(photographs, other, settings, names=names)  # listed, and gone when it is read
    assert summary.failures == 1
    (photographs / "04.png").write_bytes(content)
    assert run_detection(photographs, other, settings).resumed == 6
    assert _contents(other) == before


def test_an_image_that_did_not_fit_the_memory_is_tried_again(photographs, settings, finished, tmp_path, monkeypatch):
    _, before = finished
    other = tmp_path / "other"
    decode = Item.decode

    def short_of_memory(item, reduce=1):
        if item.name == "04.png":
            raise ImageMemoryError(item.name, "not enough memory to decode it")
        return decode(item, reduce)

    with monkeypatch.context() as patch:
        patch.setattr(Item, "decode", short_of_memory)
        assert run_detection(photographs, other, settings).failures == 1
    assert run_detection(photographs, other, settings).resumed == 6
    assert _contents(other) == before


def _limit_file_size(limit):
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # writing fails then, as it does on a full disk
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))


def test_a_full_disk_ends_in_one_line_and_loses_nothing(photographs, settings, finished, tmp_path):
    _, before = finished
    out = tmp_path / "full"
    largest = max(len(content) for name, content in before.items() if name.startswith("part"))
    command = ["run", f"--images={photographs}", f"--out={out}", f"--weights={settings.weights}", "--shard-size=4"]
    full = subprocess.run(
        [sys.executable, "-c", "from s2hand.detect.__main__ import main; main()", *command, "--device=cpu"],
        env={
            name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")
        },  # its file is full, too
        capture_output=True,
        text=True,
        preexec_fn=lambda: _limit_file_size(largest - 1),
    )
    assert full.returncode == 1
    error = full.stderr.splitlines()[-1]
    assert error.startswith("error: ")
    assert "part-0000" in error
    assert "File too large" in error
    assert "Traceback" not in full.stderr
    assert not list(out.glob(".*partial"))
    run_detection(photographs, out, settings)
    assert _contents(out) == before

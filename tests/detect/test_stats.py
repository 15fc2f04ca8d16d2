"""The numbers of a run, and the command that shows them."""

import json
from collections import Counter

import numpy as np
import pytest
from typer.testing import CliRunner

from s2hand.datasets.cameras import Box
from s2hand.datasets.files import read_json
from s2hand.datasets.skeleton import JOINT_NAMES
from s2hand.detect.cli import app
from s2hand.detect.stats import BINS, as_json, collect, failure_kind, quantiles
from s2hand.detect.suspicious import RULES

WHOLE = Box(0, 0, 128, 128)
FAILURES = {"z1.jpg": "/p/z1.jpg: cut short (17 bytes)", "z2.jpg": "/p/z2.jpg: cut short (230 bytes)"}


def _sure(hand, confidence):
    hand = hand.copy()
    hand[:, 2] = confidence
    return hand


@pytest.fixture
def images(natural_hands):
    """Four hands in three images, one image without a hand; the little finger's tip is missing once."""
    half = _sure(natural_hands[0], 0.5)
    half[20] = (np.nan, np.nan, 0)
    return {
        "a.jpg": [("right", WHOLE, half), ("left", WHOLE, _sure(natural_hands[0] + np.float32([100, 0, 0]), 1))],
        "b.jpg": [("right", WHOLE, natural_hands[2])],
        "c.jpg": [],
        "more/[d].jpg": [("left", WHOLE, _sure(natural_hands[3], 0.15))],
    }


def _run(*arguments):
    return CliRunner().invoke(app, ["stats", *(str(argument) for argument in arguments)])


def test_counts(write_run, images):
    found = collect(write_run(images, FAILURES))
    assert (found.images, found.images_with_hands) == (6, 3)
    assert found.failures == Counter({"cut short (N bytes)": 2})
    assert found.hands.per_image == {1: 2, 2: 1}
    assert found.hands.sides == {"right": 2, "left": 2}
    assert found.hands.histogram.sum() == found.hands.found.sum() == 4 * 21 - 1
    assert found.hands.found.tolist() == [4] * 20 + [3]
    bins = np.flatnonzero(found.hands.histogram[0])
    assert bins.tolist() == [3, 10, 18, BINS - 1]  # 0.15, 0.5, 0.9 and 1, which the last one holds


def test_hands_in_numbers(write_run, images, natural_hands):
    numbers = as_json(collect(write_run(images, FAILURES)))
    expected = [0.5 * 20 / 21, 1, 0.9, 0.15]
    assert numbers["mean_confidence"] == pytest.approx(np.mean(expected), abs=1e-4)
    assert numbers["hand_confidence_quantiles"]["0.5"] == pytest.approx(np.median(expected), abs=1e-4)
    tip, wrist = numbers["joints"]["little_tip"], numbers["joints"]["wrist"]
    assert tip == {"found": 0.75, "mean_confidence": pytest.approx((1 + 0.9 + 0.15) / 3, abs=1e-4)}
    assert wrist == {"found": 1, "mean_confidence": pytest.approx((0.5 + 1 + 0.9 + 0.15) / 4, abs=1e-4)}
    assert list(numbers["joints"]) == list(JOINT_NAMES)
    sizes = [np.ptp(natural_hands[i, :, :2], axis=0).max() for i in (0, 0, 2, 3)]
    assert numbers["hand_size_px_quantiles"]["0.5"] == pytest.approx(np.median(sizes), rel=0.1)
    assert numbers["images_by_hands"] == {"1": 2, "2": 1}


def test_suspicious_hands_with_their_reasons(write_run, images):
    found = as_json(collect(write_run(images)))
    assert found["suspicious"][-1] == {
        "image": "more/[d].jpg",
        "hand": "left",
        "hand_index": 0,
        "confidence": 0.15,
        "reasons": ["low confidence"],
    }
    assert found["rules"]["low confidence"] == {"hands": 1, "means": RULES["low confidence"]}
    assert {one["image"] for one in found["suspicious"]} == {"a.jpg", "more/[d].jpg"}
    assert found["rules"]["outside the image"]["hands"] == 1  # that of a.jpg which was moved


def test_shards_do_not_matter(write_run, images):
    one, many = (collect(write_run(images, per_shard=n, folder=f"shards{n}")) for n in (1, 100))
    assert as_json(one) == as_json(many)


def test_progress_counts_hands(write_run, images):
    seen = []
    collect(write_run(images, per_shard=1), lambda done, total: seen.append((done, total)))
    assert seen == [(2, 4), (3, 4), (3, 4), (4, 4)]


def test_a_run_without_hands(write_run, tmp_path):
    shards = write_run({"a.jpg": [], "b.jpg": []})
    numbers = as_json(collect(shards))
    assert (numbers["hands"], numbers["mean_confidence"], numbers["hand_size_px_quantiles"]) == (0, None, {})
    result = _run(shards, "--out", tmp_path / "new" / "stats.json")
    assert result.exit_code == 0, result.output
    assert read_json(tmp_path / "new" / "stats.json")["images"] == 2
    assert "suspicious" not in result.stdout


@pytest.mark.parametrize(
    ("image", "reason", "kind"),
    [
        ("a.jpg", "/here/a.jpg: the file is empty", "the file is empty"),
        ("b/7.jpg", "/here/b/7.jpg: cut short (23 bytes)", "cut short (N bytes)"),
        ("c.jpg", "a network without a name fell over", "a network without a name fell over"),
        (
            "cut.mp4#000000",
            "not a video, or cut short ([Errno 1094995529] Invalid data found: 'file:/films/a 1/cut.mp4')",
            "not a video, or cut short ([Errno N] Invalid data found: FILE)",
        ),
        ("it's.mp4#000000", """no video: "file:/x/it's.mp4" """, "no video: FILE "),
        ("e.jpg", r"""no video: 'file:/x/it\'s "e".mp4'""", "no video: FILE"),
        (
            "f.jpg",
            "can't be read: a link to '../f 2.jpg': it doesn't end",
            "can't be read: a link to FILE: it doesn't end",
        ),
    ],
)
def test_like_failures_count_together(image, reason, kind):
    assert failure_kind(image, reason) == kind


def test_quantiles_of_what_are_numbers():
    values = np.float32([np.nan, *range(101)])
    assert quantiles(values)["0.05"] == 5
    assert quantiles(values[:1]) == {}


def test_the_command_shows_tables_and_writes_json(write_run, images, tmp_path):
    result = _run(write_run(images, FAILURES), "--out", tmp_path / "stats.json")
    assert result.exit_code == 0, result.output
    numbers = read_json(tmp_path / "stats.json")
    assert numbers["hands"] == 4
    assert numbers["detector"] == "bright-spot"
    lines = [line.split() for line in result.stdout.splitlines()]
    assert ["hands", "4:", "2", "right,", "2", "left"] in lines
    assert ["failures", "2"] in lines
    assert ["2", "cut", "short", "(N", "bytes)"] in lines
    assert ["little_tip", "75.0%", "0.68"] in lines
    assert ["more/[d].jpg", "left", "0.15", "low", "confidence"] in lines
    (ones,) = (line for line in lines if line[:1] == ["0.95"])
    assert ones[1] == "21"


def test_the_command_prints_json(write_run, images, tmp_path):
    shards = write_run(images, FAILURES)
    result = _run(shards, "--json")
    assert json.loads(result.stdout) == as_json(collect(shards))
    result = _run(shards, "--out", tmp_path / "stats.json", "--quiet")
    assert (result.exit_code, result.output) == (0, "")
    assert read_json(tmp_path / "stats.json") == as_json(collect(shards))


def test_the_command_shows_the_first_suspicious_hands_only(write_run, natural_hands):
    hand = _sure(natural_hands[0], 0.1)
    many = {f"{number:03d}.jpg": [("right", WHOLE, hand)] for number in range(50)}
    result = _run(write_run(many))
    assert "019.jpg" in result.stdout
    assert "020.jpg" not in result.stdout
    assert "and 30 more: --out FILE writes them all" in result.stdout


@pytest.mark.parametrize("width", [60, 80])
def test_counts_are_seen_beside_long_reasons(write_run, images, width):
    long = "not a video [of] a known kind, or cut short (Invalid data found when processing " + "input" * 30 + ")"
    failures = {f"z{number}.mp4#000000": long for number in range(37)} | {"y.jpg": "the file is empty"}
    shards = write_run({**images, "long/" * 30 + "name.jpg": images["more/[d].jpg"]}, failures)
    result = CliRunner().invoke(app, ["stats", str(shards)], env={"COLUMNS": f"{width}"})
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert max(map(len, lines)) <= width
    assert {"images", "43"} in [set(line.split()) for line in lines]
    assert ["failures", "38"] in [line.split() for line in lines]
    (first,) = (line for line in lines if "not a video [of] a known" in line)
    assert first.split()[0] == "37"
    assert "the file is empty" in result.stdout
    rules = [line for line in lines if line.startswith("low confidence")]
    assert rules[0].split()[2] == "2"


def test_what_is_no_run_ends_in_one_line(write_run, images, tmp_path):
    shards = write_run(images)
    (shards / "manifest.json").unlink()
    for folder, message in ((shards, "the detection run is not complete"), (tmp_path / "none", "no such folder")):
        result = _run(folder)
        assert result.exit_code == 1
        (line,) = result.stderr.splitlines()
        assert line.startswith(f"error: {folder}: {message}")


def test_a_run_without_suspicious_hands_names_none(write_run, natural_hands):
    result = _run(write_run({"a.jpg": [("right", WHOLE, natural_hands[0])]}))
    assert result.exit_code == 0, result.output
    assert ["low", "confidence", "0"] in [line.split()[:3] for line in result.stdout.splitlines()]
    assert "a.jpg" not in result.stdout
    assert "reasons" not in result.stdout

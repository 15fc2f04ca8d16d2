import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors import safe_open

from s2hand.detect.boxes.decode import Found
from s2hand.detect.boxes.fit.compose import LEFT, RIGHT, Scene
from s2hand.detect.boxes.fit.loop import fit_boxes
from s2hand.detect.boxes.fit.measure import Matched, compare, make_judge, summarize
from s2hand.detect.boxes.fit.settings import BoxesSettings, SceneSettings
from s2hand.detect.boxes.judge import Judge, Opinion
from s2hand.detect.boxes.localizer import SlimLocalizer
from s2hand.detect.fit.settings import read_settings
from s2hand.detect.weights import SLIM, read_weights

TINY = BoxesSettings(
    samples=240,
    micro_batch=4,
    micro_batches=2,
    warm_up=16,
    validate_every=80,
    validation_images=6,
    workers=2,
    scenes=SceneSettings(side=64, sizes=(0.4, 0.8), counts=(0.2, 1), people=(1,), degrade_over=0),
)


class StopError(Exception):
    pass


def ignore(phase: str, done: int, total: int) -> None:
    pass


def stop_at(samples: int):
    def progress(phase: str, done: int, total: int) -> None:
        if done >= samples:
            raise StopError

    return progress


def test_a_short_run_learns_and_its_weights_load(pieces_folder, tmp_path):
    summary = fit_boxes(TINY, pieces_folder, tmp_path / "out", ignore)

    lines = (tmp_path / "out" / "history.csv").read_text().splitlines()
    names = lines[0].split(",")
    losses = [float(line.split(",")[names.index("loss")]) for line in lines[1:]]
    assert len(losses) == 3
    assert losses[-1] < 0.8 * losses[0]
    assert summary.weights.stat().st_size < 3e6
    finder = SlimLocalizer.load(summary.weights)
    assert len(finder.locate([np.zeros((40, 60, 3), np.uint8)], ["x"])) == 1
    with safe_open(summary.weights, "pt") as file:
        metadata = file.metadata()
    assert metadata["network"] == "slim-boxes"
    assert finder.parameters["judge"] == json.loads(metadata["judge"])
    assert metadata["start_sha256"] == "none"
    assert BoxesSettings.model_validate_json(metadata["settings"]).samples == 240


def test_a_resumed_run_ends_like_an_uninterrupted_one(pieces_folder, tmp_path):
    whole = fit_boxes(TINY, pieces_folder, tmp_path / "whole", ignore)
    with pytest.raises(StopError):
        fit_boxes(TINY, pieces_folder, tmp_path / "parts", stop_at(120))
    resumed = fit_boxes(TINY.model_copy(update={"workers": 1}), pieces_folder, tmp_path / "parts", ignore)
    ours, theirs = (read_weights(summary.weights).tensors for summary in (whole, resumed))
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert whole.metrics["loss"] == resumed.metrics["loss"]


def test_training_may_start_from_the_keypoint_network(pieces_folder, tmp_path):
    still = TINY.model_copy(update={"samples": 8, "learning_rate": 1e-9})
    started = read_weights(fit_boxes(still, pieces_folder, tmp_path / "started", ignore, SLIM).weights)
    slim = read_weights(SLIM)
    assert started.metadata["start_sha256"] == slim.sha256
    for name in ("mid.1.first.0.weight", "context.second.weight", "widen.bias"):
        torch.testing.assert_close(started.tensors[name], slim.tensors[name], rtol=0, atol=1e-3)
    with pytest.raises(ValueError, match="not weights of the slim network"):
        fit_boxes(still, pieces_folder, tmp_path / "other", ignore, started.path)


def test_the_preset_is_valid(pytestconfig):
    settings = read_settings(pytestconfig.rootpath / "presets" / "slim-boxes.yaml", BoxesSettings)
    assert settings.steps > 1000


JUDGE = Judge(0.0, 1.0, 0.0, 0.0, 0.5)  # believes the finder's score
MATCHED = Matched(
    scores=np.array([0.9, 0.8, 0.7, 0.3, 0.2], np.float32),
    opinion=Opinion(np.array([[0.9, 0.5], [0.8, 0.5], [0.2, 0.1], [0.5, 0.6], [0.1, 0.2]]), np.full(5, 0.5)),
    hands=np.array([RIGHT, LEFT, -1, LEFT, -1]),
    in_empty=np.array([False, False, True, False, False]),
    all_hands=4,
    empty_scenes=2,
)


def test_summary_counts():
    summary = summarize(MATCHED, JUDGE)
    assert summary["precision"] == pytest.approx(2 / 3)
    assert summary["recall"] == pytest.approx(2 / 4)
    assert summary["sides"] == pytest.approx(1 / 2)
    assert summary["false_per_empty_scene"] == pytest.approx(1 / 2)
    assert summarize(MATCHED, replace(JUDGE, threshold=0.25))["sides"] == pytest.approx(2 / 3)


def test_the_judge_that_is_made_has_the_best_f_score():
    judge = make_judge(MATCHED)
    best = summarize(MATCHED, judge)["f0.5"]
    assert best > summarize(MATCHED, JUDGE)["f0.5"]
    assert all(summarize(MATCHED, replace(judge, threshold=t / 20))["f0.5"] <= best + 1e-9 for t in range(2, 19))


def test_each_hand_is_hit_once_and_hidden_ones_do_not_count():
    scene = Scene(
        np.zeros((64, 64, 3), np.uint8),
        np.array([[20, 20, 10, 10]], np.float32),
        np.array([LEFT]),
        np.array([[50, 50, 10, 10]], np.float32),
    )
    boxes = np.array([[20, 20, 10, 10], [21, 20, 10, 10], [50, 50, 10, 10], [40, 10, 8, 8]], np.float32)
    hands, counts = compare(Found(boxes, np.array([0.9, 0.8, 0.7, 0.6], np.float32)), scene)
    assert hands.tolist() == [LEFT, -1, -1, -1]
    assert counts.tolist() == [True, True, False, True]

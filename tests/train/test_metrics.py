"""The metrics against FreiHAND's official script, and against a readable twin.

`reference/ho3d_scale_translation.json`: what HO-3D's official script (shreyashampali/ho3d 2fd6ee1) gave for the same.
`reference/freihand_metrics.*`: 64 samples and what the official evaluation (lmb-freiburg/freihand 5ea4ab9,
open3d 0.20) gave for them; coordinates in units of 2^-16 m. `kind` = sample mod 8: noise, another pose, a
large root error, a wrong scale, an offset, a similarity transform, a small shift, mirrored or exact.
"""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.linalg import orthogonal_procrustes
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from s2hand.train.metrics import (
    THRESHOLDS,
    align_procrustes,
    align_scale_translation,
    area_under,
    evaluate_hands,
    evaluate_pixels,
    pck_curve,
    pixel_errors,
    score_hands,
)
from s2hand.train.nearest import shares_within

REFERENCE = Path(__file__).parent / "reference"


@pytest.fixture(scope="module")
def official():
    numbers = dict(np.load(REFERENCE / "freihand_metrics.npz"))
    numbers["summary"] = json.loads((REFERENCE / "freihand_metrics.json").read_text())
    for points in ("joints", "vertices"):
        true = numbers[f"true_{points}"]
        numbers[f"pred_{points}"] = (true + numbers[f"pred_minus_true_{points}"]) / 2**16
        numbers[f"true_{points}"] = true / 2**16
    return numbers


@pytest.fixture(scope="module")
def hands(official):
    return [official[name] for name in ("pred_joints", "true_joints", "pred_vertices", "true_vertices")]


@pytest.fixture(scope="module")
def scores(hands):
    return score_hands(*hands)


# --- the official numbers
# ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["float64", "float32", "torch", "torch_with_gradient"])
def test_equals_the_official_summary(official, hands, kind):
    if kind.startswith("torch"):
        hands = [torch.tensor(array, requires_grad=kind.endswith("gradient")) for array in hands]
    else:
        hands = [array.astype(kind) for array in hands]
    found, expected = evaluate_hands(*hands), official["summary"]
    for prefix, suffix in (("", ""), ("pa_", "_al")):
        for ours, theirs in (("mpjpe_cm", "xyz"), ("mpvpe_cm", "verts")):
            assert found[prefix + ours] == pytest.approx(100 * expected[theirs + suffix]["mean_m"], abs=1e-12)
        for ours, theirs in (("auc_j", "xyz"), ("auc_v", "verts")):
            assert found[prefix + ours] == pytest.approx(expected[theirs + suffix]["auc"], abs=1e-12)
        for ours, theirs in (("f5", "5mm"), ("f15", "15mm")):
            assert found[prefix + ours] == pytest.approx(expected[f"f{suffix}_{theirs}"], abs=1e-12)
    assert f"{found['pa_mpjpe_cm']:.6f}" == expected["scores_txt"]["xyz_al_mean3d"]
    assert all(type(value) is float for value in found.values())


def test_equals_the_official_errors_of_each_sample(official, scores):
    for errors, expected in (
        (scores.plain.joints.mean(1), "xyz_err_m"),
        (scores.aligned.joints.mean(1), "xyz_al_err_m"),
        (scores.plain.vertices.mean(1), "verts_err_m"),
        (scores.aligned.vertices.mean(1), "verts_al_err_m"),
        (scores.plain.f_scores, "f_score"),
        (scores.aligned.f_scores, "f_score_al"),
    ):
        np.testing.assert_allclose(errors, official[expected], rtol=0, atol=1e-12)
    assert scores.root.f_scores is None


def test_equals_the_official_curves(official, scores):
    np.testing.assert_array_equal(THRESHOLDS, official["thresholds_m"])
    for errors, expected in (
        (scores.plain.joints, "pck_xyz"),
        (scores.aligned.joints, "pck_xyz_al"),
        (scores.plain.vertices, "pck_verts"),
        (scores.aligned.vertices, "pck_verts_al"),
    ):
        np.testing.assert_allclose(pck_curve(errors, THRESHOLDS), official[expected], rtol=0, atol=1e-12)


def test_a_mirrored_prediction_aligns_perfectly(official, scores):
    mirrored = [7, 23, 39, 55]
    assert (official["kind"][mirrored] == 7).all()
    assert scores.aligned.joints[mirrored].max() < 1e-7
    assert scores.plain.joints[mirrored].mean() > 0.01


def test_equals_the_official_scale_translation_alignment(hands):
    expected = json.loads((REFERENCE / "ho3d_scale_translation.json").read_text())
    predicted, true = hands[:2]
    errors = np.linalg.norm(align_scale_translation(predicted, true) - true, axis=2)
    np.testing.assert_allclose(errors.mean(1), expected["err_m"], rtol=0, atol=1e-12)
    curve = pck_curve(errors, THRESHOLDS)
    np.testing.assert_allclose(curve, expected["pck"], rtol=0, atol=1e-12)
    assert area_under(curve, THRESHOLDS) == pytest.approx(expected["auc"], abs=1e-12)


def test_scale_translation_keeps_turns_and_a_hand_without_length():
    _, true, _, _ = random_hands(2)
    true[:, 9] = true[:, 0] + [0.0, 0.1, 0.0]
    turn = np.diag([1.0, -1.0, -1.0])
    moved = 3.0 * (true - true[:, :1]) @ turn + 7.0
    np.testing.assert_allclose(align_scale_translation(moved, true), (true - true[:, :1]) @ turn + true[:, :1])
    moved[0, 9] = moved[0, 0]
    flat = align_scale_translation(moved, true)[0]
    np.testing.assert_allclose(flat[9], true[0, 0])
    np.testing.assert_allclose(flat[4] - flat[0], 0.1 * (moved[0, 4] - moved[0, 0]))


# --- a readable twin
# ----------------------------------------------------------------------------------------------


def plain_f_score(predicted, true, distance):
    precision = np.mean(cKDTree(true).query(predicted)[0] < distance)
    recall = np.mean(cKDTree(predicted).query(true)[0] < distance)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def plain_procrustes(points, target):
    """One sample, by SciPy's orthogonal Procrustes."""
    moving, fixed = points - points.mean(0), target - target.mean(0)
    a, b = np.linalg.norm(fixed) + 1e-8, np.linalg.norm(moving) + 1e-8
    turn, scale = orthogonal_procrustes(fixed / a, moving / b)
    return (moving / b) @ turn.T * scale * a + target.mean(0)


def random_hands(count, seed=0, noise=0.02):
    rng = np.random.default_rng(seed)
    true = [0.1 * rng.standard_normal((count, n, 3)) + [0, 0, 0.6] for n in (21, 200)]
    predicted = [array + noise * rng.standard_normal(array.shape) for array in true]
    return predicted[0], true[0], predicted[1], true[1]


def test_equals_the_twin():
    hands = random_hands(6)
    scores = score_hands(*hands)
    for item, (joints, true_joints, vertices, true_vertices) in enumerate(zip(*hands, strict=True)):
        fitted = plain_procrustes(joints, true_joints)
        errors = np.linalg.norm(fitted - true_joints, axis=1)
        np.testing.assert_allclose(scores.aligned.joints[item], errors, rtol=0, atol=1e-14)
        fitted = plain_procrustes(vertices, true_vertices)
        for column, distance in enumerate((0.005, 0.015)):
            plain = plain_f_score(vertices, true_vertices, distance)
            assert scores.plain.f_scores[item, column] == plain
            assert scores.aligned.f_scores[item, column] == plain_f_score(fitted, true_vertices, distance)
        moved = joints - joints[:1] + true_joints[:1]
        errors = np.linalg.norm(moved - true_joints, axis=1)
        np.testing.assert_allclose(scores.root.joints[item], errors, rtol=0, atol=1e-14)
        moved = vertices - joints[:1] + true_joints[:1]
        errors = np.linalg.norm(moved - true_vertices, axis=1)
        np.testing.assert_allclose(scores.root.vertices[item], errors, rtol=0, atol=1e-14)


def test_nearest_neighbours_equal_a_tree_also_for_sets_of_different_sizes():
    rng = np.random.default_rng(0)
    points, others = rng.random((3, 50, 3)), rng.random((3, 70, 3))
    distances = np.array([0.05, 0.1, 0.3])
    for a, b in ((points, others), (others, points)):
        nearest = np.stack([cKDTree(q).query(p)[0] for p, q in zip(a, b, strict=True)])
        expected = (nearest[:, :, None] < distances).mean(1)
        np.testing.assert_array_equal(shares_within(a, b, distances), expected)


def test_nearer_is_strict():
    points, others = np.zeros((1, 1, 3)), np.array([[[0.25, 0, 0]]])
    assert shares_within(points, others, np.array([0.25, 0.251])).tolist() == [[0.0, 1.0]]


# --- properties
# ---------------------------------------------------------------------------------------------------


def test_a_perfect_prediction():
    _, joints, _, vertices = random_hands(3)
    found = evaluate_hands(joints, joints, vertices, vertices)
    for name, value in found.items():
        # after alignment the errors are 1e-8, not below the first threshold, which is 0
        tolerance = 0.006 if name.startswith("pa_auc") else 1e-5
        assert value == pytest.approx(0.0 if name.endswith("_cm") else 1.0, abs=tolerance), name


def test_a_hopeless_prediction():
    joints, true_joints, vertices, true_vertices = random_hands(2)
    found = evaluate_hands(joints + 5, true_joints, vertices + 5, true_vertices)
    assert found["auc_j"] == found["auc_v"] == found["f5"] == found["f15"] == 0.0
    assert found["root_mpjpe_cm"] < 10 < found["mpjpe_cm"]


def test_alignment_undoes_a_similarity_transform():
    _, true, _, _ = random_hands(4)
    turn = Rotation.random(4, rng=np.random.default_rng(1)).as_matrix()
    moved = 3.0 * true @ turn + [1.0, 2.0, 3.0]
    np.testing.assert_allclose(align_procrustes(moved, true), true, rtol=0, atol=1e-7)
    assert np.isfinite(align_procrustes(np.zeros_like(true), true)).all()


def test_root_relative_errors_ignore_a_shift():
    joints, true_joints, vertices, true_vertices = random_hands(3)
    still = evaluate_hands(joints, true_joints, vertices, true_vertices)
    moved = evaluate_hands(joints + 0.3, true_joints, vertices + 0.3, true_vertices)
    for name in still:
        if name.startswith(("root_", "pa_")):
            assert moved[name] == pytest.approx(still[name], abs=1e-9), name


def test_joints_alone():
    joints, true_joints, _, _ = random_hands(3)
    found = evaluate_hands(joints, true_joints)
    names = ("mpjpe_cm", "auc_j")
    assert set(found) == {prefix + name for prefix in ("", "root_", "pa_") for name in names}


def test_many_samples_equal_their_parts():
    hands = random_hands(1100)
    whole = score_hands(*(array[:, :21] for array in hands))
    half = score_hands(*(array[600:, :21] for array in hands))
    np.testing.assert_allclose(whole.aligned.vertices[600:], half.aligned.vertices, rtol=0, atol=1e-14)
    np.testing.assert_array_equal(whole.plain.f_scores[600:], half.plain.f_scores)


def test_the_curve_counts_errors_up_to_and_including_a_threshold():
    errors = np.array([[0.0, THRESHOLDS[10], 1.0, np.nan]])
    curve = pck_curve(errors, THRESHOLDS)
    assert curve[0] == pytest.approx(1 / 3)
    assert curve[9] == pytest.approx(1 / 3)
    assert curve[10] == curve[-1] == pytest.approx(2 / 3)
    with pytest.raises(ValueError, match="found none"):
        pck_curve(np.array([np.nan]), THRESHOLDS)


def test_pixel_errors_leave_out_unknown_joints():
    predicted = np.zeros((2, 21, 2))
    true = np.full((2, 21, 2), np.nan)
    true[0, 0], true[1, 5] = (3, 4), (0, 1)
    assert evaluate_pixels(predicted, torch.tensor(true)) == {"mpjpe_px": 3.0}
    assert np.isnan(pixel_errors(predicted, true)).sum() == 40
    with pytest.raises(ValueError, match="at least one known joint"):
        evaluate_pixels(predicted, np.full_like(true, np.nan))
    with pytest.raises(ValueError, match="pred_px: expected finite"):
        pixel_errors(true, true)
    with pytest.raises(ValueError, match="joints: expected two of"):
        pixel_errors(predicted, true[:1])


# --- errors
# -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({0: (3, 20, 3)}, "joints: expected 21 of them, found 20"),
        ({0: (2, 21, 3)}, "joints: expected 2 predictions and as many true ones"),
        ({0: (21, 3)}, r"pred_joints: expected \[N, points, 3\] with N > 0, found \[21, 3\]"),
        ({0: (0, 21, 3), 1: (0, 21, 3)}, r"pred_joints: expected .* found \[0, 21, 3\]"),
        ({2: (3, 777, 3)}, r"vertices: expected 3 .* found \[3, 777, 3\] and \[3, 778, 3\]"),
        ({2: (2, 778, 3), 3: (2, 778, 3)}, "vertices: expected 3 predictions"),
        ({3: None}, "expected both pred_vertices and true_vertices or neither"),
        ({1: (3, 21, 2)}, "true_joints: expected"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(change, message):
    shapes = {0: (3, 21, 3), 1: (3, 21, 3), 2: (3, 778, 3), 3: (3, 778, 3)} | change
    with pytest.raises(ValueError, match=message):
        evaluate_hands(*(shape and np.zeros(shape) for shape in shapes.values()))


def test_nan_is_refused_and_never_skipped():
    joints, true_joints, _, _ = random_hands(2)
    joints[1, 3] = np.nan
    with pytest.raises(ValueError, match="pred_joints: expected finite numbers"):
        evaluate_hands(joints, true_joints)

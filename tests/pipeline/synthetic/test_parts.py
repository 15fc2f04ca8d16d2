"""The parts of a photograph: settings, poses, views, skin, meshes, backgrounds."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from pydantic import ValidationError

from s2hand.pipeline.synthetic import SyntheticSettings
from s2hand.pipeline.synthetic.arm import wrist_loop
from s2hand.pipeline.synthetic.backgrounds import sample_background
from s2hand.pipeline.synthetic.hand_surface import MAPS, SAMPLES, hand_surface, sample_weights
from s2hand.pipeline.synthetic.meshes import brick, lathe, plan_tessellation, tessellate, vertex_normals
from s2hand.pipeline.synthetic.objects import held_object
from s2hand.pipeline.synthetic.posing import open_hand, pose_hand, rotation_matrix, rotation_vector
from s2hand.pipeline.synthetic.skin import sample_skin
from s2hand.pipeline.synthetic.skin_tones import lab_to_linear, sample_tone
from s2hand.pipeline.synthetic.views import sample_rotation


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("coverage", (0.9, 0.4), "0.1 <= low <= high"),
        ("image_size", 8, "greater than or equal to 32"),
        ("versions", 5, "less than or equal to 4"),
        ("sizes", 3, "Extra inputs"),
    ],
)
def test_settings_refuse_what_makes_no_sense(key: str, value: object, message: str):
    with pytest.raises(ValidationError, match=message):
        SyntheticSettings(**{key: value})


def test_settings_need_a_hand():
    with pytest.raises(ValidationError, match="at least one hand"):
        SyntheticSettings(train=0, evaluation=0)


@pytest.mark.parametrize("angle", [0.0, 1e-7, 0.5, 3.1, np.pi])
def test_rotation_vector_inverts_rotation_matrix(angle: float):
    axis = np.array([0.48, -0.6, 0.64])
    matrix = rotation_matrix((axis * angle)[None])[0]
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(rotation_matrix(rotation_vector(matrix)[None])[0], matrix, atol=1e-9)


def test_views_cover_the_sphere_and_are_rotations():
    rotations = np.stack([sample_rotation(rng(i)) for i in range(400)])
    np.testing.assert_allclose(np.linalg.det(rotations), 1, atol=1e-9)
    towards_camera = -rotations[:, 2]  # the camera's direction in the hand's axes
    for axis in np.concatenate([np.eye(3), -np.eye(3)]):
        assert (towards_camera @ axis > 0.7).mean() > 0.03
    fingers_on_screen = rotations[:, :2] @ np.array([-1.0, 0, 0])
    angles = np.arctan2(fingers_on_screen[:, 1], fingers_on_screen[:, 0])
    assert (np.histogram(angles, bins=8, range=(-np.pi, np.pi))[0] > 8).all()


def test_easy_views_show_the_palm_or_the_back_of_an_upright_hand():
    rotations = np.stack([sample_rotation(rng(i), difficulty=0.0) for i in range(400)])
    towards_camera = -rotations[:, 2]
    assert (np.abs(towards_camera[:, 1]) > 0.8).mean() > 0.9
    assert 0.3 < (towards_camera[:, 1] > 0).mean() < 0.55  # the back, 25 of 60
    fingers_up = rotations[:, 1] @ np.array([-1.0, 0, 0])  # y points down
    assert (fingers_up < -0.5).mean() > 0.9


def test_easy_backgrounds_are_calm_but_not_flat():
    def detail(difficulty):
        images = [sample_background(rng(i), 96, difficulty).astype(float) for i in range(24)]
        return (
            np.median([np.abs(np.diff(image, axis=1)).mean() for image in images]),
            np.median([image.std(axis=(0, 1)).mean() for image in images]),
        )

    easy_edges, easy_contrast = detail(0.0)
    hard_edges, _ = detail(1.0)
    assert easy_edges < 0.4 * hard_edges
    assert easy_contrast > 4


def test_skin_tones_span_the_human_range():
    ita = np.array([sample_tone(rng(i)).ita for i in range(500)])
    # Very light, light, intermediate, tan, brown, dark: the usual classes of the individual typology angle.
    counts = np.histogram(ita, bins=[-90, -30, 10, 28, 41, 55, 90])[0]
    assert (counts > 20).all(), counts
    rgb = np.stack([sample_tone(rng(i)).rgb for i in range(500)])
    assert (rgb[:, 0] > rgb[:, 1]).all()
    assert (rgb[:, 1] > rgb[:, 2] * 0.95).all()


def test_lab_of_white_grey_and_red():
    np.testing.assert_allclose(lab_to_linear(np.array([100.0, 0, 0])), 1, atol=2e-3)
    np.testing.assert_allclose(lab_to_linear(np.array([50.0, 0, 0])), 0.1842, atol=2e-3)
    np.testing.assert_allclose(lab_to_linear(np.array([53.24, 80.09, 67.2])), [1, 0.002, 0.002], atol=4e-3)


def test_palms_of_dark_skin_are_lighter_than_backs():
    surface = hand_surface()
    palm = surface.maps[MAPS.index("palm")]
    skins = [s for s in (sample_skin(rng(i)) for i in range(60)) if s.tone.melanin > 0.7]
    assert len(skins) > 5
    for skin in skins:
        assert skin.samples[palm > 0.9, :3].mean() > 1.05 * skin.samples[palm < 0.1, :3].mean()


def test_maps_lie_where_they_should():
    surface, hand = hand_surface(), open_hand()
    corners = hand.v_template[hand.faces] - (hand.J_regressor @ hand.v_template)[0]
    points = (sample_weights() @ corners).reshape(-1, 3)
    assert surface.maps.shape == (len(MAPS), 1538 * SAMPLES)
    strong = {name: points[row > 0.6] for name, row in zip(MAPS, surface.maps, strict=True)}
    assert strong["palm"][:, 1].mean() < strong["vein"][:, 1].mean()  # the back is up
    assert strong["nail"][:, 0].max() < -0.04  # nails are far out along -x
    assert len(strong["nail"]) > 200


def test_posed_twin_keeps_bones_rigid():
    hand = open_hand()
    rest = pose_hand(hand, np.zeros(45), np.zeros(10), np.zeros(3)).joints
    bent = pose_hand(hand, rng().normal(0, 0.4, 45), np.zeros(10), np.array([0.3, 2.0, -1])).joints
    for chain in ((5, 6, 7), (13, 14, 15)):
        for a, b in pairwise(chain):
            np.testing.assert_allclose(np.linalg.norm(bent[a] - bent[b]), np.linalg.norm(rest[a] - rest[b]), rtol=1e-9)


def test_a_hand_without_fingertips_is_refused():
    with pytest.raises(ValueError, match="the hand model names no fingertips"):
        pose_hand(replace(open_hand(), fingertips=None), np.zeros(45), np.zeros(10), np.zeros(3))


def test_wrist_loop_has_sixteen_vertices():
    loop = wrist_loop(open_hand().faces.astype(np.int32))
    assert len(loop) == len(set(loop)) == 16


def test_tessellation_keeps_vertices_and_rounds():
    vertices, faces, _ = lathe(np.array([[0, -1], [1.0, -0.9], [1.0, 0.9], [0, 1]]), 8)
    plan = plan_tessellation(faces, len(vertices))
    fine = tessellate(vertices, faces, plan)
    np.testing.assert_array_equal(fine[: len(vertices)], vertices)
    assert len(plan.faces) == 4 * len(faces)
    side = np.abs(fine[len(vertices) :, 2]) < 1e-6
    radii = np.hypot(fine[len(vertices) :, 0], fine[len(vertices) :, 1])[side]
    assert radii.max() > 0.96  # flat edges of an octagon would have .92


@pytest.mark.parametrize("body", ["lathe", "brick"])
def test_bodies_face_outward(body: str):
    if body == "brick":
        vertices, faces, uv = brick(np.array([1.0, 2.0, 3.0]))
    else:
        vertices, faces, uv = lathe(np.array([[0, -1], [1.0, -1], [0.5, 1], [0, 1]]))
    assert len(uv) == len(vertices)
    normals = vertex_normals(vertices.astype(np.float32), faces)
    assert ((normals * vertices).sum(1) > -1e-6).all()


def test_held_objects_leave_room_for_the_fingers():
    hand = pose_hand(open_hand(), np.zeros(45), np.zeros(10), np.zeros(3))
    joints, found = hand.joints + np.array([0, 0, 0.5]), 0
    for seed in range(30):
        for piece in held_object(rng(seed), joints, np.eye(3)):
            found += 1
            gaps = np.linalg.norm(piece.vertices[:, None] - joints[None, 1:], axis=-1)
            assert gaps.min() > 0.003
    assert found > 15


def test_backgrounds_vary_and_are_not_flat():
    images = [sample_background(rng(i), 64) for i in range(40)]
    assert all(image.shape == (64, 64, 3) and image.dtype == np.uint8 for image in images)
    spread = np.array([image.std() for image in images])
    assert (spread > 8).mean() > 0.8
    assert np.std([image.mean() for image in images]) > 20

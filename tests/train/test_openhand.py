"""The committed open hand: its topology, its anatomy, its poses; and that the generator still makes it."""

from pathlib import Path

import numpy as np
import pytest

from s2hand.train.openhand import poses
from s2hand.train.openhand.build import build_open_hand, model_digest, write_model
from s2hand.train.openhand.gestures import GESTURES
from s2hand.train.openhand.implicit import HandSurface
from s2hand.train.openhand.kinematics import joint_transforms, rotation_matrix, skin
from s2hand.train.openhand.mesh import HandMesh, boundary_loops
from s2hand.train.openhand.skeleton import DIGITS, PARENTS, Skeleton, digit_joints, make_skeleton

ASSETS = Path(__file__).parents[2] / "train" / "assets"


@pytest.fixture(scope="module")
def hand():
    with np.load(ASSETS / "open_hand.npz", allow_pickle=False) as content:
        return {name: content[name] for name in content.files}


def posed(hand, axis_angle, shape=None):
    """The model's function in float64, metres."""
    shape = np.zeros(10) if shape is None else shape
    template = hand["v_template"].astype(np.float64) + hand["shapedirs"].astype(np.float64) @ shape
    joints = hand["J_regressor"].astype(np.float64) @ template
    bends = (rotation_matrix(axis_angle.reshape(15, 3)) - np.eye(3)).ravel()
    rotations, offsets = joint_transforms(axis_angle, joints)
    corrected = template + hand["posedirs"].astype(np.float64) @ bends
    return skin(corrected, hand["weights"].astype(np.float64), rotations, offsets)


def boxes_that_overlap(low, high, edge_low, edge_high):
    """Pairs (edge, face) whose boxes overlap."""
    edges, faces = [], []
    for start in range(0, len(edge_low), 256):
        part = slice(start, start + 256)
        meet = np.all((edge_low[part, None] <= high[None]) & (edge_high[part, None] >= low[None]), axis=2)
        edge, face = np.nonzero(meet)
        edges.append(edge + start)
        faces.append(face)
    return np.concatenate(edges), np.concatenate(faces)


def crossing_faces(vertices, faces):
    """The faces (sorted, unique) of a mesh [V, 3], [F, 3] that an edge elsewhere in it passes through."""
    corners = vertices[faces]
    pairs = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    edges = np.unique(pairs, axis=0)
    ends = vertices[edges]
    edge, face = boxes_that_overlap(corners.min(axis=1), corners.max(axis=1), ends.min(axis=1), ends.max(axis=1))
    apart = (edges[edge][:, :, None] != faces[face][:, None, :]).all(axis=(1, 2))
    edge, face = edge[apart], face[apart]
    start, along = ends[edge, 0], ends[edge, 1] - ends[edge, 0]
    origin = corners[face, 0]
    first, second = corners[face, 1] - origin, corners[face, 2] - origin
    cross = np.cross(along, second)
    scale = np.sum(first * cross, axis=1)
    safe = np.where(np.abs(scale) < 1e-12, np.inf, scale)  # an edge in the face's plane crosses nothing
    away = start - origin
    u = np.sum(away * cross, axis=1) / safe
    turned = np.cross(away, first)
    v = np.sum(along * turned, axis=1) / safe
    t = np.sum(second * turned, axis=1) / safe
    inside = (u >= 0.0) & (v >= 0.0) & (u + v <= 1.0) & (t >= 0.0) & (t <= 1.0) & np.isfinite(safe)
    return np.unique(face[inside])


def volume(vertices, faces):
    """The volume inside the mesh with its wrist closed by a fan, m^3."""
    corners = vertices[faces]
    total = np.einsum("fi,fi->", corners[:, 0], np.cross(corners[:, 1], corners[:, 2]))
    (loop,) = boundary_loops(faces)
    ring = vertices[loop]
    centre = ring.mean(axis=0)
    return (total + np.einsum("i,fi->", centre, np.cross(np.roll(ring, -1, axis=0), ring))) / 6.0


def test_topology(hand):
    faces = hand["f"].astype(np.int64)
    assert hand["v_template"].shape == (778, 3)
    assert faces.shape == (1538, 3)
    directed = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    assert len(np.unique(directed, axis=0)) == len(directed), "an edge is used twice in the same direction"
    assert [len(loop) for loop in boundary_loops(faces)] == [16]
    edges = np.unique(np.sort(directed, axis=1), axis=0)
    assert 778 - len(edges) + 1538 == 1, "Euler's number of a disc"
    labels = np.arange(778)
    for _ in range(778):
        before = labels.copy()
        np.minimum.at(labels, edges[:, 0], before[edges[:, 1]])
        np.minimum.at(labels, edges[:, 1], before[edges[:, 0]])
        if (labels == before).all():
            break
    assert (labels == 0).all(), "one component"


def test_every_vertex_has_one_fan_of_faces(hand):
    for vertex in range(778):
        around = hand["f"][(hand["f"] == vertex).any(axis=1)]
        links = {}
        for face in around.tolist():
            at = face.index(vertex)
            links[face[(at + 1) % 3]] = face[(at + 2) % 3]
        ends = set(links) - set(links.values())
        start = next(iter(ends)) if ends else next(iter(links))
        seen, here = 0, start
        while here in links and seen < len(links):
            here, seen = links[here], seen + 1
        assert seen == len(around), f"vertex {vertex} joins two sheets"


def test_faces_outward_and_no_slivers(hand):
    vertices, faces = hand["v_template"].astype(np.float64), hand["f"].astype(np.int64)
    assert 2.4e-4 < volume(vertices, faces) < 3.6e-4
    corners = vertices[faces]
    ahead, behind = np.roll(corners, -1, axis=1) - corners, np.roll(corners, 1, axis=1) - corners
    cosine = (ahead * behind).sum(-1) / np.linalg.norm(ahead, axis=-1) / np.linalg.norm(behind, axis=-1)
    smallest = np.degrees(np.arccos(cosine)).min(axis=1)
    assert smallest.min() > 12.0
    assert np.median(smallest) > 42.0


def test_no_self_intersection_in_open_poses(hand):
    faces = hand["f"].astype(np.int64)
    for pose in (np.zeros(45), GESTURES["flat"], GESTURES["spread"], GESTURES["relaxed"]):
        assert len(crossing_faces(posed(hand, pose), faces)) == 0


def test_crossing_is_seen():
    corners = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0.2, 0.2, -1], [0.2, 0.2, 1], [0.3, 0.2, 1.0]])
    assert crossing_faces(corners, np.array([[0, 1, 2], [3, 4, 5]])).tolist() == [0]


@pytest.mark.parametrize("sign", [-3.0, 3.0])
@pytest.mark.parametrize("direction", range(10))
def test_three_sigma_shapes_are_hands(hand, direction, sign):
    shape = np.zeros(10)
    shape[direction] = sign
    faces = hand["f"].astype(np.int64)
    vertices = posed(hand, np.zeros(45), shape)
    assert len(crossing_faces(vertices, faces)) == 0
    assert 1.2e-4 < volume(vertices, faces) < 6.5e-4
    # every joint stays well inside the skin: its nearest vertex is at least 4 mm away
    joints = hand["J_regressor"].astype(np.float64) @ vertices
    assert np.linalg.norm(vertices[None] - joints[:, None], axis=2).min() > 0.004


def test_shape_directions_are_ordered_and_size_is_first(hand):
    strength = np.sqrt((hand["shapedirs"].astype(np.float64) ** 2).sum(axis=(0, 1)))
    assert (np.diff(strength) < 0).all()
    lengths = [np.ptp(posed(hand, np.zeros(45), s * np.eye(10)[0])[:, 0]) for s in (-1.0, 1.0)]
    assert 0.03 < abs(lengths[1] - lengths[0]) / sum(lengths) < 0.10


def test_weights(hand):
    weights = hand["weights"].astype(np.float64)
    assert (weights >= 0).all()
    np.testing.assert_allclose(weights.sum(axis=1), 1.0, atol=1e-5)
    edges = np.concatenate([hand["f"][:, [0, 1]], hand["f"][:, [1, 2]], hand["f"][:, [2, 0]]])
    assert np.abs(weights[edges[:, 0]] - weights[edges[:, 1]]).max() < 0.9, "smooth along edges"
    for number, digit in enumerate(DIGITS):
        assert weights[hand["fingertips"][number], digit_joints(digit)[2]] > 0.99


def test_joints(hand):
    assert hand["kintree_table"][0, 0] == 4294967295
    assert tuple(hand["kintree_table"][0, 1:]) == PARENTS[1:]
    regressor = hand["J_regressor"].astype(np.float64)
    assert (regressor >= 0).all()
    np.testing.assert_allclose(regressor.sum(axis=1), 1.0, atol=1e-5)
    joints = regressor @ hand["v_template"].astype(np.float64)
    np.testing.assert_allclose(joints, make_skeleton().joints * 1e-3, atol=2e-5)


def test_lengths_are_human(hand):
    tips = hand["v_template"][hand["fingertips"]]
    joints = hand["J_regressor"] @ hand["v_template"]
    assert 0.175 < np.linalg.norm(tips[2] - joints[0]) < 0.195  # the mean adult's hand is about 0.185 m long
    reach = np.linalg.norm(tips - joints[0], axis=1)
    assert reach[2] > max(reach[1], reach[3])
    assert min(reach[1], reach[3]) > reach[4] > reach[0]


def test_it_is_a_right_hand_with_its_palm_down(hand):
    """Fingers x palm = thumb side, for a right hand; the palm is the side to which fingers bend."""
    tips = hand["v_template"][hand["fingertips"]].astype(np.float64)
    joints = (hand["J_regressor"] @ hand["v_template"]).astype(np.float64)
    fingers = tips[2] - joints[0]
    bent = np.zeros((15, 3))
    bent[[4, 5]] = 0.6 * hand["joint_axes"][[4, 5], 1]
    palm = posed(hand, bent.ravel())[hand["fingertips"][2]] - tips[2]
    thumb = tips[0] - tips[4]
    assert np.dot(np.cross(fingers, palm), thumb) > 0
    assert fingers[0] < 0
    assert palm[1] < 0
    assert thumb[2] > 0
    assert str(hand["side"]) == "right"


def test_joint_axes_are_rotations(hand):
    axes = hand["joint_axes"].astype(np.float64)
    np.testing.assert_allclose(axes @ axes.transpose(0, 2, 1), np.tile(np.eye(3), (15, 1, 1)), atol=1e-5)
    np.testing.assert_allclose(np.linalg.det(axes), 1.0, atol=1e-5)


def test_pose_components(hand):
    components = hand["hands_components"].astype(np.float64)
    np.testing.assert_allclose(components @ components.T, np.eye(45), atol=1e-5)
    assert (np.diff(hand["hands_std"]) <= 0).all()
    assert hand["hands_std"][-1] > 0.005, "full rank"


def test_a_fist_keeps_its_volume(hand):
    faces = hand["f"].astype(np.int64)
    rest, fist = (volume(posed(hand, pose), faces) for pose in (np.zeros(45), GESTURES["fist"]))
    assert -0.055 < fist / rest - 1.0 < 0.02


def test_files_are_small_and_consistent(hand):
    assert (ASSETS / "open_hand.npz").stat().st_size < 1_500_000
    assert model_digest(hand) == (ASSETS / "open_hand.sha256").read_text().strip()


def test_the_same_arrays_are_written_as_the_same_bytes(hand, tmp_path):
    for name in ("one", "other"):
        write_model(tmp_path / name / "hand.npz", hand)
    assert (tmp_path / "one/hand.npz").read_bytes() == (tmp_path / "other/hand.npz").read_bytes()
    with np.load(tmp_path / "one/hand.npz", allow_pickle=False) as content:
        assert model_digest(dict(content)) == (tmp_path / "one/hand.sha256").read_text().strip() == model_digest(hand)
    assert {path.name for path in (tmp_path / "one").iterdir()} == {"hand.npz", "hand.sha256"}


def test_parts_that_make_no_hand_are_refused(monkeypatch):
    none = np.zeros(0, int)
    with pytest.raises(ValueError, match=r"778 vertices and 1538 faces, found \(1, 3\) and \(0, 3\)"):
        HandMesh(np.zeros((1, 3)), np.zeros((0, 3), int), none, none)
    with pytest.raises(ValueError, match=r"Skeleton\.tips must have shape \(5, 3\), found \(4, 3\)"):
        Skeleton(np.zeros((16, 3)), np.zeros((4, 3)), np.zeros((16, 3, 3)))
    with pytest.raises(ValueError, match="no tube belongs to part 0"):
        HandSurface(()).value(np.zeros((1, 3)), 0)
    monkeypatch.setattr(poses, "_DRAWN", 20)
    with pytest.raises(RuntimeError, match=r"of 20 random poses are free of collisions, 4000 are needed"):
        poses.sample_poses()


def test_the_generator_makes_the_committed_file(hand):
    """The same arrays; bit for bit on most machines, to rounding on a processor whose sums differ."""
    made = build_open_hand()
    assert set(made) == set(hand)
    for name, array in made.items():
        assert array.dtype == hand[name].dtype
        if array.dtype.kind == "f":
            np.testing.assert_allclose(array, hand[name], atol=2e-5, err_msg=name)
        else:
            np.testing.assert_array_equal(array, hand[name], err_msg=name)

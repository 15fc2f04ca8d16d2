"""The hand model against the numbers of manopth, smplx and S2HAND.

`reference/mano_vectors.npz` holds what manopth (4f1dcad), smplx 0.1.28 and S2HAND (4cec6bd) gave for the
random model in `reference/mano_layout.pkl.gz`, a file with the licensed one's layout; of the vertices, those
in `vertex_ids`.
"""

from pathlib import Path

import numpy as np
import pytest
import torch

from s2hand.train.hand_files import read_hand_file, write_hand_npz
from s2hand.train.mano import Mesh, load_hand_model, place

REFERENCE = Path(__file__).parent / "reference"
HAND_SIZE = 0.2  # metres, roughly, of the reference model
TOLERANCE = 1e-5 * HAND_SIZE
S2HAND_TO_OURS = [0, 17, 18, 19, 20, 1, 2, 3, 4, 5, 6, 7, 8, 13, 14, 15, 16, 9, 10, 11, 12]


@pytest.fixture(scope="module")
def npz_path(mano_pickle, tmp_path_factory):
    path = tmp_path_factory.mktemp("npz") / "mano.npz"
    write_hand_npz(path, read_hand_file(mano_pickle), dtype=np.float64)
    return path


@pytest.fixture(scope="module", params=["pickle", "npz"])
def model_path(request, mano_pickle, npz_path):
    return mano_pickle if request.param == "pickle" else npz_path


@pytest.fixture(scope="module")
def numbers():
    return {name: array.copy() for name, array in np.load(REFERENCE / "mano_vectors.npz").items()}


def inputs(numbers, dtype=torch.float64):
    return {name: torch.tensor(numbers[name], dtype=dtype) for name in ("root", "pca", "axisang", "betas")}


def run(hand, numbers, pose, dtype=torch.float64):
    given = inputs(numbers, dtype)
    if pose == "aa":
        return hand(shape=given["betas"], rotation=given["root"], axis_angle=given["axisang"])
    return hand(given["pca"][:, : int(pose)], given["betas"], given["root"])


# -------------------------------------------------------------------------------------


@pytest.mark.parametrize("flat", [False, True], ids=["mean", "flat"])
@pytest.mark.parametrize("pose", ["30", "45", "aa"])
def test_equals_manopth_which_returns_millimetres(model_path, numbers, pose, flat):
    hand = load_hand_model(model_path, flat_hand_mean=flat, tips="manopth", dtype=torch.float64)
    mesh = run(hand, numbers, pose)
    name = f"manopth_{'aa' if pose == 'aa' else 'pca' + pose}_{'flat' if flat else 'mean'}"
    vertices = mesh.vertices[:, numbers["vertex_ids"]]
    np.testing.assert_allclose(vertices, numbers[f"{name}_verts_mm"] / 1000, rtol=0, atol=TOLERANCE)
    np.testing.assert_allclose(mesh.joints, numbers[f"{name}_joints_mm"] / 1000, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize(
    ("name", "pose", "flat"),
    [
        ("smplx_pca30_mean", "30", False),
        ("smplx_aa_flat", "aa", True),
        ("smplx_aa_mean", "aa", False),
        ("smplx_numpca45_mean", "aa", False),  # 45 components switch smplx to axis-angle
    ],
)
def test_equals_smplx_which_has_16_joints_in_manos_order(model_path, numbers, name, pose, flat):
    hand = load_hand_model(model_path, flat_hand_mean=flat, tips="smplx", dtype=torch.float64)
    mesh = run(hand, numbers, pose)
    vertices = mesh.vertices[:, numbers["vertex_ids"]]
    in_mano_order = mesh.joints[:, [0, 5, 6, 7, 9, 10, 11, 17, 18, 19, 13, 14, 15, 1, 2, 3]]
    np.testing.assert_allclose(vertices, numbers[f"{name}_verts_m"], rtol=0, atol=TOLERANCE)
    np.testing.assert_allclose(in_mano_order, numbers[f"{name}_joints_m"], rtol=0, atol=TOLERANCE)


def test_the_tips_are_the_named_codes_vertices(model_path, numbers):
    for name, ids in {
        "freihand": [744, 320, 443, 555, 672],
        "manopth": [745, 317, 444, 556, 673],
        "smplx": [744, 320, 443, 554, 671],
    }.items():
        mesh = run(load_hand_model(model_path, tips=name), numbers, "30", torch.float32)
        assert torch.equal(mesh.joints[:, [4, 8, 12, 16, 20]], mesh.vertices[:, ids])
    default = run(load_hand_model(model_path), numbers, "30", torch.float32)
    assert torch.equal(default.joints[:, 4], default.vertices[:, 744])


def test_equals_manopths_centred_joints(model_path, numbers):
    joints = run(load_hand_model(model_path, tips="manopth", dtype=torch.float64), numbers, "30").joints
    centred = (joints - joints[:, 9:10]).numpy()
    expected = numbers["manopth_pca30_mean_center9_joints_mm"] / 1000
    np.testing.assert_allclose(centred, expected, rtol=0, atol=TOLERANCE)
    # a translation anywhere in the batch switches manopth's centring off
    moved = joints.numpy() + numbers["trans"][:, None]
    expected = numbers["manopth_pca30_mean_trans_center9_joints_mm"] / 1000
    np.testing.assert_allclose(moved, expected, rtol=0, atol=TOLERANCE)


def test_equals_manopths_palm_as_root(model_path, numbers):
    mesh = run(load_hand_model(model_path, tips="manopth", dtype=torch.float64), numbers, "30")
    palm = mesh.vertices[:, [95, 22]].mean(1)
    expected = numbers["manopth_pca30_mean_rootpalm_joint0_mm"] / 1000
    np.testing.assert_allclose(palm, expected, rtol=0, atol=TOLERANCE)


def s2hand_mesh(hand, numbers, root, pose, shape):
    """S2HAND poses with a fixed half turn about the wrist, then rotates by `root` about the origin."""
    half_turn = torch.tensor([[torch.pi, 0, 0]], dtype=root.dtype).expand(len(root), 3)
    mesh = hand(pose, shape, half_turn)
    return place(mesh, torch.ones(len(root), dtype=root.dtype), torch.zeros_like(root), root)


def test_equals_s2hand_which_rotates_about_the_origin(model_path, numbers):
    hand = load_hand_model(model_path, tips="freihand", dtype=torch.float64)
    given = inputs(numbers)
    mesh = s2hand_mesh(hand, numbers, given["root"], given["pca"][:, :30], given["betas"])
    vertices, ids = mesh.vertices, numbers["vertex_ids"]
    expected = numbers["s2hand_joints_mano_order_m"][:, S2HAND_TO_OURS]
    np.testing.assert_allclose(vertices[:, ids], numbers["s2hand_verts_m"], rtol=0, atol=TOLERANCE)
    np.testing.assert_allclose(mesh.joints, expected, rtol=0, atol=TOLERANCE)


def test_place_equals_s2hands_camera_which_takes_the_scales_magnitude(model_path, numbers):
    hand = load_hand_model(model_path, tips="freihand", dtype=torch.float64)
    given = inputs(numbers)
    mesh = s2hand_mesh(hand, numbers, given["root"], given["pca"][:, :30], given["betas"])
    scale, shift = torch.tensor(numbers["scale"]).double().abs(), torch.tensor(numbers["trans"]).double()
    placed = place(mesh, scale, shift)
    vertices = placed.vertices[:, numbers["vertex_ids"]]
    np.testing.assert_allclose(vertices, numbers["s2hand_camera_verts_m"], rtol=0, atol=TOLERANCE)
    expected = numbers["s2hand_camera_joints_frei_order_m"]
    np.testing.assert_allclose(placed.joints, expected, rtol=0, atol=TOLERANCE)


def test_freihands_joints_are_regressed_from_the_posed_mesh(model_path, numbers):
    mesh = run(load_hand_model(model_path, dtype=torch.float64), numbers, "aa")
    regressor = torch.tensor(read_hand_file(model_path).J_regressor)
    regressed = torch.einsum("jv,bvc->bjc", regressor, mesh.vertices)
    expected = numbers["freihand_regressed_joints_from_aa_mean_m"]
    ours = regressed[:, [0, 13, 14, 15, 1, 2, 3, 4, 5, 6, 10, 11, 12, 7, 8, 9]]
    without_tips = [0, 1, 2, 3, 5, 6, 7, 9, 10, 11, 13, 14, 15, 17, 18, 19]
    np.testing.assert_allclose(ours, expected[:, without_tips], rtol=0, atol=TOLERANCE)
    np.testing.assert_allclose(mesh.joints[:, ::4], expected[:, ::4], rtol=0, atol=TOLERANCE)  # wrist, tips
    assert (mesh.joints - torch.tensor(expected)).norm(dim=-1).max() > 1e-3  # and are not the chain's


@pytest.mark.parametrize(("pose", "width"), [("30", 30), ("aa", 45)])
def test_gradients_equal_manopths(model_path, numbers, pose, width):
    hand = load_hand_model(model_path, tips="manopth", dtype=torch.float64)
    given = {name: value.requires_grad_() for name, value in inputs(numbers).items()}
    fingers = given["axisang"] if pose == "aa" else given["pca"]
    motion = {"axis_angle": fingers} if pose == "aa" else {"pose": fingers[:, :30]}
    mesh = hand(shape=given["betas"], rotation=given["root"], **motion)
    name = "manopth_aa_mean" if pose == "aa" else "manopth_pca30_mean"
    weighted_sum(mesh, numbers).backward()
    for ours, theirs in (
        (torch.cat([given["root"].grad, fingers.grad[:, :width]], 1), numbers[f"{name}_grad_pose"]),
        (given["betas"].grad, numbers[f"{name}_grad_betas"]),
    ):
        np.testing.assert_allclose(1000 * ours, theirs, rtol=0, atol=1e-5 * np.abs(theirs).max())


def test_gradients_equal_s2hands_and_are_finite_where_those_are_not(model_path, numbers):
    hand = load_hand_model(model_path, dtype=torch.float64)
    given = {name: value.requires_grad_() for name, value in inputs(numbers).items()}
    mesh = s2hand_mesh(hand, numbers, given["root"], given["pca"][:, :30], given["betas"])
    # its weights belong to the 21 joints in its own order
    joints = mesh.joints[:, np.argsort(S2HAND_TO_OURS)]
    weighted_sum(Mesh(mesh.vertices, joints), numbers).backward()
    for ours, name in (
        (given["root"].grad, "s2hand_grad_rot"),
        (given["pca"].grad[:, :30], "s2hand_grad_pose"),
        (given["betas"].grad, "s2hand_grad_betas"),
    ):
        theirs = numbers[name]
        known = np.isfinite(theirs)
        assert torch.isfinite(ours).all()
        atol = 1e-5 * np.abs(theirs[known]).max()
        np.testing.assert_allclose(ours.numpy()[known], theirs[known], rtol=0, atol=atol)
    assert not np.isfinite(numbers["s2hand_grad_rot"][:2]).any()


def weighted_sum(mesh, numbers):
    vertices = (torch.tensor(numbers["w_verts"]) / 64 * mesh.vertices).sum()
    return vertices + (torch.tensor(numbers["w_joints"]) / 64 * mesh.joints).sum()


def test_float32_is_as_good(model_path, numbers):
    mesh = run(load_hand_model(model_path, tips="manopth"), numbers, "30", torch.float32)
    assert mesh.vertices.dtype == mesh.joints.dtype == torch.float32
    expected = numbers["manopth_pca30_mean_joints_mm"] / 1000
    np.testing.assert_allclose(mesh.joints, expected, rtol=0, atol=TOLERANCE)

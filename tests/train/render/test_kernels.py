"""The CPU rasterizer: its rules one by one, and input that nobody should send."""

import subprocess
import sys

import numpy as np
import pytest

from s2hand.train.render.kernels import FAR, MIN_DEPTH, NEAR, rasterize_batch, rasterize_numpy, run_in_bands

FRONT = np.array([[0, 1, 2]])  # of TRIANGLE: counter-clockwise with v up
BACK = np.array([[0, 2, 1]])
TRIANGLE = np.array([[0.5, 7.5, 1.0], [7.5, 7.5, 1.0], [0.5, 0.5, 1.0]], np.float32)


def soup(seed: int, vertices: int = 60, faces: int = 200, size: int = 40) -> tuple[np.ndarray, np.ndarray]:
    """Return a random heap of triangles, some of them far out of the image."""
    rng = np.random.default_rng(seed)
    points = rng.uniform((-size / 2, -size / 2, 0.3), (1.5 * size, 1.5 * size, 2.0), (vertices, 3))
    return points.astype(np.float32), rng.integers(0, vertices, (faces, 3)).astype(np.int32)


def test_coverage_includes_all_three_edges() -> None:
    face_index, barycentrics, depth = rasterize_numpy(TRIANGLE, FRONT, 8, 8)
    assert np.array_equal(face_index >= 0, np.tri(8, dtype=bool))
    assert face_index.dtype == np.int32
    assert np.allclose(barycentrics[7, 0], [1, 0, 0])
    assert np.allclose(barycentrics[7, 7], [0, 1, 0])
    assert np.allclose(barycentrics[0, 0], [0, 0, 1])
    assert np.array_equal(depth, np.tri(8, dtype=np.float32))


def test_background_is_minus_one_and_zeros() -> None:
    face_index, barycentrics, depth = rasterize_numpy(TRIANGLE, FRONT[:0], 3, 5)
    assert face_index.shape == (3, 5)
    assert (face_index == -1).all()
    assert not barycentrics.any()
    assert not depth.any()


@pytest.mark.parametrize(("faces", "cull", "drawn"), [(FRONT, True, 36), (BACK, True, 0), (BACK, False, 36)])
def test_culling(faces: np.ndarray, cull: bool, drawn: int) -> None:
    assert (rasterize_numpy(TRIANGLE, faces, 8, 8, cull)[0] >= 0).sum() == drawn


def test_barycentrics_keep_the_order_of_the_corners_on_both_sides() -> None:
    front, back = (rasterize_numpy(TRIANGLE, faces, 8, 8)[1] for faces in (FRONT, BACK))
    assert np.array_equal(front[..., [0, 2, 1]], back)


def test_depth_is_perspective_correct() -> None:
    vertices = TRIANGLE * [1, 1, 0] + [[0, 0, 0.5], [0, 0, 1.0], [0, 0, 2.0]]
    _, barycentrics, depth = rasterize_numpy(vertices, FRONT, 8, 8)
    inside = depth > 0
    assert np.allclose(depth[inside], 1 / (barycentrics @ [2.0, 1.0, 0.5])[inside], rtol=1e-6)


def test_the_nearest_face_wins_and_of_equals_the_first() -> None:
    near = TRIANGLE - [0, 0, 0.25]
    vertices = np.concatenate((TRIANGLE, near, near))
    face_index, _, depth = rasterize_numpy(vertices, np.arange(9).reshape(3, 3), 8, 8)
    assert set(np.unique(face_index)) == {-1, 1}
    assert set(np.unique(depth)) == {0, 0.75}


def test_near_and_far_are_excluded() -> None:
    flat = [rasterize_numpy(TRIANGLE * [1, 1, z], FRONT, 8, 8, near=0.5, far=2)[0].max() for z in (0.5, 1, 2)]
    assert flat == [-1, 0, -1]
    assert (NEAR, FAR) == (0.1, 100.0)


def test_faces_that_share_edges_leave_no_gap() -> None:
    """A fan of slivers around points of every kind covers its disc without a hole."""
    rng = np.random.default_rng(0)
    angles = np.sort(rng.uniform(0, 2 * np.pi, 400))
    angles[:3] = 0, 0.001, 0.002
    rim = 64 + 200 * np.stack((np.cos(angles), np.sin(angles)), axis=1)
    faces = np.stack((np.zeros(400), np.arange(1, 401), np.roll(np.arange(1, 401), -1)), axis=1).astype(int)
    for centre in ((64.5, 64.5), (64, 64), (63.213, 65.7)):
        vertices = np.column_stack((np.vstack((centre, rim)), np.ones(401))).astype(np.float32)
        assert (rasterize_numpy(vertices, faces, 128, 128)[0] >= 0).all()


@pytest.mark.parametrize("seed", range(3))
def test_threads_and_bands_change_nothing(seed: int) -> None:
    vertices, faces = zip(*(soup(seed + item) for item in range(3)), strict=True)
    batch = np.stack(vertices)
    alone = [rasterize_numpy(item, faces[0], 40, 33) for item in batch]
    for threads in (1, 2, 3, 5, 64):
        for one, many in zip(
            zip(*alone, strict=True),
            rasterize_batch(batch, faces[0], 40, 33, threads=threads),
            strict=True,
        ):
            assert np.array_equal(np.stack(one), many)


@pytest.mark.parametrize(("batch", "height", "threads"), [(1, 7, 3), (2, 5, 9), (4, 3, 2), (0, 5, 2), (1, 1, 8)])
def test_bands_cover_every_row_once(batch: int, height: int, threads: int) -> None:
    seen = np.zeros((batch, height), int)

    def work(item: int, start: int, stop: int) -> None:
        seen[item, start:stop] += 1

    run_in_bands(work, batch, height, threads)
    assert (seen == 1).all()


def test_an_error_in_a_band_reaches_the_caller() -> None:
    def work(item: int, start: int, stop: int) -> None:
        raise RuntimeError(f"item {item}")

    with pytest.raises(RuntimeError, match="item 0"):
        run_in_bands(work, 4, 4, 2)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("axis", range(3))
def test_a_corner_that_is_no_number_drops_its_faces_only(value: float, axis: int) -> None:
    vertices = np.concatenate((TRIANGLE, np.add(TRIANGLE, [1, 0, 0.5]))).astype(np.float32)
    vertices[0, axis] = value
    faces = np.arange(6).reshape(2, 3)
    face_index, barycentrics, depth = rasterize_numpy(vertices, faces, 8, 8)
    assert set(np.unique(face_index)) == {-1, 1}
    assert np.isfinite(barycentrics).all()
    assert np.isfinite(depth).all()


@pytest.mark.parametrize("z", [0.0, -1.0, MIN_DEPTH, -np.float32(1e-30)])
def test_a_corner_behind_the_camera_drops_the_face(z: float) -> None:
    vertices = TRIANGLE.copy()
    vertices[1, 2] = z
    assert (rasterize_numpy(vertices, FRONT, 8, 8, near=-5)[0] == -1).all()


def test_degenerate_faces_are_left_out() -> None:
    vertices = np.array([[2, 2, 1], [6, 6, 1], [4, 4, 1], [2.5, 2.5, 1]], np.float32)
    faces = np.array([[0, 0, 0], [0, 1, 0], [0, 1, 2], [3, 3, 3]])
    assert (rasterize_numpy(vertices, faces, 8, 8)[0] == -1).all()


@pytest.mark.parametrize("scale", [1e3, 1e9, 1e18, 1e30, 3e38])
def test_huge_coordinates_stay_inside_the_image(scale: float) -> None:
    vertices = np.array([[-1, -1, 1], [0, 1, 1], [1, -1, 1]]) * [scale, scale, 1]
    face_index, barycentrics, _ = rasterize_numpy(vertices.astype(np.float32), FRONT, 16, 16)
    assert (face_index == 0).all()
    assert np.allclose(barycentrics.sum(-1), 1)


def test_meshes_outside_the_image_leave_it_empty() -> None:
    for shift in ([100, 0, 0], [-100, 0, 0], [0, 100, 0], [0, -100, 0]):
        assert (rasterize_numpy(TRIANGLE + shift, FRONT, 8, 8)[0] == -1).all()


def test_empty_batch_and_empty_image() -> None:
    assert rasterize_batch(np.zeros((0, 3, 3)), FRONT, 8, 8)[0].shape == (0, 8, 8)
    assert rasterize_numpy(TRIANGLE, FRONT, 0, 8)[2].shape == (0, 8)


@pytest.mark.parametrize(
    ("vertices", "faces", "message"),
    [
        (TRIANGLE, [[0, 1, 3]], "expected indices from 0 to 2, found 0 to 3"),
        (TRIANGLE, [[-1, 1, 2]], "expected indices from 0 to 2, found -1 to 2"),
        (TRIANGLE, [[0, 1, 2, 0]], r"faces: expected \[F, 3\], found \[1, 4\]"),
        (TRIANGLE[:, :2], [[0, 1, 2]], "u, v, z in the last dimension"),
        (TRIANGLE[None], [[0, 1, 2]], r"vertices_px: expected \[V, 3\], found \[1, 3, 3\]"),
    ],
)
def test_wrong_shapes_and_indices_are_refused(vertices: np.ndarray, faces: list[list[int]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        rasterize_numpy(vertices, np.array(faces), 8, 8)


def test_a_batch_must_be_a_batch() -> None:
    with pytest.raises(ValueError, match=r"expected \[B, V, 3\]"):
        rasterize_batch(TRIANGLE, FRONT, 8, 8)


def test_workers_need_no_torch() -> None:
    code = (
        "import sys, numpy as np; from s2hand.train.render.kernels import rasterize_numpy;"
        "rasterize_numpy(np.eye(3) + 1, np.array([[0, 1, 2]]), 4, 4); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=120).returncode == 0

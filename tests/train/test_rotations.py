"""Rotations against SciPy, their properties, and their derivatives at and near zero."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from s2hand.train.rotations import axis_angle_to_matrix, matrix_to_axis_angle, six_d_to_matrix

ANGLES = [0.0, 1e-12, 1e-6, 1e-3, 0.0999, 0.1, 0.1001, 1.0, 3.0, np.pi, 6.0, 20.0]


def vectors(angle, dtype=torch.float64, count=16, seed=0):
    axes = np.random.default_rng(seed).standard_normal((count, 3))
    return torch.tensor(angle * axes / np.linalg.norm(axes, axis=1, keepdims=True), dtype=dtype)


@pytest.mark.parametrize("angle", ANGLES)
@pytest.mark.parametrize(("dtype", "atol"), [(torch.float64, 4e-15), (torch.float32, 1e-6)])
def test_equals_scipy(angle, dtype, atol):
    given = vectors(angle, dtype)
    expected = Rotation.from_rotvec(given.double().numpy()).as_matrix()
    found = axis_angle_to_matrix(given)
    assert found.dtype == dtype
    np.testing.assert_allclose(found, expected, rtol=0, atol=atol * max(1, angle))


@pytest.mark.parametrize("angle", ANGLES)
def test_is_a_rotation(angle):
    matrices = axis_angle_to_matrix(vectors(angle))
    identity = torch.eye(3, dtype=torch.float64).expand_as(matrices)
    assert torch.allclose(matrices @ matrices.transpose(1, 2), identity, atol=1e-14)
    assert torch.allclose(torch.linalg.det(matrices), torch.ones(16, dtype=torch.float64), atol=1e-14)


@pytest.mark.parametrize("angle", [0.0, 1e-5, 0.0999, 0.1001, 2.0, np.pi])
def test_gradients_equal_finite_differences(angle):
    assert torch.autograd.gradcheck(axis_angle_to_matrix, vectors(angle, count=2).requires_grad_())
    assert torch.autograd.gradgradcheck(axis_angle_to_matrix, vectors(angle, count=2).requires_grad_())


def test_at_zero_the_derivative_is_the_cross_product():
    zero = torch.zeros(3, dtype=torch.float64)
    jacobian = torch.autograd.functional.jacobian(axis_angle_to_matrix, zero)  # [3, 3, 3]
    point = torch.tensor([0.3, -0.5, 0.7], dtype=torch.float64)
    for axis in range(3):
        direction = torch.eye(3, dtype=torch.float64)[axis]
        assert torch.allclose(jacobian[:, :, axis] @ point, torch.linalg.cross(direction, point))


@pytest.mark.parametrize("shape", [(3,), (0, 3), (2, 5, 3)])
def test_keeps_the_leading_dimensions(shape):
    assert axis_angle_to_matrix(torch.zeros(shape)).shape == (*shape, 3)


@pytest.mark.parametrize("angle", [0.0, 1e-9, 1e-3, 1.0, 2.5, 3.1, np.pi - 1e-7])
def test_matrices_go_back_to_axis_angle(angle):
    given = vectors(angle)
    found = matrix_to_axis_angle(axis_angle_to_matrix(given))
    np.testing.assert_allclose(found, given, rtol=0, atol=1e-12)


def test_half_a_turn_goes_back_to_an_axis_of_either_sign():
    given = vectors(np.pi)
    found = matrix_to_axis_angle(axis_angle_to_matrix(given))
    sign = (found * given).sum(-1, keepdim=True).sign()
    np.testing.assert_allclose(found * sign, given, rtol=0, atol=1e-12)


def test_six_numbers_make_a_rotation():
    six = torch.tensor(np.random.default_rng(0).standard_normal((2, 5, 6)))
    matrices = six_d_to_matrix(six)
    identity = torch.eye(3, dtype=torch.float64).expand_as(matrices)
    assert torch.allclose(matrices.transpose(-1, -2) @ matrices, identity, atol=1e-10)
    assert torch.allclose(torch.linalg.det(matrices), torch.ones(2, 5, dtype=torch.float64))
    columns = torch.cat([matrices[..., 0], matrices[..., 1]], dim=-1)
    assert torch.allclose(six_d_to_matrix(columns), matrices, atol=1e-10)  # a rotation's own columns give it back
    assert torch.isfinite(six_d_to_matrix(torch.zeros(6))).all()

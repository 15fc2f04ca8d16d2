"""Rotations against SciPy, their properties, and their derivatives at and near zero."""

import numpy as np
import pytest
import torch
from s2hand.train.rotations import axis_angle_to_matrix
from scipy.spatial.transform import Rotation

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

import numpy as np
import pytest

from s2hand.datasets.pixel_indices import few_decimals, from_indices, to_indices


def test_the_first_pixels_centre_is_zero_there_and_a_half_here() -> None:
    assert to_indices(np.array([0.5, 12.5], np.float32)).tolist() == [0, 12]
    assert from_indices([0, 12]).tolist() == [0.5, 12.5]


@pytest.mark.parametrize("scale", [1e-6, 1e-3, 1, 100, 1e5])
def test_there_and_back_is_exact(scale: float) -> None:
    values = (np.random.default_rng(1).uniform(-1, 1, 1000) * scale).astype(np.float32)
    np.testing.assert_array_equal(from_indices(to_indices(values)), values)
    np.testing.assert_array_equal(few_decimals(values).astype(np.float32), values)


def test_few_decimals_are_few() -> None:
    assert repr(few_decimals(np.array([0.1], np.float32)).item()) == "0.1"
    values = np.random.default_rng(2).uniform(10, 1000, 1000).astype(np.float32)
    assert all(len(repr(number).partition(".")[2]) <= 6 for number in to_indices(values).tolist())


def test_what_is_not_finite_stays() -> None:
    np.testing.assert_array_equal(few_decimals(np.array([np.nan, np.inf], np.float32)), [np.nan, np.inf])

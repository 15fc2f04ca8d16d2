from pathlib import Path

import numpy as np
import pytest

from s2hand.datasets.cameras import intrinsics_from_fov
from s2hand.datasets.records import Lazy, Record


def record(**fields: object) -> Record:
    return Record(image="a.jpg", path=Path("a.jpg"), **{"hand": "left", **fields})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("hand", "both"),
        ("K", np.eye(4)),
        ("K", np.full((3, 3), np.nan)),
        ("joints_cam", np.zeros((20, 3))),
        ("vertices_cam", np.zeros((777, 3))),
        ("wrist_cam", np.zeros((1, 3))),
        ("mano", np.zeros(60)),
    ],
)
def test_records_check_themselves(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=rf"a\.jpg: {field}: expected"):
        record(**{field: value})


def test_intrinsics_are_those_known_else_from_the_field_of_view() -> None:
    K = np.array([[100.0, 0, 5], [0, 100, 6], [0, 0, 1]])
    np.testing.assert_array_equal(record(K=K, fov_degrees=30).intrinsics(10, 12).K, K)
    np.testing.assert_array_equal(record(fov_degrees=30).intrinsics(10, 12).K, intrinsics_from_fov(10, 12, 30))
    with pytest.raises(ValueError, match="neither K nor a field of view"):
        record().intrinsics(10, 12)


def test_lazy_sequences_make_what_is_asked_for() -> None:
    made = []

    def make(index: int) -> int:
        made.append(index)
        return index * index

    squares = Lazy(5, make)
    assert len(squares) == 5
    assert made == []
    assert (squares[2], squares[-1]) == (4, 16)
    assert made == [2, 4]
    assert list(squares[1:4]) == [1, 4, 9]
    assert len(squares[1:4]) == 3
    assert list(squares) == [0, 1, 4, 9, 16]
    with pytest.raises(IndexError):
        squares[5]

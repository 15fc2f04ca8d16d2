"""Pictures that are written, and the note that goes along."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from s2hand.datasets.drawing import read_note, write_png


@pytest.mark.parametrize("note", ["", "made by this, of 3 hands: \xe9"])
def test_a_note_goes_along_with_the_same_picture(tmp_path: Path, picture: NDArray[np.uint8], note: str) -> None:
    write_png(tmp_path / "a.png", picture, note)
    found = cv2.imread(str(tmp_path / "a.png"))
    assert found is not None
    np.testing.assert_array_equal(found[..., ::-1], picture)
    assert read_note(tmp_path / "a.png") == note


@pytest.mark.parametrize("data", [b"", b"text", b"\x89PNG\r\n\x1a\n" + bytes(40)])
def test_other_files_have_no_note(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.png").write_bytes(data)
    assert read_note(tmp_path / "a.png") == ""


def test_a_picture_that_png_can_not_hold_leaves_the_old_one(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("old")
    with pytest.raises(ValueError, match=r"a\.png: a picture of 1000001 x 1 pixels can't be encoded"):
        write_png(tmp_path / "a.png", np.zeros((1, 1_000_001, 3), np.uint8))
    assert (os.listdir(tmp_path), (tmp_path / "a.png").read_text()) == (["a.png"], "old")

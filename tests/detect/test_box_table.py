from pathlib import Path

import numpy as np

from s2hand.datasets.boxes import HandBox
from s2hand.datasets.cameras import Box
from s2hand.datasets.files import sha256_file
from s2hand.detect.box_table import BoxTableLocalizer
from s2hand.detect.localize import Localizer


def test_hands_are_where_the_file_says(tmp_path: Path) -> None:
    path = tmp_path / "boxes.csv"
    path.write_text("image,x,y,w,h,hand\nb.jpg,1,2,3,4,\na.jpg,5,6,7,8,right\nb.jpg,9,10,11,12,right\n")
    localizer: Localizer = BoxTableLocalizer.read(path, "left")
    images = [np.zeros((20, 20, 3), np.uint8)] * 3
    assert localizer.locate(images, ["b.jpg", "none.jpg", "a.jpg"]) == [
        (HandBox(Box(1, 2, 3, 4), "left"), HandBox(Box(9, 10, 11, 12), "right")),
        (),
        (HandBox(Box(5, 6, 7, 8), "right"),),
    ]
    assert (localizer.name, localizer.weights_sha256) == ("boxes", sha256_file(path))
    assert localizer.parameters == {"hand": "left"}

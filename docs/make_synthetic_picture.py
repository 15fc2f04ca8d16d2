"""Draws docs/synthetic.png: twelve synthetic photographs, the true joints on the last four.

Run from the repository's root: `python docs/make_synthetic_picture.py`.
"""

from pathlib import Path

import cv2

from s2hand.pipeline.synthetic import SyntheticSettings, photograph
from s2hand.pipeline.synthetic.sheet import contact_sheet

COUNT, COLUMNS, LABELLED = 12, 4, 4


def main() -> None:
    """Photographs the first hands of a seed and writes the sheet."""
    settings = SyntheticSettings(image_size=256, versions=1, seed=33)
    photos = [photograph(settings, "training", index) for index in range(COUNT)]
    path = Path(__file__).parent / "synthetic.png"
    cv2.imwrite(str(path), contact_sheet(photos, COLUMNS, LABELLED)[..., ::-1])


if __name__ == "__main__":
    main()

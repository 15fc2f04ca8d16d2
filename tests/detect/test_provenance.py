"""What makes shards stale: all code that keypoints pass through, and no other."""

import subprocess
import sys
from pathlib import Path

from s2hand.detect.provenance import PASSIVE

ROOT = Path(__file__).parents[2]

_COMPUTING = """
import sys
import s2hand.datasets.keypoints
import s2hand.detect.engine
import s2hand.detect.job
import s2hand.detect.openpose_estimator
import s2hand.detect.slim_estimator
import s2hand.detect.body.localizer
import s2hand.detect.boxes.localizer
import s2hand.detect.box_table
print("\\n".join(name for name in sys.modules if name.startswith("s2hand.")))
"""


def test_no_keypoint_passes_through_the_passive_parts():
    done = subprocess.run([sys.executable, "-c", _COMPUTING], capture_output=True, text=True, check=True)
    parts = {tuple(name.split(".")[1:]) for name in done.stdout.split()}
    passive = {name.removesuffix(".py") for name in PASSIVE}
    used = {part[1] for part in parts if part[0] in ("datasets", "detect") and len(part) > 1}
    assert "peaks" in used
    assert used & passive == set()


def test_the_passive_parts_are_there():
    there = [name for name in PASSIVE if (ROOT / "datasets" / name).exists() or (ROOT / "detect" / name).exists()]
    assert list(PASSIVE) == there

"""A folder to stand in, with parameters whose files can be taken away or broken."""

import gzip
import shutil
from pathlib import Path

import pytest
import yaml

from s2hand.detect.hub import packaged_path
from s2hand.pipeline.doctor.examine import examine
from s2hand.train.mano import OPEN_HAND

ROOT = Path(__file__).parents[3]
LAYOUT = ROOT / "tests/train/reference/mano_layout.pkl.gz"


class Place:
    """A working folder with a params.yaml."""

    def __init__(self, folder):
        self.folder = folder
        self.values = yaml.safe_load((ROOT / "params.yaml").read_text())

    def set(self, **changes):
        """Change keys of params.yaml; a double underscore stands for the dot."""
        for dotted, value in changes.items():
            *sections, key = dotted.split("__")
            target = self.values
            for section in sections:
                target = target[section]
            target[key] = value
        (self.folder / "params.yaml").write_text(yaml.safe_dump(self.values))

    def rows(self):
        """What the doctor finds, by name."""
        found = examine(Path("params.yaml"))
        rows = {finding.name: finding for finding in found}
        assert len(rows) == len(found)
        return rows


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = Place(tmp_path)
    hand, weights = tmp_path / "hand.npz", tmp_path / "slim.safetensors"
    shutil.copy(OPEN_HAND, hand)
    shutil.copy(packaged_path(), weights)
    made.set(hand_model="hand.npz", data__input="hand.npz", detect__weights="slim.safetensors")
    return made


@pytest.fixture
def mano(place):
    path = place.folder / "MANO_RIGHT.pkl"
    path.write_bytes(gzip.decompress(LAYOUT.read_bytes()))
    place.set(hand_model=path.name)
    return path

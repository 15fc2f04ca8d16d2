"""Hand models that tests share."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from s2hand.train.hand_files import HandArrays

REFERENCE = Path(__file__).parent / "reference"


@pytest.fixture(scope="session")
def mano_pickle(tmp_path_factory):
    """A file with the layout of the licensed MANO_RIGHT.pkl and random content."""
    path = tmp_path_factory.mktemp("mano") / "MANO_RIGHT.pkl"
    path.write_bytes(gzip.decompress((REFERENCE / "mano_layout.pkl.gz").read_bytes()))
    return path


@pytest.fixture(scope="session")
def random_hand_arrays():
    """A function (seed, side) that returns a hand model of MANO's sizes with nothing hand-like about it."""
    return random_arrays


def random_arrays(seed=0, side="right"):
    """A hand model of MANO's sizes with nothing hand-like about it."""
    rng = np.random.default_rng(seed)
    weights = rng.random((778, 16)) ** 8
    regressor = rng.random((16, 778)) ** 40
    return HandArrays(
        v_template=0.1 * rng.standard_normal((778, 3)),
        faces=rng.integers(0, 778, (1538, 3)),
        weights=weights / weights.sum(1, keepdims=True),
        shapedirs=0.01 * rng.standard_normal((778, 3, 10)),
        posedirs=0.001 * rng.standard_normal((778, 3, 135)),
        J_regressor=regressor / regressor.sum(1, keepdims=True),
        hands_components=np.linalg.qr(rng.standard_normal((45, 45)))[0],
        hands_mean=0.3 * rng.standard_normal(45),
        parents=np.array([-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 0, 10, 11, 0, 13, 14]),
        side=side,
    )

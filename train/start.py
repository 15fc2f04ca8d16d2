"""Where a training starts from, if not from fresh weights: an earlier training's folder."""

from pathlib import Path

from s2hand.datasets.files import sha256_bytes
from s2hand.train.branches import Branches
from s2hand.train.checkpoint import KEYPOINTS, WEIGHTS, CheckpointError, read_checkpoint


def start_digest(folder: Path) -> list[str]:
    """What tells the weights in a folder from others; not the files, whose metadata come in any order."""
    branches = [read_checkpoint(folder, path.name).weights for path in _files(folder)]
    return [
        sha256_bytes(weights[name].contiguous().numpy().tobytes()) for weights in branches for name in sorted(weights)
    ]


def load_start(branches: Branches, folder: Path) -> None:
    """Give the branches the weights of an earlier training of the same networks; a 2D branch only if it left one.

    Raises CheckpointError for a folder without weights, or of other networks.
    """
    _files(folder)
    for name, branch in ((WEIGHTS, branches.reconstruction), (KEYPOINTS, branches.keypoints)):
        if branch is None or not (folder / name).is_file():
            continue
        try:
            branch.load_state_dict(read_checkpoint(folder, name).weights)
        except RuntimeError as error:
            where = "train.encoder" if name == WEIGHTS else "train.hourglass"
            raise CheckpointError(
                f"{folder / name}: of another network than {where} describes; set train.start to another folder"
            ) from error


def _files(folder: Path) -> list[Path]:
    paths = [folder / name for name in (WEIGHTS, KEYPOINTS) if (folder / name).is_file()]
    if not paths or paths[0].name != WEIGHTS:
        raise CheckpointError(f"train.start: {folder / WEIGHTS}: no such file; train there first")
    return paths

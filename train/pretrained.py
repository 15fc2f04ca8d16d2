"""Weights for the backbone to start from: ImageNet's, without ever waiting for a dead network, or the package's own."""

import functools
import logging
import os
import socket
from pathlib import Path
from typing import Literal

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from s2hand.datasets.files import replacing

log = logging.getLogger(__name__)

REPOSITORY = "timm/efficientnet_b0.ra_in1k"
"""Where the weights are on the Hugging Face hub; Apache-2.0."""
_FILE = "model.safetensors"
_HOST = ("huggingface.co", 443)
_PATIENCE_S = 2.0

HANDS = Path(__file__).parent / "assets" / "encoder.safetensors"
"""A backbone that has seen synthetic hands, see docs/assets.md: a start where ImageNet's can't be had."""
_PREFIX = "encoder.backbone."

Choice = Literal["auto", "always", "never", "hands"]


def backbone_weights(choice: Choice) -> dict[str, Tensor] | None:
    """Weights for the backbone by parameter name, or none: start from scratch.

    `hands`: the package's own, `HANDS`. `auto`: ImageNet's, from the cache of the Hugging Face hub or, where the
    hub answers within two seconds, downloaded (21 MB); where there are none, says so once. `always` raises
    ValueError instead; `never` looks nowhere.
    """
    if choice == "never":
        return None
    if choice == "hands":
        return {name: tensor.float() for name, tensor in load_file(HANDS).items()}
    path = _cached() or _download()
    if path is not None:
        try:
            return load_file(path)
        except (OSError, SafetensorError) as error:
            raise ValueError(f"{path}: not a readable weights file ({error}); delete it") from error
    if choice == "always":
        raise ValueError(
            f"train.encoder.pretrained: always: {REPOSITORY} is neither cached nor can it be downloaded; "
            "connect to the network once, or set it to auto or never"
        )
    _say_from_scratch()
    return None


def save_backbone(weights: Path, out: Path) -> None:
    """Write the backbone inside a trained network's `weights.safetensors`, for others to start from, as `HANDS`.

    Filters are kept in half precision, what belongs to a channel in single. Raises ValueError where `weights`
    can't be read or holds none.
    """
    try:
        tensors = load_file(weights)
    except (OSError, SafetensorError) as error:
        raise ValueError(f"{weights}: not a readable weights file ({error}); train first") from error
    backbone = {name.removeprefix(_PREFIX): tensor for name, tensor in tensors.items() if name.startswith(_PREFIX)}
    if not backbone:
        raise ValueError(f"{weights}: expected a trained network with tensors {_PREFIX}*, found none")
    kept = {name: tensor.half() if tensor.ndim > 1 else tensor for name, tensor in backbone.items()}
    with replacing(out) as temporary:
        save_file({name: tensor.contiguous() for name, tensor in kept.items()}, temporary)


@functools.cache
def _say_from_scratch() -> None:
    log.warning("no ImageNet weights here (%s): the network starts from scratch", REPOSITORY)


def _cached() -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(REPOSITORY, _FILE)
    return Path(found) if isinstance(found, str) else None


def _download() -> Path | None:
    """Fetch the weights into the cache; none where the hub is out of reach or switched off (HF_HUB_OFFLINE)."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError

    if os.environ.get("HF_HUB_OFFLINE", "0").upper() in ("1", "ON", "YES", "TRUE"):
        return None
    try:
        # The client of the hub repeats and waits for minutes; one connection tells whether it is worth it.
        with socket.create_connection(_HOST, timeout=_PATIENCE_S):
            pass
        return Path(hf_hub_download(REPOSITORY, _FILE))
    except (OSError, HfHubHTTPError):
        return None

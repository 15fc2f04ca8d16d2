"""ImageNet weights for the backbone, from the local cache or the network, without ever waiting for a dead one."""

import functools
import logging
import os
import socket
from pathlib import Path
from typing import Literal

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

log = logging.getLogger(__name__)

REPOSITORY = "timm/efficientnet_b0.ra_in1k"
"""Where the weights are on the Hugging Face hub; Apache-2.0."""
_FILE = "model.safetensors"
_HOST = ("huggingface.co", 443)
_PATIENCE_S = 2.0


def backbone_weights(choice: Literal["auto", "always", "never"]) -> dict[str, Tensor] | None:
    """The backbone's ImageNet weights by parameter name, or none: start from scratch.

    `auto` takes them from the cache of the Hugging Face hub or, where the hub answers within two seconds,
    downloads them (21 MB), and otherwise says once that there are none; `always` raises ValueError instead;
    `never` looks nowhere.
    """
    if choice == "never":
        return None
    path = cached_weights() or _download()
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


@functools.cache
def _say_from_scratch() -> None:
    log.warning("no ImageNet weights here (%s): the network starts from scratch", REPOSITORY)


def cached_weights() -> Path | None:
    """Where the weights are in the cache of the Hugging Face hub, if they are there."""
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

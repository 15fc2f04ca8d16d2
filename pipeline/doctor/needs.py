"""How much a run writes, estimated from the parameters and the number of images."""

from pathlib import Path

from s2hand.datasets.images import list_images
from s2hand.pipeline.params import Params
from s2hand.pipeline.sources import SYNTHETIC, source_name

_MODEL = 300e6  # weights, best weights, state with its optimisers' moments
_KEYPOINTS = 500  # bytes per hand
_TRUTH_AND_ANSWER = 42_000  # bytes per hand of the evaluation: vertices and joints in the pack and in pred.json
_JPEG = 0.5  # bytes per pixel of a synthetic photograph
_COPIES = 2  # every output is also in DVC's cache


def images_of(params: Params) -> int | None:
    """How many images a run will see, masks and depth maps counted with them; none where they can't be counted."""
    try:
        if _is_synthetic(params):
            made = params.data.synthetic
            return made.train * made.versions + made.evaluation
        return len(list_images(Path(params.data.input)))
    except (ValueError, OSError):
        return None


def disk_bytes(params: Params, images: int) -> float:
    """Bytes that the stages write for so many images with one hand each, DVC's copies included."""
    total = _MODEL + images * (3 * params.pack.image_size**2 + _KEYPOINTS)
    if images and _is_synthetic(params):  # without images, nothing may lie there
        made = params.data.synthetic
        total += images * _JPEG * made.image_size**2 + made.evaluation * _TRUTH_AND_ANSWER
    else:
        total += params.data.folder.held_back * images * _TRUTH_AND_ANSWER  # of FreiHAND and HO-3D less
    return _COPIES * total


def _is_synthetic(params: Params) -> bool:
    return source_name(params.data) == SYNTHETIC

"""The files that the parameters name, and those that they could."""

from collections.abc import Callable
from pathlib import Path

from s2hand.datasets.files import DataError
from s2hand.detect.hub import BODY, HAND, PACKAGED, PUBLISHED, SLIM_BOXES, KnownFile, cached_path, problem_of
from s2hand.detect.weights import KEYPOINT_KINDS, KINDS, Kind, read_weights
from s2hand.pipeline.doctor.finding import Finding, MissingError, look
from s2hand.pipeline.params import Params
from s2hand.train.checkpoint import hand_digest, read_checkpoint
from s2hand.train.mano import load_hand_model
from s2hand.train.pretrained import cached_weights

MANO_SITE = "https://mano.is.tue.mpg.de"

_HAND, _KEYPOINTS, _FINDING = "the hand that is reconstructed", "keypoints of hands", "finding hands on people"


def examine_hand(params: Params) -> list[Finding]:
    """Look at the hand model; where it is not MANO, say where that is."""
    mano = f"MANO_RIGHT.pkl, from {MANO_SITE} after registering"
    what_to_do = f"hand_model: train/assets/open_hand.npz, or the path of {mano}"
    row = look("hand model", _HAND, what_to_do, lambda: _hand(params.hand_model))
    if row.state != "ok" or row.found.startswith("MANO"):
        return [row]
    return [row, Finding("MANO", "optional", "not used", _HAND, f"hand_model: the path of {mano}")]


def _hand(path: str) -> str:
    _require(path)
    model = load_hand_model(path)
    found = hand_digest(model)
    kind = "MANO" if model.is_mano else "the open hand" if found == hand_digest(load_hand_model()) else "another hand"
    return f"{kind}, {model.source_side}, digest {found[:16]}"


def examine_weights(params: Params) -> list[Finding]:
    """Look at the weights that detection uses or could use, and at those that training starts from."""
    detect, encoder, body = params.detect, params.train.encoder, params.detect.localize == "body"
    ours = f"detect.weights: detect/assets/slim.safetensors; or `detect weights fetch {HAND.name}`"
    rows = [
        look("detector weights", _KEYPOINTS, ours, _weights(detect.weights, *KEYPOINT_KINDS)),
        _published(HAND, _KEYPOINTS, detect.weights == HAND.alias),
        _published(BODY, _FINDING, body and detect.body_weights == BODY.alias),
        look("slim finder", _FINDING, "make install", _weights(SLIM_BOXES, "slim-boxes"), detect.localize == "slim"),
    ]
    if body:
        check = _weights(detect.body_weights, "openpose-body")
        rows.append(look("body weights", _FINDING, f"detect weights fetch {BODY.name}", check))
    if detect.boxes is not None:
        rows.append(look("boxes", "where the hands are", "correct detect.boxes", lambda: _require(str(detect.boxes))))
    if encoder.pretrained != "never":
        what_to_do = "nothing: training downloads it, 21 MB, where it can"
        rows.append(look("ImageNet weights", "where training starts", what_to_do, _backbone, needed=False))
    if params.train.start is not None:
        start = Path(params.train.start)
        rows.append(look("train.start", "where training starts", "train there first", lambda: _checkpoint(start)))
    return rows


def _require(source: str) -> str:
    """Return the name of a file; raise where nothing is behind it."""
    known = next((known for known in PUBLISHED if source == known.alias), None)
    if known is not None and cached_path(known) is None:
        raise MissingError(f"{known.name} was not fetched yet")
    if known is None and source not in PACKAGED and not Path(source).exists():
        raise MissingError(f"{source}: no such file")
    return source


def _weights(source: str, *kinds: Kind) -> Callable[[], str]:
    def check() -> str:
        weights = read_weights(_require(source), kinds)
        return f"{KINDS[weights.kind].split(' (')[0]}, sha256 {weights.sha256[:16]}"

    return check


def _published(known: KnownFile, used_for: str, needed: bool) -> Finding:
    """Look for a published file in the cache, and at its size and SHA-256."""

    def check() -> str:
        _require(known.alias)
        path = cached_path(known)
        assert path is not None
        problem = problem_of(path, known)
        if problem is not None:
            raise DataError(f"{path}: {problem}")
        return f"{known.name}, genuine by its sha256"

    fetch = f"detect weights fetch {known.name} (OpenPose's licence: for research only)"
    return look(known.network.removesuffix(" network"), used_for, fetch, check, needed)


def _backbone() -> str:
    path = cached_weights()
    if path is None:
        raise MissingError("not cached")
    return path.name


def _checkpoint(folder: Path) -> str:
    _require(str(folder))
    identity = read_checkpoint(folder).identity
    return f"crops of {identity.image_size} pixels, hand model {identity.hand[:16]}"

"""Gallery: hands as they were seen and reconstructed, to be filtered, put in order, and turned in 3D."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from s2hand.datasets.packs import Pack
from s2hand.datasets.skeleton import BONES, WRIST
from s2hand.pipeline.layout import EVAL_PACK, MODEL
from s2hand.pipeline.params import PARAMS_FILE, load_params
from s2hand.pipeline.report.gallery import WHY, Choice, choose
from s2hand.pipeline.report.hand_errors import HandErrors, read_errors
from s2hand.pipeline.report.hand_views import SIDE, HandView, load_branches, view_hands
from s2hand.pipeline.report.marks import bones, marks
from s2hand.pipeline.report.page import Html, Section, picture_uri
from s2hand.pipeline.report.predicted_hands import TABLE
from s2hand.pipeline.report.project import Project
from s2hand.pipeline.report.shapes import encode_colors, encode_faces, encode_points
from s2hand.pipeline.report.units import meaning
from s2hand.train.checkpoint import BEST, WEIGHTS

SETS = (
    ("detected", "detected", "circle"),
    ("pointed", "by the 2D branch", "square"),
    ("projected", "projected from the 3D hand", "cross"),
)
"""The keypoint sets: their field in `HandView`, what they are called, and their mark."""
_PICTURES = ("crop", "silhouette", "render", "texture")
"""The fields of `HandView` that a card shows."""
_QUALITY = 80  # of their JPEGs
_MIDDLE = np.array([[8.0, 8.0]])  # of the legend's marks


def gallery_section(project: Project, samples: int, named: Sequence[str], seed: int) -> Section | None:
    """Return hands of the evaluation pack with what the network makes of them; a sentence where that can't be had.

    None if no hand is wanted. Raises DataError where a name is unknown, or files do not belong together.
    """
    if not samples and not named:
        return None
    missing = _missing(project)
    if missing:
        return Section("gallery", "Gallery", f"No hands are shown: {missing}.", [])
    params = load_params(project.root / PARAMS_FILE)
    weights = {"last": WEIGHTS, "best": BEST}[params.evaluate.checkpoint]
    branches = load_branches(project.root / MODEL, weights, str(project.root / params.hand_model))
    with Pack(project.root / EVAL_PACK) as pack:
        errors = read_errors(pack, project.root / TABLE)
        choices = choose(errors, samples, named, seed)
        views = view_hands(branches, pack, [choice.row for choice in choices])
        cards, shapes = [], []
        for choice, view in zip(choices, views, strict=True):
            cards.append(_card(choice, view, errors))
            shapes.append(_shape(view, bool(errors.left[choice.row])))
    values = _page_values(cards, errors) | {
        "data": {"faces": encode_faces(branches.faces), "bones": [list(bone) for bone in BONES], "hands": shapes}
    }
    sources = tuple(map(str, (EVAL_PACK, TABLE, MODEL / weights)))
    block = Html(title="Hands", sources=sources, template="gallery.html.j2", values=values, note=_note(errors))
    return Section("gallery", "Gallery", _lead(choices, errors), [block])


def _missing(project: Project) -> str:
    """Say which file there should be; nothing if all are there."""
    for path in (EVAL_PACK, TABLE, MODEL, PARAMS_FILE):
        if project.find(path) is None:
            return f"{path} is not there; dvc repro makes it" if path != PARAMS_FILE else f"{path} is not there"
    hand = load_params(project.root / PARAMS_FILE).hand_model
    return "" if project.find(hand) is not None else f"the hand model {hand} is not there"


def _lead(choices: Sequence[Choice], hands: HandErrors) -> str:
    counts = {why: sum(choice.why == why for choice in choices) for why in WHY}
    listed = ", ".join(f"{count} {why}" for why, count in counts.items() if count)
    return f"{len(choices)} of {len(hands.names)} hands that were held back: {listed}. Open one to turn it in 3D."


def _note(hands: HandErrors) -> str:
    aligned = "" if hands.aligned is None else " Aligned: after moving, turning and scaling the hand onto the true one."
    return meaning(hands.unit) + aligned


def _page_values(cards: Sequence[Mapping[str, Any]], hands: HandErrors) -> dict[str, Any]:
    """Return what the template needs beside the shapes: cards, keypoint sets, and where the filters end."""
    digits = 3 if hands.aligned is None else 2
    known = [card["error"] for card in cards if card["error"] is not None]
    return {
        "cards": cards,
        "sets": [
            {"field": field, "title": title, "mark": marks(_MIDDLE, shape)}
            for field, title, shape in SETS
            if any(field == drawn["field"] for card in cards for drawn in card["sets"])
        ],
        "unit": hands.unit,
        "digits": digits,
        "largest": float(np.ceil(max(known, default=0.0) * 10**digits) / 10**digits),
        "least": float(np.floor(100 * min((card["confidence"] for card in cards), default=0.0)) / 100),
        "whys": [why for why in WHY if any(card["why"] == why for card in cards)],
        "side": SIDE,
    }


def _card(choice: Choice, view: HandView, hands: HandErrors) -> dict[str, Any]:
    """Return what stands on a card: pictures, keypoints as paths, numbers."""
    row, error = choice.row, float(hands.errors[choice.row])
    sets = [(field, getattr(view, field), shape) for field, _, shape in SETS]
    return {
        "name": hands.names[row],
        "hand": "left" if hands.left[row] else "right",
        "why": choice.why,
        "error": round(error, 3) if np.isfinite(error) else None,
        "aligned": None if hands.aligned is None else round(float(hands.aligned[row]), 3),
        "confidence": round(float(hands.confidence[row]), 3),
        "pictures": {name: picture_uri(getattr(view, name), _QUALITY) for name in _PICTURES},
        "sets": [
            {"field": field, "bones": bones(points), "marks": marks(points, shape)}
            for field, points, shape in sets
            if points is not None
        ],
    }


def _shape(view: HandView, left: bool) -> dict[str, Any]:
    """Return a hand in 3D around its middle; the truth is moved so that both wrists are at one place."""
    vertices = view.vertices_cam.astype(np.float64)
    centre = (vertices.min(axis=0) + vertices.max(axis=0)) / 2
    shape: dict[str, Any] = {
        "left": left,
        "seen": [float(f"{value:.4g}") for value in centre / np.linalg.norm(centre)],
        "vertices": encode_points(vertices, centre),
        "joints": encode_points(view.joints_cam, centre),
        "colors": encode_colors(view.colors),
        "truth": None,
        "true_joints": None,
    }
    if view.true_joints_cam is None:
        return shape
    moved = centre + view.true_joints_cam[WRIST] - view.joints_cam[WRIST]
    shape["true_joints"] = encode_points(view.true_joints_cam, moved)
    if view.true_vertices_cam is not None:
        shape["truth"] = encode_points(view.true_vertices_cam, moved)
    return shape

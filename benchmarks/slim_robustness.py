"""What photographs may suffer before a detector loses the joints: `python benchmarks/slim_robustness.py FOLDER`.

FOLDER is as for `slim_accuracy.py`. Each change is made to all its photographs, and the share of the joints within a
tenth of the hand's size is measured anew. Lengths are shares of the photographs' mean hand.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import typer
from numpy.typing import NDArray
from report import write_results

from s2hand.datasets.files import read_json
from s2hand.datasets.images import read_image
from s2hand.datasets.records import Hand
from s2hand.detect.detector import HandDetector
from s2hand.detect.fit.measure import NEAR, hand_sizes

Image = NDArray[np.uint8]
GREY = 127


@dataclass(frozen=True)
class Labelled:
    """A photograph of one hand, and where its joints are."""

    image: Image
    hand: Hand
    joints: NDArray[np.float64]  # [21, 2] pixels


def main(
    folder: Annotated[Path, typer.Argument(help="Folder with labels.json and the images that it names.")],
    weights: Annotated[str, typer.Option(help="`slim`, or a weight file.")] = "slim",
    device: Annotated[str, typer.Option(help="`cpu` or `cuda`.")] = "cpu",
) -> None:
    """Measure the detector on changed photographs; print and write the averages."""
    labels = read_json(folder / "labels.json").items()
    samples = [Labelled(read_image(folder / name), one["hand"], np.array(one["uv"])) for name, one in labels]
    size = float(hand_sizes(np.stack([one.joints for one in samples])).mean())
    detector = HandDetector.load(weights, device)
    rows = [measure(detector, what, [change(one) for one in samples]) for what, change in changes(size)]
    notes = (
        f"{len(samples)} photographs, hands of {size:.0f} pixels; a joint is near within {NEAR:g} of its hand's size"
    )
    write_results("slim_robustness", rows, notes)


def measure(detector: HandDetector, what: str, samples: list[Labelled]) -> dict[str, str | float]:
    """Return the share of near joints, and how sure the detector is."""
    near, confidence = [], []
    for one in samples:
        (found,) = detector.detect([one.image], one.hand)
        errors = np.linalg.norm(found.xy - one.joints, axis=1) / hand_sizes(one.joints[None])[0]
        near.append(errors < NEAR)
        confidence.append(found.confidence)
    return {"what": what, "near": float(np.mean(near)), "confidence": float(np.mean(confidence))}


def changes(size: float) -> Iterator[tuple[str, Callable[[Labelled], Labelled]]]:
    """Yield each change and its name; `size` is the mean hand's, in pixels."""
    rng = np.random.default_rng(0)
    yield "untouched", lambda one: one
    for share in (0.01, 0.02, 0.04):
        yield f"out of focus by {share}", repaint(lambda image, s=share: cv2.GaussianBlur(image, (0, 0), s * size))
    for share in (0.05, 0.09, 0.17):
        yield f"moved by {share}", repaint(lambda image, s=share: cv2.blur(image, (round(s * size), 1)))
    for light in (0.5, 0.25, 0.1, 0.05):
        yield f"{light} of the light", repaint(lambda image, f=light: f * image + rng.normal(0, 4, image.shape))
    yield "2.5 times the light", repaint(lambda image: 2.5 * image.astype(np.float32))
    yield "grey", repaint(lambda image: np.repeat(image.mean(axis=2, keepdims=True), 3, axis=2))
    yield "blue skin", repaint(turn_hues)
    for part in (0.15, 0.3, 0.45):
        yield f"upper {part} of the hand missing", lambda one, p=part: cut(one, p)
    yield (
        "the other hand named",
        lambda one: Labelled(one.image, "left" if one.hand == "right" else "right", one.joints),
    )
    for factor in (0.5, 0.25, 0.125):
        yield f"hands of {factor * size:.0f} pixels", lambda one, f=factor: shrink(one, f)
    for factor in (1.5, 2.0, 3.0):
        yield f"surroundings {factor} times as wide", lambda one, f=factor: surround(one, f)
    yield "turned by a quarter", turn
    yield "turned by a half", lambda one: turn(turn(one))


def repaint(change: Callable[[Image], NDArray[np.floating] | Image]) -> Callable[[Labelled], Labelled]:
    """Change pixels and let joints be."""
    return lambda one: Labelled(np.clip(change(one.image), 0, 255).astype(np.uint8), one.hand, one.joints)


def turn_hues(image: Image) -> Image:
    """Turn all hues by half the circle."""
    hues = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)
    hues[..., 0] = (hues[..., 0] + 90) % 180
    return cv2.cvtColor(hues, cv2.COLOR_HSV2RGB)


def cut(one: Labelled, part: float) -> Labelled:
    """Cover all above a height of the hand, as if the picture ended there."""
    low, high = one.joints[:, 1].min(), one.joints[:, 1].max()
    image = one.image.copy()
    image[: max(round(low + part * (high - low)), 0)] = GREY
    return Labelled(image, one.hand, one.joints)


def shrink(one: Labelled, factor: float) -> Labelled:
    """Scale the photograph down."""
    image = cv2.resize(one.image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    return Labelled(image, one.hand, one.joints * factor)


def surround(one: Labelled, factor: float) -> Labelled:
    """Put the photograph in the middle of a wider one."""
    height, width = one.image.shape[:2]
    top, left = round((factor - 1) / 2 * height), round((factor - 1) / 2 * width)
    image = cv2.copyMakeBorder(one.image, top, top, left, left, cv2.BORDER_CONSTANT, value=(GREY,) * 3)
    return Labelled(image, one.hand, one.joints + np.array([left, top]))


def turn(one: Labelled) -> Labelled:
    """Turn clockwise by a quarter."""
    x, y = one.joints.T
    image = np.ascontiguousarray(np.rot90(one.image, -1))
    return Labelled(image, one.hand, np.stack([one.image.shape[0] - y, x], axis=1))


if __name__ == "__main__":
    typer.run(main)

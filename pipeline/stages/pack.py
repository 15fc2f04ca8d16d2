"""Stage `pack`: photographs and detected keypoints become training samples, evaluation ones with their truth."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from s2hand.datasets import cameras
from s2hand.datasets.cameras import Box
from s2hand.datasets.crop_boxes import crop_square
from s2hand.datasets.files import DataError, sha256_file, source_digest
from s2hand.datasets.hand_crops import cut_hand
from s2hand.datasets.images import read_image
from s2hand.datasets.keypoints import KeypointArrays, read_failures, read_keypoints, to_arrays
from s2hand.datasets.manifest import MANIFEST
from s2hand.datasets.packs import Pack, Sample, write_pack
from s2hand.datasets.records import SPLITS, Hand, Record, Split
from s2hand.detect.console import Report, note, show_progress
from s2hand.pipeline.layout import EVAL_PACK, KEYPOINTS, PREPARED, TRAIN_PACK
from s2hand.pipeline.params import PackParams, Params, load_params
from s2hand.pipeline.sources import INDEX, open_source

PATHS: dict[Split, Path] = {"training": TRAIN_PACK, "evaluation": EVAL_PACK}


def run() -> None:
    """Write `data/packs/train.h5` and `data/packs/eval.h5`."""
    params = load_params()
    for split in SPLITS:
        make_pack(params, split, PREPARED, KEYPOINTS, PATHS[split])


def make_pack(params: Params, split: Split, prepared: Path, keypoints: Path, path: Path) -> None:
    """Write the pack `path` of a split, from what the stages before left in the folders `prepared` and `keypoints`."""
    records, shards = open_source(params.data, prepared).records(split), keypoints / split
    with show_progress(f"pack, {split}") as report:
        write_pack(
            path,
            _samples(records, shards, split, params, report),
            sources={
                INDEX: sha256_file(prepared / INDEX),
                MANIFEST: sha256_file(shards / MANIFEST),
            },
            parameters={
                **params.pack.model_dump(),
                "code": source_digest("s2hand.datasets", "s2hand.pipeline.stages"),
            },
        )
    _say_what_is_left(path, shards, len(records))


def _say_what_is_left(path: Path, shards: Path, images: int) -> None:
    """Print how many hands of the split's `images` became samples, and what was left out."""
    unreadable = len(read_failures(shards))
    with Pack(path) as pack:
        hands, used = len(pack), len({photograph(name) for name in pack.names()})
    left_out = f"{unreadable} unreadable images, {images - unreadable - used} without a hand of pack.min_confidence"
    note(f"{path}: {hands} hands of {used} images; left out: {left_out}")


def _samples(records: Sequence[Record], shards: Path, split: Split, params: Params, report: Report) -> Iterator[Sample]:
    """Yield the samples of a split, without the images that could not be read; an image may hold several hands.

    Training leaves out hands below `pack.min_confidence` and all truth.
    """
    found = to_arrays(read_keypoints(shards))
    unreadable = read_failures(shards)
    rows_of: dict[str, list[int | None]] = {}
    for position, image in enumerate(found.images):
        rows_of.setdefault(image, []).append(position)
    training = split == "training"
    kept = 0
    for done, record in enumerate(records, start=1):
        report(done, len(records))
        if record.image in unreadable:
            continue
        rows: Sequence[int | None] = rows_of.get(record.image, [None])
        if record.joints_cam is not None or record.wrist_cam is not None:  # a truth is of one hand
            rows = rows[:1]
        for row in rows:
            confidence = 0.0 if row is None else float(found.keypoints[row, :, 2].mean())
            if not training or (confidence > 0 and confidence >= params.pack.min_confidence):
                kept += 1
                yield make_sample(record, found, row, params.pack, with_truth=not training)
    if training and not kept:
        raise DataError(
            f"{shards}: expected hands with a mean confidence of at least "
            f"{params.pack.min_confidence} (pack.min_confidence), found none among {len(records)} images; "
            "look at the contact sheet of `s2hand detect run`"
        )


def sample_name(image: str, hand_index: int) -> str:
    """Name a hand of an image: the image's first hand is called as the image, a second one `IMAGE:1`."""
    return image if hand_index == 0 else f"{image}:{hand_index}"


def photograph(sample: str) -> str:
    """Return the image that a sample's name stands for."""
    image, _, index = sample.rpartition(":")
    return image if index.isdecimal() and image else sample


def make_sample(record: Record, found: KeypointArrays, row: int | None, pack: PackParams, with_truth: bool) -> Sample:
    """Cut a hand out of its photograph, mirrored if it is a left one; K, keypoints and truth follow."""
    image = read_image(record.path)
    height, width = image.shape[:2]
    keypoints = None if row is None else found.keypoints[row]
    looked_at = cameras.square_box(width, height) if row is None else Box(*map(float, found.boxes[row]))
    box = crop_square(looked_at, keypoints, pack.crop, pack.crop_scale, record.box)
    hand: Hand = record.hand if row is None else "left" if found.hands[row] == "left" else "right"
    K = record.intrinsics(width, height).K
    crop = cut_hand(image, K, box, hand, pack.image_size, keypoints)
    truth = (record.joints_cam, record.vertices_cam, record.wrist_cam)
    joints, vertices, wrist = (_truth(points, crop.mirrored) if with_truth else None for points in truth)
    return Sample(
        name=sample_name(record.image, 0 if row is None else int(found.hand_index[row])),
        image=crop.image,
        K=crop.K,
        keypoints=crop.keypoints,
        mirrored=crop.mirrored,
        box=box,
        joints_cam=joints,
        vertices_cam=vertices,
        wrist_cam=wrist,
    )


def _truth(points: NDArray[np.float64] | None, mirrored: bool) -> NDArray[np.floating] | None:
    if points is None or not mirrored:
        return points
    return cameras.mirror_points_cam(points)

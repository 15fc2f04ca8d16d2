"""The reconstruction of a folder: photographs to keypoint shards to hands, shard by shard, resumable at any moment."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from s2hand.datasets.files import DataError, sha256_file, source_digest
from s2hand.datasets.keypoints import iterate_keypoints, to_arrays
from s2hand.datasets.manifest import Manifest, read_manifest
from s2hand.datasets.rows import package_version
from s2hand.detect.run import Summary as Detected
from s2hand.detect.run import run_detection
from s2hand.pipeline.reconstruct.cameras import Cameras
from s2hand.pipeline.reconstruct.reconstructor import Reconstructor
from s2hand.pipeline.reconstruct.settings import ReconstructSettings
from s2hand.pipeline.reconstruct.shard import Shop
from s2hand.pipeline.reconstruct.sheet import write_sheet
from s2hand.pipeline.reconstruct.store import KEYPOINTS, SHEET, HandStore
from s2hand.train.checkpoint import find_checkpoint, hand_digest

Progress = Callable[[str, int, int], None]  # (what is done, photographs done, photographs in all)


@dataclass(frozen=True)
class Summary:
    """What a finished run holds, and how fast the hands were made."""

    detected: Detected
    hands: int
    made: int  # by this run; an earlier one had made the others
    seconds: float  # that the reconstruction of these took, without their detection
    sheet: Path | None


def run_reconstruction(
    images: Path,
    out: Path,
    settings: ReconstructSettings,
    progress: Progress | None = None,
    anew: bool = False,
) -> Summary:
    """Reconstruct the hands in each photograph of a folder, and frame of its videos, into the folder `out`.

    `images` may also be one image or video file. What `out` then holds is said in `store` and `table`; read the table
    with `s2hand.pipeline.read_hands(out)`. A run that was killed goes on where it was.

    A folder `out` with hands of another checkpoint, keypoints or parameters is refused, unless `anew` says to replace
    them. Raises ValueError for that, for whatever detection refuses, a checkpoint that is none or of another hand
    model, and a file of intrinsics that is broken or lacks an image.
    """
    report = progress or (lambda label, done, total: None)
    check_place(images, out)
    Cameras.read(settings.intrinsics, images, [], settings.field_of_view)  # refused now, if it is broken
    reconstructor = _load(settings)
    store = HandStore(out.absolute(), _provenance(settings, reconstructor))
    store.check_replaceable(anew)
    with store.writing():
        keypoints = store.folder / KEYPOINTS
        found = run_detection(
            images, keypoints, reconstructor.detect, lambda done, total: report("detecting", done, total), anew=anew
        )
        manifest = read_manifest(keypoints)
        names = sorted(_names(keypoints)) if settings.intrinsics else []
        cameras = Cameras.read(settings.intrinsics, found.root.absolute(), names, settings.field_of_view)
        shop = Shop(reconstructor, cameras, store.folder, settings.formats, settings.overlays)
        started = time.monotonic()
        made = _make(store, shop, manifest, lambda done, total: report("reconstructing", done, total))
        seconds = time.monotonic() - started
        faces = reconstructor.network.hand.faces.cpu().numpy()
        sheet = write_sheet(store, cameras.root, len(manifest.shards), faces, store.folder / SHEET)
        hands = store.finish(len(manifest.shards), manifest.images, manifest.failures)
    return Summary(found, hands, made, seconds, sheet)


def _load(settings: ReconstructSettings) -> Reconstructor:
    return Reconstructor.load(
        settings.checkpoint,
        settings.hand,
        settings.device,
        detect=settings.detect,
        batch_size=settings.batch_size,
        refine=settings.refine,
    )


def _make(store: HandStore, shop: Shop, manifest: Manifest, report: Callable[[int, int], None]) -> int:
    """Make the hands of every shard that are not there yet; return how many that were."""
    finished = store.keep([shard.sha256 for shard in manifest.shards])
    done = sum(shard.images for number, shard in enumerate(manifest.shards) if number in finished)
    report(done, manifest.images)
    made = 0
    for number, table in enumerate(iterate_keypoints(store.folder / KEYPOINTS)):
        if number in finished:
            continue
        shard, before = manifest.shards[number], done

        def count(photographs: int) -> None:
            nonlocal done
            done += photographs
            report(done, manifest.images)

        rows = shop.make(to_arrays(table), count)
        store.write(number, shard.sha256, rows)
        made += len(rows)
        if done < before + shard.images:  # those without a hand
            done = before + shard.images
            report(done, manifest.images)
    return made


def _names(keypoints: Path) -> set[str]:
    """Return the images that hold a hand; of the others, nobody needs to know the camera."""
    return {name for table in iterate_keypoints(keypoints) for name in table["image"].to_pylist()}


def check_place(images: Path, out: Path) -> None:
    """Raise DataError where the results would lie among the photographs: the next run would take them for such."""
    folder = images.parent if images.is_file() else images
    inside = [place for place in (out.absolute(), out.resolve()) if folder.resolve() in (place, *place.parents)]
    if inside and (images.is_dir() or out.resolve() == folder.resolve()):
        raise DataError(f"{out}: lies in the photographs' folder {folder}; give the hands a place outside it")


def _provenance(settings: ReconstructSettings, reconstructor: Reconstructor) -> dict[str, Any]:
    """Say what hands are made from, beside their keypoints; what becomes another makes them stale."""
    folder, name = find_checkpoint(settings.checkpoint)
    return {
        "checkpoint": sha256_file(folder / name),
        "hand model": hand_digest(reconstructor.network.hand),
        "intrinsics": None if settings.intrinsics is None else sha256_file(settings.intrinsics),
        **settings.parameters(),
        "code": source_digest("s2hand.datasets", "s2hand.train", "s2hand.pipeline.reconstruct"),
        "version": package_version(),
    }

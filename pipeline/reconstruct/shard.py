"""The hands of one shard of keypoints: photographs read ahead, hands in batches, meshes and overlays written."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path

from s2hand.datasets.boxes import HandBox
from s2hand.datasets.cameras import Box
from s2hand.datasets.crop_boxes import widened_square
from s2hand.datasets.files import DataError, remove_partial_files
from s2hand.datasets.hand_crops import HandCrop
from s2hand.datasets.keypoints import KeypointArrays
from s2hand.datasets.records import Intrinsics
from s2hand.detect.prefetch import Loaded, prefetch
from s2hand.pipeline.reconstruct.cameras import Cameras
from s2hand.pipeline.reconstruct.formats import Format
from s2hand.pipeline.reconstruct.overlays import draw_overlay, write_jpeg
from s2hand.pipeline.reconstruct.reconstruction import Reconstruction
from s2hand.pipeline.reconstruct.reconstructor import Reconstructor
from s2hand.pipeline.reconstruct.store import mesh_stem, overlay_file
from s2hand.pipeline.reconstruct.table import Row

GROUP_BYTES = 64 << 20  # of decoded photographs
WRITERS = 4


@dataclass(frozen=True, eq=False)
class Photograph:
    """A photograph and its hands, cut out."""

    loaded: Loaded
    camera: Intrinsics
    rows: Sequence[int]  # of the shard
    crops: Sequence[HandCrop]


@dataclass(frozen=True, eq=False)
class Shop:
    """All that is needed to turn shards of keypoints into hands."""

    reconstructor: Reconstructor
    cameras: Cameras
    out: Path
    formats: Sequence[Format]
    overlays: bool

    def make(self, found: KeypointArrays, done: Callable[[int], None]) -> list[Row]:
        """Reconstruct the hands of a shard and write their files; `done` is told how many photographs are finished.

        Raises DataError for a photograph that changed since its keypoints were detected.
        """
        self._make_folders(found)
        rows: list[Row] = []
        # Threads: most of writing is waiting for the disk.
        with ThreadPoolExecutor(WRITERS, thread_name_prefix="write") as pool:
            for group in self._groups(found):
                crops = [crop for one in group for crop in one.crops]
                hands = iter(self.reconstructor.from_crops(crops, [one.camera.K for one in group for _ in one.crops]))
                of_each = [[next(hands) for _ in one.crops] for one in group]
                for written in pool.map(partial(self._write, found), group, of_each):
                    rows += written
                    done(1)
        return rows

    def _make_folders(self, found: KeypointArrays) -> None:
        """Make the folders of the shard's files, and remove what a killed run left of such."""
        places = ([mesh_stem] if self.formats else []) + (
            [lambda image, _: overlay_file(image)] if self.overlays else []
        )
        files = {place(image, 0) for place in places for image in found.images}
        for folder in {(self.out / file).parent for file in files}:
            folder.mkdir(parents=True, exist_ok=True)
            remove_partial_files(folder)

    def _groups(self, found: KeypointArrays) -> Iterator[list[Photograph]]:
        """Collect as many photographs as fill a batch, or fewer large ones: by the shard alone."""
        group: list[Photograph] = []
        for one in self._photographs(found):
            group.append(one)
            hands = sum(len(member.crops) for member in group)
            if hands >= self.reconstructor.batch_size or sum(member.loaded.nbytes for member in group) >= GROUP_BYTES:
                yield group
                group = []
        if group:
            yield group

    def _photographs(self, found: KeypointArrays) -> Iterator[Photograph]:
        """Read the photographs of a shard, and cut out their hands."""
        by_image = [(image, list(rows)) for image, rows in groupby(range(len(found.images)), found.images.__getitem__)]
        with closing(prefetch(self.cameras.root, [image for image, _ in by_image])) as stream:
            for (image, rows), loaded in zip(by_image, stream, strict=True):
                if loaded.image is None or loaded.source.sha256 != found.sha256[rows[0]]:
                    why = loaded.problem or "it changed"
                    raise DataError(f"{image}: {why}, since its keypoints were detected; run the same command again")
                camera = self.cameras.of(image, loaded.width, loaded.height)
                crops = []
                for row in rows:
                    seen = HandBox(
                        Box(*map(float, found.boxes[row])), "left" if found.hands[row] == "left" else "right"
                    )
                    crops.append(
                        self.reconstructor.cut(
                            loaded.image, camera.K, seen, found.keypoints[row], self._given(seen.box)
                        )
                    )
                yield Photograph(loaded, camera, rows, crops)

    def _given(self, looked_at: Box) -> Box | None:
        """Return where a file of boxes says that the hand is: what was looked at is a square around it, enlarged."""
        detect = self.reconstructor.detect
        return None if detect.boxes is None else widened_square(looked_at, 1 / detect.box_scale)

    def _write(self, found: KeypointArrays, one: Photograph, hands: Sequence[Reconstruction]) -> list[Row]:
        """Write the files of a photograph's hands, and return their rows."""
        image, loaded = one.loaded.source.image, one.loaded
        assert loaded.image is not None
        overlay = overlay_file(image) if self.overlays else ""
        if overlay:
            write_jpeg(self.out / overlay, draw_overlay(loaded.image, hands))
        rows = []
        for row, hand in zip(one.rows, hands, strict=True):
            stem = mesh_stem(image, int(found.hand_index[row]))
            for kind in self.formats:
                hand.save(self.out / f"{stem}.{kind}")
            rows.append(
                Row(
                    image=image,
                    sha256=loaded.source.sha256,
                    width=loaded.width,
                    height=loaded.height,
                    hand_index=int(found.hand_index[row]),
                    K_source=one.camera.source,
                    mesh=stem if self.formats else "",
                    overlay=overlay,
                    hand=hand,
                )
            )
        return rows

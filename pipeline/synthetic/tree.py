"""Write a synthetic data set as FreiHAND version 2 lays its files out.

training/rgb/%08d.jpg      index + N * version, versions gs, hom, sample, auto
training/mask/%08d.jpg     of the first version only: three channels, the hand white
training_K.json            N matrices 3 x 3, pixels
training_scale.json        N lengths of the middle finger's first phalanx (joints 9 to 10), metres
training_mano.json         N lists of one list of 61 numbers: 48 pose (axis-angle; fingers relative to the model's
                           mean pose), 10 shape, 2 pixels of joint 9, 1 scale (focal length over depth of joint 9)
training_xyz.json          N x 21 x 3, metres, camera axes
training_verts.json        N x 778 x 3
evaluation/rgb/%08d.jpg, evaluation_*.json     one photograph per hand
synthetic.json             the settings; not FreiHAND's, it marks the tree as ours
"""

import json
import multiprocessing
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from s2hand.datasets.cameras import project
from s2hand.datasets.files import write_json
from s2hand.detect.interrupts import deaf_to_interrupts
from s2hand.pipeline.synthetic.scene import Photograph, photograph
from s2hand.pipeline.synthetic.settings import SyntheticSettings

Progress = Callable[[int, int], None]
"""Called with the number of hands done and of all hands."""

_MARK = "synthetic.json"
_JPEG_QUALITY = 95
_ROOT_JOINT = 9
_CHUNK = 8


@dataclass(frozen=True)
class Summary:
    """What was written: hands and photographs per split."""

    root: Path
    training_hands: int
    training_images: int
    evaluation_hands: int


@dataclass(frozen=True)
class _Labels:
    """The JSON values of one hand, by file, already rounded."""

    K: list[list[float]]
    scale: float
    mano: list[list[float]]
    xyz: list[list[float]]
    verts: list[list[float]] | None


def make_dataset(settings: SyntheticSettings, out: Path, progress: Progress | None = None) -> Summary:
    """Photograph `settings.train` + `settings.evaluation` hands and write the tree to the folder `out`.

    Everything is written to a folder beside `out`, which takes its place at the end. The files depend on the settings
    only, not on the number of workers. An older synthetic data set at `out` is replaced; raises ValueError if anything
    else is there.
    """
    with replacing_folder(Path(out), _MARK) as root:
        tasks = [("training", i) for i in range(settings.train)]
        tasks += [("evaluation", i) for i in range(settings.evaluation)]
        for folder in ("training/rgb", "training/mask", "evaluation/rgb"):
            (root / folder).mkdir(parents=True)
        labels: dict[str, list[_Labels]] = {"training": [], "evaluation": []}
        work = partial(_write_hand, settings, root)
        for done, ((split, _), result) in enumerate(zip(tasks, _run(work, tasks, settings.workers), strict=True), 1):
            labels[split].append(result)
            if progress is not None:
                progress(done, len(tasks))
        for split, values in labels.items():
            _write_json(root, split, values)
        write_json(root / _MARK, settings.model_dump(exclude={"workers"}))
    return Summary(out, settings.train, settings.train * settings.versions, settings.evaluation)


def _check_replaceable(out: Path, mark: str) -> None:
    """Refuse to replace what this package has not written."""
    if out.is_dir() and ((out / mark).is_file() or not any(out.iterdir())):
        return
    if out.exists() or out.is_symlink():
        raise ValueError(
            f"{out}: expected no such folder, an empty one or an older synthetic data set (with a {mark}), "
            "found something else; give another folder"
        )


@contextmanager
def replacing_folder(out: Path, mark: str) -> Iterator[Path]:
    """A new folder beside `out` that takes its place when the block ends well, and is removed when it does not.

    What is at `out` is replaced if it is empty or holds the file `mark`; otherwise ValueError.
    """
    _check_replaceable(out, mark)
    out.parent.mkdir(parents=True, exist_ok=True)
    temporary = out.with_name(f".{out.name}.{secrets.token_hex(4)}.partial")
    temporary.mkdir()
    try:
        yield temporary
        if out.exists():
            old = out.with_name(f".{out.name}.{secrets.token_hex(4)}.old")
            os.replace(out, old)
            os.replace(temporary, out)
            shutil.rmtree(old)
        else:
            os.replace(temporary, out)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _run(work: Callable[[tuple[str, int]], _Labels], tasks: list[tuple[str, int]], workers: int) -> Iterator[_Labels]:
    """Results in the order of the tasks, from spawned processes, or from this one if one worker is enough."""
    if workers == 1 or len(tasks) <= _CHUNK:
        _start_worker()
        yield from map(work, tasks)
        return
    count = min(workers, -(-len(tasks) // _CHUNK))
    with deaf_to_interrupts():
        processes = multiprocessing.get_context("spawn").Pool(count, _start_worker)
    with processes as pool:
        yield from pool.imap(work, tasks, _CHUNK)


def _start_worker() -> None:
    """Processes share the cores: OpenCV must not start threads of its own."""
    cv2.setNumThreads(1)


def _write_hand(settings: SyntheticSettings, root: Path, task: tuple[str, int]) -> _Labels:
    """Photograph one hand, write its images, return its labels."""
    split, index = task
    photo = photograph(settings, split, index)
    for version, image in enumerate(photo.images):
        _write_jpeg(root / split / "rgb" / f"{index + settings.train * version:08d}.jpg", image)
    if split == "training":
        mask = np.repeat((photo.mask * np.uint8(255))[..., None], 3, axis=2)
        _write_jpeg(root / split / "mask" / f"{index:08d}.jpg", mask)
    return _labels(photo, settings.vertices)


def _labels(photo: Photograph, vertices: bool) -> _Labels:
    """Rounded: metres to a micrometre, pixels and angles to a millionth."""
    root = photo.joints[_ROOT_JOINT]
    uv = project(root, photo.K)
    focal = (photo.K[0, 0] + photo.K[1, 1]) / 2
    mano = np.concatenate([photo.pose, photo.shape, uv, [focal / root[2]]])
    return _Labels(
        np.round(photo.K, 6).tolist(),
        round(float(np.linalg.norm(photo.joints[10] - root)), 6),
        [np.round(mano, 6).tolist()],
        np.round(photo.joints, 6).tolist(),
        np.round(photo.vertices, 6).tolist() if vertices else None,
    )


def _write_jpeg(path: Path, image: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> None:
    """Write RGB as JPEG."""
    coded = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])[1]
    path.write_bytes(coded.tobytes())


def _write_json(root: Path, split: str, labels: list[_Labels]) -> None:
    """One file per kind of label."""
    for name in ("K", "scale", "mano", "xyz", "verts"):
        values = [getattr(label, name) for label in labels]
        if values and values[0] is None:
            continue
        (root / f"{split}_{name}.json").write_text(json.dumps(values, separators=(",", ":")))

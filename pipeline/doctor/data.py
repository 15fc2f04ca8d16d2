"""The data set that the parameters name: whether it opens, how much it holds."""

from pathlib import Path

from s2hand.datasets.files import DataError
from s2hand.datasets.records import SPLITS
from s2hand.pipeline.doctor.finding import Finding, MissingError, look
from s2hand.pipeline.layout import PREPARED
from s2hand.pipeline.params import DataParams, Params
from s2hand.pipeline.sources import SOURCES, SYNTHETIC, open_source, require_images, source_name
from s2hand.pipeline.stages.prepare import check_hand
from s2hand.train.loop import held_back

SITES = {
    "freihand": "https://lmb.informatik.uni-freiburg.de/projects/freihand/",
    "ho3d": "https://www.tugraz.at/index.php?id=40231",
}
MOST_READ = 2000
"""Images of a data set whose labels are read here; those of a larger one may take minutes."""


def examine_data(params: Params, images: int | None) -> list[Finding]:
    """Look at the data set, in which so many images were counted, and whether it has enough for a batch."""
    sites = [f"{name}: {site}" for name, site in SITES.items() if params.data.source in (name, "auto")]
    what_to_do = "; ".join(["correct data.source or data.input", *sites])
    row = look("data set", "training and evaluation", what_to_do, lambda: _data(params.data, images))
    if row.state != "ok" or params.detect.localize != "whole" or params.detect.boxes is not None:
        return [row]  # where hands are looked for, nobody knows yet how many there are
    what_to_do = "add photographs, or lower train.batch_size"
    return [row, look("batch", "training", what_to_do, lambda: _batch(params, images))]


def _batch(params: Params, images: int | None) -> str:
    photographs = _training_photographs(params.data, images)
    learnt_from = photographs - held_back(params.train, photographs)
    said = f"train.batch_size = {params.train.batch_size} of {learnt_from:,} photographs"
    if learnt_from < params.train.batch_size:
        raise MissingError(f"{said}: there are fewer")
    return said


def _training_photographs(data: DataParams, images: int | None) -> int:
    """Return how many there are, one hand each; of a large data set, whose labels are not read here, all images."""
    if source_name(data) == SYNTHETIC:
        return data.synthetic.train * data.synthetic.versions
    return images if images is not None and images > MOST_READ else len(open_source(data, PREPARED).records("training"))


def _data(data: DataParams, images: int | None) -> str:
    root = Path(data.input)
    if not root.exists():
        raise MissingError(f"{root}: no such file or folder")
    name = source_name(data)
    if not SOURCES[name].recognises(root):
        raise DataError(f"{root}: does not look like {name}")
    if name == SYNTHETIC:
        check_hand(root)
        made = data.synthetic
        return (
            f"{name}, will be rendered: {made.train * made.versions:,} for training, {made.evaluation:,} for evaluation"
        )
    dataset = open_source(data, PREPARED)
    if images is not None and images > MOST_READ:
        return f"{name}, {images:,} image files; their labels are for `s2hand stage prepare` to read"
    records = {split: dataset.records(split) for split in SPLITS}
    for split in SPLITS:
        require_images(records[split], split, data)
    return f"{name}, " + ", ".join(f"{len(records[split]):,} for {split}" for split in SPLITS)

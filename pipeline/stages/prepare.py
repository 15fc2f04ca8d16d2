"""Stage `prepare`: make the synthetic photographs, or find the user's own; list them for the later stages."""

from pathlib import Path

from s2hand.datasets.files import sha256_file
from s2hand.datasets.records import SPLITS
from s2hand.detect.console import note, show_progress
from s2hand.pipeline.layout import PREPARED
from s2hand.pipeline.params import Params, load_params
from s2hand.pipeline.sources import INDEX, SYNTHETIC, TREE, open_source, source_name, write_index
from s2hand.pipeline.synthetic import make_dataset
from s2hand.train.mano import OPEN_HAND


def run() -> None:
    """Fill `data/prepared`: `index.json`, and for `data.source: synthetic` the photographs themselves."""
    prepare(load_params(), PREPARED)


def prepare(params: Params, prepared: Path) -> None:
    """Fill the folder `prepared`; its index is written last."""
    prepared.mkdir(parents=True, exist_ok=True)
    if source_name(params.data) == SYNTHETIC:
        check_hand(Path(params.data.input))
        settings = params.data.synthetic.model_copy(update={"seed": params.seed})
        with show_progress("photographs") as report:
            make_dataset(settings, prepared / TREE, report)
    with show_progress("list images") as report:
        index = write_index(open_source(params.data, prepared), prepared / INDEX, report)
    for split in SPLITS:
        cameras = ", ".join(f"{count} by {source}" for source, count in index[split]["cameras"].items()) or "none"
        left_out = f", {count} left out as no camera is known" if (count := index[split]["left_out"]) else ""
        found = f"{index[split]['images']} images{left_out}; cameras: {cameras}"
        note(f"{index['dataset']}, {split}: {found}")


def check_hand(path: Path) -> None:
    """Refuse another hand than the package's own: DVC watches this file, the photographs must show it."""
    if not path.is_file() or sha256_file(path) != sha256_file(OPEN_HAND):
        raise ValueError(
            f"data.input: synthetic photographs show the open hand; expected its file "
            f"(train/assets/open_hand.npz), found {path}; for photographs of your own set data.source"
        )

"""The command `detect`, also mounted as `s2hand detect`; imports wait inside, so that `--help` is quick."""

import typer

from s2hand.detect.commands.export import export
from s2hand.detect.commands.fit import fit
from s2hand.detect.commands.fit_boxes import fit_boxes
from s2hand.detect.commands.import_labels import import_labels
from s2hand.detect.commands.options import Version, epilog
from s2hand.detect.commands.run import run
from s2hand.detect.commands.show import show
from s2hand.detect.commands.stats import stats
from s2hand.detect.commands.weights import weights

app = typer.Typer(
    help="Hand keypoints with confidences from photographs.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    epilog=epilog("detect run --images DIR --out SHARDS --sheet sheet.png", "detect run --help"),
)
app.command(
    epilog=epilog(
        "detect run --images DIR --out SHARDS --sheet sheet.png",
        "detect run --images DIR --out SHARDS --localize slim",
        "detect run --images DIR --out SHARDS --boxes boxes.csv --hand left",
    )
)(run)
app.command(epilog=epilog("detect stats SHARDS", "detect stats SHARDS --out stats.json --quiet"))(stats)
app.command(
    epilog=epilog(
        "detect show SHARDS --images DIR --out worst.png --sort confidence --most 100",
        "detect show SHARDS --images DIR --out odd.png --suspicious --crops",
    )
)(show)
app.command(
    epilog=epilog(
        "detect export SHARDS --out hands.json --format coco",
        "detect export SHARDS --out hands.csv --format csv",
    )
)(export)
app.command("import", epilog=epilog("detect import labels.json --images DIR --out SHARDS --format coco"))(import_labels)
app.add_typer(weights, name="weights")
app.command(epilog=epilog("detect fit --data data/slim-1 --params presets/slim-1.yaml --out slim-1"))(fit)
app.command(epilog=epilog("detect fit-boxes --data data/pieces --start slim --out outputs/slim-boxes"))(fit_boxes)


@app.callback()
def commands(version: Version = False) -> None:
    """Hand keypoints with confidences from photographs."""

"""The command `detect`, also mounted as `s2hand detect`; imports wait inside, so that `--help` is quick."""

import typer

from s2hand.detect.commands.export import export
from s2hand.detect.commands.fit import fit
from s2hand.detect.commands.fit_boxes import fit_boxes
from s2hand.detect.commands.import_labels import import_labels
from s2hand.detect.commands.run import run
from s2hand.detect.commands.show import show
from s2hand.detect.commands.stats import stats
from s2hand.detect.commands.weights import weights

app = typer.Typer(
    help="Hand keypoints with confidences from photographs.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command()(run)
app.command()(fit)
app.command()(fit_boxes)
app.command()(export)
app.command("import")(import_labels)
app.command()(stats)
app.command()(show)
app.add_typer(weights, name="weights")


@app.callback()
def commands() -> None:
    """Hand keypoints with confidences from photographs."""


def main() -> None:
    """Run the command `detect`."""
    app()

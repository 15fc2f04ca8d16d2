"""The command `s2hand`. Imports wait inside the commands, so that `--help` answers at once."""

import typer

from s2hand.detect.cli import app as detect_app
from s2hand.detect.commands.options import Version, epilog
from s2hand.pipeline.checkpoint_cli import app as checkpoint_app
from s2hand.pipeline.doctor.command import doctor
from s2hand.pipeline.experiments.command import experiments
from s2hand.pipeline.official.command import evaluate
from s2hand.pipeline.reconstruct.command import reconstruct
from s2hand.pipeline.report.command import report
from s2hand.pipeline.stage_cli import metrics, stage
from s2hand.pipeline.synthetic_cli import scenes, synthetic
from s2hand.pipeline.train_cli import app as train_app

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)
app.command(
    epilog=epilog(
        "s2hand reconstruct --images DIR --checkpoint outputs/model --out hands",
        "s2hand reconstruct --images DIR --checkpoint FILE --out hands --localize slim",
    )
)(reconstruct)
app.command(epilog=epilog("s2hand stage evaluate"))(stage)
app.command(epilog=epilog("s2hand metrics", "s2hand metrics --file results/synthetic-long/metrics.json"))(metrics)
app.command(
    epilog=epilog(
        "s2hand evaluate",
        "s2hand evaluate --data data/freihand --pred pred.zip",
        "s2hand evaluate --checkpoint outputs/model --hand-model MANO_RIGHT.pkl",
    )
)(evaluate)
app.command(epilog=epilog("s2hand report", "s2hand report --against main --out since-main.html"))(report)
app.command(epilog=epilog("s2hand doctor", "s2hand doctor --params presets/freihand.yaml"))(doctor)
app.command(epilog=epilog("s2hand synthetic --out data/hands --train 2000 --evaluation 200"))(synthetic)
app.command(epilog=epilog("s2hand scenes --out data/pieces --hands 9000 --people 2000"))(scenes)
app.command(
    epilog=epilog(
        "s2hand experiments ablation --seeds 5",
        "s2hand experiments supervision",
        "s2hand experiments keypoint-sets --seeds 1 --jobs 1",
    )
)(experiments)
app.add_typer(detect_app, name="detect")
app.add_typer(train_app, name="train")
app.add_typer(checkpoint_app, name="checkpoint")


@app.callback(epilog=epilog("s2hand doctor", "s2hand reconstruct --help"))
def commands(version: Version = False) -> None:
    """From a folder of hand photographs to a trained, evaluated 3D hand network, without annotation."""

"""The options that commands share, each said once; and what checks them, and what ends every `--help`."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

import typer

from s2hand.detect.variants import Where

if TYPE_CHECKING:
    from s2hand.datasets.settings import Settings

AnySettings = TypeVar("AnySettings", bound="Settings")

HANDS, SPEED, OPENPOSE = "Where the hands are", "Speed", "OpenPose's weights only"
"""Panels of `--help`, which else would be one long list."""

EXIT_CODES = "Exit codes: 0 done, 1 wrong files or values, 2 wrong usage, 130 Ctrl-C."


def epilog(*examples: str) -> str:
    """Return the end of a command's `--help`: examples, each on its line, and the exit codes."""
    return "\n\n".join(["Example:" if len(examples) == 1 else "Examples:", *examples, EXIT_CODES])


def show_version(wanted: bool) -> None:
    """Print the package's version and end, if it is wanted."""
    if wanted:
        from importlib.metadata import version

        typer.echo(f"s2hand {version('s2hand')}")
        raise typer.Exit


Version = Annotated[
    bool, typer.Option("--version", callback=show_version, is_eager=True, help="Print the version and end.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON, and nothing else on stdout.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Show no progress and no table; errors only.")]

Images = Annotated[
    Path, typer.Option("--images", help="Folder of photographs and videos, read recursively; or one file.")
]
Shards = Annotated[Path, typer.Argument(help="Folder of keypoint shards, of a finished run.")]
Weights = Annotated[
    str,
    typer.Option(
        "--weights",
        autocompletion=lambda: ["slim", "openpose"],
        help="`slim`; `openpose`, as `detect weights fetch` has it; or a weight file: a slim network's or "
        "hand_pose_model.pth.",
    ),
]
Localize = Annotated[
    Where,
    typer.Option(
        "--localize",
        rich_help_panel=HANDS,
        help="`whole`: each image is one hand; `body`, `slim`: look for them.",
    ),
]
Boxes = Annotated[
    Path | None,
    typer.Option("--boxes", rich_help_panel=HANDS, help="A Parquet, CSV or COCO file of them, instead of looking."),
]
BoxScale = Annotated[
    float,
    typer.Option(
        "--box-scale", rich_help_panel=HANDS, help="Enlarge hand boxes; those that fit tightly want about 1.4."
    ),
]
BodyWeights = Annotated[
    str,
    typer.Option(
        "--body-weights",
        rich_help_panel=HANDS,
        autocompletion=lambda: ["openpose-body"],
        help="`--localize body`: `openpose-body`, as fetched, or the path of body_pose_model.pth.",
    ),
]
MinConfidence = Annotated[
    float | None,
    typer.Option(
        "--min-confidence",
        rich_help_panel=HANDS,
        help="Leave out hands of a lower mean confidence; default: 0.3 where they are looked for, else 0.",
    ),
]
Side = Annotated[
    Literal["right", "left"],
    typer.Option(
        "--hand", rich_help_panel=HANDS, help="The hand that the images show, where nothing else says which it is."
    ),
]
Every = Annotated[int, typer.Option("--every", min=1, help="Of videos, take every n-th frame.")]
Device = Annotated[
    str,
    typer.Option(
        "--device",
        rich_help_panel=SPEED,
        autocompletion=lambda: ["auto", "cpu", "cuda"],
        help="`cpu`, `cuda`, `cuda:N`; `auto` takes a GPU if there is one.",
    ),
]
Threads = Annotated[int | None, typer.Option("--workers", min=1, help="Threads; default: one per processor core.")]


def checked(kind: "type[AnySettings]", options: Mapping[str, str] | None = None, **values: Any) -> "AnySettings":
    """Make settings of options; `options` gives the name of an option where the setting's is another.

    Raises ValueError in one line that names the first wrong option.
    """
    from pydantic import ValidationError

    try:
        return kind(**values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        own = first["type"] == "value_error"  # raised by the settings' own checks, so that it says all
        problem = str(first["ctx"]["error"]) if own else f"{first['msg']}, found {first['input']!r}"
        if not first["loc"]:  # of options together
            raise ValueError(problem) from None
        name = str(first["loc"][0])
        option = (options or {}).get(name, name).replace("_", "-")
        raise ValueError(f"--{option}: {problem}") from None

"""`detect weights`: the weight files that are known; fetched, and told from damaged ones."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from s2hand.detect.commands.options import AsJson, Quiet, epilog
from s2hand.detect.console import note, show_result, show_rows, user_errors

if TYPE_CHECKING:
    from s2hand.detect.hub import KnownFile

_NAMES = ("hand_pose_model.pth", "body_pose_model.pth")  # to be fetched, for completion in the shell

weights = typer.Typer(
    help="Weight files: list, fetch, verify.",
    no_args_is_help=True,
    epilog=epilog("detect weights list", "detect weights fetch --help"),
)


@weights.command("list", epilog=epilog("detect weights list"))
def list_weights(as_json: AsJson = False, quiet: Quiet = False) -> None:
    """List the known weight files, and where they are on this machine."""
    with user_errors("nothing was changed", quiet):
        from s2hand.detect.hub import known_files

        known = known_files()
        show_result([_facts(one) for one in known], as_json, lambda: _print_files(known))


@weights.command(epilog=epilog("detect weights fetch hand_pose_model.pth"))
def fetch(
    name: Annotated[
        str, typer.Argument(help="A file that `detect weights list` names.", autocompletion=lambda: list(_NAMES))
    ],
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Download a published weight file into the cache of huggingface_hub, verify it, print its path."""
    with user_errors("run the same command again to go on; what was downloaded is kept", quiet):
        from s2hand.detect.hub import fetch as fetch_known
        from s2hand.detect.hub import find_known

        known = find_known(name)
        if quiet:
            from huggingface_hub.utils.tqdm import disable_progress_bars

            disable_progress_bars()
        path = str(fetch_known(known))
        note(f"licence: {known.licence}")
        show_result({**_facts(known), "path": path}, as_json, lambda: typer.echo(path))


@weights.command(epilog=epilog("detect weights verify hand_pose_model.pth"))
def verify(
    file: Annotated[str, typer.Argument(help="A weight file, of any name.")],
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Tell which known file this is, by size and SHA-256, and that it loads. Exit code 1 if it is none."""
    with user_errors("nothing was changed", quiet):
        from s2hand.datasets.files import sha256_file
        from s2hand.detect.hub import identify
        from s2hand.detect.weights import KINDS, WeightsError, read_weights, weights_path

        path = weights_path(file)
        known, problem = identify(path)
        facts: dict[str, Any] = {"file": str(path), "size": path.stat().st_size, "sha256": sha256_file(path)}
        facts |= {"known": None if known is None else known.name, "loads": True}
        rows = {"file": str(path), "size": f"{facts['size']:,} bytes", "sha256": facts["sha256"]}
        rows["known"] = "no" if known is None else f"{known.name}, {known.network}"
        wrong = None
        try:
            found = read_weights(path)
            rows["loads"] = f"yes, {len(found.tensors)} tensors, {KINDS[found.kind]}"
        except WeightsError as error:
            facts["loads"], rows["loads"], wrong = False, "no", error
        show_result(facts, as_json, lambda: show_rows(rows))
        if problem or wrong:
            raise WeightsError(f"{path}: {problem}" if problem else str(wrong)) from wrong


def _print_files(files: "tuple[KnownFile, ...]") -> None:
    for number, known in enumerate(files):
        typer.echo(("\n" if number else "") + known.name)
        show_rows(_describe(known), indent="  ")


def _facts(known: "KnownFile") -> dict[str, Any]:
    from s2hand.detect.hub import cached_path

    path = cached_path(known)
    return {**asdict(known), "packaged": known.packaged is not None, "path": None if path is None else str(path)}


def _describe(known: "KnownFile") -> dict[str, str]:
    path = _facts(known)["path"]
    return {
        "network": known.network,
        "size": f"{known.size:,} bytes",
        "sha256": known.sha256,
        "licence": known.licence,
        "use": known.use,
        "place": path or f"not fetched; run `detect weights fetch {known.name}`",
    }

"""`detect weights`: the weight files that are known; fetched, and told from damaged ones."""

from typing import TYPE_CHECKING, Annotated

import typer

from s2hand.detect.console import user_errors

if TYPE_CHECKING:
    from s2hand.detect.hub import KnownFile

weights = typer.Typer(help="Weight files: list, fetch, verify.", no_args_is_help=True)


@weights.command("list")
def list_weights() -> None:
    """List the known weight files, and where they are on this machine."""
    with user_errors("nothing was changed"):
        from s2hand.detect.hub import known_files

        for number, known in enumerate(known_files()):
            typer.echo(("\n" if number else "") + known.name)
            _print_rows(_describe(known))


@weights.command()
def fetch(
    name: Annotated[str, typer.Argument(help="A file that `detect weights list` names.")],
) -> None:
    """Download a published weight file into the cache of huggingface_hub, verify it, print its path."""
    with user_errors("run the same command again to go on; what was downloaded is kept"):
        from s2hand.detect.hub import fetch as fetch_known
        from s2hand.detect.hub import find_known

        known = find_known(name)
        path = fetch_known(known)
        typer.echo(f"licence: {known.licence}", err=True)
        typer.echo(str(path))


@weights.command()
def verify(file: Annotated[str, typer.Argument(help="A weight file, of any name.")]) -> None:
    """Tell which known file this is, by size and SHA-256, and that it loads. Exit code 1 if it is none."""
    with user_errors("nothing was changed"):
        from s2hand.datasets.files import sha256_file
        from s2hand.detect.hub import identify
        from s2hand.detect.weights import KINDS, WeightsError, read_weights, weights_path

        path = weights_path(file)
        _print_rows({"file": str(path), "size": f"{path.stat().st_size:,} bytes", "sha256": sha256_file(path)})
        known, problem = identify(path)
        _print_rows({"known": "no" if known is None else f"{known.name}, {known.network}"})
        try:
            found = read_weights(path)
        except WeightsError as error:
            _print_rows({"loads": "no"})
            raise WeightsError(f"{path}: {problem}" if problem else str(error)) from error
        _print_rows({"loads": f"yes, {len(found.tensors)} tensors, {KINDS[found.kind]}"})
        if problem:
            raise WeightsError(f"{path}: {problem}")


def _describe(known: "KnownFile") -> dict[str, str]:
    from s2hand.detect.hub import cached_path

    path = cached_path(known)
    return {
        "network": known.network,
        "size": f"{known.size:,} bytes",
        "sha256": known.sha256,
        "licence": known.licence,
        "use": known.use,
        "place": f"not fetched; run `detect weights fetch {known.name}`" if path is None else str(path),
    }


def _print_rows(rows: dict[str, str]) -> None:
    for name, value in rows.items():
        typer.echo(f"  {name:<8} {value}")

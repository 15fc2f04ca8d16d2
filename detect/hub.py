"""The weight files that are known: what they are, how to tell them, where they are, how to get them.

The published ones stay in the cache of `huggingface_hub`, which resumes broken downloads and respects its environment
variables (`HF_HOME`, `HF_HUB_OFFLINE`, ...). A file is what it claims to be if its size and SHA-256 say so.
"""

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from s2hand.datasets.files import DataError, sha256_file

REPOSITORY = "lllyasviel/Annotators"
"""The repository on the Hugging Face Hub that holds the published files."""

SLIM = "slim"
"""The name that stands for the weights that come with the package."""

SLIM_BOXES = "slim-boxes"
"""The name of the finder of hands that comes with the package."""

PACKAGED = {SLIM: "slim.safetensors", SLIM_BOXES: "slim_boxes.safetensors"}
"""The files that come with the package, by name."""

OPENPOSE_LICENCE = "OpenPose's: for academic or non-profit non-commercial research only"
OWN_LICENCE = "Apache-2.0, the package's"


class WeightsError(DataError):
    """A weight file that is missing, unreadable, or not of a known network."""


@dataclass(frozen=True)
class KnownFile:
    """A weight file that this package knows."""

    name: str
    alias: str  # what options call it
    use: str  # the option that takes it
    network: str
    size: int  # bytes
    sha256: str
    licence: str
    packaged: Path | None = None  # where it is, if it comes with the package


HAND = KnownFile(
    "hand_pose_model.pth",
    "openpose",
    "--weights openpose",
    "OpenPose hand network",
    147_341_049,
    "b76b00d1750901abd07b9f9d8c98cc3385b8fe834a26d4b4f0aad439e75fc600",
    OPENPOSE_LICENCE,
)
BODY = KnownFile(
    "body_pose_model.pth",
    "openpose-body",
    "--localize body --body-weights openpose-body",
    "OpenPose body network",
    209_267_595,
    "25a948c16078b0f08e236bda51a385d855ef4c153598947c28c0d47ed94bb746",
    OPENPOSE_LICENCE,
)
PUBLISHED = (HAND, BODY)


def known_files() -> tuple[KnownFile, ...]:
    """List the published files and the packaged ones, which are described from the files themselves."""
    slim = _packaged(SLIM, "--weights slim", "slim hand network")
    return (*PUBLISHED, slim, _packaged(SLIM_BOXES, "--localize slim", "slim finder of hands"))


def _packaged(name: str, use: str, network: str) -> KnownFile:
    path = packaged_path(name)
    return KnownFile(name, name, use, network, path.stat().st_size, sha256_file(path), OWN_LICENCE, path)


def packaged_path(name: str = SLIM) -> Path:
    """Return where weights are that come with the package."""
    return Path(str(files("s2hand.detect") / "assets" / PACKAGED[name]))


def find_known(name: str) -> KnownFile:
    """Return the known file of that name or alias; `WeightsError` lists the names if there is none."""
    for known in known_files():
        if name in (known.name, known.alias):
            return known
    names = ", ".join(known.name for known in known_files())
    raise WeightsError(f"{name}: no known weights; expected one of {names}")


def cached_path(known: KnownFile) -> Path | None:
    """Return where a known file is on this machine, or None if it has not been fetched."""
    if known.packaged is not None:
        return known.packaged
    from huggingface_hub import try_to_load_from_cache

    path = try_to_load_from_cache(REPOSITORY, known.name)
    return Path(path) if isinstance(path, str) else None


def require_cached(known: KnownFile) -> Path:
    """Return where a known file is; `WeightsError` says how to fetch it if it is not there."""
    path = cached_path(known)
    if path is None:
        raise WeightsError(f"{known.alias}: not fetched yet; run `detect weights fetch {known.name}`")
    return path


def problem_of(path: Path, known: KnownFile) -> str | None:
    """Say how a file differs from a known one, or None; its bytes are read only if its size is right."""
    size = path.stat().st_size
    if size != known.size:
        cut = ": truncated" if size < known.size else ""
        return f"expected {known.name} of {known.size:,} bytes, found {size:,}{cut}"
    found = sha256_file(path)
    if found != known.sha256:
        return f"expected {known.name} with sha256 {known.sha256}, found {found}: damaged, or another file"
    return None


def check_known(path: Path, known: KnownFile) -> None:
    """Raise `WeightsError` unless a file is the known one."""
    problem = problem_of(path, known)
    if problem:
        raise WeightsError(f"{path}: {problem}; run `detect weights fetch {known.name}`")


def identify(path: Path) -> tuple[KnownFile | None, str | None]:
    """Tell which known file this is, whatever its name; or, with None, what was expected and found."""
    for known in known_files():
        if problem_of(path, known) is None:
            return known, None
    size = path.stat().st_size
    for known in known_files():  # what it was meant to be
        if path.name == known.name or size == known.size:
            return None, problem_of(path, known)
    names = ", ".join(f"{known.name} of {known.size:,} bytes" for known in known_files())
    return None, f"expected one of {names}; found {size:,} bytes"


def named_like(path: Path) -> KnownFile | None:
    """Return the published file that has this file's name and size: any other content is damage."""
    return next((one for one in PUBLISHED if path.name == one.name and path.stat().st_size == one.size), None)


def fetch(known: KnownFile) -> Path:
    """Return the verified file, from the cache or from the hub; a damaged one in the cache is fetched anew."""
    path = cached_path(known)
    if path is not None and problem_of(path, known) is None:
        return path
    path = _download(known, again=path is not None)
    problem = problem_of(path, known)
    if problem:
        raise WeightsError(f"{path}: {problem}; run the same command to fetch it again")
    return path


def _download(known: KnownFile, again: bool) -> Path:
    from huggingface_hub import hf_hub_download

    try:
        return Path(hf_hub_download(REPOSITORY, known.name, force_download=again))
    except Exception as error:  # the errors of the hub's client change with the network library beneath it
        reason = (str(error) or type(error).__name__).strip().splitlines()[0].rstrip(".")
        raise WeightsError(
            f"{known.name}: can't be fetched from the Hugging Face Hub, {REPOSITORY} ({reason}); download it by hand "
            f"from https://huggingface.co/{REPOSITORY}/resolve/main/{known.name}, check it with "
            f"`detect weights verify FILE`, and use it with `{known.use.replace(known.alias, 'FILE')}`"
        ) from error

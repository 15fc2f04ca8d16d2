"""Known weight files: found, fetched, verified; the hub is replaced by local files."""

import hashlib
import re
from dataclasses import replace
from pathlib import Path

import huggingface_hub
import pytest
from huggingface_hub.errors import LocalEntryNotFoundError, OfflineModeIsEnabled

from s2hand.datasets.files import sha256_file
from s2hand.detect import hub
from s2hand.detect.hub import BODY, HAND, WeightsError

CONTENT = b"weights " * 1000
KNOWN = replace(HAND, size=len(CONTENT), sha256=hashlib.sha256(CONTENT).hexdigest())


class Hub:
    """Stands for huggingface_hub: a cache of one file, and what a download would bring."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.cached = folder / "cache" / HAND.name
        self.cached.parent.mkdir()
        self.answers: list[bytes | Exception] = []
        self.downloads: list[tuple[str, str, bool]] = []
        monkeypatch.setattr(huggingface_hub, "hf_hub_download", self._download)
        monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", self._look)

    def _look(self, repository, name):
        assert repository == "lllyasviel/Annotators"
        return str(self.cached) if self.cached.exists() and name == HAND.name else None

    def _download(self, repository, name, force_download=False):
        self.downloads.append((repository, name, force_download))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        self.cached.write_bytes(answer)
        return str(self.cached)


@pytest.fixture
def fake(tmp_path, monkeypatch):
    return Hub(tmp_path, monkeypatch)


def test_the_published_files_are_those_of_the_hub():
    assert (HAND.size, HAND.sha256[:8]) == (147_341_049, "b76b00d1")
    assert (BODY.size, BODY.sha256[:8]) == (209_267_595, "25a948c1")
    assert all(re.fullmatch(r"[0-9a-f]{64}", known.sha256) for known in hub.known_files())


@pytest.mark.parametrize("name", ["slim", "slim-boxes"])
def test_a_packaged_file_is_described_from_itself(name):
    slim = hub.find_known(name)
    assert (slim.size, slim.sha256) == (slim.packaged.stat().st_size, sha256_file(slim.packaged))
    assert hub.cached_path(slim) == hub.fetch(slim) == slim.packaged


@pytest.mark.parametrize(
    ("name", "known"), [("openpose", HAND), ("hand_pose_model.pth", HAND), ("openpose-body", BODY)]
)
def test_names_and_aliases_are_found(name, known):
    assert hub.find_known(name) == known


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(WeightsError, match=r"foot: no known .* hand_pose_model.pth, body_pose_model.pth, slim"):
        hub.find_known("foot")


def test_what_is_not_fetched_says_how_to(fake):
    assert hub.cached_path(HAND) is None
    with pytest.raises(
        WeightsError, match=r"openpose: not fetched yet; run `detect weights fetch hand_pose_model.pth`"
    ):
        hub.require_cached(HAND)


def test_a_file_is_fetched_once(fake):
    fake.answers = [CONTENT]
    assert hub.fetch(KNOWN) == fake.cached
    assert hub.fetch(KNOWN) == fake.cached == hub.require_cached(KNOWN)
    assert fake.downloads == [("lllyasviel/Annotators", "hand_pose_model.pth", False)]


@pytest.mark.parametrize("damaged", [CONTENT[:-1], CONTENT[:-1] + b"!", b""])
def test_a_damaged_file_in_the_cache_is_fetched_anew(fake, damaged):
    fake.cached.write_bytes(damaged)
    fake.answers = [CONTENT]
    assert hub.fetch(KNOWN).read_bytes() == CONTENT
    assert [again for _, _, again in fake.downloads] == [True]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (CONTENT[:500], r"expected hand_pose_model.pth of 8,000 bytes, found 500: truncated"),
        (CONTENT + b"more", r"expected hand_pose_model.pth of 8,000 bytes, found 8,004;"),
        (CONTENT[:-1] + b"!", r"with sha256 [0-9a-f]{64}, found [0-9a-f]{64}: damaged, or another file"),
    ],
)
def test_a_download_that_is_not_the_file_is_refused(fake, content, message):
    fake.answers = [content]
    with pytest.raises(WeightsError, match=message) as caught:
        hub.fetch(KNOWN)
    assert str(caught.value).startswith(str(fake.cached))


@pytest.mark.parametrize(
    "error",
    [
        LocalEntryNotFoundError("An error happened while trying to locate the file\non the Hub."),
        OfflineModeIsEnabled("Cannot reach https://huggingface.co: offline mode is enabled."),
        ConnectionError("no route to host"),
        TimeoutError(),
        OSError(28, "No space left on device"),
    ],
)
def test_without_the_hub_one_line_says_what_to_do(fake, error):
    fake.answers = [error]
    with pytest.raises(WeightsError) as caught:
        hub.fetch(KNOWN)
    text = str(caught.value)
    assert "\n" not in text
    assert (str(error).splitlines() or ["TimeoutError"])[0].rstrip(".") in text
    assert (
        "download it by hand from https://huggingface.co/lllyasviel/Annotators/resolve/main/hand_pose_model.pth" in text
    )
    assert "`detect weights verify FILE`, and use it with `--weights FILE`" in text


def test_the_real_client_offline_is_refused_the_same_way(tmp_path, monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    assert hub.cached_path(HAND) is None
    with pytest.raises(WeightsError, match=r"can't be fetched from the Hugging Face Hub"):
        hub.fetch(HAND)


def test_a_file_is_identified_whatever_its_name(tmp_path, monkeypatch):
    monkeypatch.setattr(hub, "PUBLISHED", (KNOWN, BODY))
    path = tmp_path / "downloaded.bin"
    path.write_bytes(CONTENT)
    assert hub.identify(path) == (KNOWN, None)
    path.write_bytes(CONTENT[:-1])
    known, problem = hub.identify(path)
    assert known is None
    assert re.match(r"expected one of hand_pose_model.pth of 8,000 bytes, .*; found 7,999 bytes", problem)
    path.write_bytes(CONTENT[:-1] + b"!")
    assert "damaged" in hub.identify(path)[1]
    named = tmp_path / HAND.name
    named.write_bytes(CONTENT[:-1])
    assert hub.identify(named) == (None, "expected hand_pose_model.pth of 8,000 bytes, found 7,999: truncated")

"""What others call: each of it has an example in its docstring, and the examples do what they say."""

import doctest
import shutil
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from s2hand.detect import DetectSettings, run_detection
from s2hand.pipeline.reconstruct.run import run_reconstruction
from s2hand.pipeline.reconstruct.settings import ReconstructSettings

HANDS = Path(__file__).parents[1] / "detect" / "reference" / "slim_hands"
PARTS = ("datasets", "detect", "train", "pipeline")
PUBLIC = [(part, name) for part in PARTS for name in import_module(f"s2hand.{part}").__all__]


@pytest.fixture(scope="module")
def workplace(make_checkpoint, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as a user has it: two photographs, their keypoints and hands, and a network."""
    folder = tmp_path_factory.mktemp("workplace")
    (folder / "photographs").mkdir()
    for name, source in zip(("one", "two"), sorted(HANDS.glob("*.jpg")), strict=False):
        shutil.copy(source, folder / "photographs" / f"{name}.jpg")
    (folder / "outputs").mkdir()
    model = make_checkpoint(folder / "outputs" / "model")
    run_detection(folder / "photographs", folder / "shards", DetectSettings(device="cpu"))
    settings = ReconstructSettings(checkpoint=model, formats=())
    run_reconstruction(folder / "photographs", folder / "hands", settings)
    return folder


@pytest.mark.parametrize(("part", "name"), PUBLIC, ids=[".".join(public) for public in PUBLIC])
def test_the_example_does_what_it_says(
    part: str, name: str, workplace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(workplace, tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    public: Any = getattr(import_module(f"s2hand.{part}"), name)
    tests = doctest.DocTestFinder().find(public, name, globs={})
    assert any(test.examples for test in tests)
    runner, said = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS), []
    for test in tests:
        runner.run(test, out=said.append)
    assert runner.summarize(verbose=False).failed == 0, "".join(said)

"""params.yaml is refused where it is wrong, with the key's path."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from s2hand.pipeline.params import Params, ParamsError, load_params
from s2hand.pipeline.sources import source_name

SHIPPED = Path(__file__).parents[2] / "params.yaml"


@pytest.fixture
def values() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(SHIPPED.read_text())
    return loaded


def load(values: Any, folder: Path) -> Params:
    path = folder / "params.yaml"
    path.write_text(yaml.safe_dump(values))
    return load_params(path)


def test_the_shipped_parameters_are_valid() -> None:
    params = load_params(SHIPPED)
    assert source_name(params.data) == "synthetic"
    assert (SHIPPED.parent / params.hand_model).is_file()
    assert (SHIPPED.parent / params.detect.weights).is_file()


PRESETS = sorted(path for path in (SHIPPED.parent / "presets").glob("*.yaml") if not path.name.startswith("slim"))


@pytest.mark.parametrize("path", PRESETS, ids=lambda path: path.stem)
def test_every_preset_can_take_the_place_of_params_yaml(path: Path) -> None:
    params = load_params(path)
    assert (SHIPPED.parent / params.hand_model).is_file()


@pytest.mark.parametrize("name", ["freihand", "ho3d"])
def test_the_presets_of_the_papers_data_sets_have_its_schedule(name: str) -> None:
    params = load_params(SHIPPED.parent / f"presets/{name}.yaml")
    stages = params.train.stages
    assert (params.data.source, params.train.batch_size, params.pack.image_size) == (name, 64, 224)
    for plan, (epochs, rate, every, factor) in (
        (stages.shape, (90, 1e-3, 30, 1 / 2)),
        (stages.keypoints, (90, 1e-3, 30, 1 / 2)),
        (stages.joint, (60, 2.5e-4, 20, 1 / 3)),
    ):
        assert (plan.epochs, plan.learning_rate, plan.schedule, plan.step_epochs) == (epochs, rate, "step", every)
        assert plan.step_factor == pytest.approx(factor)


@pytest.mark.parametrize(
    ("section", "key", "value", "message"),
    [
        ("train", "stage", 3, "train.stage: unknown key, did you mean stages?"),
        ("train", "batch_size", "3", "train.batch_size: Input should be a valid integer, found '3'"),
        ("train", "batch_size", True, "train.batch_size: Input should be a valid integer, found True"),
        ("pack", "image_size", 0, "pack.image_size: Input should be greater than or equal to 32, found 0"),
        ("data", "source", "frei", "data.source: Input should be 'auto', 'synthetic',"),
        ("detect", "hand", "left", "detect.hand: set data.folder.hand instead"),
        ("train", "seed", 4, "train.seed: set seed instead"),
        ("detect", "weights", "slim", "detect.weights: expected the path of a file"),
    ],
)
def test_a_wrong_key_is_named(
    values: dict[str, Any], tmp_path: Path, section: str, key: str, value: Any, message: str
) -> None:
    values[section][key] = value
    with pytest.raises(ParamsError) as caught:
        load(values, tmp_path)
    assert message in str(caught.value)
    assert str(tmp_path / "params.yaml") in str(caught.value)


def test_the_open_hand_is_given_by_its_path(values: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(ParamsError, match=r"hand_model: .* write train/assets/open_hand\.npz"):
        load(values | {"hand_model": "open"}, tmp_path)


def test_a_misspelt_section_inside_a_section_is_named(values: dict[str, Any], tmp_path: Path) -> None:
    values["data"]["synthetic"]["trian"] = 5
    with pytest.raises(ParamsError, match=r"data\.synthetic\.trian: unknown key, did you mean train\?"):
        load(values, tmp_path)


def test_every_wrong_key_has_its_line(values: dict[str, Any], tmp_path: Path) -> None:
    values["train"]["epoch"] = 1
    del values["seed"]
    with pytest.raises(ParamsError) as caught:
        load(values, tmp_path)
    lines = str(caught.value).splitlines()
    assert len(lines) == 2
    assert any("seed: missing" in line for line in lines)


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "seed: [1\n"])
def test_what_is_not_a_mapping_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(text)
    with pytest.raises(ParamsError, match=r"params\.yaml"):
        load_params(path)


def test_a_missing_file_says_where_to_run(tmp_path: Path) -> None:
    with pytest.raises(ParamsError, match="run this in the project's folder"):
        load_params(tmp_path / "params.yaml")

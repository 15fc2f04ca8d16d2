"""Settings with which nothing could be learnt are refused when they are read."""

import pytest
from pydantic import ValidationError

from s2hand.train.settings import LossSettings, StagesSettings, TrainSettings


def test_some_term_ties_the_hand_to_the_image() -> None:
    with pytest.raises(ValidationError, match="E_loc and E_ori are both 0: nothing would tie the hand to the image"):
        LossSettings(E_loc=0.0, E_ori=0.0)
    assert LossSettings(E_loc=0.0, E_ori=1.0).E_ori == 1.0


def test_some_stage_trains_the_hand() -> None:
    none = {name: {"epochs": 0, "learning_rate": 0.1} for name in ("shape", "joint")}
    stages = StagesSettings.model_validate(none)
    with pytest.raises(ValidationError, match="nothing would train a hand"):
        TrainSettings(stages=stages)
    assert TrainSettings(stages=stages, start="outputs/earlier").stages.joint.epochs == 0
    nothing = StagesSettings.model_validate(none | {"keypoints": none["joint"]})
    with pytest.raises(ValidationError, match="stages: all have 0 epochs"):
        TrainSettings(stages=nothing, start="outputs/earlier")

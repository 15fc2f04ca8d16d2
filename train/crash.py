"""A step whose loss was not finite, kept so that anyone can see it again."""

from pathlib import Path

import torch

from s2hand.datasets.files import replacing
from s2hand.train.augment import Batch
from s2hand.train.branches import Branches, Stage, start_training
from s2hand.train.checkpoint import Identity, hand_digest
from s2hand.train.gradients import NonFiniteLossError, step_gradients
from s2hand.train.mano import load_hand_model
from s2hand.train.objective import Objective
from s2hand.train.settings import TrainSettings

CRASH = "nonfinite.pt"


def write_crash(out: Path, batch: Batch, branches: Branches, stage: Stage, identity: Identity) -> Path:
    """Write the batch as the networks saw it, and the weights before the step; returns the file.

    Of several processes each writes its own part, without the batch statistics of the others.
    """
    path = out / CRASH
    state = {
        "stage": str(stage),
        "settings": identity.settings.model_dump_json(),
        "hand": identity.hand,
        "batch": {name: tensor.cpu() for name, tensor in vars(batch).items()},
        "branches": {name: tensor.cpu() for name, tensor in branches.state_dict().items()},
    }
    with replacing(path) as temporary:
        torch.save(state, temporary)
    return path


def reproduce(path: Path, hand: str = "open") -> str:
    """Take the step of a file of `write_crash` again, on the CPU; returns what happened, in one line.

    Raises ValueError for a file that can't be read, or another hand model.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        settings = TrainSettings.model_validate_json(state["settings"])
        batch, stage = Batch(**state["batch"]), Stage(state["stage"])
    except Exception as error:  # torch.load raises whatever the damage leads to
        raise ValueError(f"{path}: not a step that training has kept ({error})") from error
    model = load_hand_model(hand)
    if hand_digest(model) != state["hand"]:
        raise ValueError(f"{path}: from a training with another hand model than {hand!r}; give it with --hand-model")
    encoder = settings.encoder.model_copy(update={"pretrained": "never"})
    branches = Branches(settings.model_copy(update={"encoder": encoder}), model)
    branches.load_state_dict(state["branches"])
    chosen = branches.of_stage(stage)
    start_training(chosen, settings.freeze_batch_norm)
    half = settings.precision == "bfloat16"
    objective = Objective(settings.loss, model, stage, settings.supersampling)
    try:
        values = step_gradients(chosen, objective, batch, half).values
    except NonFiniteLossError as error:
        return f"{error.term} is not finite for the rows {error.rows.tolist()} of the pack"
    return "all terms are finite here: " + ", ".join(f"{name} {value:.4g}" for name, value in values.items())

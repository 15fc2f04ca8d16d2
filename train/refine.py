"""Fit reconstructed hands to the keypoints, and the pixels, of their own photographs, starting from the network's
answer.

The network has learnt what hands look like; a few dozen steps of Adam then bring each hand nearer to what was detected
in its photograph, while the losses that trained the network, and the distance from its answer, keep what a picture
can't tell. First the hand as it is moves and turns; then it bends and takes shape; then, where the pixels count, it
takes on colour and light.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace

import torch
from torch import Tensor

from s2hand.train.encoder import GeometryCode
from s2hand.train.losses import to_reference_pixels
from s2hand.train.model import HandNetwork, Hands
from s2hand.train.refine_settings import RefineSettings
from s2hand.train.refine_terms import Changes, Problem, no_changes
from s2hand.train.texture import TextureCode

Objective = Callable[[Changes], Tensor]  # -> [B]

_BETAS = (0.9, 0.99)  # of Adam, for so few steps


def refine(
    network: HandNetwork,
    hands: Hands,
    images: Tensor,  # [B, 3, S, S] RGB in [0, 1]
    K: Tensor,  # [B, 3, 3] of the crops
    keypoints: Tensor,  # [B, 21, 3] pixels of the crop, confidence; NaN where that is 0
    settings: RefineSettings,
) -> Hands:
    """Hands nearer to the detected keypoints, and the pixels if asked, of which none is worse than it was.

    Each hand is fitted on its own; one of which no joint was detected comes back as it is. Works under
    `torch.inference_mode` and `torch.no_grad` too, and the result has no gradient.
    """
    with torch.inference_mode(False), torch.enable_grad():
        start = _detached(hands)
        detected = to_reference_pixels(keypoints[..., :2].clone(), images.shape[-1])
        confidence = keypoints[..., 2].clone().pow(settings.sharpness)
        problem = Problem(network, start, images.clone(), K.clone(), detected, confidence, settings)
        changes = _optimise(problem, no_changes(start))
        refined = _detached(problem.changed(changes))
    found = (confidence > 0).any(1)
    return _choose(found, refined, start)


def _optimise(problem: Problem, changes: Changes) -> Changes:
    """The changes that make the objective smallest, phase by phase."""
    settings = problem.settings
    place = dict.fromkeys(("shift", "turn"), settings.turn_rate)
    whole = place | dict.fromkeys(("pose", "shape"), settings.pose_rate)
    first = changes
    changes = _descend(problem.geometric, changes, place, settings.place_steps)
    changes = _descend(problem.geometric, changes, whole, settings.pose_steps)
    if not settings.pixels:
        return changes
    painted = dict.fromkeys(("colors", "lights"), settings.color_rate)
    changes = _descend(problem.photometric, changes, painted, settings.pixel_steps)
    with torch.no_grad():  # a hand nearer to its keypoints may cover the wrong pixels
        better = problem.photometric(changes) <= problem.photometric(first)
    return _select(better, changes, first)


def _descend(objective: Objective, changes: Changes, rates: Mapping[str, float], steps: int) -> Changes:
    """The best of the changes [B, ...] that `steps` of Adam pass, for each hand; only those with a rate move."""
    leaves = {name: changes[name].clone().requires_grad_() for name in rates}
    optimizer = torch.optim.Adam([{"params": [leaves[name]], "lr": rate} for name, rate in rates.items()], betas=_BETAS)
    fade = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: 0.5 + 0.5 * math.cos(math.pi * step / max(steps, 1))
    )
    best, lowest = changes, changes["turn"].new_full((len(changes["turn"]),), torch.inf)
    for step in range(steps + 1):
        value = objective(changes | leaves)
        with torch.no_grad():
            better = value < lowest  # what is not a number is never better
            best = _select(better, {name: tensor.detach().clone() for name, tensor in (changes | leaves).items()}, best)
            lowest = torch.where(better, value, lowest)
        if step < steps:
            optimizer.zero_grad()
            value.sum().backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            fade.step()
    return best


def _select(chosen: Tensor, changes: Changes, others: Changes) -> Changes:
    """`changes` of the hands that are `chosen` [B], `others` of the rest."""
    return {name: _where(chosen, tensor, others[name]) for name, tensor in changes.items()}


def _where(chosen: Tensor, tensor: Tensor, other: Tensor) -> Tensor:
    return torch.where(chosen.view(-1, *[1] * (tensor.ndim - 1)), tensor, other)


def _detached(hands: Hands) -> Hands:
    return _map(lambda tensor, _: tensor.detach().clone(), hands, hands)


def _choose(chosen: Tensor, hands: Hands, others: Hands) -> Hands:
    return _map(lambda tensor, other: _where(chosen, tensor, other), hands, others)


def _map(call: Callable[[Tensor, Tensor], Tensor], hands: Hands, others: Hands) -> Hands:
    """Hands whose tensors are those of two calls' worth of hands, combined."""
    code = GeometryCode(**{name: call(value, getattr(others.code, name)) for name, value in vars(hands.code).items()})
    texture = TextureCode(
        **{name: call(value, getattr(others.texture, name)) for name, value in vars(hands.texture).items()}
    )
    names = ("joints_cam", "vertices_cam", "joints_px")
    return replace(
        hands,
        code=code,
        texture=texture,
        **{name: call(getattr(hands, name), getattr(others, name)) for name in names},
    )

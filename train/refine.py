"""Fit reconstructed hands to the keypoints, and the pixels, of their own photographs, from the network's answer on.

The network has learnt what hands look like; some dozens of Adam's steps then bring each hand nearer to what was
detected in its photograph, while the losses that trained the network, and the distance from its answer, keep what a
picture can't tell. First the hand moves and turns as it is; then it bends and takes shape too; then, where the pixels
count, its colours and the light change. The pixels move no joint: tried, it improved no joint's place.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from typing import Any

import torch
from torch import Tensor

from s2hand.train.losses import to_reference_pixels
from s2hand.train.model import HandNetwork, Hands
from s2hand.train.refine_settings import RefineSettings
from s2hand.train.refine_terms import Changes, Problem, no_changes

Objective = Callable[[Changes], Tensor]  # -> [B]

_BETAS = (0.9, 0.99)  # Adam's; it has too few steps to average squares over a thousand


def refine(
    network: HandNetwork,
    hands: Hands,
    images: Tensor,  # [B, 3, S, S] RGB in [0, 1]
    K: Tensor,  # [B, 3, 3] of the crops
    keypoints: Tensor,  # [B, 21, 3] pixels of the crop, confidence; NaN where that is 0
    settings: RefineSettings,
) -> Hands:
    """Bring hands nearer to the detected keypoints, and the pixels if asked; none gets worse by the objective.

    Each hand is fitted on its own, and one of which no joint was detected comes back as it is. The scale stays: no
    picture tells it from the distance. Works under `torch.no_grad` and `torch.inference_mode` too; the result has no
    gradient. Raises ValueError for a wrong size.
    """
    _check(hands, images, K, keypoints)
    with torch.inference_mode(False), torch.enable_grad():
        start = _each(lambda tensor, _: tensor.detach().clone(), hands, hands)
        detected = to_reference_pixels(keypoints[..., :2].clone(), images.shape[-1])
        confidence = keypoints[..., 2].clone()
        problem = Problem(network, start, images.clone(), K.clone(), detected, confidence, settings)
        changes = _optimise(problem, no_changes(start))
        with torch.no_grad():
            refined = problem.changed(changes)
            found = (confidence > 0).any(1)
            chosen: Hands = _each(lambda new, old: _where(found, new, old), refined, start)
            return chosen


def _check(hands: Hands, images: Tensor, K: Tensor, keypoints: Tensor) -> None:
    count, side = len(hands.joints_cam), images.shape[-1]
    expected = {"images": (images, (count, 3, side, side)), "K": (K, (count, 3, 3))}
    expected["keypoints"] = keypoints, (count, 21, 3)
    for name, (tensor, shape) in expected.items():
        if tensor.shape != shape:
            raise ValueError(f"{name}: expected {list(shape)} for {count} hands, found {list(tensor.shape)}")


def _optimise(problem: Problem, first: Changes) -> Changes:
    """The changes that make the objective small, phase by phase."""
    settings = problem.settings
    place = dict.fromkeys(("shift", "turn"), settings.place_rate)
    whole = place | dict.fromkeys(("pose", "shape"), settings.pose_rate)
    changes = _descend(problem.geometry, first, place, settings.place_steps)
    changes = _descend(problem.geometry, changes, whole, settings.pose_steps)
    if not settings.pixels:
        return changes
    skin = dict.fromkeys(("colors", "lights"), settings.color_rate)
    changes = _descend(problem.picture, changes, skin, settings.pixel_steps)
    with torch.no_grad():  # a hand nearer to its keypoints may cover the wrong pixels
        return _select(problem.picture(changes) <= problem.picture(first), changes, first)


def _descend(objective: Objective, first: Changes, rates: Mapping[str, float], steps: int) -> Changes:
    """The best changes that `steps` of Adam pass, chosen for each hand; only those that have a rate move."""
    leaves = {name: first[name].clone().requires_grad_() for name in rates}
    optimizer = torch.optim.Adam([{"params": [leaves[name]], "lr": rate} for name, rate in rates.items()], betas=_BETAS)
    fade = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: 0.5 + 0.5 * math.cos(math.pi * step / max(steps, 1))
    )
    best, lowest = first, torch.full_like(first["turn"][:, 0], torch.inf)
    for step in range(steps + 1):
        value = objective(first | leaves)
        better = value.detach() < lowest  # what is not a number is never better
        best = _select(better, first | {name: tensor.detach() for name, tensor in leaves.items()}, best)
        lowest = torch.where(better, value.detach(), lowest)
        if step < steps:
            optimizer.zero_grad()
            value.sum().backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            fade.step()
    return best


def _select(chosen: Tensor, changes: Changes, others: Changes) -> Changes:
    """Changes of the hands that are `chosen` [B], and `others` of the rest."""
    return {name: _where(chosen, tensor, others[name]) for name, tensor in changes.items()}


def _where(chosen: Tensor, tensor: Tensor, other: Tensor) -> Tensor:
    return torch.where(chosen.view(-1, *[1] * (tensor.ndim - 1)), tensor, other)


def _each(call: Callable[[Tensor, Tensor], Tensor], one: Any, other: Any) -> Any:
    """Two hands' tensors combined, one by one, through the dataclasses that hold them."""
    if one is None:
        return None
    if isinstance(one, Tensor):
        return call(one, other)
    names = [field.name for field in fields(one)]
    return replace(one, **{name: _each(call, getattr(one, name), getattr(other, name)) for name in names})

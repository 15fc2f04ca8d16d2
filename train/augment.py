"""Random changes of a batch of crops, on its device: image, K and keypoints always move together.

A change of viewpoint is what a camera could have done: a turn about its principal axis, then a zoom and a
shift of the crop. In the image that is the affine map A = K' Rz K^-1, and

    project(Rz p, K') == A project(p, K)        for every point p of the old camera's space.

So K stays a camera matrix without a turn in it, and a network that sees the new crop and the new K has to
predict the turned hand.
"""

import math
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from s2hand.train.settings import AugmentSettings


@dataclass(frozen=True)
class Batch:
    """Samples on their device."""

    images: Tensor  # [B, 3, S, S] RGB in [0, 1]: what the networks see
    targets: Tensor  # [B, 3, S, S] what a render is compared with: the same, but never blurred or covered
    K: Tensor  # [B, 3, 3] pixels of the crop
    keypoints: Tensor  # [B, 21, 3] x, y in pixels of the crop, confidence; NaN where that is 0
    rows: Tensor  # [B] the samples' rows in the pack

    def __post_init__(self) -> None:
        count, size = len(self.images), self.images.shape[-1]
        pictures = (count, 3, size, size)
        expected = {"images": pictures, "targets": pictures, "K": (count, 3, 3), "keypoints": (count, 21, 3)}
        for name, shape in (expected | {"rows": (count,)}).items():
            if getattr(self, name).shape != shape:
                raise ValueError(f"Batch.{name}: expected {list(shape)}, found {list(getattr(self, name).shape)}")


@dataclass(frozen=True)
class View:
    """Changes of viewpoint for B crops; draws on the CPU are alike for every device."""

    roll: Tensor  # [B] radians about the principal axis; positive turns the x axis towards the y axis
    zoom: Tensor  # [B]
    shift: Tensor  # [B, 2] in units of the crop's side

    def turns(self) -> Tensor:
        """Rz [B, 3, 3]: what happens to points of camera space."""
        c, s, zero, one = self.roll.cos(), self.roll.sin(), self.roll * 0, self.roll * 0 + 1
        return torch.stack([c, -s, zero, s, c, zero, zero, zero, one], dim=1).view(-1, 3, 3)


def draw_changes(count: int, generator: torch.Generator) -> Tensor:
    """The numbers [count, 19] in [-1, 1] that decide what happens to each crop, by a generator on the CPU."""
    return torch.rand(count, 19, generator=generator) * 2 - 1


def augment(batch: Batch, settings: AugmentSettings, draws: Tensor) -> Batch:
    """The batch changed as `draws` [B, 19] of `draw_changes` say."""
    draws = draws.to(batch.images.device)
    view = View(
        roll=draws[:, 0] * math.radians(settings.rotation_degrees),
        zoom=(draws[:, 1] * math.log(settings.scale)).exp(),
        shift=draws[:, 2:4] * settings.shift,
    )
    batch = move_view(batch, view)
    pictures = batch.images
    if settings.colour:
        pictures = change_colour(pictures, 1 + settings.colour * draws[:, 4:10])
    seen = pictures
    if settings.blur:
        seen = blur(seen, draws[:, 10].abs() * settings.blur * pictures.shape[-1])
    if settings.occlusion:
        seen = cover(seen, draws[:, 11:], settings.occlusion)
    return replace(batch, images=seen, targets=pictures)


def new_cameras(K: Tensor, view: View, size: int) -> tuple[Tensor, Tensor]:
    """The cameras K' [B, 3, 3] after the change, and the maps A [B, 3, 3] of the old crop's pixels to the new's.

    The turn is about the principal point; the crop follows it: its centre stays the centre, up to the shift.
    """
    zoomed = K.clone()
    zoomed[:, :2, :2] *= view.zoom.view(-1, 1, 1)
    linear = zoomed @ view.turns() @ torch.linalg.inv(K)
    centre = torch.tensor([size / 2, size / 2, 1.0], dtype=K.dtype, device=K.device)
    offset = centre[:2] + size * view.shift - (linear @ centre)[:, :2]
    shift = torch.eye(3, dtype=K.dtype, device=K.device).repeat(len(K), 1, 1)
    shift[:, :2, 2] = offset
    return shift @ zoomed, shift @ linear


def move_view(batch: Batch, view: View) -> Batch:
    """Image, K and keypoints as the changed camera would give them; beyond the crop its border goes on."""
    size = batch.images.shape[-1]
    K, maps = new_cameras(batch.K, view, size)
    xy = batch.keypoints[..., :2] @ maps[:, :2, :2].transpose(1, 2) + maps[:, None, :2, 2]
    keypoints = torch.cat([xy, batch.keypoints[..., 2:]], dim=-1)
    images = warp(batch.images, maps)
    return replace(batch, images=images, targets=images, K=K, keypoints=keypoints)


def warp(images: Tensor, maps: Tensor) -> Tensor:
    """Images [B, C, S, S] under affine maps [B, 3, 3] of their continuous pixels, sampled bilinearly."""
    half = images.shape[-1] / 2
    # grid_sample asks where each new pixel comes from, with -1 and 1 at the image's borders.
    to_unit = torch.tensor([[1 / half, 0, -1], [0, 1 / half, -1], [0, 0, 1]]).to(maps)
    to_pixels = torch.tensor([[half, 0, half], [0, half, half], [0, 0, 1]]).to(maps)
    back = to_unit @ torch.linalg.inv(maps) @ to_pixels
    grid = F.affine_grid(back[:, :2], list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)


def change_colour(images: Tensor, factors: Tensor) -> Tensor:
    """Images [B, 3, S, S] with factors [B, 6] for brightness, contrast, saturation and the tint of each channel.

    The tint counts half, so that skin stays skin.
    """
    brightness, contrast, saturation = (factors[:, i].view(-1, 1, 1, 1) for i in range(3))
    grey = images.mean(1, keepdim=True)
    images = grey + saturation * (images - grey)
    level = grey.mean((2, 3), keepdim=True)
    tint = (1 + factors[:, 3:]) / 2
    images = (level + contrast * (images - level)) * brightness * tint[:, :, None, None]
    return images.clamp(0, 1)


def blur(images: Tensor, sigma: Tensor) -> Tensor:
    """Images [B, C, S, S] under a Gaussian of `sigma` [B] pixels each; their border goes on beyond them.

    The filter is a matrix on each axis, rows that add up to one, so that each image may have its own.
    """
    places = torch.arange(images.shape[-1], device=images.device, dtype=images.dtype)
    distances = (places[:, None] - places).square()
    weights = (-0.5 * distances / sigma.clamp_min(0.1).square()[:, None, None]).exp()
    matrix = (weights / weights.sum(-1, keepdim=True))[:, None]
    return (matrix @ images @ matrix.transpose(2, 3)).contiguous(memory_format=torch.channels_last)


LARGEST_COVER = 0.4
"""Of the crop's side: the longest side of a rectangle that hides something."""


def cover(images: Tensor, draws: Tensor, share: float) -> Tensor:
    """Images [B, 3, S, S] of which `share` have a rectangle in one colour on them.

    draws [B, 8] in [-1, 1]: whether, centre x and y, width, height, and the colour.
    """
    size = images.shape[-1]
    unit = (draws + 1) / 2
    places = (torch.arange(size, device=images.device) + 0.5) / size
    half = unit[:, 3:5] * (LARGEST_COVER / 2)
    across, down = ((places - unit[:, 1 + i, None]).abs() < half[:, i, None] for i in range(2))
    hidden = (unit[:, 0] < share)[:, None, None] & down[:, :, None] & across[:, None, :]
    return torch.where(hidden[:, None], unit[:, 5:8, None, None], images)

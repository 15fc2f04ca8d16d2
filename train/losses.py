# ruff: noqa: N802  (functions are named as the paper names the terms)
"""The losses, one function per equation of the paper, unreduced: the caller weights and averages.

A joint whose confidence is 0 is removed exactly: its coordinates may be NaN, and neither the value nor any
gradient depends on them. Lengths in pixels are those of a 224 x 224 image, the paper's input, for which its
figures are meant: `to_reference_pixels` scales the coordinates of other sizes.
"""

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from s2hand.datasets.skeleton import BONES, TIPS, WRIST
from s2hand.train.integral import cross_entropy
from s2hand.train.limits import joint_angles, joint_limit_penalty
from s2hand.train.mano import HandModel
from s2hand.train.ssim import ssim_map

REFERENCE_SIZE = 224
"""Side in pixels of the images that the paper's figures are meant for."""

CORNER_PX = 5.0
"""Where SmoothL1 turns from d^2 / 10 to d - 2.5."""

_PARENTS = [parent for parent, _ in BONES]
_CHILDREN = [child for _, child in BONES]


def to_reference_pixels(xy: Tensor, size: int) -> Tensor:
    """Coordinates in a `size` x `size` image -> in the same image at 224 x 224."""
    return xy * (REFERENCE_SIZE / size)


def joint_weights(wrist: float, tips: float) -> Tensor:
    """Weights [21] of the joints in E_loc: the authors' code has wrist 2, tips 1.5, and 1 for the others."""
    weights = torch.ones(21)
    weights[WRIST] = wrist
    weights[list(TIPS)] = tips
    return weights


def E_loc(
    detected: Tensor,  # [B, 21, 2] pixels of a 224 px image; NaN where confidence is 0
    projected: Tensor,  # [B, 21, 2] likewise, finite
    confidence: Tensor,  # [B, 21] in [0, 1]
) -> Tensor:  # [B, 21]
    """Joint location, equation 3 without its mean over the joints: con_i SmoothL1(detected_i - projected_i).

    SmoothL1 of each coordinate, d^2 / 10 up to 5 px and d - 2.5 beyond, added over the two.
    """
    seen = confidence > 0
    target = torch.where(seen.unsqueeze(-1), detected, projected.detach())
    return confidence * F.smooth_l1_loss(projected, target, beta=CORNER_PX, reduction="none").sum(-1)


def E_ori(detected: Tensor, projected: Tensor, confidence: Tensor) -> Tensor:  # [B, 20]
    """Bone orientation, equation 4 without its mean over the bones: con_bone |v_detected - v_projected|^2.

    v is the bone's unit vector in the image, con_bone the product of its two joints' confidences. Inputs as
    in `E_loc`. A detected bone of no length has no direction and counts 0.
    """
    seen = confidence > 0
    bone_confidence = confidence[:, _PARENTS] * confidence[:, _CHILDREN]
    target = _directions(torch.where(seen.unsqueeze(-1), detected, projected.detach()))
    has_direction = (target.square().sum(-1) > 0).to(confidence)
    difference = target - _directions(projected)
    return bone_confidence * has_direction * difference.square().sum(-1)


def _directions(xy: Tensor) -> Tensor:  # [B, 21, 2] -> [B, 20, 2]
    """Unit vectors of the bones; bones shorter than a hundredth of a pixel get shorter ones, down to 0."""
    bones = xy[:, _CHILDREN] - xy[:, _PARENTS]
    return bones / (bones.square().sum(-1, keepdim=True) + 1e-4).sqrt()


def E_pixel(
    image: Tensor,  # [B, 3, H, W]
    rendered: Tensor,  # [B, 3, H, W] the hand before that image: equal to it where no hand is
    silhouette: Tensor,  # [B, H, W] 0 to 1
    confidence: Tensor,  # [B, 21]
) -> Tensor:  # [B, H, W]
    """Colours of the hand's pixels, equation 6 without its sum over them: con_sum / |S| times |I - I_re|.

    |.| is the length of the difference of two colours, con_sum the sum of the confidences, |S| the pixels that the
    hand covers (at least one). Pixels that it covers in part count by that part, as it is drawn before the image.
    """
    red, green, blue = (image - rendered).unbind(1)
    square = red * red + green * green + blue * blue  # a norm over so short a dimension takes ten times as long
    equal = square == 0  # where the root has no gradient; NaN is not equal, and stays
    distance = torch.where(equal, 1.0, square).sqrt() * ~equal
    weight = confidence.sum(1) / silhouette.sum((1, 2)).clamp_min(1.0)
    return weight[:, None, None] * distance


def E_SSIM(
    image: Tensor,  # [B, 3, H, W]
    rendered: Tensor,  # [B, 3, H, W] as in `E_pixel`
    silhouette: Tensor,  # [B, H, W] 0 to 1
) -> Tensor:  # [B, 3, H - 10, W - 10]
    """Structure of the hand's pixels, equation 7 without its mean over the windows: 1 - SSIM(I x S, I_re).

    I_re is here what the render adds to the image, that is, the hand before black.
    """
    outside = (1 - silhouette[:, None]) * image
    return 1 - ssim_map(image - outside, rendered - outside)


def E_beta(shape: Tensor) -> Tensor:  # [B, 10] -> [B]
    """Shape regularisation (equation 9): the length of beta, whose average is 0. Its gradient at 0 is 0."""
    length: Tensor = torch.linalg.vector_norm(shape, dim=-1)
    return length


def E_s(joints_cam: Tensor, bone_length: float) -> Tensor:  # [B, 21, 3] metres -> [B]
    """Scale regularisation (equation 9): | length of the middle finger's first bone - bone_length |, in cm.

    The bone goes from joint 9 to joint 10; bone_length is in metres, 0.0282 for MANO.
    """
    length: Tensor = torch.linalg.vector_norm(joints_cam[:, 10] - joints_cam[:, 9], dim=-1)
    return 100.0 * (length - bone_length).abs()


def E_theta(pose: Tensor) -> Tensor:  # [B, n] -> [B]
    """Distance from the mean pose: the mean square of the pose coefficients. Ours, not the paper's.

    E_J alone leaves free what no image tells: with little training data, the mean pose is the better guess.
    """
    return pose.square().mean(-1)


def E_J(axis_angle: Tensor, hand: HandModel) -> Tensor:  # [B, 45] radians from the rest pose -> [B, 15, 3]
    """Joint limits (equation 9): how far each joint angle of `hand` is outside its range, in weighted radians.

    Twist, abduction and flexion of the 15 finger joints, see `s2hand.train.limits`. The authors' code adds
    the three angles of a joint; the mean over the joints is left to the caller, as everywhere here.
    """
    return joint_limit_penalty(joint_angles(axis_angle, hand))


def E_C(colors: Tensor) -> Tensor:  # [B, V, 3] -> [B, V, 3]
    """Texture regularisation (equation 9): outlying colours pay their distance from the mean colour.

    A vertex's channel is an outlier beyond two standard deviations of that channel over the image's own texture.
    The bounds are constants: outliers come back, the others do not come to meet them.
    """
    values = colors.detach()
    mean, spread = values.mean(1, keepdim=True), values.std(1, correction=0, keepdim=True)
    outlier = (values - mean).abs() > 2 * spread + 1e-6  # rounding is no outlier
    return torch.where(outlier, (colors - mean).abs(), 0.0)


def E_points(
    detected: Tensor,  # [B, 21, 2] pixels of a 224 px image; NaN where confidence is 0
    heatmaps: Tensor,  # [B, 21, h, w]
    confidence: Tensor,  # [B, 21]
) -> Tensor:  # [B, 21]
    """How well heatmaps agree with the detections: con_i times their cross-entropy. Ours: E_points of the encoder's
    own, E_maps of the 2D branch's.

    It teaches maps from nothing much sooner than the distance of their expected places, equation 10, does.
    """
    return confidence * cross_entropy(heatmaps, detected / REFERENCE_SIZE)


def E_2d(detected: Tensor, pointed: Tensor, confidence: Tensor) -> Tensor:  # [B, 21]
    """Joint location of the 2D branch, equation 10 without its mean: as `E_loc`, for its joints [B, 21, 2]."""
    return E_loc(detected, pointed, confidence)


def E_con(projected: Tensor, pointed: Tensor) -> Tensor:  # [B, 21, 2] pixels of a 224 px image, twice -> [B, 21]
    """2D-3D consistency, equation 11 without its mean: SmoothL1 between projected joints and the 2D branch's.

    Both branches get its gradient, and no confidence weighs it, as the paper says.
    """
    return F.smooth_l1_loss(projected, pointed, beta=CORNER_PX, reduction="none").sum(-1)


Terms = Mapping[str, Tensor]
Weights = Mapping[str, float]


def E_geo(terms: Terms, weights: Weights) -> Tensor:
    """Geometric alignment, equation 5: weighted E_loc + E_ori."""
    return _weighted_sum(("E_loc", "E_ori"), terms, weights)


def E_photo(terms: Terms, weights: Weights) -> Tensor:
    """Photometric consistency, equation 8: weighted E_pixel + E_SSIM."""
    return _weighted_sum(("E_pixel", "E_SSIM"), terms, weights)


def E_regu(terms: Terms, weights: Weights) -> Tensor:
    """Statistical regularisation, equation 9: weighted E_beta + E_C + E_s + E_J, and our E_theta."""
    return _weighted_sum(("E_beta", "E_C", "E_s", "E_J", "E_theta"), terms, weights)


def E_3d(terms: Terms, weights: Weights) -> Tensor:
    """The 3D branch's loss, equation 2: E_geo + E_photo + E_regu, and our E_points."""
    parts = (E_geo(terms, weights), E_photo(terms, weights), E_regu(terms, weights))
    return torch.stack([*parts, _weighted_sum(("E_points",), terms, weights)]).sum(0)


def E(terms: Terms, weights: Weights) -> Tensor:
    """The whole loss, equation 1: E_3d + weighted E_2d + weighted E_con, and our E_maps."""
    return E_3d(terms, weights) + _weighted_sum(("E_2d", "E_maps", "E_con"), terms, weights)


def _weighted_sum(names: Sequence[str], terms: Terms, weights: Weights) -> Tensor:
    """Terms [B] times their weights, added up [B]; one that is switched off, so absent, counts 0."""
    zero = torch.zeros_like(next(iter(terms.values())))
    return sum((weights[name] * terms[name] for name in names if name in terms), start=zero)

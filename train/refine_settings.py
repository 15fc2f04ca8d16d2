"""The settings of a refinement (`train/refine.py`): how long, how fast, and what each term weighs."""

from pydantic import Field

from s2hand.datasets.settings import Settings


class RefineWeights(Settings):
    """Weights of the terms that a refinement makes small, named as the losses; 0 switches a term off."""

    E_loc: float = Field(default=0.01, ge=0.0)
    """Distance of the projected joints from the detected ones, equation 3."""
    E_ori: float = Field(default=0.1, ge=0.0)
    """Directions of the bones in the image, equation 4."""
    E_J: float = Field(default=0.1, ge=0.0)
    """Joint limits, equation 9."""
    E_beta: float = Field(default=0.01, ge=0.0)
    """Shape, equation 9."""
    E_theta: float = Field(default=0.0, ge=0.0)
    """Distance of the pose from the mean pose."""
    start_pose: float = Field(default=0.1, ge=0.0)
    """Distance of the pose from the network's: the mean square over the coefficients."""
    start_shape: float = Field(default=0.1, ge=0.0)
    """Distance of the shape from the network's: likewise."""
    start_turn: float = Field(default=0.1, ge=0.0)
    """Angle between the rotation and the network's: the square of radians."""
    E_pixel: float = Field(default=0.005, ge=0.0)
    """Colours of the hand's pixels, equation 6; with `pixels`."""
    E_SSIM: float = Field(default=0.001, ge=0.0)
    """Structure of the hand's pixels, equation 7; with `pixels`."""
    E_C: float = Field(default=0.005, ge=0.0)
    """Outlying colours of the texture, equation 9; with `pixels`."""


class RefineSettings(Settings):
    """All of a refinement. Defaults: what improved the aligned 3D error most on synthetic photographs."""

    place_steps: int = Field(default=20, ge=0)
    """Steps that move and turn the hand as it is."""
    pose_steps: int = Field(default=60, ge=0)
    """Steps that bend and shape it too."""
    pixels: bool = False
    """Fit colours and light to the pixels afterwards."""
    pixel_steps: int = Field(default=40, ge=0)
    """Steps of that."""
    turn_rate: float = Field(default=0.05, gt=0.0)
    """Adam's first step size for the rotation in radians, and for place and depth relative to the distance; every
    phase lowers its step sizes to zero, along a cosine."""
    pose_rate: float = Field(default=0.05, gt=0.0)
    """Likewise for pose and shape coefficients."""
    color_rate: float = Field(default=0.1, gt=0.0)
    """Likewise for the colours' logits and the light."""
    sharpness: float = Field(default=1.0, gt=0.0)
    """Confidences are raised to this power: more trusts the surest joints alone."""
    supersampling: int = Field(default=1, ge=1, le=4)
    """Samples per pixel and axis of the renders."""
    weights: RefineWeights = RefineWeights()

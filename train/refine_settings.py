"""The settings of a refinement (`train/refine.py`): how long, how fast, and what each term weighs."""

from pydantic import Field

from s2hand.datasets.settings import Settings


class RefineWeights(Settings):
    """Weights of what a refinement makes small, named as the losses (docs/losses.md); 0 switches a term off."""

    E_loc: float = Field(default=0.02, ge=0.0)
    """Distance of the projected joints from the detected ones, equation 3."""
    E_ori: float = Field(default=0.1, ge=0.0)
    """Directions of the bones in the image, equation 4."""
    E_J: float = Field(default=0.1, ge=0.0)
    """Joint limits, equation 9."""
    E_beta: float = Field(default=0.01, ge=0.0)
    """Shape, equation 9."""
    start_pose: float = Field(default=0.5, ge=0.0)
    """Distance from the network's pose: mean square over the coefficients."""
    start_shape: float = Field(default=0.1, ge=0.0)
    """Distance from the network's shape: likewise."""
    start_turn: float = Field(default=0.05, ge=0.0)
    """Angle to the network's rotation, radians: its square."""
    start_distance: float = Field(default=0.1, ge=0.0)
    """Distance from the camera over the network's: the square of the ratio's logarithm."""
    E_pixel: float = Field(default=0.005, ge=0.0)
    """Colours of the hand's pixels, equation 6; with `pixels`, as the next two."""
    E_SSIM: float = Field(default=0.001, ge=0.0)
    """Structure of the hand's pixels, equation 7."""
    E_C: float = Field(default=0.005, ge=0.0)
    """Outlying colours of the texture, equation 9."""


class RefineSettings(Settings):
    """All of a refinement. Defaults: what brought the aligned joints nearest to the truth of synthetic photographs."""

    place_steps: int = Field(default=30, ge=0)
    """Steps that move and turn the hand as it is."""
    pose_steps: int = Field(default=80, ge=0)
    """Steps that bend it and change its shape, too."""
    pixels: bool = False
    """Fit colours and light to the pixels afterwards."""
    pixel_steps: int = Field(default=40, ge=0)
    """Steps of that."""
    place_rate: float = Field(default=0.05, gt=0.0)
    """Adam's first step: radians of the rotation, and of the place as parts of the distance. In each phase the steps
    become shorter, down to nothing, along a cosine."""
    pose_rate: float = Field(default=0.1, gt=0.0)
    """Likewise of the coefficients of pose and shape."""
    color_rate: float = Field(default=0.1, gt=0.0)
    """Likewise of the logits of the colours, and of the light."""
    supersampling: int = Field(default=1, ge=1, le=4)
    """Samples per pixel and axis of the renders that the pixels are compared with."""
    weights: RefineWeights = RefineWeights()

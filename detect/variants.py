"""The named choices of detection; apart, so that the command line starts at once."""

from typing import Literal

Variant = Literal["openpose", "s2hand"]

THRESHOLDS: dict[Variant, float] = {"openpose": 0.05, "s2hand": 0.0}
"""What a smoothed map must exceed to hold a joint: in pytorch-openpose, and in S2HAND's copy of it."""

SCALES = (0.5, 1.0, 1.5, 2.0)
"""The published sizes of the network's input, in units of 368 pixels of height."""

Precision = Literal["auto", "float32", "bfloat16"]
"""The numbers a network computes in; `auto`: bfloat16 where the hardware multiplies it natively, else float32."""

Where = Literal["whole", "body", "slim"]
"""Ways to find the hands: the whole image is one; OpenPose's body network; our own small finder."""

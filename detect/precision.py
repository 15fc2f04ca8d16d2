"""The numbers that a network computes in: bfloat16 where the hardware multiplies it natively, else float32.

Only the networks: what is before and after them is float32 or better. With bfloat16 they run two to eight times
faster, and the keypoints differ by less than a pixel of the image. Without the instructions bfloat16 is emulated: the
same numbers, slowly.
"""

from pathlib import Path

import torch

from s2hand.detect.variants import Precision

CPUINFO = Path("/proc/cpuinfo")

_CPU_FLAGS = ("avx512_bf16", "amx_bf16")
_GPU_CAPABILITY = (8, 0)  # Ampere, the first with bfloat16


def resolve_precision(precision: Precision, device: torch.device) -> torch.dtype:
    """Return the type that a network computes in on a device."""
    if precision == "auto":
        return torch.bfloat16 if has_bfloat16(device) else torch.float32
    return {"float32": torch.float32, "bfloat16": torch.bfloat16}[precision]


def has_bfloat16(device: torch.device) -> bool:
    """Tell whether a device multiplies bfloat16 in hardware."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= _GPU_CAPABILITY
    capabilities = getattr(torch.cpu, "get_capabilities", None)
    if capabilities is not None:
        return any(capabilities().get(flag) for flag in _CPU_FLAGS)
    # Older versions of PyTorch do not tell.
    lines = CPUINFO.read_text().splitlines() if CPUINFO.exists() else []
    flags = next((line.split() for line in lines if line.startswith("flags")), [])
    return any(flag in flags for flag in _CPU_FLAGS)

"""How extractors read images (bytes or floats in [0, 1], no guessing), and the simplest one."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor


def check_range(images: Tensor) -> None:
    """Raise a ``ValueError`` unless images are uint8, bool, or floats in [0, 1]."""
    if images.dtype in (torch.uint8, torch.bool):
        return
    if not images.is_floating_point():
        raise ValueError(f"images are {images.dtype}, expected uint8, bool or floats in [0, 1]")
    # A rounding error is allowed; NaN fails both comparisons.
    if images.numel() and not (images.min() >= -1e-4 and images.max() <= 1 + 1e-4):
        raise ValueError(
            f"float images reach from {float(images.min()):.4g} to {float(images.max()):.4g}, "
            "expected [0, 1]: divide bytes by 255 or pass them as uint8, and clamp the rest"
        )


def unit_floats(images: Tensor) -> Tensor:
    """The images as floats in [0, 1]: float64 stays float64, everything else becomes float32."""
    check_range(images)
    floats = images if images.dtype == torch.float64 else images.to(torch.float32)
    return floats / 255 if images.dtype == torch.uint8 else floats


def pixels(images: Tensor | npt.NDArray[np.generic]) -> Tensor:
    """Each image's pixels as one row, in [0, 1]: features without any network.

    Args:
        images: [N, H, W] or [N, C, H, W]; uint8, bool, or floats in [0, 1].

    Returns:
        [N, H·W] or [N, C·H·W]; float64 for float64 images, otherwise float32.

    Raises:
        ValueError: Another shape, dtype or range.
    """
    images = torch.as_tensor(images)
    if images.ndim not in (3, 4):
        raise ValueError(
            f"images have shape {list(images.shape)}, expected [N, H, W] or [N, C, H, W]"
        )
    return unit_floats(images).flatten(1)

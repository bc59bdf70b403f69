"""Lesson 00, Start here: the mean image."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["mean_image"]


def mean_image(images: Tensor) -> Tensor:
    """The average of images, pixel by pixel.

    Args:
        images: [N, ...], N ≥ 1, uint8 or floats; bytes are not rescaled.

    Returns:
        [...] in the dtype of the images, float32 for bytes. The sum is in float64 on the CPU, since
        in float32 the sum of many images loses digits.

    Raises:
        ValueError: No images, or another dtype.
    """
    if not (images.dtype == torch.uint8 or images.is_floating_point()):
        raise ValueError(f"images are {images.dtype}, expected uint8 or floats")
    if images.ndim == 0 or not len(images):
        raise ValueError(
            f"images have shape {tuple(images.shape)}, expected [N, ...] with at least one image"
        )
    dtype = images.dtype if images.is_floating_point() else torch.float32
    wide = images.to(torch.float64) if images.device.type == "cpu" else images.to(dtype)
    return wide.mean(dim=0).to(dtype)

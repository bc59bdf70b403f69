"""What :func:`gqlib.data.load` returns, and simple operations on images."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Images and labels of one split of one data set.

    Attributes:
        images: uint8, ``[N, H, W]`` for grey images and ``[N, C, H, W]`` for colour; 0 is black.
        labels: int64, ``[N]``, counted from 0.
        name: As given to :func:`gqlib.data.load`.
        split: ``"train"`` or ``"test"``.
    """

    images: Tensor
    labels: Tensor
    name: str
    split: str

    def __post_init__(self) -> None:
        if self.images.dtype != torch.uint8 or self.images.ndim not in (3, 4):
            raise ValueError(
                f"images are {self.images.dtype} of shape {tuple(self.images.shape)}, "
                "expected uint8 of shape [N, H, W] or [N, C, H, W]"
            )
        if self.labels.dtype != torch.int64 or self.labels.shape != self.images.shape[:1]:
            raise ValueError(
                f"labels are {self.labels.dtype} of shape {tuple(self.labels.shape)}, "
                f"expected int64 of shape [{len(self.images)}], one for each image"
            )

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        shape = "×".join(str(size) for size in self.images.shape[1:])
        return f"Dataset({self.name}, {self.split}: {len(self)} images of {shape})"

    def float_images(self) -> Tensor:
        """The images as float32 in [0, 1], ``[N, C, H, W]`` (C = 1 for grey), a new tensor."""
        images = self.images if self.images.ndim == 4 else self.images.unsqueeze(1)
        return images.to(torch.float32).div_(255)


def binarised(images: Tensor) -> Tensor:
    """Black and white images: 1 where a byte is greater than 127, 0 elsewhere.

    This fixed threshold is the course's binarisation. Likelihoods under it cannot be compared with
    those published for stochastic binarisations of MNIST.

    Args:
        images: uint8 of any shape, or floats in [0, 1], which are compared with 127.5 / 255.

    Returns:
        float32 of the same shape and device, each element 0 or 1.

    Raises:
        ValueError: Another dtype, or floats outside [0, 1].
    """
    if images.dtype == torch.uint8:
        return (images > 127).to(torch.float32)
    if not images.is_floating_point():
        raise ValueError(f"images are {images.dtype}, expected uint8 or floats in [0, 1]")
    if images.numel() and not (images.min() >= 0 and images.max() <= 1):
        raise ValueError(
            f"float images reach from {float(images.min()):.4g} to {float(images.max()):.4g}, "
            "expected [0, 1]: divide bytes by 255, or pass them as uint8"
        )
    return (images > 0.5).to(torch.float32)

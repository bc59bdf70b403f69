"""The interface of feature extractors, and checks of the images that they take."""

from __future__ import annotations

import contextlib
import hashlib
from pathlib import Path
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from gqlib.features.images import check_range, unit_floats

#: Hexadecimal digits of a weight file's SHA-256 that go into an extractor's name.
DIGEST = 16


@runtime_checkable
class Extractor(Protocol):
    """Images to features.

    A class that derives from this one writes ``prepare`` and ``features_and_probabilities``.

    Attributes:
        name: Identity, kept with saved statistics: what is computed, and with which weights.
        resize: How an image is resized; ``"none"`` if it is not.
        dims: Features of an image, or None if that depends on the images.
        input_size: Height and width that every image is resized to, or None if images keep theirs.
        batch_size: Images in a batch by default.
        cacheable: Whether name and resize identify the features of an image. The name of a function
            does not: it stays the same when the function changes.
    """

    name: str
    resize: str
    dims: int | None
    input_size: int | None = None
    batch_size: int = 64
    cacheable: bool = False

    def prepare(self, image: Tensor) -> Tensor:
        """One image as the network takes it, of the same shape and dtype for all images.

        May be called from several threads at once.

        Args:
            image: [C, H, W] with 1 or 3 channels, uint8 or floats in [0, 1].

        Raises:
            ValueError: Not such an image, or not one for this extractor.
        """
        ...

    def features_and_probabilities(self, batch: Tensor) -> tuple[Tensor, Tensor | None]:
        """Features and class probabilities of prepared images, from one pass.

        Args:
            batch: [B, …], results of :meth:`prepare`, stacked.

        Returns:
            float32 [B, D] and float32 [B, K], or None for an extractor without classes; on the CPU,
            without a graph.
        """
        ...

    def __call__(self, batch: Tensor) -> Tensor:
        """The features alone, float32 [B, D]."""
        return self.features_and_probabilities(batch)[0]

    def probabilities(self, batch: Tensor) -> Tensor | None:
        """The class probabilities alone, float32 [B, K], or None."""
        return self.features_and_probabilities(batch)[1]


def checked_image(image: Tensor) -> Tensor:
    """``image`` unchanged: a [C, H, W] tensor with 1 or 3 channels, uint8 or floats in [0, 1].

    Raises:
        ValueError: It is something else.
    """
    image = torch.as_tensor(image)
    if image.ndim != 3 or image.shape[0] not in (1, 3) or not image.numel():
        hint = "drop the alpha channel" if image.ndim == 3 and image.shape[0] == 4 else "convert it"
        raise ValueError(
            f"an image has shape {list(image.shape)}, expected [C, H, W] with 1 channel (grey) or "
            f"3 (red, green, blue): {hint}"
        )
    if image.dtype != torch.uint8 and not image.is_floating_point():
        raise ValueError(
            f"an image is {image.dtype}, expected uint8 (0 … 255) or floats in [0, 1]: convert it"
        )
    check_range(image)
    return image


def float_image(image: Tensor) -> Tensor:
    """A checked image as float32 in [0, 1]."""
    return unit_floats(checked_image(image)).to(torch.float32)


def full_precision(device: torch.device) -> contextlib.AbstractContextManager[None]:
    """A block whose convolutions use all 24 bits of a float32; cuDNN's default is 11 bits."""
    if device.type != "cuda":
        return contextlib.nullcontext()
    flags: contextlib.AbstractContextManager[None] = torch.backends.cudnn.flags(
        enabled=True, allow_tf32=False
    )
    return flags


def digest(path: Path) -> str:
    """A file's SHA-256 in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

"""Images and features held in arrays."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gqlib._utils.arrays import from_numpy
from gqlib._utils.text import printable
from gqlib.data.images import KEY, Images

#: Elements that are checked at a time.
_ELEMENTS = 1 << 23
#: A rounding error's width around [0, 1], as gqlib.features allows it.
_SLACK = 1e-4


@dataclass(frozen=True, eq=False)
class FeatureArray:
    """Features that were computed elsewhere.

    Attributes:
        name: What to call them: the path as it was given.
        values: (N, D), floats, finite; a view of the disk for ``.npy`` and ``.safetensors`` files.
        warnings: What a reader of the results should know.
    """

    name: str
    values: Tensor
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check_features(self.values, printable(self.name))

    def __len__(self) -> int:
        return len(self.values)

    def __repr__(self) -> str:
        return f"FeatureArray({self.name!r}, {len(self)} × {self.values.shape[1]})"


class ImageArray(Images):
    """Images held in an array.

    Args:
        images: [N, H, W], [N, C, H, W] or [N, H, W, C] with C = 1 or 3; uint8, bool, or floats in
            [0, 1], which are rounded to 8 bits.
        name: What to call them.

    Raises:
        ValueError: Another shape, dtype or range, a NaN, or no image.
    """

    def __init__(self, images: Tensor | npt.NDArray[np.generic], name: str = "array") -> None:
        self.name = name
        shown = printable(name)
        if isinstance(images, np.ndarray):
            images = as_tensor(images, shown)
        self._images = _channels_first(images.detach(), shown)
        self._fractions = _check_range(self._images, shown)

    def __len__(self) -> int:
        return len(self._images)

    def read(self, i: int) -> Tensor:
        image = self._images[i].cpu()
        if image.dtype == torch.bool:
            return image.to(torch.uint8) * 255
        if image.dtype != torch.uint8:
            # Float64 stays float64 here, so that 0.5 / 255 is not rounded twice.
            exact = image if image.dtype == torch.float64 else image.to(torch.float32)
            return (exact * 255).round().clamp(0, 255).to(torch.uint8).contiguous()
        return image.contiguous()

    def key(self, i: int) -> bytes:
        return self.read_with_key(i)[1]

    def read_with_key(self, i: int) -> tuple[Tensor, bytes]:
        image = self.read(i)
        digest = hashlib.sha256(f"{KEY}, array, {list(image.shape)}\n".encode())
        digest.update(image.numpy().data)
        return image, digest.digest()

    @property
    def sizes(self) -> Counter[tuple[int, int]]:
        height, width = self._images.shape[2:]
        return Counter({(int(height), int(width)): len(self)})

    @property
    def warnings(self) -> tuple[str, ...]:
        if not self._fractions:
            return ()
        return (f"the float images of {printable(self.name)} were rounded to 8 bits, as files are",)


def as_tensor(array: npt.NDArray[np.generic], shown: str) -> Tensor:
    """The array as a tensor, without a copy if torch can use its memory."""
    if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
        raise ValueError(f"{shown} holds {array.dtype}, expected an array of numbers")
    return from_numpy(array)


def _channels_first(images: Tensor, shown: str) -> Tensor:
    """A view of shape [N, C, H, W]."""
    shape = tuple(images.shape)
    if images.dtype not in (torch.uint8, torch.bool) and not images.is_floating_point():
        dtype = str(images.dtype).removeprefix("torch.")
        raise ValueError(
            f"{shown} holds {dtype} of shape {shape}, expected images of uint8, bool or floats in "
            "[0, 1], or features of floats: convert it, images in 0–255 to uint8"
        )
    if images.ndim not in (3, 4):
        raise ValueError(
            f"{shown} has shape {shape}, expected images [N, H, W], [N, C, H, W] or [N, H, W, C], "
            "or features (N, D) of floats: "
            + ("give one image as x[None]" if images.ndim == 2 else "reshape it")
        )
    if 0 in shape:
        raise ValueError(f"{shown} has shape {shape}, which is empty: expected at least one image")
    if images.ndim == 3:
        if shape[2] in (3, 4) and min(shape[:2]) > 4:
            raise ValueError(
                f"{shown} has shape {shape}, which looks like one colour image: give a set of "
                "them as [N, H, W, 3], one alone as x[None]"
            )
        return images.unsqueeze(1)
    first, last = shape[1] in (1, 3), shape[3] in (1, 3)
    if first and last:
        raise ValueError(
            f"{shown} has shape {shape}, and either its second or its last axis could be the "
            "channels: crop or repeat the images so that only one has length 1 or 3"
        )
    if not first and not last:
        alpha = " (lay an alpha channel on white, or drop it)" if 4 in (shape[1], shape[3]) else ""
        raise ValueError(
            f"{shown} has shape {shape}, expected 1 or 3 channels in its second or last axis{alpha}"
        )
    return images if first else images.permute(0, 3, 1, 2)


def _pieces(x: Tensor) -> Iterator[tuple[int, Tensor]]:
    """``x`` in pieces of whole rows and bounded size, each with the number of its first row."""
    rows = max(1, _ELEMENTS // max(1, x[0].numel()))
    for start in range(0, len(x), rows):
        yield start, x[start : start + rows]


def _check_range(images: Tensor, shown: str) -> bool:
    """Raise unless floats lie in [0, 1]; whether there are any between two of 256 levels."""
    if not images.is_floating_point():
        return False
    low, high, fractions = math.inf, -math.inf, False
    for start, piece in _pieces(images):
        values = piece.to(torch.float32)
        least, most = (float(x) for x in values.aminmax())
        if not (math.isfinite(least) and math.isfinite(most)):
            raise ValueError(_not_finite(values, start, shown, "images"))
        low, high = min(low, least), max(high, most)
        if not fractions:
            levels = values * 255
            # A half-precision float is farther from a level than a float32 is.
            fractions = float((levels - levels.round()).abs().max()) > 0.07
    if low >= -_SLACK and high <= 1 + _SLACK:
        return fractions
    advice = "scale them to [0, 1]"
    if low >= -_SLACK and high <= 256:
        advice = "divide them by 255, or save them as uint8"
    elif low >= -1 - _SLACK and high <= 1 + _SLACK:
        advice = "if they lie in [-1, 1], take (x + 1) / 2"
    raise ValueError(
        f"the float images in {shown} reach from {low:.4g} to {high:.4g}, expected [0, 1]: {advice}"
    )


def _check_features(values: Tensor, shown: str) -> None:
    shape = tuple(values.shape)
    if values.ndim != 2 or not values.is_floating_point():
        dtype = str(values.dtype).removeprefix("torch.")
        raise ValueError(f"{shown} holds {dtype} of shape {shape}, expected floats (N, D)")
    if 0 in shape:
        raise ValueError(
            f"{shown} has shape {shape}, which is empty: expected features (N, D), one row a sample"
        )
    for start, piece in _pieces(values):
        if not bool(torch.isfinite(piece).all()):
            raise ValueError(_not_finite(piece, start, shown, "features"))


def _not_finite(piece: Tensor, start: int, shown: str, what: str) -> str:
    bad = (~torch.isfinite(piece)).flatten(1).any(1)
    row = start + int(bad.nonzero()[0])
    return (
        f"the {what} in {shown} hold NaN or infinity, first in row {row}: find out where they come "
        "from, or drop those rows"
    )

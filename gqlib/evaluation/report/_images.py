"""Images as PNGs inside the page: walls and pairs."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gqlib._utils.mosaic import mosaic

Pixels = npt.NDArray[np.uint8]


class Picture(NamedTuple):
    """What a page needs to show a picture: where it is, which is inside the page, and its text."""

    source: str
    alt: str


#: Bytes that the PNG of a wall may have, and what is tried in turn to stay below: images, pixels.
_WALL_BYTES = 400_000
_WALL_SIZES = ((64, 128), (64, 96), (64, 64), (36, 64), (36, 48), (36, 32), (16, 32))
#: Largest side of the images in a pair.
_PAIR_SIDE = 64
#: Smaller images are enlarged by a whole number to at least this, so that their pixels stay sharp.
_SHARP = 84
#: Between the images of a wall, and around those of another shape.
_GAP, _GREY = 2, 128


def image_wall(images: Sequence[Tensor], what: str) -> Picture:
    """Images side by side, as many and as large as a page can carry.

    Args:
        images: uint8 [C, H, W] with C = 1 or 3, of any sizes.
        what: What they are, for the alternative text: "real images".
    """
    arrays = [_pixels(image) for image in images]
    if not arrays:
        raise ValueError("a wall needs at least one image, got none")
    data, shown = b"", 0
    for shown, side in _WALL_SIZES:
        data = png(_mosaic(arrays[:shown], side))
        if len(data) <= _WALL_BYTES:
            break
    count = min(shown, len(arrays))
    return _picture(data, f"{count} {what} side by side" if count > 1 else f"one of the {what}")


def image_pair(fake: Tensor, nearest: Tensor, alt: str) -> Picture:
    """A fake on the left and the image nearest to it on the right: uint8 [C, H, W] each."""
    return _picture(png(_mosaic([_pixels(fake), _pixels(nearest)], _PAIR_SIDE)), alt)


def png(pixels: Pixels) -> bytes:
    """Grey [H, W] or colour [H, W, 3] as a PNG file."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _picture(data: bytes, alt: str) -> Picture:
    return Picture(f"data:image/png;base64,{base64.b64encode(data).decode()}", alt)


def _pixels(image: Tensor) -> Pixels:
    if image.dtype != torch.uint8 or image.ndim != 3 or image.shape[0] not in (1, 3):
        raise ValueError(
            f"an image is {image.dtype} of shape {tuple(image.shape)}, expected uint8 [C, H, W] "
            "with C = 1 or 3"
        )
    if image.numel() == 0:
        raise ValueError(f"an image has shape {tuple(image.shape)}, expected at least one pixel")
    array: Pixels = image.detach().cpu().permute(1, 2, 0).numpy()
    return array[:, :, 0] if array.shape[2] == 1 else array


def _mosaic(images: Sequence[Pixels], most: int) -> Pixels:
    """All in one array, in cells of one size; the larger ones shrunk to ``most`` pixels."""
    side = min(most, max(max(image.shape[:2]) for image in images))
    cells = [_shrunk(image, side) for image in images]
    columns = min(len(cells), math.ceil(math.sqrt(len(cells))))
    canvas = mosaic(cells, columns, gap=_GAP, background=_GREY)
    factor = math.ceil(_SHARP / side) if side < _SHARP / 1.5 else 1
    return canvas.repeat(factor, 0).repeat(factor, 1)


def _shrunk(image: Pixels, side: int) -> Pixels:
    height, width = image.shape[:2]
    if max(height, width) <= side:
        return image
    from PIL import Image

    scale = side / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.LANCZOS))

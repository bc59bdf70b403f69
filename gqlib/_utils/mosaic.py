"""Images laid out side by side in one array."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt


def mosaic(
    images: Sequence[npt.NDArray[Any]], columns: int, *, gap: int = 2, background: float = 0
) -> npt.NDArray[Any]:
    """Images row by row, each in the middle of a cell as large as the largest one.

    Args:
        images: Grey [H, W] or colour [H, W, 3], of any sizes and one dtype, at least one.
        columns: Images in a row.
        gap: Pixels between two cells.
        background: The value of pixels outside of all images.

    Returns:
        [H', W', 3] if an image is in colour, otherwise [H', W']; floats become float64.
    """
    height, width = (max(image.shape[axis] for image in images) for axis in (0, 1))
    rows = math.ceil(len(images) / columns)
    shape = (rows * (height + gap) - gap, columns * (width + gap) - gap)
    dtype = np.float64 if images[0].dtype.kind == "f" else images[0].dtype
    colour = any(image.ndim == 3 for image in images)
    canvas = np.full((*shape, 3) if colour else shape, background, dtype)
    for index, image in enumerate(images):
        h, w = image.shape[:2]
        top = index // columns * (height + gap) + (height - h) // 2
        left = index % columns * (width + gap) + (width - w) // 2
        canvas[top : top + h, left : left + w] = (
            image[..., None] if colour and image.ndim == 2 else image
        )
    return canvas

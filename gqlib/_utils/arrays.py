"""NumPy arrays as tensors."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch


def from_numpy(array: npt.NDArray[np.generic]) -> torch.Tensor:
    """The array as a tensor, copied only where torch cannot use its memory.

    torch knows no other byte order, no read-only memory and no negative strides.
    """
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    if not array.flags.writeable or any(stride < 0 for stride in array.strides):
        array = array.copy()
    return torch.from_numpy(array)

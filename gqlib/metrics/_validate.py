"""Input validation shared by all metrics."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from gqlib._utils.arrays import from_numpy

#: NumPy arrays, tensors on any device, and anything ``numpy.asarray`` takes.
Array = Any


def tensor(x: Array, name: str) -> torch.Tensor:
    """``x`` as a detached tensor of real numbers, on its own device and in its own dtype."""
    if not isinstance(x, torch.Tensor):
        array = np.asarray(x, order="C")
        if array.dtype.kind not in "fiub":
            raise ValueError(
                f"{name} has dtype {array.dtype}, expected real numbers: "
                "pass a NumPy array or a tensor of floats or integers"
            )
        x = from_numpy(array)
    t: torch.Tensor = x.detach()
    if t.is_complex():
        raise ValueError(f"{name} is complex ({t.dtype}), expected real numbers: take .real")
    # PyTorch has hardly an operation for these, and before 2.7 not even an index.
    if t.dtype in (torch.uint16, torch.uint32):
        return t.to(torch.int64)
    return t.to(torch.float64) if t.dtype == torch.uint64 else t


def to_float64(x: torch.Tensor) -> torch.Tensor:
    """``x`` in float64: on its device, or on the CPU if the device has no float64."""
    return x.to(torch.float64) if x.device.type != "mps" else x.cpu().to(torch.float64)


def chunks(x: torch.Tensor, rows: int) -> Iterator[torch.Tensor]:
    """``x`` in pieces of at most ``rows`` rows, as views."""
    for start in range(0, len(x), rows):
        yield x[start : start + rows]


def offsets(rows: torch.Tensor, origin: torch.Tensor) -> torch.Tensor:
    """rows − origin, float64, on the origin's device."""
    if rows.device == origin.device and rows.is_floating_point():
        return rows - origin  # the subtraction widens, which saves a copy
    return to_float64(rows).to(origin.device) - origin


def finite(x: torch.Tensor, name: str) -> torch.Tensor:
    """``x`` itself, or a ``ValueError`` that says where the first NaN or infinity is."""
    if not x.dtype.is_floating_point:
        return x
    bad = ~torch.isfinite(x)
    if bool(bad.any()):
        where = tuple(bad.nonzero()[0].tolist())
        raise ValueError(
            f"{name} holds {int(bad.sum())} values that are NaN or infinite, the first at index "
            f"{where}, expected finite numbers: find out where they come from, or drop these rows"
        )
    return x


def check_features(x: Array, name: str, at_least: int = 2) -> torch.Tensor:
    """A finite (N, D) tensor in its own dtype, N ≥ ``at_least``, D ≥ 1."""
    t = tensor(x, name)
    if t.ndim != 2:
        hint = (
            "flatten each sample or take features of it first"
            if t.ndim > 2
            else "give a single row or column as x[None] or x[:, None]"
        )
        raise ValueError(
            f"{name} has shape {tuple(t.shape)}, expected (N, D), one row a sample: {hint}"
        )
    n, d = t.shape
    if d == 0:
        raise ValueError(f"{name} has shape {(n, d)}: expected at least one feature a sample")
    if n < at_least:
        raise ValueError(
            f"{name} has {n} sample{'s' * (n != 1)}, expected at least {at_least}: "
            "pass more rows (the shape is (N, D), one row a sample)"
        )
    return finite(t, name)


def same_width(d_real: int, d_fake: int) -> None:
    """``ValueError`` unless both sides have the same number of features."""
    if d_real != d_fake:
        raise ValueError(
            f"real has {d_real} features a sample and fake has {d_fake}, expected the same number: "
            "use one feature extractor for both"
        )


def pair(x: Array, y: Array) -> tuple[torch.Tensor, torch.Tensor]:
    """Two tensors of one shape (N, …), N ≥ 1, finite, on the device of the first."""
    a, b = tensor(x, "x"), tensor(y, "y")
    if a.shape != b.shape:
        raise ValueError(
            f"x has shape {tuple(a.shape)} and y has shape {tuple(b.shape)}, expected the same: "
            "sample i of x is compared with sample i of y"
        )
    if a.ndim == 0 or a.numel() == 0:
        raise ValueError(
            f"x has shape {tuple(a.shape)}, expected (N, …) with at least one sample: "
            "give a single sample as x[None]"
        )
    return finite(a, "x"), finite(b.to(a.device), "y")

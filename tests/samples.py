"""Samples that many tests draw."""

from __future__ import annotations

import torch
from torch import Generator, Tensor


def normal(n: int, d: int, seed: int | Generator = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    """Standard normal features, (n, d), from a seed or from what comes next of a generator."""
    generator = seed if isinstance(seed, Generator) else Generator().manual_seed(seed)
    return torch.randn(n, d, generator=generator, dtype=dtype)


def noise(n: int, height: int, width: int, seed: int = 0) -> Tensor:
    """Standard normal pixels, (n, height, width), float64."""
    generator = Generator().manual_seed(seed)
    return torch.randn(n, height, width, generator=generator, dtype=torch.float64)

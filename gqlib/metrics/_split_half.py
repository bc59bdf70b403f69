"""Standard errors of scores that look at a sample's neighbours.

Each set is split at random into two halves. Half of the variance between the two halves' scores is
the variance at full size. This is repeated and averaged. A bootstrap does not work here, since a
sample that is drawn twice is its own nearest neighbour. The jackknife's error is up to twice too
large for such scores, and that of a first-order influence too small.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

#: How often the sets are split.
SPLITS = 10
#: Degrees of freedom of Student's quantiles. Splits share their samples, so ten of them tell less
#: than ten independent ones. By simulation, 95 % intervals of 80 to 300 samples cover 92 to 98 %.
DEGREES = 6


def standard_errors(
    scores: Callable[..., torch.Tensor], *sets: torch.Tensor, seed: int = 0
) -> torch.Tensor:
    """Standard errors of ``scores(*sets)``, in its shape, float64; rows of a set are samples."""
    generator = torch.Generator().manual_seed(seed)
    variances = []
    for _ in range(SPLITS):
        halves = [
            torch.randperm(len(t), generator=generator).to(t.device).tensor_split(2) for t in sets
        ]
        first, second = (
            scores(*(t[half[i]] for t, half in zip(sets, halves, strict=True))) for i in (0, 1)
        )
        variances.append((first - second).square() / 4)
    return torch.stack(variances).mean(0).sqrt()

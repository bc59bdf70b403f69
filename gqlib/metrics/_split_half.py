"""Standard errors of scores that look at a sample's neighbours.

Each set is split at random into two halves, and half of the variance between the scores of the two
is the variance at full size; that is repeated, and averaged. A bootstrap would not do: a sample
drawn twice is its own nearest neighbour. Nor would the jackknife, which for such scores is up to
twice too large, or a first-order influence, which is too small.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

#: How often the sets are split.
SPLITS = 10
#: Of Student's quantiles: splits share their samples, so ten tell as much as these many would that
#: did not. Found by simulation: intervals of 95 % cover 92 to 98 % of 80 to 300 samples.
DEGREES = 6


def standard_errors(
    scores: Callable[..., torch.Tensor], *sets: torch.Tensor, seed: int = 0
) -> torch.Tensor:
    """Standard errors, float64, of ``scores(*sets)``, any shape; each set's rows are samples."""
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

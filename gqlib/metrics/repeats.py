"""Near repeats: does a model make the same sample again and again?

    s(z)    = distance of z to the nearest other sample of its own set / spread of that set,
              spread² = the sum over features of their variances
    repeats = share of fakes y with s(y) < q,   q the 1 % quantile of s over the real samples
    distinct fakes = Σⱼ 1/nⱼ,   nⱼ = number of fakes, yⱼ among them, nearer to yⱼ than q · spread

A model that knows few samples repeats itself soon, as people of one class share a birthday: Arora,
Risteski and Zhang, "Do GANs learn the distribution? Some theory and empirics", ICLR 2018, section 3
(who look at the nearest pairs by eye). Here the real samples tell what near means, and dividing by
the spread makes it independent of scale: noise or blur alone make no repeats. Fakes of the real law
get about 1 %.

How near the nearest lies depends on how many there are, so both sides are taken at the same number:
of the larger one a random subset.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from gqlib.metrics._input import Array, features, same_width
from gqlib.metrics._pairs import around_real, tiles
from gqlib.metrics.memorisation import nearest_other
from gqlib.metrics.result import Result, wilson_interval

#: Share of the real samples that lie nearer to another one than what counts as near.
QUANTILE = 0.01
#: Samples that are needed on each side.
AT_LEAST = 20
#: From this p-value on the fakes count as all distinct.
_CLEAR = 0.01


@dataclass(frozen=True, kw_only=True)
class RepeatsResult(Result):
    """The share of near repeats, and what follows from it.

    Attributes:
        null: What fakes of the real law would get.
        distinct: The number of distinct fakes that the fakes are worth, at most ``n_fake``.
        p_value: Probability of so many repeats or more among fakes of the real law: exact for
            exchangeable samples, of which two are taken as one, since repeats come in pairs.
    """

    null: float
    distinct: float
    p_value: float


def repeats(
    real: Array, fake: Array, confidence: float | None = None, seed: int = 0
) -> RepeatsResult:
    """Share of fakes that lie as near to another fake as hardly a real sample to another real one.

    Args:
        real: Features of shape (N, D), N ≥ 20.
        fake: Features of shape (M, D), M ≥ 20.
        confidence: Level of an interval (Wilson, for half as many samples).
        seed: Seeds the subset of the larger side.

    Raises:
        ValueError: Another rank, a NaN, different D, fewer than 20 samples on a side.
    """
    x, y = features(real, "real", AT_LEAST), features(fake, "fake", AT_LEAST)
    same_width(x.shape[1], y.shape[1])
    n = min(len(x), len(y))
    x, y = _subset(x, n, seed), _subset(y, n, seed)
    return repeats_of(x, y, nearest_other(x), nearest_other(y), confidence)


def repeats_of(
    x: torch.Tensor,
    y: torch.Tensor,
    apart_x: torch.Tensor,
    apart_y: torch.Tensor,
    confidence: float | None = None,
) -> RepeatsResult:
    """The same for sets of one size whose nearest-other distances, (N,) each, are known."""
    n = len(x)
    real, fake = _scaled(apart_x, x), _scaled(apart_y, y)
    limit = float(real.sort().values[math.ceil(QUANTILE * n)])
    usual, count = int((real < limit).sum()), int((fake < limit).sum())
    p = _p_value(usual, count, n)
    distinct = float(n)
    if p < _CLEAR:
        distinct = _distinct(y, limit * _spread(y))
    return RepeatsResult(
        value=count / n,
        n_real=n,
        n_fake=n,
        interval=None if confidence is None else wilson_interval(count / 2, n / 2, confidence),
        name="near repeats",
        null=usual / n,
        distinct=distinct,
        p_value=p,
    )


def _subset(x: torch.Tensor, n: int, seed: int) -> torch.Tensor:
    if len(x) == n:
        return x
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))
    return x[order[:n].to(x.device)]


def _spread(x: torch.Tensor) -> float:
    return math.sqrt(float(x.to(torch.float64).var(0).sum()))


def _scaled(apart: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """Nearest-other distances in units of the spread; equal samples stay at 0."""
    return apart / (_spread(x) or 1.0)


def _p_value(usual: int, count: int, n: int) -> float:
    """P(``count`` fakes or more come before the real sample after the ``usual``), pairs as one."""
    from scipy.stats import hypergeom

    n, usual, count = n // 2, math.ceil(usual / 2), count // 2
    return float(hypergeom.sf(count - 1, 2 * n, n, usual + count))


def _distinct(y: torch.Tensor, reach: float) -> float:
    points, _ = around_real(y, y[:1])
    near = torch.zeros(len(y), dtype=torch.int64, device=points.centred.device)
    for tile in tiles(points):
        a, b = points.squares[tile.rows, None], points.squares[tile.columns]
        within = a + b - 2 * tile.inner.to(torch.float64) < reach**2
        near[tile.rows] += within.sum(1)
        if not tile.diagonal:
            near[tile.columns] += within.sum(0)
    # Rounding may have put a point out of its own reach.
    return float((1 / near.clamp_min(1).to(torch.float64)).sum())

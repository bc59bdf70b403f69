"""Near repeats: does a model make the same sample again and again?

    reach   = q · min(1, spread of the fakes / spread of the real samples),
              q the 1 % quantile of the distances from each real sample to the nearest other one,
              spread² the sum over features of their variances
    repeats = share of fakes that are nearer than the reach to another fake
    distinct fakes = Σⱼ 1/nⱼ,   nⱼ the number of fakes, yⱼ among them, nearer to yⱼ than the reach

A model that knows few samples repeats itself soon, as people in one class share a birthday: Arora,
Risteski and Zhang, "Do GANs learn the distribution? Some theory and empirics", ICLR 2018, section 3
(who look at the nearest pairs by eye). Here the real samples define what near means. Fakes from the
real distribution get about 1 %. If the fakes are less spread out, the reach shrinks with them, so
that blur alone makes no repeats. If they are more spread out it does not grow, since outliers would
then make some.

The distance to the nearest neighbour depends on the number of samples. So both sides are compared
at the same number: of the larger one, a random subset is taken.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from gqlib.metrics._pairs import BLOCKS, Blocks, around_real, exact_squares, tiles
from gqlib.metrics._validate import Array, check_features, same_width, to_float64
from gqlib.metrics.memorisation import nearest_other
from gqlib.metrics.result import Result, wilson_interval

#: The share of real samples whose nearest other one lies within what counts as near.
QUANTILE = 0.01
#: Samples that are needed on each side.
AT_LEAST = 20
#: From this p-value on the fakes count as all distinct.
_CLEAR = 0.01
#: Distances that differ by less than this, relatively, count as equal (features are float32).
_ROUNDING = 1e-6


@dataclass(frozen=True, kw_only=True)
class RepeatsResult(Result):
    """The share of near repeats, and what follows from it.

    Attributes:
        expected: The share of real samples that lie as near to another. Faithful fakes get about
            that; if there are few samples, up to one pair more.
        distinct: The number of distinct fakes: all of them, ``n_fake``, unless there are clearly
            more repeats than chance explains (p-value below 1 %).
        p_value: Probability of so many repeats or more among fakes from the real distribution:
            exact for exchangeable samples, counted in twos, since repeats come in pairs. If many
            real samples lie exactly at the quantile, as on a lattice, they count too.
    """

    expected: float
    distinct: float
    p_value: float


def repeats(
    real: Array, fake: Array, confidence: float | None = None, seed: int = 0
) -> RepeatsResult:
    """Share of fakes closer to another fake than 99 % of real samples are to each other.

    Args:
        real: Features of shape (N, D), N ≥ 20.
        fake: Features of shape (M, D), M ≥ 20.
        confidence: Level of an interval (Wilson, for half as many samples).
        seed: Seeds the subset of the larger side.

    Raises:
        ValueError: Another rank, a NaN, different D, fewer than 20 samples on a side.
    """
    x, y = check_features(real, "real", AT_LEAST), check_features(fake, "fake", AT_LEAST)
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
    blocks: Blocks = BLOCKS,
) -> RepeatsResult:
    """Repeats in sets of one size whose nearest-other distances, (N,) each, are known."""
    n = len(x)
    quantile = float(apart_x.sort().values[math.ceil(QUANTILE * n)])
    limit = quantile * (1 - _ROUNDING)
    reach = limit * _shrinkage(x, y)
    usual, count = int((apart_x < limit).sum()), int((apart_y < reach).sum())
    # On a lattice more than one pair is as near as the quantile.
    tied = int((apart_x <= quantile * (1 + _ROUNDING)).sum()) - 2
    p = _p_value(max(usual, tied), count, n)
    distinct = float(n)
    if p < _CLEAR:
        distinct = _distinct(y, reach, blocks)
    warnings = []
    if limit == 0:
        equal = int((apart_x == 0).sum())
        warnings.append(
            f"{equal} of {n} real samples equal another one, more than {100 * QUANTILE:g} %: no "
            "fakes lie nearer, so near repeats cannot be seen"
        )
    return RepeatsResult(
        value=count / n,
        n_real=n,
        n_fake=n,
        interval=None if confidence is None else wilson_interval(count / 2, n / 2, confidence),
        warnings=tuple(warnings),
        name="near repeats",
        expected=usual / n,
        distinct=distinct,
        p_value=p,
    )


def _subset(x: torch.Tensor, n: int, seed: int) -> torch.Tensor:
    if len(x) == n:
        return x
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))
    return x[order[:n].to(x.device)]


def _spread(x: torch.Tensor) -> float:
    return math.sqrt(float(to_float64(x).var(0).sum()))


def _shrinkage(x: torch.Tensor, y: torch.Tensor) -> float:
    """The spread of y over that of x, at most 1; also 1 if all samples of a set are equal."""
    real, fake = _spread(x), _spread(y)
    return min(1.0, fake / real) if real > 0 and fake > 0 else 1.0


def _p_value(usual: int, count: int, n: int) -> float:
    """P(at least ``count`` fakes lie nearer than the first real sample beyond the ``usual`` ones).

    Samples are counted in twos.
    """
    from scipy.stats import hypergeom

    n, usual, count = n // 2, math.ceil(usual / 2), count // 2
    return float(hypergeom.sf(count - 1, 2 * n, n, usual + count))


def _distinct(y: torch.Tensor, reach: float, blocks: Blocks) -> float:
    points, _ = around_real(y, y[:1], blocks)
    near = torch.zeros(len(y), dtype=torch.int64, device=points.centred.device)
    for tile in tiles(points):
        sizes = points.squares[tile.rows, None] + points.squares[tile.columns]
        squares = sizes - 2 * tile.inner.to(torch.float64)
        within = squares < reach**2
        # If rounding leaves it open, the distance is computed from differences.
        unsure = (squares - reach**2).abs() <= points.slack * sizes
        if tile.diagonal:
            unsure.fill_diagonal_(False)
            within.fill_diagonal_(True)
        i, j = unsure.nonzero(as_tuple=True)
        exact = exact_squares(
            points.given, points.given, i + tile.rows.start, j + tile.columns.start
        )
        within[i, j] = exact < reach**2
        near[tile.rows] += within.sum(1)
        if not tile.diagonal:
            near[tile.columns] += within.sum(0)
    return float((1 / near.to(torch.float64)).sum())

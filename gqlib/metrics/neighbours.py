"""Precision, recall, density and coverage: do the fakes lie where the real samples lie?

With B(z) the closed ball around a sample z that reaches to its k-th nearest other sample of the
same set, N real samples x and M fakes y:

    precision = 1/M   Σⱼ 1[yⱼ ∈ ⋃ᵢ B(xᵢ)]       recall   = 1/N Σᵢ 1[xᵢ ∈ ⋃ⱼ B(yⱼ)]
    density   = 1/kM  Σⱼ Σᵢ 1[yⱼ ∈ B(xᵢ)]       coverage = 1/N Σᵢ 1[some yⱼ ∈ B(xᵢ)]

Kynkäänniemi, Karras, Laine, Lehtinen, Aila, "Improved precision and recall metric for assessing
generative models", NeurIPS 2019, section 3. Naeem, Oh, Uh, Choi, Yoo, "Reliable fidelity and
diversity metrics for generative models", ICML 2020, section 3 (who leave out the ball's surface).

In NumPy, with SciPy's ``cdist`` (a sample is its own nearest, so the k-th other one has index k):

>>> real_radii = np.sort(cdist(real, real), axis=1)[:, k]
>>> fake_radii = np.sort(cdist(fake, fake), axis=1)[:, k]
>>> d = cdist(real, fake)
>>> precision = (d <= real_radii[:, None]).any(0).mean()
>>> recall = (d <= fake_radii).any(1).mean()
>>> density = (d <= real_radii[:, None]).sum() / (k * len(fake))
>>> coverage = (d <= real_radii[:, None]).any(1).mean()

:func:`neighbour_scores` gives the same tile by tile, without holding these matrices.

If both distributions are equal, E[density] = 1 and E[coverage] = 1 − Π (N−i)/(N+M−i), i = 1 … k:
the j-th factor is the chance that the j-th nearest of all other samples is a real one too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import torch

from gqlib.metrics._pairs import (
    BLOCKS,
    Blocks,
    Points,
    Tile,
    accumulate,
    around_real,
    exact_squares,
)
from gqlib.metrics._split_half import DEGREES, standard_errors
from gqlib.metrics._validate import Array, check_features, same_width
from gqlib.metrics.result import Interval, Results, share_interval, student_interval

#: Candidates kept beyond the k nearest, to settle near ties.
_SPARE = 4


@dataclass(frozen=True, kw_only=True)
class NeighbourScores(Results):
    """Precision, recall, density and coverage, with ``k``.

    Attributes:
        precision: Share of fakes inside the real samples' balls.
        recall: Share of real samples inside the fakes' balls.
        density: Mean number of real balls that a fake lies in, divided by k; may exceed 1.
        coverage: Share of real balls that hold a fake.
        k: The neighbour that a ball reaches to.
        expected: What a faithful model would get at these sizes: density and coverage by the
            formulas above; precision and recall as the share of real samples that lie in a ball
            of the others, each left out in turn.
        errors: Standard errors of the four, if intervals were asked for.
        gap_errors: Standard errors of each score's distance from ``expected``, likewise.
    """

    VALUES: ClassVar[tuple[str, ...]] = ("precision", "recall", "density", "coverage")

    precision: float
    recall: float
    density: float
    coverage: float
    k: int
    expected: Mapping[str, float]
    errors: Mapping[str, float] | None = None
    gap_errors: Mapping[str, float] | None = None

    def p_value_below(self, name: str, distinct_share: float = 1.0) -> float:
        """Probability of a score this low or lower from a faithful model; needs intervals.

        ``distinct_share`` is the share of the fakes that are distinct. Repeats add nothing, so the
        score varies like that of the distinct ones alone.
        """
        from scipy.special import stdtr

        if self.gap_errors is None:
            raise ValueError("a p-value needs standard errors: ask for intervals (confidence=0.95)")
        gap = getattr(self, name) - self.expected[name]
        return float(stdtr(DEGREES, gap / self.gap_errors[name] * math.sqrt(distinct_share)))

    def above_expected(self) -> torch.Tensor:
        """Each score less its ``expected`` value, in the order of ``VALUES``, (V,)."""
        expected = torch.tensor([self.expected[name] for name in self.VALUES], dtype=torch.float64)
        return self.values() - expected


def neighbour_scores(
    real: Array, fake: Array, k: int = 5, confidence: float | None = None, seed: int = 0
) -> NeighbourScores:
    """Precision, recall, density and coverage of ``fake``, from one pass over all distances.

    Comparisons are exact: if the fast inner products cannot tell which of two distances is larger,
    both are computed from differences in float64.

    Args:
        real: Features of shape (N, D), N > k.
        fake: Features of shape (M, D), M > k.
        k: The neighbour that a ball reaches to; the sample itself does not count, copies of it do.
        confidence: Level of intervals, from the spread over random halves of both sides.
        seed: Seeds the halves.

    Raises:
        ValueError: Another rank, a NaN, different D, k < 1, or a side with k samples or fewer.
    """
    x, y = check_features(real, "real"), check_features(fake, "fake")
    same_width(x.shape[1], y.shape[1])
    check_k(k, len(x), len(y))
    scores = scores_of(x, y, k)
    return scores if confidence is None else with_intervals(scores, x, y, confidence, seed)


def scores_of(x: torch.Tensor, y: torch.Tensor, k: int, blocks: Blocks = BLOCKS) -> NeighbourScores:
    """The same of features that have been checked, without intervals."""
    a, b = around_real(x, y, blocks)
    accumulator = NeighbourAccumulator(a, b, k)
    accumulate(a, b, accumulator)
    return accumulator.result()


def with_intervals(
    scores: NeighbourScores, x: torch.Tensor, y: torch.Tensor, confidence: float, seed: int = 0
) -> NeighbourScores:
    """``scores`` of ``x`` and ``y`` with an interval for each."""
    k, smaller = scores.k, min(len(x), len(y))
    if smaller // 2 <= k:
        raise ValueError(
            f"confidence with k={k} needs at least {2 * k + 2} samples a side, got {smaller}: "
            "pass more samples, a smaller k, or confidence=None"
        )

    def values_and_gaps(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        half = neighbour_scores(a, b, k)
        return torch.stack([half.values(), half.above_expected()])

    # Even if all halves agree, one sample might differ.
    rows = standard_errors(values_and_gaps, x, y, seed=seed).clamp_min(1 / smaller).tolist()
    errors, gap_errors = (dict(zip(scores.VALUES, row, strict=True)) for row in rows)
    interval = {}
    for name, error in errors.items():
        value = float(getattr(scores, name))
        if name == "density":
            low, high, level = student_interval(value, error, DEGREES, confidence)
            interval[name] = Interval(max(low, 0.0), high, level)
        else:
            interval[name] = share_interval(value, error, DEGREES, confidence)
    return replace(scores, interval=interval, errors=errors, gap_errors=gap_errors)


def expected_coverage(n_real: int, n_fake: int, k: int) -> float:
    """E[coverage] of N real samples and M fakes of one continuous distribution, exact at any N."""
    check_k(k, n_real, k + 1)
    product = math.prod((n_real - i) / (n_real + n_fake - i) for i in range(1, k + 1))
    return 1 - product


def check_k(k: int, n_real: int, n_fake: int) -> None:
    """``ValueError`` unless each sample has at least ``k`` others in its set."""
    if k < 1:
        raise ValueError(f"k={k}, expected a number of neighbours of at least 1")
    n, side = min((n_real, "real"), (n_fake, "fake"))
    if k >= n:
        raise ValueError(
            f"k={k} neighbours need at least {k + 1} samples a side, got {n} {side} ones: "
            "pass more samples or a smaller k"
        )


class NeighbourAccumulator:
    """Collects what the four scores need, tile by tile."""

    def __init__(self, x: Points, y: Points, k: int) -> None:
        self.x, self.y, self.k = x, y, k
        self._nearest = {"real": Nearest(x, k), "fake": Nearest(y, k)}
        self._radii: tuple[torch.Tensor, torch.Tensor] | None = None
        device = x.squares.device
        #: The number of real balls around each fake, and whether each real ball holds a fake.
        self.depth = torch.zeros(len(y), dtype=torch.int64, device=device)
        self.covered = torch.zeros(len(x), dtype=torch.bool, device=device)
        self.recalled = torch.zeros(len(x), dtype=torch.bool, device=device)

    def within(self, side: str, tile: Tile) -> None:
        self._nearest[side].add(tile)

    def between(self, tile: Tile) -> None:
        if self._radii is None:
            self._radii = self._nearest["real"].kth()[0], self._nearest["fake"].kth()[0]
        real, fake = self._radii
        a, b = self.x.squares[tile.rows, None], self.y.squares[None, tile.columns]
        # A lower bound of each squared distance.
        low = torch.add((a * (1 - self.x.slack)).to(tile.inner), tile.inner, alpha=-2)
        low.add_((b * (1 - self.x.slack)).to(low))
        i, j = self._inside(tile, low, real[tile.rows, None])
        self.covered[i] = True
        self.depth += torch.bincount(j, minlength=len(self.y))
        i, _ = self._inside(tile, low, fake[None, tile.columns])
        self.recalled[i] = True

    def _inside(
        self, tile: Tile, low: torch.Tensor, radii: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The pairs (i, j) of a tile whose squared distance is at most ``radii`` (broadcast).

        If the bounds of a distance leave that open, it is computed exactly.
        """
        i, j = (low <= radii.to(low)).nonzero(as_tuple=True)
        limit = radii.expand(tile.inner.shape)[i, j]
        squares = self.x.squares[tile.rows][i] + self.y.squares[tile.columns][j]
        high = squares * (1 + self.x.slack) - 2 * tile.inner[i, j].to(torch.float64)
        i, j = i + tile.rows.start, j + tile.columns.start
        unsure = (high > limit).nonzero()[:, 0]
        inside = torch.ones_like(i, dtype=torch.bool)
        exact = exact_squares(self.x.given, self.y.given, i[unsure], j[unsure])
        inside[unsure] = exact <= limit[unsure]
        return i[inside], j[inside]

    def apart(self, side: str) -> torch.Tensor:
        """Distance of each point of "real" or "fake" to the nearest other one, (N,), float64."""
        return self._nearest[side].kth(1)[0].sqrt()

    def result(self) -> NeighbourScores:
        """The scores, after all tiles."""
        n, m, k = len(self.x), len(self.y), self.k
        left_out = float((self._nearest["real"].popularity() > 0).double().mean())
        warnings = [
            f"{count} {side} samples are few for these scores, which change with it: below 1,000 "
            "compare only values measured at the same sizes"
            for count, side in ((n, "real"), (m, "fake"))
            if count < 1000
        ]
        return NeighbourScores(
            precision=float((self.depth > 0).double().mean()),
            recall=float(self.recalled.double().mean()),
            density=float(self.depth.sum()) / (k * m),
            coverage=float(self.covered.double().mean()),
            k=k,
            expected={
                "precision": left_out,
                "recall": left_out,
                "density": 1.0,
                "coverage": expected_coverage(n, m, k),
            },
            n_real=n,
            n_fake=m,
            warnings=tuple(warnings),
            name="precision, recall, density, coverage",
        )


class Nearest:
    """The k nearest points of a pool for each point.

    Args:
        x: The points.
        k: How many.
        pool: Where to search. With ``None`` each point searches the others of its own set, and
            the tiles are those on and above the diagonal.
    """

    def __init__(self, x: Points, k: int, pool: Points | None = None) -> None:
        self.x, self.k, self.alone = x, k, pool is None
        self.pool = x if pool is None else pool
        self._others = len(self.pool) - self.alone
        kept = min(k + _SPARE, self._others)
        self._squares = x.centred.new_full((len(x), kept), torch.inf)
        self._index = torch.zeros(len(x), kept, dtype=torch.int64, device=x.centred.device)

    def add(self, tile: Tile) -> None:
        a, b = self.x.squares[tile.rows], self.pool.squares[tile.columns]
        squares = torch.add(a[:, None].to(tile.inner), tile.inner, alpha=-2).add_(b.to(tile.inner))
        if self.alone and tile.diagonal:
            squares.fill_diagonal_(torch.inf)
        elif self.alone:
            self._keep(tile.columns, tile.rows.start, squares.T.contiguous())
        self._keep(tile.rows, tile.columns.start, squares)

    def _keep(self, rows: slice, start: int, squares: torch.Tensor) -> None:
        kept = self._squares.shape[1]
        smallest = squares.topk(min(kept, squares.shape[1]), dim=1, largest=False)
        values = torch.cat([self._squares[rows], smallest.values], 1)
        index = torch.cat([self._index[rows], smallest.indices + start], 1)
        best = values.topk(kept, dim=1, largest=False)
        self._squares[rows], self._index[rows] = best.values, index.gather(1, best.indices)

    def popularity(self) -> torch.Tensor:
        """For each point of the pool, the number of points that have it among their k nearest."""
        return torch.bincount(self._index[:, : self.k].flatten(), minlength=len(self.pool))

    def kth(self, k: int | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        """Squared distance of each point to its k-th nearest, (N,), exact in float64; its index.

        ``k`` is at most the one given at first, which is the default.
        """
        k = self.k if k is None else k
        everyone = torch.arange(len(self.x), device=self._index.device)
        squares, index, clear = self._settled(everyone, self._squares, self._index, k)
        step = max(1, self.x.blocks.tile**2 // len(self.pool))
        for rows in (~clear).nonzero()[:, 0].split(step):
            squares[rows], index[rows] = self._kth_of_all(rows, k)
        return squares, index

    def _settled(
        self, rows: torch.Tensor, squares: torch.Tensor, index: torch.Tensor, k: int
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """The k-th smallest of each row, its index, and whether the candidates suffice to know it.

        Distances within twice the slack of the k-th are computed exactly. The others lie surely
        below or above it.
        """
        squares = squares.to(torch.float64)
        kth = squares.kthvalue(k, 1).values
        # For a point at squared distance D, ‖y‖² ≤ 2‖x‖² + 2D bounds the slack.
        doubt = self.x.slack * (3.1 * self.x.squares[rows] + 2.1 * kth)
        near = (squares - kth[:, None]).abs() <= 2.1 * doubt[:, None]
        i, j = near.nonzero(as_tuple=True)
        squares[i, j] = exact_squares(self.x.given, self.pool.given, rows[i], index[i, j])
        exact = squares.kthvalue(k, 1)
        clear = ~near[:, -1] | (exact.values == 0) | (squares.shape[1] >= self._others)
        return exact.values, index.gather(1, exact.indices[:, None])[:, 0], clear

    def _kth_of_all(self, rows: torch.Tensor, k: int) -> tuple[torch.Tensor, torch.Tensor]:
        """The k-th nearest from the whole pool, for rows with more near ties than candidates."""
        inner = self.x.centred[rows] @ self.pool.centred.T
        squares = self.x.squares[rows, None] + self.pool.squares - 2 * inner.to(torch.float64)
        if self.alone:
            squares[torch.arange(len(rows), device=rows.device), rows] = torch.inf
        index = torch.arange(len(self.pool), device=rows.device).expand(len(rows), -1)
        return self._settled(rows, squares, index, k)[:2]

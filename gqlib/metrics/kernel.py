"""Kernel distance: the squared maximum mean discrepancy, without bias.

    MMD² = mean over i ≠ j of k(xᵢ, xⱼ) + mean over i ≠ j of k(yᵢ, yⱼ) − 2 · mean of k(xᵢ, yⱼ)
    k(x, y) = (x·y / D + 1)³

Gretton et al., "A kernel two-sample test", JMLR 13, 2012, lemma 6 (the unbiased estimate).
Bińkowski, Sutherland, Arbel, Gretton, "Demystifying MMD GANs", ICLR 2018 (KID: this kernel on
Inception features, the mean over 100 random subsets of 1,000 of each side).

MMD² stays the same when k(x, y) is replaced by k(x, y) − k(x, m) − k(m, y) + k(m, m) for a fixed
point m. With m the mean of the real features, large terms cancel by algebra, before they are
rounded; see :class:`KernelAccumulator`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from gqlib.metrics._pairs import BLOCKS, Blocks, Points, Tile, accumulate, around_real
from gqlib.metrics._validate import Array, check_features, same_width, to_float64
from gqlib.metrics.result import Result, check_level, normal_interval

#: Maps x (n, D) and y (m, D), float64, to the kernel matrix (n, m).
Kernel = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


@dataclass(frozen=True, kw_only=True)
class KernelResult(Result):
    """A kernel distance; ``std`` is its standard deviation over subsets, if there are any."""

    std: float | None = None


def kernel_distance(
    real: Array,
    fake: Array,
    kernel: str | Kernel = "poly3",
    subsets: int | None = None,
    subset_size: int = 1000,
    seed: int = 0,
    confidence: float | None = None,
) -> KernelResult:
    """Unbiased squared maximum mean discrepancy between two sets of features.

    Args:
        real: Features of shape (N, D), N ≥ 2.
        fake: Features of shape (M, D), M ≥ 2.
        kernel: ``"poly3"``, or a function of x (n, D) and y (m, D) that returns (n, m).
        subsets: ``None`` for all pairs, which is exact and needs no seed. A number such as 100
            for the mean over that many random subsets, as KID is published.
        subset_size: Samples of a subset, drawn without replacement from each side.
        seed: Seeds the subsets.
        confidence: Level of an interval, from the jackknife over the samples of both sides (Arvesen
            1969), less what it counts twice; with subsets, their sampling error is added.

    Returns:
        A :class:`KernelResult`. The value may be negative: if the two distributions are equal, its
        mean is 0, so about half of the time it lies below.

    Raises:
        ValueError: Another rank, a NaN, different D, fewer than two samples, an unknown kernel,
            a subset larger than a side.
    """
    x, y = check_features(real, "real"), check_features(fake, "fake")
    same_width(x.shape[1], y.shape[1])
    if isinstance(kernel, str) and kernel != "poly3":
        raise ValueError(f'kernel={kernel!r}, expected "poly3" or a function of two arrays')
    if confidence is not None:
        check_level(confidence)
    if subsets is None:
        return _all_pairs(x, y, kernel, confidence is not None).result(confidence)
    values = _over_subsets(x, y, kernel, subsets, subset_size, seed)
    value, std = float(values.mean()), float(values.std(correction=0))
    interval = None
    if confidence is not None:
        whole = _all_pairs(x, y, kernel, squares=True).standard_error()
        interval = normal_interval(value, (whole**2 + std**2 / subsets) ** 0.5, confidence)
    return KernelResult(
        value=value,
        n_real=len(x),
        n_fake=len(y),
        interval=interval,
        name=_NAME,
        std=std,
    )


_NAME = "kernel distance (MMD²)"


class KernelAccumulator:
    """Sums of the kernel over each sample's pairs, from the tiles.

    For k(x, y) = (x·y/D + 1)³ the sum is over k(x, y) − k(x, m) − k(m, y) + k(m, m), with m the
    points' common centre. With a = 1 + m·m/D, p = m·(x − m)/D, q = m·(y − m)/D and
    u = (x − m)·(y − m)/D the four values are (a+p+q+u)³, (a+p)³, (a+q)³, a³, and their sum is
    u(3s² + 3su + u²) + 3pq(2a+p+q), s = a+p+q: nothing large is left to cancel.

    Args:
        x: The real samples.
        y: The fakes.
        kernel: ``"poly3"`` or a function.
        squares: Whether to sum squares too, which the standard error needs.
    """

    def __init__(
        self, x: Points, y: Points, kernel: str | Kernel = "poly3", squares: bool = False
    ) -> None:
        self.x, self.y, self.kernel, self.squares = x, y, kernel, squares
        d = x.given.shape[1]
        self._a = 1 + x.centre @ x.centre / d
        self._p = {"real": x.along_centre / d, "fake": y.along_centre / d}
        zeros = x.squares.new_zeros
        #: For each sample: the kernel's sum over the others of its set, and over the other set.
        self.within_sums = {"real": zeros(len(x)), "fake": zeros(len(y))}
        self.between_sums = {"real": zeros(len(x)), "fake": zeros(len(y))}
        #: The sums of squares of the kernel: real pairs, fake pairs, mixed pairs.
        self.square_sums = {"real": zeros(()), "fake": zeros(()), "both": zeros(())}

    def within(self, side: str, tile: Tile) -> None:
        k = self._values(tile, side, side)
        total = self.within_sums[side]
        if tile.diagonal:
            k.fill_diagonal_(0)
        else:
            total[tile.columns] += k.sum(0)
        total[tile.rows] += k.sum(1)
        if self.squares:
            self.square_sums[side] += _square_sum(k) * (1 if tile.diagonal else 2)

    def between(self, tile: Tile) -> None:
        k = self._values(tile, "real", "fake")
        self.between_sums["real"][tile.rows] += k.sum(1)
        self.between_sums["fake"][tile.columns] += k.sum(0)
        if self.squares:
            self.square_sums["both"] += _square_sum(k)

    def _values(self, tile: Tile, row_side: str, column_side: str) -> torch.Tensor:
        if callable(self.kernel):
            sides = {"real": self.x.given, "fake": self.y.given}
            rows, columns = sides[row_side][tile.rows], sides[column_side][tile.columns]
            device = self._a.device
            return to_float64(
                self.kernel(to_float64(rows).to(device), to_float64(columns).to(device))
            ).clone()
        u = tile.inner / self.x.given.shape[1]
        # In the tile's precision: the rounding of single values averages out in the mean.
        p = self._p[row_side][tile.rows, None].to(u)
        q = self._p[column_side][None, tile.columns].to(u)
        a = self._a.to(u)
        s = (a + p) + q
        total = torch.add(s, u).mul_(s).mul_(3).addcmul_(u, u).mul_(u)
        return total.add_(s.add_(a).mul_(3 * p).mul_(q))

    def result(self, confidence: float | None = None) -> KernelResult:
        """The distance, after all tiles."""
        n, m = len(self.x), len(self.y)
        xx, yy = (self.within_sums[side].sum() for side in ("real", "fake"))
        cross = self.between_sums["real"].sum()
        value = float(xx / (n * (n - 1)) + yy / (m * (m - 1)) - 2 * cross / (n * m))
        interval = None
        if confidence is not None:
            interval = normal_interval(value, self.standard_error(), confidence)
        return KernelResult(value=value, n_real=n, n_fake=m, interval=interval, name=_NAME)

    def standard_error(self) -> float:
        """Standard error of the distance, by the jackknife with one correction.

        The jackknife counts the part that is quadratic in the samples' deviations twice (Efron and
        Stein 1981), and between equal distributions that part is all there is. It is estimated from
        the squares of the kernel, centred in both arguments, and counted once.
        """
        n, m = len(self.x), len(self.y)
        if min(n, m) < 3:
            raise ValueError(
                f"confidence needs at least 3 samples a side, got {n} real and {m} fake: "
                "pass more, or confidence=None"
            )
        xx, yy = self.within_sums["real"], self.within_sums["fake"]
        xy, yx = self.between_sums["real"], self.between_sums["fake"]
        cross = xy.sum()
        # The estimate without sample i: its row and column leave the sums.
        without_x = (xx.sum() - 2 * xx) / ((n - 1) * (n - 2)) - 2 * (cross - xy) / ((n - 1) * m)
        without_y = (yy.sum() - 2 * yy) / ((m - 1) * (m - 2)) - 2 * (cross - yx) / (n * (m - 1))
        jackknife = (n - 1) ** 2 / n * without_x.var() + (m - 1) ** 2 / m * without_y.var()
        quadratic = (
            2 / (n * (n - 1)) * _centred_square(self.square_sums["real"], xx / (n - 1), None)
            + 2 / (m * (m - 1)) * _centred_square(self.square_sums["fake"], yy / (m - 1), None)
            + 4 / (n * m) * _centred_square(self.square_sums["both"], xy / m, yx / n)
        )
        return float(((jackknife - 2 * quadratic).clamp_min(0) + quadratic).sqrt())


def _square_sum(k: torch.Tensor) -> torch.Tensor:
    return k.square().sum(1).to(torch.float64).sum()


def _all_pairs(
    x: torch.Tensor,
    y: torch.Tensor,
    kernel: str | Kernel,
    squares: bool = False,
    blocks: Blocks = BLOCKS,
) -> KernelAccumulator:
    """The kernel's sums over all pairs of ``x`` and ``y``."""
    accumulator = KernelAccumulator(*around_real(x, y, blocks), kernel, squares)
    accumulate(accumulator.x, accumulator.y, accumulator)
    return accumulator


def _centred_square(
    squares: torch.Tensor, rows: torch.Tensor, columns: torch.Tensor | None
) -> torch.Tensor:
    """Mean square of the kernel less its row and column means, from its sum of squares.

    ``columns`` is ``None`` if rows and columns are one set, whose diagonal does not count.
    """
    pairs = len(rows) * (len(rows) - 1 if columns is None else len(columns))
    spread = rows.var(correction=0) + (rows if columns is None else columns).var(correction=0)
    return (squares / pairs - rows.mean().square() - spread).clamp_min(0)


def _over_subsets(
    x: torch.Tensor,
    y: torch.Tensor,
    kernel: str | Kernel,
    subsets: int,
    size: int,
    seed: int,
) -> torch.Tensor:
    if subsets < 1:
        raise ValueError(f"subsets={subsets}, expected at least 1, or None for all pairs")
    if not 2 <= size <= min(len(x), len(y)):
        raise ValueError(
            f"subset_size={size}, expected between 2 and the smaller side's number of samples "
            f"({len(x)} real, {len(y)} fake)"
        )
    generator = torch.Generator().manual_seed(seed)

    def draw(z: torch.Tensor) -> torch.Tensor:
        return z[torch.randperm(len(z), generator=generator)[:size].to(z.device)]

    values = []
    for _ in range(subsets):
        values.append(_all_pairs(draw(x), draw(y), kernel).result().value)
    return torch.tensor(values, dtype=torch.float64)

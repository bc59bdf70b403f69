"""Kernel distance: the squared maximum mean discrepancy, without bias.

    MMD² = mean over i ≠ j of k(xᵢ, xⱼ) + mean over i ≠ j of k(yᵢ, yⱼ) − 2 · mean of k(xᵢ, yⱼ)
    k(x, y) = (x·y / D + 1)³

Gretton et al., "A kernel two-sample test", JMLR 13, 2012, lemma 6 (the unbiased estimate).
Bińkowski, Sutherland, Arbel, Gretton, "Demystifying MMD GANs", ICLR 2018 (KID: this kernel on
Inception features, the mean over 100 random subsets of 1,000 of each side).

MMD² stays the same when k(x, y) is replaced by k(x, y) − k(x, m) − k(m, y) + k(m, m) for a fixed
point m. With m the mean of the real features, the large terms that would cancel in the sum are
taken off by algebra before they are rounded; see :func:`_poly3`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch

from gqlib.metrics._input import Array, features, same_width, wide
from gqlib.metrics.result import Result, check_level, normal_interval

#: Rows of x and of y whose kernel matrix is held at a time: 2 MiB in float64, so that it stays in
#: a processor's cache while the polynomial is worked out.
_BLOCK = 512

#: Maps x (n, D) and y (m, D), float64, to the kernel matrix (n, m).
Kernel = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


@dataclass(frozen=True, kw_only=True)
class KernelResult(Result):
    """A kernel distance; ``std`` is its standard deviation over subsets, if these were asked."""

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
        confidence: Level of an interval, from a jackknife over the samples of both sides (Arvesen
            1969); with all pairs only.

    Returns:
        A :class:`KernelResult`. The value may be negative: where the two laws are equal, its mean
        is 0, so half of the time it lies below.

    Raises:
        ValueError: Another rank, a NaN, different D, fewer than two samples, an unknown kernel,
            a subset larger than a side, ``confidence`` together with ``subsets``.
    """
    x, y = features(real, "real"), features(fake, "fake")
    same_width(x.shape[1], y.shape[1])
    x, y = wide(x), wide(y)
    y = y.to(x.device)
    if isinstance(kernel, str) and kernel != "poly3":
        raise ValueError(f'kernel={kernel!r}, expected "poly3" or a function of two arrays')
    std, interval = None, None
    if subsets is None:
        k = _poly3(x.mean(0)) if isinstance(kernel, str) else kernel
        value, error = _all_pairs(x, y, k, confidence is not None)
        if confidence is not None:
            interval = normal_interval(value, error, check_level(confidence))
    else:
        if confidence is not None:
            raise ValueError(
                "confidence needs all pairs, and subsets share samples, so that their spread is "
                "no error: leave subsets out"
            )
        values = _over_subsets(x, y, kernel, subsets, subset_size, seed)
        value, std = float(values.mean()), float(values.std(correction=0))
    return KernelResult(
        value=value,
        n_real=len(x),
        n_fake=len(y),
        interval=interval,
        name="kernel distance (MMD²)",
        std=std,
    )


def _poly3(m: torch.Tensor) -> Kernel:
    """k(x, y) − k(x, m) − k(m, y) + k(m, m) for k(x, y) = (x·y/D + 1)³, without cancellation.

    With a = 1 + m·m/D, p = m·(x − m)/D, q = m·(y − m)/D and u = (x − m)·(y − m)/D the four values
    are (a+p+q+u)³, (a+p)³, (a+q)³, a³, and their sum is u(3s² + 3su + u²) + 3pq(2a+p+q), s = a+p+q.
    """
    d = len(m)
    a = 1 + m @ m / d

    def kernel(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        x, y = x - m, y - m
        p, q = (x @ m / d)[:, None], (y @ m / d)[None]
        u = (x / d) @ y.T
        s = (a + p) + q
        total = (s + u).mul_(s).mul_(3).addcmul_(u, u).mul_(u)
        return total.add_(s.add_(a).mul_(3 * p).mul_(q))

    return kernel


def _all_pairs(
    x: torch.Tensor, y: torch.Tensor, kernel: Kernel, error: bool
) -> tuple[float, float]:
    """MMD² and, if asked, its jackknife standard error."""
    n, m = len(x), len(y)
    xx, yy = _within(x, kernel), _within(y, kernel)
    xy, yx = _between(x, y, kernel)
    sum_x, sum_y, cross = xx.sum(), yy.sum(), xy.sum()
    value = float(sum_x / (n * (n - 1)) + sum_y / (m * (m - 1)) - 2 * cross / (n * m))
    if not error:
        return value, math.nan
    if min(n, m) < 3:
        raise ValueError(
            f"confidence needs at least 3 samples a side, got {n} real and {m} fake: "
            "pass more, or confidence=None"
        )
    # The estimate without sample i: its row and column leave the sums.
    without_x = (sum_x - 2 * xx) / ((n - 1) * (n - 2)) - 2 * (cross - xy) / ((n - 1) * m)
    without_y = (sum_y - 2 * yy) / ((m - 1) * (m - 2)) - 2 * (cross - yx) / (n * (m - 1))
    variance = (n - 1) ** 2 / n * without_x.var() + (m - 1) ** 2 / m * without_y.var()
    return value, math.sqrt(float(variance))


def _within(x: torch.Tensor, kernel: Kernel) -> torch.Tensor:
    """Sum over j ≠ i of k(xᵢ, xⱼ), for each i."""
    total = x.new_zeros(len(x))
    for i in range(0, len(x), _BLOCK):
        for j in range(i, len(x), _BLOCK):
            rows, columns = slice(i, i + _BLOCK), slice(j, j + _BLOCK)
            k = kernel(x[rows], x[columns])
            if i == j:
                k = k.clone().fill_diagonal_(0)
            else:
                total[columns] += k.sum(0)
            total[rows] += k.sum(1)
    return total


def _between(x: torch.Tensor, y: torch.Tensor, kernel: Kernel) -> tuple[torch.Tensor, torch.Tensor]:
    """Sums of k(xᵢ, yⱼ) over j, for each i, and over i, for each j."""
    rows, columns = x.new_zeros(len(x)), y.new_zeros(len(y))
    for i in range(0, len(x), _BLOCK):
        for j in range(0, len(y), _BLOCK):
            k = kernel(x[i : i + _BLOCK], y[j : j + _BLOCK])
            rows[i : i + _BLOCK] += k.sum(1)
            columns[j : j + _BLOCK] += k.sum(0)
    return rows, columns


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
        a, b = draw(x), draw(y)
        k = _poly3(a.mean(0)) if isinstance(kernel, str) else kernel
        values.append(_all_pairs(a, b, k, False)[0])
    return torch.tensor(values, dtype=torch.float64)

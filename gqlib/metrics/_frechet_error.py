"""How far the Fréchet distance of samples varies by chance, and what it is between equal laws.

Its bias and variance at finite sizes are those of a function of two means and two covariances: to
first order each sample has an influence of its own, and where both laws are equal the second order
is all there is.
"""

from __future__ import annotations

import math

import torch

from gqlib.metrics._fit import Fit
from gqlib.metrics._linalg import above_rounding
from gqlib.metrics._validate import chunks, offsets

#: Rows that are widened to float64 at a time.
_ROWS = 8192
#: Pairs of samples a side that tell the distance's variance between equal laws.
_PAIRS = 4096


def expected_frechet(real: torch.Tensor, one: Fit, n: int, m: int) -> float:
    """The squared distance to be expected between n and m fresh samples of the law of ``real``.

    ``one`` is the fit of these features.

    Both biases of the estimate, of the means and of the covariances, to first order in 1/n and 1/m:
    good where both are some times the number of features.
    """
    null = _Null(one.root.T @ one.root)
    z = null.sample(real, one.mean)[: _PAIRS // 4]
    return (1 / n + 1 / m) * float(null.product(z, z).mean())


def standard_error(
    one: Fit, two: Fit, x: torch.Tensor, y: torch.Tensor, rows: int = _ROWS
) -> float:
    """Standard error of the distance: each sample's influence, less what it counts twice.

    With T₁ the linear map that carries the first fit to the second one, a sample's influence is
    (x − μ₁)ᵀ(I − T₁)(x − μ₁) + 2(x − μ₁)·(μ₁ − μ₂). The sum of the influences' variances over n
    and m is the jackknife's estimate, which counts the part that is quadratic in the samples'
    deviations twice (Efron and Stein 1981). Between equal laws that part is all there is, so it is
    estimated by itself, and counted once.
    """
    u, s, vt = torch.linalg.svd(one.root @ two.root.T, full_matrices=False)
    delta = one.mean - two.mean
    variance = 0.0
    for side, t, axes, direction in ((one, x, u, delta), (two, y, vt.T, -delta)):
        influence = _influence(side, t, axes, s, direction, rows)
        variance += float(influence.var()) / len(t)
    quadratic = _quadratic_variance(one, two, x, y)
    return math.sqrt(max(variance - 2 * quadratic, 0.0) + quadratic)


def _influence(
    side: Fit,
    t: torch.Tensor,
    axes: torch.Tensor,
    s: torch.Tensor,
    direction: torch.Tensor,
    rows: int,
) -> torch.Tensor:
    """Each sample's influence on the distance, (N,)."""
    # (x − μ)ᵀT(x − μ) is the squared length of s^½ axesᵀ R⁻ᵀ (x − μ).
    r = side.root
    pivots = r.diagonal().abs()
    if r.shape[0] == r.shape[1] and bool(pivots.amin() > 1e-10 * pivots.amax()):
        inverse = torch.linalg.solve(r.T, torch.eye(len(r)).to(r))
    else:
        inverse = torch.linalg.pinv(r @ r.T, hermitian=True) @ r
    project = (axes * s.sqrt()).T @ inverse
    parts = []
    for part in chunks(t, rows):
        centred = offsets(part, side.mean)
        carried = (centred @ project.T).square().sum(1)
        parts.append(centred.square().sum(1) - carried + 2 * (centred @ direction))
    return torch.cat(parts)


def _quadratic_variance(one: Fit, two: Fit, x: torch.Tensor, y: torch.Tensor) -> float:
    """Variance of the distance between two samples of one law, that of both sets together."""
    null = _Null((one.root.T @ one.root + two.root.T @ two.root) / 2)
    products = []
    for side, t in ((one, x), (two, y)):
        z = null.sample(t, side.mean)
        # Few samples make few pairs: then each meets more than one other.
        for shift in range(1, max(2, min(len(z), -(-_PAIRS // len(z)) + 1))):
            products.append(null.product(z, z.roll(shift, 0)))
    return 2 * (1 / len(x) + 1 / len(y)) ** 2 * float(torch.cat(products).square().mean())


class _Null:
    """The distance between two samples of one law, near 0, where it is quadratic.

    There it is ‖δ‖² + ½ Σ Eᵢⱼ² / (λᵢ + λⱼ), with δ and E the differences of the means and of the
    covariances along the axes of C, λ its eigenvalues. That is the squared length of a mean of
    vectors ψ(x) less one of ψ(y), with the mean (1/n + 1/m) E[ψ(x)·ψ(x)] and the variance
    2 (1/n + 1/m)² E[(ψ(x)·ψ(x′))²], x and x′ independent.
    """

    def __init__(self, cov: torch.Tensor) -> None:
        values, axes = torch.linalg.eigh(cov)
        kept = above_rounding(values)
        self.values, self.axes = values[kept], axes[:, kept]
        self._weights = 0.5 / (self.values[:, None] + self.values)

    def product(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """ψ(x)·ψ(y) of rows of centred samples along the axes, (P,)."""
        p = x * y
        lengths = x.square().sum(1) + y.square().sum(1)
        product: torch.Tensor = (
            p.sum(1) + ((p @ self._weights) * p).sum(1) - (lengths - self.values.sum()) / 4
        )
        return product

    def sample(self, t: torch.Tensor, mean: torch.Tensor) -> torch.Tensor:
        """Some of the rows of ``t``, in random order, centred and along the axes."""
        order = torch.randperm(len(t), generator=torch.Generator().manual_seed(0))
        rows = t[order[:_PAIRS].to(t.device)]
        along: torch.Tensor = offsets(rows, mean) @ self.axes
        return along

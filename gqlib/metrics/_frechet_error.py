"""The Fréchet distance's standard error, and its expected value between equal distributions.

The distance is a function of two means and two covariances. To first order its error is the sum of
the samples' influences. Between equal distributions the first order vanishes, and the second order
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
#: Pairs of samples a side from which the variance between equal distributions is estimated.
_PAIRS = 4096


def expected_frechet(real: torch.Tensor, fit: Fit, n: int, m: int) -> float:
    """The squared distance to expect between n and m new samples of the distribution of ``real``.

    ``fit`` is the fit of these features. The result is the bias that the means and the covariances
    cause, to first order in 1/n and 1/m: accurate if n and m are several times the number of
    features.
    """
    expected = _ExpectedDistance(fit.root.T @ fit.root)
    z = expected.sample(real, fit.mean)[: _PAIRS // 4]
    return (1 / n + 1 / m) * float(expected.product(z, z).mean())


def standard_error(
    real: Fit, fake: Fit, x: torch.Tensor, y: torch.Tensor, rows: int = _ROWS
) -> float:
    """Standard error of the distance, from each sample's influence.

    With T₁ the linear map that carries the first fit to the second one, a sample's influence is
    (x − μ₁)ᵀ(I − T₁)(x − μ₁) + 2(x − μ₁)·(μ₁ − μ₂). The influences' variances over n and m add up
    to the jackknife's estimate, which counts the part that is quadratic in the samples' deviations
    twice (Efron and Stein 1981). Between equal distributions that part is all there is. So it is
    estimated separately, and counted once.
    """
    u, s, vt = torch.linalg.svd(real.root @ fake.root.T, full_matrices=False)
    delta = real.mean - fake.mean
    variance = 0.0
    for side, t, axes, direction in ((real, x, u, delta), (fake, y, vt.T, -delta)):
        influence = _influence(side, t, axes, s, direction, rows)
        variance += float(influence.var()) / len(t)
    quadratic = _quadratic_variance(real, fake, x, y)
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


def _quadratic_variance(real: Fit, fake: Fit, x: torch.Tensor, y: torch.Tensor) -> float:
    """Variance of the distance between two samples of the distribution of both sets together."""
    expected = _ExpectedDistance((real.root.T @ real.root + fake.root.T @ fake.root) / 2)
    products = []
    for side, t in ((real, x), (fake, y)):
        z = expected.sample(t, side.mean)
        # Few samples make few pairs: then each is paired with more than one other.
        for shift in range(1, max(2, min(len(z), -(-_PAIRS // len(z)) + 1))):
            products.append(expected.product(z, z.roll(shift, 0)))
    return 2 * (1 / len(x) + 1 / len(y)) ** 2 * float(torch.cat(products).square().mean())


class _ExpectedDistance:
    """The distance between two samples of one distribution: near 0, where it is quadratic.

    There it is ‖δ‖² + ½ Σ Eᵢⱼ² / (λᵢ + λⱼ), where δ and E are the differences of the means and of
    the covariances along the axes of C, and λ are the eigenvalues of C. That is the squared length
    of (mean of ψ(x)) − (mean of ψ(y)) for a vector ψ of each sample. Its mean is
    (1/n + 1/m) E[ψ(x)·ψ(x)] and its variance 2 (1/n + 1/m)² E[(ψ(x)·ψ(x′))²], x and x′ independent.
    """

    def __init__(self, cov: torch.Tensor) -> None:
        values, axes = torch.linalg.eigh(cov)
        kept = above_rounding(values)
        self.values, self.axes = values[kept], axes[:, kept]
        self._weights = 0.5 / (self.values[:, None] + self.values)

    def product(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """ψ(x)·ψ(y) for each row of centred samples along the axes, (P,)."""
        p = x * y
        lengths = x.square().sum(1) + y.square().sum(1)
        product: torch.Tensor = (
            p.sum(1) + ((p @ self._weights) * p).sum(1) - (lengths - self.values.sum()) / 4
        )
        return product

    def sample(self, t: torch.Tensor, mean: torch.Tensor) -> torch.Tensor:
        """Some of the rows of ``t``, in random order, centred, in coordinates along the axes."""
        order = torch.randperm(len(t), generator=torch.Generator().manual_seed(0))
        rows = t[order[:_PAIRS].to(t.device)]
        along: torch.Tensor = offsets(rows, mean) @ self.axes
        return along

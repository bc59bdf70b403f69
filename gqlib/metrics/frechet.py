"""The Fréchet distance between Gaussian fits of two sets of features, squared, as FID is.

    FD² = ‖μ₁ − μ₂‖² + tr C₁ + tr C₂ − 2 tr (C₁^½ C₂ C₁^½)^½

Dowson and Landau, "The Fréchet distance between multivariate normal distributions", J. Multivariate
Analysis 12(3), 1982. Heusel et al., "GANs trained by a two time-scale update rule converge to a
local Nash equilibrium", NeurIPS 2017 (FID: the features are those of Inception-v3).

In NumPy, with SciPy's ``sqrtm``:

>>> gap, c1, c2 = real.mean(0) - fake.mean(0), np.cov(real.T), np.cov(fake.T)
>>> root = sqrtm(sqrtm(c1) @ c2 @ sqrtm(c1)).real
>>> distance = gap @ gap + np.trace(c1 + c2 - 2 * root)

:func:`frechet_distance` gives the same without a matrix root. Write C₁ = R₁ᵀR₁ and C₂ = R₂ᵀR₂ with
any factors (:mod:`gqlib.metrics._fit` has several). The eigenvalues of C₁C₂ other than 0 are the
squared singular values of R₁R₂ᵀ, hence

    tr (C₁^½ C₂ C₁^½)^½ = sum of the singular values of R₁R₂ᵀ,

which is symmetric in both sides and never complex, whatever rank the data have.
"""

from __future__ import annotations

from dataclasses import replace

import torch

from gqlib.metrics._fit import Fit, fit, fit_of_moments, sample_size_warnings
from gqlib.metrics._frechet_error import standard_error
from gqlib.metrics._linalg import eigen, gram, moments, symmetric, triangular_product
from gqlib.metrics._validate import Array, check_features, same_width
from gqlib.metrics.gaussian import GaussianStatistics, same_source
from gqlib.metrics.result import Result, check_level, log_interval

#: Up to this size of a product of factors its singular values are computed directly.
_SMALL = 256


def frechet_distance(
    real: Array | GaussianStatistics,
    fake: Array | GaussianStatistics,
    confidence: float | None = None,
) -> Result:
    """Squared Fréchet distance between the Gaussian fits of two sets of features.

    Args:
        real: Features of shape (N, D), N ≥ 2, or :class:`GaussianStatistics`.
        fake: Features of shape (M, D), M ≥ 2, or :class:`GaussianStatistics`.
        confidence: Level of an interval, from each sample's influence on the distance; it needs
            the samples of both sides.

    Returns:
        A :class:`Result`, in the squared unit of the features, at least 0. A warning says if a side
        has too few samples for its covariance: the estimate is then biased upward. The interval
        covers the estimate's expectation at these sizes, including that bias.

    Raises:
        ValueError: Another rank, a NaN, different D, fewer than two samples, two extractors, two
            ways to resize, ``confidence`` for statistics.
    """
    if confidence is not None:
        check_level(confidence)
        for side, given in (("real", real), ("fake", fake)):
            if isinstance(given, GaussianStatistics):
                raise ValueError(
                    f"confidence={confidence} needs the samples, and {side} is given by its "
                    "statistics: pass its features, or confidence=None"
                )
    if isinstance(real, GaussianStatistics) and isinstance(fake, GaussianStatistics):
        same_source(real, fake)
    real_fit, fake_fit = fit(real, "real"), fit(fake, "fake")
    same_width(real_fit.dims, fake_fit.dims)
    fake_fit = fake_fit.to(real_fit.mean.device)
    result = distance_of_fits(real_fit, fake_fit)
    if confidence is None:
        return result
    x, y = check_features(real, "real"), check_features(fake, "fake")
    error = standard_error(real_fit, fake_fit, x, y)
    return replace(result, interval=log_interval(result.value, error, confidence))


def distance_of_fits(real: Fit, fake: Fit) -> Result:
    """The squared distance of two fits, as :func:`frechet_distance` gives it."""
    return Result(
        value=squared_distance(real, fake),
        n_real=real.n,
        n_fake=fake.n,
        warnings=(
            *sample_size_warnings(real.n, real.dims, "real"),
            *sample_size_warnings(fake.n, fake.dims, "fake"),
        ),
        name="Fréchet distance (squared)",
    )


def frechet_from_moments(mean1: Array, cov1: Array, mean2: Array, cov2: Array) -> float:
    """Squared Fréchet distance between N(mean1, cov1) and N(mean2, cov2).

    Args:
        mean1, mean2: Shape (D,).
        cov1, cov2: Shape (D, D), symmetric positive semi-definite; singular is allowed.

    Raises:
        ValueError: Shapes disagree, a NaN, or a matrix that is not a covariance.
    """
    m1, c1 = moments(mean1, cov1, "mean1", "cov1")
    m2, c2 = moments(mean2, cov2, "mean2", "cov2")
    same_width(len(m1), len(m2))
    first, second = fit_of_moments(m1, c1, "cov1"), fit_of_moments(m2, c2, "cov2")
    return squared_distance(first, second.to(m1.device))


def sqrtm_psd(m: Array) -> torch.Tensor:
    """The symmetric positive semi-definite root of a symmetric positive semi-definite matrix.

    Args:
        m: Shape (D, D); singular is allowed.

    Returns:
        float64 tensor of shape (D, D) whose square is ``m``.

    Raises:
        ValueError: Not square, not symmetric, a NaN, or a negative eigenvalue beyond rounding.
    """
    values, vectors = eigen(symmetric(m, "m"), "m")
    return (vectors * values.sqrt()) @ vectors.T


def squared_distance(real: Fit, fake: Fit) -> float:
    """The formula, from two fits."""
    trace = float(real.root.norm() ** 2 + fake.root.norm() ** 2)
    cross = _nuclear_norm(_product_of_roots(real, fake), trace)
    distance = float((real.mean - fake.mean).square().sum()) + trace - 2 * cross
    return max(distance, 0.0)  # below 0 only by rounding


def _product_of_roots(real: Fit, fake: Fit) -> torch.Tensor:
    """R₁R₂ᵀ."""
    if real.triangular and fake.triangular:
        return triangular_product(real.root, fake.root)
    return real.root @ fake.root.mT


def _nuclear_norm(a: torch.Tensor, trace: float) -> float:
    """Sum of the singular values of A = R₁R₂ᵀ; ``trace`` is that of C₁ + C₂.

    The roots of the eigenvalues of AAᵀ are the same numbers in a fifth of the time, but small ones
    may drown in the rounding of large ones. They keep their digits if the rows of A are graded,
    that is, fall in size: so they do if R₁ is the Cholesky factor of a falling spectrum. For large
    A this tries AᵀA or AAᵀ, whichever is more graded. It accepts the result if 13 digits are right
    assuming that the rounding is graded too, and 7 digits in the worst case.
    """
    if min(a.shape) <= _SMALL:
        return float(torch.linalg.svdvals(a).sum()) if a.numel() else 0.0
    rows, columns = a.norm(dim=1), a.norm(dim=0)
    if a.shape[0] > a.shape[1] or (
        a.shape[0] == a.shape[1] and rows.amin() * columns.amax() > columns.amin() * rows.amax()
    ):
        a, rows = a.T, columns
    roots = torch.linalg.eigvalsh(gram(a.T)).clamp_min(0).sqrt()
    graded = _error_of_roots(roots, rows.sort().values)
    worst = _error_of_roots(roots, roots[-1])
    if graded <= 1e-13 * trace and worst <= 1e-7 * trace:
        return float(roots.sum())
    return float(torch.linalg.svdvals(a).sum())


def _error_of_roots(roots: torch.Tensor, scale: torch.Tensor) -> float:
    """Bound of the sum of the roots' errors, if eigenvalues are off by the rounding of scale²."""
    eps = torch.finfo(roots.dtype).eps
    return float(torch.minimum(eps * scale.square() / (2 * roots), eps**0.5 * scale).nansum())

"""The Fréchet distance between Gaussian fits of two sets of features, squared, as FID is.

    FD² = ‖μ₁ − μ₂‖² + tr C₁ + tr C₂ − 2 tr (C₁^½ C₂ C₁^½)^½

Dowson and Landau, "The Fréchet distance between multivariate normal distributions", J. Multivariate
Analysis 12(3), 1982. Heusel et al., "GANs trained by a two time-scale update rule converge to a
local Nash equilibrium", NeurIPS 2017 (FID: the features are those of Inception-v3).

The trace of the root needs no root. Write C₁ = R₁ᵀR₁ and C₂ = R₂ᵀR₂ with any factors: centred data
divided by √(n−1) where they are few, the Cholesky factor, or the root of the eigenvalues times the
eigenvectors. The eigenvalues of C₁C₂ other than 0 are the squared singular values of R₁R₂ᵀ, hence

    tr (C₁^½ C₂ C₁^½)^½ = sum of the singular values of R₁R₂ᵀ,

which is symmetric and never complex, of whatever rank the data are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch

from gqlib.metrics._frechet_law import standard_error
from gqlib.metrics._input import Array, chunks, features, offsets, same_width, wide
from gqlib.metrics.gaussian import (
    BLOCK,
    GaussianStatistics,
    above_rounding,
    cholesky,
    gram,
    moments,
    same_source,
    symmetric,
)
from gqlib.metrics.result import Result, check_level, log_interval

#: Rows that are widened to float64 at a time.
_ROWS = 8192
#: Features up to which the samples are factorised themselves. Beyond, their covariance is, in half
#: the time, which loses spreads below 1e-8 of the largest.
_QR = 512
#: Sizes of a product of factors up to which its singular values are computed outright.
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
        A :class:`Result`, in the squared unit of the features, at least 0. Its warnings say where
        a side has too few samples for its covariance: the estimate is then biased upward. The
        interval covers the estimate's expectation at these sizes, that bias included.

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
    one, two = fit(real, "real"), fit(fake, "fake")
    same_width(one.dims, two.dims)
    two = two.to(one.mean.device)
    result = distance_of_fits(one, two)
    if confidence is None:
        return result
    error = standard_error(one, two, features(real, "real"), features(fake, "fake"))
    return replace(result, interval=log_interval(result.value, error, confidence))


def distance_of_fits(one: Fit, two: Fit) -> Result:
    """The squared distance of two fits, as :func:`frechet_distance` gives it."""
    return Result(
        value=squared_distance(one, two),
        n_real=one.n,
        n_fake=two.n,
        warnings=(*few(one.n, one.dims, "real"), *few(two.n, two.dims, "fake")),
        name="Fréchet distance (squared)",
    )


def frechet_from_moments(mean1: Array, cov1: Array, mean2: Array, cov2: Array) -> float:
    """Squared Fréchet distance between N(mean1, cov1) and N(mean2, cov2).

    Args:
        mean1, mean2: Shape (D,).
        cov1, cov2: Shape (D, D), symmetric positive semi-definite; singular is allowed.

    Raises:
        ValueError: Shapes disagree, a NaN, or a matrix that is no covariance.
    """
    m1, c1 = moments(mean1, cov1, "mean1", "cov1")
    m2, c2 = moments(mean2, cov2, "mean2", "cov2")
    same_width(len(m1), len(m2))
    one, two = _fit_of_moments(m1, c1, "cov1"), _fit_of_moments(m2, c2, "cov2")
    return squared_distance(one, two.to(m1.device))


def frechet_1d(mean1: float, std1: float, mean2: float, std2: float) -> float:
    """The same for numbers: (mean1 − mean2)² + (std1 − std2)², from standard deviations ≥ 0."""
    return float((mean1 - mean2) ** 2 + (std1 - std2) ** 2)


def sqrtm_psd(m: Array) -> torch.Tensor:
    """The symmetric positive semi-definite root of a symmetric positive semi-definite matrix.

    Args:
        m: Shape (D, D); singular is allowed.

    Returns:
        float64 tensor of shape (D, D) whose square is ``m``.

    Raises:
        ValueError: Not square, not symmetric, a NaN, or a negative eigenvalue beyond rounding.
    """
    values, vectors = _eigen(symmetric(m, "m"), "m")
    return (vectors * values.sqrt()) @ vectors.T


@dataclass(frozen=True)
class Fit:
    """A Gaussian fit: its mean (D,), a factor R (any rows, D) with RᵀR = C, and n.

    ``triangular`` says that R is square and has nothing below its diagonal.
    """

    mean: torch.Tensor
    root: torch.Tensor
    n: int | None
    triangular: bool = False

    @property
    def dims(self) -> int:
        return len(self.mean)

    def to(self, device: torch.device) -> Fit:
        return replace(self, mean=self.mean.to(device), root=self.root.to(device))


def fit(x: Array | GaussianStatistics, name: str) -> Fit:
    """The Gaussian fit of features (N, D), N ≥ 2, or of their statistics."""
    if isinstance(x, GaussianStatistics):
        return replace(_fit_of_moments(x.mean, x.cov, name), n=x.n)
    return fit_samples(features(x, name), name)


def fit_samples(t: torch.Tensor, name: str) -> Fit:
    """The same for features that have been checked."""
    n, d = t.shape
    if n <= d:  # the centred data are the smaller factor, and lose no digits to squaring
        origin = wide(t[:1])[0]
        centred = offsets(t, origin)
        offset = centred.mean(0)
        return Fit(origin + offset, _reflected(centred - offset) / math.sqrt(n - 1), n)
    if d <= _QR:
        return _fit_by_qr(t)
    return fit(GaussianStatistics.from_features(t), name)


def _fit_by_qr(t: torch.Tensor) -> Fit:
    """Of more samples than features: R of a QR factorisation, which squares nothing."""
    origin = wide(t[:1])[0]
    mean = torch.stack([offsets(rows, origin).sum(0) for rows in chunks(t, _ROWS)]).sum(0) / len(t)
    root = origin.new_empty(0, len(origin))
    for rows in chunks(t, _ROWS):
        root = torch.linalg.qr(torch.cat([root, offsets(rows, origin) - mean]), mode="r").R
    return Fit(origin + mean, root / math.sqrt(len(t) - 1), len(t), triangular=True)


def _fit_of_moments(mean: torch.Tensor, cov: torch.Tensor, name: str) -> Fit:
    """With a triangular factor, or a root by eigenvalues where the covariance is singular."""
    factor = cholesky(cov)
    if factor is not None:
        return Fit(mean, factor.mT, None, triangular=True)
    values, vectors = _eigen(cov, name)
    # An eigenvalue that is 0 comes out as rounding of the largest, and its root would be a hundred
    # million times that.
    kept = above_rounding(values)
    return Fit(mean, (vectors[:, kept] * values[kept].sqrt()).mT, None)


def squared_distance(one: Fit, two: Fit) -> float:
    """The formula, from two fits."""
    trace = float(one.root.norm() ** 2 + two.root.norm() ** 2)
    cross = _nuclear_norm(_times_transposed(one, two), trace)
    distance = float((one.mean - two.mean).square().sum()) + trace - 2 * cross
    return max(distance, 0.0)  # below 0 only by rounding


def _times_transposed(one: Fit, two: Fit) -> torch.Tensor:
    """R₁R₂ᵀ; of triangular ones, where k ≥ max(i, j) in all sums, in half the time."""
    left, right = one.root, two.root.mT
    if not (one.triangular and two.triangular):
        return left @ right
    product = torch.empty_like(left, memory_format=torch.contiguous_format)
    for start in range(0, len(left), BLOCK):
        stop = start + BLOCK
        product[start:stop, :stop] = left[start:stop, start:] @ right[start:, :stop]
        product[:start, start:stop] = left[:start, start:] @ right[start:, start:stop]
    return product


def _nuclear_norm(a: torch.Tensor, trace: float) -> float:
    """Sum of the singular values of A = R₁R₂ᵀ, where ``trace`` is that of C₁ + C₂.

    The roots of the eigenvalues of AAᵀ are the same in a fifth of the time, but small ones may
    drown in the rounding of large ones. They keep their digits where the rows of A are graded, as
    they are where R₁ is a Cholesky factor of a falling spectrum. So of large A, AᵀA or AAᵀ is
    tried, whichever is graded more, and taken if rounding that is graded too leaves 13 digits,
    and rounding at its worst 7.
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
    """Bound of the sum of the roots' errors, where eigenvalues are off by rounding of scale²."""
    eps = torch.finfo(roots.dtype).eps
    return float(torch.minimum(eps * scale.square() / (2 * roots), eps**0.5 * scale).nansum())


def _reflected(centred: torch.Tensor) -> torch.Tensor:
    """n − 1 rows with the XᵀX of the centred data X, (n, D).

    A reflection carries the vector of ones, along which centred data have nothing, to the first
    axis. Without that row the factor is of full rank, where the data are.
    """
    n = len(centred)
    # I − vvᵀ/(1 + u) with u = 1/√n and v = u + e₀ takes the unit vector of ones to −e₀.
    u = n**-0.5
    rows: torch.Tensor = centred[1:] - u * (u * centred.sum(0) + centred[0]) / (1 + u)
    return rows


def _eigen(matrix: torch.Tensor, name: str) -> tuple[torch.Tensor, torch.Tensor]:
    values, vectors = torch.linalg.eigh(matrix)
    low, high = float(values[0]), float(values[-1])
    if low < -1e-5 * max(abs(high), abs(low) * 1e-5):
        raise ValueError(
            f"{name} has the eigenvalue {low:.3g} beside the largest {high:.3g}, expected a "
            "positive semi-definite matrix: is it a covariance?"
        )
    return values.clamp_min(0), vectors


def few(n: int | None, d: int, side: str) -> list[str]:
    if n is None:
        return [f"the number of samples behind the {side} statistics is unknown"]
    if n <= d:
        return [
            f"{n} {side} samples, no more than the {d} feature dimensions: "
            "the estimate is biased upward"
        ]
    return []

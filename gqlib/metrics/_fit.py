"""Gaussian fits of features, as a mean and a factor R of the covariance, RᵀR = C.

Which factor depends on the input:

* few samples: the centred data, divided by √(n−1);
* few features: R of a QR factorisation of the centred data;
* otherwise: the Cholesky factor of the covariance;
* a singular covariance: the roots of its eigenvalues times its eigenvectors.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch

from gqlib.metrics._linalg import above_rounding, cholesky, eigen
from gqlib.metrics._validate import Array, check_features, chunks, offsets, to_float64
from gqlib.metrics.gaussian import GaussianStatistics

#: Rows that are widened to float64 at a time.
_ROWS = 8192
#: Up to this number of features the samples themselves are factorised. With more, their covariance
#: is: that takes half the time, and loses spreads below 1e-8 of the largest.
_QR = 512


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
        return replace(fit_of_moments(x.mean, x.cov, name), n=x.n)
    return fit_samples(check_features(x, name), name)


def fit_samples(t: torch.Tensor, name: str) -> Fit:
    """The Gaussian fit of features that have been checked."""
    n, d = t.shape
    if n <= d:  # the centred data are the smaller factor, and nothing is squared
        origin = to_float64(t[:1])[0]
        centred = offsets(t, origin)
        offset = centred.mean(0)
        return Fit(origin + offset, _reflected(centred - offset) / math.sqrt(n - 1), n)
    if d <= _QR:
        return _fit_by_qr(t)
    return fit(GaussianStatistics.from_features(t), name)


def _fit_by_qr(t: torch.Tensor, rows: int = _ROWS) -> Fit:
    """The fit of more samples than features: by a QR factorisation, which squares nothing."""
    origin = to_float64(t[:1])[0]
    mean = torch.stack([offsets(part, origin).sum(0) for part in chunks(t, rows)]).sum(0) / len(t)
    root = origin.new_empty(0, len(origin))
    for part in chunks(t, rows):
        root = torch.linalg.qr(torch.cat([root, offsets(part, origin) - mean]), mode="r").R
    return Fit(origin + mean, root / math.sqrt(len(t) - 1), len(t), triangular=True)


def fit_of_moments(mean: torch.Tensor, cov: torch.Tensor, name: str) -> Fit:
    """The fit with a triangular factor, or with a root by eigenvalues of a singular covariance."""
    factor = cholesky(cov)
    if factor is not None:
        return Fit(mean, factor.mT, None, triangular=True)
    values, vectors = eigen(cov, name)
    # An eigenvalue that should be 0 comes out as a rounding error of the largest, and its root
    # would be a hundred million times that error.
    kept = above_rounding(values)
    return Fit(mean, (vectors[:, kept] * values[kept].sqrt()).mT, None)


def _reflected(centred: torch.Tensor) -> torch.Tensor:
    """n − 1 rows that have the same XᵀX as the centred data X, (n, D).

    Centred data have no component along the vector of ones. A reflection turns that vector into the
    first axis, so the first row becomes 0 and is dropped. The rest has full rank if the data do.
    """
    n = len(centred)
    # I − vvᵀ/(1 + u) with u = 1/√n and v = u + e₀ takes the unit vector of ones to −e₀.
    u = n**-0.5
    rows: torch.Tensor = centred[1:] - u * (u * centred.sum(0) + centred[0]) / (1 + u)
    return rows


def sample_size_warnings(n: int | None, d: int, side: str) -> list[str]:
    """Warnings about a fit to ``n`` samples of ``d`` features."""
    if n is None:
        return [f"the number of samples behind the {side} statistics is unknown"]
    if n <= d:
        return [
            f"{n} {side} samples, no more than the {d} feature dimensions: "
            "the estimate is biased upward"
        ]
    return []

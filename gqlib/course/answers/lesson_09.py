"""Lesson 09, The Fréchet distance: its statistics, its root, its limit, and the kernel distance."""

from __future__ import annotations

from torch import Tensor

from gqlib import metrics
from gqlib.metrics import sqrtm_psd
from gqlib.metrics.extrapolation import line_in_inverse

__all__ = [
    "distance_at_infinity",
    "feature_statistics",
    "frechet_1d",
    "frechet_distance",
    "polynomial_mmd2",
    "sqrtm_psd",
]


def feature_statistics(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean (D,) and covariance (D, D) of features (N, D)."""
    statistics = metrics.GaussianStatistics.from_features(x)
    return statistics.mean, statistics.cov


def frechet_distance(mean1: Tensor, cov1: Tensor, mean2: Tensor, cov2: Tensor) -> float:
    """The squared distance of two Gaussians."""
    return metrics.frechet_from_moments(mean1, cov1, mean2, cov2)


def frechet_1d(mean1: float, std1: float, mean2: float, std2: float) -> float:
    """The squared distance of two Gaussians on a line, from standard deviations ≥ 0.

    (mean1 − mean2)² + (std1 − std2)²
    """
    return float((mean1 - mean2) ** 2 + (std1 - std2) ** 2)


def distance_at_infinity(sizes: Tensor, values: Tensor) -> float:
    """The intercept of the line through the distances at these sizes, in 1/n."""
    return line_in_inverse(sizes.tolist(), values.tolist())[0]


def polynomial_mmd2(x: Tensor, y: Tensor) -> float:
    """The unbiased squared maximum mean discrepancy with KID's cubic kernel."""
    return metrics.kernel_distance(x, y).value

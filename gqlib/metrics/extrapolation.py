"""The Fréchet distance at infinitely many fakes.

    FD(n) ≈ FD∞ + slope / n

Chong and Forsyth, "Effectively unbiased FID and Inception Score and where to find them", CVPR 2020,
section 3.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from gqlib.metrics._fit import Fit, fit, fit_samples, sample_size_warnings
from gqlib.metrics._frechet_error import standard_error
from gqlib.metrics._validate import Array, check_features, same_width
from gqlib.metrics.frechet import squared_distance
from gqlib.metrics.gaussian import GaussianStatistics
from gqlib.metrics.result import Result, check_level, normal_interval


@dataclass(frozen=True, kw_only=True)
class ExtrapolatedResult(Result):
    """A value at infinitely many samples: the intercept of a line in 1/n.

    Attributes:
        slope: Slope of the line: the bias at n samples is about slope / n.
        r2: Share of the variance of the measured values that the line explains.
        sizes: Numbers of samples at which the distance was measured.
        values: The distances there.
    """

    slope: float
    r2: float
    sizes: tuple[int, ...]
    values: tuple[float, ...]


def frechet_distance_infinity(
    real: Array | GaussianStatistics,
    fake: Array,
    points: int = 15,
    seed: int = 0,
    confidence: float | None = None,
) -> ExtrapolatedResult:
    """Squared Fréchet distance extrapolated to infinitely many fakes (Chong and Forsyth 2020).

    Measures the distance on ``points`` random subsets of the fakes, of sizes spaced evenly from a
    tenth of them to all, and takes the intercept of the least-squares line in 1/n. The bias that
    comes from the finite real side stays in, as in the paper.

    Args:
        real: Features of shape (N, D), or :class:`GaussianStatistics`.
        fake: Features of shape (M, D), M ≥ 20.
        points: Number of sizes, at least 2.
        seed: Seeds the subsets, each drawn without replacement.
        confidence: Level of an interval, which adds the error of the distance of all samples to
            that of the line. It needs the real samples, and at least 3 points.

    Raises:
        ValueError: As :func:`frechet_distance`; fewer than 2 points or 20 fakes.
    """
    if points < 2:
        raise ValueError(f"points={points}, expected at least 2 sizes to lay a line through")
    t = check_features(fake, "fake", at_least=20)
    if confidence is not None:
        check_level(confidence)
        if isinstance(real, GaussianStatistics) or points < 3:
            raise ValueError(
                f"confidence={confidence} needs the real samples and at least 3 points: pass "
                "features for real, or confidence=None"
            )
    whole = fit(real, "real")
    same_width(whole.dims, t.shape[1])
    error = 0.0
    if confidence is not None:
        assert not isinstance(real, GaussianStatistics)
        everyone = fit_samples(t, "fake").to(whole.mean.device)
        error = standard_error(whole, everyone, check_features(real, "real"), t)
    return extrapolated(whole, t, points, seed, confidence, error)


def extrapolated(
    whole: Fit,
    t: torch.Tensor,
    points: int = 15,
    seed: int = 0,
    confidence: float | None = None,
    error: float = 0.0,
) -> ExtrapolatedResult:
    """The extrapolation from the fit of the real side and checked fakes (M, D).

    For an interval, ``error`` is the standard error of the distance of all samples.
    """
    n, d = t.shape
    sizes = [round(s) for s in np.linspace(max(2, n // 10), n, points).tolist()]
    generator = torch.Generator().manual_seed(seed)
    values = []
    for size in sizes:
        rows = torch.randperm(n, generator=generator)[:size].to(t.device)
        part = fit_samples(t[rows], "fake").to(whole.mean.device)
        values.append(squared_distance(whole, part))
    intercept, slope, r2 = line_in_inverse(sizes, values)
    interval = None
    if confidence is not None:
        error = math.hypot(error, _intercept_error(sizes, values))
        interval = normal_interval(intercept, error, confidence)  # below 0 too, as the value
    warnings = sample_size_warnings(whole.n, d, "real")
    if sizes[0] <= d:
        warnings.append(
            f"the smallest subset has {sizes[0]} samples for {d} features, where the bias is no "
            "longer a line in 1/n: use more fakes"
        )
    return ExtrapolatedResult(
        value=intercept,
        n_real=whole.n,
        n_fake=n,
        interval=interval,
        warnings=tuple(warnings),
        name="Fréchet distance (squared) at infinitely many fakes",
        slope=slope,
        r2=r2,
        sizes=tuple(sizes),
        values=tuple(values),
    )


def line_in_inverse(sizes: Sequence[float], values: Sequence[float]) -> tuple[float, float, float]:
    """Least squares of values = intercept + slope / size: (intercept, slope, R²)."""
    inverse = 1 / np.asarray(sizes, dtype=np.float64)
    y = np.asarray(values, dtype=np.float64)
    if inverse.shape != y.shape or inverse.ndim != 1:
        raise ValueError(
            f"{inverse.shape} sizes and {y.shape} values, expected one value for each size"
        )
    x = inverse - inverse.mean()
    if not x @ x > 0:
        raise ValueError("all sizes are equal, expected at least two different ones")
    slope = float(x @ y / (x @ x))
    residual = y - y.mean() - slope * x
    spread = float(np.square(y - y.mean()).sum())
    r2 = 1 - float(residual @ residual) / spread if spread > 0 else 1.0
    return float(y.mean() - slope * inverse.mean()), slope, r2


def _intercept_error(sizes: Sequence[float], values: Sequence[float]) -> float:
    """Standard error of the least-squares line's intercept, from the values' residuals."""
    intercept, slope, _ = line_in_inverse(sizes, values)
    x = 1 / np.asarray(sizes, dtype=np.float64)
    residuals = np.asarray(values) - intercept - slope * x
    variance = float(residuals @ residuals) / (len(x) - 2)
    spread = float(np.square(x - x.mean()).sum())
    return math.sqrt(variance * (1 / len(x) + float(x.mean()) ** 2 / spread))

"""The course's own answers, under the exercises' names and signatures.

A figure or experiment of a lesson falls back to them (:func:`gqlib.course.yours`). Each is the
library's implementation with the signature of the exercise. None can be called from an answer
while it is tested (:func:`gqlib.checks.call`).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from gqlib import metrics
from gqlib.metrics import divergences, extrapolation, frechet
from gqlib.models import vae
from gqlib.models.vae import active_units, iwae_bound, reconstruction_error, vae_loss

__all__ = [  # noqa: RUF022 - in the order of the lessons
    # 02_error_measures
    "mse",
    "psnr",
    "kl_divergence",
    "js_divergence",
    "gaussian_kl",
    "kl_monte_carlo",
    # 05_vae_training
    "vae_loss",
    "vae_step",
    "reconstruction_error",
    "iwae_bound",
    "active_units",
    # 09_frechet_distance
    "feature_statistics",
    "sqrtm_psd",
    "frechet_distance",
    "frechet_1d",
    "distance_at_infinity",
    "polynomial_mmd2",
]


# 02_error_measures


def mse(x: Tensor, y: Tensor) -> Tensor:
    return metrics.mse(x, y, reduction="none")


def psnr(x: Tensor, y: Tensor, data_range: float = 1.0) -> Tensor:
    return metrics.psnr(x, y, data_range, reduction="none")


def kl_divergence(p: Tensor, q: Tensor) -> Tensor:
    return metrics.kl_divergence(p, q)


def js_divergence(p: Tensor, q: Tensor) -> Tensor:
    return metrics.js_divergence(p, q)


def gaussian_kl(mu0: Tensor, var0: Tensor, mu1: Tensor, var1: Tensor) -> Tensor:
    return divergences.gaussian_kl_diagonal(mu0, var0, mu1, var1)


def kl_monte_carlo(
    log_p: Callable[[Tensor], Tensor], log_q: Callable[[Tensor], Tensor], samples: Tensor
) -> float:
    return divergences.kl_monte_carlo(log_p, log_q, samples)


# 05_vae_training


def vae_step(
    model: nn.Module, x: Tensor, optimizer: torch.optim.Optimizer, generator: torch.Generator
) -> dict[str, float]:
    return vae.vae_step(model, x, optimizer, generator)


# 09_frechet_distance


def feature_statistics(x: Tensor) -> tuple[Tensor, Tensor]:
    statistics = metrics.GaussianStatistics.from_features(x)
    return statistics.mean, statistics.cov


def sqrtm_psd(m: Tensor) -> Tensor:
    return metrics.sqrtm_psd(m)


def frechet_distance(mean1: Tensor, cov1: Tensor, mean2: Tensor, cov2: Tensor) -> float:
    return metrics.frechet_from_moments(mean1, cov1, mean2, cov2)


def frechet_1d(mean1: float, std1: float, mean2: float, std2: float) -> float:
    return frechet.frechet_1d(mean1, std1, mean2, std2)


def distance_at_infinity(sizes: Tensor, values: Tensor) -> float:
    return extrapolation.line_in_inverse(sizes.tolist(), values.tolist())[0]


def polynomial_mmd2(x: Tensor, y: Tensor) -> float:
    return metrics.kernel_distance(x, y).value

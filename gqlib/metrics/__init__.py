"""Measures of the quality of generated data: feature arrays in, a result out.

Every file opens with the formula it computes and the paper it comes from. Nothing here knows of
models, images or notebooks.
"""

from gqlib.metrics.divergences import gaussian_kl, js_divergence, kl_divergence
from gqlib.metrics.errors import mae, mse, psnr, ssim
from gqlib.metrics.frechet import (
    ExtrapolatedResult,
    GaussianStatistics,
    frechet_distance,
    frechet_distance_infinity,
    frechet_from_moments,
    sqrtm_psd,
)
from gqlib.metrics.kernel import KernelResult, kernel_distance
from gqlib.metrics.result import Interval, Result

__all__ = [
    "ExtrapolatedResult",
    "GaussianStatistics",
    "Interval",
    "KernelResult",
    "Result",
    "frechet_distance",
    "frechet_distance_infinity",
    "frechet_from_moments",
    "gaussian_kl",
    "js_divergence",
    "kernel_distance",
    "kl_divergence",
    "mae",
    "mse",
    "psnr",
    "sqrtm_psd",
    "ssim",
]

"""Lesson 02, Error measures: pixels, distributions, and an estimate from samples."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from gqlib import metrics
from gqlib.metrics._validate import Array, to_float64
from gqlib.metrics.divergences import checked_vector

__all__ = ["gaussian_kl", "js_divergence", "kl_divergence", "kl_monte_carlo", "mse", "psnr"]


def mse(x: Tensor, y: Tensor) -> Tensor:
    """One mean squared error an image, [N]."""
    return metrics.mse(x, y, reduction="none")


def psnr(x: Tensor, y: Tensor, data_range: float = 1.0) -> Tensor:
    """One peak signal-to-noise ratio an image in dB, [N]."""
    return metrics.psnr(x, y, data_range, reduction="none")


def kl_divergence(p: Tensor, q: Tensor) -> Tensor:
    """In nats, over the last axis."""
    return metrics.kl_divergence(p, q)


def js_divergence(p: Tensor, q: Tensor) -> Tensor:
    """In nats, over the last axis."""
    return metrics.js_divergence(p, q)


def gaussian_kl(mu0: Array, var0: Array, mu1: Array, var1: Array) -> torch.Tensor:
    """KL of Gaussians with independent coordinates; everything broadcasts to (…, D).

    Args:
        mu0, mu1: Means.
        var0, var1: Variances (not standard deviations), positive.

    Returns:
        float64 tensor of shape (…), in nats, summed over the last axis.

    Raises:
        ValueError: A NaN, or a variance that is not positive.
    """
    m0, m1 = checked_vector(mu0, "mu0"), checked_vector(mu1, "mu1")
    v0, v1 = checked_vector(var0, "var0"), checked_vector(var1, "var1")
    for name, v in (("var0", v0), ("var1", v1)):
        if bool((v <= 0).any()):
            raise ValueError(f"{name} has the entry {float(v.min()):g}, expected variances > 0")
    excess = v0 / v1 - 1
    return ((excess - torch.log1p(excess)) + (m1 - m0).square() / v1).sum(-1) / 2


def kl_monte_carlo(
    log_p: Callable[[torch.Tensor], torch.Tensor],
    log_q: Callable[[torch.Tensor], torch.Tensor],
    samples: torch.Tensor,
) -> float:
    """Unbiased estimate of KL(p‖q) in nats: the mean of log p − log q over samples from p.

    Args:
        log_p, log_q: Map samples of shape (n, …) to log-densities of shape (n,).
        samples: Shape (n, …), drawn from p.
    """
    return float((to_float64(log_p(samples)) - to_float64(log_q(samples))).detach().mean())

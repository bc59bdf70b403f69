"""Lesson 05, Training VAEs: the loss, one step, and what to look at afterwards."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from gqlib.models import vae
from gqlib.models.vae import encode_and_decode, evaluating, vae_loss

__all__ = ["active_units", "iwae_bound", "reconstruction_error", "vae_loss", "vae_step"]


def vae_step(
    model: nn.Module, x: Tensor, optimizer: torch.optim.Optimizer, generator: torch.Generator
) -> dict[str, float]:
    """One update with β = 1."""
    return vae.vae_step(model, x, optimizer, generator)


@torch.no_grad()
def reconstruction_error(model: nn.Module, x: Tensor) -> Tensor:
    """Mean squared error [N] between images x [N, ...] and their noiseless reconstructions.

    The reconstruction is the pixels' probabilities decoded from the posterior mean, in eval mode;
    each submodule gets its own mode back. Integer images count as float32 and are not rescaled.
    """
    x = x if x.is_floating_point() else x.float()
    encode, decode = encode_and_decode(model)
    with evaluating(model):
        mu, _ = encode(x)
        reconstruction = decode(mu).sigmoid()
    error: Tensor = (reconstruction - x).square().flatten(1).mean(1)
    return error


def iwae_bound(log_w: Tensor) -> Tensor:
    """log(1/k sum_i w_i) in nats, [N] from log-weights [k, N] (Burda et al. 2016, equation 8)."""
    return torch.logsumexp(log_w, dim=0) - math.log(len(log_w))


def active_units(mu: Tensor, threshold: float = 0.01) -> int:
    """How many latents have a posterior mean that varies over the data, from mu [N, K].

    A unit is active when Var_x(E_q[z]) > threshold (Burda et al. 2016, section 5.2), with N >= 2
    images.
    """
    return int((mu.double().var(dim=0) > threshold).sum())

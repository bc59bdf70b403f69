"""Lesson 06, The theory of GANs: the losses, and the quantities that the theory is about.

A discriminator gives each sample a logit l; D = sigmoid(l) is its probability of being real. With
V(D, G) = E_data[log D] + E_model[log(1 - D)],

    the discriminator descends     -V
    the generator descends          E_model[log(1 - D)]      (minimax, "saturating")
    or, in practice,               -E_model[log D]           ("non-saturating")
    and at the best discriminator   max_D V = 2 JS(p_data, p_model) - log 4

Goodfellow et al. 2014, "Generative adversarial nets" (equation 1, sections 3 and 4); Arjovsky,
Chintala & Bottou 2017, "Wasserstein generative adversarial networks"; Gulrajani et al. 2017,
"Improved training of Wasserstein GANs". Logarithms are natural, so values are in nats.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from gqlib.models.gan import discriminator_loss, generator_loss, minus_log_d

__all__ = [
    "discriminator_loss",
    "generator_loss",
    "generator_loss_saturating",
    "gradient_penalty",
    "gradient_wrt_logit",
    "optimal_discriminator",
    "value_at_optimum",
    "wasserstein_1d",
]


def generator_loss_saturating(fake_logits: Tensor) -> Tensor:
    """mean log(1 - D) over a fake batch [N] or [N, 1], a scalar: the minimax loss of equation 1.

    Its gradient vanishes where the discriminator rejects a sample with confidence.
    """
    return -minus_log_d(-fake_logits).mean()


def gradient_wrt_logit(loss_name: str, logits: Tensor) -> Tensor:
    """Derivative of each sample's own generator loss by its logit, elementwise.

    -sigmoid(l) for "saturating", -(1 - sigmoid(l)) for "non_saturating"; not divided by the batch.

    Raises:
        ValueError: Another name.
    """
    if loss_name == "saturating":
        return -logits.sigmoid()
    if loss_name == "non_saturating":
        return -(-logits).sigmoid()  # 1 - sigmoid(l), without the cancellation
    raise ValueError(
        f'loss_name is {loss_name!r}, expected "saturating" or "non_saturating" (with a low line)'
    )


def optimal_discriminator(p_data: Tensor, p_model: Tensor) -> Tensor:
    """p_data / (p_data + p_model), elementwise (Goodfellow et al. 2014, proposition 1).

    Args:
        p_data, p_model: The two densities at the same points, of shapes that broadcast. They need
            not sum to 1.

    Returns:
        D* in [0, 1]; 1/2 where both densities are 0, since any value is optimal there.

    Raises:
        ValueError: A density is negative or NaN.
    """
    _check_densities(p_data, p_model)
    total = p_data + p_model
    return torch.where(total > 0, p_data / total, 0.5)


def value_at_optimum(p_data: Tensor, p_model: Tensor) -> Tensor:
    """max_D V = 2 JS(p_data, p_model) - log 4 in nats (Goodfellow et al. 2014, theorem 1).

    Args:
        p_data, p_model: Probabilities [..., K] that sum to 1 over the last axis.

    Returns:
        [...], from -log 4 where the two are equal to 0 where they have disjoint supports. An
        outcome of probability 0 adds 0.

    Raises:
        ValueError: A probability is negative or NaN.
    """
    _check_densities(p_data, p_model)
    total = p_data + p_model
    # p log D* = p log p - p log(p + q), which has no 0/0 where both are 0.
    real = torch.xlogy(p_data, p_data) - torch.xlogy(p_data, total)
    fake = torch.xlogy(p_model, p_model) - torch.xlogy(p_model, total)
    return (real + fake).sum(-1)


def wasserstein_1d(x: Tensor, y: Tensor) -> Tensor:
    """Wasserstein distance of order 1 between two samples on the line, in their unit.

    It is the area between the two quantile functions, which are step functions (Vallender 1974,
    "Calculation of the Wasserstein distance between probability distributions on the line"). For
    equal sizes that is the mean of |x - y| after sorting both.

    Args:
        x: [N], any order; integers count as float32.
        y: [M].

    Returns:
        A scalar, differentiable in both.

    Raises:
        ValueError: An empty sample, or one that is not [N].
    """
    for name, sample in (("x", x), ("y", y)):
        if sample.ndim != 1 or not len(sample):
            raise ValueError(f"{name} has shape {tuple(sample.shape)}, expected [N] with N >= 1")
    x, y = (s if s.dtype.is_floating_point else s.float() for s in (x, y))
    x, y = x.sort().values, y.sort().values
    n, m = len(x), len(y)
    if n == m:
        return (x - y).abs().mean()
    # The levels at which either quantile function jumps, in units of 1/(nm), which are exact.
    jumps = torch.cat([m * torch.arange(n + 1), n * torch.arange(m + 1)]).to(x.device).unique()
    below, width = jumps[:-1], jumps.diff()
    area: Tensor = ((x[below // m] - y[below // n]).abs() * width).sum() / (n * m)
    return area


def gradient_penalty(
    critic: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, generator: torch.Generator
) -> Tensor:
    """mean (norm of the critic's gradient - 1)² between pairs (Gulrajani et al. 2017, equation 3).

    The gradient is taken at u real + (1 - u) fake, with one u, uniform on [0, 1), for each pair. No
    factor lambda. Gradients flow to the critic's parameters, none to the two batches.

    Args:
        critic: [N, ...] to [N] or [N, 1]. It must treat rows independently: no batch statistics.
        real, fake: [N, ...], one shape.
        generator: Source of u, on the device of ``real``.

    Returns:
        A scalar.

    Raises:
        ValueError: The batches differ in shape, or are empty.
    """
    if real.shape != fake.shape or not real.numel():
        raise ValueError(
            f"real has shape {tuple(real.shape)} and fake {tuple(fake.shape)}, expected one shape "
            "[N, ...] with N >= 1: the points lie between pairs"
        )
    shape = len(real), *[1] * (real.ndim - 1)
    u = torch.rand(shape, generator=generator, device=real.device, dtype=real.dtype)
    keep = torch.is_grad_enabled()
    with torch.enable_grad():  # to measure the penalty under no_grad, too
        points = (u * real + (1 - u) * fake).detach().requires_grad_()
        (gradient,) = torch.autograd.grad(critic(points).sum(), points, create_graph=keep)
    # vector_norm has the subgradient 0 where the gradient is 0; a square root would give NaN.
    norm: Tensor = torch.linalg.vector_norm(gradient.reshape(len(real), -1), dim=1)
    return (norm - 1).square().mean()


def _check_densities(p_data: Tensor, p_model: Tensor) -> None:
    for name, p in (("p_data", p_data), ("p_model", p_model)):
        if not bool((p >= 0).all()):
            raise ValueError(f"{name} has the entry {float(p.min()):g}, expected numbers >= 0")

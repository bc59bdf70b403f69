"""Lesson 04, The theory of VAEs: a VAE with closed forms, and two gradient estimators.

The linear-Gaussian latent variable model:

    z ~ N(0, I_K),   x = W z + b + sigma eps,   eps ~ N(0, I_D),   W [D, K], b [D], sigma > 0

    p(x)   = N(b, W W' + sigma² I)
    p(z|x) = N(M⁻¹ W' (x - b), sigma² M⁻¹),   M = W' W + sigma² I
    log p(x) = ELBO(q) + KL(q || p(z|x))   for every q

M. E. Tipping, C. M. Bishop, "Probabilistic Principal Component Analysis", J. R. Statist. Soc. B
61(3), 1999 (equations 4 and 6, and section 3.2 for the maximum of the likelihood). K > D is
allowed. Everything is in nats, is differentiable, and has the floating dtype of its input; integer
input counts as float32.

M is never formed: its Cholesky factor comes from a QR decomposition, [W; sigma I] = Q R with
M = R' R. That leaves the condition number unsquared, so in float64 sigma may be far smaller than
W; in float32 the results hold from sigma = 0.3 on for weights around 1.

Two ways to differentiate an expectation by its distribution: d/dmu E[f(z)], z ~ N(mu, 1).

    pathwise:        z = mu + eps,  E[f'(mu + eps)]             needs f', low variance
    score function:  E[(f(z) - baseline) (z - mu)]              needs values of f only

The first is the reparameterisation of Kingma & Welling 2014 (section 2.4), the second REINFORCE:
R. J. Williams, "Simple statistical gradient-following algorithms for connectionist reinforcement
learning", Machine Learning 8, 1992. Both are unbiased; S. Mohamed, M. Rosca, M. Figurnov, A. Mnih,
"Monte Carlo gradient estimation in machine learning", JMLR 21, 2020 (sections 4 and 5) compares
their variances. For f(z) = z² these are 4 and mu⁴ + 14 mu² + 15.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from gqlib.models.vae import kl_to_standard_normal, reparameterize

__all__ = [
    "elbo",
    "gaussian_nll",
    "kl_to_standard_normal",
    "log_marginal",
    "pathwise_gradient",
    "posterior",
    "reparameterize",
    "score_function_gradient",
]

Function = Callable[[Tensor], Tensor]


def sample(
    n: int, W: Tensor, b: Tensor, sigma: float, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """n draws (x [n, D], z [n, K]) of the model."""
    W, b = _floating(W), _floating(b)
    _check(b[None], W, b, sigma)
    dims, latents = W.shape
    draw = torch.randn(n, latents + dims, generator=generator, device=W.device, dtype=W.dtype)
    z, noise = draw.split([latents, dims], dim=1)
    return z @ W.mT + b + sigma * noise, z


def log_marginal(x: Tensor, W: Tensor, b: Tensor, sigma: float) -> Tensor:
    """log p(x) in nats, [N] from x [N, D]: equation 4 and 5 of Tipping & Bishop 1999.

    Raises:
        ValueError: shapes disagree, or sigma is not positive.
    """
    x, W, b = _floating(x), _floating(W), _floating(b)
    _check(x, W, b, sigma)
    dims, latents = W.shape
    rotation, factor = _decompose(W, sigma)
    mean = _posterior_mean(x - b, rotation, factor)
    # (x-b)' C⁻¹ (x-b) is the least value over z of |x - b - W z|²/sigma² + |z|², and the posterior
    # mean takes it: an error in the mean enters squared, and nothing cancels.
    misfit = (x - b - mean @ W.mT).square().sum(1) / sigma**2 + mean.square().sum(1)
    # det C = sigma^(2(D-K)) det M, Sylvester's identity.
    log_det = 2 * ((dims - latents) * math.log(sigma) + factor.diagonal().abs().log().sum())
    return -0.5 * (dims * math.log(2 * math.pi) + log_det + misfit)


def posterior(x: Tensor, W: Tensor, b: Tensor, sigma: float) -> tuple[Tensor, Tensor]:
    """Mean [N, K] and covariance [K, K] of p(z|x), for x [N, D]; all x have the same covariance.

    Equation 6 of Tipping & Bishop 1999.

    Raises:
        ValueError: shapes disagree, or sigma is not positive.
    """
    x, W, b = _floating(x), _floating(W), _floating(b)
    _check(x, W, b, sigma)
    rotation, factor = _decompose(W, sigma)
    mean = _posterior_mean(x - b, rotation, factor)
    identity = torch.eye(W.shape[1], device=W.device, dtype=W.dtype)
    inverse = torch.linalg.solve_triangular(factor, identity, upper=True)
    return mean, sigma**2 * (inverse @ inverse.mT)


def elbo(x: Tensor, W: Tensor, b: Tensor, sigma: float, mean: Tensor, var: Tensor) -> Tensor:
    """The evidence lower bound [N] in nats, for q(z) = N(mean, diag(var)) with its own row per x.

    mean and var are [N, K], var is a variance. Nothing is sampled: E|x - b - W z|² is the squared
    error at the mean plus sum_k var_k |w_k|², and the KL to the prior is a closed form. It falls
    short of :func:`log_marginal` by KL(q || p(z|x)), which can be 0 only where W'W is diagonal.

    Raises:
        ValueError: shapes disagree, or sigma or a variance is not positive.
    """
    x, W, b, mean, var = (_floating(t) for t in (x, W, b, mean, var))
    _check(x, W, b, sigma)
    expected = (x.shape[0], W.shape[1])
    for name, t in (("mean", mean), ("var", var)):
        if tuple(t.shape) != expected:
            raise ValueError(f"{name} has shape {tuple(t.shape)}, expected [N, K] = {expected}")
    if not bool((var > 0).all()):  # NaN too
        raise ValueError(f"var has the entry {float(var.min()):g}, expected variances > 0")
    spread = (var @ W.square().sum(0)) / (2 * sigma**2)
    kl = kl_to_standard_normal(mean, var.log())
    return -gaussian_nll(x, mean @ W.mT + b, sigma) - spread - kl


def gaussian_nll(x: Tensor, mean: Tensor, sigma: float | Tensor) -> Tensor:
    """-log N(x; mean, sigma² I) in nats, [N] from x and mean [N, ...], summed over the other axes.

    It is D/(2 sigma²) MSE + D/2 log(2 pi sigma²), with D numbers in a row. sigma may be a tensor of
    one element and be learned: the best sigma is the root of the MSE.

    Raises:
        ValueError: shapes differ, or sigma is not positive.
    """
    x, mean = _floating(x), _floating(mean)
    if x.shape != mean.shape or x.ndim == 0:
        raise ValueError(
            f"x has shape {tuple(x.shape)} and mean {tuple(mean.shape)}, "
            "expected one shape [N, ...]"
        )
    _positive(sigma)
    log_sigma = sigma.log() if isinstance(sigma, Tensor) else math.log(sigma)
    cost = 0.5 * ((x - mean) / sigma).square() + (log_sigma + 0.5 * math.log(2 * math.pi))
    return cost.reshape(len(x), -1).sum(1)


def _decompose(W: Tensor, sigma: float) -> tuple[Tensor, Tensor]:
    """Q [D + K, K] and R [K, K] of [W; sigma I]."""
    identity = torch.eye(W.shape[1], device=W.device, dtype=W.dtype)
    rotation, factor = torch.linalg.qr(torch.cat([W, sigma * identity]))
    return rotation, factor


def _posterior_mean(residual: Tensor, rotation: Tensor, factor: Tensor) -> Tensor:
    """[N, K] from x - b [N, D]: M⁻¹W' = R⁻¹Q₁', with Q₁ the rows of Q that belong to W."""
    target = rotation[: residual.shape[1]].mT @ residual.mT
    mean: Tensor = torch.linalg.solve_triangular(factor, target, upper=True).mT
    return mean


def _floating(t: Tensor) -> Tensor:
    return t if t.is_floating_point() else t.float()


def _positive(sigma: float | Tensor) -> None:
    value = float(sigma.detach() if isinstance(sigma, Tensor) else sigma)
    if not value > 0:
        raise ValueError(f"sigma is {value:g}, expected a standard deviation > 0")


def _check(x: Tensor, W: Tensor, b: Tensor, sigma: float) -> None:
    if W.ndim != 2 or b.shape != W.shape[:1] or x.ndim != 2 or x.shape[1] != W.shape[0]:
        raise ValueError(
            f"x has shape {tuple(x.shape)}, W {tuple(W.shape)} and b {tuple(b.shape)}, "
            "expected [N, D], [D, K] and [D]"
        )
    _positive(sigma)


def pathwise_gradient(mu: float, n: int, generator: torch.Generator) -> Tensor:
    """Of E[z²]."""
    return pathwise(torch.square, mu, n, generator)


def score_function_gradient(mu: float, n: int, generator: torch.Generator) -> Tensor:
    """Of E[z²]."""
    return score_function(torch.square, mu, n, generator)


def pathwise(f: Function, mu: float, n: int, generator: torch.Generator) -> Tensor:
    """n independent estimates [n] of d/dmu E[f(z)], from one draw each.

    ``f`` maps z [n] to [n], element by element, and is differentiable.
    """
    z = _draw(mu, n, generator).requires_grad_()
    (gradient,) = torch.autograd.grad(f(z).sum(), z)
    return gradient


@torch.no_grad()
def score_function(
    f: Function, mu: float, n: int, generator: torch.Generator, baseline: float = 0.0
) -> Tensor:
    """n independent estimates [n] of d/dmu E[f(z)], from one draw each.

    ``f`` maps z [n] to [n], element by element; it is called and never differentiated.
    ``baseline`` is subtracted from f. It changes the variance and not the mean, since the score
    z - mu has the mean 0.
    """
    z = _draw(mu, n, generator)
    return (f(z) - baseline) * (z - mu)


def _draw(mu: float, n: int, generator: torch.Generator) -> Tensor:
    return mu + torch.randn(n, generator=generator, device=generator.device)

"""Divergences between two distributions, in nats.

    KL(p‖q)  = Σ p log(p / q)                         Kullback and Leibler 1951
    JS(p, q) = ½ KL(p‖m) + ½ KL(q‖m),  m = (p + q)/2  Lin 1991
    KL(N₀‖N₁) = ½ (tr(C₁⁻¹C₀) + (μ₁ − μ₀)ᵀC₁⁻¹(μ₁ − μ₀) − d + log det C₁ − log det C₀)

S. Kullback, R. A. Leibler, "On information and sufficiency", Ann. Math. Statist. 22, 1951.
J. Lin, "Divergence measures based on the Shannon entropy", IEEE Trans. Inf. Theory 37(1), 1991.
"""

from __future__ import annotations

import numpy as np
import torch

from gqlib.metrics._validate import Array, finite, tensor, to_float64


def kl_divergence(p: Array, q: Array) -> torch.Tensor:
    """Kullback–Leibler divergence of distributions over K outcomes.

    Args:
        p: Probabilities of shape (…, K), taken as they are (not renormalised).
        q: Probabilities of a shape that broadcasts with ``p``.

    Returns:
        float64 tensor of shape (…), in nats. An outcome with p = 0 adds 0; one with q = 0 < p
        makes the divergence +inf.

    Raises:
        ValueError: A negative or non-finite entry, or shapes that do not broadcast.
    """
    a, b = _probabilities(p, q)
    return _kl(a, b)


def js_divergence(p: Array, q: Array) -> torch.Tensor:
    """Jensen–Shannon divergence, between 0 and log 2 nats. Arguments as for KL."""
    a, b = _probabilities(p, q)
    # Half of the smallest positive number rounds to 0: use that number itself.
    m = ((a + b) / 2).clamp_min(5e-324)
    return (_kl(a, m) + _kl(b, m)).clamp_min(0) / 2


def gaussian_kl(mu0: Array, cov0: Array, mu1: Array, cov1: Array) -> torch.Tensor:
    """KL(N(mu0, cov0) ‖ N(mu1, cov1)) with full covariance matrices.

    Args:
        mu0, mu1: Means of shape (…, D).
        cov0, cov1: Covariance matrices of shape (…, D, D), symmetric. Leading axes broadcast.

    Returns:
        float64 tensor of shape (…), in nats; +inf where ``cov0`` is singular and ``cov1`` is not.

    Raises:
        ValueError: Shapes disagree, a NaN, a matrix that is not symmetric or not positive
            semi-definite, or a singular ``cov1`` (whether the divergence is then finite depends on
            the two supports: project both distributions on them first).
    """
    m0, m1 = checked_vector(mu0, "mu0"), checked_vector(mu1, "mu1")
    c0, c1 = _matrix(cov0, "cov0"), _matrix(cov1, "cov1")
    dims = {"mu0": m0.shape[-1], "cov0": c0.shape[-1], "mu1": m1.shape[-1], "cov1": c1.shape[-1]}
    if len(set(dims.values())) > 1:
        given = ", ".join(f"{name} {d}" for name, d in dims.items())
        raise ValueError(f"dimensions differ ({given}), expected one D: (…, D) and (…, D, D)")
    factor0, singular0 = _cholesky(c0, "cov0")
    factor1, singular1 = _cholesky(c1, "cov1")
    if bool(singular1.any()):
        raise ValueError(
            "cov1 is singular, expected a positive definite matrix: "
            "project both distributions on its support, or add a little to its diagonal"
        )
    # With M = L₁⁻¹L₀, lower triangular: tr(C₁⁻¹C₀) = ‖M‖² and det C₀ / det C₁ = Π mᵢᵢ². Every
    # term below is ≥ 0, so nothing cancels.
    ratio = torch.linalg.solve_triangular(factor1, factor0, upper=False)
    delta = torch.linalg.solve_triangular(factor1, (m1 - m0)[..., None], upper=False)
    diagonal = ratio.diagonal(dim1=-2, dim2=-1)
    excess = diagonal.square() - 1
    total = (
        (excess - torch.log1p(excess)).sum(-1)
        + ratio.tril(-1).square().sum((-2, -1))
        + delta.square().sum((-2, -1))
    )
    return torch.where(singular0, torch.inf, total / 2)


def _kl(p: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
    return (torch.xlogy(p, p) - torch.xlogy(p, q)).sum(-1)


def _probabilities(p: Array, q: Array) -> tuple[torch.Tensor, torch.Tensor]:
    a, b = checked_vector(p, "p"), checked_vector(q, "q")
    try:
        shape = np.broadcast_shapes(a.shape, b.shape)
    except ValueError as error:
        raise ValueError(
            f"p has shape {tuple(a.shape)} and q has shape {tuple(b.shape)}, expected shapes "
            "(…, K) that broadcast"
        ) from error
    a, b = a.expand(shape), b.to(a.device).expand(shape)
    for name, values in (("p", a), ("q", b)):
        if bool((values < 0).any()):
            raise ValueError(
                f"{name} has the entry {float(values.min()):g}, expected probabilities ≥ 0: "
                "take softmax of logits first"
            )
    return a, b


def checked_vector(x: Array, name: str) -> torch.Tensor:
    t = finite(tensor(x, name), name)
    if t.ndim == 0:
        raise ValueError(f"{name} is a single number, expected shape (…, D): give it as x[None]")
    return to_float64(t)


def _matrix(x: Array, name: str) -> torch.Tensor:
    t = finite(tensor(x, name), name)
    if t.ndim < 2 or t.shape[-1] != t.shape[-2]:
        raise ValueError(
            f"{name} has shape {tuple(t.shape)}, expected square matrices (…, D, D): "
            "turn variances into a matrix with torch.diag_embed"
        )
    t = to_float64(t)
    if not torch.allclose(t, t.mT, rtol=1e-5, atol=1e-8 * float(t.abs().max())):
        raise ValueError(f"{name} is not symmetric, expected a covariance matrix")
    return (t + t.mT) / 2


def _cholesky(matrix: torch.Tensor, name: str) -> tuple[torch.Tensor, torch.Tensor]:
    """The lower factor and, for each matrix, whether it is singular to working precision."""
    factor, failed = torch.linalg.cholesky_ex(matrix)
    d = matrix.shape[-1]
    # lᵢᵢ²/cᵢᵢ is the share of coordinate i's variance that earlier coordinates do not explain.
    variances = matrix.diagonal(dim1=-2, dim2=-1)
    unexplained = factor.diagonal(dim1=-2, dim2=-1).square() <= d * 2.3e-16 * variances
    singular = (failed > 0) | unexplained.any(-1)
    if bool(singular.any()):
        values = torch.linalg.eigvalsh(matrix)
        if bool((values[..., 0] < -1e-6 * values[..., -1].abs()).any()):
            raise ValueError(
                f"{name} has the eigenvalue {float(values.min()):.3g}, "
                "expected a positive semi-definite matrix"
            )
        factor = torch.where(singular[..., None, None], torch.eye(d).to(matrix), factor)
    return factor, singular

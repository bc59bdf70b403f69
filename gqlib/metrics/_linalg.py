"""Linear algebra of covariances, in float64: symmetric products, factors and checks.

On a CPU, SciPy's BLAS and LAPACK compute only the half of a matrix that is needed; PyTorch's
functions serve on a GPU.
"""

from __future__ import annotations

import torch

from gqlib.metrics._validate import Array, finite, tensor, to_float64


def gram(x: torch.Tensor) -> torch.Tensor:
    """XᵀX (D, D) of X (N, D)."""
    if x.device.type != "cpu" or not x.numel():
        return x.T @ x
    from scipy.linalg.blas import dsyrk  # SciPy's linear algebra takes a while to import

    # Fortran expects contiguous columns: Xᵀ has them if the rows of X are contiguous.
    if x.T.is_contiguous():
        half = dsyrk(1.0, x.numpy(), trans=True, lower=True)
    else:
        half = dsyrk(1.0, x.contiguous().numpy().T, lower=True)
    lower = torch.from_numpy(half)
    return lower + lower.tril(-1).T


def cholesky(matrix: torch.Tensor) -> torch.Tensor | None:
    """The lower triangular L with LLᵀ = ``matrix``, or None if that is not positive definite."""
    if matrix.device.type != "cpu":
        lower, failed = torch.linalg.cholesky_ex(matrix)
        return None if int(failed) else lower
    from scipy.linalg.lapack import dpotrf

    factor, failed = dpotrf(matrix.contiguous().numpy().T, lower=True, clean=True)
    return None if failed else torch.from_numpy(factor)


def triangular_product(upper: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """R₁R₂ᵀ of upper triangular R₁ (D, D) and R₂ (D, D), in half the time of a full product."""
    if upper.device.type != "cpu":
        return upper @ other.T
    from scipy.linalg.blas import dtrmm

    product = dtrmm(1.0, upper.numpy().T, other.contiguous().numpy().T, trans_a=True, lower=True)
    return torch.from_numpy(product)


def eigen(matrix: torch.Tensor, name: str) -> tuple[torch.Tensor, torch.Tensor]:
    values, vectors = torch.linalg.eigh(matrix)
    low, high = float(values[0]), float(values[-1])
    if low < -1e-5 * max(abs(high), abs(low) * 1e-5):
        raise ValueError(
            f"{name} has the eigenvalue {low:.3g}, the largest being {high:.3g}, expected a "
            "positive semi-definite matrix: is it a covariance?"
        )
    return values.clamp_min(0), vectors


def symmetric(matrix: Array, name: str) -> torch.Tensor:
    t = finite(tensor(matrix, name), name)
    if t.ndim != 2 or t.shape[0] != t.shape[1] or t.shape[0] == 0:
        raise ValueError(f"{name} has shape {tuple(t.shape)}, expected a square matrix (D, D)")
    t = to_float64(t)
    off = float((t - t.T).abs().max())
    if off > 1e-5 * float(t.abs().max()):
        raise ValueError(
            f"{name} differs from its transpose by up to {off:.3g}, expected a symmetric matrix"
        )
    return (t + t.T) / 2


def moments(
    mean: Array, cov: Array, mean_name: str, cov_name: str
) -> tuple[torch.Tensor, torch.Tensor]:
    m = finite(tensor(mean, mean_name), mean_name)
    c = symmetric(cov, cov_name)
    if m.ndim != 1 or len(m) != len(c):
        raise ValueError(
            f"{mean_name} has shape {tuple(m.shape)} and {cov_name} {tuple(c.shape)}, "
            "expected (D,) and (D, D)"
        )
    return to_float64(m).to(c.device), c


def above_rounding(values: torch.Tensor) -> torch.Tensor:
    """Which of the ascending eigenvalues of a matrix are more than rounding of the largest."""
    return values > len(values) * 2.3e-16 * values[-1]

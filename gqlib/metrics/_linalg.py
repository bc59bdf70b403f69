"""Linear algebra of covariances, in float64: products of which half is computed, factors, checks.

SciPy's ``dsyrk``, ``dpotrf`` and ``dtrmm`` are faster one by one. Between PyTorch's operations, as
the metrics need them, they showed no gain.
"""

from __future__ import annotations

import torch

from gqlib.metrics._validate import Array, finite, tensor, to_float64

#: Rows or columns of a block of a matrix of which half is computed: enough for a fast product.
_BLOCK = 512


def gram(x: torch.Tensor, block: int = _BLOCK) -> torch.Tensor:
    """XᵀX (D, D) of X (N, D), of which the blocks below the diagonal are copied."""
    d = x.shape[1]
    product = x.new_empty(d, d)
    for start in range(0, d, block):
        stop = min(start + block, d)
        product[:stop, start:stop] = x[:, :stop].T @ x[:, start:stop]
        product[start:stop, :start] = product[:start, start:stop].T
    return product


def cholesky(matrix: torch.Tensor, block: int = _BLOCK) -> torch.Tensor | None:
    """The lower triangular L with LLᵀ = ``matrix``, or None if it is not positive definite.

    In blocks on a CPU, where PyTorch's own takes twice the time.
    """
    size = len(matrix) if matrix.is_cuda else max(1, block // 2)
    lower = matrix.clone()
    for start in range(0, len(lower), size):
        rest = start + size
        corner, failed = torch.linalg.cholesky_ex(lower[start:rest, start:rest])
        if int(failed):
            return None
        lower[start:rest, start:rest] = corner
        below = lower[rest:, start:rest]
        below.copy_(torch.linalg.solve_triangular(corner.mT, below, upper=True, left=False))
        for column in range(rest, len(lower), block):
            rows, columns = lower[column:], lower[column : column + block, start:rest]
            rows[:, column : column + block].addmm_(rows[:, start:rest], columns.mT, alpha=-1)
    return lower.tril_()


def triangular_product(
    upper: torch.Tensor, other: torch.Tensor, block: int = _BLOCK
) -> torch.Tensor:
    """R₁R₂ᵀ of upper triangular R₁ and R₂ (D, D): k ≥ max(i, j) in all sums, in half the time."""
    left, right = upper, other.mT
    product = torch.empty_like(left, memory_format=torch.contiguous_format)
    for start in range(0, len(left), block):
        stop = start + block
        product[start:stop, :stop] = left[start:stop, start:] @ right[start:, :stop]
        product[:start, start:stop] = left[:start, start:] @ right[start:, start:stop]
    return product


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

"""Vendi score: the effective number of different samples in a set.

    VS_q = exp( 1/(1−q) · log Σ λᵢ^q ),   VS₁ = exp( −Σ λᵢ log λᵢ ),   VS_∞ = 1 / max λᵢ

with λ the eigenvalues of K/n, K the cosine similarities of all pairs. It is 1 for copies of one
sample and n for samples at right angles, and looks at no real sample.

Friedman and Dieng, "The Vendi score: a diversity evaluation metric for machine learning", TMLR
2023, definition 3.1. Pasarkar and Dieng, "Cousins of the Vendi score", AISTATS 2024 (orders q ≠ 1).
K/n has the same eigenvalues other than 0 as the (D, D) matrix of second moments of the samples,
scaled to length 1. The smaller of the two matrices is used.
"""

from __future__ import annotations

import math

import torch

from gqlib.metrics._linalg import above_rounding, gram
from gqlib.metrics._validate import Array, check_features, to_float64
from gqlib.metrics.result import Interval, Result, student_interval

#: Groups of samples that the jackknife leaves out in turn.
_GROUPS = 50


def vendi_score(x: Array, q: float = 1, confidence: float | None = None, seed: int = 0) -> Result:
    """Effective number of different samples among the rows of ``x``, between 1 and N.

    Args:
        x: Features of shape (N, D), N ≥ 1, no row of zeros.
        q: Order, ≥ 0 or ``math.inf``: a small one counts rare samples more; 0 gives the rank.
        confidence: Level of an interval, by the jackknife over random groups; not for q = 0.
        seed: Seeds the groups.

    Raises:
        ValueError: Another rank, a NaN, a row of zeros, q < 0, an interval for q = 0 or for fewer
            than 4 samples.
    """
    if not q >= 0:
        raise ValueError(f"q={q}, expected an order ≥ 0, math.inf included")
    rows = _unit(to_float64(check_features(x, "x", at_least=1)))
    n = len(rows)
    products = _products(rows)
    score = math.exp(_log_score(products, q))
    if q == 0:
        score = float(round(score))
    interval = None
    if confidence is not None:
        if q == 0:
            raise ValueError("q=0 counts dimensions and has no interval: use another q, or none")
        if n < 4:
            raise ValueError(
                f"confidence={confidence} needs at least 4 samples, got {n}: pass more, or "
                "confidence=None"
            )
        without = _without_groups(rows, products, q, seed)
        # Of G values with a group left out, by the jackknife (Efron and Stein 1981).
        groups = len(without)
        error = score * (groups - 1) / groups**0.5 * float(without.std())
        low, high, level = student_interval(score, error, groups - 1, confidence)
        interval = Interval(max(low, 1.0), min(high, float(n)), level)
    return Result(value=score, n_fake=n, interval=interval, name=f"Vendi score (q = {q:g})")


def _unit(x: torch.Tensor) -> torch.Tensor:
    # Scaled by the largest entry first: squares of very large or small features stay finite.
    largest = x.abs().amax(1, keepdim=True)
    if bool((largest == 0).any()):
        where = int((largest[:, 0] == 0).nonzero()[0])
        raise ValueError(
            f"row {where} of x is all zeros, and a cosine needs a direction: drop such rows"
        )
    x = x / largest
    return x / x.square().sum(1, keepdim=True).sqrt()


def _products(rows: torch.Tensor) -> torch.Tensor:
    """Inner products of all pairs of rows (N, D), or of columns if these are fewer.

    Both have the same eigenvalues other than 0.
    """
    n, d = rows.shape
    return gram(rows.T if n <= d else rows)


def _without_groups(
    rows: torch.Tensor, products: torch.Tensor, q: float, seed: int
) -> torch.Tensor:
    """Logarithms of the score without each of some groups of the rows, (G,)."""
    n, d = rows.shape
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed)).to(rows.device)
    groups = order.tensor_split(min(n, _GROUPS))
    logs = []
    for group in groups:
        if n <= d:
            kept = torch.ones(n, dtype=torch.bool, device=rows.device)
            kept[group] = False
            logs.append(_log_score(products[kept][:, kept], q))
        else:
            logs.append(_log_score(products - gram(rows[group]), q))
    return torch.tensor(logs, dtype=torch.float64)


def _log_score(products: torch.Tensor, q: float) -> float:
    """The logarithm of the score of samples with these inner products."""
    values = torch.linalg.eigvalsh(products)
    # An eigenvalue that should be 0 comes out as a rounding error: without these, the others sum
    # to 1 to all digits.
    values = values[above_rounding(values)]
    values = values / values.sum()
    if q == 1:
        return -float(torch.xlogy(values, values).sum())
    if math.isinf(q):
        return -float(values.max().log())
    if q == 0:
        return math.log(len(values))
    return float(torch.logsumexp(q * values.log(), 0)) / (1 - q)

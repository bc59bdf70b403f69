"""Vendi score: the effective number of different samples in a set.

    VS_q = exp( 1/(1−q) · log Σ λᵢ^q ),   VS₁ = exp( −Σ λᵢ log λᵢ ),   VS_∞ = 1 / max λᵢ

with λ the eigenvalues of K/n, K the cosine similarities of all pairs. It is 1 for copies of one
sample and n for samples at right angles, and looks at no real sample.

Friedman and Dieng, "The Vendi score: a diversity evaluation metric for machine learning", TMLR
2023, definition 3.1. Pasarkar and Dieng, "Cousins of the Vendi score", AISTATS 2024 (orders q ≠ 1).
K/n has the eigenvalues of the (D, D) matrix of second moments of the samples scaled to length 1,
whichever of the two is smaller is taken.
"""

from __future__ import annotations

import math

import torch

from gqlib.metrics._input import Array, features, wide
from gqlib.metrics.gaussian import gram
from gqlib.metrics.result import Interval, Result, normal_interval


def vendi_score(x: Array, q: float = 1, confidence: float | None = None) -> Result:
    """Effective number of different samples among the rows of ``x``, between 1 and N.

    Args:
        x: Features of shape (N, D), N ≥ 1, no row of zeros.
        q: Order, ≥ 0 or ``math.inf``: small ones count rare samples more; 0 is the rank.
        confidence: Level of an interval, from each sample's influence; not for q = 0.

    Raises:
        ValueError: Another rank, a NaN, a row of zeros, q < 0, an interval for q = 0.
    """
    if not q >= 0:
        raise ValueError(f"q={q}, expected an order ≥ 0, math.inf included")
    rows = _unit(wide(features(x, "x", at_least=1)))
    n, d = rows.shape
    moments = gram(rows.T if n <= d else rows) / n
    if confidence is None:
        values, vectors = torch.linalg.eigvalsh(moments), rows[:0]
    else:
        values, vectors = torch.linalg.eigh(moments)
    # A sum of 1 to all digits; an eigenvalue that is 0 comes out as rounding.
    values = values.clamp_min(0)
    kept = values > len(values) * 2.3e-16 * values[-1]
    values = values[kept]
    values = values / values.sum()
    score = _score(values, q)
    interval = None
    if confidence is not None:
        vectors = vectors[:, kept]
        # Squared coordinates of each sample along the axes, (N, kept): its part in each λ.
        squares = vectors.square() * (n * values) if n <= d else (rows @ vectors).square()
        error = score * float(_influence(squares, values, q).std()) / math.sqrt(n)
        low, high, level = normal_interval(score, error, confidence)
        interval = Interval(max(low, 1.0), min(high, float(n)), level)
    return Result(
        value=score, n_real=0, n_fake=n, interval=interval, name=f"Vendi score (q = {q:g})"
    )


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


def _score(values: torch.Tensor, q: float) -> float:
    if q == 1:
        return math.exp(-float(torch.xlogy(values, values).sum()))
    if math.isinf(q):
        return 1 / float(values.max())
    if q == 0:
        return float(len(values))
    return math.exp(float(torch.logsumexp(q * values.log(), 0)) / (1 - q))


def _influence(squares: torch.Tensor, values: torch.Tensor, q: float) -> torch.Tensor:
    """Each sample's influence on log VS, up to a constant, (N,)."""
    if q == 1:
        return -(squares @ values.log())
    if math.isinf(q):
        return -squares[:, -1] / values[-1]
    if q == 0:
        raise ValueError("q=0 counts dimensions and has no interval: use another q, or none")
    powers = (q - 1) * values.log() - torch.logsumexp(q * values.log(), 0)
    return q / (1 - q) * (squares @ powers.exp())

"""Inception Score: how sure a classifier is of each fake, and how varied its classes are.

    IS = exp( mean over i of KL(p(y|xᵢ) ‖ p(y)) ),   p(y) = mean over i of p(y|xᵢ)

Salimans, Goodfellow, Zaremba, Cheung, Radford, Chen, "Improved techniques for training GANs",
NeurIPS 2016, section 4. Its logarithm is the mutual information of sample and class, so that
1 ≤ IS ≤ K. It never looks at a real sample: Barratt and Sharma, "A note on the Inception Score",
2018.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from gqlib.metrics._validate import Array, check_features, to_float64
from gqlib.metrics.result import Result, normal_interval

#: How far the sum of a sample's probabilities may be from 1: float16's rounding over 1,000 classes.
_SUM = 1e-2


@dataclass(frozen=True, kw_only=True)
class InceptionScoreResult(Result):
    """The mean of the splits' scores; ``std`` is their standard deviation, divisor ``splits``."""

    std: float
    splits: int


def inception_score(
    probabilities: Array | None = None,
    logits: Array | None = None,
    splits: int = 10,
    confidence: float | None = None,
) -> InceptionScoreResult:
    """Inception Score of N fakes from a classifier's probabilities for them.

    Args:
        probabilities: Shape (N, K), each row of sum 1; exact zeros are allowed.
        logits: The logits instead, before softmax; give one of the two.
        splits: Number of contiguous parts, rows i·N//splits to (i+1)·N//splits, each scored
            separately; no row is left out.
        confidence: Level of an interval, from the spread of the samples' divergences.

    Raises:
        ValueError: None or both given, another rank, a NaN, rows that do not sum to 1, fewer rows
            than splits.
    """
    if (probabilities is None) == (logits is None):
        raise ValueError("give either probabilities or logits, of shape (N, K)")
    p = _softmax(logits) if probabilities is None else checked_probabilities(probabilities)
    n = len(p)
    if not 1 <= splits <= n:
        raise ValueError(f"splits={splits}, expected between 1 and the number of samples, {n}")
    scores, variances = [], []
    for i in range(splits):
        part = p[i * n // splits : (i + 1) * n // splits]
        divergences = (torch.xlogy(part, part) - torch.xlogy(part, part.mean(0))).sum(1)
        scores.append(math.exp(float(divergences.mean())))
        if len(part) > 1:
            # A sample's influence on log IS is its divergence less the mean. Its share in p(y) has
            # no effect to first order, since p(y) minimises the mean divergence.
            variances.append(scores[-1] ** 2 * float(divergences.var()) / len(part))
    values = torch.tensor(scores, dtype=torch.float64)
    value = float(values.mean())
    interval = None
    if confidence is not None:
        if len(variances) < splits:
            raise ValueError(
                f"confidence needs at least 2 samples a split, got {n} in {splits} splits: pass "
                "more samples, fewer splits, or confidence=None"
            )
        interval = normal_interval(value, math.sqrt(sum(variances)) / splits, confidence)
    warnings = []
    if n // splits < 10 * p.shape[1]:
        warnings.append(
            f"{n // splits} samples a split for {p.shape[1]} classes: the score grows with that "
            "number, so compare only scores of equal splits"
        )
    return InceptionScoreResult(
        value=value,
        n_fake=n,
        interval=interval,
        warnings=tuple(warnings),
        name="Inception Score",
        std=float(values.std(correction=0)),
        splits=splits,
    )


def _softmax(logits: Array) -> torch.Tensor:
    return to_float64(check_features(logits, "logits", at_least=1)).softmax(1)


def checked_probabilities(probabilities: Array) -> torch.Tensor:
    p = to_float64(check_features(probabilities, "probabilities", at_least=1))
    if bool((p < 0).any()):
        raise ValueError(
            f"probabilities has the entry {float(p.min()):.4g}, expected numbers ≥ 0: "
            "pass logits as logits=…"
        )
    sums = p.sum(1)
    worst = int((sums - 1).abs().argmax())
    if abs(float(sums[worst]) - 1) > _SUM:
        raise ValueError(
            f"row {worst} of probabilities sums to {float(sums[worst]):.4g}, expected 1: "
            "pass logits as logits=…, or divide each row by its sum"
        )
    return p / sums[:, None]

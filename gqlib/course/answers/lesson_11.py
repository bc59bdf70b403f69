"""Lesson 11, Memorisation: nearest training samples, and tests whether they are too near."""

from __future__ import annotations

import math

from torch import Tensor

from gqlib import metrics
from gqlib.metrics._validate import Array, finite, tensor, to_float64
from gqlib.metrics.memorisation import nearest

__all__ = ["authenticity", "authenticity_null", "copying_test", "likelihood_gap", "nearest"]


def authenticity(train: Tensor, fake: Tensor) -> float:
    """The share of fakes that are authentic."""
    return metrics.authenticity(train, fake).value


def authenticity_null(train: Tensor, holdout: Tensor) -> float:
    """The same share of samples that the model never saw."""
    return metrics.authenticity(train, holdout).value


def copying_test(train: Tensor, holdout: Tensor, fake: Tensor) -> float:
    """C_T, negative where the fakes lie nearer to the training set than the held-out samples."""
    return metrics.copying_test(train, holdout, fake).value


def likelihood_gap(train_nll: Array, test_nll: Array) -> tuple[float, float]:
    """How much less likely new samples are than the training set, with its standard error.

    Args:
        train_nll: Negative log-likelihoods of training samples, (n,), n ≥ 2.
        test_nll: Negative log-likelihoods of samples that the model never saw, (m,), m ≥ 2.

    Returns:
        mean(test) − mean(train), positive where the model overfits, and √(s²_train/n + s²_test/m).

    Raises:
        ValueError: Another rank, fewer than 2 values, a NaN or an infinity.
    """
    means, variance = [], 0.0
    for values, name in ((train_nll, "train_nll"), (test_nll, "test_nll")):
        nll = finite(tensor(values, name), name)
        if nll.ndim != 1 or len(nll) < 2:
            raise ValueError(
                f"{name} has shape {tuple(nll.shape)}, expected (n,) with n ≥ 2: one negative "
                "log-likelihood a sample"
            )
        nll = to_float64(nll)
        means.append(float(nll.mean()))
        variance += float(nll.var()) / len(nll)
    return means[1] - means[0], math.sqrt(variance)

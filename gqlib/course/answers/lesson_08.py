"""Lesson 08, The Inception Score: its parts, and images that only a classifier is sure of.

The score measures only whether the classifier's verdicts are sure and varied. So noise can be
pushed toward one class after the other until the classifier is sure: this is the fast gradient sign
method (Goodfellow, Shlens and Szegedy, "Explaining and harnessing adversarial examples", 2015),
iterated. Barratt and Sharma, "A note on the Inception Score", 2018, did so with Inception and got
986.10 of at most 1000 from noise.

If each of K classes is the target equally often and the classifier gives every image's target at
least 1 − ε, Fano's inequality gives log IS ≥ log K − h(ε) − ε·log(K − 1), h the binary entropy.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from gqlib import metrics
from gqlib.metrics.inception_score import checked_probabilities

__all__ = [
    "entropy_terms",
    "fool_inception_score",
    "inception_score",
    "inception_score_splits",
    "marginal",
    "sure_images",
]


def marginal(probs: torch.Tensor) -> torch.Tensor:
    """The marginal (K,) of the classes: the mean over N fakes of their probabilities (N, K).

    Raises:
        ValueError: Another rank, no rows, a NaN, rows that do not sum to 1.
    """
    dtype = probs.dtype if probs.is_floating_point() else torch.float32
    return checked_probabilities(probs).mean(0).to(probs.device, dtype)


def entropy_terms(probs: Tensor) -> tuple[float, float]:
    """The two terms of log IS = H(y) − H(y|x), in nats.

    Barratt and Sharma 2018, section 3. The score rewards a large H(y), the entropy of the
    marginal (varied verdicts), and a small H(y|x), the mean entropy of a verdict (sure ones).

    Args:
        probs: Shape (N, K), each row of sum 1; exact zeros are allowed.

    Returns:
        (H(y), H(y|x)): 0 ≤ H(y|x) ≤ H(y) ≤ log K, up to rounding.

    Raises:
        ValueError: Another rank, no rows, a NaN, rows that do not sum to 1.
    """
    p = checked_probabilities(probs)
    mean = p.mean(0)
    return -float(torch.xlogy(mean, mean).sum()), -float(torch.xlogy(p, p).sum(1).mean())


def inception_score(probs: Tensor) -> float:
    """Of all rows together."""
    return metrics.inception_score(probs, splits=1).value


def inception_score_splits(probs: Tensor, splits: int) -> tuple[float, float]:
    """Mean and standard deviation over splits, as published."""
    result = metrics.inception_score(probs, splits=splits)
    return result.value, result.std


def fool_inception_score(
    classifier: Callable[[Tensor], Tensor], n: int, generator: torch.Generator
) -> Tensor:
    """:func:`sure_images` of ten classes."""
    return sure_images(classifier, n, generator)


def sure_images(
    classifier: Callable[[Tensor], Tensor],
    n: int,
    generator: torch.Generator,
    *,
    classes: int = 10,
    steps: int = 50,
    step_size: float = 0.05,
) -> Tensor:
    """Images of nothing, which ``classifier`` takes for every class equally often.

    Args:
        classifier: Maps images [n, 1, 28, 28] in [0, 1] to logits [n, classes], differentiable,
            on the generator's device. A module is left as it was.
        n: How many images, a multiple of ``classes``.
        generator: Where the noise comes from.
        classes: Targets 0 … classes − 1, in turn.
        steps: Sign-of-gradient steps; 0 gives the noise itself.
        step_size: What a step adds to each pixel or takes from it.

    Returns:
        float32 [n, 1, 28, 28] in [0, 1], without a graph.

    Raises:
        ValueError: ``n`` is not a positive multiple of ``classes``, or ``steps`` is negative.
    """
    if n < 1 or n % classes:
        raise ValueError(f"n={n} images, expected a multiple of the {classes} classes")
    if steps < 0:
        raise ValueError(f"steps={steps}, expected at least 0")
    images = torch.rand(n, 1, 28, 28, generator=generator, device=generator.device)
    targets = torch.arange(n, device=images.device) % classes
    for _ in range(steps):
        images.requires_grad_()
        with torch.enable_grad():
            loss = F.cross_entropy(classifier(images), targets, reduction="sum")
            (gradient,) = torch.autograd.grad(loss, images)
        images = (images.detach() - step_size * gradient.sign()).clamp(0, 1)
    return images

"""Lesson 07, Training GANs: the networks, walks between latents, and mode collapse by classes.

    χ² = Σ (o_c − e_c)² / e_c,   e_c = n · r_c / Σ r

with the counts o of n generated samples in K classes and the reference's counts r: Pearson's test
of goodness of fit, with K − 1 degrees of freedom.

K. Pearson, "On the criterion that a given system of deviations … is such that it can be reasonably
supposed to have arisen from random sampling", Phil. Mag. 50, 1900.
"""

from __future__ import annotations

import torch
from scipy.stats import chisquare
from torch import Tensor, nn

from gqlib.metrics._validate import Array, finite, tensor, to_float64
from gqlib.models.gan import Discriminator, Generator, gan_step, update_ema

__all__ = [
    "class_histogram",
    "collapsed",
    "gan_step",
    "make_discriminator",
    "make_generator",
    "slerp",
    "update_ema",
]


def make_generator(latent_dim: int) -> nn.Module:
    """Latents [N, latent_dim] to images [N, 1, 28, 28] in (0, 1)."""
    return Generator(latent_dim)


def make_discriminator() -> nn.Module:
    """Images [N, 1, 28, 28] to logits [N, 1]."""
    return Discriminator()


def slerp(z0: Tensor, z1: Tensor, steps: int) -> Tensor:
    """``steps`` latents [steps, D] from z0 [D] to z1 [D], both included, along an arc.

    The direction turns at a constant rate and the norm changes linearly. A straight line would
    pass closer to the origin than any draw of N(0, I) in many dimensions does (White 2016,
    "Sampling generative networks").

    Raises:
        ValueError: ``steps`` below 2, shapes that are not one [D], a zero vector, or opposite ones.
    """
    if steps < 2:
        raise ValueError(f"steps is {steps}, expected at least 2: both ends are among them")
    if z0.ndim != 1 or z0.shape != z1.shape:
        raise ValueError(f"shapes are {list(z0.shape)} and {list(z1.shape)}, expected one [D]")
    n0, n1 = z0.norm(), z1.norm()
    if not (n0 > 0 and n1 > 0):
        raise ValueError("a zero vector has no direction to start from: draw another latent")
    u0, u1 = z0 / n0, z1 / n1
    # Half the angle by its tangent: arccos loses half the digits if vectors are nearly equal.
    angle = 2 * torch.atan2((u1 - u0).norm(), (u1 + u0).norm())
    if angle > torch.pi - 1e-3:
        raise ValueError("the latents are opposite: no arc between them is shorter than others")
    t = torch.linspace(0, 1, steps, dtype=z0.dtype, device=z0.device)[:, None]
    if angle == 0:
        direction = u0.expand(steps, -1)
    else:
        direction = (((1 - t) * angle).sin() * u0 + (t * angle).sin() * u1) / angle.sin()
    path: Tensor = ((1 - t) * n0 + t * n1) * direction
    return path


def class_histogram(labels: Array, classes: int = 10) -> torch.Tensor:
    """How often each of the integers 0 … classes − 1 occurs among the labels.

    Args:
        labels: Integers of shape (N,); floats must be whole numbers. N may be 0.
        classes: The number of classes K.

    Returns:
        int64 counts of shape (K,), on the labels' device.

    Raises:
        ValueError: More than one axis, a label that is not a class, or ``classes`` below 1.
    """
    if classes < 1:
        raise ValueError(f"classes is {classes}, expected at least 1")
    given = finite(tensor(labels, "labels"), "labels")
    if given.ndim != 1:
        raise ValueError(f"labels have shape {tuple(given.shape)}, expected (N,)")
    whole = given.to(torch.int64)
    wrong = (whole != given) | (whole < 0) | (whole >= classes)
    if bool(wrong.any()):
        where = int(wrong.nonzero()[0])
        raise ValueError(
            f"label {given[where].item()} at index {where} is not a class, expected integers from "
            f"0 to {classes - 1}"
        )
    return torch.bincount(whole, minlength=classes)


def collapse_p_value(hist: Array, reference: Array) -> float:
    """p-value of the counts under the reference's shares, by Pearson's χ² test.

    Args:
        hist: Counts of generated samples in K classes, of shape (K,).
        reference: Counts or shares of the reference in the same classes, taken as exact.

    Returns:
        A number in [0, 1]. Classes that are missing from the reference are not part of the test,
        but a sample in one of them gives 0. With a single class there is nothing to test: 1.

    Raises:
        ValueError: Different shapes, a negative or non-finite count, or nothing on a side.
    """
    counts, expected = _counts(hist, "hist"), _counts(reference, "reference").to("cpu")
    counts = counts.to("cpu")
    if counts.shape != expected.shape:
        raise ValueError(
            f"hist has {len(counts)} classes and the reference {len(expected)}: "
            "count both over the same classes"
        )
    known = expected > 0
    if bool((counts[~known] > 0).any()):
        return 0.0
    counts, expected = counts[known], expected[known]
    if len(counts) == 1:
        return 1.0
    expected = expected * (counts.sum() / expected.sum())
    return float(chisquare(counts.numpy(), expected.numpy()).pvalue)


def collapsed(hist: Array, reference: Array, level: float = 0.05) -> bool:
    """Whether the counts contradict the reference's shares: :func:`collapse_p_value` < level.

    Meant for about 500 samples. With 10,000 it finds shares with relative errors of a few percent,
    which every real generator has. A generator that matches the shares is called collapsed with
    probability ``level``, so also report the missing classes.

    Args:
        hist: Counts of generated samples in K classes, of shape (K,).
        reference: Counts or shares of the reference in the same classes, of shape (K,).
        level: Between 0 and 1.

    Raises:
        ValueError: As :func:`collapse_p_value`, or a level outside (0, 1).
    """
    if not 0 < level < 1:
        raise ValueError(f"level is {level}, expected a probability between 0 and 1, such as 0.05")
    return collapse_p_value(hist, reference) < level


def _counts(x: Array, name: str) -> torch.Tensor:
    counts = finite(to_float64(tensor(x, name)), name)
    if counts.ndim != 1:
        raise ValueError(f"{name} has shape {tuple(counts.shape)}, expected (K,)")
    if bool((counts < 0).any()):
        raise ValueError(f"{name} holds a negative count: {counts.min().item()}")
    if not bool(counts.sum() > 0):
        raise ValueError(f"{name} counts nothing: expected at least one sample")
    return counts

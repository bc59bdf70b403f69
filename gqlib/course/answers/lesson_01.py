"""Lesson 01, Four failures: counted where the modes are known.

In a mixture of K round Gaussians in the plane,

    nearest mode      m(x) = argmin_k ‖x − c_k‖
    covered modes     how many c_k have a sample within 3·std
    high quality      share of samples with ‖x − c_m(x)‖ ≤ 3·std
    KL of the modes   Σ_k s_k log(K s_k),  s_k = share of samples whose nearest mode is k
    copies            share of samples with a training point within a tolerance

Srivastava, Valkov, Russell, Gutmann, Sutton, "VEEGAN: Reducing mode collapse in GANs using implicit
variational learning", NeurIPS 2017, section 5.1. Lin, Khetan, Fanti, Oh, "PacGAN: The power of two
samples in generative adversarial networks", NeurIPS 2018, section 4.1.

``std`` is that of each coordinate. In two dimensions ‖x − c‖²/(2·std²) is exponential with mean 1,
so a faithful sample is of high quality with probability 1 − exp(−9/2) = 0.989.

Everything is computed in float64, whatever comes in, and distances are exact to rounding.
"""

from __future__ import annotations

import math

import torch

from gqlib._utils.failure import Failure
from gqlib.metrics._validate import Array, check_features, chunks, to_float64
from gqlib.metrics.memorisation import nearest, nearest_other

__all__ = [
    "assign_modes",
    "copy_fraction",
    "covered_modes",
    "diagnose",
    "high_quality_fraction",
    "mode_kl",
]

_REACH = 3.0  # in std: what counts as within a mode
_ROWS = 512  # rows of a distance matrix at a time


def assign_modes(samples: Array, centers: Array) -> torch.Tensor:
    """The nearest centre of each sample, the first of equally near ones.

    Args:
        samples: (N, D).
        centers: (K, D).

    Returns:
        int64 (N,), on the device of the samples.

    Raises:
        ValueError: Another rank, a NaN, different D, an empty set. So do all functions here.
    """
    return _distances(samples, centers)[0].argmin(dim=1)


def covered_modes(samples: Array, centers: Array, std: float) -> int:
    """How many centres have a sample within 3·std, even one that is nearer to another centre."""
    distance, _ = _distances(samples, centers)
    return int((distance <= _REACH * _positive(std, "std")).any(dim=0).sum())


def high_quality_fraction(samples: Array, centers: Array, std: float) -> float:
    """Share of samples within 3·std of their nearest centre."""
    distance, _ = _distances(samples, centers)
    return float((distance.amin(dim=1) <= _REACH * _positive(std, "std")).double().mean())


def mode_kl(samples: Array, centers: Array) -> float:
    """KL(shares of the nearest modes ‖ uniform) in nats, from 0 to log K; an empty mode adds 0.

    Of n samples from the even mixture it is about (K − 1)/(2n), and not 0.
    """
    distance, count = _distances(samples, centers)
    return _kl_from_even(torch.bincount(distance.argmin(dim=1), minlength=count))


def copy_fraction(samples: Array, train: Array, tolerance: float) -> float:
    """Share of samples whose nearest training point, of (M, D), is within the tolerance."""
    x, y = _pair(samples, train, "train")
    return float((nearest(x, y)[0] <= _positive(tolerance, "tolerance")).double().mean())


def diagnose(samples: Array, train: Array, centers: Array, std: float) -> set[str]:
    """Which failures the samples show, by their values; the empty set for a faithful generator.

    - **noise**: fewer than 96 % of the samples within 3·std of a centre (98.9 % is right). If it is
      fewer than half of them, nothing else is judged.
    - **mode_collapse**: at most 80 % of the centres have two samples within 3·std. (Of thousands
      of samples, one may land near a mode that it does not come from.)
    - **bias**: KL of the shares of the modes that have them, from even shares, above 0.04 nats.
    - **memorisation**: the share of samples with a training point within 0.1·std is more than
      halfway from that share among the training points themselves to 1.

    The thresholds suit a thousand samples and more of an even mixture of at least four modes that
    lie 7·std apart or farther, and as many training points.

    Args:
        samples: (N, 2), the generator's.
        train: (M, 2), fresh samples of the even mixture, M ≥ 2.
        centers: (K, 2).
        std: Standard deviation of each coordinate in each mode.
    """
    distance, count = _distances(samples, centers)
    x, y = _pair(samples, train, "train", at_least=2)
    to_center, mode = distance.min(dim=1)
    good = to_center <= _REACH * _positive(std, "std")
    quality = float(good.double().mean())
    faults = {Failure.noise.value} if quality < 0.96 else set()
    if quality < 0.5:
        return faults
    counts = torch.bincount(mode[good], minlength=count)
    counts = counts[counts > 1]
    if len(counts) <= 0.8 * count:
        faults.add(Failure.mode_collapse.value)
    if _kl_from_even(counts) > 0.04:
        faults.add(Failure.bias.value)
    copies = (nearest(x, y)[0] <= 0.1 * std).double().mean()
    by_chance = (nearest_other(y) <= 0.1 * std).double().mean()
    if copies > (1 + by_chance) / 2:
        faults.add(Failure.memorisation.value)
    return faults


def _distances(samples: Array, centers: Array) -> tuple[torch.Tensor, int]:
    """All distances (N, K), and K."""
    x, c = _pair(samples, centers, "centers")
    return torch.cat([_direct(rows, c) for rows in chunks(x, _ROWS)]), len(c)


def _direct(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    # The form with a matrix product would give a point a distance to itself.
    return torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist")


def _kl_from_even(counts: torch.Tensor) -> float:
    """KL in nats of the counts' shares from even ones."""
    shares = counts.double() / counts.sum()
    return max(0.0, float(torch.special.xlogy(shares, shares * len(counts)).sum()))


def _pair(x: Array, y: Array, name: str, at_least: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    """Two sets of points of one dimension, in float64 on the device of the first."""
    a, b = (
        to_float64(check_features(x, "samples", 1)),
        to_float64(check_features(y, name, at_least)),
    )
    if a.shape[1] != b.shape[1]:
        raise ValueError(
            f"samples have {a.shape[1]} coordinates and {name} {b.shape[1]}, expected as many"
        )
    return a, b.to(a.device)


def _positive(value: float, name: str) -> float:
    if not (value > 0 and math.isfinite(value)):
        raise ValueError(f"{name}={value}, expected a positive number")
    return value

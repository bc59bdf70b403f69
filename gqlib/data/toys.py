"""Distributions in the plane, and generators with a known, planted fault.

Mixtures of equal Gaussians on a ring or on a grid are the test bed of mode collapse: the modes are
known, so every failure can be counted (Srivastava et al. 2017, "VEEGAN"; Lin et al. 2018,
"PacGAN"). ``std`` is the standard deviation of each coordinate.

    >>> import torch
    >>> from gqlib.data import toys
    >>> generator = torch.Generator().manual_seed(0)
    >>> toys.faithful(toys.ring(), 1000, 0.1, generator).shape
    torch.Size([1000, 2])
    >>> toys.mode_dropper(toys.ring(), 1000, 0.1, generator, keep=3).shape
    torch.Size([1000, 2])

Samples have the dtype and device of the centres (or of the training points), which :func:`ring`
and :func:`grid` give in float32. Everything random comes from ``generator``.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

__all__ = [
    "biased",
    "copycat",
    "faithful",
    "grid",
    "mixture",
    "mode_dropper",
    "noisy",
    "ring",
    "tilted_shares",
]


def ring(modes: int = 8, radius: float = 2.0) -> Tensor:
    """Centres evenly on a circle around the origin, counter-clockwise from (radius, 0).

    Returns:
        float32 [modes, 2].
    """
    _at_least(modes, 1, "modes")
    angle = 2 * math.pi * torch.arange(modes, dtype=torch.float64) / modes
    return (radius * torch.stack([angle.cos(), angle.sin()], dim=1)).float()


def grid(side: int = 5, spacing: float = 2.0) -> Tensor:
    """Centres on a square grid around the origin, row by row from the lower left.

    Returns:
        float32 [side², 2].
    """
    _at_least(side, 1, "side")
    line = spacing * (torch.arange(side, dtype=torch.float32) - (side - 1) / 2)
    y, x = torch.meshgrid(line, line, indexing="ij")
    return torch.stack([x.flatten(), y.flatten()], dim=1)


def mixture(
    centers: Tensor,
    n: int,
    std: float,
    generator: torch.Generator,
    shares: Tensor | None = None,
) -> Tensor:
    """``n`` draws from round Gaussians around the centres.

    Args:
        centers: [K, D], floating.
        n: How many.
        std: Standard deviation of each coordinate, at least 0.
        generator: Where the randomness comes from.
        shares: [K], the probability of each mode, up to a factor; even by default.

    Returns:
        [n, D].

    Raises:
        ValueError: The centres are not [K, D] floats, or n, std or the shares make no sense.
    """
    if centers.ndim != 2 or not len(centers) or not centers.dtype.is_floating_point:
        raise ValueError(
            f"centers are {centers.dtype} of shape {tuple(centers.shape)}, expected floats [K, D]"
        )
    if shares is None:
        shares = torch.ones(len(centers))
    if shares.shape != (len(centers),):
        raise ValueError(f"{tuple(shares.shape)} shares for {len(centers)} modes: give one each")
    if not torch.isfinite(shares).all() or shares.min() < 0 or shares.sum() <= 0:
        raise ValueError(f"shares are {shares.tolist()}: expected numbers >= 0, not all of them 0")
    mode = _choose(shares, n, generator)
    return _jittered(centers[mode.to(centers.device)], std, generator)


def faithful(centers: Tensor, n: int, std: float, generator: torch.Generator) -> Tensor:
    """The generator without a fault: ``n`` fresh draws [n, D] from the even mixture."""
    return mixture(centers, n, std, generator)


def mode_dropper(
    centers: Tensor, n: int, std: float, generator: torch.Generator, keep: int = 4
) -> Tensor:
    """Mode collapse: ``n`` draws [n, D], evenly from ``keep`` modes, which are picked at random.

    Raises:
        ValueError: ``keep`` is not from 1 to the number of modes.
    """
    if not 1 <= keep <= len(centers):
        raise ValueError(f"keep={keep} of {len(centers)} modes: expected 1 to {len(centers)}")
    shares = torch.zeros(len(centers))
    shares[_permutation(len(centers), generator)[:keep]] = 1
    return mixture(centers, n, std, generator, shares)


def copycat(
    train: Tensor, n: int, std: float, generator: torch.Generator, jitter: float = 0.02
) -> Tensor:
    """Memorisation: ``n`` training points [n, D], drawn with replacement, slightly moved.

    Args:
        train: [M, D], floating.
        n: How many.
        std: The unit of the jitter.
        generator: Where the randomness comes from.
        jitter: Standard deviation of the Gaussian noise on each coordinate, in units of ``std``.
    """
    _at_least(len(train), 1, "the number of training points")
    row = _choose(torch.ones(len(train)), n, generator)
    return _jittered(train[row.to(train.device)], jitter * std, generator)


def noisy(
    centers: Tensor,
    n: int,
    std: float,
    generator: torch.Generator,
    spread: float = 2.0,
    background: float = 0.0,
) -> Tensor:
    """Noise: ``n`` draws [n, D] from modes that are too wide, or with points that belong to none.

    Args:
        centers: [K, D], floating.
        n: How many.
        std: Standard deviation of each coordinate in the data.
        generator: Where the randomness comes from.
        spread: The modes' standard deviation in units of ``std``; 1 is right.
        background: The share, from 0 to 1, of points that are uniform on the box around the
            centres, 3 ``std`` wider on each side.

    Raises:
        ValueError: ``background`` is not from 0 to 1.
    """
    if not 0 <= background <= 1:
        raise ValueError(f"background={background}: expected a share from 0 to 1")
    points = mixture(centers, n, spread * std, generator)
    low, high = centers.amin(0) - 3 * std, centers.amax(0) + 3 * std
    box = low + (high - low) * _uniform(points.shape, points, generator)
    stray = _uniform((n, 1), points, generator) < background
    return torch.where(stray, box, points)


def biased(
    centers: Tensor, n: int, std: float, generator: torch.Generator, kl: float = 0.2
) -> Tensor:
    """Bias: ``n`` draws [n, D] from all modes, in uneven shares, in random order.

    Args:
        centers: [K, D], floating.
        n: How many.
        std: Standard deviation of each coordinate.
        generator: Where the randomness comes from.
        kl: How uneven: KL(shares ‖ uniform) in nats, see :func:`tilted_shares`. With 8 modes the
            smallest share is 5.6 % at 0.1 nats, 3.6 % at 0.2 and 2.4 % at 0.3.
    """
    shares = tilted_shares(len(centers), kl)
    return mixture(centers, n, std, generator, shares[_permutation(len(centers), generator)])


def tilted_shares(modes: int, kl: float) -> Tensor:
    """Shares that fall by the same factor from each mode to the next, at a given KL from uniform.

    Returns:
        float64 [modes], summing to 1.

    Raises:
        ValueError: ``kl`` is negative or not below log(modes), the KL of a single mode.
    """
    _at_least(modes, 1, "modes")
    if not (kl == 0 or 0 < kl < math.log(modes)):
        raise ValueError(f"kl={kl} nats: {modes} modes allow from 0 to below {math.log(modes):.3f}")
    rank = torch.arange(modes, dtype=torch.float64)

    def tilted(rate: float) -> tuple[Tensor, float]:
        log_share = torch.log_softmax(-rate * rank, dim=0)
        return log_share.exp(), float((log_share.exp() * log_share).sum()) + math.log(modes)

    low, high = 0.0, 1.0
    while tilted(high)[1] < kl:
        high *= 2
    for _ in range(60):  # the KL grows with the rate
        rate = (low + high) / 2
        low, high = (rate, high) if tilted(rate)[1] < kl else (low, rate)
    return tilted(low)[0]


def _at_least(value: int, least: int, name: str) -> None:
    if value < least:
        raise ValueError(f"{name} is {value}, expected at least {least}")


def _choose(shares: Tensor, n: int, generator: torch.Generator) -> Tensor:
    """n indices [n] on the generator's device, with probabilities proportional to the shares."""
    _at_least(n, 0, "n")
    edges = shares.to(generator.device, torch.float64).cumsum(0)
    u = torch.rand(n, generator=generator, dtype=torch.float64, device=generator.device)
    # `right`: a share of 0 is never hit, not even by u = 0.
    return torch.searchsorted(edges, u * edges[-1], right=True)


def _jittered(points: Tensor, std: float, generator: torch.Generator) -> Tensor:
    if not std >= 0:
        raise ValueError(f"a standard deviation of {std}: expected at least 0")
    noise = torch.randn(
        points.shape, generator=generator, dtype=points.dtype, device=generator.device
    )
    return points + std * noise.to(points.device)


def _uniform(shape: tuple[int, ...], like: Tensor, generator: torch.Generator) -> Tensor:
    u = torch.rand(shape, generator=generator, dtype=like.dtype, device=generator.device)
    return u.to(like.device)


def _permutation(n: int, generator: torch.Generator) -> Tensor:
    return torch.randperm(n, generator=generator, device=generator.device).cpu()

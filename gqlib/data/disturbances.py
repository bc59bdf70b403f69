"""Ways to spoil images by a chosen strength: what a measure of quality must notice.

After the experiment of Heusel et al., "GANs trained by a two time-scale update rule converge to a
local Nash equilibrium", NeurIPS 2017, figure 3, adapted to small grey images.

Every function takes images [N, H, W], floats in [0, 1], and a strength; 0 changes nothing, up to
the interpolation's rounding. It returns new images of the same shape and range. Functions that draw
at random take a generator.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Generator, Tensor


def gaussian_noise(images: Tensor, strength: float, generator: Generator) -> Tensor:
    """Mix with noise, (1 − strength)·image + strength·noise: grey ½ with a deviation of ¼."""
    noise = 0.5 + 0.25 * torch.randn(images.shape, generator=generator)
    return (1 - strength) * images + strength * noise.clamp(0, 1).to(images)


def gaussian_blur(images: Tensor, strength: float) -> Tensor:
    """Blur by a Gaussian whose standard deviation is ``strength`` pixels; black outside."""
    if strength == 0:
        return images.clone()
    radius = int(4 * strength + 0.5)
    steps = torch.arange(-radius, radius + 1).to(images)
    weights = torch.exp(-0.5 * (steps / strength) ** 2)
    weights /= weights.sum()
    rows = F.conv2d(images[:, None], weights.view(1, 1, -1, 1), padding=(radius, 0))
    blurred: Tensor = F.conv2d(rows, weights.view(1, 1, 1, -1), padding=(0, radius))
    return blurred[:, 0].clamp(0, 1)


def rectangles(
    images: Tensor, strength: float, generator: Generator, count: int = 5, ink: float = 0.0
) -> Tensor:
    """Paint ``count`` rectangles anywhere over each image, with ``strength`` times its sides."""
    n, height, width = images.shape
    high, wide = round(strength * height), round(strength * width)
    row, column = torch.arange(height)[None, :, None], torch.arange(width)[None, None]
    painted = images.clone()
    for _ in range(count):
        top = torch.randint(0, height - high + 1, (n, 1, 1), generator=generator)
        left = torch.randint(0, width - wide + 1, (n, 1, 1), generator=generator)
        inside = (row >= top) & (row < top + high) & (column >= left) & (column < left + wide)
        painted[inside.to(images.device)] = ink
    return painted


def swirl(images: Tensor, strength: float) -> Tensor:
    """Turn each pixel about the centre by ``strength``·exp(−4r/side) radians, r its radius."""
    n, height, width = images.shape
    y = torch.arange(height).to(images)[:, None] - (height - 1) / 2
    x = torch.arange(width).to(images)[None] - (width - 1) / 2
    angle = strength * torch.exp(-4 * torch.hypot(y, x) / min(height, width))
    turned_x = x * angle.cos() - y * angle.sin()
    turned_y = x * angle.sin() + y * angle.cos()
    grid = torch.stack([2 * turned_x / (width - 1), 2 * turned_y / (height - 1)], dim=-1)
    swirled: Tensor = F.grid_sample(
        images[:, None], grid.expand(n, height, width, 2), align_corners=True
    )
    return swirled[:, 0].clamp(0, 1)


def salt_and_pepper(images: Tensor, strength: float, generator: Generator) -> Tensor:
    """Set each pixel with probability ``strength`` to 0 or 1, both equally likely."""
    hit = torch.rand(images.shape, generator=generator) < strength
    value = torch.rand(images.shape, generator=generator) < 0.5
    return torch.where(hit.to(images.device), value.to(images), images)


def contaminate(images: Tensor, others: Tensor, strength: float, generator: Generator) -> Tensor:
    """Replace a random share ``strength`` of the images by ``others`` at the same places."""
    chosen = torch.randperm(len(images), generator=generator)[: round(strength * len(images))]
    mixed = images.clone()
    mixed[chosen] = others[chosen]
    return mixed

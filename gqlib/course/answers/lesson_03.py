"""Lesson 03, Autoregressive models: the chain rule, masks, and drawing pixel by pixel."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from gqlib.models.autoregressive import causal_mask, chain_rule_nll

__all__ = ["bits_per_dim", "causal_mask", "chain_rule_nll", "receptive_field", "sample_pixels"]

#: Random inputs behind a receptive field.
_TRIALS = 20


def bits_per_dim(nll_nats: Tensor, dims: int) -> Tensor:
    """Nats for a whole image of ``dims`` pixels and channels, as bits for each of them.

    Any shape; integers count as float32.
    """
    nll = nll_nats if nll_nats.is_floating_point() else nll_nats.float()
    return nll / (dims * math.log(2))


def receptive_field(
    model: Callable[[Tensor], Tensor], height: int, width: int, row: int, col: int
) -> Tensor:
    """Which input pixels the logits at (row, col) depend on: bool [height, width].

    ``model`` maps images [1, 1, height, width] to logits [1, C, height, width]. A pixel counts if
    the gradient of a random combination of the C logits reaches it at any of several random
    inputs: one input alone may leave a unit switched off, and a plain sum of channels may cancel.
    The model's gradients and mode do not change. The inputs have the dtype and device of its first
    parameter.
    """
    weight = next(model.parameters(), None) if isinstance(model, nn.Module) else None
    like = torch.empty(0) if weight is None else weight
    generator = torch.Generator(like.device).manual_seed(0)
    seen = torch.zeros(height, width, dtype=torch.bool, device=like.device)
    for _ in range(_TRIALS):
        noise = torch.randn(1, 1, height, width, generator=generator, device=like.device)
        x = noise.to(like.dtype).requires_grad_()
        with torch.enable_grad():
            logits = model(x)[0, :, row, col]
            mix = torch.randn(len(logits), generator=generator, device=like.device)
            (gradient,) = torch.autograd.grad((mix * logits).sum(), x, materialize_grads=True)
        seen |= gradient[0, 0] != 0
    return seen


@torch.no_grad()
def sample_pixels(
    model: Callable[[Tensor], Tensor],
    n: int,
    height: int,
    width: int,
    generator: torch.Generator,
) -> Tensor:
    """n images [n, 1, height, width] of zeros and ones, drawn in raster order; float32.

    ``model`` maps images to Bernoulli logits of the same shape, each from earlier pixels only. It
    runs once for each pixel, on the generator's device and in its current mode.
    """
    x = torch.zeros(n, 1, height, width, device=generator.device)
    for row in range(height):
        for col in range(width):
            p = model(x)[:, 0, row, col].sigmoid().float()
            x[:, 0, row, col] = torch.bernoulli(p, generator=generator)
    return x

"""One update of an optimiser, by a scaled loss where training runs in float16.

Float16 loses gradients below 6e-8. The loss is therefore multiplied by a large factor before the
backward pass and the gradients are divided by it before the step, which is left out where they
overflowed (Micikevicius et al. 2018, "Mixed Precision Training", section 3.2).
"""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Iterator

import torch
from torch import Tensor

_scaler: contextvars.ContextVar[torch.amp.GradScaler] = contextvars.ContextVar("scaler")


def update(loss: Tensor, optimizer: torch.optim.Optimizer) -> None:
    """Clear the optimiser's gradients, send ``loss`` (a scalar) backward, and step."""
    optimizer.zero_grad()
    scaler = _scaler.get(None)
    if scaler is None:
        torch.autograd.backward(loss)
        optimizer.step()
        return
    torch.autograd.backward(scaler.scale(loss))
    scaler.step(optimizer)
    scaler.update()


@contextlib.contextmanager
def scaled_by(scaler: torch.amp.GradScaler) -> Iterator[None]:
    """Make :func:`update` scale losses by ``scaler`` inside; a disabled one changes nothing."""
    token = _scaler.set(scaler)
    try:
        yield
    finally:
        _scaler.reset(token)

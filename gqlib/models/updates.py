"""One update of an optimiser, with a scaled loss if training runs in float16.

Float16 loses gradients below 6e-8. So the loss is multiplied by a large factor before the backward
pass, and the gradients are divided by it before the step. If they overflow, the step is skipped
(Micikevicius et al. 2018, "Mixed Precision Training", section 3.2).
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
    """A block in which :func:`update` scales losses by ``scaler``; a disabled one does nothing."""
    token = _scaler.set(scaler)
    try:
        yield
    finally:
        _scaler.reset(token)

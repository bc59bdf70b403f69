"""The device that computations run on."""

from __future__ import annotations

import torch


def device(name: str | None = None) -> torch.device:
    """The device called ``name``, or the best there is: CUDA, then Apple's MPS, then the CPU.

    Raises:
        ValueError: the name is unknown, or this machine has no such device.
    """
    there = [f"cuda:{i}" for i in range(torch.cuda.device_count())]
    there += ["mps"] if torch.backends.mps.is_available() else []
    there += ["cpu"]
    if name is None:
        return torch.device(there[0])
    if name in there or any(other.startswith(f"{name}:") for other in there):
        return torch.device(name)
    raise ValueError(
        f"there is no device {name!r} on this machine: choose from {', '.join(there)}, "
        "or pass None to take the best of them"
    )

"""Is the notebook being graded, how many steps should an experiment take, and where does it run."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def graded() -> bool:
    """True while nbgrader runs the notebook, to grade or to validate it."""
    return bool(os.environ.get("NBGRADER_EXECUTION"))


def steps(full: int, graded_steps: int = 3) -> int:
    """The number of steps (epochs, batches, points of a curve) that an experiment should take.

    ``full`` when a student runs the lesson. At most ``graded_steps`` while it is graded, since no
    points depend on an experiment, or if ``GQLIB_QUICK`` is set, to see whether a lesson runs.
    """
    return min(full, graded_steps) if graded() or os.environ.get("GQLIB_QUICK") else full


def gpu() -> torch.device | None:
    """The GPU for a lesson's GPU cell; ``None`` if there is none, or while the lesson is graded.

    ``GQLIB_GPU`` names another device instead: with ``cpu``, and ``GQLIB_QUICK`` set, such a cell
    can be tried anywhere.
    """
    from gqlib._utils.devices import device as device_of

    if graded():
        return None
    device = device_of(os.environ.get("GQLIB_GPU") or None)
    return device if device.type != "cpu" or os.environ.get("GQLIB_GPU") else None

"""The few helpers that a lesson needs outside its test cells.

Is the notebook being graded, how many steps should an experiment take, and which function does a
figure use while the student's own isn't there yet.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


def graded() -> bool:
    """True while nbgrader runs the notebook, to grade or to validate it."""
    return bool(os.environ.get("NBGRADER_EXECUTION"))


def steps(full: int, graded_steps: int = 3) -> int:
    """The number of steps (epochs, batches, points of a curve) that an experiment should take.

    ``full`` when a student runs the lesson; at most ``graded_steps`` while it is graded, since no
    points depend on an experiment, or where ``GQLIB_QUICK`` is set, to see whether a lesson runs.
    """
    return min(full, graded_steps) if graded() or os.environ.get("GQLIB_QUICK") else full


def gpu() -> torch.device | None:
    """The GPU that a lesson's GPU cell runs on; ``None`` where there is none, and while graded.

    ``GQLIB_GPU`` names another device in its place: with ``cpu``, and ``GQLIB_QUICK`` set, such a
    cell can be tried anywhere.
    """
    from gqlib import training

    if graded():
        return None
    device = training.device(os.environ.get("GQLIB_GPU") or None)
    return device if device.type != "cpu" or os.environ.get("GQLIB_GPU") else None


def yours(name: str) -> Callable[..., Any]:
    """The student's function ``name``, or the course's own where that one is missing or fails.

    Figures and experiments use it, so that an unsolved exercise costs nothing further down. A
    printed note says when the course's own function stepped in.

    Raises:
        KeyError: ``name`` is no exercise of the course.
    """
    from gqlib import references

    reference = getattr(references, name, None)
    if reference is None or name not in references.__all__:
        raise KeyError(f"{name!r} is no exercise of the course: {', '.join(references.__all__)}")
    student = sys._getframe(1).f_globals.get(name)
    if graded():
        return reference  # type: ignore[no-any-return]
    noted = False

    @functools.wraps(reference)
    def either(*args: Any, **kwargs: Any) -> Any:
        nonlocal noted
        try:
            if student is not None:
                return student(*args, **kwargs)
            reason = f"the cell of {name} has not been run"
        except NotImplementedError:
            reason = f"{name} is not solved yet"
        except Exception as error:
            reason = f"your {name} stopped with {type(error).__name__}: {error}"
        if not noted:
            noted = True
            print(f"Note: {reason}, so this cell uses the course's own {name}.")
        return reference(*args, **kwargs)

    return either

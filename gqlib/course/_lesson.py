"""Which lesson a notebook is, and the course's and the student's answers to it."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any

from gqlib.course import answers
from gqlib.course._environment import graded

#: The lesson that the notebook of this process is.
_current: str | None = None


def lesson(name: str, *datasets: str) -> None:
    """Name the lesson of a notebook; called in its set-up cell.

    While it is graded, this also does what every submission would otherwise repeat: it reads the
    data sets and draws a first figure.

    Args:
        name: The name of its folder, such as ``"02_error_measures"``.
        datasets: Names of the data sets that the lesson uses, as in :func:`gqlib.data.load`.

    Raises:
        ValueError: The course has no such lesson.
    """
    global _current
    answers.exercises(name)
    _current = name
    if graded():
        from gqlib import data
        from gqlib.course import plots

        for dataset in datasets:
            data.load(dataset, "test"), data.load(dataset, "train")
        plots.warm_up()


def yours(name: str) -> Callable[..., Any]:
    """The student's function ``name``, or the course's own if that one is missing or fails.

    Figures and experiments use it, so that an unsolved exercise does not break the cells below. A
    note is printed if the course's own function is used.

    Raises:
        KeyError: The lesson has no exercise ``name``.
        RuntimeError: No lesson was named.
    """
    if _current is None:
        raise RuntimeError("no lesson was named: run the set-up cell at the top first")
    reference = answers.answer(_current, name)
    student = sys._getframe(1).f_globals.get(name)
    if graded():
        return reference
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

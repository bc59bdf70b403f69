"""The course's own answers, one module a lesson, under the exercises' names and signatures.

A figure or experiment of a lesson falls back to them (:func:`gqlib.course.yours`). Many call the
library with the signature of the exercise. A name is unique within a lesson, not in the course. A
student's answer cannot call them while it is tested (:func:`gqlib.course.checks.call`).
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

_PREFIX = "lesson_"


def answer(lesson: str, name: str) -> Callable[..., Any]:
    """The course's own answer to an exercise, or a helper of the lesson.

    Args:
        lesson: The name of its folder, such as ``"02_error_measures"``.
        name: The exercise's function.

    Raises:
        ValueError: The course has no such lesson.
        KeyError: The lesson has no such exercise.
    """
    module = _module(lesson)
    if name not in module.__all__:
        raise KeyError(
            f"{name!r} is not an exercise of {lesson}, expected one of {list(module.__all__)}"
        )
    function: Callable[..., Any] = getattr(module, name)
    return function


def exercises(lesson: str) -> list[str]:
    """The names of a lesson's exercises.

    Raises:
        ValueError: The course has no such lesson.
    """
    return list(_module(lesson).__all__)


def _module(lesson: str) -> ModuleType:
    known = sorted(
        p.stem.removeprefix(_PREFIX) for p in Path(__file__).parent.glob(f"{_PREFIX}*.py")
    )
    number = lesson[:2]
    if number not in known:
        raise ValueError(
            f"there is no lesson {lesson!r}, expected a name that begins with one of "
            f"{', '.join(known)}"
        )
    return importlib.import_module(f"{__name__}.{_PREFIX}{number}")

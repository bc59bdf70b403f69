"""Generative models and the quality of generated data: the library behind the course.

Rooms, in the order in which data flows: :mod:`gqlib.data`, :mod:`gqlib.models`,
:mod:`gqlib.training`, :mod:`gqlib.features`, :mod:`gqlib.metrics`, :mod:`gqlib.evaluation`.
Importing the package imports none of them; :func:`evaluate` is loaded when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gqlib.evaluation import evaluate

__all__ = ["__version__", "evaluate"]

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    if name != "evaluate":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from gqlib.evaluation import evaluate

    return evaluate

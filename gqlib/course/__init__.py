"""Everything that exists for lessons.

This module has the few helpers that a lesson needs outside its test cells: is the notebook being
graded, how many steps should an experiment take, and which function does a figure use until the
student has written one. :mod:`gqlib.course.checks` is for test cells, :mod:`gqlib.course.plots` for
figures, and :mod:`gqlib.course.answers` has the course's own answers.
"""

from gqlib.course._environment import gpu, graded, steps
from gqlib.course._lesson import lesson, yours
from gqlib.course.answers import answer

__all__ = ["answer", "gpu", "graded", "lesson", "steps", "yours"]

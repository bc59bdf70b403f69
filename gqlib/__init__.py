"""Generative models and the quality of generated data: the library behind the course.

Rooms, in the order in which data flows: :mod:`gqlib.data`, :mod:`gqlib.models`,
:mod:`gqlib.training`, :mod:`gqlib.features`, :mod:`gqlib.metrics`. Importing the package
imports none of them.
"""

__version__ = "0.1.0"

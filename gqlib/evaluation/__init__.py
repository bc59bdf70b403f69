"""From two sets of samples to an answer: :func:`evaluate`, verdicts on failures, reports.

* :func:`evaluate` is the front door, also ``gqlib.evaluate`` and the command ``gqlib evaluate``.
* :mod:`gqlib.evaluation.verdicts` finds the four failures (:class:`Failure`).
* :mod:`gqlib.evaluation.sources` opens folders, arrays and files.
* :mod:`gqlib.evaluation.report` puts an evaluation into words, JSON and pictures.
"""

from gqlib._utils.failure import Failure
from gqlib.evaluation._evaluate import evaluate
from gqlib.evaluation.report import Report
from gqlib.evaluation.verdicts import Evidence, Verdict

__all__ = ["Evidence", "Failure", "Report", "Verdict", "evaluate"]

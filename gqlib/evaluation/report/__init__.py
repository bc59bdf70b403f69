"""The quality report: what an evaluation says of the four failures, in words and pictures.

One :class:`Report` gives itself as text for a terminal, as JSON for programs, and as a page of one
file for readers; the page's content is also what a notebook shows. Each form says first what was
found, then the numbers with what a faithful model would get, then what to be careful about.

The words that all forms share stand in ``_words``, the forms in ``_terminal`` and ``_page``, the
page's markup and style in ``templates`` and ``report.css``, and its pictures in ``_images``,
``_map``, ``_charts`` and ``_spectra``.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from gqlib._utils import atomic
from gqlib.evaluation.report import _page, _terminal
from gqlib.evaluation.report._content import FORMAT_VERSION, Content, ReportFigures
from gqlib.evaluation.report._numbers import shown
from gqlib.evaluation.report._words import STATES
from gqlib.metrics import GaussianStatistics

__all__ = ["FORMAT_VERSION", "Report", "ReportFigures"]


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Report(Content):
    """An evaluation with its verdicts, as text, JSON and a page; see :class:`Content`."""

    def __repr__(self) -> str:
        states = ", ".join(f"{v.failure.label} {STATES[v.found].words}" for v in self.verdicts)
        return f"Report({shown(self.fake)} against {shown(self.real)}: {states})"

    def text(self, width: int = 80, colour: bool = False) -> str:
        """The report for a terminal of ``width`` columns, at least 24; in colours if asked."""
        return _terminal.text(self, width, colour)

    def html(self) -> str:
        """A page of one file: no script, and nothing that is fetched from elsewhere."""
        return _page.document(self)

    def _repr_html_(self) -> str:
        return _page.fragment(self)

    def save_json(self, path: str | os.PathLike[str]) -> None:
        """Write :meth:`json` to a file, whole or not at all.

        Raises:
            OSError: It cannot be written; the message says where and why.
        """
        _save(path, self.json(indent=2) + "\n")

    def save_html(self, path: str | os.PathLike[str]) -> None:
        """Write :meth:`html` to a file, whole or not at all.

        Raises:
            OSError: It cannot be written; the message says where and why.
        """
        _save(path, self.html())

    def save_statistics(self, path: str | os.PathLike[str]) -> None:
        """Keep the real side's statistics in a file that can be given as the real side later.

        Raises:
            ValueError: The report was made without the real side's features.
            OSError: The file cannot be written.
        """
        reference = self.reference
        if reference is None:
            raise ValueError("this report was made without features, so it has no statistics")
        if not isinstance(reference, GaussianStatistics):
            empty = GaussianStatistics(extractor=self.extractor, resize=self.resize)
            reference = empty.update(reference)
        reference.save(path)


def _save(path: str | os.PathLike[str], text: str) -> None:
    try:
        atomic.write_text(Path(path), text)
    except OSError as error:
        reason = error.strerror or str(error)
        raise type(error)(
            f"{shown(os.fspath(path))} could not be written: {reason}; choose another place, or "
            "make room there"
        ) from error

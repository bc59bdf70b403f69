"""What became of a class: as lines of text, and as a page of one file."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gqlib._utils.templates import environment

if TYPE_CHECKING:
    from gqlib.grading.grade import Submission

#: Columns of the bar of the largest group of scores.
_BAR = 40
_HAND = "written answers are graded by hand, in the formgrader"


def as_text(lesson: str, submissions: Sequence[Submission], seconds: float) -> str:
    """What became of a lesson's submissions, in lines of text."""
    parts = [f"{lesson}: {_overview(submissions, seconds)}"]
    graded = _graded(submissions)
    if graded:
        counts = _counts(graded)
        width = max(count for _, count in counts)
        lines = [_centre(graded)]
        lines += [f"  {name:>9}  {'█' * round(_BAR * n / width)} {n}" for name, n in counts]
        parts.append("\n".join(lines))
    for title, rows in _lists(submissions):
        if rows:
            parts.append("\n".join([title, *(f"  {student}: {text}" for student, text in rows)]))
    return "\n\n".join(parts)


def as_page(lesson: str, submissions: Sequence[Submission], seconds: float) -> str:
    """The same as a page, with a row for each student; no script, and nothing fetched."""
    graded = _graded(submissions)
    page = environment(Path(__file__).parent).get_template("summary.html")
    return page.render(
        lesson=lesson,
        overview=_overview(submissions, seconds),
        centre=_centre(graded) if graded else "",
        counts=_counts(graded) if graded else [],
        lists=_lists(submissions),
        submissions=submissions,
    )


def _overview(submissions: Sequence[Submission], seconds: float) -> str:
    graded, fresh = len(_graded(submissions)), sum(s.fresh for s in submissions)
    speed = f", {60 * fresh / seconds:.0f} a minute" if fresh and seconds > 0 else ""
    return (
        f"{len(submissions)} submissions, {graded} graded ({fresh} of them now), "
        f"{len(submissions) - graded} not; {seconds:.0f} s{speed}"
    )


def _graded(submissions: Sequence[Submission]) -> list[tuple[float, float]]:
    """Points, and how many there were to be had."""
    return [(s.score, s.max_score) for s in submissions if s.score is not None]


def _centre(graded: Sequence[tuple[float, float]]) -> str:
    scores = [score for score, _ in graded]
    return (
        f"Points of {max(top for _, top in graded):g} so far ({_HAND}): median "
        f"{statistics.median(scores):g}, mean {statistics.fmean(scores):.1f}"
    )


def _counts(graded: Sequence[tuple[float, float]]) -> list[tuple[str, int]]:
    """Numbers of scores in tenths of the points; the last one holds full points too."""
    step = max(1, *(top for _, top in graded)) / 10
    counts = [0] * 10
    for score, _ in graded:
        counts[min(9, max(0, int(score / step)))] += 1
    return [(f"{i * step:g}–{(i + 1) * step:g}", count) for i, count in enumerate(counts)]


def _lists(submissions: Sequence[Submission]) -> list[tuple[str, list[tuple[str, str]]]]:
    return [
        ("Not graded", [(s.student, s.problem) for s in submissions if s.problem]),
        ("Seen of tampering", [(s.student, ", ".join(s.flags)) for s in submissions if s.flags]),
    ]

"""What became of a class: as lines of text, and as a page of one file."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gqlib.grading.grade import Submission

#: Columns of the bar of the largest group of scores.
_BAR = 40
_HAND = "written answers are graded by hand, in the formgrader"

_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem;color:#222}
h1{margin-bottom:0}h2{margin:2rem 0 .5rem;font-size:1.15rem}p{margin:.3rem 0}
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.25rem .6rem;
border-bottom:1px solid #ddd;vertical-align:top}th{position:sticky;top:0;background:#fff}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}
.bars{display:grid;grid-template-columns:max-content 1fr;gap:.15rem .7rem;max-width:36rem}
.bars div{background:#3b6ea8;color:#222;white-space:nowrap;min-height:1.4em}
.bars div span{position:relative;left:100%;padding-left:.4rem}
.bars b{font-weight:400;text-align:right;font-variant-numeric:tabular-nums}
tr.problem td:first-child{border-left:4px solid #c0392b}
tr.seen td:first-child{border-left:4px solid #d68910}
"""


def as_text(lesson: str, found: Sequence[Submission], seconds: float) -> str:
    """What became of a lesson's submissions, in lines of text."""
    parts = [f"{lesson}: {_overview(found, seconds)}"]
    graded = _graded(found)
    if graded:
        counts = _counts(graded)
        width = max(count for _, count in counts)
        lines = [_centre(graded)]
        lines += [f"  {name:>9}  {'█' * round(_BAR * n / width)} {n}" for name, n in counts]
        parts.append("\n".join(lines))
    for title, rows in _lists(found):
        if rows:
            parts.append("\n".join([title, *(f"  {student}: {text}" for student, text in rows)]))
    return "\n\n".join(parts)


def as_page(lesson: str, found: Sequence[Submission], seconds: float) -> str:
    """The same as a page, with a row for each student; no script, and nothing fetched."""
    title = f"Grading of {lesson}"
    parts = [f"<h1>{escape(title)}</h1><p>{escape(_overview(found, seconds))}</p>"]
    graded = _graded(found)
    if graded:
        counts = _counts(graded)
        width = max(count for _, count in counts)
        bars = "".join(
            f'<b>{name}</b><div style="width:{85 * n / width:.1f}%"><span>{n}</span></div>'
            for name, n in counts
        )
        parts.append(f"<h2>Points</h2><p>{_centre(graded)}</p><div class=bars>{bars}</div>")
    for heading, rows in _lists(found):
        if rows:
            items = "".join(f"<li><b>{escape(s)}</b>: {escape(text)}</li>" for s, text in rows)
            parts.append(f"<h2>{heading}</h2><ul>{items}</ul>")
    head = "<th>Student<th class=n>Points<th class=n>Seconds<th>Not graded because<th>Seen"
    body = "".join(map(_row, found))
    parts.append(f"<h2>Everybody</h2><table><thead><tr>{head}</thead><tbody>{body}</tbody></table>")
    return (
        f'<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8"><title>{escape(title)}'
        f"</title><style>{_STYLE}</style></head>\n<body>{''.join(parts)}</body>\n</html>\n"
    )


def _row(submission: Submission) -> str:
    kind = "problem" if submission.problem else "seen" if submission.flags else ""
    points = "–" if submission.score is None else f"{submission.score:g}"
    return (
        f'<tr class="{kind}"><td>{escape(submission.student)}<td class=n>{points}'
        f"<td class=n>{submission.seconds:.1f}<td>{escape(submission.problem)}"
        f"<td>{escape(', '.join(submission.flags))}"
    )


def _overview(found: Sequence[Submission], seconds: float) -> str:
    graded, fresh = len(_graded(found)), sum(s.fresh for s in found)
    speed = f", {60 * fresh / seconds:.0f} a minute" if fresh and seconds > 0 else ""
    return (
        f"{len(found)} submissions, {graded} graded ({fresh} of them now), "
        f"{len(found) - graded} not; {seconds:.0f} s{speed}"
    )


def _graded(found: Sequence[Submission]) -> list[tuple[float, float]]:
    """Points, and how many there were to be had."""
    return [(s.score, s.max_score) for s in found if s.score is not None]


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


def _lists(found: Sequence[Submission]) -> list[tuple[str, list[tuple[str, str]]]]:
    return [
        ("Not graded", [(s.student, s.problem) for s in found if s.problem]),
        ("Seen of tampering", [(s.student, ", ".join(s.flags)) for s in found if s.flags]),
    ]

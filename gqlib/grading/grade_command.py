"""``gqlib grade LESSON``: its options, its progress, and what it says at the end."""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
import warnings
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gqlib.grading.grade import Submission

#: Columns of the bar of the largest group of scores.
_BAR = 40


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of ``gqlib grade``."""
    parser.add_argument("lesson", help="name of the lesson, as of its folder: 02_error_measures")
    parser.add_argument(
        "--student",
        action="append",
        default=[],
        metavar="NAME",
        help="grade this student only (may be given several times)",
    )
    parser.add_argument(
        "--course", type=Path, default=Path(), help="the course's folder (default: this one)"
    )
    parser.add_argument(
        "--jobs", type=int, default=None, help="submissions at a time (default: one a core)"
    )
    parser.add_argument("--force", action="store_true", help="grade again what was graded before")
    parser.add_argument(
        "--no-sandbox",
        action="store_true",
        help="run students' code with all your rights and one at a time, as nbgrader does, where "
        "there is no bubblewrap",
    )
    parser.add_argument("--html", type=Path, metavar="FILE", help="write the summary as a page too")


def run_grade(options: argparse.Namespace) -> int:
    """Grade, and print the summary; the exit status: 0, 1 with problems, 2 for bad input."""
    try:
        from gqlib.grading.grade import grade
    except ModuleNotFoundError as error:
        print(
            f'gqlib grade: {error.name} is missing: run `pip install "gqlib[course]"` first',
            file=sys.stderr,
        )
        return 2
    if options.jobs is not None and options.jobs < 1:
        print(f"gqlib grade: --jobs {options.jobs}, expected at least 1", file=sys.stderr)
        return 2
    start = time.monotonic()
    # nbgrader looks for the program `alembic` on the path, also where no environment is active.
    here = str(Path(sys.executable).parent)
    os.environ["PATH"] = os.pathsep.join([here, os.environ.get("PATH", "")])
    # SQLAlchemy's, of what nbgrader does; no instructor can do anything about it.
    warnings.filterwarnings("ignore", message="Object of type .* not in session")
    try:
        with _Progress() as progress:
            found = grade(
                options.course,
                options.lesson,
                options.student,
                options.jobs,
                not options.no_sandbox,
                options.force,
                progress,
                sys.stderr,
            )
    except (OSError, ValueError, RuntimeError) as error:
        print(f"gqlib grade: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nInterrupted. The same command goes on from here.", file=sys.stderr)
        return 130
    seconds = time.monotonic() - start
    print(summary(options.lesson, found, seconds))
    if options.html is not None:
        part = options.html.with_name(f"{options.html.name}.part")
        part.write_text(page(options.lesson, found, seconds), encoding="utf-8")
        part.replace(options.html)
    return 1 if any(s.problem for s in found) else 0


class _Progress:
    """A bar for each stage."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._stage = ""

    def __enter__(self) -> _Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def __call__(self, stage: str, done: int, of: int) -> None:
        """Note that ``done`` of a stage's submissions are done; one more if it is negative."""
        from tqdm import tqdm

        if stage != self._stage:
            if self._bar is not None:
                self._bar.close()
            self._stage = stage
            rate = "{rate_noinv_fmt}" if stage == "executing" else "{rate_fmt}"
            form = f"{{l_bar}}{{bar}}| {{n_fmt}}/{{total_fmt}} [{{elapsed}}<{{remaining}}, {rate}]"
            self._bar = tqdm(total=of, desc=f"{stage:9}", unit="", bar_format=form)
        self._bar.update(1 if done < 0 else done - self._bar.n)


def summary(lesson: str, found: Sequence[Submission], seconds: float) -> str:
    """What became of a lesson's submissions, in lines of text."""
    graded = [s for s in found if s.score is not None]
    fresh = sum(s.fresh for s in found)
    parts = [
        f"{lesson}: {len(found)} submissions, {len(graded)} graded ({fresh} of them now), "
        f"{len(found) - len(graded)} not; {seconds:.0f} s"
        + (f", {60 * fresh / seconds:.0f} a minute" if fresh and seconds > 0 else "")
    ]
    if graded:
        parts.append(_distribution(graded))
    for title, lines in (
        ("Not graded", [f"{s.student}: {s.problem}" for s in found if s.problem]),
        ("Seen of tampering", [f"{s.student}: {', '.join(s.flags)}" for s in found if s.flags]),
    ):
        if lines:
            parts.append("\n".join([title, *(f"  {line}" for line in lines)]))
    return "\n\n".join(parts)


def _distribution(graded: Sequence[Submission]) -> str:
    scores = [s.score for s in graded if s.score is not None]
    top = max(s.max_score for s in graded)
    counts = _counts(scores, top)
    width = max(count for _, count in counts)
    lines = [
        f"Points of {top:g} so far (written answers are graded by hand): median "
        f"{statistics.median(scores):g}, mean {statistics.fmean(scores):.1f}"
    ]
    lines += [
        f"  {label:>7}  {'█' * round(_BAR * count / width)} {count}" for label, count in counts
    ]
    return "\n".join(lines)


def _counts(scores: Sequence[float], top: float) -> list[tuple[str, int]]:
    """Numbers of scores in tenths of the points; the last one holds full points too."""
    step = max(top, 1) / 10
    counts = [0] * 10
    for score in scores:
        counts[min(9, max(0, int(score / step)))] += 1
    return [(f"{i * step:g}–{(i + 1) * step:g}", count) for i, count in enumerate(counts)]


def page(lesson: str, found: Sequence[Submission], seconds: float) -> str:
    """The same as a page of one file, with a row for each student."""
    rows = "".join(
        f"<tr><td>{escape(s.student)}</td>"
        f"<td>{'–' if s.score is None else f'{s.score:g}'}</td><td>{s.seconds:.1f}</td>"
        f"<td>{escape(s.problem)}</td><td>{escape(', '.join(s.flags))}</td></tr>"
        for s in found
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f"<title>Grading of {escape(lesson)}</title>\n"
        "<style>body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;"
        "padding:0 1rem}table{border-collapse:collapse;width:100%}td,th{text-align:left;"
        "padding:.2rem .6rem;border-bottom:1px solid #bbb}pre{overflow-x:auto}</style>\n"
        f"</head>\n<body>\n<h1>Grading of {escape(lesson)}</h1>\n"
        f"<pre>{escape(summary(lesson, found, seconds))}</pre>\n"
        "<table><thead><tr><th>Student</th><th>Points</th><th>Seconds</th><th>Problem</th>"
        f"<th>Seen of tampering</th></tr></thead><tbody>{rows}</tbody></table>\n</body>\n</html>\n"
    )

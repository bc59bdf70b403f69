"""``gqlib grade LESSON``: its options, its progress, and what it says at the end."""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gqlib._utils import atomic
from gqlib._utils.installing import remedy
from gqlib._utils.search_paths import put_programs_first

if TYPE_CHECKING:
    from gqlib.grading.grade import Submission


_DESCRIPTION = """\
Execute what a class has handed in for one lesson (submitted/<student>/<lesson>/), each submission
in a sandbox, and record the points in nbgrader's gradebook. What was graded before is kept, so an
interrupted command goes on where it stopped. Exit status: 0; 1 if a submission could not be graded;
2 for bad input; 130 if interrupted."""

_EPILOG = """\
examples:
  gqlib grade 02_error_measures
  gqlib grade 02_error_measures --student ada --force
  gqlib grade 02_error_measures --feedback --html summary.html"""


def add_parser(commands: Any) -> None:
    """Add the command to the parser's commands."""
    parser = commands.add_parser(
        "grade",
        help="grade what a class has handed in",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
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
    parser.add_argument(
        "--scheduler",
        default="",
        metavar="ADDRESS",
        help="execute on a Dask cluster: the address of its scheduler, as in tcp://10.0.0.1:8786",
    )
    parser.add_argument("--force", action="store_true", help="grade again what was graded before")
    parser.add_argument(
        "--no-sandbox",
        action="store_true",
        help="run students' code with all your rights and one at a time, as nbgrader does, where "
        "there is no bubblewrap",
    )
    parser.add_argument(
        "--feedback", action="store_true", help="then write the students' feedback pages, too"
    )
    parser.add_argument("--html", type=Path, metavar="FILE", help="write the summary as a page too")


def run(options: argparse.Namespace) -> int:
    """Grade, and print the summary; returns 0, 1 if there were problems, 2 for bad input."""
    try:
        from gqlib.grading import summary
        from gqlib.grading.grade import grade
    except ModuleNotFoundError as error:
        print(
            f"gqlib grade: {error.name} is missing: run {remedy('course')}",
            file=sys.stderr,
        )
        return 2
    if options.jobs is not None and options.jobs < 1:
        print(f"gqlib grade: --jobs {options.jobs}, expected at least 1", file=sys.stderr)
        return 2
    if options.scheduler and options.no_sandbox:
        print(
            "gqlib grade: --scheduler and --no-sandbox exclude each other: on a cluster students' "
            "code runs in the sandbox only",
            file=sys.stderr,
        )
        return 2
    start = time.monotonic()
    put_programs_first()
    # A warning of SQLAlchemy about nbgrader, which no instructor can do anything about.
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
                options.scheduler,
            )
    except (OSError, ValueError, RuntimeError) as error:
        print(f"gqlib grade: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nInterrupted. The same command goes on from here.", file=sys.stderr)
        return 130
    seconds = time.monotonic() - start
    print(summary.as_text(options.lesson, found, seconds))
    if options.html is not None:
        try:
            atomic.write_text(options.html, summary.as_page(options.lesson, found, seconds))
        except OSError as error:
            print(f"gqlib grade: {options.html} could not be written: {error}", file=sys.stderr)
            return 2
    failed = any(s.problem for s in found)
    if options.feedback:
        try:
            failed |= not _write_feedback(
                options, [s.student for s in found if s.score is not None]
            )
        except KeyboardInterrupt:
            print("\nInterrupted. The same command writes all pages.", file=sys.stderr)
            return 130
    return 1 if failed else 0


def _write_feedback(options: argparse.Namespace, students: list[str]) -> bool:
    """Write feedback pages; returns whether all could be written."""
    from tqdm import tqdm

    from gqlib.grading import feedback

    with tqdm(total=len(students), desc="feedback") as bar:
        problems = feedback.write_pages(
            options.course, options.lesson, students, options.jobs, lambda done, of: bar.update()
        )
    for student, problem in sorted(problems.items()):
        print(f"{student}: no feedback: {problem}", file=sys.stderr)
    pages = len(students) - len(problems)
    print(
        f"{pages} of {len(students)} feedback pages written: feedback/<student>/{options.lesson}/"
    )
    return not problems


class _Progress:
    """A bar with students a minute and the time left, and a line for each problem."""

    def __enter__(self) -> _Progress:
        self._bar: Any = None
        self._start, self._fresh = time.monotonic(), 0
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def __call__(self, done: int, of: int, submission: Submission | None) -> None:
        from tqdm import tqdm

        if self._bar is None:
            form = "{l_bar}{bar}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}{postfix}]"
            self._bar = tqdm(total=of, desc="grading", bar_format=form)
        if submission is None:
            return
        self._fresh += submission.fresh
        minutes = (time.monotonic() - self._start) / 60
        self._bar.set_postfix_str(f"{self._fresh / minutes:.0f} students/min", refresh=False)
        self._bar.update(done - self._bar.n)
        for text in filter(None, [submission.problem, ", ".join(submission.flags)]):
            self._bar.write(f"{submission.student}: {text}", file=sys.stderr)

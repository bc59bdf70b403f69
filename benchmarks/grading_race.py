"""A class graded by ``gqlib grade``, compared with plain ``nbgrader autograde``.

    python benchmarks/grading_race.py [--submissions 200] [--plain 200] [--output race.json]

Both commands grade the same submissions of lesson 02, one after the other. For each exercise a
student has the right answer, none, or a wrong one, and no two submissions are equal. ``--plain``
says how many of them nbgrader grades, since it is slow. Both clocks include the start of the
command. The points of both must be equal.

The cost of the sandbox is the time of a submission whose cell and test do nothing; the solution's
time is shown too.

The exit status says whether ours was at least six times as fast, the points equal, and the sandbox
cheap.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import nbformat

from gqlib._utils.search_paths import put_programs_first
from gqlib.grading import classroom, submissions
from gqlib.grading.execution import work_of
from gqlib.grading.sandbox.pool import Cell, Pool

ROOT = Path(__file__).resolve().parents[1]
LESSON = "02_error_measures"
BAR = 6.0
#: The sandbox may cost so many seconds a submission.
OVERHEAD = 0.3


def hand_in(course: Path, number: int) -> None:
    """So many submissions, no two the same."""
    lesson = nbformat.read(course / "lessons" / LESSON / f"{LESSON}.ipynb", as_version=4)
    solution = nbformat.read(course / "solutions" / LESSON / f"{LESSON}.ipynb", as_version=4)
    right = submissions.answers_of(solution)
    rng = random.Random(0)
    for i in range(number):
        answers = {}
        for name, source in right.items():
            kind = rng.choices(("right", "blank", "wrong"), (6, 1, 2))[0]
            if kind != "blank":
                wrong = f"def {name}(*arguments, **others):\n    return 0.5"
                answers[name] = f"{source if kind == 'right' else wrong}\n# student {i}"
        nb = submissions.filled(lesson, answers)
        classroom.hand_in(course, LESSON, f"student {i:04d}", nb)


def seconds_of(course: Path, command: list[str], **environment: str) -> float:
    """The time that a command takes; it must succeed."""
    environment = {**os.environ, **environment}
    put_programs_first(environment)
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", *command],
        cwd=course,
        env=environment,
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return time.perf_counter() - start


def sandbox_costs(course: Path, repetitions: int = 10) -> dict[str, float]:
    """Medians of seconds: a submission that does nothing, and the solution."""
    solution = nbformat.read(course / "solutions" / LESSON / f"{LESSON}.ipynb", as_version=4)
    work = work_of(solution)
    empty, whole = [], []
    with Pool(work.set_up) as pool:
        for _ in range(repetitions):
            start = time.perf_counter()
            pool.submit([Cell(""), Cell("pass", "test", apart=True)]).result()
            empty.append(time.perf_counter() - start)
            start = time.perf_counter()
            pool.submit(work.cells).result()
            whole.append(time.perf_counter() - start)
    return {"empty": statistics.median(empty), "solution": statistics.median(whole)}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--submissions", type=int, default=200)
    parser.add_argument("--plain", type=int, help="how many nbgrader grades (default: all)")
    parser.add_argument("--output", type=Path, help="a JSON file for the figures")
    options = parser.parse_args(arguments)
    plain = options.plain or options.submissions
    with tempfile.TemporaryDirectory() as scratch:
        ours, theirs = Path(scratch) / "ours", Path(scratch) / "theirs"
        ours.mkdir()
        classroom.open_course(ROOT, ours, LESSON)
        costs = sandbox_costs(ours)
        hand_in(ours, options.submissions)
        shutil.copytree(ours, theirs)
        for folder in sorted((theirs / "submitted").iterdir())[plain:]:
            shutil.rmtree(folder)
        fast = seconds_of(ours, ["gqlib", "grade", LESSON])
        slow = seconds_of(theirs, ["nbgrader", "autograde", LESSON], GQLIB_NO_SANDBOX="1")
        wanted, found = classroom.points(theirs, LESSON), classroom.points(ours, LESSON)
    equal = all(found[student] == points for student, points in wanted.items())
    each = fast / options.submissions, slow / plain
    figures: dict[str, Any] = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "python": platform.python_version(),
        "submissions": {"gqlib grade": options.submissions, "nbgrader autograde": plain},
        "seconds": {"gqlib grade": fast, "nbgrader autograde": slow},
        "seconds each": {"gqlib grade": each[0], "nbgrader autograde": each[1]},
        "times as fast": each[1] / each[0],
        "points equal": equal,
        "sandbox": costs,
    }
    print(json.dumps(figures, indent=2))
    if options.output:
        options.output.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    fine = equal and each[1] >= BAR * each[0] and costs["empty"] <= OVERHEAD
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())

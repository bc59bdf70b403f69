"""A small class of synthetic students, graded from end to end by the real nbgrader.

    python -m gqlib.grading.demo [--keep FOLDER]

Each student shows one thing that happens in every class. The table compares the points that each
should earn with those in nbgrader's gradebook.
"""

from __future__ import annotations

import argparse
import csv
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from gqlib.grading import classroom, submissions

LESSON = "02_error_measures"
#: Seconds a cell may take in the demo; nbgrader_config.py gives a real class more.
TIMEOUT = 8

_Change = Callable[[NotebookNode], None]


@dataclass(frozen=True)
class Student:
    """One student: what is handed in, and the automatic points it should earn."""

    name: str
    story: str
    expected: float
    answers: dict[str, str]
    change: _Change = lambda nb: None
    file_name: str = f"{LESSON}.ipynb"


_BITS = """def kl_divergence(p, q):
    return torch.where(p > 0, p * (p.log2() - q.log2()), 0.0).sum(-1)"""
_HIDDEN_ONLY = """def psnr(x, y, data_range=1.0):
    errors = ((x.double() - y.double()) ** 2).reshape(len(x), -1).mean(1)
    return (10 * torch.log10(data_range**2 / errors)).round(decimals=2)"""
_SYNTAX = "def js_divergence(p, q)\n    return 0"
_ENDLESS = "def gaussian_kl(mu0, var0, mu1, var1):\n    while True:\n        pass"
_LIBRARY = """def mse(x, y):
    import importlib
    return importlib.import_module("gqlib.metrics").mse(x, y, reduction="none")"""
_WRONG = "def mse(x, y):\n    return x"


def _delete(*names: str) -> _Change:
    def change(nb: NotebookNode) -> None:
        nb.cells = [
            c for c in nb.cells if c.metadata.get("nbgrader", {}).get("grade_id") not in names
        ]

    return change


def _soften(nb: NotebookNode) -> None:
    for cell in nb.cells:
        if cell.metadata.get("nbgrader", {}).get("grade_id", "").startswith("test_mse"):
            cell.source = "assert True"


def students(solution: dict[str, str]) -> list[Student]:
    """The class, given the right answers."""
    right = {name: text for name, text in solution.items() if name != "written"}

    def but(**wrong: str) -> dict[str, str]:
        return {**right, **wrong}

    some = {name: right[name] for name in ("mse", "psnr", "kl_monte_carlo")}
    return [
        Student("perfect", "every answer right, the written one too", 18, solution),
        Student("blank", "the lesson as it was released", 0, {}),
        Student("partial", "three of the six exercises", 9, some),
        Student(
            "wrong", "KL in bits: loses its values, zeros and batches", 15, but(kl_divergence=_BITS)
        ),
        Student(
            "rounding", "PSNR rounded: only the hidden checks notice", 16, but(psnr=_HIDDEN_ONLY)
        ),
        Student("syntax", "a syntax error in one exercise", 15, but(js_divergence=_SYNTAX)),
        Student("endless", "one answer never returns", 15, but(gaussian_kl=_ENDLESS)),
        Student("library", "calls the library's own mse", 15, but(mse=_LIBRARY)),
        Student(
            "deleted",
            "test and set-up cells deleted: they are put back",
            18,
            right,
            _delete("set-up", "test_mse_values", "test_mse_bytes", "test_kl_monte_carlo_plain"),
        ),
        Student("edited", "wrong answer, test cells softened", 15, but(mse=_WRONG), _soften),
        Student(
            "renamed", "right answers in a renamed file", 18, right, file_name=f"{LESSON} (1).ipynb"
        ),
    ]


@dataclass(frozen=True)
class Outcome:
    """A student, the points in the gradebook and the path of the feedback page."""

    student: Student
    earned: float
    exported: float
    feedback: Path


def run(root: Path, folder: Path) -> list[Outcome]:
    """Release the lesson, hand in, autograde, write feedback and export, all inside ``folder``."""
    lesson = classroom.open_course(root, folder, LESSON)
    solution = nbformat.read(folder / "solutions" / LESSON / f"{LESSON}.ipynb", as_version=4)
    class_ = students(submissions.answers_of(solution))
    for student in class_:
        nb = submissions.filled(lesson, student.answers)
        student.change(nb)
        classroom.hand_in(folder, LESSON, student.name, nb, student.file_name)
    points = classroom.autograde(folder, LESSON, f"--Execute.timeout={TIMEOUT}")
    pages = classroom.feedback(folder, LESSON)
    classroom.nbgrader(folder, "export", "--to=grades.csv", log=folder / "nbgrader.log")
    with (folder / "grades.csv").open(encoding="utf-8") as file:
        exported = {row["student_id"]: float(row["raw_score"]) for row in csv.DictReader(file)}
    return [
        Outcome(s, sum(points[s.name].values()), exported[s.name], pages[s.name]) for s in class_
    ]


def table(outcomes: list[Outcome]) -> str:
    """The outcomes as text, one line a student."""
    lines = [f"{'student':10s} {'expected':>8s} {'earned':>7s}  what was handed in"]
    for outcome in outcomes:
        s = outcome.student
        mark = " " if s.expected == outcome.earned == outcome.exported else "!"
        lines.append(f"{s.name:10s} {s.expected:8g} {outcome.earned:7g}{mark} {s.story}")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--keep", type=Path, help="an empty folder to work in and to keep")
    keep = parser.parse_args(arguments).keep
    print("Grading eleven synthetic students with nbgrader: about two minutes.", flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        folder = keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        outcomes = run(Path.cwd(), folder)
        print(table(outcomes))
    right = all(o.student.expected == o.earned == o.exported for o in outcomes)
    print("All as expected." if right else "Lines marked ! differ from what was expected.")
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())

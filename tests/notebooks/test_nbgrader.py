"""The real nbgrader agrees: on the solution, on the blank release, and on wrong and right answers.

Exercises are independent, so one synthetic student can hold one mutant (or variant) of every
exercise at once; a lesson's whole set then takes as many students as its longest list.
"""

from __future__ import annotations

import copy
import shutil
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode

from gqlib.grading import classroom, submissions
from gqlib.grading.grade import grade
from tests.notebooks.answer import ROOT, Answer, Answers, Lesson, load
from tests.notebooks.test_soundness import LESSONS

pytestmark = [pytest.mark.nbgrader, pytest.mark.slow]


@dataclass
class Holder:
    """A student with one answer for each of some exercises, and the cells those must lose."""

    name: str
    answers: dict[str, str]
    loses: set[str] = field(default_factory=set)
    keeps: set[str] = field(default_factory=set)


def holders(lesson: Lesson, kind: str, answers: Answers) -> list[Holder]:
    """Students who together hold every answer of a kind once."""
    lists = [answers.of(kind, exercise) for exercise in lesson.exercises]
    made = []
    for number, row in enumerate(zip_longest(*lists)):
        held: list[Answer] = [answer for answer in row if answer is not None]
        holder = Holder(f"{kind} {number}", {a.exercise: a.source for a in held})
        for answer in held:
            (holder.loses if kind == "mutants" else holder.keeps).update(
                answer.breaks if kind == "mutants" else lesson.tests(answer.exercise)
            )
        made.append(holder)
    return made


def saved_by_colab(nb: NotebookNode) -> NotebookNode:
    """The notebook as Colab writes it: its own metadata, and an older format without cell ids."""
    nb = copy.deepcopy(nb)
    nb.nbformat_minor = 0
    nb.metadata = NotebookNode(
        accelerator="GPU",
        colab={"provenance": [], "gpuType": "T4", "toc_visible": True},
        kernelspec={"name": "python3", "display_name": "Python 3"},
        language_info={"name": "python"},
    )
    for number, cell in enumerate(nb.cells):
        del cell["id"]
        cell.metadata["id"] = f"aB{number:010d}"
        if cell.cell_type == "code":
            cell.metadata["colab"] = {"base_uri": "https://localhost:8080/", "height": 35}
            cell.metadata["outputId"] = "0f3e7c1a-1111-4222-8333-444455556666"
            cell.execution_count = None if number % 2 else number
    return nb


def check(name: str, folder: Path, whole: bool) -> None:
    lesson, answers = Lesson(name), load(name)
    every = set(lesson.points)
    released = classroom.open_course(ROOT, folder, name)
    solution = submissions.answers_of(nbformat.read(lesson.path, as_version=4))
    students = [Holder("solution", solution, keeps=every), Holder("blank", {}, loses=every)]
    kinds = {kind: holders(lesson, kind, answers) for kind in ("mutants", "variants")}
    students += [*kinds["mutants"], *kinds["variants"]] if whole else kinds["mutants"][:1]
    for student in students:
        mine = student.answers if student.name == "blank" else {**solution, **student.answers}
        nb = submissions.filled(released, mine)
        classroom.hand_in(folder, name, student.name, nb)
    nb = saved_by_colab(submissions.filled(released, solution))
    classroom.hand_in(folder, name, "on Colab", nb)
    students.append(Holder("on Colab", solution, keeps=every))
    if whole or shutil.which("bwrap") is None:
        points = classroom.autograde(folder, name)
    else:  # executes what is the same once, and has nbgrader record it
        found = {submission.student: submission for submission in grade(folder, name)}
        assert found["solution"].seconds < 45, "experiments take a handful of steps while graded"
        points = classroom.points(folder, name)
    graded = nbformat.read(folder / "autograded" / "solution" / name / f"{name}.ipynb", 4)
    assert not [o for cell in graded.cells for o in cell.get("outputs", []) if "ename" in o]
    for student in students:
        earned = points[student.name]
        wrong = {cell: earned[cell] for cell in student.loses if earned[cell] != 0}
        wrong |= {c: earned[c] for c in student.keeps if earned[c] != lesson.points[c]}
        assert not wrong, (student.name, wrong)
    assert sum(points["solution"][cell] for cell in every) == 18
    assert sum(points["blank"].values()) == 0


@pytest.mark.parametrize("name", LESSONS)
def test_solution_blank_and_a_mutant_of_each_exercise(name: str, tmp_path: Path) -> None:
    check(name, tmp_path, whole=False)


@pytest.mark.whole
@pytest.mark.parametrize("name", LESSONS)
def test_every_mutant_and_variant(name: str, tmp_path: Path) -> None:
    check(name, tmp_path, whole=True)

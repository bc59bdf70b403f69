"""Honest work never suffers: all points, and no flag."""

from __future__ import annotations

import shutil
from pathlib import Path

import nbformat
import pytest

from gqlib.grading import classroom, submissions
from gqlib.grading.grade import grade
from tests.grading.conftest import TINY
from tests.grading.honest import ANSWERS, CELLS, variants

pytestmark = [
    pytest.mark.nbgrader,
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("bwrap") is None, reason="there is no bubblewrap"),
]


@pytest.mark.parametrize(
    "number", [max(len(ANSWERS), len(CELLS)), pytest.param(200, marks=pytest.mark.whole)]
)
def test_honest_work_earns_all_and_is_not_flagged(
    attacked_course: Path, tmp_path: Path, number: int
) -> None:
    course = tmp_path / "course"
    shutil.copytree(attacked_course, course)
    lesson = nbformat.read(course / "lessons" / TINY / f"{TINY}.ipynb", as_version=4)
    students = list(variants(number))
    for student in students:
        nb = submissions.filled(lesson, {"double": student.answer})
        if student.cell:
            nb.cells.insert(2, nbformat.v4.new_code_cell(student.cell))
        student.change(nb)
        classroom.hand_in(course, TINY, student.name, nb)
        student.folder(course / "submitted" / student.name / TINY)
    found = grade(course, TINY)
    suffered = {
        s.student: (s.problem, s.flags, s.score)
        for s in found
        if s.problem or s.flags or s.score != 5
    }
    assert not suffered
    assert len(found) == number

"""Which tests run with the answers: those of the table in docs/grading.md, and no others."""

from __future__ import annotations

import re
import shutil

import nbformat
import pytest

from gqlib.grading.execution import execute, work_of
from gqlib.grading.sandbox.limits import Limits
from tests.grading.conftest import ROOT
from tests.notebooks.test_soundness import LESSONS

PAGE = (ROOT / "docs" / "grading.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| (\d\d) \| `(\w+)`: ([\w, ]+) \| [^|]+ \|$", re.MULTILINE)


def written(lesson: str) -> set[str]:
    """The tests of a lesson that the table names."""
    return {
        f"test_{exercise}_{test}"
        for number, exercise, tests in ROW.findall(PAGE)
        if lesson.startswith(number)
        for test in tests.split(", ")
    }


def graded(lesson: str) -> nbformat.NotebookNode:
    """A solution without what is neither an answer, a test nor a set-up cell."""
    path = ROOT / "solutions" / lesson / f"{lesson}.ipynb"
    nb: nbformat.NotebookNode = nbformat.read(path, as_version=4)
    nb.cells = [c for c in nb.cells if c.cell_type == "code" and "nbgrader" in c.metadata]
    return nb


def test_the_page_counts_its_table() -> None:
    cells = [cell for lesson in LESSONS for cell in graded(lesson).cells]
    every = {cell.metadata.nbgrader.grade_id for cell in cells if cell.metadata.nbgrader.grade}
    beside = [name for lesson in LESSONS for name in written(lesson)]
    assert set(beside) < every
    assert f"Of the {len(every)} tests of lessons 00 to 11, {len(every) - len(beside)} run" in PAGE
    assert f"These {len(beside)} tests run with the answers" in PAGE


@pytest.mark.whole
@pytest.mark.parametrize("lesson", LESSONS)
def test_the_solution_tells_what_the_page_says(lesson: str) -> None:
    if shutil.which("bwrap") is None:
        pytest.skip("there is no bubblewrap")
    nb = graded(lesson)
    work = work_of(nb, ROOT / "solutions" / lesson)
    apart = set(execute(work, Limits(), tries=True).apart)
    tests = {i for i, cell in enumerate(work.cells) if cell.kind == "test"}
    assert {nb.cells[i].metadata.nbgrader.grade_id for i in tests - apart} == written(lesson)

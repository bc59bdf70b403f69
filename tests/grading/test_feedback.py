"""Nothing of a hidden test reaches a student: not in the release, not in the feedback page."""

from __future__ import annotations

import html
from pathlib import Path

import nbformat
import pytest

from gqlib.grading import classroom, hidden, submissions
from tests.grading.conftest import PLANTED, TINY, tiny_solution

pytestmark = pytest.mark.nbgrader

STUDENTS = {
    "right": "def double(x):\n    return 2 * x",
    "blank": "def double(x):\n    raise NotImplementedError",
    "visible": "def double(x):\n    return x",
    "hidden": "def double(x):\n    return 2.0 * x if x == 2 else 0",
    "hidden error": "def double(x):\n    return int(x) * 2",
    "peeks": "def double(x):\n    print(In[-1])\n    return 2 * x",
    "raises": "def double(x):\n    raise ValueError(In[-1])",
    "frames": "def double(x):\n    import sys\n    g = sys._getframe(1).f_globals\n"
    "    raise ValueError([n for n in g if n.startswith('plan')] + [In[-1]])",
    "slow": "def double(x):\n    while x == 5:\n        pass\n    return 2 * x",
}


@pytest.fixture(scope="module")
def pages(tiny_course: Path) -> dict[str, str]:
    lesson = nbformat.read(tiny_course / "lessons" / TINY / f"{TINY}.ipynb", as_version=4)
    for name, answer in STUDENTS.items():
        nb = submissions.filled(lesson, {"double": answer})
        nb.cells.append(nbformat.v4.new_code_cell("print(In)"))
        classroom.hand_in(tiny_course, TINY, name, nb)
    classroom.autograde(tiny_course, TINY, "--Execute.timeout=3")
    return {
        name: page.read_text(encoding="utf-8")
        for name, page in classroom.feedback(tiny_course, TINY).items()
    }


def test_planted_string_is_in_no_feedback_page(pages: dict[str, str], tiny_course: Path) -> None:
    assert set(pages) == set(STUDENTS)
    for name, page in pages.items():
        assert PLANTED not in html.unescape(page), name
        assert "BEGIN HIDDEN" not in page, name
        assert "double" in page, f"the answer of {name} itself is shown"
    # The instructor's own copy still has it: the test above can fail.
    graded = tiny_course / "autograded" / "hidden" / TINY / f"{TINY}.ipynb"
    assert PLANTED in graded.read_text(encoding="utf-8")


def test_feedback_still_explains(pages: dict[str, str]) -> None:
    visible, generic = html.unescape(pages["visible"]), html.unescape(pages["hidden"])
    assert "AssertionError: twice 2 is 4" in visible
    assert hidden.FAILED in generic
    assert hidden.FAILED in html.unescape(pages["hidden error"])
    assert "longer than the time limit" in html.unescape(pages["slow"])
    assert hidden.FAILED not in pages["right"]


def test_planted_string_is_not_in_the_release(tiny_course: Path) -> None:
    lesson = (tiny_course / "lessons" / TINY / f"{TINY}.ipynb").read_text(encoding="utf-8")
    assert PLANTED not in lesson
    assert "2 * x" not in lesson


def test_split_keeps_the_visible_part() -> None:
    source = tiny_solution().cells[3].source
    visible, secret = hidden.split(source)
    assert "twice 2 is 4" in visible
    assert hidden.NOTE in visible
    assert PLANTED not in visible
    assert secret.count(PLANTED) == 5

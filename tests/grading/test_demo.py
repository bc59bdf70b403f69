"""`make grade-demo`: what each synthetic student should earn, and what nbgrader gave."""

from __future__ import annotations

import html
from pathlib import Path

import nbformat
import pytest

from gqlib.grading import demo, hidden

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.nbgrader, pytest.mark.slow]


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> list[demo.Outcome]:
    return demo.run(ROOT, tmp_path_factory.mktemp("class"))


def test_every_student_earns_what_was_expected(outcomes: list[demo.Outcome]) -> None:
    earned = {o.student.name: (o.earned, o.exported) for o in outcomes}
    expected = {o.student.name: (o.student.expected, o.student.expected) for o in outcomes}
    assert earned == expected, demo.table(outcomes)
    assert {"perfect", "blank", "partial", "wrong", "syntax", "endless"} <= set(earned)
    assert {"deleted", "edited", "renamed"} <= set(earned)
    assert "!" not in demo.table(outcomes)


def test_feedback_shows_no_line_of_a_hidden_test(outcomes: list[demo.Outcome]) -> None:
    path = ROOT / "solutions" / demo.LESSON / f"{demo.LESSON}.ipynb"
    parts = [hidden.split(c.source) for c in nbformat.read(path, as_version=4).cells]
    everywhere = "\n".join(visible for visible, _ in parts)
    secrets = set().union(*(hidden.fragments(secret, everywhere) for _, secret in parts))
    assert len(secrets) > 50
    for outcome in outcomes:
        page = html.unescape(outcome.feedback.read_text(encoding="utf-8"))
        text = "".join(page.split())
        assert not [s for s in secrets if "".join(s.split()) in text], outcome.student.name


def test_table_marks_what_differs(outcomes: list[demo.Outcome]) -> None:
    first = outcomes[0]
    wrong = demo.Outcome(first.student, first.earned - 1, first.exported, first.feedback)
    assert "!" in demo.table([wrong])

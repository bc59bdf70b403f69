"""Grades as Canvas and Moodle read them."""

from __future__ import annotations

import csv
import os
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from nbgrader.api import Gradebook

from gqlib.grading.export import CanvasExport, MoodleExport


@pytest.fixture
def gradebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gradebook]:
    # nbgrader looks for the program `alembic` on the path.
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    with Gradebook(f"sqlite:///{tmp_path / 'gradebook.db'}") as made:
        for lesson in ("one", "two"):
            made.add_assignment(lesson, duedate=datetime(2026, 1, 1))
            made.add_notebook("nb", lesson)
            made.add_grade_cell("test", "nb", lesson, max_score=4, cell_type="code")
        made.add_student("ada", first_name="Ada", last_name="Lovelace", email="a@example.org")
        made.add_student("=1+1")
        for student, score, penalty in (("ada", 3.5, 1), ("=1+1", 2, 5)):
            submission = made.add_submission("one", student)
            made.find_grade("test", "nb", "one", student).auto_score = score
            submission.notebooks[0].late_submission_penalty = penalty
        made.db.commit()
        yield made


def read(path: Path) -> list[list[str]]:
    assert not path.with_name(f"{path.name}.part").exists()
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def test_canvas(gradebook: Gradebook, tmp_path: Path) -> None:
    CanvasExport(to=str(tmp_path / "c.csv")).export(gradebook)
    assert read(tmp_path / "c.csv") == [
        ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "one", "two"],
        ["    Points Possible", "", "", "", "", "4", "4"],
        ["'=1+1", "", "", "'=1+1", "", "0", ""],
        ["Lovelace, Ada", "", "", "ada", "", "2.5", ""],
    ]


def test_moodle(gradebook: Gradebook, tmp_path: Path) -> None:
    MoodleExport(to=str(tmp_path / "m.csv")).export(gradebook)
    assert read(tmp_path / "m.csv") == [
        ["username", "firstname", "lastname", "email", "one", "two"],
        ["'=1+1", "", "", "", "0", ""],
        ["ada", "Ada", "Lovelace", "a@example.org", "2.5", ""],
    ]


@pytest.mark.parametrize("plugin", [CanvasExport, MoodleExport])
def test_a_part_of_it(gradebook: Gradebook, tmp_path: Path, plugin: type) -> None:
    plugin(to=str(tmp_path / "x.csv"), student=["ada"], assignment=["one"]).export(gradebook)
    rows = read(tmp_path / "x.csv")
    assert "two" not in rows[0]
    assert sum("ada" in row for row in rows) == 1
    assert not any("'=1+1" in row for row in rows)

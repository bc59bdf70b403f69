"""A locked gradebook gives one sentence, before anything is graded."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from gqlib.grading import classroom
from gqlib.grading.gradebook import is_locked, refuse_locked
from tests.grading.conftest import TINY


@pytest.fixture
def gradebook(tmp_path: Path) -> Path:
    path = tmp_path / "gradebook.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE grades (points REAL)")
    connection.close()
    return path


def test_is_locked(gradebook: Path) -> None:
    assert not is_locked(gradebook)
    assert not is_locked(gradebook.with_name("missing.db"))
    holder = sqlite3.connect(gradebook, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    assert is_locked(gradebook, patience=0.1)
    holder.close()
    assert not is_locked(gradebook, patience=0.1)


def test_only_commands_that_write_are_stopped(gradebook: Path) -> None:
    holder = sqlite3.connect(gradebook, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    refuse_locked(gradebook, ["/usr/bin/jupyter-lab"])
    refuse_locked(gradebook, ["/usr/bin/nbgrader", "--version"])
    for program in ("/usr/bin/nbgrader", "/usr/lib/nbgrader/__main__.py"):
        with pytest.raises(SystemExit, match="locked by another process: wait until"):
            refuse_locked(gradebook, [program, "autograde", "02_error_measures"])
    holder.close()


@pytest.mark.nbgrader
def test_nbgrader_says_one_sentence(tiny_course: Path) -> None:
    holder = sqlite3.connect(tiny_course / "gradebook.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(RuntimeError, match="is locked by another process") as caught:
        classroom.nbgrader(tiny_course, "autograde", TINY)
    assert "Traceback" not in str(caught.value)
    holder.close()

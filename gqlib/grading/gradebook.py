"""Protection of the gradebook, which nbgrader keeps in one SQLite file."""

from __future__ import annotations

import contextlib
import sqlite3
import sys
from pathlib import Path

_WRITING = {"assign", "autograde", "export", "generate_assignment", "generate_feedback", "db"}


def is_locked(path: Path, patience: float = 2.0) -> bool:
    """Whether another process still holds the gradebook after ``patience`` seconds of waiting."""
    if not path.exists():
        return False
    connection = sqlite3.connect(
        f"{path.resolve().as_uri()}?mode=rw", uri=True, timeout=patience, isolation_level=None
    )
    with contextlib.closing(connection):
        try:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
        except sqlite3.OperationalError as error:
            return "locked" in str(error)
    return False


def refuse_locked(path: Path, arguments: list[str] | None = None) -> None:
    """Stop an nbgrader command that would write to a locked gradebook, with one sentence.

    nbgrader itself would fail halfway through and suggest upgrading the database.
    """
    arguments = sys.argv if arguments is None else arguments
    # Started as `nbgrader …` or as `python -m nbgrader …`.
    program = "nbgrader" in Path(arguments[0]).parts[-2:]
    if program and set(arguments[1:2]) & _WRITING and is_locked(path):
        raise SystemExit(
            f"The gradebook {path} is locked by another process: wait until the grading that runs "
            "there has finished, or close the program that has it open, and run this command again."
        )

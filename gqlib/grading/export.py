"""Grades for the learning platforms that schools use, as plugins of ``nbgrader export``.

    nbgrader export --exporter=gqlib.grading.export.CanvasExport --to canvas.csv
    nbgrader export --exporter=gqlib.grading.export.MoodleExport --to moodle.csv

Both files have one row a student and one column a lesson, with late penalties subtracted. A student
who handed in nothing has an empty cell, which the platforms leave as it is.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from nbgrader.api import Gradebook, MissingEntry
from nbgrader.plugins import ExportPlugin

from gqlib._utils import atomic


class CanvasExport(ExportPlugin):  # type: ignore[misc]
    """A file for Canvas's *Grades, Import*, which finds students by their SIS login id."""

    def export(self, gradebook: Gradebook) -> None:
        """Write the file, whole or not at all."""
        lessons = _lessons(self, gradebook)
        head = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section"]
        points = ["    Points Possible", "", "", "", ""]
        rows = [
            [*head, *(lesson.name for lesson in lessons)],
            [*points, *(f"{lesson.max_score:g}" for lesson in lessons)],
        ]
        rows += _rows(self, gradebook, lessons, lambda s: [_name(s), "", "", s.id, ""])
        _write(Path(self.to or "canvas.csv"), rows)


class MoodleExport(ExportPlugin):  # type: ignore[misc]
    """A file for Moodle's *Grades, Import, CSV file*; map ``username`` to *Username*."""

    def export(self, gradebook: Gradebook) -> None:
        """Write the file, whole or not at all."""
        lessons = _lessons(self, gradebook)
        head = ["username", "firstname", "lastname", "email"]
        rows = [[*head, *(lesson.name for lesson in lessons)]]
        rows += _rows(
            self,
            gradebook,
            lessons,
            lambda s: [s.id, s.first_name or "", s.last_name or "", s.email or ""],
        )
        _write(Path(self.to or "moodle.csv"), rows)


def _lessons(plugin: ExportPlugin, gradebook: Gradebook) -> list[Any]:
    wanted = {str(name) for name in plugin.assignment}
    return [a for a in gradebook.assignments if not wanted or a.name in wanted]


def _rows(
    plugin: ExportPlugin,
    gradebook: Gradebook,
    lessons: Sequence[Any],
    about: Callable[[Any], list[str]],
) -> list[list[str]]:
    wanted = {str(name) for name in plugin.student}
    students = [s for s in gradebook.students if not wanted or s.id in wanted]
    return [
        [*map(_text, about(student)), *(_score(gradebook, a.name, student.id) for a in lessons)]
        for student in sorted(students, key=lambda s: s.id)
    ]


def _score(gradebook: Gradebook, lesson: str, student: str) -> str:
    try:
        submission = gradebook.find_submission(lesson, student)
    except MissingEntry:
        return ""
    return f"{max(0.0, submission.score - submission.late_submission_penalty):g}"


def _name(student: Any) -> str:
    names = [name for name in (student.last_name, student.first_name) if name]
    return ", ".join(names) or str(student.id)


def _text(value: str) -> str:
    """A cell that no spreadsheet takes for a formula, since students choose their names."""
    return f"'{value}" if value[:1] in ("=", "+", "-", "@", "\t", "\r") else value


def _write(path: Path, rows: Sequence[Sequence[str]]) -> None:
    with atomic.replacing(path) as part, part.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)

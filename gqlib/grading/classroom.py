"""A separate course folder, and nbgrader's commands run in it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbgrader.api import Gradebook

from gqlib._utils.search_paths import put_programs_first
from gqlib.grading import authoring, submissions


def course_copy(root: Path, folder: Path, lessons: list[str] | None = None) -> list[str]:
    """Set up a course in ``folder`` for nbgrader; returns the names of its lessons.

    It holds copies of the configuration and of the named solutions (all by default), and no
    gradebook, so that nothing done there touches the course itself.
    """
    names = sorted(path.parent.name for path in (root / "solutions").glob("*/*.ipynb"))
    unknown = sorted(set(lessons or []) - set(names))
    if unknown:
        raise ValueError(f"no lesson {', '.join(unknown)}: expected some of {', '.join(names)}")
    chosen = lessons or names
    for name in ("nbgrader_config.py", "pyproject.toml"):
        shutil.copy(root / name, folder / name)
    for name in chosen:
        shutil.copytree(root / "solutions" / name, folder / "solutions" / name)
    return chosen


def nbgrader(folder: Path, *arguments: str, log: Path | None = None) -> None:
    """Run an nbgrader command in ``folder``.

    Raises:
        RuntimeError: It failed; the message ends with the last lines that it printed.
    """
    command = [sys.executable, "-m", "nbgrader", *arguments]
    environment = dict(os.environ)
    put_programs_first(environment)
    run = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    printed = run.stdout + run.stderr
    if log is not None:
        with log.open("a", encoding="utf-8") as file:
            file.write(f"$ nbgrader {' '.join(arguments)}\n{printed}\n")
    if run.returncode:
        tail = "\n".join(printed.splitlines()[-15:])
        raise RuntimeError(f"nbgrader {arguments[0]} failed:\n{tail}")


def open_course(root: Path, folder: Path, lesson: str) -> NotebookNode:
    """Set up a course with one lesson in ``folder``, release it, and return the lesson."""
    course_copy(root, folder, [lesson])
    nbgrader(folder, "generate_assignment", lesson, log=folder / "nbgrader.log")
    released = folder / "lessons" / lesson / f"{lesson}.ipynb"
    nb: NotebookNode = nbformat.read(released, as_version=4)
    return nb


def hand_in(
    folder: Path, lesson: str, student: str, nb: NotebookNode, name: str | None = None
) -> None:
    """Put a student's notebook where nbgrader looks for it, under its own name or another."""
    path = folder / "submitted" / student / lesson / (name or f"{lesson}.ipynb")
    path.parent.mkdir(parents=True)
    authoring.write(nb, path)


def autograde(folder: Path, lesson: str, *options: str) -> dict[str, dict[str, float]]:
    """Autograde everything that was handed in; returns each graded cell's points, by student."""
    released = folder / "lessons" / lesson / f"{lesson}.ipynb"
    submissions.restore_names(folder / "submitted", lesson, released)
    nbgrader(folder, "autograde", lesson, *options, log=folder / "nbgrader.log")
    return points(folder, lesson)


def points(folder: Path, lesson: str) -> dict[str, dict[str, float]]:
    """The points of each graded cell in the gradebook, by student."""
    with Gradebook(f"sqlite:///{folder / 'gradebook.db'}") as gradebook:
        return {
            submission.student.id: {
                grade.name: float(grade.score)
                for notebook in submission.notebooks
                for grade in notebook.grades
            }
            for submission in gradebook.assignment_submissions(lesson)
        }


def feedback(folder: Path, lesson: str) -> Mapping[str, Path]:
    """Write the feedback pages; returns the page of each student."""
    nbgrader(folder, "generate_feedback", lesson, log=folder / "nbgrader.log")
    pages = sorted((folder / "feedback").glob(f"*/{lesson}/{lesson}.html"))
    return {page.parent.parent.name: page for page in pages}

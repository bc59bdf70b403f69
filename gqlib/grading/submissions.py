"""What students hand in: notebooks filled with answers, and files under the wrong name."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path

import nbformat
from nbformat import NotebookNode


def grade_ids(nb: NotebookNode) -> set[str]:
    """The names of the cells that nbgrader knows."""
    return {c.metadata.nbgrader.grade_id for c in nb.cells if "nbgrader" in c.metadata}


def answers_of(nb: NotebookNode) -> dict[str, str]:
    """The source of every answer cell, written answers included, by its ``grade_id``."""
    return {
        cell.metadata.nbgrader.grade_id: cell.source
        for cell in nb.cells
        if cell.metadata.get("nbgrader", {}).get("solution")
    }


def filled(lesson: NotebookNode, answers: Mapping[str, str]) -> NotebookNode:
    """A copy of a released lesson with these answers in their cells.

    Raises:
        KeyError: An answer belongs to no cell of the lesson.
    """
    nb = copy.deepcopy(lesson)
    left = dict(answers)
    for cell in nb.cells:
        name = cell.metadata.get("nbgrader", {}).get("grade_id")
        if name in left:
            cell.source = left.pop(name)
    if left:
        raise KeyError(f"the lesson has no answer cell named {', '.join(left)}")
    return nb


def restore_names(submitted: Path, lesson: str, release: Path) -> list[Path]:
    """Copy renamed notebooks (``lesson (1).ipynb``) to the name that nbgrader looks for.

    If a student's folder has no notebook of the expected name, but exactly one with the cells of
    the released lesson, that one is copied to the right name. What was handed in stays as it is.

    Args:
        submitted: nbgrader's folder of submissions, ``<student>/<lesson>/*.ipynb`` below it.
        lesson: Name of the lesson.
        release: The released notebook.

    Returns:
        The copies made.
    """
    wanted = grade_ids(nbformat.read(release, as_version=4))
    made = []
    for folder in sorted(submitted.glob(f"*/{lesson}")):
        target = folder / f"{lesson}.ipynb"
        if target.exists():
            continue
        matching = [p for p in sorted(folder.glob("*.ipynb")) if _is_lesson(p, wanted)]
        if len(matching) == 1:
            target.write_bytes(matching[0].read_bytes())
            made.append(target)
    return made


def _is_lesson(path: Path, wanted: set[str]) -> bool:
    try:
        found = grade_ids(nbformat.read(path, as_version=4))
    except Exception:  # anything can be wrong with a file that is not a notebook
        return False
    return len(found & wanted) > len(wanted) / 2

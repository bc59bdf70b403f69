"""A submission's cells as nbgrader released them, whatever a student did to them.

A cell's metadata say what it is (a test, locked, worth two points), and a student can change them.
So they are taken from the gradebook again before anything is executed. Cells that the gradebook
does not know are the student's own, and locked ones that were deleted are put back in their place.
What was changed is noted in the notebook's metadata (:func:`seen`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nbformat import NotebookNode, v4
from nbgrader.api import Gradebook
from nbgrader.preprocessors import NbGraderPreprocessor
from nbgrader.utils import compute_checksum

Resources = dict[str, Any]
_NOTES = "gqlib_seen"


@dataclass(frozen=True)
class Known:
    """A cell that nbgrader released.

    Attributes:
        source: Its source; for a locked cell, this is what counts.
        metadata: nbgrader's.
    """

    source: str
    metadata: dict[str, Any]

    @property
    def locked_code(self) -> bool:
        return bool(self.metadata["locked"]) and self.metadata["cell_type"] == "code"


class RestoreCells(NbGraderPreprocessor):  # type: ignore[misc]
    """Give every cell the role that the gradebook says it has, and put back what was deleted."""

    def preprocess(self, nb: NotebookNode, resources: Resources) -> tuple[NotebookNode, Resources]:
        names = resources["nbgrader"]
        with Gradebook(names["db_url"]) as gradebook:
            known = known_cells(gradebook, names["assignment"], names["notebook"])
        for text in restore(nb, known):
            self.log.warning("Seen in %s: %s", resources.get("unique_key"), text)
        return nb, resources


def known_cells(gradebook: Gradebook, lesson: str, notebook: str) -> dict[str, Known]:
    """The cells of a lesson by their names, in their order."""
    released = gradebook.find_notebook(notebook, lesson)
    points = {cell.name: float(cell.max_score) for cell in released.grade_cells}
    tasks = {cell.name: float(cell.max_score) for cell in released.task_cells}
    answers = {cell.name for cell in released.solution_cells}
    known = {}
    for cell in released.source_cells:
        metadata = {
            "cell_type": cell.cell_type,
            "checksum": cell.checksum,
            "grade": cell.name in points,
            "grade_id": cell.name,
            "locked": bool(cell.locked),
            "schema_version": 3,
            "solution": cell.name in answers,
            "task": cell.name in tasks,
        }
        if cell.name in points or cell.name in tasks:
            metadata["points"] = {**points, **tasks}[cell.name]
        known[cell.name] = Known(cell.source, metadata)
    return known


def restore(nb: NotebookNode, known: dict[str, Known]) -> list[str]:
    """Restore a notebook's cells in place; returns what had been changed, in a few words each."""
    found: list[str] = []
    places: dict[str, int] = {}
    said: dict[str, Any] = {}
    for place, cell in enumerate(nb.cells):
        about = cell.metadata.pop("nbgrader", None)
        about = about if isinstance(about, dict) else {}
        name = about.get("grade_id")
        if not isinstance(name, str) or name not in known:
            if about.get("grade") or about.get("locked"):
                found.append("a cell of its own posed as a test")
            continue
        if name in places and known[name].locked_code:
            found.append(f"duplicated {name}")
        places[name], said[name] = place, about  # nbgrader too takes the last one
    for name, place in places.items():
        cell = nb.cells[place]
        if known[name].locked_code and not _is_untouched(cell, said[name]):
            found.append(f"edited {name}")
        cell.metadata["nbgrader"] = NotebookNode(known[name].metadata)
    order = [name for name in known if name in places]
    if order != sorted(order, key=lambda name: places[name]):
        found.append("moved cells")
    found += [f"deleted {name}" for name in _put_back(nb, known)]
    nb.metadata[_NOTES] = list(dict.fromkeys(found))
    return seen(nb)


def seen(nb: NotebookNode) -> list[str]:
    """What :func:`restore` has noted in a notebook."""
    return list(nb.metadata.get(_NOTES, []))


def _is_untouched(cell: NotebookNode, about: dict[str, Any]) -> bool:
    """Whether a cell's content has the checksum that any release gave it."""
    copy = NotebookNode(cell_type=cell.cell_type, source=cell.source)
    copy.metadata = NotebookNode(nbgrader=NotebookNode(about))
    try:
        return bool(compute_checksum(copy) == about["checksum"])
    except (KeyError, TypeError, ValueError):
        return False


def _put_back(nb: NotebookNode, known: dict[str, Known]) -> list[str]:
    """Insert the missing locked code cells after the cells that preceded them."""
    missing = []
    place = 0
    for name, cell in known.items():
        here = [i for i, c in enumerate(nb.cells) if _name(c) == name]
        if here:
            place = here[0] + 1
        elif cell.locked_code:
            metadata = {"nbgrader": NotebookNode(cell.metadata)}
            nb.cells.insert(place, v4.new_code_cell(cell.source, metadata=metadata))
            missing.append(name)
            place += 1
    return missing


def _name(cell: NotebookNode) -> str | None:
    name: str | None = cell.metadata.get("nbgrader", {}).get("grade_id")
    return name

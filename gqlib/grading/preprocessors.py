"""nbgrader preprocessors of the course; ``nbgrader_config.py`` puts them in their places."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from nbformat import NotebookNode, v4
from nbgrader.api import Gradebook
from nbgrader.preprocessors import NbGraderPreprocessor
from traitlets import Unicode

from gqlib.grading import hidden

Resources = dict[str, Any]

_BADGE = (
    "[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]"
    "(https://colab.research.google.com/github/{owner}/blob/{ref}/lessons/{name}/{name}.ipynb)"
)

_INSTALL = """\
# On Colab this first installs the course's package, and leaves Colab's own libraries as they are.
try:
    import gqlib
except ModuleNotFoundError:
    import importlib, os, subprocess, sys
    try:
        import google.colab
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "gqlib is not installed in this kernel: run `make lab` (or `pip install .`) in the "
            "course's folder, then restart the kernel."
        ) from None
    package = os.environ.get("GQLIB_SOURCE", "git+{repository}@{ref}")
    subprocess.check_call([sys.executable, "-m", "pip", "install", "--quiet", package])
    importlib.invalidate_caches()

"""


def publication(pyproject: Path) -> tuple[str, str]:
    """The repository's URL and the ref that lessons install, from ``[tool.gqlib]``."""
    settings = tomllib.loads(pyproject.read_text(encoding="utf-8"))["tool"]["gqlib"]
    return settings["repository"].rstrip("/"), settings["ref"]


class CourseCells(NbGraderPreprocessor):  # type: ignore[misc]
    """Write the Colab badge under a lesson's title and the installation before its imports."""

    repository = Unicode(help="URL of the published repository").tag(config=True)
    ref = Unicode(help="the tag or branch that a lesson installs").tag(config=True)

    def preprocess(self, nb: NotebookNode, resources: Resources) -> tuple[NotebookNode, Resources]:
        name = resources["nbgrader"]["notebook"]
        owner = self.repository.removeprefix("https://github.com/")
        for cell in nb.cells:
            tags = cell.metadata.get("tags", [])
            if "title" in tags:
                title, _, rest = cell.source.partition("\n")
                badge = _BADGE.format(owner=owner, ref=self.ref, name=name)
                cell.source = f"{title}\n\n{badge}\n{rest}"
            if "set-up" in tags:
                install = _INSTALL.format(repository=self.repository, ref=self.ref)
                cell.source = install + cell.source
        return nb, resources


class RestoreCells(NbGraderPreprocessor):  # type: ignore[misc]
    """Put back locked cells (set-up and tests) that a student deleted, where they stood."""

    def preprocess(self, nb: NotebookNode, resources: Resources) -> tuple[NotebookNode, Resources]:
        names = resources["nbgrader"]
        with Gradebook(names["db_url"]) as gradebook:
            source = gradebook.find_notebook(names["notebook"], names["assignment"])
            points = {cell.name: cell.max_score for cell in source.grade_cells}
            place = 0
            for cell in source.source_cells:
                here = [i for i, c in enumerate(nb.cells) if _grade_id(c) == cell.name]
                if here:
                    place = here[-1] + 1
                elif cell.locked and cell.cell_type == "code":
                    self.log.warning("Cell '%s' was deleted and is put back", cell.name)
                    nb.cells.insert(place, _restored(cell, points.get(cell.name)))
                    place += 1
        return nb, resources


def _grade_id(cell: NotebookNode) -> str | None:
    name: str | None = cell.metadata.get("nbgrader", {}).get("grade_id")
    return name


def _restored(cell: Any, points: float | None) -> NotebookNode:
    metadata = {
        "cell_type": "code",
        "checksum": cell.checksum,
        "grade": points is not None,
        "grade_id": cell.name,
        "locked": True,
        "schema_version": 3,
        "solution": False,
        "task": False,
    }
    if points is not None:
        metadata["points"] = points
    restored: NotebookNode = v4.new_code_cell(cell.source, metadata={"nbgrader": metadata})
    return restored


class HideHiddenTests(NbGraderPreprocessor):  # type: ignore[misc]
    """Take the hidden tests, and every output that quotes them, out of a feedback page."""

    def preprocess(self, nb: NotebookNode, resources: Resources) -> tuple[NotebookNode, Resources]:
        hidden.hide(nb)
        return nb, resources

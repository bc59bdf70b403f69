"""An unsolved lesson runs from top to bottom, within its time."""

from __future__ import annotations

import time
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode

from tests.notebooks.answer import ROOT
from tests.notebooks.test_soundness import LESSONS

pytestmark = pytest.mark.slow


def run(nb: NotebookNode, folder: Path) -> float:
    """Run a notebook past its errors; the seconds it took."""
    start = time.perf_counter()
    resources = {"metadata": {"path": str(folder)}}
    NotebookClient(nb, timeout=600, allow_errors=True, resources=resources).execute()
    return time.perf_counter() - start


def errors(nb: NotebookNode) -> dict[str, str]:
    """The error of each cell that stopped with one, by the cell's name or source."""
    return {
        cell.metadata.get("nbgrader", {}).get("grade_id", cell.source): output.evalue
        for cell in nb.cells
        for output in cell.get("outputs", [])
        if output.output_type == "error"
    }


@pytest.mark.parametrize("name", LESSONS)
def test_unsolved_lesson_fails_in_its_test_cells_only(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a handful of steps, its GPU cells included: the whole run is the solution's."""
    monkeypatch.setenv("GQLIB_QUICK", "1")
    monkeypatch.setenv("GQLIB_GPU", "cpu")
    nb = nbformat.read(ROOT / "lessons" / name / f"{name}.ipynb", as_version=4)
    seconds = run(nb, tmp_path)
    failed = errors(nb)
    tests = {
        cell.metadata.nbgrader.grade_id
        for cell in nb.cells
        if cell.metadata.get("nbgrader", {}).get("grade") and cell.cell_type == "code"
    }
    assert set(failed) == tests, "every test fails; figures and experiments fall back"
    assert all("write your answer here" in message for message in failed.values())
    notes = [
        output.text
        for cell in nb.cells
        for output in cell.get("outputs", [])
        if output.output_type == "stream" and "so this cell uses the course's own" in output.text
    ]
    assert notes, "a visible note says that the course's own answers stepped in"
    assert seconds < 90

"""The normal form of a notebook."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode

from gqlib.grading import authoring
from tests.grading.conftest import tiny_solution


def output(name: str, text: str) -> NotebookNode:
    return nbformat.v4.new_output("stream", name=name, text=text)


def test_metadata_is_completed() -> None:
    nb = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell("", metadata={"nbgrader": {"grade_id": "a"}})]
    )
    authoring.complete_metadata(nb)
    assert nb.cells[0].metadata.nbgrader == {
        "grade": False,
        "grade_id": "a",
        "locked": False,
        "schema_version": 3,
        "solution": False,
        "task": False,
    }


def test_metadata_that_cannot_grade_is_refused() -> None:
    nb = tiny_solution()
    nb.cells[-1].metadata.nbgrader.grade_id = "double"
    with pytest.raises(ValueError, match="'double' is empty or used twice"):
        authoring.complete_metadata(nb)
    nb = tiny_solution()
    del nb.cells[-1].metadata.nbgrader["points"]
    with pytest.raises(ValueError, match="'test_pi' has no points"):
        authoring.complete_metadata(nb)


def test_strip_removes_what_differs_from_run_to_run() -> None:
    nb = tiny_solution()
    nb.metadata.language_info = {"name": "python", "version": "3.99"}
    cell = nb.cells[1]
    cell.metadata["execution"] = {"iopub.execute_input": "now"}
    cell.execution_count = 99
    cell.outputs = [output("stdout", "a\n"), output("stdout", "b\n")]
    widget = "application/vnd.jupyter.widget-view+json"
    shown = {"text/html": "<img>", widget: {"model_id": "random"}}
    cell.outputs.append(nbformat.v4.new_output("display_data", data=shown))
    authoring.strip(nb)
    assert "3.99" not in nbformat.writes(nb)
    assert "execution" not in cell.metadata
    assert cell.execution_count == 1
    assert [o.get("text") for o in cell.outputs] == ["a\nb\n", None]
    assert cell.outputs[1].data == {"text/html": "<img>"}


def test_stderr_and_size_are_refused() -> None:
    nb = tiny_solution()
    nb.cells[1].outputs = [output("stderr", "a warning")]
    with pytest.raises(ValueError, match="cell 1 writes to standard error"):
        authoring.check(nb, Path("tiny.ipynb"))
    nb.cells[1].outputs = [output("stdout", "x" * authoring.MAX_BYTES)]
    with pytest.raises(ValueError, match="more than 1 MB: draw fewer"):
        authoring.check(nb, Path("tiny.ipynb"))


def test_a_failed_run_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    nb = tiny_solution()
    nb.cells[1].source = "1 / 0"
    path = tmp_path / "tiny.ipynb"
    nbformat.write(nb, path)
    before = path.read_bytes()
    with pytest.raises(Exception, match="division by zero"):
        authoring.normalise(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_normalise_executes_and_repeats(tmp_path: Path) -> None:
    nb = tiny_solution()
    nb.cells[1].source = "import math\nprint(math.pi)"
    path = tmp_path / "tiny.ipynb"
    nbformat.write(nb, path)
    authoring.main([str(path)])
    once = path.read_bytes()
    assert b"3.14159" in once
    authoring.main([str(path)])
    assert path.read_bytes() == once

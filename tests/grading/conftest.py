"""Courses of one tiny lesson each: one with a secret in its hidden test, one to be attacked."""

from __future__ import annotations

import shutil
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode

from gqlib.grading import classroom
from tests.grading import attacks

ROOT = Path(__file__).resolve().parents[2]
TINY = "tiny"
#: Stands in the hidden test as a comment, a name, a message and a value.
PLANTED = "planted_7f3a91"

_TEST = f"""assert double(2) == 4, "twice 2 is 4"
x = 3
### BEGIN HIDDEN TESTS
# a comment with {PLANTED}
{PLANTED}_number = 5
assert double({PLANTED}_number) == 10, "the message of {PLANTED}"
assert double("ab") == "abab", f"{PLANTED} on strings"
### END HIDDEN TESTS"""
_HIDDEN = "### BEGIN HIDDEN TESTS\n{}\n### END HIDDEN TESTS"


def _cell(source: str, grade_id: str, **metadata: object) -> NotebookNode:
    defaults = {"grade": False, "locked": False, "solution": False, "task": False}
    nbgrader = {**defaults, "schema_version": 3, "grade_id": grade_id, **metadata}
    return nbformat.v4.new_code_cell(source, metadata={"nbgrader": nbgrader})


def tiny_solution(set_up: str = "import math", test: str = _TEST) -> NotebookNode:
    answer = "def double(x):\n    ### BEGIN SOLUTION\n    return 2 * x\n    ### END SOLUTION"
    cells = [
        nbformat.v4.new_markdown_cell("# Tiny", metadata={"tags": ["title"]}),
        _cell(set_up, "set-up", locked=True),
        _cell(answer, "double", solution=True),
        _cell(test, "test_double", grade=True, locked=True, points=2),
        _cell("assert math.pi > 3", "test_pi", grade=True, locked=True, points=1),
    ]
    cells[1].metadata["tags"] = ["set-up"]
    nb = nbformat.v4.new_notebook(cells=cells)
    nb.metadata.kernelspec = {"name": "python3", "language": "python", "display_name": "Python 3"}
    return nb


def make_course(scratch: Path, solution: NotebookNode) -> Path:
    """A course of one lesson in an empty folder, released."""
    root, folder = scratch / "root", scratch / "course"
    (root / "solutions" / TINY).mkdir(parents=True)
    for name in ("nbgrader_config.py", "pyproject.toml"):
        shutil.copy(ROOT / name, root / name)
    nbformat.write(solution, root / "solutions" / TINY / f"{TINY}.ipynb")
    folder.mkdir()
    classroom.open_course(root, folder, TINY)
    return folder


@pytest.fixture(scope="module")
def tiny_course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the course's own configuration and the tiny lesson as its only solution."""
    return make_course(tmp_path_factory.mktemp("tiny"), tiny_solution())


@pytest.fixture(scope="module")
def attacked_course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with the exercise of ``attacks``, and limits that are quickly reached."""
    solution = tiny_solution(attacks.SET_UP, _HIDDEN.format(attacks.TEST))
    beside = _cell(_HIDDEN.format(attacks.BESIDE), "test_beside", grade=True, locked=True, points=2)
    solution.cells.insert(4, beside)
    folder = make_course(tmp_path_factory.mktemp("attacked"), solution)
    limits = "{'memory': 2**30, 'processes': 24, 'disk': 2**24, 'output': 2**21}"
    change_config(
        folder,
        "c.Execute.timeout = 60",
        f"c.Execute.timeout = 3\nc.SandboxedExecute.limits = {limits}",
    )
    return folder


def change_config(folder: Path, old: str, new: str) -> None:
    """Change one setting of a course."""
    config = folder / "nbgrader_config.py"
    text = config.read_text(encoding="utf-8")
    assert text.count(old) == 1, old
    config.write_text(text.replace(old, new), encoding="utf-8")

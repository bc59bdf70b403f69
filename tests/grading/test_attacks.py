"""One class of hostile submissions through the real command: none earns, harms or goes unseen."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode

from gqlib.grading import classroom, submissions
from tests.grading.attacks import ATTACKS, RIGHT, WRONG
from tests.grading.conftest import TINY

pytestmark = [
    pytest.mark.nbgrader,
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("bwrap") is None, reason="there is no bubblewrap"),
]

#: Who handed in right answers, before and behind those who attack.
HONEST = ("a honest one", "~ another honest one")


#: What acts during the other test too.
LASTING = ("a thread that acts later", "acts in a hidden thread", "another kernel")


# --- tampering with cells: what is done to a notebook with a wrong answer, and what is seen


def _place(nb: NotebookNode, name: str) -> int:
    names = [c.metadata.get("nbgrader", {}).get("grade_id") for c in nb.cells]
    return names.index(name)


def _test(nb: NotebookNode) -> NotebookNode:
    return nb.cells[_place(nb, "test_double")]


def _retype(nb: NotebookNode) -> None:
    cell = _test(nb)
    cell.cell_type = "markdown"
    del cell["outputs"], cell["execution_count"]


def _duplicate(nb: NotebookNode) -> None:
    copy = nbformat.from_dict(_test(nb))
    copy.source, copy.id = "pass", "copy"
    nb.cells.append(copy)


def _swap(nb: NotebookNode) -> None:
    nb.cells.append(nb.cells.pop(_place(nb, "set-up")))


def _pose(nb: NotebookNode, **about: object) -> None:
    source = "import os\nprint('SECRET', os.environ.get('GQLIB_SECRET'))"
    own = {"grade": False, "grade_id": "mine", "locked": True, "solution": False, **about}
    cell = nbformat.v4.new_code_cell(source, metadata={"nbgrader": own})
    nb.cells.insert(1, cell)


def _slow_set_up(nb: NotebookNode) -> None:
    _pose(nb)
    nb.cells[1].source = "while True: pass"


def _cell_before(nb: NotebookNode) -> None:
    nb.cells.insert(0, nbformat.v4.new_code_cell("checks = torch = np = math = None"))
    nb.cells[_place(nb, "double")].source = (
        "import torch\nclass checks:\n    call = staticmethod(lambda f, x: 2 * x)\n"
        "    expect = staticmethod(lambda *a, **k: None)\n" + WRONG
    )


CELLS: dict[str, tuple[Callable[[NotebookNode], object], str | None]] = {
    "deleted test": (lambda nb: nb.cells.pop(_place(nb, "test_double")), "deleted test_double"),
    "edited test": (lambda nb: _test(nb).update(source="pass"), "edited test_double"),
    "retyped test": (_retype, "edited test_double"),
    "duplicated test": (_duplicate, "duplicated test_double"),
    "set-up moved": (_swap, "moved cells"),
    "ungraded test": (
        lambda nb: _test(nb).metadata.nbgrader.update(grade=False),
        "edited test_double",
    ),
    "test as an answer": (
        lambda nb: _test(nb).metadata.nbgrader.update(solution=True),
        "edited test_double",
    ),
    "points in metadata": (
        lambda nb: _test(nb).metadata.nbgrader.update(points=100, score=100),
        "edited test_double",
    ),
    "a cell that poses as a test": (
        lambda nb: _pose(nb, grade=True, points=50),
        "a cell of its own posed as a test",
    ),
    "a cell that poses as set-up": (_pose, "a cell of its own posed as a test"),
    "an endless set-up": (_slow_set_up, "a cell of its own posed as a test"),
    "a cell before the set-up": (_cell_before, "rebound checks"),
    "metadata that are none": (lambda nb: _test(nb).metadata.update(nbgrader=[1]), None),
    "forged output": (
        lambda nb: _test(nb).update(
            outputs=[nbformat.v4.new_output("execute_result", data={"text/plain": "2"})]
        ),
        None,
    ),
    "forged notes": (lambda nb: nb.metadata.update(gqlib_seen=["nothing"], score=3), None),
    "a kernel that is none": (
        lambda nb: nb.metadata.update(kernelspec={"name": "nonesuch", "display_name": "x"}),
        None,
    ),
}

# --- files that are no submission, and what is said of them


def _traverse(path: Path) -> None:
    (path.parent / "data").symlink_to("../../../../solutions")


def _too_large(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(100 * 2**20)


FILES: dict[str, tuple[Callable[[Path], object], str]] = {
    "no notebook": (Path.unlink, "no notebook named tiny.ipynb was handed in"),
    "not JSON": (lambda path: path.write_text("{"), "JSON"),
    "deep JSON": (lambda path: path.write_text("[" * 10**5), "recursion"),
    "a list": (lambda path: path.write_text("[]"), ""),
    "no cells": (lambda path: path.write_text('{"nbformat": 4, "metadata": {}}'), ""),
    "of the future": (lambda path: path.write_text('{"nbformat": 9, "nbformat_minor": 0}'), ""),
    "of the past": (lambda path: path.write_text('{"worksheets": "x", "nbformat": 2}'), ""),
    "bytes": (lambda path: path.write_bytes(os.urandom(1000)), ""),
    "100 MB": (_too_large, "larger than 32 MiB"),
    "a link": (lambda path: (path.unlink(), path.symlink_to("/etc/passwd")), "is a link"),
    "a link beside it": (_traverse, "is a link"),
    "a pipe": (lambda path: os.mkfifo(path.parent / "pipe"), "is not an ordinary file"),
    "a hundred thousand cells": (
        lambda path: path.write_text(
            '{"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": ['
            + ", ".join(['{"cell_type": "markdown", "metadata": {}, "source": ""}'] * 10**5)
            + "]}"
        ),
        "100000 cells, more than 5000",
    ),
}


@dataclass(frozen=True)
class Outcome:
    """What the command said and left behind."""

    printed: str
    errors: str
    points: dict[str, dict[str, float]]
    folder: Path

    def seen(self, student: str) -> str:
        lines = self.printed.partition("Seen of tampering")[2].splitlines()
        return next((ln.strip() for ln in lines if ln.strip().startswith(f"{student}: ")), "")

    def outputs(self, student: str) -> str:
        nb = nbformat.read(self.folder / "autograded" / student / TINY / f"{TINY}.ipynb", 4)
        return "".join(str(cell.outputs) for cell in nb.cells if cell.cell_type == "code")


@pytest.fixture(scope="module")
def outcome(attacked_course: Path) -> Outcome:
    folder = attacked_course
    lesson = nbformat.read(folder / "lessons" / TINY / f"{TINY}.ipynb", as_version=4)

    def hand_in(name: str, answer: str, change: Callable[[NotebookNode], object]) -> None:
        nb = submissions.filled(lesson, {"double": answer})
        change(nb)
        classroom.hand_in(folder, TINY, name, nb)

    for name in HONEST:
        hand_in(name, RIGHT, lambda nb: None)
    for name, (source, _) in ATTACKS.items():
        hand_in(name, source.replace("COURSE", repr(str(folder))), lambda nb: None)
    for name, (change, _) in CELLS.items():
        hand_in(name, WRONG, change)
    for name, (spoil, _) in FILES.items():
        hand_in(name, RIGHT, lambda nb: None)
        spoil(folder / "submitted" / name / TINY / f"{TINY}.ipynb")
    run = subprocess.run(
        [sys.executable, "-m", "gqlib", "grade", TINY],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=550,
        env={**os.environ, "GQLIB_SECRET": "s3cr3t"},
    )
    assert run.returncode == 1, run.stderr
    assert "Traceback" not in run.stderr
    return Outcome(run.stdout, run.stderr, classroom.points(folder, TINY), folder)


def test_honest_work_beside_it_earns_all(outcome: Outcome) -> None:
    for name in HONEST:
        assert outcome.points[name] == {"test_double": 2, "test_beside": 2, "test_pi": 1}
        assert not outcome.seen(name)
        assert name not in outcome.printed


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_earns_nothing(outcome: Outcome, name: str) -> None:
    assert outcome.points[name]["test_double"] == 0
    assert outcome.points[name]["test_beside"] == 0
    if name not in LASTING:
        assert outcome.points[name]["test_pi"] == 1
    flag = ATTACKS[name][1]
    assert (flag or "") in outcome.seen(name)
    assert not re.search("WROTE|CONNECTED|s3cr3t", outcome.outputs(name))
    assert "TERMINAL" not in outcome.errors
    if name == "reads the solution from disk":
        assert "FOUND []" in outcome.outputs(name)


@pytest.mark.parametrize("name", CELLS)
def test_changed_cells_earn_nothing(outcome: Outcome, name: str) -> None:
    assert set(outcome.points[name]) == {"test_double", "test_beside", "test_pi"}
    assert sum(outcome.points[name].values()) <= 1
    assert (CELLS[name][1] or "") in outcome.seen(name)
    assert "s3cr3t" not in outcome.outputs(name)
    if CELLS[name][1] is None and name != "metadata that are none":
        assert not outcome.seen(name)


@pytest.mark.parametrize("name", FILES)
def test_what_is_no_submission_is_named(outcome: Outcome, name: str) -> None:
    lines = outcome.printed.partition("Not graded")[2].splitlines()
    said = [line.strip() for line in lines if line.strip().startswith(f"{name}: ")]
    assert len(said) == 1
    assert FILES[name][1] in said[0]
    assert sum(outcome.points.get(name, {}).values()) == 0


def test_nothing_is_harmed(outcome: Outcome) -> None:
    students = {*HONEST, *ATTACKS, *CELLS, *FILES}
    assert {p.name for p in (outcome.folder / "submitted").iterdir()} == students
    copied = [p for p in (outcome.folder / "autograded").rglob("*") if p.is_file()]
    assert not any(b"root:x:" in p.read_bytes() for p in copied)
    total = len(students)
    graded = total - len(FILES)
    assert f"{total} submissions, {graded} graded ({graded} of them now)" in outcome.printed

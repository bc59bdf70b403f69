"""``gqlib grade``: nbgrader's scores, whatever happens on the way."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest

from gqlib.grading import classroom, submissions
from gqlib.grading.grade import Submission, grade
from gqlib.grading.sandbox.bubblewrap import NoSandbox
from tests.grading.conftest import TINY, change_config
from tests.grading.test_feedback import STUDENTS

pytestmark = [
    pytest.mark.nbgrader,
    pytest.mark.skipif(shutil.which("bwrap") is None, reason="there is no bubblewrap"),
]

HONEST = {
    **{name: answer for name, answer in STUDENTS.items() if name != "frames"},
    "Zoë Müller": STUDENTS["right"],
    "warns": "import warnings\ndef double(x):\n    warnings.warn('careful')\n    return 2 * x",
    "prints": "print('hello')\ndef double(x):\n    print(x)\n    return 2 * x",
    "exits": "import os\ndef double(x):\n    if x == 2: os._exit(0)\n    return 2 * x",
}
#: nbgrader gives up on these, and here the other test keeps its point.
ONLY_HERE = {"exits"}


def hand_in(folder: Path, answers: dict[str, str]) -> None:
    lesson = nbformat.read(folder / "lessons" / TINY / f"{TINY}.ipynb", as_version=4)
    for name, answer in answers.items():
        nb = submissions.filled(lesson, {"double": answer})
        nb.cells.append(nbformat.v4.new_code_cell("1 + 1"))
        classroom.hand_in(folder, TINY, name, nb)


def by_student(found: list[Submission]) -> dict[str, Submission]:
    return {submission.student: submission for submission in found}


@pytest.fixture
def course(tiny_course: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "course"
    shutil.copytree(tiny_course, folder)
    change_config(folder, "c.Execute.timeout = 60", "c.Execute.timeout = 3")
    return folder


def test_scores_are_those_of_nbgrader(course: Path, tmp_path: Path) -> None:
    hand_in(course, HONEST)
    other = tmp_path / "nbgrader's"
    shutil.copytree(course, other)
    change_config(other, "SandboxedExecute if step is Execute else step", "step")
    for name in ONLY_HERE:
        shutil.rmtree(other / "submitted" / name)
    wanted = classroom.autograde(other, TINY)
    found = by_student(grade(course, TINY))
    points = classroom.points(course, TINY)
    assert set(found) == set(HONEST)
    assert not any(s.problem or s.flags for s in found.values())
    assert {name: points[name] for name in wanted} == wanted
    assert {name: points[name]["test_pi"] for name in ONLY_HERE} == dict.fromkeys(ONLY_HERE, 1)
    assert found["right"].score == 3
    assert found["exits"].score == 1
    pages = classroom.feedback(course, TINY)
    assert set(pages) == set(HONEST)


def test_nothing_is_done_twice_and_one_student_can_be_graded_again(course: Path) -> None:
    hand_in(course, {"a": STUDENTS["right"], "b": STUDENTS["blank"]})
    first = by_student(grade(course, TINY))
    assert all(s.fresh for s in first.values())
    assert not any(s.fresh for s in grade(course, TINY))
    nb = course / "submitted" / "b" / TINY / f"{TINY}.ipynb"
    nb.write_bytes((course / "submitted" / "a" / TINY / f"{TINY}.ipynb").read_bytes())
    again = by_student(grade(course, TINY))
    assert (again["a"].fresh, again["b"].fresh) == (False, True)
    assert again["b"].score == 3
    (only,) = grade(course, TINY, students=["a"], force=True)
    assert only.fresh
    assert len(list((course / ".grading" / "backups").glob("*.db"))) >= 1


def test_points_given_by_hand_survive(course: Path) -> None:
    from nbgrader.api import Gradebook

    hand_in(course, {"a": STUDENTS["blank"]})
    grade(course, TINY)
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
        given = gradebook.find_grade("test_double", TINY, TINY, "a")
        given.manual_score = 1.5
        gradebook.db.commit()
    (found,) = grade(course, TINY, force=True)
    assert found.score == 2.5


def test_without_a_sandbox_nbgrader_does_it(course: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hand_in(course, {"a": STUDENTS["right"], "b": STUDENTS["hidden"]})
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    with pytest.raises(NoSandbox, match="--no-sandbox"):
        grade(course, TINY)
    found = by_student(grade(course, TINY, sandboxed=False))
    assert (found["a"].score, found["b"].score) == (3, 1)


def test_kill_at_any_moment_and_go_on(course: Path) -> None:
    hand_in(course, {f"s{i}": STUDENTS[name] for i, name in enumerate(STUDENTS) if name != "slow"})
    other = course.parent / "uninterrupted"
    shutil.copytree(course, other)
    grade(other, TINY)
    command = [sys.executable, "-m", "gqlib", "grade", TINY, "--course", str(course)]
    rng = random.Random(0)
    for _ in range(5):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(rng.uniform(2, 12))
        process.send_signal(signal.SIGKILL)
        process.wait()
    run = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr
    assert classroom.points(course, TINY) == classroom.points(other, TINY)
    assert f"{len(STUDENTS) - 1} graded" in run.stdout


def test_the_command_says_what_became_of_the_class(course: Path) -> None:
    evil = "torch = None\ndef double(x):\n    return x\nimport math\nmath.pi = 4"
    hand_in(course, {"good": STUDENTS["right"], "evil": evil, "broken": STUDENTS["right"]})
    (course / "submitted" / "broken" / TINY / f"{TINY}.ipynb").write_text("{")
    page = course / "summary.html"
    command = [sys.executable, "-m", "gqlib", "grade", TINY, "--html", str(page)]
    run = subprocess.run(command, capture_output=True, text=True, cwd=course, timeout=300)
    assert run.returncode == 1, run.stderr
    assert "3 submissions, 2 graded (2 of them now), 1 not" in run.stdout
    assert "broken: " in run.stdout
    assert "evil: replaced math.pi" in run.stdout
    text = page.read_text(encoding="utf-8")
    assert "<td>evil<td class=n>1" in text
    assert "<script" not in text
    assert "3/3" in run.stderr
    assert "students/min" in run.stderr
    assert "evil: replaced math.pi" in run.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nonesuch"], "release the lesson first"),
        (["unknown"], "does not know unknown: run `nbgrader generate_assignment --force unknown`"),
        ([TINY, "--student", "nobody"], "nothing was handed in for tiny by nobody"),
        ([TINY, "--jobs", "0"], "--jobs 0, expected at least 1"),
        ([TINY, "--course", "/"], "no nbgrader_config.py in /"),
    ],
)
def test_bad_input_is_named(course: Path, arguments: list[str], message: str) -> None:
    (course / "lessons" / "unknown").mkdir()
    (course / "lessons" / "unknown" / "unknown.ipynb").write_text("{}")
    command = [sys.executable, "-m", "gqlib", "grade", *arguments]
    run = subprocess.run(command, capture_output=True, text=True, cwd=course, timeout=120)
    assert run.returncode == 2
    assert message in run.stderr
    assert "Traceback" not in run.stderr

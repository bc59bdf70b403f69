"""``gqlib grade``: nbgrader's scores, whatever happens on the way."""

from __future__ import annotations

import contextlib
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbgrader.api import Gradebook

from gqlib.grading import classroom, feedback, submissions
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
    assert list((course / ".grading" / "backups").glob("*.db"))


def test_unknown_limits_are_named(course: Path) -> None:
    hand_in(course, {"a": STUDENTS["right"]})
    change_config(course, "c.Execute.timeout = 3", "c.SandboxedExecute.limits = {'ram': 1}")
    with pytest.raises(ValueError, match=r"limits has ram, expected some of cpu_seconds, .*memory"):
        grade(course, TINY)


def test_points_given_by_hand_survive(course: Path) -> None:
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


@pytest.mark.parametrize("kills", [3, pytest.param(20, marks=pytest.mark.whole)])
def test_kill_at_any_moment_and_go_on(course: Path, kills: int) -> None:
    names = [name for name in STUDENTS if name not in ("slow", "frames")]
    # As many as are not done before the last kill; each submission is a work of its own.
    answers = {f"s{i}": f"{STUDENTS[names[i % len(names)]]}\n# {i}" for i in range(2 * kills + 6)}
    hand_in(course, answers)
    other = course.parent / "uninterrupted"
    shutil.copytree(course, other)
    grade(other, TINY)
    command = [sys.executable, "-m", "gqlib", "grade", TINY, "--course", str(course)]
    rng = random.Random(0)
    cut = 0
    for _ in range(kills):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(rng.uniform(1, 9))
        cut += process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert cut == kills, "every kill came before the end"
    run = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr
    assert classroom.points(course, TINY) == classroom.points(other, TINY)
    assert f"{len(answers)} graded" in run.stdout


def test_late_work_pays_what_nbgrader_is_told(course: Path) -> None:
    change_config(course, "c.Execute.timeout = 3", LATE + "c.Execute.timeout = 3")
    hand_in(course, dict.fromkeys(["early", "late", "unknown"], STUDENTS["right"]))
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
        gradebook.update_or_create_assignment(TINY, duedate="2030-05-01 12:00:00 UTC")
    for name, hour in (("early", 11), ("late", 14)):
        stamp = course / "submitted" / name / TINY / "timestamp.txt"
        stamp.write_text(f"2030-05-01 {hour}:00:00 UTC", encoding="utf-8")
    found = grade(course, TINY)
    assert [s.score for s in found] == [3, 3, 3]
    assert penalties(course) == {"early": 0, "late": 2, "unknown": 0}
    stamp.write_text("2030-05-01 13:00:00 UTC", encoding="utf-8")
    again = by_student(grade(course, TINY))
    assert [again[name].fresh for name in ("early", "late", "unknown")] == [False, True, False]
    assert penalties(course)["late"] == 1
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
        gradebook.update_or_create_assignment(TINY, duedate="2030-05-01 10:00:00 UTC")
    assert all(s.fresh for s in grade(course, TINY)), "another date is another penalty"
    assert penalties(course) == {"early": 1, "late": 3, "unknown": 0}


LATE = """
from nbgrader.plugins import LateSubmissionPlugin
class ByTheHour(LateSubmissionPlugin):
    def late_submission_penalty(self, student_id, score, total_seconds_late):
        return total_seconds_late / 3600
c.AssignLatePenalties.plugin_class = ByTheHour
"""


def penalties(course: Path) -> dict[str, float]:
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
        return {
            s.student.id: s.late_submission_penalty for s in gradebook.assignment_submissions(TINY)
        }


def test_a_gradebook_that_lost_a_submission_gets_it_back(course: Path) -> None:
    hand_in(course, {"a": STUDENTS["right"], "b": STUDENTS["right"]})
    grade(course, TINY)
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
        gradebook.remove_submission(TINY, "a")
    again = by_student(grade(course, TINY))
    assert (again["a"].fresh, again["b"].fresh) == (True, False)
    assert again["a"].score == 3


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
    assert '<td>evil</td>\n<td class="n">1</td>' in text
    assert "<script" not in text
    assert "3/3" in run.stderr
    assert "students/min" in run.stderr
    assert "evil: replaced math.pi" in run.stderr


def test_feedback_pages_are_those_of_nbgrader(course: Path) -> None:
    hand_in(course, {"Zoë [1]": STUDENTS["right"], "b": STUDENTS["hidden"], "c": "{"})
    (course / "submitted" / "c" / TINY / f"{TINY}.ipynb").write_text("{")
    command = [sys.executable, "-m", "gqlib", "grade", TINY, "--feedback"]
    for points in (0, 1):  # the second time nothing is graded, and a page changes all the same
        with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
            if points:
                gradebook.find_grade("test_double", TINY, TINY, "b").manual_score = points
                gradebook.db.commit()
        run = subprocess.run(command, capture_output=True, text=True, cwd=course, timeout=300)
        assert "2 of 2 feedback pages written" in run.stdout, run.stderr
        assert run.returncode == 1, "one could not be graded"
        ours = {
            page.parents[1].name: page.read_text() for page in course.glob("feedback/*/*/*.html")
        }
    assert set(ours) == {"Zoë [1]", "b"}
    shutil.rmtree(course / "feedback")
    theirs = classroom.feedback(course, TINY)  # without the name that nbgrader takes for a pattern
    assert {"b": theirs["b"].read_text()} == {"b": ours["b"]}
    problems = feedback.write_pages(course, TINY, ["b", "nobody"])
    assert list(problems) == ["nobody"]
    assert "no notebook in" in problems["nobody"]


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

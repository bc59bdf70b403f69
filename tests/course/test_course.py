"""Grading mode, step budgets, and the course's own answers stepping in."""

from __future__ import annotations

import inspect

import pytest
import torch

from gqlib import course, data
from gqlib.course import _lesson
from tests.notebooks.answer import Lesson
from tests.notebooks.test_soundness import LESSONS


@pytest.fixture
def graded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")


@pytest.fixture(autouse=True)
def _student(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)
    monkeypatch.setattr(_lesson, "_current", "02_error_measures")


def test_steps_for_a_student() -> None:
    assert not course.graded()
    assert course.steps(1000) == 1000


@pytest.mark.usefixtures("graded")
def test_steps_while_graded() -> None:
    assert course.graded()
    assert course.steps(1000) == 3
    assert course.steps(1000, 50) == 50
    assert course.steps(2) == 2


def test_fewer_steps_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GQLIB_QUICK", "1")
    assert course.steps(1000) == 3
    assert course.steps(1000, 50) == 50
    assert course.steps(2) == 2
    monkeypatch.setenv("GQLIB_QUICK", "")
    assert course.steps(1000) == 1000


def test_gpu_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GQLIB_GPU", raising=False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert course.gpu() is None
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert course.gpu() == torch.device("mps")
    monkeypatch.setenv("GQLIB_GPU", "cpu")
    assert course.gpu() == torch.device("cpu")
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    assert course.gpu() is None


X, Y = torch.zeros(2, 3), torch.ones(2, 3)


def mse(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """A student's answer: this module's global of an exercise's name."""
    return torch.full((len(x),), 42.0)


def psnr(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    raise NotImplementedError("write your answer here, and delete this line")


def kl_divergence(p: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
    raise TypeError("a slip")


def test_the_students_own_answer_is_used(capsys: pytest.CaptureFixture[str]) -> None:
    assert course.yours("mse")(X, Y).tolist() == [42.0, 42.0]
    assert capsys.readouterr().out == ""


def test_an_unsolved_exercise_falls_back_with_one_note(capsys: pytest.CaptureFixture[str]) -> None:
    mine = course.yours("psnr")
    assert mine(X, Y).tolist() == [0.0, 0.0]
    mine(X, Y)
    printed = capsys.readouterr()
    assert printed.out == (
        "Note: psnr is not solved yet, so this cell uses the course's own psnr.\n"
    )
    assert printed.err == ""


def test_a_failing_or_missing_answer_falls_back(capsys: pytest.CaptureFixture[str]) -> None:
    p = torch.tensor([0.5, 0.5])
    assert float(course.yours("kl_divergence")(p, p)) == 0
    assert "your kl_divergence stopped with TypeError: a slip" in capsys.readouterr().out
    assert float(course.yours("js_divergence")(p, p)) == 0
    assert "the cell of js_divergence has not been run" in capsys.readouterr().out


@pytest.mark.usefixtures("graded")
def test_figures_use_the_course_while_graded() -> None:
    assert course.yours("mse")(X, Y).tolist() == [1.0, 1.0]


def test_an_unknown_exercise() -> None:
    with pytest.raises(KeyError, match=r"'rmse' is not an exercise of 02_error_.*'mse', 'psnr'"):
        course.yours("rmse")
    with pytest.raises(ValueError, match=r"no lesson '99_nothing', expected .* 00, 01"):
        course.lesson("99_nothing")


def test_a_notebook_that_names_no_lesson(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_lesson, "_current", None)
    with pytest.raises(RuntimeError, match="run the set-up cell"):
        course.yours("mse")


def test_names_are_those_of_the_lesson() -> None:
    course.lesson("01_four_failures")
    assert course.yours("mode_kl") is not None
    mine = course.answer("02_error_measures", "kl_divergence")
    assert mine is not course.answer("01_four_failures", "mode_kl")
    with pytest.raises(KeyError, match="'mse' is not an exercise of 01"):
        course.yours("mse")


@pytest.mark.usefixtures("graded")
def test_a_graded_lesson_reads_its_data_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    read = []
    monkeypatch.setattr(data, "load", lambda *name: read.append(name))
    course.lesson("02_error_measures", "mnist")
    assert read == [("mnist", "test"), ("mnist", "train")]


@pytest.mark.parametrize("name", LESSONS)
def test_every_exercise_has_a_reference_of_the_same_signature(name: str) -> None:
    lesson = Lesson(name)
    for exercise in lesson.exercises:
        namespace: dict[str, object] = {}
        exec(lesson.set_up, namespace)
        exec(lesson.source[exercise], namespace)
        asked = inspect.signature(namespace[exercise])  # type: ignore[arg-type]
        own = inspect.signature(course.answer(name, exercise))
        assert list(own.parameters) == list(asked.parameters), exercise
        defaults = [p.default for p in asked.parameters.values()]
        assert [p.default for p in own.parameters.values()] == defaults, exercise

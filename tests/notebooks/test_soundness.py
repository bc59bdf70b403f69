"""Grading soundness: wrong answers lose, right answers keep, and nothing else decides."""

from __future__ import annotations

import functools
import importlib
import os
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.notebooks.answer import Answer, Answers, Lesson, grade, grades, load, outcomes

LESSONS = (
    "00_start_here",
    "01_four_failures",
    "02_error_measures",
    "03_autoregressive",
    "04_vae_theory",
    "05_vae_training",
    "06_gan_theory",
    "07_gan_training",
    "08_inception_score",
    "09_frechet_distance",
    "10_fidelity_and_diversity",
    "11_memorisation",
)

lesson = functools.cache(Lesson)
answers: functools._lru_cache_wrapper[Answers] = functools.cache(load)

EXERCISES = [(name, exercise) for name in LESSONS for exercise in lesson(name).exercises]
each_exercise = pytest.mark.parametrize(("name", "exercise"), EXERCISES)


def own_answers(name: str) -> str:
    """The module of a lesson's own answers."""
    return f"gqlib.course.answers.lesson_{name[:2]}"


def gqlib_calls(name: str, exercise: str) -> list[Answer]:
    """Answers that only call the library: by name, through importlib, through a wrapper."""
    own = own_answers(name)
    arguments = "(*args, **kwargs):\n    "
    bodies = {
        "imports the course's own answer": f"from {own} import {exercise} as own\n"
        f"    return own(*args, **kwargs)",
        "goes through importlib and hides the exception": "import importlib\n"
        f"    library = importlib.import_module('gqlib' + '{own.removeprefix('gqlib')}')\n"
        "    try:\n"
        f"        return getattr(library, '{exercise}')(*args, **kwargs)\n"
        "    except Exception:\n"
        f"        return getattr(library, '{exercise}')(*args, **kwargs)",
        "falls back on course.yours": "from gqlib import course\n"
        f"    return course.yours('{exercise}')(*args, **kwargs)",
    }
    calls = [Answer(exercise, k, f"def {exercise}{arguments}{v}") for k, v in bodies.items()]
    alias = f"import functools, {own} as r\n{exercise} = functools.partial(r.{exercise})"
    return [*calls, Answer(exercise, "is an alias of the course's own answer", alias)]


def graded(
    name: str, exercise: str, given: list[Answer], cells: list[list[str]] | None = None
) -> Iterator[tuple[Answer, dict[str, bool]]]:
    """Each answer with the test cells, of those to run, that give it their points."""
    earned = grades(lesson(name), exercise, [a.source for a in given], cells)
    return zip(given, earned, strict=True)


@pytest.fixture(params=["", "another seed"], ids=["no secret", "secret"])
def secret(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GQLIB_SECRET", request.param)


@pytest.mark.parametrize("name", LESSONS)
def test_a_lesson_has_eighteen_automatic_points(name: str) -> None:
    points = lesson(name).points
    tested = {cell for exercise in lesson(name).exercises for cell in lesson(name).tests(exercise)}
    assert tested == set(points), "every graded code cell belongs to one exercise"
    assert sum(points.values()) == 18


@each_exercise
def test_there_are_enough_wrong_and_right_answers(name: str, exercise: str) -> None:
    assert len(answers(name).of("mutants", exercise)) >= 8
    assert len(answers(name).of("variants", exercise)) >= 3
    assert exercise in answers(name).probes


@each_exercise
def test_every_criterion_is_broken_by_some_mutant(name: str, exercise: str) -> None:
    broken = {cell for mutant in answers(name).of("mutants", exercise) for cell in mutant.breaks}
    assert broken == set(lesson(name).tests(exercise))


@each_exercise
@pytest.mark.usefixtures("secret")
def test_solution_keeps_all_points(name: str, exercise: str) -> None:
    earned = grade(lesson(name), exercise, lesson(name).source[exercise])
    assert all(earned.values()), earned


@each_exercise
def test_stub_earns_nothing(name: str, exercise: str) -> None:
    stub = f"def {exercise}(*args, **kwargs):\n    raise NotImplementedError"
    stubbed, undefined = grades(lesson(name), exercise, [stub, "pass"])
    assert not any(stubbed.values())
    assert not any(undefined.values()), "not defined at all"


@each_exercise
def test_each_test_cell_stands_alone(name: str, exercise: str) -> None:
    """So that a mutant below loses by its own fault, and not for what another cell defines."""
    cells = [[cell] for cell in lesson(name).tests(exercise)]
    solution = Answer(exercise, "the solution", lesson(name).source[exercise])
    for _, earned in graded(name, exercise, [solution] * len(cells), cells):
        assert all(earned.values()), earned


@each_exercise
@pytest.mark.usefixtures("secret")
def test_mutants_lose_the_points_of_what_they_break(name: str, exercise: str) -> None:
    mutants = answers(name).of("mutants", exercise)
    assert all(mutant.breaks for mutant in mutants)
    survivors = [
        (mutant.name, cell)
        for mutant, earned in graded(name, exercise, mutants, [list(m.breaks) for m in mutants])
        for cell, kept in earned.items()
        if kept
    ]
    assert not survivors


@each_exercise
@pytest.mark.usefixtures("secret")
def test_variants_keep_all_points(name: str, exercise: str) -> None:
    for variant, earned in graded(name, exercise, answers(name).of("variants", exercise)):
        assert all(earned.values()), (variant.name, earned)


@each_exercise
def test_answers_that_call_gqlib_earn_nothing(name: str, exercise: str) -> None:
    importlib.import_module(own_answers(name))  # or importing it would fail before the call does
    for answer, earned in graded(name, exercise, gqlib_calls(name, exercise)):
        assert not any(earned.values()), answer.name


@each_exercise
def test_mutants_are_numerically_distinct(name: str, exercise: str) -> None:
    probe = answers(name).probes[exercise]
    solution = Answer(exercise, "the solution", lesson(name).source[exercise])
    candidates = [solution, *answers(name).of("mutants", exercise)]
    seen: dict[str, str] = {}
    found = outcomes(lesson(name), exercise, [answer.source for answer in candidates], probe)
    for answer, outcome in zip(candidates, found, strict=True):
        assert outcome not in seen, f"{answer.name!r} and {seen[outcome]!r} agree on the probes"
        seen[outcome] = answer.name
    names = Counter(answer.name for answer in candidates)
    assert max(names.values()) == 1, "two mutants share a name"


@pytest.mark.whole
@each_exercise
def test_hidden_tests_hold_for_any_secret(
    name: str, exercise: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = [Answer(exercise, "the solution", lesson(name).source[exercise])]
    for seed in range(int(os.environ.get("GQLIB_SECRETS", "20"))):
        monkeypatch.setenv("GQLIB_SECRET", f"secret {seed}")
        everyone = [*right, *answers(name).of("variants", exercise)]
        for answer, earned in graded(name, exercise, everyone):
            assert all(earned.values()), (seed, answer.name, earned)

"""Wrong and right answers to the exercises, and how to run them as nbgrader would.

``tests/notebooks/answers/NN_topic.py`` declares them for one lesson:

* ``@mutant(slip, breaks=...)``: a plausible wrong answer, named by its misconception, and the test
  cells that must give it no points;
* ``@variant(how)``: a right answer written differently, which must earn all points;
* ``@probe(exercise)``: calls on which all mutants of an exercise must differ from each other.
"""

from __future__ import annotations

import ast
import contextlib
import importlib.util
import inspect
import io
import multiprocessing
import multiprocessing.connection
import os
import signal
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
from IPython.core.interactiveshell import InteractiveShell

ROOT = Path(__file__).resolve().parents[2]
ANSWERS = Path(__file__).resolve().parent / "answers"

#: Seconds that one cell of a test may take before it counts as failed, as in nbgrader_config.py.
TIME_LIMIT = 60


@dataclass(frozen=True)
class Answer:
    """One way to write an exercise's function: its source, and the test cells that it must fail."""

    exercise: str
    name: str
    source: str
    breaks: tuple[str, ...] = ()


@dataclass
class Answers:
    """All answers declared for one lesson."""

    mutants: list[Answer] = field(default_factory=list)
    variants: list[Answer] = field(default_factory=list)
    probes: dict[str, Callable[[Any], list[Any]]] = field(default_factory=dict)

    def of(self, kind: str, exercise: str) -> list[Answer]:
        return [answer for answer in getattr(self, kind) if answer.exercise == exercise]


_declared = Answers()


def _source(function: Callable[..., Any]) -> str:
    """The function's own source, without the first decorator, which declared it."""
    text = textwrap.dedent(inspect.getsource(function))
    (definition,) = ast.parse(text).body
    assert isinstance(definition, ast.FunctionDef)
    end = definition.decorator_list[0].end_lineno
    return "\n".join(text.split("\n")[end:])


def mutant(slip: str, breaks: str | tuple[str, ...]) -> Callable[[Any], Any]:
    def declare(function: Callable[..., Any]) -> Callable[..., Any]:
        cells = (breaks,) if isinstance(breaks, str) else breaks
        _declared.mutants.append(Answer(function.__name__, slip, _source(function), cells))
        return function

    return declare


def variant(how: str) -> Callable[[Any], Any]:
    def declare(function: Callable[..., Any]) -> Callable[..., Any]:
        _declared.variants.append(Answer(function.__name__, how, _source(function)))
        return function

    return declare


def probe(exercise: str) -> Callable[[Any], Any]:
    def declare(function: Callable[[Any], list[Any]]) -> Callable[[Any], list[Any]]:
        _declared.probes[exercise] = function
        return function

    return declare


def load(lesson: str) -> Answers:
    """The answers declared in ``answers/<lesson>.py``."""
    global _declared
    _declared = Answers()
    path = ANSWERS / f"{lesson}.py"
    spec = importlib.util.spec_from_file_location(f"answers_{lesson}", path)
    assert spec is not None
    assert spec.loader is not None
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
    return _declared


class Lesson:
    """A solution notebook taken apart: its set-up, its exercises and their test cells."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.path = ROOT / "solutions" / name / f"{name}.ipynb"
        cells = nbformat.read(self.path, as_version=4).cells
        graded = [c for c in cells if "nbgrader" in c.metadata and c.cell_type == "code"]
        self.source = {c.metadata.nbgrader.grade_id: c.source for c in graded}
        self.set_up = self.source["set-up"]
        # Imported once here, the lesson's libraries are warm in every fork.
        exec(self.set_up, {})
        self.exercises = [
            c.metadata.nbgrader.grade_id for c in graded if c.metadata.nbgrader.solution
        ]
        self.points = {
            c.metadata.nbgrader.grade_id: float(c.metadata.nbgrader.points)
            for c in graded
            if c.metadata.nbgrader.grade
        }

    def tests(self, exercise: str) -> list[str]:
        """The test cells of an exercise; no other exercise's name may be a longer match."""
        return [
            cell
            for cell in self.points
            if max(
                (e for e in self.exercises if cell.startswith(f"test_{e}_")), key=len, default=""
            )
            == exercise
        ]


class _Stopped(Exception):
    """A cell ran longer than the time limit."""


def _run_cells(set_up: str, answer: str, tests: dict[str, str]) -> dict[str, bool]:
    """Run set-up, answer and test cells in a fresh shell; True where a cell earns its points."""

    def stop(*_: object) -> None:
        raise _Stopped

    shell = InteractiveShell()
    shell.showtraceback = lambda *a, **k: None  # type: ignore[method-assign]
    with contextlib.redirect_stdout(io.StringIO()):
        shell.run_cell(set_up)
        shell.run_cell(answer)
        earned = {}
        for name, source in tests.items():
            stderr = io.StringIO()
            signal.signal(signal.SIGALRM, stop)
            signal.alarm(TIME_LIMIT)
            with contextlib.redirect_stderr(stderr):
                result = shell.run_cell(source)
            signal.alarm(0)
            # For nbgrader an error or text on stderr is zero, a displayed value partial credit.
            earned[name] = result.success and not stderr.getvalue() and result.result is None
    return earned


def _child(connection: Any, function: Callable[..., Any], *arguments: Any) -> None:
    import torch

    torch.set_num_threads(1)
    connection.send(function(*arguments))
    connection.close()


def forked(function: Callable[..., Any], calls: Sequence[tuple[Any, ...]]) -> list[Any]:
    """What ``function(*call)`` returns for each of ``calls``, in forks of this warm process.

    As many run at once as there are cores, each with one thread.
    """
    context = multiprocessing.get_context("fork")
    waiting, results = list(enumerate(calls)), [None] * len(calls)
    running: dict[Any, tuple[int, Any]] = {}
    try:
        while waiting or running:
            while waiting and len(running) < (os.cpu_count() or 1):
                place, call = waiting.pop(0)
                here, there = context.Pipe(duplex=False)
                process = context.Process(target=_child, args=(there, function, *call), daemon=True)
                process.start()
                there.close()
                running[here] = place, process
            ready = multiprocessing.connection.wait(list(running), 10 * TIME_LIMIT)
            if not ready:
                raise TimeoutError(f"no forked process answered in {10 * TIME_LIMIT} s")
            for here in ready:
                place, process = running.pop(here)
                try:
                    results[place] = here.recv()
                except EOFError:
                    raise RuntimeError("a forked process died before it answered") from None
                finally:
                    process.kill()
                    process.join()
    finally:
        for _, process in running.values():
            process.kill()
            process.join()
    return results


def grades(
    lesson: Lesson,
    exercise: str,
    answers: Sequence[str],
    cells: Sequence[Sequence[str]] | None = None,
) -> list[dict[str, bool]]:
    """Which test cells of ``exercise`` give each of the answers their points.

    ``cells`` names for each answer the test cells to run; by default they are all of them.
    """
    every = lesson.tests(exercise)
    calls = [
        (lesson.set_up, answer, {name: lesson.source[name] for name in chosen})
        for answer, chosen in zip(answers, cells or [every] * len(answers), strict=True)
    ]
    return forked(_run_cells, calls)


def grade(lesson: Lesson, exercise: str, answer: str) -> dict[str, bool]:
    """The same for one answer."""
    return grades(lesson, exercise, [answer])[0]


def outcomes(
    lesson: Lesson, exercise: str, answers: Sequence[str], probe: Callable[[Any], list[Any]]
) -> list[str]:
    """What each answer returns on the probes, as text; an exception counts by its type."""
    return forked(_outcomes, [(lesson.set_up, exercise, answer, probe) for answer in answers])


def _outcomes(set_up: str, exercise: str, answer: str, probe: Callable[[Any], list[Any]]) -> str:
    namespace: dict[str, Any] = {}
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        exec(set_up, namespace)
        exec(answer, namespace)

        def safe(*args: Any, **kwargs: Any) -> Any:
            try:
                return namespace[exercise](*args, **kwargs)
            except Exception as error:
                return type(error).__name__

        return _rounded(probe(safe))


def _rounded(value: Any) -> str:
    import torch

    if isinstance(value, torch.Tensor):
        return f"{value.dtype}{_rounded(value.detach().tolist())}"
    if isinstance(value, dict):
        return str({key: _rounded(item) for key, item in sorted(value.items())})
    if isinstance(value, list | tuple):
        return f"{type(value).__name__}({', '.join(_rounded(item) for item in value)})"
    return f"{value:.6g}" if isinstance(value, float) else repr(value)

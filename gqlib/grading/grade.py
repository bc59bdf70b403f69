"""Grade all submissions of a lesson: in parallel, in a sandbox, and so that it can be resumed.

1. Each submission is sanitised by nbgrader's own preprocessors (:class:`Sanitiser`).
2. What there is to execute is executed, many at a time; results are kept by their content.
3. nbgrader's Autograde records each submission in the gradebook, one after the other. Its step of
   execution finds the result of step 2. Without a sandbox there is no step 2, and nbgrader's own
   kernels do it here.

A submission counts as recorded once a file says so with the key of its work. Whatever ends the
command, the same command goes on from there.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbgrader.api import Gradebook
from nbgrader.converters.autograde import Autograde
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import CheckCellMetadata
from traitlets.config import Config
from traitlets.config.loader import PyFileConfigLoader

from gqlib.grading import submissions
from gqlib.grading.execution import Results, Work, work_of
from gqlib.grading.sandbox.limits import MIB, Limits
from gqlib.grading.sandbox.pool import Executed, Pool

#: What the command keeps, in the course's folder.
STATE = ".grading"
#: A notebook may be as large as this; the course's own are below 1 MiB.
_NOTEBOOK_LIMIT = 32 * MIB
#: Backups of the gradebook that are kept.
_BACKUPS = 5


@dataclass
class Submission:
    """What became of one submission.

    Attributes:
        student: The name of the student's folder.
        work: What there is to execute; ``None`` if it could not be read.
        problem: Why it was not graded, or empty.
        flags: What was seen of tampering.
        seconds: How long its execution took, now or earlier.
        score: Points, if it was graded.
        max_score: Points of the lesson.
        fresh: Whether it was recorded by this run.
    """

    student: str
    work: Work | None = None
    problem: str = ""
    flags: list[str] = field(default_factory=list)
    seconds: float = 0.0
    score: float | None = None
    max_score: float = 0.0
    fresh: bool = False


class Sanitiser(Autograde):  # type: ignore[misc]
    """The first half of nbgrader's Autograde, without a trace in the gradebook or on disk."""

    def sanitised(self, path: Path) -> NotebookNode:
        """The notebook as nbgrader would execute it."""
        self._sanitizing = True
        self._init_preprocessors()
        resources = self.init_single_notebook_resources(str(path))
        text, _ = self.exporter.from_filename(str(path), resources=resources)
        nb: NotebookNode = nbformat.reads(text, as_version=4)
        return nb

    def start(self) -> None:
        """Make the exporter, and convert nothing."""
        self.exporter = self.exporter_class(parent=self, config=self.config)
        # Only checks, slowly, and will check again when the submission is recorded.
        steps: list[type] = list(Autograde.sanitize_preprocessors.get(self))
        self.sanitize_preprocessors = [s for s in steps if s is not CheckCellMetadata]


class Course:
    """A course's folder with nbgrader's configuration.

    Args:
        root: The folder that holds ``nbgrader_config.py``.
        lesson: Name of the lesson.
        sandboxed: Whether students' code runs in the sandbox.

    Raises:
        FileNotFoundError: No such configuration, or the lesson was not released by nbgrader.
    """

    def __init__(self, root: Path, lesson: str, sandboxed: bool = True) -> None:
        self.root, self.lesson = root.resolve(), lesson
        if not (self.root / "nbgrader_config.py").exists():
            raise FileNotFoundError(
                f"no nbgrader_config.py in {self.root}: run this in the course's folder, or name "
                "that folder (--course)"
            )
        self.state = self.root / STATE / lesson
        self.results = Results(self.state / "results")
        with contextlib.chdir(self.root):
            self.config: Config = PyFileConfigLoader(
                "nbgrader_config.py", str(self.root)
            ).load_config()
        self.config.SandboxedExecute.results = str(self.results.folder)
        self.config.SandboxedExecute.sandbox = sandboxed
        self.limits = Limits(cell_seconds=float(self.config.Execute.get("timeout", 60)))
        self.directory = CourseDirectory(
            config=self.config, root=str(self.root), assignment_id=lesson
        )
        self.released = (
            Path(self._folder(self.directory.release_directory, ".")) / f"{lesson}.ipynb"
        )
        if not self.released.exists():
            raise FileNotFoundError(
                f"no {self.released}: release the lesson first, by `nbgrader generate_assignment "
                f"{lesson}`"
            )

        if not self._is_known():
            raise FileNotFoundError(
                f"the gradebook {self.gradebook} does not know {lesson}: run `nbgrader "
                f"generate_assignment --force {lesson}` first"
            )

    def _is_known(self) -> bool:
        if not self.gradebook.exists():
            return False
        with Gradebook(str(self.directory.db_url)) as gradebook:
            return any(a.name == self.lesson for a in gradebook.assignments)

    @property
    def submitted(self) -> Path:
        return self.root / str(self.directory.submitted_directory)

    @property
    def gradebook(self) -> Path:
        return Path(str(self.directory.db_url).removeprefix("sqlite:///"))

    def students(self) -> list[str]:
        """Whoever handed something in for the lesson."""
        return sorted(p.parent.name for p in self.submitted.glob(f"*/{self.lesson}") if p.is_dir())

    def _folder(self, kind: str, student: str) -> str:
        return str(self.directory.format_path(kind, student, self.lesson))

    def notebook(self, student: str) -> Path:
        return self.submitted / student / self.lesson / f"{self.lesson}.ipynb"


def grade(
    root: Path,
    lesson: str,
    students: Sequence[str] = (),
    jobs: int | None = None,
    sandboxed: bool = True,
    force: bool = False,
    progress: Callable[[str, int, int], None] = lambda stage, done, of: None,
    log: Any = None,
) -> list[Submission]:
    """Grade a lesson's submissions; those that were graded before are left as they are.

    Args:
        root: The course's folder.
        lesson: Name of the lesson.
        students: Whom to grade; by default everybody.
        jobs: How many submissions run at once; by default as many as there are cores.
        sandboxed: Without, nbgrader's own kernels run students' code, one after the other and with
            all rights of this process.
        force: Execute and record again what was graded before.
        progress: Told of a stage, how many submissions it has done and of how many.
        log: Where the sandbox's own complaints go.

    Returns:
        What became of each submission, in the order of students' names.

    Raises:
        FileNotFoundError: No course here, or the lesson was not released.
        ValueError: A student who handed in nothing.
        BlockingIOError: Another process grades in this course.
    """
    course = Course(root, lesson, sandboxed)
    everybody = course.students()
    unknown = sorted(set(students) - set(everybody))
    if unknown:
        raise ValueError(f"nothing was handed in for {lesson} by {', '.join(unknown)}")
    with _alone(course):
        submissions.restore_names(course.submitted, lesson, course.released)
        found = [Submission(name) for name in (students or everybody)]
        _sanitise(course, found, progress)
        if sandboxed:
            _execute(course, found, jobs or os.cpu_count() or 1, force, progress, log)
        _record(course, found, force, progress)
        _look_up(course, found)
    return found


@contextlib.contextmanager
def _alone(course: Course) -> Iterator[None]:
    """Nobody else grades in this course meanwhile."""
    import fcntl

    course.state.mkdir(parents=True, exist_ok=True)
    with (course.state.parent / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BlockingIOError(
                f"another process grades in {course.root}: wait until it has finished"
            ) from None
        yield


# --- 1 · sanitise


def _sanitise(course: Course, found: list[Submission], progress: Any) -> None:
    sanitiser = Sanitiser(coursedir=course.directory, config=course.config)
    with contextlib.chdir(course.root):
        sanitiser.start()
        for done, submission in enumerate(found):
            progress("reading", done, len(found))
            try:
                submission.work = _read(course, sanitiser, submission.student)
            except Exception as error:  # whatever a student's file does to nbgrader
                submission.problem = _sentence(error)
        progress("reading", len(found), len(found))


def _read(course: Course, sanitiser: Sanitiser, student: str) -> Work:
    path = course.notebook(student)
    folder = path.parent
    for part in (folder.parent, folder, *folder.rglob("*")):
        if part.is_symlink():
            raise ValueError(
                f"{part.relative_to(course.submitted)} is a link, which could lead anywhere"
            )
        if not (part.is_file() or part.is_dir()):
            raise ValueError(f"{part.relative_to(course.submitted)} is no ordinary file")
    if not path.exists():
        raise ValueError(f"no notebook named {path.name} was handed in")
    if path.stat().st_size > _NOTEBOOK_LIMIT:
        raise ValueError(f"the notebook is larger than {_NOTEBOOK_LIMIT // MIB} MiB")
    # nbgrader puts the course's own files over those that were handed in.
    own = course.root / str(course.directory.source_directory) / course.lesson
    return work_of(sanitiser.sanitised(path), folder, own)


def _sentence(error: BaseException) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 300 else f"{text[:299]}…"


# --- 2 · execute


def _execute(
    course: Course,
    found: list[Submission],
    jobs: int,
    force: bool,
    progress: Any,
    log: Any,
) -> None:
    waiting: dict[str, Work] = {}
    for submission in found:
        work = submission.work
        if work is not None and (force or course.results.get(work.key) is None):
            waiting[work.key] = work
    total = len(waiting)
    running: dict[Future[Executed], str] = {}
    queue = sorted(waiting.values(), key=lambda work: work.set_up)
    pool: Pool | None = None
    set_up = None
    try:
        for work in queue:
            if work.set_up != set_up:
                _drain(course, running, 0, total, progress)
                if pool is not None:
                    pool.close()
                set_up, pool = work.set_up, Pool(work.set_up, course.limits, log)
            _drain(course, running, jobs - 1, total, progress)
            assert pool is not None
            running[pool.submit(work.cells, work.files, work.environment)] = work.key
        _drain(course, running, 0, total, progress)
    finally:
        if pool is not None:
            pool.close()


def _drain(
    course: Course, running: dict[Future[Executed], str], left: int, total: int, progress: Any
) -> None:
    """Keep results until no more than ``left`` submissions run."""
    while len(running) > left:
        done, _ = wait(running, return_when=FIRST_COMPLETED)
        for future in done:
            course.results.put(running.pop(future), future.result())
            progress("executing", -1, total)


# --- 3 · record


def _record(course: Course, found: list[Submission], force: bool, progress: Any) -> None:
    marks = course.state / "recorded"
    marks.mkdir(parents=True, exist_ok=True)
    todo = [
        s for s in found if s.work is not None and (force or _mark(marks, s.student) != s.work.key)
    ]
    if todo:
        _back_up(course)
    for done, submission in enumerate(todo):
        progress("recording", done, len(todo))
        assert submission.work is not None
        place = marks / _file_name(submission.student)
        place.unlink(missing_ok=True)
        try:
            _record_one(course, submission.student)
        except Exception as error:  # whatever a student's file does to nbgrader
            submission.problem = _sentence(error)
            continue
        part = place.with_suffix(".part")
        part.write_text(submission.work.key, encoding="utf-8")
        part.replace(place)
        submission.fresh = True
    progress("recording", len(todo), len(todo))


def _record_one(course: Course, student: str) -> None:
    """One submission by nbgrader's own Autograde, whose execution finds its result."""
    directory = CourseDirectory(
        config=course.config,
        root=str(course.root),
        assignment_id=course.lesson,
        student_id=student,
    )
    converter = Autograde(coursedir=directory, config=course.config)
    converter.force = True
    converter.start()


def _mark(marks: Path, student: str) -> str:
    try:
        return (marks / _file_name(student)).read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""


def _file_name(student: str) -> str:
    return hashlib.sha256(student.encode("utf-8", "surrogateescape")).hexdigest()[:32]


def _back_up(course: Course) -> None:
    """A copy of the gradebook beside what the command keeps; of these the last few."""
    if not course.gradebook.exists():
        return
    folder = course.state.parent / "backups"
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{time.strftime('%Y-%m-%d-%H%M%S')}.db"
    part = target.with_suffix(".part")
    with (
        contextlib.closing(sqlite3.connect(course.gradebook)) as source,
        contextlib.closing(sqlite3.connect(part)) as copy,
    ):
        source.backup(copy)
    part.replace(target)
    for old in sorted(folder.glob("*.db"))[:-_BACKUPS]:
        old.unlink()


def _look_up(course: Course, found: list[Submission]) -> None:
    """Scores from the gradebook, and what the executions had seen."""
    with Gradebook(str(course.directory.db_url)) as gradebook:
        scores = {
            s.student.id: (float(s.score), float(s.max_score))
            for s in gradebook.assignment_submissions(course.lesson)
        }
    for submission in found:
        if submission.work is None:
            continue
        executed = course.results.get(submission.work.key)
        if executed is not None:
            submission.flags, submission.seconds = executed.flags, executed.seconds
        if not submission.problem and submission.student in scores:
            submission.score, submission.max_score = scores[submission.student]

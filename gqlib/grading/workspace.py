"""A course's folder, as the commands that work on a class see it."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbgrader.api import Gradebook
from nbgrader.converters.autograde import Autograde
from nbgrader.converters.base import BaseConverter
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import CheckCellMetadata
from traitlets.config import Config
from traitlets.config.loader import PyFileConfigLoader

from gqlib._utils import atomic
from gqlib.grading import restore
from gqlib.grading.execution import Results, SandboxedExecute, Work, work_of
from gqlib.grading.sandbox.limits import MIB

#: The commands' own files, in the course's folder.
STATE = ".grading"
#: Limits of a notebook; the course's own are below 1 MiB and 100 cells.
_NOTEBOOK_LIMIT, _CELL_LIMIT = 32 * MIB, 5000
#: Backups of the gradebook that are kept.
_BACKUPS = 5


class Course:
    """A course's folder with nbgrader's configuration, for one lesson.

    Args:
        root: The folder that holds ``nbgrader_config.py``.
        lesson: Name of the lesson.
        sandboxed: Whether students' code runs in the sandbox.

    Raises:
        FileNotFoundError: There is no such configuration, or nbgrader has not released the lesson.
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
        self.directory = self.directory_of()
        self.config.SandboxedExecute.results = str(self.results.folder)
        self.config.SandboxedExecute.sandbox = sandboxed
        self.config.SandboxedExecute.solutions = str(self.solution.parents[1])
        self.limits = SandboxedExecute(config=self.config).allowed()
        release = self.directory.format_path(self.directory.release_directory, ".", lesson)
        self.released = Path(release) / f"{lesson}.ipynb"
        if not self.released.exists():
            raise FileNotFoundError(
                f"no {self.released}: release the lesson first, by `nbgrader generate_assignment "
                f"{lesson}`"
            )
        self.terms = self._terms()

    def _terms(self) -> str:
        """What else scores depend on: points, and when the lesson is due."""
        if self.gradebook.exists():
            with Gradebook(str(self.directory.db_url)) as gradebook:
                for found in gradebook.assignments:
                    if found.name == self.lesson:
                        known = restore.known_cells(gradebook, self.lesson, self.lesson)
                        points = {name: cell.metadata.get("points") for name, cell in known.items()}
                        return f"{points} {found.duedate}"
        raise FileNotFoundError(
            f"the gradebook {self.gradebook} does not know {self.lesson}: run `nbgrader "
            f"generate_assignment --force {self.lesson}` first"
        )

    @property
    def submitted(self) -> Path:
        return self.root / str(self.directory.submitted_directory)

    @property
    def solution(self) -> Path:
        folder = self.root / str(self.directory.source_directory) / self.lesson
        return folder / f"{self.lesson}.ipynb"

    @property
    def gradebook(self) -> Path:
        return Path(str(self.directory.db_url).removeprefix("sqlite:///"))

    def students(self) -> list[str]:
        """The students who handed something in for the lesson."""
        return sorted(p.parent.name for p in self.submitted.glob(f"*/{self.lesson}") if p.is_dir())

    def directory_of(self, student: str = "*") -> CourseDirectory:
        """nbgrader's configuration for converting one student's notebook, or everybody's."""
        return CourseDirectory(
            config=self.config,
            root=str(self.root),
            assignment_id=self.lesson,
            student_id=student,
        )

    def notebook(self, student: str) -> Path:
        """What a student has handed in."""
        return self.submitted / student / self.lesson / f"{self.lesson}.ipynb"

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """A block in which no other process grades in this course.

        Raises:
            BlockingIOError: Another process does.
        """
        import fcntl

        self.state.mkdir(parents=True, exist_ok=True)
        with (self.state.parent / "lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise BlockingIOError(
                    f"another process grades in {self.root}: wait until it has finished"
                ) from None
            yield

    def back_up(self) -> None:
        """Copy the gradebook into the commands' folder; only the last few copies are kept."""
        folder = self.state.parent / "backups"
        folder.mkdir(parents=True, exist_ok=True)
        with (
            atomic.replacing(folder / f"{time.strftime('%Y-%m-%d-%H%M%S')}.db") as part,
            contextlib.closing(sqlite3.connect(self.gradebook)) as source,
            contextlib.closing(sqlite3.connect(part)) as copy,
        ):
            source.backup(copy)
        for old in sorted(folder.glob("*.db"))[:-_BACKUPS]:
            old.unlink()

    def record(self, student: str) -> None:
        """Record one submission by nbgrader's Autograde, whose execution finds its result."""
        Recorder(coursedir=self.directory_of(student), config=self.config, force=True).start()

    def scores(self) -> dict[str, tuple[float, float]]:
        """Points and possible points of the students in the gradebook for this lesson."""
        with Gradebook(str(self.directory.db_url)) as gradebook:
            return {
                s.student_id: (float(s.score), float(s.max_score))
                for s in gradebook.assignment_submissions(self.lesson)
            }


class OfOneStudent(BaseConverter):  # type: ignore[misc]
    """A converter of nbgrader that works on one student's notebooks only.

    nbgrader takes names as patterns: ``ada*`` would match Adam too, and ``ada [1]`` nobody.
    """

    def init_notebooks(self) -> None:
        source = self._format_source(self.coursedir.assignment_id, self.coursedir.student_id)
        notebooks = sorted(map(str, Path(source).glob("*.ipynb")))
        if not notebooks:
            raise FileNotFoundError(f"no notebook in {source}")
        self.assignments = {source: notebooks}


class Recorder(OfOneStudent, Autograde):  # type: ignore[misc]
    """nbgrader's Autograde, for one student."""


class Sanitiser(Autograde):  # type: ignore[misc]
    """The first half of nbgrader's Autograde, which leaves no trace in the gradebook or on disk.

    Args:
        course: The course whose submissions are sanitised.
    """

    def __init__(self, course: Course) -> None:
        super().__init__(coursedir=course.directory, config=course.config)
        self._course = course
        with contextlib.chdir(course.root):
            self.exporter = self.exporter_class(parent=self, config=self.config)
        # This step only checks, slowly, and checks again when the submission is recorded.
        steps: list[type] = list(Autograde.sanitize_preprocessors.get(self))
        self.sanitize_preprocessors = [s for s in steps if s is not CheckCellMetadata]

    def work(self, student: str) -> tuple[Work, list[str]]:
        """The work of a submission, and what was noticed while it was sanitised.

        Raises:
            Exception: Whatever error a student's file causes in nbgrader.
        """
        course, path = self._course, self._course.notebook(student)
        _check_files(path, course.submitted)
        with contextlib.chdir(course.root):
            nb = self._sanitised(path)
        # nbgrader puts the course's own files over those that were handed in.
        return work_of(nb, path.parent, course.solution.parent), restore.seen(nb)

    def _sanitised(self, path: Path) -> NotebookNode:
        """The notebook as nbgrader would execute it."""
        self._sanitizing = True
        self._init_preprocessors()
        resources = self.init_single_notebook_resources(str(path))
        text, _ = self.exporter.from_filename(str(path), resources=resources)
        nb: NotebookNode = nbformat.reads(text, as_version=4)
        return nb


def _check_files(path: Path, submitted: Path) -> None:
    """Refuse anything but an ordinary notebook with ordinary files next to it."""
    folder = path.parent
    for part in (folder.parent, folder, *folder.rglob("*")):
        if part.is_symlink():
            raise ValueError(f"{part.relative_to(submitted)} is a link, which could lead anywhere")
        if not (part.is_file() or part.is_dir()):
            raise ValueError(f"{part.relative_to(submitted)} is not an ordinary file")
    if not path.exists():
        raise ValueError(f"no notebook named {path.name} was handed in")
    if path.stat().st_size > _NOTEBOOK_LIMIT:
        raise ValueError(f"the notebook is larger than {_NOTEBOOK_LIMIT // MIB} MiB")
    cells = len(nbformat.read(path, as_version=4).cells)
    if cells > _CELL_LIMIT:
        raise ValueError(f"the notebook has {cells} cells, more than {_CELL_LIMIT}")


def sentence(error: BaseException) -> str:
    """What went wrong, in one line of bounded length."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 300 else f"{text[:299]}…"

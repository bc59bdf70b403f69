"""Grade all submissions of a lesson: in parallel, in a sandbox, and resumable.

Each submission takes three steps. While some are executed, others are read and recorded.

1. It is sanitised by nbgrader's own preprocessors (:class:`Sanitiser`).
2. It is executed, here or on a cluster (``execution``); the result is kept by content.
3. nbgrader's Autograde records it in the gradebook, one submission at a time. Its step of execution
   finds the result of step 2. Without a sandbox there is no step 2, and nbgrader's own kernels
   execute in this step.

A submission counts as recorded once a file with the key of its work says so. If the command is
stopped, the same command continues from there.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    CancelledError,
    Executor,
    Future,
    ThreadPoolExecutor,
    wait,
)
from dataclasses import dataclass, field
from pathlib import Path

from gqlib._utils import atomic
from gqlib.grading import cluster, submissions
from gqlib.grading.execution import Work, close_pools, execute, keep_apart
from gqlib.grading.sandbox.bubblewrap import NoSandbox
from gqlib.grading.sandbox.limits import Limits
from gqlib.grading.sandbox.pool import Executed
from gqlib.grading.workspace import Course, Sanitiser, sentence


@dataclass
class Submission:
    """The outcome of one submission.

    Attributes:
        student: The name of the student's folder.
        key: The key of its work; empty if it could not be read.
        problem: Why it was not graded, or empty.
        flags: Signs of tampering.
        seconds: How long its execution took, now or earlier.
        score: Points, if it was graded.
        max_score: Points of the lesson.
        fresh: Whether it was recorded by this run.
    """

    student: str
    key: str = ""
    problem: str = ""
    flags: list[str] = field(default_factory=list)
    seconds: float = 0.0
    score: float | None = None
    max_score: float = 0.0
    fresh: bool = False


#: Called with the numbers of submissions that are done and in all, and the last one done, if any.
Progress = Callable[[int, int, Submission | None], None]


def grade(
    root: Path,
    lesson: str,
    students: Sequence[str] = (),
    jobs: int | None = None,
    sandboxed: bool = True,
    force: bool = False,
    progress: Progress = lambda done, of, submission: None,
    scheduler: str = "",
) -> list[Submission]:
    """Grade a lesson's submissions, except those that were graded before.

    Args:
        root: The course's folder.
        lesson: Name of the lesson.
        students: Whom to grade; by default everybody.
        jobs: How many submissions run at once; by default as many as there are cores, here or in
            the cluster.
        sandboxed: If false, nbgrader's own kernels run students' code, one submission at a time and
            with all rights of this process.
        force: Execute and record again what was graded before.
        progress: See :data:`Progress`.
        scheduler: Address of a Dask cluster's scheduler, whose workers execute the submissions.

    Returns:
        The outcome of each submission, in the order of students' names.

    Raises:
        FileNotFoundError: There is no course here, or the lesson was not released.
        ValueError: A student who handed in nothing, or a cluster that can't be used.
        NoSandbox: There is no sandbox, here or on a worker.
        RuntimeError: The cluster's scheduler ended meanwhile.
        BlockingIOError: Another process grades in this course.
    """
    course = Course(root, lesson, sandboxed)
    everybody = course.students()
    unknown = sorted(set(students) - set(everybody))
    if unknown:
        raise ValueError(f"nothing was handed in for {lesson} by {', '.join(unknown)}")
    with course.alone():
        submissions.restore_names(course.submitted, lesson, course.released)
        found = [Submission(name) for name in (students or everybody)]
        with _executor(jobs, scheduler) if sandboxed else contextlib.nullcontext() as hands:
            _Grading(course, found, force, progress, *hands or (None, 1)).run()
        scores = course.scores()
        for submission in found:
            if submission.key and not submission.problem and submission.student in scores:
                submission.score, submission.max_score = scores[submission.student]
        if not students:
            course.results.keep_only({submission.key for submission in found})
    return found


@contextlib.contextmanager
def _executor(jobs: int | None, scheduler: str) -> Iterator[tuple[Executor, int]]:
    """The executor that calls ``execute``, and how many calls it runs at once."""
    if scheduler:
        with cluster.executor(scheduler) as (executor, threads):
            yield executor, jobs or threads
        return
    jobs = jobs or os.cpu_count() or 1
    executor = ThreadPoolExecutor(jobs)
    try:
        yield executor, jobs
    finally:
        executor.shutdown(wait=False, cancel_futures=True)
        close_pools()


class _Grading:
    """Takes all submissions through the three steps.

    Only as many submissions as keep the executor busy are in progress at once, so that memory does
    not grow with the class. Without an executor nbgrader executes.
    """

    def __init__(
        self,
        course: Course,
        found: Sequence[Submission],
        force: bool,
        progress: Progress,
        executor: Executor | None,
        jobs: int,
    ) -> None:
        self.course, self.found, self.force, self.progress = course, found, force, progress
        self.executor, self.jobs = executor, jobs
        self.marks = course.state / "recorded"
        self.done = 0
        self.running: dict[Future[Executed], list[Submission]] = {}
        self.by_key: dict[str, Future[Executed]] = {}
        self.backed_up = False

    def run(self) -> None:
        """Grade all."""
        self.marks.mkdir(parents=True, exist_ok=True)
        graded = self.course.scores()
        sanitiser = Sanitiser(self.course)
        self.progress(0, len(self.found), None)
        for submission in self.found:
            work = self._read(sanitiser, submission)
            if work is None:
                continue
            is_recorded = submission.student in graded and self._mark(submission) == (
                self._stamp(submission)
            )
            executed = self.course.results.get(work.key)
            if is_recorded and not self.force:
                if executed is not None:
                    self._note(submission, executed)
                self._finished(submission)
            elif self.executor is None or (executed is not None and not self.force):
                self._record(submission, executed)
            elif work.key in self.by_key:
                self.running[self.by_key[work.key]].append(submission)
            else:
                # One more than can run is waiting, so that no worker is idle during recording.
                self._take(self.jobs)
                future = self.executor.submit(execute, work, self.course.limits)
                self.by_key[work.key], self.running[future] = future, [submission]
        self._take(0)

    def _take(self, left: int) -> None:
        """Record results until no more than ``left`` submissions are being executed."""
        while len(self.running) > left:
            done, _ = wait(self.running, return_when=FIRST_COMPLETED)
            for future in done:
                waiting = self.running.pop(future)
                del self.by_key[waiting[0].key]
                self._executed(future, waiting)

    def _executed(self, future: Future[Executed], waiting: list[Submission]) -> None:
        try:
            executed = future.result()
        except (NoSandbox, CancelledError):  # of no submission
            raise
        except Exception as error:  # of this submission
            for submission in waiting:
                self._failed(submission, error)
            return
        self.course.results.put(waiting[0].key, executed)
        for submission in waiting:
            self._record(submission, executed)

    def _finished(self, submission: Submission) -> None:
        self.done += 1
        self.progress(self.done, len(self.found), submission)

    def _failed(self, submission: Submission, error: Exception) -> None:
        submission.problem = sentence(error)
        self._finished(submission)

    def _note(self, submission: Submission, executed: Executed) -> None:
        submission.flags += [text for text in executed.flags if text not in submission.flags]
        submission.seconds = executed.seconds

    # --- reading

    def _read(self, sanitiser: Sanitiser, submission: Submission) -> Work | None:
        try:
            work, submission.flags = sanitiser.work(submission.student)
            if self.executor is not None:
                course, run = self.course, functools.partial(_execute_by, self.executor)
                work = keep_apart(work, course.solution, course.limits, course.results, run)
        except (NoSandbox, CancelledError):  # of no submission
            raise
        except Exception as error:  # whatever a student's file does to nbgrader
            self._failed(submission, error)
            return None
        submission.key = work.key
        return work

    # --- recording

    def _record(self, submission: Submission, executed: Executed | None) -> None:
        if executed is not None:
            self._note(submission, executed)
        if not self.backed_up:
            self.course.back_up()
            self.backed_up = True
        place = self._place(submission)
        place.unlink(missing_ok=True)
        try:
            self.course.record(submission.student)
        except Exception as error:  # whatever a student's file does to nbgrader
            self._failed(submission, error)
        else:
            atomic.write_text(place, self._stamp(submission))
            submission.fresh = True
            self._finished(submission)

    def _stamp(self, submission: Submission) -> str:
        """A key of everything that a score depends on."""
        handed_in = self.course.notebook(submission.student).with_name("timestamp.txt")
        when = handed_in.read_text("utf-8", "replace") if handed_in.is_file() else ""
        text = f"{submission.key} {when} {self.course.terms}"
        return hashlib.sha256(text.encode()).hexdigest()

    def _mark(self, submission: Submission) -> str:
        try:
            return self._place(submission).read_text(encoding="utf-8")
        except FileNotFoundError:
            return ""

    def _place(self, submission: Submission) -> Path:
        name = submission.student.encode("utf-8", "surrogateescape")
        return self.marks / hashlib.sha256(name).hexdigest()[:32]


def _execute_by(executor: Executor, work: Work, limits: Limits, tries: bool) -> Executed:
    return executor.submit(execute, work, limits, tries).result()

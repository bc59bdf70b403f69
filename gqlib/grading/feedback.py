"""Feedback pages of a class, by nbgrader's own GenerateFeedback, several at a time.

Making a page takes longer than reading it, so a large class needs one process a core.
"""

from __future__ import annotations

import functools
import multiprocessing
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from nbgrader.converters.generate_feedback import GenerateFeedback

from gqlib._utils.search_paths import put_programs_first
from gqlib.grading.workspace import Course, OfOneStudent, sentence


class _Page(OfOneStudent, GenerateFeedback):  # type: ignore[misc]
    """nbgrader's GenerateFeedback, for one student."""


def write_pages(
    root: Path,
    lesson: str,
    students: Sequence[str],
    jobs: int | None = None,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> dict[str, str]:
    """Write the feedback pages of students whose work was graded, in place of older ones.

    Args:
        root: The course's folder.
        lesson: Name of the lesson.
        students: Whose pages to write.
        jobs: Number of processes; by default one a core.
        progress: Called with the numbers of pages that are done and in all.

    Returns:
        What went wrong, by student.
    """
    if not students:
        return {}
    problems: dict[str, str] = {}
    # Not forked: this process has threads.
    context = multiprocessing.get_context("spawn")
    workers = min(jobs or os.cpu_count() or 1, len(students))
    with ProcessPoolExecutor(workers, context, initializer=put_programs_first) as executor:
        futures = {executor.submit(_write, root, lesson, name): name for name in students}
        try:
            for done, future in enumerate(as_completed(futures), 1):
                problem = future.result()
                if problem:
                    problems[futures[future]] = problem
                progress(done, len(students))
        except BaseException:
            executor.shutdown(wait=False, cancel_futures=True)
            raise
    return problems


@functools.cache
def _course(root: Path, lesson: str) -> Course:
    return Course(root, lesson)


def _write(root: Path, lesson: str, student: str) -> str:
    """One student's page; what went wrong, or nothing."""
    course = _course(root, lesson)
    try:
        _Page(coursedir=course.directory_of(student), config=course.config, force=True).start()
    except Exception as error:  # whatever a student's file does to nbgrader
        return sentence(error)
    return ""

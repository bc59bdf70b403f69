"""Execution by the workers of a real Dask cluster; one of them is killed in the middle."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gqlib.grading import classroom, cluster
from gqlib.grading.grade import Submission, grade
from tests.grading.conftest import TINY
from tests.grading.test_feedback import STUDENTS
from tests.grading.test_grade import hand_in

pytestmark = [
    pytest.mark.nbgrader,
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("bwrap") is None, reason="there is no bubblewrap"),
]

#: Some of them long enough to be running when something is killed.
CLASS = {
    **{name: STUDENTS[name] for name in ("blank", "hidden", "right")},
    **{
        f"slow {i}": f"import time\ntime.sleep({1 + i / 10})\ndef double(x): return 2 * x"
        for i in range(4)
    },
}


class Cluster:
    """A scheduler and workers, each in its own process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.processes: list[subprocess.Popen[bytes]] = []
        self.file = folder / "scheduler.json"
        self._start("dask_scheduler", "--port=0", "--no-dashboard")
        deadline = time.monotonic() + 60
        while not self.file.exists():
            assert time.monotonic() < deadline
            time.sleep(0.1)

    @property
    def address(self) -> str:
        return str(json.loads(self.file.read_text())["address"])

    def worker(self) -> subprocess.Popen[bytes]:
        return self._start("dask_worker", "--nthreads=1", "--no-nanny", "--no-dashboard")

    def wait_for(self, threads: int) -> None:
        deadline = time.monotonic() + 60
        while True:
            with contextlib.suppress(ValueError), cluster.executor(self.address) as (_, found):
                if found == threads:
                    return
            assert time.monotonic() < deadline

    def _start(self, program: str, *options: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", f"distributed.cli.{program}"]
        command += [f"--scheduler-file={self.file}", *options]
        with (self.folder / f"{len(self.processes)}.log").open("wb") as log:
            process = subprocess.Popen(command, cwd=self.folder, stdout=log, stderr=log)
        self.processes.append(process)
        return process


@pytest.fixture
def dask(tmp_path: Path) -> Iterator[Cluster]:
    folder = tmp_path / "cluster"
    folder.mkdir()
    made = Cluster(folder)
    yield made
    for process in made.processes:
        process.kill()
        process.wait()


def test_the_same_grades_though_a_worker_is_killed(
    tiny_course: Path, tmp_path: Path, dask: Cluster
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    shutil.copytree(tiny_course, here)
    hand_in(here, CLASS)
    shutil.copytree(here, there)
    grade(here, TINY)
    victim, _ = dask.worker(), dask.worker()
    dask.wait_for(2)

    def kill(done: int, of: int, submission: Submission | None) -> None:
        if submission is not None and submission.student == "slow 0":
            victim.kill()  # while it executes another slow one

    found = grade(there, TINY, scheduler=dask.address, progress=kill)
    assert victim.wait() == -signal.SIGKILL
    assert not any(submission.problem for submission in found)
    assert classroom.points(there, TINY) == classroom.points(here, TINY)


def test_a_lost_scheduler_ends_the_command_and_nothing_else(
    tiny_course: Path, tmp_path: Path, dask: Cluster
) -> None:
    course = tmp_path / "course"
    shutil.copytree(tiny_course, course)
    hand_in(course, CLASS)
    dask.worker()
    dask.wait_for(1)

    def kill(done: int, of: int, submission: Submission | None) -> None:
        if submission is not None and submission.student == "slow 0":
            dask.processes[0].kill()

    with pytest.raises(cluster.Lost, match="start it again, and then the same command"):
        grade(course, TINY, scheduler=dask.address, progress=kill)
    found = grade(course, TINY)
    assert all(submission.score is not None for submission in found)
    assert not all(submission.fresh for submission in found)


def test_what_is_wrong_with_a_cluster_is_said(tiny_course: Path, dask: Cluster) -> None:
    with pytest.raises(ValueError, match=r"no Dask scheduler answers at tcp://127.0.0.1:1 "):
        grade(tiny_course, TINY, scheduler="tcp://127.0.0.1:1")
    with pytest.raises(ValueError, match=r"has no workers: start some by `dask worker tcp://"):
        grade(tiny_course, TINY, scheduler=dask.address)

"""The part of the sandbox that stays outside: it sends cells in and takes outputs back."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import subprocess
import threading
import uuid
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import IO, Any, Literal

from gqlib.grading.sandbox import bubblewrap
from gqlib.grading.sandbox.limits import Limits


@dataclass(frozen=True)
class Cell:
    """A code cell to run.

    Attributes:
        source: Its code.
        kind: "student", or for cells that a student can't change "set-up" or "test".
        apart: Whether it is a test that runs in another process than the answers.
    """

    source: str
    kind: Literal["student", "set-up", "test"] = "student"
    apart: bool = False


@dataclass(frozen=True)
class Executed:
    """The result of a submission.

    Attributes:
        outputs: The outputs of each cell, as a notebook holds them.
        flags: Signs of tampering, in a few words each.
        seconds: How long it took.
        apart: The numbers of the cells that ran apart.
    """

    outputs: list[list[dict[str, Any]]]
    flags: list[str]
    seconds: float
    apart: list[int] = dataclasses.field(default_factory=list)


class PoolEnded(RuntimeError):
    """The warm process ended, and everything that ran in it."""


class Pool:
    """A warm process in the sandbox that executes submissions in forks of itself.

    Args:
        set_up: Source of the lesson's set-up cell: what to import beforehand.
        limits: What a submission may use.
        log: Where the sandbox's own error messages go.

    Raises:
        NoSandbox: There can be no sandbox here.
        RuntimeError: The warm process did not start.
    """

    def __init__(
        self,
        set_up: str,
        limits: Limits | None = None,
        log: IO[str] | None = None,
    ) -> None:
        self.limits = limits or Limits()
        self._waiting: dict[str, Future[Executed]] = {}
        self._lock = threading.Lock()
        self._ready, self._is_warm = threading.Event(), False
        command = bubblewrap.command(["-m", "gqlib.grading.sandbox.worker"])
        started: Future[subprocess.Popen[bytes]] = Future()
        threading.Thread(target=self._serve, args=(command, log, started), daemon=True).start()
        self._process = started.result()
        with contextlib.suppress(OSError):  # it has ended: said below
            self._write({"set_up": set_up, "limits": dataclasses.asdict(self.limits)})
        self._ready.wait()
        if not self._is_warm:
            raise RuntimeError(
                f"the process that grades did not start (exit status {self._process.wait()}): its "
                "last words stand above"
            )

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def submit(
        self,
        cells: Sequence[Cell],
        files: Mapping[str, str] | None = None,
        environment: Mapping[str, str] | None = None,
        tries: bool = False,
    ) -> Future[Executed]:
        """Run cells in new forks; as many submissions run at once as are submitted.

        Args:
            cells: In their order.
            files: The files next to the notebook: from names to contents in base64.
            environment: Variables that are set while a test runs.
            tries: Run each test apart if it then passes; for a solution.

        If the warm process ends meanwhile, the future holds a :class:`PoolEnded`.
        """
        name = uuid.uuid4().hex
        future: Future[Executed] = Future()
        with self._lock:
            self._waiting[name] = future
        request = {
            "id": name,
            "cells": [dataclasses.asdict(cell) for cell in cells],
            "files": dict(files or {}),
            "env": dict(environment or {}),
            "tries": tries,
        }
        try:
            self._write(request)
        except OSError:
            self._fail()
        return future

    @property
    def idle(self) -> bool:
        """Whether nothing runs."""
        return not self._waiting

    def _write(self, message: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        with self._lock:
            self._process.stdin.write((json.dumps(message) + "\n").encode())
            self._process.stdin.flush()

    def _serve(
        self, command: list[str], log: IO[str] | None, started: Future[subprocess.Popen[bytes]]
    ) -> None:
        """Start the process and read its replies, until it ends.

        Both in one thread: the kernel ends the process together with the thread that started it.
        """
        try:
            process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log
            )
        except BaseException as error:
            started.set_exception(error)
            return
        started.set_result(process)
        assert process.stdout is not None
        self._is_warm = bool(process.stdout.readline())
        self._ready.set()
        for line in process.stdout:
            reply = json.loads(line)
            with self._lock:
                future = self._waiting.pop(reply["id"])
            del reply["id"]
            future.set_result(Executed(**reply))
        self._fail()

    def _fail(self) -> None:
        with self._lock:
            waiting, self._waiting = list(self._waiting.values()), {}
        for future in waiting:
            future.set_exception(PoolEnded("the process that grades ended"))

    def close(self) -> None:
        """End the warm process and all its forks."""
        with contextlib.suppress(OSError):
            assert self._process.stdin is not None
            self._process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=5)
        self._process.kill()
        self._process.wait()

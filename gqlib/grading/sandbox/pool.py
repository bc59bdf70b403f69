"""The side of the sandbox that stays outside: hands cells in and takes outputs back."""

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
        kind: "student", or of those that a student can't change "set-up" or "test".
    """

    source: str
    kind: Literal["student", "set-up", "test"] = "student"


@dataclass(frozen=True)
class Executed:
    """What came of a submission.

    Attributes:
        outputs: Of each cell, as a notebook holds them.
        flags: What was seen of tampering, in a few words each.
        seconds: How long it took.
    """

    outputs: list[list[dict[str, Any]]]
    flags: list[str]
    seconds: float


class Pool:
    """A warm process, closed in, that executes submissions in forks of itself.

    Args:
        set_up: Source of the lesson's set-up cell: what to import beforehand.
        limits: What a submission may use.
        log: Where the sandbox's own complaints go.

    Raises:
        NoSandbox: It can't be had here.
        RuntimeError: The warm process did not start.
    """

    def __init__(
        self,
        set_up: str,
        limits: Limits | None = None,
        log: IO[str] | None = None,
    ) -> None:
        self.limits = limits or Limits()
        self._process = subprocess.Popen(
            bubblewrap.command(["-m", "gqlib.grading.sandbox.worker"]),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
        )
        self._waiting: dict[str, Future[Executed]] = {}
        self._lock = threading.Lock()
        self._write({"set_up": set_up, "limits": dataclasses.asdict(self.limits)})
        assert self._process.stdout is not None
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError(
                f"the process that grades did not start (exit status {self._process.wait()}): its "
                "last words stand above"
            )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def submit(
        self,
        cells: Sequence[Cell],
        files: Mapping[str, str] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Future[Executed]:
        """Run cells in a fork of their own; as many run at once as are submitted.

        Args:
            cells: In their order.
            files: What lies beside the notebook: from names to contents in base64.
            environment: Variables that are set while a test runs.
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
        }
        try:
            self._write(request)
        except OSError as error:
            self._fail(error)
        return future

    def _write(self, message: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        with self._lock:
            self._process.stdin.write((json.dumps(message) + "\n").encode())
            self._process.stdin.flush()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            reply = json.loads(line)
            with self._lock:
                future = self._waiting.pop(reply["id"])
            future.set_result(Executed(reply["outputs"], reply["flags"], reply["seconds"]))
        self._fail(RuntimeError("the process that grades ended"))

    def _fail(self, error: BaseException) -> None:
        with self._lock:
            waiting, self._waiting = list(self._waiting.values()), {}
        for future in waiting:
            future.set_exception(error)

    def close(self) -> None:
        """End the warm process and all its forks."""
        with contextlib.suppress(OSError):
            assert self._process.stdin is not None
            self._process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=5)
        self._process.kill()
        self._process.wait()

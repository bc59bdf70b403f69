"""The warm process in the sandbox: ``python -m gqlib.grading.sandbox.worker``.

It reads requests and writes replies, one JSON object a line. The first request says what to import:

    {"set_up": source of the lesson's set-up cell, "limits": {…}}
    → {"ready": seconds}
    {"id": "…", "cells": [{"source": "…", "kind": "student"}, …], "files": {…}, "env": {…}}
    → {"id": "…", "outputs": [[…], …], "flags": […], "seconds": 1.2}

The kinds are "student" and, for what a student can't change, "set-up" and "test". No code of a
student ever runs in this process, only in forks of it, one a submission (:func:`_serve`), which get
their cells one by one. A fork that ends early or must be killed costs the cell that did it: another
one runs the cells before it again and goes on behind it.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import io
import json
import math
import os
import secrets
import selectors
import signal
import socket
import sys
import time
from typing import Any

from gqlib.grading.sandbox import messages, session, watch
from gqlib.grading.sandbox.limits import MIB, Limits

#: Forks for one submission: the first, and others after cells that had theirs killed.
_FORKS = 4
#: So many times the limit of a cell are added at most where others hold the processor.
_PATIENCE = 5
#: Seconds that an interrupted cell has to end by itself.
_GRACE = 5.0
#: The ids of the code objects of libraries.
_genuine: set[int] = set()
#: The submissions that run.
_runs: set[_Run] = set()


class _Run:
    """One submission, in one fork after the other.

    Args:
        request: What was asked for.
        limits: What it may use.
    """

    def __init__(self, request: dict[str, Any], limits: Limits) -> None:
        self.id: str = request["id"]
        self.cells: list[dict[str, Any]] = request["cells"]
        self.files: dict[str, str] = request.get("files", {})
        self.env: dict[str, str] = request.get("env", {})
        self.limits = limits
        self.outputs: list[list[dict[str, Any]]] = []
        self.flags: list[str] = []
        self.size = 0
        self.start = time.monotonic()
        self.forks = 0
        self.deadline, self.patience, self.waited = math.inf, 0.0, 0.0
        self.fatal: set[int] = set()
        self.buffer = b""
        _runs.add(self)
        self._fork()

    def _fork(self) -> None:
        self.forks += 1
        self.buffer = b""
        self.connection, theirs = socket.socketpair()
        self.pid = os.fork()
        if self.pid == 0:
            self.connection.close()
            limits, files = self.limits, self.files
            for run in _runs:  # nobody's cells and secrets are here any more
                vars(run).clear()
            session.become(theirs, limits, files, _genuine, globals())
        theirs.close()
        self.connection.settimeout(_GRACE)  # a fork that does not read holds nobody up
        self.inner = self.pid
        self.outer: int | None = None  # what the system calls it; not known yet
        # What is to be run again, to have its names, and then the next cell.
        done = len(self.outputs)
        self.queue = [
            i
            for i, cell in enumerate(self.cells)
            if i >= done or (i not in self.fatal and cell["kind"] != "test")
        ]
        self.place = 0
        self._next()

    def _next(self) -> None:
        self.interrupted = False
        if self.place == len(self.queue):
            return
        index = self.queue[self.place]
        cell = self.cells[index]
        self.deadline = time.monotonic() + self.limits.cell_seconds
        self.patience = _PATIENCE * self.limits.cell_seconds
        self.waited = self._waited()
        self.token = secrets.token_hex(8)
        with contextlib.suppress(OSError):  # it has ended: found out when read from
            messages.send(
                self.connection,
                {
                    **cell,
                    "env": self.env if cell["kind"] == "test" else {},
                    "token": self.token,
                },
            )

    @property
    def finished(self) -> bool:
        return len(self.outputs) == len(self.cells)

    def ready(self) -> None:
        """Take in what the fork has sent."""
        try:
            part = self.connection.recv(1 << 20)
        except OSError:
            part = b""
        if not part:
            self._died("the kernel died while this cell ran")
            return
        self.buffer += part
        while len(self.buffer) >= messages.HEADER.size:
            size = messages.HEADER.unpack(self.buffer[: messages.HEADER.size])[0]
            if self.size + size > self.limits.output:
                self._died(f"more than {self.limits.output // MIB} MiB of outputs")
                return
            if len(self.buffer) < messages.HEADER.size + size:
                return
            content = self.buffer[messages.HEADER.size : messages.HEADER.size + size]
            self.buffer = self.buffer[messages.HEADER.size + size :]
            self._took(content, size)

    def _took(self, content: bytes, size: int) -> None:
        try:
            reply = messages.read(content)
            if "inner" in reply and self.inner == self.pid:
                self.inner, self.outer = int(reply["inner"]), int(reply["outer"])
                return
            if "complaint" in reply:
                print(f"a submission's process ended: {reply['complaint']!r:.300}", file=sys.stderr)
                return
            if reply["token"] != self.token:
                raise ValueError
            outputs, flags = reply["outputs"], [str(flag) for flag in reply["flags"]]
            if not all(map(messages.is_output, outputs)):
                raise ValueError
        except Exception:  # whatever a student's code can send
            self._died("it sent what no cell sends", "sent messages of its own")
            return
        index = self.queue[self.place]
        self.flags += [flag for flag in flags if flag not in self.flags]
        if index == len(self.outputs):
            self.size += size
            if self.interrupted:
                outputs.append(
                    session.error("CellTimeoutError", "the cell ran longer than its limit")
                )
            self.outputs.append(outputs)
        self.place += 1
        self._next()

    def tick(self) -> None:
        """Interrupt or kill what runs for too long."""
        now = time.monotonic()
        if now > self.deadline and not self.interrupted and self.patience > 0:
            # Time in which others had the processor is not its own.
            waited = self._waited()
            longer = min(waited - self.waited, self.patience)
            self.waited, self.patience = waited, self.patience - longer
            self.deadline += longer
        why = self._too_much()
        if why:
            self._died(why)
        elif now > self.start + self.limits.seconds:
            self.give_up(f"the submission ran longer than {self.limits.seconds:g} s")
        elif now > self.deadline + _GRACE:
            why = f"the cell ran longer than {self.limits.cell_seconds:g} s"
            self._died(why, name="CellTimeoutError")
        elif now > self.deadline and not self.interrupted:
            self.interrupted = True
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.inner, signal.SIGINT)

    def _waited(self) -> float:
        """Seconds for which its first process could run and was not let."""
        family = watch.family(self.outer, 1) if self.outer is not None else []
        return watch.seconds_waited(family[1]) if len(family) > 1 else 0.0

    def _too_much(self) -> str:
        """Whether all of its processes together are too many or hold too much, and which."""
        if self.outer is None:
            return ""
        family = watch.family(self.outer, self.limits.processes)
        if len(family) > self.limits.processes:
            return f"more than {self.limits.processes} processes"
        if watch.own_bytes(family) > self.limits.memory + len(family) * watch.own_bytes(["self"]):
            return f"its processes hold more than {self.limits.memory // MIB} MiB"
        return ""

    def _died(self, why: str, flag: str = "", name: str = "DeadKernelError") -> None:
        self.kill()
        if flag:
            self.flags.append(flag)
        index = self.queue[self.place] if self.place < len(self.queue) else len(self.outputs)
        self.fatal.add(index)
        if index == len(self.outputs):
            self.outputs.append([session.error(name, why)])
        if self.forks == _FORKS and not self.finished:
            self.give_up("the kernel died too often")
        elif not self.finished:
            self._fork()

    def give_up(self, why: str) -> None:
        """End it; what has not run says why."""
        self.kill()
        missing = len(self.cells) - len(self.outputs)
        self.outputs += [
            [session.error("NotRun", f"this cell did not run: {why}")] for _ in range(missing)
        ]

    def kill(self) -> None:
        """End the fork and all that it has started."""
        for pid in {self.inner, self.pid}:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, 0)
        self.connection.close()

    def reply(self) -> dict[str, Any]:
        seconds = time.monotonic() - self.start
        return {"id": self.id, "outputs": self.outputs, "flags": self.flags, "seconds": seconds}


def warm(set_up: str) -> None:
    """Import what a lesson does, and do once what every submission would do anew."""
    from gqlib.grading.sandbox.shell import Shell

    shell = Shell()
    shell.load_magics()
    shell.run_cell(set_up)  # type: ignore[no-untyped-call]
    with contextlib.suppress(ImportError):
        import torch

        # One thread each: as many submissions run at once as there are cores.
        torch.set_num_threads(1)
        # The first step of an optimiser has PyTorch replace functions of its own.
        weight = torch.nn.Parameter(torch.zeros(1))
        weight.grad = torch.zeros(1)
        torch.optim.Adam([weight]).step()
        torch.func.vmap(torch.neg)(torch.zeros(1))  # the first one has it register kernels
    with contextlib.suppress(ImportError):
        from tqdm import tqdm

        tqdm.monitor_interval = 0  # a thread that progress bars would leave running
    from gqlib import plots
    from gqlib.data import load
    from gqlib.grading.sandbox.audit import library_code
    from gqlib.grading.sandbox.guard import MODULES

    for name in MODULES:
        importlib.import_module(name)
    load("mnist", "test"), load("mnist", "train")
    figure, ax = plots.figure(1, 1)
    ax.set(xlabel="x", ylabel=r"$\log x$", title="x")
    figure.savefig(io.BytesIO(), format="png")
    del figure, ax
    Shell.clear_instance()
    _genuine.update(library_code())
    # What is here stays here: no fork looks through it for garbage, or copies its pages for that.
    gc.collect()
    gc.freeze()


def main() -> None:
    replies = os.dup(1)
    os.dup2(2, 1)
    source = os.fdopen(0, "rb", buffering=0)
    first = json.loads(source.readline())
    start = time.monotonic()
    with contextlib.redirect_stdout(sys.stderr):
        warm(first["set_up"])
    limits = Limits(**first["limits"])

    def say(message: dict[str, Any]) -> None:
        content = (json.dumps(message) + "\n").encode()
        while content:
            content = content[os.write(replies, content) :]

    say({"ready": time.monotonic() - start})
    _loop(limits, say)


def _loop(limits: Limits, say: Any) -> None:
    runs: dict[int, _Run] = {}
    pending = b""
    with selectors.DefaultSelector() as selector:
        selector.register(0, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select(0.1):
                if key.fd == 0:
                    part = os.read(0, 1 << 20)
                    if not part:
                        for run in runs.values():
                            run.kill()
                        return
                    *lines, pending = (pending + part).split(b"\n")
                    for line in lines:
                        run = _Run(json.loads(line), limits)
                        runs[run.connection.fileno()] = run
                        selector.register(run.connection, selectors.EVENT_READ)
                else:
                    _step(selector, runs, key.fd, lambda run: run.ready(), say)
            for number in list(runs):
                _step(selector, runs, number, lambda run: run.tick(), say)


def _step(selector: Any, runs: dict[int, _Run], number: int, act: Any, say: Any) -> None:
    """Let a run act, and follow it to its next fork or to its end."""
    run = runs[number]
    before = run.connection
    try:
        act(run)
    except Exception as error:  # of this submission, whatever it did
        print(f"a submission is given up: {error!r:.300}", file=sys.stderr)
        run.give_up("the sandbox could not follow it")
    if run.finished:
        selector.unregister(before)
        del runs[number]
        _runs.remove(run)
        run.kill()
        say(run.reply())
    elif run.connection is not before:
        selector.unregister(before)
        del runs[number]
        runs[run.connection.fileno()] = run
        selector.register(run.connection, selectors.EVENT_READ)


if __name__ == "__main__":
    main()

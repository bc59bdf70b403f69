"""The warm process in the sandbox: ``python -m gqlib.grading.sandbox.worker``.

It reads requests and writes replies, one JSON object a line. The first request says what to import:

    {"set_up": source of the lesson's set-up cell, "limits": {…}}
    → {"ready": seconds}
    {"id": "…", "cells": [{"source": "…", "kind": "student", "apart": false}, …], "files": {…},
     "env": {…}, "tries": false}
    → {"id": "…", "outputs": [[…], …], "flags": […], "seconds": 1.2, "apart": [3, …]}

The kinds are "student" and, for cells that a student can't change, "set-up" and "test". A student's
code never runs in this process, only in forks of it (``session``), two a submission, which get
their cells one by one. If a fork ends early or must be killed, the cell that did it fails: new
forks run the cells before it again and continue after it.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import importlib
import json
import math
import os
import secrets
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

from gqlib.grading.sandbox import messages, session, watch
from gqlib.grading.sandbox.limits import MIB, Limits

#: Forks for one submission: the first, and others after cells whose fork was killed.
_FORKS = 4
#: At most so many times a cell's limit are added if others use the processor.
_PATIENCE = 5
#: Failing code: showing its traceback reads and parses the files that most errors pass through.
_ERRORS = (
    "from gqlib.course import checks\n"
    "def answer():\n    raise NotImplementedError\nchecks.call(answer)",
    "from gqlib.course import checks\nchecks.expect(0.5, 1.0, what='this')",
)
#: Seconds that an interrupted cell has to end by itself.
_GRACE = 5.0
#: The ids of the code objects of libraries.
_genuine: set[int] = set()
#: The submissions that run.
_runs: set[_Run] = set()


class _Fork:
    """A fork of this process, seen from here.

    Args:
        become: What it does.
    """

    def __init__(self, become: Callable[[socket.socket], NoReturn]) -> None:
        self.connection, theirs = socket.socketpair()
        self._buffer = b""
        self.pid = os.fork()
        if self.pid == 0:
            self.connection.close()
            become(theirs)
        theirs.close()
        self.connection.settimeout(_GRACE)  # one that does not read holds nobody up
        self.inner = self.pid
        self.outer: int | None = None  # what the system calls it; not known yet

    def send(self, message: dict[str, Any]) -> None:
        with contextlib.suppress(OSError):  # it has ended: found out when read from
            messages.send(self.connection, message)

    def read(self, room: int) -> Iterator[dict[str, Any]]:
        """Its messages, one by one.

        Raises:
            EOFError: It has ended.
            OverflowError: It sends more than ``room`` bytes.
            Exception: It sends something that is not a message.
        """
        part = b""
        with contextlib.suppress(OSError):
            part = self.connection.recv(1 << 20)
        if not part:
            raise EOFError
        self._buffer += part
        head = messages.HEADER.size
        while len(self._buffer) >= head:
            size = messages.HEADER.unpack(self._buffer[:head])[0]
            if size > room:
                raise OverflowError
            if len(self._buffer) < head + size:
                return
            content, self._buffer = (
                self._buffer[head : head + size],
                self._buffer[head + size :],
            )
            reply = messages.read(content)
            if "inner" in reply and self.outer is None:
                self.inner, self.outer = int(reply["inner"]), int(reply["outer"])
            elif "complaint" in reply:
                print(f"a submission's process ended: {reply['complaint']!r:.300}", file=sys.stderr)
            else:
                yield {**reply, "size": size}

    def waited(self) -> float:
        """Seconds for which its first process was ready to run but had no processor."""
        family = watch.family(self.outer, 1) if self.outer is not None else []
        return watch.seconds_waited(family[1]) if len(family) > 1 else 0.0

    def interrupt(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.inner, signal.SIGINT)

    def kill(self) -> None:
        """End it and everything that it has started."""
        for pid in {self.inner, self.pid}:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, 0)
        self.connection.close()


class _Run:
    """One submission, in one pair of forks after the other.

    Args:
        request: What was asked for.
        limits: What it may use.
    """

    def __init__(self, request: dict[str, Any], limits: Limits) -> None:
        self.id: str = request["id"]
        self.cells: list[dict[str, Any]] = request["cells"]
        self.files: dict[str, str] = request.get("files", {})
        self.env: dict[str, str] = request.get("env", {})
        #: Whether to find out which tests can run apart: then all are tried apart first.
        self.tries: bool = request.get("tries", False)
        self.apart: set[int] = {i for i, cell in enumerate(self.cells) if self._is_apart(cell)}
        self.limits = limits
        self.outputs: list[list[dict[str, Any]]] = []
        self.flags: list[str] = []
        self.size = 0
        self.start = time.monotonic()
        self.started = 0
        self.deadline, self.patience, self.waited = math.inf, 0.0, 0.0
        self.fatal: set[int] = set()
        _runs.add(self)
        self._fork()

    def _is_apart(self, cell: dict[str, Any]) -> bool:
        return bool(cell["kind"] == "test" and (self.tries or cell["apart"]))

    def _fork(self) -> None:
        self.started += 1
        ours, theirs = socket.socketpair()
        self.forks = {"answers": _Fork(self._become("answers", ours))}
        if self.apart:
            self.forks["tests"] = _Fork(self._become("tests", theirs))
        ours.close()
        theirs.close()
        # The cells to run again, for their names, and then the next cell.
        done = len(self.outputs)
        self.queue = [
            (i, name)
            for i, cell in enumerate(self.cells)
            for name in self.forks
            if self._belongs(i, cell["kind"], name)
            and (i >= done or (i not in self.fatal and cell["kind"] != "test"))
        ]
        self.place = 0
        self._next()

    def _belongs(self, index: int, kind: str, fork: str) -> bool:
        """Whether a fork runs a cell. Both run set-up cells; the answers' outputs are shown."""
        if kind == "set-up":
            return True
        return fork == ("tests" if index in self.apart else "answers")

    def _become(self, role: str, peer: socket.socket) -> Callable[[socket.socket], NoReturn]:
        def become(connection: socket.socket) -> NoReturn:
            limits, files = self.limits, self.files
            for run in _runs:  # nobody's cells and secrets are here any more
                vars(run).clear()
            session.become(role, connection, peer, limits, files, _genuine, globals())

        return become

    def _next(self) -> None:
        self.interrupted = False
        if self.place == len(self.queue):
            return
        index, name = self.queue[self.place]
        cell = self.cells[index]
        self.deadline = time.monotonic() + self.limits.cell_seconds
        self.patience = _PATIENCE * self.limits.cell_seconds
        self.waited = self._waited()
        self.token = secrets.token_hex(8)
        env = self.env if cell["kind"] == "test" else {}
        self.forks[name].send({**cell, "env": env, "token": self.token})

    def _waited(self) -> float:
        return sum(fork.waited() for fork in self.forks.values())

    @property
    def finished(self) -> bool:
        return len(self.outputs) == len(self.cells)

    def ready(self, fork: _Fork) -> None:
        """Take in what a fork has sent."""
        try:
            for reply in fork.read(self.limits.output - self.size):
                self._took(fork, reply)
                if fork not in self.forks.values():
                    return  # ended meanwhile
        except EOFError:
            self._died("the kernel died while this cell ran")
        except OverflowError:
            self._died(f"more than {self.limits.output // MIB} MiB of outputs")
        except Exception:  # whatever a student's code can send
            self._died("it sent what no cell sends", "sent messages of its own")

    def _took(self, fork: _Fork, reply: dict[str, Any]) -> None:
        index, name = self.queue[self.place]
        outputs, flags = reply["outputs"], [str(flag) for flag in reply["flags"]]
        is_whole = all(map(messages.is_output, outputs))
        if reply["token"] != self.token or fork is not self.forks[name] or not is_whole:
            raise ValueError
        failed = any(output["output_type"] == "error" for output in outputs)
        if self.tries and name == "tests" and self.cells[index]["kind"] == "test" and failed:
            self.apart.remove(index)
            self.queue[self.place] = (index, "answers")
            self._next()
            return
        self.flags += [flag for flag in flags if flag not in self.flags]
        if index == len(self.outputs):
            self.size += reply["size"]
            if self.interrupted:
                late = "the cell ran longer than its limit"
                outputs.append(session.error("CellTimeoutError", late))
            self.outputs.append(outputs)
        self.place += 1
        self._next()

    def tick(self) -> None:
        """Interrupt or kill what runs for too long."""
        now = time.monotonic()
        if now > self.deadline and not self.interrupted and self.patience > 0:
            # Time in which others had the processor does not count.
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
            # If a test runs apart, it may be the answer that takes so long.
            self.interrupted = True
            self.forks["answers"].interrupt()

    def _too_much(self) -> str:
        """Whether its processes are too many or use too much memory, and which of the two."""
        outer = self.forks["answers"].outer
        if outer is None:
            return ""
        family = watch.family(outer, self.limits.processes)
        if len(family) > self.limits.processes:
            return f"more than {self.limits.processes} processes"
        if watch.own_bytes(family) > self.limits.memory + len(family) * watch.own_bytes(["self"]):
            return f"its processes hold more than {self.limits.memory // MIB} MiB"
        return ""

    def _died(self, why: str, flag: str = "", name: str = "DeadKernelError") -> None:
        self.kill()
        if flag:
            self.flags.append(flag)
        index = self.queue[self.place][0] if self.place < len(self.queue) else len(self.outputs)
        self.fatal.add(index)
        if index == len(self.outputs):
            self.outputs.append([session.error(name, why)])
        if self.started == _FORKS and not self.finished:
            self.give_up("the kernel died too often")
        elif not self.finished:
            self._fork()

    def give_up(self, why: str) -> None:
        """End it; cells that have not run say why."""
        self.kill()
        missing = len(self.cells) - len(self.outputs)
        self.outputs += [
            [session.error("NotRun", f"this cell did not run: {why}")] for _ in range(missing)
        ]

    def kill(self) -> None:
        """End both forks."""
        for fork in self.forks.values():
            fork.kill()

    def reply(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "outputs": self.outputs,
            "flags": self.flags,
            "seconds": time.monotonic() - self.start,
            "apart": sorted(self.apart),
        }


def warm(set_up: str) -> None:
    """Import what a lesson imports, and do once what every submission would repeat."""
    from gqlib.grading.sandbox.shell import Shell

    shell = Shell()
    shell.load_magics()
    shell.run_cell(set_up)  # type: ignore[no-untyped-call]
    for error in _ERRORS:
        shell.run(error)
    for name in [name for name in vars(sys) if name.startswith("last_")]:
        delattr(sys, name)  # with the frames of this process
    with contextlib.suppress(ImportError):
        import torch

        # One thread each: as many submissions run at once as there are cores.
        torch.set_num_threads(1)
        # At an optimiser's first step PyTorch replaces some of its own functions.
        weight = torch.nn.Parameter(torch.zeros(1))
        weight.grad = torch.zeros(1)
        torch.optim.Adam([weight]).step()
        torch.func.vmap(torch.neg)(torch.zeros(1))  # the first one has it register kernels
    with contextlib.suppress(ImportError):
        from tqdm import tqdm

        tqdm.monitor_interval = 0  # a thread that progress bars would leave running
    from gqlib.grading.sandbox.audit import library_code
    from gqlib.grading.sandbox.guard import MODULES

    for name in MODULES:
        importlib.import_module(name)
    # A new shell for the forks, in which everything is done that an honest notebook may do to it.
    Shell.clear_instance()
    shell = Shell.instance()
    shell.load_magics()
    shell.run("%matplotlib inline")
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
    pending = b""
    with selectors.DefaultSelector() as selector:
        selector.register(0, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select(0.1):
                if key.fd == 0:
                    part = os.read(0, 1 << 20)
                    if not part:
                        for run in _runs:
                            run.kill()
                        return
                    *lines, pending = (pending + part).split(b"\n")
                    for line in lines:
                        run = _Run(json.loads(line), limits)
                        _follow(selector, run, {}, say)
                elif key.data is not None:
                    run, fork = key.data
                    if fork in run.forks.values():  # and not ended by what came before
                        _step(selector, run, functools.partial(run.ready, fork), say)
            for run in list(_runs):
                _step(selector, run, run.tick, say)


def _step(selector: Any, run: _Run, act: Callable[[], None], say: Any) -> None:
    """Let a run act, then listen to its next forks, or end it if it is finished."""
    before = dict(run.forks)
    try:
        act()
    except Exception as error:  # of this submission, whatever it did
        print(f"a submission is given up: {error!r:.300}", file=sys.stderr)
        run.give_up("the sandbox could not follow it")
    _follow(selector, run, before, say)


def _follow(selector: Any, run: _Run, before: dict[str, _Fork], say: Any) -> None:
    if run.finished or run.forks != before:
        for fork in before.values():
            selector.unregister(fork.connection)
    if run.finished:
        _runs.discard(run)
        run.kill()
        say(run.reply())
    elif run.forks != before:
        for fork in run.forks.values():
            selector.register(fork.connection, selectors.EVENT_READ, (run, fork))


if __name__ == "__main__":
    main()

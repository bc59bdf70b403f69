"""What the isolated forks of the warm process do: run the cells that they are sent.

Each cell comes as ``{"source": …, "kind": …, "env": …, "token": …}`` and is answered by ``{"token":
…, "outputs": […], "flags": […]}``. Before the first one, a fork sends its process numbers. One fork
has a student's cells and the tests that can't be kept apart from them; the other one has the tests
that can (``remote_answers``). A socket connects the two.
"""

from __future__ import annotations

import ast
import base64
import contextlib
import os
import select
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

from nbformat import from_dict

from gqlib.course import checks
from gqlib.grading.sandbox import audit, confine, guard, messages, remote_answers
from gqlib.grading.sandbox.limits import Limits
from gqlib.grading.sandbox.private import private
from gqlib.grading.sandbox.shell import Shell


def become(
    role: str,
    connection: socket.socket,
    peer: socket.socket,
    limits: Limits,
    files: dict[str, str],
    genuine: set[int],
    own: dict[str, Any],
) -> NoReturn:
    """What a fork of the warm process does; it never returns.

    Args:
        role: "answers" or "tests".
        connection: To the warm process.
        peer: To the other fork.
        limits: What the submission may use.
        files: The files next to the notebook, in base64.
        genuine: See :func:`gqlib.grading.sandbox.audit.library_code`.
        own: The names of the module that the warm process runs.
    """
    status = 1
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        _leave_files_behind({connection.fileno(), peer.fileno()})
        # The sandbox's /proc is the system's, with the system's process numbers.
        outer = int(Path("/proc/self").readlink().name)
        confine.enter_namespaces()
        confine.die_with_parent()
        inner = os.fork()
        if inner:
            messages.send(connection, {"inner": inner, "outer": outer})
            connection.close()
            peer.close()
            status = 1 if os.waitpid(inner, 0)[1] else 0
            os._exit(status)
        confine.die_with_parent()
        shell = _closed_in(limits, files)
        if role == "tests":
            _run_tests(shell, connection, peer)
        else:
            _run_answers(shell, connection, peer, genuine, own)
        status = 0
    except BaseException as error:
        with contextlib.suppress(OSError):
            messages.send(connection, {"complaint": repr(error)})
    finally:
        os._exit(status)


def _leave_files_behind(kept: set[int]) -> None:
    """Close everything that the warm process has open."""
    null = os.open(os.devnull, os.O_RDWR)
    for number in [int(path.name) for path in Path("/proc/self/fd").iterdir()]:
        if number not in kept | {null}:
            # Not closed: the objects that own these numbers may close them later.
            with contextlib.suppress(OSError):
                os.dup2(null, number)


def _closed_in(limits: Limits, files: dict[str, str]) -> Shell:
    """Give up all rights; returns a shell to run cells in."""
    confine.mount_own_files(limits)
    confine.give_up_rights()
    confine.limit(limits)
    for name, content in files.items():
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(content))
    # Modules next to the notebook can be imported, but do not hide installed ones.
    sys.path[:] = [path for path in sys.path if path not in ("", str(confine.SCRATCH))]
    sys.path.append(str(confine.WORK))
    return Shell.instance()


@contextlib.contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    os.environ.update(variables)
    yield
    for name in variables:
        os.environ.pop(name, None)


def _run_tests(shell: Shell, connection: socket.socket, peer: socket.socket) -> None:
    """Run set-up cells, and tests whose answers run in the other fork."""
    answers = remote_answers.Answers(peer, shell)
    space = shell.user_ns
    clean = dict(space)
    while True:
        try:
            request = messages.receive(connection)
        except EOFError:
            return
        if request["kind"] == "test":
            space.update(answers.look_up(remote_answers.wanted(request["source"], space)))
        flags: list[str] = []
        with _environment(request["env"]):
            outputs = shell.run(request["source"], trusted=True)
        if request["kind"] == "test":
            space.clear()
            space.update(clean)
            flags = answers.end()
        else:
            clean = dict(space)
        messages.send(connection, {"token": request["token"], "outputs": outputs, "flags": flags})


def _run_answers(
    shell: Shell,
    connection: socket.socket,
    peer: socket.socket,
    genuine: set[int],
    own: dict[str, Any],
) -> None:
    """Run a student's cells, and under guard the tests that must run in the same process."""
    watch, refuse = private(guard), private(audit)
    during: list[str] = []
    others = [connection, peer]
    asked = remote_answers.Asked(shell)

    def look() -> None:
        """After an answer that a test has called."""
        during.extend(restored())
        if during:
            raise AssertionError(f"the answer {', '.join(during)}")

    def seen(check: Callable[[], list[str]]) -> list[str]:
        """What was changed or refused until now."""
        found = list(dict.fromkeys([*during, *refused, *check()]))
        during.clear()
        refused.clear()
        return found

    def ask() -> dict[str, Any]:
        """The next cell; while it waits for one, it answers calls from tests."""
        while True:
            with contextlib.suppress(KeyboardInterrupt):  # came too late for a call
                ready = select.select(others, [], [])[0]
                if connection in ready:
                    return messages.receive(connection)
                try:
                    request = messages.receive(peer)
                except EOFError:  # there are no such tests
                    others.remove(peer)
                    continue
                if "end" in request:
                    reply: dict[str, Any] = {"flags": seen(restored)}
                else:
                    checks.look_around = None  # what this process makes of it does not count
                    reply = asked.answer(request)
                    checks.look_around = look
                messages.send(peer, reply)

    checks.look_around = look
    restored, quick, bind, watched = watch.snapshot(shell, own)
    refused = refuse.install(watched, genuine, _library_folders(), shell.user_ns)
    while True:
        try:
            request = ask()
        except EOFError:
            return
        trusted = request["kind"] != "student"
        flags = restored() if trusted else []
        with _environment(request["env"]):
            outputs = shell.run(request["source"], trusted)
        if request["kind"] == "set-up":
            bind(_stored(request["source"]) & set(shell.user_ns))
        else:
            # At once, since what brings the next cell in relies on it.
            late = seen(restored if trusted else quick)
            flags += [f"{text} during a test" if trusted else text for text in late]
            if late and trusted:
                outputs = [from_dict(error("TamperedTest", f"the answer {', '.join(late)}"))]
        watch.forget_exit_handlers()
        messages.send(connection, {"token": request["token"], "outputs": outputs, "flags": flags})


def _stored(source: str) -> set[str]:
    """The names that a set-up cell assigns."""
    names: set[str] = set()
    try:
        tree = ast.parse(source)
    except SyntaxError:  # a magic
        return names
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
    return names


def _library_folders() -> tuple[str, ...]:
    """Where the code of libraries lies, as code objects name it."""
    own = Path(confine.__file__).parents[2]
    folders = {sys.prefix, sys.base_prefix, os.path.realpath(sys.base_prefix), str(own)}
    return (*(folder.rstrip(os.sep) + os.sep for folder in folders), "<frozen ")


def error(name: str, text: str) -> dict[str, Any]:
    """A notebook's output that says so."""
    line = f"{name}: {text}"
    return {"output_type": "error", "ename": name, "evalue": text, "traceback": [line]}

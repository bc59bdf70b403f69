"""Tests in a process in which no student's code ever runs.

A submission has two forks. One runs the student's cells; the other has run the set-up cell, and
runs those tests that can be kept apart from the answers. There an answer is a stand-in
(:class:`Answer`): calling it sends its arguments to the other fork, where the function runs, and
brings back what it returned, as plain data (``plain``) over a socket of their own. A student's code
never sees the test, and nothing that it does to its own process changes what the test finds.

A test whose values are more than data (a network, a function, something to differentiate through)
can't be kept apart: it runs beside the answers, under ``guard``. Which tests those are, the
solution tells: each that it passes apart is run apart for everybody.
"""

from __future__ import annotations

import ast
import builtins
import contextlib
import socket
import sys
from collections.abc import Iterator
from typing import Any

import torch
from nbformat import from_dict

from gqlib.course import checks
from gqlib.grading.sandbox import messages
from gqlib.grading.sandbox.plain import NotPlain, pack, unpack
from gqlib.grading.sandbox.shell import Shell

#: Bytes of one tensor or array that an answer returns: more than the solution's may have.
_LIMIT = 16 * 2**20


class Answers:
    """A student's names, as the process of the tests knows them.

    Args:
        peer: To the process of the answers.
        shell: Shows what the answers print and display.
    """

    def __init__(self, peer: socket.socket, shell: Shell) -> None:
        self._peer, self._shell = peer, shell

    def look_up(self, names: set[str]) -> dict[str, Any]:
        """Those of these names that the student's notebook has."""
        found = self._ask({"names": sorted(names)})["names"]
        return {
            name: Answer(self, name) if value == "callable" else unpack(value[0])
            for name, value in found.items()
            if name in names
        }

    def call(self, name: str, arguments: tuple[Any, ...], others: dict[str, Any]) -> Any:
        """Have an answer run, and return what it returns or raise what it raises."""
        __tracebackhide__ = True
        packed = pack([list(arguments), others])
        # A test's `checks.call` has a profile function set: see its closed book.
        by_checks = sys.getprofile() is not None
        reply = self._ask({"call": name, "arguments": packed, "by_checks": by_checks})
        self._shell.show_outputs([from_dict(o) for o in reply["outputs"] if messages.is_output(o)])
        if "error" in reply:
            raise _exception(**reply["error"])
        generators = checks.parts([arguments, others], torch.Generator)
        for generator, state in zip(generators, reply["states"], strict=True):
            generator.set_state(unpack(state))
        return unpack(reply["value"])

    def end(self) -> list[str]:
        """What was seen of tampering while the test asked."""
        return [str(flag) for flag in self._ask({"end": True})["flags"]]

    def _ask(self, message: dict[str, Any]) -> dict[str, Any]:
        messages.send(self._peer, message)
        return messages.receive_from_anyone(self._peer)


class Answer:
    """A student's function, called where it is."""

    def __init__(self, answers: Answers, name: str) -> None:
        self._answers = answers
        self.__name__ = name

    def __call__(self, *arguments: Any, **others: Any) -> Any:
        __tracebackhide__ = True
        return self._answers.call(self.__name__, arguments, others)


def wanted(source: str, space: dict[str, Any]) -> set[str]:
    """The names that a test reads, and nobody but the student can have given a value."""
    nodes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name)]
    own = {node.id for node in nodes if not isinstance(node.ctx, ast.Load)}
    others = {node.id for node in nodes} - own - space.keys()
    return {name for name in others if not hasattr(builtins, name)}


def _exception(name: str, text: str, traceback: list[str]) -> BaseException:
    """An exception as the answer raised it, which is shown as it was there."""
    kind = getattr(builtins, str(name), None)
    if not (isinstance(kind, type) and issubclass(kind, Exception)):
        kind = type(str(name), (Exception,), {})
    try:
        error: BaseException = kind(str(text))
    except TypeError:  # one that wants more than a text
        error = type(str(name), (Exception,), {})(str(text))
    # Behind the traceback of the test, whose line tells what may be shown to a student.
    error.add_note("\n".join(["In the answer:", *map(str, traceback)]))
    return error


def answer(shell: Shell, request: dict[str, Any]) -> dict[str, Any]:
    """What the process of the answers says to a request of the tests'."""
    space = shell.user_ns
    if "names" in request:
        return {"names": dict(_named(space, request["names"]))}
    arguments, others = unpack(request["arguments"])
    reply: dict[str, Any] = {}
    with shell.watched() as outputs:
        try:
            call = checks.call if request["by_checks"] else _call_plainly
            value = call(space[request["call"]], *arguments, **others)
            reply["value"] = _packed(value)
            generators = checks.parts([arguments, others], torch.Generator)
            reply["states"] = [pack(generator.get_state()) for generator in generators]
        except BaseException as error:
            lines = shell.rendered(error)
            reply = {
                "error": {"name": type(error).__name__, "text": str(error), "traceback": lines}
            }
    return {**reply, "outputs": outputs}


def _call_plainly(function: Any, *arguments: Any, **others: Any) -> Any:
    return function(*arguments, **others)


def _packed(value: Any) -> Any:
    try:
        return pack(value, _LIMIT)
    except NotPlain as error:
        raise AssertionError(f"the answer returned {error}") from None


def _named(space: dict[str, Any], names: list[str]) -> Iterator[tuple[str, Any]]:
    for name in names:
        if callable(space.get(name)):
            yield name, "callable"
        elif name in space:
            with contextlib.suppress(NotPlain):  # as if there were none
                yield name, [pack(space[name])]

"""Tests in a process in which no student's code ever runs.

A submission has two forks. One runs the student's cells. The other runs the set-up cell and the
tests that can be kept apart from the answers. There an answer is a stand-in (:class:`Answer`):
calling it sends its arguments to the first fork, where the function runs, and brings back what it
returned, as plain data (``serialise``) over a socket. A student's code never sees the test, and
nothing that it does to its own process changes what the test finds. A function among the arguments
is copied (``arguments``). A result can be differentiated by the arguments: the process where the
answer ran computes the gradient.

A test whose values are more than that (a network, say) can't be kept apart: it runs in the process
of the answers, under ``guard``. The solution decides which tests those are: each that it passes
apart is run apart for everybody.
"""

from __future__ import annotations

import ast
import builtins
import contextlib
import functools
import socket
import sys
from collections.abc import Callable, Iterator
from typing import Any

import torch
from nbformat import from_dict
from torch.autograd.function import once_differentiable

from gqlib.course import checks
from gqlib.grading.sandbox import messages
from gqlib.grading.sandbox.arguments import Arguments
from gqlib.grading.sandbox.serialise import NotPlain, pack, unpack
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
        values = self._ask({"names": sorted(names)})["names"]
        return {
            name: Answer(self, name) if value == "callable" else unpack(value[0])
            for name, value in values.items()
            if name in names
        }

    def call(self, name: str, arguments: tuple[Any, ...], others: dict[str, Any]) -> Any:
        """Run an answer, and return what it returns or raise what it raises."""
        __tracebackhide__ = True
        given = Arguments()
        packed = given.pack([list(arguments), others])
        # A test's `checks.call` has a profile function set: see its closed book.
        by_checks = sys.getprofile() is not None
        reply = self._run({"call": name, "arguments": packed, "by_checks": by_checks})
        given.change(reply["changes"])

        def with_gradient(data: Any) -> Any:
            if "graph" not in data:
                return None
            number, value = int(data["graph"]), unpack(data["value"])
            ask = functools.partial(self._differentiate, number)
            return _Through.apply(value, ask, *given.leaves)

        return unpack(reply["value"], with_gradient)

    def _differentiate(self, number: int, gradient: torch.Tensor) -> list[torch.Tensor | None]:
        """The gradient of a result, carried back to each leaf of the arguments."""
        reply = self._run({"graph": number, "gradient": pack(gradient, _LIMIT)})
        return list(unpack(reply["value"]))

    def _run(self, request: dict[str, Any]) -> dict[str, Any]:
        """Run code of the answers; an exception is raised as it was there."""
        __tracebackhide__ = True
        reply = self._ask(request)
        self._shell.show_outputs([from_dict(o) for o in reply["outputs"] if messages.is_output(o)])
        if "error" in reply:
            raise _exception(**reply["error"])
        return reply

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


class _Through(torch.autograd.Function):
    """A result of an answer, differentiated in the process where it was made."""

    @staticmethod
    def forward(ctx: Any, value: torch.Tensor, ask: Callable[..., Any], *_: torch.Tensor) -> Any:
        ctx.ask = ask
        return value.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> Any:
        return (None, None, *ctx.ask(gradient))


def wanted(source: str, space: dict[str, Any]) -> set[str]:
    """The names that a test reads and only the student can have defined."""
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
    # After the traceback of the test, whose line tells what may be shown to a student.
    error.add_note("\n".join(["In the answer:", *map(str, traceback)]))
    return error


class Asked:
    """The process of the answers: it serves the requests of the tests' process.

    Args:
        shell: Has the student's names.
    """

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        #: Results with a gradient, each with what it can be differentiated by.
        self._graphs: list[tuple[torch.Tensor, list[torch.Tensor]]] = []

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """The reply to a request."""
        if "names" in request:
            self._graphs.clear()  # of the test before
            return {"names": dict(_named(self._shell.user_ns, request["names"]))}
        act = self._gradients if "graph" in request else self._call
        with self._shell.watched() as outputs:
            try:
                reply = act(request)
            except BaseException as error:
                lines = self._shell.rendered(error)
                reply = {
                    "error": {"name": type(error).__name__, "text": str(error), "traceback": lines}
                }
        return {**reply, "outputs": outputs}

    def _call(self, request: dict[str, Any]) -> dict[str, Any]:
        given = Arguments()
        arguments, others = given.unpack(request["arguments"])
        call = checks.call if request["by_checks"] else _call_plainly
        value = call(self._shell.user_ns[request["call"]], *arguments, **others)

        def with_gradient(part: Any) -> Any:
            if type(part) is not torch.Tensor or not (part.requires_grad and given.leaves):
                return None  # nothing to differentiate by: the result travels as numbers
            self._graphs.append((part, given.leaves))
            return {"graph": len(self._graphs) - 1, "value": pack(part.detach(), _LIMIT)}

        return {"value": _packed(value, with_gradient), "changes": given.changes(_LIMIT)}

    def _gradients(self, request: dict[str, Any]) -> dict[str, Any]:
        value, leaves = self._graphs[request["graph"]]
        gradient = unpack(request["gradient"])

        def differentiate() -> Any:
            return torch.autograd.grad(
                value, leaves, gradient, retain_graph=True, allow_unused=True
            )

        return {"value": _packed(checks.call(differentiate))}


def _call_plainly(function: Any, *arguments: Any, **others: Any) -> Any:
    return function(*arguments, **others)


def _packed(value: Any, more: Callable[[Any], Any] | None = None) -> Any:
    try:
        return pack(value, _LIMIT, more)
    except NotPlain as error:
        raise AssertionError(f"the answer returned {error}") from None


def _named(space: dict[str, Any], names: list[str]) -> Iterator[tuple[str, Any]]:
    for name in names:
        if callable(space.get(name)):
            yield name, "callable"
        elif name in space:
            with contextlib.suppress(NotPlain):  # as if there were none
                yield name, [pack(space[name])]

"""Audit hook that blocks frames, tracing, code objects and raw memory.

Python calls an audit hook (PEP 578) before such an act, and a hook can't be removed. A frame would
show an answer the test that called it, with the expected values; the list of all objects would show
everything else. Libraries do such things for honest reasons, so what counts is whose code acts. A
code object belongs to a library if it was loaded before any student's code, or equals the content
of its file; its name alone proves nothing. And it must do the act itself, not call a function that
it was given.

Like ``guard`` this is used as a copy that no one can reach, and defines no class.
"""

from __future__ import annotations

import gc
import sys
from builtins import compile as compiled
from collections.abc import Iterable
from sys import _getframe as frame_of
from types import CodeType, FrameType, FunctionType
from typing import Any

#: What a student's code may not do, by the name of the event.
_ACTS = {
    "sys._getframe": "looked at its callers",
    "sys._current_frames": "looked at its callers",
    "sys._current_exceptions": "looked at its callers",
    "gc.get_objects": "searched all objects",
    "gc.get_referrers": "searched all objects",
    "gc.get_referents": "searched all objects",
    "sys.settrace": "hooked into the trace function",
    "sys.setprofile": "hooked into the trace function",
    "sys.monitoring.register_callback": "hooked into the trace function",
    "sys.addaudithook": "hooked into the interpreter",
    "code.__new__": "made code by hand",
    "_thread.start_new_thread": "started a thread past Python's own",
    "_thread.start_joinable_thread": "started a thread past Python's own",
}
#: The names that libraries use, if they differ from the event's.
_ASKED_BY = {
    "ctypes.dlopen": {"_dlopen"},
    "ctypes.dlsym": {"_FuncPtr"},
    "sys.setprofile": {"setprofile", "enable"},  # the latter is cProfile's
    "_thread.start_new_thread": {"_start_new_thread"},
    "_thread.start_joinable_thread": {"_start_joinable_thread"},
}
#: Attributes that lead to frames, and to other functions' code.
_TO_FRAMES = {"tb_frame", "gi_frame", "cr_frame", "ag_frame"}
_TO_CODE = {"__code__", "gi_code", "cr_code", "ag_code", "f_code"}
#: Functions of the standard library that only hand frames on.
_HANDING_ON = {
    "currentframe", "getinnerframes", "getouterframes", "stack", "trace", "walk_stack", "walk_tb",
    "getgeneratorlocals", "getcoroutinelocals", "extract_stack", "format_stack", "print_stack",
    "<lambda>", "_getframemodulename",
}  # fmt: skip


def library_code() -> set[int]:
    """The ids of all code objects that exist now."""
    found: set[int] = set()
    waiting = [f.__code__ for f in gc.get_objects() if type(f) is FunctionType]
    while waiting:
        code = waiting.pop()
        if id(code) not in found:
            found.add(id(code))
            waiting += _inner(code)
    return found


def _inner(code: CodeType) -> list[CodeType]:
    return [constant for constant in code.co_consts if isinstance(constant, CodeType)]


def install(
    watched: set[int], genuine: Iterable[int], trusted: tuple[str, ...], space: dict[str, Any]
) -> list[str]:
    """Refuse such acts from now on; this cannot be undone.

    Args:
        watched: The ids of functions whose code nobody may change.
        genuine: See :func:`library_code`.
        trusted: Where the files of libraries lie.
        space: The names of the notebook, whose own functions' code is open.

    Returns:
        A list that fills with what was refused, in a few words each.
    """
    refused: list[str] = []
    busy: list[bool] = []  # what the hook does itself is told to it too
    known = dict.fromkeys(genuine, True)
    kept: list[CodeType] = []  # so that no other code gets the id of one that is known

    def is_library(code: CodeType) -> bool:
        if id(code) not in known:
            known[id(code)] = code.co_filename.startswith(trusted) and _is_in_file(code)
            kept.append(code)
        return known[id(code)]

    def is_allowed(names: set[str]) -> bool:
        frame: FrameType | None = frame_of(2)
        assert frame is not None
        if names.isdisjoint(frame.f_code.co_names):
            return False
        while is_library(frame.f_code):
            hands_on = frame.f_code.co_name in _HANDING_ON
            if not hands_on and "/ctypes/" not in frame.f_code.co_filename:
                return True
            frame = frame.f_back
            if frame is None:
                return True
        return False

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if busy or (event not in _ACTS and event[:7] not in ("ctypes.", "object.")):
            return
        busy.append(True)
        try:
            act = _act(event, arguments, watched, space)
            if act and not (act[1] and is_allowed(act[1])):
                refused.append(act[0])
                raise PermissionError(f"not while this is graded: the code {act[0]}")
        finally:
            busy.clear()

    sys.addaudithook(hook)
    return refused


def _is_in_file(code: CodeType) -> bool:
    """Whether a library's file, which no student can write, has this code."""
    try:
        with open(code.co_filename, "rb") as file:  # noqa: PTH123 (pathlib's names can be replaced)
            waiting = [compiled(file.read(), code.co_filename, "exec", dont_inherit=True)]
    except (OSError, SyntaxError, ValueError):
        return False
    while waiting:
        found = waiting.pop()
        if found == code:
            return True
        waiting += _inner(found)
    return False


def _act(
    event: str, arguments: tuple[Any, ...], watched: set[int], space: dict[str, Any]
) -> tuple[str, set[str]] | None:
    """The act, if it may have to be refused, and the names that a library's code uses for it."""
    act = "reached into memory (ctypes)" if event[:7] == "ctypes." else _ACTS.get(event)
    if act:
        return act, _ASKED_BY.get(event, {event.rpartition(".")[2]})
    name = arguments[1]
    if event == "object.__getattr__":
        if name in _TO_FRAMES:
            return "looked at its callers", {name}
        if name in _TO_CODE and getattr(arguments[0], "__globals__", None) is not space:
            return "read a function's code", {name}
    elif event == "object.__setattr__" and id(arguments[0]) in watched:
        return f"changed the code of {arguments[0].__module__}.{arguments[0].__qualname__}", set()
    return None

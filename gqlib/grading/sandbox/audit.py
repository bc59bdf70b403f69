"""What no answer needs, refused as it is asked for: frames, traces, code, and memory itself.

Python tells an audit hook (PEP 578) of such acts before they happen, and a hook can't be removed. A
frame would show an answer the test that called it, with the values it expects; the list of all
objects, everything else. Libraries may ask: what counts is whose code does.

Like ``guard`` this is used as a copy that no one can reach, and has no class.
"""

from __future__ import annotations

import sys
from sys import _getframe as frame_of
from types import FrameType
from typing import Any

#: What a student's code may not do, by the events that tell of it.
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
}
#: Attributes that lead to frames, and to other functions' code.
_TO_FRAMES = {"tb_frame", "gi_frame", "cr_frame", "ag_frame"}
_TO_CODE = {"__code__", "gi_code", "cr_code", "ag_code", "f_code"}
#: Functions of the standard library that only hand frames on.
_HANDING_ON = {
    "currentframe", "getinnerframes", "getouterframes", "stack", "trace", "walk_stack", "walk_tb",
    "getgeneratorlocals", "getcoroutinelocals", "extract_stack", "format_stack", "print_stack",
}  # fmt: skip


def install(watched: set[int], trusted: tuple[str, ...], space: dict[str, Any]) -> list[str]:
    """Refuse from now on; never to be undone.

    Args:
        watched: The ids of functions whose code nobody may change.
        trusted: Where the files of libraries lie.
        space: The names of the notebook, whose own functions' code is open.

    Returns:
        A list that fills with what was refused, in a few words each.
    """
    refused: list[str] = []
    busy: list[bool] = []  # what the hook does itself is told to it too

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if busy or (event not in _ACTS and event[:7] != "ctypes." and event[:7] != "object."):
            return
        busy.append(True)
        try:
            act = _act(event, arguments, watched, space)
            if act and not (_asking().startswith(trusted) and act[1]):
                refused.append(act[0])
                raise PermissionError(f"not while this is graded: the code {act[0]}")
        finally:
            busy.clear()

    sys.addaudithook(hook)
    return refused


def _act(
    event: str, arguments: tuple[Any, ...], watched: set[int], space: dict[str, Any]
) -> tuple[str, bool] | None:
    """What is asked for, if it is to be refused, and whether libraries may."""
    if event in _ACTS:
        return _ACTS[event], True
    if event[:7] == "ctypes.":
        return "reached into memory (ctypes)", True
    name = arguments[1]
    if event == "object.__getattr__":
        if name in _TO_FRAMES:
            return "looked at its callers", True
        if name in _TO_CODE and getattr(arguments[0], "__globals__", None) is not space:
            return "read a function's code", True
    elif event == "object.__setattr__" and id(arguments[0]) in watched:
        return f"changed the code of {arguments[0].__module__}.{arguments[0].__qualname__}", False
    return None


def _asking() -> str:
    """The file of the code that asks, behind functions that only hand on."""
    frame: FrameType | None = frame_of(2)
    while frame is not None and _hands_on(frame):
        frame = frame.f_back
    return "" if frame is None else frame.f_code.co_filename


def _hands_on(frame: FrameType) -> bool:
    code = frame.f_code
    return (
        code.co_filename.endswith(("/inspect.py", "/traceback.py"))
        and (code.co_name in _HANDING_ON)
    ) or "/ctypes/" in code.co_filename

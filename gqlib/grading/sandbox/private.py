"""A module that nobody else can reach."""

from __future__ import annotations

import builtins
import functools
from pathlib import Path
from types import CodeType, ModuleType


def private(module: ModuleType) -> ModuleType:
    """A copy of a module with its own builtins, which is not in any table of modules.

    Replacing ``len``, or a function of ``module``, changes nothing here. Its functions and their
    state cannot be found in another way either: the module must define no class, and ``audit``
    blocks frames and the list of all objects.
    """
    copy = ModuleType(module.__name__)
    vars(copy)["__builtins__"] = dict(vars(builtins))
    exec(_code(str(module.__file__)), vars(copy))
    return copy


@functools.cache
def _code(file: str) -> CodeType:
    return compile(Path(file).read_text(encoding="utf-8"), file, "exec")

"""A module that nobody else can reach."""

from __future__ import annotations

import builtins
import functools
from pathlib import Path
from types import CodeType, ModuleType


def private(module: ModuleType) -> ModuleType:
    """A copy of a module with builtins of its own, which stands in no table of modules.

    Who replaces ``len``, or a function of ``module``, changes nothing here. (Its functions and what
    they remember must not be found another way either: the module defines no class, and ``audit``
    keeps frames and the list of all objects out of sight.)
    """
    copy = ModuleType(module.__name__)
    vars(copy)["__builtins__"] = dict(vars(builtins))
    exec(_code(str(module.__file__)), vars(copy))
    return copy


@functools.cache
def _code(file: str) -> CodeType:
    return compile(Path(file).read_text(encoding="utf-8"), file, "exec")

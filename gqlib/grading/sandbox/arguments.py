"""What a test gives an answer: copies that are kept equal in both processes.

Plain data travels as it is (``serialise``). Three kinds of arguments need more:

* A tensor that requires a gradient: the test may differentiate the result by it.
* A generator: the answer draws from it, so its state comes back.
* A function of the test, such as a log-density or a critic: its code and the values that it reads
  travel, and the answer's process runs a copy. A list that it appends to comes back.

Functions go in this direction only. Nothing that an answer returns is ever code.
"""

from __future__ import annotations

import base64
import builtins
import dis
import importlib
import marshal
from collections.abc import Iterator
from types import CellType, CodeType, FunctionType, ModuleType
from typing import Any

import torch

from gqlib.grading.sandbox import serialise
from gqlib.grading.sandbox.serialise import NotPlain

#: Instructions by which a function gives a name outside of it another value.
_STORES = {"STORE_GLOBAL", "DELETE_GLOBAL", "STORE_DEREF", "DELETE_DEREF"}
#: What a function may read, next to modules, tuples, lists and other functions. No test changes
#: one of these in place, except a generator.
_READ = (
    type(None), bool, int, float, complex, str, torch.Tensor, torch.dtype, torch.device,
    torch.Generator,
)  # fmt: skip


class Arguments:
    """One side's copies of a call's arguments; the other side has them in the same order."""

    def __init__(self) -> None:
        #: Tensors that the result can be differentiated by.
        self.leaves: list[torch.Tensor] = []
        #: Generators, and the lists that functions append to.
        self._changing: list[torch.Generator | list[Any]] = []
        self._functions: list[FunctionType] = []  # those being packed, outermost first

    def pack(self, value: Any) -> Any:
        """Arguments of a test's call.

        Raises:
            NotPlain: They can't be copied.
        """
        return serialise.pack(value, more=self._pack)

    def unpack(self, data: Any) -> Any:
        """The same on the answer's side."""
        return serialise.unpack(data, more=self._unpack)

    def changes(self, limit: int) -> Any:
        """Generators and lists as the answer left them; for :meth:`change`."""
        return [
            serialise.pack(one.get_state() if isinstance(one, torch.Generator) else one, limit)
            for one in self._changing
        ]

    def change(self, data: list[Any]) -> None:
        """Give generators and lists on the test's side the state that the answer left."""
        for one, new in zip(self._changing, map(serialise.unpack, data), strict=True):
            if isinstance(one, torch.Generator):
                one.set_state(new)
            else:
                one[:] = new

    def _pack(self, value: Any) -> Any:
        if type(value) is torch.Generator:
            return self._again(value) or serialise.pack(value)
        if type(value) is torch.Tensor and value.requires_grad and value.is_leaf:
            self.leaves.append(value)
        if type(value) is FunctionType:
            return self._pack_function(value)
        return None

    def _again(self, one: torch.Generator | list[Any]) -> Any:
        """The reference to one that was sent before; ``None`` for a new one, which is noted."""
        for place, known in enumerate(self._changing):
            if known is one:
                return {"again": place}
        self._changing.append(one)
        return None

    def _unpack(self, data: Any) -> Any:
        if "generator" in data:
            self._changing.append(serialise.unpack(data))
            return self._changing[-1]
        if "kept" in data:
            kept: list[Any] = []
            self._changing.append(kept)
            kept += self.unpack(data["kept"])
            return kept
        if "again" in data:
            return self._changing[data["again"]]
        if data.get("requires_grad"):
            self.leaves.append(serialise.unpack(data))
            return self.leaves[-1]
        if "module" in data:
            return importlib.import_module(data["module"])
        return self._unpack_function(data) if "function" in data else None

    def _pack_function(self, value: FunctionType) -> dict[str, Any]:
        code = value.__code__
        if value in self._functions or value.__dict__ or _stores(code):
            raise NotPlain(
                f"the function {value.__name__}, which calls itself or changes what is outside of "
                "it, expected one that only reads"
            )
        self._functions.append(value)
        reads = {
            name: self._pack_read(value.__globals__[name])
            for name in sorted(_reads(code))
            if name in value.__globals__
        }
        try:
            closure = [self._pack_read(cell.cell_contents) for cell in value.__closure__ or ()]
        except ValueError:
            raise NotPlain(f"the function {value.__name__} before what it reads is there") from None
        packed = {
            "function": base64.b64encode(marshal.dumps(_anonymous(code))).decode(),
            "reads": reads,
            "closure": closure,
            "defaults": [self._pack_read(item) for item in value.__defaults__ or ()],
            "others": {k: self._pack_read(v) for k, v in (value.__kwdefaults__ or {}).items()},
        }
        self._functions.pop()
        return packed

    def _pack_read(self, value: Any) -> Any:
        """A value that a function reads."""
        kind = type(value)
        if kind is ModuleType:
            return {"module": value.__name__}
        if kind is list:
            return self._again(value) or {"kept": self.pack(list(value))}
        if kind is tuple:
            return {"tuple": [self._pack_read(item) for item in value]}
        if kind is FunctionType or kind in _READ:
            return self.pack(value)
        raise NotPlain(f"a function that reads a {kind.__name__}, expected numbers and tensors")

    def _unpack_function(self, data: dict[str, Any]) -> FunctionType:
        code = marshal.loads(base64.b64decode(data["function"]))
        space = {name: self.unpack(item) for name, item in data["reads"].items()}
        closure = tuple(CellType(self.unpack(item)) for item in data["closure"])
        defaults = tuple(self.unpack(item) for item in data["defaults"])
        made = FunctionType(code, {"__builtins__": builtins, **space}, None, defaults, closure)
        made.__kwdefaults__ = {k: self.unpack(v) for k, v in data["others"].items()}
        return made


def _codes(code: CodeType) -> Iterator[CodeType]:
    """A function's code, and that of the functions in it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def _reads(code: CodeType) -> set[str]:
    """The global names that a function reads."""
    return {
        str(step.argval)
        for part in _codes(code)
        for step in dis.get_instructions(part)
        if step.opname in ("LOAD_GLOBAL", "LOAD_NAME")
    }


def _stores(code: CodeType) -> bool:
    """Whether a function gives names outside of it other values."""
    outside = set(code.co_freevars)
    return any(
        step.opname in _STORES and ("GLOBAL" in step.opname or step.argval in outside)
        for part in _codes(code)
        for step in dis.get_instructions(part)
    )


def _anonymous(code: CodeType) -> CodeType:
    """Code without a file or cell, so that no traceback shows the lines of another one."""
    constants = (_anonymous(c) if isinstance(c, CodeType) else c for c in code.co_consts)
    return code.replace(co_filename="<a function of the test>", co_consts=tuple(constants))

"""What a test relies on, watched: replaced functions are put back and named.

A snapshot is taken before any of a student's code runs. It holds the names of the modules that test
cells use, the code of their Python functions, and IPython's hooks. Whatever differs before a test
cell is put back and reported; whatever differs after it has made the test's word worthless.

This stops what is known, and says so; it is no proof. Code that runs in the same process as the
test can do what the test can.
"""

from __future__ import annotations

import atexit
import sys
import threading

# Names of this module's own: a submission may replace those of builtins.
from builtins import (  # noqa: UP029
    any,
    callable,
    delattr,
    dict,
    getattr,
    id,
    isinstance,
    set,
    setattr,
    vars,
)
from collections.abc import Callable, Iterator
from types import FunctionType, ModuleType
from typing import Any

from gqlib.grading.sandbox.shell import Shell

#: Modules whose names, and the code of whose functions, test cells rely on.
MODULES = (
    "builtins",
    "math",
    "random",
    "numpy",
    "numpy.linalg",
    "numpy.testing",
    "scipy.stats",
    "torch",
    "torch.linalg",
    "torch.testing",
    "torch.nn.functional",
    "torch.autograd",
    "gqlib.checks",
    "gqlib.course",
    "gqlib.references",
)
_CLASSES = (("torch", "Tensor"), ("torch", "Generator"), ("torch.nn", "Module"))
#: What IPython and pytest-like tools set by themselves.
_IGNORED = {"_", "__", "___", "__loader__", "__spec__"}
_MISSING = object()


class Guard:
    """A snapshot of what tests rely on.

    Args:
        shell: The shell in which they run; its set-up cell has not run yet.
    """

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self._names = {place: dict(names) for place, names in _places()}
        self._code = {
            id(value): (f"{place}.{name}", value, _code_of(value))
            for place, names in self._names.items()
            for name, value in names.items()
            if isinstance(value, FunctionType)
        }
        self._hooks = {name: read() for name, read in self._hook_readers().items()}
        self._bound: dict[str, Any] = {}
        self._threads = set(threading.enumerate())

    def bind(self, names: set[str]) -> None:
        """Watch these names of the notebook too: what a set-up cell has defined."""
        space = self._shell.user_ns
        self._bound |= {name: space[name] for name in names if name in space}

    def restored(self) -> list[str]:
        """Put back what was changed; what that was, each in a few words."""
        seen = []
        for place, names in _places():
            seen += [f"replaced {name}" for name in self._put_back(place, names)]
        for label, function, code in self._code.values():
            if _code_of(function) != code:
                function.__code__, function.__defaults__, function.__kwdefaults__ = code
                seen.append(f"changed the code of {label}")
        for name, read in self._hook_readers().items():
            if read() != self._hooks[name]:
                seen.append(f"hooked into {name}")
        if any(text.startswith("hooked") for text in seen):
            self._reset_hooks()
        space = self._shell.user_ns
        for name, value in self._bound.items():
            if space.get(name, _MISSING) is not value:
                space[name] = value
                seen.append(f"rebound {name}")
        started = [t for t in threading.enumerate() if t not in self._threads and t.is_alive()]
        if started:
            self._threads |= set(started)
            seen.append("left a thread running")
        return seen

    def _put_back(self, place: str, names: Any) -> Iterator[str]:
        owner = _owner(place)
        if isinstance(owner, type):  # a new method may hide an inherited one
            for name in names.keys() - self._names[place].keys():
                delattr(owner, name)
                yield f"{place}.{name}"
        for name, value in self._names[place].items():
            if names.get(name, _MISSING) is not value:
                setattr(owner, name, value)
                yield f"{place}.{name}"

    def _hook_readers(self) -> dict[str, Callable[[], Any]]:
        shell = self._shell
        manager = shell.input_transformer_manager
        return {
            "the cells' transformation": lambda: (
                [*manager.cleanup_transforms],
                [*manager.line_transforms],
                [*manager.token_transformers],
                [*shell.input_transformers_post],
                [*shell.ast_transformers],
            ),
            "the shell's events": lambda: {k: [*v] for k, v in shell.events.callbacks.items()},
            "the shell's magics": lambda: {
                k: dict(v) for k, v in shell.magics_manager.magics.items()
            },
            "the shell itself": lambda: (
                {k: v for k, v in vars(shell).items() if callable(v) and k in dir(type(shell))},
                dict(vars(type(shell))),
            ),
            "the trace function": lambda: (sys.gettrace(), sys.getprofile()),
            "imports": lambda: ([*sys.meta_path], [*sys.path_hooks]),
            "the display of values": lambda: (sys.displayhook, sys.excepthook),
        }

    def _reset_hooks(self) -> None:
        shell, hooks = self._shell, self._hooks
        manager = shell.input_transformer_manager
        cleanup, lines, tokens, post, trees = hooks["the cells' transformation"]
        manager.cleanup_transforms[:] = cleanup
        manager.line_transforms[:] = lines
        manager.token_transformers[:] = tokens
        shell.input_transformers_post[:] = post
        shell.ast_transformers[:] = trees
        for name, callbacks in hooks["the shell's events"].items():
            shell.events.callbacks[name] = [*callbacks]
        for kind, magics in hooks["the shell's magics"].items():
            shell.magics_manager.magics[kind] = dict(magics)
        own, methods = hooks["the shell itself"]
        for name in [n for n, v in vars(shell).items() if callable(v) and n in dir(type(shell))]:
            if name not in own:
                delattr(shell, name)
        for name, value in methods.items():
            if vars(type(shell)).get(name, _MISSING) is not value:
                setattr(type(shell), name, value)
        sys.settrace(None)
        sys.setprofile(None)
        sys.meta_path[:], sys.path_hooks[:] = hooks["imports"]
        sys.displayhook, sys.excepthook = hooks["the display of values"]


def forget_exit_handlers() -> None:
    """Nothing that a student registered runs when the process ends."""
    atexit._clear()


def _places() -> Iterator[tuple[str, Any]]:
    for name in MODULES:
        if name in sys.modules:
            yield name, {k: v for k, v in vars(sys.modules[name]).items() if k not in _IGNORED}
    for module, name in _CLASSES:
        if module in sys.modules:
            members = vars(getattr(sys.modules[module], name))
            yield f"{module}.{name}", {k: v for k, v in members.items() if callable(v)}


def _owner(place: str) -> ModuleType | type:
    if place in sys.modules:
        return sys.modules[place]
    module, _, name = place.rpartition(".")
    owner: type = getattr(sys.modules[module], name)
    return owner


def _code_of(function: Any) -> tuple[Any, ...]:
    return (function.__code__, function.__defaults__, function.__kwdefaults__)

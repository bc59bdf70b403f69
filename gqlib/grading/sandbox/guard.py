"""Watches what tests rely on: replaced functions are put back and reported.

Before any of a student's code runs, a snapshot is taken of the modules, functions and classes that
test cells, the shell and the sandbox use, and of IPython's hooks. Whatever differs before a test,
or after an answer that the test called, is put back and reported; a test in which something was
changed gives no points.

A student's code runs in the same process. So this module is used as a copy that no one can reach
(``private``), and defines no class. While it checks, it calls only its own copies of built-in
functions and what it has just checked.

This stops known tricks, and reports them; it is not a proof. It is for the tests that can't run
apart from the answers (``remote_answers``).
"""

from __future__ import annotations

import sys
import threading
from _signal import getsignal, setitimer, signal
from atexit import _clear as forget_exit_handlers
from collections.abc import Callable, Iterable, Iterator, Mapping
from gc import callbacks
from operator import attrgetter, is_
from sys import getprofile, gettrace, setprofile, settrace
from types import FunctionType, ModuleType
from typing import Any

__all__ = ["forget_exit_handlers", "snapshot"]

#: Modules of which test cells rely on every name.
MODULES = (
    "builtins", "math", "operator", "numpy", "numpy.linalg", "scipy.linalg", "scipy.special",
    "scipy.stats", "torch", "torch.autograd", "torch.func", "torch.functional", "torch.linalg",
    "torch.nn.functional", "torch.nn.init", "torch.overrides", "torch.random", "torch.special",
    "gqlib", "gqlib.course.checks", "gqlib.course", "gqlib.course.answers",
)  # fmt: skip
#: Modules whose functions and classes are watched, with those below them: what the course consists
#: of, how tests compare, and what runs cells.
_FAMILIES = (
    "gqlib", "numpy.testing", "torch.testing", "IPython.core", "traitlets", "json",
)  # fmt: skip
#: Modules of the standard library that the shell, the sandbox and tests call.
_STANDARD = {
    "abc", "ast", "asyncio", "codeop", "collections", "collections.abc", "contextlib", "copy",
    "dis", "enum", "functools", "hashlib", "inspect", "io", "itertools", "linecache", "os",
    "nbformat.v4", "nbformat.v4.nbbase", "numpy._core._methods", "numpy._core.fromnumeric",
    "numpy._core.numeric", "posixpath", "random", "re", "select", "signal", "socket",
    "struct", "sys", "tempfile", "threading", "time", "token", "tokenize", "traceback", "types",
    "warnings", "weakref",
}  # fmt: skip
_CLASSES = (
    ("torch", "Tensor"),
    ("torch", "Generator"),
    ("torch.nn", "Module"),
    ("torch.autograd", "Function"),
    ("torch.utils._device", "DeviceContext"),
)
#: Names that a shell, or an honest program, sets while a cell runs.
_IGNORED = {
    "_", "__", "___", "__loader__", "__spec__", "display", "displayhook", "excepthook", "exit",
    "get_ipython", "quit", "showwarning", "_showwarnmsg_impl",
}  # fmt: skip
#: Labels of the places with the code that receives cells and starts them.
_NEAR = (
    "builtins", "gqlib.grading.sandbox", "json", "select", "socket", "struct", "the sandbox",
)  # fmt: skip
#: Parts of the shell that no honest program replaces.
_PARTS = (
    "builtin_trap", "compile", "display_pub", "display_trap", "displayhook", "events",
    "input_transformer_manager", "magics_manager", "user_module", "user_ns",
)  # fmt: skip
#: Signals that a timer sends.
_ALARMS = (14, 26, 27)
#: Names of a notebook that are not a student's.
_OWN_NAMES = ("__builtins__", "__builtin__", "get_ipython")
Check = Callable[[], list[str]]
content_of = attrgetter("cell_contents")


def snapshot(
    shell: Any, own: dict[str, Any]
) -> tuple[Check, Check, Callable[[set[str]], None], set[int]]:
    """Take the snapshot.

    Args:
        shell: The shell in which tests run; its set-up cell has not run yet.
        own: The names of the module that the sandbox's process runs.

    Returns:
        A check, which puts back whatever was changed and returns what that was, in a few words
        each; a quick check of the code that receives cells and starts them; a function that makes
        the check watch names of the notebook too; and the ids of the functions whose code must
        stay.
    """
    places = [*_places(), ("the sandbox", own, *_split(own))]
    functions = [
        (f"{place[0]}.{name}", value)
        for place in places
        for name, value in zip(place[2], place[3], strict=True)
        if isinstance(value, FunctionType)
    ]
    space: dict[str, Any] = shell.user_ns
    bound = {name: space[name] for name in _OWN_NAMES if name in space}
    names, hooks = [_names(*place) for place in places], _hooks(shell)
    check = _all_of(
        [
            _modules(),
            *names,
            _variables(functions),
            hooks,
            _threads(),
            _modes(),
            _notebook(space, bound),
        ]
    )
    near = [part for place, part in zip(places, names, strict=True) if _is_near(place[0])]

    def bind(names: set[str]) -> None:
        bound.update({name: space[name] for name in names if name in space})

    return check, _all_of([*near, hooks]), bind, _ids_of_all(function for _, function in functions)


def _all_of(parts: list[Check]) -> Check:
    return lambda: [text for part in parts for text in part()]


def _ids_of_all(functions: Iterable[Any]) -> set[int]:
    """Of functions, of those that they wrap, and of those in their closures."""
    found: dict[int, Any] = {}
    waiting = list(functions)
    while waiting:
        function = waiting.pop()
        if isinstance(function, FunctionType) and id(function) not in found:
            found[id(function)] = function
            waiting.append(getattr(function, "__wrapped__", None))
            waiting += [c.cell_contents for c in function.__closure__ or () if _callable(c)]
    return set(found)


def _is_near(label: str) -> bool:
    return label.startswith(_NEAR)


# --- modules and their names

_Place = tuple[str, Any, tuple[str, ...], tuple[Any, ...]]


def _places() -> Iterator[_Place]:
    for name, module in list(sys.modules.items()):
        family = any(name == f or name.startswith(f + ".") for f in _FAMILIES)
        if name in MODULES or name in _STANDARD or family:
            yield name, module, *_split(vars(module), everything=name in MODULES)
        if family or name in _STANDARD:
            for value in list(vars(module).values()):
                if isinstance(value, type) and value.__module__ == name:
                    yield f"{name}.{value.__name__}", value, *_split(vars(value), everything=True)
    for name, attribute in _CLASSES:
        if name in sys.modules:
            owner = getattr(sys.modules[name], attribute)
            yield f"{name}.{attribute}", owner, *_split(vars(owner), everything=True)


def _split(
    members: Mapping[str, Any], everything: bool = False
) -> tuple[tuple[str, ...], tuple[Any, ...]]:
    kept = {
        name: value
        for name, value in members.items()
        if name not in _IGNORED
        and (everything or callable(value) or isinstance(value, ModuleType | property))
    }
    return tuple(kept), tuple(kept.values())


def _modules() -> Check:
    table = sys.modules
    names, values = tuple(table), tuple(table.values())

    def check() -> list[str]:
        if all(map(is_, map(table.get, names), values)):
            return []
        seen = []
        for name, value in zip(names, values, strict=True):
            if table.get(name) is not value:
                table[name] = value
                seen.append(f"replaced the module {name}")
        return seen

    return check


def _names(label: str, owner: Any, names: tuple[str, ...], values: tuple[Any, ...]) -> Check:
    """Of a module, a class, or a dictionary of names."""
    is_class = isinstance(owner, type)
    members = owner if isinstance(owner, dict) else vars(owner)
    kind, size = type(owner), len(members)
    parents = owner.__bases__ if is_class else ()

    def put(name: str, value: Any) -> None:
        if is_class:
            type.__setattr__(owner, name, value)
        else:
            members[name] = value

    def check() -> list[str]:
        seen = []
        if type(owner) is not kind:
            owner.__class__ = kind
            seen.append(f"changed the class of {label}")
        if is_class and not all(map(is_, owner.__bases__, parents)):
            owner.__bases__ = parents
            seen.append(f"changed the parents of {label}")
        if is_class and len(members) != size:  # a new method may hide an inherited one
            known = set(names)
            for name in [n for n, v in members.items() if hasattr(type(v), "__get__")]:
                if name not in known:
                    type.__delattr__(owner, name)
                    seen.append(f"replaced {label}.{name}")
        if not all(map(is_, map(members.get, names), values)):
            for name, value in zip(names, values, strict=True):
                if members.get(name) is not value:
                    put(name, value)
                    seen.append(f"replaced {label}.{name}")
        return seen

    return check


def _variables(functions: list[tuple[str, FunctionType]]) -> Check:
    """The state of functions: keyword arguments, and the variables of a closure."""
    keywords = [(label, f.__kwdefaults__, dict(f.__kwdefaults__)) for label, f in functions
                if f.__kwdefaults__]  # fmt: skip
    tables = [
        (f"gqlib.course.checks.{name}", value, dict(value))
        for name, value in vars(sys.modules["gqlib.course.checks"]).items()
        if isinstance(value, dict) and name != "__builtins__"
    ]
    cells = [(label, cell) for label, f in functions for cell in f.__closure__ or ()
             if _callable(cell)]  # fmt: skip
    contents = [content_of(cell) for _, cell in cells]
    only_cells = [cell for _, cell in cells]

    def check() -> list[str]:
        seen = []
        for label, table, kept in keywords + tables:
            if len(table) != len(kept) or not all(map(is_, map(table.get, kept), kept.values())):
                table.clear()
                table.update(kept)
                seen.append(f"changed the values of {label}")
        if not all(map(is_, map(content_of, only_cells), contents)):
            for (label, cell), content in zip(cells, contents, strict=True):
                if cell.cell_contents is not content:
                    cell.cell_contents = content
                    seen.append(f"changed a variable of {label}")
        return seen

    return check


def _callable(cell: Any) -> bool:
    """Whether a variable holds a function; others are counters and caches."""
    try:
        return callable(cell.cell_contents)
    except ValueError:  # it has no value yet
        return False


# --- the shell


def _hooks(shell: Any) -> Check:
    parts = [(name, getattr(shell, name)) for name in _PARTS]
    own = [
        (part, _methods(part), dict(vars(part)) if hasattr(part, "__dict__") else {})
        for part in (shell, *(part for _, part in parts))
    ]
    alarms = {number: getsignal(number) for number in _ALARMS}
    collecting = (*callbacks,)
    manager = shell.input_transformer_manager
    transforms = [
        (found, (*found,))
        for found in (
            manager.cleanup_transforms,
            manager.line_transforms,
            manager.token_transformers,
            shell.input_transformers_post,
            shell.ast_transformers,
        )
    ]
    events = [(found, (*found,)) for found in shell.events.callbacks.values()]
    magics = [(found, dict(found)) for found in shell.magics_manager.magics.values()]
    finders = [(found, (*found,)) for found in (sys.meta_path, sys.path_hooks)]
    shown, at_work = sys.displayhook, shell.displayhook

    def check() -> list[str]:
        seen = []
        for name, part in parts:
            if getattr(shell, name) is not part:
                setattr(shell, name, part)
                seen.append("hooked into the shell itself")
        for part, methods, before in own:
            now = _methods(part)
            if now.keys() != methods.keys() or not all(map(is_, now.values(), methods.values())):
                for name in now.keys() - methods.keys():
                    vars(part).pop(name)
                vars(part).update({k: before[k] for k in (*now, *methods) if k in before})
                seen.append("hooked into the shell itself")
        for what, lists in (
            ("the cells' transformation", transforms),
            ("the shell's events", events),
            ("imports", finders),
        ):
            for found, kept in lists:
                if len(found) != len(kept) or not all(map(is_, found, kept)):
                    found[:] = kept
                    seen.append(f"hooked into {what}")
        for table, entries in magics:
            if not all(map(is_, map(table.get, entries), entries.values())):
                table.update(entries)
                seen.append("hooked into the shell's magics")
        for number, handler in alarms.items():
            if getsignal(number) is not handler:
                signal(number, handler or 0)
                seen.append("left a signal's handler")
        setitimer(0, 0)
        if len(callbacks) != len(collecting) or not all(map(is_, callbacks, collecting)):
            callbacks[:] = collecting
            seen.append("hooked into the garbage collector")
        if gettrace() is not None or getprofile() is not None:
            settrace(None)
            setprofile(None)
            seen.append("hooked into the trace function")
        if sys.displayhook is not shown and sys.displayhook is not at_work:
            sys.displayhook = shown
            seen.append("hooked into the display of values")
        return list(dict.fromkeys(seen))

    return check


def _methods(part: Any) -> dict[str, Any]:
    """The object's own attribute that replaces a method of its class."""
    if not hasattr(part, "__dict__") or isinstance(part, ModuleType | dict):
        return {}
    kind = type(part)
    return {name: value for name, value in vars(part).items() if callable(value) and
            (hasattr(kind, name) or name.endswith("_runner"))}  # fmt: skip


def _threads() -> Check:
    running = threading._active  # type: ignore[attr-defined]
    known = set(running)

    def check() -> list[str]:
        new = set(running) - known
        known.update(new)
        return ["left a thread running"] if new else []

    return check


def _modes() -> Check:
    """PyTorch's ways of replacing its functions."""
    torch = sys.modules.get("torch")
    if torch is None:
        return list
    length, at = torch._C._len_torch_function_stack, torch._C._get_function_stack_at
    pop, push = torch._C._pop_torch_function_stack, torch._C._push_on_torch_function_stack
    lower, pop_lower = torch._C._len_torch_dispatch_stack, torch._C._pop_torch_dispatch_stack
    device = sys.modules["torch.utils._device"].DeviceContext  # torch.set_default_device
    kernels = sys.modules["torch.library"]._impls
    known = set(kernels)

    def check() -> list[str]:
        seen = []
        if length() and any(type(at(i)) is not device for i in range(length())):
            kept = [mode for mode in [pop() for _ in range(length())] if type(mode) is device]
            for mode in reversed(kept):
                push(mode)
            seen.append("left a mode of PyTorch's functions on")
        while lower():
            pop_lower()
            seen.append("left a mode of PyTorch's dispatch on")
        new = kernels - known if len(kernels) != len(known) else ()
        if any(name[:5] == "aten/" and name[-5:] != "/Meta" for name in new):  # to stay
            seen.append("replaced a kernel of PyTorch")
        return seen

    return check


# --- the notebook


def _notebook(space: dict[str, Any], bound: dict[str, Any]) -> Check:
    def check() -> list[str]:
        seen = []
        for name, value in bound.items():
            if space.get(name) is not value:
                space[name] = value
                seen.append(f"rebound {name}")
        return seen

    return check

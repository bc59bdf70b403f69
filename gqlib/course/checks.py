"""What the test cells of a lesson are made of.

A test cell calls the student's function through :func:`call`, compares with :func:`expect`, and
draws random inputs from :func:`generator`. The tolerances of the whole course are here.

While :func:`call` runs, gqlib itself is a closed book: an answer that calls the library's own
implementation, under any name, gets an error that says so. Any other library may be used.
"""

from __future__ import annotations

import contextlib
import copy
import hashlib
import io
import logging
import math
import os
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

import numpy as np
import torch

#: Relative and absolute tolerance by the dtype the student's function was given.
TOLERANCE: dict[torch.dtype, tuple[float, float]] = {
    torch.float64: (1e-6, 1e-8),
    torch.float32: (1e-4, 1e-5),
}

Part = TypeVar("Part")

#: Py_TPFLAGS_HEAPTYPE: the class was made while Python ran.
_HEAP_TYPE = 1 << 9

_PACKAGE = Path(__file__).resolve().parent.parent
#: What an answer may use of gqlib: data, the trained feature extractors (an exercise may be given
#: one), what both need, and what collects its output while it is graded.
_OPEN = tuple(
    str(_PACKAGE / room) + os.sep for room in ("data", "features", "_utils", "grading/sandbox")
)


#: In the sandbox: checks what tests rely on, and raises if an answer has changed it.
look_around: Callable[[], None] | None = None


class ClosedBook(RuntimeError):
    """An answer called gqlib's own code."""


@contextlib.contextmanager
def closed_book() -> Iterator[None]:
    """Make every call into gqlib raise :class:`ClosedBook`, however it was imported or wrapped."""
    package, own = str(_PACKAGE) + os.sep, __file__
    seen: list[ClosedBook] = []

    def profile(frame: FrameType, event: str, argument: object) -> None:
        if event != "call":
            return
        name = frame.f_code.co_filename
        is_open = name == own or name.startswith(_OPEN)
        if name.startswith(package) and not is_open:
            seen.append(
                ClosedBook(
                    f"the answer calls gqlib ({frame.f_code.co_name} in {Path(name).name}); "
                    "write the function yourself: any library but gqlib may be used"
                )
            )
            raise seen[0]

    before = sys.getprofile()
    threading.setprofile(profile)
    sys.setprofile(profile)
    try:
        yield
    finally:
        sys.setprofile(before)
        threading.setprofile(before)
        # Python stops profiling after the first raise, so an answer that swallowed it could go on.
        # So neither its result nor a later exception counts.
        if seen:
            raise seen[0] from None


def _random_state() -> tuple[object, ...]:
    # This guards the legacy global state, and does not use it.
    kind, keys, *rest = np.random.get_state(legacy=True)  # noqa: NPY002
    return (torch.get_rng_state().numpy().tobytes(), kind, np.asarray(keys).tobytes(), *rest)


def parts(value: object, kind: type[Part]) -> Iterator[Part]:
    """The objects of a kind in an argument, inside nested lists, tuples and mappings."""
    if isinstance(value, kind):
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from parts(item, kind)
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from parts(item, kind)


def call(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call a student's function as every test does, and return what it returns.

    Warnings are ignored, and standard error and logging are discarded, since nbgrader gives zero
    points to a test cell that writes to standard error. gqlib is a closed book. An
    ``AssertionError`` says if the function changed a tensor argument or the global random state.
    """
    __tracebackhide__ = True  # a student's traceback ends in the test cell or in the answer
    # Modules and optimizers may well be changed.
    tensors = [*parts(args, torch.Tensor), *parts(kwargs, torch.Tensor)]
    copies = [copy.deepcopy(t.detach()) for t in tensors]
    state = _random_state()
    look = look_around  # taken now: the answer could put another one there
    try:
        with (
            warnings.catch_warnings(),
            np.errstate(all="ignore"),
            contextlib.redirect_stderr(io.StringIO()),
            _quiet_logging(),
            closed_book(),
        ):
            warnings.simplefilter("ignore")
            result = function(*args, **kwargs)
        # Objects that the answer left behind are collected now, and not during the test.
        result = _plain(result)
    finally:
        if look is not None:
            look()
    for tensor, before in zip(tensors, copies, strict=True):
        same = torch.equal(torch.nan_to_num(tensor.detach()), torch.nan_to_num(before))
        assert same, f"{_name(function)} changed one of its arguments: work on a copy"
    assert _random_state() == state, (
        f"{_name(function)} drew from the global random state: "
        "use the generator it was given, or none"
    )
    return result


@contextlib.contextmanager
def _quiet_logging() -> Iterator[None]:
    """Silence handlers that a student set up, which write to the real standard error."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)


def _plain(value: Any) -> Any:
    """The value without the answer's own classes, whose ``==`` could return anything."""
    kind = type(value)  # not isinstance, which asks the object itself
    if issubclass(kind, torch.Tensor):
        if kind is torch.Tensor:
            return value
        with torch._C.DisableTorchFunctionSubclass():
            return torch.Tensor.as_subclass(value, torch.Tensor)
    if issubclass(kind, np.ndarray):
        return value if kind is np.ndarray else np.ndarray.view(value, np.ndarray)
    if issubclass(kind, dict):
        return {_plain(k): _plain(v) for k, v in dict.items(value)}
    for base in (list, tuple, set, frozenset):
        if issubclass(kind, base):
            return base(_plain(item) for item in base.__iter__(value))
    for simple, exactly in _EXACTLY.items():
        if issubclass(kind, simple):
            return exactly(value)
    # Read by way of `type`, since the class's metaclass could return anything.
    own = type.__dict__["__flags__"].__get__(kind) & _HEAP_TYPE
    parents = type.__dict__["__mro__"].__get__(kind)[:-1] if own else ()
    assert not any(
        _ANSWERS_ITSELF & type.__dict__["__dict__"].__get__(p).keys() for p in parents
    ), (
        "the answer returned an object of a class that has its own answers to what tests ask: "
        "return a tensor, an array, a number, or a tuple, set or dict of them"
    )
    return value


#: Methods by which a class decides whether it equals something, or what it is.
_ANSWERS_ITSELF = {
    "__array__",
    "__array_function__",
    "__array_interface__",
    "__array_ufunc__",
    "__class__",
    "__eq__",
    "__torch_function__",
}


_EXACTLY: dict[type, Callable[[Any], Any]] = {
    bool: bool,
    int: int.__int__,
    float: float.__float__,
    str: str.__str__,
}


def _name(function: Callable[..., Any]) -> str:
    return getattr(function, "__name__", "the function")


def generator(name: str) -> torch.Generator:
    """A generator seeded by ``name`` and, if an instructor set it, the secret ``GQLIB_SECRET``.

    With a secret, hidden tests draw inputs that nobody can compute from the public repository.
    """
    secret = os.environ.get("GQLIB_SECRET", "")
    digest = hashlib.sha256(f"{secret}/{name}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))


def numbers(tensor: torch.Tensor) -> torch.Tensor:
    """A copy of a tensor's numbers, of all rows if it is one row inside ``torch.func.vmap``.

    For a test's model that records its inputs, however the answer called it.
    """
    from torch._C import _functorch  # PyTorch has no public name for it

    while _functorch.is_functorch_wrapped_tensor(tensor):
        tensor = _functorch.get_unwrapped(tensor)
    return tensor.detach().clone()


def expect(
    got: Any,
    want: Any,
    *,
    like: torch.Tensor | None = None,
    what: str = "the result",
    slips: Mapping[str, Any] | None = None,
    rtol: float | None = None,
    atol: float | None = None,
) -> None:
    """Assert that ``got`` is ``want`` within tolerance, and explain the difference if it is not.

    Args:
        got: What the student's function returned: a tensor if ``like`` is given, otherwise a
            Python number or anything that ``float`` converts.
        want: The right value: a number, NumPy array or tensor of the expected shape.
        like: The input whose floating dtype and device the result must have (float64 is welcome
            too; integer input counts as float32). It also sets the tolerance.
        what: What is compared, for the message.
        slips: Questions to ask, each with the value that this slip would give:
            ``{"did you use log base 2?": wrong_value}``.
        rtol: Replaces the tolerance of :data:`TOLERANCE`, for a check that is statistical or
            ill-conditioned.
        atol: Likewise.
    """
    __tracebackhide__ = True
    want64 = torch.as_tensor(want).detach().cpu().to(torch.float64)
    dtype = torch.float64
    if like is not None:
        dtype = like.dtype if like.dtype.is_floating_point else torch.float32
        assert isinstance(got, torch.Tensor), (
            f"{what} is a {type(got).__name__}, expected a torch.Tensor"
        )
        assert got.dtype in (dtype, torch.float64), (
            f"{what} has dtype {got.dtype}, expected {dtype} as in the input (or torch.float64)"
        )
        assert got.device == like.device, (
            f"{what} is on device {got.device}, expected {like.device} as the input"
        )
        got64 = got.detach().cpu().to(torch.float64)
    else:
        assert got is not None, f"{what} is None: is a return missing?"
        got64 = torch.as_tensor(_number(got, what) if want64.ndim == 0 else got)
        got64 = got64.detach().cpu().to(torch.float64)
    assert got64.shape == want64.shape, (
        f"{what} has shape {tuple(got64.shape)}, expected {tuple(want64.shape)}"
    )
    rtol = TOLERANCE[dtype][0] if rtol is None else rtol
    atol = TOLERANCE[dtype][1] if atol is None else atol
    if _close(got64, want64, rtol, atol):
        return
    message = f"{what}: got {_show(got64)}, expected {_show(want64)}"
    for question, value in (slips or {}).items():
        slip = torch.as_tensor(value).detach().cpu().to(torch.float64)
        if slip.shape == got64.shape and _close(got64, slip, max(rtol, 1e-4), max(atol, 1e-6)):
            message += f": {question}"
            break
    raise AssertionError(message)


def _close(got: torch.Tensor, want: torch.Tensor, rtol: float, atol: float) -> bool:
    return torch.allclose(got, want, rtol=rtol, atol=atol, equal_nan=True)


def _number(value: Any, what: str) -> float:
    __tracebackhide__ = True
    if isinstance(value, torch.Tensor):
        value = value.detach()  # PyTorch warns, on standard error, of a number that has a graph
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise AssertionError(
            f"{what} is a {type(value).__name__} that is not one number, expected a number"
        ) from error


def _show(value: torch.Tensor) -> str:
    if value.ndim == 0:
        number = float(value)
        return f"{number:.6g}" if math.isfinite(number) else str(number)
    numbers = ", ".join(f"{v:.4g}" for v in value.flatten()[:6].tolist())
    return f"[{numbers}{', …' if value.numel() > 6 else ''}]"

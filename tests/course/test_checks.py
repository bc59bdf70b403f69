"""The pieces of test cells: calling an answer, comparing, drawing inputs."""

from __future__ import annotations

import contextlib
import functools
import importlib
import math
import sys
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import gqlib.metrics
from gqlib import features
from gqlib.course import checks
from gqlib.course.answers.lesson_08 import fool_inception_score


def test_call_passes_arguments_and_result_through() -> None:
    assert checks.call(lambda x, y=1: x + y, 2, y=3) == 5


def test_call_is_silent(capfd: pytest.CaptureFixture[str]) -> None:
    def noisy(x: np.ndarray) -> np.ndarray:
        warnings.warn("loud", stacklevel=1)
        print("to standard error", file=sys.stderr)
        return np.log(x)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert checks.call(noisy, np.zeros(1))[0] == -math.inf
    assert capfd.readouterr().err == ""


def test_call_notices_a_changed_argument() -> None:
    def change(x: torch.Tensor) -> torch.Tensor:
        x += 1
        return x

    with pytest.raises(AssertionError, match="change changed one of its arguments: work on a copy"):
        checks.call(change, torch.ones(2))
    with pytest.raises(AssertionError, match="changed one of its arguments"):
        checks.call(lambda d: change(d["x"]), {"x": torch.ones(2)})
    checks.call(lambda x: x + 1, torch.tensor([math.nan, math.inf]))


@pytest.mark.parametrize("draw", [lambda: torch.rand(1), lambda: np.random.rand(1)])  # noqa: NPY002
def test_call_notices_the_global_random_state(draw: Callable[[], Any]) -> None:
    with pytest.raises(AssertionError, match="global random state: use the generator"):
        checks.call(draw)
    checks.call(lambda g: torch.rand(1, generator=g), torch.Generator())


def swallow(x: torch.Tensor) -> Any:
    try:
        return gqlib.metrics.mse(x, x)
    except Exception:
        return gqlib.metrics.mse(x, x)


def swallow_and_raise(x: torch.Tensor) -> Any:
    with contextlib.suppress(Exception):
        gqlib.metrics.mse(x, x)
    return gqlib.metrics.mse(x, x[:2])


BORROWED: dict[str, Callable[..., Any]] = {
    "itself": functools.partial(gqlib.metrics.mse, y=torch.ones(3)),
    "partial": functools.partial(functools.partial(gqlib.metrics.mse), y=torch.ones(3)),
    "lambda": lambda x: 0.0 + float(gqlib.metrics.mse(x, x)),
    "importlib": lambda x: importlib.import_module("gqlib.metrics").mse(x, x),
    "the exception is swallowed": swallow,
    "and the library's own error follows": swallow_and_raise,
    "map": lambda x: list(map(gqlib.metrics.mse, [x], [x])),
    "an answer of the course": lambda x: fool_inception_score(
        torch.nn.Flatten(), 10, torch.Generator()
    ),
}


@pytest.mark.parametrize("answer", BORROWED.values(), ids=BORROWED.keys())
def test_gqlib_is_a_closed_book(answer: Callable[..., Any]) -> None:
    with pytest.raises(checks.ClosedBook, match="the answer calls gqlib"):
        checks.call(answer, torch.ones(3))
    assert sys.getprofile() is None
    assert float(gqlib.metrics.mse(torch.ones(3), torch.ones(3))) == 0, "open again afterwards"


def test_other_libraries_and_the_digit_net_are_open() -> None:
    net = features.load_digit_net()
    assert checks.call(net, torch.zeros(2, 28, 28)).shape == (2, 10)
    checks.call(lambda x: torch.nn.Linear(2, 3)(x) if False else x.sum(), torch.ones(2))


class Agrees:
    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 0


class AgreeingSet(set[str]):
    def __eq__(self, other: object) -> bool:
        return True


class AgreeingText(str):
    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = str.__hash__


class LyingTensor(torch.Tensor):
    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return torch.ones(3)


class LyingArray(np.ndarray):
    def __array_function__(self, *_: Any) -> Any:
        return True

    def __array_ufunc__(self, *_: Any, **__: Any) -> Any:
        return True


def test_what_agrees_with_everything_is_taken_at_its_value() -> None:
    assert checks.call(lambda: AgreeingSet({"bias"})) != {"noise"}
    assert checks.call(lambda: (AgreeingText("a"), {AgreeingText("b"): 1})) == ("a", {"b": 1})
    assert checks.call(lambda: AgreeingText("a")) != "b"
    with pytest.raises(AssertionError, match="a class that has its own answers to what tests ask"):
        checks.call(lambda: [Agrees()])
    got = checks.call(lambda: torch.zeros(3).as_subclass(LyingTensor))
    with pytest.raises(AssertionError, match="got"):
        checks.expect(got, [1, 1, 1], like=torch.ones(3))
    array = checks.call(lambda: np.zeros(3).view(LyingArray))
    assert not np.allclose(array, 1)


def test_honest_results_stay_what_they_are() -> None:
    net = torch.nn.Linear(2, 2)
    weight = checks.call(lambda: net.weight)
    weight.sum().backward()
    assert net.weight.grad is not None
    for value in (None, 1, True, 2.5, "a", torch.ones(2), np.ones(2), net, (1, [2.0, {3}])):
        assert checks.call(lambda value=value: value) is value or isinstance(value, tuple)
    assert checks.call(lambda: (1, [2.0, {3}])) == (1, [2.0, {3}])
    assert type(checks.call(lambda: np.float64(0.5))) is float
    assert checks.call(lambda: np.float32(0.5)) == 0.5


def test_generator_follows_name_and_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    def draw(name: str) -> float:
        return float(torch.rand(1, generator=checks.generator(name)))

    monkeypatch.delenv("GQLIB_SECRET", raising=False)
    public = draw("02/mse/values")
    assert draw("02/mse/values") == public
    assert draw("02/mse/bytes") != public
    monkeypatch.setenv("GQLIB_SECRET", "of one instructor")
    secret = draw("02/mse/values")
    assert secret != public
    assert draw("02/mse/values") == secret
    monkeypatch.setenv("GQLIB_SECRET", "of another")
    assert draw("02/mse/values") not in (secret, public)


X32, X64 = torch.ones(2), torch.ones(2, dtype=torch.float64)


def test_expect_accepts_what_is_right() -> None:
    checks.expect(torch.tensor([1.0, 2.0]), [1, 2], like=X32)
    checks.expect(torch.tensor([1.0, 2.0]).double(), np.array([1, 2]), like=X32)
    checks.expect(torch.tensor([1.00005, math.inf]), [1, math.inf], like=X32)
    checks.expect(torch.tensor([1.0, 2.0]), [1, 2], like=torch.ones(2, dtype=torch.uint8))
    checks.expect(np.float64(0.5), 0.5)
    checks.expect(torch.tensor(0.5), 0.5)


@pytest.mark.parametrize(
    ("got", "like", "message"),
    [
        (torch.tensor([1.0, 2.1]), X32, r"the thing: got \[1, 2.1\], expected \[1, 2\]"),
        (torch.tensor([1.0001, 2.0]).double(), X64, "got"),
        (torch.tensor([[1.0, 2.0]]), X32, r"has shape \(1, 2\), expected \(2,\)"),
        (torch.tensor([1.0, 2.0]), X64, "has dtype torch.float32, expected torch.float64"),
        (torch.tensor([1, 2]), X32, "has dtype torch.int64"),
        (np.array([1.0, 2.0]), X32, "is a ndarray, expected a torch.Tensor"),
        (torch.tensor([1.0, math.nan]), X32, "got"),
        (torch.empty(2, device="meta"), X32, "is on device meta, expected cpu"),
    ],
)
def test_expect_says_what_is_wrong(got: Any, like: torch.Tensor, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        checks.expect(got, [1, 2], like=like, what="the thing")


def test_expect_explains_a_slip() -> None:
    slips = {"did you use log base 2?": 1.0, "is the sign right?": -0.69}
    with pytest.raises(AssertionError, match=r"got 1, expected 0\.69: did you use"):
        checks.expect(1.0, 0.69, slips=slips)
    with pytest.raises(AssertionError, match="is the sign right"):
        checks.expect(torch.tensor(-0.69), 0.69, like=X32, slips=slips)
    with pytest.raises(AssertionError, match=r"got 5, expected 0.69$"):
        checks.expect(5, 0.69, slips=slips)


def test_a_number_with_a_graph_is_compared_in_silence() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        checks.expect(torch.tensor(0.5, requires_grad=True) * 2, 1.0)


@pytest.mark.parametrize("value", ["a", [1, 2], None, torch.ones(2)])
def test_expect_wants_a_number(value: object) -> None:
    with pytest.raises(AssertionError, match=r"not one number|is None: is a return missing"):
        checks.expect(value, 1.0)

"""What a test gives an answer that is more than data: functions, generators, gradients."""

from __future__ import annotations

import json
import math
import shutil
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch

from gqlib.grading.sandbox import messages, serialise
from gqlib.grading.sandbox.arguments import Arguments
from gqlib.grading.sandbox.pool import Cell, Executed, Pool
from gqlib.grading.sandbox.remote_answers import Answers
from gqlib.grading.sandbox.serialise import NotPlain, pack, unpack
from tests.grading.test_sandbox import LIMITS, earns

SET_UP = Cell("import torch\nfrom gqlib.course import checks", "set-up")
SCALE = 3.0
HISTORY: list[float] = []


def scaled(x: float, by: float = 2.0, *, shift: float = 0.0) -> float:
    return math.sqrt(SCALE * x) * by + shift


def made(kept: list[Any], generator: torch.Generator, weight: torch.Tensor) -> Callable[..., Any]:
    def function(x: Any) -> Any:
        kept.append(x)
        return scaled(1.0) * weight + torch.rand((), generator=generator) + x

    return function


def sent(value: Any) -> tuple[Any, Arguments, Arguments]:
    """A value as the other side has it, and both sides' arguments."""
    ours, theirs = Arguments(), Arguments()
    return theirs.unpack(json.loads(json.dumps(ours.pack(value)))), ours, theirs


def test_a_function_travels_with_what_it_reads() -> None:
    copy, *_ = sent(scaled)
    assert copy(12.0) == scaled(12.0) == 12.0
    assert copy(3.0, 5.0, shift=1.0) == 16.0
    inner, *_ = sent([lambda x: sum(scaled(i) for i in range(x))])
    assert inner[0](3) == pytest.approx(sum(scaled(i) for i in range(3)))


def test_a_copy_has_no_other_names() -> None:
    copy, *_ = sent(scaled)
    assert set(copy.__globals__) == {"__builtins__", "SCALE", "math"}
    assert copy.__code__.co_filename not in (__file__, scaled.__code__.co_filename)


def test_what_it_draws_and_keeps_comes_back() -> None:
    kept: list[Any] = [0.5]
    generator, weight = torch.Generator().manual_seed(1), torch.ones(2, requires_grad=True)
    one = made(kept, generator, weight)
    (copy, _, twin, drawn), ours, theirs = sent([one, one, weight, generator])
    assert len(ours.leaves) == len(theirs.leaves) == 3
    assert theirs.leaves[2] is twin
    got = copy(7.0)
    state = drawn.get_state()
    assert kept == [0.5], "the other side's is a copy"
    ours.change(theirs.changes(limit=10**6))
    assert kept == [0.5, 7.0]
    assert torch.equal(generator.get_state(), state), "one generator, however often it was given"
    generator.manual_seed(1)
    assert torch.equal(got, one(7.0))


def counts(x: float) -> float:
    global SCALE
    SCALE += 1
    return x


def calls_itself(n: int) -> int:
    return 1 if n == 0 else n * calls_itself(n - 1)


def marked(x: float) -> float:
    return x


marked.calls = 0  # type: ignore[attr-defined]


def _nonlocal() -> Callable[[], None]:
    count = 0

    def count_up() -> None:
        nonlocal count
        count += 1

    return count_up


def _reading(value: Any) -> Callable[[], Any]:
    return lambda: value


@pytest.mark.parametrize(
    "function",
    [counts, calls_itself, marked, _nonlocal(), _reading({}), _reading(torch.nn.Identity()),
     _reading(object()), _reading((1, {2})), _reading([print]), lambda: Cell],
    ids=["global", "itself", "attribute", "nonlocal", "dict", "network", "object", "set", "builtin",
         "class"],
)  # fmt: skip
def test_a_function_that_does_more_than_read_stays(function: Any) -> None:
    with pytest.raises(NotPlain):
        Arguments().pack([function])


def test_no_code_comes_from_an_answer() -> None:
    packed = Arguments().pack(scaled)
    with pytest.raises(NotPlain):
        unpack(packed)
    with pytest.raises(NotPlain):
        serialise.pack(scaled)


def test_a_single_column_travels() -> None:
    column = torch.arange(8.0).reshape(4, 2)[:1, 1]
    assert torch.equal(unpack(pack(column)), torch.tensor([1.0]))


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    if shutil.which("bwrap") is None:
        pytest.skip("there is no bubblewrap")
    with Pool(SET_UP.source, LIMITS) as started:
        yield started


def run(pool: Pool, answer: str, *tests: str) -> Executed:
    cells = [SET_UP, Cell(answer), *(Cell(test, "test", apart=True) for test in tests)]
    return pool.submit(cells).result(timeout=60)


LEAVES = "a, b = torch.tensor([1.0, 2.0], requires_grad=True), torch.ones(3, requires_grad=True)\n"


def test_a_result_is_differentiated_where_it_was_made(pool: Pool) -> None:
    answer = "def f(x, y): return [(x**2).sum(), {'y': (3 * y).exp()}, x]"
    result = f"{LEAVES}square, rest, same = checks.call(f, a, b)\n"
    grad = "torch.autograd.grad"
    executed = run(
        pool,
        answer,
        f"{result}(g,) = {grad}(5 * square, a)\nassert g.tolist() == [10, 20]",
        f"{result}(square * rest['y'].sum()).backward()\n"
        "want = 5 * 3 * torch.tensor(3.0).exp()\n"
        "checks.expect(b.grad, want.expand(3), like=b)",
        f"{result}assert {grad}(square, (a, b), allow_unused=True)[1] is None",
        f"{result}(g,) = {grad}(same.sum(), a)\nassert g.tolist() == [1, 1]",
        f"{result}{grad}(square, b)",
    )
    assert [earns(executed, i) for i in range(2, 7)] == [True, True, True, True, False]
    assert executed.flags == []


def test_without_a_gradient_there_is_none(pool: Pool) -> None:
    answer = (
        "w = torch.ones(2, requires_grad=True)\ndef cut(x): return (x * 2).detach()\n"
        "def own(x): return (w * 2)\nclass Bad(torch.autograd.Function):\n"
        "    forward = staticmethod(lambda ctx, x: x.clone())\n"
        "    backward = staticmethod(lambda ctx, g: 1 / 0)\ndef bad(x): return Bad.apply(x).sum()"
    )
    executed = run(
        pool,
        answer,
        f"{LEAVES}assert not checks.call(cut, a).requires_grad",
        f"{LEAVES}got = checks.call(own, a)\nassert got.requires_grad\n"
        "assert torch.autograd.grad(got.sum(), a, allow_unused=True) == (None,)",
        "got = checks.call(own, torch.ones(2))\n"
        "assert not got.requires_grad and float(got.sum()) == 4",
        f"{LEAVES}try: torch.autograd.grad(checks.call(bad, a), a)\n"
        "except ZeroDivisionError: pass\nelse: raise AssertionError",
    )
    assert [earns(executed, i) for i in range(2, 6)] == [True] * 4


def test_a_gradient_goes_through_a_function_of_the_test(pool: Pool) -> None:
    answer = (
        "def slope(f, x):\n    x = x.requires_grad_()\n"
        "    return torch.autograd.grad(f(x).sum(), x, create_graph=True)[0].sum()"
    )
    test = (
        f"{LEAVES}seen = []\ndef parabola(x):\n    seen.append(x.detach())\n    return a * x**2\n"
        "x = torch.tensor([3.0, 4.0])\ngot = checks.call(slope, parabola, x)\n"
        "assert got.item() == 6 + 16 and len(seen) == 1 and torch.equal(seen[0], x)\n"
        "assert torch.autograd.grad(got, a)[0].tolist() == [6, 8]\nassert not x.requires_grad"
    )
    executed = run(pool, answer, test)
    assert earns(executed, 2), executed.outputs[2]


class Silent:
    """A shell that shows nothing."""

    def show_outputs(self, outputs: list[Any]) -> None:
        assert outputs == []


def told(*replies: dict[str, Any]) -> torch.Tensor:
    """What a call returns where the process of the answers says this."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        for reply in replies:
            messages.send(theirs, {**reply, "outputs": []})
        answers = Answers(ours, Silent())  # type: ignore[arg-type]
        leaf = torch.ones(2, requires_grad=True)
        value: torch.Tensor = answers.call("double", (leaf,), {})
        return torch.autograd.grad(value, leaf)[0] if len(replies) > 1 else value


NUMBER = {"value": {"graph": 0, "value": pack(torch.tensor(2.0))}, "changes": []}


def test_a_graph_is_told_in_this_form() -> None:
    got = told(NUMBER, {"value": pack([torch.tensor([3.0, 4.0])])})
    assert got.tolist() == [3, 4]


@pytest.mark.parametrize(
    "lies",
    [[{"value": Arguments().pack(scaled), "changes": []}],
     [{"value": {"module": "os"}, "changes": []}],
     [{"value": {"graph": 0, "value": {"float": "0x1p+1"}}, "changes": []}],
     [{"value": 4, "changes": [1, 2]}],
     [NUMBER, {"value": pack([torch.ones(3)])}],
     [NUMBER, {"value": pack([])}],
     [NUMBER, {"value": 3}]],
    ids=["code", "module", "number's graph", "changes", "shape", "too few", "no list"],
)  # fmt: skip
def test_a_process_that_lies_gives_no_value(lies: list[dict[str, Any]]) -> None:
    with pytest.raises(Exception):  # noqa: B017, PT011 (whatever it is: the test fails)
        told(*lies)

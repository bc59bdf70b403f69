"""Tests in a separate process: what travels, and what a test sees of an answer."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch

from gqlib.grading.sandbox.pool import Cell, Executed, Pool
from gqlib.grading.sandbox.remote_answers import wanted
from gqlib.grading.sandbox.serialise import NotPlain, pack, unpack
from tests.grading.test_sandbox import LIMITS, earns, printed

SET_UP = Cell("import torch\nfrom gqlib.course import checks\nlimit = 3", "set-up")
VALUES = [
    None, True, 3, 2**70, -0.5, float("inf"), 1 + 2j, "größe", [1, (2, {"a": {3}})], frozenset({1}),
    torch.arange(6.0).reshape(2, 3).T, torch.tensor(2.5, dtype=torch.float64), torch.empty(0, 3),
    torch.tensor([True, False]), torch.arange(3, dtype=torch.uint8), torch.ones(2) + 1j,
    torch.ones(2, dtype=torch.bfloat16), torch.float16, torch.device("cpu"), np.arange(3)[::-1],
    np.float32(0.1), np.array(["a", "bc"]),
]  # fmt: skip


def same(a: Any, b: Any) -> bool:
    if isinstance(a, torch.Tensor):
        return a.dtype == b.dtype and a.shape == b.shape and torch.equal(a, b)
    if isinstance(a, np.ndarray | np.generic):
        return type(a) is type(b) and a.dtype == b.dtype and np.array_equal(a, b)
    return type(a) is type(b) and a == b


@pytest.mark.parametrize("value", VALUES, ids=str)
def test_data_travel_as_they_are(value: Any) -> None:
    assert same(unpack(json.loads(json.dumps(pack(value)))), value)


def test_not_a_number_and_gradients_travel() -> None:
    assert np.isnan(unpack(pack(float("nan"))))
    leaf = torch.ones(2, requires_grad=True)
    assert unpack(pack(leaf)).requires_grad
    assert not unpack(pack(2 * leaf)).requires_grad


def test_what_gives_items_and_other_numbers_travel_as_the_simplest() -> None:
    for value in (range(3), map(int, "012"), (i for i in range(3)), {0: 1, 1: 1, 2: 1}.keys()):
        assert unpack(pack(value)) == [0, 1, 2]
    assert unpack(pack(Fraction(1, 4))) == unpack(pack(Decimal("0.25"))) == 0.25


def test_a_generator_travels_with_its_state() -> None:
    generator = torch.Generator().manual_seed(3)
    torch.rand(5, generator=generator)
    twin = unpack(pack(generator))
    assert torch.equal(torch.rand(3, generator=twin), torch.rand(3, generator=generator))


class Liar(torch.Tensor):
    pass


@pytest.mark.parametrize(
    "value",
    [print, object(), torch.nn.Linear(1, 1), torch.ones(2).to_sparse(), torch.zeros(2**21),
     np.array([object()]), torch.nn.Parameter(torch.ones(1)), torch.ones(1).as_subclass(Liar),
     [len]],
    ids=lambda value: str(type(value)),
)  # fmt: skip
def test_what_is_more_than_data_stays(value: Any) -> None:
    with pytest.raises(NotPlain):
        pack(value)


@pytest.mark.parametrize(
    "data",
    [{}, {"tensor": "AAAA", "dtype": "float32", "shape": [5], "requires_grad": False},
     {"tensor": "", "dtype": "load", "shape": [0], "requires_grad": False},
     {"array": "AAAA", "dtype": "O", "shape": [1], "scalar": False},
     {"tensor": "AAAA", "dtype": "uint8", "shape": [-1, -3], "requires_grad": False}, {"list": 3}],
    ids=str,
)  # fmt: skip
def test_lies_are_refused(data: Any) -> None:
    with pytest.raises(Exception):  # noqa: B017, PT011 (whatever it is: the test fails)
        unpack(data)


def test_what_a_test_wants_of_a_student() -> None:
    source = "x = torch.ones(2)\nfor i in range(limit): assert double(x)[i] == 2\ny = half"
    assert wanted(source, {"torch": torch, "limit": 3}) == {"double", "half"}


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    if shutil.which("bwrap") is None:
        pytest.skip("there is no bubblewrap")
    with Pool(SET_UP.source, LIMITS) as made:
        yield made


def run(pool: Pool, answer: str, *tests: str) -> Executed:
    cells = [SET_UP, Cell(answer), *(Cell(test, "test", apart=True) for test in tests)]
    return pool.submit(cells, environment={"GQLIB_SECRET": "s3cr3t"}).result(timeout=60)


def test_values_errors_and_prints_come_back(pool: Pool) -> None:
    answer = (
        "k = 2.0\ndef double(x):\n    print('asked')\n"
        "    if x is None: raise ValueError('no x')\n    return k * x"
    )
    executed = run(
        pool,
        answer,
        "assert checks.call(double, torch.ones(2)).sum() == 4\nassert k == 2 and limit == 3",
        "try: checks.call(double, None)\nexcept ValueError as e: assert str(e) == 'no x'",
        "checks.call(double, None)",
    )
    assert [earns(executed, i) for i in (2, 3, 4)] == [True, True, False]
    assert printed(executed).count("asked") == 3
    (error,) = [o for o in executed.outputs[4] if o["output_type"] == "error"]
    assert (error["ename"], error["evalue"]) == ("ValueError", "no x")
    shown = re.sub(r"\x1b\[[0-9;]*m", "", "".join(error["traceback"]))
    assert "raise ValueError('no x')" in shown
    assert executed.flags == []


def test_a_generator_is_drawn_from(pool: Pool) -> None:
    answer = "def draw(g): return torch.rand(2, generator=g)"
    test = (
        "g, h = (torch.Generator().manual_seed(1) for _ in range(2))\n"
        "for _ in range(2): assert torch.equal(checks.call(draw, g), torch.rand(2, generator=h))"
    )
    assert earns(run(pool, answer, test), 2)


def test_a_student_sees_neither_test_nor_secret(pool: Pool) -> None:
    answer = (
        "import linecache, os\ndef look(x):\n"
        "    print(sorted(globals()), dict(os.environ), str(linecache.cache))"
    )
    executed = run(pool, answer, "secret_9f = 42\nchecks.call(look, 'text_9f')")
    assert "linecache" in printed(executed)
    assert not any(word in printed(executed) for word in ("9f", "s3cr3t"))


def test_the_answers_process_can_do_to_itself_what_it_likes(pool: Pool) -> None:
    answer = (
        "import numpy as np\nclass A:\n    def __init__(self, at):\n"
        "        about = {'data': (at, False), 'shape': (16,), 'typestr': '<u8', 'version': 3}\n"
        "        self.__array_interface__ = about\n"
        "def words(o): return np.asarray(A(id(o)))\n"
        "def lie(got, want, *a, **k): return None\n"
        "i = [int(v) for v in words(lie)[:12]].index(id(lie.__code__))\n"
        "words(checks.expect)[i] = id(lie.__code__)\n"
        "assert checks.expect(1, 2) is None\ndef double(x): return x"
    )
    test = "checks.expect(checks.call(double, torch.ones(2)), [2, 2], like=torch.ones(2))"
    executed = run(pool, answer, test)
    assert executed.outputs[1] == [], "the attack itself works"
    assert not earns(executed, 2)


def test_the_solution_tells_what_can_run_apart(pool: Pool) -> None:
    cells = [
        SET_UP,
        Cell("def double(x): return 2 * x\ndef make(): return torch.nn.Identity()"),
        Cell("assert checks.call(double, 2) == 4", "test"),
        Cell("assert isinstance(checks.call(make), torch.nn.Identity)", "test"),
        Cell("assert checks.call(double, 2) == 5", "test"),
    ]
    executed = pool.submit(cells, tries=True).result(timeout=60)
    assert executed.apart == [2]
    assert [earns(executed, i) for i in (2, 3, 4)] == [True, True, False]


def test_a_dead_answer_costs_its_own_test_only(pool: Pool) -> None:
    answer = "import os\ndef stop(x):\n    if x: os._exit(0)\n    return 1"
    executed = run(pool, answer, "checks.call(stop, 1)", "assert checks.call(stop, 0) == 1")
    assert [earns(executed, i) for i in (2, 3)] == [False, True]
    assert executed.outputs[2][0]["ename"] == "DeadKernelError"

"""Vendi score: closed forms for every order, and the definition with the whole kernel matrix."""

import math

import numpy as np
import pytest
import torch

from gqlib.metrics import vendi_score
from tests.samples import normal

ORDERS = [0, 0.1, 0.5, 1, 1.5, 2, 10, math.inf]


def hill(shares, q):
    """Effective number of groups of given shares (Hill 1973)."""
    p = np.asarray(shares, float)
    if q == 1:
        return math.exp(-(p * np.log(p)).sum())
    return 1 / p.max() if math.isinf(q) else (p**q).sum() ** (1 / (1 - q))


@pytest.mark.parametrize("q", ORDERS)
@pytest.mark.parametrize(("n", "d"), [(1, 1), (1, 5), (7, 3), (3, 7), (5, 5)])
def test_copies_count_as_one(n, d, q):
    assert float(vendi_score(normal(1, d).repeat(n, 1), q)) == pytest.approx(1, rel=1e-12)


@pytest.mark.parametrize("q", ORDERS)
@pytest.mark.parametrize(("n", "d"), [(4, 4), (4, 9), (1, 3)])
def test_right_angles_count_each(n, d, q):
    rows = torch.linalg.qr(normal(d, d))[0][:n] * torch.logspace(-3, 3, n).double()[:, None]
    assert float(vendi_score(rows, q)) == pytest.approx(n, rel=1e-12)


@pytest.mark.parametrize("q", ORDERS)
@pytest.mark.parametrize("d", [3, 40])
def test_groups_of_copies_are_hills_numbers(d, q):
    counts = [7, 2, 1]
    rows = torch.eye(3, d).repeat_interleave(torch.tensor(counts), 0)
    want = hill(np.array(counts) / 10, q)
    assert float(vendi_score(rows, q)) == pytest.approx(want, rel=1e-12)


@pytest.mark.parametrize("q", ORDERS)
def test_two_directions_at_an_angle(q):
    # The eigenvalues of K/2 are (1 ± cos)/2.
    cos = math.cos(0.4)
    rows = [[1.0, 0.0], [math.cos(0.4), math.sin(0.4)]]
    assert float(vendi_score(rows, q)) == pytest.approx(hill([(1 + cos) / 2, (1 - cos) / 2], q))


@pytest.mark.parametrize("q", [0.5, 1, 2, math.inf])
@pytest.mark.parametrize(("n", "d"), [(30, 4), (30, 29), (30, 30), (30, 31), (10, 200)])
def test_against_the_definition(n, d, q):
    x = normal(n, d) + 0.3
    u = np.asarray(x / x.norm(dim=1, keepdim=True))
    shares = np.linalg.eigvalsh(u @ u.T / n)
    want = hill(shares[shares > 1e-13], q)
    assert float(vendi_score(x, q)) == pytest.approx(want, rel=1e-9)


def test_order_zero_is_the_rank():
    x = normal(20, 3) @ normal(3, 50)
    assert float(vendi_score(x, 0)) == 3
    assert float(vendi_score(x.T, 0)) == 3


def test_falls_with_the_order_and_is_continuous():
    x = normal(50, 8) + 1
    values = [float(vendi_score(x, q)) for q in ORDERS]
    assert values == sorted(values, reverse=True)
    assert float(vendi_score(x, 1 + 1e-7)) == pytest.approx(float(vendi_score(x, 1)), rel=1e-6)
    assert float(vendi_score(x, 1e4)) == pytest.approx(values[-1], rel=1e-3)


def test_lengths_do_not_matter_not_even_extreme_ones():
    x = normal(12, 5)
    want = float(vendi_score(x))
    scale = torch.logspace(-200, 200, 12, dtype=torch.float64)[:, None]
    assert float(vendi_score(x * scale)) == pytest.approx(want, rel=1e-12)
    # An almost zero row next to one of the largest numbers.
    assert float(vendi_score([[1e-300, 0.0], [0.0, 1e300]])) == pytest.approx(2)


def test_every_kind_of_array():
    x = torch.randint(1, 100, (20, 4), generator=torch.Generator().manual_seed(0))
    want = float(vendi_score(x.double()))
    kinds = [x, x.to(torch.uint8), x.float(), x.half(), x.bfloat16(), x.numpy(), x.tolist()]
    kinds += [x.T.contiguous().T, x.numpy().astype(">i2"), x.double().requires_grad_()]
    for kind in kinds:
        assert float(vendi_score(kind)) == pytest.approx(want, rel=1e-14)
    binary = x % 2
    binary[:, 0] = 1
    assert float(vendi_score(binary.bool())) == pytest.approx(float(vendi_score(binary)))


@pytest.mark.parametrize("q", [0.5, 1, 2, math.inf])
@pytest.mark.parametrize(("n", "d"), [(200, 5), (20, 60)])
def test_interval_holds_the_value_and_stays_in_range(n, d, q):
    result = vendi_score(normal(n, d) + 0.2, q, confidence=0.95)
    low, high, level = result.interval
    assert level == 0.95
    assert 1 <= low <= float(result) <= high <= n
    assert float(vendi_score(normal(n, d) + 0.2, q)) == pytest.approx(float(result), rel=1e-12)


@pytest.mark.parametrize("q", [0.5, 1, 2])
def test_error_is_the_spread_of_fresh_samples(q):
    spread = torch.tensor([3.0, 1, 0.5])
    results = [vendi_score(normal(300, 3, s) * spread + 0.5, q, confidence=0.95) for s in range(60)]
    values = torch.tensor([float(result) for result in results])
    # Student's quantile for ten splits.
    errors = torch.tensor([(r.interval.high - float(r)) / 2.228 for r in results])
    assert float(errors.square().mean().sqrt()) == pytest.approx(float(values.std()), rel=0.25)


def test_result_and_arguments():
    x = normal(9, 3)
    copy = x.clone()
    result = vendi_score(x, 2, confidence=0.9)
    assert (result.n_real, result.n_fake) == (None, 9)
    assert "q = 2" in result.name
    assert torch.equal(x, copy)


OK = torch.eye(3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: vendi_score(torch.diag(torch.tensor([1.0, 0, 2]))), "row 1 of x is all zeros"),
        (lambda: vendi_score(OK, q=-1), "q=-1, expected an order"),
        (lambda: vendi_score(OK, q=math.nan), "q=nan, expected an order"),
        (lambda: vendi_score(OK, q=0, confidence=0.9), "q=0 counts dimensions"),
        (lambda: vendi_score(OK[0]), r"x has shape \(3,\), expected \(N, D\)"),
        (lambda: vendi_score(OK[None]), r"x has shape \(1, 3, 3\)"),
        (lambda: vendi_score(OK * math.nan), "x holds 9 values"),
        (lambda: vendi_score(OK / 0), "x holds"),
        (lambda: vendi_score(OK[:0]), "x has 0 samples"),
        (lambda: vendi_score(OK[:, :0]), "at least one feature"),
        (lambda: vendi_score(OK, confidence=95), "confidence=95"),
        (lambda: vendi_score(OK, confidence=0), "confidence=0"),
        (lambda: vendi_score([["a"]]), "expected real numbers"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("q", [0.5, 1, 2])
@pytest.mark.parametrize("n", [1, 3])
def test_few_samples_have_no_interval(n, q):
    with pytest.raises(ValueError, match=f"at least 4 samples, got {n}"):
        vendi_score(OK[:n], q, confidence=0.9)

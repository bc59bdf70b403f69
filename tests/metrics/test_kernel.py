"""Kernel distance: the definition pair by pair, unbiasedness, and intervals that cover."""

import math

import numpy as np
import pytest
import torch

from gqlib.metrics import kernel_distance
from gqlib.metrics._pairs import Blocks
from gqlib.metrics.kernel import _all_pairs
from tests.samples import normal


def plain(x, y):
    """The definition, summed exactly over all pairs."""
    x, y = np.asarray(x, float), np.asarray(y, float)

    def k(a, b):
        return (math.fsum(a * b) / len(a) + 1) ** 3

    n, m = len(x), len(y)
    xx = math.fsum(k(x[i], x[j]) for i in range(n) for j in range(n) if i != j)
    yy = math.fsum(k(y[i], y[j]) for i in range(m) for j in range(m) if i != j)
    xy = math.fsum(k(a, b) for a in x for b in y)
    return xx / (n * (n - 1)) + yy / (m * (m - 1)) - 2 * xy / (n * m)


@pytest.mark.parametrize(("n", "m", "d"), [(9, 9, 4), (7, 12, 3), (2, 2, 5), (30, 3, 1)])
def test_against_the_definition(n, m, d):
    x, y = normal(n, d, 1), normal(m, d, 2) + 0.5
    assert float(kernel_distance(x, y)) == pytest.approx(plain(x, y), rel=1e-11, abs=1e-13)


def test_by_hand():
    # k = (xy + 1)³ on the line: k(1, 2) = 27 and k(0, 1) = 1 within, 1, 8, 1 and 27 between.
    x, y = torch.tensor([[1.0], [2.0]]), torch.tensor([[0.0], [1.0]])
    assert float(kernel_distance(x, y)) == pytest.approx(27 + 1 - 2 * (1 + 8 + 1 + 27) / 4)


def test_blocks_do_not_matter():
    x, y = normal(50, 6, 1), normal(33, 6, 2) * 1.2
    want = kernel_distance(x, y, confidence=0.9)
    got = _all_pairs(x, y, "poly3", squares=True, blocks=Blocks(tile=8)).result(0.9)
    assert float(got) == pytest.approx(float(want), rel=1e-11)
    assert tuple(got.interval) == pytest.approx(tuple(want.interval), rel=1e-9)


def test_no_digits_are_lost_far_from_zero():
    # Integers far out: the definition is evaluated in exact arithmetic.
    g = torch.Generator().manual_seed(3)
    x = torch.randint(-3, 4, (12, 2), generator=g) + 10**6
    y = torch.randint(-3, 5, (10, 2), generator=g) + 10**6

    def total(a, b, skip):
        return sum(
            (int(p[0]) * int(q[0]) + int(p[1]) * int(q[1]) + 2) ** 3
            for i, p in enumerate(a)
            for j, q in enumerate(b)
            if not (skip and i == j)
        )

    numerator = (
        total(x, x, True) * 90 * 120
        + total(y, y, True) * 132 * 120
        - 2 * total(x, y, False) * 132 * 90
    )
    want = numerator / (132 * 90 * 120 * 8)
    got = float(kernel_distance(x.double(), y.double()))
    assert got == pytest.approx(want, rel=1e-9)


def test_symmetric_float32_widened_and_arguments_kept():
    x, y = normal(20, 5, 1, torch.float32), normal(25, 5, 2, torch.float32)
    copy = x.clone()
    assert float(kernel_distance(x, y)) == pytest.approx(float(kernel_distance(y, x)), rel=1e-10)
    assert float(kernel_distance(x, y)) == float(kernel_distance(x.double().numpy(), y.numpy()))
    assert torch.equal(x, copy)


def test_unbiased():
    # Equal distributions: the mean over many small samples is 0, and both signs occur.
    x, y = normal(4000, 10, 4).reshape(400, 5, 20), normal(4000, 10, 5).reshape(400, 5, 20)
    values = np.array([float(kernel_distance(a, b)) for a, b in zip(x, y, strict=True)])
    assert abs(values.mean()) < 3 * values.std() / 20
    assert (values < 0).mean() > 0.3


def test_own_kernel():
    x, y = normal(8, 3, 1), normal(9, 3, 2) + 1
    got = float(kernel_distance(x, y, kernel=lambda a, b: a @ b.T))
    # The linear kernel compares means: |mean gap|² less its own variance.
    gap = (x.mean(0) - y.mean(0)).square().sum()
    noise = x.var(0).sum() / 8 + y.var(0).sum() / 9
    assert got == pytest.approx(float(gap - noise))


def test_subsets_as_kid():
    x, y = normal(60, 4, 1), normal(50, 4, 2) + 0.3
    many = kernel_distance(x, y, subsets=1000, subset_size=20)
    assert many.std > 0
    assert abs(float(many) - float(kernel_distance(x, y))) < 3 * many.std / math.sqrt(1000)
    result = kernel_distance(x, y, subsets=30, subset_size=20, seed=3)
    again = kernel_distance(x, y, subsets=30, subset_size=20, seed=3)
    assert (again.value, again.std) == (result.value, result.std)
    assert kernel_distance(x, y, subsets=30, subset_size=20, seed=4).value != result.value
    # Without replacement: a subset of all rows is all rows.
    same = kernel_distance(x, x + 1, subsets=2, subset_size=60)
    assert float(same) == pytest.approx(float(kernel_distance(x, x + 1)), rel=1e-12)
    assert same.std == pytest.approx(0, abs=1e-12)
    assert kernel_distance(x, y).std is None


def jackknife_and_quadratic(x, y):
    """The jackknife's variance, and that of the part that is quadratic in the samples."""

    def without(z, i):
        return torch.cat([z[:i], z[i + 1 :]])

    def centred_square(k, pairs):
        """Mean of h², h the kernel less the means of its row and column plus the grand mean."""
        rows = np.where(pairs, k, 0).sum(1) / pairs.sum(1)
        columns = np.where(pairs, k, 0).sum(0) / pairs.sum(0)
        h2 = k[pairs].mean() ** 2 + rows.var() + columns.var()
        return max((k[pairs] ** 2).mean() - h2, 0)

    n, m = len(x), len(y)
    a = np.array([plain(without(x, i), y) for i in range(n)])
    b = np.array([plain(x, without(y, i)) for i in range(m)])
    jackknife = (n - 1) / n * ((a - a.mean()) ** 2).sum() + (m - 1) / m * (
        (b - b.mean()) ** 2
    ).sum()
    # The kernel as the distance sees it: less its values at the mean of the real samples.
    c, d = x.mean(0), x.shape[1]

    def k(u, v):
        at = [(p / d + 1) ** 3 for p in (u @ v.T, (u @ c)[:, None], (v @ c)[None], c @ c)]
        return np.asarray(at[0] - at[1] - at[2] + at[3])

    quadratic = (
        2 / (n * (n - 1)) * centred_square(k(x, x), ~np.eye(n, dtype=bool))
        + 2 / (m * (m - 1)) * centred_square(k(y, y), ~np.eye(m, dtype=bool))
        + 4 / (n * m) * centred_square(k(x, y), np.ones((n, m), dtype=bool))
    )
    return jackknife, quadratic


@pytest.mark.parametrize("shift", [0.0, 1.0])
def test_interval_is_the_jackknife_less_what_it_counts_twice(shift):
    x, y = normal(6, 3, 1), normal(7, 3, 2) + shift
    jackknife, quadratic = jackknife_and_quadratic(x, y)
    error = math.sqrt(max(jackknife - 2 * quadratic, 0) + quadratic)
    low, high, _ = kernel_distance(x, y, confidence=0.95).interval
    assert (high - low) / 2 == pytest.approx(1.959963985 * error, rel=1e-9)
    assert (high + low) / 2 == pytest.approx(plain(x, y), rel=1e-9)


def test_an_interval_of_subsets_adds_their_error():
    x, y = normal(40, 3, 1), normal(30, 3, 2) + 1
    low, high, _ = kernel_distance(x, y, confidence=0.95).interval
    result = kernel_distance(x, y, subsets=5, subset_size=12, seed=3, confidence=0.95)
    assert sum(result.interval[:2]) / 2 == pytest.approx(float(result))
    error = math.hypot((high - low) / 2 / 1.959963985, result.std / math.sqrt(5))
    assert result.interval.high - float(result) == pytest.approx(1.959963985 * error, rel=1e-9)


@pytest.mark.parametrize("shift", [0.0, 0.5])
def test_intervals_cover(shift):
    d, n = 5, 60
    g = torch.Generator().manual_seed(6)
    far = torch.full((d,), shift).double()

    def mean_kernel(a, b):
        """E (x·y/d + 1)³ for independent x ~ N(a, I) and y ~ N(b, I)."""
        aa, bb, ab = float(a @ a), float(b @ b), float(a @ b)
        square = d + aa + bb + ab**2
        cube = ab**3 + 3 * ab * aa + 3 * ab * (bb + d + 2)
        return 1 + 3 * ab / d + 3 * square / d**2 + cube / d**3

    near = 0 * far
    truth = mean_kernel(near, near) + mean_kernel(far, far) - 2 * mean_kernel(near, far)
    hits = 0
    for _ in range(200):
        x, y = torch.randn(2, n, d, generator=g).double()
        low, high, _ = kernel_distance(x, y + far, confidence=0.9).interval
        hits += low <= truth <= high
    assert 0.83 <= hits / 200 <= 1.0


def test_global_random_state_is_left_alone():
    state = torch.get_rng_state()
    kernel_distance(normal(9, 2), normal(9, 2), subsets=2, subset_size=5)
    assert torch.equal(state, torch.get_rng_state())


OK = torch.eye(3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: kernel_distance(torch.zeros(5), OK), "real has shape"),
        (lambda: kernel_distance(OK, OK[:1]), "fake has 1 sample, expected at least 2"),
        (lambda: kernel_distance(OK, torch.zeros(3, 4)), "real has 3 features"),
        (lambda: kernel_distance(OK * math.inf, OK), "real holds 9 values"),
        (lambda: kernel_distance(OK, OK, kernel="rbf"), "kernel='rbf'"),
        (lambda: kernel_distance(OK, OK, subsets=0), "subsets=0"),
        (lambda: kernel_distance(OK, OK, subsets=3), r"subset_size=1000.*3 real, 3 fake"),
        (lambda: kernel_distance(OK, OK, subsets=3, subset_size=1), "subset_size=1"),
        (lambda: kernel_distance(OK, OK, subsets=3, subset_size=2, confidence=95), "confidence=95"),
        (lambda: kernel_distance(OK, OK[:2], confidence=0.9), "at least 3 samples a side"),
        (lambda: kernel_distance(OK, OK, confidence=95), "between 0 and 1"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()

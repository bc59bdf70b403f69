"""Laws that hold for any input: orders, rotations, types, scales, and parts that merge."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gqlib.metrics import (
    GaussianStatistics,
    authenticity,
    copying_test,
    frechet_distance,
    inception_score,
    kernel_distance,
    mae,
    mse,
    neighbour_scores,
    repeats,
    representation_gap,
    vendi_score,
)

few = settings(max_examples=20, deadline=None, derandomize=True)


@st.composite
def sets(draw, least=4, most=24):
    """Two sets of features of one distribution or two, some with duplicates or on a lattice."""
    g = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    d = draw(st.integers(1, 8))
    n, m = draw(st.integers(least, most)), draw(st.integers(least, most))
    x = torch.randn(n, d, generator=g, dtype=torch.float64)
    y = torch.randn(m, d, generator=g, dtype=torch.float64)
    y = y * draw(st.sampled_from([1.0, 0.3, 2.0])) + draw(st.sampled_from([0.0, 0.5, -3.0]))
    kind = draw(st.sampled_from(["any", "duplicates", "lattice", "constant feature"]))
    if kind == "duplicates":
        x[: n // 2], y[: m // 3] = x[n - n // 2 :].clone(), x[: m // 3][:1]
    if kind == "lattice":
        x, y = x.round(), y.round()
    if kind == "constant feature":
        x[:, 0] = y[:, 0] = 2.0
    return x, y, g


def size(x, y):
    """What rounding errors of squared distances are measured by."""
    return float(x.var(0).sum() + y.var(0).sum() + (x.mean(0) - y.mean(0)).square().sum()) + 1e-300


def numbers(x, y):
    """Every metric of two sets of features, of few digits' sensitivity."""
    return {
        "frechet": float(frechet_distance(x, y)),
        "kernel": float(kernel_distance(x, y)),
        "scores": neighbour_scores(x, y, k=2).values().tolist(),
        "authenticity": float(authenticity(x, y)),
        "copying": float(copying_test(x, y[::2], y[1::2])),
    }


def kernel_size(x, y):
    """An upper bound of the kernel's values."""
    return (
        max(float(x.square().sum(1).max()), float(y.square().sum(1).max())) / x.shape[1] + 1
    ) ** 3


@few
@given(sets())
def test_order_of_rows(case):
    x, y, g = case
    a, b = (z[torch.randperm(len(z), generator=g)] for z in (x, y))
    # Half of the digits: the root of a covariance without full rank has no more under rounding.
    assert float(frechet_distance(a, b)) == pytest.approx(
        float(frechet_distance(x, y)), rel=1e-9, abs=1e-7 * size(x, y)
    )
    assert float(kernel_distance(a, b)) == pytest.approx(
        float(kernel_distance(x, y)), rel=1e-11, abs=1e-13 * kernel_size(x, y)
    )
    assert neighbour_scores(a, b, k=2).values().tolist() == pytest.approx(
        neighbour_scores(x, y, k=2).values().tolist()
    )
    assert float(authenticity(x, b)) == float(authenticity(x, y))
    assert float(copying_test(a, y[::2], y[1::2].flip(0))) == pytest.approx(
        float(copying_test(x, y[::2], y[1::2])), abs=1e-12
    )
    vendi = [float(vendi_score(z + 10)) for z in (y, b)]
    assert vendi[1] == pytest.approx(vendi[0], rel=1e-10)


@few
@given(sets(least=20, most=60))
def test_order_of_rows_and_units_of_repeats(case):
    x, y, g = case
    n = min(len(x), len(y))  # of more, a subset by place
    x, y = x[:n], y[:n]
    want = repeats(x, y, confidence=0.9)
    a, b = (z[torch.randperm(n, generator=g)] for z in (x, y))
    for got in (repeats(a, b, confidence=0.9), repeats(8 * x, 8 * y, confidence=0.9)):
        assert (got.value, got.interval, got.expected) == (want.value, want.interval, want.expected)
        assert got.p_value == want.p_value
        assert got.distinct == pytest.approx(want.distinct)
    assert 0 <= want.value <= 1
    assert 1 - 1e-9 <= want.distinct <= n


@few
@given(sets(), st.sampled_from([torch.float32, torch.float16, torch.bfloat16, torch.int16, "list"]))
def test_types(case, kind):
    x, y, _ = case
    x, y = (z.mul(4).round() if kind == torch.int16 else z for z in (x, y))
    if kind == "list":
        a, b = x.tolist(), y.numpy()
        assert numbers(x, torch.from_numpy(b)) == numbers(x, y)
        assert float(frechet_distance(a, b)) == float(frechet_distance(x, y))
        return
    a, b = x.to(kind), y.to(kind)
    assert numbers(a, b) == numbers(a.double(), b.double())


@few
@given(sets())
def test_rotations(case):
    x, y, g = case
    d = x.shape[1]
    q = torch.linalg.qr(torch.randn(d, d, generator=g, dtype=torch.float64))[0]
    assert float(frechet_distance(x @ q, y @ q)) == pytest.approx(
        float(frechet_distance(x, y)), rel=1e-9, abs=1e-7 * size(x, y)
    )
    assert float(kernel_distance(x @ q, y @ q)) == pytest.approx(
        float(kernel_distance(x, y)), rel=1e-10, abs=1e-12 * kernel_size(x, y)
    )
    assert float(vendi_score((y + 10) @ q)) == pytest.approx(float(vendi_score(y + 10)), rel=1e-9)


@few
@given(sets())
def test_rotations_by_quarters_keep_neighbours(case):
    # Turning the axes into each other is exact, so that ties stay ties.
    x, y, g = case
    d = x.shape[1]
    axes = torch.randperm(d, generator=g)
    signs = torch.randint(0, 2, (d,), generator=g) * 2 - 1
    a, b = (z[:, axes] * signs for z in (x.round(), y.round()))
    want = neighbour_scores(x.round(), y.round(), k=2).values()
    assert torch.equal(neighbour_scores(a, b, k=2).values(), want)
    assert float(copying_test(a, b[::2], b[1::2])) == float(
        copying_test(x.round(), y[::2].round(), y[1::2].round())
    )


@few
@given(sets(), st.sampled_from([2.0**-30, 0.25, 8.0, 2.0**40]))
def test_scales(case, scale):  # powers of two: the scaling itself is exact
    x, y, _ = case
    one, other = numbers(x, y), numbers(x * scale, y * scale)
    assert other["frechet"] == pytest.approx(
        scale**2 * one["frechet"], rel=1e-9, abs=1e-7 * scale**2 * size(x, y)
    )
    for name in ("scores", "authenticity", "copying"):
        assert other[name] == one[name]
    assert float(vendi_score((y + 10) * scale)) == pytest.approx(float(vendi_score(y + 10)))


@few
@given(sets())
def test_scales_of_the_kernel(case):
    # Of the cubic kernel a scale changes the proportions; of its linear cousin only the size.
    x, y, _ = case
    linear = [float(kernel_distance(s * x, s * y, kernel=lambda a, b: a @ b.T)) for s in (1, 4)]
    bound = 1e-12 * float(x.square().sum() + y.square().sum())
    assert linear[1] == pytest.approx(16 * linear[0], rel=1e-9, abs=16 * bound)


def test_the_cubic_kernel_feels_scale_and_origin():
    g = torch.Generator().manual_seed(0)
    x, y = torch.randn(2, 30, 4, generator=g, dtype=torch.float64)
    one = float(kernel_distance(x, y + 1))
    for factor, other in (
        (4, kernel_distance(2 * x, 2 * y + 2)),
        (1, kernel_distance(x + 1, y + 2)),
    ):
        assert abs(float(other) / (factor * one) - 1) > 0.1


@few
@given(sets())
def test_symmetry(case):
    x, y, _ = case
    assert float(frechet_distance(x, y)) == pytest.approx(
        float(frechet_distance(y, x)), rel=1e-9, abs=1e-9 * size(x, y)
    )
    assert float(kernel_distance(x, y)) == pytest.approx(
        float(kernel_distance(y, x)), rel=1e-9, abs=1e-12 * kernel_size(x, y)
    )
    one, two = neighbour_scores(x, y, k=2), neighbour_scores(y, x, k=2)
    assert (one.precision, one.recall) == (two.recall, two.precision)


@few
@given(sets())
def test_ranges_and_triangle(case):
    x, y, g = case
    distance = float(frechet_distance(x, y))
    assert distance >= 0
    z = torch.randn(9, x.shape[1], generator=g, dtype=torch.float64)
    roots = [math.sqrt(float(frechet_distance(a, b))) for a, b in ((x, z), (z, y))]
    assert math.sqrt(distance) <= sum(roots) + 1e-3 * math.sqrt(size(x, y))
    scores = neighbour_scores(x, y, k=2)
    assert all(0 <= getattr(scores, name) <= 1 for name in ("precision", "recall", "coverage"))
    assert 0 <= scores.density <= len(x) / 2
    assert scores.precision >= scores.density * 2 / len(x)
    assert 1 - 1e-12 <= float(vendi_score(y + 10)) <= min(y.shape) + 1e-9
    assert 0 <= float(authenticity(x, y)) <= 1


# --- statistics


@few
@given(sets(), st.data(), st.sampled_from([0.0, 1e6]))
def test_statistics_merge_in_any_order_and_split(case, data, offset):
    x, y, _ = case
    rows = torch.cat([x, y]) + offset
    cuts = sorted(data.draw(st.lists(st.integers(0, len(rows)), max_size=5)))
    parts = rows.tensor_split(cuts)
    order = data.draw(st.permutations(range(len(parts))))
    statistics = []
    for i in order:
        s = GaussianStatistics(rows.shape[1])
        for batch in parts[i].split(data.draw(st.integers(1, 5))):
            if len(batch):
                s.update(batch)
        statistics.append(s)
    while len(statistics) > 1:  # any bracketing
        i = data.draw(st.integers(0, len(statistics) - 2))
        statistics[i : i + 2] = [statistics[i].merge(statistics[i + 1])]
    merged = statistics[0]
    assert merged.n == len(rows)
    spread = max(float(rows.var(0).max()), 1e-300)
    near = rows - offset
    torch.testing.assert_close(
        merged.mean - offset, near.mean(0), rtol=0, atol=1e-15 * (offset + 1) + 1e-13 * spread**0.5
    )
    torch.testing.assert_close(
        merged.cov, torch.cov(rows.T).reshape(merged.cov.shape), rtol=0, atol=1e-9 * spread
    )
    assert torch.equal(merged.cov, merged.cov.T)


# --- the others


@few
@given(
    st.lists(st.integers(0, 4), min_size=1, max_size=30),
    st.lists(st.integers(0, 4), min_size=1, max_size=30),
    st.lists(st.integers(0, 4), min_size=1, max_size=30),
)
def test_total_variation_is_a_distance(a, b, c):
    gap = float(representation_gap(a, b))
    assert 0 <= gap <= 1
    assert gap == float(representation_gap(b, a))
    assert float(representation_gap(a, a[::-1])) == 0
    assert gap == pytest.approx(float(representation_gap([str(i) for i in a], [str(i) for i in b])))
    assert gap <= float(representation_gap(a, c)) + float(representation_gap(c, b)) + 1e-15
    # Merging groups never widens it.
    assert float(representation_gap([i // 2 for i in a], [i // 2 for i in b])) <= gap + 1e-15
    result = representation_gap(a, b, confidence=0.9)
    assert 0 <= result.interval.low <= result.interval.high <= 1
    assert 0 <= result.p_value <= 1
    for name, shift in result.shifts.items():
        low, high, _ = result.shift_intervals[name]
        assert -1 <= low <= shift + 1e-15
        assert shift - 1e-15 <= high <= 1


@few
@given(st.integers(0, 2**31), st.integers(1, 6), st.integers(4, 30), st.floats(0.1, 20))
def test_inception_score_is_between_one_and_the_number_of_classes(seed, classes, n, scale):
    g = torch.Generator().manual_seed(seed)
    logits = scale * torch.randn(n, classes, generator=g, dtype=torch.float64)
    result = inception_score(logits=logits, splits=2)
    assert 1 - 1e-12 <= float(result) <= classes + 1e-9
    other = logits[:, torch.randperm(classes, generator=g)]
    assert float(inception_score(logits=other, splits=2)) == pytest.approx(float(result), rel=1e-9)


@few
@given(st.integers(0, 2**31), st.integers(1, 20), st.integers(1, 9))
def test_errors_are_means_over_samples(seed, n, d):
    x, y = torch.randn(2, n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    for metric in (mse, mae):
        each = metric(x, y, reduction="none")
        assert float(metric(x, y)) == pytest.approx(float(np.mean(each.numpy())), rel=1e-13)
        assert float(metric(y, x)) == float(metric(x, y))
        assert float(metric(x, x)) == 0
    assert float(mse(3 * x, 3 * y)) == pytest.approx(9 * float(mse(x, y)), rel=1e-12)
    assert float(mae(x, y)) ** 2 <= float(mse(x, y)) + 1e-15

"""The χ² test against SciPy's and exact tails, counts against NumPy's, slerp in closed form."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from gqlib.course.answers import lesson_07 as collapse
from gqlib.course.answers.lesson_07 import slerp


@given(
    st.lists(st.tuples(st.integers(0, 80), st.integers(1, 2000)), min_size=2, max_size=12).filter(
        lambda rows: sum(o for o, _ in rows) > 0
    )
)
def test_p_value_is_that_of_scipy(rows: list[tuple[int, int]]) -> None:
    counts, reference = np.array(rows).T
    expected = counts.sum() * reference / reference.sum()
    want = stats.chisquare(counts, expected).pvalue
    got = collapse.collapse_p_value(torch.tensor(counts), torch.tensor(reference))
    assert got == pytest.approx(want, rel=1e-9, abs=1e-300)
    assert collapse.collapsed(counts, reference, level=0.3) is bool(want < 0.3)


def test_p_value_of_two_and_three_classes_in_closed_form() -> None:
    # 60 and 40 of 100 where half is expected: χ² = 4 with one degree of freedom.
    got = collapse.collapse_p_value(torch.tensor([60, 40]), torch.tensor([1, 1]))
    assert got == pytest.approx(math.erfc(math.sqrt(4 / 2)))
    # With two degrees of freedom the tail is exp(-χ²/2), here with shares 1/2, 1/4, 1/4.
    got = collapse.collapse_p_value(torch.tensor([40, 40, 20]), torch.tensor([1000, 500, 500]))
    assert got == pytest.approx(math.exp(-(100 / 50 + 225 / 25 + 25 / 25) / 2))


def test_shares_matter_and_not_the_size_of_the_reference() -> None:
    counts = torch.tensor([30, 50, 20])
    shares = torch.tensor([0.2, 0.5, 0.3], dtype=torch.float64)
    one = collapse.collapse_p_value(counts, shares)
    assert collapse.collapse_p_value(counts, shares * 7000) == pytest.approx(one)
    assert collapse.collapse_p_value(counts * 10, shares) < one  # more samples tell more


def test_false_alarms_come_at_the_level() -> None:
    reference = torch.tensor([980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009])
    rng = np.random.default_rng(0)
    draws = rng.multinomial(500, reference.numpy() / reference.sum().item(), size=2000)
    alarms = np.mean([collapse.collapsed(row, reference) for row in draws])
    assert alarms == pytest.approx(0.05, abs=0.015)


def test_a_dropped_class_is_found_and_an_unknown_one_too() -> None:
    reference = torch.full((10,), 1000)
    assert collapse.collapsed(torch.tensor([0] + [500 // 9] * 9), reference)
    assert not collapse.collapsed(torch.full((10,), 50), reference)
    lacking = torch.tensor([1000, 0, 1000])
    assert collapse.collapsed(torch.tensor([250, 1, 250]), lacking, level=1e-9)
    # A class that neither has is not a degree of freedom: as with two classes.
    got = collapse.collapse_p_value(torch.tensor([60, 0, 40]), lacking)
    assert got == pytest.approx(math.erfc(math.sqrt(2)))


def test_one_class_leaves_nothing_to_test() -> None:
    assert collapse.collapse_p_value(torch.tensor([7]), torch.tensor([3])) == 1
    assert not collapse.collapsed(torch.tensor([7, 0]), torch.tensor([3, 0]))


@pytest.mark.parametrize(
    ("hist", "reference", "message"),
    [
        ([1, 2], [1, 2, 3], "hist has 2 classes and the reference 3"),
        ([1, -2], [1, 2], "hist holds a negative count: -2"),
        ([0, 0], [1, 2], "hist counts nothing"),
        ([1, 2], [0, 0], "reference counts nothing"),
        ([1, math.nan], [1, 2], "hist holds 1 values that are NaN"),
        ([[1, 2]], [1, 2], r"hist has shape \(1, 2\), expected \(K,\)"),
    ],
)
def test_bad_counts(hist: list, reference: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        collapse.collapsed(torch.tensor(hist), torch.tensor(reference))


@pytest.mark.parametrize("level", [0, 1, -0.1, math.nan])
def test_bad_level(level: float) -> None:
    with pytest.raises(ValueError, match="expected a probability between 0 and 1"):
        collapse.collapsed(torch.tensor([1, 2]), torch.tensor([1, 2]), level)


@given(st.lists(st.integers(0, 6), max_size=50))
def test_histogram_is_that_of_numpy(labels: list[int]) -> None:
    got = collapse.class_histogram(torch.tensor(labels, dtype=torch.int64), 7)
    assert got.dtype == torch.int64
    assert got.tolist() == np.bincount(np.array(labels, int), minlength=7).tolist()


def test_histogram_takes_other_types() -> None:
    for labels in (np.array([2, 0, 2], np.uint8), torch.tensor([2.0, 0.0, 2.0]), [2, 0, 2]):
        assert collapse.class_histogram(labels, 4).tolist() == [1, 0, 2, 0]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 10], "label 10 at index 1 is not a class, expected integers from 0 to 9"),
        ([0, 3, -1], "label -1 at index 2 is not a class"),
        ([0.5], "label 0.5 at index 0 is not a class"),
        ([[1]], r"labels have shape \(1, 1\), expected \(N,\)"),
        ([math.nan], "labels holds 1 values that are NaN"),
    ],
)
def test_bad_labels(labels: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        collapse.class_histogram(torch.tensor(labels))


def test_bad_number_of_classes() -> None:
    with pytest.raises(ValueError, match="classes is 0, expected at least 1"):
        collapse.class_histogram(torch.tensor([0]), 0)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def random_normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=seeded(seed), dtype=torch.float64)


def test_slerp_of_perpendicular_vectors_is_cosine_and_sine() -> None:
    e0, e1 = torch.eye(3, dtype=torch.float64)[:2]
    got = slerp(2 * e0, 4 * e1, 5)
    t = torch.linspace(0, 1, 5, dtype=torch.float64)
    angle, norm = t * math.pi / 2, 2 + 2 * t
    want = torch.stack([norm * angle.cos(), norm * angle.sin(), 0 * t], dim=1)
    assert torch.allclose(got, want, rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("dims", [2, 7, 64])
def test_slerp_turns_evenly_between_its_ends(dims: int) -> None:
    z0, z1 = random_normal(2, dims, seed=dims)
    path = slerp(z0, z1, 9)
    assert path.shape == (9, dims)
    assert torch.allclose(path[0], z0)
    assert torch.allclose(path[-1], z1)
    norms = path.norm(dim=1)
    assert torch.allclose(norms, torch.linspace(float(z0.norm()), float(z1.norm()), 9).double())
    unit = path / norms[:, None]
    cosines = (unit[1:] * unit[:-1]).sum(1)
    whole = math.acos(float(z0 @ z1 / z0.norm() / z1.norm()))
    assert torch.allclose(cosines, torch.full_like(cosines, math.cos(whole / 8)))


def test_slerp_of_equal_and_nearly_equal_ends() -> None:
    z = random_normal(6)
    assert torch.allclose(slerp(z, z, 4), z.expand(4, 6), rtol=1e-14)
    assert torch.allclose(slerp(z, 3 * z, 3)[1], 2 * z, rtol=1e-14)
    near = z + 1e-9 * random_normal(6, seed=1)
    assert torch.allclose(slerp(z, near, 3)[1], (z + near) / 2, rtol=1e-14, atol=1e-15)


def test_slerp_keeps_the_dtype_and_its_arguments() -> None:
    z0, z1 = torch.randn(2, 4, generator=seeded())
    kept = z0.clone()
    path = slerp(z0, z1, 2)
    assert path.dtype == torch.float32
    path.zero_()
    assert torch.equal(z0, kept)


@pytest.mark.parametrize(
    ("z0", "z1", "steps", "message"),
    [
        ([1.0, 0.0], [0.0, 1.0], 1, "steps is 1, expected at least 2"),
        ([0.0, 0.0], [0.0, 1.0], 3, "a zero vector has no direction"),
        ([1.0, 0.0], [-2.0, 0.0], 3, "the latents are opposite"),
        ([1.0, 0.0], [1.0, 0.0, 0.0], 3, r"shapes are \[2\] and \[3\], expected one \[D\]"),
        ([[1.0, 0.0]], [[0.0, 1.0]], 3, "expected one"),
    ],
)
def test_slerp_of_bad_input(z0: list, z1: list, steps: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        slerp(torch.tensor(z0), torch.tensor(z1), steps)

"""Counting modes: against brute force, closed forms, and thousands of planted faults."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from gqlib.course.answers import lesson_01 as modes
from gqlib.data import toys

CENTERS = toys.ring()
STD = 0.1


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def brute(x: Tensor, y: Tensor) -> np.ndarray:
    return np.array([[math.dist(a, b) for b in y.tolist()] for a in x.tolist()])


@pytest.fixture
def points() -> tuple[Tensor, Tensor]:
    draw = 2 * torch.randn(40, 2, generator=seeded(1), dtype=torch.float64)
    return draw[:31], draw[31:]


def test_all_against_brute_force(points: tuple[Tensor, Tensor]) -> None:
    x, c = points
    distance = brute(x, c)
    assert modes.assign_modes(x, c).tolist() == distance.argmin(1).tolist()
    assert modes.assign_modes(x, c).dtype == torch.int64
    for std in (0.1, 0.3, 1.0):
        assert modes.covered_modes(x, c, std) == (distance <= 3 * std).any(0).sum()
        quality = (distance.min(1) <= 3 * std).mean()
        assert modes.high_quality_fraction(x, c, std) == pytest.approx(quality)
        assert modes.copy_fraction(x, c, 3 * std) == pytest.approx(quality)
    shares = np.bincount(distance.argmin(1), minlength=9) / 31
    kl = sum(s * math.log(9 * s) for s in shares if s)
    assert modes.mode_kl(x, c) == pytest.approx(kl)


def test_a_sample_covers_modes_that_it_is_not_nearest_to() -> None:
    centers = torch.tensor([[0.0, 0.0], [1.0, 0.0], [9.0, 0.0]])
    assert modes.covered_modes(torch.tensor([[0.2, 0.0]]), centers, 0.5) == 2
    assert modes.assign_modes(torch.tensor([[0.2, 0.0]]), centers).tolist() == [0]


def test_balls_are_closed() -> None:
    samples, centers = torch.tensor([[3.0, 4.0]]), torch.tensor([[0.0, 0.0], [6.0, 8.0]])
    assert modes.covered_modes(samples, centers, 5 / 3) == 2
    assert modes.copy_fraction(samples, centers, 5.0) == 1.0
    assert modes.copy_fraction(samples, centers, 4.999999) == 0.0


def test_quality_of_faithful_samples_in_closed_form() -> None:
    n = 40_000
    samples = toys.faithful(CENTERS.double(), n, STD, seeded())
    expected = 1 - math.exp(-4.5)
    error = 5 * math.sqrt(expected * (1 - expected) / n)
    assert abs(modes.high_quality_fraction(samples, CENTERS, STD) - expected) < error


@pytest.mark.parametrize("kept", [1, 2, 5, 8])
def test_kl_of_a_dropper_is_the_logarithm_of_what_it_lost(kept: int) -> None:
    samples = CENTERS[:kept].repeat(7, 1)
    assert modes.mode_kl(samples, CENTERS) == pytest.approx(math.log(8 / kept), abs=1e-12)


def test_kl_of_even_samples_is_biased_as_documented() -> None:
    n, draws = 500, 200
    kls = [modes.mode_kl(toys.faithful(CENTERS, n, 0.0, seeded(s)), CENTERS) for s in range(draws)]
    # 2 n KL is about χ² with 7 degrees of freedom.
    assert abs(2 * n * np.mean(kls) - 7) < 5 * math.sqrt(14 / draws)


def test_a_point_is_a_copy_of_itself_far_from_the_origin() -> None:
    train = 1e4 + torch.rand(600, 2, generator=seeded(), dtype=torch.float64)
    assert modes.copy_fraction(train, train, 1e-9) == 1.0
    assert modes.copy_fraction(train + 1e-3, train[:1], 1e-9) == 0.0


def test_numpy_and_float32_give_the_same() -> None:
    samples = toys.noisy(CENTERS, 300, STD, seeded(), background=0.3)
    as_array = samples.numpy(), CENTERS.numpy()
    assert modes.mode_kl(*as_array) == modes.mode_kl(samples, CENTERS)
    assert modes.covered_modes(*as_array, STD) == modes.covered_modes(
        samples.double(), CENTERS, STD
    )


Planted = Callable[[Tensor, int, float, torch.Generator], Tensor]
PLANTED: dict[str, tuple[set[str], Planted]] = {
    "faithful": (set(), lambda t, n, s, g: toys.faithful(CENTERS, n, s, g)),
    "keeps 6": ({"mode_collapse"}, lambda t, n, s, g: toys.mode_dropper(CENTERS, n, s, g, 6)),
    "keeps 1": ({"mode_collapse"}, lambda t, n, s, g: toys.mode_dropper(CENTERS, n, s, g, 1)),
    "copies": ({"memorisation"}, lambda t, n, s, g: toys.copycat(t, n, s, g, 0.0)),
    "near copies": ({"memorisation"}, lambda t, n, s, g: toys.copycat(t, n, s, g, 0.05)),
    "1.5 std": ({"noise"}, lambda t, n, s, g: toys.noisy(CENTERS, n, s, g, 1.5)),
    "5 std": ({"noise"}, lambda t, n, s, g: toys.noisy(CENTERS, n, s, g, 5.0)),
    "10 % stray": ({"noise"}, lambda t, n, s, g: toys.noisy(CENTERS, n, s, g, 1.0, 0.1)),
    "all stray": ({"noise"}, lambda t, n, s, g: toys.noisy(CENTERS, n, s, g, 1.0, 1.0)),
    "bias 0.1": ({"bias"}, lambda t, n, s, g: toys.biased(CENTERS, n, s, g, 0.1)),
    "bias 0.5": ({"bias"}, lambda t, n, s, g: toys.biased(CENTERS, n, s, g, 0.5)),
}


@pytest.mark.parametrize("name", PLANTED)
@pytest.mark.parametrize("std", [0.05, 0.2])
def test_diagnose_finds_the_planted_fault_and_no_other(name: str, std: float) -> None:
    fault, planted = PLANTED[name]
    for seed in range(4):
        for n, m in [(1000, 2000), (2000, 1000)]:
            generator = seeded(1000 * n + seed)
            train = toys.faithful(CENTERS, m, std, generator)
            samples = planted(train, n, std, generator)
            assert modes.diagnose(samples, train, CENTERS, std) == fault, (seed, n, m)


def test_diagnose_finds_two_faults_at_once() -> None:
    train = toys.faithful(CENTERS, 1000, STD, seeded())
    few = toys.mode_dropper(CENTERS, 100, STD, seeded(1), keep=3)
    samples = toys.copycat(few, 1000, STD, seeded(2))
    assert modes.diagnose(samples, torch.cat([train, few]), CENTERS, STD) >= {
        "mode_collapse",
        "memorisation",
    }


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: modes.assign_modes(torch.zeros(3), CENTERS), r"expected \(N, D\)"),
        (lambda: modes.assign_modes(torch.zeros(0, 2), CENTERS), "samples has 0 samples"),
        (lambda: modes.assign_modes(torch.zeros(3, 3), CENTERS), "3 coordinates and centers 2"),
        (lambda: modes.mode_kl(torch.full((3, 2), math.nan), CENTERS), "NaN"),
        (lambda: modes.covered_modes(CENTERS, CENTERS, 0.0), "std=0.0"),
        (lambda: modes.high_quality_fraction(CENTERS, CENTERS, -1.0), "std=-1.0"),
        (lambda: modes.copy_fraction(CENTERS, CENTERS, math.inf), "tolerance=inf"),
        (lambda: modes.diagnose(CENTERS, CENTERS[:1], CENTERS, 0.1), "at least 2"),
        (lambda: modes.diagnose(CENTERS, CENTERS, CENTERS, math.nan), "std=nan"),
    ],
)
def test_bad_input_is_named(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()

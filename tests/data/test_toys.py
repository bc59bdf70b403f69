"""The planted generators have the distribution that they claim; only `generator` decides draws."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from gqlib.data import toys

STD = 0.1
N = 20_000


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def nearest(samples: Tensor, centers: Tensor) -> tuple[Tensor, Tensor]:
    """Distance to the nearest centre, and which one it is."""
    return (samples[:, None].double() - centers.double()).norm(dim=2).min(dim=1)


def shares_of(samples: Tensor, centers: Tensor) -> Tensor:
    return torch.bincount(nearest(samples, centers)[1], minlength=len(centers)) / len(samples)


def test_ring() -> None:
    centers = toys.ring()
    assert centers.shape == (8, 2)
    assert centers.dtype == torch.float32
    torch.testing.assert_close(centers.norm(dim=1), torch.full((8,), 2.0))
    gaps = (centers - centers.roll(1, 0)).norm(dim=1)
    torch.testing.assert_close(gaps, torch.full((8,), 4 * math.sin(math.pi / 8)))
    torch.testing.assert_close(centers[2], torch.tensor([0.0, 2.0]))


def test_grid() -> None:
    centers = toys.grid()
    assert centers.shape == (25, 2)
    assert centers.dtype == torch.float32
    assert centers.mean(0).abs().max() < 1e-6
    assert {tuple(c) for c in centers.tolist()} == {
        (x, y) for x in (-4.0, -2.0, 0.0, 2.0, 4.0) for y in (-4.0, -2.0, 0.0, 2.0, 4.0)
    }
    assert centers[1].tolist() == [-2.0, -4.0], "row by row"


def test_faithful_is_the_even_mixture() -> None:
    centers = toys.ring().double()
    samples = toys.faithful(centers, N, STD, seeded())
    assert samples.shape == (N, 2)
    assert samples.dtype == torch.float64
    distance, mode = nearest(samples, centers)
    # In two dimensions r²/std² is χ² with 2 degrees of freedom.
    assert stats.kstest((distance / STD).square().numpy(), "chi2", args=(2,)).pvalue > 1e-3
    assert stats.chisquare(torch.bincount(mode).numpy()).pvalue > 1e-3
    offset = ((samples - centers[mode]) / STD).numpy()
    assert abs(np.corrcoef(offset.T)[0, 1]) < 5 / math.sqrt(N)


def test_mixture_takes_shares_up_to_a_factor() -> None:
    centers = toys.grid(2, 4.0)
    samples = toys.mixture(centers, N, STD, seeded(), shares=torch.tensor([6.0, 3.0, 1.0, 0.0]))
    counts = (shares_of(samples, centers) * N).round().numpy()
    assert counts[3] == 0
    assert stats.chisquare(counts[:3], N * np.array([0.6, 0.3, 0.1])).pvalue > 1e-3


def test_mixture_without_spread_is_the_centres() -> None:
    centers = toys.ring(3)
    samples = toys.mixture(centers, 100, 0.0, seeded())
    assert {tuple(s) for s in samples.tolist()} == {tuple(c) for c in centers.tolist()}
    assert toys.mixture(centers, 0, 1.0, seeded()).shape == (0, 2)


@pytest.mark.parametrize("keep", [1, 3, 6, 8])
def test_mode_dropper_is_even_on_what_it_keeps(keep: int) -> None:
    centers = toys.ring()
    shares = shares_of(toys.mode_dropper(centers, N, STD, seeded(), keep=keep), centers)
    kept = shares[shares > 0]
    assert len(kept) == keep
    if keep > 1:
        assert stats.chisquare((kept * N).round().numpy()).pvalue > 1e-3


def test_mode_dropper_keeps_other_modes_with_another_seed() -> None:
    centers = toys.ring()
    kept = {
        tuple((shares_of(toys.mode_dropper(centers, 200, STD, seeded(s)), centers) > 0).tolist())
        for s in range(20)
    }
    assert len(kept) > 5


@pytest.mark.parametrize("jitter", [0.0, 0.02, 0.05])
def test_copycat_is_a_training_point_and_jitter(jitter: float) -> None:
    train = 50 * torch.randn(30, 2, generator=seeded(1), dtype=torch.float64)  # far apart
    distance, row = nearest(toys.copycat(train, N, STD, seeded(), jitter=jitter), train)
    assert stats.chisquare(torch.bincount(row, minlength=30).numpy()).pvalue > 1e-3
    if jitter == 0:
        assert distance.max() == 0
    else:
        scaled = (distance / (jitter * STD)).square().numpy()
        assert stats.kstest(scaled, "chi2", args=(2,)).pvalue > 1e-3


def test_noisy_modes_are_wider() -> None:
    centers = toys.grid(2, 20.0).double()
    distance, mode = nearest(toys.noisy(centers, N, STD, seeded(), spread=3.0), centers)
    scaled = (distance / (3 * STD)).square().numpy()
    assert stats.kstest(scaled, "chi2", args=(2,)).pvalue > 1e-3
    assert stats.chisquare(torch.bincount(mode).numpy()).pvalue > 1e-3


def test_noisy_background_is_uniform_on_the_box() -> None:
    centers = toys.ring().double()
    samples = toys.noisy(centers, N, STD, seeded(), spread=1.0, background=1.0)
    scaled = ((samples + 2 + 3 * STD) / (4 + 6 * STD)).numpy()
    for axis in range(2):
        assert stats.kstest(scaled[:, axis], "uniform").pvalue > 1e-3
    far = (nearest(toys.noisy(centers, N, STD, seeded(), 1.0, 0.3), centers)[0] > 6 * STD).double()
    box, balls = (4 + 6 * STD) ** 2, 8 * math.pi * (6 * STD) ** 2
    outside = np.mean(nearest(samples, centers)[0].numpy() > 6 * STD)
    assert abs(outside - (1 - balls / box)) < 0.1, "the balls reach over the box's edge a little"
    assert abs(far.mean() - 0.3 * outside) < 6 * math.sqrt(0.3 * 0.7 / N)


def test_noisy_without_noise_is_faithful() -> None:
    centers = toys.ring().double()
    distance, _ = nearest(toys.noisy(centers, N, STD, seeded(), 1.0, 0.0), centers)
    assert stats.kstest((distance / STD).square().numpy(), "chi2", args=(2,)).pvalue > 1e-3


@pytest.mark.parametrize(("modes", "kl"), [(8, 0.1), (8, 0.5), (8, 1.9), (2, 0.3), (25, 0.2)])
def test_tilted_shares_have_the_divergence_asked_for(modes: int, kl: float) -> None:
    shares = toys.tilted_shares(modes, kl).numpy()
    assert shares.sum() == pytest.approx(1)
    assert stats.entropy(shares, np.full(modes, 1 / modes)) == pytest.approx(kl, rel=1e-9)
    ratios = shares[1:] / shares[:-1]
    assert np.all(ratios < 1)
    np.testing.assert_allclose(ratios, ratios[0], rtol=1e-9)


def test_tilted_shares_of_zero_are_even() -> None:
    torch.testing.assert_close(toys.tilted_shares(5, 0.0), torch.full((5,), 0.2).double())
    assert toys.tilted_shares(1, 0.0).tolist() == [1.0]


@pytest.mark.parametrize(("kl", "least"), [(0.1, 0.056), (0.2, 0.036), (0.3, 0.024)])
def test_smallest_share_is_as_documented(kl: float, least: float) -> None:
    assert round(float(toys.tilted_shares(8, kl).min()), 3) == least


def test_biased_has_tilted_shares_in_an_order_by_chance() -> None:
    centers = toys.ring()
    first = shares_of(toys.biased(centers, N, STD, seeded(0), kl=0.3), centers)
    second = shares_of(toys.biased(centers, N, STD, seeded(1), kl=0.3), centers)
    for shares in (first, second):
        counts = np.sort((shares * N).round().numpy())[::-1]
        wanted = N * toys.tilted_shares(8, 0.3).numpy()
        assert stats.chisquare(counts, wanted).pvalue > 1e-3
    assert first.argsort().tolist() != second.argsort().tolist()


CALLS: dict[str, Callable[[torch.Generator], Tensor]] = {
    "mixture": lambda g: toys.mixture(toys.ring(), 50, STD, g),
    "faithful": lambda g: toys.faithful(toys.ring(), 50, STD, g),
    "mode_dropper": lambda g: toys.mode_dropper(toys.ring(), 50, STD, g),
    "copycat": lambda g: toys.copycat(toys.grid(), 50, STD, g),
    "noisy": lambda g: toys.noisy(toys.ring(), 50, STD, g, background=0.2),
    "biased": lambda g: toys.biased(toys.ring(), 50, STD, g),
}


@pytest.mark.parametrize("name", CALLS)
def test_draws_depend_on_the_generator_alone(name: str) -> None:
    state = torch.get_rng_state()
    generator = seeded(3)
    first, second = CALLS[name](generator), CALLS[name](generator)
    assert torch.equal(first, CALLS[name](seeded(3)))
    assert not torch.equal(first, second)
    assert torch.equal(torch.get_rng_state(), state)
    assert first.dtype == torch.float32
    assert first.shape == (50, 2)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda g: toys.ring(0), "modes is 0"),
        (lambda g: toys.grid(0), "side is 0"),
        (lambda g: toys.mixture(torch.zeros(3), 5, 1.0, g), r"\[K, D\]"),
        (lambda g: toys.mixture(torch.zeros(3, 2, dtype=torch.int64), 5, 1.0, g), "int64"),
        (lambda g: toys.mixture(toys.ring(), -1, 1.0, g), "n is -1"),
        (lambda g: toys.mixture(toys.ring(), 5, -1.0, g), "standard deviation of -1"),
        (lambda g: toys.mixture(toys.ring(), 5, math.nan, g), "standard deviation of nan"),
        (lambda g: toys.mixture(toys.ring(), 5, 1.0, g, torch.ones(7)), "8 modes"),
        (lambda g: toys.mixture(toys.ring(2), 5, 1.0, g, torch.tensor([2.0, -1.0])), ">= 0"),
        (lambda g: toys.mixture(toys.ring(2), 5, 1.0, g, torch.zeros(2)), "not all"),
        (lambda g: toys.mode_dropper(toys.ring(), 5, 1.0, g, keep=0), "1 to 8"),
        (lambda g: toys.mode_dropper(toys.ring(), 5, 1.0, g, keep=9), "1 to 8"),
        (lambda g: toys.copycat(torch.zeros(0, 2), 5, 1.0, g), "training points is 0"),
        (lambda g: toys.noisy(toys.ring(), 5, 1.0, g, background=1.5), "0 to 1"),
        (lambda g: toys.biased(toys.ring(), 5, 1.0, g, kl=-0.1), "kl=-0.1"),
        (lambda g: toys.biased(toys.ring(), 5, 1.0, g, kl=2.1), "below 2.079"),
    ],
)
def test_bad_input_is_named(call: Callable[[torch.Generator], Tensor], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call(seeded())

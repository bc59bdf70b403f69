"""The two gradient estimators against exact moments by Gaussian quadrature."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from gqlib.course.answers.lesson_04 import pathwise, score_function

NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(40)
WEIGHTS = WEIGHTS / WEIGHTS.sum()
N = 200_000


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def moments(values: np.ndarray) -> tuple[float, float, float]:
    """Mean, variance and fourth central moment of a function of one standard normal."""
    mean = WEIGHTS @ values
    return mean, WEIGHTS @ (values - mean) ** 2, WEIGHTS @ (values - mean) ** 4


def check(got: torch.Tensor, want: np.ndarray) -> None:
    """Mean and variance of the estimates within six standard errors of the exact ones."""
    mean, variance, fourth = moments(want)
    assert got.shape == (N,)
    assert float(got.mean()) == pytest.approx(mean, abs=6 * math.sqrt(variance / N))
    error = 6 * math.sqrt((fourth - variance**2) / N) + 1e-9
    assert float(got.double().var()) == pytest.approx(variance, abs=error)


@pytest.mark.parametrize("mu", [-2.0, 0.0, 0.7, 3.0])
def test_the_square(mu: float) -> None:
    path = pathwise(torch.square, mu, N, seeded(1))
    score = score_function(torch.square, mu, N, seeded(2))
    assert moments(2 * (mu + NODES))[:2] == pytest.approx((2 * mu, 4))
    exact = (mu + NODES) ** 2 * NODES
    assert moments(exact)[:2] == pytest.approx((2 * mu, mu**4 + 14 * mu**2 + 15))
    check(path, 2 * (mu + NODES))
    check(score, exact)


def test_any_function() -> None:
    path = pathwise(torch.sin, 0.4, N, seeded(3))
    score = score_function(torch.sin, 0.4, N, seeded(4))
    check(path, np.cos(0.4 + NODES))
    check(score, np.sin(0.4 + NODES) * NODES)
    truth = math.cos(0.4) * math.exp(-0.5)  # E sin(z) = sin(mu) e^(-1/2)
    assert moments(np.cos(0.4 + NODES))[0] == pytest.approx(truth)
    assert moments(np.sin(0.4 + NODES) * NODES)[0] == pytest.approx(truth)


def test_a_step_has_a_score_function_alone() -> None:
    def step(z: torch.Tensor) -> torch.Tensor:
        return (z > 0).to(z.dtype)

    got = score_function(step, 0.5, N, seeded(5))
    density = math.exp(-(0.5**2) / 2) / math.sqrt(2 * math.pi)  # d/dmu P(z > 0)
    assert float(got.mean()) == pytest.approx(density, abs=6 * float(got.std()) / math.sqrt(N))


def test_a_baseline_keeps_the_mean_and_lowers_the_variance() -> None:
    mu = 2.0
    got = score_function(torch.square, mu, N, seeded(6), baseline=mu**2 + 3)
    exact = ((mu + NODES) ** 2 - mu**2 - 3) * NODES
    assert moments(exact)[:2] == pytest.approx((2 * mu, 8 * mu**2 + 6))
    check(got, exact)


def test_draws_come_from_the_generator_alone() -> None:
    state = torch.get_rng_state()
    for estimator in (pathwise, score_function):
        g = seeded(7)
        one, two = estimator(torch.square, 1.0, 5, g), estimator(torch.square, 1.0, 5, g)
        assert not torch.equal(one, two)
        assert torch.equal(one, estimator(torch.square, 1.0, 5, seeded(7)))
        assert not one.requires_grad
    assert torch.equal(torch.get_rng_state(), state)

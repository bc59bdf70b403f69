"""The linear-Gaussian model against SciPy and autograd; gradient estimators against quadrature."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import integrate, stats

from gqlib.course.answers import lesson_04 as lg
from gqlib.course.answers.lesson_04 import (
    elbo,
    gaussian_nll,
    log_marginal,
    pathwise,
    posterior,
    score_function,
)
from gqlib.metrics import gaussian_kl

SHAPES = [(5, 3, 2), (2, 6, 4), (7, 2, 5), (1, 1, 1), (4, 3, 3), (3, 1, 4)]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def problem(n: int, dims: int, latents: int, sigma: float, seed: int = 0):
    g = seeded(seed)
    W = torch.randn(dims, latents, generator=g, dtype=torch.float64)
    b = torch.randn(dims, generator=g, dtype=torch.float64)
    x, _ = lg.sample(n, W, b, sigma, g)
    return x, W, b


def covariance(W: torch.Tensor, sigma: float) -> np.ndarray:
    return (W @ W.T).numpy() + sigma**2 * np.eye(len(W))


@pytest.mark.parametrize("sigma", [0.3, 1.0, 4.0])
@pytest.mark.parametrize(("n", "dims", "latents"), SHAPES)
def test_log_marginal_is_scipys_normal(n: int, dims: int, latents: int, sigma: float) -> None:
    x, W, b = problem(n, dims, latents, sigma)
    want = np.atleast_1d(stats.multivariate_normal(b.numpy(), covariance(W, sigma)).logpdf(x))
    assert log_marginal(x, W, b, sigma).numpy() == pytest.approx(want, rel=1e-11, abs=1e-11)
    single = log_marginal(x.float(), W.float(), b.float(), sigma)
    assert single.dtype == torch.float32
    assert single.numpy() == pytest.approx(want, rel=1e-5, abs=1e-4)


def test_log_marginal_is_the_integral_over_the_latent() -> None:
    x, W, b = problem(3, 2, 1, 0.6)
    for row, got in zip(x, log_marginal(x, W, b, 0.6), strict=True):

        def joint(z: float, row: torch.Tensor = row) -> float:
            likelihood = stats.norm(row.numpy(), 0.6).pdf((W[:, 0] * z + b).numpy()).prod()
            return float(likelihood * stats.norm.pdf(z))

        integral, _ = integrate.quad(joint, -10, 10, epsabs=0, epsrel=1e-10)
        assert float(got) == pytest.approx(math.log(integral), rel=1e-8)


@pytest.mark.parametrize("sigma", [1e-3, 1e-6])
def test_log_marginal_for_hardly_any_noise(sigma: float) -> None:
    """Orthogonal columns, so that the value is a sum of one-dimensional densities."""
    lengths = torch.tensor([3.0, 1.0, 0.2], dtype=torch.float64)
    draw = torch.randn(7, 7, generator=seeded(1), dtype=torch.float64)
    axes, _ = torch.linalg.qr(draw)
    W, b = axes[:, :3] * lengths, torch.ones(7, dtype=torch.float64)
    along = torch.randn(4, 7, generator=seeded(2), dtype=torch.float64)
    spread = torch.cat([(lengths**2 + sigma**2).sqrt(), torch.full((4,), sigma).double()])
    x = b + (along * spread) @ axes.T
    want = stats.norm.logpdf(along.numpy()).sum(1) - float(spread.log().sum())
    assert log_marginal(x, W, b, sigma).numpy() == pytest.approx(want, rel=1e-7)


def test_log_marginal_where_the_determinant_leaves_the_range() -> None:
    for sigma in (0.3, 30.0):
        x, W, b = problem(2, 500, 3, sigma, seed=3)
        C = covariance(W, sigma)
        residual = (x - b).numpy()
        quadratic = (residual * np.linalg.solve(C, residual.T).T).sum(1)
        want = -0.5 * (500 * math.log(2 * math.pi) + np.linalg.slogdet(C)[1] + quadratic)
        assert log_marginal(x, W, b, sigma).numpy() == pytest.approx(want, rel=1e-9)


@pytest.mark.parametrize(("n", "dims", "latents"), SHAPES)
def test_posterior_conditions_the_joint_gaussian(n: int, dims: int, latents: int) -> None:
    x, W, b = problem(n, dims, latents, 0.8)
    C = covariance(W, 0.8)
    mean, cov = posterior(x, W, b, 0.8)
    gain = np.linalg.solve(C, W.numpy()).T
    assert mean.numpy() == pytest.approx((x - b).numpy() @ gain.T, rel=1e-10, abs=1e-12)
    assert cov.numpy() == pytest.approx(np.eye(latents) - gain @ W.numpy(), rel=1e-9, abs=1e-12)


def test_posterior_of_hardly_any_noise_is_least_squares() -> None:
    x, W, b = problem(4, 6, 2, 1e-7)
    mean, cov = posterior(x, W, b, 1e-7)
    want = torch.linalg.lstsq(W, (x - b).T).solution.T
    assert torch.allclose(mean, want, rtol=1e-7)
    assert torch.allclose(cov / 1e-14, torch.linalg.inv(W.T @ W), rtol=1e-6)


@pytest.mark.parametrize(("n", "dims", "latents"), SHAPES)
def test_elbo_misses_log_p_by_the_kl_to_the_posterior(n: int, dims: int, latents: int) -> None:
    x, W, b = problem(n, dims, latents, 0.7)
    g = seeded(4)
    mean = torch.randn(n, latents, generator=g, dtype=torch.float64)
    var = torch.randn(n, latents, generator=g, dtype=torch.float64).exp()
    true_mean, true_cov = posterior(x, W, b, 0.7)
    gap = gaussian_kl(mean, torch.diag_embed(var), true_mean, true_cov.expand(n, -1, -1))
    bound = elbo(x, W, b, 0.7, mean, var)
    assert (bound + gap).numpy() == pytest.approx(log_marginal(x, W, b, 0.7).numpy(), rel=1e-10)
    single = elbo(x.float(), W.float(), b.float(), 0.7, mean.float(), var.float())
    assert single.dtype == torch.float32
    assert single.numpy() == pytest.approx(bound.numpy(), rel=1e-5)


def test_elbo_is_tight_only_for_orthogonal_columns() -> None:
    x, W, b = problem(3, 5, 2, 0.5)
    orthogonal = torch.linalg.qr(W)[0] * torch.tensor([2.0, 0.7], dtype=torch.float64)
    for matrix, tight in ((orthogonal, True), (W, False)):
        mean, cov = posterior(x, matrix, b, 0.5)
        var = (1 / torch.linalg.inv(cov).diagonal()).expand(3, 2)
        gap = log_marginal(x, matrix, b, 0.5) - elbo(x, matrix, b, 0.5, mean, var)
        rho = cov[0, 1] / (cov[0, 0] * cov[1, 1]).sqrt()
        assert gap.numpy() == pytest.approx(-0.5 * math.log(1 - float(rho) ** 2), abs=1e-12)
        assert bool((gap < 1e-12).all()) is tight


def test_elbo_is_highest_at_the_best_diagonal_gaussian() -> None:
    """By autograd: nothing there improves it, and log p(x) has a gradient to all parameters."""
    x, W, b = problem(3, 4, 2, 0.5)
    mean, cov = posterior(x, W, b, 0.5)
    var = (1 / torch.linalg.inv(cov).diagonal()).expand(3, 2).clone()
    mean, var = mean.requires_grad_(), var.requires_grad_()
    for gradient in torch.autograd.grad(elbo(x, W, b, 0.5, mean, var).sum(), (mean, var)):
        assert gradient.abs().max() < 1e-10
    inputs = tuple(t.requires_grad_() for t in (x, W, b))
    assert torch.autograd.gradcheck(lambda *t: log_marginal(*t, 0.5), inputs)
    assert torch.autograd.gradcheck(lambda *t: posterior(*t, 0.5), inputs)


@pytest.mark.parametrize("shape", [(4,), (3, 5), (2, 1, 3, 4)])
def test_gaussian_nll_is_scipys(shape: tuple[int, ...]) -> None:
    x, mean = torch.randn(2, *shape, generator=seeded(), dtype=torch.float64)
    want = -stats.norm(mean.numpy(), 0.4).logpdf(x.numpy()).reshape(len(x), -1).sum(1)
    assert gaussian_nll(x, mean, 0.4).numpy() == pytest.approx(want)
    inputs = (
        x.requires_grad_(),
        mean.requires_grad_(),
        torch.tensor(0.4).double().requires_grad_(),
    )
    assert torch.autograd.gradcheck(gaussian_nll, inputs)


def test_gaussian_nll_is_the_mse_at_a_weight_and_best_at_its_root() -> None:
    x, mean = torch.rand(2, 1, 784, generator=seeded(), dtype=torch.float64)
    mse = float((x - mean).square().mean())
    want = 784 / (2 * 0.09) * mse + 392 * math.log(2 * math.pi * 0.09)
    assert float(gaussian_nll(x, mean, 0.3)) == pytest.approx(want)
    sigma = torch.tensor(math.sqrt(mse), dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(gaussian_nll(x, mean, sigma).sum(), sigma)
    assert abs(float(slope)) < 1e-9


def test_integers_count_as_float32() -> None:
    bits = torch.randint(0, 2, (4, 3), generator=seeded(), dtype=torch.uint8)
    W, b = torch.ones(3, 1), torch.zeros(3)
    assert torch.equal(log_marginal(bits, W, b, 1.0), log_marginal(bits.float(), W, b, 1.0))
    assert gaussian_nll(bits, bits, 1.0).dtype == torch.float32


def test_samples_have_the_moments_of_the_model() -> None:
    W = torch.tensor([[1.0, 0.5], [0.0, 2.0], [-1.0, 0.0]], dtype=torch.float64)
    b = torch.tensor([3.0, 0.0, -1.0], dtype=torch.float64)
    state = torch.get_rng_state()
    x, z = lg.sample(100_000, W, b, 0.5, seeded(5))
    assert torch.equal(torch.get_rng_state(), state)
    assert x.dtype == z.dtype == torch.float64
    assert torch.allclose(x.mean(0), b, atol=0.05)
    assert torch.allclose(torch.cov(x.T), torch.from_numpy(covariance(W, 0.5)), atol=0.1)
    assert torch.allclose(torch.cov((x - z @ W.T - b).T), 0.25 * torch.eye(3).double(), atol=0.01)
    assert torch.equal(x, lg.sample(100_000, W, b, 0.5, seeded(5))[0])


def test_bad_input_gets_a_sentence() -> None:
    x, W, b = problem(4, 3, 2, 1.0)
    mean, var = torch.zeros(4, 2), torch.ones(4, 2)
    with pytest.raises(ValueError, match=r"x has shape \(4, 2\).*expected \[N, D\], \[D, K\]"):
        log_marginal(x[:, :2], W, b, 1.0)
    with pytest.raises(ValueError, match=r"expected \[N, D\], \[D, K\] and \[D\]"):
        posterior(x, W.T, b, 1.0)
    for sigma in (0.0, -1.0, math.nan):
        with pytest.raises(ValueError, match=r"sigma is .*, expected a standard deviation > 0"):
            log_marginal(x, W, b, sigma)
        with pytest.raises(ValueError, match="sigma is"):
            gaussian_nll(x, x, sigma)
    with pytest.raises(ValueError, match=r"mean has shape \(2,\), expected \[N, K\] = \(4, 2\)"):
        elbo(x, W, b, 1.0, mean[0], var)
    with pytest.raises(ValueError, match=r"var has the entry 0, expected variances > 0"):
        elbo(x, W, b, 1.0, mean, 0 * var)
    with pytest.raises(ValueError, match=r"x has shape \(4, 3\) and mean \(4, 2\)"):
        gaussian_nll(x, mean, 1.0)


# --- the gradient estimators

NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(40)
WEIGHTS = WEIGHTS / WEIGHTS.sum()
N = 200_000


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

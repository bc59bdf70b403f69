"""Adversarial losses against closed forms, SciPy, and the optima that the theory names."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.optimize import minimize
from scipy.special import expit, rel_entr
from torch import nn

from gqlib.course.answers import lesson_06 as adversarial

DTYPES = (torch.float32, torch.float64)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def laws(*shape: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    p, q = torch.rand(2, *shape, generator=seeded(seed), dtype=torch.float64)
    return p / p.sum(-1, keepdim=True), q / q.sum(-1, keepdim=True)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", [1.0, 20.0, 100.0])
def test_losses_and_their_gradients_are_right_at_any_logit(dtype: torch.dtype, size: float) -> None:
    real = size * (2 * torch.rand(7, generator=seeded(1), dtype=dtype) - 1)
    fake = size * (2 * torch.rand(5, 1, generator=seeded(2), dtype=dtype) - 1)
    real.requires_grad_(), fake.requires_grad_()
    r, f = real.detach().double().numpy(), fake.detach().double().numpy()
    minus_log_d, minus_log_not_d = np.logaddexp(0, -f).mean(), np.logaddexp(0, f).mean()

    loss = adversarial.discriminator_loss(real, fake)
    assert loss.dtype == dtype
    assert loss.item() == pytest.approx(np.logaddexp(0, -r).mean() + minus_log_not_d, rel=1e-6)
    by_real, by_fake = torch.autograd.grad(loss, (real, fake))
    assert by_real.numpy() == pytest.approx(-expit(-r) / 7, rel=1e-5)
    assert by_fake.numpy() == pytest.approx(expit(f) / 5, rel=1e-5)

    for function, name, value, push in [
        (adversarial.generator_loss_saturating, "saturating", -minus_log_not_d, -expit(f)),
        (adversarial.generator_loss, "non_saturating", minus_log_d, -expit(-f)),
    ]:
        loss = function(fake)
        assert loss.item() == pytest.approx(value, rel=1e-6)
        (by_fake,) = torch.autograd.grad(loss, fake)
        assert by_fake.numpy() == pytest.approx(push / 5, rel=1e-5)
        own = adversarial.gradient_wrt_logit(name, fake.detach())
        assert own.dtype == dtype
        assert own.numpy() == pytest.approx(push, rel=1e-5)


def test_a_coin_toss_costs_two_log_two_whatever_the_sizes() -> None:
    for n, m in [(1, 1), (3, 8)]:
        loss = adversarial.discriminator_loss(torch.zeros(n, dtype=torch.float64), torch.zeros(m))
        assert float(loss) == pytest.approx(2 * math.log(2))


def test_half_precision_is_averaged_in_single() -> None:
    logits = torch.full((4096,), 3.1, dtype=torch.bfloat16)
    loss = adversarial.generator_loss(logits)
    assert loss.dtype == torch.float32
    assert float(loss) == pytest.approx(math.log1p(math.exp(-float(logits[0]))), rel=1e-6)


def test_losses_refuse_what_has_no_mean() -> None:
    with pytest.raises(ValueError, match=r"expected floats \[N\] or \[N, 1\] with N >= 1"):
        adversarial.generator_loss(torch.zeros(0))
    with pytest.raises(ValueError, match=r"logits are torch.int64"):
        adversarial.discriminator_loss(torch.zeros(2), torch.zeros(2, dtype=torch.int64))
    with pytest.raises(ValueError, match="loss_name is 'non-saturating'"):
        adversarial.gradient_wrt_logit("non-saturating", torch.zeros(2))


def test_no_discriminator_does_better_than_the_optimal_one() -> None:
    p, q = laws(6)
    best = adversarial.optimal_discriminator(p, q)
    found = minimize(
        lambda v: float(np.sum(p.numpy() * np.logaddexp(0, -v) + q.numpy() * np.logaddexp(0, v))),
        np.zeros(6),
    )
    assert expit(found.x) == pytest.approx(best.numpy(), abs=1e-4)
    assert -found.fun == pytest.approx(float(adversarial.value_at_optimum(p, q)), abs=1e-8)


def test_optimal_discriminator_at_edges_and_scales() -> None:
    p = torch.tensor([0.0, 0.3, 0.0, 1e-30, 1e30])
    q = torch.tensor([0.2, 0.0, 0.0, 3e-30, 1e30])
    best = adversarial.optimal_discriminator(p, q)
    assert best.tolist() == pytest.approx([0, 1, 0.5, 0.25, 0.5])
    assert best.dtype == torch.float32
    p, q = laws(3, 4)
    assert torch.allclose(
        adversarial.optimal_discriminator(p, q) + adversarial.optimal_discriminator(q, p),
        torch.ones_like(p),
    )


@pytest.mark.parametrize("dtype", DTYPES)
def test_value_at_optimum_is_twice_js_minus_log_four(dtype: torch.dtype) -> None:
    p, q = laws(2, 3, 7)
    p[0, 0, :3], q[0, 0, 2:5] = 0, 0
    p, q = p / p.sum(-1, keepdim=True), q / q.sum(-1, keepdim=True)
    m = ((p + q) / 2).numpy()
    want = rel_entr(p.numpy(), m).sum(-1) + rel_entr(q.numpy(), m).sum(-1) - math.log(4)
    got = adversarial.value_at_optimum(p.to(dtype), q.to(dtype))
    assert got.shape == (2, 3)
    assert got.dtype == dtype
    assert got.numpy() == pytest.approx(want, rel=1e-5)


def test_value_at_optimum_ends() -> None:
    p = torch.tensor([0.2, 0.8, 0.0, 0.0], dtype=torch.float64)
    q = torch.tensor([0.0, 0.0, 1.0, 0.0], dtype=torch.float64)
    assert float(adversarial.value_at_optimum(p, p)) == pytest.approx(-math.log(4))
    assert float(adversarial.value_at_optimum(p, q)) == 0


def test_densities_are_not_negative() -> None:
    bad, good = torch.tensor([0.5, -0.5]), torch.tensor([0.5, 0.5])
    for function in (adversarial.optimal_discriminator, adversarial.value_at_optimum):
        with pytest.raises(ValueError, match=r"p_data has the entry -0\.5"):
            function(bad, good)
        with pytest.raises(ValueError, match="p_model has the entry nan"):
            function(good, torch.tensor([0.5, math.nan]))


@pytest.mark.parametrize(("n", "m"), [(1, 1), (6, 6), (3, 5), (4, 2), (1, 7), (30, 17)])
def test_wasserstein_is_scipys_for_any_sizes(n: int, m: int) -> None:
    x = torch.randn(n, generator=seeded(3), dtype=torch.float64)
    y = 2 * torch.randn(m, generator=seeded(4), dtype=torch.float64).round(decimals=1) + 0.3
    want = stats.wasserstein_distance(x.numpy(), y.numpy())
    assert float(adversarial.wasserstein_1d(x, y)) == pytest.approx(want)
    assert float(adversarial.wasserstein_1d(y, x)) == pytest.approx(want)
    # The long lists, where every value is repeated, are the same two distributions.
    long = adversarial.wasserstein_1d(x.repeat(m), y.repeat(n))
    assert float(long) == pytest.approx(want)


def test_wasserstein_is_the_best_assignment() -> None:
    x, y = torch.randn(2, 6, generator=seeded(5), dtype=torch.float64)
    costs = [(x - y[list(order)]).abs().mean() for order in itertools.permutations(range(6))]
    assert float(adversarial.wasserstein_1d(x, y)) == pytest.approx(float(min(costs)))


def test_wasserstein_has_a_slope_between_samples_that_are_apart() -> None:
    x = torch.rand(8, generator=seeded(6)).requires_grad_()
    for m in (8, 12):
        distance = adversarial.wasserstein_1d(x, torch.rand(m, generator=seeded(7)) + 5)
        (slope,) = torch.autograd.grad(distance, x)
        assert slope.tolist() == pytest.approx([-1 / 8] * 8)


def test_wasserstein_input() -> None:
    assert float(adversarial.wasserstein_1d(torch.tensor([1, 2]), torch.tensor([4]))) == 2.5
    for bad in (torch.zeros(0), torch.zeros(2, 2)):
        with pytest.raises(ValueError, match=r"y has shape .*, expected \[N\] with N >= 1"):
            adversarial.wasserstein_1d(torch.zeros(2), bad)


class Bowl(nn.Module):
    """½ Σ a x², with the gradient a x, as heights [N] or [N, 1]; keeps the points it was asked."""

    def __init__(self, a: torch.Tensor, column: bool = False) -> None:
        super().__init__()
        self.a, self.column = nn.Parameter(a), column
        self.points = torch.zeros(0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.points = x.detach().clone()
        return (self.a * x**2 / 2).reshape(len(x), -1).sum(1, keepdim=self.column)


@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (1, 4, 4)])
@pytest.mark.parametrize("column", [False, True])
def test_penalty_and_its_gradient_by_hand(shape: tuple[int, ...], column: bool) -> None:
    g = seeded(8)
    a = torch.randn(shape, generator=g, dtype=torch.float64)
    real, fake = torch.randn(2, 5, *shape, generator=g, dtype=torch.float64)
    critic = Bowl(a, column)
    penalty = adversarial.gradient_penalty(critic, real, fake, g)
    x = critic.points.reshape(5, -1).numpy()
    gradient = a.reshape(-1).numpy() * x
    norm = np.linalg.norm(gradient, axis=1, keepdims=True)
    assert penalty.item() == pytest.approx(np.square(norm - 1).mean())
    penalty.backward()
    want = (2 * (norm - 1) / norm * gradient * x).mean(0)
    assert critic.a.grad is not None
    assert critic.a.grad.reshape(-1).numpy() == pytest.approx(want)


def test_penalty_is_taken_at_uniform_points_of_the_segments() -> None:
    real = torch.randn(4000, 2, 3, generator=seeded(9), dtype=torch.float64)
    fake = real + 1 + torch.rand(real.shape, generator=seeded(10), dtype=torch.float64)
    critic = Bowl(torch.ones(2, 3, dtype=torch.float64))
    state = torch.get_rng_state()
    one = adversarial.gradient_penalty(critic, real, fake, seeded(11))
    u = ((critic.points - fake) / (real - fake)).flatten(1)
    assert torch.allclose(u, u[:, :1].expand_as(u))
    assert stats.kstest(u[:, 0].numpy(), "uniform").pvalue > 1e-3
    assert one == adversarial.gradient_penalty(critic, real, fake, seeded(11))
    assert one != adversarial.gradient_penalty(critic, real, fake, seeded(12))
    assert torch.equal(torch.get_rng_state(), state)


def test_penalty_trains_the_critic_and_not_the_generator() -> None:
    fake = torch.randn(4, 2, generator=seeded(13)).requires_grad_()
    critic = Bowl(torch.ones(2))
    real = torch.randn(4, 2, generator=seeded(15))
    adversarial.gradient_penalty(critic, real, fake, seeded()).backward()
    assert critic.a.grad is not None
    assert fake.grad is None
    with torch.no_grad():
        measured = adversarial.gradient_penalty(critic, real, fake, seeded())
    assert not measured.requires_grad
    assert measured > 0


def test_penalty_of_a_flat_critic_has_finite_gradients() -> None:
    critic = Bowl(torch.zeros(3))
    x = torch.randn(4, 3, generator=seeded(14))
    penalty = adversarial.gradient_penalty(critic, x, -x, seeded())
    penalty.backward()
    assert penalty.item() == 1
    assert critic.a.grad is not None
    assert torch.isfinite(critic.a.grad).all()


def test_penalty_refuses_batches_that_are_no_pairs() -> None:
    critic = Bowl(torch.ones(2))
    for real, fake in [(torch.zeros(3, 2), torch.zeros(4, 2)), (torch.zeros(0, 2),) * 2]:
        with pytest.raises(ValueError, match=r"expected one shape \[N, ...\] with N >= 1"):
            adversarial.gradient_penalty(critic, real, fake, seeded())

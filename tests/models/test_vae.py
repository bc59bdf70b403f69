"""The VAE against closed forms, NumPy loops and a linear-Gaussian model solved by SciPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.special import expit
from torch import nn

from gqlib.course.answers import lesson_05
from gqlib.models import vae


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class Planted(nn.Module):
    """A VAE of two linear maps, with every kind of layer that has a mode."""

    def __init__(self, pixels: int = 6, latents: int = 3, dtype: torch.dtype = torch.float64):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(3)
            self.mean = nn.Linear(pixels, latents, dtype=dtype)
            self.spread = nn.Linear(pixels, latents, dtype=dtype)
            self.norm = nn.BatchNorm1d(latents, dtype=dtype)
            self.drop = nn.Dropout(0.5)
            self.out = nn.Linear(latents, pixels, dtype=dtype)

    def encode(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        flat = x.flatten(1)
        return self.norm(self.mean(flat)), self.spread(flat)

    def decode(self, z: torch.Tensor) -> torch.Tensor:
        return self.out(self.drop(z)).unflatten(1, (1, 2, 3))


def images(n: int = 5, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.rand(n, 1, 2, 3, generator=seeded(), dtype=dtype)


@pytest.mark.parametrize("build", [lambda: vae.VAE(7, 30), lambda: vae.ConvVAE(7, 4, 30)])
def test_shapes_and_sampling(build) -> None:
    model = build()
    x = torch.rand(3, 1, 28, 28, generator=seeded())
    mu, logvar = model.encode(x)
    assert mu.shape == logvar.shape == (3, 7)
    assert model.decode(mu).shape == x.shape
    state = torch.get_rng_state()
    one, two = model.sample(4, seeded(1)), model.sample(4, seeded(1))
    assert torch.equal(one, two)
    assert one.shape == (4, 1, 28, 28)
    assert not one.requires_grad
    assert set(model.sample(4, seeded(1), binary=True).unique().tolist()) == {0.0, 1.0}
    assert torch.equal(torch.get_rng_state(), state)
    logits, mu, logvar = model(x, seeded())
    loss, *_ = vae.vae_loss(logits, x, mu, logvar)
    loss.backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())


def test_other_shapes_of_an_image() -> None:
    model = vae.VAE(2, 8, shape=(3, 4))
    assert model.decode(model.encode(torch.rand(5, 3, 4))[0]).shape == (5, 3, 4)


def test_loss_is_the_bernoulli_and_the_gaussian_of_scipy() -> None:
    g = seeded(4)
    logits = torch.randn(5, 1, 2, 3, generator=g, dtype=torch.float64)
    x = torch.bernoulli(torch.full_like(logits, 0.4), generator=g)
    mu, logvar = torch.randn(2, 5, 4, generator=g, dtype=torch.float64)
    loss, reconstruction, kl = vae.vae_loss(logits, x, mu, logvar, beta=0.5)
    nll = -stats.bernoulli(expit(logits.numpy())).logpmf(x.numpy()).sum() / 5
    assert float(reconstruction) == pytest.approx(nll)
    # KL as an expectation, by quadrature with enough nodes to be exact for a quadratic.
    nodes, weights = np.polynomial.hermite_e.hermegauss(9)
    std = np.exp(logvar.numpy() / 2)[..., None]
    z = mu.numpy()[..., None] + std * nodes
    ratio = stats.norm(mu.numpy()[..., None], std).logpdf(z) - stats.norm.logpdf(z)
    exact = (ratio * weights).sum() / weights.sum() / 5
    assert float(kl) == pytest.approx(exact)
    assert float(loss) == pytest.approx(nll + 0.5 * exact)


def test_loss_stays_finite_for_confident_logits_and_takes_bytes() -> None:
    logits = torch.tensor([[200.0, -200.0, 200.0]])
    zero = torch.zeros(1, 2)
    _, reconstruction, kl = vae.vae_loss(logits, torch.tensor([[1, 0, 0]]).byte(), zero, zero)
    assert float(reconstruction) == pytest.approx(200.0)
    assert float(kl) == 0


def test_reparameterize_has_the_right_law_and_gradients() -> None:
    mu = torch.tensor([1.0, -2.0], dtype=torch.float64).expand(20000, 2).clone().requires_grad_()
    logvar = torch.tensor([0.0, 2.0], dtype=torch.float64).expand(20000, 2).clone().requires_grad_()
    z = vae.reparameterize(mu, logvar, seeded(2))
    assert z.mean(0).tolist() == pytest.approx([1, -2], abs=0.1)
    assert z.var(0).tolist() == pytest.approx([1, np.e**2], rel=0.05)
    assert abs(float(torch.corrcoef(z.detach().T)[0, 1])) < 0.05
    z.sum().backward()
    assert torch.equal(mu.grad, torch.ones_like(mu))
    assert torch.allclose(logvar.grad, (z - mu).detach() / 2)


def test_step_is_one_update_of_the_loss() -> None:
    for mode in (True, False):
        model, twin = Planted(), Planted()
        model.train(mode), twin.train(mode)
        model.drop.eval(), twin.drop.eval()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for p in model.parameters():
            p.grad = torch.ones_like(p)
        got = vae.vae_step(model, images(), optimizer, seeded(5))
        mu, logvar = twin.encode(images())
        logits = twin.decode(vae.reparameterize(mu, logvar, seeded(5)))
        loss, reconstruction, kl = vae.vae_loss(logits, images(), mu, logvar)
        loss.backward()
        want = {"loss": loss.item(), "reconstruction": reconstruction.item(), "kl": kl.item()}
        assert got == want
        for p, q in zip(model.parameters(), twin.parameters(), strict=True):
            assert torch.allclose(p, q - 0.1 * q.grad)
        assert model.training is mode
        assert not model.drop.training


def test_reconstruction_error_measures_in_eval_mode_and_restores() -> None:
    model = Planted()
    model.norm.eval()
    x = images()
    error = lesson_05.reconstruction_error(model, x)
    assert (model.training, model.norm.training, model.drop.training) == (True, False, True)
    assert not error.requires_grad
    model.eval()
    mu, _ = model.encode(x)
    want = ((expit(model.decode(mu).detach().numpy()) - x.numpy()) ** 2).reshape(5, -1).mean(1)
    assert error.numpy() == pytest.approx(want)


def test_reconstruction_error_restores_modes_after_an_error() -> None:
    model = Planted()
    with pytest.raises(RuntimeError):
        lesson_05.reconstruction_error(model, torch.rand(2, 4))
    assert model.training
    assert model.drop.training


def test_integer_images_count_as_float32() -> None:
    model = Planted(dtype=torch.float32)
    x = torch.randint(0, 2, (5, 1, 2, 3), generator=seeded())
    assert lesson_05.reconstruction_error(model, x).dtype == torch.float32
    assert torch.equal(
        lesson_05.reconstruction_error(model, x), lesson_05.reconstruction_error(model, x.float())
    )


def test_log_weights_average_to_the_marginal_likelihood() -> None:
    """With two pixels and one latent, p(x) is an integral that quadrature does."""
    model = vae.VAE(1, 4, shape=(2,)).double()
    x = torch.tensor([[0, 1], [1, 1], [0, 0]], dtype=torch.float64)
    assert vae.log_weights(model, x, 5, seeded(1)).shape == (5, 3)
    copies = x.repeat(5000, 1)  # 4 draws for each of 5,000 copies: 20,000 draws for each image
    log_w = vae.log_weights(model, copies, 4, seeded(1)).reshape(20_000, 3)
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    p = model.decode(torch.tensor(nodes)[:, None]).sigmoid().detach().numpy()
    likelihood = np.stack([np.where(row == 1, p, 1 - p).prod(1) for row in x.numpy()])
    exact = np.log((likelihood * weights).sum(1) / weights.sum())
    assert lesson_05.iwae_bound(log_w).numpy() == pytest.approx(exact, abs=0.02)
    # One draw's mean is the ELBO: below, by KL(q || posterior).
    mu, logvar = model.encode(copies)
    logits = model.decode(vae.reparameterize(mu, logvar, seeded(9)))
    loss, *_ = vae.vae_loss(logits, copies, mu, logvar)
    assert float(log_w.mean()) == pytest.approx(-float(loss.detach()), abs=0.05)


def test_iwae_bound_is_stable_and_grows_with_k() -> None:
    log_w = torch.randn(64, 7, generator=seeded(), dtype=torch.float64) * 3 - 1000
    want = np.log(np.exp(log_w.numpy() + 1000).mean(0)) - 1000
    assert lesson_05.iwae_bound(log_w).numpy() == pytest.approx(want)
    assert torch.equal(lesson_05.iwae_bound(log_w[:1]), log_w[0])
    means = [float(lesson_05.iwae_bound(log_w.reshape(k, -1)).mean()) for k in (1, 2, 8, 64)]
    assert means == sorted(means)


def test_active_units_counts_what_varies_over_the_data() -> None:
    mu = torch.randn(400, 4, generator=seeded()) * torch.tensor([1.0, 0.01, 0.3, 0.0])
    mu += torch.tensor([5.0, 5.0, 0.0, -7.0])  # a mean far from 0 is not activity
    assert lesson_05.active_units(mu) == 2
    assert lesson_05.active_units(mu, threshold=0.5) == 1


def test_a_module_without_encode_gets_a_sentence() -> None:
    with pytest.raises(TypeError, match=r"Linear is not a VAE: give a module with encode"):
        lesson_05.reconstruction_error(nn.Linear(2, 2), torch.rand(1, 2))

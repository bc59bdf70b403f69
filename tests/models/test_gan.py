"""The GAN's step, average and interpolation against closed forms and a step told by hand."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch
from scipy.special import expit
from torch import nn

from gqlib.models import gan


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def random_normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=seeded(seed), dtype=torch.float64)


class Line(nn.Module):
    """A generator z -> a·z + b and, with its other face, a critic x -> a·x + b; float64."""

    def __init__(self, a: float, b: float) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.tensor(a, dtype=torch.float64))
        self.b = nn.Parameter(torch.tensor(b, dtype=torch.float64))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (self.a * x + self.b).squeeze(1)


class Planted(nn.Module):
    """Layers of every kind that has a mode or statistics, and a frozen parameter."""

    def __init__(self, n_in: int, n_out: int, seed: int) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.first = nn.Linear(n_in, 5, dtype=torch.float64)
            self.norm = nn.BatchNorm1d(5, dtype=torch.float64)
            self.drop = nn.Dropout(0.5)
            self.last = nn.Linear(5, n_out, dtype=torch.float64)
        self.frozen = nn.Parameter(torch.zeros(n_out, dtype=torch.float64), requires_grad=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.drop(self.norm(self.first(x)).relu())) + self.frozen


def sgd(*models: nn.Module, lr: float = 0.1) -> list[torch.optim.Optimizer]:
    return [torch.optim.SGD(model.parameters(), lr=lr) for model in models]


def parameters(model: nn.Module) -> list[torch.Tensor]:
    return [p.detach().clone() for p in model.parameters()]


def same(one: list[torch.Tensor], two: list[torch.Tensor]) -> bool:
    return all(torch.equal(p, q) for p, q in zip(one, two, strict=True))


# the networks


@pytest.mark.parametrize(("latents", "width"), [(64, 32), (3, 8)])
def test_generator_makes_images(latents: int, width: int) -> None:
    G = gan.Generator(latents, width, 16)
    z = torch.randn(6, latents, generator=seeded()) * 30
    images = G(z)
    assert images.shape == (6, 1, 28, 28)
    assert bool(((images >= 0) & (images <= 1)).all())
    images.sum().backward()
    assert all(p.grad is not None and bool(p.grad.isfinite().all()) for p in G.parameters())
    assert G.eval()(z[:1]).shape == (1, 1, 28, 28)


def test_samples_depend_on_the_generator_alone() -> None:
    G = gan.Generator(5, 8).eval()
    state = torch.get_rng_state()
    one, two, three = G.sample(4, seeded(1)), G.sample(4, seeded(1)), G.sample(4, seeded(2))
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(one, two)
    assert not torch.equal(one, three)
    assert one.shape == (4, 1, 28, 28)
    assert not one.requires_grad
    assert not G.training
    assert torch.equal(one, G(torch.randn(4, 5, generator=seeded(1))))


def test_discriminator_judges_each_image_for_itself() -> None:
    D = gan.Discriminator(8, 16)
    x = torch.rand(5, 1, 28, 28, generator=seeded(), requires_grad=True)
    logits = D(x)
    assert logits.shape == (5,)
    logits.square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in D.parameters())
    assert bool((x.grad.flatten(1).abs().sum(1) > 0).all())
    D.eval()
    alone = torch.cat([D(image[None]) for image in x])
    assert D(x[:1]).shape == (1,)
    assert torch.allclose(alone, D(x), atol=1e-5)


def test_digits_train_and_the_losses_are_finite() -> None:
    G, D = gan.Generator(5, 8, 16), gan.Discriminator(8, 16)
    opt_G, opt_D = sgd(G, D)
    before = parameters(G), parameters(D)
    values = gan.gan_step(torch.rand(8, 1, 28, 28), G, D, opt_G, opt_D, 5, seeded())
    assert set(values) == {"d_loss", "g_loss"}
    assert all(math.isfinite(value) for value in values.values())
    assert not same(before[0], parameters(G))
    assert not same(before[1], parameters(D))


# packing


def test_pack_joins_neighbours_along_the_channels() -> None:
    x = torch.arange(24.0).reshape(6, 2, 2)
    packed = gan.Pack(3)(x)
    assert packed.shape == (2, 6, 2)
    assert torch.equal(packed[1], torch.cat([x[3], x[4], x[5]]))
    assert torch.equal(gan.Pack(1)(x), x)
    assert gan.Pack(2)(torch.zeros(4, 2)).shape == (2, 4)


def test_pack_needs_full_packs() -> None:
    with pytest.raises(ValueError, match="5 samples don't fill packs of 2"):
        gan.Pack(2)(torch.zeros(5, 2))
    with pytest.raises(ValueError, match="size is 0, expected at least 1"):
        gan.Pack(0)


def test_a_packed_discriminator_trains_by_the_same_step() -> None:
    G, D = Planted(3, 2, 1), nn.Sequential(gan.Pack(2), Planted(4, 1, 2))
    opt_G, opt_D = sgd(G, D)
    before = parameters(D)
    gan.gan_step(random_normal(6, 2), G, D, opt_G, opt_D, 3, seeded())
    assert not same(before, parameters(D))


# gan_step


def test_step_is_two_updates_told_by_hand() -> None:
    """G(z) = a·z + b and D(x) = c·x + d: every derivative is a mean that NumPy takes."""
    a, b, c, d, lr = 0.7, -0.4, 1.3, 0.2, 0.1
    real = random_normal(9, 1, seed=1) + 2
    z = random_normal(9, 1, seed=5).numpy()[:, 0]
    G, D = Line(a, b), Line(c, d)
    # Line drops an axis; the generator's images keep theirs.
    images = nn.Sequential(G, nn.Unflatten(0, (9, 1)))
    got = gan.gan_step(real, images, D, *sgd(images, D, lr=lr), 1, seeded(5))

    x, y = real.numpy()[:, 0], a * z + b
    on_real, on_fake = expit(c * x + d), expit(c * y + d)
    assert got["d_loss"] == pytest.approx(-np.log(on_real).mean() - np.log(1 - on_fake).mean())
    c -= lr * ((on_real - 1) * x + on_fake * y).mean()
    d -= lr * (on_real - 1 + on_fake).mean()
    assert [D.a.item(), D.b.item()] == pytest.approx([c, d])

    on_fake = expit(c * y + d)  # the updated D
    assert got["g_loss"] == pytest.approx(-np.log(on_fake).mean())
    a -= lr * ((on_fake - 1) * c * z).mean()
    b -= lr * ((on_fake - 1) * c).mean()
    assert [G.a.item(), G.b.item()] == pytest.approx([a, b])


@pytest.mark.parametrize("still", ["G", "D"])
def test_an_update_leaves_the_other_network_alone(still: str) -> None:
    nets = {"G": Planted(3, 2, 1), "D": Planted(2, 1, 2)}
    rates = {name: 0.0 if name == still else 0.5 for name in nets}
    (opt_G,), (opt_D,) = (sgd(net, lr=rates[name]) for name, net in nets.items())
    before = {name: parameters(net) for name, net in nets.items()}
    gan.gan_step(random_normal(7, 2), nets["G"], nets["D"], opt_G, opt_D, 3, seeded())
    moved = {name for name, net in nets.items() if not same(before[name], parameters(net))}
    assert moved == {"G", "D"} - {still}


@pytest.mark.parametrize("stale", [1.0, 1e6, math.nan])
def test_gradients_from_before_change_nothing(stale: float) -> None:
    ends = []
    for left in (None, stale):
        G, D = Planted(3, 2, 1), Planted(2, 1, 2)
        G.drop.eval(), D.drop.eval()
        opt_G, opt_D = sgd(G, D)
        for p in [*G.parameters(), *D.parameters()]:
            if p.requires_grad:
                p.grad = None if left is None else torch.full_like(p, left)
        for _ in range(2):
            values = gan.gan_step(random_normal(7, 2), G, D, opt_G, opt_D, 3, seeded(4))
        ends.append((values, parameters(G) + parameters(D)))
    assert ends[0][0] == ends[1][0]
    assert same(ends[0][1], ends[1][1])


@pytest.mark.parametrize(("g_mode", "d_mode"), [(True, False), (False, True)])
def test_modes_stay(g_mode: bool, d_mode: bool) -> None:
    G, D = Planted(3, 2, 1).train(g_mode), Planted(2, 1, 2).train(d_mode)
    G.norm.train(not g_mode)
    seen = G.norm.num_batches_tracked.item()
    gan.gan_step(random_normal(7, 2), G, D, *sgd(G, D), 3, seeded())
    assert (G.training, G.norm.training) == (g_mode, not g_mode)
    assert all(module.training is d_mode for module in D.modules())
    # And the modes they came in are those they were used in.
    assert (G.norm.num_batches_tracked.item() > seen) is (not g_mode)


def test_real_and_fake_pass_separately() -> None:
    sizes = []
    G, D = Planted(3, 2, 1), Planted(2, 1, 2)
    D.register_forward_pre_hook(lambda module, inputs: sizes.append(len(inputs[0])))
    gan.gan_step(random_normal(7, 2), G, D, *sgd(G, D), 3, seeded())
    assert sizes == [7, 7, 7]


def test_noise_comes_from_the_generator() -> None:
    seen: list[torch.Tensor] = []
    G, D = Planted(3, 2, 1), Planted(2, 1, 2)
    G.drop.eval(), D.drop.eval()
    G.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].clone()))
    opt_G, opt_D = sgd(G, D)
    state = torch.get_rng_state()
    for seed in (1, 1, 2):
        gan.gan_step(random_normal(2000, 2), G, D, opt_G, opt_D, 3, seeded(seed))
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(seen[0], seen[1])
    assert not torch.equal(seen[0], seen[2])
    assert seen[0].shape == (2000, 3)
    assert seen[0].dtype == torch.float64
    assert seen[0].mean(0).numpy() == pytest.approx(np.zeros(3), abs=0.1)
    assert np.cov(seen[0].numpy().T) == pytest.approx(np.eye(3), abs=0.12)


def test_frozen_parameters_are_no_trouble() -> None:
    G, D = Planted(3, 2, 1), Planted(2, 1, 2)
    gan.gan_step(random_normal(7, 2), G, D, *sgd(G, D), 3, seeded())
    assert bool((G.frozen == 0).all())
    assert bool((D.frozen == 0).all())


# update_ema


def test_average_is_the_geometric_sum() -> None:
    model, decay = nn.Linear(2, 3, dtype=torch.float64), 0.8
    ema = copy.deepcopy(model)
    path = [parameters(model)]
    for step in range(1, 6):
        with torch.no_grad():
            for p in model.parameters():
                p += random_normal(*p.shape, seed=step)
        path.append(parameters(model))
        gan.update_ema(ema, model, decay)
    weights = [decay**5] + [(1 - decay) * decay ** (5 - step) for step in range(1, 6)]
    assert sum(weights) == pytest.approx(1)
    for i, p in enumerate(ema.parameters()):
        want = sum(w * state[i] for w, state in zip(weights, path, strict=True))
        assert torch.allclose(p, want, rtol=1e-12)
    assert same(path[-1], parameters(model))


def test_buffers_are_copied_and_not_shared() -> None:
    model = nn.BatchNorm1d(4)
    ema = copy.deepcopy(model)
    model(torch.randn(6, 4, generator=seeded()) + 3)
    gan.update_ema(ema, model, 0.9)
    assert torch.equal(ema.running_mean, model.running_mean)
    assert int(ema.num_batches_tracked) == 1
    kept = ema.running_mean.clone()
    model(torch.randn(6, 4, generator=seeded(1)) + 3)
    assert torch.equal(ema.running_mean, kept)


@pytest.mark.parametrize(("decay", "which"), [(0.0, "model"), (1.0, "ema")])
def test_extreme_decays(decay: float, which: str) -> None:
    nets = {"model": nn.Linear(2, 3), "ema": nn.Linear(2, 3)}
    want = parameters(nets[which])
    gan.update_ema(nets["ema"], nets["model"], decay)
    assert same(want, parameters(nets["ema"]))
    assert all(p.requires_grad and p.grad is None for p in nets["ema"].parameters())


@pytest.mark.parametrize("decay", [-0.1, 1.1, math.nan])
def test_bad_decay(decay: float) -> None:
    with pytest.raises(ValueError, match="expected a number from 0 to 1"):
        gan.update_ema(nn.Linear(2, 3), nn.Linear(2, 3), decay)


@pytest.mark.parametrize("other", [nn.Linear(2, 4), nn.Linear(2, 3, bias=False)])
def test_average_of_something_else(other: nn.Module) -> None:
    with pytest.raises(ValueError, match=r"the average is not a copy of the model .*deepcopy"):
        gan.update_ema(other, nn.Linear(2, 3), 0.9)

"""Wrong and right answers to the exercises of lesson 07."""

import copy

import numpy as np
import scipy.special
import scipy.stats
import torch
import torch.nn.functional as F
from torch import nn

from tests.notebooks.answer import mutant, probe, variant

# gan_step


@mutant("adds a factor of one half to D's loss", breaks="test_gan_step_values")
def gan_step(real, G, D, opt_G, opt_D, latent_dim, generator):
    fake = G(torch.randn(len(real), latent_dim, generator=generator))
    d_loss = (F.softplus(-D(real)).mean() + F.softplus(D(fake.detach())).mean()) / 2
    opt_D.zero_grad()
    d_loss.backward()
    opt_D.step()
    g_loss = F.softplus(-D(fake)).mean()
    opt_G.zero_grad()
    g_loss.backward()
    opt_G.step()
    return {"d_loss": d_loss.item(), "g_loss": g_loss.item()}


@mutant("sums over the batch", breaks=("test_gan_step_values", "test_gan_step_discriminator"))
def gan_step(real, G, D, opt_G, opt_D, latent_dim, generator):
    fake = G(torch.randn(len(real), latent_dim, generator=generator))
    d_loss = F.softplus(-D(real)).sum() + F.softplus(D(fake.detach())).sum()
    opt_D.zero_grad()
    d_loss.backward()
    opt_D.step()
    g_loss = F.softplus(-D(fake)).sum()
    opt_G.zero_grad()
    g_loss.backward()
    opt_G.step()
    return {"d_loss": d_loss.item(), "g_loss": g_loss.item()}


@mutant(
    "swaps the labels of real and fake",
    breaks=("test_gan_step_values", "test_gan_step_discriminator"),
)
def gan_step(real, G, D, opt_G, opt_D, latent_dim, generator):
    fake = G(torch.randn(len(real), latent_dim, generator=generator))
    d_loss = F.softplus(D(real)).mean() + F.softplus(-D(fake.detach())).mean()
    opt_D.zero_grad()
    d_loss.backward()
    opt_D.step()
    g_loss = F.softplus(-D(fake)).mean()
    opt_G.zero_grad()
    g_loss.backward()
    opt_G.step()
    return {"d_loss": d_loss.item(), "g_loss": g_loss.item()}


@mutant("reports the losses after the updates", breaks="test_gan_step_values")
def gan_step(real, G, D, opt_G, opt_D, latent_dim, generator):
    z = torch.randn(len(real), latent_dim, generator=generator)
    fake = G(z)
    d_loss = F.softplus(-D(real)).mean() + F.softplus(D(fake.detach())).mean()
    opt_D.zero_grad()
    d_loss.backward()
    opt_D.step()
    g_loss = F.softplus(-D(fake)).mean()
    opt_G.zero_grad()
    g_loss.backward()
    opt_G.step()
    with torch.no_grad():
        fake = G(z)
        d_loss = F.softplus(-D(real)).mean() + F.softplus(D(fake)).mean()
        g_loss = F.softplus(-D(fake)).mean()
    return {"d_loss": d_loss.item(), "g_loss": g_loss.item()}


@mutant("keeps D's old gradients", breaks="test_gan_step_discriminator")
def gan_step(real, G, D, opt_G, opt_D, latent_dim, generator):
    fake = G(torch.randn(len(real), latent_dim, generator=generator))
    d_loss = F.softplus(-D(real)).mean() + F.softplus(D(fake.detach())).mean()
    d_loss.backward()
    opt_D.step()
    g_loss = F.softplus(-D(fake)).mean()
    opt_G.zero_grad()
    g_loss.backward()
    opt_G.step()
    return {"d_loss": d_loss.item(), "g_loss": g_loss.item()}


@mutant(
    "clears gradients only after each update",
    breaks=("test_gan_step_discriminator", "test_gan_step_generator"),
)
def gan_step(real, G, D, opt_G, opt_D, latent_dim, generator):
    fake = G(torch.randn(len(real), latent_dim, generator=generator))
    d_loss = F.softplus(-D(real)).mean() + F.softplus(D(fake.detach())).mean()
    d_loss.backward()
    opt_D.step()
    opt_D.zero_grad()
    g_loss = F.softplus(-D(fake)).mean()
    g_loss.backward()
    opt_G.step()
    opt_G.zero_grad()
    return {"d_loss": d_loss.item(), "g_loss": g_loss.item()}


@mutant("steps D again with the gradient of G's loss", breaks="test_gan_step_discriminator")
def gan_step(real, G, D, opt_G, opt_D, latent_dim, generator):
    fake = G(torch.randn(len(real), latent_dim, generator=generator))
    d_loss = F.softplus(-D(real)).mean() + F.softplus(D(fake.detach())).mean()
    opt_D.zero_grad()
    d_loss.backward()
    opt_D.step()
    opt_D.zero_grad()
    opt_G.zero_grad()
    g_loss = F.softplus(-D(fake)).mean()
    g_loss.backward()
    opt_G.step()
    opt_D.step()
    return {"d_loss": d_loss.item(), "g_loss": g_loss.item()}


@mutant("updates G first", breaks="test_gan_step_discriminator")
def gan_step(real, G, D, opt_G, opt_D, latent_dim, generator):
    z = torch.randn(len(real), latent_dim, generator=generator)
    g_loss = F.softplus(-D(G(z))).mean()
    opt_G.zero_grad()
    g_loss.backward()
    opt_G.step()
    d_loss = F.softplus(-D(real)).mean() + F.softplus(D(G(z).detach())).mean()
    opt_D.zero_grad()
    d_loss.backward()
    opt_D.step()
    return {"d_loss": d_loss.item(), "g_loss": g_loss.item()}


@mutant("leaves D frozen", breaks="test_gan_step_discriminator")
def gan_step(real, G, D, opt_G, opt_D, latent_dim, generator):
    fake = G(torch.randn(len(real), latent_dim, generator=generator))
    d_loss = F.softplus(-D(real)).mean() + F.softplus(D(fake.detach())).mean()
    opt_D.zero_grad()
    d_loss.backward()
    opt_D.step()
    D.requires_grad_(False)
    g_loss = F.softplus(-D(fake)).mean()
    opt_G.zero_grad()
    g_loss.backward()
    opt_G.step()
    return {"d_loss": d_loss.item(), "g_loss": g_loss.item()}


@mutant("lets D's loss send its gradient into G", breaks="test_gan_step_generator")
def gan_step(real, G, D, opt_G, opt_D, latent_dim, generator):
    opt_D.zero_grad()
    opt_G.zero_grad()
    z = torch.randn(len(real), latent_dim, generator=generator)
    d_loss = F.softplus(-D(real)).mean() + F.softplus(D(G(z))).mean()
    d_loss.backward()
    opt_D.step()
    g_loss = F.softplus(-D(G(z))).mean()
    g_loss.backward()
    opt_G.step()
    return {"d_loss": d_loss.item(), "g_loss": g_loss.item()}


@mutant("keeps G's old gradients", breaks="test_gan_step_generator")
def gan_step(real, G, D, opt_G, opt_D, latent_dim, generator):
    fake = G(torch.randn(len(real), latent_dim, generator=generator))
    d_loss = F.softplus(-D(real)).mean() + F.softplus(D(fake.detach())).mean()
    opt_D.zero_grad()
    d_loss.backward()
    opt_D.step()
    g_loss = F.softplus(-D(fake)).mean()
    g_loss.backward()
    opt_G.step()
    return {"d_loss": d_loss.item(), "g_loss": g_loss.item()}


@mutant(
    "uses the saturating loss for G", breaks=("test_gan_step_values", "test_gan_step_generator")
)
def gan_step(real, G, D, opt_G, opt_D, latent_dim, generator):
    fake = G(torch.randn(len(real), latent_dim, generator=generator))
    d_loss = F.softplus(-D(real)).mean() + F.softplus(D(fake.detach())).mean()
    opt_D.zero_grad()
    d_loss.backward()
    opt_D.step()
    g_loss = -F.softplus(D(fake)).mean()
    opt_G.zero_grad()
    g_loss.backward()
    opt_G.step()
    return {"d_loss": d_loss.item(), "g_loss": g_loss.item()}


@mutant("G wants to be found out", breaks=("test_gan_step_values", "test_gan_step_generator"))
def gan_step(real, G, D, opt_G, opt_D, latent_dim, generator):
    fake = G(torch.randn(len(real), latent_dim, generator=generator))
    d_loss = F.softplus(-D(real)).mean() + F.softplus(D(fake.detach())).mean()
    opt_D.zero_grad()
    d_loss.backward()
    opt_D.step()
    g_loss = F.softplus(D(fake)).mean()
    opt_G.zero_grad()
    g_loss.backward()
    opt_G.step()
    return {"d_loss": d_loss.item(), "g_loss": g_loss.item()}


@mutant(
    "judges G by the D of before its update",
    breaks=("test_gan_step_values", "test_gan_step_generator"),
)
def gan_step(real, G, D, opt_G, opt_D, latent_dim, generator):
    fake = G(torch.randn(len(real), latent_dim, generator=generator))
    d_loss = F.softplus(-D(real)).mean() + F.softplus(D(fake.detach())).mean()
    g_loss = F.softplus(-copy.deepcopy(D)(fake)).mean()
    opt_D.zero_grad()
    d_loss.backward()
    opt_D.step()
    opt_G.zero_grad()
    g_loss.backward()
    opt_G.step()
    return {"d_loss": d_loss.item(), "g_loss": g_loss.item()}


@mutant("detaches the fakes in G's loss too", breaks="test_gan_step_generator")
def gan_step(real, G, D, opt_G, opt_D, latent_dim, generator):
    fake = G(torch.randn(len(real), latent_dim, generator=generator)).detach()
    d_loss = F.softplus(-D(real)).mean() + F.softplus(D(fake)).mean()
    opt_D.zero_grad()
    d_loss.backward()
    opt_D.step()
    g_loss = F.softplus(-D(fake)).mean()
    opt_G.zero_grad()
    g_loss.backward()
    opt_G.step()
    return {"d_loss": d_loss.item(), "g_loss": g_loss.item()}


@mutant("steps G twice", breaks="test_gan_step_generator")
def gan_step(real, G, D, opt_G, opt_D, latent_dim, generator):
    fake = G(torch.randn(len(real), latent_dim, generator=generator))
    d_loss = F.softplus(-D(real)).mean() + F.softplus(D(fake.detach())).mean()
    opt_D.zero_grad()
    d_loss.backward()
    opt_D.step()
    g_loss = F.softplus(-D(fake)).mean()
    opt_G.zero_grad()
    g_loss.backward()
    opt_G.step()
    opt_G.step()
    return {"d_loss": d_loss.item(), "g_loss": g_loss.item()}


@mutant("draws uniform noise", breaks="test_gan_step_noise")
def gan_step(real, G, D, opt_G, opt_D, latent_dim, generator):
    fake = G(2 * torch.rand(len(real), latent_dim, generator=generator) - 1)
    d_loss = F.softplus(-D(real)).mean() + F.softplus(D(fake.detach())).mean()
    opt_D.zero_grad()
    d_loss.backward()
    opt_D.step()
    g_loss = F.softplus(-D(fake)).mean()
    opt_G.zero_grad()
    g_loss.backward()
    opt_G.step()
    return {"d_loss": d_loss.item(), "g_loss": g_loss.item()}


@mutant("one noise for the whole batch", breaks="test_gan_step_noise")
def gan_step(real, G, D, opt_G, opt_D, latent_dim, generator):
    fake = G(torch.randn(1, latent_dim, generator=generator).repeat(len(real), 1))
    d_loss = F.softplus(-D(real)).mean() + F.softplus(D(fake.detach())).mean()
    opt_D.zero_grad()
    d_loss.backward()
    opt_D.step()
    g_loss = F.softplus(-D(fake)).mean()
    opt_G.zero_grad()
    g_loss.backward()
    opt_G.step()
    return {"d_loss": d_loss.item(), "g_loss": g_loss.item()}


@mutant("the same noise in every step", breaks="test_gan_step_noise")
def gan_step(real, G, D, opt_G, opt_D, latent_dim, generator):
    own = torch.Generator().manual_seed(0)
    fake = G(torch.randn(len(real), latent_dim, generator=own))
    d_loss = F.softplus(-D(real)).mean() + F.softplus(D(fake.detach())).mean()
    opt_D.zero_grad()
    d_loss.backward()
    opt_D.step()
    g_loss = F.softplus(-D(fake)).mean()
    opt_G.zero_grad()
    g_loss.backward()
    opt_G.step()
    return {"d_loss": d_loss.item(), "g_loss": g_loss.item()}


@mutant("always makes 64 fakes", breaks="test_gan_step_noise")
def gan_step(real, G, D, opt_G, opt_D, latent_dim, generator):
    fake = G(torch.randn(64, latent_dim, generator=generator))
    d_loss = F.softplus(-D(real)).mean() + F.softplus(D(fake.detach())).mean()
    opt_D.zero_grad()
    d_loss.backward()
    opt_D.step()
    g_loss = F.softplus(-D(fake)).mean()
    opt_G.zero_grad()
    g_loss.backward()
    opt_G.step()
    return {"d_loss": d_loss.item(), "g_loss": g_loss.item()}


@mutant("real and fake pass D as one batch", breaks="test_gan_step_modes")
def gan_step(real, G, D, opt_G, opt_D, latent_dim, generator):
    fake = G(torch.randn(len(real), latent_dim, generator=generator))
    logits = D(torch.cat([real, fake.detach().to(real.dtype)]))
    d_loss = F.softplus(-logits[: len(real)]).mean() + F.softplus(logits[len(real) :]).mean()
    opt_D.zero_grad()
    d_loss.backward()
    opt_D.step()
    g_loss = F.softplus(-D(fake)).mean()
    opt_G.zero_grad()
    g_loss.backward()
    opt_G.step()
    return {"d_loss": d_loss.item(), "g_loss": g_loss.item()}


@mutant("switches both networks to training mode", breaks="test_gan_step_modes")
def gan_step(real, G, D, opt_G, opt_D, latent_dim, generator):
    G.train()
    D.train()
    fake = G(torch.randn(len(real), latent_dim, generator=generator))
    d_loss = F.softplus(-D(real)).mean() + F.softplus(D(fake.detach())).mean()
    opt_D.zero_grad()
    d_loss.backward()
    opt_D.step()
    g_loss = F.softplus(-D(fake)).mean()
    opt_G.zero_grad()
    g_loss.backward()
    opt_G.step()
    return {"d_loss": d_loss.item(), "g_loss": g_loss.item()}


@mutant("D is in eval mode while G learns, and then in training mode", breaks="test_gan_step_modes")
def gan_step(real, G, D, opt_G, opt_D, latent_dim, generator):
    fake = G(torch.randn(len(real), latent_dim, generator=generator))
    d_loss = F.softplus(-D(real)).mean() + F.softplus(D(fake.detach())).mean()
    opt_D.zero_grad()
    d_loss.backward()
    opt_D.step()
    D.eval()
    g_loss = F.softplus(-D(fake)).mean()
    D.train()
    opt_G.zero_grad()
    g_loss.backward()
    opt_G.step()
    return {"d_loss": d_loss.item(), "g_loss": g_loss.item()}


@variant("cross-entropy with targets of ones and zeros, and two draws of noise")
def gan_step(real, G, D, opt_G, opt_D, latent_dim, generator):
    cost = F.binary_cross_entropy_with_logits
    with torch.no_grad():
        fake = G(torch.randn(len(real), latent_dim, generator=generator))
    on_real, on_fake = D(real), D(fake)
    d_loss = cost(on_real, torch.ones_like(on_real)) + cost(on_fake, torch.zeros_like(on_fake))
    opt_D.zero_grad()
    d_loss.backward()
    opt_D.step()
    logits = D(G(torch.randn(len(real), latent_dim, generator=generator)))
    g_loss = cost(logits, torch.ones_like(logits))
    opt_G.zero_grad()
    g_loss.backward()
    opt_G.step()
    return {"d_loss": d_loss.item(), "g_loss": g_loss.item()}


@variant("without detach, but G is cleared before its own turn")
def gan_step(real, G, D, opt_G, opt_D, latent_dim, generator):
    z = torch.randn(len(real), latent_dim, generator=generator, dtype=torch.float64)
    z = z.to(real.dtype)
    d_loss = -F.logsigmoid(D(real)).mean() - F.logsigmoid(-D(G(z))).mean()
    opt_D.zero_grad()
    d_loss.backward()
    opt_D.step()
    g_loss = -F.logsigmoid(D(G(z))).mean()
    opt_G.zero_grad()
    g_loss.backward()
    opt_G.step()
    return {"d_loss": d_loss.detach(), "g_loss": g_loss.detach(), "step": 1.0}


@variant("gradients asked for by name, and D's parameters frozen while G learns")
def gan_step(real, G, D, opt_G, opt_D, latent_dim, generator):
    fake = G(torch.randn(len(real), latent_dim, generator=generator))
    judge, maker = list(D.parameters()), list(G.parameters())
    d_loss = torch.logaddexp(torch.zeros_like(D(real)[:1]), -D(real)).mean()
    d_loss = d_loss + torch.log1p(D(fake.detach()).exp()).mean()
    for p, gradient in zip(judge, torch.autograd.grad(d_loss, judge), strict=True):
        p.grad = gradient
    opt_D.step()
    for p in judge:
        p.requires_grad_(False)
    g_loss = F.softplus(-D(fake)).mean()
    for p, gradient in zip(maker, torch.autograd.grad(g_loss, maker), strict=True):
        p.grad = gradient
    opt_G.step()
    for p in judge:
        p.requires_grad_(True)
    return {"d_loss": float(d_loss.detach()), "g_loss": float(g_loss.detach())}


@variant("two backward passes for D, one for each half of its loss")
def gan_step(real, G, D, opt_G, opt_D, latent_dim, generator):
    shape = (len(real), latent_dim)
    noise = torch.randn(shape, generator=generator, dtype=real.dtype, device=real.device)
    fake = G(noise)
    opt_D.zero_grad()
    on_real = F.softplus(-D(real)).mean()
    on_real.backward()
    on_fake = F.softplus(D(fake.detach())).mean()
    on_fake.backward()
    opt_D.step()
    opt_G.zero_grad()
    g_loss = F.softplus(-D(fake)).mean()
    g_loss.backward()
    opt_G.step()
    return {"d_loss": on_real.item() + on_fake.item(), "g_loss": g_loss.item()}


@probe("gan_step")
def _(f):
    class Maker(nn.Module):
        def __init__(self):
            super().__init__()
            self.A = nn.Parameter(torch.tensor([[0.5, -1.0, 0.3], [1.2, 0.4, -0.7]]))
            self.norm = nn.BatchNorm1d(3)

        def forward(self, z):
            return self.norm(z @ self.A)

    class Judge(nn.Module):
        def __init__(self):
            super().__init__()
            self.w = nn.Parameter(torch.tensor([[0.8, -0.6], [0.1, 1.0], [-0.5, 0.2]]))
            self.norm = nn.BatchNorm1d(2)

        def forward(self, x):
            return self.norm(x @ self.w).pow(2).sum(1) - 1.5

    found = []
    for mode in (True, False):
        G, D = Maker().train(mode), Judge().train(mode)
        opt_G = torch.optim.SGD(G.parameters(), lr=0.3)
        opt_D = torch.optim.SGD(D.parameters(), lr=0.2)
        for p in [*G.parameters(), *D.parameters()]:
            p.grad = torch.full_like(p, 0.5)
        generator = torch.Generator().manual_seed(0)
        real = torch.randn(5, 3, generator=generator) + 1
        for _ in range(2):
            found.append(f(real, G, D, opt_G, opt_D, 2, generator))
        found += [p.detach() for p in [*G.parameters(), *D.parameters()]]
        found += [b.detach() for b in [*G.buffers(), *D.buffers()]]
        found += [m.training for net in (G, D) for m in net.modules()]
        found += [p.requires_grad for p in [*G.parameters(), *D.parameters()]]
    return found


# make_generator


@mutant("ends in tanh, from -1 to 1", breaks="test_make_generator_images")
def make_generator(latent_dim):
    return nn.Sequential(
        nn.Linear(latent_dim, 64), nn.ReLU(), nn.Linear(64, 784), nn.Tanh(),
        nn.Unflatten(1, (1, 28, 28)),
    )  # fmt: skip


@mutant("does not squash its output", breaks="test_make_generator_images")
def make_generator(latent_dim):
    return nn.Sequential(
        nn.Linear(latent_dim, 64), nn.ReLU(), nn.Linear(64, 784), nn.Unflatten(1, (1, 28, 28))
    )


@mutant("normalises after the sigmoid", breaks="test_make_generator_images")
def make_generator(latent_dim):
    return nn.Sequential(
        nn.Linear(latent_dim, 64), nn.ReLU(), nn.Linear(64, 784), nn.Sigmoid(),
        nn.Unflatten(1, (1, 28, 28)), nn.BatchNorm2d(1),
    )  # fmt: skip


@mutant("returns flat images", breaks="test_make_generator_images")
def make_generator(latent_dim):
    return nn.Sequential(nn.Linear(latent_dim, 64), nn.ReLU(), nn.Linear(64, 784), nn.Sigmoid())


@mutant("returns images without a channel", breaks="test_make_generator_images")
def make_generator(latent_dim):
    return nn.Sequential(
        nn.Linear(latent_dim, 64), nn.ReLU(), nn.Linear(64, 784), nn.Sigmoid(),
        nn.Unflatten(1, (28, 28)),
    )  # fmt: skip


@mutant("makes images of 32 × 32", breaks="test_make_generator_images")
def make_generator(latent_dim):
    return nn.Sequential(
        nn.Linear(latent_dim, 16 * 64), nn.ReLU(), nn.Unflatten(1, (16, 8, 8)),
        nn.ConvTranspose2d(16, 8, 4, 2, 1), nn.ReLU(), nn.ConvTranspose2d(8, 1, 4, 2, 1),
        nn.Sigmoid(),
    )  # fmt: skip


@mutant("always takes 64 latents", breaks="test_make_generator_images")
def make_generator(latent_dim):
    return nn.Sequential(nn.Linear(64, 784), nn.Sigmoid(), nn.Unflatten(1, (1, 28, 28)))


@mutant("reads the noise as a batch of maps", breaks="test_make_generator_images")
def make_generator(latent_dim):
    return nn.Sequential(
        nn.ConvTranspose2d(latent_dim, 8, 7), nn.ReLU(), nn.ConvTranspose2d(8, 4, 4, 2, 1),
        nn.ReLU(), nn.ConvTranspose2d(4, 1, 4, 2, 1), nn.Sigmoid(),
    )  # fmt: skip


@mutant("works without gradients", breaks="test_make_generator_trainable")
def make_generator(latent_dim):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(latent_dim, 784)

        @torch.no_grad()
        def forward(self, z):
            return self.layer(z).sigmoid().reshape(-1, 1, 28, 28)

    return Net()


@mutant("rounds to black and white", breaks="test_make_generator_trainable")
def make_generator(latent_dim):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(latent_dim, 784)

        def forward(self, z):
            return self.layer(z).sigmoid().round().reshape(-1, 1, 28, 28)

    return Net()


@mutant("keeps its layers in a plain list", breaks="test_make_generator_trainable")
def make_generator(latent_dim):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = [nn.Linear(latent_dim, 64), nn.ReLU(), nn.Linear(64, 784)]

        def forward(self, z):
            for layer in self.layers:
                z = layer(z)
            return z.sigmoid().reshape(-1, 1, 28, 28)

    return Net()


@mutant("is frozen", breaks="test_make_generator_trainable")
def make_generator(latent_dim):
    net = nn.Sequential(nn.Linear(latent_dim, 784), nn.Sigmoid(), nn.Unflatten(1, (1, 28, 28)))
    return net.requires_grad_(False)


@mutant("ignores the noise", breaks="test_make_generator_trainable")
def make_generator(latent_dim):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.image = nn.Parameter(torch.zeros(1, 28, 28))

        def forward(self, z):
            return self.image.sigmoid().expand(len(z), -1, -1, -1)

    return Net()


@variant("a perceptron, with tanh moved to [0, 1]")
def make_generator(latent_dim):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.hidden = nn.Linear(latent_dim, 256)
            self.out = nn.Linear(256, 784)

        def forward(self, z):
            return (self.out(F.leaky_relu(self.hidden(z), 0.2)).tanh() * 0.5 + 0.5).view(
                -1, 1, 28, 28
            )

    return Net()


@variant("nearest-neighbour upsampling and convolutions, without batch normalisation")
def make_generator(latent_dim):
    return nn.Sequential(
        nn.Linear(latent_dim, 32 * 49), nn.SiLU(), nn.Unflatten(1, (32, 7, 7)),
        nn.Upsample(scale_factor=2), nn.Conv2d(32, 16, 3, padding=1), nn.SiLU(),
        nn.Upsample(scale_factor=2), nn.Conv2d(16, 1, 3, padding=1), nn.Sigmoid(),
    )  # fmt: skip


@variant("the DCGAN way: a transposed convolution from 1 × 1, small first weights")
def make_generator(latent_dim):
    net = nn.Sequential(
        nn.Unflatten(1, (latent_dim, 1, 1)),
        nn.ConvTranspose2d(latent_dim, 64, 7, bias=False), nn.BatchNorm2d(64), nn.ReLU(),
        nn.ConvTranspose2d(64, 32, 4, 2, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU(),
        nn.ConvTranspose2d(32, 1, 4, 2, 1, bias=False), nn.Sigmoid(),
    )  # fmt: skip
    for module in net:
        if isinstance(module, nn.ConvTranspose2d):
            nn.init.normal_(module.weight, 0.0, 0.02)
    return net


@variant("with dropout, and a layer that grows from 14 × 14")
def make_generator(latent_dim):
    return nn.Sequential(
        nn.Linear(latent_dim, 8 * 196), nn.LayerNorm(8 * 196), nn.LeakyReLU(0.1),
        nn.Dropout(0.1), nn.Unflatten(1, (8, 14, 14)), nn.Conv2d(8, 4, 3, padding=1),
        nn.PixelShuffle(2), nn.Sigmoid(),
    )  # fmt: skip


@probe("make_generator")
def _(f):
    def tried(latent, scale):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            net = f(latent)
            if isinstance(net, str):
                return net
            z = scale * torch.randn(3, latent, requires_grad=True)
            try:
                images = net(z)
            except Exception as error:
                return [type(error).__name__, sum(p.numel() for p in net.parameters())]
            return [
                list(images.shape), images.sum(), images.min(), images.max(),
                images.requires_grad, sum(p.numel() for p in net.parameters()),
                [p.requires_grad for p in net.parameters()],
            ]  # fmt: skip

    return [tried(5, 1.0), tried(64, 30.0)]


# make_discriminator


@mutant("returns a column", breaks="test_make_discriminator_logits")
def make_discriminator():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 64), nn.LeakyReLU(0.2), nn.Linear(64, 1))


@mutant("squeezes one image's logit to a scalar", breaks="test_make_discriminator_logits")
def make_discriminator():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = nn.Sequential(
                nn.Flatten(), nn.Linear(784, 64), nn.LeakyReLU(0.2), nn.Linear(64, 1)
            )

        def forward(self, x):
            return self.net(x).squeeze()

    return Net()


@mutant("has two logits for each image", breaks="test_make_discriminator_logits")
def make_discriminator():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 64), nn.LeakyReLU(0.2), nn.Linear(64, 2))


@mutant("normalises by the batch in eval mode as well", breaks="test_make_discriminator_logits")
def make_discriminator():
    return nn.Sequential(
        nn.Conv2d(1, 8, 4, 2, 1), nn.BatchNorm2d(8, track_running_stats=False),
        nn.LeakyReLU(0.2), nn.Flatten(), nn.Linear(8 * 196, 1), nn.Flatten(0),
    )  # fmt: skip


@mutant("compares each image with the batch's mean", breaks="test_make_discriminator_logits")
def make_discriminator():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = nn.Sequential(
                nn.Flatten(), nn.Linear(784, 64), nn.LeakyReLU(0.2), nn.Linear(64, 1)
            )

        def forward(self, x):
            return self.net(x).flatten() + x.mean()

    return Net()


@mutant("forgets to flatten its map of logits", breaks="test_make_discriminator_logits")
def make_discriminator():
    return nn.Sequential(nn.Conv2d(1, 8, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(8, 1, 4, 2, 1))


@mutant("takes images of 28 × 28 only, one at a time", breaks="test_make_discriminator_logits")
def make_discriminator():
    return nn.Sequential(nn.Flatten(0), nn.Linear(784, 1))


@mutant("ends in a sigmoid", breaks="test_make_discriminator_trainable")
def make_discriminator():
    return nn.Sequential(
        nn.Flatten(), nn.Linear(784, 64), nn.LeakyReLU(0.2), nn.Linear(64, 1), nn.Sigmoid(),
        nn.Flatten(0),
    )  # fmt: skip


@mutant("ends in tanh", breaks="test_make_discriminator_trainable")
def make_discriminator():
    return nn.Sequential(
        nn.Flatten(), nn.Linear(784, 64), nn.LeakyReLU(0.2), nn.Linear(64, 1), nn.Tanh(),
        nn.Flatten(0),
    )  # fmt: skip


@mutant("ends in a softplus", breaks="test_make_discriminator_trainable")
def make_discriminator():
    return nn.Sequential(
        nn.Flatten(), nn.Linear(784, 64), nn.LeakyReLU(0.2), nn.Linear(64, 1), nn.Softplus(),
        nn.Flatten(0),
    )  # fmt: skip


@mutant("returns log D, which is never positive", breaks="test_make_discriminator_trainable")
def make_discriminator():
    return nn.Sequential(
        nn.Flatten(), nn.Linear(784, 64), nn.LeakyReLU(0.2), nn.Linear(64, 1), nn.LogSigmoid(),
        nn.Flatten(0),
    )  # fmt: skip


@mutant("works without gradients", breaks="test_make_discriminator_trainable")
def make_discriminator():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = nn.Sequential(
                nn.Flatten(), nn.Linear(784, 64), nn.LeakyReLU(0.2), nn.Linear(64, 1)
            )

        def forward(self, x):
            return self.net(x).flatten().detach()

    return Net()


@mutant("cuts its own gradient to the images", breaks="test_make_discriminator_trainable")
def make_discriminator():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = nn.Sequential(
                nn.Flatten(), nn.Linear(784, 64), nn.LeakyReLU(0.2), nn.Linear(64, 1)
            )

        def forward(self, x):
            return self.net(x.detach()).flatten()

    return Net()


@mutant("is frozen", breaks="test_make_discriminator_trainable")
def make_discriminator():
    net = nn.Sequential(nn.Flatten(), nn.Linear(784, 1), nn.Flatten(0))
    return net.requires_grad_(False)


@variant("a perceptron")
def make_discriminator():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.hidden, self.out = nn.Linear(784, 200), nn.Linear(200, 1)

        def forward(self, x):
            return self.out(F.leaky_relu(self.hidden(x.flatten(1)), 0.2)).squeeze(1)

    return Net()


@variant("the DCGAN way: convolutions and batch normalisation, small first weights")
def make_discriminator():
    net = nn.Sequential(
        nn.Conv2d(1, 16, 4, 2, 1), nn.LeakyReLU(0.2),
        nn.Conv2d(16, 32, 4, 2, 1, bias=False), nn.BatchNorm2d(32), nn.LeakyReLU(0.2),
        nn.Conv2d(32, 1, 7, bias=False), nn.Flatten(0),
    )  # fmt: skip
    for module in net:
        if isinstance(module, nn.Conv2d):
            nn.init.normal_(module.weight, 0.0, 0.02)
    return net


@variant("with dropout and an average over the map")
def make_discriminator():
    return nn.Sequential(
        nn.Conv2d(1, 32, 3, 2, 1), nn.SiLU(), nn.Dropout2d(0.3),
        nn.Conv2d(32, 64, 3, 2, 1), nn.SiLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(64, 1), nn.Flatten(0),
    )  # fmt: skip


@variant("spectral normalisation of every layer")
def make_discriminator():
    norm = nn.utils.parametrizations.spectral_norm
    return nn.Sequential(
        norm(nn.Conv2d(1, 16, 4, 2, 1)), nn.LeakyReLU(0.2),
        norm(nn.Conv2d(16, 32, 4, 2, 1)), nn.LeakyReLU(0.2),
        nn.Flatten(), norm(nn.Linear(32 * 49, 1)), nn.Flatten(0),
    )  # fmt: skip


@probe("make_discriminator")
def _(f):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = f()
        if isinstance(net, str):
            return [net]
        net.eval()
        found = [sum(p.numel() for p in net.parameters() if p.requires_grad)]
        for count in (1, 4):
            images = torch.rand(count, 1, 28, 28, requires_grad=True)
            try:
                logits = net(images)
            except Exception as error:
                found.append(type(error).__name__)
                continue
            gradient = None
            if logits.requires_grad:
                (gradient,) = torch.autograd.grad(logits.sum(), images, allow_unused=True)
            found += [logits, logits.requires_grad, None if gradient is None else gradient.sum()]
    return found


# update_ema


@mutant("swaps the weights of old and new", breaks="test_update_ema_parameters")
def update_ema(ema, model, decay):
    with torch.no_grad():
        for mine, new in zip(ema.parameters(), model.parameters(), strict=True):
            mine.mul_(1 - decay).add_(new, alpha=decay)
        for mine, new in zip(ema.buffers(), model.buffers(), strict=True):
            mine.copy_(new)


@mutant("forgets to shrink the old value", breaks="test_update_ema_parameters")
def update_ema(ema, model, decay):
    with torch.no_grad():
        for mine, new in zip(ema.parameters(), model.parameters(), strict=True):
            mine.add_(new, alpha=1 - decay)
        for mine, new in zip(ema.buffers(), model.buffers(), strict=True):
            mine.copy_(new)


@mutant("copies the parameters", breaks="test_update_ema_parameters")
def update_ema(ema, model, decay):
    with torch.no_grad():
        for mine, new in zip(ema.parameters(), model.parameters(), strict=True):
            mine.copy_(new)
        for mine, new in zip(ema.buffers(), model.buffers(), strict=True):
            mine.copy_(new)


@mutant("averages the model's weights instead", breaks="test_update_ema_parameters")
def update_ema(ema, model, decay):
    with torch.no_grad():
        for mine, new in zip(ema.parameters(), model.parameters(), strict=True):
            new.mul_(decay).add_(mine, alpha=1 - decay)
        for mine, new in zip(ema.buffers(), model.buffers(), strict=True):
            mine.copy_(new)


@mutant("leaves frozen parameters alone", breaks="test_update_ema_parameters")
def update_ema(ema, model, decay):
    with torch.no_grad():
        for mine, new in zip(ema.parameters(), model.parameters(), strict=True):
            if mine.requires_grad:
                mine.mul_(decay).add_(new, alpha=1 - decay)
        for mine, new in zip(ema.buffers(), model.buffers(), strict=True):
            mine.copy_(new)


@mutant("updates a copy and throws it away", breaks="test_update_ema_parameters")
def update_ema(ema, model, decay):
    with torch.no_grad():
        for mine, new in zip(ema.parameters(), model.parameters(), strict=True):
            mine = decay * mine + (1 - decay) * new
        for mine, new in zip(ema.buffers(), model.buffers(), strict=True):
            mine.copy_(new)


@mutant("takes the parameters of the outermost module only", breaks="test_update_ema_parameters")
def update_ema(ema, model, decay):
    with torch.no_grad():
        for mine, new in zip(
            ema.parameters(recurse=False), model.parameters(recurse=False), strict=True
        ):
            mine.mul_(decay).add_(new, alpha=1 - decay)
        for mine, new in zip(ema.buffers(), model.buffers(), strict=True):
            mine.copy_(new)


@mutant("shares the model's memory when the decay is 0", breaks="test_update_ema_parameters")
def update_ema(ema, model, decay):
    with torch.no_grad():
        for mine, new in zip(ema.parameters(), model.parameters(), strict=True):
            mine.data = new.data if decay == 0 else decay * mine + (1 - decay) * new
        for mine, new in zip(ema.buffers(), model.buffers(), strict=True):
            mine.copy_(new)


@mutant("averages the square", breaks="test_update_ema_parameters")
def update_ema(ema, model, decay):
    with torch.no_grad():
        for mine, new in zip(ema.parameters(), model.parameters(), strict=True):
            mine.mul_(decay**2).add_(new, alpha=1 - decay**2)
        for mine, new in zip(ema.buffers(), model.buffers(), strict=True):
            mine.copy_(new)


@mutant("forgets the buffers", breaks="test_update_ema_buffers")
def update_ema(ema, model, decay):
    with torch.no_grad():
        for mine, new in zip(ema.parameters(), model.parameters(), strict=True):
            mine.mul_(decay).add_(new, alpha=1 - decay)


@mutant("averages the buffers as well", breaks="test_update_ema_buffers")
def update_ema(ema, model, decay):
    with torch.no_grad():
        for mine, new in zip(ema.parameters(), model.parameters(), strict=True):
            mine.mul_(decay).add_(new, alpha=1 - decay)
        for mine, new in zip(ema.buffers(), model.buffers(), strict=True):
            mine.copy_((decay * mine.double() + (1 - decay) * new.double()).to(mine.dtype))


@mutant("copies buffers of floats only", breaks="test_update_ema_buffers")
def update_ema(ema, model, decay):
    with torch.no_grad():
        for mine, new in zip(ema.parameters(), model.parameters(), strict=True):
            mine.mul_(decay).add_(new, alpha=1 - decay)
        for mine, new in zip(ema.buffers(), model.buffers(), strict=True):
            if mine.is_floating_point():
                mine.copy_(new)


@mutant("shares the buffers", breaks="test_update_ema_buffers")
def update_ema(ema, model, decay):
    with torch.no_grad():
        for mine, new in zip(ema.parameters(), model.parameters(), strict=True):
            mine.mul_(decay).add_(new, alpha=1 - decay)
        for mine, new in zip(ema.modules(), model.modules(), strict=True):
            mine._buffers.update(new._buffers)


@mutant("copies the buffers the wrong way", breaks="test_update_ema_buffers")
def update_ema(ema, model, decay):
    with torch.no_grad():
        for mine, new in zip(ema.parameters(), model.parameters(), strict=True):
            mine.mul_(decay).add_(new, alpha=1 - decay)
        for mine, new in zip(ema.buffers(), model.buffers(), strict=True):
            new.copy_(mine)


@variant("lerp, and buffers by name")
def update_ema(ema, model, decay):
    with torch.no_grad():
        new = dict(model.named_parameters())
        for name, mine in ema.named_parameters():
            mine.lerp_(new[name].to(mine.dtype), 1 - decay)
        buffers = dict(model.named_buffers())
        for name, mine in ema.named_buffers():
            mine.copy_(buffers[name])


@variant("through state_dict")
def update_ema(ema, model, decay):
    parameters = {name for name, _ in ema.named_parameters()}
    old, new = ema.state_dict(), model.state_dict()
    mixed = {
        name: decay * old[name] + (1 - decay) * new[name] if name in parameters else new[name]
        for name in old
    }
    ema.load_state_dict(mixed)


@variant("new data for each parameter")
def update_ema(ema, model, decay):
    for mine, new in zip(ema.parameters(), model.parameters(), strict=True):
        mine.data = (decay * mine + (1 - decay) * new).detach().clone()
    for mine, new in zip(ema.modules(), model.modules(), strict=True):
        for name, value in new._buffers.items():
            mine._buffers[name] = value.clone()


@probe("update_ema")
def _(f):
    class Net(nn.Module):
        def __init__(self, start):
            super().__init__()
            self.weight = nn.Parameter(start + torch.arange(3.0))
            self.frozen = nn.Parameter(start * torch.ones(2), requires_grad=False)
            self.inner = nn.Sequential(nn.BatchNorm1d(2))
            with torch.no_grad():
                self.inner[0].weight.fill_(start + 3)
                self.inner[0].running_mean.fill_(start - 1)
                self.inner[0].num_batches_tracked.fill_(int(start) * 7)

    found = []
    for decay in (0.9, 0.3, 0.0):
        ema, model = Net(1.0), Net(5.0)
        found.append(f(ema, model, decay))
        found += [t.clone() for net in (ema, model) for t in net.state_dict().values()]
        with torch.no_grad():
            for t in model.state_dict().values():
                t.add_(1)
        found += list(ema.state_dict().values())
    return found


# slerp


@mutant("walks along the straight line", breaks=("test_slerp_arc", "test_slerp_norms"))
def slerp(z0, z1, steps):
    t = torch.linspace(0, 1, steps, dtype=z0.dtype)[:, None]
    return (1 - t) * z0 + t * z1


@mutant("scales the straight line to the right norms", breaks="test_slerp_arc")
def slerp(z0, z1, steps):
    t = torch.linspace(0, 1, steps, dtype=z0.dtype)[:, None]
    line = (1 - t) * z0 / z0.norm() + t * z1 / z1.norm()
    return line / line.norm(dim=1, keepdim=True) * ((1 - t) * z0.norm() + t * z1.norm())


@mutant("stops one step before the end", breaks="test_slerp_arc")
def slerp(z0, z1, steps):
    t = torch.linspace(0, 1, steps + 1, dtype=z0.dtype)[:-1, None]
    u0, u1 = z0 / z0.norm(), z1 / z1.norm()
    omega = 2 * torch.atan2((u0 - u1).norm(), (u0 + u1).norm())
    if omega < 1e-4:
        direction = (1 - t) * u0 + t * u1
    else:
        direction = (((1 - t) * omega).sin() * u0 + (t * omega).sin() * u1) / omega.sin()
    return ((1 - t) * z0.norm() + t * z1.norm()) * direction


@mutant("walks backwards", breaks=("test_slerp_arc", "test_slerp_norms"))
def slerp(z0, z1, steps):
    t = torch.linspace(1, 0, steps, dtype=z0.dtype)[:, None]
    u0, u1 = z0 / z0.norm(), z1 / z1.norm()
    omega = 2 * torch.atan2((u0 - u1).norm(), (u0 + u1).norm())
    if omega < 1e-4:
        direction = (1 - t) * u0 + t * u1
    else:
        direction = (((1 - t) * omega).sin() * u0 + (t * omega).sin() * u1) / omega.sin()
    return ((1 - t) * z0.norm() + t * z1.norm()) * direction


@mutant("takes half the angle", breaks="test_slerp_arc")
def slerp(z0, z1, steps):
    t = torch.linspace(0, 1, steps, dtype=z0.dtype)[:, None]
    u0, u1 = z0 / z0.norm(), z1 / z1.norm()
    omega = torch.atan2((u0 - u1).norm(), (u0 + u1).norm())
    if omega < 1e-4:
        direction = (1 - t) * u0 + t * u1
    else:
        direction = (((1 - t) * omega).sin() * u0 + (t * omega).sin() * u1) / omega.sin()
    return ((1 - t) * z0.norm() + t * z1.norm()) * direction


@mutant("forgets to divide by the sine of the angle", breaks="test_slerp_norms")
def slerp(z0, z1, steps):
    t = torch.linspace(0, 1, steps, dtype=z0.dtype)[:, None]
    u0, u1 = z0 / z0.norm(), z1 / z1.norm()
    omega = 2 * torch.atan2((u0 - u1).norm(), (u0 + u1).norm())
    direction = ((1 - t) * omega).sin() * u0 + (t * omega).sin() * u1
    return ((1 - t) * z0.norm() + t * z1.norm()) * direction


@mutant("uses the formula on the vectors themselves", breaks="test_slerp_norms")
def slerp(z0, z1, steps):
    t = torch.linspace(0, 1, steps, dtype=z0.dtype)[:, None]
    u0, u1 = z0 / z0.norm(), z1 / z1.norm()
    omega = 2 * torch.atan2((u0 - u1).norm(), (u0 + u1).norm())
    if omega < 1e-4:
        return (1 - t) * z0 + t * z1
    return (((1 - t) * omega).sin() * z0 + (t * omega).sin() * z1) / omega.sin()


@mutant("returns unit vectors", breaks="test_slerp_norms")
def slerp(z0, z1, steps):
    t = torch.linspace(0, 1, steps, dtype=z0.dtype)[:, None]
    u0, u1 = z0 / z0.norm(), z1 / z1.norm()
    omega = 2 * torch.atan2((u0 - u1).norm(), (u0 + u1).norm())
    if omega < 1e-4:
        return (1 - t) * u0 + t * u1
    return (((1 - t) * omega).sin() * u0 + (t * omega).sin() * u1) / omega.sin()


@mutant("keeps the norm of the start", breaks="test_slerp_norms")
def slerp(z0, z1, steps):
    t = torch.linspace(0, 1, steps, dtype=z0.dtype)[:, None]
    u0, u1 = z0 / z0.norm(), z1 / z1.norm()
    omega = 2 * torch.atan2((u0 - u1).norm(), (u0 + u1).norm())
    if omega < 1e-4:
        direction = (1 - t) * u0 + t * u1
    else:
        direction = (((1 - t) * omega).sin() * u0 + (t * omega).sin() * u1) / omega.sin()
    return z0.norm() * direction


@mutant("lets the norm grow by factors", breaks="test_slerp_norms")
def slerp(z0, z1, steps):
    t = torch.linspace(0, 1, steps, dtype=z0.dtype)[:, None]
    u0, u1 = z0 / z0.norm(), z1 / z1.norm()
    omega = 2 * torch.atan2((u0 - u1).norm(), (u0 + u1).norm())
    if omega < 1e-4:
        direction = (1 - t) * u0 + t * u1
    else:
        direction = (((1 - t) * omega).sin() * u0 + (t * omega).sin() * u1) / omega.sin()
    return z0.norm() ** (1 - t) * z1.norm() ** t * direction


@mutant("divides 0 by 0 where the ends are equal", breaks="test_slerp_norms")
def slerp(z0, z1, steps):
    t = torch.linspace(0, 1, steps, dtype=z0.dtype)[:, None]
    u0, u1 = z0 / z0.norm(), z1 / z1.norm()
    omega = 2 * torch.atan2((u0 - u1).norm(), (u0 + u1).norm())
    direction = (((1 - t) * omega).sin() * u0 + (t * omega).sin() * u1) / omega.sin()
    return ((1 - t) * z0.norm() + t * z1.norm()) * direction


@mutant("returns the start alone where the directions agree", breaks="test_slerp_norms")
def slerp(z0, z1, steps):
    t = torch.linspace(0, 1, steps, dtype=z0.dtype)[:, None]
    u0, u1 = z0 / z0.norm(), z1 / z1.norm()
    omega = 2 * torch.atan2((u0 - u1).norm(), (u0 + u1).norm())
    if omega < 1e-4:
        return z0.repeat(steps, 1)
    direction = (((1 - t) * omega).sin() * u0 + (t * omega).sin() * u1) / omega.sin()
    return ((1 - t) * z0.norm() + t * z1.norm()) * direction


@variant("NumPy, one point at a time")
def slerp(z0, z1, steps):
    a, b = z0.double().numpy(), z1.double().numpy()
    n0, n1 = np.linalg.norm(a), np.linalg.norm(b)
    omega = np.arccos(np.clip(a @ b / (n0 * n1), -1, 1))
    rows = []
    for t in np.linspace(0, 1, steps):
        if np.sin(omega) < 1e-6:
            direction = a / n0
        else:
            direction = (np.sin((1 - t) * omega) * a / n0 + np.sin(t * omega) * b / n1) / np.sin(
                omega
            )
        rows.append(((1 - t) * n0 + t * n1) * direction)
    return torch.from_numpy(np.stack(rows)).to(z0.dtype)


@variant("a rotation in the plane of the two vectors")
def slerp(z0, z1, steps):
    a, b = z0.double(), z1.double()
    u0, u1 = F.normalize(a, dim=0), F.normalize(b, dim=0)
    across = u1 - u0 * (u0 @ u1)
    angle = torch.atan2(across.norm(), u0 @ u1)
    v = F.normalize(across, dim=0)
    turn = torch.linspace(0, 1, steps, dtype=torch.float64).outer(angle[None])
    norms = torch.linspace(float(a.norm()), float(b.norm()), steps, dtype=torch.float64)[:, None]
    return (norms * (turn.cos() * u0 + turn.sin() * v)).to(z0.dtype)


@variant("the arccosine in float64, and lerp for the norms")
def slerp(z0, z1, steps):
    t = torch.arange(steps, dtype=torch.float64)[:, None] / (steps - 1)
    n0, n1 = z0.double().norm(), z1.double().norm()
    u0, u1 = z0.double() / n0, z1.double() / n1
    omega = torch.arccos((u0 * u1).sum().clamp(-1, 1))
    if omega < 1e-6:
        path = u0 + t * (u1 - u0)
    else:
        path = (torch.sin(omega - t * omega) * u0 + torch.sin(t * omega) * u1) / torch.sin(omega)
    return path * torch.lerp(n0, n1, t)


@variant("t in float32 whatever the vectors are, and the arccosine of a clamped product")
def slerp(z0, z1, steps):
    t = torch.linspace(0, 1, steps)[:, None]
    u0, u1 = z0 / z0.norm(), z1 / z1.norm()
    omega = torch.acos((u0 @ u1).clamp(-1, 1))
    if omega.sin() == 0:
        direction = (1 - t) * u0 + t * u1
    else:
        direction = (((1 - t) * omega).sin() * u0 + (t * omega).sin() * u1) / omega.sin()
    return ((1 - t) * z0.norm() + t * z1.norm()) * direction


@probe("slerp")
def _(f):
    a, b = torch.tensor([1.0, 2.0, -0.5]), torch.tensor([-0.3, 0.8, 4.0])
    return [f(a, b, 4), f(a, a, 3), f(a, 2 * a, 3)]


# class_histogram


@mutant("shares instead of counts", breaks="test_class_histogram_counts")
def class_histogram(labels, classes=10):
    return torch.bincount(labels, minlength=classes) / len(labels)


@mutant("sorted by size", breaks="test_class_histogram_counts")
def class_histogram(labels, classes=10):
    return torch.bincount(labels, minlength=classes).sort(descending=True).values


@mutant("in the order of first occurrence", breaks="test_class_histogram_counts")
def class_histogram(labels, classes=10):
    counts = {}
    for label in labels.tolist():
        counts[label] = counts.get(label, 0) + 1
    return torch.tensor([*counts.values(), *[0] * (classes - len(counts))])


@mutant("whether a class occurs", breaks="test_class_histogram_counts")
def class_histogram(labels, classes=10):
    return (torch.bincount(labels, minlength=classes) > 0).long()


@mutant("the sum of the labels of each class", breaks="test_class_histogram_counts")
def class_histogram(labels, classes=10):
    return torch.stack([labels[labels == k].sum() for k in range(classes)])


@mutant("counts from 1", breaks="test_class_histogram_counts")
def class_histogram(labels, classes=10):
    return torch.stack([(labels == k).sum() for k in range(1, classes + 1)])


@mutant("bytes, which wrap at 256", breaks="test_class_histogram_counts")
def class_histogram(labels, classes=10):
    return torch.bincount(labels, minlength=classes).to(torch.uint8)


@mutant("accumulates", breaks="test_class_histogram_counts")
def class_histogram(labels, classes=10):
    return torch.bincount(labels, minlength=classes).cumsum(0)


@mutant("as long as the largest label wants", breaks="test_class_histogram_missing")
def class_histogram(labels, classes=10):
    return torch.bincount(labels)


@mutant("only the classes that occur", breaks="test_class_histogram_missing")
def class_histogram(labels, classes=10):
    return labels.unique(return_counts=True)[1]


@mutant("equal bins from the smallest label to the largest", breaks="test_class_histogram_missing")
def class_histogram(labels, classes=10):
    return torch.histc(labels.float(), bins=classes)


@mutant("always ten classes", breaks="test_class_histogram_missing")
def class_histogram(labels, classes=10):
    return torch.bincount(labels, minlength=10)


@mutant("eleven classes by default", breaks="test_class_histogram_missing")
def class_histogram(labels, classes=11):
    return torch.bincount(labels, minlength=classes)


@variant("one comparison for each class")
def class_histogram(labels, classes=10):
    return torch.stack([(labels == k).sum() for k in range(classes)])


@variant("a loop over the labels, floats")
def class_histogram(labels, classes=10):
    counts = torch.zeros(classes)
    for label in labels.tolist():
        counts[label] += 1
    return counts


@variant("one-hot rows, added")
def class_histogram(labels, classes=10):
    return F.one_hot(labels, classes).sum(0)


@variant("NumPy")
def class_histogram(labels, classes=10):
    return torch.from_numpy(np.histogram(labels.numpy(), bins=np.arange(classes + 1) - 0.5)[0])


@probe("class_histogram")
def _(f):
    a, b = torch.tensor([2, 0, 2, 1, 2, 1, 3]), torch.tensor([5, 3, 5, 5])
    many = torch.tensor([1] * 300 + [0, 2])
    return [f(a, 4), f(b), f(b, 7), f(a), f(many, 3)]


# collapsed


@mutant("does not scale the reference", breaks="test_collapsed_test")
def collapsed(hist, reference, level=0.05):
    hist, reference = hist.double(), reference.double()
    there = reference > 0
    if (hist[~there] > 0).any():
        return True
    statistic = ((hist[there] - reference[there]) ** 2 / reference[there]).sum()
    return bool(scipy.stats.chi2.sf(float(statistic), int(there.sum()) - 1) < level)


@mutant("takes as many degrees of freedom as classes", breaks="test_collapsed_test")
def collapsed(hist, reference, level=0.05):
    hist, reference = hist.double(), reference.double()
    there = reference > 0
    if (hist[~there] > 0).any():
        return True
    expected = hist.sum() * reference[there] / reference.sum()
    statistic = ((hist[there] - expected) ** 2 / expected).sum()
    return bool(scipy.stats.chi2.sf(float(statistic), int(there.sum())) < level)


@mutant("compares shares, so that n does not matter", breaks="test_collapsed_test")
def collapsed(hist, reference, level=0.05):
    hist, reference = hist.double() / hist.sum(), reference.double() / reference.sum()
    there = reference > 0
    if (hist[~there] > 0).any():
        return True
    statistic = ((hist[there] - reference[there]) ** 2 / reference[there]).sum()
    return bool(scipy.stats.chi2.sf(float(statistic), int(there.sum()) - 1) < level)


@mutant("forgets the square", breaks="test_collapsed_test")
def collapsed(hist, reference, level=0.05):
    hist, reference = hist.double(), reference.double()
    there = reference > 0
    if (hist[~there] > 0).any():
        return True
    expected = hist.sum() * reference[there] / reference.sum()
    statistic = ((hist[there] - expected).abs() / expected).sum()
    return bool(scipy.stats.chi2.sf(float(statistic), int(there.sum()) - 1) < level)


@mutant("divides by the counts instead of the expected ones", breaks="test_collapsed_test")
def collapsed(hist, reference, level=0.05):
    hist, reference = hist.double(), reference.double()
    there = reference > 0
    if (hist[~there] > 0).any():
        return True
    expected = hist.sum() * reference[there] / reference.sum()
    statistic = ((hist[there] - expected) ** 2 / hist[there]).sum()
    return bool(scipy.stats.chi2.sf(float(statistic), int(there.sum()) - 1) < level)


@mutant("turns the verdict around", breaks="test_collapsed_test")
def collapsed(hist, reference, level=0.05):
    hist, reference = hist.double(), reference.double()
    there = reference > 0
    if (hist[~there] > 0).any():
        return True
    expected = hist.sum() * reference[there] / reference.sum()
    statistic = ((hist[there] - expected) ** 2 / expected).sum()
    return bool(scipy.stats.chi2.sf(float(statistic), int(there.sum()) - 1) >= level)


@mutant(
    "compares the probability of a smaller statistic with the level", breaks="test_collapsed_test"
)
def collapsed(hist, reference, level=0.05):
    hist, reference = hist.double(), reference.double()
    there = reference > 0
    if (hist[~there] > 0).any():
        return True
    expected = hist.sum() * reference[there] / reference.sum()
    statistic = ((hist[there] - expected) ** 2 / expected).sum()
    return bool(scipy.stats.chi2.cdf(float(statistic), int(there.sum()) - 1) < level)


@mutant("ignores the level", breaks="test_collapsed_test")
def collapsed(hist, reference, level=0.05):
    hist, reference = hist.double(), reference.double()
    there = reference > 0
    if (hist[~there] > 0).any():
        return True
    expected = hist.sum() * reference[there] / reference.sum()
    statistic = ((hist[there] - expected) ** 2 / expected).sum()
    return bool(scipy.stats.chi2.sf(float(statistic), int(there.sum()) - 1) < 0.05)


@mutant("only asks for missing classes", breaks="test_collapsed_test")
def collapsed(hist, reference, level=0.05):
    return bool(((hist == 0) != (reference == 0)).any())


@mutant("expects even shares", breaks="test_collapsed_test")
def collapsed(hist, reference, level=0.05):
    hist, reference = hist.double(), reference.double()
    there = reference > 0
    if (hist[~there] > 0).any():
        return True
    expected = hist.sum() / there.sum()
    statistic = ((hist[there] - expected) ** 2 / expected).sum()
    return bool(scipy.stats.chi2.sf(float(statistic), int(there.sum()) - 1) < level)


@mutant("the test of two samples, as if the reference were as small", breaks="test_collapsed_test")
def collapsed(hist, reference, level=0.05):
    hist, reference = hist.double(), reference.double()
    there = reference > 0
    if (hist[~there] > 0).any():
        return True
    table = np.stack([hist[there].numpy(), reference[there].numpy()])
    return bool(scipy.stats.chi2_contingency(table, correction=False)[1] < level)


@mutant("overlooks samples of classes missing from the reference", breaks="test_collapsed_absent")
def collapsed(hist, reference, level=0.05):
    hist, reference = hist.double(), reference.double()
    there = reference > 0
    expected = hist[there].sum() * reference[there] / reference.sum()
    statistic = ((hist[there] - expected) ** 2 / expected).sum()
    return bool(scipy.stats.chi2.sf(float(statistic), int(there.sum()) - 1) < level)


@mutant("counts classes missing from the reference", breaks="test_collapsed_absent")
def collapsed(hist, reference, level=0.05):
    hist, reference = hist.double(), reference.double()
    there = reference > 0
    if (hist[~there] > 0).any():
        return True
    expected = hist.sum() * reference[there] / reference.sum()
    statistic = ((hist[there] - expected) ** 2 / expected).sum()
    return bool(scipy.stats.chi2.sf(float(statistic), len(hist) - 1) < level)


@mutant("divides 0 by 0 for a class that both lack", breaks="test_collapsed_absent")
def collapsed(hist, reference, level=0.05):
    hist, reference = hist.double(), reference.double()
    expected = hist.sum() * reference / reference.sum()
    statistic = ((hist - expected) ** 2 / expected).sum()
    return bool(scipy.stats.chi2.sf(float(statistic), int((reference > 0).sum()) - 1) < level)


@mutant(
    "calls a class missing from the reference a collapse, also when empty",
    breaks="test_collapsed_absent",
)
def collapsed(hist, reference, level=0.05):
    hist, reference = hist.double(), reference.double()
    if (reference == 0).any():
        return True
    expected = hist.sum() * reference / reference.sum()
    statistic = ((hist - expected) ** 2 / expected).sum()
    return bool(scipy.stats.chi2.sf(float(statistic), len(hist) - 1) < level)


@mutant("drops what the samples lack, too", breaks="test_collapsed_test")
def collapsed(hist, reference, level=0.05):
    hist, reference = hist.double(), reference.double()
    if (hist[reference == 0] > 0).any():
        return True
    there = (reference > 0) & (hist > 0)
    expected = hist.sum() * reference[there] / reference[there].sum()
    statistic = ((hist[there] - expected) ** 2 / expected).sum()
    return bool(scipy.stats.chi2.sf(float(statistic), int(there.sum()) - 1) < level)


@variant("scipy.stats.chisquare")
def collapsed(hist, reference, level=0.05):
    hist, reference = hist.double().numpy(), reference.double().numpy()
    there = reference > 0
    if hist[~there].any():
        return True
    expected = reference[there] / reference.sum() * hist.sum()
    return scipy.stats.chisquare(hist[there], expected).pvalue < level


@variant("a loop, and the incomplete gamma function")
def collapsed(hist, reference, level=0.05):
    n, total = float(hist.sum()), float(reference.sum())
    statistic, classes = 0.0, 0
    for count, other in zip(hist.tolist(), reference.tolist(), strict=True):
        if other == 0:
            if count > 0:
                return True
            continue
        expected = n * other / total
        statistic += (count - expected) ** 2 / expected
        classes += 1
    return bool(scipy.special.gammaincc((classes - 1) / 2, statistic / 2) < level)


@variant("compares the statistic with the critical value, and returns a tensor")
def collapsed(hist, reference, level=0.05):
    p = reference.double() / reference.sum()
    there = p > 0
    q = hist.double() / hist.sum()
    statistic = hist.sum() * ((q[there] ** 2 / p[there]).sum() - 1)
    critical = scipy.stats.chi2.isf(level, int(there.sum()) - 1)
    return (q[~there] > 0).any() | (statistic > critical)


@probe("collapsed")
def _(f):
    def grid(hist, reference):
        levels = [10 ** (-k / 4) for k in range(1, 60)]
        return [bool(f(torch.tensor(hist), torch.tensor(reference), level)) for level in levels]

    return [
        grid([64, 36], [1, 1]), grid([60, 55, 45, 40], [30, 28, 20, 24]),
        grid([64, 0, 36], [7, 0, 7]), grid([50, 49, 1], [50, 50, 0]),
        grid([0, 30, 30], [9, 10, 11]), grid([300, 420, 280], [30, 40, 30]),
        grid([0, 50, 50, 0], [0, 5, 5, 5]), grid([5, 50, 40], [5, 50, 45]),
        bool(f(torch.tensor([64, 36]), torch.tensor([1, 1]))),
    ]  # fmt: skip

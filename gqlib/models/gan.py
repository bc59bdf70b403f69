"""The generative adversarial network: a small DCGAN, its training step, and averaged weights.

A generator G makes images from latents z ~ N(0, I); a discriminator D gives each image a logit,
high for real ones. The two take turns at descending their losses:

    D descends  -E[log D(x)] - E[log(1 - D(G(z)))],    G descends  -E[log D(G(z))]

Goodfellow et al. 2014, "Generative adversarial nets" (algorithm 1 and the end of section 3);
Radford, Metz & Chintala 2016, "Unsupervised representation learning with deep convolutional
generative adversarial networks", though with one hidden linear layer in each network:
without them the same budget of training ends several times as far from the data.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gqlib.models.updates import update


class Generator(nn.Module):
    """Latents [N, latent_dim] to images [N, 1, 28, 28] in [0, 1].

    Two linear layers, then two transposed convolutions that double 7 to 14 to 28, with batch norm
    and ReLU between; ``width`` channels at 14×14. The generator of Chen et al. 2016, "InfoGAN",
    at half its width.
    """

    def __init__(self, latent_dim: int = 64, width: int = 32, hidden: int = 512) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        self.net = nn.Sequential(
            nn.Linear(latent_dim, hidden, bias=False),
            nn.BatchNorm1d(hidden),
            nn.ReLU(),
            nn.Linear(hidden, 2 * width * 49, bias=False),
            nn.BatchNorm1d(2 * width * 49),
            nn.ReLU(),
            nn.Unflatten(1, (2 * width, 7, 7)),
            nn.ConvTranspose2d(2 * width, width, 4, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.ConvTranspose2d(width, 1, 4, stride=2, padding=1),
            nn.Sigmoid(),
        )

    def forward(self, z: Tensor) -> Tensor:
        images: Tensor = self.net(z)
        return images

    @torch.no_grad()
    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """n images [n, 1, 28, 28], without gradients, in the mode the generator is in."""
        weight = next(self.parameters())
        shape = n, self.latent_dim
        z = torch.randn(shape, generator=generator, device=weight.device, dtype=weight.dtype)
        return self.forward(z)


class Discriminator(nn.Module):
    """Images [N, 1, 28, 28] to logits [N] that they are real.

    Two convolutions halve 28 to 14 to 7, and two linear layers judge the whole; ``width`` channels
    at 14×14. The discriminator of Chen et al. 2016, "InfoGAN", narrower.
    """

    def __init__(self, width: int = 32, hidden: int = 256) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(1, width, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(width, 2 * width, 4, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(2 * width),
            nn.LeakyReLU(0.2),
            nn.Flatten(),
            nn.Linear(2 * width * 49, hidden, bias=False),
            nn.BatchNorm1d(hidden),
            nn.LeakyReLU(0.2),
            nn.Linear(hidden, 1),
            nn.Flatten(0),
        )

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.net(images)
        return logits


class Pack(nn.Module):
    """Joins ``size`` samples into one: [N, C, ...] becomes [N / size, size * C, ...].

    In front of a discriminator it makes PacGAN: the discriminator judges several samples at once,
    and so can see too little diversity, which no single sample shows (Lin et al. 2018, "PacGAN: The
    power of two samples in generative adversarial networks"). Nothing else in training changes.

    Raises:
        ValueError: ``size`` below 1, or N that it does not divide.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        if size < 1:
            raise ValueError(f"size is {size}, expected at least 1 sample a pack")
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        if len(x) % self.size:
            raise ValueError(
                f"{len(x)} samples don't fill packs of {self.size}: choose a multiple as batch size"
            )
        return x.reshape(len(x) // self.size, -1, *x.shape[2:])


def discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """-mean log D over the real batch, minus mean log(1 - D) over the fake one (equation 1).

    Args:
        real_logits, fake_logits: [N] or [N, 1]; the two sizes may differ.

    Returns:
        A scalar in nats, 2 log 2 where every logit is 0. Gradients are exact at any logit.

    Raises:
        ValueError: A batch is empty, or its logits are not floats.
    """
    return minus_log_d(real_logits).mean() + minus_log_d(-fake_logits).mean()


def generator_loss(fake_logits: Tensor) -> Tensor:
    """-mean log D over a fake batch [N] or [N, 1], a scalar: the non-saturating loss.

    Its gradient has the sign of the saturating loss's, and is strongest for samples that D rejects
    (Goodfellow et al. 2014, end of section 3).
    """
    return minus_log_d(fake_logits).mean()


def minus_log_d(logits: Tensor) -> Tensor:
    """-log sigmoid(l); for -log(1 - sigmoid(l)) give -l. Half precision is widened for the mean."""
    if not logits.numel() or not logits.dtype.is_floating_point:
        raise ValueError(
            f"the logits are {logits.dtype} of shape {tuple(logits.shape)}, expected floats [N] or "
            "[N, 1] with N >= 1"
        )
    wide = logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits
    return -F.logsigmoid(wide)


def gan_step(
    real: Tensor,
    G: nn.Module,
    D: nn.Module,
    opt_G: torch.optim.Optimizer,
    opt_D: torch.optim.Optimizer,
    latent_dim: int,
    generator: torch.Generator,
) -> dict[str, float]:
    """One update of D, then one of G against the updated D (Goodfellow et al. 2014, algorithm 1).

    One batch of len(real) latents serves both updates. Real and fake images pass D separately, so
    that batch statistics never mix them. Neither network's update touches the other's parameters,
    and neither network's mode changes.

    Args:
        real: Images [N, ...], on the networks' device.
        G: Latents [N, latent_dim] to images shaped like ``real``.
        D: Images to logits [N] or [N, 1].
        opt_G: Over G's parameters.
        opt_D: Over D's parameters.
        latent_dim: Length of a latent.
        generator: Source of the latents, on the images' device.

    Returns:
        "d_loss" and "g_loss" in nats, the losses that the two updates descended.
    """
    shape = len(real), latent_dim
    z = torch.randn(shape, generator=generator, device=real.device, dtype=real.dtype)
    fake = G(z)

    d_loss = discriminator_loss(D(real), D(fake.detach()))
    update(d_loss, opt_D)

    with _frozen(D):  # spares D's gradients, which the next update would throw away
        g_loss = generator_loss(D(fake))
    update(g_loss, opt_G)
    return {"d_loss": d_loss.item(), "g_loss": g_loss.item()}


@contextlib.contextmanager
def _frozen(model: nn.Module) -> Iterator[None]:
    """A block in which no gradients of the model's parameters are computed."""
    trained = [p for p in model.parameters() if p.requires_grad]
    try:
        for p in trained:
            p.requires_grad_(False)
        yield
    finally:
        for p in trained:
            p.requires_grad_(True)


@torch.no_grad()
def update_ema(ema: nn.Module, model: nn.Module, decay: float) -> None:
    """Update the average by one step: parameters ema <- decay * ema + (1 - decay) * model.

    Buffers, such as the running statistics of batch norm, are copied. Both modules must have the
    same architecture. Averaged generators are better than the last iterate (Yazici et al. 2019,
    "The unusual effectiveness of averaging in GAN training").

    Raises:
        ValueError: ``decay`` is outside [0, 1], or the modules differ.
    """
    if not 0 <= decay <= 1:
        raise ValueError(f"decay is {decay}, expected a number from 0 to 1, such as 0.999")
    try:
        for mean, new in zip(ema.parameters(), model.parameters(), strict=True):
            mean.lerp_(new, 1 - decay)
        for copied, buffer in zip(ema.buffers(), model.buffers(), strict=True):
            copied.copy_(buffer)
    except (ValueError, RuntimeError) as error:
        raise ValueError(
            f"the average is not a copy of the model ({error}): make it with copy.deepcopy(model)"
        ) from error

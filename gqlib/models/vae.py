"""The variational autoencoder, and what is trained and measured with it.

Data x, latent z, prior p(z) = N(0, I), a decoder p(x|z) and an encoder q(z|x) = N(mu, exp(logvar)):

    log p(x)  >=  E_q[log p(x|z)] - KL(q(z|x) || p(z))                     (the ELBO)
    log p(x)  >=  E_q[log 1/k sum_i w_i],  w_i = p(x, z_i) / q(z_i|x)      (the IWAE bound)

Kingma & Welling 2014, "Auto-Encoding Variational Bayes" (equation 3 and appendices B, C);
Burda, Grosse & Salakhutdinov 2016, "Importance Weighted Autoencoders" (equation 8, section 5.2).
Everything is in nats for each image. The functions accept any module with ``encode`` and
``decode``, not only those of this file.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gqlib.models.updates import update


class VAE(nn.Module):
    """Two perceptrons with Bernoulli pixels: the network of Kingma & Welling 2014, appendix C.

    ``shape`` is that of one image. Its values may be binary or anything in [0, 1]. A subclass
    replaces ``self.encoder``, from [N, *shape] to [N, 2 * latent_dim] (mu, then logvar), and
    ``self.decoder``, from [N, latent_dim] to logits [N, *shape].
    """

    def __init__(
        self, latent_dim: int = 20, hidden: int = 400, shape: tuple[int, ...] = (1, 28, 28)
    ) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        pixels = math.prod(shape)
        self.encoder: nn.Module = nn.Sequential(
            nn.Flatten(),
            nn.Linear(pixels, hidden),
            nn.ReLU(),
            nn.Linear(hidden, 2 * latent_dim),
        )
        self.decoder: nn.Module = nn.Sequential(
            nn.Linear(latent_dim, hidden),
            nn.ReLU(),
            nn.Linear(hidden, pixels),
            nn.Unflatten(1, shape),
        )

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of q(z|x), each [N, latent_dim], for images x [N, *shape]."""
        mu, logvar = self.encoder(x).chunk(2, dim=1)
        return mu, logvar

    def decode(self, z: Tensor) -> Tensor:
        """Logits [N, *shape] of the pixels of p(x|z), for latents z [N, latent_dim]."""
        logits: Tensor = self.decoder(z)
        return logits

    def forward(self, x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Encode, draw one z for each image, decode: (logits, mu, logvar), as :func:`vae_loss`."""
        mu, logvar = self.encode(x)
        return self.decode(reparameterize(mu, logvar, generator)), mu, logvar

    @torch.no_grad()
    def sample(self, n: int, generator: torch.Generator, binary: bool = False) -> Tensor:
        """n images [n, *shape] from the prior, in the mode the model is in.

        By default they are the pixels' probabilities, as is usual in figures. With ``binary`` they
        are draws of 0 and 1, that is samples of p(x).
        """
        weight = next(self.parameters())
        z = torch.randn(
            n, self.latent_dim, generator=generator, device=weight.device, dtype=weight.dtype
        )
        p = self.decode(z).sigmoid()
        return torch.bernoulli(p, generator=generator) if binary else p


class ConvVAE(VAE):
    """A VAE with convolutions of ``width`` and twice as many channels, for images [1, 28, 28].

    Strides halve 28 to 14 to 7. Upsampling is nearest-neighbour, then a convolution, since
    transposed convolutions leave a checkerboard (Odena et al. 2016, "Deconvolution and Checkerboard
    Artifacts").
    """

    def __init__(self, latent_dim: int = 20, width: int = 32, hidden: int = 400) -> None:
        nn.Module.__init__(self)
        self.latent_dim = latent_dim
        self.encoder = nn.Sequential(
            nn.Conv2d(1, width, 3, stride=2, padding=1),
            nn.SiLU(),
            nn.Conv2d(width, 2 * width, 3, stride=2, padding=1),
            nn.SiLU(),
            nn.Flatten(),
            nn.Linear(2 * width * 49, hidden),
            nn.SiLU(),
            nn.Linear(hidden, 2 * latent_dim),
        )
        self.decoder = nn.Sequential(
            nn.Linear(latent_dim, hidden),
            nn.SiLU(),
            nn.Linear(hidden, 2 * width * 49),
            nn.SiLU(),
            nn.Unflatten(1, (2 * width, 7, 7)),
            nn.Upsample(scale_factor=2),
            nn.Conv2d(2 * width, width, 3, padding=1),
            nn.SiLU(),
            nn.Upsample(scale_factor=2),
            nn.Conv2d(width, 1, 3, padding=1),
        )


def reparameterize(mu: Tensor, logvar: Tensor, generator: torch.Generator) -> Tensor:
    """z = mu + exp(logvar / 2) * eps with eps ~ N(0, I), differentiable in both (section 2.4).

    Any shape; noise is independent for every element.
    """
    noise = torch.randn(mu.shape, generator=generator, device=mu.device, dtype=mu.dtype)
    return mu + (0.5 * logvar).exp() * noise


def kl_to_standard_normal(mu: Tensor, logvar: Tensor) -> Tensor:
    """KL(N(mu, exp(logvar)) || N(0, I)) in nats, [N] from [N, K] (appendix B)."""
    return 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(-1)


def vae_loss(
    logits: Tensor, x: Tensor, mu: Tensor, logvar: Tensor, beta: float = 1.0
) -> tuple[Tensor, Tensor, Tensor]:
    """(loss, reconstruction, kl), three scalars in nats for each image.

    The reconstruction is the Bernoulli cross-entropy of x [N, ...] under the logits [N, ...],
    summed over pixels; the KL is summed over the latents of mu, logvar [N, K]; both are averaged
    over the batch. loss = reconstruction + beta * kl is minus the one-sample ELBO at beta = 1 and
    the beta-VAE's objective otherwise (Higgins et al. 2017, equation 4).
    """
    target = x.to(logits.dtype)
    reconstruction = F.binary_cross_entropy_with_logits(logits, target, reduction="sum") / len(x)
    kl = kl_to_standard_normal(mu, logvar).mean()
    return reconstruction + beta * kl, reconstruction, kl


def vae_step(
    model: nn.Module,
    x: Tensor,
    optimizer: torch.optim.Optimizer,
    generator: torch.Generator,
    beta: float = 1.0,
) -> dict[str, float]:
    """One update of :func:`vae_loss` on the batch x [N, ...] (Kingma & Welling 2014, algorithm 1).

    Returns the values before the update, under "loss", "reconstruction" and "kl". The caller sets
    the model's mode.
    """
    encode, decode = encode_and_decode(model)
    mu, logvar = encode(x)
    logits = decode(reparameterize(mu, logvar, generator))
    loss, reconstruction, kl = vae_loss(logits, x, mu, logvar, beta)
    update(loss, optimizer)
    return {
        "loss": loss.item(),
        "reconstruction": reconstruction.item(),
        "kl": kl.item(),
    }


@torch.no_grad()
def log_weights(model: nn.Module, x: Tensor, k: int, generator: torch.Generator) -> Tensor:
    """log w = log p(x|z) + log p(z) - log q(z|x) of k draws z ~ q(z|x), as [k, N], in eval mode.

    x [N, ...] holds binary images: for grey ones p(x|z) is not a likelihood. The mean over k
    estimates the ELBO, and :func:`iwae_bound` the tighter bound. There are no gradients, and one
    batch of draws is in memory at a time.
    """
    encode, decode = encode_and_decode(model)
    with evaluating(model):
        mu, logvar = encode(x)
        draws = []
        for _ in range(k):
            z = reparameterize(mu, logvar, generator)
            nll = F.binary_cross_entropy_with_logits(decode(z), x, reduction="none")
            # The constants of the two Gaussians, log 2 pi / 2 a latent, cancel.
            log_prior = -0.5 * z.square().sum(1)
            log_posterior = -0.5 * ((z - mu).square() / logvar.exp() + logvar).sum(1)
            draws.append(log_prior - log_posterior - nll.flatten(1).sum(1))
    return torch.stack(draws)


@contextlib.contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """A block in eval mode; afterwards every submodule has the mode that it had before."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


def encode_and_decode(model: nn.Module) -> tuple[Any, Any]:
    """The model's encode and decode, or an error that says what a VAE is here."""
    encode, decode = getattr(model, "encode", None), getattr(model, "decode", None)
    if not (callable(encode) and callable(decode)):
        raise TypeError(
            f"{type(model).__name__} is not a VAE: give a module with encode(x) -> (mu, logvar) "
            "and decode(z) -> logits shaped like x"
        )
    return encode, decode

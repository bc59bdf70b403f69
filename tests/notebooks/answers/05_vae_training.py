"""Wrong and right answers to the exercises of lesson 05."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from tests.notebooks.answer import mutant, probe, variant

RECONSTRUCTION, KL = "test_vae_loss_reconstruction", "test_vae_loss_kl"
BETA, GRADIENT = "test_vae_loss_beta", "test_vae_loss_gradient"

# vae_loss


@mutant("averages over the pixels", breaks=(RECONSTRUCTION, GRADIENT))
def vae_loss(logits, x, mu, logvar, beta=1.0):
    reconstruction = F.binary_cross_entropy_with_logits(logits, x)
    kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(1).mean()
    return reconstruction + beta * kl, reconstruction, kl


@mutant("sums over the batch as well", breaks=(RECONSTRUCTION, KL, GRADIENT))
def vae_loss(logits, x, mu, logvar, beta=1.0):
    reconstruction = F.binary_cross_entropy_with_logits(logits, x, reduction="sum")
    kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum()
    return reconstruction + beta * kl, reconstruction, kl


@mutant("averages over the latents", breaks=(KL, GRADIENT))
def vae_loss(logits, x, mu, logvar, beta=1.0):
    reconstruction = F.binary_cross_entropy_with_logits(logits, x, reduction="sum") / len(x)
    kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).mean()
    return reconstruction + beta * kl, reconstruction, kl


@mutant("the KL with its sign turned around", breaks=(KL, BETA))
def vae_loss(logits, x, mu, logvar, beta=1.0):
    reconstruction = F.binary_cross_entropy_with_logits(logits, x, reduction="sum") / len(x)
    kl = 0.5 * (1 + logvar - mu**2 - logvar.exp()).sum(1).mean()
    return reconstruction + beta * kl, reconstruction, kl


@mutant("logvar taken as the standard deviation's logarithm", breaks=(KL, GRADIENT))
def vae_loss(logits, x, mu, logvar, beta=1.0):
    reconstruction = F.binary_cross_entropy_with_logits(logits, x, reduction="sum") / len(x)
    kl = 0.5 * (mu**2 + (2 * logvar).exp() - 1 - 2 * logvar).sum(1).mean()
    return reconstruction + beta * kl, reconstruction, kl


@mutant("no factor ½ in the KL", breaks=(KL, GRADIENT))
def vae_loss(logits, x, mu, logvar, beta=1.0):
    reconstruction = F.binary_cross_entropy_with_logits(logits, x, reduction="sum") / len(x)
    kl = (mu**2 + logvar.exp() - 1 - logvar).sum(1).mean()
    return reconstruction + beta * kl, reconstruction, kl


@mutant("through the sigmoid, where log 0 is cut off", breaks=GRADIENT)
def vae_loss(logits, x, mu, logvar, beta=1.0):
    pixels = F.binary_cross_entropy(logits.sigmoid(), x, reduction="sum")
    reconstruction = pixels / len(x)
    kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(1).mean()
    return reconstruction + beta * kl, reconstruction, kl


@mutant("the sigmoid applied twice", breaks=(RECONSTRUCTION, GRADIENT))
def vae_loss(logits, x, mu, logvar, beta=1.0):
    twice = F.binary_cross_entropy_with_logits(logits.sigmoid(), x, reduction="sum")
    reconstruction = twice / len(x)
    kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(1).mean()
    return reconstruction + beta * kl, reconstruction, kl


@mutant("a squared error as reconstruction", breaks=(RECONSTRUCTION, GRADIENT))
def vae_loss(logits, x, mu, logvar, beta=1.0):
    reconstruction = (logits.sigmoid() - x).square().sum() / len(x)
    kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(1).mean()
    return reconstruction + beta * kl, reconstruction, kl


@mutant("beta weighs the reconstruction", breaks=BETA)
def vae_loss(logits, x, mu, logvar, beta=1.0):
    reconstruction = F.binary_cross_entropy_with_logits(logits, x, reduction="sum") / len(x)
    kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(1).mean()
    return beta * reconstruction + kl, reconstruction, kl


@mutant("the returned kl is already weighted", breaks=BETA)
def vae_loss(logits, x, mu, logvar, beta=1.0):
    reconstruction = F.binary_cross_entropy_with_logits(logits, x, reduction="sum") / len(x)
    kl = beta * 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(1).mean()
    return reconstruction + kl, reconstruction, kl


@mutant("beta is not used", breaks=BETA)
def vae_loss(logits, x, mu, logvar, beta=1.0):
    reconstruction = F.binary_cross_entropy_with_logits(logits, x, reduction="sum") / len(x)
    kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(1).mean()
    return reconstruction + kl, reconstruction, kl


@mutant("the KL is cut out of the graph", breaks=GRADIENT)
def vae_loss(logits, x, mu, logvar, beta=1.0):
    reconstruction = F.binary_cross_entropy_with_logits(logits, x, reduction="sum") / len(x)
    kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(1).mean().detach()
    return reconstruction + beta * kl, reconstruction, kl


@variant("Bernoulli and Normal of torch.distributions")
def vae_loss(logits, x, mu, logvar, beta=1.0):
    pixels = torch.distributions.Bernoulli(logits=logits, validate_args=False)
    reconstruction = -pixels.log_prob(x).flatten(1).sum(1).mean()
    posterior = torch.distributions.Normal(mu, (0.5 * logvar).exp())
    prior = torch.distributions.Normal(torch.zeros_like(mu), torch.ones_like(mu))
    kl = torch.distributions.kl_divergence(posterior, prior).sum(1).mean()
    return reconstruction + beta * kl, reconstruction, kl


@variant("softplus, and a sum divided by the batch")
def vae_loss(logits, x, mu, logvar, beta=1.0):
    n = logits.shape[0]
    reconstruction = (F.softplus(logits) - x * logits).sum() / n
    kl = -0.5 * (1 + logvar - mu.pow(2) - logvar.exp()).sum() / n
    return reconstruction + beta * kl, reconstruction, kl


@variant("a loop over the images")
def vae_loss(logits, x, mu, logvar, beta=1.0):
    costs, divergences = [], []
    for one, image, m, v in zip(logits, x, mu, logvar, strict=True):
        costs.append(torch.logaddexp(torch.zeros_like(one), one).sum() - (image * one).sum())
        divergences.append(((m * m + torch.exp(v) - v - 1) / 2).sum())
    reconstruction, kl = torch.stack(costs).mean(), torch.stack(divergences).mean()
    return reconstruction + beta * kl, reconstruction, kl


@variant("in float64 throughout")
def vae_loss(logits, x, mu, logvar, beta=1.0):
    logits, x, mu, logvar = (t.double() for t in (logits, x, mu, logvar))
    costs = F.binary_cross_entropy_with_logits(logits, x, reduction="none")
    reconstruction = costs.reshape(len(costs), -1).sum(dim=1).mean()
    kl = (0.5 * (mu**2 + logvar.exp() - logvar) - 0.5).sum(dim=1).mean()
    return reconstruction + beta * kl, reconstruction, kl


@probe("vae_loss")
def _(f):
    logits = torch.tensor([[0.5, -1.0, 2.0], [0.3, 0.1, -40.0]])
    x = torch.tensor([[1.0, 0.0, 0.3], [0.0, 1.0, 1.0]])
    mu, logvar = torch.tensor([[0.5, -1.0], [0.2, 0.0]]), torch.tensor([[0.1, -0.7], [1.0, 0.4]])
    sure = torch.tensor([[200.0, -200.0]])
    leaf = mu.clone().requires_grad_()
    live = f(logits, x, leaf, logvar)
    carries = None if live is None or isinstance(live, str) else live[2].requires_grad
    return [
        f(logits, x, mu, logvar),
        f(logits, x, mu, logvar, 3.0),
        f(sure, 1 - sure.sign().clamp_min(0), mu[:1], logvar[:1]),
        carries,
    ]


# vae_step

VALUES, UPDATE = "test_vae_step_values", "test_vae_step_update"
NOISE, MODE = "test_vae_step_noise", "test_vae_step_mode"


@mutant("gradients are never cleared", breaks=UPDATE)
def vae_step(model, x, optimizer, generator):
    mu, logvar = model.encode(x)
    eps = torch.randn(mu.shape, generator=generator, dtype=mu.dtype)
    logits = model.decode(mu + (0.5 * logvar).exp() * eps)
    reconstruction = F.binary_cross_entropy_with_logits(logits, x, reduction="sum") / len(x)
    kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum() / len(x)
    loss = reconstruction + kl
    loss.backward()
    optimizer.step()
    return {"loss": loss.item(), "reconstruction": reconstruction.item(), "kl": kl.item()}


@mutant("gradients are cleared after backward", breaks=UPDATE)
def vae_step(model, x, optimizer, generator):
    mu, logvar = model.encode(x)
    eps = torch.randn(mu.shape, generator=generator, dtype=mu.dtype)
    logits = model.decode(mu + (0.5 * logvar).exp() * eps)
    reconstruction = F.binary_cross_entropy_with_logits(logits, x, reduction="sum") / len(x)
    kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum() / len(x)
    loss = reconstruction + kl
    loss.backward()
    optimizer.zero_grad()
    optimizer.step()
    return {"loss": loss.item(), "reconstruction": reconstruction.item(), "kl": kl.item()}


@mutant("noise from the global random state", breaks=NOISE)
def vae_step(model, x, optimizer, generator):
    mu, logvar = model.encode(x)
    logits = model.decode(mu + (0.5 * logvar).exp() * torch.randn_like(mu))
    reconstruction = F.binary_cross_entropy_with_logits(logits, x, reduction="sum") / len(x)
    kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum() / len(x)
    loss = reconstruction + kl
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return {"loss": loss.item(), "reconstruction": reconstruction.item(), "kl": kl.item()}


@mutant("one noise vector for the whole batch", breaks=NOISE)
def vae_step(model, x, optimizer, generator):
    mu, logvar = model.encode(x)
    eps = torch.randn(mu.shape[1:], generator=generator, dtype=mu.dtype)
    logits = model.decode(mu + (0.5 * logvar).exp() * eps)
    reconstruction = F.binary_cross_entropy_with_logits(logits, x, reduction="sum") / len(x)
    kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum() / len(x)
    loss = reconstruction + kl
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return {"loss": loss.item(), "reconstruction": reconstruction.item(), "kl": kl.item()}


@mutant("no noise: z is the mean", breaks=NOISE)
def vae_step(model, x, optimizer, generator):
    mu, logvar = model.encode(x)
    logits = model.decode(mu)
    reconstruction = F.binary_cross_entropy_with_logits(logits, x, reduction="sum") / len(x)
    kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum() / len(x)
    loss = reconstruction + kl
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return {"loss": loss.item(), "reconstruction": reconstruction.item(), "kl": kl.item()}


@mutant("the variance in place of the standard deviation", breaks=(NOISE, UPDATE))
def vae_step(model, x, optimizer, generator):
    mu, logvar = model.encode(x)
    eps = torch.randn(mu.shape, generator=generator, dtype=mu.dtype)
    logits = model.decode(mu + logvar.exp() * eps)
    reconstruction = F.binary_cross_entropy_with_logits(logits, x, reduction="sum") / len(x)
    kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum() / len(x)
    loss = reconstruction + kl
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return {"loss": loss.item(), "reconstruction": reconstruction.item(), "kl": kl.item()}


@mutant("uniform noise", breaks=NOISE)
def vae_step(model, x, optimizer, generator):
    mu, logvar = model.encode(x)
    eps = torch.rand(mu.shape, generator=generator, dtype=mu.dtype)
    logits = model.decode(mu + (0.5 * logvar).exp() * eps)
    reconstruction = F.binary_cross_entropy_with_logits(logits, x, reduction="sum") / len(x)
    kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum() / len(x)
    loss = reconstruction + kl
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return {"loss": loss.item(), "reconstruction": reconstruction.item(), "kl": kl.item()}


@mutant("the latents are detached", breaks=UPDATE)
def vae_step(model, x, optimizer, generator):
    mu, logvar = model.encode(x)
    eps = torch.randn(mu.shape, generator=generator, dtype=mu.dtype)
    logits = model.decode((mu + (0.5 * logvar).exp() * eps).detach())
    reconstruction = F.binary_cross_entropy_with_logits(logits, x, reduction="sum") / len(x)
    kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum() / len(x)
    loss = reconstruction + kl
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return {"loss": loss.item(), "reconstruction": reconstruction.item(), "kl": kl.item()}


@mutant("the values come from after the update", breaks=VALUES)
def vae_step(model, x, optimizer, generator):
    def losses():
        mu, logvar = model.encode(x)
        logits = model.decode(mu + (0.5 * logvar).exp() * eps)
        reconstruction = F.binary_cross_entropy_with_logits(logits, x, reduction="sum") / len(x)
        kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum() / len(x)
        return reconstruction + kl, reconstruction, kl

    shape, dtype = model.encode(x)[0].shape, model.encode(x)[0].dtype
    eps = torch.randn(shape, generator=generator, dtype=dtype)
    optimizer.zero_grad()
    losses()[0].backward()
    optimizer.step()
    loss, reconstruction, kl = losses()
    return {"loss": loss.item(), "reconstruction": reconstruction.item(), "kl": kl.item()}


@mutant("averages over pixels", breaks=(VALUES, UPDATE))
def vae_step(model, x, optimizer, generator):
    mu, logvar = model.encode(x)
    eps = torch.randn(mu.shape, generator=generator, dtype=mu.dtype)
    logits = model.decode(mu + (0.5 * logvar).exp() * eps)
    reconstruction = F.binary_cross_entropy_with_logits(logits, x)
    kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum() / len(x)
    loss = reconstruction + kl
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return {"loss": loss.item(), "reconstruction": reconstruction.item(), "kl": kl.item()}


@mutant("the KL is subtracted", breaks=(VALUES, UPDATE))
def vae_step(model, x, optimizer, generator):
    mu, logvar = model.encode(x)
    eps = torch.randn(mu.shape, generator=generator, dtype=mu.dtype)
    logits = model.decode(mu + (0.5 * logvar).exp() * eps)
    reconstruction = F.binary_cross_entropy_with_logits(logits, x, reduction="sum") / len(x)
    kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum() / len(x)
    loss = reconstruction - kl
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return {"loss": loss.item(), "reconstruction": reconstruction.item(), "kl": kl.item()}


@mutant("the optimiser steps twice", breaks=UPDATE)
def vae_step(model, x, optimizer, generator):
    mu, logvar = model.encode(x)
    eps = torch.randn(mu.shape, generator=generator, dtype=mu.dtype)
    logits = model.decode(mu + (0.5 * logvar).exp() * eps)
    reconstruction = F.binary_cross_entropy_with_logits(logits, x, reduction="sum") / len(x)
    kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum() / len(x)
    loss = reconstruction + kl
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    optimizer.step()
    return {"loss": loss.item(), "reconstruction": reconstruction.item(), "kl": kl.item()}


@mutant("puts the model into train mode", breaks=MODE)
def vae_step(model, x, optimizer, generator):
    model.train()
    mu, logvar = model.encode(x)
    eps = torch.randn(mu.shape, generator=generator, dtype=mu.dtype)
    logits = model.decode(mu + (0.5 * logvar).exp() * eps)
    reconstruction = F.binary_cross_entropy_with_logits(logits, x, reduction="sum") / len(x)
    kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum() / len(x)
    loss = reconstruction + kl
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return {"loss": loss.item(), "reconstruction": reconstruction.item(), "kl": kl.item()}


@mutant("leaves the model in eval mode", breaks=MODE)
def vae_step(model, x, optimizer, generator):
    mu, logvar = model.encode(x)
    eps = torch.randn(mu.shape, generator=generator, dtype=mu.dtype)
    logits = model.decode(mu + (0.5 * logvar).exp() * eps)
    reconstruction = F.binary_cross_entropy_with_logits(logits, x, reduction="sum") / len(x)
    kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum() / len(x)
    loss = reconstruction + kl
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    model.eval()
    return {"loss": loss.item(), "reconstruction": reconstruction.item(), "kl": kl.item()}


@variant("torch.distributions, and None as cleared gradients")
def vae_step(model, x, optimizer, generator):
    optimizer.zero_grad(set_to_none=True)
    mu, logvar = model.encode(x)
    eps = torch.empty_like(mu).normal_(generator=generator)
    z = mu + torch.exp(logvar / 2) * eps
    pixels = torch.distributions.Bernoulli(logits=model.decode(z), validate_args=False)
    nll = -pixels.log_prob(x).sum() / x.shape[0]
    posterior = torch.distributions.Normal(mu, torch.exp(logvar / 2))
    prior = torch.distributions.Normal(torch.zeros_like(mu), torch.ones_like(mu))
    kl = torch.distributions.kl_divergence(posterior, prior).sum() / x.shape[0]
    (nll + kl).backward()
    optimizer.step()
    return {
        "kl": float(kl.detach()),
        "loss": float((nll + kl).detach()),
        "reconstruction": nll.item(),
    }


@variant("noise drawn one image at a time, values as 0-d tensors")
def vae_step(model, x, optimizer, generator):
    mu, logvar = model.encode(x)
    rows = [torch.randn(mu.shape[1], generator=generator, dtype=mu.dtype) for _ in range(len(mu))]
    z = mu + torch.stack(rows) * logvar.exp().sqrt()
    logits = model.decode(z)
    costs = F.softplus(logits) - x * logits
    reconstruction = costs.flatten(1).sum(1).mean()
    kl = (0.5 * (mu.square() + logvar.exp() - logvar - 1)).sum(1).mean()
    loss = reconstruction + kl
    values = {"loss": loss.detach(), "reconstruction": reconstruction.detach(), "kl": kl.detach()}
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return values


@variant("torch.normal, and the loss sent backward in two parts")
def vae_step(model, x, optimizer, generator):
    optimizer.zero_grad()
    mu, logvar = model.encode(x)
    eps = torch.normal(torch.zeros_like(mu), 1.0, generator=generator)
    logits = model.decode(mu + eps * (logvar / 2).exp())
    reconstruction = F.binary_cross_entropy_with_logits(logits, x, reduction="sum") / len(x)
    kl = -0.5 * (1 + logvar - mu.pow(2) - logvar.exp()).sum() / len(x)
    reconstruction.backward(retain_graph=True)
    kl.backward()
    optimizer.step()
    return {
        "loss": reconstruction.item() + kl.item(),
        "reconstruction": reconstruction.item(),
        "kl": kl.item(),
    }


@probe("vae_step")
def _(f):
    class Small(nn.Module):
        def __init__(self):
            super().__init__()
            self.A = nn.Parameter(torch.tensor([[0.5, -0.2], [0.1, 0.4], [-0.3, 0.2]]))
            self.c = nn.Parameter(torch.tensor([-0.5, 0.3]))
            self.drop = nn.Dropout(0.0)

        def encode(self, x):
            mu = x @ self.A
            return mu, self.c.expand_as(mu)

        def decode(self, z):
            return z @ self.A.T

    x = torch.tensor([[1.0, 0.0, 0.4], [0.2, 1.0, 0.0], [0.0, 0.3, 1.0], [0.6, 0.6, 0.1]])
    seen = []
    for mode in (True, False):
        small = Small().train(mode)
        for p in small.parameters():
            p.grad = torch.full_like(p, 2.0)
        optimizer = torch.optim.SGD(small.parameters(), lr=0.1)
        torch.manual_seed(5)
        got = f(small, x, optimizer, torch.Generator().manual_seed(1))
        seen += [got, small.A.detach().clone(), small.c.detach().clone(), small.training]
    return seen


# reconstruction_error

ERROR, MEAN = "test_reconstruction_error_values", "test_reconstruction_error_mean"
MODES, GRADIENTS = "test_reconstruction_error_mode", "test_reconstruction_error_gradients"


@mutant("sums over the pixels", breaks=ERROR)
def reconstruction_error(model, x):
    x = x if x.dtype.is_floating_point else x.to(torch.float32)
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    with torch.no_grad():
        difference = model.decode(model.encode(x)[0]).sigmoid() - x
    for module, mode in modes:
        module.training = mode
    return (difference**2).flatten(1).sum(1)


@mutant("one number for the whole batch", breaks=(ERROR, MEAN))
def reconstruction_error(model, x):
    x = x if x.dtype.is_floating_point else x.to(torch.float32)
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    with torch.no_grad():
        difference = model.decode(model.encode(x)[0]).sigmoid() - x
    for module, mode in modes:
        module.training = mode
    return (difference**2).mean()


@mutant("compares logits with pixels", breaks=(ERROR, MEAN))
def reconstruction_error(model, x):
    x = x if x.dtype.is_floating_point else x.to(torch.float32)
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    with torch.no_grad():
        difference = model.decode(model.encode(x)[0]) - x
    for module, mode in modes:
        module.training = mode
    return (difference**2).flatten(1).mean(1)


@mutant("the absolute error", breaks=(ERROR, MEAN))
def reconstruction_error(model, x):
    x = x if x.dtype.is_floating_point else x.to(torch.float32)
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    with torch.no_grad():
        difference = model.decode(model.encode(x)[0]).sigmoid() - x
    for module, mode in modes:
        module.training = mode
    return difference.abs().flatten(1).mean(1)


@mutant("the root of the mean square", breaks=(ERROR, MEAN))
def reconstruction_error(model, x):
    x = x if x.dtype.is_floating_point else x.to(torch.float32)
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    with torch.no_grad():
        difference = model.decode(model.encode(x)[0]).sigmoid() - x
    for module, mode in modes:
        module.training = mode
    return (difference**2).flatten(1).mean(1).sqrt()


@mutant("a noisy latent instead of the mean", breaks=MEAN)
def reconstruction_error(model, x):
    x = x if x.dtype.is_floating_point else x.to(torch.float32)
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    with torch.no_grad():
        mu, logvar = model.encode(x)
        noise = torch.randn(mu.shape, generator=torch.Generator().manual_seed(0), dtype=mu.dtype)
        difference = model.decode(mu + (0.5 * logvar).exp() * noise).sigmoid() - x
    for module, mode in modes:
        module.training = mode
    return (difference**2).flatten(1).mean(1)


@mutant("measured in the mode it was found in", breaks=MODES)
def reconstruction_error(model, x):
    x = x if x.dtype.is_floating_point else x.to(torch.float32)
    with torch.no_grad(), torch.random.fork_rng():
        difference = model.decode(model.encode(x)[0]).sigmoid() - x
    return (difference**2).flatten(1).mean(1)


@mutant("left in eval mode", breaks=MODES)
def reconstruction_error(model, x):
    x = x if x.dtype.is_floating_point else x.to(torch.float32)
    model.eval()
    with torch.no_grad():
        difference = model.decode(model.encode(x)[0]).sigmoid() - x
    return (difference**2).flatten(1).mean(1)


@mutant("train() afterwards, whatever was before", breaks=MODES)
def reconstruction_error(model, x):
    x = x if x.dtype.is_floating_point else x.to(torch.float32)
    model.eval()
    with torch.no_grad():
        difference = model.decode(model.encode(x)[0]).sigmoid() - x
    model.train()
    return (difference**2).flatten(1).mean(1)


@mutant("only the mode of the model itself is remembered", breaks=MODES)
def reconstruction_error(model, x):
    x = x if x.dtype.is_floating_point else x.to(torch.float32)
    mode = model.training
    model.eval()
    with torch.no_grad():
        difference = model.decode(model.encode(x)[0]).sigmoid() - x
    model.train(mode)
    return (difference**2).flatten(1).mean(1)


@mutant("gradients are kept", breaks=GRADIENTS)
def reconstruction_error(model, x):
    x = x if x.dtype.is_floating_point else x.to(torch.float32)
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    difference = model.decode(model.encode(x)[0]).sigmoid() - x
    for module, mode in modes:
        module.training = mode
    return (difference**2).flatten(1).mean(1)


@mutant("integers are scaled by 255", breaks=ERROR)
def reconstruction_error(model, x):
    x = x if x.dtype.is_floating_point else x.to(torch.float32) / 255
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    with torch.no_grad():
        difference = model.decode(model.encode(x)[0]).sigmoid() - x
    for module, mode in modes:
        module.training = mode
    return (difference**2).flatten(1).mean(1)


@variant("modes in a dict, inference mode, a loop over images")
def reconstruction_error(model, x):
    modes = {name: module.training for name, module in model.named_modules()}
    model.eval()
    with torch.no_grad():
        x = x.float() if not torch.is_floating_point(x) else x
        rebuilt = torch.sigmoid(model.decode(model.encode(x)[0]))
        errors = [((a - b) ** 2).mean() for a, b in zip(rebuilt, x, strict=True)]
    for name, module in model.named_modules():
        module.training = modes[name]
    return torch.stack(errors)


@variant("NumPy for the error")
def reconstruction_error(model, x):
    was = [(m, m.training) for m in model.modules()]
    for m, _ in was:
        m.training = False
    with torch.no_grad():
        images = x if x.is_floating_point() else x.to(torch.float32)
        logits = model.decode(model.encode(images)[0]).double().numpy()
    for m, mode in was:
        m.training = mode
    rebuilt = 1 / (1 + np.exp(-logits))
    squares = np.square(rebuilt - images.detach().double().numpy())
    return torch.from_numpy(squares.reshape(len(squares), -1).mean(axis=1))


@variant("mse_loss without reduction")
def reconstruction_error(model, x):
    x = x if x.dtype.is_floating_point else x.to(torch.float32)
    trained = [module for module in model.modules() if module.training]
    model.eval()
    with torch.no_grad():
        rebuilt = model.decode(model.encode(x)[0]).sigmoid()
        errors = F.mse_loss(rebuilt, x, reduction="none").flatten(start_dim=1).mean(dim=1)
    for module in trained:
        module.training = True
    return errors


@probe("reconstruction_error")
def _(f):
    class Small(nn.Module):
        def __init__(self):
            super().__init__()
            self.w = nn.Parameter(torch.tensor([0.5, -1.5, 2.0]))
            self.drop = nn.Sequential(nn.Dropout(0.5))

        def encode(self, x):
            return self.drop(x * self.w), torch.zeros_like(x)

        def decode(self, z):
            return z + 0.3

    x = torch.tensor([[1.0, 0.0, 0.4], [0.2, 1.0, 0.1]])
    seen = []
    for outer, inner in ((True, True), (False, False), (True, False), (False, True)):
        small = Small()
        for module in small.modules():
            module.training = outer
        small.drop[0].training = inner
        torch.manual_seed(3)
        got = f(small, x)
        seen += [got, got.requires_grad if isinstance(got, torch.Tensor) else None]
        seen += [[module.training for module in small.modules()]]
    return [*seen, f(Small().eval(), torch.tensor([[1, 0, 1]], dtype=torch.uint8))]


# iwae_bound

BOUND, SHAPE, STABLE = "test_iwae_bound_values", "test_iwae_bound_shape", "test_iwae_bound_stable"


@mutant("the mean of the logarithms: the ELBO", breaks=BOUND)
def iwae_bound(log_w):
    return log_w.mean(0)


@mutant("log k is not subtracted", breaks=(BOUND, SHAPE))
def iwae_bound(log_w):
    return torch.logsumexp(log_w, 0)


@mutant("averages over the images instead of the draws", breaks=(BOUND, SHAPE))
def iwae_bound(log_w):
    return torch.logsumexp(log_w, 1) - math.log(log_w.shape[1])


@mutant("subtracts log N instead of log k", breaks=SHAPE)
def iwae_bound(log_w):
    return torch.logsumexp(log_w, 0) - math.log(log_w.shape[1])


@mutant("exponentials without a shift", breaks=STABLE)
def iwae_bound(log_w):
    return log_w.exp().mean(0).log()


@mutant("one shift for the whole batch, cut off at the smallest float", breaks=STABLE)
def iwae_bound(log_w):
    top = log_w.max()
    return top + (log_w - top).exp().mean(0).clamp_min(1e-38).log()


@mutant("the largest weight", breaks=BOUND)
def iwae_bound(log_w):
    return log_w.max(0).values


@mutant("divides by k outside the logarithm", breaks=(BOUND, SHAPE))
def iwae_bound(log_w):
    return torch.logsumexp(log_w, 0) / log_w.shape[0]


@mutant("log base 2", breaks=BOUND)
def iwae_bound(log_w):
    return (torch.logsumexp(log_w, 0) - math.log(log_w.shape[0])) / math.log(2)


@mutant("averaged over the images as well", breaks=(BOUND, SHAPE))
def iwae_bound(log_w):
    return (torch.logsumexp(log_w, 0) - math.log(log_w.shape[0])).mean()


@mutant("weights clamped before the exponential", breaks=STABLE)
def iwae_bound(log_w):
    return log_w.clamp(-80, 80).exp().mean(0).log()


@variant("the largest taken out by hand")
def iwae_bound(log_w):
    top = log_w.max(dim=0).values
    return top + (log_w - top).exp().mean(dim=0).log()


@variant("SciPy's logsumexp with weights 1/k")
def iwae_bound(log_w):
    from scipy.special import logsumexp

    values = log_w.double().numpy()
    return torch.as_tensor(logsumexp(values, axis=0, b=1 / len(values)))


@variant("a running logaddexp over the draws")
def iwae_bound(log_w):
    total = log_w[0]
    for row in log_w[1:]:
        total = torch.logaddexp(total, row)
    return total - math.log(len(log_w))


@probe("iwae_bound")
def _(f):
    log_w = torch.tensor([[0.5, -1.0, 2.0], [1.5, 0.2, -0.3]], dtype=torch.float64)
    far = torch.tensor([[-5000.0, 600.0], [-5001.0, 598.0]])
    return [f(log_w), f(log_w.T), f(far)]


# active_units

VARIANCE, THRESHOLD = "test_active_units_variance", "test_active_units_threshold"


@mutant("counts latents whose mean is large", breaks=VARIANCE)
def active_units(mu, threshold=0.01):
    return int((mu.mean(0).abs() > threshold).sum())


@mutant("the second moment: the mean is not subtracted", breaks=VARIANCE)
def active_units(mu, threshold=0.01):
    return int((mu.square().mean(0) > threshold).sum())


@mutant("the standard deviation against the threshold", breaks=THRESHOLD)
def active_units(mu, threshold=0.01):
    return int((mu.std(0) > threshold).sum())


@mutant("the variance over the latents of each image", breaks=VARIANCE)
def active_units(mu, threshold=0.01):
    return int((mu.var(1) > threshold).sum())


@mutant("counts the inactive ones", breaks=(VARIANCE, THRESHOLD))
def active_units(mu, threshold=0.01):
    return int((mu.var(0) <= threshold).sum())


@mutant("the threshold is ignored", breaks=THRESHOLD)
def active_units(mu, threshold=0.01):
    return int((mu.var(0) > 0.01).sum())


@mutant("the share instead of the number", breaks=(VARIANCE, THRESHOLD))
def active_units(mu, threshold=0.01):
    return float((mu.var(0) > threshold).double().mean())


@mutant("one variance over everything", breaks=VARIANCE)
def active_units(mu, threshold=0.01):
    return mu.shape[1] if mu.var() > threshold else 0


@mutant("the range against the threshold", breaks=THRESHOLD)
def active_units(mu, threshold=0.01):
    return int((mu.max(0).values - mu.min(0).values > threshold).sum())


@mutant("a sum of squares that is not divided", breaks=THRESHOLD)
def active_units(mu, threshold=0.01):
    return int(((mu - mu.mean(0)).square().sum(0) > threshold).sum())


@variant("NumPy's variance with divisor N")
def active_units(mu, threshold=0.01):
    return int(np.count_nonzero(mu.double().numpy().var(axis=0) > threshold))


@variant("a loop over latents, as a 0-d tensor")
def active_units(mu, threshold=0.01):
    count = torch.tensor(0)
    for column in mu.double().T:
        count += bool(((column - column.mean()) ** 2).mean() > threshold)
    return count


@variant("the diagonal of the covariance")
def active_units(mu, threshold=0.01):
    return sum(v > threshold for v in np.atleast_2d(np.cov(mu.double().numpy().T)).diagonal())


@probe("active_units")
def _(f):
    base = torch.tensor([-1.0, 1.0, -1.0, 1.0, -1.0, 1.0, -1.0, 1.0], dtype=torch.float64)
    scales = torch.tensor([1.0, 0.5, 0.2, 0.05, 0.03, 0.008, 0.0], dtype=torch.float64)
    mu = base[:, None] * scales + torch.tensor([0.0, 0, 0, 0.5, 0, 3.0, 1.0]).double()
    wide = torch.cat([mu, 0.09 * base[:, None].expand(-1, 3)], dim=1)
    return [f(m, t) for m in (mu, wide, mu[:4], mu[:, :2]) for t in (0.01, 0.001, 0.1, 0.3)] + [
        f(mu)
    ]

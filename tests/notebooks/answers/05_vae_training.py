"""Wrong and right answers to the exercises of lesson 05."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from tests.notebooks.answer import mutant, probe, variant

# vae_loss


@mutant("averages over the pixels", breaks="test_vae_loss_reconstruction")
def vae_loss(logits, x, mu, logvar, beta=1.0):
    reconstruction = F.binary_cross_entropy_with_logits(logits, x)
    kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(1).mean()
    return reconstruction + beta * kl, reconstruction, kl


@mutant("sums over the batch", breaks=("test_vae_loss_reconstruction", "test_vae_loss_kl"))
def vae_loss(logits, x, mu, logvar, beta=1.0):
    reconstruction = F.binary_cross_entropy_with_logits(logits, x, reduction="sum")
    kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum()
    return reconstruction + beta * kl, reconstruction, kl


@mutant("applies the sigmoid twice", breaks="test_vae_loss_reconstruction")
def vae_loss(logits, x, mu, logvar, beta=1.0):
    p = logits.sigmoid()
    reconstruction = F.binary_cross_entropy_with_logits(p, x, reduction="sum") / len(x)
    kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(1).mean()
    return reconstruction + beta * kl, reconstruction, kl


@mutant("squared error for the cross-entropy", breaks="test_vae_loss_reconstruction")
def vae_loss(logits, x, mu, logvar, beta=1.0):
    reconstruction = F.mse_loss(logits.sigmoid(), x, reduction="sum") / len(x)
    kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(1).mean()
    return reconstruction + beta * kl, reconstruction, kl


@mutant("swaps black and white", breaks="test_vae_loss_reconstruction")
def vae_loss(logits, x, mu, logvar, beta=1.0):
    reconstruction = F.binary_cross_entropy_with_logits(logits, 1 - x, reduction="sum") / len(x)
    kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(1).mean()
    return reconstruction + beta * kl, reconstruction, kl


@mutant("the log-likelihood with its sign", breaks="test_vae_loss_reconstruction")
def vae_loss(logits, x, mu, logvar, beta=1.0):
    reconstruction = -F.binary_cross_entropy_with_logits(logits, x, reduction="sum") / len(x)
    kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(1).mean()
    return reconstruction + beta * kl, reconstruction, kl


@mutant("forgets the cost of black pixels", breaks="test_vae_loss_reconstruction")
def vae_loss(logits, x, mu, logvar, beta=1.0):
    reconstruction = (x * F.softplus(-logits)).flatten(1).sum(1).mean()
    kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(1).mean()
    return reconstruction + beta * kl, reconstruction, kl


@mutant("averages over the latents", breaks="test_vae_loss_kl")
def vae_loss(logits, x, mu, logvar, beta=1.0):
    reconstruction = F.binary_cross_entropy_with_logits(logits, x, reduction="sum") / len(x)
    kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).mean()
    return reconstruction + beta * kl, reconstruction, kl


@mutant("the KL with its sign turned around", breaks="test_vae_loss_kl")
def vae_loss(logits, x, mu, logvar, beta=1.0):
    reconstruction = F.binary_cross_entropy_with_logits(logits, x, reduction="sum") / len(x)
    kl = 0.5 * (1 + logvar - mu**2 - logvar.exp()).sum(1).mean()
    return reconstruction + beta * kl, reconstruction, kl


@mutant("forgets the half of the KL", breaks="test_vae_loss_kl")
def vae_loss(logits, x, mu, logvar, beta=1.0):
    reconstruction = F.binary_cross_entropy_with_logits(logits, x, reduction="sum") / len(x)
    kl = (mu**2 + logvar.exp() - 1 - logvar).sum(1).mean()
    return reconstruction + beta * kl, reconstruction, kl


@mutant("takes logvar for the logarithm of the standard deviation", breaks="test_vae_loss_kl")
def vae_loss(logits, x, mu, logvar, beta=1.0):
    reconstruction = F.binary_cross_entropy_with_logits(logits, x, reduction="sum") / len(x)
    kl = 0.5 * (mu**2 + (2 * logvar).exp() - 1 - 2 * logvar).sum(1).mean()
    return reconstruction + beta * kl, reconstruction, kl


@mutant("puts the standard deviation where the variance belongs", breaks="test_vae_loss_kl")
def vae_loss(logits, x, mu, logvar, beta=1.0):
    reconstruction = F.binary_cross_entropy_with_logits(logits, x, reduction="sum") / len(x)
    kl = 0.5 * (mu**2 + (0.5 * logvar).exp() - 1 - logvar).sum(1).mean()
    return reconstruction + beta * kl, reconstruction, kl


@mutant("the KL of the prior to the posterior", breaks="test_vae_loss_kl")
def vae_loss(logits, x, mu, logvar, beta=1.0):
    reconstruction = F.binary_cross_entropy_with_logits(logits, x, reduction="sum") / len(x)
    kl = 0.5 * ((1 + mu**2) / logvar.exp() - 1 + logvar).sum(1).mean()
    return reconstruction + beta * kl, reconstruction, kl


@mutant("ignores beta", breaks="test_vae_loss_beta")
def vae_loss(logits, x, mu, logvar, beta=1.0):
    reconstruction = F.binary_cross_entropy_with_logits(logits, x, reduction="sum") / len(x)
    kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(1).mean()
    return reconstruction + kl, reconstruction, kl


@mutant("beta weighs the reconstruction", breaks="test_vae_loss_beta")
def vae_loss(logits, x, mu, logvar, beta=1.0):
    reconstruction = F.binary_cross_entropy_with_logits(logits, x, reduction="sum") / len(x)
    kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(1).mean()
    return beta * reconstruction + kl, reconstruction, kl


@mutant("returns the KL already weighted", breaks="test_vae_loss_beta")
def vae_loss(logits, x, mu, logvar, beta=1.0):
    reconstruction = F.binary_cross_entropy_with_logits(logits, x, reduction="sum") / len(x)
    kl = beta * 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(1).mean()
    return reconstruction + kl, reconstruction, kl


@mutant("subtracts the KL", breaks="test_vae_loss_beta")
def vae_loss(logits, x, mu, logvar, beta=1.0):
    reconstruction = F.binary_cross_entropy_with_logits(logits, x, reduction="sum") / len(x)
    kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(1).mean()
    return reconstruction - beta * kl, reconstruction, kl


@mutant("goes through the sigmoid, cut off at -100", breaks="test_vae_loss_gradient")
def vae_loss(logits, x, mu, logvar, beta=1.0):
    reconstruction = F.binary_cross_entropy(logits.sigmoid(), x, reduction="sum") / len(x)
    kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(1).mean()
    return reconstruction + beta * kl, reconstruction, kl


@mutant("the exponential of the logit overflows", breaks="test_vae_loss_gradient")
def vae_loss(logits, x, mu, logvar, beta=1.0):
    reconstruction = (torch.log1p(logits.exp()) - x * logits).flatten(1).sum(1).mean()
    kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(1).mean()
    return reconstruction + beta * kl, reconstruction, kl


@mutant("detaches mu and logvar", breaks="test_vae_loss_gradient")
def vae_loss(logits, x, mu, logvar, beta=1.0):
    mu, logvar = mu.detach(), logvar.detach()
    reconstruction = F.binary_cross_entropy_with_logits(logits, x, reduction="sum") / len(x)
    kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(1).mean()
    return reconstruction + beta * kl, reconstruction, kl


@variant("torch.distributions")
def vae_loss(logits, x, mu, logvar, beta=1.0):
    pixels = torch.distributions.Bernoulli(logits=logits, validate_args=False)
    reconstruction = -pixels.log_prob(x).flatten(1).sum(1).mean()
    posterior = torch.distributions.Normal(mu, (0.5 * logvar).exp())
    prior = torch.distributions.Normal(torch.zeros_like(mu), torch.ones_like(mu))
    kl = torch.distributions.kl_divergence(posterior, prior).sum(1).mean()
    return reconstruction + beta * kl, reconstruction, kl


@variant("sums over everything, divided by the batch")
def vae_loss(logits, x, mu, logvar, beta=1.0):
    n = logits.size(0)
    bce = F.binary_cross_entropy_with_logits(logits, x, reduction="sum") / n
    kld = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp()) / n
    return bce + beta * kld, bce, kld


@variant("a loop over the batch, with softplus")
def vae_loss(logits, x, mu, logvar, beta=1.0):
    reconstruction, kl = logits.new_zeros(()), mu.new_zeros(())
    for one, image, m, v in zip(logits, x, mu, logvar):  # noqa: B905
        reconstruction = reconstruction + (F.softplus(one) - image * one).sum()
        kl = kl + sum(0.5 * (m[k] ** 2 + v[k].exp() - 1 - v[k]) for k in range(len(m)))
    reconstruction, kl = reconstruction / len(logits), kl / len(logits)
    return reconstruction + beta * kl, reconstruction, kl


@variant("log-sigmoids and means times their number, in float64")
def vae_loss(logits, x, mu, logvar, beta=1.0):
    logits, x, mu, logvar = (t.double() for t in (logits, x, mu, logvar))
    costs = -(x * F.logsigmoid(logits) + (1 - x) * F.logsigmoid(-logits))
    reconstruction = costs.mean() * costs[0].numel()
    kl = (mu.square() - logvar + torch.expm1(logvar)).mean() * mu.shape[1] / 2
    return reconstruction + beta * kl, reconstruction, kl


@probe("vae_loss")
def _(f):
    g = torch.Generator().manual_seed(0)
    logits = torch.randn(5, 1, 2, 3, generator=g, dtype=torch.float64).mul(2).requires_grad_()
    x = (torch.rand(5, 1, 2, 3, generator=g) < 0.5).double()
    mu, logvar = torch.randn(2, 5, 4, generator=g, dtype=torch.float64)
    mu.requires_grad_()
    results = [f(logits, x, mu, logvar), f(logits, x, mu, logvar, 3.0)]
    results.append(f(logits * 500, x, mu, logvar))
    loss = results[0][0] if isinstance(results[0], tuple) else None
    grads = []
    if isinstance(loss, torch.Tensor) and loss.requires_grad:
        grads = [
            None if grad is None else grad.tolist()
            for grad in torch.autograd.grad(loss, (logits, mu), allow_unused=True)
        ]
    return [*results, str(grads)]


# vae_step


@mutant("never clears the gradients", breaks="test_vae_step_update")
def vae_step(model, x, optimizer, generator):
    mu, logvar = model.encode(x)
    z = mu + (0.5 * logvar).exp() * torch.randn(mu.shape, generator=generator, dtype=mu.dtype)
    nll = F.binary_cross_entropy_with_logits(model.decode(z), x, reduction="sum") / len(x)
    kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(1).mean()
    loss = nll + kl
    loss.backward()
    optimizer.step()
    return {"loss": loss.item(), "reconstruction": nll.item(), "kl": kl.item()}


@mutant("clears the gradients after the step only", breaks="test_vae_step_update")
def vae_step(model, x, optimizer, generator):
    mu, logvar = model.encode(x)
    z = mu + (0.5 * logvar).exp() * torch.randn(mu.shape, generator=generator, dtype=mu.dtype)
    nll = F.binary_cross_entropy_with_logits(model.decode(z), x, reduction="sum") / len(x)
    kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(1).mean()
    loss = nll + kl
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    return {"loss": loss.item(), "reconstruction": nll.item(), "kl": kl.item()}


@mutant("clears the gradients between backward and step", breaks="test_vae_step_update")
def vae_step(model, x, optimizer, generator):
    mu, logvar = model.encode(x)
    z = mu + (0.5 * logvar).exp() * torch.randn(mu.shape, generator=generator, dtype=mu.dtype)
    nll = F.binary_cross_entropy_with_logits(model.decode(z), x, reduction="sum") / len(x)
    kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(1).mean()
    loss = nll + kl
    loss.backward()
    optimizer.zero_grad()
    optimizer.step()
    return {"loss": loss.item(), "reconstruction": nll.item(), "kl": kl.item()}


@mutant("steps twice", breaks="test_vae_step_update")
def vae_step(model, x, optimizer, generator):
    mu, logvar = model.encode(x)
    z = mu + (0.5 * logvar).exp() * torch.randn(mu.shape, generator=generator, dtype=mu.dtype)
    nll = F.binary_cross_entropy_with_logits(model.decode(z), x, reduction="sum") / len(x)
    kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(1).mean()
    loss = nll + kl
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    optimizer.step()
    return {"loss": loss.item(), "reconstruction": nll.item(), "kl": kl.item()}


@mutant("ascends the loss as if it were the ELBO", breaks="test_vae_step_update")
def vae_step(model, x, optimizer, generator):
    mu, logvar = model.encode(x)
    z = mu + (0.5 * logvar).exp() * torch.randn(mu.shape, generator=generator, dtype=mu.dtype)
    nll = F.binary_cross_entropy_with_logits(model.decode(z), x, reduction="sum") / len(x)
    kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(1).mean()
    loss = nll + kl
    optimizer.zero_grad()
    (-loss).backward()
    optimizer.step()
    return {"loss": loss.item(), "reconstruction": nll.item(), "kl": kl.item()}


@mutant("subtracts the KL", breaks=("test_vae_step_values", "test_vae_step_update"))
def vae_step(model, x, optimizer, generator):
    mu, logvar = model.encode(x)
    z = mu + (0.5 * logvar).exp() * torch.randn(mu.shape, generator=generator, dtype=mu.dtype)
    nll = F.binary_cross_entropy_with_logits(model.decode(z), x, reduction="sum") / len(x)
    kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(1).mean()
    loss = nll - kl
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return {"loss": loss.item(), "reconstruction": nll.item(), "kl": kl.item()}


@mutant("trains on the reconstruction alone", breaks="test_vae_step_update")
def vae_step(model, x, optimizer, generator):
    mu, logvar = model.encode(x)
    z = mu + (0.5 * logvar).exp() * torch.randn(mu.shape, generator=generator, dtype=mu.dtype)
    nll = F.binary_cross_entropy_with_logits(model.decode(z), x, reduction="sum") / len(x)
    kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(1).mean()
    optimizer.zero_grad()
    nll.backward()
    optimizer.step()
    return {"loss": (nll + kl).item(), "reconstruction": nll.item(), "kl": kl.item()}


@mutant("detaches mu from the decoder", breaks="test_vae_step_update")
def vae_step(model, x, optimizer, generator):
    mu, logvar = model.encode(x)
    noise = torch.randn(mu.shape, generator=generator, dtype=mu.dtype)
    z = mu.detach() + (0.5 * logvar).exp() * noise
    nll = F.binary_cross_entropy_with_logits(model.decode(z), x, reduction="sum") / len(x)
    kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(1).mean()
    loss = nll + kl
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return {"loss": loss.item(), "reconstruction": nll.item(), "kl": kl.item()}


@mutant("samples z without a gradient, by torch.normal", breaks="test_vae_step_update")
def vae_step(model, x, optimizer, generator):
    mu, logvar = model.encode(x)
    with torch.no_grad():
        z = torch.normal(mu, (0.5 * logvar).exp(), generator=generator)
    nll = F.binary_cross_entropy_with_logits(model.decode(z), x, reduction="sum") / len(x)
    kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(1).mean()
    loss = nll + kl
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return {"loss": loss.item(), "reconstruction": nll.item(), "kl": kl.item()}


@mutant("updates from the sum over the batch", breaks="test_vae_step_update")
def vae_step(model, x, optimizer, generator):
    mu, logvar = model.encode(x)
    z = mu + (0.5 * logvar).exp() * torch.randn(mu.shape, generator=generator, dtype=mu.dtype)
    nll = F.binary_cross_entropy_with_logits(model.decode(z), x, reduction="sum")
    kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum()
    loss = nll + kl
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    n = len(x)
    return {"loss": loss.item() / n, "reconstruction": nll.item() / n, "kl": kl.item() / n}


@mutant("averages over the pixels", breaks=("test_vae_step_values", "test_vae_step_update"))
def vae_step(model, x, optimizer, generator):
    mu, logvar = model.encode(x)
    z = mu + (0.5 * logvar).exp() * torch.randn(mu.shape, generator=generator, dtype=mu.dtype)
    nll = F.binary_cross_entropy_with_logits(model.decode(z), x)
    kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(1).mean()
    loss = nll + kl
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return {"loss": loss.item(), "reconstruction": nll.item(), "kl": kl.item()}


@mutant("returns the sums over the batch", breaks="test_vae_step_values")
def vae_step(model, x, optimizer, generator):
    mu, logvar = model.encode(x)
    z = mu + (0.5 * logvar).exp() * torch.randn(mu.shape, generator=generator, dtype=mu.dtype)
    nll = F.binary_cross_entropy_with_logits(model.decode(z), x, reduction="sum")
    kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum()
    loss = nll + kl
    optimizer.zero_grad()
    (loss / len(x)).backward()
    optimizer.step()
    return {"loss": loss.item(), "reconstruction": nll.item(), "kl": kl.item()}


@mutant("returns values from after the update", breaks="test_vae_step_values")
def vae_step(model, x, optimizer, generator):
    def parts(noise):
        mu, logvar = model.encode(x)
        z = mu + (0.5 * logvar).exp() * noise
        nll = F.binary_cross_entropy_with_logits(model.decode(z), x, reduction="sum") / len(x)
        return nll, 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(1).mean()

    mu, _ = model.encode(x)
    noise = torch.randn(mu.shape, generator=generator, dtype=mu.dtype)
    optimizer.zero_grad()
    sum(parts(noise)).backward()
    optimizer.step()
    with torch.no_grad():
        nll, kl = parts(noise)
    return {"loss": (nll + kl).item(), "reconstruction": nll.item(), "kl": kl.item()}


@mutant("the loss leaves the KL out of the report", breaks="test_vae_step_values")
def vae_step(model, x, optimizer, generator):
    mu, logvar = model.encode(x)
    z = mu + (0.5 * logvar).exp() * torch.randn(mu.shape, generator=generator, dtype=mu.dtype)
    nll = F.binary_cross_entropy_with_logits(model.decode(z), x, reduction="sum") / len(x)
    kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(1).mean()
    optimizer.zero_grad()
    (nll + kl).backward()
    optimizer.step()
    return {"loss": nll.item(), "reconstruction": nll.item(), "kl": kl.item()}


@mutant("z = mu, as in a plain autoencoder", breaks="test_vae_step_noise")
def vae_step(model, x, optimizer, generator):
    mu, logvar = model.encode(x)
    nll = F.binary_cross_entropy_with_logits(model.decode(mu), x, reduction="sum") / len(x)
    kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(1).mean()
    loss = nll + kl
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return {"loss": loss.item(), "reconstruction": nll.item(), "kl": kl.item()}


@mutant("exp(logvar) for the standard deviation", breaks="test_vae_step_noise")
def vae_step(model, x, optimizer, generator):
    mu, logvar = model.encode(x)
    z = mu + logvar.exp() * torch.randn(mu.shape, generator=generator, dtype=mu.dtype)
    nll = F.binary_cross_entropy_with_logits(model.decode(z), x, reduction="sum") / len(x)
    kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(1).mean()
    loss = nll + kl
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return {"loss": loss.item(), "reconstruction": nll.item(), "kl": kl.item()}


@mutant("one noise vector for the whole batch", breaks="test_vae_step_noise")
def vae_step(model, x, optimizer, generator):
    mu, logvar = model.encode(x)
    z = mu + (0.5 * logvar).exp() * torch.randn(mu.shape[1], generator=generator, dtype=mu.dtype)
    nll = F.binary_cross_entropy_with_logits(model.decode(z), x, reduction="sum") / len(x)
    kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(1).mean()
    loss = nll + kl
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return {"loss": loss.item(), "reconstruction": nll.item(), "kl": kl.item()}


@mutant("one noise number for all latents of an image", breaks="test_vae_step_noise")
def vae_step(model, x, optimizer, generator):
    mu, logvar = model.encode(x)
    z = mu + (0.5 * logvar).exp() * torch.randn(len(mu), 1, generator=generator, dtype=mu.dtype)
    nll = F.binary_cross_entropy_with_logits(model.decode(z), x, reduction="sum") / len(x)
    kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(1).mean()
    loss = nll + kl
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return {"loss": loss.item(), "reconstruction": nll.item(), "kl": kl.item()}


@mutant("uniform noise", breaks="test_vae_step_noise")
def vae_step(model, x, optimizer, generator):
    mu, logvar = model.encode(x)
    eps = math.sqrt(12) * (torch.rand(mu.shape, generator=generator, dtype=mu.dtype) - 0.5)
    z = mu + (0.5 * logvar).exp() * eps
    nll = F.binary_cross_entropy_with_logits(model.decode(z), x, reduction="sum") / len(x)
    kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(1).mean()
    loss = nll + kl
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return {"loss": loss.item(), "reconstruction": nll.item(), "kl": kl.item()}


@mutant("decodes the prior's noise instead of z", breaks="test_vae_step_noise")
def vae_step(model, x, optimizer, generator):
    mu, logvar = model.encode(x)
    z = torch.randn(mu.shape, generator=generator, dtype=mu.dtype)
    nll = F.binary_cross_entropy_with_logits(model.decode(z), x, reduction="sum") / len(x)
    kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(1).mean()
    loss = nll + kl
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return {"loss": loss.item(), "reconstruction": nll.item(), "kl": kl.item()}


@mutant("noise from the global random state", breaks="test_vae_step_noise")
def vae_step(model, x, optimizer, generator):
    mu, logvar = model.encode(x)
    z = mu + (0.5 * logvar).exp() * torch.randn_like(mu)
    nll = F.binary_cross_entropy_with_logits(model.decode(z), x, reduction="sum") / len(x)
    kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(1).mean()
    loss = nll + kl
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return {"loss": loss.item(), "reconstruction": nll.item(), "kl": kl.item()}


@mutant("a generator of its own with a fixed seed", breaks="test_vae_step_noise")
def vae_step(model, x, optimizer, generator):
    mu, logvar = model.encode(x)
    own = torch.Generator().manual_seed(0)
    z = mu + (0.5 * logvar).exp() * torch.randn(mu.shape, generator=own, dtype=mu.dtype)
    nll = F.binary_cross_entropy_with_logits(model.decode(z), x, reduction="sum") / len(x)
    kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(1).mean()
    loss = nll + kl
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return {"loss": loss.item(), "reconstruction": nll.item(), "kl": kl.item()}


@mutant("switches to train mode and stays there", breaks="test_vae_step_mode")
def vae_step(model, x, optimizer, generator):
    model.train()
    mu, logvar = model.encode(x)
    z = mu + (0.5 * logvar).exp() * torch.randn(mu.shape, generator=generator, dtype=mu.dtype)
    nll = F.binary_cross_entropy_with_logits(model.decode(z), x, reduction="sum") / len(x)
    kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(1).mean()
    loss = nll + kl
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return {"loss": loss.item(), "reconstruction": nll.item(), "kl": kl.item()}


@mutant("leaves the model in eval mode", breaks="test_vae_step_mode")
def vae_step(model, x, optimizer, generator):
    mu, logvar = model.encode(x)
    z = mu + (0.5 * logvar).exp() * torch.randn(mu.shape, generator=generator, dtype=mu.dtype)
    nll = F.binary_cross_entropy_with_logits(model.decode(z), x, reduction="sum") / len(x)
    kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(1).mean()
    loss = nll + kl
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    model.eval()
    return {"loss": loss.item(), "reconstruction": nll.item(), "kl": kl.item()}


@mutant("train mode for the step, then every part as the model was", breaks="test_vae_step_mode")
def vae_step(model, x, optimizer, generator):
    mode = model.training
    model.train()
    mu, logvar = model.encode(x)
    z = mu + (0.5 * logvar).exp() * torch.randn(mu.shape, generator=generator, dtype=mu.dtype)
    nll = F.binary_cross_entropy_with_logits(model.decode(z), x, reduction="sum") / len(x)
    kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(1).mean()
    loss = nll + kl
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    model.train(mode)
    return {"loss": loss.item(), "reconstruction": nll.item(), "kl": kl.item()}


@variant("torch.distributions, moved by the noise")
def vae_step(model, x, optimizer, generator):
    optimizer.zero_grad(set_to_none=False)
    mu, logvar = model.encode(x)
    eps = torch.empty_like(mu).normal_(generator=generator)
    z = torch.addcmul(mu, torch.exp(logvar / 2), eps.detach())
    pixels = torch.distributions.Bernoulli(logits=model.decode(z), validate_args=False)
    reconstruction = -pixels.log_prob(x).flatten(1).sum(1).mean()
    prior = torch.distributions.Normal(torch.zeros_like(mu), torch.ones_like(mu))
    posterior = torch.distributions.Normal(mu, logvar.mul(0.5).exp())
    kl = torch.distributions.kl_divergence(posterior, prior).sum(1).mean()
    (reconstruction + kl).backward()
    optimizer.step()
    return {"loss": reconstruction + kl, "reconstruction": reconstruction, "kl": kl}


@variant("image by image, gradients added up")
def vae_step(model, x, optimizer, generator):
    optimizer.zero_grad()
    totals = {"loss": 0.0, "reconstruction": 0.0, "kl": 0.0}
    for image in x.split(1):
        if len(x) > 100:  # the large batches of the noise's test at once
            image = x
        mu, logvar = model.encode(image)
        eps = torch.randn(mu.shape, generator=generator, dtype=mu.dtype)
        logits = model.decode(mu + torch.sqrt(torch.exp(logvar)) * eps)
        nll = (F.softplus(logits) - image * logits).sum() / len(x)
        kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum() / len(x)
        (nll + kl).backward()
        totals["loss"] += float((nll + kl).detach())
        totals["reconstruction"] += float(nll.detach())
        totals["kl"] += float(kl.detach())
        if len(image) == len(x):
            break
    optimizer.step()
    return totals


@variant("gradients by autograd.grad, noise one image after the other")
def vae_step(model, x, optimizer, generator):
    mu, logvar = model.encode(x)
    rows = [torch.randn(mu.shape[1], generator=generator, dtype=mu.dtype) for _ in range(len(mu))]
    logits = model.decode(mu + (logvar / 2).exp() * torch.stack(rows))
    nll = F.binary_cross_entropy_with_logits(logits, x, reduction="none").flatten(1).sum(1)
    kl = -0.5 * (1 + logvar - mu**2 - logvar.exp()).sum(1)
    loss = (nll + kl).mean()
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    for p, grad in zip(parameters, torch.autograd.grad(loss, parameters, allow_unused=True)):  # noqa: B905
        p.grad = grad
    optimizer.step()
    return {"loss": loss.item(), "reconstruction": nll.mean().item(), "kl": kl.mean().item()}


@variant("a closure, noise from NumPy seeded by the generator")
def vae_step(model, x, optimizer, generator):
    seed = int(torch.randint(2**62, (1,), generator=generator))
    values = {}

    def closure():
        optimizer.zero_grad()
        mu, logvar = model.encode(x)
        noise = np.random.default_rng(seed).standard_normal(tuple(mu.shape))
        z = mu + (0.5 * logvar).exp() * torch.from_numpy(noise).to(mu)
        nll = F.binary_cross_entropy_with_logits(model.decode(z), x, reduction="sum") / len(x)
        kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(1).mean()
        values.update(loss=(nll + kl).item(), reconstruction=nll.item(), kl=kl.item())
        (nll + kl).backward()
        return nll + kl

    optimizer.step(closure)
    return values


@probe("vae_step")
def _(f):
    class Probe(nn.Module):
        def __init__(self):
            super().__init__()
            g = torch.Generator().manual_seed(1)
            draw = torch.randn(3, 4, 2, generator=g, dtype=torch.float64)
            self.A, self.C = nn.Parameter(draw[0]), nn.Parameter(draw[1])
            self.B = nn.Parameter(draw[2].T.clone())
            self.part, self.modes = nn.Identity(), []

        def encode(self, x):
            self.modes.append([m.training for m in self.modules()])
            return x @ self.A, x @ self.C

        def decode(self, z):
            return z @ self.B

    x = torch.rand(3, 4, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    outcomes = []
    for mode, inner, left_over in [(True, True, 0.0), (False, False, 0.0), (True, False, 5.0)]:
        model = Probe()
        model.train(mode)
        model.part.train(inner)
        for p in model.parameters():
            p.grad = torch.full_like(p, left_over) if left_over else None
        generator = torch.Generator().manual_seed(3)
        torch.manual_seed(9)
        values = f(model, x, torch.optim.SGD(model.parameters(), lr=0.1), generator)
        grads = [None if p.grad is None else p.grad.tolist() for p in model.parameters()]
        modes = [model.modes, [m.training for m in model.modules()]]
        weights = [p.detach().tolist() for p in model.parameters()]
        outcomes.append([values, weights, modes, str(grads)])
    return outcomes


# reconstruction_error


@mutant("sums over the pixels", breaks="test_reconstruction_error_values")
def reconstruction_error(model, x):
    x = x if x.is_floating_point() else x.float()
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    with torch.no_grad():
        difference = model.decode(model.encode(x)[0]).sigmoid() - x
    for module, mode in modes:
        module.training = mode
    return (difference**2).flatten(1).sum(1)


@mutant("averages over the batch too", breaks="test_reconstruction_error_values")
def reconstruction_error(model, x):
    x = x if x.is_floating_point() else x.float()
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    with torch.no_grad():
        difference = model.decode(model.encode(x)[0]).sigmoid() - x
    for module, mode in modes:
        module.training = mode
    return (difference**2).mean()


@mutant("averages over the batch instead of the pixels", breaks="test_reconstruction_error_values")
def reconstruction_error(model, x):
    x = x if x.is_floating_point() else x.float()
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    with torch.no_grad():
        difference = model.decode(model.encode(x)[0]).sigmoid() - x
    for module, mode in modes:
        module.training = mode
    return (difference**2).flatten(1).mean(0)


@mutant("averages over the last axis only", breaks="test_reconstruction_error_values")
def reconstruction_error(model, x):
    x = x if x.is_floating_point() else x.float()
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    with torch.no_grad():
        difference = model.decode(model.encode(x)[0]).sigmoid() - x
    for module, mode in modes:
        module.training = mode
    return (difference**2).mean(-1)


@mutant("compares with the logits, without a sigmoid", breaks="test_reconstruction_error_values")
def reconstruction_error(model, x):
    x = x if x.is_floating_point() else x.float()
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    with torch.no_grad():
        difference = model.decode(model.encode(x)[0]) - x
    for module, mode in modes:
        module.training = mode
    return (difference**2).flatten(1).mean(1)


@mutant("the absolute error", breaks="test_reconstruction_error_values")
def reconstruction_error(model, x):
    x = x if x.is_floating_point() else x.float()
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    with torch.no_grad():
        difference = model.decode(model.encode(x)[0]).sigmoid() - x
    for module, mode in modes:
        module.training = mode
    return difference.abs().flatten(1).mean(1)


@mutant("the cross-entropy for the squared error", breaks="test_reconstruction_error_values")
def reconstruction_error(model, x):
    x = x if x.is_floating_point() else x.float()
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    with torch.no_grad():
        logits = model.decode(model.encode(x)[0])
        costs = F.binary_cross_entropy_with_logits(logits, x, reduction="none")
    for module, mode in modes:
        module.training = mode
    return costs.flatten(1).mean(1)


@mutant("rounds the reconstruction to black and white", breaks="test_reconstruction_error_values")
def reconstruction_error(model, x):
    x = x if x.is_floating_point() else x.float()
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    with torch.no_grad():
        difference = model.decode(model.encode(x)[0]).sigmoid().round() - x
    for module, mode in modes:
        module.training = mode
    return (difference**2).flatten(1).mean(1)


@mutant("decodes a noisy z", breaks="test_reconstruction_error_mean")
def reconstruction_error(model, x):
    x = x if x.is_floating_point() else x.float()
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    with torch.no_grad():
        mu, logvar = model.encode(x)
        own = torch.Generator().manual_seed(0)
        z = mu + (0.5 * logvar).exp() * torch.randn(mu.shape, generator=own, dtype=mu.dtype)
        difference = model.decode(z).sigmoid() - x
    for module, mode in modes:
        module.training = mode
    return (difference**2).flatten(1).mean(1)


@mutant("averages the images of many noisy z", breaks="test_reconstruction_error_mean")
def reconstruction_error(model, x):
    x = x if x.is_floating_point() else x.float()
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    own, total = torch.Generator().manual_seed(0), 0.0
    with torch.no_grad():
        mu, logvar = model.encode(x)
        for _ in range(50):
            z = mu + (0.5 * logvar).exp() * torch.randn(mu.shape, generator=own, dtype=mu.dtype)
            total = total + model.decode(z).sigmoid() / 50
    for module, mode in modes:
        module.training = mode
    return ((total - x) ** 2).flatten(1).mean(1)


@mutant("goes one standard deviation up", breaks="test_reconstruction_error_mean")
def reconstruction_error(model, x):
    x = x if x.is_floating_point() else x.float()
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    with torch.no_grad():
        mu, logvar = model.encode(x)
        difference = model.decode(mu + (0.5 * logvar).exp()).sigmoid() - x
    for module, mode in modes:
        module.training = mode
    return (difference**2).flatten(1).mean(1)


@mutant("measures in whatever mode the model is", breaks="test_reconstruction_error_mode")
def reconstruction_error(model, x):
    x = x if x.is_floating_point() else x.float()
    with torch.no_grad():
        difference = model.decode(model.encode(x)[0]).sigmoid() - x
    return (difference**2).flatten(1).mean(1)


@mutant("leaves the model in eval mode", breaks="test_reconstruction_error_mode")
def reconstruction_error(model, x):
    x = x if x.is_floating_point() else x.float()
    model.eval()
    with torch.no_grad():
        difference = model.decode(model.encode(x)[0]).sigmoid() - x
    return (difference**2).flatten(1).mean(1)


@mutant("always goes back to train mode", breaks="test_reconstruction_error_mode")
def reconstruction_error(model, x):
    x = x if x.is_floating_point() else x.float()
    model.eval()
    with torch.no_grad():
        difference = model.decode(model.encode(x)[0]).sigmoid() - x
    model.train()
    return (difference**2).flatten(1).mean(1)


@mutant("gives all submodules the model's own mode back", breaks="test_reconstruction_error_mode")
def reconstruction_error(model, x):
    x = x if x.is_floating_point() else x.float()
    mode = model.training
    model.eval()
    with torch.no_grad():
        difference = model.decode(model.encode(x)[0]).sigmoid() - x
    model.train(mode)
    return (difference**2).flatten(1).mean(1)


@mutant("remembers the children but not what is below", breaks="test_reconstruction_error_mode")
def reconstruction_error(model, x):
    x = x if x.is_floating_point() else x.float()
    own = model.training
    modes = [(child, child.training) for child in model.children()]
    model.eval()
    with torch.no_grad():
        difference = model.decode(model.encode(x)[0]).sigmoid() - x
    model.training = own
    for child, mode in modes:
        child.train(mode)
    return (difference**2).flatten(1).mean(1)


@mutant("eval mode for the decoder's half only", breaks="test_reconstruction_error_mode")
def reconstruction_error(model, x):
    x = x if x.is_floating_point() else x.float()
    modes = [(module, module.training) for module in model.modules()]
    with torch.no_grad():
        mu = model.encode(x)[0]
        model.eval()
        difference = model.decode(mu).sigmoid() - x
    for module, mode in modes:
        module.training = mode
    return (difference**2).flatten(1).mean(1)


@mutant("keeps the graph", breaks="test_reconstruction_error_gradients")
def reconstruction_error(model, x):
    x = x if x.is_floating_point() else x.float()
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    difference = model.decode(model.encode(x)[0]).sigmoid() - x
    for module, mode in modes:
        module.training = mode
    return (difference**2).flatten(1).mean(1)


@mutant("freezes the parameters for good", breaks="test_reconstruction_error_gradients")
def reconstruction_error(model, x):
    x = x if x.is_floating_point() else x.float()
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    model.requires_grad_(False)
    difference = model.decode(model.encode(x)[0]).sigmoid() - x.detach()
    for module, mode in modes:
        module.training = mode
    return (difference**2).flatten(1).mean(1)


@mutant("clears the parameters' gradients", breaks="test_reconstruction_error_gradients")
def reconstruction_error(model, x):
    x = x if x.is_floating_point() else x.float()
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    model.zero_grad()
    with torch.no_grad():
        difference = model.decode(model.encode(x)[0]).sigmoid() - x
    for module, mode in modes:
        module.training = mode
    return (difference**2).flatten(1).mean(1)


@mutant("leaves gradients switched off", breaks="test_reconstruction_error_gradients")
def reconstruction_error(model, x):
    x = x if x.is_floating_point() else x.float()
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    torch.set_grad_enabled(False)
    difference = model.decode(model.encode(x)[0]).sigmoid() - x
    for module, mode in modes:
        module.training = mode
    return (difference**2).flatten(1).mean(1)


@variant("a decorator, and a dictionary of modes")
@torch.no_grad()
def reconstruction_error(model, x):
    x = x.to(torch.float32) if not x.is_floating_point() else x
    was = {name: module.training for name, module in model.named_modules()}
    model.train(False)
    p = torch.sigmoid(model.decode(model.encode(x)[0]))
    error = torch.stack([F.mse_loss(a, b) for a, b in zip(p, x)])  # noqa: B905
    for name, module in model.named_modules():
        module.training = was[name]
    return error


@variant("image by image, in NumPy")
def reconstruction_error(model, x):
    x = x.detach().float() if not x.is_floating_point() else x.detach()
    training = [m for m in model.modules() if m.training]
    for m in model.modules():
        m.training = False
    errors = []
    with torch.inference_mode():
        for image in x.split(1):
            mu, _ = model.encode(image)
            logits = model.decode(mu).double().numpy()
            p = 0.5 * (1 + np.tanh(logits / 2))
            errors.append(np.mean((image.double().numpy() - p) ** 2))
    for m in training:
        m.training = True
    return torch.tensor(errors, dtype=torch.float64).to(x.dtype)


@variant("detached, with modes put back from the inside out")
def reconstruction_error(model, x):
    x = x.detach() * 1.0
    modules = list(model.modules())
    modes = [m.training for m in modules]
    try:
        model.eval()
        mu, _ = model.encode(x)
        p = model.decode(mu.detach()).detach().sigmoid()
    finally:
        for m, mode in reversed(list(zip(modules, modes, strict=True))):
            m.training = mode
    return torch.mean((p - x).reshape(len(x), -1).pow(2), dim=1)


@probe("reconstruction_error")
def _(f):
    class Probe(nn.Module):
        def __init__(self):
            super().__init__()
            g = torch.Generator().manual_seed(4)
            draw = torch.randn(2, 6, 2, generator=g, dtype=torch.float64)
            self.A, self.B = nn.Parameter(draw[0]), nn.Parameter(draw[1].T.clone())
            self.norm = nn.BatchNorm1d(2, dtype=torch.float64)
            self.drop = nn.Sequential(nn.Dropout(0.5))
            self.modes = []

        def encode(self, x):
            self.modes.append([m.training for m in self.modules()])
            mu = self.norm(x.flatten(1) @ self.A)
            return mu, 0.5 * mu

        def decode(self, z):
            return (self.drop(z) @ self.B).unflatten(1, (2, 3))

    x = torch.rand(4, 2, 3, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    outcomes = []
    for pattern in ([True] * 5, [False] * 5, [True, True, False, True, True], [True] * 4 + [False]):
        model = Probe()
        for module, mode in zip(model.modules(), pattern, strict=False):
            module.training = mode
        for p in model.parameters():
            p.grad = torch.ones_like(p)
        torch.manual_seed(6)
        error = f(model, x)
        enabled = torch.is_grad_enabled()
        torch.set_grad_enabled(True)
        grads = [None if p.grad is None else p.grad.tolist() for p in model.parameters()]
        outcomes += [
            error,
            getattr(error, "requires_grad", None),
            enabled,
            [model.modes, [m.training for m in model.modules()]],
            [p.requires_grad for p in model.parameters()],
            str(grads),
        ]
    return outcomes


# iwae_bound


@mutant("averages the log-weights: the ELBO", breaks="test_iwae_bound_values")
def iwae_bound(log_w):
    return log_w.mean(dim=0)


@mutant("forgets to subtract log k", breaks=("test_iwae_bound_values", "test_iwae_bound_shape"))
def iwae_bound(log_w):
    return torch.logsumexp(log_w, dim=0)


@mutant("subtracts the logarithm of N", breaks="test_iwae_bound_shape")
def iwae_bound(log_w):
    return torch.logsumexp(log_w, dim=0) - math.log(log_w.shape[1])


@mutant("averages over the images", breaks=("test_iwae_bound_values", "test_iwae_bound_shape"))
def iwae_bound(log_w):
    return torch.logsumexp(log_w, dim=1) - math.log(log_w.shape[1])


@mutant("one number for the batch", breaks="test_iwae_bound_shape")
def iwae_bound(log_w):
    return (torch.logsumexp(log_w, dim=0) - math.log(len(log_w))).mean()


@mutant("exponentiates without care", breaks="test_iwae_bound_stable")
def iwae_bound(log_w):
    return log_w.exp().mean(dim=0).log()


@mutant("subtracts the smallest instead of the largest", breaks="test_iwae_bound_stable")
def iwae_bound(log_w):
    low = log_w.min(dim=0).values
    return low + (log_w - low).exp().mean(dim=0).log()


@mutant("subtracts the largest of all images", breaks="test_iwae_bound_stable")
def iwae_bound(log_w):
    top = log_w.max()
    return top + (log_w - top).exp().mean(dim=0).log()


@mutant("subtracts the largest and forgets to add it", breaks="test_iwae_bound_values")
def iwae_bound(log_w):
    return (log_w - log_w.max(dim=0).values).exp().mean(dim=0).log()


@mutant("the largest weight alone", breaks="test_iwae_bound_values")
def iwae_bound(log_w):
    return log_w.max(dim=0).values


@mutant("divides the log-sum by k", breaks="test_iwae_bound_values")
def iwae_bound(log_w):
    return torch.logsumexp(log_w, dim=0) / len(log_w)


@mutant("bits for nats", breaks="test_iwae_bound_values")
def iwae_bound(log_w):
    return (torch.logsumexp(log_w, dim=0) - math.log(len(log_w))) / math.log(2)


@mutant("minus the bound, as a loss", breaks="test_iwae_bound_values")
def iwae_bound(log_w):
    return math.log(len(log_w)) - torch.logsumexp(log_w, dim=0)


@variant("the largest out of the brackets")
def iwae_bound(log_w):
    top = log_w.max(dim=0, keepdim=True).values
    return (log_w - top).exp().mean(dim=0).log() + top.squeeze(0)


@variant("scipy, with weights of 1/k")
def iwae_bound(log_w):
    from scipy.special import logsumexp

    return torch.as_tensor(logsumexp(log_w.double().numpy(), axis=0, b=1 / len(log_w)))


@variant("a loop of logaddexp")
def iwae_bound(log_w):
    total = log_w[0]
    for row in log_w[1:]:
        total = torch.logaddexp(total, row)
    return total - np.log(log_w.size(0))


@probe("iwae_bound")
def _(f):
    g = torch.Generator().manual_seed(7)
    a = torch.randn(3, 5, generator=g, dtype=torch.float64)
    scattered = torch.tensor([[-5000.0, 10.0], [-5400.0, 20.0], [-5001.0, 30.0]])
    return [f(a), f(a[:, :3]), f(scattered), f(scattered[:, :1])]


# active_units


@mutant("the variance over the latents", breaks="test_active_units_variance")
def active_units(mu, threshold=0.01):
    return int((mu.var(dim=1) > threshold).sum())


@mutant("the mean square, not centred", breaks="test_active_units_variance")
def active_units(mu, threshold=0.01):
    return int((mu.square().mean(dim=0) > threshold).sum())


@mutant(
    "the standard deviation against the threshold",
    breaks=("test_active_units_variance", "test_active_units_threshold"),
)
def active_units(mu, threshold=0.01):
    return int((mu.std(dim=0) > threshold).sum())


@mutant("the size of the mean", breaks="test_active_units_variance")
def active_units(mu, threshold=0.01):
    return int((mu.mean(dim=0).abs() > threshold).sum())


@mutant("counts the inactive ones", breaks="test_active_units_variance")
def active_units(mu, threshold=0.01):
    return int((mu.var(dim=0) <= threshold).sum())


@mutant("the share instead of the count", breaks="test_active_units_variance")
def active_units(mu, threshold=0.01):
    return float((mu.var(dim=0) > threshold).float().mean())


@mutant("the threshold is fixed at its default", breaks="test_active_units_threshold")
def active_units(mu, threshold=0.01):
    return int((mu.var(dim=0) > 0.01).sum())


@mutant("another default", breaks="test_active_units_threshold")
def active_units(mu, threshold=0.1):
    return int((mu.var(dim=0) > threshold).sum())


@mutant("the variance of the mean", breaks="test_active_units_threshold")
def active_units(mu, threshold=0.01):
    return int((mu.var(dim=0) / len(mu) > threshold).sum())


@mutant("relative to the most active latent", breaks="test_active_units_threshold")
def active_units(mu, threshold=0.01):
    variances = mu.var(dim=0)
    return int((variances > threshold * variances.max()).sum())


@mutant("the variance of the whole matrix", breaks="test_active_units_variance")
def active_units(mu, threshold=0.01):
    return mu.shape[1] * int(mu.var() > threshold)


@mutant("the range of the values", breaks="test_active_units_variance")
def active_units(mu, threshold=0.01):
    return int((mu.max(dim=0).values - mu.min(dim=0).values > threshold).sum())


@variant("NumPy, divisor N")
def active_units(mu, threshold=0.01):
    return int(np.sum(np.var(mu.numpy(), axis=0) > threshold))


@variant("a loop over the latents")
def active_units(mu, threshold=0.01):
    count = 0
    for column in mu.double().T:
        mean = column.sum() / len(column)
        count += float(((column - mean) ** 2).sum() / (len(column) - 1)) > threshold
    return count


@variant("the diagonal of the covariance, as a tensor")
def active_units(mu, threshold=0.01):
    return (torch.atleast_2d(torch.cov(mu.T)).diagonal() > threshold).sum()


@probe("active_units")
def _(f):
    g = torch.Generator().manual_seed(8)
    spread = torch.tensor([0.02, 0.05, 0.2, 0.25, 0.5, 2.0, 6.0], dtype=torch.float64)
    shift = torch.tensor([5.0, 0.0, 0.0, -3.0, 0.0, 4.0, 0.0], dtype=torch.float64)
    mu = torch.randn(11, 7, generator=g, dtype=torch.float64) * spread
    mu = mu - mu.mean(0) + shift
    return [f(mu), f(mu, 0.04), f(mu, 0.5), f(mu[:, :2]), f(mu * 0.1), f(mu, 8.0), f(mu[:, 2:4])]

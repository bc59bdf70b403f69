"""Wrong and right answers to the exercises of lesson 06."""

import math

import numpy as np
import scipy.optimize
import scipy.special
import scipy.stats
import torch
import torch.nn.functional as F
from torch import nn

from gqlib.course import checks
from tests.notebooks.answer import mutant, probe, variant

# discriminator_loss


@mutant("the mean of the two means", breaks="test_discriminator_loss_values")
def discriminator_loss(real_logits, fake_logits):
    return 0.5 * (F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean())


@mutant(
    "the value in place of the loss",
    breaks=("test_discriminator_loss_values", "test_discriminator_loss_extremes"),
)
def discriminator_loss(real_logits, fake_logits):
    return -F.softplus(-real_logits).mean() - F.softplus(fake_logits).mean()


@mutant("sums over the batches", breaks="test_discriminator_loss_values")
def discriminator_loss(real_logits, fake_logits):
    return F.softplus(-real_logits).sum() + F.softplus(fake_logits).sum()


@mutant("one mean over both batches", breaks="test_discriminator_loss_values")
def discriminator_loss(real_logits, fake_logits):
    costs = [F.softplus(-real_logits).flatten(), F.softplus(fake_logits).flatten()]
    return torch.cat(costs).mean()


@mutant("in bits", breaks="test_discriminator_loss_values")
def discriminator_loss(real_logits, fake_logits):
    return (F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean()) / math.log(2)


@mutant("swaps real and fake", breaks="test_discriminator_loss_values")
def discriminator_loss(real_logits, fake_logits):
    return F.softplus(real_logits).mean() + F.softplus(-fake_logits).mean()


@mutant("leaves the fakes out", breaks="test_discriminator_loss_values")
def discriminator_loss(real_logits, fake_logits):
    return F.softplus(-real_logits).mean() + 0 * fake_logits.mean()


@mutant("leaves the real samples out", breaks="test_discriminator_loss_values")
def discriminator_loss(real_logits, fake_logits):
    return F.softplus(fake_logits).mean() + 0 * real_logits.mean()


@mutant("applies the sigmoid twice", breaks="test_discriminator_loss_values")
def discriminator_loss(real_logits, fake_logits):
    return F.softplus(-real_logits.sigmoid()).mean() + F.softplus(fake_logits.sigmoid()).mean()


@mutant("through the sigmoid", breaks="test_discriminator_loss_extremes")
def discriminator_loss(real_logits, fake_logits):
    real, fake = real_logits.sigmoid(), fake_logits.sigmoid()
    return -real.log().mean() - (1 - fake).log().mean()


@mutant("binary cross-entropy of probabilities", breaks="test_discriminator_loss_extremes")
def discriminator_loss(real_logits, fake_logits):
    real, fake = real_logits.sigmoid(), fake_logits.sigmoid()
    ones, zeros = torch.ones_like(real), torch.zeros_like(fake)
    return F.binary_cross_entropy(real, ones) + F.binary_cross_entropy(fake, zeros)


@mutant("a small number inside the logarithm", breaks="test_discriminator_loss_extremes")
def discriminator_loss(real_logits, fake_logits):
    real, fake = real_logits.sigmoid(), fake_logits.sigmoid()
    return -(real + 1e-8).log().mean() - (1 - fake + 1e-8).log().mean()


@mutant("logits cut off at 30", breaks="test_discriminator_loss_extremes")
def discriminator_loss(real_logits, fake_logits):
    real, fake = real_logits.clamp(-30, 30), fake_logits.clamp(-30, 30)
    return F.softplus(-real).mean() + F.softplus(fake).mean()


@mutant("the exponential inside the logarithm overflows", breaks="test_discriminator_loss_extremes")
def discriminator_loss(real_logits, fake_logits):
    return torch.log1p((-real_logits).exp()).mean() + torch.log1p(fake_logits.exp()).mean()


@mutant("no gradient to the fakes", breaks="test_discriminator_loss_extremes")
def discriminator_loss(real_logits, fake_logits):
    return F.softplus(-real_logits).mean() + F.softplus(fake_logits.detach()).mean()


@variant("cross-entropy with labels")
def discriminator_loss(real_logits, fake_logits):
    real = F.binary_cross_entropy_with_logits(real_logits, torch.ones_like(real_logits))
    fake = F.binary_cross_entropy_with_logits(fake_logits, torch.zeros_like(fake_logits))
    return real + fake


@variant("log-sigmoid, one sample at a time")
def discriminator_loss(real_logits, fake_logits):
    real = [-F.logsigmoid(logit) for logit in real_logits.flatten()]
    fake = [-F.logsigmoid(-logit) for logit in fake_logits.flatten()]
    return sum(real) / len(real) + sum(fake) / len(fake)


@variant("the stable formula written out")
def discriminator_loss(real_logits, fake_logits):
    def cost(logits):
        return (logits.clamp(min=0) + torch.log1p(torch.exp(-logits.abs()))).mean()

    return cost(-real_logits) + cost(fake_logits)


@variant("log-add-exp")
def discriminator_loss(real_logits, fake_logits):
    zero = torch.zeros((), dtype=real_logits.dtype)
    return torch.logaddexp(zero, -real_logits).mean() + torch.logaddexp(zero, fake_logits).mean()


@probe("discriminator_loss")
def _(f):
    g = torch.Generator().manual_seed(1)
    real = torch.randn(5, generator=g, dtype=torch.float64)
    fake = torch.randn(3, 1, generator=g, dtype=torch.float64)
    outcomes = [f(real, fake), f(40 * real, 40 * fake), f(200 * real.float(), 200 * fake.float())]
    sure = torch.tensor([-20.0, 45.0], dtype=torch.float64)
    outcomes.append(f(sure, sure))
    leaf = fake.clone().requires_grad_()
    loss = f(real.clone().requires_grad_(), leaf)
    (by_fake,) = torch.autograd.grad(loss, leaf, allow_unused=True)
    return [*outcomes, by_fake]


# generator_loss_saturating


@mutant(
    "minimises -log(1 - D)",
    breaks=("test_generator_loss_saturating_values", "test_generator_loss_saturating_extremes"),
)
def generator_loss_saturating(fake_logits):
    return F.softplus(fake_logits).mean()


@mutant(
    "the non-saturating loss",
    breaks=("test_generator_loss_saturating_values", "test_generator_loss_saturating_extremes"),
)
def generator_loss_saturating(fake_logits):
    return F.softplus(-fake_logits).mean()


@mutant("log D", breaks="test_generator_loss_saturating_values")
def generator_loss_saturating(fake_logits):
    return -F.softplus(-fake_logits).mean()


@mutant("sums over the batch", breaks="test_generator_loss_saturating_values")
def generator_loss_saturating(fake_logits):
    return -F.softplus(fake_logits).sum()


@mutant("in bits", breaks="test_generator_loss_saturating_values")
def generator_loss_saturating(fake_logits):
    return -F.softplus(fake_logits).mean() / math.log(2)


@mutant("half of it", breaks="test_generator_loss_saturating_values")
def generator_loss_saturating(fake_logits):
    return -0.5 * F.softplus(fake_logits).mean()


@mutant("1 - D without the logarithm", breaks="test_generator_loss_saturating_values")
def generator_loss_saturating(fake_logits):
    return (1 - fake_logits.sigmoid()).mean()


@mutant("the logarithm of the mean", breaks="test_generator_loss_saturating_values")
def generator_loss_saturating(fake_logits):
    return (-fake_logits).sigmoid().mean().log()


@mutant("applies the sigmoid twice", breaks="test_generator_loss_saturating_values")
def generator_loss_saturating(fake_logits):
    return -F.softplus(fake_logits.sigmoid()).mean()


@mutant("through the sigmoid", breaks="test_generator_loss_saturating_extremes")
def generator_loss_saturating(fake_logits):
    return (1 - fake_logits.sigmoid()).log().mean()


@mutant("a small number inside the logarithm", breaks="test_generator_loss_saturating_extremes")
def generator_loss_saturating(fake_logits):
    return (1 - fake_logits.sigmoid() + 1e-8).log().mean()


@mutant("binary cross-entropy of probabilities", breaks="test_generator_loss_saturating_extremes")
def generator_loss_saturating(fake_logits):
    D = fake_logits.sigmoid()
    return -F.binary_cross_entropy(D, torch.zeros_like(D))


@mutant("logits cut off at 30", breaks="test_generator_loss_saturating_extremes")
def generator_loss_saturating(fake_logits):
    return -F.softplus(fake_logits.clamp(-30, 30)).mean()


@mutant("a number without gradient", breaks="test_generator_loss_saturating_extremes")
def generator_loss_saturating(fake_logits):
    return -F.softplus(fake_logits.detach()).mean()


@variant("cross-entropy with the label fake, and the sign turned around")
def generator_loss_saturating(fake_logits):
    return -F.binary_cross_entropy_with_logits(fake_logits, torch.zeros_like(fake_logits))


@variant("log-sigmoid of minus the logit")
def generator_loss_saturating(fake_logits):
    return F.logsigmoid(-fake_logits).mean()


@variant("a loop over the stable formula")
def generator_loss_saturating(fake_logits):
    total = 0
    for logit in fake_logits.flatten():
        total = total - logit.clamp(min=0) - torch.log1p(torch.exp(-logit.abs()))
    return total / fake_logits.numel()


@probe("generator_loss_saturating")
def _(f):
    g = torch.Generator().manual_seed(2)
    fake = torch.randn(5, 1, generator=g, dtype=torch.float64)
    leaf = fake.clone().requires_grad_()
    loss = f(leaf)
    trained = isinstance(loss, torch.Tensor) and loss.requires_grad
    sure = torch.tensor([-20.0, 45.0], dtype=torch.float64)
    return [f(fake), f(40 * fake), f(200 * fake.float()), f(sure), trained]


# generator_loss


@mutant(
    "minimises log D",
    breaks=("test_generator_loss_values", "test_generator_loss_extremes"),
)
def generator_loss(fake_logits):
    return -F.softplus(-fake_logits).mean()


@mutant(
    "the saturating loss",
    breaks=("test_generator_loss_values", "test_generator_loss_extremes"),
)
def generator_loss(fake_logits):
    return -F.softplus(fake_logits).mean()


@mutant("the discriminator's part, -log(1 - D)", breaks="test_generator_loss_values")
def generator_loss(fake_logits):
    return F.softplus(fake_logits).mean()


@mutant("sums over the batch", breaks="test_generator_loss_values")
def generator_loss(fake_logits):
    return F.softplus(-fake_logits).sum()


@mutant("in bits", breaks="test_generator_loss_values")
def generator_loss(fake_logits):
    return F.softplus(-fake_logits).mean() / math.log(2)


@mutant("half of it", breaks="test_generator_loss_values")
def generator_loss(fake_logits):
    return 0.5 * F.softplus(-fake_logits).mean()


@mutant("minus D without the logarithm", breaks="test_generator_loss_values")
def generator_loss(fake_logits):
    return -fake_logits.sigmoid().mean()


@mutant("the logarithm of the mean", breaks="test_generator_loss_values")
def generator_loss(fake_logits):
    return -fake_logits.sigmoid().mean().log()


@mutant("a critic's loss: minus the logit", breaks="test_generator_loss_values")
def generator_loss(fake_logits):
    return -fake_logits.mean()


@mutant("applies the sigmoid twice", breaks="test_generator_loss_values")
def generator_loss(fake_logits):
    return F.softplus(-fake_logits.sigmoid()).mean()


@mutant("through the sigmoid", breaks="test_generator_loss_extremes")
def generator_loss(fake_logits):
    D = 1 - (-fake_logits).sigmoid()
    return -D.log().mean()


@mutant("a small number inside the logarithm", breaks="test_generator_loss_extremes")
def generator_loss(fake_logits):
    return -(fake_logits.sigmoid() + 1e-8).log().mean()


@mutant("the exponential inside the logarithm overflows", breaks="test_generator_loss_extremes")
def generator_loss(fake_logits):
    return torch.log1p((-fake_logits).exp()).mean()


@mutant("logits cut off at 30", breaks="test_generator_loss_extremes")
def generator_loss(fake_logits):
    return F.softplus(-fake_logits.clamp(-30, 30)).mean()


@mutant("a number without gradient", breaks="test_generator_loss_extremes")
def generator_loss(fake_logits):
    return F.softplus(-fake_logits.detach()).mean()


@variant("cross-entropy with the label real")
def generator_loss(fake_logits):
    return F.binary_cross_entropy_with_logits(fake_logits, torch.ones_like(fake_logits))


@variant("log-sigmoid")
def generator_loss(fake_logits):
    return -F.logsigmoid(fake_logits).mean()


@variant("a loop over the stable formula")
def generator_loss(fake_logits):
    total = 0
    for logit in fake_logits.flatten():
        total = total + (-logit).clamp(min=0) + torch.log1p(torch.exp(-logit.abs()))
    return total / fake_logits.numel()


@probe("generator_loss")
def _(f):
    g = torch.Generator().manual_seed(3)
    fake = torch.randn(5, 1, generator=g, dtype=torch.float64)
    leaf = fake.clone().requires_grad_()
    loss = f(leaf)
    trained = isinstance(loss, torch.Tensor) and loss.requires_grad
    sure = torch.tensor([20.0, -45.0], dtype=torch.float64)
    return [f(fake), f(40 * fake), f(200 * fake.float()), f(sure), trained]


# optimal_discriminator


@mutant("the probability of being fake", breaks="test_optimal_discriminator_values")
def optimal_discriminator(p_data, p_model):
    return p_model / (p_data + p_model)


@mutant("the ratio of the densities", breaks="test_optimal_discriminator_values")
def optimal_discriminator(p_data, p_model):
    return p_data / p_model


@mutant("divides by the mean of the densities", breaks="test_optimal_discriminator_values")
def optimal_discriminator(p_data, p_model):
    return p_data / ((p_data + p_model) / 2)


@mutant("a decision instead of a probability", breaks="test_optimal_discriminator_values")
def optimal_discriminator(p_data, p_model):
    return (p_data > p_model).to(p_data.dtype)


@mutant("the logit", breaks="test_optimal_discriminator_values")
def optimal_discriminator(p_data, p_model):
    return p_data.log() - p_model.log()


@mutant("the sigmoid of the ratio", breaks="test_optimal_discriminator_values")
def optimal_discriminator(p_data, p_model):
    return (p_data / p_model).sigmoid()


@mutant("squared densities", breaks="test_optimal_discriminator_values")
def optimal_discriminator(p_data, p_model):
    return p_data**2 / (p_data**2 + p_model**2)


@mutant("kept away from 0 and 1", breaks="test_optimal_discriminator_values")
def optimal_discriminator(p_data, p_model):
    return (p_data / (p_data + p_model)).clamp(0.01, 0.99)


@mutant("divides by the larger density", breaks="test_optimal_discriminator_values")
def optimal_discriminator(p_data, p_model):
    return p_data / torch.maximum(p_data, p_model)


@mutant("normalises the densities first", breaks="test_optimal_discriminator_densities")
def optimal_discriminator(p_data, p_model):
    p, q = p_data / p_data.sum(), p_model / p_model.sum()
    return p / (p + q)


@mutant("a small number in the denominator", breaks="test_optimal_discriminator_densities")
def optimal_discriminator(p_data, p_model):
    return p_data / (p_data + p_model + 1e-8)


@mutant(
    "divides by the sum over all points",
    breaks=("test_optimal_discriminator_values", "test_optimal_discriminator_densities"),
)
def optimal_discriminator(p_data, p_model):
    return p_data / (p_data + p_model).sum()


@mutant("softmax of the two densities", breaks="test_optimal_discriminator_densities")
def optimal_discriminator(p_data, p_model):
    return torch.stack([p_data, p_model]).softmax(0)[0]


@mutant("sums to 1 over the points", breaks="test_optimal_discriminator_densities")
def optimal_discriminator(p_data, p_model):
    D = p_data / (p_data + p_model)
    return D / D.sum()


@variant("the sigmoid of the log-density ratio")
def optimal_discriminator(p_data, p_model):
    return (p_data.log() - p_model.log()).sigmoid()


@variant("1 / (1 + q / p) in NumPy")
def optimal_discriminator(p_data, p_model):
    D = 1 / (1 + p_model.double().numpy() / p_data.double().numpy())
    return torch.as_tensor(D).to(p_data)


@variant("one minus the probability of being fake")
def optimal_discriminator(p_data, p_model):
    return 1 - p_model / (p_data + p_model)


@variant("a maximisation at each point")
def optimal_discriminator(p_data, p_model):
    p, q = p_data.double().flatten(), p_model.double().flatten()
    low, high = torch.zeros_like(p), torch.ones_like(p)
    for _ in range(60):  # the derivative p / d - q / (1 - d) changes its sign once
        d = (low + high) / 2
        rising = p * (1 - d) > q * d
        low, high = torch.where(rising, d, low), torch.where(rising, high, d)
    return high.reshape(p_data.shape).to(p_data.dtype)


@probe("optimal_discriminator")
def _(f):
    g = torch.Generator().manual_seed(4)
    p, q = torch.rand(2, 3, 4, generator=g, dtype=torch.float64)
    p[0, 0], q[1, 1] = 0, 0
    return [f(p, q), f(3 * p, q), f(1e-9 * p, 1e-9 * q)]


# value_at_optimum


@mutant("2 JS without log 4", breaks="test_value_at_optimum_values")
def value_at_optimum(p_data, p_model):
    total = p_data + p_model
    terms = torch.xlogy(p_data, p_data) + torch.xlogy(p_model, p_model)
    return (terms - torch.xlogy(total, total)).sum(-1) + math.log(4)


@mutant("JS - log 4", breaks="test_value_at_optimum_values")
def value_at_optimum(p_data, p_model):
    total = p_data + p_model
    terms = torch.xlogy(p_data, p_data) + torch.xlogy(p_model, p_model)
    return (terms - torch.xlogy(total, total)).sum(-1) / 2 - math.log(2)


@mutant("adds log 4", breaks="test_value_at_optimum_values")
def value_at_optimum(p_data, p_model):
    total = p_data + p_model
    terms = torch.xlogy(p_data, p_data) + torch.xlogy(p_model, p_model)
    return (terms - torch.xlogy(total, total)).sum(-1) + 2 * math.log(4)


@mutant("the loss in place of the value", breaks="test_value_at_optimum_values")
def value_at_optimum(p_data, p_model):
    total = p_data + p_model
    terms = torch.xlogy(p_data, p_data) + torch.xlogy(p_model, p_model)
    return (torch.xlogy(total, total) - terms).sum(-1)


@mutant("in bits", breaks="test_value_at_optimum_values")
def value_at_optimum(p_data, p_model):
    total = p_data + p_model
    terms = torch.xlogy(p_data, p_data) + torch.xlogy(p_model, p_model)
    return (terms - torch.xlogy(total, total)).sum(-1) / math.log(2)


@mutant("averages over the outcomes", breaks="test_value_at_optimum_values")
def value_at_optimum(p_data, p_model):
    total = p_data + p_model
    terms = torch.xlogy(p_data, p_data) + torch.xlogy(p_model, p_model)
    return (terms - torch.xlogy(total, total)).mean(-1)


@mutant("the data's part alone", breaks="test_value_at_optimum_values")
def value_at_optimum(p_data, p_model):
    total = p_data + p_model
    return (torch.xlogy(p_data, p_data) - torch.xlogy(p_data, total)).sum(-1)


@mutant("the model's part with log D", breaks="test_value_at_optimum_values")
def value_at_optimum(p_data, p_model):
    total = p_data + p_model
    log_D = torch.where(p_data > 0, p_data / total, torch.ones_like(total)).log()
    return (p_data * log_D + p_model * log_D).sum(-1)


@mutant("sums over everything", breaks="test_value_at_optimum_values")
def value_at_optimum(p_data, p_model):
    total = p_data + p_model
    terms = torch.xlogy(p_data, p_data) + torch.xlogy(p_model, p_model)
    return (terms - torch.xlogy(total, total)).sum()


@mutant("sums over the first axis", breaks="test_value_at_optimum_values")
def value_at_optimum(p_data, p_model):
    total = p_data + p_model
    terms = torch.xlogy(p_data, p_data) + torch.xlogy(p_model, p_model)
    return (terms - torch.xlogy(total, total)).sum(0)


@mutant("the symmetric KL in place of 2 JS", breaks="test_value_at_optimum_values")
def value_at_optimum(p_data, p_model):
    terms = (p_data - p_model) * (p_data.log() - p_model.log())
    return terms.sum(-1) - math.log(4)


@mutant("0 log 0 is not a number", breaks="test_value_at_optimum_zeros")
def value_at_optimum(p_data, p_model):
    total = p_data + p_model
    terms = p_data * (p_data / total).log() + p_model * (p_model / total).log()
    return terms.sum(-1)


@mutant("stumbles where both are 0", breaks="test_value_at_optimum_zeros")
def value_at_optimum(p_data, p_model):
    D = p_data / (p_data + p_model)
    return (torch.xlogy(p_data, D) + torch.xlogy(p_model, 1 - D)).sum(-1)


@mutant("zeros lifted to 1 %", breaks="test_value_at_optimum_zeros")
def value_at_optimum(p_data, p_model):
    p, q = p_data.clamp(min=0.01), p_model.clamp(min=0.01)
    return (p * (p / (p + q)).log() + q * (q / (p + q)).log()).sum(-1)


@variant("twice the JS divergence minus log 4, by SciPy")
def value_at_optimum(p_data, p_model):
    p, q = p_data.double().numpy(), p_model.double().numpy()
    m = (p + q) / 2
    terms = scipy.special.rel_entr(p, m) + scipy.special.rel_entr(q, m)
    return torch.as_tensor(terms.sum(-1) - math.log(4)).to(p_data.dtype)


@variant("quotients, with what is not a number set to 0")
def value_at_optimum(p_data, p_model):
    total = p_data + p_model
    terms = p_data * (p_data / total).log(), p_model * (p_model / total).log()
    return sum(torch.nan_to_num(term, nan=0.0).sum(-1) for term in terms)


@variant("a loop over distributions and outcomes")
def value_at_optimum(p_data, p_model):
    values = []
    rows = p_data.reshape(-1, p_data.shape[-1]).tolist()
    others = p_model.reshape(-1, p_model.shape[-1]).tolist()
    for row, other in zip(rows, others, strict=True):
        value = 0.0
        for p, q in zip(row, other, strict=True):
            value += p * math.log(p / (p + q)) if p else 0.0
            value += q * math.log(q / (p + q)) if q else 0.0
        values.append(value)
    return torch.tensor(values, dtype=p_data.dtype).reshape(p_data.shape[:-1])


@variant("entropies")
def value_at_optimum(p_data, p_model):
    def entropy(p):
        return torch.special.entr(p).sum(-1)

    m = (p_data + p_model) / 2
    return 2 * entropy(m) - entropy(p_data) - entropy(p_model) - math.log(4)


@variant("only the outcomes that both distributions have, since the others add 0")
def value_at_optimum(p_data, p_model):
    total = p_data + p_model
    terms = p_data * (p_data / total).log() + p_model * (p_model / total).log()
    return torch.where((p_data > 0) & (p_model > 0), terms, 0.0).sum(-1)


@probe("value_at_optimum")
def _(f):
    g = torch.Generator().manual_seed(5)
    p = torch.randn(3, 3, generator=g, dtype=torch.float64).softmax(-1)
    q = torch.randn(3, 3, generator=g, dtype=torch.float64).softmax(-1)
    one = torch.tensor([[0.5, 0.5, 0.0, 0.0]], dtype=torch.float64)
    other = torch.tensor([[0.0, 0.3, 0.7, 0.0]], dtype=torch.float64)
    return [f(p, q), f(p[:2], q[:2]), f(one, other), f(one[:, :3], other[:, :3])]


# gradient_wrt_logit


@mutant(
    "the sign turned around",
    breaks=("test_gradient_wrt_logit_saturating", "test_gradient_wrt_logit_non_saturating"),
)
def gradient_wrt_logit(loss_name, logits):
    return logits.sigmoid() if loss_name == "saturating" else (-logits).sigmoid()


@mutant(
    "the two losses swapped",
    breaks=("test_gradient_wrt_logit_saturating", "test_gradient_wrt_logit_non_saturating"),
)
def gradient_wrt_logit(loss_name, logits):
    return -logits.sigmoid() if loss_name == "non_saturating" else -(-logits).sigmoid()


@mutant(
    "divided by the batch",
    breaks=("test_gradient_wrt_logit_saturating", "test_gradient_wrt_logit_non_saturating"),
)
def gradient_wrt_logit(loss_name, logits):
    sign = 1 if loss_name == "saturating" else -1
    return -(sign * logits).sigmoid() / len(logits)


@mutant(
    "the derivative of D",
    breaks=("test_gradient_wrt_logit_saturating", "test_gradient_wrt_logit_non_saturating"),
)
def gradient_wrt_logit(loss_name, logits):
    D = logits.sigmoid()
    return -D * (1 - D)


@mutant(
    "the derivative by D, not by the logit",
    breaks=("test_gradient_wrt_logit_saturating", "test_gradient_wrt_logit_non_saturating"),
)
def gradient_wrt_logit(loss_name, logits):
    D = logits.sigmoid()
    return -1 / (1 - D) if loss_name == "saturating" else -1 / D


@mutant(
    "summed over the batch",
    breaks=("test_gradient_wrt_logit_saturating", "test_gradient_wrt_logit_non_saturating"),
)
def gradient_wrt_logit(loss_name, logits):
    sign = 1 if loss_name == "saturating" else -1
    return -(sign * logits).sigmoid().sum()


@mutant("the saturating one for both", breaks="test_gradient_wrt_logit_non_saturating")
def gradient_wrt_logit(loss_name, logits):
    return -logits.sigmoid()


@mutant("the non-saturating one for both", breaks="test_gradient_wrt_logit_saturating")
def gradient_wrt_logit(loss_name, logits):
    return -(-logits).sigmoid()


@mutant("-log D has no minus", breaks="test_gradient_wrt_logit_non_saturating")
def gradient_wrt_logit(loss_name, logits):
    return -logits.sigmoid() if loss_name == "saturating" else (-logits).sigmoid()


@mutant("log(1 - D) has no minus", breaks="test_gradient_wrt_logit_saturating")
def gradient_wrt_logit(loss_name, logits):
    return logits.sigmoid() if loss_name == "saturating" else -(-logits).sigmoid()


@mutant("exp(l) / (1 + exp(l)) overflows", breaks="test_gradient_wrt_logit_saturating")
def gradient_wrt_logit(loss_name, logits):
    D = logits.exp() / (1 + logits.exp())
    return -D if loss_name == "saturating" else -(-logits).sigmoid()


@mutant("exp(-l) / (1 + exp(-l)) overflows", breaks="test_gradient_wrt_logit_non_saturating")
def gradient_wrt_logit(loss_name, logits):
    other = (-logits).exp() / (1 + (-logits).exp())
    return -logits.sigmoid() if loss_name == "saturating" else -other


@mutant(
    "the losses themselves",
    breaks=("test_gradient_wrt_logit_saturating", "test_gradient_wrt_logit_non_saturating"),
)
def gradient_wrt_logit(loss_name, logits):
    return -F.softplus(logits) if loss_name == "saturating" else F.softplus(-logits)


@variant("autograd")
def gradient_wrt_logit(loss_name, logits):
    leaf = logits.clone().requires_grad_()
    loss = -F.softplus(leaf) if loss_name == "saturating" else F.softplus(-leaf)
    return torch.autograd.grad(loss.sum(), leaf)[0]


@variant("1 minus the sigmoid")
def gradient_wrt_logit(loss_name, logits):
    D = torch.sigmoid(logits)
    return {"saturating": -D, "non_saturating": -(1 - D)}[loss_name]


@variant("the hyperbolic tangent, in NumPy")
def gradient_wrt_logit(loss_name, logits):
    half = np.tanh(logits.double().numpy() / 2)
    push = 0.5 * (1 + half) if loss_name == "saturating" else 0.5 * (1 - half)
    return torch.as_tensor(-push).to(logits.dtype)


@variant("a loop with exponentials that do not overflow")
def gradient_wrt_logit(loss_name, logits):
    def sigmoid(value):
        if value >= 0:
            return 1 / (1 + math.exp(-value))
        return math.exp(value) / (1 + math.exp(value))

    sign = 1 if loss_name == "saturating" else -1
    values = [-sigmoid(sign * value) for value in logits.flatten().tolist()]
    return torch.tensor(values, dtype=logits.dtype).reshape(logits.shape)


@probe("gradient_wrt_logit")
def _(f):
    logits = torch.tensor([[-1.3, 0.4, 2.0], [-100.0, 0.0, 100.0]])
    return [f(name, logits) for name in ("saturating", "non_saturating")]


# wasserstein_1d


@mutant("does not sort", breaks="test_wasserstein_1d_order")
def wasserstein_1d(x, y):
    return (x - y).abs().mean()


@mutant("sorts only x", breaks="test_wasserstein_1d_order")
def wasserstein_1d(x, y):
    return (x.sort().values - y).abs().mean()


@mutant(
    "sorts them in opposite directions",
    breaks=("test_wasserstein_1d_values", "test_wasserstein_1d_order"),
)
def wasserstein_1d(x, y):
    return (x.sort().values - y.sort(descending=True).values).abs().mean()


@mutant("sorts by absolute value", breaks="test_wasserstein_1d_order")
def wasserstein_1d(x, y):
    return (x[x.abs().argsort()] - y[y.abs().argsort()]).abs().mean()


@mutant("the difference of the means", breaks="test_wasserstein_1d_values")
def wasserstein_1d(x, y):
    return (x.mean() - y.mean()).abs()


@mutant("the mean before the absolute value", breaks="test_wasserstein_1d_values")
def wasserstein_1d(x, y):
    return (x.sort().values - y.sort().values).mean()


@mutant("sums over the points", breaks="test_wasserstein_1d_values")
def wasserstein_1d(x, y):
    return (x.sort().values - y.sort().values).abs().sum()


@mutant("squares", breaks="test_wasserstein_1d_values")
def wasserstein_1d(x, y):
    return (x.sort().values - y.sort().values).square().mean()


@mutant("order 2", breaks="test_wasserstein_1d_values")
def wasserstein_1d(x, y):
    return (x.sort().values - y.sort().values).square().mean().sqrt()


@mutant("the largest distance", breaks="test_wasserstein_1d_values")
def wasserstein_1d(x, y):
    return (x.sort().values - y.sort().values).abs().max()


@mutant("the mean over all pairs", breaks="test_wasserstein_1d_values")
def wasserstein_1d(x, y):
    return (x[:, None] - y[None, :]).abs().mean()


@mutant("the nearest neighbour of each point", breaks="test_wasserstein_1d_values")
def wasserstein_1d(x, y):
    return (x[:, None] - y[None, :]).abs().min(dim=1).values.mean()


@mutant("the largest gap of the distribution functions", breaks="test_wasserstein_1d_values")
def wasserstein_1d(x, y):
    gap = scipy.stats.ks_2samp(x.double().numpy(), y.double().numpy()).statistic
    return torch.tensor(float(gap), dtype=x.dtype)


@variant("the area between the distribution functions")
def wasserstein_1d(x, y):
    both = torch.cat([x, y]).sort().values
    below_x = torch.searchsorted(x.sort().values, both[:-1], right=True) / len(x)
    below_y = torch.searchsorted(y.sort().values, both[:-1], right=True) / len(y)
    return ((below_x - below_y).abs() * both.diff()).sum().to(x.dtype)


@variant("the best assignment, by SciPy")
def wasserstein_1d(x, y):
    cost = (x[:, None] - y[None, :]).abs().double().numpy()
    rows, columns = scipy.optimize.linear_sum_assignment(cost)
    return torch.tensor(cost[rows, columns].mean(), dtype=x.dtype)


@variant("SciPy's own")
def wasserstein_1d(x, y):
    distance = scipy.stats.wasserstein_distance(x.double().numpy(), y.double().numpy())
    return torch.as_tensor(float(distance), dtype=x.dtype)


@variant("a loop over sorted lists")
def wasserstein_1d(x, y):
    pairs = zip(sorted(x.tolist()), sorted(y.tolist()), strict=True)
    return torch.tensor(sum(abs(a - b) for a, b in pairs) / len(x), dtype=x.dtype)


@probe("wasserstein_1d")
def _(f):
    g = torch.Generator().manual_seed(6)
    x = torch.randn(6, generator=g, dtype=torch.float64)
    y = 0.5 + 2 * torch.randn(6, generator=g, dtype=torch.float64)
    return [
        f(x, y),
        f(x.sort().values, y.sort().values),
        f(y, x),
        f(x[:2], y[:2]),
        f(x, x + 0.1),
        f(x, 2 * x),
    ]


# gradient_penalty


@mutant("a factor of 10", breaks="test_gradient_penalty_norm")
def gradient_penalty(critic, real, fake, generator):
    u = torch.rand(len(real), *[1] * (real.ndim - 1), generator=generator, dtype=real.dtype)
    points = (u * real + (1 - u) * fake).requires_grad_()
    (g,) = torch.autograd.grad(critic(points).sum(), points, create_graph=True)
    return 10 * (g.reshape(len(real), -1).norm(dim=1) - 1).square().mean()


@mutant("sums over the pairs", breaks="test_gradient_penalty_norm")
def gradient_penalty(critic, real, fake, generator):
    u = torch.rand(len(real), *[1] * (real.ndim - 1), generator=generator, dtype=real.dtype)
    points = (u * real + (1 - u) * fake).requires_grad_()
    (g,) = torch.autograd.grad(critic(points).sum(), points, create_graph=True)
    return (g.reshape(len(real), -1).norm(dim=1) - 1).square().sum()


@mutant("centred at 0", breaks="test_gradient_penalty_norm")
def gradient_penalty(critic, real, fake, generator):
    u = torch.rand(len(real), *[1] * (real.ndim - 1), generator=generator, dtype=real.dtype)
    points = (u * real + (1 - u) * fake).requires_grad_()
    (g,) = torch.autograd.grad(critic(points).sum(), points, create_graph=True)
    return g.reshape(len(real), -1).norm(dim=1).square().mean()


@mutant("without the square", breaks="test_gradient_penalty_norm")
def gradient_penalty(critic, real, fake, generator):
    u = torch.rand(len(real), *[1] * (real.ndim - 1), generator=generator, dtype=real.dtype)
    points = (u * real + (1 - u) * fake).requires_grad_()
    (g,) = torch.autograd.grad(critic(points).sum(), points, create_graph=True)
    return (g.reshape(len(real), -1).norm(dim=1) - 1).mean()


@mutant("the squared norm minus 1", breaks="test_gradient_penalty_norm")
def gradient_penalty(critic, real, fake, generator):
    u = torch.rand(len(real), *[1] * (real.ndim - 1), generator=generator, dtype=real.dtype)
    points = (u * real + (1 - u) * fake).requires_grad_()
    (g,) = torch.autograd.grad(critic(points).sum(), points, create_graph=True)
    return (g.reshape(len(real), -1).square().sum(dim=1) - 1).square().mean()


@mutant("the sum of absolute values for a norm", breaks="test_gradient_penalty_norm")
def gradient_penalty(critic, real, fake, generator):
    u = torch.rand(len(real), *[1] * (real.ndim - 1), generator=generator, dtype=real.dtype)
    points = (u * real + (1 - u) * fake).requires_grad_()
    (g,) = torch.autograd.grad(critic(points).sum(), points, create_graph=True)
    return (g.reshape(len(real), -1).abs().sum(dim=1) - 1).square().mean()


@mutant("one norm for the whole batch", breaks="test_gradient_penalty_norm")
def gradient_penalty(critic, real, fake, generator):
    u = torch.rand(len(real), *[1] * (real.ndim - 1), generator=generator, dtype=real.dtype)
    points = (u * real + (1 - u) * fake).requires_grad_()
    (g,) = torch.autograd.grad(critic(points).sum(), points, create_graph=True)
    return (g.norm() - 1).square()


@mutant("the square of the mean norm", breaks="test_gradient_penalty_norm")
def gradient_penalty(critic, real, fake, generator):
    u = torch.rand(len(real), *[1] * (real.ndim - 1), generator=generator, dtype=real.dtype)
    points = (u * real + (1 - u) * fake).requires_grad_()
    (g,) = torch.autograd.grad(critic(points).sum(), points, create_graph=True)
    return (g.reshape(len(real), -1).norm(dim=1).mean() - 1).square()


@mutant("the gradient of the mean height", breaks="test_gradient_penalty_norm")
def gradient_penalty(critic, real, fake, generator):
    u = torch.rand(len(real), *[1] * (real.ndim - 1), generator=generator, dtype=real.dtype)
    points = (u * real + (1 - u) * fake).requires_grad_()
    (g,) = torch.autograd.grad(critic(points).mean(), points, create_graph=True)
    return (g.reshape(len(real), -1).norm(dim=1) - 1).square().mean()


@mutant("one-sided: only norms above 1", breaks="test_gradient_penalty_norm")
def gradient_penalty(critic, real, fake, generator):
    u = torch.rand(len(real), *[1] * (real.ndim - 1), generator=generator, dtype=real.dtype)
    points = (u * real + (1 - u) * fake).requires_grad_()
    (g,) = torch.autograd.grad(critic(points).sum(), points, create_graph=True)
    return (g.reshape(len(real), -1).norm(dim=1) - 1).clamp(min=0).square().mean()


@mutant("one u for every coordinate", breaks="test_gradient_penalty_points")
def gradient_penalty(critic, real, fake, generator):
    u = torch.rand(real.shape, generator=generator, dtype=real.dtype)
    points = (u * real + (1 - u) * fake).requires_grad_()
    (g,) = torch.autograd.grad(critic(points).sum(), points, create_graph=True)
    return (g.reshape(len(real), -1).norm(dim=1) - 1).square().mean()


@mutant("one u for the whole batch", breaks="test_gradient_penalty_points")
def gradient_penalty(critic, real, fake, generator):
    u = torch.rand((), generator=generator, dtype=real.dtype)
    points = (u * real + (1 - u) * fake).requires_grad_()
    (g,) = torch.autograd.grad(critic(points).sum(), points, create_graph=True)
    return (g.reshape(len(real), -1).norm(dim=1) - 1).square().mean()


@mutant("u from a normal distribution", breaks="test_gradient_penalty_points")
def gradient_penalty(critic, real, fake, generator):
    u = torch.randn(len(real), *[1] * (real.ndim - 1), generator=generator, dtype=real.dtype)
    points = (u * real + (1 - u) * fake).requires_grad_()
    (g,) = torch.autograd.grad(critic(points).sum(), points, create_graph=True)
    return (g.reshape(len(real), -1).norm(dim=1) - 1).square().mean()


@mutant("u on [-1, 1]", breaks="test_gradient_penalty_points")
def gradient_penalty(critic, real, fake, generator):
    u = torch.rand(len(real), *[1] * (real.ndim - 1), generator=generator, dtype=real.dtype)
    u = 2 * u - 1
    points = (u * real + (1 - u) * fake).requires_grad_()
    (g,) = torch.autograd.grad(critic(points).sum(), points, create_graph=True)
    return (g.reshape(len(real), -1).norm(dim=1) - 1).square().mean()


@mutant("always the middle", breaks="test_gradient_penalty_points")
def gradient_penalty(critic, real, fake, generator):
    points = (0.5 * (real + fake)).requires_grad_()
    (g,) = torch.autograd.grad(critic(points).sum(), points, create_graph=True)
    return (g.reshape(len(real), -1).norm(dim=1) - 1).square().mean()


@mutant("at the real samples", breaks="test_gradient_penalty_points")
def gradient_penalty(critic, real, fake, generator):
    points = real.clone().requires_grad_()
    (g,) = torch.autograd.grad(critic(points).sum(), points, create_graph=True)
    return (g.reshape(len(real), -1).norm(dim=1) - 1).square().mean()


@mutant("u real + u fake", breaks="test_gradient_penalty_points")
def gradient_penalty(critic, real, fake, generator):
    u = torch.rand(len(real), *[1] * (real.ndim - 1), generator=generator, dtype=real.dtype)
    points = (u * real + u * fake).requires_grad_()
    (g,) = torch.autograd.grad(critic(points).sum(), points, create_graph=True)
    return (g.reshape(len(real), -1).norm(dim=1) - 1).square().mean()


@mutant("a generator of its own", breaks="test_gradient_penalty_points")
def gradient_penalty(critic, real, fake, generator):
    own = torch.Generator().manual_seed(0)
    u = torch.rand(len(real), *[1] * (real.ndim - 1), generator=own, dtype=real.dtype)
    points = (u * real + (1 - u) * fake).requires_grad_()
    (g,) = torch.autograd.grad(critic(points).sum(), points, create_graph=True)
    return (g.reshape(len(real), -1).norm(dim=1) - 1).square().mean()


@mutant("no graph of the gradient", breaks="test_gradient_penalty_parameters")
def gradient_penalty(critic, real, fake, generator):
    u = torch.rand(len(real), *[1] * (real.ndim - 1), generator=generator, dtype=real.dtype)
    points = (u * real + (1 - u) * fake).requires_grad_()
    (g,) = torch.autograd.grad(critic(points).sum(), points)
    return (g.reshape(len(real), -1).norm(dim=1) - 1).square().mean()


@mutant("the norm is detached", breaks="test_gradient_penalty_parameters")
def gradient_penalty(critic, real, fake, generator):
    u = torch.rand(len(real), *[1] * (real.ndim - 1), generator=generator, dtype=real.dtype)
    points = (u * real + (1 - u) * fake).requires_grad_()
    (g,) = torch.autograd.grad(critic(points).sum(), points, create_graph=True)
    norm = g.reshape(len(real), -1).norm(dim=1)
    return ((norm.detach() - 1) * (norm - 1)).mean()


@mutant("the norm over the second axis alone", breaks="test_gradient_penalty_shapes")
def gradient_penalty(critic, real, fake, generator):
    u = torch.rand(len(real), *[1] * (real.ndim - 1), generator=generator, dtype=real.dtype)
    points = (u * real + (1 - u) * fake).requires_grad_()
    (g,) = torch.autograd.grad(critic(points).sum(), points, create_graph=True)
    return (g.norm(dim=1) - 1).square().mean()


@mutant("only for samples that are vectors", breaks="test_gradient_penalty_shapes")
def gradient_penalty(critic, real, fake, generator):
    u = torch.rand(len(real), 1, generator=generator, dtype=real.dtype)
    points = (u * real + (1 - u) * fake).requires_grad_()
    (g,) = torch.autograd.grad(critic(points).sum(), points, create_graph=True)
    return (g.reshape(len(real), -1).norm(dim=1) - 1).square().mean()


@mutant("only for images", breaks="test_gradient_penalty_shapes")
def gradient_penalty(critic, real, fake, generator):
    u = torch.rand(len(real), 1, 1, 1, generator=generator, dtype=real.dtype)
    points = (u * real + (1 - u) * fake).requires_grad_()
    (g,) = torch.autograd.grad(critic(points).sum(), points, create_graph=True)
    return (g.reshape(len(real), -1).norm(dim=1) - 1).square().mean()


@variant("ones for the outputs, and a root of the squares")
def gradient_penalty(critic, real, fake, generator):
    u = torch.rand(len(real), generator=generator).to(real)
    u = u.reshape(-1, *[1] * (real.ndim - 1))
    points = torch.lerp(fake, real, u).requires_grad_()
    out = critic(points)
    (g,) = torch.autograd.grad(out, points, torch.ones_like(out), create_graph=True)
    return ((g.reshape(len(real), -1) ** 2).sum(1).sqrt() - 1).pow(2).mean()


@variant("pair by pair")
def gradient_penalty(critic, real, fake, generator):
    total = 0
    for one, other in zip(real, fake, strict=True):
        u = torch.rand((), generator=generator, dtype=real.dtype)
        point = (other + u * (one - other))[None].requires_grad_()
        (g,) = torch.autograd.grad(critic(point).squeeze(), point, create_graph=True)
        total = total + (torch.linalg.vector_norm(g) - 1) ** 2
    return total / len(real)


@variant("by torch.func, a gradient a row")
def gradient_penalty(critic, real, fake, generator):
    u = torch.rand(len(real), generator=generator, dtype=real.dtype)
    points = torch.func.vmap(torch.lerp)(fake, real, u)
    rows = torch.func.vmap(torch.func.grad(lambda x: critic(x[None]).squeeze()))(points)
    return (
        (rows.flatten(1).norm(dim=1) - 1).square().mean()
        if real.ndim > 1
        else (rows.abs() - 1).square().mean()
    )


@variant("u from NumPy, seeded by the generator")
def gradient_penalty(critic, real, fake, generator):
    seed = int(torch.randint(2**31, (), generator=generator))
    u = torch.as_tensor(np.random.default_rng(seed).random(len(real)), dtype=real.dtype)
    u = u.view(-1, *(1 for _ in real.shape[1:]))
    points = real.lerp(fake, u).requires_grad_()
    with torch.enable_grad():
        (g,) = torch.autograd.grad(critic(points).sum(), points, create_graph=True)
    norms = torch.stack([torch.linalg.vector_norm(row) for row in g])
    return F.mse_loss(norms, torch.ones_like(norms))


@probe("gradient_penalty")
def _(f):
    class Probe(nn.Module):
        def __init__(self, shape):
            super().__init__()
            g = torch.Generator().manual_seed(7)
            draw = 0.3 + torch.rand(shape, generator=g, dtype=torch.float64)
            self.a, self.where = nn.Parameter(draw), []

        def forward(self, x):
            self.where.append(checks.numbers(x).reshape(-1, *x.shape[1:]))
            return (0.2 * self.a * x**2).reshape(len(x), -1).sum(1)

    outcomes = []
    for shape, scale in [((3,), 1.0), ((3,), 0.3), ((1, 2, 3), 1.0), ((), 1.0)]:
        g = torch.Generator().manual_seed(8)
        real, fake = scale * torch.randn(2, 4, *shape, generator=g, dtype=torch.float64)
        model = Probe(shape)
        value = f(model, real, fake, torch.Generator().manual_seed(9))
        by_a = "no gradient"
        if isinstance(value, torch.Tensor) and value.requires_grad:
            by_a = torch.autograd.grad(value, model.a, allow_unused=True)[0]
        outcomes += [value, by_a, model.where]
    return outcomes

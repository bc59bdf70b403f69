"""Wrong and right answers to the exercises of lesson 02."""

import math

import numpy as np
import scipy.special
import torch

from tests.notebooks.answer import mutant, probe, variant

# mse


@mutant("sums over the pixels", breaks=("test_mse_values", "test_mse_bytes"))
def mse(x, y):
    return ((x.float() - y.float()) ** 2).reshape(len(x), -1).sum(1)


@mutant("averages over the whole batch", breaks="test_mse_values")
def mse(x, y):
    return ((x.double() - y.double()) ** 2).mean()


@mutant("averages over the batch instead of the pixels", breaks="test_mse_values")
def mse(x, y):
    return ((x.double() - y.double()) ** 2).mean(0)


@mutant("the absolute error", breaks=("test_mse_values", "test_mse_bytes"))
def mse(x, y):
    return (x.double() - y.double()).abs().reshape(len(x), -1).mean(1)


@mutant("the root of the mean square", breaks=("test_mse_values", "test_mse_bytes"))
def mse(x, y):
    return ((x.double() - y.double()) ** 2).reshape(len(x), -1).mean(1).sqrt()


@mutant("the square of the mean difference", breaks=("test_mse_values", "test_mse_bytes"))
def mse(x, y):
    return (x.double() - y.double()).reshape(len(x), -1).mean(1) ** 2


@mutant("bytes wrap around", breaks="test_mse_bytes")
def mse(x, y):
    difference = x - y
    if not difference.dtype.is_floating_point:
        difference = difference.float()
    return (difference**2).reshape(len(x), -1).mean(1)


@mutant("a factor ½ as in a loss", breaks=("test_mse_values", "test_mse_bytes"))
def mse(x, y):
    return 0.5 * ((x.double() - y.double()) ** 2).reshape(len(x), -1).mean(1)


@mutant("divides by D − 1", breaks="test_mse_bytes")
def mse(x, y):
    squares = ((x.double() - y.double()) ** 2).reshape(len(x), -1)
    return squares.sum(1) / max(squares.shape[1] - 1, 1)


@mutant("averages over the last axis only", breaks="test_mse_values")
def mse(x, y):
    squares = (x.double() - y.double()) ** 2
    while squares.ndim > 2:
        squares = squares.sum(1)
    return squares.mean(-1) if squares.ndim == 2 else squares


@mutant("bytes are scaled to [0, 1]", breaks="test_mse_bytes")
def mse(x, y):
    if x.dtype == torch.uint8:
        x, y = x / 255, y / 255
    return ((x - y) ** 2).reshape(len(x), -1).mean(1)


@variant("a loop over the batch, in NumPy")
def mse(x, y):
    errors = [
        np.mean((a.numpy().astype(float) - b.numpy().astype(float)) ** 2)
        for a, b in zip(x, y, strict=True)
    ]
    return torch.tensor(errors, dtype=torch.float64)


@variant("torch's mse_loss without reduction")
def mse(x, y):
    dtype = x.dtype if x.is_floating_point() else torch.float32
    losses = torch.nn.functional.mse_loss(x.to(dtype), y.to(dtype), reduction="none")
    return losses.flatten(1).mean(1) if losses.ndim > 1 else losses


@variant("a norm, squared and divided")
def mse(x, y):
    difference = (x.double() - y.double()).reshape(x.shape[0], -1)
    return torch.linalg.vector_norm(difference, dim=1) ** 2 / difference.shape[1]


@variant("an inner product by einsum")
def mse(x, y):
    d = (x.double() - y.double()).reshape(len(x), -1)
    return torch.einsum("nd,nd->n", d, d) / d.size(1)


@probe("mse")
def _(f):
    x = torch.tensor([[[0.0, 1.0, 2.0], [0.5, 0.25, 3.0]], [[1.0, -1.0, 0.0], [2.0, 0.0, 0.5]]])
    y = torch.tensor([[[0.5, 1.0, 1.0], [0.0, 0.25, 1.0]], [[0.0, 1.0, 0.5], [2.0, 1.0, 0.5]]])
    dark, bright = torch.tensor([[3, 0, 9]]).byte(), torch.tensor([[5, 255, 9]]).byte()
    return [f(x, y), f(dark, bright), f(x[:, 0, 0], y[:, 0, 0])]


# psnr


@mutant("20 log10 of the MSE ratio", breaks=("test_psnr_values", "test_psnr_range"))
def psnr(x, y, data_range=1.0):
    errors = ((x.double() - y.double()) ** 2).reshape(len(x), -1).mean(1)
    return 20 * torch.log10(data_range**2 / errors)


@mutant("the natural logarithm", breaks=("test_psnr_values", "test_psnr_range"))
def psnr(x, y, data_range=1.0):
    errors = ((x.double() - y.double()) ** 2).reshape(len(x), -1).mean(1)
    return 10 * torch.log(data_range**2 / errors)


@mutant("the root of the MSE under 10 log10", breaks=("test_psnr_values", "test_psnr_range"))
def psnr(x, y, data_range=1.0):
    errors = ((x.double() - y.double()) ** 2).reshape(len(x), -1).mean(1).sqrt()
    return 10 * torch.log10(data_range / errors)


@mutant("the range is not squared", breaks="test_psnr_range")
def psnr(x, y, data_range=1.0):
    errors = ((x.double() - y.double()) ** 2).reshape(len(x), -1).mean(1)
    return 10 * torch.log10(data_range / errors)


@mutant("the range is ignored", breaks="test_psnr_range")
def psnr(x, y, data_range=1.0):
    errors = ((x.double() - y.double()) ** 2).reshape(len(x), -1).mean(1)
    return -10 * torch.log10(errors)


@mutant("the sign is turned around", breaks=("test_psnr_values", "test_psnr_equal"))
def psnr(x, y, data_range=1.0):
    errors = ((x.double() - y.double()) ** 2).reshape(len(x), -1).mean(1)
    return 10 * torch.log10(errors / data_range**2)


@mutant("an epsilon keeps equal images finite", breaks="test_psnr_equal")
def psnr(x, y, data_range=1.0):
    errors = ((x.double() - y.double()) ** 2).reshape(len(x), -1).mean(1)
    return 10 * torch.log10(data_range**2 / (errors + 1e-10))


@mutant("equal images get 100 dB", breaks="test_psnr_equal")
def psnr(x, y, data_range=1.0):
    errors = ((x.double() - y.double()) ** 2).reshape(len(x), -1).mean(1)
    return torch.where(errors == 0, 100.0, 10 * torch.log10(data_range**2 / errors))


@mutant("one MSE for the whole batch", breaks=("test_psnr_values", "test_psnr_equal"))
def psnr(x, y, data_range=1.0):
    error = ((x.double() - y.double()) ** 2).mean()
    return (10 * torch.log10(data_range**2 / error)).expand(len(x))


@mutant("the mean of the pixels' PSNR", breaks="test_psnr_equal")
def psnr(x, y, data_range=1.0):
    squares = ((x.double() - y.double()) ** 2).reshape(len(x), -1)
    return (10 * torch.log10(data_range**2 / squares.clamp_min(1e-12))).mean(1)


@mutant("the largest pixel of x as the range", breaks=("test_psnr_values", "test_psnr_range"))
def psnr(x, y, data_range=1.0):
    errors = ((x.double() - y.double()) ** 2).reshape(len(x), -1).mean(1)
    peak = x.double().reshape(len(x), -1).max(1).values
    return 10 * torch.log10(peak**2 / errors)


@variant("as a difference of logarithms")
def psnr(x, y, data_range=1.0):
    errors = ((x.double() - y.double()) ** 2).reshape(len(x), -1).mean(1)
    return 20 * math.log10(data_range) - 10 * errors.log10()


@variant("in NumPy, image by image")
def psnr(x, y, data_range=1.0):
    values = []
    for a, b in zip(x.numpy().astype(float), y.numpy().astype(float), strict=True):
        error = np.mean((a - b) ** 2)
        values.append(np.inf if error == 0 else 10 * np.log10(data_range**2 / error))
    return torch.tensor(values, dtype=torch.float64)


@variant("in NumPy with a division by zero that warns")
def psnr(x, y, data_range=1.0):
    a, b = x.numpy().astype(float), y.numpy().astype(float)
    errors = np.square(a - b).mean(axis=tuple(range(1, a.ndim)))
    return torch.from_numpy(10 * np.log10(data_range**2 / errors))


@probe("psnr")
def _(f):
    x = torch.tensor([[0.0, 0.5, 1.0], [0.2, 0.4, 0.6], [0.3, 0.3, 0.3]])
    y = torch.tensor([[0.1, 0.2, 0.9], [0.2, 0.4, 0.6], [0.2, 0.5, 0.3]])
    return [f(x, y), f(x[:1], y[:1]), f(7 * x, 7 * y, 7.0)]


# kl_divergence


@mutant("log base 2", breaks=("test_kl_divergence_values", "test_kl_divergence_zeros"))
def kl_divergence(p, q):
    return torch.where(p > 0, p * (p.log2() - q.log2()), 0.0).sum(-1)


@mutant("the other direction", breaks=("test_kl_divergence_values", "test_kl_divergence_batches"))
def kl_divergence(p, q):
    return torch.where(q > 0, q * (q.log() - p.log()), 0.0).sum(-1)


@mutant("the sign is turned around", breaks="test_kl_divergence_values")
def kl_divergence(p, q):
    return torch.where(p > 0, p * (q.log() - p.log()), 0.0).sum(-1)


@mutant("0 log 0 is left as nan", breaks="test_kl_divergence_zeros")
def kl_divergence(p, q):
    return (p * (p / q).log()).sum(-1)


@mutant("an epsilon under the logarithm", breaks="test_kl_divergence_zeros")
def kl_divergence(p, q):
    return (p * ((p + 1e-10) / (q + 1e-10)).log()).sum(-1)


@mutant("outcomes that q calls impossible are skipped", breaks="test_kl_divergence_zeros")
def kl_divergence(p, q):
    both = (p > 0) & (q > 0)
    return torch.where(both, p * (p.log() - q.log()), 0.0).sum(-1)


@mutant(
    "nan_to_num, which makes +inf the largest float",
    breaks="test_kl_divergence_zeros",
)
def kl_divergence(p, q):
    return (p * (p / q).log()).nan_to_num(nan=0.0).sum(-1)


@mutant("the mean over the outcomes", breaks="test_kl_divergence_values")
def kl_divergence(p, q):
    return torch.where(p > 0, p * (p.log() - q.log()), 0.0).mean(-1)


@mutant("the cross-entropy, without the entropy", breaks="test_kl_divergence_values")
def kl_divergence(p, q):
    return -torch.where(p > 0, p * q.log(), 0.0).sum(-1)


@mutant("sums over everything", breaks="test_kl_divergence_batches")
def kl_divergence(p, q):
    return torch.where(p > 0, p * (p.log() - q.log()), 0.0).sum()


@mutant("sums over the first axis", breaks="test_kl_divergence_batches")
def kl_divergence(p, q):
    return torch.where(p > 0, p * (p.log() - q.log()), 0.0).sum(0)


@mutant("torch's kl_div with the arguments as they come", breaks="test_kl_divergence_values")
def kl_divergence(p, q):
    return torch.nn.functional.kl_div(p.log(), q, reduction="none").sum(-1)


@variant("SciPy's rel_entr")
def kl_divergence(p, q):
    return torch.as_tensor(scipy.special.rel_entr(p.numpy(), q.numpy()).sum(-1))


@variant("xlogy for both terms")
def kl_divergence(p, q):
    return (torch.special.xlogy(p, p) - torch.special.xlogy(p, q)).sum(-1)


@variant("NumPy with masks and warnings about log 0")
def kl_divergence(p, q):
    a, b = np.broadcast_arrays(p.numpy().astype(float), q.numpy().astype(float))
    return torch.as_tensor(np.where(a > 0, a * (np.log(a) - np.log(b)), 0.0).sum(-1))


@variant("a loop over outcomes")
def kl_divergence(p, q):
    p, q = torch.broadcast_tensors(p, q)
    total = torch.zeros(p.shape[:-1], dtype=p.dtype)
    for k in range(p.shape[-1]):
        a, b = p[..., k], q[..., k]
        total = total + torch.where(a > 0, a * (a.log() - b.log()), torch.zeros_like(a))
    return total


@probe("kl_divergence")
def _(f):
    p = torch.tensor([[0.5, 0.3, 0.2], [0.1, 0.2, 0.7]])
    q = torch.tensor([[0.2, 0.2, 0.6], [0.3, 0.3, 0.4]])
    zero = torch.tensor([[0.0, 1.0, 0.0], [0.5, 0.5, 0.0]])
    some = torch.tensor([[0.5, 0.5, 0.0], [0.0, 0.5, 0.5]])
    return [f(p, q), f(p[0], q), f(zero[0], some[0]), f(zero[1], some[1])]


# js_divergence


@mutant("log base 2", breaks=("test_js_divergence_values", "test_js_divergence_disjoint"))
def js_divergence(p, q):
    m = (p + q) / 2
    terms = torch.special.xlogy(p, p) + torch.special.xlogy(q, q) - 2 * torch.special.xlogy(m, m)
    return terms.sum(-1) / 2 / math.log(2)


@mutant("no factor ½", breaks=("test_js_divergence_values", "test_js_divergence_disjoint"))
def js_divergence(p, q):
    m = (p + q) / 2
    terms = torch.special.xlogy(p, p) + torch.special.xlogy(q, q) - 2 * torch.special.xlogy(m, m)
    return terms.sum(-1)


@mutant("the distance: its square root", breaks="test_js_divergence_values")
def js_divergence(p, q):
    m = (p + q) / 2
    terms = torch.special.xlogy(p, p) + torch.special.xlogy(q, q) - 2 * torch.special.xlogy(m, m)
    return (terms.sum(-1) / 2).clamp_min(0).sqrt()


@mutant(
    "the mean of both KL, no midpoint",
    breaks=("test_js_divergence_values", "test_js_divergence_disjoint"),
)
def js_divergence(p, q):
    forward = torch.special.xlogy(p, p) - torch.special.xlogy(p, q)
    reverse = torch.special.xlogy(q, q) - torch.special.xlogy(q, p)
    return (forward + reverse).sum(-1) / 2


@mutant("only p is compared with the midpoint", breaks="test_js_divergence_values")
def js_divergence(p, q):
    m = (p + q) / 2
    return (torch.special.xlogy(p, p) - torch.special.xlogy(p, m)).sum(-1)


@mutant("the midpoint is p + q", breaks="test_js_divergence_values")
def js_divergence(p, q):
    m = p + q
    p_term = torch.special.xlogy(p, p) - torch.special.xlogy(p, m)
    q_term = torch.special.xlogy(q, q) - torch.special.xlogy(q, m)
    return (p_term + q_term).sum(-1) / 2


@mutant("the geometric midpoint", breaks="test_js_divergence_values")
def js_divergence(p, q):
    m = (p * q).sqrt()
    m = m / m.sum(-1, keepdim=True)
    p_term = torch.special.xlogy(p, p) - torch.special.xlogy(p, m)
    q_term = torch.special.xlogy(q, q) - torch.special.xlogy(q, m)
    return (p_term + q_term).sum(-1) / 2


@mutant(
    "KL from the midpoint instead of to it",
    breaks=("test_js_divergence_values", "test_js_divergence_disjoint"),
)
def js_divergence(p, q):
    m = (p + q) / 2
    p_term = torch.special.xlogy(m, m) - torch.special.xlogy(m, p)
    q_term = torch.special.xlogy(m, m) - torch.special.xlogy(m, q)
    return (p_term + q_term).sum(-1) / 2


@mutant("zeros are left as nan", breaks="test_js_divergence_disjoint")
def js_divergence(p, q):
    m = (p + q) / 2
    return ((p * (p / m).log()).sum(-1) + (q * (q / m).log()).sum(-1)) / 2


@mutant(
    "the mean over the outcomes",
    breaks=("test_js_divergence_values", "test_js_divergence_disjoint"),
)
def js_divergence(p, q):
    m = (p + q) / 2
    terms = torch.special.xlogy(p, p) + torch.special.xlogy(q, q) - 2 * torch.special.xlogy(m, m)
    return terms.mean(-1) / 2


@mutant("zeros are lifted to a thousandth", breaks="test_js_divergence_disjoint")
def js_divergence(p, q):
    p, q = p.clamp_min(1e-3), q.clamp_min(1e-3)
    m = (p + q) / 2
    return ((p * (p / m).log()).sum(-1) + (q * (q / m).log()).sum(-1)) / 2


@variant("entropy of the midpoint minus mean entropy")
def js_divergence(p, q):
    def entropy(law):
        return -torch.special.xlogy(law, law).sum(-1)

    return entropy((p + q) / 2) - (entropy(p) + entropy(q)) / 2


@variant("SciPy's jensenshannon, squared")
def js_divergence(p, q):
    from scipy.spatial.distance import jensenshannon

    a, b = np.broadcast_arrays(p.double().numpy(), q.double().numpy())
    return torch.as_tensor(np.square(jensenshannon(a, b, axis=-1)))


@variant("SciPy's rel_entr to the midpoint")
def js_divergence(p, q):
    a, b = p.double().numpy(), q.double().numpy()
    m = (a + b) / 2
    left, right = scipy.special.rel_entr(a, m).sum(-1), scipy.special.rel_entr(b, m).sum(-1)
    return torch.as_tensor((left + right) / 2)


@probe("js_divergence")
def _(f):
    p = torch.tensor([[0.5, 0.3, 0.2], [0.1, 0.2, 0.7]])
    q = torch.tensor([[0.2, 0.2, 0.6], [0.3, 0.3, 0.4]])
    return [f(p, q), f(torch.tensor([0.4, 0.6, 0.0, 0.0]), torch.tensor([0.0, 0.0, 0.7, 0.3]))]


# gaussian_kl


@mutant("the other direction", breaks=("test_gaussian_kl_values", "test_gaussian_kl_broadcast"))
def gaussian_kl(mu0, var0, mu1, var1):
    return 0.5 * ((var0 / var1).log() - 1 + (var1 + (mu0 - mu1) ** 2) / var0).sum(-1)


@mutant("the variances are squared as if they were std", breaks="test_gaussian_kl_values")
def gaussian_kl(mu0, var0, mu1, var1):
    a, b = var0**2, var1**2
    return 0.5 * ((b / a).log() - 1 + (a + (mu0 - mu1) ** 2) / b).sum(-1)


@mutant("no −1", breaks=("test_gaussian_kl_values", "test_gaussian_kl_broadcast"))
def gaussian_kl(mu0, var0, mu1, var1):
    return 0.5 * ((var1 / var0).log() + (var0 + (mu0 - mu1) ** 2) / var1).sum(-1)


@mutant(
    "one −1 for all dimensions", breaks=("test_gaussian_kl_values", "test_gaussian_kl_broadcast")
)
def gaussian_kl(mu0, var0, mu1, var1):
    return 0.5 * (((var1 / var0).log() + (var0 + (mu0 - mu1) ** 2) / var1).sum(-1) - 1)


@mutant("no factor ½", breaks=("test_gaussian_kl_values", "test_gaussian_kl_broadcast"))
def gaussian_kl(mu0, var0, mu1, var1):
    return ((var1 / var0).log() - 1 + (var0 + (mu0 - mu1) ** 2) / var1).sum(-1)


@mutant(
    "the mean over the dimensions", breaks=("test_gaussian_kl_values", "test_gaussian_kl_broadcast")
)
def gaussian_kl(mu0, var0, mu1, var1):
    return 0.5 * ((var1 / var0).log() - 1 + (var0 + (mu0 - mu1) ** 2) / var1).mean(-1)


@mutant("the logarithm upside down", breaks="test_gaussian_kl_values")
def gaussian_kl(mu0, var0, mu1, var1):
    return 0.5 * ((var0 / var1).log() - 1 + (var0 + (mu0 - mu1) ** 2) / var1).sum(-1)


@mutant(
    "the means are not squared", breaks=("test_gaussian_kl_values", "test_gaussian_kl_broadcast")
)
def gaussian_kl(mu0, var0, mu1, var1):
    return 0.5 * ((var1 / var0).log() - 1 + (var0 + (mu0 - mu1).abs()) / var1).sum(-1)


@mutant("the means are divided by the variance of p", breaks="test_gaussian_kl_values")
def gaussian_kl(mu0, var0, mu1, var1):
    return 0.5 * ((var1 / var0).log() - 1 + var0 / var1 + (mu0 - mu1) ** 2 / var0).sum(-1)


@mutant("the second distribution is taken as standard normal", breaks="test_gaussian_kl_values")
def gaussian_kl(mu0, var0, mu1, var1):
    terms = -var0.log() - 1 + var0 + mu0**2 + 0 * (mu1 + var1)
    return 0.5 * terms.sum(-1)


@mutant("parts are summed before they broadcast", breaks="test_gaussian_kl_broadcast")
def gaussian_kl(mu0, var0, mu1, var1):
    logs = var1.log().sum(-1) - var0.log().sum(-1)
    return 0.5 * (logs - mu0.shape[-1] + ((var0 + (mu0 - mu1) ** 2) / var1).sum(-1))


@mutant("the last axis of mu0 alone counts the dimensions", breaks="test_gaussian_kl_broadcast")
def gaussian_kl(mu0, var0, mu1, var1):
    ratio = (var0 + (mu0 - mu1) ** 2) / var1
    return 0.5 * ((var1 / var0).log().sum(-1) + ratio.sum(-1) - len(mu0))


@variant("torch.distributions")
def gaussian_kl(mu0, var0, mu1, var1):
    p = torch.distributions.Normal(mu0, var0.sqrt())
    q = torch.distributions.Normal(mu1, var1.sqrt())
    return torch.distributions.kl_divergence(p, q).sum(-1)


@variant("NumPy with standard deviations")
def gaussian_kl(mu0, var0, mu1, var1):
    m0, v0, m1, v1 = (t.double().numpy() for t in (mu0, var0, mu1, var1))
    terms = np.log(np.sqrt(v1)) - np.log(np.sqrt(v0)) + (v0 + (m0 - m1) ** 2) / (2 * v1) - 0.5
    return torch.as_tensor(terms.sum(axis=-1))


@variant("a loop over the dimensions")
def gaussian_kl(mu0, var0, mu1, var1):
    mu0, var0, mu1, var1 = torch.broadcast_tensors(mu0, var0, mu1, var1)
    total = torch.zeros(mu0.shape[:-1], dtype=mu0.dtype)
    for k in range(mu0.shape[-1]):
        a, b, gap = var0[..., k], var1[..., k], mu0[..., k] - mu1[..., k]
        total = total + 0.5 * (torch.log(b) - torch.log(a) + a / b + gap * gap / b - 1)
    return total


@probe("gaussian_kl")
def _(f):
    mu0, var0 = torch.tensor([[0.5, 1.0, -1.0], [0.0, 0.3, 0.2]]), torch.tensor([0.5, 2.0, 1.5])
    mu1, var1 = torch.tensor([0.1, -0.2, 0.7]), torch.tensor([1.2, 0.6, 2.0])
    return [f(mu0, var0, mu1, var1), f(mu0[0], var0, mu1, torch.tensor([1.7]))]


# kl_monte_carlo


@mutant("log q − log p", breaks=("test_kl_monte_carlo_values", "test_kl_monte_carlo_plain"))
def kl_monte_carlo(log_p, log_q, samples):
    return float((log_q(samples) - log_p(samples)).mean())


@mutant("the sum", breaks="test_kl_monte_carlo_values")
def kl_monte_carlo(log_p, log_q, samples):
    return float((log_p(samples) - log_q(samples)).sum())


@mutant("weighted by p a second time", breaks="test_kl_monte_carlo_values")
def kl_monte_carlo(log_p, log_q, samples):
    return float((log_p(samples).exp() * (log_p(samples) - log_q(samples))).mean())


@mutant("weighted by normalised p", breaks="test_kl_monte_carlo_values")
def kl_monte_carlo(log_p, log_q, samples):
    return float((log_p(samples).softmax(0) * (log_p(samples) - log_q(samples))).sum())


@mutant("cut off at zero", breaks="test_kl_monte_carlo_plain")
def kl_monte_carlo(log_p, log_q, samples):
    return max(float((log_p(samples) - log_q(samples)).mean()), 0.0)


@mutant("the mean of absolute values", breaks="test_kl_monte_carlo_plain")
def kl_monte_carlo(log_p, log_q, samples):
    return float((log_p(samples) - log_q(samples)).abs().mean())


@mutant("the absolute value of the mean", breaks="test_kl_monte_carlo_plain")
def kl_monte_carlo(log_p, log_q, samples):
    return abs(float((log_p(samples) - log_q(samples)).mean()))


@mutant(
    "the low-variance estimator r − 1 − log r",
    breaks=("test_kl_monte_carlo_values", "test_kl_monte_carlo_plain"),
)
def kl_monte_carlo(log_p, log_q, samples):
    log_r = log_q(samples) - log_p(samples)
    return float((log_r.exp() - 1 - log_r).mean())


@mutant("the entropy term is forgotten", breaks="test_kl_monte_carlo_values")
def kl_monte_carlo(log_p, log_q, samples):
    return float(-log_q(samples).mean())


@mutant("log base 2", breaks="test_kl_monte_carlo_values")
def kl_monte_carlo(log_p, log_q, samples):
    return float((log_p(samples) - log_q(samples)).mean()) / math.log(2)


@mutant("divides by n − 1", breaks="test_kl_monte_carlo_values")
def kl_monte_carlo(log_p, log_q, samples):
    return float((log_p(samples) - log_q(samples)).sum()) / (len(samples) - 1)


@mutant("the logarithm of the mean ratio", breaks="test_kl_monte_carlo_plain")
def kl_monte_carlo(log_p, log_q, samples):
    ratios = log_p(samples) - log_q(samples)
    return float(torch.logsumexp(ratios, 0)) - math.log(len(samples))


@mutant("the median", breaks="test_kl_monte_carlo_plain")
def kl_monte_carlo(log_p, log_q, samples):
    return float((log_p(samples) - log_q(samples)).median())


@variant("two means")
def kl_monte_carlo(log_p, log_q, samples):
    return log_p(samples).mean().item() - log_q(samples).mean().item()


@variant("NumPy's average, as a 0-d tensor")
def kl_monte_carlo(log_p, log_q, samples):
    return torch.tensor(np.average(log_p(samples).numpy() - log_q(samples).numpy()))


@variant("a loop over the samples")
def kl_monte_carlo(log_p, log_q, samples):
    total = 0.0
    for index in range(len(samples)):
        one = samples[index : index + 1]
        total += float(log_p(one)) - float(log_q(one))
    return total / len(samples)


@probe("kl_monte_carlo")
def _(f):
    def log_p(z):
        return -0.5 * (z - 1) ** 2

    def log_q(z):
        return -0.5 * z**2 - 0.3

    return [
        f(log_p, log_q, torch.tensor(v)) for v in ([0.5, 1.5, 2.5, 0.1], [-1.0, 0.0, -3.0, 0.4])
    ]

"""Wrong and right answers to the exercises of lesson 04."""

import math

import numpy as np
import torch
import torch.nn.functional as F

from tests.notebooks.answer import mutant, probe, variant

# log_marginal


@mutant("takes sigma for the variance", breaks="test_log_marginal_values")
def log_marginal(x, W, b, sigma):
    C = W @ W.T + sigma * torch.eye(len(W), dtype=W.dtype)
    L = torch.linalg.cholesky(C)
    white = torch.linalg.solve_triangular(L, (x - b).T, upper=False)
    log_det = 2 * L.diagonal().log().sum()
    return -0.5 * (len(W) * math.log(2 * math.pi) + log_det + white.square().sum(0))


@mutant(
    "the density given z = 0, without W",
    breaks=("test_log_marginal_values", "test_log_marginal_shapes"),
)
def log_marginal(x, W, b, sigma):
    squares = ((x - b) / sigma).square().sum(1)
    return -0.5 * (len(W) * math.log(2 * math.pi * sigma**2) + squares)


@mutant(
    "puts in the posterior mean instead of integrating over z",
    breaks=("test_log_marginal_values", "test_log_marginal_shapes"),
)
def log_marginal(x, W, b, sigma):
    M = W.T @ W + sigma**2 * torch.eye(W.shape[1], dtype=W.dtype)
    z = torch.linalg.solve(M, W.T @ (x - b).T).T
    squares = ((x - b - z @ W.T) / sigma).square().sum(1) + z.square().sum(1)
    return -0.5 * (len(W) * math.log(2 * math.pi * sigma**2) + squares)


@mutant("forgets log 2π", breaks=("test_log_marginal_values", "test_log_marginal_shapes"))
def log_marginal(x, W, b, sigma):
    C = W @ W.T + sigma**2 * torch.eye(len(W), dtype=W.dtype)
    white = torch.linalg.solve_triangular(torch.linalg.cholesky(C), (x - b).T, upper=False)
    return -0.5 * (C.logdet() + white.square().sum(0))


@mutant("log 2π once, not D times", breaks=("test_log_marginal_values", "test_log_marginal_shapes"))
def log_marginal(x, W, b, sigma):
    C = W @ W.T + sigma**2 * torch.eye(len(W), dtype=W.dtype)
    white = torch.linalg.solve_triangular(torch.linalg.cholesky(C), (x - b).T, upper=False)
    return -0.5 * (math.log(2 * math.pi) + C.logdet() + white.square().sum(0))


@mutant("does not halve the log-determinant", breaks="test_log_marginal_values")
def log_marginal(x, W, b, sigma):
    C = W @ W.T + sigma**2 * torch.eye(len(W), dtype=W.dtype)
    white = torch.linalg.solve_triangular(torch.linalg.cholesky(C), (x - b).T, upper=False)
    return -0.5 * (len(W) * math.log(2 * math.pi) + white.square().sum(0)) - C.logdet()


@mutant("the log-determinant of the factor, not doubled", breaks="test_log_marginal_values")
def log_marginal(x, W, b, sigma):
    C = W @ W.T + sigma**2 * torch.eye(len(W), dtype=W.dtype)
    L = torch.linalg.cholesky(C)
    white = torch.linalg.solve_triangular(L, (x - b).T, upper=False)
    log_det = L.diagonal().log().sum()
    return -0.5 * (len(W) * math.log(2 * math.pi) + log_det + white.square().sum(0))


@mutant("does not subtract b", breaks="test_log_marginal_values")
def log_marginal(x, W, b, sigma):
    C = W @ W.T + sigma**2 * torch.eye(len(W), dtype=W.dtype)
    white = torch.linalg.solve_triangular(torch.linalg.cholesky(C), x.T, upper=False)
    return -0.5 * (len(W) * math.log(2 * math.pi) + C.logdet() + white.square().sum(0))


@mutant("uses the variances alone", breaks="test_log_marginal_values")
def log_marginal(x, W, b, sigma):
    variances = W.square().sum(1) + sigma**2
    return -0.5 * ((x - b).square() / variances + (2 * math.pi * variances).log()).sum(1)


@mutant("the negative log-likelihood", breaks="test_log_marginal_values")
def log_marginal(x, W, b, sigma):
    C = W @ W.T + sigma**2 * torch.eye(len(W), dtype=W.dtype)
    white = torch.linalg.solve_triangular(torch.linalg.cholesky(C), (x - b).T, upper=False)
    return 0.5 * (len(W) * math.log(2 * math.pi) + C.logdet() + white.square().sum(0))


@mutant("sums over the points", breaks=("test_log_marginal_values", "test_log_marginal_shapes"))
def log_marginal(x, W, b, sigma):
    C = W @ W.T + sigma**2 * torch.eye(len(W), dtype=W.dtype)
    white = torch.linalg.solve_triangular(torch.linalg.cholesky(C), (x - b).T, upper=False)
    return (-0.5 * (len(W) * math.log(2 * math.pi) + C.logdet() + white.square().sum(0))).sum()


@mutant("counts no noise in the dimensions that latents exceed", breaks="test_log_marginal_shapes")
def log_marginal(x, W, b, sigma):
    dims, latents = W.shape
    M = W.T @ W + sigma**2 * torch.eye(latents, dtype=W.dtype)
    log_det = M.logdet() + max(dims - latents, 0) * 2 * math.log(sigma)
    r = x - b
    quadratic = (r.square().sum(1) - (r @ W * torch.linalg.solve(M, (r @ W).T).T).sum(1)) / sigma**2
    return -0.5 * (dims * math.log(2 * math.pi) + log_det + quadratic)


@mutant("takes the logarithm of a determinant out of range", breaks="test_log_marginal_stable")
def log_marginal(x, W, b, sigma):
    C = W @ W.T + sigma**2 * torch.eye(len(W), dtype=W.dtype)
    white = torch.linalg.solve_triangular(torch.linalg.cholesky(C), (x - b).T, upper=False)
    log_det = torch.linalg.det(C).log()
    return -0.5 * (len(W) * math.log(2 * math.pi) + log_det + white.square().sum(0))


@mutant("takes the logarithm of a density of 0", breaks="test_log_marginal_stable")
def log_marginal(x, W, b, sigma):
    C = W @ W.T + sigma**2 * torch.eye(len(W), dtype=W.dtype)
    white = torch.linalg.solve_triangular(torch.linalg.cholesky(C), (x - b).T, upper=False)
    scale = torch.exp(-0.5 * (len(W) * math.log(2 * math.pi) + C.logdet()))
    return (scale * torch.exp(-0.5 * white.square().sum(0))).log()


@mutant("adds a little to the diagonal", breaks="test_log_marginal_stable")
def log_marginal(x, W, b, sigma):
    C = W @ W.T + (sigma**2 + 1e-6) * torch.eye(len(W), dtype=W.dtype)
    white = torch.linalg.solve_triangular(torch.linalg.cholesky(C), (x - b).T, upper=False)
    return -0.5 * (len(W) * math.log(2 * math.pi) + C.logdet() + white.square().sum(0))


@variant("torch.distributions")
def log_marginal(x, W, b, sigma):
    C = W @ W.T + sigma**2 * torch.eye(len(W), dtype=W.dtype)
    return torch.distributions.MultivariateNormal(b, C).log_prob(x)


@variant("scipy.stats, in float64")
def log_marginal(x, W, b, sigma):
    from scipy import stats

    C = (W @ W.T).double().numpy() + sigma**2 * np.eye(len(W))
    values = stats.multivariate_normal(b.double().numpy(), C).logpdf(x.double().numpy())
    return torch.from_numpy(np.atleast_1d(values))


@variant("Woodbury and Sylvester, through the K × K matrix")
def log_marginal(x, W, b, sigma):
    dims, latents = W.shape
    M = W.T @ W + sigma**2 * torch.eye(latents, dtype=W.dtype)
    log_det = M.logdet() + (dims - latents) * 2 * math.log(sigma)
    z = torch.linalg.solve(M, W.T @ (x - b).T).T
    quadratic = (x - b - z @ W.T).square().sum(1) / sigma**2 + z.square().sum(1)
    return -0.5 * (dims * math.log(2 * math.pi) + log_det + quadratic)


@variant("a loop over the points, with slogdet and solve")
def log_marginal(x, W, b, sigma):
    C = W @ W.T + sigma**2 * torch.eye(len(W), dtype=W.dtype)
    constant = len(W) * math.log(2 * math.pi) + torch.linalg.slogdet(C)[1]
    rows = [-0.5 * (constant + (row - b) @ torch.linalg.solve(C, row - b)) for row in x]
    return torch.stack(rows)


@variant("eigenvalues, in NumPy")
def log_marginal(x, W, b, sigma):
    w = W.double().numpy()
    values, vectors = np.linalg.eigh(w @ w.T + sigma**2 * np.eye(len(w)))
    along = (x.double().numpy() - b.double().numpy()) @ vectors
    result = -0.5 * (along**2 / values + np.log(2 * np.pi * values)).sum(axis=1)
    return torch.as_tensor(result, dtype=x.dtype)


@probe("log_marginal")
def _(f):
    g = torch.Generator().manual_seed(0)
    W, b = torch.randn(3, 2, generator=g).double(), torch.randn(3, generator=g).double()
    x = torch.randn(4, 3, generator=g).double()
    zero = torch.zeros(600, dtype=torch.float64)
    far = torch.full((1, 600), 3.0, dtype=torch.float64)
    return [
        f(x, W, b, 0.7),
        f(x[:, :2], W.T, b[:2], 0.7),
        f(zero[None], zero[:, None], zero, 0.3),
        f(far, zero[:, None], zero, 0.9),
        f(x, W, b, 0.003),
    ]


# posterior


@mutant("least squares, without the prior", breaks="test_posterior_mean")
def posterior(x, W, b, sigma):
    M = W.T @ W + sigma**2 * torch.eye(W.shape[1], dtype=W.dtype)
    return (torch.linalg.pinv(W) @ (x - b).T).T, sigma**2 * torch.linalg.inv(M)


@mutant(
    "takes sigma for the variance",
    breaks=("test_posterior_mean", "test_posterior_covariance"),
)
def posterior(x, W, b, sigma):
    M = W.T @ W + sigma * torch.eye(W.shape[1], dtype=W.dtype)
    return torch.linalg.solve(M, W.T @ (x - b).T).T, sigma * torch.linalg.inv(M)


@mutant("adds I, not sigma² I", breaks=("test_posterior_mean", "test_posterior_covariance"))
def posterior(x, W, b, sigma):
    M = W.T @ W + torch.eye(W.shape[1], dtype=W.dtype)
    return torch.linalg.solve(M, W.T @ (x - b).T).T, sigma**2 * torch.linalg.inv(M)


@mutant("does not subtract b", breaks="test_posterior_mean")
def posterior(x, W, b, sigma):
    M = W.T @ W + sigma**2 * torch.eye(W.shape[1], dtype=W.dtype)
    return torch.linalg.solve(M, W.T @ x.T).T, sigma**2 * torch.linalg.inv(M)


@mutant("multiplies the mean by the covariance, not by M⁻¹", breaks="test_posterior_mean")
def posterior(x, W, b, sigma):
    M = W.T @ W + sigma**2 * torch.eye(W.shape[1], dtype=W.dtype)
    cov = sigma**2 * torch.linalg.inv(M)
    return (x - b) @ W @ cov, cov


@mutant("divides the mean by sigma² once too often", breaks="test_posterior_mean")
def posterior(x, W, b, sigma):
    M = W.T @ W + sigma**2 * torch.eye(W.shape[1], dtype=W.dtype)
    inverse = torch.linalg.inv(M)
    return (x - b) @ W @ inverse / sigma**2, sigma**2 * inverse


@mutant("the means as columns", breaks="test_posterior_mean")
def posterior(x, W, b, sigma):
    M = W.T @ W + sigma**2 * torch.eye(W.shape[1], dtype=W.dtype)
    return torch.linalg.solve(M, W.T @ (x - b).T), sigma**2 * torch.linalg.inv(M)


@mutant("forgets sigma² in the covariance", breaks="test_posterior_covariance")
def posterior(x, W, b, sigma):
    M = W.T @ W + sigma**2 * torch.eye(W.shape[1], dtype=W.dtype)
    return torch.linalg.solve(M, W.T @ (x - b).T).T, torch.linalg.inv(M)


@mutant("the precision for the covariance", breaks="test_posterior_covariance")
def posterior(x, W, b, sigma):
    M = W.T @ W + sigma**2 * torch.eye(W.shape[1], dtype=W.dtype)
    return torch.linalg.solve(M, W.T @ (x - b).T).T, M / sigma**2


@mutant("drops the covariances", breaks="test_posterior_covariance")
def posterior(x, W, b, sigma):
    M = W.T @ W + sigma**2 * torch.eye(W.shape[1], dtype=W.dtype)
    cov = sigma**2 * torch.linalg.inv(M)
    return torch.linalg.solve(M, W.T @ (x - b).T).T, cov.diagonal().diag()


@mutant("inverts the diagonal instead of the matrix", breaks="test_posterior_covariance")
def posterior(x, W, b, sigma):
    M = W.T @ W + sigma**2 * torch.eye(W.shape[1], dtype=W.dtype)
    return torch.linalg.solve(M, W.T @ (x - b).T).T, (sigma**2 / M.diagonal()).diag()


@mutant("the variances as a vector", breaks="test_posterior_covariance")
def posterior(x, W, b, sigma):
    M = W.T @ W + sigma**2 * torch.eye(W.shape[1], dtype=W.dtype)
    cov = sigma**2 * torch.linalg.inv(M)
    return torch.linalg.solve(M, W.T @ (x - b).T).T, cov.diagonal()


@mutant("a covariance for each point", breaks="test_posterior_covariance")
def posterior(x, W, b, sigma):
    M = W.T @ W + sigma**2 * torch.eye(W.shape[1], dtype=W.dtype)
    cov = sigma**2 * torch.linalg.inv(M)
    return torch.linalg.solve(M, W.T @ (x - b).T).T, cov.expand(len(x), -1, -1)


@mutant("returns the mean alone", breaks=("test_posterior_mean", "test_posterior_covariance"))
def posterior(x, W, b, sigma):
    M = W.T @ W + sigma**2 * torch.eye(W.shape[1], dtype=W.dtype)
    return torch.linalg.solve(M, W.T @ (x - b).T).T


@variant("the rule for conditional Gaussians, through C")
def posterior(x, W, b, sigma):
    C = W @ W.T + sigma**2 * torch.eye(len(W), dtype=W.dtype)
    gain = torch.linalg.solve(C, W).T
    return (x - b) @ gain.T, torch.eye(W.shape[1], dtype=W.dtype) - gain @ W


@variant("the precision, as derived")
def posterior(x, W, b, sigma):
    precision = torch.eye(W.shape[1], dtype=W.dtype) + W.T @ W / sigma**2
    cov = torch.linalg.inv(precision)
    return (x - b) @ W @ cov / sigma**2, cov


@variant("NumPy, one point at a time")
def posterior(x, W, b, sigma):
    w, r = W.double().numpy(), (x.double() - b.double()).numpy()
    M = w.T @ w + sigma**2 * np.eye(w.shape[1])
    mean = np.stack([np.linalg.solve(M, w.T @ row) for row in r])
    cov = sigma**2 * np.linalg.inv(M)
    return torch.from_numpy(mean).to(x.dtype), torch.from_numpy(cov).to(x.dtype)


@variant("least squares with the prior as extra rows")
def posterior(x, W, b, sigma):
    latents = W.shape[1]
    stacked = torch.cat([W, sigma * torch.eye(latents, dtype=W.dtype)])
    target = torch.cat([(x - b).T, torch.zeros(latents, len(x), dtype=W.dtype)])
    mean = torch.linalg.lstsq(stacked, target).solution.T
    inverse = torch.linalg.pinv(stacked)
    return mean, sigma**2 * inverse @ inverse.T


@probe("posterior")
def _(f):
    g = torch.Generator().manual_seed(0)
    W, b = torch.randn(4, 2, generator=g).double(), torch.randn(4, generator=g).double()
    x = torch.randn(3, 4, generator=g).double()
    return [f(x, W, b, 0.7), f(x[:, :2], W.T, b[:2], 1.4)]


# kl_to_standard_normal


@mutant("averages over the latents", breaks="test_kl_to_standard_normal_values")
def kl_to_standard_normal(mu, logvar):
    return 0.5 * (mu**2 + logvar.exp() - 1 - logvar).mean(1)


@mutant("averages over the rows too", breaks="test_kl_to_standard_normal_values")
def kl_to_standard_normal(mu, logvar):
    return 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(1).mean()


@mutant("sums over the rows", breaks="test_kl_to_standard_normal_values")
def kl_to_standard_normal(mu, logvar):
    return 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(0)


@mutant("does not sum", breaks="test_kl_to_standard_normal_values")
def kl_to_standard_normal(mu, logvar):
    return 0.5 * (mu**2 + logvar.exp() - 1 - logvar)


@mutant("the sign turned around", breaks="test_kl_to_standard_normal_values")
def kl_to_standard_normal(mu, logvar):
    return 0.5 * (1 + logvar - mu**2 - logvar.exp()).sum(1)


@mutant("forgets the half", breaks="test_kl_to_standard_normal_values")
def kl_to_standard_normal(mu, logvar):
    return (mu**2 + logvar.exp() - 1 - logvar).sum(1)


@mutant("forgets the 1", breaks="test_kl_to_standard_normal_values")
def kl_to_standard_normal(mu, logvar):
    return 0.5 * (mu**2 + logvar.exp() - logvar).sum(1)


@mutant("logvar for the log of the standard deviation", breaks="test_kl_to_standard_normal_values")
def kl_to_standard_normal(mu, logvar):
    return 0.5 * (mu**2 + (2 * logvar).exp() - 1 - 2 * logvar).sum(1)


@mutant("the standard deviation for the variance", breaks="test_kl_to_standard_normal_values")
def kl_to_standard_normal(mu, logvar):
    return 0.5 * (mu**2 + (0.5 * logvar).exp() - 1 - logvar).sum(1)


@mutant("the KL from the prior to q", breaks="test_kl_to_standard_normal_values")
def kl_to_standard_normal(mu, logvar):
    return 0.5 * ((1 + mu**2) / logvar.exp() - 1 + logvar).sum(1)


@mutant("does not square mu", breaks="test_kl_to_standard_normal_values")
def kl_to_standard_normal(mu, logvar):
    return 0.5 * (mu.abs() + logvar.exp() - 1 - logvar).sum(1)


@mutant("detaches both", breaks="test_kl_to_standard_normal_gradient")
def kl_to_standard_normal(mu, logvar):
    mu, logvar = mu.detach(), logvar.detach()
    return 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(1)


@mutant("detaches the variance", breaks="test_kl_to_standard_normal_gradient")
def kl_to_standard_normal(mu, logvar):
    return 0.5 * (mu**2 + logvar.detach().exp() - 1 - logvar).sum(1)


@mutant("detaches mu", breaks="test_kl_to_standard_normal_gradient")
def kl_to_standard_normal(mu, logvar):
    return 0.5 * (mu.detach() ** 2 + logvar.exp() - 1 - logvar).sum(1)


@variant("torch.distributions")
def kl_to_standard_normal(mu, logvar):
    q = torch.distributions.Normal(mu, (0.5 * logvar).exp())
    prior = torch.distributions.Normal(torch.zeros_like(mu), torch.ones_like(mu))
    return torch.distributions.kl_divergence(q, prior).sum(-1)


@variant("the way papers write it, with -½")
def kl_to_standard_normal(mu, logvar):
    return -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp(), dim=1)


@variant("a loop over rows and latents")
def kl_to_standard_normal(mu, logvar):
    rows = []
    for m, v in zip(mu, logvar):  # noqa: B905
        rows.append(sum(0.5 * (m[k] ** 2 + torch.expm1(v[k]) - v[k]) for k in range(len(m))))
    return torch.stack(rows)


@variant("full covariances, in float64")
def kl_to_standard_normal(mu, logvar):
    m, cov = mu.double(), torch.diag_embed(logvar.double().exp())
    trace = cov.diagonal(dim1=1, dim2=2).sum(1)
    return 0.5 * (trace + (m * m).sum(1) - m.shape[1] - torch.logdet(cov))


@probe("kl_to_standard_normal")
def _(f):
    mu, logvar = torch.randn(2, 4, 3, generator=torch.Generator().manual_seed(0)).double()
    mu.requires_grad_(), logvar.requires_grad_()
    kl = f(mu, logvar)
    if isinstance(kl, str) or not kl.requires_grad:
        return [kl]
    return [kl, *torch.autograd.grad(kl.sum(), (mu, logvar), allow_unused=True)]


# gaussian_nll


@mutant("averages over the entries", breaks=("test_gaussian_nll_values",))
def gaussian_nll(x, mean, sigma):
    costs = 0.5 * ((x - mean) / sigma) ** 2 + math.log(sigma) + 0.5 * math.log(2 * math.pi)
    return costs.flatten(1).mean(1)


@mutant("sums over the batch as well", breaks="test_gaussian_nll_values")
def gaussian_nll(x, mean, sigma):
    costs = 0.5 * ((x - mean) / sigma) ** 2 + math.log(sigma) + 0.5 * math.log(2 * math.pi)
    return costs.sum()


@mutant("sums over the last axis only", breaks="test_gaussian_nll_values")
def gaussian_nll(x, mean, sigma):
    costs = 0.5 * ((x - mean) / sigma) ** 2 + math.log(sigma) + 0.5 * math.log(2 * math.pi)
    return costs.sum(-1)


@mutant("forgets log sigma", breaks="test_gaussian_nll_values")
def gaussian_nll(x, mean, sigma):
    costs = 0.5 * ((x - mean) / sigma) ** 2 + 0.5 * math.log(2 * math.pi)
    return costs.flatten(1).sum(1)


@mutant("forgets ½ log 2π", breaks="test_gaussian_nll_values")
def gaussian_nll(x, mean, sigma):
    costs = 0.5 * ((x - mean) / sigma) ** 2 + math.log(sigma)
    return costs.flatten(1).sum(1)


@mutant("the constants once, not for every entry", breaks="test_gaussian_nll_values")
def gaussian_nll(x, mean, sigma):
    squares = (x - mean).square().flatten(1).sum(1)
    return squares / (2 * sigma**2) + math.log(sigma) + 0.5 * math.log(2 * math.pi)


@mutant("log sigma² where log sigma belongs", breaks="test_gaussian_nll_values")
def gaussian_nll(x, mean, sigma):
    costs = 0.5 * ((x - mean) / sigma) ** 2 + math.log(sigma**2) + 0.5 * math.log(2 * math.pi)
    return costs.flatten(1).sum(1)


@mutant(
    "takes sigma for the variance",
    breaks=("test_gaussian_nll_values", "test_gaussian_nll_gradient"),
)
def gaussian_nll(x, mean, sigma):
    costs = (x - mean) ** 2 / (2 * sigma) + 0.5 * math.log(2 * math.pi * sigma)
    return costs.flatten(1).sum(1)


@mutant(
    "forgets the half of the square",
    breaks=("test_gaussian_nll_values", "test_gaussian_nll_gradient"),
)
def gaussian_nll(x, mean, sigma):
    costs = ((x - mean) / sigma) ** 2 + math.log(sigma) + 0.5 * math.log(2 * math.pi)
    return costs.flatten(1).sum(1)


@mutant(
    "the squared error, with sigma = 1 for all",
    breaks=("test_gaussian_nll_values", "test_gaussian_nll_gradient"),
)
def gaussian_nll(x, mean, sigma):
    return 0.5 * ((x - mean) ** 2 + math.log(2 * math.pi)).flatten(1).sum(1)


@mutant("the mean squared error", breaks=("test_gaussian_nll_values", "test_gaussian_nll_gradient"))
def gaussian_nll(x, mean, sigma):
    return ((x - mean) ** 2).flatten(1).mean(1)


@mutant("the log-likelihood with its sign", breaks="test_gaussian_nll_values")
def gaussian_nll(x, mean, sigma):
    costs = 0.5 * ((x - mean) / sigma) ** 2 + math.log(sigma) + 0.5 * math.log(2 * math.pi)
    return -costs.flatten(1).sum(1)


@mutant("detaches the mean", breaks="test_gaussian_nll_gradient")
def gaussian_nll(x, mean, sigma):
    costs = 0.5 * ((x - mean.detach()) / sigma) ** 2 + math.log(sigma) + 0.5 * math.log(2 * math.pi)
    return costs.flatten(1).sum(1)


@mutant("goes through NumPy", breaks="test_gaussian_nll_gradient")
def gaussian_nll(x, mean, sigma):
    residual = (x - mean).detach().numpy().reshape(len(x), -1)
    costs = 0.5 * (residual / sigma) ** 2 + math.log(sigma) + 0.5 * math.log(2 * math.pi)
    return torch.from_numpy(costs.sum(axis=1))


@variant("torch.distributions")
def gaussian_nll(x, mean, sigma):
    density = torch.distributions.Normal(mean, sigma, validate_args=False)
    return -density.log_prob(x).flatten(1).sum(1)


@variant("through the MSE")
def gaussian_nll(x, mean, sigma):
    dims = x[0].numel()
    mse = (x - mean).pow(2).flatten(1).mean(1)
    return dims / (2 * sigma**2) * mse + dims / 2 * math.log(2 * math.pi * sigma**2)


@variant("a loop over the rows, in float64")
def gaussian_nll(x, mean, sigma):
    rows = []
    for a, m in zip(x.double(), mean.double()):  # noqa: B905
        cost = (a - m) ** 2 / (2 * sigma**2) + np.log(sigma * np.sqrt(2 * np.pi))
        rows.append(cost.sum())
    return torch.stack(rows)


@variant("PyTorch's own loss, and the constant it leaves out")
def gaussian_nll(x, mean, sigma):
    x = x.to(mean.dtype)
    variance = torch.full_like(mean, sigma**2)
    costs = F.gaussian_nll_loss(mean, x, variance, full=True, eps=1e-12, reduction="none")
    return costs.flatten(1).sum(1)


@probe("gaussian_nll")
def _(f):
    x, mean = torch.randn(2, 3, 1, 2, 4, generator=torch.Generator().manual_seed(0)).double()
    x.requires_grad_(), mean.requires_grad_()
    nll = f(x, mean, 0.6)
    if isinstance(nll, str) or not nll.requires_grad:
        return [nll]
    return [nll, *torch.autograd.grad(nll.sum(), (x, mean), allow_unused=True)]


# elbo


@mutant("forgets that the spread of q costs squared error", breaks="test_elbo_values")
def elbo(x, W, b, sigma, mean, var):
    squared = (x - b - mean @ W.T).square().sum(1)
    nll = squared / (2 * sigma**2) + 0.5 * x.shape[1] * math.log(2 * math.pi * sigma**2)
    return -nll - 0.5 * (mean**2 + var - 1 - var.log()).sum(1)


@mutant("adds the KL", breaks="test_elbo_values")
def elbo(x, W, b, sigma, mean, var):
    squared = (x - b - mean @ W.T).square().sum(1) + var @ W.square().sum(0)
    nll = squared / (2 * sigma**2) + 0.5 * x.shape[1] * math.log(2 * math.pi * sigma**2)
    return -nll + 0.5 * (mean**2 + var - 1 - var.log()).sum(1)


@mutant("leaves the KL out", breaks="test_elbo_values")
def elbo(x, W, b, sigma, mean, var):
    squared = (x - b - mean @ W.T).square().sum(1) + var @ W.square().sum(0)
    return -squared / (2 * sigma**2) - 0.5 * x.shape[1] * math.log(2 * math.pi * sigma**2)


@mutant("the loss, which is minus the ELBO", breaks="test_elbo_values")
def elbo(x, W, b, sigma, mean, var):
    squared = (x - b - mean @ W.T).square().sum(1) + var @ W.square().sum(0)
    nll = squared / (2 * sigma**2) + 0.5 * x.shape[1] * math.log(2 * math.pi * sigma**2)
    return nll + 0.5 * (mean**2 + var - 1 - var.log()).sum(1)


@mutant("drops the constants of the decoder", breaks=("test_elbo_values", "test_elbo_gap"))
def elbo(x, W, b, sigma, mean, var):
    squared = (x - b - mean @ W.T).square().sum(1) + var @ W.square().sum(0)
    return -squared / (2 * sigma**2) - 0.5 * (mean**2 + var - 1 - var.log()).sum(1)


@mutant("forgets log sigma", breaks="test_elbo_values")
def elbo(x, W, b, sigma, mean, var):
    squared = (x - b - mean @ W.T).square().sum(1) + var @ W.square().sum(0)
    nll = squared / (2 * sigma**2) + 0.5 * x.shape[1] * math.log(2 * math.pi)
    return -nll - 0.5 * (mean**2 + var - 1 - var.log()).sum(1)


@mutant("does not subtract b", breaks="test_elbo_values")
def elbo(x, W, b, sigma, mean, var):
    squared = (x - mean @ W.T).square().sum(1) + var @ W.square().sum(0)
    nll = squared / (2 * sigma**2) + 0.5 * x.shape[1] * math.log(2 * math.pi * sigma**2)
    return -nll - 0.5 * (mean**2 + var - 1 - var.log()).sum(1)


@mutant("takes var for the log-variance", breaks="test_elbo_values")
def elbo(x, W, b, sigma, mean, var):
    squared = (x - b - mean @ W.T).square().sum(1) + var.exp() @ W.square().sum(0)
    nll = squared / (2 * sigma**2) + 0.5 * x.shape[1] * math.log(2 * math.pi * sigma**2)
    return -nll - 0.5 * (mean**2 + var.exp() - 1 - var).sum(1)


@mutant("takes var for the standard deviation", breaks="test_elbo_values")
def elbo(x, W, b, sigma, mean, var):
    squared = (x - b - mean @ W.T).square().sum(1) + var**2 @ W.square().sum(0)
    nll = squared / (2 * sigma**2) + 0.5 * x.shape[1] * math.log(2 * math.pi * sigma**2)
    return -nll - 0.5 * (mean**2 + var**2 - 1 - 2 * var.log()).sum(1)


@mutant("the average over the latents for the KL", breaks="test_elbo_gap")
def elbo(x, W, b, sigma, mean, var):
    squared = (x - b - mean @ W.T).square().sum(1) + var @ W.square().sum(0)
    nll = squared / (2 * sigma**2) + 0.5 * x.shape[1] * math.log(2 * math.pi * sigma**2)
    return -nll - 0.5 * (mean**2 + var - 1 - var.log()).mean(1)


@mutant("every latent's variance on every column", breaks="test_elbo_gap")
def elbo(x, W, b, sigma, mean, var):
    squared = (x - b - mean @ W.T).square().sum(1) + var.sum(1) * W.square().sum()
    nll = squared / (2 * sigma**2) + 0.5 * x.shape[1] * math.log(2 * math.pi * sigma**2)
    return -nll - 0.5 * (mean**2 + var - 1 - var.log()).sum(1)


@mutant("adds up standard deviations as if the latents moved together", breaks="test_elbo_gap")
def elbo(x, W, b, sigma, mean, var):
    squared = (x - b - mean @ W.T).square().sum(1) + (var.sqrt() @ W.T).square().sum(1)
    nll = squared / (2 * sigma**2) + 0.5 * x.shape[1] * math.log(2 * math.pi * sigma**2)
    return -nll - 0.5 * (mean**2 + var - 1 - var.log()).sum(1)


@mutant("one draw instead of the expectation", breaks=("test_elbo_values", "test_elbo_gap"))
def elbo(x, W, b, sigma, mean, var):
    noise = torch.randn(mean.shape, generator=torch.Generator().manual_seed(0), dtype=mean.dtype)
    squared = (x - b - (mean + var.sqrt() * noise) @ W.T).square().sum(1)
    nll = squared / (2 * sigma**2) + 0.5 * x.shape[1] * math.log(2 * math.pi * sigma**2)
    return -nll - 0.5 * (mean**2 + var - 1 - var.log()).sum(1)


@mutant("log p(x) itself, whatever q is", breaks=("test_elbo_values", "test_elbo_gap"))
def elbo(x, W, b, sigma, mean, var):
    C = W @ W.T + sigma**2 * torch.eye(len(W), dtype=W.dtype)
    return torch.distributions.MultivariateNormal(b, C).log_prob(x)


@variant("log p(x) minus the KL to the posterior")
def elbo(x, W, b, sigma, mean, var):
    x, W, b, mean, var = (t.double() for t in (x, W, b, mean, var))
    C = W @ W.T + sigma**2 * torch.eye(len(W)).double()
    precision = torch.eye(W.shape[1]).double() + W.T @ W / sigma**2
    at = torch.linalg.solve(precision, W.T @ (x - b).T).T / sigma**2
    posterior = torch.distributions.MultivariateNormal(at, precision_matrix=precision)
    q = torch.distributions.MultivariateNormal(mean, torch.diag_embed(var))
    log_p = torch.distributions.MultivariateNormal(b, C).log_prob(x)
    return log_p - torch.distributions.kl_divergence(q, posterior)


@variant("the trace of a full covariance")
def elbo(x, W, b, sigma, mean, var):
    spread = torch.stack([(W @ v.diag() @ W.T).trace() for v in var])
    residual = x - b - (W @ mean.T).T
    log_p = -(residual.pow(2).sum(1) + spread) / (2 * sigma**2)
    log_p = log_p - x.shape[1] * (math.log(sigma) + 0.5 * math.log(2 * math.pi))
    q = torch.distributions.Normal(mean, var.sqrt())
    prior = torch.distributions.Normal(torch.zeros_like(mean), torch.ones_like(mean))
    return log_p - torch.distributions.kl_divergence(q, prior).sum(1)


@variant("loops, in NumPy")
def elbo(x, W, b, sigma, mean, var):
    X, A, c, M, V = (t.double().numpy() for t in (x, W, b, mean, var))
    result = []
    for row, m, v in zip(X, M, V):  # noqa: B905
        residual = row - c - A @ m
        total = -len(c) / 2 * np.log(2 * np.pi * sigma**2) - residual @ residual / 2 / sigma**2
        for k in range(len(m)):
            total -= v[k] * (A[:, k] @ A[:, k]) / 2 / sigma**2
            total -= 0.5 * (m[k] ** 2 + v[k] - 1 - np.log(v[k]))
        result.append(total)
    return torch.tensor(result, dtype=x.dtype)


@variant("energy plus entropy")
def elbo(x, W, b, sigma, mean, var):
    dims, latents = W.shape
    P = torch.eye(latents, dtype=W.dtype) + W.T @ W / sigma**2
    r = x - b
    energy = r.square().sum(1) / sigma**2 - 2 * (r @ W * mean).sum(1) / sigma**2
    energy = energy + (mean @ P * mean).sum(1) + var @ P.diagonal()
    constant = dims * math.log(2 * math.pi * sigma**2) + latents * math.log(2 * math.pi)
    entropy = 0.5 * (var.log() + 1 + math.log(2 * math.pi)).sum(1)
    return -0.5 * (energy + constant) + entropy


@probe("elbo")
def _(f):
    g = torch.Generator().manual_seed(0)
    W, b = torch.randn(4, 2, generator=g).double(), torch.randn(4, generator=g).double()
    x, mean = torch.randn(3, 4, generator=g).double(), torch.randn(3, 2, generator=g).double()
    var = torch.tensor([[0.3, 0.6], [1.5, 0.2], [0.9, 2.0]]).double()
    return [f(x, W, b, 0.7, mean, var), f(x, W[:, :1], b, 1.4, mean[:, :1], var[:, :1])]


# reparameterize


@mutant("exp(logvar) for the standard deviation", breaks="test_reparameterize_law")
def reparameterize(mu, logvar, generator):
    eps = torch.randn(mu.shape, generator=generator, dtype=mu.dtype)
    return mu + logvar.exp() * eps


@mutant("logvar itself for the standard deviation", breaks="test_reparameterize_law")
def reparameterize(mu, logvar, generator):
    eps = torch.randn(mu.shape, generator=generator, dtype=mu.dtype)
    return mu + logvar * eps


@mutant("the half with the wrong sign", breaks="test_reparameterize_law")
def reparameterize(mu, logvar, generator):
    eps = torch.randn(mu.shape, generator=generator, dtype=mu.dtype)
    return mu + (-0.5 * logvar).exp() * eps


@mutant("noise without a spread", breaks="test_reparameterize_law")
def reparameterize(mu, logvar, generator):
    return mu + torch.randn(mu.shape, generator=generator, dtype=mu.dtype)


@mutant("returns the mean", breaks=("test_reparameterize_law", "test_reparameterize_noise"))
def reparameterize(mu, logvar, generator):
    return mu + 0 * logvar


@mutant("a draw from the prior", breaks="test_reparameterize_law")
def reparameterize(mu, logvar, generator):
    return torch.randn(mu.shape, generator=generator, dtype=mu.dtype)


@mutant("uniform noise", breaks="test_reparameterize_law")
def reparameterize(mu, logvar, generator):
    eps = torch.rand(mu.shape, generator=generator, dtype=mu.dtype)
    return mu + (0.5 * logvar).exp() * eps


@mutant("uniform noise of variance 1", breaks="test_reparameterize_law")
def reparameterize(mu, logvar, generator):
    eps = math.sqrt(12) * (torch.rand(mu.shape, generator=generator, dtype=mu.dtype) - 0.5)
    return mu + (0.5 * logvar).exp() * eps


@mutant("one number for all", breaks=("test_reparameterize_law", "test_reparameterize_noise"))
def reparameterize(mu, logvar, generator):
    return mu + (0.5 * logvar).exp() * torch.randn((), generator=generator, dtype=mu.dtype)


@mutant("the same noise for every row", breaks="test_reparameterize_noise")
def reparameterize(mu, logvar, generator):
    eps = torch.randn(mu.shape[1:], generator=generator, dtype=mu.dtype)
    return mu + (0.5 * logvar).exp() * eps


@mutant("one number a row", breaks="test_reparameterize_noise")
def reparameterize(mu, logvar, generator):
    shape = (*mu.shape[:-1], 1) if mu.ndim else ()
    eps = torch.randn(shape, generator=generator, dtype=mu.dtype)
    return mu + (0.5 * logvar).exp() * eps


@mutant("a generator of its own", breaks="test_reparameterize_noise")
def reparameterize(mu, logvar, generator):
    own = torch.Generator().manual_seed(0)
    return mu + (0.5 * logvar).exp() * torch.randn(mu.shape, generator=own, dtype=mu.dtype)


@mutant("seeds the generator anew", breaks="test_reparameterize_noise")
def reparameterize(mu, logvar, generator):
    generator.manual_seed(1)
    return mu + (0.5 * logvar).exp() * torch.randn(mu.shape, generator=generator, dtype=mu.dtype)


@mutant("samples from torch.normal", breaks="test_reparameterize_gradient")
def reparameterize(mu, logvar, generator):
    return torch.normal(mu, (0.5 * logvar).exp(), generator=generator)


@mutant("detaches the spread", breaks="test_reparameterize_gradient")
def reparameterize(mu, logvar, generator):
    eps = torch.randn(mu.shape, generator=generator, dtype=mu.dtype)
    return mu + (0.5 * logvar).exp().detach() * eps


@mutant("draws under no_grad", breaks="test_reparameterize_gradient")
def reparameterize(mu, logvar, generator):
    with torch.no_grad():
        eps = torch.randn(mu.shape, generator=generator, dtype=mu.dtype)
        return mu + (0.5 * logvar).exp() * eps


@variant("the root of the variance")
def reparameterize(mu, logvar, generator):
    eps = torch.randn(mu.shape, generator=generator, dtype=mu.dtype)
    return mu + logvar.exp().sqrt() * eps


@variant("element by element, in a loop")
def reparameterize(mu, logvar, generator):
    noise = torch.randn(mu.numel(), generator=generator, dtype=torch.float64)
    flat = zip(mu.reshape(-1), logvar.reshape(-1), noise)  # noqa: B905
    z = [m + torch.exp(v / 2) * e.item() for m, v, e in flat]
    return torch.stack(z).reshape(mu.shape)


@variant("noise from NumPy, seeded by the generator")
def reparameterize(mu, logvar, generator):
    seed = int(torch.randint(2**62, (1,), generator=generator))
    noise = torch.as_tensor(np.random.default_rng(seed).normal(size=mu.shape), dtype=mu.dtype)
    return torch.addcmul(mu, torch.exp(logvar * 0.5), noise)


@variant("filled in place")
def reparameterize(mu, logvar, generator):
    eps = torch.empty_like(mu).normal_(generator=generator)
    return eps.mul(torch.exp(0.5 * logvar)).add(mu)


@probe("reparameterize")
def _(f):
    mu, logvar = torch.randn(2, 4, 3, generator=torch.Generator().manual_seed(0)).double()
    mu.requires_grad_(), logvar.requires_grad_()
    g = torch.Generator().manual_seed(1)
    z, again = f(mu, logvar, g), f(mu, logvar, g)
    if isinstance(z, str) or not z.requires_grad:
        return [z, again]
    return [z, again, *torch.autograd.grad(z.sum(), (mu, logvar), allow_unused=True)]


# pathwise_gradient


@mutant("forgets the 2 of the derivative", breaks="test_pathwise_gradient_mean")
def pathwise_gradient(mu, n, generator):
    return mu + torch.randn(n, generator=generator)


@mutant("the values of z², not their derivative", breaks="test_pathwise_gradient_mean")
def pathwise_gradient(mu, n, generator):
    return (mu + torch.randn(n, generator=generator)) ** 2


@mutant("the derivative at the noise", breaks="test_pathwise_gradient_mean")
def pathwise_gradient(mu, n, generator):
    return 2 * torch.randn(n, generator=generator)


@mutant("the derivative by the noise times the noise", breaks="test_pathwise_gradient_mean")
def pathwise_gradient(mu, n, generator):
    eps = torch.randn(n, generator=generator)
    return 2 * (mu + eps) * eps


@mutant("noise that is not centred", breaks="test_pathwise_gradient_mean")
def pathwise_gradient(mu, n, generator):
    return 2 * (mu + torch.rand(n, generator=generator))


@mutant("divides by n", breaks=("test_pathwise_gradient_mean", "test_pathwise_gradient_draws"))
def pathwise_gradient(mu, n, generator):
    return 2 * (mu + torch.randn(n, generator=generator)) / n


@mutant(
    "averages the estimates", breaks=("test_pathwise_gradient_mean", "test_pathwise_gradient_draws")
)
def pathwise_gradient(mu, n, generator):
    return (2 * (mu + torch.randn(n, generator=generator))).mean()


@mutant("the sign turned around", breaks="test_pathwise_gradient_mean")
def pathwise_gradient(mu, n, generator):
    return -2 * (mu + torch.randn(n, generator=generator))


@mutant("the exact derivative, without a draw", breaks="test_pathwise_gradient_draws")
def pathwise_gradient(mu, n, generator):
    return torch.full((n,), 2.0 * mu)


@mutant("one draw for all estimates", breaks="test_pathwise_gradient_draws")
def pathwise_gradient(mu, n, generator):
    return 2 * (mu + torch.randn(1, generator=generator)).expand(n)


@mutant("the score function in its place", breaks="test_pathwise_gradient_draws")
def pathwise_gradient(mu, n, generator):
    eps = torch.randn(n, generator=generator)
    return (mu + eps) ** 2 * eps


@mutant("pairs of opposite draws", breaks="test_pathwise_gradient_draws")
def pathwise_gradient(mu, n, generator):
    half = torch.randn((n + 1) // 2, generator=generator)
    return 2 * (mu + torch.stack([half, -half], dim=1).reshape(-1)[:n])


@mutant("a generator of its own", breaks="test_pathwise_gradient_draws")
def pathwise_gradient(mu, n, generator):
    return 2 * (mu + torch.randn(n, generator=torch.Generator().manual_seed(0)))


@mutant("uniform noise of variance 1", breaks="test_pathwise_gradient_draws")
def pathwise_gradient(mu, n, generator):
    return 2 * (mu + math.sqrt(12) * (torch.rand(n, generator=generator) - 0.5))


@variant("autograd, all at once")
def pathwise_gradient(mu, n, generator):
    means = torch.full((n,), float(mu), requires_grad=True)
    value = ((means + torch.randn(n, generator=generator)) ** 2).sum()
    (gradient,) = torch.autograd.grad(value, means)
    return gradient


@variant("autograd by z, in float64")
def pathwise_gradient(mu, n, generator):
    z = (mu + torch.randn(n, generator=generator, dtype=torch.float64)).requires_grad_()
    z.square().sum().backward()
    return z.grad


@variant("one draw at a time")
def pathwise_gradient(mu, n, generator):
    return torch.tensor([2 * (mu + torch.randn((), generator=generator).item()) for _ in range(n)])


@variant("noise from NumPy, seeded by the generator")
def pathwise_gradient(mu, n, generator):
    seed = int(torch.randint(2**62, (1,), generator=generator))
    return torch.from_numpy(2 * mu + 2 * np.random.default_rng(seed).standard_normal(n))


@probe("pathwise_gradient")
def _(f):
    g = torch.Generator().manual_seed(0)
    return [f(1.5, 5, g), f(-2.0, 3, g)]


# score_function_gradient


@mutant("multiplies by z, not by z - mu", breaks="test_score_function_gradient_mean")
def score_function_gradient(mu, n, generator):
    z = mu + torch.randn(n, generator=generator)
    return z**2 * z


@mutant("the sign of the score turned around", breaks="test_score_function_gradient_mean")
def score_function_gradient(mu, n, generator):
    z = mu + torch.randn(n, generator=generator)
    return z**2 * (mu - z)


@mutant("the score alone, without f", breaks="test_score_function_gradient_mean")
def score_function_gradient(mu, n, generator):
    return torch.randn(n, generator=generator)


@mutant("the derivative of f times the score", breaks="test_score_function_gradient_mean")
def score_function_gradient(mu, n, generator):
    z = mu + torch.randn(n, generator=generator)
    return 2 * z * (z - mu)


@mutant("log p, not its derivative", breaks="test_score_function_gradient_mean")
def score_function_gradient(mu, n, generator):
    z = mu + torch.randn(n, generator=generator)
    return z**2 * (-0.5 * (z - mu) ** 2)


@mutant("two different draws in the two factors", breaks="test_score_function_gradient_mean")
def score_function_gradient(mu, n, generator):
    z = mu + torch.randn(n, generator=generator)
    return z**2 * torch.randn(n, generator=generator)


@mutant("z for f, not z²", breaks="test_score_function_gradient_mean")
def score_function_gradient(mu, n, generator):
    z = mu + torch.randn(n, generator=generator)
    return z * (z - mu)


@mutant("divides by n", breaks="test_score_function_gradient_mean")
def score_function_gradient(mu, n, generator):
    z = mu + torch.randn(n, generator=generator)
    return z**2 * (z - mu) / n


@mutant(
    "averages the estimates",
    breaks=("test_score_function_gradient_mean", "test_score_function_gradient_draws"),
)
def score_function_gradient(mu, n, generator):
    z = mu + torch.randn(n, generator=generator)
    return (z**2 * (z - mu)).mean()


@mutant("the pathwise estimator in its place", breaks="test_score_function_gradient_draws")
def score_function_gradient(mu, n, generator):
    return 2 * (mu + torch.randn(n, generator=generator))


@mutant("subtracts the mean of f as a baseline", breaks="test_score_function_gradient_draws")
def score_function_gradient(mu, n, generator):
    eps = torch.randn(n, generator=generator)
    return ((mu + eps) ** 2 - mu**2 - 1) * eps


@mutant("the exact derivative, without a draw", breaks="test_score_function_gradient_draws")
def score_function_gradient(mu, n, generator):
    return torch.full((n,), 2.0 * mu)


@mutant("pairs of opposite draws, averaged", breaks="test_score_function_gradient_draws")
def score_function_gradient(mu, n, generator):
    eps = torch.randn(n, generator=generator)
    return 0.5 * ((mu + eps) ** 2 * eps - (mu - eps) ** 2 * eps)


@mutant("a generator of its own", breaks="test_score_function_gradient_draws")
def score_function_gradient(mu, n, generator):
    eps = torch.randn(n, generator=torch.Generator().manual_seed(0))
    return (mu + eps) ** 2 * eps


@mutant("one draw for all estimates", breaks="test_score_function_gradient_draws")
def score_function_gradient(mu, n, generator):
    eps = torch.randn(1, generator=generator)
    return ((mu + eps) ** 2 * eps).expand(n)


@variant("the score by autograd")
def score_function_gradient(mu, n, generator):
    means = torch.full((n,), float(mu), requires_grad=True)
    z = mu + torch.randn(n, generator=generator)
    log_p = torch.distributions.Normal(means, 1.0).log_prob(z).sum()
    (score,) = torch.autograd.grad(log_p, means)
    return z**2 * score


@variant("the polynomial in the noise, in float64")
def score_function_gradient(mu, n, generator):
    eps = torch.randn(n, generator=generator, dtype=torch.float64)
    return mu**2 * eps + 2 * mu * eps**2 + eps**3


@variant("one draw at a time")
def score_function_gradient(mu, n, generator):
    estimates = []
    for _ in range(n):
        z = mu + torch.randn((), generator=generator).item()
        estimates.append(z * z * (z - mu))
    return torch.tensor(estimates)


@variant("noise from NumPy, seeded by the generator")
def score_function_gradient(mu, n, generator):
    seed = int(torch.randint(2**62, (1,), generator=generator))
    z = np.random.default_rng(seed).normal(mu, 1.0, n)
    return torch.from_numpy(np.square(z) * (z - mu)).float()


@probe("score_function_gradient")
def _(f):
    g = torch.Generator().manual_seed(0)
    return [f(1.5, 5, g), f(-2.0, 3, g)]

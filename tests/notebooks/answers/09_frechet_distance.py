"""Wrong and right answers to the exercises of lesson 09."""

import math

import numpy as np
import scipy.linalg
import scipy.stats
import torch

from tests.notebooks.answer import mutant, probe, variant

# feature_statistics


@mutant("divides by N", breaks="test_feature_statistics_covariance")
def feature_statistics(x):
    centred = x - x.mean(0)
    return x.mean(0), centred.T @ centred / len(x)


@mutant("forgets to centre", breaks="test_feature_statistics_covariance")
def feature_statistics(x):
    return x.mean(0), x.T @ x / (len(x) - 1)


@mutant("does not divide", breaks="test_feature_statistics_covariance")
def feature_statistics(x):
    centred = x - x.mean(0)
    return x.mean(0), centred.T @ centred


@mutant(
    "the shortcut E xxᵀ − mean meanᵀ in float32", breaks="test_feature_statistics_far_from_zero"
)
def feature_statistics(x):
    n, mean = len(x), x.mean(0)
    return mean, (x.T @ x / n - torch.outer(mean, mean)) * n / (n - 1)


@mutant("variances only", breaks="test_feature_statistics_covariance")
def feature_statistics(x):
    return x.mean(0), torch.diag(x.var(0))


@mutant("the correlation matrix", breaks="test_feature_statistics_covariance")
def feature_statistics(x):
    return x.mean(0), torch.corrcoef(x.T)


@mutant(
    "mean and covariance of the columns: axes exchanged",
    breaks=("test_feature_statistics_mean", "test_feature_statistics_covariance"),
)
def feature_statistics(x):
    return x.mean(1), torch.cov(x)


@mutant("subtracts one mean of everything", breaks="test_feature_statistics_covariance")
def feature_statistics(x):
    centred = x - x.mean()
    return x.mean(0), centred.T @ centred / (len(x) - 1)


@mutant("subtracts each sample's own mean", breaks="test_feature_statistics_covariance")
def feature_statistics(x):
    centred = x - x.mean(1, keepdim=True)
    return x.mean(0), centred.T @ centred / (len(x) - 1)


@mutant("sums instead of averaging the mean", breaks="test_feature_statistics_mean")
def feature_statistics(x):
    return x.sum(0), torch.cov(x.T)


@mutant("divides by D − 1", breaks="test_feature_statistics_covariance")
def feature_statistics(x):
    centred = x - x.mean(0)
    return x.mean(0), centred.T @ centred / (x.shape[1] - 1)


@mutant("the median", breaks="test_feature_statistics_mean")
def feature_statistics(x):
    return x.median(0).values, torch.cov(x.T)


@variant("torch.cov")
def feature_statistics(x):
    return torch.mean(x, 0), torch.cov(x.T)


@variant("NumPy in float64")
def feature_statistics(x):
    table = x.numpy().astype(float)
    return torch.from_numpy(table.mean(axis=0)), torch.from_numpy(np.cov(table, rowvar=False))


@variant("a loop over the samples")
def feature_statistics(x):
    n, d = x.shape
    mean = torch.zeros(d, dtype=torch.float64)
    for row in x:
        mean += row.double() / n
    cov = torch.zeros(d, d, dtype=torch.float64)
    for row in x:
        cov += torch.outer(row.double() - mean, row.double() - mean) / (n - 1)
    return mean, cov


@variant("an einsum, biased and then corrected")
def feature_statistics(x):
    n = len(x)
    mean = x.sum(0) / n
    c = x - mean[None]
    return mean.to(x.dtype), torch.einsum("ni,nj->ij", c, c) / n * (n / (n - 1))


@probe("feature_statistics")
def _(f):
    x = torch.tensor([[1.0, 2.0, 0.0], [3.0, 7.0, 1.0], [5.0, 1.0, 4.0], [0.0, 1.0, 1.0]])
    return [f(x), f(x + 4096)]


# frechet_1d


@mutant("a root at the end", breaks=("test_frechet_1d_means", "test_frechet_1d_spreads"))
def frechet_1d(mean1, std1, mean2, std2):
    return math.sqrt((mean1 - mean2) ** 2 + (std1 - std2) ** 2)


@mutant("compares variances", breaks="test_frechet_1d_spreads")
def frechet_1d(mean1, std1, mean2, std2):
    return (mean1 - mean2) ** 2 + (std1**2 - std2**2) ** 2


@mutant("takes the arguments for variances", breaks="test_frechet_1d_spreads")
def frechet_1d(mean1, std1, mean2, std2):
    return (mean1 - mean2) ** 2 + std1 + std2 - 2 * math.sqrt(std1 * std2)


@mutant("independent draws", breaks=("test_frechet_1d_means", "test_frechet_1d_spreads"))
def frechet_1d(mean1, std1, mean2, std2):
    return (mean1 - mean2) ** 2 + std1**2 + std2**2


@mutant("squares the sum of both differences", breaks="test_frechet_1d_spreads")
def frechet_1d(mean1, std1, mean2, std2):
    return (mean1 - mean2 + std1 - std2) ** 2


@mutant("forgets the means", breaks="test_frechet_1d_means")
def frechet_1d(mean1, std1, mean2, std2):
    return (std1 - std2) ** 2


@mutant("forgets the spreads", breaks="test_frechet_1d_spreads")
def frechet_1d(mean1, std1, mean2, std2):
    return (mean1 - mean2) ** 2


@mutant("absolute differences", breaks=("test_frechet_1d_means", "test_frechet_1d_spreads"))
def frechet_1d(mean1, std1, mean2, std2):
    return abs(mean1 - mean2) + abs(std1 - std2)


@mutant("does not square the means", breaks="test_frechet_1d_means")
def frechet_1d(mean1, std1, mean2, std2):
    return abs(mean1 - mean2) + (std1 - std2) ** 2


@mutant("the last term once", breaks=("test_frechet_1d_means", "test_frechet_1d_spreads"))
def frechet_1d(mean1, std1, mean2, std2):
    return (mean1 - mean2) ** 2 + std1**2 + std2**2 - std1 * std2


@mutant(
    "the KL divergence of two Gaussians",
    breaks=("test_frechet_1d_means", "test_frechet_1d_spreads"),
)
def frechet_1d(mean1, std1, mean2, std2):
    ratio = (std1**2 + (mean1 - mean2) ** 2) / std2**2
    return 0.5 * (ratio - 1 + 2 * math.log(std2 / max(std1, 1e-12)))


@variant("expanded")
def frechet_1d(mean1, std1, mean2, std2):
    gap = mean1 - mean2
    return gap * gap + std1 * std1 + std2 * std2 - 2 * std1 * std2


@variant("a squared norm")
def frechet_1d(mean1, std1, mean2, std2):
    return np.linalg.norm([mean1 - mean2, std1 - std2]) ** 2


@variant("tensors")
def frechet_1d(mean1, std1, mean2, std2):
    first = torch.tensor([mean1, std1], dtype=torch.float64)
    return (first - torch.tensor([mean2, std2], dtype=torch.float64)).square().sum()


@variant("a complex number")
def frechet_1d(mean1, std1, mean2, std2):
    return abs(complex(mean1 - mean2, std1 - std2)) ** 2


@probe("frechet_1d")
def _(f):
    return [f(1.0, 2.0, 4.0, 2.0), f(0.5, 1.0, -1.0, 3.0), f(1.0, 0.0, 3.0, 1.0)]


# sqrtm_psd


@mutant("the root of every entry", breaks=("test_sqrtm_psd_values", "test_sqrtm_psd_symmetric"))
def sqrtm_psd(m):
    return m.clamp_min(0).sqrt()


@mutant("Cholesky's factor", breaks=("test_sqrtm_psd_values", "test_sqrtm_psd_symmetric"))
def sqrtm_psd(m):
    return torch.linalg.cholesky(m)


@mutant(
    "the transposed Cholesky factor", breaks=("test_sqrtm_psd_values", "test_sqrtm_psd_symmetric")
)
def sqrtm_psd(m):
    return torch.linalg.cholesky(m).T


@mutant("forgets the last factor Qᵀ", breaks=("test_sqrtm_psd_values", "test_sqrtm_psd_singular"))
def sqrtm_psd(m):
    values, vectors = torch.linalg.eigh(m)
    return vectors * values.clamp_min(0).sqrt()


@mutant("multiplies Qᵀ diag Q", breaks=("test_sqrtm_psd_values", "test_sqrtm_psd_singular"))
def sqrtm_psd(m):
    values, vectors = torch.linalg.eigh(m)
    return vectors.T @ torch.diag(values.clamp_min(0).sqrt()) @ vectors


@mutant("not a number where rounding made a 0 negative", breaks="test_sqrtm_psd_singular")
def sqrtm_psd(m):
    values, vectors = torch.linalg.eigh(m)
    return vectors @ torch.diag(values.sqrt()) @ vectors.T


@mutant("adds 1e-6 to the diagonal", breaks="test_sqrtm_psd_singular")
def sqrtm_psd(m):
    values, vectors = torch.linalg.eigh(m + 1e-6 * torch.eye(len(m), dtype=m.dtype))
    return (vectors * values.clamp_min(0).sqrt()) @ vectors.T


@mutant("raises small eigenvalues to 1e-4", breaks="test_sqrtm_psd_singular")
def sqrtm_psd(m):
    values, vectors = torch.linalg.eigh(m)
    return (vectors * values.clamp_min(1e-4).sqrt()) @ vectors.T


@mutant("forgets the root", breaks=("test_sqrtm_psd_values", "test_sqrtm_psd_singular"))
def sqrtm_psd(m):
    values, vectors = torch.linalg.eigh(m)
    return (vectors * values.clamp_min(0)) @ vectors.T


@mutant("the fourth root", breaks=("test_sqrtm_psd_values", "test_sqrtm_psd_symmetric"))
def sqrtm_psd(m):
    values, vectors = torch.linalg.eigh(m)
    return (vectors * values.clamp_min(0) ** 0.25) @ vectors.T


@mutant("the root of the inverse", breaks=("test_sqrtm_psd_values", "test_sqrtm_psd_symmetric"))
def sqrtm_psd(m):
    values, vectors = torch.linalg.eigh(m)
    return (vectors / values.clamp_min(1e-12).sqrt()) @ vectors.T


@mutant("the negative root", breaks=("test_sqrtm_psd_values", "test_sqrtm_psd_symmetric"))
def sqrtm_psd(m):
    values, vectors = torch.linalg.eigh(m)
    return -(vectors * values.clamp_min(0).sqrt()) @ vectors.T


@mutant(
    "a root with one negative eigenvalue",
    breaks=("test_sqrtm_psd_values", "test_sqrtm_psd_symmetric"),
)
def sqrtm_psd(m):
    values, vectors = torch.linalg.eigh(m)
    roots = values.clamp_min(0).sqrt()
    roots[-1] = -roots[-1]
    return (vectors * roots) @ vectors.T


@mutant("the diagonal only", breaks=("test_sqrtm_psd_values", "test_sqrtm_psd_symmetric"))
def sqrtm_psd(m):
    return torch.diag(m.diagonal().sqrt())


@variant("an SVD")
def sqrtm_psd(m):
    u, s, _ = torch.linalg.svd(m)
    return u @ torch.diag(s.sqrt()) @ u.T


@variant("SciPy's eigh in float64, one direction at a time")
def sqrtm_psd(m):
    values, vectors = scipy.linalg.eigh(m.numpy().astype(float))
    root = np.zeros(m.shape)
    for value, v in zip(values, vectors.T, strict=True):
        root += math.sqrt(max(value, 0.0)) * np.outer(v, v)
    return torch.from_numpy(root)


@variant("absolute eigenvalues")
def sqrtm_psd(m):
    values, vectors = torch.linalg.eigh(m)
    return torch.einsum("ik,k,jk->ij", vectors, values.abs().sqrt(), vectors).to(m.dtype)


@variant("the polar factor of a factor")
def sqrtm_psd(m):
    # With B of BᵀB = m and its SVD U S Vᵀ, the root is V S Vᵀ.
    values, vectors = np.linalg.eigh(m.numpy().astype(float))
    factor = (vectors * np.sqrt(np.maximum(values, 0))).T
    _, s, vt = np.linalg.svd(factor)
    return torch.from_numpy(vt.T @ np.diag(s) @ vt)


@probe("sqrtm_psd")
def _(f):
    m = torch.tensor([[4.0, 2.0, 0.0], [2.0, 3.0, 1.0], [0.0, 1.0, 2.0]], dtype=torch.float64)
    directions = torch.linalg.qr(torch.arange(24.0).reshape(8, 3).double() ** 1.5)[0]
    singular = [directions[:, :r] @ directions[:, :r].T for r in (1, 2, 3)]
    return [f(m), [(0 * f(s) if isinstance(f(s), str) else f(s)) for s in singular]]


# frechet_distance


@mutant("a root at the end", breaks="test_frechet_distance_diagonal")
def frechet_distance(mean1, cov1, mean2, cov2):
    values, vectors = torch.linalg.eigh(cov1)
    half = (vectors * values.clamp_min(0).sqrt()) @ vectors.T
    trace = torch.linalg.eigvalsh(half @ cov2 @ half).clamp_min(0).sqrt().sum()
    squared = (mean1 - mean2).square().sum() + cov1.trace() + cov2.trace() - 2 * trace
    return float(squared.clamp_min(0).sqrt())


@mutant("forgets the means", breaks="test_frechet_distance_diagonal")
def frechet_distance(mean1, cov1, mean2, cov2):
    values, vectors = torch.linalg.eigh(cov1)
    half = (vectors * values.clamp_min(0).sqrt()) @ vectors.T
    trace = torch.linalg.eigvalsh(half @ cov2 @ half).clamp_min(0).sqrt().sum()
    return float(cov1.trace() + cov2.trace() - 2 * trace)


@mutant("does not square the distance of the means", breaks="test_frechet_distance_diagonal")
def frechet_distance(mean1, cov1, mean2, cov2):
    values, vectors = torch.linalg.eigh(cov1)
    half = (vectors * values.clamp_min(0).sqrt()) @ vectors.T
    trace = torch.linalg.eigvalsh(half @ cov2 @ half).clamp_min(0).sqrt().sum()
    return float((mean1 - mean2).norm() + cov1.trace() + cov2.trace() - 2 * trace)


@mutant("averages the squared gaps of the means", breaks="test_frechet_distance_diagonal")
def frechet_distance(mean1, cov1, mean2, cov2):
    values, vectors = torch.linalg.eigh(cov1)
    half = (vectors * values.clamp_min(0).sqrt()) @ vectors.T
    trace = torch.linalg.eigvalsh(half @ cov2 @ half).clamp_min(0).sqrt().sum()
    return float((mean1 - mean2).square().mean() + cov1.trace() + cov2.trace() - 2 * trace)


@mutant(
    "the last trace once", breaks=("test_frechet_distance_diagonal", "test_frechet_distance_laws")
)
def frechet_distance(mean1, cov1, mean2, cov2):
    values, vectors = torch.linalg.eigh(cov1)
    half = (vectors * values.clamp_min(0).sqrt()) @ vectors.T
    trace = torch.linalg.eigvalsh(half @ cov2 @ half).clamp_min(0).sqrt().sum()
    return float((mean1 - mean2).square().sum() + cov1.trace() + cov2.trace() - trace)


@mutant(
    "adds the last trace", breaks=("test_frechet_distance_diagonal", "test_frechet_distance_laws")
)
def frechet_distance(mean1, cov1, mean2, cov2):
    values, vectors = torch.linalg.eigh(cov1)
    half = (vectors * values.clamp_min(0).sqrt()) @ vectors.T
    trace = torch.linalg.eigvalsh(half @ cov2 @ half).clamp_min(0).sqrt().sum()
    return float((mean1 - mean2).square().sum() + cov1.trace() + cov2.trace() + 2 * trace)


@mutant("the formula for commuting covariances", breaks="test_frechet_distance_turned")
def frechet_distance(mean1, cov1, mean2, cov2):
    roots = []
    for cov in (cov1, cov2):
        values, vectors = torch.linalg.eigh(cov)
        roots.append((vectors * values.clamp_min(0).sqrt()) @ vectors.T)
    trace = (roots[0] @ roots[1]).trace()
    return float((mean1 - mean2).square().sum() + cov1.trace() + cov2.trace() - 2 * trace)


@mutant("standard deviations of the diagonal only", breaks="test_frechet_distance_turned")
def frechet_distance(mean1, cov1, mean2, cov2):
    gap = cov1.diagonal().sqrt() - cov2.diagonal().sqrt()
    return float((mean1 - mean2).square().sum() + gap.square().sum())


@mutant("the root of every entry of the product", breaks="test_frechet_distance_turned")
def frechet_distance(mean1, cov1, mean2, cov2):
    trace = (cov1 @ cov2).clamp_min(0).sqrt().trace()
    return float((mean1 - mean2).square().sum() + cov1.trace() + cov2.trace() - 2 * trace)


@mutant(
    "the root after the trace",
    breaks=("test_frechet_distance_diagonal", "test_frechet_distance_laws"),
)
def frechet_distance(mean1, cov1, mean2, cov2):
    trace = (cov1 @ cov2).trace().sqrt()
    return float((mean1 - mean2).square().sum() + cov1.trace() + cov2.trace() - 2 * trace)


@mutant("the Frobenius distance of the covariances", breaks="test_frechet_distance_diagonal")
def frechet_distance(mean1, cov1, mean2, cov2):
    return float((mean1 - mean2).square().sum() + (cov1 - cov2).square().sum())


@mutant("forgets the inner root of the first covariance", breaks="test_frechet_distance_diagonal")
def frechet_distance(mean1, cov1, mean2, cov2):
    trace = torch.linalg.eigvalsh(cov1 @ cov2 @ cov1).clamp_min(0).sqrt().sum()
    return float((mean1 - mean2).square().sum() + cov1.trace() + cov2.trace() - 2 * trace)


@mutant("adds 1e-6 to both diagonals", breaks="test_frechet_distance_singular")
def frechet_distance(mean1, cov1, mean2, cov2):
    jitter = 1e-6 * torch.eye(len(cov1), dtype=cov1.dtype)
    values, vectors = torch.linalg.eigh(cov1 + jitter)
    half = (vectors * values.clamp_min(0).sqrt()) @ vectors.T
    trace = torch.linalg.eigvalsh(half @ (cov2 + jitter) @ half).clamp_min(0).sqrt().sum()
    return float((mean1 - mean2).square().sum() + cov1.trace() + cov2.trace() - 2 * trace)


@mutant("not a number where rounding made a 0 negative", breaks="test_frechet_distance_singular")
def frechet_distance(mean1, cov1, mean2, cov2):
    values, vectors = torch.linalg.eigh(cov1)
    half = (vectors * values.clamp_min(0).sqrt()) @ vectors.T
    trace = torch.linalg.eigvalsh(half @ cov2 @ half).sqrt().sum()
    return float((mean1 - mean2).square().sum() + cov1.trace() + cov2.trace() - 2 * trace)


@mutant("leaves the result complex", breaks="test_frechet_distance_singular")
def frechet_distance(mean1, cov1, mean2, cov2):
    values = torch.linalg.eigvals(cov1 @ cov2)
    trace = values.sqrt().sum()
    return complex((mean1 - mean2).square().sum() + cov1.trace() + cov2.trace() - 2 * trace)


@mutant("needs an invertible covariance", breaks="test_frechet_distance_singular")
def frechet_distance(mean1, cov1, mean2, cov2):
    lower = torch.linalg.cholesky(cov1)
    trace = torch.linalg.eigvalsh(lower.T @ cov2 @ lower).clamp_min(0).sqrt().sum()
    return float((mean1 - mean2).square().sum() + cov1.trace() + cov2.trace() - 2 * trace)


@variant("singular values of the product of the two roots")
def frechet_distance(mean1, cov1, mean2, cov2):
    roots = []
    for cov in (cov1, cov2):
        values, vectors = torch.linalg.eigh(cov)
        roots.append(values.clamp_min(0).sqrt()[:, None] * vectors.T)
    trace = torch.linalg.svdvals(roots[0] @ roots[1].T).sum()
    return float(torch.dist(mean1, mean2) ** 2 + cov1.trace() + cov2.trace() - 2 * trace)


@variant("eigenvalues of the product, real parts, in NumPy")
def frechet_distance(mean1, cov1, mean2, cov2):
    m1, c1, m2, c2 = (t.numpy().astype(float) for t in (mean1, cov1, mean2, cov2))
    values = np.linalg.eigvals(c1 @ c2).real
    trace = np.sqrt(np.maximum(values, 0)).sum()
    return np.sum((m1 - m2) ** 2) + np.trace(c1) + np.trace(c2) - 2 * trace


@variant("both roots built, the trace of the outer one")
def frechet_distance(mean1, cov1, mean2, cov2):
    def root(matrix):
        values, vectors = torch.linalg.eigh((matrix + matrix.T) / 2)
        return vectors @ torch.diag(values.clamp(min=0) ** 0.5) @ vectors.T

    half = root(cov2.double())
    gap = mean1.double() - mean2.double()
    middle = root(half @ cov1.double() @ half)
    return gap @ gap + torch.trace(cov1.double() + cov2.double() - 2 * middle)


@probe("frechet_distance")
def _(f):
    m = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
    a = torch.tensor([[4.0, 2.0, 0.0], [2.0, 3.0, 1.0], [0.0, 1.0, 2.0]], dtype=torch.float64)
    b = torch.tensor([[2.0, -1.0, 0.5], [-1.0, 5.0, 0.0], [0.5, 0.0, 1.0]], dtype=torch.float64)
    thin = torch.arange(12.0).reshape(6, 2).double() ** 1.5 / 10
    wide = torch.cos(torch.arange(18.0)).reshape(6, 3).double()
    zero = torch.zeros(6, dtype=torch.float64)
    return [f(m, a, 0 * m, b), f(zero, thin @ thin.T, zero, wide @ wide.T)]


# distance_at_infinity


@mutant(
    "a line in n", breaks=("test_distance_at_infinity_line", "test_distance_at_infinity_integers")
)
def distance_at_infinity(sizes, values):
    return float(np.polyfit(sizes.numpy().astype(float), values.numpy(), 1)[-1])


@mutant(
    "a line in 1/√n",
    breaks=("test_distance_at_infinity_line", "test_distance_at_infinity_integers"),
)
def distance_at_infinity(sizes, values):
    return float(np.polyfit(sizes.numpy() ** -0.5, values.numpy(), 1)[-1])


@mutant("a line in log n", breaks="test_distance_at_infinity_line")
def distance_at_infinity(sizes, values):
    return float(np.polyfit(np.log(sizes.numpy()), values.numpy(), 1)[-1])


@mutant("a line in 1/n²", breaks="test_distance_at_infinity_line")
def distance_at_infinity(sizes, values):
    return float(np.polyfit(sizes.numpy().astype(float) ** -2, values.numpy(), 1)[-1])


@mutant("the slope", breaks="test_distance_at_infinity_line")
def distance_at_infinity(sizes, values):
    return float(np.polyfit(1 / sizes.numpy(), values.numpy(), 1)[0])


@mutant("the value at the largest n", breaks="test_distance_at_infinity_line")
def distance_at_infinity(sizes, values):
    return float(values[sizes.argmax()])


@mutant("the mean", breaks="test_distance_at_infinity_line")
def distance_at_infinity(sizes, values):
    return float(values.mean())


@mutant(
    "the line through the smallest and the largest n",
    breaks="test_distance_at_infinity_least_squares",
)
def distance_at_infinity(sizes, values):
    i, j = sizes.argmin(), sizes.argmax()
    u, v = 1 / sizes[i].double(), 1 / sizes[j].double()
    return float((values[j] * u - values[i] * v) / (u - v))


@mutant("the line through the two largest n", breaks="test_distance_at_infinity_least_squares")
def distance_at_infinity(sizes, values):
    i, j = torch.argsort(sizes)[-2:]
    u, v = 1 / sizes[i].double(), 1 / sizes[j].double()
    return float((values[j] * u - values[i] * v) / (u - v))


@mutant("weights by n", breaks="test_distance_at_infinity_least_squares")
def distance_at_infinity(sizes, values):
    n = sizes.numpy().astype(float)
    return float(np.polyfit(1 / n, values.numpy(), 1, w=np.sqrt(n))[-1])


@mutant("a parabola in 1/n", breaks="test_distance_at_infinity_least_squares")
def distance_at_infinity(sizes, values):
    return float(np.polyfit(1 / sizes.numpy(), values.numpy(), min(2, len(sizes) - 1))[-1])


@mutant("the median of the pairwise slopes", breaks="test_distance_at_infinity_least_squares")
def distance_at_infinity(sizes, values):
    return float(scipy.stats.theilslopes(values.numpy(), 1 / sizes.numpy().astype(float))[1])


@mutant("least squares on n·value against n", breaks="test_distance_at_infinity_least_squares")
def distance_at_infinity(sizes, values):
    n = sizes.numpy().astype(float)
    return float(np.polyfit(n, n * values.numpy(), 1)[0])


@mutant("sorts the sizes, not the values", breaks="test_distance_at_infinity_integers")
def distance_at_infinity(sizes, values):
    return float(np.polyfit(1 / np.sort(sizes.numpy()), values.numpy(), 1)[-1])


@mutant("casts the values to the sizes' type", breaks="test_distance_at_infinity_integers")
def distance_at_infinity(sizes, values):
    v = values.to(sizes.dtype).double().numpy()
    return float(np.polyfit(1 / sizes.numpy().astype(float), v, 1)[-1])


@mutant("integer division of 1 by n", breaks="test_distance_at_infinity_integers")
def distance_at_infinity(sizes, values):
    u = torch.ones_like(sizes) // sizes if not sizes.is_floating_point() else 1 / sizes
    design = torch.stack([torch.ones_like(values), u.to(values.dtype)], 1)
    return float((torch.linalg.pinv(design) @ values)[0])


@variant("np.polyfit")
def distance_at_infinity(sizes, values):
    return np.polyfit(1.0 / sizes.numpy(), values.numpy(), deg=1)[-1]


@variant("the normal equations")
def distance_at_infinity(sizes, values):
    u, v = 1 / sizes.double(), values.double()
    n = len(u)
    det = n * (u * u).sum() - u.sum() ** 2
    return ((u * u).sum() * v.sum() - u.sum() * (u * v).sum()) / det


@variant("torch.linalg.lstsq on float32 inverses")
def distance_at_infinity(sizes, values):
    u = (1 / sizes).to(values.dtype)
    design = torch.stack([torch.ones_like(u), u * 1000], dim=1)
    return float(torch.linalg.lstsq(design, values[:, None]).solution[0, 0])


@variant("scipy.stats.linregress")
def distance_at_infinity(sizes, values):
    return float(scipy.stats.linregress(1 / sizes.numpy().astype(float), values.numpy()).intercept)


@probe("distance_at_infinity")
def _(f):
    sizes = torch.tensor([400, 100, 200, 150, 1000])
    values = torch.tensor([3.7, 5.1, 4.0, 4.9, 3.1], dtype=torch.float64)
    return [f(sizes, values), f(sizes.double(), values)]


# polynomial_mmd2


@mutant(
    "keeps the pairs i = i", breaks=("test_polynomial_mmd2_values", "test_polynomial_mmd2_negative")
)
def polynomial_mmd2(x, y):
    d = x.shape[1]
    xx, yy, xy = ((a @ b.T / d + 1) ** 3 for a, b in ((x, x), (y, y), (x, y)))
    return float(xx.mean() + yy.mean() - 2 * xy.mean())


@mutant("drops the pairs i = i, but divides by N²", breaks="test_polynomial_mmd2_values")
def polynomial_mmd2(x, y):
    n, m, d = len(x), len(y), x.shape[1]
    xx, yy, xy = ((a @ b.T / d + 1) ** 3 for a, b in ((x, x), (y, y), (x, y)))
    within = (xx.sum() - xx.trace()) / n**2 + (yy.sum() - yy.trace()) / m**2
    return float(within - 2 * xy.mean())


@mutant(
    "drops the pairs i = i between the sets too",
    breaks=("test_polynomial_mmd2_sizes", "test_polynomial_mmd2_negative"),
)
def polynomial_mmd2(x, y):
    n, m, d = len(x), len(y), x.shape[1]
    xx, yy, xy = ((a @ b.T / d + 1) ** 3 for a, b in ((x, x), (y, y), (x, y)))
    within = (xx.sum() - xx.trace()) / (n * (n - 1)) + (yy.sum() - yy.trace()) / (m * (m - 1))
    k = min(n, m)
    return float(within - 2 * (xy.sum() - xy.diagonal().sum()) / (n * m - k))


@mutant("does not divide by D", breaks="test_polynomial_mmd2_values")
def polynomial_mmd2(x, y):
    n, m = len(x), len(y)
    xx, yy, xy = ((a @ b.T + 1) ** 3 for a, b in ((x, x), (y, y), (x, y)))
    within = (xx.sum() - xx.trace()) / (n * (n - 1)) + (yy.sum() - yy.trace()) / (m * (m - 1))
    return float(within - 2 * xy.mean())


@mutant("does not add 1", breaks="test_polynomial_mmd2_values")
def polynomial_mmd2(x, y):
    n, m, d = len(x), len(y), x.shape[1]
    xx, yy, xy = ((a @ b.T / d) ** 3 for a, b in ((x, x), (y, y), (x, y)))
    within = (xx.sum() - xx.trace()) / (n * (n - 1)) + (yy.sum() - yy.trace()) / (m * (m - 1))
    return float(within - 2 * xy.mean())


@mutant("the power 2", breaks="test_polynomial_mmd2_values")
def polynomial_mmd2(x, y):
    n, m, d = len(x), len(y), x.shape[1]
    xx, yy, xy = ((a @ b.T / d + 1) ** 2 for a, b in ((x, x), (y, y), (x, y)))
    within = (xx.sum() - xx.trace()) / (n * (n - 1)) + (yy.sum() - yy.trace()) / (m * (m - 1))
    return float(within - 2 * xy.mean())


@mutant("the mean between the sets once", breaks="test_polynomial_mmd2_values")
def polynomial_mmd2(x, y):
    n, m, d = len(x), len(y), x.shape[1]
    xx, yy, xy = ((a @ b.T / d + 1) ** 3 for a, b in ((x, x), (y, y), (x, y)))
    within = (xx.sum() - xx.trace()) / (n * (n - 1)) + (yy.sum() - yy.trace()) / (m * (m - 1))
    return float(within - xy.mean())


@mutant(
    "a root at the end", breaks=("test_polynomial_mmd2_values", "test_polynomial_mmd2_negative")
)
def polynomial_mmd2(x, y):
    n, m, d = len(x), len(y), x.shape[1]
    xx, yy, xy = ((a @ b.T / d + 1) ** 3 for a, b in ((x, x), (y, y), (x, y)))
    within = (xx.sum() - xx.trace()) / (n * (n - 1)) + (yy.sum() - yy.trace()) / (m * (m - 1))
    return float((within - 2 * xy.mean()).clamp_min(0).sqrt())


@mutant("cut off at 0", breaks="test_polynomial_mmd2_negative")
def polynomial_mmd2(x, y):
    n, m, d = len(x), len(y), x.shape[1]
    xx, yy, xy = ((a @ b.T / d + 1) ** 3 for a, b in ((x, x), (y, y), (x, y)))
    within = (xx.sum() - xx.trace()) / (n * (n - 1)) + (yy.sum() - yy.trace()) / (m * (m - 1))
    return max(float(within - 2 * xy.mean()), 0.0)


@mutant("the absolute value", breaks="test_polynomial_mmd2_negative")
def polynomial_mmd2(x, y):
    n, m, d = len(x), len(y), x.shape[1]
    xx, yy, xy = ((a @ b.T / d + 1) ** 3 for a, b in ((x, x), (y, y), (x, y)))
    within = (xx.sum() - xx.trace()) / (n * (n - 1)) + (yy.sum() - yy.trace()) / (m * (m - 1))
    return abs(float(within - 2 * xy.mean()))


@mutant("one divisor for both sets", breaks="test_polynomial_mmd2_sizes")
def polynomial_mmd2(x, y):
    n, d = len(x), x.shape[1]
    xx, yy, xy = ((a @ b.T / d + 1) ** 3 for a, b in ((x, x), (y, y), (x, y)))
    within = (xx.sum() - xx.trace() + yy.sum() - yy.trace()) / (n * (n - 1))
    return float(within - 2 * xy.mean())


@mutant("cuts the larger set to the smaller", breaks="test_polynomial_mmd2_sizes")
def polynomial_mmd2(x, y):
    n, d = min(len(x), len(y)), x.shape[1]
    x, y = x[:n], y[:n]
    xx, yy, xy = ((a @ b.T / d + 1) ** 3 for a, b in ((x, x), (y, y), (x, y)))
    within = (xx.sum() - xx.trace() + yy.sum() - yy.trace()) / (n * (n - 1))
    return float(within - 2 * xy.mean())


@mutant("divides by N instead of D", breaks="test_polynomial_mmd2_sizes")
def polynomial_mmd2(x, y):
    n, m = len(x), len(y)
    xx, yy, xy = ((a @ b.T / n + 1) ** 3 for a, b in ((x, x), (y, y), (x, y)))
    within = (xx.sum() - xx.trace()) / (n * (n - 1)) + (yy.sum() - yy.trace()) / (m * (m - 1))
    return float(within - 2 * xy.mean())


@mutant("counts each pair i < j once, over N(N − 1)", breaks="test_polynomial_mmd2_values")
def polynomial_mmd2(x, y):
    n, m, d = len(x), len(y), x.shape[1]
    xx, yy, xy = ((a @ b.T / d + 1) ** 3 for a, b in ((x, x), (y, y), (x, y)))
    within = xx.triu(1).sum() / (n * (n - 1)) + yy.triu(1).sum() / (m * (m - 1))
    return float(within - 2 * xy.mean())


@variant("a loop over all pairs")
def polynomial_mmd2(x, y):
    def mean_kernel(a, b, distinct):
        total, count = 0.0, 0
        for i, p in enumerate(a.tolist()):
            for j, q in enumerate(b.tolist()):
                if not (distinct and i == j):
                    total += (sum(u * v for u, v in zip(p, q, strict=True)) / len(p) + 1) ** 3
                    count += 1
        return total / count

    return mean_kernel(x, x, True) + mean_kernel(y, y, True) - 2 * mean_kernel(x, y, False)


@variant("one matrix of both sets, in NumPy")
def polynomial_mmd2(x, y):
    z = np.concatenate([x.numpy(), y.numpy()]).astype(float)
    n, m = len(x), len(y)
    k = np.power(z @ z.T / z.shape[1] + 1, 3)
    off = k - np.diag(np.diag(k))
    return (
        off[:n, :n].sum() / (n * (n - 1))
        + off[n:, n:].sum() / (m * (m - 1))
        - 2 * k[:n, n:].sum() / (n * m)
    )


@variant("pairs i < j, twice, in the input's own precision")
def polynomial_mmd2(x, y):
    def within(z):
        k = (1 + z @ z.T / z.size(1)).pow(3)
        return k[torch.triu(torch.ones_like(k), 1) > 0].mean()

    return (
        within(x) + within(y) - 2 * (1 + torch.einsum("nd,md->nm", x, y) / x.size(1)).pow(3).mean()
    )


@variant("the weights of a quadratic form")
def polynomial_mmd2(x, y):
    n, m = len(x), len(y)
    z = torch.cat([x, y]).double()
    k = (z @ z.T / z.shape[1] + 1) ** 3
    w = torch.full((n + m, n + m), -1 / (n * m), dtype=torch.float64)
    w[:n, :n] = 1 / (n * (n - 1))
    w[n:, n:] = 1 / (m * (m - 1))
    w.fill_diagonal_(0)
    return float((w * k).sum())


@probe("polynomial_mmd2")
def _(f):
    x = torch.tensor(
        [[0.5, 1.0, -1.0], [2.0, 0.0, 0.3], [-1.0, 0.7, 0.2], [1.0, 1.0, 2.0]]
    ).double()
    y = torch.tensor([[1.0, 2.0, 0.5], [0.0, 3.0, 1.0]]).double()
    return [f(x, y), f(y, x), f(x, x), f(x[:2] + 3, y)]

"""Wrong and right answers to the exercises of lesson 11."""

import math

import numpy as np
import torch

from tests.notebooks.answer import mutant, probe, variant

# nearest


@mutant("squared", breaks="test_nearest_distance")
def nearest(x, pool):
    distance, index = torch.cdist(x, pool).min(1)
    return distance.square(), index


@mutant("the farthest", breaks=("test_nearest_distance", "test_nearest_index"))
def nearest(x, pool):
    return tuple(torch.cdist(x, pool).max(1))


@mutant("along the wrong axis", breaks=("test_nearest_distance", "test_nearest_index"))
def nearest(x, pool):
    return tuple(torch.cdist(x, pool).min(0))


@mutant("absolute differences", breaks="test_nearest_distance")
def nearest(x, pool):
    return tuple(torch.cdist(x, pool, p=1).min(1))


@mutant("the mean over the features", breaks="test_nearest_distance")
def nearest(x, pool):
    distance, index = torch.cdist(x, pool).min(1)
    return distance / x.shape[1] ** 0.5, index


@mutant("leaves out equal samples", breaks="test_nearest_copies")
def nearest(x, pool):
    between = torch.cdist(x, pool)
    between[between < 0.05] = torch.inf
    return tuple(between.min(1))


@mutant("leaves out the same index", breaks=("test_nearest_copies", "test_nearest_index"))
def nearest(x, pool):
    between = torch.cdist(x, pool)
    if pool.shape[0] > 1:
        between.fill_diagonal_(torch.inf)
    return tuple(between.min(1))


@mutant("the second nearest", breaks=("test_nearest_distance", "test_nearest_copies"))
def nearest(x, pool):
    distance, index = torch.cdist(x, pool).sort(1)
    return distance[:, 1], index[:, 1]


@mutant("the mean distance", breaks=("test_nearest_distance", "test_nearest_copies"))
def nearest(x, pool):
    between = torch.cdist(x, pool)
    return between.mean(1), between.argmin(1)


@mutant("index first", breaks=("test_nearest_distance", "test_nearest_index"))
def nearest(x, pool):
    distance, index = torch.cdist(x, pool).min(1)
    return index, distance


@mutant("indices from 1", breaks="test_nearest_index")
def nearest(x, pool):
    distance, index = torch.cdist(x, pool).min(1)
    return distance, index + 1


@mutant("indices as floats", breaks="test_nearest_index")
def nearest(x, pool):
    distance, index = torch.cdist(x, pool).min(1)
    return distance, index.to(x.dtype)


@mutant("indices of another product, without the norms", breaks="test_nearest_index")
def nearest(x, pool):
    return torch.cdist(x, pool).amin(1), (x @ pool.T).argmax(1)


@variant("the matrix product by hand")
def nearest(x, pool):
    squares = x.square().sum(1)[:, None] + pool.square().sum(1) - 2 * x @ pool.T
    distance, index = squares.clamp(min=0).min(1)
    return distance.sqrt(), index


@variant("a root kept from 0")
def nearest(x, pool):
    squares = (x[:, None] - pool[None]).square().sum(-1)
    return (squares.amin(1) + 1e-12).sqrt(), squares.argmin(1)


@variant("by differences")
def nearest(x, pool):
    squares = (x[:, None] - pool[None]).square().sum(-1)
    index = squares.argmin(1)
    return squares[torch.arange(len(x)), index].sqrt(), index


@variant("SciPy's tree")
def nearest(x, pool):
    from scipy.spatial import KDTree

    distance, index = KDTree(pool.numpy().astype(float)).query(x.numpy().astype(float))
    return torch.from_numpy(distance), torch.from_numpy(index)


@variant("a loop over the samples; indices as a list")
def nearest(x, pool):
    distance, index = [], []
    for row in x:
        gaps = torch.linalg.vector_norm(pool - row, dim=1)
        index.append(int(gaps.argmin()))
        distance.append(gaps[index[-1]])
    return torch.stack(distance), torch.tensor(index)


@variant("a matrix product, the distance by differences")
def nearest(x, pool):
    index = (pool.square().sum(1)[None] - 2 * x @ pool.T).argmin(1)
    return (x - pool[index]).norm(dim=1), index


@probe("nearest")
def _(f):
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(5, 3, generator=generator, dtype=torch.float64)
    pool = torch.randn(7, 3, generator=generator, dtype=torch.float64)
    pool[6] = x[1]
    found = []
    for pair in (f(x, pool), f(pool, pool)):
        if isinstance(pair, str):
            found.append(pair)
        else:
            found += [pair[0], pair[1], str(pair[1].dtype)]
    return found


# authenticity


@mutant("the share of near copies", breaks=("test_authenticity_share", "test_authenticity_strict"))
def authenticity(train, fake):
    distance, index = torch.cdist(fake, train).min(1)
    apart = torch.cdist(train, train).fill_diagonal_(torch.inf).amin(1)
    return float((distance <= apart[index]).double().mean())


@mutant("ties count as authentic", breaks=("test_authenticity_strict",))
def authenticity(train, fake):
    distance, index = torch.cdist(fake, train).min(1)
    apart = torch.cdist(train, train).fill_diagonal_(torch.inf).amin(1)
    return float((distance >= apart[index]).double().mean())


@mutant(
    "compares with the fake's own second neighbour",
    breaks=("test_authenticity_share", "test_authenticity_own_neighbour"),
)
def authenticity(train, fake):
    near = torch.cdist(fake, train).sort(1).values
    return float((near[:, 0] > near[:, 1]).double().mean())


@mutant(
    "compares with the nearest other fake",
    breaks=("test_authenticity_share", "test_authenticity_own_neighbour"),
)
def authenticity(train, fake):
    distance = torch.cdist(fake, train).amin(1)
    apart = torch.cdist(fake, fake).fill_diagonal_(torch.inf).amin(1)
    return float((distance > apart).double().mean())


@mutant(
    "each training sample is its own neighbour",
    breaks=("test_authenticity_share", "test_authenticity_own_neighbour"),
)
def authenticity(train, fake):
    distance, index = torch.cdist(fake, train).min(1)
    apart = torch.cdist(train, train).amin(1)
    return float((distance > apart[index]).double().mean())


@mutant("leaves out equal training samples", breaks="test_authenticity_duplicates")
def authenticity(train, fake):
    distance, index = torch.cdist(fake, train).min(1)
    apart = torch.cdist(train, train)
    apart[apart < 1e-6] = torch.inf
    return float((distance > apart.amin(1)[index]).double().mean())


@mutant("one spacing for all, the mean", breaks="test_authenticity_own_neighbour")
def authenticity(train, fake):
    distance = torch.cdist(fake, train).amin(1)
    apart = torch.cdist(train, train).fill_diagonal_(torch.inf).amin(1)
    return float((distance > apart.mean()).double().mean())


@mutant("spacing by the fake's own row number", breaks="test_authenticity_share")
def authenticity(train, fake):
    distance = torch.cdist(fake, train).amin(1)
    apart = torch.cdist(train, train).fill_diagonal_(torch.inf).amin(1)
    return float((distance > apart[torch.arange(len(fake)) % len(train)]).double().mean())


@mutant("the second neighbour of the training sample", breaks="test_authenticity_own_neighbour")
def authenticity(train, fake):
    distance, index = torch.cdist(fake, train).min(1)
    apart = torch.cdist(train, train).sort(1).values[:, min(2, len(train) - 1)]
    return float((distance > apart[index]).double().mean())


@mutant(
    "the share of training samples",
    breaks=("test_authenticity_share", "test_authenticity_own_neighbour"),
)
def authenticity(train, fake):
    distance = torch.cdist(train, fake).amin(1)
    apart = torch.cdist(train, train).fill_diagonal_(torch.inf).amin(1)
    return float((distance > apart).double().mean())


@mutant("the number, not the share", breaks="test_authenticity_share")
def authenticity(train, fake):
    distance, index = torch.cdist(fake, train).min(1)
    apart = torch.cdist(train, train).fill_diagonal_(torch.inf).amin(1)
    return float((distance > apart[index]).sum())


@mutant("absolute differences", breaks=("test_authenticity_share", "test_authenticity_strict"))
def authenticity(train, fake):
    distance, index = torch.cdist(fake, train, p=1).min(1)
    apart = torch.cdist(train, train, p=1).fill_diagonal_(torch.inf).amin(1)
    return float((distance > apart[index]).double().mean())


@variant("squares by differences")
def authenticity(train, fake):
    squares = (fake[:, None] - train[None]).square().sum(-1)
    own = (train[:, None] - train[None]).square().sum(-1)
    own[torch.arange(len(train)), torch.arange(len(train))] = math.inf
    index = squares.argmin(1)
    return (squares.gather(1, index[:, None])[:, 0] > own.min(1).values[index]).float().mean()


@variant("a loop in NumPy")
def authenticity(train, fake):
    table, found = train.numpy().astype(float), 0
    for y in fake.numpy().astype(float):
        gaps = ((table - y) ** 2).sum(1)
        t = int(gaps.argmin())
        others = np.delete(table, t, axis=0)
        found += gaps[t] > ((others - table[t]) ** 2).sum(1).min()
    return found / len(fake)


@variant("SciPy's table and the second smallest")
def authenticity(train, fake):
    from scipy.spatial.distance import cdist

    train, fake = train.numpy().astype(float), fake.numpy().astype(float)
    between = cdist(fake, train)
    apart = np.sort(cdist(train, train), axis=1)[:, 1]
    return np.mean(between.min(1) > apart[between.argmin(1)])


@probe("authenticity")
def _(f):
    generator = torch.Generator().manual_seed(1)
    train = torch.randn(23, 2, generator=generator, dtype=torch.float64)
    fake = 1.3 * torch.randn(37, 2, generator=generator, dtype=torch.float64)
    lattice = torch.tensor([[0.0, 0], [0, 0], [2, 0], [5, 1], [9, 9]])
    others = torch.tensor([[0.0, 1], [2, 2], [5, 4], [9, 2], [-2, 0], [0, 0], [2, -2]])
    return [f(train, fake), f(train * torch.arange(1, 24)[:, None], fake), f(lattice, others)]


# authenticity_null


@mutant("always one half", breaks="test_authenticity_null_share")
def authenticity_null(train, holdout):
    return 0.5


@mutant(
    "train and holdout exchanged",
    breaks=("test_authenticity_null_share", "test_authenticity_null_roles"),
)
def authenticity_null(train, holdout):
    distance, index = torch.cdist(train, holdout).min(1)
    apart = torch.cdist(holdout, holdout).fill_diagonal_(torch.inf).amin(1)
    return float((distance > apart[index]).double().mean())


@mutant("the training set against itself", breaks="test_authenticity_null_share")
def authenticity_null(train, holdout):
    own = torch.cdist(train, train).fill_diagonal_(torch.inf)
    distance, index = own.min(1)
    return float((distance > distance[index]).double().mean())


@mutant("the spacing of the held-out set", breaks="test_authenticity_null_roles")
def authenticity_null(train, holdout):
    distance = torch.cdist(holdout, train).amin(1)
    apart = torch.cdist(holdout, holdout).fill_diagonal_(torch.inf).amin(1)
    return float((distance > apart).double().mean())


@mutant("the spacing of both sets together", breaks="test_authenticity_null_share")
def authenticity_null(train, holdout):
    distance, index = torch.cdist(holdout, train).min(1)
    whole = torch.cat([train, holdout])
    apart = torch.cdist(whole, whole).fill_diagonal_(torch.inf).amin(1)
    return float((distance > apart[index]).double().mean())


@mutant("ties count as authentic", breaks="test_authenticity_null_ties")
def authenticity_null(train, holdout):
    distance, index = torch.cdist(holdout, train).min(1)
    apart = torch.cdist(train, train).fill_diagonal_(torch.inf).amin(1)
    return float((distance >= apart[index]).double().mean())


@mutant("leaves out equal training samples", breaks="test_authenticity_null_ties")
def authenticity_null(train, holdout):
    distance, index = torch.cdist(holdout, train).min(1)
    apart = torch.cdist(train, train)
    apart[apart < 1e-6] = torch.inf
    return float((distance > apart.amin(1)[index]).double().mean())


@mutant(
    "the share of near copies",
    breaks=("test_authenticity_null_share", "test_authenticity_null_roles"),
)
def authenticity_null(train, holdout):
    distance, index = torch.cdist(holdout, train).min(1)
    apart = torch.cdist(train, train).fill_diagonal_(torch.inf).amin(1)
    return float((distance <= apart[index]).double().mean())


@mutant(
    "each training sample is its own neighbour",
    breaks=("test_authenticity_null_share", "test_authenticity_null_roles"),
)
def authenticity_null(train, holdout):
    distance, index = torch.cdist(holdout, train).min(1)
    return float((distance > torch.cdist(train, train).amin(1)[index]).double().mean())


@mutant(
    "compares with the held-out sample's second neighbour", breaks="test_authenticity_null_share"
)
def authenticity_null(train, holdout):
    near = torch.cdist(holdout, train).sort(1).values
    return float((2 * near[:, 0] > near[:, 1]).double().mean())


@mutant("the formula for even density", breaks="test_authenticity_null_share")
def authenticity_null(train, holdout):
    from scipy.special import betainc

    shared = betainc((train.shape[1] + 1) / 2, 0.5, 0.75)
    return float((1 - shared) / (2 - shared))


@variant("squares by differences")
def authenticity_null(train, holdout):
    squares = (holdout[:, None] - train[None]).square().sum(-1)
    own = (train[:, None] - train[None]).square().sum(-1)
    own.fill_diagonal_(math.inf)
    distance, index = squares.min(1)
    return (distance > own.min(1).values[index]).double().mean()


@variant("a loop in NumPy")
def authenticity_null(train, holdout):
    table, found = train.numpy().astype(float), []
    for y in holdout.numpy().astype(float):
        gaps = np.linalg.norm(table - y, axis=1)
        t = int(np.argmin(gaps))
        found.append(gaps[t] > np.linalg.norm(np.delete(table, t, 0) - table[t], axis=1).min())
    return float(np.mean(found))


@variant("SciPy's trees")
def authenticity_null(train, holdout):
    from scipy.spatial import KDTree

    table = train.numpy().astype(float)
    tree = KDTree(table)
    distance, index = tree.query(holdout.numpy().astype(float))
    apart = tree.query(table, k=2)[0][:, 1]
    return torch.tensor(np.mean(distance > apart[index]))


@probe("authenticity_null")
def _(f):
    generator = torch.Generator().manual_seed(1)
    train = torch.randn(23, 2, generator=generator, dtype=torch.float64)
    held = 1.3 * torch.randn(37, 2, generator=generator, dtype=torch.float64)
    lattice = torch.tensor([[0.0, 0], [0, 0], [2, 0], [5, 1], [9, 9]])
    others = torch.tensor([[0.0, 1], [2, 2], [5, 4], [9, 2], [-2, 0], [0, 0], [2, -2]])
    return [f(train, held), f(train * torch.arange(1, 24)[:, None], held), f(lattice, others)]


# copying_test


@mutant(
    "the wrong sign",
    breaks=("test_copying_test_value", "test_copying_test_extremes", "test_copying_test_roles"),
)
def copying_test(train, holdout, fake):
    a, b = torch.cdist(fake, train).amin(1), torch.cdist(holdout, train).amin(1)
    n, m = len(a), len(b)
    u = (a[:, None] < b).sum() + 0.5 * (a[:, None] == b).sum()
    return float((u - n * m / 2) / math.sqrt(n * m * (n + m + 1) / 12))


@mutant("ties count nothing", breaks="test_copying_test_ties")
def copying_test(train, holdout, fake):
    a, b = torch.cdist(fake, train).amin(1), torch.cdist(holdout, train).amin(1)
    n, m = len(a), len(b)
    return float(((a[:, None] > b).sum() - n * m / 2) / math.sqrt(n * m * (n + m + 1) / 12))


@mutant("ties count as farther", breaks="test_copying_test_ties")
def copying_test(train, holdout, fake):
    a, b = torch.cdist(fake, train).amin(1), torch.cdist(holdout, train).amin(1)
    n, m = len(a), len(b)
    return float(((a[:, None] >= b).sum() - n * m / 2) / math.sqrt(n * m * (n + m + 1) / 12))


@mutant("a correction for ties", breaks="test_copying_test_ties")
def copying_test(train, holdout, fake):
    a, b = torch.cdist(fake, train).amin(1), torch.cdist(holdout, train).amin(1)
    n, m = len(a), len(b)
    u = (a[:, None] > b).sum() + 0.5 * (a[:, None] == b).sum()
    _, counts = torch.cat([a, b]).unique(return_counts=True)
    counts = counts.double()
    total = n + m
    ties = float((counts**3 - counts).sum()) / (total * (total - 1))
    return float((u - n * m / 2) / math.sqrt(n * m * (total + 1 - ties) / 12))


@mutant(
    "a correction for continuity", breaks=("test_copying_test_value", "test_copying_test_sizes")
)
def copying_test(train, holdout, fake):
    a, b = torch.cdist(fake, train).amin(1), torch.cdist(holdout, train).amin(1)
    n, m = len(a), len(b)
    u = (a[:, None] > b).sum() + 0.5 * (a[:, None] == b).sum()
    excess = float(u) - n * m / 2
    shrunk = math.copysign(max(abs(excess) - 0.5, 0), excess)
    return shrunk / math.sqrt(n * m * (n + m + 1) / 12)


@mutant("the share of pairs", breaks=("test_copying_test_value", "test_copying_test_extremes"))
def copying_test(train, holdout, fake):
    a, b = torch.cdist(fake, train).amin(1), torch.cdist(holdout, train).amin(1)
    return float((a[:, None] > b).double().mean() + 0.5 * (a[:, None] == b).double().mean())


@mutant("divides by the variance", breaks=("test_copying_test_value", "test_copying_test_sizes"))
def copying_test(train, holdout, fake):
    a, b = torch.cdist(fake, train).amin(1), torch.cdist(holdout, train).amin(1)
    n, m = len(a), len(b)
    u = (a[:, None] > b).sum() + 0.5 * (a[:, None] == b).sum()
    return float((u - n * m / 2) / (n * m * (n + m + 1) / 12))


@mutant(
    "forgets the 1 in the variance",
    breaks=("test_copying_test_value", "test_copying_test_sizes"),
)
def copying_test(train, holdout, fake):
    a, b = torch.cdist(fake, train).amin(1), torch.cdist(holdout, train).amin(1)
    n, m = len(a), len(b)
    u = (a[:, None] > b).sum() + 0.5 * (a[:, None] == b).sum()
    return float((u - n * m / 2) / math.sqrt(n * m * (n + m) / 12))


@mutant(
    "one size for both sides",
    breaks=("test_copying_test_value", "test_copying_test_extremes", "test_copying_test_sizes"),
)
def copying_test(train, holdout, fake):
    a, b = torch.cdist(fake, train).amin(1), torch.cdist(holdout, train).amin(1)
    n, m = len(a), len(b)
    u = (a[:, None] > b).sum() + 0.5 * (a[:, None] == b).sum()
    return float((u - n * m / 2) / math.sqrt(n * n * (2 * n + 1) / 12))


@mutant(
    "train and holdout exchanged", breaks=("test_copying_test_value", "test_copying_test_roles")
)
def copying_test(train, holdout, fake):
    train, holdout = holdout, train
    a, b = torch.cdist(fake, train).amin(1), torch.cdist(holdout, train).amin(1)
    n, m = len(a), len(b)
    u = (a[:, None] > b).sum() + 0.5 * (a[:, None] == b).sum()
    return float((u - n * m / 2) / math.sqrt(n * m * (n + m + 1) / 12))


@mutant("fakes measured from the held-out set", breaks="test_copying_test_roles")
def copying_test(train, holdout, fake):
    a, b = torch.cdist(fake, holdout).amin(1), torch.cdist(holdout, train).amin(1)
    n, m = len(a), len(b)
    u = (a[:, None] > b).sum() + 0.5 * (a[:, None] == b).sum()
    return float((u - n * m / 2) / math.sqrt(n * m * (n + m + 1) / 12))


@mutant("a t-test of the distances", breaks=("test_copying_test_value", "test_copying_test_sizes"))
def copying_test(train, holdout, fake):
    a, b = torch.cdist(fake, train).amin(1), torch.cdist(holdout, train).amin(1)
    error = (a.var(correction=0) / len(a) + b.var(correction=0) / len(b)).sqrt()
    return float((a.mean() - b.mean()) / error)


@mutant("the mean distance to the training set", breaks="test_copying_test_roles")
def copying_test(train, holdout, fake):
    a, b = torch.cdist(fake, train).mean(1), torch.cdist(holdout, train).mean(1)
    n, m = len(a), len(b)
    u = (a[:, None] > b).sum() + 0.5 * (a[:, None] == b).sum()
    return float((u - n * m / 2) / math.sqrt(n * m * (n + m + 1) / 12))


@variant("ranks by SciPy")
def copying_test(train, holdout, fake):
    from scipy.spatial.distance import cdist
    from scipy.stats import rankdata

    train = train.numpy().astype(float)
    a = cdist(fake.numpy().astype(float), train).min(1)
    b = cdist(holdout.numpy().astype(float), train).min(1)
    n, m = len(a), len(b)
    u = rankdata(np.concatenate([a, b]))[:n].sum() - n * (n + 1) / 2
    return (u - n * m / 2) / np.sqrt(n * m * (n + m + 1) / 12)


@variant("SciPy's U, a z of its own")
def copying_test(train, holdout, fake):
    from scipy.stats import mannwhitneyu

    a = torch.cdist(fake.double(), train.double()).amin(1).numpy()
    b = torch.cdist(holdout.double(), train.double()).amin(1).numpy()
    u = mannwhitneyu(a, b, alternative="two-sided").statistic
    n, m = len(a), len(b)
    return torch.tensor((u - n * m / 2) / (n * m * (n + m + 1) / 12) ** 0.5)


@variant("SciPy's rank-sum test, trees for the distances")
def copying_test(train, holdout, fake):
    from scipy.spatial import KDTree
    from scipy.stats import ranksums

    tree = KDTree(train.numpy().astype(float))
    a, b = (tree.query(side.numpy().astype(float))[0] for side in (fake, holdout))
    return ranksums(a, b).statistic


@variant("a loop over the pairs")
def copying_test(train, holdout, fake):
    def near(side):
        return [float((train - y).double().square().sum(1).min()) for y in side]

    a, b = near(fake), near(holdout)
    u = sum(1.0 if p > q else 0.5 if p == q else 0.0 for p in a for q in b)
    n, m = len(a), len(b)
    return (u - n * m / 2) / math.sqrt(n * m * (n + m + 1) / 12)


@variant("signs of the differences")
def copying_test(train, holdout, fake):
    a = torch.cdist(fake, train).min(dim=1).values
    b = torch.cdist(holdout, train).min(dim=1).values
    n, m = a.numel(), b.numel()
    balance = torch.sign(a.unsqueeze(1) - b.unsqueeze(0)).double().sum() / 2
    return balance / (n * m * (n + m + 1) / 12) ** 0.5


@mutant("no held-out set: the training set's own spacing", breaks="test_copying_test_value")
def copying_test(train, holdout, fake):
    a = torch.cdist(fake, train).amin(1)
    b = torch.cdist(train, train).fill_diagonal_(torch.inf).amin(1)
    n, m = len(a), len(b)
    u = (a[:, None] > b).sum() + 0.5 * (a[:, None] == b).sum()
    return float((u - n * m / 2) / math.sqrt(n * m * (n + m + 1) / 12))


@probe("copying_test")
def _(f):
    generator = torch.Generator().manual_seed(1)
    train = torch.randn(13, 2, generator=generator, dtype=torch.float64)
    held = torch.randn(9, 2, generator=generator, dtype=torch.float64)
    fake = torch.randn(16, 2, generator=generator, dtype=torch.float64) / 2
    lattice = torch.tensor([[0.0, 0], [2, 0], [5, 1]])
    others = torch.tensor([[0.0, 1], [2, 2], [5, 4], [-2, 0], [0, 0]])
    return [f(train, held, fake), f(train, fake, held), f(lattice, others, others[[1, 2, 2, 4]])]


# likelihood_gap


@mutant("the difference the wrong way round", breaks="test_likelihood_gap_gap")
def likelihood_gap(train_nll, test_nll):
    error = (train_nll.var() / len(train_nll) + test_nll.var() / len(test_nll)).sqrt()
    return float(train_nll.mean() - test_nll.mean()), float(error)


@mutant("medians", breaks="test_likelihood_gap_gap")
def likelihood_gap(train_nll, test_nll):
    error = (train_nll.var() / len(train_nll) + test_nll.var() / len(test_nll)).sqrt()
    return float(test_nll.median() - train_nll.median()), float(error)


@mutant("sums", breaks="test_likelihood_gap_gap")
def likelihood_gap(train_nll, test_nll):
    error = (train_nll.var() / len(train_nll) + test_nll.var() / len(test_nll)).sqrt()
    return float(test_nll.sum() - train_nll.sum()), float(error)


@mutant("a ratio", breaks="test_likelihood_gap_gap")
def likelihood_gap(train_nll, test_nll):
    error = (train_nll.var() / len(train_nll) + test_nll.var() / len(test_nll)).sqrt()
    return float(test_nll.mean() / train_nll.mean()), float(error)


@mutant("the absolute difference", breaks="test_likelihood_gap_gap")
def likelihood_gap(train_nll, test_nll):
    error = (train_nll.var() / len(train_nll) + test_nll.var() / len(test_nll)).sqrt()
    return float((test_nll.mean() - train_nll.mean()).abs()), float(error)


@mutant("divisor n", breaks=("test_likelihood_gap_error", "test_likelihood_gap_sizes"))
def likelihood_gap(train_nll, test_nll):
    a, b = train_nll.numpy(), test_nll.numpy()
    error = np.sqrt(np.var(a) / len(a) + np.var(b) / len(b))
    return float(b.mean() - a.mean()), float(error)


@mutant(
    "the spread of single samples",
    breaks=("test_likelihood_gap_error", "test_likelihood_gap_sizes"),
)
def likelihood_gap(train_nll, test_nll):
    error = (train_nll.var() + test_nll.var()).sqrt()
    return float(test_nll.mean() - train_nll.mean()), float(error)


@mutant("no root", breaks=("test_likelihood_gap_error", "test_likelihood_gap_sizes"))
def likelihood_gap(train_nll, test_nll):
    error = train_nll.var() / len(train_nll) + test_nll.var() / len(test_nll)
    return float(test_nll.mean() - train_nll.mean()), float(error)


@mutant(
    "standard errors added",
    breaks=("test_likelihood_gap_error", "test_likelihood_gap_sizes"),
)
def likelihood_gap(train_nll, test_nll):
    error = train_nll.std() / len(train_nll) ** 0.5 + test_nll.std() / len(test_nll) ** 0.5
    return float(test_nll.mean() - train_nll.mean()), float(error)


@mutant("a pooled variance", breaks="test_likelihood_gap_sizes")
def likelihood_gap(train_nll, test_nll):
    n, m = len(train_nll), len(test_nll)
    pooled = ((n - 1) * train_nll.var() + (m - 1) * test_nll.var()) / (n + m - 2)
    error = (pooled * (1 / n + 1 / m)).sqrt()
    return float(test_nll.mean() - train_nll.mean()), float(error)


@mutant("sizes exchanged", breaks="test_likelihood_gap_sizes")
def likelihood_gap(train_nll, test_nll):
    error = (train_nll.var() / len(test_nll) + test_nll.var() / len(train_nll)).sqrt()
    return float(test_nll.mean() - train_nll.mean()), float(error)


@mutant("the error of the test side alone", breaks="test_likelihood_gap_error")
def likelihood_gap(train_nll, test_nll):
    error = test_nll.std() / len(test_nll) ** 0.5
    return float(test_nll.mean() - train_nll.mean()), float(error)


@mutant("all samples in one variance", breaks="test_likelihood_gap_error")
def likelihood_gap(train_nll, test_nll):
    whole = torch.cat([train_nll, test_nll])
    error = whole.std() * (1 / len(train_nll) + 1 / len(test_nll)) ** 0.5
    return float(test_nll.mean() - train_nll.mean()), float(error)


@mutant("n − 1 twice", breaks=("test_likelihood_gap_error", "test_likelihood_gap_sizes"))
def likelihood_gap(train_nll, test_nll):
    error = train_nll.var() / (len(train_nll) - 1) + test_nll.var() / (len(test_nll) - 1)
    return float(test_nll.mean() - train_nll.mean()), float(error.sqrt())


@variant("NumPy")
def likelihood_gap(train_nll, test_nll):
    a, b = train_nll.numpy().astype(float), test_nll.numpy().astype(float)
    return b.mean() - a.mean(), np.sqrt(a.var(ddof=1) / a.size + b.var(ddof=1) / b.size)


@variant("tensors in the input's own dtype")
def likelihood_gap(train_nll, test_nll):
    squared = train_nll.var() / len(train_nll) + test_nll.var() / len(test_nll)
    return test_nll.mean() - train_nll.mean(), squared.sqrt()


@variant("the mean square less the squared mean")
def likelihood_gap(train_nll, test_nll):
    parts = [
        (side.square().mean() - side.mean() ** 2) / (len(side) - 1)
        for side in (train_nll, test_nll)
    ]
    return test_nll.mean() - train_nll.mean(), sum(parts).sqrt()


@variant("the standard library")
def likelihood_gap(train_nll, test_nll):
    from statistics import fmean, variance

    a, b = train_nll.tolist(), test_nll.tolist()
    return fmean(b) - fmean(a), math.sqrt(variance(a) / len(a) + variance(b) / len(b))


@variant("SciPy's standard errors")
def likelihood_gap(train_nll, test_nll):
    from scipy.stats import sem

    a, b = train_nll.double().numpy(), test_nll.double().numpy()
    return float(np.mean(b) - np.mean(a)), math.hypot(sem(a), sem(b))


@probe("likelihood_gap")
def _(f):
    generator = torch.Generator().manual_seed(1)
    a = torch.randn(7, generator=generator, dtype=torch.float64).exp() + 3
    b = torch.randn(12, generator=generator, dtype=torch.float64).exp()
    return [f(a, b), f(b, a), f(a[:5], b[:5])]

"""Wrong and right answers to the exercises of lesson 10."""

import math

import numpy as np
import torch

from tests.notebooks.answer import mutant, probe, variant

# pairwise_distances


@mutant("squared", breaks="test_pairwise_distances_values")
def pairwise_distances(x, y):
    return torch.cdist(x, y).square()


@mutant("absolute differences", breaks="test_pairwise_distances_values")
def pairwise_distances(x, y):
    return torch.cdist(x, y, p=1)


@mutant("the largest difference", breaks="test_pairwise_distances_values")
def pairwise_distances(x, y):
    return torch.cdist(x, y, p=math.inf)


@mutant("transposed", breaks="test_pairwise_distances_values")
def pairwise_distances(x, y):
    return torch.cdist(y, x)


@mutant("the mean over the features", breaks="test_pairwise_distances_values")
def pairwise_distances(x, y):
    return torch.cdist(x, y) / x.shape[1] ** 0.5


@mutant("negative squares under the root", breaks="test_pairwise_distances_duplicates")
def pairwise_distances(x, y):
    squares = x.square().sum(1)[:, None] + y.square().sum(1) - 2 * x @ y.T
    return squares.sqrt()


@mutant("a constant under the root", breaks="test_pairwise_distances_duplicates")
def pairwise_distances(x, y):
    return (torch.cdist(x, y).square() + 0.01).sqrt()


@mutant(
    "the product once",
    breaks=("test_pairwise_distances_values", "test_pairwise_distances_duplicates"),
)
def pairwise_distances(x, y):
    squares = x.square().sum(1)[:, None] + y.square().sum(1) - x @ y.T
    return squares.clamp_min(0).sqrt()


@mutant(
    "the distance of directions, not of points",
    breaks="test_pairwise_distances_values",
)
def pairwise_distances(x, y):
    unit = [z / z.norm(dim=1, keepdim=True).clamp_min(1e-9) for z in (x, y)]
    return torch.cdist(*unit)


@mutant("distances within the first set", breaks="test_pairwise_distances_values")
def pairwise_distances(x, y):
    return torch.cdist(x, x)


@mutant(
    "forgets the norms of the second set",
    breaks=("test_pairwise_distances_values", "test_pairwise_distances_duplicates"),
)
def pairwise_distances(x, y):
    return (x.square().sum(1)[:, None] - 2 * x @ y.T).abs().sqrt()


@variant("by differences")
def pairwise_distances(x, y):
    return (x[:, None] - y[None]).square().sum(-1).sqrt()


@variant("a matrix product, clamped")
def pairwise_distances(x, y):
    squares = x.square().sum(1)[:, None] + y.square().sum(1)[None] - 2 * x @ y.T
    return squares.clamp(min=0).sqrt()


@variant("SciPy in float64")
def pairwise_distances(x, y):
    from scipy.spatial.distance import cdist

    return torch.from_numpy(cdist(x.numpy(), y.numpy()))


@variant("a loop over the rows")
def pairwise_distances(x, y):
    return torch.stack([torch.linalg.vector_norm(y - row, dim=1) for row in x])


@variant("PyTorch's own for pairs, which adds 1e-6 to each difference")
def pairwise_distances(x, y):
    return torch.nn.functional.pairwise_distance(x[:, None], y[None])


@probe("pairwise_distances")
def _(f):
    x = torch.tensor([[0.0, 1.0, 3.0], [2.0, 2.0, 5.0]])
    y = torch.tensor([[1.0, 1.0, 1.0], [0.0, 4.0, 2.0], [3.0, 0.0, 1.0]])
    angles = torch.linspace(0, 6, 60)
    spiral = torch.stack([7 * angles.cos(), 7 * angles.sin(), angles, 9 - angles], 1)
    own = f(spiral, spiral)
    found = own if isinstance(own, str) else bool(own.isnan().any())
    return [f(x, y), f(x.double(), x.double() + 1), found]


# knn_radii


@mutant("counts each point as its own neighbour", breaks="test_knn_radii_values")
def knn_radii(x, k):
    return torch.cdist(x, x).sort(1).values[:, k - 1]


@mutant("the neighbour after the k-th", breaks="test_knn_radii_values")
def knn_radii(x, k):
    distances = torch.cdist(x, x).fill_diagonal_(torch.inf)
    return distances.sort(1).values[:, min(k, len(x) - 1)]


@mutant("the mean of the k nearest", breaks="test_knn_radii_values")
def knn_radii(x, k):
    distances = torch.cdist(x, x).fill_diagonal_(torch.inf)
    return distances.sort(1).values[:, :k].mean(1)


@mutant("always the nearest", breaks="test_knn_radii_values")
def knn_radii(x, k):
    return torch.cdist(x, x).fill_diagonal_(torch.inf).min(1).values


@mutant("squared", breaks="test_knn_radii_values")
def knn_radii(x, k):
    distances = torch.cdist(x, x).fill_diagonal_(torch.inf)
    return distances.sort(1).values[:, k - 1].square()


@mutant("leaves out all equal points", breaks="test_knn_radii_duplicates")
def knn_radii(x, k):
    distances = torch.cdist(x, x)
    distances[distances == 0] = torch.inf
    return distances.sort(1).values[:, k - 1]


@mutant("different distances only", breaks="test_knn_radii_duplicates")
def knn_radii(x, k):
    radii = []
    for i, row in enumerate(x):
        others = torch.cat([x[:i], x[i + 1 :]])
        levels = torch.unique((others - row).norm(dim=1))
        radii.append(levels[min(k, len(levels)) - 1])
    return torch.stack(radii)


@mutant("drops the duplicates of the set first", breaks="test_knn_radii_duplicates")
def knn_radii(x, k):
    seen = torch.unique(x, dim=0)
    distances = torch.cdist(x, seen)
    distances[distances == 0] = torch.inf
    return distances.sort(1).values[:, min(k, len(seen)) - 1]


@mutant("the k-th farthest", breaks="test_knn_radii_values")
def knn_radii(x, k):
    distances = torch.cdist(x, x).fill_diagonal_(-1)
    return distances.sort(1, descending=True).values[:, k - 1]


@mutant("one radius for all", breaks="test_knn_radii_values")
def knn_radii(x, k):
    distances = torch.cdist(x, x).fill_diagonal_(torch.inf)
    radii = distances.sort(1).values[:, k - 1]
    return radii.mean().expand(len(x))


@mutant("absolute differences", breaks="test_knn_radii_values")
def knn_radii(x, k):
    distances = torch.cdist(x, x, p=1).fill_diagonal_(torch.inf)
    return distances.sort(1).values[:, k - 1]


@mutant(
    "infinity times the identity",
    breaks=("test_knn_radii_values", "test_knn_radii_duplicates"),
)
def knn_radii(x, k):
    distances = torch.cdist(x, x) + torch.eye(len(x), dtype=x.dtype) * math.inf
    return distances.sort(1).values[:, k - 1]


@variant("kthvalue of k + 1, itself included")
def knn_radii(x, k):
    return torch.cdist(x, x).kthvalue(k + 1, dim=1).values


@variant("topk without the diagonal")
def knn_radii(x, k):
    n = len(x)
    distances = torch.cdist(x, x) + torch.diag(torch.full((n,), torch.inf, dtype=x.dtype))
    return distances.topk(k, dim=1, largest=False).values[:, -1]


@variant("a loop in NumPy")
def knn_radii(x, k):
    table = x.numpy().astype(float)
    radii = []
    for i in range(len(table)):
        gaps = np.sqrt(((np.delete(table, i, axis=0) - table[i]) ** 2).sum(1))
        radii.append(np.partition(gaps, k - 1)[k - 1])
    return torch.tensor(radii, dtype=torch.float64)


@variant("SciPy's tree")
def knn_radii(x, k):
    from scipy.spatial import KDTree

    table = x.numpy().astype(float)
    distances, _ = KDTree(table).query(table, k=[k + 1])
    return torch.from_numpy(distances[:, 0])


@probe("knn_radii")
def _(f):
    heap = torch.tensor([[0.0, 0], [0, 0], [2, 1], [2, 1], [2, 1], [5, 0], [9, 4], [0, 7]])
    return [f(heap, k) for k in (1, 2, 3, 4)]


# precision_recall


@mutant(
    "precision and recall exchanged",
    breaks=("test_precision_recall_precision", "test_precision_recall_recall"),
)
def precision_recall(real, fake, k):
    a = torch.cdist(real, real).fill_diagonal_(torch.inf).sort(1).values[:, k - 1]
    b = torch.cdist(fake, fake).fill_diagonal_(torch.inf).sort(1).values[:, k - 1]
    between = torch.cdist(real, fake)
    precision = (between <= a[:, None]).any(0).double().mean()
    recall = (between <= b).any(1).double().mean()
    return float(recall), float(precision)


@mutant(
    "each point is its own first neighbour",
    breaks=("test_precision_recall_precision", "test_precision_recall_recall"),
)
def precision_recall(real, fake, k):
    a = torch.cdist(real, real).sort(1).values[:, k - 1]
    b = torch.cdist(fake, fake).sort(1).values[:, k - 1]
    between = torch.cdist(real, fake)
    precision = (between <= a[:, None]).any(0).double().mean()
    recall = (between <= b).any(1).double().mean()
    return float(precision), float(recall)


@mutant("open balls", breaks="test_precision_recall_closed_balls")
def precision_recall(real, fake, k):
    a = torch.cdist(real, real).fill_diagonal_(torch.inf).sort(1).values[:, k - 1]
    b = torch.cdist(fake, fake).fill_diagonal_(torch.inf).sort(1).values[:, k - 1]
    between = torch.cdist(real, fake)
    precision = (between < a[:, None]).any(0).double().mean()
    recall = (between < b).any(1).double().mean()
    return float(precision), float(recall)


@mutant("coverage in the place of recall", breaks="test_precision_recall_recall")
def precision_recall(real, fake, k):
    a = torch.cdist(real, real).fill_diagonal_(torch.inf).sort(1).values[:, k - 1]
    inside = torch.cdist(real, fake) <= a[:, None]
    return float(inside.any(0).double().mean()), float(inside.any(1).double().mean())


@mutant(
    "asks whose own ball it is: the balls exchanged",
    breaks=("test_precision_recall_precision", "test_precision_recall_recall"),
)
def precision_recall(real, fake, k):
    a = torch.cdist(real, real).fill_diagonal_(torch.inf).sort(1).values[:, k - 1]
    b = torch.cdist(fake, fake).fill_diagonal_(torch.inf).sort(1).values[:, k - 1]
    between = torch.cdist(real, fake)
    precision = (between <= b).any(0).double().mean()
    recall = (between <= a[:, None]).any(1).double().mean()
    return float(precision), float(recall)


@mutant(
    "the ball of the nearest sample only",
    breaks=("test_precision_recall_precision", "test_precision_recall_recall"),
)
def precision_recall(real, fake, k):
    a = torch.cdist(real, real).fill_diagonal_(torch.inf).sort(1).values[:, k - 1]
    b = torch.cdist(fake, fake).fill_diagonal_(torch.inf).sort(1).values[:, k - 1]
    between = torch.cdist(real, fake)
    first, second = between.min(0), between.min(1)
    precision = (first.values <= a[first.indices]).double().mean()
    recall = (second.values <= b[second.indices]).double().mean()
    return float(precision), float(recall)


@mutant(
    "in every ball",
    breaks=("test_precision_recall_precision", "test_precision_recall_recall"),
)
def precision_recall(real, fake, k):
    a = torch.cdist(real, real).fill_diagonal_(torch.inf).sort(1).values[:, k - 1]
    b = torch.cdist(fake, fake).fill_diagonal_(torch.inf).sort(1).values[:, k - 1]
    between = torch.cdist(real, fake)
    precision = (between <= a[:, None]).all(0).double().mean()
    recall = (between <= b).all(1).double().mean()
    return float(precision), float(recall)


@mutant(
    "the counts over the other set's size",
    breaks=("test_precision_recall_precision", "test_precision_recall_recall"),
)
def precision_recall(real, fake, k):
    a = torch.cdist(real, real).fill_diagonal_(torch.inf).sort(1).values[:, k - 1]
    b = torch.cdist(fake, fake).fill_diagonal_(torch.inf).sort(1).values[:, k - 1]
    between = torch.cdist(real, fake)
    precision = (between <= a[:, None]).any(0).double().sum() / len(real)
    recall = (between <= b).any(1).double().sum() / len(fake)
    return float(precision), float(recall)


@mutant(
    "one mean radius a set",
    breaks=("test_precision_recall_precision", "test_precision_recall_recall"),
)
def precision_recall(real, fake, k):
    a = torch.cdist(real, real).fill_diagonal_(torch.inf).sort(1).values[:, k - 1].mean()
    b = torch.cdist(fake, fake).fill_diagonal_(torch.inf).sort(1).values[:, k - 1].mean()
    between = torch.cdist(real, fake)
    precision = (between <= a).any(0).double().mean()
    recall = (between <= b).any(1).double().mean()
    return float(precision), float(recall)


@mutant("leaves out equal points of a set", breaks="test_precision_recall_closed_balls")
def precision_recall(real, fake, k):
    radii = []
    for points in (real, fake):
        own = torch.cdist(points, points)
        own[own == 0] = torch.inf
        radii.append(own.sort(1).values[:, k - 1])
    between = torch.cdist(real, fake)
    precision = (between <= radii[0][:, None]).any(0).double().mean()
    recall = (between <= radii[1]).any(1).double().mean()
    return float(precision), float(recall)


@mutant("density in the place of precision", breaks="test_precision_recall_precision")
def precision_recall(real, fake, k):
    a = torch.cdist(real, real).fill_diagonal_(torch.inf).sort(1).values[:, k - 1]
    b = torch.cdist(fake, fake).fill_diagonal_(torch.inf).sort(1).values[:, k - 1]
    between = torch.cdist(real, fake)
    precision = (between <= a[:, None]).double().sum(0).mean() / k
    recall = (between <= b).any(1).double().mean()
    return float(precision), float(recall)


@mutant(
    "neighbours in the joint set",
    breaks=("test_precision_recall_precision", "test_precision_recall_recall"),
)
def precision_recall(real, fake, k):
    joint = torch.cat([real, fake])
    own = torch.cdist(joint, joint).fill_diagonal_(torch.inf).sort(1).values[:, k - 1]
    between = torch.cdist(real, fake)
    precision = (between <= own[: len(real), None]).any(0).double().mean()
    recall = (between <= own[len(real) :]).any(1).double().mean()
    return float(precision), float(recall)


@variant("one share, called twice with the roles exchanged")
def precision_recall(real, fake, k):
    def share(centres, others):
        own = torch.cdist(centres, centres)
        own.fill_diagonal_(float("inf"))
        reach = own.topk(k, dim=1, largest=False).values[:, -1]
        return (torch.cdist(others, centres) <= reach).any(1).double().mean().item()

    return share(real, fake), share(fake, real)


@variant("NumPy by differences, in float64")
def precision_recall(real, fake, k):
    x, y = real.numpy().astype(float), fake.numpy().astype(float)

    def gaps(a, b):
        return np.sqrt(((a[:, None] - b[None]) ** 2).sum(-1))

    a = np.sort(gaps(x, x), axis=1)[:, k]
    b = np.sort(gaps(y, y), axis=1)[:, k]
    between = gaps(x, y)
    precision = np.mean((between <= a[:, None]).any(axis=0))
    return precision, np.mean((between <= b[None]).any(axis=1))


@variant("squared distances and loops; 0-d tensors out")
def precision_recall(real, fake, k):
    def squares(a, b):
        return (a[:, None] - b[None]).square().sum(-1)

    shares = []
    for centres, others in ((real, fake), (fake, real)):
        own = squares(centres, centres)
        own.fill_diagonal_(torch.inf)
        reach = own.kthvalue(k, dim=1).values
        inside = [bool((squares(centres, one[None])[:, 0] <= reach).any()) for one in others]
        shares.append(torch.tensor(inside, dtype=torch.float64).mean())
    return shares[0], shares[1]


@variant("SciPy's distances")
def precision_recall(real, fake, k):
    from scipy.spatial.distance import cdist

    x, y = real.numpy().astype(float), fake.numpy().astype(float)
    a = np.partition(cdist(x, x), k, axis=1)[:, k]
    b = np.partition(cdist(y, y), k, axis=1)[:, k]
    d = cdist(x, y)
    return float((d <= a[:, None]).any(0).mean()), float((d <= b).any(1).mean())


@probe("precision_recall")
def _(f):
    points = torch.tensor([[0.0], [1.0], [3.0], [3.0], [11.0], [30.0]])
    fakes = torch.tensor([[4.5], [0.5], [9.0], [2.0], [2.0], [2.5], [-6.0]])
    return [f(points, fakes, 1), f(points, fakes, 2), f(points, fakes, 3), f(fakes, points, 1)]


# density_coverage


@mutant("does not divide by k", breaks="test_density_coverage_density")
def density_coverage(real, fake, k):
    a = torch.cdist(real, real).fill_diagonal_(torch.inf).sort(1).values[:, k - 1]
    inside = torch.cdist(real, fake) <= a[:, None]
    return float(inside.double().sum(0).mean()), float(inside.any(1).double().mean())


@mutant("averages the density over the real samples", breaks="test_density_coverage_density")
def density_coverage(real, fake, k):
    a = torch.cdist(real, real).fill_diagonal_(torch.inf).sort(1).values[:, k - 1]
    inside = torch.cdist(real, fake) <= a[:, None]
    return float(inside.double().sum(1).mean() / k), float(inside.any(1).double().mean())


@mutant("precision in the place of density", breaks="test_density_coverage_density")
def density_coverage(real, fake, k):
    a = torch.cdist(real, real).fill_diagonal_(torch.inf).sort(1).values[:, k - 1]
    inside = torch.cdist(real, fake) <= a[:, None]
    return float(inside.any(0).double().mean()), float(inside.any(1).double().mean())


@mutant("divides by N instead of k", breaks="test_density_coverage_density")
def density_coverage(real, fake, k):
    a = torch.cdist(real, real).fill_diagonal_(torch.inf).sort(1).values[:, k - 1]
    inside = torch.cdist(real, fake) <= a[:, None]
    return float(inside.double().mean()), float(inside.any(1).double().mean())


@mutant("at most 1 a fake", breaks="test_density_coverage_density")
def density_coverage(real, fake, k):
    a = torch.cdist(real, real).fill_diagonal_(torch.inf).sort(1).values[:, k - 1]
    inside = torch.cdist(real, fake) <= a[:, None]
    density = (inside.double().sum(0) / k).clamp_max(1).mean()
    return float(density), float(inside.any(1).double().mean())


@mutant("recall in the place of coverage", breaks="test_density_coverage_coverage")
def density_coverage(real, fake, k):
    a = torch.cdist(real, real).fill_diagonal_(torch.inf).sort(1).values[:, k - 1]
    between = torch.cdist(real, fake)
    density = (between <= a[:, None]).double().sum(0).mean() / k
    if len(fake) <= k:
        return float(density), 0.0
    b = torch.cdist(fake, fake).fill_diagonal_(torch.inf).sort(1).values[:, k - 1]
    return float(density), float((between <= b).any(1).double().mean())


@mutant("precision in the place of coverage", breaks="test_density_coverage_coverage")
def density_coverage(real, fake, k):
    a = torch.cdist(real, real).fill_diagonal_(torch.inf).sort(1).values[:, k - 1]
    inside = torch.cdist(real, fake) <= a[:, None]
    return float(inside.double().sum(0).mean() / k), float(inside.any(0).double().mean())


@mutant("open balls", breaks="test_density_coverage_closed_balls")
def density_coverage(real, fake, k):
    a = torch.cdist(real, real).fill_diagonal_(torch.inf).sort(1).values[:, k - 1]
    inside = torch.cdist(real, fake) < a[:, None]
    return float(inside.double().sum(0).mean() / k), float(inside.any(1).double().mean())


@mutant(
    "each point is its own first neighbour",
    breaks=("test_density_coverage_density", "test_density_coverage_coverage"),
)
def density_coverage(real, fake, k):
    a = torch.cdist(real, real).sort(1).values[:, k - 1]
    inside = torch.cdist(real, fake) <= a[:, None]
    return float(inside.double().sum(0).mean() / k), float(inside.any(1).double().mean())


@mutant("leaves out equal real points", breaks="test_density_coverage_closed_balls")
def density_coverage(real, fake, k):
    own = torch.cdist(real, real)
    own[own == 0] = torch.inf
    a = own.sort(1).values[:, k - 1]
    inside = torch.cdist(real, fake) <= a[:, None]
    return float(inside.double().sum(0).mean() / k), float(inside.any(1).double().mean())


@mutant(
    "coverage and density exchanged",
    breaks=("test_density_coverage_density", "test_density_coverage_coverage"),
)
def density_coverage(real, fake, k):
    a = torch.cdist(real, real).fill_diagonal_(torch.inf).sort(1).values[:, k - 1]
    inside = torch.cdist(real, fake) <= a[:, None]
    return float(inside.any(1).double().mean()), float(inside.double().sum(0).mean() / k)


@mutant("asks for k fakes in a ball", breaks="test_density_coverage_coverage")
def density_coverage(real, fake, k):
    a = torch.cdist(real, real).fill_diagonal_(torch.inf).sort(1).values[:, k - 1]
    inside = torch.cdist(real, fake) <= a[:, None]
    coverage = (inside.sum(1) >= k).double().mean()
    return float(inside.double().sum(0).mean() / k), float(coverage)


@variant("the nearest fake decides coverage, NumPy in float64")
def density_coverage(real, fake, k):
    from scipy.spatial.distance import cdist

    x, y = real.numpy().astype(float), fake.numpy().astype(float)
    a = np.sort(cdist(x, x), axis=1)[:, k]
    d = cdist(x, y)
    return (d <= a[:, None]).sum() / (k * len(y)), (d.min(axis=1) <= a).mean()


@variant("loops over the real samples")
def density_coverage(real, fake, k):
    count, held = 0, 0
    for i, row in enumerate(real):
        others = torch.cat([real[:i], real[i + 1 :]])
        radius = (others - row).square().sum(1).kthvalue(k).values
        inside = int(((fake - row).square().sum(1) <= radius).sum())
        count, held = count + inside, held + (inside > 0)
    return count / (k * len(fake)), held / len(real)


@variant("squares by differences; 0-d tensors out")
def density_coverage(real, fake, k):
    own = (real[:, None] - real[None]).square().sum(-1)
    own.fill_diagonal_(torch.inf)
    reach = own.topk(k, 1, largest=False).values[:, -1]
    inside = (real[:, None] - fake[None]).square().sum(-1) <= reach[:, None]
    return inside.double().mean() * len(real) / k, inside.any(1).double().mean()


@probe("density_coverage")
def _(f):
    points = torch.tensor([[0.0], [1.0], [3.0], [3.0], [11.0]])
    fakes = torch.tensor([[4.5], [0.5], [9.0], [2.0], [2.0], [2.5], [-6.0]])
    sparse = torch.tensor([[0.5]])
    return [
        f(points, fakes, 1),
        f(points, fakes, 2),
        f(points, fakes, 3),
        f(fakes, points, 1),
        f(points, sparse, 2),
    ]


# expected_coverage


@mutant(
    "the limit for large sets",
    breaks=("test_expected_coverage_small", "test_expected_coverage_sizes"),
)
def expected_coverage(n_real, n_fake, k):
    return 1 - (n_real / (n_real + n_fake)) ** k


@mutant(
    "one half for each neighbour, whatever the sizes",
    breaks=("test_expected_coverage_small", "test_expected_coverage_sizes"),
)
def expected_coverage(n_real, n_fake, k):
    return 1 - 2.0**-k


@mutant(
    "real and fake exchanged",
    breaks=("test_expected_coverage_small", "test_expected_coverage_sizes"),
)
def expected_coverage(n_real, n_fake, k):
    return 1 - math.prod((n_fake - i) / (n_real + n_fake - i) for i in range(1, k + 1))


@mutant(
    "the chance of an empty ball",
    breaks=("test_expected_coverage_small", "test_expected_coverage_sizes"),
)
def expected_coverage(n_real, n_fake, k):
    return math.prod((n_real - i) / (n_real + n_fake - i) for i in range(1, k + 1))


@mutant(
    "i from 0 to k − 1",
    breaks=("test_expected_coverage_small", "test_expected_coverage_sizes"),
)
def expected_coverage(n_real, n_fake, k):
    return 1 - math.prod((n_real - i) / (n_real + n_fake - i) for i in range(k))


@mutant(
    "stops one factor early",
    breaks=("test_expected_coverage_small", "test_expected_coverage_sizes"),
)
def expected_coverage(n_real, n_fake, k):
    return 1 - math.prod((n_real - i) / (n_real + n_fake - i) for i in range(1, k))


@mutant(
    "one factor too many",
    breaks=("test_expected_coverage_small", "test_expected_coverage_sizes"),
)
def expected_coverage(n_real, n_fake, k):
    return 1 - math.prod((n_real - i) / (n_real + n_fake - i) for i in range(1, k + 2))


@mutant("with replacement", breaks=("test_expected_coverage_small", "test_expected_coverage_sizes"))
def expected_coverage(n_real, n_fake, k):
    return 1 - ((n_real - 1) / (n_real + n_fake - 1)) ** k


@mutant(
    "the sample itself is still in the total",
    breaks=("test_expected_coverage_small", "test_expected_coverage_sizes"),
)
def expected_coverage(n_real, n_fake, k):
    return 1 - math.prod((n_real - i) / (n_real + n_fake - i + 1) for i in range(1, k + 1))


@mutant(
    "the mean of the factors",
    breaks=("test_expected_coverage_small", "test_expected_coverage_sizes"),
)
def expected_coverage(n_real, n_fake, k):
    return 1 - sum((n_real - i) / (n_real + n_fake - i) for i in range(1, k + 1)) / k


@mutant("equal sizes taken for granted", breaks="test_expected_coverage_sizes")
def expected_coverage(n_real, n_fake, k):
    return 1 - math.prod((n_real - i) / (2 * n_real - i) for i in range(1, k + 1))


@mutant("factorials as floats", breaks="test_expected_coverage_sizes")
def expected_coverage(n_real, n_fake, k):
    try:
        up = float(math.factorial(n_real - 1)) / float(math.factorial(n_real - 1 - k))
        down = float(math.factorial(n_real + n_fake - 1))
        return 1 - up / (down / float(math.factorial(n_real + n_fake - 1 - k)))
    except OverflowError:
        return 1.0


@variant("binomial coefficients")
def expected_coverage(n_real, n_fake, k):
    return 1 - math.comb(n_real - 1, k) / math.comb(n_real + n_fake - 1, k)


@variant("a NumPy product")
def expected_coverage(n_real, n_fake, k):
    i = np.arange(1, k + 1)
    return 1 - np.prod((n_real - i) / (n_real + n_fake - i))


@variant("the first fake at place j: a sum")
def expected_coverage(n_real, n_fake, k):
    chance, real_so_far = 0.0, 1.0
    for j in range(k):
        left = n_real - 1 - j + n_fake
        chance += real_so_far * n_fake / left
        real_so_far *= (n_real - 1 - j) / left
    return chance


@variant("a tensor, by logarithms")
def expected_coverage(n_real, n_fake, k):
    i = torch.arange(1, k + 1, dtype=torch.float64)
    return -torch.expm1(((n_real - i).log() - (n_real + n_fake - i).log()).sum())


@variant("a product in float32")
def expected_coverage(n_real, n_fake, k):
    i = torch.arange(1, k + 1)
    return 1 - ((n_real - i) / (n_real + n_fake - i)).prod()


@probe("expected_coverage")
def _(f):
    return [f(4, 2, 2), f(100, 300, 1), f(10_000, 10_000, 5), f(50, 20, 3)]


# radial_power_spectrum


@mutant("takes off the mean", breaks="test_radial_power_spectrum_scale")
def radial_power_spectrum(images):
    images = images if images.is_floating_point() else images.float()
    images = images - images.mean((1, 2), keepdim=True)
    h, w = images.shape[1:]
    power = torch.fft.fft2(images).abs().square().mean(0) / (h * w)
    v, u = torch.fft.fftfreq(h, 1 / h)[:, None], torch.fft.fftfreq(w, 1 / w)
    ring = (u.square() + v.square()).sqrt().round().long()
    return torch.stack([power[ring == r].mean() for r in range(int(ring.max()) + 1)])


@mutant("amplitude instead of power", breaks="test_radial_power_spectrum_scale")
def radial_power_spectrum(images):
    images = images if images.is_floating_point() else images.float()
    h, w = images.shape[1:]
    power = torch.fft.fft2(images).abs().mean(0) / (h * w)
    v, u = torch.fft.fftfreq(h, 1 / h)[:, None], torch.fft.fftfreq(w, 1 / w)
    ring = (u.square() + v.square()).sqrt().round().long()
    return torch.stack([power[ring == r].mean() for r in range(int(ring.max()) + 1)])


@mutant("does not divide by H·W", breaks="test_radial_power_spectrum_scale")
def radial_power_spectrum(images):
    images = images if images.is_floating_point() else images.float()
    h, w = images.shape[1:]
    power = torch.fft.fft2(images).abs().square().mean(0)
    v, u = torch.fft.fftfreq(h, 1 / h)[:, None], torch.fft.fftfreq(w, 1 / w)
    ring = (u.square() + v.square()).sqrt().round().long()
    return torch.stack([power[ring == r].mean() for r in range(int(ring.max()) + 1)])


@mutant("divides by H·W twice", breaks="test_radial_power_spectrum_scale")
def radial_power_spectrum(images):
    images = images if images.is_floating_point() else images.float()
    h, w = images.shape[1:]
    power = torch.fft.fft2(images, norm="forward").abs().square().mean(0)
    v, u = torch.fft.fftfreq(h, 1 / h)[:, None], torch.fft.fftfreq(w, 1 / w)
    ring = (u.square() + v.square()).sqrt().round().long()
    return torch.stack([power[ring == r].mean() for r in range(int(ring.max()) + 1)])


@mutant("the power of the mean image", breaks="test_radial_power_spectrum_scale")
def radial_power_spectrum(images):
    images = images if images.is_floating_point() else images.float()
    h, w = images.shape[1:]
    power = torch.fft.fft2(images.mean(0)).abs().square() / (h * w)
    v, u = torch.fft.fftfreq(h, 1 / h)[:, None], torch.fft.fftfreq(w, 1 / w)
    ring = (u.square() + v.square()).sqrt().round().long()
    return torch.stack([power[ring == r].mean() for r in range(int(ring.max()) + 1)])


@mutant("sums over the images", breaks="test_radial_power_spectrum_scale")
def radial_power_spectrum(images):
    images = images if images.is_floating_point() else images.float()
    h, w = images.shape[1:]
    power = torch.fft.fft2(images).abs().square().sum(0) / (h * w)
    v, u = torch.fft.fftfreq(h, 1 / h)[:, None], torch.fft.fftfreq(w, 1 / w)
    ring = (u.square() + v.square()).sqrt().round().long()
    return torch.stack([power[ring == r].mean() for r in range(int(ring.max()) + 1)])


@mutant("rounds down", breaks="test_radial_power_spectrum_rings")
def radial_power_spectrum(images):
    images = images if images.is_floating_point() else images.float()
    h, w = images.shape[1:]
    power = torch.fft.fft2(images).abs().square().mean(0) / (h * w)
    v, u = torch.fft.fftfreq(h, 1 / h)[:, None], torch.fft.fftfreq(w, 1 / w)
    ring = (u.square() + v.square()).sqrt().floor().long()
    return torch.stack([power[ring == r].mean() for r in range(int(ring.max()) + 1)])


@mutant("leaves out the corners", breaks="test_radial_power_spectrum_rings")
def radial_power_spectrum(images):
    images = images if images.is_floating_point() else images.float()
    h, w = images.shape[1:]
    power = torch.fft.fft2(images).abs().square().mean(0) / (h * w)
    v, u = torch.fft.fftfreq(h, 1 / h)[:, None], torch.fft.fftfreq(w, 1 / w)
    ring = (u.square() + v.square()).sqrt().round().long()
    return torch.stack([power[ring == r].mean() for r in range(min(h, w) // 2 + 1)])


@mutant(
    "sums over the rings",
    breaks=("test_radial_power_spectrum_scale", "test_radial_power_spectrum_shapes"),
)
def radial_power_spectrum(images):
    images = images if images.is_floating_point() else images.float()
    h, w = images.shape[1:]
    power = torch.fft.fft2(images).abs().square().mean(0) / (h * w)
    v, u = torch.fft.fftfreq(h, 1 / h)[:, None], torch.fft.fftfreq(w, 1 / w)
    ring = (u.square() + v.square()).sqrt().round().long()
    return torch.stack([power[ring == r].sum() for r in range(int(ring.max()) + 1)])


@mutant("no negative frequencies", breaks="test_radial_power_spectrum_rings")
def radial_power_spectrum(images):
    images = images if images.is_floating_point() else images.float()
    h, w = images.shape[1:]
    power = torch.fft.fft2(images).abs().square().mean(0) / (h * w)
    ring = torch.hypot(torch.arange(h)[:, None].float(), torch.arange(w).float()).round().long()
    return torch.stack([power[ring == r].mean() for r in range(int(ring.max()) + 1)])


@mutant("one scale for both sides", breaks="test_radial_power_spectrum_shapes")
def radial_power_spectrum(images):
    images = images if images.is_floating_point() else images.float()
    h, w = images.shape[1:]
    power = torch.fft.fft2(images).abs().square().mean(0) / (h * w)
    v, u = torch.fft.fftfreq(h)[:, None] * max(h, w), torch.fft.fftfreq(w) * max(h, w)
    ring = (u.square() + v.square()).sqrt().round().long()
    found = [power[ring == r] for r in range(int(ring.max()) + 1)]
    return torch.stack([p.mean() if len(p) else p.sum() for p in found])


@mutant(
    "the half-plane of rfft2",
    breaks=("test_radial_power_spectrum_scale", "test_radial_power_spectrum_shapes"),
)
def radial_power_spectrum(images):
    images = images if images.is_floating_point() else images.float()
    h, w = images.shape[1:]
    power = torch.fft.rfft2(images).abs().square().mean(0) / (h * w)
    v, u = torch.fft.fftfreq(h, 1 / h)[:, None], torch.fft.rfftfreq(w, 1 / w)
    ring = (u.square() + v.square()).sqrt().round().long()
    return torch.stack([power[ring == r].mean() for r in range(int(ring.max()) + 1)])


@mutant("decibels", breaks="test_radial_power_spectrum_scale")
def radial_power_spectrum(images):
    images = images if images.is_floating_point() else images.float()
    h, w = images.shape[1:]
    power = torch.fft.fft2(images).abs().square().mean(0) / (h * w)
    v, u = torch.fft.fftfreq(h, 1 / h)[:, None], torch.fft.fftfreq(w, 1 / w)
    ring = (u.square() + v.square()).sqrt().round().long()
    rings = torch.stack([power[ring == r].mean() for r in range(int(ring.max()) + 1)])
    return 10 * (rings + 1e-12).log10()


@mutant("a window", breaks="test_radial_power_spectrum_scale")
def radial_power_spectrum(images):
    images = images if images.is_floating_point() else images.float()
    h, w = images.shape[1:]
    window = torch.outer(torch.hann_window(h), torch.hann_window(w)).to(images.dtype)
    power = torch.fft.fft2(images * window).abs().square().mean(0) / (h * w)
    v, u = torch.fft.fftfreq(h, 1 / h)[:, None], torch.fft.fftfreq(w, 1 / w)
    ring = (u.square() + v.square()).sqrt().round().long()
    return torch.stack([power[ring == r].mean() for r in range(int(ring.max()) + 1)])


@mutant("bytes over 255", breaks="test_radial_power_spectrum_shapes")
def radial_power_spectrum(images):
    _, h, w = images.shape
    x = images.double() if images.is_floating_point() else images.double() / 255
    power = torch.fft.fft2(x).abs().square().mean(0) / (h * w)
    v, u = torch.fft.fftfreq(h, 1 / h)[:, None], torch.fft.fftfreq(w, 1 / w)
    ring = (v**2 + u**2).sqrt().round().long()
    return torch.stack([power[ring == r].mean() for r in range(int(ring.max()) + 1)])


@variant("NumPy, shifted, with weighted counts")
def radial_power_spectrum(images):
    table = images.numpy().astype(float)
    _, h, w = table.shape
    power = np.fft.fftshift((np.abs(np.fft.fft2(table)) ** 2).mean(0)) / (h * w)
    v, u = np.arange(h) - h // 2, np.arange(w) - w // 2
    ring = np.rint(np.hypot(v[:, None], u)).astype(int).ravel()
    return torch.from_numpy(np.bincount(ring, power.ravel()) / np.bincount(ring))


@variant("an orthonormal transform and a loop over the rings")
def radial_power_spectrum(images):
    x = images.double()
    power = torch.fft.fft2(x, norm="ortho").abs().pow(2).mean(0)
    h, w = power.shape
    v = torch.arange(h)
    v = torch.where(v > (h - 1) // 2, v - h, v).double()
    u = torch.arange(w)
    u = torch.where(u > (w - 1) // 2, u - w, u).double()
    ring = torch.sqrt(v[:, None] ** 2 + u[None] ** 2).round().int()
    return torch.stack([power[ring == r].mean() for r in range(int(ring.max()) + 1)])


@variant("real and imaginary part, scatter_add")
def radial_power_spectrum(images):
    x = images if images.is_floating_point() else images.to(torch.float32)
    n, h, w = x.shape
    transform = torch.fft.fft2(x)
    power = (transform.real**2 + transform.imag**2).sum(0) / (n * h * w)
    v = torch.fft.fftfreq(h).mul(h).round()
    u = torch.fft.fftfreq(w).mul(w).round()
    ring = torch.hypot(*torch.meshgrid(v, u, indexing="ij")).round().to(torch.int64).ravel()
    size = int(ring.max()) + 1
    sums = torch.zeros(size, dtype=power.dtype).scatter_add_(0, ring, power.ravel())
    return sums / torch.bincount(ring, minlength=size)


@probe("radial_power_spectrum")
def _(f):
    generator = torch.Generator().manual_seed(1)
    square = torch.rand(3, 6, 6, generator=generator, dtype=torch.float64)
    wide = torch.rand(2, 4, 10, generator=generator, dtype=torch.float64)
    return [f(square), f(wide), f((wide * 255).to(torch.uint8))]


# has_checkerboard


@mutant(
    "never",
    breaks=(
        "test_has_checkerboard_wave",
        "test_has_checkerboard_lattice",
        "test_has_checkerboard_innocent",
    ),
)
def has_checkerboard(images, reference):
    return False


@mutant(
    "always",
    breaks=(
        "test_has_checkerboard_wave",
        "test_has_checkerboard_lattice",
        "test_has_checkerboard_innocent",
    ),
)
def has_checkerboard(images, reference):
    return True


@mutant("looks at the corner frequency only", breaks="test_has_checkerboard_lattice")
def has_checkerboard(images, reference):
    def wave(x):
        mean = torch.fft.fft2(x.double().mean(0)).abs() / x[0].numel()
        return mean[mean.shape[0] // 2, mean.shape[1] // 2]

    return bool(wave(images) > 2 * wave(reference) + 0.01)


@mutant("looks along the axes only", breaks="test_has_checkerboard_wave")
def has_checkerboard(images, reference):
    def waves(x):
        mean = torch.fft.fft2(x.double().mean(0)).abs() / x[0].numel()
        return torch.stack([mean[mean.shape[0] // 2, 0], mean[0, mean.shape[1] // 2]])

    return bool((waves(images) > 2 * waves(reference) + 0.01).any())


@mutant("does not look at the reference", breaks="test_has_checkerboard_innocent")
def has_checkerboard(images, reference):
    mean = torch.fft.fft2(images.double().mean(0)).abs() / images[0].numel()
    h, w = mean.shape[0] // 2, mean.shape[1] // 2
    return bool(max(mean[h, 0], mean[0, w], mean[h, w]) > 0.01)


@mutant("images and reference exchanged", breaks="test_has_checkerboard_wave")
def has_checkerboard(images, reference):
    def waves(x):
        mean = torch.fft.fft2(x.double().mean(0)).abs() / x[0].numel()
        h, w = mean.shape[0] // 2, mean.shape[1] // 2
        return torch.stack([mean[h, 0], mean[0, w], mean[h, w]])

    return bool((waves(reference) > 2 * waves(images) + 0.01).any())


@mutant("any difference of the patterns", breaks="test_has_checkerboard_innocent")
def has_checkerboard(images, reference):
    def waves(x):
        mean = torch.fft.fft2(x.double().mean(0)).abs() / x[0].numel()
        h, w = mean.shape[0] // 2, mean.shape[1] // 2
        return torch.stack([mean[h, 0], mean[0, w], mean[h, w]])

    return bool(((waves(images) - waves(reference)).abs() > 0.01).any())


@mutant("any power at high frequencies", breaks="test_has_checkerboard_innocent")
def has_checkerboard(images, reference):
    def high(x):
        power = torch.fft.fft2(x.double()).abs().square().mean(0) / x[0].numel()
        h, w = power.shape[0] // 2, power.shape[1] // 2
        return power[h - 3 : h + 4, w - 3 : w + 4].mean()

    return bool(high(images) > 4 * high(reference))


@mutant("the last ring without its neighbourhood", breaks="test_has_checkerboard_innocent")
def has_checkerboard(images, reference):
    def corner(x):
        power = torch.fft.fft2(x.double()).abs().square().mean(0) / x[0].numel()
        h, w = power.shape[0] // 2, power.shape[1] // 2
        return torch.stack([power[h, 0], power[0, w], power[h, w]])

    return bool((corner(images) > 3 * corner(reference)).any())


@mutant("a threshold far too high", breaks="test_has_checkerboard_wave")
def has_checkerboard(images, reference):
    def waves(x):
        mean = torch.fft.fft2(x.double().mean(0)).abs() / x[0].numel()
        h, w = mean.shape[0] // 2, mean.shape[1] // 2
        return torch.stack([mean[h, 0], mean[0, w], mean[h, w]])

    return bool((waves(images) > 2 * waves(reference) + 0.07).any())


@mutant("height and width exchanged", breaks="test_has_checkerboard_wave")
def has_checkerboard(images, reference):
    def waves(x):
        mean = torch.fft.fft2(x.double().mean(0)).abs() / x[0].numel()
        h, w = mean.shape[0] // 2, mean.shape[1] // 2
        i, j = min(w, 2 * h - 1), min(h, 2 * w - 1)
        return torch.stack([mean[i, 0], mean[0, j], mean[i, j]])

    return bool((waves(images) > 2 * waves(reference) + 0.01).any())


@mutant("the mean image brighter than the reference's", breaks="test_has_checkerboard_innocent")
def has_checkerboard(images, reference):
    gap = (images.double().mean(0) - reference.double().mean(0)).abs()
    return bool(gap.mean() > 0.04)


@mutant("amplitudes with their sign", breaks="test_has_checkerboard_wave")
def has_checkerboard(images, reference):
    def waves(x):
        mean = torch.fft.fft2(x.double().mean(0)).real / x[0].numel()
        h, w = mean.shape[0] // 2, mean.shape[1] // 2
        return torch.stack([mean[h, 0], mean[0, w], mean[h, w]])

    return bool((waves(images) > 2 * waves(reference).abs() + 0.01).any())


@mutant("28 pixels taken for granted", breaks="test_has_checkerboard_wave")
def has_checkerboard(images, reference):
    def waves(x):
        mean = torch.fft.fft2(x.double().mean(0)).abs() / x[0].numel()
        return torch.stack([mean[14, 0], mean[0, 14], mean[14, 14]])

    return bool((waves(images) > 2 * waves(reference) + 0.01).any())


@variant("the mean image's transform and a fixed margin")
def has_checkerboard(images, reference):
    def waves(x):
        spectrum = torch.fft.fft2(x.double().mean(0)).abs() / x[0].numel()
        h, w = x.shape[1] // 2, x.shape[2] // 2
        return torch.stack([spectrum[h, 0], spectrum[0, w], spectrum[h, w]])

    return bool((waves(images) > 2 * waves(reference) + 0.01).any())


@variant("power at the three frequencies over the median of the fine ones, in NumPy")
def has_checkerboard(images, reference):
    def peaks(x):
        table = x.numpy().astype(float)
        power = (np.abs(np.fft.fft2(table)) ** 2).mean(0)
        h, w = power.shape[0] // 2, power.shape[1] // 2
        v = np.abs(np.fft.fftfreq(2 * h, 1 / (2 * h)))[:, None] / h
        u = np.abs(np.fft.fftfreq(2 * w, 1 / (2 * w))) / w
        fine = np.median(power[np.maximum(v, u) > 0.7])
        return np.array([power[h, 0], power[0, w], power[h, w]]), fine

    (mine, fine), (theirs, usual) = peaks(images), peaks(reference)
    stands_out = mine / fine > 10 * np.maximum(theirs / usual, 1)
    return bool((stands_out & (mine > 3 * theirs)).any())


@variant("four means by parity, sums and differences")
def has_checkerboard(images, reference):
    found = []
    for x in (images, reference):
        m = x.double().mean(0)
        a, b, c, d = (m[i::2, j::2].mean() for i, j in ((0, 0), (0, 1), (1, 0), (1, 1)))
        found.append([abs(a + b - c - d) / 4, abs(a - b + c - d) / 4, abs(a - b - c + d) / 4])
    return any(mine > 2 * theirs + 0.008 for mine, theirs in zip(*found, strict=True))


@variant("a t-test of the alternating sums; a tensor out")
def has_checkerboard(images, reference):
    _, h, w = images.shape
    r, c = (-1.0) ** torch.arange(h)[:, None], (-1.0) ** torch.arange(w)
    verdict = torch.tensor(False)
    for wave in (r + 0 * c, 0 * r + c, r * c):
        a = (images.double() * wave).mean((1, 2))
        b = (reference.double() * wave).mean((1, 2))
        error = (a.var() / len(a) + b.var() / len(b)).sqrt()
        verdict |= a.mean().abs() - 1.5 * b.mean().abs() > 7 * error
    return verdict


@variant("power at the three frequencies over that of their neighbours")
def has_checkerboard(images, reference):
    def peaks(x):
        power = torch.fft.fft2(x.double()).abs().square().mean(0)
        h, w = power.shape[0] // 2, power.shape[1] // 2
        own = {(0, 0), (h, 0), (0, w), (h, w)}
        found = []
        for i, j in ((h, 0), (0, w), (h, w)):
            near = [
                ((i + a) % (2 * h), (j + b) % (2 * w)) for a in range(-2, 3) for b in range(-2, 3)
            ]
            around = torch.stack([power[place] for place in near if place not in own])
            found.append(power[i, j] / around.median())
        return torch.stack(found)

    return (peaks(images) > 5 * peaks(reference).clamp_min(1)).any()


@variant("means by parity, with a margin from random halves of both sets")
def has_checkerboard(images, reference):
    def waves(x):
        means = [x[:, i::2, j::2].double().mean() for i in (0, 1) for j in (0, 1)]
        a, b, c, d = means
        return torch.stack([a + b - c - d, a - b + c - d, a - b - c + d]) / 4

    generator = torch.Generator().manual_seed(0)
    chance = torch.zeros(3, dtype=torch.float64)
    for x in (images, reference):
        for _ in range(25):
            order = torch.randperm(len(x), generator=generator)
            one, two = order[: len(x) // 2], order[len(x) // 2 :]
            chance = chance.maximum((waves(x[one]) - waves(x[two])).abs())
    return (waves(images).abs() - waves(reference).abs() > 1.5 * chance + 0.002).any()


@variant("second differences of the mean image, alternating")
def has_checkerboard(images, reference):
    def waves(x):
        mean = x.double().mean(0)
        down, across = mean.diff(n=2, dim=0), mean.diff(n=2, dim=1)
        found = []
        for y, rows, columns in (
            (down, True, False),
            (across, False, True),
            (down.diff(n=2, dim=1) / 4, True, True),
        ):
            r = (-1.0) ** (rows * torch.arange(y.shape[0]))[:, None]
            c = (-1.0) ** (columns * torch.arange(y.shape[1]))
            found.append((y * r * c).mean().abs() / 4)
        return torch.stack(found)

    return bool((waves(images) > 2 * waves(reference) + 0.012).any())


@probe("has_checkerboard")
def _(f):
    generator = torch.Generator().manual_seed(1)

    def blobs(n, h=16, w=16):
        coarse = torch.rand(n, 1, 4, 4, generator=generator, dtype=torch.float64)
        return torch.nn.functional.interpolate(coarse, size=(h, w), mode="bilinear")[:, 0]

    def wave(h, w):
        return (-1.0) ** (torch.arange(h)[:, None] + torch.arange(w))

    one, two = blobs(200), blobs(200)
    rows = (-1.0) ** torch.arange(16.0)[:, None].expand(16, 16)
    lit = two.clone()
    lit[:, ::2, ::2] += 0.3
    noise = torch.randn(one.shape, generator=generator, dtype=torch.float64)
    other, wide = blobs(200, 10, 24), blobs(200, 10, 24)
    answers = [
        f(one, two),
        f(one + 0.05 * wave(16, 16), two),
        f(one + 0.2 * wave(16, 16), two),
        f(one - 0.1 * wave(16, 16), two),
        f(one + 0.1 * rows, two),
        f(one + 0.1 * rows, two + 0.1 * rows),
        f(one, lit),
        f(lit, one),
        f(one + 0.3 * noise, two),
        f(one + 0.1 * noise, two + 0.09 * noise),
        f(0.8 * one, two),
        f(one + 0.03 * noise, two + 0.01 * noise),
        f(other + 0.1 * wave(10, 24), wide),
        f(0.5 * one, two),
        f(one + 0.12 * wave(16, 16), two + 0.1 * wave(16, 16)),
    ]
    return [a if isinstance(a, str) else bool(a) for a in answers]

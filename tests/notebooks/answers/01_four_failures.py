"""Wrong and right answers to the exercises of lesson 01."""

import math

import numpy as np
import torch

from tests.notebooks.answer import mutant, probe, variant

# assign_modes


@mutant("the farthest centre", breaks="test_assign_modes_nearest")
def assign_modes(samples, centers):
    return torch.cdist(samples, centers).argmax(dim=1)


@mutant(
    "the nearest sample of each centre",
    breaks=("test_assign_modes_nearest", "test_assign_modes_type"),
)
def assign_modes(samples, centers):
    return torch.cdist(samples, centers).argmin(dim=0)


@mutant("counts from 1", breaks=("test_assign_modes_nearest", "test_assign_modes_type"))
def assign_modes(samples, centers):
    return torch.cdist(samples, centers).argmin(dim=1) + 1


@mutant("the largest inner product, as on a ring", breaks="test_assign_modes_nearest")
def assign_modes(samples, centers):
    return (samples @ centers.T).argmax(dim=1)


@mutant("the centre in the nearest direction", breaks="test_assign_modes_nearest")
def assign_modes(samples, centers):
    a = samples / samples.norm(dim=1, keepdim=True).clamp_min(1e-9)
    b = centers / centers.norm(dim=1, keepdim=True).clamp_min(1e-9)
    return (a @ b.T).argmax(dim=1)


@mutant("the sum of absolute differences", breaks="test_assign_modes_nearest")
def assign_modes(samples, centers):
    return torch.cdist(samples, centers, p=1).argmin(dim=1)


@mutant("the largest difference of a coordinate", breaks="test_assign_modes_nearest")
def assign_modes(samples, centers):
    return torch.cdist(samples, centers, p=math.inf).argmin(dim=1)


@mutant("the first coordinate only", breaks="test_assign_modes_nearest")
def assign_modes(samples, centers):
    return (samples[:, :1] - centers[:, 0]).abs().argmin(dim=1)


@mutant("the differences without absolute value", breaks="test_assign_modes_nearest")
def assign_modes(samples, centers):
    return (samples[:, None] - centers).sum(2).argmin(dim=1)


@mutant(
    "the distances, not the numbers", breaks=("test_assign_modes_nearest", "test_assign_modes_type")
)
def assign_modes(samples, centers):
    return torch.cdist(samples, centers).amin(dim=1)


@mutant("numbers as floats", breaks="test_assign_modes_type")
def assign_modes(samples, centers):
    return torch.cdist(samples, centers).argmin(dim=1).to(samples.dtype)


@mutant("numbers as int32", breaks="test_assign_modes_type")
def assign_modes(samples, centers):
    return torch.cdist(samples, centers).argmin(dim=1).int()


@mutant("a list of numbers", breaks="test_assign_modes_type")
def assign_modes(samples, centers):
    return torch.cdist(samples, centers).argmin(dim=1).tolist()


@mutant("one column a sample", breaks=("test_assign_modes_nearest", "test_assign_modes_type"))
def assign_modes(samples, centers):
    return torch.cdist(samples, centers).argmin(dim=1, keepdim=True)


@variant("squares by broadcasting")
def assign_modes(samples, centers):
    return ((samples[:, None] - centers[None]) ** 2).sum(dim=2).argmin(dim=1)


@variant("the linear score")
def assign_modes(samples, centers):
    a, b = samples.double(), centers.double()
    return (a @ b.T - (b**2).sum(1) / 2).argmax(dim=1)


@variant("a loop in plain Python")
def assign_modes(samples, centers):
    modes = []
    for x in samples.tolist():
        far = [math.dist(x, c) for c in centers.tolist()]
        modes.append(far.index(min(far)))
    return torch.tensor(modes, dtype=torch.int64)


@variant("a k-d tree of SciPy")
def assign_modes(samples, centers):
    import scipy.spatial

    _, mode = scipy.spatial.KDTree(centers.numpy()).query(samples.numpy())
    return torch.from_numpy(mode).long()


@probe("assign_modes")
def _(f):
    g = torch.Generator().manual_seed(0)
    samples = 3 * torch.randn(20, 2, generator=g)
    return [
        f(samples, 3 * torch.randn(5, 2, generator=g)),
        f(samples.double()[:4], samples[5:11].double()),
    ]


# covered_modes


@mutant(
    "counts the modes that are nearest to some sample",
    breaks=("test_covered_modes_count", "test_covered_modes_reach"),
)
def covered_modes(samples, centers, std):
    return torch.cdist(samples, centers).argmin(dim=1).unique().numel()


@mutant("a sample covers its nearest centre only", breaks="test_covered_modes_overlap")
def covered_modes(samples, centers, std):
    to_nearest, mode = torch.cdist(samples, centers).min(dim=1)
    return mode[to_nearest <= 3 * std].unique().numel()


@mutant("within one std", breaks="test_covered_modes_reach")
def covered_modes(samples, centers, std):
    return int((torch.cdist(samples, centers) <= std).any(dim=0).sum())


@mutant("within two std", breaks="test_covered_modes_reach")
def covered_modes(samples, centers, std):
    return int((torch.cdist(samples, centers) <= 2 * std).any(dim=0).sum())


@mutant("the squared distance against 3 std", breaks="test_covered_modes_reach")
def covered_modes(samples, centers, std):
    return int((torch.cdist(samples, centers) ** 2 <= 3 * std).any(dim=0).sum())


@mutant("the distance against three variances", breaks="test_covered_modes_reach")
def covered_modes(samples, centers, std):
    return int((torch.cdist(samples, centers) <= 3 * std**2).any(dim=0).sum())


@mutant("a square box", breaks="test_covered_modes_reach")
def covered_modes(samples, centers, std):
    return int((torch.cdist(samples, centers, p=math.inf) <= 3 * std).any(dim=0).sum())


@mutant("the sum of absolute differences", breaks="test_covered_modes_reach")
def covered_modes(samples, centers, std):
    return int((torch.cdist(samples, centers, p=1) <= 3 * std).any(dim=0).sum())


@mutant("exactly three std is not within", breaks="test_covered_modes_reach")
def covered_modes(samples, centers, std):
    return int((torch.cdist(samples, centers) < 3 * std).any(dim=0).sum())


@mutant("counts samples", breaks="test_covered_modes_count")
def covered_modes(samples, centers, std):
    return int((torch.cdist(samples, centers) <= 3 * std).any(dim=1).sum())


@mutant("counts pairs", breaks="test_covered_modes_count")
def covered_modes(samples, centers, std):
    return int((torch.cdist(samples, centers) <= 3 * std).sum())


@mutant("all samples must be within", breaks="test_covered_modes_count")
def covered_modes(samples, centers, std):
    return int((torch.cdist(samples, centers) <= 3 * std).all(dim=0).sum())


@mutant("a share of the modes", breaks="test_covered_modes_count")
def covered_modes(samples, centers, std):
    return float((torch.cdist(samples, centers) <= 3 * std).any(dim=0).double().mean())


@mutant("counts the missing modes", breaks="test_covered_modes_count")
def covered_modes(samples, centers, std):
    return int((~(torch.cdist(samples, centers) <= 3 * std).any(dim=0)).sum())


@mutant("two samples are needed", breaks="test_covered_modes_count")
def covered_modes(samples, centers, std):
    return int(((torch.cdist(samples, centers) <= 3 * std).sum(dim=0) > 1).sum())


@variant("the nearest sample of each centre")
def covered_modes(samples, centers, std):
    return int((torch.cdist(samples, centers).amin(dim=0) <= 3 * std).sum())


@variant("a loop over the centres, in NumPy")
def covered_modes(samples, centers, std):
    x, covered = samples.numpy(), 0
    for c in centers.numpy():
        covered += bool((np.hypot(*(x - c).T) <= 3 * std).any())
    return covered


@variant("squares on both sides, a 0-d tensor")
def covered_modes(samples, centers, std):
    squares = ((samples[:, None] - centers) ** 2).sum(dim=2)
    return (squares <= (3 * std) ** 2 * (1 + 1e-9)).any(dim=0).sum()


@probe("covered_modes")
def _(f):
    g = torch.Generator().manual_seed(0)
    samples, centers = 3 * torch.randn(14, 2, generator=g), 3 * torch.randn(9, 2, generator=g)
    results = [f(samples, centers, s) for s in (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 0.8, 1.2, 2.0)]
    few = [f(samples[:3], centers[:6], s / 20) for s in range(1, 60)]
    ties = f(torch.tensor([[3.0, 0.0], [3.0, 4.0]]), torch.zeros(1, 2), 1.0)
    return [results, few, ties]


# high_quality_fraction


@mutant(
    "per cent",
    breaks=(
        "test_high_quality_fraction_share",
        "test_high_quality_fraction_nearest",
        "test_high_quality_fraction_reach",
    ),
)
def high_quality_fraction(samples, centers, std):
    return 100 * float((torch.cdist(samples, centers).amin(dim=1) <= 3 * std).double().mean())


@mutant(
    "a number of samples",
    breaks=("test_high_quality_fraction_share", "test_high_quality_fraction_nearest"),
)
def high_quality_fraction(samples, centers, std):
    return float((torch.cdist(samples, centers).amin(dim=1) <= 3 * std).sum())


@mutant("within one std", breaks="test_high_quality_fraction_reach")
def high_quality_fraction(samples, centers, std):
    return float((torch.cdist(samples, centers).amin(dim=1) <= std).double().mean())


@mutant("within two std", breaks="test_high_quality_fraction_reach")
def high_quality_fraction(samples, centers, std):
    return float((torch.cdist(samples, centers).amin(dim=1) <= 2 * std).double().mean())


@mutant("the share of covered centres", breaks="test_high_quality_fraction_share")
def high_quality_fraction(samples, centers, std):
    return float((torch.cdist(samples, centers) <= 3 * std).any(dim=0).double().mean())


@mutant(
    "the share of pairs",
    breaks=("test_high_quality_fraction_share", "test_high_quality_fraction_nearest"),
)
def high_quality_fraction(samples, centers, std):
    return float((torch.cdist(samples, centers) <= 3 * std).double().mean())


@mutant("counts a sample once for each centre", breaks="test_high_quality_fraction_nearest")
def high_quality_fraction(samples, centers, std):
    return float((torch.cdist(samples, centers) <= 3 * std).sum() / len(samples))


@mutant(
    "close to all centres",
    breaks=("test_high_quality_fraction_share", "test_high_quality_fraction_nearest"),
)
def high_quality_fraction(samples, centers, std):
    return float((torch.cdist(samples, centers) <= 3 * std).all(dim=1).double().mean())


@mutant("takes std for that of the radius", breaks="test_high_quality_fraction_reach")
def high_quality_fraction(samples, centers, std):
    return float(
        (torch.cdist(samples, centers).amin(dim=1) <= 3 * std * math.sqrt(2)).double().mean()
    )


@mutant("the squared distance against 3 std", breaks="test_high_quality_fraction_reach")
def high_quality_fraction(samples, centers, std):
    return float((torch.cdist(samples, centers).amin(dim=1) ** 2 <= 3 * std).double().mean())


@mutant("the distance against three variances", breaks="test_high_quality_fraction_reach")
def high_quality_fraction(samples, centers, std):
    return float((torch.cdist(samples, centers).amin(dim=1) <= 3 * std**2).double().mean())


@mutant("a square box", breaks="test_high_quality_fraction_reach")
def high_quality_fraction(samples, centers, std):
    to_nearest = torch.cdist(samples, centers, p=math.inf).amin(dim=1)
    return float((to_nearest <= 3 * std).double().mean())


@mutant("exactly three std is not within", breaks="test_high_quality_fraction_reach")
def high_quality_fraction(samples, centers, std):
    return float((torch.cdist(samples, centers).amin(dim=1) < 3 * std).double().mean())


@mutant(
    "the share of bad samples",
    breaks=(
        "test_high_quality_fraction_share",
        "test_high_quality_fraction_nearest",
        "test_high_quality_fraction_reach",
    ),
)
def high_quality_fraction(samples, centers, std):
    return float((torch.cdist(samples, centers).amin(dim=1) > 3 * std).double().mean())


@mutant("the distance to the mean of the centres", breaks="test_high_quality_fraction_share")
def high_quality_fraction(samples, centers, std):
    return float(((samples - centers.mean(0)).norm(dim=1) <= 3 * std).double().mean())


@variant("any centre within reach")
def high_quality_fraction(samples, centers, std):
    return float((torch.cdist(samples, centers) <= 3 * std).any(dim=1).double().mean())


@variant("a loop in plain Python")
def high_quality_fraction(samples, centers, std):
    good = 0
    for x in samples.tolist():
        good += min(math.dist(x, c) for c in centers.tolist()) <= 3 * std
    return good / len(samples)


@variant("NumPy, squares, a 0-d tensor")
def high_quality_fraction(samples, centers, std):
    offset = samples.double().numpy()[:, None] - centers.double().numpy()
    squares = (offset**2).sum(axis=2).min(axis=1)
    return torch.tensor((squares <= 9 * std**2 * (1 + 1e-9)).mean())


@probe("high_quality_fraction")
def _(f):
    g = torch.Generator().manual_seed(0)
    samples, centers = 3 * torch.randn(140, 2, generator=g), 3 * torch.randn(4, 2, generator=g)
    results = [f(samples, centers, s) for s in (0.05, 0.1, 0.2, 0.3, 0.6, 0.8, 1.2, 2.0)]
    ties = f(torch.tensor([[3.0, 0.0], [3.0, 4.0]]), torch.zeros(1, 2), 1.0)
    return [results, ties]


# mode_kl


@mutant("logarithm to base 2", breaks=("test_mode_kl_values", "test_mode_kl_empty"))
def mode_kl(samples, centers):
    k = len(centers)
    mode = torch.cdist(samples, centers).argmin(dim=1)
    s = torch.bincount(mode, minlength=k).double() / len(samples)
    return float(torch.special.xlogy(s, k * s).sum() / math.log(2))


@mutant("an empty mode makes it NaN", breaks="test_mode_kl_empty")
def mode_kl(samples, centers):
    k = len(centers)
    mode = torch.cdist(samples, centers).argmin(dim=1)
    s = torch.bincount(mode, minlength=k).double() / len(samples)
    return float((s * (k * s).log()).sum())


@mutant("counts only the modes that occur", breaks="test_mode_kl_empty")
def mode_kl(samples, centers):
    k = len(centers)
    mode = torch.cdist(samples, centers).argmin(dim=1)
    s = torch.bincount(mode, minlength=k).double() / len(samples)
    return float(torch.special.xlogy(s, (s > 0).sum() * s).sum())


@mutant("the entropy of the shares", breaks=("test_mode_kl_values", "test_mode_kl_empty"))
def mode_kl(samples, centers):
    k = len(centers)
    mode = torch.cdist(samples, centers).argmin(dim=1)
    s = torch.bincount(mode, minlength=k).double() / len(samples)
    return float(-torch.special.xlogy(s, s).sum())


@mutant("leaves out K", breaks=("test_mode_kl_values", "test_mode_kl_empty"))
def mode_kl(samples, centers):
    k = len(centers)
    mode = torch.cdist(samples, centers).argmin(dim=1)
    s = torch.bincount(mode, minlength=k).double() / len(samples)
    return float(torch.special.xlogy(s, s).sum())


@mutant("from uniform to the shares", breaks=("test_mode_kl_values", "test_mode_kl_empty"))
def mode_kl(samples, centers):
    k = len(centers)
    mode = torch.cdist(samples, centers).argmin(dim=1)
    s = torch.bincount(mode, minlength=k).double() / len(samples)
    return float((-(k * s).log() / k).sum())


@mutant("averages over the modes", breaks=("test_mode_kl_values", "test_mode_kl_empty"))
def mode_kl(samples, centers):
    k = len(centers)
    mode = torch.cdist(samples, centers).argmin(dim=1)
    s = torch.bincount(mode, minlength=k).double() / len(samples)
    return float(torch.special.xlogy(s, k * s).mean())


@mutant("adds one to every count", breaks=("test_mode_kl_empty", "test_mode_kl_values"))
def mode_kl(samples, centers):
    k = len(centers)
    mode = torch.cdist(samples, centers).argmin(dim=1)
    s = (torch.bincount(mode, minlength=k).double() + 1) / (len(samples) + k)
    return float((s * (k * s).log()).sum())


@mutant("adds a little to every share", breaks="test_mode_kl_empty")
def mode_kl(samples, centers):
    k = len(centers)
    mode = torch.cdist(samples, centers).argmin(dim=1)
    s = torch.bincount(mode, minlength=k).double() / len(samples)
    return float(((s + 1e-3) * (k * (s + 1e-3)).log()).sum())


@mutant("counts in place of shares", breaks=("test_mode_kl_values", "test_mode_kl_empty"))
def mode_kl(samples, centers):
    k = len(centers)
    mode = torch.cdist(samples, centers).argmin(dim=1)
    s = torch.bincount(mode, minlength=k).double() / len(samples)
    n = s * len(samples)
    return float(torch.special.xlogy(n, k * n).sum())


@mutant("the total variation", breaks=("test_mode_kl_values", "test_mode_kl_empty"))
def mode_kl(samples, centers):
    k = len(centers)
    mode = torch.cdist(samples, centers).argmin(dim=1)
    s = torch.bincount(mode, minlength=k).double() / len(samples)
    return float((s - 1 / k).abs().sum() / 2)


@mutant("the sign turned around", breaks=("test_mode_kl_values", "test_mode_kl_empty"))
def mode_kl(samples, centers):
    k = len(centers)
    mode = torch.cdist(samples, centers).argmin(dim=1)
    s = torch.bincount(mode, minlength=k).double() / len(samples)
    return float(-torch.special.xlogy(s, k * s).sum())


@mutant("infinite where a mode is empty", breaks="test_mode_kl_empty")
def mode_kl(samples, centers):
    k = len(centers)
    mode = torch.cdist(samples, centers).argmin(dim=1)
    s = torch.bincount(mode, minlength=k).double() / len(samples)
    return float(torch.special.xlogy(s, k * s).sum()) if s.min() > 0 else math.inf


@mutant("the shares of the farthest modes", breaks="test_mode_kl_values")
def mode_kl(samples, centers):
    k = len(centers)
    mode = torch.cdist(samples, centers).argmax(dim=1)
    s = torch.bincount(mode, minlength=k).double() / len(samples)
    return float(torch.special.xlogy(s, k * s).sum())


@mutant("a loop up to the last mode that occurs", breaks="test_mode_kl_empty")
def mode_kl(samples, centers):
    counts = torch.bincount(torch.cdist(samples, centers).argmin(dim=1)).double()
    s = counts / counts.sum()
    return float(torch.special.xlogy(s, len(s) * s).sum())


@variant("log K minus the entropy")
def mode_kl(samples, centers):
    k = len(centers)
    mode = torch.cdist(samples, centers).argmin(dim=1)
    s = torch.bincount(mode, minlength=k).double() / len(samples)
    s = s[s > 0]
    return math.log(k) + float((s * s.log()).sum())


@variant("counts in plain Python")
def mode_kl(samples, centers):
    counts = [0] * len(centers)
    for x in samples.tolist():
        far = [math.dist(x, c) for c in centers.tolist()]
        counts[far.index(min(far))] += 1
    shares = [count / len(samples) for count in counts]
    return sum(s * math.log(len(centers) * s) for s in shares if s > 0)


@variant("SciPy's entropy")
def mode_kl(samples, centers):
    import scipy.stats

    offset = samples.numpy()[:, None] - centers.numpy()
    counts = np.bincount((offset**2).sum(axis=2).argmin(axis=1), minlength=len(centers))
    return scipy.stats.entropy(counts, np.ones(len(centers)))


@variant("PyTorch's kl_div, a 0-d tensor")
def mode_kl(samples, centers):
    k = len(centers)
    mode = torch.cdist(samples, centers).argmin(dim=1)
    s = torch.bincount(mode, minlength=k).double() / len(samples)
    even = torch.full_like(s, 1 / k).log()
    return torch.nn.functional.kl_div(even, s, reduction="sum")


@probe("mode_kl")
def _(f):
    g = torch.Generator().manual_seed(0)
    samples, centers = 3 * torch.randn(40, 2, generator=g), 3 * torch.randn(4, 2, generator=g)
    far = torch.cat([centers, torch.tensor([[90.0, 0.0], [0.0, 90.0]])])
    return [f(samples, centers), f(samples, far), f(samples, far.flip(0)), f(centers, centers)]


# copy_fraction


@mutant(
    "the share of training points that were copied",
    breaks=("test_copy_fraction_values", "test_copy_fraction_direction"),
)
def copy_fraction(samples, train, tolerance):
    return float(
        (torch.cdist(samples.double(), train.double()).amin(dim=0) <= tolerance).double().mean()
    )


@mutant("a number of copies", breaks=("test_copy_fraction_values", "test_copy_fraction_direction"))
def copy_fraction(samples, train, tolerance):
    return float((torch.cdist(samples.double(), train.double()).amin(dim=1) <= tolerance).sum())


@mutant("counts pairs", breaks="test_copy_fraction_values")
def copy_fraction(samples, train, tolerance):
    return float((torch.cdist(samples.double(), train.double()) <= tolerance).sum() / len(samples))


@mutant(
    "the share of all pairs", breaks=("test_copy_fraction_values", "test_copy_fraction_direction")
)
def copy_fraction(samples, train, tolerance):
    return float((torch.cdist(samples.double(), train.double()) <= tolerance).double().mean())


@mutant(
    "divides by the number of training points",
    breaks=("test_copy_fraction_values", "test_copy_fraction_direction"),
)
def copy_fraction(samples, train, tolerance):
    return float(
        (torch.cdist(samples.double(), train.double()).amin(dim=1) <= tolerance).sum() / len(train)
    )


@mutant(
    "sample i may copy training point i only",
    breaks=("test_copy_fraction_values", "test_copy_fraction_direction"),
)
def copy_fraction(samples, train, tolerance):
    n = min(len(samples), len(train))
    far = (samples[:n] - train[:n]).norm(dim=1)
    return float((far <= tolerance).sum() / len(samples))


@mutant("the squared distance against the tolerance", breaks="test_copy_fraction_tolerance")
def copy_fraction(samples, train, tolerance):
    return float(
        (torch.cdist(samples.double(), train.double()).amin(dim=1) ** 2 <= tolerance)
        .double()
        .mean()
    )


@mutant("the sum of absolute differences", breaks="test_copy_fraction_tolerance")
def copy_fraction(samples, train, tolerance):
    far = torch.cdist(samples, train, p=1).amin(dim=1)
    return float((far <= tolerance).double().mean())


@mutant("a square box", breaks="test_copy_fraction_tolerance")
def copy_fraction(samples, train, tolerance):
    far = torch.cdist(samples, train, p=math.inf).amin(dim=1)
    return float((far <= tolerance).double().mean())


@mutant("exactly the tolerance is not within", breaks="test_copy_fraction_tolerance")
def copy_fraction(samples, train, tolerance):
    return float(
        (torch.cdist(samples.double(), train.double()).amin(dim=1) < tolerance).double().mean()
    )


@mutant(
    "exact copies only",
    breaks=(
        "test_copy_fraction_values",
        "test_copy_fraction_direction",
        "test_copy_fraction_tolerance",
    ),
)
def copy_fraction(samples, train, tolerance):
    return float((torch.cdist(samples.double(), train.double()).amin(dim=1) == 0).double().mean())


@mutant(
    "the share of the new",
    breaks=(
        "test_copy_fraction_values",
        "test_copy_fraction_direction",
        "test_copy_fraction_tolerance",
    ),
)
def copy_fraction(samples, train, tolerance):
    return float(
        (torch.cdist(samples.double(), train.double()).amin(dim=1) > tolerance).double().mean()
    )


@mutant(
    "the mean distance",
    breaks=(
        "test_copy_fraction_values",
        "test_copy_fraction_direction",
        "test_copy_fraction_tolerance",
    ),
)
def copy_fraction(samples, train, tolerance):
    return float(torch.cdist(samples.double(), train.double()).amin(dim=1).mean())


@mutant(
    "close to all training points",
    breaks=("test_copy_fraction_values", "test_copy_fraction_direction"),
)
def copy_fraction(samples, train, tolerance):
    return float(
        (torch.cdist(samples.double(), train.double()) <= tolerance).all(dim=1).double().mean()
    )


@mutant("one in two decimals is close enough", breaks="test_copy_fraction_tolerance")
def copy_fraction(samples, train, tolerance):
    far = (samples[:, None] - train).norm(dim=2).amin(dim=1).round(decimals=0)
    return float((far <= tolerance).double().mean())


@variant("broadcasting in the dtype given")
def copy_fraction(samples, train, tolerance):
    far = (samples[:, None] - train[None]).norm(dim=2).min(dim=1).values
    return float((far <= tolerance).double().mean())


@variant("a k-d tree of SciPy")
def copy_fraction(samples, train, tolerance):
    import scipy.spatial

    far, _ = scipy.spatial.KDTree(train.double().numpy()).query(samples.double().numpy())
    return float(np.mean(far <= tolerance))


@variant("a loop over the samples")
def copy_fraction(samples, train, tolerance):
    copies = 0
    for x in samples:
        copies += bool(((train - x).norm(dim=1) <= tolerance).any())
    return copies / len(samples)


@probe("copy_fraction")
def _(f):
    g = torch.Generator().manual_seed(0)
    samples, train = torch.rand(60, 2, generator=g), torch.rand(11, 2, generator=g)
    results = [f(3 * samples, 3 * train, t) for t in (0.01, 0.1, 0.2, 0.4, 0.8, 1.6)]
    ties = f(torch.tensor([[3.0, 4.0], [9.0, 9.0]]), torch.zeros(1, 2), 5.0)
    return [results, ties, f(train, train[:4], 0.01)]


# diagnose


@mutant(
    "finds nothing",
    breaks=(
        "test_diagnose_noise",
        "test_diagnose_mode_collapse",
        "test_diagnose_bias",
        "test_diagnose_memorisation",
    ),
)
def diagnose(samples, train, centers, std):
    return set()


@mutant(
    "any sample outside is noise",
    breaks=(
        "test_diagnose_noise",
        "test_diagnose_mode_collapse",
        "test_diagnose_bias",
        "test_diagnose_memorisation",
    ),
)
def diagnose(samples, train, centers, std):
    samples, train, centers = samples.double(), train.double(), centers.double()
    to_nearest, mode = torch.cdist(samples, centers).min(dim=1)
    good = to_nearest <= 3 * std
    if not good.all():
        return {"noise"}
    counts = torch.bincount(mode[good], minlength=len(centers))
    counts = counts[counts >= 2]
    shares = counts / counts.sum()
    copies = torch.cdist(samples, train).amin(dim=1) <= 0.1 * std
    faults = set()
    if len(counts) < len(centers) - 1:
        faults.add("mode_collapse")
    if (shares * (len(shares) * shares).log()).nan_to_num().sum() > 0.04:
        faults.add("bias")
    if copies.double().mean() > 2 / 3:
        faults.add("memorisation")
    return faults


@mutant(
    "within one std",
    breaks=(
        "test_diagnose_noise",
        "test_diagnose_mode_collapse",
        "test_diagnose_bias",
        "test_diagnose_memorisation",
    ),
)
def diagnose(samples, train, centers, std):
    samples, train, centers = samples.double(), train.double(), centers.double()
    to_nearest, mode = torch.cdist(samples, centers).min(dim=1)
    good = to_nearest <= std
    if good.double().mean() < 0.96:
        return {"noise"}
    counts = torch.bincount(mode[good], minlength=len(centers))
    counts = counts[counts >= 2]
    shares = counts / counts.sum()
    copies = torch.cdist(samples, train).amin(dim=1) <= 0.1 * std
    faults = set()
    if len(counts) < len(centers) - 1:
        faults.add("mode_collapse")
    if (shares * (len(shares) * shares).log()).nan_to_num().sum() > 0.04:
        faults.add("bias")
    if copies.double().mean() > 2 / 3:
        faults.add("memorisation")
    return faults


@mutant("only much noise is noise", breaks="test_diagnose_noise")
def diagnose(samples, train, centers, std):
    samples, train, centers = samples.double(), train.double(), centers.double()
    to_nearest, mode = torch.cdist(samples, centers).min(dim=1)
    good = to_nearest <= 3 * std
    if good.double().mean() < 0.5:
        return {"noise"}
    counts = torch.bincount(mode[good], minlength=len(centers))
    counts = counts[counts >= 2]
    shares = counts / counts.sum()
    copies = torch.cdist(samples, train).amin(dim=1) <= 0.1 * std
    faults = set()
    if len(counts) < len(centers) - 1:
        faults.add("mode_collapse")
    if (shares * (len(shares) * shares).log()).nan_to_num().sum() > 0.04:
        faults.add("bias")
    if copies.double().mean() > 2 / 3:
        faults.add("memorisation")
    return faults


@mutant("half of the modes must be missing", breaks="test_diagnose_mode_collapse")
def diagnose(samples, train, centers, std):
    samples, train, centers = samples.double(), train.double(), centers.double()
    to_nearest, mode = torch.cdist(samples, centers).min(dim=1)
    good = to_nearest <= 3 * std
    if good.double().mean() < 0.96:
        return {"noise"}
    counts = torch.bincount(mode[good], minlength=len(centers))
    counts = counts[counts >= 2]
    shares = counts / counts.sum()
    copies = torch.cdist(samples, train).amin(dim=1) <= 0.1 * std
    faults = set()
    if len(counts) <= len(centers) / 2:
        faults.add("mode_collapse")
    if (shares * (len(shares) * shares).log()).nan_to_num().sum() > 0.04:
        faults.add("bias")
    if copies.double().mean() > 2 / 3:
        faults.add("memorisation")
    return faults


@mutant("one mode is enough", breaks="test_diagnose_mode_collapse")
def diagnose(samples, train, centers, std):
    samples, train, centers = samples.double(), train.double(), centers.double()
    to_nearest, mode = torch.cdist(samples, centers).min(dim=1)
    good = to_nearest <= 3 * std
    if good.double().mean() < 0.96:
        return {"noise"}
    counts = torch.bincount(mode[good], minlength=len(centers))
    counts = counts[counts >= 2]
    shares = counts / counts.sum()
    copies = torch.cdist(samples, train).amin(dim=1) <= 0.1 * std
    faults = set()
    if len(counts) <= 1:
        faults.add("mode_collapse")
    if (shares * (len(shares) * shares).log()).nan_to_num().sum() > 0.04:
        faults.add("bias")
    if copies.double().mean() > 2 / 3:
        faults.add("memorisation")
    return faults


@mutant("the KL over all modes, the missing ones too", breaks="test_diagnose_mode_collapse")
def diagnose(samples, train, centers, std):
    samples, train, centers = samples.double(), train.double(), centers.double()
    to_nearest, mode = torch.cdist(samples, centers).min(dim=1)
    good = to_nearest <= 3 * std
    if good.double().mean() < 0.96:
        return {"noise"}
    counts = torch.bincount(mode[good], minlength=len(centers))
    shares = counts / counts.sum()
    copies = torch.cdist(samples, train).amin(dim=1) <= 0.1 * std
    faults = set()
    if (counts >= 2).sum() < len(centers) - 1:
        faults.add("mode_collapse")
    if (shares * (len(shares) * shares).log()).nan_to_num().sum() > 0.04:
        faults.add("bias")
    if copies.double().mean() > 2 / 3:
        faults.add("memorisation")
    return faults


@mutant("only extreme shares are biased", breaks="test_diagnose_bias")
def diagnose(samples, train, centers, std):
    samples, train, centers = samples.double(), train.double(), centers.double()
    to_nearest, mode = torch.cdist(samples, centers).min(dim=1)
    good = to_nearest <= 3 * std
    if good.double().mean() < 0.96:
        return {"noise"}
    counts = torch.bincount(mode[good], minlength=len(centers))
    counts = counts[counts >= 2]
    shares = counts / counts.sum()
    copies = torch.cdist(samples, train).amin(dim=1) <= 0.1 * std
    faults = set()
    if len(counts) < len(centers) - 1:
        faults.add("mode_collapse")
    if (shares * (len(shares) * shares).log()).nan_to_num().sum() > 0.5:
        faults.add("bias")
    if copies.double().mean() > 2 / 3:
        faults.add("memorisation")
    return faults


@mutant(
    "every unevenness is bias",
    breaks=(
        "test_diagnose_noise",
        "test_diagnose_mode_collapse",
        "test_diagnose_bias",
        "test_diagnose_memorisation",
    ),
)
def diagnose(samples, train, centers, std):
    samples, train, centers = samples.double(), train.double(), centers.double()
    to_nearest, mode = torch.cdist(samples, centers).min(dim=1)
    good = to_nearest <= 3 * std
    if good.double().mean() < 0.96:
        return {"noise"}
    counts = torch.bincount(mode[good], minlength=len(centers))
    counts = counts[counts >= 2]
    shares = counts / counts.sum()
    copies = torch.cdist(samples, train).amin(dim=1) <= 0.1 * std
    faults = set()
    if len(counts) < len(centers) - 1:
        faults.add("mode_collapse")
    if (shares * (len(shares) * shares).log()).nan_to_num().sum() > 1e-4:
        faults.add("bias")
    if copies.double().mean() > 2 / 3:
        faults.add("memorisation")
    return faults


@mutant("exact copies only", breaks="test_diagnose_memorisation")
def diagnose(samples, train, centers, std):
    samples, train, centers = samples.double(), train.double(), centers.double()
    to_nearest, mode = torch.cdist(samples, centers).min(dim=1)
    good = to_nearest <= 3 * std
    if good.double().mean() < 0.96:
        return {"noise"}
    counts = torch.bincount(mode[good], minlength=len(centers))
    counts = counts[counts >= 2]
    shares = counts / counts.sum()
    copies = torch.cdist(samples, train).amin(dim=1) <= 1e-6
    faults = set()
    if len(counts) < len(centers) - 1:
        faults.add("mode_collapse")
    if (shares * (len(shares) * shares).log()).nan_to_num().sum() > 0.04:
        faults.add("bias")
    if copies.double().mean() > 2 / 3:
        faults.add("memorisation")
    return faults


@mutant(
    "a tolerance of most of a std",
    breaks=(
        "test_diagnose_noise",
        "test_diagnose_mode_collapse",
        "test_diagnose_bias",
        "test_diagnose_memorisation",
    ),
)
def diagnose(samples, train, centers, std):
    samples, train, centers = samples.double(), train.double(), centers.double()
    to_nearest, mode = torch.cdist(samples, centers).min(dim=1)
    good = to_nearest <= 3 * std
    if good.double().mean() < 0.96:
        return {"noise"}
    counts = torch.bincount(mode[good], minlength=len(centers))
    counts = counts[counts >= 2]
    shares = counts / counts.sum()
    copies = torch.cdist(samples, train).amin(dim=1) <= 0.7 * std
    faults = set()
    if len(counts) < len(centers) - 1:
        faults.add("mode_collapse")
    if (shares * (len(shares) * shares).log()).nan_to_num().sum() > 0.04:
        faults.add("bias")
    if copies.double().mean() > 2 / 3:
        faults.add("memorisation")
    return faults


@mutant(
    "some coincidences are copies",
    breaks=(
        "test_diagnose_noise",
        "test_diagnose_mode_collapse",
        "test_diagnose_bias",
        "test_diagnose_memorisation",
    ),
)
def diagnose(samples, train, centers, std):
    samples, train, centers = samples.double(), train.double(), centers.double()
    to_nearest, mode = torch.cdist(samples, centers).min(dim=1)
    good = to_nearest <= 3 * std
    if good.double().mean() < 0.96:
        return {"noise"}
    counts = torch.bincount(mode[good], minlength=len(centers))
    counts = counts[counts >= 2]
    shares = counts / counts.sum()
    copies = torch.cdist(samples, train).amin(dim=1) <= 0.1 * std
    faults = set()
    if len(counts) < len(centers) - 1:
        faults.add("mode_collapse")
    if (shares * (len(shares) * shares).log()).nan_to_num().sum() > 0.04:
        faults.add("bias")
    if copies.double().mean() > 0.1:
        faults.add("memorisation")
    return faults


@mutant("a fixed tolerance, whatever the scale", breaks="test_diagnose_memorisation")
def diagnose(samples, train, centers, std):
    samples, train, centers = samples.double(), train.double(), centers.double()
    to_nearest, mode = torch.cdist(samples, centers).min(dim=1)
    good = to_nearest <= 3 * std
    if good.double().mean() < 0.96:
        return {"noise"}
    counts = torch.bincount(mode[good], minlength=len(centers))
    counts = counts[counts >= 2]
    shares = counts / counts.sum()
    copies = torch.cdist(samples, train).amin(dim=1) <= 0.01
    faults = set()
    if len(counts) < len(centers) - 1:
        faults.add("mode_collapse")
    if (shares * (len(shares) * shares).log()).nan_to_num().sum() > 0.04:
        faults.add("bias")
    if copies.double().mean() > 2 / 3:
        faults.add("memorisation")
    return faults


@mutant(
    "a fixed std, whatever the scale",
    breaks=(
        "test_diagnose_noise",
        "test_diagnose_mode_collapse",
        "test_diagnose_bias",
        "test_diagnose_memorisation",
    ),
)
def diagnose(samples, train, centers, std):
    std = 0.1
    samples, train, centers = samples.double(), train.double(), centers.double()
    to_nearest, mode = torch.cdist(samples, centers).min(dim=1)
    good = to_nearest <= 3 * std
    if good.double().mean() < 0.96:
        return {"noise"}
    counts = torch.bincount(mode[good], minlength=len(centers))
    counts = counts[counts >= 2]
    shares = counts / counts.sum()
    copies = torch.cdist(samples, train).amin(dim=1) <= 0.1 * std
    faults = set()
    if len(counts) < len(centers) - 1:
        faults.add("mode_collapse")
    if (shares * (len(shares) * shares).log()).nan_to_num().sum() > 0.04:
        faults.add("bias")
    if copies.double().mean() > 2 / 3:
        faults.add("memorisation")
    return faults


@mutant("compares the samples with each other", breaks="test_diagnose_memorisation")
def diagnose(samples, train, centers, std):
    samples, train, centers = samples.double(), train.double(), centers.double()
    to_nearest, mode = torch.cdist(samples, centers).min(dim=1)
    good = to_nearest <= 3 * std
    if good.double().mean() < 0.96:
        return {"noise"}
    counts = torch.bincount(mode[good], minlength=len(centers))
    counts = counts[counts >= 2]
    shares = counts / counts.sum()
    copies = torch.cdist(samples, samples).amin(dim=1) <= 0.1 * std
    faults = set()
    if len(counts) < len(centers) - 1:
        faults.add("mode_collapse")
    if (shares * (len(shares) * shares).log()).nan_to_num().sum() > 0.04:
        faults.add("bias")
    if copies.double().mean() > 2 / 3:
        faults.add("memorisation")
    return faults


@mutant("the American spelling", breaks="test_diagnose_memorisation")
def diagnose(samples, train, centers, std):
    samples, train, centers = samples.double(), train.double(), centers.double()
    to_nearest, mode = torch.cdist(samples, centers).min(dim=1)
    good = to_nearest <= 3 * std
    if good.double().mean() < 0.96:
        return {"noise"}
    counts = torch.bincount(mode[good], minlength=len(centers))
    counts = counts[counts >= 2]
    shares = counts / counts.sum()
    copies = torch.cdist(samples, train).amin(dim=1) <= 0.1 * std
    faults = set()
    if len(counts) < len(centers) - 1:
        faults.add("mode_collapse")
    if (shares * (len(shares) * shares).log()).nan_to_num().sum() > 0.04:
        faults.add("bias")
    if copies.double().mean() > 2 / 3:
        faults.add("memorization")
    return faults


@mutant("spaces in the words", breaks="test_diagnose_mode_collapse")
def diagnose(samples, train, centers, std):
    samples, train, centers = samples.double(), train.double(), centers.double()
    to_nearest, mode = torch.cdist(samples, centers).min(dim=1)
    good = to_nearest <= 3 * std
    if good.double().mean() < 0.96:
        return {"noise"}
    counts = torch.bincount(mode[good], minlength=len(centers))
    counts = counts[counts >= 2]
    shares = counts / counts.sum()
    copies = torch.cdist(samples, train).amin(dim=1) <= 0.1 * std
    faults = set()
    if len(counts) < len(centers) - 1:
        faults.add("mode collapse")
    if (shares * (len(shares) * shares).log()).nan_to_num().sum() > 0.04:
        faults.add("bias")
    if copies.double().mean() > 2 / 3:
        faults.add("memorisation")
    return faults


@mutant(
    "a list, not a set",
    breaks=(
        "test_diagnose_noise",
        "test_diagnose_mode_collapse",
        "test_diagnose_bias",
        "test_diagnose_memorisation",
    ),
)
def diagnose(samples, train, centers, std):
    samples, train, centers = samples.double(), train.double(), centers.double()
    to_nearest, mode = torch.cdist(samples, centers).min(dim=1)
    good = to_nearest <= 3 * std
    if good.double().mean() < 0.96:
        return {"noise"}
    counts = torch.bincount(mode[good], minlength=len(centers))
    counts = counts[counts >= 2]
    shares = counts / counts.sum()
    copies = torch.cdist(samples, train).amin(dim=1) <= 0.1 * std
    faults = set()
    if len(counts) < len(centers) - 1:
        faults.add("mode_collapse")
    if (shares * (len(shares) * shares).log()).nan_to_num().sum() > 0.04:
        faults.add("bias")
    if copies.double().mean() > 2 / 3:
        faults.add("memorisation")
    return sorted(faults)


@mutant(
    "a word, not a set",
    breaks=(
        "test_diagnose_noise",
        "test_diagnose_mode_collapse",
        "test_diagnose_bias",
        "test_diagnose_memorisation",
    ),
)
def diagnose(samples, train, centers, std):
    samples, train, centers = samples.double(), train.double(), centers.double()
    to_nearest, mode = torch.cdist(samples, centers).min(dim=1)
    good = to_nearest <= 3 * std
    if good.double().mean() < 0.96:
        return "noise"
    counts = torch.bincount(mode[good], minlength=len(centers))
    counts = counts[counts >= 2]
    shares = counts / counts.sum()
    copies = torch.cdist(samples, train).amin(dim=1) <= 0.1 * std
    faults = set()
    if len(counts) < len(centers) - 1:
        faults.add("mode_collapse")
    if (shares * (len(shares) * shares).log()).nan_to_num().sum() > 0.04:
        faults.add("bias")
    if copies.double().mean() > 2 / 3:
        faults.add("memorisation")
    return faults.pop() if faults else ""


@mutant(
    "swaps bias and mode collapse", breaks=("test_diagnose_mode_collapse", "test_diagnose_bias")
)
def diagnose(samples, train, centers, std):
    samples, train, centers = samples.double(), train.double(), centers.double()
    to_nearest, mode = torch.cdist(samples, centers).min(dim=1)
    good = to_nearest <= 3 * std
    if good.double().mean() < 0.96:
        return {"noise"}
    counts = torch.bincount(mode[good], minlength=len(centers))
    counts = counts[counts >= 2]
    shares = counts / counts.sum()
    copies = torch.cdist(samples, train).amin(dim=1) <= 0.1 * std
    faults = set()
    if len(counts) < len(centers) - 1:
        faults.add("bias")
    if (shares * (len(shares) * shares).log()).nan_to_num().sum() > 0.04:
        faults.add("mode_collapse")
    if copies.double().mean() > 2 / 3:
        faults.add("memorisation")
    return faults


@variant("float32, other thresholds, one fault after another")
def diagnose(samples, train, centers, std):
    distance = torch.cdist(samples, centers)
    inside = distance <= 3 * std
    if inside.any(dim=1).float().mean() < 0.95:
        return {"noise"}
    if not inside.any(dim=0).all():
        return {"mode_collapse"}
    if (torch.cdist(samples, train).amin(dim=1) <= 0.1 * std).float().mean() > 0.65:
        return {"memorisation"}
    shares = torch.bincount(distance.argmin(dim=1), minlength=len(centers)) / len(samples)
    return {"bias"} if (shares * (len(centers) * shares).log()).sum() > 0.05 else set()


@variant("all faults judged apart, by the median of the distances")
def diagnose(samples, train, centers, std):
    distance = (samples[:, None].double() - centers.double()).norm(dim=2)
    to_nearest, mode = distance.min(dim=1)
    faults = set()
    if (to_nearest > 3 * std).double().mean() > 0.05:
        faults |= {"noise"}
    counts = torch.bincount(mode, minlength=len(centers)).double()
    kept = counts[(distance <= 3 * std).any(dim=0)]
    if len(kept) < len(centers):
        faults |= {"mode_collapse"}
    if (kept / kept.mean() - 1).square().mean() > 0.09:
        faults |= {"bias"}
    near = torch.cdist(samples.double(), train.double()).amin(dim=1).median()
    if near < 0.075 * std:
        faults |= {"memorisation"}
    return faults


@variant("NumPy, a chi-square test and a k-d tree")
def diagnose(samples, train, centers, std):
    import scipy.spatial
    import scipy.stats

    x, y, c = (t.double().numpy() for t in (samples, train, centers))
    far, mode = scipy.spatial.KDTree(c).query(x)
    if np.mean(far <= 3 * std) < 0.965:
        return frozenset({"noise"})
    counts = np.bincount(mode[far <= 3 * std], minlength=len(c))
    counts = counts[counts > 1]
    faults = {"mode_collapse"} if len(counts) <= 0.8 * len(c) else set()
    if len(counts) > 1 and scipy.stats.chisquare(counts).pvalue < 1e-9:
        faults.add("bias")
    near, _ = scipy.spatial.KDTree(y).query(x)
    if np.mean(near <= 0.15 * std) > 0.85:
        faults.add("memorisation")
    return faults


@probe("diagnose")
def _(f):
    from gqlib.data import toys

    def said(found):
        return found if isinstance(found, str) else [type(found).__name__, *sorted(found)]

    results = []
    for radius in (0.4, 2.0, 7.0):
        g, ring, std = torch.Generator().manual_seed(0), toys.ring(8, radius), 0.05 * radius
        train = toys.faithful(ring, 1000, std, g)
        results += [
            said(f(samples, train, ring, std))
            for samples in (
                toys.faithful(ring, 1000, std, g),
                toys.faithful(ring, 1000, std / 2, g),
                *(toys.mode_dropper(ring, 1000, std, g, keep) for keep in (6, 4, 1)),
                *(toys.copycat(train, 1000, std, g, jitter) for jitter in (0.0, 0.02, 0.05)),
                *(toys.noisy(ring, 1000, std, g, spread) for spread in (1.5, 4.0)),
                toys.noisy(ring, 1000, std, g, 1.0, 0.2),
                *(toys.biased(ring, 1000, std, g, kl) for kl in (0.15, 0.45)),
            )
        ]
        for m in (60, 200):
            results.append(said(f(toys.faithful(ring, 1000, std, g), train[:m], ring, std)))
    return results

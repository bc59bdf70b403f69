"""Wrong and right answers to the exercises of lesson 08."""

import math

import numpy as np
import scipy.special
import scipy.stats
import torch
import torch.nn.functional as F

from gqlib.features import load_digit_net
from tests.notebooks.answer import mutant, probe, variant

# marginal


@mutant("counts the likeliest class of each verdict", breaks="test_marginal_unsure")
def marginal(probs):
    return F.one_hot(probs.argmax(1), probs.shape[1]).to(probs.dtype).mean(0)


@mutant("sums without dividing", breaks=("test_marginal_sure", "test_marginal_unsure"))
def marginal(probs):
    return probs.sum(0)


@mutant("mean over the classes", breaks=("test_marginal_sure", "test_marginal_unsure"))
def marginal(probs):
    return probs.mean(1)


@mutant("divides by the number of classes", breaks=("test_marginal_sure", "test_marginal_unsure"))
def marginal(probs):
    return probs.sum(0) / probs.shape[1]


@mutant("divides by N − 1", breaks=("test_marginal_sure", "test_marginal_unsure"))
def marginal(probs):
    return probs.sum(0) / max(len(probs) - 1, 1)


@mutant("the median of each class", breaks=("test_marginal_sure", "test_marginal_unsure"))
def marginal(probs):
    return probs.median(0).values


@mutant("takes the rows for logits", breaks=("test_marginal_sure", "test_marginal_unsure"))
def marginal(probs):
    return probs.softmax(1).mean(0)


@mutant("a geometric mean", breaks=("test_marginal_sure", "test_marginal_unsure"))
def marginal(probs):
    return probs.log().mean(0).softmax(0)


@mutant("the largest of each class, normalised", breaks="test_marginal_unsure")
def marginal(probs):
    top = probs.amax(0)
    return top / top.sum()


@mutant("even, whatever comes in", breaks=("test_marginal_sure", "test_marginal_unsure"))
def marginal(probs):
    return torch.full_like(probs[0], 1 / probs.shape[1])


@mutant("only the classes that occur", breaks="test_marginal_sure")
def marginal(probs):
    mean = probs.mean(0)
    return mean[mean > 0]


@variant("NumPy")
def marginal(probs):
    return torch.from_numpy(probs.numpy().mean(axis=0))


@variant("a product with equal weights")
def marginal(probs):
    weights = torch.full((len(probs),), 1 / len(probs), dtype=probs.dtype)
    return weights @ probs


@variant("a running sum, row by row, in float64")
def marginal(probs):
    total = torch.zeros(probs.shape[1], dtype=torch.float64)
    for row in probs:
        total += row.double()
    return total / len(probs)


@probe("marginal")
def _(f):
    table = torch.tensor([[0.5, 0.3, 0.2], [0.1, 0.8, 0.1], [0.6, 0.0, 0.4], [0.4, 0.4, 0.2]])
    return [f(table), f(torch.eye(3)[[0, 2, 2, 0, 2]])]


# inception_score


@mutant(
    "forgets the exponential",
    breaks=("test_inception_score_values", "test_inception_score_bounds"),
)
def inception_score(probs):
    p = probs.double()
    return float((torch.xlogy(p, p) - torch.xlogy(p, p.mean(0))).sum(1).mean())


@mutant(
    "logarithms of base 2 under the natural exponential",
    breaks=("test_inception_score_values", "test_inception_score_bounds"),
)
def inception_score(probs):
    p = probs.double()
    log_score = (torch.xlogy(p, p) - torch.xlogy(p, p.mean(0))).sum(1).mean()
    return math.exp(log_score / math.log(2))


@mutant("sums over the images", breaks="test_inception_score_values")
def inception_score(probs):
    p = probs.double()
    return float((torch.xlogy(p, p) - torch.xlogy(p, p.mean(0))).sum().exp())


@mutant(
    "mean over the classes too",
    breaks=("test_inception_score_values", "test_inception_score_bounds"),
)
def inception_score(probs):
    p = probs.double()
    return math.exp((torch.xlogy(p, p) - torch.xlogy(p, p.mean(0))).mean())


@mutant("exponentiates each image's divergence", breaks="test_inception_score_values")
def inception_score(probs):
    p = probs.double()
    return float((torch.xlogy(p, p) - torch.xlogy(p, p.mean(0))).sum(1).exp().mean())


@mutant("the divergence the other way round", breaks="test_inception_score_values")
def inception_score(probs):
    p = probs.double()
    q = p.mean(0)
    return math.exp((torch.xlogy(q, q) - torch.xlogy(q, p)).sum(1).mean())


@mutant("the entropy of the marginal alone", breaks="test_inception_score_values")
def inception_score(probs):
    q = probs.double().mean(0)
    return math.exp(-torch.xlogy(q, q).sum())


@mutant(
    "log K in place of the entropy of the marginal",
    breaks=(
        "test_inception_score_values",
        "test_inception_score_missing_class",
        "test_inception_score_bounds",
    ),
)
def inception_score(probs):
    p = probs.double()
    return probs.shape[1] * math.exp(torch.xlogy(p, p).sum(1).mean())


@mutant("not a number where a verdict holds a zero", breaks="test_inception_score_zeros")
def inception_score(probs):
    p = probs.double()
    return float((p * (p / p.mean(0)).log()).sum(1).mean().exp())


@mutant("not a number where a class never occurs", breaks="test_inception_score_missing_class")
def inception_score(probs):
    p = probs.double()
    return float((torch.xlogy(p, p) - p * p.mean(0).log()).sum(1).mean().exp())


@mutant(
    "adds 0.001 to every probability",
    breaks=("test_inception_score_zeros", "test_inception_score_bounds"),
)
def inception_score(probs):
    p = probs.double() + 1e-3
    return float((p * (p / p.mean(0)).log()).sum(1).mean().exp())


@mutant("rounds the verdicts to certain ones", breaks="test_inception_score_values")
def inception_score(probs):
    p = F.one_hot(probs.argmax(1), probs.shape[1]).double()
    return math.exp((torch.xlogy(p, p) - torch.xlogy(p, p.mean(0))).sum(1).mean())


@mutant(
    "subtracts the entropies the wrong way round",
    breaks=("test_inception_score_values", "test_inception_score_bounds"),
)
def inception_score(probs):
    p = probs.double()
    return math.exp((torch.xlogy(p, p.mean(0)) - torch.xlogy(p, p)).sum(1).mean())


@mutant("a Jensen–Shannon divergence", breaks="test_inception_score_values")
def inception_score(probs):
    p = probs.double()
    q = p.mean(0).expand_as(p)
    m = (p + q) / 2
    kl = torch.xlogy(p, p) - torch.xlogy(p, m) + torch.xlogy(q, q) - torch.xlogy(q, m)
    return math.exp(kl.sum(1).mean() / 2)


@mutant("drops the rows that hold a zero", breaks="test_inception_score_zeros")
def inception_score(probs):
    p = probs.double()
    p = p[(p > 0).all(1)] if bool((p > 0).all(1).any()) else p
    return math.exp((torch.xlogy(p, p) - torch.xlogy(p, p.mean(0))).sum(1).mean())


@variant("SciPy's relative entropy")
def inception_score(probs):
    p = probs.numpy().astype(float)
    return float(np.exp(scipy.special.rel_entr(p, p.mean(axis=0)).sum(axis=1).mean()))


@variant("the difference of two entropies")
def inception_score(probs):
    p = probs.double()
    q = p.mean(0)
    return (torch.special.entr(q).sum() - torch.special.entr(p).sum(1).mean()).exp()


@variant("loops, and numbers where there are any")
def inception_score(probs):
    rows = probs.tolist()
    n, k = len(rows), len(rows[0])
    q = [sum(row[j] for row in rows) / n for j in range(k)]
    total = 0.0
    for row in rows:
        for a, b in zip(row, q, strict=True):
            if a > 0:
                total += a * math.log(a / b)
    return math.exp(total / n)


@variant("SciPy's entropy in base 2, and a power of 2")
def inception_score(probs):
    p = probs.numpy().astype(float)
    q = np.broadcast_to(p.mean(0), p.shape)
    return 2 ** np.mean(scipy.stats.entropy(p, q, base=2, axis=1))


@variant("a tiny number inside the logarithms, in float32")
def inception_score(probs):
    q = probs.mean(0, keepdim=True)
    return (probs * ((probs + 1e-16).log() - (q + 1e-16).log())).sum(1).mean().exp()


@probe("inception_score")
def _(f):
    table = torch.tensor([[0.5, 0.3, 0.2], [0.1, 0.8, 0.1], [0.6, 0.1, 0.3], [0.4, 0.4, 0.2]])
    zeros = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.5, 0.5], [0.2, 0.3, 0.5]])
    return [f(table), f(zeros), f(torch.tensor([[0.9, 0.0, 0.1], [0.1, 0.0, 0.9]]))]


# entropy_terms


@mutant(
    "the two the wrong way round",
    breaks=("test_entropy_terms_varied", "test_entropy_terms_unsure"),
)
def entropy_terms(probs):
    p = probs.double()
    q = p.mean(0)
    return float(torch.special.entr(p).sum(1).mean()), float(torch.special.entr(q).sum())


@mutant("bits", breaks=("test_entropy_terms_varied", "test_entropy_terms_unsure"))
def entropy_terms(probs):
    p = probs.double()
    both = torch.special.entr(p.mean(0)).sum(), torch.special.entr(p).sum(1).mean()
    return tuple(float(v) / math.log(2) for v in both)


@mutant("forgets the minus", breaks=("test_entropy_terms_varied", "test_entropy_terms_unsure"))
def entropy_terms(probs):
    p = probs.double()
    q = p.mean(0)
    return float(torch.xlogy(q, q).sum()), float(torch.xlogy(p, p).sum(1).mean())


@mutant("sums the verdicts' entropies", breaks="test_entropy_terms_unsure")
def entropy_terms(probs):
    p = probs.double()
    return float(torch.special.entr(p.mean(0)).sum()), float(torch.special.entr(p).sum())


@mutant("mean over the classes", breaks=("test_entropy_terms_varied", "test_entropy_terms_unsure"))
def entropy_terms(probs):
    p = probs.double()
    return float(torch.special.entr(p.mean(0)).mean()), float(torch.special.entr(p).mean())


@mutant("not a number at a zero", breaks="test_entropy_terms_zeros")
def entropy_terms(probs):
    p = probs.double()
    q = p.mean(0)
    return float(-(q * q.log()).sum()), float(-(p * p.log()).sum(1).mean())


@mutant("the cross-entropy of verdict and marginal", breaks="test_entropy_terms_unsure")
def entropy_terms(probs):
    p = probs.double()
    q = p.mean(0)
    return float(torch.special.entr(q).sum()), float(-torch.xlogy(p, q).sum(1).mean())


@mutant("log K as H(y)", breaks=("test_entropy_terms_varied", "test_entropy_terms_zeros"))
def entropy_terms(probs):
    p = probs.double()
    return math.log(p.shape[1]), float(torch.special.entr(p).sum(1).mean())


@mutant("log IS as the second", breaks=("test_entropy_terms_unsure", "test_entropy_terms_zeros"))
def entropy_terms(probs):
    p = probs.double()
    varied = torch.special.entr(p.mean(0)).sum()
    return float(varied), float(varied - torch.special.entr(p).sum(1).mean())


@mutant("adds 0.001 inside the logarithm", breaks="test_entropy_terms_zeros")
def entropy_terms(probs):
    p = probs.double()
    q = p.mean(0)
    return float(-(q * (q + 1e-3).log()).sum()), float(-(p * (p + 1e-3).log()).sum(1).mean())


@mutant("the median of the verdicts' entropies", breaks="test_entropy_terms_unsure")
def entropy_terms(probs):
    p = probs.double()
    return float(torch.special.entr(p.mean(0)).sum()), float(torch.special.entr(p).sum(1).median())


@mutant("the entropy of the counted classes", breaks="test_entropy_terms_varied")
def entropy_terms(probs):
    p = probs.double()
    q = F.one_hot(p.argmax(1), p.shape[1]).double().mean(0)
    return float(torch.special.entr(q).sum()), float(torch.special.entr(p).sum(1).mean())


@mutant("exponentiates both", breaks=("test_entropy_terms_varied", "test_entropy_terms_unsure"))
def entropy_terms(probs):
    p = probs.double()
    both = torch.special.entr(p.mean(0)).sum(), torch.special.entr(p).sum(1).mean()
    return tuple(math.exp(v) for v in both)


@mutant("the surprise of the likeliest class", breaks="test_entropy_terms_unsure")
def entropy_terms(probs):
    p = probs.double()
    return float(torch.special.entr(p.mean(0)).sum()), float(-p.amax(1).log().mean())


@variant("torch's entr")
def entropy_terms(probs):
    p = probs.double()
    return torch.special.entr(p.mean(0)).sum(), torch.special.entr(p).sum(1).mean()


@variant("SciPy's entropy")
def entropy_terms(probs):
    p = probs.numpy().astype(float)
    return scipy.stats.entropy(p.mean(axis=0)), scipy.stats.entropy(p, axis=1).mean()


@variant("loops")
def entropy_terms(probs):
    def of(law):
        return sum(-v * math.log(v) for v in law if v > 0)

    rows = probs.tolist()
    mean = [sum(column) / len(rows) for column in zip(*rows, strict=True)]
    return of(mean), sum(map(of, rows)) / len(rows)


@variant("a distribution of torch, one row at a time")
def entropy_terms(probs):
    p = probs.double()
    laws = torch.distributions.Categorical
    each = torch.stack([laws(probs=row).entropy() for row in p])
    return float(laws(probs=p.mean(0)).entropy()), float(each.mean())


@probe("entropy_terms")
def _(f):
    table = torch.tensor([[0.5, 0.3, 0.2], [0.1, 0.8, 0.1], [0.6, 0.1, 0.3], [0.4, 0.4, 0.2]])
    return [f(table), f(torch.eye(4).double()[[1, 3, 3, 1]])]


# inception_score_splits


@mutant("divisor S − 1", breaks="test_inception_score_splits_std")
def inception_score_splits(probs, splits):
    n, scores = len(probs), []
    for i in range(splits):
        p = probs[i * n // splits : (i + 1) * n // splits].double()
        scores.append((torch.xlogy(p, p) - torch.xlogy(p, p.mean(0))).sum(1).mean().exp())
    scores = torch.stack(scores)
    return float(scores.mean()), float(scores.std()) if splits > 1 else 0.0


@mutant("the variance", breaks="test_inception_score_splits_std")
def inception_score_splits(probs, splits):
    n, scores = len(probs), []
    for i in range(splits):
        p = probs[i * n // splits : (i + 1) * n // splits].double()
        scores.append(math.exp((torch.xlogy(p, p) - torch.xlogy(p, p.mean(0))).sum(1).mean()))
    return float(np.mean(scores)), float(np.var(scores))


@mutant("the standard error of the mean", breaks="test_inception_score_splits_std")
def inception_score_splits(probs, splits):
    n, scores = len(probs), []
    for i in range(splits):
        p = probs[i * n // splits : (i + 1) * n // splits].double()
        scores.append(math.exp((torch.xlogy(p, p) - torch.xlogy(p, p.mean(0))).sum(1).mean()))
    return float(np.mean(scores)), float(np.std(scores) / math.sqrt(splits))


@mutant("the first splits get the rows left over", breaks="test_inception_score_splits_uneven")
def inception_score_splits(probs, splits):
    scores = []
    for p in probs.double().tensor_split(splits):
        scores.append(math.exp((torch.xlogy(p, p) - torch.xlogy(p, p.mean(0))).sum(1).mean()))
    return float(np.mean(scores)), float(np.std(scores))


@mutant("drops the rows left over", breaks="test_inception_score_splits_uneven")
def inception_score_splits(probs, splits):
    m, scores = len(probs) // splits, []
    for i in range(splits):
        p = probs[i * m : (i + 1) * m].double()
        scores.append(math.exp((torch.xlogy(p, p) - torch.xlogy(p, p.mean(0))).sum(1).mean()))
    return float(np.mean(scores)), float(np.std(scores))


@mutant("the last split gets the rows left over", breaks="test_inception_score_splits_uneven")
def inception_score_splits(probs, splits):
    n = len(probs)
    m, scores = n // splits, []
    for i in range(splits):
        p = probs[i * m : n if i == splits - 1 else (i + 1) * m].double()
        p = p if len(p) <= m else torch.cat([p[: m - 1], p[m:]]) if m > 1 else p[:1]
        scores.append(math.exp((torch.xlogy(p, p) - torch.xlogy(p, p.mean(0))).sum(1).mean()))
    return float(np.mean(scores)), float(np.std(scores))


@mutant("every S-th row", breaks="test_inception_score_splits_mean")
def inception_score_splits(probs, splits):
    scores = []
    for i in range(splits):
        p = probs[i::splits].double()
        scores.append(math.exp((torch.xlogy(p, p) - torch.xlogy(p, p.mean(0))).sum(1).mean()))
    return float(np.mean(scores)), float(np.std(scores))


@mutant("one marginal for all splits", breaks="test_inception_score_splits_mean")
def inception_score_splits(probs, splits):
    n, q, scores = len(probs), probs.double().mean(0), []
    for i in range(splits):
        p = probs[i * n // splits : (i + 1) * n // splits].double()
        scores.append(math.exp((torch.xlogy(p, p) - torch.xlogy(p, q)).sum(1).mean()))
    return float(np.mean(scores)), float(np.std(scores))


@mutant("the score of all rows as the mean", breaks="test_inception_score_splits_mean")
def inception_score_splits(probs, splits):
    n, scores = len(probs), []
    for i in range(splits):
        p = probs[i * n // splits : (i + 1) * n // splits].double()
        scores.append(math.exp((torch.xlogy(p, p) - torch.xlogy(p, p.mean(0))).sum(1).mean()))
    p = probs.double()
    whole = math.exp((torch.xlogy(p, p) - torch.xlogy(p, p.mean(0))).sum(1).mean())
    return whole, float(np.std(scores))


@mutant("a geometric mean of the scores", breaks="test_inception_score_splits_mean")
def inception_score_splits(probs, splits):
    n, logs = len(probs), []
    for i in range(splits):
        p = probs[i * n // splits : (i + 1) * n // splits].double()
        logs.append(float((torch.xlogy(p, p) - torch.xlogy(p, p.mean(0))).sum(1).mean()))
    return math.exp(np.mean(logs)), float(np.std(np.exp(logs)))


@mutant(
    "mean and spread of the logarithms",
    breaks=("test_inception_score_splits_mean", "test_inception_score_splits_std"),
)
def inception_score_splits(probs, splits):
    n, logs = len(probs), []
    for i in range(splits):
        p = probs[i * n // splits : (i + 1) * n // splits].double()
        logs.append(float((torch.xlogy(p, p) - torch.xlogy(p, p.mean(0))).sum(1).mean()))
    return float(np.mean(logs)), float(np.std(logs))


@mutant(
    "standard deviation first",
    breaks=("test_inception_score_splits_mean", "test_inception_score_splits_std"),
)
def inception_score_splits(probs, splits):
    n, scores = len(probs), []
    for i in range(splits):
        p = probs[i * n // splits : (i + 1) * n // splits].double()
        scores.append(math.exp((torch.xlogy(p, p) - torch.xlogy(p, p.mean(0))).sum(1).mean()))
    return float(np.std(scores)), float(np.mean(scores))


@mutant("not a number where a class is missing", breaks="test_inception_score_splits_zeros")
def inception_score_splits(probs, splits):
    n, scores = len(probs), []
    for i in range(splits):
        p = probs[i * n // splits : (i + 1) * n // splits].double()
        scores.append(math.exp((p * (p / p.mean(0)).log()).sum(1).mean()))
    return float(np.mean(scores)), float(np.std(scores))


@mutant("rows in splits of S", breaks="test_inception_score_splits_mean")
def inception_score_splits(probs, splits):
    scores = []
    for p in probs.double().split(splits):
        scores.append(math.exp((torch.xlogy(p, p) - torch.xlogy(p, p.mean(0))).sum(1).mean()))
    return float(np.mean(scores)), float(np.std(scores))


@mutant("edges to the nearest row", breaks="test_inception_score_splits_uneven")
def inception_score_splits(probs, splits):
    n, scores = len(probs), []
    for i in range(splits):
        p = probs[round(i * n / splits) : round((i + 1) * n / splits)].double()
        scores.append(math.exp((torch.xlogy(p, p) - torch.xlogy(p, p.mean(0))).sum(1).mean()))
    return float(np.mean(scores)), float(np.std(scores))


@mutant("long splits count more", breaks="test_inception_score_splits_uneven")
def inception_score_splits(probs, splits):
    n, scores, sizes = len(probs), [], []
    for i in range(splits):
        p = probs[i * n // splits : (i + 1) * n // splits].double()
        scores.append(math.exp((torch.xlogy(p, p) - torch.xlogy(p, p.mean(0))).sum(1).mean()))
        sizes.append(len(p))
    return float(np.average(scores, weights=sizes)), float(np.std(scores))


@mutant("the mean deviation", breaks="test_inception_score_splits_std")
def inception_score_splits(probs, splits):
    n, scores = len(probs), []
    for i in range(splits):
        p = probs[i * n // splits : (i + 1) * n // splits].double()
        scores.append(math.exp((torch.xlogy(p, p) - torch.xlogy(p, p.mean(0))).sum(1).mean()))
    return float(np.mean(scores)), float(np.abs(scores - np.mean(scores)).mean())


@variant("NumPy and SciPy")
def inception_score_splits(probs, splits):
    table = probs.numpy().astype(float)
    parts = np.split(table, np.arange(1, splits) * len(table) // splits)
    scores = [np.exp(scipy.special.rel_entr(p, p.mean(0)).sum(1).mean()) for p in parts]
    return np.mean(scores), np.std(scores)


@variant("entropies, and torch.std without correction")
def inception_score_splits(probs, splits):
    n = len(probs)
    logs = []
    for i in range(splits):
        part = probs.double()[i * n // splits : (i + 1) * n // splits]
        entropy = torch.special.entr(part).sum(1).mean()
        logs.append(torch.special.entr(part.mean(0)).sum() - entropy)
    scores = torch.stack(logs).exp()
    return scores.mean(), scores.std(correction=0)


@variant("loops, the spread by mean squares")
def inception_score_splits(probs, splits):
    rows, scores = probs.tolist(), []
    n, k = len(rows), len(rows[0])
    for i in range(splits):
        part = rows[i * n // splits : (i + 1) * n // splits]
        mean = [sum(row[j] for row in part) / len(part) for j in range(k)]
        total = sum(
            a * math.log(a / b) for row in part for a, b in zip(row, mean, strict=True) if a > 0
        )
        scores.append(math.exp(total / len(part)))
    centre = sum(scores) / splits
    return centre, math.sqrt(sum((s - centre) ** 2 for s in scores) / splits)


@variant("SciPy's entropy on slices")
def inception_score_splits(probs, splits):
    n, table = len(probs), probs.numpy().astype(float)
    scores = []
    for i in range(splits):
        p = table[i * n // splits : (i + 1) * n // splits]
        q = np.broadcast_to(p.mean(0), p.shape)
        scores.append(np.exp(scipy.stats.entropy(p, q, axis=1).mean()))
    return float(np.average(scores)), float(np.std(scores, ddof=0))


@probe("inception_score_splits")
def _(f):
    g = torch.Generator().manual_seed(0)
    table = (3 * torch.rand(17, 3, generator=g, dtype=torch.float64)).softmax(1)
    labels = torch.eye(4, dtype=torch.float64)[[0, 1, 0, 1, 0, 1, 2, 3, 3]]
    return [f(table, 5), f(table[:12], 3), f(labels, 2)]


# fool_inception_score


@mutant("noise, no attack", breaks="test_fool_inception_score_score")
def fool_inception_score(classifier, n, generator):
    return torch.rand(n, 1, 28, 28, generator=generator)


@mutant("one target for all", breaks="test_fool_inception_score_score")
def fool_inception_score(classifier, n, generator):
    images = torch.rand(n, 1, 28, 28, generator=generator)
    targets = torch.zeros(n, dtype=torch.int64)
    for _ in range(50):
        images.requires_grad_()
        loss = F.cross_entropy(classifier(images), targets, reduction="sum")
        (gradient,) = torch.autograd.grad(loss, images)
        images = (images.detach() - 0.05 * gradient.sign()).clamp(0, 1)
    return images


@mutant("climbs the loss", breaks="test_fool_inception_score_score")
def fool_inception_score(classifier, n, generator):
    images = torch.rand(n, 1, 28, 28, generator=generator)
    targets = torch.arange(n) % 10
    for _ in range(50):
        images.requires_grad_()
        loss = F.cross_entropy(classifier(images), targets, reduction="sum")
        (gradient,) = torch.autograd.grad(loss, images)
        images = (images.detach() + 0.05 * gradient.sign()).clamp(0, 1)
    return images


@mutant("a single step", breaks="test_fool_inception_score_score")
def fool_inception_score(classifier, n, generator):
    images = torch.rand(n, 1, 28, 28, generator=generator).requires_grad_()
    loss = F.cross_entropy(classifier(images), torch.arange(n) % 10, reduction="sum")
    (gradient,) = torch.autograd.grad(loss, images)
    return (images.detach() - 0.5 * gradient.sign()).clamp(0, 1)


@mutant("only sure, not varied", breaks="test_fool_inception_score_score")
def fool_inception_score(classifier, n, generator):
    images = torch.rand(n, 1, 28, 28, generator=generator)
    for _ in range(30):
        images.requires_grad_()
        loss = torch.special.entr(classifier(images).softmax(1)).sum()
        (gradient,) = torch.autograd.grad(loss, images)
        images = (images.detach() - 0.05 * gradient.sign()).clamp(0, 1)
    return images


@mutant("targets for the first seven classes", breaks="test_fool_inception_score_score")
def fool_inception_score(classifier, n, generator):
    images = torch.rand(n, 1, 28, 28, generator=generator)
    targets = torch.arange(n) % 7
    for _ in range(50):
        images.requires_grad_()
        loss = F.cross_entropy(classifier(images), targets, reduction="sum")
        (gradient,) = torch.autograd.grad(loss, images)
        images = (images.detach() - 0.05 * gradient.sign()).clamp(0, 1)
    return images


@mutant(
    "starts from a black image",
    breaks=("test_fool_inception_score_images", "test_fool_inception_score_not_digits"),
)
def fool_inception_score(classifier, n, generator):
    images = torch.zeros(n, 1, 28, 28)
    targets = torch.arange(n) % 10
    for _ in range(40):
        images.requires_grad_()
        loss = F.cross_entropy(classifier(images), targets, reduction="sum")
        (gradient,) = torch.autograd.grad(loss, images)
        images = (images.detach() - 0.005 * gradient.sign()).clamp(0, 1)
    return images


@mutant("faint noise, near thin digits", breaks="test_fool_inception_score_not_digits")
def fool_inception_score(classifier, n, generator):
    images = 0.1 * torch.rand(n, 1, 28, 28, generator=generator)
    targets = torch.arange(n) % 10
    for _ in range(40):
        images.requires_grad_()
        loss = F.cross_entropy(classifier(images), targets, reduction="sum")
        (gradient,) = torch.autograd.grad(loss, images)
        images = (images.detach() - 0.005 * gradient.sign()).clamp(0, 1)
    return images


@mutant("without the axis of channels", breaks="test_fool_inception_score_images")
def fool_inception_score(classifier, n, generator):
    images = torch.rand(n, 28, 28, generator=generator)
    targets = torch.arange(n) % 10
    for _ in range(50):
        images.requires_grad_()
        loss = F.cross_entropy(classifier(images[:, None]), targets, reduction="sum")
        (gradient,) = torch.autograd.grad(loss, images)
        images = (images.detach() - 0.05 * gradient.sign()).clamp(0, 1)
    return images


@mutant("pixels up to 255", breaks="test_fool_inception_score_images")
def fool_inception_score(classifier, n, generator):
    images = torch.rand(n, 1, 28, 28, generator=generator)
    targets = torch.arange(n) % 10
    for _ in range(50):
        images.requires_grad_()
        loss = F.cross_entropy(classifier(images), targets, reduction="sum")
        (gradient,) = torch.autograd.grad(loss, images)
        images = (images.detach() - 0.05 * gradient.sign()).clamp(0, 1)
    return 255 * images


@mutant("takes the last step without a cut", breaks="test_fool_inception_score_images")
def fool_inception_score(classifier, n, generator):
    images = torch.rand(n, 1, 28, 28, generator=generator)
    targets = torch.arange(n) % 10
    for _ in range(50):
        images = images.detach().clamp(0, 1).requires_grad_()
        loss = F.cross_entropy(classifier(images), targets, reduction="sum")
        (gradient,) = torch.autograd.grad(loss, images)
        images = images.detach() - 0.05 * gradient.sign()
    return images


@mutant("leaves the classifier in training mode", breaks="test_fool_inception_score_images")
def fool_inception_score(classifier, n, generator):
    classifier.train()
    images = torch.rand(n, 1, 28, 28, generator=generator)
    targets = torch.arange(n) % 10
    for _ in range(50):
        images.requires_grad_()
        loss = F.cross_entropy(classifier(images), targets, reduction="sum")
        (gradient,) = torch.autograd.grad(loss, images)
        images = (images.detach() - 0.05 * gradient.sign()).clamp(0, 1)
    return images


@mutant(
    "turns on the gradients of the classifier's parameters",
    breaks="test_fool_inception_score_images",
)
def fool_inception_score(classifier, n, generator):
    classifier.requires_grad_(True)
    images = torch.rand(n, 1, 28, 28, generator=generator)
    targets = torch.arange(n) % 10
    for _ in range(50):
        images = images.detach().requires_grad_()
        F.cross_entropy(classifier(images), targets, reduction="sum").backward()
        images = (images.detach() - 0.05 * images.grad.sign()).clamp(0, 1)
    return images


@mutant(
    "noise from the global generator",
    breaks=(
        "test_fool_inception_score_images",
        "test_fool_inception_score_not_digits",
        "test_fool_inception_score_score",
    ),
)
def fool_inception_score(classifier, n, generator):
    images = torch.rand(n, 1, 28, 28)
    targets = torch.arange(n) % 10
    for _ in range(50):
        images.requires_grad_()
        loss = F.cross_entropy(classifier(images), targets, reduction="sum")
        (gradient,) = torch.autograd.grad(loss, images)
        images = (images.detach() - 0.05 * gradient.sign()).clamp(0, 1)
    return images


@mutant("does not use the generator", breaks="test_fool_inception_score_images")
def fool_inception_score(classifier, n, generator):
    images = torch.rand(n, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    targets = torch.arange(n) % 10
    for _ in range(50):
        images.requires_grad_()
        loss = F.cross_entropy(classifier(images), targets, reduction="sum")
        (gradient,) = torch.autograd.grad(loss, images)
        images = (images.detach() - 0.05 * gradient.sign()).clamp(0, 1)
    return images


@mutant(
    "calls the library's own attack",
    breaks=(
        "test_fool_inception_score_images",
        "test_fool_inception_score_not_digits",
        "test_fool_inception_score_score",
    ),
)
def fool_inception_score(classifier, n, generator):
    from gqlib.course.answers import lesson_08

    return lesson_08.sure_images(classifier, n, generator, steps=60)


@mutant("always a hundred images", breaks="test_fool_inception_score_images")
def fool_inception_score(classifier, n, generator):
    images = torch.rand(100, 1, 28, 28, generator=generator)
    targets = torch.arange(100) % 10
    for _ in range(50):
        images.requires_grad_()
        loss = F.cross_entropy(classifier(images), targets, reduction="sum")
        (gradient,) = torch.autograd.grad(loss, images)
        images = (images.detach() - 0.05 * gradient.sign()).clamp(0, 1)
    return images


@mutant("targets drawn at random", breaks="test_fool_inception_score_score")
def fool_inception_score(classifier, n, generator):
    images = torch.rand(n, 1, 28, 28, generator=generator)
    targets = torch.randint(10, (n,), generator=generator)
    for _ in range(50):
        images.requires_grad_()
        loss = F.cross_entropy(classifier(images), targets, reduction="sum")
        (gradient,) = torch.autograd.grad(loss, images)
        images = (images.detach() - 0.05 * gradient.sign()).clamp(0, 1)
    return images


@variant("Adam on the logits of the pixels")
def fool_inception_score(classifier, n, generator):
    raw = torch.randn(n, 1, 28, 28, generator=generator).requires_grad_()
    targets = torch.arange(10).repeat_interleave(n // 10)
    optimizer = torch.optim.Adam([raw], lr=0.5)
    for _ in range(100):
        optimizer.zero_grad()
        F.cross_entropy(classifier(raw.sigmoid()), targets, reduction="sum").backward()
        optimizer.step()
    return raw.sigmoid().detach()


@variant("Adam on the score itself, and the pixels cut")
def fool_inception_score(classifier, n, generator):
    images = torch.rand(n, 1, 28, 28, generator=generator).requires_grad_()
    targets = torch.arange(n) % 10
    optimizer = torch.optim.Adam([images], lr=0.1)
    for step in range(70):
        log_p = classifier(images).log_softmax(1)
        if step < 55:
            loss = F.nll_loss(log_p, targets, reduction="sum")
        else:
            p = log_p.exp()
            loss = -(p * (log_p - p.mean(0).log())).sum(1).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            images.clamp_(0, 1)
    return images.detach()


@variant("steps of one length along the gradient")
def fool_inception_score(classifier, n, generator):
    images = torch.rand((n, 1, 28, 28), generator=generator, dtype=torch.float32)
    targets = torch.arange(n) // (n // 10)
    for _ in range(60):
        images = images.detach().requires_grad_(True)
        log_p = torch.log_softmax(classifier(images), 1)
        log_p[torch.arange(n), targets].sum().backward()
        step = images.grad / images.grad.flatten(1).norm(dim=1).clamp_min(1e-12).view(-1, 1, 1, 1)
        images = torch.clamp(images.detach() + 1.5 * step, 0.0, 1.0)
    return images


@variant("ten images, each with copies that differ by a trace of noise")
def fool_inception_score(classifier, n, generator):
    images = torch.rand(10, 1, 28, 28, generator=generator)
    for _ in range(60):
        images.requires_grad_()
        logits = classifier(images)
        loss = torch.logsumexp(logits, 1).sum() - logits.diagonal().sum()
        (gradient,) = torch.autograd.grad(loss, images)
        images = (images.detach() - 0.05 * gradient.sign()).clamp(0, 1)
    copies = images.repeat(n // 10, 1, 1, 1)
    return (copies + 0.01 * torch.randn(copies.shape, generator=generator)).clamp(0, 1)


@variant("one class after the other, until the classifier is sure, in NumPy's float64")
def fool_inception_score(classifier, n, generator):
    done = []
    for target in range(10):
        images = torch.rand(n // 10, 1, 28, 28, generator=generator, dtype=torch.float64).numpy()
        for _ in range(200):
            x = torch.from_numpy(images).requires_grad_()
            log_p = classifier(x).log_softmax(1)[:, target]
            if log_p.exp().min() > 0.9999:
                break
            gradient = torch.autograd.grad(log_p.sum(), x)[0].numpy()
            images = np.clip(images + 0.05 * np.sign(gradient), 0, 1)
        done.append(torch.from_numpy(images))
    return torch.cat(done)


@probe("fool_inception_score")
def _(f):
    net = load_digit_net()
    images = f(net, 10, torch.Generator().manual_seed(1))
    free = any(p.requires_grad for p in net.parameters())
    return [images, f(net, 10, torch.Generator().manual_seed(2)), free, net.training]

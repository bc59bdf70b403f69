"""Every interval covers what it says: the estimator's expectation at this number of samples.

The expectation is the mean over the runs themselves. Of 250 runs, an interval of 95 % covers
95 ± 1.4 %; a share outside 90 to 99 % is more than three of these off.
"""

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from gqlib.metrics import (
    authenticity,
    copying_test,
    frechet_distance,
    frechet_distance_infinity,
    inception_score,
    kernel_distance,
    mae,
    mse,
    neighbour_scores,
    psnr,
    representation_gap,
    vendi_score,
)
from tests.samples import normal


@dataclass
class Case:
    """One simulation.

    Attributes:
        measure: Maps a generator and a level to (value, interval), or to (value, interval, truth)
            where the truth is known.
        runs: How many.
        most: Largest share that is right; 1 where an interval may be too wide.
    """

    name: str
    measure: Callable[..., tuple]
    runs: int = 250
    most: float = 0.99


def of(result):
    return result.value, result.interval


LAWS = {
    "equal": lambda z: z,
    "shifted": lambda z: z + 0.3,
    "far": lambda z: z + 1,
    "wider": lambda z: 1.5 * z,
}


def two_laws(metric, n, m, d, law):
    def measure(g, level):
        return of(metric(normal(n, d, g), LAWS[law](normal(m, d, g)), confidence=level))

    return Case(f"{metric.__name__} {n}+{m}x{d} {law}", measure)


def correlated(metric, n, m, d):
    """Correlated features of very different scales, one side a little off."""
    mix = normal(d, d, torch.Generator().manual_seed(99)) * torch.logspace(0, -2, d).double()

    def measure(g, level):
        x, y = normal(n, d, g) @ mix, normal(m, d, g) @ mix * 1.2 + 0.1
        return of(metric(x, y, confidence=level))

    return Case(f"{metric.__name__} {n}+{m}x{d} correlated", measure)


def heavy_tailed(metric, n, m, d):
    """Student's t with 5 degrees of freedom on both sides."""

    def t5(k, g):
        return normal(k, d, g) / normal(k, 5, g).square().mean(1, keepdim=True).sqrt()

    def measure(g, level):
        return of(metric(t5(n, g), t5(m, g), confidence=level))

    return Case(f"{metric.__name__} {n}+{m}x{d} heavy tails", measure, most=1.0)


def inception(n, classes, splits, scale):
    def measure(g, level):
        logits = scale * normal(n, classes, g)
        return of(inception_score(logits=logits, splits=splits, confidence=level))

    return Case(f"inception {n}x{classes} {splits} splits, scale {scale}", measure)


def vendi(n, d, q, law):
    def measure(g, level):
        x = normal(n, d, g)
        if law == "off centre":
            x = x + 1
        if law == "decaying":
            x = x * torch.logspace(0, -2, d, dtype=torch.float64)
        return of(vendi_score(x, q, confidence=level))

    return Case(f"vendi {n}x{d} q={q} {law}", measure, most=0.995)


def memorising(metric, n, m, d, copies):
    """The training set is what it is; fakes and held-out samples are drawn anew."""
    train = normal(m, d, torch.Generator().manual_seed(5))

    def measure(g, level):
        near = train[torch.randint(m, (n,), generator=g)] + 0.05 * normal(n, d, g)
        fake = torch.where(torch.rand(n, 1, generator=g) < copies, near, normal(n, d, g))
        if metric is authenticity:
            return of(authenticity(train, fake, confidence=level))
        return of(copying_test(train, normal(n, d, g), fake, confidence=level))

    return Case(f"{metric.__name__} {n} of {m}x{d}, {copies:.0%} copies", measure)


def gap(n, m, real, fake, group=None):
    p, q = (torch.tensor(w).double() / sum(w) for w in (real, fake))

    def measure(g, level):
        a, b = (torch.multinomial(w, k, True, generator=g) for w, k in ((p, n), (q, m)))
        result = representation_gap(a, b, confidence=level)
        if group is None:
            return of(result)
        return result.shifts[group], result.shift_intervals[group], float(q[group] - p[group])

    what = "gap" if group is None else f"shift of {group}"
    return Case(f"{what} {n}+{m} {real} {fake}", measure)


def errors(metric, n):
    def measure(g, level):
        return of(metric(normal(n, 4, g), normal(n, 4, g), confidence=level))

    return Case(f"{metric.__name__} {n}", measure, 600)


TEN = list(range(10, 20))
CASES = [
    *(errors(metric, n) for metric in (mse, mae, psnr) for n in (12, 50)),
    *(
        two_laws(metric, *sizes, law)
        for metric in (frechet_distance, kernel_distance)
        for sizes in ((60, 60, 10), (40, 50, 64))
        for law in ("shifted", "far", "wider")
    ),
    two_laws(frechet_distance, 150, 50, 8, "wider"),
    two_laws(kernel_distance, 150, 50, 8, "wider"),
    two_laws(frechet_distance, 60, 60, 10, "equal"),
    two_laws(frechet_distance, 40, 50, 64, "equal"),
    two_laws(kernel_distance, 40, 50, 64, "equal"),
    two_laws(frechet_distance_infinity, 150, 100, 4, "shifted"),
    two_laws(frechet_distance_infinity, 150, 100, 4, "far"),
    correlated(frechet_distance, 200, 200, 5),
    correlated(frechet_distance, 200, 100, 16),
    heavy_tailed(frechet_distance, 200, 200, 5),
    *(inception(*case) for case in ((200, 10, 1, 1), (200, 10, 5, 3), (500, 20, 10, 2))),
    *(vendi(200, 10, q, law) for q in (0.5, 1, 2, math.inf) for law in ("off centre", "decaying")),
    *(vendi(40, 80, q, law) for q in (0.5, 1, 2) for law in ("off centre", "decaying")),
    *(memorising(authenticity, 60, 100, 5, c) for c in (0, 0.3, 0.9)),
    *(memorising(copying_test, 80, 100, 5, c) for c in (0, 0.3, 0.9)),
    gap(200, 150, TEN, TEN[::-1]),
    gap(200, 150, [1, 1, 1, 1], [4, 2, 1, 1]),
    gap(300, 300, [1, 1, 1], [1, 1, 0]),
    *(gap(200, 150, [10, 5, 1], [9, 6, 1], group) for group in range(3)),
]


#: Of 0.95, less what 250 runs may be off by.
LEAST = 0.9


def covered(runs):
    """The share of the runs' intervals that hold the truth, or else the runs' mean."""
    truth = runs[0][2] if len(runs[0]) > 2 else np.mean([run[0] for run in runs])
    return np.mean([run[1].low <= truth <= run[1].high for run in runs])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_coverage(case):
    generator = torch.Generator().manual_seed(1)
    runs = [case.measure(generator, 0.95) for _ in range(case.runs)]
    assert LEAST <= covered(runs) <= case.most


@pytest.mark.parametrize("law", ["shifted", "far"])
def test_coverage_of_neighbour_scores(law):
    g = torch.Generator().manual_seed(1)
    runs = [
        neighbour_scores(normal(80, 4, g), LAWS[law](normal(80, 4, g)), k=3, confidence=0.95)
        for _ in range(200)
    ]
    for name in runs[0].VALUES:
        share = covered([(getattr(run, name), run.interval[name]) for run in runs])
        assert LEAST <= share <= 0.99, name


def test_coverage_at_another_level():
    case = two_laws(kernel_distance, 60, 60, 10, "far")
    generator = torch.Generator().manual_seed(1)
    for level, low, high in ((0.5, 0.4, 0.6), (0.8, 0.7, 0.9)):
        runs = [case.measure(generator, level) for _ in range(250)]
        assert low <= covered(runs) <= high


@pytest.mark.parametrize("case", CASES[::3], ids=lambda case: case.name)
def test_a_higher_level_is_a_wider_interval(case):
    intervals = [
        case.measure(torch.Generator().manual_seed(1), level)[1] for level in (0.5, 0.8, 0.99)
    ]
    assert [interval.level for interval in intervals] == [0.5, 0.8, 0.99]
    for inner, outer in itertools.pairwise(intervals):
        assert outer.low <= inner.low < inner.high <= outer.high

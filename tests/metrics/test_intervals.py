"""Every interval covers what it says: the estimator's expectation at this number of samples.

The expectation is the mean over the runs themselves. Of 250 runs, an interval of 95 % covers
95 ± 1.4 %; a share outside 90 to 99 % is more than three of these off.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from gqlib.metrics import (
    authenticity,
    copying_test,
    frechet_distance,
    inception_score,
    kernel_distance,
    mae,
    mse,
    neighbour_scores,
    psnr,
    representation_gap,
    vendi_score,
)

LEVEL = 0.95


def normal(n, d, generator):
    return torch.randn(n, d, generator=generator, dtype=torch.float64)


@dataclass
class Case:
    """``measure`` maps a generator to a value, an interval and, if it is known, the truth."""

    name: str
    measure: Callable
    runs: int = 250


def of(result):
    return result.value, result.interval


# --- laws


def two_laws(metric, n, m, d, law):
    change = {
        "equal": lambda z: z,
        "shifted": lambda z: z + 0.3,
        "far": lambda z: z + 1,
        "wider": lambda z: 1.5 * z,
    }[law]

    def measure(g):
        return of(metric(normal(n, d, g), change(normal(m, d, g)), confidence=LEVEL))

    return Case(f"{metric.__name__} {n}+{m}x{d} {law}", measure)


def correlated(metric, n, m, d):
    """Correlated features of very different scales, one side a little off."""
    mix = normal(d, d, torch.Generator().manual_seed(99)) * torch.logspace(0, -2, d).double()

    def measure(g):
        x, y = normal(n, d, g) @ mix, normal(m, d, g) @ mix * 1.2 + 0.1
        return of(metric(x, y, confidence=LEVEL))

    return Case(f"{metric.__name__} {n}+{m}x{d} correlated", measure)


def heavy_tailed(metric, n, m, d):
    """Student's t with 5 degrees of freedom on both sides."""

    def t5(k, g):
        return normal(k, d, g) / normal(k, 5, g).square().mean(1, keepdim=True).sqrt()

    def measure(g):
        return of(metric(t5(n, g), t5(m, g), confidence=LEVEL))

    return Case(f"{metric.__name__} {n}+{m}x{d} heavy tails", measure)


def neighbours(name, n, m, d, law):
    shift, scale = {"equal": (0, 1), "shifted": (0.3, 1), "far": (1, 1), "wider": (0, 1.5)}[law]

    def measure(g):
        x, y = normal(n, d, g), normal(m, d, g) * scale + shift
        result = neighbour_scores(x, y, k=3, confidence=LEVEL)
        return getattr(result, name), result.interval[name]

    return Case(f"{name} {n}+{m}x{d} {law}", measure, 200)


def inception(n, classes, splits, scale):
    def measure(g):
        logits = scale * normal(n, classes, g)
        return of(inception_score(logits=logits, splits=splits, confidence=LEVEL))

    return Case(f"inception {n}x{classes} {splits} splits, scale {scale}", measure)


def vendi(n, d, q, law):
    def measure(g):
        x = normal(n, d, g)
        if law == "off centre":
            x = x + 1
        if law == "decaying":
            x = x * torch.logspace(0, -2, d, dtype=torch.float64)
        return of(vendi_score(x, q, confidence=LEVEL))

    return Case(f"vendi {n}x{d} q={q} {law}", measure)


def memorising(metric, n, m, d, copies):
    """The training set is what it is; fakes and held-out samples are drawn anew."""
    train = normal(m, d, torch.Generator().manual_seed(5))

    def measure(g):
        near = train[torch.randint(m, (n,), generator=g)] + 0.05 * normal(n, d, g)
        fake = torch.where(torch.rand(n, 1, generator=g) < copies, near, normal(n, d, g))
        if metric is authenticity:
            return of(authenticity(train, fake, confidence=LEVEL))
        return of(copying_test(train, normal(n, d, g), fake, confidence=LEVEL))

    return Case(f"{metric.__name__} {n} of {m}x{d}, {copies:.0%} copies", measure)


def gap(n, m, real, fake, group=None):
    p, q = (torch.tensor(w).double() / sum(w) for w in (real, fake))

    def measure(g):
        a, b = (torch.multinomial(w, k, True, generator=g) for w, k in ((p, n), (q, m)))
        result = representation_gap(a, b, confidence=LEVEL)
        if group is None:
            return of(result)
        return result.shifts[group], result.shift_intervals[group], float(q[group] - p[group])

    what = "gap" if group is None else f"shift of {group}"
    return Case(f"{what} {n}+{m} {real} {fake}", measure)


def errors(metric, n):
    def measure(g):
        return of(metric(normal(n, 4, g), normal(n, 4, g), confidence=LEVEL))

    return Case(f"{metric.__name__} {n}", measure, 600)


TEN = list(range(10, 20))
CASES = [
    *(errors(metric, n) for metric in (mse, mae, psnr) for n in (12, 50)),
    *(
        two_laws(metric, *sizes, law)
        for metric in (frechet_distance, kernel_distance)
        for sizes in ((60, 60, 10), (40, 50, 64), (150, 50, 8))
        for law in ("shifted", "far", "wider")
    ),
    two_laws(frechet_distance, 60, 60, 10, "equal"),
    two_laws(frechet_distance, 40, 50, 64, "equal"),
    two_laws(kernel_distance, 40, 50, 64, "equal"),
    correlated(frechet_distance, 200, 200, 5),
    correlated(frechet_distance, 200, 100, 16),
    heavy_tailed(frechet_distance, 200, 200, 5),
    *(
        neighbours(name, *sizes, law)
        for name, law in (
            ("precision", "wider"),
            ("precision", "equal"),
            ("recall", "shifted"),
            ("recall", "equal"),
            ("density", "far"),
            ("density", "wider"),
            ("coverage", "wider"),
            ("coverage", "shifted"),
        )
        for sizes in ((80, 80, 4),)
    ),
    *(inception(*case) for case in ((200, 10, 1, 1), (200, 10, 5, 3), (500, 20, 10, 2))),
    *(vendi(200, 10, q, law) for q in (0.5, 1, 2, float("inf")) for law in ("off centre", "decaying")),
    *(vendi(40, 80, q, law) for q in (0.5, 1, 2) for law in ("off centre", "decaying")),
    *(memorising(authenticity, 60, 100, 5, c) for c in (0, 0.3, 0.9)),
    *(memorising(copying_test, 80, 100, 5, c) for c in (0, 0.3, 0.9)),
    gap(200, 150, TEN, TEN[::-1]),
    gap(200, 150, [1, 1, 1, 1], [4, 2, 1, 1]),
    gap(300, 300, [1, 1, 1], [1, 1, 0]),
    *(gap(200, 150, [10, 5, 1], [9, 6, 1], group) for group in range(3)),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_coverage(case):
    generator = torch.Generator().manual_seed(1)
    runs = [case.measure(generator) for _ in range(case.runs)]
    truth = runs[0][2] if len(runs[0]) > 2 else np.mean([run[0] for run in runs])
    covered = np.mean([run[1].low <= truth <= run[1].high for run in runs])
    assert 0.90 <= covered <= 0.99


@pytest.mark.parametrize("case", [CASES[6], CASES[-1]], ids=lambda case: case.name)
def test_a_higher_level_is_a_wider_interval(case, monkeypatch):
    found = []
    for level in (0.5, 0.8, 0.99):
        monkeypatch.setattr(__import__(__name__), "LEVEL", level) if False else None
        globals()["LEVEL"], before = level, globals()["LEVEL"]
        found.append(case.measure(torch.Generator().manual_seed(1))[1])
        globals()["LEVEL"] = before
    widths = [i.high - i.low for i in found]
    assert widths == sorted(widths)
    assert [i.level for i in found] == [0.5, 0.8, 0.99]

"""The Fréchet distance to 9 digits and more, on spectra where the textbook's formula has few.

The oracle takes the singular values of the product of the centred data themselves, which loses no
digits to squaring; it is itself checked in arithmetic of 80 digits. Errors count relative to the
distance or, where that is smaller, to tr C₁ + tr C₂, from which it is what is left.
"""

import itertools
import math

import pytest
import torch

from gqlib.metrics import (
    GaussianStatistics,
    frechet_distance,
    frechet_from_moments,
    sqrtm_psd,
)
from tests.samples import normal


def rotation(d, seed=0):
    return torch.linalg.qr(normal(d, d, seed))[0]


def centred(x):
    offsets = x.double() - x[:1].double()
    return (offsets - offsets.mean(0)) / math.sqrt(len(x) - 1)


def oracle(x, y):
    """The distance, and what its error is measured by."""
    a, b = centred(x), centred(y)
    gap = (x - x[:1]).mean(0) - (y - x[:1]).mean(0)
    trace = float(a.square().sum() + b.square().sum())
    # Of tall data the factor R of QR, as good as the data.
    ra, rb = (torch.linalg.qr(z)[1] if len(z) > z.shape[1] else z for z in (a, b))
    cross = float(torch.linalg.svdvals(ra @ rb.T).sum())
    value = float(gap.square().sum()) + trace - 2 * cross
    return value, max(value, trace, 1e-300)


def spectrum(name, d):
    """Standard deviations of the features, (d,)."""
    power = {"isotropic": 0, "decay to 1e-3": -3, "decay to 1e-6": -6, "decay to 1e-15": -15}
    power |= {"decay to 1e-30": -30}
    ones = torch.ones(d, dtype=torch.float64)
    if name in power:
        return torch.logspace(0, power[name], d, dtype=torch.float64)
    if name == "ascending":
        return torch.logspace(-12, 0, d, dtype=torch.float64)
    if name == "dominant":
        ones[1:] = 1e-8
    elif name == "two blocks":
        ones[d // 2 :] = 1e-6
    elif name == "half constant":
        ones[d // 2 :] = 0
    return ones


SPECTRA = [
    "isotropic",
    "decay to 1e-3",
    "decay to 1e-6",
    "decay to 1e-15",
    "decay to 1e-30",
    "ascending",
    "dominant",
    "two blocks",
    "half constant",
]


TURNED = ["along the axes", "turned apart", "turned alike"]


def worst(n, m, d, turned):
    """The largest error over all pairs of spectra, both ways round, and where it is."""
    found = (0.0, "", "")
    for first, second in itertools.product(SPECTRA, SPECTRA):
        x, y = normal(n, d, 1) * spectrum(first, d), normal(m, d, 2) * spectrum(second, d)
        if turned == "turned alike":
            x = x @ rotation(d, 3)
        if turned != "along the axes":
            y = y @ rotation(d, 3)
        want, size = oracle(x, y)
        for got in (frechet_distance(x, y), frechet_distance(y, x)):
            found = max(found, (abs(float(got) - want) / size, first, second))
    return found


@pytest.mark.parametrize("turned", TURNED)
@pytest.mark.parametrize(("n", "m", "d"), [(9, 14, 30), (30, 30, 30), (2, 30, 30), (2, 2, 2)])
def test_few_samples(n, m, d, turned):
    assert worst(n, m, d, turned) < (1e-9,)


@pytest.mark.parametrize("turned", TURNED)
@pytest.mark.parametrize(
    ("n", "m", "d"), [(30, 75, 30), (31, 33, 30), (75, 100, 30), (12, 11, 2), (9, 8, 1)]
)
def test_more_samples_than_features(n, m, d, turned):
    assert worst(n, m, d, turned) < (1e-9,)


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("isotropic", "isotropic"),
        ("decay to 1e-6", "decay to 1e-6"),
        ("decay to 1e-15", "isotropic"),
        ("dominant", "dominant"),
        ("half constant", "isotropic"),
    ],
)
@pytest.mark.parametrize(("n", "m"), [(100, 301), (300, 300), (301, 700)])
def test_many_features(n, m, first, second, turned):
    d = 300
    x, y = normal(n, d, 1) * spectrum(first, d), normal(m, d, 2) * spectrum(second, d)
    if turned:
        y = y @ rotation(d, 3)
    want, size = oracle(x, y)
    assert abs(float(frechet_distance(x, y)) - want) <= 1e-9 * size


@pytest.mark.parametrize("d", [1, 2, 7, 50, 300])
def test_diagonal_covariances_compare_deviations(d):
    zero = torch.zeros(d)
    for first, second in itertools.product(SPECTRA, SPECTRA):
        s, t = spectrum(first, d), spectrum(second, d).flip(0)
        want = float((s - t).square().sum())
        size = max(want, float(s.square().sum() + t.square().sum()), 1e-300)
        got = frechet_from_moments(zero, torch.diag(s.square()), zero, torch.diag(t.square()))
        assert abs(got - want) <= 1e-9 * size, (first, second)


@pytest.mark.parametrize(("n", "m", "d"), [(5, 4, 1), (5, 4, 3), (2, 2, 3), (2, 9, 3), (9, 2, 3)])
def test_sets_of_copies_are_points(n, m, d):
    x, y = torch.full((n, d), 2.0), torch.full((m, d), 5.0)
    assert float(frechet_distance(x, x)) == 0
    assert float(frechet_distance(x, y)) == pytest.approx(9 * d)
    z = normal(m, d, 1)
    want = float(z.var(0).sum() + (z.mean(0) - 2).square().sum())
    assert float(frechet_distance(x, z)) == pytest.approx(want, rel=1e-12)
    zero = torch.zeros(d, d)
    assert frechet_from_moments(x[0], zero, y[0], zero) == pytest.approx(9 * d)
    assert torch.equal(sqrtm_psd(zero), zero.double())


@pytest.mark.parametrize("name", SPECTRA)
@pytest.mark.parametrize(("n", "d"), [(40, 30), (30, 30), (12, 30)])
def test_a_set_and_itself_in_another_order(name, n, d):
    x = normal(n, d, 1) * spectrum(name, d) @ rotation(d, 3)
    trace = 2 * float(centred(x).square().sum())
    order = torch.randperm(n, generator=torch.Generator().manual_seed(0))
    assert 0 <= float(frechet_distance(x, x)) <= 1e-10 * trace
    assert 0 <= float(frechet_distance(x, x[order])) <= 1e-9 * trace


@pytest.mark.parametrize("first", ["decay to 1e-6", "decay to 1e-30", "dominant", "isotropic"])
@pytest.mark.parametrize("second", ["isotropic", "decay to 1e-15"])
def test_the_oracle_in_eighty_digits(first, second):
    mpmath = pytest.importorskip("mpmath")
    d = 5
    x = normal(12, d, 1) * spectrum(first, d)
    y = normal(9, d, 2) * spectrum(second, d) @ rotation(d, 3) + 0.5
    with mpmath.workdps(80):

        def moments(z):
            rows = mpmath.matrix(z.tolist())
            mean = mpmath.matrix([mpmath.fsum(rows[:, j]) / len(z) for j in range(d)])
            for i in range(len(z)):
                for j in range(d):
                    rows[i, j] -= mean[j]
            return mean, rows.T * rows / (len(z) - 1)

        (m1, c1), (m2, c2) = moments(x), moments(y)
        values, axes = mpmath.eigsy(c1)
        root = axes * mpmath.diag([mpmath.sqrt(max(v, 0)) for v in values]) * axes.T
        product = mpmath.eigsy(root * c2 * root, eigvals_only=True)
        cross = mpmath.fsum(mpmath.sqrt(max(v, 0)) for v in product)
        trace = mpmath.fsum(c1[i, i] + c2[i, i] for i in range(d))
        want = float(mpmath.fsum(v**2 for v in m1 - m2) + trace - 2 * cross)
    got, size = oracle(x, y)
    assert abs(got - want) <= 1e-13 * size
    assert abs(float(frechet_distance(x, y)) - want) <= 1e-9 * size


# --- what the formula promises, at sizes of practice


def test_few_samples_of_many_features_have_no_distance_to_themselves():
    x = normal(500, 2048, 1)
    trace = 2 * float(centred(x).square().sum())
    order = torch.randperm(500, generator=torch.Generator().manual_seed(0))
    assert 0 <= float(frechet_distance(x, x)) <= 1e-13 * trace
    assert 0 <= float(frechet_distance(x, x[order])) <= 1e-13 * trace
    y = normal(400, 2048, 2) * 1.1
    assert float(frechet_distance(x, y)) == pytest.approx(float(frechet_distance(y, x)), rel=1e-12)


def test_many_samples_have_no_distance_to_themselves():
    x = normal(3000, 64, 1) @ normal(64, 64, 2)
    trace = 2 * float(centred(x).square().sum())
    order = torch.randperm(3000, generator=torch.Generator().manual_seed(0))
    for other in (x, x[order]):
        assert 0 <= float(frechet_distance(x, other)) <= 1e-13 * trace
        statistics = [GaussianStatistics.from_features(z) for z in (x, other)]
        assert 0 <= float(frechet_distance(*statistics)) <= 1e-13 * trace


@pytest.mark.parametrize(("n", "d"), [(40, 30), (12, 30), (2, 1)])
def test_equal_covariances_give_the_gap_of_the_means(n, d):
    x, shift = normal(n, d, 1) * 0.1, normal(1, d, 2)
    want = float(shift.square().sum())
    assert float(frechet_distance(x, x + shift)) == pytest.approx(want, rel=1e-9)
    cov = torch.cov(x.T).reshape(d, d)
    assert frechet_from_moments(shift[0], cov, 0 * shift[0], cov) == pytest.approx(want, rel=1e-9)


@pytest.mark.parametrize(("n", "m"), [(300, 200), (20, 15), (20, 200)])
def test_offset_of_a_million_deviations(n, m):
    d = 25  # multiples of 1/1024, so that adding the offset is exact
    x, y = ((normal(k, d, k) * s * 1024).round() / 1024 for k, s in ((n, 1.0), (m, 1.2)))
    want = float(frechet_distance(x, y))
    assert float(frechet_distance(x + 1e6, y + 1e6)) == pytest.approx(want, rel=1e-9)
    far = [GaussianStatistics.from_features(z + 1e6) for z in (x, y)]
    assert float(frechet_distance(*far)) == pytest.approx(want, rel=1e-9)


def test_interval_holds_the_value_at_every_rank():
    for n, m, d in ((100, 80, 5), (20, 15, 40), (20, 100, 40), (40, 40, 40)):
        x, y = normal(n, d, 1), normal(m, d, 2) * 1.2
        result = frechet_distance(x, y, confidence=0.95)
        low, high, level = result.interval
        assert level == 0.95
        assert 0 <= low < float(result) < high
        flat = [torch.cat([z, z[:, :1], torch.ones(len(z), 1)], 1) for z in (x, y)]
        degenerate = frechet_distance(*flat, confidence=0.95)
        assert degenerate.interval.low < float(degenerate) < degenerate.interval.high

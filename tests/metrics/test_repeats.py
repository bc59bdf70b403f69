"""Near repeats: equal to brute force where that is hardest, and a test that keeps its level."""

import json
import math
import sys

import numpy as np
import pytest
import torch

from gqlib.metrics import RepeatsResult, repeats
from gqlib.metrics._pairs import Blocks
from gqlib.metrics.memorisation import _apart, nearest_other
from tests.samples import normal

#: The name of the module is that of its function.
module = sys.modules[repeats.__module__]


def integers(low, high, n, d, seed=0):
    return torch.randint(low, high, (n, d), generator=torch.Generator().manual_seed(seed)).double()


def subset(x, n, seed):
    return x[torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))[:n]]


def few_prototypes(n, d, of, jitter, seed=0):
    """n fakes that are ``of`` different ones, moved a little."""
    return normal(of, d, seed).repeat(-(-n // of), 1)[:n] + jitter * normal(n, d, seed + 1)


def by_differences(x):
    x = torch.as_tensor(x).double()
    squares = (x[:, None] - x[None]).square().sum(-1)
    return squares, squares.clone().fill_diagonal_(math.inf).min(1).values.sqrt()


def brute_force(x, y):
    """The formulas: value, null, and the distinct fakes if there are few."""
    real, fake = (torch.as_tensor(z).double().var(0).sum().sqrt().item() for z in (x, y))
    shrinkage = min(1.0, fake / real) if real and fake else 1.0
    apart = by_differences(x)[1]
    q = sorted(apart.tolist())[math.ceil(len(x) / 100)]
    squares, nearest = by_differences(y)
    near = squares < (q * shrinkage) ** 2
    near.fill_diagonal_(True)
    null = float((apart < q * (1 - 1e-9)).double().mean())
    value = float((nearest < q * (1 - 1e-9) * shrinkage).double().mean())
    return value, null, float((1 / near.sum(1).double()).sum())


def with_outlier(x):
    x = x.clone()
    x[0] = 1e4
    return x


HARD = {
    "normal": (normal(150, 5, 1), normal(150, 5, 2)),
    "twenty": (normal(20, 3, 1), normal(20, 3, 2)),
    "a hundred and one": (normal(101, 3, 1), normal(101, 3, 2) * 2),
    "one feature": (normal(120, 1, 1), normal(120, 1, 2)),
    "many features": (normal(60, 300, 1), few_prototypes(60, 300, 7, 0.01, 2)),
    "prototypes": (normal(200, 4, 1), few_prototypes(200, 4, 10, 1e-3, 2)),
    "copies": (normal(200, 4, 1), few_prototypes(200, 4, 30, 0.0, 2)),
    "half of them copies": (
        normal(200, 4, 1),
        torch.cat([normal(100, 4, 2), few_prototypes(100, 4, 5, 0, 3)]),
    ),
    "float32": (normal(90, 5, 1, torch.float32), few_prototypes(90, 5, 9, 0.01, 2).float()),
    "one pair of equal real samples": (
        torch.cat([normal(199, 4, 1), normal(1, 4, 1)]),
        normal(200, 4, 2),
    ),
    "real copies": (normal(50, 4, 1).repeat(2, 1), normal(20, 4, 2).repeat(5, 1)),
    "lattice": (integers(0, 4, 150, 6, 1), integers(0, 4, 150, 6, 2)),
    "the same lattice in another order": (
        integers(0, 4, 90, 6, 1),
        integers(0, 4, 90, 6, 1).flip(0),
    ),
    "all real ones equal": (torch.ones(30, 3), normal(30, 3, 2)),
    "all fakes equal": (normal(150, 3, 2), torch.full((150, 3), 0.1, dtype=torch.float64)),
    "all equal": (torch.ones(30, 3), torch.zeros(30, 3)),
    "outlier": (with_outlier(normal(150, 4, 1)), with_outlier(few_prototypes(150, 4, 5, 0.1, 2))),
    "far out": (normal(150, 4, 1) + 1e6, few_prototypes(150, 4, 15, 1e-3, 2) + 1e6),
    "tiny": (normal(90, 4, 1) * 1e-12, few_prototypes(90, 4, 9, 1e-3, 2) * 1e-12),
    "huge": (normal(90, 4, 1) * 1e12, few_prototypes(90, 4, 9, 1e-3, 2) * 1e12),
    "a pair of real ones that is nearly equal": (
        normal(90, 64, 1) * (torch.arange(90) > 5)[:, None] + 1e-4 * normal(90, 64, 2),
        few_prototypes(90, 64, 9, 1e-5, 3),
    ),
}


# --- against brute force


@pytest.mark.parametrize("single", [False, True], ids=["double", "single"])
@pytest.mark.parametrize("tile", [1024, 16])
@pytest.mark.parametrize("name", HARD)
def test_against_brute_force(name, tile, single):
    blocks = Blocks(tile=tile, large=0) if single else Blocks(tile=tile)
    x, y = HARD[name]
    value, null, distinct = brute_force(x, y)
    apart = (_apart(z, blocks).sqrt() for z in (x, y))
    got = module.repeats_of(x, y, *apart, blocks=blocks)
    assert (float(got), got.expected) == (value, null)
    assert got.distinct == pytest.approx(distinct if got.p_value < 0.01 else len(y), rel=1e-9)
    assert (got.n_real, got.n_fake, got.name) == (len(x), len(y), "near repeats")


def test_what_is_to_be_expected_of_known_repeats():
    x = normal(200, 8, 1)
    for of, jitter in ((1, 0), (2, 0), (2, 1e-4), (5, 1e-4), (40, 0), (40, 1e-4)):
        got = repeats(x, few_prototypes(200, 8, of, jitter, 2))
        assert float(got) == 1
        assert got.distinct == pytest.approx(of)
        assert got.p_value < 1e-20
    # A single one with noise on it has the noise's distribution at another scale.
    assert float(repeats(x, few_prototypes(200, 8, 1, 1e-4, 2))) < 0.05
    fresh = repeats(x, normal(200, 8, 2))
    assert fresh.distinct == 200
    assert fresh.expected == 0.01
    # Of n real samples about one in a hundred lies nearer than the quantile.
    for n in (20, 99, 100, 101, 550):
        assert round(repeats(normal(n, 8, 3), normal(n, 8, 4)).expected * n) in (
            math.ceil(n / 100) - 1,
            math.ceil(n / 100),
        )


def test_noise_and_blur_alone_make_no_repeats():
    x, y = normal(300, 8, 1), normal(300, 8, 2)
    for fake in (y + 3, y * 0.1, y * 10, y + normal(300, 8, 3), y + 5 * normal(300, 8, 3)):
        assert float(repeats(x, fake)) < 0.05


@pytest.mark.parametrize("factor", [1 / 8, 3.0, 2.0**20])
def test_smaller_fakes_and_other_units_and_origins_do_not_matter(factor):
    x, y = normal(120, 5, 1), few_prototypes(120, 5, 40, 0.1, 2) / 2
    want = repeats(x, y, confidence=0.9)
    assert 0 < want.value < 1
    smaller = min(factor, 1 / factor)
    for real, fake in (
        (x * factor, y * factor),
        (x, y * smaller - 7),
        (x / smaller, y),
        (x + 100, y),
        (-x, y + 3),
    ):
        got = repeats(real, fake, confidence=0.9)
        assert got.value == want.value
        assert (got.interval, got.expected, got.p_value) == (
            want.interval,
            want.expected,
            want.p_value,
        )
        assert got.distinct == pytest.approx(want.distinct)


@pytest.mark.parametrize("name", ["prototypes", "lattice", "copies", "half of them copies"])
def test_order_of_rows_does_not_matter(name):
    x, y = HARD[name]
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    got, want = repeats(x[order], y[order]), repeats(x, y)
    assert (got.value, got.expected, got.p_value) == (want.value, want.expected, want.p_value)
    assert got.distinct == pytest.approx(want.distinct)


def test_rounding_of_the_spread_decides_nothing():
    # The same points in another order: their spread differs in the last digit, and all are tied.
    x = integers(0, 3, 90, 10, 1)
    for seed in range(10):
        y = subset(x, 90, seed)
        for fake in (y, y * 0.3):
            got = repeats(x, fake)
            assert got.value == got.expected


@pytest.mark.parametrize("kind", [torch.float32, torch.float16, torch.bfloat16, torch.int16])
def test_types_are_widened(kind):
    x, y = normal(80, 6, 1) * 50, few_prototypes(80, 6, 40, 0.2, 2) * 50
    a, b = x.to(kind), y.to(kind)
    assert repeats(a, b, confidence=0.9) == repeats(a.double(), b.double(), confidence=0.9)


def test_arrays_and_lists():
    x, y = normal(40, 3, 1), few_prototypes(40, 3, 5, 1e-3, 2)
    want = repeats(x, y)
    assert repeats(x.numpy(), y.numpy()) == want
    assert repeats(x.tolist(), y.numpy()[:, ::-1][:, ::-1]) == want
    assert repeats(x.numpy().astype(">f8"), y.T.contiguous().T) == want


def test_known_distances_give_the_same():
    x, y = normal(120, 4, 1), few_prototypes(120, 4, 30, 1e-2, 2)
    got = module.repeats_of(x, y, nearest_other(x), nearest_other(y), 0.9)
    assert got == repeats(x, y, confidence=0.9)


# --- unequal sizes


@pytest.mark.parametrize(("n", "m"), [(300, 100), (100, 300), (20, 21)])
def test_of_the_larger_side_a_random_subset(n, m):
    x, y = normal(n, 4, 1), few_prototypes(m, 4, m // 3, 0.1, 2)
    few = min(n, m)
    for seed in (0, 5):
        got = repeats(x, y, confidence=0.9, seed=seed)
        parts = (z if len(z) == few else subset(z, few, seed) for z in (x, y))
        assert got == repeats(*parts, confidence=0.9)
        assert (got.n_real, got.n_fake) == (few, few)
        assert got == repeats(x, y, confidence=0.9, seed=seed)
    assert repeats(x, y) == repeats(x, y, seed=0)


def test_another_seed_is_another_subset():
    x, y = normal(100, 4, 1), few_prototypes(300, 4, 100, 0.1, 2)
    assert len({repeats(x, y, seed=seed).value for seed in range(5)}) > 1
    # Nothing is drawn where nothing is left over.
    assert len({repeats(x, y[:100], seed=seed).value for seed in range(5)}) == 1


def test_arguments_and_random_state_are_left_alone():
    x, y = normal(60, 4, 1), few_prototypes(90, 4, 5, 0, 2)
    copies, state = (x.clone(), y.clone()), torch.get_rng_state()
    repeats(x, y, confidence=0.9)
    assert torch.equal(x, copies[0])
    assert torch.equal(y, copies[1])
    assert torch.equal(torch.get_rng_state(), state)


# --- the p-value and the interval


def shuffled(n, runs=20_000):
    """How many of n fakes come before the first of n real samples, in random orders."""
    fakes = np.random.default_rng(0).permuted(np.tile(np.arange(2 * n) < n, (runs, 1)), axis=1)
    return np.argmin(fakes, axis=1)


def test_p_value_is_that_of_exchangeable_pairs():
    # 80 samples a side: 40 pairs, of which the nearest real one is the limit.
    x, n = normal(80, 4, 1), 40
    counts = shuffled(n)
    seen = set()
    for copied in range(25):
        y = normal(80, 4, 2)
        y[:copied] = y[80 - copied :].clone()
        got = repeats(x, y)
        assert got.expected == 0
        c = round(float(got) * 80) // 2
        share = float((counts >= c).mean())
        assert got.p_value == pytest.approx(share, abs=4 * math.sqrt(0.25 / len(counts)))
        # The first c of all 2n are fakes.
        assert got.p_value == pytest.approx(math.comb(2 * n - c, n) / math.comb(2 * n, n))
        seen.add(c)
    assert len(seen) > 15


def test_p_value_with_real_samples_before_the_limit():
    # 600 a side, 6 real ones below the limit: P(c fakes or more before the 4th of 300 real pairs).
    x, n = normal(600, 4, 1), 300
    for copied in (0, 3, 8, 20, 60):
        y = normal(600, 4, 2)
        y[:copied] = y[600 - copied :].clone()
        got = repeats(x, y)
        assert got.expected == 6 / 600
        c = round(float(got) * 600) // 2
        orders = sum(math.comb(c + 3, r) * math.comb(2 * n - c - 3, n - r) for r in range(4))
        assert got.p_value == pytest.approx(orders / math.comb(2 * n, n), rel=1e-9)


def test_outliers_are_no_repeats():
    x, plain = normal(400, 8, 1), normal(400, 8, 2)
    for share in (0.01, 0.1, 0.3, 0.49):
        fake = plain.clone()
        fake[: int(400 * share)] *= 30
        assert float(repeats(x, fake)) <= float(repeats(x, plain)) < 0.05


LAWS = {
    "outliers": lambda n, seed: (
        normal(n, 8, seed) * torch.where(integers(0, 50, n, 1, seed) == 0, 20, 1)
    ),
    "heavy tails": lambda n, seed: normal(n, 4, seed) / normal(n, 3, -seed).norm(dim=1)[:, None],
    "normal": lambda n, seed: normal(n, 4, seed),
    "one feature": lambda n, seed: normal(n, 1, seed),
    "uneven": lambda n, seed: normal(n, 6, seed).clamp(min=0) ** 2,
    "groups of different density": lambda n, seed: (
        normal(n, 3, seed) * torch.tensor([0.01, 1, 5])[integers(0, 3, n, 1, seed).long()]
    ),
    "lattice": lambda n, seed: integers(0, 3, n, 10, seed),
    "lattice in float32": lambda n, seed: integers(0, 3, n, 10, seed).float() * 0.1,
    "binary": lambda n, seed: integers(0, 2, n, 20, seed),
}


@pytest.mark.parametrize("law", LAWS)
def test_a_faithful_sample_alarms_no_more_often_than_its_p_says(law):
    runs = 250
    p = np.array(
        [
            repeats(LAWS[law](120, 2 * i), LAWS[law](120, 2 * i + 1)).p_value
            for i in range(1000, 1000 + runs)
        ]
    )
    for level in (0.003, 0.01, 0.05, 0.2, 0.5):
        assert (p <= level).mean() <= level + 3 * math.sqrt(level * (1 - level) / runs), level
    if "lattice" not in law and law != "binary":
        assert (p <= 0.5).mean() > 0.2  # and is not always 1


def test_what_fakes_of_the_real_law_get():
    got = [repeats(normal(200, 4, 2 * i), normal(200, 4, 2 * i + 1)) for i in range(200)]
    values, nulls = (np.array([getattr(r, name) for r in got]) for name in ("value", "expected"))
    # Before the (u + 1)-th of n real ones come u + 1 fakes, or u + 2 where they come in pairs.
    error = 3 * values.std() / math.sqrt(len(values))
    assert nulls.mean() + 1 / 200 - error < values.mean() < nulls.mean() + 2 / 200 + error


@pytest.mark.parametrize("level", [0.5, 0.95, 0.999])
def test_interval(level):
    x = normal(60, 4, 1)
    for copied in (0, 1, 5, 20, 30):
        y = normal(60, 4, 2)
        y[:copied] = y[60 - copied :].clone()
        got = repeats(x, y, confidence=level)
        low, high, stated = got.interval
        assert stated == level
        assert 0 <= low <= float(got) <= high <= 1
        assert low < high
        # Wilson's, for half as many: at its ends the test of a share is as unclear as it says.
        z = torch.special.ndtri(torch.tensor(0.5 + level / 2, dtype=torch.float64))
        for end in (low, high):
            if 0 < end < 1:
                error = math.sqrt(end * (1 - end) / 30)
                assert abs(float(got) - end) / error == pytest.approx(float(z))
    assert repeats(x, y).interval is None


# --- what a reader is told


def test_more_equal_real_samples_than_the_quantile_are_reported():
    x, y = normal(200, 3, 1), normal(200, 3, 2)
    for equal in (1, 2):
        real = x.clone()
        real[1 : 1 + equal] = real[0].clone()
        got = repeats(real, y[:1].expand(200, 3))
        if equal == 1:  # two of two hundred
            assert got.warnings == ()
            assert float(got) == 1
        else:
            assert got.warnings[0].startswith("3 of 200 real samples equal another one")
            assert (float(got), got.p_value, got.distinct) == (0, 1, 200)
    assert repeats(x, y).warnings == ()
    assert repeats(x, x).warnings == ()


def test_fields_json_and_table():
    got = repeats(normal(40, 3, 1), few_prototypes(60, 3, 4, 1e-3, 2), confidence=0.9)
    assert isinstance(got, RepeatsResult)
    back = json.loads(got.json())
    assert back["distinct"] == got.distinct < 5
    assert back["p_value"] == got.p_value
    assert back["expected"] == got.expected == 0
    assert back["interval"]["level"] == 0.9
    assert "near repeats" in got._repr_html_()


OK = torch.eye(20)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: repeats(OK[:19], OK), "real has 19 samples, expected at least 20"),
        (lambda: repeats(OK, OK[:19]), "fake has 19 samples, expected at least 20"),
        (lambda: repeats(OK, OK[:0]), "fake has 0 samples"),
        (lambda: repeats(OK[0], OK), r"real has shape \(20,\)"),
        (lambda: repeats(OK, OK[None]), r"fake has shape \(1, 20, 20\)"),
        (lambda: repeats(OK, OK[:, :3]), "real has 20 features .* fake has 3"),
        (lambda: repeats(OK[:, :0], OK), "at least one feature"),
        (lambda: repeats(OK * math.nan, OK), "real holds 400 values"),
        (lambda: repeats(OK, OK / 0), "fake holds 400 values"),
        (lambda: repeats(OK * 1j, OK), "real is complex"),
        (lambda: repeats([["a"]] * 20, OK), "expected real numbers"),
        (lambda: repeats(OK, OK, confidence=95), "confidence=95"),
        (lambda: repeats(OK, OK, confidence=0), "confidence=0"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)

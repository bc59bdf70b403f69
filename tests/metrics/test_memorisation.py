"""Authenticity and C_T: brute force in the hard cases, closed forms, and what copies do."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import scipy.stats
import torch

from gqlib.metrics import authenticity, copying_test
from gqlib.metrics import memorisation as module
from gqlib.metrics._pairs import Blocks
from gqlib.metrics.memorisation import copying_z, nearest
from gqlib.metrics.result import wilson_interval
from tests.samples import normal


def integers(low, high, n, d, seed=0):
    return torch.randint(low, high, (n, d), generator=torch.Generator().manual_seed(seed))


def by_differences(x, y):
    return (
        (torch.as_tensor(x).double()[:, None] - torch.as_tensor(y).double()[None]).square().sum(-1)
    )


def heaps(n, d, seed):
    return normal(n, d, seed) + 1e8 * (torch.arange(n) % 2)[:, None]


def with_outlier(x):
    x = x.clone()
    x[3] = 1e4
    return x


TRAIN = normal(50, 4, 1)
#: Training set, held-out set, fakes.
HARD = {
    "normal": (TRAIN, normal(30, 4, 2), normal(40, 4, 3)),
    "float32": tuple(normal(n, 4, n, torch.float32) for n in (50, 30, 40)),
    "many features": (normal(50, 300, 1), normal(30, 300, 2), normal(40, 300, 3)),
    "copies": (TRAIN, normal(30, 4, 2), TRAIN[[4, 4, 4, 9, 0, 31]]),
    "some copies": (TRAIN, TRAIN[:5], torch.cat([TRAIN[10:30], normal(20, 4, 3)])),
    "duplicates within train": (TRAIN[:25].repeat(2, 1), TRAIN[:3], normal(40, 4, 3)),
    "all equal": (torch.ones(9, 3), torch.ones(4, 3), torch.ones(5, 3)),
    "lattice": tuple(integers(0, 3, n, 3, n).double() for n in (50, 30, 40)),
    "lattice far out": tuple(integers(0, 3, n, 3, n).double() + 1e6 for n in (50, 30, 40)),
    "outlier": (with_outlier(TRAIN), with_outlier(normal(30, 4, 2)), normal(40, 4, 3)),
    "outlier among fakes": (TRAIN, normal(30, 4, 2), with_outlier(normal(40, 4, 3))),
    "far out": (TRAIN + 1e6, normal(30, 4, 2) + 1e6, normal(40, 4, 3) + 1e6),
    "two heaps": (heaps(50, 4, 1), heaps(30, 4, 2), heaps(40, 4, 3)),
    "fakes far off": (TRAIN, normal(30, 4, 2), normal(40, 4, 3) + 1e7),
    "smallest": (TRAIN[:2], normal(1, 4, 2), normal(1, 4, 3)),
    "beyond single precision": tuple(normal(n, 4, n) * 1e25 for n in (50, 30, 40)),
    "below single precision": tuple(normal(n, 4, n) * 1e-25 for n in (50, 30, 40)),
}


@pytest.fixture(params=["double", "single"])
def blocks(request):
    """The second forces matrix products in single precision; answers must not depend on it."""
    return Blocks(large=0) if request.param == "single" else Blocks()


def both(train, holdout, fake, *, blocks):
    """Authenticity and C_T, worked out in other blocks."""
    search = module.Search({"train": train, "holdout": holdout, "fake": fake}, 2, blocks)
    return module.authenticity_of(search), module.copying_of(search)


@pytest.mark.parametrize("tile", [1024, 7])
@pytest.mark.parametrize("case", HARD)
def test_against_brute_force(blocks, case, tile):
    blocks = replace(blocks, tile=tile)
    train, holdout, fake = HARD[case]
    apart = by_differences(train, train)
    apart.fill_diagonal_(math.inf)
    apart = apart.amin(1)

    for given in (fake, holdout):
        squares = by_differences(given, train)
        found, index = module._nearest(given, train, blocks)
        torch.testing.assert_close(found.sqrt(), squares.amin(1).sqrt(), rtol=1e-14, atol=0)
        assert torch.equal(nearest(given, train)[0], found.sqrt())
        torch.testing.assert_close(
            squares.gather(1, index[:, None])[:, 0], squares.amin(1), rtol=1e-14, atol=0
        )

    def share(given):
        # Of equally near training samples any may be taken: the shares that come of it.
        squares = by_differences(given, train)
        near = squares == squares.amin(1, keepdim=True)
        far = squares.amin(1, keepdim=True) > apart[None]
        sure, possible = (far | ~near).all(1), (far & near).any(1)
        return float(sure.double().mean()), float(possible.double().mean())

    result, copied = both(train, holdout, fake, blocks=blocks)
    for value, given in ((float(result), fake), (result.expected, holdout)):
        low, high = share(given)
        assert low <= value <= high

    distances = [by_differences(given, train).amin(1) for given in (fake, holdout)]
    u = (distances[0][:, None] > distances[1]).double() + (
        distances[0][:, None] == distances[1]
    ) / 2
    n, m = u.shape
    want = (float(u.sum()) - n * m / 2) / math.sqrt(n * m * (n + m + 1) / 12)
    assert float(copied) == pytest.approx(want, rel=1e-12, abs=1e-12)


# --- closed forms


@pytest.mark.parametrize(("n", "m"), [(40, 30), (1, 30), (40, 1), (200, 500)])
def test_a_model_of_copies(n, m):
    fake, holdout = TRAIN[torch.arange(n) % 50], normal(m, 4, 2)
    want = -(n * m / 2) / math.sqrt(n * m * (n + m + 1) / 12)
    assert float(copying_test(TRAIN, holdout, fake)) == pytest.approx(want, rel=1e-13)
    assert float(authenticity(TRAIN, fake)) == 0
    # And of a model that is always farther off than the held-out set.
    far = copying_test(TRAIN, holdout, fake + 100)
    assert float(far) == pytest.approx(-want, rel=1e-13)
    assert float(authenticity(TRAIN, fake + 100)) == 1


@pytest.mark.parametrize(("n", "m"), [(40, 30), (5, 60), (200, 500)])
def test_an_interval_at_the_end_of_the_scale_holds_the_value(n, m):
    copies, holdout = TRAIN[torch.arange(n) % 50], normal(m, 4, 2)
    for fake in (copies, copies + 100):  # below all held-out samples, above all of them
        result = copying_test(TRAIN, holdout, fake, confidence=0.95)
        assert result.interval.low <= float(result) <= result.interval.high
        assert result.interval.high > result.interval.low


def test_by_hand():
    # Train 0, 1, 5: neighbours at 1, 1, 4. Fakes: 2 is 1 from 1 (not farther: strict), 3.5 is 1.5
    # from 5, 9.5 is 4.5 from 5, −1.5 is 1.5 from 0.
    train, fake = [[0.0], [1], [5]], [[2.0], [3.5], [9.5], [-1.5]]
    assert float(authenticity(train, fake)) == 2 / 4
    # Held out at 1.5 and 6: distances 0.5 and 1 against 1, 1.5, 4.5, 1.5.
    got = float(copying_test(train, [[1.5], [6.0]], fake))
    assert got == pytest.approx((7.5 - 4) / math.sqrt(8 * 7 / 12))


def test_equal_sets_are_ties():
    x = normal(30, 4, 2)
    assert float(copying_test(TRAIN, x, x.flip(0))) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(("n", "m"), [(7, 9), (40, 25)])
def test_u_is_mann_and_whitneys(n, m):
    g = torch.Generator().manual_seed(n)
    fakes = torch.randint(0, 9, (n,), generator=g).double()
    held = torch.randint(0, 9, (m,), generator=g).double()
    u = scipy.stats.mannwhitneyu(fakes, held).statistic
    want = (u - n * m / 2) / math.sqrt(n * m * (n + m + 1) / 12)
    assert copying_z(fakes, held) == pytest.approx(want, rel=1e-13)
    assert copying_z(held, fakes) == pytest.approx(-want, rel=1e-13)


def test_fresh_samples_give_a_standard_normal_number():
    runs = 150
    pool = normal(runs * 60, 3, 5).reshape(runs, 60, 3)
    z = [float(copying_test(TRAIN[:, :3], p[:25], p[25:])) for p in pool]
    assert abs(np.mean(z)) < 3.5 / math.sqrt(runs)
    assert 0.8 < np.std(z) < 1.2


def test_nulls():
    result = copying_test(TRAIN, normal(400, 4, 2), normal(40, 4, 3), seed=4)
    assert abs(result.expected) < 0.5
    assert 0.7 < result.expected_std < 1.3
    again = copying_test(TRAIN, normal(400, 4, 2), normal(40, 4, 3), seed=4)
    assert (again.expected, again.expected_std) == (result.expected, result.expected_std)
    assert (
        copying_test(TRAIN, normal(400, 4, 2), normal(40, 4, 3), seed=5).expected != result.expected
    )
    # Held-out samples and fakes of one distribution: half of the pairs are above.
    holdout = normal(3000, 4, 2)
    faithful = authenticity(TRAIN, normal(3000, 4, 3), holdout)
    assert float(faithful) == pytest.approx(faithful.expected, abs=4 * math.sqrt(0.5 / 3000))
    assert copying_test(TRAIN, TRAIN[:1] + 1, TRAIN).expected is None


# --- what comes in, what comes out


def test_every_kind_of_array(blocks):
    sets = [integers(0, 200, n, 3, n) for n in (50, 30, 40)]
    train, holdout, fake = (s.double() for s in sets)
    want = float(authenticity(train, fake)), float(copying_test(train, holdout, fake))
    for to in (
        lambda t: t,
        lambda t: t.to(torch.uint8),
        lambda t: t.half(),
        lambda t: t.bfloat16(),
        lambda t: t.float().numpy(),
        lambda t: t.numpy().astype(">i2"),
        lambda t: t.tolist(),
        lambda t: t.T.contiguous().T,
        lambda t: t.float().requires_grad_(),
    ):
        a, b, c = map(to, sets)
        assert tuple(map(float, both(a, b, c, blocks=blocks))) == want


def test_offset_of_a_million_deviations():
    # Multiples of 1/64, so that adding the offset is exact.
    sets = [(normal(n, 4, n) * 64).round() / 64 for n in (50, 30, 40)]
    train, holdout, fake = sets
    far = [s + 1e6 for s in sets]
    assert float(authenticity(far[0], far[2])) == float(authenticity(train, fake))
    assert float(copying_test(*far)) == float(copying_test(train, holdout, fake))


def test_intervals():
    fake, holdout = normal(40, 4, 3), normal(30, 4, 2)
    result = authenticity(TRAIN, fake, holdout, confidence=0.9)
    assert result.interval == wilson_interval(round(float(result) * 40), 40, 0.9)
    result = copying_test(TRAIN, holdout, fake, confidence=0.9)
    low, high, level = result.interval
    assert level == 0.9
    assert low < float(result) < high
    assert copying_test(TRAIN, holdout, fake).interval is None


@pytest.mark.parametrize("n", [1, 2, 3, 7, 20, 49, 50, 333, 1000, 50000])
def test_wilsons_interval_reaches_the_ends(n):
    assert wilson_interval(0, n, 0.95).low == 0
    assert wilson_interval(n, n, 0.95).high == 1


def test_wilsons_interval_is_where_the_test_is_not_clear():
    low, high, _ = wilson_interval(10, 40, 0.95)
    for p in (low, high):
        assert abs(0.25 - p) / math.sqrt(p * (1 - p) / 40) == pytest.approx(1.959963985)


def test_wilsons_interval_for_half_samples():
    low, high, _ = wilson_interval(2.5, 20.5, 0.95)
    for p in (low, high):
        assert abs(2.5 / 20.5 - p) / math.sqrt(p * (1 - p) / 20.5) == pytest.approx(1.959963985)
    assert wilson_interval(0.0, 0.5, 0.9).low == 0
    assert wilson_interval(10.5, 10.5, 0.9).high == 1
    assert wilson_interval(5.0, 20.0, 0.9) == wilson_interval(5, 20, 0.9)


def test_results_tell_their_sizes():
    result = authenticity(TRAIN, normal(40, 4, 3))
    assert (result.n_train, result.n_fake, result.expected) == (50, 40, None)
    assert result.warnings == ("without a held-out set there is no value to expect",)
    result = copying_test(TRAIN, normal(30, 4, 2), normal(40, 4, 3))
    back = json.loads(result.json())
    assert (back["n_train"], back["n_holdout"], back["n_fake"]) == (50, 30, 40)


def test_arguments_and_random_state_are_left_alone():
    copy, state = TRAIN.clone(), torch.get_rng_state()
    copying_test(TRAIN, TRAIN[:9] + 1, TRAIN + 2, confidence=0.9)
    authenticity(TRAIN, TRAIN + 1, TRAIN[:9] + 1)
    assert torch.equal(TRAIN, copy)
    assert torch.equal(state, torch.get_rng_state())


OK = torch.eye(4)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: authenticity(OK[:1], OK), "train has 1 sample, expected at least 2"),
        (lambda: authenticity(OK, OK[:0]), "fake has 0 samples, expected at least 1"),
        (lambda: authenticity(OK, OK, OK[:0]), "holdout has 0 samples"),
        (lambda: authenticity(OK, OK[:, :3]), r"differ \(train 4, fake 3\)"),
        (lambda: authenticity(OK, OK, OK[:, :3]), r"differ \(train 4, fake 4, holdout 3\)"),
        (lambda: authenticity(OK * math.nan, OK), "train holds 16 values"),
        (lambda: authenticity(OK, OK / 0), "fake holds 16 values"),
        (lambda: authenticity(OK[0], OK), r"train has shape \(4,\)"),
        (lambda: authenticity(OK, OK[None]), r"fake has shape \(1, 4, 4\)"),
        (lambda: authenticity(OK, OK, confidence=95), "confidence=95"),
        (lambda: copying_test(OK, OK[:0], OK), "holdout has 0 samples"),
        (lambda: copying_test(OK[:0], OK, OK), "train has 0 samples"),
        (lambda: copying_test(OK, OK, OK[:0]), "fake has 0 samples"),
        (lambda: copying_test(OK, OK * math.inf, OK), "holdout holds 16 values"),
        (lambda: copying_test(OK, OK[:, :3], OK), r"differ \(train 4, holdout 3, fake 4\)"),
        (lambda: copying_test(OK, OK[0], OK), r"holdout has shape \(4,\)"),
        (lambda: copying_test(OK, OK, OK, confidence=95), "confidence=95"),
        (lambda: copying_test(OK, OK[:1], OK, confidence=0.9), "at least 2 samples a side"),
        (lambda: nearest(OK, OK[:, :3]), "4 features a sample and fake has 3"),
        (lambda: nearest(OK, OK[:0]), "pool has 0 samples"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()

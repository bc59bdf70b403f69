"""Representation gap: total variation, shifts that add up, and what chance alone gives."""

import json
import math

import numpy as np
import pytest
import scipy.stats
import torch

from gqlib.metrics import representation_gap


def labels(shares, n, seed=0):
    p = torch.tensor(shares, dtype=torch.float64)
    return torch.multinomial(p, n, True, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    ("real", "fake", "gap"),
    [
        ([0, 0, 1, 1], [0, 1], 0),
        ([0, 0, 1, 1], [0, 0, 0, 1], 1 / 4),
        ([0, 1], [2, 3, 4], 1),
        ([0], [0, 0, 0], 0),
        ([1, 2, 3, 4], [1, 2, 3, 3], 1 / 4),
        (["cat", "dog"], ["dog", "dog"], 1 / 2),
        ([True, False], [True, True, True, False], 1 / 4),
        ([-5, 10**12], [10**12, 10**12], 1 / 2),
        ([1.0, 2.0], [1, 1], 1 / 2),
    ],
)
def test_by_hand(real, fake, gap):
    result = representation_gap(real, fake)
    assert float(result) == pytest.approx(gap, abs=1e-15)
    assert sum(result.shifts.values()) == pytest.approx(0, abs=1e-15)
    assert sum(abs(s) for s in result.shifts.values()) / 2 == pytest.approx(gap, abs=1e-15)
    assert set(result.shifts) == {*real, *fake}
    assert (result.n_real, result.n_fake) == (len(real), len(fake))


def test_shifts_are_fake_less_real():
    result = representation_gap(["a"] * 3 + ["b"], ["a", "c"])
    assert result.shifts == pytest.approx({"a": -1 / 4, "b": -1 / 4, "c": 1 / 2})


def test_against_counting():
    real, fake = labels([5, 1, 3, 1, 0], 300, 1), labels([1, 2, 3, 0, 4], 200, 2)
    p, q = (np.bincount(t, minlength=5) / len(t) for t in (real, fake))
    result = representation_gap(real, fake)
    assert float(result) == pytest.approx(np.abs(p - q).sum() / 2, abs=1e-15)
    assert list(result.shifts.values()) == pytest.approx((q - p).tolist(), abs=1e-15)
    pooled = (300 * p + 200 * q) / 500
    null = np.sqrt(2 / math.pi * pooled * (1 - pooled) * (1 / 300 + 1 / 200)).sum() / 2
    assert result.expected == pytest.approx(null)
    table = np.stack([np.bincount(real, minlength=5), np.bincount(fake, minlength=5)])
    assert result.p_value == pytest.approx(scipy.stats.chi2_contingency(table).pvalue)


def test_every_kind_of_labels():
    real, fake = labels([5, 1, 3], 60, 1), labels([1, 2, 3], 50, 2)
    want = representation_gap(real, fake)
    kinds = [
        (real.tolist(), fake.tolist()),
        (real.numpy().astype("u1"), fake.to(torch.int8)),
        (real.float(), fake.double().numpy()),
        (tuple(real.tolist()), fake.numpy()[::-1]),
    ]
    for a, b in kinds:
        result = representation_gap(a, b)
        assert result.shifts == want.shifts
        assert result.p_value == want.p_value
    names = np.array(["zero", "one", "two"])
    result = representation_gap(names[real], [str(n) for n in names[fake]])
    assert {names.tolist().index(k): v for k, v in result.shifts.items()} == want.shifts


def test_symmetric_and_unaffected_by_order_and_names():
    real, fake = labels([5, 1, 3], 60, 1), labels([1, 2, 3], 50, 2)
    want, back = representation_gap(real, fake, 0.9), representation_gap(fake, real, 0.9)
    assert float(back) == float(want)
    assert back.expected == pytest.approx(want.expected, rel=1e-14)
    assert tuple(back.interval) == pytest.approx(tuple(want.interval), rel=1e-12)
    assert back.shifts == {k: -v for k, v in want.shifts.items()}
    assert float(representation_gap(real.flip(0), fake)) == float(want)
    assert float(representation_gap(7 - real, 7 - fake)) == pytest.approx(float(want), abs=1e-15)


def test_newcombes_example():
    # Newcombe 1998, table II: 56/70 − 48/80 by method 10.
    real, fake = [1] * 48 + [0] * 32, [1] * 56 + [0] * 14
    result = representation_gap(real, fake)
    assert result.shifts[1] == pytest.approx(0.2)
    low, high, level = result.shift_intervals[1]
    assert (low, high) == pytest.approx((0.0524, 0.3339), abs=5e-5)
    assert level == 0.95
    mirrored = result.shift_intervals[0]
    assert (-mirrored.high, -mirrored.low) == pytest.approx((low, high))


def test_intervals():
    real, fake = labels([5, 1, 3], 600, 1), labels([1, 2, 3], 500, 2)
    result = representation_gap(real, fake, confidence=0.9)
    assert 0 <= result.interval.low < float(result) < result.interval.high <= 1
    assert {i.level for i in result.shift_intervals.values()} == {0.9}
    for name, shift in result.shifts.items():
        assert result.shift_intervals[name].low < shift < result.shift_intervals[name].high
    assert representation_gap(real, fake).interval is None
    apart = representation_gap([0] * 50, [1] * 50, confidence=0.9)
    assert apart.interval.high == 1


def test_null_is_what_chance_gives():
    shares = [0.5, 0.3, 0.15, 0.05]
    runs = [
        representation_gap(labels(shares, 200, 2 * i), labels(shares, 150, 2 * i + 1))
        for i in range(200)
    ]
    gaps = np.array([float(r) for r in runs])
    nulls = np.array([r.expected for r in runs])
    assert gaps.mean() == pytest.approx(nulls.mean(), rel=0.1)
    p = np.array([r.p_value for r in runs])
    assert 0.01 < (p < 0.05).mean() < 0.1
    assert 0.4 < p.mean() < 0.6


def test_one_group_is_no_test():
    result = representation_gap([3, 3], [3])
    assert (result.p_value, result.expected, float(result)) == (1, 0, 0)


def test_rare_groups_are_reported():
    many = [0] * 500 + [1] * 500
    assert representation_gap(many, many).warnings == ()
    result = representation_gap(["a"] * 500, ["a"] * 498 + ["b"] * 2)
    assert "group 'b' is too rare" in result.warnings[0]


def test_json_keeps_the_groups():
    back = json.loads(representation_gap([0, 1, 1], [1, 2], 0.9).json())
    assert set(back["shifts"]) == {"0", "1", "2"}
    assert back["shift_intervals"]["2"]["level"] == 0.9
    assert "representation gap" in representation_gap([0, 1], [1])._repr_html_()


# --- counts, absent groups, and the gap without them


def of_counts(counts, confidence=None):
    """The gap of labels that occur as often as ``counts`` says: name to (real, fake)."""
    real, fake = ([name for name, pair in counts.items() for _ in range(pair[i])] for i in (0, 1))
    return representation_gap(real, fake, confidence)


def test_counts():
    counts = {"a": (3, 0), "b": (1, 5), "c": (0, 2)}
    result = of_counts(counts)
    assert result.counts == counts
    for name, pair in result.counts.items():
        assert all(type(number) is int for number in pair)
        assert result.shifts[name] == pytest.approx(pair[1] / 7 - pair[0] / 4)
    assert json.loads(result.json())["counts"] == {"a": [3, 0], "b": [1, 5], "c": [0, 2]}
    real, fake = labels([5, 1, 3], 60, 1), labels([1, 2, 3], 50, 2)
    want = zip(np.bincount(real).tolist(), np.bincount(fake).tolist(), strict=True)
    assert list(representation_gap(real, fake).counts.items()) == list(enumerate(want))


@pytest.mark.parametrize(
    ("counts", "absent"),
    [
        ({0: (200, 0), 1: (800, 1000)}, (0,)),
        ({0: (200, 5), 1: (800, 995)}, (0,)),  # a few that were misread
        ({0: (100, 0), 1: (100, 0), 2: (800, 1000)}, (0, 1)),
        ({"x": (0, 500), "y": (500, 0)}, ("y",)),
        ({0: (10, 0), 1: (990, 1000)}, ()),  # three are to be expected at a third
        ({0: (200, 100), 1: (800, 900)}, ()),  # a half is bias
        ({0: (2000, 1000), 1: (8000, 9000)}, ()),
        ({0: (200, 60), 1: (800, 940)}, ()),  # below a third, by chance for all that we know
        ({0: (20_000, 6000), 1: (80_000, 94_000)}, (0,)),
        ({0: (0, 500), 1: (1000, 500)}, ()),  # only fakes have it
        ({0: (200, 0), 1: (800, 10)}, ()),  # too few fakes to miss any
        ({0: (500, 500), 1: (500, 500)}, ()),
        ({0: (7, 9)}, ()),
    ],
)
def test_absent_groups(counts, absent):
    assert of_counts(counts).absent(0.01) == absent


def test_absent_is_the_exact_binomial_test():
    counts = {0: (40, 2), 1: (30, 3), 2: (20, 0), 3: (210, 245), 4: (0, 7)}
    n, m, result = 300, 257, of_counts(counts)
    chance = m / 3 / (m / 3 + n)  # that one of a group at a third of its share is a fake
    p = {
        name: scipy.stats.binomtest(b, a + b, chance, alternative="less").pvalue
        for name, (a, b) in counts.items()
    }
    for level in (0.5, 0.05, 0.01, 1e-3, 1e-6):
        want = tuple(name for name in counts if p[name] < level / 5)
        assert result.absent(level) == want
        for name in counts:  # at the very edge
            assert name in result.absent(p[name] * 5 * 1.0001)
            assert name not in result.absent(p[name] * 5 * 0.9999)
    assert len({result.absent(level) for level in (0.5, 0.05, 1e-6)}) == 3


@pytest.mark.parametrize("rest", [1 / 3, 1.0])
def test_absent_groups_are_wrongly_found_at_most_as_often_as_the_level_says(rest):
    # Nine of ten groups at a third of their share, where it is hardest, or at all of it.
    rng, runs, level = np.random.default_rng(0), 400, 0.2
    p = np.full(10, 0.1)
    q = np.array([0.1 * rest] * 9 + [1 - 0.9 * rest])
    wrong = 0
    for a, b in zip(rng.multinomial(600, p, runs), rng.multinomial(900, q, runs), strict=True):
        counts = dict(enumerate(zip(a.tolist(), b.tolist(), strict=True)))
        wrong += bool(of_counts(counts).absent(level))
    assert wrong / runs <= level + 3 * math.sqrt(level * (1 - level) / runs)
    assert wrong > 0.1 * level * runs or rest == 1  # the test is not idle either


@pytest.mark.parametrize("confidence", [None, 0.9])
@pytest.mark.parametrize("groups", [(), (1,), (0, 3), [2], ("no such",)])
def test_without_groups_is_the_gap_of_the_others(groups, confidence):
    real, fake = labels([5, 1, 3, 2], 300, 1), labels([1, 2, 3, 4], 200, 2)
    got = representation_gap(real, fake, confidence).without(groups)
    kept = [[x for x in side.tolist() if x not in groups] for side in (real, fake)]
    want = representation_gap(*kept, confidence)
    assert got == want
    assert (got.n_real, got.n_fake) == (len(kept[0]), len(kept[1]))
    assert (got.interval is None) == (confidence is None)
    assert {i.level for i in got.shift_intervals.values()} == {confidence or 0.95}


def test_without_keeps_nothing_of_the_warnings_that_left():
    result = of_counts({0: (500, 500), 1: (500, 490), 2: (0, 10)})
    assert "group 2 is too rare" in of_counts({0: (500, 500), 1: (500, 499), 2: (0, 1)}).warnings[0]
    assert of_counts({0: (500, 500), 1: (500, 499), 2: (0, 1)}).without([2]).warnings == ()
    assert result.without([2]).p_value > 100 * result.p_value


@pytest.mark.parametrize(
    ("counts", "groups"),
    [
        ({"a": (5, 5), "b": (3, 4)}, ("a", "b")),
        ({"a": (5, 5), "b": (3, 0)}, ("a",)),
        ({"a": (5, 5), "b": (0, 3)}, ("a",)),
        ({"a": (5, 0), "b": (0, 3)}, ("b",)),
    ],
)
def test_without_leaves_no_gap_where_a_side_has_nothing(counts, groups):
    assert of_counts(counts).without(groups) is None
    assert of_counts(counts).without(()) == of_counts(counts)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: representation_gap([], [1]), r"real_labels has shape \(0,\)"),
        (lambda: representation_gap([1], []), r"fake_labels has shape \(0,\)"),
        (lambda: representation_gap(torch.eye(3), [1]), r"real_labels has shape \(3, 3\)"),
        (lambda: representation_gap([1], 1), r"fake_labels has shape \(\), expected"),
        (lambda: representation_gap([0.5, 1], [1]), "real_labels are float64, expected integers"),
        (lambda: representation_gap([1], [math.nan]), "fake_labels are float64"),
        (lambda: representation_gap([1], [math.inf]), "fake_labels"),
        (lambda: representation_gap([1, 2], ["1", "2"]), "expected one kind"),
        (lambda: representation_gap([1 + 2j], [1]), "real_labels are complex128"),
        (lambda: representation_gap([None, None], [1]), "real_labels are object"),
        (lambda: representation_gap([None, "a"], ["a"]), "real_labels"),
        (lambda: representation_gap([1, "a"], [1, 2]), "one kind"),
        (lambda: representation_gap([1], [1], confidence=95), "confidence=95"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_mixed_kinds_on_both_sides_are_refused():
    # NumPy would turn the 1 into "1" without a word.
    with pytest.raises(ValueError, match="real_labels"):
        representation_gap([1, "a"], ["1", "a"])

"""Precision, recall, density, coverage: equal to brute force where that is hardest."""

import itertools
import json
import math
from dataclasses import replace

import numpy as np
import pytest
import scipy.stats
import torch

from gqlib.course.answers import lesson_10
from gqlib.metrics import NeighbourScores, _pairs, expected_coverage, neighbour_scores
from gqlib.metrics import neighbours as module
from gqlib.metrics._pairs import Blocks
from gqlib.metrics._split_half import DEGREES
from gqlib.metrics._validate import check_features
from tests.samples import normal


def integers(low, high, n, d, seed=0):
    return torch.randint(low, high, (n, d), generator=torch.Generator().manual_seed(seed))


def by_differences(x, y):
    x, y = (torch.as_tensor(z).double() for z in (x, y))
    return (x[:, None] - y[None]).square().sum(-1)


def radii(x, k):
    squares = by_differences(x, x)
    squares.fill_diagonal_(math.inf)
    return squares.sort(1).values[:, k - 1]


def brute_force(x, y, k):
    """The four definitions, all distances by differences in float64."""
    squares = by_differences(x, y)
    in_real, in_fake = squares <= radii(x, k)[:, None], squares <= radii(y, k)[None]
    return [
        float(in_real.any(0).double().mean()),
        float(in_fake.any(1).double().mean()),
        float(in_real.sum()) / (k * len(y)),
        float(in_real.any(1).double().mean()),
    ]


def clusters(n, d, seed):
    """Two heaps so far apart that float64's inner products know nothing of distances within."""
    return normal(n, d, seed) + 1e8 * (torch.arange(n) % 2)[:, None]


def with_outlier(x):
    x = x.clone()
    x[3] = 1e4
    return x


LATTICE = integers(0, 3, 45, 3, 1).double(), integers(0, 3, 38, 3, 2).double()
HARD = {
    "normal": (normal(40, 5, 1), normal(33, 5, 2)),
    "many features": (normal(40, 300, 1), normal(33, 300, 2) * 1.05),
    "one feature": (normal(40, 1, 1), normal(33, 1, 2)),
    "float32": (normal(40, 5, 1, torch.float32), normal(33, 5, 2, torch.float32)),
    "duplicates within": (normal(20, 4, 1).repeat(2, 1), normal(11, 4, 2).repeat(3, 1)),
    "duplicates between": (normal(40, 4, 1), torch.cat([normal(40, 4, 1)[:15], normal(12, 4, 2)])),
    "the same set": (normal(40, 4, 1), normal(40, 4, 1)),
    "lattice": LATTICE,
    "lattice far out": (LATTICE[0] + 1e6, LATTICE[1] + 1e6),
    "line of integers": (torch.arange(30.0)[:, None], torch.arange(0.0, 30, 1.5)[:, None]),
    "all equal": (torch.ones(12, 3), torch.ones(9, 3)),
    "equal to each other": (torch.ones(12, 3), torch.zeros(9, 3)),
    "outlier": (with_outlier(normal(40, 4, 1)), with_outlier(normal(33, 4, 2))),
    "far out": (normal(40, 4, 1) + 1e6, normal(33, 4, 2) + 1e6),
    "two heaps": (clusters(40, 4, 1), clusters(33, 4, 2)),
    "tiny": (normal(40, 4, 1) * 1e-12, normal(33, 4, 2) * 1e-12),
    "huge": (normal(40, 4, 1) * 1e12, normal(33, 4, 2) * 1e12),
    "beyond single precision": (normal(40, 4, 1) * 1e25, normal(33, 4, 2) * 1e25),
    "below single precision": (normal(40, 4, 1) * 1e-25, normal(33, 4, 2) * 1e-25),
    "scales": (
        normal(40, 6, 1) * torch.logspace(-6, 6, 6),
        normal(33, 6, 2) * torch.logspace(-6, 6, 6),
    ),
    "constant features": (
        torch.cat([normal(40, 2, 1), torch.ones(40, 3)], 1),
        torch.cat([normal(33, 2, 2), torch.ones(33, 3)], 1),
    ),
    "smallest": (normal(2, 3, 1), normal(2, 3, 2)),
}


#: With the second, matrix products are in single precision; answers must not depend on it.
PRECISIONS = {"double": Blocks(), "single": Blocks(large=0)}


@pytest.fixture(params=PRECISIONS)
def blocks(request):
    return PRECISIONS[request.param]


def scores(x, y, k=5, *, blocks):
    """The scores of any arrays, worked out in other blocks."""
    return module.scores_of(check_features(x, "real"), check_features(y, "fake"), k, blocks)


@pytest.mark.parametrize("tile", [1024, 7])
@pytest.mark.parametrize("case", HARD)
def test_against_brute_force(blocks, case, tile):
    x, y = HARD[case]
    most = min(len(x), len(y)) - 1
    for k in sorted({1, min(2, most), min(5, most), most}):
        got = scores(x, y, k, blocks=replace(blocks, tile=tile))
        assert got.values().tolist() == pytest.approx(brute_force(x, y, k), rel=1e-14), k


def test_k_reaches_to_the_last_of_each_set(blocks):
    x = normal(9, 3, 1)
    y = normal(30, 3, 2)
    for first, second in ((x, y), (y, x)):
        assert scores(first, second, 8, blocks=blocks).values().tolist() == pytest.approx(
            brute_force(first, second, 8), rel=1e-14
        )


@pytest.mark.parametrize(("name", "dtype"), [("double", torch.float64), ("single", torch.float32)])
def test_single_precision_is_really_forced(name, dtype):
    x, _ = _pairs.around_real(*HARD["normal"], PRECISIONS[name])
    assert x.centred.dtype == dtype


# --- closed forms and properties


def test_balls_are_closed_and_a_point_is_no_neighbour_of_itself():
    # Reals at 0, 1, 3 with k = 1: balls [−1, 1], [0, 2], [1, 5].
    # Fakes at −1 and 6: balls [−8, 6] and [−1, 13].
    got = neighbour_scores([[0.0], [1], [3]], [[-1.0], [6]], k=1)
    assert (got.precision, got.density) == (1 / 2, 1 / 2)
    assert got.coverage == 1 / 3
    assert got.recall == 1
    # A duplicate counts as a neighbour: its ball has radius 0, closed.
    got = neighbour_scores([[0.0], [0], [5]], [[0.0], [1]], k=1)
    assert (got.precision, got.coverage) == (1, 1)


def test_a_set_against_itself():
    x = normal(50, 3)
    got = neighbour_scores(x, x.flip(0), k=3)
    # Each point lies in its own ball and, without ties, each ball holds itself and 3 others.
    assert got.values().tolist() == [1, 1, 4 / 3, 1]


def test_far_apart():
    got = neighbour_scores(normal(30, 3, 1), normal(20, 3, 2) + 100)
    assert got.values().tolist() == [0, 0, 0, 0]


def test_precision_and_recall_change_places(blocks):
    x, y = normal(60, 4, 1), normal(45, 4, 2) * 1.3
    one, two = scores(x, y, blocks=blocks), scores(y, x, blocks=blocks)
    assert (one.precision, one.recall) == (two.recall, two.precision)


@pytest.mark.parametrize(("n", "m", "k"), [(2, 1, 1), (3, 2, 1), (4, 3, 2), (5, 2, 3), (6, 4, 5)])
def test_expected_coverage_against_enumeration(n, m, k):
    # Seen from a real sample, the n − 1 others and the m fakes come in any order alike.
    orders = list(itertools.combinations(range(n - 1 + m), m))  # places of the fakes
    covered = 0
    for places in orders:
        reals = [i for i in range(n - 1 + m) if i not in places]
        covered += min(places) < reals[k - 1]
    assert expected_coverage(n, m, k) == pytest.approx(covered / len(orders), rel=1e-13)


@pytest.mark.parametrize(("n", "m", "k", "d"), [(20, 15, 3, 2), (12, 30, 1, 5)])
def test_expectations_for_equal_laws(n, m, k, d):
    runs = 250
    draws = normal(runs * (n + m), d, 7).reshape(runs, n + m, d).exp()
    scores = [neighbour_scores(z[:n], z[n:], k) for z in draws]
    values = torch.stack([s.values() for s in scores])
    error = values.std(0) / runs**0.5
    assert scores[0].expected["density"] == 1
    assert scores[0].expected["coverage"] == expected_coverage(n, m, k)
    assert abs(float(values[:, 2].mean()) - 1) < 3.5 * error[2]
    assert abs(float(values[:, 3].mean()) - expected_coverage(n, m, k)) < 3.5 * error[3]


def test_null_of_precision_leaves_each_real_sample_out():
    x, y, k = normal(60, 4, 1), normal(45, 4, 2), 3
    inside = by_differences(x, x) <= radii(x, k)[:, None]
    inside.fill_diagonal_(False)
    want = float(inside.any(0).double().mean())
    null = neighbour_scores(x, y, k).expected
    assert null["precision"] == null["recall"] == want


# --- the parts: distances and radii


@pytest.mark.parametrize("case", HARD)
def test_radii_against_brute_force(blocks, case):
    for points in HARD[case]:
        for k in sorted({1, min(3, len(points) - 1), len(points) - 1}):
            got = lesson_10._radii(check_features(points, "x"), k, blocks)
            assert got.dtype == torch.float64
            torch.testing.assert_close(got, radii(points, k).sqrt(), rtol=1e-14, atol=0)


@pytest.mark.parametrize("case", HARD)
def test_distances_against_brute_force(case):
    x, y = HARD[case]
    got = lesson_10.pairwise_distances(x, y)
    assert got.shape == (len(x), len(y))
    torch.testing.assert_close(got, by_differences(x, y).sqrt(), rtol=1e-12, atol=0)


def test_equal_points_are_at_distance_zero():
    x = normal(60, 40, 1, torch.float32) + 300
    assert float(lesson_10.pairwise_distances(x, x).diagonal().max()) == 0
    twice = torch.cat([x, x])
    assert float(lesson_10.knn_radii(twice, 1).max()) == 0
    assert float(lesson_10.knn_radii(twice, 2).min()) > 0


def test_balls_from_radii_and_distances_give_the_scores():
    x, y, k = normal(60, 4, 1), normal(45, 4, 2) * 1.2, 3
    inside = lesson_10.pairwise_distances(x, y) <= lesson_10.knn_radii(x, k)[:, None]
    got = neighbour_scores(x, y, k)
    assert float(inside.any(0).double().mean()) == got.precision
    assert float(inside.sum()) / (k * 45) == pytest.approx(got.density, rel=1e-14)
    assert float(inside.any(1).double().mean()) == got.coverage


# --- what may come in


def test_every_kind_of_array(blocks):
    x, y = integers(0, 200, 40, 3, 1), integers(0, 200, 30, 3, 2)
    want = scores(x.double(), y.double(), blocks=blocks).values().tolist()
    assert want == pytest.approx(brute_force(x, y, 5))
    assert neighbour_scores(x.double(), y.double()).values().tolist() == want
    kinds = [
        (x.to(t), y.to(t))
        for t in (torch.float32, torch.float16, torch.bfloat16, torch.uint8, torch.int16)
    ]
    numbers = x.numpy(), y.numpy()
    kinds += [
        tuple(z.astype(t) for z in numbers)
        for t in ("f8", "f4", "f2", "u1", "u2", "u4", "u8", ">f4", ">i2", ">u2")
    ]
    kinds += [
        (x.tolist(), y.tolist()),
        (numbers[0][::-1][::-1], np.asfortranarray(numbers[1])),
        (torch.stack([x, -x], 2)[..., 0], y.T.contiguous().T),
        (x.double().requires_grad_(), y.double().expand(1, 30, 3)[0]),
        (numbers[0].astype("f8"), y.to(torch.float32)),
    ]
    for a, b in kinds:
        assert scores(a, b, blocks=blocks).values().tolist() == want, (type(a), a)


def test_booleans(blocks):
    x, y = integers(0, 2, 40, 9, 1), integers(0, 2, 30, 9, 2)
    want = brute_force(x, y, 3)
    got = scores(x.bool(), y.bool().numpy(), 3, blocks=blocks)
    assert got.values().tolist() == pytest.approx(want)


def test_reversed_rows():
    x, y = normal(40, 3, 1).numpy(), normal(30, 3, 2).numpy()
    want = neighbour_scores(x, y)
    assert neighbour_scores(x[::-1], y[::-1]).values().tolist() == want.values().tolist()


def test_the_arguments_stay_as_they_were():
    x, y = normal(40, 3, 1), normal(30, 3, 2)
    copies, state = (x.clone(), y.clone()), torch.get_rng_state()
    neighbour_scores(x, y, confidence=0.9)
    assert torch.equal(x, copies[0])
    assert torch.equal(y, copies[1])
    assert torch.equal(state, torch.get_rng_state())


# --- the result


def test_result_shows_itself():
    got = neighbour_scores(normal(40, 3, 1), normal(30, 3, 2), k=3, confidence=0.9)
    assert isinstance(got, NeighbourScores)
    with pytest.raises(TypeError, match=r"precision, recall, density, coverage.*by its name"):
        float(got)
    back = json.loads(got.json())
    assert back["precision"] == got.precision
    assert back["interval"]["density"]["level"] == 0.9
    assert (back["k"], back["n_real"], back["n_fake"]) == (3, 40, 30)
    page = got._repr_html_()
    assert all(name in page for name in got.VALUES)
    assert "90 % interval" in page


def test_intervals_are_seeded_and_in_range():
    x, y = normal(60, 3, 1), normal(50, 3, 2) + 0.5
    got = neighbour_scores(x, y, confidence=0.95, seed=1)
    assert neighbour_scores(x, y, confidence=0.95, seed=1) == got
    assert neighbour_scores(x, y, confidence=0.95, seed=2).interval != got.interval
    assert set(got.interval) == set(got.errors) == set(got.VALUES)
    for name in got.VALUES:
        low, high, level = got.interval[name]
        assert level == 0.95
        assert 0 <= low <= getattr(got, name) <= high
        assert got.errors[name] > 0
        assert high <= 1 or name == "density"
    assert neighbour_scores(x, y).interval is None
    wider = neighbour_scores(x, y, confidence=0.99, seed=1).interval["density"]
    assert wider.low < got.interval["density"].low


def test_p_value_falls_with_the_score():
    x = normal(200, 3, 1)
    same = neighbour_scores(x, normal(200, 3, 5), confidence=0.95)
    off = neighbour_scores(x, normal(200, 3, 2) + 2, confidence=0.95)
    for name in same.VALUES:
        assert 0 <= off.p_value_below(name) < 0.01 < same.p_value_below(name) <= 1
    with pytest.raises(ValueError, match=r"confidence=0\.95"):
        neighbour_scores(x, x).p_value_below("recall")


@pytest.mark.parametrize("share", [1.0, 0.5, 0.01])
def test_p_value_of_repeated_fakes_is_that_of_fewer(share):
    x = normal(200, 3, 1)
    got = neighbour_scores(x, normal(200, 3, 2) + 0.3, confidence=0.95)
    for name in got.VALUES:
        t = (getattr(got, name) - got.expected[name]) / got.gap_errors[name] * math.sqrt(share)
        want = scipy.stats.t.cdf(t, DEGREES)
        assert got.p_value_below(name, share) == pytest.approx(want)
    assert got.p_value_below("precision") == got.p_value_below("precision", 1.0)
    assert got.p_value_below("precision") < got.p_value_below("precision", 0.5) < 0.5


@pytest.mark.parametrize("case", HARD.values(), ids=HARD)
def test_one_search_gives_every_nearer_neighbour_too(case, blocks):
    x, y = (torch.as_tensor(z) for z in case)
    k = min(5, len(x) - 1, len(y) - 1)
    a, b = _pairs.around_real(x, y, blocks)
    accumulator = module.NeighbourAccumulator(a, b, k)
    _pairs.accumulate(a, b, accumulator)
    for side, z, points in (("real", x, a), ("fake", y, b)):
        assert torch.equal(accumulator.apart(side), radii(z, 1).sqrt())
        search = module.Nearest(points, k)
        for tile in _pairs.tiles(points):
            search.add(tile)
        for smaller in range(1, k + 1):
            squares, index = search.kth(smaller)
            assert torch.equal(squares, radii(z, smaller))
            found = by_differences(z, z)[torch.arange(len(z)), index]
            assert torch.equal(found, squares)
        assert all(torch.equal(p, q) for p, q in zip(search.kth(), search.kth(k), strict=True))


def test_few_samples_are_reported():
    got = neighbour_scores(normal(40, 3), normal(1000, 3, 1))
    assert len(got.warnings) == 1
    assert got.warnings[0].startswith("40 real samples are few")
    assert neighbour_scores(normal(1000, 2), normal(1000, 2, 1)).warnings == ()


OK = torch.eye(4)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: neighbour_scores(OK, OK, k=4), r"k=4 .* at least 5 samples a side, got 4"),
        (lambda: neighbour_scores(OK, OK[:3], k=3), "got 3 fake ones"),
        (lambda: neighbour_scores(OK, OK), "k=5 neighbours need"),
        (lambda: neighbour_scores(OK, OK, k=0), "k=0, expected"),
        (lambda: neighbour_scores(OK, OK, k=-1), "k=-1, expected"),
        (lambda: neighbour_scores(OK[0], OK, k=1), r"real has shape \(4,\), expected \(N, D\)"),
        (lambda: neighbour_scores(OK, OK[None], k=1), "fake has shape .* flatten"),
        (lambda: neighbour_scores(OK, OK[:, :3], k=1), "real has 4 features .* fake has 3"),
        (lambda: neighbour_scores(OK, OK[:1], k=1), "fake has 1 sample, expected at least 2"),
        (lambda: neighbour_scores(OK[:0], OK, k=1), "real has 0 samples"),
        (lambda: neighbour_scores(OK[:, :0], OK, k=1), "at least one feature"),
        (lambda: neighbour_scores(OK * math.nan, OK, k=1), r"real holds 16 .* index \(0, 0\)"),
        (lambda: neighbour_scores(OK, OK / 0, k=1), "fake holds 16 values"),
        (lambda: neighbour_scores(OK * 1j, OK, k=1), "real is complex"),
        (lambda: neighbour_scores([["a"]], OK, k=1), "expected real numbers"),
        (lambda: neighbour_scores(OK, OK, k=1, confidence=95), "confidence=95"),
        (lambda: neighbour_scores(OK, OK, k=2, confidence=0.9), "at least 6 samples a side, got 4"),
        (lambda: expected_coverage(5, 5, 5), "k=5 neighbours need"),
        (lambda: lesson_10.knn_radii(OK, 4), "k=4 neighbours need at least 5"),
        (lambda: lesson_10.knn_radii(OK, 0), "k=0, expected"),
        (lambda: lesson_10.knn_radii(OK[0], 1), r"x has shape \(4,\)"),
        (lambda: lesson_10.knn_radii(OK * math.nan, 1), "x holds 16"),
        (lambda: lesson_10.pairwise_distances(OK, OK[:, :3]), "x has 4 features .* y has 3"),
        (lambda: lesson_10.pairwise_distances(OK, OK[:0]), "y has 0 samples"),
        (lambda: lesson_10.pairwise_distances(OK[0], OK), r"x has shape \(4,\)"),
        (lambda: lesson_10.pairwise_distances(OK, OK / 0), "y holds 16"),
        (lambda: expected_coverage(5, 5, 0), "k=0, expected"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_messages_are_one_sentence_of_use():
    with pytest.raises(ValueError, match="pass more samples or a smaller k") as caught:
        module.check_k(5, 3, 9)
    assert "\n" not in str(caught.value)

"""The Fréchet distance: closed forms, properties, and statistics that merge."""

import math
import socket

import numpy as np
import pytest
import scipy.linalg
import torch

from gqlib._utils.distributed import end_process_group
from gqlib.course.answers import lesson_09
from gqlib.metrics import (
    GaussianStatistics,
    _fit,
    _frechet_error,
    _linalg,
    extrapolation,
    frechet_distance,
    frechet_distance_infinity,
    frechet_from_moments,
    sqrtm_psd,
)
from gqlib.metrics import frechet as module
from gqlib.metrics.result import log_interval
from tests.samples import normal


def mixed(n, d, seed=0):
    """Correlated features of very different scales."""
    return normal(n, d, seed) @ (normal(d, d, 99) * torch.logspace(0, -2, d, dtype=torch.float64))


def by_scipy(x, y):
    """The textbook formula, with the root of the product of the covariances."""
    x, y = np.asarray(x, float), np.asarray(y, float)
    c1, c2 = np.cov(x.T), np.cov(y.T)
    root = scipy.linalg.sqrtm(c1 @ c2).real
    gap = x.mean(0) - y.mean(0)
    return gap @ gap + np.trace(c1) + np.trace(c2) - 2 * np.trace(root)


# --- closed forms


@pytest.mark.parametrize(("n", "m"), [(200, 150), (12, 200), (12, 9)])
def test_against_the_textbook(n, m):
    x, y = mixed(n, 10, 1), mixed(m, 10, 2) * 1.3 + 0.2
    assert float(frechet_distance(x, y)) == pytest.approx(by_scipy(x, y), rel=1e-6)


def test_commuting_covariances_compare_standard_deviations():
    s1, s2 = torch.tensor([1.0, 2.0, 0.0]), torch.tensor([3.0, 0.5, 1.0])
    got = frechet_from_moments(
        torch.zeros(3), torch.diag(s1**2), torch.tensor([0.0, 0.0, 2.0]), torch.diag(s2**2)
    )
    assert got == pytest.approx(4 + float(((s1 - s2) ** 2).sum()), rel=1e-12)


def test_one_dimension():
    assert lesson_09.frechet_1d(1.0, 2.0, 4.0, 0.5) == 9 + 2.25
    got = frechet_from_moments([1.0], [[4.0]], [4.0], [[0.25]])
    assert got == pytest.approx(9 + 2.25, rel=1e-12)


def test_two_lines_at_an_angle():
    # Rank one each: the root of the product has trace |cos| for unit directions.
    angle = 0.7
    u, v = np.array([1, 0.0]), np.array([math.cos(angle), math.sin(angle)])
    got = frechet_from_moments(np.zeros(2), np.outer(u, u), np.zeros(2), np.outer(v, v))
    assert got == pytest.approx(2 - 2 * math.cos(angle), rel=1e-12)


def test_few_samples_in_many_dimensions_is_the_small_problem_padded():
    small_x, small_y = normal(5, 7, 3), normal(6, 7, 4) + 1
    basis = torch.linalg.qr(normal(300, 7, 5))[0]
    want = float(frechet_distance(small_x, small_y))
    assert float(frechet_distance(small_x @ basis.T, small_y @ basis.T)) == pytest.approx(
        want, rel=1e-11
    )


# --- properties


@pytest.mark.parametrize(("n", "d"), [(50, 8), (8, 50), (9000, 3), (3, 2)])
def test_a_set_has_no_distance_to_itself(n, d):
    x = mixed(n, d)
    assert float(frechet_distance(x, x)) <= 1e-12 * float(x.square().sum() / n)
    statistics = GaussianStatistics.from_features(x)
    assert float(frechet_distance(statistics, statistics)) <= 1e-12 * float(statistics.cov.trace())


def test_collinear_features_lose_no_digits():
    x, y = normal(200, 3, 1), normal(150, 3, 2) * 2
    with_sum = [torch.cat([z, z.sum(1, keepdim=True), torch.ones(len(z), 2)], 1) for z in (x, y)]
    # The sum is a fourth coordinate along (1, 1, 1): an isometry after scaling that direction.
    stretch = torch.eye(3).double() + torch.ones(3, 3).double() / 3
    want = float(frechet_distance(x @ stretch, y @ stretch))
    assert float(frechet_distance(*with_sum)) == pytest.approx(want, rel=1e-12)
    x0 = with_sum[0]
    assert float(frechet_distance(x0, x0)) < 1e-12


def test_symmetric_and_invariant_under_rotation_and_shift():
    x, y = mixed(60, 5, 1), mixed(70, 5, 2) + 0.1
    want = float(frechet_distance(x, y))
    q = torch.linalg.qr(normal(5, 5, 3))[0]
    assert float(frechet_distance(y, x)) == pytest.approx(want, rel=1e-12)
    assert float(frechet_distance(x @ q + 3, y @ q + 3)) == pytest.approx(want, rel=1e-11)
    assert float(frechet_distance(x * 10, y * 10)) == pytest.approx(100 * want, rel=1e-12)
    assert float(frechet_distance(x[torch.randperm(60)], y)) == pytest.approx(want, rel=1e-12)


def test_a_shift_adds_its_square():
    x, y = mixed(60, 5, 1), mixed(70, 5, 2)
    y = y - y.mean(0) + x.mean(0)
    base, shift = float(frechet_distance(x, y)), torch.tensor([1.0, -2, 0, 0, 3]).double()
    assert float(frechet_distance(x, y + shift)) == pytest.approx(base + 14, rel=1e-12)


@pytest.mark.parametrize("offset", [1e4, 1e7])
def test_large_offsets_cost_no_digits(offset):
    # Multiples of 1/8 in this range: adding the offset is exact in float64.
    x = (mixed(300, 4, 1) * 64).round() / 8
    y = (mixed(300, 4, 2) * 80).round() / 8
    want = float(frechet_distance(x, y))
    assert float(frechet_distance(x + offset, y + offset)) == pytest.approx(want, rel=1e-11)
    merged = GaussianStatistics()
    for part in (y + offset).split(7):
        merged.update(part)
    np.testing.assert_allclose(merged.cov, np.cov(y.T), rtol=1e-9, atol=1e-9)


def test_many_rows_are_taken_in_pieces():
    x, y = mixed(500, 6, 1), mixed(400, 6, 2) + 0.3
    want = float(frechet_distance(x, y))
    interval = frechet_distance(x, y, confidence=0.9).interval
    one, two = (_fit._fit_by_qr(z, rows=17) for z in (x, y))
    again = module.distance_of_fits(one, two).value
    assert again == pytest.approx(want, rel=1e-12)
    error = _frechet_error.standard_error(one, two, x, y, rows=17)
    assert tuple(log_interval(again, error, 0.9)) == pytest.approx(tuple(interval), rel=1e-9)
    statistics, others = GaussianStatistics(), GaussianStatistics()
    statistics._add(x, rows=17)
    np.testing.assert_allclose(statistics.cov, np.cov(x.T), rtol=1e-10, atol=1e-12)
    others._add(y, rows=17)
    assert float(frechet_distance(statistics, others)) == pytest.approx(want, rel=1e-9)


@pytest.mark.parametrize("d", [1, 7, 8, 255, 600, 1030])
def test_cholesky_factor(d):
    cov = np.cov(mixed(2 * d + 2, d, 1).T).reshape(d, d)
    got = _linalg.cholesky(torch.from_numpy(cov))
    np.testing.assert_allclose(got @ got.T, cov, rtol=1e-12, atol=1e-12 * cov.max())
    assert torch.equal(got, got.tril())
    cov[-1, -1] = -1
    assert _linalg.cholesky(torch.from_numpy(cov)) is None


@pytest.mark.parametrize("block", [2, 4, 512])
def test_halves_of_matrices_in_blocks(block):
    x = mixed(40, 11, 1).double()
    gram = _linalg.gram(x, block)
    torch.testing.assert_close(gram, x.T @ x, rtol=1e-13, atol=1e-13)
    lower = _linalg.cholesky(gram, block)
    torch.testing.assert_close(lower @ lower.T, gram, rtol=1e-12, atol=1e-12)
    product = _linalg.triangular_product(lower.mT, lower.mT * 2, block)
    torch.testing.assert_close(product, lower.mT @ lower * 2, rtol=1e-12, atol=1e-12)


def test_distance_from_statistics_of_many_features():
    x, y = mixed(1400, 700, 1), mixed(1300, 700, 2) + 0.1
    one, two = GaussianStatistics.from_features(x), GaussianStatistics.from_features(y)
    assert module.fit(one, "real").triangular
    cross = scipy.linalg.sqrtm(one.cov.numpy() @ two.cov.numpy()).real.trace()
    trace = float(one.cov.trace() + two.cov.trace())
    want = float((one.mean - two.mean).square().sum()) + trace - 2 * cross
    assert float(frechet_distance(one, two)) == pytest.approx(want, abs=1e-7 * trace)


def test_float32_gives_the_result_of_its_widening():
    x, y = normal(40, 6, 1, torch.float32) + 100, normal(30, 6, 2, torch.float32) + 100
    assert float(frechet_distance(x, y)) == float(frechet_distance(x.double(), y.double()))
    assert float(frechet_distance(x.numpy(), y.numpy())) == float(frechet_distance(x, y))


def test_the_argument_stays_as_it_was():
    x = mixed(20, 3)
    copy = x.clone()
    frechet_distance(x, x)
    GaussianStatistics.from_features(x).update(x)
    assert torch.equal(x, copy)


def test_samples_and_statistics_agree():
    x, y = mixed(90, 7, 1), mixed(80, 7, 2) + 0.1
    want = float(frechet_distance(x, y))
    sx, sy = GaussianStatistics.from_features(x), GaussianStatistics.from_features(y)
    assert float(frechet_distance(sx, y)) == pytest.approx(want, rel=1e-8)
    result = frechet_distance(sx, sy)
    assert float(result) == pytest.approx(want, rel=1e-8)
    assert (result.n_real, result.n_fake) == (90, 80)


def test_too_few_samples_are_reported():
    result = frechet_distance(normal(5, 6), normal(70, 6))
    assert len(result.warnings) == 1
    assert "5 real samples" in result.warnings[0]
    assert "biased upward" in result.warnings[0]


# --- the root


@pytest.mark.parametrize("rank", [1, 3, 5])
def test_root_squares_to_the_matrix(rank):
    a = normal(5, rank)
    m = a @ a.T
    root = sqrtm_psd(m)
    np.testing.assert_allclose(root @ root, m, atol=1e-12)
    np.testing.assert_allclose(root, root.T, atol=1e-14)
    assert float(torch.linalg.eigvalsh(root)[0]) >= -1e-12


# --- statistics


def test_updates_and_merges_equal_one_pass():
    x = mixed(101, 4)
    whole = GaussianStatistics.from_features(x)
    parts = GaussianStatistics(4)
    for rows in (x[:1], x[1:3], x[3:50]):
        assert parts.update(rows) is parts
    merged = parts.merge(GaussianStatistics.from_features(x[50:]))
    assert (merged.n, parts.n) == (101, 50)
    np.testing.assert_allclose(merged.mean, whole.mean, atol=1e-13)
    np.testing.assert_allclose(merged.cov, np.cov(x.T), atol=1e-13)
    empty = GaussianStatistics()
    assert empty.merge(whole).n == whole.merge(empty).n == 101
    assert torch.equal(empty.merge(whole).cov, whole.cov)


def test_file_round_trip_and_pytorch_fid(tmp_path):
    x = mixed(30, 4)
    path = tmp_path / "statistics.npz"
    GaussianStatistics.from_features(x, extractor="digits", resize="bilinear").save(path)
    back = GaussianStatistics.load(path)
    assert (back.n, back.extractor, back.resize) == (30, "digits", "bilinear")
    np.testing.assert_allclose(back.cov, np.cov(x.T), rtol=1e-12)
    assert back.update(x).n == 60
    with np.load(path) as file:  # what pytorch-fid does
        np.testing.assert_allclose(file["mu"], x.mean(0), rtol=1e-12)
        assert file["sigma"].shape == (4, 4)
    assert [p.name for p in tmp_path.iterdir()] == ["statistics.npz"]

    foreign = tmp_path / "foreign.npz"
    np.savez(foreign, mu=x.mean(0), sigma=np.cov(x.T))
    unknown = GaussianStatistics.load(foreign)
    assert unknown.n is None
    result = frechet_distance(unknown, x)
    assert result.n_real is None
    assert float(result) < 1e-10
    assert "unknown" in result.warnings[0]
    with pytest.raises(ValueError, match="number of samples is unknown"):
        unknown.update(x)
    np.savez(foreign, other=x)
    with pytest.raises(ValueError, match="expected the arrays mu and sigma"):
        GaussianStatistics.load(foreign)


def test_extractors_and_resizing_are_compared():
    x = mixed(30, 4)
    a = GaussianStatistics.from_features(x, extractor="a", resize="bilinear")
    b = GaussianStatistics.from_features(x, extractor="b")
    c = GaussianStatistics.from_features(x, extractor="a", resize="nearest")
    with pytest.raises(ValueError, match="'a', the other's from 'b'"):
        frechet_distance(a, b)
    with pytest.raises(ValueError, match="resized by 'bilinear', the other's by 'nearest'"):
        frechet_distance(a, c)
    with pytest.raises(ValueError, match="resized by 'bilinear', the other's by 'nearest'"):
        a.merge(c)
    with pytest.raises(ValueError, match="'b', the other's from 'a'"):
        b.merge(a)
    # What is not known on one side is not held against it.
    silent = GaussianStatistics.from_features(x)
    assert float(frechet_distance(a, silent)) == float(frechet_distance(a, a))
    assert (silent.merge(a).extractor, silent.merge(a).resize) == ("a", "bilinear")
    assert b.merge(silent).resize == ""


def _reduce(rank, port, x, shared):
    torch.distributed.init_process_group(
        "gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=2
    )
    statistics = GaussianStatistics()
    if rank == 1:
        statistics.update(x[:30])
        statistics.update(x[30:])
    statistics.all_reduce()
    second = GaussianStatistics.from_features(x[:10] if rank == 0 else x[10:]).all_reduce()
    for i, s in enumerate((statistics, second)):
        shared[rank, i, 0] = s.n
        shared[rank, i, 1:] = torch.cat([s.mean, s.cov.flatten()])
    end_process_group()


def test_all_reduce_over_two_processes():
    x = mixed(70, 3) + 1e4
    assert GaussianStatistics.from_features(x).all_reduce().n == 70
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    shared = torch.zeros(2, 2, 13, dtype=torch.float64).share_memory_()
    torch.multiprocessing.spawn(_reduce, (port, x, shared), nprocs=2, daemon=True)
    want = np.concatenate([[70], x.mean(0), np.cov(x.T).ravel()])
    np.testing.assert_allclose(shared.numpy(), np.broadcast_to(want, (2, 2, 13)), rtol=1e-8)


# --- infinitely many samples


def test_extrapolation_takes_the_bias_off():
    d = 20
    x, y = normal(20000, d, 1), normal(3000, d, 2)
    plain, result = float(frechet_distance(x, y)), frechet_distance_infinity(x, y)
    assert result.sizes[0] == 300
    assert result.sizes[-1] == 3000
    assert result.values[-1] == pytest.approx(plain, rel=1e-9)
    assert result.slope > 0
    assert result.r2 > 0.9
    # Both distributions are equal: 0 except for the bias of the real side and noise.
    assert abs(float(result)) < plain / 3
    assert float(result) == float(frechet_distance_infinity(x, y, seed=0))
    assert float(result) != float(frechet_distance_infinity(x, y, seed=1))


def test_extrapolation_has_an_interval():
    x, y = normal(300, 5, 1), normal(200, 5, 2) + 1
    result = frechet_distance_infinity(x, y, confidence=0.9)
    low, high, level = result.interval
    assert level == 0.9
    assert low < float(result) < high
    plain = frechet_distance(x, y, confidence=0.9).interval
    assert high - low >= plain.high - plain.low
    assert frechet_distance_infinity(x, y).interval is None
    statistics = GaussianStatistics.from_features(x)
    assert float(frechet_distance_infinity(statistics, y)) == pytest.approx(float(result))


@pytest.mark.parametrize("seed", range(5))
def test_the_interval_of_an_extrapolation_below_zero_holds_it(seed):
    # Between equal distributions at these sizes the line overshoots, and this test says so.
    x, y = normal(300, 16, 2 * seed), normal(100, 16, 2 * seed + 1)
    result = frechet_distance_infinity(x, y, confidence=0.95)
    assert result.interval.low <= float(result) <= result.interval.high


def test_line_is_exact_on_a_line():
    sizes = [10, 20, 50]
    intercept, slope, r2 = extrapolation.line_in_inverse(sizes, [3 + 7 / n for n in sizes])
    assert (intercept, slope, r2) == pytest.approx((3, 7, 1))


def test_global_random_state_is_left_alone():
    state = torch.get_rng_state()
    frechet_distance_infinity(normal(50, 3), normal(60, 3), points=3)
    assert torch.equal(state, torch.get_rng_state())


# --- bad input

OK = torch.eye(3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: frechet_distance(torch.zeros(5), OK), r"real has shape \(5,\), expected \(N, D\)"),
        (lambda: frechet_distance(OK, torch.zeros(5, 3, 3)), "fake has shape .* flatten"),
        (lambda: frechet_distance(OK, torch.zeros(1, 3)), "fake has 1 sample, expected at least 2"),
        (lambda: frechet_distance(OK, torch.zeros(4, 2)), "real has 3 features .* fake has 2"),
        (lambda: frechet_distance(OK, OK * math.nan), r"fake holds 9 values .* index \(0, 0\)"),
        (lambda: frechet_distance(OK, torch.zeros(3, 0)), "at least one feature"),
        (lambda: frechet_distance(OK, np.array([["a"]])), "expected real numbers"),
        (lambda: GaussianStatistics().mean, "a mean needs at least 1 samples, got 0"),
        (lambda: GaussianStatistics.from_features(OK[:1]).cov, "needs at least 2 samples, got 1"),
        (lambda: GaussianStatistics(4).update(OK), "3 features a sample, these statistics have 4"),
        (lambda: GaussianStatistics(4).merge(GaussianStatistics(3)), "of 4 and of 3"),
        (lambda: GaussianStatistics(0), "dims=0"),
        (lambda: frechet_from_moments(torch.zeros(2), OK, torch.zeros(3), OK), r"\(2,\) and cov1"),
        (lambda: frechet_from_moments(torch.zeros(3), OK[:2], torch.zeros(3), OK), "square matrix"),
        (lambda: sqrtm_psd(torch.tensor([[1.0, 2], [2, 1]])), "eigenvalue -1, the largest being 3"),
        (lambda: sqrtm_psd(-OK), "eigenvalue -1"),
        (lambda: sqrtm_psd(torch.tensor([[1.0, 2], [0, 1]])), "differs from its transpose"),
        (lambda: frechet_distance_infinity(OK, OK), "fake has 3 samples, expected at least 20"),
        (lambda: frechet_distance_infinity(OK, torch.zeros(30, 3), points=1), "points=1"),
        (
            lambda: frechet_distance_infinity(
                GaussianStatistics.from_features(OK), torch.zeros(30, 3), confidence=0.9
            ),
            "needs the real samples",
        ),
        (
            lambda: frechet_distance_infinity(OK, torch.zeros(30, 3), points=2, confidence=0.9),
            "at least 3 points",
        ),
        (
            lambda: frechet_distance_infinity(OK, torch.zeros(30, 3), confidence=95),
            "confidence=95",
        ),
        (lambda: frechet_distance(OK, OK, confidence=95), "confidence=95"),
        (
            lambda: frechet_distance(GaussianStatistics.from_features(OK), OK, confidence=0.9),
            "needs the samples, and real is given by its statistics",
        ),
        (
            lambda: frechet_distance(OK, GaussianStatistics.from_features(OK), confidence=0.9),
            "needs the samples, and fake is given by its statistics",
        ),
        (lambda: extrapolation.line_in_inverse([5, 5], [1, 2]), "all sizes are equal"),
        (lambda: extrapolation.line_in_inverse([5, 6], [1]), "one value for each size"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()

"""Divergences compared with closed forms, numerical integrals and their properties."""

import math

import numpy as np
import pytest
import scipy.integrate
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gqlib.course.answers.lesson_02 import gaussian_kl as gaussian_kl_diagonal
from gqlib.metrics import gaussian_kl, js_divergence, kl_divergence

LOG2 = math.log(2)


def test_kl_by_hand():
    p, q = torch.tensor([0.5, 0.5, 0.0]), torch.tensor([0.25, 0.75, 0.0])
    assert float(kl_divergence(p, q)) == pytest.approx(0.5 * LOG2 + 0.5 * math.log(2 / 3))
    assert float(kl_divergence(q, p)) == pytest.approx(0.25 * math.log(0.5) + 0.75 * math.log(1.5))


def test_kl_zeros_and_infinity():
    p = np.array([[1.0, 0.0], [0.5, 0.5]])
    q = np.array([[1.0, 0.0]])
    assert kl_divergence(p, q).tolist() == [0.0, math.inf]
    assert kl_divergence(p[:1], p[1:]).tolist() == pytest.approx([LOG2])


def test_broadcasting_and_dtype():
    p = torch.softmax(torch.randn(4, 1, 3, generator=torch.Generator().manual_seed(0)), -1)
    q = torch.softmax(torch.randn(5, 3, generator=torch.Generator().manual_seed(1)), -1)
    for divergence in (kl_divergence, js_divergence):
        got = divergence(p, q)
        assert (got.shape, got.dtype) == ((4, 5), torch.float64)
        assert float(got[2, 3]) == float(divergence(p[2, 0], q[3]))


def test_nothing_is_renormalised():
    assert float(kl_divergence(torch.tensor([2.0]), torch.tensor([1.0]))) == pytest.approx(2 * LOG2)


def test_js_ends():
    p, q = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])
    assert float(js_divergence(p, q)) == pytest.approx(LOG2)
    assert float(js_divergence(p, p)) == 0
    tiny = torch.tensor([5e-324, 1.0], dtype=torch.float64)
    assert math.isfinite(float(js_divergence(tiny, torch.tensor([0.0, 1.0]).double())))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(0, 1), min_size=3, max_size=3),
    st.lists(st.floats(0, 1), min_size=3, max_size=3),
)
def test_js_is_a_bounded_symmetric_divergence(a, b):
    p, q = np.array(a) + 1e-300, np.array(b) + 1e-300
    p, q = p / p.sum(), q / q.sum()
    js = float(js_divergence(p, q))
    assert 0 <= js <= LOG2 + 1e-15
    assert js == pytest.approx(float(js_divergence(q, p)), abs=1e-15)
    assert float(kl_divergence(p, q)) >= -1e-15


def covariance(d, seed):
    a = torch.randn(d, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return a @ a.T + 0.1 * torch.eye(d)


def test_gaussian_kl_against_torch():
    d = 4
    m0, m1 = torch.randn(2, d, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    c0, c1 = covariance(d, 1), covariance(d, 2)
    want = torch.distributions.kl_divergence(
        torch.distributions.MultivariateNormal(m0, c0),
        torch.distributions.MultivariateNormal(m1, c1),
    )
    assert float(gaussian_kl(m0, c0, m1, c1)) == pytest.approx(float(want), rel=1e-10)


@pytest.mark.parametrize(
    ("m0", "v0", "m1", "v1"), [(0, 1, 0, 1), (0, 1, 2, 0.5), (-1, 0.1, 1, 3), (3, 4, 3, 4.1)]
)
def test_gaussian_kl_against_quadrature(m0, v0, m1, v1):
    def integrand(z):  # over z = (x − m0)/√v0
        x = m0 + z * math.sqrt(v0)
        ratio = 0.5 * math.log(v1 / v0) - z * z / 2 + (x - m1) ** 2 / (2 * v1)
        return math.exp(-z * z / 2) / math.sqrt(2 * math.pi) * ratio

    want = scipy.integrate.quad(integrand, -12, 12, epsabs=1e-13, epsrel=1e-12)[0]
    got = float(gaussian_kl([m0], [[v0]], [m1], [[v1]]))
    assert got == pytest.approx(want, rel=1e-10, abs=1e-12)


def test_gaussian_kl_of_correlated_ones_against_quadrature():
    m0, m1 = torch.tensor([0.5, -1.0]).double(), torch.tensor([0.0, 1.0]).double()
    c0, c1 = covariance(2, 10), covariance(2, 11)
    # The integrand is a quadratic times a Gaussian: Gauss and Hermite's rule has no error.
    nodes, weights = np.polynomial.hermite_e.hermegauss(8)
    z = torch.from_numpy(np.stack(np.meshgrid(nodes, nodes), -1).reshape(-1, 2))
    weight = torch.from_numpy(np.outer(weights, weights).ravel() / (2 * math.pi))
    x = m0 + z @ torch.linalg.cholesky(c0).T
    laws = (torch.distributions.MultivariateNormal(m, c) for m, c in ((m0, c0), (m1, c1)))
    p, q = (law.log_prob(x) for law in laws)
    want = float((weight * (p - q)).sum())
    assert float(gaussian_kl(m0, c0, m1, c1)) == pytest.approx(want, rel=1e-11)


def test_gaussian_kl_of_itself_is_zero_and_close_ones_keep_their_digits():
    c = covariance(5, 3)
    m = torch.full((5,), 1e6).double()
    assert float(gaussian_kl(m, c, m, c)) < 1e-14
    # For N(0, 1) and N(0, 1+e): (e − log(1+e)) / 2 up to the inverse, about e²/4.
    e = 1e-7
    got = gaussian_kl(torch.zeros(1), torch.eye(1), torch.zeros(1), torch.eye(1).double() + e)
    assert float(got) == pytest.approx(e * e / 4, rel=1e-2)


def test_gaussian_kl_is_invariant_under_affine_maps():
    m0, m1 = torch.randn(2, 3, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    c0, c1 = covariance(3, 6), covariance(3, 7)
    a = torch.tensor([[2.0, 1, 0], [0, -1, 3], [1, 1, 1]], dtype=torch.float64)
    moved = gaussian_kl(a @ m0 + 5, a @ c0 @ a.T, a @ m1 + 5, a @ c1 @ a.T)
    assert float(moved) == pytest.approx(float(gaussian_kl(m0, c0, m1, c1)), rel=1e-9)


def test_gaussian_kl_batches_and_agrees_with_the_diagonal_one():
    g = torch.Generator().manual_seed(8)
    m0 = torch.randn(6, 1, 3, generator=g)
    v0, v1 = torch.rand(4, 3, generator=g) + 0.1, torch.rand(3, generator=g) + 0.1
    got = gaussian_kl(m0, torch.diag_embed(v0), torch.zeros(3), torch.diag(v1))
    want = gaussian_kl_diagonal(m0, v0, torch.zeros(3), v1)
    assert got.shape == (6, 4)
    np.testing.assert_allclose(got, want, rtol=1e-6)


def test_singular_first_is_infinite_second_an_error():
    flat, full = torch.tensor([[1.0, 1.0], [1.0, 1.0]]), torch.eye(2)
    zero = torch.zeros(2)
    assert float(gaussian_kl(zero, flat, zero, full)) == math.inf
    with pytest.raises(ValueError, match="cov1 is singular"):
        gaussian_kl(zero, full, zero, flat)
    factor = torch.randn(6, 4, generator=torch.Generator().manual_seed(9), dtype=torch.float64)
    zero = torch.zeros(6)
    assert float(gaussian_kl(zero, factor @ factor.T, zero, torch.eye(6))) == math.inf


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: kl_divergence([0.5, -0.5], [1, 0]), "p has the entry -0.5"),
        (lambda: kl_divergence([0.5, 0.5], [math.nan, 0]), "q holds 1 values"),
        (lambda: js_divergence([0.5, 0.5], [1, 0, 0]), r"\(2,\) and q has shape \(3,\)"),
        (lambda: kl_divergence(0.5, 0.5), "single number"),
        (lambda: gaussian_kl([0], [[1]], [0, 0], np.eye(2)), "mu0 1, cov0 1, mu1 2, cov1 2"),
        (lambda: gaussian_kl([0, 0], [1, 1], [0, 0], np.eye(2)), "diag_embed"),
        (lambda: gaussian_kl([0, 0], [[1, 2], [0, 1]], [0, 0], np.eye(2)), "not symmetric"),
        (lambda: gaussian_kl([0, 0], [[1, 2], [2, 1]], [0, 0], np.eye(2)), "eigenvalue -1"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()

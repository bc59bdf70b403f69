"""Inception Score: closed forms, and the definition written out."""

import json
import math

import numpy as np
import pytest
import torch

from gqlib.metrics import inception_score


def draws(n, classes, seed=0, scale=2.0):
    g = torch.Generator().manual_seed(seed)
    return (scale * torch.randn(n, classes, generator=g, dtype=torch.float64)).softmax(1)


def by_definition(p, splits):
    """Split by split and row by row, without a sum of exact zeros."""
    p = np.asarray(p, float)
    n, scores = len(p), []
    for i in range(splits):
        part = p[i * n // splits : (i + 1) * n // splits]
        mean = part.mean(0)
        kl = [
            math.fsum(a * math.log(a / b) for a, b in zip(r, mean, strict=True) if a > 0)
            for r in part
        ]
        scores.append(math.exp(math.fsum(kl) / len(kl)))
    return np.mean(scores), np.std(scores)


@pytest.mark.parametrize("splits", [1, 2, 5])
@pytest.mark.parametrize("classes", [1, 2, 10])
def test_one_hot_and_uniform_gives_the_number_of_classes(classes, splits):
    p = torch.eye(classes).repeat(3 * splits, 1)
    result = inception_score(p, splits=splits)
    assert float(result) == pytest.approx(classes, rel=1e-13)
    assert result.std == pytest.approx(0, abs=1e-12)


def test_one_hot_of_few_classes_gives_their_number():
    p = torch.eye(10)[[0, 4, 4, 0, 7, 7]]
    assert float(inception_score(p, splits=1)) == pytest.approx(3, rel=1e-13)


def test_equal_verdicts_give_one():
    p = draws(1, 7).repeat(30, 1)
    result = inception_score(p)
    assert float(result) == pytest.approx(1, abs=1e-14)
    assert result.std == pytest.approx(0, abs=1e-14)


def test_two_kinds_of_verdicts():
    # (p, 1−p) and (1−p, p) equally often: log 2 less the entropy of p.
    p = 0.9
    rows = torch.tensor([[p, 1 - p], [1 - p, p]]).double().repeat(10, 1)
    entropy = -p * math.log(p) - (1 - p) * math.log(1 - p)
    assert float(inception_score(rows, splits=2)) == pytest.approx(2 * math.exp(-entropy))


@pytest.mark.parametrize(("n", "splits"), [(30, 1), (30, 10), (37, 10), (11, 3), (5, 5)])
def test_against_the_definition(n, splits):
    p = draws(n, 6)
    p[1] = torch.eye(6)[2]  # exact zeros
    result = inception_score(p, splits=splits)
    assert (float(result), result.std) == pytest.approx(
        by_definition(p, splits), rel=1e-12, abs=1e-14
    )
    assert (result.splits, result.n_fake, result.n_real) == (splits, n, None)


def test_every_row_counts_once():
    # 7 rows in 3 splits: 2, 2 and 3.
    p = torch.eye(3)[[0, 1, 2, 2, 0, 1, 2]].double()
    result = inception_score(p, splits=3)
    assert float(result) == pytest.approx((2 + 1 + 3) / 3)
    assert result.std == pytest.approx(math.sqrt(2 / 3))


def test_order_within_a_split_does_not_matter_and_between_does():
    p = draws(40, 5)
    want = float(inception_score(p, splits=2))
    swapped = torch.cat([p[:20].flip(0), p[20:]])
    assert float(inception_score(swapped, splits=2)) == pytest.approx(want, rel=1e-13)
    assert float(inception_score(p[torch.arange(40) * 7 % 40], splits=2)) != pytest.approx(
        want, rel=1e-6
    )


def test_logits_are_taken_through_softmax():
    logits = 5 * torch.randn(30, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    want = float(inception_score(logits.softmax(1)))
    assert float(inception_score(logits=logits)) == pytest.approx(want, rel=1e-12)
    assert float(inception_score(logits=logits + 1e4)) == pytest.approx(want, rel=1e-9)
    large = 1e5 * torch.eye(8).repeat(10, 1)
    assert float(inception_score(logits=large, splits=1)) == pytest.approx(8)


def test_every_kind_of_array():
    p = torch.eye(4).repeat(12, 1) * 0.5 + 0.125
    want = float(inception_score(p.double()))
    for q in (
        p,
        p.half(),
        p.bfloat16(),
        p.numpy(),
        p.tolist(),
        p.T.contiguous().T,
        p.numpy().astype(">f4"),
    ):
        assert float(inception_score(q)) == want
    onehot = torch.eye(4, dtype=torch.bool).repeat(12, 1)
    assert float(inception_score(onehot, splits=12)) == pytest.approx(4)
    # Rounding of half precision over many classes is not an error, and is divided out.
    rough = draws(50, 1000).half()
    exact = rough.double() / rough.double().sum(1, keepdim=True)
    assert float(inception_score(rough)) == pytest.approx(float(inception_score(exact)), rel=1e-13)


def test_interval_and_json():
    result = inception_score(draws(500, 5), splits=5, confidence=0.9)
    low, high, level = result.interval
    assert level == 0.9
    assert low < float(result) < high
    back = json.loads(result.json())
    assert back["std"] == result.std
    assert back["splits"] == 5
    assert inception_score(draws(500, 5)).interval is None


def test_a_single_split_has_no_spread_but_an_interval():
    result = inception_score(draws(200, 5), splits=1, confidence=0.95)
    assert result.std == 0
    assert result.interval.high > result.interval.low


def test_too_few_samples_a_split_are_reported():
    assert "20 samples a split for 5 classes" in inception_score(draws(200, 5)).warnings[0]
    assert inception_score(draws(200, 5), splits=4).warnings == ()


OK = torch.full((20, 4), 0.25)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: inception_score(), "either probabilities or logits"),
        (lambda: inception_score(OK, OK), "either probabilities or logits"),
        (lambda: inception_score(OK * 2), r"row 0 of probabilities sums to 2, expected 1.*logits"),
        (lambda: inception_score(torch.cat([OK, OK[:1] * 0])), "row 20 of probabilities sums to 0"),
        (lambda: inception_score(OK + 0.01), r"sums to 1\.04"),
        (lambda: inception_score(torch.tensor([[1.5, -0.5]])), r"the entry -0\.5.*logits"),
        (lambda: inception_score(OK * math.nan), "probabilities holds 80 values that are NaN"),
        (lambda: inception_score(logits=OK / 0), "logits holds 80 values"),
        (lambda: inception_score(OK[0]), r"probabilities has shape \(4,\)"),
        (lambda: inception_score(logits=OK[None]), r"logits has shape \(1, 20, 4\)"),
        (lambda: inception_score(OK[:0]), "probabilities has 0 samples, expected at least 1"),
        (lambda: inception_score(OK[:, :0]), "at least one feature"),
        (lambda: inception_score(OK, splits=21), "splits=21, expected between 1 and .* 20"),
        (lambda: inception_score(OK, splits=0), "splits=0"),
        (lambda: inception_score(OK[:5]), "splits=10, expected between 1 and .* 5"),
        (lambda: inception_score(OK, splits=20, confidence=0.9), "at least 2 samples a split"),
        (lambda: inception_score(OK, confidence=95), "confidence=95"),
        (lambda: inception_score([["a"]]), "expected real numbers"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()

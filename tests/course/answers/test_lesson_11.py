"""The likelihood gap against Welch's test."""

import math

import pytest
import scipy.stats
import torch

from gqlib.course.answers.lesson_11 import likelihood_gap
from tests.samples import normal


def test_likelihood_gap_is_welchs_difference_with_its_error():
    train, test = normal(40, 1, 1)[:, 0] + 3, 2 * normal(25, 1, 2)[:, 0] + 5
    gap, error = likelihood_gap(train, test)
    welch = scipy.stats.ttest_ind(test, train, equal_var=False)
    assert gap == pytest.approx(float(test.mean() - train.mean()), rel=1e-12)
    assert gap / error == pytest.approx(welch.statistic, rel=1e-12)


def test_likelihood_gap_takes_arrays_and_counts_in_float64():
    train, test = normal(30, 1, 3)[:, 0].float() + 1e4, normal(50, 1, 4)[:, 0].float() + 1e4
    exact = likelihood_gap(train.double(), test.double())
    assert likelihood_gap(train.numpy(), test) == exact
    whole = likelihood_gap([1, 2, 6], [4, 5, 5, 18])
    assert whole == pytest.approx((5.0, math.sqrt(7 / 3 + 134 / 12)), rel=1e-12)


@pytest.mark.parametrize("side", ["train_nll", "test_nll"])
@pytest.mark.parametrize(
    "bad", [torch.ones(1), torch.ones(3, 1), torch.tensor([1.0, math.nan])], ids=str
)
def test_likelihood_gap_refuses_and_names_the_side(side, bad):
    given = {"train_nll": torch.arange(4.0), "test_nll": torch.arange(5.0), side: bad}
    with pytest.raises(ValueError, match=side):
        likelihood_gap(**given)

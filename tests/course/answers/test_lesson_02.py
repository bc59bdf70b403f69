"""What lesson 02 asks for, by hand."""

import pytest
import torch

from gqlib.course.answers.lesson_02 import gaussian_kl, kl_monte_carlo


def test_monte_carlo_is_the_plain_mean():
    z = torch.tensor([-1.0, 0.0, 4.0])
    assert kl_monte_carlo(lambda x: 2 * x, lambda x: x, z) == 1.0


def test_a_variance_of_zero_is_named():
    with pytest.raises(ValueError, match="var0 has the entry 0"):
        gaussian_kl([0], [0.0], [0], [1])

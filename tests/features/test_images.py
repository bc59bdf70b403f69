"""How images are read, and pixels as features."""

import numpy as np
import pytest
import torch

from gqlib import features
from gqlib.features.images import unit_floats


def test_pixels_of_grey_and_of_colour():
    grey = torch.arange(24, dtype=torch.uint8).view(2, 3, 4)
    assert torch.equal(features.pixels(grey), torch.arange(24).view(2, 12) / 255)
    colour = torch.rand(2, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    assert torch.equal(features.pixels(colour), colour.view(2, 60))
    assert features.pixels(np.ones((2, 3, 4), dtype=bool)).eq(1).all()


@pytest.mark.parametrize(
    ("dtype", "result"),
    [
        (torch.uint8, torch.float32),
        (torch.bool, torch.float32),
        (torch.float16, torch.float32),
        (torch.float64, torch.float64),
    ],
)
def test_dtypes(dtype, result):
    assert features.pixels(torch.ones(2, 3, 4).to(dtype)).dtype == result


@pytest.mark.parametrize("shape", [(3,), (3, 4), (1, 2, 3, 4, 5)])
def test_wrong_shapes(shape):
    with pytest.raises(ValueError, match=r"expected \[N, H, W\] or \[N, C, H, W\]"):
        features.pixels(torch.zeros(shape))


@pytest.mark.parametrize("value", [255.0, -1.0, 1.01, float("nan"), float("inf")])
def test_floats_outside_the_unit_interval(value):
    images = torch.zeros(2, 3, 4)
    images[1, 2, 3] = value
    with pytest.raises(ValueError, match=r"float images reach from .* expected \[0, 1\]"):
        unit_floats(images)


def test_integers_that_are_no_bytes():
    with pytest.raises(ValueError, match=r"images are torch\.int64, expected uint8"):
        unit_floats(torch.zeros(2, 3, 4, dtype=torch.int64))


def test_a_rounding_error_outside_is_allowed():
    images = torch.tensor([[[-1e-6, 1 + 1e-6]]])
    assert torch.equal(unit_floats(images), images)


def test_the_package_knows_its_names():
    for name in features.__all__:
        assert callable(getattr(features, name))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        features.nothing  # noqa: B018

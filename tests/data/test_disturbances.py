"""Disturbances: nothing at strength 0, the stated thing otherwise, and only through a generator."""

import math

import numpy as np
import pytest
import scipy.ndimage
import torch

from gqlib.data import disturbances as d


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def images(n=6, height=28, width=24):
    return torch.rand(n, height, width, generator=generator(99))


DIALS = {
    "noise": lambda x, s, seed=0: d.gaussian_noise(x, s, generator(seed)),
    "blur": lambda x, s, seed=0: d.gaussian_blur(x, s),
    "rectangles": lambda x, s, seed=0: d.rectangles(x, s, generator(seed)),
    "swirl": lambda x, s, seed=0: d.swirl(x, s),
    "salt": lambda x, s, seed=0: d.salt_and_pepper(x, s, generator(seed)),
    "contaminate": lambda x, s, seed=0: d.contaminate(x, 1 - x, s, generator(seed)),
}
each_dial = pytest.mark.parametrize("dial", DIALS.values(), ids=DIALS.keys())


@each_dial
def test_strength_zero_changes_nothing(dial):
    x = images()
    torch.testing.assert_close(dial(x, 0), x, atol=2e-6, rtol=0)


@each_dial
def test_shape_range_reproducibility_and_arguments(dial):
    x = images()
    copy, state = x.clone(), torch.get_rng_state()
    y = dial(x, 0.5)
    assert y.shape == x.shape
    assert y.dtype == x.dtype
    assert 0 <= float(y.min()) <= float(y.max()) <= 1
    assert torch.equal(y, dial(x, 0.5))
    assert torch.equal(x, copy)
    assert torch.equal(state, torch.get_rng_state())


@each_dial
def test_more_strength_changes_more(dial):
    x = images(60)
    change = [float((dial(x, s) - x).square().mean()) for s in (0.1, 0.3, 0.9)]
    assert change[0] < change[1] < change[2]


@pytest.mark.parametrize("name", ["noise", "rectangles", "salt", "contaminate"])
def test_the_generator_decides(name):
    assert not torch.equal(DIALS[name](images(), 0.5, 1), DIALS[name](images(), 0.5, 2))


@pytest.mark.parametrize("sigma", [0.5, 1.0, 2.0])
def test_blur_is_scipys(sigma):
    x = images()
    want = scipy.ndimage.gaussian_filter(x.numpy(), (0, sigma, sigma), mode="constant")
    np.testing.assert_allclose(d.gaussian_blur(x, sigma), want, atol=1e-6)


def test_noise_is_what_is_said():
    y = d.gaussian_noise(torch.zeros(200, 28, 28), 1.0, generator())
    assert float(y.mean()) == pytest.approx(0.5, abs=0.005)
    assert float(y.std()) == pytest.approx(0.24, abs=0.01)  # ¼ but for the clamping


def test_one_rectangle_has_its_size_and_ink():
    y = d.rectangles(torch.zeros(20, 28, 20), 0.25, generator(), count=1, ink=1.0)
    assert torch.equal(y.sum((1, 2)), torch.full((20,), 7.0 * 5))


def test_salt_and_pepper_shares():
    y = d.salt_and_pepper(torch.full((100, 28, 28), 0.5), 0.2, generator())
    assert float((y == 1).float().mean()) == pytest.approx(0.1, abs=0.01)
    assert float((y == 0).float().mean()) == pytest.approx(0.1, abs=0.01)


def test_contamination_share():
    x = torch.zeros(40, 5, 5)
    assert int(d.contaminate(x, x + 1, 0.25, generator()).amax((1, 2)).sum()) == 10


def test_swirl_turns_the_centre_and_spares_the_corner():
    x = torch.zeros(1, 29, 29)
    x[0, 14, 14:18] = 1  # a stroke from the centre to the right
    y = d.swirl(x, math.pi / 2)
    assert float(y[0, 14, 14]) == pytest.approx(1, abs=1e-5)
    assert float(y[0, 14, 17]) < 0.5
    corner = torch.zeros(1, 29, 29)
    corner[0, 0, 0] = 1
    assert float(d.swirl(corner, 0.1)[0, 0, 0]) > 0.5

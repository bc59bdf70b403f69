"""The radial power spectrum: closed forms, and what chance does."""

import math

import numpy as np
import pytest
import torch

from gqlib.metrics.spectrum import _spectrum, radial_power_spectrum
from tests.samples import noise


def counts(height, width):
    """Frequencies in each ring."""
    v, u = np.fft.fftfreq(height) * height, np.fft.fftfreq(width) * width
    return np.bincount(np.rint(np.hypot(u, v[:, None])).astype(int).ravel())


@pytest.mark.parametrize(("height", "width"), [(6, 6), (5, 7), (4, 9)])
def test_against_the_definition(height, width):
    images = noise(3, height, width).numpy()
    sums, numbers = {}, {}
    for p in range(height):
        for q in range(width):
            v = p if p < height / 2 else p - height
            u = q if q < width / 2 else q - width
            waves = np.exp(
                -2j
                * math.pi
                * (v * np.arange(height)[:, None] / height + u * np.arange(width) / width)
            )
            power = np.mean([abs((image * waves).sum()) ** 2 for image in images])
            ring = round(math.hypot(u, v))
            sums[ring] = sums.get(ring, 0) + power / (height * width)
            numbers[ring] = numbers.get(ring, 0) + 1
    expected = [sums[ring] / numbers[ring] for ring in range(len(sums))]
    found = radial_power_spectrum(images)
    assert found.dtype == torch.float64
    np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_sizes_of_the_answer():
    assert radial_power_spectrum(noise(1, 28, 28)).shape == (21,)
    assert radial_power_spectrum(noise(1, 1, 1)).shape == (1,)
    for shape in ((1, 50), (3, 40), (32, 5)):
        assert (counts(*shape) > 0).all()
        assert radial_power_spectrum(noise(2, *shape)).isfinite().all()


def test_a_wave_is_in_its_ring():
    x = torch.arange(16, dtype=torch.float64)
    image = torch.cos(2 * math.pi * 3 * x / 16).expand(16, 16)
    found = radial_power_spectrum(image[None])
    # Two frequencies, ±3, of power (HW/2)²/HW each.
    assert float(found[3]) == pytest.approx(2 * 64 / counts(16, 16)[3])
    assert float(found.sum() - found[3]) == pytest.approx(0, abs=1e-12)


def test_parseval():
    images = noise(5, 12, 17)
    total = (radial_power_spectrum(images) * torch.from_numpy(counts(12, 17))).sum()
    assert float(total) == pytest.approx(float(images.square().sum((1, 2)).mean()))


def test_a_constant_image_has_its_mean_only():
    found = radial_power_spectrum(torch.full((2, 8, 8), 3, dtype=torch.uint8))
    assert float(found[0]) == pytest.approx(64 * 9)
    assert float(found[1:].abs().max()) == 0


def test_white_noise_is_flat():
    found = radial_power_spectrum(noise(400, 16, 16))
    assert float((found - 1).abs().max()) < 0.1


def test_chunks_change_nothing():
    images = noise(7, 6, 6)
    whole = radial_power_spectrum(images)
    torch.testing.assert_close(_spectrum(images, pixels=72), whole, rtol=1e-14, atol=0)


@pytest.mark.parametrize(
    ("images", "words"),
    [
        (np.zeros((2, 2)), r"shape \(2, 2\), expected \(N, H, W\).*x\[None\]"),
        (np.zeros((2, 3, 4, 4)), r"shape \(2, 3, 4, 4\).*x\.mean\(1\)"),
        (np.zeros((0, 4, 4)), "at least one image"),
        (np.zeros((3, 0, 4)), "one pixel"),
        (np.full((1, 2, 2), np.nan), "NaN"),
        (np.zeros((1, 2, 2), dtype=complex), "complex|real numbers"),
    ],
)
def test_bad_input(images, words):
    with pytest.raises(ValueError, match=words):
        radial_power_spectrum(images)

"""Reconstruction errors against closed forms and a plain second implementation."""

import math

import numpy as np
import pytest
import scipy.signal
import torch

from gqlib.metrics import errors, mae, mse, psnr, ssim


def images(*shape, seed=0, dtype=torch.float64):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


@pytest.mark.parametrize("shape", [(5,), (4, 3), (3, 1, 5, 7)])
def test_mse_and_mae_are_means(shape):
    x, y = images(*shape), images(*shape, seed=1)
    difference = (x - y).numpy().reshape(shape[0], -1)
    each = mse(x, y, reduction="none")
    assert each.dtype == torch.float64
    np.testing.assert_allclose(each, np.square(difference).mean(1), rtol=1e-14)
    np.testing.assert_allclose(mae(x, y, reduction="none"), np.abs(difference).mean(1), rtol=1e-14)
    result = mse(x, y)
    assert float(result) == pytest.approx(np.square(difference).mean())
    assert (result.n_real, result.n_fake) == (shape[0], shape[0])


def test_bytes_do_not_wrap_and_numpy_is_welcome():
    x, y = np.array([[3, 0]], np.uint8), np.array([[5, 255]], np.uint8)
    assert float(mse(x, y)) == (4 + 255**2) / 2
    assert float(mae(x, torch.tensor(y))) == (2 + 255) / 2


def test_float32_gives_the_result_of_its_widening():
    x, y = images(6, 20, 20, dtype=torch.float32), images(6, 20, 20, seed=1, dtype=torch.float32)
    for metric in (mse, mae, psnr, ssim):
        assert float(metric(x, y)) == float(metric(x.double(), y.double()))


def test_psnr_closed_forms():
    x = torch.zeros(2, 3, 4)
    y = np.stack([np.full((3, 4), 0.1), np.full((3, 4), 0.01)])
    np.testing.assert_allclose(psnr(x, y, reduction="none"), [20, 40], rtol=1e-12)
    assert float(psnr(x, y)) == pytest.approx(30)
    assert float(psnr(x, y * 255, data_range=255)) == pytest.approx(30)


def test_psnr_of_equals_is_infinite_and_says_so():
    x = images(3, 4)
    result = psnr(x, x, confidence=0.95)
    assert float(result) == math.inf
    assert result.interval is None
    assert "3 of 3 pairs are equal" in result.warnings[0]


def test_values_beyond_the_range_are_reported():
    x = torch.tensor([[0, 255]], dtype=torch.uint8)
    assert "span 0 to 255" in psnr(x, 255 - x).warnings[0]
    assert psnr(x, 255 - x, data_range=255).warnings == ()


def plain_ssim(x, y, data_range):
    """One pair of images, window by window in two dimensions."""
    steps = np.arange(11) - 5
    kernel = np.exp(-(steps[:, None] ** 2 + steps[None] ** 2) / (2 * 1.5**2))
    kernel /= kernel.sum()

    def mean(z):
        return scipy.signal.correlate2d(z, kernel, mode="valid")

    mx, my = mean(x), mean(y)
    vx, vy, cov = mean(x * x) - mx**2, mean(y * y) - my**2, mean(x * y) - mx * my
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    top = (2 * mx * my + c1) * (2 * cov + c2)
    return (top / ((mx**2 + my**2 + c1) * (vx + vy + c2))).mean()


def test_ssim_against_the_definition():
    x, y = images(5, 2, 13, 17), images(5, 2, 13, 17, seed=1)
    want = [
        np.mean([plain_ssim(a, b, 2.0) for a, b in zip(p, q, strict=True)])
        for p, q in zip(x.numpy(), y.numpy(), strict=True)
    ]
    np.testing.assert_allclose(ssim(x, y, 2.0, reduction="none"), want, rtol=1e-10)
    several = errors._per_sample(x, y, lambda a, b: errors._ssim(a, b, 2.0), block=700)
    np.testing.assert_allclose(several, want, rtol=1e-10)


def test_ssim_of_flat_images_is_the_luminance_term():
    x, y = np.full((1, 12, 12), 0.3), np.full((1, 12, 12), 0.5)
    want = (2 * 0.3 * 0.5 + 1e-4) / (0.3**2 + 0.5**2 + 1e-4)
    assert float(ssim(x, y)) == pytest.approx(want, rel=1e-12)


def test_ssim_of_equals_is_one_and_it_is_symmetric():
    x, y = images(2, 11, 15) + 1e6, images(2, 11, 15, seed=1) + 1e6
    assert float(ssim(x, x)) == pytest.approx(1, abs=1e-12)
    assert float(ssim(x, y)) == pytest.approx(float(ssim(y, x)), abs=1e-12)


def test_intervals_shrink_with_samples():
    few, many = images(20, 4), images(2000, 4)
    wide = mse(few, few * 0, confidence=0.95).interval
    narrow = mse(many, many * 0, confidence=0.95).interval
    assert 5 < (wide.high - wide.low) / (narrow.high - narrow.low) < 20
    assert narrow.low < 1 / 3 < narrow.high


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: mse(torch.zeros(2, 3), torch.zeros(3, 2)), r"\(2, 3\) and y has shape \(3, 2\)"),
        (lambda: mse(torch.zeros(()), torch.zeros(())), r"give a single sample as x\[None\]"),
        (lambda: mse(torch.zeros(0, 3), torch.zeros(0, 3)), "at least one sample"),
        (lambda: mse(torch.tensor([1.0, math.nan]), torch.zeros(2)), r"x holds 1 .* index \(1,\)"),
        (lambda: mse(torch.zeros(2), torch.tensor([math.inf, 1])), "y holds 1 values"),
        (lambda: mse(np.array(["a"]), np.array(["b"])), "expected real numbers"),
        (lambda: mse(torch.zeros(2) * 1j, torch.zeros(2)), "is complex"),
        (lambda: mse(torch.zeros(2), torch.zeros(2), reduction="sum"), "reduction='sum'"),
        (lambda: mse(torch.zeros(2), torch.zeros(2), "none", 0.9), "interval of a mean"),
        (lambda: mse(torch.zeros(1), torch.zeros(1), confidence=0.9), "at least 2 samples"),
        (lambda: psnr(torch.zeros(2), torch.zeros(2), data_range=0), "data_range=0"),
        (lambda: ssim(torch.zeros(28, 28), torch.zeros(28, 28)), "expected images"),
        (lambda: ssim(torch.zeros(1, 28, 10), torch.zeros(1, 28, 10)), "28×10"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()

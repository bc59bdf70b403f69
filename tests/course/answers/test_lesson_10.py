"""The pattern of period two: closed forms, and what chance does."""

import itertools

import pytest
import torch
import torch.nn.functional as F

from gqlib import data
from gqlib.course.answers import lesson_10
from gqlib.course.answers.lesson_10 import has_checkerboard
from gqlib.data import disturbances, planted
from gqlib.metrics.spectrum import PIXELS
from tests.samples import noise


def period_two(images, pixels=PIXELS):
    """Amplitudes of the three waves in the images' mean, and their standard errors."""
    waves = lesson_10._waves(images, "images", pixels)
    return waves.mean(0), waves.std(0) / len(images) ** 0.5


def parity(height, width):
    """The waves (−1)^i, (−1)^j and (−1)^(i+j)."""
    i, j = (-1.0) ** torch.arange(height)[:, None], (-1.0) ** torch.arange(width)
    return torch.stack([i.expand(height, width), j.expand(height, width), i * j]).double()


@pytest.mark.parametrize(("height", "width"), [(6, 6), (4, 10), (2, 2)])
def test_amplitudes_of_planted_waves(height, width):
    planted_waves = torch.tensor([0.3, -0.2, 0.05], dtype=torch.float64)
    image = 0.7 + (planted_waves[:, None, None] * parity(height, width)).sum(0)
    found, error = period_two(image.expand(5, height, width))
    torch.testing.assert_close(found, planted_waves)
    assert float(error.max()) < 1e-15


def test_amplitudes_against_alternating_sums():
    images = noise(9, 8, 12) + 0.3
    each = torch.stack([(images * wave).mean((1, 2)) for wave in parity(8, 12)], 1)
    for pixels in (PIXELS, 200):
        found, error = period_two(images, pixels)
        torch.testing.assert_close(found, each.mean(0))
        torch.testing.assert_close(error, each.std(0) / 3)


def test_amplitudes_are_the_transform_of_the_mean_image():
    images = noise(4, 8, 6)
    transform = torch.fft.fft2(images.mean(0)) / 48
    want = torch.stack([transform[4, 0], transform[0, 3], transform[4, 3]])
    torch.testing.assert_close(period_two(images)[0], want.real)


def test_amplitudes_of_noise_have_their_error():
    found, error = period_two(noise(4000, 6, 4))
    expected = torch.full((3,), (24 * 4000) ** -0.5).double()
    torch.testing.assert_close(error, expected, rtol=0.1, atol=0)
    assert float((found.abs() / error).max()) < 4


def test_edges_that_all_images_share_are_no_pattern():
    grey = 0.6 + 0.01 * noise(40, 28, 28)
    slope = torch.linspace(0, 1, 28, dtype=torch.float64).expand(28, 28)
    for changed in (slope, slope.T, 1 - slope):
        assert not has_checkerboard(changed + 0.01 * noise(40, 28, 28, 1), grey)
    for top, bottom, left, right in itertools.product(range(4), repeat=4):
        framed = torch.zeros_like(grey)
        kept = slice(None), slice(top, 28 - bottom), slice(left, 28 - right)
        framed[kept] = grey[kept]
        assert not has_checkerboard(framed, grey), (top, bottom, left, right)
        assert has_checkerboard(framed + 0.1 * WAVE, grey), (top, bottom, left, right)


def test_small_images():
    for height, width in ((2, 2), (4, 4), (6, 4), (8, 6)):
        one, two = 0.5 + 0.05 * noise(64, height, width), 0.5 + 0.05 * noise(64, height, width, 1)
        assert not has_checkerboard(one, two)
        assert has_checkerboard(one + 0.2 * parity(height, width)[2], two)


@pytest.fixture(scope="module")
def pools():
    """Pairs of disjoint random draws of test digits, of the smallest size and of a larger one."""
    images = data.load("mnist", "test").images.double() / 255
    found = []
    for n, seeds in ((32, range(25)), (1500, range(2))):
        for seed in seeds:
            order = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))
            found.append((images[order[:n]], images[order[n : 2 * n]]))
    return found


def deviates(images, seed=5):
    return noise(*images.shape, seed=seed)


def lattice(images, height=0, width=0, light=0.3):
    lit = images.clone()
    lit[:, height::2, width::2] += light
    return lit


def upsampled(images, kernel):
    """Halved, then doubled by a transposed convolution of stride two."""
    weight = torch.as_tensor(kernel, dtype=torch.float64)[None, None]
    small = F.avg_pool2d(images[:, None], 2)
    return F.conv_transpose2d(small, weight, stride=2)[:, 0, : images.shape[1], : images.shape[2]]


WAVE = parity(28, 28)[2]
GUILTY = {
    "a faint wave": lambda x: x + 0.05 * WAVE,
    "its opposite": lambda x: x - 0.05 * WAVE,
    "a clipped wave": lambda x: (x + 0.05 * WAVE).clamp(0, 1),
    "a wave and noise": lambda x: x + 0.05 * WAVE + 0.3 * deviates(x),
    "a wave and a blur": lambda x: disturbances.gaussian_blur(x, 1.5) + 0.05 * WAVE,
    "a faint lattice": lambda x: lattice(x, light=0.1),
    "a lit lattice": lambda x: lattice(x, 1, 0, 1.0).clamp(0, 1),
    "every second row": lambda x: x + 0.1 * (torch.arange(28) % 2 == 0)[:, None],
    "every second column": lambda x: x + 0.1 * (torch.arange(28) % 2 == 0),
    "a 3x3 kernel": lambda x: upsampled(x, [[0.44] * 3] * 3),
    "a 5x5 kernel": lambda x: upsampled(x, [[0.16] * 5] * 5),
    "an uneven kernel": lambda x: upsampled(x, [[0.3, 0.5, 0.3], [0.5, 1.2, 0.5], [0.3, 0.5, 0.3]]),
}
INNOCENT = {
    "nothing": lambda x: x,
    "noise": lambda x: x + 0.3 * deviates(x),
    "strong noise": lambda x: x + deviates(x),
    "clipped noise": lambda x: (x + 0.3 * deviates(x)).clamp(0, 1),
    "nothing but noise": lambda x: 0.5 + 0.1 * deviates(x),
    "a slight blur": lambda x: disturbances.gaussian_blur(x, 0.5),
    "a blur": lambda x: disturbances.gaussian_blur(x, 1.5),
    "a mean over 5x5": lambda x: F.avg_pool2d(x[:, None], 5, stride=1, padding=2)[:, 0],
    "half the brightness": lambda x: 0.5 * x,
    "twice the brightness": lambda x: (2 * x).clamp(0, 1),
    "a grey background": lambda x: 0.3 + 0.7 * x,
    "black and white": lambda x: (x > 0.5).double(),
    "inverted": lambda x: 1 - x,
    "a shift": lambda x: x.roll((1, 0), (1, 2)),
    "mirrored": lambda x: x.flip(2),
    "salt and pepper": lambda x: disturbances.salt_and_pepper(
        x, 0.1, torch.Generator().manual_seed(1)
    ),
    "a 2x2 kernel": lambda x: upsampled(x, [[1.0] * 2] * 2),
    "a 4x4 kernel": lambda x: upsampled(x, [[0.25] * 4] * 4),
    "one grey": lambda x: torch.full_like(x, 0.3),
}


@pytest.mark.parametrize("change", GUILTY)
def test_a_pattern_is_found(pools, change):
    for images, reference in pools:
        changed = GUILTY[change](images)
        assert has_checkerboard(changed, reference) is True
        assert not has_checkerboard(reference, changed), "a pattern of the reference alone"


@pytest.mark.parametrize("change", INNOCENT)
def test_no_pattern_is_invented(pools, change):
    for images, reference in pools:
        assert has_checkerboard(INNOCENT[change](images), reference) is False


@pytest.mark.parametrize("change", GUILTY)
def test_a_pattern_in_both_is_none(pools, change):
    for images, reference in pools:
        assert not has_checkerboard(GUILTY[change](images), GUILTY[change](reference))


def test_units_and_types_change_nothing(pools):
    images, reference = pools[0]
    for change, answer in ((GUILTY["a clipped wave"], True), (INNOCENT["noise"], False)):
        changed = change(images)
        assert has_checkerboard(changed * 255, reference * 255) is answer
        assert has_checkerboard(changed.float().numpy(), reference.float().numpy()) is answer
    found = ((images + 0.05 * WAVE).clamp(0, 1) * 255).round().to(torch.uint8)
    original = (reference * 255).round().to(torch.uint8)
    assert has_checkerboard(found, original)
    assert not has_checkerboard((images * 255).round().to(torch.uint8), original)


def test_sizes_may_differ(pools):
    images, reference = pools[-1][0], pools[0][1]
    assert not has_checkerboard(images, reference)
    assert has_checkerboard(images + 0.05 * WAVE, reference)
    assert not has_checkerboard(reference, images)
    assert not has_checkerboard(images[:, :20, 2:], reference), "cut through the digits"


def test_the_planted_generators():
    digits = planted.draw(500, seed=0)
    for name in planted.FAILURE:
        images = planted.generate(name, digits, torch.Generator().manual_seed(0))
        assert has_checkerboard(images, digits.real.images) == (name == "checkerboard"), name


SOME = torch.zeros(32, 4, 4)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: has_checkerboard(SOME[:31], SOME), "images has 31 images, expected at least 32"),
        (lambda: has_checkerboard(SOME, SOME[:1]), "reference has 1 image, expected"),
        (
            lambda: has_checkerboard(SOME[:, :3], SOME),
            r"images has shape \(32, 3, 4\), expected even",
        ),
        (lambda: has_checkerboard(SOME, SOME[:, :, 1:]), "reference has shape .* expected even"),
        (lambda: has_checkerboard(SOME[:, None], SOME), r"images has shape .* x\.mean\(1\)"),
        (lambda: has_checkerboard(SOME, SOME / 0), "reference holds 512"),
        (lambda: period_two(SOME[..., :3]), "expected even H and W"),
    ],
)
def test_bad_input_to_the_pattern(call, words):
    with pytest.raises(ValueError, match=words):
        call()

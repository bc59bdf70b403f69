"""The report's pictures: what is drawn where, said in words too, and small."""

from __future__ import annotations

import base64
import io
import math
import re
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from gqlib import pictures
from gqlib.metrics import Interval, representation_gap


def noise(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)


def normal(n: int, d: int, seed: int = 0) -> Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed))


def decoded(markup: str) -> np.ndarray[Any, Any]:
    found = re.search(r'src="data:image/png;base64,([^"]+)"', markup)
    assert found
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(found[1]))))


# --- numbers --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (-0.0, "0"),
        (1, "1.00"),
        (0.12345, "0.123"),
        (0.0012345, "0.00123"),
        (-0.000012345, "-1.2e-5"),
        (12.345, "12.3"),
        (999.6, "1,000"),
        (12345.6, "12,346"),
        (1.5e9, "1.5e9"),
        (math.inf, "infinite"),
        (-math.inf, "-infinite"),
        (math.nan, "unknown"),
    ],
)
def test_numbers_have_sensible_digits(value: float, text: str) -> None:
    assert pictures.number(value) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0, "0 %"),
        (1, "100 %"),
        (0.43, "43 %"),
        (0.043, "4.3 %"),
        (0.05, "5 %"),
        (0.9996, "99.9 %"),
        (0.0001, "below 0.1 %"),
        (1.5, "150 %"),
        (math.nan, "unknown"),
    ],
)
def test_shares_never_round_to_none_or_all(share: float, text: str) -> None:
    assert pictures.percent(share) == text


def test_signs_of_print() -> None:
    assert pictures.signs("-1.2e-5") == "−1.2 × 10⁻⁵"
    assert pictures.signs("1.5e9") == "1.5 × 10⁹"
    assert pictures.signs("infinite") == "infinite"


def test_names_are_shown_on_one_line() -> None:
    assert pictures.shown("a\nb\x1b[31m\u202e\udcff é") == r"a\nb\x1b[31m\u202e\udcff é"


# --- images ---------------------------------------------------------------------------------------


def test_wall_of_grey_images() -> None:
    images = noise(5, 1, 60, 50)
    wall = pictures.image_wall(list(images), 'real "images"')
    assert 'alt="5 real &quot;images&quot; side by side"' in wall
    pixels = decoded(wall)
    assert pixels.shape == (2 * 62 - 2, 3 * 52 - 2)
    np.testing.assert_array_equal(pixels[:60, :50], images[0, 0])
    np.testing.assert_array_equal(pixels[62:, 52:102], images[4, 0])
    assert (pixels[60:62] == 128).all()


def test_small_images_are_enlarged_sharply() -> None:
    pixels = decoded(pictures.image_wall(list(noise(4, 1, 28, 28)), "digits"))
    assert pixels.shape == (174, 174)
    np.testing.assert_array_equal(pixels[::3, ::3].repeat(3, 0).repeat(3, 1), pixels)


def test_wall_of_mixed_sizes_and_modes() -> None:
    red = torch.zeros(3, 20, 100, dtype=torch.uint8)
    red[0] = 255
    pixels = decoded(pictures.image_wall([red, noise(1, 100, 20)], "images"))
    assert pixels.shape == (100, 202, 3)
    assert (pixels[50, :100] == [255, 0, 0]).all()
    # Above and beside an image of another shape there is grey.
    assert (pixels[0, :100] == 128).all()
    assert (pixels[:, 110] == 128).all()


def test_large_noise_still_fits() -> None:
    wall = pictures.image_wall(list(noise(64, 3, 256, 256)), "fakes")
    assert len(wall) < 1.4 * pictures._WALL_BYTES
    assert 'alt="64 fakes' not in wall


def test_pair_is_two_images() -> None:
    pixels = decoded(pictures.image_pair(noise(1, 64, 64), noise(3, 256, 128), "a pair"))
    assert pixels.shape == (64, 130, 3)


@pytest.mark.parametrize(
    "image",
    [
        torch.zeros(1, 4, 4),
        torch.zeros(4, 4, dtype=torch.uint8),
        torch.zeros(4, 4, 4, dtype=torch.uint8),
        torch.zeros(3, 0, 4, dtype=torch.uint8),
    ],
)
def test_other_images_are_refused(image: Tensor) -> None:
    with pytest.raises(ValueError, match=r"an image .*expected"):
        pictures.image_wall([image], "images")


def test_empty_wall_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one image, got none"):
        pictures.image_wall([], "images")


# --- the map --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "d"), [(300, 5), (20, 50), (7, 1), (1, 3), (2500, 3)])
def test_map_finds_the_axes_of_the_real_features(n: int, d: int) -> None:
    x = normal(n, d).double() * torch.linspace(3, 1, d)
    found = pictures.project(x, x + 1)
    assert found.real.shape == found.fake.shape == (min(n, pictures.POINTS), 2)
    if n <= pictures.POINTS:
        singular = torch.linalg.svdvals(x - x.mean(0))
        spread = found.real.square().sum(0).sqrt().sort(descending=True).values
        unit = float((x - x.mean(0)).abs().max()) or 1
        expected = torch.zeros(2, dtype=torch.float64)
        expected[: len(singular[:2])] = singular[:2]
        torch.testing.assert_close(spread * unit, expected, atol=1e-6, rtol=1e-6)
        if n > 1:
            share = singular[:2].square().sum() / singular.square().sum()
            assert found.explained == pytest.approx(float(share))


def test_map_of_huge_constant_and_half_precision_features() -> None:
    for x in (torch.full((9, 3), 2.0), 1e200 * normal(9, 3).double(), normal(9, 3).half()):
        found = pictures.project(x, x)
        assert found.real.isfinite().all()
        assert "NaN" not in pictures.feature_map(found)
        assert "nan" not in pictures.feature_map(found)


def test_map_shows_both_sides_by_shape_and_tells_of_strays() -> None:
    x = normal(50, 2)
    y = torch.cat([normal(40, 2, 1), torch.full((3, 2), 100.0)])
    markup = pictures.feature_map(pictures.project(x, y))
    assert markup.count("<svg") == 2 + markup.count("gq-key")
    assert re.search(r'class="real"[^>]*d="(M\d+ \d+h0){50}"', markup)
    assert re.search(r'class="fake"[^>]*d="(M-?\d+ -?\d+l14 14m-14 0l14-14){43}"', markup)
    assert "3 fakes lie beyond the edge" in markup
    assert 'aria-label="Map of 50 real samples, as dots' in markup


def test_map_of_many_points_is_small() -> None:
    markup = pictures.feature_map(pictures.project(normal(3000, 4), normal(3000, 4, 1)))
    assert len(markup) < 200_000


# --- charts ---------------------------------------------------------------------------------------


def test_intervals_are_where_they_belong() -> None:
    row = pictures.Row("Recall", "mode collapse", 0.5, Interval(0.4, 0.65, 0.95), 0.8, 0, 1)
    markup = pictures.intervals([row])
    assert 'cx="50.00%"' in markup
    assert 'x1="40.00%" x2="65.00%"' in markup
    assert 'x1="80.00%" x2="80.00%"' in markup
    assert 'aria-label="Recall: 0.500, interval 0.400 to 0.650, faithful 0.800"' in markup
    bare = pictures.Row("A<b", "x", math.inf, None, None, 0, 1)
    markup = pictures.intervals([bare])
    assert 'cx="100.00%"' in markup
    assert "A&lt;b" in markup
    assert "interval" not in markup


def test_groups_with_and_without_shares() -> None:
    real, fake = ["a"] * 50 + ["<b>"] * 50, ["a"] * 80 + ["<b>"] * 20
    gap = representation_gap(real, fake)
    markup = pictures.groups(gap, {"a": 0.5, "<b>": 0.5})
    assert "50.0 % → 80.0 %" in markup
    assert "&lt;b&gt;" in markup
    assert "<b>" not in markup
    assert "a: +30.0 points, interval" in markup
    assert markup.count('class="bar-real"') == 2 + 1
    markup = pictures.groups(gap)
    assert "+30.0 points" in markup
    assert "−30.0 points" in markup
    assert markup.count('class="bar-real"') == 0
    # The shift of the first group goes from the middle to the right, the other's to the left.
    starts = [float(x) for x in re.findall(r'class="bar-fake" x="([\d.]+)%"', markup)]
    assert starts[1] == 50
    assert starts[0] < 50


def test_many_groups_show_those_that_differ_most() -> None:
    real = list(range(100)) * 10
    gap = representation_gap(real, real + [37] * 300)
    markup = pictures.groups(gap)
    assert "20 groups that differ most, of 100" in markup
    assert ">37</text>" in markup


def test_spectra_tell_of_fine_detail() -> None:
    real = 10.0 ** -torch.arange(21, dtype=torch.float64)
    markup = pictures.spectra(real, 4 * real)
    assert "4.00 times the real images'" in markup
    curves = re.findall(r'class="(real|fake)" stroke-width="2.5"[^>]*d="(M0 \d+L[^"]+)"/>', markup)
    assert [side for side, _ in curves] == ["real", "fake"]
    assert re.search(r'class="fake"[^>]*stroke-dasharray', markup)


@pytest.mark.parametrize(
    ("real", "fake"),
    [
        (torch.zeros(5), torch.zeros(5)),
        (torch.tensor([1.0]), torch.tensor([1.0])),
        (torch.tensor([4.0, 0, 2, 0, 1]), torch.zeros(5)),
        (torch.ones(5), torch.ones(8)),
        (torch.ones(8), torch.full((8,), math.nan)),
        (torch.tensor([1e300, 1e-300]).double(), torch.ones(2).double()),
    ],
)
def test_odd_spectra_are_drawn_or_left_out(real: Tensor, fake: Tensor) -> None:
    markup = pictures.spectra(real, fake)
    assert "nan" not in markup
    assert "inf" not in markup

"""Images inside the page: walls and pairs."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from gqlib.evaluation.report import _images


def noise(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)


def decoded(picture: _images.Picture) -> np.ndarray[Any, Any]:
    data = picture.source.removeprefix("data:image/png;base64,")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data, validate=True))))


def test_wall_of_grey_images() -> None:
    images = noise(5, 1, 60, 50)
    wall = _images.image_wall(list(images), "real images")
    assert wall.alt == "5 real images side by side"
    pixels = decoded(wall)
    assert pixels.shape == (2 * 62 - 2, 3 * 52 - 2)
    np.testing.assert_array_equal(pixels[:60, :50], images[0, 0])
    np.testing.assert_array_equal(pixels[62:, 52:102], images[4, 0])
    assert (pixels[60:62] == 128).all()


def test_small_images_are_enlarged_sharply() -> None:
    pixels = decoded(_images.image_wall(list(noise(4, 1, 28, 28)), "digits"))
    assert pixels.shape == (174, 174)
    np.testing.assert_array_equal(pixels[::3, ::3].repeat(3, 0).repeat(3, 1), pixels)


def test_wall_of_mixed_sizes_and_modes() -> None:
    red = torch.zeros(3, 20, 100, dtype=torch.uint8)
    red[0] = 255
    pixels = decoded(_images.image_wall([red, noise(1, 100, 20)], "images"))
    assert pixels.shape == (100, 202, 3)
    assert (pixels[50, :100] == [255, 0, 0]).all()
    # Above and next to an image of another shape there is grey.
    assert (pixels[0, :100] == 128).all()
    assert (pixels[:, 110] == 128).all()


def test_large_noise_still_fits() -> None:
    wall = _images.image_wall(list(noise(64, 3, 256, 256)), "fakes")
    assert len(wall.source) < 1.4 * _images._WALL_BYTES
    assert not wall.alt.startswith("64 fakes")


def test_pair_is_two_images() -> None:
    pixels = decoded(_images.image_pair(noise(1, 64, 64), noise(3, 256, 128), "a pair"))
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
        _images.image_wall([image], "images")


def test_empty_wall_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one image, got none"):
        _images.image_wall([], "images")

"""The mean image: exact for bytes, precise for many images, and clear about bad input."""

from __future__ import annotations

import pytest
import torch

from gqlib.course.answers.lesson_00 import mean_image


def test_bytes_are_averaged_as_numbers() -> None:
    images = torch.tensor([[[200, 7]], [[100, 8]]], dtype=torch.uint8)
    mean = mean_image(images)
    assert mean.dtype == torch.float32
    assert mean.tolist() == [[150.0, 7.5]]


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_floats_keep_their_dtype(dtype: torch.dtype) -> None:
    images = torch.tensor([[0.5, 1.0], [0.0, 2.0], [1.0, 0.0]], dtype=dtype)
    mean = mean_image(images)
    assert mean.dtype == dtype
    torch.testing.assert_close(mean, torch.tensor([0.5, 1.0], dtype=dtype))


def test_a_million_images_lose_no_digits() -> None:
    # Added up one after the other in float32, 0.1 gives 0.1009 after a million times.
    assert float(mean_image(torch.full((1_000_000, 1), 0.1))) == pytest.approx(0.1, rel=1e-7)


def test_one_image_is_its_own_mean_in_any_shape() -> None:
    image = torch.rand(1, 3, 2, 4, generator=torch.Generator().manual_seed(0))
    assert torch.equal(mean_image(image), image[0])


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (torch.zeros(0, 28, 28), "at least one"),
        (torch.tensor(1.0), "at least one"),
        (torch.zeros(2, 3, dtype=torch.int64), "int64"),
        (torch.zeros(2, 3, dtype=torch.complex64), "complex64"),
    ],
)
def test_bad_input_is_named(images: torch.Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        mean_image(images)

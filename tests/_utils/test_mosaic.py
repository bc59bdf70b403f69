"""Images laid out in one array."""

import numpy as np
import pytest

from gqlib._utils.mosaic import mosaic


def test_rows_gaps_and_background():
    a, b, c = (np.full((2, 3), value, np.uint8) for value in (1, 2, 3))
    got = mosaic([a, b, c], columns=2, gap=1, background=9)
    assert got.tolist() == [
        [1, 1, 1, 9, 2, 2, 2],
        [1, 1, 1, 9, 2, 2, 2],
        [9, 9, 9, 9, 9, 9, 9],
        [3, 3, 3, 9, 9, 9, 9],
        [3, 3, 3, 9, 9, 9, 9],
    ]
    assert got.dtype == np.uint8


def test_smaller_images_are_in_the_middle():
    got = mosaic([np.ones((4, 4)), np.full((2, 1), 2.0)], columns=1, gap=0)
    assert got[4:].tolist() == [[0, 0, 0, 0], [0, 2, 0, 0], [0, 2, 0, 0], [0, 0, 0, 0]]


def test_grey_among_colour():
    colour = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    got = mosaic([np.full((2, 2), 7, np.uint8), colour], columns=2, gap=0)
    assert got.shape == (2, 4, 3)
    assert (got[:, :2] == 7).all()
    assert (got[:, 2:] == colour).all()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floats_become_float64(dtype):
    got = mosaic([np.full((1, 1), 0.1, dtype)], columns=3)
    assert got.dtype == np.float64
    assert got[0, 0] == dtype(0.1)

"""Arrays as tensors: every memory layout, and no copy where none is needed."""

import numpy as np
import pytest
import torch

from gqlib._utils.arrays import from_numpy


@pytest.mark.parametrize("dtype", ["f8", "f4", "f2", "i8", "i4", "i2", "u1", "?"])
def test_memory_is_shared(dtype):
    array = np.zeros((2, 3), dtype)
    for view in (array, array.T, array[:, 1:], array[::2]):
        tensor = from_numpy(view)
        assert tensor.shape == view.shape
        assert tensor.data_ptr() == view.ctypes.data


@pytest.mark.parametrize("dtype", [">f8", "<f8", ">f4", ">i2", "<i2", ">i8"])
def test_every_byte_order(dtype):
    array = np.array([[1, -2], [300, 4]], dtype)
    tensor = from_numpy(array)
    assert tensor.tolist() == array.tolist()
    assert tensor.element_size() == array.itemsize


def test_memory_that_must_not_be_written_is_copied(recwarn):
    array = np.arange(6.0)
    array.flags.writeable = False
    tensor = from_numpy(array)
    tensor[0] = 9
    assert array[0] == 0
    assert not recwarn.list  # torch's own function warns


@pytest.mark.parametrize("turned", [(slice(None, None, -1),), (slice(None), slice(None, None, -2))])
def test_negative_strides(turned):
    array = np.arange(12.0).reshape(3, 4)
    assert torch.equal(from_numpy(array[turned]), torch.tensor(array[turned].tolist()).double())

"""MNIST, which comes with the package: 60,000 training and 10,000 test digits of 28×28 pixels.

Yann LeCun, Corinna Cortes and Christopher J. C. Burges, http://yann.lecun.com/exdb/mnist/, under
CC BY-SA 3.0 (``mnist/LICENSE``). Described in LeCun, Bottou, Bengio and Haffner, "Gradient-based
learning applied to document recognition", Proc. IEEE 86(11), 1998.
"""

from __future__ import annotations

import functools
import hashlib
import zlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gqlib.data.dataset import Dataset

FOLDER = Path(__file__).resolve().parent / "mnist"

#: SHA-256 of the files as the authors published them, that is of the unpacked bytes.
SHA256 = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}

_PREFIX = {"train": "train", "test": "t10k"}
_REPAIR = "install gqlib again, as its README says"
#: How many of the 60,000 training digits the shipped classifier has never seen.
_HELD_OUT = 10_000


def load_mnist(split: str) -> Dataset:
    """MNIST's ``"train"`` or ``"test"`` split, in tensors that the caller may change.

    Raises:
        FileNotFoundError: A file of the package is missing.
        ValueError: A file of the package is damaged.
    """
    prefix = _PREFIX[split]
    # The formats' headers: a magic number and one size for each axis, four bytes each.
    images = _array(f"{prefix}-images-idx3-ubyte", 16).view(-1, 28, 28)
    labels = _array(f"{prefix}-labels-idx1-ubyte", 8).to(torch.int64)
    return Dataset(images, labels, "mnist", split)


def mnist_split() -> tuple[Tensor, Tensor]:
    """The fixed division of MNIST's 60,000 training digits: 50,000 used and 10,000 held out.

    The digit classifier of :mod:`gqlib.features.digits` is trained on the first part alone, so the
    second part is as new to it as the test set.

    The rule: digit i gets the i-th 64-bit number of the bit generator PCG64 seeded with 0, and the
    10,000 digits with the smallest numbers are held out. (NumPy promises that this stream stays the
    same in later versions, but not that ``Generator.permutation`` does.)

    Returns:
        ``(used, held_out)``: indices into the training split, int64 of shapes [50000] and
        [10000], each in ascending order, together all of 0 … 59,999.
    """
    numbers = np.random.PCG64(0).random_raw(60_000)
    order = np.argsort(numbers, kind="stable")
    used, held_out = np.sort(order[_HELD_OUT:]), np.sort(order[:_HELD_OUT])
    return torch.from_numpy(used), torch.from_numpy(held_out)


def _array(name: str, header: int) -> Tensor:
    # The cached bytes are immutable; each caller gets a copy.
    return torch.from_numpy(np.frombuffer(_verified(FOLDER, name), np.uint8, offset=header).copy())


@functools.cache
def _verified(folder: Path, name: str) -> bytes:
    """The unpacked file, after a check of its digest."""
    path = folder / f"{name}.gz"
    try:
        packed = path.read_bytes()
    except FileNotFoundError:
        raise FileNotFoundError(f"{path}, a part of gqlib, is missing: {_REPAIR}") from None
    try:
        content = zlib.decompress(packed, wbits=31)  # 31: a gzip header, in the largest window
        found = hashlib.sha256(content).hexdigest()
    except zlib.error as error:
        found = f"not gzip: {error}"
    if found != SHA256[name]:
        raise ValueError(
            f"{path}, a part of gqlib, is damaged (SHA-256 of the unpacked file: {found}, "
            f"expected {SHA256[name]}): {_REPAIR}"
        )
    return content

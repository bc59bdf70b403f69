"""Data: MNIST, shipped in this package, and larger sets that torchvision downloads.

MNIST is by Yann LeCun, Corinna Cortes and Christopher J. C. Burges and stands under CC BY-SA 3.0
(``mnist/LICENSE``).

    >>> from gqlib import data
    >>> data.load("mnist", "test")
    Dataset(mnist, test: 10000 images of 28×28)
"""

from __future__ import annotations

import os

from gqlib.data import planted, toys
from gqlib.data.dataset import Dataset, binarised
from gqlib.data.downloaded import NAMES as _DOWNLOADED
from gqlib.data.downloaded import load_downloaded
from gqlib.data.mnist_files import load_mnist, mnist_split

__all__ = ["NAMES", "Dataset", "binarised", "load", "mnist_split", "planted", "toys"]

#: The data sets that :func:`load` knows.
NAMES = ("mnist", *_DOWNLOADED)

_SPLITS = ("train", "test")


def load(
    name: str = "mnist",
    split: str = "train",
    *,
    root: str | os.PathLike[str] | None = None,
    download: bool = True,
) -> Dataset:
    """One split of a data set, whole and in its published order.

    ``mnist`` comes with the package: each file is verified by its SHA-256 on its first use in a
    process, and ``root`` and ``download`` have no effect. torchvision loads the others.

    Args:
        name: ``"mnist"``, ``"fashion_mnist"`` or ``"cifar10"``.
        split: ``"train"`` or ``"test"``.
        root: Folder of the files in torchvision's layout, which is filled if need be; by default
            ``$XDG_CACHE_HOME/gqlib`` or ``~/.cache/gqlib``, on Windows ``%LOCALAPPDATA%/gqlib``.
        download: Whether to fetch files that are not there.

    Returns:
        A :class:`Dataset` with new tensors: changing them does not affect later calls.

    Raises:
        ValueError: No such name or split, or a file is damaged.
        FileNotFoundError: Files are missing and ``download`` is False, or one of the package's is.
        ConnectionError: The download failed.
        ModuleNotFoundError: torchvision is missing; it comes with the extra ``course``.
    """
    if name not in NAMES:
        raise ValueError(f"no data set {name!r}, expected one of {', '.join(NAMES)}")
    if split not in _SPLITS:
        raise ValueError(f"{name} has no split {split!r}, expected one of {', '.join(_SPLITS)}")
    if name == "mnist":
        return load_mnist(split)
    return load_downloaded(name, split, root, download)

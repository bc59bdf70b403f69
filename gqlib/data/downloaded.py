"""Data sets that torchvision downloads: fetched once, and kept in the user's cache.

* ``fashion_mnist``: Xiao, Rasul and Vollgraf, "Fashion-MNIST", 2017; 60,000 and 10,000 grey images
  of 28×28 pixels.
* ``cifar10``: Krizhevsky, "Learning multiple layers of features from tiny images", 2009; 50,000 and
  10,000 colour images of 32×32 pixels.
"""

from __future__ import annotations

import os
import pickle
import tempfile
from pathlib import Path
from typing import Any

import torch

from gqlib._utils import installing
from gqlib._utils.cache_folder import cache_folder
from gqlib.data.dataset import Dataset

#: Our name, torchvision's class, and the folder that it makes under the root.
_KNOWN = {
    "fashion_mnist": ("FashionMNIST", "FashionMNIST"),
    "cifar10": ("CIFAR10", "cifar-10-batches-py"),
}
NAMES = tuple(_KNOWN)


def load_downloaded(
    name: str, split: str, root: str | os.PathLike[str] | None, download: bool
) -> Dataset:
    """One split of one of :data:`NAMES`; errors as :func:`gqlib.data.load`."""
    folder = cache_folder() if root is None else Path(root).expanduser()
    train = split == "train"
    found = _read(name, folder, train)
    if found is None and download:
        _download(name, folder, train)
        found = _read(name, folder, train)
    if found is None:
        raise FileNotFoundError(
            f"{name} is not in {folder}: call load with download=True, or name the folder that "
            f"holds torchvision's {_KNOWN[name][1]} as root="
        )
    images = torch.as_tensor(found.data)
    if images.ndim == 4:  # torchvision keeps colours last
        images = images.permute(0, 3, 1, 2).contiguous()
    return Dataset(images, torch.as_tensor(found.targets, dtype=torch.int64), name, split)


def _torchvision(name: str) -> Any:
    # Imported here to keep `import gqlib.data` light.
    try:
        from torchvision import datasets
    except ModuleNotFoundError as error:
        raise installing.missing(error, name, "course") from None
    return getattr(datasets, _KNOWN[name][0])


def _read(name: str, folder: Path, train: bool) -> Any | None:
    """torchvision's data set, or None if the files are not there."""
    try:
        return _torchvision(name)(str(folder), train=train, download=False)
    except (
        *(OSError, EOFError, RuntimeError, ValueError, AssertionError),
        *(LookupError, pickle.UnpicklingError),
    ) as error:
        if str(error).startswith("Dataset not found"):
            return None
        raise ValueError(
            f"{name} in {folder / _KNOWN[name][1]} is damaged ({type(error).__name__}: {error}): "
            "delete that folder and call load again"
        ) from error


def _download(name: str, folder: Path, train: bool) -> None:
    """Fetch into a temporary folder, then move: a partial file is never taken for a whole one."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=f".{name}-") as fresh:
            _torchvision(name)(fresh, train=train, download=True)
            for path in sorted(Path(fresh).rglob("*")):
                if path.is_file() and path.suffix != ".gz":  # the archives have been unpacked
                    target = folder / path.relative_to(fresh)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    path.replace(target)
    except (OSError, RuntimeError) as error:  # OSError includes urllib's errors and time-outs
        reason = " ".join(str(error).split())
        raise ConnectionError(
            f"{name} could not be downloaded to {folder} ({reason}): connect to the internet and "
            f"call load again, or name a folder that holds torchvision's {_KNOWN[name][1]} as root="
        ) from error

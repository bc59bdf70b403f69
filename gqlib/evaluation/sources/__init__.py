"""What can be measured, opened by path: images, features or statistics.

* A folder of PNG, JPEG and WebP files: :class:`ImageFolder`, lazy and in the order of the names.
* An array of images in ``.npy``, ``.npz``, ``.pt`` or ``.safetensors``: :class:`ImageArray`.
* An array (N, D) of floats: :class:`FeatureArray`.
* An ``.npz`` with ``mu`` and ``sigma``: :class:`gqlib.metrics.GaussianStatistics`.

Nothing is guessed: a file that could mean two things is an error. ``warnings`` says what was
changed to get 8 bits and 1 or 3 channels. Pickles are never loaded.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from gqlib._utils.text import printable
from gqlib.data.images import Images
from gqlib.evaluation.sources._array_files import load_array, load_statistics
from gqlib.evaluation.sources._arrays import FeatureArray, ImageArray
from gqlib.evaluation.sources._folder import ImageFolder
from gqlib.evaluation.sources._labels import read_labels
from gqlib.evaluation.sources._paths import ARRAY_SUFFIXES, IMAGE_SUFFIXES, check_suffix, existing

if TYPE_CHECKING:
    from gqlib.metrics import GaussianStatistics

__all__ = [
    "ARRAY_SUFFIXES",
    "IMAGE_SUFFIXES",
    "FeatureArray",
    "ImageArray",
    "ImageFolder",
    "Images",
    "open_source",
    "read_labels",
]


def open_source(
    path: str | os.PathLike[str], array: str | None = None
) -> Images | FeatureArray | GaussianStatistics:
    """Open a set to measure.

    Args:
        path: A folder of images, or a file: ``.npz``, ``.npy``, ``.pt``, ``.pth``,
            ``.safetensors``.
        array: Which array of an ``.npz``, ``.pt`` or ``.safetensors`` file; by default the only
            one, or the one called ``images``, ``features`` or ``arr_0``.

    Returns:
        :class:`ImageFolder` for a folder. For a file, :class:`ImageArray` if the array has three or
        four dimensions, :class:`FeatureArray` if it has two and holds floats, and
        :class:`gqlib.metrics.GaussianStatistics` for an ``.npz`` with ``mu`` and ``sigma`` (unless
        ``array`` asks for another of its arrays).

    Raises:
        FileNotFoundError: Nothing is there.
        ValueError: Anything else is wrong with it, said in one sentence with the path.
    """
    name = os.fspath(path)
    place, shown = existing(name), printable(name)
    if place.is_dir():
        if array is not None:
            raise ValueError(
                f"{shown} is a folder and array={array!r} chooses an array of a file: leave it out"
            )
        return ImageFolder(name)
    check_suffix(place, shown, ARRAY_SUFFIXES, "a folder of images")
    if array is None and (statistics := load_statistics(place, shown)) is not None:
        return statistics
    values = load_array(place, shown, array, ("images", "features", "arr_0"))
    if values.ndim == 2 and values.is_floating_point():
        return FeatureArray(name, values)
    return ImageArray(values, name)

"""Arrays and statistics from ``.npy``, ``.npz``, ``.pt`` and ``.safetensors`` files."""

from __future__ import annotations

import warnings
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gqlib.evaluation.sources._arrays import as_tensor
from gqlib.evaluation.sources._messages import listed, reading, reason

if TYPE_CHECKING:
    from gqlib.metrics import GaussianStatistics


def load_array(place: Path, shown: str, array: str | None, usual: Sequence[str]) -> Tensor:
    """One array of a file, as a tensor."""
    suffix = place.suffix.lower()
    if suffix in (".npz", ".npy"):
        return as_tensor(load_numpy(place, shown, array, usual), shown)
    if suffix == ".safetensors":
        return _load_safetensors(place, shown, array, usual)
    return _load_torch(place, shown, array, usual)


def _choose(names: Sequence[str], array: str | None, usual: Sequence[str], shown: str) -> str:
    if array is not None:
        if array not in names:
            raise ValueError(
                f"{shown} holds no array {array!r}, but {listed(names)}: name one of them"
            )
        return array
    if len(names) == 1:
        return names[0]
    known = [name for name in usual if name in names]
    if len(known) == 1:
        return known[0]
    if not names:
        raise ValueError(f"{shown} holds no array, expected one of images or features")
    raise ValueError(
        f"{shown} holds several arrays ({listed(names)}), none of which is plainly meant: "
        "name one with array="
    )


def load_numpy(
    place: Path, shown: str, array: str | None, usual: Sequence[str]
) -> npt.NDArray[np.generic]:
    with reading(shown), place.open("rb") as file:
        magic = file.read(8)
    if not magic:
        raise ValueError(f"{shown} is an empty file, expected an array: replace it")
    if magic[:6] == b"\x93NUMPY":
        if len(magic) > 6 and magic[6] > 3:
            raise ValueError(
                f"{shown} has the .npy version {magic[6]}, newer than the 3 that is known here: "
                "upgrade NumPy, or save it with an older one"
            )
        if array is not None:
            raise ValueError(f"{shown} holds one array without a name: leave array={array!r} out")
        with reading(shown):
            try:
                # Pages are read from disk when they are used; a change would stay in memory.
                return np.asarray(np.load(place, mmap_mode="c", allow_pickle=False))
            except ValueError:  # an empty array has nothing to map
                return np.asarray(np.load(place, allow_pickle=False))
    if magic[:2] != b"PK":
        raise ValueError(
            f"{shown} is not a NumPy file, or its first bytes are damaged, and gqlib loads no "
            "pickles: save it with numpy.save or numpy.savez"
        )
    with reading(shown):
        file_of_arrays = np.load(place, allow_pickle=False)
    with file_of_arrays as arrays:
        name = _choose(arrays.files, array, usual, shown)
        with reading(shown):
            return np.asarray(arrays[name])


def _load_torch(place: Path, shown: str, array: str | None, usual: Sequence[str]) -> Tensor:
    if place.stat().st_size == 0:
        raise ValueError(f"{shown} is an empty file, expected a tensor: replace it")
    with reading(shown), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what torch has to say of kinds that are refused below
        options: dict[str, Any] = {"map_location": "cpu", "weights_only": True}
        try:
            loaded = torch.load(str(place), mmap=True, **options)
        except RuntimeError:  # files of torch before 1.6 cannot be mapped
            loaded = torch.load(place, **options)
    if isinstance(loaded, Mapping):
        tensors = {str(k): v for k, v in loaded.items() if isinstance(v, Tensor)}
        loaded = tensors[_choose(list(tensors), array, usual, shown)]
    elif array is not None:
        raise ValueError(f"{shown} holds nothing with a name: leave array={array!r} out")
    if not isinstance(loaded, Tensor):
        raise ValueError(
            f"{shown} holds a {type(loaded).__name__}, expected a tensor or a dict of tensors"
        )
    if loaded.layout != torch.strided or loaded.is_quantized or loaded.is_meta:
        raise ValueError(
            f"{shown} holds a sparse, quantised or meta tensor, expected a plain one: save "
            "x.to_dense() or x.dequantize()"
        )
    return loaded.detach()


#: safetensors' names of those dtypes that can be images, features or labels.
_SAFE_DTYPES = ("BOOL", "U8", "I8", "I16", "I32", "I64", "F16", "BF16", "F32", "F64")


def _load_safetensors(place: Path, shown: str, array: str | None, usual: Sequence[str]) -> Tensor:
    """One tensor of a safetensors file, as a view of the disk."""
    from safetensors import safe_open  # here, since few runs need it

    with reading(shown):
        opened = safe_open(place, "pt")
    with opened as file:
        name = _choose(list(file.keys()), array, usual, shown)
        dtype = file.get_slice(name).get_dtype()
        if dtype not in _SAFE_DTYPES:
            raise ValueError(
                f"{shown} holds {name} in the dtype {dtype}, expected one of "
                f"{', '.join(_SAFE_DTYPES)}"
            )
        with reading(shown):
            values: Tensor = file.get_tensor(name)
            return values


def load_statistics(place: Path, shown: str) -> GaussianStatistics | None:
    """Statistics, if the file is an ``.npz`` that holds some."""
    if place.suffix.lower() != ".npz" or not zipfile.is_zipfile(place):
        return None
    with reading(shown), np.load(place, allow_pickle=False) as file:
        if not {"mu", "sigma"} <= set(file.files):
            return None
    from gqlib.metrics import GaussianStatistics

    try:
        return GaussianStatistics.load(place)
    except (ValueError, TypeError, zlib.error) as error:
        raise ValueError(f"{shown} holds no usable statistics: {reason(error)}") from error

"""Arrays and statistics from ``.npy``, ``.npz``, ``.pt`` and ``.safetensors`` files."""

from __future__ import annotations

import json
import math
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
                # Pages come from disk when they are read; a change would stay in memory.
                return np.asarray(np.load(place, mmap_mode="c", allow_pickle=False))
            except ValueError:  # an empty array has nothing to map
                return np.asarray(np.load(place, allow_pickle=False))
    if magic[:2] != b"PK":
        raise ValueError(
            f"{shown} is no NumPy file, or its first bytes are damaged, and gqlib loads no "
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
_SAFE_DTYPES = {
    "BOOL": torch.bool,
    "U8": torch.uint8,
    "I8": torch.int8,
    "I16": torch.int16,
    "I32": torch.int32,
    "I64": torch.int64,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "F32": torch.float32,
    "F64": torch.float64,
}


def _load_safetensors(place: Path, shown: str, array: str | None, usual: Sequence[str]) -> Tensor:
    """One tensor of a safetensors file, as a view of the disk.

    The format: 8 bytes with the header's length, the header in JSON, and the data, of which each
    tensor has the part between its two ``data_offsets`` (https://huggingface.co/docs/safetensors).
    """
    with reading(shown), place.open("rb") as file:
        size = place.stat().st_size
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > min(size - 8, 100_000_000):
            raise ValueError("its header is longer than the file")
        header = json.loads(file.read(length))
        if not isinstance(header, dict):
            raise ValueError("its header is no table")
        header.pop("__metadata__", None)
    name = _choose(list(header), array, usual, shown)
    with reading(shown):
        entry = header[name]
        shape = [int(x) for x in entry["shape"]]
        start, stop = (int(x) for x in entry["data_offsets"])
        if entry["dtype"] in _SAFE_DTYPES:
            dtype = _SAFE_DTYPES[entry["dtype"]]
            if min([0, start, *shape]) < 0 or stop - start != math.prod(shape) * dtype.itemsize:
                raise ValueError(f"the bytes of {name} do not fit its shape")
            if stop > size - 8 - length:
                raise ValueError(f"the bytes of {name} reach beyond the end of the file")
            if stop == start:
                return torch.empty(shape, dtype=dtype)
            offset = 8 + length + start
            mapped = np.memmap(place, np.uint8, "c", offset, (stop - start,))
            # An address that is no multiple of the element's size would be read wrongly or slowly.
            data = np.asarray(mapped) if offset % dtype.itemsize == 0 else np.array(mapped)
            return torch.from_numpy(data).view(dtype).view(shape)
    raise ValueError(
        f"{shown} holds {name} in the dtype {entry['dtype']}, expected one of "
        f"{', '.join(_SAFE_DTYPES)}"
    )


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

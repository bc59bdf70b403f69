"""Values as plain data, which can't run: a test's arguments and an answer's results.

Numbers, text, tensors, arrays, and lists, tuples, sets and dictionaries of them become JSON. A
generator travels as its state. Anything else, such as an object or a function, is refused.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from types import GeneratorType
from typing import Any

import numpy as np
import torch

#: Bytes of one tensor or array that a test asks about.
_LIMIT = 4 * 2**20
_CONTAINERS: dict[str, type] = {"list": list, "tuple": tuple, "set": set, "frozenset": frozenset}
#: Iterators and views travel as a list of their items.
_SEQUENCES: tuple[type, ...] = (
    range, map, zip, filter, enumerate, GeneratorType, type({}.keys()), type({}.values()),
)  # fmt: skip


class NotPlain(TypeError):
    """A value that is more than data."""


def pack(value: Any, limit: int = _LIMIT, more: Callable[[Any], Any] | None = None) -> Any:
    """The value as JSON.

    Args:
        value: The value.
        limit: Bytes that a tensor or array may have.
        more: Called first with every part; returns JSON for parts that it handles, else ``None``.

    Raises:
        NotPlain: The value, or a part of it, is more than data.
    """
    special = more(value) if more else None
    if special is not None:
        return special
    kind = type(value)  # not isinstance, which asks the object itself
    if value is None or kind in (bool, str, int):
        return value
    if kind is float:
        return {"float": value.hex()}
    if kind is torch.Tensor:
        return _pack_tensor(value, limit)
    if kind is np.ndarray or issubclass(kind, np.generic):
        return {**_pack_array(np.asarray(value), limit), "scalar": kind is not np.ndarray}
    if kind is dict:
        return {"dict": [[pack(k, limit, more), pack(v, limit, more)] for k, v in value.items()]}
    for name, container in _CONTAINERS.items():
        if kind is container or (name == "list" and kind in _SEQUENCES):
            return {name: [pack(item, limit, more) for item in value]}
    if kind in (Fraction, Decimal):
        return {"float": float(value).hex()}
    if kind is complex:
        return {"complex": [value.real.hex(), value.imag.hex()]}
    if kind is torch.dtype:
        return {"dtype": str(value).removeprefix("torch.")}
    if kind is torch.device:
        return {"device": str(value)}
    if kind is torch.Generator and value.device.type == "cpu":
        return {"generator": _pack_tensor(value.get_state(), limit)}
    raise NotPlain(
        f"a {kind.__name__}, expected a tensor, an array, a number, a text, or a list, tuple, set "
        "or dict of them"
    )


def _pack_tensor(value: torch.Tensor, limit: int) -> dict[str, Any]:
    if value.layout is not torch.strided or value.device.type != "cpu" or value.is_quantized:
        raise NotPlain(f"a tensor of layout {value.layout} on {value.device}, expected a plain one")
    if value.requires_grad and not value.is_leaf:
        value = value.detach()
    raw = value.detach().resolve_conj().resolve_neg()
    # A copy: `contiguous` leaves a single column's stride as it is, which `view` then refuses.
    raw = raw.clone(memory_format=torch.contiguous_format).reshape(-1).view(torch.uint8)
    return {
        "tensor": _pack_bytes(raw.numpy().tobytes(), limit),
        "dtype": str(value.dtype).removeprefix("torch."),
        "shape": list(value.shape),
        "requires_grad": value.requires_grad,
    }


def _pack_array(value: np.ndarray[Any, Any], limit: int) -> dict[str, Any]:
    if value.dtype.hasobject or value.dtype.fields:
        raise NotPlain(f"an array of {value.dtype}, expected numbers")
    return {
        "array": _pack_bytes(value.tobytes(), limit),
        "dtype": value.dtype.str,
        "shape": list(value.shape),
    }


def _pack_bytes(content: bytes, limit: int) -> str:
    if len(content) > limit:
        raise NotPlain(f"{len(content)} bytes in one tensor, expected at most {limit}")
    return base64.b64encode(content).decode()


def unpack(data: Any, more: Callable[[Any], Any] | None = None) -> Any:
    """The value of :func:`pack`'s result, which may have been forged.

    Args:
        data: The result.
        more: Called first with every part, as in :func:`pack`.

    Raises:
        Exception: It is not such a result.
    """
    if data is None or isinstance(data, bool | str | int):
        return data
    special = more(data) if more else None
    if special is not None:
        return special
    if "float" in data:
        return float.fromhex(data["float"])
    if "tensor" in data:
        return _unpack_tensor(data)
    if "array" in data:
        content = base64.b64decode(data["array"])
        dtype = np.dtype(data["dtype"])
        if dtype.hasobject:
            raise NotPlain("an array of objects")
        array = np.frombuffer(content, dtype).reshape(data["shape"]).copy()
        return array[()] if data["scalar"] else array
    if "dict" in data:
        return {unpack(k, more): unpack(v, more) for k, v in data["dict"]}
    for name, container in _CONTAINERS.items():
        if name in data:
            return container(unpack(item, more) for item in data[name])
    if "complex" in data:
        return complex(*map(float.fromhex, data["complex"]))
    if "dtype" in data:
        return _dtype(data["dtype"])
    if "device" in data:
        return torch.device(data["device"])
    if "generator" in data:
        generator = torch.Generator()
        generator.set_state(_unpack_tensor(data["generator"]))
        return generator
    raise NotPlain(f"data of the fields {', '.join(data)}")


def _unpack_tensor(data: dict[str, Any]) -> torch.Tensor:
    dtype, shape = _dtype(data["dtype"]), [int(n) for n in data["shape"]]
    content = bytearray(base64.b64decode(data["tensor"]))
    if len(content) != math.prod(shape) * dtype.itemsize:
        raise NotPlain(f"{len(content)} bytes for a tensor of shape {shape} and {dtype}")
    if not content:
        return torch.empty(shape, dtype=dtype).requires_grad_(bool(data["requires_grad"]))
    tensor = torch.frombuffer(content, dtype=torch.uint8).view(dtype).reshape(shape)
    return tensor.requires_grad_(bool(data["requires_grad"]))


def _dtype(name: str) -> torch.dtype:
    dtype = getattr(torch, name)
    if not isinstance(dtype, torch.dtype):
        raise NotPlain(f"{name} is not a tensor's dtype")
    return dtype

"""Feature extractors under one interface, so that any of them can measure a set of images.

* ``digits``: 64 features and ten probabilities of 28×28 grey digits (:mod:`gqlib.features.digits`).
* ``inception``: FID's 2048 features and 1008 probabilities (:mod:`gqlib.features.inception`).
* ``pixels``: the pixels themselves.
* ``package.module:function``, or a function itself: uint8 [B, C, H, W] in, (B, D) out.

:func:`load_extractor` finds one by its name. :meth:`Extractor.prepare` turns each image into a
tensor, the tensors are stacked, and the extractor is called with the batch.
"""

from __future__ import annotations

import functools
import importlib
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gqlib._utils.arrays import from_numpy
from gqlib._utils.devices import device as device_of
from gqlib.features.base import (
    DIGEST,
    Extractor,
    checked_image,
    digest,
    float_image,
    full_precision,
)

#: The extractors that have a name.
NAMES = ("digits", "inception", "pixels")


def load_extractor(
    name: str | Extractor | Callable[[Tensor], Any],
    *,
    weights: Path | None = None,
    resize: str | None = None,
    device: str | None = None,
    mixed_precision: bool = False,
) -> Extractor:
    """The extractor of this name.

    Args:
        name: One of :data:`NAMES`; ``"package.module:function"``; a function from a uint8
            [B, C, H, W] batch to (B, D) real numbers; or an extractor, which is returned as it is.
        weights: inception's weight file; by default the published one is downloaded once.
        resize: inception's way of resizing, one of :data:`gqlib.features.inception.RESIZES`.
        device: ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"mps"``; by default the best available. A
            function gets its batches on that device, by default on the CPU.
        mixed_precision: Let inception compute in 16 bits: faster on a GPU, features to about 1 %.

    Raises:
        ValueError: An unknown name, resize mode or device; an option that the extractor does not
            have; a module that cannot be imported; a damaged or foreign weight file.
        FileNotFoundError: The weight file does not exist.
        ConnectionError: The published weights could not be downloaded.
    """
    asked = {
        "weights": weights is not None,
        "resize": resize not in (None, "none"),
        "mixed_precision": mixed_precision,
    }
    if name != "inception" and any(asked.values()):
        options = " and ".join(option for option, given in asked.items() if given)
        raise ValueError(
            f"{options} given with the features {_label(name)!r}, but only 'inception' takes that: "
            "leave it out, or choose 'inception'"
        )
    if name == "pixels":
        return _Pixels()
    if name == "digits":
        return _Digits(device_of(device))
    if name == "inception":
        from gqlib.features.inception import Inception

        return Inception(
            weights,
            resize="bilinear" if resize is None else resize,
            device=device_of(device),
            mixed_precision=mixed_precision,
        )
    if isinstance(name, Extractor):
        return name
    function = _imported(name) if isinstance(name, str) else name
    if not callable(function):
        raise ValueError(
            f"{_label(name)} is a {type(function).__name__}, expected a function from a uint8 "
            "[B, C, H, W] batch to features (B, D)"
        )
    return _Function(function, _label(name), None if device is None else device_of(device))


class _Digits(Extractor):
    """The shipped classifier of digits: 64 features, ten probabilities."""

    def __init__(self, device: torch.device) -> None:
        from gqlib.features import digits

        self._net = digits.load_digit_net(device)
        self._device = device
        self.name = f"gqlib digits sha256:{digest(digits.WEIGHTS)[:DIGEST]}"
        self.resize = "none"
        self.dims: int | None = digits.FEATURES
        self.batch_size = 1000  # a small network is faster on many small images at once
        self.cacheable = True

    def prepare(self, image: Tensor) -> Tensor:
        floats = float_image(image)
        if floats.shape[1:] != (28, 28):
            raise ValueError(
                f"an image has {floats.shape[1]} rows and {floats.shape[2]} columns, but the "
                "features 'digits' are for 28×28 digits: choose 'inception' or 'pixels'"
            )
        if not bool((floats == floats[:1]).all()):
            raise ValueError(
                "an image is coloured, but the features 'digits' are for grey digits: "
                "convert it to grey, or choose 'inception' or 'pixels'"
            )
        return floats[:1]

    @torch.no_grad()
    def features_and_probabilities(self, batch: Tensor) -> tuple[Tensor, Tensor]:
        with full_precision(self._device):
            features = self._net.features(batch.to(self._device))
            return features.cpu(), self._net.head(features).softmax(1).cpu()


class _OneSize:
    """Remembers the first shape that it sees and refuses others; thread-safe."""

    def __init__(self, features: str) -> None:
        self._features = features
        self._shape: torch.Size | None = None
        self._lock = threading.Lock()

    def check(self, image: Tensor) -> None:
        with self._lock:
            if self._shape is None:
                self._shape = image.shape
        if image.shape != self._shape:
            raise ValueError(
                f"images of shapes {list(self._shape)} and {list(image.shape)} [C, H, W] cannot be "
                f"compared by the features {self._features!r}, which keep an image's size: "
                "make them alike first, or choose 'inception'"
            )


class _Pixels(Extractor):
    """Pixels in [0, 1], channel by channel and row by row, of images of one shape."""

    def __init__(self) -> None:
        self.name = "pixels"
        self.resize = "none"
        self.dims: int | None = None
        self._size = _OneSize(self.name)

    def prepare(self, image: Tensor) -> Tensor:
        floats = float_image(image)
        self._size.check(floats)
        return floats

    def features_and_probabilities(self, batch: Tensor) -> tuple[Tensor, None]:
        return batch.detach().cpu().flatten(1), None


class _Function(Extractor):
    """A user's function, whose results are checked. Only ``name`` identifies it."""

    def __init__(
        self, function: Callable[[Tensor], Any], name: str, device: torch.device | None
    ) -> None:
        self.name = name
        self.resize = "none"
        self.dims: int | None = None
        self._function = function
        self._device = device
        self._size = _OneSize(name)

    def prepare(self, image: Tensor) -> Tensor:
        image = checked_image(image)
        if image.dtype != torch.uint8:
            raise ValueError(
                f"an image is {image.dtype}, but {self.name} is given uint8: "
                "multiply by 255, round and convert it"
            )
        self._size.check(image)
        return image

    @torch.no_grad()
    def features_and_probabilities(self, batch: Tensor) -> tuple[Tensor, None]:
        features = self._checked(self._function(batch.to(self._device)), len(batch))
        self.dims = features.shape[1]
        return features, None

    def _checked(self, answer: object, n: int) -> Tensor:
        """float32 (B, D) on the CPU, or a ``ValueError`` that says what the function returned."""
        want = f"expected ({n}, D) finite real numbers, one row an image"
        array = answer
        if isinstance(array, np.ndarray) and array.dtype.kind in "fiub":
            array = from_numpy(array)
        if not isinstance(array, Tensor) or array.is_complex():
            kind = f"{array.dtype} values" if hasattr(array, "dtype") else type(array).__name__
            raise ValueError(f"{self.name} returned {kind}, {want}")
        if array.ndim != 2 or len(array) != n or not array.shape[1]:
            raise ValueError(
                f"{self.name} returned shape {tuple(array.shape)} for {n} images, {want}"
            )
        if self.dims is not None and array.shape[1] != self.dims:
            raise ValueError(
                f"{self.name} returned {array.shape[1]} features an image, and {self.dims} for an "
                "earlier batch, expected the same number for all"
            )
        features: Tensor = array.detach().to("cpu", torch.float32)
        bad = int((~torch.isfinite(features)).sum())
        if bad:
            raise ValueError(
                f"{self.name} returned {bad} values that are NaN or infinite as float32, {want}"
            )
        return features


def _label(name: object) -> str:
    """What to call an extractor that was asked for: "module:function" for a function."""
    if isinstance(name, str):
        return name
    named = name if hasattr(name, "__qualname__") else type(name)
    return f"{named.__module__}:{named.__qualname__}"


def _imported(name: str) -> Any:
    """The object that ``package.module:function`` names."""
    module_name, colon, path = name.partition(":")
    if not (module_name and colon and path):
        raise ValueError(
            f"there are no features {name!r}: choose from {', '.join(NAMES)}, or name a function "
            "of yours as package.module:function"
        )
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # importing runs the module, which can raise anything
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise ValueError(
            f"{module_name}, asked for by the features {name!r}, could not be imported ({reason}): "
            "check the name, and that its folder is on PYTHONPATH"
        ) from error
    try:
        function: Any = functools.reduce(getattr, path.split("."), module)
    except AttributeError:
        raise ValueError(
            f"{module_name} has no {path!r}, which the features {name!r} ask for: check the name "
            f"(the module is {getattr(module, '__file__', 'built in')})"
        ) from None
    return function

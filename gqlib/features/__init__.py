"""Samples in, features out: ``(N, D)`` arrays for :mod:`gqlib.metrics` to compare.

* :func:`digit_features`: 64 features of a 28×28 digit from a small classifier, weights shipped.
* :func:`pixels`: the pixels themselves.
* :func:`load_extractor`: these and FID's InceptionV3 (:class:`Inception`), by name and under one
  interface (:class:`Extractor`).

Any function from images to an ``(N, D)`` array will do as well. A module is imported when one of
its names is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gqlib.features.base import Extractor
    from gqlib.features.digits import DigitNet, digit_features, load_digit_net
    from gqlib.features.extractors import load_extractor
    from gqlib.features.images import pixels
    from gqlib.features.inception import Inception

__all__ = [
    "DigitNet",
    "Extractor",
    "Inception",
    "digit_features",
    "load_digit_net",
    "load_extractor",
    "pixels",
]

_HOME = {
    "DigitNet": "digits",
    "Extractor": "base",
    "Inception": "inception",
    "digit_features": "digits",
    "load_digit_net": "digits",
    "load_extractor": "extractors",
    "pixels": "images",
}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)

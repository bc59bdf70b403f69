"""Where the user's caches are, on every platform."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def cache_folder(*parts: str) -> Path:
    """``gqlib/<parts>`` in ``$XDG_CACHE_HOME`` or ``~/.cache``, on Windows in ``%LOCALAPPDATA%``.

    All of it may be deleted at any time: it is then computed or downloaded again.
    """
    variable = "LOCALAPPDATA" if sys.platform == "win32" else "XDG_CACHE_HOME"
    caches = os.environ.get(variable)
    return (Path(caches) if caches else Path.home() / ".cache").joinpath("gqlib", *parts)


def feature_cache() -> Path:
    """Where features are kept: ``$GQLIB_CACHE``, or ``gqlib/features`` among the user's caches.

    The folder may be deleted at any time; the features are then computed again.
    """
    chosen = os.environ.get("GQLIB_CACHE")
    return Path(chosen).expanduser() if chosen else cache_folder("features")

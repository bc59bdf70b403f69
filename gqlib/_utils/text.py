"""Text that any terminal can print."""

from __future__ import annotations

import os


def printable(path: str | os.PathLike[str]) -> str:
    """A path that any terminal can print, whatever bytes its name has."""
    return os.fspath(path).encode("utf-8", "backslashreplace").decode()

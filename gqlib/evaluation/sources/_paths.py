"""Paths as they were given: what is there, and what its ending says."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from gqlib._utils.text import printable
from gqlib.evaluation.sources._messages import unreadable

#: Endings of the files that count as images in a folder, in lower or upper case.
IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
#: Endings of the files that hold arrays.
ARRAY_SUFFIXES = (".npz", ".npy", ".pt", ".pth", ".safetensors")


def existing(name: str) -> Path:
    """The path of a folder or a file that is there."""
    if not name:
        raise FileNotFoundError("the path is empty, expected that of a folder or a file")
    if "\0" in name:
        raise ValueError(f"the path {name!r} holds a zero byte: no file can be called so")
    place = Path(name).expanduser()
    try:
        place.stat()
    except FileNotFoundError:
        link = " (a link to nothing)" if place.is_symlink() else ""
        raise FileNotFoundError(
            f"{printable(name)} does not exist{link}: check the spelling and the current folder"
        ) from None
    except OSError as error:
        raise unreadable(printable(name), error) from error
    if not (place.is_dir() or place.is_file()):
        raise ValueError(f"{printable(name)} is a device or a pipe, expected a folder or a file")
    return place


def check_suffix(place: Path, shown: str, known: Sequence[str], other: str) -> None:
    """Raise unless the file has a known ending; ``other`` is what else was expected."""
    suffix = place.suffix.lower()
    if suffix in known:
        return
    if suffix in IMAGE_SUFFIXES:
        raise ValueError(
            f"{shown} is a single image file: name the folder that holds all of the images"
        )
    packed = suffix in (".zip", ".tar", ".gz", ".tgz", ".7z")
    raise ValueError(
        f"{shown} ends in {suffix or 'no suffix'!r}, expected {other} or a file that ends "
        f"in {', '.join(known)}" + (": unpack it first" if packed else "")
    )

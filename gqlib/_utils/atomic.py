"""Files that are written whole or not at all."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary file next to ``path``, which replaces ``path`` at the end of the block.

    If the block fails, ``path`` stays as it was and the temporary file is removed. A process that
    is killed leaves ``<name>.part`` behind, which the next one overwrites.
    """
    target = path.resolve()  # behind a link: the link stays one
    part = target.with_name(f"{target.name}.part")
    try:
        yield part
        part.replace(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def write_text(path: Path, text: str) -> None:
    """Write a text file in UTF-8 with ``\\n`` after each line, whole or not at all."""
    if path.exists() and not path.is_file() and not path.is_dir():
        # A pipe or a device is written to: it must not be replaced.
        path.write_text(text, encoding="utf-8")
        return
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8", newline="\n")

"""Features that were computed before, found by the content of the images.

The cache has a folder for each extractor and resize mode. It holds shards, files of some
hundred rows that are written under another name and then renamed, so that a process that is killed
loses only what came after the last one, and several processes can share it.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import sys
import time
import uuid
import zipfile
import zlib
from collections.abc import Container, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

if TYPE_CHECKING:
    from gqlib.features.base import Extractor

#: Rows, bytes and seconds after which a shard is written, whichever comes first.
_SHARD_ROWS = 512
_SHARD_BYTES = 16 << 20
_SHARD_SECONDS = 30.0
_SHARD_VERSION = 1
#: Seconds after which a half-written file is taken for that of a process that died.
_ABANDONED = 24 * 3600.0


def default_cache() -> Path:
    """Where features are kept: ``$GQLIB_CACHE``, or ``gqlib/features`` among the user's caches.

    The latter are in ``$XDG_CACHE_HOME`` or ``~/.cache``, on Windows in ``%LOCALAPPDATA%``. The
    folder may be deleted at any time, it then costs the time to compute the features again.
    """
    if chosen := os.environ.get("GQLIB_CACHE"):
        return Path(chosen).expanduser()
    variable = "LOCALAPPDATA" if sys.platform == "win32" else "XDG_CACHE_HOME"
    caches = os.environ.get(variable)
    return (Path(caches) if caches else Path.home() / ".cache") / "gqlib" / "features"


class _Damaged(Exception):
    """A shard that was cut short or altered."""


class _Place(NamedTuple):
    path: Path
    row: int
    complete: bool  # whether the probabilities are there as well, if only as a width of 0


class Cache:
    """Shards of one extractor in a folder: ``keys`` [n, 32], ``features``, ``probabilities``.

    Every shard says whose it is; files that say otherwise, or nothing, are left alone. Damaged
    shards are removed as soon as a new one could be written.
    """

    def __init__(self, folder: Path, extractor: Extractor) -> None:
        # All that a row depends on besides the image; the name tells weights and precision.
        self.identity = json.dumps([extractor.name, extractor.resize])
        self.folder = folder / hashlib.sha256(self.identity.encode()).hexdigest()[:32]
        self.warnings: list[str] = []
        self._waiting: list[tuple[Sequence[bytes], Tensor, Tensor | None]] = []
        self._rows = 0
        self._since = time.monotonic()
        self._damaged: list[Path] = []
        self._usable = True

    def find(
        self, wanted: Container[bytes], with_probabilities: bool
    ) -> Iterator[tuple[list[bytes], Tensor, Tensor | None]]:
        """Keys of ``wanted`` that are there, with their rows; a shard's together."""
        places: dict[bytes, _Place] = {}
        try:
            shards = sorted(self.folder.glob("*.npz"))
        except OSError:
            return
        for path in shards:
            try:
                keys, complete = self._index(path)
            except _Damaged:
                # Others' files of whatever content are none of our business.
                if re.fullmatch(r"[0-9a-f]{32}\.npz", path.name):
                    self._damaged.append(path)
                continue
            for row, key in enumerate(keys):
                if key not in wanted:
                    continue
                old = places.get(key)
                if old is None or (with_probabilities and complete and not old.complete):
                    places[key] = _Place(path, row, complete)
        by_shard: dict[Path, list[bytes]] = {}
        for key, place in places.items():
            by_shard.setdefault(place.path, []).append(key)
        for path, keys in by_shard.items():
            rows = [places[key].row for key in keys]
            whole = with_probabilities and places[keys[0]].complete
            try:
                features = self._values(path, "features", rows)
                probabilities = self._values(path, "probabilities", rows) if whole else None
            except _Damaged:
                self._damaged.append(path)
                continue
            yield keys, features, probabilities

    def add(self, keys: Sequence[bytes], features: Tensor, probabilities: Tensor | None) -> None:
        """Rows to write, now or together with the next ones."""
        if not self._usable:
            return
        limit = max(1, min(_SHARD_ROWS, _SHARD_BYTES // max(1, 4 * features.shape[1])))
        for start in range(0, len(keys), limit):
            part = slice(start, start + limit)
            if self._rows + len(keys[part]) > limit:
                self.flush()
            some = None if probabilities is None else probabilities[part]
            self._waiting.append((keys[part], features[part], some))
            self._rows += len(keys[part])
        if self._rows >= limit or time.monotonic() - self._since > _SHARD_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write what waits as a shard."""
        waiting, self._waiting, self._rows = self._waiting, [], 0
        self._since = time.monotonic()
        if not (waiting and self._usable):
            return
        keys = b"".join(key for part, _, _ in waiting for key in part)
        arrays: dict[str, Any] = {
            "version": _SHARD_VERSION,
            "identity": self.identity,
            "keys": np.frombuffer(keys, np.uint8).reshape(-1, 32),
            "features": torch.cat([features for _, features, _ in waiting]).numpy(),
        }
        probabilities = [p for _, _, p in waiting if p is not None]
        if probabilities:
            arrays["probabilities"] = torch.cat(probabilities).numpy()
        content = io.BytesIO()
        np.savez(content, **arrays)
        # A name of its own for each: two processes never write the same file.
        name = uuid.uuid4().hex
        unfinished = self.folder / f"{name}.part"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            unfinished.write_bytes(content.getbuffer())
            unfinished.replace(self.folder / f"{name}.npz")
            self._tidy()
        except OSError as error:
            self._usable = False
            self.warnings.append(
                f"features could not be kept in {self.folder} ({error.strerror or error}): they "
                "will be computed again the next time"
            )
        finally:
            _remove(unfinished)

    def _tidy(self) -> None:
        """Remove damaged shards, and what processes that died have left half-written."""
        while self._damaged:
            _remove(self._damaged.pop())
        for path in self.folder.glob("*.part"):
            with suppress(OSError):  # another process may be quicker
                if time.time() - path.stat().st_mtime > _ABANDONED:
                    path.unlink()

    def _index(self, path: Path) -> tuple[list[bytes], bool]:
        """A shard's keys, and whether it has probabilities; no keys where it is not ours."""
        names, arrays = _read(path, ("version", "identity", "keys"))
        if len(arrays) < 3 or arrays["version"] != _SHARD_VERSION:
            return [], False
        if str(arrays["identity"]) != self.identity:
            return [], False
        keys = arrays["keys"]
        if keys.dtype != np.uint8 or keys.ndim != 2 or keys.shape[1] != 32:
            raise _Damaged
        content = keys.tobytes()
        return [content[i : i + 32] for i in range(0, len(content), 32)], "probabilities" in names

    def _values(self, path: Path, name: str, rows: Sequence[int]) -> Tensor:
        values = _read(path, (name,))[1].get(name)
        if values is None or values.dtype != np.float32 or values.ndim != 2:
            raise _Damaged
        if len(values) <= max(rows):
            raise _Damaged
        return torch.from_numpy(values[rows])


def _read(
    path: Path, names: Sequence[str]
) -> tuple[Sequence[str], dict[str, npt.NDArray[np.generic]]]:
    """All names in an ``.npz``, and those arrays asked for that it has; nothing if it is gone."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return file.files, {name: file[name] for name in names if name in file.files}
    except OSError:  # removed by another process, or not ours to read
        return (), {}
    except (
        *(EOFError, ValueError, LookupError, TypeError, RuntimeError, AttributeError),
        *(zipfile.BadZipFile, zlib.error, NotImplementedError),
    ) as error:
        raise _Damaged from error


def _remove(path: Path) -> None:
    with suppress(OSError):  # nothing depends on it
        path.unlink()

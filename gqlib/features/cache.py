"""Features that were computed before, found by the content of the images.

A cache folder holds one SQLite database of batches of a few hundred rows. With SQLite several
processes can share it, and a process that is killed loses only its unwritten batch.
"""

from __future__ import annotations

import json
import sqlite3
import time
import zlib
from collections import Counter
from collections.abc import Container, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from gqlib.features.base import Extractor

#: The number goes up when the table changes, so that each version has its own file.
_FILE = "features-1.sqlite"
#: ``images`` are the rows' keys, 32 bytes each; the values are float32.
_TABLE = "batches (extractor TEXT, checksum INT, images BLOB, features BLOB, probabilities BLOB)"

#: SQLite can quote undecodable bytes of a damaged file.
_TROUBLE = (OSError, sqlite3.Error, UnicodeDecodeError)


@dataclass(frozen=True)
class Limits:
    """When a batch is written, and how long another process is waited for.

    Attributes:
        rows: Rows after which a batch is written.
        size: Bytes after which it is, if they come first.
        seconds: Seconds after which it is, if they come first.
        patience: Seconds to wait for another process that writes.
    """

    rows: int = 512
    size: int = 16 << 20
    seconds: float = 30.0
    patience: float = 30.0

    def rows_of(self, features: Tensor) -> int:
        """The rows of a batch of such features."""
        return max(1, min(self.rows, self.size // max(1, 4 * features.shape[1])))


LIMITS = Limits()


class Cache:
    """The rows of one extractor in a folder's database; an error only adds to ``warnings``."""

    def __init__(self, folder: Path, extractor: Extractor, limits: Limits = LIMITS) -> None:
        self.limits = limits
        # With the image, this identifies a row; the name includes weights and precision.
        self.identity = json.dumps([extractor.name, extractor.resize])
        self.path = folder / _FILE
        self.warnings: list[str] = []
        self._waiting: list[tuple[Sequence[bytes], Tensor, Tensor | None]] = []
        self._rows = 0
        self._since = time.monotonic()
        self._damaged: list[tuple[int, Any]] = []
        self._usable = True

    def find(
        self, wanted: Container[bytes], with_probabilities: bool
    ) -> Iterator[tuple[list[bytes], Tensor, Tensor | None]]:
        """The keys of ``wanted`` that are stored, with their rows, batch by batch."""
        try:
            if not self.path.exists():
                return
            with self._database() as database:
                batches = database.execute(
                    "SELECT rowid, images FROM batches WHERE extractor = ? AND "
                    "typeof(images) = 'blob' ORDER BY probabilities IS NOT NULL, rowid",
                    (self.identity,),
                )
                # The last one of equal keys wins: it has probabilities if any does.
                places = {
                    key: batch for batch, keys in batches for key in _split(keys) if key in wanted
                }
                for batch, count in sorted(Counter(places.values()).items()):
                    keys, features, probabilities = self._read(database, batch)
                    rows = [row for row, key in enumerate(keys) if places.get(key) == batch]
                    if len(rows) < count:  # another process removed it, or it is damaged
                        if database.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
                            raise sqlite3.DatabaseError
                        continue
                    whole = with_probabilities and probabilities is not None
                    yield (
                        [keys[row] for row in rows],
                        torch.from_numpy(features[rows]),
                        torch.from_numpy(probabilities[rows]) if whole else None,
                    )
        except _TROUBLE as error:
            self._recover(error)

    def add(self, keys: Sequence[bytes], features: Tensor, probabilities: Tensor | None) -> None:
        """Add rows, to be written now or together with the next ones."""
        self._waiting.append((keys, features, probabilities))
        self._rows += len(keys)
        late = time.monotonic() - self._since > self.limits.seconds
        if late or self._rows >= self.limits.rows_of(features):
            self.flush()

    def flush(self) -> None:
        """Write the waiting rows."""
        waiting, self._waiting, self._rows = self._waiting, [], 0
        self._since = time.monotonic()
        if not (waiting and self._usable):
            return
        keys = [key for some, _, _ in waiting for key in some]
        features = torch.cat([some for _, some, _ in waiting])
        parts = [some for _, _, some in waiting if some is not None]
        probabilities = torch.cat(parts) if parts else None
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self._database() as database, database:
                database.execute("BEGIN IMMEDIATE")
                database.executemany(
                    "DELETE FROM batches WHERE rowid = ? AND checksum IS ?", self._damaged
                )
                step = self.limits.rows_of(features)
                for start in range(0, len(keys), step):
                    part = slice(start, start + step)
                    blobs = b"".join(keys[part]), _blob(features, part), _blob(probabilities, part)
                    row = (self.identity, self._checksum(blobs), *blobs)
                    database.execute("INSERT INTO batches VALUES (?, ?, ?, ?, ?)", row)
            self._damaged.clear()
        except _TROUBLE as error:
            self._recover(error)

    @contextmanager
    def _database(self) -> Iterator[sqlite3.Connection]:
        """A connection for one use, since an open one must not survive a fork."""
        connection = sqlite3.connect(self.path, timeout=self.limits.patience, isolation_level=None)
        with closing(connection) as database:
            # Waiting for the disk would protect against a power cut only, not against a kill.
            database.execute("PRAGMA synchronous = OFF")
            database.execute("PRAGMA page_size = 65536")  # has an effect on a new file only
            tables, ours = database.execute(
                "SELECT count(*), total(sql = ?) FROM sqlite_master", (f"CREATE TABLE {_TABLE}",)
            ).fetchone()
            if tables == 0:
                database.execute(f"CREATE TABLE IF NOT EXISTS {_TABLE}")
            elif (tables, ours) != (1, 1):
                raise sqlite3.DatabaseError
            # Making and deleting a journal for each batch takes longer than writing the batch.
            database.execute("PRAGMA journal_mode = PERSIST")
            yield database

    def _read(self, database: sqlite3.Connection, batch: int) -> tuple[list[bytes], Any, Any]:
        """Keys, features, and probabilities or None; no keys if the batch is gone or damaged."""
        rows = database.execute(
            "SELECT checksum, CAST(images AS BLOB), CAST(features AS BLOB), "
            "CAST(probabilities AS BLOB) FROM batches WHERE rowid = ?",
            (batch,),
        ).fetchall()
        for checksum, *blobs in rows:
            if checksum == self._checksum(blobs):
                keys = _split(blobs[0])
                features, probabilities = (
                    None if blob is None else np.frombuffer(blob, np.float32).reshape(len(keys), -1)
                    for blob in blobs[1:]
                )
                return keys, features, probabilities
            self._damaged.append((batch, checksum))
        return [], None, None

    def _checksum(self, blobs: Sequence[Any]) -> int:
        """A batch's checksum, since SQLite does not notice altered values."""
        total = zlib.crc32(self.identity.encode())
        for blob in blobs:
            head, content = (b"none", b"") if blob is None else (b"%d" % len(blob), blob)
            total = zlib.crc32(content, zlib.crc32(head, total))
        return total

    def _recover(self, error: Exception) -> None:
        """Rename a damaged or foreign database; after any other error, write no more."""
        # Other errors, such as a full disk or a lock, have derived classes and their own codes.
        generic = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_ERROR
        if generic or type(error) in (sqlite3.DatabaseError, UnicodeDecodeError):
            aside = self.path.with_suffix(".damaged")
            try:
                # A left-over journal would be played back into the next database.
                Path(f"{self.path}-journal").unlink(missing_ok=True)
                with suppress(FileNotFoundError):  # another process was quicker
                    self.path.replace(aside)
                self.warnings.append(
                    f"{self.path} is damaged or not a cache of gqlib: it was renamed to "
                    f"{aside.name}, and what it held is computed again"
                )
                return
            except OSError as failure:  # on Windows, while another process has it open
                error = failure
        self._usable = False
        reason = getattr(error, "strerror", None) or error
        self.warnings.append(
            f"features could not be kept in {self.path.parent} ({reason}): they will be computed "
            "again the next time"
        )


def _blob(values: Tensor | None, part: slice) -> Any:
    return None if values is None else values[part].flatten().view(torch.uint8).numpy()


def _split(keys: bytes) -> list[bytes]:
    return [keys[i : i + 32] for i in range(0, len(keys), 32)]

"""Images through an extractor: decoded ahead in threads, computed once, kept between runs.

    images ──► threads: read, prepare ──► batches, in order ──► extractor ──► (N, D)
                                                                   │  ▲
                                                                   ▼  │ by the images' content
                                                                   cache

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
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gqlib.data.sources import Images

if TYPE_CHECKING:
    from gqlib.features.extractors import Extractor

T = TypeVar("T")
R = TypeVar("R")

#: Rows, bytes and seconds after which a shard is written, whichever comes first.
_SHARD_ROWS = 512
_SHARD_BYTES = 16 << 20
_SHARD_SECONDS = 30.0
_SHARD_VERSION = 1
#: Seconds after which a half-written file is taken for that of a process that died.
_ABANDONED = 24 * 3600.0


@dataclass(frozen=True, eq=False)
class Extracted:
    """Features of images, in the images' order.

    Attributes:
        features: float32 (N, D), on the CPU.
        probabilities: float32 (N, K), each row the probabilities of K classes; None where they
            were not asked for or the extractor has none.
        warnings: What a reader of the results should know, a plain sentence each.
        computed: How many images went through the extractor.
        cached: How many images were found in the cache.
    """

    features: Tensor
    probabilities: Tensor | None = None
    warnings: tuple[str, ...] = ()
    computed: int = 0
    cached: int = 0

    def __len__(self) -> int:
        return len(self.features)


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


def extract(
    images: Images,
    extractor: Extractor,
    *,
    batch_size: int = 64,
    cache: str | os.PathLike[str] | None = None,
    progress: bool | Callable[[int, int], object] = False,
    workers: int | None = None,
    with_probabilities: bool = False,
    shard: tuple[int, int] = (0, 1),
) -> Extracted:
    """The features of all images, or of one process's share of them.

    Images of the same content are computed once. What is in the cache is not computed again, and
    what is new is added to it, also when this function is interrupted; a cache that cannot be
    written is told in ``warnings`` and otherwise no matter. Beside the result, memory is held for
    three batches of prepared images and two shards.

    Args:
        images: What to read.
        extractor: As :func:`gqlib.features.load_extractor` gives it.
        batch_size: How many images go through the extractor at once. Features depend on it no more
            than by rounding.
        cache: Folder of the features of earlier runs, such as :func:`default_cache`; by default
            nothing is kept. Rows are found by the content of the images and the extractor's name
            and resize mode. It is used only for extractors whose name holds the SHA-256 of what
            they compute with, or that have an attribute ``cacheable`` that is True: the name of a
            function stays the same when the function changes.
        progress: Whether to show a bar with the rate and the time left on stderr, or a function
            that is called with the number of images that are done and that there are.
        workers: Number of threads that read and prepare images; by default as many as the process
            may use cores, at most 8.
        with_probabilities: Whether to give the class probabilities as well.
        shard: (rank, number of processes): only the images rank, rank + number, … are read.
            :func:`gather` puts the shares together.

    Raises:
        ValueError: A damaged image, images of different shapes where the extractor wants one,
            features that are not finite, or an argument out of range.
        FileNotFoundError: An image has vanished.
    """
    rank, world = shard
    for name, value in (("batch_size", batch_size), ("workers", workers)):
        if value is not None and value < 1:
            raise ValueError(f"{name} is {value}, expected at least 1")
    if not 0 <= rank < world:
        raise ValueError(f"shard is {shard}, expected (rank, number) with 0 ≤ rank < number")
    share = range(rank, len(images), world)
    workers = workers or _cores()
    warnings = list(images.warnings)
    # Row of each content's first image, and how many images have that content.
    keys = _keys(images, share, workers, progress)
    first: dict[bytes, int] = {}
    for row, key in enumerate(keys):
        first.setdefault(key, row)
    times = Counter(keys)

    store = None
    if cache is not None and getattr(extractor, "cacheable", "sha256:" in extractor.name):
        store = _Cache(Path(cache).expanduser(), _identity(extractor))
    table = _Table(len(share), extractor)
    missing, cached = set(first), 0
    if store is not None:
        for found, features, probabilities in store.find(first, with_probabilities):
            table.put([first[key] for key in found], features, probabilities)
            if probabilities is not None or not with_probabilities:
                missing.difference_update(found)
                cached += sum(times[key] for key in found)

    todo = [(row, share[row], key) for key, row in first.items() if key in missing]

    def prepared(item: tuple[int, int, bytes]) -> Tensor:
        _, i, key = item
        image, now = images.read_with_key(i)
        if now != key:
            raise ValueError(f"{images.describe(i)} changed while it was being read: run again")
        try:
            return extractor.prepare(image)
        except (ValueError, RuntimeError) as error:
            raise ValueError(f"{images.describe(i)}: {error}") from error

    batches = _batches(todo, prepared, batch_size, workers, images)
    with _bar(progress, images.name, len(share), cached) as advance, closing(batches):
        try:
            for items, batch in batches:
                rows, numbers, new = zip(*items, strict=True)
                names = [images.describe(i) for i in (numbers[0], numbers[-1])]
                features, probabilities = _run(extractor, batch, with_probabilities, names)
                del batch  # before the next one is stacked
                # A row that lacked only its probabilities keeps the features it had.
                features = table.put(rows, features, probabilities)
                if store is not None:
                    store.add(new, features, probabilities)
                advance(sum(times[key] for key in new))
        finally:
            if store is not None:
                store.flush()
    if store is not None:
        warnings += store.warnings

    table.copy([(row, first[key]) for row, key in enumerate(keys) if first[key] != row])
    return Extracted(
        features=table.features_or_empty(),
        probabilities=table.probabilities_or_none() if with_probabilities else None,
        warnings=tuple(warnings),
        computed=len(todo),
        cached=cached,
    )


def gather(extracted: Extracted, n: int) -> Extracted:
    """All processes' shares as one, in the images' order, on every process.

    To be called by all processes of torch.distributed, each with what
    ``extract(…, shard=(rank, world_size))`` gave it; where no process group was started, the
    argument is given back.

    Args:
        extracted: This process's rows rank, rank + world size, … of all.
        n: How many images there are in all.

    Raises:
        ValueError: The shares are not those of n images, or differ in their number of features.
    """
    import torch.distributed as dist

    alone = not (dist.is_available() and dist.is_initialized())
    rank, world = (0, 1) if alone else (dist.get_rank(), dist.get_world_size())
    mine = {
        "rows": len(extracted),
        "dims": extracted.features.shape[1],
        "classes": None if extracted.probabilities is None else extracted.probabilities.shape[1],
        "warnings": extracted.warnings,
        "computed": extracted.computed,
        "cached": extracted.cached,
    }
    shares: list[Any] = [mine] * world
    if not alone:
        dist.all_gather_object(shares, mine)
    for r, other in enumerate(shares):
        expected = len(range(r, n, world))
        if other["rows"] != expected:
            raise ValueError(
                f"process {r} of {world} has the features of {other['rows']} images, expected "
                f"{expected} of {n}: call extract with shard=(rank, world size)"
            )
    if world == 1:
        return extracted
    # A process without an image does not know the widths.
    dims = {share["dims"] for share in shares if share["rows"]}
    classes = {share["classes"] for share in shares if share["rows"]}
    if len(dims) > 1 or len(classes) > 1:
        raise ValueError(
            f"the processes have {sorted(dims)} features and {sorted(classes, key=str)} class "
            "probabilities an image, expected one number: use one extractor for all"
        )
    width = classes.pop() if classes else None
    probabilities = None
    if width is not None:
        own = extracted.probabilities
        empty = torch.empty(0, width)
        probabilities = _interleaved(empty if own is None else own, n, width, rank, world)
    return Extracted(
        features=_interleaved(extracted.features, n, max(dims, default=0), rank, world),
        probabilities=probabilities,
        warnings=tuple(dict.fromkeys(text for share in shares for text in share["warnings"])),
        computed=sum(share["computed"] for share in shares),
        cached=sum(share["cached"] for share in shares),
    )


def _interleaved(own: Tensor, n: int, width: int, rank: int, world: int) -> Tensor:
    """The (n, width) tensor whose rows rank::world each process has."""
    import torch.distributed as dist

    cuda = dist.get_backend() == "nccl"
    device = torch.device("cuda", torch.cuda.current_device()) if cuda else torch.device("cpu")
    whole = torch.empty(n, width)
    part = torch.empty(len(range(0, n, world)), width, device=device)
    for r in range(world):  # one at a time: no second copy of the whole is held
        rows = len(range(r, n, world))
        if r == rank and rows:
            part[:rows] = own
        if rows:
            dist.broadcast(part[:rows], r)
            whole[r::world] = part[:rows].cpu()
    return whole


# From images to batches


def _cores() -> int:
    usable = getattr(os, "sched_getaffinity", None)
    return min(8, len(usable(0)) if usable else os.cpu_count() or 1)


def _ahead(
    function: Callable[[T], R], items: Iterable[T], workers: int, depth: int
) -> Generator[tuple[T, R]]:
    """Items and their results, in order, from threads that are at most ``depth`` items ahead."""
    pool = ThreadPoolExecutor(workers, thread_name_prefix="gqlib")
    try:
        flying: deque[tuple[T, Future[R]]] = deque()
        for item in items:
            flying.append((item, pool.submit(function, item)))
            if len(flying) >= depth:
                done, result = flying.popleft()
                yield done, result.result()
        while flying:
            done, result = flying.popleft()
            yield done, result.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _keys(
    images: Images,
    share: Sequence[int],
    workers: int,
    progress: bool | Callable[[int, int], object],
) -> list[bytes]:
    """The key of each image; a bar appears only where this takes a while."""
    pairs = _ahead(images.key, share, workers, 16 * workers)
    bar = _tqdm(progress is True, f"{images.name}: looking", len(share), 0, delay=1)
    with bar as update, closing(pairs):
        keys = []
        for _, key in pairs:
            keys.append(key)
            update(1)
    return keys


def _batches(
    todo: Sequence[tuple[int, int, bytes]],
    prepared: Callable[[tuple[int, int, bytes]], Tensor],
    batch_size: int,
    workers: int,
    images: Images,
) -> Generator[tuple[list[tuple[int, int, bytes]], Tensor]]:
    """Items and their prepared images, stacked; the next batch is made while one is used."""
    items: list[tuple[int, int, bytes]] = []
    tensors: list[Tensor] = []
    shape: torch.Size | None = None
    with closing(_ahead(prepared, todo, workers, batch_size + workers)) as pairs:
        for item, tensor in pairs:
            shape = tensor.shape if shape is None else shape
            if tensor.shape != shape:
                raise ValueError(
                    f"{images.describe(item[1])} becomes {list(tensor.shape)} and "
                    f"{images.describe(todo[0][1])} {list(shape)}, expected one shape: bring all "
                    "images to one size, or choose an extractor that does"
                )
            items.append(item)
            tensors.append(tensor)
            if len(items) == batch_size:
                batch, full, items, tensors = torch.stack(tensors), items, [], []
                yield full, batch
                del batch
        if items:
            yield items, torch.stack(tensors)


def _run(
    extractor: Extractor, batch: Tensor, with_probabilities: bool, names: Sequence[str]
) -> tuple[Tensor, Tensor | None]:
    """Features and, where they are asked for, probabilities: of width 0 if there are none."""
    probabilities: Tensor | None = None
    with torch.no_grad():
        if with_probabilities:
            features, probabilities = extractor.both(batch)
            if probabilities is None:
                probabilities = torch.empty(len(batch), 0)
        else:
            features = extractor(batch)
    features = _checked(features, len(batch), "features", extractor, names)
    if probabilities is not None:
        probabilities = _checked(probabilities, len(batch), "probabilities", extractor, names)
    return features, probabilities


def _checked(
    values: Tensor, rows: int, what: str, extractor: Extractor, names: Sequence[str]
) -> Tensor:
    if not isinstance(values, Tensor) or values.ndim != 2 or len(values) != rows:
        got = list(values.shape) if isinstance(values, Tensor) else type(values).__name__
        raise ValueError(
            f"the extractor {extractor.name} gave {what} of shape {got} for a batch of {rows} "
            f"images, expected [{rows}, D]: flatten each image's features"
        )
    values = values.detach().to("cpu", torch.float32)
    bad = ~torch.isfinite(values).all(1)
    if bool(bad.any()):
        raise ValueError(
            f"the extractor {extractor.name} gave {what} that are NaN or infinite, for "
            f"{int(bad.sum())} of the {rows} images from {names[0]} to {names[1]}: check its "
            "weights and precision"
        )
    return values


# The result while it grows


class _Table:
    """The rows of the result, allocated when their width is known."""

    def __init__(self, rows: int, extractor: Extractor) -> None:
        self._rows = rows
        self._extractor = extractor
        self._features: Tensor | None = None
        self._probabilities: Tensor | None = None
        self._has = torch.zeros(rows, dtype=torch.bool)

    def put(self, rows: Sequence[int], features: Tensor, probabilities: Tensor | None) -> Tensor:
        """Write some rows; gives back their features, the older ones where there were some."""
        index = torch.tensor(rows)
        dims = self._extractor.dims
        if dims is not None and features.shape[1] != dims:
            raise ValueError(
                f"the extractor {self._extractor.name} gave {features.shape[1]} features an image, "
                f"expected its {dims}"
            )
        self._features = self._grown(self._features, features, "features")
        kept = self._has[index]
        if bool(kept.any()):
            features = torch.where(kept[:, None], self._features[index], features)
        self._features[index] = features
        self._has[index] = True
        if probabilities is not None:
            self._probabilities = self._grown(self._probabilities, probabilities, "probabilities")
            self._probabilities[index] = probabilities
        return features

    def copy(self, pairs: Sequence[tuple[int, int]]) -> None:
        """Write rows that equal others: (to, from)."""
        if not pairs:
            return
        to, source = torch.tensor(pairs).T
        for values in (self._features, self._probabilities):
            if values is not None:
                values[to] = values[source]

    def features_or_empty(self) -> Tensor:
        if self._features is None:
            return torch.empty(0, self._extractor.dims or 0)
        return self._features

    def probabilities_or_none(self) -> Tensor | None:
        if self._probabilities is None or self._probabilities.shape[1] == 0:
            return None
        return self._probabilities

    def _grown(self, values: Tensor | None, new: Tensor, what: str) -> Tensor:
        if values is None:
            return torch.empty(self._rows, new.shape[1])
        if values.shape[1] != new.shape[1]:
            raise ValueError(
                f"the extractor {self._extractor.name} gives {values.shape[1]} {what} for some "
                f"images and {new.shape[1]} for others: bring all images to one size"
            )
        return values


# The cache


def _identity(extractor: Extractor) -> str:
    """All that a row depends on besides the image; the name tells weights and precision."""
    return json.dumps([extractor.name, extractor.resize])


class _Damaged(Exception):
    """A shard that was cut short or altered."""


class _Place(NamedTuple):
    path: Path
    row: int
    complete: bool  # whether the probabilities are there as well, if only as a width of 0


class _Cache:
    """Shards of one extractor in a folder: ``keys`` [n, 32], ``features``, ``probabilities``.

    Every shard says whose it is; files that say otherwise, or nothing, are left alone. Damaged
    shards are removed as soon as a new one could be written.
    """

    def __init__(self, folder: Path, identity: str) -> None:
        self.folder = folder / hashlib.sha256(identity.encode()).hexdigest()[:32]
        self.identity = identity
        self.warnings: list[str] = []
        self._waiting: list[tuple[Sequence[bytes], Tensor, Tensor | None]] = []
        self._rows = self._bytes = 0
        self._since = time.monotonic()
        self._damaged: list[Path] = []
        self._usable = True

    def find(
        self, wanted: dict[bytes, int], with_probabilities: bool
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
            _remove(unfinished)
        except BaseException:
            _remove(unfinished)
            raise

    def _tidy(self) -> None:
        """Remove damaged shards, and what processes that died have left half-written."""
        while self._damaged:
            _remove(self._damaged.pop())
        for path in self.folder.glob("*.part"):
            try:
                if time.time() - path.stat().st_mtime > _ABANDONED:
                    _remove(path)
            except OSError:
                continue  # another process was quicker

    def _index(self, path: Path) -> tuple[list[bytes], bool]:
        """A shard's keys, and whether it has probabilities; no keys where it is not ours."""
        names, arrays = _read(path, ("version", "identity", "keys"))
        if len(arrays) < 3 or str(arrays["identity"]) != self.identity:
            return [], False
        if arrays["version"] != _SHARD_VERSION:
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
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return  # nothing depends on it


# Progress


@contextmanager
def _bar(
    progress: bool | Callable[[int, int], object], name: str, total: int, done: int
) -> Iterator[Callable[[int], None]]:
    """A function that is told how many images more are done."""
    if not callable(progress):
        with _tqdm(progress, name, total, done, delay=0) as update:
            yield update
        return
    finished = done
    progress(finished, total)

    def advance(more: int) -> None:
        nonlocal finished
        finished += more
        progress(finished, total)

    yield advance


@contextmanager
def _tqdm(
    show: bool, name: str, total: int, done: int, delay: float
) -> Iterator[Callable[[int], None]]:
    if not show:
        yield lambda more: None
        return
    from tqdm import tqdm

    # What came from the cache counts as done, and not in the rate.
    with tqdm(
        total=total, initial=done, desc=name, unit="image", file=sys.stderr, delay=delay
    ) as bar:

        def update(more: int) -> None:
            bar.update(more)

        yield update

"""The parts of :func:`gqlib.features.extraction.extract`: threads, batches, rows, progress."""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, TypeVar

import torch
from torch import Tensor

from gqlib.data.images import Images

if TYPE_CHECKING:
    from gqlib.features.base import Extractor

T = TypeVar("T")
R = TypeVar("R")

#: Whether to show a bar, or a function of the numbers of images that are done and in all.
Progress = bool | Callable[[int, int], object]
#: An image to compute: its row in the result, its number in the set, its key.
Item = tuple[int, int, bytes]


def cores() -> int:
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


def keys_of(
    images: Images,
    share: Sequence[int],
    workers: int,
    progress: Progress,
) -> list[bytes]:
    """The key of each image; a bar appears only if this takes a while."""
    pairs = _ahead(images.key, share, workers, 16 * workers)
    looking = _tqdm(progress is True, f"{images.name}: looking", len(share), 0, delay=1)
    with looking as update, closing(pairs):
        keys = []
        for _, key in pairs:
            keys.append(key)
            update(1)
    return keys


def batches(
    todo: Sequence[Item],
    prepared: Callable[[Item], Tensor],
    batch_size: int,
    workers: int,
    images: Images,
) -> Generator[tuple[list[Item], Tensor]]:
    """Items and their prepared images, stacked; the next batch is made while one is used."""
    items: list[Item] = []
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


def run(
    extractor: Extractor, batch: Tensor, with_probabilities: bool, names: Sequence[str]
) -> tuple[Tensor, Tensor | None]:
    """Features and, if asked for, probabilities, which have width 0 if there are none."""
    probabilities: Tensor | None = None
    with torch.no_grad():
        if with_probabilities:
            features, probabilities = extractor.features_and_probabilities(batch)
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


class Table:
    """The rows of the result, allocated once their width is known."""

    def __init__(self, rows: int, extractor: Extractor) -> None:
        self._rows = rows
        self._extractor = extractor
        self._features: Tensor | None = None
        self._probabilities: Tensor | None = None
        self._has = torch.zeros(rows, dtype=torch.bool)

    def put(self, rows: Sequence[int], features: Tensor, probabilities: Tensor | None) -> Tensor:
        """Write some rows and return their features; a row that has features keeps them."""
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


@contextmanager
def bar(progress: Progress, name: str, total: int, done: int) -> Iterator[Callable[[int], object]]:
    """A function to call with the number of further images that are done."""
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
) -> Iterator[Callable[[int], object]]:
    if not show:
        yield lambda more: None
        return
    from tqdm import tqdm

    # What came from the cache counts as done, but not in the rate.
    with tqdm(
        total=total, initial=done, desc=name, unit="image", file=sys.stderr, delay=delay
    ) as shown:
        yield shown.update

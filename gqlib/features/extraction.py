"""Images through an extractor: decoded ahead in threads, computed once, kept between runs.

    images ──► threads: read, prepare ──► batches, in order ──► extractor ──► (N, D)
                                                                   │  ▲
                                                                   ▼  │ by the images' content
                                                                   cache

Processes of torch.distributed can share the images: each extracts its part, and :func:`gather` puts
the parts together.
"""

from __future__ import annotations

import os
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from gqlib._utils.distributed import rank_and_world
from gqlib.data.images import Images
from gqlib.features._pipeline import Item, Progress, Table, bar, batches, cores, keys_of, run
from gqlib.features.cache import LIMITS, Cache, Limits

if TYPE_CHECKING:
    from gqlib.features.base import Extractor

__all__ = ["Extracted", "extract", "gather"]


@dataclass(frozen=True, eq=False)
class Extracted:
    """Features of images, in the images' order.

    Attributes:
        features: float32 (N, D), on the CPU.
        probabilities: float32 (N, K), each row the probabilities of K classes; None if they were
            not asked for or the extractor has none.
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


def extract(
    images: Images,
    extractor: Extractor,
    *,
    batch_size: int | None = None,
    cache: str | os.PathLike[str] | None = None,
    progress: Progress = False,
    workers: int | None = None,
    with_probabilities: bool = False,
    shard: tuple[int, int] = (0, 1),
    limits: Limits = LIMITS,
) -> Extracted:
    """The features of all images, or of one process's share of them.

    Images with the same content are computed once. Rows in the cache are not computed again, and
    new ones are added to it, even if this function is interrupted. A cache that cannot be written
    only adds a warning. Memory holds the result, three batches of prepared images, and twice the
    features that wait to be written (16 MB, or one batch).

    Args:
        images: What to read.
        extractor: As :func:`gqlib.features.load_extractor` gives it.
        batch_size: How many images go through the extractor at once, by default the extractor's
            ``batch_size``. It changes features by rounding only.
        cache: Folder of the features of earlier runs, such as the one of
            :func:`gqlib._utils.cache_folder.feature_cache`; by default nothing is kept. Rows are
            found by the content of the images and the extractor's name and resize mode. It is used
            only for extractors that are ``cacheable``.
        progress: Whether to show a bar with the rate and the time left on stderr, or a function
            that is called with the numbers of images that are done and in all.
        workers: Number of threads that read and prepare images; by default the number of cores that
            the process may use, at most 8.
        with_probabilities: Whether to give the class probabilities as well.
        shard: (rank, number of processes): only the images rank, rank + number, … are read.
            :func:`gather` puts the shares together.
        limits: When the cache's batches are written.

    Raises:
        ValueError: A damaged image, different shapes of images for an extractor that needs one
            shape, features that are not finite, or an argument out of range.
        FileNotFoundError: An image has disappeared.
    """
    rank, world = shard
    for name, value in (("batch_size", batch_size), ("workers", workers)):
        if value is not None and value < 1:
            raise ValueError(f"{name} is {value}, expected at least 1")
    if not 0 <= rank < world:
        raise ValueError(f"shard is {shard}, expected (rank, number) with 0 ≤ rank < number")
    batch_size = extractor.batch_size if batch_size is None else batch_size
    share = range(rank, len(images), world)
    workers = workers or cores()
    warnings = list(images.warnings)
    # Row of each content's first image, and how many images have that content.
    keys = keys_of(images, share, workers, progress)
    first: dict[bytes, int] = {}
    for row, key in enumerate(keys):
        first.setdefault(key, row)
    times = Counter(keys)

    store = None
    if cache is not None and extractor.cacheable:
        store = Cache(Path(cache).expanduser(), extractor, limits)
    table = Table(len(share), extractor)
    missing, cached = set(first), 0
    if store is not None:
        for found, features, probabilities in store.find(first, with_probabilities):
            table.put([first[key] for key in found], features, probabilities)
            if probabilities is not None or not with_probabilities:
                missing.difference_update(found)
                cached += sum(times[key] for key in found)

    todo = [(row, share[row], key) for key, row in first.items() if key in missing]

    def prepared(item: Item) -> Tensor:
        _, i, key = item
        image, now = images.read_with_key(i)
        if now != key:
            raise ValueError(f"{images.describe(i)} changed while it was being read: run again")
        try:
            return extractor.prepare(image)
        except (ValueError, RuntimeError) as error:
            raise ValueError(f"{images.describe(i)}: {error}") from error

    stacked = batches(todo, prepared, batch_size, workers, images)
    with bar(progress, images.name, len(share), cached) as advance, closing(stacked):
        try:
            for items, batch in stacked:
                rows, numbers, new = zip(*items, strict=True)
                names = [images.describe(i) for i in (numbers[0], numbers[-1])]
                features, probabilities = run(extractor, batch, with_probabilities, names)
                del batch  # before the next one is stacked
                # A row that was missing only its probabilities keeps its features.
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

    All processes of torch.distributed must call this, each with its result of
    ``extract(…, shard=(rank, world_size))``. If no process group was started, the argument is
    returned.

    Args:
        extracted: This process's rows rank, rank + world size, … of all.
        n: How many images there are in all.

    Raises:
        ValueError: The shares are not those of n images, or differ in their number of features.
    """
    import torch.distributed as dist

    rank, world = rank_and_world()
    mine = {
        "rows": len(extracted),
        "dims": extracted.features.shape[1],
        "classes": None if extracted.probabilities is None else extracted.probabilities.shape[1],
        "warnings": extracted.warnings,
        "computed": extracted.computed,
        "cached": extracted.cached,
    }
    shares: list[Any] = [mine] * world
    if world > 1:
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

"""Several processes under torch.distributed: which one this is, and errors raised in all."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class ProcessGroup:
    """The process group of ``torchrun``, if any; entering it tells if this process is first."""

    def __enter__(self) -> bool:
        self.started = int(os.environ.get("WORLD_SIZE", "1")) > 1
        if not self.started:
            return True
        import torch

        gpu = torch.cuda.is_available()
        if gpu:
            torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
        torch.distributed.init_process_group("nccl" if gpu else "gloo")
        return torch.distributed.get_rank() == 0

    def __exit__(self, *_: object) -> None:
        if self.started:
            end_process_group()


def end_process_group() -> None:
    """``torch.distributed.destroy_process_group()``, which always returns.

    Before PyTorch 2.8 it may not with gloo: it waits for gloo's threads and holds the interpreter,
    which they need to let go of the last tensor. Whoever holds gloo itself waits without.
    """
    import torch
    import torch.distributed as dist

    group = dist.group.WORLD
    is_gloo = group is not None and dist.get_backend() == "gloo"
    gloo = group._get_backend(torch.device("cpu")) if is_gloo else None  # type: ignore[union-attr]
    del group
    dist.destroy_process_group()
    del gloo


def rank_and_world() -> tuple[int, int]:
    """This process's rank and the number of processes: (0, 1) if no group was started."""
    import torch.distributed as dist

    if not (dist.is_available() and dist.is_initialized()):
        return 0, 1
    return dist.get_rank(), dist.get_world_size()


def raise_on_all_ranks(work: Callable[[], T]) -> T:
    """The result of ``work()``, after it has succeeded in all processes of torch.distributed.

    All processes must call this. ``work`` may fail in any of them; it must not call
    torch.distributed itself, since the others would then wait for the one that failed. If no
    process group was started, this is ``work()``.

        part = raise_on_all_ranks(lambda: read(paths[rank::world_size]))

    Raises:
        ValueError: The work failed in some process. Every process raises the message of the failed
            one with the lowest rank.
    """
    import torch.distributed as dist

    rank, world = rank_and_world()
    if world == 1:
        return work()
    failure: Exception | None = None
    try:
        result = work()
    except Exception as error:
        failure = error
    sentences: list[str | None] = [None] * world
    dist.all_gather_object(sentences, None if failure is None else _sentence(failure, rank))
    for sentence in sentences:
        if sentence is not None:
            raise ValueError(sentence) from failure
    return result


def _sentence(error: Exception, rank: int) -> str:
    text = " ".join(str(error).split())
    if text and isinstance(error, ValueError | OSError):
        return text
    return f"process {rank} failed with {type(error).__name__}: {text}"

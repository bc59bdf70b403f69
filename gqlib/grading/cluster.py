"""Execution on the machines of a Dask cluster, each with its own sandbox.

    dask scheduler                                          # on one machine
    dask worker tcp://scheduler:8786 --nthreads 16          # on each machine that executes
    gqlib grade 02_error_measures --scheduler tcp://scheduler:8786

A worker executes as many submissions at once as it has threads, all in forks of one warm process.
It needs the extra ``cluster`` of the same version, and bubblewrap. If a worker ends, another one
does what it had not finished.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from concurrent.futures import Executor
from typing import Any

from gqlib import __version__
from gqlib._utils.installing import remedy

#: Seconds to wait for a scheduler's answer.
_PATIENCE = 10
#: After so many workers have ended while they ran a submission it is given up: it may be the cause.
_TRIES = 3


class Lost(RuntimeError):
    """The scheduler is gone."""


@contextlib.contextmanager
def executor(address: str) -> Iterator[tuple[Executor, int]]:
    """A function that executes on a cluster, and the number of its workers' threads.

    Raises:
        ValueError: The cluster can't be used; the message says why and what to do.
        Lost: The scheduler ended meanwhile.
    """
    try:
        from distributed import Client
    except ModuleNotFoundError:
        raise ValueError(
            f"--scheduler needs Dask: run {remedy('cluster')}, here and on the workers"
        ) from None
    try:
        client = Client(address, timeout=_PATIENCE)
    except (OSError, ValueError, TypeError) as error:  # TimeoutError among them
        raise ValueError(
            f"no Dask scheduler answers at {address} ({error}): start one by `dask scheduler`, and "
            "give the address that it prints"
        ) from error
    with client:
        threads = client.nthreads()
        if not threads:
            raise ValueError(
                f"the scheduler at {address} has no workers: start some by `dask worker {address}`"
            )
        _check_versions(client)
        try:
            yield client.get_executor(pure=False, retries=_TRIES), sum(threads.values())
        except Exception as error:
            if client.status == "running":
                raise
            raise Lost(
                f"the scheduler at {address} is gone: start it again, and then the same command, "
                "which goes on from here"
            ) from error


def _check_versions(client: Any) -> None:
    found = client.run(_version, on_error="return")
    wrong = {worker: v for worker, v in found.items() if v != __version__}
    if wrong:
        worker, version = next(iter(wrong.items()))
        raise ValueError(
            f"the worker at {worker} has gqlib {version}, expected {__version__} as here: install "
            "the same version on every machine"
        )


def _version() -> str:
    return __version__

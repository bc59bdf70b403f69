"""The database of features between processes: many writers at once, and writers that are killed."""

import hashlib
import multiprocessing
import random
import signal
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
import torch

from gqlib.features import cache as shelf

WRITERS = 4
ROWS = 200
KEYS = [hashlib.sha256(b"%d" % i).digest() for i in range(WRITERS * ROWS)]
NUMBERS = {key: i for i, key in enumerate(KEYS)}


class Extractor:
    name = "fake sha256:0123"
    resize = "none"


def row(i):
    """Features and probabilities that tell which image they are of."""
    return torch.arange(64.0) + i, torch.tensor([i, 0.5])


def stack(numbers):
    features, probabilities = zip(*map(row, numbers), strict=True)
    return torch.stack(features), torch.stack(probabilities)


def found(folder):
    """The numbers of the rows that are there, each one found to be right."""
    store = shelf.Cache(folder, Extractor())
    numbers = []
    for keys, features, probabilities in store.find(NUMBERS, True):
        part = [NUMBERS[key] for key in keys]
        expected = stack(part)
        assert torch.equal(features, expected[0])
        assert torch.equal(probabilities, expected[1])
        numbers += part
    assert store.warnings == []
    assert len(set(numbers)) == len(numbers)
    return set(numbers)


def write(folder, first, last, begun):
    """Add the rows that are not there yet, eight at a time, and look for all of them in between."""
    store = shelf.Cache(folder, Extractor(), shelf.Limits(rows=20))
    there = found(folder)
    todo = [i for i in range(first, last) if i not in there]
    begun.send(len(todo))
    for start in range(0, len(todo), 8):
        part = todo[start : start + 8]
        store.add([KEYS[i] for i in part], *stack(part))
        if start % 40 == 0:
            found(folder)
    store.flush()
    assert store.warnings == []


@pytest.fixture(scope="module")
def start():
    """Begin :func:`write` in another process, which comes with the number of rows it will add."""
    method = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
    context = multiprocessing.get_context(method)
    context.set_forkserver_preload(["torch", "gqlib.features.cache"])

    def start(folder, first, last):
        ours, theirs = context.Pipe()
        process = context.Process(target=write, args=(folder, first, last, theirs))
        process.start()
        theirs.close()
        return process, ours.recv()

    return start


def integrity(folder):
    with closing(sqlite3.connect(folder / shelf._FILE)) as database:
        return database.execute("PRAGMA integrity_check").fetchall()


def test_four_writers_at_once(tmp_path, start):
    """Half of the rows of each are its neighbour's as well."""
    spans = [(i * ROWS, min((i + 1) * ROWS + ROWS // 2, len(KEYS))) for i in range(WRITERS)]
    with ThreadPoolExecutor(WRITERS) as pool:
        writers = list(pool.map(lambda span: start(tmp_path, *span)[0], spans))
    for writer in writers:
        writer.join(100)
        assert writer.exitcode == 0
    assert integrity(tmp_path) == [("ok",)]
    assert found(tmp_path) == set(range(len(KEYS)))
    files = {path.name for path in tmp_path.iterdir()}
    assert files == {shelf._FILE, f"{shelf._FILE}-journal"}


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no such signal")
def test_writers_that_are_killed_leave_the_database_whole(tmp_path, start):
    """Each of twenty runs goes on where the one before it was killed."""
    moments = random.Random(0)
    kept: set[int] = set()
    amid = 0
    for _ in range(20):
        writer, todo = start(tmp_path, 0, len(KEYS))
        assert todo == len(KEYS) - len(kept)
        time.sleep(moments.uniform(0, 0.02))
        writer.kill()
        writer.join()
        assert not (tmp_path / shelf._FILE).exists() or integrity(tmp_path) == [("ok",)]
        now = found(tmp_path)
        assert kept <= now
        amid += kept < now < set(NUMBERS.values())
        kept = now
    print(f"{len(kept)} rows after 20 kills, {amid} of which came amid writing")
    assert amid > 5
    writer, todo = start(tmp_path, 0, len(KEYS))
    writer.join(100)
    assert (writer.exitcode, todo) == (0, len(KEYS) - len(kept))
    assert found(tmp_path) == set(range(len(KEYS)))

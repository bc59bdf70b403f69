"""nbgrader's step of execution, in the sandbox; its results are kept by content.

``nbgrader_config.py`` puts :class:`SandboxedExecute` where nbgrader has ``Execute``, so that
``nbgrader autograde``, the formgrader and ``gqlib grade`` run students' code in the same way.
"""

from __future__ import annotations

import atexit
import base64
import dataclasses
import functools
import hashlib
import json
import math
import os
import sys
import threading
from collections.abc import Callable, Mapping, Set
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode, from_dict
from nbgrader.preprocessors import Execute
from nbgrader.utils import is_grade, is_locked, is_solution
from traitlets import Bool, Dict, Unicode

from gqlib import __version__
from gqlib._utils import atomic
from gqlib.grading.sandbox.limits import MIB, Limits
from gqlib.grading.sandbox.pool import Cell, Executed, Pool, PoolEnded

Resources = dict[str, Any]
#: How often a submission is tried again if its warm process ended.
_TRIES = 3
#: Bytes that the files next to a notebook may have together.
_FILES_LIMIT = 32 * MIB
#: How the key of a solution's result begins.
_SOLUTION = "solution-"


@dataclasses.dataclass(frozen=True)
class Work:
    """A sanitised submission, as far as its execution depends on it.

    Attributes:
        cells: Its code cells.
        files: The files next to it: from names to contents in base64.
        secret: The instructor's secret, or empty.
    """

    cells: tuple[Cell, ...]
    files: Mapping[str, str]
    secret: str

    @functools.cached_property
    def key(self) -> str:
        """A key that is equal for the same work by the same version."""
        content = json.dumps(
            [__version__, [dataclasses.astuple(c) for c in self.cells], self.files, self.secret],
            sort_keys=True,
        )
        return hashlib.sha256(content.encode()).hexdigest()

    @property
    def set_up(self) -> str:
        """The set-up cell's source, or nothing."""
        return next((cell.source for cell in self.cells if cell.kind == "set-up"), "")

    @property
    def environment(self) -> dict[str, str]:
        """The environment of the tests."""
        return {"GQLIB_SECRET": self.secret} if self.secret else {}


#: Executes a work; the last argument says whether to find out which tests can run apart.
Run = Callable[[Work, Limits, bool], Executed]


def keep_apart(work: Work, solution: Path, limits: Limits, known: Results | None, run: Run) -> Work:
    """Mark the tests to run apart from the answers: those that the solution passes so.

    Args:
        work: A submission.
        solution: The lesson's own notebook; if there is none, all tests run with the answers.
        limits: What the solution may use.
        known: Where the names of these tests are looked up and kept.
        run: Executes the solution if they are not known.
    """
    if not solution.is_file():
        return work
    found = (solution, solution.stat().st_mtime_ns, work.set_up, work.secret)
    if found not in _apart:
        _apart[found] = _run_apart(solution, work, limits, known, run)
    marked = (
        dataclasses.replace(c, apart=c.kind == "test" and c.source in _apart[found])
        for c in work.cells
    )
    return dataclasses.replace(work, cells=tuple(marked))


#: Which tests run apart, by the solution, its time, the set-up cell and the secret.
_apart: dict[tuple[Path, int, str, str], frozenset[str]] = {}


def _run_apart(
    solution: Path, work: Work, limits: Limits, known: Results | None, run: Run
) -> frozenset[str]:
    """The sources of those tests that a solution passes apart."""
    cells = list(_cells(nbformat.read(solution, as_version=4)))
    for number, cell in enumerate(cells):
        if cell.kind == "set-up":  # as it was released, for which a warm process is there
            cells[number] = Cell(work.set_up, "set-up")
            break
    reference = Work(tuple(cells), _files(solution.parent), work.secret)
    key = f"{_SOLUTION}{reference.key}"
    executed = known.get(key) if known else None
    if executed is None:
        executed = run(reference, limits, True)
        if known:
            known.remove(lambda name: name.startswith(_SOLUTION))  # older ones of this lesson
            known.put(key, executed)
    return frozenset(cells[i].source for i in executed.apart)


def work_of(nb: NotebookNode, *folders: Path) -> Work:
    """The work that a sanitised notebook stands for.

    Args:
        nb: The notebook.
        folders: Where the files next to it are; files in later folders replace earlier ones.
    """
    files: dict[str, str] = {}
    for folder in folders:
        files |= _files(folder)
    return Work(_cells(nb), files, os.environ.get("GQLIB_SECRET", ""))


def _cells(nb: NotebookNode) -> tuple[Cell, ...]:
    return tuple(Cell(cell.source, _kind(cell)) for cell in nb.cells if cell.cell_type == "code")


def _kind(cell: NotebookNode) -> Any:
    if is_grade(cell) and not is_solution(cell):
        return "test"
    return "set-up" if is_locked(cell) else "student"


def _files(folder: Path) -> dict[str, str]:
    """The files next to a notebook; links are not followed."""
    found, size = {}, 0
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not path.is_file() or path.suffix == ".ipynb":
            continue
        if path.name == "timestamp.txt":
            continue
        size += path.stat().st_size
        if size > _FILES_LIMIT:
            raise ValueError(
                f"the files next to the notebook in {folder} are larger than "
                f"{_FILES_LIMIT // MIB} MiB"
            )
        content = base64.b64encode(path.read_bytes()).decode()
        found[path.relative_to(folder).as_posix()] = content
    return found


class Results:
    """The results of executions, one file each, named by the key of the work.

    Args:
        folder: Where they are kept; created when needed.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get(self, key: str) -> Executed | None:
        """The result of a work; ``None`` if there is none, or its file is damaged."""
        try:
            found = json.loads(self._path(key).read_text(encoding="utf-8"))
            return Executed(**found)
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def put(self, key: str, executed: Executed) -> None:
        """Keep the result of a work, whole or not at all."""
        self.folder.mkdir(parents=True, exist_ok=True)
        atomic.write_text(self._path(key), json.dumps(dataclasses.asdict(executed)))

    def keep_only(self, keys: Set[str]) -> None:
        """Remove the results of all other submissions."""
        self.remove(lambda name: name not in keys and not name.startswith(_SOLUTION))

    def remove(self, is_old: Callable[[str], bool]) -> None:
        """Remove those whose keys are old."""
        for path in self.folder.glob("*.json"):
            if is_old(path.stem):
                path.unlink()

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.json"


class SandboxedExecute(Execute):  # type: ignore[misc]
    """Run a notebook's cells in the sandbox, or take a result that is known already.

    It keeps the cell's ``timeout`` of nbgrader's ``Execute``, and is the same without a sandbox.
    """

    sandbox = Bool(
        True, help="without, nbgrader's own kernels run students' code with all your rights"
    ).tag(config=True)
    limits = Dict(
        help="what a submission may use, by the names of gqlib.grading.sandbox.limits.Limits; the "
        "time of a cell is Execute.timeout"
    ).tag(config=True)
    solutions = Unicode(
        "", help="folder of the lessons' own notebooks, which tell what tests can run apart"
    ).tag(config=True)
    results = Unicode("", help="folder of results, to be looked up and added to").tag(config=True)

    def preprocess(self, nb: NotebookNode, resources: Resources) -> tuple[NotebookNode, Resources]:
        if not self.sandbox:
            done: tuple[NotebookNode, Resources] = super().preprocess(nb, resources)
            return done
        path = resources.get("metadata", {}).get("path")
        work = work_of(nb, *([Path(path)] if path else []))
        known = Results(Path(self.results)) if self.results else None
        names = resources.get("nbgrader", {})
        solution = (
            Path(self.solutions) / str(names.get("assignment")) / f"{names.get('notebook')}.ipynb"
        )
        if self.solutions:
            work = keep_apart(work, solution, self.allowed(), known, execute)
        executed = known.get(work.key) if known else None
        if executed is None:
            executed = execute(work, self.allowed())
            if known:
                known.put(work.key, executed)
        fill(nb, executed)
        for text in executed.flags:
            self.log.warning("Seen in %s: %s", resources.get("unique_key"), text)
        return nb, resources

    def allowed(self) -> Limits:
        """What a submission may use.

        Raises:
            ValueError: A limit that does not exist.
        """
        names = {field.name for field in dataclasses.fields(Limits)} - {"cell_seconds"}
        unknown = sorted(set(self.limits) - names)
        if unknown:
            raise ValueError(
                f"SandboxedExecute.limits has {', '.join(unknown)}, expected some of "
                f"{', '.join(sorted(names))}"
            )
        return Limits(cell_seconds=float(self.timeout or math.inf), **self.limits)


def fill(nb: NotebookNode, executed: Executed) -> None:
    """Put outputs into a notebook's code cells, in place."""
    code = [cell for cell in nb.cells if cell.cell_type == "code"]
    for number, (cell, outputs) in enumerate(zip(code, executed.outputs, strict=True), 1):
        cell.outputs = [from_dict(output) for output in outputs]
        cell.execution_count = number
        for output in cell.outputs:
            if output.output_type == "execute_result":
                output.execution_count = number


_pools: dict[tuple[str, Limits], Pool] = {}
_lock = threading.Lock()
_closings = 0


def execute(work: Work, limits: Limits, tries: bool = False) -> Executed:
    """Execute a submission in this machine's sandbox, and wait for it.

    With ``tries`` the work is a solution, and the result says which tests it passed apart.

    Several threads may call this at once: one warm process serves all works with the same set-up
    cell. If it ends (the machine may have run out of memory), another one tries again.

    Raises:
        NoSandbox: There can be no sandbox here.
        PoolEnded: The warm process ended again and again, or all were closed meanwhile.
    """
    closings, ended = _closings, PoolEnded()
    for _ in range(_TRIES):
        pool = _pool(work.set_up, limits)
        try:
            return pool.submit(work.cells, work.files, work.environment, tries).result()
        except PoolEnded as error:
            ended = error
        if _closings != closings:
            break
        with _lock:
            if _pools.get((work.set_up, limits)) is pool:
                del _pools[work.set_up, limits]
        pool.close()
    raise ended


def _pool(set_up: str, limits: Limits) -> Pool:
    key = (set_up, limits)
    with _lock:
        if key not in _pools:
            if not _pools:
                atexit.register(close_pools)
            for other in [other for other, pool in _pools.items() if pool.idle]:
                _pools.pop(other).close()  # of another lesson
            _pools[key] = Pool(set_up, limits, log=sys.stderr)
        return _pools[key]


def close_pools() -> None:
    """End the warm processes and everything that runs in them."""
    global _closings
    _closings += 1
    with _lock:
        while _pools:
            _pools.popitem()[1].close()

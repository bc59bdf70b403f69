"""The rooms of the library: which may import which, and no circles (docs/architecture.md)."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import gqlib

PACKAGE = Path(gqlib.__file__).parent

#: From each room to the rooms, or the modules of one, that it may import.
ALLOWED = {
    "_utils": (),
    "data": ("_utils",),
    "models": ("_utils",),
    "training": ("_utils", "models"),
    "features": ("_utils", "data"),
    "metrics": ("_utils",),
    "evaluation": ("_utils", "data", "features", "metrics"),
    "course": ("_utils", "data", "models", "training", "features", "metrics", "evaluation"),
    "grading": ("_utils", "course.checks"),
    "cli": ("_utils", "data", "features", "metrics", "evaluation", "course", "grading"),
    "__main__": ("cli",),
    # The front door, loaded when it is first used.
    "__init__": ("evaluation",),
}
#: What a room may import of others' packages, where that is little; dots are left out.
FOREIGN = {
    "_utils": {"jinja2", "numpy", "torch"},
    "data": {"numpy", "torch", "torchvision"},
    "models": {"numpy", "torch"},
    "metrics": {"numpy", "scipy", "torch"},
}


def modules() -> dict[str, Path]:
    found = {}
    for path in PACKAGE.rglob("*.py"):
        name = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        found[name.removesuffix(".__init__")] = path
    return found


MODULES = modules()


def imported(path: Path) -> Iterator[str]:
    """All that a module imports, also inside its functions and for its types alone."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                own = whole.removeprefix("gqlib.")
                yield whole if own in MODULES and own != whole else str(node.module)


def own(path: Path) -> set[str]:
    """The modules of the library that one imports, without ``gqlib.``; its version is no arrow."""
    names = {name for name in imported(path) if name.split(".")[0] == "gqlib"}
    return {name.removeprefix("gqlib.") for name in names if name != "gqlib"}


def room(name: str) -> str:
    return name.split(".")[0]


@pytest.mark.parametrize("name", MODULES)
def test_no_import_runs_upward(name: str) -> None:
    here = room(name)
    allowed = (here, *ALLOWED[here])
    for other in own(MODULES[name]):
        assert any(f"{other}.".startswith(f"{a}.") for a in allowed), f"{name} imports {other}"


def test_there_are_no_circles() -> None:
    graph = {name: own(path) - {name} for name, path in MODULES.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" → ".join(error.args[1]))


@pytest.mark.parametrize("name", [name for name in MODULES if room(name) in FOREIGN])
def test_a_room_needs_only_what_is_said(name: str) -> None:
    import sys

    foreign = {room(n) for n in imported(MODULES[name])} - {"gqlib"} - sys.stdlib_module_names
    assert foreign <= FOREIGN[room(name)] | {"tqdm"}


def test_every_room_is_in_the_table() -> None:
    assert {room(name) for name in MODULES} == set(ALLOWED)

"""The normal form of a solution notebook: how it is committed.

Executed top to bottom in one kernel; complete nbgrader metadata; no timestamps, no kernel version,
no widget state; streams merged; nothing on standard error; below a megabyte. Run as

    python -m gqlib.grading.authoring solutions/*/*.ipynb
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

from gqlib._utils import atomic

#: A notebook beyond this size is slow to open and to review.
MAX_BYTES = 1_000_000

_DEFAULTS = {"grade": False, "locked": False, "schema_version": 3, "solution": False, "task": False}
_KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
_WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


def complete_metadata(nb: NotebookNode) -> None:
    """Fill in nbgrader's defaults, so that an author writes only what is particular to a cell.

    Raises:
        ValueError: Two cells share a ``grade_id``, or a graded cell has no points.
    """
    seen: set[str] = set()
    for cell in nb.cells:
        given = cell.metadata.get("nbgrader")
        if given is None:
            continue
        name = given.get("grade_id", "")
        if not name or name in seen:
            raise ValueError(f"grade_id {name!r} is empty or used twice: give each cell its own")
        seen.add(name)
        if given.get("grade") and "points" not in given:
            raise ValueError(f"the graded cell {name!r} has no points: add them to its metadata")
        cell.metadata["nbgrader"] = NotebookNode(dict(sorted({**_DEFAULTS, **given}.items())))


def strip(nb: NotebookNode) -> None:
    """Remove what differs from run to run or from machine to machine."""
    nb.metadata = NotebookNode(kernelspec=dict(_KERNEL), language_info={"name": "python"})
    count = 0
    for cell in nb.cells:
        for key in ("execution", "lines_to_next_cell", "collapsed", "trusted"):
            cell.metadata.pop(key, None)
        if cell.cell_type != "code":
            continue
        count += 1
        cell.execution_count = count
        cell.outputs = _merge_streams(cell.outputs)
        for output in cell.outputs:
            if output.output_type == "execute_result":
                output.execution_count = count
            if "data" in output:
                output.data.pop(_WIDGET_VIEW, None)


def _merge_streams(outputs: list[NotebookNode]) -> list[NotebookNode]:
    merged: list[NotebookNode] = []
    for output in outputs:
        last = merged[-1] if merged else None
        if (
            last is not None
            and output.output_type == last.output_type == "stream"
            and output.name == last.name
        ):
            last.text += output.text
        else:
            merged.append(output)
    return merged


def check(nb: NotebookNode, path: Path) -> None:
    """Refuse what must not be committed.

    Raises:
        ValueError: An output on standard error, or a notebook above :data:`MAX_BYTES`.
    """
    for number, cell in enumerate(nb.cells):
        for output in cell.get("outputs", []):
            if output.output_type == "stream" and output.name == "stderr":
                raise ValueError(
                    f"{path}: cell {number} writes to standard error, which nbgrader scores as "
                    f"zero in a test cell: {output.text.strip()[:200]!r}"
                )
    size = len(nbformat.writes(nb).encode())
    if size > MAX_BYTES:
        raise ValueError(
            f"{path} would be {size / 1e6:.2f} MB, more than {MAX_BYTES / 1e6:.0f} MB: "
            "draw fewer or smaller figures"
        )


def execute(nb: NotebookNode, folder: Path, timeout: int = 600) -> None:
    """Run all cells in one fresh kernel started in ``folder``; an error in a cell is raised."""
    client = NotebookClient(
        nb, timeout=timeout, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    )
    client.execute()


def write(nb: NotebookNode, path: Path) -> None:
    """Write the notebook whole or not at all."""
    atomic.write_text(path, nbformat.writes(nb) + "\n")


def normalise(path: Path) -> None:
    """Execute the notebook at ``path`` and write it back in the normal form."""
    nb = nbformat.read(path, as_version=4)
    complete_metadata(nb)
    execute(nb, path.parent)
    strip(nb)
    check(nb, path)
    nbformat.validate(nb)
    write(nb, path)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("notebooks", nargs="+", type=Path)
    for path in parser.parse_args(arguments).notebooks:
        print(f"executing {path}", flush=True)
        normalise(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())

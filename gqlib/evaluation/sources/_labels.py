"""Labels of samples, from text or from an array."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gqlib._utils.text import printable
from gqlib.evaluation.sources._array_files import load_array, load_numpy
from gqlib.evaluation.sources._messages import damaged, listed, number, reason, unreadable
from gqlib.evaluation.sources._paths import ARRAY_SUFFIXES, check_suffix, existing


def read_labels(path: str | os.PathLike[str], array: str | None = None) -> list[str]:
    """The label of each sample, in order.

    Args:
        path: ``.txt`` with one label a line; ``.csv`` with a column ``label``, or with one column
            (whose first line is a heading only if it reads ``label``); or integers or strings of
            one dimension in any of the array files that :func:`open_source` reads.
        array: Which array of a file with several; by default the only one, or the one called
            ``labels`` or ``label``.

    Raises:
        FileNotFoundError: Nothing is there.
        ValueError: No labels, an empty one, or another file, dtype or shape.
    """
    name = os.fspath(path)
    place = existing(name)
    shown = printable(name)
    if place.is_dir():
        raise ValueError(
            f"{shown} is a folder, expected a file of labels (.txt, .csv or an array): "
            "the sub-folders of images are their labels without a file"
        )
    check_suffix(place, shown, (".txt", ".csv", *ARRAY_SUFFIXES), "labels one a line")
    suffix = place.suffix.lower()
    if suffix in (".txt", ".csv"):
        if array is not None:
            raise ValueError(
                f"{shown} holds text and array={array!r} chooses an array: leave it out"
            )
        lines = _text_lines(place, shown)
        labels = _csv_labels(lines, shown) if suffix == ".csv" else [x.strip() for x in lines]
    else:
        labels = _array_labels(place, shown, array)
    while labels and not labels[-1]:
        labels.pop()
    if not labels:
        raise ValueError(f"{shown} holds no labels, expected one for each sample")
    if "" in labels:
        raise ValueError(
            f"label {labels.index('') + 1} of {len(labels)} in {shown} is empty: write one for "
            "each sample, in their order"
        )
    return labels


def _text_lines(place: Path, shown: str) -> list[str]:
    try:
        return place.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f"{shown} is not UTF-8 text ({reason(error)}): convert it") from error
    except OSError as error:
        raise unreadable(shown, error) from error


def _csv_labels(lines: Sequence[str], shown: str) -> list[str]:
    try:
        rows = [[cell.strip() for cell in row] for row in csv.reader(lines)]
    except csv.Error as error:
        raise damaged(shown, error) from error
    if not rows:
        return []
    heading = [cell.lower() for cell in rows[0]]
    column = 0
    if "label" in heading:
        column = heading.index("label")
        rows = rows[1:]
    elif len(heading) > 1:
        raise ValueError(
            f"{shown} has the columns {listed(rows[0])}, expected one called label, or one alone"
        )
    for i, row in enumerate(rows, 1):
        if row and len(row) != len(heading):
            raise ValueError(
                f"row {i} of {shown} has {number(len(row), 'cell')}, expected {len(heading)}"
            )
    return [row[column] if row else "" for row in rows]


def _array_labels(place: Path, shown: str, array: str | None) -> list[str]:
    usual = ("labels", "label")
    if place.suffix.lower() in (".npz", ".npy"):
        values = load_numpy(place, shown, array, usual)
    else:
        tensor = load_array(place, shown, array, usual)
        values = (tensor.float() if tensor.is_floating_point() else tensor).numpy()
    if values.ndim != 1 or values.dtype.kind not in "biuU":
        advice = ": take the argmax of each row" if values.ndim == 2 else ""
        raise ValueError(
            f"{shown} holds {values.dtype} of shape {values.shape}, expected one integer or "
            f"string a sample{advice}"
        )
    if values.dtype.kind == "b":
        values = values.astype(np.uint8)
    return [str(value).strip() for value in values.tolist()]

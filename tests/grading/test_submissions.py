"""Filling in answers, and notebooks handed in under another name."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest

from gqlib.grading.submissions import answers_of, filled, restore_names
from tests.grading.conftest import tiny_solution


def test_answers_travel_from_solution_to_lesson() -> None:
    nb = tiny_solution()
    answers = answers_of(nb)
    assert set(answers) == {"double"}
    changed = filled(nb, {"double": "x = 1"})
    assert answers_of(changed) == {"double": "x = 1"}
    assert answers_of(nb) == answers, "the lesson itself is left alone"
    with pytest.raises(KeyError, match="no answer cell named triple"):
        filled(nb, {"triple": ""})


def hand_in(folder: Path, student: str, *names: str) -> Path:
    home = folder / "submitted" / student / "tiny"
    home.mkdir(parents=True)
    for name in names:
        nbformat.write(tiny_solution(), home / name)
    return home


def test_restore_names(tmp_path: Path) -> None:
    release = tmp_path / "tiny.ipynb"
    nbformat.write(tiny_solution(), release)
    renamed = hand_in(tmp_path, "renamed", "tiny (1).ipynb")
    right = hand_in(tmp_path, "right", "tiny.ipynb", "tiny-old.ipynb")
    two = hand_in(tmp_path, "two", "a.ipynb", "b.ipynb")
    other = hand_in(tmp_path, "other")
    nbformat.write(nbformat.v4.new_notebook(), other / "diary.ipynb")
    (other / "broken.ipynb").write_text("{", encoding="utf-8")
    made = restore_names(tmp_path / "submitted", "tiny", release)
    assert made == [renamed / "tiny.ipynb"]
    assert (renamed / "tiny (1).ipynb").exists()
    assert sorted(p.name for p in right.iterdir()) == ["tiny-old.ipynb", "tiny.ipynb"]
    assert not (two / "tiny.ipynb").exists(), "which of the two is meant is not ours to guess"
    assert not (other / "tiny.ipynb").exists()

"""An instructor's formgrader, in the JupyterLab that `make lab` starts."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.browser.lab import ROOT, Lab, serve

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_the_formgrader_lists_the_lessons(lab: Lab, tmp_path: Path) -> None:
    course = tmp_path / "course"
    hidden = shutil.ignore_patterns(".ipynb_checkpoints")
    for name in ("lessons", "solutions"):
        shutil.copytree(ROOT / name, course / name, ignore=hidden)
    for name in ("nbgrader_config.py", "pyproject.toml"):
        shutil.copy(ROOT / name, course)
    with serve(course, tmp_path / "server.log") as address:
        page = lab.browser.new_page()
        page.goto(f"{address}/formgrader/manage_assignments")
        names = page.locator("#main-table td.name a")
        names.first.wait_for()
        listed = names.all_inner_texts()
        page.close()
    assert listed == sorted(folder.name for folder in (course / "solutions").iterdir())

"""A JupyterLab as `make lab` starts it, in a copy of the course, and a browser to use it with."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Iterator
from typing import NoReturn

import pytest

from tests.browser.lab import ROOT, Lab, is_root, serve

_FLAGS = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-sync",
    "--no-first-run",
]


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """One server for all lessons, in a copy of what a student has."""
    if importlib.util.find_spec("playwright") is None:
        _missing("playwright is not installed")
    chromium = _chromium()
    course = tmp_path_factory.mktemp("course")
    shutil.copytree(
        ROOT / "lessons", course / "lessons", ignore=shutil.ignore_patterns(".ipynb_checkpoints")
    )
    for name in ("nbgrader_config.py", "pyproject.toml"):
        shutil.copy(ROOT / name, course)
    log = tmp_path_factory.mktemp("log") / "server.log"
    with serve(course, log) as address:
        from playwright.sync_api import sync_playwright

        root = ["--no-sandbox"] if is_root() else []
        with (
            sync_playwright() as playwright,
            playwright.chromium.launch(executable_path=chromium, args=[*_FLAGS, *root]) as browser,
        ):
            yield Lab(course, address, browser, log)


def _chromium() -> str:
    names = ("chromium", "chromium-browser", "google-chrome")
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    return found or _missing("no Chromium: install it, or name its program in $CHROMIUM")


def _missing(reason: str) -> NoReturn:
    """Skip on a machine where something is missing, but never in the project's own checks."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)

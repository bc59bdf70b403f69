"""A JupyterLab as `make lab` starts it, in a copy of the course, and a browser to use it with."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from tests.browser.lab import ROOT, Lab

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
    with _server(course, log) as address:
        from playwright.sync_api import sync_playwright

        root = ["--no-sandbox"] if _is_root() else []
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
    """Skip on a machine that lacks something, but never in the project's own checks."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@contextlib.contextmanager
def _server(course: Path, log: Path) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "gqlib.cli", "lab", "--no-browser", f"--port={port}"]
    command += ["--IdentityProvider.token=", "--expose-app-in-browser"]
    command += ["--allow-root"] if _is_root() else []
    # A student who opens JupyterLab for the first time: no settings, nothing to restore.
    home = {
        "HOME": str(log.parent),
        "JUPYTER_CONFIG_DIR": str(log.parent / "config"),
        "JUPYTER_DATA_DIR": str(log.parent / "data"),
        "IPYTHONDIR": str(log.parent / "ipython"),
    }
    with (
        log.open("w", encoding="utf-8") as file,
        subprocess.Popen(
            command, cwd=course, env={**os.environ, **home}, stdout=file, stderr=file
        ) as process,
    ):
        try:
            _wait(process, f"{address}/api", log)
            yield address
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait(process: subprocess.Popen[bytes], url: str, log: Path, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < end:
        try:
            with urllib.request.urlopen(url):
                return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.1)
    raise AssertionError(f"JupyterLab did not start:\n{log.read_text(encoding='utf-8')}")


def _is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0

"""The user's cache folder, under each platform's conventions."""

import sys
from pathlib import Path

import pytest

from gqlib._utils.cache_folder import cache_folder


@pytest.fixture(autouse=True)
def _home(monkeypatch, tmp_path):
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("LOCALAPPDATA", raising=False)


@pytest.mark.parametrize(
    ("platform", "variable", "other"),
    [
        ("linux", "XDG_CACHE_HOME", "LOCALAPPDATA"),
        ("darwin", "XDG_CACHE_HOME", "LOCALAPPDATA"),
        ("win32", "LOCALAPPDATA", "XDG_CACHE_HOME"),
    ],
)
def test_the_cache_folder(monkeypatch, tmp_path, platform, variable, other):
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setenv(other, str(tmp_path / "other"))
    assert cache_folder() == tmp_path / ".cache" / "gqlib"
    monkeypatch.setenv(variable, "")
    assert cache_folder() == tmp_path / ".cache" / "gqlib"
    monkeypatch.setenv(variable, str(tmp_path / "own"))
    assert cache_folder("features", "x") == tmp_path / "own" / "gqlib" / "features" / "x"

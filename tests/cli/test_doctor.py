"""`gqlib doctor` says what is there and what is missing, and nothing about whose machine it is."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from gqlib import __version__
from gqlib._utils.installing import DISTRIBUTION, remedy
from gqlib.cli import doctor as command
from gqlib.grading.sandbox import bubblewrap
from tests.packaging.tree import ROOT, requirements

Doctor = Callable[..., tuple[int, str]]
#: Where nothing but the standard library and gqlib's light modules can be imported.
BARE = """
import argparse, sys
sys.modules["torch"] = None
from gqlib.cli import doctor
commands = argparse.ArgumentParser().add_subparsers()
doctor.add_parser(commands)
given = commands.choices["doctor"].parse_args([])
sys.exit(given.run(given))
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder whose name tells something of the user, and no variable that names others."""
    home = tmp_path / "alice smith"
    home.mkdir()
    for variable in ("GQLIB_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    return home


@pytest.fixture
def doctor(home: Path, capsys: pytest.CaptureFixture[str]) -> Doctor:
    """Run the command; its exit status, and what it printed, in which nothing is personal."""

    def call(*arguments: str) -> tuple[int, str]:
        commands = argparse.ArgumentParser().add_subparsers()
        command.add_parser(commands)
        given = commands.choices["doctor"].parse_args(arguments)
        status: int = given.run(given)
        shown = capsys.readouterr()
        assert shown.err == ""
        for private in (home.name, str(home.parent), str(ROOT), sys.prefix, str(Path.cwd())):
            assert private not in shown.out
        return status, shown.out

    return call


def as_json(answer: tuple[int, str]) -> tuple[int, Any]:
    return answer[0], json.loads(answer[1])


def fake_bubblewrap(folder: Path, script: str) -> str:
    program = folder / "bwrap"
    program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    program.chmod(0o755)
    return os.pathsep.join([str(folder), "/usr/bin", "/bin"])


def test_packages_are_those_of_the_project() -> None:
    for extra, group in command._PACKAGES.items():
        wanted = [r.name for r in requirements(extra)[len(requirements()) :]] if extra else None
        wanted = wanted or [r.name for r in requirements()]
        assert [package.name for package in group] == [n for n in wanted if n != DISTRIBUTION]
        assert all(package.needed_for for package in group)


def test_a_whole_install(doctor: Doctor) -> None:
    status, found = as_json(doctor("--json"))
    assert (status, found["whole"], found["lacking"]) == (0, True, [])
    assert found["gqlib"] == __version__
    assert found["python"].startswith(sys.version.split()[0])
    versions = {p["name"]: p["version"] for group in found["packages"].values() for p in group}
    assert versions["torch"] == importlib.metadata.version("torch")
    assert found["torch"]["devices"][-1] == "cpu"
    assert len(found["torch"]["devices"]) > torch.cuda.device_count()
    assert found["torch"]["threads"] == torch.get_num_threads()
    status, text = doctor()
    assert status == 0
    assert text.startswith(f"gqlib        {__version__}\n")
    for name, version in versions.items():
        assert f"\n  {name:12} {version}\n" in text
    assert text.endswith("\nEverything is there.\n")


def test_something_of_the_base_install_is_missing(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "safetensors", None)
    status, text = doctor()
    assert status == 1
    assert "\n  safetensors  missing (needed for reading .safetensors files)\n" in text
    assert text.endswith(f"\nThe base install is not whole: run {remedy()}\n")
    status, found = as_json(doctor("--json"))
    assert (status, found["whole"], found["lacking"]) == (1, False, [""])


def test_something_of_an_extra_is_missing(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nh3", None)
    monkeypatch.setitem(sys.modules, "distributed", None)
    status, text = doctor()
    assert status == 0
    assert "\n  nh3          missing (needed for pages of submissions that are safe" in text
    ends = [f'The extra "{e}" is not whole: run {remedy(e)}' for e in ("course", "cluster")]
    assert text.splitlines()[-2:] == ends


def test_without_torch_the_rest_is_still_said(home: Path) -> None:
    done = subprocess.run([sys.executable, "-c", BARE], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "")
    lines = done.stdout.splitlines()
    assert "  torch        missing (needed for metrics, models and training)" in lines
    assert "  torchvision  can't be imported: " in done.stdout
    assert {"devices      unknown", "threads      unknown"} <= {*lines}
    assert any(line.startswith("cache        0.0 MB in 0 files") for line in lines)
    assert any(line.startswith("  numpy        ") and "missing" not in line for line in lines)


def test_a_package_that_can_t_be_imported(
    doctor: Doctor, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = importlib.import_module
    said = f"{home}/my secret/lib/libtorch.so: cannot open shared object file"

    def broken(name: str, package: str | None = None) -> Any:
        if name == "scipy":
            raise OSError(said)
        return real(name, package)

    monkeypatch.setattr(importlib, "import_module", broken)
    status, text = doctor()
    assert status == 1
    assert "  scipy        can't be imported: OSError: " in text
    assert "libtorch.so: cannot open shared object file (needed for metrics)" in text


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("no such file: '/srv/my work/env/x.so'", "no such file: '…/x.so'"),
        ('Error loading "C:\\Users\\bob b\\torch\\c10.dll" or', 'Error loading "…/c10.dll" or'),
        ("/opt/bob/lib/x.so: not found", "…/x.so: not found"),
        ("bwrap: Can't bind mount /oldroot/a on /newroot/b: No", "bwrap: Can't bind mount …/a on"),
        ("two\nlines and/or more", "two lines and/or more"),
    ],
)
def test_paths_are_taken_out(home: Path, said: str, shown: str) -> None:
    assert command._anonymous(said).startswith(shown)
    assert "bob" not in command._anonymous(said)


def test_the_home_folder_is_taken_out_whole(home: Path) -> None:
    said = command._anonymous(OSError(f"{home} is full, {home}x is not"))
    assert said == f"OSError: ~ is full, …/{home.name}x is not"


def test_the_cache_is_measured(doctor: Doctor, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = home / ".cache" / "gqlib" / "features" / "deep"
    kept.mkdir(parents=True)
    (kept / "shard").write_bytes(b"x" * 1_500_000)
    (kept.parent.parent / "set").write_bytes(b"x" * 500_000)
    assert "cache        2.0 MB in 2 files, in ~/.cache/gqlib\n" in doctor()[1]
    _, found = as_json(doctor("--json"))
    assert found["cache"] == {"folders": ["~/.cache/gqlib"], "files": 2, "bytes": 2_000_000}

    monkeypatch.setenv("GQLIB_CACHE", str(home.parent / "secret"))
    (home.parent / "secret").mkdir()
    (home.parent / "secret" / "shard").write_bytes(b"xyz")
    _, found = as_json(doctor("--json"))
    assert found["cache"]["folders"] == ["~/.cache/gqlib", "$GQLIB_CACHE"]
    assert (found["cache"]["files"], found["cache"]["bytes"]) == (3, 2_000_003)

    monkeypatch.setenv("XDG_CACHE_HOME", str(home.parent))
    _, found = as_json(doctor("--json"))
    assert found["cache"]["folders"] == ["$XDG_CACHE_HOME/gqlib", "$GQLIB_CACHE"]


def test_a_folder_of_nobody_knows_whom(home: Path) -> None:
    assert command._shown(home.parent / "bob") == "a folder outside of ~"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the sandbox is for Linux")
@pytest.mark.parametrize(
    ("script", "sandbox"),
    [
        ("exit 0", {"starts": True, "reason": None}),
        (
            "echo first >&2; echo 'bwrap: setting up uid map: Permission denied' >&2; exit 1",
            {"starts": False, "reason": "bwrap: setting up uid map: Permission denied"},
        ),
        ("exit 3", {"starts": False, "reason": "bubblewrap ended with status 3"}),
    ],
)
def test_the_sandbox_starts_or_not(
    doctor: Doctor,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    script: str,
    sandbox: dict[str, Any],
) -> None:
    monkeypatch.setenv("PATH", fake_bubblewrap(tmp_path, script))
    assert as_json(doctor("--json"))[1]["sandbox"] == sandbox
    said = "starts" if sandbox["starts"] else sandbox["reason"]
    assert f"\nsandbox      {said}\n" in doctor()[1]


def test_without_bubblewrap_the_reason_says_what_to_do(
    doctor: Doctor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    status, text = doctor()
    assert status == 0
    assert "\nsandbox      the sandbox needs bubblewrap" in text
    assert "\ncommands     jupyter is not on the path, nbgrader is not on the path\n" in text
    for name in ("jupyter", "nbgrader"):
        (tmp_path / name).touch()
        (tmp_path / name).chmod(0o755)
    assert "\ncommands     jupyter is on the path, nbgrader is on the path\n" in doctor()[1]


def test_a_sandbox_that_hangs_is_given_up(
    doctor: Doctor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", fake_bubblewrap(tmp_path, "exec sleep 100"))
    monkeypatch.setattr(bubblewrap.sys, "platform", "linux")
    monkeypatch.setattr(command, "_SECONDS", 0.2)
    reason = "bubblewrap did not end within 0.2 seconds"
    assert as_json(doctor("--json"))[1]["sandbox"] == {"starts": False, "reason": reason}


@pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed")
def test_the_real_sandbox_starts(doctor: Doctor) -> None:
    assert as_json(doctor("--json"))[1]["sandbox"] == {"starts": True, "reason": None}


def test_help_has_a_description_and_an_example() -> None:
    commands = argparse.ArgumentParser(prog="gqlib").add_subparsers()
    command.add_parser(commands)
    text = commands.choices["doctor"].format_help()
    assert "no personal paths" in text
    assert "gqlib doctor --json > doctor.json" in text

from __future__ import annotations

import importlib.util
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gqlib import cli
from gqlib._utils.installing import remedy
from gqlib.cli import lab


class Started(Exception):
    """JupyterLab would have been started here."""


@pytest.fixture
def course(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two lessons and other files that students leave there."""
    names = ("02_second/02_second", "01_first/01_first-Copy1", "01_first/01_first")
    for name in (*names, "01_first/.ipynb_checkpoints/01_first-checkpoint", "00_notes/mine"):
        path = tmp_path / "lessons" / f"{name}.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def start(course: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """`gqlib lab` with flags: the command that it would become."""
    for name in ("PATH", "JUPYTER_CONFIG_PATH"):  # to be put back afterwards
        monkeypatch.setenv(name, os.environ.get(name, ""))

    def execv(program: str, command: list[str]) -> None:
        raise Started(program, command)

    monkeypatch.setattr(os, "execv", execv)

    def run(*flags: str) -> list[str]:
        with pytest.raises(Started) as started:
            cli.main(["lab", *flags])
        program, command = started.value.args
        assert program == command[0] == sys.executable
        return list(command)

    return run


@pytest.fixture
def busy() -> Iterator[int]:
    """A port that some other program listens on."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


def _settings(command: list[str]) -> dict[str, str]:
    return dict(flag.lstrip("-").split("=", 1) for flag in command[3:] if "=" in flag)


def test_it_opens_at_the_first_lesson(
    start: Callable[..., list[str]], course: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = start()
    assert command[1:3] == ["-m", "jupyterlab"]
    settings = _settings(command)
    assert settings["LabApp.default_url"] == "/lab/tree/lessons/01_first/01_first.ipynb"
    assert settings["ServerApp.root_dir"] == str(course)
    printed = capsys.readouterr()
    assert "Ctrl-C twice" in printed.out
    assert printed.err == ""


def test_other_flags_are_passed_on(start: Callable[..., list[str]]) -> None:
    flags = [
        "--no-browser",
        "--IdentityProvider.token=",
        "--browser",
        "firefox",
        "-y",
        "--help-all",
    ]
    assert start(*flags)[-len(flags) :] == flags


@pytest.mark.parametrize(
    ("flag", "dropped"),
    [
        ("--LabApp.default_url=/lab", {"LabApp.default_url"}),
        ("--notebook-dir=/", {"ServerApp.root_dir"}),
        ("--ServerApp.root_dir=/", {"ServerApp.root_dir"}),
        ("--debug", {"ServerApp.log_level", "LabApp.log_level"}),
        ("--log-level=INFO", {"ServerApp.log_level", "LabApp.log_level"}),
        ("--port=0", {"ServerApp.port"}),
        ("--ServerApp.port=0", {"ServerApp.port"}),
    ],
)
def test_a_flag_overrules_the_setting_of_the_course(
    start: Callable[..., list[str]], flag: str, dropped: set[str]
) -> None:
    usual, changed = _settings(start()), start(flag)
    assert changed[-1] == flag
    assert set(usual) - set(_settings(changed[:-1])) == dropped


def test_the_next_port_is_taken_where_the_usual_one_is_busy(
    start: Callable[..., list[str]],
    busy: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(lab, "_PORT", busy)
    port = int(_settings(start())["ServerApp.port"])
    assert busy < port < busy + 100
    said = capsys.readouterr().out
    assert f"Port {busy} is in use" in said
    assert f"opens on port {port}" in said


def test_the_usual_port_is_taken_where_it_is_free(
    start: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lab, "_free", lambda port: port == 8888)
    assert _settings(start())["ServerApp.port"] == "8888"


@pytest.mark.parametrize("flag", ["--port={}", "--ServerApp.port={}", "--port {}"])
def test_a_busy_port_that_was_asked_for_is_an_error(
    course: Path, busy: int, flag: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["lab", "--no-browser", *flag.format(busy).split()]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"gqlib lab: port {busy} is in use")
    assert "name another port" in said
    assert said.count("\n") == 1


def test_a_free_port_that_was_asked_for_is_left_to_jupyterlab(
    start: Callable[..., list[str]], busy: int
) -> None:
    command = start("--port", "0")
    assert command[-2:] == ["--port", "0"]
    assert "ServerApp.port" not in _settings(command)


def test_a_port_that_does_not_exist_is_an_error(
    course: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["lab", "--port=65536"]) == 2
    assert capsys.readouterr().err == (
        "gqlib lab: port 65536 does not exist: name one from 1 to 65535\n"
    )


def test_no_free_port_at_all_is_an_error(
    course: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(lab, "_free", lambda port: False)
    assert cli.main(["lab"]) == 2
    assert "ports 8888 to 8987 are in use: name a free one" in capsys.readouterr().err


def test_missing_lessons_are_said_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["lab"]) == 2
    assert capsys.readouterr().err == (
        f"gqlib lab: no lessons in {tmp_path}: run this command in the folder that holds lessons/\n"
    )


def test_a_missing_jupyterlab_is_said_in_one_sentence(
    course: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "jupyterlab" else find(name)
    )
    assert cli.main(["lab"]) == 2
    assert capsys.readouterr().err == (
        f"gqlib lab: JupyterLab is not installed: run {remedy('course')}\n"
    )


def test_an_unknown_command_exits_with_status_2() -> None:
    with pytest.raises(SystemExit) as left:
        cli.main(["nothing"])
    assert left.value.code == 2


@pytest.mark.parametrize("can_encrypt", [True, False])
def test_the_course_and_its_environment_come_first_and_others_stay(
    start: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch, can_encrypt: bool
) -> None:
    monkeypatch.setattr(lab, "_can_encrypt", lambda: can_encrypt)
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", "theirs")
    monkeypatch.setenv("PATH", "programs")
    start()
    *ours, last = os.environ["JUPYTER_CONFIG_PATH"].split(os.pathsep)
    assert last == "theirs"
    assert all(Path(folder).is_dir() for folder in ours)
    assert [Path(folder).name for folder in ours] == ["jupyter"] + ["encrypted"] * can_encrypt
    beside = str(Path(sys.executable).parent)
    assert os.environ["PATH"].split(os.pathsep) == [beside, "programs"]


def test_the_real_jupyterlab_knows_every_setting(course: Path) -> None:
    command = [sys.executable, "-m", "gqlib", "lab", "--show-config-json"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert "not recognized" not in run.stderr
    config = json.loads(run.stdout.partition("\n")[2])
    assert config["LabApp"]["default_url"].endswith("/01_first.ipynb")
    assert config["ServerApp"]["log_level"] == config["LabApp"]["log_level"] == "ERROR"
    encrypted = config.get("KernelManager", {}).get("transport_encryption") == "auto"
    assert encrypted == lab._can_encrypt()


def test_the_real_command_stops_at_a_busy_port(course: Path, busy: int) -> None:
    command = [sys.executable, "-m", "gqlib", "lab", "--no-browser", f"--port={busy}"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert run.returncode == 2
    assert run.stderr.count("\n") == 1
    assert run.stdout == ""


def test_help_is_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        cli.main(["lab", "--help"])
    assert stopped.value.code == 0
    said = capsys.readouterr().out
    assert "first lesson of the course" in said
    assert "python -m jupyterlab --help" in said

"""What all subcommands of ``gqlib`` have in common."""

from __future__ import annotations

import pytest

import gqlib
from gqlib import cli
from gqlib.features.inception import RESIZES

COMMANDS = [command.__name__.rpartition(".")[2] for command in cli._COMMANDS]


def help_of(*words: str) -> None:
    """Run ``gqlib … --help``."""
    with pytest.raises(SystemExit) as stopped:
        cli.main([*words, "--help"])
    assert stopped.value.code == 0


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_a_description_and_an_example(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    help_of(command)
    said = capsys.readouterr().out
    _, description, *_ = said.split("\n\n")
    assert len(description.split()) > 10
    assert f"\nexamples:\n  gqlib {command}" in said or f"\nexample:\n  gqlib {command}" in said
    assert "…" not in said, "choices are listed whole"


def test_the_list_of_commands(capsys: pytest.CaptureFixture[str]) -> None:
    help_of()
    said = capsys.readouterr().out
    assert all(f"\n    {command} " in said for command in COMMANDS)


def test_ways_of_resizing_are_listed_whole(capsys: pytest.CaptureFixture[str]) -> None:
    help_of("evaluate")
    said = " ".join(capsys.readouterr().out.split())
    assert all(mode in said for mode in RESIZES)


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        cli.main(["--version"])
    assert stopped.value.code == 0
    assert capsys.readouterr().out == f"gqlib {gqlib.__version__}\n"


@pytest.mark.parametrize("command", ["evaluate", "grade"])
def test_unknown_flags_are_an_error(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        cli.main(
            [command, "a", "b", "--whatever"] if command == "evaluate" else [command, "a", "-w"]
        )
    assert stopped.value.code == 2
    assert "unknown arguments: -" in capsys.readouterr().err

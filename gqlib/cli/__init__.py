"""The ``gqlib`` command: one module a subcommand, each with ``add_parser`` and ``run``."""

from __future__ import annotations

import argparse
import sys

from gqlib import __version__
from gqlib.cli import doctor, evaluate, grade, lab

_COMMANDS = (lab, evaluate, grade, doctor)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; the return value is the exit status (2 for bad input)."""
    parser = argparse.ArgumentParser(
        prog="gqlib", description="Measure generated data, and open the course about it."
    )
    parser.add_argument("--version", action="version", version=f"gqlib {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in _COMMANDS:
        command.add_parser(commands)
    given, rest = parser.parse_known_args(arguments)
    # Flags that `gqlib lab` does not know are JupyterLab's.
    if rest and given.command != "lab":
        commands.choices[given.command].error(f"unknown arguments: {' '.join(rest)}")
    given.rest = rest
    try:
        status: int = given.run(given)
    except (OSError, ValueError) as error:
        print(f"gqlib {given.command}: {error}", file=sys.stderr)
        return 2
    return status

"""The ``gqlib`` command: ``gqlib lab`` opens the course in JupyterLab."""

from __future__ import annotations

import argparse
import importlib.util
import os
import socket
import sys
from pathlib import Path

_PORT = 8888


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; the return value is the exit status (2 for bad input)."""
    parser = argparse.ArgumentParser(prog="gqlib", description=(__doc__ or "").strip())
    commands = parser.add_subparsers(dest="command", required=True)
    lab = commands.add_parser("lab", help="open JupyterLab at the course", add_help=False)
    lab.set_defaults(run=open_lab)
    given, rest = parser.parse_known_args(arguments)
    try:
        status: int = given.run(rest)
    except (OSError, ValueError) as error:
        print(f"gqlib {given.command}: {error}", file=sys.stderr)
        return 2
    return status


def open_lab(flags: list[str]) -> int:
    """Replace this process by JupyterLab, at the first lesson of the course in this folder.

    ``flags`` are JupyterLab's own. Where the usual port is taken, the next free one is used and a
    sentence says so; a port that was asked for and is taken is an error.
    """
    if importlib.util.find_spec("jupyterlab") is None:
        raise ValueError('JupyterLab is not installed: run `pip install "gqlib[course]"` first')
    course = Path.cwd()
    lessons = sorted((course / "lessons").glob("*/*.ipynb"))
    if not lessons:
        raise FileNotFoundError(
            f"no lessons in {course}: run this command in the folder that holds lessons/"
        )
    options = [*flags, *_port(flags)]
    first = lessons[0].relative_to(course).as_posix()
    command = [sys.executable, "-m", "jupyterlab", f"--LabApp.default_url=/lab/tree/{first}"]
    sys.stdout.flush()
    os.execv(sys.executable, [*command, *options])


def _port(flags: list[str]) -> list[str]:
    """The ``--port`` to add to ``flags``, after a look at which ports are free."""
    asked = [flag.partition("=")[2] for flag in flags if flag.startswith(("--port=", "-p="))]
    asked += [
        value
        for flag, value in zip(flags, flags[1:], strict=False)
        if flag in ("--port", "-p") and value.isdigit()
    ]
    if asked:
        if asked[-1].isdigit() and int(asked[-1]) and not _free(int(asked[-1])):
            raise ValueError(
                f"port {asked[-1]} is in use: close the program that uses it, or name another port"
            )
        return []
    if _free(_PORT):
        return [f"--port={_PORT}"]
    port = next((p for p in range(_PORT + 1, _PORT + 100) if _free(p)), 0)
    print(
        f"Port {_PORT} is in use, probably by a JupyterLab that is already open: this one opens on "
        f"port {port}. To go on in the other one instead, press Ctrl-C and open "
        f"http://localhost:{_PORT}/lab."
    )
    return [f"--port={port}"]


def _free(port: int) -> bool:
    with socket.socket() as probe:
        # As Jupyter's server does: a port in TIME_WAIT counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


if __name__ == "__main__":
    sys.exit(main())

"""``gqlib lab``: the course in JupyterLab."""

from __future__ import annotations

import argparse
import importlib.util
import itertools
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from gqlib._utils.installing import remedy
from gqlib._utils.search_paths import put_first, put_programs_first

_DESCRIPTION = """\
Open JupyterLab at the first lesson of the course in this folder, on the first free port from 8888
on. Any other flag is passed on to JupyterLab and overrules what is set here."""

_EPILOG = """\
examples:
  gqlib lab
  gqlib lab --no-browser --port=9000

All flags of JupyterLab: python -m jupyterlab --help"""

_PORT = 8888
# Configuration that Jupyter takes from files only. `labconfig`: the page does not ask about news or
# fetch them, and does not list the contents of an exchange folder, which the course does not have.
# `encrypted`: see `_can_encrypt`.
_JUPYTER = Path(__file__).parent / "jupyter"
# Other names of settings in flags.
_OTHER_NAMES = {
    "ServerApp.root_dir": ("notebook-dir",),
    "ServerApp.port": ("port",),
    "ServerApp.log_level": ("log-level", "debug"),
    "LabApp.log_level": ("log-level", "debug"),
}


def add_parser(commands: Any) -> None:
    """Add the command to the parser's commands."""
    commands.add_parser(
        "lab",
        help="open JupyterLab at the course",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        usage="gqlib lab [--help] [JUPYTERLAB FLAGS]",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    ).set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Open JupyterLab with its flags."""
    return open_lab(given.rest)


def open_lab(flags: list[str]) -> int:
    """Replace this process by JupyterLab, at the first lesson of the course in this folder.

    ``flags`` are JupyterLab's and overrule what is set here. If the usual port is taken, the next
    free one is used, and a sentence says so. If a port that was asked for is taken, that is an
    error. JupyterLab does not fetch news, and does not show its harmless warnings.

    Raises:
        ValueError: JupyterLab is missing, or no port is free.
        FileNotFoundError: There are no lessons in this folder.
    """
    if importlib.util.find_spec("jupyterlab") is None:
        raise ValueError(f"JupyterLab is not installed: run {remedy('course')}")
    course = Path.cwd()
    # A lesson has the name of its folder; a student's copies of it lie in the same folder.
    lessons = sorted(p for p in course.glob("lessons/*/*.ipynb") if p.stem == p.parent.name)
    if not lessons:
        raise FileNotFoundError(
            f"no lessons in {course}: run this command in the folder that holds lessons/"
        )
    settings = {
        "ServerApp.root_dir": str(course),
        "ServerApp.port": _port(flags),
        "ServerApp.log_level": "ERROR",
        "LabApp.log_level": "ERROR",
        "LabApp.extension_manager": "readonly",
        "LabApp.default_url": f"/lab/tree/{lessons[0].relative_to(course).as_posix()}",
    }
    given = {flag.lstrip("-").partition("=")[0] for flag in flags}
    # Jupyter refuses a setting that is given twice.
    options = [
        f"--{name}={value}"
        for name, value in settings.items()
        if given.isdisjoint({name, *_OTHER_NAMES.get(name, ())})
    ]
    command = [sys.executable, "-m", "jupyterlab", *options, *flags]
    if _can_encrypt():
        put_first("JUPYTER_CONFIG_PATH", _JUPYTER / "encrypted")
    put_first("JUPYTER_CONFIG_PATH", _JUPYTER)
    put_programs_first()
    print("JupyterLab is starting. To stop it, press Ctrl-C twice in this window.", flush=True)
    if os.name != "nt":
        os.execv(sys.executable, command)
    # On Windows execv would return the terminal while JupyterLab still runs in it.
    return subprocess.call(command)


def _can_encrypt() -> bool:
    """Whether this Jupyter can encrypt its messages to and from a kernel.

    In a version that can but does not, kernels print an alarming warning at every start.
    """
    import zmq
    from jupyter_client.manager import KernelManager

    return hasattr(KernelManager, "transport_encryption") and bool(zmq.has("curve"))


def _port(flags: list[str]) -> int:
    """The port that ``flags`` ask for, otherwise the first free one from the usual port on."""
    names = ("--port", "--ServerApp.port")
    asked = [flag.partition("=")[2] for flag in flags if flag.partition("=")[0] in names]
    asked += [value for flag, value in itertools.pairwise(flags) if flag in names]
    ports = [int(value) for value in asked if value.isdigit()]
    for port in ports:
        if not _free(port):
            raise ValueError(
                f"port {port} is in use or forbidden: close the program that uses it, or name "
                "another port"
            )
    if ports:
        return ports[0]
    free = next((port for port in range(_PORT, _PORT + 100) if _free(port)), None)
    if free is None:
        raise ValueError(
            f"ports {_PORT} to {_PORT + 99} are in use: name a free one, as in --port=9000"
        )
    if free != _PORT:
        print(
            f"Port {_PORT} is in use, probably by a JupyterLab that is already open: this one "
            f"opens on port {free}. To go on in the other one instead, press Ctrl-C and open "
            f"http://localhost:{_PORT}/lab."
        )
    return free


def _free(port: int) -> bool:
    """Whether a server could listen on ``port`` (0 asks for any, and is always free)."""
    with socket.socket() as probe:
        # As Jupyter's server does: a port in TIME_WAIT counts as free. Not so on Windows, where the
        # option would let two programs share one port.
        if os.name != "nt":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OverflowError:
            raise ValueError(f"port {port} does not exist: name one from 1 to 65535") from None
        except OSError:
            return False
    return True

"""The command line of the sandbox around the worker."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import gqlib

#: Where a Linux system keeps its programs and libraries.
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64")
#: Settings that fonts, time zones and the linker need; nothing about people or machines.
_SETTINGS = ("/etc/alternatives", "/etc/fonts", "/etc/ld.so.cache", "/etc/localtime")
#: Who there is and how names are found: files of the sandbox's own, for libraries that ask.
OWN_SETTINGS = ("passwd", "group", "hosts", "nsswitch.conf")
#: Where a submission may write. Not /tmp, where Python or the course may lie.
SCRATCH = "/scratch"
_INSTEAD = (
    "run students' code with all your rights (gqlib grade --no-sandbox; nbgrader with "
    "GQLIB_NO_SANDBOX=1 in its environment)"
)


class NoSandbox(RuntimeError):
    """There can be no sandbox here."""


def program() -> str:
    """Where ``bwrap`` is.

    Raises:
        NoSandbox: It is not there; the message says what to do.
    """
    if not sys.platform.startswith("linux"):
        raise NoSandbox(f"the sandbox needs bubblewrap, which is for Linux only: {_INSTEAD}")
    found = shutil.which("bwrap")
    if found is None:
        raise NoSandbox(
            "the sandbox needs bubblewrap: install it (on Debian and Ubuntu: sudo apt install "
            f"bubblewrap), or {_INSTEAD}"
        )
    return found


def command(arguments: list[str]) -> list[str]:
    """Run this Python with ``arguments`` in a sandbox.

    It sees the system, its own packages and ``gqlib``, all read-only, and an empty scratch folder;
    no home, no course, no network, and no environment but what is set here.

    Raises:
        NoSandbox: See :func:`program`.
    """
    line = [program(), "--unshare-all", "--die-with-parent", "--new-session", "--clearenv"]
    line += ["--uid", "65534", "--gid", "65534", "--hostname", "sandbox", "--chdir", SCRATCH]
    for path in map(Path, _SYSTEM):
        if path.is_symlink():
            line += ["--symlink", str(path.readlink()), str(path)]
        elif path.exists():
            line += ["--ro-bind", str(path), str(path)]
    for path in map(Path, _SETTINGS):
        line += ["--ro-bind-try", str(path), str(path)]
    for name in OWN_SETTINGS:
        line += ["--ro-bind", str(Path(__file__).with_name("etc") / name), f"/etc/{name}"]
    line += ["--tmpfs", SCRATCH]
    bound = packages()
    for path in bound:
        line += ["--ro-bind", str(path), str(path)]
    for folder in ("/tmp", "/var/tmp"):
        if not any(path.is_relative_to(folder) for path in bound):
            line += ["--symlink", SCRATCH, folder]
    # A submission mounts its own /proc, which the kernel allows only if a whole one is visible.
    line += [
        "--dev",
        "/dev",
        "--tmpfs",
        "/dev/shm",
        "--bind",
        "/proc",
        "/proc",
        "--remount-ro",
        "/dev",
        "--remount-ro",
        "/",
    ]
    for name, value in ENVIRONMENT.items():
        line += ["--setenv", name, value]
    return [*line, sys.executable, *arguments]


#: The environment of a submission.
ENVIRONMENT = {
    "HOME": SCRATCH,
    "LANG": "C.UTF-8",
    "LOGNAME": "nobody",
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    "MPLCONFIGDIR": f"{SCRATCH}/matplotlib",
    "NBGRADER_EXECUTION": "autograde",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "PATH": "/usr/bin:/bin",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONHASHSEED": "0",
    "SHELL": "/bin/sh",
    "TMPDIR": SCRATCH,
    "USER": "nobody",
}


def packages() -> list[Path]:
    """Where this Python and gqlib lie, outermost folders only."""
    wanted = {Path(sys.prefix), Path(sys.base_prefix), Path(gqlib.__file__).parent}
    wanted |= {path.resolve() for path in wanted}
    wanted = {path for path in wanted if not path.is_relative_to("/usr")}
    return sorted(p for p in wanted if not any(q != p and p.is_relative_to(q) for q in wanted))

"""How a fork of the worker isolates itself: its own namespaces, files and limits.

Linux only. Python's standard library has these calls only from 3.12 on, hence ``ctypes``.
"""

from __future__ import annotations

import ctypes
import os
import resource
from pathlib import Path

from gqlib.grading.sandbox import bubblewrap
from gqlib.grading.sandbox.limits import Limits

# <linux/sched.h>, <sys/mount.h>, <sys/prctl.h>, <linux/capability.h>
_NEWNS, _NEWIPC, _NEWUSER, _NEWPID = 0x20000, 0x08000000, 0x10000000, 0x20000000
_NOSUID, _NODEV, _NOEXEC, _REC, _PRIVATE = 2, 4, 8, 16384, 1 << 18
_PDEATHSIG, _DUMPABLE, _NO_NEW_PRIVS, _CAPBSET_DROP = 1, 4, 38, 24
_KILL, _LAST_CAPABILITY, _CAPABILITY_VERSION = 9, 63, 0x20080522

#: The one place that a submission may write to, and where it runs.
SCRATCH = Path(bubblewrap.SCRATCH)
WORK = SCRATCH / "work"

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def _mount(kind: str, where: str, flags: int, options: str = "") -> None:
    result = _libc.mount(kind.encode(), where.encode(), kind.encode(), flags, options.encode())
    _check(result, f"mounting {kind} on {where}")


def die_with_parent() -> None:
    """Ask the kernel to kill this process when its parent ends."""
    _check(_libc.prctl(_PDEATHSIG, _KILL, 0, 0, 0), "prctl")


def enter_namespaces() -> None:
    """Give the next child its own view of processes, mounts and shared memory."""
    user, group = os.getuid(), os.getgid()
    _check(_libc.unshare(_NEWUSER | _NEWNS | _NEWPID | _NEWIPC), "new namespaces")
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{group} {group} 1")


def mount_own_files(limits: Limits) -> None:
    """A scratch folder of limited size, and a /proc that shows this submission alone.

    Of what libraries left in the scratch folder as they were imported, the folders are there too,
    empty: a library makes its cache folder once, and writes to it later.
    """
    folders = [path for path in SCRATCH.rglob("*") if path.is_dir()]
    _check(_libc.mount(b"none", b"/", None, _REC | _PRIVATE, None), "private mounts")
    safe = _NOSUID | _NODEV
    _mount("tmpfs", str(SCRATCH), safe, f"size={limits.disk},nr_inodes=20000,mode=700")
    _mount("tmpfs", "/dev/shm", safe, f"size={limits.disk},nr_inodes=2000,mode=700")
    _mount("proc", "/proc", safe | _NOEXEC)
    for folder in sorted(folders):  # each after the one that it lies in
        folder.mkdir()
    WORK.mkdir()
    os.chdir(WORK)


def give_up_rights() -> None:
    """Drop all capabilities, and all ways to gain one by executing a program."""
    for capability in range(_LAST_CAPABILITY + 1):
        _libc.prctl(_CAPBSET_DROP, capability, 0, 0, 0)  # the last ones may not exist
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    _check(_libc.capset(header, (ctypes.c_uint32 * 6)()), "capset")
    _check(_libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl")
    # Its memory then can't be opened as a file, which would bypass all guards in Python.
    _check(_libc.prctl(_DUMPABLE, 0, 0, 0, 0), "prctl")


def limit(limits: Limits) -> None:
    """Limits of each process; those of all processes together are watched from outside."""
    held = _data_bytes()
    for name, value in (
        ("RLIMIT_DATA", held + limits.memory),
        ("RLIMIT_CPU", int(resource.getrusage(resource.RUSAGE_SELF).ru_utime) + limits.cpu_seconds),
        ("RLIMIT_NOFILE", limits.files),
        ("RLIMIT_FSIZE", limits.disk),
        ("RLIMIT_CORE", 0),
    ):
        kind = getattr(resource, name)
        hard = resource.getrlimit(kind)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (value, value))


def _data_bytes() -> int:
    """Bytes of data of this process: what RLIMIT_DATA counts."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmData:"):
            return 1024 * int(line.split()[1])
    return 0

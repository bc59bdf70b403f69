"""How many processes a submission has, and how much memory they use."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


def family(pid: int, enough: int) -> list[str]:
    """A process and its descendants; the search stops once there are more than ``enough``."""
    found = [str(pid)]
    for name in found:
        if len(found) > enough:
            break
        for path in Path(f"/proc/{name}/task").glob("*/children"):
            try:
                found += path.read_text().split()
            except OSError:  # it has ended meanwhile
                continue
    return found


def own_bytes(names: Sequence[str]) -> int:
    """Anonymous memory of these processes, in bytes; shared memory counts for each of them."""
    total = 0
    for name in names:
        try:
            _, resident, shared = Path(f"/proc/{name}/statm").read_text().split()[:3]
        except (OSError, ValueError):
            continue
        total += (int(resident) - int(shared)) * _PAGE
    return total


def seconds_waited(name: str) -> float:
    """For how long a process was ready to run while others ran."""
    try:
        return int(Path(f"/proc/{name}/schedstat").read_text().split()[1]) / 1e9
    except (OSError, ValueError, IndexError):  # it has ended, or this kernel does not count
        return 0.0

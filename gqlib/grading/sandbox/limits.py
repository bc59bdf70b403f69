"""What one submission may use."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 2**20


@dataclass(frozen=True)
class Limits:
    """What one submission may use.

    Attributes:
        cell_seconds: Wall-clock time of a cell.
        seconds: Wall-clock time of the submission.
        cpu_seconds: Processor time of each of its processes.
        memory: Bytes of data that each of its processes may hold, and all of them together.
        processes: Processes at a time, including its own.
        files: Open files of a process.
        disk: Bytes that it may write.
        output: Bytes of outputs of the whole submission.
    """

    cell_seconds: float = 60
    seconds: float = 600
    cpu_seconds: int = 600
    memory: int = 3072 * MIB
    processes: int = 64
    files: int = 512
    disk: int = 128 * MIB
    output: int = 16 * MIB

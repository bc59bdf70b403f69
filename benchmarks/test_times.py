"""Where the time of the tests goes: seconds of each folder or file, as a table in Markdown.

    python benchmarks/test_times.py                       # all that `make test` runs
    python benchmarks/test_times.py --files tests/metrics # by file, of one folder
    python benchmarks/test_times.py --read times.xml …    # of runs with --junitxml=times.xml

Seconds are those of one process, set-up and fixtures included, and add up to the duration of a run
with ``--numprocesses=0`` less what it takes to import and collect. Only on a quiet machine are they
to be compared. Runs that are read want ``-o junit_family=xunit1``, which tells each test's file.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import NamedTuple
from xml.etree import ElementTree

#: What `make test` gives to pytest.
DEFAULT = ["-m", "not whole", "--nbval-lax", "--nbval-current-env", "--nbval-cell-timeout=600"]
FOLDERS = ["solutions", "tests"]


class Share(NamedTuple):
    """What a folder or file takes."""

    tests: int = 0
    seconds: float = 0.0
    slowest: float = 0.0

    def with_test(self, seconds: float) -> Share:
        return Share(self.tests + 1, self.seconds + seconds, max(self.slowest, seconds))


def shares(reports: Iterable[Path], by_file: bool) -> dict[str, Share]:
    """By folder or by file, the longest first."""
    found: dict[str, Share] = defaultdict(Share)
    for report in reports:
        for case in ElementTree.parse(report).iter("testcase"):
            file = case.get("file")
            if file is None:
                raise SystemExit(
                    f"{report} does not tell the tests' files: run pytest with "
                    "-o junit_family=xunit1"
                )
            name = file if by_file else str(PurePosixPath(file).parent)
            found[name] = found[name].with_test(float(case.get("time", 0)))
    return dict(sorted(found.items(), key=lambda item: -item[1].seconds))


def table(found: dict[str, Share], kind: str) -> str:
    """As Markdown, with the sums in the last row."""
    total = Share(
        sum(share.tests for share in found.values()),
        sum(share.seconds for share in found.values()),
        max((share.slowest for share in found.values()), default=0.0),
    )
    lines = [f"| {kind} | tests | seconds | slowest test |", "| --- | ---: | ---: | ---: |"]
    for name, share in [*((f"`{name}`", share) for name, share in found.items()), ("all", total)]:
        lines.append(f"| {name} | {share.tests:,} | {share.seconds:,.0f} | {share.slowest:.1f} |")
    return "\n".join(lines)


def run(arguments: list[str], report: Path) -> int:
    """The tests in one process; pytest's exit status."""
    command = [sys.executable, "-m", "pytest", "-q", "-o", "junit_family=xunit1"]
    command += [f"--junitxml={report}", *arguments]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.run(command, env=environment, stdout=sys.stderr, check=False).returncode


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--files", action="store_true", help="a row for each file, not each folder")
    parser.add_argument(
        "--read", nargs="+", type=Path, metavar="XML", help="reports of earlier runs"
    )
    options, rest = parser.parse_known_args()
    kind = "file" if options.files else "folder"
    if options.read:
        print(table(shares(options.read, options.files), kind))
        return 0
    chosen = rest or [*DEFAULT, *FOLDERS]
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        status = run(chosen, report)
        if report.exists():
            print(table(shares([report], options.files), kind))
    return status


if __name__ == "__main__":
    raise SystemExit(main())

"""Generate ``lessons/`` from ``solutions/``: nbgrader's own Generate, without a gradebook.

python -m gqlib.grading.release [--output FOLDER]
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from gqlib._utils import atomic
from gqlib.grading.classroom import course_copy, nbgrader


def generate(root: Path, output: Path) -> list[Path]:
    """Write every lesson into ``output``, each file whole or not at all; returns the paths."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        written = []
        for name in course_copy(root, folder):
            nbgrader(folder, "generate_assignment", name, "--no-db")
            made = folder / "lessons" / name / f"{name}.ipynb"
            target = output / name / made.name
            target.parent.mkdir(parents=True, exist_ok=True)
            with atomic.replacing(target) as part:
                shutil.copyfile(made, part)
            written.append(target)
    return written


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--output", type=Path, default=Path("lessons"))
    for path in generate(Path.cwd(), parser.parse_args(arguments).output):
        print(f"generated {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Generate ``lessons/`` from ``solutions/``: nbgrader's own Generate, without a gradebook.

python -m gqlib.grading.release [--output FOLDER]
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path


def course_copy(root: Path, folder: Path, lessons: list[str] | None = None) -> list[str]:
    """Lay out a course in ``folder`` that nbgrader can work in; the names of its lessons.

    It holds copies of the configuration and of the solutions named (all by default), and no
    gradebook, so that nothing done there touches the course itself.
    """
    names = sorted(path.parent.name for path in (root / "solutions").glob("*/*.ipynb"))
    unknown = sorted(set(lessons or []) - set(names))
    if unknown:
        raise ValueError(f"no lesson {', '.join(unknown)}: expected some of {', '.join(names)}")
    chosen = lessons or names
    for name in ("nbgrader_config.py", "pyproject.toml"):
        shutil.copy(root / name, folder / name)
    for name in chosen:
        shutil.copytree(root / "solutions" / name, folder / "solutions" / name)
    return chosen


def nbgrader(folder: Path, *arguments: str, log: Path | None = None) -> None:
    """Run an nbgrader command in ``folder``.

    Raises:
        RuntimeError: It failed; the message ends with the last lines that it printed.
    """
    command = [sys.executable, "-m", "nbgrader", *arguments]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    printed = run.stdout + run.stderr
    if log is not None:
        with log.open("a", encoding="utf-8") as file:
            file.write(f"$ nbgrader {' '.join(arguments)}\n{printed}\n")
    if run.returncode:
        tail = "\n".join(printed.splitlines()[-15:])
        raise RuntimeError(f"nbgrader {arguments[0]} failed:\n{tail}")


def generate(root: Path, output: Path) -> list[Path]:
    """Write every lesson into ``output``, each file whole or not at all; the paths written."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        written = []
        for name in course_copy(root, folder):
            nbgrader(folder, "generate_assignment", name, "--no-db")
            made = folder / "lessons" / name / f"{name}.ipynb"
            target = output / name / made.name
            target.parent.mkdir(parents=True, exist_ok=True)
            part = target.with_suffix(".part")
            shutil.copyfile(made, part)
            part.replace(target)
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

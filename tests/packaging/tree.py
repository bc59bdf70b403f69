"""A copy of the project as a fresh clone has it, and commands run outside this environment."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]

#: pip builds with the setuptools at hand, and reaches no index, whatever this machine's settings.
OFFLINE = {
    "PIP_CONFIG_FILE": os.devnull,
    "PIP_NO_INDEX": "1",
    "PIP_NO_BUILD_ISOLATION": "0",  # pip reads this one the wrong way round: 0 is without
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
}


def copy_tree(target: Path) -> Path:
    """Copy what git tracks or would track; a build leaves nothing in the working tree then."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target / name)
    return target


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    """Run a command and return what it printed; a failure shows all of it."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command} failed:\n{done.stdout}\n{done.stderr}"
    return done.stdout


def git_repository(folder: Path) -> Path:
    """Make ``folder`` a git repository with one commit on ``main``."""
    identity = ["-c", "user.name=test", "-c", "user.email=test@example.org"]
    alone = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    run("git", "init", "-q", "-b", "main", cwd=folder, **alone)
    run("git", "add", ".", cwd=folder, **alone)
    run("git", *identity, "commit", "-q", "-m", "everything", cwd=folder, **alone)
    return folder


def requirements(*extras: str) -> list[Requirement]:
    """What pyproject.toml asks for: the base list, and those of the extras named."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lists = [project["dependencies"], *(project["optional-dependencies"][e] for e in extras)]
    return [Requirement(text) for requirements in lists for text in requirements]


def distributions(*asked: Requirement) -> list[metadata.Distribution]:
    """The installed distributions that these requirements bring with them, themselves included."""
    found: dict[str, metadata.Distribution] = {}
    done: set[tuple[str, str]] = set()
    todo = [(r.name, extra) for r in asked for extra in ("", *r.extras)]
    while todo:
        name, extra = todo.pop()
        key = re.sub("[-_.]+", "-", name).lower()
        if (key, extra) in done:
            continue
        done.add((key, extra))
        found[key] = metadata.distribution(name)
        for requirement in map(Requirement, found[key].requires or []):
            if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
                todo += [(requirement.name, e) for e in ("", *requirement.extras)]
    return list(found.values())


def base_environment(folder: Path, *more: str) -> Path:
    """A fresh virtual environment with the base install's libraries, but not gqlib; its Python.

    Besides, it holds what it takes to run a notebook and to install a package: a kernel, pip and
    setuptools; and the packages named as ``more``. It has no Jupyter, widgets, nbgrader or test
    tools. The libraries are links to those of this environment, in a folder beside the new one, so
    that pip never removes them.
    """
    needed = [*requirements(), *map(Requirement, ("ipykernel", "pip", "setuptools", *more))]
    libraries = folder / "libraries"
    libraries.mkdir()
    for distribution in distributions(*needed):
        for part in {file.parts[0] for file in distribution.files or []} - {"..", "__pycache__"}:
            if not (libraries / part).exists():
                (libraries / part).symlink_to(Path(str(distribution.locate_file(part))))
    run(sys.executable, "-m", "venv", "--without-pip", folder / "venv", cwd=folder)
    python = folder / "venv" / "bin" / "python"
    (site_packages(python) / "libraries.pth").write_text(f"{libraries}\n", encoding="utf-8")
    return python


def site_packages(python: Path) -> Path:
    program = "import sysconfig; print(sysconfig.get_paths()['purelib'])"
    return Path(run(python, "-c", program, cwd=python.parent).strip())


def newer_wheels(folder: Path, *names: str) -> Path:
    """A folder in which pip finds version 9999 of each package: a trap for needless upgrades."""
    for name in names:
        stem = f"{name}-9999"
        with zipfile.ZipFile(folder / f"{stem}-py3-none-any.whl", "w") as wheel:
            wheel.writestr(f"{name}/__init__.py", "__version__ = '9999'\n")
            wheel.writestr(
                f"{stem}.dist-info/METADATA",
                f"Metadata-Version: 2.1\nName: {name}\nVersion: 9999\n",
            )
            wheel.writestr(
                f"{stem}.dist-info/WHEEL",
                "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            )
            wheel.writestr(f"{stem}.dist-info/RECORD", "")
    return folder

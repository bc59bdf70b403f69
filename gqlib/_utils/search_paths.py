"""Lists of folders in environment variables, in which programs and configuration are looked for."""

from __future__ import annotations

import os
import sys
from collections.abc import MutableMapping
from pathlib import Path


def put_first(
    variable: str, folder: Path, environment: MutableMapping[str, str] = os.environ
) -> None:
    """Put a folder in front of a variable's list of them."""
    folders = [str(folder), environment.get(variable, "")]
    environment[variable] = os.pathsep.join(filter(None, folders))


def put_programs_first(environment: MutableMapping[str, str] = os.environ) -> None:
    """Put this Python's bin folder first on PATH, so that it need not be activated.

    nbgrader runs ``alembic`` by its name, and the formgrader runs ``nbgrader``.
    """
    put_first("PATH", Path(sys.executable).parent, environment)

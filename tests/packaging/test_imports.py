"""`import gqlib` and `import gqlib.metrics` stay light."""

from __future__ import annotations

import subprocess
import sys

import pytest

#: Loaded only when used.
HEAVY = ("jinja2", "matplotlib", "torchvision", "nbgrader", "pandas", "IPython", "PIL")

TIMED = """
import time, torch
start = time.perf_counter()
import {module}
print(time.perf_counter() - start)
"""


def python(program: str) -> str:
    command = [sys.executable, "-c", program]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("module", ["gqlib", "gqlib.metrics", "gqlib.data", "gqlib.course"])
def test_nothing_heavy_is_loaded(module: str) -> None:
    loaded = python(f"import sys, {module}; print(*sys.modules)").split()
    assert not set(HEAVY) & set(loaded)
    if module == "gqlib":
        assert "torch" not in loaded


@pytest.mark.parametrize("module", ["gqlib", "gqlib.metrics"])
@pytest.mark.slow
def test_a_tenth_of_a_second_beyond_torch(module: str) -> None:
    # The best of a few, since the machine may be busy with something else.
    assert min(float(python(TIMED.format(module=module))) for _ in range(4)) < 0.1

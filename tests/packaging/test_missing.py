"""Without matplotlib or torchvision, which are extras, one sentence says what to do."""

from __future__ import annotations

import subprocess
import sys

import pytest

from gqlib._utils.installing import missing, remedy

HIDDEN = """
import sys
sys.modules[{hidden!r}] = None  # as if it were not installed
try:
    {use}
except ModuleNotFoundError as error:
    assert error.name == {hidden!r}, error.name
    assert error.__cause__ is None and error.__suppress_context__
    print(error)
"""


@pytest.mark.parametrize(
    ("hidden", "use", "what"),
    [
        ("matplotlib", "from gqlib.course import plots", "gqlib.course.plots"),
        ("cycler", "from gqlib.course import plots", "gqlib.course.plots"),
        ("torchvision", "import gqlib.data; gqlib.data.load('cifar10')", "cifar10"),
        ("torchvision", "import gqlib.data; gqlib.data.load('fashion_mnist')", "fashion_mnist"),
    ],
)
def test_one_sentence(hidden: str, use: str, what: str) -> None:
    program = HIDDEN.format(hidden=hidden, use=use)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stderr == ""
    wanted = f"{what} needs {hidden}, which is not installed: run {remedy('course')}\n"
    assert done.stdout == wanted


def test_the_remedy_names_the_extra_or_none() -> None:
    address = "git+https://github.com/gqlib/gqlib"
    assert remedy("course") == (
        f'`pip install "generative-quality[course] @ {address}"` '
        '(in a clone: `pip install --editable ".[course]"`)'
    )
    assert remedy() == (
        f'`pip install "generative-quality @ {address}"` (in a clone: `pip install --editable .`)'
    )
    error = missing(ModuleNotFoundError("No module named 'x'", name="x"), "y", "course")
    assert (error.name, str(error)[:22]) == ("x", "y needs x, which is no")

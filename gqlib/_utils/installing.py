"""How to install what is missing, in the words that every message uses.

The distribution is called ``generative-quality``: on PyPI the name ``gqlib`` is somebody else's.
"""

from __future__ import annotations

DISTRIBUTION = "generative-quality"
#: Where pip finds it; the same repository as ``[tool.gqlib]`` in pyproject.toml names.
SOURCE = "git+https://github.com/gqlib/gqlib"


def remedy(extra: str = "") -> str:
    """The commands that install the library with ``extra``, to follow the word "run"."""
    part, clone = (f"[{extra}]", f'".[{extra}]"') if extra else ("", ".")
    return (
        f'`pip install "{DISTRIBUTION}{part} @ {SOURCE}"` '
        f"(in a clone: `pip install --editable {clone}`)"
    )


def missing(error: ModuleNotFoundError, what: str, extra: str) -> ModuleNotFoundError:
    """``error`` again, in one sentence: ``what`` needs the module, and ``extra`` has it."""
    return ModuleNotFoundError(
        f"{what} needs {error.name}, which is not installed: run {remedy(extra)}", name=error.name
    )

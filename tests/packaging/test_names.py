"""Nothing tells anybody to install gqlib by that name, which is somebody else's on PyPI."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from gqlib._utils import installing
from tests.packaging.tree import ROOT, requirements

#: This file has to name what it forbids.
HERE = Path(__file__).resolve()
#: What installs, its options, and the bare name; an address or a path goes on with a slash.
INSTALLS = re.compile(
    r"\b(?:pip3?|pipx|uv(?: pip)?|conda|mamba) (?:install|add)(?: -\S+)* gqlib(?![\w/-]|\.\w)"
)
#: An extra is asked for, or the page of the stranger's distribution.
NAMED = re.compile(r"\bgqlib\[[a-z]|pypi\.org/project/gqlib\b")


def forbidden(text: str) -> list[str]:
    """Where ``text`` installs gqlib by that name, also across quotes and ends of lines."""
    flat = re.sub(r"[\s\"'`\\]+", " ", text)
    return [match[0] for pattern in (INSTALLS, NAMED) for match in pattern.finditer(flat)]


def sources(path: Path) -> str:
    """The text of a file; of a notebook what was written, not what was printed."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".ipynb":
        return text
    return "\n".join("".join(cell["source"]) for cell in json.loads(text)["cells"])


def texts() -> dict[str, str]:
    """All tracked files that are text."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    found = {}
    for name in filter(None, listed.stdout.split("\0")):
        path = ROOT / name
        if path.is_file() and path != HERE and b"\0" not in path.read_bytes()[:8192]:
            found[name] = sources(path)
    return found


@pytest.mark.parametrize(
    "text",
    [
        "pip install gqlib",
        "run `pip install 'gqlib[course]'` first",
        'print("run `pip install "\n    "gqlib` first")',
        "python -m pip install --quiet --upgrade gqlib==0.1.0",
        "%pip install -q gqlib.",
        "uv pip install gqlib",
        "needs gqlib[cluster]",
        "https://pypi.org/project/gqlib/",
    ],
)
def test_what_is_forbidden_is_found(text: str) -> None:
    assert forbidden(text)


@pytest.mark.parametrize(
    "text",
    [
        installing.remedy("course"),
        "pip install --force-reinstall --no-deps git+https://github.com/gqlib/gqlib@main",
        "pip install gqlib/",
        "install gqlib again, as its README says",
    ],
)
def test_what_is_allowed_is_not_found(text: str) -> None:
    assert not forbidden(text)


def test_no_text_installs_by_the_import_s_name() -> None:
    read = texts()
    assert {"README.md", "docs/grading.md", "pyproject.toml"} <= read.keys()
    assert any(name.endswith(".ipynb") for name in read)
    assert {name: forbidden(text) for name, text in read.items() if forbidden(text)} == {}


def test_the_distribution_and_its_address_are_those_of_the_project() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert settings["project"]["name"] == installing.DISTRIBUTION
    repository = settings["tool"]["gqlib"]["repository"]
    assert f"git+{repository}" == installing.SOURCE
    extras = settings["project"]["optional-dependencies"]
    own = [r for extra in extras for r in requirements(extra) if r.name == installing.DISTRIBUTION]
    assert own
    assert {extra for requirement in own for extra in requirement.extras} <= extras.keys()
    # Every command in a text names an extra that exists.
    pattern = rf"{installing.DISTRIBUTION}\[([a-z,]+)\]|--editable \W*\.\[([a-z,]+)\]"
    for name, text in texts().items():
        for asked in re.findall(pattern, text):
            assert set("".join(asked).split(",")) <= extras.keys(), name

"""environment.yml gives conda users the packages of the one list in pyproject.toml."""

from __future__ import annotations

import re
import tomllib

from tests.packaging.tree import ROOT

#: What conda-forge calls a package of another name on PyPI.
CONDA = {"torch": "pytorch", "matplotlib": "matplotlib-base"}


def test_same_packages_and_lower_bounds() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = {f"python{project['requires-python']}"}
    for requirement in project["dependencies"] + project["optional-dependencies"]["course"]:
        name, bound = re.split("(?=>=)", requirement)
        wanted.add(CONDA.get(name, name) + bound)
    text = (ROOT / "environment.yml").read_text(encoding="utf-8")
    listed = re.findall(r"^  - (\S+)$", text.partition("dependencies:")[2], re.MULTILINE)
    assert set(listed) - {"pip", "pip:"} == wanted
    assert "      - --editable ." in text


def test_no_upper_bounds() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"].values()
    every = [*project["dependencies"], *(name for extra in extras for name in extra)]
    assert not [
        requirement
        for requirement in every
        if re.search("[<=~]=?[0-9]", requirement[1:]) and ">=" not in requirement
    ]

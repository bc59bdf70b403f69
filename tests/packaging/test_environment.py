"""environment.yml gives conda users the packages of the one list in pyproject.toml."""

from __future__ import annotations

import re
import tomllib

from packaging.requirements import Requirement

from gqlib._utils.installing import DISTRIBUTION
from tests.packaging.tree import ROOT, requirements

#: What conda-forge calls a package of another name on PyPI.
CONDA = {"torch": "pytorch", "matplotlib": "matplotlib-base"}


def test_same_packages_and_lower_bounds() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [f"python{project['requires-python']}", "pip"]
    wanted += [f"{CONDA.get(r.name, r.name)}{r.specifier}" for r in requirements("course")]
    text = (ROOT / "environment.yml").read_text(encoding="utf-8")
    conda, _, pip = text.partition("\ndependencies:\n")[2].partition("  - pip:\n")
    listed = re.findall(r"^  - (\S+)$", conda, re.MULTILINE)
    assert sorted(listed) == sorted(wanted), "as often as wanted, and nothing else"
    assert conda.count("- ") == len(listed), "every line was read"
    # The library itself, for which pip then finds every package in place.
    assert pip.split() == ["-", "--editable", "."]


def test_every_requirement_has_a_lower_bound_and_no_upper_one() -> None:
    """An exact pin breaks Colab a year later."""
    for requirement in requirements("course", "dev"):
        operators = [specifier.operator for specifier in requirement.specifier]
        assert operators == ([] if requirement.name == DISTRIBUTION else [">="]), str(requirement)


def test_the_packages_of_colab_are_allowed() -> None:
    asked = {r.name: r.specifier for r in requirements("course")}
    path = ROOT / "tests" / "packaging" / "colab-constraints.txt"
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line[0] != "#"]
    for constraint in map(Requirement, lines):
        ((operator, version),) = [(s.operator, s.version) for s in constraint.specifier]
        assert operator == "=="
        assert version in asked[constraint.name], str(constraint)

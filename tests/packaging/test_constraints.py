"""constraints.txt pins each direct dependency, within the ranges of pyproject.toml."""

from __future__ import annotations

from packaging.requirements import Requirement
from packaging.version import Version

from gqlib._utils.installing import DISTRIBUTION
from tests.packaging.tree import ROOT, requirements

LINES = [
    line
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    if not line.startswith("#")
]


def asked() -> list[Requirement]:
    found = requirements("course", "cluster", "dev")
    return [requirement for requirement in found if requirement.name != DISTRIBUTION]


def test_each_line_is_one_public_version() -> None:
    names = [line.partition("==")[0] for line in LINES]
    assert names == sorted(set(names))
    for line in LINES:
        (pin,) = Requirement(line).specifier
        assert pin.operator == "=="
        assert Version(pin.version).local is None, "a build for one kind of machine"
        assert not Version(pin.version).is_prerelease


def test_each_line_satisfies_the_ranges_and_none_is_missing() -> None:
    pinned = {Requirement(line).name: next(iter(Requirement(line).specifier)) for line in LINES}
    assert pinned.keys() == {requirement.name for requirement in asked()}
    for requirement in asked():
        assert requirement.specifier.contains(pinned[requirement.name].version), str(requirement)

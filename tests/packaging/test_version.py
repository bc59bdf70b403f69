"""The version stands in one place, and what repeats it agrees."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib

from gqlib import __version__
from tests.packaging.tree import ROOT

#: Reads the version as a build does, where torch and NumPy can't be imported.
READ = """
import sys
for name in ("torch", "numpy"):
    sys.modules[name] = None
from setuptools.config.pyprojecttoml import read_configuration
project = read_configuration("pyproject.toml", ignore_option_errors=False)["project"]
assert "gqlib" not in sys.modules
print(project["version"])
"""


def test_a_build_reads_it_without_importing_the_package() -> None:
    command = [sys.executable, "-W", "ignore", "-c", READ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [__version__]


def test_it_is_written_once() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert "version" not in project
    assert project["dynamic"] == ["version"]


def test_citation_and_changelog_agree() -> None:
    """A version that is not released has no date in either; a released one has one date."""
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    cited = re.findall(r"^version: (\S+)$", citation, re.MULTILINE)
    date = re.findall(r"^date-released: (\S+)$", citation, re.MULTILINE)
    newest, released = re.findall(r"^## \[(\S+)\] - (\S+)$", changelog, re.MULTILINE)[0]
    assert cited == [__version__]
    assert newest == __version__
    assert date == ([] if released == "unreleased" else [released])


def test_the_changelog_s_versions_fall_and_have_dates() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    heads = re.findall(r"^## .*$", changelog, re.MULTILINE)
    found = [re.fullmatch(r"## \[(\d+)\.(\d+)\.(\d+)\] - (\S+)", head) for head in heads]
    assert all(found), heads
    versions = [tuple(map(int, match.groups()[:3])) for match in found if match]
    assert versions == sorted(set(versions), reverse=True)
    dates = [match[4] for match in found if match]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\d", date) for date in dates[1:])
    assert re.fullmatch(r"unreleased|\d{4}-\d\d-\d\d", dates[0])

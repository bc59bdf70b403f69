"""The wheel holds what a user needs and nothing else, and works where it is installed."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from email import message_from_string
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from gqlib import __version__
from gqlib._utils.installing import DISTRIBUTION, remedy
from gqlib.grading.sandbox import bubblewrap
from tests.packaging.tree import OFFLINE, ROOT, base_environment, copy_tree, requirements, run

MNIST = [
    f"{part}-{kind}-ubyte.gz"
    for part in ("train", "t10k")
    for kind in ("images-idx3", "labels-idx1")
]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    source = copy_tree(tmp_path_factory.mktemp("source"))
    target = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--wheel-dir", target, "."]
    run(*command, cwd=source, **OFFLINE)
    (made,) = target.glob("*.whl")
    return made


def read(wheel: Path, ending: str) -> str:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(ending)]
        return archive.read(name).decode()


def test_contents(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    wanted = {f"gqlib/data/mnist/{name}" for name in (*MNIST, "LICENSE")}
    wanted |= {f"gqlib/grading/sandbox/etc/{name}" for name in bubblewrap.OWN_SETTINGS}
    wanted |= {"gqlib/features/digits.npz", "gqlib/py.typed", "gqlib/__init__.py"}
    assert wanted <= names
    assert any(name.startswith("gqlib/cli/jupyter/") and name.endswith(".json") for name in names)
    # Whatever a page is made of.
    pages = [*ROOT.glob("gqlib/**/*.html"), *ROOT.glob("gqlib/**/*.css")]
    assert {path.name for path in pages} >= {"report.css", "page.html", "summary.html"}
    assert {path.relative_to(ROOT).as_posix() for path in pages} <= names
    rooms = {name.split("/")[0] for name in names}
    assert {room for room in rooms if not room.endswith(".dist-info")} == {"gqlib"}
    # No tests, no notebooks, nothing that a build or a run left behind.
    kinds = {Path(name).suffix for name in names if name.startswith("gqlib/")}
    assert kinds == {".py", ".typed", ".gz", ".npz", ".json", ".html", ".css", ".conf", ""}
    assert not [name for name in names if "test_" in name]
    # MNIST takes 11 MB and the samples 1 MB; 14 MB are quickly downloaded.
    assert 11e6 < wheel.stat().st_size < 14e6


def test_licences(wheel: Path) -> None:
    assert "MIT License" in read(wheel, ".dist-info/licenses/LICENSE")
    assert "CC BY-SA 3.0" in read(wheel, ".dist-info/licenses/gqlib/data/mnist/LICENSE")
    assert "gqlib/features/digits.npz" in read(wheel, ".dist-info/licenses/THIRD_PARTY.md")


def test_metadata(wheel: Path) -> None:
    fields = message_from_string(read(wheel, ".dist-info/METADATA"))
    asked = [Requirement(text) for text in fields.get_all("Requires-Dist", [])]
    base = sorted(str(r) for r in asked if "extra ==" not in str(r))
    assert base == sorted(map(str, requirements()))
    assert fields["Name"] == DISTRIBUTION
    assert fields["Version"] == __version__
    assert fields["License-Expression"] == "MIT AND CC-BY-SA-3.0"
    assert set(fields.get_all("Provides-Extra", [])) == {"bench", "cluster", "course", "dev"}
    assert "gqlib = gqlib.cli:main" in read(wheel, ".dist-info/entry_points.txt")


@pytest.mark.slow
def test_installed_wheel_works(wheel: Path, tmp_path: Path) -> None:
    """In an environment with the base install's libraries only, which pip finds complete."""
    python = base_environment(tmp_path)
    run(python, "-m", "pip", "install", "--quiet", wheel, cwd=tmp_path, **OFFLINE)
    program = (
        "import gqlib, pathlib, sys\n"
        "from gqlib import data, features, metrics\n"
        "assert pathlib.Path(gqlib.__file__).is_relative_to(sys.prefix), gqlib.__file__\n"
        "images = data.load('mnist', 'test').images[:100]\n"
        "x = features.digit_features(images)\n"
        "print(tuple(x.shape))\n"
        "from gqlib.evaluation import Report\n"
        "report = Report(evaluation=metrics.evaluate(x[:50], x[50:]), real='a', fake='b')\n"
        "assert '<h1>Quality report</h1>' in report.html()"
    )
    assert run(python, "-c", program, cwd=tmp_path).strip() == "(100, 64)"
    command = python.with_name("gqlib")
    assert "lab" in run(command, "--help", cwd=tmp_path)
    lab = subprocess.run(
        [command, "lab"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert lab.returncode == 2
    assert f"JupyterLab is not installed: run {remedy('course')}" in lab.stderr

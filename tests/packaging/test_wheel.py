"""The wheel holds what a user needs and nothing else, and works where it is installed."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

import pytest

from tests.packaging.tree import copy_tree, run


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    source = copy_tree(tmp_path_factory.mktemp("source"))
    target = tmp_path_factory.mktemp("wheel")
    build = ["--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(target)]
    run(sys.executable, "-m", "pip", "wheel", *build, ".", cwd=source)
    (made,) = target.glob("*.whl")
    return made


def test_contents(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    mnist = {f"{part}-{kind}" for part in ("train", "t10k") for kind in ("images", "labels")}
    for stem in mnist:
        assert any(name.startswith(f"gqlib/data/mnist/{stem}") for name in names), stem
    for name in ("gqlib/data/mnist/LICENSE", "gqlib/features/digits.npz", "gqlib/py.typed"):
        assert name in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert any(name.startswith("gqlib/jupyter/") and name.endswith(".json") for name in names)
    rooms = {name.split("/")[0] for name in names}
    assert {room for room in rooms if not room.endswith(".dist-info")} == {"gqlib"}
    assert not [name for name in names if "test" in name.lower() or name.endswith(".ipynb")]
    assert wheel.stat().st_size < 13e6


def test_metadata(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [n for n in archive.namelist() if n.endswith("METADATA")]
        metadata = archive.read(name).decode()
    base = [
        line.removeprefix("Requires-Dist: ").split(">")[0]
        for line in metadata.splitlines()
        if line.startswith("Requires-Dist") and "extra ==" not in line
    ]
    assert sorted(base) == ["matplotlib", "numpy", "scipy", "torch", "torchvision", "tqdm"]
    assert "License-Expression: MIT" in metadata
    assert "<" not in "".join(line for line in metadata.splitlines() if "Requires" in line)


def test_installed_wheel_works(wheel: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    options = ["--quiet", "--no-deps", "--no-index", "--target", str(site)]
    run(sys.executable, "-m", "pip", "install", *options, wheel, cwd=tmp_path)
    program = (
        "import gqlib, pathlib\n"
        "from gqlib import data, features\n"
        f"assert pathlib.Path(gqlib.__file__).is_relative_to({str(site)!r}), gqlib.__file__\n"
        "images = data.load('mnist', 'test').images[:100]\n"
        "print(tuple(features.digit_features(images).shape))"
    )
    printed = run(sys.executable, "-c", program, cwd=tmp_path, PYTHONPATH=str(site))
    assert printed.strip() == "(100, 64)"
    usage = run(sys.executable, "-m", "gqlib.cli", "--help", cwd=tmp_path, PYTHONPATH=str(site))
    assert "lab" in usage
    assert (site / "bin" / "gqlib").exists()

"""Colab, one click, without the network: a lesson's own set-up cell in a fresh environment."""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
import textwrap
from pathlib import Path

import nbformat
import pytest
from jupyter_client.kernelspec import KernelSpecManager
from nbclient import NotebookClient

from gqlib.grading.submissions import answers_of, filled
from tests.notebooks.test_soundness import LESSONS
from tests.packaging.tree import ROOT, copy_tree, git_repository, run

pytestmark = pytest.mark.slow

#: What must be Colab's own before and after.
KEPT = ("torch", "numpy", "scipy", "torchvision", "matplotlib")
VERSIONS = f"""
import importlib, json
modules = {{name: importlib.import_module(name) for name in {KEPT!r}}}
print(json.dumps({{n: [m.__version__, m.__file__] for n, m in modules.items()}}))
"""


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = git_repository(copy_tree(tmp_path_factory.mktemp("published")))
    return f"git+file://{folder}@main"


def environment(folder: Path, colab: bool) -> Path:
    """A virtual environment with everything this one has but gqlib; the path of its Python."""
    run(sys.executable, "-m", "venv", "--without-pip", folder / "venv", cwd=folder)
    python = folder / "venv" / "bin" / "python"
    others = folder / "others"
    others.mkdir()
    for entry in Path(sysconfig.get_paths()["purelib"]).iterdir():
        if "gqlib" not in entry.name and entry.name not in ("nbgrader", "__pycache__"):
            (others / entry.name).symlink_to(entry)
    if colab:
        (others / "google").mkdir(exist_ok=True)
        (others / "google" / "colab.py").touch()
    site = run(
        python, "-c", "import sysconfig; print(sysconfig.get_paths()['purelib'])", cwd=folder
    )
    (Path(site.strip()) / "others.pth").write_text(f"{others}\n", encoding="utf-8")
    return python


def offline(repository: str) -> dict[str, str]:
    """Where the package comes from, and pip kept from the network and from building elsewhere."""
    return {"GQLIB_SOURCE": repository, "PIP_NO_INDEX": "1", "PIP_NO_BUILD_ISOLATION": "0"}


def set_up_cell(lesson: str) -> str:
    nb = nbformat.read(ROOT / "lessons" / lesson / f"{lesson}.ipynb", as_version=4)
    (source,) = [c.source for c in nb.cells if "set-up" in c.metadata.get("tags", [])]
    return str(source)


def versions(python: Path, folder: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = json.loads(run(python, "-c", VERSIONS, cwd=folder))
    return found


@pytest.mark.parametrize(
    "lesson",
    [LESSONS[0], *(pytest.param(name, marks=pytest.mark.whole) for name in LESSONS[1:])],
)
def test_lesson_runs_on_a_fresh_colab(
    lesson: str, repository: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = environment(tmp_path, colab=True)
    before = versions(python, tmp_path)
    probe = [python, "-c", "import gqlib"]
    missing = subprocess.run(probe, cwd=tmp_path, capture_output=True, check=False)
    assert missing.returncode, "the environment has no gqlib of its own"
    spec = tmp_path / "kernels" / "colab"
    spec.mkdir(parents=True)
    argv = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    text = json.dumps({"argv": argv, "display_name": "Colab", "language": "python"})
    (spec / "kernel.json").write_text(text, encoding="utf-8")
    for name, value in offline(repository).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(KernelSpecManager, "kernel_dirs", [str(spec.parent)])
    nb = nbformat.read(ROOT / "lessons" / lesson / f"{lesson}.ipynb", as_version=4)
    solution = nbformat.read(ROOT / "solutions" / lesson / f"{lesson}.ipynb", as_version=4)
    nb = filled(nb, answers_of(solution))
    nb.metadata.kernelspec.name = "colab"
    client = NotebookClient(
        nb, timeout=600, kernel_name="colab", resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute()  # raises at the first error in a cell
    after = versions(python, tmp_path)
    assert after == before, "Colab's own libraries stay as they were"
    where = run(python, "-c", "import gqlib; print(gqlib.__file__)", cwd=tmp_path)
    assert where.startswith(str(tmp_path / "venv")), "gqlib came from the repository"


def test_without_the_package_and_without_colab_one_sentence_says_what_to_do(
    tmp_path: Path,
) -> None:
    python = environment(tmp_path, colab=False)
    program = textwrap.dedent(set_up_cell(LESSONS[0]))
    done = subprocess.run(
        [python, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("ModuleNotFoundError: gqlib is not installed in this kernel: run `make")
    assert "During handling" not in done.stderr

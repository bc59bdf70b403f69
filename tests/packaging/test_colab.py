"""Colab, one click, without the network: a lesson's own set-up cell in a fresh environment.

That the badge and the address in the set-up cell follow `[tool.gqlib]` is tested with the release.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import nbformat
import pytest
from jupyter_client.kernelspec import KernelSpecManager
from nbclient import NotebookClient
from nbformat import NotebookNode

from gqlib._utils.installing import DISTRIBUTION
from gqlib.grading.submissions import answers_of, filled
from tests.notebooks.test_soundness import LESSONS
from tests.packaging.tree import (
    OFFLINE,
    ROOT,
    base_environment,
    copy_tree,
    git_repository,
    newer_wheels,
    requirements,
    run,
    site_packages,
)

pytestmark = pytest.mark.slow

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
#: What a package is imported as, where that is another name.
MODULES = {"pillow": "PIL"}
#: Colab's own that lessons use besides the base install's.
COLAB = ("matplotlib", "torchvision")
#: All of Colab's own, which stay as they are.
KEPT = sorted(MODULES.get(name, name) for name in (*(r.name for r in requirements()), *COLAB))
#: Where each of them is imported from, and the version and place of everything installed.
STATE = f"""
import importlib.metadata, importlib.util, json
state = {{name: importlib.util.find_spec(name).origin for name in {KEPT!r}}}
for found in importlib.metadata.distributions():
    state.setdefault("=" + found.name, [found.version, str(found.locate_file(""))])
print(json.dumps(state))
"""


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the set-up cell shall install: the working tree, published in a local repository."""
    folder = git_repository(copy_tree(tmp_path_factory.mktemp("published")))
    return f"git+file://{folder}@main"


@pytest.fixture
def python(tmp_path: Path) -> Path:
    return base_environment(tmp_path, *COLAB)


def state(python: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads(run(python, "-c", STATE, cwd=python.parent))
    return found


def solved(lesson: str) -> NotebookNode:
    """The released lesson with the answers filled in."""
    released = nbformat.read(ROOT / "lessons" / lesson / f"{lesson}.ipynb", as_version=4)
    solution = nbformat.read(ROOT / "solutions" / lesson / f"{lesson}.ipynb", as_version=4)
    return filled(released, answers_of(solution))


def set_up_cell(lesson: str) -> str:
    (source,) = [c.source for c in solved(lesson).cells if "set-up" in c.metadata.get("tags", [])]
    return str(source)


@pytest.mark.parametrize(
    "lesson",
    [LESSONS[0], *(pytest.param(name, marks=pytest.mark.whole) for name in LESSONS[1:])],
)
def test_lesson_runs_on_a_fresh_colab(
    lesson: str, source: str, python: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    colab = site_packages(python) / "google" / "colab"
    colab.mkdir(parents=True)
    (colab / "__init__.py").touch()
    (tmp_path / "newer").mkdir()
    newer = newer_wheels(tmp_path / "newer", *KEPT)
    before = state(python)
    # Nothing of the [course] extra: of the widgets, a lesson shows still pictures then.
    assert before.keys().isdisjoint({f"={DISTRIBUTION}", "=ipywidgets", "=nbgrader", "=jupyterlab"})

    kernels = tmp_path / "kernels"
    (kernels / "colab").mkdir(parents=True)
    argv = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    pip = {**OFFLINE, "GQLIB_SOURCE": source, "PIP_FIND_LINKS": str(newer)}
    spec = {"argv": argv, "display_name": "Colab", "language": "python", "env": pip}
    (kernels / "colab" / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")
    monkeypatch.setattr(KernelSpecManager, "kernel_dirs", [str(kernels)])
    nb = solved(lesson)
    resources = {"metadata": {"path": str(tmp_path)}}
    # Raises at the first error in a cell.
    NotebookClient(nb, timeout=600, kernel_name="colab", resources=resources).execute()

    after = state(python)
    assert after.pop(f"={DISTRIBUTION}"), "the set-up cell installed gqlib"
    assert after == before, "and left all else as it was"
    where = run(python, "-c", "import gqlib; print(gqlib.__file__)", cwd=tmp_path)
    assert where.startswith(str(site_packages(python))), "gqlib came from the repository"
    outputs = [output for cell in nb.cells for output in cell.get("outputs", [])]
    printed = "".join(output.get("text", "") for output in outputs)
    assert "so this cell uses the course's own" not in printed
    shown = [output.data for output in outputs if "data" in output]
    assert any("<img" in data.get("text/html", "") for data in shown)
    assert not any(WIDGET_VIEW in data for data in shown)


def test_an_upgrade_would_be_noticed(python: Path, tmp_path: Path) -> None:
    before = state(python)
    (tmp_path / "newer").mkdir()
    newer = newer_wheels(tmp_path / "newer", "numpy")
    pip = {**OFFLINE, "PIP_FIND_LINKS": str(newer)}
    run(python, "-m", "pip", "install", "--ignore-installed", "numpy", cwd=tmp_path, **pip)
    after = state(python)
    assert {name for name in after if after[name] != before.get(name)} == {"numpy", "=numpy"}


def test_without_the_package_and_without_colab_one_sentence_says_what_to_do(
    python: Path, tmp_path: Path
) -> None:
    command = [python, "-c", set_up_cell(LESSONS[0])]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env={**os.environ, **OFFLINE},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode
    assert done.stderr.count("Traceback") == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last == (
        "ModuleNotFoundError: gqlib is not installed in this kernel: run `make lab` (or "
        "`pip install .`) in the course's folder, then restart the kernel."
    )

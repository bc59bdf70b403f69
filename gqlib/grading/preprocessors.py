"""nbgrader preprocessors of the course; ``nbgrader_config.py`` names them."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from nbformat import NotebookNode
from nbgrader.preprocessors import NbGraderPreprocessor
from traitlets import Unicode

from gqlib.grading import hidden

Resources = dict[str, Any]

_BADGE = (
    "[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]"
    "(https://colab.research.google.com/github/{owner}/blob/{ref}/lessons/{name}/{name}.ipynb)"
)

_INSTALL = """\
# On Colab this first installs the course's package, and leaves Colab's own libraries as they are.
try:
    import gqlib
except ModuleNotFoundError:
    import importlib, os, subprocess, sys
    try:
        import google.colab
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "gqlib is not installed in this kernel: run `make lab` (or `pip install .`) in the "
            "course's folder, then restart the kernel."
        ) from None
    package = os.environ.get("GQLIB_SOURCE", "git+{repository}@{ref}")
    subprocess.check_call([sys.executable, "-m", "pip", "install", "--quiet", package])
    importlib.invalidate_caches()

"""


def publication(pyproject: Path) -> tuple[str, str]:
    """The repository's URL and the ref that lessons install, from ``[tool.gqlib]``."""
    settings = tomllib.loads(pyproject.read_text(encoding="utf-8"))["tool"]["gqlib"]
    return settings["repository"].rstrip("/"), settings["ref"]


class CourseCells(NbGraderPreprocessor):  # type: ignore[misc]
    """Write the Colab badge under a lesson's title and the installation before its imports."""

    repository = Unicode(help="URL of the published repository").tag(config=True)
    ref = Unicode(help="the tag or branch that a lesson installs").tag(config=True)

    def preprocess(self, nb: NotebookNode, resources: Resources) -> tuple[NotebookNode, Resources]:
        name = resources["nbgrader"]["notebook"]
        owner = self.repository.removeprefix("https://github.com/")
        for cell in nb.cells:
            tags = cell.metadata.get("tags", [])
            if "title" in tags:
                title, _, rest = cell.source.partition("\n")
                badge = _BADGE.format(owner=owner, ref=self.ref, name=name)
                cell.source = f"{title}\n\n{badge}\n{rest}"
            if "set-up" in tags:
                install = _INSTALL.format(repository=self.repository, ref=self.ref)
                cell.source = install + cell.source
        return nb, resources


class HideHiddenTests(NbGraderPreprocessor):  # type: ignore[misc]
    """Remove the hidden tests, and every output that quotes them, from a feedback page."""

    def preprocess(self, nb: NotebookNode, resources: Resources) -> tuple[NotebookNode, Resources]:
        hidden.hide(nb)
        return nb, resources

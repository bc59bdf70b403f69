"""What honest students do to a notebook and in it: none of it may cost a point or raise a flag."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from nbformat import NotebookNode, v4

from tests.grading.attacks import RIGHT

#: Right answers, by a word on how they are written.
ANSWERS = {
    "plain": RIGHT,
    "typed": "def double(x: torch.Tensor) -> torch.Tensor:\n    '''Twice x.'''\n    return x + x",
    "a lambda": "double = lambda x: x * 2",
    "a helper": "def _twice(y):\n    return y + y\n\ndef double(x):\n    return _twice(x)",
    "NumPy": "def double(x):\n    return torch.from_numpy(x.detach().numpy() * 2)",
    "in place": "def double(x):\n    y = x.clone()\n    y *= 2\n    return y",
    "warns": "import warnings\ndef double(x):\n    warnings.warn('careful')\n    return 2 * x",
    "prints": "def double(x):\n    print('x is', x)\n    return 2 * x",
    "logs": "import logging\ndef double(x):\n    logging.warning('hm')\n    return 2 * x",
    "displays": "from IPython.display import display\ndef double(x):\n    display(x); return 2 * x",
    "an object": "class D:\n    def __call__(self, x): return 2 * x\n\ndouble = D()",
    "partial": "import functools, operator\ndouble = functools.partial(operator.mul, 2)",
    "decorated": "@torch.no_grad()\ndef double(x):\n    return 2 * x",
    "vmap": "def double(x):\n    return torch.func.vmap(lambda v: 2 * v)(x)",
    "a loop": "def double(x):\n    return torch.stack([2 * v for v in x])",
    "einsum": "def double(x):\n    return torch.einsum('i,->i', x, torch.tensor(2.0))",
    "autograd": "def double(x):\n    y = x.clone().requires_grad_()\n    (y**2).sum().backward()\n"
    "    return y.grad",
    "a module": "class M(torch.nn.Module):\n    def forward(self, x): return 2 * x\ndouble = M()",
    "try": "import traceback\ndef double(x):\n    try:\n        1 / 0\n"
    "    except ZeroDivisionError:\n"
    "        traceback.print_exc()\n    return 2 * x",
    "a dataclass": "from dataclasses import dataclass\n@dataclass\nclass F:\n    k: float = 2.0\n"
    "def double(x):\n    return F().k * x",
    "a named tuple": "from collections import namedtuple\nP = namedtuple('P', 'k')\n"
    "def double(x):\n    return P(2).k * x",
    "an enum": "import enum\nclass K(enum.IntEnum):\n    TWO = 2\n"
    "def double(x):\n    return K.TWO * x",
    "match": "def double(x):\n    match x.ndim:\n        case 0: return 2 * x\n"
    "        case _: return x + x",
    "Unicode": "def double(x):\n    größe, 二 = x, 2\n    return größe * 二",
    "its own generator": "def double(x):\n    g = torch.Generator().manual_seed(0)\n"
    "    torch.rand(3, generator=g)\n    return 2 * x",
    "a thread pool": "from concurrent.futures import ThreadPoolExecutor\ndef double(x):\n"
    "    with ThreadPoolExecutor(2) as pool:\n        found = pool.map(lambda v: 2 * v, x)\n"
    "    return torch.stack([*found])",
    "files": "def double(x):\n    torch.save(x, 'x.pt')\n    return 2 * torch.load('x.pt')",
    "SciPy": "import scipy.linalg\ndef double(x):\n"
    "    return torch.from_numpy(scipy.linalg.toeplitz([2, 0, 0])).float() @ x",
    "a context": "import contextlib\ndef double(x):\n    with contextlib.suppress(ValueError):\n"
    "        return 2 * x",
}
#: Separate cells, before the answer.
CELLS = {
    "none": "",
    "imports again": "import torch\nimport numpy as np\nfrom gqlib.course import checks",
    "star imports": "from math import *\nfrom numpy import *",
    "plots": "import matplotlib.pyplot as plt\nplt.plot([1, 2]); plt.title('größer'); plt.show()",
    "magics": "%matplotlib inline\n%config InlineBackend.figure_format = 'retina'\n"
    "%timeit -n1 -r1 1",
    "time": "%%time\nsum(range(10))",
    "a shell command": "!ls -l && echo fine",
    "seeds": "import random\nrandom.seed(0); np.random.seed(0); torch.manual_seed(0)",
    "settings": "torch.set_printoptions(precision=3); np.set_printoptions(precision=3)\n"
    "torch.set_default_dtype(torch.float32); torch.set_default_device('cpu')",
    "warnings": "import warnings\nwarnings.filterwarnings('ignore')\nwarnings.warn('x')",
    "logging": "import logging\nlogging.basicConfig(level='INFO'); logging.captureWarnings(True)",
    "progress": "from tqdm.auto import tqdm\nfor _ in tqdm(range(3)): pass",
    "help": "help(torch.add)\nchecks.expect?",
    "signature": "import inspect\n"
    "print(inspect.signature(checks.expect), inspect.getsource(inspect.signature))",
    "an error": "1 / 0",
    "a builtin's name": "def round(x, n): return x\nsum = 0\nmax = np.max",
    "own tests": "import unittest\nclass T(unittest.TestCase):\n    def test(self): assert True\n"
    "unittest.main(argv=[''], exit=False)",
    "mocks": "from unittest import mock\nwith mock.patch('builtins.print'): print(1)",
    "a process": "import subprocess, sys\nsubprocess.run([sys.executable, '-c', '1'], check=True)",
    "workers": "import multiprocessing as mp\n"
    "with mp.get_context('fork').Pool(2) as p: print(p.map(abs, [1]))",
    "memory": "import gc\ngc.collect()\nbig = torch.zeros(10**6)\ndel big",
    "a profile": "import cProfile, pstats\np = cProfile.Profile(); p.runcall(sorted, [2, 1])",
    "history": "print(In[-1], _)",
    "gradients off": "torch.set_grad_enabled(False)\ntorch.set_grad_enabled(True)",
    "a model": "net = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.ReLU())\n"
    "opt = torch.optim.Adam(net.parameters())\nnet(torch.rand(4, 3)).sum().backward(); opt.step()",
    "a loader": "from torch.utils.data import DataLoader\n"
    "for b in DataLoader(torch.rand(8, 2), batch_size=4, num_workers=1): print(b.shape)",
    "gqlib": "from gqlib import data, metrics\nfrom gqlib.course import plots\n"
    "print(metrics.mse(torch.ones(2, 3), torch.zeros(2, 3)))",
    "async": "import asyncio\nawait asyncio.sleep(0)",
}

Change = Callable[[NotebookNode], object]


def _jupyterlab(nb: NotebookNode) -> None:
    nb.metadata.update({"toc-autonumbering": True, "widgets": {}})
    for cell in nb.cells:
        cell.metadata.update(trusted=True, collapsed=False, jupyter={"source_hidden": False})


def _colab(nb: NotebookNode) -> None:
    nb.metadata.update(
        colab={"provenance": [], "toc_visible": True},
        accelerator="GPU",
        language_info={"name": "python"},
    )
    for i, cell in enumerate(nb.cells):
        cell.metadata.update(
            id=f"aB3_{i}",
            executionInfo={"status": "ok", "user": {"displayName": "Zoë"}},
            outputId=f"x{i}",
            colab={"base_uri": "https://localhost:8080/"},
        )


def _old(nb: NotebookNode) -> None:
    nb.nbformat_minor = 4
    for cell in nb.cells:
        cell.pop("id", None)


def _ran(nb: NotebookNode) -> None:
    for i, cell in enumerate(c for c in nb.cells if c.cell_type == "code"):
        cell.execution_count = 90 - i
        cell.outputs = [v4.new_output("stream", text="earlier\n")]
        cell.outputs.append(v4.new_output("error", ename="E", evalue="", traceback=["old"]))


def _markdown_moved(nb: NotebookNode) -> None:
    nb.cells.append(nb.cells.pop(0))
    nb.cells.insert(
        1, v4.new_markdown_cell("# My notes\n\n<b>Ünïcode</b> $x<y$ ![x](attachment:a.png)")
    )


def _untitled(nb: NotebookNode) -> None:
    nb.cells = [cell for cell in nb.cells if cell.cell_type != "markdown"]


def _cells_added(nb: NotebookNode) -> None:
    nb.cells.insert(0, v4.new_code_cell("import this"))
    nb.cells += [
        v4.new_code_cell(""),
        v4.new_code_cell("double(torch.ones(2))"),
        v4.new_raw_cell("raw"),
    ]


def _answer_copied(nb: NotebookNode) -> None:
    place = [c.metadata.get("nbgrader", {}).get("grade_id") for c in nb.cells].index("double")
    copy = NotebookNode(nb.cells[place])
    copy.id, copy.metadata = "copied", NotebookNode(nb.cells[place].metadata)
    nb.cells.insert(place, copy)


def _tagged(nb: NotebookNode) -> None:
    for cell in nb.cells:
        cell.metadata.update(tags=["mine"], slideshow={"slide_type": "slide"}, editable=True)


def _no_kernel(nb: NotebookNode) -> None:
    nb.metadata.kernelspec = {"name": "my-env", "display_name": "My env", "language": "python"}


def _windows(nb: NotebookNode) -> None:
    for cell in nb.cells:
        if cell.metadata.get("nbgrader", {}).get("solution") or "nbgrader" not in cell.metadata:
            cell.source = cell.source.replace("\n", "\r\n")


NOTEBOOKS: dict[str, Change] = {
    "as it was": lambda nb: None,
    "JupyterLab": _jupyterlab,
    "Colab": _colab,
    "an older format": _old,
    "run before": _ran,
    "markdown moved": _markdown_moved,
    "markdown deleted": _untitled,
    "cells added": _cells_added,
    "answer copied": _answer_copied,
    "tags": _tagged,
    "another kernel": _no_kernel,
    "Windows": _windows,
}


def _late(folder: Path) -> None:
    (folder / "timestamp.txt").write_text("2031-05-01 12:00:00.000000 UTC", encoding="utf-8")


def _files(folder: Path) -> None:
    (folder / "my data").mkdir()
    (folder / "my data" / "größe.csv").write_text("1,2", encoding="utf-8")
    (folder / ".ipynb_checkpoints").mkdir()
    (folder / ".ipynb_checkpoints" / "x-checkpoint.ipynb").write_text("{}", encoding="utf-8")


FOLDERS: dict[str, Callable[[Path], object]] = {
    "in time": lambda folder: None,
    "late": _late,
    "files beside it": _files,
}
NAMES = (
    "Zoë Müller",
    "李雷",
    "o'neil",
    "a b  c",
    "x@example.org",
    "Åsa-Ö",
    "42",
    "ivan_petrov",
    "Ѐ",
)


@dataclass(frozen=True)
class Honest:
    """One submission: what it is, its answer, and the cell before it."""

    name: str
    answer: str
    cell: str
    change: Change
    folder: Callable[[Path], object]


def variants(number: int) -> Iterator[Honest]:
    """So many submissions, in which every habit occurs and no two are the same."""
    rng = random.Random(0)
    habits = [list(found) for found in (ANSWERS, CELLS, NOTEBOOKS, FOLDERS)]
    for found in habits:
        rng.shuffle(found)
    for i, *words in zip(range(number), *map(itertools.cycle, habits), strict=False):
        answer, cell, change, folder = words
        yield Honest(
            f"{NAMES[i % len(NAMES)]} {i}",
            ANSWERS[answer],
            CELLS[cell],
            NOTEBOOKS[change],
            FOLDERS[folder],
        )

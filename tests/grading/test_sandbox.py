"""What hostile submissions can't do: earn points, see secrets, harm others or the machine."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gqlib.grading.sandbox import bubblewrap
from gqlib.grading.sandbox.limits import MIB, Limits
from gqlib.grading.sandbox.pool import Cell, Executed, Pool

pytestmark = pytest.mark.skipif(shutil.which("bwrap") is None, reason="there is no bubblewrap")

SET_UP = Cell("import math\nimport numpy as np\nimport torch\nfrom gqlib import checks", "set-up")
TEST = Cell(
    "x = torch.arange(3.0)\n"
    "got = checks.call(double, x)\n"
    "assert torch.allclose(got, 2 * x)\n"
    "np.testing.assert_allclose(got.numpy(), [0, 2, 4])\n"
    "checks.expect(got, [0, 2, 4], like=x)\n"
    "assert len(got) == 3",
    "test",
)
#: Of what the answer does not depend on: it must keep its points whatever happens elsewhere.
OTHER = Cell("assert math.pi > 3", "test")
RIGHT = Cell("def double(x):\n    return 2 * x")
LIMITS = Limits(
    cell_seconds=4,
    seconds=60,
    memory=1024 * MIB,
    processes=24,
    disk=16 * MIB,
    output=2 * MIB,
)


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    with Pool(SET_UP.source, LIMITS) as made:
        yield made


def run(pool: Pool, *sources: str) -> Executed:
    cells = [SET_UP, *(Cell(source) for source in sources), TEST, OTHER]
    return pool.submit(cells, environment={"GQLIB_SECRET": "s3cr3t"}).result(timeout=120)


def earns(executed: Executed, cell: int) -> bool:
    """As nbgrader decides it: no error and nothing on standard error."""
    return not any(
        output["output_type"] == "error" or output.get("name") == "stderr"
        for output in executed.outputs[cell]
    )


def printed(executed: Executed) -> str:
    return "".join(output.get("text", "") for outputs in executed.outputs for output in outputs)


#: Hostile cells, and what must be seen of them where it can be seen.
WRONG = "def double(x):\n    return x\n"
ATTACKS = {
    "endless loop": ("def double(x):\n    while True: pass", None),
    "endless loop that catches interrupts": (
        "def double(x):\n    while True:\n        try:\n            while True: pass\n"
        "        except BaseException: pass",
        None,
    ),
    "os._exit": ("import os\ndef double(x):\n    os._exit(0)", None),
    "sys.exit": ("def double(x):\n    raise SystemExit(0)", None),
    "kills its parent": (
        "import os, signal\ndef double(x):\n    os.kill(os.getppid() or 1, signal.SIGKILL)",
        None,
    ),
    "kills everything": (
        "import os, signal\ndef double(x):\n    os.kill(-1, signal.SIGKILL); return x",
        None,
    ),
    "segmentation fault": (
        "import ctypes\ndef double(x):\n    ctypes.string_at(0)",
        None,
    ),
    "memory hog": ("def double(x):\n    return [bytearray(10**8) for _ in range(1000)]", None),
    "fork bomb": (
        "import os\ndef double(x):\n    while True:\n        try: os.fork()\n"
        "        except OSError: pass",
        None,
    ),
    "gigabytes of output": ("def double(x):\n    while True: print('x' * 10**6)", None),
    "gigabytes past Python": (
        "import os\ndef double(x):\n    while True: os.write(1, b'x' * 10**6)",
        None,
    ),
    "fills the disk": (
        "def double(x):\n    for i in range(10**6):\n"
        "        open(f'f{i}', 'wb').write(b'x' * 10**6)",
        None,
    ),
    "replaces torch.allclose": (
        WRONG + "torch.allclose = lambda *a, **k: True\n"
        "np.testing.assert_allclose = lambda *a, **k: None\nchecks.expect = lambda *a, **k: None",
        "replaced torch.allclose",
    ),
    "replaces numpy.testing": (
        WRONG + "np.testing.assert_allclose = lambda *a, **k: None",
        "replaced numpy.testing.assert_allclose",
    ),
    "replaces builtins": (
        WRONG + "import builtins\nbuiltins.len = lambda x: 3",
        "replaced builtins.len",
    ),
    "replaces during the test": (
        "def double(x):\n    torch.allclose = lambda *a, **k: True\n"
        "    np.testing.assert_allclose = lambda *a, **k: None\n"
        "    checks.expect = lambda *a, **k: None\n    return x",
        "replaced torch.allclose during a test",
    ),
    "changes the code of a check": (
        WRONG + "checks.expect.__code__ = (lambda *a, **k: None).__code__",
        "changed the code of gqlib.checks.expect",
    ),
    "patches a tensor's methods": (
        WRONG + "torch.Tensor.__eq__ = lambda *a: True\ntorch.Tensor.numpy = lambda *a: 1",
        "replaced torch.Tensor.numpy",
    ),
    "rebinds names": (
        WRONG + "class checks:\n    call = staticmethod(lambda f, x: 2 * x)\n"
        "    expect = staticmethod(lambda *a, **k: None)",
        "rebound checks",
    ),
    "input transformer": (
        WRONG + "get_ipython().input_transformers_post.append(lambda lines: ['pass\\n'])",
        "hooked into the cells' transformation",
    ),
    "syntax tree transformer": (
        WRONG + "import ast\nclass T(ast.NodeTransformer):\n"
        "    def visit_Assert(self, node): return ast.Pass()\n"
        "    def visit_Expr(self, node): return ast.Pass()\n"
        "get_ipython().ast_transformers.append(T())",
        "hooked into the cells' transformation",
    ),
    "replaces run_cell": (
        WRONG + "s = get_ipython()\ns.run_cell = lambda *a, **k: None",
        "hooked into the shell itself",
    ),
    "shell events": (
        WRONG + "def f(*a):\n    import torch; torch.allclose = lambda *a, **k: True\n"
        "get_ipython().events.register('pre_run_cell', f)",
        "hooked into the shell's events",
    ),
    "settrace": (
        WRONG + "import sys\nsys.settrace(lambda *a: None)",
        "hooked into the trace function",
    ),
    "a thread that acts later": (
        WRONG + "import threading, time\ndef f():\n    while True:\n"
        "        torch.allclose = lambda *a, **k: True\n        time.sleep(.001)\n"
        "threading.Thread(target=f, daemon=True).start()",
        "left a thread running",
    ),
    "atexit": (
        WRONG + "import atexit\natexit.register(lambda: print('late'))",
        None,
    ),
    "a module of the name torch": (
        "open('torch.py', 'w').write('allclose = lambda *a: True')\n"
        "import sys; sys.path.insert(0, '.'); sys.modules.pop('torch'); import torch\n" + WRONG,
        "rebound torch",
    ),
    "an object that agrees with all": (
        "class A:\n    def __eq__(self, o): return True\n    def __len__(self): return 3\n"
        "    def __hash__(self): return 0\ndef double(x): return A()",
        None,
    ),
    "a tensor that lies": (
        "class L(torch.Tensor):\n    @classmethod\n"
        "    def __torch_function__(cls, f, t, a=(), k=None): return torch.arange(0.0, 6.0, 2.0)\n"
        "def double(x): return torch.zeros(3).as_subclass(L)",
        None,
    ),
    "gqlib's own under another name": (
        "import gqlib.references as r\ndouble = r.mean_image",
        None,
    ),
    "forged reply": (
        "import os, json, struct, threading\n"
        "def double(x):\n"
        "    reply = json.dumps({'token': '', 'outputs': [], 'flags': []}).encode()\n"
        "    for n in range(3, 200):\n"
        "        try: os.write(n, struct.pack('!I', len(reply)) + reply)\n"
        "        except OSError: pass\n    return x",
        "sent messages of its own",
    ),
    "stopped process": (
        "import os, signal\ndef double(x):\n    os.kill(os.getpid(), signal.SIGSTOP); return x",
        None,
    ),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_earns_nothing_and_costs_no_one_else(pool: Pool, name: str) -> None:
    source, flag = ATTACKS[name]
    executed = run(pool, source)
    assert len(executed.outputs) == 4
    assert not earns(executed, 2), executed.outputs[2]
    if name != "a thread that acts later":  # which acts during the other test too
        assert earns(executed, 3), (executed.outputs[3], "the other test keeps its points")
    if flag is not None:
        assert flag in executed.flags
    honest = run(pool, RIGHT.source)
    assert earns(honest, 2)
    assert earns(honest, 3)
    assert honest.flags == []


SECRETS = {
    "the environment": ("import os\nprint(dict(os.environ))", "s3cr3t"),
    "its home": ("import os\nprint(os.listdir(os.path.expanduser('~')))", ".bashrc"),
    "this repository": (
        f"import os\nprint(os.listdir({str(Path(__file__).parents[2])!r}))",
        "solutions",
    ),
    "other processes": (
        "import os\nprint([p for p in os.listdir('/proc') if p.isdigit() and p != '1'] and 'SEEN')",
        "SEEN",
    ),
    "the history": ("print(In, _ih)", "allclose"),
}


@pytest.mark.parametrize("name", SECRETS)
def test_secrets_are_out_of_sight(pool: Pool, name: str) -> None:
    source, secret = SECRETS[name]
    executed = pool.submit(
        [SET_UP, RIGHT, TEST, Cell(source)], environment={"GQLIB_SECRET": "s3cr3t"}
    ).result(timeout=60)
    assert secret not in printed(executed)
    assert earns(executed, 2)


FORBIDDEN = {
    "network": (
        "import socket\ntry:\n    socket.create_connection(('127.0.0.1', PORT), 2); print('DONE')\n"
        "except OSError: print('no')"
    ),
    "writing to the packages": (
        "import gqlib\ntry:\n    open(gqlib.__file__, 'a'); print('DONE')\n"
        "except OSError: print('no')"
    ),
    "writing to the system": (
        "try:\n    open('/usr/bin/x', 'w'); print('DONE')\nexcept OSError: print('no')"
    ),
    "mounting": (
        "import ctypes\nlibc = ctypes.CDLL(None)\n"
        "print('DONE' if libc.mount(b'none', b'/usr', b'tmpfs', 0, b'') == 0 else 'no')"
    ),
    "becoming root": (
        "import os\ntry:\n    os.setuid(0); print('DONE')\nexcept OSError: print('no')"
    ),
    "another submission's scratch": (
        "import os, tempfile\nhere = tempfile.gettempdir()\n"
        "print('DONE' if os.path.exists(f'{here}/mine') else 'no')\n"
        "open(f'{here}/mine', 'w').write('x')"
    ),
    "writing elsewhere": (
        "for name in ('/x', '/dev/x', '/etc/x', '/proc/x', '/home/x', '/var/x', '/run/x'):\n"
        "    try:\n        open(name, 'w'); print('DONE', name)\n"
        "    except OSError: pass\nprint('no')"
    ),
}


@pytest.mark.parametrize("name", FORBIDDEN)
def test_what_a_submission_may_not_do(pool: Pool, name: str) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        source = FORBIDDEN[name].replace("PORT", str(server.getsockname()[1]))
        for _ in range(2):
            executed = pool.submit([SET_UP, Cell(source)]).result(timeout=60)
            assert printed(executed).strip() == "no", executed.outputs


def test_honest_work_is_let_be(pool: Pool) -> None:
    sources = (
        "import numpy as np, torch\nimport warnings\nwarnings.warn('careful')",
        "%matplotlib inline\nimport matplotlib.pyplot as plt\nplt.plot([1, 2]); plt.show()",
        "from concurrent.futures import ProcessPoolExecutor\nprint('größer', flush=True)",
        "_ = 3\ntorch.manual_seed(0)\nnp.set_printoptions(precision=3)\n1 + 1",
        "open('notes.txt', 'w').write('x'); print(open('notes.txt').read())",
        "%%time\nsum(range(10))",
        RIGHT.source,
    )
    executed = run(pool, *sources)
    assert executed.flags == []
    assert earns(executed, 8), executed.outputs[8]
    kinds = [output["output_type"] for output in executed.outputs[2]]
    assert "display_data" in kinds
    assert executed.outputs[4][-1]["data"]["text/plain"] == "2"
    assert "größer" in printed(executed)


def test_many_at_once(pool: Pool) -> None:
    cells = [SET_UP, RIGHT, TEST, OTHER]
    futures = [pool.submit(cells) for _ in range(6)]
    futures.append(pool.submit([SET_UP, Cell("import os; os._exit(1)"), TEST, OTHER]))
    done = [future.result(timeout=120) for future in futures]
    assert [earns(executed, 2) for executed in done] == [True] * 6 + [False]
    assert all(earns(executed, 3) for executed in done)


def test_files_lie_beside_the_notebook(pool: Pool) -> None:
    import base64

    files = {"data/a.csv": b"1,2", "helper.py": b"two = 2", "colorsys.py": b"two = 3"}
    cell = Cell(
        "import helper, colorsys\n"
        "print(open('data/a.csv').read(), helper.two, hasattr(colorsys, 'two'))"
    )
    encoded = {name: base64.b64encode(content).decode() for name, content in files.items()}
    executed = pool.submit([SET_UP, cell], encoded).result(timeout=60)
    assert printed(executed) == "1,2 2 False\n"


def test_without_bubblewrap_a_sentence_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(bubblewrap.NoSandbox, match=r"apt install bubblewrap.*--no-sandbox"):
        Pool(SET_UP.source)


def test_the_pool_ends_with_all_its_forks() -> None:
    with Pool(SET_UP.source, LIMITS) as made:
        made.submit([SET_UP, Cell("import time; time.sleep(100)")])
        time.sleep(1)
        process = made._process.pid
    assert not Path(f"/proc/{process}").exists()

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
from tests.grading import attacks

pytestmark = pytest.mark.skipif(shutil.which("bwrap") is None, reason="there is no bubblewrap")

SET_UP, TEST = Cell(attacks.SET_UP, "set-up"), Cell(attacks.TEST, "test")
#: Of what the answer does not depend on: it must keep its points whatever happens elsewhere.
OTHER = Cell(attacks.OTHER, "test")
RIGHT = Cell(attacks.RIGHT)
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
        "import subprocess\ncommand = ['mount', '-t', 'tmpfs', 'none', '/usr']\n"
        "print('no' if subprocess.run(command, capture_output=True).returncode else 'DONE')"
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


def test_an_answer_may_print_and_show(pool: Pool) -> None:
    source = (
        "from IPython.display import display\nimport sys\ndef double(x):\n"
        "    print(x); print('careful', file=sys.stderr); display(x)\n    return 2 * x"
    )
    executed = run(pool, source)
    assert earns(executed, 2), executed.outputs[2]
    assert executed.flags == []
    assert "tensor([0., 1., 2.])" in printed(executed)


#: What libraries ask of their environment, as they are imported or later.
ASKING = """
import getpass, grp, locale, multiprocessing, os, pwd, socket, tempfile
from multiprocessing import shared_memory
from pathlib import Path
me = pwd.getpwuid(os.getuid())
assert getpass.getuser() == me.pw_name == Path("/usr").owner() == "nobody"
assert grp.getgrgid(os.getgid()).gr_name == Path("/usr").group() == "nogroup"
assert [entry.pw_name for entry in pwd.getpwall()] == ["nobody"]
assert Path.home() == Path(me.pw_dir) == Path("~nobody").expanduser()
assert os.access(me.pw_shell, os.X_OK) and os.environ["SHELL"] == me.pw_shell
assert socket.gethostbyname("localhost") == socket.gethostbyname(socket.gethostname())
locale.setlocale(locale.LC_ALL, "")
assert locale.getpreferredencoding(False).upper() == "UTF-8"
cache = Path.home() / ".cache" / "library"
cache.mkdir(parents=True, exist_ok=True)
for folder in (Path.home(), tempfile.gettempdir(), "/dev/shm", cache, *OTHERS):
    with tempfile.NamedTemporaryFile("w", dir=folder) as file:
        file.write("x")
with multiprocessing.Lock():
    shared = shared_memory.SharedMemory(create=True, size=8)
    shared.close()
    shared.unlink()
print("all there")
"""


def test_what_libraries_ask_for_is_there(tmp_path: Path) -> None:
    log = tmp_path / "log"
    # A folder in which Python or the course lies is read-only.
    bound = bubblewrap.packages()
    others = [f for f in ("/tmp", "/var/tmp") if not any(p.is_relative_to(f) for p in bound)]
    asking = f"OTHERS = {others}\n{ASKING}"
    with log.open("w+") as file, Pool(asking, LIMITS, file) as asked:
        assert "all there" in log.read_text(), "before any submission"
        kept = "from pathlib import Path\nprint(list((Path.home() / '.cache/library').iterdir()))"
        executed = asked.submit([Cell(kept), Cell(asking), Cell(asking, "set-up")]).result(60)
    assert executed.flags == []
    assert printed(executed) == "[]\nall there\nall there\n", executed.outputs


def test_what_is_printed_without_end_is_cut(pool: Pool) -> None:
    source = (
        "import os\nfor _ in range(30): print('x' * 10**5)\n"
        "for _ in range(30): os.write(1, b'y' * 10**5)\n" + RIGHT.source
    )
    executed = run(pool, source)
    assert earns(executed, 2), executed.outputs[2]
    text = printed(executed)
    assert 10**6 < len(text) < 1.1 * 10**6
    assert "beyond a million characters is not kept" in text


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

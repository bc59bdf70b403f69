"""Hostile answers to an exercise, and what must be seen of them where it can be seen.

The exercise is to return twice a tensor; its test uses what tests use. None may earn its points,
and each must leave those of another test alone.
"""

from __future__ import annotations

SET_UP = "import math\nimport numpy as np\nimport torch\nfrom gqlib import checks"
RIGHT = "def double(x):\n    return 2 * x"
TEST = """x = torch.arange(3.0)
got = checks.call(double, x)
assert torch.allclose(got, 2 * x)
np.testing.assert_allclose(got.numpy(), [0, 2, 4])
checks.expect(got, [0, 2, 4], like=x)
assert len(got) == 3"""
OTHER = "assert math.pi > 3"

WRONG = "def double(x):\n    return x\n"
#: By name: the cell, and a flag. ``COURSE`` stands for the course's folder.
ATTACKS: dict[str, tuple[str, str | None]] = {
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
    # --- what carries the result away
    "replaces what packs the reply": (
        WRONG + "import json\no = json.dumps\njson.dumps = lambda x, **k: o("
        "{**x, 'outputs': [], 'flags': []} if 'outputs' in x else x, **k)",
        "replaced json.dumps",
    ),
    "replaces what sends the reply": (
        "def double(x):\n"
        "    w = [c for c in object.__subclasses__() if c.__name__ == '_Run'][0].kill.__globals__\n"
        "    send = w['_send']\n"
        "    w['_send'] = lambda c, m: send(c, {**m, 'outputs': [], 'flags': []})\n    return x",
        "replaced the sandbox._send during a test",
    ),
    "keeps errors out of the outputs": (
        "def double(x):\n    import gqlib.grading.sandbox.shell as s\n"
        "    s._outputs.add = lambda *a, **k: None\n    return x",
        None,
    ),
    "an error that is shown as nothing": (
        "class E(Exception):\n    def _render_traceback_(self): raise KeyboardInterrupt\n"
        "    def __str__(self): raise KeyboardInterrupt\n"
        "def double(x):\n    import sys\n    sys.stderr = sys.stdout\n    raise E",
        None,
    ),
    # --- what looks innocent afterwards
    "puts back what it replaced": (
        "def double(x):\n    a, n, e = torch.allclose, np.testing.assert_allclose, checks.expect\n"
        "    def f(*_, **k): torch.allclose = a; return True\n"
        "    def g(*_, **k): np.testing.assert_allclose = n\n"
        "    def h(*_, **k): checks.expect = e\n"
        "    torch.allclose, np.testing.assert_allclose, checks.expect = f, g, h\n    return x",
        "replaced torch.allclose during a test",
    ),
    "blinds the check after an answer": (
        "def double(x):\n    checks.look_around = None\n"
        "    torch.allclose = np.testing.assert_allclose = checks.expect = lambda *a, **k: True\n"
        "    return x",
        "replaced gqlib.checks.look_around during a test",
    ),
    "wider tolerances": (
        WRONG + "for k in checks.TOLERANCE: checks.TOLERANCE[k] = (1e9, 1e9)",
        "changed the values of gqlib.checks.TOLERANCE",
    ),
    "other keyword arguments": (
        WRONG + "checks.expect.__kwdefaults__.update(rtol=1e9, atol=1e9)",
        "changed the values of gqlib.checks.expect",
    ),
    "a len of its own": (WRONG + "def len(x): return 3", None),
    "builtins of its own": (
        WRONG + "import builtins\n__builtins__ = {**vars(builtins), 'len': lambda x: 3}",
        "rebound __builtins__",
    ),
    "another module in the table": (
        WRONG + "import sys, types\nsys.modules['torch'] = types.ModuleType('torch')",
        "replaced the module torch",
    ),
    "a module that lies": (
        WRONG + "import types\nclass M(types.ModuleType):\n    @property\n"
        "    def allclose(self): return lambda *a, **k: True\ntorch.__class__ = M",
        "changed the class of torch",
    ),
    "a mode of PyTorch that lies": (
        WRONG + "from torch.overrides import TorchFunctionMode\nclass M(TorchFunctionMode):\n"
        "    def __torch_function__(self, f, t, a=(), k=None): return torch.arange(0.0, 6.0, 2.0)\n"
        "M().__enter__()",
        "left a mode of PyTorch's functions on",
    ),
    "replaces the shell's parent class": (
        WRONG + "from IPython.core.interactiveshell import InteractiveShell\n"
        "InteractiveShell.run_code = None",
        "replaced IPython.core.interactiveshell.InteractiveShell.run_code",
    ),
    "replaces the compiler": (
        WRONG + "import ast\nget_ipython().compile.ast_parse = lambda *a, **k: ast.parse('pass')",
        "hooked into the shell itself",
    ),
    "a cell magic": (
        WRONG + "get_ipython().magics_manager.magics['line']['timeit'] = print",
        "hooked into the shell's magics",
    ),
    # --- what looks at the test
    "reads its caller's frame": (
        "import sys\ndef double(x): return sys._getframe(1).f_back.f_locals['got']",
        "looked at its callers during a test",
    ),
    "reads frames by inspect": (
        "import inspect\ndef double(x): return 2 * inspect.stack()[1].frame.f_locals['x']",
        "looked at its callers during a test",
    ),
    "reads frames by an exception": (
        "def double(x):\n    try: 1 / 0\n"
        "    except ZeroDivisionError as e: return e.__traceback__.tb_frame.f_back",
        "looked at its callers during a test",
    ),
    "searches all objects": (
        "import gc\ndef double(x): return [o for o in gc.get_objects() if hasattr(o, 'f_back')]",
        "searched all objects during a test",
    ),
    "reads the history": (
        "def double(x): return eval(In[-1].partition('=')[2])",
        None,
    ),
    "runs gqlib's code as its own": (
        "import types\nimport gqlib.metrics as m\n"
        "def double(x): return types.FunctionType(m.mse.__code__, {})(x, x)",
        "read a function's code during a test",
    ),
    "changes code through a library": (
        WRONG + "import functools\n"
        "functools.update_wrapper(checks.expect, lambda *a, **k: None, ['__code__'])",
        "changed the code of gqlib.checks.expect",
    ),
    "reaches into memory": (
        WRONG + "import ctypes\nctypes.pythonapi.PyEval_SetTrace",
        "reached into memory (ctypes)",
    ),
    "an audit hook": (
        WRONG + "import sys\nsys.addaudithook(lambda *a: None)",
        "hooked into the interpreter",
    ),
    # --- what leaves the sandbox
    "reads the solution from disk": (
        "import pathlib\nfound = [*pathlib.Path(COURSE).glob('**/*'),"
        " *pathlib.Path('/scratch/work').glob('../**/*.ipynb')]\n"
        "print('FOUND', found)\ndef double(x): return found",
        None,
    ),
    "writes to the gradebook": (
        WRONG + "for name in ('gradebook.db', '../gradebook.db', COURSE + '/gradebook.db'):\n"
        "    try: open(name, 'r+b').write(b'x'); print('WROTE', name)\n"
        "    except OSError: pass",
        None,
    ),
    "writes to another submission": (
        WRONG + "import os\npath = COURSE + '/submitted/honest'\n"
        "os.makedirs(path)  # in its own /tmp\nopen(path + '/x', 'w')",
        None,
    ),
    "calls out": (
        "import socket, urllib.request\ndef double(x):\n"
        "    for host in ('127.0.0.1', '8.8.8.8'):\n"
        "        try: socket.create_connection((host, 53), 2); print('CONNECTED')\n"
        "        except OSError: pass\n    return x",
        None,
    ),
}

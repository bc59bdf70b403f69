"""Hostile answers to an exercise, and the tampering that must be reported.

The exercise is to return twice a tensor. One of its tests runs apart from the answer and one in the
same process. No hostile answer may earn their points or change those of another test.
"""

from __future__ import annotations

SET_UP = "import math\nimport numpy as np\nimport torch\nfrom gqlib.course import checks"
RIGHT = "def double(x):\n    return 2 * x"
TEST = """x = torch.arange(3.0)
got = checks.call(double, x)
assert torch.allclose(got, 2 * x)
np.testing.assert_allclose(got.numpy(), [0, 2, 4])
checks.expect(got, [0, 2, 4], like=x)
assert len(got) == 3"""
#: The same, but a stand-in for the answer will not do: it must run in the answer's process.
BESIDE = f"assert not hasattr(double, '_answers')\n{TEST}"
OTHER = "assert math.pi > 3"

WRONG = "def double(x):\n    return x\n"
#: Replaces what the test compares with, by functions that put everything back when they are called.
PATCH = """def patch():
    a, n, e = torch.allclose, np.testing.assert_allclose, checks.expect
    def f(*_, **k): torch.allclose = a; return True
    def g(*_, **k): np.testing.assert_allclose = n
    def h(*_, **k): checks.expect = e
    torch.allclose, np.testing.assert_allclose, checks.expect = f, g, h
"""
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
        "changed the code of gqlib.course.checks.expect",
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
        "import gqlib.course.answers.lesson_00 as r\ndouble = r.mean_image",
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
        "import gqlib.grading.sandbox.messages as m\ndef double(x):\n    send = m.send\n"
        "    m.send = lambda c, x: send(c, {**x, 'outputs': [], 'flags': []})\n    return x",
        "replaced gqlib.grading.sandbox.messages.send during a test",
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
        PATCH + "def double(x):\n    patch()\n    return x",
        "replaced torch.allclose during a test",
    ),
    "blinds the check after an answer": (
        "def double(x):\n    checks.look_around = None\n"
        "    torch.allclose = np.testing.assert_allclose = checks.expect = lambda *a, **k: True\n"
        "    return x",
        "replaced gqlib.course.checks.look_around during a test",
    ),
    "wider tolerances": (
        WRONG + "for k in checks.TOLERANCE: checks.TOLERANCE[k] = (1e9, 1e9)",
        "changed the values of gqlib.course.checks.TOLERANCE",
    ),
    "other keyword arguments": (
        WRONG + "checks.expect.__kwdefaults__.update(rtol=1e9, atol=1e9)",
        "changed the values of gqlib.course.checks.expect",
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
        "changed the code of gqlib.course.checks.expect",
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
    # --- what acts after an answer has returned
    "acts when its result is dropped": (
        PATCH + "class L(torch.Tensor):\n    __del__ = lambda s: patch()\n"
        "def double(x): return torch.zeros(3).as_subclass(L)",
        "replaced torch.allclose during a test",
    ),
    "acts when a result is collected": (
        PATCH + "import weakref\ndef double(x):\n    y = torch.zeros(3).view(3)\n"
        "    class K: pass\n    k = K(); k.me = k; weakref.finalize(k, patch)\n    return y",
        None,
    ),
    "acts at an alarm": (
        PATCH + "import signal\nsignal.signal(signal.SIGALRM, lambda *a: patch())\n"
        "def double(x):\n    signal.setitimer(signal.ITIMER_REAL, 1e-5, 1e-5)\n    return x",
        "left a signal's handler",
    ),
    "acts at a garbage collection": (
        PATCH + "import gc\ngc.callbacks.append(lambda *a: patch()); gc.set_threshold(1)\n" + WRONG,
        "hooked into the garbage collector",
    ),
    "acts in a hidden thread": (
        PATCH + "import _thread, time\ndef f():\n    while True: patch(); time.sleep(1e-4)\n"
        "def double(x):\n    _thread.start_new_thread(f, ())\n    time.sleep(0.1)\n    return x",
        None,
    ),
    # --- other ways to frames and code
    "code under a library's name": (
        "import sys\nnames = {}\n"
        "exec(compile('import sys\\ndef up(): return sys._getframe(2)', sys.__file__"
        " if hasattr(sys, '__file__') else '<frozen os>', 'exec'), names)\n"
        "def double(x): return names['up']().f_locals['got']",
        "looked at its callers during a test",
    ),
    "a library that looks for it": (
        "import logging\ndef double(x): return logging.currentframe().f_back.f_locals['x'] * 2",
        "looked at its callers during a test",
    ),
    "a library that is handed a function": (
        "import sys\nfrom torch.utils._pytree import tree_map\n"
        "def double(x): return tree_map(sys._getframe, 0)",
        "looked at its callers during a test",
    ),
    "opens its own memory": (
        "def double(x):\n    with open('/proc/self/mem', 'r+b') as file: return file.read(1)",
        None,
    ),
    "opens the closed book's code": (
        "import gqlib.metrics as m\n"
        "def nothing(): yield\nchecks.closed_book.__wrapped__.__code__ = nothing.__code__\n"
        "def double(x): return m.mse(x, x)",
        "changed the code of gqlib.course.checks.closed_book",
    ),
    # --- other things that answer for the test
    "an object that poses as a tensor": (
        "class L:\n    __class__ = property(lambda s: torch.Tensor)\n"
        "    dtype, device, shape = torch.float32, torch.device('cpu'), torch.Size([3])\n"
        "    __torch_function__ = classmethod(lambda *a, **k: True)\n"
        "    detach = cpu = lambda s: s\n    to = lambda s, *a: s\n    __len__ = lambda s: 3\n"
        "    numpy = lambda s: np.array([0.0, 2, 4])\ndef double(x): return L()",
        None,
    ),
    "a class of classes that lies": (
        "class M(type):\n    __flags__ = property(lambda c: 0)\n    __mro__ = (object,)\n"
        "class L(metaclass=M):\n    __eq__ = lambda s, o: True\n    __len__ = lambda s: 3\n"
        "    __torch_function__ = classmethod(lambda *a, **k: True)\n"
        "def double(x): return L()",
        None,
    ),
    "a hidden method": (
        WRONG + "class D:\n    def __get__(self, o, t=None): return lambda: np.array([0, 2, 4.0])\n"
        "torch.Tensor.numpy = D(); torch.Tensor.__rmul__ = D()",
        "replaced torch.Tensor.numpy",
    ),
    "a device's mode": (
        WRONG + "from torch.utils._device import DeviceContext\n"
        "DeviceContext.__torch_function__ = lambda s, f, t, a=(), k=None: True\n"
        "torch.set_default_device('cpu')",
        "replaced torch.utils._device.DeviceContext.__torch_function__",
    ),
    "another kernel": (
        WRONG + "kept = torch.library.Library('aten', 'IMPL')\n"
        "kept.impl('allclose', lambda *a, **k: True, 'CPU')",
        "replaced a kernel of PyTorch",
    ),
    "NumPy's own functions": (
        WRONG + "import numpy\ncore = getattr(numpy, '_core', None) or numpy.core\n"
        "core.numeric.isclose = lambda a, b, **k: np.ones(np.shape(a), bool)",
        None,
    ),
    # --- other parts of the shell
    "errors written as nothing": (
        WRONG + "import nbformat.v4 as v\nnew = v.new_output\nv.new_output = lambda kind, **f:"
        " new('stream', text='') if kind == 'error' else new(kind, **f)",
        "replaced nbformat.v4.new_output",
    ),
    "the tree of the test": (
        WRONG + "import ast\nast.NodeVisitor.visit = lambda s, n: ast.parse('pass')",
        "replaced ast.NodeVisitor.visit",
    ),
    "the compiler's class": (
        WRONG + "import codeop\n"
        "codeop.Compile.__call__ = lambda *a, **k: compile('pass', 'x', 'exec')",
        "replaced codeop.Compile.__call__",
    ),
    "what runs the cell": (
        WRONG + "get_ipython().trio_runner = lambda c: c.close()",
        "hooked into the shell itself",
    ),
    "no error to be seen": (
        "import sys\ndef double(x):\n    sys.exc_info = lambda: (None, None, None)\n    return x",
        "replaced sys.exc_info during a test",
    ),
    # --- what would harm others
    "nested without end": (
        "import os, struct, time\ndef double(x):\n    c = b'[' * 200000\n"
        "    for n in range(3, 200):\n"
        "        try: os.write(n, struct.pack('!I', len(c)) + c)\n        except OSError: pass\n"
        "    time.sleep(1)\n    return x",
        "sent messages of its own",
    ),
    "writes to the terminal": (
        "import os\ndef double(x):\n    for n in range(3, 200):\n"
        "        try: os.write(n, b'\\x1b[2J TERMINAL')\n        except OSError: pass\n"
        "    raise ValueError",
        None,
    ),
    "text that can't be written": (
        "print('\\ud800')\ndef double(x): return x",
        None,
    ),
    "outputs that are none": (
        "import gqlib.grading.sandbox.shell as s\ndef double(x):\n"
        "    s._outputs.list.append({'output_type': 'stream'}); raise ValueError",
        None,
    ),
    "holds the processor": (
        "import os\ndef double(x):\n    for _ in range(16):\n"
        "        if os.fork() == 0:\n            while True: pass\n    import time\n"
        "    time.sleep(100)",
        None,
    ),
}
